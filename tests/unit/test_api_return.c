/* SPDX-License-Identifier: MIT */
/* The way back after an ejection. */
#include "suites.h"
#include "util.h"

START_TEST(the_first_failure_after_a_return_ejects_again)
{
    test_ejected *f = test_ejected_new(4, 1);
    ilb_ticket t = test_ejected_probe(f);

    test_done(f->b, &t, ILB_SUCCESS);
    do {
        t = test_pick(f->b);
        test_done(f->b, &t,
                  test_number(f->b, &t) == 1 ? ILB_FAILURE : ILB_SUCCESS);
    } while (test_stats(f->b, 1).state == ILB_STATE_WARMING);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_EJECTED);
    must_eq(test_stats(f->b, 1).done[ILB_FAILURE], 4);
    must_be_within(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns,
                   1.6 * S_NS, 2.4001 * S_NS);
    test_ejected_free(f);
}
END_TEST

START_TEST(what_failed_before_a_restart_does_not_count)
{
    test_ejected *f = test_ejected_new(4, 1);
    const char *pod = test_address(1);
    uint32_t failed = 0;

    must_eq(ilb_balancer_set_readiness(f->b, pod, ILB_NOT_READY), ILB_OK);
    must_eq(ilb_balancer_set_readiness(f->b, pod, ILB_READY), ILB_OK);
    must_eq(test_stats(f->b, 1).failures_in_a_row, 0);
    must_eq(test_stats(f->b, 1).failure_ppm, 0);
    while (test_stats(f->b, 1).state == ILB_STATE_WARMING) {
        ilb_ticket t = test_pick(f->b);
        bool bad = test_number(f->b, &t) == 1;

        test_done(f->b, &t, bad ? ILB_FAILURE : ILB_SUCCESS);
        failed += bad;
    }
    must_eq(failed, 3);
    test_ejected_free(f);
}
END_TEST

START_TEST(it_recovers_to_its_fair_share)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = test_sim_new(5, 20 * MS_NS, seed, NULL);

        test_sim_run(sim, 5 * S_NS, 200);
        sim->pods[2].outcome = ILB_FAILURE;
        sim->pods[2].takes_ns = MS_NS;
        test_sim_run(sim, S_NS, 200);
        test_sim_forget(sim);
        test_sim_run(sim, 29 * S_NS, 200);
        must_be_within((double)sim->pods[2].n_picked, 2, 8);
        sim->pods[2].outcome = ILB_SUCCESS;
        sim->pods[2].takes_ns = 20 * MS_NS;
        test_sim_run(sim, 15 * S_NS, 200);
        must_eq(test_stats(sim->b, 2).state, ILB_STATE_HEALTHY);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, 200);
        must_be_within(test_sim_share(sim, 2), 0.7 / 5, 1.3 / 5);
        test_sim_free(sim);
    }
}
END_TEST

/* The time falls back by evidence: half a minute of being healthy a level. */
START_TEST(the_level_falls_while_it_is_healthy)
{
    test_ejected *f = test_ejected_new(3, 1);
    ilb_ticket t = test_ejected_probe(f);

    test_done(f->b, &t, ILB_SUCCESS);
    while (test_stats(f->b, 1).state != ILB_STATE_HEALTHY)
        (void)test_ejected_picked(f, 1);
    f->clock.now_ns += 29 * S_NS;
    (void)test_ejected_picked(f, 100);
    for (int round = 0; round < 2; round++) {
        while (test_stats(f->b, 1).state != ILB_STATE_EJECTED) {
            t = test_pick(f->b);
            test_done(f->b, &t,
                      test_number(f->b, &t) == 1 ? ILB_FAILURE : ILB_SUCCESS);
        }
        /* Too soon: level 2. Then 60 s and 30 s later: level 1. */
        must_be_within(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns,
                       (round == 0 ? 1.6 : 0.8) * S_NS,
                       (round == 0 ? 2.4001 : 1.2001) * S_NS);
        t = test_ejected_probe(f);
        test_done(f->b, &t, ILB_SUCCESS);
        while (test_stats(f->b, 1).state != ILB_STATE_HEALTHY)
            (void)test_ejected_picked(f, 1);
        f->clock.now_ns += 61 * S_NS;
        (void)test_ejected_picked(f, 100);
        f->clock.now_ns += 31 * S_NS;
        (void)test_ejected_picked(f, 100);
    }
    test_ejected_free(f);
}
END_TEST

START_TEST(readiness_ends_an_ejection)
{
    test_ejected *f = test_ejected_new(4, 1);

    must_eq(ilb_balancer_set_readiness(f->b, test_address(1), ILB_NOT_READY),
            ILB_OK);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_NOT_READY);
    must_eq(test_stats(f->b, 1).ejected_until_ns, 0);
    f->clock.now_ns += 60 * S_NS;
    must_eq(test_ejected_picked(f, 500), 0);
    must_eq(ilb_balancer_set_readiness(f->b, test_address(1), ILB_READY),
            ILB_OK);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_WARMING);
    must(test_ejected_picked(f, 500) > 50);
    test_ejected_free(f);
}
END_TEST

/* It leaves and comes back while its probe is under way. */
START_TEST(an_update_ends_a_probe)
{
    test_ejected *f = test_ejected_new(4, 1);
    ilb_ticket t = test_ejected_probe(f);

    test_update(f->b, 2, 2);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_DRAINING);
    test_update(f->b, 0, 4);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_WARMING);
    test_done(f->b, &t, ILB_FAILURE);
    must_eq(test_stats(f->b, 1).in_flight, 0);
    must(test_stats(f->b, 1).state == ILB_STATE_EJECTED ||
         test_stats(f->b, 1).state == ILB_STATE_WARMING);
    test_ejected_free(f);
}
END_TEST

Suite *suite_api_return(void)
{
    Suite *s = suite_create("api return");
    TCase *tc = test_case(s, "return");

    tcase_add_test(tc, the_first_failure_after_a_return_ejects_again);
    tcase_add_test(tc, what_failed_before_a_restart_does_not_count);
    tcase_add_test(tc, it_recovers_to_its_fair_share);
    tcase_add_test(tc, the_level_falls_while_it_is_healthy);
    tcase_add_test(tc, readiness_ends_an_ejection);
    tcase_add_test(tc, an_update_ends_a_probe);
    return s;
}
