/* SPDX-License-Identifier: MIT */
/* See cap.h. */
#include "health/cap.h"

static uint32_t cap_by_percent(const ilb__judge *j, uint32_t n_ready)
{
    uint32_t cap =
        (uint32_t)((uint64_t)n_ready * j->max_ejection_percent / 100);

    return cap == 0 && n_ready >= 2 ? 1 : cap;
}

static uint32_t cap_by_floor(const ilb__judge *j, uint32_t n_ready)
{
    return n_ready > j->min_endpoints ? n_ready - j->min_endpoints : 0;
}

ILB_INTERNAL uint32_t ilb__cap_of(const ilb__judge *j, uint32_t n_ready)
{
    uint32_t percent = cap_by_percent(j, n_ready);
    uint32_t floor = cap_by_floor(j, n_ready);

    return percent < floor ? percent : floor;
}

ILB_INTERNAL ilb_reason ilb__cap_refusal(const ilb__judge *j, uint32_t n_ready)
{
    return cap_by_floor(j, n_ready) <= cap_by_percent(j, n_ready)
               ? ILB_REASON_FLOOR
               : ILB_REASON_CAP;
}

ILB_INTERNAL bool ilb__cap_reserve(ilb__judge *j, uint32_t n_ready)
{
    uint32_t cap = ilb__cap_of(j, n_ready);
    uint32_t n = ilb__load32_relaxed(&j->n_ejected);

    do {
        if (n >= cap)
            return false;
    } while (!ilb__cas32_relaxed(&j->n_ejected, &n, n + 1));
    return true;
}

ILB_INTERNAL bool ilb__cap_panics(const ilb__judge *j, uint32_t n_ejected,
                                  uint32_t n_ready)
{
    uint64_t left = n_ready > n_ejected ? n_ready - n_ejected : 0;

    return left == 0 ||
           left * 100 < (uint64_t)n_ready * j->panic_threshold_percent;
}
