/* SPDX-License-Identifier: MIT */
/* ilb-sim: the command. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ilb.h"
#include "sim_cli.h"
#include "sim_command.h"
#include "sim_find.h"
#include "sim_help.h"
#include "sim_near.h"
#include "sim_policy.h"
#include "sim_scenario.h"

#define MAIN_ERROR_BYTES 1024
#define MAIN_LIST_WIDTH 26

/* Parses the words of a command that has no option but --help. How many
 * operands there are; -1: exit with *status. */
static int main_parse(const char *command, int n, char **words, int *status)
{
    bool help = false;
    const sim_cli_option options[] = {{"--help", SIM_CLI_FLAG, &help, 0, 0},
                                      {NULL, SIM_CLI_FLAG, NULL, 0, 0}};

    n = sim_cli_parse(command, options, n, words);
    *status = n < 0 ? SIM_CLI_USAGE : 0;
    if (n < 0 || !help)
        return n;
    sim_help_print(command);
    *status = sim_cli_flush(command);
    return -1;
}

/* ---- list ---- */

/* Of a set; NULL: those that are in none. */
static int main_list_set(const char *set)
{
    char error[SIM_FIND_ERROR_BYTES], path[SIM_FIND_BYTES];
    char wrong[MAIN_ERROR_BYTES];
    sim_find_list list;
    sim_scenario s;
    int rc = 0, width = MAIN_LIST_WIDTH;

    if (sim_find_scenarios(&list, set, error) != 0)
        return sim_cli_failed("list", "%s", error);
    if (set == NULL)
        printf("Scenarios, in %s:\n", list.directory);
    else
        printf("\nThe set %s, in %s:\n", set, list.directory);
    for (size_t i = 0; i < list.n; i++) {
        int length = (int)strlen(list.names[i]);

        width = length > width ? length : width;
    }
    for (size_t i = 0; i < list.n; i++) {
        if (sim_find_path(path, list.names[i], error) != 0) {
            rc = sim_cli_failed("list", "%s", error);
        } else if (sim_scenario_read(&s, path, wrong, sizeof wrong) != 0) {
            rc = sim_cli_failed("list", "%s", wrong);
        } else {
            printf("  %-*s %s\n", width, list.names[i], s.about);
            sim_scenario_free(&s);
        }
    }
    sim_find_list_free(&list);
    return rc;
}

static int main_list_scenarios(void)
{
    char error[SIM_FIND_ERROR_BYTES];
    sim_find_list sets;
    int rc = main_list_set(NULL);

    if (sim_find_sets(&sets, error) != 0)
        return rc != 0 ? rc : sim_cli_failed("list", "%s", error);
    for (size_t i = 0; i < sets.n; i++) {
        int one = main_list_set(sets.names[i]);

        rc = rc != 0 ? rc : one;
    }
    sim_find_list_free(&sets);
    return rc;
}

static int main_list(int n, char **words)
{
    int rc;

    n = main_parse("list", n, words, &rc);
    if (n < 0)
        return rc;
    if (n > 0)
        return sim_cli_usage("list", "'%s' is too much", words[0]);
    rc = main_list_scenarios();
    printf("\nPolicies:\n");
    for (size_t i = 0; sim_policies[i] != NULL; i++) {
        const sim_policy *p = sim_policies[i];

        printf("  %-*s %s%s\n", MAIN_LIST_WIDTH, p->name, p->about,
               p->variant   ? " (a variant)"
               : p->passive ? ""
                            : " (not passive)");
        printf("  %-*s   %s\n", MAIN_LIST_WIDTH, "", p->source);
    }
    return rc != 0 ? rc : sim_cli_flush("list");
}

/* ---- show ---- */

static int main_copy(const char *path)
{
    FILE *f = fopen(path, "r");
    char buffer[4096];
    size_t n;
    bool failed;

    if (f == NULL)
        return sim_cli_failed("show", "%s: %s", path, strerror(errno));
    errno = 0;
    while ((n = fread(buffer, 1, sizeof buffer, f)) > 0)
        fwrite(buffer, 1, n, stdout);
    failed = ferror(f) != 0;
    if (failed)
        sim_cli_failed("show", "%s: %s", path, strerror(errno));
    fclose(f);
    return failed ? SIM_CLI_FAILED : sim_cli_flush("show");
}

static int main_show(int n, char **words)
{
    char error[SIM_FIND_ERROR_BYTES], path[SIM_FIND_BYTES];
    int rc;

    n = main_parse("show", n, words, &rc);
    if (n < 0)
        return rc;
    if (n != 1)
        return sim_cli_usage("show", "one scenario at a time, not %d", n);
    rc = sim_find_path(path, words[0], error);
    if (rc == SIM_FIND_UNKNOWN || rc == SIM_FIND_IS_SET)
        return sim_cli_usage("show", "%s", error);
    return rc != 0 ? sim_cli_failed("show", "%s", error) : main_copy(path);
}

/* ---- help and the rest ---- */

static int main_unknown(const char *word);

static int main_help(int n, char **words)
{
    int rc;

    n = main_parse("help", n, words, &rc);
    if (n < 0)
        return rc;
    if (n > 1)
        return sim_cli_usage("help", "one command at a time, not %d", n);
    if (!sim_help_print(n == 0 ? NULL : words[0]))
        return main_unknown(words[0]);
    return sim_cli_flush("help");
}

static const struct {
    const char *name;
    int (*run)(int n, char **words);
} main_commands[] = {
    {"list", main_list},      {"show", main_show},
    {"run", sim_command_run}, {"verdict", sim_command_verdict},
    {"help", main_help},
};

#define MAIN_COMMANDS (sizeof main_commands / sizeof main_commands[0])

static int main_unknown(const char *word)
{
    const char *names[MAIN_COMMANDS];
    char near[SIM_NEAR_BYTES];

    for (size_t i = 0; i < MAIN_COMMANDS; i++)
        names[i] = main_commands[i].name;
    sim_near(near, word, names, MAIN_COMMANDS);
    return sim_cli_usage(NULL, "no command '%s'%s%s", word,
                         *near == '\0' ? "" : "; near it: ", near);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return sim_cli_usage(NULL, "no command");
    if (strcmp(argv[1], "--version") == 0) {
        printf("ilb-sim %s (libilb %s)\n", ILB_VERSION, ilb_version());
        return sim_cli_flush(NULL);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return main_help(0, NULL);
    for (size_t i = 0; i < MAIN_COMMANDS; i++)
        if (strcmp(argv[1], main_commands[i].name) == 0)
            return main_commands[i].run(argc - 2, argv + 2);
    return main_unknown(argv[1]);
}
