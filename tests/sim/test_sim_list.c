/* SPDX-License-Identifier: MIT */
/*
 * What changes the clients' list, their rate and their clock, and processes
 * that end and begin anew; to the nanosecond. Requests come at 5, 15, 25 ...
 * ms, are 0.1 ms on the way and take 1 ms unless a test says otherwise.
 */
#include <string.h>

#include "test_sim_kit.h"

/* From pick to answer of a server that is well. */
#define WELL_NS (MS + MS / 5)
#define TRIP_NS (MS / 5)

static size_t list_count(uint32_t server, uint64_t from_ns, uint64_t to_ns)
{
    size_t n = 0;

    for (size_t i = 0; i < kit_log.n; i++)
        n += kit_log.attempts[i].server == server &&
             kit_log.attempts[i].picked_ns >= from_ns &&
             kit_log.attempts[i].picked_ns < to_ns;
    return n;
}

START_TEST(join_and_leave)
{
    kit k;
    sim_result r;

    kit_init(&k, 3);
    k.servers[2].listed_at_start = false;
    k.servers[2].weight = 2.5;
    k.s.service.a_ns = 8e6;
    kit_at(&k, 1000 * MS, SIM_JOIN, 2, 2);
    kit_at(&k, 1500 * MS, SIM_JOIN, 2, 2); /* is there: nothing changes */
    kit_at(&k, 2000 * MS, SIM_LEAVE, 0, 1);
    kit_at(&k, 3000 * MS, SIM_LEAVE, 2, 2);
    kit_at(&k, 4000 * MS, SIM_JOIN, 0, 0);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(kit_log.updates, 5);
    kit_must_eq(list_count(2, 0, 1000 * MS), 0);
    kit_within(list_count(2, 1000 * MS, 2000 * MS), 33, 34);
    kit_must_eq(list_count(2, 2000 * MS, 3000 * MS), 100);
    kit_ended(1995 * MS, SIM_SUCCESS, 8 * MS + TRIP_NS); /* it ends */
    kit_ended(2995 * MS, SIM_SUCCESS, 8 * MS + TRIP_NS);
    kit_must_eq(list_count(0, 4000 * MS, 10 * SECOND), 600);
    kit_must_eq(r.no_endpoint, 100);
    kit_must_eq(r.failed, 100);
    kit_must_eq(r.attempts, 900);
    kit_must_eq(r.requests, 1000);
}
END_TEST

static void list_on_update(uint64_t now_ns)
{
    now_ns -= KIT_CLOCK;
    if (now_ns == 0)
        kit_must_eq(kit_log.n_members, 2);
    else if (now_ns == SECOND || now_ns == 3 * SECOND)
        kit_must_eq(kit_log.n_members, 1);
    else if (now_ns == 2 * SECOND || now_ns == 4 * SECOND)
        kit_must_eq(kit_log.n_members, 2);
    else
        ck_abort_msg("an update at %g s", (double)now_ns / 1e9);
}

START_TEST(restart)
{
    kit k;
    sim_happening *h;
    sim_result r;

    kit_init(&k, 2);
    kit_at(&k, 500 * MS, SIM_SLOW, 1, 1)->factor = 2;
    kit_at(&k, 500 * MS, SIM_ERRORS, 1, 1);
    kit_at(&k, 600 * MS, SIM_NOT_READY, 1, 1);
    kit_at(&k, 700 * MS, SIM_READY, 1, 1);
    h = kit_at(&k, 1000 * MS, SIM_RESTART, 1, 1);
    h->duration_ns = SECOND;
    h->factor = 3;
    h->delay_ns = SECOND;
    kit_at(&k, 3000 * MS, SIM_RESTART, 0, 0)->duration_ns = SECOND;
    kit_clear();
    k.s.happenings += 2; /* this time without faults */
    k.s.n_happenings -= 2;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.failed, 0);
    kit_must_eq(kit_log.updates, 7);
    kit_must_eq(list_count(1, 600 * MS, 700 * MS), 0);
    kit_must_eq(list_count(1, 1000 * MS, 2000 * MS), 0);
    kit_must_eq(list_count(0, 3000 * MS, 4000 * MS), 0);
    kit_within(list_count(1, 2000 * MS, 3000 * MS), 49, 51);
    kit_within(list_count(0, 4000 * MS, 5000 * MS), 49, 51);

    k.s.happenings -= 2;
    k.s.n_happenings += 2;
    k.happenings[2].kind = k.happenings[3].kind = SIM_HEAL;
    k.happenings[2].first = k.happenings[2].last = 0; /* not the bad one */
    k.happenings[3].first = k.happenings[3].last = 0;
    kit_clear();
    kit_log.on_update = list_on_update;
    r = kit_run_with(&k, &kit_policy, 1);
    kit_must_eq(kit_log.updates, 5);
    kit_must_eq(r.failed, 25); /* all before */
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];
        double age = ((double)a->picked_ns + 1e5 - 2e9) / 1e9;

        if (a->server == 1 && a->picked_ns > 2 * SECOND)
            kit_within((double)kit_took(a->picked_ns),
                       1e6 * (age < 1 ? 3 - 2 * age : 1) + 2e5 - 2,
                       1e6 * (age < 1 ? 3 - 2 * age : 1) + 2e5 + 2);
    }
}
END_TEST

/* What a server still has when its new process begins is lost. */
START_TEST(restart_while_hanging)
{
    kit k;

    kit_init(&k, 1);
    kit_at(&k, 1000 * MS, SIM_HANG, 0, 0);
    kit_at(&k, 1010 * MS, SIM_RESTART, 0, 0)->duration_ns = 100 * MS;
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(1005 * MS, SIM_CONNECT_ERROR, 105 * MS + TRIP_NS / 2);
    kit_ended(1115 * MS, SIM_SUCCESS, WELL_NS);
}
END_TEST

/* A new process is ready, whatever the old one was. */
START_TEST(a_restart_makes_it_ready)
{
    kit k;

    kit_init(&k, 2);
    kit_at(&k, 1000 * MS, SIM_NOT_READY, 1, 1);
    kit_at(&k, 2000 * MS, SIM_RESTART, 1, 1)->duration_ns = SECOND;
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(list_count(1, 1000 * MS, 3000 * MS), 0);
    kit_must_eq(list_count(1, 3000 * MS, 10 * SECOND), 350);
}
END_TEST

START_TEST(leaving_ends_a_restart)
{
    kit k;

    kit_init(&k, 2);
    kit_at(&k, 1000 * MS, SIM_RESTART, 1, 1)->duration_ns = SECOND;
    kit_at(&k, 1500 * MS, SIM_LEAVE, 1, 1);
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(list_count(1, 1000 * MS, 10 * SECOND), 0);
}
END_TEST

START_TEST(crash)
{
    kit k;
    sim_happening *h;
    sim_result r;

    kit_init(&k, 1);
    k.s.service.a_ns = 16e6;
    k.s.duration_ns = 2400 * MS;
    kit_at(&k, 500 * MS, SIM_RATE, 0, 0)->factor = 10;
    kit_at(&k, 900 * MS, SIM_RATE, 0, 0)->factor = 100;
    kit_at(&k, 900 * MS, SIM_FIXED, 0, 0)->duration_ns = 25 * MS;
    h = kit_at(&k, 1000 * MS, SIM_CRASH, 0, 0);
    h->duration_ns = 300 * MS;
    h->factor = 5;
    h->delay_ns = 100 * MS;
    kit_at(&k, 1100 * MS, SIM_HEAL, 0, 0); /* of no use */
    kit_at(&k, 1250 * MS, SIM_RATE, 0, 0)->factor = 10;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(kit_log.updates, 1); /* it stays in the list */
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        if (a->picked_ns >= 970 * MS && a->picked_ns < 1000 * MS) {
            ck_assert_int_eq((int)a->outcome, SIM_CONNECT_ERROR);
            kit_must_eq(a->done_ns, 1000 * MS + TRIP_NS / 2);
        } else if (a->picked_ns >= 1000 * MS && a->picked_ns < 1300 * MS) {
            kit_ended(a->picked_ns, SIM_CONNECT_ERROR, TRIP_NS);
        } else if (a->picked_ns >= 1300 * MS) {
            double age = ((double)a->picked_ns + 1e5 - 1.3e9) / 1e8;

            kit_within((double)kit_took(a->picked_ns),
                       16e6 * (age < 1 ? 5 - 4 * age : 1) + 2e5 - 2,
                       16e6 * (age < 1 ? 5 - 4 * age : 1) + 2e5 + 2);
            ck_assert_int_eq((int)a->outcome, SIM_SUCCESS);
        }
    }
    kit_must_eq(r.timed_out, 0);
}
END_TEST

/* The plans of what was lost are void, also for those who come after. */
START_TEST(crash_while_it_stands_still)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.s.service.a_ns = 50e6;
    k.servers[0].workers = 2;
    kit_at(&k, 1000 * MS, SIM_STOP, 0, 0)->duration_ns = 500 * MS;
    kit_at(&k, 1007 * MS, SIM_CRASH, 0, 0)->duration_ns = 20 * MS;
    kit_at(&k, 1020 * MS, SIM_CRASH, 0, 0)->duration_ns = 30 * MS;
    kit_at(&k, 1200 * MS, SIM_RATE, 0, 0)->factor = 1;
    k.s.deadline_ns = 20 * SECOND;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];
        bool lost = a->done_ns == 1007 * MS + TRIP_NS / 2;

        if (a->picked_ns >= 1007 * MS && a->picked_ns < 1050 * MS)
            kit_ended(a->picked_ns, SIM_CONNECT_ERROR, TRIP_NS);
        else
            ck_assert_int_eq((int)a->outcome,
                             (int)(lost ? SIM_CONNECT_ERROR : SIM_SUCCESS));
    }
    kit_ended(1055 * MS, SIM_SUCCESS, 50 * MS + TRIP_NS);
    kit_ended(1065 * MS, SIM_SUCCESS, 50 * MS + TRIP_NS);
    kit_ended(1075 * MS, SIM_SUCCESS, 80 * MS + TRIP_NS);
    ck_assert_uint_gt(r.failed, 50);
}
END_TEST

START_TEST(not_ready)
{
    kit k;
    sim_result r;

    kit_init(&k, 2);
    kit_at(&k, 1000 * MS, SIM_NOT_READY, 0, 0);
    kit_at(&k, 1500 * MS, SIM_NOT_READY, 0, 0); /* it is */
    kit_at(&k, 2000 * MS, SIM_NOT_READY, 1, 1);
    kit_at(&k, 3000 * MS, SIM_READY, 0, 1);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(kit_log.updates, 4);
    kit_must_eq(list_count(0, 1000 * MS, 3000 * MS), 0);
    kit_must_eq(list_count(1, 1000 * MS, 2000 * MS), 100);
    kit_must_eq(r.no_endpoint, 100);
    kit_must_eq(r.to_bad, 0);
}
END_TEST

START_TEST(rates)
{
    kit k;

    kit_init(&k, 1);
    kit_at(&k, 1000 * MS, SIM_RATE, 0, 0)->factor = 400;
    kit_at(&k, 2000 * MS, SIM_RATE, 0, 0)->factor = 0;
    kit_at(&k, 3000 * MS, SIM_RATE, 0, 0)->factor = 0.5;
    kit_at(&k, 9000 * MS, SIM_RATE, 0, 0)->factor = 3;
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(list_count(0, 0, 1000 * MS), 100);
    kit_must_eq(list_count(0, 1000 * MS, 2000 * MS), 400);
    kit_ended(1001 * MS + MS / 4, SIM_SUCCESS, WELL_NS); /* half was left */
    kit_ended(1003 * MS + 3 * MS / 4, SIM_SUCCESS, WELL_NS);
    kit_must_eq(list_count(0, 2000 * MS, 3000 * MS), 0);
    kit_must_eq(list_count(0, 3000 * MS, 9000 * MS), 3);
    kit_ended(4000 * MS, SIM_SUCCESS, WELL_NS);
    kit_must_eq(list_count(0, 9000 * MS, 10000 * MS), 3);
}
END_TEST

static uint64_t list_ticks_at_1;

static void list_on_tick(const sim_host *host, uint64_t now_ns)
{
    (void)host;
    list_ticks_at_1 += now_ns == 1;
}

/* Only the policy sees it: the world goes on as it was. */
START_TEST(clock_jumps)
{
    static const int64_t jumps_ns[10] = {
        [1] = 3600 * (int64_t)SECOND,
        [2] = -3600 * (int64_t)SECOND - (int64_t)SECOND / 2,
        [3] = -2 * (int64_t)KIT_CLOCK,
        [4] = INT64_MIN,
        [5] = INT64_MIN,
    };
    sim_result plain, jumped;
    kit k;

    kit_init(&k, 2);
    k.s.poisson = true;
    plain = kit_run(&k, KIT_ROUND_ROBIN, 1);
    for (uint64_t s = 1; s < 6; s++)
        kit_at(&k, s * SECOND, SIM_CLOCK_JUMP, 0, 0)->jump_ns = jumps_ns[s];
    for (int i = 0; i < 3; i++)
        kit_at(&k, 6 * SECOND, SIM_CLOCK_JUMP, 0, 0)->jump_ns = INT64_MAX;
    kit_clear();
    kit_log.jumps = true;
    kit_log.on_tick = list_on_tick;
    jumped = kit_run_with(&k, &kit_policy, 1);
    jumped.events = plain.events;
    ck_assert_mem_eq(&plain, &jumped, sizeof plain);
    kit_must(kit_log.last_ns > INT64_MAX + KIT_CLOCK + 9 * SECOND);
    kit_must(kit_log.last_ns <= INT64_MAX + KIT_CLOCK + 10 * SECOND);
    /* From 3 s to 6 s it would be before the beginning of time. */
    kit_must_eq(list_ticks_at_1, 30);
    for (size_t i = 0; i < kit_log.n; i++)
        if (kit_log.attempts[i].picked_ns + KIT_CLOCK != 1)
            kit_must_eq(kit_log.attempts[i].deadline_ns -
                            kit_log.attempts[i].picked_ns,
                        SECOND);
}
END_TEST

/* An hour on and back again: in between all times are an hour later. */
START_TEST(an_hour_on_and_back)
{
    static kit_attempt plain[2000];
    size_t n;
    kit k;

    kit_init(&k, 2);
    k.s.poisson = true;
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    n = kit_log.n;
    kit_must(n <= 2000);
    memcpy(plain, kit_log.attempts, n * sizeof plain[0]);
    kit_at(&k, 3 * SECOND, SIM_CLOCK_JUMP, 0, 0)->jump_ns =
        3600 * (int64_t)SECOND;
    kit_at(&k, 7 * SECOND, SIM_CLOCK_JUMP, 0, 0)->jump_ns =
        -3600 * (int64_t)SECOND;
    kit_clear();
    kit_log.jumps = true;
    kit_run_with(&k, &kit_policy, 1);
    kit_must_eq(kit_log.n, n);
    for (size_t i = 0; i < n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];
        bool on =
            plain[i].picked_ns >= 3 * SECOND && plain[i].picked_ns < 7 * SECOND;

        kit_must_eq(a->picked_ns,
                    plain[i].picked_ns + (on ? 3600 * SECOND : 0));
        kit_must_eq(a->server, plain[i].server);
    }
}
END_TEST

Suite *suite_sim_list(void)
{
    Suite *s = suite_create("sim_list");
    TCase *t = tcase_create("list");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, join_and_leave);
    tcase_add_test(t, restart);
    tcase_add_test(t, restart_while_hanging);
    tcase_add_test(t, a_restart_makes_it_ready);
    tcase_add_test(t, leaving_ends_a_restart);
    tcase_add_test(t, crash);
    tcase_add_test(t, crash_while_it_stands_still);
    tcase_add_test(t, not_ready);
    tcase_add_test(t, rates);
    tcase_add_test(t, clock_jumps);
    tcase_add_test(t, an_hour_on_and_back);
    suite_add_tcase(s, t);
    return s;
}
