/* SPDX-License-Identifier: MIT */
/* health/capacity.h: who is needed. What the latency detector asks for is also
 * in test_slow.c. */
#include "health/capacity.h"
#include "slots.h"
#include "suites_internal.h"

#define T0 (1000 * S_NS)
#define ASKED ILB_DETECTOR_RETRY_AFTER
#define SLOW ILB_DETECTOR_LATENCY

static ilb__figures loaded(void)
{
    ilb__figures figures = test_figures(50e6, 100e6);

    figures.rate_per_s = 100;
    figures.overloaded = false;
    return figures;
}

static bool needs(test_slots *f, ilb_detector by, uint32_t n_ready,
                  const ilb__figures *figures)
{
    const ilb__demand d = {by, n_ready, 0};

    return ilb__capacity_needs(&f->judge, &f->slots[1], &d, figures);
}

/* It has refused so many in a row, each after its hold was over. */
static void refuse(test_slots *f, uint32_t row)
{
    for (uint32_t i = 0; i < row; i++)
        ilb__refusals_add(&f->slots[1].refusals, 0, 0, T0 + i * 10 * S_NS);
}

/* One that asks may go; more only while they are an eighth, this one counted:
 * the greatest set where it is needed. */
START_TEST(of_those_that_ask_an_eighth)
{
    static const struct {
        uint32_t n_ejected, n_ready;
    } rows[] = {{1, 15}, {2, 23}, {3, 31}, {12, 103}, {199, 1599}};
    test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
    ilb__figures figures = loaded();

    for (uint32_t n = 1; n <= 100; n++)
        must(!needs(f, ASKED, n, &figures));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ilb__store32_relaxed(&f->judge.n_ejected, rows[i].n_ejected);
        must(needs(f, ASKED, rows[i].n_ready, &figures));
        must(!needs(f, ASKED, rows[i].n_ready + 1, &figures));
        /* Of one that is slow its share says more. */
        must(!needs(f, SLOW, rows[i].n_ready, &figures));
    }
}
END_TEST

START_TEST(nobody_while_the_others_suffer)
{
    test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
    ilb__figures figures = loaded();

    figures.overloaded = true;
    must(needs(f, ASKED, 100, &figures));
    must(needs(f, SLOW, 100, &figures));
}
END_TEST

START_TEST(not_before_the_load_is_known)
{
    test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
    ilb__figures figures = loaded();

    ilb__store32_relaxed(&f->judge.n_ejected, 2);
    must(needs(f, ASKED, 4, &figures));
    figures.rate_per_s = 0;
    must(!needs(f, ASKED, 4, &figures));
}
END_TEST

/* Who refused three times, and now again, carries nothing. */
START_TEST(not_who_only_refuses)
{
    for (uint32_t row = 0; row <= 5; row++) {
        test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
        ilb__figures figures = loaded();

        figures.overloaded = row % 2 == 1;
        ilb__store32_relaxed(&f->judge.n_ejected, 2);
        refuse(f, row);
        must_eq(needs(f, ASKED, 4, &figures), row < 3);
        ilb__refusals_end(&f->slots[1].refusals);
        must(needs(f, ASKED, 4, &figures));
    }
}
END_TEST

/* Refused, it is held back as if it had not said when: for 50 ms, not for the
 * minute that it asked for; where the cap has no place, for the minute. */
START_TEST(then_its_hold_is_ordinary)
{
    for (int by_cap = 0; by_cap <= 1; by_cap++) {
        test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
        ilb__failing x = test_failing(1, 0, 0, 4);
        ilb__a64 *word = &f->slots[1].refusals;

        x.refused = true;
        x.retry_after_ns = 60 * S_NS;
        f->judge.max_retry_after_ns = 300 * S_NS;
        f->judge.max_ejection_percent = 100;
        if (by_cap)
            f->judge.min_endpoints = 4;
        else
            ilb__store32_relaxed(&f->judge.n_ejected, 1);
        must(!test_slots_bad(f, 1, false, x, T0));
        must_eq(test_slots_state(f, 1), ILB__HEALTHY);
        must(ilb__refusals_hold(word, 300 * S_NS, T0 + 49 * MS_NS));
        must_eq(ilb__refusals_hold(word, 300 * S_NS, T0 + 63 * MS_NS), by_cap);
        must_eq(ilb__refusals_hold(word, 300 * S_NS, T0 + 59 * S_NS), by_cap);
    }
}
END_TEST

Suite *suite_capacity(void)
{
    Suite *s = suite_create("capacity");
    TCase *tc = test_case(s, "capacity");

    tcase_add_test(tc, of_those_that_ask_an_eighth);
    tcase_add_test(tc, nobody_while_the_others_suffer);
    tcase_add_test(tc, not_before_the_load_is_known);
    tcase_add_test(tc, not_who_only_refuses);
    tcase_add_test(tc, then_its_hold_is_ordinary);
    return s;
}
