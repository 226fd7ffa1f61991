/* SPDX-License-Identifier: MIT */
/* Time inside, which never goes back; see libilb/base/clock.h. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>

#include "base/clock.h"
#include "suites.h"
#include "util.h"

#define SKEW ILB_CLOCK_SKEW_NS
#define LAST (1000 * S_NS)

static uint64_t at(void *user)
{
    return *(uint64_t *)user;
}

static ilb__time of(uint64_t *clock_ns)
{
    ilb__time t;

    t.clock_ns = at;
    t.user = clock_ns;
    ilb__store_relaxed(&t.ahead_ns, 0);
    return t;
}

START_TEST(as_long_as_it_goes_on_it_is_the_same)
{
    uint64_t clock_ns = LAST + S_NS;
    ilb__time t = of(&clock_ns);

    must_eq(ilb__time_inside(&t, 0, LAST), clock_ns);
    must_eq(ilb__time_inside(&t, LAST + 3, LAST), LAST + 3);
    must_eq(ilb__time_inside(&t, 5, 0), 5);
    must_eq(ilb__time_inside(&t, UINT64_MAX, LAST), UINT64_MAX);
    must_eq(ilb__time_outside(&t, LAST), LAST);
}
END_TEST

START_TEST(another_threads_clock_may_be_a_little_behind)
{
    uint64_t clock_ns = 1;
    ilb__time t = of(&clock_ns);

    must_eq(ilb__time_inside(&t, LAST - SKEW, LAST), LAST - SKEW);
    must_eq(ilb__time_inside(&t, LAST, LAST), LAST);
    /* More than a little: read before the clock went back. */
    must_eq(ilb__time_inside(&t, LAST - SKEW - 1, LAST), LAST);
    must_eq(ilb__time_outside(&t, LAST), clock_ns);
}
END_TEST

/* An answer that has waited in a queue: the clock did not go back. */
START_TEST(an_old_time_that_is_handed_in_is_only_old)
{
    uint64_t clock_ns = LAST + S_NS;
    ilb__time t = of(&clock_ns);

    for (uint64_t old = 1; old < LAST - SKEW; old += 7 * S_NS)
        must_eq(ilb__time_inside(&t, old, LAST), LAST - SKEW);
    must_eq(ilb__time_inside(&t, 0, LAST), clock_ns);
    must_eq(ilb__time_outside(&t, clock_ns), clock_ns);
}
END_TEST

/* Again and again, and by whatever it is: it goes on from where it was. */
START_TEST(when_it_goes_back_no_time_has_passed)
{
    uint64_t clock_ns = LAST, last = LAST;
    ilb__time t = of(&clock_ns);
    uint64_t random = 7;

    for (int i = 0; i < 1000; i++) {
        uint64_t back_ns = 1 + test_random(&random) % clock_ns;

        clock_ns -= back_ns > clock_ns - 1 ? clock_ns - 1 : back_ns;
        if (last - (clock_ns + ilb__load_relaxed(&t.ahead_ns)) <= SKEW)
            continue;
        must_eq(ilb__time_inside(&t, 0, last), last);
        must_eq(ilb__time_outside(&t, last), clock_ns);
        must_eq(ilb__time_inside(&t, clock_ns + 77, last), last + 77);
        must_eq(ilb__time_outside(&t, last + 77), clock_ns + 77);
        last += 78;
        clock_ns += LAST;
        must_eq(ilb__time_inside(&t, 0, last), last - 78 + LAST);
        last += LAST;
        clock_ns += 78;
    }
}
END_TEST

START_TEST(no_time_and_never_are_the_same_on_both_sides)
{
    uint64_t clock_ns = 1;
    ilb__time t = of(&clock_ns);

    must_eq(ilb__time_inside(&t, 0, LAST), LAST);
    must_eq(ilb__time_outside(&t, 0), 0);
    must_eq(ilb__time_outside(&t, UINT64_MAX), UINT64_MAX);
    /* Before the clock began: its first moment. */
    must_eq(ilb__time_outside(&t, 5), 1);
}
END_TEST

#define RACERS 4
#define RACE_ROUNDS 2000
#define RACE_CLOCK (20000 * S_NS)

typedef struct clock_race {
    ilb__time time;
    uint64_t clock_ns; /* changes between two rounds */
    pthread_barrier_t barrier;
} clock_race;

typedef struct clock_racer {
    clock_race *race;
    int number;
} clock_racer;

static void *race(void *arg)
{
    clock_racer *me = arg;
    clock_race *r = me->race;

    for (uint64_t i = 1; i <= RACE_ROUNDS; i++) {
        if (pthread_barrier_wait(&r->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            r->clock_ns = RACE_CLOCK - i * 3 * SKEW;
        (void)pthread_barrier_wait(&r->barrier);
        must_eq(ilb__time_inside(&r->time, 0, LAST + i * S_NS),
                LAST + i * S_NS);
    }
    return NULL;
}

/* All find that it went back; it counts once. */
START_TEST(it_goes_back_once_for_many)
{
    clock_racer racers[RACERS];
    pthread_t threads[RACERS];
    clock_race r;

    r.clock_ns = RACE_CLOCK;
    r.time = of(&r.clock_ns);
    ilb__store_relaxed(&r.time.ahead_ns, LAST - RACE_CLOCK);
    (void)pthread_barrier_init(&r.barrier, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i].race = &r;
        racers[i].number = i;
        must_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++)
        must_eq(pthread_join(threads[i], NULL), 0);
    (void)pthread_barrier_destroy(&r.barrier);
}
END_TEST

Suite *suite_clock(void)
{
    Suite *s = suite_create("clock");
    TCase *tc = test_case(s, "inside and outside");

    tcase_add_test(tc, as_long_as_it_goes_on_it_is_the_same);
    tcase_add_test(tc, another_threads_clock_may_be_a_little_behind);
    tcase_add_test(tc, an_old_time_that_is_handed_in_is_only_old);
    tcase_add_test(tc, when_it_goes_back_no_time_has_passed);
    tcase_add_test(tc, no_time_and_never_are_the_same_on_both_sides);
    tcase_add_test(tc, it_goes_back_once_for_many);
    return s;
}
