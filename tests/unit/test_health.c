/* SPDX-License-Identifier: MIT */
/* health/health.h: the transitions, the probes, the count under the cap. Who
 * is ejected is in test_health_judge.c, for how long in test_health_times.c. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* pthread_barrier_t */
#endif
#include <pthread.h>

#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define N 8

/* As the header says. */
#define GOOD_TO_HEALTHY 12
#define SEARCH_AGAIN_NS S_NS

/* Of eight endpoints half can be ejected. */
static test_slots *fixture(void)
{
    test_slots *f = test_slots_new(N, ILB_POLICY_PEAK_EWMA);

    f->judge.max_ejection_percent = 50;
    return f;
}

static uint64_t word(const test_slots *f, uint32_t i)
{
    return ilb__load_relaxed(&f->slots[i].health);
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

/* ---- Transitions ------------------------------------------------------- */

START_TEST(twelve_good_answers_make_it_healthy)
{
    static const uint32_t caps[GOOD_TO_HEALTHY] = {1, 2, 3, 4, 8, 8,
                                                   8, 8, 8, 8, 8, 8};
    test_slots *f = fixture();

    ilb__health_enter(&f->judge, &f->slots[0], 0, 1);
    for (uint32_t i = 0; i < GOOD_TO_HEALTHY; i++) {
        must_eq(test_slots_state(f, 0), ILB__WARMING);
        must(ilb__health_eligible(word(f, 0)));
        must_eq(ilb__health_in_flight_cap(word(f, 0)), caps[i]);
        test_slots_good(f, 0, 1, T0);
    }
    must_eq(test_slots_state(f, 0), ILB__HEALTHY);
    must(ilb__health_in_flight_cap(word(f, 0)) == UINT32_MAX);
    must(ilb__health_eligible(word(f, 0)));
    test_slots_good(f, 0, 100, T0);
    must_eq(test_slots_state(f, 0), ILB__HEALTHY);
}
END_TEST

START_TEST(the_way_round)
{
    test_slots *f = fixture();

    must(fails(f, 0, T0));
    must_eq(test_slots_state(f, 0), ILB__EJECTED);
    must(!ilb__health_eligible(word(f, 0)));
    must_eq(n_ejected(f), 1);
    must_eq(ilb__load_relaxed(&f->slots[0].ejections), 1);
    /* What ends from before changes nothing. */
    must(!fails(f, 0, T0 + MS_NS));
    test_slots_good(f, 0, 20, T0 + MS_NS);
    ilb__health_inconclusive(&f->judge, &f->slots[0], T0);
    must_eq(test_slots_state(f, 0), ILB__EJECTED);
    must(!ilb__health_claim(&f->judge, &f->slots[0], true,
                            test_slots_until(f, 0) - 1,
                            test_slots_until(f, 0) - 1));
    must(ilb__health_claim(&f->judge, &f->slots[0], true,
                           test_slots_until(f, 0), test_slots_until(f, 0)));
    must_eq(test_slots_state(f, 0), ILB__PROBING);
    must(!ilb__health_eligible(word(f, 0)));
    must_eq(n_ejected(f), 1);
    /* Others' answers do not speak for the probe. */
    test_slots_good(f, 0, 20, T0 + 2 * S_NS);
    must(!fails(f, 0, T0 + 2 * S_NS));
    must_eq(test_slots_state(f, 0), ILB__PROBING);
    must(test_slots_bad(f, 0, true, test_failing(1, 0, 0, N), T0 + 2 * S_NS));
    must_eq(test_slots_state(f, 0), ILB__EJECTED);
    must_eq(n_ejected(f), 1);
    must_eq(ilb__load_relaxed(&f->slots[0].ejections), 2);
    (void)test_slots_return(f, 0);
    must_eq(n_ejected(f), 0);
    must_eq(test_slots_until(f, 0), 0);
    must_eq(ilb__health_in_flight_cap(word(f, 0)), 1);
}
END_TEST

/* It returns as a newcomer, of whom nothing is known. */
START_TEST(who_returns_is_a_newcomer)
{
    ilb__evidence_steps steps = ilb__evidence_steps_for(0.01f);
    test_slots *f = fixture();
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 30 * MS_NS, T0);
    (void)ilb__evidence_bad(&s->evidence, steps);
    must(fails(f, 0, T0));
    must(ilb__latency_estimate_ns(&s->latency) == 30e6f);
    (void)test_slots_return(f, 0);
    must(ilb__latency_estimate_ns(&s->latency) == 0);
    must_eq(ilb__load_relaxed(&s->evidence), 0);
}
END_TEST

/* What it failed before it was away says nothing of it now. */
START_TEST(who_enters_has_not_failed_yet)
{
    test_slots *f = fixture();
    ilb__slot *s = &f->slots[0];

    must(fails(f, 0, T0));
    ilb__health_leave(&f->judge, s);
    (void)ilb__failures_bad(&s->failures, true, T0);
    (void)ilb__evidence_bad(&s->evidence, ilb__evidence_steps_for(0.01f));
    ilb__health_enter(&f->judge, s, 0, 1);
    must_eq(test_slots_state(f, 0), ILB__WARMING);
    must_eq(ilb__failures_in_a_row(&s->failures), 0);
    must_eq(ilb__load_relaxed(&s->evidence), 0);
    must_eq(test_slots_until(f, 0), 0);
}
END_TEST

START_TEST(one_that_is_out_stays_out)
{
    test_slots *f = fixture();

    must(fails(f, 0, T0));
    must(fails(f, 1, T0));
    must(ilb__health_claim(&f->judge, &f->slots[1], true, T0 + 9 * S_NS,
                           T0 + 9 * S_NS));
    for (uint32_t i = 0; i < 3; i++) {
        ilb__health_leave(&f->judge, &f->slots[i]);
        must_eq(test_slots_state(f, i), ILB__OUT);
        must(!ilb__health_eligible(word(f, i)));
        ilb__health_leave(&f->judge, &f->slots[i]);
        test_slots_good(f, i, 20, T0);
        must(!fails(f, i, T0));
        ilb__health_good(&f->judge, &f->slots[i], true, T0);
        must(!test_slots_bad(f, i, true, test_failing(9, 60, 60, N), T0));
        ilb__health_inconclusive(&f->judge, &f->slots[i], T0);
        must(!ilb__health_claim(&f->judge, &f->slots[i], true, T0 + 90 * S_NS,
                                T0 + 90 * S_NS));
        ilb__health_enforce_cap(&f->judge, &f->slots[i], 1, 1);
        must_eq(test_slots_state(f, i), ILB__OUT);
    }
    must_eq(n_ejected(f), 0);
}
END_TEST

/* ---- Probes ------------------------------------------------------------ */

START_TEST(a_probe_belongs_to_one)
{
    test_slots *f = fixture();
    ilb__slot *s = &f->slots[0];
    uint64_t at_ns = T0 + 9 * S_NS;

    must(fails(f, 0, T0));
    must(!ilb__health_claim(&f->judge, s, false, at_ns, at_ns));
    must(ilb__health_claim(&f->judge, s, true, at_ns, at_ns));
    must(!ilb__health_claim(&f->judge, s, true, at_ns, at_ns));
    must(!ilb__health_claim(&f->judge, s, true, test_slots_until(f, 0) - 1,
                            test_slots_until(f, 0) - 1));
    /* It counts as lost after as long as an ejection is. */
    must_be_within(test_slots_until(f, 0), at_ns + SLOTS_EJECTION_NS,
                   at_ns + SLOTS_EJECTION_NS + SLOTS_ROUNDING_NS);
    must(ilb__health_claim(&f->judge, s, true, test_slots_until(f, 0),
                           test_slots_until(f, 0)));
    must(!ilb__health_claim(&f->judge, &f->slots[1], true, T0 + 90 * S_NS,
                            T0 + 90 * S_NS));
}
END_TEST

/* Neither good nor bad: the next request may try again, at once. */
START_TEST(an_inconclusive_probe_is_due_again)
{
    test_slots *f = fixture();
    uint64_t at_ns = T0 + 20 * S_NS;

    must(fails(f, 0, T0));
    must(ilb__health_claim(&f->judge, &f->slots[0], true, at_ns, at_ns));
    ilb__health_inconclusive(&f->judge, &f->slots[0], at_ns + MS_NS);
    must_eq(test_slots_state(f, 0), ILB__EJECTED);
    must_be_within(test_slots_until(f, 0), at_ns + MS_NS,
                   at_ns + MS_NS + SLOTS_ROUNDING_NS);
    must(ilb__judge_due(&f->judge, at_ns + MS_NS));
    must_eq(ilb__load_relaxed(&f->slots[0].ejections), 1);
    must_eq(n_ejected(f), 1);
}
END_TEST

START_TEST(a_search_is_one_callers_and_only_when_one_is_due)
{
    test_slots *f = fixture();
    uint64_t first_ns, second_ns;

    must(!ilb__judge_due(&f->judge, UINT64_MAX - 1));
    must(fails(f, 0, T0));
    must(fails(f, 1, T0 + 500 * MS_NS));
    first_ns = test_slots_until(f, 0);
    second_ns = test_slots_until(f, 1);
    must(!ilb__judge_due(&f->judge, first_ns - SLOTS_ROUNDING_NS));
    must(!ilb__judge_begin_search(&f->judge, first_ns - SLOTS_ROUNDING_NS,
                                  first_ns - SLOTS_ROUNDING_NS));
    must(ilb__judge_due(&f->judge, first_ns));
    must(ilb__judge_begin_search(&f->judge, first_ns, first_ns));
    must(!ilb__judge_begin_search(&f->judge, first_ns, first_ns));
    must(ilb__health_claim(&f->judge, &f->slots[0], true, first_ns, first_ns));
    /* The other one is noted in passing. */
    must(
        !ilb__health_claim(&f->judge, &f->slots[1], false, first_ns, first_ns));
    must(!ilb__judge_due(&f->judge, second_ns - SLOTS_ROUNDING_NS));
    must(ilb__judge_due(&f->judge, second_ns));
}
END_TEST

/* A search through a table that is being replaced may miss one. */
START_TEST(a_search_that_found_nobody_is_followed_by_another)
{
    test_slots *f = fixture();
    uint64_t due_ns;

    must(fails(f, 0, T0));
    due_ns = test_slots_until(f, 0);
    must(ilb__judge_begin_search(&f->judge, due_ns, due_ns));
    must(!ilb__judge_due(&f->judge, due_ns + SEARCH_AGAIN_NS - 1));
    must(ilb__judge_due(&f->judge, due_ns + SEARCH_AGAIN_NS));
    must(ilb__judge_begin_search(&f->judge, due_ns + SEARCH_AGAIN_NS,
                                 due_ns + SEARCH_AGAIN_NS));
    ilb__judge_search_again(&f->judge, due_ns + SEARCH_AGAIN_NS);
    must(ilb__judge_due(&f->judge, due_ns + SEARCH_AGAIN_NS));
    /* But not when there is nobody to be found. */
    ilb__health_leave(&f->judge, &f->slots[0]);
    must(ilb__judge_begin_search(&f->judge, due_ns + 9 * S_NS,
                                 due_ns + 9 * S_NS));
    must(!ilb__judge_due(&f->judge, UINT64_MAX - 1));
}
END_TEST

/* A time further off than any ejection lasts was set before the clock went
 * back: it is due now, not in an hour. */
START_TEST(a_clock_that_went_back_does_not_keep_it_out)
{
    test_slots *f = fixture();
    uint64_t until_ns, most_ns = SLOTS_EJECTION_MAX_NS + 2 * S_NS;

    for (uint64_t back_ns = 0; back_ns < 3600 * S_NS; back_ns += 7 * S_NS) {
        f = fixture();
        must(fails(f, 0, T0 + 3600 * S_NS));
        until_ns = test_slots_until(f, 0);
        must_eq(ilb__health_claim(&f->judge, &f->slots[0], true,
                                  until_ns - 1 - back_ns,
                                  until_ns - 1 - back_ns),
                back_ns >= most_ns);
    }
}
END_TEST

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

Suite *suite_health(void)
{
    Suite *s = suite_create("health");
    TCase *tc = test_case(s, "transitions");

    tcase_add_test(tc, twelve_good_answers_make_it_healthy);
    tcase_add_test(tc, the_way_round);
    tcase_add_test(tc, who_returns_is_a_newcomer);
    tcase_add_test(tc, who_enters_has_not_failed_yet);
    tcase_add_test(tc, one_that_is_out_stays_out);
    tc = test_case(s, "probes");
    tcase_add_test(tc, a_probe_belongs_to_one);
    tcase_add_test(tc, an_inconclusive_probe_is_due_again);
    tcase_add_test(tc, a_search_is_one_callers_and_only_when_one_is_due);
    tcase_add_test(tc, a_search_that_found_nobody_is_followed_by_another);
    tcase_add_test(tc, a_clock_that_went_back_does_not_keep_it_out);
    tc = test_case(s, "cap");
    tcase_add_test(tc, the_cap_in_percent);
    tcase_add_test(tc, the_cap_is_enforced_one_by_one);
    tcase_add_test(tc, random_events_keep_the_count);
    tcase_add_test(tc, every_change_is_one_threads);
    return s;
}
