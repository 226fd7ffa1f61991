/* SPDX-License-Identifier: MIT */
/* How long a line of memory needs from one CPU to another. */
#include <pthread.h>
#include <stdatomic.h>

#include "bench_floor.h"

/* There and back, of a repetition. */
#define TRANSFER_TURNS 20000

typedef struct transfer_state {
    _Alignas(256) _Atomic uint32_t turn; /* odd: the second thread's */
    _Alignas(256) pthread_barrier_t barrier;
    bool had_cpu[2];
    uint64_t wall_ns;
} transfer_state;

static void transfer_turns(transfer_state *t, uint32_t mine, uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        uint32_t wanted = 2 * i + mine;

        while (atomic_load_explicit(&t->turn, memory_order_acquire) != wanted)
            continue;
        atomic_store_explicit(&t->turn, wanted + 1, memory_order_release);
    }
}

static void transfer_work(transfer_state *t, uint32_t mine)
{
    bench_span span;

    bench_pin(mine);
    pthread_barrier_wait(&t->barrier);
    span = bench_span_begin();
    transfer_turns(t, mine, TRANSFER_TURNS);
    t->had_cpu[mine] = bench_span_end(&span);
    if (mine == 0)
        t->wall_ns = span.wall_ns;
}

static void *transfer_first(void *argument)
{
    transfer_work(argument, 0);
    return NULL;
}

static void *transfer_second(void *argument)
{
    transfer_work(argument, 1);
    return NULL;
}

static bool transfer_once(double *ns)
{
    static transfer_state t;
    pthread_t first, second;

    atomic_store(&t.turn, 0);
    if (pthread_barrier_init(&t.barrier, NULL, 2) != 0 ||
        pthread_create(&first, NULL, transfer_first, &t) != 0 ||
        pthread_create(&second, NULL, transfer_second, &t) != 0)
        bench_die("cannot start a thread");
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    pthread_barrier_destroy(&t.barrier);
    *ns = (double)t.wall_ns / (2.0 * TRANSFER_TURNS);
    return t.had_cpu[0] && t.had_cpu[1];
}

void bench_measure_transfer(bench_rows *all, const bench_options *o, uint32_t n)
{
    double values[BENCH_REPETITIONS_MAX];
    uint32_t counted = 0, redone = 0;
    bench_row *r;

    for (uint32_t round = 0; round < o->repetitions; round++)
        for (uint32_t tries = 0; tries <= o->retries; tries++) {
            if (transfer_once(&values[counted])) {
                counted++;
                break;
            }
            redone++;
        }
    r = bench_rows_add(all, "floor", "line_transfer");
    r->clock = "none";
    r->threads = 2;
    r->endpoints = n;
    r->result = bench_result_of(values, counted, redone);
}
