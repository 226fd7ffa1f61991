/* SPDX-License-Identifier: MIT */
/* A request is over: what it teaches, and whom. */
#include "api/balancer.h"
#include "base/hash.h"
#include "base/options.h"
#include "health/slow.h"

#define DONE_TRIAL_TIMES 2.0f

/* A request that is over. */
typedef struct done_facts {
    ilb__slot *slot;
    ilb_outcome outcome;
    bool probe, trial;
    bool answered; /* its first byte has come */
    uint32_t cost;
    uint64_t picked_ns;
    uint64_t waited_ns;
    uint64_t retry_after_ns;
    uint64_t now_ns;
    float hang_ns; /* ilb__figures_hang_ns; not before done_figures */
    bool before;   /* picked before its endpoint came or came back */
    const ilb_ticket *ticket;
} done_facts;

static void done_figures(ilb_balancer *b, done_facts *d, bool failed,
                         ilb__figures *f)
{
    ilb__pool *p = &b->selector.pool;

    if (failed || ilb__pool_due(p, ILB_POOL_LATE_NS, d->now_ns)) {
        ilb__view view = ilb__table_view(&b->set.table);

        ilb__pool_refresh(p, &b->judge, b->set.slots, &view, failed, d->now_ns);
    }
    ilb__pool_figures(p, f);
    d->hang_ns = ilb__figures_hang_ns(f);
}

/* Does a request that ended so count as one more failure in a row? */
static bool done_counts(const done_facts *d, const ilb__figures *f)
{
    if (d->outcome == ILB_OVERLOAD)
        return false;
    if (d->outcome != ILB_TIMEOUT)
        return true;
    /* Overloaded peers time out as well: no evidence against this one. */
    if (f->overloaded)
        return false;
    /* Given up early, as ilb_ticket_try_timeout_ns advises: it is slow. */
    return !d->trial || ilb__failures_in_a_row(&d->slot->failures) > 0 ||
           (float)d->waited_ns > 2 * ilb__figures_hang_ns(f);
}

static void done_cancelled(ilb_balancer *b, const done_facts *d,
                           const ilb__figures *f)
{
    ilb__failing x = {0};

    if (!d->probe)
        return;
    if ((float)d->waited_ns < ilb__figures_hang_ns(f)) {
        if (ilb__health_inconclusive(&b->judge, d->slot, d->now_ns))
            ilb__balancer_notes_probe(b, d->ticket, ILB_EVENT_PROBE_CANCELLED,
                                      ILB_STATE_PROBING, d->now_ns);
        return;
    }
    x.bits = (uint32_t)ilb__random_next(&b->selector.random, d->now_ns);
    (void)ilb__health_bad(&b->judge, d->slot, true, &x, f, d->now_ns);
}

/* How long it took, or waited in vain. True: it was a probe that has failed for
 * that. */
static bool done_timed(ilb_balancer *b, const done_facts *d, bool answered,
                       uint64_t ns, const ilb__figures *f)
{
    ilb__ended e;

    e.waited_ns = ns;
    e.began_ns = d->picked_ns;
    e.answered = answered;
    e.probe = d->probe;
    e.served = ilb__pool_served(&b->selector.pool);
    e.n_ready = ilb__table_view(&b->set.table).n;
    /* Slow answers may be many: they leave the stream of the picks alone. */
    e.bits = (uint32_t)ilb__mix64(b->set.salt ^ d->now_ns);
    return ilb__health_ended(&b->judge, d->slot, &e, f, d->now_ns);
}

/* It was given up, or timed out: so long it has waited, at least. */
static void done_gave_up(ilb_balancer *b, const done_facts *d, uint64_t ns,
                         const ilb__figures *f)
{
    if ((d->outcome != ILB_CANCELLED && d->outcome != ILB_TIMEOUT) ||
        d->answered)
        return;
    (void)done_timed(b, d, false, ns, f);
    ilb__sweep_gave_up(d->slot, d->waited_ns, f, d->now_ns);
}

/* A trial that was given up where others wait as well: it asked whether that is
 * silence, which is no failure; their age says it. */
static bool done_is_known(const done_facts *d, bool in_a_row)
{
    return d->trial && !in_a_row && d->outcome == ILB_TIMEOUT &&
           ilb__load_unanswered(ilb__load_relaxed(&d->slot->load.word)) > 1;
}

/* How long its answer would have taken, at least. A trial was given up as soon
 * as it took longer than answers do: it is expected to take as long again. Of
 * an endpoint that is tried again and again without an answer, nothing else
 * would ever say how slow it is. */
static uint64_t done_bound_ns(const done_facts *d, uint64_t ns)
{
    bool early = d->trial && d->outcome == ILB_TIMEOUT &&
                 (float)d->waited_ns < DONE_TRIAL_TIMES * d->hang_ns;

    return early ? (uint64_t)(DONE_TRIAL_TIMES * (float)ns) : ns;
}

/* What a request without a good answer teaches. */
static void done_bad(ilb_balancer *b, done_facts *d)
{
    bool in_a_row;
    ilb__figures f;
    ilb__failing x;

    if (d->before)
        return;
    done_figures(b, d,
                 d->outcome != ILB_OVERLOAD && d->outcome != ILB_CANCELLED, &f);
    if (ilb__figures_passed(&f, d->picked_ns, d->now_ns)) {
        uint64_t ns = ilb__cost_waited_ns(d->waited_ns, d->cost);

        ilb__latency_learn_bound(&d->slot->latency, done_bound_ns(d, ns), &f,
                                 d->now_ns);
        done_gave_up(b, d, ns, &f);
    }
    /* Also a caller who had less time than an ordinary answer takes. */
    if (d->outcome == ILB_CANCELLED ||
        (d->outcome == ILB_TIMEOUT &&
         (float)d->waited_ns < ilb__figures_ordinary_ns(&f))) {
        done_cancelled(b, d, &f);
        return;
    }
    if (d->trial)
        ilb__trials_failed(&b->selector.pool.trials);
    in_a_row = done_counts(d, &f);
    if (d->trial && !in_a_row && d->outcome == ILB_TIMEOUT)
        ilb__evidence_doubt(&d->slot->evidence, f.steps);
    if (done_is_known(d, in_a_row))
        x.row = ilb__failures_in_a_row(&d->slot->failures);
    else
        x.row = ilb__failures_bad(&d->slot->failures, in_a_row, d->now_ns);
    x.refused = d->outcome == ILB_OVERLOAD;
    x.retry_after_ns = d->retry_after_ns;
    if (!in_a_row && !d->probe && !x.refused)
        return;
    x.sums = in_a_row ? ilb__evidence_bad(&d->slot->evidence, f.steps)
                      : ilb__evidence_read(&d->slot->evidence);
    x.n_ready = ilb__table_view(&b->set.table).n;
    x.bits = (uint32_t)ilb__random_next(&b->selector.random, d->now_ns);
    if (ilb__health_bad(&b->judge, d->slot, d->probe, &x, &f, d->now_ns))
        /* An update may have made the set smaller meanwhile. */
        ilb__health_enforce_cap(&b->judge, d->slot,
                                ilb__table_view(&b->set.table).n, d->now_ns);
}

/* What of an answer's time is its endpoint's. One that later ones overtook was
 * long by itself: no more than what is expected. */
static uint64_t done_of_endpoint_ns(const done_facts *d, uint64_t ns,
                                    const ilb__figures *f)
{
    float expected_ns;

    if (ILB_LIKELY((float)ns <= d->hang_ns) ||
        !ilb__epochs_has(&d->slot->overtaken, d->picked_ns))
        return ns;
    expected_ns = ilb__latency_read_ns(&d->slot->latency, f, d->now_ns);
    return (float)ns < expected_ns ? ns : (uint64_t)expected_ns;
}

/* How long its endpoint took for it, and whether that was a peak. */
static void done_latency(ilb_balancer *b, const done_facts *d, uint64_t ns,
                         const ilb__figures *f)
{
    ilb__slot *slot = d->slot;
    uint32_t peaks = ilb__load32_relaxed(&slot->peaks);
    bool peak =
        ilb__latency_learn(&slot->latency, done_of_endpoint_ns(d, ns, f),
                           ilb__peaks_level(peaks), f, d->now_ns);

    if (ILB_UNLIKELY(peak || peaks > 0))
        ilb__peaks_learn(&slot->peaks, peak, &b->selector.pool.peaks);
}

/* A long poll, say: it shows nothing of how long answers take. */
static bool done_is_longlived(const done_facts *d, const ilb__figures *f)
{
    return ILB_UNLIKELY((float)d->waited_ns > ilb__figures_longlived_ns(f)) &&
           ilb__epochs_has(&d->slot->overtaken, d->picked_ns);
}

static void done_good(ilb_balancer *b, done_facts *d)
{
    ilb__slot *slot = d->slot;
    bool probe_failed = false;
    ilb__figures f;

    done_figures(b, d, false, &f);
    if (ILB_LIKELY(ilb__figures_passed(&f, d->picked_ns, d->now_ns))) {
        uint64_t ns = ilb__cost_ordinary_ns(d->waited_ns, d->cost);

        done_latency(b, d, ns, &f);
        if (ILB_UNLIKELY(d->probe) ||
            ilb__slowness_concerns(&slot->slowness, ns, &f))
            probe_failed = !d->before && done_timed(b, d, true, ns, &f);
        if (ILB_LIKELY(!done_is_longlived(d, &f)))
            ilb__pool_good(&b->selector.pool, d->waited_ns,
                           ilb__load_relaxed(&slot->done[ILB_SUCCESS]));
    }
    if (ILB_UNLIKELY((ilb__load_relaxed(&slot->failures.word) |
                      ilb__load_relaxed(&slot->evidence)) != 0)) {
        ilb__failures_good(&slot->failures, d->now_ns);
        ilb__evidence_good(&slot->evidence, f.steps);
    }
    ilb__refusals_end(&slot->refusals);
    if (ILB_UNLIKELY(!ilb__health_is_calm(ilb__load_relaxed(&slot->health))) &&
        !probe_failed)
        ilb__health_good(&b->judge, slot, d->probe, d->now_ns);
}

static bool done_result_ok(const ilb_result *r)
{
    return (unsigned)r->outcome < ILB_OUTCOME_COUNT &&
           (r->retry_after_ns == 0 || r->outcome == ILB_OVERLOAD ||
            r->outcome == ILB_FAILURE);
}

/* What it means to others in flight to its endpoint that this one ends. */
static void done_passes(const done_facts *d)
{
    const ilb__passing p = {d->picked_ns, !d->answered,
                            d->outcome == ILB_SUCCESS};
    ilb__slot *slot = d->slot;

    if (!d->answered)
        (void)ilb__lost_ends(&slot->lost, &slot->extra_cost, d->picked_ns);
    if (ilb__overtaken_concerns(&slot->overtaken, &slot->load, d->hang_ns,
                                d->now_ns))
        ilb__overtaken_pass(&slot->overtaken, &slot->load, &p, d->hang_ns,
                            d->now_ns);
}

/* Is nothing held against the endpoint, so that one good answer more teaches
 * nothing but how long it took? */
static inline bool done_finds_nothing(const ilb__slot *slot)
{
    return (ilb__load_relaxed(&slot->failures.word) |
            ilb__load_relaxed(&slot->evidence) |
            ilb__load32_relaxed(&slot->peaks) |
            ilb__load_relaxed(&slot->overtaken.epoch_ns) |
            ilb__load_relaxed(&slot->lost.n) |
            ilb__load_relaxed(&slot->refusals) |
            ilb__load_relaxed(&slot->slowness)) == 0 &&
           ilb__health_is_calm(ilb__load_relaxed(&slot->health));
}

/* The ordinary good answer, as nearly all are: what is left of the rest of this
 * file for it. False: it is not one, and nothing has been done. */
static inline bool done_quickly(ilb_balancer *b, ilb_ticket *t, ilb__slot *slot,
                                uint64_t load, uint64_t now_ns)
{
    uint64_t ns = ilb__ticket_latency_ns(t, now_ns);
    ilb__pool *pool = &b->selector.pool;
    ilb__figures f;
    float hang_ns;

    if (ilb__ticket_is_probe(t) || ilb__ticket_cost(t) != ILB_COST_ONE ||
        !done_finds_nothing(slot) ||
        ilb__epochs_concern(&slot->longlived, t->internal[1]) ||
        ilb__pool_due(pool, ILB_POOL_LATE_NS, now_ns))
        return false;
    ilb__pool_figures(pool, &f);
    hang_ns = ilb__figures_hang_ns(&f);
    if ((float)ns > hang_ns || (float)ns > ILB_SLOWNESS_FACTOR * f.median_ns ||
        !ilb__figures_passed(&f, t->internal[1], now_ns) ||
        (ilb__load_old(load) != 0 &&
         (float)ilb__load_age_ns(&slot->load, load, now_ns) > hang_ns))
        return false;
    ilb__ticket_finish(t);
    ilb__add_relaxed(&slot->done[ILB_SUCCESS], 1);
    if (ILB_UNLIKELY(ilb__latency_learn(&slot->latency, ns, 1, &f, now_ns)))
        ilb__peaks_learn(&slot->peaks, true, &pool->peaks);
    ilb__pool_good(pool, ns, ilb__load_relaxed(&slot->done[ILB_SUCCESS]));
    return true;
}

/* The ticket has taught what it could: it is not in flight any more. */
static int done_return(ilb_balancer *b, ilb__slot *slot, const ilb_ticket *t,
                       uint64_t now_ns)
{
    bool returned;

    if (ILB_UNLIKELY(b->shared) && !ilb__balancer_drops(b, t))
        return ILB_ETICKET; /* given back just now */
    ilb__cost_return(&slot->extra_cost, ilb__ticket_cost(t));
    /* From here on the slot may be another endpoint's. */
    returned = ilb__load_return(&slot->load,
                                ilb__endpoint_id_generation(ilb__ticket_id(t)),
                                ilb__ticket_where(t), now_ns);
    ilb__balancer_tell(b);
    return returned ? ILB_OK : ILB_ETICKET;
}

static int done_ticket(ilb_balancer *b, ilb_ticket *t, const ilb_result *r)
{
    uint64_t load;
    done_facts d;

    if (b == NULL || t == NULL || !done_result_ok(r))
        return ILB_EINVAL;
    if (!ilb__balancer_in_flight(b, t))
        return ILB_ETICKET;
    d.slot = ilb__balancer_slot(b, t);
    load = ilb__load_relaxed(&d.slot->load.word);
    /* A copy of a done ticket must not teach anything: look before. */
    if (!ilb__load_has(load, ilb__endpoint_id_generation(ilb__ticket_id(t)),
                       ilb__ticket_where(t)))
        return ILB_ETICKET;
    d.now_ns = ilb__balancer_now(b, r->now_ns);
    if (ILB_LIKELY(r->outcome == ILB_SUCCESS) &&
        done_quickly(b, t, d.slot, load, d.now_ns))
        return done_return(b, d.slot, t, d.now_ns);
    d.outcome = r->outcome;
    d.retry_after_ns = r->retry_after_ns;
    d.cost = ilb__ticket_cost(t);
    d.probe = ilb__ticket_is_probe(t);
    d.trial = ilb__ticket_is_trial(t);
    d.answered = ilb__ticket_is_answered(t);
    d.waited_ns = ilb__ticket_latency_ns(t, d.now_ns);
    d.picked_ns = t->internal[1];
    d.ticket = t;
    d.hang_ns = ILB_FIGURES_NEVER_NS;
    d.before = d.picked_ns < ilb__load_relaxed(&d.slot->anew_ns) && !d.probe;
    ilb__ticket_finish(t);
    ilb__add_relaxed(&d.slot->done[d.outcome], 1);
    if (d.outcome == ILB_SUCCESS)
        done_good(b, &d);
    else
        done_bad(b, &d);
    done_passes(&d);
    if (ilb__epochs_concern(&d.slot->longlived, d.picked_ns))
        ilb__epochs_end(&d.slot->longlived, d.picked_ns);
    return done_return(b, d.slot, t, d.now_ns);
}

ILB_API int ilb_done(ilb_balancer *b, ilb_ticket *ticket, ilb_outcome outcome)
{
    ilb_result r = ILB_RESULT_INIT;

    r.outcome = outcome;
    return done_ticket(b, ticket, &r);
}

ILB_API int ilb_done_with(ilb_balancer *b, ilb_ticket *ticket,
                          const ilb_result *result)
{
    ilb_result r;
    int rc;

    if (result == NULL)
        return ILB_EINVAL;
    if (ilb__struct_is_ours(result, sizeof r))
        return done_ticket(b, ticket, result);
    rc = ilb__struct_read(&r, sizeof r, result,
                          offsetof(ilb_result, retry_after_ns));
    return rc != ILB_OK ? rc : done_ticket(b, ticket, &r);
}
