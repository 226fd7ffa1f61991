/* SPDX-License-Identifier: MIT */
/*
 * The machine's floor, in building blocks: what no balancer that does this can
 * go below.
 *
 *   loads           two random entries' lines are read, one of the two counts
 *                   one more and one less in flight
 *   loads_clock     and one clock read, whose time is stored there
 *   loads_2_clocks  and two
 *   clock           one clock_gettime(CLOCK_MONOTONIC)
 *   mutex           lock and unlock of one pthread mutex; contended, if there
 *                   is more than one thread: then they sleep, and each
 * repetition counts
 *
 * And, by itself, as all that two threads share costs so much:
 *
 *   line_transfer   from one thread's store to a line until the other one, on
 *                   the next CPU, has seen it
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "bench_rows.h"

#define BENCH_FLOOR_N 5

/* The i-th of the list above, with n entries. */
bench_subject *bench_floor_subject(uint32_t i, uint32_t n, uint32_t n_threads);

/* line_transfer, beside what is measured with n endpoints: a host may move the
 * CPUs of its guests meanwhile. For two CPUs or more. */
void bench_measure_transfer(bench_rows *all, const bench_options *o,
                            uint32_t n);

#endif
