/* SPDX-License-Identifier: MIT */
/*
 * How many of an endpoint's requests have lasted since before a moment, without
 * a list of them: time is cut into epochs, by whoever uses this, and a request
 * is told by when it was picked.
 *
 *   epoch_ns    when the present one began; 0: none has. Of what there was
 * then, candidates  so many are left; since_ns    when the one before it began:
 * of what there was then, n           so many are left.
 *
 * So n counts what has lasted for one epoch at least, two at most.
 *
 * The counts are estimates: threads that come together may miscount, and a
 * request picked at the very time of an epoch counts for one too long. No count
 * of requests depends on it; each turn, and ilb__epochs_of, correct it by what
 * there is at most.
 */
#ifndef ILB_SIGNAL_EPOCHS_H
#define ILB_SIGNAL_EPOCHS_H

#include "base/atomics.h"

typedef struct ilb__epochs {
    ilb__a64 epoch_ns;
    ilb__a64 since_ns;
    ilb__a32 n;
    ilb__a32 candidates;
} ilb__epochs;

/* The next epoch begins, after `since_ns`, from before which there are `n`.
 * `now`: requests that there are in all. */
ILB_INTERNAL void ilb__epochs_turn(ilb__epochs *e, uint64_t since_ns,
                                   uint32_t n, uint32_t all, uint64_t now_ns);

/* One that was picked then is none of them any more. */
ILB_INTERNAL void ilb__epochs_end(ilb__epochs *e, uint64_t picked_ns);

/* n, of so many that there are. */
ILB_INTERNAL uint32_t ilb__epochs_of(ilb__epochs *e, uint32_t all);

/* The slot is another endpoint's. */
ILB_INTERNAL void ilb__epochs_forget(ilb__epochs *e);

/* Does the end of one that was picked then concern it? */
static inline bool ilb__epochs_concern(const ilb__epochs *e, uint64_t picked_ns)
{
    return ILB_UNLIKELY(picked_ns < ilb__load_relaxed(&e->epoch_ns));
}

/* Is one that was picked then counted in n? */
static inline bool ilb__epochs_has(const ilb__epochs *e, uint64_t picked_ns)
{
    return ilb__load_relaxed(&e->epoch_ns) != 0 &&
           picked_ns < ilb__load_relaxed(&e->since_ns);
}

static inline uint32_t ilb__epochs_n(const ilb__epochs *e)
{
    return ilb__load32_relaxed(&e->n);
}

#endif
