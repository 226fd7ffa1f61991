/* SPDX-License-Identifier: MIT */
/* See policy.h. */
#include "select/policy.h"

/* Candidates of least_request; of peak_ewma, at least and at most. */
#define POLICY_CANDIDATES 2
#define POLICY_CANDIDATES_MAX 16
/* Draws to find them, when some are ejected, excluded or drawn already. */
#define POLICY_TRIES 64
/* From so many endpoints on a slot is likely not to be in the cache. */
#define POLICY_FAR 256
/* Where draws found none, so many eligible ones are compared: neighbours of
 * ejected ones would else get the traffic of those. */
#define POLICY_ANY 8
/* An ejected endpoint that may help out: it fails less than this share, and
 * not so many times in a row. */
#define POLICY_HELPS_SHARE 0.5f
#define POLICY_HELPS_ROW 3
/* Where so many of healthy endpoints' requests fail, that says nothing. */
#define POLICY_HELPS_P0 0.1f

/* Columns drawn so far. */
typedef struct policy_drawn {
    uint64_t low; /* those below 64, a bit each */
    uint32_t high[POLICY_TRIES];
    uint32_t n, n_high;
} policy_drawn;

/* False: it was drawn before. */
static bool policy_draws(policy_drawn *d, uint32_t column)
{
    if (column < 64) {
        if ((d->low >> column & 1) != 0)
            return false;
        d->low |= UINT64_C(1) << column;
    } else {
        for (uint32_t i = 0; i < d->n_high; i++)
            if (d->high[i] == column)
                return false;
        d->high[d->n_high++] = column;
    }
    d->n++;
    return true;
}

/* Is an ejected endpoint not much worse than those that are left? */
static bool policy_helps(const ilb__run *r, const ilb__slot *slot)
{
    float p0 = r->context.figures.p0;
    float share = ilb__failures_share(&slot->failures, r->context.now_ns);

    if (p0 >= POLICY_HELPS_P0)
        return share <= POLICY_HELPS_SHARE || share <= 2 * p0;
    return share <= POLICY_HELPS_SHARE &&
           ilb__failures_in_a_row(&slot->failures) < POLICY_HELPS_ROW;
}

/* Slow start: is this one of the draws that are passed over? */
static bool policy_ramping(ilb__run *r, ilb__candidate *c)
{
    float factor;

    if (ILB_LIKELY(r->context.slow_start_ns == 0))
        return false;
    factor =
        ilb__ramp_factor(c->slot, r->context.slow_start_ns, r->context.now_ns);
    c->ramping = factor < 1 && (float)ilb__draw_below(&r->draw, UINT32_MAX) >=
                                   factor * (float)UINT32_MAX;
    return c->ramping;
}

/* Why an ejected one may be compared: in a panic and, while the others are
 * overloaded, if it is not wholly bad; any while these have no room. Not if
 * that fails closed. */
static ilb_admitted policy_admits(const ilb__run *r, const ilb__slot *slot)
{
    if (r->judge->fail_closed)
        return ILB_ADMITTED_NOT;
    if (r->panic)
        return ILB_ADMITTED_PANIC;
    if (r->context.figures.room != 0)
        return ILB_ADMITTED_ROOM;
    return r->context.figures.overloaded && policy_helps(r, slot)
               ? ILB_ADMITTED_OVERLOAD
               : ILB_ADMITTED_NOT;
}

/* May it be compared? */
static bool policy_eligible(const ilb__run *r, ilb__candidate *c)
{
    if (ILB_LIKELY(ilb__candidate_eligible(c)))
        return true;
    c->admitted = (uint8_t)policy_admits(r, c->slot);
    return c->admitted != ILB_ADMITTED_NOT;
}

/* May it be taken where nothing is compared? Ejected ones in a panic only. */
static bool policy_takes(const ilb__run *r, ilb__candidate *c)
{
    if (ILB_LIKELY(ilb__candidate_eligible(c)))
        return true;
    if (!r->panic || r->judge->fail_closed)
        return false;
    c->admitted = ILB_ADMITTED_PANIC;
    return true;
}

/* Looks at a column. True: it takes part, and *score is what it costs. */
static inline bool policy_compares(ilb__run *r, uint32_t column,
                                   ilb__candidate *c, ilb__score *score)
{
    if (!ilb__draw_look(&r->draw, column, c) || !policy_eligible(r, c) ||
        policy_ramping(r, c)) {
        ilb__run_saw(r, c, NULL);
        return false;
    }
    *score = ilb__score_of(c->slot, c->load, c->health, &r->context);
    ilb__run_saw(r, c, score);
    return true;
}

/* The cheapest of two eligible draws or, while that is not cheap enough, of
 * more. */
static bool policy_cheapest(ilb__run *r, uint32_t most, ilb__candidate *best)
{
    policy_drawn drawn; /* eligible or not */
    uint32_t n = 0;
    ilb__score best_score = {0, ILB_HELD_NOT};
    bool by_weight = r->draw.view.weight_total != 0;

    drawn.low = 0;
    drawn.n = drawn.n_high = 0;
    if (most > r->draw.width)
        most = r->draw.width;
    for (int tries = 0;
         tries < POLICY_TRIES && n < most && drawn.n < r->draw.width; tries++) {
        uint32_t column = ilb__draw_column(&r->draw);
        ilb__candidate other, *c = n == 0 ? best : &other;
        ilb__score score;

        if (ILB_UNLIKELY(r->draw.width > POLICY_FAR))
            ilb__draw_fetch_next(&r->draw);
        if (!policy_draws(&drawn, column) ||
            !policy_compares(r, column, c, &score))
            continue;
        if (n == 0) {
            best_score = score;
        } else if (ilb__score_better(&score, &best_score)) {
            *best = other;
            best_score = score;
        }
        n++;
        if (by_weight && n == 1 &&
            ilb__score_fits(c->slot, c->load, &score, &r->context))
            break;
        if (n >= POLICY_CANDIDATES &&
            ilb__score_enough(&best_score, &r->context))
            break;
    }
    if (n == 0)
        return false;
    r->held = best_score.held;
    ilb__run_chose(r, best, &best_score, ILB_CHOSEN_BY_COST);
    return true;
}

/* The column whose turn it is. */
static uint32_t policy_turn(ilb__run *r)
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
static bool policy_single(ilb__run *r, bool in_turn, ilb__candidate *c)
{
    for (int tries = 0; tries < POLICY_TRIES; tries++) {
        uint32_t column = in_turn ? policy_turn(r) : ilb__draw_column(&r->draw);
        bool takes = ilb__draw_look(&r->draw, column, c) &&
                     policy_takes(r, c) && !policy_ramping(r, c);

        if (takes) {
            ilb__run_took(r, c,
                          in_turn ? ILB_CHOSEN_BY_TURN : ILB_CHOSEN_BY_CHANCE);
            return true;
        }
        ilb__run_saw(r, c, NULL);
    }
    return false;
}

static bool policy_by_policy(ilb__run *r, ilb__candidate *c)
{
    switch (r->selector->policy) {
    case ILB_POLICY_LEAST_REQUEST:
        return policy_cheapest(r, POLICY_CANDIDATES, c);
    case ILB_POLICY_ROUND_ROBIN:
        return policy_single(r, true, c);
    case ILB_POLICY_RANDOM:
        return policy_single(r, false, c);
    case ILB_POLICY_DEFAULT:
    case ILB_POLICY_PEAK_EWMA:
        break;
    }
    return policy_cheapest(r, POLICY_CANDIDATES_MAX, c);
}

/* ---- When draws are not enough ----------------------------------------- */

/* The cheapest of the first few eligible endpoints from a random one on;
 * without any, the cheapest of the others, unless that fails closed. */
static bool policy_any(ilb__run *r, ilb__candidate *best)
{
    uint32_t n = r->draw.view.n;
    uint32_t first = ilb__draw_below(&r->draw, n);
    uint32_t n_eligible = 0;
    ilb__score best_score = {0, ILB_HELD_NOT};
    bool found = false;

    for (uint32_t k = 0; k < n && n_eligible < POLICY_ANY; k++) {
        ilb__score score;
        ilb__candidate c;
        bool eligible, may;

        may = ilb__draw_look(&r->draw, (first + k) % n, &c);
        eligible = ilb__candidate_eligible(&c);
        r->none = r->none && !eligible;
        if (!may || (!eligible && (n_eligible > 0 || r->judge->fail_closed))) {
            ilb__run_saw(r, &c, NULL);
            continue;
        }
        if (!eligible)
            c.admitted = ILB_ADMITTED_LAST;
        score = ilb__score_of(c.slot, c.load, c.health, &r->context);
        ilb__run_saw(r, &c, &score);
        if (!found || (eligible && n_eligible == 0) ||
            ilb__score_better(&score, &best_score)) {
            *best = c;
            best_score = score;
            found = true;
        }
        n_eligible += eligible;
    }
    if (!found)
        return false;
    r->held = best_score.held;
    ilb__run_chose(r, best, &best_score,
                   n_eligible > 0 ? ILB_CHOSEN_BY_SEARCH
                                  : ILB_CHOSEN_BY_FAIL_OPEN);
    return true;
}

ILB_INTERNAL bool ilb__policy_endpoint(ilb__run *r, ilb__candidate *c)
{
    if (r->draw.view.n == 0 || (r->panic && r->judge->fail_closed))
        return false;
    return policy_by_policy(r, c) || policy_any(r, c);
}
