/* SPDX-License-Identifier: MIT */
/*
 * How far picks look, and what state the set is in, as one word of the pool
 * (pool.h), so that a pick reads all of it at once.
 *
 *   aperture  how many endpoints to use, so that each is heard of often enough
 *             to know it: 12, or as many as get eight requests a second, or
 *             twice as many as are busy, and one more for each that is
 *             ejected. Several callers with few requests each otherwise all act
 *             on what they heard long ago. (Finagle's aperture, by rate of
 *             information instead of load.)
 *   patience  a slow endpoint is tried again once in about 4000 requests, but
 *             within 1 to 30 s.
 *   sampling  above 1000 answers a second only every 2nd, 4th ... of an
 *             endpoint's is put into the histogram.
 *   cold      over a quarter of the endpoints, and more than two, have given no
 *             good answer yet: then a newcomer is nothing out of the ordinary.
 *   on trial  over half of the eligible endpoints, or over a quarter and more
 *             than two, fail or are slow: then it is the load, or what they
 *             share, and to give up requests early makes more of it.
 *   suffer, full  see overload.h.
 *
 *   bits  0..31  aperture; UINT32_MAX: all
 *   bits 32..36  sampling, a shift
 *   bits 37..40  suffer, full, cold, on trial
 *   bits 48..63  patience, in 2^20 ns
 */
#ifndef ILB_HEALTH_REACH_H
#define ILB_HEALTH_REACH_H

#include "health/survey.h"

#define ILB_REACH_SAMPLING_SHIFT 32
#define ILB_REACH_SUFFER (UINT64_C(1) << 37)
#define ILB_REACH_FULL (UINT64_C(1) << 38)
#define ILB_REACH_COLD (UINT64_C(1) << 39)
#define ILB_REACH_ON_TRIAL (UINT64_C(1) << 40)
#define ILB_REACH_PATIENCE_SHIFT 48

/* Before anything is known. */
ILB_INTERNAL uint64_t ilb__reach_unknown(void);

/* Of `n` endpoints, `n_ejected` of them; without suffer and full. */
ILB_INTERNAL uint64_t ilb__reach_word(const ilb__survey *k, uint32_t n,
                                      uint32_t n_ejected, float rate_per_s);

static inline uint32_t ilb__reach_aperture(uint64_t word)
{
    return (uint32_t)word;
}

/* One answer in 2 to the power of this. */
static inline uint32_t ilb__reach_sampling(uint64_t word)
{
    return (uint32_t)(word >> ILB_REACH_SAMPLING_SHIFT) & 31;
}

static inline float ilb__reach_patience_ns(uint64_t word)
{
    return (float)((word >> ILB_REACH_PATIENCE_SHIFT) << 20);
}

#endif
