/* SPDX-License-Identifier: MIT */
/* ilb-sim run */
#include "sim_command.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_cli.h"
#include "sim_csv.h"
#include "sim_help.h"
#include "sim_plotter.h"
#include "sim_report.h"
#include "sim_select.h"

#define RUN_COMMAND "run"
#define RUN_POLICIES "ilb,round-robin"
#define RUN_SEEDS 10
#define RUN_SUFFIX ".svg"

typedef struct run_options {
    const char *policy, *csv, *plot;
    uint64_t seeds, first_seed, jobs;
    bool quiet, help;
} run_options;

typedef struct run_print {
    const sim_batch *b;
    bool out_of_memory;
} run_print;

static bool run_is_svg(const char *path)
{
    size_t n = strlen(path), n_suffix = strlen(RUN_SUFFIX);

    return n > n_suffix && strcmp(path + n - n_suffix, RUN_SUFFIX) == 0;
}

/* How many operands there are; -1: wrong, and it was said. */
static int run_parse(run_options *o, int n, char **words)
{
    const sim_cli_option options[] = {
        {"--policy", SIM_CLI_TEXT, &o->policy, 0, 0},
        {"--seeds", SIM_CLI_NUMBER, &o->seeds, 1, SIM_BATCH_RUNS_MAX},
        {"--first-seed", SIM_CLI_NUMBER, &o->first_seed, 0,
         UINT64_MAX - SIM_BATCH_RUNS_MAX},
        {"--jobs", SIM_CLI_NUMBER, &o->jobs, 1, SIM_BATCH_JOBS_MAX},
        {"--csv", SIM_CLI_TEXT, &o->csv, 0, 0},
        {"--plot", SIM_CLI_TEXT, &o->plot, 0, 0},
        {"--quiet", SIM_CLI_FLAG, &o->quiet, 0, 0},
        {"--help", SIM_CLI_FLAG, &o->help, 0, 0},
        {NULL, SIM_CLI_FLAG, NULL, 0, 0},
    };

    n = sim_cli_parse(RUN_COMMAND, options, n, words);
    if (n < 0 || o->help)
        return n;
    if (n == 0)
        sim_cli_usage(RUN_COMMAND, "no scenario; 'ilb-sim list' shows them");
    else if (o->plot != NULL && !run_is_svg(o->plot))
        sim_cli_usage(RUN_COMMAND,
                      "--plot writes SVG: its file must end in "
                      ".svg, not '%s'",
                      o->plot);
    else
        return n;
    return -1;
}

static void run_scenario_done(void *user, size_t scenario)
{
    run_print *p = user;

    if (sim_report_print(p->b, scenario, stdout) != 0)
        p->out_of_memory = true;
    fflush(stdout);
}

/* What would be lost if it were found after a long run. */
static int run_check(const sim_batch *b, const run_options *o)
{
    if (b->n_seeds > SIM_BATCH_RUNS_MAX / b->n_policies / b->n_scenarios)
        return sim_cli_usage(RUN_COMMAND,
                             "%zu scenarios x %zu policies x %zu seeds are "
                             "more than %d runs",
                             b->n_scenarios, b->n_policies, b->n_seeds,
                             SIM_BATCH_RUNS_MAX);
    if ((o->csv != NULL && sim_csv_can_save(o->csv) != 0) ||
        (o->plot != NULL && sim_plotter_check(o->plot) != 0))
        return SIM_CLI_FAILED;
    return 0;
}

static int run_batch(sim_batch *b, const run_options *o)
{
    char error[SIM_BATCH_ERROR_BYTES];
    run_print print = {b, false};
    int rc = run_check(b, o);

    if (rc != 0)
        return rc;
    b->user = &print;
    if (!o->quiet && (o->csv == NULL || strcmp(o->csv, "-") != 0))
        b->scenario_done = run_scenario_done;
    rc = sim_batch_run(b, error);
    if (rc > 0) {
        sim_cli_failed(RUN_COMMAND, "interrupted%s",
                       o->csv == NULL ? "" : "; no CSV written");
        return 128 + rc;
    }
    if (rc < 0)
        return sim_cli_failed(RUN_COMMAND, "%s", error);
    if (print.out_of_memory)
        return sim_cli_failed(RUN_COMMAND, "out of memory");
    if ((o->csv != NULL && sim_csv_save(b, o->csv) != 0) ||
        (o->plot != NULL && sim_plotter_run(b, o->plot, o->quiet) != 0))
        return SIM_CLI_FAILED;
    return 0;
}

static int run_all(const run_options *o, int n, char **words)
{
    sim_select_scenarios scenarios;
    const sim_policy **policies;
    size_t n_policies;
    int rc = sim_select_policies(&policies, &n_policies, o->policy);

    if (rc != 0)
        return rc;
    rc = sim_select_read(&scenarios, n, words);
    if (rc == 0) {
        sim_batch b = {.scenarios = scenarios.all,
                       .policies = policies,
                       .n_scenarios = scenarios.n,
                       .n_policies = n_policies,
                       .n_seeds = (size_t)o->seeds,
                       .first_seed = o->first_seed,
                       .jobs = (unsigned)o->jobs,
                       .quiet = o->quiet};

        rc = run_batch(&b, o);
        free(b.results);
        sim_select_free(&scenarios);
    }
    free(policies);
    return rc;
}

int sim_command_run(int n, char **words)
{
    run_options o = {.policy = RUN_POLICIES,
                     .seeds = RUN_SEEDS,
                     .first_seed = 1,
                     .jobs = sim_batch_cores()};
    int rc;

    n = run_parse(&o, n, words);
    if (n < 0)
        return SIM_CLI_USAGE;
    if (o.help)
        sim_help_print(RUN_COMMAND);
    rc = o.help ? 0 : run_all(&o, n, words);
    return rc != 0 ? rc : sim_cli_flush(RUN_COMMAND);
}
