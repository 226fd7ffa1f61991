/* SPDX-License-Identifier: MIT */
/* Hints of what a request costs. */
#include <math.h>

#include "suites.h"
#include "util.h"

static ilb_ticket pick_of_cost(ilb_balancer *b, double cost)
{
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_ticket t;

    o.cost = cost;
    must_eq(ilb_pick(b, &t, &o), ILB_OK);
    return t;
}

START_TEST(a_cost_out_of_range_is_refused)
{
    static const double bad[] = {-1, 1.0 / 257, 4095.1, 1e300, -0.5};
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
    ilb_balancer *b = test_new(&o);
    ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
    ilb_ticket t;

    test_update(b, 0, 2);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        p.cost = bad[i];
        must_eq(ilb_pick(b, &t, &p), ILB_EINVAL);
    }
    p.cost = 0.0 / (bad[0] + 1); /* not a number */
    must_eq(ilb_pick(b, &t, &p), ILB_EINVAL);
    must_eq(test_stats(b, 0).in_flight + test_stats(b, 1).in_flight, 0);
    for (p.cost = ILB_COST_MIN; p.cost <= ILB_COST_MAX; p.cost *= 1.7) {
        must_eq(ilb_pick(b, &t, &p), ILB_OK);
        test_done(b, &t, ILB_SUCCESS);
    }
    ilb_balancer_free(b);
}
END_TEST

/* Nine of cost 1 and one of cost 9 weigh the same. */
START_TEST(it_counts_as_so_many_in_flight)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_options o = test_options(&clock, ILB_POLICY_LEAST_REQUEST, seed);
        ilb_balancer *b = test_new(&o);
        ilb_ticket heavy, t;
        uint32_t at;

        test_update(b, 0, 2);
        heavy = pick_of_cost(b, 9);
        at = test_number(b, &heavy);
        for (int i = 0; i < 8; i++) {
            t = pick_of_cost(b, i % 2 == 0 ? 0 : 1);
            must_eq(test_number(b, &t), 1 - at);
        }
        must_eq(test_stats(b, at).in_flight, 1);
        must_eq(test_stats(b, 1 - at).in_flight, 8);
        /* Gone, it leaves nothing behind. */
        test_done(b, &heavy, ILB_FAILURE);
        for (int i = 0; i < 7; i++) {
            t = pick_of_cost(b, 0);
            must_eq(test_number(b, &t), at);
        }
        ilb_balancer_free(b);
    }
}
END_TEST

/* What takes ten times as long, as was said, is no slow endpoint. */
START_TEST(its_latency_is_an_ordinary_ones_times_it)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_ROUND_ROBIN, 1);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 3);
    for (int i = 0; i < 600; i++) {
        double cost = i % 7 == 0 ? 10 : i % 5 == 0 ? 1.5 : 1;
        ilb_ticket t = pick_of_cost(b, cost);

        /* The first byte does not lose the cost. */
        clock.now_ns += (uint64_t)(4e6 * cost);
        if (i % 2 == 0)
            must_eq(ilb_first_byte(b, &t, 0), ILB_OK);
        test_done(b, &t, ILB_SUCCESS);
    }
    for (uint32_t i = 0; i < 3; i++)
        must_be_within((double)test_stats(b, i).latency_ns, 3.9e6, 4.1e6);
    ilb_balancer_free(b);
}
END_TEST

static double latency_after(double cost, uint64_t takes_ns, ilb_outcome how)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_ROUND_ROBIN, 1);
    ilb_balancer *b = test_new(&o);
    double latency_ns;
    ilb_ticket t;

    test_update(b, 0, 1);
    /* Long enough to be no peak: of one alone the median is its own. */
    for (int i = 0; i < 100; i++) {
        t = pick_of_cost(b, 1);
        clock.now_ns += MS_NS;
        test_done(b, &t, ILB_SUCCESS);
    }
    for (int i = 0; i < (how == ILB_SUCCESS ? 1000 : 1); i++) {
        t = pick_of_cost(b, cost);
        clock.now_ns += takes_ns;
        test_done(b, &t, how);
    }
    latency_ns = (double)test_stats(b, 0).latency_ns;
    ilb_balancer_free(b);
    return latency_ns;
}

/* Most of a cheap one's time is what all take: x / sqrt(c), not x / c. */
START_TEST(a_cheap_one_says_less)
{
    static const double roots[] = {1.0000001, 1.25, 1.5, 2, 3, 5, 10, 16};

    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        double cost = 1 / (roots[i] * roots[i]);
        double kept = floor(cost * 256 + 0.5) / 256, root = sqrt(1 / kept);

        must_be_within(latency_after(cost, 2 * MS_NS, ILB_SUCCESS),
                       2e6 * root * 0.999, 2e6 * root * 1.001);
    }
}
END_TEST

/* What it waited in vain is a lower bound: for an ordinary one as well. */
START_TEST(a_cheap_one_in_vain_says_no_more_than_it_waited)
{
    must_be_within(latency_after(1.0 / 256, 100 * MS_NS, ILB_TIMEOUT), 99e6,
                   101e6);
    must_be_within(latency_after(4, 100 * MS_NS, ILB_TIMEOUT), 24e6, 26e6);
}
END_TEST

Suite *suite_api_cost(void)
{
    Suite *s = suite_create("api cost");
    TCase *tc = test_case(s, "cost");

    tcase_add_test(tc, a_cost_out_of_range_is_refused);
    tcase_add_test(tc, it_counts_as_so_many_in_flight);
    tcase_add_test(tc, its_latency_is_an_ordinary_ones_times_it);
    tcase_add_test(tc, a_cheap_one_says_less);
    tcase_add_test(tc, a_cheap_one_in_vain_says_no_more_than_it_waited);
    return s;
}
