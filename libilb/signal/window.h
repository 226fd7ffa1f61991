/* SPDX-License-Identifier: MIT */
/*
 * How many requests of an endpoint ended of late, and how many of those
 * failed, in two windows, a long and a short one (health/pool.h says how long).
 * Both decay exponentially.
 *
 * ilb_done only counts; whoever does the pool's maintenance brings the windows
 * up to date from what the counters have moved on since (pool.h). `seen` is
 * where the counters stood then: requests in the low, failures in the high
 * half. A window is two floats: requests in the low, failures in the high
 * half. One thread at a time writes; a reader sees one of its states.
 *
 * `round` is the number of the maintenance that brought it up to date last.
 * Who was not part of the one before has no known length of time behind it:
 * then the windows decay by one step and nothing is added to them.
 */
#ifndef ILB_SIGNAL_WINDOW_H
#define ILB_SIGNAL_WINDOW_H

#include "base/atomics.h"

typedef struct ilb__window {
    ilb__a64 seen;
    ilb__a64 long_term;
    ilb__a64 short_term;
    ilb__a64 round;
} ilb__window;

/* One maintenance: its number, and what it leaves of the windows. */
typedef struct ilb__window_step {
    uint64_t round;
    uint64_t now_ns;
    float keep_long, keep_short;
} ilb__window_step;

typedef struct ilb__tally {
    float ended;
    float failed;
} ilb__tally;

/* Decays both windows, then adds what the counters, which stand at `ended` and
 * `failed`, have moved on. Returns how many have ended since. */
ILB_INTERNAL uint32_t ilb__window_bring(ilb__window *w, uint32_t ended,
                                        uint32_t failed,
                                        const ilb__window_step *step);

ILB_INTERNAL ilb__tally ilb__window_long(const ilb__window *w);
ILB_INTERNAL ilb__tally ilb__window_short(const ilb__window *w);

/* Nothing seen yet; the counters begin at 0. */
ILB_INTERNAL void ilb__window_reset(ilb__window *w);

#endif
