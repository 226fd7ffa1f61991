/* SPDX-License-Identifier: MIT */
/* Slow start: part of one's share for a while. */
#include "suites.h"
#include "util.h"

#define WINDOW_S 20.0
#define WINDOW_NS (20 * S_NS)

static test_clock clock_ = TEST_CLOCK_INIT;

static ilb_options options(ilb_policy policy)
{
    ilb_options o = test_options(&clock_, policy, 1);

    o.slow_start_ns = WINDOW_NS;
    return o;
}

/* Requests, one after the other, of a millisecond, for so long. Returns the
 * share that `number` had. */
static double share_of(ilb_balancer *b, uint32_t number, double seconds)
{
    uint64_t until_ns = clock_.now_ns + (uint64_t)(seconds * 1e9);
    uint32_t times = 0, all = 0;

    for (; clock_.now_ns < until_ns; all++)
        times += test_request(b, &clock_, MS_NS, ILB_SUCCESS) == number;
    return (double)times / all;
}

/* What it should have at t, of n with equal weights. */
static double expected(double t_s, uint32_t n)
{
    double f = t_s / WINDOW_S;

    f = f < 0.1 ? 0.1 : f < 1 ? f : 1;
    return f / (n - 1 + f);
}

/* Against its fair share, which slow endpoints and chance make less exact. */
static void ramps(ilb_balancer *b, uint32_t number, uint32_t n)
{
    for (double t = 0; t < 1.2 * WINDOW_S; t += 2) {
        double x = share_of(b, number, 2);
        double e = expected(t + 1, n);

        must_be_within(x, 0.75 * e - 0.005, 1.3 * e + 0.01);
    }
}

START_TEST(a_newcomer_ramps_with_every_policy)
{
    for (int policy = 1; policy <= 4; policy++) {
        ilb_options o = options((ilb_policy)policy);
        ilb_balancer *b = test_new(&o);

        test_update(b, 0, 4);
        (void)share_of(b, 0, 5);
        test_update(b, 0, 5);
        ramps(b, 4, 5);
        ilb_balancer_free(b);
    }
}
END_TEST

/* Twice the weight is twice the share, during the ramp as well. */
START_TEST(it_ramps_to_its_weight)
{
    for (int policy = 1; policy <= 4; policy++) {
        ilb_options o = options((ilb_policy)policy);
        ilb_balancer *b = test_new(&o);
        ilb_endpoint list[5];

        test_endpoints(list, 0, 5);
        list[4].weight = 2;
        must_eq(ilb_balancer_update(b, list, 4), ILB_OK);
        (void)share_of(b, 0, 5);
        must_eq(ilb_balancer_update(b, list, 5), ILB_OK);
        for (double t = 0; t < 30; t += 5) {
            double x = share_of(b, 4, 5), f = (t + 2.5) / WINDOW_S;

            f = f < 1 ? f : 1;
            /* Equally idle, peak_ewma and least_request compare two or more
             * draws: there a heavy one has less than its weight. */
            must_be_within(x, 0.6 * 2 * f / (4 + 2 * f),
                           1.2 * 2 * f / (4 + 2 * f));
        }
        ilb_balancer_free(b);
    }
}
END_TEST

/* Where all are busy, its requests in flight are bounded as well. */
START_TEST(it_ramps_under_load)
{
    for (int policy = 1; policy <= 2; policy++) {
        ilb_options o = ILB_OPTIONS_INIT;
        test_sim *sim;

        o.policy = (ilb_policy)policy;
        o.slow_start_ns = WINDOW_NS;
        sim = test_sim_new(5, 50 * MS_NS, 7, &o);
        test_update(sim->b, 0, 4);
        test_sim_run(sim, 5 * S_NS, 2000);
        test_update(sim->b, 0, 5);
        for (double t = 0; t < 24; t += 2) {
            double e = expected(t + 1, 5);

            test_sim_forget(sim);
            test_sim_run(sim, 2 * S_NS, 2000);
            must_be_within(test_sim_share(sim, 4), 0.5 * e, 1.3 * e + 0.01);
        }
        test_sim_finish(sim);
        test_sim_free(sim);
    }
}
END_TEST

START_TEST(it_ramps_after_an_ejection)
{
    ilb_options o = options(ILB_POLICY_RANDOM);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 4);
    (void)share_of(b, 1, 30);
    while (test_stats(b, 1).state != ILB_STATE_EJECTED) {
        ilb_ticket t = test_pick(b);
        bool it = test_number(b, &t) == 1;

        clock_.now_ns += MS_NS;
        test_done(b, &t, it ? ILB_FAILURE : ILB_SUCCESS);
    }
    while (test_stats(b, 1).state == ILB_STATE_EJECTED)
        (void)share_of(b, 1, 0.01);
    ramps(b, 1, 4);
    ilb_balancer_free(b);
}
END_TEST

/* Those that come first have nobody to spare; who becomes ready again ramps. */
START_TEST(the_first_list_does_not_ramp)
{
    ilb_options o = options(ILB_POLICY_RANDOM);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 2);
    must_be_within(share_of(b, 0, 5), 0.47, 0.53);
    must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_NOT_READY),
            ILB_OK);
    (void)share_of(b, 1, 1);
    must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_READY), ILB_OK);
    ramps(b, 1, 2);
    ilb_balancer_free(b);
}
END_TEST

/* Its clock is its own: others that come and go do not set it back. */
START_TEST(others_do_not_disturb_the_ramp)
{
    ilb_options o = options(ILB_POLICY_ROUND_ROBIN);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 4);
    (void)share_of(b, 0, 5);
    test_update(b, 0, 5);
    for (uint32_t i = 0; i < 100; i++) {
        (void)share_of(b, 4, WINDOW_S / 100);
        test_update(b, 0, 5 + i % 2);
    }
    test_update(b, 0, 5);
    must_be_within(share_of(b, 4, 5), 0.19, 0.21);
    ilb_balancer_free(b);
}
END_TEST

/* All that are left are ramping: they are taken all the same. */
START_TEST(where_all_ramp_nobody_waits)
{
    for (int policy = 1; policy <= 4; policy++) {
        ilb_options o = options((ilb_policy)policy);
        ilb_balancer *b = test_new(&o);

        test_update(b, 0, 3);
        (void)share_of(b, 0, 1);
        test_update(b, 10, 3);
        for (uint32_t i = 10; i < 13; i++)
            must_be_within(share_of(b, i, 2), 0.28, 0.39);
        ilb_balancer_free(b);
    }
}
END_TEST

/* No time has passed: it ramps as if nothing had been, even if the list it came
 * with was all that saw the clock ahead. */
START_TEST(a_clock_that_goes_back_is_nothing_to_it)
{
    static const uint64_t ahead_s[] = {0, 3, 60, 3600};
    ilb_options o = options(ILB_POLICY_RANDOM);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 2);
    (void)share_of(b, 0, 1);
    clock_.now_ns += ahead_s[_i] * S_NS;
    test_update(b, 0, 3);
    clock_.now_ns -= ahead_s[_i] * S_NS;
    ramps(b, 2, 3);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_slow_start(void)
{
    Suite *s = suite_create("api slow start");
    TCase *tc = test_case(s, "ramp");

    tcase_add_test(tc, a_newcomer_ramps_with_every_policy);
    tcase_add_test(tc, it_ramps_to_its_weight);
    tcase_add_test(tc, it_ramps_under_load);
    tcase_add_test(tc, it_ramps_after_an_ejection);
    tcase_add_test(tc, the_first_list_does_not_ramp);
    tcase_add_test(tc, others_do_not_disturb_the_ramp);
    tcase_add_test(tc, where_all_ramp_nobody_waits);
    tcase_add_loop_test(tc, a_clock_that_goes_back_is_nothing_to_it, 0, 4);
    return s;
}
