/* SPDX-License-Identifier: MIT */
/*
 * What happens to the endpoints that are left when others are ejected.
 *
 * While at most one in eight is ejected, what is in flight to an eligible
 * endpoint and what it takes are remembered, decaying over 10 s: that is calm.
 * (Over 100 s where twice as much is in flight: what comes before an ejection
 * is no calm.)
 *
 * They suffer: both are above 1.3 times what they were, or those that are left
 * fail 10 % themselves. Then the least bad of the ejected may be chosen at
 * their price.
 *
 * They are full: more than one in eight is ejected or silent (without a good
 * answer for a second, and be it that an aperture leaves it out), half of the
 * others at least answer, but with more in flight to each than there is room
 * for, three times what was usual (four at least), 5 % of their requests fail,
 * or with four times that it still grows (queue.h): their queues are so long
 * that callers give up, or soon will, and what they serve at last nobody waits
 * for any more. Sent there, what is too much loses nearly all;
 * sent to the ejected ones, only itself. So until there is less than half of
 * that in flight, endpoints with so many get no more while any ejected one is
 * left to take the rest. (Envoy's panic threshold, but by load, not by count;
 * the SRE book's client throttling without refusing anyone.)
 */
#ifndef ILB_HEALTH_OVERLOAD_H
#define ILB_HEALTH_OVERLOAD_H

#include "health/queue.h"
#include "health/survey.h"

typedef struct ilb__crowd {
    const ilb__survey *survey;
    uint32_t n, n_ejected; /* of all that are ready */
    float median_ns;       /* what an eligible one takes */
    float p0;              /* share that healthy ones fail */
    double since_s;        /* since the last look */
} ilb__crowd;

/* Do they suffer? `calm`, two floats: in flight and ns; 0: not known yet. */
ILB_INTERNAL bool ilb__overload_suffer(ilb__a64 *calm, const ilb__crowd *c);

/* Are they full? `was`: as they were at the last look. */
ILB_INTERNAL bool ilb__overload_full(const ilb__a64 *calm, ilb__queue *queue,
                                     bool was, const ilb__crowd *c);

/* How many there is room for in flight to one. */
ILB_INTERNAL float ilb__overload_room(const ilb__a64 *calm);

#endif
