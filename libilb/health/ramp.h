/* SPDX-License-Identifier: MIT */
/*
 * Slow start: an endpoint that has entered the list, has become ready or has
 * returned from an ejection takes part of its share for a while,
 *
 *     factor = max(10 %, t / slow_start_ns)
 *
 * with t its time since then: the clock is its own, whoever else comes or goes.
 * It is a factor on its weight, in both places where weight counts: it is drawn
 * that often (a draw is passed over with probability 1 - factor), and its
 * requests in flight count 1 / factor times (select/score.h). The first bounds
 * its share where all are idle, the second where they are busy; and a tenth of
 * its draws are never passed over, so that it does not starve.
 *
 * The formula is Envoy's, with aggression 1. There it is a factor on the weight
 * of a queue of deadlines, for round robin and least request only; a newcomer
 * can starve, and one that returns from an ejection does not ramp.
 *
 * Without it, and besides it, evidence ramps an endpoint: its in-flight cap
 * while WARMING (health.h).
 *
 * A list that comes when nothing is ready has nobody to spare: no ramp.
 */
#ifndef ILB_HEALTH_RAMP_H
#define ILB_HEALTH_RAMP_H

#include "health/health.h"

#define ILB_RAMP_LEAST 0.1f

/* 0.1 .. 1; 1 if there is none. `window_ns` is not 0. */
static inline float ilb__ramp_factor(const ilb__slot *slot, uint64_t window_ns,
                                     uint64_t now_ns)
{
    uint64_t began_ns = ilb__load_relaxed(&slot->ramp_ns);
    float factor;

    if (began_ns == 0)
        return 1;
    factor = (float)ilb__elapsed_ns(began_ns, now_ns) / (float)window_ns;
    return factor < ILB_RAMP_LEAST ? ILB_RAMP_LEAST : factor < 1 ? factor : 1;
}

#endif
