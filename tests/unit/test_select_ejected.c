/* SPDX-License-Identifier: MIT */
/* select/select.h: when some are ejected, and while the list changes. */
#include <pthread.h>

#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

static const ilb__exclusion nobody = {{0}, 0};

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

/* ---- When some are ejected --------------------------------------------- */

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

/* Where draws find none, the eligible ones are compared: who stands behind
 * many ejected ones would get the traffic of those. */
START_TEST(those_that_a_search_finds_are_compared)
{
    test_slots *f = test_slots_new(SLOTS, ILB_POLICY_PEAK_EWMA);
    uint32_t dear = 0;

    test_slots_learn(f, 0, 20 * MS_NS, T0);
    test_slots_learn(f, 1, 10 * MS_NS, T0);
    (void)selected(f, T0);
    for (uint32_t i = 2; i < SLOTS; i++)
        test_slots_eject(f, i, T0);
    /* Looked at anew: the aperture makes up for those that are ejected. */
    for (int i = 0; i < 4000; i++)
        dear += selected(f, T0 + 200 * MS_NS) == 0;
    /* When draws meet it alone; of those that search less than one in 300 is
     * less. To be the first that is met would make it nearly all. */
    must_be_within(dear, 0, 4000 * 0.35);
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

/* Those that are left suffer: half of 16 are ejected, and the others have
 * twice as many in flight, which take twice as long. Number 0 fails always,
 * number 1 has failed three times in a row, number 2 a little more than half
 * of the time and number 3 a little less, the other ejected ones do not. */
static test_slots *overloaded(void)
{
    test_slots *f = test_slots_new(16, ILB_POLICY_PEAK_EWMA);

    for (uint32_t i = 0; i < 16; i++) {
        uint32_t parity;

        test_slots_learn(f, i, 400 * MS_NS, T0);
        must(ilb__load_take(&f->slots[i].load, 0, 0, T0, &parity));
    }
    must(!test_slots_figures(f, T0).overloaded);
    for (uint32_t i = 0; i < 16; i++) {
        ilb__load *l = &f->slots[i].load;
        uint32_t parity;

        if (i < 8)
            test_slots_eject(f, i, T0);
        else
            must(
                ilb__load_take(l, ilb__load_relaxed(&l->word), 0, T0, &parity));
        test_slots_learn(f, i, 800 * MS_NS, T0);
    }
    for (int i = 0; i < 30; i++)
        (void)ilb__failures_bad(&f->slots[0].failures, i % 5 == 0, T0);
    for (int i = 0; i < 3; i++)
        (void)ilb__failures_bad(&f->slots[1].failures, true, T0);
    /* 0.59 and 0.49, of which 0.94 is left when it is looked at. */
    for (int i = 0; i < 4; i++)
        (void)ilb__failures_bad(&f->slots[2].failures, false, T0);
    for (int i = 0; i < 3; i++)
        (void)ilb__failures_bad(&f->slots[3].failures, false, T0);
    return f;
}

/* Then the least bad of the ejected help out; who is wholly bad does not. */
START_TEST(the_least_bad_help_out)
{
    const uint64_t now_ns = T0 + 200 * MS_NS;
    test_slots *f = overloaded();
    ilb__exclusion helpers = {{0}, 0};
    uint64_t counts[16] = {0};
    ilb__view v;

    must(test_slots_figures(f, now_ns).overloaded);
    for (int i = 0; i < 8000; i++)
        counts[selected(f, now_ns)]++;
    for (int i = 0; i < 3; i++)
        must_eq(counts[i], 0);
    /* They have less in flight than the others. */
    for (int i = 4; i < 8; i++)
        must_be_within((double)counts[i], 500, 8000);
    /* Number 3 as well, for its price: when the others have 20 more. */
    for (uint32_t i = 8; i < 16; i++)
        for (int k = 0; k < 20; k++) {
            ilb__load *l = &f->slots[i].load;
            uint32_t parity;

            must(ilb__load_take(l, ilb__load_relaxed(&l->word), 0, now_ns,
                                &parity));
        }
    v = ilb__table_view(&f->table);
    for (uint32_t i = 4; i < 8; i++)
        helpers.ids[helpers.n++] = ilb__view_id(&v, i);
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < 2000; i++) {
        ilb__choice c;

        memset(&c, 0, sizeof c);
        c.cost = ILB_COST_ONE;
        must_eq(select_one(f, &helpers, now_ns, &c), ILB_OK);
        counts[ilb__endpoint_id_index(c.id)]++;
        must(ilb__load_return(&f->slots[ilb__endpoint_id_index(c.id)].load,
                              ilb__endpoint_id_generation(c.id), c.parity,
                              now_ns));
    }
    for (int i = 0; i < 3; i++)
        must_eq(counts[i], 0);
    must(counts[3] > 200);
}
END_TEST

START_TEST(nobody_helps_without_need)
{
    test_slots *f = test_slots_new(16, ILB_POLICY_PEAK_EWMA);

    (void)selected(f, T0);
    for (uint32_t i = 0; i < 8; i++)
        test_slots_eject(f, i, T0);
    for (int i = 0; i < 4000; i++)
        must(selected(f, T0 + 200 * MS_NS) >= 8);
}
END_TEST

/* ---- Races ------------------------------------------------------------- */

typedef struct select_race {
    test_slots *f;
    uint32_t odd;
} select_race;

static void *race(void *arg)
{
    select_race *r = arg;

    for (int i = 0; i < 20000; i++) {
        ilb__choice c;

        memset(&c, 0, sizeof c);
        c.cost = ILB_COST_ONE;
        if (select_one(r->f, &nobody, T0 + (uint64_t)i * MS_NS, &c) != ILB_OK ||
            !ilb__load_return(&r->f->slots[ilb__endpoint_id_index(c.id)].load,
                              ilb__endpoint_id_generation(c.id), c.parity, T0))
            r->odd++;
    }
    return NULL;
}

/* Pickers at once, while the list grows and shrinks: each gets an endpoint,
 * and in the end nothing is in flight. */
START_TEST(picks_never_wait_for_an_update)
{
    test_slots *f = test_slots_new(SLOTS, (ilb_policy)_i);
    pthread_t threads[2];
    select_race races[2];

    for (int i = 0; i < 2; i++) {
        races[i].f = f;
        races[i].odd = 0;
        must_eq(pthread_create(&threads[i], NULL, race, &races[i]), 0);
    }
    for (uint32_t i = 0; i < 3000; i++)
        test_slots_publish(f, i % 7, 1 + i * 31 % (SLOTS - 7));
    for (int i = 0; i < 2; i++) {
        must_eq(pthread_join(threads[i], NULL), 0);
        must_eq(races[i].odd, 0);
    }
    for (uint32_t i = 0; i < SLOTS; i++)
        must_eq(ilb__load_in_flight(ilb__load_relaxed(&f->slots[i].load.word)),
                0);
}
END_TEST

Suite *suite_select_ejected(void)
{
    Suite *s = suite_create("select ejected");
    TCase *tc = test_case(s, "ejected");

    tcase_add_test(tc, the_eligible_few_are_found);
    tcase_add_test(tc, those_that_a_search_finds_are_compared);
    tcase_add_test(tc, all_ejected_the_cheapest_is_taken);
    tcase_add_test(tc, the_least_bad_help_out);
    tcase_add_test(tc, nobody_helps_without_need);
    tc = test_case(s, "races");
    tcase_add_loop_test(tc, picks_never_wait_for_an_update,
                        ILB_POLICY_PEAK_EWMA, ILB_POLICY_RANDOM + 1);
    return s;
}
