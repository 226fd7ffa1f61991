/* SPDX-License-Identifier: MIT
 *
 * ilb.c: libilb 0.1.0 in one file.
 * Made by build-aux/amalgamate.py from sources a722ac0ba5723165; do not edit.
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
#else
#define ILB_LIKELY(x) (x)
#define ILB_UNLIKELY(x) (x)
#endif

/* Data that different threads write stands this far apart. */
#define ILB_CACHELINE_BYTES 64

#define ILB_MS_NS UINT64_C(1000000)
#define ILB_SECOND_NS UINT64_C(1000000000)

/* Time passed from `from_ns` to `to_ns`; none if the clock went back. */
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
#define ILB__OPTIONS_BASE_EJECTION_TIME_NS (12 * ILB_SECOND_NS)
#define ILB__OPTIONS_MAX_EJECTION_TIME_NS (120 * ILB_SECOND_NS)
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

static int ilb__options_check(const ilb_options *o)
{
    if (ilb_policy_name(o->policy) == NULL || o->capacity > ILB_CAPACITY_MAX ||
        o->max_ejection_percent > 100 ||
        o->base_ejection_time_ns > o->max_ejection_time_ns)
        return ILB_EINVAL;
    if (o->consecutive_failures > ILB__OPTIONS_FAILURES_MAX &&
        o->consecutive_failures != ILB_NEVER)
        return ILB_EINVAL;
    if (o->allocator != NULL &&
        (o->allocator->allocate == NULL || o->allocator->release == NULL))
        return ILB_EINVAL;
    return ILB_OK;
}

ILB_INTERNAL int ilb__options_read(ilb_options *to, const ilb_options *from)
{
    const ilb_options none = ILB_OPTIONS_INIT;
    /* The first version ends with its last member. */
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
/* The only place of the library that asks the system for anything. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
/* ==== libilb/base/clock.h ================================================ */
/* The time, where the caller gives no clock of its own. */
#ifndef ILB_BASE_CLOCK_H
#define ILB_BASE_CLOCK_H

/* CLOCK_MONOTONIC in nanoseconds; an ilb_clock. */
ILB_INTERNAL uint64_t ilb__clock_monotonic_ns(void *user);

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
/* ==== libilb/base/histogram.c ============================================ */
/* See histogram.h. */
/* ==== libilb/base/histogram.h ============================================ */
/*
 * A histogram of times with buckets of equal ratio: eight to an octave, from
 * 1 us to 18 minutes, so that a quantile is right to within 6 %. Shorter and
 * longer times count in the first and the last bucket.
 *
 * The bucket is the exponent and the upper three bits of the mantissa of the
 * time as a floating-point number. Any thread may add; one at a time reads
 * quantiles and forgets.
 */
#ifndef ILB_BASE_HISTOGRAM_H
#define ILB_BASE_HISTOGRAM_H

/* ==== libilb/base/atomics.h ============================================== */
/*
 * Atomic words with the memory order in the name of each operation, so that a
 * reader sees at the call what is ordered; all other orders than relaxed say
 * at the call what they pair with.
 *
 * Relaxed is enough wherever a word stands for itself: counters, estimates,
 * states. What publishes other memory: the table's version (set/table.c), the
 * return of a slot's last ticket (signal/load.c) and the user pointer of an
 * endpoint (set/set.c).
 */
#ifndef ILB_BASE_ATOMICS_H
#define ILB_BASE_ATOMICS_H

#include <stdatomic.h>

typedef _Atomic uint64_t ilb__a64;
typedef _Atomic uint32_t ilb__a32;
typedef _Atomic uint8_t ilb__a8;

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must be lock-free");
_Static_assert(sizeof(ilb__a64) == 8, "an atomic word is a plain word");

static inline uint64_t ilb__load_relaxed(const ilb__a64 *a)
{
    return atomic_load_explicit(a, memory_order_relaxed);
}

static inline uint64_t ilb__load_acquire(const ilb__a64 *a)
{
    return atomic_load_explicit(a, memory_order_acquire);
}

static inline void ilb__store_relaxed(ilb__a64 *a, uint64_t v)
{
    atomic_store_explicit(a, v, memory_order_relaxed);
}

static inline void ilb__store_release(ilb__a64 *a, uint64_t v)
{
    atomic_store_explicit(a, v, memory_order_release);
}

/* Adds and returns the value before. */
static inline uint64_t ilb__add_relaxed(ilb__a64 *a, uint64_t v)
{
    return atomic_fetch_add_explicit(a, v, memory_order_relaxed);
}

/* True if *a was *expected and is now v; else *expected is what *a is. */
static inline bool ilb__cas_relaxed(ilb__a64 *a, uint64_t *expected, uint64_t v)
{
    return atomic_compare_exchange_weak_explicit(
        a, expected, v, memory_order_relaxed, memory_order_relaxed);
}

static inline bool ilb__cas_release(ilb__a64 *a, uint64_t *expected, uint64_t v)
{
    return atomic_compare_exchange_weak_explicit(
        a, expected, v, memory_order_release, memory_order_relaxed);
}

/* As the others, but never fails by chance: for a single try. */
static inline bool ilb__cas_strong_acquire(ilb__a64 *a, uint64_t expected,
                                           uint64_t v)
{
    return atomic_compare_exchange_strong_explicit(
        a, &expected, v, memory_order_acquire, memory_order_relaxed);
}

static inline bool ilb__cas_strong_relaxed(ilb__a64 *a, uint64_t expected,
                                           uint64_t v)
{
    return atomic_compare_exchange_strong_explicit(
        a, &expected, v, memory_order_relaxed, memory_order_relaxed);
}

static inline uint32_t ilb__load32_relaxed(const ilb__a32 *a)
{
    return atomic_load_explicit(a, memory_order_relaxed);
}

static inline void ilb__store32_relaxed(ilb__a32 *a, uint32_t v)
{
    atomic_store_explicit(a, v, memory_order_relaxed);
}

static inline uint32_t ilb__add32_relaxed(ilb__a32 *a, uint32_t v)
{
    return atomic_fetch_add_explicit(a, v, memory_order_relaxed);
}

static inline uint32_t ilb__sub32_relaxed(ilb__a32 *a, uint32_t v)
{
    return atomic_fetch_sub_explicit(a, v, memory_order_relaxed);
}

static inline uint8_t ilb__load8_relaxed(const ilb__a8 *a)
{
    return atomic_load_explicit(a, memory_order_relaxed);
}

static inline bool ilb__cas8_relaxed(ilb__a8 *a, uint8_t expected, uint8_t v)
{
    return atomic_compare_exchange_strong_explicit(
        a, &expected, v, memory_order_relaxed, memory_order_relaxed);
}

static inline void ilb__fence_acquire(void)
{
    atomic_thread_fence(memory_order_acquire);
}

static inline void ilb__fence_release(void)
{
    atomic_thread_fence(memory_order_release);
}

#endif
/* ==== back in libilb/base/histogram.h */

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
 * them apart, and processes that were forked from each other too.
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

static struct ilb__random_stream *ilb__random_own_stream(ilb__random *r)
{
    pthread_t self = pthread_self();
    uint64_t id = 0;
    ilb__a8 *place;
    uint8_t given;

    /* pthread_t may be a number or a pointer: take its bytes. */
    memcpy(&id, &self, sizeof self < sizeof id ? sizeof self : sizeof id);
    place = &r->stream_of[(id * ILB_GOLDEN) >> 58];
    given = ilb__load8_relaxed(place);
    if (ILB_UNLIKELY(given == 0))
        given = ilb__random_stream_given(r, place);
    return &r->streams[given - 1];
}

ILB_INTERNAL uint64_t ilb__random_next(ilb__random *r, uint64_t salt)
{
    struct ilb__random_stream *s = ilb__random_own_stream(r);
    /* Not one atomic step: see the header on threads that share a stream. */
    uint64_t state = ilb__load_relaxed(&s->state) + ILB_GOLDEN;

    ilb__store_relaxed(&s->state, state);
    return ilb__mix64(state ^ ilb__mix64(salt));
}

_Static_assert(ILB_RANDOM_PLACES == 1 << 6, "places are 6 bits of a hash");
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
 *     faulty   fails a share of p1 = max(5 p0, 5 %), against p0
 *              failure:      + ln(p1 / p0)
 *              good answer:  - ln((1 - p0) / (1 - p1))
 *
 * p0 is what healthy peers fail (health/pool.h): where everyone fails, one
 * endpoint's failures are no evidence against it. A sum that reaches h is a
 * false alarm once in e^h requests at most (G. Lorden 1971), whatever p0 is:
 * that is what the threshold is chosen by, not a count of failures.
 *
 *   bits  0..15  `broken`, bits 16..31 `faulty`, in 1/256
 *
 * The word of an endpoint that does not fail is 0 and is not written.
 */
#ifndef ILB_SIGNAL_EVIDENCE_H
#define ILB_SIGNAL_EVIDENCE_H

#define ILB_EVIDENCE_ONE 256

/* What each failure adds and each good answer takes, for the present p0; all
 * in 1/256. */
typedef struct ilb__evidence_steps {
    uint16_t broken_up, broken_down, faulty_up, faulty_down;
} ilb__evidence_steps;

typedef struct ilb__evidence_sums {
    uint32_t broken, faulty; /* in 1/256 */
} ilb__evidence_sums;

/* The steps for a p0. */
ILB_INTERNAL ilb__evidence_steps ilb__evidence_steps_for(float p0);

ILB_INTERNAL ilb__evidence_sums ilb__evidence_read(const ilb__a64 *word);

ILB_INTERNAL void ilb__evidence_good(ilb__a64 *word, ilb__evidence_steps s);

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

/* What is left, 0..1, after `t` of something with the time constant `tau`,
 * which is above 0; both in the same unit. */
static inline double ilb__decay(double t, double tau)
{
    const double ln2 = 0.69314718055994530942;
    double x, r, p, scale;
    uint64_t k, bits;

    if (t <= 0)
        return 1;
    x = t / tau;
    if (x > 700)
        return 0;
    k = (uint64_t)(x / ln2 + 0.5);
    r = (double)k * ln2 - x;
    p = 1 + r / 7;
    p = 1 + r / 6 * p;
    p = 1 + r / 5 * p;
    p = 1 + r / 4 * p;
    p = 1 + r / 3 * p;
    p = 1 + r / 2 * p;
    p = 1 + r * p;
    bits = (UINT64_C(1023) - k) << 52;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/*
 * The logarithm to the base 2 of a normal float above 0: its exponent, and of
 * the mantissa m in sqrt(1/2)..sqrt(2) the series of the area tangent,
 * ln m = 2 (z + z^3/3 + z^5/5), z = (m - 1) / (m + 1), right to 1e-6.
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
/* So that a clean history makes no single failure decide everything, and a
 * wholly failing pool no failure count for nothing at all. */
#define ILB__EVIDENCE_P0_MIN 1e-6f
#define ILB__EVIDENCE_P0_MAX 0.45f
#define ILB__EVIDENCE_FAULTY_MAX 0.6f
/* Sums end here: what was proved long ago is forgotten in bounded time. */
#define ILB__EVIDENCE_MAX (64 * ILB_EVIDENCE_ONE)

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
    if (p0 > ILB__EVIDENCE_P0_MAX)
        p0 = ILB__EVIDENCE_P0_MAX;
    p1 = p0 * ILB__EVIDENCE_FAULTY_FACTOR;
    if (p1 < ILB__EVIDENCE_FAULTY_MIN)
        p1 = ILB__EVIDENCE_FAULTY_MIN;
    if (p1 > ILB__EVIDENCE_FAULTY_MAX)
        p1 = ILB__EVIDENCE_FAULTY_MAX;
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

static uint64_t ilb__evidence_pack(ilb__evidence_sums e)
{
    return (uint64_t)e.faulty << 16 | e.broken;
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
    } while (!ilb__cas_relaxed(word, &seen, ilb__evidence_pack(e)));
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
    } while (!ilb__cas_relaxed(word, &seen, ilb__evidence_pack(e)));
    return e;
}
/* ==== libilb/signal/window.c ============================================= */
/* See window.h. */
/* ==== libilb/signal/window.h ============================================= */
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
/* ==== back in libilb/signal/window.c */

#include <string.h>

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
                                        uint32_t failed, float keep_long,
                                        float keep_short)
{
    uint64_t seen = ilb__load_relaxed(&w->seen);
    uint32_t more_ended = ended - (uint32_t)seen;
    uint32_t more_failed = failed - (uint32_t)(seen >> 32);
    ilb__tally more = {(float)more_ended, (float)more_failed};

    ilb__store_relaxed(&w->seen, (uint64_t)failed << 32 | ended);
    ilb__window_add(&w->long_term, keep_long, more);
    ilb__window_add(&w->short_term, keep_short, more);
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
    if (ilb__load_unanswered(seen) == 0)
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

/* If the old are all gone, the young become the old. */
static uint64_t ilb__load_turned(ilb__load *l, uint64_t word, uint64_t now_ns)
{
    uint64_t young = ilb__load_young(word);

    if (ilb__load_old(word) != 0 || young == 0)
        return word;
    ilb__store_relaxed(&l->mark_ns, now_ns);
    return (word ^ ILB_LOAD_PARITY) - young * ILB__LOAD_ONE_YOUNG +
           young * ILB__LOAD_ONE_OLD;
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
         * ticket's holder did with the slot is over before it is reused. */
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

    /* Acquire: pairs with the release in ilb__load_return. */
    return ilb__load_in_flight(word) == 0 &&
           ilb__cas_strong_acquire(&l->word, word, word + ILB__LOAD_GENERATION_ONE);
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
 * that nothing is known. A stamp wraps after 3 days: an estimate that is more
 * than half of that old reads as fresh until the next answer, no more.
 *
 * The reference m is the median of all endpoints' estimates, p99 is of all
 * answers of late (health/pool.h).
 *
 * Reading, at any time, writes nothing:
 *
 *     L = m + (estimate - m) exp(-dt / tau)
 *
 * where dt is the time since the last answer: what is stale means "as the
 * others". tau is 5 s, but after a peak 0.2 s x 4^(level - 1), at most
 * `patience`: a lone blip costs an endpoint a second; one that is slow each
 * time it is tried again is tried ever less.
 *
 * Learning, from an answer that took x:
 *
 *     peak, x > 3 max(m, p99) and x > 2 L:   estimate = x; the level rises by
 *         one, if the request began after the last answer (what was in flight
 *         together is one observation);
 *     else   estimate = L + g (x - L),   g = 1 - exp(-dt / 1 s), at least
 *         0.1 if x is better, 0.3 if it is worse,
 *         0.5 if x <= 2 m and the level is above 0: it was a blip; the level
 *         ends when the estimate is at 2 m.
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

typedef struct ilb__figures {
    float median_ns;   /* of the endpoints' latency estimates; 0: unknown */
    float p99_ns;      /* of all good answers of late; 0: unknown */
    float p0;          /* share of requests that healthy endpoints fail */
    float rate_per_s;  /* requests that end, of all endpoints */
    float patience_ns; /* time constant, at most, of trying a slow one again */
    uint64_t suspect_ns; /* how long one failure keeps an endpoint back */
    uint32_t aperture;   /* endpoints to use; UINT32_MAX: all */
    bool overloaded;     /* those that are left suffer from the ejections */
    ilb__evidence_steps steps;
} ilb__figures;

#endif
/* ==== back in libilb/signal/latency.h */

typedef struct ilb__latency {
    ilb__a64 word;
} ilb__latency;

/* The estimate, not faded; 0: nothing but a bound is known, or nothing. */
ILB_INTERNAL float ilb__latency_estimate_ns(const ilb__latency *l);

/* Peaks in a row: above 0, the endpoint has not proved itself since. */
ILB_INTERNAL uint32_t ilb__latency_level(const ilb__latency *l);

/* What the estimate is worth now. Without a median, nothing is known of the
 * others either; then the estimate stands as it is. */
ILB_INTERNAL float ilb__latency_read_ns(const ilb__latency *l,
                                        const ilb__figures *f, uint64_t now_ns);

/* A good answer took `sample_ns`. */
ILB_INTERNAL void ilb__latency_learn(ilb__latency *l, uint64_t sample_ns,
                                     const ilb__figures *f, uint64_t now_ns);

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
/* How long what was learned is trusted without new answers. */
#define ILB__LATENCY_STALE_TAU_NS 5e9f
/* The same after a peak, for its first level. */
#define ILB__LATENCY_PEAK_TAU_NS 2e8f
#define ILB__LATENCY_PEAK_SHIFT 2
#define ILB__LATENCY_GAIN_BETTER 0.1f
#define ILB__LATENCY_GAIN_WORSE 0.3f
#define ILB__LATENCY_GAIN_BLIP 0.5f
#define ILB__LATENCY_PEAK_FACTOR 3.0f
#define ILB__LATENCY_PEAK_ANEW 2.0f
#define ILB__LATENCY_ORDINARY_FACTOR 2.0f
#define ILB__LATENCY_LEVEL_MAX 15

#define ILB__LATENCY_STAMP_SHIFT 20
#define ILB__LATENCY_STAMP_MASK ((UINT32_C(1) << 28) - 1)

typedef struct ilb__latency_fields {
    float estimate_ns;
    uint32_t level;
} ilb__latency_fields;

static uint64_t ilb__latency_pack(ilb__latency_fields f, uint64_t now_ns)
{
    uint32_t stamp =
        (uint32_t)(now_ns >> ILB__LATENCY_STAMP_SHIFT) & ILB__LATENCY_STAMP_MASK;
    uint32_t bits;

    memcpy(&bits, &f.estimate_ns, sizeof bits);
    return (uint64_t)bits << 32 | f.level << 28 | stamp;
}

static ilb__latency_fields ilb__latency_unpack(uint64_t word)
{
    uint32_t bits = (uint32_t)(word >> 32);
    ilb__latency_fields f;

    memcpy(&f.estimate_ns, &bits, sizeof bits);
    f.level = (uint32_t)word >> 28;
    return f;
}

/* How far behind another thread's clock reading may be. A stamp further in the
 * future than that was made before the clock went back: of unknown age, and
 * the circle makes it old. */
#define ILB__LATENCY_SKEW_TICKS 2048

/* Nanoseconds since the word's stamp. */
static float ilb__latency_since_ns(uint64_t word, uint64_t now_ns)
{
    uint32_t ticks =
        ((uint32_t)(now_ns >> ILB__LATENCY_STAMP_SHIFT) - (uint32_t)word) &
        ILB__LATENCY_STAMP_MASK;

    return ticks > ILB__LATENCY_STAMP_MASK - ILB__LATENCY_SKEW_TICKS
               ? 0
               : (float)ticks * (float)(1 << ILB__LATENCY_STAMP_SHIFT);
}

static float ilb__latency_tau_ns(uint32_t level, const ilb__figures *f)
{
    float tau_ns = ILB__LATENCY_PEAK_TAU_NS;

    if (level == 0)
        return ILB__LATENCY_STALE_TAU_NS;
    tau_ns *= (float)(UINT64_C(1) << (ILB__LATENCY_PEAK_SHIFT * (level - 1)));
    if (tau_ns > f->patience_ns)
        tau_ns = f->patience_ns > ILB__LATENCY_PEAK_TAU_NS ? f->patience_ns
                                                      : ILB__LATENCY_PEAK_TAU_NS;
    return tau_ns;
}

static float ilb__latency_faded(uint64_t word, const ilb__figures *f,
                           uint64_t now_ns)
{
    ilb__latency_fields l = ilb__latency_unpack(word);
    float since_ns;

    if (l.estimate_ns < 0 && -l.estimate_ns > f->median_ns)
        l.estimate_ns = -l.estimate_ns;
    if (l.estimate_ns <= 0)
        return f->median_ns;
    since_ns = ilb__latency_since_ns(word, now_ns);
    if (f->median_ns == 0 || since_ns == 0)
        return l.estimate_ns;
    return f->median_ns +
           (l.estimate_ns - f->median_ns) *
               (float)ilb__decay((double)since_ns,
                                 (double)ilb__latency_tau_ns(l.level, f));
}

/* Out of the ordinary for the pool, and news of this endpoint? */
static bool ilb__latency_is_peak(float sample_ns, float faded_ns,
                            const ilb__figures *f)
{
    float ordinary_ns = f->median_ns > f->p99_ns ? f->median_ns : f->p99_ns;

    return f->median_ns > 0 && sample_ns > ILB__LATENCY_PEAK_FACTOR * ordinary_ns &&
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

static ilb__latency_fields ilb__latency_learned(uint64_t word, float sample_ns,
                                      const ilb__figures *f, uint64_t now_ns)
{
    ilb__latency_fields l = ilb__latency_unpack(word);
    float faded_ns = ilb__latency_faded(word, f, now_ns);
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
    gain = 1 - (float)ilb__decay((double)ilb__latency_since_ns(word, now_ns),
                                 ILB__LATENCY_LEARN_TAU_NS);
    if (gain < least)
        gain = least;
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

ILB_INTERNAL uint32_t ilb__latency_level(const ilb__latency *l)
{
    return ilb__latency_unpack(ilb__load_relaxed(&l->word)).level;
}

ILB_INTERNAL float ilb__latency_read_ns(const ilb__latency *l,
                                        const ilb__figures *f, uint64_t now_ns)
{
    return ilb__latency_faded(ilb__load_relaxed(&l->word), f, now_ns);
}

ILB_INTERNAL void ilb__latency_learn(ilb__latency *l, uint64_t sample_ns,
                                     const ilb__figures *f, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&l->word);
    ilb__latency_fields next;

    do {
        next = ilb__latency_learned(word, ilb__latency_sample(sample_ns), f, now_ns);
    } while (!ilb__cas_relaxed(&l->word, &word, ilb__latency_pack(next, now_ns)));
}

ILB_INTERNAL void ilb__latency_learn_bound(ilb__latency *l, uint64_t waited_ns,
                                           const ilb__figures *f,
                                           uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&l->word);
    float bound = ilb__latency_sample(waited_ns);
    ilb__latency_fields next;

    do {
        float faded_ns = ilb__latency_faded(word, f, now_ns);

        next = ilb__latency_unpack(word);
        if (bound <= faded_ns)
            return;
        if (ilb__latency_is_peak(bound, faded_ns, f))
            next.level = ilb__latency_raised(word, next.level, bound, now_ns);
        next.estimate_ns = next.estimate_ns > 0 ? bound : -bound;
    } while (!ilb__cas_relaxed(&l->word, &word, ilb__latency_pack(next, now_ns)));
}

ILB_INTERNAL void ilb__latency_forget(ilb__latency *l)
{
    ilb__store_relaxed(&l->word, 0);
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
/* How far behind another thread's clock reading may be. A stamp further in the
 * future was made before the clock went back: the circle makes it old. */
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

ILB_INTERNAL void ilb__index_init(ilb__index *x, ilb__arena *a, uint32_t n)
{
    uint32_t n_cells = 4;

    while (n_cells / 2 < n)
        n_cells *= 2;
    x->cells = ilb__arena_take(a, n_cells, sizeof *x->cells);
    x->mask = n_cells - 1;
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

/* ==== libilb/set/slot.h ================================================== */
/*
 * A slot: all that is known of one endpoint. Slots are type-stable: made with
 * the balancer, found by index, never freed, recycled with a new generation
 * (signal/load.h). Whoever holds an index may therefore always read a slot;
 * the generation tells whether it is still the endpoint that he meant.
 */
#ifndef ILB_SET_SLOT_H
#define ILB_SET_SLOT_H

typedef struct ilb__slot {
    /* The line that a pick reads and a request writes. */
    _Alignas(ILB_CACHELINE_BYTES) ilb__load load;
    ilb__latency latency;
    ilb__failures failures;
    ilb__a64 health; /* health/health.h */
    ilb__a64 evidence;
    ilb__a32 weight;

    /* What ilb_done counts. */
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 done[ILB_OUTCOME_COUNT];
    ilb__a64 ejections;
    _Atomic(void *) user;
    ilb__window window;

    /* The writer's, under the balancer's mutex; the address is also read by
     * holders of a ticket, whose request keeps the slot from being reused. */
    uint64_t hash;
    uint64_t plan;     /* number of the last update that had it in its list */
    uint32_t position; /* in ilb__set.listed or .draining */
    bool listed;
    uint8_t readiness; /* an ilb_readiness */
    char address[ILB_ADDRESS_MAX + 1];
} ilb__slot;

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
/* ==== back in libilb/set/table.h */

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

    /* Pairs with the release in ilb__table_publish. */
    v.version = ilb__load_acquire(&t->version);
    v.buffer = &t->buffers[v.version & 1];
    v.n = (uint32_t)ilb__load_relaxed(&v.buffer->n);
    v.weight_total = ilb__load_relaxed(&v.buffer->weight_total);
    return v;
}

/* Was all that was read through the view of one table? */
static inline bool ilb__table_holds(const ilb__table *t, const ilb__view *v)
{
    /* Pairs with the fence in ilb__table_publish. */
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

    /* The version before this one was published by the last call. Pairs with
     * the fence in ilb__table_holds. */
    ilb__fence_release();
    for (uint32_t i = 0; i < n; i++)
        ilb__store_relaxed(&b->ids[i], ids[i]);
    if (total != 0)
        ilb__table_make_aliases(t, b, weights, n, total);
    ilb__store_relaxed(&b->n, n);
    ilb__store_relaxed(&b->n_listed, n_listed);
    ilb__store_relaxed(&b->weight_total, total);
    /* Pairs with the acquire in ilb__table_view. */
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

/* What the rooms above want to know while an update is applied. */
typedef struct ilb__set_watch {
    void (*enters)(ilb__slot *slot, void *user); /* before it can be drawn */
    void (*leaves)(ilb__slot *slot, void *user); /* after it cannot */
    void *user;
} ilb__set_watch;

typedef struct ilb__set {
    ilb__slot *slots;
    uint32_t capacity; /* of a list */
    uint32_t n_slots;
    uint32_t n_fresh; /* slots that were never used begin here */
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
    if (rc == ILB_OK && n_new > s->n_free + (s->n_slots - s->n_fresh))
        rc = ILB_ECAPACITY;
    return rc;
}

/* ---- Applying ---------------------------------------------------------- */

/* A slot for a new endpoint, with nothing learned. Its load word stays: its
 * generation is the slot's, and late readers may be undoing a take in it. */
static uint32_t ilb__set_new_slot(ilb__set *s, const char *address)
{
    uint32_t i = s->n_free > 0 ? s->free[--s->n_free] : s->n_fresh++;
    ilb__slot *slot = &s->slots[i];

    ilb__latency_forget(&slot->latency);
    ilb__store_relaxed(&slot->failures.word, 0);
    ilb__store_relaxed(&slot->evidence, 0);
    ilb__window_reset(&slot->window);
    ilb__store_relaxed(&slot->ejections, 0);
    for (int k = 0; k < ILB_OUTCOME_COUNT; k++)
        ilb__store_relaxed(&slot->done[k], 0);
    memcpy(slot->address, address, strlen(address) + 1);
    slot->hash = ilb__set_hash(s, address);
    slot->plan = s->n_plans;
    slot->listed = false;
    slot->readiness = ILB_NOT_READY;
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

static void ilb__set_enter(ilb__set *s, uint32_t position, const ilb_endpoint *e,
                      const ilb__set_watch *watch)
{
    uint32_t i = s->plan[position];
    ilb__slot *slot;
    bool before;

    if (i == ILB_INDEX_NONE)
        i = s->plan[position] = ilb__set_new_slot(s, e->address);
    else if (!s->slots[i].listed)
        ilb__set_undrain(s, &s->slots[i]);
    slot = &s->slots[i];
    before = ilb__set_can_be_drawn(slot);
    slot->listed = true;
    slot->readiness = (uint8_t)e->readiness;
    ilb__store32_relaxed(&slot->weight, e->weight == 0 ? 1 : e->weight);
    /* Pairs with the acquire in ilb_ticket_user and ilb__stats_of. */
    atomic_store_explicit(&slot->user, e->user, memory_order_release);
    if (!before && ilb__set_can_be_drawn(slot))
        watch->enters(slot, watch->user);
}

static void ilb__set_publish(ilb__set *s)
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

    for (uint32_t i = 0; i < n; i++)
        ilb__set_enter(s, i, &endpoints[i], watch);
    n_drained = s->n_draining;
    ilb__set_drain_missing(s);
    for (uint32_t i = 0; i < n; i++) {
        s->listed[i] = s->plan[i];
        s->slots[s->plan[i]].position = i;
    }
    s->n_listed = n;
    ilb__set_publish(s);
    /* `leaves` does nothing for what has left before. */
    for (uint32_t k = n_drained; k < s->n_draining; k++)
        watch->leaves(&s->slots[s->draining[k]], watch->user);
    for (uint32_t k = 0; k < n; k++)
        if (!ilb__set_can_be_drawn(&s->slots[s->listed[k]]))
            watch->leaves(&s->slots[s->listed[k]], watch->user);
    ilb__set_reclaim(s);
}

ILB_INTERNAL void ilb__set_change_readiness(ilb__set *s, ilb__slot *slot,
                                            ilb_readiness readiness,
                                            const ilb__set_watch *watch)
{
    bool before = ilb__set_can_be_drawn(slot);

    slot->readiness = (uint8_t)readiness;
    if (before == ilb__set_can_be_drawn(slot))
        return;
    if (!before)
        watch->enters(slot, watch->user);
    ilb__set_publish(s);
    if (before)
        watch->leaves(slot, watch->user);
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
 *   bits  8..15  good    good answers while WARMING
 *   bits 16..63  until   in units of 2^16 ns: EJECTED, when the next probe is
 *                        due; PROBING, when this one counts as lost; HEALTHY
 *                        with a level, when the level falls by one
 *
 * Every change is one CAS, so exactly one of many threads ejects an endpoint,
 * takes its probe, or counts it as back.
 *
 * Who ejects: failures that healthy peers do not have (signal/evidence.h), or
 * simply so many in a row, unless everyone fails. Thresholds, in nats:
 *
 *     broken >= 16   a false alarm once in e^16 = 9 million requests
 *     faulty >= 18   once in 66 million; it looks at many more, correlated ones
 *     half of that while the level is above 0: it has been ejected of late
 *     broken >= 5    WARMING after an ejection: one failure, in a clean pool
 *
 * Ejection lasts
 *
 *     level      1..7     8, 9     10 ..
 *              base   2.5 base   3 base       +-10 % at random, so that
 *                                             callers do not return together
 *
 * but with few requests so long that a probe is at most one in 150 (level 1),
 * 300 (2), 450 (3 ..) of them; at most max. Who fails again soon after its
 * return, when its probe was good, is at level 8 at least: its probes say
 * little, as those of one that fails now and then or flaps. A fault of a minute
 * costs five probes, each of which may fail, and the endpoint is back within
 * base x 1.1 of healing. Doubling, as Envoy and Finagle do it, costs fewer
 * probes but returns as long after healing as the fault lasted.
 *
 * Return is half-open: when the time has come one request tries the endpoint
 * (PROBING); its success brings it back to WARMING, as a newcomer of whom
 * nothing is known and to whom few requests may be in flight at first; anything
 * else ejects it again. The level falls by one for each 30 s x level of being
 * healthy: by evidence, not by time spent ejected. (Half-open return: Finagle's
 * failure accrual; growth and decay: Envoy's outlier detection, which however
 * returns to full traffic by time alone.)
 *
 * How many may be ejected is capped: at most max_ejection_percent of the
 * ready endpoints, but one if there are two or more; and never the last. The
 * count is reserved before the state changes, so that the cap holds however
 * many threads eject at once.
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

/* What a failure is judged by. */
typedef struct ilb__failing {
    uint32_t row; /* so many in a row with this one */
    ilb__evidence_sums sums;
    uint32_t n_ready; /* endpoints */
    uint32_t bits;    /* random ones, for the jitter */
} ilb__failing;

typedef struct ilb__judge {
    uint32_t consecutive_failures;
    uint32_t max_ejection_percent;
    uint64_t base_ejection_time_ns;
    uint64_t max_ejection_time_ns;
    _Alignas(ILB_CACHELINE_BYTES) ilb__a32 n_ejected; /* and probing */
    ilb__a64 next_due_ns; /* no ejected endpoint is due before; UINT64_MAX */
} ilb__judge;

static inline enum ilb__health_state ilb__health_state_of(uint64_t word)
{
    return (enum ilb__health_state)(word & 7);
}

/* May it be drawn, apart from probes? */
static inline bool ilb__health_eligible(uint64_t word)
{
    enum ilb__health_state s = ilb__health_state_of(word);

    return s == ILB__HEALTHY || s == ILB__WARMING;
}

/* In flight at most, before others are preferred: 1 until the first good
 * answer, then 2, 3, 4, 8; no bound when healthy. */
ILB_INTERNAL uint32_t ilb__health_in_flight_cap(uint64_t word);

/* `until` in nanoseconds. */
ILB_INTERNAL uint64_t ilb__health_until_ns(uint64_t word);

ILB_INTERNAL void ilb__judge_init(ilb__judge *j, const ilb_options *o);

/* The endpoint can be drawn from now on; it cannot any more. */
ILB_INTERNAL void ilb__health_enter(ilb__judge *j, ilb__slot *slot);
ILB_INTERNAL void ilb__health_leave(ilb__judge *j, ilb__slot *slot);

/* A good answer; `probe`: to the request that was the probe. */
ILB_INTERNAL void ilb__health_good(ilb__judge *j, ilb__slot *slot, bool probe,
                                   uint64_t now_ns);

/* A failure. True: it has ejected the endpoint. */
ILB_INTERNAL bool ilb__health_bad(ilb__judge *j, ilb__slot *slot, bool probe,
                                  const ilb__failing *failing,
                                  const ilb__figures *f, uint64_t now_ns);

/* A probe ended with neither: the next request may try again. */
ILB_INTERNAL void ilb__health_inconclusive(ilb__judge *j, ilb__slot *slot,
                                           uint64_t now_ns);

/* Is it time to look for an endpoint to probe? One word to read. */
static inline bool ilb__judge_due(const ilb__judge *j, uint64_t now_ns)
{
    return ILB_UNLIKELY(now_ns >= ilb__load_relaxed(&j->next_due_ns));
}

/* Whatever is due, it must be looked for once more: the search may have missed
 * one, or a clock went back and what is due later may be due now. */
ILB_INTERNAL void ilb__judge_search_again(ilb__judge *j, uint64_t now_ns);

/* Begins the search of due endpoints: true for one caller, who passes every
 * endpoint of the table to ilb__health_claim until that is true. */
ILB_INTERNAL bool ilb__judge_begin_search(ilb__judge *j, uint64_t now_ns);

/* True: this slot is PROBING and the caller's request is its probe. Else,
 * when it will be due is noted. `may_claim` false: only note. */
ILB_INTERNAL bool ilb__health_claim(ilb__judge *j, ilb__slot *slot,
                                    bool may_claim, uint64_t now_ns);

/* After an update: if more are ejected than the cap allows now, brings this
 * one back. */
ILB_INTERNAL void ilb__health_enforce_cap(ilb__judge *j, ilb__slot *slot,
                                          uint32_t n_ready);

#endif
/* ==== back in libilb/health/health.c */

/* Good answers in WARMING until HEALTHY, and the in-flight cap by their
 * number (the last value holds to the end). */
#define ILB__HEALTH_GOOD_TO_HEALTHY 12
#define ILB__HEALTH_LEVEL_MAX 31
#define ILB__HEALTH_BROKEN (16 * ILB_EVIDENCE_ONE)
#define ILB__HEALTH_FAULTY (18 * ILB_EVIDENCE_ONE)
#define ILB__HEALTH_BROKEN_WARMING (5 * ILB_EVIDENCE_ONE)
/* Where this share of healthy endpoints' requests fails, failures in a row
 * say nothing about one endpoint. */
#define ILB__HEALTH_ROW_P0_MAX 0.25f
#define ILB__HEALTH_LEVEL_LONGER 8
#define ILB__HEALTH_LEVEL_LONGEST 10
#define ILB__HEALTH_PROBE_REQUESTS 150.0
/* Healthy time, per level, after which the level falls. */
#define ILB__HEALTH_LEVEL_DECAY_NS (30 * ILB_SECOND_NS)
/* With 48 bits the whole range of the clock, whatever its epoch. */
#define ILB__HEALTH_UNTIL_SHIFT 16
#define ILB__HEALTH_UNTIL_MAX ((UINT64_C(1) << 48) - 1)

typedef struct ilb__health_fields {
    enum ilb__health_state state;
    uint32_t level;
    uint32_t good;
    uint64_t until_ns;
} ilb__health_fields;

static ilb__health_fields ilb__health_unpack(uint64_t word)
{
    ilb__health_fields h = {ilb__health_state_of(word), (uint32_t)(word >> 3) & 31,
                       (uint32_t)(word >> 8) & 255,
                       (word >> 16) << ILB__HEALTH_UNTIL_SHIFT};
    return h;
}

static uint64_t ilb__health_pack(ilb__health_fields h)
{
    /* Rounded up: never due before its time. */
    uint64_t until = (h.until_ns >> ILB__HEALTH_UNTIL_SHIFT) +
                     ((h.until_ns & ((1 << ILB__HEALTH_UNTIL_SHIFT) - 1)) != 0);

    if (until > ILB__HEALTH_UNTIL_MAX)
        until = ILB__HEALTH_UNTIL_MAX;
    return until << 16 | (uint64_t)h.good << 8 | (uint64_t)h.level << 3 |
           (uint64_t)h.state;
}

ILB_INTERNAL uint64_t ilb__health_until_ns(uint64_t word)
{
    return ilb__health_unpack(word).until_ns;
}

ILB_INTERNAL uint32_t ilb__health_in_flight_cap(uint64_t word)
{
    ilb__health_fields h = ilb__health_unpack(word);

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
    ilb__store_relaxed(&j->next_due_ns, UINT64_MAX);
}

/* ---- Times ------------------------------------------------------------- */

static uint64_t ilb__health_ejection_ns(const ilb__judge *j, uint32_t level,
                                   float rate_per_s)
{
    double ns = (double)j->base_ejection_time_ns;
    double requests = ILB__HEALTH_PROBE_REQUESTS * (level < 3 ? level : 3);
    double few = requests * 1e9 / ((double)rate_per_s + 1e-3);

    if (level >= ILB__HEALTH_LEVEL_LONGEST)
        ns *= 3;
    else if (level >= ILB__HEALTH_LEVEL_LONGER)
        ns *= 2.5;
    if (ns < few)
        ns = few;
    return ns < (double)j->max_ejection_time_ns ? (uint64_t)ns
                                                : j->max_ejection_time_ns;
}

/* 90 % to 110 % of it, but at most the maximum. */
static uint64_t ilb__health_jittered_ns(const ilb__judge *j, uint64_t ns,
                                   uint32_t bits)
{
    double factor = 0.9 + 0.2 * ((double)bits / 4294967296.0);
    double jittered = (double)ns * factor;

    return jittered >= (double)j->max_ejection_time_ns ? j->max_ejection_time_ns
                                                       : (uint64_t)jittered;
}

static void ilb__health_due_at(ilb__judge *j, uint64_t at_ns)
{
    uint64_t due = ilb__load_relaxed(&j->next_due_ns);

    while (at_ns < due)
        if (ilb__cas_relaxed(&j->next_due_ns, &due, at_ns))
            return;
}

/* ---- The cap ----------------------------------------------------------- */

static uint32_t ilb__health_cap(const ilb__judge *j, uint32_t n_ready)
{
    uint32_t cap =
        (uint32_t)((uint64_t)n_ready * j->max_ejection_percent / 100);

    if (n_ready < 2)
        return 0;
    if (cap == 0)
        return 1;
    return cap < n_ready ? cap : n_ready - 1;
}

static bool ilb__health_reserve(ilb__judge *j, uint32_t n_ready)
{
    if (ilb__add32_relaxed(&j->n_ejected, 1) < ilb__health_cap(j, n_ready))
        return true;
    ilb__sub32_relaxed(&j->n_ejected, 1);
    return false;
}

static bool ilb__health_counts(enum ilb__health_state s)
{
    return s == ILB__EJECTED || s == ILB__PROBING;
}

/* ---- Transitions ------------------------------------------------------- */

ILB_INTERNAL void ilb__health_enter(ilb__judge *j, ilb__slot *slot)
{
    const ilb__health_fields warming = {ILB__WARMING, 0, 0, 0};

    (void)j;
    /* Alone: nobody draws it yet, and late answers leave OUT as it is. What
     * it failed before it was away says nothing of it now. */
    ilb__store_relaxed(&slot->failures.word, 0);
    ilb__store_relaxed(&slot->evidence, 0);
    ilb__store_relaxed(&slot->health, ilb__health_pack(warming));
}

ILB_INTERNAL void ilb__health_leave(ilb__judge *j, ilb__slot *slot)
{
    uint64_t word = ilb__load_relaxed(&slot->health);

    while (!ilb__cas_relaxed(&slot->health, &word, ILB__OUT))
        continue;
    if (ilb__health_counts(ilb__health_state_of(word)))
        ilb__sub32_relaxed(&j->n_ejected, 1);
}

static bool ilb__health_after_good(ilb__health_fields *h, bool probe, uint64_t now_ns)
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
        h->state = ILB__WARMING;
        h->good = 0;
        h->until_ns = 0;
        return true;
    case ILB__OUT:
    case ILB__EJECTED: /* an answer from before: the probe decides */
        return false;
    }
    h->until_ns = h->level == 0
                      ? 0
                      : ilb__later_ns(now_ns, h->level * ILB__HEALTH_LEVEL_DECAY_NS);
    return true;
}

/* It is a newcomer again. */
static void ilb__health_returned(ilb__judge *j, ilb__slot *slot)
{
    ilb__latency_forget(&slot->latency);
    ilb__store_relaxed(&slot->evidence, 0);
    ilb__sub32_relaxed(&j->n_ejected, 1);
}

ILB_INTERNAL void ilb__health_good(ilb__judge *j, ilb__slot *slot, bool probe,
                                   uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__health_fields h;

    do {
        h = ilb__health_unpack(word);
        if (ILB_LIKELY(!ilb__health_after_good(&h, probe, now_ns)))
            return;
    } while (!ilb__cas_relaxed(&slot->health, &word, ilb__health_pack(h)));
    if (ilb__health_counts(ilb__health_state_of(word)))
        ilb__health_returned(j, slot);
}

static bool ilb__health_proves(const ilb__judge *j, ilb__health_fields h,
                          const ilb__failing *x, const ilb__figures *f)
{
    uint32_t part = h.level > 0 ? 2 : 1;

    if (j->consecutive_failures == ILB_NEVER)
        return false;
    if (x->row >= j->consecutive_failures && f->p0 < ILB__HEALTH_ROW_P0_MAX)
        return true;
    if (h.state == ILB__WARMING && h.level > 0 &&
        x->sums.broken >= ILB__HEALTH_BROKEN_WARMING)
        return true;
    return x->sums.broken >= ILB__HEALTH_BROKEN / part ||
           x->sums.faulty >= ILB__HEALTH_FAULTY / part;
}

/* Does this failure change the state? */
static bool ilb__health_trips(const ilb__judge *j, ilb__health_fields h, bool probe,
                         const ilb__failing *x, const ilb__figures *f)
{
    switch (h.state) {
    case ILB__PROBING:
        return probe;
    case ILB__WARMING:
    case ILB__HEALTHY:
        return ilb__health_proves(j, h, x, f);
    case ILB__OUT:
    case ILB__EJECTED:
        break;
    }
    return false;
}

ILB_INTERNAL bool ilb__health_bad(ilb__judge *j, ilb__slot *slot, bool probe,
                                  const ilb__failing *x, const ilb__figures *f,
                                  uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    bool reserved = false, ejected = false;
    ilb__health_fields h;

    do {
        h = ilb__health_unpack(word);
        if (ILB_LIKELY(!ilb__health_trips(j, h, probe, x, f)))
            break;
        if (h.state != ILB__PROBING && !reserved) {
            if (!ilb__health_reserve(j, x->n_ready))
                return false;
            reserved = true;
        }
        if (h.level > 0 && h.state != ILB__PROBING &&
            h.level < ILB__HEALTH_LEVEL_LONGER)
            h.level = ILB__HEALTH_LEVEL_LONGER;
        else if (h.level < ILB__HEALTH_LEVEL_MAX)
            h.level++;
        h.state = ILB__EJECTED;
        h.good = 0;
        h.until_ns = ilb__later_ns(
            now_ns,
            ilb__health_jittered_ns(j, ilb__health_ejection_ns(j, h.level, f->rate_per_s),
                               x->bits));
        if (ilb__cas_relaxed(&slot->health, &word, ilb__health_pack(h))) {
            if (!ilb__health_counts(ilb__health_state_of(word)))
                reserved = false; /* it is this endpoint's now */
            ilb__add_relaxed(&slot->ejections, 1);
            ilb__health_due_at(j, h.until_ns);
            ejected = true;
            break;
        }
    } while (true);
    if (reserved)
        ilb__sub32_relaxed(&j->n_ejected, 1);
    return ejected;
}

ILB_INTERNAL void ilb__health_inconclusive(ilb__judge *j, ilb__slot *slot,
                                           uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__health_fields h;

    do {
        h = ilb__health_unpack(word);
        if (h.state != ILB__PROBING)
            return;
        h.state = ILB__EJECTED;
        h.until_ns = now_ns;
    } while (!ilb__cas_relaxed(&slot->health, &word, ilb__health_pack(h)));
    ilb__health_due_at(j, now_ns);
}

/* ---- Probes ------------------------------------------------------------ */

ILB_INTERNAL bool ilb__judge_begin_search(ilb__judge *j, uint64_t now_ns)
{
    uint64_t due = ilb__load_relaxed(&j->next_due_ns);

    /* Whatever falls due from here on lowers it again by itself. A search
     * through a table that is replaced meanwhile may miss one: so there is
     * another within a second. */
    return now_ns >= due &&
           ilb__cas_strong_relaxed(&j->next_due_ns, due,
                                   ilb__load32_relaxed(&j->n_ejected) == 0
                                       ? UINT64_MAX
                                       : ilb__later_ns(now_ns, ILB_SECOND_NS));
}

ILB_INTERNAL void ilb__judge_search_again(ilb__judge *j, uint64_t now_ns)
{
    ilb__health_due_at(j, now_ns);
}

/* Further away than any ejection lasts: set before the clock went back. */
static bool ilb__health_is_due(const ilb__judge *j, uint64_t until_ns,
                          uint64_t now_ns)
{
    return now_ns >= until_ns ||
           until_ns - now_ns > j->max_ejection_time_ns + ILB_SECOND_NS;
}

ILB_INTERNAL bool ilb__health_claim(ilb__judge *j, ilb__slot *slot,
                                    bool may_claim, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__health_fields h = ilb__health_unpack(word);

    if (!ilb__health_counts(h.state))
        return false;
    if (!ilb__health_is_due(j, h.until_ns, now_ns) || !may_claim) {
        ilb__health_due_at(j, h.until_ns);
        return false;
    }
    h.state = ILB__PROBING;
    h.until_ns = ilb__later_ns(now_ns, j->base_ejection_time_ns);
    if (!ilb__cas_strong_relaxed(&slot->health, word, ilb__health_pack(h)))
        return false; /* who changed it has noted when it is due */
    ilb__health_due_at(j, h.until_ns);
    return true;
}

ILB_INTERNAL void ilb__health_enforce_cap(ilb__judge *j, ilb__slot *slot,
                                          uint32_t n_ready)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__health_fields h = ilb__health_unpack(word);

    if (ilb__load32_relaxed(&j->n_ejected) <= ilb__health_cap(j, n_ready) ||
        !ilb__health_counts(h.state))
        return;
    h.state = ILB__WARMING;
    h.good = 0;
    h.until_ns = 0;
    if (ilb__cas_strong_relaxed(&slot->health, word, ilb__health_pack(h)))
        ilb__health_returned(j, slot);
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
 *             when it holds 2000; above 1000 answers a second only every 2nd,
 *             4th ... is put in.
 *   p0        share of requests that healthy endpoints fail. In each of two
 *             windows (two minutes; half a second), of the best fifth of the
 *             endpoints and all others that are not twice as bad:
 *                 long:  (failed + 0.5) / (ended + 200)
 *                 short: failed / (ended + 20)
 *             and of the two the larger: a clean history makes one failure
 *             weigh much, but when all fail at once, none stands out. The best
 *             fifth, so that four of five endpoints may be bad.
 *   rate      requests that end in a second, decaying over 3 s.
 *   suspect   5 % of the mean time between failures of a healthy endpoint,
 *             20 ms to 1.5 s: keeping an endpoint back that long after each
 *             failure costs at most 5 % of the capacity, whatever the rate of
 *             random failures.
 *   patience  a slow endpoint is tried again once in about 4000 requests, but
 *             within 1 to 30 s.
 *   aperture  how many endpoints to use, so that each is heard of often enough
 *             to know it: 12, or as many as get four requests a second, or
 *             twice as many as are busy. Several callers with few requests
 *             each otherwise all act on what they heard long ago. (Finagle's
 *             aperture, by rate of information instead of load.)
 *   overload  see pool_overload in the source.
 */
#ifndef ILB_HEALTH_POOL_H
#define ILB_HEALTH_POOL_H

typedef struct ilb__pool {
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 refreshed_ns; /* 0: never */
    ilb__a64 latency;  /* median and p99: two floats */
    ilb__a64 failures; /* p0, a float, and suspect in units of 2^20 ns */
    ilb__a64 reach;    /* patience in 2^20 ns 16, overload 1, sampling 5,
                          aperture 32 */
    ilb__a64 steps;    /* ilb__evidence_steps */
    ilb__a64 rate;     /* a float */
    ilb__a64 calm;     /* in flight an endpoint, and latency, when few were
                          ejected: two floats */
    _Alignas(ILB_CACHELINE_BYTES) ilb__histogram answers;
} ilb__pool;

ILB_INTERNAL void ilb__pool_init(ilb__pool *p);

ILB_INTERNAL void ilb__pool_figures(const ilb__pool *p, ilb__figures *f);

/* A good answer, the `count`-th of its endpoint. The first of all stands for
 * the median until the next refresh. */
ILB_INTERNAL void ilb__pool_good(ilb__pool *p, uint64_t sample_ns,
                                 uint64_t count);

/* Is it time to refresh? Also after a clock went back. */
static inline bool ilb__pool_due(const ilb__pool *p, uint64_t now_ns)
{
    return ILB_UNLIKELY(now_ns - ilb__load_relaxed(&p->refreshed_ns) >=
                        100 * ILB_MS_NS);
}

/* Refreshes; one of several callers does. `failed`: because a request just
 * did, so sooner: 10 ms after the last time. */
ILB_INTERNAL void ilb__pool_refresh(ilb__pool *p, ilb__judge *j,
                                    ilb__slot *slots, const ilb__view *view,
                                    bool failed, uint64_t now_ns);

#endif
/* ==== back in libilb/health/pool.c */

#include <string.h>

#define ILB__POOL_PERIOD_NS (100 * ILB_MS_NS)
#define ILB__POOL_FAILED_PERIOD_NS (10 * ILB_MS_NS)
#define ILB__POOL_SAMPLES 64
#define ILB__POOL_HISTOGRAM_FULL 2000
#define ILB__POOL_LONG_TAU_S 120.0
#define ILB__POOL_SHORT_TAU_S 0.5
#define ILB__POOL_RATE_TAU_S 3.0
#define ILB__POOL_CALM_TAU_S 10.0
#define ILB__POOL_SUSPECT_SHARE 0.05
#define ILB__POOL_SUSPECT_MIN_S 0.02
#define ILB__POOL_SUSPECT_MAX_S 1.5
#define ILB__POOL_PATIENCE_REQUESTS 4000.0
/* From 20 times the median it takes four time constants until a faded
 * estimate is worth trying. */
#define ILB__POOL_PATIENCE_TAUS 4.0
#define ILB__POOL_APERTURE_MIN 12
#define ILB__POOL_APERTURE_RATE 4.0f
#define ILB__POOL_APERTURE_BUSY 2.0f
#define ILB__POOL_SAMPLED_PER_S 1000.0f
#define ILB__POOL_OVERLOAD_FACTOR 1.3f
#define ILB__POOL_OVERLOAD_P0 0.1f
#define ILB__POOL_CALM_EJECTED 8
#define ILB__POOL_MEDIAN_UNKNOWN 0

/* One look at the endpoints. */
typedef struct ilb__pool_look {
    float estimates[ILB__POOL_SAMPLES]; /* of the eligible ones, sorted */
    uint32_t n_estimates;
    ilb__tally long_term[ILB__POOL_SAMPLES];
    ilb__tally short_term[ILB__POOL_SAMPLES];
    uint32_t n, n_eligible;
    uint64_t in_flight; /* to eligible ones */
    uint64_t ended;     /* since the last look */
} ilb__pool_look;

/* ---- Words ------------------------------------------------------------- */

static uint64_t ilb__pool_bits(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static float ilb__pool_float(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float f;

    memcpy(&f, &low, sizeof f);
    return f;
}

static uint64_t ilb__pool_pair(float low, float high)
{
    return ilb__pool_bits(high) << 32 | ilb__pool_bits(low);
}

static void ilb__pool_publish_steps(ilb__pool *p, float p0)
{
    ilb__evidence_steps s = ilb__evidence_steps_for(p0);

    ilb__store_relaxed(&p->steps, (uint64_t)s.broken_up |
                                      (uint64_t)s.broken_down << 16 |
                                      (uint64_t)s.faulty_up << 32 |
                                      (uint64_t)s.faulty_down << 48);
}

ILB_INTERNAL void ilb__pool_figures(const ilb__pool *p, ilb__figures *f)
{
    uint64_t latency = ilb__load_relaxed(&p->latency);
    uint64_t failures = ilb__load_relaxed(&p->failures);
    uint64_t reach = ilb__load_relaxed(&p->reach);
    uint64_t steps = ilb__load_relaxed(&p->steps);

    f->median_ns = ilb__pool_float(latency);
    f->p99_ns = ilb__pool_float(latency >> 32);
    f->p0 = ilb__pool_float(failures);
    f->suspect_ns = (failures >> 32) << 20;
    f->aperture = (uint32_t)reach;
    f->overloaded = (reach >> 32 & 1) != 0;
    f->patience_ns = (float)((reach >> 48) << 20);
    f->rate_per_s = ilb__pool_float(ilb__load_relaxed(&p->rate));
    f->steps.broken_up = (uint16_t)steps;
    f->steps.broken_down = (uint16_t)(steps >> 16);
    f->steps.faulty_up = (uint16_t)(steps >> 32);
    f->steps.faulty_down = (uint16_t)(steps >> 48);
}

/* ---- Answers ----------------------------------------------------------- */

ILB_INTERNAL void ilb__pool_good(ilb__pool *p, uint64_t sample_ns,
                                 uint64_t count)
{
    uint64_t latency = ilb__load_relaxed(&p->latency);
    uint32_t sampling = (ilb__load_relaxed(&p->reach) >> 33) & 31;

    if (ILB_LIKELY((count & ((UINT64_C(1) << sampling) - 1)) == 0))
        ilb__histogram_add(&p->answers, sample_ns);
    if (ILB_UNLIKELY((uint32_t)latency == ILB__POOL_MEDIAN_UNKNOWN))
        (void)ilb__cas_strong_relaxed(
            &p->latency, latency,
            ilb__pool_pair((float)(sample_ns == 0 ? 1 : sample_ns),
                      ilb__pool_float(latency >> 32)));
}

/* ---- Looking at the endpoints ------------------------------------------ */

/* Puts `x` in its place among `n` sorted values. */
static void ilb__pool_insert(float *sorted, uint32_t n, float x)
{
    uint32_t at = n;

    while (at > 0 && sorted[at - 1] > x) {
        sorted[at] = sorted[at - 1];
        at--;
    }
    sorted[at] = x;
}

static void ilb__pool_look_at(ilb__pool_look *k, ilb__slot *slot, float keep_long,
                         float keep_short)
{
    uint64_t failed = ilb__load_relaxed(&slot->done[ILB_FAILURE]) +
                      ilb__load_relaxed(&slot->done[ILB_TIMEOUT]) +
                      ilb__load_relaxed(&slot->done[ILB_CONNECT_ERROR]);
    uint64_t ended = ilb__load_relaxed(&slot->done[ILB_SUCCESS]) + failed;
    float x = ilb__latency_estimate_ns(&slot->latency);

    k->ended += ilb__window_bring(&slot->window, (uint32_t)ended,
                                  (uint32_t)failed, keep_long, keep_short);
    k->long_term[k->n] = ilb__window_long(&slot->window);
    k->short_term[k->n] = ilb__window_short(&slot->window);
    k->n++;
    if (!ilb__health_eligible(ilb__load_relaxed(&slot->health)))
        return;
    k->n_eligible++;
    k->in_flight += ilb__load_in_flight(ilb__load_relaxed(&slot->load.word));
    if (x > 0)
        ilb__pool_insert(k->estimates, k->n_estimates++, x);
}

static void ilb__pool_look_around(ilb__pool_look *k, ilb__slot *slots,
                             const ilb__view *view, double since_s)
{
    float keep_long = (float)ilb__decay(since_s, ILB__POOL_LONG_TAU_S);
    float keep_short = (float)ilb__decay(since_s, ILB__POOL_SHORT_TAU_S);
    uint32_t step = view->n / ILB__POOL_SAMPLES + 1;

    k->n_estimates = k->n = k->n_eligible = 0;
    k->in_flight = k->ended = 0;
    for (uint32_t i = 0; i < view->n && k->n < ILB__POOL_SAMPLES; i += step)
        ilb__pool_look_at(k, &slots[ilb__endpoint_id_index(ilb__view_id(view, i))],
                     keep_long, keep_short);
}

/* ---- What healthy endpoints fail --------------------------------------- */

/* Of the best fifth, and of those that are not twice as bad. */
static float ilb__pool_healthy_share(const ilb__tally *tallies, uint32_t n,
                                float failed_before, float ended_before)
{
    uint8_t order[ILB__POOL_SAMPLES];
    float shares[ILB__POOL_SAMPLES];
    ilb__tally sum = {ended_before, failed_before};
    uint32_t best = (n + 4) / 5;

    for (uint32_t i = 0; i < n; i++) {
        float share =
            (tallies[i].failed + 0.5f) / (tallies[i].ended + ended_before);
        uint32_t at = i;

        while (at > 0 && shares[at - 1] > share) {
            shares[at] = shares[at - 1];
            order[at] = order[at - 1];
            at--;
        }
        shares[at] = share;
        order[at] = (uint8_t)i;
    }
    for (uint32_t i = 0; i < n; i++) {
        const ilb__tally *t = &tallies[order[i]];

        if (i >= best && t->failed * sum.ended > 2 * sum.failed * t->ended)
            break;
        sum.ended += t->ended;
        sum.failed += t->failed;
    }
    return sum.failed / sum.ended;
}

static void ilb__pool_refresh_failures(ilb__pool *p, const ilb__pool_look *k, float rate)
{
    float p0 = ilb__pool_healthy_share(k->long_term, k->n, 0.5f, 200);
    float now = ilb__pool_healthy_share(k->short_term, k->n, 0, 20);
    double per_endpoint =
        (double)rate / (k->n_eligible == 0 ? 1 : k->n_eligible);
    double suspect_s = ILB__POOL_SUSPECT_MAX_S;

    if (now > p0)
        p0 = now;
    if (per_endpoint * (double)p0 * ILB__POOL_SUSPECT_MAX_S > ILB__POOL_SUSPECT_SHARE)
        suspect_s = ILB__POOL_SUSPECT_SHARE / (per_endpoint * (double)p0);
    if (suspect_s < ILB__POOL_SUSPECT_MIN_S)
        suspect_s = ILB__POOL_SUSPECT_MIN_S;
    ilb__store_relaxed(&p->failures, (uint64_t)(suspect_s * 1e9 / (1 << 20))
                                             << 32 |
                                         ilb__pool_bits(p0));
    ilb__pool_publish_steps(p, p0);
}

/* ---- The rest ---------------------------------------------------------- */

static void ilb__pool_refresh_latency(ilb__pool *p, const ilb__pool_look *k)
{
    uint64_t latency = ilb__load_relaxed(&p->latency);
    uint32_t total = ilb__histogram_total(&p->answers);
    float median_ns = ilb__pool_float(latency), p99_ns = 0;

    if (k->n_estimates > 0)
        median_ns = k->estimates[(k->n_estimates - 1) / 2];
    if (total > 0)
        p99_ns = ilb__histogram_quantile_ns(&p->answers, total, 0.99f);
    if (total > ILB__POOL_HISTOGRAM_FULL)
        ilb__histogram_halve(&p->answers);
    ilb__store_relaxed(&p->latency, ilb__pool_pair(median_ns, p99_ns));
}

static float ilb__pool_refresh_rate(ilb__pool *p, const ilb__pool_look *k, uint32_t n,
                               double since_s)
{
    float rate = ilb__pool_float(ilb__load_relaxed(&p->rate));
    float keep = (float)ilb__decay(since_s, ILB__POOL_RATE_TAU_S);
    float now = (float)((double)k->ended * n / (k->n * since_s));

    rate = rate * keep + now * (1 - keep);
    ilb__store_relaxed(&p->rate, ilb__pool_bits(rate));
    return rate;
}

/*
 * Do the endpoints that are left suffer from the ejections? While at most one
 * in eight is ejected, what is in flight to an eligible endpoint and what it
 * takes are remembered (10 s). Later: if both are above 1.3 times that, yes,
 * and the least bad of the ejected may be chosen at their price. Also if those
 * that are left fail 10 % themselves: then the ejected are no exception.
 */
static bool ilb__pool_overload(ilb__pool *p, const ilb__pool_look *k, uint32_t n_ejected,
                          uint32_t n, double since_s)
{
    float median_ns = ilb__pool_float(ilb__load_relaxed(&p->latency));
    float p0 = ilb__pool_float(ilb__load_relaxed(&p->failures));
    uint64_t calm = ilb__load_relaxed(&p->calm);
    float calm_in_flight = ilb__pool_float(calm);
    float calm_ns = ilb__pool_float(calm >> 32);
    float in_flight =
        k->n_eligible == 0 ? 0 : (float)k->in_flight / (float)k->n_eligible;

    if (n_ejected > 0 && p0 >= ILB__POOL_OVERLOAD_P0)
        return true;
    if (n_ejected > 0 && n_ejected * ILB__POOL_CALM_EJECTED > n)
        return calm_ns > 0 &&
               in_flight > ILB__POOL_OVERLOAD_FACTOR * calm_in_flight &&
               median_ns > ILB__POOL_OVERLOAD_FACTOR * calm_ns;
    if (calm != 0) {
        float keep = (float)ilb__decay(since_s, ILB__POOL_CALM_TAU_S);

        in_flight = calm_in_flight * keep + in_flight * (1 - keep);
        median_ns = calm_ns * keep + median_ns * (1 - keep);
    }
    ilb__store_relaxed(&p->calm, ilb__pool_pair(in_flight, median_ns));
    return false;
}

static uint32_t ilb__pool_aperture(const ilb__pool_look *k, uint32_t n,
                              uint32_t n_ejected, float rate)
{
    float by_rate = rate / ILB__POOL_APERTURE_RATE;
    float busy =
        ILB__POOL_APERTURE_BUSY * (float)k->in_flight * (float)n / (float)k->n;
    float wanted = by_rate > busy ? by_rate : busy;

    if (wanted < ILB__POOL_APERTURE_MIN)
        wanted = ILB__POOL_APERTURE_MIN;
    wanted += (float)n_ejected;
    return wanted >= (float)n ? UINT32_MAX : (uint32_t)wanted;
}

static uint64_t ilb__pool_patience_ticks(float rate)
{
    double s = ILB__POOL_PATIENCE_REQUESTS / ((double)rate + 1);

    s = s < 1 ? 1 : s > 30 ? 30 : s;
    return (uint64_t)(s / ILB__POOL_PATIENCE_TAUS * 1e9 / (1 << 20));
}

static uint64_t ilb__pool_sampling(float rate)
{
    uint64_t shift = 0;

    while (rate > ILB__POOL_SAMPLED_PER_S && shift < 31) {
        rate /= 2;
        shift++;
    }
    return shift;
}

/* ---- Refreshing -------------------------------------------------------- */

ILB_INTERNAL void ilb__pool_init(ilb__pool *p)
{
    ilb__store_relaxed(&p->failures,
                       (uint64_t)(ILB__POOL_SUSPECT_MAX_S * 1e9 / (1 << 20)) << 32 |
                           ilb__pool_bits(0.5f / 200));
    ilb__store_relaxed(&p->reach, ilb__pool_patience_ticks(0) << 48 | UINT32_MAX);
    ilb__pool_publish_steps(p, 0.5f / 200);
}

static void ilb__pool_recompute(ilb__pool *p, ilb__judge *j, ilb__slot *slots,
                           const ilb__view *view, double since_s)
{
    uint32_t n_ejected = ilb__load32_relaxed(&j->n_ejected);
    bool overload;
    ilb__pool_look k;
    float rate;

    ilb__pool_look_around(&k, slots, view, since_s);
    if (k.n == 0)
        return;
    rate = ilb__pool_refresh_rate(p, &k, view->n, since_s);
    ilb__pool_refresh_failures(p, &k, rate);
    ilb__pool_refresh_latency(p, &k);
    overload = ilb__pool_overload(p, &k, n_ejected, view->n, since_s);
    ilb__store_relaxed(
        &p->reach, ilb__pool_patience_ticks(rate) << 48 | ilb__pool_sampling(rate) << 33 |
                       (uint64_t)overload << 32 |
                       ilb__pool_aperture(&k, view->n, n_ejected, rate));
}

ILB_INTERNAL void ilb__pool_refresh(ilb__pool *p, ilb__judge *j,
                                    ilb__slot *slots, const ilb__view *view,
                                    bool failed, uint64_t now_ns)
{
    uint64_t last = ilb__load_relaxed(&p->refreshed_ns);
    uint64_t since_ns = now_ns - last;

    if (since_ns < (failed ? ILB__POOL_FAILED_PERIOD_NS : ILB__POOL_PERIOD_NS) ||
        !ilb__cas_strong_relaxed(&p->refreshed_ns, last, now_ns))
        return;
    if (last == 0)
        since_ns = ILB__POOL_PERIOD_NS;
    if (now_ns < last) {
        since_ns = ILB__POOL_PERIOD_NS;
        ilb__judge_search_again(j, now_ns);
    }
    ilb__pool_recompute(p, j, slots, view, (double)since_ns / 1e9);
}
/* ==== libilb/select/score.c ============================================== */
/* See score.h for the formula. */
/* ==== libilb/select/score.h ============================================== */
/*
 * What it costs to send the next request to an endpoint. Lower is better.
 *
 *     cost = (L + 10 m max(0, s - p0)) (1 + q / w)   + 1e20 if held back
 *
 *   L  latency expected of it: the estimate faded to the median
 *      (signal/latency.h), or the age of its oldest unanswered request if that
 *      is more: silence is evidence;
 *   m  the median of all endpoints, at least 1 us;
 *   s  its recent share of failures, 0..1, of which p0 is what healthy peers
 *      have as well: a certain failure costs as much as an answer that takes
 *      ten times the median. A single failure (s = 1/5) makes it three times
 *      as dear, for a few seconds;
 *   q  its requests in flight;
 *   w  its weight over the mean weight. Draws go by weight (select/draw.h);
 *      this keeps heavier endpoints from looking busy.
 *
 * Held back, so that any other that is not is better:
 *   - at its in-flight cap: WARMING (health/health.h); one in flight while its
 *     last request failed, or its last answers were peaks;
 *   - hanging: the age is above max(1.5 p99, 3 m, 2 ms);
 *   - suspect: the last request failed a moment ago (health/pool.h).
 *
 * Source: cost = latency x (in flight + 1) of Finagle's and tower's peak EWMA;
 * a price on failures as in linkerd2's load biaser and brpc, but of the share,
 * so that it does not outlive the failing.
 *
 * least_request: cost = 1 + q / w.
 */
#ifndef ILB_SELECT_SCORE_H
#define ILB_SELECT_SCORE_H

typedef struct ilb__score_context {
    uint64_t now_ns;
    ilb__figures figures;
    float hang_ns;      /* an age above it: hanging */
    float weight_scale; /* 1 / mean weight; 0: all are equal */
    bool latency;       /* else by requests in flight alone */
} ilb__score_context;

typedef struct ilb__score {
    float cost;
    bool poor; /* better to look further: slow or at its in-flight cap */
} ilb__score;

/* `load` and `health` were just read from `slot`. */
ILB_INTERNAL ilb__score ilb__score_of(const ilb__slot *slot, uint64_t load,
                                      uint64_t health,
                                      const ilb__score_context *c);

/* The latency that the score uses: L above. */
ILB_INTERNAL float ilb__score_latency_ns(const ilb__slot *slot, uint64_t load,
                                         const ilb__figures *f,
                                         uint64_t now_ns);

/* What the score needs of the figures. */
ILB_INTERNAL void ilb__score_prepare(ilb__score_context *c);

#endif
/* ==== back in libilb/select/score.c */

#define ILB__SCORE_FAILURE_PRICE 10.0f
#define ILB__SCORE_MEDIAN_MIN_NS 1000.0f
/* Slow: more than twice the median. */
#define ILB__SCORE_SLOW_FACTOR 2.0f
#define ILB__SCORE_HELD_COST 1e20f
#define ILB__SCORE_HANG_P99 1.5f
#define ILB__SCORE_HANG_MEDIAN 3.0f
#define ILB__SCORE_HANG_MIN_NS 2e6f

static float ilb__score_age_ns(const ilb__slot *slot, uint64_t load, uint64_t now_ns)
{
    return (float)ilb__load_age_ns(&slot->load, load, now_ns);
}

ILB_INTERNAL float ilb__score_latency_ns(const ilb__slot *slot, uint64_t load,
                                         const ilb__figures *f, uint64_t now_ns)
{
    float latency_ns = ilb__latency_read_ns(&slot->latency, f, now_ns);
    float age_ns = ilb__score_age_ns(slot, load, now_ns);

    return age_ns > latency_ns ? age_ns : latency_ns;
}

ILB_INTERNAL void ilb__score_prepare(ilb__score_context *c)
{
    const ilb__figures *f = &c->figures;

    c->hang_ns = ILB__SCORE_HANG_P99 * f->p99_ns;
    if (c->hang_ns < ILB__SCORE_HANG_MEDIAN * f->median_ns)
        c->hang_ns = ILB__SCORE_HANG_MEDIAN * f->median_ns;
    if (c->hang_ns < ILB__SCORE_HANG_MIN_NS)
        c->hang_ns = ILB__SCORE_HANG_MIN_NS;
    if (f->p99_ns == 0)
        c->hang_ns = 1e30f; /* nobody has answered yet */
}

static bool ilb__score_held_back(const ilb__slot *slot, uint32_t in_flight,
                            uint64_t health, float age_ns,
                            const ilb__score_context *c)
{
    uint64_t failures = ilb__load_relaxed(&slot->failures.word);

    if (age_ns > c->hang_ns)
        return true;
    if (in_flight >= ilb__health_in_flight_cap(health))
        return true;
    if (in_flight > 0 && ilb__latency_level(&slot->latency) > 0)
        return true;
    if (ILB_LIKELY(failures == 0) ||
        ilb__failures_in_a_row(&slot->failures) == 0)
        return false;
    return in_flight > 0 ||
           ilb__failures_suspect(&slot->failures, c->figures.suspect_ns,
                                 c->now_ns);
}

/* Of its share of failures, what healthy peers do not have. */
static float ilb__score_failing(const ilb__slot *slot, const ilb__score_context *c)
{
    float share = ilb__failures_share(&slot->failures, c->now_ns);

    return share > c->figures.p0 ? share - c->figures.p0 : 0;
}

ILB_INTERNAL ilb__score ilb__score_of(const ilb__slot *slot, uint64_t load,
                                      uint64_t health,
                                      const ilb__score_context *c)
{
    uint32_t in_flight = ilb__load_in_flight(load);
    float q = (float)in_flight;
    ilb__score score = {0, false};
    float price, median_ns, latency_ns, age_ns;

    if (c->weight_scale != 0)
        q /= (float)ilb__load32_relaxed(&slot->weight) * c->weight_scale;
    if (!c->latency) {
        score.cost = 1 + q;
        return score;
    }
    median_ns = c->figures.median_ns > ILB__SCORE_MEDIAN_MIN_NS
                    ? c->figures.median_ns
                    : ILB__SCORE_MEDIAN_MIN_NS;
    latency_ns = ilb__latency_read_ns(&slot->latency, &c->figures, c->now_ns);
    age_ns = ilb__score_age_ns(slot, load, c->now_ns);
    price = age_ns > latency_ns ? age_ns : latency_ns;
    price += ILB__SCORE_FAILURE_PRICE * median_ns * ilb__score_failing(slot, c);
    /* With nothing known of anyone, what is in flight decides. */
    if (price < 1)
        price = 1;
    score.cost = price * (1 + q);
    score.poor = price > ILB__SCORE_SLOW_FACTOR * median_ns;
    if (ilb__score_held_back(slot, in_flight, health, age_ns, c)) {
        score.cost += ILB__SCORE_HELD_COST;
        score.poor = true;
    }
    return score;
}
/* ==== libilb/select/draw.c =============================================== */
/* See draw.h. */
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
} ilb__candidate;

/* A number below `n` from the draw's random bits. */
ILB_INTERNAL uint32_t ilb__draw_below(ilb__draw *d, uint32_t n);

/* A column of the view, by weight. The view is not empty. */
ILB_INTERNAL uint32_t ilb__draw_column(ilb__draw *d);

/* Looks at the endpoint of a column. False if it must not be taken: excluded,
 * or no longer the one that the view means. Ejected ones are not refused. */
ILB_INTERNAL bool ilb__draw_look(const ilb__draw *d, uint32_t column,
                                 ilb__candidate *c);

static inline bool ilb__candidate_eligible(const ilb__candidate *c)
{
    return ilb__health_eligible(c->health);
}

#endif
/* ==== back in libilb/select/draw.c */

static uint32_t ilb__draw_bits(ilb__draw *d)
{
    uint32_t bits = (uint32_t)d->random;

    /* The next number of the sequence that this one begins. */
    d->random = ilb__mix64(d->random + ILB_GOLDEN);
    return bits;
}

ILB_INTERNAL uint32_t ilb__draw_below(ilb__draw *d, uint32_t n)
{
    return ilb__random_below(ilb__draw_bits(d), n);
}

ILB_INTERNAL uint32_t ilb__draw_column(ilb__draw *d)
{
    uint32_t column = ilb__draw_below(d, d->width);

    if (ILB_LIKELY(d->view.weight_total == 0))
        return column;
    return ilb__view_weighted(&d->view, column, ilb__draw_bits(d));
}

static bool ilb__draw_excluded(const ilb__exclusion *e, ilb__endpoint_id id)
{
    for (uint32_t i = 0; i < e->n; i++)
        if (e->ids[i] == id)
            return true;
    return false;
}

ILB_INTERNAL bool ilb__draw_look(const ilb__draw *d, uint32_t column,
                                 ilb__candidate *c)
{
    c->id = ilb__view_id(&d->view, column);
    c->slot = &d->slots[ilb__endpoint_id_index(c->id)];
    c->load = ilb__load_relaxed(&c->slot->load.word);
    c->health = ilb__load_relaxed(&c->slot->health);
    return ilb__load_generation(c->load) ==
               ilb__endpoint_id_generation(c->id) &&
           ilb__load_in_flight(c->load) < ILB_LOAD_MAX &&
           !ilb__draw_excluded(d->exclusion, c->id);
}
/* ==== libilb/select/select.c ============================================= */
/* See select.h. */
/* ==== libilb/select/select.h ============================================= */
/*
 * Choosing an endpoint: the policies, and what surrounds them.
 *
 *   1. A view of the table. If an ejected endpoint is due for its probe, the
 *      first request to come by takes it.
 *   2. The policy chooses among the eligible endpoints:
 *        peak_ewma      draws two that differ; while the best so far is poor
 *                       (slow, or at its in-flight cap) up to four more: with k
 *                       of n endpoints slow, pairs of slow ones would else keep
 *                       k (k-1) / (n (n-1)) of the traffic;
 *        least_request  draws two that differ;
 *        round_robin    the next in turn; by weight, along a low-discrepancy
 *                       sequence over the alias table;
 *        random         draws one.
 *      The lower cost wins; equal costs go to the one drawn first, which is as
 *      good as at random.
 *   3. If draws find no eligible endpoint, all are looked at, from a random
 *      one on; if there is none, the cheapest of the ejected is taken (fail
 *      open).
 *   4. The ticket is taken by one fetch-add; if the endpoint has left in the
 *      meantime, the whole begins again.
 */
#ifndef ILB_SELECT_SELECT_H
#define ILB_SELECT_SELECT_H

typedef struct ilb__selector {
    ilb_policy policy;
    ilb__random random;
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 turn; /* of round_robin */
    ilb__pool pool;
} ilb__selector;

typedef struct ilb__choice {
    ilb__endpoint_id id;
    uint32_t parity; /* for ilb__load_return */
    bool probe;
} ilb__choice;

/* ILB_OK: one more is in flight to the chosen endpoint. ILB_EEMPTY,
 * ILB_ENOTREADY, ILB_EEXCLUDED. */
ILB_INTERNAL int ilb__select(ilb__selector *s, ilb__judge *j,
                             const ilb__table *table, ilb__slot *slots,
                             const ilb__exclusion *exclusion, uint64_t now_ns,
                             ilb__choice *choice);

#endif
/* ==== back in libilb/select/select.c */

/* Candidates of peak_ewma: two, and at most so many more. */
#define ILB__SELECT_CANDIDATES 2
#define ILB__SELECT_EXTRA 4
/* Draws to find them, when some are ejected, excluded or drawn already. */
#define ILB__SELECT_TRIES 16
/* Where draws found none, so many eligible ones are compared: neighbours of
 * ejected ones would else get the traffic of those. */
#define ILB__SELECT_ANY 8
/* An ejected endpoint that may help out: it fails less than this share, and
 * not so many times in a row. */
#define ILB__SELECT_HELPS_SHARE 0.5f
#define ILB__SELECT_HELPS_ROW 3
/* Where so many of healthy endpoints' requests fail, that says nothing. */
#define ILB__SELECT_HELPS_P0 0.1f

/* One pick at work. */
typedef struct ilb__select_run {
    ilb__selector *selector;
    ilb__judge *judge;
    ilb__draw draw;
    ilb__score_context context;
} ilb__select_run;

/* ---- Policies ---------------------------------------------------------- */

static bool ilb__select_seen(const uint32_t *columns, uint32_t n, uint32_t column)
{
    for (uint32_t i = 0; i < n; i++)
        if (columns[i] == column)
            return true;
    return false;
}

/* Is an ejected endpoint not much worse than those that are left? */
static bool ilb__select_helps(const ilb__select_run *r, const ilb__slot *slot)
{
    float p0 = r->context.figures.p0;
    float share = ilb__failures_share(&slot->failures, r->context.now_ns);

    if (p0 >= ILB__SELECT_HELPS_P0)
        return share <= ILB__SELECT_HELPS_SHARE || share <= 2 * p0;
    return share <= ILB__SELECT_HELPS_SHARE &&
           ilb__failures_in_a_row(&slot->failures) < ILB__SELECT_HELPS_ROW;
}

/* May it be drawn? While the others are overloaded, also an ejected one that
 * is not wholly bad. */
static bool ilb__select_eligible(const ilb__select_run *r, const ilb__candidate *c)
{
    return ilb__candidate_eligible(c) ||
           (ILB_UNLIKELY(r->context.figures.overloaded) &&
            ilb__select_helps(r, c->slot));
}

/* The cheapest of two eligible draws or, while that is poor, more. */
static bool ilb__select_cheapest(ilb__select_run *r, uint32_t extra, ilb__candidate *best)
{
    uint32_t columns[ILB__SELECT_TRIES]; /* drawn, eligible or not */
    uint32_t n = 0, n_drawn = 0, wanted = ILB__SELECT_CANDIDATES;
    uint32_t most = ILB__SELECT_CANDIDATES + extra;
    ilb__score best_score = {0, false}, score;
    ilb__candidate c;

    if (most > r->draw.width)
        most = r->draw.width;
    for (int tries = 0; tries < ILB__SELECT_TRIES && n < wanted && n < most &&
                        n_drawn < r->draw.width;
         tries++) {
        uint32_t column = ilb__draw_column(&r->draw);

        if (ilb__select_seen(columns, n_drawn, column))
            continue;
        columns[n_drawn++] = column;
        if (!ilb__draw_look(&r->draw, column, &c) || !ilb__select_eligible(r, &c))
            continue;
        score = ilb__score_of(c.slot, c.load, c.health, &r->context);
        if (n == 0 || score.cost < best_score.cost) {
            *best = c;
            best_score = score;
        }
        n++;
        if (n == wanted && best_score.poor)
            wanted++;
    }
    return n > 0;
}

/* The column whose turn it is. */
static uint32_t ilb__select_turn(ilb__select_run *r)
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
static bool ilb__select_single(ilb__select_run *r, bool in_turn, ilb__candidate *c)
{
    for (int tries = 0; tries < ILB__SELECT_TRIES; tries++) {
        uint32_t column = in_turn ? ilb__select_turn(r) : ilb__draw_column(&r->draw);

        if (ilb__draw_look(&r->draw, column, c) && ilb__candidate_eligible(c))
            return true;
    }
    return false;
}

static bool ilb__select_by_policy(ilb__select_run *r, ilb__candidate *c)
{
    switch (r->selector->policy) {
    case ILB_POLICY_LEAST_REQUEST:
        return ilb__select_cheapest(r, 0, c);
    case ILB_POLICY_ROUND_ROBIN:
        return ilb__select_single(r, true, c);
    case ILB_POLICY_RANDOM:
        return ilb__select_single(r, false, c);
    case ILB_POLICY_DEFAULT:
    case ILB_POLICY_PEAK_EWMA:
        break;
    }
    return ilb__select_cheapest(r, ILB__SELECT_EXTRA, c);
}

/* ---- When draws are not enough ----------------------------------------- */

/* The cheapest of the first few eligible endpoints from a random one on;
 * without any, the cheapest of the others. */
static bool ilb__select_any(ilb__select_run *r, ilb__candidate *best)
{
    uint32_t n = r->draw.view.n;
    uint32_t first = ilb__draw_below(&r->draw, n);
    uint32_t n_eligible = 0;
    float best_cost = 0;
    bool found = false;

    for (uint32_t k = 0; k < n && n_eligible < ILB__SELECT_ANY; k++) {
        ilb__candidate c;
        bool eligible;
        float cost;

        if (!ilb__draw_look(&r->draw, (first + k) % n, &c))
            continue;
        eligible = ilb__candidate_eligible(&c);
        if (!eligible && n_eligible > 0)
            continue;
        cost = ilb__score_of(c.slot, c.load, c.health, &r->context).cost;
        if (!found || (eligible && n_eligible == 0) || cost < best_cost) {
            *best = c;
            best_cost = cost;
            found = true;
        }
        n_eligible += eligible;
    }
    return found;
}

/* The ejected endpoint whose probe this request will be. */
static bool ilb__select_probe(ilb__select_run *r, ilb__candidate *probe)
{
    bool claimed = false;

    if (!ilb__judge_begin_search(r->judge, r->context.now_ns))
        return false;
    for (uint32_t i = 0; i < r->draw.view.n; i++) {
        ilb__candidate c;
        bool may = ilb__draw_look(&r->draw, i, &c) && !claimed;

        if (ilb__health_claim(r->judge, c.slot, may, r->context.now_ns)) {
            *probe = c;
            claimed = true;
        }
    }
    return claimed;
}

/* ---- One pick ---------------------------------------------------------- */

static bool ilb__select_take(const ilb__select_run *r, const ilb__candidate *c,
                        bool probe, ilb__choice *choice)
{
    choice->id = c->id;
    choice->probe = probe;
    if (ilb__load_take(&c->slot->load, c->load,
                       ilb__endpoint_id_generation(c->id), r->context.now_ns,
                       &choice->parity))
        return true;
    if (probe)
        ilb__health_inconclusive(r->judge, c->slot, r->context.now_ns);
    return false;
}

static int ilb__select_none(const ilb__select_run *r)
{
    if (r->draw.view.n > 0)
        return r->draw.exclusion->n > 0 ? ILB_EEXCLUDED : ILB_EBUSY;
    return ilb__load_relaxed(&r->draw.view.buffer->n_listed) > 0 ? ILB_ENOTREADY
                                                                 : ILB_EEMPTY;
}

static void ilb__select_begin(ilb__select_run *r, const ilb__table *table,
                         uint64_t now_ns)
{
    ilb__draw *d = &r->draw;

    d->view = ilb__table_view(table);
    d->random = ilb__random_next(&r->selector->random, now_ns);
    if (ilb__pool_due(&r->selector->pool, now_ns))
        ilb__pool_refresh(&r->selector->pool, r->judge, d->slots, &d->view,
                          false, now_ns);
    ilb__pool_figures(&r->selector->pool, &r->context.figures);
    r->context.now_ns = now_ns;
    r->context.latency = r->selector->policy == ILB_POLICY_PEAK_EWMA;
    r->context.weight_scale =
        d->view.weight_total == 0
            ? 0
            : (float)d->view.n / (float)d->view.weight_total;
    ilb__score_prepare(&r->context);
    d->width = d->view.n;
    if (r->context.latency && d->view.weight_total == 0 &&
        r->context.figures.aperture < d->width)
        d->width = r->context.figures.aperture;
}

ILB_INTERNAL int ilb__select(ilb__selector *s, ilb__judge *j,
                             const ilb__table *table, ilb__slot *slots,
                             const ilb__exclusion *exclusion, uint64_t now_ns,
                             ilb__choice *choice)
{
    ilb__select_run r;
    ilb__candidate c;

    r.selector = s;
    r.judge = j;
    r.draw.slots = slots;
    r.draw.exclusion = exclusion;
    for (;;) {
        bool found, probe = false;
        int none;

        ilb__select_begin(&r, table, now_ns);
        if (r.draw.view.n > 0 && ilb__judge_due(j, now_ns)) {
            probe = ilb__select_probe(&r, &c);
            if (!ilb__table_holds(table, &r.draw.view))
                ilb__judge_search_again(j, now_ns);
        }
        found = probe || (r.draw.view.n > 0 &&
                          (ilb__select_by_policy(&r, &c) || ilb__select_any(&r, &c)));
        none = found ? ILB_OK : ilb__select_none(&r);
        /* What was read through a view that did not hold may be nonsense; a
         * probe is claimed all the same, and its slot proves itself. */
        if (!probe && !ilb__table_holds(table, &r.draw.view))
            continue;
        if (!found)
            return none;
        if (ilb__select_take(&r, &c, probe, choice))
            return ILB_OK;
    }
}
/* ==== libilb/observe/stats.c ============================================= */
/* See stats.h. */
/* ==== libilb/observe/stats.h ============================================= */
/* One endpoint, as the public snapshot shows it. */
#ifndef ILB_OBSERVE_STATS_H
#define ILB_OBSERVE_STATS_H

/* Under the balancer's mutex, which keeps the slot's address as it is. */
ILB_INTERNAL void ilb__stats_of(const ilb__slot *slot, const ilb__figures *f,
                                uint64_t now_ns, ilb_endpoint_stats *out);

#endif
/* ==== back in libilb/observe/stats.c */

#include <string.h>

static ilb_state ilb__stats_state(const ilb__slot *slot, uint64_t health)
{
    if (!slot->listed)
        return ILB_STATE_DRAINING;
    if (slot->readiness != ILB_READY)
        return slot->readiness == ILB_DRAINING ? ILB_STATE_DRAINING
                                               : ILB_STATE_NOT_READY;
    switch (ilb__health_state_of(health)) {
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
    out->state = ilb__stats_state(slot, health);
    out->in_flight = ilb__load_in_flight(load);
    out->latency_ns = ilb__stats_ns(ilb__score_latency_ns(slot, load, f, now_ns));
    out->oldest_ns = ilb__load_age_ns(&slot->load, load, now_ns);
    if (out->state == ILB_STATE_EJECTED || out->state == ILB_STATE_PROBING)
        out->ejected_until_ns = ilb__health_until_ns(health);
    out->failures_in_a_row = ilb__failures_in_a_row(&slot->failures);
    out->failure_ppm =
        (uint32_t)(ilb__failures_share(&slot->failures, now_ns) * 1e6f);
    out->ejections = ilb__load_relaxed(&slot->ejections);
    for (int i = 0; i < ILB_OUTCOME_COUNT; i++)
        out->done[i] = ilb__load_relaxed(&slot->done[i]);
    /* Pairs with the release in set_enter. */
    out->user = atomic_load_explicit(&slot->user, memory_order_acquire);
}
/* ==== libilb/names.c ===================================================== */
/* Names of the public enums' values, for logs, JSON and bindings. */
#include <string.h>

static const char *const ilb__names_policy[] = {NULL, "peak_ewma", "least_request",
                                           "round_robin", "random"};
static const char *const ilb__names_outcome[ILB_OUTCOME_COUNT] = {
    "success", "failure", "timeout", "connect_error", "overload", "cancelled"};
static const char *const ilb__names_state[] = {"warming", "healthy",   "ejected",
                                          "probing", "not_ready", "draining"};

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

#undef ILB__NAMES_N
/* ==== libilb/balancer.c ================================================== */
/*
 * The public object: argument checks, tickets, and the wiring of the rooms.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>
#include <string.h>

/* ==== libilb/select/ticket.h ============================================= */
/*
 * What an ilb_ticket holds. It lives in the caller's memory, so nothing in it
 * is trusted before its check has been seen to fit: another balancer's ticket,
 * or whatever lay on the stack, is refused.
 *
 *   internal[0]  bits 0..31 slot, 32..54 generation, 55 parity, 56 probe,
 *                57..58 stage: 1 in flight, 2 done
 *   internal[1]  when it was picked, ns
 *   internal[2]  time to the first byte, ns, + 1; 0: not told
 *   internal[3]  check: of internal[0] but for the stage, internal[1] and the
 *                balancer's secret
 */
#ifndef ILB_SELECT_TICKET_H
#define ILB_SELECT_TICKET_H

#define ILB_TICKET_ID_MASK ((UINT64_C(1) << 55) - 1)
#define ILB_TICKET_PARITY (UINT64_C(1) << 55)
#define ILB_TICKET_PROBE (UINT64_C(1) << 56)
#define ILB_TICKET_IN_FLIGHT (UINT64_C(1) << 57)
#define ILB_TICKET_DONE (UINT64_C(1) << 58)
#define ILB_TICKET_STAGE (ILB_TICKET_IN_FLIGHT | ILB_TICKET_DONE)

static inline uint64_t ilb__ticket_check(uint64_t secret, const ilb_ticket *t)
{
    return ilb__mix64(ilb__mix64(t->internal[1] ^ secret) ^
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
    return t->internal[2] != 0;
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

static inline void ilb__ticket_write(uint64_t secret, ilb_ticket *t,
                                     const ilb__choice *choice, uint64_t now_ns)
{
    t->internal[0] = choice->id | (choice->parity ? ILB_TICKET_PARITY : 0) |
                     (choice->probe ? ILB_TICKET_PROBE : 0) |
                     ILB_TICKET_IN_FLIGHT;
    t->internal[1] = now_ns;
    t->internal[2] = 0;
    t->internal[3] = ilb__ticket_check(secret, t);
}

static inline void ilb__ticket_first_byte(ilb_ticket *t, uint64_t now_ns)
{
    t->internal[2] = ilb__elapsed_ns(t->internal[1], now_ns) + 1;
}

/* Time to the first byte, if it was told, else to now. */
static inline uint64_t ilb__ticket_latency_ns(const ilb_ticket *t,
                                              uint64_t now_ns)
{
    return ilb__ticket_is_answered(t) ? t->internal[2] - 1
                                      : ilb__elapsed_ns(t->internal[1], now_ns);
}

/* In flight -> done. */
static inline void ilb__ticket_finish(ilb_ticket *t)
{
    t->internal[0] ^= ILB_TICKET_STAGE;
}

#endif
/* ==== back in libilb/balancer.c */

struct ilb_balancer {
    ilb__selector selector;
    ilb__judge judge;
    ilb__set set;
    ilb_clock clock_ns;
    void *clock_user;
    uint64_t secret; /* of this balancer's tickets */
    pthread_mutex_t writer;
    ilb_allocator allocator;
    void *memory;
    char name[ILB_NAME_MAX + 1];
};

/* ---- Making and releasing ---------------------------------------------- */

/* Walks over all parts: counts, or hands them out. */
static ilb_balancer *ilb__balancer_lay_out(ilb__arena *a, const ilb_options *o,
                                      uint64_t salt)
{
    ilb_balancer *b = ilb__arena_take(a, 1, sizeof *b);
    ilb__set counted;

    memset(&counted, 0, sizeof counted);
    ilb__set_init(b == NULL ? &counted : &b->set, a, o->capacity, salt);
    return b;
}

static void *ilb__balancer_allocate(const ilb_allocator *allocator, size_t bytes,
                               ilb__arena *a)
{
    const size_t line = ILB_CACHELINE_BYTES;
    unsigned char *memory;

    if (bytes > SIZE_MAX - line)
        return NULL;
    memory = allocator->allocate(bytes + line, allocator->user);
    if (memory != NULL) {
        a->base = memory + (line - (uintptr_t)memory % line);
        a->used_bytes = 0;
    }
    return memory;
}

static uint64_t ilb__balancer_now(const ilb_balancer *b, uint64_t now_ns)
{
    return now_ns != 0 ? now_ns : b->clock_ns(b->clock_user);
}

ILB_API int ilb_balancer_new(ilb_balancer **out, const char *name,
                             const ilb_options *options)
{
    ilb__arena arena = {NULL, 0};
    ilb_allocator allocator;
    ilb_options o;
    ilb_balancer *b;
    void *memory;
    uint64_t seed;
    int rc;

    if (out == NULL || !ilb__text_ok(name, ILB_NAME_MAX))
        return ILB_EINVAL;
    rc = ilb__options_read(&o, options);
    if (rc != ILB_OK)
        return rc;
    allocator = ilb__allocator_or_default(o.allocator);
    (void)ilb__balancer_lay_out(&arena, &o, 0);
    memory = ilb__balancer_allocate(&allocator, arena.used_bytes, &arena);
    if (memory == NULL)
        return ILB_ENOMEM;
    seed = o.seed != 0 ? o.seed
                       : ilb__mix64((uintptr_t)memory) ^
                             ilb__mix64(ilb__clock_monotonic_ns(NULL));
    b = ilb__balancer_lay_out(&arena, &o, ilb__mix64(seed));
    if (pthread_mutex_init(&b->writer, NULL) != 0) {
        allocator.release(memory, allocator.user);
        return ILB_ENOMEM;
    }
    b->memory = memory;
    b->allocator = allocator;
    b->clock_ns = o.clock_ns == NULL ? ilb__clock_monotonic_ns : o.clock_ns;
    b->clock_user = o.clock_user;
    b->secret = ilb__mix64(seed ^ (uintptr_t)memory);
    b->selector.policy = o.policy;
    ilb__random_init(&b->selector.random, seed);
    ilb__judge_init(&b->judge, &o);
    ilb__pool_init(&b->selector.pool);
    memcpy(b->name, name, strlen(name));
    *out = b;
    return ILB_OK;
}

ILB_API void ilb_balancer_free(ilb_balancer *b)
{
    if (b == NULL)
        return;
    pthread_mutex_destroy(&b->writer);
    b->allocator.release(b->memory, b->allocator.user);
}

ILB_API const char *ilb_balancer_name(const ilb_balancer *b)
{
    return b == NULL ? NULL : b->name;
}

/* ---- Endpoints --------------------------------------------------------- */

static void ilb__balancer_enters(ilb__slot *slot, void *user)
{
    ilb__health_enter(&((ilb_balancer *)user)->judge, slot);
}

static void ilb__balancer_leaves(ilb__slot *slot, void *user)
{
    ilb__health_leave(&((ilb_balancer *)user)->judge, slot);
}

static ilb__set_watch ilb__balancer_watch(ilb_balancer *b)
{
    ilb__set_watch watch = {ilb__balancer_enters, ilb__balancer_leaves, b};

    return watch;
}

/* A smaller set may have more ejected endpoints than its cap allows. */
static void ilb__balancer_enforce_cap(ilb_balancer *b)
{
    ilb__view v = ilb__table_view(&b->set.table);

    for (uint32_t i = 0; i < v.n; i++)
        ilb__health_enforce_cap(
            &b->judge,
            &b->set.slots[ilb__endpoint_id_index(ilb__view_id(&v, i))], v.n);
}

static bool ilb__balancer_readiness_ok(ilb_readiness r)
{
    return r == ILB_READY || r == ILB_NOT_READY || r == ILB_DRAINING;
}

static int ilb__balancer_check_endpoint(const ilb_endpoint *e)
{
    if (e->size != sizeof *e)
        return ILB_EABI;
    if (!ilb__text_ok(e->address, ILB_ADDRESS_MAX))
        return ILB_EADDRESS;
    if (e->weight > ILB_WEIGHT_MAX || !ilb__balancer_readiness_ok(e->readiness))
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
    for (size_t i = 0; i < n; i++) {
        rc = ilb__balancer_check_endpoint(&endpoints[i]);
        if (rc != ILB_OK)
            return rc;
    }
    watch = ilb__balancer_watch(b);
    pthread_mutex_lock(&b->writer);
    rc = ilb__set_plan(&b->set, endpoints, n);
    if (rc == ILB_OK) {
        ilb__set_apply(&b->set, endpoints, (uint32_t)n, &watch);
        ilb__balancer_enforce_cap(b);
    }
    pthread_mutex_unlock(&b->writer);
    return rc;
}

ILB_API int ilb_balancer_set_readiness(ilb_balancer *b, const char *address,
                                       ilb_readiness readiness)
{
    ilb__set_watch watch;
    ilb__slot *slot;

    if (b == NULL || address == NULL || !ilb__balancer_readiness_ok(readiness))
        return ILB_EINVAL;
    watch = ilb__balancer_watch(b);
    pthread_mutex_lock(&b->writer);
    slot = ilb__set_find(&b->set, address);
    if (slot != NULL) {
        ilb__set_change_readiness(&b->set, slot, readiness, &watch);
        ilb__balancer_enforce_cap(b);
    }
    pthread_mutex_unlock(&b->writer);
    return slot == NULL ? ILB_ENOTFOUND : ILB_OK;
}

/* ---- Requests ---------------------------------------------------------- */

static ilb__slot *ilb__balancer_slot(const ilb_balancer *b, const ilb_ticket *t)
{
    return &b->set.slots[ilb__endpoint_id_index(ilb__ticket_id(t))];
}

static int ilb__pick_exclusion(const ilb_balancer *b, const ilb_pick_options *o,
                          ilb__exclusion *e)
{
    if (o->n_exclude > ILB_EXCLUDE_MAX ||
        (o->exclude == NULL && o->n_exclude > 0))
        return ILB_EINVAL;
    for (size_t i = 0; i < o->n_exclude; i++) {
        const ilb_ticket *t = &o->exclude[i];

        if (!ilb__ticket_is_ours(b->secret, t))
            return ILB_ETICKET;
        e->ids[i] = ilb__ticket_id(t);
    }
    e->n = (uint32_t)o->n_exclude;
    return ILB_OK;
}

ILB_API int ilb_pick(ilb_balancer *b, ilb_ticket *ticket,
                     const ilb_pick_options *options)
{
    ilb__exclusion exclusion;
    ilb_pick_options o;
    ilb__choice choice;
    uint64_t now_ns = 0;
    int rc;

    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    exclusion.n = 0;
    if (options != NULL) {
        rc = ilb__struct_read(&o, sizeof o, options, sizeof o);
        if (rc == ILB_OK)
            rc = ilb__pick_exclusion(b, &o, &exclusion);
        if (rc != ILB_OK)
            return rc;
        now_ns = o.now_ns;
    }
    now_ns = ilb__balancer_now(b, now_ns);
    rc = ilb__select(&b->selector, &b->judge, &b->set.table, b->set.slots,
                     &exclusion, now_ns, &choice);
    if (rc == ILB_OK)
        ilb__ticket_write(b->secret, ticket, &choice, now_ns);
    return rc;
}

ILB_API const char *ilb_ticket_address(const ilb_balancer *b,
                                       const ilb_ticket *ticket)
{
    if (b == NULL || ticket == NULL ||
        !ilb__ticket_in_flight(b->secret, ticket))
        return NULL;
    return ilb__balancer_slot(b, ticket)->address;
}

ILB_API void *ilb_ticket_user(const ilb_balancer *b, const ilb_ticket *ticket)
{
    if (b == NULL || ticket == NULL ||
        !ilb__ticket_in_flight(b->secret, ticket))
        return NULL;
    /* Pairs with the release in set_enter: what it points to is there. */
    return atomic_load_explicit(&ilb__balancer_slot(b, ticket)->user,
                                memory_order_acquire);
}

ILB_API int ilb_first_byte(ilb_balancer *b, ilb_ticket *ticket, uint64_t now_ns)
{
    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    if (!ilb__ticket_in_flight(b->secret, ticket))
        return ILB_ETICKET;
    if (ilb__ticket_is_answered(ticket))
        return ILB_OK;
    now_ns = ilb__balancer_now(b, now_ns);
    if (!ilb__load_answer(&ilb__balancer_slot(b, ticket)->load,
                          ilb__endpoint_id_generation(ilb__ticket_id(ticket)),
                          ilb__ticket_where(ticket), now_ns))
        return ILB_ETICKET;
    ilb__ticket_first_byte(ticket, now_ns);
    return ILB_OK;
}

/* What a request without a good answer teaches. */
static void ilb__done_bad(ilb_balancer *b, ilb__slot *slot, ilb_outcome outcome,
                     bool probe, uint64_t waited_ns, uint64_t now_ns)
{
    ilb__view view = ilb__table_view(&b->set.table);
    bool in_a_row = outcome != ILB_OVERLOAD && outcome != ILB_CANCELLED;
    ilb__figures f;
    ilb__failing x;

    if (in_a_row)
        ilb__pool_refresh(&b->selector.pool, &b->judge, b->set.slots, &view,
                          true, now_ns);
    ilb__pool_figures(&b->selector.pool, &f);
    ilb__latency_learn_bound(&slot->latency, waited_ns, &f, now_ns);
    if (outcome == ILB_CANCELLED) {
        if (probe)
            ilb__health_inconclusive(&b->judge, slot, now_ns);
        return;
    }
    /* Overloaded peers time out as well: no evidence against this one. */
    if (outcome == ILB_TIMEOUT && f.overloaded)
        in_a_row = false;
    x.row = ilb__failures_bad(&slot->failures, in_a_row, now_ns);
    if (!in_a_row && !probe)
        return;
    x.sums = ilb__evidence_bad(&slot->evidence, f.steps);
    x.n_ready = view.n;
    x.bits = (uint32_t)ilb__random_next(&b->selector.random, now_ns);
    if (ilb__health_bad(&b->judge, slot, probe, &x, &f, now_ns))
        /* An update may have made the set smaller since `view`. */
        ilb__health_enforce_cap(&b->judge, slot,
                                ilb__table_view(&b->set.table).n);
}

static void ilb__done_good(ilb_balancer *b, ilb__slot *slot, bool probe,
                      uint64_t latency_ns, uint64_t now_ns)
{
    ilb__figures f;

    ilb__pool_figures(&b->selector.pool, &f);
    ilb__latency_learn(&slot->latency, latency_ns, &f, now_ns);
    ilb__pool_good(&b->selector.pool, latency_ns,
                   ilb__load_relaxed(&slot->done[ILB_SUCCESS]));
    ilb__failures_good(&slot->failures, now_ns);
    ilb__evidence_good(&slot->evidence, f.steps);
    ilb__health_good(&b->judge, slot, probe, now_ns);
}

static int ilb__done_ticket(ilb_balancer *b, ilb_ticket *t, ilb_outcome outcome,
                       uint64_t now_ns)
{
    ilb__slot *slot;
    uint64_t latency_ns;
    bool probe;

    if (b == NULL || t == NULL || (unsigned)outcome >= ILB_OUTCOME_COUNT)
        return ILB_EINVAL;
    if (!ilb__ticket_in_flight(b->secret, t))
        return ILB_ETICKET;
    slot = ilb__balancer_slot(b, t);
    /* A copy of a done ticket must not teach anything: look before. */
    if (!ilb__load_has(ilb__load_relaxed(&slot->load.word),
                       ilb__endpoint_id_generation(ilb__ticket_id(t)),
                       ilb__ticket_where(t)))
        return ILB_ETICKET;
    now_ns = ilb__balancer_now(b, now_ns);
    probe = ilb__ticket_is_probe(t);
    latency_ns = ilb__ticket_latency_ns(t, now_ns);
    ilb__ticket_finish(t);
    ilb__add_relaxed(&slot->done[outcome], 1);
    if (outcome == ILB_SUCCESS)
        ilb__done_good(b, slot, probe, latency_ns, now_ns);
    else
        ilb__done_bad(b, slot, outcome, probe, latency_ns, now_ns);
    /* Last: from here on the slot may be another endpoint's. */
    return ilb__load_return(&slot->load,
                            ilb__endpoint_id_generation(ilb__ticket_id(t)),
                            ilb__ticket_where(t), now_ns)
               ? ILB_OK
               : ILB_ETICKET;
}

ILB_API int ilb_done(ilb_balancer *b, ilb_ticket *ticket, ilb_outcome outcome)
{
    return ilb__done_ticket(b, ticket, outcome, 0);
}

ILB_API int ilb_done_with(ilb_balancer *b, ilb_ticket *ticket,
                          const ilb_result *result)
{
    ilb_result r;
    int rc;

    if (result == NULL)
        return ILB_EINVAL;
    rc = ilb__struct_read(&r, sizeof r, result, sizeof r);
    return rc != ILB_OK ? rc : ilb__done_ticket(b, ticket, r.outcome, r.now_ns);
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
    pthread_mutex_lock(&b->writer);
    ilb__set_reclaim(s);
    now_ns = ilb__balancer_now(b, 0);
    ilb__pool_figures(&b->selector.pool, &f);
    *n = (size_t)s->n_listed + s->n_draining;
    for (size_t i = 0; i < *n && i < max; i++) {
        uint32_t k =
            i < s->n_listed ? s->listed[i] : s->draining[i - s->n_listed];

        ilb__stats_of(&s->slots[k], &f, now_ns, &out[i]);
    }
    pthread_mutex_unlock(&b->writer);
    return ILB_OK;
}
