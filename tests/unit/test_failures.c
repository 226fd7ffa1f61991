/* SPDX-License-Identifier: MIT */
/* signal/failures.h: the formulas as they are written there. */
#include <math.h>
#include <pthread.h>

#include "signal/failures.h"
#include "suites_internal.h"
#include "util.h"

#define TICK_NS (UINT64_C(1) << 20)
#define T0 (UINT64_C(1) << 40)

/* As the header says. */
#define ROW_MAX 65535
#define SHARE_ERROR 2e-4 /* each step cuts 1/65535 */

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

            now_ns += ticks * TICK_NS;
            share *= exp(-(double)(ticks * TICK_NS) / 3e9);
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
            must_be_within(ilb__failures_share(&f, now_ns), share - SHARE_ERROR,
                           share + SHARE_ERROR);
        }
    }
}
END_TEST

/* The same by hand. */
START_TEST(a_fifth_up_a_tenth_down_and_three_seconds)
{
    static const double up[] = {0.2, 0.36, 0.488, 0.5904};
    ilb__failures f = {0};

    must(ilb__failures_share(&f, T0) == 0);
    for (int i = 0; i < 4; i++) {
        (void)ilb__failures_bad(&f, true, T0);
        must_be_within(ilb__failures_share(&f, T0), up[i] - SHARE_ERROR,
                       up[i] + SHARE_ERROR);
    }
    ilb__failures_good(&f, T0);
    must_be_within(ilb__failures_share(&f, T0), 0.5312, 0.5315);
    /* 0.53136 / e; time alone does not end the row. */
    must_be_within(ilb__failures_share(&f, T0 + 3 * S_NS), 0.1953, 0.1957);
    (void)ilb__failures_bad(&f, true, T0);
    must_be_within(ilb__failures_share(&f, T0 + 600 * S_NS), 0, 1e-6);
    must_eq(ilb__failures_in_a_row(&f), 1);
}
END_TEST

START_TEST(one_that_does_not_fail_is_not_written)
{
    ilb__failures f = {0};

    ilb__failures_good(&f, T0);
    must(ilb__load_relaxed(&f.word) == 0);
    must(!ilb__failures_suspect(&f, UINT64_MAX, T0));
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
        must_eq(ilb__failures_bad(&f, true, T0), i < ROW_MAX ? i : ROW_MAX);
    must_be_within(ilb__failures_share(&f, T0), 0.99, 1);
    must_eq(ilb__failures_in_a_row(&f), ROW_MAX);
    ilb__failures_good(&f, T0);
    must_eq(ilb__failures_in_a_row(&f), 0);
}
END_TEST

START_TEST(a_refusal_for_load_raises_the_share_only)
{
    ilb__failures f = {0};

    for (int i = 0; i < 30; i++)
        must_eq(ilb__failures_bad(&f, false, T0), 0);
    must_be_within(ilb__failures_share(&f, T0), 0.99, 1);
    must(!ilb__failures_suspect(&f, S_NS, T0));
    (void)ilb__failures_bad(&f, true, T0);
    must_eq(ilb__failures_bad(&f, false, T0), 1);
}
END_TEST

/* Other threads' clocks are read a little earlier: no time has passed. */
START_TEST(a_clock_that_is_a_little_behind_is_no_time)
{
    ilb__failures f = {0};

    (void)ilb__failures_bad(&f, true, T0);
    for (uint64_t back_ns = 0; back_ns <= 2 * S_NS; back_ns += 100 * MS_NS) {
        must_be_within(ilb__failures_share(&f, T0 - back_ns), 0.1998, 0.2001);
        must(ilb__failures_suspect(&f, 20 * MS_NS, T0 - back_ns));
    }
}
END_TEST

/* Set before a clock went back far: of unknown age, and not for ever. */
START_TEST(a_clock_that_went_back_far_does_not_keep_it_suspect)
{
    ilb__failures f = {0};

    (void)ilb__failures_bad(&f, true, T0);
    for (uint64_t back_ns = 3 * S_NS; back_ns < 1000 * S_NS; back_ns += S_NS) {
        must(!ilb__failures_suspect(&f, 1500 * MS_NS, T0 - back_ns));
        must_be_within(ilb__failures_share(&f, T0 - back_ns), 0, 0.2001);
    }
    /* The next failure counts from there on. */
    must_eq(ilb__failures_bad(&f, true, T0 - 500 * S_NS), 2);
    must(ilb__failures_suspect(&f, 1500 * MS_NS, T0 - 500 * S_NS));
}
END_TEST

/* From the failure on for so long, right to a tick of the stamp. */
START_TEST(it_is_suspect_for_so_long)
{
    uint64_t random = 6;

    for (int i = 0; i < 10000; i++) {
        ilb__failures f = {0};
        uint64_t failed_ns = T0 + test_below(&random, UINT32_MAX);
        uint64_t span_ns = 20 * MS_NS + test_below(&random, 1480000000);

        (void)ilb__failures_bad(&f, i % 2 == 0, failed_ns);
        if (i % 2 != 0) {
            must(!ilb__failures_suspect(&f, span_ns, failed_ns));
            continue;
        }
        must(ilb__failures_suspect(&f, span_ns, failed_ns));
        must(ilb__failures_suspect(&f, span_ns,
                                   failed_ns + span_ns - 2 * TICK_NS));
        must(!ilb__failures_suspect(&f, span_ns, failed_ns + span_ns));
        must(!ilb__failures_suspect(&f, 0, failed_ns));
        ilb__failures_good(&f, failed_ns);
        must(!ilb__failures_suspect(&f, span_ns, failed_ns));
    }
}
END_TEST

/* ---- Races ------------------------------------------------------------- */

#define RACERS 3
#define RACER_FAILURES 20000

static _Atomic int n_racing;

static void *race(void *arg)
{
    n_racing++;
    while (n_racing < RACERS)
        continue;
    for (int i = 0; i < RACER_FAILURES; i++)
        (void)ilb__failures_bad(arg, true, T0);
    return NULL;
}

START_TEST(no_failure_is_lost)
{
    pthread_t threads[RACERS];
    ilb__failures f = {0};

    for (int i = 0; i < RACERS; i++)
        must_eq(pthread_create(&threads[i], NULL, race, &f), 0);
    for (int i = 0; i < RACERS; i++)
        must_eq(pthread_join(threads[i], NULL), 0);
    must_eq(ilb__failures_in_a_row(&f), RACERS * RACER_FAILURES);
}
END_TEST

Suite *suite_failures(void)
{
    Suite *s = suite_create("failures");
    TCase *tc = test_case(s, "failures");

    tcase_add_test(tc, failures_follow_their_formula);
    tcase_add_test(tc, a_fifth_up_a_tenth_down_and_three_seconds);
    tcase_add_test(tc, one_that_does_not_fail_is_not_written);
    tcase_add_test(tc, the_row_saturates);
    tcase_add_test(tc, a_refusal_for_load_raises_the_share_only);
    tcase_add_test(tc, a_clock_that_is_a_little_behind_is_no_time);
    tcase_add_test(tc, a_clock_that_went_back_far_does_not_keep_it_suspect);
    tcase_add_test(tc, it_is_suspect_for_so_long);
    tcase_add_test(tc, no_failure_is_lost);
    return s;
}
