/* SPDX-License-Identifier: MIT */
/* The public object, and what its functions share. */
#ifndef ILB_API_BALANCER_H
#define ILB_API_BALANCER_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>

#include "api/upkeep.h"
#include "base/clock.h"
#include "observe/events.h"
#include "select/select.h"
#include "select/ticket.h"
#include "set/set.h"

struct ilb_balancer {
    ilb__selector selector;
    ilb__judge judge;
    ilb__set set;
    ilb__events events;
    ilb__time time;
    uint64_t secret;    /* of this balancer's tickets */
    bool shared;        /* between processes */
    bool upkept;        /* shared, or requests have a lease */
    uint64_t update_ns; /* when the update that goes on began */
    pthread_mutex_t writer;
    ilb_allocator allocator;
    void *memory;
    size_t memory_bytes; /* if it is shared */
    ilb__upkeep upkeep;
    char name[ILB_NAME_MAX + 1];
};

/* The time inside; `now_ns` is the caller's, 0: the clock's. */
static inline uint64_t ilb__balancer_now(ilb_balancer *b, uint64_t now_ns)
{
    return ilb__time_inside(&b->time, now_ns);
}

/* The slot of a ticket that is in flight: its endpoint's. */
static inline ilb__slot *ilb__balancer_slot(const ilb_balancer *b,
                                            const ilb_ticket *t)
{
    return &b->set.slots[ilb__endpoint_id_index(ilb__ticket_id(t))];
}

/* ---- Processes and leases (processes.c) -------------------------------- */

/* As ilb_balancer_new, on another system. */
ILB_INTERNAL int ilb__balancer_new_on(ilb_balancer **out, const char *name,
                                      const ilb_options *options,
                                      const ilb__system *system);

/* The mutex's owner has died: what he left half done. */
ILB_INTERNAL void ilb__balancer_repair(ilb_balancer *b);

/* The writer's mutex; if its last owner died with it, the set is repaired. */
ILB_INTERNAL void ilb__balancer_lock(ilb_balancer *b);
ILB_INTERNAL bool ilb__balancer_try_lock(ilb_balancer *b);
static inline void ilb__balancer_unlock(ilb_balancer *b)
{
    (void)pthread_mutex_unlock(&b->writer);
}

/* Gives this process its place, if it has none. */
ILB_COLD ILB_INTERNAL int ilb__balancer_enter_anew(ilb_balancer *b);

/* Before anything that a process may leave half done when it is killed. ILB_OK
 * or ILB_EPROCESSES. */
static inline int ilb__balancer_enter(ilb_balancer *b)
{
    if (ILB_LIKELY(!b->shared) ||
        ILB_LIKELY(ilb__process_here(&b->upkeep.processes) != 0))
        return ILB_OK;
    return ilb__balancer_enter_anew(b);
}

/* Of this process's tickets. */
static inline uint64_t ilb__balancer_secret(const ilb_balancer *b)
{
    if (ILB_LIKELY(!b->shared))
        return b->secret;
    return b->secret ^
           ilb__mix64(ilb__load_relaxed(&b->upkeep.processes.self->stamp));
}

/* Does the ticket, which is this process's, still count? */
ILB_INTERNAL bool ilb__balancer_counts(const ilb_balancer *b,
                                       const ilb_ticket *t);

/* In flight, and has not been given back. */
static inline bool ilb__balancer_in_flight(const ilb_balancer *b,
                                           const ilb_ticket *t)
{
    if (ILB_LIKELY(!b->upkept))
        return ilb__ticket_in_flight(b->secret, t);
    return ilb__ticket_in_flight(ilb__balancer_secret(b), t) &&
           ilb__balancer_counts(b, t);
}

/* What this process holds of the ticket's endpoint. */
static inline ilb__held *ilb__balancer_held(const ilb_balancer *b,
                                            const ilb_ticket *t)
{
    const ilb__upkeep *u = &b->upkeep;
    uint32_t stamp = (uint32_t)ilb__load_relaxed(&u->processes.self->stamp);

    return ilb__holdings_of(&u->holdings, ilb__process_index(stamp),
                            ilb__endpoint_id_index(ilb__ticket_id(t)));
}

/* It is taken, after all have counted it; it ends, before. */
ILB_INTERNAL void ilb__balancer_takes(const ilb_balancer *b,
                                      const ilb_ticket *t);
ILB_INTERNAL bool ilb__balancer_drops(const ilb_balancer *b,
                                      const ilb_ticket *t);

/* What is to be done from time to time. */
ILB_INTERNAL void ilb__balancer_keep_up(ilb_balancer *b, uint64_t now_ns);

/* As ilb__balancer_enter, and that. */
static inline int ilb__balancer_begin(ilb_balancer *b, uint64_t now_ns)
{
    int rc;

    if (ILB_LIKELY(!b->upkept))
        return ILB_OK;
    rc = ilb__balancer_enter(b);
    if (rc == ILB_OK)
        ilb__balancer_keep_up(b, now_ns);
    return rc;
}

/* This process goes: what it holds is given back. */
ILB_INTERNAL void ilb__balancer_leave(ilb_balancer *b);

/* The caller is about to return, with no lock. */
static inline void ilb__balancer_tell(ilb_balancer *b)
{
    if (ilb__events_pending(&b->events))
        ilb__events_tell(&b->events);
}

/* A probe that begins or ends without a result. */
ILB_INTERNAL void ilb__balancer_notes_probe(ilb_balancer *b,
                                            const ilb_ticket *t,
                                            ilb_event_type type, ilb_state from,
                                            uint64_t now_ns);

#endif
