/* SPDX-License-Identifier: MIT */
/* health/health.h: the transitions and the probes. Who is ejected is in
 * test_health_judge.c, for how long in test_health_times.c, how many at once in
 * test_health_cap.c. */
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define N 8

/* As the header says. */
#define GOOD_TO_HEALTHY 12
#define SEARCH_AGAIN_NS S_NS

/* Of eight endpoints half can be ejected. */
static test_slots *fixture(void)
{
    test_slots *f = test_slots_new(N, ILB_POLICY_PEAK_EWMA);

    f->judge.max_ejection_percent = 50;
    return f;
}

static uint64_t word(const test_slots *f, uint32_t i)
{
    return ilb__load_relaxed(&f->slots[i].health);
}

static uint32_t n_ejected(const test_slots *f)
{
    return ilb__load32_relaxed(&f->judge.n_ejected);
}

static bool fails(test_slots *f, uint32_t i, uint64_t now_ns)
{
    return test_slots_bad(f, i, false, test_failing(SLOTS_CONSECUTIVE, 0, 0, N),
                          now_ns);
}

/* ---- Transitions ------------------------------------------------------- */

START_TEST(twelve_good_answers_make_it_healthy)
{
    static const uint32_t caps[GOOD_TO_HEALTHY] = {1, 2, 3, 4, 8, 8,
                                                   8, 8, 8, 8, 8, 8};
    test_slots *f = fixture();

    ilb__health_enter(&f->judge, &f->slots[0], 0, 1);
    for (uint32_t i = 0; i < GOOD_TO_HEALTHY; i++) {
        must_eq(test_slots_state(f, 0), ILB__WARMING);
        must(ilb__health_eligible(word(f, 0)));
        must_eq(ilb__health_in_flight_cap(word(f, 0)), caps[i]);
        test_slots_good(f, 0, 1, T0);
    }
    must_eq(test_slots_state(f, 0), ILB__HEALTHY);
    must(ilb__health_in_flight_cap(word(f, 0)) == UINT32_MAX);
    must(ilb__health_eligible(word(f, 0)));
    test_slots_good(f, 0, 100, T0);
    must_eq(test_slots_state(f, 0), ILB__HEALTHY);
}
END_TEST

START_TEST(the_way_round)
{
    test_slots *f = fixture();

    must(fails(f, 0, T0));
    must_eq(test_slots_state(f, 0), ILB__EJECTED);
    must(!ilb__health_eligible(word(f, 0)));
    must_eq(n_ejected(f), 1);
    must_eq(ilb__load_relaxed(&f->slots[0].ejections), 1);
    /* What ends from before changes nothing. */
    must(!fails(f, 0, T0 + MS_NS));
    test_slots_good(f, 0, 20, T0 + MS_NS);
    ilb__health_inconclusive(&f->judge, &f->slots[0], T0);
    must_eq(test_slots_state(f, 0), ILB__EJECTED);
    must(!ilb__health_claim(&f->judge, &f->slots[0], true,
                            test_slots_until(f, 0) - 1,
                            test_slots_until(f, 0) - 1));
    must(ilb__health_claim(&f->judge, &f->slots[0], true,
                           test_slots_until(f, 0), test_slots_until(f, 0)));
    must_eq(test_slots_state(f, 0), ILB__PROBING);
    must(!ilb__health_eligible(word(f, 0)));
    must_eq(n_ejected(f), 1);
    /* Others' answers do not speak for the probe. */
    test_slots_good(f, 0, 20, T0 + 2 * S_NS);
    must(!fails(f, 0, T0 + 2 * S_NS));
    must_eq(test_slots_state(f, 0), ILB__PROBING);
    must(test_slots_bad(f, 0, true, test_failing(1, 0, 0, N), T0 + 2 * S_NS));
    must_eq(test_slots_state(f, 0), ILB__EJECTED);
    must_eq(n_ejected(f), 1);
    must_eq(ilb__load_relaxed(&f->slots[0].ejections), 2);
    (void)test_slots_return(f, 0);
    must_eq(n_ejected(f), 0);
    must_eq(test_slots_until(f, 0), 0);
    must_eq(ilb__health_in_flight_cap(word(f, 0)), 1);
}
END_TEST

/* It returns as a newcomer, of whom nothing is known. */
START_TEST(who_returns_is_a_newcomer)
{
    ilb__evidence_steps steps = ilb__evidence_steps_for(0.01f);
    test_slots *f = fixture();
    ilb__slot *s = &f->slots[0];

    test_slots_learn(f, 0, 30 * MS_NS, T0);
    (void)ilb__evidence_bad(&s->evidence, steps);
    must(fails(f, 0, T0));
    must(ilb__latency_estimate_ns(&s->latency) == 30e6f);
    (void)test_slots_return(f, 0);
    must(ilb__latency_estimate_ns(&s->latency) == 0);
    must_eq(ilb__load_relaxed(&s->evidence), 0);
}
END_TEST

/* What it failed before it was away says nothing of it now. */
START_TEST(who_enters_has_not_failed_yet)
{
    test_slots *f = fixture();
    ilb__slot *s = &f->slots[0];

    must(fails(f, 0, T0));
    ilb__health_leave(&f->judge, s);
    (void)ilb__failures_bad(&s->failures, true, T0);
    (void)ilb__evidence_bad(&s->evidence, ilb__evidence_steps_for(0.01f));
    ilb__health_enter(&f->judge, s, 0, 1);
    must_eq(test_slots_state(f, 0), ILB__WARMING);
    must_eq(ilb__failures_in_a_row(&s->failures), 0);
    must_eq(ilb__load_relaxed(&s->evidence), 0);
    must_eq(test_slots_until(f, 0), 0);
}
END_TEST

START_TEST(one_that_is_out_stays_out)
{
    test_slots *f = fixture();

    must(fails(f, 0, T0));
    must(fails(f, 1, T0));
    must(ilb__health_claim(&f->judge, &f->slots[1], true, T0 + 9 * S_NS,
                           T0 + 9 * S_NS));
    for (uint32_t i = 0; i < 3; i++) {
        ilb__health_leave(&f->judge, &f->slots[i]);
        must_eq(test_slots_state(f, i), ILB__OUT);
        must(!ilb__health_eligible(word(f, i)));
        ilb__health_leave(&f->judge, &f->slots[i]);
        test_slots_good(f, i, 20, T0);
        must(!fails(f, i, T0));
        ilb__health_good(&f->judge, &f->slots[i], true, T0);
        must(!test_slots_bad(f, i, true, test_failing(9, 60, 60, N), T0));
        ilb__health_inconclusive(&f->judge, &f->slots[i], T0);
        must(!ilb__health_claim(&f->judge, &f->slots[i], true, T0 + 90 * S_NS,
                                T0 + 90 * S_NS));
        ilb__health_enforce_cap(&f->judge, &f->slots[i], 1, 1);
        must_eq(test_slots_state(f, i), ILB__OUT);
    }
    must_eq(n_ejected(f), 0);
}
END_TEST

/* ---- Probes ------------------------------------------------------------ */

START_TEST(a_probe_belongs_to_one)
{
    test_slots *f = fixture();
    ilb__slot *s = &f->slots[0];
    uint64_t at_ns = T0 + 9 * S_NS;

    must(fails(f, 0, T0));
    must(!ilb__health_claim(&f->judge, s, false, at_ns, at_ns));
    must(ilb__health_claim(&f->judge, s, true, at_ns, at_ns));
    must(!ilb__health_claim(&f->judge, s, true, at_ns, at_ns));
    must(!ilb__health_claim(&f->judge, s, true, test_slots_until(f, 0) - 1,
                            test_slots_until(f, 0) - 1));
    /* It counts as lost after as long as an ejection is. */
    must_be_within(test_slots_until(f, 0), at_ns + SLOTS_EJECTION_NS,
                   at_ns + SLOTS_EJECTION_NS + SLOTS_ROUNDING_NS);
    must(ilb__health_claim(&f->judge, s, true, test_slots_until(f, 0),
                           test_slots_until(f, 0)));
    must(!ilb__health_claim(&f->judge, &f->slots[1], true, T0 + 90 * S_NS,
                            T0 + 90 * S_NS));
}
END_TEST

/* Neither good nor bad: the next request may try again, at once. */
START_TEST(an_inconclusive_probe_is_due_again)
{
    test_slots *f = fixture();
    uint64_t at_ns = T0 + 20 * S_NS;

    must(fails(f, 0, T0));
    must(ilb__health_claim(&f->judge, &f->slots[0], true, at_ns, at_ns));
    ilb__health_inconclusive(&f->judge, &f->slots[0], at_ns + MS_NS);
    must_eq(test_slots_state(f, 0), ILB__EJECTED);
    must_be_within(test_slots_until(f, 0), at_ns + MS_NS,
                   at_ns + MS_NS + SLOTS_ROUNDING_NS);
    must(ilb__judge_due(&f->judge, at_ns + MS_NS));
    must_eq(ilb__load_relaxed(&f->slots[0].ejections), 1);
    must_eq(n_ejected(f), 1);
}
END_TEST

START_TEST(a_search_is_one_callers_and_only_when_one_is_due)
{
    test_slots *f = fixture();
    uint64_t first_ns, second_ns;

    must(!ilb__judge_due(&f->judge, UINT64_MAX - 1));
    must(fails(f, 0, T0));
    must(fails(f, 1, T0 + 500 * MS_NS));
    first_ns = test_slots_until(f, 0);
    second_ns = test_slots_until(f, 1);
    must(!ilb__judge_due(&f->judge, first_ns - SLOTS_ROUNDING_NS));
    must(!ilb__judge_begin_search(&f->judge, first_ns - SLOTS_ROUNDING_NS,
                                  first_ns - SLOTS_ROUNDING_NS));
    must(ilb__judge_due(&f->judge, first_ns));
    must(ilb__judge_begin_search(&f->judge, first_ns, first_ns));
    must(!ilb__judge_begin_search(&f->judge, first_ns, first_ns));
    must(ilb__health_claim(&f->judge, &f->slots[0], true, first_ns, first_ns));
    /* The other one is noted in passing. */
    must(
        !ilb__health_claim(&f->judge, &f->slots[1], false, first_ns, first_ns));
    must(!ilb__judge_due(&f->judge, second_ns - SLOTS_ROUNDING_NS));
    must(ilb__judge_due(&f->judge, second_ns));
}
END_TEST

/* A search through a table that is being replaced may miss one. */
START_TEST(a_search_that_found_nobody_is_followed_by_another)
{
    test_slots *f = fixture();
    uint64_t due_ns;

    must(fails(f, 0, T0));
    due_ns = test_slots_until(f, 0);
    must(ilb__judge_begin_search(&f->judge, due_ns, due_ns));
    must(!ilb__judge_due(&f->judge, due_ns + SEARCH_AGAIN_NS - 1));
    must(ilb__judge_due(&f->judge, due_ns + SEARCH_AGAIN_NS));
    must(ilb__judge_begin_search(&f->judge, due_ns + SEARCH_AGAIN_NS,
                                 due_ns + SEARCH_AGAIN_NS));
    ilb__judge_search_again(&f->judge, due_ns + SEARCH_AGAIN_NS);
    must(ilb__judge_due(&f->judge, due_ns + SEARCH_AGAIN_NS));
    /* But not when there is nobody to be found. */
    ilb__health_leave(&f->judge, &f->slots[0]);
    must(ilb__judge_begin_search(&f->judge, due_ns + 9 * S_NS,
                                 due_ns + 9 * S_NS));
    must(!ilb__judge_due(&f->judge, UINT64_MAX - 1));
}
END_TEST

Suite *suite_health(void)
{
    Suite *s = suite_create("health");
    TCase *tc = test_case(s, "transitions");

    tcase_add_test(tc, twelve_good_answers_make_it_healthy);
    tcase_add_test(tc, the_way_round);
    tcase_add_test(tc, who_returns_is_a_newcomer);
    tcase_add_test(tc, who_enters_has_not_failed_yet);
    tcase_add_test(tc, one_that_is_out_stays_out);
    tc = test_case(s, "probes");
    tcase_add_test(tc, a_probe_belongs_to_one);
    tcase_add_test(tc, an_inconclusive_probe_is_due_again);
    tcase_add_test(tc, a_search_is_one_callers_and_only_when_one_is_due);
    tcase_add_test(tc, a_search_that_found_nobody_is_followed_by_another);
    return s;
}
