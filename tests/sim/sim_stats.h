/* SPDX-License-Identifier: MIT */
/* The figures of a run, as they come in; what they are is in sim_run.h. */
#ifndef SIM_STATS_H
#define SIM_STATS_H

#include "sim_measure.h"

typedef struct sim_stats {
    sim_result result; /* the counts; the rest by _finish */
    sim_sample latency;
    sim_measures measures;
} sim_stats;

void sim_stats_init(sim_stats *st, const sim_scenario *s);
void sim_stats_free(sim_stats *st);

/* An attempt is sent, to a server that is `bad` or not. `counted`: its request
 * arrived in the measured part. Returns the measures' marks. */
uint16_t sim_stats_sent(sim_stats *st, bool counted, uint32_t server, bool bad,
                        uint64_t now_ns);

/* A request of a policy's own is sent. */
void sim_stats_own(sim_stats *st, bool counted, uint32_t server,
                   uint64_t now_ns);

/* A request is over. */
void sim_stats_over(sim_stats *st, bool counted, uint64_t arrived_ns,
                    sim_outcome end, uint64_t now_ns);

/* False: out of memory. */
bool sim_stats_finish(sim_stats *st, uint64_t now_ns);

#endif
