/* SPDX-License-Identifier: MIT */
/* signal/window.h: against sums in doubles; counters that wrap or lag. */
#include "signal/window.h"
#include "suites_internal.h"
#include "util.h"

static ilb__window w;
static ilb__window_step step;

static void setup(void)
{
    memset(&w, 0xff, sizeof w);
    ilb__window_reset(&w);
    step.round = 1000;
}

/* The next maintenance, with the counters at `ended` and `failed`. */
static uint32_t bring(uint32_t ended, uint32_t failed, double keep_long,
                      double keep_short)
{
    step.round++;
    step.keep_long = (float)keep_long;
    step.keep_short = (float)keep_short;
    return ilb__window_bring(&w, ended, failed, &step);
}

static void is_long(double ended, double failed)
{
    must_be_within(ilb__window_long(&w).ended, ended * 0.99999,
                   ended * 1.00001);
    must_be_within(ilb__window_long(&w).failed, failed * 0.99999,
                   failed * 1.00001);
}

static void is_short(double ended, double failed)
{
    must_be_within(ilb__window_short(&w).ended, ended * 0.99999,
                   ended * 1.00001);
    must_be_within(ilb__window_short(&w).failed, failed * 0.99999,
                   failed * 1.00001);
}

START_TEST(nothing_is_seen_after_a_reset)
{
    setup();
    is_long(0, 0);
    is_short(0, 0);
    must_eq(bring(0, 0, 1, 1), 0);
    is_long(0, 0);
    is_short(0, 0);
    must_eq(bring(7, 2, 1, 1), 7);
    is_long(7, 2);
    is_short(7, 2);
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
        (void)bring(0, 0, 1, 1);
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
            must_eq(bring(at, bad, keep[0], keep[1]), more);
            is_long(ended[0], failed[0]);
            is_short(ended[1], failed[1]);
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
    (void)bring(at, bad, 1, 1);
    for (int i = 0; i < 10; i++) {
        at += 10;
        bad += 1;
        must_eq(bring(at, bad, 0, 1), 10);
        is_long(10, 1);
    }
    is_short(100, 10);
}
END_TEST

/* Whoever was stopped in the middle of its look while another one looked
 * brings counters that stand lower than those seen since. That is not four
 * thousand million requests. */
START_TEST(a_late_look_adds_nothing)
{
    setup();
    (void)bring(0, 0, 1, 1);
    (void)bring(1000, 10, 1, 1);
    must_eq(bring(990, 9, 1, 1), 0);
    is_long(1000, 10);
    is_short(1000, 10);
    /* And what ends from here on counts; the ten that went before it once
     * more, at most. */
    must_be_within(bring(1010, 11, 1, 1), 10, 20);
    must_be_within(ilb__window_long(&w).ended, 1010, 1020);
}
END_TEST

/* Who was not part of the last maintenance has no known time behind it: what
 * ended meanwhile counts nowhere. */
START_TEST(who_missed_one_only_begins_anew)
{
    setup();
    must_eq(bring(500, 50, 1, 1), 0);
    is_long(0, 0);
    must_eq(bring(600, 60, 1, 1), 100);
    is_long(100, 10);
    for (uint32_t gap = 1; gap < 50; gap++) {
        uint32_t at = 600 + 1000 * gap;

        step.round += gap;
        must_eq(bring(at, at / 10, 1, 1), 0);
        is_long(100, 10);
        is_short(100, 10);
    }
    must_eq(bring(600 + 49000 + 7, (600 + 49000) / 10 + 3, 1, 1), 7);
    is_long(107, 13);
    is_short(107, 13);
    /* The same number again: not the next one either. */
    step.round--;
    must_eq(bring(60000, 6000, 1, 1), 0);
    is_long(107, 13);
}
END_TEST

/* A slot's next endpoint inherits nothing, although its counters are those of
 * before until it is listed. */
START_TEST(a_reset_in_the_middle)
{
    setup();
    (void)bring(0, 0, 1, 1);
    (void)bring(1000, 900, 1, 1);
    ilb__window_reset(&w);
    is_long(0, 0);
    is_short(0, 0);
    must_eq(bring(1, 0, 1, 1), 0);
    must_eq(bring(3, 1, 1, 1), 2);
    is_long(2, 1);
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
    tcase_add_test(tc, who_missed_one_only_begins_anew);
    tcase_add_test(tc, a_reset_in_the_middle);
    return s;
}
