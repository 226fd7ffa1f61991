/* SPDX-License-Identifier: MIT */
/* The state word of health.h, taken apart: for those who change it. */
#ifndef ILB_HEALTH_WORD_H
#define ILB_HEALTH_WORD_H

#include "health/health.h"

/* With 48 bits the whole range of the clock, whatever its epoch. */
#define ILB_WORD_UNTIL_SHIFT 16
#define ILB_WORD_UNTIL_MAX ((UINT64_C(1) << 48) - 1)

/* In the place of the good answers, while PROBING: the probe was early, so that
 * its failure does not raise the level. */
#define ILB_WORD_EARLY 1

typedef struct ilb__word {
    enum ilb__health_state state;
    uint32_t level;
    uint32_t good;
    ilb_detector by;
    uint64_t until_ns;
} ilb__word;

static inline ilb__word ilb__word_unpack(uint64_t word)
{
    ilb__word h = {ilb__health_state_of(word), (uint32_t)(word >> 3) & 31,
                   (uint32_t)(word >> 8) & 15, ilb__health_by(word),
                   (word >> 16) << ILB_WORD_UNTIL_SHIFT};
    return h;
}

static inline uint64_t ilb__word_pack(ilb__word h)
{
    /* Rounded up: never due before its time. */
    uint64_t until = (h.until_ns >> ILB_WORD_UNTIL_SHIFT) +
                     ((h.until_ns & ((1 << ILB_WORD_UNTIL_SHIFT) - 1)) != 0);

    if (until > ILB_WORD_UNTIL_MAX)
        until = ILB_WORD_UNTIL_MAX;
    return until << 16 | (uint64_t)h.by << 12 | (uint64_t)h.good << 8 |
           (uint64_t)h.level << 3 | (uint64_t)h.state;
}

/* Has it a place under the cap? */
static inline bool ilb__word_counts(enum ilb__health_state s)
{
    return s == ILB__EJECTED || s == ILB__PROBING;
}

/* It begins to warm up. */
static inline void ilb__word_warm(ilb__word *h)
{
    h->state = ILB__WARMING;
    h->good = 0;
    h->by = ILB_DETECTOR_NONE;
    h->until_ns = 0;
}

#endif
