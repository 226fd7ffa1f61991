/* SPDX-License-Identifier: MIT */
/*
 * Candidates: drawing endpoints from a view of the table, and what is known of
 * the ones drawn.
 */
#ifndef ILB_SELECT_DRAW_H
#define ILB_SELECT_DRAW_H

#include "base/random.h"
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

/* 32 random bits. */
static inline uint32_t ilb__draw_bits(ilb__draw *d)
{
    uint32_t bits = (uint32_t)d->random;

    /* The next number of the sequence that this one begins. */
    d->random = ilb__mix64(d->random + ILB_GOLDEN);
    return bits;
}

/* A number below `n` from the draw's random bits. */
static inline uint32_t ilb__draw_below(ilb__draw *d, uint32_t n)
{
    return ilb__random_below(ilb__draw_bits(d), n);
}

/* A column of the view, by weight. The view is not empty. */
static inline uint32_t ilb__draw_column(ilb__draw *d)
{
    uint32_t column = ilb__draw_below(d, d->width);

    if (ILB_LIKELY(d->view.weight_total == 0))
        return column;
    return ilb__view_weighted(&d->view, column, ilb__draw_bits(d));
}

/* Has what a look at a column reads fetched, as it is needed soon. */
static inline void ilb__draw_fetch(const ilb__draw *d, uint32_t column)
{
    const ilb__slot *slot =
        &d->slots[ilb__endpoint_id_index(ilb__view_id(&d->view, column))];

    ILB_PREFETCH(&slot->load);
    ILB_PREFETCH(&slot->overtaken);
}

/* Has the slot that is drawn next fetched, while this one is looked at. The
 * draw's random bits say which; with weights they need not be right. */
static inline void ilb__draw_fetch_next(const ilb__draw *d)
{
    ilb__draw_fetch(d, ilb__random_below((uint32_t)d->random, d->width));
}

/* Does the caller not want it? */
static inline bool ilb__draw_excluded(const ilb__exclusion *e,
                                      ilb__endpoint_id id)
{
    for (uint32_t i = 0; i < e->n; i++)
        if (e->ids[i] == id)
            return true;
    return false;
}

/* Looks at the endpoint of a column. False if it must not be taken: excluded,
 * or no longer the one that the view means. Ejected ones are not refused. */
static inline bool ilb__draw_look(const ilb__draw *d, uint32_t column,
                                  ilb__candidate *c)
{
    c->id = ilb__view_id(&d->view, column);
    c->slot = &d->slots[ilb__endpoint_id_index(c->id)];
    c->load = ilb__load_relaxed(&c->slot->load.word);
    c->health = ilb__load_relaxed(&c->slot->health);
    c->ramping = false;
    c->admitted = ILB_ADMITTED_NOT;
    return ilb__load_generation(c->load) ==
               ilb__endpoint_id_generation(c->id) &&
           ilb__load_in_flight(c->load) < ILB_LOAD_MAX &&
           (ILB_LIKELY(d->exclusion->n == 0) ||
            !ilb__draw_excluded(d->exclusion, c->id));
}

static inline bool ilb__candidate_eligible(const ilb__candidate *c)
{
    return ilb__health_eligible(c->health);
}

#endif
