/* SPDX-License-Identifier: MIT */
/* See slowness.h for the formulas. */
#include "signal/slowness.h"

#define SLOWNESS_NATS 0.257f
/* What adds as much for a request that was given up. */
#define SLOWNESS_GIVEN_UP_MOST (ILB_SLOWNESS_MOST - ILB_SLOWNESS_FACTOR)
/* Twice the threshold: what was proved long ago is forgotten in bounded time.
 */
#define SLOWNESS_SUM_MAX (32 * ILB_EVIDENCE_ONE)
#define SLOWNESS_N_MAX 255
#define SLOWNESS_STAMP_SHIFT 16
#define SLOWNESS_STAMP_MASK ((UINT64_C(1) << 40) - 1)

static uint64_t slowness_stamp(uint64_t ns)
{
    return ns >> SLOWNESS_STAMP_SHIFT & SLOWNESS_STAMP_MASK;
}

/* Did the request begin after the last one that counted had ended? Half of the
 * circle is a year. */
static bool slowness_is_news(uint64_t word, uint64_t began_ns)
{
    uint64_t after =
        (slowness_stamp(began_ns) - (word >> 24)) & SLOWNESS_STAMP_MASK;

    return word == 0 || after <= SLOWNESS_STAMP_MASK / 2;
}

/* What it adds, in 1/256, rounded. */
static int32_t slowness_step(const ilb__wait *w)
{
    float most = w->answered ? ILB_SLOWNESS_MOST : SLOWNESS_GIVEN_UP_MOST;
    float units = w->units < most ? w->units : most;

    if (w->answered)
        units -= ILB_SLOWNESS_FACTOR;
    units *= SLOWNESS_NATS * (float)ILB_EVIDENCE_ONE;
    return (int32_t)(units < 0 ? units - 0.5f : units + 0.5f);
}

ILB_INTERNAL bool ilb__slowness_add(ilb__a64 *word, const ilb__wait *w,
                                    uint64_t now_ns, ilb__slowness *s)
{
    uint64_t seen = ilb__load_relaxed(word);
    int32_t step = slowness_step(w);
    uint64_t next;

    if (!w->answered && w->units < ILB_SLOWNESS_GIVEN_UP)
        return false;
    do {
        int32_t sum = (int32_t)(seen & 0xffff) + step;

        if (!slowness_is_news(seen, w->began_ns))
            return false;
        if (sum > SLOWNESS_SUM_MAX)
            sum = SLOWNESS_SUM_MAX;
        s->sum = sum < 0 ? 0 : (uint32_t)sum;
        s->n = ((uint32_t)(seen >> 16) & SLOWNESS_N_MAX) + 1;
        if (s->n > SLOWNESS_N_MAX)
            s->n = SLOWNESS_N_MAX;
        next = s->sum == 0 ? 0
                           : slowness_stamp(now_ns) << 24 |
                                 (uint64_t)s->n << 16 | s->sum;
    } while (next != seen && !ilb__cas_relaxed(word, &seen, next));
    return step > 0;
}
