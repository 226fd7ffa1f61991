/* SPDX-License-Identifier: MIT */
/*
 * libilb for the watcher, with the options of the script, and with a client
 * that makes checks and probes of its own if the script says so; and libilb
 * with a fault each.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policies/policy_ilb.h"
#include "test_sim_invariants_ilb.h"

#define ILB_VIEW_EXPLAIN_EVERY 100
#define ILB_VIEW_PROBE_TICKS 10 /* no answer after so many: given up */

typedef struct ilb_view_probe {
    bool out;
    uint32_t server, ticks;
    ilb_ticket ticket;
} ilb_view_probe;

typedef struct ilb_view {
    void *ilb;
    const sim_host *host;
    const script *script;
    ilb_view_fault fault;
    const char *wrong; /* of an event or an explanation; the next look tells */
    sim_member members[WATCH_ENDPOINTS];
    uint32_t n_members, ticks;
    ilb_view_probe probes[WATCH_ENDPOINTS];
} ilb_view;

/* ---- What it says ---- */

static void ilb_view_event(const ilb_event *event, void *user)
{
    ilb_view *v = user;
    const char *wrong = watch_ilb_event(v->fault, event);

    if (wrong != NULL)
        v->wrong = wrong;
}

static void ilb_view_tell(const ilb_explanation *x, const char *address,
                          void *user)
{
    ilb_view *v = user;
    const char *wrong =
        watch_ilb_explained(v->fault, &v->script->options, x, address);

    if (wrong != NULL)
        v->wrong = wrong;
    watch_all.explained++;
}

static void ilb_view_look(void *self, watch_view *view)
{
    static ilb_endpoint_stats stats[WATCH_ENDPOINTS];
    ilb_view *v = self;
    size_t n;

    if (ilb_balancer_snapshot(policy_ilb_balancer(v->ilb), stats,
                              WATCH_ENDPOINTS, sizeof stats[0], &n) != ILB_OK ||
        n > WATCH_ENDPOINTS)
        abort();
    view->n = (uint32_t)n;
    view->wrong = v->wrong;
    v->wrong = NULL;
    for (size_t i = 0; i < WATCH_ENDPOINTS; i++)
        view->own += v->probes[i].out;
    for (size_t i = 0; i < n; i++) {
        ilb_state s = stats[i].state;

        const char *wrong =
            watch_ilb_stats(v->fault, &v->script->options, &stats[i]);

        view->all[i] = (watch_endpoint){
            .server = (uint32_t)(uintptr_t)stats[i].user - 1,
            .ready = s != ILB_STATE_NOT_READY && s != ILB_STATE_DRAINING,
            .ejected = s == ILB_STATE_EJECTED || s == ILB_STATE_PROBING,
            .probing = s == ILB_STATE_PROBING,
            .in_flight = stats[i].in_flight};
        if (view->wrong == NULL)
            view->wrong = wrong;
    }
}

/* ---- Its client's own checks and probes ---- */

static void ilb_view_check(ilb_view *v, uint64_t now_ns)
{
    for (uint32_t i = 0; i < v->n_members; i++) {
        char address[POLICY_ILB_ADDRESS_BYTES];
        double delay_ns =
            v->host->true_delay_ns(v->host->world, v->members[i].server);

        policy_ilb_address(address, v->members[i].server);
        if (ilb_balancer_report_check(policy_ilb_balancer(v->ilb), address,
                                      isfinite(delay_ns), now_ns) != ILB_OK)
            abort();
        watch_all.checks++;
    }
}

static void ilb_view_probe_done(ilb_view *v, ilb_view_probe *p,
                                ilb_outcome outcome, uint64_t now_ns)
{
    ilb_result r = ILB_RESULT_INIT;

    r.outcome = outcome;
    r.now_ns = now_ns;
    if (ilb_done_with(policy_ilb_balancer(v->ilb), &p->ticket, &r) != ILB_OK)
        abort();
    p->out = false;
}

/* One each tick, while there is room; a late one is given up. */
static void ilb_view_probes(ilb_view *v, uint64_t now_ns)
{
    ilb_view_probe *room = NULL;
    ilb_balancer *b = policy_ilb_balancer(v->ilb);

    for (uint32_t i = 0; i < WATCH_ENDPOINTS; i++) {
        ilb_view_probe *p = &v->probes[i];

        if (p->out && ++p->ticks > ILB_VIEW_PROBE_TICKS)
            ilb_view_probe_done(v, p, ILB_TIMEOUT, now_ns);
        if (!p->out)
            room = p;
    }
    if (room == NULL || ilb_probe_next(b, &room->ticket, now_ns) != ILB_OK)
        return;
    room->out = true;
    room->ticks = 0;
    room->server = (uint32_t)(uintptr_t)ilb_ticket_user(b, &room->ticket) - 1;
    watch_all.probes++;
    v->host->send_probe(v->host->world, v->host->client, room->server);
}

static void ilb_view_probe_answer(void *self, uint32_t server, double in_flight,
                                  double latency_ns, uint64_t now_ns)
{
    ilb_view *v = self;

    (void)in_flight;
    (void)latency_ns;
    for (uint32_t i = 0; i < WATCH_ENDPOINTS; i++)
        if (v->probes[i].out && v->probes[i].server == server) {
            ilb_view_probe_done(v, &v->probes[i], ILB_SUCCESS, now_ns);
            return;
        }
}

static void ilb_view_tick(void *self, uint64_t now_ns)
{
    ilb_view *v = self;
    const script_options *o = &v->script->options;

    v->ticks++;
    if (o->check_ticks > 0 && v->ticks % o->check_ticks == 0)
        ilb_view_check(v, now_ns);
    if (o->probes)
        ilb_view_probes(v, now_ns);
}

/* ---- The policy ---- */

static void ilb_view_options(const ilb_view *v, ilb_options *o)
{
    const script_options *s = &v->script->options;

    o->max_ejection_percent = s->max_ejection_percent;
    o->min_endpoints = v->fault == ILB_VIEW_NO_FLOOR ? 0 : s->min_endpoints;
    o->panic_threshold_percent = s->panic_threshold_percent;
    o->fail_mode = s->fail_closed ? ILB_FAIL_CLOSED : ILB_FAIL_OPEN;
    if (v->fault == ILB_VIEW_STAYS_OPEN)
        o->fail_mode = ILB_FAIL_OPEN;
    if (v->fault == ILB_VIEW_CLOSES)
        o->fail_mode = ILB_FAIL_CLOSED;
    if (v->fault != ILB_VIEW_IGNORES_OFF)
        o->detectors_off = s->detectors_off;
    if (v->fault != ILB_VIEW_IGNORES_SHADOW)
        o->detectors_shadow = s->detectors_shadow;
    if (v->fault != ILB_VIEW_IGNORES_POLICY)
        o->policy = (ilb_policy)s->policy;
    o->slow_start_ns = s->slow_start_ns;
    o->check_effect = s->check_unejects ? ILB_CHECK_UNEJECTS : ILB_CHECK_PROBES;
}

static void *ilb_view_create(const sim_host *host, const script *s,
                             ilb_view_fault fault)
{
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_view *v = calloc(1, sizeof *v);

    if (v == NULL)
        return NULL;
    v->host = host;
    v->script = s;
    v->fault = fault;
    ilb_view_options(v, &o);
    o.on_event = ilb_view_event;
    o.event_user = v;
    v->ilb = policy_ilb_make(host, &o, s->follows);
    if (v->ilb == NULL) {
        free(v);
        return NULL;
    }
    policy_ilb_explain(v->ilb, ILB_VIEW_EXPLAIN_EVERY, ilb_view_tell, v);
    return v;
}

static void ilb_view_destroy(void *self)
{
    ilb_view *v = self;

    sim_policy_ilb.destroy(v->ilb);
    free(v);
}

static void ilb_view_update(void *self, const sim_member *members, uint32_t n,
                            uint64_t now_ns)
{
    ilb_view *v = self;

    memcpy(v->members, members, n * sizeof *members);
    v->n_members = n;
    sim_policy_ilb.update(v->ilb, members, n, now_ns);
}

static bool ilb_view_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    return sim_policy_ilb.pick(((ilb_view *)self)->ilb, a, now_ns);
}

static void ilb_view_first_byte(void *self, sim_attempt *a, uint64_t now_ns)
{
    sim_policy_ilb.first_byte(((ilb_view *)self)->ilb, a, now_ns);
}

static void ilb_view_done(void *self, sim_attempt *a, sim_outcome outcome,
                          uint64_t retry_after_ns, uint64_t now_ns)
{
    ilb_view *v = self;

    if (v->fault != ILB_VIEW_LOSES_A_DONE || a->request % 1000 != 999)
        sim_policy_ilb.done(v->ilb, a, outcome, retry_after_ns, now_ns);
}

/* ---- The right one and the others ---- */

#define ILB_VIEW(name_, fault_, expected_)                                     \
    static void *ilb_view_create_##name_(const sim_host *host,                 \
                                         const script *s)                      \
    {                                                                          \
        return ilb_view_create(host, s, (fault_));                             \
    }                                                                          \
    static const ilb_view_kind ilb_view_##name_ = {                            \
        "ilb-" #name_, ilb_view_create_##name_, (expected_)}

typedef struct ilb_view_kind {
    const char *name;
    void *(*create)(const sim_host *host, const script *s);
    const char *expected;
} ilb_view_kind;

ILB_VIEW(right, ILB_VIEW_RIGHT, NULL);
ILB_VIEW(loses_a_done, ILB_VIEW_LOSES_A_DONE, "are in flight, not");
ILB_VIEW(no_floor, ILB_VIEW_NO_FLOOR, "are ejected, of");
ILB_VIEW(stays_open, ILB_VIEW_STAYS_OPEN, "closed");
ILB_VIEW(closes, ILB_VIEW_CLOSES, "no endpoint for it");
ILB_VIEW(ignores_off, ILB_VIEW_IGNORES_OFF, "that is off");
ILB_VIEW(ignores_shadow, ILB_VIEW_IGNORES_SHADOW, "in shadow");
ILB_VIEW(ignores_policy, ILB_VIEW_IGNORES_POLICY, "another policy");
ILB_VIEW(fails_too_often, ILB_VIEW_FAILS_TOO_OFTEN, "more than all");
ILB_VIEW(oldest_of_none, ILB_VIEW_OLDEST_OF_NONE, "has an oldest");
ILB_VIEW(latency_absurd, ILB_VIEW_LATENCY_ABSURD, "an endpoint's latency");
ILB_VIEW(ejected_no_end, ILB_VIEW_EJECTED_NO_END, "without an end");
ILB_VIEW(event_nan, ILB_VIEW_EVENT_NAN, "no finite statistic");
ILB_VIEW(event_below, ILB_VIEW_EVENT_BELOW, "below the threshold");
ILB_VIEW(cost_nan, ILB_VIEW_COST_NAN, "candidate's cost");
ILB_VIEW(cost_negative, ILB_VIEW_COST_NEGATIVE, "candidate's cost");
ILB_VIEW(load_nan, ILB_VIEW_LOAD_NAN, "candidate's load");
ILB_VIEW(expects_absurd, ILB_VIEW_EXPECTS_ABSURD, "candidate's latency");
ILB_VIEW(other_chosen, ILB_VIEW_OTHER_CHOSEN, "than was chosen");

static const ilb_view_kind *const ilb_view_kinds[ILB_VIEW_COUNT] = {
    &ilb_view_right,           &ilb_view_loses_a_done,
    &ilb_view_no_floor,        &ilb_view_stays_open,
    &ilb_view_closes,          &ilb_view_ignores_off,
    &ilb_view_ignores_shadow,  &ilb_view_ignores_policy,
    &ilb_view_fails_too_often, &ilb_view_oldest_of_none,
    &ilb_view_latency_absurd,  &ilb_view_ejected_no_end,
    &ilb_view_event_nan,       &ilb_view_event_below,
    &ilb_view_cost_nan,        &ilb_view_cost_negative,
    &ilb_view_load_nan,        &ilb_view_expects_absurd,
    &ilb_view_other_chosen};

const watch_subject *watch_ilb_subjects(void)
{
    static watch_subject all[ILB_VIEW_COUNT + 1];

    for (size_t i = 0; i < ILB_VIEW_COUNT; i++)
        all[i] =
            (watch_subject){.policy = {.name = ilb_view_kinds[i]->name,
                                       .destroy = ilb_view_destroy,
                                       .update = ilb_view_update,
                                       .pick = ilb_view_pick,
                                       .first_byte = ilb_view_first_byte,
                                       .done = ilb_view_done,
                                       .tick = ilb_view_tick,
                                       .probe_answer = ilb_view_probe_answer},
                            .create = ilb_view_kinds[i]->create,
                            .look = ilb_view_look,
                            .expected = ilb_view_kinds[i]->expected};
    return all;
}
