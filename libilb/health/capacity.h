/* SPDX-License-Identifier: MIT */
/*
 * Can the others carry what an endpoint serves? Asked by those detectors that
 * would eject one which still answers: of latency (slow.h), and of Retry-After
 * (eject.h), where an endpoint refuses some of its requests and asks to be left
 * alone. One that fails is not asked about: the others carry its load already.
 *
 *   nothing   Who has refused four times in a row, each time after it was held
 *             back (signal/refusals.h), and answered none in between, carries
 *             nothing: nobody needs it.
 *   suffer    While the others suffer from the ejections that there are
 *             (overloaded, pool.h), they cannot.
 *   latency   They cannot while it has a tenth of the requests, for its weight,
 *             that an endpoint has, where endpoints are chosen by what they
 *             cost: slow.h says why. Of more than 63 endpoints this is known of
 *             those that are surveyed.
 *   asked     Who asks has had its full share until a moment ago: that says
 *             nothing, nor do the others yet, and once they suffer it is too
 *             late, as an endpoint is left alone for as long as it asked. So
 *             one alone may, and others while with them at most one in eight
 *             is ejected, by whichever detector: of 75 % load that makes 86 %.
 *             Where nothing is known of the load yet, all may.
 *
 * Who is refused so is told with ILB_REASON_CAPACITY. Whoever asked is held
 * back as if it had not: until then, others that have just been asked the same
 * would be better, and the last that has not would have all the load.
 */
#ifndef ILB_HEALTH_CAPACITY_H
#define ILB_HEALTH_CAPACITY_H

#include "health/health.h"

/* What is asked of an endpoint that still answers. */
typedef struct ilb__demand {
    ilb_detector by; /* ILB_DETECTOR_LATENCY or _RETRY_AFTER */
    uint32_t n_ready;
    float served; /* ilb__survey_served; for latency */
} ilb__demand;

/* Is it needed, so that it must not be ejected? */
ILB_INTERNAL bool ilb__capacity_needs(const ilb__judge *j,
                                      const ilb__slot *slot,
                                      const ilb__demand *d,
                                      const ilb__figures *f);

#endif
