/* SPDX-License-Identifier: MIT */
/* See share.h. */
#include "health/share.h"

/* To be counted as healthy: this part of the mean number of requests. */
#define SHARE_HEARD_OF 0.25f

static float share_of(const ilb__tally *t, float prior)
{
    return (t->failed + 0.5f) / (t->ended + prior);
}

/* The tallies that count, by their share of failures. Returns how many. */
static uint32_t share_order(const ilb__tally *tallies, uint32_t n, float prior,
                            uint8_t *order)
{
    float ended = 0;
    uint32_t m = 0;

    for (uint32_t i = 0; i < n; i++)
        ended += tallies[i].ended;
    for (uint32_t i = 0; i < n; i++) {
        float share = share_of(&tallies[i], prior);
        uint32_t at = m;

        if (tallies[i].ended * (float)n < SHARE_HEARD_OF * ended)
            continue;
        while (at > 0 && share_of(&tallies[order[at - 1]], prior) > share) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = (uint8_t)i;
        m++;
    }
    return m;
}

/* f <= l + 2 sqrt(l) + 0.5, without a root. */
static bool share_plausible(float failed, float expected)
{
    float above = failed - expected - 0.5f;

    return above <= 0 || above * above <= 4 * expected;
}

ILB_INTERNAL float ilb__healthy_share(const ilb__tally *tallies, uint32_t n,
                                      float failed_before, float ended_before)
{
    ilb__tally sum = {ended_before, failed_before};
    uint8_t order[ILB_SURVEY_MAX];
    uint32_t best = n < 5 ? 1 : n < 10 ? 2 : (n + 4) / 5;
    uint32_t m = share_order(tallies, n, ended_before, order);

    for (uint32_t i = 0; i < m; i++) {
        const ilb__tally *t = &tallies[order[i]];

        if (i >= best &&
            !share_plausible(t->failed, sum.failed / sum.ended * t->ended))
            break;
        sum.ended += t->ended;
        sum.failed += t->failed;
    }
    return sum.failed / sum.ended;
}
