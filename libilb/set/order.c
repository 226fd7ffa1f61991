/* SPDX-License-Identifier: MIT */
/* See order.h. */
#include "set/order.h"

#include <string.h>

/* Up to here insertion is faster than counting. */
#define ORDER_FEW 48

static void order_insert(uint64_t *keys, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        uint32_t at = i;

        while (at > 0 && keys[at - 1] >> 32 > key >> 32) {
            keys[at] = keys[at - 1];
            at--;
        }
        keys[at] = key;
    }
}

/* One pass of a radix sort: by the eight bits from `shift` on. */
static void order_pass(const uint64_t *from, uint64_t *to, uint32_t n,
                       unsigned shift)
{
    uint32_t starts[256] = {0};
    uint32_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        starts[from[i] >> shift & 255]++;
    for (uint32_t k = 0; k < 256; k++) {
        uint32_t count = starts[k];

        starts[k] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < n; i++)
        to[starts[from[i] >> shift & 255]++] = from[i];
}

ILB_INTERNAL void ilb__order_sort(uint64_t *keys, uint64_t *scratch, uint32_t n)
{
    if (n <= ORDER_FEW) {
        order_insert(keys, n);
        return;
    }
    for (unsigned shift = 32; shift < 64; shift += 16) {
        order_pass(keys, scratch, n, shift);
        order_pass(scratch, keys, n, shift + 8);
    }
}
