/* SPDX-License-Identifier: MIT */
/* See bench_stats.h. */
#include "bench_stats.h"

#include <math.h>
#include <stdlib.h>

static int stats_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int stats_by_sample(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

double bench_median(double *values, size_t n)
{
    if (n == 0)
        return (double)NAN;
    qsort(values, n, sizeof *values, stats_by_value);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void bench_sort(uint32_t *samples, size_t n)
{
    qsort(samples, n, sizeof *samples, stats_by_sample);
}

double bench_percentile(const uint32_t *sorted, size_t n, double share)
{
    size_t rank;

    if (n == 0)
        return (double)NAN;
    rank = (size_t)ceil(share * (double)n);
    return sorted[rank == 0 ? 0 : (rank > n ? n : rank) - 1];
}
