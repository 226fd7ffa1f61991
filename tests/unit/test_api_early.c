/* SPDX-License-Identifier: MIT */
/* All that a request could go to hang: then it may as well be the probe of an
 * ejected endpoint, before its time. */
#include "suites.h"
#include "util.h"

#define PER_SECOND 100
#define TAKES_NS (20 * MS_NS)

/* Some pods, of which number 0 has just been ejected; 0 and 1 hang from now
 * on. */
static test_sim *ejected_sim(uint32_t n, uint64_t seed)
{
    test_sim *sim = test_sim_new(n, TAKES_NS, seed, NULL);

    sim->timeout_ns = 2 * S_NS;
    test_sim_run(sim, 20 * S_NS, PER_SECOND);
    sim->pods[0].outcome = ILB_FAILURE;
    sim->pods[0].takes_ns = MS_NS;
    while (test_stats(sim->b, 0).state != ILB_STATE_EJECTED)
        test_sim_run(sim, 100 * MS_NS, PER_SECOND);
    sim->pods[0].outcome = ILB_SUCCESS;
    sim->pods[0].takes_ns = TAKES_NS;
    sim->pods[0].hangs = true;
    sim->pods[1].hangs = true;
    test_sim_forget(sim);
    return sim;
}

START_TEST(who_is_well_by_now_is_found)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        test_sim *sim = ejected_sim(2, seed);

        sim->pods[0].hangs = false;
        test_sim_run(sim, 2 * S_NS, PER_SECOND);
        /* Those that had gone to the other before it could be seen. */
        must_be_within((double)sim->pods[1].n_picked, 1, 30);
        must(test_stats(sim->b, 0).state == ILB_STATE_HEALTHY);
        test_sim_free(sim);
    }
}
END_TEST

/* It hangs as well: once in the time after which a request hangs, and that is
 * not held against it. */
START_TEST(who_is_not_is_asked_seldom)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        test_sim *sim = ejected_sim(2, seed);
        uint64_t left_ns;

        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within((double)sim->pods[0].n_picked, 3, 120);
        sim->pods[1].hangs = false;
        test_sim_run(sim, 6 * S_NS, PER_SECOND);
        left_ns = test_stats(sim->b, 0).ejected_until_ns - sim->clock.now_ns;
        must(left_ns <= 5500 * MS_NS * 12 / 10);
        test_sim_free(sim);
    }
}
END_TEST

/* Others answer: no request is given to it before its time. */
START_TEST(while_one_answers_it_is_left_alone)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        test_sim *sim = ejected_sim(3, seed);

        test_sim_run(sim, 4 * S_NS, PER_SECOND);
        must_eq(sim->pods[0].n_picked, 0);
        test_sim_free(sim);
    }
}
END_TEST

/* Two pods that are known, of which number 0 then ends each request so until it
 * is ejected. */
static ilb_balancer *ejected(test_clock *clock, ilb_outcome outcome,
                             uint64_t retry_after_ns)
{
    ilb_options o = test_options(clock, ILB_POLICY_PEAK_EWMA, 1);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 2);
    for (int i = 0; i < 2000; i++) {
        ilb_ticket t = test_pick(b);

        clock->now_ns += 10 * MS_NS;
        test_done(b, &t, ILB_SUCCESS);
    }
    while (test_stats(b, 0).state != ILB_STATE_EJECTED) {
        ilb_ticket t = test_pick(b);
        bool it = test_number(b, &t) == 0;
        ilb_result r = ILB_RESULT_INIT;

        r.outcome = it ? outcome : ILB_SUCCESS;
        r.retry_after_ns = it ? retry_after_ns : 0;
        clock->now_ns += 10 * MS_NS;
        must_eq(ilb_done_with(b, &t, &r), ILB_OK);
    }
    return b;
}

START_TEST(it_is_explained)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = ejected(&clock, ILB_FAILURE, 0);
    ilb_explanation x;
    ilb_ticket t = test_pick(b);

    must_eq(test_number(b, &t), 1);
    clock.now_ns += 60 * MS_NS; /* 30 is hanging */
    must(test_stats(b, 0).ejected_until_ns > clock.now_ns);
    must_eq(ilb_pick_explained(b, &t, NULL, &x, sizeof x), ILB_OK);
    must_eq(test_number(b, &t), 0);
    must_eq(x.chosen_by, ILB_CHOSEN_BY_PROBE);
    must_eq(x.trial, ILB_TRIAL_PROBE);
    must_eq(x.candidates[x.chosen].admitted, ILB_ADMITTED_EARLY);
    must_str(ilb_admitted_name(ILB_ADMITTED_EARLY), "early");
    ilb_balancer_free(b);
}
END_TEST

/* Nor to one that has asked for it. */
START_TEST(who_says_when_to_come_back_is_left_alone)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = ejected(&clock, ILB_OVERLOAD, 60 * S_NS);

    for (int i = 0; i < 1000; i++) {
        ilb_ticket t = test_pick(b);

        must_eq(test_number(b, &t), 1);
        clock.now_ns += 10 * MS_NS;
    }
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_early(void)
{
    Suite *s = suite_create("api early");
    TCase *tc = test_case(s, "early");

    tcase_add_test(tc, who_is_well_by_now_is_found);
    tcase_add_test(tc, who_is_not_is_asked_seldom);
    tcase_add_test(tc, while_one_answers_it_is_left_alone);
    tcase_add_test(tc, it_is_explained);
    tcase_add_test(tc, who_says_when_to_come_back_is_left_alone);
    return s;
}
