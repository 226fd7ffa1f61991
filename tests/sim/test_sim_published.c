/* SPDX-License-Identifier: MIT */
/*
 * Are the rivals what they claim to be? Runs what others have published and
 * compares: medians of 5 seeds, each within the tolerance that stands beside
 * the figure.
 *
 *   test_sim_published [NAME]
 *
 * NAME: only the cases whose names begin so, like "S4".
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/policies.h"
#include "sim_run.h"
#include "test_sim_published.h"

#define PUBLISHED_SEEDS 5
#define PUBLISHED_SEEDS_MAX 60 /* that are tried for a hit */
#define PUBLISHED_VALUES 2000

static void published_stop(const published_case *c, const char *error)
{
    fprintf(stderr, "test_sim_published: %s: %s\n", c->name, error);
    exit(2);
}

/* half + Exp(half), as evenly spread values. */
static void published_services(const published_case *c, sim_scenario *s)
{
    double *values = malloc(PUBLISHED_VALUES * sizeof *values);
    double half = c->half_ms * 1e6;

    if (values == NULL)
        published_stop(c, "out of memory");
    for (int i = 0; i < PUBLISHED_VALUES; i++)
        values[i] = half - half * log(1 - (i + 0.5) / PUBLISHED_VALUES);
    s->service.kind = SIM_REPLAY;
    s->service.values_ns = values;
    s->service.n_values = PUBLISHED_VALUES;
}

static double published_measure(const published_case *c, const sim_scenario *s,
                                const sim_result *r, const char *name)
{
    double worst = 0;

    if (strcmp(name, "mean") == 0)
        return r->mean_ns / 1e6;
    for (uint32_t i = 0; i < s->n_measures; i++) {
        if (strcmp(s->measures[i].name, name) == 0)
            return r->measures[i];
        worst = fmax(worst, r->measures[i]);
    }
    if (strcmp(name, "worst") != 0)
        published_stop(c, "has no such measure");
    return worst;
}

static int published_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double published_median(const published_case *c, const sim_scenario *s,
                               const sim_policy *policy)
{
    double values[PUBLISHED_SEEDS];
    char error[512];
    uint32_t n = 0;
    sim_result r;

    for (uint64_t seed = 1; n < PUBLISHED_SEEDS; seed++) {
        if (seed > PUBLISHED_SEEDS_MAX)
            published_stop(c, "its fault hits nothing");
        if (sim_run(s, policy, seed, &r, error, sizeof error) != 0)
            published_stop(c, error);
        if (c->hit != NULL && published_measure(c, s, &r, c->hit) < 1)
            continue;
        values[n++] =
            c->plus + c->times * published_measure(c, s, &r, c->measure);
    }
    qsort(values, n, sizeof values[0], published_compare);
    return values[n / 2];
}

/* Of the registry, or a variant. */
static const sim_policy *published_policy(const published_case *c,
                                          const char *name)
{
    static const sim_policy *const variants[] = {
        &sim_policy_prequal_rif,
        &sim_policy_prequal_cubic,
    };
    const sim_policy *policy = sim_policy_find(name);

    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        if (strcmp(variants[i]->name, name) == 0)
            policy = variants[i];
    if (policy == NULL)
        published_stop(c, "no such policy");
    return policy;
}

/* How many of its figures are missed. */
static unsigned published_check(const published_case *c)
{
    unsigned missed = 0;
    double over = 1;
    char error[512];
    sim_scenario s;

    printf("%s (%s)\n", c->name, c->from);
    if (sim_scenario_parse(&s, "published", ".", c->text, error,
                           sizeof error) != 0)
        published_stop(c, error);
    if (c->half_ms > 0)
        published_services(c, &s);
    if (c->over != NULL)
        over = published_median(c, &s, published_policy(c, c->over));
    for (const published_figure *f = c->figures;
         f < c->figures + 8 && f->policy != NULL; f++) {
        double value =
            published_median(c, &s, published_policy(c, f->policy)) / over;
        bool right = fabs(value - f->published) <= f->tolerance &&
                     (c->least <= 0 || value >= c->least);

        missed += !right;
        printf("  %-18s %9.3f %-2s published %.4g +- %.4g%s\n", f->policy,
               value, c->unit, f->published, f->tolerance,
               right ? "" : "   MISSED");
    }
    sim_scenario_free(&s);
    return missed;
}

int main(int argc, char **argv)
{
    static const struct {
        const published_case *cases;
        const uint32_t *n;
    } tables[] = {
        {published_cases, &published_n},
        {published_load, &published_load_n},
        {published_health, &published_health_n},
    };
    unsigned missed = 0, cases = 0;

    if (argc > 2) {
        fputs("usage: test_sim_published [NAME]\n", stderr);
        return 2;
    }
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (uint32_t i = 0; i < *tables[t].n; i++) {
            const published_case *c = &tables[t].cases[i];

            if (argc > 1 && strncmp(c->name, argv[1], strlen(argv[1])) != 0)
                continue;
            missed += published_check(c);
            cases++;
        }
    }
    if (cases == 0) {
        fprintf(stderr, "test_sim_published: no case begins with %s\n",
                argv[1]);
        return 2;
    }
    printf("%u cases, %u figures missed\n", cases, missed);
    return missed == 0 ? 0 : 1;
}
