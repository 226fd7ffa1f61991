/* SPDX-License-Identifier: MIT */
/*
 * The detector of hanging: nobody reports a request that is not answered, so
 * the pool's maintenance looks, each time at up to 64 endpoints, in turn.
 *
 * An endpoint hangs if, since it was last heard of,
 *   - two requests or more have waited in vain: longer than answers ordinarily
 *     take (ilb__figures_hang_ns); one may be a long one. They may be in flight
 *     together or one after the other, and be in flight still or given up by
 *     their caller, who need not have waited for long. Of an endpoint that was
 *     ejected of late one is enough;
 *   - together they have waited for
 *
 *         H = max(4 hang, 2 s)
 *
 *     time in which none of them was in flight does not count;
 *   - and at most half of those looked at do so: else the cause is not theirs.
 *
 * It is heard of when it gives a good answer or the first byte of one.
 *
 * A maintenance that comes late, when many requests would have come meanwhile,
 * means that the caller itself has stood still: silence is counted from then.
 *
 * The score holds back whoever waits for longer than `hang` at once. Ejection
 * says so to others, holds for every policy, and brings it back by a probe; one
 * that is not answered for H has failed, however long its caller may wait. A
 * late answer of an endpoint that has just been ejected makes its probe due at
 * once: it was a stop, and is over (health.h).
 *
 * (Kratos and brpc count unanswered requests as latency, as our score does;
 * Envoy and Finagle know of none but by the caller's timeout.)
 */
#ifndef ILB_HEALTH_SWEEP_H
#define ILB_HEALTH_SWEEP_H

#include "health/eject.h"

/* A maintenance, `since_ns` after the one before; `steady_ns` is since when
 * they came in time. */
typedef struct ilb__sweep {
    uint64_t round; /* its number */
    uint64_t steady_ns;
    uint64_t now_ns;
} ilb__sweep;

ILB_INTERNAL void ilb__sweep_table(ilb__judge *j, ilb__slot *slots,
                                   const ilb__view *view,
                                   const ilb__figures *f, const ilb__sweep *s);

/* A request to it was given up that had waited in vain for so long. */
ILB_INTERNAL void ilb__sweep_gave_up(ilb__slot *slot, uint64_t waited_ns,
                                     const ilb__figures *f, uint64_t now_ns);

#endif
