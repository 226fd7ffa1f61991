/* SPDX-License-Identifier: MIT */
/*
 * What requests cost their endpoint, where the caller knows.
 *
 * Unit: 1/256 of an ordinary request. An endpoint's requests in flight are
 * counted one by one (signal/load.h); `extra` is the sum, over those in flight,
 * of cost - 1, so that its load is in_flight + extra. It is 0, and not written,
 * where all requests are ordinary, and comes back to exactly 0 with them. Below
 * 0 it is a two's complement number.
 *
 * A request of cost c that took x says what one of cost 1 would have taken:
 *
 *     c >= 1:  x / c
 *     c < 1:   x / sqrt(c), the geometric mean of x and x / c
 *
 * as the network and what else is the same for all is most of a cheap one's
 * time: x / c would take whoever answers those for slow. Nobody knows where
 * between the two it is; the mean is off by sqrt(c) at most either way. One
 * that has waited for x in vain says x / c, or x if c < 1: not less.
 *
 * (AWS and Envoy weigh requests in flight so, by LLM tokens for instance;
 * neither corrects the latency.)
 */
#ifndef ILB_SIGNAL_COST_H
#define ILB_SIGNAL_COST_H

#include "base/atomics.h"

#define ILB_COST_ONE 256u
#define ILB_COST_LIMIT (UINT32_C(1) << 20) /* all costs are below */

static inline bool ilb__cost_ok(double cost)
{
    return cost == 0 || (cost >= ILB_COST_MIN && cost <= ILB_COST_MAX);
}

/* `cost` is ok. */
static inline uint32_t ilb__cost_of(double cost)
{
    return cost == 0 ? ILB_COST_ONE
                     : (uint32_t)(cost * (double)ILB_COST_ONE + 0.5);
}

static inline void ilb__cost_take(ilb__a64 *extra, uint32_t cost)
{
    if (ILB_UNLIKELY(cost != ILB_COST_ONE))
        ilb__add_relaxed(extra, (uint64_t)cost - ILB_COST_ONE);
}

static inline void ilb__cost_return(ilb__a64 *extra, uint32_t cost)
{
    if (ILB_UNLIKELY(cost != ILB_COST_ONE))
        ilb__add_relaxed(extra, ILB_COST_ONE - (uint64_t)cost);
}

/* In ordinary requests; not below 0, also while both counts move. */
static inline float ilb__cost_load(const ilb__a64 *extra, uint32_t in_flight)
{
    uint64_t e = ilb__load_relaxed(extra);
    float q;

    if (ILB_LIKELY(e == 0))
        return (float)in_flight;
    q = (float)in_flight + (float)(int64_t)e / (float)ILB_COST_ONE;
    return q > 0 ? q : 0;
}

/* x for which x x = y, for y from 1 to ILB_COST_ONE: Newton's method, right to
 * 1e-9. */
static inline double ilb__cost_root(double y)
{
    double x = 4;

    for (int i = 0; i < 7; i++)
        x = (x + y / x) / 2;
    return x;
}

/* What an ordinary request would have taken. */
static inline uint64_t ilb__cost_ordinary_ns(uint64_t ns, uint32_t cost)
{
    double times;

    if (ILB_LIKELY(cost == ILB_COST_ONE))
        return ns;
    times = (double)ILB_COST_ONE / (double)cost;
    return (uint64_t)((double)ns * (times > 1 ? ilb__cost_root(times) : times));
}

/* What it would have waited at least, where this one did so in vain. */
static inline uint64_t ilb__cost_waited_ns(uint64_t ns, uint32_t cost)
{
    return cost < ILB_COST_ONE ? ns : ilb__cost_ordinary_ns(ns, cost);
}

#endif
