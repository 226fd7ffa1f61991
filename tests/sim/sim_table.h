/* SPDX-License-Identifier: MIT */
/*
 * Tables of text: columns as wide as they must be, the first ones to the left,
 * figures to the right; or the same in Markdown.
 */
#ifndef SIM_TABLE_H
#define SIM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SIM_TABLE_CELL 96 /* bytes; longer text is an error of the caller */

typedef struct sim_table {
    size_t n_columns, n_cells, room;
    uint32_t left;                 /* bit c: column c is text */
    const char *bare;              /* before each line that is not Markdown */
    char (*cells)[SIM_TABLE_CELL]; /* row by row; the first row is the head */
    bool failed;                   /* out of memory: sim_table_print says so */
} sim_table;

void sim_table_begin(sim_table *t, size_t n_columns, uint32_t left);

/* The next cell. */
__attribute__((format(printf, 2, 3))) void sim_table_add(sim_table *t,
                                                         const char *format,
                                                         ...);

/* The same with a figure: three digits that count, never an exponent; "-" if
 * it is NaN. */
void sim_table_figure(sim_table *t, double value);

/* Prints and frees. 0, or -1 if memory had run out: nothing printed. */
int sim_table_print(sim_table *t, FILE *to, bool markdown);

/* As sim_table_figure prints it. */
void sim_table_number(char text[SIM_TABLE_CELL], double value);

#endif
