/* SPDX-License-Identifier: MIT */
/* See peaks.h. */
#include "signal/peaks.h"

#include "base/floats.h"

/* All in 1/100 nats. */
#define PEAKS_UP 230u
#define PEAKS_DOWN_MIN 1u
#define PEAKS_MAX 1000u
#define PEAKS_SECOND 200u
#define PEAKS_THIRD 430u
/* Up to so many times what all have, it is no more than theirs. */
#define PEAKS_TIMES 3.0f
/* One peak in so many answers, before any is seen. */
#define PEAKS_PRIOR 1000.0f

ILB_INTERNAL uint32_t ilb__peaks_level(uint32_t sum)
{
    return sum < PEAKS_SECOND ? 1 : sum < PEAKS_THIRD ? 2 : 3;
}

static uint32_t peaks_down(const ilb__peaks_of_all *all)
{
    uint64_t tally = ilb__load_relaxed(&all->tally);
    float share =
        (1 + ilb__floats_low(tally)) / (PEAKS_PRIOR + ilb__floats_high(tally));
    uint32_t down = (uint32_t)(PEAKS_TIMES * (float)PEAKS_UP * share + 0.5f);

    return down < PEAKS_DOWN_MIN ? PEAKS_DOWN_MIN : down;
}

ILB_INTERNAL void ilb__peaks_learn(ilb__a32 *sum, bool peak,
                                   ilb__peaks_of_all *all)
{
    uint32_t was = ilb__load32_relaxed(sum), next, down = 0;

    if (peak)
        ilb__add32_relaxed(&all->n, 1);
    else if (was > 0)
        down = peaks_down(all);
    do {
        if (peak)
            next = was < PEAKS_MAX - PEAKS_UP ? was + PEAKS_UP : PEAKS_MAX;
        else
            next = was > down ? was - down : 0;
    } while (next != was && !ilb__cas32_relaxed(sum, &was, next));
}

ILB_INTERNAL void ilb__peaks_refresh(ilb__peaks_of_all *all, float answers,
                                     float keep)
{
    uint32_t n = ilb__load32_relaxed(&all->n);
    uint32_t news = n - ilb__load32_relaxed(&all->seen);
    uint64_t tally = ilb__load_relaxed(&all->tally);

    ilb__store32_relaxed(&all->seen, n);
    ilb__store_relaxed(
        &all->tally,
        ilb__floats_pair(ilb__floats_low(tally) * keep + (float)news,
                         ilb__floats_high(tally) * keep + answers));
}
