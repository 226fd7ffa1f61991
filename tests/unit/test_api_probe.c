/* SPDX-License-Identifier: MIT */
/* Ejected endpoints are probed: one request at a time, ever longer waits. */
#include "suites.h"
#include "util.h"

START_TEST(not_a_moment_too_early)
{
    test_ejected *f = test_ejected_new(4, 1);

    must_be_within(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns,
                   0.8 * S_NS, 1.2001 * S_NS);
    must_eq(test_ejected_picked(f, 500), 0);
    f->clock.now_ns = test_stats(f->b, 1).ejected_until_ns - 1;
    must_eq(test_ejected_picked(f, 500), 0);
    f->clock.now_ns++;
    must_eq(test_ejected_picked(f, 1), 1);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_WARMING);
    must_eq(test_stats(f->b, 1).ejected_until_ns, 0);
    test_ejected_free(f);
}
END_TEST

START_TEST(exactly_one_probe_is_in_flight)
{
    test_ejected *f = test_ejected_new(4, 1);
    ilb_ticket t = test_ejected_probe(f);

    must_eq(test_ejected_picked(f, 1000), 0);
    must_eq(test_stats(f->b, 1).in_flight, 1);
    f->clock.now_ns += 500 * MS_NS;
    must_eq(test_ejected_picked(f, 1000), 0);
    test_done(f->b, &t, ILB_SUCCESS);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_WARMING);
    must(test_ejected_picked(f, 100) > 5);
    test_ejected_free(f);
}
END_TEST

/* Several are due at the same time: one probe each, one pick after another. */
START_TEST(all_that_are_due_are_probed)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b = test_new(&o);
    ilb_ticket t[20];
    uint32_t n = 0;

    test_update(b, 0, 10);
    for (int i = 0; i < 400; i++) {
        ilb_ticket k = test_pick(b);

        clock.now_ns += US_NS;
        test_done(b, &k, test_number(b, &k) < 5 ? ILB_FAILURE : ILB_SUCCESS);
    }
    clock.now_ns += 5 * S_NS;
    for (int i = 0; i < 20; i++) {
        t[i] = test_pick(b);
        n += test_number(b, &t[i]) < 5;
    }
    must_eq(n, 5);
    for (uint32_t i = 0; i < 5; i++) {
        must_eq(test_stats(b, i).state, ILB_STATE_PROBING);
        must_eq(test_stats(b, i).in_flight, 1);
        must(test_number(b, &t[i]) < 5);
    }
    ilb_balancer_free(b);
}
END_TEST

START_TEST(each_failed_probe_doubles_the_time)
{
    double low = 2, high = 0, sum = 0;
    const uint32_t seeds = 300;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        test_ejected *f = test_ejected_new(3, seed);
        uint64_t time_ns = S_NS;

        for (uint32_t k = 1; k <= 12; k++) {
            double share = (double)(test_stats(f->b, 1).ejected_until_ns -
                                    f->clock.now_ns) /
                           (double)time_ns;
            ilb_ticket t;

            must_eq(test_stats(f->b, 1).ejections, k);
            /* At the maximum jitter can only shorten it. */
            must_be_within(share, 0.8, time_ns == 10 * S_NS ? 1.0001 : 1.2001);
            if (k <= 3) {
                low = share < low ? share : low;
                high = share > high ? share : high;
                sum += share;
            }
            t = test_ejected_probe(f);
            f->clock.now_ns += MS_NS;
            test_done(f->b, &t,
                      k % 3 == 0   ? ILB_TIMEOUT
                      : k % 3 == 1 ? ILB_FAILURE
                                   : ILB_CONNECT_ERROR);
            must_eq(test_stats(f->b, 1).state, ILB_STATE_EJECTED);
            time_ns = time_ns * 2 > 10 * S_NS ? 10 * S_NS : time_ns * 2;
        }
        test_ejected_free(f);
    }
    /* Evenly spread over +-20 %. */
    must_be_within(low, 0.8, 0.805);
    must_be_within(high, 1.195, 1.2001);
    must_be_within(sum / (3 * seeds), 0.98, 1.02);
}
END_TEST

START_TEST(the_times_are_options)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b;

    o.consecutive_failures = 1;
    o.base_ejection_time_ns = 100 * MS_NS;
    o.max_ejection_time_ns = 400 * MS_NS;
    b = test_new(&o);
    test_update(b, 0, 2);
    for (uint64_t ms = 100, k = 0; k < 6; k++, ms = ms == 400 ? 400 : 2 * ms) {
        uint64_t until_ns;

        if (k == 0) {
            while (test_stats(b, 0).state != ILB_STATE_EJECTED &&
                   test_stats(b, 1).state != ILB_STATE_EJECTED)
                (void)test_request(b, &clock, 0, ILB_FAILURE);
        } else {
            (void)test_request(b, &clock, 0, ILB_FAILURE);
        }
        until_ns = test_stats(b, 0).ejected_until_ns +
                   test_stats(b, 1).ejected_until_ns;
        must_be_within(until_ns - clock.now_ns, 0.8 * (double)(ms * MS_NS),
                       (ms == 400 ? 1.001 : 1.201) * (double)(ms * MS_NS));
        clock.now_ns = until_ns;
    }
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_cancelled_probe_says_nothing)
{
    test_ejected *f = test_ejected_new(4, 1);

    for (int i = 0; i < 10; i++) {
        ilb_ticket t = test_ejected_probe(f);

        f->clock.now_ns += 10 * MS_NS;
        test_done(f->b, &t, ILB_CANCELLED);
        must_eq(test_stats(f->b, 1).state, ILB_STATE_EJECTED);
        must_eq(test_stats(f->b, 1).ejections, 1);
        /* The next request may try. */
        must_be_within(test_stats(f->b, 1).ejected_until_ns, f->clock.now_ns,
                       f->clock.now_ns + MS_NS);
    }
    test_ejected_free(f);
}
END_TEST

START_TEST(an_overloaded_probe_fails)
{
    test_ejected *f = test_ejected_new(4, 1);
    ilb_ticket t = test_ejected_probe(f);

    test_done(f->b, &t, ILB_OVERLOAD);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_EJECTED);
    must_eq(test_stats(f->b, 1).ejections, 2);
    must_be_within(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns,
                   1.6 * S_NS, 2.4001 * S_NS);
    test_ejected_free(f);
}
END_TEST

/* A probe that never ends does not lock its endpoint out. */
START_TEST(a_lost_probe_is_replaced)
{
    test_ejected *f = test_ejected_new(4, 1);
    ilb_ticket lost = test_ejected_probe(f), t;

    must_be_within(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns,
                   0.8 * S_NS, 1.2001 * S_NS);
    t = test_ejected_probe(f);
    must_eq(test_stats(f->b, 1).in_flight, 2);
    test_done(f->b, &t, ILB_SUCCESS);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_WARMING);
    test_done(f->b, &lost, ILB_SUCCESS);
    must_eq(test_stats(f->b, 1).in_flight, 0);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_WARMING);
    test_ejected_free(f);
}
END_TEST

/* Requests from before the ejection end after it. */
START_TEST(late_answers_neither_prolong_nor_end_it)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_ROUND_ROBIN, 1);
    ilb_balancer *b = test_new(&o);
    ilb_endpoint_stats before, after;
    ilb_ticket t[20];

    test_update(b, 0, 2);
    for (int i = 0; i < 20; i++)
        t[i] = test_pick(b);
    for (int i = 1; i < 7; i += 2)
        test_done(b, &t[i], ILB_FAILURE);
    must_eq(test_number(b, &t[7]), 1);
    before = test_stats(b, 1);
    must_eq(before.state, ILB_STATE_EJECTED);
    for (int i = 7; i < 20; i += 2) {
        clock.now_ns += MS_NS;
        test_done(b, &t[i], i < 15 ? ILB_FAILURE : ILB_SUCCESS);
        after = test_stats(b, 1);
        must_eq(after.state, ILB_STATE_EJECTED);
        must_eq(after.ejections, 1);
        must_eq(after.ejected_until_ns, before.ejected_until_ns);
    }
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_probe(void)
{
    Suite *s = suite_create("api probe");
    TCase *tc = test_case(s, "probe");

    tcase_add_test(tc, not_a_moment_too_early);
    tcase_add_test(tc, exactly_one_probe_is_in_flight);
    tcase_add_test(tc, all_that_are_due_are_probed);
    tcase_add_test(tc, each_failed_probe_doubles_the_time);
    tcase_add_test(tc, the_times_are_options);
    tcase_add_test(tc, a_cancelled_probe_says_nothing);
    tcase_add_test(tc, an_overloaded_probe_fails);
    tcase_add_test(tc, a_lost_probe_is_replaced);
    tcase_add_test(tc, late_answers_neither_prolong_nor_end_it);
    return s;
}
