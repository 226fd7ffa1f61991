/* SPDX-License-Identifier: MIT */
/* See draw.h. */
#include "select/draw.h"

#include "base/hash.h"
#include "base/random.h"

static uint32_t draw_bits(ilb__draw *d)
{
    uint32_t bits = (uint32_t)d->random;

    /* The next number of the sequence that this one begins. */
    d->random = ilb__mix64(d->random + ILB_GOLDEN);
    return bits;
}

ILB_INTERNAL uint32_t ilb__draw_below(ilb__draw *d, uint32_t n)
{
    return ilb__random_below(draw_bits(d), n);
}

ILB_INTERNAL uint32_t ilb__draw_column(ilb__draw *d)
{
    uint32_t column = ilb__draw_below(d, d->width);

    if (ILB_LIKELY(d->view.weight_total == 0))
        return column;
    return ilb__view_weighted(&d->view, column, draw_bits(d));
}

ILB_INTERNAL bool ilb__draw_excluded(const ilb__exclusion *e,
                                     ilb__endpoint_id id)
{
    for (uint32_t i = 0; i < e->n; i++)
        if (e->ids[i] == id)
            return true;
    return false;
}

ILB_INTERNAL bool ilb__draw_look(const ilb__draw *d, uint32_t column,
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
           !ilb__draw_excluded(d->exclusion, c->id);
}
