/* SPDX-License-Identifier: MIT */
/* health/pool.h: what counts as a failure, for how long, and what follows from
 * p0. */
#include <math.h>

#include "slots.h"
#include "suites_internal.h"
#include "util.h"

/* As the headers say. */
#define T0 (1000 * S_NS)
#define SHORT_PRIOR 20.0
#define SHORT_REQUESTS 50.0
#define LONG_TAU_S 120.0
#define SUSPECT_SHARE 0.05
#define SUSPECT_MIN_S 0.02
#define SUSPECT_MAX_S 1.5

typedef struct tally {
    uint32_t ended, failed;
} tally;

/* All of that has ended of late. */
static ilb__figures figures_of(const tally *t, uint32_t n)
{
    test_slots *f = test_slots_new(n, ILB_POLICY_PEAK_EWMA);

    (void)test_slots_figures(f, T0);
    for (uint32_t i = 0; i < n; i++)
        test_slots_end(f, i, t[i].ended, t[i].failed);
    return test_slots_figures(f, T0 + ILB_POOL_PERIOD_NS);
}

/* ---- Which count, and for how long ------------------------------------- */

/* Refused for load and given up are not failures, nor ends. */
START_TEST(only_successes_and_failures_count)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);

    (void)test_slots_figures(f, T0);
    for (uint32_t i = 0; i < 2; i++) {
        ilb__slot *s = &f->slots[i];

        ilb__store_relaxed(&s->done[ILB_SUCCESS], 900);
        ilb__store_relaxed(&s->done[ILB_FAILURE], 30);
        ilb__store_relaxed(&s->done[ILB_TIMEOUT], 50);
        ilb__store_relaxed(&s->done[ILB_CONNECT_ERROR], 20);
        ilb__store_relaxed(&s->done[ILB_OVERLOAD], 5000);
        ilb__store_relaxed(&s->done[ILB_CANCELLED], 5000);
    }
    must_be_within(test_slots_figures(f, T0 + S_NS).p0, 200 / 2020.0 * 0.999,
                   200 / 2020.0 * 1.001);
}
END_TEST

/* Two minutes; the short one has nothing left by then. */
START_TEST(the_long_window_fades_in_two_minutes)
{
    for (uint32_t s = 60; s <= 600; s += 60) {
        test_slots *f = test_slots_new(5, ILB_POLICY_PEAK_EWMA);
        double k = exp(-(double)s / LONG_TAU_S), p0;

        (void)test_slots_figures(f, T0);
        for (uint32_t i = 0; i < 5; i++)
            test_slots_end(f, i, 1000, 10);
        (void)test_slots_figures(f, T0 + S_NS);
        for (uint32_t i = 4; i < s; i += 4)
            (void)test_slots_figures(f, T0 + (1 + i) * S_NS);
        p0 = (0.5 + 50 * k) / (200 + 5000 * k);
        must_be_within(test_slots_figures(f, T0 + (1 + s) * S_NS).p0,
                       p0 * 0.999, p0 * 1.001);
    }
}
END_TEST

/* A clean day, then all fail half: known after 50 requests each, in 500 ms
 * here; and well again, as soon. The long window alone would take minutes. */
START_TEST(the_short_window_is_quick)
{
    test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns = T0;
    ilb__figures figures;
    int n = 0;

    (void)test_slots_figures(f, now_ns);
    for (int i = 0; i < 1200; i++) {
        for (uint32_t k = 0; k < 4; k++)
            test_slots_end(f, k, 10, 0);
        figures = test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    }
    must(figures.p0 < 1e-4f);
    for (int i = 0; i < 5; i++) {
        for (uint32_t k = 0; k < 4; k++)
            test_slots_end(f, k, 10, 5);
        figures = test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    }
    must_be_within(figures.p0, 0.28, 0.5);
    for (; figures.p0 > 0.02f; n++) {
        for (uint32_t k = 0; k < 4; k++)
            test_slots_end(f, k, 10, 0);
        figures = test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
        must(n < 25);
    }
    must(n >= 10);
}
END_TEST

/* 50 requests an endpoint: here 50 a second to five of them, so about 5 s. */
START_TEST(the_short_window_is_so_many_requests)
{
    test_slots *f = test_slots_new(5, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns = T0;
    double ended, keep;
    ilb__figures figures;

    (void)test_slots_figures(f, now_ns);
    for (int i = 0; i < 600; i++) {
        for (uint32_t k = 0; k < 5; k++)
            test_slots_end(f, k, 1, 0);
        (void)test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    }
    for (uint32_t k = 0; k < 5; k++)
        test_slots_end(f, k, 10, 10);
    figures = test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    /* What is there of 1 in 100 ms each, and the 10. */
    ended = 5 * (1 / (1 - exp(-0.1 / 5)) + 10);
    must_be_within(figures.p0, 50 / (ended + SHORT_PRIOR) * 0.97,
                   50 / (ended + SHORT_PRIOR) * 1.03);
    keep = exp(-5 / (SHORT_REQUESTS * 5 / (double)figures.rate_per_s));
    must_be_within(test_slots_figures(f, now_ns + 5 * S_NS).p0,
                   50 * keep / (ended * keep + SHORT_PRIOR) * 0.97,
                   50 * keep / (ended * keep + SHORT_PRIOR) * 1.03);
}
END_TEST

/* Who was not looked at the last time begins anew: what it failed before
 * nobody could see counts nowhere. */
START_TEST(one_that_was_not_in_the_table)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);

    test_slots_publish(f, 0, 1);
    (void)test_slots_figures(f, T0);
    test_slots_end(f, 1, 1000, 500);
    (void)test_slots_figures(f, T0 + S_NS);
    test_slots_publish(f, 0, 2);
    must_be_within(test_slots_figures(f, T0 + 2 * S_NS).p0, 0.00249, 0.00251);
    test_slots_end(f, 1, 1000, 500);
    must_be_within(test_slots_figures(f, T0 + 3 * S_NS).p0,
                   500 / 1020.0 * 0.999, 500 / 1020.0 * 1.001);
}
END_TEST

/* ---- What follows from it ---------------------------------------------- */

START_TEST(the_steps_are_those_of_p0)
{
    for (uint32_t failed = 0; failed <= 1000; failed += 50) {
        tally t = {1000, failed};
        ilb__figures f = figures_of(&t, 1);
        ilb__evidence_steps s = ilb__evidence_steps_for(f.p0);

        must_eq(f.steps.broken_up, s.broken_up);
        must_eq(f.steps.broken_down, s.broken_down);
        must_eq(f.steps.faulty_up, s.faulty_up);
        must_eq(f.steps.faulty_down, s.faulty_down);
    }
}
END_TEST

/* 5 % of the mean time between failures of a healthy endpoint. */
static void suspect_is(test_slots *f, uint32_t n, uint32_t n_eligible,
                       uint32_t each, uint32_t failed)
{
    uint64_t now_ns = T0;
    ilb__figures figures;
    double s;

    (void)test_slots_figures(f, now_ns);
    for (int i = 0; i < 100; i++) {
        for (uint32_t k = 0; k < n; k++)
            test_slots_end(f, k, each, failed);
        figures = test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    }
    s = SUSPECT_SHARE * n_eligible /
        ((double)figures.rate_per_s * (double)figures.p0);
    s = s < SUSPECT_MIN_S   ? SUSPECT_MIN_S
        : s > SUSPECT_MAX_S ? SUSPECT_MAX_S
                            : s;
    must_be_within((double)figures.suspect_ns / 1e9, s * 0.999 - 0.0011,
                   s * 1.001);
}

START_TEST(a_failure_keeps_it_back_for_a_moment)
{
    static const uint32_t rows[][2] = {{1, 0},   {10, 0}, {10, 1},    {10, 3},
                                       {100, 1}, {50, 5}, {1000, 900}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint32_t ejected = 0; ejected < 3; ejected++) {
            test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);

            for (uint32_t k = 0; k < ejected; k++)
                test_slots_eject(f, k, T0);
            suspect_is(f, 4, 4 - ejected, rows[i][0], rows[i][1]);
        }
}
END_TEST

/* Before anything is known, and where nothing fails: the longest. */
START_TEST(the_first_failure_keeps_it_back_longest)
{
    test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
    ilb__figures figures;

    ilb__pool_figures(&f->selector.pool, &figures);
    must_be_within((double)figures.suspect_ns / 1e9, SUSPECT_MAX_S - 0.0011,
                   SUSPECT_MAX_S);
    must_be_within((double)test_slots_figures(f, T0).suspect_ns / 1e9,
                   SUSPECT_MAX_S - 0.0011, SUSPECT_MAX_S);
}
END_TEST

Suite *suite_pool_windows(void)
{
    Suite *s = suite_create("pool windows");
    TCase *tc = test_case(s, "windows");

    tcase_add_test(tc, only_successes_and_failures_count);
    tcase_add_test(tc, the_long_window_fades_in_two_minutes);
    tcase_add_test(tc, the_short_window_is_quick);
    tcase_add_test(tc, the_short_window_is_so_many_requests);
    tcase_add_test(tc, one_that_was_not_in_the_table);
    tc = test_case(s, "what follows");
    tcase_add_test(tc, the_steps_are_those_of_p0);
    tcase_add_test(tc, a_failure_keeps_it_back_for_a_moment);
    tcase_add_test(tc, the_first_failure_keeps_it_back_longest);
    return s;
}
