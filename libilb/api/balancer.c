/* SPDX-License-Identifier: MIT */
/* Making and releasing a balancer, and looking inside. */
#include "api/balancer.h"

#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "observe/stats.h"

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
    b->time.clock_ns =
        o.clock_ns == NULL ? ilb__clock_monotonic_ns : o.clock_ns;
    b->time.user = o.clock_user;
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
    now_ns = ilb__balancer_now(b, now_ns);
    view = ilb__table_view(&b->set.table);
    ilb__pool_refresh(&b->selector.pool, &b->judge, b->set.slots, &view, false,
                      now_ns);
    ilb__balancer_tell(b);
    return ILB_OK;
}
