/* SPDX-License-Identifier: MIT */
/*
 * How many endpoints may be ejected at the same time, of n that are ready:
 *
 *     at most max_ejection_percent of n, rounded down, but one if n >= 2;
 *     at most n - min_endpoints.
 *
 * A place is reserved before a state changes, by a CAS that refuses to go above
 * that: so both hold at any moment, however many threads and detectors eject at
 * once. What may be short of the truth is n: an update that makes the set
 * smaller is followed by ilb__health_enforce_cap.
 *
 * min_endpoints is 1 by default: the last is never ejected. A balancer that
 * fails closed wants to be able to: there it is 0.
 *
 * Panic is Envoy's word: fewer than panic_threshold_percent of the ready
 * endpoints are left. It asks the same count.
 */
#ifndef ILB_HEALTH_CAP_H
#define ILB_HEALTH_CAP_H

#include "health/health.h"

ILB_INTERNAL uint32_t ilb__cap_of(const ilb__judge *j, uint32_t n_ready);

/* A place for one more. False: there is none. */
ILB_INTERNAL bool ilb__cap_reserve(ilb__judge *j, uint32_t n_ready);

static inline void ilb__cap_release(ilb__judge *j)
{
    ilb__sub32_relaxed(&j->n_ejected, 1);
}

/* Why there was none. */
ILB_INTERNAL ilb_reason ilb__cap_refusal(const ilb__judge *j, uint32_t n_ready);

/* Are fewer left than the threshold, or none? */
ILB_INTERNAL bool ilb__cap_panics(const ilb__judge *j, uint32_t n_ejected,
                                  uint32_t n_ready);

/* The same, in a word for a pick. */
static inline bool ilb__judge_panics(const ilb__judge *j, uint32_t n_ready)
{
    uint32_t n_ejected = ilb__load32_relaxed(&j->n_ejected);

    return ILB_UNLIKELY(n_ejected != 0) &&
           ilb__cap_panics(j, n_ejected, n_ready);
}

#endif
