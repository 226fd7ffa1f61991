/* SPDX-License-Identifier: MIT */
/* Two floats in one atomic word: read and written together, without a lock. */
#ifndef ILB_BASE_FLOATS_H
#define ILB_BASE_FLOATS_H

#include <string.h>

#include "base/internal.h"

static inline uint64_t ilb__floats_bits(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline uint64_t ilb__floats_pair(float low, float high)
{
    return ilb__floats_bits(high) << 32 | ilb__floats_bits(low);
}

static inline float ilb__floats_low(uint64_t word)
{
    uint32_t bits = (uint32_t)word;
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline float ilb__floats_high(uint64_t word)
{
    return ilb__floats_low(word >> 32);
}

#endif
