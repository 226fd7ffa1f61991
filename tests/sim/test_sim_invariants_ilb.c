/* SPDX-License-Identifier: MIT */
/* libilb for the watcher, and libilb with a client that forgets to say done. */
#include <math.h>
#include <stdlib.h>

#include "policies/policy_ilb.h"
#include "test_sim_invariants.h"

#define ILB_VIEW_LATENCY_MAX_NS (3 * 3600 * UINT64_C(1000000000))

/* What an event has shown; the next look tells it. */
static const char *ilb_view_event_wrong;

static void ilb_view_event(const ilb_event *e, void *user)
{
    (void)user;
    if (!isfinite(e->statistic) || !isfinite(e->threshold))
        ilb_view_event_wrong = "an event has no finite statistic or threshold";
    else if (e->type == ILB_EVENT_EJECT && e->detector != ILB_DETECTOR_NONE &&
             !(e->statistic >= e->threshold))
        ilb_view_event_wrong = "it was ejected below the threshold";
}

static void *ilb_view_create(const sim_host *host, const script *s)
{
    ilb_options o = ILB_OPTIONS_INIT;

    o.max_ejection_percent = s->max_ejection_percent;
    o.on_event = ilb_view_event;
    return policy_ilb_make(host, &o, s->follows);
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
    return NULL;
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

        view->all[i] = (watch_endpoint){
            .server = (uint32_t)(uintptr_t)stats[i].user - 1,
            .ready = s != ILB_STATE_NOT_READY && s != ILB_STATE_DRAINING,
            .ejected = s == ILB_STATE_EJECTED || s == ILB_STATE_PROBING,
            .in_flight = stats[i].in_flight};
        if (view->wrong == NULL)
            view->wrong = ilb_view_wrong(&stats[i]);
    }
}

static void ilb_view_done(void *self, sim_attempt *a, sim_outcome outcome,
                          uint64_t retry_after_ns, uint64_t now_ns)
{
    if (a->request % 1000 != 999)
        sim_policy_ilb.done(self, a, outcome, retry_after_ns, now_ns);
}

/* Filled in here: to a compiler another file's policy is no constant. */
void watch_ilb_init(watch_subject *right, watch_subject *loses)
{
    *right = (watch_subject){.policy = sim_policy_ilb,
                             .create = ilb_view_create,
                             .look = ilb_view_look};
    *loses = *right;
    loses->policy.name = "ilb-loses-a-done";
    loses->policy.done = ilb_view_done;
    loses->expected = "are in flight, not";
}
