/* SPDX-License-Identifier: MIT */
/*
 * What happens in a random scenario: up to six faults of all kinds, up to two
 * processes, and jumps of the clock or of the rate. All of it is over when the
 * quiet time begins, or ended then by `heal`.
 */
#include <stdio.h>

#include "test_sim_invariants.h"

static void script_range(script *s)
{
    uint32_t first = script_between(s, 0, s->n_servers - 1);

    if (script_chance(s, 0.6))
        script_add(s, "%u", first);
    else if (script_chance(s, 0.15))
        script_add(s, "all");
    else
        script_add(s, "%u..%u", first,
                   script_between(s, first, s->n_servers - 1));
}

/* What can also flap; all but `for`. */
static void script_illness(script *s, void (*range)(script *s))
{
    static const char *const words[] = {"slow",   "fixed",  "hang",
                                        "refuse", "errors", "reject"};
    uint32_t which = script_between(s, 0, 5);

    if (range != NULL) {
        script_add(s, "%s ", words[which]);
        range(s);
    } else {
        script_add(s, " %s", words[which]);
    }
    if (which == 0)
        script_add(s, " %.2fx", script_size(s, 1.1, 100));
    else if (which == 1)
        script_add(s, " %ums", (unsigned)script_size(s, 1, 5000));
    else if (which >= 4)
        script_add(s, " %u%%",
                   script_chance(s, 0.4) ? 100 : script_between(s, 1, 99));
    if (which == 4 && script_chance(s, 0.6))
        script_add(s, script_chance(s, 0.5) ? " after service" : " after %ums",
                   script_between(s, 0, 50) + 1);
    if (which == 5 && script_chance(s, 0.3))
        script_add(s, " retry-after %us", script_between(s, 1, 5));
}

static void script_fault(script *s)
{
    uint32_t at = script_between(s, 0, s->faults_ms - 200);
    uint32_t left = s->faults_ms - 100 - at;
    uint32_t length = (uint32_t)script_size(s, 10, left + 1);

    script_add(s, "at %ums ", at);
    switch (script_between(s, 0, 9)) {
    case 0:
        script_add(s, "stop ");
        script_range(s);
        script_add(s, " for %ums\n", length);
        break;
    case 1:
        script_add(s, "crash ");
        script_range(s);
        script_add(s, " for %ums", length);
        if (script_chance(s, 0.4))
            script_add(s, " warm %.2fx over %ums", script_size(s, 2, 20),
                       left - length + 1);
        script_add(s, "\n");
        break;
    case 2:
        script_add(s, "leak ");
        script_range(s);
        script_add(s, " %.2fx over %ums\n", script_size(s, 2, 50), length);
        break;
    case 3:
        script_add(s, "warm ");
        script_range(s);
        script_add(s, " %.2fx over %ums\n", script_size(s, 2, 50), length);
        break;
    default:
        script_illness(s, script_range);
        if (script_chance(s, 0.8))
            script_add(s, " for %ums", length);
        script_add(s, "\n");
        break;
    }
}

static void script_process(script *s)
{
    uint32_t every = (uint32_t)script_size(s, 200, 5000);
    uint32_t from = script_between(s, 0, s->faults_ms - 300);

    switch (script_between(s, 0, 2)) {
    case 0:
        script_add(s, "stops ");
        script_range(s);
        script_add(s, " every %ums for %ums", every, script_between(s, 1, 300));
        break;
    case 1:
        script_add(s, "antagonists all %u %.2fx every %ums",
                   script_between(s, 1, s->n_servers), script_size(s, 1.1, 20),
                   every);
        break;
    default:
        script_add(s, "flap ");
        script_range(s);
        script_illness(s, NULL);
        script_add(s, " every %ums for %ums", every,
                   script_between(s, 1, every - 1));
        break;
    }
    script_add(s, " from %ums to %ums\n", from,
               script_between(s, from + 1, s->faults_ms - 100));
}

static void script_time(script *s)
{
    uint32_t at = script_between(s, 0, s->faults_ms - 100);

    if (s->closed_loop || script_chance(s, 0.5))
        script_add(s, "at %ums clock %c%ums\n", at,
                   script_chance(s, 0.5) ? '+' : '-',
                   (unsigned)script_size(s, 1, 7.2e6));
    else
        script_add(
            s, "at %ums rate %.3f/s\n", at,
            script_rate(s, script_size(s, 0.05, 1.5), script_most_per_s(s)));
}

void script_faults(script *s)
{
    uint32_t n = script_between(s, 0, 6);

    for (; n > 0; n--)
        script_fault(s);
    for (n = script_chance(s, 0.4) ? script_between(s, 1, 2) : 0; n > 0; n--)
        script_process(s);
    for (n = script_chance(s, 0.4) ? script_between(s, 1, 3) : 0; n > 0; n--)
        script_time(s);
}
