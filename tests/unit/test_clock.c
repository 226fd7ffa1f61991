/* SPDX-License-Identifier: MIT */
/* Time inside, which never goes back, nor leaps; see libilb/base/clock.h. */
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
    ilb__store_relaxed(&t.last_ns, 0);
    ilb__store_relaxed(&t.asked_ns, 0);
    return t;
}

/* When `last_ns` is the last time that is known. */
static uint64_t inside(ilb__time *t, uint64_t outside_ns, uint64_t last_ns)
{
    ilb__store_relaxed(&t->last_ns, last_ns);
    ilb__store_relaxed(&t->asked_ns, last_ns);
    return ilb__time_inside(t, outside_ns);
}

START_TEST(as_long_as_it_goes_on_it_is_the_same)
{
    uint64_t clock_ns = LAST + S_NS;
    ilb__time t = of(&clock_ns);

    must_eq(inside(&t, 0, LAST), clock_ns);
    must_eq(inside(&t, LAST + 3, LAST), LAST + 3);
    must_eq(ilb__time_outside(&t, LAST, LAST), LAST);
    must_eq(ilb__time_outside(&t, LAST + 7, LAST), LAST + 7);
    must_eq(ilb__time_outside(&t, LAST - 7, LAST), LAST - 7);
}
END_TEST

START_TEST(another_threads_clock_may_be_a_little_behind)
{
    uint64_t clock_ns = 1;
    ilb__time t = of(&clock_ns);

    must_eq(inside(&t, LAST - SKEW, LAST), LAST - SKEW);
    must_eq(inside(&t, LAST, LAST), LAST);
    /* More than a little: read before the clock went back. */
    must_eq(inside(&t, LAST - SKEW - 1, LAST), LAST);
    must_eq(ilb__time_outside(&t, LAST, LAST), clock_ns);
}
END_TEST

/* An answer that has waited in a queue: the clock did not go back. */
START_TEST(an_old_time_that_is_handed_in_is_only_old)
{
    uint64_t clock_ns = LAST + S_NS;
    ilb__time t = of(&clock_ns);

    for (uint64_t old = 1; old < LAST - SKEW; old += 7 * S_NS)
        must_eq(inside(&t, old, LAST), clock_ns - SKEW);
    /* But not so old that nobody knows better. */
    must_eq(inside(&t, LAST - 9 * S_NS, LAST - 20 * S_NS), LAST - 9 * S_NS);
    must_eq(inside(&t, 0, LAST), clock_ns);
    must_eq(ilb__time_outside(&t, clock_ns, clock_ns), clock_ns);
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
        must_eq(inside(&t, 0, last), last);
        must_eq(ilb__time_outside(&t, last, last), clock_ns);
        must_eq(inside(&t, clock_ns + 77, last), last + 77);
        must_eq(ilb__time_outside(&t, last + 77, last), clock_ns + 77);
        last += 78;
        clock_ns += LAST;
        must_eq(inside(&t, 0, last), last - 78 + LAST);
        last += LAST;
        clock_ns += 78;
    }
}
END_TEST

START_TEST(no_time_and_never_are_the_same_on_both_sides)
{
    uint64_t clock_ns = 1;
    ilb__time t = of(&clock_ns);

    must_eq(inside(&t, 0, LAST), LAST);
    must_eq(ilb__time_outside(&t, 0, LAST), 0);
    must(ilb__time_outside(&t, UINT64_MAX, LAST) == UINT64_MAX);
    must(ilb__time_outside(&t, UINT64_MAX - 1, LAST) == UINT64_MAX - LAST);
    /* Before the clock began: its first moment. */
    must_eq(ilb__time_outside(&t, 5, LAST), 1);
}
END_TEST

/* Another clock's, or of before this one went back: this one's. */
START_TEST(a_time_that_is_ahead_is_the_clocks)
{
    static const uint64_t wild[] = {LAST + 3 * S_NS + 1, 4600 * S_NS,
                                    UINT64_C(1) << 63, UINT64_MAX - 1,
                                    UINT64_MAX};
    uint64_t clock_ns = LAST + S_NS;
    ilb__time t = of(&clock_ns);

    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
        must_eq(inside(&t, wild[i], LAST), clock_ns);
        must_eq(inside(&t, wild[i], 0), clock_ns);
        must_eq(inside(&t, clock_ns + 7, LAST), clock_ns + 7);
    }
    must_eq(inside(&t, clock_ns + SKEW, LAST), clock_ns + SKEW);
    must_eq(ilb__load_relaxed(&t.ahead_ns), 0);
    /* The clock itself is believed. */
    clock_ns += 3600 * S_NS;
    must_eq(inside(&t, clock_ns, LAST), clock_ns);
    must_eq(inside(&t, 0, LAST), clock_ns);
    must_eq(inside(&t, clock_ns - 7, LAST), clock_ns - 7);
}
END_TEST

/* At the very beginning as well, where 2 s back would be below 0. */
START_TEST(a_young_clock)
{
    uint64_t clock_ns = S_NS;
    ilb__time t = of(&clock_ns);

    for (uint64_t last = 0; last <= S_NS; last += S_NS / 4) {
        must_eq(inside(&t, UINT64_MAX, last), clock_ns);
        must_eq(inside(&t, UINT64_MAX - 3 * S_NS, last), clock_ns);
        must_eq(inside(&t, 1, last), 1);
        must_eq(inside(&t, 0, last), clock_ns);
    }
}
END_TEST

/* It goes on where it was, for as many leaps as there may be, and what is told
 * is by the clock. */
START_TEST(a_leap_of_the_clock_is_no_time)
{
    uint64_t clock_ns = LAST, last = LAST, random = 3;
    ilb__time t = of(&clock_ns);

    for (int i = 0; i < 10000; i++) {
        clock_ns += ILB_CLOCK_LEAP_NS + S_NS +
                    test_random(&random) % (UINT64_MAX - 2 * ILB_CLOCK_LEAP_NS);
        clock_ns += clock_ns == 0;
        must_eq(inside(&t, 0, last), last);
        must(ilb__time_outside(&t, last, last) == clock_ns);
        clock_ns += S_NS;
        clock_ns += clock_ns == 0;
        must_be_within((double)inside(&t, 0, last), (double)(last + S_NS),
                       (double)(last + S_NS + 1));
        must(ilb__time_outside(&t, last + S_NS, last) == clock_ns ||
             clock_ns <= S_NS + 1);
        last += S_NS;
    }
}
END_TEST

/* Whatever it shows at first, there is room for it to go on. */
START_TEST(a_clock_may_begin_anywhere)
{
    static const uint64_t epochs[] = {1,
                                      LAST,
                                      ILB_CLOCK_LEAP_NS,
                                      UINT64_C(1) << 62,
                                      UINT64_MAX,
                                      UINT64_MAX - LAST};

    for (size_t i = 0; i < sizeof epochs / sizeof epochs[0]; i++) {
        uint64_t clock_ns = epochs[i];
        ilb__time t = of(&clock_ns);
        uint64_t now = inside(&t, 0, 0), went_ns;

        must(now != 0 && now <= 2 * ILB_CLOCK_LEAP_NS);
        must(ilb__time_outside(&t, now, now) == clock_ns);
        must_eq(inside(&t, 0, 0), now);
        must_eq(inside(&t, clock_ns, 0), now);
        must(ilb__time_outside(&t, now + 5 * S_NS, now) ==
             (clock_ns > UINT64_MAX - 5 * S_NS ? UINT64_MAX
                                               : clock_ns + 5 * S_NS));
        clock_ns += LAST + 1;
        /* When it has come to the end of its range it went back. */
        went_ns = clock_ns > LAST ? LAST + 1 : 0;
        must_eq(inside(&t, 0, now), now + went_ns);
        clock_ns = epochs[i];
        must_eq(inside(&t, 0, now + went_ns), now + went_ns);
    }
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
        must_eq(inside(&r->time, 0, LAST + i * S_NS), LAST + i * S_NS);
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
    tcase_add_test(tc, a_time_that_is_ahead_is_the_clocks);
    tcase_add_test(tc, a_young_clock);
    tcase_add_test(tc, a_leap_of_the_clock_is_no_time);
    tcase_add_test(tc, a_clock_may_begin_anywhere);
    tcase_add_test(tc, it_goes_back_once_for_many);
    return s;
}
