/* SPDX-License-Identifier: MIT */
/* What a pick may and may not do, and a probe of the client's own. */
#include <inttypes.h>
#include <math.h>

#include "sim_random.h"
#include "test_sim_invariants.h"

static const watch_endpoint *picks_endpoint_of(const watch_client *c,
                                               const watch_view *v,
                                               uint32_t server)
{
    for (uint32_t i = 0; i < c->n_members; i++)
        if (v->all[i].server == server)
            return &v->all[i];
    return NULL;
}

static bool picks_refuses(const watch_client *c, watch_view *v)
{
    uint32_t ejected = 0;

    watch_look(c, v);
    for (uint32_t i = 0; i < v->n; i++)
        ejected += v->all[i].ejected;
    return ejected <= c->n_ready && watch_panics(c->n_ready, ejected);
}

static bool picks_is_ready(const watch_client *c, uint32_t server)
{
    for (uint32_t i = 0; i < c->n_members; i++)
        if (c->members[i].server == server)
            return c->members[i].ready;
    return false;
}

/* As many in flight as it says, whatever that is. */
static double picks_cost(uint64_t request)
{
    sim_random r = sim_random_stream(watch.script->number, request);

    return ldexp(1, (int)sim_random_below(&r, 20) - 8);
}

static bool picks_ask(watch_client *c, sim_attempt *a, uint64_t now_ns)
{
    static ilb_explanation x;
    bool explains = watch.explains && watch.subject->explain != NULL &&
                    a->request % 100 == 17;
    double cost = a->cost;
    bool found;

    if (watch.script->costs)
        a->cost = picks_cost(a->request);
    if (explains)
        watch.subject->explain(c->self, &x);
    found = watch.subject->policy.pick(c->self, a, now_ns);
    a->cost = cost;
    if (found && explains) {
        if (watch.subject->spoil != NULL)
            watch.subject->spoil(&x);
        watch_explained(c, &x, a->server);
    }
    return found;
}

/* What it may do that fails closed. */
static void picks_closed(const watch_client *c, const sim_attempt *a,
                         bool refused_before, bool found)
{
    const watch_endpoint *e = NULL;
    bool refuses;
    watch_view v;

    if (found && !refused_before)
        return;
    refuses = picks_refuses(c, &v);
    if (!found) {
        watch_all.closed++;
        if (!refuses && !refused_before)
            watch_found(c, "no endpoint for it, and no reason to fail closed");
        return;
    }
    e = picks_endpoint_of(c, &v, a->server);
    if (refuses && (e == NULL || !e->probing))
        watch_found(c, "it picked server %" PRIu32 ", and should fail closed",
                    a->server);
}

static void picks_early(watch_client *c, sim_attempt *a, uint64_t now_ns)
{
    if (c->open != NULL && watch.subject->policy.first_byte != NULL) {
        watch.subject->policy.first_byte(c->self, c->open, now_ns);
        watch_all.early++;
    }
    c->open = a->request % 2 == 0 ? a : NULL;
}

bool watch_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    watch_client *c = self;
    bool closed =
        watch.script->options.fail_mode == ILB_FAIL_CLOSED && c->n_ready > 0;
    bool refuses = false, found;
    watch_view v;

    if (closed)
        refuses = picks_refuses(c, &v);
    found = picks_ask(c, a, now_ns);
    c->picks += found;
    if (closed)
        picks_closed(c, a, refuses, found);
    else if (!found && c->n_ready > 0)
        watch_found(c, "no endpoint for it, but %" PRIu32 " are ready",
                    c->n_ready);
    if (!found)
        return false;
    if (!picks_is_ready(c, a->server))
        watch_found(c, "it picked server %" PRIu32 ", which is not ready",
                    a->server);
    if (watch.script->first_bytes == SCRIPT_BYTES_EARLY)
        picks_early(c, a, now_ns);
    return true;
}

bool watch_probe(void *self, sim_attempt *a, uint64_t now_ns)
{
    watch_client *c = self;
    const watch_endpoint *e;
    watch_view v;

    if (!watch.subject->policy.probe(c->self, a, now_ns))
        return false;
    c->picks++;
    watch_all.probes++;
    watch_look(c, &v);
    e = picks_endpoint_of(c, &v, a->server);
    if (e == NULL || !e->probing)
        watch_found(c, "it probes server %" PRIu32 ", which is not ejected",
                    a->server);
    return true;
}
