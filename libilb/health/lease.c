/* SPDX-License-Identifier: MIT */
/* See lease.h. */
#include "health/lease.h"

/* Since it was looked at, has it turned? Then others are counted there. */
static bool lease_turned(const ilb__slot *slot, uint32_t parity,
                         uint64_t turned_ns)
{
    /* Pairs with the release in load_move, ilb__load_age_young and
     * ilb__load_expire: the time of a turn is there before the turn. */
    return ilb__load_parity(ilb__load_acquire(&slot->load.word)) != parity ||
           ilb__load_relaxed(&slot->load.turned_ns) != turned_ns;
}

/* The processes have no old ones any more. */
static void lease_take_held(const ilb__slot *slot, const ilb__holdings *h,
                            uint32_t k, uint32_t parity, uint64_t turned_ns)
{
    for (uint32_t row = 0; row < h->n_rows; row++) {
        ilb__held *held = ilb__holdings_of(h, row, k);
        uint64_t word = ilb__load_relaxed(&held->word), old;

        do {
            old = ilb__held_count(word, !parity) * ilb__held_one(!parity);
            if (old != 0 && lease_turned(slot, parity, turned_ns))
                return;
        } while (old != 0 && !ilb__cas_relaxed(&held->word, &word, word - old));
        if (old != 0 && ILB_UNLIKELY(lease_turned(slot, parity, turned_ns))) {
            /* Just now: nobody is to be refused for it. */
            ilb__add_relaxed(&held->word, old);
            return;
        }
    }
}

/* Nothing is in flight: no request has any extra cost. */
static void lease_idle(ilb__slot *slot, const ilb__holdings *h, uint32_t k)
{
    uint64_t extra;

    (void)ilb__lost_at_most(&slot->lost, &slot->extra_cost, 0);
    extra = ilb__load_relaxed(&slot->extra_cost);
    /* Fails if a request came meanwhile. */
    if (extra != 0)
        (void)ilb__cas_strong_relaxed(&slot->extra_cost, extra, 0);
    for (uint32_t row = 0; row < h->n_rows; row++) {
        ilb__held *held = ilb__holdings_of(h, row, k);

        extra = ilb__load_relaxed(&held->extra_cost);
        if (ilb__load_relaxed(&held->word) == 0 && extra != 0)
            (void)ilb__cas_strong_relaxed(&held->extra_cost, extra, 0);
    }
}

static void lease_expire(ilb__slot *slot, const ilb__holdings *h, uint32_t k,
                         uint64_t word, uint64_t turned_ns, uint64_t now_ns)
{
    uint32_t parity = ilb__load_parity(word);
    uint32_t n = 0;

    /* Before they are taken out: who is not counted any more is refused. */
    if (ilb__load_relaxed(&slot->leaked_ns) < turned_ns)
        ilb__store_relaxed(&slot->leaked_ns, turned_ns);
    lease_take_held(slot, h, k, parity, turned_ns);
    while (ilb__load_old(word) != 0 && ilb__load_parity(word) == parity &&
           (n = ilb__load_expire(&slot->load, word, now_ns)) == 0)
        /* Pairs with the release in load_move: as in lease_turned, it may have
         * turned. */
        word = ilb__load_acquire(&slot->load.word);
    if (n == 0)
        return;
    ilb__add_relaxed(&slot->leaked, n);
    ilb__reclaim_settle(slot);
}

ILB_INTERNAL void ilb__lease_look_at(ilb__slot *slot, const ilb__holdings *h,
                                     uint32_t k, uint64_t lease_ns,
                                     uint64_t now_ns)
{
    /* Pairs with the release in load_move, ilb__load_age_young and
     * ilb__load_expire: the time is that of its turn, or a later one. */
    uint64_t word = ilb__load_acquire(&slot->load.word);
    uint64_t turned_ns = ilb__load_relaxed(&slot->load.turned_ns);

    if (ilb__load_in_flight(word) == 0) {
        if (ILB_UNLIKELY(ilb__load_relaxed(&slot->extra_cost) != 0))
            lease_idle(slot, h, k);
        return;
    }
    if (ilb__load_unanswered(word) == 0 ||
        ilb__elapsed_ns(turned_ns, now_ns) < lease_ns)
        return;
    if (ilb__load_old(word) == 0)
        (void)ilb__load_age_young(&slot->load, word, now_ns);
    else
        lease_expire(slot, h, k, word, turned_ns, now_ns);
}
