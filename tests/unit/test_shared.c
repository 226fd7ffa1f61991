/* SPDX-License-Identifier: MIT */
/* A balancer between processes, played: whose tickets are whose, and what
 * becomes of those of a process that has ended. */
#include "shared.h"
#include "suites_internal.h"

static test_shared *s;

static void setup(void)
{
    s = test_shared_new(4, ILB_POLICY_RANDOM);
}

static void teardown(void)
{
    test_shared_free(s);
}

static ilb_ticket pick_cost(double cost)
{
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_ticket t;

    o.cost = cost;
    must_eq(ilb_pick(s->b, &t, &o), ILB_OK);
    return t;
}

static void is_refused(ilb_ticket *t)
{
    ilb_ticket before = *t;

    must_eq(ilb_first_byte(s->b, t, 0), ILB_ETICKET);
    must_eq(ilb_done(s->b, t, ILB_FAILURE), ILB_ETICKET);
    must(ilb_ticket_address(s->b, t) == NULL);
    must(ilb_ticket_user(s->b, t) == NULL);
    must_eq(ilb_ticket_try_timeout_ns(s->b, t), 0);
    must(memcmp(&before, t, sizeof before) == 0);
}

static uint64_t extra_cost(void)
{
    uint64_t sum = 0;

    for (uint32_t k = 0; k < s->b->set.n_fresh; k++)
        sum += ilb__load_relaxed(&s->b->set.slots[k].extra_cost);
    return sum;
}

/* ---- Tickets ----------------------------------------------------------- */

START_TEST(a_ticket_is_its_processes_alone)
{
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_ticket mine = test_pick(s->b), theirs, none;

    test_shared_as(s, 2);
    is_refused(&mine); /* it has no place yet */
    theirs = test_pick(s->b);
    is_refused(&mine);
    o.exclude = &mine;
    o.n_exclude = 1;
    must_eq(ilb_pick(s->b, &none, &o), ILB_ETICKET);
    must_eq(test_shared_in_flight(s), 2);
    test_shared_as(s, 1);
    is_refused(&theirs);
    must_eq(test_shared_in_flight(s), 2);
    test_done(s->b, &mine, ILB_SUCCESS);
    test_shared_as(s, 2);
    test_done(s->b, &theirs, ILB_SUCCESS);
    must_eq(test_shared_in_flight(s), 0);
}
END_TEST

START_TEST(one_learns_for_all)
{
    test_shared_eject(s, 1);
    test_shared_as(s, 2);
    for (int i = 0; i < 400; i++)
        must(test_request(s->b, &s->clock, MS_NS, ILB_SUCCESS) != 1);
}
END_TEST

/* ---- Reclaiming -------------------------------------------------------- */

/* Process 2 leaves requests in every place where one is counted; so does 1,
 * which lives. */
static void leave_some(ilb_ticket mine[12])
{
    for (int i = 0; i < 12; i++) {
        ilb_ticket t;

        test_shared_as(s, 1);
        mine[i] = pick_cost(i % 3 == 0 ? 2 : 0);
        test_shared_as(s, 2);
        t = pick_cost(i % 2 == 0 ? 5 : 0.5);
        if (i % 4 == 3)
            must_eq(ilb_first_byte(s->b, &t, 0), ILB_OK);
        /* A turn, so that there are old ones and young ones. */
        t = test_pick(s->b);
        test_done(s->b, &t, ILB_SUCCESS);
        s->clock.now_ns += MS_NS;
    }
    test_shared_as(s, 1);
}

static void only_mine_are_left(ilb_ticket mine[12])
{
    must_eq(test_shared_in_flight(s), 12);
    must_eq(test_shared_leaked(s), 12);
    must_eq(extra_cost(), 4 * ILB_COST_ONE);
    for (int i = 0; i < 12; i++)
        test_done(s->b, &mine[i], ILB_SUCCESS);
    must_eq(test_shared_in_flight(s), 0);
    must_eq(extra_cost(), 0);
}

START_TEST(what_an_ended_process_held_is_given_back_by_a_pick)
{
    ilb_ticket mine[12], t;

    leave_some(mine);
    must_eq(test_shared_in_flight(s), 24);
    /* It is a zombie. */
    test_shared_pass(s, 8);
    must_eq(test_shared_in_flight(s), 24);
    test_shared_end(s, 2);
    s->clock.now_ns += 1100 * MS_NS;
    t = test_pick(s->b);
    test_done(s->b, &t, ILB_SUCCESS);
    only_mine_are_left(mine);
}
END_TEST

START_TEST(and_at_once_when_somebody_says_so)
{
    ilb_ticket mine[12];

    leave_some(mine);
    must_eq(ilb_process_ended(s->b, 7), ILB_OK);
    must_eq(test_shared_in_flight(s), 24);
    must_eq(ilb_process_ended(s->b, 2), ILB_OK);
    only_mine_are_left(mine);
    must_eq(ilb_process_ended(s->b, 2), ILB_OK);
}
END_TEST

START_TEST(and_when_its_pid_comes_again)
{
    ilb_ticket mine[12];

    leave_some(mine);
    test_shared_end(s, 2);
    test_shared_as(s, 2);
    (void)test_request(s->b, &s->clock, MS_NS, ILB_SUCCESS);
    s->clock.now_ns += 1100 * MS_NS;
    must_eq(ilb_tick(s->b, 0), ILB_OK);
    test_shared_as(s, 1);
    only_mine_are_left(mine);
}
END_TEST

START_TEST(and_when_it_frees_the_balancer)
{
    ilb_ticket mine[12];

    leave_some(mine);
    test_shared_as(s, 2);
    ilb__balancer_leave(s->b); /* without unmapping what all here use */
    must_eq(ilb__process_here(&s->b->upkeep.processes), 0);
    test_shared_as(s, 1);
    only_mine_are_left(mine);
}
END_TEST

START_TEST(whether_processes_have_ended_is_asked_once_a_second)
{
    uint32_t before;

    test_shared_as(s, 2);
    (void)test_request(s->b, &s->clock, MS_NS, ILB_SUCCESS);
    test_shared_pass(s, 20);
    before = s->n_asked;
    for (int i = 0; i < 10000; i++)
        (void)test_request(s->b, &s->clock, MS_NS, ILB_SUCCESS);
    must_be_within(s->n_asked - before, 2 * 9, 2 * 11);
}
END_TEST

START_TEST(who_was_wrongly_said_to_have_ended_goes_on)
{
    ilb_ticket t, mine = test_pick(s->b);

    test_shared_as(s, 2);
    t = test_pick(s->b);
    test_shared_as(s, 1);
    must_eq(ilb_process_ended(s->b, 2), ILB_OK);
    must_eq(test_shared_in_flight(s), 1);
    test_shared_as(s, 2);
    is_refused(&t);
    must_eq(test_shared_in_flight(s), 1);
    t = test_pick(s->b);
    test_done(s->b, &t, ILB_SUCCESS);
    test_shared_as(s, 1);
    test_done(s->b, &mine, ILB_SUCCESS);
    must_eq(test_shared_in_flight(s), 0);
}
END_TEST

/* What a lease has given back is not given back again: that would be another's.
 */
START_TEST(a_process_that_ends_holds_nothing_whose_lease_is_over)
{
    ilb_ticket lost[8], mine[8];

    s->b->upkeep.lease_ns = 5 * S_NS;
    test_shared_as(s, 2);
    for (int i = 0; i < 8; i++)
        lost[i] = test_pick(s->b);
    test_shared_as(s, 1);
    for (int i = 0; i < 44; i++)
        test_shared_pass(s, 1);
    must_eq(test_shared_in_flight(s), 0);
    must_eq(test_shared_leaked(s), 8);
    /* Turns, so that others are counted where those were. */
    for (int i = 0; i < 8; i++)
        mine[i] = test_pick(s->b);
    for (int i = 0; i < 8; i++)
        test_done(s->b, &mine[i], ILB_SUCCESS);
    for (int i = 0; i < 8; i++)
        mine[i] = test_pick(s->b);
    test_shared_as(s, 2);
    for (int i = 0; i < 8; i++)
        is_refused(&lost[i]);
    test_shared_as(s, 1);
    must_eq(ilb_process_ended(s->b, 2), ILB_OK);
    must_eq(test_shared_in_flight(s), 8);
    for (int i = 0; i < 8; i++)
        test_done(s->b, &mine[i], ILB_SUCCESS);
    must_eq(test_shared_in_flight(s), 0);
    must_eq(test_shared_leaked(s), 8);
}
END_TEST

/* ---- Probes ------------------------------------------------------------ */

START_TEST(the_probe_of_an_ended_process_is_made_by_another)
{
    ilb_ticket probe, t;
    size_t n;

    test_shared_eject(s, 1);
    s->clock.now_ns = test_stats(s->b, 1).ejected_until_ns + MS_NS;
    test_shared_as(s, 2);
    probe = test_pick(s->b);
    must_eq(test_number(s->b, &probe), 1);
    must_eq(test_stats(s->b, 1).state, ILB_STATE_PROBING);
    test_shared_as(s, 1);
    t = test_pick(s->b);
    must(test_number(s->b, &t) != 1);
    test_done(s->b, &t, ILB_SUCCESS);
    must_eq(ilb_process_ended(s->b, 2), ILB_OK);
    must_eq(test_stats(s->b, 1).state, ILB_STATE_EJECTED);
    n = test_events_read(s->b, 0);
    must_eq(test_events[n - 1].type, ILB_EVENT_PROBE_CANCELLED);
    s->clock.now_ns += MS_NS;
    t = test_pick(s->b);
    must_eq(test_number(s->b, &t), 1);
    test_done(s->b, &t, ILB_SUCCESS);
    must_eq(test_stats(s->b, 1).state, ILB_STATE_WARMING);
}
END_TEST

/* ---- Too many ---------------------------------------------------------- */

START_TEST(one_too_many_is_refused_and_changes_nothing)
{
    ilb_endpoint e = ILB_ENDPOINT("x:1");
    ilb_ticket t, before;
    uint64_t last;

    for (uint32_t pid = 2; pid <= 4; pid++) {
        test_shared_as(s, pid);
        (void)test_request(s->b, &s->clock, MS_NS, ILB_SUCCESS);
    }
    test_shared_as(s, 5);
    memset(&t, 7, sizeof t);
    before = t;
    last = test_events_last(s->b);
    must_eq(ilb_pick(s->b, &t, NULL), ILB_EPROCESSES);
    must_eq(ilb_probe_next(s->b, &t, 0), ILB_EPROCESSES);
    must(memcmp(&before, &t, sizeof t) == 0);
    must_eq(ilb_balancer_update(s->b, &e, 1), ILB_EPROCESSES);
    must_eq(ilb_balancer_set_readiness(s->b, test_address(0), ILB_NOT_READY),
            ILB_EPROCESSES);
    must_eq(ilb_balancer_report_check(s->b, test_address(0), 1, 0),
            ILB_EPROCESSES);
    must_eq(ilb_tick(s->b, 0), ILB_EPROCESSES);
    must_eq(test_shared_in_flight(s), 0); /* to look is allowed */
    must_eq(test_events_last(s->b), last);
    must(!test_is_known(s->b, 9) && test_is_known(s->b, 0));
    test_shared_end(s, 3);
    t = test_pick(s->b);
    test_done(s->b, &t, ILB_SUCCESS);
}
END_TEST

START_TEST(workers_that_come_and_go_find_room)
{
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t pid = 2 + i % 13;

        test_shared_as(s, pid);
        (void)test_pick(s->b); /* and is killed */
        test_shared_as(s, 1);
        test_shared_end(s, pid);
    }
    test_shared_pass(s, 8);
    must_eq(test_shared_in_flight(s), 0);
    must_eq(test_shared_leaked(s), 1000);
}
END_TEST

/* ---- Random draws ------------------------------------------------------ */

START_TEST(processes_draw_differently_at_the_same_time)
{
    uint64_t salts[64], n_same = 0;

    for (int i = 0; i < 64; i++) {
        test_shared_as(s, 1);
        salts[i] = ilb__random_next(&s->b->selector.random, 1);
    }
    /* Even from the same state of the same stream. */
    for (int i = 0; i < 64; i++) {
        ilb__random copy = s->b->selector.random;
        uint64_t a, b;

        test_shared_as(s, 1);
        a = ilb__random_next(&copy, 1);
        copy = s->b->selector.random;
        test_shared_as(s, 2);
        (void)test_request(s->b, &s->clock, MS_NS, ILB_SUCCESS);
        b = ilb__random_next(&copy, 1);
        n_same += a == b || a == salts[i];
    }
    must_eq(n_same, 0);
}
END_TEST

Suite *suite_shared(void)
{
    Suite *suite = suite_create("shared");
    TCase *tc = test_case(suite, "processes");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_ticket_is_its_processes_alone);
    tcase_add_test(tc, one_learns_for_all);
    tcase_add_test(tc, what_an_ended_process_held_is_given_back_by_a_pick);
    tcase_add_test(tc, and_at_once_when_somebody_says_so);
    tcase_add_test(tc, and_when_its_pid_comes_again);
    tcase_add_test(tc, and_when_it_frees_the_balancer);
    tcase_add_test(tc, whether_processes_have_ended_is_asked_once_a_second);
    tcase_add_test(tc, who_was_wrongly_said_to_have_ended_goes_on);
    tcase_add_test(tc, a_process_that_ends_holds_nothing_whose_lease_is_over);
    tcase_add_test(tc, the_probe_of_an_ended_process_is_made_by_another);
    tcase_add_test(tc, one_too_many_is_refused_and_changes_nothing);
    tcase_add_test(tc, workers_that_come_and_go_find_room);
    tcase_add_test(tc, processes_draw_differently_at_the_same_time);
    return suite;
}
