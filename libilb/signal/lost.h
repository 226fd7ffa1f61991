/* SPDX-License-Identifier: MIT */
/*
 * Requests that have been in flight, unanswered, since before their endpoint
 * returned from an ejection for hanging, or became ready again. It answers
 * others now, so these are lost: they say nothing of it any more, neither by
 * their age nor when their callers give them up, and are no load. How many
 * there are is counted when it returns, and taken off what is in flight by its
 * extra cost (signal/cost.h); each that ends gives its part back.
 *
 * A request that ends at the moment of the return may be missed. The sweep
 * (health/sweep.h) then corrects the count: no more can be lost than are
 * unanswered.
 */
#ifndef ILB_SIGNAL_LOST_H
#define ILB_SIGNAL_LOST_H

#include "signal/cost.h"

typedef struct ilb__lost {
    ilb__a64 n;
    ilb__a64 since_ns; /* what began before that */
} ilb__lost;

/* So many are, from now on. */
static inline void ilb__lost_set(ilb__lost *l, ilb__a64 *extra, uint64_t n)
{
    uint64_t was = ilb__load_relaxed(&l->n);

    while (!ilb__cas_relaxed(&l->n, &was, n))
        continue;
    if (was != n)
        ilb__add_relaxed(extra, (was - n) * ILB_COST_ONE);
}

/* A request ends that began then. True: it was one of them. */
static inline bool ilb__lost_ends(ilb__lost *l, ilb__a64 *extra,
                                  uint64_t began_ns)
{
    uint64_t n = ilb__load_relaxed(&l->n);

    if (ILB_LIKELY(n == 0) || began_ns >= ilb__load_relaxed(&l->since_ns))
        return false;
    while (!ilb__cas_relaxed(&l->n, &n, n - 1))
        if (n == 0)
            return false;
    ilb__add_relaxed(extra, ILB_COST_ONE);
    return true;
}

/* At most so many can be. Returns how many are. */
static inline uint64_t ilb__lost_at_most(ilb__lost *l, ilb__a64 *extra,
                                         uint64_t most)
{
    uint64_t n = ilb__load_relaxed(&l->n);

    while (ILB_UNLIKELY(n > most))
        if (ilb__cas_relaxed(&l->n, &n, most)) {
            ilb__add_relaxed(extra, (n - most) * ILB_COST_ONE);
            return most;
        }
    return n;
}

#endif
