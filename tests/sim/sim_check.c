/* SPDX-License-Identifier: MIT */
#include "sim_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "sim_run.h"

/* Times beyond this (11 days) could overflow sums. */
#define CHECK_LONGEST_NS UINT64_C(1000000000000000)
#define CHECK_RETRIES_MAX 1000u

typedef struct check_text {
    char *text;
    size_t size;
} check_text;

/* Returns the message, so that what is wrong is told in one statement. */
__attribute__((format(printf, 2, 3))) static const char *check_says(
    check_text t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(t.text, t.size, format, args);
    va_end(args);
    return t.text;
}

static bool check_within(double x, double least, double most)
{
    return x >= least && x <= most; /* not if it is NaN */
}

static bool check_time(double ns)
{
    return check_within(ns, 0, (double)CHECK_LONGEST_NS);
}

static const char *check_service(const sim_distribution *d, check_text t)
{
    if ((unsigned)d->kind > SIM_REPLAY)
        return check_says(t, "unknown distribution %u", (unsigned)d->kind);
    if (d->kind == SIM_REPLAY) {
        if (d->n_values == 0)
            return check_says(t, "a replay without values");
        for (size_t i = 0; i < d->n_values; i++)
            if (!check_time(d->values_ns[i]))
                return check_says(t, "replayed service time %g ns",
                                  d->values_ns[i]);
        return NULL;
    }
    if (!check_time(d->a_ns) || !check_time(d->b_ns))
        return check_says(t, "service time %g ns or %g ns", d->a_ns, d->b_ns);
    if (d->kind == SIM_LOGNORMAL && !check_within(d->p, 0, 10))
        return check_says(t, "sigma %g of a lognormal", d->p);
    if (d->kind == SIM_BIMODAL && !check_within(d->p, 0, 1))
        return check_says(t, "share %g of a bimodal", d->p);
    return NULL;
}

static const char *check_servers(const sim_scenario *s, check_text t)
{
    const char *wrong;

    if (s->n_servers == 0)
        return check_says(t, "no servers");
    for (uint32_t i = 0; i < s->n_servers; i++) {
        const sim_server_spec *spec = &s->servers[i];

        if (!check_within(spec->speed, 1e-6, 1e6))
            return check_says(t, "server %" PRIu32 " has the speed %g", i,
                              spec->speed);
        if (!check_within(spec->weight, 0, 1e6))
            return check_says(t, "server %" PRIu32 " has the weight %g", i,
                              spec->weight);
        wrong =
            check_service(spec->own_service ? &spec->service : &s->service, t);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *check_load(const sim_scenario *s, check_text t)
{
    if (s->duration_ns == 0 || s->duration_ns > CHECK_LONGEST_NS)
        return check_says(t, "duration %" PRIu64 " ns", s->duration_ns);
    if (s->warm_up_ns >= s->duration_ns)
        return check_says(t, "the warm-up is as long as the run");
    if (s->n_clients == 0)
        return check_says(t, "no clients");
    if (s->closed_loop && s->concurrency == 0)
        return check_says(t, "a closed loop of 0 requests");
    if (!s->closed_loop && !check_within(s->rate_per_s, 0, 1e9))
        return check_says(t, "rate %g/s", s->rate_per_s);
    if (s->deadline_ns == 0 || s->deadline_ns > CHECK_LONGEST_NS)
        return check_says(t, "deadline %" PRIu64 " ns", s->deadline_ns);
    if (s->retries > CHECK_RETRIES_MAX)
        return check_says(t, "%" PRIu32 " retries, more than %u", s->retries,
                          CHECK_RETRIES_MAX);
    if (!check_within(s->give_up, 0, 1))
        return check_says(t, "clients give up at %g of the deadline",
                          s->give_up);
    if (s->network_ns > CHECK_LONGEST_NS)
        return check_says(t, "network delay %" PRIu64 " ns", s->network_ns);
    if (!check_within(s->errors_everywhere, 0, 1))
        return check_says(t, "errors everywhere: %g", s->errors_everywhere);
    if (!check_within(s->heavy_share, 0, 1) ||
        (s->heavy_share > 0 && !check_within(s->heavy_factor, 0, 1e6)))
        return check_says(t, "heavy requests: share %g, factor %g",
                          s->heavy_share, s->heavy_factor);
    return NULL;
}

static bool check_range(const sim_scenario *s, uint32_t first, uint32_t last)
{
    return first <= last && last < s->n_servers;
}

/* `which` is for the message only. */
static const char *check_happening(const sim_scenario *s,
                                   const sim_happening *h, const char *which,
                                   check_text t)
{
    bool factor = h->kind == SIM_SLOW || h->kind == SIM_WARM ||
                  h->kind == SIM_LEAK || h->kind == SIM_RESTART ||
                  h->kind == SIM_CRASH;

    if ((unsigned)h->kind > SIM_CLOCK_JUMP)
        return check_says(t, "%s: unknown kind %u", which, (unsigned)h->kind);
    if (h->kind == SIM_CLOCK_JUMP)
        return NULL;
    if (h->kind == SIM_RATE) {
        if (s->closed_loop)
            return check_says(t, "%s: a rate in a closed loop", which);
        return check_within(h->factor, 0, 1e9)
                   ? NULL
                   : check_says(t, "%s: rate %g/s", which, h->factor);
    }
    if (!check_range(s, h->first, h->last))
        return check_says(t, "%s: servers %" PRIu32 "..%" PRIu32 " of %" PRIu32,
                          which, h->first, h->last, s->n_servers);
    if (factor && !check_within(h->factor, 0, 1e6))
        return check_says(t, "%s: factor %g", which, h->factor);
    if ((h->kind == SIM_ERRORS || h->kind == SIM_REJECT) &&
        !check_within(h->probability, 0, 1))
        return check_says(t, "%s: probability %g", which, h->probability);
    return NULL;
}

static const char *check_process(const sim_scenario *s, const sim_process *p,
                                 check_text t)
{
    if ((unsigned)p->kind > SIM_FLAP)
        return check_says(t, "process of the unknown kind %u",
                          (unsigned)p->kind);
    if (!check_range(s, p->first, p->last))
        return check_says(
            t, "process of servers %" PRIu32 "..%" PRIu32 " of %" PRIu32,
            p->first, p->last, s->n_servers);
    if (p->every_ns == 0 || p->every_ns > CHECK_LONGEST_NS)
        return check_says(t, "process every %" PRIu64 " ns", p->every_ns);
    if (p->kind == SIM_ANTAGONISTS && (p->count > p->last - p->first + 1 ||
                                       !check_within(p->factor, 1e-6, 1e6)))
        return check_says(t, "%" PRIu32 " antagonists of factor %g", p->count,
                          p->factor);
    if (p->kind != SIM_FLAP)
        return NULL;
    if (p->duration_ns >= p->every_ns)
        return check_says(t, "it flaps, but is never well");
    switch (p->what.kind) {
    case SIM_SLOW:
    case SIM_FIXED:
    case SIM_HANG:
    case SIM_REFUSE:
    case SIM_ERRORS:
    case SIM_REJECT:
        return check_happening(s, &p->what, "flap", t);
    default:
        return check_says(t, "happening %u cannot flap",
                          (unsigned)p->what.kind);
    }
}

static const char *check_measure(const sim_scenario *s, const sim_measure *m,
                                 check_text t)
{
    if ((unsigned)m->kind > SIM_BEFORE_REPORT)
        return check_says(t, "measure of the unknown kind %u",
                          (unsigned)m->kind);
    if (!check_range(s, m->first, m->last))
        return check_says(
            t, "measure of servers %" PRIu32 "..%" PRIu32 " of %" PRIu32,
            m->first, m->last, s->n_servers);
    if (m->from_ns >= m->to_ns)
        return check_says(t, "measure of no time");
    return NULL;
}

const char *sim_check_scenario(const sim_scenario *s, char *text, size_t size)
{
    const check_text t = {text, size};
    const char *wrong = check_load(s, t);

    if (wrong == NULL)
        wrong = check_servers(s, t);
    for (size_t i = 0; wrong == NULL && i < s->n_happenings; i++) {
        char which[40];

        snprintf(which, sizeof which, "happening %zu", i);
        wrong = check_happening(s, &s->happenings[i], which, t);
    }
    for (size_t i = 0; wrong == NULL && i < s->n_processes; i++)
        wrong = check_process(s, &s->processes[i], t);
    if (wrong == NULL && (s->n_measures > SIM_MEASURES_MAX))
        wrong = check_says(t, "%" PRIu32 " measures, more than %d",
                           s->n_measures, SIM_MEASURES_MAX);
    for (uint32_t i = 0; wrong == NULL && i < s->n_measures; i++)
        wrong = check_measure(s, &s->measures[i], t);
    return wrong;
}

const char *sim_check_policy(const sim_policy *p)
{
    if (p == NULL || p->name == NULL)
        return "a policy without a name";
    if (p->create == NULL || p->destroy == NULL)
        return "it has no create or destroy";
    if (p->update == NULL || p->pick == NULL || p->done == NULL)
        return "it has no update, pick or done";
    if (p->passive && p->probe != NULL)
        return "it is passive, but makes requests of its own";
    return NULL;
}
