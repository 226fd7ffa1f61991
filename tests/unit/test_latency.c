/* SPDX-License-Identifier: MIT */
/* signal/latency.h: the formulas as they are written there, and what they
 * promise. Peaks are in test_latency_peak.c, bounds in
 * test_latency_bound.c. */
#include <math.h>

#include "signal/latency.h"
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

/* Whole ticks of the stamp, so that no time is lost to it. */
#define TICK_NS (UINT64_C(1) << 20)
#define T0 (UINT64_C(1) << 40)

/* As the header says. */
#define STALE_S 5.0
#define FAR_FACTOR 20.0
#define PEAK_S 0.2
#define PEAK_FACTOR 3.0
#define PEAK_ANEW 2.0
#define LEVEL_MAX 15
#define FORGOTTEN 0.5
#define NEAR 0.1
#define STAMP_DAYS 3.26 /* 2^48 ns */

#define MEDIAN (10.0 * MS_NS)
#define P99 (20.0 * MS_NS)

static ilb__latency fresh(void)
{
    ilb__latency l = {0};

    return l;
}

static ilb__latency at(uint64_t ns)
{
    ilb__figures nothing = test_figures(0, 0);
    ilb__latency l = fresh();

    ilb__latency_learn(&l, ns, 1, &nothing, T0);
    return l;
}

/* To within what a float and the decay's polynomial leave. */
#define must_be_near(a, x) must_be_within(a, (x)*0.99999 - 2, (x)*1.00001 + 2)

static uint64_t ticks_of(double s)
{
    return (uint64_t)(s * 1e9 / (double)TICK_NS + 0.5) * TICK_NS;
}

/* ---- Reading ----------------------------------------------------------- */

START_TEST(the_first_answer_is_the_estimate)
{
    ilb__figures f = test_figures(MEDIAN, P99);

    for (uint64_t ns = 1; ns < UINT64_C(1) << 62; ns *= 3) {
        ilb__latency l = at(ns);

        must_be_within(ilb__latency_estimate_ns(&l), (double)ns * 0.9999999,
                       (double)ns * 1.0000001);
        must_eq(ilb__latency_level(&l), 0);
        l = fresh();
        must(ilb__latency_estimate_ns(&l) == 0);
        ilb__latency_learn(&l, ns, 1, &f, T0);
        must_be_within(ilb__latency_estimate_ns(&l), (double)ns * 0.9999999,
                       (double)ns * 1.0000001);
        /* Whoever begins out of the ordinary begins with a peak. */
        must_eq(ilb__latency_level(&l), (double)ns > PEAK_FACTOR * P99);
    }
}
END_TEST

START_TEST(zero_is_not_unknown)
{
    ilb__latency l = at(0);

    must(ilb__latency_estimate_ns(&l) == 1);
}
END_TEST

/* tau of an estimate that is no peak, and of one at a level. */
static double tau_s(double estimate, uint32_t level, const ilb__figures *f)
{
    double median = (double)f->median_ns, s;

    if (level == 0)
        return estimate <= FAR_FACTOR * median
                   ? STALE_S
                   : STALE_S * log(FAR_FACTOR) / log(estimate / median);
    s = PEAK_S * pow(8, level - 1);
    return s < (double)f->patience_ns / 1e9 ? s : (double)f->patience_ns / 1e9;
}

static double faded(double estimate, uint32_t level, uint64_t dt_ns,
                    const ilb__figures *f)
{
    double median = (double)f->median_ns, keep;

    if (median == 0)
        return estimate;
    keep = exp(-(double)dt_ns / 1e9 / tau_s(estimate, level, f));
    if (keep < FORGOTTEN && fabs(estimate - median) * keep < NEAR * median)
        return median;
    return median + (estimate - median) * keep;
}

/* Within a float's rounding of where it becomes the median. */
static bool is_at_the_edge(double estimate, uint32_t level, uint64_t dt_ns,
                           const ilb__figures *f)
{
    double a = faded(estimate, level, dt_ns, f);
    double b = faded(estimate, level, dt_ns * 1001 / 1000 + 1, f);
    double c = faded(estimate, level, dt_ns * 999 / 1000, f);

    return fabs(a - b) > NEAR / 3 * (double)f->median_ns ||
           fabs(a - c) > NEAR / 3 * (double)f->median_ns;
}

/* L = m + (estimate - m) exp(-dt / tau) */
START_TEST(reading_follows_the_formula_and_writes_nothing)
{
    uint64_t random = 2;

    for (int i = 0; i < 100000; i++) {
        double e = 1 + test_below(&random, 1000000000);
        ilb__figures f = test_figures(1 + test_below(&random, 1000000000), 0);
        uint64_t dt_ns = TICK_NS * test_below(&random, 100000);
        ilb__latency l = at((uint64_t)e);
        uint64_t word = ilb__load_relaxed(&l.word);

        e = (double)ilb__latency_estimate_ns(&l);
        if (!is_at_the_edge(e, 0, dt_ns, &f))
            must_be_near(ilb__latency_read_ns(&l, &f, T0 + dt_ns),
                         faded(e, 0, dt_ns, &f));
        must(ilb__load_relaxed(&l.word) == word);
    }
}
END_TEST

/* The same by hand. */
START_TEST(what_is_stale_fades_to_the_median)
{
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = at(30 * MS_NS);

    /* 10 + 20 / e */
    must_be_within(ilb__latency_read_ns(&l, &f, T0 + ticks_of(5)), 17.35e6,
                   17.37e6);
    /* From below as well: 10 - 8 / e */
    l = at(2 * MS_NS);
    must_be_within(ilb__latency_read_ns(&l, &f, T0 + ticks_of(5)), 7.05e6,
                   7.07e6);
    /* 400 m is 20 x 20: half the time. 10 + 3990 / e */
    l = at(4 * S_NS);
    must_be_within(ilb__latency_read_ns(&l, &f, T0 + ticks_of(2.5)), 1475e6,
                   1481e6);
    must_be_within(ilb__latency_read_ns(&l, &f, T0 + ticks_of(120)), 9.99e6,
                   10.01e6);
}
END_TEST

START_TEST(what_is_not_known_reads_as_the_others)
{
    ilb__figures nothing = test_figures(0, 0), f = test_figures(5e6, 0);
    ilb__latency l = fresh();

    must(ilb__latency_read_ns(&l, &nothing, T0) == 0);
    must(ilb__latency_read_ns(&l, &f, T0) == 5e6f);
    l = at(1000);
    /* Nothing known of the others: it stands, however old. */
    must(ilb__latency_read_ns(&l, &nothing, T0 + 3600 * S_NS) == 1000);
    must_be_within(ilb__latency_read_ns(&l, &f, T0 + 3600 * S_NS), 4.99e6,
                   5.01e6);
    ilb__latency_forget(&l);
    must(ilb__latency_estimate_ns(&l) == 0);
    must(ilb__latency_read_ns(&l, &f, T0) == 5e6f);
}
END_TEST

/* Other threads' clocks are read a little earlier: no time has passed. */
START_TEST(a_clock_that_is_a_little_behind_is_no_time)
{
    ilb__figures f = test_figures(1e6, 0);
    ilb__latency l = at(100 * MS_NS);

    for (uint64_t back_ns = 0; back_ns <= 2 * S_NS; back_ns += 100 * MS_NS)
        must(ilb__latency_read_ns(&l, &f, T0 - back_ns) == 100e6f);
    /* 100 - 0.1 x 99: the least gain, as no time has passed. */
    ilb__latency_learn(&l, MS_NS, 1, &f, T0 - S_NS);
    must_be_near(ilb__latency_estimate_ns(&l), 90.1e6);
}
END_TEST

/* Whatever the clock does, an estimate reads as something between itself and
 * the median. */
START_TEST(no_time_makes_more_of_it_than_it_was)
{
    uint64_t random = 5;

    for (int i = 0; i < 100000; i++) {
        ilb__figures f = test_figures(1 + test_below(&random, 1000000000), 0);
        uint64_t ns = 1 + test_below(&random, 1000000000);
        uint64_t now_ns = test_random(&random) >> test_below(&random, 40);
        ilb__latency l = at(ns);
        double median = (double)f.median_ns;
        double low = (double)ns < median ? (double)ns : median;

        must_be_within(ilb__latency_read_ns(&l, &f, now_ns), low * 0.99999,
                       ((double)ns + median - low) * 1.00001);
    }
}
END_TEST

/* After days it is stale, and no younger than one turn of the stamp makes
 * it. */
START_TEST(days_do_not_make_it_young)
{
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = at(30 * MS_NS);
    uint64_t most_ns = (uint64_t)(STAMP_DAYS * 86400 * 1e9) - 4 * S_NS;

    for (uint64_t dt_ns = 3600 * S_NS; dt_ns < most_ns; dt_ns += 3600 * S_NS)
        must_be_near(ilb__latency_read_ns(&l, &f, T0 + dt_ns), MEDIAN);
}
END_TEST

/* ---- Learning ---------------------------------------------------------- */

/* What an answer of `x` makes of an estimate and its level. */
static double learned(double e, uint32_t *level, double x, uint64_t dt_ns,
                      const ilb__figures *f)
{
    double l = faded(e, *level, dt_ns, f);
    double median = (double)f->median_ns, p99 = (double)f->p99_ns;
    double ordinary = median > p99 ? median : p99;
    double g = 1 - exp(-(double)dt_ns / 1e9);

    if (median > 0 && x > PEAK_FACTOR * ordinary && x > PEAK_ANEW * l) {
        if (*level == 0 || (x <= (double)dt_ns && *level < LEVEL_MAX))
            ++*level;
        return x;
    }
    if (*level > 0 && x <= 2 * median)
        g = g < 0.5 ? 0.5 : g;
    else if (x < l)
        g = g < 0.1 ? 0.1 : g;
    else
        g = g < 0.2 ? 0.2 : g;
    l += g * (x - l);
    if (x <= 2 * median && l <= 2 * median)
        *level = 0;
    return l;
}

static bool close_to(double a, double b)
{
    return fabs(a - b) <= 1e-5 * (fabs(a) + fabs(b));
}

/* At the very edge of a peak, or of an ordinary answer, either will do. */
static bool is_on_edge(double e, uint32_t level, double x, uint64_t dt_ns,
                       const ilb__figures *f)
{
    double l = faded(e, level, dt_ns, f);
    double median = (double)f->median_ns, p99 = (double)f->p99_ns;
    double next = learned(e, &level, x, dt_ns, f);

    return close_to(x, PEAK_FACTOR * median) ||
           close_to(x, PEAK_FACTOR * p99) || close_to(x, PEAK_ANEW * l) ||
           close_to(x, 2 * median) || close_to(next, 2 * median) ||
           close_to(x, (double)dt_ns) || is_at_the_edge(e, level, dt_ns, f);
}

/* Sequences of answers: fast, ordinary, slow, out of the ordinary. */
START_TEST(learning_follows_the_formula)
{
    static const double sizes[] = {0.3, 1, 1.5, 3, 10, 70, 500};
    uint64_t random = 1;

    for (int round = 0; round < 4000; round++) {
        ilb__figures f = test_figures(
            round % 10 == 0 ? 0 : 1e6 + test_below(&random, 100000000), 0);
        ilb__latency l = at(1000000 + test_below(&random, 100000000));
        uint64_t now_ns = T0;
        uint32_t level = 0;

        f.p99_ns = f.median_ns * (float)(1 + round % 4);
        f.patience_ns = 3e8f * (float)(1 + round % 7);
        for (int i = 0; i < 40; i++) {
            double e = (double)ilb__latency_estimate_ns(&l);
            uint64_t dt_ns =
                TICK_NS * test_below(&random, i % 3 == 0 ? 3000 : 40);
            uint64_t x = (uint64_t)(sizes[test_below(&random, 7)] *
                                    (5e5 + test_below(&random, 20000000)));
            bool on_edge = is_on_edge(e, level, (double)x, dt_ns, &f);
            double expected = learned(e, &level, (double)x, dt_ns, &f);

            now_ns += dt_ns;
            ilb__latency_learn(&l, x, 1, &f, now_ns);
            if (on_edge) {
                level = ilb__latency_level(&l);
                continue;
            }
            must_be_near(ilb__latency_estimate_ns(&l), expected);
            must_eq(ilb__latency_level(&l), level);
        }
    }
}
END_TEST

/* The same by hand. */
START_TEST(the_worse_is_believed_sooner_than_the_better)
{
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = at(10 * MS_NS);

    /* 10 + 0.2 x 10 */
    ilb__latency_learn(&l, 20 * MS_NS, 1, &f, T0);
    must_be_near(ilb__latency_estimate_ns(&l), 12e6);
    /* 12 - 0.1 x 7 */
    ilb__latency_learn(&l, 5 * MS_NS, 1, &f, T0);
    must_be_near(ilb__latency_estimate_ns(&l), 11.3e6);
    /* After a second, 10 + 1.3 exp(-1/5) = 11.06 is left of it, and the answer
     * counts 1 - 1/e: 11.06 - 0.632 x 6.06. */
    ilb__latency_learn(&l, 5 * MS_NS, 1, &f, T0 + ticks_of(1));
    must_be_within(ilb__latency_estimate_ns(&l), 7.22e6, 7.24e6);
}
END_TEST

Suite *suite_latency(void)
{
    Suite *s = suite_create("latency");
    TCase *tc = test_case(s, "reading");

    tcase_add_test(tc, the_first_answer_is_the_estimate);
    tcase_add_test(tc, zero_is_not_unknown);
    tcase_add_test(tc, reading_follows_the_formula_and_writes_nothing);
    tcase_add_test(tc, what_is_stale_fades_to_the_median);
    tcase_add_test(tc, what_is_not_known_reads_as_the_others);
    tcase_add_test(tc, a_clock_that_is_a_little_behind_is_no_time);
    tcase_add_test(tc, no_time_makes_more_of_it_than_it_was);
    tcase_add_test(tc, days_do_not_make_it_young);
    tc = test_case(s, "learning");
    tcase_add_test(tc, learning_follows_the_formula);
    tcase_add_test(tc, the_worse_is_believed_sooner_than_the_better);
    return s;
}
