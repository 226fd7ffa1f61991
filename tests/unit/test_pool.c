/* SPDX-License-Identifier: MIT */
/* health/pool.h: when it looks, and latencies. What healthy endpoints fail
 * is in test_pool_failures.c and test_pool_windows.c, the rate of requests and
 * what follows from it in test_pool_rate.c. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* pthread_barrier_t */
#endif
#include <pthread.h>

#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

/* As the header and its source say. */
#define SAMPLES 64
#define HISTOGRAM_FULL 2000
#define FAILED_PERIOD_NS (10 * MS_NS)

static float median(test_slots *f, uint64_t now_ns)
{
    return test_slots_figures(f, now_ns).median_ns;
}

/* ---- When -------------------------------------------------------------- */

START_TEST(it_is_refreshed_ten_times_a_second)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);

    test_slots_learn(f, 0, MS_NS, T0);
    must(median(f, T0) == 1e6f);
    test_slots_learn(f, 0, 5 * MS_NS, T0);
    must(median(f, T0 + ILB_POOL_PERIOD_NS - 1) == 1e6f);
    must(median(f, T0 + ILB_POOL_PERIOD_NS) == 5e6f);
}
END_TEST

static void refresh(test_slots *f, bool failed, uint64_t now_ns)
{
    ilb__view v = ilb__table_view(&f->table);

    ilb__pool_refresh(&f->selector.pool, &f->judge, f->slots, &v, failed,
                      now_ns);
}

/* After a failure sooner, but not with each of a burst. */
START_TEST(a_failure_refreshes_it_sooner)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);

    test_slots_learn(f, 0, MS_NS, T0);
    refresh(f, true, T0);
    test_slots_learn(f, 0, 5 * MS_NS, T0);
    refresh(f, true, T0 + FAILED_PERIOD_NS - 1);
    must(median(f, T0) == 1e6f);
    refresh(f, false, T0 + FAILED_PERIOD_NS);
    must(median(f, T0) == 1e6f);
    refresh(f, true, T0 + FAILED_PERIOD_NS);
    must(median(f, T0) == 5e6f);
}
END_TEST

/* Another thread's clock may be a little behind: that is no reason to look
 * again. */
START_TEST(a_clock_that_is_a_little_behind)
{
    test_slots *f = test_slots_new(3, ILB_POLICY_PEAK_EWMA);

    test_slots_learn(f, 0, MS_NS, T0);
    must(median(f, T0) == 1e6f);
    test_slots_learn(f, 0, 5 * MS_NS, T0);
    must(median(f, T0 - ILB_CLOCK_SKEW_NS + 1) == 1e6f);
    must(median(f, T0 + ILB_POOL_PERIOD_NS) == 5e6f);
}
END_TEST

START_TEST(an_empty_table_leaves_all_as_it_is)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);
    ilb__figures before, after;

    test_slots_learn(f, 0, MS_NS, T0);
    before = test_slots_figures(f, T0);
    test_slots_publish(f, 0, 0);
    after = test_slots_figures(f, T0 + S_NS);
    must(after.median_ns == before.median_ns && after.p0 == before.p0);
    must(after.rate_per_s == before.rate_per_s);
    must_eq(after.aperture, before.aperture);
}
END_TEST

typedef struct pool_race {
    test_slots *f;
    pthread_barrier_t barrier;
} pool_race;

#define RACE_ROUNDS 300

static void *race(void *arg)
{
    pool_race *r = arg;

    for (uint64_t i = 0; i < RACE_ROUNDS; i++) {
        (void)pthread_barrier_wait(&r->barrier);
        (void)test_slots_figures(r->f, T0 + i * ILB_POOL_PERIOD_NS);
    }
    return NULL;
}

/* Of several callers one does it: each end counts once. */
START_TEST(one_of_several_callers_looks)
{
    pthread_t threads[3];
    pool_race r;

    r.f = test_slots_new(8, ILB_POLICY_PEAK_EWMA);
    must_eq(pthread_barrier_init(&r.barrier, NULL, 4), 0);
    for (int i = 0; i < 3; i++)
        must_eq(pthread_create(&threads[i], NULL, race, &r), 0);
    for (uint32_t i = 0; i < RACE_ROUNDS; i++) {
        for (uint32_t k = 0; k < 8; k++)
            test_slots_end(r.f, k, 10, 0);
        (void)pthread_barrier_wait(&r.barrier);
    }
    for (int i = 0; i < 3; i++)
        must_eq(pthread_join(threads[i], NULL), 0);
    must_eq(pthread_barrier_destroy(&r.barrier), 0);
    must_eq(ilb__load_relaxed(&r.f->selector.pool.round), RACE_ROUNDS);
    /* 80 in 100 ms. */
    must_be_within(test_slots_figures(r.f, T0).rate_per_s, 700, 810);
}
END_TEST

/* ---- The median -------------------------------------------------------- */

START_TEST(the_lower_middle)
{
    for (uint32_t n = 1; n <= 20; n++) {
        test_slots *f = test_slots_new(n, ILB_POLICY_PEAK_EWMA);

        /* 1 .. n ms, in an order that is not sorted. */
        for (uint32_t i = 0; i < n; i++)
            test_slots_learn(f, i, (n % 7 == 0 ? i + 1 : i * 7 % n + 1) * MS_NS,
                             T0);
        must(median(f, T0) == (float)((n + 1) / 2 * MS_NS));
    }
}
END_TEST

START_TEST(who_is_not_known_or_ejected_does_not_count)
{
    ilb__figures nothing = test_figures(0, 0);
    test_slots *f = test_slots_new(6, ILB_POLICY_PEAK_EWMA);

    must(median(f, T0) == 0);
    for (uint32_t i = 0; i < 4; i++)
        test_slots_learn(f, i, (i + 1) * MS_NS, T0);
    must(median(f, T0 + S_NS) == 2e6f);
    /* A bound is no estimate. */
    ilb__latency_learn_bound(&f->slots[4].latency, 1, &nothing, T0);
    must(median(f, T0 + 2 * S_NS) == 2e6f);
    test_slots_eject(f, 0, T0);
    test_slots_eject(f, 1, T0);
    must(median(f, T0 + 3 * S_NS) == 3e6f);
    test_slots_eject(f, 2, T0);
    test_slots_eject(f, 3, T0);
    /* Nobody left to ask: the last known stays. */
    must(median(f, T0 + 4 * S_NS) == 3e6f);
}
END_TEST

START_TEST(the_first_answer_stands_in)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);
    ilb__pool *p = &f->selector.pool;
    ilb__figures figures;

    ilb__pool_figures(p, &figures);
    must(figures.median_ns == 0 && figures.p99_ns == 0);
    ilb__pool_good(p, 7 * MS_NS, 0);
    ilb__pool_figures(p, &figures);
    must(figures.median_ns == 7e6f);
    ilb__pool_good(p, 9 * MS_NS, 0);
    ilb__pool_figures(p, &figures);
    must(figures.median_ns == 7e6f);
    f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);
    ilb__pool_good(p, 0, 0);
    ilb__pool_figures(p, &figures);
    must(figures.median_ns == 1);
}
END_TEST

/* Of more than 64, some evenly over the whole table. */
START_TEST(of_many_a_spread_sample)
{
    for (uint32_t n = SAMPLES - 4; n <= SLOTS; n += 7) {
        test_slots *f = test_slots_new(n, ILB_POLICY_PEAK_EWMA);

        for (uint32_t i = 0; i < n; i++)
            test_slots_learn(f, i, (i + 1) * MS_NS, T0);
        must_be_within(median(f, T0), (0.45 * n - 3) * MS_NS,
                       (0.55 * n + 3) * MS_NS);
    }
}
END_TEST

/* ---- The 99th percentile ----------------------------------------------- */

static void answers(test_slots *f, uint32_t n, uint64_t ns)
{
    for (uint32_t i = 0; i < n; i++)
        ilb__pool_good(&f->selector.pool, ns, 0);
}

START_TEST(p99_of_the_answers_of_late)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);

    must(test_slots_figures(f, T0).p99_ns == 0);
    answers(f, 991, MS_NS);
    answers(f, 9, 100 * MS_NS);
    must_be_within(test_slots_figures(f, T0 + S_NS).p99_ns, 1e6, 1.125e6);
    answers(f, 2, 100 * MS_NS);
    must_be_within(test_slots_figures(f, T0 + 2 * S_NS).p99_ns, 100e6, 112.5e6);
}
END_TEST

/* Halved each time it is full: after some ten thousand answers the slow days
 * are forgotten. */
START_TEST(what_was_long_ago_is_forgotten)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns = T0;

    answers(f, HISTOGRAM_FULL, S_NS);
    (void)test_slots_figures(f, now_ns);
    must_eq(ilb__histogram_total(&f->selector.pool.answers), HISTOGRAM_FULL);
    answers(f, 2, S_NS);
    (void)test_slots_figures(f, now_ns += S_NS);
    must_eq(ilb__histogram_total(&f->selector.pool.answers),
            HISTOGRAM_FULL / 2 + 1);
    for (int i = 0; i < 6; i++) {
        must(test_slots_figures(f, now_ns += S_NS).p99_ns >= 1e9f);
        answers(f, HISTOGRAM_FULL, MS_NS);
    }
    /* 1001 halved five times is 31, of nearly 4000. */
    must_be_within(test_slots_figures(f, now_ns += S_NS).p99_ns, 1e6, 1.125e6);
}
END_TEST

Suite *suite_pool(void)
{
    Suite *s = suite_create("pool");
    TCase *tc = test_case(s, "when");

    tcase_add_test(tc, it_is_refreshed_ten_times_a_second);
    tcase_add_test(tc, a_failure_refreshes_it_sooner);
    tcase_add_test(tc, a_clock_that_is_a_little_behind);
    tcase_add_test(tc, an_empty_table_leaves_all_as_it_is);
    tcase_add_test(tc, one_of_several_callers_looks);
    tc = test_case(s, "latency");
    tcase_add_test(tc, the_lower_middle);
    tcase_add_test(tc, who_is_not_known_or_ejected_does_not_count);
    tcase_add_test(tc, the_first_answer_stands_in);
    tcase_add_test(tc, of_many_a_spread_sample);
    tcase_add_test(tc, p99_of_the_answers_of_late);
    tcase_add_test(tc, what_was_long_ago_is_forgotten);
    return s;
}
