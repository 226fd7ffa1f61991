/* SPDX-License-Identifier: MIT */
/*
 * Private to sim_scenario_*.c: what can happen to servers, at a time or on
 * and off.
 */
#ifndef SIM_SCENARIO_EVENTS_H
#define SIM_SCENARIO_EVENTS_H

#include "sim_scenario_options.h"

typedef struct sim_event_word {
    const char *word;
    sim_happening_kind kind;
    unsigned figures;   /* that follow the servers */
    unsigned may, must; /* sim_options */
    bool ends;          /* `for` is until another happening ends it */
    bool flaps;
} sim_event_word;

/* NULL: no such word. */
const sim_event_word *sim_parser_find_event(const char *word);

/* The figures behind the servers. */
int sim_parser_figures(sim_parser *p, const sim_event_word *e,
                       sim_happening *h);

/* What the options mean to this kind of happening. */
void sim_parser_apply(const sim_options *o, sim_happening *h);

/* sim_scenario_processes.c */
int sim_parser_stops(sim_parser *p);
int sim_parser_antagonists(sim_parser *p);
int sim_parser_flap(sim_parser *p);

#endif
