/* SPDX-License-Identifier: MIT */
/*
 * The detector of hangs: nobody reports a request that is not answered, so the
 * pool's maintenance looks, at up to 64 endpoints each time, in turn.
 *
 * An endpoint hangs if
 *   - at least two requests to it are unanswered: one may be a long one;
 *   - the oldest has waited for H = max(4 hang, 1 s), where hang is what an
 *     answer does not take in the ordinary way (ilb__figures_hang_ns);
 *   - it has given no good answer in that time;
 *   - and at most half of those looked at do so: else the cause is not theirs.
 *
 * The score holds back whoever waits for longer than hang. Ejection says so to
 * others, counts towards the cap, and returns it by a probe. An answer that
 * comes late, after all, makes its probe due at once (health.h).
 */
#ifndef ILB_HEALTH_SWEEP_H
#define ILB_HEALTH_SWEEP_H

#include "health/eject.h"

/* The `round`-th time. */
ILB_INTERNAL void ilb__sweep(ilb__judge *j, ilb__slot *slots,
                             const ilb__view *view, const ilb__figures *f,
                             uint64_t round, uint64_t now_ns);

#endif
