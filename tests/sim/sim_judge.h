/* SPDX-License-Identifier: MIT */
/* What `ilb-sim verdict` prints. */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include "sim_verdict.h"

/* The verdict on a subject, then the totals of all passive policies. As
 * sim_verdict_judge; 0, or -1: out of memory. */
int sim_judge_print(const sim_medians *m, size_t subject, const bool *left_out,
                    bool markdown);

/* The rules in short, for `ilb-sim verdict --help`. */
extern const char sim_judge_help[];

#endif
