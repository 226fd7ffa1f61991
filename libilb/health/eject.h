/* SPDX-License-Identifier: MIT */
/*
 * What requests and checks show of an endpoint, and what follows: a detector
 * speaks, a place under the cap is reserved, the state changes, once for
 * however many threads; it is told, whether it happens or not.
 */
#ifndef ILB_HEALTH_EJECT_H
#define ILB_HEALTH_EJECT_H

#include "health/word.h"

/* A failure. True: it has ejected the endpoint. */
ILB_INTERNAL bool ilb__health_bad(ilb__judge *j, ilb__slot *slot, bool probe,
                                  const ilb__failing *failing,
                                  const ilb__figures *f, uint64_t now_ns);

/* What is said of an endpoint that is WARMING or HEALTHY. True: it has been
 * ejected. */
ILB_INTERNAL bool ilb__health_verdict(ilb__judge *j, ilb__slot *slot,
                                      const ilb__verdict *v,
                                      const ilb__failing *x,
                                      const ilb__figures *f, uint64_t now_ns);

/* Must the answer to its probe be fast? It was ejected as it was not. */
static inline bool ilb__health_wants_fast(uint64_t word)
{
    ilb_detector by = ilb__health_by(word);

    return by == ILB_DETECTOR_LATENCY || by == ILB_DETECTOR_HANG;
}

/* A slow answer, or none for so long; the sum with it. True: it has ejected the
 * endpoint. */
ILB_INTERNAL bool ilb__health_slow(ilb__judge *j, ilb__slot *slot, bool probe,
                                   const ilb__slowness *s,
                                   const ilb__failing *x, const ilb__figures *f,
                                   uint64_t now_ns);

/* A request got no answer. Of an endpoint that hangs: if it was the last that
 * waits, a probe is due as after any ejection. */
ILB_INTERNAL void ilb__health_gave_up(ilb__judge *j, ilb__slot *slot,
                                      const ilb__figures *f, uint64_t now_ns);

/* Checks that the caller has made say that it is down: so many have failed in a
 * row. True: that has ejected it. The writer's. */
ILB_INTERNAL bool ilb__health_check_down(ilb__judge *j, ilb__slot *slot,
                                         uint32_t n_ready, uint64_t now_ns);

/* They say that it is up, and whether that is news. The writer's. */
ILB_INTERNAL void ilb__health_check_up(ilb__judge *j, ilb__slot *slot,
                                       bool again, uint64_t now_ns);

#endif
