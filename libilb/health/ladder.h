/* SPDX-License-Identifier: MIT */
/*
 * How long an ejection lasts.
 *
 *     level  1    2    3    4    5    6    7    8   9 ..
 *            1   1.2  1.2  1.4  1.6  1.8  2.8  2.8   4 base, +-10 % at random,
 *                                            so that callers do not return
 *                                            together
 *
 * but with few requests so long that a probe is at most one in 150 (level 1),
 * 300 (2), 450 (3 ..) of them; at most max. Who fails again soon after its
 * return, when its probe was good, goes up by three levels, to 9 at most: its
 * probes say little, as those of one that fails now and then or flaps. With the
 * base of 5 s a fault of a minute costs seven probes, each of which may fail,
 * then three a minute, and the endpoint is back within 15 s, later 22 s, of
 * healing. Doubling, as Finagle does it, or 30 s more each time, as Envoy,
 * costs fewer probes but returns as long after healing as the fault lasted.
 *
 * Whoever was ejected as it is slow is tried at most once in 1000 requests
 * (level 1), 2000 (2), 3000 (3), 4000 (4 ..), but within 30 s; and never before
 * the base, whatever the level: a slow answer costs its caller more than a
 * failure that can be sent again, but no request is lost.
 *
 * An endpoint that says when to come back (Retry-After) is EJECTED until then,
 * and up to a tenth longer, at the level that it has: it is not at fault. Its
 * probe may be refused again; then that takes the base, at the same level.
 *
 * Checks that the caller makes (signal/checks.h) eject and return an endpoint
 * at the level that it has as well; while they fail, no probe is due.
 *
 * Where a balancer fails closed and is closed (ilb_options.fail_mode), requests
 * are lost anyway: there few requests make no ejection longer.
 */
#ifndef ILB_HEALTH_LADDER_H
#define ILB_HEALTH_LADDER_H

#include "health/word.h"

/* Up to a tenth more than asked for. */
ILB_INTERNAL uint64_t ilb__ladder_longer_ns(uint64_t ns, uint32_t bits);

/* Ejects, from WARMING, HEALTHY or PROBING; its place under the cap is taken.
 */
ILB_INTERNAL void ilb__ladder_eject(const ilb__judge *j, ilb__word *h,
                                    ilb_detector by, const ilb__failing *x,
                                    const ilb__figures *f, uint64_t now_ns);

#endif
