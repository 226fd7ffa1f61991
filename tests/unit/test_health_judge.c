/* SPDX-License-Identifier: MIT */
/* health/health.h: who is ejected. Thresholds are looked for, step by step,
 * and compared with those in the header; what does not reach them must change
 * nothing. */
#include "health/tell.h"
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define N 10

/* As the header says, in nats. */
#define BROKEN 16.0
#define FAULTY 18.0
#define MORE_AT_MOST 8.0
#define BROKEN_ON_RETURN 5.0
#define ROW_P0 0.25f /* from here on everyone fails */

static test_slots *fixture(void)
{
    return test_slots_new(N, ILB_POLICY_PEAK_EWMA);
}

static bool fails(test_slots *f, const ilb__failing *x, float p0)
{
    ilb__figures figures = test_figures(0, 0);
    uint64_t before = ilb__load_relaxed(&f->slots[0].health);
    bool ejected;

    figures.p0 = p0;
    ejected = ilb__health_bad(&f->judge, &f->slots[0], false, x, &figures, T0);
    must_eq(ejected, test_slots_state(f, 0) == ILB__EJECTED);
    must(ejected || ilb__load_relaxed(&f->slots[0].health) == before);
    return ejected;
}

/* The least evidence that ejects number 0, in nats; 0: none does. Evidence of
 * the other kind and the row do not reach so far. */
static double least(test_slots *f, bool faulty, float p0)
{
    for (uint32_t sum = 1; sum <= 64 * ILB_EVIDENCE_ONE; sum++) {
        ilb__failing x = test_failing(SLOTS_CONSECUTIVE - 1, 0, 0, N);

        *(faulty ? &x.sums.faulty : &x.sums.broken) = sum;
        if (fails(f, &x, p0))
            return (double)sum / ILB_EVIDENCE_ONE;
    }
    return 0;
}

#define must_be_nats(x, nats) must_be_within(x, (nats)-0.01, (nats) + 0.01)

/* ---- Evidence ---------------------------------------------------------- */

START_TEST(enough_evidence_ejects)
{
    must_be_nats(least(fixture(), false, 0), BROKEN);
    must_be_nats(least(fixture(), true, 0), FAULTY);
    /* Whatever p0 is: it is in the evidence already. */
    must_be_nats(least(fixture(), false, 0.1f), BROKEN);
    must_be_nats(least(fixture(), true, 0.39f), FAULTY);
}
END_TEST

START_TEST(a_newcomer_is_judged_as_any_other)
{
    test_slots *f = fixture();

    ilb__health_enter(&f->judge, &f->slots[0], 0, 1);
    must_be_nats(least(f, false, 0), BROKEN);
    f = fixture();
    ilb__health_enter(&f->judge, &f->slots[0], 0, 1);
    must_be_nats(least(f, true, 0), FAULTY);
}
END_TEST

/* Many at once are rather one cause than many faults: up to half as much
 * again is needed, by the share that is ejected. */
START_TEST(the_more_are_ejected_the_more_it_takes)
{
    for (uint32_t k = 0; k < N - 1; k++)
        for (int faulty = 0; faulty < 2; faulty++) {
            test_slots *f = fixture();

            for (uint32_t i = 1; i <= k; i++)
                test_slots_eject(f, i, T0);
            must_be_nats(least(f, faulty != 0, 0),
                         (faulty ? FAULTY : BROKEN) + MORE_AT_MOST * k / N);
        }
}
END_TEST

/* It has been ejected of late: half of it. */
START_TEST(who_was_ejected_of_late_is_trusted_less)
{
    for (int faulty = 0; faulty < 2; faulty++)
        for (uint32_t k = 0; k < 3; k++) {
            test_slots *f = fixture();
            uint64_t now_ns;

            test_slots_eject(f, 0, T0);
            now_ns = test_slots_return(f, 0);
            while (test_slots_state(f, 0) != ILB__HEALTHY)
                test_slots_good(f, 0, 1, now_ns);
            for (uint32_t i = 1; i <= k; i++)
                test_slots_eject(f, i, T0);
            must_be_nats(least(f, faulty != 0, 0),
                         ((faulty ? FAULTY : BROKEN) + MORE_AT_MOST * k / N) /
                             2);
        }
}
END_TEST

/* And right after its return one failure is enough, in a clean pool. */
START_TEST(who_has_just_returned_least)
{
    test_slots *f = fixture();
    double one =
        (double)ilb__evidence_steps_for(0.0025f).broken_up / ILB_EVIDENCE_ONE;

    test_slots_eject(f, 0, T0);
    (void)test_slots_return(f, 0);
    must_be_nats(least(f, false, 0), BROKEN_ON_RETURN);
    must(one > BROKEN_ON_RETURN);
    /* Not where healthy endpoints fail one in fifty as well. */
    one = (double)ilb__evidence_steps_for(0.02f).broken_up / ILB_EVIDENCE_ONE;
    must(one < BROKEN_ON_RETURN);
    f = fixture();
    test_slots_eject(f, 0, T0);
    (void)test_slots_return(f, 0);
    must_be_nats(least(f, true, 0), FAULTY / 2);
}
END_TEST

/* ---- In a row ---------------------------------------------------------- */

/* The least row that ejects, without any evidence; 0: none does. */
static uint32_t least_row(test_slots *f, float p0)
{
    for (uint32_t row = 1; row <= 65535; row++) {
        ilb__failing x = test_failing(row, 0, 0, N);

        if (fails(f, &x, p0))
            return row;
    }
    return 0;
}

START_TEST(so_many_in_a_row_eject)
{
    static const uint32_t limits[] = {1, 2, 5, 100, 65535};

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        test_slots *f = fixture();

        f->judge.consecutive_failures = limits[i];
        must_eq(least_row(f, 0.1f), limits[i]);
    }
}
END_TEST

START_TEST(a_row_says_nothing_where_everyone_fails)
{
    must_eq(least_row(fixture(), ROW_P0 - 0.001f), SLOTS_CONSECUTIVE);
    must_eq(least_row(fixture(), ROW_P0), 0);
    must_eq(least_row(fixture(), 1), 0);
    /* Evidence does, whoever has it. */
    must_be_nats(least(fixture(), false, ROW_P0), BROKEN);
}
END_TEST

START_TEST(never_means_never)
{
    test_slots *f = fixture();

    f->judge.detectors_off = UINT32_MAX;
    must_eq(least_row(f, 0), 0);
    must(least(f, false, 0) == 0);
    must(least(f, true, 0) == 0);
    must_eq(ilb__load32_relaxed(&f->judge.n_ejected), 0);
}
END_TEST

/* ---- The cap ----------------------------------------------------------- */

START_TEST(no_evidence_ejects_the_last_one)
{
    for (uint32_t n = 0; n < 2; n++) {
        test_slots *f = fixture();
        ilb__failing x = test_failing(65535, 64, 64, n);

        must(!fails(f, &x, 0));
        must_eq(ilb__load32_relaxed(&f->judge.n_ejected), 0);
    }
}
END_TEST

/* Who is at the cap is judged again at its next failure. */
START_TEST(a_place_that_comes_free_is_taken)
{
    test_slots *f = fixture();
    ilb__failing x = test_failing(SLOTS_CONSECUTIVE, 0, 0, N);

    f->judge.max_ejection_percent = 10;
    test_slots_eject(f, 1, T0);
    must(!fails(f, &x, 0));
    (void)test_slots_return(f, 1);
    must(fails(f, &x, 0));
}
END_TEST

/* ---- What is not acted on ---------------------------------------------- */

static void count_told(const ilb__slot *slot, const ilb__transition *t,
                       void *user)
{
    (void)slot;
    *(int *)user += t->type == ILB_EVENT_EJECT_REFUSED;
}

/* Once in the base ejection time; another thread's clock that is a little
 * behind is no reason to tell it again. */
START_TEST(what_is_refused_is_told_once_in_a_while)
{
    const ilb__verdict v = {ILB_DETECTOR_HANG, 1, 1};
    test_slots *f = fixture();
    int n_told = 0;

    f->judge.base_ejection_time_ns = 5 * S_NS;
    f->judge.tell = count_told;
    f->judge.tell_user = &n_told;
    for (uint64_t ns = 0; ns < 5 * S_NS; ns += 10 * MS_NS) {
        uint64_t behind_ns = ns * 7 % (2 * S_NS);

        ilb__tell_refused(&f->judge, &f->slots[0], ILB_REASON_CAP, &v, T0 + ns);
        ilb__tell_refused(&f->judge, &f->slots[0], ILB_REASON_CAP, &v,
                          T0 + ns - behind_ns);
        must_eq(n_told, 1);
    }
    ilb__tell_refused(&f->judge, &f->slots[0], ILB_REASON_CAP, &v,
                      T0 + 5100 * MS_NS);
    must_eq(n_told, 2);
}
END_TEST

Suite *suite_health_judge(void)
{
    Suite *s = suite_create("health judge");
    TCase *tc = test_case(s, "evidence");

    tcase_add_test(tc, enough_evidence_ejects);
    tcase_add_test(tc, a_newcomer_is_judged_as_any_other);
    tcase_add_test(tc, the_more_are_ejected_the_more_it_takes);
    tcase_add_test(tc, who_was_ejected_of_late_is_trusted_less);
    tcase_add_test(tc, who_has_just_returned_least);
    tc = test_case(s, "row");
    tcase_add_test(tc, so_many_in_a_row_eject);
    tcase_add_test(tc, a_row_says_nothing_where_everyone_fails);
    tcase_add_test(tc, never_means_never);
    tc = test_case(s, "cap");
    tcase_add_test(tc, no_evidence_ejects_the_last_one);
    tcase_add_test(tc, a_place_that_comes_free_is_taken);
    tc = test_case(s, "refused");
    tcase_add_test(tc, what_is_refused_is_told_once_in_a_while);
    return s;
}
