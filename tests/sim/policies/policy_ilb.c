/* SPDX-License-Identifier: MIT */
/*
 * libilb itself, through its public header and with the simulator's clock.
 * Everything is default but the seed and the capacity, which the simulator
 * must choose; the other libilb policies and settings are variants for
 * experiments.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_ilb.h"

typedef struct policy_ilb {
    ilb_balancer *balancer;
    bool follows;     /* its advice on trials */
    ilb_ticket *last; /* a ticket of each server, to exclude it by */
    uint32_t n_last;
    uint64_t now_ns;
    uint64_t asked_ns; /* when probe_next was called; 0: not yet */
    ilb_endpoint_stats *stats;
    uint32_t n_stats;
    ilb_explanation *explanation; /* of the next pick; NULL: nobody asks */
} policy_ilb;

static uint64_t policy_ilb_clock(void *user)
{
    return ((const policy_ilb *)user)->now_ns;
}

static void policy_ilb_destroy(void *self)
{
    policy_ilb *p = self;

    if (p == NULL)
        return;
    ilb_balancer_free(p->balancer);
    free(p->last);
    free(p->stats);
    free(p);
}

void *policy_ilb_make(const sim_host *host, const ilb_options *with,
                      bool follows)
{
    ilb_options o = *with;
    policy_ilb *p = calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    p->now_ns = 1;
    p->follows = follows;
    o.clock_ns = policy_ilb_clock;
    o.clock_user = p;
    o.seed = host->seed == 0 ? 1 : host->seed;
    if (ilb_balancer_new(&p->balancer, "sim", &o) != ILB_OK) {
        free(p);
        return NULL;
    }
    return p;
}

ilb_balancer *policy_ilb_balancer(void *self)
{
    return ((policy_ilb *)self)->balancer;
}

static void *policy_ilb_create(const sim_host *host)
{
    const ilb_options o = ILB_OPTIONS_INIT;

    return policy_ilb_make(host, &o, true);
}

static void *policy_ilb_create_plain(const sim_host *host)
{
    const ilb_options o = ILB_OPTIONS_INIT;

    return policy_ilb_make(host, &o, false);
}

static void *policy_ilb_create_unjudged(const sim_host *host)
{
    ilb_options o = ILB_OPTIONS_INIT;

    o.consecutive_failures = ILB_NEVER;
    return policy_ilb_make(host, &o, true);
}

/* Tickets by server number, zeroed where there is none yet. */
static void policy_ilb_room(policy_ilb *p, uint32_t server)
{
    uint32_t n = p->n_last == 0 ? 16 : p->n_last;
    ilb_ticket *last;

    if (server < p->n_last)
        return;
    while (n <= server)
        n *= 2;
    last = realloc(p->last, n * sizeof *last);
    if (last == NULL)
        abort(); /* a test program without memory cannot go on */
    memset(last + p->n_last, 0, (n - p->n_last) * sizeof *last);
    p->last = last;
    p->n_last = n;
}

static void policy_ilb_update(void *self, const sim_member *members, uint32_t n,
                              uint64_t now_ns)
{
    policy_ilb *p = self;
    ilb_endpoint *list = calloc(n == 0 ? 1 : n, sizeof *list);
    char(*names)[16] = calloc(n == 0 ? 1 : n, sizeof *names);

    if (list == NULL || names == NULL)
        abort();
    p->now_ns = now_ns;
    for (uint32_t i = 0; i < n; i++) {
        ilb_endpoint e = ILB_ENDPOINT(names[i]);

        snprintf(names[i], sizeof names[i], "s%" PRIu32, members[i].server);
        e.weight = (uint32_t)(members[i].weight * 100 + 0.5);
        e.readiness = members[i].ready ? ILB_READY : ILB_NOT_READY;
        e.user = (void *)(uintptr_t)(members[i].server + 1);
        list[i] = e;
        policy_ilb_room(p, members[i].server);
    }
    if (ilb_balancer_update(p->balancer, list, n) != ILB_OK)
        abort();
    free(list);
    free(names);
}

/* What libilb says of a request that is a trial: the client may send it
 * elsewhere when it fails or takes too long. */
static void policy_ilb_advise(const policy_ilb *p, const ilb_ticket *ticket,
                              sim_attempt *a)
{
    uint64_t ns = ilb_ticket_try_timeout_ns(p->balancer, ticket);

    if (!p->follows || ns == 0)
        return;
    a->elsewhere = true;
    a->try_ns = ns == UINT64_MAX ? 0 : ns;
}

void policy_ilb_explain(void *self, ilb_explanation *x)
{
    ((policy_ilb *)self)->explanation = x;
}

static int policy_ilb_ask(policy_ilb *p, ilb_ticket *ticket,
                          const ilb_pick_options *o)
{
    if (p->explanation == NULL)
        return ilb_pick(p->balancer, ticket, o);
    return ilb_pick_explained(p->balancer, ticket, o, p->explanation,
                              sizeof *p->explanation);
}

static bool policy_ilb_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    policy_ilb *p = self;
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_ticket exclude[ILB_EXCLUDE_MAX];
    ilb_ticket ticket;
    int rc;

    p->now_ns = now_ns;
    o.now_ns = now_ns;
    o.cost = a->cost;
    o.exclude = exclude;
    for (uint32_t i = 0; i < a->n_tried && i < ILB_EXCLUDE_MAX; i++)
        if (a->tried[i] < p->n_last) /* else it was never in the list */
            exclude[o.n_exclude++] = p->last[a->tried[i]];
    rc = policy_ilb_ask(p, &ticket, &o);
    if (rc != ILB_OK && a->n_tried > 0) {
        o.n_exclude = 0; /* better the same again than none */
        rc = policy_ilb_ask(p, &ticket, &o);
    }
    p->explanation = NULL;
    if (rc != ILB_OK)
        return false;
    a->server = (uint32_t)(uintptr_t)ilb_ticket_user(p->balancer, &ticket) - 1;
    p->last[a->server] = ticket;
    memcpy(a->state, &ticket, sizeof ticket);
    policy_ilb_advise(p, &ticket, a);
    return true;
}

static void policy_ilb_first_byte(void *self, sim_attempt *a, uint64_t now_ns)
{
    policy_ilb *p = self;
    ilb_ticket ticket;

    p->now_ns = now_ns;
    memcpy(&ticket, a->state, sizeof ticket);
    if (ilb_first_byte(p->balancer, &ticket, now_ns) != ILB_OK)
        abort();
    memcpy(a->state, &ticket, sizeof ticket);
}

static void policy_ilb_done(void *self, sim_attempt *a, sim_outcome outcome,
                            uint64_t retry_after_ns, uint64_t now_ns)
{
    static const ilb_outcome outcomes[] = {
        [SIM_SUCCESS] = ILB_SUCCESS,   [SIM_FAILURE] = ILB_FAILURE,
        [SIM_TIMEOUT] = ILB_TIMEOUT,   [SIM_CONNECT_ERROR] = ILB_CONNECT_ERROR,
        [SIM_OVERLOAD] = ILB_OVERLOAD, [SIM_CANCELLED] = ILB_CANCELLED,
    };
    policy_ilb *p = self;
    ilb_result r = ILB_RESULT_INIT;
    ilb_ticket ticket;

    p->now_ns = now_ns;
    memcpy(&ticket, a->state, sizeof ticket);
    r.outcome = outcomes[outcome];
    r.now_ns = now_ns;
    r.retry_after_ns =
        outcome == SIM_OVERLOAD || outcome == SIM_FAILURE ? retry_after_ns : 0;
    if (ilb_done_with(p->balancer, &ticket, &r) != ILB_OK)
        abort();
    memcpy(a->state, &ticket, sizeof ticket);
}

/* When one is due, and often enough for picks to leave them to us. */
bool policy_ilb_probe(void *self, sim_attempt *a, uint64_t now_ns)
{
    policy_ilb *p = self;
    ilb_ticket ticket;

    p->now_ns = now_ns;
    if (p->asked_ns != 0 && now_ns >= p->asked_ns &&
        now_ns - p->asked_ns < ILB_PROBE_HOST_NS / 2 &&
        now_ns < ilb_probe_due_ns(p->balancer))
        return false;
    p->asked_ns = now_ns;
    if (ilb_probe_next(p->balancer, &ticket, now_ns) != ILB_OK)
        return false;
    a->server = (uint32_t)(uintptr_t)ilb_ticket_user(p->balancer, &ticket) - 1;
    p->last[a->server] = ticket;
    memcpy(a->state, &ticket, sizeof ticket);
    return true;
}

static uint32_t policy_ilb_n_ejected(void *self, uint64_t *ejections)
{
    policy_ilb *p = self;
    uint32_t ejected = 0;
    size_t n;

    *ejections = 0;
    if (ilb_balancer_snapshot(p->balancer, NULL, 0, sizeof *p->stats, &n) !=
        ILB_OK)
        abort();
    if (n > p->n_stats) {
        free(p->stats);
        p->stats = calloc(n, sizeof *p->stats);
        if (p->stats == NULL)
            abort();
        p->n_stats = (uint32_t)n;
    }
    if (ilb_balancer_snapshot(p->balancer, p->stats, p->n_stats,
                              sizeof *p->stats, &n) != ILB_OK)
        abort();
    for (size_t i = 0; i < n; i++) {
        ilb_state s = p->stats[i].state;

        ejected += s == ILB_STATE_EJECTED || s == ILB_STATE_PROBING;
        *ejections += p->stats[i].ejections;
    }
    return ejected;
}

#define ILB_REST                                                               \
    .source = "this project", .destroy = policy_ilb_destroy,                   \
    .update = policy_ilb_update, .pick = policy_ilb_pick,                      \
    .first_byte = policy_ilb_first_byte, .done = policy_ilb_done,              \
    .n_ejected = policy_ilb_n_ejected

const sim_policy sim_policy_ilb = {
    .name = "ilb",
    .about = "libilb, all defaults; trials that fail are tried elsewhere",
    .passive = true,
    .create = policy_ilb_create,
    ILB_REST,
};

const sim_policy sim_policy_ilb_plain = {
    .name = "ilb-plain",
    .about = "libilb whose client does not try trials again elsewhere",
    .passive = true,
    .variant = true,
    .create = policy_ilb_create_plain,
    ILB_REST,
};

const sim_policy sim_policy_ilb_probing = {
    .name = "ilb-probing",
    .about = "libilb whose client probes with requests of its own",
    .variant = true,
    .create = policy_ilb_create,
    .probe = policy_ilb_probe,
    ILB_REST,
};

const sim_policy sim_policy_ilb_unjudged = {
    .name = "ilb-unjudged",
    .about = "libilb with its detectors off: the score alone",
    .passive = true,
    .variant = true,
    .create = policy_ilb_create_unjudged,
    ILB_REST,
};
