/* SPDX-License-Identifier: MIT */
/* health/audit.h: what a kill between two steps leaves is found, and what is
 * only on its way is not. (At every instruction: tests/stress/kill_points.c.)
 */
#include "shared.h"
#include "suites_internal.h"

static test_shared *s;
static ilb__slot *slot;

static void setup(void)
{
    s = test_shared_new(3, ILB_POLICY_RANDOM);
    slot = ilb__set_find(&s->b->set, test_address(2));
}

static void teardown(void)
{
    test_shared_free(s);
}

/* The next look. */
static void look(void)
{
    uint64_t last_ns = s->b->upkeep.audit.began_ns;

    for (int i = 0; s->b->upkeep.audit.began_ns == last_ns; i++) {
        must(i < 20);
        test_shared_pass(s, 1);
    }
    must(!s->b->upkeep.audit.going);
}

/* A process has ended: an audit is wanted, and its first look is over. */
static void first_look(void)
{
    test_shared_as(s, 2);
    (void)test_request(s->b, &s->clock, MS_NS, ILB_SUCCESS);
    test_shared_as(s, 1);
    must_eq(ilb_process_ended(s->b, 2), ILB_OK);
    look();
}

/* Nothing more is found. */
static void looks_end(void)
{
    look();
    must_eq(s->b->upkeep.busy, 0);
    must(!s->b->upkeep.audit.wanted);
}

static uint32_t in_flight(void)
{
    return ilb__load_in_flight(ilb__load_relaxed(&slot->load.word));
}

static void leak(uint32_t where)
{
    uint64_t one = UINT64_C(1);

    if (where == ILB_LOAD_IS_ANSWERED)
        one <<= 2 * ILB_LOAD_BITS;
    else if (ilb__load_parity(ilb__load_relaxed(&slot->load.word)) != where)
        one <<= ILB_LOAD_BITS;
    ilb__add_relaxed(&slot->load.word, one);
}

START_TEST(three_looks_find_what_nobody_has)
{
    for (uint32_t where = 0; where < ILB_HELD_PLACES; where++) {
        uint64_t leaked = test_shared_leaked(s);

        leak(where);
        leak(where);
        first_look();
        must_eq(in_flight(), 2);
        look();
        must_eq(in_flight(), 2);
        look();
        must_eq(in_flight(), 0);
        must_eq(test_shared_leaked(s), leaked + 2);
        looks_end();
    }
}
END_TEST

START_TEST(without_an_end_of_a_process_nothing_is_audited)
{
    leak(0);
    test_shared_pass(s, 40);
    must_eq(in_flight(), 1);
}
END_TEST

START_TEST(what_was_on_its_way_is_left_alone)
{
    leak(0);
    first_look();
    look();
    must(ilb__load_return(
        &slot->load, ilb__load_generation(ilb__load_relaxed(&slot->load.word)),
        0, s->clock.now_ns)); /* it came through */
    look();
    leak(0); /* another one that is on its way just now */
    must_eq(s->b->upkeep.busy, 0);
    test_shared_pass(s, 20);
    must_eq(in_flight(), 1);
    must_eq(test_shared_leaked(s), 0);
}
END_TEST

START_TEST(no_more_than_all_three_looks_have_seen)
{
    leak(0);
    first_look();
    look();
    leak(0); /* may be on its way */
    look();
    must_eq(in_flight(), 1);
    must_eq(test_shared_leaked(s), 1);
    must(ilb__load_return(
        &slot->load, ilb__load_generation(ilb__load_relaxed(&slot->load.word)),
        0, s->clock.now_ns));
    looks_end();
    must_eq(test_shared_leaked(s), 1);
}
END_TEST

START_TEST(requests_of_live_processes_are_no_leak)
{
    ilb_ticket held[8];

    for (uint32_t i = 0; i < 8; i++) {
        test_shared_as(s, i % 2 == 0 ? 1 : 3);
        held[i] = test_pick(s->b);
        if (i >= 6)
            must_eq(ilb_first_byte(s->b, &held[i], 0), ILB_OK);
    }
    leak(1);
    first_look();
    look();
    look();
    must_eq(test_shared_in_flight(s), 8);
    must_eq(test_shared_leaked(s), 1);
    for (uint32_t i = 0; i < 8; i++) {
        test_shared_as(s, i % 2 == 0 ? 1 : 3);
        test_done(s->b, &held[i], ILB_SUCCESS);
    }
    must_eq(test_shared_in_flight(s), 0);
}
END_TEST

START_TEST(cost_that_is_left_over)
{
    for (int i = 0; i < 2; i++) {
        uint64_t off = i == 0 ? 700 : (uint64_t)0 - 100;

        ilb__add_relaxed(&slot->extra_cost, off);
        first_look();
        look();
        must_eq(ilb__load_relaxed(&slot->extra_cost), off);
        look();
        must_eq(ilb__load_relaxed(&slot->extra_cost), 0);
        looks_end();
    }
}
END_TEST

START_TEST(endpoints_that_count_as_ejected)
{
    for (int i = 0; i < 2; i++) {
        uint32_t off = i == 0 ? 2 : (uint32_t)-1;

        ilb__add32_relaxed(&s->b->judge.n_ejected, off);
        first_look();
        look();
        must_eq(ilb__load32_relaxed(&s->b->judge.n_ejected), off);
        look();
        must_eq(ilb__load32_relaxed(&s->b->judge.n_ejected), 0);
        looks_end();
    }
}
END_TEST

/* The process that was to say when an endpoint is due died before it did. */
START_TEST(an_ejected_endpoint_is_due_though_nobody_said_so)
{
    test_shared_eject(s, 1);
    ilb__store_relaxed(&s->b->judge.next_due_ns, UINT64_MAX);
    first_look();
    s->clock.now_ns += 120 * S_NS;
    for (int i = 0; i < 2; i++)
        (void)test_request(s->b, &s->clock, MS_NS, ILB_SUCCESS);
    must(test_stats(s->b, 1).state != ILB_STATE_EJECTED);
}
END_TEST

Suite *suite_audit(void)
{
    Suite *suite = suite_create("audit");
    TCase *tc = test_case(suite, "books");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, three_looks_find_what_nobody_has);
    tcase_add_test(tc, without_an_end_of_a_process_nothing_is_audited);
    tcase_add_test(tc, what_was_on_its_way_is_left_alone);
    tcase_add_test(tc, no_more_than_all_three_looks_have_seen);
    tcase_add_test(tc, requests_of_live_processes_are_no_leak);
    tcase_add_test(tc, cost_that_is_left_over);
    tcase_add_test(tc, endpoints_that_count_as_ejected);
    tcase_add_test(tc, an_ejected_endpoint_is_due_though_nobody_said_so);
    return suite;
}
