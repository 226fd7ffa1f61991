/* SPDX-License-Identifier: MIT */
#include "sim_cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sim_near.h"

#define CLI_OPTIONS_MAX 16

static void cli_say(const char *command, const char *format, va_list words)
{
    fprintf(stderr, "ilb-sim%s%s: ", command == NULL ? "" : " ",
            command == NULL ? "" : command);
    vfprintf(stderr, format, words);
    fputc('\n', stderr);
}

int sim_cli_failed(const char *command, const char *format, ...)
{
    va_list words;

    va_start(words, format);
    cli_say(command, format, words);
    va_end(words);
    return SIM_CLI_FAILED;
}

void sim_cli_note(const char *command, const char *format, ...)
{
    va_list words;

    va_start(words, format);
    cli_say(command, format, words);
    va_end(words);
}

int sim_cli_usage(const char *command, const char *format, ...)
{
    va_list words;

    va_start(words, format);
    cli_say(command, format, words);
    va_end(words);
    fprintf(stderr, "Try 'ilb-sim%s%s --help'.\n", command == NULL ? "" : " ",
            command == NULL ? "" : command);
    return SIM_CLI_USAGE;
}

int sim_cli_flush(const char *command)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return sim_cli_failed(command,
                              "cannot write to the standard output: "
                              "%s",
                              strerror(errno));
    return 0;
}

/* Digits only: strtoull would take signs, spaces and hexadecimal too. */
static bool cli_number(const char *text, uint64_t *value)
{
    uint64_t x = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)*text - '0';

        if (digit > 9 || x > (UINT64_MAX - digit) / 10)
            return false;
        x = x * 10 + digit;
    }
    *value = x;
    return true;
}

static int cli_set(const char *command, const sim_cli_option *o,
                   const char *text)
{
    uint64_t number;

    if (o->kind == SIM_CLI_TEXT) {
        if (*text == '\0') {
            sim_cli_usage(command, "%s: its value is empty", o->name);
            return -1;
        }
        *(const char **)o->value = text;
        return 0;
    }
    if (!cli_number(text, &number) || number < o->least || number > o->most) {
        sim_cli_usage(command,
                      "%s needs a number from %" PRIu64 " to %" PRIu64
                      ", not '%s'",
                      o->name, o->least, o->most, text);
        return -1;
    }
    *(uint64_t *)o->value = number;
    return 0;
}

static const sim_cli_option *cli_find(const sim_cli_option *options,
                                      const char *word, size_t length)
{
    for (; options->name != NULL; options++)
        if (strlen(options->name) == length &&
            strncmp(options->name, word, length) == 0)
            return options;
    return NULL;
}

static int cli_unknown(const char *command, const sim_cli_option *options,
                       const char *word)
{
    const char *names[CLI_OPTIONS_MAX];
    char near[SIM_NEAR_BYTES];
    size_t n = 0;

    for (; options->name != NULL && n < CLI_OPTIONS_MAX; options++)
        names[n++] = options->name;
    sim_near(near, word, names, n);
    sim_cli_usage(command, "no option '%s'%s%s", word,
                  *near == '\0' ? "" : "; there is ", near);
    return -1;
}

/* The option at words[*i], with its value; moves *i to its last word. */
static int cli_option(const char *command, const sim_cli_option *options, int n,
                      char **words, int *i)
{
    const char *word = words[*i], *equals = strchr(word, '=');
    size_t length = equals == NULL ? strlen(word) : (size_t)(equals - word);
    const sim_cli_option *o = cli_find(options, word, length);

    if (strcmp(word, "-h") == 0)
        o = cli_find(options, "--help", strlen("--help"));
    if (o == NULL)
        return cli_unknown(command, options, word);
    if (o->kind == SIM_CLI_FLAG) {
        if (equals != NULL) {
            sim_cli_usage(command, "%s takes no value", o->name);
            return -1;
        }
        *(bool *)o->value = true;
        return 0;
    }
    if (equals != NULL)
        return cli_set(command, o, equals + 1);
    if (*i + 1 == n) {
        sim_cli_usage(command, "%s needs a value", o->name);
        return -1;
    }
    return cli_set(command, o, words[++*i]);
}

int sim_cli_parse(const char *command, const sim_cli_option *options, int n,
                  char **words)
{
    int operands = 0;
    bool only_operands = false;

    for (int i = 0; i < n; i++) {
        char *word = words[i];

        /* "-" alone is the standard input or output. */
        if (only_operands || word[0] != '-' || word[1] == '\0')
            words[operands++] = word;
        else if (strcmp(word, "--") == 0)
            only_operands = true;
        else if (cli_option(command, options, n, words, &i) != 0)
            return -1;
    }
    return operands;
}
