/* SPDX-License-Identifier: MIT */
/* signal/evidence.h: the steps as they are written there, the sums, and how
 * often they are wrong. */
#include <math.h>
#include <pthread.h>

#include "signal/evidence.h"
#include "suites_internal.h"
#include "util.h"

/* As the header says, and its source of the limits of p0 and p1. */
#define BROKEN_SHARE 0.5
#define FAULTY_FACTOR 5.0
#define FAULTY_MIN 0.05
#define FAULTY_MAX 0.6
#define P0_MIN 1e-6
#define P0_ALL 0.4
#define SUM_MAX (64 * ILB_EVIDENCE_ONE)

static double faulty_share(double p0)
{
    double p1 = FAULTY_FACTOR * p0;

    return p1 < FAULTY_MIN ? FAULTY_MIN : p1 > FAULTY_MAX ? FAULTY_MAX : p1;
}

/* Rounded to 1/256, but for the last digit of a float. */
#define must_be_ln(step, x)                                                    \
    must_be_within(step, 256 * log(x) - 0.51, 256 * log(x) + 0.51)

START_TEST(steps_follow_the_formula)
{
    for (double p0 = 2e-6; p0 < P0_ALL - 1e-6; p0 *= 1.001) {
        ilb__evidence_steps s = ilb__evidence_steps_for((float)p0);
        double p1 = faulty_share(p0);

        must_be_ln(s.broken_up, BROKEN_SHARE / p0);
        must_be_ln(s.broken_down, (1 - p0) / BROKEN_SHARE);
        must_be_ln(s.faulty_up, p1 / p0);
        must_be_ln(s.faulty_down, (1 - p0) / (1 - p1));
    }
}
END_TEST

static void steps_are(float p0, uint32_t broken_up, uint32_t broken_down,
                      uint32_t faulty_up, uint32_t faulty_down)
{
    ilb__evidence_steps s = ilb__evidence_steps_for(p0);

    must_eq(s.broken_up, broken_up);
    must_eq(s.broken_down, broken_down);
    must_eq(s.faulty_up, faulty_up);
    must_eq(s.faulty_down, faulty_down);
}

/* The same by hand. */
START_TEST(steps_of_a_clean_and_of_a_dirty_pool)
{
    /* ln 200, ln 1.995, ln 20, ln 1.05 */
    steps_are(0.0025f, 1356, 177, 767, 12);
    /* ln 50, ln 1.98, ln 5, ln (0.99 / 0.95) */
    steps_are(0.01f, 1001, 175, 412, 11);
    /* ln 5, ln 1.8, ln 5, ln 1.8 */
    steps_are(0.1f, 412, 150, 412, 150);
    /* ln 1.667, ln 1.4, ln 2, ln 1.75 */
    steps_are(0.3f, 131, 86, 177, 143);
}
END_TEST

/* Where everyone fails nothing is evidence, and what there was goes. */
START_TEST(from_forty_percent_on_nothing_adds)
{
    static const float p0[] = {0.4f, 0.5f, 0.9f, 1, 1e30f};

    for (size_t i = 0; i < sizeof p0 / sizeof p0[0]; i++)
        steps_are(p0[i], 0, ILB_EVIDENCE_ONE, 0, ILB_EVIDENCE_ONE);
}
END_TEST

/* However clean the past, one failure is not proof by itself. */
START_TEST(a_spotless_past_is_taken_for_one_in_a_million)
{
    static const float p0[] = {0, 1e-6f, 1e-9f, -1, -1e30f, NAN};
    ilb__evidence_steps s = ilb__evidence_steps_for(1e-6f);

    must_be_ln(s.broken_up, BROKEN_SHARE / P0_MIN);
    must_be_ln(s.faulty_up, FAULTY_MIN / P0_MIN);
    for (size_t i = 0; i < sizeof p0 / sizeof p0[0]; i++)
        steps_are(p0[i], s.broken_up, s.broken_down, s.faulty_up,
                  s.faulty_down);
}
END_TEST

/* ---- Sums -------------------------------------------------------------- */

START_TEST(sums_follow_their_formula)
{
    uint64_t random = 1;

    for (int round = 0; round < 2000; round++) {
        uint32_t broken = 0, faulty = 0, odds = 1 + test_below(&random, 8);
        ilb__a64 word = 0;

        for (int i = 0; i < 100; i++) {
            /* Made anew each time: p0 moves. */
            ilb__evidence_steps s = ilb__evidence_steps_for(
                (float)test_below(&random, 500000) / 1e6f);
            ilb__evidence_sums e;

            if (test_below(&random, odds) == 0) {
                broken += s.broken_up;
                faulty += s.faulty_up;
                broken = broken < SUM_MAX ? broken : SUM_MAX;
                faulty = faulty < SUM_MAX ? faulty : SUM_MAX;
                e = ilb__evidence_bad(&word, s);
                must(e.broken == broken && e.faulty == faulty);
            } else {
                broken = broken > s.broken_down ? broken - s.broken_down : 0;
                faulty = faulty > s.faulty_down ? faulty - s.faulty_down : 0;
                ilb__evidence_good(&word, s);
            }
            e = ilb__evidence_read(&word);
            must_eq(e.broken, broken);
            must_eq(e.faulty, faulty);
        }
    }
}
END_TEST

/* Trials that were given up early: enough for a trial, never for an ejection.
 */
START_TEST(doubts_end_at_10)
{
    ilb__evidence_steps s = ilb__evidence_steps_for(0.0025f);
    const uint32_t most = 10 * ILB_EVIDENCE_ONE;
    ilb__a64 word = 0;
    uint32_t n = 0;

    ilb__evidence_doubt(&word, s);
    must_eq(ilb__evidence_read(&word).faulty, s.faulty_up);
    must_eq(ilb__evidence_read(&word).broken, 0);
    must_eq(ilb__evidence_run_of(&word).failures, 0);
    for (int i = 0; i < 100; i++) {
        ilb__evidence_doubt(&word, s);
        must(ilb__evidence_read(&word).faulty <= most);
    }
    must_eq(ilb__evidence_read(&word).faulty, most);
    /* What is proved is not made less. */
    for (int i = 0; i < 100; i++)
        (void)ilb__evidence_bad(&word, s);
    ilb__evidence_doubt(&word, s);
    must_eq(ilb__evidence_read(&word).faulty, SUM_MAX);
    word = 0;
    for (ilb__evidence_doubt(&word, s); word != 0 && n < 10000; n++)
        ilb__evidence_good(&word, s);
    must_be_within(n, 2, 1000);
}
END_TEST

/* What was proved long ago is forgotten in bounded time. */
START_TEST(sums_end_at_64)
{
    ilb__evidence_steps s = ilb__evidence_steps_for(0.0025f);
    ilb__a64 word = 0;
    uint32_t n = 0;

    for (int i = 0; i < 100000; i++)
        (void)ilb__evidence_bad(&word, s);
    must_eq(ilb__evidence_read(&word).broken, SUM_MAX);
    must_eq(ilb__evidence_read(&word).faulty, SUM_MAX);
    while (ilb__evidence_read(&word).broken > 0) {
        ilb__evidence_good(&word, s);
        must(++n < 1000);
    }
    must_eq(n, 93); /* 16384 / 177 */
    must(ilb__evidence_read(&word).faulty > 0);
}
END_TEST

START_TEST(one_that_does_not_fail_is_not_written)
{
    ilb__evidence_steps s = ilb__evidence_steps_for(0.01f);
    ilb__a64 word = 0;

    ilb__evidence_good(&word, s);
    must(word == 0);
    (void)ilb__evidence_bad(&word, s);
    must(word != 0);
    for (int i = 0; i < 500; i++)
        ilb__evidence_good(&word, s);
    must(word == 0);
}
END_TEST

/* ---- How often they are wrong ------------------------------------------ */

typedef struct verdict {
    uint32_t broken, faulty;
} verdict;

/* How often the sums reach `h` nats in `n` requests of which a share fails;
 * each time they begin anew. */
static verdict alarms(double share, float p0, uint32_t h, uint32_t n,
                      uint64_t seed)
{
    ilb__evidence_steps s = ilb__evidence_steps_for(p0);
    ilb__a64 broken = 0, faulty = 0;
    uint32_t limit = (uint32_t)(share * 4294967295.0);
    verdict v = {0, 0};

    for (uint32_t i = 0; i < n; i++) {
        if ((uint32_t)(test_random(&seed) >> 32) >= limit) {
            ilb__evidence_good(&broken, s);
            ilb__evidence_good(&faulty, s);
            continue;
        }
        if (ilb__evidence_bad(&broken, s).broken >= h * ILB_EVIDENCE_ONE) {
            v.broken++;
            broken = 0;
        }
        if (ilb__evidence_bad(&faulty, s).faulty >= h * ILB_EVIDENCE_ONE) {
            v.faulty++;
            faulty = 0;
        }
    }
    return v;
}

/* At most once in e^h requests, whatever p0 is. */
START_TEST(false_alarms_are_as_rare_as_promised)
{
    static const float p0[] = {0.001f, 0.01f, 0.05f, 0.1f, 0.2f, 0.3f, 0.39f};
    const uint32_t n = 2000000;

    for (size_t i = 0; i < sizeof p0 / sizeof p0[0]; i++)
        for (uint32_t h = 4; h <= 8; h += 2) {
            verdict v = alarms((double)p0[i], p0[i], h, n, i + 1);
            double most = n / exp(h);

            most += 5 * sqrt(most);
            must_be_within(v.broken, 0, most);
            must_be_within(v.faulty, 0, most);
        }
}
END_TEST

/* And what they look for is found: on the average, h nats at so many a
 * request, give or take one step. */
START_TEST(what_they_look_for_is_found)
{
    static const float p0[] = {0.0025f, 0.01f, 0.05f, 0.1f, 0.2f};
    const uint32_t h = 12, n = 300000;

    for (size_t i = 0; i < sizeof p0 / sizeof p0[0]; i++) {
        double p = (double)p0[i], p1 = faulty_share(p);
        double broken = 0.5 * log(0.5 / p) - 0.5 * log((1 - p) / 0.5);
        double faulty = p1 * log(p1 / p) - (1 - p1) * log((1 - p) / (1 - p1));
        verdict v = alarms(0.5, p0[i], h, n, i + 1);

        must_be_within(v.broken, n / ((h + log(0.5 / p)) / broken + 1),
                       1.3 * n * broken / h);
        v = alarms(p1, p0[i], h, n, i + 1);
        must_be_within(v.faulty, n / ((h + log(p1 / p)) / faulty + 1),
                       1.3 * n * faulty / h);
    }
}
END_TEST

/* ---- Races ------------------------------------------------------------- */

static ilb__a64 raced;
static _Atomic int n_racing;

static void *race(void *arg)
{
    static const ilb__evidence_steps s = {2, 2, 1, 1};

    n_racing++;
    while (n_racing < 3)
        continue;
    for (int i = 0; i < 300000; i++) {
        (void)ilb__evidence_bad(&raced, s);
        if (i >= 1000)
            ilb__evidence_good(&raced, s);
    }
    return arg;
}

/* Each failure and each good answer counts, whoever is at it as well: with as
 * many of both on top of what there is, that is what is left. */
START_TEST(no_evidence_is_lost)
{
    pthread_t threads[3];

    raced = 0;
    n_racing = 0;
    for (int i = 0; i < 3; i++)
        must_eq(pthread_create(&threads[i], NULL, race, NULL), 0);
    for (int i = 0; i < 3; i++)
        must_eq(pthread_join(threads[i], NULL), 0);
    must_eq(ilb__evidence_read(&raced).broken, 6000);
    must_eq(ilb__evidence_read(&raced).faulty, 3000);
}
END_TEST

/* ---- What the sums were made of ----------------------------------------- */

static void run_is(const ilb__a64 *word, uint32_t requests, uint32_t failures)
{
    ilb__evidence_run run = ilb__evidence_run_of(word);

    must_eq(run.requests, requests);
    must_eq(run.failures, failures);
}

START_TEST(a_run_begins_with_a_failure_and_ends_when_nothing_is_left)
{
    const ilb__evidence_steps s = {1000, 300, 500, 100};
    ilb__a64 word = 0;

    ilb__evidence_good(&word, s);
    run_is(&word, 0, 0);
    (void)ilb__evidence_bad(&word, s);
    run_is(&word, 1, 1);
    ilb__evidence_good(&word, s);
    ilb__evidence_good(&word, s);
    run_is(&word, 3, 1);
    (void)ilb__evidence_bad(&word, s);
    run_is(&word, 4, 2);
    /* 1400 and 800 are left: `faulty` lasts longest, 8 good answers. */
    for (uint32_t i = 1; i < 8; i++) {
        ilb__evidence_good(&word, s);
        run_is(&word, 4 + i, 2);
    }
    must_eq(ilb__evidence_read(&word).broken, 0);
    must_eq(ilb__evidence_read(&word).faulty, 100);
    ilb__evidence_good(&word, s);
    run_is(&word, 0, 0);
    must_eq(ilb__load_relaxed(&word), 0);
    (void)ilb__evidence_bad(&word, s);
    run_is(&word, 1, 1);
}
END_TEST

START_TEST(a_run_is_counted_to_65535)
{
    const ilb__evidence_steps s = {2, 1, 2, 1};
    ilb__a64 word = 0;

    for (uint32_t i = 1; i <= 70000; i++) {
        ilb__evidence_sums e = ilb__evidence_bad(&word, s);

        run_is(&word, i < 65535 ? i : 65535, i < 65535 ? i : 65535);
        must_eq(e.broken, 2 * i < SUM_MAX ? 2 * i : SUM_MAX);
    }
    ilb__evidence_good(&word, s);
    run_is(&word, 65535, 65535);
    must_eq(ilb__evidence_read(&word).broken, SUM_MAX - 1);
}
END_TEST

Suite *suite_evidence(void)
{
    Suite *s = suite_create("evidence");
    TCase *tc = test_case(s, "steps");

    tcase_add_test(tc, steps_follow_the_formula);
    tcase_add_test(tc, steps_of_a_clean_and_of_a_dirty_pool);
    tcase_add_test(tc, from_forty_percent_on_nothing_adds);
    tcase_add_test(tc, a_spotless_past_is_taken_for_one_in_a_million);
    tc = test_case(s, "sums");
    tcase_add_test(tc, sums_follow_their_formula);
    tcase_add_test(tc, doubts_end_at_10);
    tcase_add_test(tc, sums_end_at_64);
    tcase_add_test(tc, one_that_does_not_fail_is_not_written);
    tcase_add_test(tc,
                   a_run_begins_with_a_failure_and_ends_when_nothing_is_left);
    tcase_add_test(tc, a_run_is_counted_to_65535);
    tc = test_case(s, "alarms");
    tcase_add_test(tc, false_alarms_are_as_rare_as_promised);
    tcase_add_test(tc, what_they_look_for_is_found);
    tc = test_case(s, "races");
    tcase_add_test(tc, no_evidence_is_lost);
    return s;
}
