/* SPDX-License-Identifier: MIT */
/* signal/peaks.h: the sum by its formula, the share of all, levels, races. */
#include <pthread.h>

#include "signal/peaks.h"
#include "suites_internal.h"
#include "util.h"

/* In 1/100 nats: ln 10, and the end. */
#define UP 230
#define MOST 1000
#define TIMES 3.0
#define PRIOR 1000.0
#define THREADS 4
#define EACH 20000

typedef struct peaks {
    ilb__a32 sum;
    ilb__peaks_of_all all;
} peaks;

static uint32_t learn(peaks *p, bool peak)
{
    ilb__peaks_learn(&p->sum, peak, &p->all);
    return ilb__load32_relaxed(&p->sum);
}

START_TEST(a_peak_adds_and_an_answer_takes)
{
    peaks p = {0};

    must_eq(learn(&p, false), 0);
    must_eq(learn(&p, true), UP);
    must_eq(learn(&p, false), UP - 1);
    must_eq(learn(&p, true), 2 * UP - 1);
    for (int i = 0; i < 10; i++)
        learn(&p, true);
    must_eq(learn(&p, true), MOST);
    for (int i = 0; i < MOST; i++)
        learn(&p, false);
    must_eq(learn(&p, false), 0);
}
END_TEST

START_TEST(what_an_answer_takes_follows_the_share_of_all)
{
    for (uint32_t n = 0; n <= 100; n++) {
        peaks p = {0};
        double down;

        for (uint32_t i = 0; i < n; i++)
            learn(&p, true);
        ilb__peaks_refresh(&p.all, 9000, 1);
        ilb__store32_relaxed(&p.sum, MOST);
        down = TIMES * UP * (1 + n) / (PRIOR + 9000);
        must_be_within(MOST - learn(&p, false), down < 1 ? 1 : down - 0.51,
                       down + 1);
    }
}
END_TEST

START_TEST(what_all_had_fades)
{
    peaks p = {0};

    for (int i = 0; i < 100; i++)
        learn(&p, true);
    ilb__peaks_refresh(&p.all, 9000, 0.5f);
    ilb__store32_relaxed(&p.sum, MOST);
    must_eq(learn(&p, false), MOST - 7); /* 690 x 101 / 10,000 */
    /* Nothing new: half of both is left, beside the prior. */
    ilb__peaks_refresh(&p.all, 0, 0.5f);
    must_eq(learn(&p, false), MOST - 7 - 6); /* 690 x 51 / 5,500 */
    for (int i = 0; i < 40; i++)
        ilb__peaks_refresh(&p.all, 0, 0.5f);
    must_eq(learn(&p, false), MOST - 7 - 6 - 1);
}
END_TEST

START_TEST(levels_follow_the_sum)
{
    must_eq(ilb__peaks_level(0), 1);
    must_eq(ilb__peaks_level(199), 1);
    must_eq(ilb__peaks_level(200), 2);
    must_eq(ilb__peaks_level(429), 2);
    must_eq(ilb__peaks_level(430), 3);
    must_eq(ilb__peaks_level(MOST), 3);
}
END_TEST

/* How much of the time the next peak would begin at the second level. */
static double at_second(uint32_t own_ppm, uint32_t all_ppm, uint64_t seed)
{
    uint64_t random = seed;
    uint32_t above = 0, answers = 5000;
    peaks p = {0};

    ilb__add32_relaxed(&p.all.n, all_ppm / 10);
    ilb__peaks_refresh(&p.all, 100000, 1);
    for (uint32_t i = 0; i < answers; i++) {
        learn(&p, test_below(&random, 1000000) < own_ppm);
        above += ilb__peaks_level(ilb__load32_relaxed(&p.sum)) >= 2;
    }
    return (double)above / answers;
}

static double mean_at_second(uint32_t own_ppm, uint32_t all_ppm)
{
    double sum = 0;

    for (uint64_t seed = 1; seed <= 1000; seed++)
        sum += at_second(own_ppm, all_ppm, seed);
    return sum / 1000;
}

START_TEST(more_than_peers_is_seen_and_as_many_is_not)
{
    must(mean_at_second(20000, 5000) > 0.85);
    must(mean_at_second(20000, 1000) > 0.95);
    must(mean_at_second(10000, 10000) < 0.25);
    must(mean_at_second(2000, 2000) < 0.25);
    must(mean_at_second(1000, 0) < 0.1);
}
END_TEST

static void *peak_often(void *p)
{
    for (int i = 0; i < EACH; i++) {
        learn(p, true);
        learn(p, false);
    }
    return NULL;
}

START_TEST(no_peak_is_lost_between_threads)
{
    pthread_t threads[THREADS];
    peaks p = {0};

    for (int i = 0; i < THREADS; i++)
        must_eq(pthread_create(&threads[i], NULL, peak_often, &p), 0);
    for (int i = 0; i < THREADS; i++)
        must_eq(pthread_join(threads[i], NULL), 0);
    must_eq(ilb__load32_relaxed(&p.all.n), THREADS * EACH);
    must_be_within(ilb__load32_relaxed(&p.sum), MOST - THREADS, MOST);
}
END_TEST

Suite *suite_peaks(void)
{
    Suite *s = suite_create("peaks");
    TCase *tc = test_case(s, "sum");

    tcase_add_test(tc, a_peak_adds_and_an_answer_takes);
    tcase_add_test(tc, what_an_answer_takes_follows_the_share_of_all);
    tcase_add_test(tc, what_all_had_fades);
    tcase_add_test(tc, levels_follow_the_sum);
    tcase_add_test(tc, more_than_peers_is_seen_and_as_many_is_not);
    tc = test_case(s, "races");
    tcase_add_test(tc, no_peak_is_lost_between_threads);
    return s;
}
