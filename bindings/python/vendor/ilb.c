/* SPDX-License-Identifier: MIT
 *
 * ilb.c: libilb 0.1.0 in one file.
 * Made by build-aux/amalgamate.py from sources 721353428019a446; do not edit.
 *
 * Compile this file with your program, as C11, with ilb.h beside it; link with
 * your system's thread library. Define ILB_STATIC and #include it instead to
 * keep every name inside one file of yours.
 *
 * Copyright (c) 2026 The libilb authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in all
 * copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#if !defined(_DEFAULT_SOURCE) && !defined(_GNU_SOURCE)
#define _DEFAULT_SOURCE 1
#endif
#include "ilb.h"

#define ILB_AMALGAMATION 1
/* ==== libilb/base/error.c ================================================ */
/* What error values mean: three views of the one table in ilb.h. */
/* ==== libilb/base/internal.h ============================================= */
/*
 * What every source file needs: the public header, linkage of internal
 * functions, and a few helpers with no better home.
 *
 * Internal functions are called ilb__noun_verb and marked ILB_INTERNAL on
 * declaration and definition: hidden in the shared library, static where the
 * library is one file.
 */
#ifndef ILB_BASE_INTERNAL_H
#define ILB_BASE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(ILB_AMALGAMATION)
#define ILB_INTERNAL static ILB_UNUSED
#elif defined(__GNUC__)
#define ILB_INTERNAL __attribute__((visibility("hidden")))
#else
#define ILB_INTERNAL
#endif

#if defined(__GNUC__)
#define ILB_LIKELY(x) __builtin_expect(!!(x), 1)
#define ILB_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* A function that an ordinary request does not come to: kept out of its way. */
#define ILB_COLD __attribute__((cold))
#define ILB_PREFETCH(p) __builtin_prefetch(p)
#else
#define ILB_LIKELY(x) (x)
#define ILB_UNLIKELY(x) (x)
#define ILB_COLD
#define ILB_PREFETCH(p) ((void)(p))
#endif

/* Data that different threads write stands this far apart. */
#define ILB_CACHELINE_BYTES 64

#define ILB_MS_NS UINT64_C(1000000)
#define ILB_SECOND_NS UINT64_C(1000000000)

/* Time passed from `from_ns` to `to_ns`; none if the first is of another
 * thread, whose clock is a little ahead. */
static inline uint64_t ilb__elapsed_ns(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

/* A point in time `span_ns` after `at_ns`; the end of time at the most. */
static inline uint64_t ilb__later_ns(uint64_t at_ns, uint64_t span_ns)
{
    return span_ns > UINT64_MAX - at_ns ? UINT64_MAX : at_ns + span_ns;
}

#endif
/* ==== back in libilb/base/error.c */

ILB_API const char *ilb_strerror(int error)
{
    switch (error) {
    case ILB_OK:
        return "success";
#define ILB__ERROR_TEXT(name, value, text)                                          \
    case ILB_E##name:                                                          \
        return text;
        ILB_ERROR_MAP(ILB__ERROR_TEXT)
#undef ILB__ERROR_TEXT
    default:
        return "unknown error";
    }
}

ILB_API const char *ilb_error_name(int error)
{
    switch (error) {
    case ILB_OK:
        return "ILB_OK";
#define ILB__ERROR_NAME(name, value, text)                                          \
    case ILB_E##name:                                                          \
        return "ILB_E" #name;
        ILB_ERROR_MAP(ILB__ERROR_NAME)
#undef ILB__ERROR_NAME
    default:
        return "ILB_E?";
    }
}

ILB_API const char *ilb_version(void)
{
    return ILB_VERSION;
}
/* ==== libilb/base/memory.c =============================================== */
/* See memory.h. */
/* ==== libilb/base/memory.h =============================================== */
/*
 * One block of memory holds a whole balancer: asked for once, so there is one
 * way to run out of it. A first walk over the parts adds up the size, a second
 * one hands them out; both are the same code.
 */
#ifndef ILB_BASE_MEMORY_H
#define ILB_BASE_MEMORY_H

/* Hands out parts of a block, each on its own cache line. With no block yet
 * it only counts. Zero it, or set `base` to continue in a real block. */
typedef struct ilb__arena {
    unsigned char *base; /* cache-line aligned; NULL: count only */
    size_t used_bytes;   /* SIZE_MAX: more than can be addressed */
} ilb__arena;

/* Room for `n` items of `item_bytes`, at a cache line's start; NULL while
 * counting. The block must be as large as the counting walk said. */
ILB_INTERNAL void *ilb__arena_take(ilb__arena *a, size_t n, size_t item_bytes);

/* The allocator to use: the caller's, or calloc and free. */
ILB_INTERNAL ilb_allocator ilb__allocator_or_default(const ilb_allocator *a);

#endif
/* ==== back in libilb/base/memory.c */

#include <stdlib.h>

ILB_INTERNAL void *ilb__arena_take(ilb__arena *a, size_t n, size_t item_bytes)
{
    const size_t line = ILB_CACHELINE_BYTES;
    size_t bytes, at = a->used_bytes;

    if (item_bytes != 0 && n > (SIZE_MAX - line) / item_bytes) {
        a->used_bytes = SIZE_MAX;
        return NULL;
    }
    bytes = (n * item_bytes + line - 1) / line * line;
    if (at > SIZE_MAX - bytes) {
        a->used_bytes = SIZE_MAX;
        return NULL;
    }
    a->used_bytes = at + bytes;
    return a->base == NULL ? NULL : a->base + at;
}

static void *ilb__memory_calloc(size_t bytes, void *user)
{
    (void)user;
    return calloc(1, bytes);
}

static void ilb__memory_free(void *memory, void *user)
{
    (void)user;
    free(memory);
}

ILB_INTERNAL ilb_allocator ilb__allocator_or_default(const ilb_allocator *a)
{
    const ilb_allocator libc = {ilb__memory_calloc, ilb__memory_free, NULL};

    return a == NULL ? libc : *a;
}
/* ==== libilb/base/options.c ============================================== */
/* See options.h. */
/* ==== libilb/base/options.h ============================================== */
/*
 * Structs that callers fill and that grow: each begins with its size.
 *
 *   smaller than the first version's   ILB_EABI: the size was not set
 *   larger than any could ever be      the same, and nothing is read
 *   smaller than ours                  an older caller: the rest is 0
 *   larger than ours                   a newer caller: fine while what we do
 *                                      not know is 0, else ILB_EABI
 */
#ifndef ILB_BASE_OPTIONS_H
#define ILB_BASE_OPTIONS_H

#include <string.h>

/* Is a caller's struct of the very version that is ours? Then it may be read
 * where it is. */
static inline bool ilb__struct_is_ours(const void *from, size_t ours)
{
    size_t theirs;

    memcpy(&theirs, from, sizeof theirs);
    return ILB_LIKELY(theirs == ours);
}

/* Copies a caller's struct into ours of `ours` bytes; `first` is the size of
 * its first version. ILB_OK or ILB_EABI. */
ILB_INTERNAL int ilb__struct_read(void *to, size_t ours, const void *from,
                                  size_t first);

/* A caller's options, defaults put in; every bound is checked here. NULL: all
 * defaults. ILB_OK, ILB_EABI or ILB_EINVAL. */
ILB_INTERNAL int ilb__options_read(ilb_options *to, const ilb_options *from);

/* 1 to `max` printable bytes? */
ILB_INTERNAL bool ilb__text_ok(const char *text, size_t max);

#endif
/* ==== back in libilb/base/options.c */

#include <string.h>

#define ILB__OPTIONS_CAPACITY 1024
#define ILB__OPTIONS_CONSECUTIVE_FAILURES 5
#define ILB__OPTIONS_MAX_EJECTION_PERCENT 100
#define ILB__OPTIONS_BASE_EJECTION_TIME_NS (5 * ILB_SECOND_NS)
#define ILB__OPTIONS_MAX_EJECTION_TIME_NS (120 * ILB_SECOND_NS)
#define ILB__OPTIONS_MIN_ENDPOINTS 1
#define ILB__OPTIONS_UNHEALTHY_THRESHOLD 3
#define ILB__OPTIONS_HEALTHY_THRESHOLD 2
#define ILB__OPTIONS_LATENCY_MARGIN_NS (20 * ILB_MS_NS)
#define ILB__OPTIONS_MAX_RETRY_AFTER_NS (300 * ILB_SECOND_NS)
#define ILB__OPTIONS_EVENT_CAPACITY 256
/* What signal/failures.h can count in a row. */
#define ILB__OPTIONS_FAILURES_MAX 65535
/* No version of a struct will be larger: more is a size that was not set. */
#define ILB__OPTIONS_STRUCT_BYTES_MAX 4096

ILB_INTERNAL int ilb__struct_read(void *to, size_t ours, const void *from,
                                  size_t first)
{
    size_t theirs;

    memcpy(&theirs, from, sizeof theirs);
    if (theirs < first || theirs > ILB__OPTIONS_STRUCT_BYTES_MAX)
        return ILB_EABI;
    for (size_t i = ours; i < theirs; i++)
        if (((const unsigned char *)from)[i] != 0)
            return ILB_EABI;
    memset(to, 0, ours);
    memcpy(to, from, theirs < ours ? theirs : ours);
    memcpy(to, &ours, sizeof ours);
    return ILB_OK;
}

static void ilb__options_default32(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void ilb__options_default64(uint64_t *value, uint64_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static bool ilb__options_detectors_ok(const ilb_options *o)
{
    const uint32_t all = ILB_DETECTOR_BIT(ILB_DETECTOR_COUNT) -
                         ILB_DETECTOR_BIT(ILB_DETECTOR_NONE + 1);

    return ((o->detectors_off | o->detectors_shadow) & ~all) == 0 &&
           (o->detectors_off & o->detectors_shadow) == 0;
}

static int ilb__options_check(const ilb_options *o)
{
    if (ilb_policy_name(o->policy) == NULL || o->capacity > ILB_CAPACITY_MAX ||
        o->max_ejection_percent > 100 ||
        o->base_ejection_time_ns > o->max_ejection_time_ns)
        return ILB_EINVAL;
    if (o->consecutive_failures > ILB__OPTIONS_FAILURES_MAX &&
        o->consecutive_failures != ILB_NEVER)
        return ILB_EINVAL;
    if ((o->check_effect != ILB_CHECK_PROBES &&
         o->check_effect != ILB_CHECK_UNEJECTS) ||
        (o->fail_mode != ILB_FAIL_OPEN && o->fail_mode != ILB_FAIL_CLOSED) ||
        o->panic_threshold_percent > 100 ||
        o->min_endpoints > ILB_CAPACITY_MAX || !ilb__options_detectors_ok(o))
        return ILB_EINVAL;
    if (o->event_capacity > ILB_EVENT_CAPACITY_MAX ||
        (o->event_capacity == 0 && o->on_event != NULL))
        return ILB_EINVAL;
    if (o->shared_processes > ILB_PROCESSES_MAX || o->reserved != 0 ||
        (o->shared_processes > 0 && o->allocator != NULL) ||
        (o->lease_ns > 0 && o->lease_ns < ILB_LEASE_MIN_NS))
        return ILB_EINVAL;
    if (o->allocator != NULL &&
        (o->allocator->allocate == NULL || o->allocator->release == NULL))
        return ILB_EINVAL;
    return ILB_OK;
}

ILB_INTERNAL int ilb__options_read(ilb_options *to, const ilb_options *from)
{
    const ilb_options none = ILB_OPTIONS_INIT;
    /* The first version ended with max_ejection_time_ns. */
    size_t first = offsetof(ilb_options, max_ejection_time_ns) +
                   sizeof none.max_ejection_time_ns;
    int rc =
        ilb__struct_read(to, sizeof *to, from == NULL ? &none : from, first);

    if (rc != ILB_OK)
        return rc;
    if (to->policy == ILB_POLICY_DEFAULT)
        to->policy = ILB_POLICY_PEAK_EWMA;
    ilb__options_default32(&to->capacity, ILB__OPTIONS_CAPACITY);
    ilb__options_default32(&to->consecutive_failures, ILB__OPTIONS_CONSECUTIVE_FAILURES);
    ilb__options_default32(&to->max_ejection_percent, ILB__OPTIONS_MAX_EJECTION_PERCENT);
    /* If one of the two is given, the other's default gives way. */
    if (to->max_ejection_time_ns != 0 &&
        to->max_ejection_time_ns < ILB__OPTIONS_BASE_EJECTION_TIME_NS)
        ilb__options_default64(&to->base_ejection_time_ns, to->max_ejection_time_ns);
    ilb__options_default64(&to->base_ejection_time_ns,
                      ILB__OPTIONS_BASE_EJECTION_TIME_NS);
    if (to->base_ejection_time_ns > ILB__OPTIONS_MAX_EJECTION_TIME_NS)
        ilb__options_default64(&to->max_ejection_time_ns, to->base_ejection_time_ns);
    ilb__options_default64(&to->max_ejection_time_ns, ILB__OPTIONS_MAX_EJECTION_TIME_NS);
    if (to->fail_mode == ILB_FAIL_OPEN)
        ilb__options_default32(&to->min_endpoints, ILB__OPTIONS_MIN_ENDPOINTS);
    ilb__options_default64(&to->max_retry_after_ns, ILB__OPTIONS_MAX_RETRY_AFTER_NS);
    ilb__options_default64(&to->latency_margin_ns, ILB__OPTIONS_LATENCY_MARGIN_NS);
    ilb__options_default32(&to->unhealthy_threshold, ILB__OPTIONS_UNHEALTHY_THRESHOLD);
    ilb__options_default32(&to->healthy_threshold, ILB__OPTIONS_HEALTHY_THRESHOLD);
    ilb__options_default32(&to->event_capacity, ILB__OPTIONS_EVENT_CAPACITY);
    if (to->event_capacity == ILB_NEVER)
        to->event_capacity = 0;
    return ilb__options_check(to);
}

ILB_INTERNAL bool ilb__text_ok(const char *text, size_t max)
{
    size_t n = 0;

    if (text == NULL)
        return false;
    for (; text[n] != '\0'; n++) {
        unsigned char c = (unsigned char)text[n];

        /* Bytes from 0x80 on may be UTF-8: they are left alone. */
        if (n == max || c < 0x20 || c == 0x7f)
            return false;
    }
    return n > 0;
}
/* ==== libilb/base/clock.c ================================================ */
/* See clock.h. The only place of the library that asks the system for
 * anything, but for base/system.c. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
/* ==== libilb/base/clock.h ================================================ */
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

/* ==== libilb/base/atomics.h ============================================== */
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
/* ==== back in libilb/base/clock.h */

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
/* ==== back in libilb/base/clock.c */

#include <time.h>

ILB_INTERNAL uint64_t ilb__clock_monotonic_ns(void *user)
{
    struct timespec t;

    (void)user;
    /* It cannot fail: the clock exists wherever this compiles. */
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * ILB_SECOND_NS + (uint64_t)t.tv_nsec;
}

/* It stood at `then_ns`: has it neither gone back since nor leapt? */
static bool ilb__clock_goes_on(uint64_t then_ns, uint64_t clock_ns)
{
    return clock_ns < then_ns ? then_ns - clock_ns <= ILB_CLOCK_SKEW_NS
                              : clock_ns - then_ns <= ILB_CLOCK_LEAP_NS;
}

/* The clock's time, outside, and inside: where it is if it went on from about
 * `last_ns`, else there. */
static uint64_t ilb__clock_follow(ilb__time *t, uint64_t last_ns, uint64_t *clock_ns)
{
    uint64_t ahead_ns = ilb__load_relaxed(&t->ahead_ns);

    /* Relaxed: whoever does not see yet what another one found finds the same,
     * and fails here. Read anew each time: the clock may go back just now. */
    do {
        *clock_ns = t->clock_ns(t->user);
        if (ilb__clock_goes_on(last_ns - ahead_ns, *clock_ns))
            return *clock_ns + ahead_ns;
    } while (!ilb__cas_relaxed(&t->ahead_ns, &ahead_ns, last_ns - *clock_ns));
    return last_ns;
}

/* A time outside, inside; the clock's are `clock_ns` and `now_ns`. */
static uint64_t ilb__clock_believes(uint64_t outside_ns, uint64_t clock_ns,
                               uint64_t last_ns, uint64_t now_ns)
{
    uint64_t given_ns;

    if (outside_ns > clock_ns)
        return outside_ns - clock_ns > ILB_CLOCK_SKEW_NS
                   ? now_ns
                   : now_ns + (outside_ns - clock_ns);
    given_ns = ilb__elapsed_ns(clock_ns - outside_ns, now_ns);
    if (given_ns > ilb__elapsed_ns(ILB_CLOCK_SKEW_NS, last_ns))
        return given_ns;
    if (now_ns < last_ns)
        now_ns = last_ns;
    return now_ns > ILB_CLOCK_SKEW_NS ? now_ns - ILB_CLOCK_SKEW_NS : 1;
}

/* Time has come that far. */
static void ilb__clock_note(ilb__a64 *word, uint64_t now_ns)
{
    uint64_t seen_ns = ilb__load_relaxed(word);

    while (now_ns > seen_ns && !ilb__cas_relaxed(word, &seen_ns, now_ns))
        continue;
}

/* What the clock says of a time. */
static uint64_t ilb__clock_asked(ilb__time *t, uint64_t outside_ns, uint64_t last_ns)
{
    uint64_t clock_ns, now_ns;

    if (last_ns == 0) {
        clock_ns = t->clock_ns(t->user);
        last_ns = clock_ns < ILB_CLOCK_LEAP_NS ? clock_ns : ILB_CLOCK_LEAP_NS;
    }
    now_ns = ilb__clock_follow(t, last_ns, &clock_ns);
    ilb__clock_note(&t->asked_ns, now_ns);
    return ilb__clock_believes(outside_ns, clock_ns, last_ns, now_ns);
}

ILB_INTERNAL uint64_t ilb__time_check(ilb__time *t, uint64_t outside_ns)
{
    uint64_t now_ns = outside_ns + ilb__load_relaxed(&t->ahead_ns);
    uint64_t last_ns = ilb__load_relaxed(&t->last_ns);

    if (now_ns < last_ns && last_ns - now_ns <= ILB_CLOCK_SKEW_NS)
        return now_ns;
    if (now_ns - ilb__load_relaxed(&t->asked_ns) > ILB_CLOCK_SKEW_NS)
        now_ns = ilb__clock_asked(t, outside_ns, last_ns);
    ilb__clock_note(&t->last_ns, now_ns);
    return now_ns;
}
/* ==== libilb/base/histogram.c ============================================ */
/* See histogram.h. */
/* ==== libilb/base/histogram.h ============================================ */
/*
 * A histogram of times with buckets of equal ratio: eight to an octave, from
 * 1 us to 18 minutes, so that a quantile is at most 12.5 % too high. Shorter
 * and longer times count in the first and the last bucket.
 *
 * The bucket is the exponent and the upper three bits of the mantissa of the
 * time as a floating-point number. Any thread may add; one at a time reads
 * quantiles and forgets.
 */
#ifndef ILB_BASE_HISTOGRAM_H
#define ILB_BASE_HISTOGRAM_H

#define ILB_HISTOGRAM_BUCKETS 240

typedef struct ilb__histogram {
    ilb__a32 counts[ILB_HISTOGRAM_BUCKETS];
} ilb__histogram;

ILB_INTERNAL void ilb__histogram_add(ilb__histogram *h, uint64_t ns);

/* How many it holds. */
ILB_INTERNAL uint32_t ilb__histogram_total(const ilb__histogram *h);

/* The time that a share `q`, 0..1, of `total` counts does not exceed; the
 * upper edge of its bucket. `total` above 0. */
ILB_INTERNAL float ilb__histogram_quantile_ns(const ilb__histogram *h,
                                              uint32_t total, float q);

/* Halves all counts: what is old weighs less. */
ILB_INTERNAL void ilb__histogram_halve(ilb__histogram *h);

#endif
/* ==== back in libilb/base/histogram.c */

#include <string.h>

/* 2^10 ns is the lower edge of the first bucket: its exponent with the bias of
 * a double, and three bits of mantissa. */
#define ILB__HISTOGRAM_FIRST ((1023 + 10) << 3)
#define ILB__HISTOGRAM_SHIFT 49

static uint32_t ilb__histogram_bucket(uint64_t ns)
{
    double x = (double)ns;
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    bits >>= ILB__HISTOGRAM_SHIFT;
    if (bits < ILB__HISTOGRAM_FIRST)
        return 0;
    bits -= ILB__HISTOGRAM_FIRST;
    return bits < ILB_HISTOGRAM_BUCKETS ? (uint32_t)bits
                                        : ILB_HISTOGRAM_BUCKETS - 1;
}

static float ilb__histogram_upper_edge_ns(uint32_t bucket)
{
    uint64_t bits = ((uint64_t)ILB__HISTOGRAM_FIRST + bucket + 1) << ILB__HISTOGRAM_SHIFT;
    double x;

    memcpy(&x, &bits, sizeof x);
    return (float)x;
}

ILB_INTERNAL void ilb__histogram_add(ilb__histogram *h, uint64_t ns)
{
    ilb__add32_relaxed(&h->counts[ilb__histogram_bucket(ns)], 1);
}

ILB_INTERNAL uint32_t ilb__histogram_total(const ilb__histogram *h)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < ILB_HISTOGRAM_BUCKETS; i++)
        total += ilb__load32_relaxed(&h->counts[i]);
    return total;
}

ILB_INTERNAL float ilb__histogram_quantile_ns(const ilb__histogram *h,
                                              uint32_t total, float q)
{
    double wanted = (double)total * (double)q;
    uint32_t last = 0;
    double seen = 0;

    for (uint32_t i = 0; i < ILB_HISTOGRAM_BUCKETS; i++) {
        uint32_t count = ilb__load32_relaxed(&h->counts[i]);

        if (count == 0)
            continue;
        last = i;
        seen += count;
        if (seen >= wanted)
            break;
    }
    return ilb__histogram_upper_edge_ns(last);
}

ILB_INTERNAL void ilb__histogram_halve(ilb__histogram *h)
{
    for (uint32_t i = 0; i < ILB_HISTOGRAM_BUCKETS; i++) {
        uint32_t count = ilb__load32_relaxed(&h->counts[i]);

        if (count > 0)
            ilb__sub32_relaxed(&h->counts[i], (count + 1) / 2);
    }
}
/* ==== libilb/base/random.c =============================================== */
/* See random.h. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
/* ==== libilb/base/random.h =============================================== */
/*
 * Random numbers for any number of threads, without locks, registration or
 * thread-local state, and the same ones for the same seed.
 *
 * A balancer has ILB_RANDOM_STREAMS independent SplitMix64 streams, each on
 * its own cache line. A thread is hashed to a place in a small map; the first
 * thread of a place is given the next stream. A program with one thread
 * therefore always draws from stream 0, whatever the thread's identity: its
 * picks can be replayed. Threads that share a stream may read the same state
 * at the same instant; the time of the pick, mixed into each number, tells
 * them apart, and processes that were forked from each other too. Processes
 * that share a balancer share the streams as well, and each mixes in who it is,
 * into the place and into each number.
 */
#ifndef ILB_BASE_RANDOM_H
#define ILB_BASE_RANDOM_H

/* ==== libilb/base/hash.h ================================================= */
/*
 * Mixing bits. ilb__mix64 is the finaliser of SplitMix64 (Steele, Lea, Flood:
 * Fast Splittable Pseudorandom Number Generators, OOPSLA 2014): a bijection in
 * which each input bit changes each output bit with probability near 1/2.
 */
#ifndef ILB_BASE_HASH_H
#define ILB_BASE_HASH_H

#include <string.h>

/* 2^64 / golden ratio, odd: steps of this size visit all 64-bit values. */
#define ILB_GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t ilb__mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return x;
}

/* A hash of `n` bytes; `salt` makes it one's own, so that nobody outside can
 * choose addresses that collide. */
static inline uint64_t ilb__hash_bytes(const char *s, size_t n, uint64_t salt)
{
    uint64_t h = ilb__mix64(salt + ILB_GOLDEN * (n + 1));
    uint64_t word;

    while (n >= sizeof word) {
        memcpy(&word, s, sizeof word);
        h = ilb__mix64(h ^ word) + ILB_GOLDEN;
        s += sizeof word;
        n -= sizeof word;
    }
    word = 0;
    memcpy(&word, s, n);
    return ilb__mix64(h ^ word);
}

#endif
/* ==== back in libilb/base/random.h */

#define ILB_RANDOM_STREAMS 16
#define ILB_RANDOM_PLACES 64

struct ilb__random_stream {
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 state;
};

typedef struct ilb__random {
    struct ilb__random_stream streams[ILB_RANDOM_STREAMS];
    ilb__a8 stream_of[ILB_RANDOM_PLACES]; /* 0: none yet; else stream + 1 */
    ilb__a32 n_given;
    const ilb__a64 *who; /* the process, where several share it; else NULL */
} ilb__random;

ILB_INTERNAL void ilb__random_init(ilb__random *r, uint64_t seed);

/* 64 random bits. `salt` is the time; any value does. */
ILB_INTERNAL uint64_t ilb__random_next(ilb__random *r, uint64_t salt);

/* A number below `n` from 32 random bits, by multiplication (Lemire 2019,
 * without its rejection step: the bias is at most n / 2^32, i.e. 0.03 % at
 * the largest capacity). */
static inline uint32_t ilb__random_below(uint32_t bits, uint32_t n)
{
    return (uint32_t)(((uint64_t)bits * n) >> 32);
}

#endif
/* ==== back in libilb/base/random.c */

#include <pthread.h>

ILB_INTERNAL void ilb__random_init(ilb__random *r, uint64_t seed)
{
    for (uint64_t i = 0; i < ILB_RANDOM_STREAMS; i++)
        ilb__store_relaxed(&r->streams[i].state,
                           ilb__mix64(seed + (i + 1) * ILB_GOLDEN));
}

/* The stream of the place, giving it one if it has none. */
static uint8_t ilb__random_stream_given(ilb__random *r, ilb__a8 *place)
{
    uint32_t given = ilb__add32_relaxed(&r->n_given, 1);
    uint8_t mine = (uint8_t)(given % ILB_RANDOM_STREAMS + 1);

    /* Losing the race wastes a stream's turn, no more. */
    return ilb__cas8_relaxed(place, 0, mine) ? mine : ilb__load8_relaxed(place);
}

static struct ilb__random_stream *ilb__random_own_stream(ilb__random *r,
                                                    uint64_t who)
{
    pthread_t self = pthread_self();
    uint64_t id = 0;
    ilb__a8 *place;
    uint8_t given;

    /* pthread_t may be a number or a pointer: take its bytes. */
    memcpy(&id, &self, sizeof self < sizeof id ? sizeof self : sizeof id);
    place = &r->stream_of[((id ^ who) * ILB_GOLDEN) >> 58];
    given = ilb__load8_relaxed(place);
    if (ILB_UNLIKELY(given == 0))
        given = ilb__random_stream_given(r, place);
    return &r->streams[given - 1];
}

ILB_INTERNAL uint64_t ilb__random_next(ilb__random *r, uint64_t salt)
{
    uint64_t who =
        ILB_LIKELY(r->who == NULL) ? 0 : ilb__mix64(ilb__load_relaxed(r->who));
    struct ilb__random_stream *s = ilb__random_own_stream(r, who);
    /* Not one atomic step: see the header on threads that share a stream. */
    uint64_t state = ilb__load_relaxed(&s->state) + ILB_GOLDEN;

    ilb__store_relaxed(&s->state, state);
    return ilb__mix64(state ^ ilb__mix64(salt ^ who));
}

_Static_assert(ILB_RANDOM_PLACES == 1 << 6, "places are 6 bits of a hash");
/* ==== libilb/base/line.c ================================================= */
/* See line.h. */
/* ==== libilb/base/line.h ================================================= */
/*
 * Writing a line of text into a buffer of the caller's, without stdio: as much
 * as fits, always ended by a 0, and how long the whole would be.
 */
#ifndef ILB_BASE_LINE_H
#define ILB_BASE_LINE_H

typedef struct ilb__line {
    char *to; /* NULL only if `room` is 0 */
    size_t room;
    size_t n; /* length of the whole, without the 0 */
} ilb__line;

ILB_INTERNAL void ilb__line_begin(ilb__line *l, char *to, size_t room);

ILB_INTERNAL void ilb__line_put(ilb__line *l, const char *text);

ILB_INTERNAL void ilb__line_number(ilb__line *l, uint64_t x);

/* Rounded to one digit after the point, or to none; "nan", "inf" for what is
 * not a number or above 10^18. */
ILB_INTERNAL void ilb__line_decimal(ilb__line *l, double x, bool digit);

/* A time with its unit, to one digit after the point: "850 ns", "12.3 us",
 * "2.1 ms", "12.1 s". */
ILB_INTERNAL void ilb__line_time(ilb__line *l, double ns);

#endif
/* ==== back in libilb/base/line.c */

#include <string.h>

/* Above it, tenths no longer fit 64 bits. */
#define ILB__LINE_DECIMAL_MAX 1e18

static void ilb__line_bytes(ilb__line *l, const char *bytes, size_t n)
{
    if (l->n + 1 < l->room) {
        size_t fits = l->room - 1 - l->n;

        if (fits > n)
            fits = n;
        memcpy(l->to + l->n, bytes, fits);
        l->to[l->n + fits] = '\0';
    }
    l->n += n;
}

ILB_INTERNAL void ilb__line_begin(ilb__line *l, char *to, size_t room)
{
    l->to = to;
    l->room = room;
    l->n = 0;
    if (room > 0)
        to[0] = '\0';
}

ILB_INTERNAL void ilb__line_put(ilb__line *l, const char *text)
{
    ilb__line_bytes(l, text, strlen(text));
}

ILB_INTERNAL void ilb__line_number(ilb__line *l, uint64_t x)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + x % 10);
        x /= 10;
    } while (x > 0);
    ilb__line_bytes(l, digits + at, sizeof digits - at);
}

ILB_INTERNAL void ilb__line_decimal(ilb__line *l, double x, bool digit)
{
    uint64_t tenths;

    if (x < 0) {
        ilb__line_put(l, "-");
        x = -x;
    }
    if (!(x <= ILB__LINE_DECIMAL_MAX)) {
        ilb__line_put(l, x > ILB__LINE_DECIMAL_MAX ? "inf" : "nan");
        return;
    }
    if (!digit) {
        ilb__line_number(l, (uint64_t)(x + 0.5));
        return;
    }
    tenths = (uint64_t)(x * 10 + 0.5);
    ilb__line_number(l, tenths / 10);
    ilb__line_put(l, ".");
    ilb__line_number(l, tenths % 10);
}

ILB_INTERNAL void ilb__line_time(ilb__line *l, double ns)
{
    /* What would round to 1000 of a unit is one of the next. */
    if (ns < 999.5) {
        ilb__line_decimal(l, ns, false);
        ilb__line_put(l, " ns");
    } else if (ns < 999.95e3) {
        ilb__line_decimal(l, ns / 1e3, true);
        ilb__line_put(l, " us");
    } else if (ns < 999.95e6) {
        ilb__line_decimal(l, ns / 1e6, true);
        ilb__line_put(l, " ms");
    } else {
        ilb__line_decimal(l, ns / 1e9, true);
        ilb__line_put(l, " s");
    }
}
/* ==== libilb/base/system.c =============================================== */
/* See system.h. */
#if !defined(_DEFAULT_SOURCE) && !defined(_GNU_SOURCE)
#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS, madvise */
#endif
/* ==== libilb/base/system.h =============================================== */
/*
 * What a balancer that several processes share asks of the operating system:
 * who am I, is that process there still, memory that children share, a page
 * that they do not inherit, and a mutex that outlives its owner. One struct of
 * functions, so that tests can stand in for each and let it fail.
 *
 *     pid      getpid
 *     ended    kill(pid, 0) says ESRCH. One that has ended and was not waited
 *              for yet is still there. A pid of another namespace is not known
 *              here: processes that share a balancer share their namespace.
 *     share    MAP_SHARED | MAP_ANONYMOUS: children made by fork have the same
 *              memory at the same address
 *     keep     MAP_PRIVATE | MAP_ANONYMOUS with MADV_WIPEONFORK (Linux 4.14): a
 *              child finds zeros there. By that alone, and without a system
 *              call, a process sees that it is not the one it was.
 *     mutex    PTHREAD_PROCESS_SHARED and PTHREAD_MUTEX_ROBUST
 *
 * None of it is used by a private balancer. Where it is missing all but `pid`
 * say so by ILB_ENOSYS.
 */
#ifndef ILB_BASE_SYSTEM_H
#define ILB_BASE_SYSTEM_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>

typedef struct ilb__system {
    int64_t (*pid)(void *user);
    bool (*ended)(int64_t pid, void *user);
    /* ILB_OK, and *memory is zeroed; ILB_ENOMEM; ILB_ENOSYS. */
    int (*share)(void **memory, size_t bytes, void *user);
    int (*keep)(void **memory, size_t bytes, void *user);
    /* What one of these two gave; for this process alone. */
    void (*release)(void *memory, size_t bytes, void *user);
    int (*mutex)(pthread_mutex_t *mutex, void *user);
    void *user;
} ilb__system;

/* The real one. */
ILB_INTERNAL const ilb__system *ilb__system_real(void);

/* Where it is known that the lock's last owner died with it; else false. */
ILB_INTERNAL bool ilb__system_owner_died(int lock_result);
ILB_INTERNAL void ilb__system_consistent(pthread_mutex_t *mutex);

#endif
/* ==== back in libilb/base/system.c */

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(MAP_ANONYMOUS) && defined(MADV_WIPEONFORK)
#define ILB__SYSTEM_HAS_PROCESSES 1
#else
#define ILB__SYSTEM_HAS_PROCESSES 0
#endif

static int64_t ilb__system_pid(void *user)
{
    (void)user;
    return (int64_t)getpid();
}

static bool ilb__system_ended(int64_t pid, void *user)
{
    (void)user;
    return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void ilb__system_release(void *memory, size_t bytes, void *user)
{
    (void)user;
    (void)munmap(memory, bytes);
}

#if ILB__SYSTEM_HAS_PROCESSES
static int ilb__system_map(void **memory, size_t bytes, int flags)
{
    void *p =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return ILB_ENOMEM;
    *memory = p;
    return ILB_OK;
}

static int ilb__system_share(void **memory, size_t bytes, void *user)
{
    (void)user;
    return ilb__system_map(memory, bytes, MAP_SHARED);
}

static int ilb__system_keep(void **memory, size_t bytes, void *user)
{
    int rc = ilb__system_map(memory, bytes, MAP_PRIVATE);

    if (rc != ILB_OK)
        return rc;
    if (madvise(*memory, bytes, MADV_WIPEONFORK) == 0)
        return ILB_OK;
    /* An old kernel. */
    ilb__system_release(*memory, bytes, user);
    return ILB_ENOSYS;
}

static int ilb__system_mutex(pthread_mutex_t *mutex, void *user)
{
    pthread_mutexattr_t attr;
    int rc = ILB_OK;

    (void)user;
    if (pthread_mutexattr_init(&attr) != 0)
        return ILB_ENOMEM;
    if (pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) != 0 ||
        pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) != 0)
        rc = ILB_ENOSYS;
    else if (pthread_mutex_init(mutex, &attr) != 0)
        rc = ILB_ENOMEM;
    (void)pthread_mutexattr_destroy(&attr);
    return rc;
}

ILB_INTERNAL bool ilb__system_owner_died(int lock_result)
{
    return lock_result == EOWNERDEAD;
}

ILB_INTERNAL void ilb__system_consistent(pthread_mutex_t *mutex)
{
    (void)pthread_mutex_consistent(mutex);
}
#else
static int ilb__system_share(void **memory, size_t bytes, void *user)
{
    (void)memory;
    (void)bytes;
    (void)user;
    return ILB_ENOSYS;
}

static int ilb__system_keep(void **memory, size_t bytes, void *user)
{
    return ilb__system_share(memory, bytes, user);
}

static int ilb__system_mutex(pthread_mutex_t *mutex, void *user)
{
    (void)mutex;
    (void)user;
    return ILB_ENOSYS;
}

ILB_INTERNAL bool ilb__system_owner_died(int lock_result)
{
    (void)lock_result;
    return false;
}

ILB_INTERNAL void ilb__system_consistent(pthread_mutex_t *mutex)
{
    (void)mutex;
}
#endif

ILB_INTERNAL const ilb__system *ilb__system_real(void)
{
    static const ilb__system real = {ilb__system_pid,  ilb__system_ended,   ilb__system_share,
                                     ilb__system_keep, ilb__system_release, ilb__system_mutex,
                                     NULL};

    return &real;
}
/* ==== libilb/base/process.c ============================================== */
/* See process.h. */
/* ==== libilb/base/process.h ============================================== */
/*
 * The processes that share a balancer, and which of them one is.
 *
 * Two memories: a table in the shared block, with an entry for each process,
 * and a page of the process's own that a fork empties (base/system.h), which
 * holds its stamp: the index of its entry and that entry's generation. A child
 * therefore finds 0 and takes an entry when it first uses the balancer; nobody
 * has to tell the library of a fork.
 *
 *   entry   bits  0..21  generation: of the process that it is for, or was;
 *                        0: it was for none yet
 *           bit  31      ended: somebody said so, or the pid is another's now
 *           bits 32..63  pid; 0: it is for none now
 *   stamp   bits  0..9   index of the entry
 *           bits 10..31  generation, never 0
 *
 * Taking an entry needs no lock, so that a thread which is stopped in it stops
 * no other. It is two steps: the process decides which entry it wants, by a CAS
 * in its own page, which all its threads then help to make: a CAS in the entry
 * from free to {pid, generation}. Whoever finds it made sets the stamp; if
 * another process was faster the wish is dropped and the next one chosen.
 *
 * An entry is given up by reclaiming (health/reclaim.h), when its process has
 * ended: its generation stays, so that a stamp is never of two processes. (It
 * wraps after 4 million.)
 */
#ifndef ILB_BASE_PROCESS_H
#define ILB_BASE_PROCESS_H

#define ILB_PROCESS_INDEX_BITS 10
#define ILB_PROCESS_INDEX_MASK ((UINT32_C(1) << ILB_PROCESS_INDEX_BITS) - 1)
#define ILB_PROCESS_GENERATION ((UINT64_C(1) << 22) - 1)
#define ILB_PROCESS_ENDED (UINT64_C(1) << 31)

/* Of the process alone: a fork empties it. Stamps; 0: none. */
typedef struct ilb__self {
    ilb__a64 stamp;
    ilb__a64 wanted;
} ilb__self;

typedef struct ilb__processes {
    const ilb__system *system;
    ilb__self *self; /* NULL: the balancer is private */
    ilb__a64 *entries;
    uint32_t n;         /* at most so many at a time */
    uint32_t n_entries; /* with those that have ended and are not reclaimed */
    ilb__a32 n_used;    /* entries that were ever taken are below */
} ilb__processes;

/* Takes its memory from the arena; n is 0 for a private balancer. */
ILB_INTERNAL void ilb__processes_init(ilb__processes *p, ilb__arena *a,
                                      uint32_t n);

static inline uint32_t ilb__process_index(uint32_t stamp)
{
    return stamp & ILB_PROCESS_INDEX_MASK;
}

static inline uint64_t ilb__process_entry(const ilb__processes *p,
                                          uint32_t index)
{
    /* Pairs with the release in process_take, ilb__process_free and
     * process_mark_ended: whose it is, and all that came before. */
    return ilb__load_acquire(&p->entries[index]);
}

static inline int64_t ilb__process_pid(uint64_t entry)
{
    return (int64_t)(entry >> 32);
}

/* This process's stamp; 0: it has none, or was said to have ended. */
static inline uint32_t ilb__process_here(const ilb__processes *p)
{
    uint32_t stamp = (uint32_t)ilb__load_relaxed(&p->self->stamp);
    uint64_t entry;

    if (ILB_UNLIKELY(stamp == 0))
        return 0;
    entry = ilb__load_relaxed(&p->entries[ilb__process_index(stamp)]);
    if (ILB_UNLIKELY((uint32_t)entry != stamp >> ILB_PROCESS_INDEX_BITS ||
                     ilb__process_pid(entry) == 0))
        return 0;
    return stamp;
}

/* Gives this process an entry. ILB_OK, *stamp; ILB_EPROCESSES: as many as may
 * use it; ILB_EBUSY: not so many, but those that have ended must be reclaimed
 * first. */
ILB_COLD ILB_INTERNAL int ilb__process_enter(ilb__processes *p,
                                             uint32_t *stamp);

/* The process of this pid has ended, whoever has its pid now. False: it has no
 * entry. */
ILB_INTERNAL bool ilb__process_end(ilb__processes *p, int64_t pid);

/* Is the entry's process one that has ended, and is to be reclaimed? */
ILB_INTERNAL bool ilb__process_is_over(const ilb__processes *p, uint64_t entry);

/* It is reclaimed: the entry is free. False: it changed meanwhile. */
ILB_INTERNAL bool ilb__process_free(ilb__processes *p, uint32_t index,
                                    uint64_t entry);

#endif
/* ==== back in libilb/base/process.c */

/* Entries of processes that have ended and are not reclaimed yet: as many as of
 * live ones, and some more, as a second may pass until somebody looks. */
#define ILB__PROCESS_MORE 64

ILB_INTERNAL void ilb__processes_init(ilb__processes *p, ilb__arena *a,
                                      uint32_t n)
{
    p->n = n;
    p->n_entries = n == 0 ? 0 : 2 * n + ILB__PROCESS_MORE;
    if (p->n_entries > ILB_PROCESS_INDEX_MASK + 1)
        p->n_entries = ILB_PROCESS_INDEX_MASK + 1;
    p->entries = ilb__arena_take(a, p->n_entries, sizeof *p->entries);
}

static uint32_t ilb__process_generation(uint64_t entry)
{
    return (uint32_t)(entry & ILB_PROCESS_GENERATION);
}

static uint32_t ilb__process_next_stamp(uint32_t index, uint64_t entry)
{
    uint32_t next =
        (ilb__process_generation(entry) + 1) & (uint32_t)ILB_PROCESS_GENERATION;

    return (next == 0 ? 1 : next) << ILB_PROCESS_INDEX_BITS | index;
}

static uint64_t ilb__process_entry_of(int64_t pid, uint32_t stamp)
{
    return (uint64_t)pid << 32 | stamp >> ILB_PROCESS_INDEX_BITS;
}

ILB_INTERNAL bool ilb__process_is_over(const ilb__processes *p, uint64_t entry)
{
    int64_t pid = ilb__process_pid(entry);

    return pid != 0 && ((entry & ILB_PROCESS_ENDED) != 0 ||
                        p->system->ended(pid, p->system->user));
}

ILB_INTERNAL bool ilb__process_free(ilb__processes *p, uint32_t index,
                                    uint64_t entry)
{
    /* Pairs with the acquire in ilb__process_entry: what was taken back is,
     * before another has the entry. */
    return ilb__cas_strong_release(&p->entries[index], entry,
                                   entry & ILB_PROCESS_GENERATION);
}

static bool ilb__process_mark_ended(ilb__processes *p, uint32_t index,
                               uint64_t entry)
{
    /* Pairs with the acquire in ilb__process_entry: who takes back what it held
     * sees all that made us say so. */
    return (entry & ILB_PROCESS_ENDED) != 0 ||
           ilb__cas_strong_release(&p->entries[index], entry,
                                   entry | ILB_PROCESS_ENDED);
}

ILB_INTERNAL bool ilb__process_end(ilb__processes *p, int64_t pid)
{
    uint32_t n = ilb__load32_relaxed(&p->n_used);
    bool found = false;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t entry = ilb__process_entry(p, i);

        if (ilb__process_pid(entry) == pid)
            found = ilb__process_mark_ended(p, i, entry) || found;
    }
    return found;
}

/* ---- Taking an entry --------------------------------------------------- */

/* An entry that bears this pid and is not this process's is of one before it,
 * which had the pid. False: a thread has just decided which one it wants. */
static bool ilb__process_end_former(ilb__processes *p, int64_t pid)
{
    uint32_t n = ilb__load32_relaxed(&p->n_used);

    for (uint32_t i = 0; i < n; i++) {
        uint64_t entry = ilb__process_entry(p, i);

        if (ilb__process_pid(entry) != pid)
            continue;
        /* Pairs with the release in ilb__process_want: the wish comes before the
         * entry. */
        if (ilb__load_acquire(&p->self->wanted) != 0)
            return false;
        (void)ilb__process_mark_ended(p, i, entry);
    }
    return true;
}

/* Finds an entry to take, *stamp, and counts those that use it: ILB_EPROCESSES.
 * ILB_EBUSY: all entries are of processes that have ended. */
static int ilb__process_choose(const ilb__processes *p, uint32_t *stamp)
{
    uint32_t n_there = 0;

    *stamp = 0;
    for (uint32_t i = 0; i < p->n_entries; i++) {
        uint64_t entry = ilb__process_entry(p, i);

        if (ilb__process_pid(entry) != 0)
            n_there += !ilb__process_is_over(p, entry);
        else if (*stamp == 0)
            *stamp = ilb__process_next_stamp(i, entry);
    }
    if (n_there >= p->n)
        return ILB_EPROCESSES;
    return *stamp == 0 ? ILB_EBUSY : ILB_OK;
}

/* Decides which entry this process wants, unless another thread has. */
static int ilb__process_want(ilb__processes *p)
{
    uint32_t stamp;
    int rc = ilb__process_choose(p, &stamp);

    /* Pairs with the release in ilb__process_want: another thread's, whose entry was
     * free when it chose. */
    if (ilb__load_acquire(&p->self->wanted) != 0)
        return ILB_OK;
    /* Pairs with the acquire in ilb__process_want, ilb__process_end_former and
     * ilb__process_enter: the entry comes after the wish. */
    if (rc == ILB_OK)
        (void)ilb__cas_strong_release(&p->self->wanted, 0, stamp);
    return rc;
}

static void ilb__process_note_used(ilb__processes *p, uint32_t n)
{
    uint32_t seen = ilb__load32_relaxed(&p->n_used);

    while (seen < n && !ilb__cas32_relaxed(&p->n_used, &seen, n))
        continue;
}

/* Makes the wish true, or finds that it is. False: another process was faster,
 * or the entry has been taken away again. */
static bool ilb__process_take(ilb__processes *p, uint32_t stamp, int64_t pid)
{
    uint32_t index = ilb__process_index(stamp);
    uint64_t entry = ilb__process_entry(p, index);
    uint64_t wanted = ilb__process_entry_of(pid, stamp);

    if (ilb__process_pid(entry) == 0 &&
        ilb__process_next_stamp(index, entry) == stamp) {
        /* Before: whoever has an entry is looked for. */
        ilb__process_note_used(p, index + 1);
        /* Pairs with the acquire in ilb__process_entry: who finds it taken
         * finds it among those that are used. */
        if (ilb__cas_strong_release(&p->entries[index], entry, wanted))
            return true;
        entry = ilb__process_entry(p, index);
    }
    return entry == wanted;
}

ILB_INTERNAL int ilb__process_enter(ilb__processes *p, uint32_t *stamp)
{
    int64_t pid = p->system->pid(p->system->user);
    ilb__self *self = p->self;

    for (;;) {
        uint64_t was = ilb__load_relaxed(&self->stamp);
        /* Pairs with the release in ilb__process_want, ilb__process_enter: what was
         * wanted, or that it is wanted no more. */
        uint64_t wanted = ilb__load_acquire(&self->wanted);

        *stamp = ilb__process_here(p);
        if (*stamp != 0)
            return ILB_OK;
        if (wanted == 0) {
            int rc = ilb__process_end_former(p, pid) ? ilb__process_want(p) : ILB_OK;

            if (rc != ILB_OK)
                return rc;
            continue;
        }
        if (ilb__process_take(p, (uint32_t)wanted, pid)) {
            /* Relaxed: who has it asks the entry (ilb__process_here). */
            (void)ilb__cas_strong_relaxed(&self->stamp, was, wanted);
        } else {
            /* Pairs with the acquire in ilb__process_enter: who finds no wish
             * finds the entry that was wanted taken by others. */
            (void)ilb__cas_strong_release(&self->wanted, wanted, 0);
        }
    }
}
/* ==== libilb/signal/evidence.c =========================================== */
/* See evidence.h. */
/* ==== libilb/signal/evidence.h =========================================== */
/*
 * Evidence that an endpoint fails more than its peers: two cumulative sums of
 * log-likelihood ratios (E. S. Page's CUSUM, 1954), kept at 0 or above.
 *
 *     broken   fails half of its requests, against p0
 *              failure:      + ln(0.5 / p0)
 *              good answer:  - ln((1 - p0) / 0.5)
 *     faulty   fails a share of p1 = max(5 p0, 5 %), but at most 60 %, against
 *              p0
 *              failure:      + ln(p1 / p0)
 *              good answer:  - ln((1 - p0) / (1 - p1))
 *
 * From p0 = 0.4 on nothing adds to them; below 10^-6 p0 counts as that. It is
 * what healthy peers fail
 * (health/pool.h): where everyone fails, one endpoint's failures are no
 * evidence against it. A sum that reaches h is a false alarm once in e^h
 * requests at most (G. Lorden 1971), whatever p0 is: that is what the threshold
 * is chosen by, not a count of failures.
 *
 *   bits  0..15  `broken`, bits 16..31 `faulty`, in 1/256
 *   bits 32..47  requests since both sums were 0, bits 48..63 failures of
 *                these: what the sums were made of; they end at 65,535
 *
 * The word of an endpoint that does not fail is 0 and is not written.
 */
#ifndef ILB_SIGNAL_EVIDENCE_H
#define ILB_SIGNAL_EVIDENCE_H

#define ILB_EVIDENCE_ONE 256
/* From here on a request to the endpoint is a trial (select/score.h). */
#define ILB_EVIDENCE_TRIAL_BROKEN (1 * ILB_EVIDENCE_ONE)
#define ILB_EVIDENCE_TRIAL_FAULTY (2 * ILB_EVIDENCE_ONE)

/* What each failure adds and each good answer takes, for the present p0; all
 * in 1/256. */
typedef struct ilb__evidence_steps {
    uint16_t broken_up, broken_down, faulty_up, faulty_down;
} ilb__evidence_steps;

typedef struct ilb__evidence_sums {
    uint32_t broken, faulty; /* in 1/256 */
} ilb__evidence_sums;

/* What the sums were made of. */
typedef struct ilb__evidence_run {
    uint32_t requests, failures;
} ilb__evidence_run;

/* The steps for a p0. */
ILB_INTERNAL ilb__evidence_steps ilb__evidence_steps_for(float p0);

ILB_INTERNAL ilb__evidence_sums ilb__evidence_read(const ilb__a64 *word);
ILB_INTERNAL ilb__evidence_run ilb__evidence_run_of(const ilb__a64 *word);

/* So much that the next request is a trial? */
static inline bool ilb__evidence_is_trial(const ilb__a64 *word)
{
    ilb__evidence_sums e;

    if (ILB_LIKELY(ilb__load_relaxed(word) == 0))
        return false;
    e = ilb__evidence_read(word);
    return e.broken >= ILB_EVIDENCE_TRIAL_BROKEN ||
           e.faulty >= ILB_EVIDENCE_TRIAL_FAULTY;
}

ILB_INTERNAL void ilb__evidence_good(ilb__a64 *word, ilb__evidence_steps s);

/* A trial was given up early: nobody knows whether it would have failed. So
 * `faulty` grows, but to 10 nats at most: enough for the requests that come
 * next to be trials as well (select/score.h), too little for an ejection. */
ILB_INTERNAL void ilb__evidence_doubt(ilb__a64 *word, ilb__evidence_steps s);

/* Returns the sums with this failure. */
ILB_INTERNAL ilb__evidence_sums ilb__evidence_bad(ilb__a64 *word,
                                                  ilb__evidence_steps s);

#endif
/* ==== back in libilb/signal/evidence.c */

/* ==== libilb/base/decay.h ================================================ */
/*
 * exp(-t / tau) without libm: the core needs libc and pthreads only.
 *
 * exp(-x) = 2^-k * exp(r) with r = k ln 2 - x and |r| <= ln 2 / 2; exp(r) is
 * its Taylor polynomial of degree 7, whose first dropped term is below 6e-9
 * there. 2^-k is made from its exponent bits.
 */
#ifndef ILB_BASE_DECAY_H
#define ILB_BASE_DECAY_H

#include <string.h>

/* Up to here exp(-x) needs no reduction. */
#define ILB_DECAY_SOON 0.34

/* exp(r) for |r| <= ln 2 / 2. No division, and the polynomial in pairs (G.
 * Estrin 1960): what waits for what before it would be most of the time. */
static inline double ilb__exp_near_0(double r)
{
    double rr = r * r;
    double low = (1 + r) + rr * (0.5 + r * (1.0 / 6));
    double high =
        (1.0 / 24 + r * (1.0 / 120)) + rr * (1.0 / 720 + r * (1.0 / 5040));

    return low + rr * rr * high;
}

/* What is left, 0..1, after `t` of something with the time constant `tau`,
 * which is above 0; both in the same unit. */
static inline double ilb__decay(double t, double tau)
{
    const double ln2 = 0.69314718055994530942;
    double x, scale;
    uint64_t bits;
    int32_t k;

    if (t <= 0)
        return 1;
    x = t / tau;
    if (x <= ILB_DECAY_SOON)
        return ilb__exp_near_0(-x);
    if (x > 700)
        return 0;
    k = (int32_t)(x * (1 / ln2) + 0.5);
    bits = (uint64_t)(1023 - k) << 52;
    memcpy(&scale, &bits, sizeof scale);
    return ilb__exp_near_0((double)k * ln2 - x) * scale;
}

/*
 * The logarithm to the base 2 of a normal float above 0: its exponent, and of
 * the mantissa m in sqrt(1/2)..sqrt(2) the series of the area tangent,
 * ln m = 2 (z + z^3/3 + z^5/5), z = (m - 1) / (m + 1), right to 2e-6.
 */
static inline float ilb__log2(float x)
{
    uint32_t bits;
    float e, m, z, zz;

    memcpy(&bits, &x, sizeof bits);
    e = (float)(bits >> 23) - 127;
    bits = (bits & ((UINT32_C(1) << 23) - 1)) | UINT32_C(127) << 23;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.41421356f) {
        m *= 0.5f;
        e += 1;
    }
    z = (m - 1) / (m + 1);
    zz = z * z;
    return e + 2.88539008f * z * (1 + zz * (0.33333333f + zz * 0.2f));
}

#endif
/* ==== back in libilb/signal/evidence.c */

#define ILB__EVIDENCE_BROKEN_SHARE 0.5f
#define ILB__EVIDENCE_FAULTY_FACTOR 5.0f
#define ILB__EVIDENCE_FAULTY_MIN 0.05f
/* So that a clean history makes no single failure decide everything. */
#define ILB__EVIDENCE_P0_MIN 1e-6f
#define ILB__EVIDENCE_FAULTY_MAX 0.6f
/* From here on everyone fails: nothing is evidence. */
#define ILB__EVIDENCE_P0_ALL 0.4f
/* Sums end here: what was proved long ago is forgotten in bounded time. */
#define ILB__EVIDENCE_MAX (64 * ILB_EVIDENCE_ONE)
#define ILB__EVIDENCE_RUN_MAX 65535
/* Of `faulty`: what trials that were given up early may add up to. */
#define ILB__EVIDENCE_DOUBT_MAX (10 * ILB_EVIDENCE_ONE)

/* ln(x) in 1/256, x >= 1; rounded. */
static uint16_t ilb__evidence_step(float x)
{
    return (uint16_t)(ilb__log2(x) * 0.6931472f * (float)ILB_EVIDENCE_ONE +
                      0.5f);
}

ILB_INTERNAL ilb__evidence_steps ilb__evidence_steps_for(float p0)
{
    ilb__evidence_steps s;
    float p1;

    if (!(p0 > ILB__EVIDENCE_P0_MIN))
        p0 = ILB__EVIDENCE_P0_MIN;
    p1 = p0 * ILB__EVIDENCE_FAULTY_FACTOR;
    if (p1 < ILB__EVIDENCE_FAULTY_MIN)
        p1 = ILB__EVIDENCE_FAULTY_MIN;
    if (p1 > ILB__EVIDENCE_FAULTY_MAX)
        p1 = ILB__EVIDENCE_FAULTY_MAX;
    if (p0 >= ILB__EVIDENCE_P0_ALL) {
        s.broken_up = s.faulty_up = 0;
        s.broken_down = s.faulty_down = ILB_EVIDENCE_ONE;
        return s;
    }
    s.broken_up = ilb__evidence_step(ILB__EVIDENCE_BROKEN_SHARE / p0);
    s.broken_down = ilb__evidence_step((1 - p0) / ILB__EVIDENCE_BROKEN_SHARE);
    s.faulty_up = ilb__evidence_step(p1 / p0);
    s.faulty_down = ilb__evidence_step((1 - p0) / (1 - p1));
    return s;
}

static ilb__evidence_sums ilb__evidence_unpack(uint64_t word)
{
    ilb__evidence_sums e = {(uint32_t)word & 0xffff,
                            (uint32_t)(word >> 16) & 0xffff};

    return e;
}

/* With one more request, `failed` of them, in the run that `seen` has. */
static uint64_t ilb__evidence_pack(ilb__evidence_sums e, uint64_t seen,
                              uint32_t failed)
{
    uint64_t requests = seen >> 32 & ILB__EVIDENCE_RUN_MAX;
    uint64_t failures = seen >> 48;

    if (e.broken == 0 && e.faulty == 0)
        return 0;
    requests += requests < ILB__EVIDENCE_RUN_MAX;
    failures += failures < ILB__EVIDENCE_RUN_MAX ? failed : 0;
    return failures << 48 | requests << 32 | (uint64_t)e.faulty << 16 |
           e.broken;
}

static uint32_t ilb__evidence_less(uint32_t sum, uint32_t step)
{
    return sum > step ? sum - step : 0;
}

static uint32_t ilb__evidence_more(uint32_t sum, uint32_t step)
{
    return sum + step < ILB__EVIDENCE_MAX ? sum + step : ILB__EVIDENCE_MAX;
}

ILB_INTERNAL ilb__evidence_sums ilb__evidence_read(const ilb__a64 *word)
{
    return ilb__evidence_unpack(ilb__load_relaxed(word));
}

ILB_INTERNAL ilb__evidence_run ilb__evidence_run_of(const ilb__a64 *word)
{
    uint64_t seen = ilb__load_relaxed(word);
    ilb__evidence_run run = {(uint32_t)(seen >> 32) & ILB__EVIDENCE_RUN_MAX,
                             (uint32_t)(seen >> 48)};

    return run;
}

ILB_INTERNAL void ilb__evidence_good(ilb__a64 *word, ilb__evidence_steps s)
{
    uint64_t seen = ilb__load_relaxed(word);
    ilb__evidence_sums e;

    if (ILB_LIKELY(seen == 0))
        return;
    do {
        e = ilb__evidence_unpack(seen);
        e.broken = ilb__evidence_less(e.broken, s.broken_down);
        e.faulty = ilb__evidence_less(e.faulty, s.faulty_down);
    } while (!ilb__cas_relaxed(word, &seen, ilb__evidence_pack(e, seen, 0)));
}

ILB_INTERNAL void ilb__evidence_doubt(ilb__a64 *word, ilb__evidence_steps s)
{
    uint64_t seen = ilb__load_relaxed(word);
    ilb__evidence_sums e;

    do {
        e = ilb__evidence_unpack(seen);
        if (e.faulty >= ILB__EVIDENCE_DOUBT_MAX)
            return;
        e.faulty += s.faulty_up;
        if (e.faulty > ILB__EVIDENCE_DOUBT_MAX)
            e.faulty = ILB__EVIDENCE_DOUBT_MAX;
    } while (!ilb__cas_relaxed(word, &seen, ilb__evidence_pack(e, seen, 0)));
}

ILB_INTERNAL ilb__evidence_sums ilb__evidence_bad(ilb__a64 *word,
                                                  ilb__evidence_steps s)
{
    uint64_t seen = ilb__load_relaxed(word);
    ilb__evidence_sums e;

    do {
        e = ilb__evidence_unpack(seen);
        e.broken = ilb__evidence_more(e.broken, s.broken_up);
        e.faulty = ilb__evidence_more(e.faulty, s.faulty_up);
    } while (!ilb__cas_relaxed(word, &seen, ilb__evidence_pack(e, seen, 1)));
    return e;
}
/* ==== libilb/signal/window.c ============================================= */
/* See window.h. */
/* ==== libilb/signal/window.h ============================================= */
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
/* ==== back in libilb/signal/window.c */

#include <string.h>

#define ILB__WINDOW_BACKWARDS (UINT32_MAX / 2)

static uint64_t ilb__window_pack(ilb__tally t)
{
    uint32_t ended, failed;

    memcpy(&ended, &t.ended, sizeof ended);
    memcpy(&failed, &t.failed, sizeof failed);
    return (uint64_t)failed << 32 | ended;
}

static ilb__tally ilb__window_unpack(uint64_t word)
{
    uint32_t ended = (uint32_t)word, failed = (uint32_t)(word >> 32);
    ilb__tally t;

    memcpy(&t.ended, &ended, sizeof t.ended);
    memcpy(&t.failed, &failed, sizeof t.failed);
    return t;
}

static void ilb__window_add(ilb__a64 *word, float keep, ilb__tally more)
{
    ilb__tally t = ilb__window_unpack(ilb__load_relaxed(word));

    t.ended = t.ended * keep + more.ended;
    t.failed = t.failed * keep + more.failed;
    ilb__store_relaxed(word, ilb__window_pack(t));
}

ILB_INTERNAL uint32_t ilb__window_bring(ilb__window *w, uint32_t ended,
                                        uint32_t failed,
                                        const ilb__window_step *step)
{
    uint64_t seen = ilb__load_relaxed(&w->seen);
    uint32_t more_ended = ended - (uint32_t)seen;
    uint32_t more_failed = failed - (uint32_t)(seen >> 32);
    bool known = ilb__load_relaxed(&w->round) == step->round - 1;
    ilb__tally more;

    ilb__store_relaxed(&w->seen, (uint64_t)failed << 32 | ended);
    ilb__store_relaxed(&w->round, step->round);
    /* Backwards: two maintenances overlapped, or the slot is new. */
    if (!known || more_ended > ILB__WINDOW_BACKWARDS ||
        more_failed > ILB__WINDOW_BACKWARDS)
        more_ended = more_failed = 0;
    more.ended = (float)more_ended;
    more.failed = (float)more_failed;
    ilb__window_add(&w->long_term, step->keep_long, more);
    ilb__window_add(&w->short_term, step->keep_short, more);
    return more_ended;
}

ILB_INTERNAL ilb__tally ilb__window_long(const ilb__window *w)
{
    return ilb__window_unpack(ilb__load_relaxed(&w->long_term));
}

ILB_INTERNAL ilb__tally ilb__window_short(const ilb__window *w)
{
    return ilb__window_unpack(ilb__load_relaxed(&w->short_term));
}

ILB_INTERNAL void ilb__window_reset(ilb__window *w)
{
    ilb__store_relaxed(&w->seen, 0);
    ilb__store_relaxed(&w->long_term, 0);
    ilb__store_relaxed(&w->short_term, 0);
    ilb__store_relaxed(&w->round, 0);
}
/* ==== libilb/signal/load.c =============================================== */
/* See load.h. */
/* ==== libilb/signal/load.h =============================================== */
/*
 * What is in flight to one endpoint, how old the oldest unanswered request is,
 * and whether the slot still belongs to the endpoint that the caller means:
 * one word.
 *
 *   bits  0..15  `young`      unanswered, taken since the last turn
 *   bits 16..31  `old`        unanswered, taken before it
 *   bits 32..47  `answered`   its first byte has come; in flight to its end
 *   bit  48      `parity`     changes at each turn
 *   bits 49..63  `generation` of the slot: changes when it is given to another
 *                             endpoint, which needs that nothing is in flight
 *
 * Taking a ticket is one fetch-add on `young`; what it returns also proves
 * that the slot is still the one that was in the table, as a slot's generation
 * changes only by a CAS from {generation, nothing in flight}.
 *
 * Age. `mark_ns` is the time of the last turn. All of `old` was taken before
 * it, so while old > 0, now - mark is a lower bound on the age of the oldest
 * unanswered request. When the last of `old` is answered or returns, the young
 * become the old (a turn): the bound is therefore late by one latency at most.
 * From idle, the mark is the time of the first request, and the first answer
 * makes a turn: until then the bound is exact. (c.f. the in-flight delay of
 * brpc's locality-aware balancer, which sums times, and Kratos, which scans a
 * list.)
 *
 * The mark is stored before the word that it belongs to. A reader that comes
 * in between takes the age for smaller than it is; a thread that is stopped
 * just before the store can make it larger by the length of that stop, until
 * the next turn. Both are errors of one estimate, not of a count.
 *
 * Lease. A ticket that is never returned would be counted for ever. `turned_ns`
 * is the time of the last turn as well, but nobody else sets it: so all of
 * `old` were taken before it, whatever the mark says. If none of a lease's
 * length has ended since, they can be given back (health/lease.h). As a leaked
 * ticket comes to `old` and stays there, no turn comes by itself after it. It
 * is stored before the word that has turned: whoever sees that sees it, or a
 * later one.
 */
#ifndef ILB_SIGNAL_LOAD_H
#define ILB_SIGNAL_LOAD_H

#define ILB_LOAD_BITS 16
#define ILB_LOAD_MASK ((UINT64_C(1) << ILB_LOAD_BITS) - 1)
#define ILB_LOAD_PARITY (UINT64_C(1) << (3 * ILB_LOAD_BITS))
#define ILB_LOAD_GENERATION_SHIFT (3 * ILB_LOAD_BITS + 1)
#define ILB_GENERATION_MASK ((UINT32_C(1) << 15) - 1)

/* An endpoint with so many in flight gets no more: half of what each count can
 * hold, so that threads which pass the check together cannot overflow it. */
#define ILB_LOAD_MAX (UINT32_C(1) << (ILB_LOAD_BITS - 1))

typedef struct ilb__load {
    ilb__a64 word;
    ilb__a64 mark_ns;
    ilb__a64 turned_ns;
} ilb__load;

static inline uint32_t ilb__load_young(uint64_t word)
{
    return (uint32_t)(word & ILB_LOAD_MASK);
}

static inline uint32_t ilb__load_old(uint64_t word)
{
    return (uint32_t)((word >> ILB_LOAD_BITS) & ILB_LOAD_MASK);
}

static inline uint32_t ilb__load_answered(uint64_t word)
{
    return (uint32_t)((word >> (2 * ILB_LOAD_BITS)) & ILB_LOAD_MASK);
}

static inline uint32_t ilb__load_unanswered(uint64_t word)
{
    return ilb__load_young(word) + ilb__load_old(word);
}

static inline uint32_t ilb__load_in_flight(uint64_t word)
{
    return ilb__load_unanswered(word) + ilb__load_answered(word);
}

static inline uint32_t ilb__load_parity(uint64_t word)
{
    return (word & ILB_LOAD_PARITY) != 0;
}

static inline uint32_t ilb__load_generation(uint64_t word)
{
    return (uint32_t)(word >> ILB_LOAD_GENERATION_SHIFT);
}

/* Where a ticket is counted: the parity of its taking, or answered. */
#define ILB_LOAD_IS_ANSWERED 2

static inline uint32_t ilb__load_count(uint64_t word, uint32_t where)
{
    if (where == ILB_LOAD_IS_ANSWERED)
        return ilb__load_answered(word);
    return ilb__load_parity(word) == where ? ilb__load_young(word)
                                           : ilb__load_old(word);
}

/* Is one of this generation counted there? If not, a ticket that says so is a
 * copy of one that is done. */
static inline bool ilb__load_has(uint64_t word, uint32_t generation,
                                 uint32_t where)
{
    return ilb__load_count(word, where) != 0 &&
           ilb__load_generation(word) == generation;
}

/* Age of the oldest unanswered request, at least; 0 if there is none. `word`
 * was just read from `l`. */
static inline uint64_t ilb__load_age_ns(const ilb__load *l, uint64_t word,
                                        uint64_t now_ns)
{
    if (ilb__load_unanswered(word) == 0)
        return 0;
    return ilb__elapsed_ns(ilb__load_relaxed(&l->mark_ns), now_ns);
}

/* When the oldest began to wait, at the latest; UINT64_MAX: unknown, its age is
 * 0. What is set holds until the next turn or, if it is that, until the next
 * request is taken. */
static inline uint64_t ilb__load_mark_ns(const ilb__load *l)
{
    return ilb__load_relaxed(&l->mark_ns);
}

static inline void ilb__load_set_mark(ilb__load *l, uint64_t mark_ns)
{
    ilb__store_relaxed(&l->mark_ns, mark_ns);
}

/* One more in flight. `seen` was read from `l` a moment ago. False, and
 * nothing has changed, if the slot has another generation by now or is full.
 * Else *parity is where the ticket is counted. */
ILB_INTERNAL bool ilb__load_take(ilb__load *l, uint64_t seen,
                                 uint32_t generation, uint64_t now_ns,
                                 uint32_t *parity);

/* One unanswered request is answered, and still in flight: it is counted as
 * ILB_LOAD_IS_ANSWERED now. False as below. */
ILB_INTERNAL bool ilb__load_answer(ilb__load *l, uint32_t generation,
                                   uint32_t parity, uint64_t now_ns);

/* One less in flight. False, and nothing has changed, if none of this
 * generation is counted there: the ticket was a copy of one that is done. */
ILB_INTERNAL bool ilb__load_return(ilb__load *l, uint32_t generation,
                                   uint32_t where, uint64_t now_ns);

/* All of `old` is given back; `word` is as it was read. How many there were; 0:
 * none, or the word has changed. */
ILB_INTERNAL uint32_t ilb__load_expire(ilb__load *l, uint64_t word,
                                       uint64_t now_ns);

/* The young become the old though no old one has ended, as there is none: so
 * that a request which is alone for long comes to be among them. The mark, and
 * with it its age, stays. False: there are some, or the word has changed. */
ILB_INTERNAL bool ilb__load_age_young(ilb__load *l, uint64_t word,
                                      uint64_t now_ns);

/* Gives an idle slot to the next generation. False if something is in
 * flight. */
ILB_INTERNAL bool ilb__load_recycle(ilb__load *l);

#endif
/* ==== back in libilb/signal/load.c */

#define ILB__LOAD_ONE_YOUNG UINT64_C(1)
#define ILB__LOAD_ONE_OLD (UINT64_C(1) << ILB_LOAD_BITS)
#define ILB__LOAD_ONE_ANSWERED (UINT64_C(1) << (2 * ILB_LOAD_BITS))
#define ILB__LOAD_GENERATION_ONE (UINT64_C(1) << ILB_LOAD_GENERATION_SHIFT)

ILB_INTERNAL bool ilb__load_take(ilb__load *l, uint64_t seen,
                                 uint32_t generation, uint64_t now_ns,
                                 uint32_t *parity)
{
    uint64_t before;

    if (ilb__load_generation(seen) != generation ||
        ilb__load_in_flight(seen) >= ILB_LOAD_MAX)
        return false;
    if (ilb__load_unanswered(seen) == 0 ||
        ILB_UNLIKELY(ilb__load_mark_ns(l) == UINT64_MAX))
        ilb__store_relaxed(&l->mark_ns, now_ns);
    /* Relaxed: what the ticket's holder reads of the slot was written before
     * the table that named this generation was published. */
    before = ilb__add_relaxed(&l->word, ILB__LOAD_ONE_YOUNG);
    /* All has been answered since `seen`: its mark is not ours. */
    if (ILB_UNLIKELY(ilb__load_unanswered(before) == 0 &&
                     ilb__load_unanswered(seen) != 0))
        ilb__store_relaxed(&l->mark_ns, now_ns);
    *parity = ilb__load_parity(before);
    if (ILB_LIKELY(ilb__load_generation(before) == generation))
        return true;
    /* The slot was recycled since `seen`. Ours is in flight there now. */
    ilb__load_return(l, ilb__load_generation(before), *parity, now_ns);
    return false;
}

/* The word without one that is counted there. */
static uint64_t ilb__load_without(uint64_t word, uint32_t where)
{
    if (where == ILB_LOAD_IS_ANSWERED)
        return word - ILB__LOAD_ONE_ANSWERED;
    return word -
           (ilb__load_parity(word) == where ? ILB__LOAD_ONE_YOUNG : ILB__LOAD_ONE_OLD);
}

/* The word after a turn. */
static uint64_t ilb__load_turn(ilb__load *l, uint64_t word, uint64_t now_ns)
{
    uint64_t young = ilb__load_young(word);

    /* Before the word: pairs with the acquire in ilb__lease_look_at. */
    ilb__store_relaxed(&l->turned_ns, now_ns);
    return (word ^ ILB_LOAD_PARITY) - young * ILB__LOAD_ONE_YOUNG +
           young * ILB__LOAD_ONE_OLD;
}

/* If the old are all gone, the young become the old. */
static uint64_t ilb__load_turned(ilb__load *l, uint64_t word, uint64_t now_ns)
{
    uint64_t young = ilb__load_young(word);

    if (ilb__load_old(word) != 0 || young == 0)
        return word;
    /* None that is left has an age: the young have none either. */
    if (ILB_LIKELY(ilb__load_mark_ns(l) != UINT64_MAX))
        ilb__store_relaxed(&l->mark_ns, now_ns);
    return ilb__load_turn(l, word, now_ns);
}

/* Takes one out of where it is counted and adds `gain` to the word. */
static bool ilb__load_move(ilb__load *l, uint32_t generation, uint32_t where,
                      uint64_t gain, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&l->word);
    uint64_t next;

    do {
        if (!ilb__load_has(word, generation, where))
            return false;
        next = ilb__load_without(word, where) + gain;
        if (where != ILB_LOAD_IS_ANSWERED)
            next = ilb__load_turned(l, next, now_ns);
        /* Release: pairs with the acquire in ilb__load_recycle. All that the
         * ticket's holder did with the slot is over before it is reused. And
         * with the acquire in lease_turned, lease_expire and
         * ilb__lease_look_at: the time of a turn is there before it. */
    } while (!ilb__cas_release(&l->word, &word, next));
    return true;
}

ILB_INTERNAL bool ilb__load_answer(ilb__load *l, uint32_t generation,
                                   uint32_t parity, uint64_t now_ns)
{
    return ilb__load_move(l, generation, parity, ILB__LOAD_ONE_ANSWERED, now_ns);
}

ILB_INTERNAL bool ilb__load_return(ilb__load *l, uint32_t generation,
                                   uint32_t where, uint64_t now_ns)
{
    return ilb__load_move(l, generation, where, 0, now_ns);
}

ILB_INTERNAL bool ilb__load_recycle(ilb__load *l)
{
    uint64_t word = ilb__load_relaxed(&l->word);

    /* Acquire: pairs with the release in ilb__load_move. Release: pairs with the
     * fence in ilb__table_holds: who sees the new generation sees that the
     * table which had the old one has been replaced, and looks again, where he
     * would else find nobody in it. */
    return ilb__load_in_flight(word) == 0 &&
           ilb__cas_strong_acq_rel(&l->word, word, word + ILB__LOAD_GENERATION_ONE);
}

ILB_INTERNAL uint32_t ilb__load_expire(ilb__load *l, uint64_t word,
                                       uint64_t now_ns)
{
    uint32_t n = ilb__load_old(word);
    uint64_t next = ilb__load_turned(l, word - n * ILB__LOAD_ONE_OLD, now_ns);

    /* Pairs with the acquire in lease_turned and ilb__lease_look_at: as in
     * ilb__load_move, the time of the turn is there before it. */
    return n > 0 && ilb__cas_strong_release(&l->word, word, next) ? n : 0;
}

ILB_INTERNAL bool ilb__load_age_young(ilb__load *l, uint64_t word,
                                      uint64_t now_ns)
{
    /* Pairs with the acquire in lease_turned and ilb__lease_look_at: the time
     * of the turn is there before it. */
    return ilb__load_old(word) == 0 && ilb__load_young(word) > 0 &&
           ilb__cas_strong_release(&l->word, word, ilb__load_turn(l, word, now_ns));
}
/* ==== libilb/signal/epochs.c ============================================= */
/* See epochs.h. */
/* ==== libilb/signal/epochs.h ============================================= */
/*
 * How many of an endpoint's requests have lasted since before a moment, without
 * a list of them: time is cut into epochs, by whoever uses this, and a request
 * is told by when it was picked.
 *
 *   epoch_ns    when the present one began; 0: none has. Of what there was
 * then, candidates  so many are left; since_ns    when the one before it began:
 * of what there was then, n           so many are left.
 *
 * So n counts what has lasted for one epoch at least, two at most.
 *
 * The counts are estimates: threads that come together may miscount, and a
 * request picked at the very time of an epoch counts for one too long. No count
 * of requests depends on it; each turn, and ilb__epochs_of, correct it by what
 * there is at most.
 */
#ifndef ILB_SIGNAL_EPOCHS_H
#define ILB_SIGNAL_EPOCHS_H

typedef struct ilb__epochs {
    ilb__a64 epoch_ns;
    ilb__a64 since_ns;
    ilb__a32 n;
    ilb__a32 candidates;
} ilb__epochs;

/* The next epoch begins, after `since_ns`, from before which there are `n`.
 * `now`: requests that there are in all. */
ILB_INTERNAL void ilb__epochs_turn(ilb__epochs *e, uint64_t since_ns,
                                   uint32_t n, uint32_t all, uint64_t now_ns);

/* One that was picked then is none of them any more. */
ILB_INTERNAL void ilb__epochs_end(ilb__epochs *e, uint64_t picked_ns);

/* n, of so many that there are. */
ILB_INTERNAL uint32_t ilb__epochs_of(ilb__epochs *e, uint32_t all);

/* The slot is another endpoint's. */
ILB_INTERNAL void ilb__epochs_forget(ilb__epochs *e);

/* Does the end of one that was picked then concern it? */
static inline bool ilb__epochs_concern(const ilb__epochs *e, uint64_t picked_ns)
{
    return ILB_UNLIKELY(picked_ns < ilb__load_relaxed(&e->epoch_ns));
}

/* Is one that was picked then counted in n? */
static inline bool ilb__epochs_has(const ilb__epochs *e, uint64_t picked_ns)
{
    return ilb__load_relaxed(&e->epoch_ns) != 0 &&
           picked_ns < ilb__load_relaxed(&e->since_ns);
}

static inline uint32_t ilb__epochs_n(const ilb__epochs *e)
{
    return ilb__load32_relaxed(&e->n);
}

#endif
/* ==== back in libilb/signal/epochs.c */

static void ilb__epochs_less(ilb__a32 *count)
{
    uint32_t n = ilb__load32_relaxed(count);

    while (n > 0 && !ilb__cas32_relaxed(count, &n, n - 1))
        continue;
}

ILB_INTERNAL void ilb__epochs_turn(ilb__epochs *e, uint64_t since_ns,
                                   uint32_t n, uint32_t all, uint64_t now_ns)
{
    ilb__store_relaxed(&e->since_ns, since_ns);
    ilb__store32_relaxed(&e->n, n < all ? n : all);
    ilb__store32_relaxed(&e->candidates, all);
    /* 0 would mean that there is none. */
    ilb__store_relaxed(&e->epoch_ns, now_ns == 0 ? 1 : now_ns);
}

ILB_INTERNAL void ilb__epochs_end(ilb__epochs *e, uint64_t picked_ns)
{
    if (picked_ns < ilb__load_relaxed(&e->epoch_ns))
        ilb__epochs_less(&e->candidates);
    if (picked_ns < ilb__load_relaxed(&e->since_ns))
        ilb__epochs_less(&e->n);
}

ILB_INTERNAL uint32_t ilb__epochs_of(ilb__epochs *e, uint32_t all)
{
    uint32_t n = ilb__load32_relaxed(&e->n);

    while (ILB_UNLIKELY(n > all))
        if (ilb__cas32_relaxed(&e->n, &n, all))
            return all;
    return n;
}

ILB_INTERNAL void ilb__epochs_forget(ilb__epochs *e)
{
    ilb__store_relaxed(&e->epoch_ns, 0);
    ilb__store_relaxed(&e->since_ns, 0);
    ilb__store32_relaxed(&e->n, 0);
    ilb__store32_relaxed(&e->candidates, 0);
}
/* ==== libilb/signal/overtaken.c ========================================== */
/* See overtaken.h. */
/* ==== libilb/signal/overtaken.h ========================================== */
/*
 * Requests that wait while later ones are answered: long ones, long polls,
 * streams without a first byte. They show that their endpoint lives, so their
 * age says nothing against it (it would keep a healthy endpoint out for as long
 * as one poll of 30 s waits). What is in flight to it otherwise has an age
 * still.
 *
 * Counted among what is unanswered (signal/epochs.h): each good answer of a
 * request that was picked after the epoch shows that the candidates are
 * overtaken, and begins a new one, so that n are overtaken for sure. The first
 * begins when a good answer comes for a request picked after the last turn
 * (signal/load.h), while older ones have waited since for unusually long;
 * without any epoch nothing is counted. The sweep (health/sweep.h) corrects it.
 *
 * When nothing but overtaken requests is unanswered the mark of the load is
 * UINT64_MAX, which gives no age, until the next request is taken; else it is
 * the time of the last good answer.
 */
#ifndef ILB_SIGNAL_OVERTAKEN_H
#define ILB_SIGNAL_OVERTAKEN_H

/* A request that is about to end, or to be answered. */
typedef struct ilb__passing {
    uint64_t picked_ns;
    bool unanswered; /* as counted until now */
    bool good;       /* a good answer, or its first byte */
} ilb__passing;

/* Before ilb__load_return or ilb__load_answer. `hang_ns`: older than that is
 * unusual. */
ILB_INTERNAL void ilb__overtaken_pass(ilb__epochs *o, ilb__load *l,
                                      const ilb__passing *p, float hang_ns,
                                      uint64_t now_ns);

/* Does a request that passes concern it? For the hot path: most do not. */
static inline bool ilb__overtaken_concerns(const ilb__epochs *o,
                                           const ilb__load *l, float hang_ns,
                                           uint64_t now_ns)
{
    if (ILB_UNLIKELY(ilb__load_relaxed(&o->epoch_ns) != 0))
        return true;
    return ilb__load_old(ilb__load_relaxed(&l->word)) != 0 &&
           ILB_UNLIKELY((float)ilb__elapsed_ns(ilb__load_mark_ns(l), now_ns) >
                        hang_ns);
}

/* How many there are besides those that count as less than a load already, as
 * long-lived or lost: as far as one can tell, these are of them. */
static inline uint32_t ilb__overtaken_besides(const ilb__epochs *o,
                                              uint32_t less)
{
    uint32_t n = ilb__epochs_n(o);

    return n > less ? n - less : 0;
}

/* All that is unanswered now is. */
ILB_INTERNAL void ilb__overtaken_all(ilb__epochs *o, ilb__load *l,
                                     uint64_t now_ns);

#endif
/* ==== back in libilb/signal/overtaken.c */

/* From when on the others have an age. */
static void ilb__overtaken_mark(const ilb__epochs *o, ilb__load *l,
                           uint32_t unanswered, bool good, uint64_t now_ns)
{
    if (unanswered <= ilb__epochs_n(o))
        ilb__load_set_mark(l, UINT64_MAX);
    else if (good || ilb__load_mark_ns(l) == UINT64_MAX)
        ilb__load_set_mark(l, now_ns);
}

static void ilb__overtaken_begin(ilb__epochs *o, ilb__load *l, uint64_t word,
                            uint32_t unanswered, const ilb__passing *p,
                            float hang_ns, uint64_t now_ns)
{
    uint64_t mark_ns = ilb__load_mark_ns(l);

    if (!p->good || ilb__load_old(word) == 0 || mark_ns == UINT64_MAX ||
        p->picked_ns <= mark_ns ||
        (float)ilb__elapsed_ns(mark_ns, now_ns) <= hang_ns)
        return;
    ilb__epochs_turn(o, mark_ns, ilb__load_old(word), unanswered, now_ns);
    ilb__overtaken_mark(o, l, unanswered, true, now_ns);
}

ILB_INTERNAL void ilb__overtaken_pass(ilb__epochs *o, ilb__load *l,
                                      const ilb__passing *p, float hang_ns,
                                      uint64_t now_ns)
{
    uint64_t epoch_ns = ilb__load_relaxed(&o->epoch_ns);
    uint64_t word = ilb__load_relaxed(&l->word);
    uint32_t unanswered = ilb__load_unanswered(word);

    if (p->unanswered && unanswered > 0)
        unanswered--;
    if (epoch_ns == 0) {
        ilb__overtaken_begin(o, l, word, unanswered, p, hang_ns, now_ns);
        return;
    }
    if (p->unanswered)
        ilb__epochs_end(o, p->picked_ns);
    if (p->good && p->picked_ns > epoch_ns)
        ilb__epochs_turn(o, epoch_ns, ilb__load32_relaxed(&o->candidates),
                         unanswered, now_ns);
    if (unanswered == 0)
        ilb__epochs_forget(o);
    ilb__overtaken_mark(o, l, unanswered, p->good, now_ns);
}

ILB_INTERNAL void ilb__overtaken_all(ilb__epochs *o, ilb__load *l,
                                     uint64_t now_ns)
{
    uint32_t n = ilb__load_unanswered(ilb__load_relaxed(&l->word));

    if (n == 0) {
        ilb__epochs_forget(o);
        return;
    }
    ilb__epochs_turn(o, now_ns, n, n, now_ns);
    ilb__load_set_mark(l, UINT64_MAX);
}
/* ==== libilb/signal/peaks.c ============================================== */
/* See peaks.h. */
/* ==== libilb/signal/peaks.h ============================================== */
/*
 * Whether an endpoint's answers are peaks (signal/latency.h) more often than
 * its peers' are: a cumulative sum of log-likelihood ratios (E. S. Page's
 * CUSUM, 1954), kept from 0 to 10 nats.
 *
 *     a peak:          + ln 10
 *     another answer:  - 3 ln 10 s, but at least 0.01
 *
 *   s  the share of peaks among the answers of all endpoints, of late (two
 *      minutes; before any, 1 in 1000 is taken as seen).
 *
 * So it rises for who has more than three times the peaks of all, and than 1 in
 * 230, and falls for the others: also where everybody's answers have peaks.
 * What was in flight together is one peak.
 *
 * A single peak is forgotten as soon as ordinary answers follow: that is a
 * stop, and the endpoint gets its share back. Of an endpoint with 2 % of peaks
 * ordinary answers prove nothing. So where the sum was at 2 nats already, the
 * next peak begins at the second level, and at 4.3 nats at the third: the
 * endpoint is left alone eight, and 64 times, as long after it.
 *
 * The word of an endpoint without peaks is 0 and is not written.
 *
 * Source: none that we know of. tower and Finagle remember every peak for 10 s
 * and more, and so avoid such an endpoint, but also one that stopped once.
 */
#ifndef ILB_SIGNAL_PEAKS_H
#define ILB_SIGNAL_PEAKS_H

/* Of all endpoints. */
typedef struct ilb__peaks_of_all {
    ilb__a32 n;     /* ever; wraps */
    ilb__a32 seen;  /* of these, what is in the tally */
    ilb__a64 tally; /* peaks and answers of late: two floats */
} ilb__peaks_of_all;

/* The level at which the next peak of an endpoint begins. */
ILB_INTERNAL uint32_t ilb__peaks_level(uint32_t sum);

/* An answer came: was it a peak? */
ILB_INTERNAL void ilb__peaks_learn(ilb__a32 *sum, bool peak,
                                   ilb__peaks_of_all *all);

/* Brings the tally up to date: so many answers more. `keep` of what was there
 * is left. For one thread at a time. */
ILB_INTERNAL void ilb__peaks_refresh(ilb__peaks_of_all *all, float answers,
                                     float keep);

#endif
/* ==== back in libilb/signal/peaks.c */

/* ==== libilb/base/floats.h =============================================== */
/* Two floats in one atomic word: read and written together, without a lock. */
#ifndef ILB_BASE_FLOATS_H
#define ILB_BASE_FLOATS_H

#include <string.h>

static inline uint64_t ilb__floats_bits(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline uint64_t ilb__floats_pair(float low, float high)
{
    return ilb__floats_bits(high) << 32 | ilb__floats_bits(low);
}

static inline float ilb__floats_low(uint64_t word)
{
    uint32_t bits = (uint32_t)word;
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline float ilb__floats_high(uint64_t word)
{
    return ilb__floats_low(word >> 32);
}

#endif
/* ==== back in libilb/signal/peaks.c */

/* All in 1/100 nats. */
#define ILB__PEAKS_UP 230u
#define ILB__PEAKS_DOWN_MIN 1u
#define ILB__PEAKS_MAX 1000u
#define ILB__PEAKS_SECOND 200u
#define ILB__PEAKS_THIRD 430u
/* Up to so many times what all have, it is no more than theirs. */
#define ILB__PEAKS_TIMES 3.0f
/* One peak in so many answers, before any is seen. */
#define ILB__PEAKS_PRIOR 1000.0f

ILB_INTERNAL uint32_t ilb__peaks_level(uint32_t sum)
{
    return sum < ILB__PEAKS_SECOND ? 1 : sum < ILB__PEAKS_THIRD ? 2 : 3;
}

static uint32_t ilb__peaks_down(const ilb__peaks_of_all *all)
{
    uint64_t tally = ilb__load_relaxed(&all->tally);
    float share =
        (1 + ilb__floats_low(tally)) / (ILB__PEAKS_PRIOR + ilb__floats_high(tally));
    uint32_t down = (uint32_t)(ILB__PEAKS_TIMES * (float)ILB__PEAKS_UP * share + 0.5f);

    return down < ILB__PEAKS_DOWN_MIN ? ILB__PEAKS_DOWN_MIN : down;
}

ILB_INTERNAL void ilb__peaks_learn(ilb__a32 *sum, bool peak,
                                   ilb__peaks_of_all *all)
{
    uint32_t was = ilb__load32_relaxed(sum), next, down = 0;

    if (peak)
        ilb__add32_relaxed(&all->n, 1);
    else if (was > 0)
        down = ilb__peaks_down(all);
    do {
        if (peak)
            next = was < ILB__PEAKS_MAX - ILB__PEAKS_UP ? was + ILB__PEAKS_UP : ILB__PEAKS_MAX;
        else
            next = was > down ? was - down : 0;
    } while (next != was && !ilb__cas32_relaxed(sum, &was, next));
}

ILB_INTERNAL void ilb__peaks_refresh(ilb__peaks_of_all *all, float answers,
                                     float keep)
{
    uint32_t n = ilb__load32_relaxed(&all->n);
    uint32_t news = n - ilb__load32_relaxed(&all->seen);
    uint64_t tally = ilb__load_relaxed(&all->tally);

    ilb__store32_relaxed(&all->seen, n);
    ilb__store_relaxed(
        &all->tally,
        ilb__floats_pair(ilb__floats_low(tally) * keep + (float)news,
                         ilb__floats_high(tally) * keep + answers));
}
/* ==== libilb/signal/latency.c ============================================ */
/* See latency.h for the formulas. */
/* ==== libilb/signal/latency.h ============================================ */
/*
 * The latency estimate of one endpoint: a peak-sensitive EWMA.
 *
 * Values: nanoseconds; the estimate is a 32-bit float (7 digits), its stamp
 * counts 2^20 ns (about a millisecond) in 28 bits, its level has 4 bits:
 * together one 64-bit word that is replaced by one CAS. An estimate of 0 means
 * that nothing is known. A stamp wraps after 3.26 days: what was learned just
 * so long ago, or twice, is believed once more until it has faded again, or
 * until the next answer.
 *
 * The reference m is the median of all endpoints' estimates, p99 is of all
 * answers of late (health/pool.h).
 *
 * Reading, at any time, writes nothing:
 *
 *     L = m + (estimate - m) exp(-dt / tau)
 *
 * where dt is the time since the last answer: what is stale means "as the
 * others": when it is forgotten by half and within 10 % of m it is m, as with
 * few requests the last hundredth would still decide who gets all of them. tau
 * is 5 s (above 20 m: 5 s log 20 / log(estimate / m)), but after a peak the
 * time of 20 requests, 0.2 to 3 s, x 8^(level - 1), at most `patience`: a lone
 * blip costs an endpoint seconds; one that is slow each time it is tried again
 * is tried ever less.
 *
 * Learning, from an answer that took x:
 *
 *     peak, x > 3 max(m, p99), m + 0.1 ms and 2 L:   estimate = x; the level
 *         rises by one, if the request began after the last answer (what was
 *         in flight together is one observation), but of an endpoint that has
 *         more peaks than its peers to the second or third (signal/peaks.h);
 *         the 0.1 ms are what a host's scheduler may add to any answer;
 *     else   estimate = L + g (x - L),   g = 1 - exp(-dt / 1 s), at least
 *         0.1 if x is better, 0.2 if it is worse,
 *         0.5 if x <= 2 m and the level is above 0: it was a blip; the level
 *         ends when the estimate is at 2 m.
 *
 * A bound, from a request that failed or was given up, does not raise the level
 * from 0 if L is above 1.3 m: what was known must not fade sooner for it.
 *
 * Of an endpoint that never gave a good answer only a bound may be known: that
 * one would have taken longer. It is kept with a negative sign. It can put the
 * endpoint above the reference, never below; it is no estimate for the median,
 * and the first good answer replaces it. Else whoever fails first, and fast,
 * would be the fastest known.
 *
 * Source: the peak EWMA of Finagle (loadbalancer/PeakEwma.scala) and tower
 * (load/peak_ewma.rs). Where we differ, and why:
 *   - there, each read decays the estimate towards 0 and stamps it, so that
 *     under load it becomes a discounted maximum (after one second's stall on
 *     a 2 ms endpoint it takes no traffic for a minute) and an idle endpoint
 *     becomes ever cheaper. Here good answers bring a peak down, and time
 *     brings it to the median;
 *   - there, any end of a request is a sample: a failure in 1 ms is a fast
 *     answer. Here a request without a good answer only ever raises the
 *     estimate: the time it took is a lower bound (ilb__latency_learn_bound);
 *   - there, whatever is above the estimate is a peak, so that spread among
 *     equal endpoints is taken for one. Here a peak is what is out of the
 *     ordinary for the whole pool.
 */
#ifndef ILB_SIGNAL_LATENCY_H
#define ILB_SIGNAL_LATENCY_H

/* ==== libilb/signal/figures.h ============================================ */
/*
 * What all endpoints have in common, as one request sees it: the yardsticks
 * that an endpoint is measured against. Worked out by health/pool.h.
 */
#ifndef ILB_SIGNAL_FIGURES_H
#define ILB_SIGNAL_FIGURES_H

#include <string.h>

typedef struct ilb__figures {
    float median_ns;   /* of the endpoints' latency estimates; 0: unknown */
    float p99_ns;      /* of all good answers of late; 0: unknown */
    float p0;          /* share of requests that healthy endpoints fail */
    float in_flight;   /* to an eligible endpoint, in the mean */
    float room;        /* in flight to one, while those that are left cannot
                          carry everything; 0: no limit */
    float longlived;   /* what a long-lived request counts as, in load */
    float rate_per_s;  /* requests that end, of all endpoints */
    float patience_ns; /* time constant, at most, of trying a slow one again */
    uint64_t suspect_ns; /* how long one failure keeps an endpoint back */
    uint64_t jumped_ns;  /* the clock has jumped, to here; 0: never */
    uint32_t aperture;   /* endpoints to use; UINT32_MAX: all */
    bool overloaded;     /* those that are left suffer from the ejections */
    bool cold;           /* many have not given a good answer yet */
    bool many_on_trial;  /* many fail or are slow */
    ilb__evidence_steps steps;
} ilb__figures;

/* The same as words that any thread reads while one writes. A reader may find
 * some words of before and some of after: all of them are estimates. */
#define ILB_FIGURES_WORDS (sizeof(ilb__figures) / sizeof(uint64_t))

typedef struct ilb__figures_words {
    ilb__a64 words[ILB_FIGURES_WORDS];
} ilb__figures_words;

static inline void ilb__figures_move(const ilb__figures_words *from,
                                     ilb__figures *f, size_t i)
{
    uint64_t word = ilb__load_relaxed(&from->words[i]);

    memcpy((char *)f + i * sizeof word, &word, sizeof word);
}

/* For every request: eight moves. A loop would be one, in most compilers. */
static inline void ilb__figures_read(const ilb__figures_words *from,
                                     ilb__figures *f)
{
    ilb__figures_move(from, f, 0);
    ilb__figures_move(from, f, 1);
    ilb__figures_move(from, f, 2);
    ilb__figures_move(from, f, 3);
    ilb__figures_move(from, f, 4);
    ilb__figures_move(from, f, 5);
    ilb__figures_move(from, f, 6);
    ilb__figures_move(from, f, 7);
}

static inline void ilb__figures_write(ilb__figures_words *to,
                                      const ilb__figures *f)
{
    for (size_t i = 0; i < ILB_FIGURES_WORDS; i++) {
        uint64_t word;

        memcpy(&word, (const char *)f + i * sizeof word, sizeof word);
        ilb__store_relaxed(&to->words[i], word);
    }
}

_Static_assert(sizeof(ilb__figures) == 8 * sizeof(uint64_t),
               "ilb__figures_read moves eight words");

#define ILB_FIGURES_HANG_P99 1.5f
#define ILB_FIGURES_HANG_MEDIAN 3.0f
#define ILB_FIGURES_HANG_MIN_NS 2e6f
#define ILB_FIGURES_NEVER_NS 1e30f

/* Who has not answered by then answers no more in the ordinary way:
 * max(1.5 p99, 3 median, 2 ms); never, while nobody has answered yet. */
static inline float ilb__figures_hang_ns(const ilb__figures *f)
{
    float ns = ILB_FIGURES_HANG_P99 * f->p99_ns;

    if (f->p99_ns == 0)
        return ILB_FIGURES_NEVER_NS;
    if (ns < ILB_FIGURES_HANG_MEDIAN * f->median_ns)
        ns = ILB_FIGURES_HANG_MEDIAN * f->median_ns;
    return ns < ILB_FIGURES_HANG_MIN_NS ? ILB_FIGURES_HANG_MIN_NS : ns;
}

#define ILB_FIGURES_SILENT_FACTOR 4.0f
#define ILB_FIGURES_SILENT_MIN_NS 2e9f

/* Who has been silent for so long, though asked, is not just late:
 * max(4 hang, 2 s). */
static inline float ilb__figures_silent_ns(const ilb__figures *f)
{
    float ns = ILB_FIGURES_SILENT_FACTOR * ilb__figures_hang_ns(f);

    return ns < ILB_FIGURES_SILENT_MIN_NS ? ILB_FIGURES_SILENT_MIN_NS : ns;
}

#define ILB_FIGURES_AGAIN_FACTOR 4.0f

/* After so long another may ask whether it was a long request: 4 hang. */
static inline float ilb__figures_again_ns(const ilb__figures *f)
{
    return ILB_FIGURES_AGAIN_FACTOR * ilb__figures_hang_ns(f);
}

#define ILB_FIGURES_LONGLIVED_MEDIAN 30.0f
#define ILB_FIGURES_LONGLIVED_MIN_NS 1e9f

/* A request that is in flight for so long is long-lived: max(30 median, 1 s).
 * Not by p99: that of endpoints that have to serve what silent ones do not get
 * says nothing. */
static inline float ilb__figures_longlived_ns(const ilb__figures *f)
{
    float ns = ILB_FIGURES_LONGLIVED_MEDIAN * f->median_ns;

    if (f->p99_ns == 0)
        return ILB_FIGURES_NEVER_NS;
    return ns < ILB_FIGURES_LONGLIVED_MIN_NS ? ILB_FIGURES_LONGLIVED_MIN_NS
                                             : ns;
}

/* Many answers take as long as this: min(p99, 3 median). */
static inline float ilb__figures_ordinary_ns(const ilb__figures *f)
{
    float ns = ILB_FIGURES_HANG_MEDIAN * f->median_ns;

    return ns < f->p99_ns ? ns : f->p99_ns;
}

/* Has the time from `from_ns` to `now_ns` passed? Not if the clock jumped in
 * between. */
static inline bool ilb__figures_passed(const ilb__figures *f, uint64_t from_ns,
                                       uint64_t now_ns)
{
    return from_ns <= now_ns &&
           (ILB_LIKELY(f->jumped_ns <= from_ns) || f->jumped_ns > now_ns);
}

#endif
/* ==== back in libilb/signal/latency.h */

/* After so many peaks in a row a request is a trial (select/score.h). */
#define ILB_LATENCY_TRIAL_LEVEL 3

#define ILB_LATENCY_STAMP_SHIFT 20
#define ILB_LATENCY_LEVEL_SHIFT 28
#define ILB_LATENCY_STAMP_MASK ((UINT32_C(1) << ILB_LATENCY_LEVEL_SHIFT) - 1)
/* How far behind another thread's clock reading may be, ILB_CLOCK_SKEW_NS. */
#define ILB_LATENCY_SKEW_TICKS 2048

typedef struct ilb__latency {
    ilb__a64 word;
} ilb__latency;

/* Units of the stamp since that of the word. */
static inline uint32_t ilb__latency_ticks(uint64_t word, uint64_t now_ns)
{
    uint32_t ticks =
        ((uint32_t)(now_ns >> ILB_LATENCY_STAMP_SHIFT) - (uint32_t)word) &
        ILB_LATENCY_STAMP_MASK;

    return ILB_UNLIKELY(ticks > ILB_LATENCY_STAMP_MASK - ILB_LATENCY_SKEW_TICKS)
               ? 0
               : ticks;
}

/* The estimate, not faded; 0: nothing but a bound is known, or nothing. */
ILB_INTERNAL float ilb__latency_estimate_ns(const ilb__latency *l);

static inline uint32_t ilb__latency_level_of(uint64_t word)
{
    return (uint32_t)word >> ILB_LATENCY_LEVEL_SHIFT;
}

/* Peaks in a row: above 0, the endpoint has not proved itself since. */
static inline uint32_t ilb__latency_level(const ilb__latency *l)
{
    return ilb__latency_level_of(ilb__load_relaxed(&l->word));
}

/* What the estimate is worth now. Without a median, nothing is known of the
 * others either; then the estimate stands as it is. */
ILB_INTERNAL float ilb__latency_faded_ns(uint64_t word, const ilb__figures *f,
                                         uint64_t now_ns);

/* How long what was learned is trusted without new answers, but not of more
 * than so many times the median. */
#define ILB_LATENCY_STALE_TAU_NS 5e9f
#define ILB_LATENCY_FAR 20.0f
/* For so many units of the stamp exp() is simple: 1.68 s. */
#define ILB_LATENCY_SOON_TICKS 1600

/* The same, without a call for what was learned of late and is ordinary. */
static inline float ilb__latency_of(uint64_t word, const ilb__figures *f,
                                    uint64_t now_ns)
{
    float estimate_ns = ilb__floats_high(word), since_ns;
    uint32_t ticks = ilb__latency_ticks(word, now_ns);

    if (ILB_UNLIKELY(estimate_ns <= 0))
        return ilb__latency_faded_ns(word, f, now_ns);
    if (ticks == 0 || f->median_ns == 0)
        return estimate_ns;
    if (ILB_UNLIKELY(ilb__latency_level_of(word) != 0 ||
                     ticks > ILB_LATENCY_SOON_TICKS ||
                     estimate_ns > ILB_LATENCY_FAR * f->median_ns))
        return ilb__latency_faded_ns(word, f, now_ns);
    since_ns = (float)ticks * (float)(1 << ILB_LATENCY_STAMP_SHIFT);
    return f->median_ns +
           (estimate_ns - f->median_ns) *
               (float)ilb__exp_near_0((double)since_ns *
                                      (-1 / (double)ILB_LATENCY_STALE_TAU_NS));
}

static inline float ilb__latency_read_ns(const ilb__latency *l,
                                         const ilb__figures *f, uint64_t now_ns)
{
    return ilb__latency_of(ilb__load_relaxed(&l->word), f, now_ns);
}

/* A good answer took `sample_ns`. If it raises the level, then to `first` at
 * least, from 1 (signal/peaks.h). True: it was such a peak. */
ILB_INTERNAL bool ilb__latency_learn(ilb__latency *l, uint64_t sample_ns,
                                     uint32_t first, const ilb__figures *f,
                                     uint64_t now_ns);

/* A request that got no good answer took `waited_ns`: an answer would have
 * taken longer. */
ILB_INTERNAL void ilb__latency_learn_bound(ilb__latency *l, uint64_t waited_ns,
                                           const ilb__figures *f,
                                           uint64_t now_ns);

/* The endpoint returns as a newcomer: nothing is known. */
ILB_INTERNAL void ilb__latency_forget(ilb__latency *l);

#endif
/* ==== back in libilb/signal/latency.c */

#include <string.h>

/* Evidence older than this counts e times less than new. Short enough to
 * follow a pod that warms up, long enough for a handful of answers at 5/s. */
#define ILB__LATENCY_LEARN_TAU_NS 1e9
/* Not at the median: a bound must not shorten the fading of this. */
#define ILB__LATENCY_APART 1.3f
/* The same after a peak, for its first level. */
#define ILB__LATENCY_PEAK_TAU_NS 2e8f
#define ILB__LATENCY_PEAK_REQUESTS 20.0f
#define ILB__LATENCY_PEAK_FIRST_MAX_NS 3e9f
#define ILB__LATENCY_PEAK_SHIFT 3
/* Mostly forgotten, and as near to the median as chance alone: the median. */
#define ILB__LATENCY_FORGOTTEN 0.5f
#define ILB__LATENCY_NEAR 0.1f
#define ILB__LATENCY_GAIN_BETTER 0.1f
#define ILB__LATENCY_GAIN_WORSE 0.2f
#define ILB__LATENCY_GAIN_BLIP 0.5f
#define ILB__LATENCY_PEAK_FACTOR 3.0f
#define ILB__LATENCY_PEAK_ANEW 2.0f
/* Less than that above the median is the host's scheduler. */
#define ILB__LATENCY_PEAK_MARGIN_NS 1e5f
#define ILB__LATENCY_ORDINARY_FACTOR 2.0f
#define ILB__LATENCY_LEVEL_MAX 15

typedef struct ilb__latency_fields {
    float estimate_ns;
    uint32_t level;
} ilb__latency_fields;

static uint64_t ilb__latency_pack(ilb__latency_fields f, uint64_t now_ns)
{
    uint32_t stamp =
        (uint32_t)(now_ns >> ILB_LATENCY_STAMP_SHIFT) & ILB_LATENCY_STAMP_MASK;
    uint32_t bits;

    memcpy(&bits, &f.estimate_ns, sizeof bits);
    return (uint64_t)bits << 32 | f.level << ILB_LATENCY_LEVEL_SHIFT | stamp;
}

static ilb__latency_fields ilb__latency_unpack(uint64_t word)
{
    uint32_t bits = (uint32_t)(word >> 32);
    ilb__latency_fields f;

    memcpy(&f.estimate_ns, &bits, sizeof bits);
    f.level = ilb__latency_level_of(word);
    return f;
}

/* Nanoseconds since the word's stamp. */
static float ilb__latency_since_ns(uint64_t word, uint64_t now_ns)
{
    return (float)ilb__latency_ticks(word, now_ns) *
           (float)(1 << ILB_LATENCY_STAMP_SHIFT);
}

static float ilb__latency_tau_ns(float estimate_ns, uint32_t level,
                            const ilb__figures *f)
{
    float tau_ns;

    if (level == 0) {
        if (estimate_ns <= ILB_LATENCY_FAR * f->median_ns)
            return ILB_LATENCY_STALE_TAU_NS;
        return ILB_LATENCY_STALE_TAU_NS * ilb__log2(ILB_LATENCY_FAR) /
               ilb__log2(estimate_ns / f->median_ns);
    }
    tau_ns = ILB__LATENCY_PEAK_TAU_NS;
    if (f->rate_per_s * tau_ns < ILB__LATENCY_PEAK_REQUESTS * 1e9f)
        tau_ns = ILB__LATENCY_PEAK_REQUESTS * 1e9f / (f->rate_per_s + 1e-3f);
    if (tau_ns > ILB__LATENCY_PEAK_FIRST_MAX_NS)
        tau_ns = ILB__LATENCY_PEAK_FIRST_MAX_NS;
    tau_ns *= (float)(UINT64_C(1) << (ILB__LATENCY_PEAK_SHIFT * (level - 1)));
    if (tau_ns > f->patience_ns)
        tau_ns = f->patience_ns > ILB__LATENCY_PEAK_TAU_NS ? f->patience_ns
                                                      : ILB__LATENCY_PEAK_TAU_NS;
    return tau_ns;
}

ILB_INTERNAL float ilb__latency_faded_ns(uint64_t word, const ilb__figures *f,
                                         uint64_t now_ns)
{
    ilb__latency_fields l = ilb__latency_unpack(word);
    float since_ns, keep, apart_ns;

    if (l.estimate_ns < 0 && -l.estimate_ns > f->median_ns)
        l.estimate_ns = -l.estimate_ns;
    if (l.estimate_ns <= 0)
        return f->median_ns;
    since_ns = ilb__latency_since_ns(word, now_ns);
    if (f->median_ns == 0 || since_ns == 0)
        return l.estimate_ns;
    keep = (float)ilb__decay((double)since_ns,
                             (double)ilb__latency_tau_ns(l.estimate_ns, l.level, f));
    apart_ns = (l.estimate_ns - f->median_ns) * keep;
    if (keep < ILB__LATENCY_FORGOTTEN &&
        (apart_ns < 0 ? -apart_ns : apart_ns) < ILB__LATENCY_NEAR * f->median_ns)
        return f->median_ns;
    return f->median_ns + apart_ns;
}

/* Out of the ordinary for the pool, and news of this endpoint? */
static bool ilb__latency_is_peak(float sample_ns, float faded_ns,
                            const ilb__figures *f)
{
    float ordinary_ns = f->median_ns > f->p99_ns ? f->median_ns : f->p99_ns;

    return f->median_ns > 0 && sample_ns > ILB__LATENCY_PEAK_FACTOR * ordinary_ns &&
           sample_ns > f->median_ns + ILB__LATENCY_PEAK_MARGIN_NS &&
           sample_ns > ILB__LATENCY_PEAK_ANEW * faded_ns;
}

static uint32_t ilb__latency_raised(uint64_t word, uint32_t level, float sample_ns,
                               uint64_t now_ns)
{
    /* Begun before the last answer: the same stall as what that one told. */
    if (level > 0 && sample_ns > ilb__latency_since_ns(word, now_ns))
        return level;
    return level < ILB__LATENCY_LEVEL_MAX ? level + 1 : level;
}

/* 1 - exp(-dt / 1 s), at least `least`. */
static float ilb__latency_gain(float since_ns, float least)
{
    float gain;

    /* 1 - exp(-x) is below x. */
    if (ILB_LIKELY(since_ns <= least * (float)ILB__LATENCY_LEARN_TAU_NS))
        return least;
    gain = 1 - (float)ilb__decay((double)since_ns, ILB__LATENCY_LEARN_TAU_NS);
    return gain < least ? least : gain;
}

static ilb__latency_fields ilb__latency_learned(uint64_t word, float sample_ns,
                                      const ilb__figures *f, uint64_t now_ns)
{
    ilb__latency_fields l = ilb__latency_unpack(word);
    float faded_ns = ilb__latency_of(word, f, now_ns);
    float gain, least;

    if (ilb__latency_is_peak(sample_ns, faded_ns, f)) {
        l.level = ilb__latency_raised(word, l.level, sample_ns, now_ns);
        l.estimate_ns = sample_ns;
        return l;
    }
    if (l.estimate_ns <= 0) {
        l.estimate_ns = sample_ns;
        l.level = 0;
        return l;
    }
    least = sample_ns < faded_ns ? ILB__LATENCY_GAIN_BETTER : ILB__LATENCY_GAIN_WORSE;
    if (l.level > 0 && sample_ns <= ILB__LATENCY_ORDINARY_FACTOR * f->median_ns)
        least = ILB__LATENCY_GAIN_BLIP;
    gain = ilb__latency_gain(ilb__latency_since_ns(word, now_ns), least);
    l.estimate_ns = faded_ns + (sample_ns - faded_ns) * gain;
    if (sample_ns <= ILB__LATENCY_ORDINARY_FACTOR * f->median_ns &&
        l.estimate_ns <= ILB__LATENCY_ORDINARY_FACTOR * f->median_ns)
        l.level = 0;
    return l;
}

/* A sample as a float; never 0, which would mean "nothing known". */
static float ilb__latency_sample(uint64_t ns)
{
    return ns == 0 ? 1.0f : (float)ns;
}

ILB_INTERNAL float ilb__latency_estimate_ns(const ilb__latency *l)
{
    float ns = ilb__latency_unpack(ilb__load_relaxed(&l->word)).estimate_ns;

    return ns > 0 ? ns : 0;
}

ILB_INTERNAL bool ilb__latency_learn(ilb__latency *l, uint64_t sample_ns,
                                     uint32_t first, const ilb__figures *f,
                                     uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&l->word);
    ilb__latency_fields next;
    bool peak;

    do {
        next = ilb__latency_learned(word, ilb__latency_sample(sample_ns), f, now_ns);
        peak = next.level > ilb__latency_unpack(word).level;
        if (ILB_UNLIKELY(peak && next.level < first))
            next.level = first;
    } while (!ilb__cas_relaxed(&l->word, &word, ilb__latency_pack(next, now_ns)));
    return peak;
}

ILB_INTERNAL void ilb__latency_learn_bound(ilb__latency *l, uint64_t waited_ns,
                                           const ilb__figures *f,
                                           uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&l->word);
    float bound = ilb__latency_sample(waited_ns);
    ilb__latency_fields next;

    do {
        float faded_ns = ilb__latency_of(word, f, now_ns);

        next = ilb__latency_unpack(word);
        if (bound <= faded_ns)
            return;
        if (next.level > 0 && bound > ILB__LATENCY_PEAK_ANEW * faded_ns) {
            /* Slow before, and again: how slow, is known from before. */
            next.level = ilb__latency_raised(word, next.level, bound, now_ns);
            if (next.estimate_ns >= 0 && next.estimate_ns < bound)
                next.estimate_ns = bound;
            else if (next.estimate_ns < 0 && -next.estimate_ns < bound)
                next.estimate_ns = -bound;
            continue;
        }
        if (ilb__latency_is_peak(bound, faded_ns, f) &&
            faded_ns <= ILB__LATENCY_APART * f->median_ns)
            next.level = ilb__latency_raised(word, next.level, bound, now_ns);
        next.estimate_ns = next.estimate_ns > 0 ? bound : -bound;
    } while (!ilb__cas_relaxed(&l->word, &word, ilb__latency_pack(next, now_ns)));
}

ILB_INTERNAL void ilb__latency_forget(ilb__latency *l)
{
    ilb__store_relaxed(&l->word, 0);
}
/* ==== libilb/signal/slowness.c =========================================== */
/* See slowness.h for the formulas. */
/* ==== libilb/signal/slowness.h =========================================== */
/*
 * Evidence that an endpoint is much slower than its peers: a cumulative sum
 * (E. S. Page's CUSUM, 1954) of how far its answers are above four times the
 * peers' median. In units of
 *
 *     u = max(m, (m + margin) / 4)     m: the median of all endpoints'
 *                                      estimates, which has their queues in it;
 *                                      the margin is an option, 20 ms
 *
 *     an answer that took x:           sum + 0.257 (min(x / u, 12) - 4)
 *     none, given up after x >= 3 u:   sum + 0.257 min(x / u, 8)
 *
 * and never below 0. It is the log-likelihood ratio, in nats, of "answers take
 * 7 u in the mean" against "2.5 u", exponential ones, and what that comes to
 * for one that was not waited for. As it is linear, only the mean counts: it
 * falls for every endpoint of a mean below 4 u, however its answers are spread
 * (a zone that is 2.5 times slower, by 0.39 an answer; peers, by 0.77: also
 * where a few requests are heavy, as m is a mean and has them in it), and rises
 * for one above (5 u: by up to 0.26, 20 u: 2.05). So a threshold h is a false
 * alarm once in e^h answers, at most, of an endpoint 2.5 times slower (G.
 * Lorden 1971); and as one answer adds 2.05 at most, 16 nats are eight answers.
 *
 * What was in flight together is one observation: only a request that began
 * after the last one that counted had ended counts. One stop, whatever it holds
 * up, adds once.
 *
 * An answer that takes more than 1.5 times the p99 of all answers, and than 4
 * u, counts as 12 u: of a healthy endpoint less than one in a hundred
 * does, 2.05 nats are "one in thirteen". Where answers are alike this tells one
 * that is five times slower in eight of them. (Those of a slow zone are in the
 * p99.)
 *
 * A request of several times the ordinary cost counts by what an ordinary one
 * would have taken (signal/cost.h).
 *
 *   bits  0..15  the sum, in 1/256
 *   bits 16..23  observations that it is made of; 255: or more
 *   bits 24..63  when the last of them ended, in 2^16 ns, on a circle
 *
 * The word of an endpoint that is not slow is 0 and is not written.
 *
 * Envoy and others eject by failures only; a slow endpoint is left to the load
 * balancing there.
 */
#ifndef ILB_SIGNAL_SLOWNESS_H
#define ILB_SIGNAL_SLOWNESS_H

/* From so many u on an answer speaks against an endpoint, u >= m. */
#define ILB_SLOWNESS_FACTOR 4.0f
/* More than this says no more. */
#define ILB_SLOWNESS_MOST 12.0f
/* Given up before that, it says nothing. */
#define ILB_SLOWNESS_GIVEN_UP 3.0f

typedef struct ilb__slowness {
    uint32_t sum; /* in 1/256 */
    uint32_t n;   /* observations that it is made of */
} ilb__slowness;

/* One request: how long it took or, not answered, waited. */
typedef struct ilb__wait {
    float units; /* of u */
    bool answered;
    uint64_t began_ns;
} ilb__wait;

/* u; 0: unknown. */
static inline float ilb__slowness_unit_ns(const ilb__figures *f,
                                          uint64_t margin_ns)
{
    float ns = (f->median_ns + (float)margin_ns) / ILB_SLOWNESS_FACTOR;

    return f->median_ns == 0 || ns < f->median_ns ? f->median_ns : ns;
}

/* Could an answer that took so long, of an endpoint with this word, change it?
 * For ilb_done: most cannot. */
static inline bool ilb__slowness_concerns(const ilb__a64 *word, uint64_t ns,
                                          const ilb__figures *f)
{
    return ILB_UNLIKELY(ilb__load_relaxed(word) != 0) ||
           ILB_UNLIKELY((float)ns > ILB_SLOWNESS_FACTOR * f->median_ns);
}

/* One more. True: it speaks against the endpoint, and *s is the sum with it. */
ILB_INTERNAL bool ilb__slowness_add(ilb__a64 *word, const ilb__wait *w,
                                    uint64_t now_ns, ilb__slowness *s);

#endif
/* ==== back in libilb/signal/slowness.c */

#define ILB__SLOWNESS_NATS 0.257f
/* What adds as much for a request that was given up. */
#define ILB__SLOWNESS_GIVEN_UP_MOST (ILB_SLOWNESS_MOST - ILB_SLOWNESS_FACTOR)
/* Twice the threshold: what was proved long ago is forgotten in bounded time.
 */
#define ILB__SLOWNESS_SUM_MAX (32 * ILB_EVIDENCE_ONE)
#define ILB__SLOWNESS_N_MAX 255
#define ILB__SLOWNESS_STAMP_SHIFT 16
#define ILB__SLOWNESS_STAMP_MASK ((UINT64_C(1) << 40) - 1)

static uint64_t ilb__slowness_stamp(uint64_t ns)
{
    return ns >> ILB__SLOWNESS_STAMP_SHIFT & ILB__SLOWNESS_STAMP_MASK;
}

/* Did the request begin after the last one that counted had ended? Half of the
 * circle is a year. */
static bool ilb__slowness_is_news(uint64_t word, uint64_t began_ns)
{
    uint64_t after =
        (ilb__slowness_stamp(began_ns) - (word >> 24)) & ILB__SLOWNESS_STAMP_MASK;

    return word == 0 || after <= ILB__SLOWNESS_STAMP_MASK / 2;
}

/* What it adds, in 1/256, rounded. */
static int32_t ilb__slowness_step(const ilb__wait *w)
{
    float most = w->answered ? ILB_SLOWNESS_MOST : ILB__SLOWNESS_GIVEN_UP_MOST;
    float units = w->units < most ? w->units : most;

    if (w->answered)
        units -= ILB_SLOWNESS_FACTOR;
    units *= ILB__SLOWNESS_NATS * (float)ILB_EVIDENCE_ONE;
    return (int32_t)(units < 0 ? units - 0.5f : units + 0.5f);
}

ILB_INTERNAL bool ilb__slowness_add(ilb__a64 *word, const ilb__wait *w,
                                    uint64_t now_ns, ilb__slowness *s)
{
    uint64_t seen = ilb__load_relaxed(word);
    int32_t step = ilb__slowness_step(w);
    uint64_t next;

    if (!w->answered && w->units < ILB_SLOWNESS_GIVEN_UP)
        return false;
    do {
        int32_t sum = (int32_t)(seen & 0xffff) + step;

        if (!ilb__slowness_is_news(seen, w->began_ns))
            return false;
        if (sum > ILB__SLOWNESS_SUM_MAX)
            sum = ILB__SLOWNESS_SUM_MAX;
        s->sum = sum < 0 ? 0 : (uint32_t)sum;
        s->n = ((uint32_t)(seen >> 16) & ILB__SLOWNESS_N_MAX) + 1;
        if (s->n > ILB__SLOWNESS_N_MAX)
            s->n = ILB__SLOWNESS_N_MAX;
        next = s->sum == 0 ? 0
                           : ilb__slowness_stamp(now_ns) << 24 |
                                 (uint64_t)s->n << 16 | s->sum;
    } while (next != seen && !ilb__cas_relaxed(word, &seen, next));
    return step > 0;
}
/* ==== libilb/signal/silence.c ============================================ */
/* See silence.h. */
/* ==== libilb/signal/silence.h ============================================ */
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
/* ==== back in libilb/signal/silence.c */

#define ILB__SILENCE_ASKED_SHIFT 20
#define ILB__SILENCE_ASKED_MAX 0xffff
#define ILB__SILENCE_N_MAX 255
#define ILB__SILENCE_STAMP_SHIFT 16
#define ILB__SILENCE_STAMP_MASK ((UINT64_C(1) << 40) - 1)

static uint64_t ilb__silence_stamp(uint64_t ns)
{
    return ns >> ILB__SILENCE_STAMP_SHIFT & ILB__SILENCE_STAMP_MASK;
}

static ilb__silence ilb__silence_unpack(uint64_t word, uint64_t quiet_ns,
                                   uint64_t now_ns)
{
    uint64_t since =
        (ilb__silence_stamp(now_ns) - (word >> 24)) & ILB__SILENCE_STAMP_MASK;
    ilb__silence s = {0, 0, 0};

    /* On the other half of the circle: another thread's clock is ahead. */
    if (since > ILB__SILENCE_STAMP_MASK / 2)
        since = 0;
    s.last_ns = since << ILB__SILENCE_STAMP_SHIFT;
    if (word == 0 || s.last_ns > quiet_ns)
        return s;
    s.asked_ns = (word & ILB__SILENCE_ASKED_MAX) << ILB__SILENCE_ASKED_SHIFT;
    s.n = (uint32_t)(word >> 16) & ILB__SILENCE_N_MAX;
    return s;
}

ILB_INTERNAL ilb__silence ilb__silence_read(const ilb__a64 *word,
                                            uint64_t quiet_ns, uint64_t now_ns)
{
    return ilb__silence_unpack(ilb__load_relaxed(word), quiet_ns, now_ns);
}

ILB_INTERNAL void ilb__silence_add(ilb__a64 *word, uint64_t waited_ns,
                                   uint64_t quiet_ns, uint64_t now_ns)
{
    uint64_t seen = ilb__load_relaxed(word);
    uint64_t more_ns, asked;
    ilb__silence s;

    if (waited_ns > quiet_ns)
        waited_ns = quiet_ns;
    do {
        s = ilb__silence_unpack(seen, quiet_ns, now_ns);
        more_ns = s.n > 0 && waited_ns > s.last_ns ? s.last_ns : waited_ns;
        asked = (s.asked_ns + more_ns) >> ILB__SILENCE_ASKED_SHIFT;
        if (asked > ILB__SILENCE_ASKED_MAX)
            asked = ILB__SILENCE_ASKED_MAX;
        if (s.n < ILB__SILENCE_N_MAX)
            s.n++;
    } while (!ilb__cas_relaxed(word, &seen,
                               ilb__silence_stamp(now_ns) << 24 |
                                   (uint64_t)s.n << 16 | asked));
}
/* ==== libilb/signal/failures.c =========================================== */
/* See failures.h. */
/* ==== libilb/signal/failures.h =========================================== */
/*
 * The failures of one endpoint: how many in a row, and the recent share.
 *
 *   bits  0..31  `stamp`  time of the last change, in 2^20 ns
 *   bits 32..47  `row`    failures since the last good answer; saturates
 *   bits 48..63  `share`  in 1/65535
 *
 * A failure moves the share by 1/5 of the way to 1, a good answer by 1/10 of
 * the way to 0, and time fades it with a time constant of 3 s: one failure
 * must not cost a healthy endpoint its traffic for longer than seconds.
 *
 * The word of an endpoint that does not fail is 0 and is not written.
 */
#ifndef ILB_SIGNAL_FAILURES_H
#define ILB_SIGNAL_FAILURES_H

typedef struct ilb__failures {
    ilb__a64 word;
} ilb__failures;

/* The recent share of failures, 0..1. */
ILB_INTERNAL float ilb__failures_share(const ilb__failures *f, uint64_t now_ns);

/* Failures in a row. */
ILB_INTERNAL uint32_t ilb__failures_in_a_row(const ilb__failures *f);

/* Did the last request fail, less than `suspect_ns` ago? */
ILB_INTERNAL bool ilb__failures_suspect(const ilb__failures *f,
                                        uint64_t suspect_ns, uint64_t now_ns);

/* A good answer. */
ILB_INTERNAL void ilb__failures_good(ilb__failures *f, uint64_t now_ns);

/* A failure; `in_a_row` false: it raises the share only. Returns how many in
 * a row there are now. */
ILB_INTERNAL uint32_t ilb__failures_bad(ilb__failures *f, bool in_a_row,
                                        uint64_t now_ns);

#endif
/* ==== back in libilb/signal/failures.c */

#define ILB__FAILURES_STALE_TAU_NS 3e9
#define ILB__FAILURES_GAIN_BAD 0.2
#define ILB__FAILURES_GAIN_GOOD 0.1
#define ILB__FAILURES_SHARE_ONE 65535.0
#define ILB__FAILURES_ROW_MAX UINT32_C(65535)
#define ILB__FAILURES_STAMP_SHIFT 20
/* How far behind another thread's clock reading may be, ILB_CLOCK_SKEW_NS. */
#define ILB__FAILURES_SKEW_TICKS 2048

static uint32_t ilb__failures_row(uint64_t word)
{
    return (uint32_t)(word >> 32) & ILB__FAILURES_ROW_MAX;
}

static double ilb__failures_faded(uint64_t word, uint64_t now_ns)
{
    uint32_t ticks =
        (uint32_t)(now_ns >> ILB__FAILURES_STAMP_SHIFT) - (uint32_t)word;
    double share = (double)(word >> 48) / ILB__FAILURES_SHARE_ONE;

    if (share == 0 || ticks > UINT32_MAX - ILB__FAILURES_SKEW_TICKS)
        return share;
    return share *
           ilb__decay((double)ticks * (double)(1 << ILB__FAILURES_STAMP_SHIFT),
                      ILB__FAILURES_STALE_TAU_NS);
}

static uint64_t ilb__failures_pack(double share, uint32_t row, uint64_t now_ns)
{
    uint64_t fixed = (uint64_t)(share * ILB__FAILURES_SHARE_ONE);

    if (fixed == 0 && row == 0)
        return 0;
    return fixed << 48 | (uint64_t)row << 32 |
           (uint32_t)(now_ns >> ILB__FAILURES_STAMP_SHIFT);
}

ILB_INTERNAL float ilb__failures_share(const ilb__failures *f, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&f->word);

    return ILB_LIKELY(word == 0) ? 0 : (float)ilb__failures_faded(word, now_ns);
}

ILB_INTERNAL uint32_t ilb__failures_in_a_row(const ilb__failures *f)
{
    return ilb__failures_row(ilb__load_relaxed(&f->word));
}

ILB_INTERNAL bool ilb__failures_suspect(const ilb__failures *f,
                                        uint64_t suspect_ns, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&f->word);
    uint32_t ticks =
        (uint32_t)(now_ns >> ILB__FAILURES_STAMP_SHIFT) - (uint32_t)word;

    if (ILB_LIKELY(ilb__failures_row(word) == 0))
        return false;
    return ticks > UINT32_MAX - ILB__FAILURES_SKEW_TICKS ||
           ticks < suspect_ns >> ILB__FAILURES_STAMP_SHIFT;
}

ILB_INTERNAL void ilb__failures_good(ilb__failures *f, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&f->word);
    double share;

    if (ILB_LIKELY(word == 0))
        return;
    do {
        share = ilb__failures_faded(word, now_ns);
        share -= share * ILB__FAILURES_GAIN_GOOD;
    } while (
        !ilb__cas_relaxed(&f->word, &word, ilb__failures_pack(share, 0, now_ns)));
}

ILB_INTERNAL uint32_t ilb__failures_bad(ilb__failures *f, bool in_a_row,
                                        uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&f->word);
    double share;
    uint32_t row;

    do {
        share = ilb__failures_faded(word, now_ns);
        share += (1 - share) * ILB__FAILURES_GAIN_BAD;
        row = ilb__failures_row(word);
        if (in_a_row && row < ILB__FAILURES_ROW_MAX)
            row++;
    } while (
        !ilb__cas_relaxed(&f->word, &word, ilb__failures_pack(share, row, now_ns)));
    return row;
}
/* ==== libilb/signal/refusals.c =========================================== */
/* See refusals.h. */
/* ==== libilb/signal/refusals.h =========================================== */
/*
 * An endpoint that refuses for load (ilb_outcome ILB_OVERLOAD) without saying
 * when to come back: it is held back for a while, so that any other is better.
 *
 *     50 ms x 2^(row - 1), at most 2 s, and up to a quarter more at random, so
 *     that callers which were refused together do not return together
 *
 * and then it gets one request at a time, until a good answer. `row` counts
 * refusals since the last one, but only one for each time that it was tried:
 * what comes while it is held back was in flight already. A refusal is fast and
 * leaves nothing in flight: without this, whoever refuses looks idle, and where
 * the others have more than ten in flight each no price on failures is enough.
 *
 * Who has refused will do so again, at the same load: for a minute after a hold
 * its requests are trials (select/score.h), which their callers send elsewhere.
 * Nothing is lost by that: what was refused has not been begun.
 *
 *   bits  0..15  `row`
 *   bits 16..63  `until`, in units of 2^16 ns; it stays after a good answer
 */
#ifndef ILB_SIGNAL_REFUSALS_H
#define ILB_SIGNAL_REFUSALS_H

#define ILB_REFUSALS_HOLD_NS (50 * ILB_MS_NS)
#define ILB_REFUSALS_HOLD_MAX_NS (2 * ILB_SECOND_NS)
#define ILB_REFUSALS_LATELY_NS (60 * ILB_SECOND_NS)
#define ILB_REFUSALS_ROW 0xffffu
/* Of `until`, in the word as in time. */
#define ILB_REFUSALS_SHIFT 16

/* It has refused a request; `bits` are random ones. `least_ns`: it is held back
 * until then at least. */
ILB_INTERNAL void ilb__refusals_add(ilb__a64 *word, uint32_t bits,
                                    uint64_t least_ns, uint64_t now_ns);

/* A good answer. */
static inline void ilb__refusals_end(ilb__a64 *word)
{
    uint64_t seen = ilb__load_relaxed(word);

    if (ILB_UNLIKELY((seen & ILB_REFUSALS_ROW) != 0))
        (void)ilb__cas_relaxed(word, &seen, seen & ~(uint64_t)ILB_REFUSALS_ROW);
}

/* Has it refused since its last good answer? */
static inline bool ilb__refusals_any(const ilb__a64 *word)
{
    return (ilb__load_relaxed(word) & ILB_REFUSALS_ROW) != 0;
}

/* Has it refused within a minute, so that it may again? */
static inline bool ilb__refusals_lately(const ilb__a64 *word, uint64_t now_ns)
{
    uint64_t seen = ilb__load_relaxed(word);

    return ILB_UNLIKELY(seen != 0) &&
           ilb__elapsed_ns(seen >> ILB_REFUSALS_SHIFT << ILB_REFUSALS_SHIFT,
                           now_ns) < ILB_REFUSALS_LATELY_NS;
}

/* Is it held back? */
ILB_INTERNAL bool ilb__refusals_hold(const ilb__a64 *word, uint64_t now_ns);

#endif
/* ==== back in libilb/signal/refusals.c */

#define ILB__REFUSALS_UNTIL_MAX ((UINT64_C(1) << 48) - 1)

static uint64_t ilb__refusals_until_ns(uint64_t word)
{
    return word >> ILB_REFUSALS_SHIFT << ILB_REFUSALS_SHIFT;
}

static uint64_t ilb__refusals_hold_ns(uint32_t row, uint32_t bits)
{
    uint64_t ns = ILB_REFUSALS_HOLD_NS;

    while (--row > 0 && ns < ILB_REFUSALS_HOLD_MAX_NS)
        ns *= 2;
    if (ns > ILB_REFUSALS_HOLD_MAX_NS)
        ns = ILB_REFUSALS_HOLD_MAX_NS;
    return ns + (uint64_t)((double)ns / 4 * (double)bits / 4294967296.0);
}

ILB_INTERNAL void ilb__refusals_add(ilb__a64 *word, uint32_t bits,
                                    uint64_t least_ns, uint64_t now_ns)
{
    uint64_t seen = ilb__load_relaxed(word), next;

    do {
        uint32_t row = (uint32_t)seen & ILB_REFUSALS_ROW;
        uint64_t until_ns = ilb__refusals_until_ns(seen);

        if (row == 0 || now_ns >= until_ns) {
            row += row < ILB_REFUSALS_ROW;
            until_ns = ilb__later_ns(now_ns, ilb__refusals_hold_ns(row, bits));
        }
        if (until_ns < least_ns)
            until_ns = least_ns;
        until_ns >>= ILB_REFUSALS_SHIFT;
        if (until_ns > ILB__REFUSALS_UNTIL_MAX)
            until_ns = ILB__REFUSALS_UNTIL_MAX;
        next = until_ns << ILB_REFUSALS_SHIFT | row;
    } while (!ilb__cas_relaxed(word, &seen, next));
}

ILB_INTERNAL bool ilb__refusals_hold(const ilb__a64 *word, uint64_t now_ns)
{
    uint64_t seen = ilb__load_relaxed(word);

    return (seen & ILB_REFUSALS_ROW) != 0 && ilb__refusals_until_ns(seen) > now_ns;
}
/* ==== libilb/signal/checks.c ============================================= */
/* See checks.h. */
/* ==== libilb/signal/checks.h ============================================= */
/*
 * What active health checks of one endpoint said, which the caller makes and
 * hands in. As usual for such checks it takes several in a row to believe them:
 *
 *     DOWN      `unhealthy_threshold` or more have failed in a row
 *     UP        `healthy_threshold` or more have passed in a row, since the
 *               endpoint was ejected last
 *     UP_AGAIN  these have just become so many, and before them one had failed:
 *               that is news. That a check passes which has always passed says
 *               nothing of an endpoint whose requests fail.
 *
 * Ejection by checks is a lease: it lasts for twice the time between two
 * checks, so that an endpoint does not stay away for ever if the checks end.
 *
 * Writer's, under the balancer's mutex.
 */
#ifndef ILB_SIGNAL_CHECKS_H
#define ILB_SIGNAL_CHECKS_H

typedef struct ilb__checks {
    uint32_t failed, passed; /* in a row */
    bool down;               /* one has failed since it was up */
    uint64_t last_ns;        /* when the last one came; 0: none has */
    uint64_t lease_ns;
    uint64_t ejections; /* of the endpoint, when the last one came */
} ilb__checks;

typedef enum ilb__checked {
    ILB__CHECKED_NOTHING = 0,
    ILB__CHECKED_DOWN,
    ILB__CHECKED_UP,
    ILB__CHECKED_UP_AGAIN
} ilb__checked;

typedef struct ilb__checks_rule {
    uint32_t unhealthy_threshold, healthy_threshold;
    uint64_t least_ns, most_ns; /* of the lease */
} ilb__checks_rule;

/* One more; the endpoint has been ejected so often by now. */
ILB_INTERNAL ilb__checked ilb__checks_add(ilb__checks *c, bool passed,
                                          uint64_t ejections,
                                          const ilb__checks_rule *rule,
                                          uint64_t now_ns);

#endif
/* ==== back in libilb/signal/checks.c */

#define ILB__CHECKS_LEASE 2

static void ilb__checks_renew(ilb__checks *c, const ilb__checks_rule *rule,
                         uint64_t now_ns)
{
    uint64_t gap_ns = c->last_ns == 0 ? 0 : ilb__elapsed_ns(c->last_ns, now_ns);

    c->last_ns = now_ns;
    c->lease_ns = gap_ns < rule->most_ns / ILB__CHECKS_LEASE ? ILB__CHECKS_LEASE * gap_ns
                                                        : rule->most_ns;
    if (c->lease_ns < rule->least_ns)
        c->lease_ns = rule->least_ns;
}

static ilb__checked ilb__checks_failed(ilb__checks *c, const ilb__checks_rule *rule)
{
    c->passed = 0;
    c->down = true;
    c->failed += c->failed < UINT32_MAX;
    return c->failed >= rule->unhealthy_threshold ? ILB__CHECKED_DOWN
                                                  : ILB__CHECKED_NOTHING;
}

static ilb__checked ilb__checks_passed(ilb__checks *c, const ilb__checks_rule *rule)
{
    bool again = c->down;

    c->failed = 0;
    c->passed += c->passed < UINT32_MAX;
    if (c->passed < rule->healthy_threshold)
        return ILB__CHECKED_NOTHING;
    c->down = false;
    return again ? ILB__CHECKED_UP_AGAIN : ILB__CHECKED_UP;
}

ILB_INTERNAL ilb__checked ilb__checks_add(ilb__checks *c, bool passed,
                                          uint64_t ejections,
                                          const ilb__checks_rule *rule,
                                          uint64_t now_ns)
{
    ilb__checks_renew(c, rule, now_ns);
    if (c->ejections != ejections)
        c->passed = 0;
    c->ejections = ejections;
    return passed ? ilb__checks_passed(c, rule) : ilb__checks_failed(c, rule);
}
/* ==== libilb/set/slot.c ================================================== */
/* See slot.h. */
/* ==== libilb/set/slot.h ================================================== */
/*
 * A slot: all that is known of one endpoint. Slots are type-stable: made with
 * the balancer, found by index, never freed, recycled with a new generation
 * (signal/load.h). Whoever holds an index may therefore always read a slot;
 * the generation tells whether it is still the endpoint that he meant.
 *
 * The address is written word by word, as atomics, and only after the slot has
 * been given its next generation: whoever copies it and then finds the
 * generation that it had before has read it whole (ilb__slot_address).
 */
#ifndef ILB_SET_SLOT_H
#define ILB_SET_SLOT_H

/* ==== libilb/signal/cost.h =============================================== */
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
/* ==== back in libilb/set/slot.h */
/* ==== libilb/signal/longlived.h ========================================== */
/*
 * Requests that are in flight to an endpoint for long: long polls, watches,
 * streams, downloads. Each is load, but less than it seems: most of them wait.
 *
 * Counted (signal/epochs.h) by turns of max(30 median, 1 s) at least
 * (ilb__figures_longlived_ns), which the sweep makes (health/sweep.h). In the
 * load q of an endpoint (select/score.h) one of them counts as
 *
 *     1 / (8 + Q)      Q: how many an endpoint has in the mean
 *
 * of a request: one does not keep short ones away from an endpoint that is idle
 * otherwise, and all of them together are less than one, however many there
 * are. With full weight, the cost L (1 + q) of endpoints that have a hundred
 * each would differ by what their latency differs times a hundred, and the
 * short requests would all queue where L is a little less. Without any, jobs
 * that are long because they work would gather by chance. Where we differ:
 * everyone else counts them in full (least request, peak EWMA: Finagle, Envoy,
 * gRPC).
 *
 * What a caller says a request costs (signal/cost.h) is taken as he says it.
 */
#ifndef ILB_SIGNAL_LONGLIVED_H
#define ILB_SIGNAL_LONGLIVED_H

/* A few count as if there were so many. */
#define ILB_LONGLIVED_FEW 8.0f

/* What one counts as, where an endpoint has `mean` of them. */
static inline float ilb__longlived_weight(float mean)
{
    return 1 / (ILB_LONGLIVED_FEW + mean);
}

/* How many there are, of `in_flight`; `lost` are no load already. */
static inline uint32_t ilb__longlived_n(const ilb__epochs *e,
                                        uint32_t in_flight, uint64_t lost)
{
    uint32_t n = ilb__epochs_n(e);

    if (ILB_LIKELY(n == 0))
        return 0;
    if (n > in_flight)
        n = in_flight;
    return lost < n ? n - (uint32_t)lost : 0;
}

/* Begins the next epoch, if this one is over. `in_flight` there are now. */
static inline void ilb__longlived_turn(ilb__epochs *e, uint32_t in_flight,
                                       float turn_ns, uint64_t now_ns)
{
    uint64_t epoch_ns = ilb__load_relaxed(&e->epoch_ns);

    if ((float)ilb__elapsed_ns(epoch_ns, now_ns) < turn_ns)
        return;
    ilb__epochs_turn(e, epoch_ns, ilb__load32_relaxed(&e->candidates),
                     in_flight, now_ns);
}

#endif
/* ==== back in libilb/set/slot.h */
/* ==== libilb/signal/lost.h =============================================== */
/*
 * Requests that have been in flight, unanswered, since before their endpoint
 * returned from an ejection for hanging, or became ready again. It answers
 * others now, so these are lost: they say nothing of it any more, neither by
 * their age nor when their callers give them up, and are no load. How many
 * there are is counted when it returns, and taken off what is in flight by its
 * extra cost (signal/cost.h); each that ends gives its part back.
 *
 * A request that ends at the moment of the return may be missed. The sweep
 * (health/sweep.h) then corrects the count: no more can be lost than are
 * unanswered.
 */
#ifndef ILB_SIGNAL_LOST_H
#define ILB_SIGNAL_LOST_H

typedef struct ilb__lost {
    ilb__a64 n;
    ilb__a64 since_ns; /* what began before that */
} ilb__lost;

/* So many are, from now on. */
static inline void ilb__lost_set(ilb__lost *l, ilb__a64 *extra, uint64_t n)
{
    uint64_t was = ilb__load_relaxed(&l->n);

    while (!ilb__cas_relaxed(&l->n, &was, n))
        continue;
    if (was != n)
        ilb__add_relaxed(extra, (was - n) * ILB_COST_ONE);
}

/* A request ends that began then. True: it was one of them. */
static inline bool ilb__lost_ends(ilb__lost *l, ilb__a64 *extra,
                                  uint64_t began_ns)
{
    uint64_t n = ilb__load_relaxed(&l->n);

    if (ILB_LIKELY(n == 0) || began_ns >= ilb__load_relaxed(&l->since_ns))
        return false;
    while (!ilb__cas_relaxed(&l->n, &n, n - 1))
        if (n == 0)
            return false;
    ilb__add_relaxed(extra, ILB_COST_ONE);
    return true;
}

/* At most so many can be. Returns how many are. */
static inline uint64_t ilb__lost_at_most(ilb__lost *l, ilb__a64 *extra,
                                         uint64_t most)
{
    uint64_t n = ilb__load_relaxed(&l->n);

    while (ILB_UNLIKELY(n > most))
        if (ilb__cas_relaxed(&l->n, &n, most)) {
            ilb__add_relaxed(extra, (n - most) * ILB_COST_ONE);
            return most;
        }
    return n;
}

#endif
/* ==== back in libilb/set/slot.h */

typedef struct ilb__slot {
    /* The line that a pick reads and a request writes. */
    _Alignas(ILB_CACHELINE_BYTES) ilb__load load;
    ilb__latency latency;
    ilb__failures failures;
    ilb__a64 health; /* health/health.h */
    ilb__a32 weight;
    ilb__a32 peaks;      /* signal/peaks.h */
    ilb__a64 extra_cost; /* signal/cost.h */

    /* What both read, and seldom is anything else than 0. */
    _Alignas(ILB_CACHELINE_BYTES)
        ilb__epochs overtaken; /* signal/overtaken.h */
    ilb__epochs longlived;     /* .../longlived.h */
    ilb__lost lost;

    /* What ilb_done counts and reads. */
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 done[ILB_OUTCOME_COUNT];
    ilb__a64 refusals; /* signal/refusals.h */
    ilb__a64 slowness; /* signal/slowness.h */

    ilb__a64 evidence;  /* signal/evidence.h */
    ilb__a64 leaked_ns; /* what was taken before and is unanswered has been
                           given back (health/lease.h); 0: nothing was */
    ilb__a64 anew_ns;   /* what was picked before says nothing of it any more */
    ilb__a64 leaked;    /* requests that were given back for their tickets */
    ilb__a64 ejections;
    ilb__a64 ramp_ns;  /* when its slow start began; 0: it has none */
    ilb__a64 slow_ns;  /* since when its slowness is not 0 */
    ilb__a64 silence;  /* signal/silence.h */
    ilb__a64 warm_ns;  /* until then it may be slow as it warms up */
    ilb__a64 heard_ns; /* it gave a sign of life, as the sweep saw */
    ilb__a64 heard;    /* signs of life until then, counted */
    ilb__a64 asked_ns; /* when, after a silence, another was sent there */
    /* By detector; `noted` says when it was counted last without ejecting. */
    ilb__a32 detected[ILB_DETECTOR_COUNT];
    ilb__a32 enforced[ILB_DETECTOR_COUNT];
    ilb__a32 noted[ILB_DETECTOR_COUNT];
    ilb__apointer user;
    ilb__window window;

    /* The writer's, under the balancer's mutex; the address is also read by
     * holders of a ticket, whose request keeps the slot from being reused. */
    uint64_t hash;
    uint64_t plan;      /* number of the last update that had it in its list */
    uint32_t position;  /* in ilb__set.listed or .draining */
    uint64_t listed_by; /* number of the update that put it into the list */
    ilb__a8 used; /* it has an address, and is in the index: set/repair.h */
    bool listed;
    uint8_t readiness; /* an ilb_readiness */
    ilb__checks checks;
    _Alignas(ilb__a64) char address[ILB_ADDRESS_MAX + 1];
} ilb__slot;

#define ILB_ADDRESS_WORDS ((ILB_ADDRESS_MAX + 1) / sizeof(ilb__a64))

/* The slot's address is this from now on. The writer's; of a slot that has
 * just been recycled, or was never used. */
ILB_INTERNAL void ilb__slot_set_address(ilb__slot *slot, const char *address);

/* From here on, or no longer, an endpoint's. The writer's. Around it the order
 * of the program holds also for who finds it killed (set/repair.h). */
static inline void ilb__slot_set_used(ilb__slot *slot, bool used)
{
    ilb__fence_killed();
    ilb__store8_relaxed(&slot->used, used);
    ilb__fence_killed();
}

/* Copies the address for someone who holds no ticket: `generation` was seen in
 * the table, or in the slot by who has the mutex or a ticket. False: the slot
 * is another endpoint's by now. */
ILB_INTERNAL bool ilb__slot_address(const ilb__slot *slot, uint32_t generation,
                                    char to[ILB_ADDRESS_MAX + 1]);

/* Which endpoint: slot index and generation, as the table has it. */
typedef uint64_t ilb__endpoint_id;

static inline ilb__endpoint_id ilb__endpoint_id_of(uint32_t index,
                                                   uint32_t generation)
{
    return (uint64_t)generation << 32 | index;
}

static inline uint32_t ilb__endpoint_id_index(ilb__endpoint_id id)
{
    return (uint32_t)id;
}

static inline uint32_t ilb__endpoint_id_generation(ilb__endpoint_id id)
{
    return (uint32_t)(id >> 32);
}

#endif
/* ==== back in libilb/set/slot.c */

#include <string.h>

_Static_assert((ILB_ADDRESS_MAX + 1) % sizeof(ilb__a64) == 0,
               "an address is whole words");

ILB_INTERNAL void ilb__slot_set_address(ilb__slot *slot, const char *address)
{
    ilb__a64 *words = (ilb__a64 *)(void *)slot->address;
    uint64_t padded[ILB_ADDRESS_WORDS];

    memset(padded, 0, sizeof padded);
    memcpy(padded, address, strlen(address));
    /* Pairs with the fence in ilb__slot_address: who reads one of these words
     * sees the generation that the slot has been given before. */
    ilb__fence_release();
    for (size_t i = 0; i < ILB_ADDRESS_WORDS; i++)
        ilb__store_relaxed(&words[i], padded[i]);
}

ILB_INTERNAL bool ilb__slot_address(const ilb__slot *slot, uint32_t generation,
                                    char to[ILB_ADDRESS_MAX + 1])
{
    const ilb__a64 *words = (const ilb__a64 *)(const void *)slot->address;
    uint64_t copy[ILB_ADDRESS_WORDS];

    /* Pairs with the fence in ilb__table_publish: the generation may be of a
     * table of which no version has been read yet; its address is there. */
    ilb__fence_acquire();
    for (size_t i = 0; i < ILB_ADDRESS_WORDS; i++)
        copy[i] = ilb__load_relaxed(&words[i]);
    /* Pairs with the fence in ilb__slot_set_address: if one of these words was
     * of a later endpoint, so is the generation. */
    ilb__fence_acquire();
    if (ilb__load_generation(ilb__load_relaxed(&slot->load.word)) != generation)
        return false;
    memcpy(to, copy, sizeof copy);
    return true;
}
/* ==== libilb/set/order.c ================================================= */
/* See order.h. */
/* ==== libilb/set/order.h ================================================= */
/*
 * Sorting the table by salted hash of the address.
 *
 * In this order every prefix is a random sample of the endpoints that differs
 * from caller to caller, and stays nearly the same when the list changes: an
 * aperture (health/pool.h) is the table's first entries.
 */
#ifndef ILB_SET_ORDER_H
#define ILB_SET_ORDER_H

/* A number with the upper half of a hash before it. */
static inline uint64_t ilb__order_key(uint64_t hash, uint32_t number)
{
    return (hash >> 32) << 32 | number;
}

static inline uint32_t ilb__order_number(uint64_t key)
{
    return (uint32_t)key;
}

/* Sorts by the upper half; equal ones stay as they are. `scratch` has room
 * for `n` as well. */
ILB_INTERNAL void ilb__order_sort(uint64_t *keys, uint64_t *scratch,
                                  uint32_t n);

#endif
/* ==== back in libilb/set/order.c */

#include <string.h>

/* Up to here insertion is faster than counting. */
#define ILB__ORDER_FEW 48

static void ilb__order_insert(uint64_t *keys, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        uint32_t at = i;

        while (at > 0 && keys[at - 1] >> 32 > key >> 32) {
            keys[at] = keys[at - 1];
            at--;
        }
        keys[at] = key;
    }
}

/* One pass of a radix sort: by the eight bits from `shift` on. */
static void ilb__order_pass(const uint64_t *from, uint64_t *to, uint32_t n,
                       unsigned shift)
{
    uint32_t starts[256] = {0};
    uint32_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        starts[from[i] >> shift & 255]++;
    for (uint32_t k = 0; k < 256; k++) {
        uint32_t count = starts[k];

        starts[k] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < n; i++)
        to[starts[from[i] >> shift & 255]++] = from[i];
}

ILB_INTERNAL void ilb__order_sort(uint64_t *keys, uint64_t *scratch, uint32_t n)
{
    if (n <= ILB__ORDER_FEW) {
        ilb__order_insert(keys, n);
        return;
    }
    for (unsigned shift = 32; shift < 64; shift += 16) {
        ilb__order_pass(keys, scratch, n, shift);
        ilb__order_pass(scratch, keys, n, shift + 8);
    }
}
/* ==== libilb/set/index.c ================================================= */
/* See index.h. */
/* ==== libilb/set/index.h ================================================= */
/*
 * From an address to a number: a hash table of 32-bit numbers with open
 * addressing and linear probing, at most half full. It stores no keys: whoever
 * looks up compares. The writer's only.
 */
#ifndef ILB_SET_INDEX_H
#define ILB_SET_INDEX_H

#define ILB_INDEX_NONE UINT32_MAX

typedef struct ilb__index {
    uint32_t *cells; /* number + 1; 0: empty */
    uint32_t mask;   /* cells - 1; their number is a power of two */
} ilb__index;

/* For up to `n` entries. */
ILB_INTERNAL void ilb__index_init(ilb__index *x, ilb__arena *a, uint32_t n);

/* Takes all out, whatever state it is in. */
ILB_INTERNAL void ilb__index_clear(ilb__index *x);

ILB_INTERNAL void ilb__index_add(ilb__index *x, uint64_t hash, uint32_t number);

/* Walks the numbers that may be of this hash. Start with *cursor = hash's
 * first cell (ilb__index_start); ILB_INDEX_NONE ends the walk. */
static inline uint32_t ilb__index_start(const ilb__index *x, uint64_t hash)
{
    return (uint32_t)hash & x->mask;
}

static inline uint32_t ilb__index_next(const ilb__index *x, uint32_t *cursor)
{
    uint32_t cell = x->cells[*cursor];

    *cursor = (*cursor + 1) & x->mask;
    return cell - 1; /* an empty cell wraps to ILB_INDEX_NONE */
}

/* Takes a number out; it must be there. `hash_of` is asked for the hashes of
 * the numbers that move up. */
ILB_INTERNAL void ilb__index_remove(ilb__index *x, uint64_t hash,
                                    uint32_t number,
                                    uint64_t (*hash_of)(uint32_t, const void *),
                                    const void *user);

/* Takes out a number that is there, on the way to emptying the whole index:
 * other look-ups find nothing reliably until it is empty. */
ILB_INTERNAL void ilb__index_forget(ilb__index *x, uint64_t hash,
                                    uint32_t number);

#endif
/* ==== back in libilb/set/index.c */

#include <string.h>

ILB_INTERNAL void ilb__index_init(ilb__index *x, ilb__arena *a, uint32_t n)
{
    uint32_t n_cells = 4;

    while (n_cells / 2 < n)
        n_cells *= 2;
    x->cells = ilb__arena_take(a, n_cells, sizeof *x->cells);
    x->mask = n_cells - 1;
}

ILB_INTERNAL void ilb__index_clear(ilb__index *x)
{
    memset(x->cells, 0, ((size_t)x->mask + 1) * sizeof *x->cells);
}

ILB_INTERNAL void ilb__index_add(ilb__index *x, uint64_t hash, uint32_t number)
{
    uint32_t at = ilb__index_start(x, hash);

    while (x->cells[at] != 0)
        at = (at + 1) & x->mask;
    x->cells[at] = number + 1;
}

/* Linear probing without tombstones: what follows the hole, up to the next
 * empty cell, moves into it if its own first cell is not past the hole. */
ILB_INTERNAL void ilb__index_remove(ilb__index *x, uint64_t hash,
                                    uint32_t number,
                                    uint64_t (*hash_of)(uint32_t, const void *),
                                    const void *user)
{
    uint32_t hole = ilb__index_start(x, hash);
    uint32_t at;

    while (x->cells[hole] != number + 1)
        hole = (hole + 1) & x->mask;
    for (at = (hole + 1) & x->mask; x->cells[at] != 0;
         at = (at + 1) & x->mask) {
        uint32_t first = ilb__index_start(x, hash_of(x->cells[at] - 1, user));

        if (((at - first) & x->mask) >= ((at - hole) & x->mask)) {
            x->cells[hole] = x->cells[at];
            hole = at;
        }
    }
    x->cells[hole] = 0;
}

ILB_INTERNAL void ilb__index_forget(ilb__index *x, uint64_t hash,
                                    uint32_t number)
{
    uint32_t at = ilb__index_start(x, hash);

    /* Others may have left holes on the way: go on until it is found. */
    while (x->cells[at] != number + 1)
        at = (at + 1) & x->mask;
    x->cells[at] = 0;
}
/* ==== libilb/set/table.c ================================================= */
/* See table.h. */
/* ==== libilb/set/table.h ================================================= */
/*
 * The published table: the endpoints that a pick may draw, ready ones only.
 *
 * Two buffers and a version; the buffer of version v is v & 1. A reader takes
 * a view (ilb__table_view), reads entries as it likes, and asks at the end
 * whether the view still held (ilb__table_holds): equal versions before and
 * after mean that all it read was of one table. If not, it starts again. The
 * writer, alone under the balancer's mutex, fills the other buffer and then
 * publishes the next version; nothing is ever freed.
 *
 * Why it is right (a sequence lock over two buffers):
 *   - the version is stored with release after the entries and loaded with
 *     acquire before them: a reader of version v sees all entries of v;
 *   - before the writer touches the buffer of v again, for v + 2, it has
 *     published v + 1 and fenced (release). A reader that sees any such later
 *     entry and then fences (acquire) must see version v + 1 or later, and
 *     starts again.
 * All words are atomics, and at any moment every id names a slot and every
 * alias a column: a view that does not hold gives a wrong endpoint, which is
 * then dropped, never an access out of bounds.
 *
 * Weighted draws take one draw in O(1) by the alias method: column i is drawn
 * uniformly, and is kept if 32 random bits are below its threshold, else its
 * alias is taken. (A. J. Walker 1977; the construction is M. D. Vose's, 1991,
 * in integers.)
 */
#ifndef ILB_SET_TABLE_H
#define ILB_SET_TABLE_H

typedef struct ilb__table_buffer {
    ilb__a64 n;
    ilb__a64 n_listed;     /* endpoints in the list, ready or not */
    ilb__a64 weight_total; /* 0: all weights are equal, no aliases */
    ilb__a64 *ids;         /* ilb__endpoint_id */
    ilb__a64 *aliases;     /* threshold << 32 | alias */
} ilb__table_buffer;

typedef struct ilb__table {
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 version;
    ilb__table_buffer buffers[2];
    uint64_t *has; /* the writer's, for making aliases */
    uint32_t *order;
} ilb__table;

typedef struct ilb__view {
    const ilb__table_buffer *buffer;
    uint64_t version;
    uint32_t n;
    uint64_t weight_total;
} ilb__view;

ILB_INTERNAL void ilb__table_init(ilb__table *t, ilb__arena *a,
                                  uint32_t capacity);

/* Writer: the endpoints to draw from now on. `weights` are of `ids`. */
ILB_INTERNAL void ilb__table_publish(ilb__table *t, const ilb__endpoint_id *ids,
                                     const uint32_t *weights, uint32_t n,
                                     uint32_t n_listed);

static inline ilb__view ilb__table_view(const ilb__table *t)
{
    ilb__view v;

    /* Pairs with the release in ilb__table_publish: the entries of this version
     * are there, and all that their slots were given before. */
    v.version = ilb__load_acquire(&t->version);
    v.buffer = &t->buffers[v.version & 1];
    v.n = (uint32_t)ilb__load_relaxed(&v.buffer->n);
    v.weight_total = ilb__load_relaxed(&v.buffer->weight_total);
    return v;
}

/* Was all that was read through the view of one table? */
static inline bool ilb__table_holds(const ilb__table *t, const ilb__view *v)
{
    /* Pairs with the fence in ilb__table_publish: whoever has read a later
     * entry sees that its version is over. And with the release in
     * ilb__load_recycle, in that who has seen a slot recycled sees it as well.
     */
    ilb__fence_acquire();
    return ilb__load_relaxed(&t->version) == v->version;
}

static inline ilb__endpoint_id ilb__view_id(const ilb__view *v, uint32_t i)
{
    return ilb__load_relaxed(&v->buffer->ids[i]);
}

/* The column to take where `column` was drawn, by weight. */
static inline uint32_t ilb__view_weighted(const ilb__view *v, uint32_t column,
                                          uint32_t bits)
{
    uint64_t alias;

    if (ILB_LIKELY(v->weight_total == 0))
        return column;
    alias = ilb__load_relaxed(&v->buffer->aliases[column]);
    return bits < alias >> 32 ? column : (uint32_t)alias;
}

#endif
/* ==== back in libilb/set/table.c */

ILB_INTERNAL void ilb__table_init(ilb__table *t, ilb__arena *a,
                                  uint32_t capacity)
{
    t->has = ilb__arena_take(a, capacity, sizeof *t->has);
    t->order = ilb__arena_take(a, capacity, sizeof *t->order);
    for (int i = 0; i < 2; i++) {
        ilb__table_buffer *b = &t->buffers[i];

        b->ids = ilb__arena_take(a, capacity, sizeof *b->ids);
        b->aliases = ilb__arena_take(a, capacity, sizeof *b->aliases);
    }
}

static uint64_t ilb__table_weight_total(const uint32_t *weights, uint32_t n)
{
    uint64_t total = 0;
    bool equal = true;

    for (uint32_t i = 0; i < n; i++) {
        total += weights[i];
        equal = equal && weights[i] == weights[0];
    }
    return equal ? 0 : total;
}

/* Keep the column with probability left / total, else take its alias. */
static uint64_t ilb__table_alias(uint64_t left, uint64_t total, uint32_t alias)
{
    double share = (double)left / (double)total * 4294967296.0;
    uint64_t threshold = share >= 4294967295.0 ? UINT32_MAX : (uint64_t)share;

    return threshold << 32 | alias;
}

/*
 * Vose's construction. Each column holds `total`; endpoint i has weight * n to
 * put into columns. Columns short of `total` wait at the front of `order`, the
 * others at its back; each short one is filled up from a long one, which then
 * may be short itself. A reader may still look at the buffer through a view
 * that no longer holds: only finished words, whose alias is a column, may
 * ever stand in it.
 */
static void ilb__table_make_aliases(ilb__table *t, ilb__table_buffer *b,
                               const uint32_t *weights, uint32_t n,
                               uint64_t total)
{
    uint64_t *has = t->has;
    uint32_t *order = t->order;
    uint32_t n_short = 0, long_from = n;

    for (uint32_t i = 0; i < n; i++) {
        has[i] = (uint64_t)weights[i] * n;
        if (has[i] < total)
            order[n_short++] = i;
        else
            order[--long_from] = i;
    }
    while (n_short > 0 && long_from < n) {
        uint32_t s = order[--n_short], l = order[long_from];

        ilb__store_relaxed(&b->aliases[s], ilb__table_alias(has[s], total, l));
        has[l] -= total - has[s];
        if (has[l] < total) {
            long_from++;
            order[n_short++] = l;
        }
    }
    /* Integers leave no remainder: what is left is exactly full. */
    while (long_from < n) {
        uint32_t l = order[long_from++];

        ilb__store_relaxed(&b->aliases[l], ilb__table_alias(total, total, l));
    }
}

ILB_INTERNAL void ilb__table_publish(ilb__table *t, const ilb__endpoint_id *ids,
                                     const uint32_t *weights, uint32_t n,
                                     uint32_t n_listed)
{
    uint64_t version = ilb__load_relaxed(&t->version) + 1;
    ilb__table_buffer *b = &t->buffers[version & 1];
    uint64_t total = ilb__table_weight_total(weights, n);

    /* Pairs with the fence in ilb__table_holds: who reads an entry from here on
     * sees the version before this one, which the last call has published, and
     * not the one before that, whose buffer this was. And with the fence in
     * ilb__slot_address: he sees what the entry's slot has been given. */
    ilb__fence_release();
    for (uint32_t i = 0; i < n; i++)
        ilb__store_relaxed(&b->ids[i], ids[i]);
    if (total != 0)
        ilb__table_make_aliases(t, b, weights, n, total);
    ilb__store_relaxed(&b->n, n);
    ilb__store_relaxed(&b->n_listed, n_listed);
    ilb__store_relaxed(&b->weight_total, total);
    /* Pairs with the acquire in ilb__table_view: who sees the version sees the
     * entries. */
    ilb__store_release(&t->version, version);
}
/* ==== libilb/set/set.c =================================================== */
/* See set.h. */
/* ==== libilb/set/set.h =================================================== */
/*
 * The endpoint set: reconciling a new whole list with what there is.
 *
 * All calls here are the writer's, under the balancer's mutex. An update has
 * two halves: a plan that may be refused and changes nothing a pick or a later
 * call could see, and its application, which cannot fail.
 *
 * There are three times as many slots as endpoints may be listed: for a full
 * list, for the full list that it replaces (whose endpoints can only leave once
 * the new ones are there), and for as many that have left before and still have
 * requests in flight. An endpoint that has left keeps its slot, and stays
 * findable by its address, until its last request has returned: then the slot
 * is recycled.
 */
#ifndef ILB_SET_SET_H
#define ILB_SET_SET_H

/* How far an update has come that may be cut short (repair.h). */
enum ilb__set_stage {
    ILB__SET_STILL = 0, /* not begun, or over */
    ILB__SET_ENTERING,  /* the first of the new list are in it */
    ILB__SET_LEAVING    /* all are; the others of the old one are going */
};

/* What the rooms above want to know while an update is applied. */
typedef struct ilb__set_watch {
    void (*enters)(ilb__slot *slot, void *user); /* before it can be drawn */
    void (*leaves)(ilb__slot *slot, void *user); /* after it cannot */
    void *user;
    /* Listed or its readiness, or both, are no longer what they were; not yet
     * told by `leaves`. NULL: not wanted. */
    void (*changes)(const ilb__slot *slot, bool was_listed,
                    uint8_t was_readiness, void *user);
} ilb__set_watch;

/* For one who is killed: what stands before it in the program has been done,
 * and nothing of what stands behind it. */
static inline void ilb__set_step(ilb__a32 *stage, enum ilb__set_stage next)
{
    ilb__fence_killed();
    ilb__store32_relaxed(stage, next);
    ilb__fence_killed();
}

typedef struct ilb__set {
    ilb__slot *slots;
    uint32_t capacity; /* of a list */
    uint32_t n_slots;
    ilb__a32 n_fresh; /* slots that were never used begin here */
    uint32_t *free;   /* recycled slots, a stack */
    uint32_t n_free;
    uint32_t *listed; /* slot indices in the caller's order */
    uint32_t n_listed;
    uint32_t *draining; /* left the list, had requests in flight */
    uint32_t n_draining;
    ilb__index index;      /* address -> slot */
    ilb__index planned;    /* address -> position, of a list's new addresses */
    uint32_t *plan;        /* slot of each position; ILB_INDEX_NONE: new */
    ilb__endpoint_id *ids; /* to publish */
    uint32_t *weights;
    uint64_t *keys; /* of the ready ones, sorted; and as many for sorting */
    uint64_t n_plans;
    ilb__a32 stage; /* of an update: see repair.h */
    uint64_t salt;
    ilb__table table;
} ilb__set;

/* Takes its memory, all zero, from the arena; `s` is zeroed. */
ILB_INTERNAL void ilb__set_init(ilb__set *s, ilb__arena *a, uint32_t capacity,
                                uint64_t salt);

/* Checks a list and finds what of it is known. ILB_OK: ilb__set_apply next. */
ILB_INTERNAL int ilb__set_plan(ilb__set *s, const ilb_endpoint *endpoints,
                               size_t n);

ILB_INTERNAL void ilb__set_apply(ilb__set *s, const ilb_endpoint *endpoints,
                                 uint32_t n, const ilb__set_watch *watch);

/* NULL: none in the list has this address. */
ILB_INTERNAL ilb__slot *ilb__set_find(const ilb__set *s, const char *address);

ILB_INTERNAL void ilb__set_change_readiness(ilb__set *s, ilb__slot *slot,
                                            ilb_readiness readiness,
                                            const ilb__set_watch *watch);

/* Publishes the endpoints that are listed and ready. */
ILB_INTERNAL void ilb__set_publish(ilb__set *s);

/* Recycles the slots whose last request has returned. */
ILB_INTERNAL void ilb__set_reclaim(ilb__set *s);

#endif
/* ==== back in libilb/set/set.c */

#include <string.h>

ILB_INTERNAL void ilb__set_init(ilb__set *s, ilb__arena *a, uint32_t capacity,
                                uint64_t salt)
{
    uint32_t n_slots = 3 * capacity;

    s->capacity = capacity;
    s->n_slots = n_slots;
    s->salt = salt;
    s->slots = ilb__arena_take(a, n_slots, sizeof *s->slots);
    s->free = ilb__arena_take(a, n_slots, sizeof *s->free);
    s->listed = ilb__arena_take(a, capacity, sizeof *s->listed);
    s->draining = ilb__arena_take(a, n_slots, sizeof *s->draining);
    s->plan = ilb__arena_take(a, capacity, sizeof *s->plan);
    s->ids = ilb__arena_take(a, capacity, sizeof *s->ids);
    s->weights = ilb__arena_take(a, capacity, sizeof *s->weights);
    s->keys = ilb__arena_take(a, 2 * (size_t)capacity, sizeof *s->keys);
    ilb__index_init(&s->index, a, n_slots);
    ilb__index_init(&s->planned, a, capacity);
    ilb__table_init(&s->table, a, capacity);
}

static uint64_t ilb__set_slot_hash(uint32_t number, const void *user)
{
    return ((const ilb__set *)user)->slots[number].hash;
}

static uint64_t ilb__set_hash(const ilb__set *s, const char *address)
{
    return ilb__hash_bytes(address, strlen(address), s->salt);
}

/* The slot of an address, listed or draining; ILB_INDEX_NONE. */
static uint32_t ilb__set_lookup(const ilb__set *s, const char *address,
                           uint64_t hash)
{
    uint32_t cursor = ilb__index_start(&s->index, hash);
    uint32_t i;

    while ((i = ilb__index_next(&s->index, &cursor)) != ILB_INDEX_NONE)
        if (s->slots[i].hash == hash &&
            strcmp(s->slots[i].address, address) == 0)
            return i;
    return ILB_INDEX_NONE;
}

ILB_INTERNAL ilb__slot *ilb__set_find(const ilb__set *s, const char *address)
{
    uint32_t i = ilb__set_lookup(s, address, ilb__set_hash(s, address));

    return i == ILB_INDEX_NONE || !s->slots[i].listed ? NULL : &s->slots[i];
}

ILB_INTERNAL void ilb__set_reclaim(ilb__set *s)
{
    uint32_t kept = 0;

    for (uint32_t k = 0; k < s->n_draining; k++) {
        uint32_t i = s->draining[k];
        ilb__slot *slot = &s->slots[i];

        if (!ilb__load_recycle(&slot->load)) {
            slot->position = kept;
            s->draining[kept++] = i;
            continue;
        }
        ilb__index_remove(&s->index, slot->hash, i, ilb__set_slot_hash, s);
        ilb__slot_set_used(slot, false);
        s->free[s->n_free++] = i;
    }
    s->n_draining = kept;
}

/* ---- Planning ---------------------------------------------------------- */

/* Is the address in the list already, at a position before `position`? */
static bool ilb__set_planned_twice(const ilb__set *s, const ilb_endpoint *endpoints,
                              const char *address, uint64_t hash)
{
    uint32_t cursor = ilb__index_start(&s->planned, hash);
    uint32_t i;

    while ((i = ilb__index_next(&s->planned, &cursor)) != ILB_INDEX_NONE)
        if (strcmp(endpoints[i].address, address) == 0)
            return true;
    return false;
}

static int ilb__set_plan_one(ilb__set *s, const ilb_endpoint *endpoints, uint32_t i)
{
    const char *address = endpoints[i].address;
    uint64_t hash = ilb__set_hash(s, address);
    uint32_t known = ilb__set_lookup(s, address, hash);

    s->plan[i] = known;
    if (known != ILB_INDEX_NONE) {
        if (s->slots[known].plan == s->n_plans)
            return ILB_EDUPLICATE;
        s->slots[known].plan = s->n_plans;
        return ILB_OK;
    }
    if (ilb__set_planned_twice(s, endpoints, address, hash))
        return ILB_EDUPLICATE;
    ilb__index_add(&s->planned, hash, i);
    return ILB_OK;
}

ILB_INTERNAL int ilb__set_plan(ilb__set *s, const ilb_endpoint *endpoints,
                               size_t n)
{
    uint32_t n_planned = 0, n_new = 0;
    int rc = ILB_OK;

    if (n > s->capacity)
        return ILB_ECAPACITY;
    ilb__set_reclaim(s);
    s->n_plans++;
    while (rc == ILB_OK && n_planned < n) {
        rc = ilb__set_plan_one(s, endpoints, n_planned);
        if (rc == ILB_OK)
            n_new += s->plan[n_planned++] == ILB_INDEX_NONE;
    }
    for (uint32_t i = 0; i < n_planned; i++)
        if (s->plan[i] == ILB_INDEX_NONE)
            ilb__index_forget(&s->planned, ilb__set_hash(s, endpoints[i].address),
                              i);
    if (rc == ILB_OK &&
        n_new > s->n_free + (s->n_slots - ilb__load32_relaxed(&s->n_fresh)))
        rc = ILB_ECAPACITY;
    return rc;
}

/* ---- Applying ---------------------------------------------------------- */

/* A slot for a new endpoint, with nothing learned. Its load word stays: its
 * generation is the slot's, and late readers may be undoing a take in it. */
static uint32_t ilb__set_new_slot(ilb__set *s, const char *address)
{
    uint32_t i = s->n_free > 0 ? s->free[--s->n_free]
                               : ilb__add32_relaxed(&s->n_fresh, 1);
    ilb__slot *slot = &s->slots[i];

    ilb__latency_forget(&slot->latency);
    ilb__store32_relaxed(&slot->peaks, 0);
    ilb__store_relaxed(&slot->failures.word, 0);
    ilb__store_relaxed(&slot->evidence, 0);
    ilb__window_reset(&slot->window);
    ilb__store_relaxed(&slot->extra_cost, 0);
    ilb__store_relaxed(&slot->ejections, 0);
    ilb__store_relaxed(&slot->refusals, 0);
    ilb__store_relaxed(&slot->heard, 0);
    ilb__store_relaxed(&slot->lost.n, 0);
    ilb__store_relaxed(&slot->anew_ns, 0);
    ilb__store_relaxed(&slot->asked_ns, 0);
    ilb__store_relaxed(&slot->leaked_ns, 0);
    ilb__store_relaxed(&slot->leaked, 0);
    ilb__epochs_forget(&slot->overtaken);
    ilb__epochs_forget(&slot->longlived);
    for (int k = 0; k < ILB_OUTCOME_COUNT; k++)
        ilb__store_relaxed(&slot->done[k], 0);
    for (int k = 0; k < ILB_DETECTOR_COUNT; k++) {
        ilb__store32_relaxed(&slot->detected[k], 0);
        ilb__store32_relaxed(&slot->enforced[k], 0);
        ilb__store32_relaxed(&slot->noted[k], 0);
    }
    ilb__slot_set_address(slot, address);
    slot->hash = ilb__set_hash(s, address);
    slot->plan = s->n_plans;
    slot->listed = false;
    slot->readiness = ILB_NOT_READY;
    ilb__slot_set_used(slot, true);
    ilb__index_add(&s->index, slot->hash, i);
    return i;
}

static void ilb__set_undrain(ilb__set *s, const ilb__slot *slot)
{
    uint32_t last = s->draining[--s->n_draining];

    s->draining[slot->position] = last;
    s->slots[last].position = slot->position;
}

/* Where the table and the rooms above stand with a slot: may it be drawn? */
static bool ilb__set_can_be_drawn(const ilb__slot *slot)
{
    return slot->listed && slot->readiness == ILB_READY;
}

static void ilb__set_changed(const ilb__slot *slot, bool was_listed,
                        uint8_t was_readiness, const ilb__set_watch *watch)
{
    if (watch->changes != NULL &&
        (slot->listed != was_listed || slot->readiness != was_readiness))
        watch->changes(slot, was_listed, was_readiness, watch->user);
}

static void ilb__set_enter(ilb__set *s, uint32_t position, const ilb_endpoint *e,
                      const ilb__set_watch *watch)
{
    uint32_t i = s->plan[position];
    ilb__slot *slot;
    bool before, was_listed;
    uint8_t was_readiness;

    if (i == ILB_INDEX_NONE)
        i = s->plan[position] = ilb__set_new_slot(s, e->address);
    else if (!s->slots[i].listed)
        ilb__set_undrain(s, &s->slots[i]);
    slot = &s->slots[i];
    before = ilb__set_can_be_drawn(slot);
    was_listed = slot->listed;
    was_readiness = slot->readiness;
    if (!was_listed)
        slot->listed_by = s->n_plans;
    ilb__fence_killed();
    slot->listed = true;
    slot->readiness = (uint8_t)e->readiness;
    ilb__store32_relaxed(&slot->weight, e->weight == 0 ? 1 : e->weight);
    /* Pairs with the acquire in ilb_ticket_user and ilb__stats_of: who reads a
     * pointer that an endpoint has got since his table was published sees what
     * it points to. */
    ilb__store_pointer_release(&slot->user, e->user);
    if (!before && ilb__set_can_be_drawn(slot))
        watch->enters(slot, watch->user);
    ilb__set_changed(slot, was_listed, was_readiness, watch);
}

ILB_INTERNAL void ilb__set_publish(ilb__set *s)
{
    uint32_t n = 0;

    for (uint32_t k = 0; k < s->n_listed; k++)
        if (ilb__set_can_be_drawn(&s->slots[s->listed[k]]))
            s->keys[n++] =
                ilb__order_key(s->slots[s->listed[k]].hash, s->listed[k]);
    ilb__order_sort(s->keys, s->keys + s->capacity, n);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = ilb__order_number(s->keys[k]);
        const ilb__slot *slot = &s->slots[i];

        s->ids[k] = ilb__endpoint_id_of(
            i, ilb__load_generation(ilb__load_relaxed(&slot->load.word)));
        s->weights[k] = ilb__load32_relaxed(&slot->weight);
    }
    ilb__table_publish(&s->table, s->ids, s->weights, n, s->n_listed);
}

/* Those of the old list that the new one does not have. Not yet told to the
 * rooms above: they may still be drawn. */
static void ilb__set_drain_missing(ilb__set *s)
{
    for (uint32_t k = 0; k < s->n_listed; k++) {
        uint32_t i = s->listed[k];
        ilb__slot *slot = &s->slots[i];

        if (slot->plan == s->n_plans)
            continue;
        slot->listed = false;
        slot->position = s->n_draining;
        s->draining[s->n_draining++] = i;
    }
}

ILB_INTERNAL void ilb__set_apply(ilb__set *s, const ilb_endpoint *endpoints,
                                 uint32_t n, const ilb__set_watch *watch)
{
    uint32_t n_drained;

    ilb__set_step(&s->stage, ILB__SET_ENTERING);
    for (uint32_t i = 0; i < n; i++)
        ilb__set_enter(s, i, &endpoints[i], watch);
    ilb__set_step(&s->stage, ILB__SET_LEAVING);
    n_drained = s->n_draining;
    ilb__set_drain_missing(s);
    for (uint32_t i = 0; i < n; i++) {
        s->listed[i] = s->plan[i];
        s->slots[s->plan[i]].position = i;
    }
    s->n_listed = n;
    ilb__set_publish(s);
    /* `leaves` does nothing for what has left before. */
    for (uint32_t k = n_drained; k < s->n_draining; k++) {
        ilb__slot *slot = &s->slots[s->draining[k]];

        ilb__set_changed(slot, true, slot->readiness, watch);
        watch->leaves(slot, watch->user);
    }
    for (uint32_t k = 0; k < n; k++)
        if (!ilb__set_can_be_drawn(&s->slots[s->listed[k]]))
            watch->leaves(&s->slots[s->listed[k]], watch->user);
    ilb__set_step(&s->stage, ILB__SET_STILL);
    ilb__set_reclaim(s);
}

ILB_INTERNAL void ilb__set_change_readiness(ilb__set *s, ilb__slot *slot,
                                            ilb_readiness readiness,
                                            const ilb__set_watch *watch)
{
    bool before = ilb__set_can_be_drawn(slot);
    bool enters = !before && readiness == ILB_READY;
    uint8_t was_readiness = slot->readiness;

    slot->readiness = (uint8_t)readiness;
    if (enters)
        watch->enters(slot, watch->user);
    ilb__set_changed(slot, slot->listed, was_readiness, watch);
    if (before == ilb__set_can_be_drawn(slot))
        return;
    ilb__set_publish(s);
    if (before)
        watch->leaves(slot, watch->user);
}
/* ==== libilb/set/repair.c ================================================ */
/* See repair.h. */
/* ==== libilb/set/repair.h ================================================ */
/*
 * A writer was killed in the middle of an update, in a balancer that several
 * processes share, and left the lists half changed. They are made anew from
 * what the slots say, each of which is changed by single steps:
 *
 *     used         it has its address, and belongs into the index
 *     listed       it is in the list, else it drains
 *     listed_by    the update that put it there
 *     plan         the last update that wanted it
 *
 * and from the stage at which the update was (ilb__set_apply):
 *
 *     entering     not all of the new list had entered, and who knows it is
 *                  gone: what had entered by it leaves again. Weights,
 * readiness and user pointers that it changed before stay changed leaving all
 * had entered: it is brought to its end
 *
 * So afterwards the list is the old or the new one, as a whole. The table is
 * published anew: a reader has a view of the one before until then, which the
 * writer does not touch (set/table.h). Endpoints stand in the order of their
 * slots until the next update.
 *
 * It may be cut short itself, and begun again.
 */
#ifndef ILB_SET_REPAIR_H
#define ILB_SET_REPAIR_H

/* The room above brings what it knows of a slot into line with whether it may
 * be drawn: for those that may before they can be, for the others after they
 * cannot. Once too often does no harm. */
typedef void (*ilb__set_settle)(ilb__slot *slot, bool drawn, void *user);

ILB_INTERNAL void ilb__set_repair(ilb__set *s, ilb__set_settle settle,
                                  void *user);

#endif
/* ==== back in libilb/set/repair.c */

static bool ilb__repair_used(const ilb__slot *slot)
{
    return ilb__load8_relaxed(&slot->used) != 0;
}

static bool ilb__repair_drawn(const ilb__slot *slot)
{
    return slot->listed && slot->readiness == ILB_READY;
}

/* The old list, or the new one. */
static void ilb__repair_choose_list(ilb__set *s, uint32_t n)
{
    uint32_t stage = ilb__load32_relaxed(&s->stage);

    for (uint32_t i = 0; i < n; i++) {
        ilb__slot *slot = &s->slots[i];

        if (!ilb__repair_used(slot) || !slot->listed)
            continue;
        if (stage == ILB__SET_ENTERING && slot->listed_by == s->n_plans)
            slot->listed = false;
        if (stage == ILB__SET_LEAVING && slot->plan != s->n_plans)
            slot->listed = false;
    }
    ilb__set_step(&s->stage, ILB__SET_STILL);
}

static void ilb__repair_put(ilb__set *s, uint32_t i)
{
    ilb__slot *slot = &s->slots[i];

    if (!ilb__repair_used(slot)) {
        slot->listed = false;
        s->free[s->n_free++] = i;
        return;
    }
    ilb__index_add(&s->index, slot->hash, i);
    if (slot->listed) {
        slot->position = s->n_listed;
        s->listed[s->n_listed++] = i;
    } else {
        slot->position = s->n_draining;
        s->draining[s->n_draining++] = i;
    }
}

static void ilb__repair_settle(ilb__set *s, uint32_t n, bool drawn,
                          ilb__set_settle settle, void *user)
{
    for (uint32_t i = 0; i < n; i++)
        if (ilb__repair_used(&s->slots[i]) && ilb__repair_drawn(&s->slots[i]) == drawn)
            settle(&s->slots[i], drawn, user);
}

ILB_INTERNAL void ilb__set_repair(ilb__set *s, ilb__set_settle settle,
                                  void *user)
{
    uint32_t n = ilb__load32_relaxed(&s->n_fresh);

    ilb__repair_choose_list(s, n);
    ilb__index_clear(&s->index);
    ilb__index_clear(&s->planned);
    s->n_free = s->n_listed = s->n_draining = 0;
    for (uint32_t i = 0; i < n; i++)
        ilb__repair_put(s, i);
    ilb__repair_settle(s, n, true, settle, user);
    ilb__set_publish(s);
    ilb__repair_settle(s, n, false, settle, user);
    ilb__set_reclaim(s);
}
/* ==== libilb/health/health.c ============================================= */
/* See health.h. */
/* ==== libilb/health/health.h ============================================= */
/*
 * The state machine of one endpoint, in one word:
 *
 *           enters                12 good answers
 *     OUT ---------> WARMING ------------------------> HEALTHY
 *      ^                ^   \                            /
 *      | leaves         |    \ failures in a row        /
 *      | (any state)    |     v                        v
 *                    PROBING <-------------------- EJECTED
 *                  good |       `until` has come      ^
 *                       |           bad               |
 *                       +-----------------------------+
 *
 *   bits  0..2   state
 *   bits  3..7   level   ejections and failed probes in a row, decaying
 *   bits  8..11  good    good answers while WARMING; PROBING: 1 if it is early
 *   bits 12..15  by      the detector that ejected it: EJECTED, PROBING
 *   bits 16..63  until   in units of 2^16 ns: EJECTED, when the next probe is
 *                        due; PROBING, when this one counts as lost; HEALTHY
 *                        with a level, when the level falls by one
 *
 * Every change is one CAS, so exactly one of many threads ejects an endpoint,
 * takes its probe, or counts it as back.
 *
 * Who ejects: the detectors (detectors.h); for how long: ladder.h; how many may
 * be: cap.h.
 *
 * Return is half-open: when the time has come one request tries the endpoint
 * (PROBING); its success brings it back to WARMING, as a newcomer of whom
 * nothing is known and to whom few requests may be in flight at first; anything
 * else ejects it again. The level falls by one for each 30 s x level of being
 * healthy: by evidence, not by time spent ejected. (Half-open return: Finagle's
 * failure accrual; growth and decay: Envoy's outlier detection, which however
 * returns to full traffic by time alone.)
 *
 * What happens is told (tell.h).
 */
#ifndef ILB_HEALTH_HEALTH_H
#define ILB_HEALTH_HEALTH_H

enum ilb__health_state {
    ILB__OUT = 0, /* not in the table: not ready, draining, gone */
    ILB__WARMING,
    ILB__HEALTHY,
    ILB__EJECTED,
    ILB__PROBING
};

/* What was found, and by which detector. */
typedef struct ilb__verdict {
    ilb_detector detector; /* ILB_DETECTOR_NONE: nothing */
    double statistic, threshold;
} ilb__verdict;

/* What a failure is judged by. */
typedef struct ilb__failing {
    uint32_t row; /* so many in a row with this one */
    ilb__evidence_sums sums;
    uint32_t n_ready; /* endpoints */
    uint32_t bits;    /* random ones, for the jitter */
    bool refused;     /* for load: nothing of it says that it is broken */
    uint64_t retry_after_ns; /* it asks to be left alone so long; 0: no */
} ilb__failing;

/* One change of state, or one that was refused. */
typedef struct ilb__transition {
    ilb_event_type type;
    ilb_state from, to;
    ilb_reason reason;
    ilb__verdict verdict;
    ilb__evidence_run evidence;
    uint64_t until_ns;
    uint64_t now_ns;
} ilb__transition;

typedef struct ilb__judge {
    /* Told of each transition; NULL: nobody is. */
    void (*tell)(const ilb__slot *slot, const ilb__transition *t, void *user);
    void *tell_user;
    uint32_t consecutive_failures;
    uint32_t max_ejection_percent;
    uint64_t base_ejection_time_ns;
    uint64_t max_ejection_time_ns;
    uint64_t max_retry_after_ns;
    ilb__checks_rule checks;
    bool check_unejects;
    uint64_t slow_start_ns; /* 0: none */
    uint64_t latency_margin_ns;
    bool by_cost;           /* endpoints are chosen by what they cost */
    uint32_t min_endpoints; /* never ejected */
    uint32_t panic_threshold_percent;
    uint32_t detectors_off; /* a bit each */
    uint32_t detectors_shadow;
    bool fail_closed;
    _Alignas(ILB_CACHELINE_BYTES) ilb__a32 n_ejected; /* and probing */
    ilb__a64 next_due_ns; /* no ejected endpoint is due before; UINT64_MAX */
    ilb__a64 host_ns;     /* when the caller asked for a probe last */
    ilb__a64 early_ns;    /* when one was made before its time */
} ilb__judge;

static inline enum ilb__health_state ilb__health_state_of(uint64_t word)
{
    return (enum ilb__health_state)(word & 7);
}

/* HEALTHY, and not ejected of late. */
static inline bool ilb__health_is_calm(uint64_t word)
{
    return (word & 255) == ILB__HEALTHY;
}

/* May it be drawn, apart from probes? */
static inline bool ilb__health_eligible(uint64_t word)
{
    enum ilb__health_state s = ilb__health_state_of(word);

    return s == ILB__HEALTHY || s == ILB__WARMING;
}

/* WARMING, without a good answer so far? */
static inline bool ilb__health_untried(uint64_t word)
{
    return ilb__health_state_of(word) == ILB__WARMING && (word >> 8 & 15) == 0;
}

/* Who ejected it, if it is EJECTED or PROBING. */
static inline ilb_detector ilb__health_by(uint64_t word)
{
    return (ilb_detector)(word >> 12 & 15);
}

/* Was it ejected of late? Its level has not yet come down to 0. */
static inline bool ilb__health_of_late(uint64_t word)
{
    return (word >> 3 & 31) != 0;
}

/* The state of an endpoint in the table, by its public name. */
ILB_INTERNAL ilb_state ilb__health_public_state(uint64_t word);

/* In flight at most, before others are preferred: 1 until the first good
 * answer, then 2, 3, 4, 8; no bound when healthy. */
ILB_INTERNAL uint32_t ilb__health_in_flight_cap(uint64_t word);

/* `until` in nanoseconds. */
ILB_INTERNAL uint64_t ilb__health_until_ns(uint64_t word);

ILB_INTERNAL void ilb__judge_init(ilb__judge *j, const ilb_options *o);

/* The endpoint can be drawn from now on, besides `n_ready` others; it cannot
 * any more. */
ILB_INTERNAL void ilb__health_enter(ilb__judge *j, ilb__slot *slot,
                                    uint32_t n_ready, uint64_t now_ns);
ILB_INTERNAL void ilb__health_leave(ilb__judge *j, ilb__slot *slot);

/* A good answer; `probe`: to the request that was the probe. A late one, of an
 * endpoint that was ejected as it hangs, makes its first probe due. */
ILB_INTERNAL void ilb__health_good(ilb__judge *j, ilb__slot *slot, bool probe,
                                   uint64_t now_ns);

/* It has come back, from this word: it is a newcomer again, and its place under
 * the cap free. */
ILB_INTERNAL void ilb__health_returned(ilb__judge *j, ilb__slot *slot,
                                       uint64_t word, uint64_t now_ns);

/* After an update: if more are ejected than the cap allows now, brings this
 * one back. */
ILB_INTERNAL void ilb__health_enforce_cap(ilb__judge *j, ilb__slot *slot,
                                          uint32_t n_ready, uint64_t now_ns);

#endif
/* ==== back in libilb/health/health.c */

#include <string.h>

/* ==== libilb/health/cap.h ================================================ */
/*
 * How many endpoints may be ejected at the same time, of n that are ready:
 *
 *     at most max_ejection_percent of n, rounded down, but one if n >= 2;
 *     at most n - min_endpoints.
 *
 * A place is reserved before a state changes, by a CAS that refuses to go above
 * that: so both hold at any moment, however many threads and detectors eject at
 * once. What may be short of the truth is n: an update that makes the set
 * smaller is followed by ilb__health_enforce_cap.
 *
 * min_endpoints is 1 by default: the last is never ejected. A balancer that
 * fails closed wants to be able to: there it is 0.
 *
 * Panic is Envoy's word: fewer than panic_threshold_percent of the ready
 * endpoints are left. It asks the same count.
 */
#ifndef ILB_HEALTH_CAP_H
#define ILB_HEALTH_CAP_H

ILB_INTERNAL uint32_t ilb__cap_of(const ilb__judge *j, uint32_t n_ready);

/* A place for one more. False: there is none. */
ILB_INTERNAL bool ilb__cap_reserve(ilb__judge *j, uint32_t n_ready);

static inline void ilb__cap_release(ilb__judge *j)
{
    ilb__sub32_relaxed(&j->n_ejected, 1);
}

/* Why there was none. */
ILB_INTERNAL ilb_reason ilb__cap_refusal(const ilb__judge *j, uint32_t n_ready);

/* Are fewer left than the threshold, or none? */
ILB_INTERNAL bool ilb__cap_panics(const ilb__judge *j, uint32_t n_ejected,
                                  uint32_t n_ready);

/* The same, in a word for a pick. */
static inline bool ilb__judge_panics(const ilb__judge *j, uint32_t n_ready)
{
    uint32_t n_ejected = ilb__load32_relaxed(&j->n_ejected);

    return ILB_UNLIKELY(n_ejected != 0) &&
           ilb__cap_panics(j, n_ejected, n_ready);
}

#endif
/* ==== back in libilb/health/health.c */
/* ==== libilb/health/probe.h ============================================== */
/*
 * Half-open probes: when an ejected endpoint is due to be tried, and by whom.
 *
 * The judge knows a time before which none is due; a pick reads that one word.
 * When it has come, one of those that pass looks at all endpoints: a request
 * takes the first that is due, and the time is set anew from the others.
 *
 * A caller who probes himself (ilb_probe_next) is left to it: to requests an
 * endpoint is due only ILB_PROBE_HOST_NS after its time, as long as he has
 * asked within that.
 *
 * While all that a request could go to hang, it is as good a probe of an
 * ejected endpoint, whenever that is due: one such request in the time after
 * which others count as hanging, or in 10 us for each endpoint if that is more,
 * as all are looked at. If it fails, the level stays as it was. Not of one that
 * has asked to be left alone, or that fails its checks.
 */
#ifndef ILB_HEALTH_PROBE_H
#define ILB_HEALTH_PROBE_H

/* ==== libilb/health/word.h =============================================== */
/* The state word of health.h, taken apart: for those who change it. */
#ifndef ILB_HEALTH_WORD_H
#define ILB_HEALTH_WORD_H

/* With 48 bits the whole range of the clock, whatever its epoch. */
#define ILB_WORD_UNTIL_SHIFT 16
#define ILB_WORD_UNTIL_MAX ((UINT64_C(1) << 48) - 1)

/* In the place of the good answers, while PROBING: the probe was early, so that
 * its failure does not raise the level. */
#define ILB_WORD_EARLY 1

typedef struct ilb__word {
    enum ilb__health_state state;
    uint32_t level;
    uint32_t good;
    ilb_detector by;
    uint64_t until_ns;
} ilb__word;

static inline ilb__word ilb__word_unpack(uint64_t word)
{
    ilb__word h = {ilb__health_state_of(word), (uint32_t)(word >> 3) & 31,
                   (uint32_t)(word >> 8) & 15, ilb__health_by(word),
                   (word >> 16) << ILB_WORD_UNTIL_SHIFT};
    return h;
}

static inline uint64_t ilb__word_pack(ilb__word h)
{
    /* Rounded up: never due before its time. */
    uint64_t until = (h.until_ns >> ILB_WORD_UNTIL_SHIFT) +
                     ((h.until_ns & ((1 << ILB_WORD_UNTIL_SHIFT) - 1)) != 0);

    if (until > ILB_WORD_UNTIL_MAX)
        until = ILB_WORD_UNTIL_MAX;
    return until << 16 | (uint64_t)h.by << 12 | (uint64_t)h.good << 8 |
           (uint64_t)h.level << 3 | (uint64_t)h.state;
}

/* Has it a place under the cap? */
static inline bool ilb__word_counts(enum ilb__health_state s)
{
    return s == ILB__EJECTED || s == ILB__PROBING;
}

/* It begins to warm up. */
static inline void ilb__word_warm(ilb__word *h)
{
    h->state = ILB__WARMING;
    h->good = 0;
    h->by = ILB_DETECTOR_NONE;
    h->until_ns = 0;
}

#endif
/* ==== back in libilb/health/probe.h */

/* One will be due then. */
ILB_INTERNAL void ilb__judge_due_at(ilb__judge *j, uint64_t at_ns);

/* A probe ended with neither: the next request may try again. False: it was no
 * longer the probe. */
ILB_INTERNAL bool ilb__health_inconclusive(ilb__judge *j, ilb__slot *slot,
                                           uint64_t now_ns);

/* Is it time to look for an endpoint to probe? One word to read. */
static inline bool ilb__judge_due(const ilb__judge *j, uint64_t now_ns)
{
    return ILB_UNLIKELY(now_ns >= ilb__load_relaxed(&j->next_due_ns));
}

/* Whatever is due, it must be looked for once more: the search may have missed
 * one. */
ILB_INTERNAL void ilb__judge_search_again(ilb__judge *j, uint64_t now_ns);

/* Whoever is due by then may be probed by a request: now, but earlier while the
 * caller makes probes of his own. */
ILB_INTERNAL uint64_t ilb__judge_due_by_ns(const ilb__judge *j,
                                           uint64_t now_ns);

/* When a caller who makes probes of his own should ask for one: when the next
 * is due, and before requests would be probes again for want of his asking. */
ILB_INTERNAL uint64_t ilb__judge_host_due_ns(const ilb__judge *j);

/* Begins the search of endpoints that were due by `due_by_ns`: true for one
 * caller, who passes every endpoint of the table to ilb__health_claim until
 * that is true. */
ILB_INTERNAL bool ilb__judge_begin_search(ilb__judge *j, uint64_t due_by_ns,
                                          uint64_t now_ns);

/* True: this slot is PROBING and the caller's request is its probe. Else,
 * when it will be due is noted. `may_claim` false: only note. */
ILB_INTERNAL bool ilb__health_claim(ilb__judge *j, ilb__slot *slot,
                                    bool may_claim, uint64_t due_by_ns,
                                    uint64_t now_ns);

/* May an endpoint be probed before its time? True for one caller in `every_ns`
 * at most. */
ILB_INTERNAL bool ilb__judge_begin_early(ilb__judge *j, uint64_t every_ns,
                                         uint64_t now_ns);

/* As ilb__health_claim, whether it is due or not. */
ILB_INTERNAL bool ilb__health_claim_early(ilb__judge *j, ilb__slot *slot,
                                          uint64_t now_ns);

#endif
/* ==== back in libilb/health/health.c */
/* ==== libilb/health/tell.h =============================================== */
/*
 * Telling what happens to an endpoint: each change that a request makes is told
 * to the judge's watcher, with the evidence for it, after it has been made; so
 * is a verdict that is not acted on, once in base_ejection_time_ns for an
 * endpoint and a detector: as often as it would have been. Claiming a probe and
 * giving it up are told by whoever does it, who knows what became of the
 * request.
 *
 * What is told is also counted, by detector, for the snapshot.
 */
#ifndef ILB_HEALTH_TELL_H
#define ILB_HEALTH_TELL_H

/* From one word to another, by a verdict or by none (NULL). */
ILB_INTERNAL void ilb__tell(const ilb__judge *j, const ilb__slot *slot,
                            ilb_event_type type, ilb_reason reason,
                            uint64_t from, uint64_t to, const ilb__verdict *v,
                            uint64_t now_ns);

/* The verdict has ejected the endpoint. */
ILB_INTERNAL void ilb__tell_ejected(const ilb__judge *j, ilb__slot *slot,
                                    uint64_t from, uint64_t to,
                                    const ilb__verdict *v, uint64_t now_ns);

/* The verdict is not acted on, for a reason. */
ILB_INTERNAL void ilb__tell_refused(const ilb__judge *j, ilb__slot *slot,
                                    ilb_reason reason, const ilb__verdict *v,
                                    uint64_t now_ns);

#endif
/* ==== back in libilb/health/health.c */

/* Good answers in WARMING until HEALTHY, and the in-flight cap by their
 * number (the last value holds to the end). */
#define ILB__HEALTH_GOOD_TO_HEALTHY 12 /* 15 fit */
/* So long, at most, an endpoint may be slow as it warms up; with the first list
 * it has most likely been there before its caller. */
#define ILB__HEALTH_WARM_UP_NS (60 * ILB_SECOND_NS)
#define ILB__HEALTH_FIRST_NS (10 * ILB_SECOND_NS)
/* Healthy time, per level, after which the level falls. */
#define ILB__HEALTH_LEVEL_DECAY_NS (30 * ILB_SECOND_NS)

ILB_INTERNAL uint64_t ilb__health_until_ns(uint64_t word)
{
    return ilb__word_unpack(word).until_ns;
}

ILB_INTERNAL uint32_t ilb__health_in_flight_cap(uint64_t word)
{
    ilb__word h = ilb__word_unpack(word);

    if (h.state != ILB__WARMING)
        return UINT32_MAX;
    return h.good < 4 ? h.good + 1 : 8;
}

ILB_INTERNAL void ilb__judge_init(ilb__judge *j, const ilb_options *o)
{
    j->consecutive_failures = o->consecutive_failures;
    j->max_ejection_percent = o->max_ejection_percent;
    j->base_ejection_time_ns = o->base_ejection_time_ns;
    j->max_ejection_time_ns = o->max_ejection_time_ns;
    j->max_retry_after_ns = o->max_retry_after_ns;
    j->checks.unhealthy_threshold = o->unhealthy_threshold;
    j->checks.healthy_threshold = o->healthy_threshold;
    j->checks.least_ns = o->base_ejection_time_ns;
    j->checks.most_ns = o->max_ejection_time_ns;
    j->check_unejects = o->check_effect == ILB_CHECK_UNEJECTS;
    j->slow_start_ns = o->slow_start_ns;
    j->latency_margin_ns = o->latency_margin_ns;
    j->by_cost = o->policy == ILB_POLICY_PEAK_EWMA;
    j->min_endpoints = o->min_endpoints;
    j->panic_threshold_percent = o->panic_threshold_percent;
    j->fail_closed = o->fail_mode == ILB_FAIL_CLOSED;
    j->detectors_off = o->detectors_off;
    j->detectors_shadow = o->detectors_shadow;
    if (o->consecutive_failures == ILB_NEVER)
        j->detectors_off = UINT32_MAX;
    ilb__store_relaxed(&j->next_due_ns, UINT64_MAX);
}

/* ---- Transitions ------------------------------------------------------- */

/* Time 0 is taken for the next one: it would mean that there is no ramp. */
static void ilb__health_ramp(const ilb__judge *j, ilb__slot *slot, uint64_t now_ns)
{
    if (j->slow_start_ns != 0)
        ilb__store_relaxed(&slot->ramp_ns, now_ns == 0 ? 1 : now_ns);
}

/* What was slow, silent or failed before it was away says nothing of it now,
 * nor what was sent then and ends later. */
static void ilb__health_anew(ilb__slot *slot, uint64_t warm_up_ns, uint64_t now_ns)
{
    ilb__store_relaxed(&slot->anew_ns, now_ns);
    ilb__overtaken_all(&slot->overtaken, &slot->load, now_ns);
    ilb__store_relaxed(&slot->evidence, 0);
    ilb__store_relaxed(&slot->slowness, 0);
    ilb__store_relaxed(&slot->silence, 0);
    ilb__store_relaxed(&slot->heard_ns, now_ns);
    ilb__store_relaxed(&slot->warm_ns, ilb__later_ns(now_ns, warm_up_ns));
}

/* Nor is what waits there still its load, if it hung or was away. The probe
 * that has just been answered is one of these until it ends. */
static void ilb__health_lose(ilb__slot *slot, uint64_t now_ns)
{
    uint32_t n = ilb__load_unanswered(ilb__load_relaxed(&slot->load.word));

    if (n == 0)
        return;
    ilb__store_relaxed(&slot->lost.since_ns, now_ns);
    ilb__lost_set(&slot->lost, &slot->extra_cost, n);
}

ILB_INTERNAL void ilb__health_enter(ilb__judge *j, ilb__slot *slot,
                                    uint32_t n_ready, uint64_t now_ns)
{
    const ilb__word warming = {ILB__WARMING, 0, 0, ILB_DETECTOR_NONE, 0};

    ilb__store_relaxed(&slot->ramp_ns, 0);
    if (n_ready > 0)
        ilb__health_ramp(j, slot, now_ns);
    /* Alone: nobody draws it yet, and late answers leave OUT as it is. What
     * it failed before it was away says nothing of it now. */
    ilb__store_relaxed(&slot->failures.word, 0);
    ilb__health_anew(slot, n_ready > 0 ? ILB__HEALTH_WARM_UP_NS : ILB__HEALTH_FIRST_NS,
                now_ns);
    ilb__health_lose(slot, now_ns);
    memset(&slot->checks, 0, sizeof slot->checks);
    ilb__store_relaxed(&slot->health, ilb__word_pack(warming));
}

ILB_INTERNAL void ilb__health_leave(ilb__judge *j, ilb__slot *slot)
{
    uint64_t word = ilb__load_relaxed(&slot->health);

    while (!ilb__cas_relaxed(&slot->health, &word, ILB__OUT))
        continue;
    if (ilb__word_counts(ilb__health_state_of(word)))
        ilb__cap_release(j);
}

static bool ilb__health_after_good(ilb__word *h, bool probe, uint64_t now_ns)
{
    switch (h->state) {
    case ILB__HEALTHY:
        if (h->level == 0 || now_ns < h->until_ns)
            return false;
        h->level--;
        break;
    case ILB__WARMING:
        if (++h->good < ILB__HEALTH_GOOD_TO_HEALTHY)
            return true;
        h->state = ILB__HEALTHY;
        h->good = 0;
        break;
    case ILB__PROBING:
        if (!probe)
            return false;
        ilb__word_warm(h);
        return true;
    case ILB__EJECTED: /* an answer from before: the probe decides */
        /* Silence was all that was said against it. Once only: who answers late
         * whenever it is tried is bound to the ladder as all others. */
        if (h->by != ILB_DETECTOR_HANG || h->level > 1 || h->until_ns <= now_ns)
            return false;
        h->until_ns = now_ns;
        return true;
    case ILB__OUT:
        return false;
    }
    h->until_ns = h->level == 0
                      ? 0
                      : ilb__later_ns(now_ns, h->level * ILB__HEALTH_LEVEL_DECAY_NS);
    return true;
}

ILB_INTERNAL void ilb__health_returned(ilb__judge *j, ilb__slot *slot,
                                       uint64_t word, uint64_t now_ns)
{
    /* Who has been down may have to warm up; who was slow has had its time. */
    ilb__health_anew(
        slot,
        ilb__health_by(word) == ILB_DETECTOR_LATENCY ? 0 : ILB__HEALTH_WARM_UP_NS,
        now_ns);
    if (ilb__health_by(word) == ILB_DETECTOR_HANG)
        ilb__health_lose(slot, now_ns);
    ilb__health_ramp(j, slot, now_ns);
    ilb__latency_forget(&slot->latency);
    ilb__store32_relaxed(&slot->peaks, 0);
    ilb__cap_release(j);
}

ILB_INTERNAL void ilb__health_good(ilb__judge *j, ilb__slot *slot, bool probe,
                                   uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h;

    do {
        h = ilb__word_unpack(word);
        if (ILB_LIKELY(!ilb__health_after_good(&h, probe, now_ns)))
            return;
    } while (!ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h)));
    if (h.state == ILB__EJECTED) {
        ilb__judge_due_at(j, now_ns);
    } else if (ilb__word_counts(ilb__health_state_of(word))) {
        ilb__tell(j, slot, ILB_EVENT_UNEJECT, ILB_REASON_NONE, word,
                  ilb__word_pack(h), NULL, now_ns);
        ilb__health_returned(j, slot, word, now_ns);
    } else if (ilb__health_state_of(word) != h.state) {
        ilb__tell(j, slot, ILB_EVENT_HEALTHY, ILB_REASON_NONE, word,
                  ilb__word_pack(h), NULL, now_ns);
    }
}

ILB_INTERNAL void ilb__health_enforce_cap(ilb__judge *j, ilb__slot *slot,
                                          uint32_t n_ready, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h = ilb__word_unpack(word);

    if (ilb__load32_relaxed(&j->n_ejected) <= ilb__cap_of(j, n_ready) ||
        !ilb__word_counts(h.state))
        return;
    ilb__word_warm(&h);
    if (!ilb__cas_strong_relaxed(&slot->health, word, ilb__word_pack(h)))
        return;
    ilb__tell(j, slot, ILB_EVENT_UNEJECT, ilb__cap_refusal(j, n_ready), word,
              ilb__word_pack(h), NULL, now_ns);
    ilb__health_returned(j, slot, word, now_ns);
}
/* ==== libilb/health/cap.c ================================================ */
/* See cap.h. */

static uint32_t ilb__cap_by_percent(const ilb__judge *j, uint32_t n_ready)
{
    uint32_t cap =
        (uint32_t)((uint64_t)n_ready * j->max_ejection_percent / 100);

    return cap == 0 && n_ready >= 2 ? 1 : cap;
}

static uint32_t ilb__cap_by_floor(const ilb__judge *j, uint32_t n_ready)
{
    return n_ready > j->min_endpoints ? n_ready - j->min_endpoints : 0;
}

ILB_INTERNAL uint32_t ilb__cap_of(const ilb__judge *j, uint32_t n_ready)
{
    uint32_t percent = ilb__cap_by_percent(j, n_ready);
    uint32_t floor = ilb__cap_by_floor(j, n_ready);

    return percent < floor ? percent : floor;
}

ILB_INTERNAL ilb_reason ilb__cap_refusal(const ilb__judge *j, uint32_t n_ready)
{
    return ilb__cap_by_floor(j, n_ready) <= ilb__cap_by_percent(j, n_ready)
               ? ILB_REASON_FLOOR
               : ILB_REASON_CAP;
}

ILB_INTERNAL bool ilb__cap_reserve(ilb__judge *j, uint32_t n_ready)
{
    uint32_t cap = ilb__cap_of(j, n_ready);
    uint32_t n = ilb__load32_relaxed(&j->n_ejected);

    do {
        if (n >= cap)
            return false;
    } while (!ilb__cas32_relaxed(&j->n_ejected, &n, n + 1));
    return true;
}

ILB_INTERNAL bool ilb__cap_panics(const ilb__judge *j, uint32_t n_ejected,
                                  uint32_t n_ready)
{
    uint64_t left = n_ready > n_ejected ? n_ready - n_ejected : 0;

    return left == 0 ||
           left * 100 < (uint64_t)n_ready * j->panic_threshold_percent;
}
/* ==== libilb/health/tell.c =============================================== */
/* See tell.h. */

/* Of the stamps in the slot: 2^20 ns. */
#define ILB__TELL_TICK_SHIFT 20
/* How far behind another thread's clock reading may be, ILB_CLOCK_SKEW_NS. */
#define ILB__TELL_SKEW_TICKS 2048

ILB_INTERNAL ilb_state ilb__health_public_state(uint64_t word)
{
    switch (ilb__health_state_of(word)) {
    case ILB__HEALTHY:
        return ILB_STATE_HEALTHY;
    case ILB__EJECTED:
        return ILB_STATE_EJECTED;
    case ILB__PROBING:
        return ILB_STATE_PROBING;
    case ILB__OUT:
    case ILB__WARMING:
        break;
    }
    return ILB_STATE_WARMING;
}

ILB_INTERNAL void ilb__tell(const ilb__judge *j, const ilb__slot *slot,
                            ilb_event_type type, ilb_reason reason,
                            uint64_t from, uint64_t to, const ilb__verdict *v,
                            uint64_t now_ns)
{
    const ilb__verdict none = {ILB_DETECTOR_NONE, 0, 0};
    ilb__transition t;

    if (j->tell == NULL)
        return;
    t.type = type;
    t.from = ilb__health_public_state(from);
    t.to = ilb__health_public_state(to);
    t.reason = reason;
    t.verdict = v == NULL ? none : *v;
    t.evidence.requests = t.evidence.failures = 0;
    if (t.verdict.detector == ILB_DETECTOR_CONSECUTIVE_FAILURES ||
        t.verdict.detector == ILB_DETECTOR_FAILURE_PERCENTAGE ||
        t.verdict.detector == ILB_DETECTOR_SUCCESS_RATE)
        t.evidence = ilb__evidence_run_of(&slot->evidence);
    t.until_ns =
        ilb__health_state_of(to) == ILB__EJECTED ? ilb__health_until_ns(to) : 0;
    t.now_ns = now_ns;
    j->tell(slot, &t, j->tell_user);
}

ILB_INTERNAL void ilb__tell_ejected(const ilb__judge *j, ilb__slot *slot,
                                    uint64_t from, uint64_t to,
                                    const ilb__verdict *v, uint64_t now_ns)
{
    ilb__add32_relaxed(&slot->detected[v->detector], 1);
    ilb__add32_relaxed(&slot->enforced[v->detector], 1);
    ilb__tell(j, slot, ILB_EVENT_EJECT, ILB_REASON_NONE, from, to, v, now_ns);
}

ILB_INTERNAL void ilb__tell_refused(const ilb__judge *j, ilb__slot *slot,
                                    ilb_reason reason, const ilb__verdict *v,
                                    uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    /* Never 0, which means: not yet. */
    uint32_t now = (uint32_t)(now_ns >> ILB__TELL_TICK_SHIFT) | 1;
    uint64_t period = j->base_ejection_time_ns >> ILB__TELL_TICK_SHIFT;
    uint32_t last = ilb__load32_relaxed(&slot->noted[v->detector]);

    if ((last != 0 &&
         now - last + ILB__TELL_SKEW_TICKS < (uint64_t)ILB__TELL_SKEW_TICKS + period) ||
        !ilb__cas32_strong_relaxed(&slot->noted[v->detector], last, now))
        return;
    ilb__add32_relaxed(&slot->detected[v->detector], 1);
    ilb__tell(j, slot, ILB_EVENT_EJECT_REFUSED, reason, word, word, v, now_ns);
}
/* ==== libilb/health/detectors.c ========================================== */
/* See detectors.h. */
/* ==== libilb/health/detectors.h ========================================== */
/*
 * The detectors: what is said against an endpoint, in the detector's own unit.
 * They only say; eject.c acts, once for all of them.
 *
 * Of failures (signal/evidence.h has the sums; thresholds in nats), here:
 *
 *     consecutive_failures  so many in a row, unless everyone fails a quarter
 *     failure_percentage    broken >= 16: a false alarm once in e^16 = 9
 *                           million requests;
 *                           >= 5 while WARMING after an ejection: one failure,
 *                           in a clean pool
 *     success_rate          faulty >= 18: once in 66 million; it looks at many
 *                           more, correlated ones
 *
 * Others:
 *
 *     latency               slowness >= 16 (slow.h)
 *     hang                  requests wait in vain, for 2 s or more (sweep.h)
 *     retry_after, probe    eject.h
 *
 * up to 8 more for the three sums, by the share of endpoints that are ejected
 * already: many at once are rather one cause than many faults; half of that
 * while the level is above 0: it has been ejected of late.
 *
 * A detector that is off is not asked. One in shadow is asked and counted as
 * detected, and somebody else's verdict decides.
 */
#ifndef ILB_HEALTH_DETECTORS_H
#define ILB_HEALTH_DETECTORS_H

/* Is that a verdict to act on? One in shadow is noted. */
ILB_INTERNAL bool ilb__detector_heard(const ilb__judge *j, ilb__slot *slot,
                                      const ilb__verdict *v, uint64_t now_ns);

/* Up to 8 nats more evidence, by the share of endpoints that are ejected; in
 * 1/256. */
ILB_INTERNAL uint32_t ilb__detectors_more(const ilb__judge *j,
                                          uint32_t n_ready);

/* What a failure shows of an endpoint in this state. True: v is the verdict
 * that ejects it, for all the cap allows. Those in shadow are noted. */
ILB_INTERNAL bool ilb__detect_failures(const ilb__judge *j, ilb__slot *slot,
                                       uint64_t health, const ilb__failing *x,
                                       const ilb__figures *f, ilb__verdict *v,
                                       uint64_t now_ns);

#endif
/* ==== back in libilb/health/detectors.c */

#define ILB__DETECTORS_BROKEN (16 * ILB_EVIDENCE_ONE)
#define ILB__DETECTORS_FAULTY (18 * ILB_EVIDENCE_ONE)
#define ILB__DETECTORS_BROKEN_WARMING (5 * ILB_EVIDENCE_ONE)
/* Where this share of healthy endpoints' requests fails, failures in a row
 * say nothing about one endpoint. */
#define ILB__DETECTORS_ROW_P0_MAX 0.25f

/* ---- Failures ---------------------------------------------------------- */

static ilb__verdict ilb__detectors_verdict(ilb_detector detector, double statistic,
                                      double threshold)
{
    ilb__verdict v = {detector, statistic, threshold};

    return v;
}

static ilb__verdict ilb__detectors_row(const ilb__judge *j, const ilb__failing *x,
                                  const ilb__figures *f)
{
    bool says =
        x->row >= j->consecutive_failures && f->p0 < ILB__DETECTORS_ROW_P0_MAX;

    return ilb__detectors_verdict(says ? ILB_DETECTOR_CONSECUTIVE_FAILURES
                                  : ILB_DETECTOR_NONE,
                             x->row, j->consecutive_failures);
}

static ilb__verdict ilb__detectors_sum(ilb_detector d, uint32_t sum,
                                  uint32_t threshold)
{
    return ilb__detectors_verdict(sum >= threshold ? d : ILB_DETECTOR_NONE,
                             (double)sum / ILB_EVIDENCE_ONE,
                             (double)threshold / ILB_EVIDENCE_ONE);
}

/* Many at once are rather one cause than many faults. */
ILB_INTERNAL uint32_t ilb__detectors_more(const ilb__judge *j, uint32_t n_ready)
{
    return n_ready == 0 ? 0
                        : ILB__DETECTORS_BROKEN / 2 *
                              ilb__load32_relaxed(&j->n_ejected) / n_ready;
}

static ilb__verdict ilb__detectors_broken(const ilb__judge *j, uint64_t health,
                                     const ilb__failing *x)
{
    bool of_late = ilb__health_of_late(health);
    uint32_t threshold =
        (ILB__DETECTORS_BROKEN + ilb__detectors_more(j, x->n_ready)) /
        (of_late ? 2 : 1);

    if (of_late && ilb__health_state_of(health) == ILB__WARMING)
        threshold = ILB__DETECTORS_BROKEN_WARMING;
    return ilb__detectors_sum(ILB_DETECTOR_FAILURE_PERCENTAGE, x->sums.broken,
                         threshold);
}

static ilb__verdict ilb__detectors_faulty(const ilb__judge *j, uint64_t health,
                                     const ilb__failing *x)
{
    return ilb__detectors_sum(
        ILB_DETECTOR_SUCCESS_RATE, x->sums.faulty,
        (ILB__DETECTORS_FAULTY + ilb__detectors_more(j, x->n_ready)) /
            (ilb__health_of_late(health) ? 2 : 1));
}

ILB_INTERNAL bool ilb__detector_heard(const ilb__judge *j, ilb__slot *slot,
                                      const ilb__verdict *v, uint64_t now_ns)
{
    if (v->detector == ILB_DETECTOR_NONE ||
        (j->detectors_off & ILB_DETECTOR_BIT(v->detector)) != 0)
        return false;
    if ((j->detectors_shadow & ILB_DETECTOR_BIT(v->detector)) == 0)
        return true;
    ilb__tell_refused(j, slot, ILB_REASON_SHADOW, v, now_ns);
    return false;
}

ILB_INTERNAL bool ilb__detect_failures(const ilb__judge *j, ilb__slot *slot,
                                       uint64_t health, const ilb__failing *x,
                                       const ilb__figures *f, ilb__verdict *v,
                                       uint64_t now_ns)
{
    ilb__verdict all[3];
    bool found = false;

    all[0] = ilb__detectors_row(j, x, f);
    all[1] = ilb__detectors_broken(j, health, x);
    all[2] = ilb__detectors_faulty(j, health, x);
    /* All are asked, so that those in shadow are heard of. */
    for (int i = 0; i < 3; i++)
        if (ilb__detector_heard(j, slot, &all[i], now_ns) && !found) {
            *v = all[i];
            found = true;
        }
    return found;
}
/* ==== libilb/health/ladder.c ============================================= */
/* See ladder.h. */
/* ==== libilb/health/ladder.h ============================================= */
/*
 * How long an ejection lasts.
 *
 *     level  1    2    3    4    5    6    7    8   9 ..
 *            1   1.2  1.2  1.4  1.6  1.8  2.8  2.8   4 base, +-10 % at random,
 *                                            so that callers do not return
 *                                            together
 *
 * but with few requests so long that a probe is at most one in 150 (level 1),
 * 300 (2), 450 (3 ..) of them; at most max. Who fails again soon after its
 * return, when its probe was good, goes up by three levels, to 9 at most: its
 * probes say little, as those of one that fails now and then or flaps. With the
 * base of 5 s a fault of a minute costs seven probes, each of which may fail,
 * then three a minute, and the endpoint is back within 15 s, later 22 s, of
 * healing. Doubling, as Finagle does it, or 30 s more each time, as Envoy,
 * costs fewer probes but returns as long after healing as the fault lasted.
 *
 * Whoever was ejected as it is slow is tried at most once in 1000 requests
 * (level 1), 2000 (2), 3000 (3), 4000 (4 ..), but within 30 s; and never before
 * the base, whatever the level: a slow answer costs its caller more than a
 * failure that can be sent again, but no request is lost.
 *
 * An endpoint that says when to come back (Retry-After) is EJECTED until then,
 * and up to a tenth longer, at the level that it has: it is not at fault. Its
 * probe may be refused again; then that takes the base, at the same level.
 *
 * Checks that the caller makes (signal/checks.h) eject and return an endpoint
 * at the level that it has as well; while they fail, no probe is due.
 *
 * Where a balancer fails closed and is closed (ilb_options.fail_mode), requests
 * are lost anyway: there few requests make no ejection longer.
 */
#ifndef ILB_HEALTH_LADDER_H
#define ILB_HEALTH_LADDER_H

/* Up to a tenth more than asked for. */
ILB_INTERNAL uint64_t ilb__ladder_longer_ns(uint64_t ns, uint32_t bits);

/* Ejects, from WARMING, HEALTHY or PROBING; its place under the cap is taken.
 */
ILB_INTERNAL void ilb__ladder_eject(const ilb__judge *j, ilb__word *h,
                                    ilb_detector by, const ilb__failing *x,
                                    const ilb__figures *f, uint64_t now_ns);

#endif
/* ==== back in libilb/health/ladder.c */

#define ILB__LADDER_LEVEL_MAX 31
#define ILB__LADDER_LEVEL_LONGER 9
#define ILB__LADDER_RELAPSE 3
#define ILB__LADDER_PROBE_REQUESTS 150.0
#define ILB__LADDER_RATE_ANY 1e9f
#define ILB__LADDER_SLOW_REQUESTS 1000.0
#define ILB__LADDER_SLOW_MOST_NS 30e9

ILB_INTERNAL uint64_t ilb__ladder_longer_ns(uint64_t ns, uint32_t bits)
{
    return ilb__later_ns(
        ns, (uint64_t)((double)(ns / 10) * ((double)bits / 4294967296.0)));
}

/* Of the base, by level. With the base of 5 s there are probes after 5, 11, 17,
 * 24, 32, 41, 55, 69 and 89 s, then every 20 s: seven in the first minute, and
 * three a minute from then on, whether the ejection came with the fault or, as
 * where requests hang, a quarter of a minute later. */
#define ILB__LADDER_TIMES 9
static const double ilb__ladder_times[ILB__LADDER_TIMES + 1] = {1,   1,   1.2, 1.2, 1.4,
                                                      1.6, 1.8, 2.8, 2.8, 4};

/* So long that a probe is rare among so few requests. A rate that is not known
 * yet makes nothing longer. */
static double ilb__ladder_few_ns(uint32_t level, ilb_detector by, float rate_per_s)
{
    double requests = ILB__LADDER_PROBE_REQUESTS * (level < 3 ? level : 3);
    double ns;

    if (by == ILB_DETECTOR_LATENCY)
        requests = ILB__LADDER_SLOW_REQUESTS * (level < 4 ? level : 4);
    ns = rate_per_s > 0 ? requests * 1e9 / (double)rate_per_s : 0;
    return by == ILB_DETECTOR_LATENCY && ns > ILB__LADDER_SLOW_MOST_NS
               ? ILB__LADDER_SLOW_MOST_NS
               : ns;
}

static uint64_t ilb__ladder_ejection_ns(const ilb__judge *j, uint32_t level,
                                   ilb_detector by, float rate_per_s)
{
    uint32_t at = level < ILB__LADDER_TIMES ? level : ILB__LADDER_TIMES;
    double times = by == ILB_DETECTOR_LATENCY ? 1 : ilb__ladder_times[at];
    double ns = (double)j->base_ejection_time_ns * times;
    double few = ilb__ladder_few_ns(level, by, rate_per_s);

    if (ns < few)
        ns = few;
    return ns < (double)j->max_ejection_time_ns ? (uint64_t)ns
                                                : j->max_ejection_time_ns;
}

/* 90 % to 110 % of it, but at most the maximum. */
static uint64_t ilb__ladder_jittered_ns(const ilb__judge *j, uint64_t ns,
                                   uint32_t bits)
{
    double factor = 0.9 + 0.2 * ((double)bits / 4294967296.0);
    double jittered = (double)ns * factor;

    return jittered >= (double)j->max_ejection_time_ns ? j->max_ejection_time_ns
                                                       : (uint64_t)jittered;
}

/* Requests a second that probes must be rare among. Those that fail closed
 * are lost whether or not they are probes. */
static float ilb__ladder_spared_per_s(const ilb__judge *j, uint32_t n_ready,
                                 const ilb__figures *f)
{
    return j->fail_closed && ilb__judge_panics(j, n_ready) ? ILB__LADDER_RATE_ANY
                                                           : f->rate_per_s;
}

static uint32_t ilb__ladder_next_level(const ilb__word *h, const ilb__failing *x)
{
    if (h->state == ILB__PROBING && h->good == ILB_WORD_EARLY && h->level > 0)
        return h->level;
    /* Refused again where it had said that it would be: not its fault. */
    if (x->refused && h->by == ILB_DETECTOR_RETRY_AFTER)
        return h->level;
    if (h->level > 0 && h->state != ILB__PROBING &&
        h->level < ILB__LADDER_LEVEL_LONGER)
        return h->level + ILB__LADDER_RELAPSE < ILB__LADDER_LEVEL_LONGER
                   ? h->level + ILB__LADDER_RELAPSE
                   : ILB__LADDER_LEVEL_LONGER;
    return h->level < ILB__LADDER_LEVEL_MAX ? h->level + 1 : h->level;
}

ILB_INTERNAL void ilb__ladder_eject(const ilb__judge *j, ilb__word *h,
                                    ilb_detector by, const ilb__failing *x,
                                    const ilb__figures *f, uint64_t now_ns)
{
    float rate = ilb__ladder_spared_per_s(j, x->n_ready, f);

    h->level = ilb__ladder_next_level(h, x);
    h->state = ILB__EJECTED;
    h->good = 0;
    h->by = by;
    h->until_ns = ilb__later_ns(
        now_ns, ilb__ladder_jittered_ns(j, ilb__ladder_ejection_ns(j, h->level, by, rate),
                                   x->bits));
}
/* ==== libilb/health/probe.c ============================================== */
/* See probe.h. */

/* So soon a caller is to ask again: timers are late. */
#define ILB__PROBE_HOST_AGAIN_NS (ILB_PROBE_HOST_NS / 2)

/* As the word has it. */
static uint64_t ilb__probe_rounded_ns(uint64_t until_ns)
{
    ilb__word h = {ILB__OUT, 0, 0, ILB_DETECTOR_NONE, 0};

    h.until_ns = until_ns;
    return ilb__word_unpack(ilb__word_pack(h)).until_ns;
}

ILB_INTERNAL void ilb__judge_due_at(ilb__judge *j, uint64_t at_ns)
{
    uint64_t due = ilb__load_relaxed(&j->next_due_ns);

    at_ns = ilb__probe_rounded_ns(at_ns);
    while (at_ns < due)
        if (ilb__cas_relaxed(&j->next_due_ns, &due, at_ns))
            return;
}

ILB_INTERNAL bool ilb__health_inconclusive(ilb__judge *j, ilb__slot *slot,
                                           uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h;

    do {
        h = ilb__word_unpack(word);
        if (h.state != ILB__PROBING)
            return false;
        h.state = ILB__EJECTED;
        h.good = 0;
        h.until_ns = now_ns;
    } while (!ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h)));
    ilb__judge_due_at(j, now_ns);
    return true;
}

ILB_INTERNAL uint64_t ilb__judge_due_by_ns(const ilb__judge *j, uint64_t now_ns)
{
    uint64_t host_ns = ilb__load_relaxed(&j->host_ns);

    if (ILB_LIKELY(host_ns == 0) ||
        ilb__elapsed_ns(host_ns, now_ns) >= ILB_PROBE_HOST_NS)
        return now_ns;
    return now_ns > ILB_PROBE_HOST_NS ? now_ns - ILB_PROBE_HOST_NS : 0;
}

ILB_INTERNAL uint64_t ilb__judge_host_due_ns(const ilb__judge *j)
{
    uint64_t host_ns = ilb__load_relaxed(&j->host_ns);
    uint64_t due_ns = ilb__load_relaxed(&j->next_due_ns);
    uint64_t again_ns = ilb__later_ns(host_ns, ILB__PROBE_HOST_AGAIN_NS);

    return host_ns == 0 || due_ns < again_ns ? due_ns : again_ns;
}

ILB_INTERNAL bool ilb__judge_begin_search(ilb__judge *j, uint64_t due_by_ns,
                                          uint64_t now_ns)
{
    uint64_t due = ilb__load_relaxed(&j->next_due_ns);

    /* Whatever falls due from here on lowers it again by itself. A search
     * through a table that is replaced meanwhile may miss one: so there is
     * another within a second. */
    return due_by_ns >= due &&
           ilb__cas_strong_relaxed(&j->next_due_ns, due,
                                   ilb__load32_relaxed(&j->n_ejected) == 0
                                       ? UINT64_MAX
                                       : ilb__later_ns(now_ns, ILB_SECOND_NS));
}

ILB_INTERNAL void ilb__judge_search_again(ilb__judge *j, uint64_t now_ns)
{
    uint64_t due = ilb__load_relaxed(&j->next_due_ns);

    while (now_ns < due && !ilb__cas_relaxed(&j->next_due_ns, &due, now_ns))
        continue;
}

/* This request is its probe. */
static bool ilb__probe_begin(ilb__judge *j, ilb__slot *slot, uint64_t word,
                        ilb__word h, uint64_t now_ns)
{
    h.state = ILB__PROBING;
    h.until_ns = ilb__later_ns(now_ns, j->base_ejection_time_ns);
    if (!ilb__cas_strong_relaxed(&slot->health, word, ilb__word_pack(h)))
        return false; /* who changed it has noted when it is due */
    ilb__judge_due_at(j, h.until_ns);
    return true;
}

ILB_INTERNAL bool ilb__health_claim(ilb__judge *j, ilb__slot *slot,
                                    bool may_claim, uint64_t due_by_ns,
                                    uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h = ilb__word_unpack(word);

    if (!ilb__word_counts(h.state))
        return false;
    if (due_by_ns < h.until_ns || !may_claim) {
        ilb__judge_due_at(j, h.until_ns);
        return false;
    }
    h.good = 0;
    return ilb__probe_begin(j, slot, word, h, now_ns);
}

ILB_INTERNAL bool ilb__judge_begin_early(ilb__judge *j, uint64_t every_ns,
                                         uint64_t now_ns)
{
    uint64_t last_ns = ilb__load_relaxed(&j->early_ns);

    return ilb__load32_relaxed(&j->n_ejected) > 0 &&
           (last_ns == 0 || ilb__elapsed_ns(last_ns, now_ns) >= every_ns) &&
           ilb__cas_strong_relaxed(&j->early_ns, last_ns, now_ns);
}

ILB_INTERNAL bool ilb__health_claim_early(ilb__judge *j, ilb__slot *slot,
                                          uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h = ilb__word_unpack(word);

    if (h.state != ILB__EJECTED || h.by == ILB_DETECTOR_RETRY_AFTER ||
        h.by == ILB_DETECTOR_PROBE)
        return false;
    h.good = ILB_WORD_EARLY;
    return ilb__probe_begin(j, slot, word, h, now_ns);
}
/* ==== libilb/health/eject.c ============================================== */
/* See eject.h. */
/* ==== libilb/health/eject.h ============================================== */
/*
 * What requests and checks show of an endpoint, and what follows: a detector
 * speaks, a place under the cap is reserved, the state changes, once for
 * however many threads; it is told, whether it happens or not.
 *
 * Retry-After: one that refuses some of its requests for load serves the
 * others. Left alone for as long as it asks, its load goes to the others, who
 * then ask as well, until few are left. So this ejection is refused
 * (ILB_REASON_CAPACITY), where costs are compared at all, while those that are
 * left suffer (overload.h), or when one in eight is out, one at least, and
 * half a request is in flight to each in the mean (rate x median / n). Then it
 * is held back as who does not say when (signal/refusals.h). Who only refuses
 * answers nothing well and stays held back, so nothing is lost by that.
 */
#ifndef ILB_HEALTH_EJECT_H
#define ILB_HEALTH_EJECT_H

/* A failure. True: it has ejected the endpoint. */
ILB_INTERNAL bool ilb__health_bad(ilb__judge *j, ilb__slot *slot, bool probe,
                                  const ilb__failing *failing,
                                  const ilb__figures *f, uint64_t now_ns);

/* A verdict on an endpoint that is WARMING or HEALTHY, and heard: ejects it.
 * False: it is neither any more, or the cap refuses it. */
ILB_INTERNAL bool ilb__eject(ilb__judge *j, ilb__slot *slot,
                             const ilb__verdict *v, const ilb__failing *x,
                             const ilb__figures *f, uint64_t now_ns);

/* The probe failed: it is ejected again and keeps its place under the cap.
 * False: it is not PROBING any more. */
ILB_INTERNAL bool ilb__eject_probe_failed(ilb__judge *j, ilb__slot *slot,
                                          const ilb__failing *x,
                                          const ilb__figures *f,
                                          uint64_t now_ns);

/* Checks that the caller has made say that it is down: so many have failed in a
 * row. True: that has ejected it. The writer's. */
ILB_INTERNAL bool ilb__health_check_down(ilb__judge *j, ilb__slot *slot,
                                         uint32_t n_ready, uint64_t now_ns);

/* They say that it is up, and whether that is news. The writer's. */
ILB_INTERNAL void ilb__health_check_up(ilb__judge *j, ilb__slot *slot,
                                       bool again, uint64_t now_ns);

#endif
/* ==== back in libilb/health/eject.c */

/* See eject.h. */
#define ILB__EJECT_FEW 8
#define ILB__EJECT_BUSY 0.5f

/* A verdict on an endpoint that is WARMING or HEALTHY: ejects it. False: it is
 * neither any more, or that is refused. */
static bool ilb__eject_enforce(ilb__judge *j, ilb__slot *slot, uint64_t word,
                          const ilb__verdict *v, const ilb__failing *x,
                          const ilb__figures *f, uint64_t now_ns)
{
    ilb__word h;

    if (!ilb__cap_reserve(j, x->n_ready)) {
        ilb__tell_refused(j, slot, ilb__cap_refusal(j, x->n_ready), v, now_ns);
        return false;
    }
    while (ilb__health_eligible(word)) {
        h = ilb__word_unpack(word);
        ilb__ladder_eject(j, &h, v->detector, x, f, now_ns);
        if (ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h))) {
            ilb__add_relaxed(&slot->ejections, 1);
            ilb__judge_due_at(j, h.until_ns);
            ilb__tell_ejected(j, slot, word, ilb__word_pack(h), v, now_ns);
            return true; /* the place is this endpoint's now */
        }
    }
    ilb__cap_release(j);
    return false;
}

ILB_INTERNAL bool ilb__eject(ilb__judge *j, ilb__slot *slot,
                             const ilb__verdict *v, const ilb__failing *x,
                             const ilb__figures *f, uint64_t now_ns)
{
    return ilb__eject_enforce(j, slot, ilb__load_relaxed(&slot->health), v, x, f,
                         now_ns);
}

ILB_INTERNAL bool ilb__eject_probe_failed(ilb__judge *j, ilb__slot *slot,
                                          const ilb__failing *x,
                                          const ilb__figures *f,
                                          uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h;

    do {
        h = ilb__word_unpack(word);
        if (h.state != ILB__PROBING)
            return false;
        ilb__ladder_eject(j, &h, h.by, x, f, now_ns);
    } while (!ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h)));
    ilb__add_relaxed(&slot->ejections, 1);
    ilb__judge_due_at(j, h.until_ns);
    ilb__tell(j, slot, ILB_EVENT_PROBE_FAILED, ILB_REASON_NONE, word,
              ilb__word_pack(h), NULL, now_ns);
    return true;
}

static bool ilb__eject_failed(ilb__judge *j, ilb__slot *slot, bool probe,
                         const ilb__failing *x, const ilb__figures *f,
                         uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__verdict v;

    if (probe && ilb__health_state_of(word) == ILB__PROBING)
        return ilb__eject_probe_failed(j, slot, x, f, now_ns);
    return !x->refused && ilb__health_eligible(word) &&
           ilb__detect_failures(j, slot, word, x, f, &v, now_ns) &&
           ilb__eject_enforce(j, slot, word, &v, x, f, now_ns);
}

/* Ejects it until then, or longer, at the level that it has. False: there is no
 * place under the cap. */
static bool ilb__eject_until(ilb__judge *j, ilb__slot *slot, uint32_t n_ready,
                        const ilb__verdict *v, uint64_t until_ns,
                        uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    bool reserved = false;
    ilb__word h;

    do {
        h = ilb__word_unpack(word);
        /* The request that is its probe right now decides. */
        if (h.state == ILB__OUT || h.state == ILB__PROBING ||
            (h.state == ILB__EJECTED && h.until_ns >= until_ns))
            break;
        if (h.state != ILB__EJECTED) {
            if (!reserved && !ilb__cap_reserve(j, n_ready)) {
                ilb__tell_refused(j, slot, ilb__cap_refusal(j, n_ready), v,
                                  now_ns);
                return false;
            }
            reserved = true;
            h.state = ILB__EJECTED;
            h.good = 0;
            h.by = v->detector;
        }
        h.until_ns = until_ns;
        if (ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h))) {
            if (ilb__health_eligible(word)) {
                ilb__add_relaxed(&slot->ejections, 1);
                ilb__tell_ejected(j, slot, word, ilb__word_pack(h), v, now_ns);
                reserved = false; /* the place is this endpoint's now */
            }
            ilb__judge_due_at(j, h.until_ns);
            break;
        }
    } while (true);
    if (reserved)
        ilb__cap_release(j);
    return true;
}

/* It asks to be left alone, but serves what the others may not be able to. */
static bool ilb__eject_is_needed(const ilb__judge *j, uint32_t n_ready,
                            const ilb__figures *f)
{
    float busy = f->rate_per_s * f->median_ns / 1e9f;
    uint32_t few = n_ready / ILB__EJECT_FEW;

    if (!j->by_cost)
        return false;
    if (few == 0)
        few = 1;
    return f->overloaded || (ilb__load32_relaxed(&j->n_ejected) >= few &&
                             busy >= ILB__EJECT_BUSY * (float)n_ready);
}

static uint64_t ilb__eject_asked_until_ns(const ilb__judge *j, const ilb__failing *x,
                                     uint64_t now_ns)
{
    uint64_t ns = x->retry_after_ns < j->max_retry_after_ns
                      ? x->retry_after_ns
                      : j->max_retry_after_ns;

    return ilb__later_ns(now_ns, ilb__ladder_longer_ns(ns, x->bits));
}

ILB_INTERNAL bool ilb__health_bad(ilb__judge *j, ilb__slot *slot, bool probe,
                                  const ilb__failing *x, const ilb__figures *f,
                                  uint64_t now_ns)
{
    const ilb__verdict asked = {ILB_DETECTOR_RETRY_AFTER,
                                (double)x->retry_after_ns / 1e9, 0};
    bool ejected = ilb__eject_failed(j, slot, probe, x, f, now_ns);
    uint64_t until_ns = 0;

    if (x->retry_after_ns > 0 && ilb__detector_heard(j, slot, &asked, now_ns)) {
        if (ilb__eject_is_needed(j, x->n_ready, f)) {
            ilb__tell_refused(j, slot, ILB_REASON_CAPACITY, &asked, now_ns);
        } else {
            until_ns = ilb__eject_asked_until_ns(j, x, now_ns);
            if (ilb__eject_until(j, slot, x->n_ready, &asked, until_ns, now_ns))
                return true;
        }
    }
    if (x->refused || until_ns > 0)
        ilb__refusals_add(&slot->refusals, x->bits, until_ns, now_ns);
    return ejected;
}

/* ---- Checks ------------------------------------------------------------ */

ILB_INTERNAL bool ilb__health_check_down(ilb__judge *j, ilb__slot *slot,
                                         uint32_t n_ready, uint64_t now_ns)
{
    const ilb__verdict v = {ILB_DETECTOR_PROBE, slot->checks.failed,
                            j->checks.unhealthy_threshold};

    return ilb__detector_heard(j, slot, &v, now_ns) &&
           ilb__eject_until(j, slot, n_ready, &v,
                       ilb__later_ns(now_ns, slot->checks.lease_ns), now_ns);
}

ILB_INTERNAL void ilb__health_check_up(ilb__judge *j, ilb__slot *slot,
                                       bool again, uint64_t now_ns)
{
    const ilb__verdict v = {ILB_DETECTOR_PROBE, slot->checks.passed,
                            j->checks.healthy_threshold};
    uint64_t word = ilb__load_relaxed(&slot->health);
    bool returns;
    ilb__word h;

    do {
        h = ilb__word_unpack(word);
        returns = h.by == ILB_DETECTOR_PROBE || j->check_unejects;
        if (h.state != ILB__EJECTED || (!returns && !again) ||
            !ilb__detector_heard(j, slot, &v, now_ns))
            return;
        if (returns)
            ilb__word_warm(&h);
        else
            h.until_ns = now_ns;
    } while (!ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h)));
    if (!returns) {
        ilb__judge_due_at(j, now_ns);
        return;
    }
    ilb__tell(j, slot, ILB_EVENT_UNEJECT, ILB_REASON_NONE, word,
              ilb__word_pack(h), &v, now_ns);
    ilb__health_returned(j, slot, word, now_ns);
}
/* ==== libilb/health/slow.c =============================================== */
/* See slow.h. */
/* ==== libilb/health/slow.h =============================================== */
/*
 * The detector of latency: who is much slower than its peers for long
 * (signal/slowness.h has the sum and its meaning) is ejected at 16 nats, eight
 * answers at least, no two of them in flight together, over
 * base_ejection_time_ns at least: to eject for longer than the trouble lasts
 * would cost more than it. At half of that, in any time, if it was ejected of
 * late; and at up to 8 nats more by the share of endpoints that are ejected
 * (detectors.h).
 *
 * Nobody is ejected for being slow
 *   - as long as it may be warming up: for a minute after it came, or came back
 *     from another ejection; for ten seconds if it came with the first list, as
 *     it has most likely been there before its caller;
 *   - while the others need it, slow as it is (ILB_REASON_CAPACITY; of more
 * than 63 endpoints this is known of those that are surveyed): while it has a
 * tenth of the requests, for its weight, that an endpoint has. Where endpoints
 * are chosen by what they cost (peak_ewma) one that takes k times as long has
 * about a share of 1/k of the others' where all are busy, and of 1/k^2 where
 * they are not; a tenth parts the two from k = 4 on. The other policies do not
 * look at latency: their shares say nothing;
 *   - while the others suffer from the ejections that there are (pool.h),
 *     ILB_REASON_CAPACITY as well.
 *
 * It returns by a probe, whose answer must not take longer than
 * max(2 m, m + margin).
 *
 * (The score avoids a slow endpoint by itself, sooner. The ejection is for
 * policies that do not look at latency, tells others, and tries it once in a
 * while instead of whenever all others are busy.)
 */
#ifndef ILB_HEALTH_SLOW_H
#define ILB_HEALTH_SLOW_H

/* A request that is over, as this detector sees it. */
typedef struct ilb__ended {
    uint64_t waited_ns; /* as one of ordinary cost */
    uint64_t began_ns;
    bool answered, probe;
    float served; /* ilb__survey_served */
    uint32_t n_ready;
    uint32_t bits; /* random ones, for the jitter */
} ilb__ended;

/* True: it was the probe of an endpoint that must be fast, and was not: it is
 * ejected again. */
ILB_INTERNAL bool ilb__health_ended(ilb__judge *j, ilb__slot *slot,
                                    const ilb__ended *e, const ilb__figures *f,
                                    uint64_t now_ns);

#endif
/* ==== back in libilb/health/slow.c */

#define ILB__SLOW_THRESHOLD (16 * ILB_EVIDENCE_ONE)
#define ILB__SLOW_NEEDED 0.1f
#define ILB__SLOW_PROBE_FACTOR 2.0f

static bool ilb__slow_is_warming_up(const ilb__slot *slot, uint64_t now_ns)
{
    return now_ns < ilb__load_relaxed(&slot->warm_ns);
}

static bool ilb__slow_is_needed(const ilb__judge *j, const ilb__slot *slot,
                           float served)
{
    return j->by_cost &&
           ilb__window_short(&slot->window).ended >
               ILB__SLOW_NEEDED * served * (float)ilb__load32_relaxed(&slot->weight);
}

/* Not for longer than an ejection lasts; unless it was ejected of late. */
static bool ilb__slow_is_short(const ilb__judge *j, const ilb__slot *slot,
                          uint64_t health, uint64_t now_ns)
{
    return !ilb__health_of_late(health) &&
           ilb__elapsed_ns(ilb__load_relaxed(&slot->slow_ns), now_ns) <
               j->base_ejection_time_ns;
}

static bool ilb__slow_judge(ilb__judge *j, ilb__slot *slot, uint64_t health,
                       const ilb__slowness *s, const ilb__ended *e,
                       const ilb__figures *f, uint64_t now_ns)
{
    uint32_t threshold = (ILB__SLOW_THRESHOLD + ilb__detectors_more(j, e->n_ready)) /
                         (ilb__health_of_late(health) ? 2 : 1);
    const ilb__verdict v = {ILB_DETECTOR_LATENCY,
                            (double)s->sum / ILB_EVIDENCE_ONE,
                            (double)threshold / ILB_EVIDENCE_ONE};
    ilb__failing x = {0};

    if (s->sum < threshold || ilb__slow_is_short(j, slot, health, now_ns) ||
        !ilb__detector_heard(j, slot, &v, now_ns))
        return false;
    if (f->overloaded || ilb__slow_is_needed(j, slot, e->served)) {
        ilb__tell_refused(j, slot, ILB_REASON_CAPACITY, &v, now_ns);
        return false;
    }
    x.n_ready = e->n_ready;
    x.bits = e->bits;
    return ilb__eject(j, slot, &v, &x, f, now_ns);
}

/* Its probe, of one that was ejected as it was slow, is answered: too late? */
static bool ilb__slow_probe(ilb__judge *j, ilb__slot *slot, const ilb__ended *e,
                       const ilb__figures *f, uint64_t now_ns)
{
    float limit_ns = ILB__SLOW_PROBE_FACTOR * f->median_ns;
    ilb__failing x = {0};

    if (limit_ns < f->median_ns + (float)j->latency_margin_ns)
        limit_ns = f->median_ns + (float)j->latency_margin_ns;
    if (!e->answered || (float)e->waited_ns <= limit_ns)
        return false;
    x.n_ready = e->n_ready;
    x.bits = e->bits;
    return ilb__eject_probe_failed(j, slot, &x, f, now_ns);
}

/* Of peers hardly any answer takes as long: as much as one can say. */
static float ilb__slow_units(const ilb__ended *e, float unit_ns,
                        const ilb__figures *f)
{
    float ns = (float)e->waited_ns;

    if (e->answered && ns > ILB_SLOWNESS_FACTOR * unit_ns && f->p99_ns > 0 &&
        ns > ILB_FIGURES_HANG_P99 * f->p99_ns)
        return ILB_SLOWNESS_MOST;
    return ns / unit_ns;
}

ILB_INTERNAL bool ilb__health_ended(ilb__judge *j, ilb__slot *slot,
                                    const ilb__ended *e, const ilb__figures *f,
                                    uint64_t now_ns)
{
    float unit_ns = ilb__slowness_unit_ns(f, j->latency_margin_ns);
    uint64_t health = ilb__load_relaxed(&slot->health);
    ilb__slowness s;
    ilb__wait w;

    if (unit_ns == 0 ||
        (j->detectors_off & ILB_DETECTOR_BIT(ILB_DETECTOR_LATENCY)) != 0)
        return false;
    if (e->probe && ilb__health_state_of(health) == ILB__PROBING)
        return ilb__health_by(health) == ILB_DETECTOR_LATENCY &&
               ilb__slow_probe(j, slot, e, f, now_ns);
    w.units = ilb__slow_units(e, unit_ns, f);
    w.answered = e->answered;
    w.began_ns = e->began_ns;
    if (!ilb__health_eligible(health) || ilb__slow_is_warming_up(slot, now_ns) ||
        !ilb__slowness_add(&slot->slowness, &w, now_ns, &s))
        return false;
    if (s.n == 1)
        ilb__store_relaxed(&slot->slow_ns, e->began_ns);
    if (ilb__slow_judge(j, slot, health, &s, e, f, now_ns))
        /* An update may have made the set smaller meanwhile. */
        ilb__health_enforce_cap(j, slot, e->n_ready, now_ns);
    return false;
}
/* ==== libilb/health/sweep.c ============================================== */
/* See sweep.h. */
/* ==== libilb/health/sweep.h ============================================== */
/*
 * The detector of hanging: nobody reports a request that is not answered, so
 * the pool's maintenance looks, each time at up to 64 endpoints, in turn.
 *
 * An endpoint hangs if, since it was last heard of, requests have waited in
 * vain: longer than answers ordinarily take (hang, ilb__figures_hang_ns), in
 * flight still or given up by their caller, who need not have waited for long,
 * in flight together or one after the other; two at least: one alone may be a
 * long one (the score sends another one after a while, to find out), and those
 * that later ones have overtaken do not count (signal/overtaken.h). Together
 * they must have waited for
 *
 *         H = max(4 hang, 2 s);
 *
 * time in which none of them was in flight does not count. And at most half of
 * those looked at may have such requests: else the cause is not theirs.
 *
 * (More than two are rare: the score holds back whoever has one that waits for
 * longer than `hang`, and before that prefers others to whoever has one in
 * flight; the second is most often the one that it sends to find out.)
 *
 * It is heard of when it gives a good answer or the first byte of one.
 *
 * A maintenance that comes late, when many requests would have come meanwhile,
 * means that the caller itself has stood still: silence is counted from then.
 *
 * Ejection says so to others, holds for every policy, and brings it back by a
 * probe, whatever still waits there; one that is not answered for H, or for
 * 85 % of base_ejection_time_ns if that is less, has failed, however long its
 * caller may wait. A late answer of an endpoint that has just
 * been ejected makes its probe due at once: it was a stop, and is over
 * (health.h). Requests that have waited since before it returned are lost; they
 * say nothing any more.
 *
 * (Kratos and brpc count unanswered requests as latency, as our score does;
 * Envoy and Finagle know of none but by the caller's timeout.)
 */
#ifndef ILB_HEALTH_SWEEP_H
#define ILB_HEALTH_SWEEP_H

/* A maintenance, `since_ns` after the one before; `steady_ns` is since when
 * they came in time. */
typedef struct ilb__sweep {
    uint64_t round; /* its number */
    uint64_t steady_ns;
    uint64_t now_ns;
} ilb__sweep;

/* Signs of life, counted: answers, and first bytes of those that are still in
 * flight. slot->heard is as many as the last sweep saw. */
static inline uint64_t ilb__sweep_signs(const ilb__slot *slot, uint64_t load)
{
    return ilb__load_relaxed(&slot->done[ILB_SUCCESS]) +
           ilb__load_answered(load);
}

ILB_INTERNAL void ilb__sweep_table(ilb__judge *j, ilb__slot *slots,
                                   const ilb__view *view, const ilb__figures *f,
                                   const ilb__sweep *s);

/* A request to it was given up that had waited in vain for so long. */
ILB_INTERNAL void ilb__sweep_gave_up(ilb__slot *slot, uint64_t waited_ns,
                                     const ilb__figures *f, uint64_t now_ns);

#endif
/* ==== back in libilb/health/sweep.c */

#define ILB__SWEEP_ENDPOINTS 64
#define ILB__SWEEP_REQUESTS 2
/* Of its time, by which a probe has failed. */
#define ILB__SWEEP_PROBE_BASE 0.85f

/* What has been waited for in vain. */
typedef struct ilb__sweep_wait {
    uint64_t ns;
    uint32_t n; /* requests */
} ilb__sweep_wait;

typedef struct ilb__sweep_run {
    ilb__judge *judge;
    const ilb__figures *figures;
    const ilb__sweep *sweep;
    float limit_ns;
    float longlived_ns;
    uint32_t n_eligible;
    uint32_t n_silent;
    uint32_t n; /* that hang */
    ilb__slot *slots[ILB__SWEEP_ENDPOINTS];
    uint32_t generations[ILB__SWEEP_ENDPOINTS];
    uint64_t waited_ns[ILB__SWEEP_ENDPOINTS];
} ilb__sweep_run;

/* Notes whether it was heard of since the last sweep. */
static void ilb__sweep_listen(ilb__slot *slot, uint64_t load, uint64_t now_ns)
{
    uint64_t heard = ilb__sweep_signs(slot, load);

    if (heard == ilb__load_relaxed(&slot->heard))
        return;
    ilb__store_relaxed(&slot->heard, heard);
    ilb__store_relaxed(&slot->heard_ns, now_ns);
}

/* Since when it is silent, and we know that it is. */
static uint64_t ilb__sweep_quiet_ns(const ilb__sweep_run *r, const ilb__slot *slot)
{
    uint64_t quiet_ns =
        ilb__elapsed_ns(ilb__load_relaxed(&slot->heard_ns), r->sweep->now_ns);
    uint64_t steady_ns = ilb__elapsed_ns(r->sweep->steady_ns, r->sweep->now_ns);

    return quiet_ns < steady_ns ? quiet_ns : steady_ns;
}

/* Unanswered ones, without those that later ones have overtaken, or that have
 * waited since before it returned. */
static uint32_t ilb__sweep_unanswered(ilb__slot *slot, uint64_t load)
{
    uint32_t unanswered = ilb__load_unanswered(load);

    (void)ilb__lost_at_most(&slot->lost, &slot->extra_cost, unanswered);
    return unanswered - ilb__epochs_of(&slot->overtaken, unanswered);
}

static ilb__sweep_wait ilb__sweep_waited(const ilb__sweep_run *r, const ilb__slot *slot,
                               uint64_t load, uint32_t unanswered)
{
    uint64_t quiet_ns = ilb__sweep_quiet_ns(r, slot);
    uint64_t age_ns = ilb__load_age_ns(&slot->load, load, r->sweep->now_ns);
    ilb__silence given =
        ilb__silence_read(&slot->silence, quiet_ns, r->sweep->now_ns);
    ilb__sweep_wait w = {given.asked_ns, given.n};

    if (age_ns > quiet_ns)
        age_ns = quiet_ns;
    if (unanswered == 0 || (float)age_ns <= ilb__figures_hang_ns(r->figures))
        return w;
    w.n += unanswered;
    w.ns += given.n > 0 && given.last_ns < age_ns ? given.last_ns : age_ns;
    return w;
}

/* Its probe has been waiting for so long: H, but it fails before it counts as
 * lost and is repeated, at the same level, when its time is over. */
static void ilb__sweep_probe(const ilb__sweep_run *r, ilb__slot *slot, uint64_t health,
                        uint32_t n_ready)
{
    uint64_t base_ns = r->judge->base_ejection_time_ns;
    uint64_t left_ns =
        ilb__elapsed_ns(r->sweep->now_ns, ilb__health_until_ns(health));
    float most_ns = ILB__SWEEP_PROBE_BASE * (float)base_ns;
    float limit_ns = r->limit_ns < most_ns ? r->limit_ns : most_ns;
    ilb__failing x = {0};

    if (left_ns > base_ns || (float)(base_ns - left_ns) < limit_ns)
        return;
    x.n_ready = n_ready;
    x.bits = (uint32_t)ilb__mix64(r->sweep->now_ns);
    (void)ilb__eject_probe_failed(r->judge, slot, &x, r->figures,
                                  r->sweep->now_ns);
}

static void ilb__sweep_look(ilb__sweep_run *r, ilb__slot *slot, uint32_t n_ready)
{
    uint64_t load = ilb__load_relaxed(&slot->load.word);
    uint64_t health = ilb__load_relaxed(&slot->health);
    ilb__sweep_wait w;

    ilb__sweep_listen(slot, load, r->sweep->now_ns);
    ilb__longlived_turn(&slot->longlived, ilb__load_in_flight(load),
                        r->longlived_ns, r->sweep->now_ns);
    if (ilb__health_state_of(health) == ILB__PROBING &&
        ilb__health_by(health) == ILB_DETECTOR_HANG)
        ilb__sweep_probe(r, slot, health, n_ready);
    if (!ilb__health_eligible(health))
        return;
    r->n_eligible++;
    if (ILB_LIKELY(ilb__load_unanswered(load) == 0 &&
                   ilb__load_relaxed(&slot->silence) == 0 &&
                   ilb__load_relaxed(&slot->lost.n) == 0))
        return;
    w = ilb__sweep_waited(r, slot, load, ilb__sweep_unanswered(slot, load));
    r->n_silent += w.n > 0;
    if (w.n < ILB__SWEEP_REQUESTS || (float)w.ns < r->limit_ns)
        return;
    r->slots[r->n] = slot;
    r->generations[r->n] = ilb__load_generation(load);
    r->waited_ns[r->n++] = w.ns;
}

static void ilb__sweep_eject(const ilb__sweep_run *r, uint32_t i, uint32_t n_ready)
{
    const ilb__verdict v = {ILB_DETECTOR_HANG, (double)r->waited_ns[i] / 1e9,
                            (double)r->limit_ns / 1e9};
    uint64_t now_ns = r->sweep->now_ns;
    ilb__failing x = {0};

    /* Another endpoint's by now? */
    if (ilb__load_generation(ilb__load_relaxed(&r->slots[i]->load.word)) !=
        r->generations[i])
        return;
    x.n_ready = n_ready;
    x.bits = (uint32_t)ilb__mix64(now_ns + i * ILB_GOLDEN);
    if (ilb__detector_heard(r->judge, r->slots[i], &v, now_ns) &&
        ilb__eject(r->judge, r->slots[i], &v, &x, r->figures, now_ns))
        ilb__health_enforce_cap(r->judge, r->slots[i], n_ready, now_ns);
}

ILB_INTERNAL void ilb__sweep_table(ilb__judge *j, ilb__slot *slots,
                                   const ilb__view *view, const ilb__figures *f,
                                   const ilb__sweep *s)
{
    uint32_t n = view->n < ILB__SWEEP_ENDPOINTS ? view->n : ILB__SWEEP_ENDPOINTS;
    uint32_t first = n == 0 ? 0 : (uint32_t)(s->round * n % view->n);
    ilb__sweep_run r;

    r.judge = j;
    r.figures = f;
    r.sweep = s;
    r.limit_ns = ilb__figures_silent_ns(f);
    r.longlived_ns = ilb__figures_longlived_ns(f);
    r.n = r.n_silent = r.n_eligible = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = first + i < view->n ? first + i : first + i - view->n;

        ilb__sweep_look(&r, &slots[ilb__endpoint_id_index(ilb__view_id(view, at))],
                   view->n);
    }
    if (2 * r.n_silent > r.n_eligible)
        return;
    for (uint32_t i = 0; i < r.n; i++)
        ilb__sweep_eject(&r, i, view->n);
}

ILB_INTERNAL void ilb__sweep_gave_up(ilb__slot *slot, uint64_t waited_ns,
                                     const ilb__figures *f, uint64_t now_ns)
{
    if ((float)waited_ns > ilb__figures_hang_ns(f))
        ilb__silence_add(
            &slot->silence, waited_ns,
            ilb__elapsed_ns(ilb__load_relaxed(&slot->heard_ns), now_ns),
            now_ns);
}
/* ==== libilb/health/survey.c ============================================= */
/* See survey.h. */
/* ==== libilb/health/survey.h ============================================= */
/*
 * One look at the endpoints, at most 64 of them, spread evenly over the table:
 * what the pool's yardsticks (pool.h) are worked out from.
 */
#ifndef ILB_HEALTH_SURVEY_H
#define ILB_HEALTH_SURVEY_H

#define ILB_SURVEY_MAX 64

typedef struct ilb__survey {
    float estimates[ILB_SURVEY_MAX]; /* of the eligible ones, sorted */
    uint32_t n_estimates;
    ilb__tally long_term[ILB_SURVEY_MAX];
    ilb__tally short_term[ILB_SURVEY_MAX];
    uint32_t n, n_eligible, n_untried;
    uint32_t n_on_trial; /* eligible, and requests to them are trials, as they
                            fail or are slow */
    uint64_t in_flight;  /* to eligible ones */
    uint64_t longlived;  /* of these: signal/longlived.h */
    uint64_t overtaken;  /* of the others: signal/overtaken.h */
    uint32_t n_heard;    /* eligible, with a good answer of late */
    float served, served_share; /* see ilb__survey_served */
    float failed;               /* of served */
    uint64_t ended;             /* since the last look */
    uint64_t answered;          /* of these: by eligible ones */
} ilb__survey;

/* What an endpoint has of late, for each unit of its weight: of e_i requests
 * that ended of late at a weight of w_i, sum e_i^2 / w_i over sum e_i; so those
 * that nobody uses do not count. */
static inline float ilb__survey_served(const ilb__survey *k)
{
    return k->served > 0 ? k->served_share / k->served : 0;
}

/* What a long-lived request counts as. */
ILB_INTERNAL float ilb__survey_longlived(const ilb__survey *k);

/* To an eligible endpoint, in the mean, as its load counts. */
ILB_INTERNAL float ilb__survey_in_flight(const ilb__survey *k);

/* Looks, and brings each endpoint's windows of requests forward by `step`.
 * `n` is 0 if there is no endpoint. */
ILB_INTERNAL void ilb__survey_take(ilb__survey *k, ilb__slot *slots,
                                   const ilb__view *view,
                                   const ilb__window_step *step);

#endif
/* ==== back in libilb/health/survey.c */

#define ILB__SURVEY_HEARD_NS ILB_SECOND_NS

/* Puts `x` in its place among `n` sorted values. */
static void ilb__survey_insert(float *sorted, uint32_t n, float x)
{
    uint32_t at = n;

    while (at > 0 && sorted[at - 1] > x) {
        sorted[at] = sorted[at - 1];
        at--;
    }
    sorted[at] = x;
}

static float ilb__survey_squared(const ilb__slot *slot, float ended)
{
    return ended * ended / (float)ilb__load32_relaxed(&slot->weight);
}

/* The sweep comes by seldom where there are many: whatever was heard since it
 * did is of late as well. */
static bool ilb__survey_heard(const ilb__slot *slot, uint64_t load, uint64_t now_ns)
{
    return ilb__elapsed_ns(ilb__load_relaxed(&slot->heard_ns), now_ns) <
               ILB__SURVEY_HEARD_NS ||
           ilb__sweep_signs(slot, load) != ilb__load_relaxed(&slot->heard);
}

static void ilb__survey_look_at(ilb__survey *k, ilb__slot *slot,
                           const ilb__window_step *step)
{
    uint64_t failed = ilb__load_relaxed(&slot->done[ILB_FAILURE]) +
                      ilb__load_relaxed(&slot->done[ILB_TIMEOUT]) +
                      ilb__load_relaxed(&slot->done[ILB_CONNECT_ERROR]);
    uint64_t ended = ilb__load_relaxed(&slot->done[ILB_SUCCESS]) + failed;
    uint64_t health = ilb__load_relaxed(&slot->health);
    uint64_t load = ilb__load_relaxed(&slot->load.word);
    uint32_t in_flight = ilb__load_in_flight(load);
    uint32_t longlived = ilb__longlived_n(&slot->longlived, in_flight,
                                          ilb__load_relaxed(&slot->lost.n));
    float x = ilb__latency_estimate_ns(&slot->latency);
    uint32_t more = ilb__window_bring(&slot->window, (uint32_t)ended,
                                      (uint32_t)failed, step);

    k->ended += more;
    k->long_term[k->n] = ilb__window_long(&slot->window);
    k->short_term[k->n] = ilb__window_short(&slot->window);
    k->n++;
    if (!ilb__health_eligible(health))
        return;
    k->n_eligible++;
    k->answered += more;
    k->served += k->short_term[k->n - 1].ended;
    k->failed += k->short_term[k->n - 1].failed;
    k->served_share += ilb__survey_squared(slot, k->short_term[k->n - 1].ended);
    k->n_untried += ilb__health_untried(health);
    k->n_on_trial +=
        ilb__latency_level(&slot->latency) >= ILB_LATENCY_TRIAL_LEVEL ||
        ilb__evidence_is_trial(&slot->evidence);
    k->in_flight += in_flight;
    k->overtaken += ilb__overtaken_besides(&slot->overtaken, longlived);
    k->n_heard += ilb__survey_heard(slot, load, step->now_ns);
    k->longlived += longlived;
    if (x > 0)
        ilb__survey_insert(k->estimates, k->n_estimates++, x);
}

ILB_INTERNAL void ilb__survey_take(ilb__survey *k, ilb__slot *slots,
                                   const ilb__view *view,
                                   const ilb__window_step *step)
{
    uint32_t stride = view->n / ILB_SURVEY_MAX + 1;

    k->n_estimates = k->n = k->n_eligible = k->n_untried = 0;
    k->n_on_trial = 0;
    k->in_flight = k->longlived = k->overtaken = k->ended = k->answered = 0;
    k->n_heard = 0;
    k->served = k->served_share = k->failed = 0;
    for (uint32_t i = 0; i < view->n && k->n < ILB_SURVEY_MAX; i += stride)
        ilb__survey_look_at(k, &slots[ilb__endpoint_id_index(ilb__view_id(view, i))],
                       step);
}

ILB_INTERNAL float ilb__survey_longlived(const ilb__survey *k)
{
    return k->n_eligible == 0 ? 1
                              : ilb__longlived_weight((float)k->longlived /
                                                      (float)k->n_eligible);
}

ILB_INTERNAL float ilb__survey_in_flight(const ilb__survey *k)
{
    float less = (float)k->longlived * (1 - ilb__survey_longlived(k));

    return k->n_eligible == 0
               ? 0
               : ((float)k->in_flight - less) / (float)k->n_eligible;
}
/* ==== libilb/health/queue.c ============================================== */
/* See queue.h. */
/* ==== libilb/health/queue.h ============================================== */
/*
 * Do endpoints get more than they can serve? Seen before anyone gives up
 * waiting, which may be long after: a deadline.
 *
 * What is in flight to each, q, is looked at by turns while it is long, above a
 * limit that the caller sets. One turn is over when twice as many requests have
 * ended as were in flight when it began; the first when as many have as are
 * now, or twice the limit. Where capacity is short by a share x, q grows by 2 x
 * with each turn, for ever. Where all have become slower, for a reason that
 * they share, q grows too, but only until the first of the slow ones end. So q
 * grows if, from the second turn on, after half of one at least, there are
 *
 *     20 %, and 4 sqrt(2 q n) of q n, more     n endpoints
 *
 * (what is in flight to servers that have room varies by sqrt(q n)).
 *
 * Then less is sent there, and when four times as many have ended as are still
 * in flight, the test of the diagnosis is whether as much is served: a server
 * that was full is still full. If fewer than 70 % are, in the time in which 100
 * were before at least, it was no queue, and nothing is called one until q has
 * been short again. (Little's law; adaptive concurrency limits, as
 * Netflix's and Envoy's, make a similar experiment with latency.)
 */
#ifndef ILB_HEALTH_QUEUE_H
#define ILB_HEALTH_QUEUE_H

typedef struct ilb__queue {
    ilb__a64 turn; /* q when it began, 0 in the first, and how many have ended
                      since, an endpoint: two floats */
    ilb__a64 pace; /* seconds of the turn, and how many ended in each, before
                      less was sent: two floats */
} ilb__queue;

/* One look. */
typedef struct ilb__flow {
    float in_flight, ended; /* an endpoint; ended since the last look */
    float since_s;
    uint32_t n; /* endpoints */
} ilb__flow;

/* Does it grow beyond `most`? At or below `few` it is short again. */
ILB_INTERNAL bool ilb__queue_grows(ilb__queue *q, const ilb__flow *f, float few,
                                   float most);

/* Since it grew less has been sent: in vain? */
ILB_INTERNAL bool ilb__queue_in_vain(ilb__queue *q, const ilb__flow *f);

/* It is short, or nothing of it is known. */
ILB_INTERNAL void ilb__queue_forget(ilb__queue *q);

#endif
/* ==== back in libilb/health/queue.c */

#define ILB__QUEUE_GROWTH 1.2f
#define ILB__QUEUE_TIMES 2
/* Squared: four standard deviations of a difference. */
#define ILB__QUEUE_CHANCE 32.0f
#define ILB__QUEUE_SERVED 0.7f
#define ILB__QUEUE_TESTED 100.0f
/* What had been sent before still ends at the old pace. */
#define ILB__QUEUE_DRAINED 4.0f
/* In place of q: it was none. */
#define ILB__QUEUE_REFUTED (-1.0f)

/* A turn that has just ended. */
typedef struct ilb__queue_turn {
    float began;    /* q then; 0: the first */
    float ended, s; /* requests of an endpoint, in so many seconds */
} ilb__queue_turn;

static void ilb__queue_begin(ilb__queue *q, float in_flight, float pace_s)
{
    ilb__store_relaxed(&q->turn, ilb__floats_pair(in_flight, 0));
    ilb__store_relaxed(&q->pace, ilb__floats_pair(0, pace_s));
}

ILB_INTERNAL void ilb__queue_forget(ilb__queue *q)
{
    ilb__store_relaxed(&q->turn, 0);
    ilb__store_relaxed(&q->pace, 0);
}

/* So many more have ended. */
static void ilb__queue_add(ilb__queue *q, const ilb__flow *f, ilb__queue_turn *t)
{
    uint64_t turn = ilb__load_relaxed(&q->turn);
    uint64_t pace = ilb__load_relaxed(&q->pace);
    float s = ilb__floats_low(pace) + f->since_s;

    t->began = ilb__floats_low(turn);
    t->ended = ilb__floats_high(turn) + f->ended;
    t->s = s;
    ilb__store_relaxed(&q->turn, ilb__floats_pair(t->began, t->ended));
    ilb__store_relaxed(&q->pace, ilb__floats_pair(s, ilb__floats_high(pace)));
}

static bool ilb__queue_has_grown(const ilb__queue_turn *t, const ilb__flow *f)
{
    float more = f->in_flight - t->began;

    return t->began > 0 && t->ended >= t->began && t->s > 0 &&
           f->in_flight > ILB__QUEUE_GROWTH * t->began &&
           more * more * (float)f->n > ILB__QUEUE_CHANCE * t->began;
}

static bool ilb__queue_turn_over(const ilb__queue_turn *t, const ilb__flow *f, float most)
{
    if (t->began > 0)
        return t->ended >= ILB__QUEUE_TIMES * t->began;
    return t->ended >= f->in_flight || t->ended >= ILB__QUEUE_TIMES * most;
}

ILB_INTERNAL bool ilb__queue_grows(ilb__queue *q, const ilb__flow *f, float few,
                                   float most)
{
    bool refuted = ilb__floats_low(ilb__load_relaxed(&q->turn)) < 0;
    ilb__queue_turn t;

    if (f->in_flight <= (refuted ? few : most)) {
        ilb__queue_forget(q);
        return false;
    }
    if (refuted)
        return false;
    ilb__queue_add(q, f, &t);
    if (ilb__queue_has_grown(&t, f)) {
        ilb__queue_begin(q, 0, t.ended / t.s);
        return true;
    }
    if (ilb__queue_turn_over(&t, f, most))
        ilb__queue_begin(q, f->in_flight, 0);
    return false;
}

ILB_INTERNAL bool ilb__queue_in_vain(ilb__queue *q, const ilb__flow *f)
{
    float before = ilb__floats_high(ilb__load_relaxed(&q->pace));
    float needed;
    ilb__queue_turn t;

    if (before == 0)
        return false;
    ilb__queue_add(q, f, &t);
    if (t.began == 0) {
        if (t.ended >= ILB__QUEUE_DRAINED * f->in_flight)
            ilb__queue_begin(q, f->in_flight, before);
        return false;
    }
    needed = ILB__QUEUE_TESTED / (float)f->n;
    if (needed < t.began)
        needed = t.began;
    if (t.s * before < needed)
        return false;
    ilb__queue_forget(q);
    if (t.ended >= ILB__QUEUE_SERVED * t.s * before)
        return false;
    ilb__queue_begin(q, ILB__QUEUE_REFUTED, 0);
    return true;
}
/* ==== libilb/health/reach.c ============================================== */
/* See reach.h. */
/* ==== libilb/health/reach.h ============================================== */
/*
 * How far picks look, and what state the set is in, as one word of the pool
 * (pool.h), so that a pick reads all of it at once.
 *
 *   aperture  how many endpoints to use, so that each is heard of often enough
 *             to know it: 12, or as many as get eight requests a second, or
 *             twice as many as are busy, and one more for each that is
 *             ejected. Several callers with few requests each otherwise all act
 *             on what they heard long ago. (Finagle's aperture, by rate of
 *             information instead of load.)
 *   patience  a slow endpoint is tried again once in about 4000 requests, but
 *             within 1 to 30 s.
 *   sampling  above 1000 answers a second only every 2nd, 4th ... of an
 *             endpoint's is put into the histogram.
 *   cold      over a quarter of the endpoints, and more than two, have given no
 *             good answer yet: then a newcomer is nothing out of the ordinary.
 *   on trial  over half of the eligible endpoints, or over a quarter and more
 *             than two, fail or are slow: then it is the load, or what they
 *             share, and to give up requests early makes more of it.
 *   suffer, full  see overload.h.
 *
 *   bits  0..31  aperture; UINT32_MAX: all
 *   bits 32..36  sampling, a shift
 *   bits 37..40  suffer, full, cold, on trial
 *   bits 48..63  patience, in 2^20 ns
 */
#ifndef ILB_HEALTH_REACH_H
#define ILB_HEALTH_REACH_H

#define ILB_REACH_SAMPLING_SHIFT 32
#define ILB_REACH_SUFFER (UINT64_C(1) << 37)
#define ILB_REACH_FULL (UINT64_C(1) << 38)
#define ILB_REACH_COLD (UINT64_C(1) << 39)
#define ILB_REACH_ON_TRIAL (UINT64_C(1) << 40)
#define ILB_REACH_PATIENCE_SHIFT 48

/* Before anything is known. */
ILB_INTERNAL uint64_t ilb__reach_unknown(void);

/* Of `n` endpoints, `n_ejected` of them; without suffer and full. */
ILB_INTERNAL uint64_t ilb__reach_word(const ilb__survey *k, uint32_t n,
                                      uint32_t n_ejected, float rate_per_s);

static inline uint32_t ilb__reach_aperture(uint64_t word)
{
    return (uint32_t)word;
}

/* One answer in 2 to the power of this. */
static inline uint32_t ilb__reach_sampling(uint64_t word)
{
    return (uint32_t)(word >> ILB_REACH_SAMPLING_SHIFT) & 31;
}

static inline float ilb__reach_patience_ns(uint64_t word)
{
    return (float)((word >> ILB_REACH_PATIENCE_SHIFT) << 20);
}

#endif
/* ==== back in libilb/health/reach.c */

#define ILB__REACH_PATIENCE_REQUESTS 4000.0
/* From 20 times the median it takes four time constants until a faded
 * estimate is worth trying. */
#define ILB__REACH_PATIENCE_TAUS 4.0
#define ILB__REACH_APERTURE_MIN 12
#define ILB__REACH_APERTURE_RATE 8.0f
#define ILB__REACH_APERTURE_BUSY 2.0f
#define ILB__REACH_SAMPLED_PER_S 1000.0f
/* More than one in so many, and a few, not tried yet: to this caller all are
 * newcomers. */
#define ILB__REACH_COLD 4
#define ILB__REACH_COLD_FEW 2
/* More than half, or more than one in so many and a few. */
#define ILB__REACH_TRIAL 4
#define ILB__REACH_TRIAL_FEW 2

static uint32_t ilb__reach_endpoints(const ilb__survey *k, uint32_t n,
                                uint32_t n_ejected, float rate)
{
    float by_rate = rate / ILB__REACH_APERTURE_RATE;
    float busy =
        ILB__REACH_APERTURE_BUSY * (float)k->in_flight * (float)n / (float)k->n;
    float wanted = by_rate > busy ? by_rate : busy;

    if (wanted < ILB__REACH_APERTURE_MIN)
        wanted = ILB__REACH_APERTURE_MIN;
    wanted += (float)n_ejected;
    return wanted >= (float)n ? UINT32_MAX : (uint32_t)wanted;
}

static uint64_t ilb__reach_patience_ticks(float rate)
{
    double s = ILB__REACH_PATIENCE_REQUESTS / ((double)rate + 1);

    s = s < 1 ? 1 : s > 30 ? 30 : s;
    return (uint64_t)(s / ILB__REACH_PATIENCE_TAUS * 1e9 / (1 << 20));
}

static uint64_t ilb__reach_sampling_shift(float rate)
{
    uint64_t shift = 0;

    while (rate > ILB__REACH_SAMPLED_PER_S && shift < 31) {
        rate /= 2;
        shift++;
    }
    return shift;
}

static bool ilb__reach_is_cold(const ilb__survey *k)
{
    return k->n_untried > ILB__REACH_COLD_FEW && k->n_untried * ILB__REACH_COLD > k->n;
}

static bool ilb__reach_many_on_trial(const ilb__survey *k)
{
    return k->n_on_trial * 2 > k->n_eligible ||
           (k->n_on_trial > ILB__REACH_TRIAL_FEW &&
            k->n_on_trial * ILB__REACH_TRIAL > k->n_eligible);
}

ILB_INTERNAL uint64_t ilb__reach_unknown(void)
{
    return ilb__reach_patience_ticks(0) << ILB_REACH_PATIENCE_SHIFT | UINT32_MAX;
}

ILB_INTERNAL uint64_t ilb__reach_word(const ilb__survey *k, uint32_t n,
                                      uint32_t n_ejected, float rate_per_s)
{
    uint64_t word =
        ilb__reach_patience_ticks(rate_per_s) << ILB_REACH_PATIENCE_SHIFT |
        ilb__reach_sampling_shift(rate_per_s) << ILB_REACH_SAMPLING_SHIFT |
        ilb__reach_endpoints(k, n, n_ejected, rate_per_s);

    if (ilb__reach_is_cold(k))
        word |= ILB_REACH_COLD;
    if (ilb__reach_many_on_trial(k))
        word |= ILB_REACH_ON_TRIAL;
    return word;
}
/* ==== libilb/health/trials.c ============================================= */
/* See trials.h. */
/* ==== libilb/health/trials.h ============================================= */
/*
 * The budget of trials, requests that their caller sends again when they fail
 * (select/score.h): 10 % of the requests, up to 5 s of it saved, three at
 * least. Each trial that fails takes one. So second tries cannot become a
 * storm. (Finagle's budget for retries is 20 %.)
 *
 * One word: what is left, in 2^-20.
 */
#ifndef ILB_HEALTH_TRIALS_H
#define ILB_HEALTH_TRIALS_H

ILB_INTERNAL void ilb__trials_init(ilb__a64 *word);

/* May one more request be called a trial? */
ILB_INTERNAL bool ilb__trials_ok(const ilb__a64 *word);

ILB_INTERNAL void ilb__trials_failed(ilb__a64 *word);

/* So many requests a second, for so long. */
ILB_INTERNAL void ilb__trials_refill(ilb__a64 *word, float rate_per_s,
                                     double since_s);

#endif
/* ==== back in libilb/health/trials.c */

#define ILB__TRIALS_ONE (UINT64_C(1) << 20)
#define ILB__TRIALS_SHARE 0.1
/* What may be saved up: of so many seconds, but at least a few. */
#define ILB__TRIALS_SAVED_S 5.0
#define ILB__TRIALS_SAVED_MIN 3.0

ILB_INTERNAL void ilb__trials_init(ilb__a64 *word)
{
    ilb__store_relaxed(word, (uint64_t)(ILB__TRIALS_SAVED_MIN * ILB__TRIALS_ONE));
}

ILB_INTERNAL bool ilb__trials_ok(const ilb__a64 *word)
{
    return ilb__load_relaxed(word) >= ILB__TRIALS_ONE;
}

ILB_INTERNAL void ilb__trials_failed(ilb__a64 *word)
{
    uint64_t left = ilb__load_relaxed(word);

    while (left >= ILB__TRIALS_ONE &&
           !ilb__cas_relaxed(word, &left, left - ILB__TRIALS_ONE))
        continue;
}

ILB_INTERNAL void ilb__trials_refill(ilb__a64 *word, float rate_per_s,
                                     double since_s)
{
    double per_s = (double)rate_per_s * ILB__TRIALS_SHARE;
    double most = per_s * ILB__TRIALS_SAVED_S;
    uint64_t left = ilb__load_relaxed(word);
    uint64_t more = (uint64_t)(per_s * since_s * ILB__TRIALS_ONE);
    uint64_t room;

    if (most < ILB__TRIALS_SAVED_MIN)
        most = ILB__TRIALS_SAVED_MIN;
    room = (uint64_t)(most * ILB__TRIALS_ONE);
    if (left < room)
        ilb__add_relaxed(word, more < room - left ? more : room - left);
}
/* ==== libilb/health/overload.c =========================================== */
/* See overload.h. */
/* ==== libilb/health/overload.h =========================================== */
/*
 * What happens to the endpoints that are left when others are ejected.
 *
 * While at most one in eight is ejected, what is in flight to an eligible
 * endpoint and what it takes are remembered, decaying over 10 s: that is calm.
 * (Over 100 s where twice as much is in flight: what comes before an ejection
 * is no calm.)
 *
 * They suffer: both are above 1.3 times what they were, or those that are left
 * fail 10 % themselves. Then the least bad of the ejected may be chosen at
 * their price.
 *
 * They are full: more than one in eight is ejected or silent (without a good
 * answer for a second, and be it that an aperture leaves it out), half of the
 * others at least answer, but with more in flight to each than there is room
 * for, three times what was usual (four at least), 5 % of their requests fail,
 * or with four times that it still grows (queue.h): their queues are so long
 * that callers give up, or soon will, and what they serve at last nobody waits
 * for any more. Sent there, what is too much loses nearly all;
 * sent to the ejected ones, only itself. So until there is less than half of
 * that in flight, endpoints with so many get no more while any ejected one is
 * left to take the rest. (Envoy's panic threshold, but by load, not by count;
 * the SRE book's client throttling without refusing anyone.)
 */
#ifndef ILB_HEALTH_OVERLOAD_H
#define ILB_HEALTH_OVERLOAD_H

typedef struct ilb__crowd {
    const ilb__survey *survey;
    uint32_t n, n_ejected; /* of all that are ready */
    float median_ns;       /* what an eligible one takes */
    float p0;              /* share that healthy ones fail */
    double since_s;        /* since the last look */
} ilb__crowd;

/* Do they suffer? `calm`, two floats: in flight and ns; 0: not known yet. */
ILB_INTERNAL bool ilb__overload_suffer(ilb__a64 *calm, const ilb__crowd *c);

/* Are they full? `was`: as they were at the last look. */
ILB_INTERNAL bool ilb__overload_full(const ilb__a64 *calm, ilb__queue *queue,
                                     bool was, const ilb__crowd *c);

/* How many there is room for in flight to one. */
ILB_INTERNAL float ilb__overload_room(const ilb__a64 *calm);

#endif
/* ==== back in libilb/health/overload.c */

#define ILB__OVERLOAD_CALM_TAU_S 10.0
#define ILB__OVERLOAD_FACTOR 1.3f
#define ILB__OVERLOAD_P0 0.1f
#define ILB__OVERLOAD_EJECTED 8
/* In flight above so many times what was usual: this is no calm. */
#define ILB__OVERLOAD_ROUGH 2.0f
#define ILB__OVERLOAD_ROUGH_TAU_S 100.0
#define ILB__OVERLOAD_FAILED 0.05f
#define ILB__OVERLOAD_ROOM 3.0f
#define ILB__OVERLOAD_LONG 4.0f
#define ILB__OVERLOAD_ROOM_MIN 4.0f

static float ilb__overload_tau_s(float in_flight, float calm)
{
    return in_flight > ILB__OVERLOAD_ROUGH * calm ? (float)ILB__OVERLOAD_ROUGH_TAU_S
                                             : (float)ILB__OVERLOAD_CALM_TAU_S;
}

ILB_INTERNAL bool ilb__overload_suffer(ilb__a64 *calm, const ilb__crowd *c)
{
    uint64_t word = ilb__load_relaxed(calm);
    float calm_in_flight = ilb__floats_low(word);
    float calm_ns = ilb__floats_high(word);
    float in_flight = ilb__survey_in_flight(c->survey);
    float median_ns = c->median_ns;

    if (c->n_ejected > 0 && c->p0 >= ILB__OVERLOAD_P0)
        return true;
    if (c->n_ejected > 0 && c->n_ejected * ILB__OVERLOAD_EJECTED > c->n)
        return calm_ns > 0 && in_flight > ILB__OVERLOAD_FACTOR * calm_in_flight &&
               median_ns > ILB__OVERLOAD_FACTOR * calm_ns;
    if (word != 0) {
        float keep = (float)ilb__decay(
            c->since_s, ilb__overload_tau_s(in_flight, calm_in_flight));

        in_flight = calm_in_flight * keep + in_flight * (1 - keep);
        median_ns = calm_ns * keep + median_ns * (1 - keep);
    }
    ilb__store_relaxed(calm, ilb__floats_pair(in_flight, median_ns));
    return false;
}

static ilb__flow ilb__overload_flow(const ilb__crowd *c)
{
    const ilb__survey *k = c->survey;
    float n = (float)k->n_eligible;
    ilb__flow f;

    f.in_flight = ilb__survey_in_flight(k) - (float)k->overtaken / n;
    f.ended = (float)k->answered / n;
    f.since_s = (float)c->since_s;
    f.n = k->n_eligible;
    return f;
}

/* Are so many out, and so many of the others heard, that they may be full? */
static bool ilb__overload_possible(const ilb__crowd *c)
{
    const ilb__survey *k = c->survey;
    uint32_t silent = k->n_eligible - k->n_heard;
    uint64_t out = c->n_ejected + (uint64_t)silent * c->n / k->n;

    return out * ILB__OVERLOAD_EJECTED > c->n && 2 * k->n_heard > k->n_eligible;
}

ILB_INTERNAL bool ilb__overload_full(const ilb__a64 *calm, ilb__queue *queue,
                                     bool was, const ilb__crowd *c)
{
    const ilb__survey *k = c->survey;
    float room = ilb__overload_room(calm);
    ilb__flow f;

    if (ilb__load_relaxed(calm) == 0 || !ilb__overload_possible(c)) {
        ilb__queue_forget(queue);
        return false;
    }
    f = ilb__overload_flow(c);
    if (was)
        return f.in_flight > room / 2 && !ilb__queue_in_vain(queue, &f);
    if (ilb__queue_grows(queue, &f, room / 2, ILB__OVERLOAD_LONG * room))
        return true;
    if (f.in_flight <= room || k->failed < ILB__OVERLOAD_FAILED * k->served)
        return false;
    ilb__queue_forget(queue);
    return true;
}

ILB_INTERNAL float ilb__overload_room(const ilb__a64 *calm)
{
    float room = ILB__OVERLOAD_ROOM * ilb__floats_low(ilb__load_relaxed(calm));

    return room < ILB__OVERLOAD_ROOM_MIN ? ILB__OVERLOAD_ROOM_MIN : room;
}
/* ==== libilb/health/share.c ============================================== */
/* See share.h. */
/* ==== libilb/health/share.h ============================================== */
/*
 * What healthy endpoints fail, from tallies of many of which some may be bad:
 * of the best fifth, rounded up, and two of five, and then, in order,
 * of every other that has not significantly more failures than those before it,
 *
 *     f <= l + 2 sqrt(l) + 0.5      where l are expected.
 *
 * The best fifth, so that four of five endpoints may be bad. Those with less
 * than a quarter of the mean number of requests do not count: to have done
 * nothing is not health.
 */
#ifndef ILB_HEALTH_SHARE_H
#define ILB_HEALTH_SHARE_H

/* Their share, 0..1. `failed_before` of `ended_before` are taken as seen before
 * any; n is at most ILB_SURVEY_MAX. */
ILB_INTERNAL float ilb__healthy_share(const ilb__tally *tallies, uint32_t n,
                                      float failed_before, float ended_before);

#endif
/* ==== back in libilb/health/share.c */

/* To be counted as healthy: this part of the mean number of requests. */
#define ILB__SHARE_HEARD_OF 0.25f

static float ilb__share_of(const ilb__tally *t, float prior)
{
    return (t->failed + 0.5f) / (t->ended + prior);
}

/* The tallies that count, by their share of failures. Returns how many. */
static uint32_t ilb__share_order(const ilb__tally *tallies, uint32_t n, float prior,
                            uint8_t *order)
{
    float ended = 0;
    uint32_t m = 0;

    for (uint32_t i = 0; i < n; i++)
        ended += tallies[i].ended;
    for (uint32_t i = 0; i < n; i++) {
        float share = ilb__share_of(&tallies[i], prior);
        uint32_t at = m;

        if (tallies[i].ended * (float)n < ILB__SHARE_HEARD_OF * ended)
            continue;
        while (at > 0 && ilb__share_of(&tallies[order[at - 1]], prior) > share) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = (uint8_t)i;
        m++;
    }
    return m;
}

/* f <= l + 2 sqrt(l) + 0.5, without a root. */
static bool ilb__share_plausible(float failed, float expected)
{
    float above = failed - expected - 0.5f;

    return above <= 0 || above * above <= 4 * expected;
}

ILB_INTERNAL float ilb__healthy_share(const ilb__tally *tallies, uint32_t n,
                                      float failed_before, float ended_before)
{
    ilb__tally sum = {ended_before, failed_before};
    uint8_t order[ILB_SURVEY_MAX];
    uint32_t best = n < 5 ? 1 : n < 10 ? 2 : (n + 4) / 5;
    uint32_t m = ilb__share_order(tallies, n, ended_before, order);

    for (uint32_t i = 0; i < m; i++) {
        const ilb__tally *t = &tallies[order[i]];

        if (i >= best &&
            !ilb__share_plausible(t->failed, sum.failed / sum.ended * t->ended))
            break;
        sum.ended += t->ended;
        sum.failed += t->failed;
    }
    return sum.failed / sum.ended;
}
/* ==== libilb/health/pool.c =============================================== */
/* See pool.h for the figures. */
/* ==== libilb/health/pool.h =============================================== */
/*
 * What the endpoints have in common: the yardsticks of signal/figures.h.
 *
 * Refreshed every 100 ms by the request that comes first, from at most 64
 * endpoints spread evenly over the table: O(1), no thread. In between they are
 * three words on one line.
 *
 *   median    of the latency estimates. Where a newcomer starts, where a stale
 *             estimate fades to. Of an even number the lower middle: with one
 *             of two endpoints slow the reference is the fast one. Ejected
 *             endpoints do not count.
 *   p99       of the good answers of late, from a histogram that is halved
 *             when it holds 2000, and holds about 500 to 1000 of a second
 *             (reach.h).
 *   p0        share of requests that healthy endpoints fail (share.h). Over
 *             each of two windows (two minutes; 50 requests an endpoint, but
 *             half a second to 30 s),
 *                 long:  (failed + 0.5) / (ended + 200)
 *                 short: failed / (ended + 20)
 *             and of the two the larger: a clean history makes one failure
 *             weigh much, but when all fail at once, none stands out.
 *   rate      requests that end in a second, decaying over 3 s; at first what
 *             is seen first. A gap of over 5 s in which 50 would have come is
 *             no gap in the requests: the clock has jumped, or the caller
 *             slept. Then the rate stays, and what began before is not timed.
 *   suspect   5 % of the mean time between failures of a healthy endpoint,
 *             20 ms to 1.5 s: keeping an endpoint back that long after each
 *             failure costs at most 5 % of the capacity, whatever the rate of
 *             random failures.
 *   reach     aperture, patience and what many endpoints have in common
 *             (reach.h).
 *   trials    a budget (trials.h).
 *   overload  those that are left suffer from the ejections, or have no room
 *             for everything (overload.h).
 *   served    requests that an endpoint has of late (survey.h).
 *   longlived what a request that is in flight for long counts as, in the load
 *             and in what is in flight in the mean (signal/longlived.h).
 *
 * Who hangs is looked for at the same time (sweep.h).
 */
#ifndef ILB_HEALTH_POOL_H
#define ILB_HEALTH_POOL_H

typedef struct ilb__pool {
    /* What every request reads. */
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 refreshed_ns; /* 0: never */
    ilb__figures_words figures; /* made of the following */

    ilb__a64 latency;  /* median and p99: two floats */
    ilb__a64 failures; /* p0, a float, and suspect in units of 2^20 ns */
    ilb__a64 reach;    /* reach.h */
    ilb__a64 steps;    /* ilb__evidence_steps */
    ilb__a64 rate;     /* rate and in flight: two floats */
    ilb__a64 calm;     /* in flight an endpoint, and latency, when few were
                          ejected: two floats */
    ilb__queue queue;  /* of those that are left when many are ejected */
    ilb__a64 round;    /* refreshes so far */
    ilb__a64 trials;   /* trials.h */
    ilb__peaks_of_all peaks;
    ilb__a64 jumped_ns; /* where the clock stood after its last jump */
    ilb__a64 steady_ns; /* since when refreshes come in time */
    ilb__a64 served;    /* that, and what a long-lived request counts as: two
                           floats */
    _Alignas(ILB_CACHELINE_BYTES) ilb__histogram answers;
} ilb__pool;

ILB_INTERNAL void ilb__pool_init(ilb__pool *p);

static inline void ilb__pool_figures(const ilb__pool *p, ilb__figures *f)
{
    ilb__figures_read(&p->figures, f);
}

/* Requests that an endpoint has of late, for each unit of its weight. */
ILB_INTERNAL float ilb__pool_served(const ilb__pool *p);

/* A good answer, the `count`-th of its endpoint. The first of all stands for
 * the median until the next refresh. */
ILB_INTERNAL void ilb__pool_good(ilb__pool *p, uint64_t sample_ns,
                                 uint64_t count);

/* Is it time to refresh, `period_ns` after the last time? Not when that was a
 * little later, by another thread's clock. */
static inline bool ilb__pool_due(const ilb__pool *p, uint64_t period_ns,
                                 uint64_t now_ns)
{
    uint64_t since_ns = now_ns - ilb__load_relaxed(&p->refreshed_ns);

    return ILB_UNLIKELY(since_ns >= period_ns) &&
           since_ns <= UINT64_MAX - ILB_CLOCK_SKEW_NS;
}

#define ILB_POOL_PERIOD_NS (100 * ILB_MS_NS)

/* A refresh that is so late may be a clock that has jumped. */
#define ILB_POOL_LATE_NS (5 * ILB_SECOND_NS)

/* Refreshes; one of several callers does. `failed`: because a request just
 * did, so sooner: 10 ms after the last time. */
ILB_INTERNAL void ilb__pool_refresh(ilb__pool *p, ilb__judge *j,
                                    ilb__slot *slots, const ilb__view *view,
                                    bool failed, uint64_t now_ns);

#endif
/* ==== back in libilb/health/pool.c */

#include <string.h>

#define ILB__POOL_FAILED_PERIOD_NS (10 * ILB_MS_NS)
#define ILB__POOL_HISTOGRAM_FULL 2000
#define ILB__POOL_LONG_TAU_S 120.0
#define ILB__POOL_SHORT_REQUESTS 50.0
#define ILB__POOL_SHORT_MIN_S 0.5
#define ILB__POOL_SHORT_MAX_S 30.0
#define ILB__POOL_SHORT_PRIOR 20
#define ILB__POOL_LONG_PRIOR 200
#define ILB__POOL_RATE_TAU_S 3.0
/* A gap in which so many requests would have come is none of their rate. */
#define ILB__POOL_JUMP_REQUESTS 50.0
/* So late, and so many requests would have come: the caller stood still. */
#define ILB__POOL_STOOD_NS (500 * ILB_MS_NS)
#define ILB__POOL_STOOD_REQUESTS 20.0
#define ILB__POOL_SUSPECT_SHARE 0.05
#define ILB__POOL_SUSPECT_MIN_S 0.02
#define ILB__POOL_SUSPECT_MAX_S 1.5
#define ILB__POOL_MEDIAN_UNKNOWN 0

/* ---- Words ------------------------------------------------------------- */

static void ilb__pool_publish_steps(ilb__pool *p, float p0)
{
    ilb__evidence_steps s = ilb__evidence_steps_for(p0);

    ilb__store_relaxed(&p->steps, (uint64_t)s.broken_up |
                                      (uint64_t)s.broken_down << 16 |
                                      (uint64_t)s.faulty_up << 32 |
                                      (uint64_t)s.faulty_down << 48);
}

/* From all the words, for those who read them. */
static void ilb__pool_publish(ilb__pool *p)
{
    uint64_t latency = ilb__load_relaxed(&p->latency);
    uint64_t failures = ilb__load_relaxed(&p->failures);
    uint64_t reach = ilb__load_relaxed(&p->reach);
    uint64_t steps = ilb__load_relaxed(&p->steps);
    uint64_t rate = ilb__load_relaxed(&p->rate);
    ilb__figures now, *f = &now;

    memset(f, 0, sizeof *f);
    f->median_ns = ilb__floats_low(latency);
    f->p99_ns = ilb__floats_high(latency);
    f->p0 = ilb__floats_low(failures);
    f->suspect_ns = (failures >> 32) << 20;
    f->aperture = ilb__reach_aperture(reach);
    f->overloaded = (reach & ILB_REACH_SUFFER) != 0;
    f->cold = (reach & ILB_REACH_COLD) != 0;
    f->many_on_trial = (reach & ILB_REACH_ON_TRIAL) != 0;
    f->patience_ns = ilb__reach_patience_ns(reach);
    f->rate_per_s = ilb__floats_low(rate);
    f->in_flight = ilb__floats_high(rate);
    f->room = ILB_UNLIKELY((reach & ILB_REACH_FULL) != 0)
                  ? ilb__overload_room(&p->calm)
                  : 0;
    f->longlived = ilb__floats_high(ilb__load_relaxed(&p->served));
    f->jumped_ns = ilb__load_relaxed(&p->jumped_ns);
    f->steps.broken_up = (uint16_t)steps;
    f->steps.broken_down = (uint16_t)(steps >> 16);
    f->steps.faulty_up = (uint16_t)(steps >> 32);
    f->steps.faulty_down = (uint16_t)(steps >> 48);
    ilb__figures_write(&p->figures, f);
}

ILB_INTERNAL float ilb__pool_served(const ilb__pool *p)
{
    return ilb__floats_low(ilb__load_relaxed(&p->served));
}

/* ---- Answers ----------------------------------------------------------- */

/* Nothing is known of anyone yet: that answer stands for the median. */
ILB_COLD static void pool_first(ilb__pool *p, uint64_t latency,
                                uint64_t sample_ns)
{
    (void)ilb__cas_strong_relaxed(
        &p->latency, latency,
        ilb__floats_pair((float)(sample_ns == 0 ? 1 : sample_ns),
                         ilb__floats_high(latency)));
    ilb__pool_publish(p);
}

ILB_INTERNAL void ilb__pool_good(ilb__pool *p, uint64_t sample_ns,
                                 uint64_t count)
{
    uint64_t latency = ilb__load_relaxed(&p->latency);
    uint32_t sampling = ilb__reach_sampling(ilb__load_relaxed(&p->reach));

    if (ILB_LIKELY((count & ((UINT64_C(1) << sampling) - 1)) == 0))
        ilb__histogram_add(&p->answers, sample_ns);
    if (ILB_UNLIKELY((uint32_t)latency == ILB__POOL_MEDIAN_UNKNOWN))
        pool_first(p, latency, sample_ns);
}

/* ---- Looking at the endpoints ------------------------------------------ */

static double ilb__pool_short_tau_s(const ilb__pool *p, uint32_t n)
{
    double rate = (double)ilb__floats_low(ilb__load_relaxed(&p->rate));
    double s = ILB__POOL_SHORT_REQUESTS * n / (rate + 1e-3);

    return s < ILB__POOL_SHORT_MIN_S   ? ILB__POOL_SHORT_MIN_S
           : s > ILB__POOL_SHORT_MAX_S ? ILB__POOL_SHORT_MAX_S
                                  : s;
}

static void ilb__pool_survey(ilb__survey *k, ilb__pool *p, ilb__slot *slots,
                        const ilb__view *view, double since_s)
{
    ilb__window_step step;

    step.now_ns = ilb__load_relaxed(&p->refreshed_ns);
    step.round = ilb__add_relaxed(&p->round, 1) + 2; /* 0: never part of one */
    step.keep_long = (float)ilb__decay(since_s, ILB__POOL_LONG_TAU_S);
    step.keep_short = (float)ilb__decay(since_s, ilb__pool_short_tau_s(p, view->n));
    ilb__survey_take(k, slots, view, &step);
}

/* ---- What healthy endpoints fail --------------------------------------- */

static void ilb__pool_refresh_failures(ilb__pool *p, const ilb__survey *k,
                                  uint32_t n, float rate)
{
    float p0 = ilb__healthy_share(k->long_term, k->n, 0.5f, ILB__POOL_LONG_PRIOR);
    float now = ilb__healthy_share(k->short_term, k->n, 0, ILB__POOL_SHORT_PRIOR);
    double eligible = (double)k->n_eligible * n / k->n;
    double per_endpoint = (double)rate / (eligible < 1 ? 1 : eligible);
    double suspect_s = ILB__POOL_SUSPECT_MAX_S;

    if (now > p0)
        p0 = now;
    if (per_endpoint * (double)p0 * ILB__POOL_SUSPECT_MAX_S > ILB__POOL_SUSPECT_SHARE)
        suspect_s = ILB__POOL_SUSPECT_SHARE / (per_endpoint * (double)p0);
    if (suspect_s < ILB__POOL_SUSPECT_MIN_S)
        suspect_s = ILB__POOL_SUSPECT_MIN_S;
    ilb__store_relaxed(&p->failures, (uint64_t)(suspect_s * 1e9 / (1 << 20))
                                             << 32 |
                                         ilb__floats_bits(p0));
    ilb__pool_publish_steps(p, p0);
}

/* ---- The rest ---------------------------------------------------------- */

static void ilb__pool_refresh_latency(ilb__pool *p, const ilb__survey *k)
{
    uint64_t latency = ilb__load_relaxed(&p->latency);
    uint32_t total = ilb__histogram_total(&p->answers);
    float median_ns = ilb__floats_low(latency), p99_ns = 0;

    if (k->n_estimates > 0)
        median_ns = k->estimates[(k->n_estimates - 1) / 2];
    if (total > 0)
        p99_ns = ilb__histogram_quantile_ns(&p->answers, total, 0.99f);
    if (total > ILB__POOL_HISTOGRAM_FULL)
        ilb__histogram_halve(&p->answers);
    ilb__store_relaxed(&p->latency, ilb__floats_pair(median_ns, p99_ns));
}

static float ilb__pool_refresh_rate(ilb__pool *p, const ilb__survey *k, uint32_t n,
                               double since_s)
{
    float rate = ilb__floats_low(ilb__load_relaxed(&p->rate));
    float keep = (float)ilb__decay(since_s, ILB__POOL_RATE_TAU_S);
    float now = (float)((double)k->ended * n / (k->n * since_s));

    /* At first there is nothing to blend it with. */
    rate = rate > 0 ? rate * keep + now * (1 - keep) : now;
    ilb__store_relaxed(&p->rate,
                       ilb__floats_pair(rate, ilb__survey_in_flight(k)));
    return rate;
}

/* ---- Refreshing -------------------------------------------------------- */

ILB_INTERNAL void ilb__pool_init(ilb__pool *p)
{
    ilb__store_relaxed(&p->failures,
                       (uint64_t)(ILB__POOL_SUSPECT_MAX_S * 1e9 / (1 << 20)) << 32 |
                           ilb__floats_bits(0.5f / ILB__POOL_LONG_PRIOR));
    ilb__store_relaxed(&p->reach, ilb__reach_unknown());
    ilb__pool_publish_steps(p, 0.5f / ILB__POOL_LONG_PRIOR);
    ilb__trials_init(&p->trials);
    ilb__pool_publish(p);
}

/* What is to be added to the word of reach. */
static uint64_t ilb__pool_crowd(ilb__pool *p, const ilb__judge *j,
                           const ilb__survey *k, uint32_t n, double since_s)
{
    bool was = (ilb__load_relaxed(&p->reach) & ILB_REACH_FULL) != 0;
    const ilb__crowd c = {
        k,
        n,
        ilb__load32_relaxed(&j->n_ejected),
        ilb__floats_low(ilb__load_relaxed(&p->latency)),
        ilb__floats_low(ilb__load_relaxed(&p->failures)),
        since_s,
    };
    bool suffer = ilb__overload_suffer(&p->calm, &c);
    bool full = ilb__overload_full(&p->calm, &p->queue, was, &c);

    return (suffer ? ILB_REACH_SUFFER : 0) | (full ? ILB_REACH_FULL : 0);
}

static void ilb__pool_recompute(ilb__pool *p, ilb__judge *j, ilb__slot *slots,
                           const ilb__view *view, double since_s)
{
    uint64_t crowd;
    ilb__survey k;
    float rate;

    ilb__pool_survey(&k, p, slots, view, since_s);
    if (k.n == 0)
        return;
    rate = ilb__pool_refresh_rate(p, &k, view->n, since_s);
    ilb__trials_refill(&p->trials, rate, since_s);
    ilb__pool_refresh_failures(p, &k, view->n, rate);
    ilb__peaks_refresh(&p->peaks, (float)((double)k.ended * view->n / k.n),
                       (float)ilb__decay(since_s, ILB__POOL_LONG_TAU_S));
    ilb__pool_refresh_latency(p, &k);
    crowd = ilb__pool_crowd(p, j, &k, view->n, since_s);
    ilb__store_relaxed(&p->served, ilb__floats_pair(ilb__survey_served(&k),
                                                    ilb__survey_longlived(&k)));
    ilb__store_relaxed(
        &p->reach,
        crowd | ilb__reach_word(&k, view->n, ilb__load32_relaxed(&j->n_ejected),
                                rate));
    ilb__pool_publish(p);
}

/* No request for much longer than there ever was one: the clock has jumped, or
 * the caller was idle. Either way the rate of before says more. */
static bool ilb__pool_jumped(const ilb__pool *p, uint64_t since_ns)
{
    double rate = (double)ilb__floats_low(ilb__load_relaxed(&p->rate));

    return since_ns > ILB_POOL_LATE_NS &&
           (double)since_ns / 1e9 * rate > ILB__POOL_JUMP_REQUESTS;
}

static void ilb__pool_sweep(ilb__pool *p, ilb__judge *j, ilb__slot *slots,
                       const ilb__view *view, uint64_t since_ns,
                       uint64_t now_ns)
{
    uint64_t steady_ns = ilb__load_relaxed(&p->steady_ns);
    ilb__figures f;
    ilb__sweep s;

    ilb__pool_figures(p, &f);
    if (steady_ns == 0 ||
        (since_ns > ILB__POOL_STOOD_NS &&
         (double)since_ns / 1e9 * (double)f.rate_per_s > ILB__POOL_STOOD_REQUESTS)) {
        steady_ns = now_ns;
        ilb__store_relaxed(&p->steady_ns, now_ns);
    }
    s.round = ilb__load_relaxed(&p->round);
    s.steady_ns = steady_ns;
    s.now_ns = now_ns;
    ilb__sweep_table(j, slots, view, &f, &s);
}

ILB_INTERNAL void ilb__pool_refresh(ilb__pool *p, ilb__judge *j,
                                    ilb__slot *slots, const ilb__view *view,
                                    bool failed, uint64_t now_ns)
{
    uint64_t last = ilb__load_relaxed(&p->refreshed_ns);
    uint64_t since_ns = now_ns - last;
    uint64_t gap_ns;

    if (!ilb__pool_due(p, failed ? ILB__POOL_FAILED_PERIOD_NS : ILB_POOL_PERIOD_NS,
                       now_ns) ||
        !ilb__cas_strong_relaxed(&p->refreshed_ns, last, now_ns))
        return;
    if (last == 0)
        since_ns = ILB_POOL_PERIOD_NS;
    gap_ns = since_ns;
    if (ilb__pool_jumped(p, since_ns)) {
        since_ns = ILB_POOL_PERIOD_NS;
        ilb__store_relaxed(&p->jumped_ns, now_ns);
        ilb__queue_forget(&p->queue); /* nobody knows its pace */
        ilb__pool_publish(p);
    }
    ilb__pool_recompute(p, j, slots, view, (double)since_ns / 1e9);
    ilb__pool_sweep(p, j, slots, view, gap_ns, now_ns);
}
/* ==== libilb/health/reclaim.c ============================================ */
/* See reclaim.h. */
/* ==== libilb/health/reclaim.h ============================================ */
/*
 * Giving back what nobody will: the requests in flight of a process that has
 * ended. Each is taken out where it was counted (signal/held.h), with its cost,
 * and counted as leaked; the probe of an ejected endpoint that it was making
 * has ended without a result, so that the next request may be one.
 *
 * Every count is taken by one atomic exchange, so that whoever is killed while
 * it reclaims leaves the rest to the next, and what it had just taken to the
 * audit (audit.h). For one caller at a time.
 *
 * Requests that ended so were answered by nobody: they say nothing of their
 * endpoint, which is not judged by them.
 */
#ifndef ILB_HEALTH_RECLAIM_H
#define ILB_HEALTH_RECLAIM_H

/* ==== libilb/signal/held.h =============================================== */
/*
 * What one process has in flight to one endpoint, where several share a
 * balancer: so that it can be given back when the process ends. The counts of
 * all (signal/load.h, signal/cost.h) are the truth for choosing; these only say
 * whose they are.
 *
 *   bits  0..15  unanswered, taken at parity 0
 *   bits 16..31  unanswered, taken at parity 1
 *   bits 32..47  answered, in flight to its end
 *   bits 48..63  of all these: probes
 *
 * Order. What is taken is counted by all first and then here; what ends is
 * taken off here first and then from all. So a process that is killed in
 * between leaves one too many in the count of all, which an audit finds
 * (health/audit.h), and reclaiming never takes one that is another's.
 *
 * Each process has a row of its own, on its own cache lines.
 */
#ifndef ILB_SIGNAL_HELD_H
#define ILB_SIGNAL_HELD_H

#define ILB_HELD_PLACES 3
#define ILB_HELD_PROBE_SHIFT 48

typedef struct ilb__held {
    ilb__a64 word;
    ilb__a64 extra_cost; /* signal/cost.h, of its requests */
} ilb__held;

/* A row for each process, an entry for each slot. */
typedef struct ilb__holdings {
    ilb__held *held;
    uint32_t n_rows; /* 0: the balancer is private */
    uint32_t n_slots;
} ilb__holdings;

static inline void ilb__holdings_init(ilb__holdings *h, ilb__arena *a,
                                      uint32_t n_rows, uint32_t n_slots)
{
    h->n_rows = n_rows;
    h->n_slots = n_slots;
    if (n_rows > 0 && n_slots > SIZE_MAX / n_rows)
        n_rows = UINT32_MAX; /* more than there is: the arena says so */
    h->held = ilb__arena_take(a, (size_t)n_rows * n_slots, sizeof *h->held);
}

static inline ilb__held *ilb__holdings_of(const ilb__holdings *h, uint32_t row,
                                          uint32_t slot)
{
    return &h->held[(size_t)row * h->n_slots + slot];
}

static inline uint32_t ilb__held_count(uint64_t word, uint32_t where)
{
    return (uint32_t)(word >> (where * ILB_LOAD_BITS) & ILB_LOAD_MASK);
}

static inline uint32_t ilb__held_probes(uint64_t word)
{
    return (uint32_t)(word >> ILB_HELD_PROBE_SHIFT);
}

static inline uint64_t ilb__held_one(uint32_t where)
{
    return UINT64_C(1) << (where * ILB_LOAD_BITS);
}

static inline bool ilb__held_has(const ilb__held *h, uint32_t where)
{
    return ilb__held_count(ilb__load_relaxed(&h->word), where) != 0;
}

/* One more there, which the count of all has already. */
static inline void ilb__held_take(ilb__held *h, uint32_t where, bool probe)
{
    ilb__add_relaxed(&h->word, ilb__held_one(where) +
                                   ((uint64_t)probe << ILB_HELD_PROBE_SHIFT));
}

/* One less there, before the count of all. False, and nothing has changed:
 * there is none, it was given back for its process. */
static inline bool ilb__held_drop(ilb__held *h, uint32_t where, bool probe)
{
    uint64_t word = ilb__load_relaxed(&h->word);
    uint64_t less;

    do {
        if (ilb__held_count(word, where) == 0)
            return false;
        less = ilb__held_one(where);
        if (probe && ilb__held_probes(word) > 0)
            less += UINT64_C(1) << ILB_HELD_PROBE_SHIFT;
    } while (!ilb__cas_relaxed(&h->word, &word, word - less));
    return true;
}

#endif
/* ==== back in libilb/health/reclaim.h */

/* What the process has in flight to this endpoint. */
ILB_INTERNAL void ilb__reclaim_slot(ilb__judge *j, ilb__slot *slot,
                                    ilb__held *held, uint64_t now_ns);

/* Gives back `n` that are counted there. */
ILB_INTERNAL void ilb__reclaim_return(ilb__slot *slot, uint32_t where,
                                      uint32_t n, uint64_t now_ns);

/* Some were given back: no more can be overtaken or lost than are left. */
ILB_INTERNAL void ilb__reclaim_settle(ilb__slot *slot);

#endif
/* ==== back in libilb/health/reclaim.c */

ILB_INTERNAL void ilb__reclaim_settle(ilb__slot *slot)
{
    uint32_t unanswered =
        ilb__load_unanswered(ilb__load_relaxed(&slot->load.word));

    (void)ilb__lost_at_most(&slot->lost, &slot->extra_cost, unanswered);
    if (unanswered == 0)
        ilb__epochs_forget(&slot->overtaken);
    else
        (void)ilb__epochs_of(&slot->overtaken, unanswered);
}

ILB_INTERNAL void ilb__reclaim_return(ilb__slot *slot, uint32_t where,
                                      uint32_t n, uint64_t now_ns)
{
    /* Something is in flight, so the slot keeps its generation. */
    uint32_t generation =
        ilb__load_generation(ilb__load_relaxed(&slot->load.word));

    for (uint32_t i = 0; i < n; i++) {
        if (!ilb__load_return(&slot->load, generation, where, now_ns))
            return;
        ilb__add_relaxed(&slot->leaked, 1);
    }
}

static void ilb__reclaim_probe(ilb__judge *j, ilb__slot *slot, uint64_t now_ns)
{
    uint64_t before = ilb__load_relaxed(&slot->health);

    if (ilb__health_state_of(before) == ILB__PROBING &&
        ilb__health_inconclusive(j, slot, now_ns))
        ilb__tell(j, slot, ILB_EVENT_PROBE_CANCELLED, ILB_REASON_NONE, before,
                  ilb__load_relaxed(&slot->health), NULL, now_ns);
}

ILB_INTERNAL void ilb__reclaim_slot(ilb__judge *j, ilb__slot *slot,
                                    ilb__held *held, uint64_t now_ns)
{
    uint64_t extra = ilb__load_relaxed(&held->extra_cost);
    uint64_t word = ilb__load_relaxed(&held->word);

    if (ILB_LIKELY(word == 0 && extra == 0))
        return;
    extra = ilb__take_relaxed(&held->extra_cost);
    ilb__sub_relaxed(&slot->extra_cost, extra);
    word = ilb__take_relaxed(&held->word);
    if (ilb__held_probes(word) > 0)
        ilb__reclaim_probe(j, slot, now_ns);
    for (uint32_t where = 0; where < ILB_HELD_PLACES; where++)
        ilb__reclaim_return(slot, where, ilb__held_count(word, where), now_ns);
    ilb__reclaim_settle(slot);
}
/* ==== libilb/health/audit.c ============================================== */
/* See audit.h. */
/* ==== libilb/health/audit.h ============================================== */
/*
 * The audit: what counts two things that must agree, and is counted by steps of
 * several words, is off for ever if a process is killed between two of them.
 * After each process that has ended the books are compared, slot by slot:
 *
 *     in flight, where it is counted   the sum of what all processes hold there
 *     extra cost                       the sum of theirs, less what is lost
 *                                      (signal/lost.h)
 *     endpoints that are ejected       the slots that say so
 *
 * As requests go on meanwhile, a difference may be one that is on its way: so
 * only what has been there in each of three looks, a second apart at least, is
 * corrected, by the least of the three; and of a slot that changes while it is
 * looked at nothing is noted. Looks go on until one finds no difference.
 *
 * An error is possible, of one request, if a process stands still between the
 * same two steps in all three looks; it then ends as a copy of a ticket that is
 * done would, and its count is right again.
 *
 * For one caller at a time, under the balancer's mutex.
 */
#ifndef ILB_HEALTH_AUDIT_H
#define ILB_HEALTH_AUDIT_H

#define ILB_AUDIT_PERIOD_NS ILB_SECOND_NS
#define ILB_AUDIT_LOOKS 3

/* What was found in a slot so far. */
typedef struct ilb__audit_note {
    uint16_t more[ILB_HELD_PLACES]; /* in flight that no process has */
    uint8_t looks;                  /* that have found it; 0: nothing */
    uint64_t extra_cost;            /* too much; two's complement */
} ilb__audit_note;

typedef struct ilb__audit {
    ilb__audit_note *notes;
    bool wanted, going;                   /* an audit; a look */
    bool found;                           /* a difference, in this look */
    uint32_t at;                          /* slots looked at */
    uint64_t began_ns;                    /* this look, or the last */
    uint32_t n_ejected;                   /* counted in this look */
    uint32_t more_ejected, ejected_looks; /* as in a note */
} ilb__audit;

ILB_INTERNAL void ilb__audit_init(ilb__audit *a, ilb__arena *arena,
                                  uint32_t n_slots);

/* A process has ended. */
static inline void ilb__audit_want(ilb__audit *a)
{
    a->wanted = true;
}

/* Looks at up to `most` of the first `n_slots`, of as many processes as ever
 * took part. */
ILB_INTERNAL void ilb__audit_go_on(ilb__audit *a, ilb__judge *j,
                                   ilb__slot *slots, uint32_t n_slots,
                                   const ilb__holdings *h, uint32_t n_rows,
                                   uint32_t most, uint64_t now_ns);

#endif
/* ==== back in libilb/health/audit.c */

#include <string.h>

#define ILB__AUDIT_TRIES 4

/* One slot's books. */
typedef struct ilb__audit_books {
    uint64_t load, extra_cost, lost; /* of all */
    uint64_t held[ILB_HELD_PLACES];  /* of the processes */
    uint64_t held_extra_cost;
} ilb__audit_books;

ILB_INTERNAL void ilb__audit_init(ilb__audit *a, ilb__arena *arena,
                                  uint32_t n_slots)
{
    a->notes = ilb__arena_take(arena, n_slots, sizeof *a->notes);
}

/* In no order: it is read twice, and what three looks a second apart have found
 * is not what was on its way. */
static void ilb__audit_read(ilb__audit_books *b, const ilb__slot *slot,
                       const ilb__holdings *h, uint32_t n_rows, uint32_t k)
{
    memset(b, 0, sizeof *b);
    for (uint32_t row = 0; row < n_rows; row++) {
        const ilb__held *held = ilb__holdings_of(h, row, k);
        uint64_t word = ilb__load_relaxed(&held->word);

        for (uint32_t where = 0; where < ILB_HELD_PLACES; where++)
            b->held[where] += ilb__held_count(word, where);
        b->held_extra_cost += ilb__load_relaxed(&held->extra_cost);
    }
    b->load = ilb__load_relaxed(&slot->load.word);
    b->extra_cost = ilb__load_relaxed(&slot->extra_cost);
    b->lost = ilb__load_relaxed(&slot->lost.n);
}

/* False: it never stands still. */
static bool ilb__audit_read_twice(ilb__audit_books *b, const ilb__slot *slot,
                             const ilb__holdings *h, uint32_t n_rows,
                             uint32_t k)
{
    ilb__audit_books again;

    ilb__audit_read(b, slot, h, n_rows, k);
    for (int i = 0; i < ILB__AUDIT_TRIES; i++) {
        ilb__audit_read(&again, slot, h, n_rows, k);
        if (memcmp(b, &again, sizeof again) == 0)
            return true;
        *b = again;
    }
    return false;
}

static uint16_t ilb__audit_more(const ilb__audit_books *b, uint32_t where)
{
    uint32_t n = ilb__load_count(b->load, where);

    return n > b->held[where] ? (uint16_t)(n - b->held[where]) : 0;
}

/* What this look and those before have found. */
static void ilb__audit_put_down(ilb__audit_note *note, const ilb__audit_books *b)
{
    uint64_t extra =
        b->extra_cost - b->held_extra_cost + b->lost * ILB_COST_ONE;
    bool any = false;

    for (uint32_t where = 0; where < ILB_HELD_PLACES; where++) {
        uint16_t more = ilb__audit_more(b, where);

        if (note->looks == 0 || more < note->more[where])
            note->more[where] = more;
        any = any || note->more[where] != 0;
    }
    if (note->looks == 0)
        note->extra_cost = extra;
    else if (note->extra_cost != extra)
        note->extra_cost = 0;
    any = any || note->extra_cost != 0;
    note->looks = any ? (uint8_t)(note->looks + 1) : 0;
}

static void ilb__audit_correct(ilb__audit_note *note, ilb__slot *slot,
                          uint64_t now_ns)
{
    ilb__sub_relaxed(&slot->extra_cost, note->extra_cost);
    for (uint32_t where = 0; where < ILB_HELD_PLACES; where++)
        ilb__reclaim_return(slot, where, note->more[where], now_ns);
    ilb__reclaim_settle(slot);
    note->looks = 0;
}

static void ilb__audit_look_at(ilb__audit *a, ilb__slot *slot,
                          const ilb__holdings *h, uint32_t n_rows, uint32_t k,
                          uint64_t now_ns)
{
    ilb__audit_note *note = &a->notes[k];
    ilb__audit_books books;

    a->n_ejected += ilb__word_counts(
        ilb__health_state_of(ilb__load_relaxed(&slot->health)));
    if (!ilb__audit_read_twice(&books, slot, h, n_rows, k)) {
        note->looks = 0;
        return;
    }
    ilb__audit_put_down(note, &books);
    if (note->looks == 0)
        return;
    a->found = true;
    if (note->looks >= ILB_AUDIT_LOOKS)
        ilb__audit_correct(note, slot, now_ns);
}

static void ilb__audit_ejected(ilb__audit *a, ilb__judge *j)
{
    uint32_t n = ilb__load32_relaxed(&j->n_ejected);
    uint32_t more = n - a->n_ejected;

    if (more == 0) {
        a->ejected_looks = 0;
        return;
    }
    a->found = true;
    a->ejected_looks = more == a->more_ejected ? a->ejected_looks + 1 : 1;
    a->more_ejected = more;
    if (a->ejected_looks < ILB_AUDIT_LOOKS)
        return;
    if (ilb__cas32_strong_relaxed(&j->n_ejected, n, n - more))
        a->ejected_looks = 0;
}

/* True: a look is going on. */
static bool ilb__audit_begin(ilb__audit *a, uint64_t now_ns)
{
    if (a->going)
        return true;
    if (!a->wanted ||
        (a->began_ns != 0 &&
         ilb__elapsed_ns(a->began_ns, now_ns) < ILB_AUDIT_PERIOD_NS))
        return false;
    a->going = true;
    a->wanted = false; /* who ends from here on wants another look */
    a->found = false;
    a->at = a->n_ejected = 0;
    a->began_ns = now_ns;
    return true;
}

ILB_INTERNAL void ilb__audit_go_on(ilb__audit *a, ilb__judge *j,
                                   ilb__slot *slots, uint32_t n_slots,
                                   const ilb__holdings *h, uint32_t n_rows,
                                   uint32_t most, uint64_t now_ns)
{
    if (!ilb__audit_begin(a, now_ns))
        return;
    for (; a->at < n_slots && most > 0; a->at++, most--)
        ilb__audit_look_at(a, &slots[a->at], h, n_rows, a->at, now_ns);
    if (a->at < n_slots)
        return;
    ilb__audit_ejected(a, j);
    a->wanted = a->wanted || a->found;
    a->going = false;
}
/* ==== libilb/health/lease.c ============================================== */
/* See lease.h. */
/* ==== libilb/health/lease.h ============================================== */
/*
 * Leases: tickets that are never done, as their caller lost them, are given
 * back after ilb_options.lease_ns.
 *
 * Nobody has a list of tickets. What there is is the turn (signal/load.h): all
 * of an endpoint's `old` requests were taken before `turned_ns`. If that is a
 * lease ago and some are unanswered still, they are given back, all of them,
 * and counted as leaked; `leaked_ns` of the slot says so to their tickets,
 * should they come yet: an unanswered ticket that was taken before it is
 * refused and changes nothing. A request that is taken after a turn comes to be
 * an old one at the next, which comes when the last old one ends, or here, when
 * a lease has passed without one. So a ticket is given back
 *
 *     one lease after it was taken at the earliest, two and a little at the
 *     latest,
 *
 * looked at every 100 ms, 256 slots at a time.
 *
 * Not: a request whose first byte has come (ilb_first_byte). A stream may last
 * as long as it likes, and nothing tells one that is lost from it.
 *
 * What it cannot tell: the time of a pick that the caller hands in may be two
 * seconds off (base/clock.h). A request that was taken at the turn, to that
 * exactness, may be refused though its count is not given back until a lease
 * later, or the other way round be done in the place of another one, which is
 * then refused. The count is right in the end either way.
 *
 * The extra cost of such a request (signal/cost.h) is given back when its
 * endpoint is idle, as then there is none.
 */
#ifndef ILB_HEALTH_LEASE_H
#define ILB_HEALTH_LEASE_H

/* Looks at one slot, the `k`-th. */
ILB_INTERNAL void ilb__lease_look_at(ilb__slot *slot, const ilb__holdings *h,
                                     uint32_t k, uint64_t lease_ns,
                                     uint64_t now_ns);

/* Has a ticket for this endpoint been given back? */
static inline bool ilb__lease_is_over(const ilb__slot *slot, uint64_t picked_ns,
                                      bool answered)
{
    return ILB_UNLIKELY(picked_ns < ilb__load_relaxed(&slot->leaked_ns)) &&
           !answered;
}

#endif
/* ==== back in libilb/health/lease.c */

/* Since it was looked at, has it turned? Then others are counted there. */
static bool ilb__lease_turned(const ilb__slot *slot, uint32_t parity,
                         uint64_t turned_ns)
{
    /* Pairs with the release in load_move, ilb__load_age_young and
     * ilb__load_expire: the time of a turn is there before the turn. */
    return ilb__load_parity(ilb__load_acquire(&slot->load.word)) != parity ||
           ilb__load_relaxed(&slot->load.turned_ns) != turned_ns;
}

/* The processes have no old ones any more. */
static void ilb__lease_take_held(const ilb__slot *slot, const ilb__holdings *h,
                            uint32_t k, uint32_t parity, uint64_t turned_ns)
{
    for (uint32_t row = 0; row < h->n_rows; row++) {
        ilb__held *held = ilb__holdings_of(h, row, k);
        uint64_t word = ilb__load_relaxed(&held->word), old;

        do {
            old = ilb__held_count(word, !parity) * ilb__held_one(!parity);
            if (old != 0 && ilb__lease_turned(slot, parity, turned_ns))
                return;
        } while (old != 0 && !ilb__cas_relaxed(&held->word, &word, word - old));
        if (old != 0 && ILB_UNLIKELY(ilb__lease_turned(slot, parity, turned_ns))) {
            /* Just now: nobody is to be refused for it. */
            ilb__add_relaxed(&held->word, old);
            return;
        }
    }
}

/* Nothing is in flight: no request has any extra cost. */
static void ilb__lease_idle(ilb__slot *slot, const ilb__holdings *h, uint32_t k)
{
    uint64_t extra;

    (void)ilb__lost_at_most(&slot->lost, &slot->extra_cost, 0);
    extra = ilb__load_relaxed(&slot->extra_cost);
    /* Fails if a request came meanwhile. */
    if (extra != 0)
        (void)ilb__cas_strong_relaxed(&slot->extra_cost, extra, 0);
    for (uint32_t row = 0; row < h->n_rows; row++) {
        ilb__held *held = ilb__holdings_of(h, row, k);

        extra = ilb__load_relaxed(&held->extra_cost);
        if (ilb__load_relaxed(&held->word) == 0 && extra != 0)
            (void)ilb__cas_strong_relaxed(&held->extra_cost, extra, 0);
    }
}

static void ilb__lease_expire(ilb__slot *slot, const ilb__holdings *h, uint32_t k,
                         uint64_t word, uint64_t turned_ns, uint64_t now_ns)
{
    uint32_t parity = ilb__load_parity(word);
    uint32_t n = 0;

    /* Before they are taken out: who is not counted any more is refused. */
    if (ilb__load_relaxed(&slot->leaked_ns) < turned_ns)
        ilb__store_relaxed(&slot->leaked_ns, turned_ns);
    ilb__lease_take_held(slot, h, k, parity, turned_ns);
    while (ilb__load_old(word) != 0 && ilb__load_parity(word) == parity &&
           (n = ilb__load_expire(&slot->load, word, now_ns)) == 0)
        /* Pairs with the release in load_move: as in ilb__lease_turned, it may have
         * turned. */
        word = ilb__load_acquire(&slot->load.word);
    if (n == 0)
        return;
    ilb__add_relaxed(&slot->leaked, n);
    ilb__reclaim_settle(slot);
}

ILB_INTERNAL void ilb__lease_look_at(ilb__slot *slot, const ilb__holdings *h,
                                     uint32_t k, uint64_t lease_ns,
                                     uint64_t now_ns)
{
    /* Pairs with the release in load_move, ilb__load_age_young and
     * ilb__load_expire: the time is that of its turn, or a later one. */
    uint64_t word = ilb__load_acquire(&slot->load.word);
    uint64_t turned_ns = ilb__load_relaxed(&slot->load.turned_ns);

    if (ilb__load_in_flight(word) == 0) {
        if (ILB_UNLIKELY(ilb__load_relaxed(&slot->extra_cost) != 0))
            ilb__lease_idle(slot, h, k);
        return;
    }
    if (ilb__load_unanswered(word) == 0 ||
        ilb__elapsed_ns(turned_ns, now_ns) < lease_ns)
        return;
    if (ilb__load_old(word) == 0)
        (void)ilb__load_age_young(&slot->load, word, now_ns);
    else
        ilb__lease_expire(slot, h, k, word, turned_ns, now_ns);
}
/* ==== libilb/select/score.c ============================================== */
/* See score.h for the formula. */
/* ==== libilb/select/score.h ============================================== */
/*
 * What it costs to send the next request to an endpoint. Lower is better.
 *
 *     cost = (L + 10 m max(0, s - 2 p0)) (1 + q / w)
 *
 *   L  latency expected of it: the estimate faded to the median
 *      (signal/latency.h), or the age of its oldest unanswered request if that
 *      is more: silence is evidence;
 *   m  the median of all endpoints, at least 20 us: what differs by less is
 *      the host's interrupts;
 *   s  its recent share of failures, 0..1; up to twice p0, what healthy peers
 *      have as well, it says nothing. A certain failure costs as much as an
 *      answer that takes ten times the median. A single failure (s = 1/5) makes
 *      it three times as dear, for a few seconds;
 *   q  its requests in flight, by their costs (signal/cost.h); long-lived ones
 *      count less (signal/longlived.h);
 *   w  its weight over the mean weight. Draws go by weight (select/draw.h);
 *      this keeps heavier endpoints from looking busy.
 *
 * To compare all that are drawn would undo the draw by weight: where few
 * requests are in flight, chance decides who is a little cheaper, and it
 * favours the small ones, which are often idle. So where weights differ the
 * first one drawn is taken at once if it fits: it is not held back, is not
 * dearer for what it is than 2 m, and has no more in flight than chance
 * explains, w P + max(1, 1.4 sqrt(w P)), where P = rate x m / n is what is in
 * flight to an endpoint in the mean, by Little's law: a look at what is in
 * flight just now would be 0 or too much. (Envoy draws by weight / (active + 1)
 * from a schedule, and knows no latency; gRPC's client-side WRR does not look
 * at what is in flight.)
 *
 * Enough: a cost up to which there is no need to look at more candidates,
 *
 *     1.2 m (1 + 0.3 Q)
 *
 * where Q is what is in flight to an endpoint in the mean. So an idle or
 * lightly loaded endpoint that is as fast as the others is taken at once, and
 * where most are slow or busy more are looked at. Two choices alone give the
 * longest waits a chance that more choices take away (M. Mitzenmacher 1996:
 * each choice more helps little on average, but it is the tail that callers
 * feel); to look at all of them, always, costs time and herds. With few
 * requests, in an aperture (health/pool.h), 0.3 m: information is scarce there
 * and looking is cheap.
 *
 * Held back, so that any other that is not is better, whatever it costs. Of
 * those that are, hanging and suspect ones come last; else the cheaper one:
 *   - at its in-flight cap: WARMING (health/health.h); one in flight while its
 *     last answers were peaks, or while it is suspect;
 *   - hanging: the age is above max(1.5 p99, 3 m, 2 ms) (signal/figures.h).
 *     One request that waits alone for four times as long may be a long one, as
 *     nobody else was sent since: then neither its age nor its load counts, so
 *     that another tries, until that is answered (signal/overtaken.h) or waits
 *     as well. Where others have been overtaken that is likely: then another
 *     tries at once, and whenever it has been silent half as long again;
 *   - full, worse than all: those that are left cannot carry everything
 *     (health/overload.h), and it has its part in flight;
 *   - suspect, for a moment: the last request failed, and that is evidence
 *     against it: `broken` is at 3 nats (signal/evidence.h, health/pool.h).
 *
 * A request to an endpoint of which nothing good is known is a trial: somebody
 * has to be the first to ask. The caller is told (ilb_ticket_try_timeout_ns),
 * so that he can send it elsewhere when it fails:
 *   - timed, also when it takes longer than hanging: a probe, another waits
 *     there alone (above), no good answer so far (not timed if that is so of
 *     many), suspect, slow three times apart, or `broken`
 *     is at 1 nat or `faulty` at 2: a share of its requests fails, and some
 *     fail by waiting. One that is given up early adds to `faulty`, so that the
 *     next are trials still. Where many fail or are slow (health/pool.h) only
 *     probes are timed, and who waits there alone: it is the load then, or what
 *     they share, and what is given up and sent again makes more of it;
 *   - else, when it was ejected of late, or refused within a minute
 *     (signal/refusals.h): it may fail, but to give it up early says more
 *     against it than it deserves.
 *
 * Source: cost = latency x (in flight + 1) of Finagle's and tower's peak EWMA;
 * a price on failures as in linkerd2's load biaser and brpc, but of the share,
 * so that it does not outlive the failing.
 *
 * least_request: cost = 1 + q / w.
 */
#ifndef ILB_SELECT_SCORE_H
#define ILB_SELECT_SCORE_H

/* ==== libilb/health/ramp.h =============================================== */
/*
 * Slow start: an endpoint that has entered the list, has become ready or has
 * returned from an ejection takes part of its share for a while,
 *
 *     factor = max(10 %, t / slow_start_ns)
 *
 * with t its time since then: the clock is its own, whoever else comes or goes.
 * It is a factor on its weight, in both places where weight counts: it is drawn
 * that often (a draw is passed over with probability 1 - factor), and its
 * requests in flight count 1 / factor times (select/score.h). The first bounds
 * its share where all are idle, the second where they are busy; and a tenth of
 * its draws are never passed over, so that it does not starve.
 *
 * The formula is Envoy's, with aggression 1. There it is a factor on the weight
 * of a queue of deadlines, for round robin and least request only; a newcomer
 * can starve, and one that returns from an ejection does not ramp.
 *
 * Without it, and besides it, evidence ramps an endpoint: its in-flight cap
 * while WARMING (health.h).
 *
 * A list that comes when nothing is ready has nobody to spare: no ramp.
 */
#ifndef ILB_HEALTH_RAMP_H
#define ILB_HEALTH_RAMP_H

#define ILB_RAMP_LEAST 0.1f

/* 0.1 .. 1; 1 if there is none. `window_ns` is not 0. */
static inline float ilb__ramp_factor(const ilb__slot *slot, uint64_t window_ns,
                                     uint64_t now_ns)
{
    uint64_t began_ns = ilb__load_relaxed(&slot->ramp_ns);
    float factor;

    if (began_ns == 0)
        return 1;
    factor = (float)ilb__elapsed_ns(began_ns, now_ns) / (float)window_ns;
    return factor < ILB_RAMP_LEAST ? ILB_RAMP_LEAST : factor < 1 ? factor : 1;
}

#endif
/* ==== back in libilb/select/score.h */

typedef struct ilb__score_context {
    uint64_t now_ns;
    ilb__figures figures;
    float hang_ns;          /* an age above it: hanging */
    float enough;           /* a cost up to it: look no further */
    float in_flight;        /* to an endpoint in the mean, by Little's law;
                               where weights differ */
    float weight_scale;     /* 1 / mean weight; 0: all are equal */
    uint64_t slow_start_ns; /* 0: none */
    bool latency;           /* else by requests in flight alone */
    bool plain;             /* and nothing changes the formula for all */
} ilb__score_context;

typedef struct ilb__score {
    float cost;
    uint8_t held; /* an ilb_held */
} ilb__score;

/* 0: not held back; 1: to be careful; 2: it shows signs of a fault; 3: full. */
static inline int ilb__score_held_rank(const ilb__score *s)
{
    if (ILB_LIKELY(s->held == ILB_HELD_NOT))
        return 0;
    if (s->held == ILB_HELD_FULL)
        return 3;
    return s->held == ILB_HELD_HANGING || s->held == ILB_HELD_SUSPECT ||
                   s->held == ILB_HELD_FAILED
               ? 2
               : 1;
}

static inline bool ilb__score_better(const ilb__score *a, const ilb__score *b)
{
    int a_rank = ilb__score_held_rank(a), b_rank = ilb__score_held_rank(b);

    return a_rank == b_rank ? a->cost < b->cost : a_rank < b_rank;
}

/* Need no more be looked at than the best so far? */
static inline bool ilb__score_enough(const ilb__score *best,
                                     const ilb__score_context *c)
{
    return best->held == ILB_HELD_NOT && best->cost <= c->enough;
}

/* Where weights differ: is what was drawn good enough to be taken for its
 * weight? */
ILB_INTERNAL bool ilb__score_fits(const ilb__slot *slot, uint64_t load,
                                  const ilb__score *s,
                                  const ilb__score_context *c);

/* Is a request to it a trial, that may well fail, and why? */
ILB_INTERNAL ilb_trial ilb__score_trial_of(const ilb__slot *slot,
                                           uint64_t health,
                                           const ilb__score_context *c);

/* The same, at once where nothing is held against it. */
static inline ilb_trial ilb__score_trial(const ilb__slot *slot, uint64_t health,
                                         const ilb__score_context *c)
{
    return ILB_LIKELY(ilb__health_is_calm(health) &&
                      ilb__latency_level(&slot->latency) == 0 &&
                      (ilb__load_relaxed(&slot->evidence) |
                       ilb__load_relaxed(&slot->refusals)) == 0)
               ? ILB_TRIAL_NOT
               : ilb__score_trial_of(slot, health, c);
}

/* May a trial also take for ever? */
static inline bool ilb__score_trial_is_timed(ilb_trial trial,
                                             const ilb__figures *f)
{
    switch (trial) {
    case ILB_TRIAL_PROBE:
    case ILB_TRIAL_AGAIN:
        return true;
    case ILB_TRIAL_UNTRIED:
        return !f->cold && !f->many_on_trial;
    case ILB_TRIAL_SLOW:
    case ILB_TRIAL_SUSPECT:
    case ILB_TRIAL_FAILING:
        return !f->many_on_trial;
    case ILB_TRIAL_NOT:
    case ILB_TRIAL_RETURNED:
    case ILB_TRIAL_REFUSED:
    case ILB_TRIAL_COUNT:
        break;
    }
    return false;
}

/* Has it been silent for so long that another may ask? */
static inline bool ilb__score_asks_again(const ilb__slot *slot, uint64_t load,
                                         float age_ns,
                                         const ilb__score_context *c)
{
    if (ILB_LIKELY(age_ns <= c->hang_ns))
        return false;
    if (ilb__epochs_n(&slot->overtaken) == 0)
        return age_ns > ilb__figures_again_ns(&c->figures) &&
               ilb__load_unanswered(load) == 1;
    return (float)ilb__elapsed_ns(ilb__load_relaxed(&slot->asked_ns),
                                  c->now_ns) > age_ns / 2;
}

/* What is in flight to it, in ordinary requests. */
static inline float ilb__score_load(const ilb__slot *slot, uint64_t load,
                                    const ilb__figures *f)
{
    uint32_t in_flight = ilb__load_in_flight(load);
    float q = ilb__cost_load(&slot->extra_cost, in_flight);
    uint32_t n = ilb__longlived_n(&slot->longlived, in_flight,
                                  ilb__load_relaxed(&slot->lost.n));

    if (ILB_LIKELY(n == 0))
        return q;
    q -= (float)n * (1 - f->longlived);
    return q > 0 ? q : 0;
}

/* Age of its oldest unanswered request, at least; 0: there is none. Since the
 * clock jumped, if it did. */
static inline uint64_t ilb__score_age_ns(const ilb__slot *slot, uint64_t load,
                                         const ilb__figures *f, uint64_t now_ns)
{
    uint64_t age_ns = ilb__load_age_ns(&slot->load, load, now_ns);

    if (ILB_UNLIKELY(!ilb__figures_passed(f, now_ns - age_ns, now_ns)))
        age_ns = now_ns - f->jumped_ns;
    return age_ns;
}

/* The whole formula. */
ILB_INTERNAL ilb__score ilb__score_in_full(const ilb__slot *slot, uint64_t load,
                                           uint64_t health,
                                           const ilb__score_context *c);

/* Has all that it holds against an endpoint been found to be 0? */
static inline bool ilb__score_is_plain(const ilb__slot *slot, uint64_t health,
                                       uint64_t latency)
{
    return ilb__health_state_of(health) == ILB__HEALTHY &&
           (ilb__load_relaxed(&slot->failures.word) |
            ilb__load_relaxed(&slot->extra_cost) |
            ilb__epochs_n(&slot->overtaken) | ilb__epochs_n(&slot->longlived) |
            ilb__latency_level_of(latency)) == 0;
}

/* What is left of the formula for an endpoint that is well, as most are. If it
 * is held back, as it hangs, the whole is needed. */
static inline ilb__score ilb__score_of_plain(const ilb__slot *slot,
                                             uint64_t load, uint64_t latency,
                                             const ilb__score_context *c)
{
    ilb__score score = {0, ILB_HELD_NOT};

    score.cost = ilb__latency_of(latency, &c->figures, c->now_ns);
    if (ilb__load_unanswered(load) != 0) {
        float age_ns =
            (float)ilb__score_age_ns(slot, load, &c->figures, c->now_ns);

        if (ILB_UNLIKELY(age_ns > c->hang_ns))
            score.held = ILB_HELD_HANGING;
        if (score.cost < age_ns)
            score.cost = age_ns;
    }
    if (score.cost < 1)
        score.cost = 1;
    score.cost *= 1 + (float)ilb__load_in_flight(load);
    return score;
}

/* `load` and `health` were just read from `slot`. */
static inline ilb__score ilb__score_of(const ilb__slot *slot, uint64_t load,
                                       uint64_t health,
                                       const ilb__score_context *c)
{
    uint64_t latency = ilb__load_relaxed(&slot->latency.word);

    if (ILB_LIKELY(c->plain && ilb__score_is_plain(slot, health, latency))) {
        ilb__score score = ilb__score_of_plain(slot, load, latency, c);

        if (ILB_LIKELY(score.held == ILB_HELD_NOT))
            return score;
    }
    return ilb__score_in_full(slot, load, health, c);
}

/* The latency that the score uses: L above. */
ILB_INTERNAL float ilb__score_latency_ns(const ilb__slot *slot, uint64_t load,
                                         const ilb__figures *f,
                                         uint64_t now_ns);

/* What the score needs of the figures. */
ILB_INTERNAL void ilb__score_prepare(ilb__score_context *c);

#endif
/* ==== back in libilb/select/score.c */

#define ILB__SCORE_FAILURE_PRICE 10.0f
#define ILB__SCORE_MEDIAN_MIN_NS 20000.0f
#define ILB__SCORE_ENOUGH 1.2f
#define ILB__SCORE_ENOUGH_SCARCE 0.3f
#define ILB__SCORE_ENOUGH_Q 0.3f
/* A share of failures up to so many times the healthy peers' is noise. */
#define ILB__SCORE_NOISE 2.0f
/* Squared: 1.4 standard deviations. */
#define ILB__SCORE_FITS_CHANCE 2.0f
#define ILB__SCORE_FITS_PRICE 2.0f
#define ILB__SCORE_SUSPECT_BROKEN (3 * ILB_EVIDENCE_ONE)

ILB_INTERNAL float ilb__score_latency_ns(const ilb__slot *slot, uint64_t load,
                                         const ilb__figures *f, uint64_t now_ns)
{
    float latency_ns = ilb__latency_read_ns(&slot->latency, f, now_ns);
    float age_ns = (float)ilb__score_age_ns(slot, load, f, now_ns);

    return age_ns > latency_ns ? age_ns : latency_ns;
}

static float ilb__score_median_ns(const ilb__figures *f)
{
    return f->median_ns > ILB__SCORE_MEDIAN_MIN_NS ? f->median_ns
                                              : ILB__SCORE_MEDIAN_MIN_NS;
}

ILB_INTERNAL void ilb__score_prepare(ilb__score_context *c)
{
    const ilb__figures *f = &c->figures;

    c->hang_ns = ilb__figures_hang_ns(f);
    c->enough = f->aperture == UINT32_MAX
                    ? ILB__SCORE_ENOUGH * (1 + ILB__SCORE_ENOUGH_Q * f->in_flight)
                    : ILB__SCORE_ENOUGH_SCARCE;
    c->enough *= ilb__score_median_ns(f);
    c->plain = c->latency && c->weight_scale == 0 && c->slow_start_ns == 0 &&
               f->room == 0;
}

/* The last request failed, and that says something against this endpoint. */
static bool ilb__score_suspect(const ilb__slot *slot)
{
    return ilb__failures_in_a_row(&slot->failures) > 0 &&
           ilb__evidence_read(&slot->evidence).broken >= ILB__SCORE_SUSPECT_BROKEN;
}

/* Nothing is held against it any more, but it was ejected, or refused. */
static ilb_trial ilb__score_of_late(const ilb__slot *slot, uint64_t health,
                               uint64_t now_ns)
{
    if (ilb__health_of_late(health))
        return ILB_TRIAL_RETURNED;
    return ilb__refusals_lately(&slot->refusals, now_ns) ? ILB_TRIAL_REFUSED
                                                         : ILB_TRIAL_NOT;
}

ILB_INTERNAL ilb_trial ilb__score_trial_of(const ilb__slot *slot,
                                           uint64_t health,
                                           const ilb__score_context *c)
{
    if (ilb__health_untried(health))
        return ILB_TRIAL_UNTRIED;
    if (ilb__latency_level(&slot->latency) >= ILB_LATENCY_TRIAL_LEVEL)
        return ILB_TRIAL_SLOW;
    if (ILB_LIKELY(ilb__load_relaxed(&slot->evidence) == 0))
        return ilb__score_of_late(slot, health, c->now_ns);
    if (ilb__score_suspect(slot))
        return ILB_TRIAL_SUSPECT;
    return ilb__evidence_is_trial(&slot->evidence)
               ? ILB_TRIAL_FAILING
               : ilb__score_of_late(slot, health, c->now_ns);
}

/* Of what is in flight: what is lost, or just waits for long. */
static uint32_t ilb__score_do_not_count(const ilb__slot *slot, uint32_t in_flight)
{
    uint64_t lost = ilb__load_relaxed(&slot->lost.n);
    uint64_t n = lost + ilb__longlived_n(&slot->longlived, in_flight, lost);

    return n < in_flight ? (uint32_t)n : in_flight;
}

static ilb_held ilb__score_held_back(const ilb__slot *slot, uint32_t in_flight,
                                uint64_t health, float age_ns,
                                const ilb__score_context *c)
{
    if (age_ns > c->hang_ns)
        return ILB_HELD_HANGING;
    if (in_flight >= ilb__health_in_flight_cap(health) &&
        in_flight - ilb__score_do_not_count(slot, in_flight) >=
            ilb__health_in_flight_cap(health))
        return ILB_HELD_CAP;
    if (in_flight > 0 && ilb__latency_level(&slot->latency) > 0)
        return ILB_HELD_SLOW;
    if (ILB_LIKELY(ilb__load_relaxed(&slot->failures.word) == 0))
        return ILB_HELD_NOT;
    if (ilb__refusals_any(&slot->refusals) &&
        (in_flight > 0 || ilb__refusals_hold(&slot->refusals, c->now_ns)))
        return ILB_HELD_REFUSED;
    if (!ilb__score_suspect(slot))
        return ILB_HELD_NOT;
    if (in_flight > 0)
        return ILB_HELD_FAILED;
    return ilb__failures_suspect(&slot->failures, c->figures.suspect_ns,
                                 c->now_ns)
               ? ILB_HELD_SUSPECT
               : ILB_HELD_NOT;
}

/* Its share of failures, without what may be chance. */
static float ilb__score_failing(const ilb__slot *slot, const ilb__score_context *c)
{
    float share = ilb__failures_share(&slot->failures, c->now_ns);
    float noise = ILB__SCORE_NOISE * c->figures.p0;

    return share > noise ? share - noise : 0;
}

static float ilb__score_weight(const ilb__slot *slot, const ilb__score_context *c)
{
    return c->weight_scale == 0
               ? 1
               : (float)ilb__load32_relaxed(&slot->weight) * c->weight_scale;
}

ILB_INTERNAL bool ilb__score_fits(const ilb__slot *slot, uint64_t load,
                                  const ilb__score *s,
                                  const ilb__score_context *c)
{
    float q = ilb__score_load(slot, load, &c->figures);
    float part = c->in_flight * ilb__score_weight(slot, c);
    float more = q - part;

    if (s->held != ILB_HELD_NOT ||
        (more > 1 && more * more > ILB__SCORE_FITS_CHANCE * part))
        return false;
    return !c->latency || s->cost <= ILB__SCORE_FITS_PRICE *
                                         ilb__score_median_ns(&c->figures) *
                                         (1 + q / ilb__score_weight(slot, c));
}

/* *age_ns is that of the oldest request. */
static inline float ilb__score_cost(const ilb__slot *slot, uint64_t load,
                               const ilb__score_context *c, float *age_ns)
{
    float q = ilb__score_load(slot, load, &c->figures);
    float price, latency_ns;

    if (c->weight_scale != 0)
        q /= ilb__score_weight(slot, c);
    if (ILB_UNLIKELY(c->slow_start_ns != 0))
        q /= ilb__ramp_factor(slot, c->slow_start_ns, c->now_ns);
    if (!c->latency)
        return 1 + q;
    latency_ns = ilb__latency_read_ns(&slot->latency, &c->figures, c->now_ns);
    *age_ns = (float)ilb__score_age_ns(slot, load, &c->figures, c->now_ns);
    if (ilb__score_asks_again(slot, load, *age_ns, c)) {
        *age_ns = 0;
        q = q > 1 ? q - 1 : 0;
    }
    price = *age_ns > latency_ns ? *age_ns : latency_ns;
    price += ILB__SCORE_FAILURE_PRICE * ilb__score_median_ns(&c->figures) *
             ilb__score_failing(slot, c);
    /* With nothing known of anyone, what is in flight decides. */
    if (price < 1)
        price = 1;
    return price * (1 + q);
}

/* Has it as much in flight as there is room for? */
static bool ilb__score_is_full(const ilb__slot *slot, uint64_t load,
                          const ilb__score_context *c)
{
    uint32_t less = ilb__score_do_not_count(slot, ilb__load_in_flight(load));
    uint32_t overtaken = ilb__overtaken_besides(&slot->overtaken, less);

    return ilb__score_load(slot, load, &c->figures) - (float)overtaken >=
           c->figures.room * ilb__score_weight(slot, c);
}

ILB_INTERNAL ilb__score ilb__score_in_full(const ilb__slot *slot, uint64_t load,
                                           uint64_t health,
                                           const ilb__score_context *c)
{
    float age_ns = 0;
    ilb__score score = {ilb__score_cost(slot, load, c, &age_ns), ILB_HELD_NOT};

    if (!c->latency)
        return score;
    score.held = (uint8_t)ilb__score_held_back(slot, ilb__load_in_flight(load),
                                          health, age_ns, c);
    if (ILB_UNLIKELY(c->figures.room != 0) && ilb__health_eligible(health) &&
        ilb__score_is_full(slot, load, c))
        score.held = ILB_HELD_FULL;
    return score;
}
/* ==== libilb/select/trace.c ============================================== */
/* See trace.h. */
/* ==== libilb/select/trace.h ============================================== */
/*
 * The trace of one pick: what ilb_pick_explained hands out, filled while the
 * pick is made. It only looks: no draw and no choice depends on it.
 *
 * An address is copied while the view that named its slot may no longer hold;
 * then it is missing, and the pick, and with it the trace, begins again.
 */
#ifndef ILB_SELECT_TRACE_H
#define ILB_SELECT_TRACE_H

/* ==== libilb/select/draw.h =============================================== */
/*
 * Candidates: drawing endpoints from a view of the table, and what is known of
 * the ones drawn.
 */
#ifndef ILB_SELECT_DRAW_H
#define ILB_SELECT_DRAW_H

/* Endpoints that the caller does not want. */
typedef struct ilb__exclusion {
    ilb__endpoint_id ids[ILB_EXCLUDE_MAX];
    uint32_t n;
} ilb__exclusion;

typedef struct ilb__draw {
    ilb__slot *slots;
    ilb__view view;
    const ilb__exclusion *exclusion;
    uint64_t random; /* 64 bits, used up from the low end */
    uint32_t width;  /* columns to draw from: all, or the aperture's */
} ilb__draw;

typedef struct ilb__candidate {
    ilb__slot *slot; /* NULL: none */
    ilb__endpoint_id id;
    uint64_t load;
    uint64_t health;
    bool ramping;     /* slow start: passed over this time */
    uint8_t admitted; /* an ilb_admitted: ejected, but may be taken */
} ilb__candidate;

/* 32 random bits. */
static inline uint32_t ilb__draw_bits(ilb__draw *d)
{
    uint32_t bits = (uint32_t)d->random;

    /* The next number of the sequence that this one begins. */
    d->random = ilb__mix64(d->random + ILB_GOLDEN);
    return bits;
}

/* A number below `n` from the draw's random bits. */
static inline uint32_t ilb__draw_below(ilb__draw *d, uint32_t n)
{
    return ilb__random_below(ilb__draw_bits(d), n);
}

/* A column of the view, by weight. The view is not empty. */
static inline uint32_t ilb__draw_column(ilb__draw *d)
{
    uint32_t column = ilb__draw_below(d, d->width);

    if (ILB_LIKELY(d->view.weight_total == 0))
        return column;
    return ilb__view_weighted(&d->view, column, ilb__draw_bits(d));
}

/* Has what a look at a column reads fetched, as it is needed soon. */
static inline void ilb__draw_fetch(const ilb__draw *d, uint32_t column)
{
    const ilb__slot *slot =
        &d->slots[ilb__endpoint_id_index(ilb__view_id(&d->view, column))];

    ILB_PREFETCH(&slot->load);
    ILB_PREFETCH(&slot->overtaken);
}

/* Has the slot that is drawn next fetched, while this one is looked at. The
 * draw's random bits say which; with weights they need not be right. */
static inline void ilb__draw_fetch_next(const ilb__draw *d)
{
    ilb__draw_fetch(d, ilb__random_below((uint32_t)d->random, d->width));
}

/* Does the caller not want it? */
static inline bool ilb__draw_excluded(const ilb__exclusion *e,
                                      ilb__endpoint_id id)
{
    for (uint32_t i = 0; i < e->n; i++)
        if (e->ids[i] == id)
            return true;
    return false;
}

/* Looks at the endpoint of a column. False if it must not be taken: excluded,
 * or no longer the one that the view means. Ejected ones are not refused. */
static inline bool ilb__draw_look(const ilb__draw *d, uint32_t column,
                                  ilb__candidate *c)
{
    c->id = ilb__view_id(&d->view, column);
    c->slot = &d->slots[ilb__endpoint_id_index(c->id)];
    c->load = ilb__load_relaxed(&c->slot->load.word);
    c->health = ilb__load_relaxed(&c->slot->health);
    c->ramping = false;
    c->admitted = ILB_ADMITTED_NOT;
    return ilb__load_generation(c->load) ==
               ilb__endpoint_id_generation(c->id) &&
           ilb__load_in_flight(c->load) < ILB_LOAD_MAX &&
           (ILB_LIKELY(d->exclusion->n == 0) ||
            !ilb__draw_excluded(d->exclusion, c->id));
}

static inline bool ilb__candidate_eligible(const ilb__candidate *c)
{
    return ilb__health_eligible(c->health);
}

#endif
/* ==== back in libilb/select/trace.h */

/* Nothing looked at yet. The caller adds n_ejected and panic. */
ILB_INTERNAL void ilb__trace_begin(ilb_explanation *x, ilb_policy policy,
                                   const ilb__draw *d,
                                   const ilb__score_context *context);

/* An endpoint was looked at. `score` NULL: none was worked out. */
ILB_INTERNAL void ilb__trace_look(ilb_explanation *x, const ilb__candidate *c,
                                  const ilb__score *score,
                                  const ilb__exclusion *exclusion,
                                  const ilb__score_context *context);

/* One that was looked at is the choice; a probe is looked at now. */
ILB_INTERNAL void ilb__trace_choose(ilb_explanation *x, const ilb__candidate *c,
                                    const ilb__score *score, ilb_chosen_by by,
                                    const ilb__score_context *context);

#endif
/* ==== back in libilb/select/trace.c */

#include <string.h>

/* Above it: nobody has answered yet. */
#define ILB__TRACE_NS_MAX 1e18f

static uint64_t ilb__trace_ns(float ns)
{
    return ns < ILB__TRACE_NS_MAX ? (uint64_t)ns : 0;
}

static uint32_t ilb__trace_ppm(float share)
{
    return (uint32_t)(share * 1e6f + 0.5f);
}

ILB_INTERNAL void ilb__trace_begin(ilb_explanation *x, ilb_policy policy,
                                   const ilb__draw *d,
                                   const ilb__score_context *context)
{
    memset(x, 0, sizeof *x);
    x->size = sizeof *x;
    x->time_ns = context->now_ns;
    x->policy = policy;
    x->n_endpoints = d->view.n;
    x->width = d->width;
    x->overloaded = context->figures.overloaded || context->figures.room != 0;
    x->room = (double)context->figures.room;
    x->median_ns = ilb__trace_ns(context->figures.median_ns);
    x->hang_ns = ilb__trace_ns(context->hang_ns);
    x->peer_failure_ppm = ilb__trace_ppm(context->figures.p0);
}

/* The entry of an address that was looked at before, else NULL. */
static ilb_candidate *ilb__trace_find(ilb_explanation *x, const char *address)
{
    for (uint32_t i = 0; i < x->n_candidates; i++)
        if (strcmp(x->candidates[i].address, address) == 0)
            return &x->candidates[i];
    return NULL;
}

static ilb_fate ilb__trace_fate(const ilb__candidate *c,
                           const ilb__exclusion *exclusion)
{
    if (ilb__draw_excluded(exclusion, c->id))
        return ILB_FATE_EXCLUDED;
    if (ilb__load_in_flight(c->load) >= ILB_LOAD_MAX)
        return ILB_FATE_FULL;
    if (c->ramping)
        return ILB_FATE_RAMPING;
    return ilb__candidate_eligible(c) || c->admitted != ILB_ADMITTED_NOT
               ? ILB_FATE_COMPARED
               : ILB_FATE_EJECTED;
}

/* What is known of a candidate, but for its fate. */
static void ilb__trace_describe(ilb_candidate *k, const ilb__candidate *c,
                           const ilb__score_context *context)
{
    const ilb__slot *slot = c->slot;
    uint64_t age_ns =
        ilb__score_age_ns(slot, c->load, &context->figures, context->now_ns);

    memset(k, 0, sizeof *k);
    /* False: the view does not hold. See the header. */
    (void)ilb__slot_address(slot, ilb__endpoint_id_generation(c->id),
                            k->address);
    k->state = ilb__health_public_state(c->health);
    k->weight = ilb__load32_relaxed(&slot->weight);
    k->in_flight = ilb__load_in_flight(c->load);
    k->load = (double)ilb__score_load(slot, c->load, &context->figures);
    k->failure_ppm =
        ilb__trace_ppm(ilb__failures_share(&slot->failures, context->now_ns));
    k->oldest_ns = age_ns;
    k->again = ilb__score_asks_again(slot, c->load, (float)age_ns, context);
    k->latency_ns = ilb__trace_ns(
        k->again ? ilb__latency_read_ns(&slot->latency, &context->figures,
                                        context->now_ns)
                 : ilb__score_latency_ns(slot, c->load, &context->figures,
                                         context->now_ns));
}

/* What was made of it. */
static void ilb__trace_judge(ilb_candidate *k, const ilb__candidate *c,
                        const ilb__score *score, ilb_fate fate)
{
    k->fate = fate;
    if (fate == ILB_FATE_COMPARED)
        k->admitted = (ilb_admitted)c->admitted;
    if (score == NULL)
        return;
    k->held = (ilb_held)score->held;
    k->cost = (double)score->cost;
}

ILB_INTERNAL void ilb__trace_look(ilb_explanation *x, const ilb__candidate *c,
                                  const ilb__score *score,
                                  const ilb__exclusion *exclusion,
                                  const ilb__score_context *context)
{
    ilb_candidate seen, *k;

    ilb__trace_describe(&seen, c, context);
    ilb__trace_judge(&seen, c, score, ilb__trace_fate(c, exclusion));
    x->looks++;
    k = ilb__trace_find(x, seen.address);
    if (k != NULL)
        *k = seen;
    else if (x->n_candidates < ILB_CANDIDATES_MAX)
        x->candidates[x->n_candidates++] = seen;
}

/* A search compares ejected ones for want of others: until it meets one. */
static void ilb__trace_found_better(ilb_explanation *x)
{
    for (uint32_t i = 0; i < x->n_candidates; i++) {
        ilb_candidate *k = &x->candidates[i];

        if (k->admitted != ILB_ADMITTED_LAST)
            continue;
        k->fate = ILB_FATE_EJECTED;
        k->admitted = ILB_ADMITTED_NOT;
        k->held = ILB_HELD_NOT;
        k->cost = 0;
    }
}

ILB_INTERNAL void ilb__trace_choose(ilb_explanation *x, const ilb__candidate *c,
                                    const ilb__score *score, ilb_chosen_by by,
                                    const ilb__score_context *context)
{
    ilb_candidate choice, *k;

    ilb__trace_describe(&choice, c, context);
    ilb__trace_judge(&choice, c, score, ILB_FATE_COMPARED);
    x->looks += by == ILB_CHOSEN_BY_PROBE;
    if (by == ILB_CHOSEN_BY_SEARCH)
        ilb__trace_found_better(x);
    k = ilb__trace_find(x, choice.address);
    if (k == NULL) {
        k = &x->candidates[x->n_candidates < ILB_CANDIDATES_MAX
                               ? x->n_candidates++
                               : ILB_CANDIDATES_MAX - 1];
        *k = choice;
    } else if (by == ILB_CHOSEN_BY_PROBE)
        *k = choice; /* early: passed over before */
    x->chosen_by = by;
    x->chosen = (uint32_t)(k - x->candidates);
}
/* ==== libilb/select/policy.c ============================================= */
/* See policy.h. */
/* ==== libilb/select/policy.h ============================================= */
/*
 * The policies: which endpoint gets a request.
 *
 *   peak_ewma      draws one, by weight, and where weights differ takes it if
 *                  it fits (score.h); else two that differ; while the best so
 *                  far is not cheap enough (score.h) more, up to 16: with k of
 *                  n endpoints slow, pairs of slow ones would else keep
 *                  k (k-1) / (n (n-1)) of the traffic, and the longest queues
 *                  would be bad luck;
 *   least_request  the same with two;
 *   round_robin    the next in turn; by weight, along a low-discrepancy
 *                  sequence over the alias table;
 *   random         draws one.
 *
 * The better score wins; equals go to the one drawn first, which is as good as
 * at random. If draws find no eligible endpoint, all are looked at, from a
 * random one on; if there is none, the best of the ejected is taken (fail
 * open), or none (fail closed).
 */
#ifndef ILB_SELECT_POLICY_H
#define ILB_SELECT_POLICY_H

typedef struct ilb__selector {
    ilb_policy policy;
    ilb__random random;
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 turn; /* of round_robin */
    ilb__pool pool;
} ilb__selector;

/* One pick at work. */
typedef struct ilb__run {
    ilb__selector *selector;
    ilb__judge *judge;
    ilb__draw draw;
    ilb__score_context context;
    bool panic;             /* too few are left */
    bool none;              /* none was seen that is not ejected */
    uint8_t held;           /* why the choice was held back: ilb_held */
    ilb_explanation *trace; /* NULL: nobody asks */
} ilb__run;

/* What a look at an endpoint found, if somebody asks. */
static inline void ilb__run_saw(const ilb__run *r, const ilb__candidate *c,
                                const ilb__score *score)
{
    if (ILB_UNLIKELY(r->trace != NULL))
        ilb__trace_look(r->trace, c, score, r->draw.exclusion, &r->context);
}

/* The choice, unless something happens to it. `score` NULL: none was worked
 * out. */
static inline void ilb__run_chose(const ilb__run *r, const ilb__candidate *c,
                                  const ilb__score *score, ilb_chosen_by by)
{
    if (ILB_LIKELY(r->trace == NULL))
        return;
    if (r->panic && by != ILB_CHOSEN_BY_PROBE && !ilb__candidate_eligible(c))
        by = ILB_CHOSEN_BY_FAIL_OPEN;
    ilb__trace_choose(r->trace, c, score, by, &r->context);
}

/* Seen and chosen at once. */
static inline void ilb__run_took(const ilb__run *r, const ilb__candidate *c,
                                 ilb_chosen_by by)
{
    if (ILB_LIKELY(r->trace == NULL))
        return;
    ilb__run_saw(r, c, NULL);
    ilb__run_chose(r, c, NULL, by);
}

/* False: there is none that may be chosen. */
ILB_INTERNAL bool ilb__policy_endpoint(ilb__run *r, ilb__candidate *c);

#endif
/* ==== back in libilb/select/policy.c */

/* Candidates of least_request; of peak_ewma, at least and at most. */
#define ILB__POLICY_CANDIDATES 2
#define ILB__POLICY_CANDIDATES_MAX 16
/* Draws to find them, when some are ejected, excluded or drawn already. */
#define ILB__POLICY_TRIES 64
/* From so many endpoints on a slot is likely not to be in the cache. */
#define ILB__POLICY_FAR 256
/* Where draws found none, so many eligible ones are compared: neighbours of
 * ejected ones would else get the traffic of those. */
#define ILB__POLICY_ANY 8
/* An ejected endpoint that may help out: it fails less than this share, and
 * not so many times in a row. */
#define ILB__POLICY_HELPS_SHARE 0.5f
#define ILB__POLICY_HELPS_ROW 3
/* Where so many of healthy endpoints' requests fail, that says nothing. */
#define ILB__POLICY_HELPS_P0 0.1f

/* Columns drawn so far. */
typedef struct ilb__policy_drawn {
    uint64_t low; /* those below 64, a bit each */
    uint32_t high[ILB__POLICY_TRIES];
    uint32_t n, n_high;
} ilb__policy_drawn;

/* False: it was drawn before. */
static bool ilb__policy_draws(ilb__policy_drawn *d, uint32_t column)
{
    if (column < 64) {
        if ((d->low >> column & 1) != 0)
            return false;
        d->low |= UINT64_C(1) << column;
    } else {
        for (uint32_t i = 0; i < d->n_high; i++)
            if (d->high[i] == column)
                return false;
        d->high[d->n_high++] = column;
    }
    d->n++;
    return true;
}

/* Is an ejected endpoint not much worse than those that are left? */
static bool ilb__policy_helps(const ilb__run *r, const ilb__slot *slot)
{
    float p0 = r->context.figures.p0;
    float share = ilb__failures_share(&slot->failures, r->context.now_ns);

    if (p0 >= ILB__POLICY_HELPS_P0)
        return share <= ILB__POLICY_HELPS_SHARE || share <= 2 * p0;
    return share <= ILB__POLICY_HELPS_SHARE &&
           ilb__failures_in_a_row(&slot->failures) < ILB__POLICY_HELPS_ROW;
}

/* Slow start: is this one of the draws that are passed over? */
static bool ilb__policy_ramping(ilb__run *r, ilb__candidate *c)
{
    float factor;

    if (ILB_LIKELY(r->context.slow_start_ns == 0))
        return false;
    factor =
        ilb__ramp_factor(c->slot, r->context.slow_start_ns, r->context.now_ns);
    c->ramping = factor < 1 && (float)ilb__draw_below(&r->draw, UINT32_MAX) >=
                                   factor * (float)UINT32_MAX;
    return c->ramping;
}

/* Why an ejected one may be compared: in a panic and, while the others are
 * overloaded, if it is not wholly bad; any while these have no room. Not if
 * that fails closed. */
static ilb_admitted ilb__policy_admits(const ilb__run *r, const ilb__slot *slot)
{
    if (r->judge->fail_closed)
        return ILB_ADMITTED_NOT;
    if (r->panic)
        return ILB_ADMITTED_PANIC;
    if (r->context.figures.room != 0)
        return ILB_ADMITTED_ROOM;
    return r->context.figures.overloaded && ilb__policy_helps(r, slot)
               ? ILB_ADMITTED_OVERLOAD
               : ILB_ADMITTED_NOT;
}

/* May it be compared? */
static bool ilb__policy_eligible(const ilb__run *r, ilb__candidate *c)
{
    if (ILB_LIKELY(ilb__candidate_eligible(c)))
        return true;
    c->admitted = (uint8_t)ilb__policy_admits(r, c->slot);
    return c->admitted != ILB_ADMITTED_NOT;
}

/* May it be taken where nothing is compared? Ejected ones in a panic only. */
static bool ilb__policy_takes(const ilb__run *r, ilb__candidate *c)
{
    if (ILB_LIKELY(ilb__candidate_eligible(c)))
        return true;
    if (!r->panic || r->judge->fail_closed)
        return false;
    c->admitted = ILB_ADMITTED_PANIC;
    return true;
}

/* Looks at a column. True: it takes part, and *score is what it costs. */
static inline bool ilb__policy_compares(ilb__run *r, uint32_t column,
                                   ilb__candidate *c, ilb__score *score)
{
    if (!ilb__draw_look(&r->draw, column, c) || !ilb__policy_eligible(r, c) ||
        ilb__policy_ramping(r, c)) {
        ilb__run_saw(r, c, NULL);
        return false;
    }
    *score = ilb__score_of(c->slot, c->load, c->health, &r->context);
    ilb__run_saw(r, c, score);
    return true;
}

/* The cheapest of two eligible draws or, while that is not cheap enough, of
 * more. */
static bool ilb__policy_cheapest(ilb__run *r, uint32_t most, ilb__candidate *best)
{
    ilb__policy_drawn drawn; /* eligible or not */
    uint32_t n = 0;
    ilb__score best_score = {0, ILB_HELD_NOT};
    bool by_weight = r->draw.view.weight_total != 0;

    drawn.low = 0;
    drawn.n = drawn.n_high = 0;
    if (most > r->draw.width)
        most = r->draw.width;
    for (int tries = 0;
         tries < ILB__POLICY_TRIES && n < most && drawn.n < r->draw.width; tries++) {
        uint32_t column = ilb__draw_column(&r->draw);
        ilb__candidate other, *c = n == 0 ? best : &other;
        ilb__score score;

        if (ILB_UNLIKELY(r->draw.width > ILB__POLICY_FAR))
            ilb__draw_fetch_next(&r->draw);
        if (!ilb__policy_draws(&drawn, column) ||
            !ilb__policy_compares(r, column, c, &score))
            continue;
        if (n == 0) {
            best_score = score;
        } else if (ilb__score_better(&score, &best_score)) {
            *best = other;
            best_score = score;
        }
        n++;
        if (by_weight && n == 1 &&
            ilb__score_fits(c->slot, c->load, &score, &r->context))
            break;
        if (n >= ILB__POLICY_CANDIDATES &&
            ilb__score_enough(&best_score, &r->context))
            break;
    }
    if (n == 0)
        return false;
    r->held = best_score.held;
    ilb__run_chose(r, best, &best_score, ILB_CHOSEN_BY_COST);
    return true;
}

/* The column whose turn it is. */
static uint32_t ilb__policy_turn(ilb__run *r)
{
    const ilb__view *v = &r->draw.view;
    uint64_t turn = ilb__add_relaxed(&r->selector->turn, 1);
    uint32_t column = (uint32_t)(turn % v->n);

    /* Each round takes every column once and, of each, its alias as often as
     * its threshold says: multiples of the golden ratio spread evenly. */
    return ilb__view_weighted(
        v, column,
        (uint32_t)((turn / v->n * ILB_GOLDEN + ilb__mix64(column)) >> 32));
}

/* One eligible endpoint after the other, or at random. */
static bool ilb__policy_single(ilb__run *r, bool in_turn, ilb__candidate *c)
{
    for (int tries = 0; tries < ILB__POLICY_TRIES; tries++) {
        uint32_t column = in_turn ? ilb__policy_turn(r) : ilb__draw_column(&r->draw);
        bool takes = ilb__draw_look(&r->draw, column, c) &&
                     ilb__policy_takes(r, c) && !ilb__policy_ramping(r, c);

        if (takes) {
            ilb__run_took(r, c,
                          in_turn ? ILB_CHOSEN_BY_TURN : ILB_CHOSEN_BY_CHANCE);
            return true;
        }
        ilb__run_saw(r, c, NULL);
    }
    return false;
}

static bool ilb__policy_by_policy(ilb__run *r, ilb__candidate *c)
{
    switch (r->selector->policy) {
    case ILB_POLICY_LEAST_REQUEST:
        return ilb__policy_cheapest(r, ILB__POLICY_CANDIDATES, c);
    case ILB_POLICY_ROUND_ROBIN:
        return ilb__policy_single(r, true, c);
    case ILB_POLICY_RANDOM:
        return ilb__policy_single(r, false, c);
    case ILB_POLICY_DEFAULT:
    case ILB_POLICY_PEAK_EWMA:
        break;
    }
    return ilb__policy_cheapest(r, ILB__POLICY_CANDIDATES_MAX, c);
}

/* ---- When draws are not enough ----------------------------------------- */

/* The cheapest of the first few eligible endpoints from a random one on;
 * without any, the cheapest of the others, unless that fails closed. */
static bool ilb__policy_any(ilb__run *r, ilb__candidate *best)
{
    uint32_t n = r->draw.view.n;
    uint32_t first = ilb__draw_below(&r->draw, n);
    uint32_t n_eligible = 0;
    ilb__score best_score = {0, ILB_HELD_NOT};
    bool found = false;

    for (uint32_t k = 0; k < n && n_eligible < ILB__POLICY_ANY; k++) {
        ilb__score score;
        ilb__candidate c;
        bool eligible, may;

        may = ilb__draw_look(&r->draw, (first + k) % n, &c);
        eligible = ilb__candidate_eligible(&c);
        r->none = r->none && !eligible;
        if (!may || (!eligible && (n_eligible > 0 || r->judge->fail_closed))) {
            ilb__run_saw(r, &c, NULL);
            continue;
        }
        if (!eligible)
            c.admitted = ILB_ADMITTED_LAST;
        score = ilb__score_of(c.slot, c.load, c.health, &r->context);
        ilb__run_saw(r, &c, &score);
        if (!found || (eligible && n_eligible == 0) ||
            ilb__score_better(&score, &best_score)) {
            *best = c;
            best_score = score;
            found = true;
        }
        n_eligible += eligible;
    }
    if (!found)
        return false;
    r->held = best_score.held;
    ilb__run_chose(r, best, &best_score,
                   n_eligible > 0 ? ILB_CHOSEN_BY_SEARCH
                                  : ILB_CHOSEN_BY_FAIL_OPEN);
    return true;
}

ILB_INTERNAL bool ilb__policy_endpoint(ilb__run *r, ilb__candidate *c)
{
    if (r->draw.view.n == 0 || (r->panic && r->judge->fail_closed))
        return false;
    return ilb__policy_by_policy(r, c) || ilb__policy_any(r, c);
}
/* ==== libilb/select/quick.c ============================================== */
/* See quick.h. */
/* ==== libilb/select/quick.h ============================================== */
/*
 * The ordinary pick, by peak_ewma: nobody is ejected, weights are equal,
 * nothing is excluded and nobody asks why. Then two draws are looked at, and
 * the cheaper one is taken if it is cheap enough: nearly all picks are this,
 * and the rest of what select.h does would only find out that there is nothing
 * to do. It is a third of the instructions.
 *
 * What it takes is what the whole would have taken, with the same random bits.
 * Wherever it is not sure it has done nothing, and the whole begins.
 */
#ifndef ILB_SELECT_QUICK_H
#define ILB_SELECT_QUICK_H

typedef struct ilb__quick {
    ilb__candidate best;
    uint32_t parity; /* for ilb__load_return */
    uint64_t random; /* what was drawn, for the whole; if `drew` */
    bool drew;
} ilb__quick;

/* True: one more is in flight to q->best, and it is no trial. */
ILB_INTERNAL bool ilb__quick_pick(ilb__selector *s, const ilb__judge *j,
                                  const ilb__table *table, ilb__slot *slots,
                                  uint64_t now_ns, ilb__quick *q);

#endif
/* ==== back in libilb/select/quick.c */

/* To find a second column that is not the first. */
#define ILB__QUICK_TRIES 8

/* Is this the ordinary case, as far as it concerns all endpoints? */
static bool ilb__quick_begin(ilb__selector *s, const ilb__judge *j,
                        const ilb__table *table, uint64_t now_ns, ilb__draw *d,
                        ilb__score_context *c)
{
    d->view = ilb__table_view(table);
    if (s->policy != ILB_POLICY_PEAK_EWMA || j->slow_start_ns != 0 ||
        ilb__load32_relaxed(&j->n_ejected) != 0 || d->view.weight_total != 0 ||
        ilb__pool_due(&s->pool, ILB_POOL_PERIOD_NS, now_ns))
        return false;
    ilb__pool_figures(&s->pool, &c->figures);
    d->width =
        d->view.n < c->figures.aperture ? d->view.n : c->figures.aperture;
    if (d->width < 2 || c->figures.room != 0)
        return false;
    c->now_ns = now_ns;
    c->weight_scale = 0;
    c->slow_start_ns = 0;
    c->latency = true;
    ilb__score_prepare(c);
    return true;
}

/* Two columns that differ. */
static bool ilb__quick_draw(ilb__draw *d, uint32_t *first, uint32_t *second)
{
    int tries = 0;

    *first = ilb__draw_below(d, d->width);
    do {
        *second = ilb__draw_below(d, d->width);
        if (ILB_LIKELY(*second != *first))
            return true;
    } while (++tries < ILB__QUICK_TRIES);
    return false;
}

/* Is it eligible and well, with nothing held against it? */
static inline bool ilb__quick_look(const ilb__draw *d, uint32_t column,
                              const ilb__score_context *x, ilb__candidate *c,
                              float *cost)
{
    ilb__score score;
    uint64_t latency;

    if (!ilb__draw_look(d, column, c))
        return false;
    latency = ilb__load_relaxed(&c->slot->latency.word);
    if (!ilb__score_is_plain(c->slot, c->health, latency))
        return false;
    score = ilb__score_of_plain(c->slot, c->load, latency, x);
    *cost = score.cost;
    return score.held == ILB_HELD_NOT;
}

ILB_INTERNAL bool ilb__quick_pick(ilb__selector *s, const ilb__judge *j,
                                  const ilb__table *table, ilb__slot *slots,
                                  uint64_t now_ns, ilb__quick *q)
{
    static const ilb__exclusion none = {{0}, 0};
    float cost, other_cost;
    ilb__score_context c;
    ilb__candidate other;
    uint32_t first, second;
    ilb__draw d;

    q->drew = false;
    if (ILB_UNLIKELY(!ilb__quick_begin(s, j, table, now_ns, &d, &c)))
        return false;
    d.slots = slots;
    d.exclusion = &none;
    d.random = q->random = ilb__random_next(&s->random, now_ns);
    q->drew = true;
    if (ILB_UNLIKELY(!ilb__quick_draw(&d, &first, &second)))
        return false;
    ilb__draw_fetch(&d, first);
    ilb__draw_fetch(&d, second);
    if (!ilb__quick_look(&d, first, &c, &q->best, &cost) ||
        !ilb__quick_look(&d, second, &c, &other, &other_cost))
        return false;
    if (other_cost < cost) {
        cost = other_cost;
        q->best = other;
    }
    if (cost > c.enough ||
        ilb__score_trial(q->best.slot, q->best.health, &c) != ILB_TRIAL_NOT)
        return false;
    q->drew = false;
    return ilb__table_holds(table, &d.view) &&
           ilb__load_take(&q->best.slot->load, q->best.load,
                          ilb__endpoint_id_generation(q->best.id), now_ns,
                          &q->parity);
}
/* ==== libilb/select/select.c ============================================= */
/* See select.h. */
/* ==== libilb/select/select.h ============================================= */
/*
 * One pick: what surrounds the policies.
 *
 *   1. A view of the table. If an ejected endpoint is due for its probe, the
 *      first request to come by takes it.
 *   2. The policy chooses among the eligible endpoints (policy.h).
 *   3. The ticket is taken by one fetch-add; if the endpoint has left in the
 *      meantime, the whole begins again.
 */
#ifndef ILB_SELECT_SELECT_H
#define ILB_SELECT_SELECT_H

typedef struct ilb__choice {
    ilb__endpoint_id id;
    uint32_t parity; /* for ilb__load_return */
    bool probe;
    ilb_trial trial;
    bool timed;      /* a trial that may wait in vain as well */
    uint32_t cost;   /* signal/cost.h; set by the caller */
    bool probe_lost; /* the probe before it has not come back */
} ilb__choice;

/* ILB_OK: one more is in flight to the chosen endpoint. ILB_EEMPTY,
 * ILB_ENOTREADY, ILB_EEXCLUDED, ILB_EBUSY. `trace`, if not NULL, receives the
 * reasons; it changes no choice. */
ILB_INTERNAL int ilb__select(ilb__selector *s, ilb__judge *j,
                             const ilb__table *table, ilb__slot *slots,
                             const ilb__exclusion *exclusion, uint64_t now_ns,
                             ilb__choice *choice, ilb_explanation *trace);

/* A probe for the caller to make himself. ILB_OK, or ILB_ENOTDUE. */
ILB_INTERNAL int ilb__select_due(ilb__selector *s, ilb__judge *j,
                                 const ilb__table *table, ilb__slot *slots,
                                 uint64_t now_ns, ilb__choice *choice);

#endif
/* ==== back in libilb/select/select.c */

/* For each endpoint that is looked at, the time until all may be once more: so
 * that looking takes a hundredth of it at most. */
#define ILB__SELECT_EARLY_LOOK_NS UINT64_C(10000)

/* The ejected endpoint whose probe this request will be. */
static bool ilb__select_probe(ilb__run *r, uint64_t due_by_ns, ilb__candidate *probe)
{
    bool claimed = false;

    if (!ilb__judge_begin_search(r->judge, due_by_ns, r->context.now_ns))
        return false;
    for (uint32_t i = 0; i < r->draw.view.n; i++) {
        ilb__candidate c;
        bool may = ilb__draw_look(&r->draw, i, &c) && !claimed;

        if (ilb__health_claim(r->judge, c.slot, may, due_by_ns,
                              r->context.now_ns)) {
            *probe = c;
            claimed = true;
            probe->admitted = ILB_ADMITTED_PROBE;
            ilb__run_chose(r, probe, NULL, ILB_CHOSEN_BY_PROBE);
        }
    }
    return claimed;
}

/* How often endpoints may be asked before their time. */
static uint64_t ilb__select_early_ns(const ilb__run *r)
{
    uint64_t hang_ns = (uint64_t)r->context.hang_ns;
    uint64_t look_ns = r->draw.view.n * ILB__SELECT_EARLY_LOOK_NS;

    return hang_ns > look_ns ? hang_ns : look_ns;
}

/* What the policy has chosen hangs, and nothing that it looked at is better: an
 * ejected endpoint that this request may ask as well. */
static bool ilb__select_early(ilb__run *r, ilb__candidate *probe)
{
    uint32_t n = r->draw.view.n, first;

    if (ILB_LIKELY(r->held != ILB_HELD_HANGING) ||
        !ilb__judge_begin_early(r->judge, ilb__select_early_ns(r),
                                r->context.now_ns))
        return false;
    first = ilb__draw_below(&r->draw, n);
    for (uint32_t i = 0; i < n; i++) {
        ilb__candidate c;

        if (ilb__draw_look(&r->draw, (first + i) % n, &c) &&
            ilb__health_claim_early(r->judge, c.slot, r->context.now_ns)) {
            *probe = c;
            probe->admitted = ILB_ADMITTED_EARLY;
            ilb__run_chose(r, probe, NULL, ILB_CHOSEN_BY_PROBE);
            return true;
        }
    }
    return false;
}

/* Silent so long that somebody has to ask: this request does, for a while. */
static bool ilb__select_asks_again(const ilb__run *r, const ilb__candidate *c)
{
    const ilb__score_context *x = &r->context;
    uint64_t age_ns =
        ilb__score_age_ns(c->slot, c->load, &x->figures, x->now_ns);

    if (ILB_LIKELY(!ilb__score_asks_again(c->slot, c->load, (float)age_ns, x)))
        return false;
    ilb__store_relaxed(&c->slot->asked_ns, x->now_ns);
    return true;
}

/* Where nobody has answered yet, all are the same risk. */
static ilb_trial ilb__select_trial(const ilb__run *r, const ilb__candidate *c,
                              bool probe)
{
    ilb_trial trial = ilb__score_trial(c->slot, c->health, &r->context);

    if (probe)
        trial = ILB_TRIAL_PROBE;
    else if (ilb__select_asks_again(r, c))
        trial = ILB_TRIAL_AGAIN;
    if (ILB_LIKELY(trial == ILB_TRIAL_NOT) || r->context.figures.p99_ns == 0 ||
        r->context.figures.room != 0 ||
        !ilb__trials_ok(&r->selector->pool.trials))
        return ILB_TRIAL_NOT;
    return trial;
}

static bool ilb__select_take(const ilb__run *r, const ilb__candidate *c, bool probe,
                        ilb__choice *choice)
{
    choice->id = c->id;
    choice->probe = probe;
    choice->trial = ilb__select_trial(r, c, probe);
    choice->timed =
        ILB_UNLIKELY(choice->trial != ILB_TRIAL_NOT) &&
        ilb__score_trial_is_timed(choice->trial, &r->context.figures);
    choice->probe_lost =
        probe && ilb__health_state_of(c->health) == ILB__PROBING;
    if (ilb__load_take(&c->slot->load, c->load,
                       ilb__endpoint_id_generation(c->id), r->context.now_ns,
                       &choice->parity)) {
        ilb__cost_take(&c->slot->extra_cost, choice->cost);
        return true;
    }
    if (probe)
        ilb__health_inconclusive(r->judge, c->slot, r->context.now_ns);
    return false;
}

static int ilb__select_none(const ilb__run *r)
{
    if (r->draw.view.n > 0 && r->judge->fail_closed && (r->panic || r->none))
        return ILB_EEJECTED;
    if (r->draw.view.n > 0)
        return r->draw.exclusion->n > 0 ? ILB_EEXCLUDED : ILB_EBUSY;
    return ilb__load_relaxed(&r->draw.view.buffer->n_listed) > 0 ? ILB_ENOTREADY
                                                                 : ILB_EEMPTY;
}

/* What only matters where weights differ. */
static void ilb__select_weigh(ilb__score_context *c, const ilb__view *v)
{
    const ilb__figures *f = &c->figures;

    c->weight_scale = (float)v->n / (float)v->weight_total;
    c->in_flight =
        v->n == 0 ? 0 : f->rate_per_s * f->median_ns / 1e9f / (float)v->n;
}

/* `drawn`: random bits for it, if there are some. */
static void ilb__select_begin(ilb__run *r, const ilb__table *table, uint64_t now_ns,
                         const uint64_t *drawn)
{
    ilb__draw *d = &r->draw;
    uint32_t n_ejected;

    d->view = ilb__table_view(table);
    d->random =
        drawn != NULL ? *drawn : ilb__random_next(&r->selector->random, now_ns);
    if (ilb__pool_due(&r->selector->pool, ILB_POOL_PERIOD_NS, now_ns))
        ilb__pool_refresh(&r->selector->pool, r->judge, d->slots, &d->view,
                          false, now_ns);
    ilb__pool_figures(&r->selector->pool, &r->context.figures);
    r->context.now_ns = now_ns;
    r->context.slow_start_ns = r->judge->slow_start_ns;
    r->context.latency = r->selector->policy == ILB_POLICY_PEAK_EWMA;
    r->context.weight_scale = 0;
    if (ILB_UNLIKELY(d->view.weight_total != 0))
        ilb__select_weigh(&r->context, &d->view);
    ilb__score_prepare(&r->context);
    n_ejected = ilb__load32_relaxed(&r->judge->n_ejected);
    r->panic = ILB_UNLIKELY(n_ejected != 0) &&
               ilb__cap_panics(r->judge, n_ejected, d->view.n);
    r->none = true;
    r->held = ILB_HELD_NOT;
    d->width = d->view.n;
    if (r->context.latency && d->view.weight_total == 0 &&
        r->context.figures.aperture < d->width)
        d->width = r->context.figures.aperture;
    if (ILB_UNLIKELY(r->trace != NULL)) {
        ilb__trace_begin(r->trace, r->selector->policy, d, &r->context);
        r->trace->n_ejected = n_ejected;
        r->trace->panic = r->panic;
    }
}

/* The whole; `drawn` are random bits to begin with, or NULL. */
static int ilb__select_in_full(ilb__selector *s, ilb__judge *j,
                          const ilb__table *table, ilb__slot *slots,
                          const ilb__exclusion *exclusion, uint64_t now_ns,
                          const uint64_t *drawn, ilb__choice *choice,
                          ilb_explanation *trace)
{
    ilb__run r;
    ilb__candidate c;

    r.selector = s;
    r.judge = j;
    r.trace = trace;
    r.draw.slots = slots;
    r.draw.exclusion = exclusion;
    for (;;) {
        bool found, probe = false;
        int none;

        ilb__select_begin(&r, table, now_ns, drawn);
        drawn = NULL;
        if (r.draw.view.n > 0 && ilb__judge_due(j, now_ns)) {
            probe = ilb__select_probe(&r, ilb__judge_due_by_ns(j, now_ns), &c);
            if (!ilb__table_holds(table, &r.draw.view))
                ilb__judge_search_again(j, now_ns);
        }
        found = probe || ilb__policy_endpoint(&r, &c);
        if (found && !probe)
            probe = ilb__select_early(&r, &c);
        none = found ? ILB_OK : ilb__select_none(&r);
        /* What was read through a view that did not hold may be nonsense; a
         * probe is claimed all the same, and its slot proves itself. It needs
         * the fence in ilb__table_holds no less: whoever has read an id of a
         * later table sees from there on what that id's slot was given. */
        if (!ilb__table_holds(table, &r.draw.view) && !probe)
            continue;
        if (!found)
            return none;
        if (ilb__select_take(&r, &c, probe, choice))
            return ILB_OK;
    }
}

ILB_INTERNAL int ilb__select(ilb__selector *s, ilb__judge *j,
                             const ilb__table *table, ilb__slot *slots,
                             const ilb__exclusion *exclusion, uint64_t now_ns,
                             ilb__choice *choice, ilb_explanation *trace)
{
    const uint64_t *drawn = NULL;
    ilb__quick q;

    if (ILB_LIKELY(exclusion->n == 0 && trace == NULL)) {
        if (ILB_LIKELY(ilb__quick_pick(s, j, table, slots, now_ns, &q))) {
            choice->id = q.best.id;
            choice->parity = q.parity;
            choice->probe = choice->probe_lost = choice->timed = false;
            choice->trial = ILB_TRIAL_NOT;
            ilb__cost_take(&q.best.slot->extra_cost, choice->cost);
            return ILB_OK;
        }
        if (q.drew)
            drawn = &q.random;
    }
    return ilb__select_in_full(s, j, table, slots, exclusion, now_ns, drawn, choice,
                          trace);
}

ILB_INTERNAL int ilb__select_due(ilb__selector *s, ilb__judge *j,
                                 const ilb__table *table, ilb__slot *slots,
                                 uint64_t now_ns, ilb__choice *choice)
{
    const ilb__exclusion none = {{0}, 0};
    ilb__candidate c;
    ilb__run r;

    r.selector = s;
    r.judge = j;
    r.trace = NULL;
    r.draw.slots = slots;
    r.draw.exclusion = &none;
    ilb__store_relaxed(&j->host_ns, now_ns);
    do {
        bool found;

        ilb__select_begin(&r, table, now_ns, NULL);
        found = ilb__judge_due(j, now_ns) && ilb__select_probe(&r, now_ns, &c);
        if (!ilb__table_holds(table, &r.draw.view))
            ilb__judge_search_again(j, now_ns);
        if (!found)
            return ILB_ENOTDUE;
    } while (!ilb__select_take(&r, &c, true, choice));
    return ILB_OK;
}
/* ==== libilb/observe/stats.c ============================================= */
/* See stats.h. */
/* ==== libilb/observe/stats.h ============================================= */
/* One endpoint, as the public snapshot shows it. */
#ifndef ILB_OBSERVE_STATS_H
#define ILB_OBSERVE_STATS_H

/* The state of an endpoint that is listed or not, of this readiness and with
 * this word of health. */
ILB_INTERNAL ilb_state ilb__stats_state(bool listed, uint8_t readiness,
                                        uint64_t health);

/* Under the balancer's mutex, which keeps the slot's address as it is. */
ILB_INTERNAL void ilb__stats_of(const ilb__slot *slot, const ilb__figures *f,
                                uint64_t now_ns, ilb_endpoint_stats *out);

#endif
/* ==== back in libilb/observe/stats.c */

#include <string.h>

ILB_INTERNAL ilb_state ilb__stats_state(bool listed, uint8_t readiness,
                                        uint64_t health)
{
    if (!listed)
        return ILB_STATE_DRAINING;
    if (readiness != ILB_READY)
        return readiness == ILB_DRAINING ? ILB_STATE_DRAINING
                                         : ILB_STATE_NOT_READY;
    return ilb__health_public_state(health);
}

/* A float near 2^64 may not fit. */
static uint64_t ilb__stats_ns(float ns)
{
    return ns < 18446744073709551616.0f ? (uint64_t)ns : UINT64_MAX;
}

ILB_INTERNAL void ilb__stats_of(const ilb__slot *slot, const ilb__figures *f,
                                uint64_t now_ns, ilb_endpoint_stats *out)
{
    uint64_t load = ilb__load_relaxed(&slot->load.word);
    uint64_t health = ilb__load_relaxed(&slot->health);

    memset(out, 0, sizeof *out);
    memcpy(out->address, slot->address, sizeof out->address);
    out->weight = ilb__load32_relaxed(&slot->weight);
    out->state = ilb__stats_state(slot->listed, slot->readiness, health);
    out->in_flight = ilb__load_in_flight(load);
    out->latency_ns = ilb__stats_ns(ilb__score_latency_ns(slot, load, f, now_ns));
    out->oldest_ns = ilb__score_age_ns(slot, load, f, now_ns);
    if (out->state == ILB_STATE_EJECTED || out->state == ILB_STATE_PROBING) {
        out->ejected_until_ns = ilb__health_until_ns(health);
        out->ejected_by = ilb__health_by(health);
    }
    out->failures_in_a_row = ilb__failures_in_a_row(&slot->failures);
    out->failure_ppm =
        (uint32_t)(ilb__failures_share(&slot->failures, now_ns) * 1e6f);
    out->ejections = ilb__load_relaxed(&slot->ejections);
    out->leaked = ilb__load_relaxed(&slot->leaked);
    for (int i = 0; i < ILB_OUTCOME_COUNT; i++)
        out->done[i] = ilb__load_relaxed(&slot->done[i]);
    for (int i = 0; i < ILB_DETECTOR_COUNT; i++) {
        out->detected[i] = ilb__load32_relaxed(&slot->detected[i]);
        out->enforced[i] = ilb__load32_relaxed(&slot->enforced[i]);
    }
    /* Pairs with the release in set_enter: what it points to is there. */
    out->user = ilb__load_pointer_acquire(&slot->user);
}
/* ==== libilb/observe/events.c ============================================ */
/* See events.h. */
/* ==== libilb/observe/events.h ============================================ */
/*
 * The event ring: what happened to the endpoints, and telling it.
 *
 * Any number of threads write, each the event that it made; any number read;
 * nobody waits for anybody. An event takes the next number n and with it the
 * entry n mod capacity, whose stamp says what is in it:
 *
 *     2 n      event n, whole
 *     2 n + 1  event n is being written; from bit 48 on by whom: the index of
 *              the process + 1, where several share the balancer
 *
 * A writer claims the entry by one CAS from an even, older stamp. If another
 * one is still at work there, a whole ring late, the writer gives its event up
 * and notes the number as lost; so one that dies in the middle costs its entry
 * and holds up nobody. A reader copies the entry between two looks at the
 * stamp: equal and 2 n means that it has event n. (The sequence lock of
 * set/table.h, one for each entry.)
 *
 * Readers stop at an event that is still being written, so that they never
 * skip it: it is whole a moment later, or a ring later lost.
 *
 * Telling. Whoever has written an event, or comes by later, asks for it to be
 * told: one step on `asked`, which counts the asks and says who tells. Who
 * finds 0 there tells, until no more have asked: one CAS back to 0, which fails
 * while others have. All others, and the callback itself, have asked and go on.
 * So there is one teller at a time, and no event that was written before an ask
 * is left behind:
 *   - writing, then the ask (release), then the teller's CAS, which sees it
 *     (acquire), then another look at the ring;
 *   - `n_through` counts writers that are through, `n_seen` as many as somebody
 *     has asked for since: equal means that there is nothing to ask for, which
 *     is all that ilb_done looks at.
 *
 * A process that is killed here (ilb__events_bury):
 *   - while it tells: it is no longer who tells, and somebody else goes on
 *     after the event that it told last, or was telling;
 *   - while it writes: its event is lost, its entry free again;
 *   - between its number and its entry: readers would wait for that event for a
 *     whole ring. What is unfinished a second after a process has ended is
 *     given up (ilb__events_give_up_before). If its writer was only slow, the
 *     event is lost.
 */
#ifndef ILB_OBSERVE_EVENTS_H
#define ILB_OBSERVE_EVENTS_H

#define ILB_EVENT_WORDS (sizeof(ilb_event) / sizeof(ilb__a64))

typedef struct ilb__events_entry {
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 stamp;
    ilb__a64 lost; /* the highest number that was given up here */
    ilb__a64 words[ILB_EVENT_WORDS];
} ilb__events_entry;

typedef struct ilb__events {
    ilb__events_entry *entries;
    uint64_t capacity; /* 0: no events */
    ilb_event_callback on_event;
    void *user;
    const ilb__time *time;
    const ilb__processes *processes; /* NULL: the balancer is private */
    /* The writer's, under the balancer's mutex: of the update at work. */
    uint32_t n_changes;
    uint32_t more_entered, more_left, more_readiness;

    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 n_numbered;
    ilb__a64 n_through;
    ilb__a64 n_seen;
    ilb__a64 asked; /* bits 0..31 asks, 32..63 the teller's stamp */
    uint64_t told;  /* the teller's: the last number told, or lost */
} ilb__events;

/* Takes the entries from the arena. */
ILB_INTERNAL void ilb__events_init(ilb__events *e, ilb__arena *a,
                                   uint32_t capacity);

/* Writes an event; its size and number are set here, and its time if that is
 * 0. Times in it are outside. */
ILB_INTERNAL void ilb__events_write(ilb__events *e, ilb_event *event);

/* The watcher of ilb__judge: `user` is an ilb__events. */
ILB_INTERNAL void ilb__events_transition(const ilb__slot *slot,
                                         const ilb__transition *t, void *user);

/* Around an update, under the balancer's mutex: a list that changes many
 * endpoints gives an event each to the first, and one for the others. */
ILB_INTERNAL void ilb__events_begin_update(ilb__events *e);
ILB_INTERNAL void ilb__events_change(ilb__events *e, const ilb__slot *slot,
                                     bool was_listed, uint8_t was_readiness);
ILB_INTERNAL void ilb__events_end_update(ilb__events *e);

/* Copies the events after a number, at most `max`; returns how many. */
ILB_INTERNAL size_t ilb__events_read(const ilb__events *e, uint64_t after,
                                     ilb_event *out, size_t max);

/* Tells what there is to tell, unless somebody else is at it. Under no lock. */
ILB_INTERNAL void ilb__events_tell(ilb__events *e);

/* The process of this stamp has ended: nothing waits for it any more. */
ILB_INTERNAL void ilb__events_bury(ilb__events *e, uint32_t stamp);

/* Up to this number, what is not whole will not be. */
ILB_INTERNAL void ilb__events_give_up_before(ilb__events *e, uint64_t last);

/* Is there anything to ask for? */
static inline bool ilb__events_pending(const ilb__events *e)
{
    return ILB_UNLIKELY(e->on_event != NULL &&
                        ilb__load_relaxed(&e->n_through) !=
                            ilb__load_relaxed(&e->n_seen));
}

#endif
/* ==== back in libilb/observe/events.c */

#include <string.h>

/* An update may fill one part in so many of the ring with events of its own. */
#define ILB__EVENTS_UPDATE_PART 4
#define ILB__EVENTS_WRITER_SHIFT 48
#define ILB__EVENTS_NUMBER_MASK ((UINT64_C(1) << ILB__EVENTS_WRITER_SHIFT) - 1)
#define ILB__EVENTS_ASKS UINT64_C(0xffffffff)

_Static_assert(sizeof(ilb_event) % sizeof(ilb__a64) == 0,
               "an event is whole words");

typedef enum ilb__events_found {
    EVENTS_WHOLE,
    EVENTS_LOST,
    EVENTS_UNFINISHED
} ilb__events_found;

ILB_INTERNAL void ilb__events_init(ilb__events *e, ilb__arena *a,
                                   uint32_t capacity)
{
    e->capacity = capacity;
    e->entries = ilb__arena_take(a, capacity, sizeof *e->entries);
}

/* ---- Writing ----------------------------------------------------------- */

static ilb__events_entry *ilb__events_place(const ilb__events *e, uint64_t number)
{
    return &e->entries[number % e->capacity];
}

/* This process; 0: the balancer is private. */
static uint32_t ilb__events_stamp(const ilb__events *e)
{
    return ILB_LIKELY(e->processes == NULL) ? 0
                                            : ilb__process_here(e->processes);
}

/* Who writes, in an odd stamp; 0: the balancer is private. */
static uint64_t ilb__events_writer(uint32_t stamp)
{
    return stamp == 0 ? 0
                      : (uint64_t)(ilb__process_index(stamp) + 1)
                            << ILB__EVENTS_WRITER_SHIFT;
}

/* False: somebody is at work in it, or has put in a newer one. */
static bool ilb__events_claim(const ilb__events *e, ilb__events_entry *entry,
                         uint64_t number)
{
    uint64_t stamp = ilb__load_relaxed(&entry->stamp);

    while (stamp % 2 == 0 && stamp < 2 * number)
        /* Acquire: pairs with the release in ilb__events_write of the event
         * before, whose words ours replace. Release: nothing depends on it,
         * the fence before our words is what orders. */
        if (ilb__cas_acq_rel(&entry->stamp, &stamp,
                             ilb__events_writer(ilb__events_stamp(e)) | (2 * number + 1)))
            return true;
    return false;
}

static void ilb__events_give_up(ilb__events_entry *entry, uint64_t number)
{
    uint64_t lost = ilb__load_relaxed(&entry->lost);

    while (lost < number && !ilb__cas_relaxed(&entry->lost, &lost, number))
        continue;
}

ILB_INTERNAL void ilb__events_write(ilb__events *e, ilb_event *event)
{
    uint64_t words[ILB_EVENT_WORDS];
    ilb__events_entry *entry;

    if (e->capacity == 0)
        return;
    if (event->time_ns == 0)
        event->time_ns = e->time->clock_ns(e->time->user);
    event->size = sizeof *event;
    event->number = ilb__add_relaxed(&e->n_numbered, 1) + 1;
    entry = ilb__events_place(e, event->number);
    if (ilb__events_claim(e, entry, event->number)) {
        memcpy(words, event, sizeof words);
        /* Pairs with the fence in ilb__events_look: who reads one of these words
         * sees that the entry has been claimed. */
        ilb__fence_release();
        for (size_t i = 0; i < ILB_EVENT_WORDS; i++)
            ilb__store_relaxed(&entry->words[i], words[i]);
        /* Pairs with the acquire in ilb__events_look: the words are there. And with
         * the acquire in ilb__events_claim: the next event's come after them. */
        ilb__store_release(&entry->stamp, 2 * event->number);
    } else {
        ilb__events_give_up(entry, event->number);
    }
    /* Pairs with the acquire in ilb__events_tell: who has counted us asks for
     * what we have written to be told. */
    ilb__add_release(&e->n_through, 1);
}

/* ---- What happened ----------------------------------------------------- */

/* Whoever makes an event has a ticket or the mutex, so that the slot is still
 * that endpoint's; but the sweep (health/sweep.h) has neither. If it is stopped
 * after it has ejected, until the slot has been given to another endpoint, its
 * event tells of that one. */
static void ilb__events_of_slot(ilb_event *event, const ilb__slot *slot)
{
    uint32_t generation =
        ilb__load_generation(ilb__load_relaxed(&slot->load.word));

    memset(event, 0, sizeof *event);
    (void)ilb__slot_address(slot, generation, event->address);
    event->enforced = 1;
    event->ejections = ilb__load_relaxed(&slot->ejections);
}

ILB_INTERNAL void ilb__events_transition(const ilb__slot *slot,
                                         const ilb__transition *t, void *user)
{
    ilb__events *e = user;
    ilb_event event;

    ilb__events_of_slot(&event, slot);
    event.time_ns = ilb__time_outside(e->time, t->now_ns, t->now_ns);
    event.type = t->type;
    event.from = t->from;
    event.to = t->to;
    event.detector = t->verdict.detector;
    event.reason = t->reason;
    event.enforced = t->type != ILB_EVENT_EJECT_REFUSED;
    event.statistic = t->verdict.statistic;
    event.threshold = t->verdict.threshold;
    event.requests = t->evidence.requests;
    event.failures = t->evidence.failures;
    event.until_ns = ilb__time_outside(e->time, t->until_ns, t->now_ns);
    ilb__events_write(e, &event);
}

ILB_INTERNAL void ilb__events_begin_update(ilb__events *e)
{
    e->n_changes = e->more_entered = e->more_left = e->more_readiness = 0;
}

ILB_INTERNAL void ilb__events_change(ilb__events *e, const ilb__slot *slot,
                                     bool was_listed, uint8_t was_readiness)
{
    uint64_t health = ilb__load_relaxed(&slot->health);
    ilb_event event;

    if (e->n_changes > e->capacity / ILB__EVENTS_UPDATE_PART) {
        e->more_readiness += slot->listed == was_listed;
        e->more_entered += slot->listed && !was_listed;
        e->more_left += !slot->listed;
        return;
    }
    e->n_changes++;
    ilb__events_of_slot(&event, slot);
    event.type = slot->listed == was_listed ? ILB_EVENT_READINESS
                 : slot->listed             ? ILB_EVENT_ENTERED
                                            : ILB_EVENT_LEFT;
    event.to = ilb__stats_state(slot->listed, slot->readiness, health);
    event.from =
        was_listed ? ilb__stats_state(true, was_readiness, health) : event.to;
    ilb__events_write(e, &event);
}

ILB_INTERNAL void ilb__events_end_update(ilb__events *e)
{
    ilb_event event;

    if (e->more_entered + e->more_left + e->more_readiness == 0)
        return;
    memset(&event, 0, sizeof event);
    event.type = ILB_EVENT_UPDATED;
    event.enforced = 1;
    event.entered = e->more_entered;
    event.left = e->more_left;
    event.readiness = e->more_readiness;
    ilb__events_write(e, &event);
}

/* ---- Reading ----------------------------------------------------------- */

static ilb__events_found ilb__events_look(const ilb__events *e, uint64_t number,
                                ilb_event *out)
{
    const ilb__events_entry *entry = ilb__events_place(e, number);
    /* Pairs with the release in ilb__events_write: the words are there. And
     * with the release in ilb__events_bury: it is lost. */
    uint64_t stamp = ilb__load_acquire(&entry->stamp);
    uint64_t words[ILB_EVENT_WORDS];

    /* Before it is looked at: what was buried looks whole. */
    if (ilb__load_relaxed(&entry->lost) >= number)
        return EVENTS_LOST;
    if (stamp == 2 * number) {
        for (size_t i = 0; i < ILB_EVENT_WORDS; i++)
            words[i] = ilb__load_relaxed(&entry->words[i]);
        /* Pairs with the fence in ilb__events_write: if one of these words was
         * of a later event, so is the stamp. */
        ilb__fence_acquire();
        if (ilb__load_relaxed(&entry->stamp) != stamp)
            return EVENTS_LOST;
        memcpy(out, words, sizeof words);
        return EVENTS_WHOLE;
    }
    return (stamp & ILB__EVENTS_NUMBER_MASK) > 2 * number + 1 ? EVENTS_LOST
                                                         : EVENTS_UNFINISHED;
}

/* The first number after `after` that may still be there. */
static uint64_t ilb__events_next(const ilb__events *e, uint64_t after, uint64_t last)
{
    return last > e->capacity && after < last - e->capacity
               ? last - e->capacity + 1
               : after + 1;
}

ILB_INTERNAL size_t ilb__events_read(const ilb__events *e, uint64_t after,
                                     ilb_event *out, size_t max)
{
    uint64_t last = ilb__load_relaxed(&e->n_numbered);
    size_t n = 0;

    if (after >= last)
        return 0;
    for (uint64_t k = ilb__events_next(e, after, last); k <= last && n < max; k++) {
        ilb__events_found found = ilb__events_look(e, k, &out[n]);

        if (found == EVENTS_UNFINISHED)
            break;
        n += found == EVENTS_WHOLE;
    }
    return n;
}

/* ---- Telling ----------------------------------------------------------- */

static void ilb__events_tell_all(ilb__events *e)
{
    ilb_event event;

    for (;;) {
        uint64_t last = ilb__load_relaxed(&e->n_numbered);
        ilb__events_found found;
        uint64_t number;

        if (e->told >= last)
            return;
        number = ilb__events_next(e, e->told, last);
        found = ilb__events_look(e, number, &event);
        if (found == EVENTS_UNFINISHED)
            return;
        e->told = number;
        if (found == EVENTS_WHOLE)
            e->on_event(&event, e->user);
    }
}

/* One more has asked. The word; `before` is what it was. */
static uint64_t ilb__events_ask(ilb__events *e, uint64_t *before)
{
    uint64_t mine = (uint64_t)ilb__events_stamp(e) << 32 | 1;
    uint64_t asked = ilb__load_relaxed(&e->asked), next;

    do
        next = asked == 0 ? mine : asked + 1;
    /* Release: pairs with the acquire in ilb__events_tell by which the teller
     * fails to end: he sees what we ask for. Acquire: pairs with the release in
     * ilb__events_tell and ilb__events_bury by which the last teller has ended,
     * or was ended: `told` is ours. */
    while (!ilb__cas_acq_rel(&e->asked, &asked, next));
    *before = asked;
    return next;
}

ILB_INTERNAL void ilb__events_tell(ilb__events *e)
{
    uint64_t asked, before;

    /* Pairs with the release in ilb__events_write: what was through is whole
     * to us, and by the ask to the teller. */
    ilb__store_relaxed(&e->n_seen, ilb__load_acquire(&e->n_through));
    asked = ilb__events_ask(e, &before);
    if (before != 0)
        return;
    do
        ilb__events_tell_all(e);
    /* Pairs with the two in ilb__events_ask: release of `told`, acquire
     * of what was asked for. (Of a CAS that succeeds nobody needs the acquire:
     * it is the last that a teller does.) */
    while (!ilb__cas_acq_rel(&e->asked, &asked, 0));
}

/* ---- When a process has ended ------------------------------------------ */

/* Whoever comes by next asks. */
static void ilb__events_ask_again(ilb__events *e)
{
    ilb__store_relaxed(&e->n_seen, ilb__load_relaxed(&e->n_through) - 1);
}

ILB_INTERNAL void ilb__events_bury(ilb__events *e, uint32_t stamp)
{
    uint64_t asked = ilb__load_relaxed(&e->asked);
    uint64_t writer = ilb__events_writer(stamp);

    /* Pairs with the two in ilb__events_ask: release of the `told` of who has died,
     * acquire of what was asked of him. */
    while (asked >> 32 == stamp && (asked & ILB__EVENTS_ASKS) != 0 &&
           !ilb__cas_acq_rel(&e->asked, &asked, 0))
        continue;
    for (uint64_t i = 0; i < e->capacity; i++) {
        ilb__events_entry *entry = &e->entries[i];
        uint64_t word = ilb__load_relaxed(&entry->stamp);
        uint64_t number = (word & ILB__EVENTS_NUMBER_MASK) / 2;

        if (word % 2 == 0 || (word & ~ILB__EVENTS_NUMBER_MASK) != writer)
            continue;
        ilb__events_give_up(entry, number);
        /* Pairs with the acquire in ilb__events_look: who sees it even sees that it
         * is lost. */
        ilb__store_release(&entry->stamp, 2 * number);
    }
    ilb__events_ask_again(e);
}

ILB_INTERNAL void ilb__events_give_up_before(ilb__events *e, uint64_t last)
{
    uint64_t first = last > e->capacity ? last - e->capacity + 1 : 1;

    for (uint64_t k = first; e->capacity > 0 && k <= last; k++) {
        ilb__events_entry *entry = ilb__events_place(e, k);

        if ((ilb__load_relaxed(&entry->stamp) & ILB__EVENTS_NUMBER_MASK) < 2 * k)
            ilb__events_give_up(entry, k);
    }
    ilb__events_ask_again(e);
}
/* ==== libilb/observe/event_text.c ======================================== */
/* An event as a line of text. */

static void ilb__event_text_named(ilb__line *l, const char *before, const char *name,
                             const char *after)
{
    ilb__line_put(l, before);
    ilb__line_put(l, name == NULL ? "?" : name);
    ilb__line_put(l, after);
}

/* ": statistic 18.3 >= 18.0 after 41 requests, 7 failed" */
static void ilb__event_text_evidence(ilb__line *l, const ilb_event *e)
{
    bool tenths = e->detector != ILB_DETECTOR_CONSECUTIVE_FAILURES &&
                  e->detector != ILB_DETECTOR_PROBE;

    if (e->detector == ILB_DETECTOR_RETRY_AFTER) {
        ilb__line_put(l, ": it asked for ");
        ilb__line_decimal(l, e->statistic, tenths);
        ilb__line_put(l, " s");
        return;
    }
    if (e->detector == ILB_DETECTOR_HANG) {
        ilb__line_put(l, ": requests have waited in vain for ");
        ilb__line_decimal(l, e->statistic, tenths);
        ilb__line_put(l, " s >= ");
        ilb__line_decimal(l, e->threshold, tenths);
        ilb__line_put(l, " s");
        return;
    }
    ilb__line_put(l, ": statistic ");
    ilb__line_decimal(l, e->statistic, tenths);
    ilb__line_put(l, " >= ");
    ilb__line_decimal(l, e->threshold, tenths);
    if (e->requests == 0)
        return;
    ilb__line_put(l, " after ");
    ilb__line_number(l, e->requests);
    ilb__line_put(l, e->requests == 1 ? " request, " : " requests, ");
    ilb__line_number(l, e->failures);
    ilb__line_put(l, " failed");
}

/* "; next probe in 12.1 s" */
static void ilb__event_text_until(ilb__line *l, const char *what, const ilb_event *e)
{
    uint64_t left_ns = ilb__elapsed_ns(e->time_ns, e->until_ns);

    ilb__line_put(l, what);
    if (left_ns == 0) {
        ilb__line_put(l, "now");
        return;
    }
    ilb__line_put(l, "in ");
    ilb__line_time(l, (double)left_ns);
}

static void ilb__event_text_reason(ilb__line *l, const ilb_event *e)
{
    if (e->reason != ILB_REASON_NONE)
        ilb__event_text_named(l, " (", ilb_reason_name(e->reason), ")");
}

static void ilb__event_text_what(ilb__line *l, const ilb_event *e)
{
    switch (e->type) {
    case ILB_EVENT_EJECT:
        ilb__event_text_named(l, " ejected by ", ilb_detector_name(e->detector), "");
        ilb__event_text_evidence(l, e);
        ilb__event_text_until(l, "; next probe ", e);
        break;
    case ILB_EVENT_EJECT_REFUSED:
        ilb__event_text_named(l, " not ejected (", ilb_reason_name(e->reason), "");
        ilb__event_text_named(l, ") by ", ilb_detector_name(e->detector), "");
        ilb__event_text_evidence(l, e);
        break;
    case ILB_EVENT_UNEJECT:
        ilb__line_put(l, e->reason != ILB_REASON_NONE
                             ? " returned before its time"
                         : e->detector == ILB_DETECTOR_PROBE
                             ? " returned by checks that passed"
                             : " returned by a good probe");
        ilb__event_text_reason(l, e);
        break;
    case ILB_EVENT_PROBE_STARTED:
        ilb__line_put(l, e->from == ILB_STATE_PROBING
                             ? " is tried again, the last probe was lost"
                             : " is tried by one request");
        ilb__event_text_until(l, "; counts as lost ", e);
        break;
    case ILB_EVENT_PROBE_FAILED:
        ilb__line_put(l, " failed its probe");
        ilb__event_text_until(l, "; next probe ", e);
        break;
    case ILB_EVENT_PROBE_CANCELLED:
        ilb__line_put(l, " was probed without result");
        ilb__event_text_until(l, "; next probe ", e);
        break;
    case ILB_EVENT_HEALTHY:
        ilb__line_put(l, " has warmed up: healthy");
        break;
    case ILB_EVENT_ENTERED:
        ilb__event_text_named(l, " entered: ", ilb_state_name(e->to), "");
        break;
    case ILB_EVENT_LEFT:
        ilb__event_text_named(l, " left, was ", ilb_state_name(e->from), "");
        break;
    case ILB_EVENT_READINESS:
        ilb__event_text_named(l, " readiness: ", ilb_state_name(e->from), " -> ");
        ilb__event_text_named(l, "", ilb_state_name(e->to), "");
        break;
    case ILB_EVENT_UPDATED:
        ilb__line_number(l, e->entered);
        ilb__line_put(l, " more entered, ");
        ilb__line_number(l, e->left);
        ilb__line_put(l, " left, ");
        ilb__line_number(l, e->readiness);
        ilb__line_put(l, " changed readiness");
        break;
    case ILB_EVENT_NONE:
    case ILB_EVENT_TYPE_COUNT:
        break;
    }
}

ILB_API int ilb_event_text(const ilb_event *event, char *buf, size_t bytes)
{
    ilb__line l;

    if (event == NULL || (buf == NULL && bytes > 0))
        return ILB_EINVAL;
    if (event->size < sizeof *event)
        return ILB_EABI;
    if (event->type <= ILB_EVENT_NONE || event->type >= ILB_EVENT_TYPE_COUNT ||
        event->address[ILB_ADDRESS_MAX] != '\0')
        return ILB_EINVAL;
    ilb__line_begin(&l, buf, bytes);
    ilb__line_put(&l, event->address);
    ilb__event_text_what(&l, event);
    return (int)l.n;
}
/* ==== libilb/observe/explain.c =========================================== */
/* An explanation (select/trace.h) as a line of text. */

static void ilb__explain_named(ilb__line *l, const char *name)
{
    ilb__line_put(l, name == NULL ? "?" : name);
}

/* Not drawn, but found among all. */
static bool ilb__explain_searched(const ilb_explanation *x)
{
    return x->chosen_by == ILB_CHOSEN_BY_SEARCH ||
           x->chosen_by == ILB_CHOSEN_BY_PROBE ||
           x->candidates[x->chosen].admitted == ILB_ADMITTED_LAST;
}

/* "2 of 3"; "... of 12 of 200" with an aperture; "... in 5 looks" where some
 * were looked at again, or there is no room to tell of more. */
static void ilb__explain_looks(ilb__line *l, const ilb_explanation *x)
{
    ilb__line_number(l, x->n_candidates);
    if (x->n_candidates == ILB_CANDIDATES_MAX && x->looks > x->n_candidates)
        ilb__line_put(l, " or more");
    if (x->width < x->n_endpoints && !ilb__explain_searched(x)) {
        ilb__line_put(l, " of ");
        ilb__line_number(l, x->width);
    }
    ilb__line_put(l, " of ");
    ilb__line_number(l, x->n_endpoints);
    if (x->looks > x->n_candidates) {
        ilb__line_put(l, " in ");
        ilb__line_number(l, x->looks);
        ilb__line_put(l, " looks");
    }
}

/* "by cost, looked at 2 of 3, 1 ejected, a panic" */
static void ilb__explain_how(ilb__line *l, const ilb_explanation *x)
{
    ilb__line_put(l, " by ");
    ilb__explain_named(l, ilb_chosen_by_name(x->chosen_by));
    ilb__line_put(l, ", looked at ");
    ilb__explain_looks(l, x);
    if (x->n_ejected > 0) {
        ilb__line_put(l, ", ");
        ilb__line_number(l, x->n_ejected);
        ilb__line_put(l, " ejected");
    }
    if (x->panic)
        ilb__line_put(l, ", a panic");
    if (x->room > 0) {
        ilb__line_put(l, ", the others have room for ");
        ilb__line_decimal(l, x->room, true);
        ilb__line_put(l, " in flight each");
    } else if (x->overloaded)
        ilb__line_put(l, ", the others are overloaded");
    if (x->trial != ILB_TRIAL_NOT) {
        ilb__line_put(l, ", a trial: ");
        ilb__explain_named(l, ilb_trial_name(x->trial));
    }
}

static void ilb__explain_cost(ilb__line *l, const ilb_explanation *x,
                         const ilb_candidate *c)
{
    ilb__line_put(l, ", cost ");
    if (x->policy == ILB_POLICY_PEAK_EWMA)
        ilb__line_time(l, c->cost);
    else
        ilb__line_decimal(l, c->cost, true);
}

static void ilb__explain_candidate(ilb__line *l, const ilb_explanation *x,
                              const ilb_candidate *c)
{
    ilb__line_put(l, c->address);
    ilb__line_put(l, " ");
    ilb__explain_named(l, ilb_state_name(c->state));
    if (c->cost > 0)
        ilb__explain_cost(l, x, c);
    if (c->latency_ns > 0) {
        ilb__line_put(l, ", latency ");
        ilb__line_time(l, (double)c->latency_ns);
    }
    ilb__line_put(l, ", ");
    ilb__line_number(l, c->in_flight);
    ilb__line_put(l, " in flight");
    if (c->load < c->in_flight || c->load > c->in_flight) {
        ilb__line_put(l, " of load ");
        ilb__line_decimal(l, c->load, true);
    }
    if (c->again)
        ilb__line_put(l, ", to be asked again");
    if (c->failure_ppm > 0) {
        ilb__line_put(l, ", ");
        ilb__line_decimal(l, c->failure_ppm / 1e4, true);
        ilb__line_put(l, " % failed");
    }
    if (c->held != ILB_HELD_NOT) {
        ilb__line_put(l, ", held back: ");
        ilb__explain_named(l, ilb_held_name(c->held));
    }
    if (c->admitted != ILB_ADMITTED_NOT) {
        ilb__line_put(l, ", may be taken: ");
        ilb__explain_named(l, ilb_admitted_name(c->admitted));
    }
    if (c->fate != ILB_FATE_COMPARED) {
        ilb__line_put(l, ", passed over: ");
        ilb__explain_named(l, ilb_fate_name(c->fate));
    }
}

static bool ilb__explain_ok(const ilb_explanation *x)
{
    if (x->n_candidates > ILB_CANDIDATES_MAX || x->chosen >= x->n_candidates)
        return false;
    for (uint32_t i = 0; i < x->n_candidates; i++)
        if (x->candidates[i].address[ILB_ADDRESS_MAX] != '\0')
            return false;
    return true;
}

ILB_API int ilb_explanation_text(const ilb_explanation *explanation, char *buf,
                                 size_t bytes)
{
    const ilb_explanation *x = explanation;
    const char *before = ": ";
    ilb__line l;

    if (x == NULL || (buf == NULL && bytes > 0))
        return ILB_EINVAL;
    if (x->size < sizeof *x)
        return ILB_EABI;
    if (!ilb__explain_ok(x))
        return ILB_EINVAL;
    ilb__line_begin(&l, buf, bytes);
    ilb__line_put(&l, x->candidates[x->chosen].address);
    ilb__explain_how(&l, x);
    for (uint32_t i = 0; i < x->n_candidates; i++) {
        ilb__line_put(&l, before);
        ilb__explain_candidate(&l, x, &x->candidates[i]);
        before = "; ";
    }
    return (int)l.n;
}
/* ==== libilb/api/names.c ================================================= */
/* Names of the public enums' values, for logs, JSON and bindings. */
#include <string.h>

static const char *const ilb__names_policy[] = {NULL, "peak_ewma", "least_request",
                                           "round_robin", "random"};
static const char *const ilb__names_outcome[ILB_OUTCOME_COUNT] = {
    "success", "failure", "timeout", "connect_error", "overload", "cancelled"};
static const char *const ilb__names_state[] = {"warming", "healthy",   "ejected",
                                          "probing", "not_ready", "draining"};
static const char *const ilb__names_detector[ILB_DETECTOR_COUNT] = {
    "none",
    "consecutive_failures",
    "failure_percentage",
    "success_rate",
    "latency",
    "hang",
    "retry_after",
    "probe"};
static const char *const ilb__names_reason[ILB_REASON_COUNT] = {
    "none", "shadow", "cap", "floor", "capacity"};
static const char *const ilb__names_event_type[ILB_EVENT_TYPE_COUNT] = {
    "none",          "eject",        "eject_refused",   "uneject",
    "probe_started", "probe_failed", "probe_cancelled", "healthy",
    "entered",       "left",         "readiness",       "updated"};
static const char *const ilb__names_chosen_by[ILB_CHOSEN_BY_COUNT] = {
    "cost", "turn", "chance", "probe", "search", "fail_open"};
static const char *const ilb__names_fate[ILB_FATE_COUNT] = {
    "compared", "ejected", "excluded", "full", "ramping"};
static const char *const ilb__names_held[ILB_HELD_COUNT] = {
    "not", "hanging", "cap", "slow", "failed", "suspect", "refused", "full"};
static const char *const ilb__names_admitted[ILB_ADMITTED_COUNT] = {
    "not", "probe", "panic", "room", "overload", "last", "early"};
static const char *const ilb__names_trial[ILB_TRIAL_COUNT] = {
    "not",     "probe",   "again",    "untried", "slow",
    "suspect", "failing", "returned", "refused"};

#define ILB__NAMES_N(table) (sizeof(table) / sizeof(table)[0])

ILB_API int ilb_policy_from_name(const char *name)
{
    if (name == NULL)
        return ILB_EINVAL;
    for (size_t i = 1; i < ILB__NAMES_N(ilb__names_policy); i++)
        if (strcmp(name, ilb__names_policy[i]) == 0)
            return (int)i;
    return ILB_EINVAL;
}

ILB_API const char *ilb_policy_name(ilb_policy policy)
{
    if (policy == ILB_POLICY_DEFAULT)
        policy = ILB_POLICY_PEAK_EWMA;
    return (size_t)policy < ILB__NAMES_N(ilb__names_policy) ? ilb__names_policy[policy] : NULL;
}

ILB_API const char *ilb_outcome_name(ilb_outcome outcome)
{
    return (size_t)outcome < ILB__NAMES_N(ilb__names_outcome) ? ilb__names_outcome[outcome]
                                                    : NULL;
}

ILB_API const char *ilb_state_name(ilb_state state)
{
    return (size_t)state < ILB__NAMES_N(ilb__names_state) ? ilb__names_state[state] : NULL;
}

ILB_API const char *ilb_detector_name(ilb_detector detector)
{
    return (size_t)detector < ILB_DETECTOR_COUNT ? ilb__names_detector[detector]
                                                 : NULL;
}

ILB_API const char *ilb_reason_name(ilb_reason reason)
{
    return (size_t)reason < ILB_REASON_COUNT ? ilb__names_reason[reason] : NULL;
}

ILB_API const char *ilb_event_type_name(ilb_event_type type)
{
    return (size_t)type < ILB_EVENT_TYPE_COUNT ? ilb__names_event_type[type] : NULL;
}

ILB_API const char *ilb_chosen_by_name(ilb_chosen_by by)
{
    return (size_t)by < ILB_CHOSEN_BY_COUNT ? ilb__names_chosen_by[by] : NULL;
}

ILB_API const char *ilb_fate_name(ilb_fate fate)
{
    return (size_t)fate < ILB_FATE_COUNT ? ilb__names_fate[fate] : NULL;
}

ILB_API const char *ilb_held_name(ilb_held held)
{
    return (size_t)held < ILB_HELD_COUNT ? ilb__names_held[held] : NULL;
}

ILB_API const char *ilb_admitted_name(ilb_admitted admitted)
{
    return (size_t)admitted < ILB_ADMITTED_COUNT ? ilb__names_admitted[admitted]
                                                 : NULL;
}

ILB_API const char *ilb_trial_name(ilb_trial trial)
{
    return (size_t)trial < ILB_TRIAL_COUNT ? ilb__names_trial[trial] : NULL;
}

#undef ILB__NAMES_N
/* ==== libilb/api/balancer.c ============================================== */
/* Making and releasing a balancer, and looking inside. */
/* ==== libilb/api/balancer.h ============================================== */
/* The public object, and what its functions share. */
#ifndef ILB_API_BALANCER_H
#define ILB_API_BALANCER_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>

/* ==== libilb/api/upkeep.h ================================================ */
/*
 * What a balancer needs that several processes share, or whose requests have a
 * lease, besides what all have: who the processes are and what each holds, and
 * what has to be looked at from time to time. It rides on picks and ilb_tick:
 *
 *     every 100 ms  256 slots for leases that are over (health/lease.h), by
 *                   whoever comes first; without a lock
 *     every second  which processes have ended: what they held is reclaimed
 *                   (health/reclaim.h), under the writer's mutex if that is
 *                   free, else at the next time
 *     after that    every 100 ms up to 256 slots for the audit
 *                   (health/audit.h), and after a second the events that were
 *                   left half written
 */
#ifndef ILB_API_UPKEEP_H
#define ILB_API_UPKEEP_H

#define ILB_UPKEEP_PERIOD_NS (100 * ILB_MS_NS)
#define ILB_UPKEEP_REAP_NS ILB_SECOND_NS
#define ILB_UPKEEP_SLOTS 256
/* What processes hold, in an audit: with more than 16 of them fewer slots. */
#define ILB_UPKEEP_HELD 4096

typedef struct ilb__upkeep {
    ilb__processes processes;
    ilb__holdings holdings;
    uint64_t lease_ns;  /* 0: none */
    ilb__a64 walked_ns; /* leases were looked at last */
    ilb__a32 at;        /* the next slot to look at */
    ilb__a32 busy;      /* a process has ended of late */
    ilb__a64 looked_ns; /* all else was */

    /* Under the writer's mutex. */
    ilb__audit audit;
    uint64_t reaped_ns;  /* ended processes were looked for */
    uint64_t ended_ns;   /* one was found */
    uint64_t last_event; /* the number of the last one then; 0: seen to */
} ilb__upkeep;

#endif
/* ==== back in libilb/api/balancer.h */
/* ==== libilb/select/ticket.h ============================================= */
/*
 * What an ilb_ticket holds. It lives in the caller's memory, so nothing in it
 * is trusted before its check has been seen to fit: another balancer's ticket,
 * or whatever lay on the stack, is refused.
 *
 *   internal[0]  bits 0..31 slot, 32..54 generation, 55 parity, 56 probe,
 *                57..58 stage: 1 in flight, 2 done, 59 trial, 60 timed
 *   internal[1]  when it was picked, ns
 *   internal[2]  bits 0..43 time to the first byte, ns, + 1; 0: not told;
 *                44..63 cost (signal/cost.h)
 *   internal[3]  check: of internal[0] but for the stage, internal[1], the cost
 *                and the balancer's secret
 */
#ifndef ILB_SELECT_TICKET_H
#define ILB_SELECT_TICKET_H

#define ILB_TICKET_ID_MASK ((UINT64_C(1) << 55) - 1)
#define ILB_TICKET_PARITY (UINT64_C(1) << 55)
#define ILB_TICKET_PROBE (UINT64_C(1) << 56)
#define ILB_TICKET_IN_FLIGHT (UINT64_C(1) << 57)
#define ILB_TICKET_DONE (UINT64_C(1) << 58)
#define ILB_TICKET_TRIAL (UINT64_C(1) << 59)
#define ILB_TICKET_TIMED (UINT64_C(1) << 60)
#define ILB_TICKET_COST_SHIFT 44
#define ILB_TICKET_BYTE_MASK ((UINT64_C(1) << ILB_TICKET_COST_SHIFT) - 1)
#define ILB_TICKET_STAGE (ILB_TICKET_IN_FLIGHT | ILB_TICKET_DONE)

static inline uint64_t ilb__ticket_check(uint64_t secret, const ilb_ticket *t)
{
    return ilb__mix64((t->internal[1] ^ secret) * ILB_GOLDEN ^
                      (t->internal[2] & ~ILB_TICKET_BYTE_MASK) ^
                      (t->internal[0] & ~ILB_TICKET_STAGE));
}

/* In flight or done, of the balancer with this secret? */
static inline bool ilb__ticket_is_ours(uint64_t secret, const ilb_ticket *t)
{
    return t->internal[3] == ilb__ticket_check(secret, t);
}

static inline bool ilb__ticket_in_flight(uint64_t secret, const ilb_ticket *t)
{
    return (t->internal[0] & ILB_TICKET_STAGE) == ILB_TICKET_IN_FLIGHT &&
           ilb__ticket_is_ours(secret, t);
}

static inline ilb__endpoint_id ilb__ticket_id(const ilb_ticket *t)
{
    return t->internal[0] & ILB_TICKET_ID_MASK;
}

static inline bool ilb__ticket_is_answered(const ilb_ticket *t)
{
    return (t->internal[2] & ILB_TICKET_BYTE_MASK) != 0;
}

/* Where signal/load.h counts it. */
static inline uint32_t ilb__ticket_where(const ilb_ticket *t)
{
    if (ilb__ticket_is_answered(t))
        return ILB_LOAD_IS_ANSWERED;
    return (t->internal[0] & ILB_TICKET_PARITY) != 0;
}

static inline bool ilb__ticket_is_probe(const ilb_ticket *t)
{
    return (t->internal[0] & ILB_TICKET_PROBE) != 0;
}

static inline bool ilb__ticket_is_trial(const ilb_ticket *t)
{
    return (t->internal[0] & ILB_TICKET_TRIAL) != 0;
}

static inline bool ilb__ticket_is_timed(const ilb_ticket *t)
{
    return (t->internal[0] & ILB_TICKET_TIMED) != 0;
}

static inline void ilb__ticket_write(uint64_t secret, ilb_ticket *t,
                                     const ilb__choice *choice, uint64_t now_ns)
{
    t->internal[0] = choice->id | (choice->parity ? ILB_TICKET_PARITY : 0) |
                     (choice->probe ? ILB_TICKET_PROBE : 0) |
                     ILB_TICKET_IN_FLIGHT;
    if (ILB_UNLIKELY(choice->trial != ILB_TRIAL_NOT))
        t->internal[0] |=
            ILB_TICKET_TRIAL | (choice->timed ? ILB_TICKET_TIMED : 0);
    t->internal[1] = now_ns;
    t->internal[2] = (uint64_t)choice->cost << ILB_TICKET_COST_SHIFT;
    t->internal[3] = ilb__ticket_check(secret, t);
}

static inline void ilb__ticket_first_byte(ilb_ticket *t, uint64_t now_ns)
{
    uint64_t ns = ilb__elapsed_ns(t->internal[1], now_ns);

    if (ns >= ILB_TICKET_BYTE_MASK) /* after five hours */
        ns = ILB_TICKET_BYTE_MASK - 1;
    t->internal[2] |= ns + 1;
}

/* Time to the first byte, if it was told, else to now. */
static inline uint64_t ilb__ticket_latency_ns(const ilb_ticket *t,
                                              uint64_t now_ns)
{
    return ilb__ticket_is_answered(t)
               ? (t->internal[2] & ILB_TICKET_BYTE_MASK) - 1
               : ilb__elapsed_ns(t->internal[1], now_ns);
}

static inline uint32_t ilb__ticket_cost(const ilb_ticket *t)
{
    return (uint32_t)(t->internal[2] >> ILB_TICKET_COST_SHIFT);
}

/* In flight -> done. */
static inline void ilb__ticket_finish(ilb_ticket *t)
{
    t->internal[0] ^= ILB_TICKET_STAGE;
}

#endif
/* ==== back in libilb/api/balancer.h */

struct ilb_balancer {
    ilb__selector selector;
    ilb__judge judge;
    ilb__set set;
    ilb__events events;
    ilb__time time;
    uint64_t secret;    /* of this balancer's tickets */
    bool shared;        /* between processes */
    bool upkept;        /* shared, or requests have a lease */
    uint64_t update_ns; /* when the update that goes on began */
    pthread_mutex_t writer;
    ilb_allocator allocator;
    void *memory;
    size_t memory_bytes; /* if it is shared */
    ilb__upkeep upkeep;
    char name[ILB_NAME_MAX + 1];
};

/* The time inside; `now_ns` is the caller's, 0: the clock's. */
static inline uint64_t ilb__balancer_now(ilb_balancer *b, uint64_t now_ns)
{
    return ilb__time_inside(&b->time, now_ns);
}

/* The slot of a ticket that is in flight: its endpoint's. */
static inline ilb__slot *ilb__balancer_slot(const ilb_balancer *b,
                                            const ilb_ticket *t)
{
    return &b->set.slots[ilb__endpoint_id_index(ilb__ticket_id(t))];
}

/* ---- Processes and leases (processes.c) -------------------------------- */

/* As ilb_balancer_new, on another system. */
ILB_INTERNAL int ilb__balancer_new_on(ilb_balancer **out, const char *name,
                                      const ilb_options *options,
                                      const ilb__system *system);

/* The mutex's owner has died: what he left half done. */
ILB_INTERNAL void ilb__balancer_repair(ilb_balancer *b);

/* The writer's mutex; if its last owner died with it, the set is repaired. */
ILB_INTERNAL void ilb__balancer_lock(ilb_balancer *b);
ILB_INTERNAL bool ilb__balancer_try_lock(ilb_balancer *b);
static inline void ilb__balancer_unlock(ilb_balancer *b)
{
    (void)pthread_mutex_unlock(&b->writer);
}

/* Gives this process its place, if it has none. */
ILB_COLD ILB_INTERNAL int ilb__balancer_enter_anew(ilb_balancer *b);

/* Before anything that a process may leave half done when it is killed. ILB_OK
 * or ILB_EPROCESSES. */
static inline int ilb__balancer_enter(ilb_balancer *b)
{
    if (ILB_LIKELY(!b->shared) ||
        ILB_LIKELY(ilb__process_here(&b->upkeep.processes) != 0))
        return ILB_OK;
    return ilb__balancer_enter_anew(b);
}

/* Of this process's tickets. */
static inline uint64_t ilb__balancer_secret(const ilb_balancer *b)
{
    if (ILB_LIKELY(!b->shared))
        return b->secret;
    return b->secret ^
           ilb__mix64(ilb__load_relaxed(&b->upkeep.processes.self->stamp));
}

/* Does the ticket, which is this process's, still count? */
ILB_INTERNAL bool ilb__balancer_counts(const ilb_balancer *b,
                                       const ilb_ticket *t);

/* In flight, and has not been given back. */
static inline bool ilb__balancer_in_flight(const ilb_balancer *b,
                                           const ilb_ticket *t)
{
    if (ILB_LIKELY(!b->upkept))
        return ilb__ticket_in_flight(b->secret, t);
    return ilb__ticket_in_flight(ilb__balancer_secret(b), t) &&
           ilb__balancer_counts(b, t);
}

/* What this process holds of the ticket's endpoint. */
static inline ilb__held *ilb__balancer_held(const ilb_balancer *b,
                                            const ilb_ticket *t)
{
    const ilb__upkeep *u = &b->upkeep;
    uint32_t stamp = (uint32_t)ilb__load_relaxed(&u->processes.self->stamp);

    return ilb__holdings_of(&u->holdings, ilb__process_index(stamp),
                            ilb__endpoint_id_index(ilb__ticket_id(t)));
}

/* It is taken, after all have counted it; it ends, before. */
ILB_INTERNAL void ilb__balancer_takes(const ilb_balancer *b,
                                      const ilb_ticket *t);
ILB_INTERNAL bool ilb__balancer_drops(const ilb_balancer *b,
                                      const ilb_ticket *t);

/* What is to be done from time to time. */
ILB_INTERNAL void ilb__balancer_keep_up(ilb_balancer *b, uint64_t now_ns);

/* As ilb__balancer_enter, and that. */
static inline int ilb__balancer_begin(ilb_balancer *b, uint64_t now_ns)
{
    int rc;

    if (ILB_LIKELY(!b->upkept))
        return ILB_OK;
    rc = ilb__balancer_enter(b);
    if (rc == ILB_OK)
        ilb__balancer_keep_up(b, now_ns);
    return rc;
}

/* This process goes: what it holds is given back. */
ILB_INTERNAL void ilb__balancer_leave(ilb_balancer *b);

/* The caller is about to return, with no lock. */
static inline void ilb__balancer_tell(ilb_balancer *b)
{
    if (ilb__events_pending(&b->events))
        ilb__events_tell(&b->events);
}

/* A probe that begins or ends without a result. */
ILB_INTERNAL void ilb__balancer_notes_probe(ilb_balancer *b,
                                            const ilb_ticket *t,
                                            ilb_event_type type, ilb_state from,
                                            uint64_t now_ns);

#endif
/* ==== back in libilb/api/balancer.c */

#include <string.h>

/* ---- Making and releasing ---------------------------------------------- */

/* Where a balancer lives. */
typedef struct ilb__balancer_memory {
    void *memory;
    size_t bytes;
    ilb_allocator allocator;
    void *self; /* the process's own page; NULL: the balancer is private */
} ilb__balancer_memory;

static void ilb__balancer_lay_out_shared(ilb__upkeep *u, ilb__arena *a,
                                    const ilb_options *o, uint32_t n_slots)
{
    ilb__processes_init(&u->processes, a, o->shared_processes);
    ilb__holdings_init(&u->holdings, a, u->processes.n_entries, n_slots);
    ilb__audit_init(&u->audit, a, n_slots);
}

/* Walks over all parts: counts, or hands them out. */
static ilb_balancer *ilb__balancer_lay_out(ilb__arena *a, const ilb_options *o,
                                      uint64_t salt)
{
    ilb_balancer *b = ilb__arena_take(a, 1, sizeof *b);
    ilb__events counted_events;
    ilb__upkeep counted_upkeep;
    ilb__set counted;

    memset(&counted, 0, sizeof counted);
    memset(&counted_events, 0, sizeof counted_events);
    memset(&counted_upkeep, 0, sizeof counted_upkeep);
    ilb__set_init(b == NULL ? &counted : &b->set, a, o->capacity, salt);
    ilb__events_init(b == NULL ? &counted_events : &b->events, a,
                     o->event_capacity);
    if (o->shared_processes > 0)
        ilb__balancer_lay_out_shared(b == NULL ? &counted_upkeep : &b->upkeep, a, o,
                                b == NULL ? counted.n_slots : b->set.n_slots);
    return b;
}

/* Where it lives, all zero. The processes' one is whole pages. */
static int ilb__balancer_allocate(const ilb_options *o, const ilb__system *system,
                             size_t bytes, ilb__balancer_memory *m)
{
    const size_t line = ILB_CACHELINE_BYTES;
    int rc;

    if (bytes > SIZE_MAX - line)
        return ILB_ENOMEM;
    m->bytes = bytes + line;
    m->self = NULL;
    if (o->shared_processes == 0) {
        m->allocator = ilb__allocator_or_default(o->allocator);
        m->memory = m->allocator.allocate(m->bytes, m->allocator.user);
        return m->memory == NULL ? ILB_ENOMEM : ILB_OK;
    }
    rc = system->share(&m->memory, m->bytes, system->user);
    if (rc != ILB_OK)
        return rc;
    rc = system->keep(&m->self, sizeof(ilb__self), system->user);
    if (rc != ILB_OK)
        system->release(m->memory, m->bytes, system->user);
    return rc;
}

static void ilb__balancer_release(const ilb__balancer_memory *m,
                             const ilb__system *system)
{
    if (m->self == NULL) {
        m->allocator.release(m->memory, m->allocator.user);
        return;
    }
    system->release(m->self, sizeof(ilb__self), system->user);
    system->release(m->memory, m->bytes, system->user);
}

static int ilb__balancer_init_mutex(ilb_balancer *b, const ilb__system *system)
{
    if (b->shared)
        return system->mutex(&b->writer, system->user);
    return pthread_mutex_init(&b->writer, NULL) == 0 ? ILB_OK : ILB_ENOMEM;
}

/* Who shares it, and for how long requests are waited for. */
static void ilb__balancer_share(ilb_balancer *b, const ilb_options *o,
                           const ilb__system *system, void *self)
{
    ilb__upkeep *u = &b->upkeep;

    b->shared = o->shared_processes > 0;
    b->upkept = b->shared || o->lease_ns > 0;
    u->lease_ns = o->lease_ns;
    u->processes.system = system;
    if (!b->shared)
        return;
    u->processes.self = self;
    b->events.processes = &u->processes;
    b->selector.random.who = &u->processes.self->stamp;
}

/* Where what happens is noted. */
static void ilb__balancer_watch_events(ilb_balancer *b, const ilb_options *o)
{
    b->events.on_event = o->on_event;
    b->events.user = o->event_user;
    b->events.time = &b->time;
    if (b->events.capacity == 0)
        return;
    b->judge.tell = ilb__events_transition;
    b->judge.tell_user = &b->events;
}

ILB_INTERNAL int ilb__balancer_new_on(ilb_balancer **out, const char *name,
                                      const ilb_options *options,
                                      const ilb__system *system)
{
    const size_t line = ILB_CACHELINE_BYTES;
    ilb__arena arena = {NULL, 0};
    ilb__balancer_memory m;
    ilb_options o;
    ilb_balancer *b;
    uint64_t seed;
    int rc;

    if (out == NULL || !ilb__text_ok(name, ILB_NAME_MAX))
        return ILB_EINVAL;
    rc = ilb__options_read(&o, options);
    if (rc != ILB_OK)
        return rc;
    (void)ilb__balancer_lay_out(&arena, &o, 0);
    rc = ilb__balancer_allocate(&o, system, arena.used_bytes, &m);
    if (rc != ILB_OK)
        return rc;
    arena.base =
        (unsigned char *)m.memory + (line - (uintptr_t)m.memory % line);
    arena.used_bytes = 0;
    seed = o.seed != 0 ? o.seed
                       : ilb__mix64((uintptr_t)m.memory) ^
                             ilb__mix64(ilb__clock_monotonic_ns(NULL));
    b = ilb__balancer_lay_out(&arena, &o, ilb__mix64(seed));
    ilb__balancer_share(b, &o, system, m.self);
    rc = ilb__balancer_init_mutex(b, system);
    if (rc != ILB_OK) {
        ilb__balancer_release(&m, system);
        return rc;
    }
    b->memory = m.memory;
    b->memory_bytes = m.bytes;
    b->allocator = m.allocator;
    b->time.clock_ns =
        o.clock_ns == NULL ? ilb__clock_monotonic_ns : o.clock_ns;
    b->time.user = o.clock_user;
    b->secret = ilb__mix64(seed ^ (uintptr_t)m.memory);
    b->selector.policy = o.policy;
    ilb__random_init(&b->selector.random, seed);
    ilb__judge_init(&b->judge, &o);
    ilb__balancer_watch_events(b, &o);
    ilb__pool_init(&b->selector.pool);
    memcpy(b->name, name, strlen(name));
    *out = b;
    return ILB_OK;
}

ILB_API int ilb_balancer_new(ilb_balancer **out, const char *name,
                             const ilb_options *options)
{
    return ilb__balancer_new_on(out, name, options, ilb__system_real());
}

ILB_API void ilb_balancer_free(ilb_balancer *b)
{
    ilb__balancer_memory m;

    if (b == NULL)
        return;
    m.memory = b->memory;
    m.bytes = b->memory_bytes;
    m.allocator = b->allocator;
    m.self = b->upkeep.processes.self;
    /* Others may use the mutex that they share. */
    if (b->shared)
        ilb__balancer_leave(b);
    else
        pthread_mutex_destroy(&b->writer);
    ilb__balancer_release(&m, b->upkeep.processes.system);
}

ILB_API const char *ilb_balancer_name(const ilb_balancer *b)
{
    return b == NULL ? NULL : b->name;
}

/* ---- Looking inside ---------------------------------------------------- */

ILB_API int ilb_balancer_snapshot(ilb_balancer *b, ilb_endpoint_stats *out,
                                  size_t max, size_t stats_size, size_t *n)
{
    uint64_t now_ns;
    ilb__figures f;
    ilb__set *s;

    if (b == NULL || n == NULL || (out == NULL && max > 0))
        return ILB_EINVAL;
    if (stats_size != sizeof *out)
        return ILB_EABI;
    s = &b->set;
    ilb__balancer_lock(b);
    ilb__set_reclaim(s);
    now_ns = ilb__balancer_now(b, 0);
    ilb__pool_figures(&b->selector.pool, &f);
    *n = (size_t)s->n_listed + s->n_draining;
    for (size_t i = 0; i < *n && i < max; i++) {
        uint32_t k =
            i < s->n_listed ? s->listed[i] : s->draining[i - s->n_listed];

        ilb__stats_of(&s->slots[k], &f, now_ns, &out[i]);
        out[i].ejected_until_ns =
            ilb__time_outside(&b->time, out[i].ejected_until_ns, now_ns);
    }
    ilb__balancer_unlock(b);
    return ILB_OK;
}

ILB_API int ilb_balancer_events(const ilb_balancer *b, uint64_t after,
                                ilb_event *out, size_t max, size_t event_size,
                                size_t *n)
{
    if (b == NULL || n == NULL || (out == NULL && max > 0))
        return ILB_EINVAL;
    if (event_size != sizeof *out)
        return ILB_EABI;
    *n = ilb__events_read(&b->events, after, out, max);
    return ILB_OK;
}

ILB_API int ilb_tick(ilb_balancer *b, uint64_t now_ns)
{
    ilb__view view;
    int rc;

    if (b == NULL)
        return ILB_EINVAL;
    now_ns = ilb__balancer_now(b, now_ns);
    rc = ilb__balancer_begin(b, now_ns);
    if (rc != ILB_OK)
        return rc;
    view = ilb__table_view(&b->set.table);
    ilb__pool_refresh(&b->selector.pool, &b->judge, b->set.slots, &view, false,
                      now_ns);
    ilb__balancer_tell(b);
    return ILB_OK;
}
/* ==== libilb/api/processes.c ============================================= */
/* A balancer that several processes share, and requests that have a lease. */

#define ILB__PROCESSES_TRIES 10000

/* ---- The writer's mutex ------------------------------------------------ */

static void ilb__processes_settle(ilb__slot *slot, bool drawn, void *user)
{
    ilb_balancer *b = user;
    bool out =
        ilb__health_state_of(ilb__load_relaxed(&slot->health)) == ILB__OUT;

    if (drawn && out)
        ilb__health_enter(&b->judge, slot, ilb__table_view(&b->set.table).n,
                          ilb__load_relaxed(&b->time.last_ns));
    else if (!drawn && !out)
        ilb__health_leave(&b->judge, slot);
}

ILB_INTERNAL void ilb__balancer_repair(ilb_balancer *b)
{
    ilb__set_repair(&b->set, ilb__processes_settle, b);
}

static bool ilb__processes_locked(ilb_balancer *b, int lock_result)
{
    if (ILB_LIKELY(lock_result == 0))
        return true;
    if (!ilb__system_owner_died(lock_result))
        return false;
    ilb__balancer_repair(b);
    ilb__system_consistent(&b->writer);
    return true;
}

ILB_INTERNAL void ilb__balancer_lock(ilb_balancer *b)
{
    (void)ilb__processes_locked(b, pthread_mutex_lock(&b->writer));
}

ILB_INTERNAL bool ilb__balancer_try_lock(ilb_balancer *b)
{
    return ilb__processes_locked(b, pthread_mutex_trylock(&b->writer));
}

/* ---- Tickets ----------------------------------------------------------- */

ILB_INTERNAL bool ilb__balancer_counts(const ilb_balancer *b,
                                       const ilb_ticket *t)
{
    const ilb__slot *slot = ilb__balancer_slot(b, t);
    uint64_t word = ilb__load_relaxed(&slot->load.word);

    if (ilb__load_generation(word) !=
            ilb__endpoint_id_generation(ilb__ticket_id(t)) ||
        ilb__lease_is_over(slot, t->internal[1], ilb__ticket_is_answered(t)))
        return false;
    return !b->shared ||
           (ilb__process_here(&b->upkeep.processes) != 0 &&
            ilb__held_has(ilb__balancer_held(b, t), ilb__ticket_where(t)));
}

ILB_INTERNAL void ilb__balancer_takes(const ilb_balancer *b,
                                      const ilb_ticket *t)
{
    ilb__held *held = ilb__balancer_held(b, t);

    ilb__held_take(held, ilb__ticket_where(t), ilb__ticket_is_probe(t));
    ilb__cost_take(&held->extra_cost, ilb__ticket_cost(t));
}

ILB_INTERNAL bool ilb__balancer_drops(const ilb_balancer *b,
                                      const ilb_ticket *t)
{
    ilb__held *held = ilb__balancer_held(b, t);

    if (!ilb__held_drop(held, ilb__ticket_where(t), ilb__ticket_is_probe(t)))
        return false;
    ilb__cost_return(&held->extra_cost, ilb__ticket_cost(t));
    return true;
}

/* ---- Processes that have ended ----------------------------------------- */

/* All that the process of an entry holds. The caller has the mutex. */
static void ilb__processes_reclaim(ilb_balancer *b, uint32_t index, uint64_t entry,
                              uint64_t now_ns)
{
    uint32_t n_slots = ilb__load32_relaxed(&b->set.n_fresh);
    uint32_t stamp = (uint32_t)(entry & ILB_PROCESS_GENERATION)
                         << ILB_PROCESS_INDEX_BITS |
                     index;
    ilb__upkeep *u = &b->upkeep;

    for (uint32_t k = 0; k < n_slots; k++)
        ilb__reclaim_slot(&b->judge, &b->set.slots[k],
                          ilb__holdings_of(&u->holdings, index, k), now_ns);
    ilb__events_bury(&b->events, stamp);
    /* It may have ejected one and not yet said when that is due. */
    if (ilb__load32_relaxed(&b->judge.n_ejected) > 0)
        ilb__judge_search_again(&b->judge, now_ns);
    ilb__audit_want(&u->audit);
    u->ended_ns = now_ns;
    u->last_event = ilb__load_relaxed(&b->events.n_numbered);
    ilb__store32_relaxed(&u->busy, 1);
    (void)ilb__process_free(&u->processes, index, entry);
}

static void ilb__processes_reap(ilb_balancer *b, uint64_t now_ns)
{
    ilb__processes *p = &b->upkeep.processes;
    uint32_t n = ilb__load32_relaxed(&p->n_used);

    for (uint32_t i = 0; i < n; i++) {
        uint64_t entry = ilb__process_entry(p, i);

        if (ilb__process_is_over(p, entry))
            ilb__processes_reclaim(b, i, entry, now_ns);
    }
    b->upkeep.reaped_ns = now_ns;
}

/* What ended processes left half done shows when it is not done after a
 * second. */
static void ilb__processes_give_up_events(ilb_balancer *b, uint64_t now_ns)
{
    ilb__upkeep *u = &b->upkeep;

    if (u->last_event == 0 ||
        ilb__elapsed_ns(u->ended_ns, now_ns) < ILB_UPKEEP_REAP_NS)
        return;
    ilb__events_give_up_before(&b->events, u->last_event);
    u->last_event = 0;
}

static void ilb__processes_audit(ilb_balancer *b, uint64_t now_ns)
{
    ilb__upkeep *u = &b->upkeep;
    uint32_t n_rows = ilb__load32_relaxed(&u->processes.n_used);
    uint32_t most = n_rows == 0 ? 1 : 1 + ILB_UPKEEP_HELD / n_rows;

    ilb__audit_go_on(&u->audit, &b->judge, b->set.slots,
                     ilb__load32_relaxed(&b->set.n_fresh), &u->holdings, n_rows,
                     most < ILB_UPKEEP_SLOTS ? most : ILB_UPKEEP_SLOTS, now_ns);
}

static void ilb__processes_look(ilb_balancer *b, uint64_t now_ns)
{
    ilb__upkeep *u = &b->upkeep;

    if (!ilb__balancer_try_lock(b))
        return;
    if (ilb__elapsed_ns(u->reaped_ns, now_ns) >= ILB_UPKEEP_REAP_NS)
        ilb__processes_reap(b, now_ns);
    ilb__processes_give_up_events(b, now_ns);
    ilb__processes_audit(b, now_ns);
    if (!u->audit.wanted && !u->audit.going && u->last_event == 0)
        ilb__store32_relaxed(&u->busy, 0);
    ilb__balancer_unlock(b);
}

/* ---- From time to time ------------------------------------------------- */

static void ilb__processes_walk(ilb_balancer *b, uint64_t now_ns)
{
    uint32_t n_slots = ilb__load32_relaxed(&b->set.n_fresh);
    ilb__upkeep *u = &b->upkeep;
    uint32_t n = n_slots < ILB_UPKEEP_SLOTS ? n_slots : ILB_UPKEEP_SLOTS;
    uint32_t at = ilb__add32_relaxed(&u->at, n);
    ilb__holdings h = u->holdings;

    /* Rows that nobody has had are not touched. */
    h.n_rows = ilb__load32_relaxed(&u->processes.n_used);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = (at + i) % n_slots;

        ilb__lease_look_at(&b->set.slots[k], &h, k, u->lease_ns, now_ns);
    }
}

/* Is it time, and this caller the first? */
static bool ilb__processes_due(ilb__a64 *last_ns, uint64_t period_ns,
                          uint64_t now_ns)
{
    uint64_t last = ilb__load_relaxed(last_ns);

    return ILB_UNLIKELY(ilb__elapsed_ns(last, now_ns) >= period_ns) &&
           ilb__cas_strong_relaxed(last_ns, last, now_ns);
}

ILB_INTERNAL void ilb__balancer_keep_up(ilb_balancer *b, uint64_t now_ns)
{
    ilb__upkeep *u = &b->upkeep;

    if (u->lease_ns != 0 &&
        ilb__processes_due(&u->walked_ns, ILB_UPKEEP_PERIOD_NS, now_ns))
        ilb__processes_walk(b, now_ns);
    if (b->shared &&
        ilb__processes_due(&u->looked_ns,
                      ilb__load32_relaxed(&u->busy) != 0 ? ILB_UPKEEP_PERIOD_NS
                                                         : ILB_UPKEEP_REAP_NS,
                      now_ns))
        ilb__processes_look(b, now_ns);
}

/* ---- Coming and going -------------------------------------------------- */

/* Where very many have ended within a second they stand in the way. Whoever
 * holds the lock does so for a moment; nobody waits for it here. */
ILB_INTERNAL int ilb__balancer_enter_anew(ilb_balancer *b)
{
    ilb__processes *p = &b->upkeep.processes;
    uint32_t stamp;
    int rc = ilb__process_enter(p, &stamp);

    for (uint32_t i = 0; rc == ILB_EBUSY && i < ILB__PROCESSES_TRIES; i++) {
        if (!ilb__balancer_try_lock(b))
            continue;
        ilb__processes_reap(b, ilb__load_relaxed(&b->time.last_ns));
        ilb__balancer_unlock(b);
        rc = ilb__process_enter(p, &stamp);
    }
    return rc == ILB_EBUSY ? ILB_EPROCESSES : rc;
}

ILB_INTERNAL void ilb__balancer_leave(ilb_balancer *b)
{
    ilb__processes *p = &b->upkeep.processes;
    uint32_t stamp = ilb__process_here(p);
    uint32_t index = ilb__process_index(stamp);

    if (stamp == 0)
        return;
    ilb__balancer_lock(b);
    ilb__processes_reclaim(b, index, ilb__process_entry(p, index),
                      ilb__load_relaxed(&b->time.last_ns));
    ilb__balancer_unlock(b);
}

ILB_API int ilb_process_ended(ilb_balancer *b, int64_t pid)
{
    ilb__processes *p;

    if (b == NULL || !b->shared || pid <= 0 || pid > INT32_MAX)
        return ILB_EINVAL;
    p = &b->upkeep.processes;
    if (pid == p->system->pid(p->system->user))
        return ILB_EINVAL;
    if (!ilb__process_end(p, pid))
        return ILB_OK;
    ilb__balancer_lock(b);
    ilb__processes_reap(b, ilb__balancer_now(b, 0));
    ilb__balancer_unlock(b);
    return ILB_OK;
}
/* ==== libilb/api/endpoints.c ============================================= */
/* The endpoint set: lists, readiness, results of checks. */

static void ilb__endpoints_enter(ilb__slot *slot, void *user)
{
    ilb_balancer *b = user;

    ilb__health_enter(&b->judge, slot, ilb__table_view(&b->set.table).n,
                      b->update_ns);
}

static void ilb__endpoints_leave(ilb__slot *slot, void *user)
{
    ilb__health_leave(&((ilb_balancer *)user)->judge, slot);
}

static void ilb__endpoints_change(const ilb__slot *slot, bool was_listed,
                             uint8_t was_readiness, void *user)
{
    ilb__events_change(&((ilb_balancer *)user)->events, slot, was_listed,
                       was_readiness);
}

static ilb__set_watch ilb__endpoints_watch(ilb_balancer *b)
{
    ilb__set_watch watch = {ilb__endpoints_enter, ilb__endpoints_leave, b,
                            b->events.capacity == 0 ? NULL : ilb__endpoints_change};

    /* Once: a clock may be slow, and thousands may enter. */
    b->update_ns = ilb__balancer_now(b, 0);
    ilb__events_begin_update(&b->events);
    return watch;
}

/* A smaller set may have more ejected endpoints than its cap allows. */
static void ilb__endpoints_enforce_cap(ilb_balancer *b)
{
    ilb__view v = ilb__table_view(&b->set.table);

    for (uint32_t i = 0; i < v.n; i++)
        ilb__health_enforce_cap(
            &b->judge,
            &b->set.slots[ilb__endpoint_id_index(ilb__view_id(&v, i))], v.n,
            b->update_ns);
}

static bool ilb__endpoints_readiness_ok(ilb_readiness r)
{
    return r == ILB_READY || r == ILB_NOT_READY || r == ILB_DRAINING;
}

static int ilb__endpoints_check(const ilb_endpoint *e)
{
    if (e->size != sizeof *e)
        return ILB_EABI;
    if (!ilb__text_ok(e->address, ILB_ADDRESS_MAX))
        return ILB_EADDRESS;
    if (e->weight > ILB_WEIGHT_MAX || !ilb__endpoints_readiness_ok(e->readiness))
        return ILB_EINVAL;
    return ILB_OK;
}

ILB_API int ilb_balancer_update(ilb_balancer *b, const ilb_endpoint *endpoints,
                                size_t n)
{
    ilb__set_watch watch;
    int rc;

    if (b == NULL || (endpoints == NULL && n > 0))
        return ILB_EINVAL;
    if (n > b->set.capacity)
        return ILB_ECAPACITY;
    rc = ilb__balancer_enter(b);
    if (rc != ILB_OK)
        return rc;
    for (size_t i = 0; i < n; i++) {
        rc = ilb__endpoints_check(&endpoints[i]);
        if (rc != ILB_OK)
            return rc;
    }
    ilb__balancer_lock(b);
    watch = ilb__endpoints_watch(b);
    rc = ilb__set_plan(&b->set, endpoints, n);
    if (rc == ILB_OK) {
        ilb__set_apply(&b->set, endpoints, (uint32_t)n, &watch);
        ilb__events_end_update(&b->events);
        ilb__endpoints_enforce_cap(b);
    }
    ilb__balancer_unlock(b);
    ilb__balancer_tell(b);
    return rc;
}

ILB_API int ilb_balancer_set_readiness(ilb_balancer *b, const char *address,
                                       ilb_readiness readiness)
{
    ilb__set_watch watch;
    ilb__slot *slot;
    int rc;

    if (b == NULL || address == NULL || !ilb__endpoints_readiness_ok(readiness))
        return ILB_EINVAL;
    rc = ilb__balancer_enter(b);
    if (rc != ILB_OK)
        return rc;
    ilb__balancer_lock(b);
    watch = ilb__endpoints_watch(b);
    slot = ilb__set_find(&b->set, address);
    if (slot != NULL) {
        ilb__set_change_readiness(&b->set, slot, readiness, &watch);
        ilb__endpoints_enforce_cap(b);
    }
    ilb__balancer_unlock(b);
    ilb__balancer_tell(b);
    return slot == NULL ? ILB_ENOTFOUND : ILB_OK;
}

static void ilb__endpoints_checked(ilb_balancer *b, ilb__slot *slot, bool passed,
                              uint64_t now_ns)
{
    ilb__judge *j = &b->judge;
    uint32_t n_ready = ilb__table_view(&b->set.table).n;

    switch (ilb__checks_add(&slot->checks, passed,
                            ilb__load_relaxed(&slot->ejections), &j->checks,
                            now_ns)) {
    case ILB__CHECKED_DOWN:
        (void)ilb__health_check_down(j, slot, n_ready, now_ns);
        break;
    case ILB__CHECKED_UP:
        ilb__health_check_up(j, slot, false, now_ns);
        break;
    case ILB__CHECKED_UP_AGAIN:
        ilb__health_check_up(j, slot, true, now_ns);
        break;
    case ILB__CHECKED_NOTHING:
        break;
    }
}

ILB_API int ilb_balancer_report_check(ilb_balancer *b, const char *address,
                                      int passed, uint64_t now_ns)
{
    ilb__slot *slot;
    int rc;

    if (b == NULL || address == NULL)
        return ILB_EINVAL;
    rc = ilb__balancer_enter(b);
    if (rc != ILB_OK)
        return rc;
    now_ns = ilb__balancer_now(b, now_ns);
    ilb__balancer_lock(b);
    slot = ilb__set_find(&b->set, address);
    if (slot != NULL)
        ilb__endpoints_checked(b, slot, passed != 0, now_ns);
    ilb__balancer_unlock(b);
    return slot == NULL ? ILB_ENOTFOUND : ILB_OK;
}
/* ==== libilb/api/pick.c ================================================== */
/* A request begins: picks, probes, and what a ticket says. */

#include <string.h>

/* The ticket is in flight, so its slot is that endpoint's. */
ILB_INTERNAL void ilb__balancer_notes_probe(ilb_balancer *b,
                                            const ilb_ticket *t,
                                            ilb_event_type type, ilb_state from,
                                            uint64_t now_ns)
{
    const ilb__slot *slot = ilb__balancer_slot(b, t);
    ilb__transition x;

    if (b->judge.tell == NULL)
        return;
    memset(&x, 0, sizeof x);
    x.type = type;
    x.from = from;
    x.to =
        type == ILB_EVENT_PROBE_STARTED ? ILB_STATE_PROBING : ILB_STATE_EJECTED;
    x.until_ns = ilb__health_until_ns(ilb__load_relaxed(&slot->health));
    x.now_ns = now_ns;
    b->judge.tell(slot, &x, b->judge.tell_user);
}

static int ilb__pick_exclusion(const ilb_balancer *b, const ilb_pick_options *o,
                          ilb__exclusion *e)
{
    uint64_t secret = ilb__balancer_secret(b);

    if (o->n_exclude > ILB_EXCLUDE_MAX ||
        (o->exclude == NULL && o->n_exclude > 0))
        return ILB_EINVAL;
    for (size_t i = 0; i < o->n_exclude; i++) {
        const ilb_ticket *t = &o->exclude[i];

        if (!ilb__ticket_is_ours(secret, t))
            return ILB_ETICKET;
        e->ids[i] = ilb__ticket_id(t);
    }
    e->n = (uint32_t)o->n_exclude;
    return ILB_OK;
}

static void ilb__pick_write(ilb_balancer *b, ilb_ticket *ticket,
                       const ilb__choice *choice, uint64_t now_ns)
{
    if (ILB_LIKELY(!b->shared)) {
        ilb__ticket_write(b->secret, ticket, choice, now_ns);
    } else {
        ilb__ticket_write(ilb__balancer_secret(b), ticket, choice, now_ns);
        ilb__balancer_takes(b, ticket);
    }
    if (ILB_UNLIKELY(choice->probe))
        ilb__balancer_notes_probe(
            b, ticket, ILB_EVENT_PROBE_STARTED,
            choice->probe_lost ? ILB_STATE_PROBING : ILB_STATE_EJECTED, now_ns);
}

/* What the caller wishes: cost, time and endpoints that he does not want. */
static int ilb__pick_wishes(const ilb_balancer *b, const ilb_pick_options *o,
                       ilb__exclusion *exclusion, ilb__choice *choice,
                       uint64_t *now_ns)
{
    ilb_pick_options copy;
    int rc;

    if (!ilb__struct_is_ours(o, sizeof *o)) {
        rc = ilb__struct_read(&copy, sizeof copy, o, sizeof copy);
        if (rc != ILB_OK)
            return rc;
        o = &copy;
    }
    if (o->cost != 0) {
        if (!ilb__cost_ok(o->cost))
            return ILB_EINVAL;
        choice->cost = ilb__cost_of(o->cost);
    }
    *now_ns = o->now_ns;
    if (ILB_LIKELY(o->n_exclude == 0))
        return ILB_OK;
    return ilb__pick_exclusion(b, o, exclusion);
}

static int ilb__pick_ticket(ilb_balancer *b, ilb_ticket *ticket,
                       const ilb_pick_options *options, ilb_explanation *trace)
{
    ilb__exclusion exclusion;
    ilb__choice choice;
    uint64_t now_ns = 0;
    int rc;

    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    exclusion.n = 0;
    choice.cost = ILB_COST_ONE;
    if (options != NULL) {
        rc = ilb__pick_wishes(b, options, &exclusion, &choice, &now_ns);
        if (rc != ILB_OK)
            return rc;
    }
    now_ns = ilb__balancer_now(b, now_ns);
    rc = ilb__balancer_begin(b, now_ns);
    if (rc != ILB_OK)
        return rc;
    rc = ilb__select(&b->selector, &b->judge, &b->set.table, b->set.slots,
                     &exclusion, now_ns, &choice, trace);
    if (rc != ILB_OK)
        return rc;
    ilb__pick_write(b, ticket, &choice, now_ns);
    if (ILB_UNLIKELY(trace != NULL))
        trace->trial = choice.trial;
    return ILB_OK;
}

ILB_API int ilb_probe_next(ilb_balancer *b, ilb_ticket *ticket, uint64_t now_ns)
{
    ilb__choice choice;
    int rc;

    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    now_ns = ilb__balancer_now(b, now_ns);
    rc = ilb__balancer_begin(b, now_ns);
    if (rc != ILB_OK)
        return rc;
    choice.cost = ILB_COST_ONE;
    rc = ilb__select_due(&b->selector, &b->judge, &b->set.table, b->set.slots,
                         now_ns, &choice);
    if (rc == ILB_OK)
        ilb__pick_write(b, ticket, &choice, now_ns);
    return rc;
}

ILB_API uint64_t ilb_probe_due_ns(const ilb_balancer *b)
{
    if (b == NULL || ilb__load32_relaxed(&b->judge.n_ejected) == 0)
        return UINT64_MAX;
    return ilb__time_outside(&b->time, ilb__judge_host_due_ns(&b->judge),
                             ilb__load_relaxed(&b->time.last_ns));
}

ILB_API int ilb_pick(ilb_balancer *b, ilb_ticket *ticket,
                     const ilb_pick_options *options)
{
    return ilb__pick_ticket(b, ticket, options, NULL);
}

ILB_API int ilb_pick_explained(ilb_balancer *b, ilb_ticket *ticket,
                               const ilb_pick_options *options,
                               ilb_explanation *explanation,
                               size_t explanation_size)
{
    ilb_explanation trace;
    int rc;

    if (explanation == NULL)
        return ILB_EINVAL;
    if (explanation_size != sizeof *explanation)
        return ILB_EABI;
    rc = ilb__pick_ticket(b, ticket, options, &trace);
    if (rc != ILB_OK)
        return rc;
    trace.time_ns = ilb__time_outside(&b->time, trace.time_ns, trace.time_ns);
    memcpy(explanation, &trace, sizeof trace);
    return ILB_OK;
}

ILB_API const char *ilb_ticket_address(const ilb_balancer *b,
                                       const ilb_ticket *ticket)
{
    if (b == NULL || ticket == NULL || !ilb__balancer_in_flight(b, ticket))
        return NULL;
    return ilb__balancer_slot(b, ticket)->address;
}

ILB_API void *ilb_ticket_user(const ilb_balancer *b, const ilb_ticket *ticket)
{
    if (b == NULL || ticket == NULL || !ilb__balancer_in_flight(b, ticket))
        return NULL;
    /* Pairs with the release in set_enter: what it points to is there. */
    return ilb__load_pointer_acquire(&ilb__balancer_slot(b, ticket)->user);
}

ILB_API uint64_t ilb_ticket_try_timeout_ns(const ilb_balancer *b,
                                           const ilb_ticket *ticket)
{
    ilb__figures f;
    float ns;

    if (b == NULL || ticket == NULL || !ilb__balancer_in_flight(b, ticket) ||
        !ilb__ticket_is_trial(ticket))
        return 0;
    ilb__pool_figures(&b->selector.pool, &f);
    ns = ilb__figures_hang_ns(&f);
    if (!ilb__ticket_is_timed(ticket))
        return UINT64_MAX;
    return ns < ILB_FIGURES_NEVER_NS ? (uint64_t)ns : UINT64_MAX;
}

/* What it means to others in flight to its endpoint that this one is answered.
 */
static void ilb__pick_passes(const ilb_balancer *b, ilb__slot *slot,
                        uint64_t picked_ns, uint64_t now_ns)
{
    const ilb__passing p = {picked_ns, true, true};
    ilb__figures f;

    (void)ilb__lost_ends(&slot->lost, &slot->extra_cost, picked_ns);
    if (!ilb__overtaken_concerns(&slot->overtaken, &slot->load,
                                 ILB_FIGURES_HANG_MIN_NS, now_ns))
        return;
    ilb__pool_figures(&b->selector.pool, &f);
    ilb__overtaken_pass(&slot->overtaken, &slot->load, &p,
                        ilb__figures_hang_ns(&f), now_ns);
}

/* It is counted elsewhere from now on: by its process at no place in between,
 * as one that was killed there would be taken for another one's. */
static bool ilb__pick_answered(const ilb_balancer *b, ilb__slot *slot,
                          const ilb_ticket *ticket, uint64_t now_ns)
{
    ilb__held *held =
        ILB_UNLIKELY(b->shared) ? ilb__balancer_held(b, ticket) : NULL;
    uint32_t where = ilb__ticket_where(ticket);
    bool answered;

    if (held != NULL && !ilb__held_drop(held, where, false))
        return false;
    answered = ilb__load_answer(
        &slot->load, ilb__endpoint_id_generation(ilb__ticket_id(ticket)), where,
        now_ns);
    if (held != NULL)
        ilb__held_take(held, answered ? ILB_LOAD_IS_ANSWERED : where, false);
    return answered;
}

ILB_API int ilb_first_byte(ilb_balancer *b, ilb_ticket *ticket, uint64_t now_ns)
{
    ilb__slot *slot;

    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    if (!ilb__balancer_in_flight(b, ticket))
        return ILB_ETICKET;
    if (ilb__ticket_is_answered(ticket))
        return ILB_OK;
    now_ns = ilb__balancer_now(b, now_ns);
    slot = ilb__balancer_slot(b, ticket);
    if (!ilb__load_has(ilb__load_relaxed(&slot->load.word),
                       ilb__endpoint_id_generation(ilb__ticket_id(ticket)),
                       ilb__ticket_where(ticket)))
        return ILB_ETICKET;
    ilb__pick_passes(b, slot, ticket->internal[1], now_ns);
    if (!ilb__pick_answered(b, slot, ticket, now_ns))
        return ILB_ETICKET;
    ilb__ticket_first_byte(ticket, now_ns);
    return ILB_OK;
}
/* ==== libilb/api/done.c ================================================== */
/* A request is over: what it teaches, and whom. */

#define ILB__DONE_TRIAL_TIMES 2.0f

/* A request that is over. */
typedef struct ilb__done_facts {
    ilb__slot *slot;
    ilb_outcome outcome;
    bool probe, trial;
    bool answered; /* its first byte has come */
    uint32_t cost;
    uint64_t picked_ns;
    uint64_t waited_ns;
    uint64_t retry_after_ns;
    uint64_t now_ns;
    float hang_ns; /* ilb__figures_hang_ns; not before ilb__done_figures */
    bool before;   /* picked before its endpoint came or came back */
    const ilb_ticket *ticket;
} ilb__done_facts;

static void ilb__done_figures(ilb_balancer *b, ilb__done_facts *d, bool failed,
                         ilb__figures *f)
{
    ilb__pool *p = &b->selector.pool;

    if (failed || ilb__pool_due(p, ILB_POOL_LATE_NS, d->now_ns)) {
        ilb__view view = ilb__table_view(&b->set.table);

        ilb__pool_refresh(p, &b->judge, b->set.slots, &view, failed, d->now_ns);
    }
    ilb__pool_figures(p, f);
    d->hang_ns = ilb__figures_hang_ns(f);
}

/* Does a request that ended so count as one more failure in a row? */
static bool ilb__done_counts(const ilb__done_facts *d, const ilb__figures *f)
{
    if (d->outcome == ILB_OVERLOAD)
        return false;
    if (d->outcome != ILB_TIMEOUT)
        return true;
    /* Overloaded peers time out as well: no evidence against this one. */
    if (f->overloaded)
        return false;
    /* Given up early, as ilb_ticket_try_timeout_ns advises: it is slow. */
    return !d->trial || ilb__failures_in_a_row(&d->slot->failures) > 0 ||
           (float)d->waited_ns > 2 * ilb__figures_hang_ns(f);
}

static void ilb__done_cancelled(ilb_balancer *b, const ilb__done_facts *d,
                           const ilb__figures *f)
{
    ilb__failing x = {0};

    if (!d->probe)
        return;
    if ((float)d->waited_ns < ilb__figures_hang_ns(f)) {
        if (ilb__health_inconclusive(&b->judge, d->slot, d->now_ns))
            ilb__balancer_notes_probe(b, d->ticket, ILB_EVENT_PROBE_CANCELLED,
                                      ILB_STATE_PROBING, d->now_ns);
        return;
    }
    x.bits = (uint32_t)ilb__random_next(&b->selector.random, d->now_ns);
    (void)ilb__health_bad(&b->judge, d->slot, true, &x, f, d->now_ns);
}

/* How long it took, or waited in vain. True: it was a probe that has failed for
 * that. */
static bool ilb__done_timed(ilb_balancer *b, const ilb__done_facts *d, bool answered,
                       uint64_t ns, const ilb__figures *f)
{
    ilb__ended e;

    e.waited_ns = ns;
    e.began_ns = d->picked_ns;
    e.answered = answered;
    e.probe = d->probe;
    e.served = ilb__pool_served(&b->selector.pool);
    e.n_ready = ilb__table_view(&b->set.table).n;
    /* Slow answers may be many: they leave the stream of the picks alone. */
    e.bits = (uint32_t)ilb__mix64(b->set.salt ^ d->now_ns);
    return ilb__health_ended(&b->judge, d->slot, &e, f, d->now_ns);
}

/* It was given up, or timed out: so long it has waited, at least. */
static void ilb__done_gave_up(ilb_balancer *b, const ilb__done_facts *d, uint64_t ns,
                         const ilb__figures *f)
{
    if ((d->outcome != ILB_CANCELLED && d->outcome != ILB_TIMEOUT) ||
        d->answered)
        return;
    (void)ilb__done_timed(b, d, false, ns, f);
    ilb__sweep_gave_up(d->slot, d->waited_ns, f, d->now_ns);
}

/* A trial that was given up where others wait as well: it asked whether that is
 * silence, which is no failure; their age says it. */
static bool ilb__done_is_known(const ilb__done_facts *d, bool in_a_row)
{
    return d->trial && !in_a_row && d->outcome == ILB_TIMEOUT &&
           ilb__load_unanswered(ilb__load_relaxed(&d->slot->load.word)) > 1;
}

/* How long its answer would have taken, at least. A trial was given up as soon
 * as it took longer than answers do: it is expected to take as long again. Of
 * an endpoint that is tried again and again without an answer, nothing else
 * would ever say how slow it is. */
static uint64_t ilb__done_bound_ns(const ilb__done_facts *d, uint64_t ns)
{
    bool early = d->trial && d->outcome == ILB_TIMEOUT &&
                 (float)d->waited_ns < ILB__DONE_TRIAL_TIMES * d->hang_ns;

    return early ? (uint64_t)(ILB__DONE_TRIAL_TIMES * (float)ns) : ns;
}

/* What a request without a good answer teaches. */
static void ilb__done_bad(ilb_balancer *b, ilb__done_facts *d)
{
    bool in_a_row;
    ilb__figures f;
    ilb__failing x;

    if (d->before)
        return;
    ilb__done_figures(b, d,
                 d->outcome != ILB_OVERLOAD && d->outcome != ILB_CANCELLED, &f);
    if (ilb__figures_passed(&f, d->picked_ns, d->now_ns)) {
        uint64_t ns = ilb__cost_waited_ns(d->waited_ns, d->cost);

        ilb__latency_learn_bound(&d->slot->latency, ilb__done_bound_ns(d, ns), &f,
                                 d->now_ns);
        ilb__done_gave_up(b, d, ns, &f);
    }
    /* Also a caller who had less time than an ordinary answer takes. */
    if (d->outcome == ILB_CANCELLED ||
        (d->outcome == ILB_TIMEOUT &&
         (float)d->waited_ns < ilb__figures_ordinary_ns(&f))) {
        ilb__done_cancelled(b, d, &f);
        return;
    }
    if (d->trial)
        ilb__trials_failed(&b->selector.pool.trials);
    in_a_row = ilb__done_counts(d, &f);
    if (d->trial && !in_a_row && d->outcome == ILB_TIMEOUT)
        ilb__evidence_doubt(&d->slot->evidence, f.steps);
    if (ilb__done_is_known(d, in_a_row))
        x.row = ilb__failures_in_a_row(&d->slot->failures);
    else
        x.row = ilb__failures_bad(&d->slot->failures, in_a_row, d->now_ns);
    x.refused = d->outcome == ILB_OVERLOAD;
    x.retry_after_ns = d->retry_after_ns;
    if (!in_a_row && !d->probe && !x.refused)
        return;
    x.sums = in_a_row ? ilb__evidence_bad(&d->slot->evidence, f.steps)
                      : ilb__evidence_read(&d->slot->evidence);
    x.n_ready = ilb__table_view(&b->set.table).n;
    x.bits = (uint32_t)ilb__random_next(&b->selector.random, d->now_ns);
    if (ilb__health_bad(&b->judge, d->slot, d->probe, &x, &f, d->now_ns))
        /* An update may have made the set smaller meanwhile. */
        ilb__health_enforce_cap(&b->judge, d->slot,
                                ilb__table_view(&b->set.table).n, d->now_ns);
}

/* What of an answer's time is its endpoint's. One that later ones overtook was
 * long by itself: no more than what is expected. */
static uint64_t ilb__done_of_endpoint_ns(const ilb__done_facts *d, uint64_t ns,
                                    const ilb__figures *f)
{
    float expected_ns;

    if (ILB_LIKELY((float)ns <= d->hang_ns) ||
        !ilb__epochs_has(&d->slot->overtaken, d->picked_ns))
        return ns;
    expected_ns = ilb__latency_read_ns(&d->slot->latency, f, d->now_ns);
    return (float)ns < expected_ns ? ns : (uint64_t)expected_ns;
}

/* How long its endpoint took for it, and whether that was a peak. */
static void ilb__done_latency(ilb_balancer *b, const ilb__done_facts *d, uint64_t ns,
                         const ilb__figures *f)
{
    ilb__slot *slot = d->slot;
    uint32_t peaks = ilb__load32_relaxed(&slot->peaks);
    bool peak =
        ilb__latency_learn(&slot->latency, ilb__done_of_endpoint_ns(d, ns, f),
                           ilb__peaks_level(peaks), f, d->now_ns);

    if (ILB_UNLIKELY(peak || peaks > 0))
        ilb__peaks_learn(&slot->peaks, peak, &b->selector.pool.peaks);
}

/* A long poll, say: it shows nothing of how long answers take. */
static bool ilb__done_is_longlived(const ilb__done_facts *d, const ilb__figures *f)
{
    return ILB_UNLIKELY((float)d->waited_ns > ilb__figures_longlived_ns(f)) &&
           ilb__epochs_has(&d->slot->overtaken, d->picked_ns);
}

static void ilb__done_good(ilb_balancer *b, ilb__done_facts *d)
{
    ilb__slot *slot = d->slot;
    bool probe_failed = false;
    ilb__figures f;

    ilb__done_figures(b, d, false, &f);
    if (ILB_LIKELY(ilb__figures_passed(&f, d->picked_ns, d->now_ns))) {
        uint64_t ns = ilb__cost_ordinary_ns(d->waited_ns, d->cost);

        ilb__done_latency(b, d, ns, &f);
        if (ILB_UNLIKELY(d->probe) ||
            ilb__slowness_concerns(&slot->slowness, ns, &f))
            probe_failed = !d->before && ilb__done_timed(b, d, true, ns, &f);
        if (ILB_LIKELY(!ilb__done_is_longlived(d, &f)))
            ilb__pool_good(&b->selector.pool, d->waited_ns,
                           ilb__load_relaxed(&slot->done[ILB_SUCCESS]));
    }
    if (ILB_UNLIKELY((ilb__load_relaxed(&slot->failures.word) |
                      ilb__load_relaxed(&slot->evidence)) != 0)) {
        ilb__failures_good(&slot->failures, d->now_ns);
        ilb__evidence_good(&slot->evidence, f.steps);
    }
    ilb__refusals_end(&slot->refusals);
    if (ILB_UNLIKELY(!ilb__health_is_calm(ilb__load_relaxed(&slot->health))) &&
        !probe_failed)
        ilb__health_good(&b->judge, slot, d->probe, d->now_ns);
}

static bool ilb__done_result_ok(const ilb_result *r)
{
    return (unsigned)r->outcome < ILB_OUTCOME_COUNT &&
           (r->retry_after_ns == 0 || r->outcome == ILB_OVERLOAD ||
            r->outcome == ILB_FAILURE);
}

/* What it means to others in flight to its endpoint that this one ends. */
static void ilb__done_passes(const ilb__done_facts *d)
{
    const ilb__passing p = {d->picked_ns, !d->answered,
                            d->outcome == ILB_SUCCESS};
    ilb__slot *slot = d->slot;

    if (!d->answered)
        (void)ilb__lost_ends(&slot->lost, &slot->extra_cost, d->picked_ns);
    if (ilb__overtaken_concerns(&slot->overtaken, &slot->load, d->hang_ns,
                                d->now_ns))
        ilb__overtaken_pass(&slot->overtaken, &slot->load, &p, d->hang_ns,
                            d->now_ns);
}

/* Is nothing held against the endpoint, so that one good answer more teaches
 * nothing but how long it took? */
static inline bool ilb__done_finds_nothing(const ilb__slot *slot)
{
    return (ilb__load_relaxed(&slot->failures.word) |
            ilb__load_relaxed(&slot->evidence) |
            ilb__load32_relaxed(&slot->peaks) |
            ilb__load_relaxed(&slot->overtaken.epoch_ns) |
            ilb__load_relaxed(&slot->lost.n) |
            ilb__load_relaxed(&slot->refusals) |
            ilb__load_relaxed(&slot->slowness)) == 0 &&
           ilb__health_is_calm(ilb__load_relaxed(&slot->health));
}

/* The ordinary good answer, as nearly all are: what is left of the rest of this
 * file for it. False: it is not one, and nothing has been done. */
static inline bool ilb__done_quickly(ilb_balancer *b, ilb_ticket *t, ilb__slot *slot,
                                uint64_t load, uint64_t now_ns)
{
    uint64_t ns = ilb__ticket_latency_ns(t, now_ns);
    ilb__pool *pool = &b->selector.pool;
    ilb__figures f;
    float hang_ns;

    if (ilb__ticket_is_probe(t) || ilb__ticket_cost(t) != ILB_COST_ONE ||
        !ilb__done_finds_nothing(slot) ||
        ilb__epochs_concern(&slot->longlived, t->internal[1]) ||
        ilb__pool_due(pool, ILB_POOL_LATE_NS, now_ns))
        return false;
    ilb__pool_figures(pool, &f);
    hang_ns = ilb__figures_hang_ns(&f);
    if ((float)ns > hang_ns || (float)ns > ILB_SLOWNESS_FACTOR * f.median_ns ||
        !ilb__figures_passed(&f, t->internal[1], now_ns) ||
        (ilb__load_old(load) != 0 &&
         (float)ilb__load_age_ns(&slot->load, load, now_ns) > hang_ns))
        return false;
    ilb__ticket_finish(t);
    ilb__add_relaxed(&slot->done[ILB_SUCCESS], 1);
    if (ILB_UNLIKELY(ilb__latency_learn(&slot->latency, ns, 1, &f, now_ns)))
        ilb__peaks_learn(&slot->peaks, true, &pool->peaks);
    ilb__pool_good(pool, ns, ilb__load_relaxed(&slot->done[ILB_SUCCESS]));
    return true;
}

/* The ticket has taught what it could: it is not in flight any more. */
static int ilb__done_return(ilb_balancer *b, ilb__slot *slot, const ilb_ticket *t,
                       uint64_t now_ns)
{
    bool returned;

    if (ILB_UNLIKELY(b->shared) && !ilb__balancer_drops(b, t))
        return ILB_ETICKET; /* given back just now */
    ilb__cost_return(&slot->extra_cost, ilb__ticket_cost(t));
    /* From here on the slot may be another endpoint's. */
    returned = ilb__load_return(&slot->load,
                                ilb__endpoint_id_generation(ilb__ticket_id(t)),
                                ilb__ticket_where(t), now_ns);
    ilb__balancer_tell(b);
    return returned ? ILB_OK : ILB_ETICKET;
}

static int ilb__done_ticket(ilb_balancer *b, ilb_ticket *t, const ilb_result *r)
{
    uint64_t load;
    ilb__done_facts d;

    if (b == NULL || t == NULL || !ilb__done_result_ok(r))
        return ILB_EINVAL;
    if (!ilb__balancer_in_flight(b, t))
        return ILB_ETICKET;
    d.slot = ilb__balancer_slot(b, t);
    load = ilb__load_relaxed(&d.slot->load.word);
    /* A copy of a done ticket must not teach anything: look before. */
    if (!ilb__load_has(load, ilb__endpoint_id_generation(ilb__ticket_id(t)),
                       ilb__ticket_where(t)))
        return ILB_ETICKET;
    d.now_ns = ilb__balancer_now(b, r->now_ns);
    if (ILB_LIKELY(r->outcome == ILB_SUCCESS) &&
        ilb__done_quickly(b, t, d.slot, load, d.now_ns))
        return ilb__done_return(b, d.slot, t, d.now_ns);
    d.outcome = r->outcome;
    d.retry_after_ns = r->retry_after_ns;
    d.cost = ilb__ticket_cost(t);
    d.probe = ilb__ticket_is_probe(t);
    d.trial = ilb__ticket_is_trial(t);
    d.answered = ilb__ticket_is_answered(t);
    d.waited_ns = ilb__ticket_latency_ns(t, d.now_ns);
    d.picked_ns = t->internal[1];
    d.ticket = t;
    d.hang_ns = ILB_FIGURES_NEVER_NS;
    d.before = d.picked_ns < ilb__load_relaxed(&d.slot->anew_ns) && !d.probe;
    ilb__ticket_finish(t);
    ilb__add_relaxed(&d.slot->done[d.outcome], 1);
    if (d.outcome == ILB_SUCCESS)
        ilb__done_good(b, &d);
    else
        ilb__done_bad(b, &d);
    ilb__done_passes(&d);
    if (ilb__epochs_concern(&d.slot->longlived, d.picked_ns))
        ilb__epochs_end(&d.slot->longlived, d.picked_ns);
    return ilb__done_return(b, d.slot, t, d.now_ns);
}

ILB_API int ilb_done(ilb_balancer *b, ilb_ticket *ticket, ilb_outcome outcome)
{
    ilb_result r = ILB_RESULT_INIT;

    r.outcome = outcome;
    return ilb__done_ticket(b, ticket, &r);
}

ILB_API int ilb_done_with(ilb_balancer *b, ilb_ticket *ticket,
                          const ilb_result *result)
{
    ilb_result r;
    int rc;

    if (result == NULL)
        return ILB_EINVAL;
    if (ilb__struct_is_ours(result, sizeof r))
        return ilb__done_ticket(b, ticket, result);
    rc = ilb__struct_read(&r, sizeof r, result,
                          offsetof(ilb_result, retry_after_ns));
    return rc != ILB_OK ? rc : ilb__done_ticket(b, ticket, &r);
}
