/* SPDX-License-Identifier: MIT */
/*
 * The policies: which endpoint gets a request.
 *
 *   peak_ewma      draws one, by weight, and where weights differ takes it if
 *                  it fits (score.h); else two that differ; while the best so
 *                  far is not cheap enough (score.h) more, up to 16: with k of
 *                  n endpoints slow, pairs of slow ones would else keep
 *                  k (k-1) / (n (n-1)) of the traffic, and the longest queues
 *                  would be bad luck;
 *   least_request  the same with two;
 *   round_robin    the next in turn; by weight, along a low-discrepancy
 *                  sequence over the alias table;
 *   random         draws one.
 *
 * The better score wins; equals go to the one drawn first, which is as good as
 * at random. If draws find no eligible endpoint, all are looked at, from a
 * random one on; if there is none, the best of the ejected is taken (fail
 * open), or none (fail closed).
 */
#ifndef ILB_SELECT_POLICY_H
#define ILB_SELECT_POLICY_H

#include "base/random.h"
#include "select/trace.h"

typedef struct ilb__selector {
    ilb_policy policy;
    ilb__random random;
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 turn; /* of round_robin */
    ilb__pool pool;
} ilb__selector;

/* One pick at work. */
typedef struct ilb__run {
    ilb__selector *selector;
    ilb__judge *judge;
    ilb__draw draw;
    ilb__score_context context;
    bool panic;             /* too few are left */
    bool none;              /* none was seen that is not ejected */
    uint8_t held;           /* why the choice was held back: ilb_held */
    ilb_explanation *trace; /* NULL: nobody asks */
} ilb__run;

/* What a look at an endpoint found, if somebody asks. */
static inline void ilb__run_saw(const ilb__run *r, const ilb__candidate *c,
                                const ilb__score *score)
{
    if (ILB_UNLIKELY(r->trace != NULL))
        ilb__trace_look(r->trace, c, score, r->draw.exclusion, &r->context);
}

/* The choice, unless something happens to it. `score` NULL: none was worked
 * out. */
static inline void ilb__run_chose(const ilb__run *r, const ilb__candidate *c,
                                  const ilb__score *score, ilb_chosen_by by)
{
    if (ILB_LIKELY(r->trace == NULL))
        return;
    if (r->panic && by != ILB_CHOSEN_BY_PROBE && !ilb__candidate_eligible(c))
        by = ILB_CHOSEN_BY_FAIL_OPEN;
    ilb__trace_choose(r->trace, c, score, by, &r->context);
}

/* Seen and chosen at once. */
static inline void ilb__run_took(const ilb__run *r, const ilb__candidate *c,
                                 ilb_chosen_by by)
{
    if (ILB_LIKELY(r->trace == NULL))
        return;
    ilb__run_saw(r, c, NULL);
    ilb__run_chose(r, c, NULL, by);
}

/* False: there is none that may be chosen. */
ILB_INTERNAL bool ilb__policy_endpoint(ilb__run *r, ilb__candidate *c);

#endif
