/* SPDX-License-Identifier: MIT */
/*
 * One run: a scenario, a policy, a seed. And what came of it.
 */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "sim_policy.h"
#include "sim_scenario.h"

#define SIM_MEASURES_MAX 12 /* as sim_scenario.measures */

/*
 * All figures are of the measured part of the run (after `warm-up`), and of
 * requests, not attempts, unless they say otherwise.
 *
 * A request failed if its last attempt did: error, refusal, deadline. Cancelled
 * requests (`give-up`) are neither: they are counted apart. Latency is from
 * the arrival of the request to its end, retries included; of a request that
 * timed out, the deadline. Requests that failed otherwise have none: a fast
 * error is no fast answer, and does not flatter a quantile.
 */
typedef struct sim_result {
    uint64_t requests;
    uint64_t failed;
    uint64_t timed_out; /* of the failed */
    uint64_t cancelled;
    uint64_t no_endpoint; /* picks that were refused */
    uint64_t attempts;
    uint64_t to_bad; /* attempts to a server while it had a fault */
    uint64_t hidden; /* attempts that failed and were tried again because the
                        policy had asked for it: `elsewhere` and `try_ns` */
    uint64_t hidden_timed_out; /* of those: after `try_ns` */
    uint64_t probes; /* requests of the clients' own: sim_policy.probe. None of
                        the other figures has them, but events and hash */
    double p50_ns, p90_ns, p99_ns, p999_ns, max_ns, mean_ns;
    uint64_t ejections; /* 0 where the policy does not count them */
    double measures[SIM_MEASURES_MAX]; /* of the scenario's `measure` lines */
    uint64_t hash;   /* of every pick: equal runs have equal hashes */
    uint64_t events; /* how many the simulator worked off */
} sim_result;

/* 0, or -1 with a message in `error` (out of memory, or a policy that broke
 * its contract: picked a server that is not in its list, left the in-flight
 * count wrong ...). */
int sim_run(const sim_scenario *scenario, const sim_policy *policy,
            uint64_t seed, sim_result *result, char *error, size_t error_size);

#endif
