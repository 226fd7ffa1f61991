/* SPDX-License-Identifier: MIT */
/* Few endpoints and few requests: what a fault costs, and what it must not. */
#include "suites.h"
#include "util.h"

/* One worker of a service that was forked before it was served. */
#define FEW_PER_SECOND 3

static const struct {
    ilb_outcome outcome;
    uint64_t takes_ns;
    bool hangs;
    bool ejects; /* slow and silent ones are passed over instead */
} faults[] = {
    {ILB_FAILURE, MS_NS, false, true},
    {ILB_CONNECT_ERROR, MS_NS / 5, false, true},
    {ILB_SUCCESS, 50 * MS_NS, true, false},
    {ILB_SUCCESS, 500 * MS_NS, false, false},
};

#define N_FAULTS ((int)(sizeof faults / sizeof faults[0]))

/* `n` pods that are known well; number 1 has this fault from now on. */
static test_sim *with_fault(uint32_t n, uint32_t per_second, uint64_t seed,
                            int fault)
{
    test_sim *sim = test_sim_new(n, 50 * MS_NS, seed, NULL);

    test_sim_run(sim, 60 * S_NS, per_second);
    test_sim_forget(sim);
    sim->pods[1].outcome = faults[fault].outcome;
    sim->pods[1].takes_ns = faults[fault].takes_ns;
    sim->pods[1].hangs = faults[fault].hangs;
    return sim;
}

static void heal(test_sim *sim)
{
    sim->pods[1].outcome = ILB_SUCCESS;
    sim->pods[1].takes_ns = 50 * MS_NS;
    sim->pods[1].hangs = false;
}

/* A handful until it is out, whatever its fault; then at most one request in
 * 150, or three a minute where it is not ejected. */
START_TEST(a_bad_one_of_few_costs_a_handful)
{
    for (uint32_t n = 2; n <= 4; n++)
        for (uint64_t seed = 1; seed <= 10; seed++) {
            test_sim *sim = with_fault(n, FEW_PER_SECOND, seed, _i);

            test_sim_run(sim, 60 * S_NS, FEW_PER_SECOND);
            must_be_within((double)sim->pods[1].n_picked, 1, TEST_CONSECUTIVE);
            test_sim_forget(sim);
            test_sim_run(sim, 600 * S_NS, FEW_PER_SECOND);
            must_be_within((double)sim->pods[1].n_picked, 1,
                           faults[_i].ejects
                               ? 600 * FEW_PER_SECOND / TEST_PROBE_REQUESTS
                               : 30);
            test_sim_free(sim);
        }
}
END_TEST

/* Promise: probes a minute are bounded, however many requests there are. */
START_TEST(probes_a_minute_are_bounded)
{
    const double most = 60 / (TEST_EJECTION_S * (1 - TEST_JITTER)) + 1;

    for (uint32_t n = 2; n <= 4; n += 2)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            test_sim *sim = with_fault(n, 200, seed, _i);

            test_sim_run(sim, 10 * S_NS, 200);
            for (int minute = 0; minute < 5; minute++) {
                test_sim_forget(sim);
                test_sim_run(sim, 60 * S_NS, 200);
                must_be_within((double)sim->pods[1].n_picked, 1, most);
            }
            test_sim_free(sim);
        }
}
END_TEST

/* Whoever is well again is tried within the longest ejection. */
START_TEST(who_is_well_again_is_tried_in_time)
{
    for (uint32_t n = 2; n <= 4; n++)
        for (uint64_t seed = 1; seed <= 10; seed++) {
            test_sim *sim = with_fault(n, FEW_PER_SECOND, seed, _i);

            test_sim_run(sim, 300 * S_NS, FEW_PER_SECOND);
            must(test_stats(sim->b, 1).ejections > 0);
            heal(sim);
            test_sim_forget(sim);
            test_sim_run(sim, (uint64_t)(TEST_EJECTION_MAX_S * 1e9) + S_NS,
                         FEW_PER_SECOND);
            must(sim->pods[1].n_picked > 0);
            must(test_stats(sim->b, 1).state != ILB_STATE_EJECTED);
            test_sim_free(sim);
        }
}
END_TEST

/* Errors at random, 1 % and 5 %, are nobody's fault: for ten minutes nobody is
 * ejected, and everyone keeps working. */
START_TEST(errors_at_random_eject_nobody)
{
    static const uint32_t per_mille[] = {10, 50};

    for (uint32_t n = 2; n <= 4; n++)
        for (uint64_t seed = 1; seed <= 10; seed++) {
            test_sim *sim = test_sim_new(n, 50 * MS_NS, seed, NULL);
            uint64_t random = seed;

            for (int i = 0; i < 600 * FEW_PER_SECOND; i++) {
                for (uint32_t k = 0; k < n; k++)
                    sim->pods[k].outcome =
                        test_below(&random, 1000) < per_mille[_i] ? ILB_FAILURE
                                                                  : ILB_SUCCESS;
                test_sim_run(sim, S_NS / FEW_PER_SECOND, FEW_PER_SECOND);
            }
            for (uint32_t k = 0; k < n; k++) {
                must_eq(test_stats(sim->b, k).ejections, 0);
                must_be_within(test_sim_share(sim, k), 0.2 / n, 1);
            }
            test_sim_free(sim);
        }
}
END_TEST

/* Both fail half of their requests: neither can be told from the other, one at
 * least is always used, and requests go on. */
START_TEST(two_bad_ones_share_the_work)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = test_sim_new(2, 50 * MS_NS, seed, NULL);
        uint64_t random = seed;

        for (int i = 0; i < 600 * FEW_PER_SECOND; i++) {
            for (uint32_t k = 0; k < 2; k++)
                sim->pods[k].outcome =
                    test_below(&random, 2) ? ILB_FAILURE : ILB_SUCCESS;
            test_sim_run(sim, S_NS / FEW_PER_SECOND, FEW_PER_SECOND);
        }
        must_eq(sim->n_picked, 600 * FEW_PER_SECOND);
        must(test_stats(sim->b, 0).state != ILB_STATE_EJECTED ||
             test_stats(sim->b, 1).state != ILB_STATE_EJECTED);
        test_sim_free(sim);
    }
}
END_TEST

/* A single endpoint takes everything, always. */
START_TEST(one_endpoint_takes_everything)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        test_sim *sim = with_fault(2, FEW_PER_SECOND, seed, _i);

        test_update(sim->b, 1, 1);
        test_sim_forget(sim);
        test_sim_run(sim, 120 * S_NS, FEW_PER_SECOND);
        must_eq(sim->pods[1].n_picked, 120 * FEW_PER_SECOND);
        must_eq(test_stats(sim->b, 1).ejections, 0);
        test_sim_free(sim);
    }
}
END_TEST

/* Three requests a second; one answer takes 1.9 s. (There were 140 s without
 * a request, with two or three endpoints, and 44 s with four.) */
START_TEST(one_stall_is_forgotten_soon_with_few_requests)
{
    test_sim *sim = test_sim_new((uint32_t)_i, 50 * MS_NS, 1, NULL);
    uint64_t before;

    test_sim_run(sim, 60 * S_NS, 3);
    before = sim->pods[1].n_picked;
    sim->pods[1].takes_ns = 1900 * MS_NS;
    while (sim->pods[1].n_picked == before)
        test_sim_run(sim, S_NS / 3, 3);
    sim->pods[1].takes_ns = 50 * MS_NS;
    test_sim_forget(sim);
    test_sim_run(sim, 30 * S_NS, 3);
    must(sim->pods[1].n_picked > 0);
    test_sim_forget(sim);
    test_sim_run(sim, 60 * S_NS, 3);
    must(test_sim_share(sim, 1) * _i > 0.25);
    test_sim_free(sim);
}
END_TEST

Suite *suite_api_small(void)
{
    Suite *s = suite_create("api small");
    TCase *tc = test_case(s, "small");

    tcase_add_loop_test(tc, a_bad_one_of_few_costs_a_handful, 0, N_FAULTS);
    tcase_add_loop_test(tc, probes_a_minute_are_bounded, 0, 3);
    tcase_add_loop_test(tc, who_is_well_again_is_tried_in_time, 0, 2);
    tcase_add_loop_test(tc, errors_at_random_eject_nobody, 0, 2);
    tcase_add_test(tc, two_bad_ones_share_the_work);
    tcase_add_loop_test(tc, one_endpoint_takes_everything, 0, N_FAULTS);
    tcase_add_loop_test(tc, one_stall_is_forgotten_soon_with_few_requests, 2,
                        6);
    return s;
}
