/* SPDX-License-Identifier: MIT */
/* Policies: who gets how much, and the same again with the same seed. */
#include "suites.h"
#include "util.h"

static ilb_policy policy_of(int i)
{
    return (ilb_policy)i;
}

/* Counts of `n` requests of 5 ms one after the other to `pods` endpoints, of
 * which four a second for each are enough to use all: counted from when the
 * rate of requests is known, with its time constant of 3 s. */
static void count(ilb_policy policy, uint64_t seed, const uint32_t *weights,
                  uint32_t pods, uint32_t n, uint64_t *counts)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, policy, seed);
    ilb_balancer *b = test_new(&o);
    ilb_endpoint list[64];

    test_endpoints(list, 0, pods);
    for (uint32_t i = 0; i < pods; i++)
        list[i].weight = weights == NULL ? 0 : weights[i];
    must_eq(ilb_balancer_update(b, list, pods), ILB_OK);
    memset(counts, 0, pods * sizeof counts[0]);
    for (uint32_t i = 0; i < 3000; i++)
        (void)test_request(b, &clock, 5 * MS_NS, ILB_SUCCESS);
    for (uint32_t i = 0; i < n; i++)
        counts[test_request(b, &clock, 5 * MS_NS, ILB_SUCCESS)]++;
    ilb_balancer_free(b);
}

/* Among equals, requests one at a time: independent draws of equal shares. */
START_TEST(equals_share_equally)
{
    uint64_t counts[16];
    uint32_t over = 0;

    for (uint64_t seed = 1; seed <= 200; seed++) {
        double chi2;

        count(policy_of(_i), seed, NULL, 16, 1600, counts);
        chi2 = test_chi2(counts, NULL, 16);
        must_be_within(chi2, 0, test_chi2_limit(16));
        over += chi2 > 24.996; /* the 95 % point for 15 degrees */
    }
    /* 10 of 200 are expected there; more than 26 once in a million. */
    must_be_within(over, 0, 26);
}
END_TEST

START_TEST(weights_share_by_weight)
{
    static const uint32_t weights[6] = {1, 2, 3, 10, 20, 64};
    double shares[6];
    uint64_t counts[6];

    for (int i = 0; i < 6; i++)
        shares[i] = weights[i] / 100.0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        count(ILB_POLICY_RANDOM, seed, weights, 6, 2000, counts);
        must_be_within(test_chi2(counts, shares, 6), 0, test_chi2_limit(6));
    }
}
END_TEST

/* Of two that differ, drawn by weight, the cheaper one. One at a time, costs
 * are equal, so the first draw wins: by weight again. */
START_TEST(weights_share_by_weight_under_the_scoring_policies)
{
    static const uint32_t weights[6] = {1, 2, 3, 10, 20, 64};
    uint64_t counts[6];

    count(policy_of(_i), 5, weights, 6, 100000, counts);
    for (int i = 0; i < 6; i++)
        must_be_within((double)counts[i], 900.0 * weights[i],
                       1100.0 * weights[i]);
}
END_TEST

/* In an order of its own, which differs from caller to caller. */
START_TEST(round_robin_takes_turns_exactly)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_ROUND_ROBIN, 1);
    ilb_balancer *b = test_new(&o);
    uint32_t order[7], seen = 0;

    test_update(b, 0, 7);
    for (uint32_t i = 0; i < 7000; i++) {
        uint32_t number = test_request(b, &clock, MS_NS, ILB_SUCCESS);

        if (i < 7) {
            order[i] = number;
            seen |= 1u << number;
        }
        must_eq(number, order[i % 7]);
    }
    must_eq(seen, (1u << 7) - 1);
    ilb_balancer_free(b);
}
END_TEST

/* With few requests only as many endpoints are used as get eight a second, but
 * twelve; with more requests all. */
START_TEST(few_requests_use_few_endpoints)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 40);
    for (int round = 0; round < 3; round++) {
        static const uint32_t per_second[] = {10, 160, 400};
        static const uint32_t used[] = {12, 20, 40};
        uint64_t seen = 0;
        uint32_t n = 0;

        for (uint32_t i = 0; i < 60 * per_second[round]; i++) {
            uint32_t number = test_request(b, &clock, MS_NS, ILB_SUCCESS);

            clock.now_ns += S_NS / per_second[round] - MS_NS;
            if (i >= 30 * per_second[round])
                seen |= UINT64_C(1) << number;
        }
        for (; seen != 0; seen &= seen - 1)
            n++;
        /* The rate is measured: 5 % to either side. */
        must_be_within(n, 0.95 * used[round], 1.05 * used[round]);
    }
    ilb_balancer_free(b);
}
END_TEST

/* After so many whole rounds no endpoint is off by more than a few. */
/* A large and a small one, idle, whose answers take 5 to 15 ms. Compared by
 * cost each got half. */
START_TEST(few_requests_are_shared_by_weight)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_options o = test_options(&clock, policy_of(_i), seed);
        ilb_balancer *b = test_new(&o);
        ilb_endpoint list[2];
        uint64_t random = seed;
        uint32_t small = 0;

        test_endpoints(list, 0, 2);
        list[0].weight = 1;
        list[1].weight = 9;
        must_eq(ilb_balancer_update(b, list, 2), ILB_OK);
        for (int i = 0; i < 2000; i++) {
            small +=
                test_request(b, &clock, (5 + test_below(&random, 10)) * MS_NS,
                             ILB_SUCCESS) == 0;
            clock.now_ns += 90 * MS_NS;
        }
        must_be_within(small, 140, 290);
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(weighted_round_robin_is_nearly_exact)
{
    static const uint32_t weights[5] = {1, 2, 3, 4, 90};
    uint64_t counts[5];

    count(ILB_POLICY_ROUND_ROBIN, 1, weights, 5, 100000, counts);
    for (int i = 0; i < 5; i++)
        must_be_within((double)counts[i], 1000.0 * weights[i] - 20,
                       1000.0 * weights[i] + 20);
    /* Nor are an endpoint's turns bunched together. */
    count(ILB_POLICY_ROUND_ROBIN, 1, weights, 5, 1000, counts);
    for (int i = 0; i < 5; i++)
        must_be_within((double)counts[i], 10.0 * weights[i] - 8,
                       10.0 * weights[i] + 8);
}
END_TEST

/* Long requests pile up on one endpoint under random, not under these. */
START_TEST(fewer_in_flight_wins)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, policy_of(_i), 3);
    ilb_balancer *b = test_new(&o);
    ilb_endpoint_stats stats[16];

    test_update(b, 0, 16);
    for (int i = 0; i < 3000; i++)
        (void)test_request(b, &clock, 5 * MS_NS, ILB_SUCCESS);
    for (int i = 0; i < 1600; i++)
        (void)test_pick(b);
    must_eq(test_snapshot(b, stats, 16), 16);
    for (int i = 0; i < 16; i++)
        must_be_within(stats[i].in_flight, 90, 110);
    ilb_balancer_free(b);
}
END_TEST

/* By weight: three times the weight, three times as many in flight. */
START_TEST(fewer_in_flight_by_weight_wins)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, policy_of(_i), 3);
    ilb_balancer *b = test_new(&o);
    ilb_endpoint_stats stats[16];
    ilb_endpoint list[16];

    test_endpoints(list, 0, 16);
    for (uint32_t i = 0; i < 16; i += 2)
        list[i].weight = 3;
    must_eq(ilb_balancer_update(b, list, 16), ILB_OK);
    for (int i = 0; i < 6000; i++)
        (void)test_request(b, &clock, 5 * MS_NS, ILB_SUCCESS);
    for (int i = 0; i < 1600; i++)
        (void)test_pick(b);
    must_eq(test_snapshot(b, stats, 16), 16);
    for (int i = 0; i < 16; i++)
        must_be_within(stats[i].in_flight, i % 2 == 0 ? 130 : 40,
                       i % 2 == 0 ? 170 : 60);
    ilb_balancer_free(b);
}
END_TEST

/* ---- Determinism ------------------------------------------------------- */

/* A hash of all that a mixed run of 2000 steps chose and ended with. */
static uint64_t fingerprint(ilb_policy policy, uint64_t seed)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, policy, seed);
    ilb_balancer *b = test_new(&o);
    ilb_endpoint_stats stats[64];
    ilb_ticket held[16];
    uint64_t random = 9, hash = 14695981039346656037u;
    size_t n;

    test_update(b, 0, 12);
    for (int i = 0; i < 16; i++)
        held[i] = test_pick(b);
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t k = test_below(&random, 16);
        uint32_t number = test_number(b, &held[k]);

        clock.now_ns += test_below(&random, 5000000);
        test_done(b, &held[k],
                  (ilb_outcome)(number < 4 ? test_below(&random, 6) : 0));
        if (i % 100 == 0)
            test_update(b, i / 500, 12);
        held[k] = test_pick(b);
        hash = (hash ^ test_number(b, &held[k])) * 1099511628211u;
    }
    n = test_snapshot(b, stats, 64);
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ stats[i].latency_ns) * 1099511628211u;
        hash = (hash ^ stats[i].ejected_until_ns) * 1099511628211u;
    }
    ilb_balancer_free(b);
    return hash;
}

START_TEST(the_same_seed_makes_the_same_picks)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        must(fingerprint(policy_of(_i), seed) ==
             fingerprint(policy_of(_i), seed));
}
END_TEST

START_TEST(another_seed_makes_other_picks)
{
    uint64_t first = fingerprint(policy_of(_i), 1);

    for (uint64_t seed = 2; seed <= 20; seed++)
        must(fingerprint(policy_of(_i), seed) != first);
}
END_TEST

/* Without a seed each balancer has its own: callers that start together must
 * not send their first requests to the same endpoint. */
START_TEST(without_a_seed_balancers_differ)
{
    uint32_t same = 0;

    for (int i = 0; i < 64; i++) {
        uint32_t number[2] = {0, 0};

        for (int k = 0; k < 2; k++) {
            test_clock clock = TEST_CLOCK_INIT;
            ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 0);
            ilb_balancer *b = test_new(&o);

            test_update(b, 0, 256);
            for (int j = 0; j < 2; j++)
                number[k] = number[k] * 256 +
                            test_request(b, &clock, MS_NS, ILB_SUCCESS);
            ilb_balancer_free(b);
        }
        same += number[0] == number[1];
    }
    must_be_within(same, 0, 2);
}
END_TEST

Suite *suite_api_policy(void)
{
    Suite *s = suite_create("api policy");
    TCase *tc = test_case(s, "shares");

    tcase_add_loop_test(tc, equals_share_equally, ILB_POLICY_PEAK_EWMA,
                        ILB_POLICY_RANDOM + 1);
    tcase_add_test(tc, weights_share_by_weight);
    tcase_add_loop_test(tc, weights_share_by_weight_under_the_scoring_policies,
                        ILB_POLICY_PEAK_EWMA, ILB_POLICY_LEAST_REQUEST + 1);
    tcase_add_loop_test(tc, few_requests_are_shared_by_weight,
                        ILB_POLICY_PEAK_EWMA, ILB_POLICY_LEAST_REQUEST + 1);
    tcase_add_test(tc, round_robin_takes_turns_exactly);
    tcase_add_test(tc, few_requests_use_few_endpoints);
    tcase_add_test(tc, weighted_round_robin_is_nearly_exact);
    tcase_add_loop_test(tc, fewer_in_flight_wins, ILB_POLICY_PEAK_EWMA,
                        ILB_POLICY_LEAST_REQUEST + 1);
    tcase_add_loop_test(tc, fewer_in_flight_by_weight_wins,
                        ILB_POLICY_PEAK_EWMA, ILB_POLICY_LEAST_REQUEST + 1);
    tc = test_case(s, "determinism");
    tcase_add_loop_test(tc, the_same_seed_makes_the_same_picks,
                        ILB_POLICY_PEAK_EWMA, ILB_POLICY_RANDOM + 1);
    tcase_add_loop_test(tc, another_seed_makes_other_picks,
                        ILB_POLICY_PEAK_EWMA, ILB_POLICY_RANDOM + 1);
    tcase_add_test(tc, without_a_seed_balancers_differ);
    return s;
}
