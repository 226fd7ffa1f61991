/* SPDX-License-Identifier: MIT */
/* See latency.h for the formulas. */
#include "signal/latency.h"

#include <string.h>

#include "base/decay.h"

/* Evidence older than this counts e times less than new. Short enough to
 * follow a pod that warms up, long enough for a handful of answers at 5/s. */
#define LATENCY_LEARN_TAU_NS 1e9
/* Not at the median: a bound must not shorten the fading of this. */
#define LATENCY_APART 1.3f
/* The same after a peak, for its first level. */
#define LATENCY_PEAK_TAU_NS 2e8f
#define LATENCY_PEAK_REQUESTS 20.0f
#define LATENCY_PEAK_FIRST_MAX_NS 3e9f
#define LATENCY_PEAK_SHIFT 3
/* Mostly forgotten, and as near to the median as chance alone: the median. */
#define LATENCY_FORGOTTEN 0.5f
#define LATENCY_NEAR 0.1f
#define LATENCY_GAIN_BETTER 0.1f
#define LATENCY_GAIN_WORSE 0.2f
#define LATENCY_GAIN_BLIP 0.5f
#define LATENCY_PEAK_FACTOR 3.0f
#define LATENCY_PEAK_ANEW 2.0f
/* Less than that above the median is the host's scheduler. */
#define LATENCY_PEAK_MARGIN_NS 1e5f
#define LATENCY_ORDINARY_FACTOR 2.0f
#define LATENCY_LEVEL_MAX 15

typedef struct latency_fields {
    float estimate_ns;
    uint32_t level;
} latency_fields;

static uint64_t latency_pack(latency_fields f, uint64_t now_ns)
{
    uint32_t stamp =
        (uint32_t)(now_ns >> ILB_LATENCY_STAMP_SHIFT) & ILB_LATENCY_STAMP_MASK;
    uint32_t bits;

    memcpy(&bits, &f.estimate_ns, sizeof bits);
    return (uint64_t)bits << 32 | f.level << ILB_LATENCY_LEVEL_SHIFT | stamp;
}

static latency_fields latency_unpack(uint64_t word)
{
    uint32_t bits = (uint32_t)(word >> 32);
    latency_fields f;

    memcpy(&f.estimate_ns, &bits, sizeof bits);
    f.level = ilb__latency_level_of(word);
    return f;
}

/* Nanoseconds since the word's stamp. */
static float latency_since_ns(uint64_t word, uint64_t now_ns)
{
    return (float)ilb__latency_ticks(word, now_ns) *
           (float)(1 << ILB_LATENCY_STAMP_SHIFT);
}

static float latency_tau_ns(float estimate_ns, uint32_t level,
                            const ilb__figures *f)
{
    float tau_ns;

    if (level == 0) {
        if (estimate_ns <= ILB_LATENCY_FAR * f->median_ns)
            return ILB_LATENCY_STALE_TAU_NS;
        return ILB_LATENCY_STALE_TAU_NS * ilb__log2(ILB_LATENCY_FAR) /
               ilb__log2(estimate_ns / f->median_ns);
    }
    tau_ns = LATENCY_PEAK_TAU_NS;
    if (f->rate_per_s * tau_ns < LATENCY_PEAK_REQUESTS * 1e9f)
        tau_ns = LATENCY_PEAK_REQUESTS * 1e9f / (f->rate_per_s + 1e-3f);
    if (tau_ns > LATENCY_PEAK_FIRST_MAX_NS)
        tau_ns = LATENCY_PEAK_FIRST_MAX_NS;
    tau_ns *= (float)(UINT64_C(1) << (LATENCY_PEAK_SHIFT * (level - 1)));
    if (tau_ns > f->patience_ns)
        tau_ns = f->patience_ns > LATENCY_PEAK_TAU_NS ? f->patience_ns
                                                      : LATENCY_PEAK_TAU_NS;
    return tau_ns;
}

ILB_INTERNAL float ilb__latency_faded_ns(uint64_t word, const ilb__figures *f,
                                         uint64_t now_ns)
{
    latency_fields l = latency_unpack(word);
    float since_ns, keep, apart_ns;

    if (l.estimate_ns < 0 && -l.estimate_ns > f->median_ns)
        l.estimate_ns = -l.estimate_ns;
    if (l.estimate_ns <= 0)
        return f->median_ns;
    since_ns = latency_since_ns(word, now_ns);
    if (f->median_ns == 0 || since_ns == 0)
        return l.estimate_ns;
    keep = (float)ilb__decay((double)since_ns,
                             (double)latency_tau_ns(l.estimate_ns, l.level, f));
    apart_ns = (l.estimate_ns - f->median_ns) * keep;
    if (keep < LATENCY_FORGOTTEN &&
        (apart_ns < 0 ? -apart_ns : apart_ns) < LATENCY_NEAR * f->median_ns)
        return f->median_ns;
    return f->median_ns + apart_ns;
}

/* Out of the ordinary for the pool, and news of this endpoint? */
static bool latency_is_peak(float sample_ns, float faded_ns,
                            const ilb__figures *f)
{
    float ordinary_ns = f->median_ns > f->p99_ns ? f->median_ns : f->p99_ns;

    return f->median_ns > 0 && sample_ns > LATENCY_PEAK_FACTOR * ordinary_ns &&
           sample_ns > f->median_ns + LATENCY_PEAK_MARGIN_NS &&
           sample_ns > LATENCY_PEAK_ANEW * faded_ns;
}

static uint32_t latency_raised(uint64_t word, uint32_t level, float sample_ns,
                               uint64_t now_ns)
{
    /* Begun before the last answer: the same stall as what that one told. */
    if (level > 0 && sample_ns > latency_since_ns(word, now_ns))
        return level;
    return level < LATENCY_LEVEL_MAX ? level + 1 : level;
}

/* 1 - exp(-dt / 1 s), at least `least`. */
static float latency_gain(float since_ns, float least)
{
    float gain;

    /* 1 - exp(-x) is below x. */
    if (ILB_LIKELY(since_ns <= least * (float)LATENCY_LEARN_TAU_NS))
        return least;
    gain = 1 - (float)ilb__decay((double)since_ns, LATENCY_LEARN_TAU_NS);
    return gain < least ? least : gain;
}

static latency_fields latency_learned(uint64_t word, float sample_ns,
                                      const ilb__figures *f, uint64_t now_ns)
{
    latency_fields l = latency_unpack(word);
    float faded_ns = ilb__latency_of(word, f, now_ns);
    float gain, least;

    if (latency_is_peak(sample_ns, faded_ns, f)) {
        l.level = latency_raised(word, l.level, sample_ns, now_ns);
        l.estimate_ns = sample_ns;
        return l;
    }
    if (l.estimate_ns <= 0) {
        l.estimate_ns = sample_ns;
        l.level = 0;
        return l;
    }
    least = sample_ns < faded_ns ? LATENCY_GAIN_BETTER : LATENCY_GAIN_WORSE;
    if (l.level > 0 && sample_ns <= LATENCY_ORDINARY_FACTOR * f->median_ns)
        least = LATENCY_GAIN_BLIP;
    gain = latency_gain(latency_since_ns(word, now_ns), least);
    l.estimate_ns = faded_ns + (sample_ns - faded_ns) * gain;
    if (sample_ns <= LATENCY_ORDINARY_FACTOR * f->median_ns &&
        l.estimate_ns <= LATENCY_ORDINARY_FACTOR * f->median_ns)
        l.level = 0;
    return l;
}

/* A sample as a float; never 0, which would mean "nothing known". */
static float latency_sample(uint64_t ns)
{
    return ns == 0 ? 1.0f : (float)ns;
}

ILB_INTERNAL float ilb__latency_estimate_ns(const ilb__latency *l)
{
    float ns = latency_unpack(ilb__load_relaxed(&l->word)).estimate_ns;

    return ns > 0 ? ns : 0;
}

ILB_INTERNAL bool ilb__latency_learn(ilb__latency *l, uint64_t sample_ns,
                                     uint32_t first, const ilb__figures *f,
                                     uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&l->word);
    latency_fields next;
    bool peak;

    do {
        next = latency_learned(word, latency_sample(sample_ns), f, now_ns);
        peak = next.level > latency_unpack(word).level;
        if (ILB_UNLIKELY(peak && next.level < first))
            next.level = first;
    } while (!ilb__cas_relaxed(&l->word, &word, latency_pack(next, now_ns)));
    return peak;
}

ILB_INTERNAL void ilb__latency_learn_bound(ilb__latency *l, uint64_t waited_ns,
                                           const ilb__figures *f,
                                           uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&l->word);
    float bound = latency_sample(waited_ns);
    latency_fields next;

    do {
        float faded_ns = ilb__latency_of(word, f, now_ns);

        next = latency_unpack(word);
        if (bound <= faded_ns)
            return;
        if (next.level > 0 && bound > LATENCY_PEAK_ANEW * faded_ns) {
            /* Slow before, and again: how slow, is known from before. */
            next.level = latency_raised(word, next.level, bound, now_ns);
            if (next.estimate_ns >= 0 && next.estimate_ns < bound)
                next.estimate_ns = bound;
            else if (next.estimate_ns < 0 && -next.estimate_ns < bound)
                next.estimate_ns = -bound;
            continue;
        }
        if (latency_is_peak(bound, faded_ns, f) &&
            faded_ns <= LATENCY_APART * f->median_ns)
            next.level = latency_raised(word, next.level, bound, now_ns);
        next.estimate_ns = next.estimate_ns > 0 ? bound : -bound;
    } while (!ilb__cas_relaxed(&l->word, &word, latency_pack(next, now_ns)));
}

ILB_INTERNAL void ilb__latency_forget(ilb__latency *l)
{
    ilb__store_relaxed(&l->word, 0);
}
