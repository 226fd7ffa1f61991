/* SPDX-License-Identifier: MIT */
/*
 * C3's replica ranking, as far as a client can know it by itself.
 *
 * rank = R - s + q^3 s, q = 1 + outstanding x clients + queue; the lowest of
 * all, ties at random. R: response times, e += 0.3 (x - e), of every answer
 * whatever it says. s, the service time, and queue, its queue's length, come
 * from the server in each answer; here there are no reports, so s = R and queue
 * = 0: rank = q^3 R. Not measured: R is the mean of those that are measured.
 *
 * Units: ns. Source: C3 (NSDI'15); elastic/elasticsearch, server/src/main/java/
 * org/elasticsearch/node/ResponseCollectorService.java (alpha 0.3, cube;
 * it takes servers for clients). Ours differs: no reports, see above, which
 * costs C3 most where many clients share servers; no rate control and no
 * waiting queue in the client; no weights, as there.
 */
#include "policies.h"
#include "policy_util.h"

#define C3_ALPHA 0.3
#define C3_FIRST (1 * SIM_MS) /* R where nothing at all is measured */

typedef struct c3_endpoint {
    sim_endpoint base;
    double response_ns; /* 0: not measured */
} c3_endpoint;

static double c3_mean(const sim_pool *pool)
{
    double sum = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < pool->n; i++) {
        double r = ((const c3_endpoint *)pool->list[i])->response_ns;

        sum += r;
        n += r > 0;
    }
    return n == 0 ? C3_FIRST : sum / n;
}

static double c3_rank(const sim_pool *pool, const sim_endpoint *e, double mean)
{
    double q = 1 + (double)e->in_flight * pool->host.n_clients;
    double r = ((const c3_endpoint *)e)->response_ns;

    return q * q * q * (r > 0 ? r : mean);
}

static double c3_score(sim_pool *pool, sim_endpoint *e, uint64_t now_ns)
{
    (void)now_ns;
    return c3_rank(pool, e, c3_mean(pool));
}

static const sim_pool_kind c3_kind = {
    .pool_size = sizeof(sim_pool),
    .endpoint_size = sizeof(c3_endpoint),
    .score = c3_score,
};

static void *c3_create(const sim_host *host)
{
    return sim_pool_new(&c3_kind, host);
}

static bool c3_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_pool *pool = self;
    sim_endpoint *best = NULL;
    double best_rank = 0, mean = c3_mean(pool);
    uint32_t ties = 0;

    for (uint32_t i = 0; i < pool->n; i++) {
        double rank = c3_rank(pool, pool->list[i], mean);

        if (best == NULL || rank < best_rank)
            ties = 0;
        else if (rank > best_rank)
            continue;
        /* Each of k that tie is taken with 1 / k. */
        if (sim_random_below(&pool->random, ++ties) == 0)
            best = pool->list[i];
        best_rank = rank;
    }
    return best != NULL && sim_pool_take(pool, a, best, now_ns);
}

static void c3_done(void *self, sim_attempt *a, sim_outcome outcome,
                    uint64_t retry_after_ns, uint64_t now_ns)
{
    c3_endpoint *e = (c3_endpoint *)sim_pool_give_back(self, a);
    double elapsed = sim_elapsed_ns(a, now_ns);

    (void)outcome;
    (void)retry_after_ns;
    if (e == NULL || elapsed <= 0)
        return;
    if (e->response_ns > 0)
        elapsed = e->response_ns + C3_ALPHA * (elapsed - e->response_ns);
    e->response_ns = elapsed;
}

const sim_policy sim_policy_c3 = {
    .name = "c3",
    .about = "cubic rank of outstanding requests x response time, no reports",
    .source = "C3 (NSDI'15); elastic/elasticsearch ResponseCollectorService",
    .passive = true,
    .create = c3_create,
    .destroy = sim_pool_free,
    .update = sim_pool_update,
    .pick = c3_pick,
    .done = c3_done,
};
