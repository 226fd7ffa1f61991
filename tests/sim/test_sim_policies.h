/* SPDX-License-Identifier: MIT */
/* The parts of the program test_sim_policies. */
#ifndef TEST_SIM_POLICIES_H
#define TEST_SIM_POLICIES_H

#include "policies/policies.h"
#include "policies/policy_util.h"

#define TEST_MS UINT64_C(1000000)
#define TEST_S UINT64_C(1000000000)

/* Counts, and prints what went wrong where. True if it went right. */
bool test_expect(bool right, const char *where, const char *what);

/* The same of a value, equal to within 1e-9 of itself. */
bool test_value(double value, double expected, const char *where,
                const char *what);

/* A policy and a clock. */
typedef struct test_bench {
    const sim_policy *policy;
    void *self;
    sim_host host;
    uint64_t now_ns;
    uint64_t ticked_ns;
    uint64_t requests;
    const uint32_t *tried; /* of the next attempt */
    uint32_t n_tried;

    /* What the policy asked for. */
    uint32_t probed[64];
    uint32_t n_probed;
    double delay_ns[64]; /* the truth, by server; 10 ms at first */
    double failure[64];
} test_bench;

/* With servers 0 .. n-1 of weight 1, ready. Timeout 1 s, 1 client. */
void test_open(test_bench *b, const sim_policy *policy, uint32_t n);
void test_open_shared(test_bench *b, const sim_policy *policy, uint32_t n,
                      uint32_t n_clients);
void test_close(test_bench *b);

/* Lists those with a weight above 0. */
void test_list(test_bench *b, const double *weights, uint32_t n);

/* NULL: refused. */
sim_attempt *test_send(test_bench *b);

void test_end(test_bench *b, sim_attempt *a, sim_outcome outcome);
void test_end_retry_after(test_bench *b, sim_attempt *a, uint64_t retry_after);

/* Time goes by, with ticks. */
void test_wait(test_bench *b, uint64_t ns);

/* Sends, waits, ends; where it went, or UINT32_MAX. */
uint32_t test_request(test_bench *b, uint64_t ns, sim_outcome outcome);

/* Requests until one goes to the server, each ended at once as cancelled but
 * that one. NULL: none of 1000 did. Cancelled ones teach most rivals nothing.
 */
sim_attempt *test_send_to(test_bench *b, uint32_t server);

/* How many of so many requests go to the server, each ended after `ns`. */
uint32_t test_share(test_bench *b, uint32_t server, uint32_t requests,
                    uint64_t ns);

/* What the policy compares by; only of policies made of a sim_pool. */
double test_score(test_bench *b, uint32_t server);
uint32_t test_in_flight(test_bench *b, uint32_t server);
uint32_t test_ejected(test_bench *b);

void test_policies_simple(void);
void test_policies_averages(void);
void test_policies_choices(void);
void test_policies_brpc(void);
void test_policies_health(void);
void test_policies_accrual(void);
void test_policies_informed(void);
void test_policies_script(const sim_policy *policy, uint64_t seed,
                          uint32_t calls);

#endif
