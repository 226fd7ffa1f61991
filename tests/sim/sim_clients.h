/* SPDX-License-Identifier: MIT */
/* The clients: each has an instance of the policy, and all have one list. */
#ifndef SIM_CLIENTS_H
#define SIM_CLIENTS_H

#include "sim_world.h"

/* Makes the instances and tells them the list, before anything else. */
void sim_clients_start(sim_world *w);

/* Counts the ejections, after the last event. */
void sim_clients_finish(sim_world *w);
void sim_clients_free(sim_world *w);

/* Events: a tick; the warm-up is over. */
void sim_clients_tick(sim_world *w);
void sim_clients_measured(sim_world *w);

/* The list has changed: `listed` or `ready` of some server. */
void sim_clients_update(sim_world *w);

#endif
