/* SPDX-License-Identifier: MIT */
/*
 * What the endpoints have in common: the median of their latency estimates.
 *
 * It is where a newcomer starts, where a stale estimate fades to, and what
 * "slow" is measured against. Refreshed every 100 ms by the pick that comes
 * first, from at most 64 endpoints spread evenly over the table: O(1), no
 * thread. Of an even number the lower middle: with one of two endpoints slow
 * the reference is the fast one. Ejected endpoints do not count.
 */
#ifndef ILB_SELECT_POOL_H
#define ILB_SELECT_POOL_H

#include "health/health.h"

typedef struct ilb__pool {
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 median; /* a float's bits; ns */
    ilb__a64 next_refresh_ns;
} ilb__pool;

/* 0: nothing is known of any endpoint. */
ILB_INTERNAL float ilb__pool_median_ns(const ilb__pool *p);

/* The first answer of all stands for the median until the next refresh. */
ILB_INTERNAL void ilb__pool_seed(ilb__pool *p, uint64_t sample_ns);

/* Refreshes the median if it is time. */
ILB_INTERNAL void ilb__pool_refresh(ilb__pool *p, const ilb__slot *slots,
                                    const ilb__view *view, uint64_t now_ns);

#endif
