/* SPDX-License-Identifier: MIT */
/*
 * The words of `ilb-sim run` that choose scenarios and policies. All functions
 * return 0, or an exit status after a message.
 */
#ifndef SIM_SELECT_H
#define SIM_SELECT_H

#include <stddef.h>

#include "sim_policy.h"
#include "sim_scenario.h"

typedef struct sim_select_scenarios {
    sim_scenario *all;
    char **paths; /* of each */
    size_t n, room;
} sim_select_scenarios;

/* Reads the scenarios of these words, in order; a set stands for all that are
 * in it, "all" for those that are in none, sorted. One that is meant twice is
 * taken once. */
int sim_select_read(sim_select_scenarios *s, int n, char **words);
void sim_select_free(sim_select_scenarios *s);

/* Policies of a list with commas, in order, each once. Ends with NULL; the
 * caller frees it. */
int sim_select_policies(const sim_policy ***policies, size_t *n,
                        const char *list);

#endif
