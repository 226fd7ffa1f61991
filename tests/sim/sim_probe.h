/* SPDX-License-Identifier: MIT */
/*
 * What a policy may ask of the simulator, see sim_host: load probes, and the
 * truth. A policy that calls itself passive may ask nothing.
 *
 * A probe is answered at once when it gets to its server, past any queue. It
 * is lost if the server refuses, is crashed or stands still.
 */
#ifndef SIM_PROBE_H
#define SIM_PROBE_H

#include "sim_world.h"

/* For sim_host; `world` is a sim_world. */
void sim_probe_send_own(void *world, uint32_t client, uint32_t server);
void sim_probe_send(void *world, uint32_t client, uint32_t server);
double sim_probe_true_delay_ns(void *world, uint32_t server);
double sim_probe_true_failure(void *world, uint32_t server);

/* Events. */
void sim_probe_at_server(sim_world *w, uint32_t probe);
void sim_probe_answer(sim_world *w, uint32_t probe);

void sim_probes_free(sim_world *w);

#endif
