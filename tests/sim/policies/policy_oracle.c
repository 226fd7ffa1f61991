/* SPDX-License-Identifier: MIT */
/*
 * The oracle: knows the truth now, though not the future.
 *
 * Of all endpoints the least expected cost, ties at random:
 * cost = (1 - p) d + p T, d: true time until an answer to what arrives now,
 * made longer by own requests that are on their way and not in it yet; p: true
 * probability of failure; T: the deadline. What would not answer, or only
 * after the deadline, is a failure (p = 1), and of those the shorter d first.
 * A failure is worth a deadline, so that it avoids endpoints that fail without
 * overloading the rest for it.
 *
 * Made longer: each own request on its way counts as an eighth of d (the share
 * of a server with 8 workers); it is on its way for 0.1 ms, the simulator's
 * default one-way delay. Not a bound for any policy: it does not look ahead,
 * and knows nothing of other clients' requests on their way.
 */
#include "policies.h"
#include "policy_util.h"

#define ORACLE_TRANSIT (0.1 * SIM_MS)
#define ORACLE_SHARE 0.125
#define ORACLE_LAST 16

typedef struct oracle_endpoint {
    sim_endpoint base;
    uint64_t picked_ns[ORACLE_LAST]; /* the last picks, a ring */
    uint64_t picks;
} oracle_endpoint;

static uint32_t oracle_in_transit(const oracle_endpoint *e, uint64_t now_ns)
{
    uint32_t n = 0;

    while (n < ORACLE_LAST && n < e->picks) {
        uint64_t at = e->picked_ns[(e->picks - 1 - n) % ORACLE_LAST];
        double age = sim_since_ns(now_ns, at);

        if (age > ORACLE_TRANSIT || age < 0)
            break;
        n++;
    }
    return n;
}

static double oracle_cost(sim_pool *pool, sim_endpoint *e, uint64_t now_ns)
{
    const sim_host *host = &pool->host;
    uint32_t transit = oracle_in_transit((const oracle_endpoint *)e, now_ns);
    double delay = host->true_delay_ns(host->world, e->server);
    double failure = host->true_failure(host->world, e->server);
    double deadline = (double)host->timeout_ns;

    delay *= 1 + transit * ORACLE_SHARE;
    if (delay >= deadline)
        return deadline + delay;
    return (1 - failure) * delay + failure * deadline;
}

static const sim_pool_kind oracle_kind = {
    .pool_size = sizeof(sim_pool),
    .endpoint_size = sizeof(oracle_endpoint),
    .score = oracle_cost,
};

static void *oracle_create(const sim_host *host)
{
    return sim_pool_new(&oracle_kind, host);
}

static bool oracle_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_pool *pool = self;
    oracle_endpoint *best = NULL;
    double best_cost = 0;
    uint32_t ties = 0;

    for (uint32_t i = 0; i < pool->n; i++) {
        double cost = oracle_cost(pool, pool->list[i], now_ns);

        if (best == NULL || cost < best_cost)
            ties = 0;
        else if (cost > best_cost)
            continue;
        if (sim_random_below(&pool->random, ++ties) == 0)
            best = (oracle_endpoint *)pool->list[i];
        best_cost = cost;
    }
    if (best == NULL)
        return false;
    best->picked_ns[best->picks++ % ORACLE_LAST] = now_ns;
    return sim_pool_take(pool, a, &best->base, now_ns);
}

static void oracle_done(void *self, sim_attempt *a, sim_outcome outcome,
                        uint64_t retry_after_ns, uint64_t now_ns)
{
    (void)outcome;
    (void)retry_after_ns;
    (void)now_ns;
    sim_pool_give_back(self, a);
}

const sim_policy sim_policy_oracle = {
    .name = "oracle",
    .about = "knows the truth: least expected delay, a failure is a deadline",
    .source = "this project",
    .passive = false,
    .create = oracle_create,
    .destroy = sim_pool_free,
    .update = sim_pool_update,
    .pick = oracle_pick,
    .done = oracle_done,
};
