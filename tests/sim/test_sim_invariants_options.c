/* SPDX-License-Identifier: MIT */
/*
 * The options of the balancer in a random scenario. They are drawn from a
 * stream of their own: the text of a script does not depend on them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ilb.h"
#include "test_sim_invariants.h"

/* Each detector with even chance. */
static uint32_t script_detectors(script *s)
{
    uint32_t bits = 0;

    for (uint32_t d = ILB_DETECTOR_NONE + 1; d < ILB_DETECTOR_COUNT; d++)
        if (script_chance(s, 0.5))
            bits |= ILB_DETECTOR_BIT(d);
    return bits;
}

void script_draw_options(script *s)
{
    script_options *o = &s->options;

    s->random = sim_random_stream(s->number, 1);
    if (script_chance(s, 0.3))
        o->min_endpoints = script_between(s, 1, s->n_servers + 1);
    o->fail_closed = script_chance(s, 0.25);
    if (script_chance(s, 0.3))
        o->panic_threshold_percent = script_between(s, 1, 100);
    if (script_chance(s, 0.2))
        o->detectors_off = script_detectors(s);
    if (script_chance(s, 0.2))
        o->detectors_shadow = script_detectors(s) & ~o->detectors_off;
    if (script_chance(s, 0.25))
        o->slow_start_ns = (uint64_t)script_size(s, 1e7, 3e10);
    if (script_chance(s, 0.35))
        o->policy =
            script_between(s, ILB_POLICY_LEAST_REQUEST, ILB_POLICY_RANDOM);
    if (script_chance(s, 0.2)) {
        o->check_ticks = script_between(s, 1, 50);
        o->check_unejects = script_chance(s, 0.5);
    }
    o->probes = script_chance(s, 0.2);
}

static void script_say(char text[SCRIPT_OPTIONS_BYTES], const char *name,
                       uint64_t value)
{
    size_t n = 0;
    int more;

    while (text[n] != '\0')
        n++;
    if (value == 0)
        return;
    more = snprintf(text + n, SCRIPT_OPTIONS_BYTES - n, " %s %" PRIu64, name,
                    value);
    if (more < 0 || (size_t)more >= SCRIPT_OPTIONS_BYTES - n)
        abort(); /* there is room for all that is ever said */
}

void script_options_text(const script *s, char text[SCRIPT_OPTIONS_BYTES])
{
    const script_options *o = &s->options;

    text[0] = '\0';
    if (o->max_ejection_percent != 100)
        script_say(text, "max_ejection_percent", o->max_ejection_percent);
    script_say(text, "min_endpoints", o->min_endpoints);
    script_say(text, "fail_closed", o->fail_closed);
    script_say(text, "panic_threshold_percent", o->panic_threshold_percent);
    script_say(text, "detectors_off", o->detectors_off);
    script_say(text, "detectors_shadow", o->detectors_shadow);
    script_say(text, "slow_start_ns", o->slow_start_ns);
    script_say(text, "policy", o->policy);
    script_say(text, "check_ticks", o->check_ticks);
    script_say(text, "check_unejects", o->check_unejects);
    script_say(text, "probes", o->probes);
}
