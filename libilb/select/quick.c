/* SPDX-License-Identifier: MIT */
/* See quick.h. */
#include "select/quick.h"

/* To find a second column that is not the first. */
#define QUICK_TRIES 8

/* Is this the ordinary case, as far as it concerns all endpoints? */
static bool quick_begin(ilb__selector *s, const ilb__judge *j,
                        const ilb__table *table, uint64_t now_ns, ilb__draw *d,
                        ilb__score_context *c)
{
    d->view = ilb__table_view(table);
    if (s->policy != ILB_POLICY_PEAK_EWMA || j->slow_start_ns != 0 ||
        ilb__load32_relaxed(&j->n_ejected) != 0 || d->view.weight_total != 0 ||
        ilb__pool_due(&s->pool, ILB_POOL_PERIOD_NS, now_ns))
        return false;
    ilb__pool_figures(&s->pool, &c->figures);
    d->width =
        d->view.n < c->figures.aperture ? d->view.n : c->figures.aperture;
    if (d->width < 2 || c->figures.room != 0)
        return false;
    c->now_ns = now_ns;
    c->weight_scale = 0;
    c->slow_start_ns = 0;
    c->latency = true;
    ilb__score_prepare(c);
    return true;
}

/* Two columns that differ. */
static bool quick_draw(ilb__draw *d, uint32_t *first, uint32_t *second)
{
    int tries = 0;

    *first = ilb__draw_below(d, d->width);
    do {
        *second = ilb__draw_below(d, d->width);
        if (ILB_LIKELY(*second != *first))
            return true;
    } while (++tries < QUICK_TRIES);
    return false;
}

/* Is it eligible and well, with nothing held against it? */
static inline bool quick_look(const ilb__draw *d, uint32_t column,
                              const ilb__score_context *x, ilb__candidate *c,
                              float *cost)
{
    ilb__score score;
    uint64_t latency;

    if (!ilb__draw_look(d, column, c))
        return false;
    latency = ilb__load_relaxed(&c->slot->latency.word);
    if (!ilb__score_is_plain(c->slot, c->health, latency))
        return false;
    score = ilb__score_of_plain(c->slot, c->load, latency, x);
    *cost = score.cost;
    return score.held == ILB_HELD_NOT;
}

ILB_INTERNAL bool ilb__quick_pick(ilb__selector *s, const ilb__judge *j,
                                  const ilb__table *table, ilb__slot *slots,
                                  uint64_t now_ns, ilb__quick *q)
{
    static const ilb__exclusion none = {{0}, 0};
    float cost, other_cost;
    ilb__score_context c;
    ilb__candidate other;
    uint32_t first, second;
    ilb__draw d;

    q->drew = false;
    if (ILB_UNLIKELY(!quick_begin(s, j, table, now_ns, &d, &c)))
        return false;
    d.slots = slots;
    d.exclusion = &none;
    d.random = q->random = ilb__random_next(&s->random, now_ns);
    q->drew = true;
    if (ILB_UNLIKELY(!quick_draw(&d, &first, &second)))
        return false;
    ilb__draw_fetch(&d, first);
    ilb__draw_fetch(&d, second);
    if (!quick_look(&d, first, &c, &q->best, &cost) ||
        !quick_look(&d, second, &c, &other, &other_cost))
        return false;
    if (other_cost < cost) {
        cost = other_cost;
        q->best = other;
    }
    if (cost > c.enough ||
        ilb__score_trial(q->best.slot, q->best.health, &c) != ILB_TRIAL_NOT)
        return false;
    q->drew = false;
    return ilb__table_holds(table, &d.view) &&
           ilb__load_take(&q->best.slot->load, q->best.load,
                          ilb__endpoint_id_generation(q->best.id), now_ns,
                          &q->parity);
}
