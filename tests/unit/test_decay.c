/* SPDX-License-Identifier: MIT */
/* base/decay.h and base/clock.h. */
#include <math.h>

#include "base/clock.h"
#include "base/decay.h"
#include "suites_internal.h"
#include "util.h"

/* As the header says. */
#define LOG2_ERROR 2e-6

static void is_near_libm(double t, double tau)
{
    double expected = exp(-t / tau);

    must_be_within(ilb__decay(t, tau), expected * (1 - 2e-8),
                   expected * (1 + 2e-8));
}

START_TEST(near_libm_over_the_whole_range)
{
    uint64_t random = 1;

    for (int i = 0; i <= 700000; i++)
        is_near_libm(i / 1000.0, 1);
    for (int i = 0; i < 200000; i++) {
        double tau = 1 + (double)(test_random(&random) >> 20);
        double x = (double)(test_random(&random) >> 11) / 9007199254740992.0;

        is_near_libm(x * 700 * tau, tau);
        is_near_libm(x * tau, tau);
        is_near_libm(x * x * x * 1e-6 * tau, tau);
    }
}
END_TEST

START_TEST(its_ends)
{
    must(ilb__decay(0, 5) == 1);
    must(ilb__decay(-1, 5) == 1);
    must(ilb__decay(-1e300, 1) == 1);
    must(ilb__decay(701, 1) == 0);
    must(ilb__decay(1.8e19, 1) == 0);
    must(ilb__decay(1e300, 1e-3) == 0);
    must(ilb__decay(699.999, 1) > 0);
}
END_TEST

/* Never above 1, and nothing grows by waiting, but for the last digits. */
START_TEST(it_only_falls)
{
    double last = 1;

    for (int i = 0; i < 2000000; i++) {
        double now = ilb__decay(i / 10000.0, 1);

        must(now <= last * (1 + 2e-8) && now <= 1);
        last = now;
    }
}
END_TEST

START_TEST(time_helpers_saturate)
{
    must_eq(ilb__elapsed_ns(5, 12), 7);
    must_eq(ilb__elapsed_ns(12, 5), 0);
    must_eq(ilb__elapsed_ns(5, 5), 0);
    must(ilb__elapsed_ns(0, UINT64_MAX) == UINT64_MAX);
    must_eq(ilb__later_ns(5, 7), 12);
    must(ilb__later_ns(UINT64_MAX, 1) == UINT64_MAX);
    must(ilb__later_ns(1, UINT64_MAX) == UINT64_MAX);
    must(ilb__later_ns(UINT64_MAX - 7, 7) == UINT64_MAX);
    must(ilb__later_ns(UINT64_MAX - 8, 7) == UINT64_MAX - 1);
}
END_TEST

START_TEST(the_clock_runs_forward)
{
    uint64_t last = ilb__clock_monotonic_ns(NULL);

    must(last > 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = ilb__clock_monotonic_ns(NULL);

        must(now >= last);
        last = now;
    }
}
END_TEST

/* Over all normal floats: no further off than the header says, and what a
 * float can hold. */
START_TEST(log2_is_near_libm)
{
    uint64_t random = 3;

    for (int i = 0; i < 1000000; i++) {
        float mantissa = 1 + (float)test_below(&random, 1 << 24) / (1 << 24);
        float x = ldexpf(mantissa, (int)test_below(&random, 253) - 126);
        double expected = log2((double)x);
        double float_ulp = fabs(expected) / (1 << 23) + 1e-7;

        must_be_within(ilb__log2(x), expected - LOG2_ERROR - float_ulp,
                       expected + LOG2_ERROR + float_ulp);
    }
}
END_TEST

/* Also from one power of two to the next, and at the seam of the series. */
START_TEST(log2_never_falls)
{
    float last = -1;

    for (int i = 1000; i < 1000000; i++) {
        float now = ilb__log2((float)i / 1000);

        must_be_within(now, last - LOG2_ERROR, 11);
        last = now;
    }
    must(ilb__log2(1) == 0);
    must(ilb__log2(2) == 1);
    must(ilb__log2(0.5f) == -1);
    must(ilb__log2(1024) == 10);
}
END_TEST

Suite *suite_decay(void)
{
    Suite *s = suite_create("decay");
    TCase *tc = test_case(s, "decay");

    tcase_add_test(tc, near_libm_over_the_whole_range);
    tcase_add_test(tc, its_ends);
    tcase_add_test(tc, it_only_falls);
    tcase_add_test(tc, time_helpers_saturate);
    tcase_add_test(tc, the_clock_runs_forward);
    tc = test_case(s, "log2");
    tcase_add_test(tc, log2_is_near_libm);
    tcase_add_test(tc, log2_never_falls);
    return s;
}
