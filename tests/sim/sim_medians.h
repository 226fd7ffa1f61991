/* SPDX-License-Identifier: MIT */
/* Results by scenario and policy: medians over the seeds. */
#ifndef SIM_MEDIANS_H
#define SIM_MEDIANS_H

#include "sim_csv_read.h"

typedef struct sim_median {
    size_t n_seeds;  /* 0: this policy was not run in this scenario */
    double failures; /* of 100,000 */
    double p99_ms, p999_ms;
    bool has_regained;
    double regained; /* % */
    /* The same of the worst seed, for each figure another one. */
    double worst_failures, worst_p99_ms, worst_p999_ms, worst_regained;
} sim_median;

/* Scenarios and policies in the order of their first rows. The names are those
 * of the rows, which must outlive this. */
typedef struct sim_medians {
    const char **scenarios, **policies;
    bool *passive; /* of each policy */
    size_t n_scenarios, n_policies;
    sim_median *cells; /* [scenario * n_policies + policy] */
} sim_medians;

/*
 * 0, or -1 with a message: out of memory; a run is there twice
 * with different figures (twice the same counts once); a scenario's policies do
 * not all have the same seeds, so that they cannot be compared.
 */
int sim_medians_make(sim_medians *m, const sim_csv_rows *rows,
                     char error[SIM_CSV_ERROR_BYTES]);

void sim_medians_free(sim_medians *m);

const sim_median *sim_medians_at(const sim_medians *m, size_t scenario,
                                 size_t policy);

/* Its number; m->n_policies if there is none of this name. */
size_t sim_medians_policy(const sim_medians *m, const char *name);

#endif
