/* SPDX-License-Identifier: MIT */
/*
 * Whatever happens, some things must hold. Runs libilb in random scenarios,
 * each twice, and looks whether they do (test_sim_invariants_watch.c).
 *
 *   test_sim_invariants [--scripts N] [--first N]   300 scripts, from 1
 *   test_sim_invariants --print --first N           the text of one
 *   test_sim_invariants --text FILE --first N       that text, its options
 *   test_sim_invariants --mutants                   are faults found?
 *
 * The text of a script that fails is printed, after its number and what its
 * balancer and clients have that is not default. Saved as FILE.sim it runs in
 * `ilb-sim run FILE.sim --policy ilb --seeds 1 --first-seed NUMBER` the same,
 * if all is default; with --text, cut down as one likes, in any case. Exit
 * status 1: something was found, or a mutant was not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_cli.h"
#include "test_sim_invariants.h"

#define INVARIANTS_NAME "test_sim_invariants"
#define INVARIANTS_SCRIPTS 300
#define INVARIANTS_FOUND_MAX 5 /* then it is enough */
#define INVARIANTS_MUTANT_SCRIPTS 300

static void invariants_print(const script *s)
{
    printf("# script %" PRIu64, s->number);
    script_print_options(s);
    fputs(s->text, stdout);
}

/* How many scripts fail. */
static unsigned invariants_check(const watch_subject *subject, uint64_t first,
                                 uint64_t n)
{
    char error[WATCH_ERROR_BYTES];
    unsigned found = 0;
    uint64_t i;
    script s;

    for (i = 0; i < n && found < INVARIANTS_FOUND_MAX; i++) {
        script_write(&s, first + i);
        if (watch_run(&s, subject, error))
            continue;
        found++;
        printf("\nFAILED: script %" PRIu64 ": %s\n\n", s.number, error);
        invariants_print(&s);
        fflush(stdout);
    }
    printf("%s: %" PRIu64 " scripts from %" PRIu64 ", %u failed\n",
           subject->policy.name, i, first, found);
    printf("  %" PRIu64 " requests, %.1f %% failed; ejected in %.1f %% of the "
           "looks at an endpoint, to the cap %" PRIu64 " times; back after "
           "%.1f s at the latest\n",
           watch_all.requests,
           100 * (double)watch_all.failed / (double)watch_all.requests,
           100 * (double)watch_all.ejected / (double)watch_all.looks,
           watch_all.fullest, (double)watch_all.slowest_ns / 1e9);
    printf("  %" PRIu64 " picks explained, with %" PRIu64 " costs; %" PRIu64
           " refused by those that fail closed; %" PRIu64
           " probes by clients; %" PRIu64 " early first bytes\n"
           "  %" PRIu64 " checks: %" PRIu64 " have ejected, %" PRIu64
           " returned an endpoint\n",
           watch_all.explained, watch_all.compared, watch_all.closed,
           watch_all.probes, watch_all.early, watch_all.checks,
           watch_all.checks_eject, watch_all.checks_return);
    return found;
}

/* The right one has to pass, of the others the fault has to be found. */
static bool invariants_mutant(const watch_subject *subject)
{
    char error[WATCH_ERROR_BYTES];
    script s;

    if (subject->expected == NULL)
        return invariants_check(subject, 1, INVARIANTS_MUTANT_SCRIPTS) == 0;
    for (uint64_t i = 1; i <= INVARIANTS_MUTANT_SCRIPTS; i++) {
        script_write(&s, i);
        if (watch_run(&s, subject, error))
            continue;
        printf("%s: script %" PRIu64 ": %s\n", subject->policy.name, i, error);
        if (strstr(error, subject->expected) != NULL)
            return true;
        printf("FAILED: expected '%s'\n", subject->expected);
        return false;
    }
    printf("FAILED: %s: nothing was found in %d scripts\n",
           subject->policy.name, INVARIANTS_MUTANT_SCRIPTS);
    return false;
}

static int invariants_mutants(void)
{
    static watch_subject all[WATCH_ILB_MUTANTS];
    uint32_t n = watch_ilb_mutants(all), n_toys = 0;
    unsigned wrong = 0;

    for (uint32_t i = 0; i < n; i++)
        wrong += !invariants_mutant(&all[i]);
    for (; toy_subjects[n_toys] != NULL; n_toys++)
        wrong += !invariants_mutant(toy_subjects[n_toys]);
    printf("mutants: %" PRIu32 ", %u wrong\n", n + n_toys, wrong);
    return wrong == 0 ? 0 : 1;
}

/* Another text for a script, in place of its own. */
static int invariants_read(script *s, const char *path)
{
    FILE *f = fopen(path, "r");
    size_t n;

    if (f == NULL) {
        perror(path);
        return -1;
    }
    n = fread(s->text, 1, sizeof s->text - 1, f);
    s->text[n] = '\0';
    if (fclose(f) != 0 || n == sizeof s->text - 1) {
        fprintf(stderr, INVARIANTS_NAME ": %s: too long\n", path);
        return -1;
    }
    return 0;
}

static int invariants_text(const watch_subject *subject, const char *path,
                           uint64_t number)
{
    char error[WATCH_ERROR_BYTES];
    script s;

    script_write(&s, number);
    if (invariants_read(&s, path) != 0)
        return 2;
    if (watch_run(&s, subject, error)) {
        printf("%s: nothing was found\n", path);
        return 0;
    }
    printf("FAILED: %s: %s\n", path, error);
    return 1;
}

int main(int argc, char **argv)
{
    uint64_t scripts = INVARIANTS_SCRIPTS, first = 1;
    bool mutants = false, print = false;
    const char *text = NULL;
    const sim_cli_option options[] = {
        {"--scripts", SIM_CLI_NUMBER, &scripts, 1, 100000000},
        {"--first", SIM_CLI_NUMBER, &first, 0, UINT64_MAX / 2},
        {"--mutants", SIM_CLI_FLAG, &mutants, 0, 0},
        {"--print", SIM_CLI_FLAG, &print, 0, 0},
        {"--text", SIM_CLI_TEXT, &text, 0, 0},
        {NULL, SIM_CLI_FLAG, NULL, 0, 0},
    };
    int n = sim_cli_parse(INVARIANTS_NAME, options, argc - 1, argv + 1);
    watch_subject ilb;
    script s;

    if (n > 0)
        sim_cli_usage(INVARIANTS_NAME, "what is '%s'?", argv[1]);
    if (n != 0)
        return 2;
    if (mutants)
        return invariants_mutants();
    if (print) {
        script_write(&s, first);
        invariants_print(&s);
        return 0;
    }
    watch_ilb_init(&ilb);
    if (text != NULL)
        return invariants_text(&ilb, text, first);
    return invariants_check(&ilb, first, scripts) == 0 ? 0 : 1;
}
