/* SPDX-License-Identifier: MIT */
/* The cap on ejections: the rule, reserving, and panic. */
#include <pthread.h>

#include "health/cap.h"
#include "suites_internal.h"
#include "util.h"

static ilb__judge judge(uint32_t percent, uint32_t floor, uint32_t panic)
{
    ilb__judge j;

    memset(&j, 0, sizeof j);
    j.max_ejection_percent = percent;
    j.min_endpoints = floor;
    j.panic_threshold_percent = panic;
    return j;
}

/* Written again from the words of cap.h, in another way: count upwards while
 * one more is allowed. */
static uint32_t by_the_words(uint32_t n, uint32_t percent, uint32_t floor)
{
    uint32_t k = 0;

    while (k < n && n - k > floor &&
           ((k + 1) * 100 <= n * percent || (k == 0 && n >= 2)))
        k++;
    return k;
}

START_TEST(the_rule)
{
    for (uint32_t n = 0; n <= 40; n++)
        for (uint32_t percent = 1; percent <= 100; percent++)
            for (uint32_t floor = 0; floor <= n + 1; floor++) {
                ilb__judge j = judge(percent, floor, 0);

                must_eq(ilb__cap_of(&j, n), by_the_words(n, percent, floor));
            }
}
END_TEST

START_TEST(no_number_is_too_large)
{
    ilb__judge j = judge(100, 0, 100);

    must_eq(ilb__cap_of(&j, UINT32_MAX), UINT32_MAX);
    must(ilb__cap_panics(&j, 1, UINT32_MAX));
    j.min_endpoints = UINT32_MAX;
    must_eq(ilb__cap_of(&j, UINT32_MAX), 0);
    j.panic_threshold_percent = 99;
    must(!ilb__cap_panics(&j, 1, UINT32_MAX));
}
END_TEST

START_TEST(places_are_reserved_and_given_back)
{
    ilb__judge j = judge(50, 1, 0);

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++)
            must(ilb__cap_reserve(&j, 10));
        must(!ilb__cap_reserve(&j, 10));
        must(!ilb__cap_reserve(&j, 9));
        must(ilb__cap_reserve(&j, 12));
        for (int i = 0; i < 6; i++)
            ilb__cap_release(&j);
        must_eq(ilb__load32_relaxed(&j.n_ejected), 0);
    }
}
END_TEST

START_TEST(panic_is_when_fewer_are_left)
{
    for (uint32_t n = 1; n <= 30; n++)
        for (uint32_t percent = 0; percent <= 100; percent++) {
            ilb__judge j = judge(100, 0, percent);

            for (uint32_t k = 0; k <= n; k++) {
                bool fewer = (double)(n - k) < (double)n * percent / 100 - 1e-9;

                must_eq(ilb__cap_panics(&j, k, n), k == n || fewer);
                ilb__store32_relaxed(&j.n_ejected, k);
                must_eq(ilb__judge_panics(&j, n), k > 0 && (k == n || fewer));
            }
        }
}
END_TEST

#define THREADS 4
#define TAKES 20000

static ilb__judge shared;
static ilb__a32 over;

static void *take_and_give(void *arg)
{
    (void)arg;
    for (int i = 0; i < TAKES; i++) {
        bool mine = ilb__cap_reserve(&shared, 6);

        if (ilb__load32_relaxed(&shared.n_ejected) > 3)
            ilb__store32_relaxed(&over, 1);
        if (mine)
            ilb__cap_release(&shared);
    }
    return NULL;
}

/* Not even for a moment: a pick asks the count as well. */
START_TEST(the_count_is_never_above_the_cap)
{
    pthread_t threads[THREADS];

    shared = judge(50, 1, 0);
    must(ilb__cap_reserve(&shared, 6));
    must(ilb__cap_reserve(&shared, 6));
    for (int i = 0; i < THREADS; i++)
        must_eq(pthread_create(&threads[i], NULL, take_and_give, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        must_eq(pthread_join(threads[i], NULL), 0);
    must_eq(ilb__load32_relaxed(&over), 0);
    must_eq(ilb__load32_relaxed(&shared.n_ejected), 2);
}
END_TEST

Suite *suite_cap(void)
{
    Suite *s = suite_create("cap");
    TCase *tc = test_case(s, "cap");

    tcase_add_test(tc, the_rule);
    tcase_add_test(tc, no_number_is_too_large);
    tcase_add_test(tc, places_are_reserved_and_given_back);
    tcase_add_test(tc, panic_is_when_fewer_are_left);
    tcase_add_test(tc, the_count_is_never_above_the_cap);
    return s;
}
