/* SPDX-License-Identifier: MIT */
/* New endpoints neither flood nor starve; and the first byte. */
#include "suites.h"
#include "util.h"

#define PODS 6
#define PER_SECOND 200

/* The seventh pod joins a warm set under load and takes `takes_ns`. */
static test_sim *joined(uint64_t seed, uint64_t takes_ns)
{
    test_sim *sim = test_sim_new(PODS, 50 * MS_NS, seed, NULL);

    test_sim_run(sim, 5 * S_NS, PER_SECOND);
    sim->pods[PODS].takes_ns = takes_ns;
    sim->n_pods = PODS + 1;
    test_update(sim->b, 0, PODS + 1);
    test_sim_forget(sim);
    return sim;
}

START_TEST(a_newcomer_has_one_request_until_its_first_answer)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_sim *sim = joined(seed, 2 * S_NS - S_NS / 2);

        test_sim_run(sim, S_NS, PER_SECOND);
        /* The cap is a preference: it may lose a race of draws, not a run. */
        must_be_within(sim->pods[PODS].in_flight_max, 1, 2);
        test_sim_free(sim);
    }
}
END_TEST

START_TEST(a_newcomer_comes_to_its_share)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_sim *sim = joined(seed, 50 * MS_NS);

        test_sim_run(sim, 2 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, PODS), 0.3 / (PODS + 1),
                       1.5 / (PODS + 1));
        must_eq(test_stats(sim->b, PODS).state, ILB_STATE_HEALTHY);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, PODS), 0.7 / (PODS + 1),
                       1.3 / (PODS + 1));
        test_sim_free(sim);
    }
}
END_TEST

START_TEST(a_newcomer_starts_at_its_peers_median)
{
    test_sim *sim = joined(1, 50 * MS_NS);

    must_be_within(test_stats(sim->b, PODS).latency_ns, 35 * MS_NS, 65 * MS_NS);
    must_eq(test_stats(sim->b, PODS).state, ILB_STATE_WARMING);
    test_sim_free(sim);
}
END_TEST

/* Its caches are cold: ten times slower at first. */
START_TEST(a_cold_newcomer_gets_little)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = joined(seed, 500 * MS_NS);

        test_sim_run(sim, 5 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, PODS), 0.0001, 0.02);
        test_sim_free(sim);
    }
}
END_TEST

/* A whole set of strangers at once: nobody is flooded while others idle. */
START_TEST(a_burst_to_strangers_is_spread)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, seed);
        ilb_balancer *b = test_new(&o);
        ilb_endpoint_stats stats[10];

        test_update(b, 0, 10);
        for (int i = 0; i < 100; i++) {
            (void)test_pick(b);
            clock.now_ns += MS_NS;
        }
        must_eq(test_snapshot(b, stats, 10), 10);
        for (int i = 0; i < 10; i++)
            must_be_within(stats[i].in_flight, 3, 30);
        ilb_balancer_free(b);
    }
}
END_TEST

/* ---- The first byte ---------------------------------------------------- */

START_TEST(latency_is_the_time_to_the_first_byte)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 1);
    for (int i = 0; i < 30; i++) {
        ilb_ticket t = test_pick(b);

        clock.now_ns += 10 * MS_NS;
        must_eq(ilb_first_byte(b, &t, 0), ILB_OK);
        must_eq(test_stats(b, 0).in_flight, 1);
        /* Later calls change nothing. */
        clock.now_ns += 300 * MS_NS;
        must_eq(ilb_first_byte(b, &t, 0), ILB_OK);
        clock.now_ns += 300 * MS_NS;
        test_done(b, &t, ILB_SUCCESS);
        must_be_within(test_stats(b, 0).latency_ns, 9.9 * MS_NS, 10.1 * MS_NS);
    }
    ilb_balancer_free(b);
}
END_TEST

START_TEST(the_callers_time_counts)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
    ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
    ilb_result r = ILB_RESULT_INIT;
    ilb_balancer *b = test_new(&o);
    ilb_ticket t;

    test_update(b, 0, 1);
    p.now_ns = clock.now_ns + S_NS;
    must_eq(ilb_pick(b, &t, &p), ILB_OK);
    r.now_ns = p.now_ns + 7 * MS_NS;
    must_eq(ilb_done_with(b, &t, &r), ILB_OK);
    clock.now_ns = r.now_ns;
    must_be_within(test_stats(b, 0).latency_ns, 6.99 * MS_NS, 7.01 * MS_NS);
    p.now_ns = clock.now_ns;
    must_eq(ilb_pick(b, &t, &p), ILB_OK);
    must_eq(ilb_first_byte(b, &t, p.now_ns + 7 * MS_NS), ILB_OK);
    r.now_ns = p.now_ns + 900 * MS_NS;
    must_eq(ilb_done_with(b, &t, &r), ILB_OK);
    clock.now_ns = r.now_ns;
    must_be_within(test_stats(b, 0).latency_ns, 6.99 * MS_NS, 7.01 * MS_NS);
    ilb_balancer_free(b);
}
END_TEST

/* An answer that has begun is not silence: a download that goes on for a
 * minute says nothing against its endpoint. */
START_TEST(a_long_stream_does_not_look_like_silence)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = test_sim_new(3, 20 * MS_NS, seed, NULL);
        uint32_t number;
        ilb_ticket t;

        test_sim_run(sim, 5 * S_NS, PER_SECOND);
        t = test_pick(sim->b);
        number = test_number(sim->b, &t);
        sim->clock.now_ns += 20 * MS_NS;
        must_eq(ilb_first_byte(sim->b, &t, 0), ILB_OK);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within(test_stats(sim->b, number).oldest_ns, 0, S_NS);
        must_be_within(test_sim_share(sim, number), 0.05, 0.5);
        test_done(sim->b, &t, ILB_SUCCESS);
        test_sim_finish(sim);
        must_eq(test_stats(sim->b, number).in_flight, 0);
        test_sim_free(sim);
    }
}
END_TEST

Suite *suite_api_newcomer(void)
{
    Suite *s = suite_create("api newcomer");
    TCase *tc = test_case(s, "newcomer");

    tcase_add_test(tc, a_newcomer_has_one_request_until_its_first_answer);
    tcase_add_test(tc, a_newcomer_comes_to_its_share);
    tcase_add_test(tc, a_newcomer_starts_at_its_peers_median);
    tcase_add_test(tc, a_cold_newcomer_gets_little);
    tcase_add_test(tc, a_burst_to_strangers_is_spread);
    tc = test_case(s, "first byte");
    tcase_add_test(tc, latency_is_the_time_to_the_first_byte);
    tcase_add_test(tc, the_callers_time_counts);
    tcase_add_test(tc, a_long_stream_does_not_look_like_silence);
    return s;
}
