/* SPDX-License-Identifier: MIT */
/* signal/latency.h: peaks, and several threads at one estimate. */
#include <math.h>

#include <pthread.h>

#include "signal/latency.h"
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define TICK_NS (UINT64_C(1) << 20)
#define T0 (UINT64_C(1) << 40)
#define LEVEL_MAX 15
#define MEDIAN (10.0 * MS_NS)
#define P99 (20.0 * MS_NS)
#define must_be_near(a, x) must_be_within(a, (x)*0.99999 - 2, (x)*1.00001 + 2)

static ilb__latency at(uint64_t ns)
{
    ilb__figures nothing = test_figures(0, 0);
    ilb__latency l = {0};

    ilb__latency_learn(&l, ns, 1, &nothing, T0);
    return l;
}

static uint64_t ticks_of(double s)
{
    return (uint64_t)(s * 1e9 / (double)TICK_NS + 0.5) * TICK_NS;
}

/* ---- Peaks ------------------------------------------------------------- */

/* Out of the ordinary for the pool, not only for this endpoint. */
START_TEST(a_peak_is_above_three_times_the_ordinary)
{
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = at(10 * MS_NS);

    ilb__latency_learn(&l, 59 * MS_NS, 1, &f, T0);
    must_be_near(ilb__latency_estimate_ns(&l), 10e6 + 0.2 * 49e6);
    must_eq(ilb__latency_level(&l), 0);
    l = at(10 * MS_NS);
    ilb__latency_learn(&l, 61 * MS_NS, 1, &f, T0);
    must(ilb__latency_estimate_ns(&l) == 61e6f);
    must_eq(ilb__latency_level(&l), 1);
    /* Of one that is slow anyway it is no news. */
    l = at(40 * MS_NS);
    ilb__latency_learn(&l, 79 * MS_NS, 1, &f, T0);
    must_eq(ilb__latency_level(&l), 0);
    ilb__latency_learn(&l, 200 * MS_NS, 1, &f, T0);
    must_eq(ilb__latency_level(&l), 1);
}
END_TEST

/* The first level: the time of 20 requests, 0.2 to 3 s. */
START_TEST(a_first_peak_is_forgotten_by_requests_and_soon)
{
    static const struct {
        float rate_per_s;
        double tau_s;
    } cases[] = {{0, 3}, {1, 3}, {10, 2}, {50, 0.4}, {200, 0.2}, {1e6f, 0.2}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ilb__figures f = test_figures(MEDIAN, P99);
        ilb__latency l = at(10 * MS_NS);

        f.patience_ns = 30e9f;
        f.rate_per_s = cases[i].rate_per_s;
        ilb__latency_learn(&l, 500 * MS_NS, 1, &f, T0);
        must_be_within(
            ilb__latency_read_ns(&l, &f, T0 + ticks_of(cases[i].tau_s)), 189e6,
            192e6); /* 10 + 490 / e */
    }
}
END_TEST

/* With few requests the last hundredth of it would still decide who gets all
 * of them: half forgotten and within 10 % of the median, it is the median. */
START_TEST(what_is_as_good_as_forgotten_is_the_median)
{
    ilb__figures f = test_figures(MEDIAN, P99);

    for (uint64_t ns = 2 * MS_NS; ns <= 40 * MS_NS; ns += 100000) {
        double apart = (double)ns / (double)MEDIAN - 1;
        double log2s = log2(10 * (apart < 0 ? -apart : apart));
        double after_s = 5 * log(2) * (log2s > 1 ? log2s : 1);
        ilb__latency l = at(ns);

        must(apart == 0 ||
             ilb__latency_read_ns(&l, &f, T0 + ticks_of(0.99 * after_s)) !=
                 f.median_ns);
        must(ilb__latency_read_ns(&l, &f, T0 + ticks_of(1.01 * after_s)) ==
             f.median_ns);
    }
}
END_TEST

/* 0.2 s x 8^(level - 1), at most `patience`. */
START_TEST(peak_after_peak_is_remembered_longer)
{
    static const double tau[] = {0.2, 1.6, 12.8, 30, 30, 30};
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = at(10 * MS_NS);
    uint64_t now_ns = T0;

    f.patience_ns = 30e9f;
    for (uint32_t k = 0; k < 6; k++) {
        /* Long after the last one: nothing is left of it. */
        now_ns += ticks_of(600);
        ilb__latency_learn(&l, 500 * MS_NS, 1, &f, now_ns);
        must_eq(ilb__latency_level(&l), k + 1);
        must(ilb__latency_estimate_ns(&l) == 500e6f);
        must_be_within(ilb__latency_read_ns(&l, &f, now_ns + ticks_of(tau[k])),
                       189e6, 192e6); /* 10 + 490 / e */
    }
    for (int k = 0; k < 30; k++) {
        now_ns += ticks_of(600);
        ilb__latency_learn(&l, 500 * MS_NS, 1, &f, now_ns);
    }
    must_eq(ilb__latency_level(&l), LEVEL_MAX);
    must_be_within(ilb__latency_read_ns(&l, &f, now_ns + ticks_of(30)), 189e6,
                   192e6);
}
END_TEST

/* What a scheduler may add to any answer: 0.1 ms above the median is none. */
START_TEST(a_peak_is_more_than_the_host_adds)
{
    ilb__figures f = test_figures(10e3, 10e3);
    ilb__latency l = at(10 * US_NS);

    ilb__latency_learn(&l, 109 * US_NS, 1, &f, T0);
    must_eq(ilb__latency_level(&l), 0);
    l = at(10 * US_NS);
    ilb__latency_learn(&l, 111 * US_NS, 1, &f, T0);
    must_eq(ilb__latency_level(&l), 1);
}
END_TEST

/* More peaks than its peers: it begins higher, and then goes on by one. */
START_TEST(a_first_level_may_be_higher)
{
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = at(10 * MS_NS);

    must(!ilb__latency_learn(&l, 11 * MS_NS, 3, &f, T0));
    must_eq(ilb__latency_level(&l), 0);
    must(ilb__latency_learn(&l, 100 * MS_NS, 3, &f, T0));
    must_eq(ilb__latency_level(&l), 3);
    /* The same stall. */
    must(!ilb__latency_learn(&l, 300 * MS_NS, 3, &f, T0 + TICK_NS));
    must_eq(ilb__latency_level(&l), 3);
    must(ilb__latency_learn(&l, 700 * MS_NS, 3, &f, T0 + ticks_of(2)));
    must_eq(ilb__latency_level(&l), 4);
}
END_TEST

/* What was in flight together is one observation of one stall. */
START_TEST(one_stall_is_one_peak)
{
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = at(10 * MS_NS);

    ilb__latency_learn(&l, 100 * MS_NS, 1, &f, T0);
    for (uint64_t i = 1; i < 6; i++)
        ilb__latency_learn(&l, (UINT64_C(200) << i) * MS_NS, 1, &f,
                           T0 + i * TICK_NS);
    must_eq(ilb__latency_level(&l), 1);
    must(ilb__latency_estimate_ns(&l) == 6400e6f);
    /* This one was sent after those had come. */
    ilb__latency_learn(&l, 500 * MS_NS, 1, &f, T0 + ticks_of(2));
    must_eq(ilb__latency_level(&l), 2);
}
END_TEST

/* Good answers, not time, end it: by half of the way each. */
START_TEST(ordinary_answers_end_a_blip)
{
    static const double left[] = {55.5e6, 33.25e6, 22.125e6, 16.5625e6};
    ilb__figures f = test_figures(MEDIAN, P99);
    ilb__latency l = at(10 * MS_NS);

    ilb__latency_learn(&l, 100 * MS_NS, 1, &f, T0);
    for (int i = 0; i < 4; i++) {
        must_eq(ilb__latency_level(&l), 1);
        ilb__latency_learn(&l, 11 * MS_NS, 1, &f, T0);
        must_be_near(ilb__latency_estimate_ns(&l), left[i]);
    }
    must_eq(ilb__latency_level(&l), 0);
    /* An answer that is slow itself ends nothing. */
    ilb__latency_learn(&l, 100 * MS_NS, 1, &f, T0);
    ilb__latency_learn(&l, 21 * MS_NS, 1, &f, T0 + ticks_of(3));
    must_eq(ilb__latency_level(&l), 1);
    must_be_within(ilb__latency_estimate_ns(&l), 10e6, 21e6);
}
END_TEST

/* ---- Races ------------------------------------------------------------- */

typedef struct racer {
    ilb__latency *l;
    uint64_t random;
    bool bounds;
    bool odd; /* read something that nobody can have written */
} racer;

static _Atomic int n_racing;

static void *race(void *arg)
{
    racer *r = arg;
    ilb__figures f = test_figures(r->bounds ? 0 : 6e6, 0);

    n_racing++;
    while (n_racing < 3)
        continue;
    for (int i = 0; i < 50000; i++) {
        uint64_t x = 5000000 + test_below(&r->random, 5000001);
        float e;

        if (r->bounds)
            ilb__latency_learn_bound(r->l, x, &f, T0);
        else
            ilb__latency_learn(r->l, x, 1, &f, T0 + (uint64_t)i * TICK_NS);
        e = ilb__latency_estimate_ns(r->l);
        r->odd = r->odd || !(e >= 4.999e6f && e <= 10.001e6f);
    }
    return NULL;
}

static void race_all(ilb__latency *l, bool bounds)
{
    pthread_t threads[3];
    racer racers[3];

    n_racing = 0;
    for (uint64_t i = 0; i < 3; i++) {
        racer r = {l, i, bounds, false};

        racers[i] = r;
        must_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        must_eq(pthread_join(threads[i], NULL), 0);
        must(!racers[i].odd);
    }
}

START_TEST(an_estimate_is_never_torn)
{
    ilb__latency l = at(7 * MS_NS);

    race_all(&l, false);
    must_eq(ilb__latency_level(&l), 0);
}
END_TEST

/* The highest bound of all threads wins, whoever comes last. */
START_TEST(no_bound_is_lost)
{
    ilb__latency l = at(5 * MS_NS);
    uint64_t most = 0;

    race_all(&l, true);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t random = i;

        for (int k = 0; k < 50000; k++) {
            uint64_t x = 5000000 + test_below(&random, 5000001);

            most = x > most ? x : most;
        }
    }
    must(ilb__latency_estimate_ns(&l) == (float)most);
}
END_TEST

Suite *suite_latency_peak(void)
{
    Suite *s = suite_create("latency peak");
    TCase *tc = test_case(s, "peaks");

    tcase_add_test(tc, a_peak_is_above_three_times_the_ordinary);
    tcase_add_test(tc, a_first_peak_is_forgotten_by_requests_and_soon);
    tcase_add_test(tc, what_is_as_good_as_forgotten_is_the_median);
    tcase_add_test(tc, peak_after_peak_is_remembered_longer);
    tcase_add_test(tc, a_peak_is_more_than_the_host_adds);
    tcase_add_test(tc, a_first_level_may_be_higher);
    tcase_add_test(tc, one_stall_is_one_peak);
    tcase_add_test(tc, ordinary_answers_end_a_blip);
    tc = test_case(s, "races");
    tcase_add_test(tc, an_estimate_is_never_torn);
    tcase_add_test(tc, no_bound_is_lost);
    return s;
}
