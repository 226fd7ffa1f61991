/* SPDX-License-Identifier: MIT */
/* What go-zero, kratos, tower and finagle make of their averages. */
#include "test_sim_policies.h"

/* One of two answers at once, the other after 100 ms. Ends what is sent. */
static bool choices_one(test_bench *b, uint32_t slow)
{
    sim_attempt *a = test_send(b);
    bool hit = a->server == slow;

    test_wait(b, hit ? 100 * TEST_MS : TEST_MS);
    test_end(b, a, SIM_SUCCESS);
    return hit;
}

/* How many of the requests that follow within a time go to the slow one. */
static uint32_t choices_slow(const sim_policy *policy, uint64_t ns)
{
    uint32_t n = 0;
    uint64_t until;
    test_bench b;

    test_open(&b, policy, 2);
    for (int i = 0; i < 200; i++)
        choices_one(&b, 1);
    until = b.now_ns + ns;
    while (b.now_ns < until)
        n += choices_one(&b, 1);
    test_close(&b);
    return n;
}

static void test_forced(void)
{
    uint32_t n = choices_slow(&sim_policy_go_zero, 100 * TEST_S);

    test_expect(n >= 89 && n <= 100, "go-zero", "forced once a second or so");
    n = choices_slow(&sim_policy_kratos, 93 * TEST_S);
    test_expect(n >= 29 && n <= 31, "kratos", "forced once in 3 s or so");
    /* 100 ms fade to below 1 ms in 46 s; reads hold the fast one at 1 ms. */
    n = choices_slow(&sim_policy_tower, 100 * TEST_S);
    test_expect(n >= 1 && n <= 3, "tower", "asked again when it has faded");
}

/* Two of three have failed: go-zero draws up to 3 times for a good pair. */
static void test_go_zero_draws(void)
{
    test_bench b;
    uint32_t bad = 0;

    test_open(&b, &sim_policy_go_zero, 10);
    for (int i = 0; i < 20000; i++) {
        sim_attempt *a = test_send(&b);

        test_wait(&b, TEST_MS);
        bad += i >= 10000 && a->server == 0;
        test_end(&b, a, a->server == 0 ? SIM_FAILURE : SIM_SUCCESS);
    }
    /* A pair has it with 1/5; all of three with 1/125, and then it wins half
     * the time; and once a second or so it is forced. */
    test_expect(bad > 10 && bad < 120, "go-zero", "draws again for good ones");
    test_close(&b);
}

/* After an equal start, one peak moves all traffic from a server until it has
 * faded to the others' level: tau ln R. Both are read all the time. */
static void test_tower_return(void)
{
    sim_attempt *a, *c;
    uint32_t server;
    uint64_t begun;
    test_bench b;

    test_open(&b, &sim_policy_tower, 2);
    for (int i = 0; i < 2000; i++)
        test_request(&b, 2 * TEST_MS, SIM_SUCCESS);
    a = test_send(&b);
    c = test_send(&b);
    test_expect(a->server != c->server, "tower", "one each while one is out");
    test_wait(&b, 2 * TEST_MS);
    test_end(&b, c, SIM_SUCCESS);
    test_wait(&b, 998 * TEST_MS);
    begun = b.now_ns;
    server = a->server;
    test_end(&b, a, SIM_SUCCESS);
    while (test_request(&b, 2 * TEST_MS, SIM_SUCCESS) != server)
        if (b.now_ns - begun > 100 * TEST_S)
            break;
    test_expect(b.now_ns - begun > 61 * TEST_S &&
                    b.now_ns - begun < 64 * TEST_S,
                "tower", "a peak of 1 s over 2 ms costs 10 s x ln 500 = 62 s");
    test_close(&b);
}

void test_policies_choices(void)
{
    test_forced();
    test_go_zero_draws();
    test_tower_return();
}
