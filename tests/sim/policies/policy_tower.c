/* SPDX-License-Identifier: MIT */
/*
 * tower's peak EWMA under p2c, as linkerd2-proxy sets it by default.
 *
 * estimate: a greater sample replaces it; else estimate w + sample (1 - w),
 * w = exp(-(now - stamp) / decay); stamp = now in both cases. cost = estimate x
 * (pending + 1). A read counts as a sample of 0: it decays the estimate and
 * stamps it, so that between two samples hardly any time has passed at real
 * rates, and the estimate is a maximum that fades rather than an average. All
 * ends are samples of their elapsed time, errors and cancelled ones included.
 * Two different endpoints at random, the first of a tie.
 *
 * Defaults: seed 30 ms, decay 10 s (linkerd2-proxy; tower itself has none).
 * Source: tower-rs/tower, tower/src/load/peak_ewma.rs,
 * tower/src/balance/p2c/service.rs; linkerd/linkerd2-proxy,
 * linkerd/app/core/src/control.rs. Ours differs: sampled at the end of the
 * answer (there at its first frame), one moment in the simulator; endpoints
 * are always ready; linkerd's circuit breaker is off, as by default.
 */
#include "policies.h"
#include "policy_util.h"

#define TOWER_SEED (30 * SIM_MS)
#define TOWER_DECAY (10 * SIM_S)

typedef struct tower_endpoint {
    sim_endpoint base;
    double estimate; /* ns */
    uint64_t stamp_ns;
} tower_endpoint;

static void tower_open(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    tower_endpoint *e = (tower_endpoint *)base;

    (void)pool;
    e->estimate = TOWER_SEED;
    e->stamp_ns = now_ns;
}

static void tower_sample(tower_endpoint *e, double value, uint64_t now_ns)
{
    double since = sim_since_ns(now_ns, e->stamp_ns);

    e->estimate = e->estimate < value
                      ? value
                      : sim_ema(e->estimate, value, since, TOWER_DECAY);
    e->stamp_ns = now_ns;
}

static double tower_cost(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    tower_endpoint *e = (tower_endpoint *)base;

    (void)pool;
    tower_sample(e, 0, now_ns);
    return e->estimate * (base->in_flight + 1);
}

static const sim_pool_kind tower_kind = {
    .pool_size = sizeof(sim_pool),
    .endpoint_size = sizeof(tower_endpoint),
    .open = tower_open,
    .score = tower_cost,
};

static void *tower_create(const sim_host *host)
{
    return sim_pool_new(&tower_kind, host);
}

static bool tower_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_endpoint *e = sim_pool_better_of_two(self, now_ns);

    return e != NULL && sim_pool_take(self, a, e, now_ns);
}

static void tower_done(void *self, sim_attempt *a, sim_outcome outcome,
                       uint64_t retry_after_ns, uint64_t now_ns)
{
    tower_endpoint *e = (tower_endpoint *)sim_pool_give_back(self, a);

    (void)outcome;
    (void)retry_after_ns;
    if (e != NULL)
        tower_sample(e, sim_elapsed_ns(a, now_ns), now_ns);
}

const sim_policy sim_policy_tower = {
    .name = "tower",
    .about = "peak EWMA under p2c, seed 30 ms, decay 10 s (linkerd2's default)",
    .source = "tower-rs/tower tower/src/load/peak_ewma.rs",
    .passive = true,
    .create = tower_create,
    .destroy = sim_pool_free,
    .update = sim_pool_update,
    .pick = tower_pick,
    .done = tower_done,
};
