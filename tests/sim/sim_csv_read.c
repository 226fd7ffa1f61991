/* SPDX-License-Identifier: MIT */
#include "sim_csv_read.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_COLUMNS_MAX 1024

/* The columns that we need; all but the last must be there. */
enum {
    READ_SCENARIO,
    READ_POLICY,
    READ_PASSIVE,
    READ_SEED,
    READ_REQUESTS,
    READ_FAILED,
    READ_P99,
    READ_P999,
    READ_REGAINED,
    READ_NEEDED
};

static const char *const read_names[READ_NEEDED] = {
    "scenario", "policy",  "passive",         "seed", "requests", "failed",
    "p99_ns",   "p999_ns", "measure:regained"};

typedef struct read_state {
    const char *path;
    size_t line;
    char *text; /* of the line */
    size_t room;
    char *fields[READ_COLUMNS_MAX];
    size_t n_fields;
    size_t n_columns;          /* of the head line */
    size_t where[READ_NEEDED]; /* SIZE_MAX: not there */
    char *error;
} read_state;

__attribute__((format(printf, 2, 3))) static int read_fail(const read_state *s,
                                                           const char *format,
                                                           ...)
{
    char what[SIM_CSV_ERROR_BYTES / 2];
    va_list values;

    va_start(values, format);
    vsnprintf(what, sizeof what, format, values);
    va_end(values);
    snprintf(s->error, SIM_CSV_ERROR_BYTES, "%s:%zu: %s", s->path, s->line,
             what);
    return -1;
}

/* A field that begins at `at`, its quotes taken away. Where the next begins;
 * NULL: none follows; or the field itself: a quote is wrong. */
static char *read_field(char *at)
{
    char *to = at, *from = at + 1;

    if (*at != '"') {
        from = strchr(at, ',');
        if (from == NULL)
            return NULL;
        *from = '\0';
        return from + 1;
    }
    for (; *from != '\0' && (*from != '"' || from[1] == '"'); from++) {
        if (*from == '"')
            from++;
        *to++ = *from;
    }
    if (*from == '\0' || (from[1] != '\0' && from[1] != ','))
        return at;
    from++;
    *to = '\0';
    return *from == '\0' ? NULL : from + 1;
}

/* 1: a line; 0: the end; -1: an error. Empty lines are passed over. */
static int read_line(read_state *s, FILE *f)
{
    ssize_t n;
    char *at, *next;

    do {
        errno = 0;
        n = getline(&s->text, &s->room, f);
        if (n < 0)
            return errno == 0 && ferror(f) == 0
                       ? 0
                       : read_fail(s, "%s", strerror(errno));
        s->line++;
        if (strlen(s->text) != (size_t)n)
            return read_fail(s, "a zero byte: this is no CSV");
        while (n > 0 && (s->text[n - 1] == '\n' || s->text[n - 1] == '\r'))
            s->text[--n] = '\0';
    } while (n == 0);
    s->n_fields = 0;
    for (at = s->text; at != NULL; at = next) {
        if (s->n_fields == READ_COLUMNS_MAX)
            return read_fail(s, "more than %d columns", READ_COLUMNS_MAX);
        s->fields[s->n_fields++] = at;
        if ((next = read_field(at)) == at)
            return read_fail(s, "field %zu: its quotes are wrong", s->n_fields);
    }
    return 1;
}

static int read_head(read_state *s, FILE *f)
{
    int rc = read_line(s, f);

    if (rc == 0)
        return read_fail(s, "the file is empty");
    if (rc < 0)
        return -1;
    s->n_columns = s->n_fields;
    for (size_t i = 0; i < READ_NEEDED; i++) {
        s->where[i] = SIZE_MAX;
        for (size_t c = 0; c < s->n_fields; c++)
            if (strcmp(s->fields[c], read_names[i]) == 0) {
                if (s->where[i] != SIZE_MAX)
                    return read_fail(s, "two columns '%s'", read_names[i]);
                s->where[i] = c;
            }
        if (s->where[i] == SIZE_MAX && i != READ_REGAINED)
            return read_fail(s, "no column '%s'", read_names[i]);
    }
    return 0;
}

static int read_count(const read_state *s, int which, uint64_t *value)
{
    const char *text = s->fields[s->where[which]];
    char *end;
    unsigned long long x;

    errno = 0;
    x = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0)
        return read_fail(s, "%s: '%s' is no number", read_names[which], text);
    *value = x;
    return 0;
}

static int read_double(const read_state *s, int which, double *value)
{
    const char *text = s->fields[s->where[which]];
    char *end;

    *value = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || *value < 0)
        return read_fail(s, "%s: '%s' is no number from 0", read_names[which],
                         text);
    return 0;
}

static int read_figures(const read_state *s, sim_csv_row *row)
{
    uint64_t requests, failed, passive;

    if (read_count(s, READ_PASSIVE, &passive) != 0 ||
        read_count(s, READ_SEED, &row->seed) != 0 ||
        read_count(s, READ_REQUESTS, &requests) != 0 ||
        read_count(s, READ_FAILED, &failed) != 0 ||
        read_double(s, READ_P99, &row->p99_ms) != 0 ||
        read_double(s, READ_P999, &row->p999_ms) != 0)
        return -1;
    if (passive > 1)
        return read_fail(s, "passive: '%" PRIu64 "' is not 0 or 1", passive);
    if (requests == 0 || failed > requests)
        return read_fail(s, "%" PRIu64 " failed of %" PRIu64 " requests",
                         failed, requests);
    row->passive = passive == 1;
    row->failures = 1e5 * (double)failed / (double)requests;
    row->p99_ms /= 1e6;
    row->p999_ms /= 1e6;
    row->regained = NAN;
    row->has_regained = s->where[READ_REGAINED] != SIZE_MAX &&
                        *s->fields[s->where[READ_REGAINED]] != '\0';
    return row->has_regained ? read_double(s, READ_REGAINED, &row->regained)
                             : 0;
}

static int read_row(const read_state *s, sim_csv_rows *rows)
{
    sim_csv_row *row;

    if (s->n_fields != s->n_columns)
        return read_fail(s, "%zu fields; the head line has %zu", s->n_fields,
                         s->n_columns);
    if (rows->n == rows->room) {
        size_t room = rows->room == 0 ? 64 : 2 * rows->room;
        sim_csv_row *more = realloc(rows->rows, room * sizeof *more);

        if (more == NULL)
            return read_fail(s, "out of memory");
        rows->rows = more;
        rows->room = room;
    }
    row = &rows->rows[rows->n];
    if (read_figures(s, row) != 0)
        return -1;
    row->scenario = strdup(s->fields[s->where[READ_SCENARIO]]);
    row->policy = strdup(s->fields[s->where[READ_POLICY]]);
    rows->n++;
    if (row->scenario == NULL || row->policy == NULL)
        return read_fail(s, "out of memory");
    if (*row->scenario == '\0' || *row->policy == '\0')
        return read_fail(s, "no name of a scenario or a policy");
    return 0;
}

static int read_all(read_state *s, FILE *f, sim_csv_rows *rows)
{
    size_t before = rows->n;
    int rc = read_head(s, f);

    if (rc != 0)
        return rc;
    while ((rc = read_line(s, f)) > 0)
        if (read_row(s, rows) != 0)
            return -1;
    if (rc == 0 && rows->n == before)
        return read_fail(s, "there is no result after the head line");
    return rc;
}

int sim_csv_read(sim_csv_rows *rows, const char *path,
                 char error[SIM_CSV_ERROR_BYTES])
{
    read_state *s = calloc(1, sizeof *s);
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    int rc = -1;

    if (s == NULL || f == NULL) {
        snprintf(error, SIM_CSV_ERROR_BYTES, "%s: %s", path, strerror(errno));
    } else {
        s->path = path;
        s->error = error;
        rc = read_all(s, f, rows);
        free(s->text);
    }
    if (f != NULL && f != stdin)
        fclose(f);
    free(s);
    return rc;
}

void sim_csv_free(sim_csv_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        free(rows->rows[i].scenario);
        free(rows->rows[i].policy);
    }
    free(rows->rows);
    rows->rows = NULL;
    rows->n = rows->room = 0;
}
