/* SPDX-License-Identifier: MIT */
/* Random numbers as cheap as they get: a Weyl sequence, mixed by the two halves
 * of one product (as Wang Yi's wyrand does). */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <stdint.h>

static inline uint64_t bench_random(uint64_t *state)
{
    __extension__ typedef unsigned __int128 wide;
    wide product;

    *state += UINT64_C(0xa0761d6478bd642f);
    product = (wide)*state * (*state ^ UINT64_C(0xe7037ed1a0b428db));
    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

/* Below n, n > 0, from 32 random bits. */
static inline uint32_t bench_below(uint32_t bits, uint32_t n)
{
    return (uint32_t)((uint64_t)bits * n >> 32);
}

#endif
