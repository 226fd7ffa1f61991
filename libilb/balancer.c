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
#include "observe/stats.h"
#include "select/select.h"
#include "select/ticket.h"
#include "set/set.h"

struct ilb_balancer {
    ilb__selector selector;
    ilb__judge judge;
    ilb__set set;
    ilb_clock clock_ns;
    void *clock_user;
    uint64_t secret; /* of this balancer's tickets */
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
    ilb__set counted;

    memset(&counted, 0, sizeof counted);
    ilb__set_init(b == NULL ? &counted : &b->set, a, o->capacity, salt);
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
    ilb__health_enter(&((ilb_balancer *)user)->judge, slot);
}

static void balancer_leaves(ilb__slot *slot, void *user)
{
    ilb__health_leave(&((ilb_balancer *)user)->judge, slot);
}

static ilb__set_watch balancer_watch(ilb_balancer *b)
{
    ilb__set_watch watch = {balancer_enters, balancer_leaves, b};

    return watch;
}

/* A smaller set may have more ejected endpoints than its cap allows. */
static void balancer_enforce_cap(ilb_balancer *b)
{
    ilb__view v = ilb__table_view(&b->set.table);

    for (uint32_t i = 0; i < v.n; i++)
        ilb__health_enforce_cap(
            &b->judge,
            &b->set.slots[ilb__endpoint_id_index(ilb__view_id(&v, i))], v.n);
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
    watch = balancer_watch(b);
    pthread_mutex_lock(&b->writer);
    rc = ilb__set_plan(&b->set, endpoints, n);
    if (rc == ILB_OK) {
        ilb__set_apply(&b->set, endpoints, (uint32_t)n, &watch);
        balancer_enforce_cap(b);
    }
    pthread_mutex_unlock(&b->writer);
    return rc;
}

ILB_API int ilb_balancer_set_readiness(ilb_balancer *b, const char *address,
                                       ilb_readiness readiness)
{
    ilb__set_watch watch;
    ilb__slot *slot;

    if (b == NULL || address == NULL || !balancer_readiness_ok(readiness))
        return ILB_EINVAL;
    watch = balancer_watch(b);
    pthread_mutex_lock(&b->writer);
    slot = ilb__set_find(&b->set, address);
    if (slot != NULL) {
        ilb__set_change_readiness(&b->set, slot, readiness, &watch);
        balancer_enforce_cap(b);
    }
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

ILB_API int ilb_pick(ilb_balancer *b, ilb_ticket *ticket,
                     const ilb_pick_options *options)
{
    ilb__exclusion exclusion;
    ilb_pick_options o;
    ilb__choice choice;
    uint64_t now_ns = 0;
    int rc;

    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    exclusion.n = 0;
    if (options != NULL) {
        rc = ilb__struct_read(&o, sizeof o, options, sizeof o);
        if (rc == ILB_OK)
            rc = pick_exclusion(b, &o, &exclusion);
        if (rc != ILB_OK)
            return rc;
        now_ns = o.now_ns;
    }
    now_ns = balancer_now(b, now_ns);
    rc = ilb__select(&b->selector, &b->judge, &b->set.table, b->set.slots,
                     &exclusion, now_ns, &choice);
    if (rc == ILB_OK)
        ilb__ticket_write(b->secret, ticket, &choice, now_ns);
    return rc;
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

/* What a request without a good answer teaches. */
static void done_bad(ilb_balancer *b, ilb__slot *slot, ilb_outcome outcome,
                     bool probe, uint64_t waited_ns, uint64_t now_ns)
{
    ilb__view view = ilb__table_view(&b->set.table);
    bool in_a_row = outcome != ILB_OVERLOAD && outcome != ILB_CANCELLED;
    ilb__figures f;
    ilb__failing x;

    if (in_a_row)
        ilb__pool_refresh(&b->selector.pool, &b->judge, b->set.slots, &view,
                          true, now_ns);
    ilb__pool_figures(&b->selector.pool, &f);
    ilb__latency_learn_bound(&slot->latency, waited_ns, &f, now_ns);
    if (outcome == ILB_CANCELLED) {
        if (probe)
            ilb__health_inconclusive(&b->judge, slot, now_ns);
        return;
    }
    /* Overloaded peers time out as well: no evidence against this one. */
    if (outcome == ILB_TIMEOUT && f.overloaded)
        in_a_row = false;
    x.row = ilb__failures_bad(&slot->failures, in_a_row, now_ns);
    if (!in_a_row && !probe)
        return;
    x.sums = ilb__evidence_bad(&slot->evidence, f.steps);
    x.n_ready = view.n;
    x.bits = (uint32_t)ilb__random_next(&b->selector.random, now_ns);
    if (ilb__health_bad(&b->judge, slot, probe, &x, &f, now_ns))
        /* An update may have made the set smaller since `view`. */
        ilb__health_enforce_cap(&b->judge, slot,
                                ilb__table_view(&b->set.table).n);
}

static void done_good(ilb_balancer *b, ilb__slot *slot, bool probe,
                      uint64_t latency_ns, uint64_t now_ns)
{
    ilb__figures f;

    ilb__pool_figures(&b->selector.pool, &f);
    ilb__latency_learn(&slot->latency, latency_ns, &f, now_ns);
    ilb__pool_good(&b->selector.pool, latency_ns,
                   ilb__load_relaxed(&slot->done[ILB_SUCCESS]));
    ilb__failures_good(&slot->failures, now_ns);
    ilb__evidence_good(&slot->evidence, f.steps);
    ilb__health_good(&b->judge, slot, probe, now_ns);
}

static int done_ticket(ilb_balancer *b, ilb_ticket *t, ilb_outcome outcome,
                       uint64_t now_ns)
{
    ilb__slot *slot;
    uint64_t latency_ns;
    bool probe;

    if (b == NULL || t == NULL || (unsigned)outcome >= ILB_OUTCOME_COUNT)
        return ILB_EINVAL;
    if (!ilb__ticket_in_flight(b->secret, t))
        return ILB_ETICKET;
    slot = balancer_slot(b, t);
    /* A copy of a done ticket must not teach anything: look before. */
    if (!ilb__load_has(ilb__load_relaxed(&slot->load.word),
                       ilb__endpoint_id_generation(ilb__ticket_id(t)),
                       ilb__ticket_where(t)))
        return ILB_ETICKET;
    now_ns = balancer_now(b, now_ns);
    probe = ilb__ticket_is_probe(t);
    latency_ns = ilb__ticket_latency_ns(t, now_ns);
    ilb__ticket_finish(t);
    ilb__add_relaxed(&slot->done[outcome], 1);
    if (outcome == ILB_SUCCESS)
        done_good(b, slot, probe, latency_ns, now_ns);
    else
        done_bad(b, slot, outcome, probe, latency_ns, now_ns);
    /* Last: from here on the slot may be another endpoint's. */
    return ilb__load_return(&slot->load,
                            ilb__endpoint_id_generation(ilb__ticket_id(t)),
                            ilb__ticket_where(t), now_ns)
               ? ILB_OK
               : ILB_ETICKET;
}

ILB_API int ilb_done(ilb_balancer *b, ilb_ticket *ticket, ilb_outcome outcome)
{
    return done_ticket(b, ticket, outcome, 0);
}

ILB_API int ilb_done_with(ilb_balancer *b, ilb_ticket *ticket,
                          const ilb_result *result)
{
    ilb_result r;
    int rc;

    if (result == NULL)
        return ILB_EINVAL;
    rc = ilb__struct_read(&r, sizeof r, result, sizeof r);
    return rc != ILB_OK ? rc : done_ticket(b, ticket, r.outcome, r.now_ns);
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
