/* SPDX-License-Identifier: MIT */
/* Medians and percentiles of measured values. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Of n values, which it sorts; of an even number the mean of the two in the
 * middle; NAN without any. */
double bench_median(double *values, size_t n);

/* Sorts n samples, ascending. */
void bench_sort(uint32_t *samples, size_t n);

/* The nearest rank: the smallest of n sorted samples that at least `share` of
 * them do not exceed, 0 < share <= 1; NAN without any. */
double bench_percentile(const uint32_t *sorted, size_t n, double share);

#endif
