/* SPDX-License-Identifier: MIT */
/*
 * A histogram of times with buckets of equal ratio: eight to an octave, from
 * 1 us to 18 minutes, so that a quantile is at most 12.5 % too high. Shorter
 * and longer times count in the first and the last bucket.
 *
 * The bucket is the exponent and the upper three bits of the mantissa of the
 * time as a floating-point number. Any thread may add; one at a time reads
 * quantiles and forgets.
 */
#ifndef ILB_BASE_HISTOGRAM_H
#define ILB_BASE_HISTOGRAM_H

#include "base/atomics.h"

#define ILB_HISTOGRAM_BUCKETS 240

typedef struct ilb__histogram {
    ilb__a32 counts[ILB_HISTOGRAM_BUCKETS];
} ilb__histogram;

ILB_INTERNAL void ilb__histogram_add(ilb__histogram *h, uint64_t ns);

/* How many it holds. */
ILB_INTERNAL uint32_t ilb__histogram_total(const ilb__histogram *h);

/* The time that a share `q`, 0..1, of `total` counts does not exceed; the
 * upper edge of its bucket. `total` above 0. */
ILB_INTERNAL float ilb__histogram_quantile_ns(const ilb__histogram *h,
                                              uint32_t total, float q);

/* Halves all counts: what is old weighs less. */
ILB_INTERNAL void ilb__histogram_halve(ilb__histogram *h);

#endif
