/* SPDX-License-Identifier: MIT */
/*
 * Finagle: p2c with peak EWMA, and failure accrual.
 *
 * An Ema: the first value sets it; then e = x (1 - w) + e w, w = exp(-dt / tau)
 * with dt since the last, and time never runs back. observe(x): if x > e it is
 * set to x, else updated. A read observes 0 first. cost = 0 with requests
 * pending: penalty + pending, penalty = (2^63 - 1) >> 16 ns (39 h), so that one
 * that is not measured gets one request until it has answered; else e x
 * (pending + 1). Every end is observed with its elapsed time.
 *
 * Pick: two different ones at random; the one that is open, if one is; else
 * the lower cost, the first of a tie. Drawn up to 4 times (panic mode 50 %)
 * until one is open, then once more and taken as it is. Unequal weights: the
 * endpoints of each weight are a group, drawn by the sum of its weights, and
 * the pick is within. Dead or alive: policy_finagle_accrual.c.
 *
 * Default: tau 10 s. Source: twitter/finagle, finagle-core/.../loadbalancer/
 * PeakEwma.scala, p2c/P2CPick.scala, PanicMode.scala, Balancer.scala,
 * TrafficDistributor.scala; util/Ema.scala. Ours differs: P2C over all,
 * as is the default for those who choose peak EWMA; no aperture; no sessions,
 * a request is one.
 */
#include <stdlib.h>

#include "policies.h"
#include "policy_finagle_accrual.h"

#define FINAGLE_TAU (10 * SIM_S)
#define FINAGLE_PENALTY ((double)(INT64_MAX >> 16))
#define FINAGLE_EFFORT 4

typedef struct finagle_endpoint {
    sim_endpoint base;
    double cost; /* ns */
    bool set;    /* the Ema has a value */
    uint64_t stamp_ns, ema_ns;
    finagle_accrual accrual;
} finagle_endpoint;

typedef struct finagle_pool {
    sim_pool base;
    uint64_t ejections;
    uint64_t now_ns;
    sim_endpoint **group; /* of one weight */
    uint32_t room;
} finagle_pool;

static void finagle_open(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    finagle_endpoint *e = (finagle_endpoint *)base;

    (void)pool;
    e->stamp_ns = now_ns;
    e->ema_ns = now_ns;
    sim_accrual_open(&e->accrual, now_ns);
}

static void finagle_observe(finagle_endpoint *e, double value, uint64_t now_ns)
{
    if (sim_since_ns(now_ns, e->stamp_ns) > 0)
        e->stamp_ns = now_ns;
    if (!e->set || value > e->cost)
        e->cost = value;
    else
        e->cost = sim_ema(e->cost, value, sim_since_ns(e->stamp_ns, e->ema_ns),
                          FINAGLE_TAU);
    e->set = true;
    e->ema_ns = e->stamp_ns;
}

static double finagle_cost(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    finagle_endpoint *e = (finagle_endpoint *)base;

    (void)pool;
    finagle_observe(e, 0, now_ns);
    if (e->cost <= 0 && base->in_flight > 0)
        return FINAGLE_PENALTY + base->in_flight;
    return e->cost * (base->in_flight + 1);
}

static const sim_pool_kind finagle_kind = {
    .pool_size = sizeof(finagle_pool),
    .endpoint_size = sizeof(finagle_endpoint),
    .open = finagle_open,
    .score = finagle_cost,
};

static void *finagle_create(const sim_host *host)
{
    return sim_pool_new(&finagle_kind, host);
}

static void finagle_destroy(void *self)
{
    finagle_pool *p = self;

    if (p == NULL)
        return;
    free(p->group);
    sim_pool_free(p);
}

static void finagle_update(void *self, const sim_member *members, uint32_t n,
                           uint64_t now_ns)
{
    finagle_pool *p = self;

    sim_pool_update(self, members, n, now_ns);
    if (n > p->room) {
        free(p->group);
        p->group = sim_need(n, sizeof(void *));
        p->room = n;
    }
    for (uint32_t i = 0; i < p->base.n; i++)
        p->group[i] = p->base.list[i];
}

/* Those to draw from: all, or a group of one weight. */
static uint32_t finagle_group(finagle_pool *p)
{
    const sim_endpoint *drawn;
    uint32_t n = 0;

    if (!p->base.weighted)
        return p->base.n;
    drawn = sim_pool_draw(&p->base);
    for (uint32_t i = 0; i < p->base.n; i++)
        if (fabs(p->base.list[i]->weight - drawn->weight) <= 1e-9)
            p->group[n++] = p->base.list[i];
    return n;
}

static finagle_endpoint *finagle_two(finagle_pool *p, uint32_t n,
                                     uint64_t now_ns)
{
    finagle_endpoint *a, *b;
    bool a_open, b_open;
    uint32_t i, j;
    double cost;

    if (n == 1)
        return (finagle_endpoint *)p->group[0];
    sim_two_of(&p->base.random, n, &i, &j);
    a = (finagle_endpoint *)p->group[i];
    b = (finagle_endpoint *)p->group[j];
    cost = finagle_cost(&p->base, &a->base, now_ns);
    cost -= finagle_cost(&p->base, &b->base, now_ns);
    a_open = sim_accrual_is_open(&a->accrual, now_ns);
    b_open = sim_accrual_is_open(&b->accrual, now_ns);
    if (a_open != b_open)
        return a_open ? a : b;
    return cost <= 0 ? a : b;
}

static bool finagle_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    finagle_pool *p = self;
    finagle_endpoint *e = NULL;
    uint32_t n;

    p->now_ns = now_ns;
    if (p->base.n == 0)
        return false;
    n = finagle_group(p);
    for (int i = 0; i < FINAGLE_EFFORT; i++) {
        e = finagle_two(p, n, now_ns);
        if (sim_accrual_is_open(&e->accrual, now_ns))
            break;
        e = NULL;
    }
    if (e == NULL)
        e = finagle_two(p, n, now_ns);
    sim_accrual_begin(&e->accrual);
    return sim_pool_take(&p->base, a, &e->base, now_ns);
}

static void finagle_done(void *self, sim_attempt *a, sim_outcome outcome,
                         uint64_t retry_after_ns, uint64_t now_ns)
{
    finagle_pool *p = self;
    finagle_endpoint *e = (finagle_endpoint *)sim_pool_give_back(&p->base, a);

    (void)retry_after_ns;
    p->now_ns = now_ns;
    if (e == NULL)
        return;
    finagle_observe(e, sim_elapsed_ns(a, now_ns), now_ns);
    p->ejections +=
        sim_accrual_end(&e->accrual, &p->base.random, outcome == SIM_SUCCESS,
                        outcome == SIM_CANCELLED, now_ns);
}

static uint32_t finagle_n_ejected(void *self, uint64_t *ejections)
{
    finagle_pool *p = self;
    uint32_t n = 0;

    *ejections = p->ejections;
    for (uint32_t i = 0; i < p->base.n; i++)
        n += ((finagle_endpoint *)p->base.list[i])->accrual.state !=
             ACCRUAL_ALIVE;
    return n;
}

const sim_policy sim_policy_finagle = {
    .name = "finagle",
    .about = "peak EWMA under p2c, failure accrual with probes",
    .source = "twitter/finagle finagle-core loadbalancer/PeakEwma.scala, "
              "liveness/FailureAccrualPolicy.scala",
    .passive = true,
    .create = finagle_create,
    .destroy = finagle_destroy,
    .update = finagle_update,
    .pick = finagle_pick,
    .done = finagle_done,
    .n_ejected = finagle_n_ejected,
};
