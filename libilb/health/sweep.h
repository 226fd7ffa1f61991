/* SPDX-License-Identifier: MIT */
/*
 * The detector of hanging: nobody reports a request that is not answered, so
 * the pool's maintenance looks, each time at up to 64 endpoints, in turn.
 *
 * An endpoint hangs if, since it was last heard of, requests have waited in
 * vain: longer than answers ordinarily take (hang, ilb__figures_hang_ns), in
 * flight still or given up by their caller, who need not have waited for long,
 * in flight together or one after the other; two at least: one alone may be a
 * long one (the score sends another one after a while, to find out), and those
 * that later ones have overtaken do not count (signal/overtaken.h). Together
 * they must have waited for
 *
 *         H = max(4 hang, 2 s);
 *
 * time in which none of them was in flight does not count. And at most half of
 * those looked at may have such requests: else the cause is not theirs.
 *
 * (More than two are rare: the score holds back whoever has one that waits for
 * longer than `hang`, and before that prefers others to whoever has one in
 * flight; the second is most often the one that it sends to find out.)
 *
 * It is heard of when it gives a good answer or the first byte of one.
 *
 * A maintenance that comes late, when many requests would have come meanwhile,
 * means that the caller itself has stood still: silence is counted from then.
 *
 * Ejection says so to others, holds for every policy, and brings it back by a
 * probe, whatever still waits there; one that is not answered for H, or for
 * 85 % of base_ejection_time_ns if that is less, has failed, however long its
 * caller may wait. A late answer of an endpoint that has just
 * been ejected makes its probe due at once: it was a stop, and is over
 * (health.h). Requests that have waited since before it returned are lost; they
 * say nothing any more.
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

/* Signs of life, counted: answers, and first bytes of those that are still in
 * flight. slot->heard is as many as the last sweep saw. */
static inline uint64_t ilb__sweep_signs(const ilb__slot *slot, uint64_t load)
{
    return ilb__load_relaxed(&slot->done[ILB_SUCCESS]) +
           ilb__load_answered(load);
}

ILB_INTERNAL void ilb__sweep_table(ilb__judge *j, ilb__slot *slots,
                                   const ilb__view *view, const ilb__figures *f,
                                   const ilb__sweep *s);

/* A request to it was given up that had waited in vain for so long. */
ILB_INTERNAL void ilb__sweep_gave_up(ilb__slot *slot, uint64_t waited_ns,
                                     const ilb__figures *f, uint64_t now_ns);

#endif
