/* SPDX-License-Identifier: MIT */
/*
 * linkerd2-proxy's load biaser: peak EWMA in which a failure is a long answer.
 *
 * cost = v exp(-(now - stamp) / decay) x (pending + 1), and a read changes
 * nothing. A sample greater than the decayed v replaces it; else v = v w +
 * sample (1 - w), w = exp(-(now - stamp) / decay), nothing if no time has
 * passed. An error counts as 5 s; overload as its Retry-After, at least 5 s and
 * at most 300 s; neither as less than the decayed v. Success, refusal, timeout
 * and cancelled count as their elapsed time. Two different endpoints at
 * random, the first of a tie.
 *
 * Defaults: seed 30 ms, decay 10 s, penalty 5 s. Source: linkerd/linkerd2-proxy
 * linkerd/load-biaser/src/lib.rs, linkerd/ewma/src/lib.rs (opt-in by an
 * annotation). Ours differs: as in policy_tower.c.
 */
#include "policies.h"
#include "policy_util.h"

#define LINKERD_SEED (30 * SIM_MS)
#define LINKERD_DECAY (10 * SIM_S)
#define LINKERD_PENALTY (5 * SIM_S)
#define LINKERD_RETRY_AFTER_MAX (300 * SIM_S)

typedef struct linkerd_endpoint {
    sim_endpoint base;
    double value; /* ns */
    uint64_t stamp_ns;
} linkerd_endpoint;

static void linkerd_open(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    linkerd_endpoint *e = (linkerd_endpoint *)base;

    (void)pool;
    e->value = LINKERD_SEED;
    e->stamp_ns = now_ns;
}

static double linkerd_decayed(const linkerd_endpoint *e, uint64_t now_ns)
{
    return e->value *
           sim_decay(sim_since_ns(now_ns, e->stamp_ns), LINKERD_DECAY);
}

static double linkerd_cost(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    (void)pool;
    return linkerd_decayed((linkerd_endpoint *)base, now_ns) *
           (base->in_flight + 1);
}

static const sim_pool_kind linkerd_kind = {
    .pool_size = sizeof(sim_pool),
    .endpoint_size = sizeof(linkerd_endpoint),
    .open = linkerd_open,
    .score = linkerd_cost,
};

static void *linkerd_create(const sim_host *host)
{
    return sim_pool_new(&linkerd_kind, host);
}

static bool linkerd_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_endpoint *e = sim_pool_better_of_two(self, now_ns);

    return e != NULL && sim_pool_take(self, a, e, now_ns);
}

static void linkerd_sample(linkerd_endpoint *e, double value, uint64_t now_ns)
{
    double since = sim_since_ns(now_ns, e->stamp_ns);

    if (linkerd_decayed(e, now_ns) < value)
        e->value = value;
    else if (since > 0)
        e->value = sim_ema(e->value, value, since, LINKERD_DECAY);
    else
        return;
    e->stamp_ns = now_ns;
}

static void linkerd_done(void *self, sim_attempt *a, sim_outcome outcome,
                         uint64_t retry_after_ns, uint64_t now_ns)
{
    linkerd_endpoint *e = (linkerd_endpoint *)sim_pool_give_back(self, a);
    double value = sim_elapsed_ns(a, now_ns);

    if (e == NULL)
        return;
    if (outcome == SIM_FAILURE || outcome == SIM_OVERLOAD) {
        value = LINKERD_PENALTY;
        if (outcome == SIM_OVERLOAD)
            value = fmax(value,
                         fmin((double)retry_after_ns, LINKERD_RETRY_AFTER_MAX));
        value = fmax(value, linkerd_decayed(e, now_ns));
    }
    linkerd_sample(e, value, now_ns);
}

const sim_policy sim_policy_linkerd = {
    .name = "linkerd2-biaser",
    .about = "peak EWMA under p2c in which a failure counts as 5 s",
    .source = "linkerd/linkerd2-proxy linkerd/load-biaser/src/lib.rs",
    .passive = true,
    .create = linkerd_create,
    .destroy = sim_pool_free,
    .update = sim_pool_update,
    .pick = linkerd_pick,
    .done = linkerd_done,
};
