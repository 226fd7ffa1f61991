/* SPDX-License-Identifier: MIT */
/* Is this a scenario that can be run? Also if it was not read from a file. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "sim_policy.h"
#include "sim_scenario.h"

/* NULL: it is. Else what is wrong with it, in `text`. */
const char *sim_check_scenario(const sim_scenario *s, char *text, size_t size);

/* The same of a policy. */
const char *sim_check_policy(const sim_policy *p);

#endif
