/* SPDX-License-Identifier: MIT */
/* See clock.h. The only place of the library that asks the system for
 * anything, but for base/system.c. */
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

/* It stood at `then_ns`: has it neither gone back since nor leapt? */
static bool clock_goes_on(uint64_t then_ns, uint64_t clock_ns)
{
    return clock_ns < then_ns ? then_ns - clock_ns <= ILB_CLOCK_SKEW_NS
                              : clock_ns - then_ns <= ILB_CLOCK_LEAP_NS;
}

/* The clock's time, outside, and inside: where it is if it went on from about
 * `last_ns`, else there. */
static uint64_t clock_follow(ilb__time *t, uint64_t last_ns, uint64_t *clock_ns)
{
    uint64_t ahead_ns = ilb__load_relaxed(&t->ahead_ns);

    /* Relaxed: whoever does not see yet what another one found finds the same,
     * and fails here. Read anew each time: the clock may go back just now. */
    do {
        *clock_ns = t->clock_ns(t->user);
        if (clock_goes_on(last_ns - ahead_ns, *clock_ns))
            return *clock_ns + ahead_ns;
    } while (!ilb__cas_relaxed(&t->ahead_ns, &ahead_ns, last_ns - *clock_ns));
    return last_ns;
}

/* A time outside, inside; the clock's are `clock_ns` and `now_ns`. */
static uint64_t clock_believes(uint64_t outside_ns, uint64_t clock_ns,
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
static void clock_note(ilb__a64 *word, uint64_t now_ns)
{
    uint64_t seen_ns = ilb__load_relaxed(word);

    while (now_ns > seen_ns && !ilb__cas_relaxed(word, &seen_ns, now_ns))
        continue;
}

/* What the clock says of a time. */
static uint64_t clock_asked(ilb__time *t, uint64_t outside_ns, uint64_t last_ns)
{
    uint64_t clock_ns, now_ns;

    if (last_ns == 0) {
        clock_ns = t->clock_ns(t->user);
        last_ns = clock_ns < ILB_CLOCK_LEAP_NS ? clock_ns : ILB_CLOCK_LEAP_NS;
    }
    now_ns = clock_follow(t, last_ns, &clock_ns);
    clock_note(&t->asked_ns, now_ns);
    return clock_believes(outside_ns, clock_ns, last_ns, now_ns);
}

ILB_INTERNAL uint64_t ilb__time_check(ilb__time *t, uint64_t outside_ns)
{
    uint64_t now_ns = outside_ns + ilb__load_relaxed(&t->ahead_ns);
    uint64_t last_ns = ilb__load_relaxed(&t->last_ns);

    if (now_ns < last_ns && last_ns - now_ns <= ILB_CLOCK_SKEW_NS)
        return now_ns;
    if (now_ns - ilb__load_relaxed(&t->asked_ns) > ILB_CLOCK_SKEW_NS)
        now_ns = clock_asked(t, outside_ns, last_ns);
    clock_note(&t->last_ns, now_ns);
    return now_ns;
}
