/* SPDX-License-Identifier: MIT */
/* The parts of the program test_sim_scenario. */
#ifndef TEST_SIM_SCENARIO_H
#define TEST_SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

/* Counts, and prints what went wrong where. True if it went right. */
bool test_expect(bool right, const char *where, const char *what);

/* A prologue of five lines that every run needs: 10 servers, 60 s. */
extern const char test_world[];

/* The shipped scenarios; `directory` is where they are. */
typedef struct test_files {
    const char *directory;
    char **paths; /* sorted */
    char **texts;
    size_t n;
} test_files;

void test_scenario_values(void);
void test_scenario_replay(const char *directory);
void test_scenario_bad(void);
void test_scenario_memory(const test_files *files);
void test_scenario_fuzz(const test_files *files);

#endif
