/* SPDX-License-Identifier: MIT */
/*
 * Service times: KIND and its figures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_scenario_parts.h"
#include "sim_units.h"

#define SERVICE_VALUES_MAX 1000000

static const char *const service_words[] = {
    [SIM_CONSTANT] = "constant",       [SIM_UNIFORM] = "uniform",
    [SIM_EXPONENTIAL] = "exponential", [SIM_LOGNORMAL] = "lognormal",
    [SIM_NORMAL] = "normal",           [SIM_BIMODAL] = "bimodal",
    [SIM_REPLAY] = "replay",
};

static int service_time(sim_parser *p, const char *what, uint64_t least_ns,
                        double *out)
{
    uint64_t ns;

    if (sim_reader_duration(&p->r, what, least_ns, SIM_UNITS_DAY_NS, &ns) != 0)
        return -1;
    *out = (double)ns;
    return 0;
}

/* The word between two figures: "lognormal 5ms sigma 0.5". */
static int service_link(sim_parser *p, const char *link)
{
    const char *word;
    char what[32];

    snprintf(what, sizeof what, "'%s'", link);
    if (sim_reader_word(&p->r, what, &word) != 0)
        return -1;
    if (strcmp(word, link) != 0)
        return sim_reader_fail(&p->r, "'%s' is missing before '%.40s'", link,
                               word);
    return 0;
}

/* One value a line; `r` is of that file. */
static int service_values(sim_reader *r, char *text, double factor,
                          sim_distribution *out)
{
    const char *word;
    uint64_t ns;
    double *values;
    int rc;

    while ((rc = sim_reader_line(r, &text)) == 1) {
        word = sim_reader_next(r);
        if (word == NULL)
            continue;
        if (sim_units_duration(word, &ns) != NULL)
            return sim_reader_fail(r, "value '%.40s' %s", word,
                                   sim_units_duration(word, &ns));
        if (out->n_values == SERVICE_VALUES_MAX)
            return sim_reader_fail(r, "more than %d values",
                                   SERVICE_VALUES_MAX);
        values =
            sim_reader_grow(r, out->values_ns, out->n_values, sizeof *values);
        if (values == NULL)
            return -1;
        values[out->n_values++] = (double)ns * factor;
        out->values_ns = values;
        if (sim_reader_end(r) != 0)
            return -1;
    }
    if (rc == 0 && out->n_values == 0)
        return sim_reader_fail(r, "no values in the file");
    return rc;
}

static int service_replay_file(sim_parser *p, const char *path, double factor,
                               sim_distribution *out)
{
    sim_reader r = p->r;
    char *text = sim_parser_file(&p->r, path);
    int rc;

    if (text == NULL)
        return -1;
    r.file = path;
    r.line = 0;
    rc = service_values(&r, text, factor, out);
    free(text);
    if (rc != 0) {
        free(out->values_ns);
        out->values_ns = NULL;
        out->n_values = 0;
    }
    return rc;
}

static int service_replay(sim_parser *p, sim_distribution *out)
{
    const char *file;
    double factor;
    size_t size;
    char *path;
    int rc;

    if (sim_reader_word(&p->r, "file of the replay", &file) != 0 ||
        sim_reader_factor(&p->r, "factor of the replay", &factor) != 0)
        return -1;
    if (p->directory == NULL)
        return sim_reader_fail(&p->r, "no directory to look for '%.40s' in",
                               file);
    size = strlen(p->directory) + 1 + strlen(file) + 1;
    path = sim_reader_realloc(NULL, size);
    if (path == NULL)
        return sim_reader_fail(&p->r, "out of memory");
    snprintf(path, size, "%s%s%s", file[0] == '/' ? "" : p->directory,
             file[0] == '/' ? "" : "/", file);
    rc = service_replay_file(p, path, factor, out);
    free(path);
    return rc;
}

static int service_bimodal(sim_parser *p, sim_distribution *out)
{
    if (service_time(p, "common service time", 1, &out->a_ns) != 0 ||
        service_time(p, "rare service time", 1, &out->b_ns) != 0)
        return -1;
    return sim_reader_percent(&p->r, "share of the rare", 0, &out->p);
}

static int service_uniform(sim_parser *p, sim_distribution *out)
{
    if (service_time(p, "least service time", 0, &out->a_ns) != 0 ||
        service_time(p, "most service time", 1, &out->b_ns) != 0)
        return -1;
    if (out->b_ns < out->a_ns)
        return sim_reader_fail(&p->r, "service time from much to little");
    return 0;
}

int sim_parser_service(sim_parser *p, sim_distribution *out)
{
    const char *word;
    unsigned kind = 0;

    memset(out, 0, sizeof *out);
    if (sim_reader_word(&p->r, "kind of service time", &word) != 0)
        return -1;
    while (kind <= SIM_REPLAY && strcmp(word, service_words[kind]) != 0)
        kind++;
    if (kind > SIM_REPLAY)
        return sim_reader_fail(&p->r, "unknown kind of service time '%.40s'",
                               word);
    out->kind = (sim_distribution_kind)kind;
    if (out->kind == SIM_REPLAY)
        return service_replay(p, out);
    if (out->kind == SIM_BIMODAL)
        return service_bimodal(p, out);
    if (out->kind == SIM_UNIFORM)
        return service_uniform(p, out);
    if (service_time(p, "service time", 1, &out->a_ns) != 0)
        return -1;
    if (out->kind == SIM_LOGNORMAL)
        return service_link(p, "sigma") != 0
                   ? -1
                   : sim_reader_number(&p->r, "sigma", 0.01, 5, &out->p);
    if (out->kind == SIM_NORMAL)
        return service_link(p, "sd") != 0
                   ? -1
                   : service_time(p, "standard deviation", 0, &out->b_ns);
    return 0;
}
