/* SPDX-License-Identifier: MIT */
/*
 * libilb for the watcher: what its snapshot and its events say must fit
 * together, and the detectors that were turned off or only report.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "policies/policy_ilb.h"
#include "test_sim_invariants.h"

#define ILB_VIEW_LATENCY_MAX_NS (3 * 3600 * UINT64_C(1000000000))

/* What an event has shown; the next look tells it. */
static const char *ilb_view_event_wrong;

static const script *ilb_view_script;

/* Does the detector eject anybody? */
static bool ilb_view_acts(unsigned detector)
{
    const ilb_options *o = &ilb_view_script->options;

    return ((o->detectors_off | o->detectors_shadow) &
            ILB_DETECTOR_BIT(detector)) == 0;
}

static void ilb_view_event(const ilb_event *event, void *user)
{
    static ilb_event copy;
    const ilb_event *e = &copy;

    (void)user;
    copy = *event;
    if (watch.subject->spoil_event != NULL)
        watch.subject->spoil_event(&copy);
    if (!isfinite(e->statistic) || !isfinite(e->threshold))
        ilb_view_event_wrong = "an event has no finite statistic or threshold";
    else if (e->type == ILB_EVENT_EJECT && e->detector != ILB_DETECTOR_NONE &&
             !(e->statistic >= e->threshold))
        ilb_view_event_wrong = "it was ejected below the threshold";
    else if (e->type == ILB_EVENT_EJECT && e->enforced &&
             !ilb_view_acts(e->detector))
        ilb_view_event_wrong = "an event tells that a detector ejected that "
                               "is off or in shadow";
}

void *watch_ilb_create(const sim_host *host, const script *s,
                       const ilb_options *with)
{
    ilb_options o = *with;

    ilb_view_script = s;
    ilb_view_event_wrong = NULL;
    o.on_event = ilb_view_event;
    return policy_ilb_make(host, &o, s->follows);
}

static void *ilb_view_create(const sim_host *host, const script *s)
{
    return watch_ilb_create(host, s, &s->options);
}

static const char *ilb_view_detectors(const ilb_endpoint_stats *e)
{
    const ilb_options *o = &ilb_view_script->options;

    for (unsigned i = 0; i < ILB_DETECTOR_COUNT; i++) {
        if ((o->detectors_off & ILB_DETECTOR_BIT(i)) != 0 && e->detected[i] > 0)
            return "a detector that is off has found an endpoint";
        if (!ilb_view_acts(i) && (e->enforced[i] > 0 || e->ejected_by == i))
            return "a detector in shadow, or off, has ejected an endpoint";
        if (e->enforced[i] > e->detected[i])
            return "a detector has ejected more than it found";
    }
    return NULL;
}

static const char *ilb_view_wrong(const ilb_endpoint_stats *e)
{
    bool out = e->state == ILB_STATE_EJECTED || e->state == ILB_STATE_PROBING;

    if (e->failure_ppm > 1000000)
        return "an endpoint fails more than all";
    if (e->in_flight == 0 && e->oldest_ns != 0)
        return "an endpoint with nothing in flight has an oldest request";
    if (e->latency_ns > ILB_VIEW_LATENCY_MAX_NS)
        return "an endpoint's latency is more than three hours";
    if (out != (e->ejected_until_ns != 0))
        return "an endpoint is ejected without an end, or the reverse";
    if (out != (e->ejected_by != ILB_DETECTOR_NONE))
        return "an endpoint is ejected by nobody, or the reverse";
    return ilb_view_detectors(e);
}

static void ilb_view_look(void *self, watch_view *view)
{
    static ilb_endpoint_stats stats[WATCH_ENDPOINTS];
    size_t n;

    if (ilb_balancer_snapshot(policy_ilb_balancer(self), stats, WATCH_ENDPOINTS,
                              sizeof stats[0], &n) != ILB_OK ||
        n > WATCH_ENDPOINTS)
        abort();
    view->n = (uint32_t)n;
    view->wrong = ilb_view_event_wrong;
    ilb_view_event_wrong = NULL;
    for (size_t i = 0; i < n; i++) {
        ilb_state s = stats[i].state;

        if (watch.subject->spoil_stats != NULL)
            watch.subject->spoil_stats(&stats[i]);
        view->all[i] = (watch_endpoint){
            .server = (uint32_t)(uintptr_t)stats[i].user - 1,
            .ready = s != ILB_STATE_NOT_READY && s != ILB_STATE_DRAINING,
            .ejected = s == ILB_STATE_EJECTED || s == ILB_STATE_PROBING,
            .probing = s == ILB_STATE_PROBING,
            .by_check = stats[i].ejected_by == ILB_DETECTOR_PROBE,
            .in_flight = stats[i].in_flight,
            .ejections = stats[i].ejections};
        if (view->wrong == NULL)
            view->wrong = ilb_view_wrong(&stats[i]);
    }
}

static void ilb_view_check(void *self, uint32_t server, bool passed,
                           uint64_t now_ns)
{
    char address[16];

    snprintf(address, sizeof address, "s%" PRIu32, server);
    if (ilb_balancer_report_check(policy_ilb_balancer(self), address, passed,
                                  now_ns) != ILB_OK)
        abort();
}

/* Filled in here: to a compiler another file's policy is no constant. */
void watch_ilb_init(watch_subject *right)
{
    *right = (watch_subject){.policy = sim_policy_ilb_probing,
                             .create = ilb_view_create,
                             .look = ilb_view_look,
                             .explain = policy_ilb_explain,
                             .check = ilb_view_check};
    right->policy.name = "ilb";
}
