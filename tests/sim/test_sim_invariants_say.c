/* SPDX-License-Identifier: MIT */
/*
 * What libilb says of its events, its picks and its endpoints: what cannot be
 * is found. A fault spoils it before.
 */
#include <math.h>
#include <string.h>

#include "test_sim_invariants_ilb.h"

#define SAY_LATENCY_MAX_NS (3 * 3600 * UINT64_C(1000000000))

static bool say_size_ok(double x)
{
    return isfinite(x) && x >= 0;
}

/* ---- What it says of events and picks ---- */

const char *watch_ilb_event(ilb_view_fault fault, const ilb_event *event)
{
    static ilb_event e;

    e = *event;
    if (fault == ILB_VIEW_EVENT_NAN)
        e.statistic = NAN;
    if (fault == ILB_VIEW_EVENT_BELOW)
        e.threshold = e.statistic + 1;
    if (!isfinite(e.statistic) || !isfinite(e.threshold))
        return "an event has no finite statistic or threshold";
    if (e.type == ILB_EVENT_EJECT && e.detector != ILB_DETECTOR_NONE &&
        !(e.statistic >= e.threshold))
        return "it was ejected below the threshold";
    return NULL;
}

static void say_spoil(ilb_view_fault fault, ilb_explanation *x)
{
    ilb_candidate *c = &x->candidates[x->n_candidates - 1];

    if (fault == ILB_VIEW_COST_NAN)
        c->cost = NAN;
    else if (fault == ILB_VIEW_COST_NEGATIVE)
        c->cost = -1;
    else if (fault == ILB_VIEW_LOAD_NAN)
        c->load = NAN;
    else if (fault == ILB_VIEW_EXPECTS_ABSURD)
        c->latency_ns = UINT64_MAX;
    else if (fault == ILB_VIEW_OTHER_CHOSEN)
        x->chosen = x->n_candidates;
}

static const char *say_candidate(const ilb_candidate *c)
{
    if (!say_size_ok(c->cost))
        return "a candidate's cost is no finite number from 0 on";
    if (!say_size_ok(c->load))
        return "a candidate's load is no finite number from 0 on";
    if (c->latency_ns > SAY_LATENCY_MAX_NS)
        return "a candidate's latency is more than three hours";
    if (c->failure_ppm > 1000000)
        return "a candidate fails more than all";
    return NULL;
}

static const char *say_explained(const script_options *o,
                                 const ilb_explanation *x, const char *address)
{
    uint32_t policy = o->policy;
    const char *wrong = NULL;

    if (x->n_candidates > ILB_CANDIDATES_MAX || x->chosen >= x->n_candidates ||
        strcmp(x->candidates[x->chosen].address, address) != 0)
        return "another endpoint is explained than was chosen";
    if (x->policy != (policy == 0 ? ILB_POLICY_PEAK_EWMA : policy))
        return "it chooses by another policy than it was told";
    if (x->chosen_by == ILB_CHOSEN_BY_FAIL_OPEN && o->fail_closed)
        return "it fails open though it is to fail closed";
    if (x->n_ejected > x->n_endpoints || x->peer_failure_ppm > 1000000 ||
        x->median_ns > SAY_LATENCY_MAX_NS)
        return "what all have in common cannot be";
    for (uint32_t i = 0; wrong == NULL && i < x->n_candidates; i++)
        wrong = say_candidate(&x->candidates[i]);
    return wrong;
}

const char *watch_ilb_explained(ilb_view_fault fault, const script_options *o,
                                const ilb_explanation *explanation,
                                const char *address)
{
    static ilb_explanation x;

    x = *explanation;
    say_spoil(fault, &x);
    return say_explained(o, &x, address);
}

/* ---- What it says of its endpoints ---- */

static void say_spoil_stats(ilb_view_fault fault, ilb_endpoint_stats *e)
{
    if (fault == ILB_VIEW_FAILS_TOO_OFTEN)
        e->failure_ppm = 1000001;
    else if (fault == ILB_VIEW_OLDEST_OF_NONE && e->in_flight == 0)
        e->oldest_ns = 1;
    else if (fault == ILB_VIEW_LATENCY_ABSURD)
        e->latency_ns = UINT64_MAX;
    else if (fault == ILB_VIEW_EJECTED_NO_END)
        e->ejected_until_ns = 0;
}

static const char *say_detectors(const script_options *o,
                                 const ilb_endpoint_stats *e)
{
    for (uint32_t d = 0; d < ILB_DETECTOR_COUNT; d++) {
        if ((o->detectors_off & ILB_DETECTOR_BIT(d)) != 0 && e->detected[d] > 0)
            return "a detector that is off has found somebody";
        if ((o->detectors_shadow & ILB_DETECTOR_BIT(d)) != 0 &&
            e->enforced[d] > 0)
            return "a detector in shadow has ejected somebody";
    }
    return NULL;
}

const char *watch_ilb_stats(ilb_view_fault fault, const script_options *o,
                            ilb_endpoint_stats *e)
{
    bool out = e->state == ILB_STATE_EJECTED || e->state == ILB_STATE_PROBING;

    say_spoil_stats(fault, e);
    if (e->failure_ppm > 1000000)
        return "an endpoint fails more than all";
    if (e->in_flight == 0 && e->oldest_ns != 0)
        return "an endpoint with nothing in flight has an oldest request";
    if (e->latency_ns > SAY_LATENCY_MAX_NS)
        return "an endpoint's latency is more than three hours";
    if (out != (e->ejected_until_ns != 0))
        return "an endpoint is ejected without an end, or the reverse";
    return say_detectors(o, e);
}
