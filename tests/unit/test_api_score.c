/* SPDX-License-Identifier: MIT */
/* peak_ewma: slow, failing and silent endpoints lose their traffic. */
#include "suites.h"
#include "util.h"

#define PODS 6
#define PER_SECOND 200

static test_sim *warm_sim(uint32_t n_pods, uint64_t takes_ns, uint64_t seed,
                          const ilb_options *o)
{
    test_sim *sim = test_sim_new(n_pods, takes_ns, seed, o);

    test_sim_run(sim, 5 * S_NS, PER_SECOND);
    test_sim_forget(sim);
    return sim;
}

START_TEST(equals_share_equally_under_load)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_sim *sim = warm_sim(PODS, 50 * MS_NS, seed, NULL);

        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        for (uint32_t i = 0; i < PODS; i++)
            must_be_within(test_sim_share(sim, i), 0.7 / PODS, 1.3 / PODS);
        test_sim_free(sim);
    }
}
END_TEST

START_TEST(one_that_turns_ten_times_slower_gets_under_two_percent)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_sim *sim = warm_sim(PODS, 50 * MS_NS, seed, NULL);

        sim->pods[2].takes_ns = 500 * MS_NS;
        test_sim_run(sim, S_NS, PER_SECOND);
        /* In the first second it may find out. */
        must_be_within(test_sim_share(sim, 2), 0, 0.08);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, 2), 0, 0.02);
        /* Well again, it is found out within seconds. */
        sim->pods[2].takes_ns = 50 * MS_NS;
        test_sim_run(sim, 15 * S_NS, PER_SECOND);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, 2), 0.6 / PODS, 1.4 / PODS);
        test_sim_free(sim);
    }
}
END_TEST

/* Two of four are slow: pairs of slow ones are not left to draw. */
START_TEST(half_of_them_slow)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = warm_sim(4, 50 * MS_NS, seed, NULL);

        sim->pods[0].takes_ns = sim->pods[3].takes_ns = 500 * MS_NS;
        test_sim_run(sim, S_NS, PER_SECOND);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, 0) + test_sim_share(sim, 3), 0,
                       0.04);
        test_sim_free(sim);
    }
}
END_TEST

/* One that fails at once is not the fastest. Never ejected here, so that it
 * is the score which must see to it. */
START_TEST(fast_failures_attract_no_traffic)
{
    static const ilb_outcome outcomes[] = {ILB_FAILURE, ILB_CONNECT_ERROR,
                                           ILB_OVERLOAD};
    ilb_options o = ILB_OPTIONS_INIT;

    o.consecutive_failures = ILB_NEVER;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = warm_sim(PODS, 50 * MS_NS, seed, &o);

        sim->pods[1].takes_ns = MS_NS;
        sim->pods[1].outcome = outcomes[_i];
        test_sim_run(sim, S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, 1), 0, 0.08);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, 1), 0, 0.02);
        must_eq(test_stats(sim->b, 1).ejections, 0);
        test_sim_free(sim);
    }
}
END_TEST

/* The same from the very first request on, when nothing is known of anyone:
 * how long a failure took is not an endpoint's latency. */
START_TEST(fast_failures_attract_no_traffic_from_the_start)
{
    static const ilb_outcome outcomes[] = {ILB_FAILURE, ILB_CONNECT_ERROR,
                                           ILB_OVERLOAD, ILB_CANCELLED};
    ilb_options o = ILB_OPTIONS_INIT;

    o.consecutive_failures = ILB_NEVER;
    for (uint32_t pods = 2; pods <= PODS; pods += 2)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            test_sim *sim = test_sim_new(pods, 50 * MS_NS, seed, &o);
            /* A cancel is no failure: its pod is not shunned, and it is idle
             * sooner than the others. */
            double most = outcomes[_i] == ILB_CANCELLED ? 0.9 : 0.05;

            sim->pods[0].takes_ns = MS_NS;
            sim->pods[0].outcome = outcomes[_i];
            test_sim_run(sim, 5 * S_NS, 50);
            must_be_within(test_sim_share(sim, 0), 0, most);
            test_sim_free(sim);
        }
}
END_TEST

/* A black hole never answers: the age of what it was sent tells, long before
 * a timeout does, and without any detector's help. */
START_TEST(a_black_hole_is_avoided_before_any_answer)
{
    ilb_options o = ILB_OPTIONS_INIT;

    o.detectors_off = ILB_DETECTOR_BIT(ILB_DETECTOR_HANG);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_sim *sim = warm_sim(PODS, 50 * MS_NS, seed, &o);

        sim->timeout_ns = 60 * S_NS;
        sim->pods[4].hangs = true;
        test_sim_run(sim, S_NS, PER_SECOND);
        /* Its requests in flight alone would let twice as many in ... */
        must_be_within((double)sim->pods[4].n_picked, 1, 4);
        test_sim_forget(sim);
        test_sim_run(sim, 20 * S_NS, PER_SECOND);
        /* ... and one more now and then. */
        must_eq(sim->pods[4].n_picked, 0);
        must(test_stats(sim->b, 4).oldest_ns > 15 * S_NS);
        must_eq(test_stats(sim->b, 4).failures_in_a_row, 0);
        test_sim_free(sim);
    }
}
END_TEST

START_TEST(a_black_hole_is_avoided_from_the_start)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_sim *sim = test_sim_new(PODS, 50 * MS_NS, seed, NULL);

        sim->timeout_ns = 60 * S_NS;
        sim->pods[0].hangs = true;
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within((double)sim->pods[0].n_picked, 0, 5);
        test_sim_free(sim);
    }
}
END_TEST

/* Callers who give up after 30 ms still learn that it does not answer. */
START_TEST(impatient_callers_learn_too)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = warm_sim(PODS, 5 * MS_NS, seed, NULL);

        sim->pods[4].takes_ns = 30 * MS_NS;
        sim->pods[4].outcome = ILB_CANCELLED;
        test_sim_run(sim, S_NS, PER_SECOND);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, 4), 0, 0.05);
        must_eq(test_stats(sim->b, 4).failures_in_a_row, 0);
        must_eq(test_stats(sim->b, 4).ejections, 0);
        test_sim_free(sim);
    }
}
END_TEST

/* ---- What the latency shows -------------------------------------------- */

/* Whatever has been learned, an end that is no success never lowers it. */
START_TEST(only_a_success_lowers_the_latency)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
    uint64_t random = 21;

    o.consecutive_failures = ILB_NEVER;
    for (int round = 0; round < 300; round++) {
        ilb_balancer *b = test_new(&o);

        test_update(b, 0, 3);
        for (int i = 0; i < 60; i++) {
            uint64_t takes_ns = test_random(&random) % (9 * MS_NS);
            ilb_outcome outcome =
                (ilb_outcome)test_below(&random, ILB_OUTCOME_COUNT);
            ilb_ticket t = test_pick(b);
            uint32_t number = test_number(b, &t);
            uint64_t before, after;

            clock.now_ns += test_below(&random, 2) ? takes_ns : US_NS;
            before = test_stats(b, number).latency_ns;
            test_done(b, &t, outcome);
            after = test_stats(b, number).latency_ns;
            must(outcome == ILB_SUCCESS || after >= before);
            /* The next pick works out the median anew, and no failure sooner
             * than 10 ms after: so it is this one end that is looked at. */
            clock.now_ns += (i % 7 == 0 ? 800 : 100) * MS_NS;
        }
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(a_failure_raises_the_share_of_failures_and_it_fades)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
    ilb_balancer *b = test_new(&o);
    uint32_t ppm = 0;

    test_update(b, 0, 1);
    must_eq(test_stats(b, 0).failure_ppm, 0);
    for (int i = 1; i <= 10; i++) {
        (void)test_request(b, &clock, MS_NS,
                           i % 2 ? ILB_FAILURE : ILB_OVERLOAD);
        must(test_stats(b, 0).failure_ppm > ppm);
        ppm = test_stats(b, 0).failure_ppm;
    }
    must_be_within(ppm, 800000, 1000000);
    clock.now_ns += 10 * S_NS;
    must_be_within(test_stats(b, 0).failure_ppm, 0, 50000);
    (void)test_request(b, &clock, MS_NS, ILB_CANCELLED);
    must_be_within(test_stats(b, 0).failure_ppm, 0, 50000);
    ilb_balancer_free(b);
}
END_TEST

/* One failure of a healthy endpoint: no request for a second and a half, but
 * soon its share again. */
START_TEST(one_failure_keeps_it_back_for_a_moment)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_sim *sim = warm_sim(PODS, 5 * MS_NS, seed, NULL);
        uint64_t failed_ns;

        sim->pods[2].outcome = ILB_FAILURE;
        while (test_stats(sim->b, 2).done[ILB_FAILURE] == 0)
            test_sim_run(sim, 5 * MS_NS, PER_SECOND);
        failed_ns = sim->clock.now_ns;
        sim->pods[2].outcome = ILB_SUCCESS;
        test_sim_forget(sim);
        test_sim_run(sim, 1490 * MS_NS, PER_SECOND);
        must_eq(sim->pods[2].n_picked, 0);
        must_eq(test_stats(sim->b, 2).state, ILB_STATE_HEALTHY);
        must_eq(sim->clock.now_ns, failed_ns + 1490 * MS_NS);
        test_sim_run(sim, 5 * S_NS, PER_SECOND);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, 2), 0.6 / PODS, 1.4 / PODS);
        must_eq(test_stats(sim->b, 2).ejections, 0);
        test_sim_free(sim);
    }
}
END_TEST

/* Promise: a healthy endpoint regains its share within seconds of one bad
 * answer, however bad it was. */
START_TEST(one_stall_is_forgotten_in_fifteen_seconds)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = warm_sim(PODS, 5 * MS_NS, seed, NULL);

        sim->pods[3].takes_ns = S_NS;
        test_sim_run(sim, 100 * MS_NS, PER_SECOND);
        sim->pods[3].takes_ns = 5 * MS_NS;
        test_sim_run(sim, 15 * S_NS, PER_SECOND);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, 3), 0.6 / PODS, 1.4 / PODS);
        test_sim_free(sim);
    }
}
END_TEST

Suite *suite_api_score(void)
{
    Suite *s = suite_create("api score");
    TCase *tc = test_case(s, "traffic");

    tcase_add_test(tc, equals_share_equally_under_load);
    tcase_add_test(tc, one_that_turns_ten_times_slower_gets_under_two_percent);
    tcase_add_test(tc, half_of_them_slow);
    tcase_add_loop_test(tc, fast_failures_attract_no_traffic, 0, 3);
    tcase_add_loop_test(tc, fast_failures_attract_no_traffic_from_the_start, 0,
                        4);
    tcase_add_test(tc, a_black_hole_is_avoided_before_any_answer);
    tcase_add_test(tc, a_black_hole_is_avoided_from_the_start);
    tcase_add_test(tc, impatient_callers_learn_too);
    tcase_add_test(tc, one_failure_keeps_it_back_for_a_moment);
    tcase_add_test(tc, one_stall_is_forgotten_in_fifteen_seconds);
    tc = test_case(s, "latency");
    tcase_add_test(tc, only_a_success_lowers_the_latency);
    tcase_add_test(tc, a_failure_raises_the_share_of_failures_and_it_fades);
    return s;
}
