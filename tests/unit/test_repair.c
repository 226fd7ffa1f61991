/* SPDX-License-Identifier: MIT */
/* set/repair.h: an update that was cut short at each of its calls to the room
 * above. (At every instruction: tests/stress/kill_points.c.) */
#include "set/repair.h"

#include <setjmp.h>

#include "suites_internal.h"
#include "util.h"

#define CAPACITY 8

static _Alignas(64) unsigned char block[1 << 16];
static ilb__set set;
static bool inside[3 * CAPACITY]; /* as the room above knows it */
static jmp_buf cut;
static uint32_t cut_at; /* the k-th call does not return; 0: all do */

static void called(void)
{
    if (cut_at > 0 && --cut_at == 0)
        longjmp(cut, 1);
}

static void enters(ilb__slot *slot, void *user)
{
    (void)user;
    called();
    inside[slot - set.slots] = true;
}

static void leaves(ilb__slot *slot, void *user)
{
    (void)user;
    called();
    inside[slot - set.slots] = false;
}

static void changes(const ilb__slot *slot, bool was_listed,
                    uint8_t was_readiness, void *user)
{
    (void)slot;
    (void)was_listed;
    (void)was_readiness;
    (void)user;
    called();
}

static void settle(ilb__slot *slot, bool drawn, void *user)
{
    (void)user;
    called();
    inside[slot - set.slots] = drawn;
}

static const ilb__set_watch watch = {enters, leaves, NULL, changes};

static void setup(void)
{
    ilb__arena a = {block, 0};

    memset(&set, 0, sizeof set);
    memset(block, 0, sizeof block);
    memset(inside, 0, sizeof inside);
    cut_at = 0;
    ilb__set_init(&set, &a, CAPACITY, 5);
    must(a.used_bytes <= sizeof block);
}

static void update(uint32_t from, uint32_t n)
{
    ilb_endpoint e[CAPACITY];

    test_endpoints(e, from, n);
    must_eq(ilb__set_plan(&set, e, n), ILB_OK);
    ilb__set_apply(&set, e, n, &watch);
}

/* True: it was cut short. */
static bool update_cut(uint32_t from, uint32_t n, uint32_t at)
{
    cut_at = at;
    if (setjmp(cut) != 0)
        return true;
    update(from, n);
    cut_at = 0;
    return false;
}

/* True: so was the repair. */
static bool repair_cut(uint32_t at)
{
    cut_at = at;
    if (setjmp(cut) != 0)
        return true;
    ilb__set_repair(&set, settle, NULL);
    cut_at = 0;
    return false;
}

static bool has_list(uint32_t from, uint32_t n)
{
    if (set.n_listed != n)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (ilb__set_find(&set, test_address(from + i)) == NULL)
            return false;
    return true;
}

static void is_sound(void)
{
    ilb__view v = ilb__table_view(&set.table);
    uint32_t n_inside = 0;

    must_eq(set.n_listed + set.n_draining + set.n_free, set.n_fresh);
    must_eq(v.n, set.n_listed);
    for (uint32_t i = 0; i < v.n; i++) {
        uint32_t k = ilb__endpoint_id_index(ilb__view_id(&v, i));

        must(set.slots[k].listed && inside[k]);
    }
    for (uint32_t k = 0; k < 3 * CAPACITY; k++)
        n_inside += inside[k];
    must_eq(n_inside, set.n_listed);
}

START_TEST(the_old_list_or_the_new_one)
{
    uint32_t n_cut = 0, n_old = 0, n_new = 0;

    for (uint32_t at = 1; n_cut + 1 == at; at++) {
        setup();
        update(0, 6);
        ilb__add_relaxed(&set.slots[0].load.word, 1); /* it will drain */
        if (update_cut(3, 8, at)) {
            n_cut++;
            must(!repair_cut(0));
        }
        is_sound();
        n_old += has_list(0, 6);
        n_new += has_list(3, 8);
        must_eq(n_old + n_new, at);
        update(10, 8);
        is_sound();
        must(has_list(10, 8));
        update(0, 6);
        is_sound();
    }
    must(n_cut > 12 && n_old > 5 && n_new > 3);
}
END_TEST

START_TEST(a_repair_that_is_cut_short_is_begun_again)
{
    for (uint32_t at = 1; at <= 20; at++)
        for (uint32_t again = 1; again <= 20; again++) {
            setup();
            update(0, 6);
            ilb__add_relaxed(&set.slots[0].load.word, 1);
            if (!update_cut(3, 8, at))
                continue;
            (void)repair_cut(again);
            must(!repair_cut(0));
            is_sound();
            must(has_list(0, 6) || has_list(3, 8));
            update(10, 8);
            is_sound();
        }
}
END_TEST

START_TEST(what_is_whole_stays_as_it_is)
{
    ilb__slot *slot;

    update(0, 6);
    slot = ilb__set_find(&set, test_address(4));
    ilb__set_change_readiness(&set, slot, ILB_NOT_READY, &watch);
    must(!repair_cut(0));
    must(has_list(0, 6));
    must_eq(ilb__table_view(&set.table).n, 5);
    must(ilb__set_find(&set, test_address(4)) == slot);
    must(!inside[slot - set.slots]);
}
END_TEST

/* A plan that was made and not applied leaves its marks. */
START_TEST(a_plan_alone_changes_nothing)
{
    ilb_endpoint e[CAPACITY];

    update(0, 6);
    test_endpoints(e, 4, 8);
    must_eq(ilb__set_plan(&set, e, 8), ILB_OK);
    set.planned.cells[1] = 3; /* it was killed while it planned */
    must(!repair_cut(0));
    must(has_list(0, 6));
    is_sound();
    update(4, 8);
    must(has_list(4, 8));
}
END_TEST

Suite *suite_repair(void)
{
    Suite *s = suite_create("repair");
    TCase *tc = test_case(s, "cut short");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, the_old_list_or_the_new_one);
    tcase_add_test(tc, a_repair_that_is_cut_short_is_begun_again);
    tcase_add_test(tc, what_is_whole_stays_as_it_is);
    tcase_add_test(tc, a_plan_alone_changes_nothing);
    return s;
}
