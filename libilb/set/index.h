/* SPDX-License-Identifier: MIT */
/*
 * From an address to a number: a hash table of 32-bit numbers with open
 * addressing and linear probing, at most half full. It stores no keys: whoever
 * looks up compares. The writer's only.
 */
#ifndef ILB_SET_INDEX_H
#define ILB_SET_INDEX_H

#include "base/memory.h"

#define ILB_INDEX_NONE UINT32_MAX

typedef struct ilb__index {
    uint32_t *cells; /* number + 1; 0: empty */
    uint32_t mask;   /* cells - 1; their number is a power of two */
} ilb__index;

/* For up to `n` entries. */
ILB_INTERNAL void ilb__index_init(ilb__index *x, ilb__arena *a, uint32_t n);

/* Takes all out, whatever state it is in. */
ILB_INTERNAL void ilb__index_clear(ilb__index *x);

ILB_INTERNAL void ilb__index_add(ilb__index *x, uint64_t hash, uint32_t number);

/* Walks the numbers that may be of this hash. Start with *cursor = hash's
 * first cell (ilb__index_start); ILB_INDEX_NONE ends the walk. */
static inline uint32_t ilb__index_start(const ilb__index *x, uint64_t hash)
{
    return (uint32_t)hash & x->mask;
}

static inline uint32_t ilb__index_next(const ilb__index *x, uint32_t *cursor)
{
    uint32_t cell = x->cells[*cursor];

    *cursor = (*cursor + 1) & x->mask;
    return cell - 1; /* an empty cell wraps to ILB_INDEX_NONE */
}

/* Takes a number out; it must be there. `hash_of` is asked for the hashes of
 * the numbers that move up. */
ILB_INTERNAL void ilb__index_remove(ilb__index *x, uint64_t hash,
                                    uint32_t number,
                                    uint64_t (*hash_of)(uint32_t, const void *),
                                    const void *user);

/* Takes out a number that is there, on the way to emptying the whole index:
 * other look-ups find nothing reliably until it is empty. */
ILB_INTERNAL void ilb__index_forget(ilb__index *x, uint64_t hash,
                                    uint32_t number);

#endif
