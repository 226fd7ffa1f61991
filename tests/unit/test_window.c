/* SPDX-License-Identifier: MIT */
/* signal/window.h: against sums in doubles; counters that wrap or lag. */
#include "signal/window.h"
#include "suites_internal.h"
#include "util.h"

static ilb__window w;

static void setup(void)
{
    memset(&w, 0xff, sizeof w);
    ilb__window_reset(&w);
}

START_TEST(nothing_is_seen_after_a_reset)
{
    setup();
    must(ilb__window_long(&w).ended == 0 && ilb__window_long(&w).failed == 0);
    must(ilb__window_short(&w).ended == 0 && ilb__window_short(&w).failed == 0);
    must_eq(ilb__window_bring(&w, 0, 0, 1, 1), 0);
    must(ilb__window_long(&w).ended == 0 && ilb__window_short(&w).failed == 0);
    /* The counters begin at 0. */
    must_eq(ilb__window_bring(&w, 7, 2, 1, 1), 7);
    must(ilb__window_long(&w).ended == 7 && ilb__window_long(&w).failed == 2);
    must(ilb__window_short(&w).ended == 7 && ilb__window_short(&w).failed == 2);
}
END_TEST

/* First what is there decays, then what is new is added whole. */
START_TEST(two_windows_that_decay)
{
    for (uint64_t seed = 0; seed < 1000; seed++) {
        double ended[2] = {0, 0}, failed[2] = {0, 0};
        uint64_t random = seed;
        uint32_t at = 0, bad = 0;

        setup();
        for (int i = 0; i < 100; i++) {
            uint32_t more = test_below(&random, 1000);
            uint32_t more_bad = test_below(&random, more + 1);
            double keep[2];

            for (int k = 0; k < 2; k++) {
                keep[k] = test_below(&random, 1001) / 1000.0;
                ended[k] = ended[k] * keep[k] + more;
                failed[k] = failed[k] * keep[k] + more_bad;
            }
            at += more;
            bad += more_bad;
            must_eq(
                ilb__window_bring(&w, at, bad, (float)keep[0], (float)keep[1]),
                more);
            must_be_within(ilb__window_long(&w).ended, ended[0] * 0.99999,
                           ended[0] * 1.00001);
            must_be_within(ilb__window_long(&w).failed, failed[0] * 0.99999,
                           failed[0] * 1.00001);
            must_be_within(ilb__window_short(&w).ended, ended[1] * 0.99999,
                           ended[1] * 1.00001);
            must_be_within(ilb__window_short(&w).failed, failed[1] * 0.99999,
                           failed[1] * 1.00001);
            must(ilb__window_long(&w).failed <= ilb__window_long(&w).ended);
        }
    }
}
END_TEST

/* The counters are longer than what is remembered of them. */
START_TEST(counters_wrap_without_a_trace)
{
    uint32_t at = UINT32_MAX - 40, bad = UINT32_MAX - 4;

    setup();
    (void)ilb__window_bring(&w, at, bad, 1, 1);
    (void)ilb__window_bring(&w, at, bad, 0, 0);
    must(ilb__window_long(&w).ended == 0);
    for (int i = 0; i < 10; i++) {
        at += 10;
        bad += 1;
        must_eq(ilb__window_bring(&w, at, bad, 0, 1), 10);
        must(ilb__window_long(&w).ended == 10);
        must(ilb__window_long(&w).failed == 1);
    }
    must(ilb__window_short(&w).ended == 100);
    must(ilb__window_short(&w).failed == 10);
}
END_TEST

/* Whoever was stopped in the middle of its look while another one looked
 * brings counters that stand lower than those seen since. That is not four
 * thousand million requests. */
START_TEST(a_late_look_adds_nothing)
{
    setup();
    (void)ilb__window_bring(&w, 1000, 10, 1, 1);
    must_eq(ilb__window_bring(&w, 990, 9, 1, 1), 0);
    must_be_within(ilb__window_long(&w).ended, 990, 1000);
    must_be_within(ilb__window_long(&w).failed, 9, 10);
    must_be_within(ilb__window_short(&w).ended, 990, 1000);
    /* And what ends from here on counts once. */
    must_be_within(ilb__window_bring(&w, 1010, 11, 1, 1), 10, 20);
    must_be_within(ilb__window_long(&w).ended, 1010, 1020);
}
END_TEST

Suite *suite_window(void)
{
    Suite *s = suite_create("window");
    TCase *tc = test_case(s, "window");

    tcase_add_test(tc, nothing_is_seen_after_a_reset);
    tcase_add_test(tc, two_windows_that_decay);
    tcase_add_test(tc, counters_wrap_without_a_trace);
    tcase_add_test(tc, a_late_look_adds_nothing);
    return s;
}
