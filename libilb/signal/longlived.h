/* SPDX-License-Identifier: MIT */
/*
 * Requests that are in flight to an endpoint for long: long polls, watches,
 * streams, downloads. Each is load, but less than it seems: most of them wait.
 *
 * Counted (signal/epochs.h) by turns of max(30 median, 1 s) at least
 * (ilb__figures_longlived_ns), which the sweep makes (health/sweep.h). In the
 * load q of an endpoint (select/score.h) one of them counts as
 *
 *     1 / (8 + Q)      Q: how many an endpoint has in the mean
 *
 * of a request: one does not keep short ones away from an endpoint that is idle
 * otherwise, and all of them together are less than one, however many there
 * are. With full weight, the cost L (1 + q) of endpoints that have a hundred
 * each would differ by what their latency differs times a hundred, and the
 * short requests would all queue where L is a little less. Without any, jobs
 * that are long because they work would gather by chance. Where we differ:
 * everyone else counts them in full (least request, peak EWMA: Finagle, Envoy,
 * gRPC).
 *
 * What a caller says a request costs (signal/cost.h) is taken as he says it.
 */
#ifndef ILB_SIGNAL_LONGLIVED_H
#define ILB_SIGNAL_LONGLIVED_H

#include "signal/epochs.h"

/* A few count as if there were so many. */
#define ILB_LONGLIVED_FEW 8.0f

/* What one counts as, where an endpoint has `mean` of them. */
static inline float ilb__longlived_weight(float mean)
{
    return 1 / (ILB_LONGLIVED_FEW + mean);
}

/* How many there are, of `in_flight`; `lost` are no load already. */
static inline uint32_t ilb__longlived_n(const ilb__epochs *e,
                                        uint32_t in_flight, uint64_t lost)
{
    uint32_t n = ilb__epochs_n(e);

    if (ILB_LIKELY(n == 0))
        return 0;
    if (n > in_flight)
        n = in_flight;
    return lost < n ? n - (uint32_t)lost : 0;
}

/* Begins the next epoch, if this one is over. `in_flight` there are now. */
static inline void ilb__longlived_turn(ilb__epochs *e, uint32_t in_flight,
                                       float turn_ns, uint64_t now_ns)
{
    uint64_t epoch_ns = ilb__load_relaxed(&e->epoch_ns);

    if ((float)ilb__elapsed_ns(epoch_ns, now_ns) < turn_ns)
        return;
    ilb__epochs_turn(e, epoch_ns, ilb__load32_relaxed(&e->candidates),
                     in_flight, now_ns);
}

#endif
