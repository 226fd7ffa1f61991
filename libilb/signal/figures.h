/* SPDX-License-Identifier: MIT */
/*
 * What all endpoints have in common, as one request sees it: the yardsticks
 * that an endpoint is measured against. Worked out by health/pool.h.
 */
#ifndef ILB_SIGNAL_FIGURES_H
#define ILB_SIGNAL_FIGURES_H

#include "signal/evidence.h"

typedef struct ilb__figures {
    float median_ns;   /* of the endpoints' latency estimates; 0: unknown */
    float p99_ns;      /* of all good answers of late; 0: unknown */
    float p0;          /* share of requests that healthy endpoints fail */
    float rate_per_s;  /* requests that end, of all endpoints */
    float patience_ns; /* time constant, at most, of trying a slow one again */
    uint64_t suspect_ns; /* how long one failure keeps an endpoint back */
    uint32_t aperture;   /* endpoints to use; UINT32_MAX: all */
    bool overloaded;     /* those that are left suffer from the ejections */
    ilb__evidence_steps steps;
} ilb__figures;

#endif
