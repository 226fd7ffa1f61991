/* SPDX-License-Identifier: MIT */
/*
 * What the endpoints have in common: the yardsticks of signal/figures.h.
 *
 * Refreshed every 100 ms by the request that comes first, from at most 64
 * endpoints spread evenly over the table: O(1), no thread. In between they are
 * three words on one line.
 *
 *   median    of the latency estimates. Where a newcomer starts, where a stale
 *             estimate fades to. Of an even number the lower middle: with one
 *             of two endpoints slow the reference is the fast one. Ejected
 *             endpoints do not count.
 *   p99       of the good answers of late, from a histogram that is halved
 *             when it holds 2000, and holds about 500 to 1000 of a second
 *             (reach.h).
 *   p0        share of requests that healthy endpoints fail (share.h). Over
 *             each of two windows (two minutes; 50 requests an endpoint, but
 *             half a second to 30 s),
 *                 long:  (failed + 0.5) / (ended + 200)
 *                 short: failed / (ended + 20)
 *             and of the two the larger: a clean history makes one failure
 *             weigh much, but when all fail at once, none stands out.
 *   rate      requests that end in a second, decaying over 3 s; at first what
 *             is seen first. A gap of over 5 s in which 50 would have come is
 *             no gap in the requests: the clock has jumped, or the caller
 *             slept. Then the rate stays, and what began before is not timed.
 *   suspect   5 % of the mean time between failures of a healthy endpoint,
 *             20 ms to 1.5 s: keeping an endpoint back that long after each
 *             failure costs at most 5 % of the capacity, whatever the rate of
 *             random failures.
 *   reach     aperture, patience and what many endpoints have in common
 *             (reach.h).
 *   trials    a budget (trials.h).
 *   overload  those that are left suffer from the ejections, or have no room
 *             for everything (overload.h).
 *   served    requests that an endpoint has of late (survey.h).
 *   longlived what a request that is in flight for long counts as, in the load
 *             and in what is in flight in the mean (signal/longlived.h).
 *
 * Who hangs is looked for at the same time (sweep.h).
 */
#ifndef ILB_HEALTH_POOL_H
#define ILB_HEALTH_POOL_H

#include "base/clock.h"
#include "base/histogram.h"
#include "health/eject.h"
#include "health/probe.h"
#include "health/queue.h"
#include "health/reach.h"
#include "health/sweep.h"
#include "health/trials.h"

typedef struct ilb__pool {
    /* What every request reads. */
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 refreshed_ns; /* 0: never */
    ilb__figures_words figures; /* made of the following */

    ilb__a64 latency;  /* median and p99: two floats */
    ilb__a64 failures; /* p0, a float, and suspect in units of 2^20 ns */
    ilb__a64 reach;    /* reach.h */
    ilb__a64 steps;    /* ilb__evidence_steps */
    ilb__a64 rate;     /* rate and in flight: two floats */
    ilb__a64 calm;     /* in flight an endpoint, and latency, when few were
                          ejected: two floats */
    ilb__queue queue;  /* of those that are left when many are ejected */
    ilb__a64 round;    /* refreshes so far */
    ilb__a64 trials;   /* trials.h */
    ilb__peaks_of_all peaks;
    ilb__a64 jumped_ns; /* where the clock stood after its last jump */
    ilb__a64 steady_ns; /* since when refreshes come in time */
    ilb__a64 served;    /* that, and what a long-lived request counts as: two
                           floats */
    _Alignas(ILB_CACHELINE_BYTES) ilb__histogram answers;
} ilb__pool;

ILB_INTERNAL void ilb__pool_init(ilb__pool *p);

static inline void ilb__pool_figures(const ilb__pool *p, ilb__figures *f)
{
    ilb__figures_read(&p->figures, f);
}

/* Requests that an endpoint has of late, for each unit of its weight. */
ILB_INTERNAL float ilb__pool_served(const ilb__pool *p);

/* A good answer, the `count`-th of its endpoint. The first of all stands for
 * the median until the next refresh. */
ILB_INTERNAL void ilb__pool_good(ilb__pool *p, uint64_t sample_ns,
                                 uint64_t count);

/* Is it time to refresh, `period_ns` after the last time? Not when that was a
 * little later, by another thread's clock. */
static inline bool ilb__pool_due(const ilb__pool *p, uint64_t period_ns,
                                 uint64_t now_ns)
{
    uint64_t since_ns = now_ns - ilb__load_relaxed(&p->refreshed_ns);

    return ILB_UNLIKELY(since_ns >= period_ns) &&
           since_ns <= UINT64_MAX - ILB_CLOCK_SKEW_NS;
}

#define ILB_POOL_PERIOD_NS (100 * ILB_MS_NS)

/* A refresh that is so late may be a clock that has jumped. */
#define ILB_POOL_LATE_NS (5 * ILB_SECOND_NS)

/* Refreshes; one of several callers does. `failed`: because a request just
 * did, so sooner: 10 ms after the last time. */
ILB_INTERNAL void ilb__pool_refresh(ilb__pool *p, ilb__judge *j,
                                    ilb__slot *slots, const ilb__view *view,
                                    bool failed, uint64_t now_ns);

#endif
