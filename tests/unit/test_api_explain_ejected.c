/* SPDX-License-Identifier: MIT */
/* Picks with their reasons where endpoints are ejected, excluded, full or in a
 * slow start. */
#include "explained.h"
#include "suites.h"

START_TEST(a_probe_says_that_it_is_one)
{
    test_ejected *f = test_ejected_new(3, 1);
    ilb_ticket t;

    for (uint32_t i = 0; i < 20; i++) {
        t = test_explained(f->b, NULL);
        test_chosen_by(ILB_CHOSEN_BY_CHANCE);
        must_eq(test_why.n_ejected, 1);
        must(test_candidate(1) == NULL ||
             test_candidate(1)->fate == ILB_FATE_EJECTED);
        test_done(f->b, &t, ILB_SUCCESS);
    }
    f->clock.now_ns = test_stats(f->b, 1).ejected_until_ns;
    t = test_explained(f->b, NULL);
    must_eq(test_number(f->b, &t), 1);
    test_chosen_by(ILB_CHOSEN_BY_PROBE);
    must_eq(test_choice()->admitted, ILB_ADMITTED_PROBE);
    must_eq(test_why.looks, 1);
    must_eq(test_choice()->state, ILB_STATE_EJECTED);
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
    t = test_explained(b, &p);
    must_eq(test_why.n_candidates, 2);
    must_eq(test_candidate(test_number(b, &first))->fate, ILB_FATE_EXCLUDED);
    must_eq(test_choice()->fate, ILB_FATE_COMPARED);
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
    t = test_explained(f->b, &p);
    must_eq(test_number(f->b, &t), 1);
    test_chosen_by(ILB_CHOSEN_BY_FAIL_OPEN);
    must_eq(test_choice()->state, ILB_STATE_EJECTED);
    must_eq(test_choice()->fate, ILB_FATE_COMPARED);
    must_eq(test_choice()->admitted, ILB_ADMITTED_LAST);
    must_eq(test_why.panic, 0);
    must(test_choice()->failure_ppm > 0);
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
        ilb_ticket t = test_explained(b, NULL);

        must(test_choice()->state == ILB_STATE_HEALTHY);
        must_eq(test_choice()->fate, ILB_FATE_COMPARED);
        if (test_why.chosen_by == ILB_CHOSEN_BY_SEARCH) {
            searched++;
            must(test_why.looks > ILB_CANDIDATES_MAX);
            full += test_why.n_candidates == ILB_CANDIDATES_MAX;
            must(test_choice()->cost > 0);
        } else {
            test_chosen_by(ILB_CHOSEN_BY_CHANCE);
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
            ilb_ticket t = test_explained(b, NULL);

            must_eq(test_why.looks, 1);
            must_eq(test_why.panic, 1);
            must_eq(test_why.n_ejected, 2);
            must_eq(test_why.n_candidates, 1);
            must_eq(test_choice()->fate, ILB_FATE_COMPARED);
            must(test_choice()->cost == 0);
            open += test_why.chosen_by == ILB_CHOSEN_BY_FAIL_OPEN;
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
        ilb_ticket t = test_explained(b, NULL);

        must_eq(test_choice()->fate, ILB_FATE_COMPARED);
        must(test_why.looks >= test_why.n_candidates);
        again += test_why.looks > test_why.n_candidates;
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
            ilb_ticket t = test_explained(b, NULL);

            if (test_why.chosen_by == ILB_CHOSEN_BY_SEARCH) {
                searched++;
                must_eq(test_why.looks, 64 + 250);
            }
            for (uint32_t k = 0; k < test_why.n_candidates; k++) {
                const ilb_candidate *c = &test_why.candidates[k];

                must_eq(c->fate, c->state == ILB_STATE_EJECTED
                                     ? ILB_FATE_EJECTED
                                     : ILB_FATE_COMPARED);
                must_eq(c->cost > 0,
                        c->fate == ILB_FATE_COMPARED &&
                            test_why.chosen_by == ILB_CHOSEN_BY_SEARCH);
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
    t = test_explained(b, NULL);
    must_eq(test_why.n_endpoints, 100);
    must_be_within(test_why.width, 12, 20);
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
        (void)test_explained(b, NULL);
        must_str(test_choice()->address, test_address(1));
        full = full || (test_candidate(0) != NULL &&
                        test_candidate(0)->fate == ILB_FATE_FULL &&
                        test_candidate(0)->in_flight == 32768);
    }
    must(full);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_explain_ejected(void)
{
    Suite *s = suite_create("api explain ejected");
    TCase *tc = test_case(s, "explain ejected");

    tcase_add_test(tc, a_probe_says_that_it_is_one);
    tcase_add_test(tc, who_is_excluded_is_told);
    tcase_add_test(tc, fail_open_is_told);
    tcase_add_test(tc, a_search_is_told);
    tcase_add_test(tc, in_a_panic_each_look_is_told);
    tcase_add_test(tc, the_choice_is_never_one_that_was_passed_over);
    tcase_add_test(tc, a_search_passes_over_who_is_ejected);
    tcase_add_test(tc, the_width_of_an_aperture_is_told);
    tcase_add_test(tc, an_endpoint_with_too_many_in_flight_is_told);
    return s;
}
