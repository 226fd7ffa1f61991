/* SPDX-License-Identifier: MIT */
/* What `ilb-sim run` prints of a scenario: one row a policy. */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include <stdio.h>

#include "sim_batch.h"

/* 0, or -1: out of memory. */
int sim_report_print(const sim_batch *b, size_t scenario, FILE *to);

/* What the columns are, for `ilb-sim run --help`. */
extern const char sim_report_help[];

#endif
