/* SPDX-License-Identifier: MIT */
/* What the subjects share, and the naive balancer's loops. */
#include "bench_subjects.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench_naive.h"
#include "bench_random.h"
#include "bench_subject_parts.h"

/* ---- Time -------------------------------------------------------------- */

void bench_pace_init(bench_pace *p, const char *way, uint32_t n_threads)
{
    atomic_init(&p->now_ns, UINT64_C(1000000000));
    /* With more threads it passes no faster. */
    p->step_ns = strcmp(way, "paced") == 0
                     ? BENCH_PACED_US * UINT64_C(1000) / BENCH_BLOCK
                     : 2 * BENCH_CALL_NS;
    p->step_ns /= n_threads;
}

uint64_t bench_pace_block(bench_pace *p)
{
    return atomic_fetch_add_explicit(&p->now_ns, BENCH_BLOCK * p->step_ns,
                                     memory_order_relaxed);
}

/* ---- Naive ------------------------------------------------------------- */

typedef struct naive_state {
    naive_set *set;
    bench_pace pace;
} naive_state;

typedef struct naive_local {
    uint64_t random;
    bool flies;
    naive_ticket flying[BENCH_BLOCK];
} naive_local;

static void naive_own(void *state, void *local, uint64_t n)
{
    naive_set *s = ((naive_state *)state)->set;
    naive_ticket t;

    (void)local;
    for (uint64_t i = 0; i < n; i++) {
        naive_pick(s, &t, 0);
        naive_done(s, &t, 0);
    }
}

static void naive_caller(void *state, void *local, uint64_t n)
{
    naive_state *s = state;
    uint64_t now_ns = 0;
    naive_ticket t;

    (void)local;
    for (uint64_t i = 0; i < n; i++) {
        now_ns = i % BENCH_BLOCK == 0 ? bench_pace_block(&s->pace)
                                      : now_ns + s->pace.step_ns;
        naive_pick(s->set, &t, now_ns);
        naive_done(s->set, &t, now_ns + BENCH_CALL_NS);
    }
}

static void naive_paced(void *state, void *local, uint64_t n)
{
    naive_state *s = state;
    naive_local *l = local;
    uint64_t now_ns = 0;

    for (uint32_t i = 0; i < BENCH_BLOCK && !l->flies; i++)
        naive_pick(s->set, &l->flying[i], atomic_load(&s->pace.now_ns));
    l->flies = true;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t k = bench_random(&l->random) % BENCH_BLOCK;

        now_ns = i % BENCH_BLOCK == 0 ? bench_pace_block(&s->pace)
                                      : now_ns + s->pace.step_ns;
        naive_done(s->set, &l->flying[k], now_ns);
        naive_pick(s->set, &l->flying[k], now_ns);
    }
}

static void naive_subject_free(bench_subject *s)
{
    naive_free(((naive_state *)s->state)->set);
    free(s->state);
}

bench_subject *bench_naive_subject(const char *way, uint32_t n,
                                   uint32_t n_threads)
{
    static const bench_loops loops = {naive_own, naive_caller, naive_paced};
    naive_state *state = bench_allocate(1, sizeof *state);
    bench_subject *s;

    state->set = naive_new(n);
    bench_pace_init(&state->pace, way, n_threads);
    s = bench_subject_new("naive", way, &loops, sizeof(naive_local), n_threads);
    s->state = state;
    s->release = naive_subject_free;
    return s;
}

/* ---- All --------------------------------------------------------------- */

bench_subject *bench_subject_new(const char *name, const char *way,
                                 const bench_loops *loops, size_t local_bytes,
                                 uint32_t n_threads)
{
    bench_subject *s = bench_allocate(1, sizeof *s);
    bool own = strcmp(way, "own") == 0, paced = strcmp(way, "paced") == 0;

    s->name = name;
    s->clock = own ? "own" : "caller";
    s->request_us = paced ? BENCH_PACED_US : 0;
    s->loop = own ? loops->own : paced ? loops->paced : loops->caller;
    for (uint32_t i = 0; i < n_threads; i++) {
        s->locals[i] = bench_allocate(1, local_bytes);
        *(uint64_t *)s->locals[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return s;
}

void bench_subject_free(bench_subject *s)
{
    if (s->release != NULL)
        s->release(s);
    for (uint32_t i = 0; i < BENCH_THREADS_MAX; i++)
        free(s->locals[i]);
    free(s);
}

bench_subject *bench_subject_named(const char *name, uint32_t n)
{
    static const char *const ways[] = {"own", "caller", "paced"};
    size_t length = strcspn(name, ":");
    char word[32] = "";
    int policy;

    if (length < sizeof word)
        memcpy(word, name, length);
    policy = ilb_policy_from_name(word);
    for (size_t i = 0; i < 3 && name[length] == ':'; i++) {
        if (strcmp(name + length + 1, ways[i]) != 0)
            continue;
        if (strcmp(word, "naive") == 0)
            return bench_naive_subject(ways[i], n, 1);
        if (policy > 0)
            return bench_ilb_subject((ilb_policy)policy, ways[i], n, 1);
    }
    bench_die("no subject '%.60s'", name);
}
