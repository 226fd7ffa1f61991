/* SPDX-License-Identifier: MIT */
/*
 * Time. Outside it is the caller's: his clock, or what he hands in. Inside it
 * never goes back by more than callers' clocks may differ (two threads that
 * read the clock, one after the other, and come here the other way round):
 *
 *     inside = outside + ahead        (modulo 2^64)
 *
 * `ahead` changes by what the clock is found to have gone back, so that no time
 * has passed: what was learned is as old as before, and an ejection has as long
 * to go. So nobody inside has to ask whether a stamp is of the future. The same
 * if the clock leaps ahead by over a year, which no caller slept, and it begins
 * in its first two years whatever the clock shows: so no reading, however
 * absurd, takes it near the end of its range, where it would stand still.
 *
 * Only the clock can say that it went back or leapt: a time that is handed in
 * is believed if it is not further behind the last one that is known, nor ahead
 * of what the clock showed when it was asked, than callers' clocks may differ.
 * So it is asked once in that time. If the time that is handed in is
 *
 *     further ahead of the clock than that, another clock's, or read before the
 *     clock went back, it counts as the clock's;
 *
 *     older than what is known by more than that, as of an answer that has
 *     waited in a queue, it is as late as they may differ, and not more, so
 *     that time goes on even if all that comes is old.
 *
 * A clock that jumps forward by less cannot be told from a caller who slept;
 * health/pool.h deals with it.
 */
#ifndef ILB_BASE_CLOCK_H
#define ILB_BASE_CLOCK_H

#include "base/atomics.h"

/* How far callers' clocks may differ; more is a clock that went back. */
#define ILB_CLOCK_SKEW_NS (2 * ILB_SECOND_NS)

/* A leap of the clock that is no time; time inside begins before it. */
#define ILB_CLOCK_LEAP_NS (365 * 24 * 3600 * ILB_SECOND_NS)

/* So much time may pass until it is noted. */
#define ILB_CLOCK_NOTED_NS (10 * ILB_MS_NS)

typedef struct ilb__time {
    ilb_clock clock_ns;
    void *user;
    ilb__a64 ahead_ns;
    ilb__a64 last_ns;  /* inside: the last time that is known; 0: none yet */
    ilb__a64 asked_ns; /* inside: where the clock was when it was asked */
} ilb__time;

/* CLOCK_MONOTONIC in nanoseconds; an ilb_clock. */
ILB_INTERNAL uint64_t ilb__clock_monotonic_ns(void *user);

/* The same of a time that is not soon after the last one. It may be of the
 * clock, just read, as well. */
ILB_COLD ILB_INTERNAL uint64_t ilb__time_check(ilb__time *t,
                                               uint64_t outside_ns);

/* The time inside; `outside_ns` 0: asks the clock. */
static inline uint64_t ilb__time_inside(ilb__time *t, uint64_t outside_ns)
{
    uint64_t now_ns;

    if (outside_ns == 0)
        outside_ns = t->clock_ns(t->user);
    now_ns = outside_ns + ilb__load_relaxed(&t->ahead_ns);
    if (ILB_UNLIKELY(now_ns - ilb__load_relaxed(&t->last_ns) >
                     ILB_CLOCK_NOTED_NS))
        return ilb__time_check(t, outside_ns);
    return now_ns;
}

/* The same time outside; `now_ns` is inside, and the clock was there of late.
 * 0, which is no time, and UINT64_MAX, never, are the same on both sides; what
 * was before the clock began was in its first moment. */
static inline uint64_t ilb__time_outside(const ilb__time *t, uint64_t inside_ns,
                                         uint64_t now_ns)
{
    uint64_t outside_ns = now_ns - ilb__load_relaxed(&t->ahead_ns);

    if (inside_ns == 0 || inside_ns == UINT64_MAX)
        return inside_ns;
    if (inside_ns >= now_ns)
        return ilb__later_ns(outside_ns, inside_ns - now_ns);
    return outside_ns > now_ns - inside_ns ? outside_ns - (now_ns - inside_ns)
                                           : 1;
}

#endif
