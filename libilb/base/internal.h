/* SPDX-License-Identifier: MIT */
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

#include "ilb.h"

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
