/* SPDX-License-Identifier: MIT */
/*
 * One block of memory holds a whole balancer: asked for once, so there is one
 * way to run out of it. A first walk over the parts adds up the size, a second
 * one hands them out; both are the same code.
 */
#ifndef ILB_BASE_MEMORY_H
#define ILB_BASE_MEMORY_H

#include "base/internal.h"

/* Hands out parts of a block, each on its own cache line. With no block yet
 * it only counts. Zero it, or set `base` to continue in a real block. */
typedef struct ilb__arena {
    unsigned char *base; /* cache-line aligned; NULL: count only */
    size_t used_bytes;   /* SIZE_MAX: more than can be addressed */
} ilb__arena;

/* Room for `n` items of `item_bytes`, at a cache line's start; NULL while
 * counting. The block must be as large as the counting walk said. */
ILB_INTERNAL void *ilb__arena_take(ilb__arena *a, size_t n, size_t item_bytes);

/* The allocator to use: the caller's, or calloc and free. */
ILB_INTERNAL ilb_allocator ilb__allocator_or_default(const ilb_allocator *a);

#endif
