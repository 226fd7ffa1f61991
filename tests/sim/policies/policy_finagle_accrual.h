/* SPDX-License-Identifier: MIT */
/*
 * Finagle's failure accrual: marks an endpoint dead, and probes it. See the .c
 * file.
 */
#ifndef SIM_POLICY_FINAGLE_ACCRUAL_H
#define SIM_POLICY_FINAGLE_ACCRUAL_H

#include "policy_util.h"

#define ACCRUAL_SLICES 5

typedef enum accrual_state {
    ACCRUAL_ALIVE = 0,
    ACCRUAL_DEAD,
    ACCRUAL_PROBE_OPEN,  /* may take one request */
    ACCRUAL_PROBE_CLOSED /* has it */
} accrual_state;

/* How long to stay dead, one time after the other. */
typedef struct accrual_backoff {
    double next_ns;
    uint32_t attempt;
} accrual_backoff;

typedef struct finagle_accrual {
    accrual_state state;
    uint64_t dead_until_ns;

    uint32_t consecutive; /* failures */
    accrual_backoff consecutive_backoff;

    double rate; /* success rate, an average over 30 s */
    bool rated;
    uint64_t rate_ns;  /* of the last sample */
    uint64_t since_ns; /* life, or revival */
    uint32_t requests[ACCRUAL_SLICES];
    int64_t slice; /* number of the newest */
    accrual_backoff rate_backoff;
} finagle_accrual;

void sim_accrual_open(finagle_accrual *f, uint64_t now_ns);

/* Would it take a request now? Dead ones open for a probe by time. */
bool sim_accrual_is_open(finagle_accrual *f, uint64_t now_ns);

/* A request goes to it. */
void sim_accrual_begin(finagle_accrual *f);

/* A request has ended; `ignore`: neither well nor badly. True: it went from
 * alive to dead. */
bool sim_accrual_end(finagle_accrual *f, sim_random *random, bool good,
                     bool ignore, uint64_t now_ns);

#endif
