/* SPDX-License-Identifier: MIT */
/*
 * The event ring: what happened to the endpoints, and telling it.
 *
 * Any number of threads write, each the event that it made; any number read;
 * nobody waits for anybody. An event takes the next number n and with it the
 * entry n mod capacity, whose stamp says what is in it:
 *
 *     2 n      event n, whole
 *     2 n + 1  event n is being written; from bit 48 on by whom: the index of
 *              the process + 1, where several share the balancer
 *
 * A writer claims the entry by one CAS from an even, older stamp. If another
 * one is still at work there, a whole ring late, the writer gives its event up
 * and notes the number as lost; so one that dies in the middle costs its entry
 * and holds up nobody. A reader copies the entry between two looks at the
 * stamp: equal and 2 n means that it has event n. (The sequence lock of
 * set/table.h, one for each entry.)
 *
 * Readers stop at an event that is still being written, so that they never
 * skip it: it is whole a moment later, or a ring later lost.
 *
 * Telling. Whoever has written an event, or comes by later, asks for it to be
 * told: one step on `asked`, which counts the asks and says who tells. Who
 * finds 0 there tells, until no more have asked: one CAS back to 0, which fails
 * while others have. All others, and the callback itself, have asked and go on.
 * So there is one teller at a time, and no event that was written before an ask
 * is left behind:
 *   - writing, then the ask (release), then the teller's CAS, which sees it
 *     (acquire), then another look at the ring;
 *   - `n_through` counts writers that are through, `n_seen` as many as somebody
 *     has asked for since: equal means that there is nothing to ask for, which
 *     is all that ilb_done looks at.
 *
 * A process that is killed here (ilb__events_bury):
 *   - while it tells: it is no longer who tells, and somebody else goes on
 *     after the event that it told last, or was telling;
 *   - while it writes: its event is lost, its entry free again;
 *   - between its number and its entry: readers would wait for that event for a
 *     whole ring. What is unfinished a second after a process has ended is
 *     given up (ilb__events_give_up_before). If its writer was only slow, the
 *     event is lost.
 */
#ifndef ILB_OBSERVE_EVENTS_H
#define ILB_OBSERVE_EVENTS_H

#include "base/clock.h"
#include "base/memory.h"
#include "base/process.h"
#include "health/health.h"

#define ILB_EVENT_WORDS (sizeof(ilb_event) / sizeof(ilb__a64))

typedef struct ilb__events_entry {
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 stamp;
    ilb__a64 lost; /* the highest number that was given up here */
    ilb__a64 words[ILB_EVENT_WORDS];
} ilb__events_entry;

typedef struct ilb__events {
    ilb__events_entry *entries;
    uint64_t capacity; /* 0: no events */
    ilb_event_callback on_event;
    void *user;
    const ilb__time *time;
    const ilb__processes *processes; /* NULL: the balancer is private */
    /* The writer's, under the balancer's mutex: of the update at work. */
    uint32_t n_changes;
    uint32_t more_entered, more_left, more_readiness;

    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 n_numbered;
    ilb__a64 n_through;
    ilb__a64 n_seen;
    ilb__a64 asked; /* bits 0..31 asks, 32..63 the teller's stamp */
    uint64_t told;  /* the teller's: the last number told, or lost */
} ilb__events;

/* Takes the entries from the arena. */
ILB_INTERNAL void ilb__events_init(ilb__events *e, ilb__arena *a,
                                   uint32_t capacity);

/* Writes an event; its size and number are set here, and its time if that is
 * 0. Times in it are outside. */
ILB_INTERNAL void ilb__events_write(ilb__events *e, ilb_event *event);

/* The watcher of ilb__judge: `user` is an ilb__events. */
ILB_INTERNAL void ilb__events_transition(const ilb__slot *slot,
                                         const ilb__transition *t, void *user);

/* Around an update, under the balancer's mutex: a list that changes many
 * endpoints gives an event each to the first, and one for the others. */
ILB_INTERNAL void ilb__events_begin_update(ilb__events *e);
ILB_INTERNAL void ilb__events_change(ilb__events *e, const ilb__slot *slot,
                                     bool was_listed, uint8_t was_readiness);
ILB_INTERNAL void ilb__events_end_update(ilb__events *e);

/* Copies the events after a number, at most `max`; returns how many. */
ILB_INTERNAL size_t ilb__events_read(const ilb__events *e, uint64_t after,
                                     ilb_event *out, size_t max);

/* Tells what there is to tell, unless somebody else is at it. Under no lock. */
ILB_INTERNAL void ilb__events_tell(ilb__events *e);

/* The process of this stamp has ended: nothing waits for it any more. */
ILB_INTERNAL void ilb__events_bury(ilb__events *e, uint32_t stamp);

/* Up to this number, what is not whole will not be. */
ILB_INTERNAL void ilb__events_give_up_before(ilb__events *e, uint64_t last);

/* Is there anything to ask for? */
static inline bool ilb__events_pending(const ilb__events *e)
{
    return ILB_UNLIKELY(e->on_event != NULL &&
                        ilb__load_relaxed(&e->n_through) !=
                            ilb__load_relaxed(&e->n_seen));
}

#endif
