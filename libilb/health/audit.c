/* SPDX-License-Identifier: MIT */
/* See audit.h. */
#include "health/audit.h"

#include <string.h>

#include "health/word.h"

#define AUDIT_TRIES 4

/* One slot's books. */
typedef struct audit_books {
    uint64_t load, extra_cost, lost; /* of all */
    uint64_t held[ILB_HELD_PLACES];  /* of the processes */
    uint64_t held_extra_cost;
} audit_books;

ILB_INTERNAL void ilb__audit_init(ilb__audit *a, ilb__arena *arena,
                                  uint32_t n_slots)
{
    a->notes = ilb__arena_take(arena, n_slots, sizeof *a->notes);
}

/* In no order: it is read twice, and what three looks a second apart have found
 * is not what was on its way. */
static void audit_read(audit_books *b, const ilb__slot *slot,
                       const ilb__holdings *h, uint32_t n_rows, uint32_t k)
{
    memset(b, 0, sizeof *b);
    for (uint32_t row = 0; row < n_rows; row++) {
        const ilb__held *held = ilb__holdings_of(h, row, k);
        uint64_t word = ilb__load_relaxed(&held->word);

        for (uint32_t where = 0; where < ILB_HELD_PLACES; where++)
            b->held[where] += ilb__held_count(word, where);
        b->held_extra_cost += ilb__load_relaxed(&held->extra_cost);
    }
    b->load = ilb__load_relaxed(&slot->load.word);
    b->extra_cost = ilb__load_relaxed(&slot->extra_cost);
    b->lost = ilb__load_relaxed(&slot->lost.n);
}

/* False: it never stands still. */
static bool audit_read_twice(audit_books *b, const ilb__slot *slot,
                             const ilb__holdings *h, uint32_t n_rows,
                             uint32_t k)
{
    audit_books again;

    audit_read(b, slot, h, n_rows, k);
    for (int i = 0; i < AUDIT_TRIES; i++) {
        audit_read(&again, slot, h, n_rows, k);
        if (memcmp(b, &again, sizeof again) == 0)
            return true;
        *b = again;
    }
    return false;
}

static uint16_t audit_more(const audit_books *b, uint32_t where)
{
    uint32_t n = ilb__load_count(b->load, where);

    return n > b->held[where] ? (uint16_t)(n - b->held[where]) : 0;
}

/* What this look and those before have found. */
static void audit_put_down(ilb__audit_note *note, const audit_books *b)
{
    uint64_t extra =
        b->extra_cost - b->held_extra_cost + b->lost * ILB_COST_ONE;
    bool any = false;

    for (uint32_t where = 0; where < ILB_HELD_PLACES; where++) {
        uint16_t more = audit_more(b, where);

        if (note->looks == 0 || more < note->more[where])
            note->more[where] = more;
        any = any || note->more[where] != 0;
    }
    if (note->looks == 0)
        note->extra_cost = extra;
    else if (note->extra_cost != extra)
        note->extra_cost = 0;
    any = any || note->extra_cost != 0;
    note->looks = any ? (uint8_t)(note->looks + 1) : 0;
}

static void audit_correct(ilb__audit_note *note, ilb__slot *slot,
                          uint64_t now_ns)
{
    ilb__sub_relaxed(&slot->extra_cost, note->extra_cost);
    for (uint32_t where = 0; where < ILB_HELD_PLACES; where++)
        ilb__reclaim_return(slot, where, note->more[where], now_ns);
    ilb__reclaim_settle(slot);
    note->looks = 0;
}

static void audit_look_at(ilb__audit *a, ilb__slot *slot,
                          const ilb__holdings *h, uint32_t n_rows, uint32_t k,
                          uint64_t now_ns)
{
    ilb__audit_note *note = &a->notes[k];
    audit_books books;

    a->n_ejected += ilb__word_counts(
        ilb__health_state_of(ilb__load_relaxed(&slot->health)));
    if (!audit_read_twice(&books, slot, h, n_rows, k)) {
        note->looks = 0;
        return;
    }
    audit_put_down(note, &books);
    if (note->looks == 0)
        return;
    a->found = true;
    if (note->looks >= ILB_AUDIT_LOOKS)
        audit_correct(note, slot, now_ns);
}

static void audit_ejected(ilb__audit *a, ilb__judge *j)
{
    uint32_t n = ilb__load32_relaxed(&j->n_ejected);
    uint32_t more = n - a->n_ejected;

    if (more == 0) {
        a->ejected_looks = 0;
        return;
    }
    a->found = true;
    a->ejected_looks = more == a->more_ejected ? a->ejected_looks + 1 : 1;
    a->more_ejected = more;
    if (a->ejected_looks < ILB_AUDIT_LOOKS)
        return;
    if (ilb__cas32_strong_relaxed(&j->n_ejected, n, n - more))
        a->ejected_looks = 0;
}

/* True: a look is going on. */
static bool audit_begin(ilb__audit *a, uint64_t now_ns)
{
    if (a->going)
        return true;
    if (!a->wanted ||
        (a->began_ns != 0 &&
         ilb__elapsed_ns(a->began_ns, now_ns) < ILB_AUDIT_PERIOD_NS))
        return false;
    a->going = true;
    a->wanted = false; /* who ends from here on wants another look */
    a->found = false;
    a->at = a->n_ejected = 0;
    a->began_ns = now_ns;
    return true;
}

ILB_INTERNAL void ilb__audit_go_on(ilb__audit *a, ilb__judge *j,
                                   ilb__slot *slots, uint32_t n_slots,
                                   const ilb__holdings *h, uint32_t n_rows,
                                   uint32_t most, uint64_t now_ns)
{
    if (!audit_begin(a, now_ns))
        return;
    for (; a->at < n_slots && most > 0; a->at++, most--)
        audit_look_at(a, &slots[a->at], h, n_rows, a->at, now_ns);
    if (a->at < n_slots)
        return;
    audit_ejected(a, j);
    a->wanted = a->wanted || a->found;
    a->going = false;
}
