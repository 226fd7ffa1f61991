/* SPDX-License-Identifier: MIT */
/* health/health.h: how long an ejection lasts, and how its level grows and
 * falls. */
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

/* As the header says; the steps of the ladder are in util.h. */
#define LEVEL_DECAY_S 30
#define LEVEL_MAX 31

/* What is left of an ejection, in seconds. */
static double left_s(const test_slots *f, uint64_t now_ns)
{
    return (double)(test_slots_until(f, 0) - now_ns) / 1e9;
}

/* Base 1 s, at most 10 s. */
static double ladder_s(uint32_t level)
{
    return test_ladder(level);
}

/* As long as it should be, rounded up. */
#define must_last_s(x, s) must_be_within(x, (s)-1e-6, (s) + 1e-4)

/* ---- How long ---------------------------------------------------------- */

START_TEST(failed_probes_climb_the_ladder)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns = T0;

    test_slots_eject(f, 0, now_ns);
    for (uint32_t level = 1; level < LEVEL_MAX + 20; level++) {
        must_last_s(left_s(f, now_ns), ladder_s(level));
        must_eq(ilb__load_relaxed(&f->slots[0].ejections), level);
        now_ns = test_slots_fail_probe(f, 0, SLOTS_NO_JITTER);
    }
}
END_TEST

/* Evenly, 10 % to either side; but never above the maximum. */
START_TEST(chance_makes_it_longer_or_shorter)
{
    for (uint32_t k = 0; k < 20; k++)
        for (uint32_t part = 0; part <= 16; part++) {
            uint32_t bits = part == 16 ? UINT32_MAX : part << 28;
            test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
            double s = ladder_s(k + 2), most = k < 10 ? 10 : 2.6;
            uint64_t now_ns;

            f->judge.max_ejection_time_ns = (uint64_t)(most * 1e9);
            test_slots_eject(f, 0, T0);
            for (uint32_t i = 0; i < k; i++)
                (void)test_slots_fail_probe(f, 0, SLOTS_NO_JITTER);
            now_ns = test_slots_fail_probe(f, 0, bits);
            s = s < most ? s : most;
            s *= 1 - TEST_JITTER + 2 * TEST_JITTER * part / 16;
            must_last_s(left_s(f, now_ns), s < most ? s : most);
        }
}
END_TEST

/* A probe is at most one in so many requests: at level 1, 2, and from 3 on. */
START_TEST(with_few_requests_it_is_longer)
{
    static const float rates[] = {0, 1, 20, 50, 100, 200, 1000};

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
        ilb__figures figures = test_figures(0, 0);
        ilb__failing x = test_failing(SLOTS_CONSECUTIVE, 0, 0, 9);
        uint64_t now_ns = T0;

        figures.rate_per_s = rates[i];
        f->judge.max_ejection_time_ns = 20 * S_NS;
        for (uint32_t level = 1; level <= 12; level++) {
            double few = rates[i] > 0
                             ? TEST_PROBE_REQUESTS * (level < 3 ? level : 3) /
                                   (double)rates[i]
                             : 0; /* not known yet */
            double s = ladder_s(level) > few ? ladder_s(level) : few;

            must(ilb__health_bad(&f->judge, &f->slots[0], level > 1, &x,
                                 &figures, now_ns));
            must_last_s(left_s(f, now_ns), s < 20 ? s : 20);
            now_ns = test_slots_until(f, 0);
            must(ilb__health_claim(&f->judge, &f->slots[0], true, now_ns,
                                   now_ns));
        }
    }
}
END_TEST

/* ---- Levels ------------------------------------------------------------ */

/* Its probe was good and it fails again: its probes say little. */
START_TEST(who_fails_soon_after_its_return_is_kept_longer)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns;

    test_slots_eject(f, 0, T0);
    for (uint32_t k = 0; k < 5; k++) {
        const uint32_t levels[] = {4, 7, TEST_LADDER_LONGER, 10, 11};
        uint32_t level = levels[k];

        now_ns = test_slots_return(f, 0);
        test_slots_eject(f, 0, now_ns);
        must_last_s(left_s(f, now_ns), ladder_s(level));
    }
    /* Also from a higher level, by one. */
    f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    test_slots_eject(f, 0, T0);
    for (uint32_t level = 2; level < TEST_LADDER_LONGER + 2; level++)
        now_ns = test_slots_fail_probe(f, 0, SLOTS_NO_JITTER);
    now_ns = test_slots_return(f, 0);
    test_slots_eject(f, 0, now_ns);
    must_last_s(left_s(f, now_ns), ladder_s(TEST_LADDER_LONGER + 2));
}
END_TEST

static uint32_t level_of(const test_slots *f)
{
    return (uint32_t)(ilb__load_relaxed(&f->slots[0].health) >> 3) & 31;
}

/* Before its time: whatever comes of it, the level stays. */
START_TEST(an_early_probe_leaves_the_level)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__failing x = test_failing(1, 0, 0, SLOTS);
    uint64_t now_ns = T0 + 100 * MS_NS;

    test_slots_eject(f, 0, T0);
    (void)test_slots_fail_probe(f, 0, SLOTS_NO_JITTER);
    for (uint32_t i = 0; i < 10; i++) {
        must(ilb__health_claim_early(&f->judge, &f->slots[0], now_ns));
        must(!ilb__health_claim_early(&f->judge, &f->slots[0], now_ns));
        if (i % 2 == 0)
            must(test_slots_bad(f, 0, true, x, now_ns));
        else
            must(ilb__health_inconclusive(&f->judge, &f->slots[0], now_ns));
        must_eq(test_slots_state(f, 0), ILB__EJECTED);
        must_eq(level_of(f), 2);
    }
    /* It was lost, and an ordinary one follows. */
    must(ilb__health_claim_early(&f->judge, &f->slots[0], now_ns));
    (void)test_slots_fail_probe(f, 0, SLOTS_NO_JITTER);
    must_eq(level_of(f), 3);
    now_ns = test_slots_until(f, 0) - MS_NS;
    must(ilb__health_claim_early(&f->judge, &f->slots[0], now_ns));
    ilb__health_good(&f->judge, &f->slots[0], true, now_ns);
    must_eq(test_slots_state(f, 0), ILB__WARMING);
    must_eq(level_of(f), 3);
}
END_TEST

/* 30 s of health times the level, for each; by answers, not by time. */
START_TEST(levels_fall_one_by_one)
{
    for (uint32_t level = 1; level < 12; level++) {
        test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
        uint64_t now_ns;

        test_slots_eject(f, 0, T0);
        for (uint32_t i = 1; i < level; i++)
            (void)test_slots_fail_probe(f, 0, SLOTS_NO_JITTER);
        now_ns = test_slots_return(f, 0);
        while (test_slots_state(f, 0) != ILB__HEALTHY)
            test_slots_good(f, 0, 1, now_ns);
        for (uint32_t left = level; left > 0; left--) {
            must_last_s(left_s(f, now_ns), LEVEL_DECAY_S * left);
            test_slots_good(f, 0, 50, test_slots_until(f, 0) - 1);
            must_last_s(left_s(f, now_ns), LEVEL_DECAY_S * left);
            /* However late, one at a time. */
            now_ns = test_slots_until(f, 0) + 1000 * S_NS;
            test_slots_good(f, 0, 1, now_ns);
        }
        must_eq(test_slots_until(f, 0), 0);
        test_slots_good(f, 0, 50, now_ns + 9999 * S_NS);
        test_slots_eject(f, 0, now_ns);
        must_last_s(left_s(f, now_ns), ladder_s(1));
    }
}
END_TEST

/* ---- The range of the clock -------------------------------------------- */

START_TEST(times_never_overflow)
{
    static const uint64_t now[] = {1, T0, UINT64_C(1) << 58, UINT64_MAX - 5,
                                   UINT64_MAX};

    for (size_t i = 0; i < sizeof now / sizeof now[0]; i++)
        for (int huge = 0; huge < 2; huge++) {
            test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);

            if (huge) {
                f->judge.base_ejection_time_ns = UINT64_C(3) << 61;
                f->judge.max_ejection_time_ns = UINT64_MAX;
            }
            test_slots_eject(f, 0, now[i]);
            must(test_slots_until(f, 0) >= now[i] ||
                 test_slots_until(f, 0) > UINT64_MAX - SLOTS_ROUNDING_NS);
            must(!huge || test_slots_until(f, 0) > UINT64_C(1) << 62);
            ilb__health_inconclusive(&f->judge, &f->slots[0], now[i]);
            must_eq(test_slots_state(f, 0), ILB__EJECTED);
        }
}
END_TEST

/* Rounded up by less than the unit, never down: not due before its time. */
START_TEST(until_is_rounded_up)
{
    uint64_t random = 1;

    for (int i = 0; i < 3000; i++) {
        uint64_t now_ns = test_random(&random) >> (1 + (uint32_t)i % 30);
        test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);

        f->judge.base_ejection_time_ns = 1 + (uint64_t)i % 3;
        f->judge.max_ejection_time_ns = 3;
        test_slots_eject(f, 0, now_ns);
        must(test_slots_until(f, 0) >= now_ns + (uint64_t)(i % 3));
        must(test_slots_until(f, 0) - now_ns <= 4 + SLOTS_ROUNDING_NS);
    }
}
END_TEST

Suite *suite_health_times(void)
{
    Suite *s = suite_create("health times");
    TCase *tc = test_case(s, "how long");

    tcase_add_test(tc, failed_probes_climb_the_ladder);
    tcase_add_test(tc, chance_makes_it_longer_or_shorter);
    tcase_add_test(tc, with_few_requests_it_is_longer);
    tc = test_case(s, "levels");
    tcase_add_test(tc, who_fails_soon_after_its_return_is_kept_longer);
    tcase_add_test(tc, an_early_probe_leaves_the_level);
    tcase_add_test(tc, levels_fall_one_by_one);
    tc = test_case(s, "range");
    tcase_add_test(tc, times_never_overflow);
    tcase_add_test(tc, until_is_rounded_up);
    return s;
}
