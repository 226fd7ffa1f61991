/* SPDX-License-Identifier: MIT */
/*
 * What one process has in flight to one endpoint, where several share a
 * balancer: so that it can be given back when the process ends. The counts of
 * all (signal/load.h, signal/cost.h) are the truth for choosing; these only say
 * whose they are.
 *
 *   bits  0..15  unanswered, taken at parity 0
 *   bits 16..31  unanswered, taken at parity 1
 *   bits 32..47  answered, in flight to its end
 *   bits 48..63  of all these: probes
 *
 * Order. What is taken is counted by all first and then here; what ends is
 * taken off here first and then from all. So a process that is killed in
 * between leaves one too many in the count of all, which an audit finds
 * (health/audit.h), and reclaiming never takes one that is another's.
 *
 * Each process has a row of its own, on its own cache lines.
 */
#ifndef ILB_SIGNAL_HELD_H
#define ILB_SIGNAL_HELD_H

#include "base/memory.h"
#include "signal/cost.h"
#include "signal/load.h"

#define ILB_HELD_PLACES 3
#define ILB_HELD_PROBE_SHIFT 48

typedef struct ilb__held {
    ilb__a64 word;
    ilb__a64 extra_cost; /* signal/cost.h, of its requests */
} ilb__held;

/* A row for each process, an entry for each slot. */
typedef struct ilb__holdings {
    ilb__held *held;
    uint32_t n_rows; /* 0: the balancer is private */
    uint32_t n_slots;
} ilb__holdings;

static inline void ilb__holdings_init(ilb__holdings *h, ilb__arena *a,
                                      uint32_t n_rows, uint32_t n_slots)
{
    h->n_rows = n_rows;
    h->n_slots = n_slots;
    if (n_rows > 0 && n_slots > SIZE_MAX / n_rows)
        n_rows = UINT32_MAX; /* more than there is: the arena says so */
    h->held = ilb__arena_take(a, (size_t)n_rows * n_slots, sizeof *h->held);
}

static inline ilb__held *ilb__holdings_of(const ilb__holdings *h, uint32_t row,
                                          uint32_t slot)
{
    return &h->held[(size_t)row * h->n_slots + slot];
}

static inline uint32_t ilb__held_count(uint64_t word, uint32_t where)
{
    return (uint32_t)(word >> (where * ILB_LOAD_BITS) & ILB_LOAD_MASK);
}

static inline uint32_t ilb__held_probes(uint64_t word)
{
    return (uint32_t)(word >> ILB_HELD_PROBE_SHIFT);
}

static inline uint64_t ilb__held_one(uint32_t where)
{
    return UINT64_C(1) << (where * ILB_LOAD_BITS);
}

static inline bool ilb__held_has(const ilb__held *h, uint32_t where)
{
    return ilb__held_count(ilb__load_relaxed(&h->word), where) != 0;
}

/* One more there, which the count of all has already. */
static inline void ilb__held_take(ilb__held *h, uint32_t where, bool probe)
{
    ilb__add_relaxed(&h->word, ilb__held_one(where) +
                                   ((uint64_t)probe << ILB_HELD_PROBE_SHIFT));
}

/* One less there, before the count of all. False, and nothing has changed:
 * there is none, it was given back for its process. */
static inline bool ilb__held_drop(ilb__held *h, uint32_t where, bool probe)
{
    uint64_t word = ilb__load_relaxed(&h->word);
    uint64_t less;

    do {
        if (ilb__held_count(word, where) == 0)
            return false;
        less = ilb__held_one(where);
        if (probe && ilb__held_probes(word) > 0)
            less += UINT64_C(1) << ILB_HELD_PROBE_SHIFT;
    } while (!ilb__cas_relaxed(&h->word, &word, word - less));
    return true;
}

#endif
