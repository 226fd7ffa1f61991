/* SPDX-License-Identifier: MIT */
/* select/score.h: the cost as it is written there, and who is held back. */
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

/* As the header says. */
#define FAILURE_PRICE 10.0
#define HANG_P99 1.5
#define HANG_MEDIAN 3.0
#define HANG_MIN_NS (2 * MS_NS)

static ilb__score_context context(double median_ns, double p99_ns,
                                  uint64_t now_ns)
{
    ilb__score_context c;

    memset(&c, 0, sizeof c);
    c.now_ns = now_ns;
    c.figures = test_figures(median_ns, p99_ns);
    c.latency = true;
    ilb__score_prepare(&c);
    return c;
}

static ilb__score score(const ilb__slot *slot, const ilb__score_context *c)
{
    uint64_t load = ilb__load_relaxed(&slot->load.word);
    uint64_t health = ilb__load_relaxed(&slot->health);
    ilb__score_context x = *c;
    ilb__score quick, full;

    ilb__score_prepare(&x);
    quick = ilb__score_of(slot, load, health, &x);
    full = ilb__score_in_full(slot, load, health, &x);
    must(quick.cost == full.cost);
    must_eq(quick.held, full.held);
    return quick;
}

static float cost(const ilb__slot *slot, ilb__score_context c)
{
    return score(slot, &c).cost;
}

/* Would more candidates be looked at? */
static bool is_poor(const ilb__slot *slot, ilb__score_context c)
{
    ilb__score s;

    ilb__score_prepare(&c);
    s = score(slot, &c);
    return !ilb__score_enough(&s, &c);
}

/* Any other that is not is better, the dearest; it is never enough. */
static bool is_held(const ilb__slot *slot, ilb__score_context c)
{
    const ilb__score dear = {1e38f, ILB_HELD_NOT}, free = {0, ILB_HELD_NOT};
    ilb__score s = score(slot, &c);
    bool held = s.held != ILB_HELD_NOT;

    must_eq(ilb__score_better(&dear, &s), held);
    must_eq(ilb__score_better(&s, &dear), !held);
    must(ilb__score_better(&free, &s) && !ilb__score_better(&s, &free));
    c.enough = 1e38f;
    must_eq(ilb__score_enough(&s, &c), !held);
    return held;
}

static int rank(int held)
{
    if (held == ILB_HELD_FULL)
        return 3;
    return held == ILB_HELD_HANGING || held == ILB_HELD_FAILED ||
                   held == ILB_HELD_SUSPECT
               ? 2
               : 1;
}

/* Those that show signs of a fault come last, but for full ones; else the
 * cheaper one is better. */
START_TEST(of_two_that_are_held_back_the_better)
{
    for (int i = 1; i < ILB_HELD_COUNT; i++)
        for (int k = 1; k < ILB_HELD_COUNT; k++) {
            ilb__score a = {5e9f, (uint8_t)i}, b = {5.001e9f, (uint8_t)k};
            bool better = rank(i) <= rank(k);

            must_eq(ilb__score_better(&a, &b), better);
            must_eq(ilb__score_better(&b, &a), !better);
        }
}
END_TEST

/* Evidence of 3 nats: one failure where healthy peers fail one in 100. */
static void suspected(ilb__slot *slot)
{
    (void)ilb__evidence_bad(&slot->evidence, ilb__evidence_steps_for(0.01f));
}

static uint32_t send(ilb__slot *slot, uint32_t n, uint64_t now_ns)
{
    uint32_t parity = 0;

    while (n-- > 0)
        must(ilb__load_take(&slot->load, ilb__load_relaxed(&slot->load.word), 0,
                            now_ns, &parity));
    return parity;
}

/* ---- The cost ---------------------------------------------------------- */

START_TEST(cost_is_latency_times_in_flight)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__slot *s = &f->slots[0];

    /* Nothing known of anyone; then the others' median. */
    must(cost(s, context(0, 0, T0)) == 1);
    must(cost(s, context(4e6, 0, T0)) == 4e6f);
    test_slots_learn(f, 0, 6 * MS_NS, T0);
    must(cost(s, context(4e6, 0, T0)) == 6e6f);
    (void)send(s, 3, T0);
    must(cost(s, context(4e6, 0, T0)) == 24e6f);
    must(cost(s, context(0, 0, T0)) == 24e6f);
}
END_TEST

START_TEST(its_weight_is_over_the_mean_weight)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__score_context c = context(4e6, 0, T0);
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 6 * MS_NS, T0);
    (void)send(s, 3, T0);
    /* 3 of 1.5: 6 (1 + 3/2) */
    ilb__store32_relaxed(&s->weight, 3);
    c.weight_scale = 1 / 1.5f;
    must_be_within(cost(s, c), 14.99e6, 15.01e6);
    /* 1 of 1.5 */
    ilb__store32_relaxed(&s->weight, 1);
    must_be_within(cost(s, c), 32.99e6, 33.01e6);
}
END_TEST

/* What is taken for its weight: w Q + max(1, sqrt(2 w Q)) in flight, at up to
 * twice the median, if it is not held back. */
START_TEST(who_fits_is_taken_for_its_weight)
{
    static const struct {
        float mean;
        uint32_t most;
    } cases[] = {{0, 1}, {0.1f, 1}, {1, 4}, {4.5f, 13}, {50, 114}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
        ilb__score_context c = context(4e6, 0, T0);
        ilb__slot *s = &f->slots[0];
        ilb__score x;

        ilb__store32_relaxed(&s->weight, 4);
        c.weight_scale = 0.5f; /* w = 2 */
        c.in_flight = cases[i].mean;
        test_slots_learn(f, 0, 7900000, T0);
        (void)send(s, cases[i].most, T0);
        x = score(s, &c);
        must(ilb__score_fits(s, ilb__load_relaxed(&s->load.word), &x, &c));
        x.held = ILB_HELD_CAP;
        must(!ilb__score_fits(s, ilb__load_relaxed(&s->load.word), &x, &c));
        c.figures.median_ns = 3.9e6f;
        x = score(s, &c);
        must(!ilb__score_fits(s, ilb__load_relaxed(&s->load.word), &x, &c));
        c.figures.median_ns = 4e6f;
        (void)send(s, 1, T0);
        x = score(s, &c);
        must(!ilb__score_fits(s, ilb__load_relaxed(&s->load.word), &x, &c));
    }
}
END_TEST

/* Silence: 50 ms old, three of them. */
START_TEST(silence_is_evidence)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__score_context c = context(4e6, 100e6, T0 + 50 * MS_NS);
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 6 * MS_NS, T0);
    (void)send(s, 3, T0);
    must(cost(s, c) == 200e6f);
    must(ilb__score_latency_ns(s, ilb__load_relaxed(&s->load.word), &c.figures,
                               c.now_ns) == 50e6f);
    must(is_poor(s, c) && !is_held(s, c));
    c = context(4e6, 100e6, T0 + 5 * MS_NS);
    /* The estimate, where that is more. */
    must_be_within(ilb__score_latency_ns(s, ilb__load_relaxed(&s->load.word),
                                         &c.figures, c.now_ns),
                   5.99e6, 6.01e6);
}
END_TEST

/* Up to 1.2 m (1 + 0.3 Q); in an aperture 0.3 m. */
START_TEST(enough_is_near_the_median)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__score_context c = context(5.01e6, 0, T0);
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 6 * MS_NS, T0);
    must(!is_poor(s, c));
    must(is_poor(s, context(4.99e6, 0, T0)));
    /* 24 ms: enough where ten are in flight to each. */
    (void)send(s, 3, T0);
    must(is_poor(s, c));
    c.figures.in_flight = 10;
    must(!is_poor(s, c));
    c = context(79e6, 0, T0);
    c.figures.aperture = 12;
    must(is_poor(s, c));
    c = context(81e6, 0, T0);
    c.figures.aperture = 12;
    must(!is_poor(s, c));
}
END_TEST

/* 10 medians for a certain failure, of what is more than twice p0. */
START_TEST(failures_are_priced)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__score_context c = context(4e6, 0, T0);
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 4 * MS_NS, T0);
    (void)ilb__failures_bad(&s->failures, false, T0);
    /* 4 + 10 x 4 x 0.2 */
    must_be_within(cost(s, c), 11.99e6, 12.01e6);
    must(is_poor(s, c));
    /* Up to twice what healthy peers fail is chance. */
    c.figures.p0 = 0.05f;
    must_be_within(cost(s, c), 7.99e6, 8.01e6);
    c.figures.p0 = 0.11f;
    must(cost(s, c) == 4e6f);
    c.figures.p0 = 0;
    for (int i = 0; i < 60; i++)
        (void)ilb__failures_bad(&s->failures, false, T0);
    must_be_within(cost(s, c), (1 + FAILURE_PRICE) * 3.99e6,
                   (1 + FAILURE_PRICE) * 4.001e6);
    /* It fades: 4 + 40 / e after 3 s. */
    c.now_ns = T0 + 3 * S_NS;
    must_be_within(cost(s, c), 18.6e6, 18.75e6);
    /* The median is taken for 20 us at least. */
    test_slots_learn(f, 0, 100, T0);
    must_be_within(cost(s, context(100, 0, T0)), 200000, 200110);
}
END_TEST

/* ---- Held back --------------------------------------------------------- */

START_TEST(at_its_cap)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__score_context c = context(4e6, 100e6, T0);
    ilb__slot *s = &f->slots[0];

    ilb__health_enter(&f->judge, s, 0, 1);
    test_slots_learn(f, 0, 1, T0);
    for (uint32_t i = 0; test_slots_state(f, 0) == ILB__WARMING; i++) {
        uint32_t cap = ilb__health_in_flight_cap(ilb__load_relaxed(&s->health));

        while (ilb__load_in_flight(ilb__load_relaxed(&s->load.word)) < cap) {
            must(!is_held(s, c));
            (void)send(s, 1, T0);
        }
        must(is_held(s, c));
        test_slots_good(f, 0, 1, T0);
        must(i < 100);
    }
    must(!is_held(s, c));
}
END_TEST

START_TEST(one_at_a_time_after_a_peak)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__score_context c = context(4e6, 8e6, T0);
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 4 * MS_NS, T0);
    ilb__latency_learn(&s->latency, 30 * MS_NS, 1, &c.figures, T0);
    must_eq(ilb__latency_level(&s->latency), 1);
    must(!is_held(s, c) && is_poor(s, c));
    (void)send(s, 1, T0);
    must(is_held(s, c));
    while (ilb__latency_level(&s->latency) > 0)
        ilb__latency_learn(&s->latency, 4 * MS_NS, 1, &c.figures, T0);
    must(!is_held(s, c));
}
END_TEST

START_TEST(one_at_a_time_after_a_failure)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__score_context c = context(4e6, 100e6, T0);
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 4 * MS_NS, T0);
    /* Only where a failure says something. */
    (void)ilb__failures_bad(&s->failures, true, T0);
    must(!is_held(s, c));
    (void)send(s, 1, T0);
    must(!is_held(s, c));
    suspected(s);
    must(is_held(s, c));
    ilb__failures_good(&s->failures, T0);
    must(!is_held(s, c));
    /* A refusal for load is no failure in a row. */
    (void)ilb__failures_bad(&s->failures, false, T0);
    must(!is_held(s, c));
}
END_TEST

/* For as long as the pool says. */
START_TEST(suspect_for_a_moment)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 4 * MS_NS, T0);
    (void)ilb__failures_bad(&s->failures, true, T0);
    suspected(s);
    for (uint64_t ms = 0; ms < 3000; ms += 10) {
        ilb__score_context c = context(4e6, 100e6, T0 + ms * MS_NS);

        c.figures.suspect_ns = 1500 * MS_NS;
        if (ms != 1500)
            must_eq(is_held(s, c), ms < 1500);
    }
}
END_TEST

/* An age above max(1.5 p99, 3 m, 2 ms). */
START_TEST(hanging)
{
    static const double rows[][2] = {{10, 50},    {10, 15}, {10, 21},
                                     {0.1, 0.3},  {0.9, 1}, {0.6, 1.4},
                                     {1000, 5000}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double median = rows[i][0] * 1e6, p99 = rows[i][1] * 1e6;
        double limit = HANG_P99 * p99;
        test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
        ilb__slot *s = &f->slots[0];

        limit = limit > HANG_MEDIAN * median ? limit : HANG_MEDIAN * median;
        limit = limit > HANG_MIN_NS ? limit : HANG_MIN_NS;
        (void)send(s, 1, T0);
        must(!is_held(s, context(median, p99, T0 + (uint64_t)(0.99 * limit))));
        must(is_held(s, context(median, p99, T0 + (uint64_t)(1.01 * limit))));
        /* Its first byte has come: no age any more. */
        must(ilb__load_answer(&s->load, 0, 0, T0));
        must(!is_held(s, context(median, p99, T0 + (uint64_t)(9 * limit))));
    }
}
END_TEST

/* One that waits alone for four times as long as hanging may be a long one:
 * another tries, as if it were idle. Two are no exception. */
START_TEST(one_that_waits_alone_is_asked_again)
{
    static const double medians_s[] = {0.001, 0.03, 0.05, 0.1, 4};

    for (size_t i = 0; i < 5; i++) {
        double median = medians_s[i] * 1e9, again = 12 * median;
        test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
        ilb__slot *s = &f->slots[0];
        uint64_t late_ns;

        again = again > 8e6 ? again : 8e6;
        late_ns = T0 + (uint64_t)(1.01 * again);
        test_slots_learn(f, 0, (uint64_t)median, T0);
        (void)send(s, 1, T0);
        must(is_held(s, context(median, 1, T0 + (uint64_t)(0.99 * again))));
        must(!is_held(s, context(median, 1, late_ns)));
        must_be_within(cost(s, context(median, 1, late_ns)), 0.99 * median,
                       1.01 * median);
        (void)send(s, 1, late_ns);
        must(is_held(s, context(median, 1, late_ns)));
        must(is_held(s, context(median, 1, T0 + (uint64_t)(9 * again))));
    }
}
END_TEST

/* Where later ones were answered while others wait, sooner: when it is silent
 * for longer than answers take, and the next when it has been so half as long
 * again. */
START_TEST(who_has_long_polls_is_asked_sooner)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 10 * MS_NS, T0);
    (void)send(s, 3, T0);
    must(is_held(s, context(10e6, 1, T0 + 31 * MS_NS)));
    ilb__epochs_turn(&s->overtaken, T0, 2, 3, T0);
    must(!is_held(s, context(10e6, 1, T0 + 29 * MS_NS)));
    must(!is_held(s, context(10e6, 1, T0 + 31 * MS_NS)));
    ilb__store_relaxed(&s->asked_ns, T0 + 31 * MS_NS);
    must(is_held(s, context(10e6, 1, T0 + 31 * MS_NS)));
    must(!is_held(s, context(10e6, 1, T0 + 63 * MS_NS)));
}
END_TEST

/* Nobody has answered yet: all may just be slow. */
START_TEST(nobody_hangs_before_the_first_answer)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__slot *s = &f->slots[0];

    (void)send(s, 1, T0);
    must(!is_held(s, context(0, 0, T0 + 3600 * S_NS)));
    must(cost(s, context(0, 0, T0 + 3600 * S_NS)) == 2 * 3600e9f);
}
END_TEST

/* ---- Requests in flight alone ------------------------------------------ */

START_TEST(least_request_looks_at_nothing_else)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_LEAST_REQUEST);
    ilb__score_context c = context(4e6, 8e6, T0);
    ilb__slot *s = &f->slots[0];

    c.latency = false;
    test_slots_learn(f, 0, 60 * S_NS, T0);
    (void)ilb__failures_bad(&s->failures, true, T0);
    must(cost(s, c) == 1);
    (void)send(s, 5, T0);
    c.now_ns = T0 + 90 * S_NS;
    must(cost(s, c) == 6);
    ilb__store32_relaxed(&s->weight, 5);
    c.weight_scale = 0.5f;
    must(cost(s, c) == 3);
}
END_TEST

Suite *suite_score(void)
{
    Suite *s = suite_create("score");
    TCase *tc = test_case(s, "cost");

    tcase_add_test(tc, of_two_that_are_held_back_the_better);
    tcase_add_test(tc, cost_is_latency_times_in_flight);
    tcase_add_test(tc, its_weight_is_over_the_mean_weight);
    tcase_add_test(tc, who_fits_is_taken_for_its_weight);
    tcase_add_test(tc, silence_is_evidence);
    tcase_add_test(tc, enough_is_near_the_median);
    tcase_add_test(tc, failures_are_priced);
    tc = test_case(s, "held back");
    tcase_add_test(tc, at_its_cap);
    tcase_add_test(tc, one_at_a_time_after_a_peak);
    tcase_add_test(tc, one_at_a_time_after_a_failure);
    tcase_add_test(tc, suspect_for_a_moment);
    tcase_add_test(tc, hanging);
    tcase_add_test(tc, one_that_waits_alone_is_asked_again);
    tcase_add_test(tc, who_has_long_polls_is_asked_sooner);
    tcase_add_test(tc, nobody_hangs_before_the_first_answer);
    tc = test_case(s, "least request");
    tcase_add_test(tc, least_request_looks_at_nothing_else);
    return s;
}
