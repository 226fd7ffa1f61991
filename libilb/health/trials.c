/* SPDX-License-Identifier: MIT */
/* See trials.h. */
#include "health/trials.h"

#define TRIALS_ONE (UINT64_C(1) << 20)
#define TRIALS_SHARE 0.1
/* What may be saved up: of so many seconds, but at least a few. */
#define TRIALS_SAVED_S 5.0
#define TRIALS_SAVED_MIN 3.0

ILB_INTERNAL void ilb__trials_init(ilb__a64 *word)
{
    ilb__store_relaxed(word, (uint64_t)(TRIALS_SAVED_MIN * TRIALS_ONE));
}

ILB_INTERNAL bool ilb__trials_ok(const ilb__a64 *word)
{
    return ilb__load_relaxed(word) >= TRIALS_ONE;
}

ILB_INTERNAL void ilb__trials_failed(ilb__a64 *word)
{
    uint64_t left = ilb__load_relaxed(word);

    while (left >= TRIALS_ONE &&
           !ilb__cas_relaxed(word, &left, left - TRIALS_ONE))
        continue;
}

ILB_INTERNAL void ilb__trials_refill(ilb__a64 *word, float rate_per_s,
                                     double since_s)
{
    double per_s = (double)rate_per_s * TRIALS_SHARE;
    double most = per_s * TRIALS_SAVED_S;
    uint64_t left = ilb__load_relaxed(word);
    uint64_t more = (uint64_t)(per_s * since_s * TRIALS_ONE);
    uint64_t room;

    if (most < TRIALS_SAVED_MIN)
        most = TRIALS_SAVED_MIN;
    room = (uint64_t)(most * TRIALS_ONE);
    if (left < room)
        ilb__add_relaxed(word, more < room - left ? more : room - left);
}
