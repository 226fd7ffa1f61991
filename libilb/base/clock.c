/* SPDX-License-Identifier: MIT */
/* The only place of the library that asks the system for anything. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/clock.h"

#include <time.h>

ILB_INTERNAL uint64_t ilb__clock_monotonic_ns(void *user)
{
    struct timespec t;

    (void)user;
    /* It cannot fail: the clock exists wherever this compiles. */
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * ILB_SECOND_NS + (uint64_t)t.tv_nsec;
}
