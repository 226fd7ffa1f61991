/* SPDX-License-Identifier: MIT */
/*
 * The public object: argument checks, tickets, and the wiring of the rooms.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/options.h"
#include "observe/events.h"
#include "observe/stats.h"
#include "select/select.h"
#include "select/ticket.h"
#include "set/set.h"

struct ilb_balancer {
    ilb__selector selector;
    ilb__judge judge;
    ilb__set set;
    ilb__events events;
    ilb_clock clock_ns;
    void *clock_user;
    uint64_t secret;    /* of this balancer's tickets */
    uint64_t update_ns; /* the time of the update that is going on */
    pthread_mutex_t writer;
    ilb_allocator allocator;
    void *memory;
    char name[ILB_NAME_MAX + 1];
};

/* ---- Making and releasing ---------------------------------------------- */

/* Walks over all parts: counts, or hands them out. */
static ilb_balancer *balancer_lay_out(ilb__arena *a, const ilb_options *o,
                                      uint64_t salt)
{
    ilb_balancer *b = ilb__arena_take(a, 1, sizeof *b);
    ilb__events counted_events;
    ilb__set counted;

    memset(&counted, 0, sizeof counted);
    memset(&counted_events, 0, sizeof counted_events);
    ilb__set_init(b == NULL ? &counted : &b->set, a, o->capacity, salt);
    ilb__events_init(b == NULL ? &counted_events : &b->events, a,
                     o->event_capacity);
    return b;
}

static void *balancer_allocate(const ilb_allocator *allocator, size_t bytes,
                               ilb__arena *a)
{
    const size_t line = ILB_CACHELINE_BYTES;
    unsigned char *memory;

    if (bytes > SIZE_MAX - line)
        return NULL;
    memory = allocator->allocate(bytes + line, allocator->user);
    if (memory != NULL) {
        a->base = memory + (line - (uintptr_t)memory % line);
        a->used_bytes = 0;
    }
    return memory;
}

static uint64_t balancer_now(const ilb_balancer *b, uint64_t now_ns)
{
    return now_ns != 0 ? now_ns : b->clock_ns(b->clock_user);
}

/* Where what happens is noted. */
static void balancer_watch_events(ilb_balancer *b, const ilb_options *o)
{
    b->events.on_event = o->on_event;
    b->events.user = o->event_user;
    b->events.clock_ns = b->clock_ns;
    b->events.clock_user = b->clock_user;
    if (b->events.capacity == 0)
        return;
    b->judge.tell = ilb__events_transition;
    b->judge.tell_user = &b->events;
}

/* The caller is about to return, with no lock. */
static void balancer_tell(ilb_balancer *b)
{
    if (ilb__events_pending(&b->events))
        ilb__events_tell(&b->events);
}

ILB_API int ilb_balancer_new(ilb_balancer **out, const char *name,
                             const ilb_options *options)
{
    ilb__arena arena = {NULL, 0};
    ilb_allocator allocator;
    ilb_options o;
    ilb_balancer *b;
    void *memory;
    uint64_t seed;
    int rc;

    if (out == NULL || !ilb__text_ok(name, ILB_NAME_MAX))
        return ILB_EINVAL;
    rc = ilb__options_read(&o, options);
    if (rc != ILB_OK)
        return rc;
    allocator = ilb__allocator_or_default(o.allocator);
    (void)balancer_lay_out(&arena, &o, 0);
    memory = balancer_allocate(&allocator, arena.used_bytes, &arena);
    if (memory == NULL)
        return ILB_ENOMEM;
    seed = o.seed != 0 ? o.seed
                       : ilb__mix64((uintptr_t)memory) ^
                             ilb__mix64(ilb__clock_monotonic_ns(NULL));
    b = balancer_lay_out(&arena, &o, ilb__mix64(seed));
    if (pthread_mutex_init(&b->writer, NULL) != 0) {
        allocator.release(memory, allocator.user);
        return ILB_ENOMEM;
    }
    b->memory = memory;
    b->allocator = allocator;
    b->clock_ns = o.clock_ns == NULL ? ilb__clock_monotonic_ns : o.clock_ns;
    b->clock_user = o.clock_user;
    b->secret = ilb__mix64(seed ^ (uintptr_t)memory);
    b->selector.policy = o.policy;
    ilb__random_init(&b->selector.random, seed);
    ilb__judge_init(&b->judge, &o);
    balancer_watch_events(b, &o);
    ilb__pool_init(&b->selector.pool);
    memcpy(b->name, name, strlen(name));
    *out = b;
    return ILB_OK;
}

ILB_API void ilb_balancer_free(ilb_balancer *b)
{
    if (b == NULL)
        return;
    pthread_mutex_destroy(&b->writer);
    b->allocator.release(b->memory, b->allocator.user);
}

ILB_API const char *ilb_balancer_name(const ilb_balancer *b)
{
    return b == NULL ? NULL : b->name;
}

/* ---- Endpoints --------------------------------------------------------- */

static void balancer_enters(ilb__slot *slot, void *user)
{
    ilb_balancer *b = user;

    ilb__health_enter(&b->judge, slot, ilb__table_view(&b->set.table).n,
                      b->update_ns);
}

static void balancer_leaves(ilb__slot *slot, void *user)
{
    ilb__health_leave(&((ilb_balancer *)user)->judge, slot);
}

static void balancer_changes(const ilb__slot *slot, bool was_listed,
                             uint8_t was_readiness, void *user)
{
    ilb__events_change(&((ilb_balancer *)user)->events, slot, was_listed,
                       was_readiness);
}

static ilb__set_watch balancer_watch(ilb_balancer *b)
{
    ilb__set_watch watch = {balancer_enters, balancer_leaves, b,
                            b->events.capacity == 0 ? NULL : balancer_changes};

    b->update_ns = balancer_now(b, 0);
    ilb__events_begin_update(&b->events);
    return watch;
}

/* A smaller set may have more ejected endpoints than its cap allows. */
static void balancer_enforce_cap(ilb_balancer *b)
{
    ilb__view v = ilb__table_view(&b->set.table);
    for (uint32_t i = 0; i < v.n; i++)
        ilb__health_enforce_cap(
            &b->judge,
            &b->set.slots[ilb__endpoint_id_index(ilb__view_id(&v, i))], v.n,
            b->update_ns);
}

static bool balancer_readiness_ok(ilb_readiness r)
{
    return r == ILB_READY || r == ILB_NOT_READY || r == ILB_DRAINING;
}

static int balancer_check_endpoint(const ilb_endpoint *e)
{
    if (e->size != sizeof *e)
        return ILB_EABI;
    if (!ilb__text_ok(e->address, ILB_ADDRESS_MAX))
        return ILB_EADDRESS;
    if (e->weight > ILB_WEIGHT_MAX || !balancer_readiness_ok(e->readiness))
        return ILB_EINVAL;
    return ILB_OK;
}

ILB_API int ilb_balancer_update(ilb_balancer *b, const ilb_endpoint *endpoints,
                                size_t n)
{
    ilb__set_watch watch;
    int rc;

    if (b == NULL || (endpoints == NULL && n > 0))
        return ILB_EINVAL;
    if (n > b->set.capacity)
        return ILB_ECAPACITY;
    for (size_t i = 0; i < n; i++) {
        rc = balancer_check_endpoint(&endpoints[i]);
        if (rc != ILB_OK)
            return rc;
    }
    pthread_mutex_lock(&b->writer);
    watch = balancer_watch(b);
    rc = ilb__set_plan(&b->set, endpoints, n);
    if (rc == ILB_OK) {
        ilb__set_apply(&b->set, endpoints, (uint32_t)n, &watch);
        ilb__events_end_update(&b->events);
        balancer_enforce_cap(b);
    }
    pthread_mutex_unlock(&b->writer);
    balancer_tell(b);
    return rc;
}

ILB_API int ilb_balancer_set_readiness(ilb_balancer *b, const char *address,
                                       ilb_readiness readiness)
{
    ilb__set_watch watch;
    ilb__slot *slot;

    if (b == NULL || address == NULL || !balancer_readiness_ok(readiness))
        return ILB_EINVAL;
    pthread_mutex_lock(&b->writer);
    watch = balancer_watch(b);
    slot = ilb__set_find(&b->set, address);
    if (slot != NULL) {
        ilb__set_change_readiness(&b->set, slot, readiness, &watch);
        balancer_enforce_cap(b);
    }
    pthread_mutex_unlock(&b->writer);
    balancer_tell(b);
    return slot == NULL ? ILB_ENOTFOUND : ILB_OK;
}

static void balancer_checked(ilb_balancer *b, ilb__slot *slot, bool passed,
                             uint64_t now_ns)
{
    ilb__judge *j = &b->judge;
    uint32_t n_ready = ilb__table_view(&b->set.table).n;

    switch (ilb__checks_add(&slot->checks, passed,
                            ilb__load_relaxed(&slot->ejections), &j->checks,
                            now_ns)) {
    case ILB__CHECKED_DOWN:
        (void)ilb__health_check_down(j, slot, n_ready, now_ns);
        break;
    case ILB__CHECKED_UP:
        ilb__health_check_up(j, slot, false, now_ns);
        break;
    case ILB__CHECKED_UP_AGAIN:
        ilb__health_check_up(j, slot, true, now_ns);
        break;
    case ILB__CHECKED_NOTHING:
        break;
    }
}

ILB_API int ilb_balancer_report_check(ilb_balancer *b, const char *address,
                                      int passed, uint64_t now_ns)
{
    ilb__slot *slot;

    if (b == NULL || address == NULL)
        return ILB_EINVAL;
    now_ns = balancer_now(b, now_ns);
    pthread_mutex_lock(&b->writer);
    slot = ilb__set_find(&b->set, address);
    if (slot != NULL)
        balancer_checked(b, slot, passed != 0, now_ns);
    pthread_mutex_unlock(&b->writer);
    return slot == NULL ? ILB_ENOTFOUND : ILB_OK;
}

/* ---- Requests ---------------------------------------------------------- */

static ilb__slot *balancer_slot(const ilb_balancer *b, const ilb_ticket *t)
{
    return &b->set.slots[ilb__endpoint_id_index(ilb__ticket_id(t))];
}

static int pick_exclusion(const ilb_balancer *b, const ilb_pick_options *o,
                          ilb__exclusion *e)
{
    if (o->n_exclude > ILB_EXCLUDE_MAX ||
        (o->exclude == NULL && o->n_exclude > 0))
        return ILB_EINVAL;
    for (size_t i = 0; i < o->n_exclude; i++) {
        const ilb_ticket *t = &o->exclude[i];

        if (!ilb__ticket_is_ours(b->secret, t))
            return ILB_ETICKET;
        e->ids[i] = ilb__ticket_id(t);
    }
    e->n = (uint32_t)o->n_exclude;
    return ILB_OK;
}

/* A probe that begins or ends without a result. The ticket is in flight, so
 * its slot is that endpoint's. */
static void balancer_notes_probe(ilb_balancer *b, const ilb_ticket *t,
                                 ilb_event_type type, ilb_state from,
                                 uint64_t now_ns)
{
    const ilb__slot *slot = balancer_slot(b, t);
    ilb__transition x;

    if (b->judge.tell == NULL)
        return;
    memset(&x, 0, sizeof x);
    x.type = type;
    x.from = from;
    x.to =
        type == ILB_EVENT_PROBE_STARTED ? ILB_STATE_PROBING : ILB_STATE_EJECTED;
    x.until_ns = ilb__health_until_ns(ilb__load_relaxed(&slot->health));
    x.now_ns = now_ns;
    b->judge.tell(slot, &x, b->judge.tell_user);
}

static void pick_write(ilb_balancer *b, ilb_ticket *ticket,
                       const ilb__choice *choice, uint64_t now_ns)
{
    ilb__ticket_write(b->secret, ticket, choice, now_ns);
    if (ILB_UNLIKELY(choice->probe))
        balancer_notes_probe(
            b, ticket, ILB_EVENT_PROBE_STARTED,
            choice->probe_lost ? ILB_STATE_PROBING : ILB_STATE_EJECTED, now_ns);
}

static int pick_ticket(ilb_balancer *b, ilb_ticket *ticket,
                       const ilb_pick_options *options, ilb_explanation *trace)
{
    ilb__exclusion exclusion;
    ilb_pick_options o;
    ilb__choice choice;
    uint64_t now_ns = 0;
    int rc;

    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    exclusion.n = 0;
    choice.cost = ILB_COST_ONE;
    if (options != NULL) {
        rc = ilb__struct_read(&o, sizeof o, options, sizeof o);
        if (rc == ILB_OK && !ilb__cost_ok(o.cost))
            rc = ILB_EINVAL;
        if (rc == ILB_OK)
            rc = pick_exclusion(b, &o, &exclusion);
        if (rc != ILB_OK)
            return rc;
        now_ns = o.now_ns;
        choice.cost = ilb__cost_of(o.cost);
    }
    now_ns = balancer_now(b, now_ns);
    rc = ilb__select(&b->selector, &b->judge, &b->set.table, b->set.slots,
                     &exclusion, now_ns, &choice, trace);
    if (rc != ILB_OK)
        return rc;
    pick_write(b, ticket, &choice, now_ns);
    return ILB_OK;
}

ILB_API int ilb_probe_next(ilb_balancer *b, ilb_ticket *ticket, uint64_t now_ns)
{
    ilb__choice choice;
    int rc;

    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    now_ns = balancer_now(b, now_ns);
    choice.cost = ILB_COST_ONE;
    rc = ilb__select_due(&b->selector, &b->judge, &b->set.table, b->set.slots,
                         now_ns, &choice);
    if (rc == ILB_OK)
        pick_write(b, ticket, &choice, now_ns);
    return rc;
}

ILB_API uint64_t ilb_probe_due_ns(const ilb_balancer *b)
{
    return b == NULL ? UINT64_MAX : ilb__load_relaxed(&b->judge.next_due_ns);
}

ILB_API int ilb_pick(ilb_balancer *b, ilb_ticket *ticket,
                     const ilb_pick_options *options)
{
    return pick_ticket(b, ticket, options, NULL);
}

ILB_API int ilb_pick_explained(ilb_balancer *b, ilb_ticket *ticket,
                               const ilb_pick_options *options,
                               ilb_explanation *explanation,
                               size_t explanation_size)
{
    ilb_explanation trace;
    int rc;

    if (explanation == NULL)
        return ILB_EINVAL;
    if (explanation_size != sizeof *explanation)
        return ILB_EABI;
    rc = pick_ticket(b, ticket, options, &trace);
    if (rc != ILB_OK)
        return rc;
    trace.trial = ilb__ticket_is_trial(ticket);
    memcpy(explanation, &trace, sizeof trace);
    return ILB_OK;
}

ILB_API const char *ilb_ticket_address(const ilb_balancer *b,
                                       const ilb_ticket *ticket)
{
    if (b == NULL || ticket == NULL ||
        !ilb__ticket_in_flight(b->secret, ticket))
        return NULL;
    return balancer_slot(b, ticket)->address;
}

ILB_API void *ilb_ticket_user(const ilb_balancer *b, const ilb_ticket *ticket)
{
    if (b == NULL || ticket == NULL ||
        !ilb__ticket_in_flight(b->secret, ticket))
        return NULL;
    /* Pairs with the release in set_enter: what it points to is there. */
    return atomic_load_explicit(&balancer_slot(b, ticket)->user,
                                memory_order_acquire);
}

ILB_API uint64_t ilb_ticket_try_timeout_ns(const ilb_balancer *b,
                                           const ilb_ticket *ticket)
{
    ilb__figures f;
    float ns;

    if (b == NULL || ticket == NULL ||
        !ilb__ticket_in_flight(b->secret, ticket) ||
        !ilb__ticket_is_trial(ticket))
        return 0;
    ilb__pool_figures(&b->selector.pool, &f);
    ns = ilb__figures_hang_ns(&f);
    if (!ilb__ticket_is_timed(ticket))
        return UINT64_MAX;
    return ns < ILB_FIGURES_NEVER_NS ? (uint64_t)ns : UINT64_MAX;
}

ILB_API int ilb_first_byte(ilb_balancer *b, ilb_ticket *ticket, uint64_t now_ns)
{
    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    if (!ilb__ticket_in_flight(b->secret, ticket))
        return ILB_ETICKET;
    if (ilb__ticket_is_answered(ticket))
        return ILB_OK;
    now_ns = balancer_now(b, now_ns);
    if (!ilb__load_answer(&balancer_slot(b, ticket)->load,
                          ilb__endpoint_id_generation(ilb__ticket_id(ticket)),
                          ilb__ticket_where(ticket), now_ns))
        return ILB_ETICKET;
    ilb__ticket_first_byte(ticket, now_ns);
    return ILB_OK;
}

/* A request that is over. */
typedef struct done_facts {
    ilb__slot *slot;
    ilb_outcome outcome;
    bool probe, trial;
    uint32_t cost;
    uint64_t picked_ns;
    uint64_t waited_ns;
    uint64_t retry_after_ns;
    uint64_t now_ns;
    const ilb_ticket *ticket;
} done_facts;

static void done_figures(ilb_balancer *b, const done_facts *d, bool failed,
                         ilb__figures *f)
{
    ilb__pool *p = &b->selector.pool;

    if (failed || ilb__pool_due(p, ILB_POOL_LATE_NS, d->now_ns)) {
        ilb__view view = ilb__table_view(&b->set.table);

        ilb__pool_refresh(p, &b->judge, b->set.slots, &view, failed, d->now_ns);
    }
    ilb__pool_figures(p, f);
}

/* Does a request that ended so count as one more failure in a row? */
static bool done_counts(const done_facts *d, const ilb__figures *f)
{
    if (d->outcome == ILB_OVERLOAD)
        return false;
    if (d->outcome != ILB_TIMEOUT)
        return true;
    /* Overloaded peers time out as well: no evidence against this one. */
    if (f->overloaded)
        return false;
    /* Given up early, as ilb_ticket_try_timeout_ns advises: it is slow. */
    return !d->trial || ilb__failures_in_a_row(&d->slot->failures) > 0 ||
           (float)d->waited_ns > 2 * ilb__figures_hang_ns(f);
}

static void done_cancelled(ilb_balancer *b, const done_facts *d,
                           const ilb__figures *f)
{
    ilb__failing x = {0};

    if (!d->probe)
        return;
    if ((float)d->waited_ns < ilb__figures_hang_ns(f)) {
        if (ilb__health_inconclusive(&b->judge, d->slot, d->now_ns))
            balancer_notes_probe(b, d->ticket, ILB_EVENT_PROBE_CANCELLED,
                                 ILB_STATE_PROBING, d->now_ns);
        return;
    }
    x.bits = (uint32_t)ilb__random_next(&b->selector.random, d->now_ns);
    (void)ilb__health_bad(&b->judge, d->slot, true, &x, f, d->now_ns);
}

/* An answer, or none so far, is slow or is not. True: it was the probe of an
 * endpoint that is ejected for this, and has failed. */
static bool done_slow(ilb_balancer *b, const done_facts *d,
                      const ilb__figures *f)
{
    ilb__failing x = {0};
    ilb__slowness s;

    if (!ilb__slowness_add(&d->slot->slowness, f, d->picked_ns, d->now_ns,
                           &s) &&
        !d->probe)
        return false;
    ilb__add_relaxed(&d->slot->slow, 1);
    x.n_ready = ilb__table_view(&b->set.table).n;
    /* Slow answers are many: they leave the stream of the picks alone. */
    x.bits = (uint32_t)ilb__mix64(b->set.salt ^ d->now_ns);
    if (!ilb__health_slow(&b->judge, d->slot, d->probe, &s, &x, f, d->now_ns))
        return false;
    ilb__health_enforce_cap(&b->judge, d->slot,
                            ilb__table_view(&b->set.table).n, d->now_ns);
    return d->probe;
}

/* What a request without a good answer teaches. */
static void done_bad(ilb_balancer *b, const done_facts *d)
{
    bool in_a_row;
    ilb__figures f;
    ilb__failing x = {0};

    done_figures(b, d,
                 d->outcome != ILB_OVERLOAD && d->outcome != ILB_CANCELLED, &f);
    if (ilb__figures_passed(&f, d->picked_ns, d->now_ns)) {
        uint64_t ns = ilb__cost_ordinary_ns(d->waited_ns, d->cost);

        ilb__latency_learn_bound(&d->slot->latency, ns, &f, d->now_ns);
        if ((float)ns > f.slow_ns && !d->probe &&
            (d->outcome == ILB_CANCELLED || d->outcome == ILB_TIMEOUT))
            (void)done_slow(b, d, &f);
    }
    ilb__health_gave_up(&b->judge, d->slot, &f, d->now_ns);
    /* Also a caller who had less time than an ordinary answer takes. */
    if (d->outcome == ILB_CANCELLED ||
        (d->outcome == ILB_TIMEOUT &&
         (float)d->waited_ns < ilb__figures_ordinary_ns(&f))) {
        done_cancelled(b, d, &f);
        return;
    }
    if (d->trial)
        ilb__pool_trial_failed(&b->selector.pool);
    in_a_row = done_counts(d, &f);
    x.row = ilb__failures_bad(&d->slot->failures, in_a_row, d->now_ns);
    x.refused = d->outcome == ILB_OVERLOAD;
    x.retry_after_ns = d->retry_after_ns;
    if (!in_a_row && !d->probe && !x.refused)
        return;
    x.sums = in_a_row ? ilb__evidence_bad(&d->slot->evidence, f.steps)
                      : ilb__evidence_read(&d->slot->evidence);
    x.n_ready = ilb__table_view(&b->set.table).n;
    x.bits = (uint32_t)ilb__random_next(&b->selector.random, d->now_ns);
    if (ilb__health_bad(&b->judge, d->slot, d->probe, &x, &f, d->now_ns))
        /* An update may have made the set smaller meanwhile. */
        ilb__health_enforce_cap(&b->judge, d->slot,
                                ilb__table_view(&b->set.table).n, d->now_ns);
}

static void done_good(ilb_balancer *b, const done_facts *d)
{
    ilb__slot *slot = d->slot;
    bool probe_failed = false;
    ilb__figures f;

    done_figures(b, d, false, &f);
    if (ILB_LIKELY(ilb__figures_passed(&f, d->picked_ns, d->now_ns))) {
        uint64_t ns = ilb__cost_ordinary_ns(d->waited_ns, d->cost);

        ilb__latency_learn(&slot->latency, ns, &f, d->now_ns);
        ilb__pool_good(&b->selector.pool, d->waited_ns,
                       ilb__load_relaxed(&slot->done[ILB_SUCCESS]));
        if (ILB_UNLIKELY((float)ns > f.slow_ns))
            probe_failed = done_slow(b, d, &f);
        else
            ilb__slowness_good(&slot->slowness, &f);
    }
    ilb__failures_good(&slot->failures, d->now_ns);
    ilb__evidence_good(&slot->evidence, f.steps);
    ilb__refusals_end(&slot->refusals);
    if (!probe_failed)
        ilb__health_good(&b->judge, slot, d->probe, d->now_ns);
}

static bool done_result_ok(const ilb_result *r)
{
    return (unsigned)r->outcome < ILB_OUTCOME_COUNT &&
           (r->retry_after_ns == 0 || r->outcome == ILB_OVERLOAD ||
            r->outcome == ILB_FAILURE);
}

static int done_ticket(ilb_balancer *b, ilb_ticket *t, const ilb_result *r)
{
    bool returned;
    done_facts d;

    if (b == NULL || t == NULL || !done_result_ok(r))
        return ILB_EINVAL;
    if (!ilb__ticket_in_flight(b->secret, t))
        return ILB_ETICKET;
    d.slot = balancer_slot(b, t);
    /* A copy of a done ticket must not teach anything: look before. */
    if (!ilb__load_has(ilb__load_relaxed(&d.slot->load.word),
                       ilb__endpoint_id_generation(ilb__ticket_id(t)),
                       ilb__ticket_where(t)))
        return ILB_ETICKET;
    d.now_ns = balancer_now(b, r->now_ns);
    d.outcome = r->outcome;
    d.retry_after_ns = r->retry_after_ns;
    d.cost = ilb__ticket_cost(t);
    d.probe = ilb__ticket_is_probe(t);
    d.trial = ilb__ticket_is_trial(t);
    d.waited_ns = ilb__ticket_latency_ns(t, d.now_ns);
    d.picked_ns = t->internal[1];
    d.ticket = t;
    ilb__ticket_finish(t);
    ilb__add_relaxed(&d.slot->done[d.outcome], 1);
    if (d.outcome == ILB_SUCCESS)
        done_good(b, &d);
    else
        done_bad(b, &d);
    ilb__cost_return(&d.slot->extra_cost, d.cost);
    /* From here on the slot may be another endpoint's. */
    returned = ilb__load_return(&d.slot->load,
                                ilb__endpoint_id_generation(ilb__ticket_id(t)),
                                ilb__ticket_where(t), d.now_ns);
    balancer_tell(b);
    return returned ? ILB_OK : ILB_ETICKET;
}

ILB_API int ilb_done(ilb_balancer *b, ilb_ticket *ticket, ilb_outcome outcome)
{
    ilb_result r = ILB_RESULT_INIT;

    r.outcome = outcome;
    return done_ticket(b, ticket, &r);
}

ILB_API int ilb_done_with(ilb_balancer *b, ilb_ticket *ticket,
                          const ilb_result *result)
{
    ilb_result r;
    int rc;

    if (result == NULL)
        return ILB_EINVAL;
    rc = ilb__struct_read(&r, sizeof r, result,
                          offsetof(ilb_result, retry_after_ns));
    return rc != ILB_OK ? rc : done_ticket(b, ticket, &r);
}

/* ---- Looking inside ---------------------------------------------------- */

ILB_API int ilb_balancer_snapshot(ilb_balancer *b, ilb_endpoint_stats *out,
                                  size_t max, size_t stats_size, size_t *n)
{
    uint64_t now_ns;
    ilb__figures f;
    ilb__set *s;

    if (b == NULL || n == NULL || (out == NULL && max > 0))
        return ILB_EINVAL;
    if (stats_size != sizeof *out)
        return ILB_EABI;
    s = &b->set;
    pthread_mutex_lock(&b->writer);
    ilb__set_reclaim(s);
    now_ns = balancer_now(b, 0);
    ilb__pool_figures(&b->selector.pool, &f);
    *n = (size_t)s->n_listed + s->n_draining;
    for (size_t i = 0; i < *n && i < max; i++) {
        uint32_t k =
            i < s->n_listed ? s->listed[i] : s->draining[i - s->n_listed];

        ilb__stats_of(&s->slots[k], &f, now_ns, &out[i]);
    }
    pthread_mutex_unlock(&b->writer);
    return ILB_OK;
}

ILB_API int ilb_balancer_events(const ilb_balancer *b, uint64_t after,
                                ilb_event *out, size_t max, size_t event_size,
                                size_t *n)
{
    if (b == NULL || n == NULL || (out == NULL && max > 0))
        return ILB_EINVAL;
    if (event_size != sizeof *out)
        return ILB_EABI;
    *n = ilb__events_read(&b->events, after, out, max);
    return ILB_OK;
}

ILB_API int ilb_tick(ilb_balancer *b, uint64_t now_ns)
{
    ilb__view view;

    if (b == NULL)
        return ILB_EINVAL;
    now_ns = balancer_now(b, now_ns);
    view = ilb__table_view(&b->set.table);
    ilb__pool_refresh(&b->selector.pool, &b->judge, b->set.slots, &view, false,
                      now_ns);
    balancer_tell(b);
    return ILB_OK;
}
