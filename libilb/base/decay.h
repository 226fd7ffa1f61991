/* SPDX-License-Identifier: MIT */
/*
 * exp(-t / tau) without libm: the core needs libc and pthreads only.
 *
 * exp(-x) = 2^-k * exp(r) with r = k ln 2 - x and |r| <= ln 2 / 2; exp(r) is
 * its Taylor polynomial of degree 7, whose first dropped term is below 6e-9
 * there. 2^-k is made from its exponent bits.
 */
#ifndef ILB_BASE_DECAY_H
#define ILB_BASE_DECAY_H

#include <string.h>

#include "base/internal.h"

/* Up to here exp(-x) needs no reduction. */
#define ILB_DECAY_SOON 0.34

/* exp(r) for |r| <= ln 2 / 2. No division, and the polynomial in pairs (G.
 * Estrin 1960): what waits for what before it would be most of the time. */
static inline double ilb__exp_near_0(double r)
{
    double rr = r * r;
    double low = (1 + r) + rr * (0.5 + r * (1.0 / 6));
    double high =
        (1.0 / 24 + r * (1.0 / 120)) + rr * (1.0 / 720 + r * (1.0 / 5040));

    return low + rr * rr * high;
}

/* What is left, 0..1, after `t` of something with the time constant `tau`,
 * which is above 0; both in the same unit. */
static inline double ilb__decay(double t, double tau)
{
    const double ln2 = 0.69314718055994530942;
    double x, scale;
    uint64_t bits;
    int32_t k;

    if (t <= 0)
        return 1;
    x = t / tau;
    if (x <= ILB_DECAY_SOON)
        return ilb__exp_near_0(-x);
    if (x > 700)
        return 0;
    k = (int32_t)(x * (1 / ln2) + 0.5);
    bits = (uint64_t)(1023 - k) << 52;
    memcpy(&scale, &bits, sizeof scale);
    return ilb__exp_near_0((double)k * ln2 - x) * scale;
}

/*
 * The logarithm to the base 2 of a normal float above 0: its exponent, and of
 * the mantissa m in sqrt(1/2)..sqrt(2) the series of the area tangent,
 * ln m = 2 (z + z^3/3 + z^5/5), z = (m - 1) / (m + 1), right to 2e-6.
 */
static inline float ilb__log2(float x)
{
    uint32_t bits;
    float e, m, z, zz;

    memcpy(&bits, &x, sizeof bits);
    e = (float)(bits >> 23) - 127;
    bits = (bits & ((UINT32_C(1) << 23) - 1)) | UINT32_C(127) << 23;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.41421356f) {
        m *= 0.5f;
        e += 1;
    }
    z = (m - 1) / (m + 1);
    zz = z * z;
    return e + 2.88539008f * z * (1 + zz * (0.33333333f + zz * 0.2f));
}

#endif
