/* SPDX-License-Identifier: MIT */
/*
 * Envoy: LEAST_REQUEST with outlier detection.
 *
 * Equal weights: two draws at random with replacement (choice_count 2), fewer
 * active requests wins, the first of a tie. Unequal weights: earliest deadline
 * first; the earliest is chosen and its deadline moves on by 1 / w,
 * w = weight / (active + 1)^1.0 at that moment.
 *
 * Among the healthy; panic: if less than 50 % are, among all. Ejection: see
 * policy_envoy_outlier.c; failures are errors, overload, refusals, timeouts
 * (500, 503, connect failure, 504), and a request that the client cancels does
 * not count.
 *
 * A retry draws again, up to 5 times, while it hits a server it has tried
 * (previous_hosts; off by default in Envoy, 5 is what Istio sets).
 *
 * Source: envoyproxy/envoy, source/extensions/load_balancing_policies/
 * least_request/least_request_lb.cc, source/common/upstream. Ours differs:
 * active requests are of this client (one Envoy), as there; one worker thread;
 * no zones, no priorities, no active health checks, slow start off (default).
 */
#include <stdlib.h>

#include "policies.h"
#include "policy_envoy_outlier.h"

#define ENVOY_PANIC_PERCENT 50
#define ENVOY_RETRY_DRAWS 5

typedef struct envoy_endpoint {
    sim_endpoint base;
    envoy_monitor monitor;
    double deadline; /* of the weighted schedule */
} envoy_endpoint;

typedef struct envoy_pool {
    sim_pool base;
    envoy_detector detector;
    double schedule;       /* deadline of the last pick */
    sim_endpoint **usable; /* the healthy, or all in panic */
    envoy_monitor **monitors;
    uint32_t n_usable, room;
    uint32_t n_ejected;
} envoy_pool;

static const sim_pool_kind envoy_kind = {
    .pool_size = sizeof(envoy_pool),
    .endpoint_size = sizeof(envoy_endpoint),
};

static void *envoy_create(const sim_host *host)
{
    return sim_pool_new(&envoy_kind, host);
}

static void envoy_destroy(void *self)
{
    envoy_pool *p = self;

    if (p == NULL)
        return;
    free(p->usable);
    free(p->monitors);
    sim_pool_free(p);
}

/* Whom requests may go to; after each change of list or health. */
static void envoy_route(envoy_pool *p)
{
    sim_pool *pool = &p->base;

    p->n_usable = 0;
    p->n_ejected = 0;
    for (uint32_t i = 0; i < pool->n; i++) {
        envoy_endpoint *e = (envoy_endpoint *)pool->list[i];

        p->monitors[i] = &e->monitor;
        if (e->monitor.ejected)
            p->n_ejected++;
        else
            p->usable[p->n_usable++] = pool->list[i];
    }
    if (100 * p->n_usable >= ENVOY_PANIC_PERCENT * pool->n)
        return;
    p->n_usable = pool->n;
    for (uint32_t i = 0; i < pool->n; i++)
        p->usable[i] = pool->list[i];
}

static void envoy_update(void *self, const sim_member *members, uint32_t n,
                         uint64_t now_ns)
{
    envoy_pool *p = self;

    sim_pool_update(self, members, n, now_ns);
    if (n > p->room) {
        free(p->usable);
        free(p->monitors);
        p->usable = sim_need(n, sizeof(void *));
        p->monitors = sim_need(n, sizeof(void *));
        p->room = n;
    }
    for (uint32_t i = 0; i < p->base.n; i++) {
        envoy_endpoint *e = (envoy_endpoint *)p->base.list[i];

        /* A random place in the schedule for the new ones. */
        if (e->deadline <= 0)
            e->deadline = p->schedule + (1 - sim_random_unit(&p->base.random)) /
                                            e->base.weight;
    }
    envoy_route(p);
}

static sim_endpoint *envoy_scheduled(envoy_pool *p)
{
    envoy_endpoint *best = NULL;

    for (uint32_t i = 0; i < p->n_usable; i++) {
        envoy_endpoint *e = (envoy_endpoint *)p->usable[i];

        if (best == NULL || e->deadline < best->deadline)
            best = e;
    }
    /* One that was away does not catch up on what it has missed. */
    if (best->deadline < p->schedule)
        best->deadline = p->schedule;
    p->schedule = best->deadline;
    best->deadline += (best->base.in_flight + 1) / best->base.weight;
    return &best->base;
}

static sim_endpoint *envoy_choose(envoy_pool *p)
{
    sim_random *random = &p->base.random;
    sim_endpoint *a, *b;

    if (p->base.weighted)
        return envoy_scheduled(p);
    a = p->usable[sim_random_below(random, p->n_usable)];
    b = p->usable[sim_random_below(random, p->n_usable)];
    return b->in_flight < a->in_flight ? b : a;
}

static bool envoy_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    envoy_pool *p = self;
    sim_endpoint *e;

    if (p->n_usable == 0)
        return false;
    e = envoy_choose(p);
    for (int i = 0; i < ENVOY_RETRY_DRAWS && sim_tried(a, e->server); i++)
        e = envoy_choose(p);
    return sim_pool_take(&p->base, a, e, now_ns);
}

static void envoy_done(void *self, sim_attempt *a, sim_outcome outcome,
                       uint64_t retry_after_ns, uint64_t now_ns)
{
    envoy_pool *p = self;
    envoy_endpoint *e = (envoy_endpoint *)sim_pool_give_back(&p->base, a);

    (void)retry_after_ns;
    if (e == NULL || outcome == SIM_CANCELLED)
        return;
    if (!sim_envoy_count(&e->monitor, outcome == SIM_SUCCESS))
        return;
    sim_envoy_eject(&p->detector, &e->monitor, p->base.n, p->n_ejected, now_ns);
    envoy_route(p);
}

static void envoy_tick(void *self, uint64_t now_ns)
{
    envoy_pool *p = self;

    sim_envoy_interval(&p->detector, p->monitors, p->base.n, now_ns);
    envoy_route(p);
}

static uint32_t envoy_n_ejected(void *self, uint64_t *ejections)
{
    envoy_pool *p = self;

    *ejections = p->detector.ejections;
    return p->n_ejected;
}

const sim_policy sim_policy_envoy = {
    .name = "envoy",
    .about = "least request of 2, outlier detection at its defaults, panic 50%",
    .source = "envoyproxy/envoy least_request_lb.cc, outlier_detection_impl.cc",
    .passive = true,
    .create = envoy_create,
    .destroy = envoy_destroy,
    .update = envoy_update,
    .pick = envoy_pick,
    .done = envoy_done,
    .tick = envoy_tick,
    .n_ejected = envoy_n_ejected,
};
