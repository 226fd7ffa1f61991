/* SPDX-License-Identifier: MIT */
/*
 * What is measured as pick and done pairs.
 *
 * Three ways to spend the time of a request:
 *
 *   own     each call reads the clock; done follows pick at once;
 *   caller  the time is handed in; done follows pick at once. The time is
 *           virtual and goes on by 50 ns a call, so that a request takes about
 *           as long as one of `own`;
 *   paced   the same, but each thread has 64 requests in flight, ends one of
 *           them at random and picks another, and the time goes on so that a
 *           request takes BENCH_PACED_US in the mean, by chance more or less.
 *           The threads' requests together come at 64 / BENCH_PACED_US.
 *
 * Virtual time is shared by the threads, which take it in blocks of 64 pairs.
 */
#ifndef BENCH_SUBJECTS_H
#define BENCH_SUBJECTS_H

#include "bench_run.h"
#include "ilb.h"

#define BENCH_PACED_US 1000
#define BENCH_CALL_NS 50
#define BENCH_BLOCK 64

/* A new one of the naive balancer, "own", "caller" or "paced" as `way` says. */
bench_subject *bench_naive_subject(const char *way, uint32_t n,
                                   uint32_t n_threads);

/* The same of libilb with a policy. */
bench_subject *bench_ilb_subject(ilb_policy policy, const char *way, uint32_t n,
                                 uint32_t n_threads);

void bench_subject_free(bench_subject *s);

/* "peak_ewma:paced" and the like; ends the program if there is none. */
bench_subject *bench_subject_named(const char *name, uint32_t n);

/* n endpoints with addresses from the number `first` on; free(). */
ilb_endpoint *bench_endpoints(uint32_t first, uint32_t n);

/* A balancer with these options, or the program ends. */
ilb_balancer *bench_balancer(const ilb_options *o, uint32_t n);

/* Virtual time, shared by the threads: the begin of the next block of pairs. */
typedef struct bench_pace {
    _Alignas(64) _Atomic uint64_t now_ns;
    uint64_t step_ns; /* from pair to pair */
} bench_pace;

void bench_pace_init(bench_pace *p, const char *way, uint32_t n_threads);
uint64_t bench_pace_block(bench_pace *p);

#endif
