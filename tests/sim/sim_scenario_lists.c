/* SPDX-License-Identifier: MIT */
/*
 * Who is in the clients' lists when: a server cannot join twice, and nothing
 * can leave that is not there. Judged at the end, in the order of time.
 */
#include <stdlib.h>
#include <string.h>

#include "sim_scenario_parts.h"
#include "sim_units.h"

typedef struct lists_member {
    bool listed;
    bool ever;
    uint64_t away_until_ns; /* of a restart */
} lists_member;

static int lists_fail(sim_parser *p, uint32_t server, const char *what)
{
    return sim_reader_fail(&p->r, "server %u %s", server, what);
}

static int lists_step(sim_parser *p, const sim_happening *h, uint32_t server,
                      lists_member *m)
{
    char until[32];

    if (h->kind < SIM_JOIN || h->kind > SIM_RESTART)
        return 0;
    if (m->away_until_ns > 0 && h->at_ns <= m->away_until_ns)
        return sim_reader_fail(
            &p->r, "server %u is away until %s: it restarts", server,
            sim_units_show(m->away_until_ns, until, sizeof until));
    if (h->kind == SIM_JOIN) {
        if (m->listed)
            return lists_fail(p, server, "joins, but it is in the list");
        m->listed = m->ever = true;
        return 0;
    }
    if (!m->listed)
        return lists_fail(p, server, "is not in the list at that time");
    if (h->kind == SIM_LEAVE)
        m->listed = false;
    else if (h->kind == SIM_RESTART)
        m->away_until_ns = h->at_ns + h->duration_ns;
    return 0;
}

static int lists_check(sim_parser *p, lists_member *members)
{
    const sim_scenario *s = p->s;

    for (uint32_t i = 0; i < s->n_servers; i++)
        members[i].listed = members[i].ever = s->servers[i].listed_at_start;
    for (size_t k = 0; k < s->n_happenings; k++) {
        const sim_happening *h = &s->happenings[k];

        p->r.line = p->event_lines[k];
        for (uint32_t i = h->first; i <= h->last; i++)
            if (lists_step(p, h, i, &members[i]) != 0)
                return -1;
    }
    return 0;
}

int sim_parser_check_lists(sim_parser *p)
{
    const sim_scenario *s = p->s;
    unsigned last_line = p->r.line;
    lists_member *members =
        sim_reader_realloc(NULL, s->n_servers * sizeof *members);
    int rc;

    if (members == NULL)
        return sim_reader_fail(&p->r, "out of memory");
    memset(members, 0, s->n_servers * sizeof *members);
    rc = lists_check(p, members);
    for (uint32_t i = 0; rc == 0 && i < s->n_servers; i++) {
        p->r.line = last_line;
        if (!members[i].ever)
            rc = lists_fail(p, i, "is 'later', but never joins");
    }
    free(members);
    return rc;
}
