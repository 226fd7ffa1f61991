/* SPDX-License-Identifier: MIT */
/* The figures, as rows of the file. Columns: bench_options_help. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stdio.h>

#include "bench_run.h"

typedef struct bench_row {
    const char *section, *subject, *clock;
    int64_t request_us; /* -1: does not apply, as all that is below 0 or NAN */
    uint32_t threads, endpoints; /* 0: does not apply */
    bench_result result;
    double ratio; /* to naive */
    double p50_ns, p99_ns, p999_ns;
    double per_second;
    double bytes;
} bench_row;

/* All of a run. */
typedef struct bench_rows {
    bench_row *rows;
    size_t n, room;
    uint32_t wanted; /* repetitions of each */
} bench_rows;

/* A row to which nothing applies yet; it may move when the next one comes. */
bench_row *bench_rows_add(bench_rows *all, const char *section,
                          const char *subject);

/* The one row like that, or NULL. `clock` may be NULL. */
const bench_row *bench_rows_find(const bench_rows *all, const char *section,
                                 const char *subject, const char *clock,
                                 int64_t request_us, uint32_t threads,
                                 uint32_t endpoints);

/* Sets `ratio` of all pairs. */
void bench_rows_compare(bench_rows *all);

/* 0, or -1 with errno. */
int bench_rows_write(const bench_rows *all, FILE *to);

void bench_rows_free(bench_rows *all);

#endif
