/* SPDX-License-Identifier: MIT */
/*
 * brpc's p2c (peak EWMA), of July 2026.
 *
 * score = max(ewma exp(-(now - stamp) / tau), 1 us) x (in flight + 1) / weight;
 * not measured: 1 us. Lower is better; a read changes nothing. Two different
 * ones at random, the first of a tie; with one or two endpoints all of them
 * from a random place. Servers this request has tried are left out as long as
 * there is another.
 * Sample: not less than ewma, it replaces it; else ewma w + sample (1 - w), w =
 * exp(-(now - stamp) / tau). A failure's sample is max(elapsed, timeout, 2
 * ewma), at most 30 s. Nothing is learned from an elapsed time of 0 or less.
 *
 * Units: whole microseconds. Defaults: choices 2, tau 10 s, punishment at most
 * 30 s. Source: apache/brpc, src/brpc/policy/p2c_ewma_load_balancer.cpp.
 *
 * Ours differs: a server that leaves and comes back while a call is in flight
 * there is left with -1 in flight, here it begins anew; brpc takes a server
 * that refuses a connection out until a connect, tried every 3 s, succeeds:
 * that is an active check, and left out; the circuit breaker is off, as by
 * default. All but success is a failure, a cancelled call too (ECANCELED).
 */
#include "policies.h"
#include "policy_util.h"

#define BRPC_TAU (10 * SIM_S)
#define BRPC_MIN_US 1.0
#define BRPC_PUNISH_MAX_US 30e6

typedef struct brpc_endpoint {
    sim_endpoint base;
    double ewma_us; /* whole; 0: not measured */
    uint64_t stamp_ns;
} brpc_endpoint;

static double brpc_score(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    const brpc_endpoint *e = (const brpc_endpoint *)base;
    double latency = e->ewma_us;

    (void)pool;
    latency *= sim_decay(sim_since_ns(now_ns, e->stamp_ns), BRPC_TAU);
    return fmax(latency, BRPC_MIN_US) * (base->in_flight + 1) / base->weight;
}

static const sim_pool_kind brpc_kind = {
    .pool_size = sizeof(sim_pool),
    .endpoint_size = sizeof(brpc_endpoint),
    .score = brpc_score,
};

static void *brpc_create(const sim_host *host)
{
    return sim_pool_new(&brpc_kind, host);
}

/* The better of what is best so far and another. */
static sim_endpoint *brpc_consider(sim_pool *pool, sim_endpoint *best,
                                   sim_endpoint *e, const sim_attempt *a,
                                   uint64_t now_ns)
{
    if (sim_tried(a, e->server))
        return best;
    if (best == NULL ||
        brpc_score(pool, e, now_ns) < brpc_score(pool, best, now_ns))
        return e;
    return best;
}

static sim_endpoint *brpc_choose(sim_pool *pool, const sim_attempt *a,
                                 uint64_t now_ns)
{
    sim_endpoint *best = NULL;
    uint32_t start = 0, i, j;

    if (pool->n > 2) {
        sim_two_of(&pool->random, pool->n, &i, &j);
        best = brpc_consider(pool, best, pool->list[i], a, now_ns);
        best = brpc_consider(pool, best, pool->list[j], a, now_ns);
    } else {
        start = sim_random_below(&pool->random, pool->n);
    }
    if (best != NULL)
        return best;
    for (i = 0; i < pool->n; i++)
        best = brpc_consider(pool, best, pool->list[(start + i) % pool->n], a,
                             now_ns);
    return best != NULL ? best : pool->list[0];
}

static bool brpc_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_pool *pool = self;

    if (pool->n == 0)
        return false;
    return sim_pool_take(pool, a, brpc_choose(pool, a, now_ns), now_ns);
}

static void brpc_done(void *self, sim_attempt *a, sim_outcome outcome,
                      uint64_t retry_after_ns, uint64_t now_ns)
{
    sim_pool *pool = self;
    brpc_endpoint *e = (brpc_endpoint *)sim_pool_give_back(pool, a);
    double latency = floor(sim_elapsed_ns(a, now_ns) / 1000);

    (void)retry_after_ns;
    if (e == NULL || latency <= 0)
        return;
    if (outcome != SIM_SUCCESS) {
        latency = fmax(latency, floor((double)pool->host.timeout_ns / 1000));
        latency = fmax(latency, 2 * e->ewma_us);
        latency = fmin(latency, BRPC_PUNISH_MAX_US);
    }
    if (e->ewma_us > 0 && latency < e->ewma_us)
        latency = floor(sim_ema(e->ewma_us, latency,
                                sim_since_ns(now_ns, e->stamp_ns), BRPC_TAU));
    e->ewma_us = latency;
    e->stamp_ns = now_ns;
}

const sim_policy sim_policy_brpc_p2c = {
    .name = "brpc-p2c",
    .about = "peak EWMA under p2c; a failure is at least a timeout long",
    .source = "apache/brpc src/brpc/policy/p2c_ewma_load_balancer.cpp",
    .passive = true,
    .create = brpc_create,
    .destroy = sim_pool_free,
    .update = sim_pool_update,
    .pick = brpc_pick,
    .done = brpc_done,
};
