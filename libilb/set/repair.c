/* SPDX-License-Identifier: MIT */
/* See repair.h. */
#include "set/repair.h"

static bool repair_used(const ilb__slot *slot)
{
    return ilb__load8_relaxed(&slot->used) != 0;
}

static bool repair_drawn(const ilb__slot *slot)
{
    return slot->listed && slot->readiness == ILB_READY;
}

/* The old list, or the new one. */
static void repair_choose_list(ilb__set *s, uint32_t n)
{
    uint32_t stage = ilb__load32_relaxed(&s->stage);

    for (uint32_t i = 0; i < n; i++) {
        ilb__slot *slot = &s->slots[i];

        if (!repair_used(slot) || !slot->listed)
            continue;
        if (stage == ILB__SET_ENTERING && slot->listed_by == s->n_plans)
            slot->listed = false;
        if (stage == ILB__SET_LEAVING && slot->plan != s->n_plans)
            slot->listed = false;
    }
    ilb__set_step(&s->stage, ILB__SET_STILL);
}

static void repair_put(ilb__set *s, uint32_t i)
{
    ilb__slot *slot = &s->slots[i];

    if (!repair_used(slot)) {
        slot->listed = false;
        s->free[s->n_free++] = i;
        return;
    }
    ilb__index_add(&s->index, slot->hash, i);
    if (slot->listed) {
        slot->position = s->n_listed;
        s->listed[s->n_listed++] = i;
    } else {
        slot->position = s->n_draining;
        s->draining[s->n_draining++] = i;
    }
}

static void repair_settle(ilb__set *s, uint32_t n, bool drawn,
                          ilb__set_settle settle, void *user)
{
    for (uint32_t i = 0; i < n; i++)
        if (repair_used(&s->slots[i]) && repair_drawn(&s->slots[i]) == drawn)
            settle(&s->slots[i], drawn, user);
}

ILB_INTERNAL void ilb__set_repair(ilb__set *s, ilb__set_settle settle,
                                  void *user)
{
    uint32_t n = ilb__load32_relaxed(&s->n_fresh);

    repair_choose_list(s, n);
    ilb__index_clear(&s->index);
    ilb__index_clear(&s->planned);
    s->n_free = s->n_listed = s->n_draining = 0;
    for (uint32_t i = 0; i < n; i++)
        repair_put(s, i);
    repair_settle(s, n, true, settle, user);
    ilb__set_publish(s);
    repair_settle(s, n, false, settle, user);
    ilb__set_reclaim(s);
}
