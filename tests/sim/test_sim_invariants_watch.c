/* SPDX-License-Identifier: MIT */
/*
 * Stands between the simulator and a policy. What must hold:
 *
 *  - as long as one endpoint of the list is ready, a pick finds an endpoint,
 *    and one that is ready; but if it fails closed, and too few are left, it
 *    finds none, or one to see whether it is well again;
 *  - requests in flight, as the policy counts them, are those that were picked
 *    and are not done: in each tick, and none at the end;
 *  - the list and its readiness are as told;
 *  - never are more ejected than the cap and the floor allow, nor the last that
 *    is ready unless it fails closed: looked at in each tick, after each update
 *    and after each failure;
 *  - a detector that is off finds nobody, one in shadow ejects nobody; the
 *    policy is the one that was asked for;
 *  - nobody is ejected for ever: in the quiet time each endpoint of the list
 *    that is ready is seen not ejected;
 *  - no figure is negative, infinite or out of order, and none is missing where
 *    a request was answered; nor in what one pick of a hundred says of its
 *    reasons, or any event of its evidence;
 *  - the same seed gives the same result, bit for bit.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_world.h"
#include "test_sim_invariants.h"

typedef struct watch_client {
    void *self; /* the policy's */
    const sim_world *world;
    sim_member members[WATCH_ENDPOINTS];
    uint32_t n_members, n_ready;
    uint64_t picks, dones;
    bool back[WATCH_ENDPOINTS]; /* by server: seen well in the quiet time */
} watch_client;

static struct {
    const script *script;
    const watch_subject *subject;
    char *error; /* empty: nothing is wrong so far */
} watch;

watch_seen watch_all;

/* The first one counts. */
__attribute__((format(printf, 2, 3))) static void watch_found(
    const watch_client *c, const char *format, ...)
{
    char what[WATCH_ERROR_BYTES / 2];
    va_list args;

    if (watch.error[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (c == NULL)
        snprintf(watch.error, WATCH_ERROR_BYTES, "%s", what);
    else
        snprintf(watch.error, WATCH_ERROR_BYTES, "%.6f s: %s",
                 (double)c->world->now_ns / 1e9, what);
}

/* ---- What it makes of its endpoints ---- */

/* Of the ready ones, one if there are two or more; and the floor stays, which
 * is one unless it fails closed. */
uint32_t watch_cap(const script *s, uint32_t n_ready)
{
    const script_options *o = &s->options;
    uint32_t cap = n_ready * o->max_ejection_percent / 100;
    uint32_t floor = o->min_endpoints;

    if (cap == 0 && n_ready >= 2)
        cap = 1;
    if (floor == 0 && !o->fail_closed)
        floor = 1;
    if (n_ready <= floor)
        return 0;
    return cap < n_ready - floor ? cap : n_ready - floor;
}

bool watch_panics(const script *s, uint32_t n_ready, uint32_t ejected)
{
    return ejected >= n_ready ||
           (n_ready - ejected) * 100 <
               n_ready * s->options.panic_threshold_percent;
}

static void watch_list(const watch_client *c, const watch_view *v)
{
    if (v->n < c->n_members) {
        watch_found(c, "it has %" PRIu32 " endpoints, of %" PRIu32, v->n,
                    c->n_members);
        return;
    }
    for (uint32_t i = 0; i < c->n_members; i++)
        if (v->all[i].server != c->members[i].server ||
            v->all[i].ready != c->members[i].ready)
            watch_found(c, "endpoint %" PRIu32 " is server %" PRIu32 ", %s", i,
                        v->all[i].server,
                        v->all[i].ready ? "ready" : "not ready");
}

static uint32_t watch_n_ejected(const watch_view *v)
{
    uint32_t ejected = 0;

    for (uint32_t i = 0; i < v->n; i++)
        ejected += v->all[i].ejected;
    return ejected;
}

static void watch_look(const watch_client *c, watch_view *v)
{
    uint32_t ejected, cap = watch_cap(watch.script, c->n_ready);
    uint64_t in_flight = 0, expected;

    v->own = 0;
    watch.subject->look(c->self, v);
    if (v->wrong != NULL)
        watch_found(c, "%s", v->wrong);
    watch_list(c, v);
    for (uint32_t i = 0; i < v->n; i++)
        in_flight += v->all[i].in_flight;
    ejected = watch_n_ejected(v);
    watch_all.looks += v->n;
    watch_all.ejected += ejected;
    watch_all.fullest += ejected > 0 && ejected == cap;
    if (ejected > cap)
        watch_found(c,
                    "%" PRIu32 " are ejected, of %" PRIu32
                    " that are ready; the cap is %" PRIu32,
                    ejected, c->n_ready, cap);
    expected = c->picks - c->dones + v->own;
    if (in_flight != expected)
        watch_found(c, "%" PRIu64 " are in flight, not %" PRIu64, in_flight,
                    expected);
}

static void watch_tick(void *self, uint64_t now_ns)
{
    watch_client *c = self;
    watch_view v;
    uint64_t quiet_ns;

    if (watch.subject->policy.tick != NULL)
        watch.subject->policy.tick(c->self, now_ns);
    watch_look(c, &v);
    if (c->world->now_ns < watch.script->healed_ns)
        return;
    quiet_ns = c->world->now_ns - watch.script->healed_ns;
    for (uint32_t i = 0; i < v.n; i++) {
        bool *back = &c->back[v.all[i].server];

        if (v.all[i].ejected || *back)
            continue;
        *back = true;
        if (quiet_ns > watch_all.slowest_ns)
            watch_all.slowest_ns = quiet_ns;
    }
}

/* ---- What the simulator asks ---- */

static void *watch_create(const sim_host *host)
{
    watch_client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->world = host->world;
    c->self = watch.subject->create(host, watch.script);
    if (c->self == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

static void watch_destroy(void *self)
{
    watch_client *c = self;
    watch_view v;

    watch_look(c, &v);
    if (c->picks != c->dones)
        watch_found(c, "%" PRIu64 " picks, %" PRIu64 " done", c->picks,
                    c->dones);
    for (uint32_t i = 0; i < c->n_members; i++)
        if (c->members[i].ready && !c->back[c->members[i].server])
            watch_found(c,
                        "server %" PRIu32 " has been ejected for %g s after "
                        "all faults had healed",
                        c->members[i].server,
                        (double)(c->world->now_ns - watch.script->healed_ns) /
                            1e9);
    watch.subject->policy.destroy(c->self);
    free(c);
}

static void watch_update(void *self, const sim_member *members, uint32_t n,
                         uint64_t now_ns)
{
    watch_client *c = self;
    watch_view v;

    if (n > WATCH_ENDPOINTS)
        abort();
    memcpy(c->members, members, n * sizeof *members);
    c->n_members = n;
    c->n_ready = 0;
    for (uint32_t i = 0; i < n; i++)
        c->n_ready += members[i].ready;
    watch.subject->policy.update(c->self, members, n, now_ns);
    watch_look(c, &v);
}

static bool watch_is_ready(const watch_client *c, uint32_t server)
{
    for (uint32_t i = 0; i < c->n_members; i++)
        if (c->members[i].server == server)
            return c->members[i].ready;
    return false;
}

/* Only a balancer that fails closed may have no endpoint while some are ready,
 * and only when too few are left. */
static void watch_refused(const watch_client *c)
{
    uint32_t ejected;
    watch_view v;

    if (c->n_ready == 0)
        return;
    watch_look(c, &v);
    ejected = watch_n_ejected(&v);
    if (watch.script->options.fail_closed &&
        watch_panics(watch.script, c->n_ready, ejected))
        watch_all.closed++;
    else
        watch_found(c,
                    "no endpoint for it, but %" PRIu32 " are ready and %" PRIu32
                    " of them ejected",
                    c->n_ready, ejected);
}

/* And then it must have none, but to try whether one is well again. */
static void watch_closed(const watch_client *c, uint32_t server)
{
    watch_view v;

    if (!watch.script->options.fail_closed)
        return;
    watch_look(c, &v);
    if (!watch_panics(watch.script, c->n_ready, watch_n_ejected(&v)))
        return;
    for (uint32_t i = 0; i < v.n; i++)
        if (v.all[i].server == server && !v.all[i].probing)
            watch_found(c, "it picked server %" PRIu32 " though it is closed",
                        server);
}

static bool watch_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    watch_client *c = self;

    if (!watch.subject->policy.pick(c->self, a, now_ns)) {
        watch_refused(c);
        return false;
    }
    c->picks++;
    if (!watch_is_ready(c, a->server))
        watch_found(c, "it picked server %" PRIu32 ", which is not ready",
                    a->server);
    watch_closed(c, a->server);
    return true;
}

static void watch_first_byte(void *self, sim_attempt *a, uint64_t now_ns)
{
    watch_client *c = self;

    if (watch.subject->policy.first_byte != NULL)
        watch.subject->policy.first_byte(c->self, a, now_ns);
}

static void watch_done(void *self, sim_attempt *a, sim_outcome outcome,
                       uint64_t retry_after_ns, uint64_t now_ns)
{
    watch_client *c = self;
    watch_view v;

    watch.subject->policy.done(c->self, a, outcome, retry_after_ns, now_ns);
    c->dones++;
    if (outcome != SIM_SUCCESS)
        watch_look(c, &v);
}

static void watch_probe_answer(void *self, uint32_t server, double in_flight,
                               double latency_ns, uint64_t now_ns)
{
    watch_client *c = self;

    watch.subject->policy.probe_answer(c->self, server, in_flight, latency_ns,
                                       now_ns);
}

/* ---- A run ---- */

static void watch_figures(const sim_scenario *s, const sim_result *r)
{
    const double order[] = {0,         r->p50_ns,  r->p90_ns,
                            r->p99_ns, r->p999_ns, r->max_ns};
    uint64_t answered = r->requests - r->failed - r->cancelled;

    if (r->failed + r->cancelled > r->requests || r->timed_out > r->failed ||
        r->to_bad > r->attempts)
        watch_found(NULL, "counts that cannot be");
    for (size_t i = 1; i < sizeof order / sizeof order[0]; i++)
        if (answered > 0 && !(isfinite(order[i]) && order[i] >= order[i - 1]))
            watch_found(NULL, "latency figure %zu is %g ns, after %g", i,
                        order[i], order[i - 1]);
    if (answered > 0 && !(r->mean_ns >= 0 && r->mean_ns <= r->max_ns))
        watch_found(NULL, "the mean latency is %g ns", r->mean_ns);
    for (uint32_t i = 0; i < s->n_measures; i++)
        if (isinf(r->measures[i]) || r->measures[i] < 0)
            watch_found(NULL, "%s is %g", s->measures[i].name, r->measures[i]);
}

static bool watch_once(const sim_scenario *s, sim_result *r)
{
    const sim_policy policy = {.name = watch.subject->policy.name,
                               .passive = false, /* some have checks */
                               .create = watch_create,
                               .destroy = watch_destroy,
                               .update = watch_update,
                               .pick = watch_pick,
                               .first_byte = watch_first_byte,
                               .done = watch_done,
                               .tick = watch_tick,
                               .probe_answer = watch_probe_answer};
    char error[WATCH_ERROR_BYTES / 2];

    memset(r, 0, sizeof *r);
    if (sim_run(s, &policy, watch.script->number, r, error, sizeof error) != 0)
        watch_found(NULL, "%s", error);
    else
        watch_figures(s, r);
    watch_all.requests += r->requests;
    watch_all.failed += r->failed;
    return watch.error[0] == '\0';
}

bool watch_run(const script *s, const watch_subject *subject,
               char error[WATCH_ERROR_BYTES])
{
    sim_scenario read;
    sim_result one, two;

    watch.script = s;
    watch.subject = subject;
    watch.error = error;
    if (sim_scenario_parse(&read, "script", ".", s->text, error,
                           WATCH_ERROR_BYTES) != 0)
        return false;
    error[0] = '\0';
    if (watch_once(&read, &one) && watch_once(&read, &two) &&
        memcmp(&one, &two, sizeof one) != 0)
        watch_found(NULL,
                    "the same seed gives another result: %016" PRIx64
                    " and %016" PRIx64,
                    one.hash, two.hash);
    sim_scenario_free(&read);
    return error[0] == '\0';
}
