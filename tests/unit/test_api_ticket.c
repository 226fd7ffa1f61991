/* SPDX-License-Identifier: MIT */
/* Tickets: one shot, of one balancer, and garbage. */
#include "suites.h"
#include "util.h"

static test_clock clock_ = TEST_CLOCK_INIT;

static ilb_balancer *balancer(uint64_t seed)
{
    ilb_options o = test_options(&clock_, ILB_POLICY_RANDOM, seed);

    o.capacity = 8;
    return test_new(&o);
}

/* Every call that wants a ticket in flight says no, and nothing changes. */
static void is_not_in_flight(ilb_balancer *b, const ilb_ticket *ticket)
{
    ilb_result r = ILB_RESULT_INIT;
    ilb_ticket t = *ticket;

    must_eq(ilb_done(b, &t, ILB_SUCCESS), ILB_ETICKET);
    must_eq(ilb_done_with(b, &t, &r), ILB_ETICKET);
    must_eq(ilb_first_byte(b, &t, 0), ILB_ETICKET);
    must(ilb_ticket_address(b, &t) == NULL);
    must(ilb_ticket_user(b, &t) == NULL);
    must(memcmp(&t, ticket, sizeof t) == 0);
}

START_TEST(a_ticket_is_done_once)
{
    ilb_balancer *b = balancer(1);
    ilb_endpoint_stats before[4], after[4];
    ilb_ticket held, t;

    test_update(b, 0, 1);
    held = test_pick(b);
    for (int outcome = 0; outcome < ILB_OUTCOME_COUNT; outcome++) {
        t = test_pick(b);
        must(ilb_ticket_address(b, &t) != NULL);
        test_done(b, &t, (ilb_outcome)outcome);
        must_eq(test_snapshot(b, before, 4), 1);
        must_eq(before[0].in_flight, 1);
        must_eq(before[0].done[outcome], 1);
        is_not_in_flight(b, &t);
        must_eq(test_snapshot(b, after, 4), 1);
        must(memcmp(before, after, sizeof before[0]) == 0);
    }
    test_done(b, &held, ILB_SUCCESS);
    is_not_in_flight(b, &held);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_bad_outcome_leaves_the_ticket_in_flight)
{
    ilb_balancer *b = balancer(1);
    ilb_result r = ILB_RESULT_INIT;
    ilb_ticket t;

    test_update(b, 0, 1);
    t = test_pick(b);
    must_eq(ilb_done(b, &t, ILB_OUTCOME_COUNT), ILB_EINVAL);
    must_eq(ilb_done(b, &t, (ilb_outcome)-1), ILB_EINVAL);
    r.outcome = (ilb_outcome)7;
    must_eq(ilb_done_with(b, &t, &r), ILB_EINVAL);
    must_eq(test_stats(b, 0).in_flight, 1);
    test_done(b, &t, ILB_SUCCESS);
    must_eq(test_stats(b, 0).in_flight, 0);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_foreign_balancers_ticket_is_refused)
{
    ilb_balancer *a = balancer(7), *b = balancer(7), *c = balancer(8);
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_ticket t, other;

    test_update(a, 0, 2);
    test_update(b, 0, 2);
    test_update(c, 0, 2);
    t = test_pick(a);
    /* Also where theirs has the very same endpoint in flight. */
    for (int i = 0; i < 8; i++) {
        (void)test_pick(b);
        (void)test_pick(c);
    }
    is_not_in_flight(b, &t);
    is_not_in_flight(c, &t);
    o.exclude = &t;
    o.n_exclude = 1;
    must_eq(ilb_pick(b, &other, &o), ILB_ETICKET);
    test_done(a, &t, ILB_SUCCESS);
    is_not_in_flight(b, &t);
    must_eq(ilb_pick(c, &other, &o), ILB_ETICKET);
    must_eq(ilb_pick(a, &other, &o), ILB_OK);
    ilb_balancer_free(a);
    ilb_balancer_free(b);
    ilb_balancer_free(c);
}
END_TEST

START_TEST(garbage_is_refused)
{
    ilb_balancer *b = balancer(1);
    ilb_endpoint_stats before[4], after[4];
    uint64_t random = 11;
    ilb_ticket t;

    test_update(b, 0, 4);
    for (int i = 0; i < 16; i++)
        (void)test_pick(b);
    must_eq(test_snapshot(b, before, 4), 4);
    memset(&t, 0, sizeof t);
    is_not_in_flight(b, &t);
    memset(&t, 0xff, sizeof t);
    is_not_in_flight(b, &t);
    for (int i = 0; i < 1000000; i++) {
        /* Plausible words as well: small numbers, times, few bits set. */
        for (int k = 0; k < 4; k++) {
            uint64_t x = test_random(&random);

            t.internal[k] = x >> (test_below(&random, 2) * (x & 63));
        }
        if (i & 1)
            t.internal[0] = (t.internal[0] & 3) | UINT64_C(1) << 57;
        must_eq(ilb_done(b, &t, ILB_SUCCESS), ILB_ETICKET);
        if (i % 64 == 0)
            is_not_in_flight(b, &t);
    }
    must_eq(test_snapshot(b, after, 4), 4);
    must(memcmp(before, after, sizeof before) == 0);
    ilb_balancer_free(b);
}
END_TEST

/* A real ticket with one to three bits turned: what it says of where and when
 * it was picked is covered by its check. */
START_TEST(a_ticket_with_bits_turned_is_refused)
{
    static const int words[] = {0, 1, 3};
    ilb_balancer *b = balancer(1);
    uint64_t random = 5;
    ilb_ticket real, t;

    test_update(b, 0, 4);
    real = test_pick(b);
    for (int i = 0; i < 3; i++)
        for (int bit = 0; bit < 64; bit++) {
            t = real;
            t.internal[words[i]] ^= UINT64_C(1) << bit;
            is_not_in_flight(b, &t);
        }
    for (int i = 0; i < 100000; i++) {
        t = real;
        for (int k = 0; k < 3; k++)
            t.internal[words[test_below(&random, 3)]] ^=
                UINT64_C(1) << test_below(&random, 64);
        if (memcmp(&t, &real, sizeof t) != 0)
            is_not_in_flight(b, &t);
    }
    test_done(b, &real, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_ticket_may_move)
{
    ilb_balancer *b = balancer(1);
    ilb_ticket *t = malloc(sizeof *t), moved;

    must(t != NULL);
    test_update(b, 0, 1);
    *t = test_pick(b);
    moved = *t;
    memset(t, 0, sizeof *t);
    free(t);
    must_eq(test_number(b, &moved), 0);
    test_done(b, &moved, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_failed_pick_writes_no_ticket)
{
    ilb_balancer *b = balancer(1);
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_ticket t, before;

    memset(&t, 0xa5, sizeof t);
    before = t;
    must_eq(ilb_pick(b, &t, NULL), ILB_EEMPTY);
    o.size = 1;
    must_eq(ilb_pick(b, &t, &o), ILB_EABI);
    must(memcmp(&t, &before, sizeof t) == 0);
    ilb_balancer_free(b);
}
END_TEST

/* Its slot is another endpoint's by now. */
START_TEST(an_old_ticket_finds_its_slot_recycled)
{
    ilb_balancer *b = balancer(1);
    ilb_endpoint_stats before[16], after[16];
    ilb_ticket old, copy, t;

    test_update(b, 0, 1);
    old = test_pick(b);
    copy = old; /* against the rules, yet it must do no harm */
    test_update(b, 1, 1);
    clock_.now_ns += 40 * MS_NS;
    test_done(b, &old, ILB_SUCCESS);
    must(!test_is_known(b, 0));
    /* As many newcomers as there are slots, so that each is used again. */
    for (uint32_t i = 10; i < 60; i++) {
        size_t n;

        test_update(b, i, 8);
        t = test_pick(b);
        n = test_snapshot(b, before, 16);
        is_not_in_flight(b, &old);
        must_eq(ilb_done(b, &copy, ILB_FAILURE), ILB_ETICKET);
        copy = old;
        copy.internal[0] ^= UINT64_C(3) << 57; /* in flight, it says */
        must_eq(test_snapshot(b, after, 16), n);
        must(memcmp(before, after, n * sizeof after[0]) == 0);
        test_done(b, &t, ILB_SUCCESS);
    }
    ilb_balancer_free(b);
}
END_TEST

/* A copy of a done ticket, while nothing else is in flight. */
START_TEST(a_copy_of_a_done_ticket_changes_nothing)
{
    ilb_balancer *b = balancer(1);
    ilb_endpoint_stats before, after;
    ilb_ticket t, copy;

    test_update(b, 0, 1);
    t = copy = test_pick(b);
    clock_.now_ns += MS_NS;
    test_done(b, &t, ILB_SUCCESS);
    before = test_stats(b, 0);
    clock_.now_ns += 500 * MS_NS;
    must_eq(ilb_done(b, &copy, ILB_FAILURE), ILB_ETICKET);
    clock_.now_ns -= 500 * MS_NS;
    after = test_stats(b, 0);
    must(memcmp(&before, &after, sizeof after) == 0);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(an_endpoint_takes_32768_requests_then_is_busy)
{
    enum {
        MOST = 1 << 15
    };
    ilb_balancer *b = balancer(1);
    ilb_ticket *held = calloc(2 * MOST, sizeof *held), t;

    must(held != NULL);
    test_update(b, 0, 2);
    for (uint32_t i = 0; i < 2 * MOST; i++)
        held[i] = test_pick(b);
    must_eq(ilb_pick(b, &t, NULL), ILB_EBUSY);
    must_eq(test_stats(b, 0).in_flight, MOST);
    must_eq(test_stats(b, 1).in_flight, MOST);
    for (uint32_t i = 0; i < 2 * MOST; i++)
        test_done(b, &held[i], ILB_SUCCESS);
    must_eq(test_stats(b, 0).in_flight, 0);
    must_eq(test_stats(b, 1).in_flight, 0);
    free(held);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_ticket(void)
{
    Suite *s = suite_create("api ticket");
    TCase *tc = test_case(s, "ticket");

    tcase_add_test(tc, a_ticket_is_done_once);
    tcase_add_test(tc, a_bad_outcome_leaves_the_ticket_in_flight);
    tcase_add_test(tc, a_foreign_balancers_ticket_is_refused);
    tcase_add_test(tc, garbage_is_refused);
    tcase_add_test(tc, a_ticket_with_bits_turned_is_refused);
    tcase_add_test(tc, a_ticket_may_move);
    tcase_add_test(tc, a_failed_pick_writes_no_ticket);
    tcase_add_test(tc, an_old_ticket_finds_its_slot_recycled);
    tcase_add_test(tc, a_copy_of_a_done_ticket_changes_nothing);
    tcase_add_test(tc, an_endpoint_takes_32768_requests_then_is_busy);
    return s;
}
