/* SPDX-License-Identifier: MIT */
/*
 * A healthy fleet is left alone. Runs fleets at random, an hour each, in which
 * nothing is wrong - servers of unlike speeds, long tails, random arrivals, a
 * few random errors; some with short pauses everywhere, with weights, with
 * bursts, or busy to 80 % - with libilb, and again with its detectors off:
 *
 *     less than one ejection an hour, and p99 within 2 % of that without them,
 *
 * of all fleets together (the p99's ratio as a geometric mean) and of each kind
 * of fleet.
 *
 *   test_sim_healthy [--hours N] [--first N] [--jobs N]   20 fleets, from 1
 *   test_sim_healthy --print --first N                    the text of one
 *   test_sim_healthy --nervous ...                        one failure ejects
 *
 * The long form is --hours 1000. --nervous must be found: exit status 1.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/policy_ilb.h"
#include "sim_batch.h"
#include "sim_cli.h"
#include "test_sim_healthy.h"

#define HEALTHY_HOURS 20
#define HEALTHY_EJECTIONS 1.0 /* an hour; less */
#define HEALTHY_P99 1.02
#define HEALTHY_WORST 3 /* fleets that are named */

/* ---- Kinds ---- */

static bool healthy_any(const healthy_fleet *f)
{
    (void)f;
    return true;
}

static bool healthy_small(const healthy_fleet *f)
{
    return f->servers <= 5;
}

static bool healthy_large(const healthy_fleet *f)
{
    return f->servers > 25;
}

static bool healthy_few_requests(const healthy_fleet *f)
{
    return f->rate_per_s <= 10;
}

static bool healthy_many_requests(const healthy_fleet *f)
{
    return f->rate_per_s > 100;
}

static bool healthy_busy(const healthy_fleet *f)
{
    return f->load > 0.5;
}

static bool healthy_long_tailed(const healthy_fleet *f)
{
    return f->sigma > 0.7;
}

static bool healthy_erring(const healthy_fleet *f)
{
    return f->errors > 0.0003;
}

static bool healthy_very_busy(const healthy_fleet *f)
{
    return f->load > 0.7;
}

static bool healthy_pausing(const healthy_fleet *f)
{
    return f->pause_ms > 0;
}

static bool healthy_is_weighted(const healthy_fleet *f)
{
    return f->weighted;
}

static bool healthy_bursting(const healthy_fleet *f)
{
    return f->n_bursts > 0;
}

static const struct {
    const char *name;
    bool (*has)(const healthy_fleet *f);
} healthy_kinds[] = {{"all", healthy_any},
                     {"2 to 5 servers", healthy_small},
                     {"26 to 100 servers", healthy_large},
                     {"up to 10 requests a second", healthy_few_requests},
                     {"more than 100 a second", healthy_many_requests},
                     {"load above 50 %", healthy_busy},
                     {"sigma above 0.7", healthy_long_tailed},
                     {"more than 0.03 % errors", healthy_erring},
                     {"load above 70 %", healthy_very_busy},
                     {"short pauses everywhere", healthy_pausing},
                     {"weights", healthy_is_weighted},
                     {"bursts", healthy_bursting}};

/* How many bounds it misses. */
static unsigned healthy_judge(const healthy_fleet *all, uint64_t n, size_t kind)
{
    double ejections = 0, log_ratio = 0;
    uint64_t hours = 0;
    unsigned missed;

    for (uint64_t i = 0; i < n; i++) {
        if (!healthy_kinds[kind].has(&all[i]))
            continue;
        hours++;
        ejections += all[i].ejections;
        log_ratio += log(all[i].ratio);
    }
    if (hours == 0) {
        printf("%-28s no fleet\n", healthy_kinds[kind].name);
        return 0;
    }
    ejections /= (double)hours;
    log_ratio = exp(log_ratio / (double)hours);
    missed = !(ejections < HEALTHY_EJECTIONS);
    missed += !(log_ratio <= HEALTHY_P99);
    printf("%-28s %5" PRIu64 "  %9.3f  %9.4f  %s\n", healthy_kinds[kind].name,
           hours, ejections, log_ratio, missed == 0 ? "ok" : "MISSED");
    return missed;
}

/* ---- The worst ---- */

static int healthy_by_ejections(const void *a, const void *b)
{
    const healthy_fleet *x = a, *y = b;

    return (x->ejections < y->ejections) - (x->ejections > y->ejections);
}

static int healthy_by_ratio(const void *a, const void *b)
{
    const healthy_fleet *x = a, *y = b;

    return (x->ratio < y->ratio) - (x->ratio > y->ratio);
}

static void healthy_worst(healthy_fleet *all, uint64_t n,
                          int (*order)(const void *, const void *))
{
    qsort(all, (size_t)n, sizeof *all, order);
    for (uint64_t i = 0; i < n && i < HEALTHY_WORST; i++) {
        if (!(all[i].ejections > 0) && !(all[i].ratio > 1))
            continue;
        printf("  fleet %" PRIu64 ": %.0f ejections, p99 %.3fx; %" PRIu32
               " servers of %" PRIu32 " workers, %.1f/s, %.1f ms sigma %.2f, "
               "load %.0f %%, errors %.3f %%, pauses %" PRIu32 "/%" PRIu32
               " ms, %" PRIu32 " bursts to %.0f %%%s\n",
               all[i].number, all[i].ejections, all[i].ratio, all[i].servers,
               all[i].workers, all[i].rate_per_s, all[i].service_ms,
               all[i].sigma, 100 * all[i].load, 100 * all[i].errors,
               all[i].pause_ms, all[i].pause_every_ms, all[i].n_bursts,
               100 * all[i].most_load, all[i].weighted ? ", weights" : "");
    }
}

/* ---- The command ---- */

static void *healthy_create_nervous(const sim_host *host)
{
    ilb_options o = ILB_OPTIONS_INIT;

    o.consecutive_failures = 1;
    return policy_ilb_make(host, &o, true);
}

static int healthy_fleets(const sim_policy *subject, uint64_t first, uint64_t n,
                          uint64_t jobs)
{
    healthy_fleet *all = calloc((size_t)n, sizeof *all);
    unsigned missed = 0;

    if (all == NULL)
        healthy_stop("out of memory");
    for (uint64_t i = 0; i < n; i++) {
        healthy_draw(&all[i], first + i);
        healthy_run(&all[i], subject, jobs);
    }
    printf("%s: %" PRIu64 " healthy fleets from %" PRIu64 ", an hour each\n"
           "%-28s hours  ejections  p99 ratio\n",
           subject->name, n, first, "");
    for (size_t i = 0; i < sizeof healthy_kinds / sizeof healthy_kinds[0]; i++)
        missed += healthy_judge(all, n, i);
    printf("bounds                              < %7.3f  <= %6.4f\n"
           "the worst:\n",
           HEALTHY_EJECTIONS, HEALTHY_P99);
    healthy_worst(all, n, healthy_by_ejections);
    healthy_worst(all, n, healthy_by_ratio);
    free(all);
    return missed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    uint64_t hours = HEALTHY_HOURS, first = 1, jobs = sim_batch_cores();
    bool print = false, nervous = false;
    const sim_cli_option options[] = {
        {"--hours", SIM_CLI_NUMBER, &hours, 1, 1000000},
        {"--first", SIM_CLI_NUMBER, &first, 0, UINT64_MAX / 2},
        {"--jobs", SIM_CLI_NUMBER, &jobs, 1, SIM_BATCH_JOBS_MAX},
        {"--print", SIM_CLI_FLAG, &print, 0, 0},
        {"--nervous", SIM_CLI_FLAG, &nervous, 0, 0},
        {NULL, SIM_CLI_FLAG, NULL, 0, 0},
    };
    int n = sim_cli_parse(HEALTHY_NAME, options, argc - 1, argv + 1);
    sim_policy subject = sim_policy_ilb;

    if (n > 0)
        sim_cli_usage(HEALTHY_NAME, "what is '%s'?", argv[1]);
    if (n != 0)
        return 2;
    if (print) {
        char text[HEALTHY_BYTES];
        healthy_fleet f;

        healthy_draw(&f, first);
        healthy_text(&f, text);
        fputs(text, stdout);
        return 0;
    }
    if (nervous) {
        subject.name = "ilb-nervous";
        subject.create = healthy_create_nervous;
    }
    return healthy_fleets(&subject, first, hours, jobs);
}
