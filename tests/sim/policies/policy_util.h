/* SPDX-License-Identifier: MIT */
/*
 * What the rival policies share: the list of endpoints with a record of each,
 * requests in flight, draws, and averages that decay with time.
 *
 * A policy's own state begins with a sim_pool, its record of an endpoint with
 * a sim_endpoint. A record lives as long as its endpoint is listed, and, so
 * that late answers find it, until the last request in flight to it has ended.
 * An endpoint that leaves and comes back begins anew: its late answers go to
 * the old record, which nobody reads.
 *
 * All see the client's clock, which a scenario may make jump. brpc, kratos and
 * nginx read such a clock; Envoy, Finagle, go-zero, tower and linkerd read one
 * that never jumps, so a jump shows them worse than they are.
 *
 * Endpoints that are not ready are not in the pool: every rival learns of
 * readiness from its registry, as of a removal.
 */
#ifndef SIM_POLICY_UTIL_H
#define SIM_POLICY_UTIL_H

#include "../sim_policy.h"
#include "../sim_random.h"

#define SIM_MS 1e6 /* nanoseconds */
#define SIM_S 1e9

typedef struct sim_endpoint {
    uint32_t server;
    uint32_t in_flight; /* picked and not ended */
    double weight;
    bool listed;
    struct sim_endpoint *next; /* of those that have left */
} sim_endpoint;

typedef struct sim_pool sim_pool;

/* What a policy is, to the functions below. All but the sizes may be NULL. */
typedef struct sim_pool_kind {
    size_t pool_size;
    size_t endpoint_size;
    bool forgets; /* each update makes all records anew */

    /* A record begins (it is zeroed), and ends. */
    void (*open)(sim_pool *pool, sim_endpoint *e, uint64_t now_ns);
    void (*close)(sim_pool *pool, sim_endpoint *e);

    /* What the policy compares endpoints by; lower is better. */
    double (*score)(sim_pool *pool, sim_endpoint *e, uint64_t now_ns);
} sim_pool_kind;

struct sim_pool {
    const sim_pool_kind *kind;
    sim_host host;
    sim_random random;
    sim_endpoint **list; /* the ready ones, in the order of the list */
    uint32_t n, room;
    sim_endpoint **of; /* by server number; NULL: not listed */
    uint32_t n_of;
    sim_endpoint *gone; /* not listed, with requests in flight */
    double total_weight;
    bool weighted; /* not all weights are equal */
};

/* Zeroed memory; ends the program with a message if there is none. */
void *sim_need(size_t n, size_t size);

/* NULL: out of memory. */
void *sim_pool_new(const sim_pool_kind *kind, const sim_host *host);

/* The two have the forms of sim_policy.destroy and .update. */
void sim_pool_free(void *self);
void sim_pool_update(void *self, const sim_member *members, uint32_t n,
                     uint64_t now_ns);

/* The attempt goes to the endpoint: counts it and keeps record and time in
 * state[0] and state[1]; state[2] and up are the policy's. Always true. */
bool sim_pool_take(sim_pool *pool, sim_attempt *a, sim_endpoint *e,
                   uint64_t now_ns);

/* The attempt has ended. NULL: its endpoint has left in between. */
sim_endpoint *sim_pool_give_back(sim_pool *pool, sim_attempt *a);

/* Since the attempt was taken, at least 0 though the clock goes back. */
double sim_elapsed_ns(const sim_attempt *a, uint64_t now_ns);

/* NULL: not listed. */
sim_endpoint *sim_pool_find(const sim_pool *pool, uint32_t server);

/* Two different indexes below n, uniform; n is at least 2. */
void sim_two_of(sim_random *random, uint32_t n, uint32_t *i, uint32_t *j);

/* The better by score of two different ones, the first of a tie; the only one
 * of one; NULL of none. Both scores are read, as some change by that. */
sim_endpoint *sim_pool_better_of_two(sim_pool *pool, uint64_t now_ns);

/* Drawn by weight; NULL of none. */
sim_endpoint *sim_pool_draw(sim_pool *pool);

/* Was the server of an attempt before? */
bool sim_tried(const sim_attempt *a, uint32_t server);

/* now - then; negative if the clock went back. */
static inline double sim_since_ns(uint64_t now_ns, uint64_t then_ns)
{
    return (double)(int64_t)(now_ns - then_ns);
}

/* What is left of a weight after a time; all if the clock went back. */
static inline double sim_decay(double since_ns, double tau_ns)
{
    return since_ns <= 0 ? 1 : exp(-since_ns / tau_ns);
}

/* `old` after `since`, with a new value mixed in by what has decayed. */
static inline double sim_ema(double old, double value, double since_ns,
                             double tau_ns)
{
    double w = sim_decay(since_ns, tau_ns);

    return old * w + value * (1 - w);
}

#endif
