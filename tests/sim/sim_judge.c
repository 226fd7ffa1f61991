/* SPDX-License-Identifier: MIT */
#include "sim_judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim_table.h"

const char sim_judge_help[] =
    "All figures are medians over the seeds. Rivals are the other passive\n"
    "policies; each figure has its own best rival. Cells of a scenario:\n"
    "  failures    in 100,000 requests. short: more than 1.1 x the best\n"
    "              rival's and more than 2 above it; better: less than 0.95 x\n"
    "              it and at least 2 below it\n"
    "  p99, p99.9  in ms, only against rivals whose failures are near the\n"
    "              least of all passive policies: at most 1.15 x it or 30\n"
    "              above it, whichever is more. short: more than 1.1 x the\n"
    "              best of these; better: less than 0.95 x it, with own\n"
    "              failures near the least\n"
    "  regained    where measured: % of the fair share. short: less than\n"
    "              80 %; better: more than 1.05 x the best rival's (above\n"
    "              100 % counts as 100 %)\n"
    "Else it is a tie; or 'alone' where no rival can be compared with, which\n"
    "counts neither way. Worst: the subject's worst seed. Ratio: the\n"
    "subject's figure to the best rival's.\n"
    "Compared: with how many of the rivals; '+30' or 'x1.15': which of the "
    "two\n"
    "said who is near the least. 'fails more' there: the subject is not.\n";

static const char *const judge_figures[SIM_FIGURES] = {
    "failures/100k", "p99 ms", "p99.9 ms", "regained %"};
static const char *const judge_words[] = {"tie", "short", "better", "alone"};

static void judge_cell(sim_table *t, const sim_medians *m, size_t scenario,
                       const sim_verdict *v, sim_figure figure)
{
    const sim_cell *c = &v->cells[figure];
    bool latency = figure == SIM_FIGURE_P99 || figure == SIM_FIGURE_P999;
    char limit[SIM_TABLE_CELL];

    sim_table_add(t, "%s", m->scenarios[scenario]);
    sim_table_add(t, "%s", judge_figures[figure]);
    sim_table_figure(t, c->subject);
    sim_table_figure(t, c->worst);
    sim_table_figure(t, c->best);
    sim_table_add(t, "%s", c->rival == NULL ? "-" : c->rival);
    sim_table_figure(t, c->oracle);
    if (isnan(c->ratio))
        sim_table_add(t, "-");
    else
        sim_table_add(t, "%.2f", c->ratio);
    sim_table_add(t, "%s", judge_words[c->judgement]);
    if (latency) {
        sim_table_number(limit, v->limit);
        sim_table_add(t, "%zu of %zu up to %s (%s)%s", v->n_near, v->n_rivals,
                      limit, v->by_factor ? "x1.15" : "+30",
                      v->subject_is_near ? "" : ", fails more");
    } else {
        sim_table_add(t, "%zu of %zu", v->n_rivals, v->n_rivals);
    }
}

static int judge_cells(const sim_medians *m, size_t subject,
                       const bool *left_out, bool markdown)
{
    static const char *const head[] = {"worst", "best",    "rival",   "oracle",
                                       "ratio", "verdict", "compared"};
    sim_table t;

    sim_table_begin(&t, 10, 1u << 0 | 1u << 1 | 1u << 5 | 1u << 8 | 1u << 9);
    sim_table_add(&t, "scenario");
    sim_table_add(&t, "figure");
    sim_table_add(&t, "%s", m->policies[subject]);
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        sim_table_add(&t, "%s", head[i]);
    for (size_t s = 0; s < m->n_scenarios; s++) {
        sim_verdict v;

        sim_verdict_judge(&v, m, s, subject, left_out);
        for (int i = 0; i < SIM_FIGURES; i++)
            if (v.cells[i].there)
                judge_cell(&t, m, s, &v, (sim_figure)i);
    }
    return sim_table_print(&t, stdout, markdown);
}

static double judge_percent(const sim_verdict_totals *t, sim_judgement which)
{
    return t->cells == 0 ? NAN
                         : 100 * (double)t->count[which] / (double)t->cells;
}

static void judge_row(sim_table *t, const char *name,
                      const sim_verdict_totals *x)
{
    sim_table_add(t, "%s", name);
    sim_table_add(t, "%zu", x->cells);
    sim_table_add(t, "%zu", x->count[SIM_SHORT]);
    sim_table_add(t, "%.1f", judge_percent(x, SIM_SHORT));
    sim_table_add(t, "%zu", x->count[SIM_TIE]);
    sim_table_add(t, "%zu", x->count[SIM_BETTER]);
    sim_table_add(t, "%.1f", judge_percent(x, SIM_BETTER));
    sim_table_add(t, "%zu", x->count[SIM_ALONE]);
}

/* Of a policy as the subject, over the scenarios in which it was run. */
static sim_verdict_totals judge_totals(const sim_medians *m, size_t policy,
                                       const bool *left_out)
{
    sim_verdict_totals t = {0, {0}, 0};

    for (size_t s = 0; s < m->n_scenarios; s++)
        if (sim_medians_at(m, s, policy)->n_seeds > 0) {
            sim_verdict v;

            sim_verdict_judge(&v, m, s, policy, left_out);
            sim_verdict_add(&t, &v);
        }
    return t;
}

/* The best there is to say of any one rival. */
static void judge_conclude(const sim_medians *m, const sim_verdict_totals *all,
                           size_t subject, size_t rival)
{
    const sim_verdict_totals *a = &all[subject], *b = &all[rival];
    double mine = judge_percent(a, SIM_SHORT);
    double theirs = judge_percent(b, SIM_SHORT);

    printf("%s is short in %zu of %zu cells (%.1f %%) and better in %zu "
           "(%.1f %%).\n",
           m->policies[subject], a->count[SIM_SHORT], a->cells, mine,
           a->count[SIM_BETTER], judge_percent(a, SIM_BETTER));
    if (a->oracle_better > 0)
        printf("The oracle, which knows the truth, is better than the best "
               "rival in %zu (%.1f %%).\n",
               a->oracle_better,
               100 * (double)a->oracle_better / (double)a->cells);
    if (rival == subject)
        return;
    if (mine < theirs)
        printf("No single rival is short in less than %.1f %% of its cells "
               "(%s: %zu of %zu).\n",
               theirs, m->policies[rival], b->count[SIM_SHORT], b->cells);
    else
        printf("But %s is short in %s: %.1f %% of its cells (%zu of %zu).\n",
               m->policies[rival], theirs < mine ? "less" : "as little", theirs,
               b->count[SIM_SHORT], b->cells);
}

static int judge_summary(const sim_medians *m, size_t subject,
                         const bool *left_out, bool markdown,
                         sim_verdict_totals *all)
{
    static const char *const head[] = {"policy",   "cells", "short",
                                       "short %",  "tie",   "better",
                                       "better %", "alone"};
    size_t rival = subject;
    sim_table t;
    int rc;

    sim_table_begin(&t, sizeof head / sizeof head[0], 1);
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        sim_table_add(&t, "%s", head[i]);
    all[subject] = judge_totals(m, subject, left_out);
    judge_row(&t, m->policies[subject], &all[subject]);
    for (size_t p = 0; p < m->n_policies; p++) {
        if (p == subject || !m->passive[p] || (left_out && left_out[p]))
            continue;
        all[p] = judge_totals(m, p, left_out);
        judge_row(&t, m->policies[p], &all[p]);
        if (rival == subject || judge_percent(&all[p], SIM_SHORT) <
                                    judge_percent(&all[rival], SIM_SHORT))
            rival = p;
    }
    printf("\nEach passive policy as the subject, by the same rules:\n\n");
    rc = sim_table_print(&t, stdout, markdown);
    putchar('\n');
    if (rc == 0)
        judge_conclude(m, all, subject, rival);
    return rc;
}

static void judge_intro(const sim_medians *m, size_t subject,
                        const bool *left_out)
{
    size_t n_out = 0;

    printf(
        "Verdict on %s in %zu scenario%s, medians over the seeds; the rules: "
        "ilb-sim verdict --help\n",
        m->policies[subject], m->n_scenarios, m->n_scenarios == 1 ? "" : "s");
    for (size_t p = 0; left_out != NULL && p < m->n_policies; p++)
        if (left_out[p])
            printf("%s%s", n_out++ == 0 ? "Left out: " : ", ", m->policies[p]);
    printf("%s\n", n_out > 0 ? "\n" : "");
}

int sim_judge_print(const sim_medians *m, size_t subject, const bool *left_out,
                    bool markdown)
{
    sim_verdict_totals *all = calloc(m->n_policies, sizeof *all);
    int rc;

    if (all == NULL)
        return -1;
    judge_intro(m, subject, left_out);
    rc = judge_cells(m, subject, left_out, markdown);
    if (rc == 0)
        rc = judge_summary(m, subject, left_out, markdown, all);
    free(all);
    return rc;
}
