/* SPDX-License-Identifier: MIT */
/*
 * What several seeds gave: the middle, and the ends. NaN is "no value" (no
 * request was answered, say); in a median it counts as the worst there is.
 */
#ifndef SIM_SPREAD_H
#define SIM_SPREAD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sim_spread {
    double median;      /* of an even number, the mean of the middle two */
    double least, most; /* NaN if one of the values is */
} sim_spread;

/* Sorts `values`; n > 0. `low_is_bad`: where NaN belongs. */
sim_spread sim_spread_of(double *values, size_t n, bool low_is_bad);

#endif
