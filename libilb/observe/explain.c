/* SPDX-License-Identifier: MIT */
/* An explanation (select/trace.h) as a line of text. */
#include "base/internal.h"
#include "base/line.h"

static void explain_named(ilb__line *l, const char *name)
{
    ilb__line_put(l, name == NULL ? "?" : name);
}

/* Not drawn, but found among all. */
static bool explain_searched(const ilb_explanation *x)
{
    return x->chosen_by == ILB_CHOSEN_BY_SEARCH ||
           x->chosen_by == ILB_CHOSEN_BY_PROBE ||
           x->candidates[x->chosen].admitted == ILB_ADMITTED_LAST;
}

/* "2 of 3"; "... of 12 of 200" with an aperture; "... in 5 looks" where some
 * were looked at again, or there is no room to tell of more. */
static void explain_looks(ilb__line *l, const ilb_explanation *x)
{
    ilb__line_number(l, x->n_candidates);
    if (x->n_candidates == ILB_CANDIDATES_MAX && x->looks > x->n_candidates)
        ilb__line_put(l, " or more");
    if (x->width < x->n_endpoints && !explain_searched(x)) {
        ilb__line_put(l, " of ");
        ilb__line_number(l, x->width);
    }
    ilb__line_put(l, " of ");
    ilb__line_number(l, x->n_endpoints);
    if (x->looks > x->n_candidates) {
        ilb__line_put(l, " in ");
        ilb__line_number(l, x->looks);
        ilb__line_put(l, " looks");
    }
}

/* "by cost, looked at 2 of 3, 1 ejected, a panic" */
static void explain_how(ilb__line *l, const ilb_explanation *x)
{
    ilb__line_put(l, " by ");
    explain_named(l, ilb_chosen_by_name(x->chosen_by));
    ilb__line_put(l, ", looked at ");
    explain_looks(l, x);
    if (x->n_ejected > 0) {
        ilb__line_put(l, ", ");
        ilb__line_number(l, x->n_ejected);
        ilb__line_put(l, " ejected");
    }
    if (x->panic)
        ilb__line_put(l, ", a panic");
    if (x->room > 0) {
        ilb__line_put(l, ", the others have room for ");
        ilb__line_decimal(l, x->room, true);
        ilb__line_put(l, " in flight each");
    } else if (x->overloaded)
        ilb__line_put(l, ", the others are overloaded");
    if (x->trial != ILB_TRIAL_NOT) {
        ilb__line_put(l, ", a trial: ");
        explain_named(l, ilb_trial_name(x->trial));
    }
}

static void explain_cost(ilb__line *l, const ilb_explanation *x,
                         const ilb_candidate *c)
{
    ilb__line_put(l, ", cost ");
    if (x->policy == ILB_POLICY_PEAK_EWMA)
        ilb__line_time(l, c->cost);
    else
        ilb__line_decimal(l, c->cost, true);
}

static void explain_candidate(ilb__line *l, const ilb_explanation *x,
                              const ilb_candidate *c)
{
    ilb__line_put(l, c->address);
    ilb__line_put(l, " ");
    explain_named(l, ilb_state_name(c->state));
    if (c->cost > 0)
        explain_cost(l, x, c);
    if (c->latency_ns > 0) {
        ilb__line_put(l, ", latency ");
        ilb__line_time(l, (double)c->latency_ns);
    }
    ilb__line_put(l, ", ");
    ilb__line_number(l, c->in_flight);
    ilb__line_put(l, " in flight");
    if (c->load < c->in_flight || c->load > c->in_flight) {
        ilb__line_put(l, " of load ");
        ilb__line_decimal(l, c->load, true);
    }
    if (c->again)
        ilb__line_put(l, ", to be asked again");
    if (c->failure_ppm > 0) {
        ilb__line_put(l, ", ");
        ilb__line_decimal(l, c->failure_ppm / 1e4, true);
        ilb__line_put(l, " % failed");
    }
    if (c->held != ILB_HELD_NOT) {
        ilb__line_put(l, ", held back: ");
        explain_named(l, ilb_held_name(c->held));
    }
    if (c->admitted != ILB_ADMITTED_NOT) {
        ilb__line_put(l, ", may be taken: ");
        explain_named(l, ilb_admitted_name(c->admitted));
    }
    if (c->fate != ILB_FATE_COMPARED) {
        ilb__line_put(l, ", passed over: ");
        explain_named(l, ilb_fate_name(c->fate));
    }
}

static bool explain_ok(const ilb_explanation *x)
{
    if (x->n_candidates > ILB_CANDIDATES_MAX || x->chosen >= x->n_candidates)
        return false;
    for (uint32_t i = 0; i < x->n_candidates; i++)
        if (x->candidates[i].address[ILB_ADDRESS_MAX] != '\0')
            return false;
    return true;
}

ILB_API int ilb_explanation_text(const ilb_explanation *explanation, char *buf,
                                 size_t bytes)
{
    const ilb_explanation *x = explanation;
    const char *before = ": ";
    ilb__line l;

    if (x == NULL || (buf == NULL && bytes > 0))
        return ILB_EINVAL;
    if (x->size < sizeof *x)
        return ILB_EABI;
    if (!explain_ok(x))
        return ILB_EINVAL;
    ilb__line_begin(&l, buf, bytes);
    ilb__line_put(&l, x->candidates[x->chosen].address);
    explain_how(&l, x);
    for (uint32_t i = 0; i < x->n_candidates; i++) {
        ilb__line_put(&l, before);
        explain_candidate(&l, x, &x->candidates[i]);
        before = "; ";
    }
    return (int)l.n;
}
