/* SPDX-License-Identifier: MIT */
#include "sim_scenario.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_scenario_parts.h"
#include "sim_units.h"

#define SCENARIO_FILE_MAX (size_t)(16u << 20)

static void scenario_defaults(sim_scenario *s)
{
    memset(s, 0, sizeof *s);
    s->duration_ns = UINT64_C(60) * 1000000000;
    s->n_clients = 1;
    s->poisson = true;
    s->deadline_ns = 1000000000;
    s->network_ns = 100000;
    s->heavy_factor = 1;
}

void sim_scenario_free(sim_scenario *s)
{
    const double *values = NULL;

    free(s->why);
    free(s->service.values_ns);
    /* Servers of one line share their values, and stand side by side. */
    for (uint32_t i = 0; i < s->n_servers; i++) {
        double *own = s->servers[i].service.values_ns;

        if (own != values)
            free(own);
        values = own;
    }
    free(s->servers);
    free(s->happenings);
    free(s->processes);
    memset(s, 0, sizeof *s);
}

int sim_parser_window(sim_parser *p, uint64_t from_ns, uint64_t to_ns,
                      uint64_t least_ns)
{
    char a[32], b[32], c[32];

    if (to_ns > p->s->duration_ns)
        return sim_reader_fail(&p->r,
                               "the time from %s to %s is outside the run, "
                               "which ends at %s",
                               sim_units_show(from_ns, a, sizeof a),
                               sim_units_show(to_ns, b, sizeof b),
                               sim_units_show(p->s->duration_ns, c, sizeof c));
    if (from_ns >= to_ns || to_ns - from_ns < least_ns)
        return sim_reader_fail(&p->r, "the time from %s to %s is too short",
                               sim_units_show(from_ns, a, sizeof a),
                               sim_units_show(to_ns, b, sizeof b));
    return 0;
}

static int scenario_line(sim_parser *p)
{
    const char *word = sim_reader_next(&p->r);
    int rc;

    if (word == NULL)
        return 0;
    rc = sim_parser_world(p, word);
    if (rc == 1)
        rc = sim_parser_event(p, word);
    if (rc == 1)
        return sim_reader_fail(&p->r, "unknown word '%.40s'", word);
    return rc == 0 ? sim_reader_end(&p->r) : rc;
}

/* Of a path the file's name without .sim. */
static int scenario_name(sim_parser *p, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    size_t n = strlen(base);

    if (n > 4 && strcmp(base + n - 4, ".sim") == 0)
        n -= 4;
    if (n == 0)
        return sim_reader_fail(&p->r, "the file has no name");
    if (n >= sizeof p->s->name)
        return sim_reader_fail(&p->r,
                               "the name is too long (%zu characters without "
                               ".sim, at most %zu)",
                               n, sizeof p->s->name - 1);
    memcpy(p->s->name, base, n);
    p->s->name[n] = '\0';
    return 0;
}

/* `text` is cut up. */
static int scenario_text(sim_parser *p, const char *path, char *text)
{
    int rc;

    p->r.line = 1;
    if (scenario_name(p, path) != 0)
        return -1;
    p->r.line = 0;
    while ((rc = sim_reader_line(&p->r, &text)) == 1)
        if (scenario_line(p) != 0)
            return -1;
    if (rc != 0)
        return -1;
    if (p->r.line == 0)
        p->r.line = 1;
    if (!p->closed && sim_parser_close(p) != 0)
        return -1;
    return sim_parser_check_lists(p);
}

static int scenario_parse(sim_scenario *s, const char *path,
                          const char *directory, char *text, char *error,
                          size_t error_size)
{
    sim_parser p = {.s = s, .directory = directory};
    int rc;

    p.r.file = path;
    p.r.error = error;
    p.r.error_size = error_size;
    scenario_defaults(s);
    rc = scenario_text(&p, path, text);
    free(p.event_lines);
    if (rc != 0)
        sim_scenario_free(s);
    return rc;
}

int sim_scenario_parse(sim_scenario *s, const char *name, const char *directory,
                       const char *text, char *error, size_t error_size)
{
    sim_reader r = {.file = name, .line = 1};
    size_t size = strlen(text) + 1;
    char *copy = sim_reader_realloc(NULL, size);
    int rc;

    memset(s, 0, sizeof *s);
    r.error = error;
    r.error_size = error_size;
    if (copy == NULL)
        return sim_reader_fail(&r, "out of memory");
    memcpy(copy, text, size);
    rc = scenario_parse(s, name, directory, copy, error, error_size);
    free(copy);
    return rc;
}

/* The open file to its end; NULL: errno is set. */
static char *scenario_slurp(FILE *file, size_t *out_bytes)
{
    char *text = NULL;
    size_t used = 0, room = 0;

    do {
        char *bigger = text;

        if (room - used < 2) {
            room = room == 0 ? 8192 : 2 * room;
            bigger = sim_reader_realloc(text, room);
        }
        if (bigger == NULL || used > SCENARIO_FILE_MAX) {
            errno = bigger == NULL ? ENOMEM : EFBIG;
            free(bigger == NULL ? text : bigger);
            return NULL;
        }
        text = bigger;
        used += fread(text + used, 1, room - used - 1, file);
        if (ferror(file)) {
            free(text);
            errno = EIO;
            return NULL;
        }
    } while (!feof(file));
    text[used] = '\0';
    *out_bytes = used;
    return text;
}

char *sim_parser_file(sim_reader *r, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text;
    size_t bytes = 0;

    if (file == NULL) {
        sim_reader_fail(r, "cannot open '%s': %s", path, strerror(errno));
        return NULL;
    }
    text = scenario_slurp(file, &bytes);
    if (text == NULL)
        sim_reader_fail(r, "cannot read '%s': %s", path, strerror(errno));
    fclose(file);
    if (text != NULL && strlen(text) != bytes) {
        sim_reader_fail(r, "there is a zero byte in '%s'", path);
        free(text);
        text = NULL;
    }
    return text;
}

/* "." for a path without one; NULL: out of memory. */
static char *scenario_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 1 : (size_t)(slash - path) + 1;
    char *directory = sim_reader_realloc(NULL, n + 1);

    if (directory == NULL)
        return NULL;
    memcpy(directory, slash == NULL ? "." : path, n);
    directory[n] = '\0';
    return directory;
}

int sim_scenario_read(sim_scenario *s, const char *path, char *error,
                      size_t error_size)
{
    sim_reader r = {.file = path, .line = 1};
    char *text, *directory;
    int rc;

    memset(s, 0, sizeof *s);
    r.error = error;
    r.error_size = error_size;
    text = sim_parser_file(&r, path);
    if (text == NULL)
        return -1;
    directory = scenario_directory(path);
    rc = directory == NULL
             ? sim_reader_fail(&r, "out of memory")
             : scenario_parse(s, path, directory, text, error, error_size);
    free(directory);
    free(text);
    return rc;
}
