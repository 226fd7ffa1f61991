/* SPDX-License-Identifier: MIT */
/* See checks.h. */
#include "signal/checks.h"

#define CHECKS_LEASE 2

static void checks_renew(ilb__checks *c, const ilb__checks_rule *rule,
                         uint64_t now_ns)
{
    uint64_t gap_ns = c->last_ns == 0 ? 0 : ilb__elapsed_ns(c->last_ns, now_ns);

    c->last_ns = now_ns;
    c->lease_ns = gap_ns < rule->most_ns / CHECKS_LEASE ? CHECKS_LEASE * gap_ns
                                                        : rule->most_ns;
    if (c->lease_ns < rule->least_ns)
        c->lease_ns = rule->least_ns;
}

static ilb__checked checks_failed(ilb__checks *c, const ilb__checks_rule *rule)
{
    c->passed = 0;
    c->down = true;
    c->failed += c->failed < UINT32_MAX;
    return c->failed >= rule->unhealthy_threshold ? ILB__CHECKED_DOWN
                                                  : ILB__CHECKED_NOTHING;
}

static ilb__checked checks_passed(ilb__checks *c, const ilb__checks_rule *rule)
{
    bool again = c->down;

    c->failed = 0;
    c->passed += c->passed < UINT32_MAX;
    if (c->passed < rule->healthy_threshold)
        return ILB__CHECKED_NOTHING;
    c->down = false;
    return again ? ILB__CHECKED_UP_AGAIN : ILB__CHECKED_UP;
}

ILB_INTERNAL ilb__checked ilb__checks_add(ilb__checks *c, bool passed,
                                          uint64_t ejections,
                                          const ilb__checks_rule *rule,
                                          uint64_t now_ns)
{
    checks_renew(c, rule, now_ns);
    if (c->ejections != ejections)
        c->passed = 0;
    c->ejections = ejections;
    return passed ? checks_passed(c, rule) : checks_failed(c, rule);
}
