/* SPDX-License-Identifier: MIT */
/* What the parts of bench_measure_rest share. */
#ifndef BENCH_MEASURES_PARTS_H
#define BENCH_MEASURES_PARTS_H

#include "bench_rows.h"

/* One thread's figure in the section `rest`. */
void bench_rest_row(bench_rows *all, const char *subject, uint32_t endpoints,
                    bench_result result);

/* Picks, dones and what is between them, by outcome. */
void bench_measure_requests(bench_rows *all, const bench_options *o);

/* A done that ejects, and one that lets back in. */
void bench_measure_ejection(bench_rows *all, const bench_options *o);

#endif
