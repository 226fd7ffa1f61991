/* SPDX-License-Identifier: MIT */
/*
 * measure NAME KIND [SERVERS] [from TIME] [to TIME]
 */
#include <stdio.h>
#include <string.h>

#include "sim_scenario_parts.h"
#include "sim_units.h"

typedef struct measure_word {
    const char *word;
    sim_measure_kind kind;
    bool of_servers;
} measure_word;

static const measure_word measure_words[] = {
    {"share", SIM_SHARE, true},      {"attempts", SIM_ATTEMPTS, true},
    {"failed", SIM_FAILED, false},   {"failed-share", SIM_FAILED_SHARE, false},
    {"in-time", SIM_IN_TIME, false}, {"peak", SIM_PEAK, true},
    {"return", SIM_RETURN, true},    {"p99", SIM_P99, false},
    {"p999", SIM_P999, false},       {"before-report", SIM_BEFORE_REPORT, true},
};

#define MEASURE_WORDS (sizeof measure_words / sizeof measure_words[0])

static int measure_name(sim_parser *p, sim_measure *m)
{
    const sim_scenario *s = p->s;
    const char *word;

    if (sim_reader_word(&p->r, "name of the measure", &word) != 0)
        return -1;
    if (strlen(word) >= sizeof m->name)
        return sim_reader_fail(&p->r,
                               "the name '%.40s' is too long (at most %zu)",
                               word, sizeof m->name - 1);
    if (strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(word))
        return sim_reader_fail(&p->r,
                               "the name '%.40s' has more than a-z, 0-9, - "
                               "and _",
                               word);
    for (uint32_t i = 0; i < s->n_measures; i++)
        if (strcmp(s->measures[i].name, word) == 0)
            return sim_reader_fail(&p->r, "two measures are named '%s'", word);
    memcpy(m->name, word, strlen(word) + 1);
    return 0;
}

static int measure_kind(sim_parser *p, sim_measure *m)
{
    const char *word;
    size_t i = 0;

    if (sim_reader_word(&p->r, "kind of measure", &word) != 0)
        return -1;
    while (i < MEASURE_WORDS && strcmp(word, measure_words[i].word) != 0)
        i++;
    if (i == MEASURE_WORDS)
        return sim_reader_fail(&p->r, "unknown kind of measure '%.40s'", word);
    m->kind = measure_words[i].kind;
    m->last = p->s->n_servers - 1;
    if (!measure_words[i].of_servers)
        return 0;
    return sim_reader_range(&p->r, p->s->n_servers, &m->first, &m->last);
}

static int measure_window(sim_parser *p, sim_measure *m)
{
    static const char *const words[] = {"from", "to"};
    uint64_t times[] = {p->s->warm_up_ns, p->s->duration_ns};
    unsigned seen = 0;
    int option;

    while ((option = sim_reader_option(&p->r, words, 2, &seen)) >= 0)
        if (sim_reader_duration(&p->r, words[option], 0, SIM_UNITS_DAY_NS,
                                &times[option]) != 0)
            return -1;
    if (option == SIM_READER_ERROR)
        return -1;
    if (m->kind == SIM_RETURN && (seen & 1) == 0)
        return sim_reader_fail(&p->r, "'return' needs 'from'");
    m->from_ns = times[0];
    m->to_ns = times[1];
    /* `return` looks at windows of a second. */
    return sim_parser_window(p, m->from_ns, m->to_ns,
                             m->kind == SIM_RETURN ? 1000000000 : 1);
}

int sim_parser_measure(sim_parser *p)
{
    sim_scenario *s = p->s;
    sim_measure m;

    memset(&m, 0, sizeof m);
    if (s->n_measures == SIM_LISTED_MEASURES_MAX)
        return sim_reader_fail(&p->r, "more than %zu measures",
                               SIM_LISTED_MEASURES_MAX);
    if (measure_name(p, &m) != 0 || measure_kind(p, &m) != 0 ||
        measure_window(p, &m) != 0)
        return -1;
    s->measures[s->n_measures++] = m;
    return 0;
}
