/* SPDX-License-Identifier: MIT */
/* health/pool.h: p0, what healthy endpoints fail, against figures by hand and
 * a reference in doubles. */
#include <math.h>

#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

/* As the header says. */
#define LONG_PRIOR_FAILED 0.5
#define LONG_PRIOR 200.0
#define SHORT_PRIOR 20.0
#define HEARD_OF 0.25

typedef struct tally {
    uint32_t ended, failed;
} tally;

/* All of that has ended of late. */
static ilb__figures figures_of(const tally *t, uint32_t n)
{
    test_slots *f = test_slots_new(n, ILB_POLICY_PEAK_EWMA);

    (void)test_slots_figures(f, T0);
    for (uint32_t i = 0; i < n; i++)
        test_slots_end(f, i, t[i].ended, t[i].failed);
    return test_slots_figures(f, T0 + ILB_POOL_PERIOD_NS);
}

static void p0_is(const tally *t, uint32_t n, double p0)
{
    must_be_within(figures_of(t, n).p0, p0 * 0.9999, p0 * 1.0001);
}

/* ---- p0 by hand -------------------------------------------------------- */

START_TEST(a_clean_history)
{
    static const tally none[3] = {{0, 0}, {0, 0}, {0, 0}};
    static const tally clean[5] = {
        {1000, 0}, {1000, 0}, {1000, 0}, {1000, 0}, {1000, 0}};
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__figures figures;

    ilb__pool_figures(&f->selector.pool, &figures);
    must_be_within(figures.p0, 0.00249, 0.00251);
    /* And evidence is worth what it is then, from the very first on. */
    must_eq(figures.steps.broken_up,
            ilb__evidence_steps_for(figures.p0).broken_up);
    p0_is(none, 3, 0.5 / 200);
    p0_is(clean, 5, 0.5 / 5200);
}
END_TEST

START_TEST(one_bad_endpoint_does_not_spoil_it)
{
    static const tally five[5] = {
        {1000, 0}, {1000, 500}, {1000, 0}, {1000, 0}, {1000, 0}};
    static const tally two[2] = {{1000, 1000}, {1000, 0}};

    p0_is(five, 5, 0.5 / 4200);
    p0_is(two, 2, 0.5 / 1200);
}
END_TEST

/* The best fifth sets it: eight of ten may be bad. */
START_TEST(most_may_be_bad)
{
    tally t[10];

    for (uint32_t i = 0; i < 10; i++) {
        t[i].ended = 1000;
        t[i].failed = i == 3 || i == 7 ? 1 : 600;
    }
    p0_is(t, 10, 2.5 / 2200);
    for (uint32_t n = 2; n <= 4; n++) {
        for (uint32_t i = 0; i < n; i++)
            t[i].failed = i == 0 ? 0 : 400;
        p0_is(t, n, 0.5 / 1200);
    }
}
END_TEST

/* When all fail at once none stands out: the short window has fewer good ones
 * before it. */
START_TEST(all_fail_alike)
{
    tally t[5];

    for (int i = 0; i < 5; i++) {
        t[i].ended = 1000;
        t[i].failed = 100;
    }
    p0_is(t, 5, 500.0 / 5020);
    for (int i = 0; i < 5; i++)
        t[i].failed = t[i].ended;
    p0_is(t, 5, 5000.0 / 5020);
}
END_TEST

/* To have done nothing is not health. */
START_TEST(who_is_hardly_heard_of_does_not_count)
{
    static const tally idle[4] = {
        {1000, 100}, {1000, 100}, {1000, 100}, {180, 0}};
    static const tally busy[4] = {
        {1000, 100}, {1000, 100}, {1000, 100}, {300, 0}};

    /* Four times 180 is less than the mean, 795: not the best then. */
    p0_is(idle, 4, 300.0 / 3020);
    /* The mean is 825. Of 300 more none fails; the next one's 100 are not
     * plausible then, where 1 is expected. */
    p0_is(busy, 4, 0.5 / 500);
}
END_TEST

/* Of 1000 each, four fail 100. In the short window 99.5 are expected of the
 * fifth, so that 119 are chance and 120 are not. */
START_TEST(two_deviations_are_chance)
{
    tally t[5] = {
        {1000, 100}, {1000, 100}, {1000, 0}, {1000, 100}, {1000, 100}};

    for (uint32_t failed = 100; failed <= 140; failed++) {
        t[2].failed = failed;
        p0_is(t, 5, failed < 120 ? (400 + failed) / 5020.0 : 400 / 4020.0);
    }
}
END_TEST

/* ---- p0 against a reference -------------------------------------------- */

/* False: at the edge of what is chance, where the last digit decides. */
static bool reference(const tally *t, uint32_t n, double failed, double ended,
                      double *p0)
{
    uint32_t best = n < 5 ? 1 : n < 10 ? 2 : (n + 4) / 5, m = 0, order[64];
    double prior = ended, prior_failed = 0.5, sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += t[i].ended;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = m;
        double share = (t[i].failed + prior_failed) / (t[i].ended + prior);

        if (t[i].ended < HEARD_OF * sum / n)
            continue;
        for (; at > 0; at--) {
            const tally *o = &t[order[at - 1]];

            if ((o->failed + prior_failed) / (o->ended + prior) <= share)
                break;
            order[at] = order[at - 1];
        }
        order[at] = i;
        m++;
    }
    for (uint32_t k = 0; k < m; k++) {
        const tally *o = &t[order[k]];
        double l = failed / ended * o->ended;
        double over = o->failed - (l + 2 * sqrt(l) + 0.5);

        if (k >= best && fabs(over) < 1e-2)
            return false;
        if (k >= best && over > 0)
            break;
        failed += o->failed;
        ended += o->ended;
    }
    *p0 = failed / ended;
    return true;
}

/* Some hardly ask, some are broken; the rest differ by chance. */
static void random_tallies(tally *t, uint32_t n, uint64_t *random)
{
    uint32_t common = test_below(random, 300), per_mille;

    for (uint32_t i = 0; i < n; i++) {
        t[i].ended = test_below(random, test_below(random, 5) ? 2000 : 50);
        per_mille = test_below(random, 4) ? common : test_below(random, 1001);
        t[i].failed = 0;
        for (uint32_t k = 0; k < t[i].ended; k++)
            t[i].failed += test_below(random, 1000) < per_mille;
    }
}

START_TEST(p0_is_that_of_the_reference)
{
    uint64_t random = 1;
    uint32_t compared = 0;

    for (int round = 0; round < 1500; round++) {
        uint32_t n = 1 + test_below(&random, round % 3 ? 12 : 63);
        double p0_long, p0_short, p0;
        tally t[64];

        random_tallies(t, n, &random);
        if (!reference(t, n, LONG_PRIOR_FAILED, LONG_PRIOR, &p0_long) ||
            !reference(t, n, 0, SHORT_PRIOR, &p0_short))
            continue;
        p0 = p0_long > p0_short ? p0_long : p0_short;
        p0_is(t, n, p0);
        compared++;
    }
    must(compared > 1300);
}
END_TEST

Suite *suite_pool_failures(void)
{
    Suite *s = suite_create("pool failures");
    TCase *tc = test_case(s, "by hand");

    tcase_add_test(tc, a_clean_history);
    tcase_add_test(tc, one_bad_endpoint_does_not_spoil_it);
    tcase_add_test(tc, most_may_be_bad);
    tcase_add_test(tc, all_fail_alike);
    tcase_add_test(tc, who_is_hardly_heard_of_does_not_count);
    tcase_add_test(tc, two_deviations_are_chance);
    tc = test_case(s, "reference");
    tcase_add_test(tc, p0_is_that_of_the_reference);
    return s;
}
