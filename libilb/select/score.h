/* SPDX-License-Identifier: MIT */
/*
 * What it costs to send the next request to an endpoint. Lower is better.
 *
 *     cost = (L + 10 m max(0, s - p0)) (1 + q / w)   + 1e20 if held back
 *
 *   L  latency expected of it: the estimate faded to the median
 *      (signal/latency.h), or the age of its oldest unanswered request if that
 *      is more: silence is evidence;
 *   m  the median of all endpoints, at least 1 us;
 *   s  its recent share of failures, 0..1, of which p0 is what healthy peers
 *      have as well: a certain failure costs as much as an answer that takes
 *      ten times the median. A single failure (s = 1/5) makes it three times
 *      as dear, for a few seconds;
 *   q  its requests in flight;
 *   w  its weight over the mean weight. Draws go by weight (select/draw.h);
 *      this keeps heavier endpoints from looking busy.
 *
 * Held back, so that any other that is not is better:
 *   - at its in-flight cap: WARMING (health/health.h); one in flight while its
 *     last request failed, or its last answers were peaks;
 *   - hanging: the age is above max(1.5 p99, 3 m, 2 ms);
 *   - suspect: the last request failed a moment ago (health/pool.h).
 *
 * Source: cost = latency x (in flight + 1) of Finagle's and tower's peak EWMA;
 * a price on failures as in linkerd2's load biaser and brpc, but of the share,
 * so that it does not outlive the failing.
 *
 * least_request: cost = 1 + q / w.
 */
#ifndef ILB_SELECT_SCORE_H
#define ILB_SELECT_SCORE_H

#include "health/pool.h"

typedef struct ilb__score_context {
    uint64_t now_ns;
    ilb__figures figures;
    float hang_ns;      /* an age above it: hanging */
    float weight_scale; /* 1 / mean weight; 0: all are equal */
    bool latency;       /* else by requests in flight alone */
} ilb__score_context;

typedef struct ilb__score {
    float cost;
    bool poor; /* better to look further: slow or at its in-flight cap */
} ilb__score;

/* `load` and `health` were just read from `slot`. */
ILB_INTERNAL ilb__score ilb__score_of(const ilb__slot *slot, uint64_t load,
                                      uint64_t health,
                                      const ilb__score_context *c);

/* The latency that the score uses: L above. */
ILB_INTERNAL float ilb__score_latency_ns(const ilb__slot *slot, uint64_t load,
                                         const ilb__figures *f,
                                         uint64_t now_ns);

/* What the score needs of the figures. */
ILB_INTERNAL void ilb__score_prepare(ilb__score_context *c);

#endif
