/* SPDX-License-Identifier: MIT */
#include "sim_table.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void sim_table_begin(sim_table *t, size_t n_columns, uint32_t left)
{
    memset(t, 0, sizeof *t);
    t->n_columns = n_columns;
    t->left = left;
    t->bare = "";
}

void sim_table_add(sim_table *t, const char *format, ...)
{
    va_list values;

    if (t->n_cells == t->room) {
        size_t room = t->room == 0 ? 64 : 2 * t->room;
        void *more = realloc(t->cells, room * sizeof *t->cells);

        if (more == NULL) {
            t->failed = true;
            return;
        }
        t->cells = more;
        t->room = room;
    }
    va_start(values, format);
    vsnprintf(t->cells[t->n_cells++], SIM_TABLE_CELL, format, values);
    va_end(values);
}

void sim_table_number(char text[SIM_TABLE_CELL], double value)
{
    double size = fabs(value);
    int digits = 0;

    if (isnan(value)) {
        strcpy(text, "-");
        return;
    }
    if (size != 0 && size < 99.95)
        digits = size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
    snprintf(text, SIM_TABLE_CELL, "%.*f", digits, value);
    /* 5.50 and 5.00 as 5.5 and 5: the eye finds those that differ. */
    if (digits > 0) {
        char *end = text + strlen(text);

        while (end[-1] == '0')
            *--end = '\0';
        if (end[-1] == '.')
            end[-1] = '\0';
    }
}

void sim_table_figure(sim_table *t, double value)
{
    char text[SIM_TABLE_CELL];

    sim_table_number(text, value);
    sim_table_add(t, "%s", text);
}

static int table_width(const sim_table *t, size_t column)
{
    size_t width = 3; /* Markdown's rule needs three dashes */

    for (size_t i = column; i < t->n_cells; i += t->n_columns)
        if (strlen(t->cells[i]) > width)
            width = strlen(t->cells[i]);
    return (int)width;
}

static bool table_is_left(const sim_table *t, size_t column)
{
    return (t->left >> column & 1) != 0;
}

static void table_line(const sim_table *t, FILE *to, bool markdown, size_t row)
{
    const size_t n = t->n_columns;

    fputs(markdown ? "" : t->bare, to);
    for (size_t c = 0; c < n; c++) {
        const char *text = t->cells[row * n + c];
        int width = table_width(t, c);

        fputs(markdown ? "| " : c > 0 ? "  " : "", to);
        if (!table_is_left(t, c))
            fprintf(to, "%*s", width, text);
        else if (markdown || c + 1 < n)
            fprintf(to, "%-*s", width, text);
        else
            fputs(text, to); /* no space at the end of a line */
        fputs(markdown ? " " : "", to);
    }
    fputs(markdown ? "|\n" : "\n", to);
}

static void table_rule(const sim_table *t, FILE *to)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        fputs("| ", to);
        for (int i = table_width(t, c); i > 1; i--)
            fputc('-', to);
        fputs(table_is_left(t, c) ? "- " : ": ", to);
    }
    fputs("|\n", to);
}

int sim_table_print(sim_table *t, FILE *to, bool markdown)
{
    for (size_t row = 0; !t->failed && row < t->n_cells / t->n_columns; row++) {
        table_line(t, to, markdown, row);
        if (row == 0 && markdown)
            table_rule(t, to);
    }
    free(t->cells);
    t->cells = NULL;
    return t->failed ? -1 : 0;
}
