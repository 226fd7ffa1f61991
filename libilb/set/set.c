/* SPDX-License-Identifier: MIT */
/* See set.h. */
#include "set/set.h"

#include <string.h>

#include "base/hash.h"
#include "set/order.h"

ILB_INTERNAL void ilb__set_init(ilb__set *s, ilb__arena *a, uint32_t capacity,
                                uint64_t salt)
{
    uint32_t n_slots = 3 * capacity;

    s->capacity = capacity;
    s->n_slots = n_slots;
    s->salt = salt;
    s->slots = ilb__arena_take(a, n_slots, sizeof *s->slots);
    s->free = ilb__arena_take(a, n_slots, sizeof *s->free);
    s->listed = ilb__arena_take(a, capacity, sizeof *s->listed);
    s->draining = ilb__arena_take(a, n_slots, sizeof *s->draining);
    s->plan = ilb__arena_take(a, capacity, sizeof *s->plan);
    s->ids = ilb__arena_take(a, capacity, sizeof *s->ids);
    s->weights = ilb__arena_take(a, capacity, sizeof *s->weights);
    s->keys = ilb__arena_take(a, 2 * (size_t)capacity, sizeof *s->keys);
    ilb__index_init(&s->index, a, n_slots);
    ilb__index_init(&s->planned, a, capacity);
    ilb__table_init(&s->table, a, capacity);
}

static uint64_t set_slot_hash(uint32_t number, const void *user)
{
    return ((const ilb__set *)user)->slots[number].hash;
}

static uint64_t set_hash(const ilb__set *s, const char *address)
{
    return ilb__hash_bytes(address, strlen(address), s->salt);
}

/* The slot of an address, listed or draining; ILB_INDEX_NONE. */
static uint32_t set_lookup(const ilb__set *s, const char *address,
                           uint64_t hash)
{
    uint32_t cursor = ilb__index_start(&s->index, hash);
    uint32_t i;

    while ((i = ilb__index_next(&s->index, &cursor)) != ILB_INDEX_NONE)
        if (s->slots[i].hash == hash &&
            strcmp(s->slots[i].address, address) == 0)
            return i;
    return ILB_INDEX_NONE;
}

ILB_INTERNAL ilb__slot *ilb__set_find(const ilb__set *s, const char *address)
{
    uint32_t i = set_lookup(s, address, set_hash(s, address));

    return i == ILB_INDEX_NONE || !s->slots[i].listed ? NULL : &s->slots[i];
}

ILB_INTERNAL void ilb__set_reclaim(ilb__set *s)
{
    uint32_t kept = 0;

    for (uint32_t k = 0; k < s->n_draining; k++) {
        uint32_t i = s->draining[k];
        ilb__slot *slot = &s->slots[i];

        if (!ilb__load_recycle(&slot->load)) {
            slot->position = kept;
            s->draining[kept++] = i;
            continue;
        }
        ilb__index_remove(&s->index, slot->hash, i, set_slot_hash, s);
        ilb__slot_set_used(slot, false);
        s->free[s->n_free++] = i;
    }
    s->n_draining = kept;
}

/* ---- Planning ---------------------------------------------------------- */

/* Is the address in the list already, at a position before `position`? */
static bool set_planned_twice(const ilb__set *s, const ilb_endpoint *endpoints,
                              const char *address, uint64_t hash)
{
    uint32_t cursor = ilb__index_start(&s->planned, hash);
    uint32_t i;

    while ((i = ilb__index_next(&s->planned, &cursor)) != ILB_INDEX_NONE)
        if (strcmp(endpoints[i].address, address) == 0)
            return true;
    return false;
}

static int set_plan_one(ilb__set *s, const ilb_endpoint *endpoints, uint32_t i)
{
    const char *address = endpoints[i].address;
    uint64_t hash = set_hash(s, address);
    uint32_t known = set_lookup(s, address, hash);

    s->plan[i] = known;
    if (known != ILB_INDEX_NONE) {
        if (s->slots[known].plan == s->n_plans)
            return ILB_EDUPLICATE;
        s->slots[known].plan = s->n_plans;
        return ILB_OK;
    }
    if (set_planned_twice(s, endpoints, address, hash))
        return ILB_EDUPLICATE;
    ilb__index_add(&s->planned, hash, i);
    return ILB_OK;
}

ILB_INTERNAL int ilb__set_plan(ilb__set *s, const ilb_endpoint *endpoints,
                               size_t n)
{
    uint32_t n_planned = 0, n_new = 0;
    int rc = ILB_OK;

    if (n > s->capacity)
        return ILB_ECAPACITY;
    ilb__set_reclaim(s);
    s->n_plans++;
    while (rc == ILB_OK && n_planned < n) {
        rc = set_plan_one(s, endpoints, n_planned);
        if (rc == ILB_OK)
            n_new += s->plan[n_planned++] == ILB_INDEX_NONE;
    }
    for (uint32_t i = 0; i < n_planned; i++)
        if (s->plan[i] == ILB_INDEX_NONE)
            ilb__index_forget(&s->planned, set_hash(s, endpoints[i].address),
                              i);
    if (rc == ILB_OK &&
        n_new > s->n_free + (s->n_slots - ilb__load32_relaxed(&s->n_fresh)))
        rc = ILB_ECAPACITY;
    return rc;
}

/* ---- Applying ---------------------------------------------------------- */

/* A slot for a new endpoint, with nothing learned. Its load word stays: its
 * generation is the slot's, and late readers may be undoing a take in it. */
static uint32_t set_new_slot(ilb__set *s, const char *address)
{
    uint32_t i = s->n_free > 0 ? s->free[--s->n_free]
                               : ilb__add32_relaxed(&s->n_fresh, 1);
    ilb__slot *slot = &s->slots[i];

    ilb__latency_forget(&slot->latency);
    ilb__store32_relaxed(&slot->peaks, 0);
    ilb__store_relaxed(&slot->failures.word, 0);
    ilb__store_relaxed(&slot->evidence, 0);
    ilb__window_reset(&slot->window);
    ilb__store_relaxed(&slot->extra_cost, 0);
    ilb__store_relaxed(&slot->ejections, 0);
    ilb__store_relaxed(&slot->refusals, 0);
    ilb__store_relaxed(&slot->heard, 0);
    ilb__store_relaxed(&slot->lost.n, 0);
    ilb__store_relaxed(&slot->anew_ns, 0);
    ilb__store_relaxed(&slot->asked_ns, 0);
    ilb__store_relaxed(&slot->leaked_ns, 0);
    ilb__store_relaxed(&slot->leaked, 0);
    ilb__epochs_forget(&slot->overtaken);
    ilb__epochs_forget(&slot->longlived);
    for (int k = 0; k < ILB_OUTCOME_COUNT; k++)
        ilb__store_relaxed(&slot->done[k], 0);
    for (int k = 0; k < ILB_DETECTOR_COUNT; k++) {
        ilb__store32_relaxed(&slot->detected[k], 0);
        ilb__store32_relaxed(&slot->enforced[k], 0);
        ilb__store32_relaxed(&slot->noted[k], 0);
    }
    ilb__slot_set_address(slot, address);
    slot->hash = set_hash(s, address);
    slot->plan = s->n_plans;
    slot->listed = false;
    slot->readiness = ILB_NOT_READY;
    ilb__slot_set_used(slot, true);
    ilb__index_add(&s->index, slot->hash, i);
    return i;
}

static void set_undrain(ilb__set *s, const ilb__slot *slot)
{
    uint32_t last = s->draining[--s->n_draining];

    s->draining[slot->position] = last;
    s->slots[last].position = slot->position;
}

/* Where the table and the rooms above stand with a slot: may it be drawn? */
static bool set_can_be_drawn(const ilb__slot *slot)
{
    return slot->listed && slot->readiness == ILB_READY;
}

static void set_changed(const ilb__slot *slot, bool was_listed,
                        uint8_t was_readiness, const ilb__set_watch *watch)
{
    if (watch->changes != NULL &&
        (slot->listed != was_listed || slot->readiness != was_readiness))
        watch->changes(slot, was_listed, was_readiness, watch->user);
}

static void set_enter(ilb__set *s, uint32_t position, const ilb_endpoint *e,
                      const ilb__set_watch *watch)
{
    uint32_t i = s->plan[position];
    ilb__slot *slot;
    bool before, was_listed;
    uint8_t was_readiness;

    if (i == ILB_INDEX_NONE)
        i = s->plan[position] = set_new_slot(s, e->address);
    else if (!s->slots[i].listed)
        set_undrain(s, &s->slots[i]);
    slot = &s->slots[i];
    before = set_can_be_drawn(slot);
    was_listed = slot->listed;
    was_readiness = slot->readiness;
    if (!was_listed)
        slot->listed_by = s->n_plans;
    ilb__fence_killed();
    slot->listed = true;
    slot->readiness = (uint8_t)e->readiness;
    ilb__store32_relaxed(&slot->weight, e->weight == 0 ? 1 : e->weight);
    /* Pairs with the acquire in ilb_ticket_user and ilb__stats_of: who reads a
     * pointer that an endpoint has got since his table was published sees what
     * it points to. */
    ilb__store_pointer_release(&slot->user, e->user);
    if (!before && set_can_be_drawn(slot))
        watch->enters(slot, watch->user);
    set_changed(slot, was_listed, was_readiness, watch);
}

ILB_INTERNAL void ilb__set_publish(ilb__set *s)
{
    uint32_t n = 0;

    for (uint32_t k = 0; k < s->n_listed; k++)
        if (set_can_be_drawn(&s->slots[s->listed[k]]))
            s->keys[n++] =
                ilb__order_key(s->slots[s->listed[k]].hash, s->listed[k]);
    ilb__order_sort(s->keys, s->keys + s->capacity, n);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = ilb__order_number(s->keys[k]);
        const ilb__slot *slot = &s->slots[i];

        s->ids[k] = ilb__endpoint_id_of(
            i, ilb__load_generation(ilb__load_relaxed(&slot->load.word)));
        s->weights[k] = ilb__load32_relaxed(&slot->weight);
    }
    ilb__table_publish(&s->table, s->ids, s->weights, n, s->n_listed);
}

/* Those of the old list that the new one does not have. Not yet told to the
 * rooms above: they may still be drawn. */
static void set_drain_missing(ilb__set *s)
{
    for (uint32_t k = 0; k < s->n_listed; k++) {
        uint32_t i = s->listed[k];
        ilb__slot *slot = &s->slots[i];

        if (slot->plan == s->n_plans)
            continue;
        slot->listed = false;
        slot->position = s->n_draining;
        s->draining[s->n_draining++] = i;
    }
}

ILB_INTERNAL void ilb__set_apply(ilb__set *s, const ilb_endpoint *endpoints,
                                 uint32_t n, const ilb__set_watch *watch)
{
    uint32_t n_drained;

    ilb__set_step(&s->stage, ILB__SET_ENTERING);
    for (uint32_t i = 0; i < n; i++)
        set_enter(s, i, &endpoints[i], watch);
    ilb__set_step(&s->stage, ILB__SET_LEAVING);
    n_drained = s->n_draining;
    set_drain_missing(s);
    for (uint32_t i = 0; i < n; i++) {
        s->listed[i] = s->plan[i];
        s->slots[s->plan[i]].position = i;
    }
    s->n_listed = n;
    ilb__set_publish(s);
    /* `leaves` does nothing for what has left before. */
    for (uint32_t k = n_drained; k < s->n_draining; k++) {
        ilb__slot *slot = &s->slots[s->draining[k]];

        set_changed(slot, true, slot->readiness, watch);
        watch->leaves(slot, watch->user);
    }
    for (uint32_t k = 0; k < n; k++)
        if (!set_can_be_drawn(&s->slots[s->listed[k]]))
            watch->leaves(&s->slots[s->listed[k]], watch->user);
    ilb__set_step(&s->stage, ILB__SET_STILL);
    ilb__set_reclaim(s);
}

ILB_INTERNAL void ilb__set_change_readiness(ilb__set *s, ilb__slot *slot,
                                            ilb_readiness readiness,
                                            const ilb__set_watch *watch)
{
    bool before = set_can_be_drawn(slot);
    bool enters = !before && readiness == ILB_READY;
    uint8_t was_readiness = slot->readiness;

    slot->readiness = (uint8_t)readiness;
    if (enters)
        watch->enters(slot, watch->user);
    set_changed(slot, slot->listed, was_readiness, watch);
    if (before == set_can_be_drawn(slot))
        return;
    ilb__set_publish(s);
    if (before)
        watch->leaves(slot, watch->user);
}
