/* SPDX-License-Identifier: MIT */
/*
 * go-zero's p2c_ewma.
 *
 * load = floor(sqrt(lag + 1)) x (in flight + 1), lag in ns.
 * On an end, td = time since the last end: w = exp(-td / 10 s), 0 at the
 * first; lag = lag w + elapsed (1 - w); success the same of 1000 or 0, from
 * 1000 on. Whole numbers, cut off.
 * Two different endpoints, drawn anew up to 3 times until both have success >
 * 500; the lower load, the first of a tie. If the other has not been picked
 * for more than 1 s, that one instead. Two endpoints: always these two, in
 * their order. One: that.
 *
 * Source: zeromicro/go-zero, zrpc/internal/balancer/p2c/p2c.go. There a change
 * of the list makes a new picker, and all is forgotten: so here. Failures are
 * errors, overload, refusals and timeouts; a cancelled request counts as good,
 * with its elapsed time (codes.Acceptable). Ours differs: gRPC takes an
 * endpoint whose connection breaks out of the list until it has reconnected,
 * which is the connection's doing; the simulator's clients have none, for any
 * policy. No weights there, none here.
 */
#include "policies.h"
#include "policy_util.h"

#define GO_ZERO_DECAY (10 * SIM_S)
#define GO_ZERO_FORCE (1 * SIM_S)
#define GO_ZERO_GOOD 1000
#define GO_ZERO_THROTTLE 500
#define GO_ZERO_DRAWS 3

typedef struct go_zero_endpoint {
    sim_endpoint base;
    uint64_t lag; /* ns; 0: not measured */
    uint64_t success;
    uint64_t ended_ns;
    uint64_t picked_ns;
    bool picked; /* before, at all */
} go_zero_endpoint;

static void go_zero_open(sim_pool *pool, sim_endpoint *e, uint64_t now_ns)
{
    (void)pool;
    ((go_zero_endpoint *)e)->success = GO_ZERO_GOOD;
    ((go_zero_endpoint *)e)->ended_ns = now_ns;
}

static double go_zero_load(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    const go_zero_endpoint *e = (const go_zero_endpoint *)base;

    (void)pool;
    (void)now_ns;
    return floor(sqrt((double)e->lag + 1)) * (base->in_flight + 1);
}

static const sim_pool_kind go_zero_kind = {
    .pool_size = sizeof(sim_pool),
    .endpoint_size = sizeof(go_zero_endpoint),
    .forgets = true,
    .open = go_zero_open,
    .score = go_zero_load,
};

static void *go_zero_create(const sim_host *host)
{
    return sim_pool_new(&go_zero_kind, host);
}

/* A new one has never been picked: its start lies a year back there. */
static bool go_zero_long_unpicked(const go_zero_endpoint *e, uint64_t now_ns)
{
    return !e->picked || sim_since_ns(now_ns, e->picked_ns) > GO_ZERO_FORCE;
}

static go_zero_endpoint *go_zero_choose(sim_pool *pool, uint32_t i, uint32_t j,
                                        uint64_t now_ns)
{
    go_zero_endpoint *a = (go_zero_endpoint *)pool->list[i];
    go_zero_endpoint *b = (go_zero_endpoint *)pool->list[j];

    if (go_zero_load(pool, &a->base, now_ns) >
        go_zero_load(pool, &b->base, now_ns)) {
        go_zero_endpoint *other = a;

        a = b;
        b = other;
    }
    return go_zero_long_unpicked(b, now_ns) ? b : a;
}

static bool go_zero_healthy(const sim_endpoint *e)
{
    return ((const go_zero_endpoint *)e)->success > GO_ZERO_THROTTLE;
}

static bool go_zero_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_pool *pool = self;
    uint32_t i = 0, j = 1;
    go_zero_endpoint *e;

    if (pool->n == 0)
        return false;
    for (int draw = 0; draw < GO_ZERO_DRAWS && pool->n > 2; draw++) {
        sim_two_of(&pool->random, pool->n, &i, &j);
        if (go_zero_healthy(pool->list[i]) && go_zero_healthy(pool->list[j]))
            break;
    }
    e = pool->n == 1 ? (go_zero_endpoint *)pool->list[0]
                     : go_zero_choose(pool, i, j, now_ns);
    e->picked_ns = now_ns;
    e->picked = true;
    return sim_pool_take(pool, a, &e->base, now_ns);
}

static void go_zero_done(void *self, sim_attempt *a, sim_outcome outcome,
                         uint64_t retry_after_ns, uint64_t now_ns)
{
    go_zero_endpoint *e = (go_zero_endpoint *)sim_pool_give_back(self, a);
    bool good = outcome == SIM_SUCCESS || outcome == SIM_CANCELLED;
    double w;

    (void)retry_after_ns;
    if (e == NULL)
        return;
    w = sim_decay(sim_since_ns(now_ns, e->ended_ns), GO_ZERO_DECAY);
    if (e->lag == 0)
        w = 0;
    e->ended_ns = now_ns;
    e->lag =
        (uint64_t)((double)e->lag * w + sim_elapsed_ns(a, now_ns) * (1 - w));
    e->success = (uint64_t)((double)e->success * w +
                            (good ? GO_ZERO_GOOD : 0) * (1 - w));
}

const sim_policy sim_policy_go_zero = {
    .name = "go-zero",
    .about = "p2c_ewma: sqrt of latency x in flight, forced picks after 1 s",
    .source = "zeromicro/go-zero zrpc/internal/balancer/p2c/p2c.go",
    .passive = true,
    .create = go_zero_create,
    .destroy = sim_pool_free,
    .update = sim_pool_update,
    .pick = go_zero_pick,
    .done = go_zero_done,
};
