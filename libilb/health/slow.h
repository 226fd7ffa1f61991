/* SPDX-License-Identifier: MIT */
/*
 * The detector of latency: who is much slower than its peers for long
 * (signal/slowness.h has the sum and its meaning) is ejected at 16 nats, eight
 * answers at least, no two of them in flight together, over
 * base_ejection_time_ns at least: to eject for longer than the trouble lasts
 * would cost more than it. At half of that, in any time, if it was ejected of
 * late; and at up to 8 nats more by the share of endpoints that are ejected
 * (detectors.h).
 *
 * Nobody is ejected for being slow
 *   - as long as it may be warming up: for a minute after it came, or came back
 *     from another ejection; for ten seconds if it came with the first list, as
 *     it has most likely been there before its caller;
 *   - while the others need it, slow as it is (capacity.h,
 *     ILB_REASON_CAPACITY): while it has a tenth of the requests, for its
 *     weight, that an endpoint has. Where endpoints are chosen by what they
 *     cost (peak_ewma) one that takes k times as long has about a share of 1/k
 *     of the others' where all are busy, and of 1/k^2 where they are not; a
 *     tenth parts the two from k = 4 on. The other policies do not look at
 *     latency: their shares say nothing;
 *   - while the others suffer from the ejections that there are (pool.h),
 *     ILB_REASON_CAPACITY as well.
 *
 * It returns by a probe, whose answer must not take longer than
 * max(2 m, m + margin).
 *
 * (The score avoids a slow endpoint by itself, sooner. The ejection is for
 * policies that do not look at latency, tells others, and tries it once in a
 * while instead of whenever all others are busy.)
 */
#ifndef ILB_HEALTH_SLOW_H
#define ILB_HEALTH_SLOW_H

#include "health/eject.h"

/* A request that is over, as this detector sees it. */
typedef struct ilb__ended {
    uint64_t waited_ns; /* as one of ordinary cost */
    uint64_t began_ns;
    bool answered, probe;
    float served; /* ilb__survey_served */
    uint32_t n_ready;
    uint32_t bits; /* random ones, for the jitter */
} ilb__ended;

/* True: it was the probe of an endpoint that must be fast, and was not: it is
 * ejected again. */
ILB_INTERNAL bool ilb__health_ended(ilb__judge *j, ilb__slot *slot,
                                    const ilb__ended *e, const ilb__figures *f,
                                    uint64_t now_ns);

#endif
