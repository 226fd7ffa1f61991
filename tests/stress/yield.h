/* SPDX-License-Identifier: MIT */
/*
 * Threads that lose their turn in the middle of things.
 *
 * Where the library is built with -DILB_YIELD, each of its atomic steps
 * (base/atomics.h) first asks ilb__yield, which lets the thread go on at once,
 * or a moment later, or after the others had their turn: as its own random
 * numbers say. Else a thread is hardly ever stopped between two steps; here it
 * happens hundreds of thousands of times a second.
 */
#ifndef ILB_STRESS_YIELD_H
#define ILB_STRESS_YIELD_H

#include <stdint.h>

#ifdef ILB_YIELD

/* The library's hook. */
void ilb__yield(void);

/* The calling thread's random numbers begin here. */
void stress_yield_seed(uint64_t seed);

/* How often all threads were held up; a thread tells every 1024th time. */
uint64_t stress_yield_count(void);

#else

static inline void stress_yield_seed(uint64_t seed)
{
    (void)seed;
}

static inline uint64_t stress_yield_count(void)
{
    return 0;
}

#endif

#endif
