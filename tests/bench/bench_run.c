/* SPDX-License-Identifier: MIT */
/* See bench_run.h. */
#include "bench_run.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUN_LINE_BYTES 256
/* Operations between two looks at the clock. */
#define RUN_BLOCK 1024

void bench_die(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fputs("ilb-bench: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(2);
}

void bench_note(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fputs("note: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
}

void *bench_allocate(size_t n, size_t bytes)
{
    size_t all =
        (n * bytes + RUN_LINE_BYTES - 1) / RUN_LINE_BYTES * RUN_LINE_BYTES;
    void *memory = aligned_alloc(RUN_LINE_BYTES, all);

    if (memory == NULL)
        bench_die("out of memory");
    return memset(memory, 0, all);
}

static uint64_t run_read_ns(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) != 0)
        bench_die("clock_gettime fails");
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return run_read_ns(CLOCK_MONOTONIC);
}

bench_span bench_span_begin(void)
{
    bench_span s;

    s.wall_ns = run_read_ns(CLOCK_MONOTONIC);
    s.cpu_ns = run_read_ns(CLOCK_THREAD_CPUTIME_ID);
    return s;
}

bool bench_span_end(bench_span *begin)
{
    bench_span now = bench_span_begin();

    begin->wall_ns = now.wall_ns - begin->wall_ns;
    begin->cpu_ns = now.cpu_ns - begin->cpu_ns;
    return (double)begin->cpu_ns >= BENCH_CPU_SHARE * (double)begin->wall_ns;
}

/* ---- CPUs -------------------------------------------------------------- */

static cpu_set_t run_allowed;

uint32_t bench_cpus(void)
{
    static uint32_t n;

    if (n > 0)
        return n;
    if (sched_getaffinity(0, sizeof run_allowed, &run_allowed) != 0)
        bench_die("sched_getaffinity fails: more than %d CPUs?", CPU_SETSIZE);
    n = (uint32_t)CPU_COUNT(&run_allowed);
    if (n > BENCH_THREADS_MAX) {
        bench_note("of %u CPUs %d are used", n, BENCH_THREADS_MAX);
        n = BENCH_THREADS_MAX;
    }
    return n;
}

void bench_pin(uint32_t i)
{
    uint32_t left = i % bench_cpus();
    cpu_set_t one;
    size_t cpu = 0;

    while (!CPU_ISSET(cpu, &run_allowed) || left-- > 0)
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (pthread_setaffinity_np(pthread_self(), sizeof one, &one) != 0)
        bench_die("cannot pin a thread to CPU %zu", cpu);
}

/* ---- A repetition ------------------------------------------------------ */

typedef struct run_worker {
    pthread_t thread;
    uint32_t index;
    const bench_subject *subject;
    uint64_t wanted_ns;
    pthread_barrier_t *barrier;
    bool cpu_time;
    double ns; /* an operation */
    bool had_cpu;
} run_worker;

static void *run_work(void *argument)
{
    run_worker *w = argument;
    const bench_subject *s = w->subject;
    void *local = s->locals[w->index];
    uint64_t done = 0;
    bench_span span;

    bench_pin(w->index);
    s->loop(s->state, local, RUN_BLOCK); /* its lines are near again */
    pthread_barrier_wait(w->barrier);
    span = bench_span_begin();
    do {
        s->loop(s->state, local, RUN_BLOCK);
        done += RUN_BLOCK;
    } while (bench_now_ns() - span.wall_ns < w->wanted_ns);
    w->had_cpu = bench_span_end(&span) || w->cpu_time;
    w->ns = (double)(w->cpu_time ? span.cpu_ns : span.wall_ns) / (double)done;
    return NULL;
}

/* True: it counts, and *ns is the mean of the threads. */
static bool run_once(const bench_subject *s, uint32_t n_threads, bool cpu_time,
                     uint64_t wanted_ns, double *ns)
{
    run_worker workers[BENCH_THREADS_MAX];
    pthread_barrier_t barrier;
    bool counts = true;
    double sum = 0;

    if (pthread_barrier_init(&barrier, NULL, n_threads) != 0)
        bench_die("no barrier for %u threads", n_threads);
    for (uint32_t i = 0; i < n_threads; i++) {
        workers[i] = (run_worker){.index = i,
                                  .subject = s,
                                  .wanted_ns = wanted_ns,
                                  .cpu_time = cpu_time,
                                  .barrier = &barrier};
        if (pthread_create(&workers[i].thread, NULL, run_work, &workers[i]) !=
            0)
            bench_die("cannot start a thread");
    }
    for (uint32_t i = 0; i < n_threads; i++) {
        pthread_join(workers[i].thread, NULL);
        counts = counts && (workers[i].had_cpu || (s->sleeps && n_threads > 1));
        sum += workers[i].ns;
    }
    pthread_barrier_destroy(&barrier);
    *ns = sum / n_threads;
    return counts;
}

/* ---- Results ----------------------------------------------------------- */

bench_result bench_result_of(double *values, uint32_t n, uint32_t redone)
{
    bench_result r = {(double)NAN, (double)NAN, (double)NAN, n, redone};

    r.median_ns = bench_median(values, n);
    if (n > 0) {
        r.low_ns = values[0];
        r.high_ns = values[n - 1];
    }
    return r;
}

/* One repetition of the i-th. True: it counts. */
typedef bool (*run_try)(const void *of, size_t i, uint64_t wanted_ns,
                        double *ns);

/* All of them, in turn; each that does not count is tried again. */
static void run_rounds(run_try once, const void *of, size_t n,
                       const bench_options *o, bench_result *results)
{
    double *values = bench_allocate(n * o->repetitions, sizeof *values);
    uint64_t wanted_ns = (uint64_t)o->milliseconds * 1000000;

    memset(results, 0, n * sizeof *results);
    for (uint32_t round = 0; round < o->repetitions; round++)
        for (size_t i = 0; i < n; i++) {
            double *to = &values[i * o->repetitions + results[i].repetitions];

            for (uint32_t tries = 0; tries <= o->retries; tries++) {
                if (once(of, i, wanted_ns, to)) {
                    results[i].repetitions++;
                    break;
                }
                results[i].redone++;
            }
        }
    for (size_t i = 0; i < n; i++)
        results[i] = bench_result_of(&values[i * o->repetitions],
                                     results[i].repetitions, results[i].redone);
    free(values);
}

typedef struct run_subjects {
    bench_subject *const *subjects;
    uint32_t n_threads;
    bool cpu_time;
} run_subjects;

static bool run_try_subject(const void *of, size_t i, uint64_t wanted_ns,
                            double *ns)
{
    const run_subjects *r = of;

    return run_once(r->subjects[i], r->n_threads, r->cpu_time, wanted_ns, ns);
}

void bench_run(bench_subject *const *subjects, size_t n, uint32_t n_threads,
               const bench_options *o, bench_result *results)
{
    const run_subjects of = {subjects, n_threads, o->cpu_time};

    run_rounds(run_try_subject, &of, n, o, results);
}

static bool run_try_case(const void *of, size_t i, uint64_t wanted_ns,
                         double *ns)
{
    const bench_case *c = (const bench_case *)of + i;
    bench_span span = bench_span_begin();

    *ns = c->once(c->state, wanted_ns);
    return bench_span_end(&span);
}

void bench_run_cases(const bench_case *cases, size_t n, const bench_options *o,
                     bench_result *results)
{
    bench_pin(0);
    run_rounds(run_try_case, cases, n, o, results);
}
