/* SPDX-License-Identifier: MIT */
/* Those that know more than their own requests: Prequal and the oracle. */
#include "test_sim_policies.h"

static void informed_answer(test_bench *b, uint32_t server, double in_flight,
                            double ms)
{
    b->policy->probe_answer(b->self, server, in_flight, ms * SIM_MS, b->now_ns);
}

static void test_prequal_probes(void)
{
    test_bench b;

    test_open(&b, &sim_policy_prequal, 10);
    for (int i = 0; i < 20; i++) {
        b.n_probed = 0;
        test_request(&b, TEST_MS, SIM_SUCCESS);
        test_expect(b.n_probed == 3 && b.probed[0] != b.probed[1] &&
                        b.probed[1] != b.probed[2] &&
                        b.probed[0] != b.probed[2],
                    "prequal", "3 probes a request, to different servers");
    }
    test_close(&b);
    test_open(&b, &sim_policy_prequal, 2);
    test_request(&b, TEST_MS, SIM_SUCCESS);
    test_expect(b.n_probed == 2, "prequal", "no more probes than servers");
    test_close(&b);
}

/* Which one does it choose of five, and then? Removal takes one a request. */
static uint32_t informed_choice(const double *in_flight, const double *ms)
{
    uint32_t server;
    test_bench b;

    test_open(&b, &sim_policy_prequal, 20);
    /* What is usual: 0 .. 9 in flight, so that more than 8 is hot. */
    for (int i = 0; i < 128; i++)
        informed_answer(&b, 19, i % 10, 1);
    for (uint32_t i = 0; i < 5; i++)
        informed_answer(&b, i, in_flight[i], ms[i]);
    informed_answer(&b, 19, 100, 1000);
    server = test_request(&b, 0, SIM_SUCCESS);
    test_close(&b);
    return server;
}

static void test_prequal_choice(void)
{
    static const double cold[5] = {1, 2, 3, 8, 4}, mixed[5] = {9, 2, 9, 9, 9};
    static const double hot[5] = {12, 11, 10, 14, 13};
    static const double ms[5] = {3, 2, 5, 1, 4};

    test_expect(informed_choice(cold, ms) == 3, "prequal",
                "all cold: the least latency, not the least in flight");
    test_expect(informed_choice(mixed, ms) == 1, "prequal",
                "the cold one though a hot one is faster");
    test_expect(informed_choice(hot, ms) == 2, "prequal",
                "all hot: the least in flight");
}

static void test_prequal_pool(void)
{
    test_bench b;
    uint32_t n;

    test_open(&b, &sim_policy_prequal, 4);
    informed_answer(&b, 2, 0, 1);
    n = test_share(&b, 2, 4000, 0);
    test_expect(n > 850 && n < 1150, "prequal",
                "one answer is too few: at random");
    informed_answer(&b, 2, 0, 1);
    informed_answer(&b, 3, 0, 2);
    test_wait(&b, 1001 * TEST_MS);
    n = 0;
    for (int i = 0; i < 200; i++) {
        informed_answer(&b, 2, 0, 1);
        informed_answer(&b, 3, 0, 2);
        test_wait(&b, 1001 * TEST_MS);
        n += test_request(&b, 0, SIM_SUCCESS) == 2;
    }
    test_expect(n > 25 && n < 80, "prequal", "old ones are forgotten");
    n = 0;
    for (int i = 0; i < 100; i++) {
        informed_answer(&b, 2, 0, 1);
        informed_answer(&b, 3, 0, 2);
        n += test_request(&b, 0, SIM_SUCCESS) == 2;
    }
    test_expect(n == 100, "prequal", "new ones are used");
    informed_answer(&b, 63, 0, 0);
    test_expect(test_request(&b, 0, SIM_SUCCESS) < 4, "prequal",
                "answers of strangers are dropped");
    test_close(&b);
}

static void test_oracle(void)
{
    test_bench b;
    uint32_t n;

    test_open(&b, &sim_policy_oracle, 4);
    b.delay_ns[2] = 9 * SIM_MS;
    test_expect(test_share(&b, 2, 100, TEST_MS) == 100, "oracle",
                "the least delay");
    b.delay_ns[2] = 1 * SIM_MS;
    b.failure[2] = 1;
    n = test_share(&b, 2, 1000, TEST_MS);
    test_expect(n == 0, "oracle", "not one that fails");
    n = test_share(&b, 1, 900, TEST_MS);
    test_expect(n > 240 && n < 360, "oracle", "ties at random");
    b.failure[2] = 0.1;
    b.delay_ns[0] = b.delay_ns[1] = b.delay_ns[3] = 200 * SIM_MS;
    test_expect(test_share(&b, 2, 100, TEST_MS) == 100, "oracle",
                "but rather a tenth of a deadline than a long wait");
    for (int i = 0; i < 4; i++)
        b.delay_ns[i] = HUGE_VAL;
    test_expect(test_request(&b, TEST_MS, SIM_TIMEOUT) < 4, "oracle",
                "one of the dead if all are");
    for (int i = 0; i < 4; i++)
        b.delay_ns[i] = 10 * SIM_MS;
    b.delay_ns[1] = 9 * SIM_MS;
    n = test_request(&b, 0, SIM_SUCCESS);
    test_expect(n == 1 && test_request(&b, 0, SIM_SUCCESS) != 1, "oracle",
                "counts what is on its way");
    test_close(&b);
}

void test_policies_informed(void)
{
    test_prequal_probes();
    test_prequal_choice();
    test_prequal_pool();
    test_oracle();
}
