/* SPDX-License-Identifier: MIT */
/*
 * Single picks and dones of one thread, the clock read between any two, while
 * another thread updates the set: not at all, 100 times a second, without a
 * pause. An update takes a hundredth of the endpoints out and as many new ones
 * in.
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_measures.h"
#include "bench_subjects.h"

#define UPDATES_SAMPLES_MAX 4000000
#define UPDATES_LENGTHEN 5 /* a tail needs more than a median */
#define UPDATES_SHARE 100  /* one in so many changes */
#define UPDATES_PAUSE_NS 10000000

typedef enum updates_kind {
    UPDATES_QUIET = 0,
    UPDATES_100_HZ = 1,
    UPDATES_CONTINUOUS = 2,
    UPDATES_KINDS = 3
} updates_kind;

typedef struct updates_run {
    ilb_balancer *balancer;
    ilb_endpoint *lists[2];
    uint32_t n;
    updates_kind kind;
    uint64_t wanted_ns;
    pthread_barrier_t barrier;
    atomic_bool stop;
    bool had_cpu[2];
    uint32_t *samples;
    size_t n_samples;
    uint64_t n_updates, updating_ns;
    uint64_t wall_ns;
} updates_run;

static void updates_must(int rc)
{
    if (rc != ILB_OK)
        bench_die("updates: %s", ilb_strerror(rc));
}

static void *updates_pick(void *argument)
{
    updates_run *u = argument;
    ilb_ticket t;
    bench_span span;
    uint64_t last_ns;

    bench_pin(0);
    pthread_barrier_wait(&u->barrier);
    span = bench_span_begin();
    last_ns = span.wall_ns;
    u->n_samples = 0;
    while (last_ns - span.wall_ns < u->wanted_ns &&
           u->n_samples < UPDATES_SAMPLES_MAX) {
        uint64_t now_ns, ns;

        updates_must(ilb_pick(u->balancer, &t, NULL));
        updates_must(ilb_done(u->balancer, &t, ILB_SUCCESS));
        now_ns = bench_now_ns();
        ns = now_ns - last_ns;
        u->samples[u->n_samples++] =
            ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
        last_ns = now_ns;
    }
    if (u->n_samples == UPDATES_SAMPLES_MAX)
        bench_note("a repetition ended early, after %d pairs",
                   UPDATES_SAMPLES_MAX);
    u->had_cpu[0] = bench_span_end(&span);
    u->wall_ns = span.wall_ns;
    atomic_store(&u->stop, true);
    return NULL;
}

static void *updates_update(void *argument)
{
    updates_run *u = argument;
    const struct timespec pause = {0, UPDATES_PAUSE_NS};
    bench_span span;

    bench_pin(1);
    u->n_updates = u->updating_ns = 0;
    pthread_barrier_wait(&u->barrier);
    span = bench_span_begin();
    for (uint32_t i = 1; !atomic_load(&u->stop); i++) {
        uint64_t began_ns = bench_now_ns();

        if (u->kind != UPDATES_QUIET) {
            updates_must(
                ilb_balancer_update(u->balancer, u->lists[i & 1], u->n));
            u->n_updates++;
            u->updating_ns += bench_now_ns() - began_ns;
        }
        if (u->kind != UPDATES_CONTINUOUS)
            nanosleep(&pause, NULL);
    }
    u->had_cpu[1] = bench_span_end(&span) || u->kind != UPDATES_CONTINUOUS;
    return NULL;
}

/* True: it counts. */
static bool updates_once(updates_run *u)
{
    pthread_t picker, updater;

    atomic_store(&u->stop, false);
    if (pthread_barrier_init(&u->barrier, NULL, 2) != 0 ||
        pthread_create(&picker, NULL, updates_pick, u) != 0 ||
        pthread_create(&updater, NULL, updates_update, u) != 0)
        bench_die("cannot start a thread");
    pthread_join(picker, NULL);
    pthread_join(updater, NULL);
    pthread_barrier_destroy(&u->barrier);
    bench_sort(u->samples, u->n_samples);
    return u->had_cpu[0] && u->had_cpu[1];
}

typedef struct updates_values {
    double *p50, *p99, *p999, *mean, *update, *rate;
    uint32_t n, redone;
} updates_values;

static void updates_note(updates_values *v, const updates_run *u)
{
    uint32_t i = v->n++;

    v->p50[i] = bench_percentile(u->samples, u->n_samples, 0.5);
    v->p99[i] = bench_percentile(u->samples, u->n_samples, 0.99);
    v->p999[i] = bench_percentile(u->samples, u->n_samples, 0.999);
    v->mean[i] = (double)u->wall_ns / (double)u->n_samples;
    v->update[i] = u->n_updates == 0
                       ? (double)NAN
                       : (double)u->updating_ns / (double)u->n_updates;
    v->rate[i] = (double)u->n_updates / ((double)u->wall_ns / 1e9);
}

static void updates_rows(bench_rows *all, updates_kind kind, updates_values *v,
                         uint32_t n)
{
    static const char *const while_names[] = {
        "pair_while_quiet", "pair_while_100_hz", "pair_while_continuous"};
    static const char *const update_names[] = {NULL, "update_100_hz",
                                               "update_continuous"};
    bench_row *r = bench_rows_add(all, "update", while_names[kind]);

    r->clock = "own";
    r->request_us = 0;
    r->threads = 1;
    r->endpoints = n;
    r->p50_ns = bench_median(v->p50, v->n);
    r->p99_ns = bench_median(v->p99, v->n);
    r->p999_ns = bench_median(v->p999, v->n);
    r->result = bench_result_of(v->mean, v->n, v->redone);
    if (kind == UPDATES_QUIET)
        return;
    r = bench_rows_add(all, "update", update_names[kind]);
    r->endpoints = n;
    r->threads = 1;
    r->per_second = bench_median(v->rate, v->n);
    r->result = bench_result_of(v->update, v->n, v->redone);
}

/* The list, and the same with a hundredth of others. */
static void updates_lists(updates_run *u, uint32_t n)
{
    uint32_t change = n / UPDATES_SHARE > 0 ? n / UPDATES_SHARE : 1;

    u->lists[0] = bench_endpoints(0, n);
    u->lists[1] = bench_endpoints(change, n);
}

static void updates_values_new(updates_values *v, uint32_t n)
{
    double *room = bench_allocate((size_t)n * 6, sizeof *room);

    *v = (updates_values){
        room, room + n, room + 2 * n, room + 3 * n, room + 4 * n, room + 5 * n,
        0,    0};
}

void bench_measure_updates(bench_rows *all, const bench_options *o, uint32_t n)
{
    updates_values values[UPDATES_KINDS];
    ilb_options opts = ILB_OPTIONS_INIT;
    updates_run u;

    memset(&u, 0, sizeof u);
    opts.capacity = n > 1024 ? n : 0;
    u.n = n;
    u.wanted_ns = (uint64_t)o->milliseconds * 1000000 * UPDATES_LENGTHEN;
    u.balancer = bench_balancer(&opts, n);
    u.samples = bench_allocate(UPDATES_SAMPLES_MAX, sizeof *u.samples);
    updates_lists(&u, n);
    for (int k = 0; k < UPDATES_KINDS; k++)
        updates_values_new(&values[k], o->repetitions);
    (void)updates_once(&u); /* warms up */
    for (uint32_t i = 0; i < o->repetitions; i++)
        for (int k = 0; k < UPDATES_KINDS; k++) {
            uint32_t tries = 0;
            bool counts;

            u.kind = (updates_kind)k;
            while (!(counts = updates_once(&u)) && tries++ < o->retries)
                values[k].redone++;
            if (counts)
                updates_note(&values[k], &u);
            else
                values[k].redone++;
        }
    for (int k = 0; k < UPDATES_KINDS; k++) {
        updates_rows(all, (updates_kind)k, &values[k], n);
        free(values[k].p50);
    }
    ilb_balancer_free(u.balancer);
    free(u.samples);
    free(u.lists[0]);
    free(u.lists[1]);
}
