/* SPDX-License-Identifier: MIT */
/* See yield.h. */
#define _POSIX_C_SOURCE 200809L
#include <sched.h>
#include <stdatomic.h>

#include "yield.h"

/* One step in so many gives the processor away; one in so many waits, most
 * often for a moment, and up to as long as an update takes. */
#define YIELD_ONE_IN 8192
#define YIELD_WAIT_ONE_IN 64
#define YIELD_WAIT_BITS 14
#define YIELD_TELL 1024

static _Thread_local uint64_t yield_state = 88172645463325252u;
static _Thread_local uint64_t yield_own;
static _Atomic uint64_t yield_all;

void stress_yield_seed(uint64_t seed)
{
    yield_state = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
}

uint64_t stress_yield_count(void)
{
    return atomic_load_explicit(&yield_all, memory_order_relaxed);
}

/* Marsaglia's xorshift. */
static uint32_t yield_random(void)
{
    yield_state ^= yield_state << 13;
    yield_state ^= yield_state >> 7;
    yield_state ^= yield_state << 17;
    return (uint32_t)(yield_state >> 32);
}

/* Nothing here orders memory: that would hide what is to be found. */
static void yield_wait(uint32_t n)
{
    for (volatile uint32_t i = 0; i < n; i++)
        continue;
}

void ilb__yield(void)
{
    uint32_t bits = yield_random();

    if (bits % YIELD_ONE_IN == 0)
        (void)sched_yield();
    else if (bits % YIELD_WAIT_ONE_IN == 1)
        yield_wait(UINT32_C(1) << ((bits >> 16) % YIELD_WAIT_BITS));
    else
        return;
    if (++yield_own % YIELD_TELL == 0)
        atomic_fetch_add_explicit(&yield_all, YIELD_TELL, memory_order_relaxed);
}
