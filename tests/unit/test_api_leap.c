/* SPDX-License-Identifier: MIT */
/* Clocks that leap by years, for one reading or for good: no time passes. */
#include "suites.h"
#include "util.h"

static const uint64_t leaps[] = {
    UINT64_MAX,
    UINT64_MAX - 1,
    UINT64_C(1) << 63,
    UINT64_C(1764000000000000000), /* it is set to the wall clock */
    UINT64_C(2) * 365 * 86400 * S_NS,
};
#define N_LEAPS 5

/* Seconds that the ejection of number 1 has still to go. */
static double leap_left_s(test_ejected *f)
{
    ilb_endpoint_stats s = test_stats(f->b, 1);

    must_eq(s.state, ILB_STATE_EJECTED);
    must(s.ejected_until_ns > f->clock.now_ns);
    return (double)(s.ejected_until_ns - f->clock.now_ns) / 1e9;
}

/* Seconds until number 1 is tried again. */
static double leap_tried_after_s(test_ejected *f)
{
    double s = 0;

    for (; test_ejected_picked(f, 1) == 0; s += 0.01)
        f->clock.now_ns += 10 * MS_NS;
    return s;
}

static ilb_event leap_last_event(ilb_balancer *b)
{
    ilb_event events[256];
    size_t n;

    must_eq(ilb_balancer_events(b, 0, events, 256, sizeof events[0], &n),
            ILB_OK);
    must(n > 0);
    return events[n - 1];
}

/* _i: the leap. */
START_TEST(for_one_reading)
{
    test_ejected *f = test_ejected_new(3, 1);
    uint64_t honest_ns = f->clock.now_ns;
    double left_s = leap_left_s(f);
    uint64_t latency_ns = test_stats(f->b, 0).latency_ns;
    uint64_t failure_ppm = test_stats(f->b, 1).failure_ppm;

    f->clock.now_ns = leaps[_i];
    must_eq(test_ejected_picked(f, 1), 0);
    (void)test_stats(f->b, 1);
    f->clock.now_ns = honest_ns;
    must_be_within(leap_left_s(f), left_s - 0.2, left_s + 0.2);
    must_be_within((double)test_stats(f->b, 0).latency_ns,
                   0.9 * (double)latency_ns, 1.1 * (double)latency_ns);
    must_be_within((double)test_stats(f->b, 1).failure_ppm,
                   0.9 * (double)failure_ppm, 1.1 * (double)failure_ppm);
    must_be_within(leap_tried_after_s(f), left_s - 0.2, left_s + 0.2);
    must_be_within((double)leap_last_event(f->b).time_ns / 1e9,
                   (double)f->clock.now_ns / 1e9 - 0.2,
                   (double)f->clock.now_ns / 1e9 + 0.2);
    test_ejected_free(f);
}
END_TEST

START_TEST(for_good)
{
    test_ejected *f = test_ejected_new(3, 1);
    double left_s = leap_left_s(f);

    f->clock.now_ns = leaps[_i] - (_i < 2 ? 3600 * S_NS : 0);
    must_be_within(leap_left_s(f), left_s - 0.2, left_s + 0.2);
    must_be_within((double)(ilb_probe_due_ns(f->b) - f->clock.now_ns) / 1e9, 0,
                   left_s + 0.2);
    must_be_within(leap_tried_after_s(f), left_s - 0.2, left_s + 0.2);
    /* Exactly: a double knows the years only to a few hundred ns. */
    must_be_within((double)(f->clock.now_ns - leap_last_event(f->b).time_ns) /
                       1e9,
                   0, 0.2);
    test_ejected_free(f);
}
END_TEST

/* More often than the range of time has room for. */
START_TEST(again_and_again)
{
    test_ejected *f = test_ejected_new(3, 1);

    for (int i = 0; i < 3000; i++) {
        uint64_t honest_ns = f->clock.now_ns;

        f->clock.now_ns = leaps[i % N_LEAPS];
        (void)test_ejected_picked(f, 1);
        f->clock.now_ns = honest_ns;
        (void)test_ejected_wait(f, f->clock.now_ns + 300 * MS_NS);
    }
    test_ejected_heal(f);
    (void)test_ejected_again(f);
    must_be_within(leap_tried_after_s(f), 4, 200);
    test_ejected_free(f);
}
END_TEST

/* Number 0 of two fails: it is ejected and comes back on time. */
static void must_work(ilb_balancer *b, test_clock *clock)
{
    uint64_t until_ns;

    for (int i = 0; i < 200; i++) {
        ilb_ticket t = test_pick(b);

        clock->now_ns += MS_NS;
        test_done(b, &t, test_number(b, &t) == 0 ? ILB_FAILURE : ILB_SUCCESS);
    }
    must_eq(test_stats(b, 0).state, ILB_STATE_EJECTED);
    must_eq(test_stats(b, 1).latency_ns / US_NS, MS_NS / US_NS);
    until_ns = test_stats(b, 0).ejected_until_ns;
    must_be_within((double)(until_ns - clock->now_ns) / 1e9,
                   (1 - TEST_JITTER) * TEST_EJECTION_S - 0.2, TEST_EJECTION_S);
    clock->now_ns = until_ns - MS_NS;
    (void)test_request(b, clock, 2 * MS_NS, ILB_SUCCESS);
    must_eq(test_stats(b, 0).state, ILB_STATE_EJECTED);
    (void)test_request(b, clock, MS_NS, ILB_SUCCESS);
    must_eq(test_stats(b, 0).state, ILB_STATE_WARMING);
}

static ilb_balancer *leap_two(test_clock *clock)
{
    ilb_options o = test_options(clock, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b;

    o.max_ejection_time_ns = (uint64_t)(TEST_EJECTION_S * 1e9);
    b = test_new(&o);
    test_update(b, 0, 2);
    return b;
}

/* Before any request: the list came when the clock showed nonsense, or more
 * than it shows now. */
START_TEST(between_the_list_and_the_first_request)
{
    static const uint64_t before[] = {UINT64_MAX, UINT64_C(1) << 63,
                                      4600 * S_NS, 1003 * S_NS, 1};
    test_clock clock = {before[_i]};
    ilb_balancer *b = leap_two(&clock);

    clock.now_ns = 1000 * S_NS;
    must_work(b, &clock);
    ilb_balancer_free(b);
}
END_TEST

/* Then it begins at 0 again. */
START_TEST(over_the_end_of_its_range)
{
    test_clock clock = {UINT64_MAX - 2 * S_NS};
    ilb_balancer *b = leap_two(&clock);

    (void)test_request(b, &clock, MS_NS, ILB_SUCCESS);
    clock.now_ns += 2 * S_NS;
    must(clock.now_ns < S_NS);
    (void)test_request(b, &clock, MS_NS, ILB_SUCCESS);
    must_work(b, &clock);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_leap(void)
{
    Suite *s = suite_create("api leap");
    TCase *tc = test_case(s, "clocks that leap");

    tcase_add_loop_test(tc, for_one_reading, 0, N_LEAPS);
    tcase_add_loop_test(tc, for_good, 0, N_LEAPS);
    tcase_add_test(tc, again_and_again);
    tcase_add_loop_test(tc, between_the_list_and_the_first_request, 0, 5);
    tcase_add_test(tc, over_the_end_of_its_range);
    return s;
}
