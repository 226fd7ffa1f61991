/* SPDX-License-Identifier: MIT */
/*
 * What happens: the scenario's happenings and random processes as events.
 *
 * Where sim_scenario.h leaves room:
 *  - Of one kind the last counts, but stops and crashes that overlap last until
 *    the later end. Different kinds add up; a refusal is before all others.
 *  - HEAL does not end a stop, a crash, a warm-up, readiness or antagonists.
 *  - RESTART: what is still at the server when it comes back is reset. It comes
 *    back ready, and well in every respect but antagonists, as after a CRASH.
 *  - STOPS: starts are a Poisson process for each server.
 *  - FLAP: the fault ends, but only that kind; it begins from `from` on, before
 *    `to`, and is over at `to`.
 *  - Processes draw from streams of their own, the same for all policies.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "sim_world.h"

/* Puts all in, before the first arrival, so that what happens at the time of an
 * arrival comes before it. */
void sim_faults_start(sim_world *w);
void sim_faults_free(sim_world *w);

/* SIM_EVENT_HAPPENING, _STOP_ENDS, _CRASH_ENDS, _REJOIN. */
void sim_faults_event(sim_world *w, unsigned kind, uint32_t a);

/* A happening of whatever origin, now. */
void sim_faults_happen(sim_world *w, const sim_happening *h);

#endif
