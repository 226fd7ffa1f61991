/* SPDX-License-Identifier: MIT */
/*
 * An endpoint that refuses for load (ilb_outcome ILB_OVERLOAD) without saying
 * when to come back: it is held back for a while, so that any other is better.
 *
 *     50 ms x 2^(row - 1), at most 2 s, and up to a quarter more at random, so
 *     that callers which were refused together do not return together
 *
 * and then it gets one request at a time, until a good answer. `row` counts
 * refusals since the last one, but only one for each time that it was tried:
 * what comes while it is held back was in flight already. A refusal is fast and
 * leaves nothing in flight: without this, whoever refuses looks idle, and where
 * the others have more than ten in flight each no price on failures is enough.
 *
 * Who has refused will do so again, at the same load: for a minute after a hold
 * its requests are trials (select/score.h), which their callers send elsewhere.
 * Nothing is lost by that: what was refused has not been begun.
 *
 *   bits  0..15  `row`
 *   bits 16..63  `until`, in units of 2^16 ns; it stays after a good answer
 */
#ifndef ILB_SIGNAL_REFUSALS_H
#define ILB_SIGNAL_REFUSALS_H

#include "base/atomics.h"

#define ILB_REFUSALS_HOLD_NS (50 * ILB_MS_NS)
#define ILB_REFUSALS_HOLD_MAX_NS (2 * ILB_SECOND_NS)
#define ILB_REFUSALS_LATELY_NS (60 * ILB_SECOND_NS)
#define ILB_REFUSALS_ROW 0xffffu
/* Of `until`, in the word as in time. */
#define ILB_REFUSALS_SHIFT 16

/* It has refused a request; `bits` are random ones. `least_ns`: it is held back
 * until then at least. */
ILB_INTERNAL void ilb__refusals_add(ilb__a64 *word, uint32_t bits,
                                    uint64_t least_ns, uint64_t now_ns);

/* A good answer. */
static inline void ilb__refusals_end(ilb__a64 *word)
{
    uint64_t seen = ilb__load_relaxed(word);

    if (ILB_UNLIKELY((seen & ILB_REFUSALS_ROW) != 0))
        (void)ilb__cas_relaxed(word, &seen, seen & ~(uint64_t)ILB_REFUSALS_ROW);
}

/* Has it refused since its last good answer? */
static inline bool ilb__refusals_any(const ilb__a64 *word)
{
    return (ilb__load_relaxed(word) & ILB_REFUSALS_ROW) != 0;
}

/* Has it refused within a minute, so that it may again? */
static inline bool ilb__refusals_lately(const ilb__a64 *word, uint64_t now_ns)
{
    uint64_t seen = ilb__load_relaxed(word);

    return ILB_UNLIKELY(seen != 0) &&
           ilb__elapsed_ns(seen >> ILB_REFUSALS_SHIFT << ILB_REFUSALS_SHIFT,
                           now_ns) < ILB_REFUSALS_LATELY_NS;
}

/* Is it held back? */
ILB_INTERNAL bool ilb__refusals_hold(const ilb__a64 *word, uint64_t now_ns);

#endif
