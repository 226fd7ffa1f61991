/* SPDX-License-Identifier: MIT */
/*
 * What will happen when. The earliest event comes first; of those at the same
 * nanosecond the one that was put in first.
 *
 * Most events lie the same time ahead: the network delay. Those come in the
 * order in which they were put in, so they wait in a ring (the wire), which
 * costs a few instructions. All others wait in a 4-ary heap: half as deep as a
 * binary one, and four children lie in two cache lines.
 */
#ifndef SIM_EVENTS_H
#define SIM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sim_event {
    uint64_t at_ns;
    uint64_t order; /* sequence number, then 8 bits of the kind */
    uint32_t a, b;  /* what the kind makes of them */
} sim_event;

typedef struct sim_events {
    sim_event *heap;
    size_t n_heap, heap_room;
    sim_event *wire;
    size_t first, n_wire, wire_room; /* the room is a power of two */
    uint64_t wire_end_ns;            /* of the last that was put there */
    uint64_t sequence;
    bool failed; /* out of memory: an event was lost */
} sim_events;

/* `kind` is below 256. Never fails but by setting `failed`. */
void sim_events_push(sim_events *e, uint64_t at_ns, unsigned kind, uint32_t a,
                     uint32_t b);

/* The same, for what is the network delay ahead. */
void sim_events_push_wire(sim_events *e, uint64_t at_ns, unsigned kind,
                          uint32_t a, uint32_t b);

/* False: there is none. */
bool sim_events_pop(sim_events *e, sim_event *out);

void sim_events_free(sim_events *e);

static inline unsigned sim_event_kind(const sim_event *e)
{
    return (unsigned)(e->order & 0xff);
}

static inline size_t sim_events_count(const sim_events *e)
{
    return e->n_heap + e->n_wire;
}

/* When the next one is; UINT64_MAX: there is none. */
static inline uint64_t sim_events_next_ns(const sim_events *e)
{
    uint64_t heap_ns = e->n_heap == 0 ? UINT64_MAX : e->heap[0].at_ns;
    uint64_t wire_ns = e->n_wire == 0 ? UINT64_MAX : e->wire[e->first].at_ns;

    return heap_ns < wire_ns ? heap_ns : wire_ns;
}

#endif
