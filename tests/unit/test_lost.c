/* SPDX-License-Identifier: MIT */
/* signal/lost.h: what has waited since before a return is no load. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>

#include "signal/lost.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define N 10000

typedef struct lost_pair {
    ilb__lost lost;
    ilb__a64 extra;
} lost_pair;

static void must_have(lost_pair *p, uint32_t in_flight, double load,
                      uint64_t lost)
{
    must_be_within(ilb__cost_load(&p->extra, in_flight), load, load);
    must_eq(ilb__load_relaxed(&p->lost.n), lost);
}

static lost_pair fixture(uint64_t n)
{
    lost_pair p;

    memset(&p, 0, sizeof p);
    ilb__store_relaxed(&p.lost.since_ns, T0);
    ilb__lost_set(&p.lost, &p.extra, n);
    return p;
}

START_TEST(they_are_no_load)
{
    lost_pair p = fixture(5);

    must_have(&p, 7, 2, 5);
    /* Younger ones are not they. */
    must(!ilb__lost_ends(&p.lost, &p.extra, T0));
    must_have(&p, 6, 1, 5);
    must(ilb__lost_ends(&p.lost, &p.extra, T0 - 1));
    must_have(&p, 5, 1, 4);
    /* Lost again. */
    ilb__lost_set(&p.lost, &p.extra, 3);
    must_have(&p, 5, 2, 3);
    for (int i = 0; i < 5; i++)
        must_eq(ilb__lost_ends(&p.lost, &p.extra, T0 - 1), i < 3);
    must_have(&p, 2, 2, 0);
}
END_TEST

START_TEST(no_more_than_unanswered)
{
    lost_pair p = fixture(5);

    must_eq(ilb__lost_at_most(&p.lost, &p.extra, 6), 5);
    must_have(&p, 6, 1, 5);
    must_eq(ilb__lost_at_most(&p.lost, &p.extra, 2), 2);
    must_have(&p, 2, 0, 2);
    must_eq(ilb__lost_at_most(&p.lost, &p.extra, 0), 0);
    must_have(&p, 3, 3, 0);
}
END_TEST

static void *end_all(void *user)
{
    lost_pair *p = user;

    for (int i = 0; i < N; i++)
        (void)ilb__lost_ends(&p->lost, &p->extra, T0 - 1);
    return NULL;
}

static void *limit_all(void *user)
{
    lost_pair *p = user;

    for (uint64_t i = 0; i < N; i++)
        (void)ilb__lost_at_most(&p->lost, &p->extra, 2 * N - i);
    return NULL;
}

/* Whoever counts them down: nothing of the load is left over. */
START_TEST(threads_give_back_what_was_taken)
{
    lost_pair p = fixture(2 * N);
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        must_eq(
            pthread_create(&threads[i], NULL, i == 0 ? limit_all : end_all, &p),
            0);
    for (int i = 0; i < 3; i++)
        must_eq(pthread_join(threads[i], NULL), 0);
    (void)ilb__lost_at_most(&p.lost, &p.extra, 0);
    must_have(&p, 3, 3, 0);
    must_eq(ilb__load_relaxed(&p.extra), 0);
}
END_TEST

Suite *suite_lost(void)
{
    Suite *s = suite_create("lost");
    TCase *tc = test_case(s, "lost");

    tcase_add_test(tc, they_are_no_load);
    tcase_add_test(tc, no_more_than_unanswered);
    tcase_add_test(tc, threads_give_back_what_was_taken);
    return s;
}
