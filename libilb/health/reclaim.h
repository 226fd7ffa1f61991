/* SPDX-License-Identifier: MIT */
/*
 * Giving back what nobody will: the requests in flight of a process that has
 * ended. Each is taken out where it was counted (signal/held.h), with its cost,
 * and counted as leaked; the probe of an ejected endpoint that it was making
 * has ended without a result, so that the next request may be one.
 *
 * Every count is taken by one atomic exchange, so that whoever is killed while
 * it reclaims leaves the rest to the next, and what it had just taken to the
 * audit (audit.h). For one caller at a time.
 *
 * Requests that ended so were answered by nobody: they say nothing of their
 * endpoint, which is not judged by them.
 */
#ifndef ILB_HEALTH_RECLAIM_H
#define ILB_HEALTH_RECLAIM_H

#include "health/health.h"
#include "signal/held.h"

/* What the process has in flight to this endpoint. */
ILB_INTERNAL void ilb__reclaim_slot(ilb__judge *j, ilb__slot *slot,
                                    ilb__held *held, uint64_t now_ns);

/* Gives back `n` that are counted there. */
ILB_INTERNAL void ilb__reclaim_return(ilb__slot *slot, uint32_t where,
                                      uint32_t n, uint64_t now_ns);

/* Some were given back: no more can be overtaken or lost than are left. */
ILB_INTERNAL void ilb__reclaim_settle(ilb__slot *slot);

#endif
