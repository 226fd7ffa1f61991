/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait while later ones are answered: long ones, long polls,
 * streams without a first byte. They show that their endpoint lives, so their
 * age says nothing against it (it would keep a healthy endpoint out for as long
 * as one poll of 30 s waits). What is in flight to it otherwise has an age
 * still.
 *
 *   epoch_ns    0: nothing waits for unusually long; then nothing is counted.
 *               Else a moment; and of what was unanswered then,
 *   candidates  so many are still;
 *   n           unanswered requests that were picked by `since_ns`, the epoch
 *               before this one: a later one has been answered.
 *
 * It begins when a good answer comes for a request picked after the last turn
 * (signal/load.h), while older ones have waited since for unusually long.
 * Each good answer of a request that was picked after the epoch shows that the
 * candidates are overtaken, and begins a new one. When nothing but overtaken
 * requests is unanswered the mark of the load is UINT64_MAX, which gives no
 * age, until the next request is taken; else it is the time of the last good
 * answer.
 *
 * The counts are estimates: threads that come together may miscount, and a
 * request picked at the very time of an epoch counts as overtaken for too long.
 * No count of requests depends on it, and the
 * sweep (health/sweep.h) corrects it: no more can be overtaken than are
 * unanswered.
 */
#ifndef ILB_SIGNAL_OVERTAKEN_H
#define ILB_SIGNAL_OVERTAKEN_H

#include "signal/load.h"

typedef struct ilb__overtaken {
    ilb__a64 epoch_ns;
    ilb__a64 since_ns;
    ilb__a32 n;
    ilb__a32 candidates;
} ilb__overtaken;

/* A request that is about to end, or to be answered. */
typedef struct ilb__passing {
    uint64_t picked_ns;
    bool unanswered; /* as counted until now */
    bool good;       /* a good answer, or its first byte */
} ilb__passing;

/* Before ilb__load_return or ilb__load_answer. `unusual_ns`: older than that is
 * unusual. */
ILB_INTERNAL void ilb__overtaken_pass(ilb__overtaken *o, ilb__load *l,
                                      const ilb__passing *p, float unusual_ns,
                                      uint64_t now_ns);

/* Does a request that passes concern it? For the hot path: most do not. */
static inline bool ilb__overtaken_concerns(const ilb__overtaken *o,
                                           const ilb__load *l, float unusual_ns,
                                           uint64_t now_ns)
{
    if (ILB_UNLIKELY(ilb__load_relaxed(&o->epoch_ns) != 0))
        return true;
    return ilb__load_old(ilb__load_relaxed(&l->word)) != 0 &&
           ILB_UNLIKELY((float)ilb__elapsed_ns(ilb__load_mark_ns(l), now_ns) >
                        unusual_ns);
}

/* Is a request that was picked then? */
static inline bool ilb__overtaken_has(const ilb__overtaken *o,
                                      uint64_t picked_ns)
{
    return ilb__load_relaxed(&o->epoch_ns) != 0 &&
           picked_ns < ilb__load_relaxed(&o->since_ns);
}

/* All that is unanswered now is. */
ILB_INTERNAL void ilb__overtaken_all(ilb__overtaken *o, ilb__load *l,
                                     uint64_t now_ns);

/* How many are, of so many unanswered ones: corrects what was miscounted. */
ILB_INTERNAL uint32_t ilb__overtaken_of(ilb__overtaken *o, uint32_t unanswered);

/* The slot is another endpoint's. */
ILB_INTERNAL void ilb__overtaken_forget(ilb__overtaken *o);

#endif
