/* SPDX-License-Identifier: MIT */
/*
 * The first part of a scenario: what the world is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_scenario_parts.h"
#include "sim_units.h"

#define WORLD_WHY_MAX 4000

static int world_duration(sim_parser *p)
{
    return sim_reader_duration(&p->r, "duration", 1000000, SIM_UNITS_DAY_NS,
                               &p->s->duration_ns);
}

static int world_warm_up(sim_parser *p)
{
    return sim_reader_duration(&p->r, "warm-up", 0, SIM_UNITS_DAY_NS,
                               &p->s->warm_up_ns);
}

static int world_clients(sim_parser *p)
{
    return sim_reader_count(&p->r, "number of clients", 1, SIM_CLIENTS_MAX,
                            &p->s->n_clients);
}

static int world_rate(sim_parser *p)
{
    const char *word;

    if (sim_reader_rate(&p->r, "rate", &p->s->rate_per_s) != 0)
        return -1;
    word = sim_reader_next(&p->r);
    if (word == NULL || strcmp(word, "poisson") == 0)
        return 0;
    if (strcmp(word, "constant") != 0)
        return sim_reader_fail(&p->r,
                               "arrivals are 'poisson' or 'constant', not "
                               "'%.40s'",
                               word);
    p->s->poisson = false;
    return 0;
}

static int world_concurrency(sim_parser *p)
{
    p->s->closed_loop = true;
    return sim_reader_count(&p->r, "concurrency", 1, 1000000,
                            &p->s->concurrency);
}

static int world_deadline(sim_parser *p)
{
    return sim_reader_duration(&p->r, "deadline", 1000, SIM_UNITS_DAY_NS,
                               &p->s->deadline_ns);
}

static int world_retries(sim_parser *p)
{
    return sim_reader_count(&p->r, "number of retries", 0, 8, &p->s->retries);
}

static int world_give_up(sim_parser *p)
{
    if (sim_reader_percent(&p->r, "part of the deadline", 0.0001,
                           &p->s->give_up) != 0)
        return -1;
    if (p->s->give_up >= 1)
        return sim_reader_fail(&p->r,
                               "who gives up at 100%% of the deadline does "
                               "not give up");
    return 0;
}

static int world_network(sim_parser *p)
{
    return sim_reader_duration(&p->r, "network delay", 0, SIM_UNITS_DAY_NS,
                               &p->s->network_ns);
}

static int world_service(sim_parser *p)
{
    return sim_parser_service(p, &p->s->service);
}

static int world_errors(sim_parser *p)
{
    return sim_reader_percent(&p->r, "share of errors", 0,
                              &p->s->errors_everywhere);
}

static int world_heavy(sim_parser *p)
{
    const char *word;

    if (sim_reader_percent(&p->r, "share of heavy requests", 0,
                           &p->s->heavy_share) != 0 ||
        sim_reader_factor(&p->r, "weight of heavy requests",
                          &p->s->heavy_factor) != 0)
        return -1;
    word = sim_reader_next(&p->r);
    p->s->cost_hints = word != NULL;
    if (word != NULL && strcmp(word, "hinted") != 0)
        return sim_reader_fail(&p->r, "unexpected '%.40s'", word);
    return 0;
}

static int world_about(sim_parser *p)
{
    const char *text = sim_reader_rest(&p->r);
    size_t n = strlen(text);

    if (n == 0)
        return sim_reader_fail(&p->r, "the text of 'about' is missing");
    if (n >= sizeof p->s->about)
        return sim_reader_fail(&p->r,
                               "'about' is too long (%zu characters, at most "
                               "%zu)",
                               n, sizeof p->s->about - 1);
    memcpy(p->s->about, text, n + 1);
    return 0;
}

/* The lines of a paragraph, with a blank between them. */
static int world_why(sim_parser *p)
{
    const char *text = sim_reader_rest(&p->r);
    size_t n = strlen(text);
    size_t had = p->s->why == NULL ? 0 : strlen(p->s->why) + 1;
    char *why;

    if (n == 0)
        return sim_reader_fail(&p->r, "the text of 'why' is missing");
    if (had + n > WORLD_WHY_MAX)
        return sim_reader_fail(&p->r, "'why' is too long (at most %d)",
                               WORLD_WHY_MAX);
    why = sim_reader_realloc(p->s->why, had + n + 1);
    if (why == NULL)
        return sim_reader_fail(&p->r, "out of memory");
    if (had > 0)
        why[had - 1] = ' ';
    memcpy(why + had, text, n + 1);
    p->s->why = why;
    return 0;
}

/* The index is that of sim_parser.seen_line. */
enum world_index {
    WORLD_ABOUT,
    WORLD_WHY,
    WORLD_DURATION,
    WORLD_WARM_UP,
    WORLD_CLIENTS,
    WORLD_RATE,
    WORLD_CONCURRENCY,
    WORLD_DEADLINE,
    WORLD_RETRIES,
    WORLD_GIVE_UP,
    WORLD_NETWORK,
    WORLD_SERVICE,
    WORLD_ERRORS,
    WORLD_HEAVY,
    WORLD_SERVERS,
    WORLD_WORDS
};

typedef struct world_word {
    const char *word;
    int (*read)(sim_parser *p);
} world_word;

static const world_word world_words[WORLD_WORDS] = {
    [WORLD_ABOUT] = {"about", world_about},
    [WORLD_WHY] = {"why", world_why},
    [WORLD_DURATION] = {"duration", world_duration},
    [WORLD_WARM_UP] = {"warm-up", world_warm_up},
    [WORLD_CLIENTS] = {"clients", world_clients},
    [WORLD_RATE] = {"rate", world_rate},
    [WORLD_CONCURRENCY] = {"concurrency", world_concurrency},
    [WORLD_DEADLINE] = {"deadline", world_deadline},
    [WORLD_RETRIES] = {"retries", world_retries},
    [WORLD_GIVE_UP] = {"give-up", world_give_up},
    [WORLD_NETWORK] = {"network", world_network},
    [WORLD_SERVICE] = {"service", world_service},
    [WORLD_ERRORS] = {"errors-everywhere", world_errors},
    [WORLD_HEAVY] = {"heavy", world_heavy},
    [WORLD_SERVERS] = {"servers", sim_parser_servers},
};

int sim_parser_world(sim_parser *p, const char *word)
{
    int i = 0;

    while (i < WORLD_WORDS && strcmp(word, world_words[i].word) != 0)
        i++;
    if (i == WORLD_WORDS)
        return 1;
    if (p->closed)
        return sim_reader_fail(&p->r,
                               "'%s' must stand before the first at, stops, "
                               "antagonists, flap or measure",
                               word);
    if (p->seen_line[i] != 0 && i != WORLD_WHY && i != WORLD_SERVERS)
        return sim_reader_fail(&p->r, "'%s' stands twice, first in line %u",
                               word, p->seen_line[i]);
    p->seen_line[i] = p->r.line;
    return world_words[i].read(p);
}

static int world_check_load(sim_parser *p)
{
    const sim_scenario *s = p->s;
    uint32_t without = 0;

    if (p->seen_line[WORLD_RATE] == 0 && p->seen_line[WORLD_CONCURRENCY] == 0)
        return sim_reader_fail(&p->r, "neither 'rate' nor 'concurrency'");
    if (p->seen_line[WORLD_RATE] != 0 && p->seen_line[WORLD_CONCURRENCY] != 0)
        return sim_reader_fail(&p->r, "both 'rate' and 'concurrency'");
    while (without < s->n_servers && s->servers[without].own_service)
        without++;
    if (p->seen_line[WORLD_SERVICE] == 0 && without < s->n_servers)
        return sim_reader_fail(&p->r,
                               "no 'service', and server %u has none of its "
                               "own",
                               without);
    return 0;
}

int sim_parser_close(sim_parser *p)
{
    static const int needed[] = {WORLD_ABOUT, WORLD_WHY, WORLD_SERVERS};
    const sim_scenario *s = p->s;
    char a[32], b[32];

    p->closed = true;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (p->seen_line[needed[i]] == 0)
            return sim_reader_fail(&p->r, "no '%s'",
                                   world_words[needed[i]].word);
    if (world_check_load(p) != 0)
        return -1;
    if (s->warm_up_ns >= s->duration_ns)
        return sim_reader_fail(&p->r,
                               "the warm-up of %s leaves nothing of the "
                               "duration of %s",
                               sim_units_show(s->warm_up_ns, a, sizeof a),
                               sim_units_show(s->duration_ns, b, sizeof b));
    return 0;
}
