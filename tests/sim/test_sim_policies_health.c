/* SPDX-License-Identifier: MIT */
/* Who is out and who comes back: nginx and Envoy. */
#include "policies/policy_envoy_outlier.h"
#include "test_sim_policies.h"

/* Sends to the server until one of so many goes there; fails it. */
static void health_fail(test_bench *b, uint32_t server, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        sim_attempt *a = test_send_to(b, server);

        if (!test_expect(a != NULL, b->policy->name, "can still be reached"))
            return;
        test_end(b, a, SIM_FAILURE);
    }
}

static void test_nginx_one(void)
{
    sim_attempt *a;
    test_bench b;

    test_open(&b, &sim_policy_nginx, 3);
    health_fail(&b, 0, 1);
    test_expect(test_ejected(&b) == 1, "nginx", "one strike and out");
    test_expect(test_share(&b, 0, 1000, 10 * TEST_MS) == 0, "nginx",
                "nothing for 10 s");
    test_wait(&b, 1100 * TEST_MS);
    a = test_send_to(&b, 0);
    test_expect(a != NULL, "nginx", "let in again after more than 10 s");
    test_expect(test_share(&b, 0, 500, TEST_MS) == 0, "nginx",
                "one alone until it has ended");
    test_end(&b, a, SIM_SUCCESS);
    test_expect(test_share(&b, 0, 500, TEST_MS) > 100, "nginx",
                "then a share as all");
    health_fail(&b, 0, 1);
    test_wait(&b, 12 * TEST_S);
    health_fail(&b, 0, 1);
    test_expect(test_share(&b, 0, 1000, 9 * TEST_MS) == 0, "nginx",
                "a bad trial: out again");
    test_close(&b);
}

static void test_nginx_all(void)
{
    sim_attempt *a[3];
    uint32_t n;
    test_bench b;

    test_open(&b, &sim_policy_nginx, 3);
    for (uint32_t i = 0; i < 3; i++)
        a[i] = test_send_to(&b, i);
    for (uint32_t i = 0; i < 3; i++)
        test_end(&b, a[i], SIM_CONNECT_ERROR);
    test_expect(test_ejected(&b) == 3, "nginx", "all have failed");
    n = test_share(&b, 0, 900, TEST_MS);
    test_expect(n > 200 && n < 400, "nginx", "all are tried again");
    test_expect(test_ejected(&b) == 0, "nginx", "and none is out");
    test_close(&b);

    test_open(&b, &sim_policy_nginx_busy, 3);
    for (uint32_t i = 0; i < 3; i++)
        a[i] = test_send_to(&b, i);
    for (uint32_t i = 0; i < 3; i++)
        test_end(&b, a[i], SIM_TIMEOUT);
    test_expect(test_request(&b, 0, SIM_SUCCESS) == UINT32_MAX, "nginx-busy",
                "refuses when all have failed");
    test_wait(&b, 11500 * TEST_MS);
    test_expect(test_request(&b, 0, SIM_SUCCESS) != UINT32_MAX, "nginx-busy",
                "until the time is over");
    test_close(&b);

    test_open(&b, &sim_policy_nginx, 1);
    test_request(&b, TEST_MS, SIM_FAILURE);
    test_expect(test_ejected(&b) == 0, "nginx", "the only one never fails");
    test_close(&b);
}

static void test_envoy_threshold(void)
{
    static const double rates[5] = {50, 100, 100, 100, 100};
    static const double five[5] = {99.9, 100, 100, 100, 100};
    static const double two[5] = {50, 50, 100, 100, 100};

    test_value(sim_envoy_threshold(rates, 5), 52, "envoy",
               "{50, 100, 100, 100, 100}: mean 90, sd 20, threshold 52");
    test_expect(sim_envoy_threshold(five, 5) > 99.9, "envoy",
                "one of five is out whatever the gap");
    test_expect(sim_envoy_threshold(two, 5) < 50, "envoy",
                "two of five are never out");
}

static void test_envoy_longest(void)
{
    envoy_monitor m = {.ejected = true, .multiplier = 20, .ejected_ns = TEST_S};
    envoy_monitor *const monitors[1] = {&m};
    envoy_detector d = {.next_ns = TEST_S};

    sim_envoy_interval(&d, monitors, 1, 300 * TEST_S);
    test_expect(m.ejected, "envoy", "not back after 299 s");
    sim_envoy_interval(&d, monitors, 1, 310 * TEST_S);
    test_expect(!m.ejected, "envoy", "300 s is the longest");
}

static void test_envoy_tried(void)
{
    const uint32_t tried = 1;
    test_bench b;
    uint32_t n;

    test_open(&b, &sim_policy_envoy, 2);
    b.tried = &tried;
    b.n_tried = 1;
    n = test_share(&b, 1, 6400, 0);
    test_expect(n > 50 && n < 150, "envoy", "drawn 6 times: 1/64");
    test_close(&b);
}

static void test_envoy_consecutive(void)
{
    const double one[2] = {1, 0};
    test_bench b;

    test_open(&b, &sim_policy_envoy, 10);
    health_fail(&b, 0, 4);
    test_end(&b, test_send_to(&b, 0), SIM_SUCCESS);
    health_fail(&b, 0, 4);
    test_expect(test_ejected(&b) == 0, "envoy", "four in a row are few");
    health_fail(&b, 0, 1);
    test_expect(test_ejected(&b) == 1, "envoy", "the fifth ejects");
    health_fail(&b, 1, 12);
    test_expect(test_ejected(&b) == 1, "envoy", "one of ten, no more");
    test_expect(test_share(&b, 0, 2900, 10 * TEST_MS) == 0, "envoy",
                "nothing for 29 s");
    test_wait(&b, 2 * TEST_S);
    test_expect(test_ejected(&b) == 0, "envoy", "back at a sweep after 30 s");
    test_expect(test_share(&b, 0, 1000, 0) > 50, "envoy", "at once in full");
    health_fail(&b, 0, 5);
    test_expect(test_share(&b, 0, 5900, 10 * TEST_MS) == 0, "envoy",
                "60 s the second time");
    test_wait(&b, 12 * TEST_S);
    test_expect(test_ejected(&b) == 0, "envoy", "back again");
    test_wait(&b, 60 * TEST_S);
    health_fail(&b, 0, 5);
    test_wait(&b, 42 * TEST_S);
    test_expect(test_ejected(&b) == 0, "envoy", "30 s again after good times");
    test_list(&b, one, 2);
    health_fail(&b, 0, 5);
    test_expect(test_ejected(&b) == 1, "envoy", "one may always be ejected");
    test_expect(test_request(&b, 0, SIM_SUCCESS) == 0, "envoy",
                "panic: below 50 % healthy all are used");
    test_close(&b);
}

static void test_envoy_panic(void)
{
    test_bench b;

    test_open(&b, &sim_policy_envoy, 2);
    health_fail(&b, 0, 5);
    test_expect(test_share(&b, 1, 100, 0) == 100, "envoy",
                "half healthy is no panic");
    test_close(&b);
    test_open(&b, &sim_policy_envoy, 30);
    for (uint32_t i = 0; i < 30; i++)
        health_fail(&b, i, 5);
    test_expect(test_ejected(&b) == 3, "envoy", "10 % of 30");
    test_close(&b);
}

/* Requests of one interval, of which server 0 fails every second. */
static uint32_t health_interval(uint32_t servers, uint32_t each, uint64_t back)
{
    sim_attempt *a;
    uint32_t ejected;
    test_bench b;

    test_open(&b, &sim_policy_envoy, servers);
    test_wait(&b, 11 * TEST_S);
    b.now_ns -= back;
    b.ticked_ns -= back;
    test_wait(&b, TEST_S);
    for (uint32_t i = 0; i < servers; i++)
        for (uint32_t j = 0; j < each; j++) {
            a = test_send_to(&b, i);
            test_end(&b, a, i == 0 && j % 2 == 0 ? SIM_FAILURE : SIM_SUCCESS);
        }
    test_wait(&b, 10 * TEST_S);
    ejected = test_ejected(&b);
    test_close(&b);
    return ejected;
}

void test_policies_health(void)
{
    test_nginx_one();
    test_nginx_all();
    test_envoy_threshold();
    test_envoy_consecutive();
    test_envoy_panic();
    test_envoy_longest();
    test_envoy_tried();
    test_expect(health_interval(5, 100, 0) == 1, "envoy",
                "success rate ejects");
    test_expect(health_interval(5, 99, 0) == 0, "envoy",
                "not below 100 requests each");
    test_expect(health_interval(4, 100, 0) == 0, "envoy", "not below 5 hosts");
    test_expect(health_interval(5, 100, 600 * TEST_S) == 1, "envoy",
                "sweeps go on when the clock has gone back");
}
