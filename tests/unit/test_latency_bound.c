/* SPDX-License-Identifier: MIT */
/* signal/latency.h: what a request without a good answer teaches: that one
 * would have taken longer. */
#include "signal/latency.h"
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (UINT64_C(1) << 40)

#define MEDIAN (10.0 * MS_NS)
#define P99 (20.0 * MS_NS)

static ilb__latency at(uint64_t ns)
{
    ilb__figures nothing = test_figures(0, 0);
    ilb__latency l = {0};

    ilb__latency_learn(&l, ns, 1, &nothing, T0);
    return l;
}

/* Only above what was read, and only up. */
START_TEST(a_bound_only_raises)
{
    uint64_t random = 3;

    for (int round = 0; round < 2000; round++) {
        double median =
            test_below(&random, 2) ? test_below(&random, 100000000) : 0;
        ilb__figures f = test_figures(median, median * (1 + round % 3));
        ilb__latency l = {0};
        uint64_t now_ns = T0;

        for (int i = 0; i < 50; i++) {
            uint64_t x = test_below(&random, 500000000), word;
            float before, after;

            now_ns += test_random(&random) % S_NS;
            if (test_below(&random, 3) == 0) {
                ilb__latency_learn(&l, x, 1, &f, now_ns);
                continue;
            }
            before = ilb__latency_read_ns(&l, &f, now_ns);
            word = ilb__load_relaxed(&l.word);
            ilb__latency_learn_bound(&l, x, &f, now_ns);
            after = ilb__latency_read_ns(&l, &f, now_ns);
            must(after >= before);
            must(after >= (float)x);
            must((float)x > before || ilb__load_relaxed(&l.word) == word);
        }
    }
}
END_TEST

/* A bound alone is no answer: not an estimate for the median, never below the
 * others, and the first good answer replaces it. */
START_TEST(a_bound_alone_is_no_estimate)
{
    ilb__figures nothing = test_figures(0, 0), f = test_figures(50e6, 0);
    ilb__latency l = {0};

    ilb__latency_learn_bound(&l, MS_NS, &nothing, T0);
    must(ilb__latency_estimate_ns(&l) == 0);
    must(ilb__latency_read_ns(&l, &nothing, T0) == 1e6f);
    must(ilb__latency_read_ns(&l, &f, T0) == 50e6f);
    ilb__latency_learn_bound(&l, S_NS, &f, T0);
    must(ilb__latency_estimate_ns(&l) == 0);
    must(ilb__latency_read_ns(&l, &f, T0) == 1e9f);
    must_be_within(ilb__latency_read_ns(&l, &f, T0 + 50 * S_NS), 49e6, 51e6);
    ilb__latency_learn(&l, 20 * MS_NS, 1, &f, T0);
    must(ilb__latency_estimate_ns(&l) == 20e6f);
    /* What is known stays an estimate. */
    ilb__latency_learn_bound(&l, 30 * MS_NS, &nothing, T0);
    must(ilb__latency_estimate_ns(&l) == 30e6f);
}
END_TEST

/* Who fails first, and fast, is not the fastest known. */
START_TEST(a_fast_failure_is_not_below_the_median)
{
    for (uint64_t ns = 0; ns < 60 * MS_NS; ns += MS_NS / 3) {
        ilb__figures nothing = test_figures(0, 0);
        ilb__figures f = test_figures(50e6, 0);
        ilb__latency l = {0};

        ilb__latency_learn_bound(&l, ns, &nothing, T0);
        must(ilb__latency_read_ns(&l, &f, T0) >= 50e6f);
        must(ilb__latency_estimate_ns(&l) == 0);
    }
}
END_TEST

/* A bound out of the ordinary counts as a peak of one that was as the others:
 * the level rises. */
START_TEST(a_bound_can_be_a_peak)
{
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = at(10 * MS_NS);

    ilb__latency_learn_bound(&l, 59 * MS_NS, &f, T0);
    must_eq(ilb__latency_level(&l), 0);
    l = at(13 * MS_NS);
    ilb__latency_learn_bound(&l, 61 * MS_NS, &f, T0);
    must(ilb__latency_estimate_ns(&l) == 61e6f);
    must_eq(ilb__latency_level(&l), 1);
    /* The same stall, and one that began later. */
    ilb__latency_learn_bound(&l, 500 * MS_NS, &f, T0 + 100 * MS_NS);
    must_eq(ilb__latency_level(&l), 1);
    ilb__latency_learn_bound(&l, 2 * S_NS, &f, T0 + 3 * S_NS);
    must_eq(ilb__latency_level(&l), 2);
}
END_TEST

/* It does not shorten the memory of one that is known to be slow: a peak of
 * level 1 fades in 0.2 s, what was known in 5 s. */
START_TEST(a_bound_does_not_make_the_slow_forgotten)
{
    ilb__figures f = test_figures(MEDIAN, P99);

    for (uint64_t ns = 14 * MS_NS; ns < 40 * MS_NS; ns += MS_NS) {
        ilb__latency l = at(ns);

        ilb__latency_learn_bound(&l, 100 * MS_NS, &f, T0);
        must(ilb__latency_estimate_ns(&l) == 100e6f);
        must_eq(ilb__latency_level(&l), 0);
        must(ilb__latency_read_ns(&l, &f, T0 + S_NS) > (float)ns);
    }
}
END_TEST

START_TEST(a_bound_of_a_clock_that_went_back_changes_nothing)
{
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = at(10 * MS_NS);
    uint64_t word = ilb__load_relaxed(&l.word);

    /* No time has passed since its pick. */
    ilb__latency_learn_bound(&l, 0, &f, T0 - S_NS);
    must(ilb__load_relaxed(&l.word) == word);
}
END_TEST

START_TEST(the_longest_wait_fits)
{
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = {0};

    ilb__latency_learn_bound(&l, UINT64_MAX, &f, T0);
    must(ilb__latency_read_ns(&l, &f, T0) == 18446744073709551616.0f);
    ilb__latency_learn(&l, UINT64_MAX, 1, &f, T0);
    must(ilb__latency_estimate_ns(&l) == 18446744073709551616.0f);
    must(ilb__latency_read_ns(&l, &f, T0 + 60 * S_NS) < 1e20f);
    for (uint64_t i = 1; i < 400; i++)
        ilb__latency_learn(&l, 10 * MS_NS, 1, &f, T0 + i * MS_NS);
    must_be_within(ilb__latency_estimate_ns(&l), 9.9e6, 20e6);
}
END_TEST

Suite *suite_latency_bound(void)
{
    Suite *s = suite_create("latency bound");
    TCase *tc = test_case(s, "bounds");

    tcase_add_test(tc, a_bound_only_raises);
    tcase_add_test(tc, a_bound_alone_is_no_estimate);
    tcase_add_test(tc, a_fast_failure_is_not_below_the_median);
    tcase_add_test(tc, a_bound_can_be_a_peak);
    tcase_add_test(tc, a_bound_does_not_make_the_slow_forgotten);
    tcase_add_test(tc, a_bound_of_a_clock_that_went_back_changes_nothing);
    tcase_add_test(tc, the_longest_wait_fits);
    return s;
}
