/* SPDX-License-Identifier: MIT */
/* See latency.h for the formulas. */
#include "signal/latency.h"

#include <string.h>

#include "base/decay.h"

/* Evidence older than this counts e times less than new. Short enough to
 * follow a pod that warms up, long enough for a handful of answers at 5/s. */
#define LATENCY_LEARN_TAU_NS 1e9
/* How long what was learned is trusted without new answers. With 5 s an
 * endpoint that was 10x slower is tried again after about 10 s. */
#define LATENCY_STALE_TAU_NS 5e9
/* A peak of more than this many times the reference fades faster; the second
 * is its ilb__log2_about. */
#define LATENCY_FAR 20.0f
#define LATENCY_FAR_LOG2 4.25f
#define LATENCY_GAIN_BETTER 0.1
#define LATENCY_GAIN_WORSE 0.3
#define LATENCY_PEAK_FACTOR 3.0f

#define LATENCY_STAMP_SHIFT 20

static uint64_t latency_pack(float estimate_ns, uint64_t now_ns)
{
    uint32_t bits;

    memcpy(&bits, &estimate_ns, sizeof bits);
    return (uint64_t)bits << 32 | (uint32_t)(now_ns >> LATENCY_STAMP_SHIFT);
}

static float latency_unpack(uint64_t word)
{
    uint32_t bits = (uint32_t)(word >> 32);
    float estimate_ns;

    memcpy(&estimate_ns, &bits, sizeof estimate_ns);
    return estimate_ns;
}

/* Nanoseconds since the word's stamp; none if the clock went back, which
 * shows as a difference in the upper half of the circle. */
static double latency_since_ns(uint64_t word, uint64_t now_ns)
{
    uint32_t ticks = (uint32_t)(now_ns >> LATENCY_STAMP_SHIFT) - (uint32_t)word;

    return ticks > UINT32_MAX / 2
               ? 0
               : (double)ticks * (double)(1 << LATENCY_STAMP_SHIFT);
}

static double latency_stale_tau_ns(float estimate_ns, float reference_ns)
{
    float ratio = estimate_ns / reference_ns;

    if (ratio <= LATENCY_FAR)
        return LATENCY_STALE_TAU_NS;
    return LATENCY_STALE_TAU_NS *
           (double)(LATENCY_FAR_LOG2 / ilb__log2_about(ratio));
}

static float latency_faded(uint64_t word, float reference_ns, uint64_t now_ns)
{
    float estimate_ns = latency_unpack(word);
    double since_ns;

    if (estimate_ns < 0 && -estimate_ns > reference_ns)
        estimate_ns = -estimate_ns;
    if (estimate_ns <= 0)
        return reference_ns;
    since_ns = latency_since_ns(word, now_ns);
    if (reference_ns == 0 || since_ns == 0)
        return estimate_ns;
    return reference_ns +
           (estimate_ns - reference_ns) *
               (float)ilb__decay(
                   since_ns, latency_stale_tau_ns(estimate_ns, reference_ns));
}

static float latency_learned(uint64_t word, float sample_ns, float reference_ns,
                             uint64_t now_ns)
{
    float estimate_ns = latency_unpack(word);
    float high = estimate_ns > reference_ns ? estimate_ns : reference_ns;
    double gain, least;

    if (estimate_ns <= 0 || sample_ns > LATENCY_PEAK_FACTOR * high)
        return sample_ns;
    least = sample_ns < estimate_ns ? LATENCY_GAIN_BETTER : LATENCY_GAIN_WORSE;
    gain = 1 - ilb__decay(latency_since_ns(word, now_ns), LATENCY_LEARN_TAU_NS);
    if (gain < least)
        gain = least;
    return estimate_ns + (sample_ns - estimate_ns) * (float)gain;
}

/* A sample as a float; never 0, which would mean "nothing known". */
static float latency_sample(uint64_t ns)
{
    return ns == 0 ? 1.0f : (float)ns;
}

ILB_INTERNAL float ilb__latency_estimate_ns(const ilb__latency *l)
{
    float estimate_ns = latency_unpack(ilb__load_relaxed(&l->word));

    return estimate_ns > 0 ? estimate_ns : 0;
}

ILB_INTERNAL float ilb__latency_read_ns(const ilb__latency *l,
                                        float reference_ns, uint64_t now_ns)
{
    return latency_faded(ilb__load_relaxed(&l->word), reference_ns, now_ns);
}

ILB_INTERNAL void ilb__latency_learn(ilb__latency *l, uint64_t sample_ns,
                                     float reference_ns, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&l->word);
    float next;

    do {
        next = latency_learned(word, latency_sample(sample_ns), reference_ns,
                               now_ns);
    } while (!ilb__cas_relaxed(&l->word, &word, latency_pack(next, now_ns)));
}

ILB_INTERNAL void ilb__latency_learn_bound(ilb__latency *l, uint64_t waited_ns,
                                           float reference_ns, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&l->word);
    float bound = latency_sample(waited_ns);
    float next;

    do {
        if (bound <= latency_faded(word, reference_ns, now_ns))
            return;
        next = latency_unpack(word) > 0 ? bound : -bound;
    } while (!ilb__cas_relaxed(&l->word, &word, latency_pack(next, now_ns)));
}
