/* SPDX-License-Identifier: MIT */
/*
 * Reads back what a verdict needs of results in CSV. Columns are found by
 * their names; others may be there.
 */
#ifndef SIM_CSV_READ_H
#define SIM_CSV_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_CSV_ERROR_BYTES 1024

typedef struct sim_csv_row {
    char *scenario, *policy; /* owned by the rows */
    bool passive;
    uint64_t seed;
    double failures;        /* of 100,000 requests */
    double p99_ms, p999_ms; /* NaN: none */
    bool has_regained;
    double regained; /* % of the fair share */
} sim_csv_row;

typedef struct sim_csv_rows {
    sim_csv_row *rows;
    size_t n, room;
} sim_csv_rows;

/* Appends a file's; "-" is the standard input. 0, or -1 with "FILE:LINE:
 * message" in `error`. The rows are to be freed in both cases. */
int sim_csv_read(sim_csv_rows *rows, const char *path,
                 char error[SIM_CSV_ERROR_BYTES]);

void sim_csv_free(sim_csv_rows *rows);

#endif
