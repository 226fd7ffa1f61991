/* SPDX-License-Identifier: MIT */
/*
 * The three that every product has, and that learn nothing from answers.
 *
 * random: by weight. Source: any; gRPC's weighted_target, HAProxy's
 * `random(1)`.
 *
 * round-robin: nginx's smooth weighted one. Each turn, every endpoint's
 * current += weight; the greatest is chosen and its current -= total. With
 * equal weights that is plain round robin. Source: nginx/nginx,
 * src/http/ngx_http_upstream_round_robin.c. Ours differs: the start is random
 * for each client, as in gRPC, so that many clients do not march in step; and
 * failures are not counted here (that is the policy `nginx`).
 *
 * p2c-least-request: two different endpoints at random, the fewer requests in
 * flight of this client, the first of a tie. Choices 2. Source: gRPC A48
 * (least_request, choice_count 2) without its draw with replacement; no
 * weights there, none here.
 */
#include "policies.h"
#include "policy_util.h"

typedef struct simple_endpoint {
    sim_endpoint base;
    double current; /* of round robin */
} simple_endpoint;

static void simple_done(void *self, sim_attempt *a, sim_outcome outcome,
                        uint64_t retry_after_ns, uint64_t now_ns)
{
    (void)outcome;
    (void)retry_after_ns;
    (void)now_ns;
    sim_pool_give_back(self, a);
}

static double simple_in_flight(sim_pool *pool, sim_endpoint *e, uint64_t now_ns)
{
    (void)pool;
    (void)now_ns;
    return e->in_flight;
}

static const sim_pool_kind simple_kind = {
    .pool_size = sizeof(sim_pool),
    .endpoint_size = sizeof(simple_endpoint),
    .score = simple_in_flight,
};

static void *simple_create(const sim_host *host)
{
    return sim_pool_new(&simple_kind, host);
}

static bool simple_pick_random(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_endpoint *e = sim_pool_draw(self);

    return e != NULL && sim_pool_take(self, a, e, now_ns);
}

/* A random place in the circle; over many turns weights decide. */
static void simple_open_turn(sim_pool *pool, sim_endpoint *e, uint64_t now_ns)
{
    (void)now_ns;
    ((simple_endpoint *)e)->current = sim_random_unit(&pool->random);
}

static bool simple_pick_turn(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_pool *pool = self;
    simple_endpoint *best = NULL;

    for (uint32_t i = 0; i < pool->n; i++) {
        simple_endpoint *e = (simple_endpoint *)pool->list[i];

        e->current += e->base.weight;
        if (best == NULL || e->current > best->current)
            best = e;
    }
    if (best == NULL)
        return false;
    best->current -= pool->total_weight;
    return sim_pool_take(pool, a, &best->base, now_ns);
}

static const sim_pool_kind simple_turn_kind = {
    .pool_size = sizeof(sim_pool),
    .endpoint_size = sizeof(simple_endpoint),
    .open = simple_open_turn,
};

static void *simple_create_turn(const sim_host *host)
{
    return sim_pool_new(&simple_turn_kind, host);
}

static bool simple_pick_two(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_endpoint *e = sim_pool_better_of_two(self, now_ns);

    return e != NULL && sim_pool_take(self, a, e, now_ns);
}

const sim_policy sim_policy_random = {
    .name = "random",
    .about = "at random, by weight",
    .source = "any; gRPC weighted_target",
    .passive = true,
    .create = simple_create,
    .destroy = sim_pool_free,
    .update = sim_pool_update,
    .pick = simple_pick_random,
    .done = simple_done,
};

const sim_policy sim_policy_round_robin = {
    .name = "round-robin",
    .about = "in turn, smoothly by weight",
    .source = "nginx/nginx src/http/ngx_http_upstream_round_robin.c",
    .passive = true,
    .create = simple_create_turn,
    .destroy = sim_pool_free,
    .update = sim_pool_update,
    .pick = simple_pick_turn,
    .done = simple_done,
};

const sim_policy sim_policy_p2c = {
    .name = "p2c-least-request",
    .about = "of two at random the one with fewer requests in flight",
    .source = "grpc/proposal A48 (least_request, choice_count 2)",
    .passive = true,
    .create = simple_create,
    .destroy = sim_pool_free,
    .update = sim_pool_update,
    .pick = simple_pick_two,
    .done = simple_done,
};
