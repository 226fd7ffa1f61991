/* SPDX-License-Identifier: MIT */
/* The averages: tower, linkerd2-biaser, finagle, go-zero, kratos, c3. */
#include "test_sim_policies.h"

static void test_tower(void)
{
    const double e1 = exp(-1.0);
    sim_attempt *a;
    test_bench b;

    test_open(&b, &sim_policy_tower, 1);
    test_value(test_score(&b, 0), 30e6, "tower", "the seed is 30 ms");
    test_wait(&b, 10 * TEST_S);
    test_value(test_score(&b, 0), 30e6 * e1, "tower", "a read decays");
    test_wait(&b, 10 * TEST_S);
    test_value(test_score(&b, 0), 30e6 * e1 * e1, "tower", "and again");
    test_request(&b, 100 * TEST_MS, SIM_SUCCESS);
    test_value(test_score(&b, 0), 100e6, "tower", "a peak replaces it");
    a = test_send(&b);
    test_value(test_score(&b, 0), 200e6, "tower", "times pending + 1");
    test_wait(&b, TEST_MS);
    test_score(&b, 0);
    test_end(&b, a, SIM_FAILURE);
    test_value(test_score(&b, 0), 100e6 * exp(-1e-4), "tower",
               "a read leaves no weight to the next sample");
    a = test_send(&b);
    test_wait(&b, TEST_S);
    test_end(&b, a, SIM_CANCELLED);
    test_value(test_score(&b, 0), 1e9, "tower", "cancelled is a sample");
    test_close(&b);
}

static void test_linkerd_samples(void)
{
    const double e1 = exp(-1.0);
    sim_attempt *a;
    test_bench b;

    test_open(&b, &sim_policy_linkerd, 1);
    test_request(&b, 40 * TEST_MS, SIM_CONNECT_ERROR);
    test_value(test_score(&b, 0), 40e6, "linkerd2-biaser",
               "a refusal is its elapsed time");
    test_wait(&b, 10 * TEST_S - 20 * TEST_MS);
    test_request(&b, 20 * TEST_MS, SIM_SUCCESS);
    test_value(test_score(&b, 0), 20e6, "linkerd2-biaser",
               "more than the decayed value is a peak");
    a = test_send(&b);
    test_end_retry_after(&b, a, 100 * TEST_S);
    test_wait(&b, 10 * TEST_S);
    test_request(&b, 0, SIM_FAILURE);
    test_value(test_score(&b, 0), 100e9 * e1 * (2 - e1), "linkerd2-biaser",
               "an error is not less than the decayed value");
    test_close(&b);
}

static void test_linkerd(void)
{
    const double e1 = exp(-1.0);
    sim_attempt *a;
    test_bench b;

    test_open(&b, &sim_policy_linkerd, 1);
    test_value(test_score(&b, 0), 30e6, "linkerd2-biaser", "the seed");
    test_request(&b, 100 * TEST_MS, SIM_SUCCESS);
    test_wait(&b, 5 * TEST_S);
    test_value(test_score(&b, 0), 100e6 * sqrt(e1), "linkerd2-biaser",
               "decays by the time of the read");
    test_wait(&b, 5 * TEST_S - TEST_MS);
    test_request(&b, TEST_MS, SIM_SUCCESS);
    test_value(test_score(&b, 0), 100e6 * e1 + 1e6 * (1 - e1),
               "linkerd2-biaser", "a read has not stamped it");
    test_request(&b, TEST_MS, SIM_FAILURE);
    test_value(test_score(&b, 0), 5e9, "linkerd2-biaser", "an error is 5 s");
    a = test_send(&b);
    test_end_retry_after(&b, a, 60 * TEST_S);
    test_value(test_score(&b, 0), 60e9, "linkerd2-biaser", "Retry-After");
    a = test_send(&b);
    test_end_retry_after(&b, a, 1000 * TEST_S);
    test_value(test_score(&b, 0), 300e9, "linkerd2-biaser", "at most 300 s");
    test_request(&b, 0, SIM_FAILURE);
    test_value(test_score(&b, 0), 300e9, "linkerd2-biaser",
               "an error never lowers it");
    test_close(&b);
    test_linkerd_samples();
}

static void test_finagle(void)
{
    const double penalty = 140737488355327.0;
    sim_attempt *a, *c;
    test_bench b;

    test_open(&b, &sim_policy_finagle, 2);
    test_value(test_score(&b, 0), 0, "finagle", "not measured: free");
    a = test_send(&b);
    test_value(test_score(&b, a->server), penalty + 1, "finagle",
               "not measured and pending: the penalty");
    c = test_send(&b);
    test_expect(c->server != a->server, "finagle", "one each at first");
    test_wait(&b, 10 * TEST_MS);
    test_end(&b, a, SIM_SUCCESS);
    test_end(&b, c, SIM_SUCCESS);
    test_value(test_score(&b, 0), 10e6, "finagle", "measured");
    test_wait(&b, 10 * TEST_S);
    test_value(test_score(&b, 0), 10e6 * exp(-1.0), "finagle", "a read decays");
    b.now_ns -= 600 * TEST_S;
    test_value(test_score(&b, 0), 10e6 * exp(-1.0), "finagle",
               "its time does not run back");
    test_wait(&b, 10 * TEST_S);
    test_value(test_score(&b, 0), 10e6 * exp(-1.0), "finagle",
               "and stands until the clock has caught up");
    test_close(&b);
}

static void test_go_zero(void)
{
    const double both[2] = {1, 1};
    sim_attempt *a;
    test_bench b;

    test_open(&b, &sim_policy_go_zero, 1);
    test_value(test_score(&b, 0), 1, "go-zero", "not measured: 1");
    test_request(&b, 10 * TEST_MS, SIM_SUCCESS);
    test_value(test_score(&b, 0), 3162, "go-zero", "sqrt of 10 ms in ns");
    a = test_send(&b);
    test_value(test_score(&b, 0), 6324, "go-zero", "times in flight + 1");
    test_wait(&b, 90 * TEST_MS);
    test_end(&b, a, SIM_SUCCESS);
    test_value(
        test_score(&b, 0),
        floor(sqrt(1 + floor(10e6 * exp(-0.009) + 90e6 * (1 - exp(-0.009))))),
        "go-zero", "an average by time, not a peak");
    test_wait(&b, 100 * TEST_S);
    test_expect(test_score(&b, 0) > 3000, "go-zero", "no decay of a read");
    test_list(&b, both, 2);
    test_value(test_score(&b, 0), 1, "go-zero", "a new list forgets all");
    test_close(&b);
}

static void test_kratos(void)
{
    const double both[2] = {1, 1};
    sim_attempt *a[3];
    test_bench b;

    test_open(&b, &sim_policy_kratos, 1);
    test_value(test_score(&b, 0), 10e9 / 1000, "kratos", "not measured: 10 s");
    test_request(&b, 10 * TEST_MS, SIM_SUCCESS);
    test_value(test_score(&b, 0), 10e6 / 1000, "kratos", "measured");
    for (int i = 0; i < 2; i++)
        a[i] = test_send(&b);
    test_wait(&b, 30 * TEST_MS);
    test_value(test_score(&b, 0), 3 * 10e6 / 1000, "kratos",
               "two that are old predict nothing");
    a[2] = test_send(&b);
    test_wait(&b, 30 * TEST_MS);
    test_value(test_score(&b, 0), 4 * 50e6 / 1000, "kratos",
               "three that are old predict their mean age");
    test_wait(&b, 3 * TEST_MS);
    test_value(test_score(&b, 0), 4 * 50e6 / 1000, "kratos",
               "renewed after 5 ms, not before");
    test_end(&b, a[0], SIM_FAILURE);
    /* 63 ms after the last end. */
    test_value(test_score(&b, 0), 3 * 50e6 / floor(1000 * exp(-63.0 / 600)),
               "kratos", "less success, greater score");
    test_end(&b, a[1], SIM_CANCELLED);
    test_end(&b, a[2], SIM_SUCCESS);
    test_list(&b, both, 2);
    test_value(test_score(&b, 0), 10e9 / 1000, "kratos",
               "a new list forgets all");
    test_close(&b);
    test_open(&b, &sim_policy_kratos, 1);
    test_request(&b, 10 * TEST_MS, SIM_FAILURE);
    test_expect(test_score(&b, 0) >= HUGE_VAL, "kratos",
                "a failure at first: no weight at all");
    test_close(&b);
}

static void test_c3(void)
{
    sim_attempt *a;
    test_bench b;

    test_open_shared(&b, &sim_policy_c3, 2, 5);
    test_request(&b, 10 * TEST_MS, SIM_SUCCESS);
    test_value(test_score(&b, 0), 10e6, "c3", "both have the mean at first");
    test_value(test_score(&b, 1), 10e6, "c3", "both have the mean at first");
    a = test_send(&b);
    test_value(test_score(&b, a->server), 216 * 10e6, "c3",
               "(1 + outstanding x clients)^3");
    test_wait(&b, 20 * TEST_MS);
    test_end(&b, a, SIM_SUCCESS);
    test_close(&b);
    test_open(&b, &sim_policy_c3, 1);
    test_request(&b, 10 * TEST_MS, SIM_SUCCESS);
    test_request(&b, 20 * TEST_MS, SIM_SUCCESS);
    test_value(test_score(&b, 0), 13e6, "c3", "alpha 0.3");
    test_close(&b);
}

void test_policies_averages(void)
{
    test_tower();
    test_linkerd();
    test_finagle();
    test_go_zero();
    test_kratos();
    test_c3();
}
