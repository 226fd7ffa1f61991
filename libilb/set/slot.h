/* SPDX-License-Identifier: MIT */
/*
 * A slot: all that is known of one endpoint. Slots are type-stable: made with
 * the balancer, found by index, never freed, recycled with a new generation
 * (signal/load.h). Whoever holds an index may therefore always read a slot;
 * the generation tells whether it is still the endpoint that he meant.
 */
#ifndef ILB_SET_SLOT_H
#define ILB_SET_SLOT_H

#include "signal/evidence.h"
#include "signal/failures.h"
#include "signal/latency.h"
#include "signal/load.h"
#include "signal/window.h"

typedef struct ilb__slot {
    /* The line that a pick reads and a request writes. */
    _Alignas(ILB_CACHELINE_BYTES) ilb__load load;
    ilb__latency latency;
    ilb__failures failures;
    ilb__a64 health; /* health/health.h */
    ilb__a64 evidence;
    ilb__a32 weight;

    /* What ilb_done counts. */
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 done[ILB_OUTCOME_COUNT];
    ilb__a64 ejections;
    _Atomic(void *) user;
    ilb__window window;

    /* The writer's, under the balancer's mutex; the address is also read by
     * holders of a ticket, whose request keeps the slot from being reused. */
    uint64_t hash;
    uint64_t plan;     /* number of the last update that had it in its list */
    uint32_t position; /* in ilb__set.listed or .draining */
    bool listed;
    uint8_t readiness; /* an ilb_readiness */
    char address[ILB_ADDRESS_MAX + 1];
} ilb__slot;

/* Which endpoint: slot index and generation, as the table has it. */
typedef uint64_t ilb__endpoint_id;

static inline ilb__endpoint_id ilb__endpoint_id_of(uint32_t index,
                                                   uint32_t generation)
{
    return (uint64_t)generation << 32 | index;
}

static inline uint32_t ilb__endpoint_id_index(ilb__endpoint_id id)
{
    return (uint32_t)id;
}

static inline uint32_t ilb__endpoint_id_generation(ilb__endpoint_id id)
{
    return (uint32_t)(id >> 32);
}

#endif
