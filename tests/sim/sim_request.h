/* SPDX-License-Identifier: MIT */
/*
 * The life of a request at its client: it begins, is given to the policy, sent,
 * tried again, answered or given up.
 *
 * For each attempt the policy is called with pick and then, once, with done;
 * just before that with first_byte for a success. A retry is made at once. A
 * deadline or the end of `try_ns` at the same moment as the answer comes first,
 * and the deadline before the end of `try_ns`.
 */
#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H

#include "sim_world.h"

void sim_request_begin(sim_world *w);

/* Of the policy's own, if it has one to make. */
bool sim_request_own(sim_world *w, uint32_t client);

/* Events. */
void sim_request_answered(sim_world *w, sim_job *job);
void sim_request_given_up(sim_world *w, sim_job *job);
void sim_request_try_ends(sim_world *w, sim_job *job, uint32_t tries);

#endif
