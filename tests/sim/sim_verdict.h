/* SPDX-License-Identifier: MIT */
/*
 * One policy (the subject) against the best of its rivals, scenario by
 * scenario and figure by figure: for each figure another rival may be the best,
 * so this asks for more than to beat each rival.
 *
 * All figures are medians over the seeds. Rivals are the other passive
 * policies. The rules:
 *
 *   failures (of 100,000 requests)
 *     short   more than 1.1 x the best rival's and more than 2 above it
 *     better  less than 0.95 x the best rival's and at least 2 below it
 *   p99, p99.9 (ms): only against rivals whose failures are near the least of
 *   all passive policies, at most 1.15 x it or 30 above it: who answers errors
 *   at once, or drops what is slow, is fast
 *     short   more than 1.1 x the best of these
 *     better  less than 0.95 x the best of these, and the subject's own
 *             failures are near the least
 *   regained (% of the fair share), where the scenario measures it
 *     short   less than 80 %
 *     better  more than 1.05 x the best rival's; more than 100 % is not better
 *             than 100 %
 *   else a tie; or alone, where no rival can be compared with.
 */
#ifndef SIM_VERDICT_H
#define SIM_VERDICT_H

#include "sim_medians.h"

#define SIM_VERDICT_ORACLE "oracle" /* shown beside, judged never */

typedef enum sim_figure {
    SIM_FIGURE_FAILURES = 0,
    SIM_FIGURE_P99,
    SIM_FIGURE_P999,
    SIM_FIGURE_REGAINED
} sim_figure;
#define SIM_FIGURES 4

typedef enum sim_judgement {
    SIM_TIE = 0,
    SIM_SHORT,
    SIM_BETTER,
    SIM_ALONE
} sim_judgement;

typedef struct sim_cell {
    bool there;                   /* false: this scenario does not measure it */
    double subject, best, oracle; /* NaN: none */
    double worst;                 /* the subject's worst seed */
    double ratio;                 /* subject to best; 1 if both are 0 */
    const char *rival;            /* who is best; NULL: none */
    sim_judgement judgement;
    bool oracle_is_better; /* than the best rival, by the same rules */
} sim_cell;

typedef struct sim_verdict {
    size_t n_rivals;
    size_t n_near;  /* of them, those compared for p99 and p99.9 */
    double least;   /* failures, of all passive policies */
    double limit;   /* that is still near it */
    bool by_factor; /* the limit is 1.15 x the least; else 30 above */
    bool subject_is_near;
    sim_cell cells[SIM_FIGURES];
} sim_verdict;

typedef struct sim_verdict_totals {
    size_t cells, count[4]; /* by judgement; `cells` without SIM_ALONE */
    size_t oracle_better;   /* cells in which the oracle would be better */
} sim_verdict_totals;

/* `left_out` says of each policy whether to pretend that it is not there; may
 * be NULL. The subject must have been run in the scenario, and be passive. */
void sim_verdict_judge(sim_verdict *v, const sim_medians *m, size_t scenario,
                       size_t subject, const bool *left_out);

void sim_verdict_add(sim_verdict_totals *t, const sim_verdict *v);

#endif
