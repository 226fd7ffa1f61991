/* SPDX-License-Identifier: MIT */
#include "sim_medians.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_spread.h"

/* A row with its names as numbers, to sort by. */
typedef struct medians_row {
    size_t scenario, policy;
    const sim_csv_row *row;
} medians_row;

const sim_median *sim_medians_at(const sim_medians *m, size_t scenario,
                                 size_t policy)
{
    return &m->cells[scenario * m->n_policies + policy];
}

static size_t medians_number(const char **names, size_t n, const char *name)
{
    size_t i = 0;

    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

size_t sim_medians_policy(const sim_medians *m, const char *name)
{
    return medians_number(m->policies, m->n_policies, name);
}

static int medians_compare(const void *a, const void *b)
{
    const medians_row *x = a, *y = b;

    if (x->scenario != y->scenario)
        return x->scenario < y->scenario ? -1 : 1;
    if (x->policy != y->policy)
        return x->policy < y->policy ? -1 : 1;
    return (x->row->seed > y->row->seed) - (x->row->seed < y->row->seed);
}

static bool medians_differ(double x, double y)
{
    return x < y || x > y || (isnan(x) != 0) != (isnan(y) != 0);
}

static bool medians_same(const sim_csv_row *x, const sim_csv_row *y)
{
    return !medians_differ(x->failures, y->failures) &&
           !medians_differ(x->p99_ms, y->p99_ms) &&
           !medians_differ(x->p999_ms, y->p999_ms) &&
           !medians_differ(x->regained, y->regained) &&
           x->has_regained == y->has_regained;
}

/* Numbers the names; -1: a policy is passive here and not there. */
static int medians_names(sim_medians *m, const sim_csv_rows *rows,
                         medians_row *sorted, char error[SIM_CSV_ERROR_BYTES])
{
    for (size_t i = 0; i < rows->n; i++) {
        const sim_csv_row *row = &rows->rows[i];
        size_t s = medians_number(m->scenarios, m->n_scenarios, row->scenario);
        size_t p = medians_number(m->policies, m->n_policies, row->policy);

        if (s == m->n_scenarios)
            m->scenarios[m->n_scenarios++] = row->scenario;
        if (p == m->n_policies) {
            m->policies[m->n_policies] = row->policy;
            m->passive[m->n_policies++] = row->passive;
        }
        if (m->passive[p] != row->passive) {
            snprintf(error, SIM_CSV_ERROR_BYTES,
                     "%s is passive in some lines and not in others",
                     row->policy);
            return -1;
        }
        sorted[i] = (medians_row){s, p, row};
    }
    qsort(sorted, rows->n, sizeof *sorted, medians_compare);
    return 0;
}

/* Takes those out that are there twice; how many are left, 0: an error. */
static size_t medians_once(medians_row *sorted, size_t n,
                           char error[SIM_CSV_ERROR_BYTES])
{
    size_t kept = 1;

    for (size_t i = 1; i < n; i++) {
        if (medians_compare(&sorted[kept - 1], &sorted[i]) != 0) {
            sorted[kept++] = sorted[i];
        } else if (!medians_same(sorted[kept - 1].row, sorted[i].row)) {
            snprintf(error, SIM_CSV_ERROR_BYTES,
                     "%s, %s, seed %" PRIu64
                     " is there twice, with different figures",
                     sorted[i].row->scenario, sorted[i].row->policy,
                     sorted[i].row->seed);
            return 0;
        }
    }
    return kept;
}

static void medians_spread(double *values, size_t n, bool low_is_bad,
                           double *median, double *worst)
{
    sim_spread x = sim_spread_of(values, n, low_is_bad);

    *median = x.median;
    *worst = low_is_bad ? x.least : x.most;
}

/* Of rows of one scenario and one policy, of n seeds. */
static int medians_cell(sim_median *cell, const medians_row *rows, size_t n,
                        double *scratch, char error[SIM_CSV_ERROR_BYTES])
{
    cell->n_seeds = n;
    cell->has_regained = rows[0].row->has_regained;
    for (size_t i = 0; i < n; i++) {
        scratch[i] = rows[i].row->failures;
        if (rows[i].row->has_regained != cell->has_regained) {
            snprintf(error, SIM_CSV_ERROR_BYTES,
                     "%s, %s: measure:regained is empty for some seeds",
                     rows[i].row->scenario, rows[i].row->policy);
            return -1;
        }
    }
    medians_spread(scratch, n, false, &cell->failures, &cell->worst_failures);
    for (size_t i = 0; i < n; i++)
        scratch[i] = rows[i].row->p99_ms;
    medians_spread(scratch, n, false, &cell->p99_ms, &cell->worst_p99_ms);
    for (size_t i = 0; i < n; i++)
        scratch[i] = rows[i].row->p999_ms;
    medians_spread(scratch, n, false, &cell->p999_ms, &cell->worst_p999_ms);
    for (size_t i = 0; i < n; i++)
        scratch[i] = rows[i].row->regained;
    medians_spread(scratch, n, true, &cell->regained, &cell->worst_regained);
    return 0;
}

/* Do these have the same seeds as the scenario's first policy? */
static int medians_seeds(const medians_row *first, size_t n_first,
                         const medians_row *rows, size_t n,
                         char error[SIM_CSV_ERROR_BYTES])
{
    for (size_t i = 0; i < n || i < n_first; i++)
        if (i == n || i == n_first || first[i].row->seed != rows[i].row->seed) {
            snprintf(error, SIM_CSV_ERROR_BYTES,
                     "%s: %s and %s do not have the same seeds (%zu and %zu); "
                     "run both with the same --seeds and --first-seed",
                     first[0].row->scenario, first[0].row->policy,
                     rows[0].row->policy, n_first, n);
            return -1;
        }
    return 0;
}

static int medians_fill(sim_medians *m, const medians_row *sorted, size_t n,
                        double *scratch, char error[SIM_CSV_ERROR_BYTES])
{
    size_t first = 0, n_first = 0, end;

    for (size_t i = 0; i < n; i = end) {
        size_t s = sorted[i].scenario, p = sorted[i].policy;

        for (end = i;
             end < n && sorted[end].scenario == s && sorted[end].policy == p;)
            end++;
        if (i == 0 || sorted[first].scenario != s) {
            first = i;
            n_first = end - i;
        }
        if (medians_seeds(&sorted[first], n_first, &sorted[i], end - i,
                          error) != 0 ||
            medians_cell(&m->cells[s * m->n_policies + p], &sorted[i], end - i,
                         scratch, error) != 0)
            return -1;
    }
    return 0;
}

static int medians_try(sim_medians *m, const sim_csv_rows *rows,
                       medians_row *sorted, double *scratch,
                       char error[SIM_CSV_ERROR_BYTES])
{
    size_t n;

    if (medians_names(m, rows, sorted, error) != 0 ||
        (n = medians_once(sorted, rows->n, error)) == 0)
        return -1;
    m->cells = calloc(m->n_scenarios * m->n_policies, sizeof *m->cells);
    if (m->cells != NULL)
        return medians_fill(m, sorted, n, scratch, error);
    snprintf(error, SIM_CSV_ERROR_BYTES, "out of memory");
    return -1;
}

int sim_medians_make(sim_medians *m, const sim_csv_rows *rows,
                     char error[SIM_CSV_ERROR_BYTES])
{
    medians_row *sorted = calloc(rows->n + 1, sizeof *sorted);
    double *scratch = calloc(rows->n + 1, sizeof *scratch);
    int rc = -1;

    memset(m, 0, sizeof *m);
    m->scenarios = calloc(rows->n + 1, sizeof *m->scenarios);
    m->policies = calloc(rows->n + 1, sizeof *m->policies);
    m->passive = calloc(rows->n + 1, sizeof *m->passive);
    if (sorted == NULL || scratch == NULL || m->scenarios == NULL ||
        m->policies == NULL || m->passive == NULL)
        snprintf(error, SIM_CSV_ERROR_BYTES, "out of memory");
    else
        rc = medians_try(m, rows, sorted, scratch, error);
    free(sorted);
    free(scratch);
    if (rc != 0)
        sim_medians_free(m);
    return rc;
}

void sim_medians_free(sim_medians *m)
{
    free(m->scenarios);
    free(m->policies);
    free(m->passive);
    free(m->cells);
    memset(m, 0, sizeof *m);
}
