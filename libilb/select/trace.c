/* SPDX-License-Identifier: MIT */
/* See trace.h. */
#include "select/trace.h"

#include <string.h>

/* Above it: nobody has answered yet. */
#define TRACE_NS_MAX 1e18f

static uint64_t trace_ns(float ns)
{
    return ns < TRACE_NS_MAX ? (uint64_t)ns : 0;
}

static uint32_t trace_ppm(float share)
{
    return (uint32_t)(share * 1e6f + 0.5f);
}

ILB_INTERNAL void ilb__trace_begin(ilb_explanation *x, ilb_policy policy,
                                   const ilb__draw *d,
                                   const ilb__score_context *context)
{
    memset(x, 0, sizeof *x);
    x->size = sizeof *x;
    x->time_ns = context->now_ns;
    x->policy = policy;
    x->n_endpoints = d->view.n;
    x->width = d->width;
    x->overloaded = context->figures.overloaded || context->figures.room != 0;
    x->room = (double)context->figures.room;
    x->median_ns = trace_ns(context->figures.median_ns);
    x->hang_ns = trace_ns(context->hang_ns);
    x->peer_failure_ppm = trace_ppm(context->figures.p0);
}

/* The entry of an address that was looked at before, else NULL. */
static ilb_candidate *trace_find(ilb_explanation *x, const char *address)
{
    for (uint32_t i = 0; i < x->n_candidates; i++)
        if (strcmp(x->candidates[i].address, address) == 0)
            return &x->candidates[i];
    return NULL;
}

static ilb_fate trace_fate(const ilb__candidate *c,
                           const ilb__exclusion *exclusion)
{
    if (ilb__draw_excluded(exclusion, c->id))
        return ILB_FATE_EXCLUDED;
    if (ilb__load_in_flight(c->load) >= ILB_LOAD_MAX)
        return ILB_FATE_FULL;
    if (c->ramping)
        return ILB_FATE_RAMPING;
    return ilb__candidate_eligible(c) || c->admitted != ILB_ADMITTED_NOT
               ? ILB_FATE_COMPARED
               : ILB_FATE_EJECTED;
}

/* What is known of a candidate, but for its fate. */
static void trace_describe(ilb_candidate *k, const ilb__candidate *c,
                           const ilb__score_context *context)
{
    const ilb__slot *slot = c->slot;
    uint64_t age_ns =
        ilb__score_age_ns(slot, c->load, &context->figures, context->now_ns);

    memset(k, 0, sizeof *k);
    /* False: the view does not hold. See the header. */
    (void)ilb__slot_address(slot, ilb__endpoint_id_generation(c->id),
                            k->address);
    k->state = ilb__health_public_state(c->health);
    k->weight = ilb__load32_relaxed(&slot->weight);
    k->in_flight = ilb__load_in_flight(c->load);
    k->load = (double)ilb__score_load(slot, c->load, &context->figures);
    k->failure_ppm =
        trace_ppm(ilb__failures_share(&slot->failures, context->now_ns));
    k->oldest_ns = age_ns;
    k->again = ilb__score_asks_again(slot, c->load, (float)age_ns, context);
    k->latency_ns = trace_ns(
        k->again ? ilb__latency_read_ns(&slot->latency, &context->figures,
                                        context->now_ns)
                 : ilb__score_latency_ns(slot, c->load, &context->figures,
                                         context->now_ns));
}

/* What was made of it. */
static void trace_judge(ilb_candidate *k, const ilb__candidate *c,
                        const ilb__score *score, ilb_fate fate)
{
    k->fate = fate;
    if (fate == ILB_FATE_COMPARED)
        k->admitted = (ilb_admitted)c->admitted;
    if (score == NULL)
        return;
    k->held = (ilb_held)score->held;
    k->cost = (double)score->cost;
}

ILB_INTERNAL void ilb__trace_look(ilb_explanation *x, const ilb__candidate *c,
                                  const ilb__score *score,
                                  const ilb__exclusion *exclusion,
                                  const ilb__score_context *context)
{
    ilb_candidate seen, *k;

    trace_describe(&seen, c, context);
    trace_judge(&seen, c, score, trace_fate(c, exclusion));
    x->looks++;
    k = trace_find(x, seen.address);
    if (k != NULL)
        *k = seen;
    else if (x->n_candidates < ILB_CANDIDATES_MAX)
        x->candidates[x->n_candidates++] = seen;
}

/* A search compares ejected ones for want of others: until it meets one. */
static void trace_found_better(ilb_explanation *x)
{
    for (uint32_t i = 0; i < x->n_candidates; i++) {
        ilb_candidate *k = &x->candidates[i];

        if (k->admitted != ILB_ADMITTED_LAST)
            continue;
        k->fate = ILB_FATE_EJECTED;
        k->admitted = ILB_ADMITTED_NOT;
        k->held = ILB_HELD_NOT;
        k->cost = 0;
    }
}

ILB_INTERNAL void ilb__trace_choose(ilb_explanation *x, const ilb__candidate *c,
                                    const ilb__score *score, ilb_chosen_by by,
                                    const ilb__score_context *context)
{
    ilb_candidate choice, *k;

    trace_describe(&choice, c, context);
    trace_judge(&choice, c, score, ILB_FATE_COMPARED);
    x->looks += by == ILB_CHOSEN_BY_PROBE;
    if (by == ILB_CHOSEN_BY_SEARCH)
        trace_found_better(x);
    k = trace_find(x, choice.address);
    if (k == NULL) {
        k = &x->candidates[x->n_candidates < ILB_CANDIDATES_MAX
                               ? x->n_candidates++
                               : ILB_CANDIDATES_MAX - 1];
        *k = choice;
    } else if (by == ILB_CHOSEN_BY_PROBE)
        *k = choice; /* early: passed over before */
    x->chosen_by = by;
    x->chosen = (uint32_t)(k - x->candidates);
}
