/* SPDX-License-Identifier: MIT */
/*
 * Random streams: SplitMix64. Each use has its own stream, made from the
 * run's seed and a number, so that two policies see the same arrivals and the
 * same work (common random numbers), and one more draw here shifts nothing
 * there.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <math.h>
#include <stdint.h>

typedef struct sim_random {
    uint64_t state;
} sim_random;

static inline uint64_t sim_random_next(sim_random *r)
{
    uint64_t z = (r->state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline sim_random sim_random_stream(uint64_t seed, uint64_t stream)
{
    sim_random r = {seed};

    r.state = sim_random_next(&r) ^ (stream * UINT64_C(0xD1342543DE82EF95));
    r.state = sim_random_next(&r);
    return r;
}

/* 0 <= x < 1, 53 bits. */
static inline double sim_random_unit(sim_random *r)
{
    return (double)(sim_random_next(r) >> 11) * 0x1p-53;
}

static inline uint32_t sim_random_below(sim_random *r, uint32_t n)
{
    return (uint32_t)(((sim_random_next(r) >> 32) * n) >> 32);
}

static inline double sim_random_exponential(sim_random *r)
{
    return -log1p(-sim_random_unit(r));
}

static inline double sim_random_normal(sim_random *r)
{
    double u = 1 - sim_random_unit(r), v = sim_random_unit(r);

    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

#endif
