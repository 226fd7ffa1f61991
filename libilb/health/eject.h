/* SPDX-License-Identifier: MIT */
/*
 * What requests and checks show of an endpoint, and what follows: a detector
 * speaks, a place under the cap is reserved, the state changes, once for
 * however many threads; it is told, whether it happens or not.
 *
 * One that asks to be left alone (Retry-After) is ejected for that time, if the
 * others can carry what it serves (capacity.h). If not, ILB_REASON_CAPACITY, it
 * is held back as one that refuses without a word on when to come back; if the
 * cap has no place, until the time that it said.
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
