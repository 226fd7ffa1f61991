/* SPDX-License-Identifier: MIT */
/*
 * The detectors: what is said against an endpoint, in the detector's own unit.
 * They only say; eject.c acts, once for all of them.
 *
 *     consecutive_failures  so many in a row, unless everyone fails a quarter
 *     failure_percentage    broken >= 16 nats (signal/evidence.h): a false
 *                           alarm once in e^16 = 9 million requests;
 *                           >= 5 while WARMING after an ejection: one failure,
 *                           in a clean pool
 *     success_rate          faulty >= 18: once in 66 million; it looks at many
 *                           more, correlated ones
 *     latency               slowness >= 16 (signal/slowness.h), from four slow
 *                           answers or more, no two of them in flight together;
 *                           two if it was ejected of late
 *     hang                  see sweep.h
 *     retry_after           it asks to be left alone; ilb_result says how long
 *     probe                 the caller's own checks (signal/checks.h)
 *
 * For the three sums up to 8 more, by the share of endpoints that are ejected
 * already: many at once are rather one cause than many faults; and half of that
 * while the level is above 0: it has been ejected of late.
 *
 * Nobody is ejected for being slow
 *   - as long as it may be warming up: for a minute after it came or came back;
 *     for ten seconds if it came with the first list, as it has most likely
 * been there before its caller;
 *   - while the others need it, slow as it is: while it still has a tenth of
 *     the requests that an endpoint has in the mean. The score would give those
 *     to others if these were faster, with their queues;
 *   - while the others suffer from the ejections that there are (pool.h).
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

/* What slow answers show of an endpoint in this state. True: *v is the verdict,
 * not yet heard. */
ILB_INTERNAL bool ilb__detect_latency(const ilb__judge *j,
                                      const ilb__slot *slot, uint64_t health,
                                      const ilb__slowness *s, uint32_t n_ready,
                                      ilb__verdict *v, uint64_t now_ns);

/* Do the others need it, slow as it is? */
ILB_INTERNAL bool ilb__detector_needs(const ilb__slot *slot,
                                      const ilb__figures *f);

/* What a failure shows of an endpoint in this state. True: v is the verdict
 * that ejects it, for all the cap allows. Those in shadow are noted. */
ILB_INTERNAL bool ilb__detect_failures(const ilb__judge *j, ilb__slot *slot,
                                       uint64_t health, const ilb__failing *x,
                                       const ilb__figures *f, ilb__verdict *v,
                                       uint64_t now_ns);

#endif
