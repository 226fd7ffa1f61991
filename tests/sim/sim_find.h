/* SPDX-License-Identifier: MIT */
/*
 * Where the scenarios and the plotting script are.
 *
 * Scenarios: in the directory $ILB_SIM_SCENARIOS if that is set. Else, and the
 * script always: in the source tree if this program runs from a build tree, so
 * that it does not take those of an older version that is installed; else in
 * the directory ILB_SIM_DATA, where `make install` puts them.
 *
 * A directory beside the scenarios that has scenarios itself is a set: its name
 * means all of them, SET/NAME one.
 */
#ifndef SIM_FIND_H
#define SIM_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "sim_scenario.h"

#define SIM_FIND_BYTES 4096 /* a path */
#define SIM_FIND_ERROR_BYTES (2 * SIM_FIND_BYTES + 512)

#define SIM_FIND_UNKNOWN (-2)
#define SIM_FIND_IS_SET (-3)

/* Names, sorted: words for sim_find_path, of what is in `directory`. */
typedef struct sim_find_list {
    char directory[SIM_FIND_BYTES];
    char **names;
    size_t n;
} sim_find_list;

/* All of these: 0, or -1 with a message in `error`. */
int sim_find_directory(char path[SIM_FIND_BYTES],
                       char error[SIM_FIND_ERROR_BYTES]);
int sim_find_data(char path[SIM_FIND_BYTES], const char *name,
                  char error[SIM_FIND_ERROR_BYTES]);
/* Of a set: as SET/NAME. Without one (NULL): those that are in none. */
int sim_find_scenarios(sim_find_list *list, const char *set,
                       char error[SIM_FIND_ERROR_BYTES]);
int sim_find_sets(sim_find_list *sets, char error[SIM_FIND_ERROR_BYTES]);

/* `word` is a name, or SET/NAME; else, if it has a slash or ends in ".sim", a
 * path. SIM_FIND_UNKNOWN: the message says that there is no such name, and
 * which are near. SIM_FIND_IS_SET: it says that this is a set. */
int sim_find_path(char path[SIM_FIND_BYTES], const char *word,
                  char error[SIM_FIND_ERROR_BYTES]);

void sim_find_list_free(sim_find_list *list);

/* The three one after the other; false: too long. */
bool sim_find_join(char path[SIM_FIND_BYTES], const char *a, const char *b,
                   const char *c);
bool sim_find_ends(const char *text, const char *end);

#endif
