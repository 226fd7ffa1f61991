/* SPDX-License-Identifier: MIT */
/*
 * Do endpoints get more than they can serve? Seen before anyone gives up
 * waiting, which may be long after: a deadline.
 *
 * What is in flight to each, q, is looked at by turns while it is long, above a
 * limit that the caller sets. One turn is over when twice as many requests have
 * ended as were in flight when it began; the first when as many have as are
 * now, or twice the limit. Where capacity is short by a share x, q grows by 2 x
 * with each turn, for ever. Where all have become slower, for a reason that
 * they share, q grows too, but only until the first of the slow ones end. So q
 * grows if, from the second turn on, after half of one at least, there are
 *
 *     20 %, and 4 sqrt(2 q n) of q n, more     n endpoints
 *
 * (what is in flight to servers that have room varies by sqrt(q n)).
 *
 * Then less is sent there, and when four times as many have ended as are still
 * in flight, the test of the diagnosis is whether as much is served: a server
 * that was full is still full. If fewer than 70 % are, in the time in which 100
 * were before at least, it was no queue, and nothing is called one until q has
 * been short again. (Little's law; adaptive concurrency limits, as
 * Netflix's and Envoy's, make a similar experiment with latency.)
 */
#ifndef ILB_HEALTH_QUEUE_H
#define ILB_HEALTH_QUEUE_H

#include "base/atomics.h"

typedef struct ilb__queue {
    ilb__a64 turn; /* q when it began, 0 in the first, and how many have ended
                      since, an endpoint: two floats */
    ilb__a64 pace; /* seconds of the turn, and how many ended in each, before
                      less was sent: two floats */
} ilb__queue;

/* One look. */
typedef struct ilb__flow {
    float in_flight, ended; /* an endpoint; ended since the last look */
    float since_s;
    uint32_t n; /* endpoints */
} ilb__flow;

/* Does it grow beyond `most`? At or below `few` it is short again. */
ILB_INTERNAL bool ilb__queue_grows(ilb__queue *q, const ilb__flow *f, float few,
                                   float most);

/* Since it grew less has been sent: in vain? */
ILB_INTERNAL bool ilb__queue_in_vain(ilb__queue *q, const ilb__flow *f);

/* It is short, or nothing of it is known. */
ILB_INTERNAL void ilb__queue_forget(ilb__queue *q);

#endif
