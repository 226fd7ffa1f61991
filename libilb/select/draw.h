/* SPDX-License-Identifier: MIT */
/*
 * Candidates: drawing endpoints from a view of the table, and what is known of
 * the ones drawn.
 */
#ifndef ILB_SELECT_DRAW_H
#define ILB_SELECT_DRAW_H

#include "select/score.h"

/* Endpoints that the caller does not want. */
typedef struct ilb__exclusion {
    ilb__endpoint_id ids[ILB_EXCLUDE_MAX];
    uint32_t n;
} ilb__exclusion;

typedef struct ilb__draw {
    ilb__slot *slots;
    ilb__view view;
    const ilb__exclusion *exclusion;
    uint64_t random; /* 64 bits, used up from the low end */
    uint32_t width;  /* columns to draw from: all, or the aperture's */
} ilb__draw;

typedef struct ilb__candidate {
    ilb__slot *slot; /* NULL: none */
    ilb__endpoint_id id;
    uint64_t load;
    uint64_t health;
    bool ramping;     /* slow start: passed over this time */
    uint8_t admitted; /* an ilb_admitted: ejected, but may be taken */
} ilb__candidate;

/* A number below `n` from the draw's random bits. */
ILB_INTERNAL uint32_t ilb__draw_below(ilb__draw *d, uint32_t n);

/* A column of the view, by weight. The view is not empty. */
ILB_INTERNAL uint32_t ilb__draw_column(ilb__draw *d);

/* Looks at the endpoint of a column. False if it must not be taken: excluded,
 * or no longer the one that the view means. Ejected ones are not refused. */
ILB_INTERNAL bool ilb__draw_look(const ilb__draw *d, uint32_t column,
                                 ilb__candidate *c);

/* Does the caller not want it? */
ILB_INTERNAL bool ilb__draw_excluded(const ilb__exclusion *e,
                                     ilb__endpoint_id id);

static inline bool ilb__candidate_eligible(const ilb__candidate *c)
{
    return ilb__health_eligible(c->health);
}

#endif
