/* SPDX-License-Identifier: MIT */
/* See clock.h. The only place of the library that asks the system for
 * anything. */
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

ILB_INTERNAL uint64_t ilb__time_went_back(ilb__time *t, uint64_t outside_ns,
                                          uint64_t last_ns)
{
    uint64_t ahead_ns = ilb__load_relaxed(&t->ahead_ns);

    /* Relaxed: whoever does not see it yet finds the same, and tries here. */
    do {
        uint64_t now_ns = outside_ns + ahead_ns;

        if (now_ns >= last_ns || last_ns - now_ns <= ILB_CLOCK_SKEW_NS)
            return now_ns;
    } while (!ilb__cas_relaxed(&t->ahead_ns, &ahead_ns, last_ns - outside_ns));
    return last_ns;
}
