/* SPDX-License-Identifier: MIT */
/*
 * The yardstick: two choices and a peak EWMA, as everyone writes it.
 *
 * A pick draws two different entries, takes the one with the lower
 *
 *     ewma x exp(-age / tau) x (in flight + 1)
 *
 * and counts it in flight. A done takes the latency for the new average if it
 * is higher, else blends it in by exp(-age / tau). Relaxed atomics, no lock: of
 * two threads that are done at once one update is lost. It knows no failures,
 * no ejections, no changes of the set and trusts its caller with everything.
 */
#ifndef BENCH_NAIVE_H
#define BENCH_NAIVE_H

#include <stdint.h>

typedef struct naive_set naive_set;

typedef struct naive_ticket {
    uint64_t picked_ns;
    uint32_t index;
} naive_ticket;

naive_set *naive_new(uint32_t n); /* at least 2 */
void naive_free(naive_set *s);

/* now_ns 0: it reads the clock. */
void naive_pick(naive_set *s, naive_ticket *t, uint64_t now_ns);
void naive_done(naive_set *s, const naive_ticket *t, uint64_t now_ns);

#endif
