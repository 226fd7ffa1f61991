/* SPDX-License-Identifier: MIT */
/* Making and releasing a balancer, and looking inside. */
#include "api/balancer.h"

#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "observe/stats.h"

/* ---- Making and releasing ---------------------------------------------- */

/* Where a balancer lives. */
typedef struct balancer_memory {
    void *memory;
    size_t bytes;
    ilb_allocator allocator;
    void *self; /* the process's own page; NULL: the balancer is private */
} balancer_memory;

static void balancer_lay_out_shared(ilb__upkeep *u, ilb__arena *a,
                                    const ilb_options *o, uint32_t n_slots)
{
    ilb__processes_init(&u->processes, a, o->shared_processes);
    ilb__holdings_init(&u->holdings, a, u->processes.n_entries, n_slots);
    ilb__audit_init(&u->audit, a, n_slots);
}

/* Walks over all parts: counts, or hands them out. */
static ilb_balancer *balancer_lay_out(ilb__arena *a, const ilb_options *o,
                                      uint64_t salt)
{
    ilb_balancer *b = ilb__arena_take(a, 1, sizeof *b);
    ilb__events counted_events;
    ilb__upkeep counted_upkeep;
    ilb__set counted;

    memset(&counted, 0, sizeof counted);
    memset(&counted_events, 0, sizeof counted_events);
    memset(&counted_upkeep, 0, sizeof counted_upkeep);
    ilb__set_init(b == NULL ? &counted : &b->set, a, o->capacity, salt);
    ilb__events_init(b == NULL ? &counted_events : &b->events, a,
                     o->event_capacity);
    if (o->shared_processes > 0)
        balancer_lay_out_shared(b == NULL ? &counted_upkeep : &b->upkeep, a, o,
                                b == NULL ? counted.n_slots : b->set.n_slots);
    return b;
}

/* Where it lives, all zero. The processes' one is whole pages. */
static int balancer_allocate(const ilb_options *o, const ilb__system *system,
                             size_t bytes, balancer_memory *m)
{
    const size_t line = ILB_CACHELINE_BYTES;
    int rc;

    if (bytes > SIZE_MAX - line)
        return ILB_ENOMEM;
    m->bytes = bytes + line;
    m->self = NULL;
    if (o->shared_processes == 0) {
        m->allocator = ilb__allocator_or_default(o->allocator);
        m->memory = m->allocator.allocate(m->bytes, m->allocator.user);
        return m->memory == NULL ? ILB_ENOMEM : ILB_OK;
    }
    rc = system->share(&m->memory, m->bytes, system->user);
    if (rc != ILB_OK)
        return rc;
    rc = system->keep(&m->self, sizeof(ilb__self), system->user);
    if (rc != ILB_OK)
        system->release(m->memory, m->bytes, system->user);
    return rc;
}

static void balancer_release(const balancer_memory *m,
                             const ilb__system *system)
{
    if (m->self == NULL) {
        m->allocator.release(m->memory, m->allocator.user);
        return;
    }
    system->release(m->self, sizeof(ilb__self), system->user);
    system->release(m->memory, m->bytes, system->user);
}

static int balancer_init_mutex(ilb_balancer *b, const ilb__system *system)
{
    if (b->shared)
        return system->mutex(&b->writer, system->user);
    return pthread_mutex_init(&b->writer, NULL) == 0 ? ILB_OK : ILB_ENOMEM;
}

/* Who shares it, and for how long requests are waited for. */
static void balancer_share(ilb_balancer *b, const ilb_options *o,
                           const ilb__system *system, void *self)
{
    ilb__upkeep *u = &b->upkeep;

    b->shared = o->shared_processes > 0;
    b->upkept = b->shared || o->lease_ns > 0;
    u->lease_ns = o->lease_ns;
    u->processes.system = system;
    if (!b->shared)
        return;
    u->processes.self = self;
    b->events.processes = &u->processes;
    b->selector.random.who = &u->processes.self->stamp;
}

/* Where what happens is noted. */
static void balancer_watch_events(ilb_balancer *b, const ilb_options *o)
{
    b->events.on_event = o->on_event;
    b->events.user = o->event_user;
    b->events.time = &b->time;
    if (b->events.capacity == 0)
        return;
    b->judge.tell = ilb__events_transition;
    b->judge.tell_user = &b->events;
}

ILB_INTERNAL int ilb__balancer_new_on(ilb_balancer **out, const char *name,
                                      const ilb_options *options,
                                      const ilb__system *system)
{
    const size_t line = ILB_CACHELINE_BYTES;
    ilb__arena arena = {NULL, 0};
    balancer_memory m;
    ilb_options o;
    ilb_balancer *b;
    uint64_t seed;
    int rc;

    if (out == NULL || !ilb__text_ok(name, ILB_NAME_MAX))
        return ILB_EINVAL;
    rc = ilb__options_read(&o, options);
    if (rc != ILB_OK)
        return rc;
    (void)balancer_lay_out(&arena, &o, 0);
    rc = balancer_allocate(&o, system, arena.used_bytes, &m);
    if (rc != ILB_OK)
        return rc;
    arena.base =
        (unsigned char *)m.memory + (line - (uintptr_t)m.memory % line);
    arena.used_bytes = 0;
    seed = o.seed != 0 ? o.seed
                       : ilb__mix64((uintptr_t)m.memory) ^
                             ilb__mix64(ilb__clock_monotonic_ns(NULL));
    b = balancer_lay_out(&arena, &o, ilb__mix64(seed));
    balancer_share(b, &o, system, m.self);
    rc = balancer_init_mutex(b, system);
    if (rc != ILB_OK) {
        balancer_release(&m, system);
        return rc;
    }
    b->memory = m.memory;
    b->memory_bytes = m.bytes;
    b->allocator = m.allocator;
    b->time.clock_ns =
        o.clock_ns == NULL ? ilb__clock_monotonic_ns : o.clock_ns;
    b->time.user = o.clock_user;
    b->secret = ilb__mix64(seed ^ (uintptr_t)m.memory);
    b->selector.policy = o.policy;
    ilb__random_init(&b->selector.random, seed);
    ilb__judge_init(&b->judge, &o);
    balancer_watch_events(b, &o);
    ilb__pool_init(&b->selector.pool);
    memcpy(b->name, name, strlen(name));
    *out = b;
    return ILB_OK;
}

ILB_API int ilb_balancer_new(ilb_balancer **out, const char *name,
                             const ilb_options *options)
{
    return ilb__balancer_new_on(out, name, options, ilb__system_real());
}

ILB_API void ilb_balancer_free(ilb_balancer *b)
{
    balancer_memory m;

    if (b == NULL)
        return;
    m.memory = b->memory;
    m.bytes = b->memory_bytes;
    m.allocator = b->allocator;
    m.self = b->upkeep.processes.self;
    /* Others may use the mutex that they share. */
    if (b->shared)
        ilb__balancer_leave(b);
    else
        pthread_mutex_destroy(&b->writer);
    balancer_release(&m, b->upkeep.processes.system);
}

ILB_API const char *ilb_balancer_name(const ilb_balancer *b)
{
    return b == NULL ? NULL : b->name;
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
    ilb__balancer_lock(b);
    ilb__set_reclaim(s);
    now_ns = ilb__balancer_now(b, 0);
    ilb__pool_figures(&b->selector.pool, &f);
    *n = (size_t)s->n_listed + s->n_draining;
    for (size_t i = 0; i < *n && i < max; i++) {
        uint32_t k =
            i < s->n_listed ? s->listed[i] : s->draining[i - s->n_listed];

        ilb__stats_of(&s->slots[k], &f, now_ns, &out[i]);
        out[i].ejected_until_ns =
            ilb__time_outside(&b->time, out[i].ejected_until_ns, now_ns);
    }
    ilb__balancer_unlock(b);
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
    int rc;

    if (b == NULL)
        return ILB_EINVAL;
    now_ns = ilb__balancer_now(b, now_ns);
    rc = ilb__balancer_begin(b, now_ns);
    if (rc != ILB_OK)
        return rc;
    view = ilb__table_view(&b->set.table);
    ilb__pool_refresh(&b->selector.pool, &b->judge, b->set.slots, &view, false,
                      now_ns);
    ilb__balancer_tell(b);
    return ILB_OK;
}
