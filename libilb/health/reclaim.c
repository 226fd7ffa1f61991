/* SPDX-License-Identifier: MIT */
/* See reclaim.h. */
#include "health/reclaim.h"

#include "health/probe.h"
#include "health/tell.h"

ILB_INTERNAL void ilb__reclaim_settle(ilb__slot *slot)
{
    uint32_t unanswered =
        ilb__load_unanswered(ilb__load_relaxed(&slot->load.word));

    (void)ilb__lost_at_most(&slot->lost, &slot->extra_cost, unanswered);
    if (unanswered == 0)
        ilb__epochs_forget(&slot->overtaken);
    else
        (void)ilb__epochs_of(&slot->overtaken, unanswered);
}

ILB_INTERNAL void ilb__reclaim_return(ilb__slot *slot, uint32_t where,
                                      uint32_t n, uint64_t now_ns)
{
    /* Something is in flight, so the slot keeps its generation. */
    uint32_t generation =
        ilb__load_generation(ilb__load_relaxed(&slot->load.word));

    for (uint32_t i = 0; i < n; i++) {
        if (!ilb__load_return(&slot->load, generation, where, now_ns))
            return;
        ilb__add_relaxed(&slot->leaked, 1);
    }
}

static void reclaim_probe(ilb__judge *j, ilb__slot *slot, uint64_t now_ns)
{
    uint64_t before = ilb__load_relaxed(&slot->health);

    if (ilb__health_state_of(before) == ILB__PROBING &&
        ilb__health_inconclusive(j, slot, now_ns))
        ilb__tell(j, slot, ILB_EVENT_PROBE_CANCELLED, ILB_REASON_NONE, before,
                  ilb__load_relaxed(&slot->health), NULL, now_ns);
}

ILB_INTERNAL void ilb__reclaim_slot(ilb__judge *j, ilb__slot *slot,
                                    ilb__held *held, uint64_t now_ns)
{
    uint64_t extra = ilb__load_relaxed(&held->extra_cost);
    uint64_t word = ilb__load_relaxed(&held->word);

    if (ILB_LIKELY(word == 0 && extra == 0))
        return;
    extra = ilb__take_relaxed(&held->extra_cost);
    ilb__sub_relaxed(&slot->extra_cost, extra);
    word = ilb__take_relaxed(&held->word);
    if (ilb__held_probes(word) > 0)
        reclaim_probe(j, slot, now_ns);
    for (uint32_t where = 0; where < ILB_HELD_PLACES; where++)
        ilb__reclaim_return(slot, where, ilb__held_count(word, where), now_ns);
    ilb__reclaim_settle(slot);
}
