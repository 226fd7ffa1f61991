/* SPDX-License-Identifier: MIT */
/*
 * The command line of ilb-sim: options by a table, anywhere among the words,
 * as `--name VALUE` or `--name=VALUE`; after `--` all words are operands. Each
 * error is told on stderr.
 */
#ifndef SIM_CLI_H
#define SIM_CLI_H

#include <stdint.h>

/* Exit statuses besides 0; interrupted by signal N: 128 + N. */
#define SIM_CLI_FAILED 1 /* a run failed, or a file could not be used */
#define SIM_CLI_USAGE 2  /* the command line, or a name in it, is wrong */

typedef enum sim_cli_kind {
    SIM_CLI_FLAG,  /* bool: true if it is there */
    SIM_CLI_TEXT,  /* const char *: not empty */
    SIM_CLI_NUMBER /* uint64_t, in decimal, from `least` to `most` */
} sim_cli_kind;

typedef struct sim_cli_option {
    const char *name; /* with its dashes */
    sim_cli_kind kind;
    void *value; /* what it points to depends on the kind */
    uint64_t least, most;
} sim_cli_option;

/*
 * Takes the options out of `words` and leaves the operands, in order, at its
 * beginning. Returns how many those are, or -1 after a message. The options
 * end with one whose name is NULL; the last of two equal ones counts.
 */
int sim_cli_parse(const char *command, const sim_cli_option *options, int n,
                  char **words);

/* "ilb-sim COMMAND: MESSAGE" on stderr; `command` may be NULL. Returns
 * SIM_CLI_FAILED. */
__attribute__((format(printf, 2, 3))) int sim_cli_failed(const char *command,
                                                         const char *format,
                                                         ...);

/* The message alone, where it is no failure. */
__attribute__((format(printf, 2, 3))) void sim_cli_note(const char *command,
                                                        const char *format,
                                                        ...);

/* As sim_cli_failed, with a hint at --help. Returns SIM_CLI_USAGE. */
__attribute__((format(printf, 2, 3))) int sim_cli_usage(const char *command,
                                                        const char *format,
                                                        ...);

/* What was printed has arrived: 0, or SIM_CLI_FAILED after a message. */
int sim_cli_flush(const char *command);

#endif
