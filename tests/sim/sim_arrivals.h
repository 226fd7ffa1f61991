/* SPDX-License-Identifier: MIT */
/*
 * When requests arrive.
 *
 * Poisson: the distances are exponential. Constant: they are equal, and the
 * first request comes after half of one, so that n seconds bring n x rate
 * requests. When the rate changes, what is left of the present distance is
 * stretched: so it is a Poisson process with a rate that changes in time, and
 * the same draws whatever the rate.
 */
#ifndef SIM_ARRIVALS_H
#define SIM_ARRIVALS_H

#include "sim_world.h"

/* A request of a closed loop that ends as it begins (nothing to send to) is
 * followed by the next one only after this, or time would stand still. */
#define SIM_ARRIVALS_PAUSE_NS UINT64_C(1000000)

void sim_arrivals_start(sim_world *w);

/* Events. */
void sim_arrivals_one(sim_world *w, uint32_t plan);
void sim_arrivals_next(sim_world *w); /* of a closed loop */

/* A request that began then is over. */
void sim_arrivals_ended(sim_world *w, uint64_t arrived_ns);

/* From now on they arrive at this rate. */
void sim_arrivals_rate(sim_world *w, double rate_per_s);

#endif
