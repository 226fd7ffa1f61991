/* SPDX-License-Identifier: MIT */
/*
 * libilb, told other options than the watcher believes; with clients that do
 * wrong; and with explanations, events and statistics that are spoilt before
 * anybody looks at them.
 * Each of them has to be found.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "policies/policy_ilb.h"
#include "test_sim_invariants.h"

/* ---- Other options ---- */

#define MUTANT(name_, change_)                                                 \
    static void *mutant_##name_(const sim_host *host, const script *s)         \
    {                                                                          \
        ilb_options o = s->options;                                            \
                                                                               \
        change_;                                                               \
        return watch_ilb_create(host, s, &o);                                  \
    }

MUTANT(knows_no_cap, o.max_ejection_percent = 100)
MUTANT(knows_no_floor, o.min_endpoints = 0)
MUTANT(forgets_never,
       if (o.consecutive_failures == ILB_NEVER) o.consecutive_failures = 0)
MUTANT(turns_none_off, o.detectors_off = 0)
MUTANT(takes_off_for_shadow, o.detectors_shadow |= o.detectors_off;
       o.detectors_off = 0)
MUTANT(has_no_shadow, o.detectors_shadow = 0)
MUTANT(fails_open, o.fail_mode = ILB_FAIL_OPEN;
       if (o.min_endpoints == 0) o.min_endpoints = 1)
MUTANT(
    fails_closed, if (o.fail_mode == ILB_FAIL_OPEN) {
        o.min_endpoints = o.min_endpoints == 0 ? 1 : o.min_endpoints;
        o.panic_threshold_percent = 90;
        o.fail_mode = ILB_FAIL_CLOSED;
    })
MUTANT(never_panics, o.panic_threshold_percent = 0)
MUTANT(knows_one_policy, o.policy = ILB_POLICY_DEFAULT)

/* ---- Clients ---- */

static void mutant_done(void *self, sim_attempt *a, sim_outcome outcome,
                        uint64_t retry_after_ns, uint64_t now_ns)
{
    if (a->request % 1000 != 999)
        sim_policy_ilb.done(self, a, outcome, retry_after_ns, now_ns);
}

/* Its probes go to anybody. */
static bool mutant_probe(void *self, sim_attempt *a, uint64_t now_ns)
{
    return now_ns / 100000000 % 20 == 0 && a->request % 2 == 0 &&
           sim_policy_ilb.pick(self, a, now_ns);
}

static watch_subject mutant_right;

static void mutant_check_passes(void *self, uint32_t server, bool passed,
                                uint64_t now_ns)
{
    if (passed)
        mutant_right.check(self, server, passed, now_ns);
}

static void mutant_check_fails(void *self, uint32_t server, bool passed,
                               uint64_t now_ns)
{
    if (!passed)
        mutant_right.check(self, server, passed, now_ns);
}

/* What is asked for once is chosen once more. */
static void mutant_explain(void *self, ilb_explanation *x)
{
    ilb_ticket ticket;

    if (ilb_pick(policy_ilb_balancer(self), &ticket, NULL) == ILB_OK &&
        ilb_done(policy_ilb_balancer(self), &ticket, ILB_CANCELLED) != ILB_OK)
        abort();
    policy_ilb_explain(self, x);
}

/* ---- Explanations ---- */

static ilb_candidate *mutant_any(ilb_explanation *x)
{
    return &x->candidates[x->n_candidates / 2];
}

static void mutant_nan(ilb_explanation *x)
{
    mutant_any(x)->cost = (double)NAN;
}

static void mutant_below_0(ilb_explanation *x)
{
    mutant_any(x)->cost = -1e-9;
}

static void mutant_infinite(ilb_explanation *x)
{
    mutant_any(x)->load = HUGE_VAL;
}

static void mutant_negative(ilb_explanation *x)
{
    mutant_any(x)->load = -0.5;
}

static void mutant_latency(ilb_explanation *x)
{
    mutant_any(x)->latency_ns = UINT64_MAX;
}

static void mutant_failures(ilb_explanation *x)
{
    mutant_any(x)->failure_ppm = 1000001;
}

static void mutant_median(ilb_explanation *x)
{
    x->median_ns = UINT64_MAX - 1;
}

static void mutant_dear(ilb_explanation *x)
{
    x->candidates[x->chosen].cost *= 1000;
}

static void mutant_held(ilb_explanation *x)
{
    x->candidates[x->chosen].held = ILB_HELD_SUSPECT;
}

static void mutant_other(ilb_explanation *x)
{
    x->chosen = (x->chosen + 1) % x->n_candidates;
}

static void mutant_none(ilb_explanation *x)
{
    x->chosen = x->n_candidates;
}

static void mutant_counts(ilb_explanation *x)
{
    x->n_ejected = x->n_endpoints + 1;
}

static void mutant_endpoints(ilb_explanation *x)
{
    x->n_endpoints++;
}

static void mutant_opens(ilb_explanation *x)
{
    x->chosen_by = ILB_CHOSEN_BY_FAIL_OPEN;
}

static void mutant_ejected(ilb_explanation *x)
{
    x->candidates[x->chosen].state = ILB_STATE_EJECTED;
}

static void mutant_nameless(ilb_explanation *x)
{
    x->candidates[x->chosen].state = (ilb_state)77;
}

/* ---- Events, statistics ---- */

static void mutant_event_nan(ilb_event *e)
{
    e->statistic = (double)NAN;
}

static void mutant_event_infinite(ilb_event *e)
{
    e->threshold = HUGE_VAL;
}

static void mutant_event_below(ilb_event *e)
{
    e->threshold = e->statistic + 1;
}

static void mutant_fails_too_often(ilb_endpoint_stats *e)
{
    e->failure_ppm = 1000001;
}

static void mutant_oldest_of_none(ilb_endpoint_stats *e)
{
    if (e->in_flight == 0)
        e->oldest_ns = 1;
}

static void mutant_slowest_of_all(ilb_endpoint_stats *e)
{
    e->latency_ns = UINT64_MAX;
}

static void mutant_no_end(ilb_endpoint_stats *e)
{
    e->ejected_until_ns = 0;
}

static void mutant_by_nobody(ilb_endpoint_stats *e)
{
    e->ejected_by = ILB_DETECTOR_NONE;
}

/* ---- All ---- */

typedef struct mutant {
    const char *name, *expected;
    void *(*create)(const sim_host *host, const script *s);
    void (*spoil)(ilb_explanation *x);
    void (*event)(ilb_event *e);
    void (*stats)(ilb_endpoint_stats *e);
} mutant;

static const mutant mutants[] = {
    {"ilb-knows-no-cap", "are ejected, of", .create = mutant_knows_no_cap},
    {"ilb-knows-no-floor", "are ejected, of", .create = mutant_knows_no_floor},
    {"ilb-forgets-never", "are ejected, of", .create = mutant_forgets_never},
    {"ilb-turns-none-off", "off", .create = mutant_turns_none_off},
    {"ilb-takes-off-for-shadow", "off has found",
     .create = mutant_takes_off_for_shadow},
    {"ilb-has-no-shadow", "shadow", .create = mutant_has_no_shadow},
    {"ilb-fails-open", "should fail closed", .create = mutant_fails_open},
    {"ilb-fails-closed", "no endpoint for it", .create = mutant_fails_closed},
    {"ilb-never-panics", "should fail closed", .create = mutant_never_panics},
    {"ilb-knows-one-policy", "not the policy",
     .create = mutant_knows_one_policy},
    {"ilb-nan", "with the cost", .spoil = mutant_nan},
    {"ilb-below-0", "with the cost", .spoil = mutant_below_0},
    {"ilb-infinite", "and the load", .spoil = mutant_infinite},
    {"ilb-negative", "and the load", .spoil = mutant_negative},
    {"ilb-latency", "with the latency", .spoil = mutant_latency},
    {"ilb-failures", "failures in a million", .spoil = mutant_failures},
    {"ilb-median", "has a median of", .spoil = mutant_median},
    {"ilb-dear", "was chosen for", .spoil = mutant_dear},
    {"ilb-held", "was chosen for", .spoil = mutant_held},
    {"ilb-other", ", and explains", .spoil = mutant_other},
    {"ilb-none", "has no choice", .spoil = mutant_none},
    {"ilb-counts", "a pick counts", .spoil = mutant_counts},
    {"ilb-endpoints", "a pick was from", .spoil = mutant_endpoints},
    {"ilb-opens", "it failed open", .spoil = mutant_opens},
    {"ilb-ejected", "which is ejected", .spoil = mutant_ejected},
    {"ilb-nameless", "an explanation reads", .spoil = mutant_nameless},
    {"ilb-event-nan", "no finite statistic", .event = mutant_event_nan},
    {"ilb-event-infinite", "no finite statistic",
     .event = mutant_event_infinite},
    {"ilb-event-below", "below the threshold", .event = mutant_event_below},
    {"ilb-fails-too-often", "fails more than all",
     .stats = mutant_fails_too_often},
    {"ilb-oldest-of-none", "has an oldest", .stats = mutant_oldest_of_none},
    {"ilb-slowest-of-all", "an endpoint's latency",
     .stats = mutant_slowest_of_all},
    {"ilb-no-end", "without an end", .stats = mutant_no_end},
    {"ilb-by-nobody", "ejected by nobody", .stats = mutant_by_nobody},
};

static watch_subject *mutant_add(watch_subject *s, const char *name,
                                 const char *expected)
{
    *s = mutant_right;
    s->policy.name = name;
    s->expected = expected;
    return s;
}

uint32_t watch_ilb_mutants(watch_subject all[WATCH_ILB_MUTANTS])
{
    uint32_t n = 0;

    watch_ilb_init(&mutant_right);
    mutant_add(&all[n++], "ilb-loses-a-done", "are in flight, not")
        ->policy.done = mutant_done;
    mutant_add(&all[n++], "ilb-probes-anybody", "which is not ejected")
        ->policy.probe = mutant_probe;
    mutant_add(&all[n++], "ilb-hears-of-no-failed-check", "have failed, and")
        ->check = mutant_check_passes;
    mutant_add(&all[n++], "ilb-hears-of-no-good-check", "have passed, and")
        ->check = mutant_check_fails;
    mutant_add(&all[n++], "ilb-is-changed-by-explaining", WATCH_ANOTHER_RESULT)
        ->explain = mutant_explain;
    for (size_t i = 0; i < sizeof mutants / sizeof mutants[0]; i++) {
        watch_subject *s =
            mutant_add(&all[n++], mutants[i].name, mutants[i].expected);

        if (n > WATCH_ILB_MUTANTS)
            abort();
        if (mutants[i].create != NULL)
            s->create = mutants[i].create;
        s->spoil = mutants[i].spoil;
        s->spoil_event = mutants[i].event;
        s->spoil_stats = mutants[i].stats;
    }
    return n;
}
