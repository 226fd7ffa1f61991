/* SPDX-License-Identifier: MIT */
/* See refusals.h. */
#include "signal/refusals.h"

#define REFUSALS_UNTIL_MAX ((UINT64_C(1) << 48) - 1)

static uint64_t refusals_until_ns(uint64_t word)
{
    return word >> ILB_REFUSALS_SHIFT << ILB_REFUSALS_SHIFT;
}

static uint64_t refusals_hold_ns(uint32_t row, uint32_t bits)
{
    uint64_t ns = ILB_REFUSALS_HOLD_NS;

    while (--row > 0 && ns < ILB_REFUSALS_HOLD_MAX_NS)
        ns *= 2;
    if (ns > ILB_REFUSALS_HOLD_MAX_NS)
        ns = ILB_REFUSALS_HOLD_MAX_NS;
    return ns + (uint64_t)((double)ns / 4 * (double)bits / 4294967296.0);
}

ILB_INTERNAL void ilb__refusals_add(ilb__a64 *word, uint32_t bits,
                                    uint64_t least_ns, uint64_t now_ns)
{
    uint64_t seen = ilb__load_relaxed(word), next;

    do {
        uint32_t row = (uint32_t)seen & ILB_REFUSALS_ROW;
        uint64_t until_ns = refusals_until_ns(seen);

        if (row == 0 || now_ns >= until_ns) {
            row += row < ILB_REFUSALS_ROW;
            until_ns = ilb__later_ns(now_ns, refusals_hold_ns(row, bits));
        }
        if (until_ns < least_ns)
            until_ns = least_ns;
        until_ns >>= ILB_REFUSALS_SHIFT;
        if (until_ns > REFUSALS_UNTIL_MAX)
            until_ns = REFUSALS_UNTIL_MAX;
        next = until_ns << ILB_REFUSALS_SHIFT | row;
    } while (!ilb__cas_relaxed(word, &seen, next));
}

ILB_INTERNAL bool ilb__refusals_hold(const ilb__a64 *word, uint64_t now_ns)
{
    uint64_t seen = ilb__load_relaxed(word);

    return (seen & ILB_REFUSALS_ROW) != 0 && refusals_until_ns(seen) > now_ns;
}
