/* SPDX-License-Identifier: MIT */
/*
 * Stands between the simulator and a policy. What must hold:
 *
 *  - as long as one endpoint of the list is ready, a pick finds an endpoint,
 *    and one that is ready; unless it fails closed: then none is found while
 *    all are ejected, or more than the panic threshold allows, but one that it
 *    is about to try;
 *  - requests in flight, as the policy counts them, are those that were picked
 *    and are not done: in each tick, and none at the end;
 *  - the list and its readiness are as told;
 *  - never are more ejected than the cap allows, nor those of the floor, nor
 *    the last that is ready unless it fails closed: looked at in each tick,
 *    after each update and after each failure;
 *  - a detector that is off finds nobody, one in shadow ejects nobody
 *    (test_sim_invariants_ilb.c);
 *  - checks eject and return endpoints as ilb.h says
 *    (test_sim_invariants_checks.c);
 *  - of one pick in 100 that is explained, each figure is a number, and the
 *    choice is the cheapest (test_sim_invariants_explained.c); and it is the
 *    same that would have been made unexplained: the first run explains, the
 *    second does not;
 *  - a probe of the client's own goes to an endpoint that is ejected;
 *  - nobody is ejected for ever: in the quiet time each endpoint of the list
 *    that is ready is seen not ejected;
 *  - no figure is negative, infinite or out of order, and none is missing where
 *    a request was answered;
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

watch_state watch;
watch_seen watch_all;

/* The first one counts. */
void watch_found(const watch_client *c, const char *format, ...)
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

uint32_t watch_cap(uint32_t n_ready)
{
    const ilb_options *o = &watch.script->options;
    uint32_t least = o->min_endpoints, cap;

    if (o->consecutive_failures == ILB_NEVER)
        return 0;
    if (least == 0 && o->fail_mode == ILB_FAIL_OPEN)
        least = 1;
    cap = n_ready * o->max_ejection_percent / 100;
    if (cap == 0 && n_ready >= 2)
        cap = 1;
    if (n_ready <= least)
        return 0;
    return cap < n_ready - least ? cap : n_ready - least;
}

bool watch_panics(uint32_t n_ready, uint32_t n_ejected)
{
    uint32_t left = n_ready - n_ejected;

    return left == 0 ||
           left * 100 < n_ready * watch.script->options.panic_threshold_percent;
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

void watch_look(const watch_client *c, watch_view *v)
{
    uint32_t ejected = 0;
    uint64_t in_flight = 0;

    watch.subject->look(c->self, v);
    if (v->wrong != NULL)
        watch_found(c, "%s", v->wrong);
    watch_list(c, v);
    for (uint32_t i = 0; i < v->n; i++) {
        ejected += v->all[i].ejected;
        in_flight += v->all[i].in_flight;
    }
    watch_all.looks += v->n;
    watch_all.ejected += ejected;
    watch_all.fullest += ejected > 0 && ejected == watch_cap(c->n_ready);
    if (ejected > watch_cap(c->n_ready))
        watch_found(c,
                    "%" PRIu32 " are ejected, of %" PRIu32
                    " that are ready; the cap is %" PRIu32,
                    ejected, c->n_ready, watch_cap(c->n_ready));
    if (in_flight != c->picks - c->dones)
        watch_found(c, "%" PRIu64 " are in flight, not %" PRIu64, in_flight,
                    c->picks - c->dones);
}

static void watch_tick(void *self, uint64_t now_ns)
{
    watch_client *c = self;
    watch_view v;
    uint64_t quiet_ns;

    watch_check(c, now_ns);
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

/* The checks of those that are not in the list, or not ready: they begin anew,
 * however short that was. */
static void watch_forget(watch_client *c)
{
    bool ready[WATCH_ENDPOINTS] = {false};

    for (uint32_t i = 0; i < c->n_members; i++)
        ready[c->members[i].server] = c->members[i].ready;
    for (uint32_t i = 0; i < WATCH_ENDPOINTS; i++)
        if (!ready[i])
            c->checked[i] = (watch_checked){0, 0, 0};
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
    watch_forget(c);
    c->n_ready = 0;
    for (uint32_t i = 0; i < n; i++)
        c->n_ready += members[i].ready;
    watch.subject->policy.update(c->self, members, n, now_ns);
    watch_look(c, &v);
}

static void watch_first_byte(void *self, sim_attempt *a, uint64_t now_ns)
{
    watch_client *c = self;

    if (watch.subject->policy.first_byte != NULL &&
        watch.script->first_bytes != SCRIPT_BYTES_NEVER)
        watch.subject->policy.first_byte(c->self, a, now_ns);
}

static void watch_done(void *self, sim_attempt *a, sim_outcome outcome,
                       uint64_t retry_after_ns, uint64_t now_ns)
{
    watch_client *c = self;
    watch_view v;

    if (c->open == a)
        c->open = NULL;
    watch.subject->policy.done(c->self, a, outcome, retry_after_ns, now_ns);
    c->dones++;
    if (outcome != SIM_SUCCESS)
        watch_look(c, &v);
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
    bool probes = watch.script->probes && watch.subject->policy.probe != NULL;
    const sim_policy policy = {.name = watch.subject->policy.name,
                               .passive = !probes,
                               .create = watch_create,
                               .destroy = watch_destroy,
                               .update = watch_update,
                               .pick = watch_pick,
                               .first_byte = watch_first_byte,
                               .done = watch_done,
                               .tick = watch_tick,
                               .probe = probes ? watch_probe : NULL};
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

static bool watch_twice(const watch_subject *subject)
{
    return subject->expected == NULL ||
           strcmp(subject->expected, WATCH_ANOTHER_RESULT) == 0;
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
    watch.explains = true;
    if (watch_once(&read, &one) && watch_twice(subject)) {
        watch.explains = false;
        if (watch_once(&read, &two) && memcmp(&one, &two, sizeof one) != 0)
            watch_found(NULL,
                        WATCH_ANOTHER_RESULT ": %016" PRIx64 " and %016" PRIx64,
                        one.hash, two.hash);
    }
    sim_scenario_free(&read);
    return error[0] == '\0';
}
