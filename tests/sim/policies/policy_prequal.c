/* SPDX-License-Identifier: MIT */
/*
 * Prequal: asynchronous probes, and hot-cold lexicographic choice (HCL).
 *
 * Each request sends 3 probes to different servers at random. An answer
 * (requests in flight, latency at about that load) goes into a pool of 16, the
 * oldest giving way; it is dropped after 1 s or after its uses. Choice: hot is
 * what has more in flight than the 0.84 quantile of what probes said lately;
 * of the cold the least latency; if all are hot the least in flight. With
 * fewer than 2 in the pool, a server at random. The chosen answer's in flight
 * grows by 1. Then one more is removed, in turn the oldest and the worst (a hot
 * one with most in flight; if none is hot the one with most latency).
 *
 * uses = max(1, (1 + delta) / ((1 - m / n) r_probe - r_remove)), m pool size, n
 * servers, rounded at random up or down so that the mean is right; delta 1,
 * r_probe 3, r_remove 1. Q_RIF = 2^-0.25.
 *
 * Source: Prequal (NSDI'24, arXiv 2312.10172), by write-ups of it. Where it is
 * silent: the quantile is of the last 128 answers; a new answer of a server
 * replaces its old one; where the formula has no value (n < 24 with these
 * settings) uses are not limited; no probing while idle; nothing against
 * sinkholes, as its heuristics are not published. Not passive: probes cost the
 * servers nothing here, and no request fails for having learned.
 *
 * Two that are not in the registry: rules over the same pool to which it was
 * compared when it was published. In flight only (Q_RIF = 0; of equal ones the
 * faster), and C3's cubic rank with what a probe says, (1 + in flight)^3 x
 * latency.
 */
#include <stdlib.h>
#include <string.h>

#include "policies.h"
#include "policy_util.h"

#define PREQUAL_POOL 16
#define PREQUAL_PROBES 3
#define PREQUAL_REMOVE 1
#define PREQUAL_DELTA 1.0
#define PREQUAL_AGE (1 * SIM_S)
#define PREQUAL_Q_RIF 0.8408964152537145
#define PREQUAL_MIN 2
#define PREQUAL_SEEN 128

typedef enum prequal_rule {
    PREQUAL_HCL,
    PREQUAL_RIF,
    PREQUAL_CUBIC
} prequal_rule;

typedef struct prequal_answer {
    uint32_t server;
    double in_flight, latency_ns;
    uint64_t at_ns;
    double uses; /* left */
} prequal_answer;

typedef struct prequal_pool {
    sim_pool base;
    prequal_rule rule;
    prequal_answer answers[PREQUAL_POOL]; /* the oldest first */
    uint32_t n;
    bool remove_worst; /* next, or the oldest */
    double seen[PREQUAL_SEEN];
    uint32_t n_seen, next_seen;
} prequal_pool;

static const sim_pool_kind prequal_kind = {
    .pool_size = sizeof(prequal_pool),
    .endpoint_size = sizeof(sim_endpoint),
};

static void *prequal_new(const sim_host *host, prequal_rule rule)
{
    prequal_pool *p = sim_pool_new(&prequal_kind, host);

    if (p != NULL)
        p->rule = rule;
    return p;
}

static void *prequal_create(const sim_host *host)
{
    return prequal_new(host, PREQUAL_HCL);
}

static void *prequal_create_rif(const sim_host *host)
{
    return prequal_new(host, PREQUAL_RIF);
}

static void *prequal_create_cubic(const sim_host *host)
{
    return prequal_new(host, PREQUAL_CUBIC);
}

static void prequal_remove(prequal_pool *p, uint32_t i)
{
    p->n--;
    memmove(&p->answers[i], &p->answers[i + 1],
            (p->n - i) * sizeof p->answers[0]);
}

static void prequal_update(void *self, const sim_member *members, uint32_t n,
                           uint64_t now_ns)
{
    prequal_pool *p = self;

    sim_pool_update(self, members, n, now_ns);
    for (uint32_t i = p->n; i-- > 0;)
        if (sim_pool_find(&p->base, p->answers[i].server) == NULL)
            prequal_remove(p, i);
}

static int prequal_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* More in flight than this is hot. */
static double prequal_limit(const prequal_pool *p)
{
    double sorted[PREQUAL_SEEN];
    double rank;

    if (p->n_seen == 0)
        return HUGE_VAL;
    memcpy(sorted, p->seen, p->n_seen * sizeof sorted[0]);
    qsort(sorted, p->n_seen, sizeof sorted[0], prequal_compare);
    rank = ceil(PREQUAL_Q_RIF * p->n_seen);
    return sorted[(uint32_t)rank - 1];
}

static double prequal_cubic(const prequal_answer *a)
{
    double q = 1 + a->in_flight;

    return q * q * q * a->latency_ns;
}

static bool prequal_better(prequal_rule rule, double limit,
                           const prequal_answer *a, const prequal_answer *b)
{
    bool a_hot = a->in_flight > limit, b_hot = b->in_flight > limit;
    bool less = a->in_flight < b->in_flight;
    bool more = a->in_flight > b->in_flight;
    bool faster = a->latency_ns < b->latency_ns;

    if (rule == PREQUAL_CUBIC)
        return prequal_cubic(a) < prequal_cubic(b);
    if (rule == PREQUAL_RIF)
        return less || (!more && faster);
    if (a_hot != b_hot)
        return b_hot;
    return a_hot ? less : faster;
}

/* The best answer, or the worst. */
static uint32_t prequal_extreme(const prequal_pool *p, bool best)
{
    double limit = p->rule == PREQUAL_HCL ? prequal_limit(p) : 0;
    uint32_t chosen = 0;

    for (uint32_t i = 1; i < p->n; i++)
        if (prequal_better(p->rule, limit, &p->answers[i],
                           &p->answers[chosen]) == best)
            chosen = i;
    return chosen;
}

static void prequal_expire(prequal_pool *p, uint64_t now_ns)
{
    for (uint32_t i = p->n; i-- > 0;) {
        double age = sim_since_ns(now_ns, p->answers[i].at_ns);

        if (age > PREQUAL_AGE || age < -PREQUAL_AGE || p->answers[i].uses <= 0)
            prequal_remove(p, i);
    }
}

static void prequal_probe(prequal_pool *p)
{
    uint32_t wanted = PREQUAL_PROBES, seen = 0;

    if (p->base.host.send_probe == NULL)
        return;
    /* So many of all, each set alike: selection sampling. */
    if (wanted > p->base.n)
        wanted = p->base.n;
    for (; wanted > 0; seen++) {
        if (sim_random_below(&p->base.random, p->base.n - seen) >= wanted)
            continue;
        wanted--;
        p->base.host.send_probe(p->base.host.world, p->base.host.client,
                                p->base.list[seen]->server);
    }
}

static bool prequal_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    prequal_pool *p = self;
    sim_endpoint *e = sim_pool_draw(&p->base);

    if (e == NULL)
        return false;
    prequal_expire(p, now_ns);
    if (p->n >= PREQUAL_MIN) {
        prequal_answer *best = &p->answers[prequal_extreme(p, true)];

        e = sim_pool_find(&p->base, best->server);
        best->in_flight++;
        best->uses--;
    }
    for (int i = 0; i < PREQUAL_REMOVE && p->n > 0; i++) {
        prequal_remove(p, p->remove_worst ? prequal_extreme(p, false) : 0);
        p->remove_worst = !p->remove_worst;
    }
    prequal_probe(p);
    return sim_pool_take(&p->base, a, e, now_ns);
}

static double prequal_uses(prequal_pool *p)
{
    double rest = (1 - (double)PREQUAL_POOL / p->base.n) * PREQUAL_PROBES -
                  PREQUAL_REMOVE;
    double uses;

    if (rest <= 0)
        return HUGE_VAL;
    uses = fmax(1, (1 + PREQUAL_DELTA) / rest);
    return floor(uses + sim_random_unit(&p->base.random));
}

static void prequal_answered(void *self, uint32_t server, double in_flight,
                             double latency_ns, uint64_t now_ns)
{
    prequal_pool *p = self;

    if (sim_pool_find(&p->base, server) == NULL)
        return;
    p->seen[p->next_seen] = in_flight;
    p->next_seen = (p->next_seen + 1) % PREQUAL_SEEN;
    p->n_seen += p->n_seen < PREQUAL_SEEN;
    for (uint32_t i = p->n; i-- > 0;)
        if (p->answers[i].server == server)
            prequal_remove(p, i);
    if (p->n == PREQUAL_POOL)
        prequal_remove(p, 0);
    p->answers[p->n++] = (prequal_answer){
        .server = server,
        .in_flight = in_flight,
        .latency_ns = latency_ns,
        .at_ns = now_ns,
        .uses = prequal_uses(p),
    };
}

static void prequal_done(void *self, sim_attempt *a, sim_outcome outcome,
                         uint64_t retry_after_ns, uint64_t now_ns)
{
    (void)outcome;
    (void)retry_after_ns;
    (void)now_ns;
    sim_pool_give_back(self, a);
}

#define PREQUAL_REST                                                           \
    .source = "Prequal (NSDI'24, arXiv 2312.10172)", .passive = false,         \
    .destroy = sim_pool_free, .update = prequal_update, .pick = prequal_pick,  \
    .done = prequal_done, .probe_answer = prequal_answered

const sim_policy sim_policy_prequal = {
    .name = "prequal",
    .about = "3 probes a request, least latency among those that are not hot",
    .create = prequal_create,
    PREQUAL_REST,
};

const sim_policy sim_policy_prequal_rif = {
    .name = "prequal-rif",
    .about = "Prequal's probes, the least in flight",
    .variant = true,
    .create = prequal_create_rif,
    PREQUAL_REST,
};

const sim_policy sim_policy_prequal_cubic = {
    .name = "prequal-cubic",
    .about = "Prequal's probes, C3's cubic rank",
    .variant = true,
    .create = prequal_create_cubic,
    PREQUAL_REST,
};
