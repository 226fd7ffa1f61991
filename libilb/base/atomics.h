/* SPDX-License-Identifier: MIT */
/*
 * Atomic words with the memory order in the name of each operation, so that a
 * reader sees at the call what is ordered; all other orders than relaxed say
 * at the call what they pair with and why (tests/check_atomics.py). What they
 * are for is proved in the small, and each shown to be needed or not, by
 * tests/model (docs/proof.md).
 *
 * Relaxed is enough wherever a word stands for itself: counters, estimates,
 * states. What publishes other memory: the table's version (set/table.c), the
 * return of a slot's last ticket (signal/load.c), the user pointer of an
 * endpoint and its address (set/set.c), and events (observe/events.c).
 */
#ifndef ILB_BASE_ATOMICS_H
#define ILB_BASE_ATOMICS_H

#include <stdatomic.h>

#include "base/internal.h"

typedef _Atomic uint64_t ilb__a64;
typedef _Atomic uint32_t ilb__a32;
typedef _Atomic uint8_t ilb__a8;
typedef _Atomic(void *) ilb__apointer;

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must be lock-free");
_Static_assert(sizeof(ilb__a64) == 8, "an atomic word is a plain word");

/* For tests only: who defines ILB_YIELD links an ilb__yield of his own, which
 * may stop the thread a moment before any step (tests/stress/yield.c). */
#ifdef ILB_YIELD
void ilb__yield(void);
#define ILB_BEFORE_STEP() ilb__yield()
#else
#define ILB_BEFORE_STEP() ((void)0)
#endif

static inline uint64_t ilb__load_relaxed(const ilb__a64 *a)
{
    ILB_BEFORE_STEP();
    return atomic_load_explicit(a, memory_order_relaxed);
}

static inline uint64_t ilb__load_acquire(const ilb__a64 *a)
{
    ILB_BEFORE_STEP();
    return atomic_load_explicit(a, memory_order_acquire);
}

static inline void ilb__store_relaxed(ilb__a64 *a, uint64_t v)
{
    ILB_BEFORE_STEP();
    atomic_store_explicit(a, v, memory_order_relaxed);
}

static inline void ilb__store_release(ilb__a64 *a, uint64_t v)
{
    ILB_BEFORE_STEP();
    atomic_store_explicit(a, v, memory_order_release);
}

/* Adds and returns the value before. */
static inline uint64_t ilb__add_relaxed(ilb__a64 *a, uint64_t v)
{
    ILB_BEFORE_STEP();
    return atomic_fetch_add_explicit(a, v, memory_order_relaxed);
}

static inline uint64_t ilb__sub_relaxed(ilb__a64 *a, uint64_t v)
{
    ILB_BEFORE_STEP();
    return atomic_fetch_sub_explicit(a, v, memory_order_relaxed);
}

/* Takes what is there and leaves 0. */
static inline uint64_t ilb__take_relaxed(ilb__a64 *a)
{
    ILB_BEFORE_STEP();
    return atomic_exchange_explicit(a, 0, memory_order_relaxed);
}

static inline uint64_t ilb__add_release(ilb__a64 *a, uint64_t v)
{
    ILB_BEFORE_STEP();
    return atomic_fetch_add_explicit(a, v, memory_order_release);
}

/* True if *a was *expected and is now v; else *expected is what *a is. */
static inline bool ilb__cas_relaxed(ilb__a64 *a, uint64_t *expected, uint64_t v)
{
    ILB_BEFORE_STEP();
    return atomic_compare_exchange_weak_explicit(
        a, expected, v, memory_order_relaxed, memory_order_relaxed);
}

static inline bool ilb__cas_release(ilb__a64 *a, uint64_t *expected, uint64_t v)
{
    ILB_BEFORE_STEP();
    return atomic_compare_exchange_weak_explicit(
        a, expected, v, memory_order_release, memory_order_relaxed);
}

static inline bool ilb__cas_acq_rel(ilb__a64 *a, uint64_t *expected, uint64_t v)
{
    ILB_BEFORE_STEP();
    return atomic_compare_exchange_weak_explicit(
        a, expected, v, memory_order_acq_rel, memory_order_acquire);
}

/* As the others, but never fails by chance: for a single try. */
static inline bool ilb__cas_strong_acq_rel(ilb__a64 *a, uint64_t expected,
                                           uint64_t v)
{
    ILB_BEFORE_STEP();
    return atomic_compare_exchange_strong_explicit(
        a, &expected, v, memory_order_acq_rel, memory_order_relaxed);
}

static inline bool ilb__cas_strong_release(ilb__a64 *a, uint64_t expected,
                                           uint64_t v)
{
    ILB_BEFORE_STEP();
    return atomic_compare_exchange_strong_explicit(
        a, &expected, v, memory_order_release, memory_order_relaxed);
}

static inline bool ilb__cas_strong_relaxed(ilb__a64 *a, uint64_t expected,
                                           uint64_t v)
{
    ILB_BEFORE_STEP();
    return atomic_compare_exchange_strong_explicit(
        a, &expected, v, memory_order_relaxed, memory_order_relaxed);
}

static inline uint32_t ilb__load32_relaxed(const ilb__a32 *a)
{
    ILB_BEFORE_STEP();
    return atomic_load_explicit(a, memory_order_relaxed);
}

static inline void ilb__store32_relaxed(ilb__a32 *a, uint32_t v)
{
    ILB_BEFORE_STEP();
    atomic_store_explicit(a, v, memory_order_relaxed);
}

static inline uint32_t ilb__add32_relaxed(ilb__a32 *a, uint32_t v)
{
    ILB_BEFORE_STEP();
    return atomic_fetch_add_explicit(a, v, memory_order_relaxed);
}

static inline uint32_t ilb__sub32_relaxed(ilb__a32 *a, uint32_t v)
{
    ILB_BEFORE_STEP();
    return atomic_fetch_sub_explicit(a, v, memory_order_relaxed);
}

static inline bool ilb__cas32_relaxed(ilb__a32 *a, uint32_t *expected,
                                      uint32_t v)
{
    ILB_BEFORE_STEP();
    return atomic_compare_exchange_weak_explicit(
        a, expected, v, memory_order_relaxed, memory_order_relaxed);
}

static inline bool ilb__cas32_strong_relaxed(ilb__a32 *a, uint32_t expected,
                                             uint32_t v)
{
    ILB_BEFORE_STEP();
    return atomic_compare_exchange_strong_explicit(
        a, &expected, v, memory_order_relaxed, memory_order_relaxed);
}

static inline uint8_t ilb__load8_relaxed(const ilb__a8 *a)
{
    ILB_BEFORE_STEP();
    return atomic_load_explicit(a, memory_order_relaxed);
}

static inline void ilb__store8_relaxed(ilb__a8 *a, uint8_t v)
{
    ILB_BEFORE_STEP();
    atomic_store_explicit(a, v, memory_order_relaxed);
}

static inline bool ilb__cas8_relaxed(ilb__a8 *a, uint8_t expected, uint8_t v)
{
    ILB_BEFORE_STEP();
    return atomic_compare_exchange_strong_explicit(
        a, &expected, v, memory_order_relaxed, memory_order_relaxed);
}

static inline void *ilb__load_pointer_acquire(const ilb__apointer *a)
{
    ILB_BEFORE_STEP();
    return atomic_load_explicit(a, memory_order_acquire);
}

static inline void ilb__store_pointer_release(ilb__apointer *a, void *v)
{
    ILB_BEFORE_STEP();
    atomic_store_explicit(a, v, memory_order_release);
}

/* Keeps the order of the program, for another process that goes on where this
 * one was killed: what it did before that it has done, whatever the memory is.
 * It costs nothing but what the compiler could have moved. */
static inline void ilb__fence_killed(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void ilb__fence_acquire(void)
{
    ILB_BEFORE_STEP();
    atomic_thread_fence(memory_order_acquire);
}

static inline void ilb__fence_release(void)
{
    ILB_BEFORE_STEP();
    atomic_thread_fence(memory_order_release);
}

#endif
