/* SPDX-License-Identifier: MIT */
/*
 * All runs of scenarios x policies x seeds, spread over worker processes.
 *
 * Runs are numbered scenario by scenario, in it policy by policy, in it seed
 * by seed, and are begun in this order. What comes out does not depend on how
 * many workers there are or which is first: scenarios are reported in order,
 * and of several failed runs the first is the one that is told.
 */
#ifndef SIM_BATCH_H
#define SIM_BATCH_H

#include "sim_run.h"
#include "sim_worker.h"

#define SIM_BATCH_JOBS_MAX 256
#define SIM_BATCH_RUNS_MAX 10000000
#define SIM_BATCH_ERROR_BYTES 1024

typedef struct sim_batch {
    const sim_scenario *scenarios;
    const sim_policy *const *policies;
    size_t n_scenarios, n_policies, n_seeds;
    uint64_t first_seed;
    unsigned jobs;
    bool quiet;          /* no progress on stderr */
    sim_result *results; /* made by sim_batch_run, freed by the caller */

    /* A scenario's runs are all there; in order. May be NULL. */
    void (*scenario_done)(void *user, size_t scenario);
    void *user;
} sim_batch;

/* 0; -1: a run failed, a worker crashed or could not be started, message in
 * `error`; a signal's number: that one (INT, TERM, HUP) came. No worker is left
 * in any case. */
int sim_batch_run(sim_batch *b, char error[SIM_BATCH_ERROR_BYTES]);

size_t sim_batch_runs(const sim_batch *b);

/* The results of a scenario and a policy, one a seed. */
const sim_result *sim_batch_results(const sim_batch *b, size_t scenario,
                                    size_t policy);

/* How many processors there are, for `jobs`. */
unsigned sim_batch_cores(void);

#endif
