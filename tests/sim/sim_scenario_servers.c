/* SPDX-License-Identifier: MIT */
/*
 * servers COUNT and what they are like
 */
#include <stdlib.h>

#include "sim_scenario_parts.h"

enum server_word {
    SERVER_WORKERS,
    SERVER_QUEUE,
    SERVER_SPEED,
    SERVER_WEIGHT,
    SERVER_SERVICE,
    SERVER_LATER,
    SERVER_WORDS
};

static int servers_option(sim_parser *p, int option, sim_server_spec *spec)
{
    switch (option) {
    case SERVER_WORKERS:
        return sim_reader_count(&p->r, "number of workers", 0, 1000000,
                                &spec->workers);
    case SERVER_QUEUE:
        return sim_reader_count(&p->r, "length of the queue", 0, 1000000,
                                &spec->queue);
    case SERVER_SPEED:
        return sim_reader_number(&p->r, "speed", 0.001, 1000, &spec->speed);
    case SERVER_WEIGHT:
        return sim_reader_number(&p->r, "weight", 0.001, 1000, &spec->weight);
    case SERVER_SERVICE:
        spec->own_service = true;
        return sim_parser_service(p, &spec->service);
    default:
        spec->listed_at_start = false;
        return 0;
    }
}

/* On an error the values of a replay are still the caller's. */
static int servers_options(sim_parser *p, sim_server_spec *spec)
{
    static const char *const words[SERVER_WORDS] = {
        [SERVER_WORKERS] = "workers", [SERVER_QUEUE] = "queue",
        [SERVER_SPEED] = "speed",     [SERVER_WEIGHT] = "weight",
        [SERVER_SERVICE] = "service", [SERVER_LATER] = "later",
    };
    unsigned seen = 0;
    int option;

    while ((option = sim_reader_option(&p->r, words, SERVER_WORDS, &seen)) >= 0)
        if (servers_option(p, option, spec) != 0)
            return -1;
    if (option == SIM_READER_ERROR)
        return -1;
    if (spec->workers == 0 && spec->queue != UINT32_MAX)
        return sim_reader_fail(&p->r, "a queue needs workers: with 'workers 0' "
                                      "nothing waits");
    return 0;
}

static int servers_add(sim_parser *p, uint32_t n, const sim_server_spec *spec)
{
    sim_scenario *s = p->s;
    sim_server_spec *servers = sim_reader_realloc(
        s->servers, ((size_t)s->n_servers + n) * sizeof *servers);

    if (servers == NULL)
        return sim_reader_fail(&p->r, "out of memory");
    s->servers = servers;
    for (uint32_t i = 0; i < n; i++)
        servers[s->n_servers++] = *spec;
    return 0;
}

int sim_parser_servers(sim_parser *p)
{
    sim_server_spec spec = {.workers = 8,
                            .queue = UINT32_MAX,
                            .speed = 1,
                            .weight = 1,
                            .listed_at_start = true};
    uint32_t n;

    if (sim_reader_count(&p->r, "number of servers", 1, SIM_SERVERS_MAX, &n) !=
        0)
        return -1;
    if (p->s->n_servers + n > SIM_SERVERS_MAX)
        return sim_reader_fail(&p->r, "more than %d servers", SIM_SERVERS_MAX);
    if (servers_options(p, &spec) != 0 || servers_add(p, n, &spec) != 0) {
        free(spec.service.values_ns);
        return -1;
    }
    return 0;
}
