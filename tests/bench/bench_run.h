/* SPDX-License-Identifier: MIT */
/*
 * Runs what is measured: pinned threads, repetitions of a given length,
 * interleaved over the subjects so that a change of the machine's speed meets
 * them all.
 *
 * A repetition counts only if every thread had its CPU for 98.5 % of the wall
 * time. Otherwise it is redone, up to a bound; how often, and whether fewer
 * repetitions than wanted were left, is part of the result.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "bench_options.h"
#include "bench_stats.h"

#define BENCH_THREADS_MAX 64
#define BENCH_CPU_SHARE 0.985

/* One operation many times. `state` is shared by the threads, `local` is the
 * thread's own. */
typedef void (*bench_loop)(void *state, void *local, uint64_t n);

typedef struct bench_subject {
    const char *name;
    const char *clock;   /* "own", "caller", "none" */
    uint32_t request_us; /* from pick to done */
    bool sleeps; /* threads wait for each other: with several all count */
    bench_loop loop;
    void *state;
    void *locals[BENCH_THREADS_MAX];
    void (*release)(struct bench_subject *s); /* NULL: nothing to release */
} bench_subject;

typedef struct bench_result {
    double median_ns, low_ns, high_ns; /* NAN: none counted */
    uint32_t repetitions;              /* that counted */
    uint32_t redone;
} bench_result;

/* Of a thread that works: wall and CPU time. */
typedef struct bench_span {
    uint64_t wall_ns, cpu_ns;
} bench_span;

uint64_t bench_now_ns(void);
bench_span bench_span_begin(void);

/* Since `begin`. True: the thread had its CPU. */
bool bench_span_end(bench_span *begin);

/* CPUs that this process may use, and the i-th of them for this thread. */
uint32_t bench_cpus(void);
void bench_pin(uint32_t i);

/* Measures n subjects beside each other. */
void bench_run(bench_subject *const *subjects, size_t n, uint32_t n_threads,
               const bench_options *o, bench_result *results);

/* What one thread does for about `wanted_ns`; nanoseconds an operation. */
typedef struct bench_case {
    const char *name;
    double (*once)(void *state, uint64_t wanted_ns);
    void *state;
} bench_case;

/* The same for cases that time themselves. */
void bench_run_cases(const bench_case *cases, size_t n, const bench_options *o,
                     bench_result *results);

/* What `values` of repetitions come to. */
bench_result bench_result_of(double *values, uint32_t n, uint32_t redone);

/* Prints a message and ends the program. */
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(
    const char *format, ...);

/* Prints a remark on what is measured, to stderr. */
__attribute__((format(printf, 1, 2))) void bench_note(const char *format, ...);

/* Zeroed, aligned for a cache line; ends the program without memory. */
void *bench_allocate(size_t n, size_t bytes);

#endif
