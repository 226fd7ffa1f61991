/* SPDX-License-Identifier: MIT */
#include "sim_events.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS_ROOM 1024 /* at first, of each of the two */

static inline bool events_before(const sim_event *a, const sim_event *b)
{
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns;
    return a->order < b->order;
}

static inline uint64_t events_order(sim_events *e, unsigned kind)
{
    return e->sequence++ << 8 | kind;
}

static bool events_grow_heap(sim_events *e)
{
    size_t room = e->heap_room == 0 ? EVENTS_ROOM : 2 * e->heap_room;
    sim_event *heap = NULL;

    if (room <= SIZE_MAX / sizeof *heap)
        heap = realloc(e->heap, room * sizeof *heap);
    if (heap == NULL)
        return false;
    e->heap = heap;
    e->heap_room = room;
    return true;
}

/* What was wrapped round is moved behind the old end. */
static bool events_grow_wire(sim_events *e)
{
    size_t room = e->wire_room == 0 ? EVENTS_ROOM : 2 * e->wire_room;
    sim_event *wire = NULL;

    if (room <= SIZE_MAX / sizeof *wire)
        wire = realloc(e->wire, room * sizeof *wire);
    if (wire == NULL)
        return false;
    if (e->first != 0)
        memcpy(wire + e->wire_room, wire, e->first * sizeof *wire);
    e->wire = wire;
    e->wire_room = room;
    return true;
}

void sim_events_push(sim_events *e, uint64_t at_ns, unsigned kind, uint32_t a,
                     uint32_t b)
{
    sim_event event = {at_ns, events_order(e, kind), a, b};
    size_t i = e->n_heap;

    if (i == e->heap_room && !events_grow_heap(e)) {
        e->failed = true;
        return;
    }
    e->n_heap++;
    while (i > 0) {
        size_t parent = (i - 1) / 4;

        if (!events_before(&event, &e->heap[parent]))
            break;
        e->heap[i] = e->heap[parent];
        i = parent;
    }
    e->heap[i] = event;
}

void sim_events_push_wire(sim_events *e, uint64_t at_ns, unsigned kind,
                          uint32_t a, uint32_t b)
{
    sim_event event;

    if (e->n_wire != 0 && at_ns < e->wire_end_ns) {
        sim_events_push(e, at_ns, kind, a, b); /* not in order after all */
        return;
    }
    if (e->n_wire == e->wire_room && !events_grow_wire(e)) {
        e->failed = true;
        return;
    }
    event = (sim_event){at_ns, events_order(e, kind), a, b};
    e->wire[(e->first + e->n_wire++) & (e->wire_room - 1)] = event;
    e->wire_end_ns = at_ns;
}

/* Puts `event` at the root and lets it sink. */
static void events_sink(sim_events *e, const sim_event *event)
{
    sim_event *heap = e->heap;
    size_t n = e->n_heap, i = 0;

    for (;;) {
        size_t child = 4 * i + 1, end = child + 4 < n ? child + 4 : n;
        size_t least = child;

        if (child >= n)
            break;
        for (size_t k = child + 1; k < end; k++)
            if (events_before(&heap[k], &heap[least]))
                least = k;
        if (!events_before(&heap[least], event))
            break;
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = *event;
}

bool sim_events_pop(sim_events *e, sim_event *out)
{
    if (e->n_wire != 0 &&
        (e->n_heap == 0 || events_before(&e->wire[e->first], e->heap))) {
        *out = e->wire[e->first];
        e->first = (e->first + 1) & (e->wire_room - 1);
        e->n_wire--;
        return true;
    }
    if (e->n_heap == 0)
        return false;
    *out = e->heap[0];
    e->n_heap--;
    if (e->n_heap != 0) {
        sim_event last = e->heap[e->n_heap];

        events_sink(e, &last);
    }
    return true;
}

void sim_events_free(sim_events *e)
{
    free(e->heap);
    free(e->wire);
    memset(e, 0, sizeof *e);
}
