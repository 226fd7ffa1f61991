/* SPDX-License-Identifier: MIT */
/* See pool.h for the figures. */
#include "health/pool.h"

#include <string.h>

#include "base/decay.h"
#include "base/floats.h"
#include "health/overload.h"
#include "health/share.h"

#define POOL_FAILED_PERIOD_NS (10 * ILB_MS_NS)
#define POOL_HISTOGRAM_FULL 2000
#define POOL_LONG_TAU_S 120.0
#define POOL_SHORT_REQUESTS 50.0
#define POOL_SHORT_MIN_S 0.5
#define POOL_SHORT_MAX_S 30.0
#define POOL_SHORT_PRIOR 20
#define POOL_LONG_PRIOR 200
#define POOL_RATE_TAU_S 3.0
/* A gap in which so many requests would have come is none of their rate. */
#define POOL_JUMP_REQUESTS 50.0
/* So late, and so many requests would have come: the caller stood still. */
#define POOL_STOOD_NS (500 * ILB_MS_NS)
#define POOL_STOOD_REQUESTS 20.0
#define POOL_SUSPECT_SHARE 0.05
#define POOL_SUSPECT_MIN_S 0.02
#define POOL_SUSPECT_MAX_S 1.5
#define POOL_MEDIAN_UNKNOWN 0

/* ---- Words ------------------------------------------------------------- */

static void pool_publish_steps(ilb__pool *p, float p0)
{
    ilb__evidence_steps s = ilb__evidence_steps_for(p0);

    ilb__store_relaxed(&p->steps, (uint64_t)s.broken_up |
                                      (uint64_t)s.broken_down << 16 |
                                      (uint64_t)s.faulty_up << 32 |
                                      (uint64_t)s.faulty_down << 48);
}

/* From all the words, for those who read them. */
static void pool_publish(ilb__pool *p)
{
    uint64_t latency = ilb__load_relaxed(&p->latency);
    uint64_t failures = ilb__load_relaxed(&p->failures);
    uint64_t reach = ilb__load_relaxed(&p->reach);
    uint64_t steps = ilb__load_relaxed(&p->steps);
    uint64_t rate = ilb__load_relaxed(&p->rate);
    ilb__figures now, *f = &now;

    memset(f, 0, sizeof *f);
    f->median_ns = ilb__floats_low(latency);
    f->p99_ns = ilb__floats_high(latency);
    f->p0 = ilb__floats_low(failures);
    f->suspect_ns = (failures >> 32) << 20;
    f->aperture = ilb__reach_aperture(reach);
    f->overloaded = (reach & ILB_REACH_SUFFER) != 0;
    f->cold = (reach & ILB_REACH_COLD) != 0;
    f->many_on_trial = (reach & ILB_REACH_ON_TRIAL) != 0;
    f->patience_ns = ilb__reach_patience_ns(reach);
    f->rate_per_s = ilb__floats_low(rate);
    f->in_flight = ilb__floats_high(rate);
    f->room = ILB_UNLIKELY((reach & ILB_REACH_FULL) != 0)
                  ? ilb__overload_room(&p->calm)
                  : 0;
    f->longlived = ilb__floats_high(ilb__load_relaxed(&p->served));
    f->jumped_ns = ilb__load_relaxed(&p->jumped_ns);
    f->steps.broken_up = (uint16_t)steps;
    f->steps.broken_down = (uint16_t)(steps >> 16);
    f->steps.faulty_up = (uint16_t)(steps >> 32);
    f->steps.faulty_down = (uint16_t)(steps >> 48);
    ilb__figures_write(&p->figures, f);
}

ILB_INTERNAL float ilb__pool_served(const ilb__pool *p)
{
    return ilb__floats_low(ilb__load_relaxed(&p->served));
}

/* ---- Answers ----------------------------------------------------------- */

/* Nothing is known of anyone yet: that answer stands for the median. */
ILB_COLD static void pool_first(ilb__pool *p, uint64_t latency,
                                uint64_t sample_ns)
{
    (void)ilb__cas_strong_relaxed(
        &p->latency, latency,
        ilb__floats_pair((float)(sample_ns == 0 ? 1 : sample_ns),
                         ilb__floats_high(latency)));
    pool_publish(p);
}

ILB_INTERNAL void ilb__pool_good(ilb__pool *p, uint64_t sample_ns,
                                 uint64_t count)
{
    uint64_t latency = ilb__load_relaxed(&p->latency);
    uint32_t sampling = ilb__reach_sampling(ilb__load_relaxed(&p->reach));

    if (ILB_LIKELY((count & ((UINT64_C(1) << sampling) - 1)) == 0))
        ilb__histogram_add(&p->answers, sample_ns);
    if (ILB_UNLIKELY((uint32_t)latency == POOL_MEDIAN_UNKNOWN))
        pool_first(p, latency, sample_ns);
}

/* ---- Looking at the endpoints ------------------------------------------ */

static double pool_short_tau_s(const ilb__pool *p, uint32_t n)
{
    double rate = (double)ilb__floats_low(ilb__load_relaxed(&p->rate));
    double s = POOL_SHORT_REQUESTS * n / (rate + 1e-3);

    return s < POOL_SHORT_MIN_S   ? POOL_SHORT_MIN_S
           : s > POOL_SHORT_MAX_S ? POOL_SHORT_MAX_S
                                  : s;
}

static void pool_survey(ilb__survey *k, ilb__pool *p, ilb__slot *slots,
                        const ilb__view *view, double since_s)
{
    ilb__window_step step;

    step.now_ns = ilb__load_relaxed(&p->refreshed_ns);
    step.round = ilb__add_relaxed(&p->round, 1) + 2; /* 0: never part of one */
    step.keep_long = (float)ilb__decay(since_s, POOL_LONG_TAU_S);
    step.keep_short = (float)ilb__decay(since_s, pool_short_tau_s(p, view->n));
    ilb__survey_take(k, slots, view, &step);
}

/* ---- What healthy endpoints fail --------------------------------------- */

static void pool_refresh_failures(ilb__pool *p, const ilb__survey *k,
                                  uint32_t n, float rate)
{
    float p0 = ilb__healthy_share(k->long_term, k->n, 0.5f, POOL_LONG_PRIOR);
    float now = ilb__healthy_share(k->short_term, k->n, 0, POOL_SHORT_PRIOR);
    double eligible = (double)k->n_eligible * n / k->n;
    double per_endpoint = (double)rate / (eligible < 1 ? 1 : eligible);
    double suspect_s = POOL_SUSPECT_MAX_S;

    if (now > p0)
        p0 = now;
    if (per_endpoint * (double)p0 * POOL_SUSPECT_MAX_S > POOL_SUSPECT_SHARE)
        suspect_s = POOL_SUSPECT_SHARE / (per_endpoint * (double)p0);
    if (suspect_s < POOL_SUSPECT_MIN_S)
        suspect_s = POOL_SUSPECT_MIN_S;
    ilb__store_relaxed(&p->failures, (uint64_t)(suspect_s * 1e9 / (1 << 20))
                                             << 32 |
                                         ilb__floats_bits(p0));
    pool_publish_steps(p, p0);
}

/* ---- The rest ---------------------------------------------------------- */

static void pool_refresh_latency(ilb__pool *p, const ilb__survey *k)
{
    uint64_t latency = ilb__load_relaxed(&p->latency);
    uint32_t total = ilb__histogram_total(&p->answers);
    float median_ns = ilb__floats_low(latency), p99_ns = 0;

    if (k->n_estimates > 0)
        median_ns = k->estimates[(k->n_estimates - 1) / 2];
    if (total > 0)
        p99_ns = ilb__histogram_quantile_ns(&p->answers, total, 0.99f);
    if (total > POOL_HISTOGRAM_FULL)
        ilb__histogram_halve(&p->answers);
    ilb__store_relaxed(&p->latency, ilb__floats_pair(median_ns, p99_ns));
}

static float pool_refresh_rate(ilb__pool *p, const ilb__survey *k, uint32_t n,
                               double since_s)
{
    float rate = ilb__floats_low(ilb__load_relaxed(&p->rate));
    float keep = (float)ilb__decay(since_s, POOL_RATE_TAU_S);
    float now = (float)((double)k->ended * n / (k->n * since_s));

    /* At first there is nothing to blend it with. */
    rate = rate > 0 ? rate * keep + now * (1 - keep) : now;
    ilb__store_relaxed(&p->rate,
                       ilb__floats_pair(rate, ilb__survey_in_flight(k)));
    return rate;
}

/* ---- Refreshing -------------------------------------------------------- */

ILB_INTERNAL void ilb__pool_init(ilb__pool *p)
{
    ilb__store_relaxed(&p->failures,
                       (uint64_t)(POOL_SUSPECT_MAX_S * 1e9 / (1 << 20)) << 32 |
                           ilb__floats_bits(0.5f / POOL_LONG_PRIOR));
    ilb__store_relaxed(&p->reach, ilb__reach_unknown());
    pool_publish_steps(p, 0.5f / POOL_LONG_PRIOR);
    ilb__trials_init(&p->trials);
    pool_publish(p);
}

/* What is to be added to the word of reach. */
static uint64_t pool_crowd(ilb__pool *p, const ilb__judge *j,
                           const ilb__survey *k, uint32_t n, double since_s)
{
    bool was = (ilb__load_relaxed(&p->reach) & ILB_REACH_FULL) != 0;
    const ilb__crowd c = {
        k,
        n,
        ilb__load32_relaxed(&j->n_ejected),
        ilb__floats_low(ilb__load_relaxed(&p->latency)),
        ilb__floats_low(ilb__load_relaxed(&p->failures)),
        since_s,
    };
    bool suffer = ilb__overload_suffer(&p->calm, &c);
    bool full = ilb__overload_full(&p->calm, &p->queue, was, &c);

    return (suffer ? ILB_REACH_SUFFER : 0) | (full ? ILB_REACH_FULL : 0);
}

static void pool_recompute(ilb__pool *p, ilb__judge *j, ilb__slot *slots,
                           const ilb__view *view, double since_s)
{
    uint64_t crowd;
    ilb__survey k;
    float rate;

    pool_survey(&k, p, slots, view, since_s);
    if (k.n == 0)
        return;
    rate = pool_refresh_rate(p, &k, view->n, since_s);
    ilb__trials_refill(&p->trials, rate, since_s);
    pool_refresh_failures(p, &k, view->n, rate);
    ilb__peaks_refresh(&p->peaks, (float)((double)k.ended * view->n / k.n),
                       (float)ilb__decay(since_s, POOL_LONG_TAU_S));
    pool_refresh_latency(p, &k);
    crowd = pool_crowd(p, j, &k, view->n, since_s);
    ilb__store_relaxed(&p->served, ilb__floats_pair(ilb__survey_served(&k),
                                                    ilb__survey_longlived(&k)));
    ilb__store_relaxed(
        &p->reach,
        crowd | ilb__reach_word(&k, view->n, ilb__load32_relaxed(&j->n_ejected),
                                rate));
    pool_publish(p);
}

/* No request for much longer than there ever was one: the clock has jumped, or
 * the caller was idle. Either way the rate of before says more. */
static bool pool_jumped(const ilb__pool *p, uint64_t since_ns)
{
    double rate = (double)ilb__floats_low(ilb__load_relaxed(&p->rate));

    return since_ns > ILB_POOL_LATE_NS &&
           (double)since_ns / 1e9 * rate > POOL_JUMP_REQUESTS;
}

static void pool_sweep(ilb__pool *p, ilb__judge *j, ilb__slot *slots,
                       const ilb__view *view, uint64_t since_ns,
                       uint64_t now_ns)
{
    uint64_t steady_ns = ilb__load_relaxed(&p->steady_ns);
    ilb__figures f;
    ilb__sweep s;

    ilb__pool_figures(p, &f);
    if (steady_ns == 0 ||
        (since_ns > POOL_STOOD_NS &&
         (double)since_ns / 1e9 * (double)f.rate_per_s > POOL_STOOD_REQUESTS)) {
        steady_ns = now_ns;
        ilb__store_relaxed(&p->steady_ns, now_ns);
    }
    s.round = ilb__load_relaxed(&p->round);
    s.steady_ns = steady_ns;
    s.now_ns = now_ns;
    ilb__sweep_table(j, slots, view, &f, &s);
}

ILB_INTERNAL void ilb__pool_refresh(ilb__pool *p, ilb__judge *j,
                                    ilb__slot *slots, const ilb__view *view,
                                    bool failed, uint64_t now_ns)
{
    uint64_t last = ilb__load_relaxed(&p->refreshed_ns);
    uint64_t since_ns = now_ns - last;
    uint64_t gap_ns;

    if (!ilb__pool_due(p, failed ? POOL_FAILED_PERIOD_NS : ILB_POOL_PERIOD_NS,
                       now_ns) ||
        !ilb__cas_strong_relaxed(&p->refreshed_ns, last, now_ns))
        return;
    if (last == 0)
        since_ns = ILB_POOL_PERIOD_NS;
    gap_ns = since_ns;
    if (pool_jumped(p, since_ns)) {
        since_ns = ILB_POOL_PERIOD_NS;
        ilb__store_relaxed(&p->jumped_ns, now_ns);
        ilb__queue_forget(&p->queue); /* nobody knows its pace */
        pool_publish(p);
    }
    pool_recompute(p, j, slots, view, (double)since_ns / 1e9);
    pool_sweep(p, j, slots, view, gap_ns, now_ns);
}
