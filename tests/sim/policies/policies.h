/* SPDX-License-Identifier: MIT */
/*
 * All policies by name. Each stands in a file of its own, with its formulas,
 * its defaults, where they come from, and where ours differs.
 */
#ifndef SIM_POLICIES_H
#define SIM_POLICIES_H

#include "../sim_policy.h"

extern const sim_policy sim_policy_ilb;
extern const sim_policy sim_policy_ilb_plain;
extern const sim_policy sim_policy_ilb_probing;
extern const sim_policy sim_policy_ilb_unjudged;
extern const sim_policy sim_policy_random;
extern const sim_policy sim_policy_round_robin;
extern const sim_policy sim_policy_p2c;
extern const sim_policy sim_policy_nginx;
extern const sim_policy sim_policy_envoy;
extern const sim_policy sim_policy_go_zero;
extern const sim_policy sim_policy_kratos;
extern const sim_policy sim_policy_tower;
extern const sim_policy sim_policy_linkerd;
extern const sim_policy sim_policy_finagle;
extern const sim_policy sim_policy_brpc_p2c;
extern const sim_policy sim_policy_brpc_la;
extern const sim_policy sim_policy_c3;
extern const sim_policy sim_policy_prequal;
extern const sim_policy sim_policy_oracle;

/* Not in the registry: nginx as it is since 1.11.5, refusing when all have
 * failed; */
extern const sim_policy sim_policy_nginx_busy;
/* and the rules to which Prequal was compared, over Prequal's probes. */
extern const sim_policy sim_policy_prequal_rif;
extern const sim_policy sim_policy_prequal_cubic;

#endif
