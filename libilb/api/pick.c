/* SPDX-License-Identifier: MIT */
/* A request begins: picks, probes, and what a ticket says. */
#include "api/balancer.h"

#include <string.h>

#include "base/options.h"

/* The ticket is in flight, so its slot is that endpoint's. */
ILB_INTERNAL void ilb__balancer_notes_probe(ilb_balancer *b,
                                            const ilb_ticket *t,
                                            ilb_event_type type, ilb_state from,
                                            uint64_t now_ns)
{
    const ilb__slot *slot = ilb__balancer_slot(b, t);
    ilb__transition x;

    if (b->judge.tell == NULL)
        return;
    memset(&x, 0, sizeof x);
    x.type = type;
    x.from = from;
    x.to =
        type == ILB_EVENT_PROBE_STARTED ? ILB_STATE_PROBING : ILB_STATE_EJECTED;
    x.until_ns = ilb__health_until_ns(ilb__load_relaxed(&slot->health));
    x.now_ns = now_ns;
    b->judge.tell(slot, &x, b->judge.tell_user);
}

static int pick_exclusion(const ilb_balancer *b, const ilb_pick_options *o,
                          ilb__exclusion *e)
{
    uint64_t secret = ilb__balancer_secret(b);

    if (o->n_exclude > ILB_EXCLUDE_MAX ||
        (o->exclude == NULL && o->n_exclude > 0))
        return ILB_EINVAL;
    for (size_t i = 0; i < o->n_exclude; i++) {
        const ilb_ticket *t = &o->exclude[i];

        if (!ilb__ticket_is_ours(secret, t))
            return ILB_ETICKET;
        e->ids[i] = ilb__ticket_id(t);
    }
    e->n = (uint32_t)o->n_exclude;
    return ILB_OK;
}

static void pick_write(ilb_balancer *b, ilb_ticket *ticket,
                       const ilb__choice *choice, uint64_t now_ns)
{
    if (ILB_LIKELY(!b->shared)) {
        ilb__ticket_write(b->secret, ticket, choice, now_ns);
    } else {
        ilb__ticket_write(ilb__balancer_secret(b), ticket, choice, now_ns);
        ilb__balancer_takes(b, ticket);
    }
    if (ILB_UNLIKELY(choice->probe))
        ilb__balancer_notes_probe(
            b, ticket, ILB_EVENT_PROBE_STARTED,
            choice->probe_lost ? ILB_STATE_PROBING : ILB_STATE_EJECTED, now_ns);
}

/* What the caller wishes: cost, time and endpoints that he does not want. */
static int pick_wishes(const ilb_balancer *b, const ilb_pick_options *o,
                       ilb__exclusion *exclusion, ilb__choice *choice,
                       uint64_t *now_ns)
{
    ilb_pick_options copy;
    int rc;

    if (!ilb__struct_is_ours(o, sizeof *o)) {
        rc = ilb__struct_read(&copy, sizeof copy, o, sizeof copy);
        if (rc != ILB_OK)
            return rc;
        o = &copy;
    }
    if (o->cost != 0) {
        if (!ilb__cost_ok(o->cost))
            return ILB_EINVAL;
        choice->cost = ilb__cost_of(o->cost);
    }
    *now_ns = o->now_ns;
    if (ILB_LIKELY(o->n_exclude == 0))
        return ILB_OK;
    return pick_exclusion(b, o, exclusion);
}

static int pick_ticket(ilb_balancer *b, ilb_ticket *ticket,
                       const ilb_pick_options *options, ilb_explanation *trace)
{
    ilb__exclusion exclusion;
    ilb__choice choice;
    uint64_t now_ns = 0;
    int rc;

    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    exclusion.n = 0;
    choice.cost = ILB_COST_ONE;
    if (options != NULL) {
        rc = pick_wishes(b, options, &exclusion, &choice, &now_ns);
        if (rc != ILB_OK)
            return rc;
    }
    now_ns = ilb__balancer_now(b, now_ns);
    rc = ilb__balancer_begin(b, now_ns);
    if (rc != ILB_OK)
        return rc;
    rc = ilb__select(&b->selector, &b->judge, &b->set.table, b->set.slots,
                     &exclusion, now_ns, &choice, trace);
    if (rc != ILB_OK)
        return rc;
    pick_write(b, ticket, &choice, now_ns);
    if (ILB_UNLIKELY(trace != NULL))
        trace->trial = choice.trial;
    return ILB_OK;
}

ILB_API int ilb_probe_next(ilb_balancer *b, ilb_ticket *ticket, uint64_t now_ns)
{
    ilb__choice choice;
    int rc;

    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    now_ns = ilb__balancer_now(b, now_ns);
    rc = ilb__balancer_begin(b, now_ns);
    if (rc != ILB_OK)
        return rc;
    choice.cost = ILB_COST_ONE;
    rc = ilb__select_due(&b->selector, &b->judge, &b->set.table, b->set.slots,
                         now_ns, &choice);
    if (rc == ILB_OK)
        pick_write(b, ticket, &choice, now_ns);
    return rc;
}

ILB_API uint64_t ilb_probe_due_ns(const ilb_balancer *b)
{
    if (b == NULL || ilb__load32_relaxed(&b->judge.n_ejected) == 0)
        return UINT64_MAX;
    return ilb__time_outside(&b->time, ilb__judge_host_due_ns(&b->judge),
                             ilb__load_relaxed(&b->time.last_ns));
}

ILB_API int ilb_pick(ilb_balancer *b, ilb_ticket *ticket,
                     const ilb_pick_options *options)
{
    return pick_ticket(b, ticket, options, NULL);
}

ILB_API int ilb_pick_explained(ilb_balancer *b, ilb_ticket *ticket,
                               const ilb_pick_options *options,
                               ilb_explanation *explanation,
                               size_t explanation_size)
{
    ilb_explanation trace;
    int rc;

    if (explanation == NULL)
        return ILB_EINVAL;
    if (explanation_size != sizeof *explanation)
        return ILB_EABI;
    rc = pick_ticket(b, ticket, options, &trace);
    if (rc != ILB_OK)
        return rc;
    trace.time_ns = ilb__time_outside(&b->time, trace.time_ns, trace.time_ns);
    memcpy(explanation, &trace, sizeof trace);
    return ILB_OK;
}

ILB_API const char *ilb_ticket_address(const ilb_balancer *b,
                                       const ilb_ticket *ticket)
{
    if (b == NULL || ticket == NULL || !ilb__balancer_in_flight(b, ticket))
        return NULL;
    return ilb__balancer_slot(b, ticket)->address;
}

ILB_API void *ilb_ticket_user(const ilb_balancer *b, const ilb_ticket *ticket)
{
    if (b == NULL || ticket == NULL || !ilb__balancer_in_flight(b, ticket))
        return NULL;
    /* Pairs with the release in set_enter: what it points to is there. */
    return ilb__load_pointer_acquire(&ilb__balancer_slot(b, ticket)->user);
}

ILB_API uint64_t ilb_ticket_try_timeout_ns(const ilb_balancer *b,
                                           const ilb_ticket *ticket)
{
    ilb__figures f;
    float ns;

    if (b == NULL || ticket == NULL || !ilb__balancer_in_flight(b, ticket) ||
        !ilb__ticket_is_trial(ticket))
        return 0;
    ilb__pool_figures(&b->selector.pool, &f);
    ns = ilb__figures_hang_ns(&f);
    if (!ilb__ticket_is_timed(ticket))
        return UINT64_MAX;
    return ns < ILB_FIGURES_NEVER_NS ? (uint64_t)ns : UINT64_MAX;
}

/* What it means to others in flight to its endpoint that this one is answered.
 */
static void pick_passes(const ilb_balancer *b, ilb__slot *slot,
                        uint64_t picked_ns, uint64_t now_ns)
{
    const ilb__passing p = {picked_ns, true, true};
    ilb__figures f;

    (void)ilb__lost_ends(&slot->lost, &slot->extra_cost, picked_ns);
    if (!ilb__overtaken_concerns(&slot->overtaken, &slot->load,
                                 ILB_FIGURES_HANG_MIN_NS, now_ns))
        return;
    ilb__pool_figures(&b->selector.pool, &f);
    ilb__overtaken_pass(&slot->overtaken, &slot->load, &p,
                        ilb__figures_hang_ns(&f), now_ns);
}

/* It is counted elsewhere from now on: by its process at no place in between,
 * as one that was killed there would be taken for another one's. */
static bool pick_answered(const ilb_balancer *b, ilb__slot *slot,
                          const ilb_ticket *ticket, uint64_t now_ns)
{
    ilb__held *held =
        ILB_UNLIKELY(b->shared) ? ilb__balancer_held(b, ticket) : NULL;
    uint32_t where = ilb__ticket_where(ticket);
    bool answered;

    if (held != NULL && !ilb__held_drop(held, where, false))
        return false;
    answered = ilb__load_answer(
        &slot->load, ilb__endpoint_id_generation(ilb__ticket_id(ticket)), where,
        now_ns);
    if (held != NULL)
        ilb__held_take(held, answered ? ILB_LOAD_IS_ANSWERED : where, false);
    return answered;
}

ILB_API int ilb_first_byte(ilb_balancer *b, ilb_ticket *ticket, uint64_t now_ns)
{
    ilb__slot *slot;

    if (b == NULL || ticket == NULL)
        return ILB_EINVAL;
    if (!ilb__balancer_in_flight(b, ticket))
        return ILB_ETICKET;
    if (ilb__ticket_is_answered(ticket))
        return ILB_OK;
    now_ns = ilb__balancer_now(b, now_ns);
    slot = ilb__balancer_slot(b, ticket);
    if (!ilb__load_has(ilb__load_relaxed(&slot->load.word),
                       ilb__endpoint_id_generation(ilb__ticket_id(ticket)),
                       ilb__ticket_where(ticket)))
        return ILB_ETICKET;
    pick_passes(b, slot, ticket->internal[1], now_ns);
    if (!pick_answered(b, slot, ticket, now_ns))
        return ILB_ETICKET;
    ilb__ticket_first_byte(ticket, now_ns);
    return ILB_OK;
}
