/* SPDX-License-Identifier: MIT */
/*
 * Private to the sim_scenario_*.c files: reading in the making.
 *
 * A file has two parts. First the world: one word a line, each at most once.
 * Then what goes on in it: at, stops, antagonists, flap, measure. The first
 * line of the second part closes the world, so that each figure can be
 * checked where it stands and the message has the right line.
 */
#ifndef SIM_SCENARIO_PARTS_H
#define SIM_SCENARIO_PARTS_H

#include "sim_reader.h"
#include "sim_scenario.h"

#define SIM_SERVERS_MAX 10000
#define SIM_CLIENTS_MAX 10000
#define SIM_EVENTS_MAX 10000
#define SIM_LISTED_MEASURES_MAX                                                \
    (sizeof((sim_scenario *)0)->measures / sizeof(sim_measure))

typedef struct sim_parser {
    sim_reader r;
    sim_scenario *s;
    const char *directory;  /* of replay files; NULL: there are none */
    bool closed;            /* the world is complete */
    unsigned seen_line[16]; /* of each word of the world; 0: not yet */
    unsigned *event_lines;  /* beside s->happenings */
} sim_parser;

/* sim_scenario_world.c: -1 failed, 0 done, 1 not such a word. */
int sim_parser_world(sim_parser *p, const char *word);
/* Whether all is there that a run needs. */
int sim_parser_close(sim_parser *p);

/* sim_scenario_servers.c */
int sim_parser_servers(sim_parser *p);

/* sim_scenario_service.c: a distribution; of `servers` it may be followed by
 * more words, so the line's end is not looked for. */
int sim_parser_service(sim_parser *p, sim_distribution *out);

/* sim_scenario_events.c: -1, 0, 1 as above. */
int sim_parser_event(sim_parser *p, const char *word);

/* sim_scenario_lists.c: joins and leaves in the order of time. */
int sim_parser_check_lists(sim_parser *p);

/* sim_scenario_measure.c */
int sim_parser_measure(sim_parser *p);

/* sim_scenario.c: a whole file as one text, to be freed; NULL: a message. */
char *sim_parser_file(sim_reader *r, const char *path);

/* from..to of the run; `from` must come before `to`. */
int sim_parser_window(sim_parser *p, uint64_t from_ns, uint64_t to_ns,
                      uint64_t least_ns);

#endif
