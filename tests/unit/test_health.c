/* SPDX-License-Identifier: MIT */
/* health/health.h: transitions, times, the count under the cap. */
#include "health/health.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define HALF UINT32_C(0x80000000) /* random bits for no jitter */
#define ROUNDING (UINT64_C(1) << 16)

static ilb__judge judge;
static ilb__slot slots[8];

static void setup(void)
{
    ilb_options o = ILB_OPTIONS_INIT;

    memset(&judge, 0, sizeof judge);
    memset(slots, 0, sizeof slots);
    o.consecutive_failures = 3;
    o.max_ejection_percent = 50;
    o.base_ejection_time_ns = S_NS;
    o.max_ejection_time_ns = 10 * S_NS;
    ilb__judge_init(&judge, &o);
    for (int i = 0; i < 8; i++)
        ilb__health_enter(&judge, &slots[i]);
}

static enum ilb__health_state state(int i)
{
    return ilb__health_state_of(ilb__load_relaxed(&slots[i].health));
}

static uint64_t until(int i)
{
    return ilb__health_until_ns(ilb__load_relaxed(&slots[i].health));
}

static void good(int i, uint32_t times, uint64_t now_ns)
{
    while (times-- > 0)
        ilb__health_good(&judge, &slots[i], false, now_ns);
}

static void bad(int i, uint32_t row, uint64_t now_ns)
{
    ilb__health_bad(&judge, &slots[i], false, row, 8, HALF, now_ns);
}

static uint32_t n_ejected(void)
{
    return ilb__load32_relaxed(&judge.n_ejected);
}

START_TEST(twelve_good_answers_make_it_healthy)
{
    static const uint32_t caps[12] = {1, 2, 3, 4, 8, 8, 8, 8, 8, 8, 8, 8};

    setup();
    for (uint32_t i = 0; i < 12; i++) {
        must_eq(state(0), ILB__WARMING);
        must_eq(ilb__health_in_flight_cap(ilb__load_relaxed(&slots[0].health)),
                caps[i]);
        good(0, 1, T0);
    }
    must_eq(state(0), ILB__HEALTHY);
    must(ilb__health_in_flight_cap(ilb__load_relaxed(&slots[0].health)) ==
         UINT32_MAX);
    must(ilb__health_eligible(ilb__load_relaxed(&slots[0].health)));
    must_eq(state(1), ILB__WARMING);
}
END_TEST

START_TEST(the_way_round)
{
    setup();
    good(0, 12, T0);
    bad(0, 2, T0);
    must_eq(state(0), ILB__HEALTHY);
    bad(0, 3, T0);
    must_eq(state(0), ILB__EJECTED);
    must(!ilb__health_eligible(ilb__load_relaxed(&slots[0].health)));
    must_eq(n_ejected(), 1);
    must_be_within(until(0), T0 + S_NS, T0 + S_NS + ROUNDING);
    /* What ends from before changes nothing. */
    bad(0, 9, T0 + MS_NS);
    good(0, 20, T0 + MS_NS);
    ilb__health_inconclusive(&judge, &slots[0], T0);
    must_eq(state(0), ILB__EJECTED);
    must_eq(ilb__load_relaxed(&slots[0].ejections), 1);
    must(!ilb__health_claim(&judge, &slots[0], true, T0 + S_NS - 1));
    must(ilb__health_claim(&judge, &slots[0], true, until(0)));
    must_eq(state(0), ILB__PROBING);
    must_eq(n_ejected(), 1);
    /* Others' answers do not speak for the probe. */
    good(0, 20, T0 + 2 * S_NS);
    bad(0, 9, T0 + 2 * S_NS);
    must_eq(state(0), ILB__PROBING);
    ilb__health_bad(&judge, &slots[0], true, 4, 8, HALF, T0 + 2 * S_NS);
    must_eq(state(0), ILB__EJECTED);
    must_eq(n_ejected(), 1);
    must_be_within(until(0), T0 + 4 * S_NS, T0 + 4 * S_NS + ROUNDING);
    must(ilb__health_claim(&judge, &slots[0], true, until(0)));
    ilb__health_good(&judge, &slots[0], true, T0 + 5 * S_NS);
    must_eq(state(0), ILB__WARMING);
    must_eq(n_ejected(), 0);
    must_eq(until(0), 0);
}
END_TEST

START_TEST(a_probe_belongs_to_one)
{
    setup();
    bad(0, 3, T0);
    must(!ilb__health_claim(&judge, &slots[0], false, T0 + 9 * S_NS));
    must(ilb__health_claim(&judge, &slots[0], true, T0 + 9 * S_NS));
    must(!ilb__health_claim(&judge, &slots[0], true, T0 + 9 * S_NS));
    must(!ilb__health_claim(&judge, &slots[0], true, T0 + 10 * S_NS - 1));
    /* It counts as lost after as long as the ejection was. */
    must(ilb__health_claim(&judge, &slots[0], true, until(0)));
    ilb__health_inconclusive(&judge, &slots[0], T0 + 20 * S_NS);
    must_eq(state(0), ILB__EJECTED);
    must_be_within(until(0), T0 + 20 * S_NS, T0 + 20 * S_NS + ROUNDING);
    must_eq(ilb__load_relaxed(&slots[0].ejections), 1);
    must_eq(n_ejected(), 1);
    must(!ilb__health_claim(&judge, &slots[1], true, T0 + 90 * S_NS));
}
END_TEST

START_TEST(a_search_is_one_callers_and_only_when_one_is_due)
{
    setup();
    must(!ilb__judge_due(&judge, UINT64_MAX - 1));
    bad(0, 3, T0);
    bad(1, 3, T0 + 500 * MS_NS);
    must(!ilb__judge_due(&judge, T0 + S_NS - 1));
    must(!ilb__judge_begin_search(&judge, T0 + S_NS - 1));
    must(ilb__judge_due(&judge, T0 + S_NS + ROUNDING));
    must(ilb__judge_begin_search(&judge, T0 + S_NS + ROUNDING));
    must(!ilb__judge_begin_search(&judge, T0 + S_NS + ROUNDING));
    must(ilb__health_claim(&judge, &slots[0], true, T0 + S_NS + ROUNDING));
    /* The other one is noted in passing. */
    must(!ilb__judge_due(&judge, T0 + S_NS + 400 * MS_NS));
    must(!ilb__health_claim(&judge, &slots[1], false, T0 + S_NS + ROUNDING));
    must(!ilb__judge_due(&judge, T0 + S_NS + 400 * MS_NS));
    must(ilb__judge_due(&judge, T0 + S_NS + 501 * MS_NS));
}
END_TEST

/* A search through a table that is replaced meanwhile passes some by. */
START_TEST(who_was_missed_is_looked_for_again)
{
    setup();
    bad(0, 3, T0);
    must(ilb__judge_begin_search(&judge, T0 + 2 * S_NS));
    must(!ilb__judge_due(&judge, T0 + 2 * S_NS));
    must(ilb__judge_due(&judge, T0 + 3 * S_NS));
    ilb__judge_search_again(&judge, T0 + 2 * S_NS);
    must(ilb__judge_due(&judge, T0 + 2 * S_NS));
    must(ilb__judge_begin_search(&judge, T0 + 2 * S_NS));
    must(ilb__health_claim(&judge, &slots[0], true, T0 + 2 * S_NS));
    ilb__health_good(&judge, &slots[0], true, T0 + 2 * S_NS);
    /* Nobody is ejected any more: the search that comes is the last. */
    must(ilb__judge_begin_search(&judge, T0 + 9 * S_NS));
    must(!ilb__judge_due(&judge, UINT64_MAX - 1));
}
END_TEST

START_TEST(one_that_is_out_stays_out)
{
    setup();
    bad(0, 3, T0);
    bad(1, 3, T0);
    must(ilb__health_claim(&judge, &slots[1], true, T0 + 9 * S_NS));
    for (int i = 0; i < 3; i++) {
        ilb__health_leave(&judge, &slots[i]);
        must_eq(state(i), ILB__OUT);
        ilb__health_leave(&judge, &slots[i]);
        good(i, 20, T0);
        bad(i, 9, T0);
        ilb__health_good(&judge, &slots[i], true, T0);
        ilb__health_bad(&judge, &slots[i], true, 9, 8, HALF, T0);
        ilb__health_inconclusive(&judge, &slots[i], T0);
        must(!ilb__health_claim(&judge, &slots[i], true, T0 + 90 * S_NS));
        must_eq(state(i), ILB__OUT);
    }
    must_eq(n_ejected(), 0);
}
END_TEST

/* ---- Times ------------------------------------------------------------- */

/* The k-th ejection in a row, with these bits. */
static double ejection(uint32_t k, uint32_t bits)
{
    uint64_t now_ns = T0;

    setup();
    bad(0, 3, now_ns);
    for (uint32_t i = 2; i < k; i++) {
        now_ns = until(0);
        must(ilb__health_claim(&judge, &slots[0], true, now_ns));
        ilb__health_bad(&judge, &slots[0], true, 9, 8, HALF, now_ns);
    }
    if (k > 1) {
        now_ns = until(0);
        must(ilb__health_claim(&judge, &slots[0], true, now_ns));
        ilb__health_bad(&judge, &slots[0], true, 9, 8, bits, now_ns);
    }
    return (double)(until(0) - now_ns) / S_NS;
}

START_TEST(times_double_up_to_the_maximum)
{
    static const double expected[] = {2, 4, 8, 10, 10, 10};

    for (uint32_t k = 2; k < 8; k++) {
        double s = expected[k - 2];

        must_be_within(ejection(k, HALF), s, s + 1e-4);
        must_be_within(ejection(k, 0), 0.8 * s, 0.8 * s + 1e-4);
        must_be_within(ejection(k, UINT32_MAX), s < 9 ? 1.1999 * s : s,
                       (s < 8   ? 1.2 * s
                        : s < 9 ? 9.6
                                : 10) +
                           1e-4);
    }
    /* Also when the level can be counted no further. */
    must_be_within(ejection(60, HALF), 10, 10 + 1e-4);
}
END_TEST

START_TEST(times_never_overflow)
{
    static const uint64_t now[] = {1, T0, UINT64_C(1) << 58, UINT64_MAX - 5,
                                   UINT64_MAX};

    for (size_t i = 0; i < sizeof now / sizeof now[0]; i++) {
        setup();
        judge.base_ejection_time_ns = UINT64_C(3) << 61;
        judge.max_ejection_time_ns = UINT64_MAX;
        bad(0, 3, now[i]);
        must(until(0) >= now[i] || until(0) > UINT64_MAX - ROUNDING);
        must(until(0) > UINT64_C(1) << 62);
        ilb__health_inconclusive(&judge, &slots[0], now[i]);
        must_eq(state(0), ILB__EJECTED);
    }
}
END_TEST

/* Rounded up by less than the unit, never down: not due before its time. */
START_TEST(until_is_rounded_up)
{
    uint64_t random = 1;

    for (int i = 0; i < 100000; i++) {
        uint64_t now_ns = test_random(&random) >> (1 + (uint32_t)i % 30);

        setup();
        judge.base_ejection_time_ns = 1 + (uint64_t)i % 3;
        bad(0, 3, now_ns);
        must(until(0) >= now_ns + (uint64_t)(i % 3));
        must(until(0) - now_ns <= 4 + ROUNDING);
    }
}
END_TEST

/* 30 s of health for each level, by answers. */
START_TEST(levels_fall_one_by_one)
{
    uint64_t now_ns = T0;

    setup();
    bad(0, 3, now_ns);
    for (int i = 0; i < 2; i++) {
        now_ns = until(0);
        must(ilb__health_claim(&judge, &slots[0], true, now_ns));
        ilb__health_bad(&judge, &slots[0], true, 9, 8, HALF, now_ns);
    }
    now_ns = until(0);
    must(ilb__health_claim(&judge, &slots[0], true, now_ns));
    ilb__health_good(&judge, &slots[0], true, now_ns);
    good(0, 12, now_ns);
    /* Level 3: 90 s, then 60, then 30. */
    for (uint64_t s = 90; s > 0; s -= 30) {
        must_be_within(until(0), now_ns + s * S_NS,
                       now_ns + s * S_NS + ROUNDING);
        good(0, 5, until(0) - 1);
        must_be_within(until(0), now_ns + s * S_NS,
                       now_ns + s * S_NS + ROUNDING);
        now_ns = until(0);
        good(0, 1, now_ns);
    }
    must_eq(until(0), 0);
    bad(0, 3, now_ns);
    must_be_within(until(0), now_ns + S_NS, now_ns + S_NS + ROUNDING);
}
END_TEST

/* ---- The cap ----------------------------------------------------------- */

START_TEST(random_events_keep_the_count)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        uint64_t random = seed, now_ns = T0;

        setup();
        for (int step = 0; step < 400; step++) {
            int i = (int)test_below(&random, 8);
            bool probe = state(i) == ILB__PROBING && test_below(&random, 2);
            uint32_t out = 0, what = test_below(&random, 12);

            now_ns += test_random(&random) % (400 * MS_NS);
            if (what < 4)
                ilb__health_bad(&judge, &slots[i], probe,
                                test_below(&random, 5), 8,
                                (uint32_t)test_random(&random), now_ns);
            else if (what < 8)
                ilb__health_good(&judge, &slots[i], probe, now_ns);
            else if (what == 8)
                ilb__health_leave(&judge, &slots[i]);
            else if (what == 9 && state(i) == ILB__OUT)
                ilb__health_enter(&judge, &slots[i]);
            else if (what == 10)
                (void)ilb__health_claim(&judge, &slots[i], true, now_ns);
            else if (probe)
                ilb__health_inconclusive(&judge, &slots[i], now_ns);
            for (int k = 0; k < 8; k++)
                out += state(k) == ILB__EJECTED || state(k) == ILB__PROBING;
            must_eq(n_ejected(), out);
            must(out <= 4);
        }
    }
}
END_TEST

START_TEST(the_cap_is_enforced_one_by_one)
{
    setup();
    for (int i = 0; i < 8; i++)
        bad(i, 3, T0);
    must_eq(n_ejected(), 4);
    must(ilb__health_claim(&judge, &slots[1], true, T0 + 9 * S_NS));
    for (int i = 0; i < 8; i++)
        ilb__health_enforce_cap(&judge, &slots[i], 8);
    must_eq(n_ejected(), 4);
    for (int i = 0; i < 8; i++)
        ilb__health_enforce_cap(&judge, &slots[i], 5);
    must_eq(n_ejected(), 2);
    must_eq(state(0), ILB__WARMING);
    must_eq(state(1), ILB__WARMING);
    must_eq(state(2), ILB__EJECTED);
    for (int i = 0; i < 8; i++)
        ilb__health_enforce_cap(&judge, &slots[i], 1);
    must_eq(n_ejected(), 0);
}
END_TEST

Suite *suite_health(void)
{
    Suite *s = suite_create("health");
    TCase *tc = test_case(s, "transitions");

    tcase_add_test(tc, twelve_good_answers_make_it_healthy);
    tcase_add_test(tc, the_way_round);
    tcase_add_test(tc, a_probe_belongs_to_one);
    tcase_add_test(tc, a_search_is_one_callers_and_only_when_one_is_due);
    tcase_add_test(tc, who_was_missed_is_looked_for_again);
    tcase_add_test(tc, one_that_is_out_stays_out);
    tc = test_case(s, "times");
    tcase_add_test(tc, times_double_up_to_the_maximum);
    tcase_add_test(tc, times_never_overflow);
    tcase_add_test(tc, until_is_rounded_up);
    tcase_add_test(tc, levels_fall_one_by_one);
    tc = test_case(s, "cap");
    tcase_add_test(tc, random_events_keep_the_count);
    tcase_add_test(tc, the_cap_is_enforced_one_by_one);
    return s;
}
