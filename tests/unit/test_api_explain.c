/* SPDX-License-Identifier: MIT */
/* Why this endpoint: picks with their reasons. */
#include "suites.h"
#include "util.h"

static ilb_explanation why;

/* A pick whose explanation is of this ticket. */
static ilb_ticket explained(ilb_balancer *b, const ilb_pick_options *options)
{
    ilb_ticket t;

    memset(&why, 0xee, sizeof why);
    must_eq(ilb_pick_explained(b, &t, options, &why, sizeof why), ILB_OK);
    must_eq(why.size, sizeof why);
    must(why.n_candidates >= 1 && why.n_candidates <= ILB_CANDIDATES_MAX);
    must(why.chosen < why.n_candidates);
    must(why.looks >= why.n_candidates || why.looks >= ILB_CANDIDATES_MAX);
    must_str(why.candidates[why.chosen].address, ilb_ticket_address(b, &t));
    must_eq(why.candidates[why.chosen].fate, ILB_FATE_COMPARED);
    for (uint32_t i = 0; i < why.n_candidates; i++) {
        const ilb_candidate *c = &why.candidates[i];

        /* Who is ejected and may be taken has a reason, and only such have. */
        must_eq(c->admitted != ILB_ADMITTED_NOT,
                c->fate == ILB_FATE_COMPARED &&
                    (c->state == ILB_STATE_EJECTED ||
                     c->state == ILB_STATE_PROBING));
        must(c->admitted != ILB_ADMITTED_PANIC || why.panic);
        must(c->admitted != ILB_ADMITTED_ROOM || why.room > 0);
        must(c->admitted != ILB_ADMITTED_OVERLOAD || why.overloaded);
    }
    must(why.room <= 0 || why.overloaded);
    return t;
}

static const ilb_candidate *candidate(uint32_t number)
{
    for (uint32_t i = 0; i < why.n_candidates; i++)
        if (strcmp(why.candidates[i].address, test_address(number)) == 0)
            return &why.candidates[i];
    return NULL;
}

static const ilb_candidate *choice(void)
{
    return &why.candidates[why.chosen];
}

static void chosen_by(ilb_chosen_by by)
{
    must_str(ilb_chosen_by_name(why.chosen_by), ilb_chosen_by_name(by));
}

/* ---- Against what is known ---------------------------------------------- */

/* The lowest cost wins; whoever is held back only among such. */
static void the_cheapest_was_chosen(void)
{
    for (uint32_t i = 0; i < why.n_candidates; i++) {
        const ilb_candidate *c = &why.candidates[i];

        if (c->fate != ILB_FATE_COMPARED)
            continue;
        must(c->cost > 0);
        if (choice()->held == ILB_HELD_NOT)
            must(c->held != ILB_HELD_NOT || c->cost >= choice()->cost);
        else
            must(c->held != ILB_HELD_NOT);
    }
}

/* A moment after the pick the snapshot says the same of each. */
static void it_is_what_the_snapshot_says(ilb_balancer *b)
{
    for (uint32_t i = 0; i < why.n_candidates; i++) {
        const ilb_candidate *c = &why.candidates[i];
        ilb_endpoint_stats s = test_stats(b, test_number_of(c->address));

        must_eq(c->in_flight + (i == why.chosen), s.in_flight);
        must_be_within(c->load, c->in_flight, c->in_flight);
        must_eq(c->weight, s.weight);
        if (c->again) /* there it is what the oldest waits */
            must(c->latency_ns < s.latency_ns && s.latency_ns >= s.oldest_ns);
        else
            must_eq(c->latency_ns, s.latency_ns);
        must_eq(c->oldest_ns, s.oldest_ns);
        must_be_within(c->failure_ppm, s.failure_ppm, s.failure_ppm + 1);
        if (why.chosen_by != ILB_CHOSEN_BY_PROBE)
            must_eq(c->state, s.state);
    }
}

/* Why the choice is a trial, as far as it can be seen from outside. */
static void the_trial_is_true(ilb_balancer *b, const ilb_ticket *t)
{
    ilb_endpoint_stats s = test_stats(b, test_number(b, t));
    uint64_t limit_ns = ilb_ticket_try_timeout_ns(b, t);

    must_eq(why.trial != ILB_TRIAL_NOT, limit_ns != 0);
    must_eq(why.trial == ILB_TRIAL_PROBE,
            why.chosen_by == ILB_CHOSEN_BY_PROBE && limit_ns != 0);
    must(why.trial != ILB_TRIAL_AGAIN || choice()->again);
    must(why.trial != ILB_TRIAL_UNTRIED || s.state == ILB_STATE_WARMING);
    must(why.trial != ILB_TRIAL_SUSPECT || s.failures_in_a_row > 0);
    must(why.trial != ILB_TRIAL_FAILING || s.failure_ppm > 0);
    must(why.trial != ILB_TRIAL_RETURNED || s.ejections > 0);
    must(why.trial != ILB_TRIAL_REFUSED || s.done[ILB_OVERLOAD] > 0);
    if (why.trial == ILB_TRIAL_RETURNED || why.trial == ILB_TRIAL_REFUSED)
        must(limit_ns == UINT64_MAX);
    else
        must(limit_ns != UINT64_MAX || why.trial == ILB_TRIAL_UNTRIED);
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
        flying[n] = explained(b, NULL);
        number[n] = test_number(b, &flying[n]);
        n++;
        must_eq(why.time_ns, clock.now_ns);
        must_eq(why.policy, ILB_POLICY_PEAK_EWMA);
        must_eq(why.n_endpoints, 5);
        must_eq(why.width, 5);
        the_trial_is_true(b, &flying[n - 1]);
        trials[why.trial]++;
        it_is_what_the_snapshot_says(b);
        if (why.chosen_by == ILB_CHOSEN_BY_COST)
            the_cheapest_was_chosen();
        by[why.chosen_by]++;
        for (uint32_t k = 0; k < why.n_candidates; k++) {
            held[why.candidates[k].held]++;
            fate[why.candidates[k].fate]++;
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
    t = explained(b, NULL);
    chosen_by(ILB_CHOSEN_BY_COST);
    must_str(choice()->address, test_address(0));
    must_eq(why.n_candidates, 2);
    must_eq(why.looks, 2);
    must_eq(why.n_ejected, 0);
    must_eq(why.overloaded, 0);
    must_be_within(choice()->cost, 1.9e6, 2.1e6);
    must_be_within(choice()->latency_ns, 1.9e6, 2.1e6);
    must_be_within(candidate(1)->latency_ns, 2.0e6, 3.1e6);
    must_be_within(why.median_ns, 1.9e6, 2.1e6);
    must_be_within(why.hang_ns, 3 * 1.9e6, 3 * 2.1e6);
    must(why.peer_failure_ppm < 3000);
    must_eq(candidate(1)->in_flight, 0);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(costs_are_told_without_what_holding_back_adds)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 1);
    ilb_balancer *b = test_new(&o);
    ilb_ticket t, held;

    test_update(b, 0, 2);
    for (uint32_t i = 0; i < 100; i++)
        (void)test_request(b, &clock, 2 * MS_NS, ILB_SUCCESS);
    held = test_pick(b);
    clock.now_ns += 20 * MS_NS;
    t = explained(b, NULL);
    must_eq(candidate(test_number(b, &held))->held, ILB_HELD_HANGING);
    must_be_within(candidate(test_number(b, &held))->cost, 39e6, 41e6);
    must_eq(candidate(test_number(b, &held))->oldest_ns, 20 * MS_NS);
    must_eq(choice()->held, ILB_HELD_NOT);
    must(test_number(b, &t) != test_number(b, &held));
    ilb_balancer_free(b);
}
END_TEST

/* One that waits alone for so long may be a long one: somebody has to ask. */
START_TEST(who_is_asked_again_shows_why)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 1);
    ilb_balancer *b = test_new(&o);
    const ilb_candidate *c;
    ilb_ticket t, held;

    test_update(b, 0, 2);
    for (uint32_t i = 0; i < 100; i++)
        (void)test_request(b, &clock, 2 * MS_NS, ILB_SUCCESS);
    held = test_pick(b);
    clock.now_ns += 40 * MS_NS;
    t = explained(b, NULL);
    c = candidate(test_number(b, &held));
    must_eq(c->held, ILB_HELD_NOT);
    must_eq(c->again, 1);
    must_eq(c->oldest_ns, 40 * MS_NS);
    must_eq(c->in_flight, 1);
    must_be_within(c->latency_ns, 1.99e6, 2.01e6);
    must_be_within(c->cost, 1.99e6, 2.01e6);
    must_eq(choice()->again, test_number(b, &t) == test_number(b, &held));
    it_is_what_the_snapshot_says(b);
    for (int i = 0; i < 100 && why.trial == ILB_TRIAL_NOT; i++) {
        must(test_number(b, &t) != test_number(b, &held));
        test_done(b, &t, ILB_CANCELLED);
        t = explained(b, NULL);
    }
    must_eq(test_number(b, &t), test_number(b, &held));
    must_eq(why.trial, ILB_TRIAL_AGAIN);
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
        t = explained(b, &p);
        must_eq(test_number(b, &t), 1);
        must_eq(why.trial == ILB_TRIAL_SLOW, i >= 3);
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
    ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 1);
    ilb_balancer *b = test_new(&o);
    ilb_ticket t, held;

    test_update(b, 0, 2);
    for (uint32_t i = 0; i < 100; i++)
        (void)test_request(b, &clock, 2 * MS_NS, ILB_SUCCESS);
    held = test_pick(b);
    clock.now_ns += 3600 * S_NS;
    t = explained(b, NULL);
    test_done(b, &t, ILB_SUCCESS);
    clock.now_ns += MS_NS;
    t = explained(b, NULL);
    must(candidate(test_number(b, &held))->oldest_ns <= MS_NS);
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
    t = explained(b, NULL);
    must_eq(choice()->in_flight, 1);
    must_be_within(choice()->load, 7.5, 7.5);
    must_be_within(choice()->cost, 8.5 * 1.99e6, 8.5 * 2.01e6);
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
            t = explained(b, NULL);
            must_eq(why.policy, p);
            chosen_by(p == ILB_POLICY_LEAST_REQUEST ? ILB_CHOSEN_BY_COST
                      : p == ILB_POLICY_ROUND_ROBIN ? ILB_CHOSEN_BY_TURN
                                                    : ILB_CHOSEN_BY_CHANCE);
            must_eq(why.n_candidates, p == ILB_POLICY_LEAST_REQUEST ? 2 : 1);
            must_eq(why.looks, why.n_candidates);
            must_be_within(choice()->cost, 0,
                           p == ILB_POLICY_LEAST_REQUEST ? 1 : 0);
            must_eq(choice()->fate, ILB_FATE_COMPARED);
            test_done(b, &t, ILB_SUCCESS);
        }
        test_done(b, &first, ILB_SUCCESS);
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(a_probe_says_that_it_is_one)
{
    test_ejected *f = test_ejected_new(3, 1);
    ilb_ticket t;

    for (uint32_t i = 0; i < 20; i++) {
        t = explained(f->b, NULL);
        chosen_by(ILB_CHOSEN_BY_CHANCE);
        must_eq(why.n_ejected, 1);
        must(candidate(1) == NULL || candidate(1)->fate == ILB_FATE_EJECTED);
        test_done(f->b, &t, ILB_SUCCESS);
    }
    f->clock.now_ns = test_stats(f->b, 1).ejected_until_ns;
    t = explained(f->b, NULL);
    must_eq(test_number(f->b, &t), 1);
    chosen_by(ILB_CHOSEN_BY_PROBE);
    must_eq(choice()->admitted, ILB_ADMITTED_PROBE);
    must_eq(why.looks, 1);
    must_eq(choice()->state, ILB_STATE_EJECTED);
    test_ejected_free(f);
}
END_TEST

START_TEST(who_is_excluded_is_told)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 1);
    ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
    ilb_balancer *b = test_new(&o);
    ilb_ticket first, t;

    test_update(b, 0, 2);
    first = test_pick(b);
    p.exclude = &first;
    p.n_exclude = 1;
    t = explained(b, &p);
    must_eq(why.n_candidates, 2);
    must_eq(candidate(test_number(b, &first))->fate, ILB_FATE_EXCLUDED);
    must_eq(choice()->fate, ILB_FATE_COMPARED);
    must(test_number(b, &t) != test_number(b, &first));
    ilb_balancer_free(b);
}
END_TEST

START_TEST(fail_open_is_told)
{
    test_ejected *f = test_ejected_new(2, 1);
    ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
    ilb_ticket other = test_pick(f->b), t;

    must_eq(test_number(f->b, &other), 0);
    p.exclude = &other;
    p.n_exclude = 1;
    t = explained(f->b, &p);
    must_eq(test_number(f->b, &t), 1);
    chosen_by(ILB_CHOSEN_BY_FAIL_OPEN);
    must_eq(choice()->state, ILB_STATE_EJECTED);
    must_eq(choice()->fate, ILB_FATE_COMPARED);
    must_eq(choice()->admitted, ILB_ADMITTED_LAST);
    must_eq(why.panic, 0);
    must(choice()->failure_ppm > 0);
    test_ejected_free(f);
}
END_TEST

/* 200 endpoints of which few can be taken: draws may miss them all. */
START_TEST(a_search_is_told)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    uint32_t searched = 0, full = 0;
    ilb_balancer *b;

    o.base_ejection_time_ns = o.max_ejection_time_ns = 1000 * S_NS;
    b = test_new(&o);
    test_update(b, 0, 200);
    for (uint32_t i = 0; i < 20000; i++) {
        ilb_ticket t = test_pick(b);
        uint32_t number = test_number(b, &t);

        clock.now_ns += 100 * US_NS;
        test_done(b, &t,
                  number >= 2 && i > 2000 + 90 * number ? ILB_FAILURE
                                                        : ILB_SUCCESS);
    }
    for (uint32_t i = 0; i < 300; i++) {
        ilb_ticket t = explained(b, NULL);

        must(choice()->state == ILB_STATE_HEALTHY);
        must_eq(choice()->fate, ILB_FATE_COMPARED);
        if (why.chosen_by == ILB_CHOSEN_BY_SEARCH) {
            searched++;
            must(why.looks > ILB_CANDIDATES_MAX);
            full += why.n_candidates == ILB_CANDIDATES_MAX;
            must(choice()->cost > 0);
        } else {
            chosen_by(ILB_CHOSEN_BY_CHANCE);
        }
        test_done(b, &t, ILB_SUCCESS);
    }
    must(searched > 10 && full > 10);
    ilb_balancer_free(b);
}
END_TEST

/* Two of four are ejected by a failure each, and that is a panic. */
static ilb_balancer *panicking(test_clock *clock, ilb_policy policy)
{
    ilb_options o = test_options(clock, policy, 1);
    ilb_balancer *b;

    o.consecutive_failures = 1;
    o.panic_threshold_percent = 75;
    b = test_new(&o);
    test_update(b, 0, 4);
    while (test_stats(b, 0).state != ILB_STATE_EJECTED ||
           test_stats(b, 1).state != ILB_STATE_EJECTED) {
        ilb_ticket t = test_pick(b);

        clock->now_ns += US_NS;
        test_done(b, &t, test_number(b, &t) < 2 ? ILB_FAILURE : ILB_SUCCESS);
    }
    return b;
}

/* Whatever was looked at could be taken: so the first was, without a cost. */
START_TEST(in_a_panic_each_look_is_told)
{
    static const ilb_policy policies[] = {ILB_POLICY_RANDOM,
                                          ILB_POLICY_ROUND_ROBIN};

    for (int p = 0; p < 2; p++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_balancer *b = panicking(&clock, policies[p]);
        uint32_t open = 0;

        for (int i = 0; i < 200; i++) {
            ilb_ticket t = explained(b, NULL);

            must_eq(why.looks, 1);
            must_eq(why.panic, 1);
            must_eq(why.n_ejected, 2);
            must_eq(why.n_candidates, 1);
            must_eq(choice()->fate, ILB_FATE_COMPARED);
            must(choice()->cost == 0);
            open += why.chosen_by == ILB_CHOSEN_BY_FAIL_OPEN;
            test_done(b, &t, ILB_CANCELLED);
        }
        must_be_within(open, 60, 140);
        ilb_balancer_free(b);
    }
}
END_TEST

/* Passed over at one look for its slow start, taken at the next. */
START_TEST(the_choice_is_never_one_that_was_passed_over)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    uint32_t again = 0;
    ilb_balancer *b;

    o.slow_start_ns = 100 * S_NS;
    b = test_new(&o);
    test_update(b, 0, 1);
    test_update(b, 1, 2);
    for (int i = 0; i < 300; i++) {
        ilb_ticket t = explained(b, NULL);

        must_eq(choice()->fate, ILB_FATE_COMPARED);
        must(why.looks >= why.n_candidates);
        again += why.looks > why.n_candidates;
        test_done(b, &t, ILB_SUCCESS);
    }
    must(again > 100);
    ilb_balancer_free(b);
}
END_TEST

/* The search sees ejected ones as well; where one may be taken that is not
 * ejected, they are not compared. */
START_TEST(a_search_passes_over_who_is_ejected)
{
    for (int mode = ILB_FAIL_OPEN; mode <= ILB_FAIL_CLOSED; mode++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
        uint32_t searched = 0;
        ilb_balancer *b;

        o.consecutive_failures = 1;
        o.fail_mode = (ilb_fail_mode)mode;
        o.base_ejection_time_ns = o.max_ejection_time_ns = 1000 * S_NS;
        b = test_new(&o);
        test_update(b, 0, 250);
        for (uint32_t i = 0; i < 20000; i++) {
            ilb_ticket t = test_pick(b);

            clock.now_ns += US_NS;
            test_done(b, &t,
                      test_number(b, &t) > 0 ? ILB_FAILURE : ILB_SUCCESS);
            if (i > 2000 && test_stats(b, 1).state == ILB_STATE_EJECTED)
                break;
        }
        for (uint32_t i = 0; i < 300; i++) {
            ilb_ticket t = explained(b, NULL);

            if (why.chosen_by == ILB_CHOSEN_BY_SEARCH) {
                searched++;
                must_eq(why.looks, 64 + 250);
            }
            for (uint32_t k = 0; k < why.n_candidates; k++) {
                const ilb_candidate *c = &why.candidates[k];

                must_eq(c->fate, c->state == ILB_STATE_EJECTED
                                     ? ILB_FATE_EJECTED
                                     : ILB_FATE_COMPARED);
                must_eq(c->cost > 0, c->fate == ILB_FATE_COMPARED &&
                                         why.chosen_by == ILB_CHOSEN_BY_SEARCH);
            }
            test_done(b, &t, ILB_SUCCESS);
        }
        must(searched > 10);
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(the_width_of_an_aperture_is_told)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 1);
    ilb_balancer *b = test_new(&o);
    ilb_ticket t;

    test_update(b, 0, 100);
    for (uint32_t i = 0; i < 200; i++)
        (void)test_request(b, &clock, 100 * MS_NS, ILB_SUCCESS);
    t = explained(b, NULL);
    must_eq(why.n_endpoints, 100);
    must_be_within(why.width, 12, 20);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(an_endpoint_with_too_many_in_flight_is_told)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_ROUND_ROBIN, 1);
    ilb_balancer *b = test_new(&o);
    bool full = false;

    test_update(b, 0, 1);
    for (uint32_t i = 0; i < 32768; i++)
        (void)test_pick(b);
    test_update(b, 0, 2);
    for (uint32_t i = 0; i < 4; i++) {
        (void)explained(b, NULL);
        must_str(choice()->address, test_address(1));
        full = full ||
               (candidate(0) != NULL && candidate(0)->fate == ILB_FATE_FULL &&
                candidate(0)->in_flight == 32768);
    }
    must(full);
    ilb_balancer_free(b);
}
END_TEST

/* ---- Arguments and text -------------------------------------------------- */

START_TEST(what_is_refused_writes_nothing)
{
    ilb_balancer *b = test_new(NULL);
    ilb_explanation before;
    ilb_ticket t, t_before;

    memset(&why, 0x5a, sizeof why);
    memset(&t, 0x5a, sizeof t);
    before = why;
    t_before = t;
    must_eq(ilb_pick_explained(b, &t, NULL, &why, sizeof why), ILB_EEMPTY);
    test_update(b, 0, 1);
    must_eq(ilb_pick_explained(NULL, &t, NULL, &why, sizeof why), ILB_EINVAL);
    must_eq(ilb_pick_explained(b, NULL, NULL, &why, sizeof why), ILB_EINVAL);
    must_eq(ilb_pick_explained(b, &t, NULL, NULL, sizeof why), ILB_EINVAL);
    must_eq(ilb_pick_explained(b, &t, NULL, &why, 0), ILB_EABI);
    must_eq(ilb_pick_explained(b, &t, NULL, &why, sizeof why - 1), ILB_EABI);
    must_eq(ilb_pick_explained(b, &t, NULL, &why, sizeof why + 8), ILB_EABI);
    must(memcmp(&why, &before, sizeof why) == 0);
    must(memcmp(&t, &t_before, sizeof t) == 0);
    must_eq(test_stats(b, 0).in_flight, 0);
    ilb_balancer_free(b);
}
END_TEST

static void made_up(void)
{
    ilb_candidate *c = why.candidates;

    memset(&why, 0, sizeof why);
    why.size = sizeof why;
    why.policy = ILB_POLICY_PEAK_EWMA;
    why.n_endpoints = 3;
    why.width = 3;
    why.n_candidates = 2;
    memcpy(c[0].address, "10.0.0.2:80", 12);
    c[0].state = ILB_STATE_HEALTHY;
    c[0].cost = 2.1e6;
    c[0].latency_ns = 2100000;
    memcpy(c[1].address, "10.0.0.1:80", 12);
    c[1].state = ILB_STATE_WARMING;
    c[1].cost = 6.3e6;
    c[1].latency_ns = 2100000;
    c[1].in_flight = 2;
    c[1].load = 2;
    c[1].failure_ppm = 200000;
    c[1].held = ILB_HELD_CAP;
}

static void reads(const char *want)
{
    static char buf[ILB_EXPLANATION_TEXT_MAX];

    must_eq(ilb_explanation_text(&why, buf, sizeof buf), strlen(want));
    must_str(buf, want);
}

START_TEST(as_text)
{
    made_up();
    reads("10.0.0.2:80 by cost, looked at 2 of 3: 10.0.0.2:80 healthy, cost "
          "2.1 ms, latency 2.1 ms, 0 in flight; 10.0.0.1:80 warming, cost "
          "6.3 ms, latency 2.1 ms, 2 in flight, 20.0 % failed, held back: cap");
    why.width = 12;
    why.n_endpoints = 200;
    why.n_ejected = 5;
    why.overloaded = 1;
    why.policy = ILB_POLICY_LEAST_REQUEST;
    why.chosen = 1;
    why.chosen_by = ILB_CHOSEN_BY_SEARCH;
    why.candidates[0].cost = 0;
    why.candidates[0].latency_ns = 0;
    why.candidates[0].state = ILB_STATE_EJECTED;
    why.candidates[0].fate = ILB_FATE_EJECTED;
    why.candidates[1].cost = 3;
    why.candidates[1].held = ILB_HELD_NOT;
    why.candidates[1].load = 7.5;
    why.trial = ILB_TRIAL_UNTRIED;
    reads("10.0.0.1:80 by search, looked at 2 of 200, 5 ejected, the "
          "others are overloaded, a trial: untried: 10.0.0.2:80 ejected, 0 in "
          "flight, "
          "passed over: ejected; 10.0.0.1:80 warming, cost 3.0, latency 2.1 "
          "ms, 2 in flight of load 7.5, 20.0 % failed");
    why.panic = 1;
    why.room = 4.5;
    why.trial = ILB_TRIAL_NOT;
    why.n_candidates = 1;
    why.chosen = 0;
    why.chosen_by = ILB_CHOSEN_BY_FAIL_OPEN;
    why.candidates[0].fate = ILB_FATE_COMPARED;
    why.candidates[0].admitted = ILB_ADMITTED_PANIC;
    why.width = 200;
    reads("10.0.0.2:80 by fail_open, looked at 1 of 200, 5 ejected, a panic, "
          "the others have room for 4.5 in flight each: 10.0.0.2:80 ejected, "
          "0 in flight, may be taken: panic");
}
END_TEST

/* As many as there were, and from as many. */
START_TEST(as_text_with_the_looks_that_there_were)
{
    made_up();
    why.looks = 5;
    why.n_candidates = 1;
    why.candidates[0].latency_ns = 0;
    why.candidates[0].cost = 0;
    reads("10.0.0.2:80 by cost, looked at 1 of 3 in 5 looks: 10.0.0.2:80 "
          "healthy, 0 in flight");
    /* All were searched, not those of the aperture; so for a probe. */
    why.looks = 1;
    why.width = 12;
    why.n_endpoints = 200;
    why.chosen_by = ILB_CHOSEN_BY_SEARCH;
    reads("10.0.0.2:80 by search, looked at 1 of 200: 10.0.0.2:80 healthy, 0 "
          "in flight");
    why.chosen_by = ILB_CHOSEN_BY_PROBE;
    reads("10.0.0.2:80 by probe, looked at 1 of 200: 10.0.0.2:80 healthy, 0 "
          "in flight");
    why.chosen_by = ILB_CHOSEN_BY_COST;
    reads("10.0.0.2:80 by cost, looked at 1 of 12 of 200: 10.0.0.2:80 healthy, "
          "0 in flight");
    why.chosen_by = ILB_CHOSEN_BY_FAIL_OPEN;
    why.candidates[0].admitted = ILB_ADMITTED_PANIC;
    reads("10.0.0.2:80 by fail_open, looked at 1 of 12 of 200: 10.0.0.2:80 "
          "healthy, 0 in flight, may be taken: panic");
    why.candidates[0].admitted = ILB_ADMITTED_LAST;
    reads("10.0.0.2:80 by fail_open, looked at 1 of 200: 10.0.0.2:80 healthy, "
          "0 in flight, may be taken: last");
}
END_TEST

/* More than an explanation can tell of. */
START_TEST(as_text_with_more_than_it_tells_of)
{
    static char buf[ILB_EXPLANATION_TEXT_MAX];

    made_up();
    for (uint32_t i = 2; i < ILB_CANDIDATES_MAX; i++)
        why.candidates[i] = why.candidates[1];
    why.n_candidates = ILB_CANDIDATES_MAX;
    why.n_endpoints = why.width = 250;
    why.looks = ILB_CANDIDATES_MAX;
    (void)ilb_explanation_text(&why, buf, sizeof buf);
    must(strstr(buf, ", looked at 16 of 250: ") != NULL);
    why.looks = 314;
    (void)ilb_explanation_text(&why, buf, sizeof buf);
    must(strstr(buf, ", looked at 16 or more of 250 in 314 looks: ") != NULL);
}
END_TEST

START_TEST(text_that_does_not_fit_is_cut_and_none_is_longer_than_promised)
{
    char buf[32];

    made_up();
    must(ilb_explanation_text(&why, buf, sizeof buf) > 100);
    must_str(buf, "10.0.0.2:80 by cost, looked at ");
    must(ilb_explanation_text(&why, NULL, 0) > 100);
    why.n_candidates = ILB_CANDIDATES_MAX;
    why.n_endpoints = why.width = why.n_ejected = UINT32_MAX;
    why.overloaded = why.panic = 1;
    why.trial = ILB_TRIAL_RETURNED;
    why.room = 1e17;
    for (uint32_t i = 0; i < ILB_CANDIDATES_MAX; i++) {
        ilb_candidate *c = &why.candidates[i];

        memset(c->address, 'x', ILB_ADDRESS_MAX);
        c->fate = ILB_FATE_EXCLUDED;
        c->held = ILB_HELD_SUSPECT;
        c->admitted = ILB_ADMITTED_OVERLOAD;
        c->state = ILB_STATE_NOT_READY;
        c->in_flight = c->failure_ppm = UINT32_MAX;
        c->latency_ns = UINT64_MAX;
        c->cost = c->load = 1e17;
    }
    must(ilb_explanation_text(&why, NULL, 0) < ILB_EXPLANATION_TEXT_MAX);
}
END_TEST

START_TEST(what_is_no_explanation_is_refused)
{
    char buf[8] = "keep";

    made_up();
    must_eq(ilb_explanation_text(NULL, buf, sizeof buf), ILB_EINVAL);
    must_eq(ilb_explanation_text(&why, NULL, 1), ILB_EINVAL);
    why.size = sizeof why - 1;
    must_eq(ilb_explanation_text(&why, buf, sizeof buf), ILB_EABI);
    made_up();
    why.chosen = 2;
    must_eq(ilb_explanation_text(&why, buf, sizeof buf), ILB_EINVAL);
    made_up();
    why.n_candidates = ILB_CANDIDATES_MAX + 1;
    must_eq(ilb_explanation_text(&why, buf, sizeof buf), ILB_EINVAL);
    made_up();
    memset(why.candidates[1].address, 'x', ILB_ADDRESS_MAX + 1);
    must_eq(ilb_explanation_text(&why, buf, sizeof buf), ILB_EINVAL);
    must_str(buf, "keep");
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
    tcase_add_test(tc, a_probe_says_that_it_is_one);
    tcase_add_test(tc, who_is_excluded_is_told);
    tcase_add_test(tc, fail_open_is_told);
    tcase_add_test(tc, a_search_is_told);
    tcase_add_test(tc, in_a_panic_each_look_is_told);
    tcase_add_test(tc, the_choice_is_never_one_that_was_passed_over);
    tcase_add_test(tc, a_search_passes_over_who_is_ejected);
    tcase_add_test(tc, the_width_of_an_aperture_is_told);
    tcase_add_test(tc, an_endpoint_with_too_many_in_flight_is_told);
    tcase_add_test(tc, what_is_refused_writes_nothing);
    tcase_add_test(tc, as_text);
    tcase_add_test(tc, as_text_with_the_looks_that_there_were);
    tcase_add_test(tc, as_text_with_more_than_it_tells_of);
    tcase_add_test(
        tc, text_that_does_not_fit_is_cut_and_none_is_longer_than_promised);
    tcase_add_test(tc, what_is_no_explanation_is_refused);
    return s;
}
