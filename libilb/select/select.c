/* SPDX-License-Identifier: MIT */
/* See select.h. */
#include "select/select.h"

#include "health/cap.h"
#include "select/quick.h"

/* For each endpoint that is looked at, the time until all may be once more: so
 * that looking takes a hundredth of it at most. */
#define SELECT_EARLY_LOOK_NS UINT64_C(10000)

/* The ejected endpoint whose probe this request will be. */
static bool select_probe(ilb__run *r, uint64_t due_by_ns, ilb__candidate *probe)
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
            probe->admitted = ILB_ADMITTED_PROBE;
            ilb__run_chose(r, probe, NULL, ILB_CHOSEN_BY_PROBE);
        }
    }
    return claimed;
}

/* How often endpoints may be asked before their time. */
static uint64_t select_early_ns(const ilb__run *r)
{
    uint64_t hang_ns = (uint64_t)r->context.hang_ns;
    uint64_t look_ns = r->draw.view.n * SELECT_EARLY_LOOK_NS;

    return hang_ns > look_ns ? hang_ns : look_ns;
}

/* What the policy has chosen hangs, and nothing that it looked at is better: an
 * ejected endpoint that this request may ask as well. */
static bool select_early(ilb__run *r, ilb__candidate *probe)
{
    uint32_t n = r->draw.view.n, first;

    if (ILB_LIKELY(r->held != ILB_HELD_HANGING) ||
        !ilb__judge_begin_early(r->judge, select_early_ns(r),
                                r->context.now_ns))
        return false;
    first = ilb__draw_below(&r->draw, n);
    for (uint32_t i = 0; i < n; i++) {
        ilb__candidate c;

        if (ilb__draw_look(&r->draw, (first + i) % n, &c) &&
            ilb__health_claim_early(r->judge, c.slot, r->context.now_ns)) {
            *probe = c;
            probe->admitted = ILB_ADMITTED_EARLY;
            ilb__run_chose(r, probe, NULL, ILB_CHOSEN_BY_PROBE);
            return true;
        }
    }
    return false;
}

/* Silent so long that somebody has to ask: this request does, for a while. */
static bool select_asks_again(const ilb__run *r, const ilb__candidate *c)
{
    const ilb__score_context *x = &r->context;
    uint64_t age_ns =
        ilb__score_age_ns(c->slot, c->load, &x->figures, x->now_ns);

    if (ILB_LIKELY(!ilb__score_asks_again(c->slot, c->load, (float)age_ns, x)))
        return false;
    ilb__store_relaxed(&c->slot->asked_ns, x->now_ns);
    return true;
}

/* Where nobody has answered yet, all are the same risk. */
static ilb_trial select_trial(const ilb__run *r, const ilb__candidate *c,
                              bool probe)
{
    ilb_trial trial = ilb__score_trial(c->slot, c->health, &r->context);

    if (probe)
        trial = ILB_TRIAL_PROBE;
    else if (select_asks_again(r, c))
        trial = ILB_TRIAL_AGAIN;
    if (ILB_LIKELY(trial == ILB_TRIAL_NOT) || r->context.figures.p99_ns == 0 ||
        r->context.figures.room != 0 ||
        !ilb__trials_ok(&r->selector->pool.trials))
        return ILB_TRIAL_NOT;
    return trial;
}

static bool select_take(const ilb__run *r, const ilb__candidate *c, bool probe,
                        ilb__choice *choice)
{
    choice->id = c->id;
    choice->probe = probe;
    choice->trial = select_trial(r, c, probe);
    choice->timed =
        ILB_UNLIKELY(choice->trial != ILB_TRIAL_NOT) &&
        ilb__score_trial_is_timed(choice->trial, &r->context.figures);
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

static int select_none(const ilb__run *r)
{
    if (r->draw.view.n > 0 && r->judge->fail_closed && (r->panic || r->none))
        return ILB_EEJECTED;
    if (r->draw.view.n > 0)
        return r->draw.exclusion->n > 0 ? ILB_EEXCLUDED : ILB_EBUSY;
    return ilb__load_relaxed(&r->draw.view.buffer->n_listed) > 0 ? ILB_ENOTREADY
                                                                 : ILB_EEMPTY;
}

/* What only matters where weights differ. */
static void select_weigh(ilb__score_context *c, const ilb__view *v)
{
    const ilb__figures *f = &c->figures;

    c->weight_scale = (float)v->n / (float)v->weight_total;
    c->in_flight =
        v->n == 0 ? 0 : f->rate_per_s * f->median_ns / 1e9f / (float)v->n;
}

/* `drawn`: random bits for it, if there are some. */
static void select_begin(ilb__run *r, const ilb__table *table, uint64_t now_ns,
                         const uint64_t *drawn)
{
    ilb__draw *d = &r->draw;
    uint32_t n_ejected;

    d->view = ilb__table_view(table);
    d->random =
        drawn != NULL ? *drawn : ilb__random_next(&r->selector->random, now_ns);
    if (ilb__pool_due(&r->selector->pool, ILB_POOL_PERIOD_NS, now_ns))
        ilb__pool_refresh(&r->selector->pool, r->judge, d->slots, &d->view,
                          false, now_ns);
    ilb__pool_figures(&r->selector->pool, &r->context.figures);
    r->context.now_ns = now_ns;
    r->context.slow_start_ns = r->judge->slow_start_ns;
    r->context.latency = r->selector->policy == ILB_POLICY_PEAK_EWMA;
    r->context.weight_scale = 0;
    if (ILB_UNLIKELY(d->view.weight_total != 0))
        select_weigh(&r->context, &d->view);
    ilb__score_prepare(&r->context);
    n_ejected = ilb__load32_relaxed(&r->judge->n_ejected);
    r->panic = ILB_UNLIKELY(n_ejected != 0) &&
               ilb__cap_panics(r->judge, n_ejected, d->view.n);
    r->none = true;
    r->held = ILB_HELD_NOT;
    d->width = d->view.n;
    if (r->context.latency && d->view.weight_total == 0 &&
        r->context.figures.aperture < d->width)
        d->width = r->context.figures.aperture;
    if (ILB_UNLIKELY(r->trace != NULL)) {
        ilb__trace_begin(r->trace, r->selector->policy, d, &r->context);
        r->trace->n_ejected = n_ejected;
        r->trace->panic = r->panic;
    }
}

/* The whole; `drawn` are random bits to begin with, or NULL. */
static int select_in_full(ilb__selector *s, ilb__judge *j,
                          const ilb__table *table, ilb__slot *slots,
                          const ilb__exclusion *exclusion, uint64_t now_ns,
                          const uint64_t *drawn, ilb__choice *choice,
                          ilb_explanation *trace)
{
    ilb__run r;
    ilb__candidate c;

    r.selector = s;
    r.judge = j;
    r.trace = trace;
    r.draw.slots = slots;
    r.draw.exclusion = exclusion;
    for (;;) {
        bool found, probe = false;
        int none;

        select_begin(&r, table, now_ns, drawn);
        drawn = NULL;
        if (r.draw.view.n > 0 && ilb__judge_due(j, now_ns)) {
            probe = select_probe(&r, ilb__judge_due_by_ns(j, now_ns), &c);
            if (!ilb__table_holds(table, &r.draw.view))
                ilb__judge_search_again(j, now_ns);
        }
        found = probe || ilb__policy_endpoint(&r, &c);
        if (found && !probe)
            probe = select_early(&r, &c);
        none = found ? ILB_OK : select_none(&r);
        /* What was read through a view that did not hold may be nonsense; a
         * probe is claimed all the same, and its slot proves itself. It needs
         * the fence in ilb__table_holds no less: whoever has read an id of a
         * later table sees from there on what that id's slot was given. */
        if (!ilb__table_holds(table, &r.draw.view) && !probe)
            continue;
        if (!found)
            return none;
        if (select_take(&r, &c, probe, choice))
            return ILB_OK;
    }
}

ILB_INTERNAL int ilb__select(ilb__selector *s, ilb__judge *j,
                             const ilb__table *table, ilb__slot *slots,
                             const ilb__exclusion *exclusion, uint64_t now_ns,
                             ilb__choice *choice, ilb_explanation *trace)
{
    const uint64_t *drawn = NULL;
    ilb__quick q;

    if (ILB_LIKELY(exclusion->n == 0 && trace == NULL)) {
        if (ILB_LIKELY(ilb__quick_pick(s, j, table, slots, now_ns, &q))) {
            choice->id = q.best.id;
            choice->parity = q.parity;
            choice->probe = choice->probe_lost = choice->timed = false;
            choice->trial = ILB_TRIAL_NOT;
            ilb__cost_take(&q.best.slot->extra_cost, choice->cost);
            return ILB_OK;
        }
        if (q.drew)
            drawn = &q.random;
    }
    return select_in_full(s, j, table, slots, exclusion, now_ns, drawn, choice,
                          trace);
}

ILB_INTERNAL int ilb__select_due(ilb__selector *s, ilb__judge *j,
                                 const ilb__table *table, ilb__slot *slots,
                                 uint64_t now_ns, ilb__choice *choice)
{
    const ilb__exclusion none = {{0}, 0};
    ilb__candidate c;
    ilb__run r;

    r.selector = s;
    r.judge = j;
    r.trace = NULL;
    r.draw.slots = slots;
    r.draw.exclusion = &none;
    ilb__store_relaxed(&j->host_ns, now_ns);
    do {
        bool found;

        select_begin(&r, table, now_ns, NULL);
        found = ilb__judge_due(j, now_ns) && select_probe(&r, now_ns, &c);
        if (!ilb__table_holds(table, &r.draw.view))
            ilb__judge_search_again(j, now_ns);
        if (!found)
            return ILB_ENOTDUE;
    } while (!select_take(&r, &c, true, choice));
    return ILB_OK;
}
