/* SPDX-License-Identifier: MIT */
/* See score.h for the formula. */
#include "select/score.h"

#define SCORE_FAILURE_PRICE 10.0f
#define SCORE_MEDIAN_MIN_NS 20000.0f
#define SCORE_ENOUGH 1.2f
#define SCORE_ENOUGH_SCARCE 0.3f
#define SCORE_ENOUGH_Q 0.3f
/* A share of failures up to so many times the healthy peers' is noise. */
#define SCORE_NOISE 2.0f
/* Squared: 1.4 standard deviations. */
#define SCORE_FITS_CHANCE 2.0f
#define SCORE_FITS_PRICE 2.0f
#define SCORE_SUSPECT_BROKEN (3 * ILB_EVIDENCE_ONE)

ILB_INTERNAL float ilb__score_latency_ns(const ilb__slot *slot, uint64_t load,
                                         const ilb__figures *f, uint64_t now_ns)
{
    float latency_ns = ilb__latency_read_ns(&slot->latency, f, now_ns);
    float age_ns = (float)ilb__score_age_ns(slot, load, f, now_ns);

    return age_ns > latency_ns ? age_ns : latency_ns;
}

static float score_median_ns(const ilb__figures *f)
{
    return f->median_ns > SCORE_MEDIAN_MIN_NS ? f->median_ns
                                              : SCORE_MEDIAN_MIN_NS;
}

ILB_INTERNAL void ilb__score_prepare(ilb__score_context *c)
{
    const ilb__figures *f = &c->figures;

    c->hang_ns = ilb__figures_hang_ns(f);
    c->enough = f->aperture == UINT32_MAX
                    ? SCORE_ENOUGH * (1 + SCORE_ENOUGH_Q * f->in_flight)
                    : SCORE_ENOUGH_SCARCE;
    c->enough *= score_median_ns(f);
    c->plain = c->latency && c->weight_scale == 0 && c->slow_start_ns == 0 &&
               f->room == 0;
}

/* The last request failed, and that says something against this endpoint. */
static bool score_suspect(const ilb__slot *slot)
{
    return ilb__failures_in_a_row(&slot->failures) > 0 &&
           ilb__evidence_read(&slot->evidence).broken >= SCORE_SUSPECT_BROKEN;
}

/* Nothing is held against it any more, but it was ejected, or refused. */
static ilb_trial score_of_late(const ilb__slot *slot, uint64_t health,
                               uint64_t now_ns)
{
    if (ilb__health_of_late(health))
        return ILB_TRIAL_RETURNED;
    return ilb__refusals_lately(&slot->refusals, now_ns) ? ILB_TRIAL_REFUSED
                                                         : ILB_TRIAL_NOT;
}

ILB_INTERNAL ilb_trial ilb__score_trial_of(const ilb__slot *slot,
                                           uint64_t health,
                                           const ilb__score_context *c)
{
    if (ilb__health_untried(health))
        return ILB_TRIAL_UNTRIED;
    if (ilb__latency_level(&slot->latency) >= ILB_LATENCY_TRIAL_LEVEL)
        return ILB_TRIAL_SLOW;
    if (ILB_LIKELY(ilb__load_relaxed(&slot->evidence) == 0))
        return score_of_late(slot, health, c->now_ns);
    if (score_suspect(slot))
        return ILB_TRIAL_SUSPECT;
    return ilb__evidence_is_trial(&slot->evidence)
               ? ILB_TRIAL_FAILING
               : score_of_late(slot, health, c->now_ns);
}

/* Of what is in flight: what is lost, or just waits for long. */
static uint32_t score_do_not_count(const ilb__slot *slot, uint32_t in_flight)
{
    uint64_t lost = ilb__load_relaxed(&slot->lost.n);
    uint64_t n = lost + ilb__longlived_n(&slot->longlived, in_flight, lost);

    return n < in_flight ? (uint32_t)n : in_flight;
}

static ilb_held score_held_back(const ilb__slot *slot, uint32_t in_flight,
                                uint64_t health, float age_ns,
                                const ilb__score_context *c)
{
    if (age_ns > c->hang_ns)
        return ILB_HELD_HANGING;
    if (in_flight >= ilb__health_in_flight_cap(health) &&
        in_flight - score_do_not_count(slot, in_flight) >=
            ilb__health_in_flight_cap(health))
        return ILB_HELD_CAP;
    if (in_flight > 0 && ilb__latency_level(&slot->latency) > 0)
        return ILB_HELD_SLOW;
    if (ILB_LIKELY(ilb__load_relaxed(&slot->failures.word) == 0))
        return ILB_HELD_NOT;
    if (ilb__refusals_any(&slot->refusals) &&
        (in_flight > 0 || ilb__refusals_hold(&slot->refusals, c->now_ns)))
        return ILB_HELD_REFUSED;
    if (!score_suspect(slot))
        return ILB_HELD_NOT;
    if (in_flight > 0)
        return ILB_HELD_FAILED;
    return ilb__failures_suspect(&slot->failures, c->figures.suspect_ns,
                                 c->now_ns)
               ? ILB_HELD_SUSPECT
               : ILB_HELD_NOT;
}

/* Its share of failures, without what may be chance. */
static float score_failing(const ilb__slot *slot, const ilb__score_context *c)
{
    float share = ilb__failures_share(&slot->failures, c->now_ns);
    float noise = SCORE_NOISE * c->figures.p0;

    return share > noise ? share - noise : 0;
}

static float score_weight(const ilb__slot *slot, const ilb__score_context *c)
{
    return c->weight_scale == 0
               ? 1
               : (float)ilb__load32_relaxed(&slot->weight) * c->weight_scale;
}

ILB_INTERNAL bool ilb__score_fits(const ilb__slot *slot, uint64_t load,
                                  const ilb__score *s,
                                  const ilb__score_context *c)
{
    float q = ilb__score_load(slot, load, &c->figures);
    float part = c->in_flight * score_weight(slot, c);
    float more = q - part;

    if (s->held != ILB_HELD_NOT ||
        (more > 1 && more * more > SCORE_FITS_CHANCE * part))
        return false;
    return !c->latency || s->cost <= SCORE_FITS_PRICE *
                                         score_median_ns(&c->figures) *
                                         (1 + q / score_weight(slot, c));
}

/* *age_ns is that of the oldest request. */
static inline float score_cost(const ilb__slot *slot, uint64_t load,
                               const ilb__score_context *c, float *age_ns)
{
    float q = ilb__score_load(slot, load, &c->figures);
    float price, latency_ns;

    if (c->weight_scale != 0)
        q /= score_weight(slot, c);
    if (ILB_UNLIKELY(c->slow_start_ns != 0))
        q /= ilb__ramp_factor(slot, c->slow_start_ns, c->now_ns);
    if (!c->latency)
        return 1 + q;
    latency_ns = ilb__latency_read_ns(&slot->latency, &c->figures, c->now_ns);
    *age_ns = (float)ilb__score_age_ns(slot, load, &c->figures, c->now_ns);
    if (ilb__score_asks_again(slot, load, *age_ns, c)) {
        *age_ns = 0;
        q = q > 1 ? q - 1 : 0;
    }
    price = *age_ns > latency_ns ? *age_ns : latency_ns;
    price += SCORE_FAILURE_PRICE * score_median_ns(&c->figures) *
             score_failing(slot, c);
    /* With nothing known of anyone, what is in flight decides. */
    if (price < 1)
        price = 1;
    return price * (1 + q);
}

/* Has it as much in flight as there is room for? */
static bool score_is_full(const ilb__slot *slot, uint64_t load,
                          const ilb__score_context *c)
{
    uint32_t less = score_do_not_count(slot, ilb__load_in_flight(load));
    uint32_t overtaken = ilb__overtaken_besides(&slot->overtaken, less);

    return ilb__score_load(slot, load, &c->figures) - (float)overtaken >=
           c->figures.room * score_weight(slot, c);
}

ILB_INTERNAL ilb__score ilb__score_in_full(const ilb__slot *slot, uint64_t load,
                                           uint64_t health,
                                           const ilb__score_context *c)
{
    float age_ns = 0;
    ilb__score score = {score_cost(slot, load, c, &age_ns), ILB_HELD_NOT};

    if (!c->latency)
        return score;
    score.held = (uint8_t)score_held_back(slot, ilb__load_in_flight(load),
                                          health, age_ns, c);
    if (ILB_UNLIKELY(c->figures.room != 0) && ilb__health_eligible(health) &&
        score_is_full(slot, load, c))
        score.held = ILB_HELD_FULL;
    return score;
}
