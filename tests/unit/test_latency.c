/* SPDX-License-Identifier: MIT */
/* signal/latency.h and signal/failures.h: the formulas as they are written
 * there, and what they promise. */
#include <math.h>

#include "signal/failures.h"
#include "signal/latency.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

static ilb__latency fresh(void)
{
    ilb__latency l = {0};

    return l;
}

/* ---- Latency ----------------------------------------------------------- */

START_TEST(the_first_answer_is_the_estimate)
{
    for (uint64_t ns = 1; ns < UINT64_C(1) << 62; ns *= 3) {
        ilb__latency l = fresh();

        must(ilb__latency_estimate_ns(&l) == 0);
        ilb__latency_learn(&l, ns, 0, T0);
        must_be_within(ilb__latency_estimate_ns(&l), (double)ns * 0.9999999,
                       (double)ns * 1.0000001);
    }
}
END_TEST

START_TEST(zero_is_not_unknown)
{
    ilb__latency l = fresh();

    ilb__latency_learn(&l, 0, 0, T0);
    must(ilb__latency_estimate_ns(&l) == 1);
}
END_TEST

/* estimate += g (x - estimate), by the table in the header. */
START_TEST(learning_follows_the_formula)
{
    uint64_t random = 1;

    for (int i = 0; i < 100000; i++) {
        double e = 1e6 + test_below(&random, 1000000000);
        double reference = test_below(&random, 1000000000);
        double x = test_below(&random, 2)
                       ? e * (test_below(&random, 3000) + 1) / 1000
                       : test_below(&random, 2000000000);
        uint64_t ticks = test_below(&random, 4000);
        double high = e > reference ? e : reference;
        double g = 1 - exp(-(double)(ticks << 20) / 1e9);
        ilb__latency l = fresh();

        ilb__latency_learn(&l, (uint64_t)e, 0, T0);
        ilb__latency_learn(&l, (uint64_t)x, (float)reference,
                           T0 + (ticks << 20));
        if (g < (x < e ? 0.1 : 0.3))
            g = x < e ? 0.1 : 0.3;
        if (x > 3 * high)
            g = 1;
        /* At the very edge of a peak either will do. */
        if (x > 2.9999 * high && x < 3.0001 * high)
            continue;
        must_be_within(ilb__latency_estimate_ns(&l),
                       (e + g * (x - e)) * 0.99999 - 2,
                       (e + g * (x - e)) * 1.00001 + 2);
    }
}
END_TEST

/* 5 s; of a peak above 20 times the reference less, by the logarithm that goes
 * straight from one power of two to the next. */
static double stale_tau_ns(double ratio)
{
    int exponent;
    double mantissa = frexp(ratio, &exponent);

    return ratio <= 20 ? 5e9 : 5e9 * 4.25 / (exponent - 2 + 2 * mantissa);
}

/* L = reference + (estimate - reference) exp(-dt / tau) */
START_TEST(reading_follows_the_formula_and_writes_nothing)
{
    uint64_t random = 2;

    for (int i = 0; i < 100000; i++) {
        double e = 1 + test_below(&random, 1000000000);
        double reference = 1 + test_below(&random, 1000000000);
        uint64_t ticks = test_below(&random, 100000);
        double f = exp(-(double)(ticks << 20) / stale_tau_ns(e / reference));
        ilb__latency l = fresh();
        uint64_t word;

        ilb__latency_learn(&l, (uint64_t)e, 0, T0);
        word = ilb__load_relaxed(&l.word);
        must_be_within(
            ilb__latency_read_ns(&l, (float)reference, T0 + (ticks << 20)),
            (reference + (e - reference) * f) * 0.99999 - 2,
            (reference + (e - reference) * f) * 1.00001 + 2);
        must(ilb__load_relaxed(&l.word) == word);
    }
}
END_TEST

START_TEST(what_is_not_known_reads_as_the_others)
{
    ilb__latency l = fresh();

    must(ilb__latency_read_ns(&l, 0, T0) == 0);
    must(ilb__latency_read_ns(&l, 5e6f, T0) == 5e6f);
    ilb__latency_learn(&l, 1000, 0, T0);
    /* Nothing known of the others: it stands, however old. */
    must(ilb__latency_read_ns(&l, 0, T0 + 3600 * S_NS) == 1000);
    must_be_within(ilb__latency_read_ns(&l, 5e6f, T0 + 3600 * S_NS), 4.99e6,
                   5.01e6);
}
END_TEST

START_TEST(a_clock_that_goes_back_is_no_time)
{
    ilb__latency l = fresh();

    ilb__latency_learn(&l, 100 * MS_NS, 0, T0);
    must(ilb__latency_read_ns(&l, 1e6f, T0 - S_NS) == 100e6f);
    must(ilb__latency_read_ns(&l, 1e6f, T0 - 900 * S_NS) == 100e6f);
    ilb__latency_learn(&l, 0, 1e6f, T0 - 900 * S_NS);
    must_be_within(ilb__latency_estimate_ns(&l), 89e6, 91e6);
}
END_TEST

/* Only above what was read, and only up. */
START_TEST(a_bound_only_raises)
{
    uint64_t random = 3;

    for (int round = 0; round < 2000; round++) {
        ilb__latency l = fresh();
        float reference =
            test_below(&random, 2) ? (float)test_below(&random, 100000000) : 0;
        uint64_t now_ns = T0;

        for (int i = 0; i < 50; i++) {
            uint64_t x = test_below(&random, 200000000);
            float before, after;

            now_ns += test_random(&random) % S_NS;
            if (test_below(&random, 3) == 0) {
                ilb__latency_learn(&l, x, reference, now_ns);
                continue;
            }
            before = ilb__latency_read_ns(&l, reference, now_ns);
            ilb__latency_learn_bound(&l, x, reference, now_ns);
            after = ilb__latency_read_ns(&l, reference, now_ns);
            must(after >= before);
            must(after >= (float)x);
            must((float)x > before || after == before);
        }
    }
}
END_TEST

/* A bound alone is no answer: not an estimate for the median, never below the
 * others, and the first good answer replaces it. */
START_TEST(a_bound_alone_is_no_estimate)
{
    ilb__latency l = fresh();

    ilb__latency_learn_bound(&l, MS_NS, 0, T0);
    must(ilb__latency_estimate_ns(&l) == 0);
    must(ilb__latency_read_ns(&l, 0, T0) == 1e6f);
    must(ilb__latency_read_ns(&l, 50e6f, T0) == 50e6f);
    ilb__latency_learn_bound(&l, S_NS, 50e6f, T0);
    must(ilb__latency_estimate_ns(&l) == 0);
    must(ilb__latency_read_ns(&l, 50e6f, T0) == 1e9f);
    must_be_within(ilb__latency_read_ns(&l, 50e6f, T0 + 50 * S_NS), 49e6, 51e6);
    ilb__latency_learn(&l, 20 * MS_NS, 50e6f, T0);
    must(ilb__latency_estimate_ns(&l) == 20e6f);
    ilb__latency_learn_bound(&l, 30 * MS_NS, 10e6f, T0);
    must(ilb__latency_estimate_ns(&l) == 30e6f);
}
END_TEST

/* ---- Failures ---------------------------------------------------------- */

START_TEST(failures_follow_their_formula)
{
    uint64_t random = 4;

    for (int round = 0; round < 2000; round++) {
        ilb__failures f = {0};
        double share = 0;
        uint64_t now_ns = T0;
        uint32_t row = 0;

        for (int i = 0; i < 60; i++) {
            uint64_t ticks = test_below(&random, 300);
            uint32_t what = test_below(&random, 3);

            now_ns += ticks << 20;
            share *= exp(-(double)(ticks << 20) / 3e9);
            if (what == 0) {
                ilb__failures_good(&f, now_ns);
                share -= share * 0.1;
                row = 0;
            } else {
                share += (1 - share) * 0.2;
                row += what == 1;
                must_eq(ilb__failures_bad(&f, what == 1, now_ns), row);
            }
            must_eq(ilb__failures_in_a_row(&f), row);
            must_be_within(ilb__failures_share(&f, now_ns), share - 2e-4,
                           share + 2e-4);
        }
    }
}
END_TEST

START_TEST(one_that_does_not_fail_is_not_written)
{
    ilb__failures f = {0};

    ilb__failures_good(&f, T0);
    must(ilb__load_relaxed(&f.word) == 0);
    (void)ilb__failures_bad(&f, true, T0);
    must(ilb__load_relaxed(&f.word) != 0);
    for (int i = 0; i < 200; i++)
        ilb__failures_good(&f, T0);
    must(ilb__load_relaxed(&f.word) == 0);
}
END_TEST

START_TEST(the_row_saturates)
{
    ilb__failures f = {0};

    for (uint32_t i = 1; i <= 70000; i++)
        must_eq(ilb__failures_bad(&f, true, T0), i < 65535 ? i : 65535);
    must_be_within(ilb__failures_share(&f, T0), 0.99, 1);
    must_be_within(ilb__failures_share(&f, T0 - S_NS), 0.99, 1);
    must_eq(ilb__failures_in_a_row(&f), 65535);
    ilb__failures_good(&f, T0);
    must_eq(ilb__failures_in_a_row(&f), 0);
}
END_TEST

Suite *suite_latency(void)
{
    Suite *s = suite_create("latency");
    TCase *tc = test_case(s, "latency");

    tcase_add_test(tc, the_first_answer_is_the_estimate);
    tcase_add_test(tc, zero_is_not_unknown);
    tcase_add_test(tc, learning_follows_the_formula);
    tcase_add_test(tc, reading_follows_the_formula_and_writes_nothing);
    tcase_add_test(tc, what_is_not_known_reads_as_the_others);
    tcase_add_test(tc, a_clock_that_goes_back_is_no_time);
    tcase_add_test(tc, a_bound_only_raises);
    tcase_add_test(tc, a_bound_alone_is_no_estimate);
    tc = test_case(s, "failures");
    tcase_add_test(tc, failures_follow_their_formula);
    tcase_add_test(tc, one_that_does_not_fail_is_not_written);
    tcase_add_test(tc, the_row_saturates);
    return s;
}
