/* SPDX-License-Identifier: MIT */
/*
 * For how long an endpoint has been asked in vain, by requests that were given
 * up: cancelled, or timed out. What is still in flight is in signal/load.h.
 *
 * The time is that of the union of these requests, since the endpoint was last
 * heard of: ten that were in flight together for a second are a second.
 *
 *   bits  0..15  the time, in 2^20 ns (about a millisecond), up to 68 s
 *   bits 16..23  requests; 255: or more
 *   bits 24..63  when the last one was given up, in 2^16 ns, on a circle
 *
 * Nothing is written when an endpoint is heard of: whoever reads says when that
 * was (health/sweep.h), and what is older does not count.
 */
#ifndef ILB_SIGNAL_SILENCE_H
#define ILB_SIGNAL_SILENCE_H

#include "base/atomics.h"

typedef struct ilb__silence {
    uint64_t asked_ns;
    uint64_t last_ns; /* since the last was given up */
    uint32_t n;       /* requests; 0: none since it was heard of */
} ilb__silence;

/* Since it was heard of, `quiet_ns` ago. */
ILB_INTERNAL ilb__silence ilb__silence_read(const ilb__a64 *word,
                                            uint64_t quiet_ns, uint64_t now_ns);

/* A request is given up that has waited for so long; the endpoint was heard of
 * `quiet_ns` ago. */
ILB_INTERNAL void ilb__silence_add(ilb__a64 *word, uint64_t waited_ns,
                                   uint64_t quiet_ns, uint64_t now_ns);

#endif
