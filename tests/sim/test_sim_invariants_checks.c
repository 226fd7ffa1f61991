/* SPDX-License-Identifier: MIT */
/*
 * Health checks that clients make and report, in ticks. They fail where nobody
 * answers, and, unless they are shallow, where most requests fail. What
 * must hold, if the detector of checks acts at all:
 *
 *  - as many that failed in a row as the threshold says eject an endpoint that
 *    is ready and has been so, if there is room under the cap;
 *  - as many that passed in a row, since it was ejected, end that: if checks
 *    had ejected it, or if they may end any ejection.
 */
#include <inttypes.h>

#include "sim_world.h"
#include "test_sim_invariants.h"

static bool checks_pass(const watch_client *c, uint32_t server)
{
    const sim_server *s = &c->world->servers.all[server];

    if (s->crashed || s->refuse || s->frozen)
        return false;
    return watch.script->checks.shallow || s->errors < 0.5;
}

static bool checks_act(void)
{
    const ilb_options *o = &watch.script->options;

    return o->consecutive_failures != ILB_NEVER &&
           ((o->detectors_off | o->detectors_shadow) &
            ILB_DETECTOR_BIT(ILB_DETECTOR_PROBE)) == 0;
}

static void checks_count(watch_checked *k, const watch_endpoint *before,
                         bool passed)
{
    if (k->ejections != before->ejections || !before->ready)
        k->failed = k->passed = 0;
    k->ejections = before->ejections;
    k->failed = passed || before->ejected || !before->ready ? 0 : k->failed + 1;
    k->passed = passed && before->ejected ? k->passed + 1 : 0;
}

static void checks_look(const watch_client *c, const watch_checked *k,
                        const watch_endpoint *before, const watch_view *v,
                        uint32_t i)
{
    const ilb_options *o = &watch.script->options;
    uint32_t down = o->unhealthy_threshold == 0 ? 3 : o->unhealthy_threshold;
    uint32_t up = o->healthy_threshold == 0 ? 2 : o->healthy_threshold;
    bool returns = before->by_check || o->check_effect == ILB_CHECK_UNEJECTS;
    const watch_endpoint *e = &v->all[i];
    uint32_t ejected = 0;

    for (uint32_t n = 0; n < v->n; n++)
        ejected += v->all[n].ejected;
    watch_all.checks_eject += e->ejected && !before->ejected;
    watch_all.checks_return += !e->ejected && before->ejected;
    if (!checks_act() || !e->ready)
        return;
    if (k->failed >= down && !e->ejected && ejected < watch_cap(c->n_ready))
        watch_found(c,
                    "%" PRIu32 " checks of server %" PRIu32
                    " have failed, and it is not ejected",
                    k->failed, e->server);
    if (k->passed >= up && e->ejected && !e->probing && returns)
        watch_found(c,
                    "%" PRIu32 " checks of server %" PRIu32
                    " have passed, and it is ejected",
                    k->passed, e->server);
}

void watch_check(watch_client *c, uint64_t now_ns)
{
    const script_checks *checks = &watch.script->checks;
    uint64_t ms = c->world->now_ns / 1000000;
    watch_view v;

    if (checks->every_ms == 0 || ms % checks->every_ms != 0 ||
        ms > checks->until_ms || watch.subject->check == NULL)
        return;
    watch_look(c, &v);
    for (uint32_t i = 0; i < c->n_members; i++) {
        uint32_t server = c->members[i].server;
        bool passed = checks_pass(c, server);
        watch_endpoint before = v.all[i];

        checks_count(&c->checked[server], &before, passed);
        watch.subject->check(c->self, server, passed, now_ns);
        watch_all.checks++;
        watch_look(c, &v);
        checks_look(c, &c->checked[server], &before, &v, i);
    }
}
