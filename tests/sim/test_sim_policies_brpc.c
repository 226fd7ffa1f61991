/* SPDX-License-Identifier: MIT */
/* brpc's two: p2c and la. */
#include "test_sim_policies.h"

#define LA_SCALE (INT64_MAX / 72000000 / 127)

static void test_p2c(void)
{
    const double weights[2] = {1, 4};
    sim_attempt *a;
    test_bench b;

    test_open(&b, &sim_policy_brpc_p2c, 1);
    test_value(test_score(&b, 0), 1, "brpc-p2c", "not measured: 1 us");
    test_request(&b, 10 * TEST_MS, SIM_SUCCESS);
    test_value(test_score(&b, 0), 10000, "brpc-p2c", "measured, in us");
    a = test_send(&b);
    test_value(test_score(&b, 0), 20000, "brpc-p2c", "times in flight + 1");
    test_end(&b, a, SIM_FAILURE);
    test_value(test_score(&b, 0), 10000, "brpc-p2c",
               "nothing is learned from no time at all");
    test_wait(&b, 10 * TEST_S);
    test_value(test_score(&b, 0), 10000 * exp(-1.0), "brpc-p2c",
               "a read decays");
    test_wait(&b, 10 * TEST_S);
    test_value(test_score(&b, 0), 10000 * exp(-2.0), "brpc-p2c",
               "and does not stamp");
    test_request(&b, TEST_MS, SIM_FAILURE);
    test_value(test_score(&b, 0), 1e6, "brpc-p2c", "an error is the timeout");
    test_request(&b, TEST_MS, SIM_FAILURE);
    test_value(test_score(&b, 0), 2e6, "brpc-p2c", "or twice the average");
    for (int i = 0; i < 10; i++)
        test_request(&b, TEST_MS, SIM_CONNECT_ERROR);
    test_value(test_score(&b, 0), 30e6, "brpc-p2c", "at most 30 s");
    test_list(&b, weights, 2);
    test_value(test_score(&b, 0), 30e6, "brpc-p2c", "kept at an update");
    test_value(test_score(&b, 1), 0.25, "brpc-p2c", "divided by the weight");
    test_close(&b);
}

static void test_p2c_tried(void)
{
    const uint32_t tried[2] = {1, 2};
    test_bench b;

    test_open(&b, &sim_policy_brpc_p2c, 3);
    b.tried = tried;
    b.n_tried = 2;
    test_expect(test_share(&b, 0, 100, TEST_MS) == 100, "brpc-p2c",
                "not to those that were tried");
    test_list(&b, (const double[3]){0, 1, 1}, 3);
    test_expect(test_request(&b, TEST_MS, SIM_SUCCESS) != UINT32_MAX,
                "brpc-p2c", "but rather than to none");
    test_close(&b);
}

static void test_la_weights(void)
{
    const double scale = (double)LA_SCALE;
    const double both[2] = {1, 1};
    sim_attempt *a;
    test_bench b;

    test_open(&b, &sim_policy_brpc_la, 1);
    test_value(-test_score(&b, 0), scale, "brpc-la", "the first: scale");
    test_request(&b, 10 * TEST_MS, SIM_SUCCESS);
    test_value(-test_score(&b, 0), floor(scale / 10000), "brpc-la",
               "qps 1 / latency after one answer");
    for (int i = 0; i < 500; i++)
        test_request(&b, 10 * TEST_MS, SIM_SUCCESS);
    test_value(-test_score(&b, 0), floor(scale * 100 / 10000), "brpc-la",
               "qps 100 / 10 ms");
    a = test_send(&b);
    test_wait(&b, 30 * TEST_MS);
    test_end(&b, test_send(&b), SIM_SUCCESS);
    test_value(-test_score(&b, 0), floor(floor(scale * 100 / 10000) / 2),
               "brpc-la",
               "half for an age of 3 x latency where 1.5 x is allowed");
    test_end(&b, a, SIM_CANCELLED);
    test_list(&b, both, 2);
    test_value(test_score(&b, 1), test_score(&b, 0), "brpc-la",
               "a new one has the mean");
    test_close(&b);
}

static void test_la_rate(void)
{
    const double scale = (double)LA_SCALE;
    test_bench b;

    test_open(&b, &sim_policy_brpc_la, 1);
    for (int i = 0; i < 5; i++) {
        test_wait(&b, 290 * TEST_MS);
        test_request(&b, 10 * TEST_MS, SIM_SUCCESS);
        if (i == 3)
            test_value(-test_score(&b, 0), floor(scale / 10000), "brpc-la",
                       "qps 1 as long as the answers span less than 1 s");
    }
    test_value(-test_score(&b, 0), floor(scale * (4 / 1.2) / 10000), "brpc-la",
               "then what it is");
    test_close(&b);
}

static void test_la_errors(void)
{
    const double scale = (double)LA_SCALE;
    sim_attempt *a;
    test_bench b;

    test_open(&b, &sim_policy_brpc_la, 1);
    test_request(&b, TEST_MS, SIM_FAILURE);
    test_value(-test_score(&b, 0), floor(scale / 1e6), "brpc-la",
               "an error at first: the timeout");
    test_request(&b, TEST_MS, SIM_FAILURE);
    test_value(-test_score(&b, 0), 1000, "brpc-la", "at least 1000");
    test_close(&b);

    test_open(&b, &sim_policy_brpc_la, 1);
    for (int i = 0; i < 129; i++)
        test_request(&b, 10 * TEST_MS, SIM_SUCCESS);
    test_request(&b, 10 * TEST_MS, SIM_FAILURE);
    /* 127 x 10 ms + 1 s over 127; 127 answers in 1.28 s. */
    test_value(-test_score(&b, 0),
               floor(scale * (127 / 1.28) / floor(2270000.0 / 127)), "brpc-la",
               "an error adds a timeout to the newest answer");
    test_close(&b);

    /* One is 10 times slower: its share is about a 100th, but not none. */
    test_open(&b, &sim_policy_brpc_la, 2);
    for (uint32_t i = 0, n = 0; i < 20000; i++) {
        a = test_send(&b);
        n += a->server == 1;
        test_wait(&b, a->server == 1 ? 10 * TEST_MS : TEST_MS);
        test_end(&b, a, SIM_SUCCESS);
        if (i == 19999)
            test_expect(n > 10 && n < 600, "brpc-la", "fast ones are favoured");
    }
    test_close(&b);
}

void test_policies_brpc(void)
{
    test_p2c();
    test_p2c_tried();
    test_la_weights();
    test_la_rate();
    test_la_errors();
}
