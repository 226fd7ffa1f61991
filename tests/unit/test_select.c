/* SPDX-License-Identifier: MIT */
/* select/draw.h and select/select.h. */
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

static const ilb__exclusion nobody = {{0}, 0};

static ilb__draw drawing(test_slots *f, const ilb__exclusion *e, uint64_t seed)
{
    ilb__draw d = {f->slots, ilb__table_view(&f->table), e, seed};

    return d;
}

static int select_one(test_slots *f, const ilb__exclusion *e, uint64_t now_ns,
                      ilb__choice *c)
{
    return ilb__select(&f->selector, &f->judge, &f->table, f->slots, e, now_ns,
                       c);
}

/* Selects and returns at once. */
static uint32_t selected(test_slots *f, uint64_t now_ns)
{
    ilb__choice c;

    must_eq(select_one(f, &nobody, now_ns, &c), ILB_OK);
    must(ilb__load_return(&f->slots[ilb__endpoint_id_index(c.id)].load,
                          ilb__endpoint_id_generation(c.id), c.parity, now_ns));
    return ilb__endpoint_id_index(c.id);
}

/* ---- Drawing ----------------------------------------------------------- */

START_TEST(columns_are_drawn_by_weight)
{
    static const uint32_t weights[5] = {1, 2, 3, 4, 10};
    const double shares[5] = {0.05, 0.1, 0.15, 0.2, 0.5};

    for (uint64_t seed = 1; seed <= 100; seed++) {
        test_slots *f = test_slots_new(5, ILB_POLICY_RANDOM);
        uint64_t counts[5] = {0};
        ilb__draw d = drawing(f, &nobody, seed);

        for (int i = 0; i < 2000; i++)
            counts[ilb__draw_column(&d)]++;
        must_be_within(test_chi2(counts, NULL, 5), 0, test_chi2_limit(5));
        memcpy(f->weights, weights, sizeof weights);
        test_slots_publish(f, 5);
        d = drawing(f, &nobody, seed);
        memset(counts, 0, sizeof counts);
        for (int i = 0; i < 2000; i++)
            counts[ilb__draw_column(&d)]++;
        must_be_within(test_chi2(counts, shares, 5), 0, test_chi2_limit(5));
    }
}
END_TEST

START_TEST(a_look_refuses_who_must_not_be_taken)
{
    test_slots *f = test_slots_new(4, ILB_POLICY_RANDOM);
    ilb__view v = ilb__table_view(&f->table);
    ilb__exclusion e = {{ilb__view_id(&v, 1)}, 1};
    ilb__draw d = drawing(f, &e, 1);
    ilb__candidate c;
    uint32_t parity;

    must(ilb__draw_look(&d, 0, &c));
    must(c.slot == &f->slots[0] && c.id == ilb__view_id(&v, 0));
    must(ilb__candidate_eligible(&c));
    must(!ilb__draw_look(&d, 1, &c));
    /* Recycled since it was published. */
    must(ilb__load_recycle(&f->slots[2].load));
    must(!ilb__draw_look(&d, 2, &c));
    for (uint32_t i = 0; i < ILB_LOAD_MAX; i++)
        must(ilb__load_take(&f->slots[3].load,
                            ilb__load_relaxed(&f->slots[3].load.word), 0, T0,
                            &parity));
    must(!ilb__draw_look(&d, 3, &c));
    test_slots_eject(f, 0, T0);
    must(ilb__draw_look(&d, 0, &c));
    must(!ilb__candidate_eligible(&c));
}
END_TEST

/* ---- Selecting --------------------------------------------------------- */

START_TEST(why_there_is_none)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);
    ilb__view v = ilb__table_view(&f->table);
    ilb__exclusion both = {{ilb__view_id(&v, 0), ilb__view_id(&v, 1)}, 2};
    ilb__choice c;

    must_eq(select_one(f, &both, T0, &c), ILB_EEXCLUDED);
    ilb__table_publish(&f->table, NULL, NULL, 0, 2);
    must_eq(select_one(f, &nobody, T0, &c), ILB_ENOTREADY);
    must_eq(select_one(f, &both, T0, &c), ILB_ENOTREADY);
    ilb__table_publish(&f->table, NULL, NULL, 0, 0);
    must_eq(select_one(f, &both, T0, &c), ILB_EEMPTY);
}
END_TEST

/* k of n are slow: two draws alone would leave them k (k-1) / (n (n-1)). */
START_TEST(poor_candidates_are_drawn_past)
{
    test_slots *f = test_slots_new(10, ILB_POLICY_PEAK_EWMA);
    uint32_t slow = 0;

    for (uint32_t i = 0; i < 10; i++)
        test_slots_learn(f, i, i < 5 ? 500 * MS_NS : 5 * MS_NS, T0);
    for (int i = 0; i < 20000; i++)
        slow += selected(f, T0) < 5;
    /* Two draws: 20/90. Six that differ, of ten of which five are slow: 0. */
    must_eq(slow, 0);
    for (uint32_t i = 5; i < 8; i++)
        test_slots_learn(f, i, 500 * MS_NS, T0);
    slow = 0;
    for (int i = 0; i < 20000; i++)
        slow += selected(f, T0 + S_NS / 2) < 8;
    /* The median is a slow one's now, so nobody is poor: 56/90. */
    must_be_within(slow, 20000 * 0.60, 20000 * 0.645);
}
END_TEST

START_TEST(least_request_draws_two)
{
    test_slots *f = test_slots_new(10, ILB_POLICY_LEAST_REQUEST);
    uint32_t busy = 0;

    for (uint32_t i = 0; i < 5; i++) {
        uint32_t parity;

        must(ilb__load_take(&f->slots[i].load, 0, 0, T0, &parity));
    }
    for (int i = 0; i < 20000; i++)
        busy += selected(f, T0) < 5;
    must_be_within(busy, 20000 * 0.205, 20000 * 0.24);
}
END_TEST

/* 290 of 300 are ejected: found by looking at all, from anywhere. */
START_TEST(the_eligible_few_are_found)
{
    for (int policy = 1; policy <= 4; policy++) {
        test_slots *f = test_slots_new(SLOTS, (ilb_policy)policy);
        uint64_t counts[10] = {0};

        for (uint32_t i = 0; i < SLOTS; i++)
            if (i % 30 != 0)
                test_slots_eject(f, i, T0);
        for (int i = 0; i < 5000; i++) {
            uint32_t number = selected(f, T0);

            must_eq(number % 30, 0);
            counts[number / 30]++;
        }
        for (int i = 0; i < 10; i++)
            must_be_within((double)counts[i], 350, 650);
    }
}
END_TEST

START_TEST(all_ejected_the_cheapest_is_taken)
{
    test_slots *f = test_slots_new(20, ILB_POLICY_PEAK_EWMA);

    for (uint32_t i = 0; i < 20; i++)
        test_slots_learn(f, i, (i == 13 ? 5 : 50) * MS_NS, T0);
    (void)selected(f, T0);
    for (uint32_t i = 0; i < 20; i++)
        if (i != 0)
            test_slots_eject(f, i, T0);
    /* The judge never ejects the last one: out by hand. */
    ilb__store_relaxed(&f->slots[0].health,
                       ilb__load_relaxed(&f->slots[1].health));
    for (int i = 0; i < 100; i++)
        must_eq(selected(f, T0), 13);
}
END_TEST

START_TEST(a_due_probe_comes_first_unless_it_is_excluded)
{
    test_slots *f = test_slots_new(5, ILB_POLICY_PEAK_EWMA);
    ilb__view v = ilb__table_view(&f->table);
    ilb__exclusion e = {{ilb__view_id(&v, 3)}, 1};
    ilb__choice c;

    test_slots_eject(f, 3, T0);
    must_eq(select_one(f, &nobody, T0 + 900 * MS_NS, &c), ILB_OK);
    must(!c.probe && ilb__endpoint_id_index(c.id) != 3);
    must_eq(select_one(f, &e, T0 + 2 * S_NS, &c), ILB_OK);
    must(!c.probe && ilb__endpoint_id_index(c.id) != 3);
    /* Still due for the next one. */
    must_eq(select_one(f, &nobody, T0 + 2 * S_NS, &c), ILB_OK);
    must(c.probe && ilb__endpoint_id_index(c.id) == 3);
    must_eq(select_one(f, &nobody, T0 + 2 * S_NS, &c), ILB_OK);
    must(!c.probe && ilb__endpoint_id_index(c.id) != 3);
}
END_TEST

Suite *suite_select(void)
{
    Suite *s = suite_create("select");
    TCase *tc = test_case(s, "draw");

    tcase_add_test(tc, columns_are_drawn_by_weight);
    tcase_add_test(tc, a_look_refuses_who_must_not_be_taken);
    tc = test_case(s, "select");
    tcase_add_test(tc, why_there_is_none);
    tcase_add_test(tc, poor_candidates_are_drawn_past);
    tcase_add_test(tc, least_request_draws_two);
    tcase_add_test(tc, the_eligible_few_are_found);
    tcase_add_test(tc, all_ejected_the_cheapest_is_taken);
    tcase_add_test(tc, a_due_probe_comes_first_unless_it_is_excluded);
    return s;
}
