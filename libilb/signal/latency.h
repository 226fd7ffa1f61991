/* SPDX-License-Identifier: MIT */
/*
 * The latency estimate of one endpoint: a peak-sensitive EWMA.
 *
 * Values: nanoseconds; the estimate is a 32-bit float (7 digits), its stamp
 * counts 2^20 ns (about a millisecond) in 32 bits, together one 64-bit word
 * that is replaced by one CAS. An estimate of 0 means that nothing is known.
 * A stamp wraps after 52 days: an estimate that old reads as fresh until the
 * next answer, no more.
 *
 * Learning, from an answer that took x:
 *
 *     estimate += g (x - estimate),  g = 1 - exp(-dt / 1 s),  and at least
 *         0.1  if x is better,
 *         0.3  if x is worse,
 *         1    if x > 3 max(estimate, reference): a peak.
 *
 * Reading, at any time, writes nothing:
 *
 *     L = reference + (estimate - reference) exp(-dt / 5 s)
 *
 * where dt is the time since the last answer and the reference is the median
 * of all endpoints' estimates: what is stale means "as the others". However
 * high a peak, 15 s take it below twice the reference: above 20 times that,
 * the time constant is 5 s log(20) / log(estimate / reference).
 *
 * Of an endpoint that never gave a good answer only a bound may be known: that
 * one would have taken longer. It is kept with a negative sign. It can put the
 * endpoint above the reference, never below; it is no estimate for the median,
 * and the first good answer replaces it. Else whoever fails first, and fast,
 * would be the fastest known.
 *
 * Source: the peak EWMA of Finagle (loadbalancer/PeakEwma.scala) and tower
 * (load/peak_ewma.rs). Where we differ, and why:
 *   - there, each read decays the estimate towards 0 and stamps it, so that
 *     under load it becomes a discounted maximum (after one second's stall on
 *     a 2 ms endpoint it takes no traffic for a minute) and an idle endpoint
 *     becomes ever cheaper. Here good answers bring a peak down, and time
 *     brings it to the median;
 *   - there, any end of a request is a sample: a failure in 1 ms is a fast
 *     answer. Here a request without a good answer only ever raises the
 *     estimate: the time it took is a lower bound (ilb__latency_learn_bound);
 *   - an ordinary slow answer moves the estimate by a part of the difference
 *     only, so that spread among equal endpoints does not look like a peak.
 */
#ifndef ILB_SIGNAL_LATENCY_H
#define ILB_SIGNAL_LATENCY_H

#include "base/atomics.h"

typedef struct ilb__latency {
    ilb__a64 word;
} ilb__latency;

/* The estimate, not faded; 0: nothing but a bound is known, or nothing. */
ILB_INTERNAL float ilb__latency_estimate_ns(const ilb__latency *l);

/* What the estimate is worth now. `reference_ns` 0: nothing known of the
 * others either; then the estimate stands as it is. */
ILB_INTERNAL float ilb__latency_read_ns(const ilb__latency *l,
                                        float reference_ns, uint64_t now_ns);

/* A good answer took `sample_ns`. */
ILB_INTERNAL void ilb__latency_learn(ilb__latency *l, uint64_t sample_ns,
                                     float reference_ns, uint64_t now_ns);

/* A request that got no good answer took `waited_ns`: an answer would have
 * taken longer. */
ILB_INTERNAL void ilb__latency_learn_bound(ilb__latency *l, uint64_t waited_ns,
                                           float reference_ns, uint64_t now_ns);

#endif
