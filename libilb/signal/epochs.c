/* SPDX-License-Identifier: MIT */
/* See epochs.h. */
#include "signal/epochs.h"

static void epochs_less(ilb__a32 *count)
{
    uint32_t n = ilb__load32_relaxed(count);

    while (n > 0 && !ilb__cas32_relaxed(count, &n, n - 1))
        continue;
}

ILB_INTERNAL void ilb__epochs_turn(ilb__epochs *e, uint64_t since_ns,
                                   uint32_t n, uint32_t all, uint64_t now_ns)
{
    ilb__store_relaxed(&e->since_ns, since_ns);
    ilb__store32_relaxed(&e->n, n < all ? n : all);
    ilb__store32_relaxed(&e->candidates, all);
    /* 0 would mean that there is none. */
    ilb__store_relaxed(&e->epoch_ns, now_ns == 0 ? 1 : now_ns);
}

ILB_INTERNAL void ilb__epochs_end(ilb__epochs *e, uint64_t picked_ns)
{
    if (picked_ns < ilb__load_relaxed(&e->epoch_ns))
        epochs_less(&e->candidates);
    if (picked_ns < ilb__load_relaxed(&e->since_ns))
        epochs_less(&e->n);
}

ILB_INTERNAL uint32_t ilb__epochs_of(ilb__epochs *e, uint32_t all)
{
    uint32_t n = ilb__load32_relaxed(&e->n);

    while (ILB_UNLIKELY(n > all))
        if (ilb__cas32_relaxed(&e->n, &n, all))
            return all;
    return n;
}

ILB_INTERNAL void ilb__epochs_forget(ilb__epochs *e)
{
    ilb__store_relaxed(&e->epoch_ns, 0);
    ilb__store_relaxed(&e->since_ns, 0);
    ilb__store32_relaxed(&e->n, 0);
    ilb__store32_relaxed(&e->candidates, 0);
}
