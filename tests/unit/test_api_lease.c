/* SPDX-License-Identifier: MIT */
/* Leases: tickets that are never done are given back, once, and no others. */
#include "suites.h"
#include "util.h"

#define LEASE_NS (10 * S_NS)

static test_clock lease_clock;
static ilb_balancer *b;

static void setup_with(uint64_t lease_ns, uint32_t processes)
{
    const test_clock start = TEST_CLOCK_INIT;
    ilb_options o = test_options(&lease_clock, ILB_POLICY_DEFAULT, 2);

    lease_clock = start;
    o.lease_ns = lease_ns;
    o.shared_processes = processes;
    o.capacity = 8;
    b = test_new(&o);
    test_update(b, 0, 1);
}

static void setup(void)
{
    setup_with(LEASE_NS, 0);
}

static void teardown(void)
{
    ilb_balancer_free(b);
}

static uint64_t in_flight(void)
{
    return test_stats(b, 0).in_flight;
}

static uint64_t leaked(void)
{
    return test_stats(b, 0).leaked;
}

/* Ticks only. */
static void idle(uint64_t ns)
{
    uint64_t until_ns = lease_clock.now_ns + ns;

    while (lease_clock.now_ns < until_ns) {
        lease_clock.now_ns += 100 * MS_NS;
        must_eq(ilb_tick(b, 0), ILB_OK);
    }
}

/* A request at a time, of 20 ms, or several that overlap. */
static void busy(uint64_t ns, uint32_t overlap)
{
    uint64_t until_ns = lease_clock.now_ns + ns;
    ilb_ticket t[8];
    uint32_t n = 0;

    while (lease_clock.now_ns < until_ns) {
        if (n >= overlap) {
            test_done(b, &t[0], ILB_SUCCESS);
            for (n = 0; n + 1 < overlap; n++)
                t[n] = t[n + 1];
        }
        t[n++] = test_pick(b);
        lease_clock.now_ns += 20 * MS_NS;
    }
    while (n > 0)
        test_done(b, &t[--n], ILB_SUCCESS);
}

static void is_refused(ilb_ticket *t)
{
    ilb_endpoint_stats before = test_stats(b, 0), after;

    must_eq(ilb_first_byte(b, t, 0), ILB_ETICKET);
    must_eq(ilb_done(b, t, ILB_FAILURE), ILB_ETICKET);
    must(ilb_ticket_address(b, t) == NULL);
    after = test_stats(b, 0);
    must(memcmp(&before, &after, sizeof before) == 0);
}

START_TEST(a_lost_ticket_of_an_idle_endpoint_is_given_back)
{
    ilb_ticket t = test_pick(b);

    idle(LEASE_NS - 200 * MS_NS);
    must_eq(in_flight(), 1);
    must_str(ilb_ticket_address(b, &t), test_address(0));
    idle(LEASE_NS + 500 * MS_NS);
    must_eq(in_flight(), 0);
    must_eq(leaked(), 1);
    is_refused(&t);
    idle(3 * LEASE_NS);
    must_eq(leaked(), 1);
    must_eq(test_stats(b, 0).done[ILB_FAILURE], 0);
}
END_TEST

START_TEST(lost_tickets_of_a_busy_endpoint_are_given_back_and_no_others)
{
    for (uint32_t overlap = 1; overlap <= 8; overlap++) {
        uint64_t before = leaked();
        ilb_ticket lost[3];

        busy(S_NS, overlap);
        for (int i = 0; i < 3; i++) {
            lost[i] = test_pick(b);
            busy(300 * MS_NS, overlap);
        }
        busy(LEASE_NS - 1200 * MS_NS, overlap);
        must_eq(leaked(), before);
        busy(LEASE_NS + 2 * S_NS, overlap);
        must_eq(leaked(), before + 3);
        must_eq(in_flight(), 0);
        for (int i = 0; i < 3; i++)
            is_refused(&lost[i]);
    }
}
END_TEST

START_TEST(who_is_done_in_time_is_not_refused)
{
    ilb_ticket slow[4];

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 4; i++) {
            slow[i] = test_pick(b);
            busy(S_NS, 2);
        }
        busy(LEASE_NS - 4500 * MS_NS, 2);
        for (int i = 0; i < 4; i++)
            test_done(b, &slow[i], ILB_SUCCESS);
    }
    must_eq(leaked(), 0);
    must_eq(in_flight(), 0);
}
END_TEST

START_TEST(a_stream_lasts_as_long_as_it_likes)
{
    ilb_ticket stream = test_pick(b);

    must_eq(ilb_first_byte(b, &stream, 0), ILB_OK);
    (void)test_pick(b); /* and one is lost */
    idle(10 * LEASE_NS);
    must_eq(in_flight(), 1);
    must_eq(leaked(), 1);
    test_done(b, &stream, ILB_SUCCESS);
}
END_TEST

START_TEST(without_a_lease_nothing_is_given_back)
{
    ilb_ticket t;

    teardown();
    setup_with(0, 0);
    t = test_pick(b);
    idle(3600 * S_NS);
    must_eq(in_flight(), 1);
    test_done(b, &t, ILB_SUCCESS);
}
END_TEST

START_TEST(the_slot_of_an_endpoint_that_has_left_is_freed)
{
    (void)test_pick(b);
    test_update(b, 1, 1);
    must(test_is_known(b, 0));
    idle(2 * LEASE_NS + S_NS);
    must(!test_is_known(b, 0));
}
END_TEST

START_TEST(its_cost_is_given_back_when_it_is_idle)
{
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_explanation why;
    ilb_ticket t;

    o.cost = 8;
    must_eq(ilb_pick(b, &t, &o), ILB_OK);
    idle(2 * LEASE_NS + S_NS);
    must_eq(ilb_pick_explained(b, &t, NULL, &why, sizeof why), ILB_OK);
    must_be_within(why.candidates[0].load, 0, 0);
    test_done(b, &t, ILB_SUCCESS);
}
END_TEST

/* What a process holds is less by it, too: it must not be given back twice. */
START_TEST(a_lease_ends_the_same_where_processes_share)
{
    ilb_ticket lost, t;

    teardown();
    setup_with(LEASE_NS, 2);
    lost = test_pick(b);
    busy(2 * LEASE_NS + S_NS, 3);
    must_eq(leaked(), 1);
    must_eq(in_flight(), 0);
    is_refused(&lost);
    t = test_pick(b);
    is_refused(&lost);
    must_eq(in_flight(), 1);
    test_done(b, &t, ILB_SUCCESS);
    must_eq(in_flight(), 0);
}
END_TEST

Suite *suite_api_lease(void)
{
    Suite *s = suite_create("api lease");
    TCase *tc = test_case(s, "lease");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_lost_ticket_of_an_idle_endpoint_is_given_back);
    tcase_add_test(
        tc, lost_tickets_of_a_busy_endpoint_are_given_back_and_no_others);
    tcase_add_test(tc, who_is_done_in_time_is_not_refused);
    tcase_add_test(tc, a_stream_lasts_as_long_as_it_likes);
    tcase_add_test(tc, without_a_lease_nothing_is_given_back);
    tcase_add_test(tc, the_slot_of_an_endpoint_that_has_left_is_freed);
    tcase_add_test(tc, its_cost_is_given_back_when_it_is_idle);
    tcase_add_test(tc, a_lease_ends_the_same_where_processes_share);
    return s;
}
