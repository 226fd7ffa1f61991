/* SPDX-License-Identifier: MIT */
/* See score.h for the formula. */
#include "select/score.h"

#define SCORE_FAILURE_PRICE 10.0f
#define SCORE_MEDIAN_MIN_NS 1000.0f
/* Slow: more than twice the median. */
#define SCORE_SLOW_FACTOR 2.0f
/* At its in-flight cap: any other that is not is better, and of several such
 * the cheapest. */
#define SCORE_CAPPED_FACTOR 1e15f

ILB_INTERNAL float ilb__score_latency_ns(const ilb__slot *slot, uint64_t load,
                                         float median_ns, uint64_t now_ns)
{
    float latency_ns = ilb__latency_read_ns(&slot->latency, median_ns, now_ns);
    float age_ns = (float)ilb__load_age_ns(&slot->load, load, now_ns);

    return age_ns > latency_ns ? age_ns : latency_ns;
}

ILB_INTERNAL ilb__score ilb__score_of(const ilb__slot *slot, uint64_t load,
                                      uint64_t health,
                                      const ilb__score_context *c)
{
    uint32_t in_flight = ilb__load_in_flight(load);
    float q = (float)in_flight;
    ilb__score score = {0, false};
    float price, median_ns;

    if (c->weight_scale != 0)
        q /= (float)ilb__load32_relaxed(&slot->weight) * c->weight_scale;
    if (!c->latency) {
        score.cost = 1 + q;
        return score;
    }
    median_ns =
        c->median_ns > SCORE_MEDIAN_MIN_NS ? c->median_ns : SCORE_MEDIAN_MIN_NS;
    price = ilb__score_latency_ns(slot, load, c->median_ns, c->now_ns) +
            SCORE_FAILURE_PRICE * median_ns *
                ilb__failures_share(&slot->failures, c->now_ns);
    /* With nothing known of anyone, what is in flight decides. */
    if (price < 1)
        price = 1;
    score.cost = price * (1 + q);
    score.poor = price > SCORE_SLOW_FACTOR * median_ns;
    if (in_flight >= ilb__health_in_flight_cap(health)) {
        score.cost *= SCORE_CAPPED_FACTOR;
        score.poor = true;
    }
    return score;
}
