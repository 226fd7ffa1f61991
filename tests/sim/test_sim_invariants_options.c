/* SPDX-License-Identifier: MIT */
/*
 * The balancer of a random scenario and its clients: options that change what
 * may be ejected and what a pick does then, and what clients may say besides.
 * All of them drawn from a stream of their own: the scenario's text is the same
 * whatever is drawn here.
 */
#include <inttypes.h>
#include <stdio.h>

#include "test_sim_invariants.h"

static void options_detectors(script *s)
{
    for (int i = ILB_DETECTOR_NONE + 1; i < ILB_DETECTOR_COUNT; i++) {
        uint32_t bit = ILB_DETECTOR_BIT(i);
        double which = sim_random_unit(&s->random);

        if (which < 0.2)
            s->options.detectors_off |= bit;
        else if (which < 0.4)
            s->options.detectors_shadow |= bit;
    }
}

static void options_policy(script *s)
{
    static const ilb_policy all[] = {ILB_POLICY_LEAST_REQUEST,
                                     ILB_POLICY_LEAST_REQUEST,
                                     ILB_POLICY_ROUND_ROBIN, ILB_POLICY_RANDOM};

    s->options.policy = all[script_between(s, 0, 3)];
}

static void options_checks(script *s)
{
    ilb_options *o = &s->options;

    s->checks.every_ms = 100 * (uint32_t)script_size(s, 1, 50);
    s->checks.until_ms = script_chance(s, 0.6)
                             ? UINT32_MAX
                             : script_between(s, 1000, s->faults_ms + 20000);
    s->checks.shallow = script_chance(s, 0.5);
    if (script_chance(s, 0.5))
        o->unhealthy_threshold = script_between(s, 1, 6);
    if (script_chance(s, 0.5))
        o->healthy_threshold = script_between(s, 1, 6);
    if (script_chance(s, 0.5))
        o->check_effect = ILB_CHECK_UNEJECTS;
}

void script_options(script *s)
{
    ilb_options *o = &s->options;

    s->random = sim_random_stream(s->number, 1);
    if (script_chance(s, 0.3))
        o->min_endpoints = script_between(s, 1, s->n_servers + 1);
    if (script_chance(s, 0.25))
        o->fail_mode = ILB_FAIL_CLOSED;
    if (script_chance(s, 0.3))
        o->panic_threshold_percent = script_between(s, 1, 100);
    if (script_chance(s, 0.3))
        options_detectors(s);
    if (script_chance(s, 0.3))
        o->slow_start_ns = (uint64_t)script_size(s, 1e8, 6e10);
    if (script_chance(s, 0.35))
        options_policy(s);
    if (script_chance(s, 0.3))
        options_checks(s);
    if (script_chance(s, 0.15))
        o->consecutive_failures =
            script_chance(s, 0.3) ? ILB_NEVER : script_between(s, 1, 20);
    s->probes = script_chance(s, 0.25);
    s->costs = script_chance(s, 0.2);
    s->first_bytes = script_chance(s, 0.6)   ? SCRIPT_BYTES_AT_END
                     : script_chance(s, 0.5) ? SCRIPT_BYTES_NEVER
                                             : SCRIPT_BYTES_EARLY;
}

/* ---- In words ---- */

static void options_print_detectors(const char *name, uint32_t bits)
{
    if (bits == 0)
        return;
    printf(", %s", name);
    for (int i = ILB_DETECTOR_NONE + 1; i < ILB_DETECTOR_COUNT; i++)
        if ((bits & ILB_DETECTOR_BIT(i)) != 0)
            printf(" %s", ilb_detector_name((ilb_detector)i));
}

static void options_print_number(const char *name, uint64_t value)
{
    if (value == ILB_NEVER)
        printf(", %s never", name);
    else if (value != 0)
        printf(", %s %" PRIu64, name, value);
}

static void options_print_clients(const script *s)
{
    static const char *const bytes[] = {"", ", no first bytes",
                                        ", early first bytes"};

    if (!s->follows)
        printf(", trials are not tried elsewhere");
    if (s->probes)
        printf(", clients probe");
    if (s->costs)
        printf(", costs");
    printf("%s", bytes[s->first_bytes]);
    options_print_number("checks every ms", s->checks.every_ms);
    if (s->checks.every_ms == 0)
        return;
    if (s->checks.until_ms != UINT32_MAX)
        options_print_number("until ms", s->checks.until_ms);
    printf(s->checks.shallow ? ", shallow" : ", deep");
}

void script_print_options(const script *s)
{
    const ilb_options *o = &s->options;

    if (o->policy != ILB_POLICY_DEFAULT)
        printf(", policy %s", ilb_policy_name(o->policy));
    if (o->max_ejection_percent != 100)
        options_print_number("max_ejection_percent", o->max_ejection_percent);
    options_print_number("min_endpoints", o->min_endpoints);
    if (o->fail_mode == ILB_FAIL_CLOSED)
        printf(", fails closed");
    options_print_number("panic_threshold_percent", o->panic_threshold_percent);
    options_print_number("consecutive_failures", o->consecutive_failures);
    options_print_detectors("off:", o->detectors_off);
    options_print_detectors("shadow:", o->detectors_shadow);
    options_print_number("slow_start_ns", o->slow_start_ns);
    options_print_number("unhealthy_threshold", o->unhealthy_threshold);
    options_print_number("healthy_threshold", o->healthy_threshold);
    if (o->check_effect == ILB_CHECK_UNEJECTS)
        printf(", checks uneject");
    options_print_clients(s);
    printf("\n");
}
