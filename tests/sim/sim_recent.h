/* SPDX-License-Identifier: MIT */
/*
 * What a server remembers for load probes: the last latencies of its good
 * answers, by how many others were there when the request came.
 *
 * Prequal (NSDI 2024, "Load is not what you should balance") answers a probe
 * with the median of the recent latencies at about the present number of
 * requests in flight. Classes of that number: one each below 8, then four an
 * octave up to 1024. Eight latencies a class. We leave out errors, which would
 * make a failing server look fast.
 */
#ifndef SIM_RECENT_H
#define SIM_RECENT_H

#include <stdint.h>

#define SIM_RECENT_CLASSES 37
#define SIM_RECENT_KEPT 8

typedef struct sim_recent {
    float ns[SIM_RECENT_CLASSES][SIM_RECENT_KEPT];
    uint64_t n[SIM_RECENT_CLASSES]; /* in all */
} sim_recent;

void sim_recent_add(sim_recent *r, uint32_t load, uint64_t latency_ns);

/* The median in the nearest class that has any; 0: there is none at all. */
double sim_recent_median(const sim_recent *r, uint32_t load);

#endif
