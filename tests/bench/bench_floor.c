/* SPDX-License-Identifier: MIT */
/* See bench_floor.h. */
#include "bench_floor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench_random.h"
#include "bench_subject_parts.h"

typedef struct floor_entry {
    _Alignas(64) _Atomic uint32_t in_flight;
    _Atomic uint64_t stamp_ns;
    char rest[64];
} floor_entry;

typedef struct floor_state {
    uint32_t n;
    floor_entry *entries;
    pthread_mutex_t mutex;
} floor_state;

typedef struct floor_local {
    uint64_t random;
    _Atomic uint64_t sink;
} floor_local;

static inline void floor_pair(floor_state *s, floor_local *l, int clocks)
{
    uint64_t bits = bench_random(&l->random);
    floor_entry *a = &s->entries[bench_below((uint32_t)bits, s->n)];
    floor_entry *b = &s->entries[bench_below((uint32_t)(bits >> 32), s->n)];

    if (atomic_load_explicit(&b->in_flight, memory_order_relaxed) <
        atomic_load_explicit(&a->in_flight, memory_order_relaxed))
        a = b;
    atomic_fetch_add_explicit(&a->in_flight, 1, memory_order_relaxed);
    for (int i = 0; i < clocks; i++)
        atomic_store_explicit(&a->stamp_ns, bench_now_ns(),
                              memory_order_relaxed);
    atomic_fetch_sub_explicit(&a->in_flight, 1, memory_order_relaxed);
}

static void floor_loads(void *state, void *local, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        floor_pair(state, local, 0);
}

static void floor_loads_clock(void *state, void *local, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        floor_pair(state, local, 1);
}

static void floor_loads_2_clocks(void *state, void *local, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        floor_pair(state, local, 2);
}

static void floor_clock(void *state, void *local, uint64_t n)
{
    floor_local *l = local;

    (void)state;
    for (uint64_t i = 0; i < n; i++)
        atomic_store_explicit(&l->sink, bench_now_ns(), memory_order_relaxed);
}

static void floor_mutex(void *state, void *local, uint64_t n)
{
    floor_state *s = state;

    (void)local;
    for (uint64_t i = 0; i < n; i++)
        if (pthread_mutex_lock(&s->mutex) != 0 ||
            pthread_mutex_unlock(&s->mutex) != 0)
            bench_die("a mutex fails");
}

static void floor_subject_free(bench_subject *s)
{
    floor_state *state = s->state;

    pthread_mutex_destroy(&state->mutex);
    free(state->entries);
    free(state);
}

static const struct {
    const char *name, *clock;
    bench_loop loop;
} floor_all[BENCH_FLOOR_N] = {
    {"loads", "none", floor_loads},
    {"loads_clock", "own", floor_loads_clock},
    {"loads_2_clocks", "own", floor_loads_2_clocks},
    {"clock", "own", floor_clock},
    {"mutex", "none", floor_mutex},
};

bench_subject *bench_floor_subject(uint32_t i, uint32_t n, uint32_t n_threads)
{
    bench_loops loops = {floor_all[i].loop, floor_all[i].loop, NULL};
    bench_subject *s = bench_subject_new(floor_all[i].name, "own", &loops,
                                         sizeof(floor_local), n_threads);
    floor_state *state = bench_allocate(1, sizeof *state);

    s->clock = floor_all[i].clock;
    s->sleeps = s->loop == floor_mutex;
    state->n = n;
    state->entries = bench_allocate(n, sizeof *state->entries);
    if (pthread_mutex_init(&state->mutex, NULL) != 0)
        bench_die("no mutex");
    s->state = state;
    s->release = floor_subject_free;
    return s;
}
