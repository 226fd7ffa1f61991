/* SPDX-License-Identifier: MIT */
/*
 * Does the library keep what it promises? Runs the scenarios of the table and
 * prints a line a promise: the median over the seeds, the worst of them and
 * which seed that is, the bound, and whether the median keeps it.
 *
 *   test_sim_promises [--seeds N] [--policy NAME] [--jobs N] [--markdown]
 *                     [BEGINNING...]
 *   test_sim_promises --proof [--seeds N] [--jobs N] [BEGINNING...]
 *
 * 5 seeds, policy ilb, and as many jobs as there are processors; --markdown: as
 * a table for documents. BEGINNING: only promises of scenarios whose names
 * begin so. Exit status 1: one was missed.
 *
 * --proof asks each line of the policy that must miss it, with 2 seeds. Exit
 * status 1: one was kept, so that the line may be one that all keep.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_batch.h"
#include "sim_cli.h"
#include "sim_find.h"
#include "sim_spread.h"
#include "test_sim_promises.h"

#define PROMISES_NAME "test_sim_promises"
#define PROMISES_POLICY "ilb"
#define PROMISES_SEEDS 5
#define PROMISES_PROOF_SEEDS 2
#define PROMISES_RUNS 100 /* pairs of a scenario and a policy */

/* A scenario and a policy, all seeds. */
typedef struct promises_run {
    const char *scenario; /* the word of the table */
    const sim_policy *policy;
    sim_scenario read;
    sim_result *results;
} promises_run;

typedef struct promises_all {
    const sim_policy *subject;
    uint64_t seeds, jobs;
    bool markdown, proof;
    promises_run runs[PROMISES_RUNS];
    uint32_t n_runs;
    double *values; /* room for one a seed */
    uint32_t lines, missed;
} promises_all;

static void promises_stop(const char *what, const char *error)
{
    fflush(stdout);
    fprintf(stderr, PROMISES_NAME ": %s: %s\n", what, error);
    exit(2);
}

/* ---- Runs ---- */

static void promises_read(sim_scenario *s, const char *word)
{
    char path[SIM_FIND_BYTES], error[SIM_FIND_ERROR_BYTES];

    if (sim_find_path(path, word, error) != 0 ||
        sim_scenario_read(s, path, error, sizeof error) != 0)
        promises_stop(word, error);
}

static const promises_run *promises_get(promises_all *all, const char *scenario,
                                        const sim_policy *policy)
{
    char error[SIM_BATCH_ERROR_BYTES];
    promises_run *r = all->runs;
    sim_batch b = {.policies = &policy,
                   .n_scenarios = 1,
                   .n_policies = 1,
                   .n_seeds = (size_t)all->seeds,
                   .first_seed = 1,
                   .jobs = (unsigned)all->jobs,
                   .quiet = true};

    for (; r < all->runs + all->n_runs; r++)
        if (strcmp(r->scenario, scenario) == 0 && r->policy == policy)
            return r;
    if (all->n_runs == PROMISES_RUNS)
        promises_stop(scenario, "more runs than there is room for");
    promises_read(&r->read, scenario);
    b.scenarios = &r->read;
    if (sim_batch_run(&b, error) != 0)
        promises_stop(scenario, error);
    r->scenario = scenario;
    r->policy = policy;
    r->results = b.results;
    all->n_runs++;
    return r;
}

static void promises_free(promises_all *all)
{
    for (uint32_t i = 0; i < all->n_runs; i++) {
        sim_scenario_free(&all->runs[i].read);
        free(all->runs[i].results);
    }
    free(all->values);
}

/* ---- Figures ---- */

/* NaN, "no value", is worse than all. */
static bool promises_worse(const promise *p, double a, double b)
{
    return isnan(a) || (p->at_least ? a < b : a > b);
}

static double promises_measure(const promise *p, const promises_run *run,
                               uint64_t seed)
{
    const sim_scenario *s = &run->read;
    const sim_result *r = &run->results[seed];
    size_t n = p->measure == NULL ? 0 : strlen(p->measure);
    bool many = n > 0 && p->measure[n - 1] == '*', found = false;
    double value = 0;

    if (p->measure == NULL)
        return (double)r->failed;
    for (uint32_t i = 0; i < s->n_measures; i++) {
        const char *name = s->measures[i].name;

        if (many ? strncmp(name, p->measure, n - 1) != 0
                 : strcmp(name, p->measure) != 0)
            continue;
        if (!found || promises_worse(p, r->measures[i], value))
            value = r->measures[i];
        found = true;
    }
    if (!found)
        promises_stop(run->scenario, "it has no such measure");
    return value;
}

static const sim_policy *promises_policy(const char *name)
{
    const sim_policy *policy = sim_policy_find(name);

    if (policy == NULL)
        promises_stop(name, "no such policy");
    return policy;
}

/* Who is asked; another policy than the library has no variants. */
static const sim_policy *promises_subject(const promises_all *all,
                                          const promise *p)
{
    if (p->variant != NULL && !all->proof &&
        strcmp(all->subject->name, PROMISES_POLICY) == 0)
        return promises_policy(p->variant);
    return all->subject;
}

static double promises_value(promises_all *all, const promise *p, uint64_t seed)
{
    const sim_policy *subject = promises_subject(all, p);
    const sim_policy *other =
        p->rival == NULL ? subject : promises_policy(p->rival);
    const char *twin = p->twin == NULL ? p->scenario : p->twin;
    double value =
        promises_measure(p, promises_get(all, p->scenario, subject), seed);

    if (p->twin != NULL || p->rival != NULL) {
        double its = promises_measure(p, promises_get(all, twin, other), seed);

        value = p->ratio ? value / its : value - its;
    }
    return p->times > 0 ? p->times * value : value;
}

/* ---- Lines ---- */

typedef struct promises_line {
    double median, worst;
    uint64_t worst_seed;
    bool kept;
} promises_line;

static promises_line promises_ask(promises_all *all, const promise *p)
{
    promises_line line = {.worst_seed = 1};

    for (uint64_t i = 0; i < all->seeds; i++) {
        all->values[i] = promises_value(all, p, i);
        if (i > 0 && !promises_worse(p, all->values[i], line.worst))
            continue;
        line.worst = all->values[i];
        line.worst_seed = i + 1;
    }
    line.median =
        sim_spread_of(all->values, (size_t)all->seeds, p->at_least).median;
    line.kept =
        !isnan(line.median) && !promises_worse(p, line.median, p->bound);
    return line;
}

/* One whose name begins with spaces goes on with what the one before says. */
static void promises_row(const promise *p, const promises_line *line)
{
    const char *name = p->name + strspn(p->name, " ");
    const char *unit = p->unit == NULL ? "" : p->unit;
    const char *space = *unit == '\0' ? "" : " ";

    printf("| %s%s | %s %.5g%s%s | %.5g%s%s | %.5g%s%s (seed %" PRIu64
           ") | %s |\n",
           name > p->name ? "… " : "", name, p->at_least ? "≥" : "≤", p->bound,
           space, unit, line->median, space, unit, line->worst, space, unit,
           line->worst_seed, line->kept ? "kept" : "**missed**");
}

static void promises_print(const promise *p, const promises_line *line)
{
    printf("%-60s %8.5g %-2s (%8.5g, seed %" PRIu64 ")  %s %6.5g  %s\n",
           p->name, line->median, p->unit == NULL ? "" : p->unit, line->worst,
           line->worst_seed, p->at_least ? ">=" : "<=", p->bound,
           line->kept ? "ok" : "MISSED");
}

static void promises_check(promises_all *all, const promise *p)
{
    const promises_line line = promises_ask(all, p);

    all->lines++;
    all->missed += !line.kept;
    if (all->markdown)
        promises_row(p, &line);
    else
        promises_print(p, &line);
    fflush(stdout);
}

static void promises_prove(promises_all *all, const promise *p)
{
    promises_line line;

    if (p->missed_by == NULL)
        promises_stop(p->name, "no policy is named that must miss it");
    all->subject = promises_policy(p->missed_by);
    line = promises_ask(all, p);
    all->lines++;
    all->missed += !line.kept;
    printf("%-60s %-12s %8.5g %-2s %s %6.5g  %s\n", p->name, p->missed_by,
           line.median, p->unit == NULL ? "" : p->unit,
           p->at_least ? ">=" : "<=", p->bound,
           line.kept ? "KEPT: it proves nothing" : "missed, as it must");
    fflush(stdout);
}

/* ---- The command line ---- */

static bool promises_wanted(const promise *p, int n, char **words)
{
    for (int i = 0; i < n; i++)
        if (strncmp(p->scenario, words[i], strlen(words[i])) == 0)
            return true;
    return n == 0;
}

static void promises_head(const promises_all *all, const char *policy)
{
    if (all->proof)
        printf("each line by a policy that must miss it, medians of %" PRIu64
               " seeds\n",
               all->seeds);
    else if (all->markdown)
        printf("Policy %s, medians of %" PRIu64 " seeds and the worst one.\n\n"
               "| promise | bound | median | worst | verdict |\n"
               "|---|---|---|---|---|\n",
               policy, all->seeds);
    else
        printf("%s: medians of %" PRIu64 " seeds (the worst), bounds\n", policy,
               all->seeds);
}

/* The exit status. */
static int promises_foot(const promises_all *all)
{
    printf(all->markdown ? "\n%" PRIu32 " promises, %" PRIu32 " missed.\n"
                         : "%" PRIu32 " promises, %" PRIu32 " missed\n",
           all->lines, all->missed);
    return all->missed == (all->proof ? all->lines : 0) ? 0 : 1;
}

static int promises_all_of(promises_all *all, const char *policy, int n,
                           char **words)
{
    int status;

    if (all->seeds == 0)
        all->seeds = all->proof ? PROMISES_PROOF_SEEDS : PROMISES_SEEDS;
    all->subject = promises_policy(policy);
    all->values = calloc((size_t)all->seeds, sizeof *all->values);
    if (all->values == NULL)
        promises_stop(policy, "out of memory");
    promises_head(all, policy);
    for (uint32_t i = 0; i < promises_n; i++) {
        if (!promises_wanted(&promises[i], n, words))
            continue;
        if (all->proof)
            promises_prove(all, &promises[i]);
        else
            promises_check(all, &promises[i]);
    }
    if (all->lines == 0)
        promises_stop(words[0], "no promise of a scenario that begins so");
    status = promises_foot(all);
    promises_free(all);
    return status;
}

int main(int argc, char **argv)
{
    const char *policy = NULL;
    promises_all all = {.jobs = sim_batch_cores()};
    const sim_cli_option options[] = {
        {"--seeds", SIM_CLI_NUMBER, &all.seeds, 1, 100000},
        {"--jobs", SIM_CLI_NUMBER, &all.jobs, 1, SIM_BATCH_JOBS_MAX},
        {"--policy", SIM_CLI_TEXT, &policy, 0, 0},
        {"--markdown", SIM_CLI_FLAG, &all.markdown, 0, 0},
        {"--proof", SIM_CLI_FLAG, &all.proof, 0, 0},
        {NULL, SIM_CLI_FLAG, NULL, 0, 0},
    };
    int n = sim_cli_parse(PROMISES_NAME, options, argc - 1, argv + 1);

    if (n < 0)
        return 2;
    if (all.proof && (policy != NULL || all.markdown)) {
        sim_cli_usage(PROMISES_NAME, "--proof has policies of its own, and no "
                                     "--markdown");
        return 2;
    }
    return promises_all_of(&all, policy == NULL ? PROMISES_POLICY : policy, n,
                           argv + 1);
}
