/* SPDX-License-Identifier: MIT */
/*
 * Results as CSV (RFC 4180, lines end with LF): a head line, then one line a
 * run, in the order of the runs. Numbers are the shortest that read back as the
 * same, so the same run gives the same bytes. "nan" is no value; a measure that
 * the scenario does not have is empty.
 */
#ifndef SIM_CSV_H
#define SIM_CSV_H

#include <stdio.h>

#include "sim_batch.h"

#define SIM_CSV_MEASURE "measure:" /* before a measure's name, in the head */

/* The columns, for the help. */
extern const char sim_csv_help[];

/* 0, or -1 and errno. */
int sim_csv_write(const sim_batch *b, FILE *to);

/* To a file, which is there whole or not at all; "-" is the standard output.
 * 0, or -1 after a message. */
int sim_csv_save(const sim_batch *b, const char *path);

/* Before a long run: could a file be made there? 0, or -1 after a message. */
int sim_csv_can_save(const char *path);

#endif
