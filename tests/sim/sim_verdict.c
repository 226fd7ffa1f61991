/* SPDX-License-Identifier: MIT */
/* The rules are in the header. */
#include "sim_verdict.h"

#include <math.h>
#include <string.h>

#define VERDICT_SHORT 1.1
#define VERDICT_BETTER 0.95
#define VERDICT_FAILURES 2.0 /* of 100,000: closer ones are equal */
#define VERDICT_NEAR_FACTOR 1.15
#define VERDICT_NEAR_MARGIN 30.0 /* of 100,000 */
#define VERDICT_REGAINED 80.0    /* % */
#define VERDICT_REGAINED_BETTER 1.05
#define VERDICT_FAIR 100.0 /* % */

/* 11 is not more than 1.1 x 10, whatever the last bit says. */
#define VERDICT_EXACT 1e-9

static bool verdict_more(double a, double b)
{
    return isinf(b) ? false : a > b + fabs(b) * VERDICT_EXACT;
}

static double verdict_value(const sim_median *x, sim_figure figure)
{
    switch (figure) {
    case SIM_FIGURE_FAILURES:
        return x->failures;
    case SIM_FIGURE_P99:
        return x->p99_ms;
    case SIM_FIGURE_P999:
        return x->p999_ms;
    case SIM_FIGURE_REGAINED:
        break;
    }
    return x->regained;
}

static double verdict_worst(const sim_median *x, sim_figure figure)
{
    switch (figure) {
    case SIM_FIGURE_FAILURES:
        return x->worst_failures;
    case SIM_FIGURE_P99:
        return x->worst_p99_ms;
    case SIM_FIGURE_P999:
        return x->worst_p999_ms;
    case SIM_FIGURE_REGAINED:
        break;
    }
    return x->worst_regained;
}

/* To compare: less is better, and no value is worse than any. */
static double verdict_rank(double value, sim_figure figure)
{
    if (isnan(value))
        return HUGE_VAL;
    if (figure == SIM_FIGURE_REGAINED)
        return value > VERDICT_FAIR ? -VERDICT_FAIR : -value;
    return value;
}

static bool verdict_plays(const sim_medians *m, size_t scenario, size_t policy,
                          const bool *left_out)
{
    return m->passive[policy] &&
           sim_medians_at(m, scenario, policy)->n_seeds > 0 &&
           (left_out == NULL || !left_out[policy]);
}

static bool verdict_is_near(const sim_verdict *v, const sim_median *x)
{
    return !verdict_more(x->failures, v->limit);
}

/* Who is there, and whose latencies may be compared. */
static void verdict_field(sim_verdict *v, const sim_medians *m, size_t scenario,
                          size_t subject, const bool *left_out)
{
    double factor, margin;

    v->least = sim_medians_at(m, scenario, subject)->failures;
    for (size_t p = 0; p < m->n_policies; p++)
        if (p != subject && verdict_plays(m, scenario, p, left_out)) {
            v->n_rivals++;
            v->least = fmin(v->least, sim_medians_at(m, scenario, p)->failures);
        }
    factor = VERDICT_NEAR_FACTOR * v->least;
    margin = v->least + VERDICT_NEAR_MARGIN;
    v->by_factor = factor > margin;
    v->limit = v->by_factor ? factor : margin;
    for (size_t p = 0; p < m->n_policies; p++)
        if (p != subject && verdict_plays(m, scenario, p, left_out) &&
            verdict_is_near(v, sim_medians_at(m, scenario, p)))
            v->n_near++;
    v->subject_is_near =
        verdict_is_near(v, sim_medians_at(m, scenario, subject));
}

/* The best rival for a figure; m->n_policies: none. The first of equals. */
static size_t verdict_best(const sim_verdict *v, const sim_medians *m,
                           size_t scenario, size_t subject, sim_figure figure,
                           const bool *left_out)
{
    size_t best = m->n_policies;
    double best_rank = 0;

    for (size_t p = 0; p < m->n_policies; p++) {
        const sim_median *x = sim_medians_at(m, scenario, p);
        double rank = verdict_rank(verdict_value(x, figure), figure);

        if (p == subject || !verdict_plays(m, scenario, p, left_out))
            continue;
        if ((figure == SIM_FIGURE_P99 || figure == SIM_FIGURE_P999) &&
            !verdict_is_near(v, x))
            continue;
        if (figure == SIM_FIGURE_REGAINED && !x->has_regained)
            continue;
        if (best == m->n_policies || rank < best_rank) {
            best = p;
            best_rank = rank;
        }
    }
    return best;
}

static sim_judgement verdict_of_failures(double subject, double best)
{
    if (verdict_more(subject, VERDICT_SHORT * best) &&
        verdict_more(subject, best + VERDICT_FAILURES))
        return SIM_SHORT;
    if (verdict_more(VERDICT_BETTER * best, subject) &&
        !verdict_more(subject, best - VERDICT_FAILURES))
        return SIM_BETTER;
    return SIM_TIE;
}

static sim_judgement verdict_of_latency(double subject, double best,
                                        bool subject_is_near)
{
    if (verdict_more(subject, VERDICT_SHORT * best))
        return SIM_SHORT;
    if (subject_is_near && verdict_more(VERDICT_BETTER * best, subject))
        return SIM_BETTER;
    return SIM_TIE;
}

/* Both as ranks: the share, negated, at most fair. */
static sim_judgement verdict_of_regained(double subject, double best,
                                         bool alone)
{
    if (isinf(subject) || verdict_more(VERDICT_REGAINED, -subject))
        return SIM_SHORT;
    if (alone)
        return SIM_ALONE;
    if (isinf(best) || verdict_more(-subject, VERDICT_REGAINED_BETTER * -best))
        return SIM_BETTER;
    return SIM_TIE;
}

static double verdict_ratio(double subject, double best)
{
    if (isnan(best) || best > 0)
        return subject / best;
    return subject > 0 ? HUGE_VAL : 1;
}

/* Of a value against the cell's best; `is_near` as the rules have it. */
static sim_judgement verdict_of(const sim_cell *cell, sim_figure figure,
                                double value, bool is_near)
{
    double subject = verdict_rank(value, figure);
    double best = verdict_rank(cell->best, figure);
    bool alone = cell->rival == NULL;

    if (figure == SIM_FIGURE_REGAINED)
        return verdict_of_regained(subject, best, alone);
    if (alone)
        return SIM_ALONE;
    if (figure == SIM_FIGURE_FAILURES)
        return verdict_of_failures(subject, best);
    return verdict_of_latency(subject, best, is_near);
}

static void verdict_cell(sim_verdict *v, const sim_medians *m, size_t scenario,
                         size_t subject, sim_figure figure,
                         const bool *left_out)
{
    const sim_median *mine = sim_medians_at(m, scenario, subject);
    size_t oracle = sim_medians_policy(m, SIM_VERDICT_ORACLE);
    size_t best = verdict_best(v, m, scenario, subject, figure, left_out);
    sim_cell *cell = &v->cells[figure];

    cell->there = figure != SIM_FIGURE_REGAINED || mine->has_regained;
    if (!cell->there)
        return;
    cell->subject = verdict_value(mine, figure);
    cell->worst = verdict_worst(mine, figure);
    cell->best = cell->ratio = cell->oracle = NAN;
    if (best < m->n_policies) {
        cell->rival = m->policies[best];
        cell->best = verdict_value(sim_medians_at(m, scenario, best), figure);
        cell->ratio = verdict_ratio(cell->subject, cell->best);
    }
    cell->judgement =
        verdict_of(cell, figure, cell->subject, v->subject_is_near);
    if (oracle < m->n_policies &&
        sim_medians_at(m, scenario, oracle)->n_seeds > 0) {
        const sim_median *x = sim_medians_at(m, scenario, oracle);

        cell->oracle = verdict_value(x, figure);
        cell->oracle_is_better =
            verdict_of(cell, figure, cell->oracle, verdict_is_near(v, x)) ==
            SIM_BETTER;
    }
}

void sim_verdict_judge(sim_verdict *v, const sim_medians *m, size_t scenario,
                       size_t subject, const bool *left_out)
{
    memset(v, 0, sizeof *v);
    verdict_field(v, m, scenario, subject, left_out);
    for (int i = 0; i < SIM_FIGURES; i++)
        verdict_cell(v, m, scenario, subject, (sim_figure)i, left_out);
}

void sim_verdict_add(sim_verdict_totals *t, const sim_verdict *v)
{
    for (int i = 0; i < SIM_FIGURES; i++)
        if (v->cells[i].there) {
            t->count[v->cells[i].judgement]++;
            t->cells += v->cells[i].judgement != SIM_ALONE;
            t->oracle_better += v->cells[i].oracle_is_better;
        }
}
