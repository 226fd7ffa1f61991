/* SPDX-License-Identifier: MIT */
#include "sim_spread.h"

#include <math.h>
#include <stdlib.h>

static int spread_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

sim_spread sim_spread_of(double *values, size_t n, bool low_is_bad)
{
    const double worst = low_is_bad ? -HUGE_VAL : HUGE_VAL;
    sim_spread s;

    for (size_t i = 0; i < n; i++)
        if (isnan(values[i]))
            values[i] = worst;
    qsort(values, n, sizeof *values, spread_compare);
    s.least = values[0];
    s.most = values[n - 1];
    s.median =
        n % 2 == 1 ? values[n / 2] : values[n / 2 - 1] / 2 + values[n / 2] / 2;
    if (isinf(s.median))
        s.median = NAN;
    if (isinf(s.least))
        s.least = NAN;
    if (isinf(s.most))
        s.most = NAN;
    return s;
}
