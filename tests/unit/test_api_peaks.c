/* SPDX-License-Identifier: MIT */
/* An endpoint that now and then takes long, when its peers do not. */
#include "suites.h"
#include "util.h"

#define PODS 4
#define PER_SECOND 400
#define TAKES_NS (5 * MS_NS)
#define FAIR (1.0 / PODS)
#define SEEDS 100

/* Its share in half a minute after the first ten seconds, in the mean of the
 * seeds; `of_all`: the others take long as often. */
static double share_of_last(uint32_t heavy_ppm, bool of_all)
{
    double sum = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        test_sim *sim = test_sim_new(PODS, TAKES_NS, seed, NULL);

        for (uint32_t i = of_all ? 0 : PODS - 1; i < PODS; i++)
            sim->pods[i].heavy_ppm = heavy_ppm;
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        test_sim_forget(sim);
        test_sim_run(sim, 30 * S_NS, PER_SECOND);
        sum += test_sim_share(sim, PODS - 1);
        test_sim_free(sim);
    }
    return sum / SEEDS;
}

START_TEST(who_has_more_peaks_than_its_peers_is_left_alone)
{
    must(share_of_last(20000, false) < FAIR / 5);
}
END_TEST

START_TEST(who_has_as_many_as_its_peers_has_its_share)
{
    must_be_within(share_of_last(2000, true), 0.9 * FAIR, 1.1 * FAIR);
}
END_TEST

/* One stop in ten seconds, of half a second: it is back soon after each. */
START_TEST(who_stops_now_and_then_has_most_of_its_share)
{
    double sum = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        test_sim *sim = test_sim_new(PODS, TAKES_NS, seed, NULL);

        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        test_sim_forget(sim);
        for (int i = 0; i < 3; i++) {
            sim->pods[0].stops_ns = sim->clock.now_ns + 500 * MS_NS;
            test_sim_run(sim, 10 * S_NS, PER_SECOND);
        }
        sum += test_sim_share(sim, 0);
        test_sim_free(sim);
    }
    must(sum / SEEDS > 0.8 * FAIR);
}
END_TEST

Suite *suite_api_peaks(void)
{
    Suite *s = suite_create("api peaks");
    TCase *tc = test_case(s, "share");

    tcase_add_test(tc, who_has_more_peaks_than_its_peers_is_left_alone);
    tcase_add_test(tc, who_has_as_many_as_its_peers_has_its_share);
    tcase_add_test(tc, who_stops_now_and_then_has_most_of_its_share);
    return s;
}
