/* SPDX-License-Identifier: MIT */
/* What ilb-bench measures, by section. Each adds rows. */
#ifndef BENCH_MEASURES_H
#define BENCH_MEASURES_H

#include "bench_rows.h"

/* Floor and pairs, beside each other, with n_threads and n endpoints. `brief`:
 * naive and the default policy alone. */
void bench_measure_pairs(bench_rows *all, const bench_options *o,
                         uint32_t n_threads, uint32_t n, bool brief);

/* Single picks and dones, while the set is updated. */
void bench_measure_updates(bench_rows *all, const bench_options *o, uint32_t n);

/* All else that the library does. */
void bench_measure_rest(bench_rows *all, const bench_options *o);

/* What a balancer's endpoints need. */
void bench_measure_memory(bench_rows *all);

#endif
