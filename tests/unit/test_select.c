/* SPDX-License-Identifier: MIT */
/* select/draw.h and select/select.h. The probes are in test_select_probe.c,
 * what happens when some are ejected in test_select_ejected.c. */
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

static const ilb__exclusion nobody = {{0}, 0};

static ilb__draw drawing(test_slots *f, const ilb__exclusion *e, uint64_t seed)
{
    ilb__draw d;

    memset(&d, 0, sizeof d);
    d.slots = f->slots;
    d.view = ilb__table_view(&f->table);
    d.exclusion = e;
    d.random = seed;
    d.width = d.view.n;
    return d;
}

static int select_one(test_slots *f, const ilb__exclusion *e, uint64_t now_ns,
                      ilb__choice *c)
{
    return ilb__select(&f->selector, &f->judge, &f->table, f->slots, e, now_ns,
                       c, NULL);
}

/* Selects and returns at once. */
static uint32_t selected(test_slots *f, uint64_t now_ns)
{
    ilb__choice c;

    memset(&c, 0, sizeof c);
    c.cost = ILB_COST_ONE;
    must_eq(select_one(f, &nobody, now_ns, &c), ILB_OK);
    must(!c.probe);
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
        test_slots_publish(f, 0, 5);
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

START_TEST(columns_beyond_the_width_are_not_drawn)
{
    test_slots *f = test_slots_new(20, ILB_POLICY_RANDOM);

    for (uint32_t width = 1; width <= 20; width++) {
        ilb__draw d = drawing(f, &nobody, width);
        uint32_t seen = 0;

        d.width = width;
        for (int i = 0; i < 1000; i++) {
            uint32_t column = ilb__draw_column(&d);

            must(column < width);
            seen |= UINT32_C(1) << column;
        }
        must_eq(seen, (UINT32_C(1) << width) - 1);
    }
}
END_TEST

/* ---- Selecting --------------------------------------------------------- */

START_TEST(why_there_is_none)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);
    ilb__view v = ilb__table_view(&f->table);
    ilb__exclusion both = {{ilb__view_id(&v, 0), ilb__view_id(&v, 1)}, 2};
    ilb__choice c;

    memset(&c, 0, sizeof c);
    c.cost = ILB_COST_ONE;
    must_eq(select_one(f, &both, T0, &c), ILB_EEXCLUDED);
    for (uint32_t i = 0; i < 2 * ILB_LOAD_MAX; i++)
        must_eq(select_one(f, &nobody, T0, &c), ILB_OK);
    must_eq(select_one(f, &nobody, T0, &c), ILB_EBUSY);
    ilb__table_publish(&f->table, NULL, NULL, 0, 2);
    must_eq(select_one(f, &nobody, T0, &c), ILB_ENOTREADY);
    must_eq(select_one(f, &both, T0, &c), ILB_ENOTREADY);
    ilb__table_publish(&f->table, NULL, NULL, 0, 0);
    must_eq(select_one(f, &both, T0, &c), ILB_EEMPTY);
}
END_TEST

/* Of two endpoints both are always drawn: the cheaper one is taken. */
START_TEST(two_that_differ_are_drawn)
{
    for (int policy = ILB_POLICY_PEAK_EWMA; policy <= ILB_POLICY_LEAST_REQUEST;
         policy++) {
        test_slots *f = test_slots_new(2, (ilb_policy)policy);
        uint32_t parity;

        test_slots_learn(f, 0, 6 * MS_NS, T0);
        test_slots_learn(f, 1, 5 * MS_NS, T0);
        must(ilb__load_take(&f->slots[0].load, 0, 0, T0, &parity));
        for (int i = 0; i < 1000; i++)
            must_eq(selected(f, T0), 1);
    }
}
END_TEST

/* Equal costs go to the one drawn first: as good as at random. */
START_TEST(equals_are_chosen_at_random)
{
    for (int policy = 1; policy <= 4; policy++) {
        test_slots *f = test_slots_new(9, (ilb_policy)policy);
        uint64_t counts[9] = {0};

        for (uint32_t i = 0; i < 9; i++)
            test_slots_learn(f, i, 5 * MS_NS, T0);
        for (int i = 0; i < 9000; i++)
            counts[selected(f, T0)]++;
        must_be_within(test_chi2(counts, NULL, 9), 0, test_chi2_limit(9));
    }
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

/* One that has just failed is held back: any other is better. */
START_TEST(who_is_held_back_waits)
{
    test_slots *f = test_slots_new(6, ILB_POLICY_PEAK_EWMA);

    (void)selected(f, T0);
    (void)ilb__failures_bad(&f->slots[2].failures, true, T0);
    for (int i = 0; i < 2000; i++)
        must(selected(f, T0 + 90 * MS_NS) != 2);
    for (uint32_t i = 0; i < 6; i++)
        (void)ilb__failures_bad(&f->slots[i].failures, true, T0);
    /* But not when all are. */
    (void)selected(f, T0 + 90 * MS_NS);
}
END_TEST

/* ---- The aperture ------------------------------------------------------ */

static uint32_t n_used(test_slots *f, uint32_t n, uint64_t now_ns)
{
    bool used[SLOTS] = {false};
    uint32_t n_seen = 0;

    for (uint32_t i = 0; i < 200 * n; i++) {
        uint32_t number = selected(f, now_ns);

        must(number < n);
        n_seen += !used[number];
        used[number] = true;
    }
    return n_seen;
}

/* The first entries of the table, as many as the pool says; the whole of it
 * where requests in flight alone decide, or weights. */
START_TEST(the_aperture_is_the_tables_first_entries)
{
    test_slots *f = test_slots_new(60, ILB_POLICY_PEAK_EWMA);
    uint32_t width = test_slots_figures(f, T0).aperture;

    must(width < 60);
    must_eq(n_used(f, 60, T0), width);
    for (uint32_t i = 0; i < 200; i++)
        must(selected(f, T0) < width);
    for (int policy = 2; policy <= 4; policy++) {
        f = test_slots_new(60, (ilb_policy)policy);
        must_eq(n_used(f, 60, T0), 60);
    }
    f = test_slots_new(60, ILB_POLICY_PEAK_EWMA);
    f->weights[59] = 2;
    test_slots_publish(f, 0, 60);
    must_eq(n_used(f, 60, T0), 60);
}
END_TEST

/* All within it are ejected, or excluded: the others are found. */
START_TEST(beyond_the_aperture_when_need_be)
{
    test_slots *f = test_slots_new(60, ILB_POLICY_PEAK_EWMA);
    uint32_t width = test_slots_figures(f, T0).aperture;
    ilb__view v = ilb__table_view(&f->table);
    ilb__exclusion e = {{0}, 0};
    ilb__choice c;

    memset(&c, 0, sizeof c);
    c.cost = ILB_COST_ONE;
    must(width <= ILB_EXCLUDE_MAX);
    for (uint32_t i = 0; i < width; i++)
        e.ids[e.n++] = ilb__view_id(&v, i);
    for (uint32_t i = 0; i < 1000; i++) {
        must_eq(select_one(f, &e, T0, &c), ILB_OK);
        must(ilb__endpoint_id_index(c.id) >= width);
    }
    for (uint32_t i = 0; i < width; i++)
        test_slots_eject(f, i, T0);
    for (uint32_t i = 0; i < 1000; i++)
        must(selected(f, T0) >= width);
}
END_TEST

Suite *suite_select(void)
{
    Suite *s = suite_create("select");
    TCase *tc = test_case(s, "draw");

    tcase_add_test(tc, columns_are_drawn_by_weight);
    tcase_add_test(tc, a_look_refuses_who_must_not_be_taken);
    tcase_add_test(tc, columns_beyond_the_width_are_not_drawn);
    tc = test_case(s, "select");
    tcase_add_test(tc, why_there_is_none);
    tcase_add_test(tc, two_that_differ_are_drawn);
    tcase_add_test(tc, equals_are_chosen_at_random);
    tcase_add_test(tc, poor_candidates_are_drawn_past);
    tcase_add_test(tc, least_request_draws_two);
    tcase_add_test(tc, who_is_held_back_waits);
    tc = test_case(s, "aperture");
    tcase_add_test(tc, the_aperture_is_the_tables_first_entries);
    tcase_add_test(tc, beyond_the_aperture_when_need_be);
    return s;
}
