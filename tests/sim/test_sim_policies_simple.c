/* SPDX-License-Identifier: MIT */
/* random, round-robin, p2c-least-request; and nginx and Envoy as choosers. */
#include "test_sim_policies.h"

static void test_random(void)
{
    static const double weights[3] = {1, 2, 1};
    test_bench b;
    uint32_t n;

    test_open(&b, &sim_policy_random, 3);
    n = test_share(&b, 1, 30000, 0);
    test_expect(n > 9700 && n < 10300, "random", "a third each");
    test_list(&b, weights, 3);
    n = test_share(&b, 1, 30000, 0);
    test_expect(n > 14600 && n < 15400, "random", "half by weight");
    test_close(&b);
}

static void test_round_robin(void)
{
    static const double weights[3] = {5, 1, 1};
    uint32_t seen[3], longest = 0, row = 0;
    test_bench b;

    test_open(&b, &sim_policy_round_robin, 3);
    for (int turn = 0; turn < 10; turn++) {
        for (int i = 0; i < 3; i++)
            seen[i] = test_request(&b, 0, SIM_SUCCESS);
        test_expect(seen[0] != seen[1] && seen[1] != seen[2] &&
                        seen[0] != seen[2],
                    "round-robin", "each once a turn");
    }
    test_list(&b, weights, 3);
    for (uint32_t i = 0, n = 0; i < 70; i++) {
        bool first = test_request(&b, 0, SIM_SUCCESS) == 0;

        row = first ? row + 1 : 0;
        longest = row > longest ? row : longest;
        n += first;
        if (i == 69)
            test_expect(n == 50, "round-robin", "5 of 7 by weight");
    }
    test_expect(longest <= 4, "round-robin", "smoothly, not 5 in a row");
    test_close(&b);
}

static void test_p2c(const sim_policy *policy, uint32_t least, uint32_t most)
{
    sim_attempt *held[3];
    test_bench b;
    uint32_t n;

    /* Three held at one of four: it is chosen only against itself. */
    test_open(&b, policy, 4);
    for (int i = 0; i < 3; i++)
        held[i] = NULL;
    held[0] = test_send_to(&b, 0);
    for (int i = 1; i < 3; i++) {
        sim_pool *pool = b.self;
        sim_endpoint *e = sim_pool_find(pool, 0);

        held[i] = sim_need(1, sizeof *held[i]);
        sim_pool_take(pool, held[i], e, b.now_ns);
    }
    test_expect(test_in_flight(&b, 0) == 3, policy->name, "3 in flight");
    n = test_share(&b, 0, 16000, 0);
    test_expect(n >= least && n <= most, policy->name,
                "avoids the busier of two");
    for (int i = 0; i < 3; i++)
        test_end(&b, held[i], SIM_SUCCESS);
    n = test_share(&b, 0, 16000, 0);
    test_expect(n > 3700 && n < 4300, policy->name, "a fair share when equal");
    test_close(&b);
}

/* Unequal weights: Envoy's schedule gives shares by weight / (active + 1). */
static void test_envoy_weights(void)
{
    static const double weights[3] = {2, 1, 1};
    sim_attempt *held = NULL;
    test_bench b;
    uint32_t n;

    test_open(&b, &sim_policy_envoy, 0);
    test_list(&b, weights, 3);
    n = test_share(&b, 0, 8000, 0);
    test_expect(n > 3990 && n < 4010, "envoy", "half by weight, no luck in it");
    held = test_send_to(&b, 0);
    n = test_share(&b, 0, 9000, 0);
    test_expect(n > 2990 && n < 3010, "envoy", "a third with one in flight");
    test_end(&b, held, SIM_SUCCESS);
    test_close(&b);
}

/* brpc: score / weight; with nothing in flight weights decide. */
static void test_weights(void)
{
    static const double weights[2] = {3, 1};
    uint64_t retried = 0;
    const uint32_t tried = 1;
    test_bench b;

    test_open(&b, &sim_policy_nginx, 0);
    test_list(&b, weights, 2);
    for (int i = 0; i < 400; i++) {
        sim_attempt *a = test_send(&b);
        sim_attempt *c = test_send(&b);

        /* The second goes where there are fewer per weight. */
        test_expect(c->server == 0 || a->server == 0, "nginx",
                    "not both to the light one");
        test_end(&b, a, SIM_SUCCESS);
        test_end(&b, c, SIM_SUCCESS);
    }
    b.tried = &tried;
    b.n_tried = 1;
    for (int i = 0; i < 100; i++)
        retried += test_request(&b, 0, SIM_SUCCESS) == 1;
    test_expect(retried == 0, "nginx", "not again to a server it has tried");
    test_close(&b);
}

void test_policies_simple(void)
{
    test_random();
    test_round_robin();
    test_p2c(&sim_policy_p2c, 0, 0);
    /* With replacement: 1/16 of the draws are twice the same. */
    test_p2c(&sim_policy_envoy, 850, 1150);
    test_p2c(&sim_policy_nginx, 0, 0);
    test_envoy_weights();
    test_weights();
}
