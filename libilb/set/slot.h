/* SPDX-License-Identifier: MIT */
/*
 * A slot: all that is known of one endpoint. Slots are type-stable: made with
 * the balancer, found by index, never freed, recycled with a new generation
 * (signal/load.h). Whoever holds an index may therefore always read a slot;
 * the generation tells whether it is still the endpoint that he meant.
 *
 * The address is written word by word, as atomics, and only after the slot has
 * been given its next generation: whoever copies it and then finds the
 * generation that it had before has read it whole (ilb__slot_address).
 */
#ifndef ILB_SET_SLOT_H
#define ILB_SET_SLOT_H

#include "signal/checks.h"
#include "signal/cost.h"
#include "signal/evidence.h"
#include "signal/failures.h"
#include "signal/latency.h"
#include "signal/load.h"
#include "signal/longlived.h"
#include "signal/lost.h"
#include "signal/overtaken.h"
#include "signal/peaks.h"
#include "signal/refusals.h"
#include "signal/silence.h"
#include "signal/slowness.h"
#include "signal/window.h"

typedef struct ilb__slot {
    /* The line that a pick reads and a request writes. */
    _Alignas(ILB_CACHELINE_BYTES) ilb__load load;
    ilb__latency latency;
    ilb__failures failures;
    ilb__a64 health; /* health/health.h */
    ilb__a32 weight;
    ilb__a32 peaks;      /* signal/peaks.h */
    ilb__a64 extra_cost; /* signal/cost.h */

    /* What both read, and seldom is anything else than 0. */
    _Alignas(ILB_CACHELINE_BYTES)
        ilb__epochs overtaken; /* signal/overtaken.h */
    ilb__epochs longlived;     /* .../longlived.h */
    ilb__lost lost;

    /* What ilb_done counts and reads. */
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 done[ILB_OUTCOME_COUNT];
    ilb__a64 refusals; /* signal/refusals.h */
    ilb__a64 slowness; /* signal/slowness.h */

    ilb__a64 evidence;  /* signal/evidence.h */
    ilb__a64 leaked_ns; /* what was taken before and is unanswered has been
                           given back (health/lease.h); 0: nothing was */
    ilb__a64 anew_ns;   /* what was picked before says nothing of it any more */
    ilb__a64 leaked;    /* requests that were given back for their tickets */
    ilb__a64 ejections;
    ilb__a64 ramp_ns;  /* when its slow start began; 0: it has none */
    ilb__a64 slow_ns;  /* since when its slowness is not 0 */
    ilb__a64 silence;  /* signal/silence.h */
    ilb__a64 warm_ns;  /* until then it may be slow as it warms up */
    ilb__a64 heard_ns; /* it gave a sign of life, as the sweep saw */
    ilb__a64 heard;    /* signs of life until then, counted */
    ilb__a64 asked_ns; /* when, after a silence, another was sent there */
    /* By detector; `noted` says when it was counted last without ejecting. */
    ilb__a32 detected[ILB_DETECTOR_COUNT];
    ilb__a32 enforced[ILB_DETECTOR_COUNT];
    ilb__a32 noted[ILB_DETECTOR_COUNT];
    ilb__apointer user;
    ilb__window window;

    /* The writer's, under the balancer's mutex; the address is also read by
     * holders of a ticket, whose request keeps the slot from being reused. */
    uint64_t hash;
    uint64_t plan;      /* number of the last update that had it in its list */
    uint32_t position;  /* in ilb__set.listed or .draining */
    uint64_t listed_by; /* number of the update that put it into the list */
    ilb__a8 used; /* it has an address, and is in the index: set/repair.h */
    bool listed;
    uint8_t readiness; /* an ilb_readiness */
    ilb__checks checks;
    _Alignas(ilb__a64) char address[ILB_ADDRESS_MAX + 1];
} ilb__slot;

#define ILB_ADDRESS_WORDS ((ILB_ADDRESS_MAX + 1) / sizeof(ilb__a64))

/* The slot's address is this from now on. The writer's; of a slot that has
 * just been recycled, or was never used. */
ILB_INTERNAL void ilb__slot_set_address(ilb__slot *slot, const char *address);

/* From here on, or no longer, an endpoint's. The writer's. Around it the order
 * of the program holds also for who finds it killed (set/repair.h). */
static inline void ilb__slot_set_used(ilb__slot *slot, bool used)
{
    ilb__fence_killed();
    ilb__store8_relaxed(&slot->used, used);
    ilb__fence_killed();
}

/* Copies the address for someone who holds no ticket: `generation` was seen in
 * the table, or in the slot by who has the mutex or a ticket. False: the slot
 * is another endpoint's by now. */
ILB_INTERNAL bool ilb__slot_address(const ilb__slot *slot, uint32_t generation,
                                    char to[ILB_ADDRESS_MAX + 1]);

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
