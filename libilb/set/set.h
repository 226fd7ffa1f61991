/* SPDX-License-Identifier: MIT */
/*
 * The endpoint set: reconciling a new whole list with what there is.
 *
 * All calls here are the writer's, under the balancer's mutex. An update has
 * two halves: a plan that may be refused and changes nothing a pick or a later
 * call could see, and its application, which cannot fail.
 *
 * There are three times as many slots as endpoints may be listed: for a full
 * list, for the full list that it replaces (whose endpoints can only leave once
 * the new ones are there), and for as many that have left before and still have
 * requests in flight. An endpoint that has left keeps its slot, and stays
 * findable by its address, until its last request has returned: then the slot
 * is recycled.
 */
#ifndef ILB_SET_SET_H
#define ILB_SET_SET_H

#include "set/index.h"
#include "set/table.h"

/* How far an update has come that may be cut short (repair.h). */
enum ilb__set_stage {
    ILB__SET_STILL = 0, /* not begun, or over */
    ILB__SET_ENTERING,  /* the first of the new list are in it */
    ILB__SET_LEAVING    /* all are; the others of the old one are going */
};

/* What the rooms above want to know while an update is applied. */
typedef struct ilb__set_watch {
    void (*enters)(ilb__slot *slot, void *user); /* before it can be drawn */
    void (*leaves)(ilb__slot *slot, void *user); /* after it cannot */
    void *user;
    /* Listed or its readiness, or both, are no longer what they were; not yet
     * told by `leaves`. NULL: not wanted. */
    void (*changes)(const ilb__slot *slot, bool was_listed,
                    uint8_t was_readiness, void *user);
} ilb__set_watch;

/* For one who is killed: what stands before it in the program has been done,
 * and nothing of what stands behind it. */
static inline void ilb__set_step(ilb__a32 *stage, enum ilb__set_stage next)
{
    ilb__fence_killed();
    ilb__store32_relaxed(stage, next);
    ilb__fence_killed();
}

typedef struct ilb__set {
    ilb__slot *slots;
    uint32_t capacity; /* of a list */
    uint32_t n_slots;
    ilb__a32 n_fresh; /* slots that were never used begin here */
    uint32_t *free;   /* recycled slots, a stack */
    uint32_t n_free;
    uint32_t *listed; /* slot indices in the caller's order */
    uint32_t n_listed;
    uint32_t *draining; /* left the list, had requests in flight */
    uint32_t n_draining;
    ilb__index index;      /* address -> slot */
    ilb__index planned;    /* address -> position, of a list's new addresses */
    uint32_t *plan;        /* slot of each position; ILB_INDEX_NONE: new */
    ilb__endpoint_id *ids; /* to publish */
    uint32_t *weights;
    uint64_t *keys; /* of the ready ones, sorted; and as many for sorting */
    uint64_t n_plans;
    ilb__a32 stage; /* of an update: see repair.h */
    uint64_t salt;
    ilb__table table;
} ilb__set;

/* Takes its memory, all zero, from the arena; `s` is zeroed. */
ILB_INTERNAL void ilb__set_init(ilb__set *s, ilb__arena *a, uint32_t capacity,
                                uint64_t salt);

/* Checks a list and finds what of it is known. ILB_OK: ilb__set_apply next. */
ILB_INTERNAL int ilb__set_plan(ilb__set *s, const ilb_endpoint *endpoints,
                               size_t n);

ILB_INTERNAL void ilb__set_apply(ilb__set *s, const ilb_endpoint *endpoints,
                                 uint32_t n, const ilb__set_watch *watch);

/* NULL: none in the list has this address. */
ILB_INTERNAL ilb__slot *ilb__set_find(const ilb__set *s, const char *address);

ILB_INTERNAL void ilb__set_change_readiness(ilb__set *s, ilb__slot *slot,
                                            ilb_readiness readiness,
                                            const ilb__set_watch *watch);

/* Publishes the endpoints that are listed and ready. */
ILB_INTERNAL void ilb__set_publish(ilb__set *s);

/* Recycles the slots whose last request has returned. */
ILB_INTERNAL void ilb__set_reclaim(ilb__set *s);

#endif
