/* SPDX-License-Identifier: MIT */
/*
 * The scenario's `measure` lines; what each kind is, is in sim_scenario.h.
 * Where that leaves room:
 *
 *  - Fair shares are those of the servers that are listed and ready, by weight,
 *    as the list is when an attempt is sent; from..to is without its end.
 *  - SHARE and RETURN: no value, or not returned, while the fair share is 0.
 *  - PEAK of k servers: their sum, divided by k. The mean is over time, of all
 *    requests in flight per listed server. In flight is from pick to done.
 *  - RETURN: windows begin at `from`, one after the other; the value is when
 *    the first begins that is good enough.
 *  - No value is NaN.
 */
#ifndef SIM_MEASURE_H
#define SIM_MEASURE_H

#include "sim_policy.h"
#include "sim_run.h"
#include "sim_sample.h"
#include "sim_scenario.h"

typedef struct sim_measure_state {
    const sim_measure *what;
    double fair; /* their part of the weight of the list, now */
    /* Attempts to them, and how many would be fair; of RETURN, in the present
     * window. */
    uint64_t attempts;
    double expected;
    uint64_t window;
    bool ended; /* RETURN: returned; BEFORE_REPORT: there was a report */
    double returned_s;
    /* Requests. */
    uint64_t arrived, failed, succeeded, cancelled;
    sim_sample latency;
    /* PEAK. */
    uint64_t in_flight, most;
    double sum; /* of in flight per listed server x ns */
} sim_measure_state;

typedef struct sim_measures {
    sim_measure_state all[SIM_MEASURES_MAX];
    uint32_t n;
    uint32_t n_listed;
    bool peaks;         /* there are PEAKs */
    uint64_t in_flight; /* to all servers */
    uint64_t peaks_ns;  /* the PEAKs' sums are as of then */
} sim_measures;

void sim_measures_init(sim_measures *m, const sim_scenario *s);
void sim_measures_free(sim_measures *m);

/* The list has changed. */
void sim_measures_list(sim_measures *m, const sim_member *members, uint32_t n,
                       uint64_t now_ns);

/* An attempt is sent; returns its marks, for _done. */
uint16_t sim_measures_sent(sim_measures *m, uint32_t server, uint64_t now_ns);
void sim_measures_done(sim_measures *m, uint32_t server, uint16_t marks,
                       uint64_t now_ns);

/* A request is over. `latency_ns` UINT64_MAX: it has none. */
void sim_measures_over(sim_measures *m, uint64_t arrived_ns, sim_outcome end,
                       uint64_t latency_ns);

/* After the last event. False: out of memory. */
bool sim_measures_finish(sim_measures *m, uint64_t now_ns,
                         double values[SIM_MEASURES_MAX]);

#endif
