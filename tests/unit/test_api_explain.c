/* SPDX-License-Identifier: MIT */
/* Why this endpoint: picks with their reasons. */
#include "explained.h"
#include "suites.h"

/* ---- Against what is known ---------------------------------------------- */

/* The lowest cost wins; whoever is held back only among such. */
static void the_cheapest_was_chosen(void)
{
    for (uint32_t i = 0; i < test_why.n_candidates; i++) {
        const ilb_candidate *c = &test_why.candidates[i];

        if (c->fate != ILB_FATE_COMPARED)
            continue;
        must(c->cost > 0);
        if (test_choice()->held == ILB_HELD_NOT)
            must(c->held != ILB_HELD_NOT || c->cost >= test_choice()->cost);
        else
            must(c->held != ILB_HELD_NOT);
    }
}

/* A moment after the pick the snapshot says the same of each. */
static void it_is_what_the_snapshot_says(ilb_balancer *b)
{
    for (uint32_t i = 0; i < test_why.n_candidates; i++) {
        const ilb_candidate *c = &test_why.candidates[i];
        ilb_endpoint_stats s = test_stats(b, test_number_of(c->address));

        must_eq(c->in_flight + (i == test_why.chosen), s.in_flight);
        must_be_within(c->load, c->in_flight, c->in_flight);
        must_eq(c->weight, s.weight);
        if (c->again) /* there it is what the oldest waits */
            must(c->latency_ns < s.latency_ns && s.latency_ns >= s.oldest_ns);
        else
            must_eq(c->latency_ns, s.latency_ns);
        must_eq(c->oldest_ns, s.oldest_ns);
        must_be_within(c->failure_ppm, s.failure_ppm, s.failure_ppm + 1);
        if (test_why.chosen_by != ILB_CHOSEN_BY_PROBE)
            must_eq(c->state, s.state);
    }
}

/* Why the choice is a trial, as far as it can be seen from outside. */
static void the_trial_is_true(ilb_balancer *b, const ilb_ticket *t)
{
    ilb_endpoint_stats s = test_stats(b, test_number(b, t));
    uint64_t limit_ns = ilb_ticket_try_timeout_ns(b, t);

    must_eq(test_why.trial != ILB_TRIAL_NOT, limit_ns != 0);
    must_eq(test_why.trial == ILB_TRIAL_PROBE,
            test_why.chosen_by == ILB_CHOSEN_BY_PROBE && limit_ns != 0);
    must(test_why.trial != ILB_TRIAL_AGAIN || test_choice()->again);
    must(test_why.trial != ILB_TRIAL_UNTRIED || s.state == ILB_STATE_WARMING);
    must(test_why.trial != ILB_TRIAL_SUSPECT || s.failures_in_a_row > 0);
    must(test_why.trial != ILB_TRIAL_FAILING || s.failure_ppm > 0);
    must(test_why.trial != ILB_TRIAL_RETURNED || s.ejections > 0);
    must(test_why.trial != ILB_TRIAL_REFUSED || s.done[ILB_OVERLOAD] > 0);
    if (test_why.trial == ILB_TRIAL_RETURNED ||
        test_why.trial == ILB_TRIAL_REFUSED)
        must(limit_ns == UINT64_MAX);
    else
        must(limit_ns != UINT64_MAX || test_why.trial == ILB_TRIAL_UNTRIED);
}

START_TEST(every_pick_of_a_rough_hour_is_explained)
{
    uint32_t by[ILB_CHOSEN_BY_COUNT] = {0}, held[ILB_HELD_COUNT] = {0};
    uint32_t fate[ILB_FATE_COUNT] = {0}, trials[ILB_TRIAL_COUNT] = {0};
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 3);
    ilb_balancer *b;
    ilb_ticket flying[24];
    uint32_t number[24], n = 0;
    uint64_t random = 9;

    o.base_ejection_time_ns = o.max_ejection_time_ns = S_NS;
    b = test_new(&o);
    test_update(b, 0, 5);
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t bad = i / 4000;

        clock.now_ns += 2 * MS_NS;
        if (n == 24 || (n > 0 && test_below(&random, 100) < 48)) {
            uint32_t k = test_below(&random, n);
            bool fails =
                number[k] == bad ? test_below(&random, 10) < 6 : i % 300 == 0;

            test_done(b, &flying[k],
                      fails                                      ? ILB_FAILURE
                      : number[k] == (bad + 1) % 5 && i % 4 == 0 ? ILB_OVERLOAD
                                                                 : ILB_SUCCESS);
            flying[k] = flying[--n];
            number[k] = number[n];
            continue;
        }
        flying[n] = test_explained(b, NULL);
        number[n] = test_number(b, &flying[n]);
        n++;
        must_eq(test_why.time_ns, clock.now_ns);
        must_eq(test_why.policy, ILB_POLICY_PEAK_EWMA);
        must_eq(test_why.n_endpoints, 5);
        must_eq(test_why.width, 5);
        the_trial_is_true(b, &flying[n - 1]);
        trials[test_why.trial]++;
        it_is_what_the_snapshot_says(b);
        if (test_why.chosen_by == ILB_CHOSEN_BY_COST)
            the_cheapest_was_chosen();
        by[test_why.chosen_by]++;
        for (uint32_t k = 0; k < test_why.n_candidates; k++) {
            held[test_why.candidates[k].held]++;
            fate[test_why.candidates[k].fate]++;
        }
    }
    must(by[ILB_CHOSEN_BY_COST] > 5000 && by[ILB_CHOSEN_BY_PROBE] > 5);
    must(fate[ILB_FATE_EJECTED] > 100);
    for (int i = 0; i < ILB_TRIAL_COUNT; i++)
        must(trials[i] > 5 || i == ILB_TRIAL_AGAIN || i == ILB_TRIAL_SLOW);
    for (int i = 0; i < ILB_HELD_COUNT; i++)
        must(held[i] > 5 || i == ILB_HELD_FULL); /* test_api_room.c */
    ilb_balancer_free(b);
}
END_TEST

/* ---- What made the choice ----------------------------------------------- */

START_TEST(the_faster_of_two_wins_and_shows_why)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 1);
    ilb_balancer *b = test_new(&o);
    ilb_ticket t;

    test_update(b, 0, 2);
    for (uint32_t i = 0; i < 100; i++) {
        t = test_pick(b);
        clock.now_ns += test_number(b, &t) == 0 ? 2 * MS_NS : 3 * MS_NS;
        test_done(b, &t, ILB_SUCCESS);
    }
    t = test_explained(b, NULL);
    test_chosen_by(ILB_CHOSEN_BY_COST);
    must_str(test_choice()->address, test_address(0));
    must_eq(test_why.n_candidates, 2);
    must_eq(test_why.looks, 2);
    must_eq(test_why.n_ejected, 0);
    must_eq(test_why.overloaded, 0);
    must_be_within(test_choice()->cost, 1.9e6, 2.1e6);
    must_be_within(test_choice()->latency_ns, 1.9e6, 2.1e6);
    must_be_within(test_candidate(1)->latency_ns, 2.0e6, 3.1e6);
    must_be_within(test_why.median_ns, 1.9e6, 2.1e6);
    must_be_within(test_why.hang_ns, 3 * 1.9e6, 3 * 2.1e6);
    must(test_why.peer_failure_ppm < 3000);
    must_eq(test_candidate(1)->in_flight, 0);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(costs_are_told_without_what_holding_back_adds)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = test_known_pair(&clock);
    ilb_ticket t, held;

    held = test_pick(b);
    clock.now_ns += 20 * MS_NS;
    t = test_explained(b, NULL);
    must_eq(test_candidate(test_number(b, &held))->held, ILB_HELD_HANGING);
    must_be_within(test_candidate(test_number(b, &held))->cost, 39e6, 41e6);
    must_eq(test_candidate(test_number(b, &held))->oldest_ns, 20 * MS_NS);
    must_eq(test_choice()->held, ILB_HELD_NOT);
    must(test_number(b, &t) != test_number(b, &held));
    ilb_balancer_free(b);
}
END_TEST

/* One that waits alone for so long may be a long one: somebody has to ask. */
START_TEST(who_is_asked_again_shows_why)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = test_known_pair(&clock);
    const ilb_candidate *c;
    ilb_ticket t, held;

    held = test_pick(b);
    clock.now_ns += 40 * MS_NS;
    t = test_explained(b, NULL);
    c = test_candidate(test_number(b, &held));
    must_eq(c->held, ILB_HELD_NOT);
    must_eq(c->again, 1);
    must_eq(c->oldest_ns, 40 * MS_NS);
    must_eq(c->in_flight, 1);
    must_be_within(c->latency_ns, 1.99e6, 2.01e6);
    must_be_within(c->cost, 1.99e6, 2.01e6);
    must_eq(test_choice()->again, test_number(b, &t) == test_number(b, &held));
    it_is_what_the_snapshot_says(b);
    for (int i = 0; i < 100 && test_why.trial == ILB_TRIAL_NOT; i++) {
        must(test_number(b, &t) != test_number(b, &held));
        test_done(b, &t, ILB_CANCELLED);
        t = test_explained(b, NULL);
    }
    must_eq(test_number(b, &t), test_number(b, &held));
    must_eq(test_why.trial, ILB_TRIAL_AGAIN);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

/* Other requests go on, to number 0, as fast as ever. */
static void others_go_on(ilb_balancer *b, test_clock *clock, uint32_t n)
{
    while (n > 0) {
        ilb_ticket t = test_pick(b);
        bool it = test_number(b, &t) == 0;

        clock->now_ns += 20 * MS_NS;
        test_done(b, &t, it ? ILB_SUCCESS : ILB_CANCELLED);
        n -= it;
    }
}

/* A hundred times as long, again and again, after it had been forgotten. */
START_TEST(a_slow_one_is_a_trial)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 1);
    ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
    ilb_balancer *b = test_new(&o);
    ilb_ticket t, other;

    test_update(b, 0, 2);
    for (uint32_t i = 0; i < 100; i++)
        (void)test_request(b, &clock, 20 * MS_NS, ILB_SUCCESS);
    for (int i = 0; i < 6; i++) {
        other = test_pick(b);
        while (test_number(b, &other) != 0) {
            test_done(b, &other, ILB_CANCELLED);
            others_go_on(b, &clock, 1);
            other = test_pick(b);
        }
        p.exclude = &other;
        p.n_exclude = 1;
        t = test_explained(b, &p);
        must_eq(test_number(b, &t), 1);
        must_eq(test_why.trial == ILB_TRIAL_SLOW, i >= 3);
        clock.now_ns += 20 * MS_NS;
        test_done(b, &other, ILB_SUCCESS);
        clock.now_ns += 1980 * MS_NS;
        test_done(b, &t, ILB_SUCCESS);
        others_go_on(b, &clock, 5000);
    }
    ilb_balancer_free(b);
}
END_TEST

/* What passed in a leap of the clock is no wait. */
START_TEST(a_clock_that_jumped_makes_no_request_old)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = test_known_pair(&clock);
    ilb_ticket t, held;

    held = test_pick(b);
    clock.now_ns += 3600 * S_NS;
    t = test_explained(b, NULL);
    test_done(b, &t, ILB_SUCCESS);
    clock.now_ns += MS_NS;
    t = test_explained(b, NULL);
    must(test_candidate(test_number(b, &held))->oldest_ns <= MS_NS);
    it_is_what_the_snapshot_says(b);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(what_is_in_flight_is_told_by_number_and_by_cost)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 1);
    ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
    ilb_balancer *b = test_new(&o);
    ilb_ticket t, dear;

    test_update(b, 0, 1);
    for (uint32_t i = 0; i < 20; i++)
        (void)test_request(b, &clock, 2 * MS_NS, ILB_SUCCESS);
    p.cost = 7.5;
    must_eq(ilb_pick(b, &dear, &p), ILB_OK);
    t = test_explained(b, NULL);
    must_eq(test_choice()->in_flight, 1);
    must_be_within(test_choice()->load, 7.5, 7.5);
    must_be_within(test_choice()->cost, 8.5 * 1.99e6, 8.5 * 2.01e6);
    test_done(b, &t, ILB_SUCCESS);
    test_done(b, &dear, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(policies_without_a_cost_say_so)
{
    for (int p = ILB_POLICY_LEAST_REQUEST; p <= ILB_POLICY_RANDOM; p++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_options o = test_options(&clock, (ilb_policy)p, 1);
        ilb_balancer *b = test_new(&o);
        ilb_ticket t, first;

        test_update(b, 0, 3);
        first = test_pick(b);
        for (uint32_t i = 0; i < 9; i++) {
            t = test_explained(b, NULL);
            must_eq(test_why.policy, p);
            test_chosen_by(p == ILB_POLICY_LEAST_REQUEST ? ILB_CHOSEN_BY_COST
                           : p == ILB_POLICY_ROUND_ROBIN
                               ? ILB_CHOSEN_BY_TURN
                               : ILB_CHOSEN_BY_CHANCE);
            must_eq(test_why.n_candidates,
                    p == ILB_POLICY_LEAST_REQUEST ? 2 : 1);
            must_eq(test_why.looks, test_why.n_candidates);
            must_be_within(test_choice()->cost, 0,
                           p == ILB_POLICY_LEAST_REQUEST ? 1 : 0);
            must_eq(test_choice()->fate, ILB_FATE_COMPARED);
            test_done(b, &t, ILB_SUCCESS);
        }
        test_done(b, &first, ILB_SUCCESS);
        ilb_balancer_free(b);
    }
}
END_TEST

/* An explained pick goes the whole way, an ordinary one the short way of
 * select/quick.h where it may: with the same random bits they choose the same,
 * also while one fails. */
START_TEST(the_short_way_chooses_as_the_whole_does)
{
    enum {
        IN_FLIGHT = 8,
        PICKS = 400
    };

    for (uint64_t seed = 1; seed <= 100; seed++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, seed);
        ilb_balancer *quick = test_new(&o), *whole = test_new(&o);
        ilb_ticket a[IN_FLIGHT], b[IN_FLIGHT];
        uint64_t random = seed;
        ilb_explanation x;

        test_update(quick, 0, 6);
        test_update(whole, 0, 6);
        for (int i = 0; i < PICKS; i++) {
            int k = i % IN_FLIGHT;

            clock.now_ns += test_below(&random, 3000000);
            if (i >= IN_FLIGHT) {
                bool bad = test_number(quick, &a[k]) == 0 && i > PICKS / 2;
                ilb_outcome how = bad ? ILB_FAILURE : ILB_SUCCESS;

                test_done(quick, &a[k], how);
                test_done(whole, &b[k], how);
            }
            must_eq(ilb_pick(quick, &a[k], NULL), ILB_OK);
            must_eq(ilb_pick_explained(whole, &b[k], NULL, &x, sizeof x),
                    ILB_OK);
            must_eq(test_number(quick, &a[k]), test_number(whole, &b[k]));
        }
        must(test_stats(quick, 0).done[ILB_FAILURE] > 0);
        ilb_balancer_free(quick);
        ilb_balancer_free(whole);
    }
}
END_TEST

Suite *suite_api_explain(void)
{
    Suite *s = suite_create("api explain");
    TCase *tc = test_case(s, "explain");

    tcase_add_test(tc, every_pick_of_a_rough_hour_is_explained);
    tcase_add_test(tc, the_faster_of_two_wins_and_shows_why);
    tcase_add_test(tc, costs_are_told_without_what_holding_back_adds);
    tcase_add_test(tc, who_is_asked_again_shows_why);
    tcase_add_test(tc, a_slow_one_is_a_trial);
    tcase_add_test(tc, a_clock_that_jumped_makes_no_request_old);
    tcase_add_test(tc, what_is_in_flight_is_told_by_number_and_by_cost);
    tcase_add_test(tc, policies_without_a_cost_say_so);
    tcase_add_test(tc, the_short_way_chooses_as_the_whole_does);
    return s;
}
