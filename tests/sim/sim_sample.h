/* SPDX-License-Identifier: MIT */
/* Latencies, all of them, and their exact quantiles. */
#ifndef SIM_SAMPLE_H
#define SIM_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sim_sample {
    uint64_t *ns;
    size_t n, room;
    size_t settled; /* the least so many are in their place */
    double sum_ns;
    bool failed; /* out of memory: some are missing */
} sim_sample;

void sim_sample_add(sim_sample *s, uint64_t ns);

/* The least value that a part `q` (0 to 1) of all do not exceed: the k-th of
 * them in order, k = ceil(q n). NaN if there are none. Moves the values; asked
 * for in ascending order it is fastest. */
double sim_sample_quantile(sim_sample *s, double q);

double sim_sample_mean(const sim_sample *s);

void sim_sample_free(sim_sample *s);

#endif
