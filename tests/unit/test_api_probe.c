/* SPDX-License-Identifier: MIT */
/* Ejected endpoints are probed: one request at a time. */
#include "suites.h"
#include "util.h"

START_TEST(not_a_moment_too_early)
{
    test_ejected *f = test_ejected_new(4, 1);

    must_last(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns, 1,
              TEST_EJECTED_PER_SECOND, 0.1);
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
    ilb_balancer *b;
    ilb_ticket t[20];
    uint32_t n = 0;

    /* Not longer for want of requests. */
    o.base_ejection_time_ns = o.max_ejection_time_ns = S_NS;
    b = test_new(&o);
    test_update(b, 0, 10);
    for (int i = 0; i < 400; i++) {
        ilb_ticket k = test_pick(b);

        clock.now_ns += US_NS;
        test_done(b, &k, test_number(b, &k) < 5 ? ILB_FAILURE : ILB_SUCCESS);
    }
    clock.now_ns += S_NS;
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

START_TEST(after_many_failed_probes_it_is_longer)
{
    double low = 2, high = 0, sum = 0;
    const uint32_t seeds = 300;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        test_ejected *f = test_ejected_new(3, seed);

        for (uint32_t k = 1; k <= 12; k++) {
            uint64_t left_ns =
                test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns;
            double share = (double)left_ns / 1e9 /
                           test_ejection_s(k, TEST_EJECTED_PER_SECOND);
            ilb_ticket t;

            must_eq(test_stats(f->b, 1).ejections, k);
            must_last(left_ns, k, TEST_EJECTED_PER_SECOND, 0.1);
            if (k <= 3) {
                low = share < low ? share : low;
                high = share > high ? share : high;
                sum += share;
            }
            t = test_ejected_probe(f);
            f->clock.now_ns += k % 3 == 0 ? 60 * MS_NS : MS_NS;
            test_done(f->b, &t,
                      k % 3 == 0   ? ILB_TIMEOUT
                      : k % 3 == 1 ? ILB_FAILURE
                                   : ILB_CONNECT_ERROR);
            must_eq(test_stats(f->b, 1).state, ILB_STATE_EJECTED);
        }
        test_ejected_free(f);
    }
    /* Evenly spread over +-10 %. */
    must_be_within(low, 0.9, 0.9025);
    must_be_within(high, 1.0975, 1.1001);
    must_be_within(sum / (3 * seeds), 0.99, 1.01);
}
END_TEST

/* Requests to three endpoints, evenly in time; those to number 0 fail, and the
 * first one of them ejects it. */
static void go_on(ilb_balancer *b, test_clock *clock, uint32_t per_second)
{
    ilb_ticket t = test_pick(b);

    clock->now_ns += S_NS / per_second;
    test_done(b, &t, test_number(b, &t) == 0 ? ILB_FAILURE : ILB_SUCCESS);
}

/* Until it is ejected for the k-th time. Returns for how long. */
static uint64_t ejected_again(ilb_balancer *b, test_clock *clock,
                              uint32_t per_second, uint64_t k)
{
    ilb_endpoint_stats s = test_stats(b, 0);

    for (; s.ejections < k; s = test_stats(b, 0))
        go_on(b, clock, per_second);
    must_eq(s.ejections, k);
    must_eq(s.state, ILB_STATE_EJECTED);
    return s.ejected_until_ns - clock->now_ns;
}

/* The others for half a minute, so that the rate of requests is known. */
static void go_on_without(ilb_balancer *b, test_clock *clock,
                          uint32_t per_second)
{
    test_update(b, 1, 2);
    for (uint32_t i = 0; i < 30 * per_second; i++)
        go_on(b, clock, per_second);
    test_update(b, 0, 3);
}

START_TEST(the_times_are_options)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b;

    o.consecutive_failures = 1;
    o.base_ejection_time_ns = 100 * MS_NS;
    o.max_ejection_time_ns = 280 * MS_NS;
    b = test_new(&o);
    go_on_without(b, &clock, 10000);
    for (uint32_t k = 1; k <= 14; k++) {
        double ms = 100 * test_ladder(k);
        double most = ms * 1.1 > 280 ? 280 : ms * 1.1;
        double least = (ms > 280 ? 280 : ms) * 0.9;

        /* At the maximum chance can only shorten it. */
        must_be_within((double)ejected_again(b, &clock, 10000, k) / 1e6, least,
                       most + 0.1);
    }
    ilb_balancer_free(b);
}
END_TEST

/* At most one in 150, 300, 450 of all requests, but for two minutes at most. */
START_TEST(with_few_requests_probes_are_rarer)
{
    static const uint32_t rates[] = {2, 5, 10, 20, 40};

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            test_clock clock = TEST_CLOCK_INIT;
            ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, seed);
            ilb_balancer *b;

            o.consecutive_failures = 1;
            b = test_new(&o);
            go_on_without(b, &clock, rates[i]);
            for (uint32_t k = 1; k <= 10; k++) {
                uint64_t left_ns = ejected_again(b, &clock, rates[i], k);

                must_last(left_ns, k, rates[i], 0.1);
                must((double)left_ns <= (TEST_EJECTION_MAX_S + 1e-4) * 1e9);
            }
            ilb_balancer_free(b);
        }
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
    must_last(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns, 2,
              TEST_EJECTED_PER_SECOND, 0.1);
    test_ejected_free(f);
}
END_TEST

/* A probe that never ends does not lock its endpoint out. */
START_TEST(a_lost_probe_is_replaced)
{
    test_ejected *f = test_ejected_new(4, 1);
    ilb_ticket lost = test_ejected_probe(f), t;

    must_last(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns, 1,
              TEST_EJECTED_PER_SECOND, 0.1);
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
    ilb_endpoint_stats before, after;
    ilb_ticket t[20];
    uint32_t second;
    ilb_balancer *b;

    o.consecutive_failures = 3;
    b = test_new(&o);
    test_update(b, 0, 2);
    for (int i = 0; i < 20; i++)
        t[i] = test_pick(b);
    second = test_number(b, &t[1]);
    for (int i = 1; i < 7; i += 2)
        test_done(b, &t[i], ILB_FAILURE);
    must_eq(test_number(b, &t[7]), second);
    before = test_stats(b, second);
    must_eq(before.state, ILB_STATE_EJECTED);
    for (int i = 7; i < 20; i += 2) {
        clock.now_ns += MS_NS;
        test_done(b, &t[i], i < 15 ? ILB_FAILURE : ILB_SUCCESS);
        after = test_stats(b, second);
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
    tcase_add_test(tc, after_many_failed_probes_it_is_longer);
    tcase_add_test(tc, the_times_are_options);
    tcase_add_test(tc, with_few_requests_probes_are_rarer);
    tcase_add_test(tc, a_cancelled_probe_says_nothing);
    tcase_add_test(tc, an_overloaded_probe_fails);
    tcase_add_test(tc, a_lost_probe_is_replaced);
    tcase_add_test(tc, late_answers_neither_prolong_nor_end_it);
    return s;
}
