/* SPDX-License-Identifier: MIT */
/*
 * Where the scenarios and the plotting script are.
 *
 * Scenarios: in the directory $ILB_SIM_SCENARIOS if that is set. Else, and the
 * script always: in the source tree if this program runs from a build tree, so
 * that it does not take those of an older version that is installed; else in
 * the directory ILB_SIM_DATA, where `make install` puts them.
 */
#ifndef SIM_FIND_H
#define SIM_FIND_H

#include <stddef.h>

#include "sim_scenario.h"

#define SIM_FIND_BYTES 4096 /* a path */
#define SIM_FIND_ERROR_BYTES (2 * SIM_FIND_BYTES + 512)

/* Names (without .sim), sorted; they are in `directory`. */
typedef struct sim_find_list {
    char directory[SIM_FIND_BYTES];
    char **names;
    size_t n;
} sim_find_list;

/* All of these: 0, or -1 with a message in `error`. */
int sim_find_data(char path[SIM_FIND_BYTES], const char *name,
                  char error[SIM_FIND_ERROR_BYTES]);
int sim_find_scenarios(sim_find_list *list, char error[SIM_FIND_ERROR_BYTES]);

/* `word` is a name, or a path if it has a slash or ends in ".sim". -2: the
 * message says that there is no such name, and which are near. */
int sim_find_path(char path[SIM_FIND_BYTES], const char *word,
                  char error[SIM_FIND_ERROR_BYTES]);

void sim_find_list_free(sim_find_list *list);

#endif
