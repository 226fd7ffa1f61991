/* SPDX-License-Identifier: MIT */
/* See memory.h. */
#include "base/memory.h"

#include <stdlib.h>

ILB_INTERNAL void *ilb__arena_take(ilb__arena *a, size_t n, size_t item_bytes)
{
    const size_t line = ILB_CACHELINE_BYTES;
    size_t bytes, at = a->used_bytes;

    if (item_bytes != 0 && n > (SIZE_MAX - line) / item_bytes) {
        a->used_bytes = SIZE_MAX;
        return NULL;
    }
    bytes = (n * item_bytes + line - 1) / line * line;
    if (at > SIZE_MAX - bytes) {
        a->used_bytes = SIZE_MAX;
        return NULL;
    }
    a->used_bytes = at + bytes;
    return a->base == NULL ? NULL : a->base + at;
}

static void *memory_calloc(size_t bytes, void *user)
{
    (void)user;
    return calloc(1, bytes);
}

static void memory_free(void *memory, void *user)
{
    (void)user;
    free(memory);
}

ILB_INTERNAL ilb_allocator ilb__allocator_or_default(const ilb_allocator *a)
{
    const ilb_allocator libc = {memory_calloc, memory_free, NULL};

    return a == NULL ? libc : *a;
}
