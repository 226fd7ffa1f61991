/* SPDX-License-Identifier: MIT */
/*
 * Envoy's outlier detection: which endpoints are ejected. See the .c file.
 */
#ifndef SIM_POLICY_ENVOY_OUTLIER_H
#define SIM_POLICY_ENVOY_OUTLIER_H

#include "policy_util.h"

/* Of one endpoint; begins zeroed. */
typedef struct envoy_monitor {
    uint32_t consecutive;    /* failures */
    uint64_t requests, good; /* of this interval */
    bool ejected;
    uint32_t multiplier; /* of the ejection time */
    uint64_t ejected_ns, unejected_ns;
} envoy_monitor;

/* Of the cluster. */
typedef struct envoy_detector {
    uint64_t next_ns; /* of the interval timer; 0: not begun */
    uint64_t ejections;
} envoy_detector;

/* Rates below it are ejected: mean - 1.9 standard deviations (population), of
 * success rates in %. */
double sim_envoy_threshold(const double *rates, uint32_t n);

/* An answer. True: it has been the last of too many failures, and `eject`
 * should be called. */
bool sim_envoy_count(envoy_monitor *m, bool good);

/* Ejects one of `n`, of which `ejected` are out, unless that would be too
 * many. */
void sim_envoy_eject(envoy_detector *d, envoy_monitor *m, uint32_t n,
                     uint32_t ejected, uint64_t now_ns);

/* To be called often; does the interval's work when it is due. */
void sim_envoy_interval(envoy_detector *d, envoy_monitor *const *monitors,
                        uint32_t n, uint64_t now_ns);

#endif
