/* SPDX-License-Identifier: MIT */
/* health/slow.h: what is refused, and the probe. */
#include "health/slow.h"
#include "slots.h"
#include "suites_internal.h"

#define T0 (1000 * S_NS)
#define N 4
#define MEDIAN 50e6

static ilb_reason refused; /* the last one */

static void tell(const ilb__slot *slot, const ilb__transition *t, void *user)
{
    (void)slot;
    (void)user;
    if (t->type == ILB_EVENT_EJECT_REFUSED)
        refused = t->reason;
}

static test_slots *fixture(ilb_policy policy)
{
    test_slots *f = test_slots_new(N, policy);

    f->judge.by_cost = policy == ILB_POLICY_PEAK_EWMA;
    f->judge.latency_margin_ns = 20 * MS_NS;
    f->judge.tell = tell;
    refused = ILB_REASON_NONE;
    return f;
}

static ilb__ended answer(uint64_t ns, uint64_t began_ns, double served)
{
    ilb__ended e;

    memset(&e, 0, sizeof e);
    e.waited_ns = ns;
    e.began_ns = began_ns;
    e.answered = true;
    e.served = (float)served;
    e.n_ready = N;
    e.bits = SLOTS_NO_JITTER;
    return e;
}

/* Twenty answers of a second, one after the other, from `from_ns` on; its
 * peers have had so many requests each. */
static void slow_answers(test_slots *f, uint64_t from_ns, double served,
                         bool overloaded)
{
    ilb__figures figures = test_figures(MEDIAN, MEDIAN);

    figures.overloaded = overloaded;
    for (uint64_t i = 0; i < 20; i++) {
        ilb__ended e = answer(S_NS, from_ns + i * S_NS + MS_NS, served);

        must(!ilb__health_ended(&f->judge, &f->slots[1], &e, &figures,
                                from_ns + (i + 1) * S_NS));
    }
}

/* So many of its requests have ended of late. */
static void has_served(test_slots *f, uint32_t n)
{
    ilb__window_step step = {2, 0, 1, 1};

    ilb__window_reset(&f->slots[1].window);
    ilb__store_relaxed(&f->slots[1].window.round, 1);
    (void)ilb__window_bring(&f->slots[1].window, n, 0, &step);
}

/* More than a tenth of what the others have: they need it. */
START_TEST(by_its_share)
{
    for (uint32_t n = 9; n <= 12; n++)
        for (uint32_t weight = 1; weight <= 2; weight++) {
            test_slots *f = fixture(ILB_POLICY_PEAK_EWMA);
            bool needed = n > 10 * weight;

            ilb__store32_relaxed(&f->slots[1].weight, weight);
            has_served(f, n);
            slow_answers(f, T0, 100, false);
            must_eq(test_slots_state(f, 1),
                    needed ? ILB__HEALTHY : ILB__EJECTED);
            must_eq(refused, needed ? ILB_REASON_CAPACITY : ILB_REASON_NONE);
        }
}
END_TEST

/* Beyond 1.5 times the p99, and four medians, an answer says as much as one
 * can; within it, by how long it took. */
START_TEST(by_what_answers_take)
{
    static const struct {
        uint64_t ns;
        double p99, nats;
    } rows[] = {
        {250 * MS_NS, 0, 0.257},     {250 * MS_NS, 167e6, 0.257},
        {250 * MS_NS, 166e6, 2.056}, {199 * MS_NS, MEDIAN, 0},
        {201 * MS_NS, 1e9, 0.005},   {201 * MS_NS, MEDIAN, 2.056},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        test_slots *f = fixture(ILB_POLICY_RANDOM);
        ilb__figures figures = test_figures(MEDIAN, rows[i].p99);
        ilb__ended e = answer(rows[i].ns, T0, 0);

        (void)ilb__health_ended(&f->judge, &f->slots[1], &e, &figures,
                                T0 + rows[i].ns);
        must_be_within(
            (double)(ilb__load_relaxed(&f->slots[1].slowness) & 0xffff) /
                ILB_EVIDENCE_ONE,
            rows[i].nats - 0.003, rows[i].nats + 0.003);
    }
}
END_TEST

/* Eight slow answers in less than an ejection's time are a hiccup; a ninth
 * after it is none. */
START_TEST(for_less_than_an_ejection)
{
    test_slots *f = fixture(ILB_POLICY_RANDOM);
    ilb__figures figures = test_figures(MEDIAN, 0);
    uint64_t base_ns = f->judge.base_ejection_time_ns;

    for (uint64_t i = 0; i < 9; i++) {
        uint64_t ends_ns = T0 + (i + 1) * base_ns / 9;
        ilb__ended e = answer(S_NS, T0 + i * base_ns / 9 + MS_NS, 0);

        must_eq(test_slots_state(f, 1), ILB__HEALTHY);
        (void)ilb__health_ended(&f->judge, &f->slots[1], &e, &figures, ends_ns);
    }
    must_eq(test_slots_state(f, 1), ILB__HEALTHY);
    slow_answers(f, T0 + base_ns, 0, false);
    must_eq(test_slots_state(f, 1), ILB__EJECTED);
}
END_TEST

/* Other policies do not look at latency: a share says nothing. */
START_TEST(not_where_cost_does_not_count)
{
    test_slots *f = fixture(ILB_POLICY_RANDOM);

    has_served(f, 100);
    slow_answers(f, T0, 100, false);
    must_eq(test_slots_state(f, 1), ILB__EJECTED);
}
END_TEST

START_TEST(while_the_others_suffer)
{
    test_slots *f = fixture(ILB_POLICY_RANDOM);

    slow_answers(f, T0, 100, true);
    must_eq(test_slots_state(f, 1), ILB__HEALTHY);
    must_eq(refused, ILB_REASON_CAPACITY);
    slow_answers(f, T0 + 30 * S_NS, 100, false);
    must_eq(test_slots_state(f, 1), ILB__EJECTED);
}
END_TEST

/* Ten of sixteen nats while three quarters are ejected need six more. */
START_TEST(many_ejected_need_more)
{
    test_slots *f = fixture(ILB_POLICY_RANDOM);

    test_slots_eject(f, 2, T0);
    test_slots_eject(f, 3, T0);
    for (uint64_t i = 0; i < 12; i++) {
        ilb__figures figures = test_figures(MEDIAN, MEDIAN);
        ilb__ended e = answer(S_NS, T0 + i * S_NS + MS_NS, 0);

        /* Two of four: 20 nats, at 2.06 an answer. */
        must_eq(test_slots_state(f, 1), i < 10 ? ILB__HEALTHY : ILB__EJECTED);
        (void)ilb__health_ended(&f->judge, &f->slots[1], &e, &figures,
                                T0 + (i + 1) * S_NS);
    }
}
END_TEST

/* Ejected so, its probe must not take longer than max(2 m, m + margin). */
START_TEST(its_probe_must_be_fast)
{
    static const struct {
        double median;
        uint64_t limit_ns;
    } rows[] = {{50e6, 100 * MS_NS}, {2e6, 22 * MS_NS}};

    for (int k = 0; k < 2; k++)
        for (int over = 0; over <= 1; over++) {
            test_slots *f = fixture(ILB_POLICY_PEAK_EWMA);
            ilb__figures figures = test_figures(rows[k].median, MEDIAN);
            ilb__ended e = answer(rows[k].limit_ns + (over ? 100 : 0), T0, 100);
            uint64_t due_ns;

            slow_answers(f, T0, 100, false);
            due_ns = test_slots_until(f, 1);
            must(ilb__health_claim(&f->judge, &f->slots[1], true, due_ns,
                                   due_ns));
            e.probe = true;
            must_eq(ilb__health_ended(&f->judge, &f->slots[1], &e, &figures,
                                      due_ns + e.waited_ns),
                    over);
            must_eq(test_slots_state(f, 1), over ? ILB__EJECTED : ILB__PROBING);
        }
}
END_TEST

/* One that was ejected for another reason is only slow. */
START_TEST(another_probe_need_not)
{
    test_slots *f = fixture(ILB_POLICY_PEAK_EWMA);
    ilb__figures figures = test_figures(MEDIAN, MEDIAN);
    ilb__ended e = answer(10 * S_NS, T0, 100);
    uint64_t due_ns;

    test_slots_eject(f, 1, T0);
    due_ns = test_slots_until(f, 1);
    must(ilb__health_claim(&f->judge, &f->slots[1], true, due_ns, due_ns));
    e.probe = true;
    must(!ilb__health_ended(&f->judge, &f->slots[1], &e, &figures, due_ns));
    must_eq(test_slots_state(f, 1), ILB__PROBING);
}
END_TEST

Suite *suite_slow(void)
{
    Suite *s = suite_create("slow");
    TCase *tc = test_case(s, "slow");

    tcase_add_test(tc, by_its_share);
    tcase_add_test(tc, by_what_answers_take);
    tcase_add_test(tc, for_less_than_an_ejection);
    tcase_add_test(tc, not_where_cost_does_not_count);
    tcase_add_test(tc, while_the_others_suffer);
    tcase_add_test(tc, many_ejected_need_more);
    tcase_add_test(tc, its_probe_must_be_fast);
    tcase_add_test(tc, another_probe_need_not);
    return s;
}
