/* SPDX-License-Identifier: MIT */
#include "sim_measure.h"

#include <math.h>
#include <string.h>

#define MEASURE_WINDOW_NS UINT64_C(1000000000)
#define MEASURE_RETURNED 0.5 /* of the fair share */

static inline bool measure_has(const sim_measure *what, uint32_t server)
{
    return server >= what->first && server <= what->last;
}

static inline bool measure_at(const sim_measure *what, uint64_t now_ns)
{
    return now_ns >= what->from_ns && now_ns < what->to_ns;
}

void sim_measures_init(sim_measures *m, const sim_scenario *s)
{
    memset(m, 0, sizeof *m);
    m->n = s->n_measures;
    for (uint32_t i = 0; i < m->n; i++) {
        m->all[i].what = &s->measures[i];
        m->peaks = m->peaks || s->measures[i].kind == SIM_PEAK;
    }
}

void sim_measures_free(sim_measures *m)
{
    for (uint32_t i = 0; i < m->n; i++)
        sim_sample_free(&m->all[i].latency);
    m->n = 0;
}

/* ---- PEAK ---- */

/* Nothing has changed since the last call: adds up to now. */
static void measure_advance(sim_measures *m, uint64_t now_ns)
{
    double each =
        m->n_listed == 0 ? 0 : (double)m->in_flight / (double)m->n_listed;

    for (uint32_t i = 0; i < m->n; i++) {
        sim_measure_state *s = &m->all[i];
        uint64_t from_ns = s->what->from_ns, to_ns = s->what->to_ns;

        if (s->what->kind != SIM_PEAK)
            continue;
        if (from_ns < m->peaks_ns)
            from_ns = m->peaks_ns;
        if (to_ns > now_ns)
            to_ns = now_ns;
        if (from_ns >= to_ns)
            continue;
        s->sum += each * (double)(to_ns - from_ns);
        if (s->in_flight > s->most)
            s->most = s->in_flight;
    }
    m->peaks_ns = now_ns;
}

static void measure_peaks_sent(sim_measures *m, uint32_t server,
                               uint64_t now_ns)
{
    measure_advance(m, now_ns);
    m->in_flight++;
    for (uint32_t i = 0; i < m->n; i++) {
        sim_measure_state *s = &m->all[i];

        if (s->what->kind != SIM_PEAK || !measure_has(s->what, server))
            continue;
        s->in_flight++;
        if (measure_at(s->what, now_ns) && s->in_flight > s->most)
            s->most = s->in_flight;
    }
}

static void measure_peaks_done(sim_measures *m, uint32_t server,
                               uint64_t now_ns)
{
    measure_advance(m, now_ns);
    m->in_flight--;
    for (uint32_t i = 0; i < m->n; i++) {
        sim_measure_state *s = &m->all[i];

        s->in_flight -=
            s->what->kind == SIM_PEAK && measure_has(s->what, server);
    }
}

static double measure_peak(const sim_measure_state *s, uint64_t now_ns)
{
    uint64_t to_ns = s->what->to_ns < now_ns ? s->what->to_ns : now_ns;
    double servers = (double)(s->what->last - s->what->first) + 1;
    double mean;

    if (to_ns <= s->what->from_ns || !(s->sum > 0))
        return (double)NAN;
    mean = s->sum / (double)(to_ns - s->what->from_ns);
    return 100 * (double)s->most / servers / mean;
}

/* ---- Shares ---- */

void sim_measures_list(sim_measures *m, const sim_member *members, uint32_t n,
                       uint64_t now_ns)
{
    double all = 0;

    if (m->peaks)
        measure_advance(m, now_ns);
    m->n_listed = n;
    for (uint32_t k = 0; k < n; k++)
        all += members[k].ready ? members[k].weight : 0;
    for (uint32_t i = 0; i < m->n; i++) {
        sim_measure_state *s = &m->all[i];
        double theirs = 0;

        for (uint32_t k = 0; k < n; k++)
            if (members[k].ready && measure_has(s->what, members[k].server))
                theirs += members[k].weight;
        s->fair = all > 0 ? theirs / all : 0;
    }
}

/* The present window of RETURN is over. */
static void measure_window(sim_measure_state *s)
{
    uint64_t begin_ns = s->window * MEASURE_WINDOW_NS;

    if (!s->ended && s->expected > 0 &&
        begin_ns + MEASURE_WINDOW_NS <= s->what->to_ns - s->what->from_ns &&
        (double)s->attempts >= MEASURE_RETURNED * s->expected) {
        s->ended = true;
        s->returned_s = (double)begin_ns / 1e9;
    }
    s->attempts = 0;
    s->expected = 0;
}

uint16_t sim_measures_sent(sim_measures *m, uint32_t server, uint64_t now_ns)
{
    uint16_t marks = 0;

    if (m->peaks)
        measure_peaks_sent(m, server, now_ns);
    for (uint32_t i = 0; i < m->n; i++) {
        sim_measure_state *s = &m->all[i];
        bool theirs = measure_has(s->what, server);

        if (!measure_at(s->what, now_ns))
            continue;
        if (s->what->kind == SIM_RETURN) {
            uint64_t window = (now_ns - s->what->from_ns) / MEASURE_WINDOW_NS;

            if (window != s->window)
                measure_window(s);
            s->window = window;
        }
        if (s->what->kind == SIM_BEFORE_REPORT) {
            if (!theirs || s->ended)
                continue;
            marks = (uint16_t)(marks | 1u << i);
        }
        s->attempts += theirs;
        s->expected += s->fair;
    }
    return marks;
}

void sim_measures_done(sim_measures *m, uint32_t server, uint16_t marks,
                       uint64_t now_ns)
{
    if (m->peaks)
        measure_peaks_done(m, server, now_ns);
    for (uint32_t i = 0; marks != 0; i++, marks = (uint16_t)(marks >> 1))
        if (marks & 1)
            m->all[i].ended = true;
}

/* ---- Requests ---- */

void sim_measures_over(sim_measures *m, uint64_t arrived_ns, sim_outcome end,
                       uint64_t latency_ns)
{
    for (uint32_t i = 0; i < m->n; i++) {
        sim_measure_state *s = &m->all[i];

        if (!measure_at(s->what, arrived_ns))
            continue;
        s->arrived++;
        if (end == SIM_SUCCESS)
            s->succeeded++;
        else if (end == SIM_CANCELLED)
            s->cancelled++;
        else
            s->failed++;
        if (latency_ns != UINT64_MAX &&
            (s->what->kind == SIM_P99 || s->what->kind == SIM_P999))
            sim_sample_add(&s->latency, latency_ns);
    }
}

static double measure_percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : (double)NAN;
}

static double measure_value(sim_measure_state *s, uint64_t now_ns)
{
    switch (s->what->kind) {
    case SIM_SHARE:
        return measure_percent((double)s->attempts, s->expected);
    case SIM_ATTEMPTS:
    case SIM_BEFORE_REPORT:
        return (double)s->attempts;
    case SIM_FAILED:
        return (double)s->failed;
    case SIM_FAILED_SHARE:
        return measure_percent((double)s->failed, (double)s->arrived);
    case SIM_IN_TIME:
        return measure_percent((double)s->succeeded,
                               (double)(s->arrived - s->cancelled));
    case SIM_PEAK:
        return measure_peak(s, now_ns);
    case SIM_RETURN:
        measure_window(s);
        return s->ended ? s->returned_s
                        : (double)(s->what->to_ns - s->what->from_ns) / 1e9;
    case SIM_P99:
        return sim_sample_quantile(&s->latency, 0.99) / 1e6;
    case SIM_P999:
        return sim_sample_quantile(&s->latency, 0.999) / 1e6;
    }
    return (double)NAN;
}

bool sim_measures_finish(sim_measures *m, uint64_t now_ns,
                         double values[SIM_MEASURES_MAX])
{
    bool failed = false;

    if (m->peaks)
        measure_advance(m, now_ns);
    for (uint32_t i = 0; i < SIM_MEASURES_MAX; i++)
        values[i] = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        values[i] = measure_value(&m->all[i], now_ns);
        failed = failed || m->all[i].latency.failed;
    }
    return !failed;
}
