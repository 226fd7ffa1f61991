/* SPDX-License-Identifier: MIT */
/* The way back after an ejection. */
#include "suites.h"
#include "util.h"

/* And for longer: its probes say little. */
START_TEST(the_first_failure_after_a_return_ejects_again)
{
    test_ejected *f = test_ejected_new(4, 1);
    ilb_ticket t = test_ejected_probe(f);

    test_done(f->b, &t, ILB_SUCCESS);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_WARMING);
    must_eq(test_ejected_again(f), 1);
    must_eq(test_stats(f->b, 1).ejections, 2);
    must_last(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns,
              1 + TEST_LADDER_RELAPSE, TEST_EJECTED_PER_SECOND, 0.1);
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
        /* p0 is 0.5 / 1200, so that three failures eject it, 1.5 s apart: two
         * more, then probes 5, 11, 19 and, it may be too late, 27 s after. */
        must_be_within((double)sim->pods[2].n_picked, 5, 6);
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

/* Its probe succeeds, it gets healthy and stays so for a while, fails, and
 * must then be ejected as at this level. */
static void fails_after(test_ejected *f, uint64_t healthy_s, uint32_t level)
{
    ilb_ticket t = test_ejected_probe(f);

    test_done(f->b, &t, ILB_SUCCESS);
    test_ejected_heal(f);
    (void)test_ejected_wait(f, f->clock.now_ns + healthy_s * S_NS);
    (void)test_ejected_again(f);
    must_last(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns, level,
              TEST_EJECTED_PER_SECOND, 0.1);
}

/* By evidence: 30 s of being healthy times the level, for each. */
START_TEST(the_level_falls_while_it_is_healthy)
{
    test_ejected *f = test_ejected_new(3, 1);

    fails_after(f, 31, 1);
    fails_after(f, 29, 1 + TEST_LADDER_RELAPSE);
    /* 30 s x (4 + 3 + 2 + 1). */
    fails_after(f, 295, 1 + TEST_LADDER_RELAPSE);
    fails_after(f, 305, 1);
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
    tcase_add_test(tc, it_recovers_to_its_fair_share);
    tcase_add_test(tc, the_level_falls_while_it_is_healthy);
    tcase_add_test(tc, readiness_ends_an_ejection);
    tcase_add_test(tc, an_update_ends_a_probe);
    return s;
}
