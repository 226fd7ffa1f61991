/* SPDX-License-Identifier: MIT */
/*
 * Tests the rivals: facts of each, and what the simulator expects of all.
 *
 *   test_sim_policies [CALLS]
 *
 * CALLS random calls a policy, 100000 if it is not given.
 */
#include "test_sim_policies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned checks, failures;

bool test_expect(bool right, const char *where, const char *what)
{
    checks++;
    if (!right) {
        failures++;
        printf("FAILED: %s: %s\n", where, what);
    }
    return right;
}

bool test_value(double value, double expected, const char *where,
                const char *what)
{
    bool right = fabs(value - expected) <= 1e-9 * fabs(expected);

    if (!test_expect(right, where, what))
        printf("        is %.12g, should be %.12g\n", value, expected);
    return right;
}

static void bench_probe(void *world, uint32_t client, uint32_t server)
{
    test_bench *b = world;

    (void)client;
    if (b->n_probed < 64)
        b->probed[b->n_probed++] = server;
}

static double bench_delay(void *world, uint32_t server)
{
    return ((const test_bench *)world)->delay_ns[server];
}

static double bench_failure(void *world, uint32_t server)
{
    return ((const test_bench *)world)->failure[server];
}

void test_open_shared(test_bench *b, const sim_policy *policy, uint32_t n,
                      uint32_t n_clients)
{
    double weights[64];

    memset(b, 0, sizeof *b);
    for (uint32_t i = 0; i < 64; i++) {
        weights[i] = 1;
        b->delay_ns[i] = 10 * SIM_MS;
    }
    b->policy = policy;
    b->now_ns = 1000 * TEST_S;
    b->ticked_ns = b->now_ns;
    b->host = (sim_host){
        .world = b,
        .n_clients = n_clients,
        .seed = 42,
        .timeout_ns = TEST_S,
        .send_probe = bench_probe,
        .true_delay_ns = bench_delay,
        .true_failure = bench_failure,
    };
    b->self = policy->create(&b->host);
    if (b->self == NULL) {
        fprintf(stderr, "test_sim_policies: no %s\n", policy->name);
        exit(2);
    }
    test_list(b, weights, n);
}

void test_open(test_bench *b, const sim_policy *policy, uint32_t n)
{
    test_open_shared(b, policy, n, 1);
}

void test_close(test_bench *b)
{
    b->policy->destroy(b->self);
}

void test_list(test_bench *b, const double *weights, uint32_t n)
{
    sim_member members[64];
    uint32_t listed = 0;

    for (uint32_t i = 0; i < n; i++)
        if (weights[i] > 0)
            members[listed++] = (sim_member){i, weights[i], true};
    b->policy->update(b->self, members, listed, b->now_ns);
}

sim_attempt *test_send(test_bench *b)
{
    sim_attempt *a = sim_need(1, sizeof *a);

    a->request = b->requests++;
    a->tried = b->tried;
    a->n_tried = b->n_tried;
    a->deadline_ns = b->now_ns + b->host.timeout_ns;
    a->cost = 1;
    if (!b->policy->pick(b->self, a, b->now_ns)) {
        free(a);
        return NULL;
    }
    a->picked_ns = b->now_ns;
    return a;
}

void test_end(test_bench *b, sim_attempt *a, sim_outcome outcome)
{
    b->policy->done(b->self, a, outcome, 0, b->now_ns);
    free(a);
}

void test_end_retry_after(test_bench *b, sim_attempt *a, uint64_t retry_after)
{
    b->policy->done(b->self, a, SIM_OVERLOAD, retry_after, b->now_ns);
    free(a);
}

void test_wait(test_bench *b, uint64_t ns)
{
    uint64_t until = b->now_ns + ns;

    while (b->ticked_ns + 100 * TEST_MS <= until) {
        b->ticked_ns += 100 * TEST_MS;
        b->now_ns = b->ticked_ns;
        if (b->policy->tick != NULL)
            b->policy->tick(b->self, b->now_ns);
    }
    b->now_ns = until;
}

uint32_t test_request(test_bench *b, uint64_t ns, sim_outcome outcome)
{
    sim_attempt *a = test_send(b);
    uint32_t server;

    if (a == NULL)
        return UINT32_MAX;
    server = a->server;
    test_wait(b, ns);
    test_end(b, a, outcome);
    return server;
}

sim_attempt *test_send_to(test_bench *b, uint32_t server)
{
    for (int i = 0; i < 1000; i++) {
        sim_attempt *a = test_send(b);

        if (a == NULL)
            return NULL;
        if (a->server == server)
            return a;
        test_end(b, a, SIM_CANCELLED);
    }
    return NULL;
}

uint32_t test_share(test_bench *b, uint32_t server, uint32_t requests,
                    uint64_t ns)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < requests; i++)
        n += test_request(b, ns, SIM_SUCCESS) == server;
    return n;
}

double test_score(test_bench *b, uint32_t server)
{
    sim_pool *pool = b->self;

    return pool->kind->score(pool, sim_pool_find(pool, server), b->now_ns);
}

uint32_t test_in_flight(test_bench *b, uint32_t server)
{
    return sim_pool_find(b->self, server)->in_flight;
}

uint32_t test_ejected(test_bench *b)
{
    uint64_t ejections;

    return b->policy->n_ejected(b->self, &ejections);
}

/* What all must do, whatever they are. */
static void contract(const sim_policy *policy)
{
    static const double none[2] = {0, 0}, second[2] = {0, 1}, both[2] = {1, 1};
    const char *name = policy->name;
    sim_attempt *first, *last;
    test_bench b;

    test_open(&b, policy, 1);
    test_expect(test_share(&b, 0, 100, TEST_MS) == 100, name,
                "one server takes all");
    first = test_send(&b);
    test_list(&b, none, 2);
    test_expect(test_send(&b) == NULL, name, "an empty list refuses");
    test_list(&b, second, 2);
    last = test_send(&b);
    test_expect(last != NULL && last->server == 1, name,
                "the new one takes it");
    test_list(&b, both, 2);
    test_wait(&b, TEST_MS);
    test_end(&b, first, SIM_SUCCESS);
    test_end(&b, last, SIM_FAILURE);
    for (int i = 0; i < 100; i++)
        test_expect(test_request(&b, TEST_MS, SIM_SUCCESS) < 2, name,
                    "two servers take all");
    first = test_send(&b);
    test_expect(first != NULL, name, "a last one, which is never ended");
    test_close(&b);
    free(first);
    test_expect(policy->about[0] != '\0' && policy->source[0] != '\0', name,
                "has an about and a source");
    test_expect(sim_policy_find(name) == policy, name, "is found");
}

int main(int argc, char **argv)
{
    long calls = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
    size_t n = 0;

    if (argc > 2 || calls < 1 || calls > 100000000) {
        fputs("usage: test_sim_policies [CALLS]\n", stderr);
        return 2;
    }
    for (; sim_policies[n] != NULL; n++) {
        contract(sim_policies[n]);
        test_policies_script(sim_policies[n], 1 + n, (uint32_t)calls);
    }
    test_policies_script(&sim_policy_nginx_busy, 1 + n, (uint32_t)calls);
    test_expect(n == 19, "registry", "has 19 policies");
    test_expect(sim_policies[0] == &sim_policy_ilb, "registry", "libilb first");
    test_expect(sim_policies[n - 1] == &sim_policy_oracle, "registry",
                "the oracle last");
    test_expect(sim_policy_find("nonsense") == NULL, "registry",
                "does not find nonsense");
    test_policies_simple();
    test_policies_averages();
    test_policies_choices();
    test_policies_brpc();
    test_policies_health();
    test_policies_accrual();
    test_policies_informed();
    printf("%u checks, %u failures\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
