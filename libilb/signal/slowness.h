/* SPDX-License-Identifier: MIT */
/*
 * Evidence that an endpoint is slower than its peers: the cumulative sum of
 * signal/evidence.h, with slow answers for failures. Slow is what took more
 * than
 *
 *     S = max(3 m, m + margin)        m: the median of all endpoints, which
 *                                     has their queues in it; the margin is an
 *                                     option, 20 ms
 *
 * and where healthy peers' answers are slow in a share s0 (health/pool.h),
 *
 *     slow answer:      + ln(0.5 / s0)
 *     ordinary answer:  - ln((1 - s0) / 0.5),   not below 0
 *
 * So it grows for an endpoint of whose answers more than about half are slow,
 * and heavy requests, which are slow everywhere, are no evidence. A request
 * that got no answer in that time, as its caller gave up, is slow as well.
 *
 * What was in flight together is one observation: a slow answer counts only if
 * its request began after the last one that counted had ended. So one stop,
 * whatever it holds up, adds once.
 *
 *   bits  0..15  the sum, in 1/256
 *   bits 16..23  how many slow answers it is made of; 255: or more
 *   bits 24..63  when the last of them ended, in 2^16 ns
 *
 * The word of an endpoint that is not slow is 0 and is not written.
 */
#ifndef ILB_SIGNAL_SLOWNESS_H
#define ILB_SIGNAL_SLOWNESS_H

#include "signal/figures.h"

typedef struct ilb__slowness {
    uint32_t sum; /* in 1/256 */
    uint32_t n;   /* slow answers that it is made of */
} ilb__slowness;

/* A slow answer, or none, to a request that began then. False: it was in flight
 * together with the last one. Else *s is the sum with this one. */
ILB_INTERNAL bool ilb__slowness_add(ilb__a64 *word, const ilb__figures *f,
                                    uint64_t began_ns, uint64_t now_ns,
                                    ilb__slowness *s);

/* An ordinary answer. */
ILB_INTERNAL void ilb__slowness_less(ilb__a64 *word, const ilb__figures *f);

/* The same, at no cost where there is nothing. */
static inline void ilb__slowness_good(ilb__a64 *word, const ilb__figures *f)
{
    if (ILB_UNLIKELY(ilb__load_relaxed(word) != 0))
        ilb__slowness_less(word, f);
}

#endif
