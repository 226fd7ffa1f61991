/* SPDX-License-Identifier: MIT */
/*
 * How many requests of an endpoint ended of late, and how many of those
 * failed, in two windows: a long one of about two minutes and a short one of
 * half a second. Both decay exponentially.
 *
 * ilb_done only counts; whoever does the pool's maintenance brings the windows
 * up to date from what the counters have moved on since (pool.h). `seen` is
 * where the counters stood then: requests in the low, failures in the high
 * half. A window is two floats: requests in the low, failures in the high
 * half. One thread at a time writes; a reader sees one of its states.
 */
#ifndef ILB_SIGNAL_WINDOW_H
#define ILB_SIGNAL_WINDOW_H

#include "base/atomics.h"

typedef struct ilb__window {
    ilb__a64 seen;
    ilb__a64 long_term;
    ilb__a64 short_term;
} ilb__window;

typedef struct ilb__tally {
    float ended;
    float failed;
} ilb__tally;

/* Decays both windows by the factors given, then adds what the counters,
 * which stand at `ended` and `failed`, have moved on. Returns how many have
 * ended since. */
ILB_INTERNAL uint32_t ilb__window_bring(ilb__window *w, uint32_t ended,
                                        uint32_t failed, float keep_long,
                                        float keep_short);

ILB_INTERNAL ilb__tally ilb__window_long(const ilb__window *w);
ILB_INTERNAL ilb__tally ilb__window_short(const ilb__window *w);

/* Nothing seen yet; the counters begin at 0. */
ILB_INTERNAL void ilb__window_reset(ilb__window *w);

#endif
