/* SPDX-License-Identifier: MIT */
/*
 * The ordinary pick, by peak_ewma: nobody is ejected, weights are equal,
 * nothing is excluded and nobody asks why. Then two draws are looked at, and
 * the cheaper one is taken if it is cheap enough: nearly all picks are this,
 * and the rest of what select.h does would only find out that there is nothing
 * to do. It is a third of the instructions.
 *
 * What it takes is what the whole would have taken, with the same random bits.
 * Wherever it is not sure it has done nothing, and the whole begins.
 */
#ifndef ILB_SELECT_QUICK_H
#define ILB_SELECT_QUICK_H

#include "select/policy.h"

typedef struct ilb__quick {
    ilb__candidate best;
    uint32_t parity; /* for ilb__load_return */
    uint64_t random; /* what was drawn, for the whole; if `drew` */
    bool drew;
} ilb__quick;

/* True: one more is in flight to q->best, and it is no trial. */
ILB_INTERNAL bool ilb__quick_pick(ilb__selector *s, const ilb__judge *j,
                                  const ilb__table *table, ilb__slot *slots,
                                  uint64_t now_ns, ilb__quick *q);

#endif
