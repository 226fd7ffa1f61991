/* SPDX-License-Identifier: MIT */
/*
 * Time. Outside it is the caller's: his clock, or what he hands in. Inside it
 * never goes back by more than callers' clocks may differ (two threads that
 * read the clock, one after the other, and come here the other way round):
 *
 *     inside = outside + ahead
 *
 * `ahead` grows by what the clock is found to have gone back, so that no time
 * has passed: what was learned is as old as before, and an ejection has as long
 * to go. So nobody inside has to ask whether a stamp is of the future. Only the
 * clock can say that it went back: a caller who hands in an old time, of an
 * answer that has waited in a queue, is taken to be as late as callers' clocks
 * may differ. A clock that jumps forward cannot be told from a caller who
 * slept; health/pool.h deals with it.
 */
#ifndef ILB_BASE_CLOCK_H
#define ILB_BASE_CLOCK_H

#include "base/atomics.h"

/* How far callers' clocks may differ; more is a clock that went back. */
#define ILB_CLOCK_SKEW_NS (2 * ILB_SECOND_NS)

typedef struct ilb__time {
    ilb_clock clock_ns;
    void *user;
    ilb__a64 ahead_ns;
} ilb__time;

/* CLOCK_MONOTONIC in nanoseconds; an ilb_clock. */
ILB_INTERNAL uint64_t ilb__clock_monotonic_ns(void *user);

/* `outside_ns` is further behind `last_ns`, which is inside, than it can be:
 * the clock went back, so that no time has passed; or it is an old time. */
ILB_INTERNAL uint64_t ilb__time_behind(ilb__time *t, uint64_t outside_ns,
                                       uint64_t last_ns);

/* The time inside; `outside_ns` 0: asks the clock. `last_ns`: some time inside
 * that has been, the later the better; 0: none. */
static inline uint64_t ilb__time_inside(ilb__time *t, uint64_t outside_ns,
                                        uint64_t last_ns)
{
    uint64_t now_ns;

    if (outside_ns == 0)
        outside_ns = t->clock_ns(t->user);
    now_ns = outside_ns + ilb__load_relaxed(&t->ahead_ns);
    if (ILB_UNLIKELY(now_ns < last_ns) && last_ns - now_ns > ILB_CLOCK_SKEW_NS)
        return ilb__time_behind(t, outside_ns, last_ns);
    return now_ns;
}

/* The same time outside. 0, which is no time, and UINT64_MAX, never, are the
 * same on both sides. */
static inline uint64_t ilb__time_outside(const ilb__time *t, uint64_t inside_ns)
{
    uint64_t ahead_ns = ilb__load_relaxed(&t->ahead_ns);

    if (inside_ns == 0 || inside_ns == UINT64_MAX)
        return inside_ns;
    return inside_ns > ahead_ns ? inside_ns - ahead_ns : 1;
}

#endif
