/* SPDX-License-Identifier: MIT */
/*
 * Kratos: p2c with the node `ewma`.
 *
 * weight = success x 1e9 / load; the greater of two different ones at random,
 * the first of a tie. If the other has not been picked for more than 3 s, that
 * one. load = max(lag, predict) x (in flight + 1), ns; not measured: 10 s x
 * (in flight + 1).
 * On an end, td = time since the last end: w = exp(-td / 600 ms), 0 at the
 * first; lag = lag w + elapsed (1 - w); success the same of 1000 or 0.
 * predict, renewed when older than lag / 5 held within 5 .. 200 ms: of the
 * requests in flight those older than lag; if they are more than half + 1, the
 * mean of their ages, else 0.
 *
 * Source: go-kratos/kratos, selector/node/ewma/node.go, selector/p2c/p2c.go,
 * selector/default_selector.go (a change of the list makes all nodes anew).
 * Failures are timeouts, refusals, overload (gRPC DeadlineExceeded and
 * Unavailable, HTTP 503 and 504) and errors. Ours differs in the last: a plain
 * 500 is no failure there, and such an endpoint would draw all traffic; kinder
 * here. A cancelled request counts as good. No weights, as there. These are the
 * formulas of v2 that published comparisons are of; those of 2026 take the
 * root of lag + 5 ms, keep weights for 5 ms, ask the not measured sooner (100
 * us for 10 s) and predict from half of the requests on.
 */
#include <stdlib.h>

#include "policies.h"
#include "policy_util.h"

#define KRATOS_TAU (600 * SIM_MS)
#define KRATOS_UNMEASURED (10 * SIM_S)
#define KRATOS_FORCE (3 * SIM_S)
#define KRATOS_PREDICT_MIN (5 * SIM_MS)
#define KRATOS_PREDICT_MAX (200 * SIM_MS)
#define KRATOS_GOOD 1000

/* A request in flight. */
typedef struct kratos_request {
    struct kratos_request *next, *previous;
    uint64_t begun_ns;
} kratos_request;

typedef struct kratos_endpoint {
    sim_endpoint base;
    uint64_t lag; /* ns; 0: not measured */
    uint64_t success;
    uint64_t ended_ns;
    uint64_t picked_ns;
    bool picked;
    bool predicted; /* before, at all */
    uint64_t predicted_ns;
    double predict;           /* ns */
    kratos_request in_flight; /* the list's head */
} kratos_endpoint;

static void kratos_open(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    kratos_endpoint *e = (kratos_endpoint *)base;

    (void)pool;
    e->success = KRATOS_GOOD;
    e->ended_ns = now_ns;
    e->in_flight.next = &e->in_flight;
    e->in_flight.previous = &e->in_flight;
}

static void kratos_close(sim_pool *pool, sim_endpoint *base)
{
    kratos_endpoint *e = (kratos_endpoint *)base;

    (void)pool;
    while (e->in_flight.next != &e->in_flight) {
        kratos_request *r = e->in_flight.next;

        e->in_flight.next = r->next;
        free(r);
    }
}

static void kratos_predict(kratos_endpoint *e, uint64_t now_ns)
{
    double every =
        fmin(fmax((double)e->lag / 5, KRATOS_PREDICT_MIN), KRATOS_PREDICT_MAX);
    double total = 0;
    uint32_t count = 0;

    if (e->predicted && sim_since_ns(now_ns, e->predicted_ns) <= every)
        return;
    e->predicted = true;
    e->predicted_ns = now_ns;
    for (const kratos_request *r = e->in_flight.next; r != &e->in_flight;
         r = r->next) {
        double age = sim_since_ns(now_ns, r->begun_ns);

        if (age > (double)e->lag) {
            total += age;
            count++;
        }
    }
    e->predict = count > e->base.in_flight / 2 + 1 ? total / count : 0;
}

/* The inverse of their weight, so that less is better; of success 0 infinite.
 */
static double kratos_score(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    kratos_endpoint *e = (kratos_endpoint *)base;
    double latency = KRATOS_UNMEASURED;

    (void)pool;
    kratos_predict(e, now_ns);
    if (e->lag > 0)
        latency = fmax((double)e->lag, e->predict);
    if (e->success == 0)
        return HUGE_VAL;
    return latency * (base->in_flight + 1) / (double)e->success;
}

static const sim_pool_kind kratos_kind = {
    .pool_size = sizeof(sim_pool),
    .endpoint_size = sizeof(kratos_endpoint),
    .forgets = true,
    .open = kratos_open,
    .close = kratos_close,
    .score = kratos_score,
};

static void *kratos_create(const sim_host *host)
{
    return sim_pool_new(&kratos_kind, host);
}

static kratos_endpoint *kratos_choose(sim_pool *pool, uint64_t now_ns)
{
    kratos_endpoint *a, *b;
    uint32_t i, j;

    if (pool->n < 2)
        return pool->n == 0 ? NULL : (kratos_endpoint *)pool->list[0];
    sim_two_of(&pool->random, pool->n, &i, &j);
    if (kratos_score(pool, pool->list[j], now_ns) <
        kratos_score(pool, pool->list[i], now_ns)) {
        uint32_t k = i;

        i = j;
        j = k;
    }
    a = (kratos_endpoint *)pool->list[i];
    b = (kratos_endpoint *)pool->list[j];
    /* Never picked: its clock stands at 1970 there. */
    if (!b->picked || sim_since_ns(now_ns, b->picked_ns) > KRATOS_FORCE)
        return b;
    return a;
}

static bool kratos_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    kratos_endpoint *e = kratos_choose(self, now_ns);
    kratos_request *r;

    if (e == NULL)
        return false;
    r = sim_need(1, sizeof *r);
    r->begun_ns = now_ns;
    r->previous = e->in_flight.previous;
    r->next = &e->in_flight;
    r->previous->next = r;
    e->in_flight.previous = r;
    e->picked = true;
    e->picked_ns = now_ns;
    a->state[2] = (uint64_t)(uintptr_t)r;
    return sim_pool_take(self, a, &e->base, now_ns);
}

static void kratos_done(void *self, sim_attempt *a, sim_outcome outcome,
                        uint64_t retry_after_ns, uint64_t now_ns)
{
    kratos_request *r = (kratos_request *)(uintptr_t)a->state[2];
    bool good = outcome == SIM_SUCCESS || outcome == SIM_CANCELLED;
    kratos_endpoint *e;
    double w;

    (void)retry_after_ns;
    r->previous->next = r->next;
    r->next->previous = r->previous;
    free(r);
    e = (kratos_endpoint *)sim_pool_give_back(self, a);
    if (e == NULL)
        return;
    w = sim_decay(sim_since_ns(now_ns, e->ended_ns), KRATOS_TAU);
    if (e->lag == 0)
        w = 0;
    e->ended_ns = now_ns;
    e->lag =
        (uint64_t)((double)e->lag * w + sim_elapsed_ns(a, now_ns) * (1 - w));
    e->success =
        (uint64_t)((double)e->success * w + (good ? KRATOS_GOOD : 0) * (1 - w));
}

const sim_policy sim_policy_kratos = {
    .name = "kratos",
    .about = "p2c of ewma nodes: latency or age of what is in flight, success",
    .source = "go-kratos/kratos selector/node/ewma/node.go, selector/p2c",
    .passive = true,
    .create = kratos_create,
    .destroy = sim_pool_free,
    .update = sim_pool_update,
    .pick = kratos_pick,
    .done = kratos_done,
};
