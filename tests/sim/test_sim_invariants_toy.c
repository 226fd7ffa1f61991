/* SPDX-License-Identifier: MIT */
/*
 * A simple policy that keeps all invariants - round robin; out for 5 s after
 * three failures in a row - and the same with a fault each, which have to be
 * found. Most of these are mistakes that real balancers make.
 */
#include <stdlib.h>
#include <string.h>

#include "test_sim_invariants.h"

#define TOY_ROW 3
#define TOY_EJECTED_NS UINT64_C(5000000000)

typedef enum toy_fault {
    TOY_RIGHT = 0,
    TOY_LOSES_A_DONE,     /* one in 500 */
    TOY_EJECTS_ALL,       /* knows no cap */
    TOY_ONE_TOO_MANY,     /* of the cap in per cent */
    TOY_FORGETS_TO_RAISE, /* the cap is not looked at when others leave */
    TOY_IGNORES_FLOOR,    /* of endpoints that must stay */
    TOY_OPENS,            /* and should fail closed */
    TOY_REFUSES,          /* fails closed when half of all are ejected */
    TOY_SENDS_TO_ALL,     /* whether they are ready or not */
    TOY_FOR_EVER,         /* ejects for ten hours */
    TOY_BELIEVES_CLOCKS,  /* one that went back ejects for as long */
    TOY_LISTS_TOO_FEW,    /* says nothing of the last one */
    TOY_ALL_ARE_READY,    /* says so */
    TOY_HAS_A_MEMORY      /* another run is another result */
} toy_fault;

typedef struct toy_endpoint {
    bool ready; /* false as well: not in the list */
    bool listed;
    uint32_t row; /* of failures */
    uint64_t in_flight, until_ns;
} toy_endpoint;

typedef struct toy {
    toy_fault fault;
    ilb_options options;
    toy_endpoint all[WATCH_ENDPOINTS]; /* by server */
    sim_member members[WATCH_ENDPOINTS];
    uint32_t n_members, next;
    uint64_t n_done;
    uint64_t now_ns, time_ns; /* the clock; time that has passed */
} toy;

static void toy_time(toy *t, uint64_t now_ns)
{
    if (t->fault == TOY_BELIEVES_CLOCKS)
        t->time_ns = now_ns;
    else if (now_ns > t->now_ns)
        t->time_ns += now_ns - t->now_ns;
    t->now_ns = now_ns;
}

static bool toy_is_ejected(const toy *t, uint32_t server)
{
    return t->all[server].ready && t->all[server].until_ns > t->time_ns;
}

static void toy_count(const toy *t, uint32_t *ready, uint32_t *ejected)
{
    *ready = *ejected = 0;
    for (uint32_t i = 0; i < WATCH_ENDPOINTS; i++) {
        *ready += t->all[i].ready;
        *ejected += toy_is_ejected(t, i);
    }
}

static bool toy_closed(const toy *t)
{
    return t->options.fail_mode == ILB_FAIL_CLOSED;
}

static uint32_t toy_floor(const toy *t)
{
    if (t->fault == TOY_IGNORES_FLOOR)
        return toy_closed(t) ? 0 : 1;
    return t->options.min_endpoints == 0 && !toy_closed(t)
               ? 1
               : t->options.min_endpoints;
}

static uint32_t toy_cap(const toy *t, uint32_t ready)
{
    uint32_t cap = ready * t->options.max_ejection_percent / 100;
    uint32_t floor = toy_floor(t);

    if (t->fault == TOY_EJECTS_ALL)
        return ready;
    if (t->options.consecutive_failures == ILB_NEVER)
        return 0;
    if (cap == 0 && ready >= 2)
        cap = 1;
    if (t->fault == TOY_ONE_TOO_MANY)
        cap++;
    floor = ready > floor ? ready - floor : 0;
    return cap < floor ? cap : floor;
}

/* Fails closed: none, or fewer than the threshold, are left. */
static bool toy_has_none(const toy *t, uint32_t ready, uint32_t ejected)
{
    if (t->fault == TOY_REFUSES)
        return ejected > 0 && 2 * ejected >= ready;
    return toy_closed(t) && t->fault != TOY_OPENS && ready > 0 &&
           (ejected == ready || (ready - ejected) * 100 <
                                    ready * t->options.panic_threshold_percent);
}

static void *toy_create(const script *s)
{
    static uint32_t memory;
    toy *t = calloc(1, sizeof *t);

    if (t != NULL) {
        t->options = s->options;
        t->next = memory++;
    }
    return t;
}

static void toy_update(void *self, const sim_member *members, uint32_t n,
                       uint64_t now_ns)
{
    toy *t = self;
    uint32_t ready, ejected;

    toy_time(t, now_ns);
    memcpy(t->members, members, n * sizeof *members);
    t->n_members = n;
    for (uint32_t i = 0; i < WATCH_ENDPOINTS; i++)
        t->all[i].listed = t->all[i].ready = false;
    for (uint32_t i = 0; i < n; i++) {
        t->all[members[i].server].listed = true;
        t->all[members[i].server].ready = members[i].ready;
    }
    toy_count(t, &ready, &ejected);
    for (uint32_t i = 0; i < WATCH_ENDPOINTS; i++) {
        if (!t->all[i].ready)
            t->all[i].until_ns = 0;
        if (toy_is_ejected(t, i) && ejected > toy_cap(t, ready) &&
            t->fault != TOY_FORGETS_TO_RAISE) {
            t->all[i].until_ns = 0;
            ejected--;
        }
    }
}

static bool toy_tried(const sim_attempt *a, uint32_t server)
{
    for (uint32_t i = 0; i < a->n_tried; i++)
        if (a->tried[i] == server)
            return true;
    return false;
}

/* Best one that is not ejected and not tried, then any that is not tried. */
static bool toy_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    toy *t = self;
    uint32_t ready, ejected;

    toy_time(t, now_ns);
    toy_count(t, &ready, &ejected);
    if (toy_has_none(t, ready, ejected))
        return false;
    t->next++;
    for (int pass = 0; pass < 3; pass++)
        for (uint32_t i = 0; i < t->n_members; i++) {
            const sim_member *m = &t->members[(t->next + i) % t->n_members];

            if ((!m->ready && t->fault != TOY_SENDS_TO_ALL) ||
                (pass < 1 && toy_is_ejected(t, m->server)) ||
                (pass < 2 && toy_tried(a, m->server)))
                continue;
            a->server = m->server;
            t->all[m->server].in_flight++;
            return true;
        }
    return false;
}

static void toy_done(void *self, sim_attempt *a, sim_outcome outcome,
                     uint64_t retry_after_ns, uint64_t now_ns)
{
    toy *t = self;
    toy_endpoint *e = &t->all[a->server];
    uint32_t ready, ejected;

    (void)retry_after_ns;
    toy_time(t, now_ns);
    if (++t->n_done % 500 == 0 && t->fault == TOY_LOSES_A_DONE)
        return;
    e->in_flight--;
    e->row = outcome == SIM_SUCCESS ? 0 : e->row + 1;
    toy_count(t, &ready, &ejected);
    if (!e->ready || e->row < TOY_ROW || toy_is_ejected(t, a->server) ||
        ejected >= toy_cap(t, ready))
        return;
    e->row = 0;
    e->until_ns =
        t->time_ns + TOY_EJECTED_NS * (t->fault == TOY_FOR_EVER ? 7200 : 1);
}

static void toy_look(void *self, watch_view *v)
{
    const toy *t = self;

    v->wrong = NULL;
    v->n = 0;
    for (uint32_t i = 0; i < t->n_members; i++) {
        uint32_t server = t->members[i].server;
        bool ready = t->all[server].ready || t->fault == TOY_ALL_ARE_READY;

        if (t->fault == TOY_LISTS_TOO_FEW && i + 1 == t->n_members)
            break;
        v->all[v->n++] =
            (watch_endpoint){.server = server,
                             .ready = ready,
                             .ejected = toy_is_ejected(t, server),
                             .in_flight = t->all[server].in_flight};
    }
    for (uint32_t i = 0; i < WATCH_ENDPOINTS; i++)
        if (!t->all[i].listed && t->all[i].in_flight > 0)
            v->all[v->n++] =
                (watch_endpoint){.server = i, .in_flight = t->all[i].in_flight};
}

/* ---- The mutants ---- */

#define TOY(name_, fault_, expected_)                                          \
    static void *toy_create_##name_(const sim_host *host, const script *s)     \
    {                                                                          \
        toy *t = toy_create(s);                                                \
        (void)host;                                                            \
                                                                               \
        if (t != NULL)                                                         \
            t->fault = (fault_);                                               \
        if (t != NULL && t->fault != TOY_HAS_A_MEMORY)                         \
            t->next = 0;                                                       \
        return t;                                                              \
    }                                                                          \
    static const watch_subject toy_##name_ = {                                 \
        .policy = {.name = "toy-" #name_,                                      \
                   .destroy = free,                                            \
                   .update = toy_update,                                       \
                   .pick = toy_pick,                                           \
                   .done = toy_done},                                          \
        .create = toy_create_##name_,                                          \
        .look = toy_look,                                                      \
        .expected = (expected_)}

TOY(right, TOY_RIGHT, NULL);
TOY(loses_a_done, TOY_LOSES_A_DONE, "are in flight, not");
TOY(ejects_all, TOY_EJECTS_ALL, "are ejected, of");
TOY(one_too_many, TOY_ONE_TOO_MANY, "are ejected, of");
TOY(forgets_to_raise, TOY_FORGETS_TO_RAISE, "are ejected, of");
TOY(ignores_floor, TOY_IGNORES_FLOOR, "are ejected, of");
TOY(opens, TOY_OPENS, "should fail closed");
TOY(refuses, TOY_REFUSES, "no endpoint for it");
TOY(sends_to_all, TOY_SENDS_TO_ALL, "which is not ready");
TOY(for_ever, TOY_FOR_EVER, "has been ejected for");
TOY(believes_clocks, TOY_BELIEVES_CLOCKS, "has been ejected for");
TOY(lists_too_few, TOY_LISTS_TOO_FEW, "endpoints, of");
TOY(all_are_ready, TOY_ALL_ARE_READY, "is server");
TOY(has_a_memory, TOY_HAS_A_MEMORY, WATCH_ANOTHER_RESULT);

const watch_subject *const toy_subjects[] = {
    &toy_right,         &toy_loses_a_done,     &toy_ejects_all,
    &toy_one_too_many,  &toy_forgets_to_raise, &toy_ignores_floor,
    &toy_opens,         &toy_refuses,          &toy_sends_to_all,
    &toy_for_ever,      &toy_believes_clocks,  &toy_lists_too_few,
    &toy_all_are_ready, &toy_has_a_memory,     NULL};
