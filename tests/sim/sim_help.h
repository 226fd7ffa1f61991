/* SPDX-License-Identifier: MIT */
/* What --help prints. */
#ifndef SIM_HELP_H
#define SIM_HELP_H

#include <stdbool.h>

/* Of a command, or of the program if it is NULL. False: no such command. */
bool sim_help_print(const char *command);

#endif
