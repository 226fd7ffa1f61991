/* SPDX-License-Identifier: MIT */
/* Events, quantiles, distributions, jobs, what servers remember. */
#include <stdlib.h>
#include <string.h>

#include "sim_events.h"
#include "sim_jobs.h"
#include "sim_recent.h"
#include "sim_sample.h"
#include "test_sim_kit.h"

/* ---- Events ---- */

/* Pushes and pops at random; against a plain list. */
START_TEST(events_come_by_time_then_by_order)
{
    static sim_event model[4000];
    sim_events e = {0};
    sim_random r = sim_random_stream(1, 1);
    size_t n = 0, popped = 0;
    uint64_t now_ns = 0;

    for (uint32_t i = 0; i < 20000; i++) {
        sim_event event;
        size_t least = 0;

        if (n < 4000 && sim_random_below(&r, 5) < (i < 10000 ? 3 : 2)) {
            uint64_t at_ns = now_ns + sim_random_below(&r, 40);

            if (i % 2 == 0)
                at_ns = now_ns + 20;
            model[n++] = (sim_event){.at_ns = at_ns, .order = i, .a = i};
            if (i % 2 == 0)
                sim_events_push_wire(&e, at_ns, i % 7, i, i + 1);
            else
                sim_events_push(&e, at_ns, i % 7, i, i + 1);
            continue;
        }
        kit_must_eq(sim_events_count(&e), n);
        if (n == 0) {
            kit_must(!sim_events_pop(&e, &event));
            kit_must(sim_events_next_ns(&e) == UINT64_MAX);
            continue;
        }
        for (size_t k = 1; k < n; k++)
            if (model[k].at_ns < model[least].at_ns ||
                (model[k].at_ns == model[least].at_ns &&
                 model[k].order < model[least].order))
                least = k;
        kit_must(sim_events_next_ns(&e) == model[least].at_ns);
        kit_must(sim_events_pop(&e, &event));
        kit_must_eq(event.at_ns, model[least].at_ns);
        kit_must_eq(event.a, model[least].a);
        kit_must_eq(event.b, event.a + 1);
        kit_must_eq(sim_event_kind(&event), event.a % 7);
        now_ns = event.at_ns;
        model[least] = model[--n];
        popped++;
    }
    ck_assert_uint_gt(popped, 5000);
    kit_must(!e.failed);
    sim_events_free(&e);
}
END_TEST

/* The wire wraps round and grows while it is wrapped. */
START_TEST(the_wire_keeps_its_order)
{
    sim_events e = {0};
    sim_event event;
    uint32_t put = 0, got = 0;

    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 300 + 20 * round; i++, put++)
            sim_events_push_wire(&e, put, 1, put, 0);
        for (int i = 0; i < 300; i++, got++) {
            kit_must(sim_events_pop(&e, &event));
            kit_must_eq(event.a, got);
        }
    }
    kit_must_eq(e.n_heap, 0);
    /* What is not in order goes the other way, and still comes in time. */
    sim_events_push_wire(&e, 0, 1, 77, 0);
    kit_must_eq(e.n_heap, 1);
    kit_must(sim_events_pop(&e, &event));
    kit_must_eq(event.a, 77);
    sim_events_free(&e);
}
END_TEST

/* ---- Quantiles ---- */

static int parts_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void parts_quantiles(uint32_t n, uint32_t values, uint64_t seed)
{
    static const double qs[] = {0.5, 0.9, 0.99, 0.999, 1, 0.25, 0, 0.75};
    static uint64_t sorted[3000];
    sim_sample s = {0};
    sim_random r = sim_random_stream(seed, 2);

    for (uint32_t i = 0; i < n; i++) {
        sorted[i] = sim_random_below(&r, values);
        sim_sample_add(&s, sorted[i]);
    }
    qsort(sorted, n, sizeof *sorted, parts_compare);
    for (size_t i = 0; i < sizeof qs / sizeof *qs; i++) {
        /* In thousandths, so that nothing is rounded. */
        uint32_t k = ((uint32_t)(qs[i] * 1000 + 0.5) * n + 999) / 1000;

        kit_must_eq((uint64_t)sim_sample_quantile(&s, qs[i]),
                    sorted[k == 0 ? 0 : k - 1]);
    }
    sim_sample_free(&s);
}

START_TEST(quantiles_are_exact)
{
    sim_sample none = {0};

    kit_must(isnan(sim_sample_quantile(&none, 0.5)));
    kit_must(isnan(sim_sample_mean(&none)));
    for (uint32_t n = 1; n <= 60; n++)
        for (uint32_t values = 1; values <= 60; values = 3 * values + 1)
            parts_quantiles(n, values, n);
    for (uint32_t n = 100; n <= 3000; n += 290)
        for (uint32_t values = 1; values < 2000000000; values = 37 * values + 1)
            parts_quantiles(n, values, n);
}
END_TEST

START_TEST(quantiles_of_sorted_and_of_constant_values)
{
    for (int kind = 0; kind < 3; kind++) {
        sim_sample s = {0};
        uint64_t n = 200000;

        for (uint64_t i = 0; i < n; i++)
            sim_sample_add(&s, kind == 0 ? i + 1 : kind == 1 ? n - i : 7);
        for (double q = 0.001; q < 1; q += 0.0999)
            kit_must_eq((uint64_t)sim_sample_quantile(&s, q),
                        kind == 2 ? 7 : (uint64_t)(q * 200000 + 0.5));
        ck_assert_double_eq_tol(sim_sample_mean(&s), kind == 2 ? 7 : 100000.5,
                                1e-6);
        sim_sample_free(&s);
    }
}
END_TEST

/* ---- Distributions ---- */

/* The mean as it is told, against 4 million draws: within 5 standard errors;
 * and the standard deviation. */
static void parts_draws(const sim_distribution *d, double sd_ns)
{
    sim_random r = sim_random_stream(3, d->kind);
    double sum = 0, squares = 0, n = 400000, mean = sim_draw_mean(d);

    for (int i = 0; i < (int)n; i++) {
        double x = sim_draw(d, &r);

        kit_must(x >= 0);
        sum += x;
        squares += (x - mean) * (x - mean);
    }
    kit_within(sum / n - mean, -5 * sd_ns / sqrt(n) - 1e-9,
               5 * sd_ns / sqrt(n) + 1e-9);
    if (sd_ns > 0)
        kit_within(sqrt(squares / n) / sd_ns, 0.97, 1.03);
}

START_TEST(distributions_have_their_mean_and_deviation)
{
    double values[] = {1e6, 2e6, 9e6};
    const sim_distribution normal = {.kind = SIM_NORMAL, .a_ns = 5, .b_ns = 5};
    struct {
        sim_distribution d;
        double mean_ns, sd_ns;
    } all[] = {
        {{.kind = SIM_CONSTANT, .a_ns = 7e6}, 7e6, 0},
        {{.kind = SIM_UNIFORM, .a_ns = 1e6, .b_ns = 4e6},
         2.5e6,
         3e6 / sqrt(12)},
        {{.kind = SIM_EXPONENTIAL, .a_ns = 3e6}, 3e6, 3e6},
        {{.kind = SIM_LOGNORMAL, .a_ns = 8e6, .p = 0.5},
         8e6,
         8e6 * sqrt(expm1(0.25))},
        {{.kind = SIM_NORMAL, .a_ns = 9e6, .b_ns = 1e6}, 9e6, 1e6},
        {{.kind = SIM_BIMODAL, .a_ns = 1e6, .b_ns = 11e6, .p = 0.1}, 2e6, 3e6},
        {{.kind = SIM_REPLAY, .values_ns = values, .n_values = 3},
         4e6,
         sqrt(38.0 / 3) * 1e6},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ck_assert_double_eq_tol(sim_draw_mean(&all[i].d), all[i].mean_ns, 1);
        parts_draws(&all[i].d, all[i].sd_ns);
    }
    /* Cut at 0: E max(0, x) = 5 (Phi(1) + phi(1)). */
    ck_assert_double_eq_tol(sim_draw_mean(&normal), 5 * (0.8413447 + 0.2419707),
                            1e-5);
    parts_draws(&normal, 4.335);
}
END_TEST

START_TEST(rounding_and_adding_have_an_end)
{
    kit_must_eq(sim_draw_round(0.49), 0);
    kit_must_eq(sim_draw_round(2.5), 3);
    kit_must_eq(sim_draw_round(1e300), SIM_DRAW_LONGEST);
    kit_must_eq(sim_draw_after(3, 4), 7);
    kit_must_eq(sim_draw_after(UINT64_MAX - 3, 3), UINT64_MAX);
    kit_must_eq(sim_draw_after(UINT64_MAX - 3, 4), UINT64_MAX);
    kit_must_eq(sim_draw_after(4, UINT64_MAX), UINT64_MAX);
}
END_TEST

/* ---- Jobs ---- */

START_TEST(jobs_do_not_move_and_come_back_clean)
{
    sim_jobs jobs = {.retries = 3};
    static sim_job *all[2000];

    for (uint32_t i = 0; i < 2000; i++) {
        all[i] = sim_jobs_take(&jobs);
        ck_assert_ptr_nonnull(all[i]);
        kit_must_eq(all[i]->index, i);
        for (uint32_t k = 0; k < 3; k++)
            all[i]->tried[k] = i;
        all[i]->attempt.state[9] = i;
        all[i]->place = SIM_QUEUED;
        all[i]->stamp = i;
    }
    for (uint32_t i = 0; i < 2000; i++) {
        ck_assert_ptr_eq(sim_jobs_at(&jobs, i), all[i]);
        for (uint32_t k = 0; k < 3; k++)
            kit_must_eq(all[i]->tried[k], i);
    }
    for (uint32_t i = 0; i < 2000; i++)
        sim_jobs_give(&jobs, all[i]);
    kit_must_eq(jobs.n_used, 0);
    for (uint32_t i = 0; i < 2000; i++) {
        sim_job *job = sim_jobs_take(&jobs);

        kit_must_eq(job->attempt.state[9], 0);
        ck_assert_int_eq(job->place, SIM_AWAY);
        kit_must_eq(job->stamp, job->index); /* old plans stay old */
    }
    kit_must_eq(jobs.n_chunks, 2000 / SIM_JOBS_CHUNK + 1);
    sim_jobs_free(&jobs);
}
END_TEST

/* ---- What servers remember ---- */

START_TEST(recent_medians_are_of_about_that_load)
{
    static sim_recent r;

    ck_assert_double_eq(sim_recent_median(&r, 5), 0);
    for (uint32_t load = 0; load < 3000; load++)
        sim_recent_add(&r, load, 1000 * (load + 1));
    for (uint32_t load = 0; load < 8; load++)
        ck_assert_double_eq(sim_recent_median(&r, load), 1000 * (load + 1));
    for (uint32_t load = 8; load < 1024; load++)
        kit_within(sim_recent_median(&r, load), 750 * load, 1300 * load);
    for (int i = 0; i < 5; i++)
        sim_recent_add(&r, 3, 9000 + 100 * (uint64_t)i);
    /* 4000, then 9000 to 9400: the third of six. */
    ck_assert_double_eq(sim_recent_median(&r, 3), 9100);
    for (int i = 0; i < 8; i++)
        sim_recent_add(&r, 3, 50);
    ck_assert_double_eq(sim_recent_median(&r, 3), 50);
}
END_TEST

START_TEST(recent_medians_of_the_nearest_load)
{
    static sim_recent r;

    sim_recent_add(&r, 4, 400);
    ck_assert_double_eq(sim_recent_median(&r, 0), 400);
    ck_assert_double_eq(sim_recent_median(&r, UINT32_MAX), 400);
    sim_recent_add(&r, 1000000, 900);
    ck_assert_double_eq(sim_recent_median(&r, 5), 400);
    ck_assert_double_eq(sim_recent_median(&r, 900), 900);
}
END_TEST

Suite *suite_sim_parts(void)
{
    Suite *s = suite_create("sim_parts");
    TCase *t = tcase_create("parts");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, events_come_by_time_then_by_order);
    tcase_add_test(t, the_wire_keeps_its_order);
    tcase_add_test(t, quantiles_are_exact);
    tcase_add_test(t, quantiles_of_sorted_and_of_constant_values);
    tcase_add_test(t, distributions_have_their_mean_and_deviation);
    tcase_add_test(t, rounding_and_adding_have_an_end);
    tcase_add_test(t, jobs_do_not_move_and_come_back_clean);
    tcase_add_test(t, recent_medians_are_of_about_that_load);
    tcase_add_test(t, recent_medians_of_the_nearest_load);
    suite_add_tcase(s, t);
    return s;
}
