/* SPDX-License-Identifier: MIT */
/* The public object, and what its functions share. */
#ifndef ILB_API_BALANCER_H
#define ILB_API_BALANCER_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>

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
    uint64_t update_ns; /* when the update that goes on began */
    pthread_mutex_t writer;
    ilb_allocator allocator;
    void *memory;
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
