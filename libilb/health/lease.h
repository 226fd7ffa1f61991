/* SPDX-License-Identifier: MIT */
/*
 * Leases: tickets that are never done, as their caller lost them, are given
 * back after ilb_options.lease_ns.
 *
 * Nobody has a list of tickets. What there is is the turn (signal/load.h): all
 * of an endpoint's `old` requests were taken before `turned_ns`. If that is a
 * lease ago and some are unanswered still, they are given back, all of them,
 * and counted as leaked; `leaked_ns` of the slot says so to their tickets,
 * should they come yet: an unanswered ticket that was taken before it is
 * refused and changes nothing. A request that is taken after a turn comes to be
 * an old one at the next, which comes when the last old one ends, or here, when
 * a lease has passed without one. So a ticket is given back
 *
 *     one lease after it was taken at the earliest, two and a little at the
 *     latest,
 *
 * looked at every 100 ms, 256 slots at a time.
 *
 * Not: a request whose first byte has come (ilb_first_byte). A stream may last
 * as long as it likes, and nothing tells one that is lost from it.
 *
 * What it cannot tell: the time of a pick that the caller hands in may be two
 * seconds off (base/clock.h). A request that was taken at the turn, to that
 * exactness, may be refused though its count is not given back until a lease
 * later, or the other way round be done in the place of another one, which is
 * then refused. The count is right in the end either way.
 *
 * The extra cost of such a request (signal/cost.h) is given back when its
 * endpoint is idle, as then there is none.
 */
#ifndef ILB_HEALTH_LEASE_H
#define ILB_HEALTH_LEASE_H

#include "health/reclaim.h"

/* Looks at one slot, the `k`-th. */
ILB_INTERNAL void ilb__lease_look_at(ilb__slot *slot, const ilb__holdings *h,
                                     uint32_t k, uint64_t lease_ns,
                                     uint64_t now_ns);

/* Has a ticket for this endpoint been given back? */
static inline bool ilb__lease_is_over(const ilb__slot *slot, uint64_t picked_ns,
                                      bool answered)
{
    return ILB_UNLIKELY(picked_ns < ilb__load_relaxed(&slot->leaked_ns)) &&
           !answered;
}

#endif
