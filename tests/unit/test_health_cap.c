/* SPDX-License-Identifier: MIT */
/* health/eject.h and probe.h: the count under the cap, also when many threads
 * eject at once. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* pthread_barrier_t */
#endif
#include <pthread.h>

#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define N 8

/* Of eight endpoints half can be ejected. */
static test_slots *fixture(void)
{
    test_slots *f = test_slots_new(N, ILB_POLICY_PEAK_EWMA);

    f->judge.max_ejection_percent = 50;
    return f;
}

static uint32_t n_ejected(const test_slots *f)
{
    return ilb__load32_relaxed(&f->judge.n_ejected);
}

static bool fails(test_slots *f, uint32_t i, uint64_t now_ns)
{
    return test_slots_bad(f, i, false, test_failing(SLOTS_CONSECUTIVE, 0, 0, N),
                          now_ns);
}

/* ---- The cap ----------------------------------------------------------- */

/* max_ejection_percent of the ready ones, but one of two or more; never the
 * last. */
START_TEST(the_cap_in_percent)
{
    for (uint32_t n = 1; n <= 60; n++)
        for (uint32_t percent = 1; percent <= 100; percent++) {
            test_slots *f;
            uint32_t cap = n * percent / 100;

            if (percent > 3 && percent < 97 && (n + percent) % 7 != 0)
                continue;
            f = test_slots_new(n, ILB_POLICY_PEAK_EWMA);
            f->judge.max_ejection_percent = percent;
            cap = cap == 0 ? 1 : cap;
            cap = cap < n ? cap : n - 1;
            for (uint32_t i = 0; i < n; i++)
                must_eq(test_slots_bad(f, i, false,
                                       test_failing(SLOTS_CONSECUTIVE, 0, 0, n),
                                       T0),
                        i < cap);
            must_eq(n_ejected(f), cap);
        }
}
END_TEST

START_TEST(the_cap_is_enforced_one_by_one)
{
    test_slots *f = fixture();

    for (uint32_t i = 0; i < N; i++)
        must_eq(fails(f, i, T0), i < 4);
    must(ilb__health_claim(&f->judge, &f->slots[1], true, T0 + 9 * S_NS,
                           T0 + 9 * S_NS));
    for (uint32_t i = 0; i < N; i++)
        ilb__health_enforce_cap(&f->judge, &f->slots[i], N, 1);
    must_eq(n_ejected(f), 4);
    for (uint32_t i = 0; i < N; i++)
        ilb__health_enforce_cap(&f->judge, &f->slots[i], 5, 1);
    must_eq(n_ejected(f), 2);
    must_eq(test_slots_state(f, 0), ILB__WARMING);
    must_eq(test_slots_state(f, 1), ILB__WARMING);
    must_eq(test_slots_state(f, 2), ILB__EJECTED);
    for (uint32_t i = 0; i < N; i++)
        ilb__health_enforce_cap(&f->judge, &f->slots[i], 1, 1);
    must_eq(n_ejected(f), 0);
}
END_TEST

START_TEST(random_events_keep_the_count)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        uint64_t random = seed, now_ns = T0;
        test_slots *f = fixture();

        for (int step = 0; step < 400; step++) {
            uint32_t i = test_below(&random, N), what = test_below(&random, 12);
            enum ilb__health_state state = test_slots_state(f, i);
            bool probe = state == ILB__PROBING && test_below(&random, 2);
            ilb__failing x = test_failing(test_below(&random, 5),
                                          test_below(&random, 20), 0, N);
            uint32_t out = 0;

            now_ns += test_random(&random) % (400 * MS_NS);
            x.bits = (uint32_t)test_random(&random);
            if (what < 4)
                (void)test_slots_bad(f, i, probe, x, now_ns);
            else if (what < 8)
                ilb__health_good(&f->judge, &f->slots[i], probe, now_ns);
            else if (what == 8)
                ilb__health_leave(&f->judge, &f->slots[i]);
            else if (what == 9 && state == ILB__OUT)
                ilb__health_enter(&f->judge, &f->slots[i], 0, 1);
            else if (what == 10)
                (void)ilb__health_claim(&f->judge, &f->slots[i], true, now_ns,
                                        now_ns);
            else if (probe)
                ilb__health_inconclusive(&f->judge, &f->slots[i], now_ns);
            for (uint32_t k = 0; k < N; k++)
                out += test_slots_state(f, k) == ILB__EJECTED ||
                       test_slots_state(f, k) == ILB__PROBING;
            must_eq(n_ejected(f), out);
            must(out <= 4);
        }
    }
}
END_TEST

/* ---- Races ------------------------------------------------------------- */

#define RACERS 3
#define RACE_ROUNDS 300

#define RACE_WAITS 5

typedef struct health_race {
    test_slots *f;
    pthread_barrier_t barrier;
    _Atomic uint32_t n_ejections, n_claims, n_under_cap;
} health_race;

/* One round: all do the same thing at the same time. */
static void race_round(health_race *r, uint64_t now_ns)
{
    test_slots *f = r->f;

    (void)pthread_barrier_wait(&r->barrier);
    if (fails(f, 0, now_ns))
        r->n_ejections++;
    (void)pthread_barrier_wait(&r->barrier);
    if (ilb__health_claim(&f->judge, &f->slots[0], true, now_ns + 5 * S_NS,
                          now_ns + 5 * S_NS))
        r->n_claims++;
    (void)pthread_barrier_wait(&r->barrier);
    ilb__health_good(&f->judge, &f->slots[0], true, now_ns + 5 * S_NS);
    (void)pthread_barrier_wait(&r->barrier);
    for (uint32_t i = 1; i < N; i++)
        if (fails(f, i, now_ns))
            r->n_under_cap++;
    (void)pthread_barrier_wait(&r->barrier);
}

static void *race(void *arg)
{
    health_race *r = arg;

    for (uint64_t i = 0; i < RACE_ROUNDS; i++) {
        (void)pthread_barrier_wait(&r->barrier);
        race_round(r, T0 + i * 100 * S_NS);
        (void)pthread_barrier_wait(&r->barrier);
    }
    return NULL;
}

/* Exactly one of many ejects an endpoint, takes its probe, counts it as back;
 * and together they keep to the cap. */
START_TEST(every_change_is_one_threads)
{
    static health_race r;
    pthread_t threads[RACERS];

    r.f = fixture();
    must_eq(pthread_barrier_init(&r.barrier, NULL, RACERS + 1), 0);
    for (int i = 0; i < RACERS; i++)
        must_eq(pthread_create(&threads[i], NULL, race, &r), 0);
    for (uint32_t i = 0; i < RACE_ROUNDS; i++) {
        for (uint32_t k = 0; k < N; k++) {
            ilb__health_leave(&r.f->judge, &r.f->slots[k]);
            ilb__health_enter(&r.f->judge, &r.f->slots[k], 0, 1);
        }
        must_eq(n_ejected(r.f), 0);
        (void)pthread_barrier_wait(&r.barrier); /* begin */
        for (int k = 0; k < RACE_WAITS; k++)
            (void)pthread_barrier_wait(&r.barrier);
        must_eq(r.n_ejections, i + 1);
        must_eq(r.n_claims, i + 1);
        must_eq(test_slots_state(r.f, 0), ILB__WARMING);
        must_eq(r.n_under_cap, 4 * (i + 1));
        must_eq(n_ejected(r.f), 4);
        (void)pthread_barrier_wait(&r.barrier); /* end */
    }
    for (int i = 0; i < RACERS; i++)
        must_eq(pthread_join(threads[i], NULL), 0);
    must_eq(pthread_barrier_destroy(&r.barrier), 0);
}
END_TEST

Suite *suite_health_cap(void)
{
    Suite *s = suite_create("health cap");
    TCase *tc = test_case(s, "cap");

    tcase_add_test(tc, the_cap_in_percent);
    tcase_add_test(tc, the_cap_is_enforced_one_by_one);
    tcase_add_test(tc, random_events_keep_the_count);
    tc = test_case(s, "races");
    tcase_add_test(tc, every_change_is_one_threads);
    return s;
}
