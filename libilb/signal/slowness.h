/* SPDX-License-Identifier: MIT */
/*
 * Evidence that an endpoint is much slower than its peers: a cumulative sum
 * (E. S. Page's CUSUM, 1954) of how far its answers are above four times the
 * peers' median. In units of
 *
 *     u = max(m, (m + margin) / 4)     m: the median of all endpoints'
 *                                      estimates, which has their queues in it;
 *                                      the margin is an option, 20 ms
 *
 *     an answer that took x:           sum + 0.257 (min(x / u, 12) - 4)
 *     none, given up after x >= 3 u:   sum + 0.257 min(x / u, 8)
 *
 * and never below 0. It is the log-likelihood ratio, in nats, of "answers take
 * 7 u in the mean" against "2.5 u", exponential ones, and what that comes to
 * for one that was not waited for. As it is linear, only the mean counts: it
 * falls for every endpoint of a mean below 4 u, however its answers are spread
 * (a zone that is 2.5 times slower, by 0.39 an answer; peers, by 0.77: also
 * where a few requests are heavy, as m is a mean and has them in it), and rises
 * for one above (5 u: by up to 0.26, 20 u: 2.05). So a threshold h is a false
 * alarm once in e^h answers, at most, of an endpoint 2.5 times slower (G.
 * Lorden 1971); and as one answer adds 2.05 at most, 16 nats are eight answers.
 *
 * What was in flight together is one observation: only a request that began
 * after the last one that counted had ended counts. One stop, whatever it holds
 * up, adds once.
 *
 * An answer that takes more than 1.5 times the p99 of all answers, and than 4
 * u, counts as 12 u: of a healthy endpoint less than one in a hundred
 * does, 2.05 nats are "one in thirteen". Where answers are alike this tells one
 * that is five times slower in eight of them. (Those of a slow zone are in the
 * p99.)
 *
 * A request of several times the ordinary cost counts by what an ordinary one
 * would have taken (signal/cost.h).
 *
 *   bits  0..15  the sum, in 1/256
 *   bits 16..23  observations that it is made of; 255: or more
 *   bits 24..63  when the last of them ended, in 2^16 ns, on a circle
 *
 * The word of an endpoint that is not slow is 0 and is not written.
 *
 * Envoy and others eject by failures only; a slow endpoint is left to the load
 * balancing there.
 */
#ifndef ILB_SIGNAL_SLOWNESS_H
#define ILB_SIGNAL_SLOWNESS_H

#include "signal/figures.h"

/* From so many u on an answer speaks against an endpoint, u >= m. */
#define ILB_SLOWNESS_FACTOR 4.0f
/* More than this says no more. */
#define ILB_SLOWNESS_MOST 12.0f
/* Given up before that, it says nothing. */
#define ILB_SLOWNESS_GIVEN_UP 3.0f

typedef struct ilb__slowness {
    uint32_t sum; /* in 1/256 */
    uint32_t n;   /* observations that it is made of */
} ilb__slowness;

/* One request: how long it took or, not answered, waited. */
typedef struct ilb__wait {
    float units; /* of u */
    bool answered;
    uint64_t began_ns;
} ilb__wait;

/* u; 0: unknown. */
static inline float ilb__slowness_unit_ns(const ilb__figures *f,
                                          uint64_t margin_ns)
{
    float ns = (f->median_ns + (float)margin_ns) / ILB_SLOWNESS_FACTOR;

    return f->median_ns == 0 || ns < f->median_ns ? f->median_ns : ns;
}

/* Could an answer that took so long, of an endpoint with this word, change it?
 * For ilb_done: most cannot. */
static inline bool ilb__slowness_concerns(const ilb__a64 *word, uint64_t ns,
                                          const ilb__figures *f)
{
    return ILB_UNLIKELY(ilb__load_relaxed(word) != 0) ||
           ILB_UNLIKELY((float)ns > ILB_SLOWNESS_FACTOR * f->median_ns);
}

/* One more. True: it speaks against the endpoint, and *s is the sum with it. */
ILB_INTERNAL bool ilb__slowness_add(ilb__a64 *word, const ilb__wait *w,
                                    uint64_t now_ns, ilb__slowness *s);

#endif
