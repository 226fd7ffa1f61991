/* SPDX-License-Identifier: MIT */
/* See index.h. */
#include "set/index.h"

#include <string.h>

ILB_INTERNAL void ilb__index_init(ilb__index *x, ilb__arena *a, uint32_t n)
{
    uint32_t n_cells = 4;

    while (n_cells / 2 < n)
        n_cells *= 2;
    x->cells = ilb__arena_take(a, n_cells, sizeof *x->cells);
    x->mask = n_cells - 1;
}

ILB_INTERNAL void ilb__index_clear(ilb__index *x)
{
    memset(x->cells, 0, ((size_t)x->mask + 1) * sizeof *x->cells);
}

ILB_INTERNAL void ilb__index_add(ilb__index *x, uint64_t hash, uint32_t number)
{
    uint32_t at = ilb__index_start(x, hash);

    while (x->cells[at] != 0)
        at = (at + 1) & x->mask;
    x->cells[at] = number + 1;
}

/* Linear probing without tombstones: what follows the hole, up to the next
 * empty cell, moves into it if its own first cell is not past the hole. */
ILB_INTERNAL void ilb__index_remove(ilb__index *x, uint64_t hash,
                                    uint32_t number,
                                    uint64_t (*hash_of)(uint32_t, const void *),
                                    const void *user)
{
    uint32_t hole = ilb__index_start(x, hash);
    uint32_t at;

    while (x->cells[hole] != number + 1)
        hole = (hole + 1) & x->mask;
    for (at = (hole + 1) & x->mask; x->cells[at] != 0;
         at = (at + 1) & x->mask) {
        uint32_t first = ilb__index_start(x, hash_of(x->cells[at] - 1, user));

        if (((at - first) & x->mask) >= ((at - hole) & x->mask)) {
            x->cells[hole] = x->cells[at];
            hole = at;
        }
    }
    x->cells[hole] = 0;
}

ILB_INTERNAL void ilb__index_forget(ilb__index *x, uint64_t hash,
                                    uint32_t number)
{
    uint32_t at = ilb__index_start(x, hash);

    /* Others may have left holes on the way: go on until it is found. */
    while (x->cells[at] != number + 1)
        at = (at + 1) & x->mask;
    x->cells[at] = 0;
}
