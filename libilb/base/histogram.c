/* SPDX-License-Identifier: MIT */
/* See histogram.h. */
#include "base/histogram.h"

#include <string.h>

/* 2^10 ns is the lower edge of the first bucket: its exponent with the bias of
 * a double, and three bits of mantissa. */
#define HISTOGRAM_FIRST ((1023 + 10) << 3)
#define HISTOGRAM_SHIFT 49

static uint32_t histogram_bucket(uint64_t ns)
{
    double x = (double)ns;
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    bits >>= HISTOGRAM_SHIFT;
    if (bits < HISTOGRAM_FIRST)
        return 0;
    bits -= HISTOGRAM_FIRST;
    return bits < ILB_HISTOGRAM_BUCKETS ? (uint32_t)bits
                                        : ILB_HISTOGRAM_BUCKETS - 1;
}

static float histogram_upper_edge_ns(uint32_t bucket)
{
    uint64_t bits = ((uint64_t)HISTOGRAM_FIRST + bucket + 1) << HISTOGRAM_SHIFT;
    double x;

    memcpy(&x, &bits, sizeof x);
    return (float)x;
}

ILB_INTERNAL void ilb__histogram_add(ilb__histogram *h, uint64_t ns)
{
    ilb__add32_relaxed(&h->counts[histogram_bucket(ns)], 1);
}

ILB_INTERNAL uint32_t ilb__histogram_total(const ilb__histogram *h)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < ILB_HISTOGRAM_BUCKETS; i++)
        total += ilb__load32_relaxed(&h->counts[i]);
    return total;
}

ILB_INTERNAL float ilb__histogram_quantile_ns(const ilb__histogram *h,
                                              uint32_t total, float q)
{
    double wanted = (double)total * (double)q;
    uint32_t last = 0;
    double seen = 0;

    for (uint32_t i = 0; i < ILB_HISTOGRAM_BUCKETS; i++) {
        uint32_t count = ilb__load32_relaxed(&h->counts[i]);

        if (count == 0)
            continue;
        last = i;
        seen += count;
        if (seen >= wanted)
            break;
    }
    return histogram_upper_edge_ns(last);
}

ILB_INTERNAL void ilb__histogram_halve(ilb__histogram *h)
{
    for (uint32_t i = 0; i < ILB_HISTOGRAM_BUCKETS; i++) {
        uint32_t count = ilb__load32_relaxed(&h->counts[i]);

        if (count > 0)
            ilb__sub32_relaxed(&h->counts[i], (count + 1) / 2);
    }
}
