/* SPDX-License-Identifier: MIT */
/* See capacity.h. */
#include "health/capacity.h"

#define CAPACITY_SHARE 0.1f
#define CAPACITY_REFUSED 3
#define CAPACITY_ASKED 8

/* Nothing but refusals, besides the one that is judged? */
static bool capacity_is_none(const ilb__slot *slot)
{
    return (ilb__load_relaxed(&slot->refusals) & ILB_REFUSALS_ROW) >=
           CAPACITY_REFUSED;
}

static bool capacity_is_used(const ilb__judge *j, const ilb__slot *slot,
                             float served)
{
    return j->by_cost && ilb__window_short(&slot->window).ended >
                             CAPACITY_SHARE * served *
                                 (float)ilb__load32_relaxed(&slot->weight);
}

/* Would, with it, more than a few be left alone? */
static bool capacity_is_squeezed(const ilb__judge *j, uint32_t n_ready,
                                 const ilb__figures *f)
{
    uint64_t n = ilb__load32_relaxed(&j->n_ejected);

    return f->rate_per_s > 0 && n > 0 && (n + 1) * CAPACITY_ASKED > n_ready;
}

ILB_INTERNAL bool ilb__capacity_needs(const ilb__judge *j,
                                      const ilb__slot *slot,
                                      const ilb__demand *d,
                                      const ilb__figures *f)
{
    if (capacity_is_none(slot))
        return false;
    return f->overloaded || (d->by == ILB_DETECTOR_LATENCY
                                 ? capacity_is_used(j, slot, d->served)
                                 : capacity_is_squeezed(j, d->n_ready, f));
}
