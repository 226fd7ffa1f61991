/* SPDX-License-Identifier: MIT */
/* Numbers from a scenario's distributions, in ns. */
#ifndef SIM_DRAW_H
#define SIM_DRAW_H

#include "sim_random.h"
#include "sim_scenario.h"

double sim_draw(const sim_distribution *d, sim_random *r);

double sim_draw_mean(const sim_distribution *d);

/* To whole nanoseconds; what is longer than SIM_DRAW_LONGEST is that long. */
#define SIM_DRAW_LONGEST (UINT64_C(1) << 60)

static inline uint64_t sim_draw_round(double ns)
{
    return ns < 0x1p60 ? (uint64_t)(ns + 0.5) : SIM_DRAW_LONGEST;
}

/* a + b, but never beyond UINT64_MAX, which is "never". */
static inline uint64_t sim_draw_after(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > UINT64_MAX - b_ns ? UINT64_MAX : a_ns + b_ns;
}

#endif
