/* SPDX-License-Identifier: MIT */
/* select/pool.h and select/score.h. */
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

static float median(test_slots *f, uint64_t now_ns)
{
    ilb__view v = ilb__table_view(&f->table);

    ilb__pool_refresh(&f->selector.pool, f->slots, &v, now_ns);
    return ilb__pool_median_ns(&f->selector.pool);
}

/* ---- The pool's median ------------------------------------------------- */

START_TEST(the_lower_middle)
{
    for (uint32_t n = 1; n <= 20; n++) {
        test_slots *f = test_slots_new(n, ILB_POLICY_PEAK_EWMA);

        /* n, n - 1, ... 1 ms, in an order that is not sorted. */
        for (uint32_t i = 0; i < n; i++)
            test_slots_learn(f, i * 7 % n == i || n % 7 ? i * 7 % n : i,
                             (n - i) * MS_NS, T0);
        for (uint32_t i = 0; i < n; i++)
            must(ilb__latency_estimate_ns(&f->slots[i].latency) > 0);
        must_be_within(median(f, T0), ((n + 1) / 2) * MS_NS,
                       ((n + 1) / 2) * MS_NS);
    }
}
END_TEST

START_TEST(who_is_not_known_or_ejected_does_not_count)
{
    test_slots *f = test_slots_new(6, ILB_POLICY_PEAK_EWMA);

    must(median(f, T0) == 0);
    for (uint32_t i = 0; i < 4; i++)
        test_slots_learn(f, i, (i + 1) * MS_NS, T0);
    must(median(f, T0 + S_NS) == 2e6f);
    test_slots_eject(f, 0, T0);
    test_slots_eject(f, 1, T0);
    must(median(f, T0 + 2 * S_NS) == 3e6f);
    test_slots_eject(f, 2, T0);
    test_slots_eject(f, 3, T0);
    /* Nobody left to ask: the last known stays. */
    must(median(f, T0 + 3 * S_NS) == 3e6f);
}
END_TEST

START_TEST(it_is_refreshed_ten_times_a_second)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);

    test_slots_learn(f, 0, MS_NS, T0);
    must(median(f, T0) == 1e6f);
    test_slots_learn(f, 0, 5 * MS_NS, T0);
    must(median(f, T0 + 99 * MS_NS) == 1e6f);
    must(median(f, T0 + 100 * MS_NS) == 5e6f);
}
END_TEST

/* A wrong clock once must not stop it for ever. */
START_TEST(a_stamp_in_the_future_does_not_stop_it)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);

    test_slots_learn(f, 0, MS_NS, T0);
    must(median(f, UINT64_MAX) == 1e6f);
    test_slots_learn(f, 0, 5 * MS_NS, T0);
    must(median(f, T0) == 5e6f);
    test_slots_learn(f, 0, 25 * MS_NS, T0);
    /* Callers whose clocks are a moment apart are no reason. */
    must(median(f, T0 - S_NS) == 5e6f);
    must(median(f, T0 + 100 * MS_NS) == 25e6f);
}
END_TEST

START_TEST(the_first_answer_stands_in)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);
    ilb__pool *p = &f->selector.pool;

    must(ilb__pool_median_ns(p) == 0);
    ilb__pool_seed(p, 7 * MS_NS);
    must(ilb__pool_median_ns(p) == 7e6f);
    ilb__pool_seed(p, 9 * MS_NS);
    must(ilb__pool_median_ns(p) == 7e6f);
}
END_TEST

/* Of more than 64, some evenly over the whole table. */
START_TEST(of_many_a_spread_sample)
{
    for (uint32_t n = 60; n <= SLOTS; n += 7) {
        test_slots *f = test_slots_new(n, ILB_POLICY_PEAK_EWMA);

        for (uint32_t i = 0; i < n; i++)
            test_slots_learn(f, i, (i + 1) * MS_NS, T0);
        must_be_within(median(f, T0), (0.45 * n - 3) * MS_NS,
                       (0.55 * n + 3) * MS_NS);
    }
}
END_TEST

/* ---- The score --------------------------------------------------------- */

static ilb__score score(const ilb__slot *slot, float median_ns, float scale,
                        bool latency, uint64_t now_ns)
{
    ilb__score_context c = {now_ns, median_ns, scale, latency};

    return ilb__score_of(slot, ilb__load_relaxed(&slot->load.word),
                         ilb__load_relaxed(&slot->health), &c);
}

static void in_flight(ilb__slot *slot, uint32_t n, uint64_t now_ns)
{
    uint32_t parity;

    while (n-- > 0)
        must(ilb__load_take(&slot->load, ilb__load_relaxed(&slot->load.word), 0,
                            now_ns, &parity));
}

START_TEST(cost_is_latency_times_in_flight)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__slot *s = &f->slots[0];

    must(score(s, 0, 0, true, T0).cost == 1);
    must(score(s, 4e6f, 0, true, T0).cost == 4e6f);
    test_slots_learn(f, 0, 6 * MS_NS, T0);
    must(score(s, 4e6f, 0, true, T0).cost == 6e6f);
    in_flight(s, 3, T0);
    must(score(s, 4e6f, 0, true, T0).cost == 24e6f);
    must(!score(s, 4e6f, 0, true, T0).poor);
    must(score(s, 2.9e6f, 0, true, T0).poor);
    /* Its weight over the mean weight: 3 of 1.5. */
    ilb__store32_relaxed(&s->weight, 3);
    must_be_within(score(s, 4e6f, 1 / 1.5f, true, T0).cost, 14.99e6, 15.01e6);
    /* Silence: 50 ms old. */
    must(score(s, 4e6f, 0, true, T0 + 50 * MS_NS).cost == 200e6f);
    must(score(s, 4e6f, 0, true, T0 + 50 * MS_NS).poor);
}
END_TEST

START_TEST(failures_cost_ten_medians)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 4 * MS_NS, T0);
    (void)ilb__failures_bad(&s->failures, true, T0);
    must_be_within(score(s, 4e6f, 0, true, T0).cost, 11.99e6, 12.01e6);
    must(score(s, 4e6f, 0, true, T0).poor);
    for (int i = 0; i < 60; i++)
        (void)ilb__failures_bad(&s->failures, true, T0);
    must_be_within(score(s, 4e6f, 0, true, T0).cost, 43.9e6, 44.01e6);
    /* The median is taken for 1 us at least. */
    test_slots_learn(f, 0, 100, T0);
    must_be_within(score(s, 100, 0, true, T0).cost, 10000, 10110);
}
END_TEST

START_TEST(at_its_cap_any_other_is_better)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__slot *s = &f->slots[0];

    ilb__health_enter(&f->judge, s);
    test_slots_learn(f, 0, 1, T0);
    must(!score(s, 4e6f, 0, true, T0).poor);
    in_flight(s, 1, T0);
    /* Of 1 ns: still dearer than an answer that takes a week. */
    must(score(s, 4e6f, 0, true, T0).cost > 7 * 86400e9f);
    must(score(s, 4e6f, 0, true, T0).poor);
    ilb__health_good(&f->judge, s, false, T0);
    must(score(s, 4e6f, 0, true, T0).cost < 1e9f);
}
END_TEST

START_TEST(least_request_looks_at_nothing_else)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_LEAST_REQUEST);
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 60 * S_NS, T0);
    (void)ilb__failures_bad(&s->failures, true, T0);
    must(score(s, 4e6f, 0, false, T0).cost == 1);
    in_flight(s, 5, T0);
    must(score(s, 4e6f, 0, false, T0 + 90 * S_NS).cost == 6);
    must(!score(s, 4e6f, 0, false, T0).poor);
    ilb__store32_relaxed(&s->weight, 5);
    must(score(s, 4e6f, 0.5f, false, T0).cost == 3);
}
END_TEST

Suite *suite_pool(void)
{
    Suite *s = suite_create("pool");
    TCase *tc = test_case(s, "median");

    tcase_add_test(tc, the_lower_middle);
    tcase_add_test(tc, who_is_not_known_or_ejected_does_not_count);
    tcase_add_test(tc, it_is_refreshed_ten_times_a_second);
    tcase_add_test(tc, a_stamp_in_the_future_does_not_stop_it);
    tcase_add_test(tc, the_first_answer_stands_in);
    tcase_add_test(tc, of_many_a_spread_sample);
    tc = test_case(s, "score");
    tcase_add_test(tc, cost_is_latency_times_in_flight);
    tcase_add_test(tc, failures_cost_ten_medians);
    tcase_add_test(tc, at_its_cap_any_other_is_better);
    tcase_add_test(tc, least_request_looks_at_nothing_else);
    return s;
}
