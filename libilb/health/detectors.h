/* SPDX-License-Identifier: MIT */
/*
 * The detectors: what is said against an endpoint, in the detector's own unit.
 * They only say; eject.c acts, once for all of them.
 *
 * Of failures (signal/evidence.h has the sums; thresholds in nats), here:
 *
 *     consecutive_failures  so many in a row, unless everyone fails a quarter
 *     failure_percentage    broken >= 16: a false alarm once in e^16 = 9
 *                           million requests;
 *                           >= 5 while WARMING after an ejection: one failure,
 *                           in a clean pool
 *     success_rate          faulty >= 18: once in 66 million; it looks at many
 *                           more, correlated ones
 *
 * Others:
 *
 *     latency               slowness >= 16 (slow.h)
 *     hang                  requests wait in vain, for 2 s or more (sweep.h)
 *     retry_after, probe    eject.h
 *
 * up to 8 more for the three sums, by the share of endpoints that are ejected
 * already: many at once are rather one cause than many faults; half of that
 * while the level is above 0: it has been ejected of late.
 *
 * A detector that is off is not asked. One in shadow is asked and counted as
 * detected, and somebody else's verdict decides.
 */
#ifndef ILB_HEALTH_DETECTORS_H
#define ILB_HEALTH_DETECTORS_H

#include "health/health.h"

/* Is that a verdict to act on? One in shadow is noted. */
ILB_INTERNAL bool ilb__detector_heard(const ilb__judge *j, ilb__slot *slot,
                                      const ilb__verdict *v, uint64_t now_ns);

/* Up to 8 nats more evidence, by the share of endpoints that are ejected; in
 * 1/256. */
ILB_INTERNAL uint32_t ilb__detectors_more(const ilb__judge *j,
                                          uint32_t n_ready);

/* What a failure shows of an endpoint in this state. True: v is the verdict
 * that ejects it, for all the cap allows. Those in shadow are noted. */
ILB_INTERNAL bool ilb__detect_failures(const ilb__judge *j, ilb__slot *slot,
                                       uint64_t health, const ilb__failing *x,
                                       const ilb__figures *f, ilb__verdict *v,
                                       uint64_t now_ns);

#endif
