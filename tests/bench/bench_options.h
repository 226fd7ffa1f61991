/* SPDX-License-Identifier: MIT */
/* The command line of ilb-bench. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_ENDPOINTS_MAX 100000u
#define BENCH_LIST_MAX 16
#define BENCH_REPETITIONS_MAX 1001
#define BENCH_ERROR_BYTES 256

/* What is measured, as bits. */
typedef enum bench_section {
    BENCH_FLOOR = 1,
    BENCH_PAIRS = 2,
    BENCH_UPDATES = 4,
    BENCH_REST = 8,
    BENCH_MEMORY = 16,
    BENCH_ALL = 31
} bench_section;

typedef struct bench_options {
    const char *csv;       /* NULL: none is written */
    const char *count;     /* NULL, or the subject whose pairs are only run */
    unsigned sections;     /* bits of bench_section */
    uint32_t repetitions;  /* that count, of each figure */
    uint32_t retries;      /* for each of these, so many at most are redone */
    uint32_t milliseconds; /* of a repetition, about */
    uint32_t threads[BENCH_LIST_MAX];
    uint32_t n_threads; /* 0: 1, 2 and all there are */
    uint32_t endpoints[BENCH_LIST_MAX];
    uint32_t n_endpoints;
    uint64_t pairs; /* of --count */
    bool gate;      /* the short form that may fail */
    bool cpu_time;  /* instead of the wall's: then all repetitions count */
    bool help;
} bench_options;

/* Reads the words after the program's name. 0, or -1 and a message in `error`.
 */
int bench_options_read(bench_options *o, int n, char *const *words,
                       char error[BENCH_ERROR_BYTES]);

extern const char bench_options_help[];

#endif
