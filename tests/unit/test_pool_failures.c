/* SPDX-License-Identifier: MIT */
/* health/pool.h: p0, what healthy endpoints fail, against figures by hand and
 * a reference in doubles; and how long one failure keeps an endpoint back. */
#include <math.h>

#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

/* As the header says. */
#define LONG_PRIOR_FAILED 0.5
#define LONG_PRIOR 200.0
#define SHORT_PRIOR 20.0
#define SHORT_REQUESTS 50.0
#define LONG_TAU_S 120.0
#define HEARD_OF 0.25
#define SUSPECT_SHARE 0.05
#define SUSPECT_MIN_S 0.02
#define SUSPECT_MAX_S 1.5

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

/* ---- Which count, and for how long ------------------------------------- */

/* Refused for load and given up are not failures, nor ends. */
START_TEST(only_successes_and_failures_count)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);

    (void)test_slots_figures(f, T0);
    for (uint32_t i = 0; i < 2; i++) {
        ilb__slot *s = &f->slots[i];

        ilb__store_relaxed(&s->done[ILB_SUCCESS], 900);
        ilb__store_relaxed(&s->done[ILB_FAILURE], 30);
        ilb__store_relaxed(&s->done[ILB_TIMEOUT], 50);
        ilb__store_relaxed(&s->done[ILB_CONNECT_ERROR], 20);
        ilb__store_relaxed(&s->done[ILB_OVERLOAD], 5000);
        ilb__store_relaxed(&s->done[ILB_CANCELLED], 5000);
    }
    must_be_within(test_slots_figures(f, T0 + S_NS).p0, 200 / 2020.0 * 0.999,
                   200 / 2020.0 * 1.001);
}
END_TEST

/* Two minutes; the short one has nothing left by then. */
START_TEST(the_long_window_fades_in_two_minutes)
{
    for (uint32_t s = 60; s <= 600; s += 60) {
        test_slots *f = test_slots_new(5, ILB_POLICY_PEAK_EWMA);
        double k = exp(-(double)s / LONG_TAU_S), p0;

        (void)test_slots_figures(f, T0);
        for (uint32_t i = 0; i < 5; i++)
            test_slots_end(f, i, 1000, 10);
        (void)test_slots_figures(f, T0 + S_NS);
        for (uint32_t i = 4; i < s; i += 4)
            (void)test_slots_figures(f, T0 + (1 + i) * S_NS);
        p0 = (0.5 + 50 * k) / (200 + 5000 * k);
        must_be_within(test_slots_figures(f, T0 + (1 + s) * S_NS).p0,
                       p0 * 0.999, p0 * 1.001);
    }
}
END_TEST

/* A clean day, then all fail half: known after 50 requests each, in 500 ms
 * here; and well again, as soon. The long window alone would take minutes. */
START_TEST(the_short_window_is_quick)
{
    test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns = T0;
    ilb__figures figures;
    int n = 0;

    (void)test_slots_figures(f, now_ns);
    for (int i = 0; i < 1200; i++) {
        for (uint32_t k = 0; k < 4; k++)
            test_slots_end(f, k, 10, 0);
        figures = test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    }
    must(figures.p0 < 1e-4f);
    for (int i = 0; i < 5; i++) {
        for (uint32_t k = 0; k < 4; k++)
            test_slots_end(f, k, 10, 5);
        figures = test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    }
    must_be_within(figures.p0, 0.28, 0.5);
    for (; figures.p0 > 0.02f; n++) {
        for (uint32_t k = 0; k < 4; k++)
            test_slots_end(f, k, 10, 0);
        figures = test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
        must(n < 25);
    }
    must(n >= 10);
}
END_TEST

/* 50 requests an endpoint: here 50 a second to five of them, so about 5 s. */
START_TEST(the_short_window_is_so_many_requests)
{
    test_slots *f = test_slots_new(5, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns = T0;
    double ended, keep;
    ilb__figures figures;

    (void)test_slots_figures(f, now_ns);
    for (int i = 0; i < 600; i++) {
        for (uint32_t k = 0; k < 5; k++)
            test_slots_end(f, k, 1, 0);
        (void)test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    }
    for (uint32_t k = 0; k < 5; k++)
        test_slots_end(f, k, 10, 10);
    figures = test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    /* What is there of 1 in 100 ms each, and the 10. */
    ended = 5 * (1 / (1 - exp(-0.1 / 5)) + 10);
    must_be_within(figures.p0, 50 / (ended + SHORT_PRIOR) * 0.97,
                   50 / (ended + SHORT_PRIOR) * 1.03);
    keep = exp(-5 / (SHORT_REQUESTS * 5 / (double)figures.rate_per_s));
    must_be_within(test_slots_figures(f, now_ns + 5 * S_NS).p0,
                   50 * keep / (ended * keep + SHORT_PRIOR) * 0.97,
                   50 * keep / (ended * keep + SHORT_PRIOR) * 1.03);
}
END_TEST

/* Who was not looked at the last time begins anew: what it failed before
 * nobody could see counts nowhere. */
START_TEST(one_that_was_not_in_the_table)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);

    test_slots_publish(f, 0, 1);
    (void)test_slots_figures(f, T0);
    test_slots_end(f, 1, 1000, 500);
    (void)test_slots_figures(f, T0 + S_NS);
    test_slots_publish(f, 0, 2);
    must_be_within(test_slots_figures(f, T0 + 2 * S_NS).p0, 0.00249, 0.00251);
    test_slots_end(f, 1, 1000, 500);
    must_be_within(test_slots_figures(f, T0 + 3 * S_NS).p0,
                   500 / 1020.0 * 0.999, 500 / 1020.0 * 1.001);
}
END_TEST

/* ---- What follows from it ---------------------------------------------- */

START_TEST(the_steps_are_those_of_p0)
{
    for (uint32_t failed = 0; failed <= 1000; failed += 50) {
        tally t = {1000, failed};
        ilb__figures f = figures_of(&t, 1);
        ilb__evidence_steps s = ilb__evidence_steps_for(f.p0);

        must_eq(f.steps.broken_up, s.broken_up);
        must_eq(f.steps.broken_down, s.broken_down);
        must_eq(f.steps.faulty_up, s.faulty_up);
        must_eq(f.steps.faulty_down, s.faulty_down);
    }
}
END_TEST

/* 5 % of the mean time between failures of a healthy endpoint. */
static void suspect_is(test_slots *f, uint32_t n, uint32_t n_eligible,
                       uint32_t each, uint32_t failed)
{
    uint64_t now_ns = T0;
    ilb__figures figures;
    double s;

    (void)test_slots_figures(f, now_ns);
    for (int i = 0; i < 100; i++) {
        for (uint32_t k = 0; k < n; k++)
            test_slots_end(f, k, each, failed);
        figures = test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    }
    s = SUSPECT_SHARE * n_eligible /
        ((double)figures.rate_per_s * (double)figures.p0);
    s = s < SUSPECT_MIN_S   ? SUSPECT_MIN_S
        : s > SUSPECT_MAX_S ? SUSPECT_MAX_S
                            : s;
    must_be_within((double)figures.suspect_ns / 1e9, s * 0.999 - 0.0011,
                   s * 1.001);
}

START_TEST(a_failure_keeps_it_back_for_a_moment)
{
    static const uint32_t rows[][2] = {{1, 0},   {10, 0}, {10, 1},    {10, 3},
                                       {100, 1}, {50, 5}, {1000, 900}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint32_t ejected = 0; ejected < 3; ejected++) {
            test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);

            for (uint32_t k = 0; k < ejected; k++)
                test_slots_eject(f, k, T0);
            suspect_is(f, 4, 4 - ejected, rows[i][0], rows[i][1]);
        }
}
END_TEST

/* Before anything is known, and where nothing fails: the longest. */
START_TEST(the_first_failure_keeps_it_back_longest)
{
    test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
    ilb__figures figures;

    ilb__pool_figures(&f->selector.pool, &figures);
    must_be_within((double)figures.suspect_ns / 1e9, SUSPECT_MAX_S - 0.0011,
                   SUSPECT_MAX_S);
    must_be_within((double)test_slots_figures(f, T0).suspect_ns / 1e9,
                   SUSPECT_MAX_S - 0.0011, SUSPECT_MAX_S);
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
    tc = test_case(s, "windows");
    tcase_add_test(tc, only_successes_and_failures_count);
    tcase_add_test(tc, the_long_window_fades_in_two_minutes);
    tcase_add_test(tc, the_short_window_is_quick);
    tcase_add_test(tc, the_short_window_is_so_many_requests);
    tcase_add_test(tc, one_that_was_not_in_the_table);
    tc = test_case(s, "what follows");
    tcase_add_test(tc, the_steps_are_those_of_p0);
    tcase_add_test(tc, a_failure_keeps_it_back_for_a_moment);
    tcase_add_test(tc, the_first_failure_keeps_it_back_longest);
    return s;
}
