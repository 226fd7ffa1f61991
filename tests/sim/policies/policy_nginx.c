/* SPDX-License-Identifier: MIT */
/*
 * nginx: `random two least_conn` with passive checks.
 *
 * Draw: endpoints at random by weight until two different usable ones are
 * found, at most 20 draws; fewer connections per weight wins, the second of a
 * tie. Else smooth weighted round robin over the usable ones. Usable: not
 * tried by this request, and not failed; failed: fails >= max_fails and
 * now - checked <= fail_timeout.
 *
 * A failure: fails += 1, accessed = checked = now, effective weight of round
 * robin -= weight / max_fails. A good answer: fails = 0 if accessed < checked,
 * that is, if the endpoint was let in again after its time: a pick sets
 * checked = now once fail_timeout has gone by, which admits one request and
 * keeps the others out until it has ended well or fail_timeout has passed.
 * The only endpoint of a list never fails.
 *
 * Defaults: max_fails 1, fail_timeout 10 s; times in whole seconds.
 * Source: nginx/nginx, src/http/ngx_http_upstream_round_robin.c and
 * src/http/modules/ngx_http_upstream_random_module.c.
 *
 * Ours differs. (1) Failures are errors, overload, refusals and timeouts, as
 * with `proxy_next_upstream error timeout http_500 http_503`; the default,
 * `error timeout`, is blind to a 500. (2) All failed: fails = 0 for all and
 * the request goes to one of them. So nginx did before 1.11.5, but for that
 * request itself; since then it answers 502 until fail_timeout is over.
 * `nginx-busy`, not in the registry, does that. Kinder to nginx, and clients
 * that a 502 answers at once are not the comparison we want. (3) The state of
 * those that stay survives a change of the list (with `zone`, and not a
 * reload). (4) A request that has tried all may try again.
 */
#include "policies.h"
#include "policy_util.h"

#define NGINX_MAX_FAILS 1
#define NGINX_FAIL_TIMEOUT_S 10
#define NGINX_TRIES 20

typedef struct nginx_endpoint {
    sim_endpoint base;
    uint32_t fails;
    int64_t accessed, checked; /* seconds */
    double current, effective; /* of round robin */
    bool fresh;
} nginx_endpoint;

typedef struct nginx_pool {
    sim_pool base;
    bool busy; /* all failed: refuse */
    uint64_t ejections;
    int64_t now;
} nginx_pool;

/* Long ago, so that the first pick counts as after fail_timeout. */
static void nginx_open(sim_pool *pool, sim_endpoint *base, uint64_t now_ns)
{
    nginx_endpoint *e = (nginx_endpoint *)base;

    (void)pool;
    (void)now_ns;
    e->accessed = INT64_MIN / 2;
    e->checked = INT64_MIN / 2;
    e->fresh = true;
}

static const sim_pool_kind nginx_kind = {
    .pool_size = sizeof(nginx_pool),
    .endpoint_size = sizeof(nginx_endpoint),
    .open = nginx_open,
};

static void *nginx_create(const sim_host *host)
{
    return sim_pool_new(&nginx_kind, host);
}

static void *nginx_create_busy(const sim_host *host)
{
    nginx_pool *p = sim_pool_new(&nginx_kind, host);

    if (p != NULL)
        p->busy = true;
    return p;
}

static int64_t nginx_seconds(nginx_pool *p, uint64_t now_ns)
{
    p->now = (int64_t)(now_ns / UINT64_C(1000000000));
    return p->now;
}

static bool nginx_failed(const nginx_endpoint *e, int64_t now)
{
    return e->fails >= NGINX_MAX_FAILS &&
           now - e->checked <= NGINX_FAIL_TIMEOUT_S;
}

/* Two usable ones at random, the less loaded; NULL after too many draws. */
static nginx_endpoint *nginx_two(nginx_pool *p, const sim_attempt *a,
                                 int64_t now)
{
    nginx_endpoint *first = NULL;

    for (int tries = 0; tries < NGINX_TRIES; tries++) {
        nginx_endpoint *e = (nginx_endpoint *)sim_pool_draw(&p->base);

        if (e == first || sim_tried(a, e->base.server) || nginx_failed(e, now))
            continue;
        if (first == NULL) {
            first = e;
            continue;
        }
        if (e->base.in_flight * first->base.weight >
            first->base.in_flight * e->base.weight)
            return first;
        return e;
    }
    return NULL;
}

static nginx_endpoint *nginx_turn(nginx_pool *p, const sim_attempt *a,
                                  int64_t now)
{
    nginx_endpoint *best = NULL;
    double total = 0;

    for (uint32_t i = 0; i < p->base.n; i++) {
        nginx_endpoint *e = (nginx_endpoint *)p->base.list[i];

        if (e->fresh) {
            e->effective = e->base.weight;
            e->fresh = false;
        }
        if ((a != NULL && sim_tried(a, e->base.server)) || nginx_failed(e, now))
            continue;
        e->current += e->effective;
        total += e->effective;
        e->effective = fmin(e->effective + 1, e->base.weight);
        if (best == NULL || e->current > best->current)
            best = e;
    }
    if (best != NULL)
        best->current -= total;
    return best;
}

static nginx_endpoint *nginx_choose(nginx_pool *p, const sim_attempt *a,
                                    int64_t now)
{
    nginx_endpoint *e = NULL;

    if (p->base.n < 2)
        return p->base.n == 0 ? NULL : (nginx_endpoint *)p->base.list[0];
    e = nginx_two(p, a, now);
    if (e == NULL)
        e = nginx_turn(p, a, now);
    if (e == NULL)
        e = nginx_turn(p, NULL, now);
    if (e != NULL || p->busy)
        return e;
    for (uint32_t i = 0; i < p->base.n; i++)
        ((nginx_endpoint *)p->base.list[i])->fails = 0;
    e = nginx_turn(p, a, now);
    return e != NULL ? e : nginx_turn(p, NULL, now);
}

static bool nginx_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    nginx_pool *p = self;
    int64_t now = nginx_seconds(p, now_ns);
    nginx_endpoint *e = nginx_choose(p, a, now);

    if (e == NULL)
        return false;
    if (now - e->checked > NGINX_FAIL_TIMEOUT_S)
        e->checked = now;
    return sim_pool_take(&p->base, a, &e->base, now_ns);
}

static void nginx_fail(nginx_pool *p, nginx_endpoint *e, int64_t now)
{
    p->ejections += !nginx_failed(e, now);
    e->fails++;
    e->accessed = now;
    e->checked = now;
    e->effective = fmax(0, e->effective - e->base.weight / NGINX_MAX_FAILS);
}

static void nginx_done(void *self, sim_attempt *a, sim_outcome outcome,
                       uint64_t retry_after_ns, uint64_t now_ns)
{
    nginx_pool *p = self;
    nginx_endpoint *e = (nginx_endpoint *)sim_pool_give_back(&p->base, a);
    int64_t now = nginx_seconds(p, now_ns);

    (void)retry_after_ns;
    if (e == NULL)
        return;
    if (p->base.n < 2)
        e->fails = 0;
    else if (outcome != SIM_SUCCESS && outcome != SIM_CANCELLED)
        nginx_fail(p, e, now);
    else if (e->accessed < e->checked)
        e->fails = 0;
}

static uint32_t nginx_n_ejected(void *self, uint64_t *ejections)
{
    nginx_pool *p = self;
    uint32_t n = 0;

    *ejections = p->ejections;
    for (uint32_t i = 0; i < p->base.n; i++)
        n += nginx_failed((nginx_endpoint *)p->base.list[i], p->now);
    return n;
}

#define NGINX_REST                                                             \
    .source = "nginx/nginx src/http/ngx_http_upstream_round_robin.c, "         \
              "modules/ngx_http_upstream_random_module.c",                     \
    .passive = true, .destroy = sim_pool_free, .update = sim_pool_update,      \
    .pick = nginx_pick, .done = nginx_done, .n_ejected = nginx_n_ejected

const sim_policy sim_policy_nginx = {
    .name = "nginx",
    .about = "random two least_conn, max_fails=1 fail_timeout=10s; all failed: "
             "all tried again",
    .create = nginx_create,
    NGINX_REST,
};

const sim_policy sim_policy_nginx_busy = {
    .name = "nginx-busy",
    .about = "the same; all failed: refused (1.11.5 and later)",
    .create = nginx_create_busy,
    NGINX_REST,
};
