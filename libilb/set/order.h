/* SPDX-License-Identifier: MIT */
/*
 * Sorting the table by salted hash of the address.
 *
 * In this order every prefix is a random sample of the endpoints that differs
 * from caller to caller, and stays nearly the same when the list changes: an
 * aperture (health/pool.h) is the table's first entries.
 */
#ifndef ILB_SET_ORDER_H
#define ILB_SET_ORDER_H

#include "base/internal.h"

/* A number with the upper half of a hash before it. */
static inline uint64_t ilb__order_key(uint64_t hash, uint32_t number)
{
    return (hash >> 32) << 32 | number;
}

static inline uint32_t ilb__order_number(uint64_t key)
{
    return (uint32_t)key;
}

/* Sorts by the upper half; equal ones stay as they are. `scratch` has room
 * for `n` as well. */
ILB_INTERNAL void ilb__order_sort(uint64_t *keys, uint64_t *scratch,
                                  uint32_t n);

#endif
