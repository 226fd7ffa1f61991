/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "policies.h"

/* libilb first; then from the simplest to those that know most. */
const sim_policy *const sim_policies[] = {
    &sim_policy_ilb,         &sim_policy_ilb_plain,
    &sim_policy_ilb_probing, &sim_policy_ilb_unjudged,
    &sim_policy_random,      &sim_policy_round_robin,
    &sim_policy_p2c,         &sim_policy_nginx,
    &sim_policy_envoy,       &sim_policy_go_zero,
    &sim_policy_kratos,      &sim_policy_tower,
    &sim_policy_linkerd,     &sim_policy_finagle,
    &sim_policy_brpc_p2c,    &sim_policy_brpc_la,
    &sim_policy_c3,          &sim_policy_prequal,
    &sim_policy_oracle,      NULL,
};

const sim_policy *sim_policy_find(const char *name)
{
    for (size_t i = 0; sim_policies[i] != NULL; i++)
        if (strcmp(sim_policies[i]->name, name) == 0)
            return sim_policies[i];
    return NULL;
}
