/* SPDX-License-Identifier: MIT */
/* See select.h. */
#include "select/select.h"

#include "health/cap.h"

/* Candidates of least_request; of peak_ewma, at least and at most. */
#define SELECT_CANDIDATES 2
#define SELECT_CANDIDATES_MAX 16
/* Draws to find them, when some are ejected, excluded or drawn already. */
#define SELECT_TRIES 64
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
    bool panic;             /* too few are left */
    bool none;              /* none was seen that is not ejected */
    ilb_explanation *trace; /* NULL: nobody asks */
} select_run;

/* What a look at an endpoint found, if somebody asks. */
static inline void select_note(const select_run *r, const ilb__candidate *c,
                               const ilb__score *score)
{
    if (ILB_UNLIKELY(r->trace != NULL))
        ilb__trace_look(r->trace, c, score, r->draw.exclusion, &r->context);
}

/* The choice, unless something happens to it. */
static inline void select_note_choice(const select_run *r,
                                      const ilb__candidate *c, ilb_chosen_by by)
{
    if (ILB_LIKELY(r->trace == NULL))
        return;
    if (r->panic && by != ILB_CHOSEN_BY_PROBE && !ilb__candidate_eligible(c))
        by = ILB_CHOSEN_BY_FAIL_OPEN;
    ilb__trace_choose(r->trace, c, by, &r->context);
}

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

/* Slow start: is this one of the draws that are passed over? */
static bool select_ramping(select_run *r, ilb__candidate *c)
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

/* May it be drawn? In a panic also an ejected one and, while the others are
 * overloaded, one that is not wholly bad; neither if that fails closed. */
static bool select_eligible(const select_run *r, const ilb__candidate *c)
{
    if (ILB_LIKELY(ilb__candidate_eligible(c)))
        return true;
    if (r->judge->fail_closed)
        return false;
    return r->panic ||
           (r->context.figures.overloaded && select_helps(r, c->slot));
}

/* The cheapest of two eligible draws or, while that is not cheap enough, of
 * more. */
static bool select_cheapest(select_run *r, uint32_t most, ilb__candidate *best)
{
    uint32_t columns[SELECT_TRIES]; /* drawn, eligible or not */
    uint32_t n = 0, n_drawn = 0;
    ilb__score best_score = {0, ILB_HELD_NOT};

    if (most > r->draw.width)
        most = r->draw.width;
    for (int tries = 0;
         tries < SELECT_TRIES && n < most && n_drawn < r->draw.width; tries++) {
        uint32_t column = ilb__draw_column(&r->draw);
        ilb__candidate c;
        ilb__score score;

        if (select_seen(columns, n_drawn, column))
            continue;
        columns[n_drawn++] = column;
        if (!ilb__draw_look(&r->draw, column, &c) || !select_eligible(r, &c) ||
            select_ramping(r, &c)) {
            select_note(r, &c, NULL);
            continue;
        }
        score = ilb__score_of(c.slot, c.load, c.health, &r->context);
        select_note(r, &c, &score);
        if (n == 0 || ilb__score_better(&score, &best_score)) {
            *best = c;
            best_score = score;
        }
        n++;
        if (n >= SELECT_CANDIDATES &&
            ilb__score_enough(&best_score, &r->context))
            break;
    }
    if (n > 0)
        select_note_choice(r, best, ILB_CHOSEN_BY_COST);
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

        if (ilb__draw_look(&r->draw, column, c) &&
            (ilb__candidate_eligible(c) ||
             (r->panic && !r->judge->fail_closed)) &&
            !select_ramping(r, c)) {
            select_note_choice(
                r, c, in_turn ? ILB_CHOSEN_BY_TURN : ILB_CHOSEN_BY_CHANCE);
            return true;
        }
        select_note(r, c, NULL);
    }
    return false;
}

static bool select_by_policy(select_run *r, ilb__candidate *c)
{
    switch (r->selector->policy) {
    case ILB_POLICY_LEAST_REQUEST:
        return select_cheapest(r, SELECT_CANDIDATES, c);
    case ILB_POLICY_ROUND_ROBIN:
        return select_single(r, true, c);
    case ILB_POLICY_RANDOM:
        return select_single(r, false, c);
    case ILB_POLICY_DEFAULT:
    case ILB_POLICY_PEAK_EWMA:
        break;
    }
    return select_cheapest(r, SELECT_CANDIDATES_MAX, c);
}

/* ---- When draws are not enough ----------------------------------------- */

/* The cheapest of the first few eligible endpoints from a random one on;
 * without any, the cheapest of the others, unless that fails closed. */
static bool select_any(select_run *r, ilb__candidate *best)
{
    uint32_t n = r->draw.view.n;
    uint32_t first = ilb__draw_below(&r->draw, n);
    uint32_t n_eligible = 0;
    ilb__score best_score = {0, ILB_HELD_NOT};
    bool found = false;

    for (uint32_t k = 0; k < n && n_eligible < SELECT_ANY; k++) {
        ilb__score score;
        ilb__candidate c;
        bool eligible, may;

        may = ilb__draw_look(&r->draw, (first + k) % n, &c);
        eligible = ilb__candidate_eligible(&c);
        r->none = r->none && !eligible;
        if (!may) {
            select_note(r, &c, NULL);
            continue;
        }
        if (!eligible && (n_eligible > 0 || r->judge->fail_closed))
            continue;
        score = ilb__score_of(c.slot, c.load, c.health, &r->context);
        select_note(r, &c, &score);
        if (!found || (eligible && n_eligible == 0) ||
            ilb__score_better(&score, &best_score)) {
            *best = c;
            best_score = score;
            found = true;
        }
        n_eligible += eligible;
    }
    if (found)
        select_note_choice(r, best,
                           n_eligible > 0 ? ILB_CHOSEN_BY_SEARCH
                                          : ILB_CHOSEN_BY_FAIL_OPEN);
    return found;
}

static bool select_endpoint(select_run *r, ilb__candidate *c)
{
    if (r->draw.view.n == 0 || (r->panic && r->judge->fail_closed))
        return false;
    return select_by_policy(r, c) || select_any(r, c);
}

/* The ejected endpoint whose probe this request will be. */
static bool select_probe(select_run *r, uint64_t due_by_ns,
                         ilb__candidate *probe)
{
    bool claimed = false;

    if (!ilb__judge_begin_search(r->judge, due_by_ns, r->context.now_ns))
        return false;
    for (uint32_t i = 0; i < r->draw.view.n; i++) {
        ilb__candidate c;
        bool may = ilb__draw_look(&r->draw, i, &c) && !claimed;

        if (ilb__health_claim(r->judge, c.slot, may, due_by_ns,
                              r->context.now_ns)) {
            *probe = c;
            claimed = true;
            select_note_choice(r, probe, ILB_CHOSEN_BY_PROBE);
        }
    }
    return claimed;
}

/* ---- One pick ---------------------------------------------------------- */

/* Where nobody has answered yet, all are the same risk. */
static ilb__trial select_trial(const select_run *r, const ilb__candidate *c,
                               bool probe)
{
    ilb__trial trial =
        probe ? ILB__TRIAL_TIMED
              : ilb__score_trial(c->slot, c->health, &r->context.figures);

    if (ILB_LIKELY(trial == ILB__TRIAL_NONE) ||
        r->context.figures.p99_ns == 0 ||
        !ilb__pool_trial_ok(&r->selector->pool))
        return ILB__TRIAL_NONE;
    return trial;
}

static bool select_take(const select_run *r, const ilb__candidate *c,
                        bool probe, ilb__choice *choice)
{
    choice->id = c->id;
    choice->probe = probe;
    choice->trial = select_trial(r, c, probe);
    choice->probe_lost =
        probe && ilb__health_state_of(c->health) == ILB__PROBING;
    if (ilb__load_take(&c->slot->load, c->load,
                       ilb__endpoint_id_generation(c->id), r->context.now_ns,
                       &choice->parity)) {
        ilb__cost_take(&c->slot->extra_cost, choice->cost);
        return true;
    }
    if (probe)
        ilb__health_inconclusive(r->judge, c->slot, r->context.now_ns);
    return false;
}

static int select_none(const select_run *r)
{
    if (r->draw.view.n > 0 && r->judge->fail_closed && (r->panic || r->none))
        return ILB_EEJECTED;
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
    r->context.refusal_ns = r->judge->longest_ns;
    r->context.slow_start_ns = r->judge->slow_start_ns;
    r->context.latency = r->selector->policy == ILB_POLICY_PEAK_EWMA;
    r->context.weight_scale =
        d->view.weight_total == 0
            ? 0
            : (float)d->view.n / (float)d->view.weight_total;
    ilb__score_prepare(&r->context);
    r->panic = ilb__judge_panics(r->judge, d->view.n);
    r->none = true;
    d->width = d->view.n;
    if (r->context.latency && d->view.weight_total == 0 &&
        r->context.figures.aperture < d->width)
        d->width = r->context.figures.aperture;
    if (ILB_UNLIKELY(r->trace != NULL))
        ilb__trace_begin(r->trace, r->selector->policy, r->judge, d,
                         &r->context);
}

ILB_INTERNAL int ilb__select(ilb__selector *s, ilb__judge *j,
                             const ilb__table *table, ilb__slot *slots,
                             const ilb__exclusion *exclusion, uint64_t now_ns,
                             ilb__choice *choice, ilb_explanation *trace)
{
    select_run r;
    ilb__candidate c;

    r.selector = s;
    r.judge = j;
    r.trace = trace;
    r.draw.slots = slots;
    r.draw.exclusion = exclusion;
    for (;;) {
        bool found, probe = false;
        int none;

        select_begin(&r, table, now_ns);
        if (r.draw.view.n > 0 && ilb__judge_due(j, now_ns)) {
            probe = select_probe(&r, ilb__judge_due_by_ns(j, now_ns), &c);
            if (!ilb__table_holds(table, &r.draw.view))
                ilb__judge_search_again(j, now_ns);
        }
        found = probe || select_endpoint(&r, &c);
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

ILB_INTERNAL int ilb__select_due(ilb__selector *s, ilb__judge *j,
                                 const ilb__table *table, ilb__slot *slots,
                                 uint64_t now_ns, ilb__choice *choice)
{
    const ilb__exclusion none = {{0}, 0};
    ilb__candidate c;
    select_run r;

    r.selector = s;
    r.judge = j;
    r.trace = NULL;
    r.draw.slots = slots;
    r.draw.exclusion = &none;
    ilb__store_relaxed(&j->host_ns, now_ns);
    do {
        bool found;

        select_begin(&r, table, now_ns);
        found = r.draw.view.n > 0 && ilb__judge_due(j, now_ns) &&
                select_probe(&r, now_ns, &c);
        if (!ilb__table_holds(table, &r.draw.view))
            ilb__judge_search_again(j, now_ns);
        if (!found)
            return ILB_ENOTDUE;
    } while (!select_take(&r, &c, true, choice));
    return ILB_OK;
}
