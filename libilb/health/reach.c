/* SPDX-License-Identifier: MIT */
/* See reach.h. */
#include "health/reach.h"

#define REACH_PATIENCE_REQUESTS 4000.0
/* From 20 times the median it takes four time constants until a faded
 * estimate is worth trying. */
#define REACH_PATIENCE_TAUS 4.0
#define REACH_APERTURE_MIN 12
#define REACH_APERTURE_RATE 8.0f
#define REACH_APERTURE_BUSY 2.0f
#define REACH_SAMPLED_PER_S 1000.0f
/* More than one in so many, and a few, not tried yet: to this caller all are
 * newcomers. */
#define REACH_COLD 4
#define REACH_COLD_FEW 2
/* More than half, or more than one in so many and a few. */
#define REACH_TRIAL 4
#define REACH_TRIAL_FEW 2

static uint32_t reach_endpoints(const ilb__survey *k, uint32_t n,
                                uint32_t n_ejected, float rate)
{
    float by_rate = rate / REACH_APERTURE_RATE;
    float busy =
        REACH_APERTURE_BUSY * (float)k->in_flight * (float)n / (float)k->n;
    float wanted = by_rate > busy ? by_rate : busy;

    if (wanted < REACH_APERTURE_MIN)
        wanted = REACH_APERTURE_MIN;
    wanted += (float)n_ejected;
    return wanted >= (float)n ? UINT32_MAX : (uint32_t)wanted;
}

static uint64_t reach_patience_ticks(float rate)
{
    double s = REACH_PATIENCE_REQUESTS / ((double)rate + 1);

    s = s < 1 ? 1 : s > 30 ? 30 : s;
    return (uint64_t)(s / REACH_PATIENCE_TAUS * 1e9 / (1 << 20));
}

static uint64_t reach_sampling_shift(float rate)
{
    uint64_t shift = 0;

    while (rate > REACH_SAMPLED_PER_S && shift < 31) {
        rate /= 2;
        shift++;
    }
    return shift;
}

static bool reach_is_cold(const ilb__survey *k)
{
    return k->n_untried > REACH_COLD_FEW && k->n_untried * REACH_COLD > k->n;
}

static bool reach_many_on_trial(const ilb__survey *k)
{
    return k->n_on_trial * 2 > k->n_eligible ||
           (k->n_on_trial > REACH_TRIAL_FEW &&
            k->n_on_trial * REACH_TRIAL > k->n_eligible);
}

ILB_INTERNAL uint64_t ilb__reach_unknown(void)
{
    return reach_patience_ticks(0) << ILB_REACH_PATIENCE_SHIFT | UINT32_MAX;
}

ILB_INTERNAL uint64_t ilb__reach_word(const ilb__survey *k, uint32_t n,
                                      uint32_t n_ejected, float rate_per_s)
{
    uint64_t word =
        reach_patience_ticks(rate_per_s) << ILB_REACH_PATIENCE_SHIFT |
        reach_sampling_shift(rate_per_s) << ILB_REACH_SAMPLING_SHIFT |
        reach_endpoints(k, n, n_ejected, rate_per_s);

    if (reach_is_cold(k))
        word |= ILB_REACH_COLD;
    if (reach_many_on_trial(k))
        word |= ILB_REACH_ON_TRIAL;
    return word;
}
