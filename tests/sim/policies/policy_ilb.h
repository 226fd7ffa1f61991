/* SPDX-License-Identifier: MIT */
/* libilb under other settings, and a look into it: for tests. */
#ifndef SIM_POLICY_ILB_H
#define SIM_POLICY_ILB_H

#include "ilb.h"
#include "policies.h"

/* An instance for sim_policy_ilb's other functions; seed and clock of `with`
 * are overwritten. `follows`: its client follows the advice on trials. */
void *policy_ilb_make(const sim_host *host, const ilb_options *with,
                      bool follows);

/* sim_policy.probe of such an instance, by ilb_probe_next. */
bool policy_ilb_probe(void *self, sim_attempt *a, uint64_t now_ns);

/* Its next pick, if it succeeds, is explained there. */
void policy_ilb_explain(void *self, ilb_explanation *x);

/* Of such an instance. Servers have the `user` pointer (number + 1). */
ilb_balancer *policy_ilb_balancer(void *self);

#endif
