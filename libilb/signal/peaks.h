/* SPDX-License-Identifier: MIT */
/*
 * Whether an endpoint's answers are peaks (signal/latency.h) more often than
 * its peers' are: a cumulative sum of log-likelihood ratios (E. S. Page's
 * CUSUM, 1954), kept from 0 to 10 nats.
 *
 *     a peak:          + ln 10
 *     another answer:  - 3 ln 10 s, but at least 0.01
 *
 *   s  the share of peaks among the answers of all endpoints, of late (two
 *      minutes; before any, 1 in 1000 is taken as seen).
 *
 * So it rises for who has more than three times the peaks of all, and than 1 in
 * 230, and falls for the others: also where everybody's answers have peaks.
 * What was in flight together is one peak.
 *
 * A single peak is forgotten as soon as ordinary answers follow: that is a
 * stop, and the endpoint gets its share back. Of an endpoint with 2 % of peaks
 * ordinary answers prove nothing. So where the sum was at 2 nats already, the
 * next peak begins at the second level, and at 4.3 nats at the third: the
 * endpoint is left alone eight, and 64 times, as long after it.
 *
 * The word of an endpoint without peaks is 0 and is not written.
 *
 * Source: none that we know of. tower and Finagle remember every peak for 10 s
 * and more, and so avoid such an endpoint, but also one that stopped once.
 */
#ifndef ILB_SIGNAL_PEAKS_H
#define ILB_SIGNAL_PEAKS_H

#include "base/atomics.h"

/* Of all endpoints. */
typedef struct ilb__peaks_of_all {
    ilb__a32 n;     /* ever; wraps */
    ilb__a32 seen;  /* of these, what is in the tally */
    ilb__a64 tally; /* peaks and answers of late: two floats */
} ilb__peaks_of_all;

/* The level at which the next peak of an endpoint begins. */
ILB_INTERNAL uint32_t ilb__peaks_level(uint32_t sum);

/* An answer came: was it a peak? */
ILB_INTERNAL void ilb__peaks_learn(ilb__a32 *sum, bool peak,
                                   ilb__peaks_of_all *all);

/* Brings the tally up to date: so many answers more. `keep` of what was there
 * is left. For one thread at a time. */
ILB_INTERNAL void ilb__peaks_refresh(ilb__peaks_of_all *all, float answers,
                                     float keep);

#endif
