/* SPDX-License-Identifier: MIT */
/*
 * brpc's locality-aware balancer, `la`.
 *
 * Drawn at random in proportion to weights. Of a server: base = scale x qps /
 * latency, over its last 128 answers (whole us; scale = (2^63 - 1) / 72000000 /
 * 127): latency = time between oldest and newest sum / (n - 1), or the sum if
 * n = 1; qps = (n - 1) / time between them, at least 1, and 1 while there are
 * fewer than 128 and they span less than 1 s. A failure adds its latency to the
 * newest answer's sum, so it lowers both; the first of all counts as one of at
 * least the timeout. Its latency: the timeout (no retries inside).
 *
 * weight = base, and if the mean age of what is in flight is at least 1.5 x
 * latency, base x 1.5 latency / age; at least 1000. Renewed at each end and
 * when a draw hits the server; if it then is below the place the draw hit,
 * another is drawn, n times at most; a server that was tried is drawn again,
 * but for the last time. A new server has the mean of the others' weights, the
 * first ones scale, so that they are asked first of all.
 *
 * Source: apache/brpc, src/brpc/policy/locality_aware_load_balancer.{h,cpp}.
 * Ours differs: a sum over the list instead of the tree; when all n draws
 * fail it takes the last one (there: EHOSTDOWN, also with a healthy list);
 * retries are the simulator's, so each attempt is a call of its own, whose
 * failure costs the whole timeout (there less while retries are left). A
 * server whose weight is a tag: la has no such thing.
 */
#include "policies.h"
#include "policy_util.h"

#define LA_SCALE (INT64_MAX / 72000000 / 127)
#define LA_ANSWERS 128
#define LA_MIN_WEIGHT 1000
#define LA_AGE_RATIO 1.5

typedef struct la_answer {
    int64_t sum_us; /* of all latencies up to this one */
    int64_t end_us;
} la_answer;

typedef struct la_endpoint {
    sim_endpoint base;
    int64_t weight; /* 0: new */
    int64_t base_weight;
    int64_t begun_us; /* sum of the begins of what is in flight */
    int64_t latency_us;
    la_answer answers[LA_ANSWERS];
    uint32_t first, n;
} la_endpoint;

static int64_t la_us(uint64_t ns)
{
    return (int64_t)(ns / 1000);
}

static double la_score(sim_pool *pool, sim_endpoint *e, uint64_t now_ns)
{
    (void)pool;
    (void)now_ns;
    return -(double)((const la_endpoint *)e)->weight;
}

static const sim_pool_kind la_kind = {
    .pool_size = sizeof(sim_pool),
    .endpoint_size = sizeof(la_endpoint),
    .score = la_score,
};

static void *la_create(const sim_host *host)
{
    return sim_pool_new(&la_kind, host);
}

static void la_update(void *self, const sim_member *members, uint32_t n,
                      uint64_t now_ns)
{
    sim_pool *pool = self;
    int64_t total = 0, known = 0;

    sim_pool_update(self, members, n, now_ns);
    for (uint32_t i = 0; i < pool->n; i++) {
        total += ((la_endpoint *)pool->list[i])->weight;
        known += ((la_endpoint *)pool->list[i])->weight > 0;
    }
    for (uint32_t i = 0; i < pool->n; i++) {
        la_endpoint *e = (la_endpoint *)pool->list[i];

        if (e->weight > 0)
            continue;
        e->weight = known > 0 ? total / known : LA_SCALE;
        e->base_weight = e->weight;
    }
}

static void la_reweigh(la_endpoint *e, int64_t now_us)
{
    int64_t in_flight = e->base.in_flight;
    int64_t weight = e->base_weight;

    if (in_flight > 0) {
        int64_t age = now_us - e->begun_us / in_flight;
        int64_t limit = (int64_t)((double)e->latency_us * LA_AGE_RATIO);

        if (age >= limit && e->latency_us > 0)
            weight = (int64_t)((double)weight * (double)limit / (double)age);
    }
    e->weight = weight < LA_MIN_WEIGHT ? LA_MIN_WEIGHT : weight;
}

/* One draw; how far into the server's weight it fell in `place`. */
static la_endpoint *la_draw(sim_pool *pool, int64_t *place)
{
    int64_t total = 0;

    for (uint32_t i = 0; i < pool->n; i++)
        total += ((la_endpoint *)pool->list[i])->weight;
    *place = (int64_t)(sim_random_unit(&pool->random) * (double)total);
    for (uint32_t i = 0; i + 1 < pool->n; i++) {
        la_endpoint *e = (la_endpoint *)pool->list[i];

        if (*place < e->weight)
            return e;
        *place -= e->weight;
    }
    return (la_endpoint *)pool->list[pool->n - 1];
}

static bool la_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_pool *pool = self;
    la_endpoint *e = NULL;

    if (pool->n == 0)
        return false;
    for (uint32_t tries = 1; tries <= pool->n; tries++) {
        int64_t place;

        e = la_draw(pool, &place);
        if (tries < pool->n && sim_tried(a, e->base.server))
            continue;
        la_reweigh(e, la_us(now_ns));
        if (e->weight >= place)
            break;
    }
    e->begun_us += la_us(now_ns);
    return sim_pool_take(pool, a, &e->base, now_ns);
}

static la_answer *la_newest(la_endpoint *e)
{
    return &e->answers[(e->first + e->n - 1) % LA_ANSWERS];
}

static void la_push(la_endpoint *e, int64_t latency, int64_t end)
{
    int64_t sum = e->n > 0 ? la_newest(e)->sum_us : 0;

    if (e->n == LA_ANSWERS)
        e->first = (e->first + 1) % LA_ANSWERS;
    else
        e->n++;
    *la_newest(e) = (la_answer){.sum_us = sum + latency, .end_us = end};
}

/* From the answers to latency and base weight. False: they say nothing. */
static bool la_judge(la_endpoint *e, int64_t end)
{
    const la_answer *oldest = &e->answers[e->first];
    int64_t span = end - oldest->end_us;
    int64_t n = e->n;
    double qps = 1;

    if (span > 0) {
        if (n == LA_ANSWERS || span >= 1000000)
            qps = fmax(1, (double)(n - 1) * 1e6 / (double)span);
        e->latency_us = (la_newest(e)->sum_us - oldest->sum_us) / (n - 1);
    } else if (n == 1) {
        e->latency_us = oldest->sum_us;
    } else {
        return false;
    }
    if (e->latency_us == 0)
        return false;
    e->base_weight = (int64_t)((double)LA_SCALE * qps / (double)e->latency_us);
    return true;
}

static void la_done(void *self, sim_attempt *a, sim_outcome outcome,
                    uint64_t retry_after_ns, uint64_t now_ns)
{
    sim_pool *pool = self;
    la_endpoint *e = (la_endpoint *)sim_pool_give_back(pool, a);
    int64_t end = la_us(now_ns), begun = la_us(a->state[1]);
    int64_t timeout = la_us(pool->host.timeout_ns);

    (void)retry_after_ns;
    if (e == NULL)
        return;
    e->begun_us -= begun;
    if (end <= begun)
        return;
    if (outcome == SIM_SUCCESS) {
        la_push(e, end - begun, end);
    } else if (e->n > 0) {
        la_newest(e)->sum_us += timeout;
        la_newest(e)->end_us = end;
    } else {
        la_push(e, timeout, end);
    }
    if (la_judge(e, end))
        la_reweigh(e, end);
}

const sim_policy sim_policy_brpc_la = {
    .name = "brpc-la",
    .about = "drawn by qps / latency, less for what is long in flight",
    .source = "apache/brpc src/brpc/policy/locality_aware_load_balancer.cpp",
    .passive = true,
    .create = la_create,
    .destroy = sim_pool_free,
    .update = la_update,
    .pick = la_pick,
    .done = la_done,
};
