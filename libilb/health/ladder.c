/* SPDX-License-Identifier: MIT */
/* See ladder.h. */
#include "health/ladder.h"

#include "health/cap.h"

#define LADDER_LEVEL_MAX 31
#define LADDER_LEVEL_LONGER 9
#define LADDER_RELAPSE 3
#define LADDER_PROBE_REQUESTS 150.0
#define LADDER_RATE_ANY 1e9f
#define LADDER_SLOW_REQUESTS 1000.0
#define LADDER_SLOW_MOST_NS 30e9

ILB_INTERNAL uint64_t ilb__ladder_longer_ns(uint64_t ns, uint32_t bits)
{
    return ilb__later_ns(
        ns, (uint64_t)((double)(ns / 10) * ((double)bits / 4294967296.0)));
}

/* Of the base, by level. With the base of 5 s there are probes after 5, 11, 17,
 * 24, 32, 41, 55, 69 and 89 s, then every 20 s: seven in the first minute, and
 * three a minute from then on, whether the ejection came with the fault or, as
 * where requests hang, a quarter of a minute later. */
#define LADDER_TIMES 9
static const double ladder_times[LADDER_TIMES + 1] = {1,   1,   1.2, 1.2, 1.4,
                                                      1.6, 1.8, 2.8, 2.8, 4};

/* So long that a probe is rare among so few requests. A rate that is not known
 * yet makes nothing longer. */
static double ladder_few_ns(uint32_t level, ilb_detector by, float rate_per_s)
{
    double requests = LADDER_PROBE_REQUESTS * (level < 3 ? level : 3);
    double ns;

    if (by == ILB_DETECTOR_LATENCY)
        requests = LADDER_SLOW_REQUESTS * (level < 4 ? level : 4);
    ns = rate_per_s > 0 ? requests * 1e9 / (double)rate_per_s : 0;
    return by == ILB_DETECTOR_LATENCY && ns > LADDER_SLOW_MOST_NS
               ? LADDER_SLOW_MOST_NS
               : ns;
}

static uint64_t ladder_ejection_ns(const ilb__judge *j, uint32_t level,
                                   ilb_detector by, float rate_per_s)
{
    uint32_t at = level < LADDER_TIMES ? level : LADDER_TIMES;
    double times = by == ILB_DETECTOR_LATENCY ? 1 : ladder_times[at];
    double ns = (double)j->base_ejection_time_ns * times;
    double few = ladder_few_ns(level, by, rate_per_s);

    if (ns < few)
        ns = few;
    return ns < (double)j->max_ejection_time_ns ? (uint64_t)ns
                                                : j->max_ejection_time_ns;
}

/* 90 % to 110 % of it, but at most the maximum. */
static uint64_t ladder_jittered_ns(const ilb__judge *j, uint64_t ns,
                                   uint32_t bits)
{
    double factor = 0.9 + 0.2 * ((double)bits / 4294967296.0);
    double jittered = (double)ns * factor;

    return jittered >= (double)j->max_ejection_time_ns ? j->max_ejection_time_ns
                                                       : (uint64_t)jittered;
}

/* Requests a second that probes must be rare among. Those that fail closed
 * are lost whether or not they are probes. */
static float ladder_spared_per_s(const ilb__judge *j, uint32_t n_ready,
                                 const ilb__figures *f)
{
    return j->fail_closed && ilb__judge_panics(j, n_ready) ? LADDER_RATE_ANY
                                                           : f->rate_per_s;
}

static uint32_t ladder_next_level(const ilb__word *h, const ilb__failing *x)
{
    if (h->state == ILB__PROBING && h->good == ILB_WORD_EARLY && h->level > 0)
        return h->level;
    /* Refused again where it had said that it would be: not its fault. */
    if (x->refused && h->by == ILB_DETECTOR_RETRY_AFTER)
        return h->level;
    if (h->level > 0 && h->state != ILB__PROBING &&
        h->level < LADDER_LEVEL_LONGER)
        return h->level + LADDER_RELAPSE < LADDER_LEVEL_LONGER
                   ? h->level + LADDER_RELAPSE
                   : LADDER_LEVEL_LONGER;
    return h->level < LADDER_LEVEL_MAX ? h->level + 1 : h->level;
}

ILB_INTERNAL void ilb__ladder_eject(const ilb__judge *j, ilb__word *h,
                                    ilb_detector by, const ilb__failing *x,
                                    const ilb__figures *f, uint64_t now_ns)
{
    float rate = ladder_spared_per_s(j, x->n_ready, f);

    h->level = ladder_next_level(h, x);
    h->state = ILB__EJECTED;
    h->good = 0;
    h->by = by;
    h->until_ns = ilb__later_ns(
        now_ns, ladder_jittered_ns(j, ladder_ejection_ns(j, h->level, by, rate),
                                   x->bits));
}
