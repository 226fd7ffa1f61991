/* SPDX-License-Identifier: MIT */
/* ilb-sim verdict */
#include "sim_command.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_cli.h"
#include "sim_help.h"
#include "sim_judge.h"
#include "sim_near.h"

#define VERDICT_COMMAND "verdict"
#define VERDICT_SUBJECT "ilb"

typedef struct verdict_options {
    const char *subject, *without;
    bool markdown, help;
} verdict_options;

static int verdict_unknown(const sim_medians *m, const char *name)
{
    char near[SIM_NEAR_BYTES];

    sim_near(near, name, m->policies, m->n_policies);
    return sim_cli_usage(VERDICT_COMMAND, "no policy '%s' in the results%s%s",
                         name, *near == '\0' ? "" : "; near it: ", near);
}

/* Marks the policies of the list. */
static int verdict_leave_out(const sim_medians *m, const char *list,
                             bool *left_out)
{
    char *names = strdup(list), *at = names;
    int rc = 0;

    if (names == NULL)
        return sim_cli_failed(VERDICT_COMMAND, "out of memory");
    while (rc == 0 && at != NULL) {
        char *comma = strchr(at, ',');
        size_t p;

        if (comma != NULL)
            *comma++ = '\0';
        if ((p = sim_medians_policy(m, at)) == m->n_policies)
            rc = verdict_unknown(m, at);
        else
            left_out[p] = true;
        at = comma;
    }
    free(names);
    return rc;
}

/* Is there something to judge in each scenario? */
static int verdict_check(const sim_medians *m, size_t subject,
                         const bool *left_out)
{
    const char *name = m->policies[subject];

    if (!m->passive[subject] || left_out[subject])
        return sim_cli_usage(
            VERDICT_COMMAND, "%s cannot be the subject: it %s", name,
            left_out[subject] ? "is left out"
                              : "does not learn from its own requests only");
    for (size_t s = 0; s < m->n_scenarios; s++) {
        size_t rivals = 0;

        if (sim_medians_at(m, s, subject)->n_seeds == 0)
            return sim_cli_failed(VERDICT_COMMAND, "%s was not run with %s",
                                  m->scenarios[s], name);
        for (size_t p = 0; p < m->n_policies; p++)
            rivals += p != subject && m->passive[p] && !left_out[p] &&
                      sim_medians_at(m, s, p)->n_seeds > 0;
        if (rivals == 0)
            return sim_cli_failed(VERDICT_COMMAND,
                                  "%s was run with no passive rival of %s",
                                  m->scenarios[s], name);
    }
    return 0;
}

static int verdict_medians(const sim_medians *m, const verdict_options *o)
{
    size_t subject = sim_medians_policy(m, o->subject);
    bool *left_out = calloc(m->n_policies, sizeof *left_out);
    int rc = 0;

    if (left_out == NULL)
        return sim_cli_failed(VERDICT_COMMAND, "out of memory");
    if (subject == m->n_policies)
        rc = verdict_unknown(m, o->subject);
    if (rc == 0 && o->without != NULL)
        rc = verdict_leave_out(m, o->without, left_out);
    if (rc == 0)
        rc = verdict_check(m, subject, left_out);
    if (rc == 0 && sim_judge_print(m, subject, left_out, o->markdown) != 0)
        rc = sim_cli_failed(VERDICT_COMMAND, "out of memory");
    free(left_out);
    return rc;
}

static int verdict_all(const verdict_options *o, int n, char **paths)
{
    char error[SIM_CSV_ERROR_BYTES];
    sim_csv_rows rows = {NULL, 0, 0};
    sim_medians m;
    int rc = 0;

    for (int i = 0; i < n && rc == 0; i++)
        rc = sim_csv_read(&rows, paths[i], error);
    if (rc == 0)
        rc = sim_medians_make(&m, &rows, error);
    if (rc != 0) {
        sim_cli_failed(VERDICT_COMMAND, "%s", error);
        rc = SIM_CLI_FAILED;
    } else {
        rc = verdict_medians(&m, o);
        sim_medians_free(&m);
    }
    sim_csv_free(&rows);
    return rc;
}

int sim_command_verdict(int n, char **words)
{
    verdict_options o = {.subject = VERDICT_SUBJECT};
    const sim_cli_option options[] = {
        {"--subject", SIM_CLI_TEXT, &o.subject, 0, 0},
        {"--without", SIM_CLI_TEXT, &o.without, 0, 0},
        {"--markdown", SIM_CLI_FLAG, &o.markdown, 0, 0},
        {"--help", SIM_CLI_FLAG, &o.help, 0, 0},
        {NULL, SIM_CLI_FLAG, NULL, 0, 0},
    };
    int rc = 0;

    n = sim_cli_parse(VERDICT_COMMAND, options, n, words);
    if (n < 0)
        return SIM_CLI_USAGE;
    if (o.help)
        sim_help_print(VERDICT_COMMAND);
    else if (n == 0)
        return sim_cli_usage(VERDICT_COMMAND,
                             "no file; 'ilb-sim run --csv FILE' makes one");
    else
        rc = verdict_all(&o, n, words);
    return rc != 0 ? rc : sim_cli_flush(VERDICT_COMMAND);
}
