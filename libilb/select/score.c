/* SPDX-License-Identifier: MIT */
/* See score.h for the formula. */
#include "select/score.h"

#define SCORE_FAILURE_PRICE 10.0f
#define SCORE_MEDIAN_MIN_NS 1000.0f
/* Slow: more than twice the median. */
#define SCORE_SLOW_FACTOR 2.0f
#define SCORE_HELD_COST 1e20f
#define SCORE_HANG_P99 1.5f
#define SCORE_HANG_MEDIAN 3.0f
#define SCORE_HANG_MIN_NS 2e6f

static float score_age_ns(const ilb__slot *slot, uint64_t load, uint64_t now_ns)
{
    return (float)ilb__load_age_ns(&slot->load, load, now_ns);
}

ILB_INTERNAL float ilb__score_latency_ns(const ilb__slot *slot, uint64_t load,
                                         const ilb__figures *f, uint64_t now_ns)
{
    float latency_ns = ilb__latency_read_ns(&slot->latency, f, now_ns);
    float age_ns = score_age_ns(slot, load, now_ns);

    return age_ns > latency_ns ? age_ns : latency_ns;
}

ILB_INTERNAL void ilb__score_prepare(ilb__score_context *c)
{
    const ilb__figures *f = &c->figures;

    c->hang_ns = SCORE_HANG_P99 * f->p99_ns;
    if (c->hang_ns < SCORE_HANG_MEDIAN * f->median_ns)
        c->hang_ns = SCORE_HANG_MEDIAN * f->median_ns;
    if (c->hang_ns < SCORE_HANG_MIN_NS)
        c->hang_ns = SCORE_HANG_MIN_NS;
    if (f->p99_ns == 0)
        c->hang_ns = 1e30f; /* nobody has answered yet */
}

static bool score_held_back(const ilb__slot *slot, uint32_t in_flight,
                            uint64_t health, float age_ns,
                            const ilb__score_context *c)
{
    uint64_t failures = ilb__load_relaxed(&slot->failures.word);

    if (age_ns > c->hang_ns)
        return true;
    if (in_flight >= ilb__health_in_flight_cap(health))
        return true;
    if (in_flight > 0 && ilb__latency_level(&slot->latency) > 0)
        return true;
    if (ILB_LIKELY(failures == 0) ||
        ilb__failures_in_a_row(&slot->failures) == 0)
        return false;
    return in_flight > 0 ||
           ilb__failures_suspect(&slot->failures, c->figures.suspect_ns,
                                 c->now_ns);
}

/* Of its share of failures, what healthy peers do not have. */
static float score_failing(const ilb__slot *slot, const ilb__score_context *c)
{
    float share = ilb__failures_share(&slot->failures, c->now_ns);

    return share > c->figures.p0 ? share - c->figures.p0 : 0;
}

ILB_INTERNAL ilb__score ilb__score_of(const ilb__slot *slot, uint64_t load,
                                      uint64_t health,
                                      const ilb__score_context *c)
{
    uint32_t in_flight = ilb__load_in_flight(load);
    float q = (float)in_flight;
    ilb__score score = {0, false};
    float price, median_ns, latency_ns, age_ns;

    if (c->weight_scale != 0)
        q /= (float)ilb__load32_relaxed(&slot->weight) * c->weight_scale;
    if (!c->latency) {
        score.cost = 1 + q;
        return score;
    }
    median_ns = c->figures.median_ns > SCORE_MEDIAN_MIN_NS
                    ? c->figures.median_ns
                    : SCORE_MEDIAN_MIN_NS;
    latency_ns = ilb__latency_read_ns(&slot->latency, &c->figures, c->now_ns);
    age_ns = score_age_ns(slot, load, c->now_ns);
    price = age_ns > latency_ns ? age_ns : latency_ns;
    price += SCORE_FAILURE_PRICE * median_ns * score_failing(slot, c);
    /* With nothing known of anyone, what is in flight decides. */
    if (price < 1)
        price = 1;
    score.cost = price * (1 + q);
    score.poor = price > SCORE_SLOW_FACTOR * median_ns;
    if (score_held_back(slot, in_flight, health, age_ns, c)) {
        score.cost += SCORE_HELD_COST;
        score.poor = true;
    }
    return score;
}
