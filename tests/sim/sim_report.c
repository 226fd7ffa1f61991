/* SPDX-License-Identifier: MIT */
/*
 * Failures, cancelled requests and attempts to bad servers in 100,000 requests
 * of the measured part; latencies in ms. Of each figure the median over the
 * seeds and the worst seed.
 */
#include "sim_report.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "sim_spread.h"
#include "sim_table.h"

const char sim_report_help[] =
    "Columns, one row a policy; of each figure the median over the seeds and\n"
    "the worst seed:\n"
    "  failed/100k     requests that failed in the end (error, refusal,\n"
    "                  deadline), of 100,000\n"
    "  p50, p99, p99.9 ms from a request's arrival to its end, retries\n"
    "                  included; a timeout counts with its deadline, other\n"
    "                  failures have no latency\n"
    "  to bad/100k     attempts to servers while they had a fault, per\n"
    "                  100,000 requests\n"
    "  ejections       a number, 0 if the policy does not count any\n"
    "  cancelled/100k  requests that the client gave up; only where there are\n"
    "                  some, and so is the next\n"
    "  unsent/100k     picks that found no endpoint, per 100,000 requests\n"
    "  hidden/100k     attempts that failed and were tried again elsewhere as\n"
    "                  the policy had asked for; only where there are some\n"
    "  probes          requests of the clients' own, to look whether a server\n"
    "                  is well again; only where there are some\n"
    "then, where the scenario has measures, their median, least and most:\n"
    "  share, failed share, in time, peak in %; return in s; p99, p99.9 in "
    "ms;\n"
    "  the others are numbers\n"
    "'-' where there is no value: no request was answered, say.\n";

typedef double report_get(const sim_result *r, unsigned which);

typedef struct report_column {
    const char *name;
    report_get *get;
    unsigned which; /* for `get` */
    bool if_any;    /* shown only where it is not 0 */
} report_column;

static double report_of_100k(uint64_t n, const sim_result *r)
{
    return r->requests == 0 ? NAN : 1e5 * (double)n / (double)r->requests;
}

static double report_failed(const sim_result *r, unsigned which)
{
    (void)which;
    return report_of_100k(r->failed, r);
}

static double report_cancelled(const sim_result *r, unsigned which)
{
    (void)which;
    return report_of_100k(r->cancelled, r);
}

static double report_unsent(const sim_result *r, unsigned which)
{
    (void)which;
    return report_of_100k(r->no_endpoint, r);
}

static double report_to_bad(const sim_result *r, unsigned which)
{
    (void)which;
    return report_of_100k(r->to_bad, r);
}

static double report_hidden(const sim_result *r, unsigned which)
{
    (void)which;
    return report_of_100k(r->hidden, r);
}

static double report_probes(const sim_result *r, unsigned which)
{
    (void)which;
    return (double)r->probes;
}

static double report_ejections(const sim_result *r, unsigned which)
{
    (void)which;
    return (double)r->ejections;
}

static double report_latency_ms(const sim_result *r, unsigned which)
{
    const double ns[] = {r->p50_ns, r->p99_ns, r->p999_ns};

    return ns[which] / 1e6;
}

static double report_measure(const sim_result *r, unsigned which)
{
    return r->measures[which];
}

static const report_column report_columns[] = {
    {"failed/100k", report_failed, 0, false},
    {"p50 ms", report_latency_ms, 0, false},
    {"p99 ms", report_latency_ms, 1, false},
    {"p99.9 ms", report_latency_ms, 2, false},
    {"to bad/100k", report_to_bad, 0, false},
    {"ejections", report_ejections, 0, false},
    {"cancelled/100k", report_cancelled, 0, true},
    {"unsent/100k", report_unsent, 0, true},
    {"hidden/100k", report_hidden, 0, true},
    {"probes", report_probes, 0, true},
};

#define REPORT_COLUMNS (sizeof report_columns / sizeof report_columns[0])

static sim_spread report_spread(const sim_batch *b, size_t scenario,
                                size_t policy, report_get *get, unsigned which,
                                bool low_is_bad, double *scratch)
{
    const sim_result *r = sim_batch_results(b, scenario, policy);

    for (size_t i = 0; i < b->n_seeds; i++)
        scratch[i] = get(&r[i], which);
    return sim_spread_of(scratch, b->n_seeds, low_is_bad);
}

static bool report_shown(const sim_batch *b, size_t scenario,
                         const report_column *c)
{
    const sim_result *r = sim_batch_results(b, scenario, 0);

    if (!c->if_any)
        return true;
    for (size_t i = 0; i < b->n_policies * b->n_seeds; i++)
        if (c->get(&r[i], c->which) > 0)
            return true;
    return false;
}

static int report_figures(const sim_batch *b, size_t scenario, FILE *to,
                          double *scratch)
{
    bool shown[REPORT_COLUMNS];
    size_t n = 1;
    sim_table t;

    for (size_t c = 0; c < REPORT_COLUMNS; c++) {
        shown[c] = report_shown(b, scenario, &report_columns[c]);
        n += shown[c] ? 2 : 0;
    }
    sim_table_begin(&t, n, 1);
    sim_table_add(&t, "policy");
    for (size_t c = 0; c < REPORT_COLUMNS; c++)
        if (shown[c]) {
            sim_table_add(&t, "%s", report_columns[c].name);
            sim_table_add(&t, "worst");
        }
    for (size_t p = 0; p < b->n_policies; p++) {
        sim_table_add(&t, "%s", b->policies[p]->name);
        for (size_t c = 0; c < REPORT_COLUMNS; c++)
            if (shown[c]) {
                sim_spread s =
                    report_spread(b, scenario, p, report_columns[c].get,
                                  report_columns[c].which, false, scratch);

                sim_table_figure(&t, s.median);
                sim_table_figure(&t, s.most);
            }
    }
    return sim_table_print(&t, to, false);
}

static const char *report_unit(sim_measure_kind kind)
{
    switch (kind) {
    case SIM_SHARE:
    case SIM_FAILED_SHARE:
    case SIM_IN_TIME:
    case SIM_PEAK:
        return " %";
    case SIM_RETURN:
        return " s";
    case SIM_P99:
    case SIM_P999:
        return " ms";
    case SIM_ATTEMPTS:
    case SIM_FAILED:
    case SIM_BEFORE_REPORT:
        break;
    }
    return "";
}

static int report_measures(const sim_batch *b, size_t scenario, FILE *to,
                           double *scratch)
{
    const sim_scenario *s = &b->scenarios[scenario];
    sim_table t;

    sim_table_begin(&t, 1 + 3 * (size_t)s->n_measures, 1);
    sim_table_add(&t, "policy");
    for (uint32_t m = 0; m < s->n_measures; m++) {
        sim_table_add(&t, "%s%s", s->measures[m].name,
                      report_unit(s->measures[m].kind));
        sim_table_add(&t, "least");
        sim_table_add(&t, "most");
    }
    for (size_t p = 0; p < b->n_policies; p++) {
        sim_table_add(&t, "%s", b->policies[p]->name);
        for (uint32_t m = 0; m < s->n_measures; m++) {
            sim_measure_kind kind = s->measures[m].kind;
            sim_spread x = report_spread(
                b, scenario, p, report_measure, m,
                kind == SIM_SHARE || kind == SIM_IN_TIME, scratch);

            sim_table_figure(&t, x.median);
            sim_table_figure(&t, x.least);
            sim_table_figure(&t, x.most);
        }
    }
    fputc('\n', to);
    return sim_table_print(&t, to, false);
}

int sim_report_print(const sim_batch *b, size_t scenario, FILE *to)
{
    const sim_scenario *s = &b->scenarios[scenario];
    double *scratch = malloc(b->n_seeds * sizeof *scratch);
    int rc;

    if (scratch == NULL)
        return -1;
    fprintf(to, "%s%s: %s\n", scenario > 0 ? "\n" : "", s->name, s->about);
    fprintf(to, "(%zu seed%s from %" PRIu64 ", %.6g s, %.6g of it warm-up)\n\n",
            b->n_seeds, b->n_seeds == 1 ? "" : "s", b->first_seed,
            (double)s->duration_ns / 1e9, (double)s->warm_up_ns / 1e9);
    rc = report_figures(b, scenario, to, scratch);
    if (rc == 0 && s->n_measures > 0)
        rc = report_measures(b, scenario, to, scratch);
    free(scratch);
    return rc;
}
