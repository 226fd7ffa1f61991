/* SPDX-License-Identifier: MIT */
/* See bench_naive.h. */
#include "bench_naive.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "bench_random.h"
#include "bench_run.h"

#define NAIVE_TAU_NS 1e10

/* What a request reads and writes is one line; the next is for what a real one
 * has besides. */
typedef struct naive_entry {
    _Alignas(64) _Atomic uint32_t in_flight;
    _Atomic double ewma_ns;
    _Atomic uint64_t stamp_ns;
    char address[80];
} naive_entry;

struct naive_set {
    uint32_t n;
    naive_entry *entries;
};

static _Thread_local uint64_t naive_random;

naive_set *naive_new(uint32_t n)
{
    naive_set *s = bench_allocate(1, sizeof *s);

    s->n = n;
    s->entries = bench_allocate(n, sizeof *s->entries);
    return s;
}

void naive_free(naive_set *s)
{
    free(s->entries);
    free(s);
}

static uint64_t naive_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define naive_load(a) atomic_load_explicit(a, memory_order_relaxed)
#define naive_store(a, v) atomic_store_explicit(a, v, memory_order_relaxed)

static double naive_keep(uint64_t stamp_ns, uint64_t now_ns)
{
    return now_ns > stamp_ns ? exp(-(double)(now_ns - stamp_ns) / NAIVE_TAU_NS)
                             : 1;
}

static double naive_cost(const naive_entry *e, uint64_t now_ns)
{
    return naive_load(&e->ewma_ns) *
           naive_keep(naive_load(&e->stamp_ns), now_ns) *
           (naive_load(&e->in_flight) + 1);
}

void naive_pick(naive_set *s, naive_ticket *t, uint64_t now_ns)
{
    uint64_t bits;
    uint32_t a, b;

    if (naive_random == 0) /* each thread draws others */
        naive_random = (uintptr_t)&naive_random * UINT64_C(0x9e3779b97f4a7c15);
    bits = bench_random(&naive_random);
    a = bench_below((uint32_t)bits, s->n);
    b = bench_below((uint32_t)(bits >> 32), s->n - 1);
    if (b >= a)
        b++;
    if (now_ns == 0)
        now_ns = naive_now_ns();
    t->index =
        naive_cost(&s->entries[b], now_ns) < naive_cost(&s->entries[a], now_ns)
            ? b
            : a;
    t->picked_ns = now_ns;
    atomic_fetch_add_explicit(&s->entries[t->index].in_flight, 1,
                              memory_order_relaxed);
}

void naive_done(naive_set *s, const naive_ticket *t, uint64_t now_ns)
{
    naive_entry *e = &s->entries[t->index];
    double ewma_ns = naive_load(&e->ewma_ns), took_ns;

    if (now_ns == 0)
        now_ns = naive_now_ns();
    took_ns = now_ns > t->picked_ns ? (double)(now_ns - t->picked_ns) : 0;
    if (took_ns < ewma_ns) {
        double keep = naive_keep(naive_load(&e->stamp_ns), now_ns);

        took_ns = ewma_ns * keep + took_ns * (1 - keep);
    }
    naive_store(&e->ewma_ns, took_ns);
    naive_store(&e->stamp_ns, now_ns);
    atomic_fetch_sub_explicit(&e->in_flight, 1, memory_order_relaxed);
}
