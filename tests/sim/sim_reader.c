/* SPDX-License-Identifier: MIT */
#include "sim_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_units.h"

#define READER_BLANKS " \t\r"

void *(*sim_reader_realloc)(void *memory, size_t bytes) = realloc;

int sim_reader_fail(sim_reader *r, const char *format, ...)
{
    int used = snprintf(r->error, r->error_size, "%s:%u: ", r->file, r->line);
    va_list args;

    if (used < 0 || (size_t)used >= r->error_size)
        return -1;
    va_start(args, format);
    vsnprintf(r->error + used, r->error_size - (size_t)used, format, args);
    va_end(args);
    return -1;
}

void *sim_reader_grow(sim_reader *r, void *array, size_t n, size_t bytes)
{
    void *bigger = array;

    if ((n & (n - 1)) == 0)
        bigger = sim_reader_realloc(array, (n == 0 ? 1 : n * 2) * bytes);
    if (bigger == NULL)
        sim_reader_fail(r, "out of memory");
    return bigger;
}

int sim_reader_line(sim_reader *r, char **text)
{
    char *line = *text;
    size_t n = strcspn(line, "\n");

    if (*line == '\0')
        return 0;
    r->line++;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)line[i];

        /* A message that shows the word must not upset a terminal. */
        if ((c < ' ' && c != '\t' && c != '\r') || c > '~')
            return sim_reader_fail(r, "byte 0x%02x is not plain text", c);
    }
    *text = line + n + (line[n] != '\0');
    line[n] = '\0';
    r->text = line;
    return 1;
}

const char *sim_reader_next(sim_reader *r)
{
    char *word = r->text + strspn(r->text, READER_BLANKS);
    size_t n = strcspn(word, READER_BLANKS);

    r->text = word;
    if (*word == '\0' || *word == '#')
        return NULL;
    r->text = word + n + (word[n] != '\0');
    word[n] = '\0';
    return word;
}

const char *sim_reader_rest(sim_reader *r)
{
    char *text = r->text + strspn(r->text, READER_BLANKS);
    size_t n = strlen(text);

    while (n > 0 && strchr(READER_BLANKS, text[n - 1]) != NULL)
        n--;
    text[n] = '\0';
    r->text = text + n;
    return text;
}

int sim_reader_end(sim_reader *r)
{
    const char *word = sim_reader_next(r);

    return word == NULL ? 0 : sim_reader_fail(r, "unexpected '%.40s'", word);
}

int sim_reader_word(sim_reader *r, const char *what, const char **out)
{
    *out = sim_reader_next(r);
    return *out != NULL ? 0 : sim_reader_fail(r, "%s is missing", what);
}

/* What sim_units_... found, as a message. */
static int reader_judge(sim_reader *r, const char *what, const char *word,
                        const char *wrong)
{
    return wrong == NULL
               ? 0
               : sim_reader_fail(r, "%s '%.40s' %s", what, word, wrong);
}

int sim_reader_duration(sim_reader *r, const char *what, uint64_t least_ns,
                        uint64_t most_ns, uint64_t *out_ns)
{
    const char *word;
    char least[32], most[32];

    if (sim_reader_word(r, what, &word) != 0 ||
        reader_judge(r, what, word, sim_units_duration(word, out_ns)) != 0)
        return -1;
    if (*out_ns < least_ns || *out_ns > most_ns)
        return sim_reader_fail(r, "%s '%.40s' is out of range (%s to %s)", what,
                               word,
                               sim_units_show(least_ns, least, sizeof least),
                               sim_units_show(most_ns, most, sizeof most));
    return 0;
}

static int reader_within(sim_reader *r, const char *what, const char *word,
                         double value, double least, double most)
{
    if (value < least || value > most)
        return sim_reader_fail(r, "%s '%.40s' is out of range (%.9g to %.9g)",
                               what, word, least, most);
    return 0;
}

int sim_reader_rate(sim_reader *r, const char *what, double *out_per_s)
{
    const char *word;

    if (sim_reader_word(r, what, &word) != 0 ||
        reader_judge(r, what, word, sim_units_rate(word, out_per_s)) != 0)
        return -1;
    if (*out_per_s < 0.001 || *out_per_s > 1e6)
        return sim_reader_fail(
            r, "%s '%.40s' is out of range (0.001/s to 1000000/s)", what, word);
    return 0;
}

int sim_reader_percent(sim_reader *r, const char *what, double least,
                       double *out)
{
    const char *word;

    if (sim_reader_word(r, what, &word) != 0 ||
        reader_judge(r, what, word, sim_units_percent(word, out)) != 0)
        return -1;
    if (*out < least)
        return sim_reader_fail(r,
                               "%s '%.40s' is out of range (%.9g%% to 100%%)",
                               what, word, least * 100);
    return 0;
}

int sim_reader_factor(sim_reader *r, const char *what, double *out)
{
    const char *word;

    if (sim_reader_word(r, what, &word) != 0 ||
        reader_judge(r, what, word, sim_units_factor(word, out)) != 0)
        return -1;
    if (*out < 1 || *out > 1e6)
        return sim_reader_fail(r, "%s '%.40s' is out of range (1x to 1000000x)",
                               what, word);
    return 0;
}

int sim_reader_number(sim_reader *r, const char *what, double least,
                      double most, double *out)
{
    const char *word;

    if (sim_reader_word(r, what, &word) != 0 ||
        reader_judge(r, what, word, sim_units_number(word, out)) != 0)
        return -1;
    return reader_within(r, what, word, *out, least, most);
}

int sim_reader_count(sim_reader *r, const char *what, uint32_t least,
                     uint32_t most, uint32_t *out)
{
    const char *word;

    if (sim_reader_word(r, what, &word) != 0 ||
        reader_judge(r, what, word, sim_units_count(word, out)) != 0)
        return -1;
    return reader_within(r, what, word, *out, least, most);
}

int sim_reader_range(sim_reader *r, uint32_t n_servers, uint32_t *out_first,
                     uint32_t *out_last)
{
    const char *word;

    if (sim_reader_word(r, "servers (like 3, 2..5 or all)", &word) != 0 ||
        reader_judge(r, "servers", word,
                     sim_units_range(word, out_first, out_last)) != 0)
        return -1;
    if (*out_last == UINT32_MAX && strcmp(word, "all") == 0)
        *out_last = n_servers - 1;
    if (*out_last >= n_servers)
        return sim_reader_fail(r,
                               "server %u of '%.40s' does not exist: there "
                               "are %u, the first is 0",
                               *out_last, word, n_servers);
    return 0;
}

int sim_reader_option(sim_reader *r, const char *const words[], unsigned n,
                      unsigned *seen)
{
    const char *word = sim_reader_next(r);

    if (word == NULL)
        return SIM_READER_END;
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(word, words[i]) != 0)
            continue;
        if ((*seen >> i & 1) != 0) {
            sim_reader_fail(r, "'%s' stands twice in this line", word);
            return SIM_READER_ERROR;
        }
        *seen |= 1u << i;
        return (int)i;
    }
    sim_reader_fail(r, "unexpected '%.40s'", word);
    return SIM_READER_ERROR;
}
