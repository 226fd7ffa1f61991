/* SPDX-License-Identifier: MIT */
/*
 * What requests and checks show of an endpoint, and what follows: a detector
 * speaks, a place under the cap is reserved, the state changes, once for
 * however many threads; it is told, whether it happens or not.
 *
 * Retry-After: one that refuses some of its requests for load serves the
 * others. Left alone for as long as it asks, its load goes to the others, who
 * then ask as well, until few are left. So this ejection is refused
 * (ILB_REASON_CAPACITY), where costs are compared at all, while those that are
 * left suffer (overload.h), or when one in eight is out, one at least, and
 * half a request is in flight to each in the mean (rate x median / n). Then it
 * is held back as who does not say when (signal/refusals.h). Who only refuses
 * answers nothing well and stays held back, so nothing is lost by that.
 */
#ifndef ILB_HEALTH_EJECT_H
#define ILB_HEALTH_EJECT_H

#include "health/word.h"

/* A failure. True: it has ejected the endpoint. */
ILB_INTERNAL bool ilb__health_bad(ilb__judge *j, ilb__slot *slot, bool probe,
                                  const ilb__failing *failing,
                                  const ilb__figures *f, uint64_t now_ns);

/* A verdict on an endpoint that is WARMING or HEALTHY, and heard: ejects it.
 * False: it is neither any more, or the cap refuses it. */
ILB_INTERNAL bool ilb__eject(ilb__judge *j, ilb__slot *slot,
                             const ilb__verdict *v, const ilb__failing *x,
                             const ilb__figures *f, uint64_t now_ns);

/* The probe failed: it is ejected again and keeps its place under the cap.
 * False: it is not PROBING any more. */
ILB_INTERNAL bool ilb__eject_probe_failed(ilb__judge *j, ilb__slot *slot,
                                          const ilb__failing *x,
                                          const ilb__figures *f,
                                          uint64_t now_ns);

/* Checks that the caller has made say that it is down: so many have failed in a
 * row. True: that has ejected it. The writer's. */
ILB_INTERNAL bool ilb__health_check_down(ilb__judge *j, ilb__slot *slot,
                                         uint32_t n_ready, uint64_t now_ns);

/* They say that it is up, and whether that is news. The writer's. */
ILB_INTERNAL void ilb__health_check_up(ilb__judge *j, ilb__slot *slot,
                                       bool again, uint64_t now_ns);

#endif
