/* SPDX-License-Identifier: MIT */
/* See events.h. */
#include "observe/events.h"

#include <string.h>

#include "observe/stats.h"

/* An update may fill one part in so many of the ring with events of its own. */
#define EVENTS_UPDATE_PART 4
#define EVENTS_WRITER_SHIFT 48
#define EVENTS_NUMBER_MASK ((UINT64_C(1) << EVENTS_WRITER_SHIFT) - 1)
#define EVENTS_ASKS UINT64_C(0xffffffff)

_Static_assert(sizeof(ilb_event) % sizeof(ilb__a64) == 0,
               "an event is whole words");

typedef enum events_found {
    EVENTS_WHOLE,
    EVENTS_LOST,
    EVENTS_UNFINISHED
} events_found;

ILB_INTERNAL void ilb__events_init(ilb__events *e, ilb__arena *a,
                                   uint32_t capacity)
{
    e->capacity = capacity;
    e->entries = ilb__arena_take(a, capacity, sizeof *e->entries);
}

/* ---- Writing ----------------------------------------------------------- */

static ilb__events_entry *events_place(const ilb__events *e, uint64_t number)
{
    return &e->entries[number % e->capacity];
}

/* This process; 0: the balancer is private. */
static uint32_t events_stamp(const ilb__events *e)
{
    return ILB_LIKELY(e->processes == NULL) ? 0
                                            : ilb__process_here(e->processes);
}

/* Who writes, in an odd stamp; 0: the balancer is private. */
static uint64_t events_writer(uint32_t stamp)
{
    return stamp == 0 ? 0
                      : (uint64_t)(ilb__process_index(stamp) + 1)
                            << EVENTS_WRITER_SHIFT;
}

/* False: somebody is at work in it, or has put in a newer one. */
static bool events_claim(const ilb__events *e, ilb__events_entry *entry,
                         uint64_t number)
{
    uint64_t stamp = ilb__load_relaxed(&entry->stamp);

    while (stamp % 2 == 0 && stamp < 2 * number)
        /* Acquire: pairs with the release in ilb__events_write of the event
         * before, whose words ours replace. Release: nothing depends on it,
         * the fence before our words is what orders. */
        if (ilb__cas_acq_rel(&entry->stamp, &stamp,
                             events_writer(events_stamp(e)) | (2 * number + 1)))
            return true;
    return false;
}

static void events_give_up(ilb__events_entry *entry, uint64_t number)
{
    uint64_t lost = ilb__load_relaxed(&entry->lost);

    while (lost < number && !ilb__cas_relaxed(&entry->lost, &lost, number))
        continue;
}

ILB_INTERNAL void ilb__events_write(ilb__events *e, ilb_event *event)
{
    uint64_t words[ILB_EVENT_WORDS];
    ilb__events_entry *entry;

    if (e->capacity == 0)
        return;
    if (event->time_ns == 0)
        event->time_ns = e->time->clock_ns(e->time->user);
    event->size = sizeof *event;
    event->number = ilb__add_relaxed(&e->n_numbered, 1) + 1;
    entry = events_place(e, event->number);
    if (events_claim(e, entry, event->number)) {
        memcpy(words, event, sizeof words);
        /* Pairs with the fence in events_look: who reads one of these words
         * sees that the entry has been claimed. */
        ilb__fence_release();
        for (size_t i = 0; i < ILB_EVENT_WORDS; i++)
            ilb__store_relaxed(&entry->words[i], words[i]);
        /* Pairs with the acquire in events_look: the words are there. And with
         * the acquire in events_claim: the next event's come after them. */
        ilb__store_release(&entry->stamp, 2 * event->number);
    } else {
        events_give_up(entry, event->number);
    }
    /* Pairs with the acquire in ilb__events_tell: who has counted us asks for
     * what we have written to be told. */
    ilb__add_release(&e->n_through, 1);
}

/* ---- What happened ----------------------------------------------------- */

/* Whoever makes an event has a ticket or the mutex, so that the slot is still
 * that endpoint's; but the sweep (health/sweep.h) has neither. If it is stopped
 * after it has ejected, until the slot has been given to another endpoint, its
 * event tells of that one. */
static void events_of_slot(ilb_event *event, const ilb__slot *slot)
{
    uint32_t generation =
        ilb__load_generation(ilb__load_relaxed(&slot->load.word));

    memset(event, 0, sizeof *event);
    (void)ilb__slot_address(slot, generation, event->address);
    event->enforced = 1;
    event->ejections = ilb__load_relaxed(&slot->ejections);
}

ILB_INTERNAL void ilb__events_transition(const ilb__slot *slot,
                                         const ilb__transition *t, void *user)
{
    ilb__events *e = user;
    ilb_event event;

    events_of_slot(&event, slot);
    event.time_ns = ilb__time_outside(e->time, t->now_ns, t->now_ns);
    event.type = t->type;
    event.from = t->from;
    event.to = t->to;
    event.detector = t->verdict.detector;
    event.reason = t->reason;
    event.enforced = t->type != ILB_EVENT_EJECT_REFUSED;
    event.statistic = t->verdict.statistic;
    event.threshold = t->verdict.threshold;
    event.requests = t->evidence.requests;
    event.failures = t->evidence.failures;
    event.until_ns = ilb__time_outside(e->time, t->until_ns, t->now_ns);
    ilb__events_write(e, &event);
}

ILB_INTERNAL void ilb__events_begin_update(ilb__events *e)
{
    e->n_changes = e->more_entered = e->more_left = e->more_readiness = 0;
}

ILB_INTERNAL void ilb__events_change(ilb__events *e, const ilb__slot *slot,
                                     bool was_listed, uint8_t was_readiness)
{
    uint64_t health = ilb__load_relaxed(&slot->health);
    ilb_event event;

    if (e->n_changes > e->capacity / EVENTS_UPDATE_PART) {
        e->more_readiness += slot->listed == was_listed;
        e->more_entered += slot->listed && !was_listed;
        e->more_left += !slot->listed;
        return;
    }
    e->n_changes++;
    events_of_slot(&event, slot);
    event.type = slot->listed == was_listed ? ILB_EVENT_READINESS
                 : slot->listed             ? ILB_EVENT_ENTERED
                                            : ILB_EVENT_LEFT;
    event.to = ilb__stats_state(slot->listed, slot->readiness, health);
    event.from =
        was_listed ? ilb__stats_state(true, was_readiness, health) : event.to;
    ilb__events_write(e, &event);
}

ILB_INTERNAL void ilb__events_end_update(ilb__events *e)
{
    ilb_event event;

    if (e->more_entered + e->more_left + e->more_readiness == 0)
        return;
    memset(&event, 0, sizeof event);
    event.type = ILB_EVENT_UPDATED;
    event.enforced = 1;
    event.entered = e->more_entered;
    event.left = e->more_left;
    event.readiness = e->more_readiness;
    ilb__events_write(e, &event);
}

/* ---- Reading ----------------------------------------------------------- */

static events_found events_look(const ilb__events *e, uint64_t number,
                                ilb_event *out)
{
    const ilb__events_entry *entry = events_place(e, number);
    /* Pairs with the release in ilb__events_write: the words are there. And
     * with the release in ilb__events_bury: it is lost. */
    uint64_t stamp = ilb__load_acquire(&entry->stamp);
    uint64_t words[ILB_EVENT_WORDS];

    /* Before it is looked at: what was buried looks whole. */
    if (ilb__load_relaxed(&entry->lost) >= number)
        return EVENTS_LOST;
    if (stamp == 2 * number) {
        for (size_t i = 0; i < ILB_EVENT_WORDS; i++)
            words[i] = ilb__load_relaxed(&entry->words[i]);
        /* Pairs with the fence in ilb__events_write: if one of these words was
         * of a later event, so is the stamp. */
        ilb__fence_acquire();
        if (ilb__load_relaxed(&entry->stamp) != stamp)
            return EVENTS_LOST;
        memcpy(out, words, sizeof words);
        return EVENTS_WHOLE;
    }
    return (stamp & EVENTS_NUMBER_MASK) > 2 * number + 1 ? EVENTS_LOST
                                                         : EVENTS_UNFINISHED;
}

/* The first number after `after` that may still be there. */
static uint64_t events_next(const ilb__events *e, uint64_t after, uint64_t last)
{
    return last > e->capacity && after < last - e->capacity
               ? last - e->capacity + 1
               : after + 1;
}

ILB_INTERNAL size_t ilb__events_read(const ilb__events *e, uint64_t after,
                                     ilb_event *out, size_t max)
{
    uint64_t last = ilb__load_relaxed(&e->n_numbered);
    size_t n = 0;

    if (after >= last)
        return 0;
    for (uint64_t k = events_next(e, after, last); k <= last && n < max; k++) {
        events_found found = events_look(e, k, &out[n]);

        if (found == EVENTS_UNFINISHED)
            break;
        n += found == EVENTS_WHOLE;
    }
    return n;
}

/* ---- Telling ----------------------------------------------------------- */

static void events_tell_all(ilb__events *e)
{
    ilb_event event;

    for (;;) {
        uint64_t last = ilb__load_relaxed(&e->n_numbered);
        events_found found;
        uint64_t number;

        if (e->told >= last)
            return;
        number = events_next(e, e->told, last);
        found = events_look(e, number, &event);
        if (found == EVENTS_UNFINISHED)
            return;
        e->told = number;
        if (found == EVENTS_WHOLE)
            e->on_event(&event, e->user);
    }
}

/* One more has asked. The word; `before` is what it was. */
static uint64_t events_ask(ilb__events *e, uint64_t *before)
{
    uint64_t mine = (uint64_t)events_stamp(e) << 32 | 1;
    uint64_t asked = ilb__load_relaxed(&e->asked), next;

    do
        next = asked == 0 ? mine : asked + 1;
    /* Release: pairs with the acquire in ilb__events_tell by which the teller
     * fails to end: he sees what we ask for. Acquire: pairs with the release in
     * ilb__events_tell and ilb__events_bury by which the last teller has ended,
     * or was ended: `told` is ours. */
    while (!ilb__cas_acq_rel(&e->asked, &asked, next));
    *before = asked;
    return next;
}

ILB_INTERNAL void ilb__events_tell(ilb__events *e)
{
    uint64_t asked, before;

    /* Pairs with the release in ilb__events_write: what was through is whole
     * to us, and by the ask to the teller. */
    ilb__store_relaxed(&e->n_seen, ilb__load_acquire(&e->n_through));
    asked = events_ask(e, &before);
    if (before != 0)
        return;
    do
        events_tell_all(e);
    /* Pairs with the two in events_ask: release of `told`, acquire
     * of what was asked for. (Of a CAS that succeeds nobody needs the acquire:
     * it is the last that a teller does.) */
    while (!ilb__cas_acq_rel(&e->asked, &asked, 0));
}

/* ---- When a process has ended ------------------------------------------ */

/* Whoever comes by next asks. */
static void events_ask_again(ilb__events *e)
{
    ilb__store_relaxed(&e->n_seen, ilb__load_relaxed(&e->n_through) - 1);
}

ILB_INTERNAL void ilb__events_bury(ilb__events *e, uint32_t stamp)
{
    uint64_t asked = ilb__load_relaxed(&e->asked);
    uint64_t writer = events_writer(stamp);

    /* Pairs with the two in events_ask: release of the `told` of who has died,
     * acquire of what was asked of him. */
    while (asked >> 32 == stamp && (asked & EVENTS_ASKS) != 0 &&
           !ilb__cas_acq_rel(&e->asked, &asked, 0))
        continue;
    for (uint64_t i = 0; i < e->capacity; i++) {
        ilb__events_entry *entry = &e->entries[i];
        uint64_t word = ilb__load_relaxed(&entry->stamp);
        uint64_t number = (word & EVENTS_NUMBER_MASK) / 2;

        if (word % 2 == 0 || (word & ~EVENTS_NUMBER_MASK) != writer)
            continue;
        events_give_up(entry, number);
        /* Pairs with the acquire in events_look: who sees it even sees that it
         * is lost. */
        ilb__store_release(&entry->stamp, 2 * number);
    }
    events_ask_again(e);
}

ILB_INTERNAL void ilb__events_give_up_before(ilb__events *e, uint64_t last)
{
    uint64_t first = last > e->capacity ? last - e->capacity + 1 : 1;

    for (uint64_t k = first; e->capacity > 0 && k <= last; k++) {
        ilb__events_entry *entry = events_place(e, k);

        if ((ilb__load_relaxed(&entry->stamp) & EVENTS_NUMBER_MASK) < 2 * k)
            events_give_up(entry, k);
    }
    events_ask_again(e);
}
