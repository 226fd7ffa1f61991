/* SPDX-License-Identifier: MIT */
/* See select.h. */
#include "select/select.h"

/* Candidates of peak_ewma: two, and at most so many more. */
#define SELECT_CANDIDATES 2
#define SELECT_EXTRA 4
/* Draws to find them, when some are ejected, excluded or drawn already. */
#define SELECT_TRIES 16
/* Where draws found none, so many eligible ones are compared: neighbours of
 * ejected ones would else get the traffic of those. */
#define SELECT_ANY 8
/* An ejected endpoint that may help out: it fails less than this share, and
 * not so many times in a row. */
#define SELECT_HELPS_SHARE 0.5f
#define SELECT_HELPS_ROW 3
/* Where so many of healthy endpoints' requests fail, that says nothing. */
#define SELECT_HELPS_P0 0.1f

/* One pick at work. */
typedef struct select_run {
    ilb__selector *selector;
    ilb__judge *judge;
    ilb__draw draw;
    ilb__score_context context;
} select_run;

/* ---- Policies ---------------------------------------------------------- */

static bool select_seen(const uint32_t *columns, uint32_t n, uint32_t column)
{
    for (uint32_t i = 0; i < n; i++)
        if (columns[i] == column)
            return true;
    return false;
}

/* Is an ejected endpoint not much worse than those that are left? */
static bool select_helps(const select_run *r, const ilb__slot *slot)
{
    float p0 = r->context.figures.p0;
    float share = ilb__failures_share(&slot->failures, r->context.now_ns);

    if (p0 >= SELECT_HELPS_P0)
        return share <= SELECT_HELPS_SHARE || share <= 2 * p0;
    return share <= SELECT_HELPS_SHARE &&
           ilb__failures_in_a_row(&slot->failures) < SELECT_HELPS_ROW;
}

/* May it be drawn? While the others are overloaded, also an ejected one that
 * is not wholly bad. */
static bool select_eligible(const select_run *r, const ilb__candidate *c)
{
    return ilb__candidate_eligible(c) ||
           (ILB_UNLIKELY(r->context.figures.overloaded) &&
            select_helps(r, c->slot));
}

/* The cheapest of two eligible draws or, while that is poor, more. */
static bool select_cheapest(select_run *r, uint32_t extra, ilb__candidate *best)
{
    uint32_t columns[SELECT_TRIES]; /* drawn, eligible or not */
    uint32_t n = 0, n_drawn = 0, wanted = SELECT_CANDIDATES;
    uint32_t most = SELECT_CANDIDATES + extra;
    ilb__score best_score = {0, false}, score;
    ilb__candidate c;

    if (most > r->draw.width)
        most = r->draw.width;
    for (int tries = 0; tries < SELECT_TRIES && n < wanted && n < most &&
                        n_drawn < r->draw.width;
         tries++) {
        uint32_t column = ilb__draw_column(&r->draw);

        if (select_seen(columns, n_drawn, column))
            continue;
        columns[n_drawn++] = column;
        if (!ilb__draw_look(&r->draw, column, &c) || !select_eligible(r, &c))
            continue;
        score = ilb__score_of(c.slot, c.load, c.health, &r->context);
        if (n == 0 || score.cost < best_score.cost) {
            *best = c;
            best_score = score;
        }
        n++;
        if (n == wanted && best_score.poor)
            wanted++;
    }
    return n > 0;
}

/* The column whose turn it is. */
static uint32_t select_turn(select_run *r)
{
    const ilb__view *v = &r->draw.view;
    uint64_t turn = ilb__add_relaxed(&r->selector->turn, 1);
    uint32_t column = (uint32_t)(turn % v->n);

    /* Each round takes every column once and, of each, its alias as often as
     * its threshold says: multiples of the golden ratio spread evenly. */
    return ilb__view_weighted(
        v, column,
        (uint32_t)((turn / v->n * ILB_GOLDEN + ilb__mix64(column)) >> 32));
}

/* One eligible endpoint after the other, or at random. */
static bool select_single(select_run *r, bool in_turn, ilb__candidate *c)
{
    for (int tries = 0; tries < SELECT_TRIES; tries++) {
        uint32_t column = in_turn ? select_turn(r) : ilb__draw_column(&r->draw);

        if (ilb__draw_look(&r->draw, column, c) && ilb__candidate_eligible(c))
            return true;
    }
    return false;
}

static bool select_by_policy(select_run *r, ilb__candidate *c)
{
    switch (r->selector->policy) {
    case ILB_POLICY_LEAST_REQUEST:
        return select_cheapest(r, 0, c);
    case ILB_POLICY_ROUND_ROBIN:
        return select_single(r, true, c);
    case ILB_POLICY_RANDOM:
        return select_single(r, false, c);
    case ILB_POLICY_DEFAULT:
    case ILB_POLICY_PEAK_EWMA:
        break;
    }
    return select_cheapest(r, SELECT_EXTRA, c);
}

/* ---- When draws are not enough ----------------------------------------- */

/* The cheapest of the first few eligible endpoints from a random one on;
 * without any, the cheapest of the others. */
static bool select_any(select_run *r, ilb__candidate *best)
{
    uint32_t n = r->draw.view.n;
    uint32_t first = ilb__draw_below(&r->draw, n);
    uint32_t n_eligible = 0;
    float best_cost = 0;
    bool found = false;

    for (uint32_t k = 0; k < n && n_eligible < SELECT_ANY; k++) {
        ilb__candidate c;
        bool eligible;
        float cost;

        if (!ilb__draw_look(&r->draw, (first + k) % n, &c))
            continue;
        eligible = ilb__candidate_eligible(&c);
        if (!eligible && n_eligible > 0)
            continue;
        cost = ilb__score_of(c.slot, c.load, c.health, &r->context).cost;
        if (!found || (eligible && n_eligible == 0) || cost < best_cost) {
            *best = c;
            best_cost = cost;
            found = true;
        }
        n_eligible += eligible;
    }
    return found;
}

/* The ejected endpoint whose probe this request will be. */
static bool select_probe(select_run *r, ilb__candidate *probe)
{
    bool claimed = false;

    if (!ilb__judge_begin_search(r->judge, r->context.now_ns))
        return false;
    for (uint32_t i = 0; i < r->draw.view.n; i++) {
        ilb__candidate c;
        bool may = ilb__draw_look(&r->draw, i, &c) && !claimed;

        if (ilb__health_claim(r->judge, c.slot, may, r->context.now_ns)) {
            *probe = c;
            claimed = true;
        }
    }
    return claimed;
}

/* ---- One pick ---------------------------------------------------------- */

static bool select_take(const select_run *r, const ilb__candidate *c,
                        bool probe, ilb__choice *choice)
{
    choice->id = c->id;
    choice->probe = probe;
    if (ilb__load_take(&c->slot->load, c->load,
                       ilb__endpoint_id_generation(c->id), r->context.now_ns,
                       &choice->parity))
        return true;
    if (probe)
        ilb__health_inconclusive(r->judge, c->slot, r->context.now_ns);
    return false;
}

static int select_none(const select_run *r)
{
    if (r->draw.view.n > 0)
        return r->draw.exclusion->n > 0 ? ILB_EEXCLUDED : ILB_EBUSY;
    return ilb__load_relaxed(&r->draw.view.buffer->n_listed) > 0 ? ILB_ENOTREADY
                                                                 : ILB_EEMPTY;
}

static void select_begin(select_run *r, const ilb__table *table,
                         uint64_t now_ns)
{
    ilb__draw *d = &r->draw;

    d->view = ilb__table_view(table);
    d->random = ilb__random_next(&r->selector->random, now_ns);
    if (ilb__pool_due(&r->selector->pool, ILB_POOL_PERIOD_NS, now_ns))
        ilb__pool_refresh(&r->selector->pool, r->judge, d->slots, &d->view,
                          false, now_ns);
    ilb__pool_figures(&r->selector->pool, &r->context.figures);
    r->context.now_ns = now_ns;
    r->context.latency = r->selector->policy == ILB_POLICY_PEAK_EWMA;
    r->context.weight_scale =
        d->view.weight_total == 0
            ? 0
            : (float)d->view.n / (float)d->view.weight_total;
    ilb__score_prepare(&r->context);
    d->width = d->view.n;
    if (r->context.latency && d->view.weight_total == 0 &&
        r->context.figures.aperture < d->width)
        d->width = r->context.figures.aperture;
}

ILB_INTERNAL int ilb__select(ilb__selector *s, ilb__judge *j,
                             const ilb__table *table, ilb__slot *slots,
                             const ilb__exclusion *exclusion, uint64_t now_ns,
                             ilb__choice *choice)
{
    select_run r;
    ilb__candidate c;

    r.selector = s;
    r.judge = j;
    r.draw.slots = slots;
    r.draw.exclusion = exclusion;
    for (;;) {
        bool found, probe = false;
        int none;

        select_begin(&r, table, now_ns);
        if (r.draw.view.n > 0 && ilb__judge_due(j, now_ns)) {
            probe = select_probe(&r, &c);
            if (!ilb__table_holds(table, &r.draw.view))
                ilb__judge_search_again(j, now_ns);
        }
        found = probe || (r.draw.view.n > 0 &&
                          (select_by_policy(&r, &c) || select_any(&r, &c)));
        none = found ? ILB_OK : select_none(&r);
        /* What was read through a view that did not hold may be nonsense; a
         * probe is claimed all the same, and its slot proves itself. */
        if (!probe && !ilb__table_holds(table, &r.draw.view))
            continue;
        if (!found)
            return none;
        if (select_take(&r, &c, probe, choice))
            return ILB_OK;
    }
}
