/* SPDX-License-Identifier: MIT */
/* Those that know more than their own requests: Prequal and the oracle. */
#include "test_sim_policies.h"

static void informed_answer(test_bench *b, uint32_t server, double in_flight,
                            double ms)
{
    b->policy->probe_answer(b->self, server, in_flight, ms * SIM_MS, b->now_ns);
}

/* 0 .. 9 in flight have been seen: more than 8 is hot. Leaves one answer, of
 * this server, which is slow. */
static void informed_usual(test_bench *b, uint32_t server)
{
    for (int i = 0; i < 128; i++)
        informed_answer(b, server, i % 10, 50);
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
    informed_usual(&b, 19);
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
    n = 0;
    for (int i = 0; i < 4000; i++) {
        informed_answer(&b, 2, 0, 1);
        n += test_request(&b, 0, SIM_SUCCESS) == 2;
    }
    test_expect(n > 850 && n < 1150, "prequal",
                "one answer is too few: at random");
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

/* One more is taken out a request, the oldest and the worst in turn; at 20
 * servers uses are not limited. */
static void test_prequal_removal(void)
{
    uint32_t best = 0, fifth = 0;
    test_bench b;

    for (uint64_t seed = 0; seed < 200; seed++) {
        test_open(&b, &sim_policy_prequal, 20);
        b.policy->destroy(b.self);
        b.host.seed = seed;
        b.self = b.policy->create(&b.host);
        test_list(&b, (const double[20]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                         1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
                  20);
        informed_usual(&b, 19);
        for (uint32_t i = 4; i-- > 0;)
            informed_answer(&b, i, 0, 1 + i);
        for (int i = 0; i < 4; i++)
            best += test_request(&b, 0, SIM_SUCCESS) == 0;
        fifth += test_request(&b, 0, SIM_SUCCESS) == 0;
        test_close(&b);
    }
    test_expect(best == 800, "prequal", "the best stays until it is alone");
    test_expect(fifth < 30, "prequal", "then it is too few");
}

static void test_prequal_reuse(void)
{
    uint32_t used = 0;
    test_bench b;

    /* 64 servers: 2 / ((1 - 16 / 64) 3 - 1) = 1.6 uses. */
    test_open(&b, &sim_policy_prequal, 64);
    for (int turn = 0; turn < 1000; turn++) {
        informed_usual(&b, 63);
        for (uint32_t i = 10; i-- > 0;)
            informed_answer(&b, i, 0, 1 + i);
        while (test_request(&b, 0, SIM_SUCCESS) == 0)
            used++;
        test_wait(&b, 1001 * TEST_MS);
    }
    test_expect(used > 1550 && used < 1650, "prequal", "1.6 uses each");
    test_close(&b);
    /* Up to 8 in flight is cold; a use makes it 9. Uses are not limited. */
    test_open(&b, &sim_policy_prequal, 20);
    informed_usual(&b, 9);
    for (uint32_t i = 4; i-- > 0;)
        informed_answer(&b, i, i == 0 ? 8 : 1, 1 + i);
    test_expect(test_request(&b, 0, SIM_SUCCESS) == 0, "prequal", "cold yet");
    test_expect(test_request(&b, 0, SIM_SUCCESS) == 1, "prequal",
                "a use adds one in flight: hot");
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
    test_prequal_removal();
    test_prequal_reuse();
    test_oracle();
}
