/* SPDX-License-Identifier: MIT */
/*
 * The second part of a scenario: what goes on all the time.
 */
#include <string.h>

#include "sim_scenario_events.h"

static int processes_add(sim_parser *p, const sim_options *o,
                         sim_process *process)
{
    sim_scenario *s = p->s;
    sim_process *processes;

    process->from_ns = o->ns[SIM_OPTION_FROM];
    process->to_ns = o->ns[SIM_OPTION_TO];
    process->every_ns = o->ns[SIM_OPTION_EVERY];
    process->duration_ns = o->ns[SIM_OPTION_FOR];
    process->random_duration = (o->seen & SIM_BIT(SIM_OPTION_RANDOM)) != 0;
    if (sim_parser_window(p, process->from_ns, process->to_ns, 1) != 0)
        return -1;
    if (s->n_processes == SIM_EVENTS_MAX)
        return sim_reader_fail(&p->r, "more than %d processes", SIM_EVENTS_MAX);
    processes =
        sim_reader_grow(&p->r, s->processes, s->n_processes, sizeof *processes);
    if (processes == NULL)
        return -1;
    processes[s->n_processes++] = *process;
    s->processes = processes;
    return 0;
}

int sim_parser_stops(sim_parser *p)
{
    sim_process process = {.kind = SIM_STOPS, .factor = 1};
    sim_options o;

    if (sim_reader_range(&p->r, p->s->n_servers, &process.first,
                         &process.last) != 0 ||
        sim_parser_options(p, "stops", SIM_WINDOW | SIM_BIT(SIM_OPTION_RANDOM),
                           SIM_BIT(SIM_OPTION_EVERY) | SIM_BIT(SIM_OPTION_FOR),
                           &o) != 0)
        return -1;
    return processes_add(p, &o, &process);
}

int sim_parser_antagonists(sim_parser *p)
{
    sim_process process = {.kind = SIM_ANTAGONISTS};
    sim_options o;

    if (sim_reader_range(&p->r, p->s->n_servers, &process.first,
                         &process.last) != 0 ||
        sim_reader_count(&p->r, "number of slow servers", 1,
                         process.last - process.first + 1,
                         &process.count) != 0 ||
        sim_reader_factor(&p->r, "factor", &process.factor) != 0 ||
        sim_parser_options(p, "antagonists", SIM_WINDOW,
                           SIM_BIT(SIM_OPTION_EVERY), &o) != 0)
        return -1;
    return processes_add(p, &o, &process);
}

int sim_parser_flap(sim_parser *p)
{
    sim_process process = {.kind = SIM_FLAP, .factor = 1};
    const sim_event_word *e;
    const char *word;
    sim_options o;

    if (sim_reader_range(&p->r, p->s->n_servers, &process.first,
                         &process.last) != 0 ||
        sim_reader_word(&p->r, "what they do", &word) != 0)
        return -1;
    e = sim_parser_find_event(word);
    if (e == NULL || !e->flaps)
        return sim_reader_fail(&p->r, "'%.40s' is nothing that can flap", word);
    process.what.first = process.first;
    process.what.last = process.last;
    if (sim_parser_figures(p, e, &process.what) != 0 ||
        sim_parser_options(p, "flap", e->may | SIM_WINDOW,
                           SIM_BIT(SIM_OPTION_EVERY) | SIM_BIT(SIM_OPTION_FOR),
                           &o) != 0)
        return -1;
    if (o.ns[SIM_OPTION_FOR] >= o.ns[SIM_OPTION_EVERY])
        return sim_reader_fail(&p->r, "'for' must be less than 'every', or it "
                                      "never ends");
    sim_parser_apply(&o, &process.what);
    return processes_add(p, &o, &process);
}
