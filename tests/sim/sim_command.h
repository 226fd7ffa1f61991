/* SPDX-License-Identifier: MIT */
/* The commands of ilb-sim. Each gets the words after its name, and returns the
 * program's exit status. */
#ifndef SIM_COMMAND_H
#define SIM_COMMAND_H

int sim_command_list(int n, char **words);
int sim_command_show(int n, char **words);
int sim_command_run(int n, char **words);
int sim_command_verdict(int n, char **words);

#endif
