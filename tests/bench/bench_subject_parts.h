/* SPDX-License-Identifier: MIT */
/* What makers of subjects need. */
#ifndef BENCH_SUBJECT_PARTS_H
#define BENCH_SUBJECT_PARTS_H

#include "bench_run.h"

typedef struct bench_loops {
    bench_loop own, caller, paced;
} bench_loops;

/* Without its state. A thread's own begins with a uint64_t, which is seeded. */
bench_subject *bench_subject_new(const char *name, const char *way,
                                 const bench_loops *loops, size_t local_bytes,
                                 uint32_t n_threads);

#endif
