/* SPDX-License-Identifier: MIT */
/* See pool.h. */
#include "select/pool.h"

#include <string.h>

#define POOL_REFRESH_NS (100 * ILB_MS_NS)
#define POOL_FAR_NS (2 * ILB_SECOND_NS)
#define POOL_SAMPLES 64

static uint64_t pool_bits(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    return bits;
}

ILB_INTERNAL float ilb__pool_median_ns(const ilb__pool *p)
{
    uint32_t bits = (uint32_t)ilb__load_relaxed(&p->median);
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

ILB_INTERNAL void ilb__pool_seed(ilb__pool *p, uint64_t sample_ns)
{
    if (ilb__load_relaxed(&p->median) == 0)
        (void)ilb__cas_strong_relaxed(&p->median, 0,
                                      pool_bits((float)sample_ns));
}

/* Puts `x` in its place among `n` sorted values. */
static void pool_insert(float *sorted, uint32_t n, float x)
{
    uint32_t at = n;

    while (at > 0 && sorted[at - 1] > x) {
        sorted[at] = sorted[at - 1];
        at--;
    }
    sorted[at] = x;
}

static void pool_recompute(ilb__pool *p, const ilb__slot *slots,
                           const ilb__view *view)
{
    float sorted[POOL_SAMPLES];
    uint32_t n = 0;
    uint32_t step = view->n / POOL_SAMPLES + 1;

    for (uint32_t i = 0; i < view->n && n < POOL_SAMPLES; i += step) {
        const ilb__slot *slot =
            &slots[ilb__endpoint_id_index(ilb__view_id(view, i))];
        float x = ilb__latency_estimate_ns(&slot->latency);

        if (x > 0 && ilb__health_eligible(ilb__load_relaxed(&slot->health)))
            pool_insert(sorted, n++, x);
    }
    if (n > 0)
        ilb__store_relaxed(&p->median, pool_bits(sorted[(n - 1) / 2]));
}

ILB_INTERNAL void ilb__pool_refresh(ilb__pool *p, const ilb__slot *slots,
                                    const ilb__view *view, uint64_t now_ns)
{
    uint64_t due = ilb__load_relaxed(&p->next_refresh_ns);

    /* Due far in the future: a clock went back since. */
    if (ILB_LIKELY(now_ns < due && due - now_ns <= POOL_FAR_NS))
        return;
    if (ilb__cas_strong_relaxed(&p->next_refresh_ns, due,
                                ilb__later_ns(now_ns, POOL_REFRESH_NS)))
        pool_recompute(p, slots, view);
}
