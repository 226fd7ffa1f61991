/* SPDX-License-Identifier: MIT */
/*
 * Random numbers for any number of threads, without locks, registration or
 * thread-local state, and the same ones for the same seed.
 *
 * A balancer has ILB_RANDOM_STREAMS independent SplitMix64 streams, each on
 * its own cache line. A thread is hashed to a place in a small map; the first
 * thread of a place is given the next stream. A program with one thread
 * therefore always draws from stream 0, whatever the thread's identity: its
 * picks can be replayed. Threads that share a stream may read the same state
 * at the same instant; the time of the pick, mixed into each number, tells
 * them apart, and processes that were forked from each other too. Processes
 * that share a balancer share the streams as well, and each mixes in who it is,
 * into the place and into each number.
 */
#ifndef ILB_BASE_RANDOM_H
#define ILB_BASE_RANDOM_H

#include "base/atomics.h"
#include "base/hash.h"

#define ILB_RANDOM_STREAMS 16
#define ILB_RANDOM_PLACES 64

struct ilb__random_stream {
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 state;
};

typedef struct ilb__random {
    struct ilb__random_stream streams[ILB_RANDOM_STREAMS];
    ilb__a8 stream_of[ILB_RANDOM_PLACES]; /* 0: none yet; else stream + 1 */
    ilb__a32 n_given;
    const ilb__a64 *who; /* the process, where several share it; else NULL */
} ilb__random;

ILB_INTERNAL void ilb__random_init(ilb__random *r, uint64_t seed);

/* 64 random bits. `salt` is the time; any value does. */
ILB_INTERNAL uint64_t ilb__random_next(ilb__random *r, uint64_t salt);

/* A number below `n` from 32 random bits, by multiplication (Lemire 2019,
 * without its rejection step: the bias is at most n / 2^32, i.e. 0.03 % at
 * the largest capacity). */
static inline uint32_t ilb__random_below(uint32_t bits, uint32_t n)
{
    return (uint32_t)(((uint64_t)bits * n) >> 32);
}

#endif
