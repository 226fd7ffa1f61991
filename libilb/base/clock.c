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

ILB_INTERNAL uint64_t ilb__time_behind(ilb__time *t, uint64_t outside_ns,
                                       uint64_t last_ns)
{
    uint64_t ahead_ns = ilb__load_relaxed(&t->ahead_ns);
    uint64_t clock_ns = t->clock_ns(t->user);
    uint64_t now_ns;

    /* Relaxed: whoever does not see it yet finds the same, and tries here. */
    do {
        now_ns = clock_ns + ahead_ns;
        if (now_ns >= last_ns || last_ns - now_ns <= ILB_CLOCK_SKEW_NS)
            break;
    } while (!ilb__cas_relaxed(&t->ahead_ns, &ahead_ns, last_ns - clock_ns));
    /* Read before the clock went back. */
    if (outside_ns > clock_ns)
        return last_ns;
    now_ns = outside_ns + ilb__load_relaxed(&t->ahead_ns);
    return now_ns < last_ns && last_ns - now_ns > ILB_CLOCK_SKEW_NS
               ? last_ns - ILB_CLOCK_SKEW_NS
               : now_ns;
}
