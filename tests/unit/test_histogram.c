/* SPDX-License-Identifier: MIT */
/* base/histogram.h: buckets, quantiles against sorted times, halving. */
#include <pthread.h>

#include "base/histogram.h"
#include "suites_internal.h"
#include "util.h"

/* As the header says. */
#define TO_THE_OCTAVE 8
#define FIRST_NS 1024.0         /* about 1 us: whatever is below counts here */
#define LAST_NS 1099511627776.0 /* 2^40, about 18 minutes */
#define QUANTILE_ERROR 0.125    /* too high, at most; never too low */

static ilb__histogram h;

static void setup(void)
{
    memset(&h, 0, sizeof h);
}

/* What the bucket of a time is taken for. */
static double edge_of(uint64_t ns)
{
    double edge;

    setup();
    ilb__histogram_add(&h, ns);
    must_eq(ilb__histogram_total(&h), 1);
    edge = (double)ilb__histogram_quantile_ns(&h, 1, 1);
    must((double)ilb__histogram_quantile_ns(&h, 1, 0.5f) == edge);
    return edge;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* ---- Buckets ----------------------------------------------------------- */

/* A bucket's upper edge is the next one's lower edge: no gaps, none twice. */
START_TEST(eight_to_an_octave)
{
    double last = 0;
    uint32_t n = 0;

    for (uint64_t ns = 1024; ns < UINT64_C(1) << 40; ns += ns >> 7) {
        double edge = edge_of(ns);

        must((double)ns < edge);
        must(edge >= last);
        if (edge > last) {
            n++;
            must(last == 0 || (double)ns - (double)(ns >> 7) <= last);
            must(edge_of((uint64_t)edge - 1) == edge);
            must((double)ns >= last);
        }
        last = edge;
    }
    must_eq(n, ILB_HISTOGRAM_BUCKETS);
    must_eq(n, 30 * TO_THE_OCTAVE);
    must(last == LAST_NS);
}
END_TEST

START_TEST(a_time_is_right_to_within_the_error)
{
    uint64_t random = 1;

    for (int i = 0; i < 100000; i++) {
        uint64_t ns = 1024 + (test_random(&random) >> 25 >> i % 28);
        double edge = edge_of(ns);

        must_be_within(edge, (double)ns, (1 + QUANTILE_ERROR) * (double)ns);
    }
}
END_TEST

START_TEST(what_is_shorter_or_longer_counts_at_the_ends)
{
    static const uint64_t much[] = {UINT64_C(1) << 40, UINT64_C(1) << 41,
                                    UINT64_C(1) << 62, UINT64_C(1) << 63,
                                    UINT64_MAX};

    for (uint64_t ns = 0; ns < 1024; ns++)
        must(edge_of(ns) == edge_of(1024));
    for (size_t i = 0; i < sizeof much / sizeof much[0]; i++)
        must(edge_of(much[i]) == LAST_NS);
}
END_TEST

/* ---- Quantiles --------------------------------------------------------- */

START_TEST(quantiles_are_those_of_the_sorted_times)
{
    static const float q[] = {0.001f, 0.01f, 0.1f, 0.5f, 0.9f, 0.95f, 0.99f, 1};
    static uint64_t times[2000];

    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t random = seed;
        uint32_t n = 1 + test_below(&random, 2000);

        setup();
        for (uint32_t i = 0; i < n; i++) {
            times[i] = 2000 + (test_random(&random) >> 34 >> seed % 10);
            ilb__histogram_add(&h, times[i]);
        }
        must_eq(ilb__histogram_total(&h), n);
        qsort(times, n, sizeof times[0], by_size);
        for (size_t k = 0; k < sizeof q / sizeof q[0]; k++) {
            /* The k-th smallest of which a share q is not above. */
            double rank = (double)q[k] * n;
            uint32_t at = (uint32_t)rank;
            double found = (double)ilb__histogram_quantile_ns(&h, n, q[k]);

            at = (double)at < rank ? at : at - 1;
            if (at >= n)
                at = 0;
            /* In the bucket of that very time. */
            must_be_within(found, (double)times[at],
                           (double)times[at] * (1 + QUANTILE_ERROR));
        }
    }
}
END_TEST

START_TEST(quantiles_rise_with_the_share)
{
    uint64_t random = 7;
    float last = 0;

    setup();
    for (int i = 0; i < 5000; i++)
        ilb__histogram_add(&h, test_random(&random) >> 20 >> i % 30);
    for (int i = 0; i <= 1000; i++) {
        float now = ilb__histogram_quantile_ns(&h, 5000, (float)i / 1000);

        must(now >= last);
        last = now;
    }
}
END_TEST

/* A total that is no longer true, as more have been added or it was halved in
 * the meantime, gives a time that was there. */
START_TEST(a_stale_total_does_no_harm)
{
    setup();
    for (int i = 0; i < 100; i++)
        ilb__histogram_add(&h, MS_NS);
    for (uint32_t total = 1; total < 100000; total *= 3)
        must_be_within(ilb__histogram_quantile_ns(&h, total, 0.99f), MS_NS,
                       MS_NS * (1 + QUANTILE_ERROR));
}
END_TEST

/* ---- Halving ----------------------------------------------------------- */

START_TEST(halving_halves_each_count)
{
    for (uint32_t n = 0; n < 300; n++) {
        uint32_t left = n;

        setup();
        for (uint32_t i = 0; i < n; i++)
            ilb__histogram_add(&h, MS_NS);
        while (left > 0) {
            ilb__histogram_halve(&h);
            left /= 2;
            must_eq(ilb__histogram_total(&h), left);
        }
    }
}
END_TEST

/* What is old weighs less: the new majority sets the quantile. */
START_TEST(old_times_are_outvoted)
{
    setup();
    for (int i = 0; i < 1600; i++)
        ilb__histogram_add(&h, S_NS);
    for (int i = 0; i < 5; i++)
        ilb__histogram_halve(&h);
    for (int i = 0; i < 100; i++)
        ilb__histogram_add(&h, MS_NS);
    must_eq(ilb__histogram_total(&h), 150);
    must_be_within(ilb__histogram_quantile_ns(&h, 150, 0.5f), MS_NS,
                   1.125 * MS_NS);
    must_be_within(ilb__histogram_quantile_ns(&h, 150, 0.99f), S_NS,
                   1.125 * S_NS);
}
END_TEST

static void *adder(void *arg)
{
    uint64_t random = (uintptr_t)arg;

    for (int i = 0; i < 100000; i++)
        ilb__histogram_add(&h, test_below(&random, 1000000));
    return NULL;
}

START_TEST(any_thread_may_add)
{
    pthread_t threads[2];

    setup();
    for (uintptr_t i = 0; i < 2; i++)
        must_eq(pthread_create(&threads[i], NULL, adder, (void *)i), 0);
    for (int i = 0; i < 2; i++)
        must_eq(pthread_join(threads[i], NULL), 0);
    must_eq(ilb__histogram_total(&h), 200000);
}
END_TEST

Suite *suite_histogram(void)
{
    Suite *s = suite_create("histogram");
    TCase *tc = test_case(s, "buckets");

    tcase_add_test(tc, eight_to_an_octave);
    tcase_add_test(tc, a_time_is_right_to_within_the_error);
    tcase_add_test(tc, what_is_shorter_or_longer_counts_at_the_ends);
    tc = test_case(s, "quantiles");
    tcase_add_test(tc, quantiles_are_those_of_the_sorted_times);
    tcase_add_test(tc, quantiles_rise_with_the_share);
    tcase_add_test(tc, a_stale_total_does_no_harm);
    tc = test_case(s, "halving");
    tcase_add_test(tc, halving_halves_each_count);
    tcase_add_test(tc, old_times_are_outvoted);
    tcase_add_test(tc, any_thread_may_add);
    return s;
}
