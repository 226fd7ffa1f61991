/* SPDX-License-Identifier: MIT */
/*
 * Mixing bits. ilb__mix64 is the finaliser of SplitMix64 (Steele, Lea, Flood:
 * Fast Splittable Pseudorandom Number Generators, OOPSLA 2014): a bijection in
 * which each input bit changes each output bit with probability near 1/2.
 */
#ifndef ILB_BASE_HASH_H
#define ILB_BASE_HASH_H

#include <string.h>

#include "base/internal.h"

/* 2^64 / golden ratio, odd: steps of this size visit all 64-bit values. */
#define ILB_GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t ilb__mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return x;
}

/* A hash of `n` bytes; `salt` makes it one's own, so that nobody outside can
 * choose addresses that collide. */
static inline uint64_t ilb__hash_bytes(const char *s, size_t n, uint64_t salt)
{
    uint64_t h = ilb__mix64(salt + ILB_GOLDEN * (n + 1));
    uint64_t word;

    while (n >= sizeof word) {
        memcpy(&word, s, sizeof word);
        h = ilb__mix64(h ^ word) + ILB_GOLDEN;
        s += sizeof word;
        n -= sizeof word;
    }
    word = 0;
    memcpy(&word, s, n);
    return ilb__mix64(h ^ word);
}

#endif
