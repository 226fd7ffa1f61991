/* SPDX-License-Identifier: MIT */
/* A queue that grows, and one that only seems to. */
#include "health/queue.h"
#include "suites_internal.h"
#include "util.h"

#define N 6
#define STEP_S 0.1
#define FEW 10
#define MOST 40

/* Six servers, all that is in flight to each, and how many end in a step. */
typedef struct line {
    ilb__queue q;
    double in_flight, per_s;
    uint64_t random;
} line;

static ilb__flow line_step(line *l, double ends_per_s)
{
    double noise = (double)test_below(&l->random, 2001) / 1000 - 1;
    ilb__flow f = {0, 0, (float)STEP_S, N};
    double ends = ends_per_s * STEP_S * (1 + 0.1 * noise);

    l->in_flight += l->per_s * STEP_S - ends;
    if (l->in_flight < 0)
        l->in_flight = 0;
    f.in_flight = (float)l->in_flight;
    f.ended = (float)ends;
    return f;
}

static bool line_grows(line *l, double ends_per_s)
{
    ilb__flow f = line_step(l, ends_per_s);

    return ilb__queue_grows(&l->q, &f, FEW, MOST);
}

/* Seconds until it is found out; 60: never. */
static double found_s(double per_s, double ends_per_s, uint64_t seed)
{
    line l = {.per_s = per_s, .random = seed};

    for (int i = 1; i < 600; i++)
        if (line_grows(&l, ends_per_s))
            return i * STEP_S;
    return 60;
}

START_TEST(more_than_is_served_is_found_out)
{
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        /* 40 after 1.2 s, 53 and 80 a turn later. */
        must_be_within(found_s(166, 133, seed), 1.2, 3);
        must_be_within(found_s(266, 133, seed), 0.5, 2.3);
    }
}
END_TEST

START_TEST(what_is_served_is_no_queue)
{
    for (uint64_t seed = 1; seed <= 1000; seed++)
        must_eq(found_s(133, 133, seed) >= 60, 1);
}
END_TEST

/* All take ten times longer from now on: it grows until the first of them end,
 * and stays what it is then, long. */
START_TEST(to_become_slower_is_no_queue)
{
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        line l = {.per_s = 100, .random = seed, .in_flight = 5};

        for (int i = 0; i < 600; i++)
            must(!line_grows(&l, i < 8 ? 0 : 100));
        must_be_within(l.in_flight, MOST, 150);
    }
}
END_TEST

/* It was found out; less is sent, so that 12 are in flight, and `pace` times as
 * many end. Is it in vain? */
static bool in_vain(line *l, double pace)
{
    for (int i = 0; i < 100; i++) {
        ilb__flow f = {12, (float)(133 * pace * STEP_S), (float)STEP_S, N};

        if (ilb__queue_in_vain(&l->q, &f))
            return true;
    }
    return false;
}

static line grown(void)
{
    line l = {.per_s = 200, .random = 1};

    for (int i = 0; i < 600; i++)
        if (line_grows(&l, 133))
            return l;
    must(false);
    return l;
}

START_TEST(if_as_much_is_served_it_was_one)
{
    line l = grown();

    must(!in_vain(&l, 0.8));
    /* The test is over. */
    must(!in_vain(&l, 0.1));
}
END_TEST

START_TEST(else_it_was_none_until_it_is_short_again)
{
    line l = grown();

    must(in_vain(&l, 0.5));
    l.in_flight = MOST;
    for (int i = 0; i < 100; i++)
        must(!line_grows(&l, 100));
    l.in_flight = FEW - 5;
    l.per_s = 0;
    must(!line_grows(&l, 0));
    l.per_s = 200;
    for (int i = 0; i < 600; i++)
        if (line_grows(&l, 133))
            return;
    must(false);
}
END_TEST

Suite *suite_queue(void)
{
    Suite *s = suite_create("queue");
    TCase *tc = test_case(s, "queue");

    tcase_add_test(tc, more_than_is_served_is_found_out);
    tcase_add_test(tc, what_is_served_is_no_queue);
    tcase_add_test(tc, to_become_slower_is_no_queue);
    tcase_add_test(tc, if_as_much_is_served_it_was_one);
    tcase_add_test(tc, else_it_was_none_until_it_is_short_again);
    return s;
}
