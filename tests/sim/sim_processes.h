/* SPDX-License-Identifier: MIT */
/* What goes on all the time: random stops, antagonists, flapping. */
#ifndef SIM_PROCESSES_H
#define SIM_PROCESSES_H

#include "sim_world.h"

void sim_processes_start(sim_world *w);
void sim_processes_free(sim_world *w);

/* SIM_EVENT_PROCESS: `b` is the server of a stop; else 0: it begins (again),
 * 1: it ends. */
void sim_processes_event(sim_world *w, uint32_t process, uint32_t b);

#endif
