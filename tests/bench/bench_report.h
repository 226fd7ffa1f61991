/* SPDX-License-Identifier: MIT */
/* The figures as tables to read, and beside what the project aims at. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench_rows.h"

void bench_report_machine(FILE *to, const bench_options *o);
void bench_report(const bench_rows *all, FILE *to);

/* What the project aims at, with what was measured; only goals of which all
 * figures are there. */
void bench_goals(const bench_rows *all, FILE *to);

/* The gate: 0, or how many bounds were exceeded. */
int bench_gate(const bench_rows *all, FILE *to);

#endif
