/* SPDX-License-Identifier: MIT */
/* In what condition a server is: the sum of its faults, and the truth. */
#ifndef SIM_CONDITION_H
#define SIM_CONDITION_H

#include "sim_server.h"

/* A slowness above this is a fault, below it everyday life. */
#define SIM_CONDITION_SLOW 1.5

/* Service times are multiplied by this now. */
double sim_condition_slowness(const sim_server *s, uint64_t now_ns);

/* How long a worker needs for this demand if it begins now. */
double sim_condition_service_ns(const sim_server *s, double demand_ns,
                                uint64_t now_ns);

/* It has a fault now; see `to_bad` in sim_run.h. */
bool sim_condition_bad(const sim_server *s, uint64_t now_ns);

/* For the oracle; see sim_policy.h. */
double sim_condition_delay_ns(const sim_server *s, uint64_t now_ns);
double sim_condition_failure(const sim_server *s);

/* Ends what SIM_HEAL ends, but for the hang: that is for the caller, who must
 * let the server go on. */
void sim_condition_heal(sim_server *s);

#endif
