/* SPDX-License-Identifier: MIT */
/*
 * The latency estimate of one endpoint: a peak-sensitive EWMA.
 *
 * Values: nanoseconds; the estimate is a 32-bit float (7 digits), its stamp
 * counts 2^20 ns (about a millisecond) in 28 bits, its level has 4 bits:
 * together one 64-bit word that is replaced by one CAS. An estimate of 0 means
 * that nothing is known. A stamp wraps after 3.26 days: what was learned just
 * so long ago, or twice, is believed once more until it has faded again, or
 * until the next answer.
 *
 * The reference m is the median of all endpoints' estimates, p99 is of all
 * answers of late (health/pool.h).
 *
 * Reading, at any time, writes nothing:
 *
 *     L = m + (estimate - m) exp(-dt / tau)
 *
 * where dt is the time since the last answer: what is stale means "as the
 * others": when it is forgotten by half and within 10 % of m it is m, as with
 * few requests the last hundredth would still decide who gets all of them. tau
 * is 5 s (above 20 m: 5 s log 20 / log(estimate / m)), but after a peak the
 * time of 20 requests, 0.2 to 3 s, x 8^(level - 1), at most `patience`: a lone
 * blip costs an endpoint seconds; one that is slow each time it is tried again
 * is tried ever less.
 *
 * Learning, from an answer that took x:
 *
 *     peak, x > 3 max(m, p99), m + 0.1 ms and 2 L:   estimate = x; the level
 *         rises by one, if the request began after the last answer (what was
 *         in flight together is one observation), but of an endpoint that has
 *         more peaks than its peers to the second or third (signal/peaks.h);
 *         the 0.1 ms are what a host's scheduler may add to any answer;
 *     else   estimate = L + g (x - L),   g = 1 - exp(-dt / 1 s), at least
 *         0.1 if x is better, 0.2 if it is worse,
 *         0.5 if x <= 2 m and the level is above 0: it was a blip; the level
 *         ends when the estimate is at 2 m.
 *
 * A bound, from a request that failed or was given up, does not raise the level
 * from 0 if L is above 1.3 m: what was known must not fade sooner for it.
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
 *   - there, whatever is above the estimate is a peak, so that spread among
 *     equal endpoints is taken for one. Here a peak is what is out of the
 *     ordinary for the whole pool.
 */
#ifndef ILB_SIGNAL_LATENCY_H
#define ILB_SIGNAL_LATENCY_H

#include "base/decay.h"
#include "base/floats.h"
#include "signal/figures.h"

/* After so many peaks in a row a request is a trial (select/score.h). */
#define ILB_LATENCY_TRIAL_LEVEL 3

#define ILB_LATENCY_STAMP_SHIFT 20
#define ILB_LATENCY_LEVEL_SHIFT 28
#define ILB_LATENCY_STAMP_MASK ((UINT32_C(1) << ILB_LATENCY_LEVEL_SHIFT) - 1)
/* How far behind another thread's clock reading may be, ILB_CLOCK_SKEW_NS. */
#define ILB_LATENCY_SKEW_TICKS 2048

typedef struct ilb__latency {
    ilb__a64 word;
} ilb__latency;

/* Units of the stamp since that of the word. */
static inline uint32_t ilb__latency_ticks(uint64_t word, uint64_t now_ns)
{
    uint32_t ticks =
        ((uint32_t)(now_ns >> ILB_LATENCY_STAMP_SHIFT) - (uint32_t)word) &
        ILB_LATENCY_STAMP_MASK;

    return ILB_UNLIKELY(ticks > ILB_LATENCY_STAMP_MASK - ILB_LATENCY_SKEW_TICKS)
               ? 0
               : ticks;
}

/* The estimate, not faded; 0: nothing but a bound is known, or nothing. */
ILB_INTERNAL float ilb__latency_estimate_ns(const ilb__latency *l);

static inline uint32_t ilb__latency_level_of(uint64_t word)
{
    return (uint32_t)word >> ILB_LATENCY_LEVEL_SHIFT;
}

/* Peaks in a row: above 0, the endpoint has not proved itself since. */
static inline uint32_t ilb__latency_level(const ilb__latency *l)
{
    return ilb__latency_level_of(ilb__load_relaxed(&l->word));
}

/* What the estimate is worth now. Without a median, nothing is known of the
 * others either; then the estimate stands as it is. */
ILB_INTERNAL float ilb__latency_faded_ns(uint64_t word, const ilb__figures *f,
                                         uint64_t now_ns);

/* How long what was learned is trusted without new answers, but not of more
 * than so many times the median. */
#define ILB_LATENCY_STALE_TAU_NS 5e9f
#define ILB_LATENCY_FAR 20.0f
/* For so many units of the stamp exp() is simple: 1.68 s. */
#define ILB_LATENCY_SOON_TICKS 1600

/* The same, without a call for what was learned of late and is ordinary. */
static inline float ilb__latency_of(uint64_t word, const ilb__figures *f,
                                    uint64_t now_ns)
{
    float estimate_ns = ilb__floats_high(word), since_ns;
    uint32_t ticks = ilb__latency_ticks(word, now_ns);

    if (ILB_UNLIKELY(estimate_ns <= 0))
        return ilb__latency_faded_ns(word, f, now_ns);
    if (ticks == 0 || f->median_ns == 0)
        return estimate_ns;
    if (ILB_UNLIKELY(ilb__latency_level_of(word) != 0 ||
                     ticks > ILB_LATENCY_SOON_TICKS ||
                     estimate_ns > ILB_LATENCY_FAR * f->median_ns))
        return ilb__latency_faded_ns(word, f, now_ns);
    since_ns = (float)ticks * (float)(1 << ILB_LATENCY_STAMP_SHIFT);
    return f->median_ns +
           (estimate_ns - f->median_ns) *
               (float)ilb__exp_near_0((double)since_ns *
                                      (-1 / (double)ILB_LATENCY_STALE_TAU_NS));
}

static inline float ilb__latency_read_ns(const ilb__latency *l,
                                         const ilb__figures *f, uint64_t now_ns)
{
    return ilb__latency_of(ilb__load_relaxed(&l->word), f, now_ns);
}

/* A good answer took `sample_ns`. If it raises the level, then to `first` at
 * least, from 1 (signal/peaks.h). True: it was such a peak. */
ILB_INTERNAL bool ilb__latency_learn(ilb__latency *l, uint64_t sample_ns,
                                     uint32_t first, const ilb__figures *f,
                                     uint64_t now_ns);

/* A request that got no good answer took `waited_ns`: an answer would have
 * taken longer. */
ILB_INTERNAL void ilb__latency_learn_bound(ilb__latency *l, uint64_t waited_ns,
                                           const ilb__figures *f,
                                           uint64_t now_ns);

/* The endpoint returns as a newcomer: nothing is known. */
ILB_INTERNAL void ilb__latency_forget(ilb__latency *l);

#endif
