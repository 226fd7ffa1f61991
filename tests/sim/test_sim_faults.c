/* SPDX-License-Identifier: MIT */
/*
 * Every happening does what it says, to the nanosecond: requests come at 5, 15,
 * 25 ... ms, are 0.1 ms on the way and take 1 ms unless a test says otherwise.
 */
#include "test_sim_kit.h"

#define WELL_NS (MS + MS / 5) /* from pick to answer of a server that is well */
#define TRIP_NS (MS / 5)

START_TEST(well)
{
    kit k;
    sim_result r;

    kit_init(&k, 2);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    ck_assert_uint_eq(r.requests, 1000);
    ck_assert_uint_eq(r.attempts, 1000);
    ck_assert_uint_eq(r.failed + r.cancelled + r.no_endpoint + r.to_bad, 0);
    ck_assert_double_eq(r.p50_ns, (double)WELL_NS);
    ck_assert_double_eq(r.max_ns, (double)WELL_NS);
    ck_assert_double_eq(r.mean_ns, (double)WELL_NS);
    for (size_t i = 0; i < kit_log.n; i++) {
        ck_assert_uint_eq(kit_log.attempts[i].picked_ns, (10 * i + 5) * MS);
        kit_ended((10 * i + 5) * MS, SIM_SUCCESS, WELL_NS);
        ck_assert_uint_eq(kit_log.attempts[i].server, i % 2);
    }
    ck_assert_uint_eq(kit_log.updates, 1);
}
END_TEST

START_TEST(slow_and_healed)
{
    kit k;
    sim_result r;

    kit_init(&k, 2);
    k.servers[1].speed = 0.5;
    kit_at(&k, 1000 * MS, SIM_SLOW, 0, 1)->factor = 3;
    kit_at(&k, 2000 * MS, SIM_SLOW, 0, 0)->factor = 1.5;
    kit_at(&k, 3000 * MS, SIM_HEAL, 0, 1);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(985 * MS, SIM_SUCCESS, TRIP_NS + MS);
    kit_ended(995 * MS, SIM_SUCCESS, TRIP_NS + 2 * MS);
    kit_ended(1005 * MS, SIM_SUCCESS, TRIP_NS + 3 * MS);
    kit_ended(1015 * MS, SIM_SUCCESS, TRIP_NS + 6 * MS);
    kit_ended(2005 * MS, SIM_SUCCESS, TRIP_NS + MS + MS / 2);
    kit_ended(2015 * MS, SIM_SUCCESS, TRIP_NS + 6 * MS);
    kit_ended(3005 * MS, SIM_SUCCESS, TRIP_NS + MS);
    kit_ended(3015 * MS, SIM_SUCCESS, TRIP_NS + 2 * MS);
    /* 1.5 times slower is everyday life, low speed no fault at all. */
    ck_assert_uint_eq(r.to_bad, 150);
}
END_TEST

/* What has begun is as long as it was planned. */
START_TEST(slow_is_for_what_begins)
{
    kit k;

    kit_init(&k, 1);
    k.s.service.a_ns = 8e6;
    kit_at(&k, 1000 * MS, SIM_SLOW, 0, 0)->factor = 50;
    kit_at(&k, 1006 * MS, SIM_HEAL, 0, 0);
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(995 * MS, SIM_SUCCESS, TRIP_NS + 8 * MS);
    kit_ended(1005 * MS, SIM_SUCCESS, TRIP_NS + 400 * MS);
    /* It begins when the one before ends, and is well then. */
    kit_ended(1015 * MS, SIM_SUCCESS, (390 + 8) * MS + TRIP_NS);
}
END_TEST

START_TEST(fixed)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.s.poisson = true;
    k.s.service = (sim_distribution){.kind = SIM_EXPONENTIAL, .a_ns = 1e5};
    k.servers[0].workers = 0;
    k.servers[0].speed = 3;
    kit_at(&k, 0, SIM_FIXED, 0, 0)->duration_ns = 7 * MS;
    kit_at(&k, 0, SIM_SLOW, 0, 0)->factor = 3;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    ck_assert_uint_gt(r.requests, 800);
    for (size_t i = 0; i < kit_log.n; i++)
        ck_assert_uint_eq(kit_took(kit_log.attempts[i].picked_ns),
                          7 * MS + TRIP_NS);
    ck_assert_uint_eq(r.to_bad, r.attempts);
}
END_TEST

START_TEST(refuse)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.s.service.a_ns = 7e6;
    kit_at(&k, 1000 * MS, SIM_REFUSE, 0, 0);
    kit_at(&k, 2000 * MS, SIM_HEAL, 0, 0);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(995 * MS, SIM_SUCCESS, 7 * MS + TRIP_NS); /* was accepted */
    kit_ended(1005 * MS, SIM_CONNECT_ERROR, TRIP_NS);
    kit_ended(1995 * MS, SIM_CONNECT_ERROR, TRIP_NS);
    kit_ended(2005 * MS, SIM_SUCCESS, 7 * MS + TRIP_NS);
    ck_assert_uint_eq(r.failed, 100);
    ck_assert_uint_eq(r.to_bad, 100);
    /* A fast error is no fast answer. */
    ck_assert_double_eq(r.mean_ns, 7e6 + (double)TRIP_NS);
}
END_TEST

/* One in service and one in the queue when it begins, one more comes in it. */
START_TEST(hang_and_its_late_answers)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.s.service.a_ns = 9e6;
    k.s.duration_ns = 40 * MS;
    k.s.rate_per_s = 500; /* 1, 3, 5 ... ms */
    kit_at(&k, 4 * MS, SIM_HANG, 0, 0);
    kit_at(&k, 304 * MS, SIM_HEAL, 0, 0);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    /* Of its 9 ms it had 2.9 when it began to hang. */
    kit_ended(1 * MS, SIM_SUCCESS, 309 * MS + TRIP_NS);
    kit_ended(3 * MS, SIM_SUCCESS, (309 - 2 + 9) * MS + TRIP_NS);
    kit_ended(5 * MS, SIM_SUCCESS, (309 - 4 + 18) * MS + TRIP_NS);
    ck_assert_uint_eq(r.failed, 0);
    ck_assert_uint_eq(r.to_bad, 18);
}
END_TEST

/* The client has gone, but what it left is still worked off. */
START_TEST(hang_longer_than_the_deadline)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.s.deadline_ns = 100 * MS;
    k.s.service.a_ns = 4e6;
    k.s.duration_ns = SECOND;
    kit_at(&k, 500 * MS, SIM_HANG, 0, 0);
    kit_at(&k, 550 * MS, SIM_RATE, 0, 0)->factor = 0;
    kit_at(&k, 800 * MS, SIM_HEAL, 0, 0);
    kit_at(&k, 800 * MS, SIM_RATE, 0, 0)->factor = 100;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(495 * MS, SIM_SUCCESS, 4 * MS + TRIP_NS);
    for (uint64_t ms = 505; ms < 550; ms += 10)
        kit_ended(ms * MS, SIM_TIMEOUT, 100 * MS);
    ck_assert_uint_eq(r.timed_out, 5);
    ck_assert_uint_eq(r.failed, 5);
    /* At 550 ms half a distance was left: the next comes at 805, when the
     * five have been worked at for 5 ms. */
    kit_ended(805 * MS, SIM_SUCCESS, (20 - 5) * MS + 4 * MS + TRIP_NS / 2);
    ck_assert_double_eq(r.max_ns, 100e6);
}
END_TEST

START_TEST(a_hang_that_never_ends)
{
    kit k;
    sim_result r;

    kit_init(&k, 2);
    kit_at(&k, SECOND, SIM_HANG, 1, 1);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    ck_assert_uint_eq(r.timed_out, 450);
    ck_assert_uint_eq(r.to_bad, 450);
    ck_assert_uint_eq(r.requests, 1000);
}
END_TEST

/* A second stop in the first makes it longer; a hang too. */
START_TEST(stop)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.s.service.a_ns = 6e6;
    kit_at(&k, 1000 * MS, SIM_STOP, 0, 0)->duration_ns = 30 * MS;
    kit_at(&k, 2000 * MS, SIM_STOP, 0, 0)->duration_ns = 3 * MS;
    kit_at(&k, 2001 * MS, SIM_STOP, 0, 0)->duration_ns = MS;
    kit_at(&k, 2001 * MS, SIM_STOP, 0, 0)->duration_ns = 3 * MS;
    kit_at(&k, 2009 * MS, SIM_STOP, 0, 0)->duration_ns = MS;
    kit_at(&k, 3000 * MS, SIM_STOP, 0, 0)->duration_ns = 2 * MS;
    kit_at(&k, 3000 * MS, SIM_HEAL, 0, 0); /* of no use */
    kit_at(&k, 3001 * MS, SIM_HANG, 0, 0);
    kit_at(&k, 3005 * MS, SIM_HEAL, 0, 0);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(995 * MS, SIM_SUCCESS, 36 * MS + TRIP_NS);
    kit_ended(1005 * MS, SIM_SUCCESS, 26 * MS + 6 * MS + TRIP_NS);
    kit_ended(1015 * MS, SIM_SUCCESS, 16 * MS + 12 * MS + TRIP_NS);
    /* 4 ms, and 1 more from 2009 on, when half is left of the next one. */
    kit_ended(1995 * MS, SIM_SUCCESS, 10 * MS + TRIP_NS);
    kit_ended(2005 * MS, SIM_SUCCESS, 7 * MS + TRIP_NS);
    kit_ended(2995 * MS, SIM_SUCCESS, 11 * MS + TRIP_NS);
    ck_assert_uint_eq(r.failed, 0);
}
END_TEST

/* Many pauses in one service, each shorter than what is left of it. */
START_TEST(stops_in_one_service_add_up)
{
    kit k;

    kit_init(&k, 1);
    k.servers[0].workers = 4;
    k.s.service.a_ns = 100e6;
    k.s.rate_per_s = 10; /* 50, 150 ... ms */
    for (uint64_t i = 0; i < 20; i++)
        kit_at(&k, (1055 + 5 * i) * MS, SIM_STOP, 0, 0)->duration_ns = 2 * MS;
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(950 * MS, SIM_SUCCESS, 100 * MS + TRIP_NS);
    /* The 40 ms of pauses are over before it is. */
    kit_ended(1050 * MS, SIM_SUCCESS, 140 * MS + TRIP_NS);
    kit_ended(1150 * MS, SIM_SUCCESS, 100 * MS + 2 * MS + TRIP_NS);
}
END_TEST

START_TEST(errors)
{
    kit k;
    sim_result r;
    double share;

    kit_init(&k, 1);
    kit_at(&k, 1000 * MS, SIM_ERRORS, 0, 0)->delay_ns = 3 * MS;
    kit_at(&k, 2000 * MS, SIM_ERRORS, 0, 0)->delay_ns = UINT64_MAX;
    kit_at(&k, 3000 * MS, SIM_HEAL, 0, 0);
    kit_at(&k, 4000 * MS, SIM_ERRORS, 0, 0)->probability = 0.3;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(995 * MS, SIM_SUCCESS, WELL_NS);
    kit_ended(1005 * MS, SIM_FAILURE, 3 * MS + TRIP_NS);
    kit_ended(2005 * MS, SIM_FAILURE, WELL_NS);
    kit_ended(3005 * MS, SIM_SUCCESS, WELL_NS);
    share = (double)(r.failed - 200) / 600;
    kit_within(share, 0.3 - 4 * 0.0187, 0.3 + 4 * 0.0187);
    ck_assert_uint_eq(r.to_bad, 800);
    ck_assert_uint_eq(r.timed_out, 0);
    ck_assert_double_eq(r.max_ns, (double)WELL_NS);
}
END_TEST

START_TEST(errors_everywhere)
{
    kit k;
    sim_result r;

    kit_init(&k, 3);
    k.s.errors_everywhere = 0.1;
    k.s.rate_per_s = 1000;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_within(r.failed, 1000 - 4 * 30, 1000 + 4 * 30);
    ck_assert_uint_eq(r.to_bad, 0);
    for (size_t i = 0; i < 50; i++) /* as late as a good answer */
        ck_assert_uint_eq(kit_took(kit_log.attempts[i].picked_ns), WELL_NS);
}
END_TEST

START_TEST(reject)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    kit_at(&k, 1000 * MS, SIM_REJECT, 0, 0)->delay_ns = 2 * SECOND;
    kit_at(&k, 2000 * MS, SIM_HEAL, 0, 0);
    kit_at(&k, 3000 * MS, SIM_REJECT, 0, 0)->probability = 0.5;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(1005 * MS, SIM_OVERLOAD, TRIP_NS);
    ck_assert_uint_eq(kit_picked(1005 * MS)->retry_after_ns, 2 * SECOND);
    kit_ended(2005 * MS, SIM_SUCCESS, WELL_NS);
    ck_assert_uint_eq(kit_picked(2005 * MS)->retry_after_ns, 0);
    kit_within(r.failed, 100 + 350 - 4 * 13.2, 100 + 350 + 4 * 13.2);
    ck_assert_uint_eq(r.to_bad, 800);
    for (size_t i = 300; i < kit_log.n; i++)
        ck_assert_uint_eq(kit_log.attempts[i].retry_after_ns, 0);
}
END_TEST

/* A full queue is an overload without a hint, and no fault. */
START_TEST(bounded_queue)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.servers[0].queue = 1;
    k.s.service.a_ns = 15e6;
    k.s.duration_ns = 100 * MS;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(5 * MS, SIM_SUCCESS, 15 * MS + TRIP_NS);
    kit_ended(15 * MS, SIM_SUCCESS, 20 * MS + TRIP_NS);
    kit_ended(25 * MS, SIM_SUCCESS, 25 * MS + TRIP_NS);
    kit_ended(35 * MS, SIM_SUCCESS, 30 * MS + TRIP_NS);
    kit_ended(45 * MS, SIM_OVERLOAD, TRIP_NS);
    ck_assert_uint_eq(kit_picked(45 * MS)->retry_after_ns, 0);
    ck_assert_uint_eq(r.to_bad, 0);
}
END_TEST

START_TEST(warm_and_leak)
{
    kit k;
    sim_result r;

    kit_init(&k, 2);
    kit_at(&k, 1000 * MS, SIM_WARM, 0, 0)->factor = 5;
    k.happenings[0].duration_ns = SECOND;
    kit_at(&k, 1000 * MS, SIM_LEAK, 1, 1)->factor = 5;
    k.happenings[1].duration_ns = SECOND;
    kit_at(&k, 3000 * MS, SIM_HEAL, 0, 1);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    for (uint64_t ms = 1005; ms < 2000; ms += 10) {
        double part = ((double)ms + 0.1 - 1000) / 1000;
        double slowness = ms / 10 % 2 == 0 ? 5 - 4 * part : 1 + 4 * part;

        kit_within((double)kit_took(ms * MS), 1e6 * slowness + 2e5 - 2,
                   1e6 * slowness + 2e5 + 2);
    }
    kit_ended(2005 * MS, SIM_SUCCESS, WELL_NS);
    kit_ended(2995 * MS, SIM_SUCCESS, 5 * MS + TRIP_NS); /* it stays so */
    kit_ended(3015 * MS, SIM_SUCCESS, WELL_NS);
    /* Above 1.5: the first 0.875 s of one, all but 0.125 of 2 s the other. */
    ck_assert_uint_eq(r.to_bad, 44 + 94);
}
END_TEST

START_TEST(slowness_multiplies)
{
    kit k;

    kit_init(&k, 1);
    kit_at(&k, 0, SIM_SLOW, 0, 0)->factor = 2;
    kit_at(&k, 0, SIM_LEAK, 0, 0)->factor = 3; /* over no time */
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_ended(5 * MS, SIM_SUCCESS, 6 * MS + TRIP_NS);
}
END_TEST

static size_t faults_count(uint32_t server, uint64_t from_ns, uint64_t to_ns)
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
    ck_assert_uint_eq(kit_log.updates, 5);
    ck_assert_uint_eq(faults_count(2, 0, 1000 * MS), 0);
    kit_within(faults_count(2, 1000 * MS, 2000 * MS), 33, 34);
    ck_assert_uint_eq(faults_count(2, 2000 * MS, 3000 * MS), 100);
    kit_ended(1995 * MS, SIM_SUCCESS, 8 * MS + TRIP_NS); /* it ends */
    kit_ended(2995 * MS, SIM_SUCCESS, 8 * MS + TRIP_NS);
    ck_assert_uint_eq(faults_count(0, 4000 * MS, 10 * SECOND), 600);
    ck_assert_uint_eq(r.no_endpoint, 100);
    ck_assert_uint_eq(r.failed, 100);
    ck_assert_uint_eq(r.attempts, 900);
    ck_assert_uint_eq(r.requests, 1000);
}
END_TEST

static void faults_on_update(uint64_t now_ns)
{
    now_ns -= KIT_CLOCK;
    if (now_ns == 0)
        ck_assert_uint_eq(kit_log.n_members, 2);
    else if (now_ns == SECOND || now_ns == 3 * SECOND)
        ck_assert_uint_eq(kit_log.n_members, 1);
    else if (now_ns == 2 * SECOND || now_ns == 4 * SECOND)
        ck_assert_uint_eq(kit_log.n_members, 2);
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
    ck_assert_uint_eq(r.failed, 0);
    ck_assert_uint_eq(kit_log.updates, 7);
    ck_assert_uint_eq(faults_count(1, 600 * MS, 700 * MS), 0);
    ck_assert_uint_eq(faults_count(1, 1000 * MS, 2000 * MS), 0);
    ck_assert_uint_eq(faults_count(0, 3000 * MS, 4000 * MS), 0);
    kit_within(faults_count(1, 2000 * MS, 3000 * MS), 49, 51);
    kit_within(faults_count(0, 4000 * MS, 5000 * MS), 49, 51);

    k.s.happenings -= 2;
    k.s.n_happenings += 2;
    k.happenings[2].kind = k.happenings[3].kind = SIM_HEAL;
    k.happenings[2].first = k.happenings[2].last = 0; /* not the bad one */
    k.happenings[3].first = k.happenings[3].last = 0;
    kit_clear();
    kit_log.on_update = faults_on_update;
    r = kit_run_with(&k, &kit_policy, 1);
    ck_assert_uint_eq(kit_log.updates, 5);
    ck_assert_uint_eq(r.failed, 25); /* all before */
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

START_TEST(leaving_ends_a_restart)
{
    kit k;

    kit_init(&k, 2);
    kit_at(&k, 1000 * MS, SIM_RESTART, 1, 1)->duration_ns = SECOND;
    kit_at(&k, 1500 * MS, SIM_LEAVE, 1, 1);
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    ck_assert_uint_eq(faults_count(1, 1000 * MS, 10 * SECOND), 0);
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
    ck_assert_uint_eq(kit_log.updates, 1); /* it stays in the list */
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        if (a->picked_ns >= 970 * MS && a->picked_ns < 1000 * MS) {
            ck_assert_int_eq((int)a->outcome, SIM_CONNECT_ERROR);
            ck_assert_uint_eq(a->done_ns, 1000 * MS + TRIP_NS / 2);
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
    ck_assert_uint_eq(r.timed_out, 0);
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
    ck_assert_uint_eq(kit_log.updates, 4);
    ck_assert_uint_eq(faults_count(0, 1000 * MS, 3000 * MS), 0);
    ck_assert_uint_eq(faults_count(1, 1000 * MS, 2000 * MS), 100);
    ck_assert_uint_eq(r.no_endpoint, 100);
    ck_assert_uint_eq(r.to_bad, 0);
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
    ck_assert_uint_eq(faults_count(0, 0, 1000 * MS), 100);
    ck_assert_uint_eq(faults_count(0, 1000 * MS, 2000 * MS), 400);
    kit_ended(1001 * MS + MS / 4, SIM_SUCCESS, WELL_NS); /* half was left */
    kit_ended(1003 * MS + 3 * MS / 4, SIM_SUCCESS, WELL_NS);
    ck_assert_uint_eq(faults_count(0, 2000 * MS, 3000 * MS), 0);
    ck_assert_uint_eq(faults_count(0, 3000 * MS, 9000 * MS), 3);
    kit_ended(4000 * MS, SIM_SUCCESS, WELL_NS);
    ck_assert_uint_eq(faults_count(0, 9000 * MS, 10000 * MS), 3);
}
END_TEST

static uint64_t faults_hour_ago;

static void faults_on_tick(const sim_host *host, uint64_t now_ns)
{
    (void)host;
    faults_hour_ago += now_ns == 1;
}

/* Only the policy sees it: the world goes on as it was. */
START_TEST(clock_jumps)
{
    kit k;
    sim_result plain, jumped;

    kit_init(&k, 2);
    k.s.poisson = true;
    plain = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_at(&k, 1000 * MS, SIM_CLOCK_JUMP, 0, 0)->jump_ns = 3600000000000;
    kit_at(&k, 2000 * MS, SIM_CLOCK_JUMP, 0, 0)->jump_ns = -3600500000000;
    kit_at(&k, 3000 * MS, SIM_CLOCK_JUMP, 0, 0)->jump_ns = -2000000000000;
    kit_at(&k, 4000 * MS, SIM_CLOCK_JUMP, 0, 0)->jump_ns = INT64_MIN;
    kit_at(&k, 5000 * MS, SIM_CLOCK_JUMP, 0, 0)->jump_ns = INT64_MIN;
    kit_at(&k, 6000 * MS, SIM_CLOCK_JUMP, 0, 0)->jump_ns = INT64_MAX;
    kit_at(&k, 6000 * MS, SIM_CLOCK_JUMP, 0, 0)->jump_ns = INT64_MAX;
    kit_at(&k, 6000 * MS, SIM_CLOCK_JUMP, 0, 0)->jump_ns = INT64_MAX;
    kit_clear();
    kit_log.jumps = true;
    kit_log.on_tick = faults_on_tick;
    jumped = kit_run_with(&k, &kit_policy, 1);
    jumped.events = plain.events;
    ck_assert_mem_eq(&plain, &jumped, sizeof plain);
    ck_assert_uint_eq(kit_log.last_ns, INT64_MAX + KIT_CLOCK + 10 * SECOND);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];
        uint64_t now_ns = a->picked_ns;

        if (i > 0 && now_ns - a[-1].picked_ns > 3000 * SECOND &&
            now_ns < 4000 * SECOND)
            kit_within(now_ns - a[-1].picked_ns, 3600 * SECOND,
                       3600.1 * (double)SECOND);
        if (a->picked_ns + KIT_CLOCK != 1)
            ck_assert_uint_eq(a->deadline_ns - a->picked_ns, SECOND);
    }
    /* From 3 s to 6 s it would be before the beginning of time. */
    ck_assert_uint_eq(faults_hour_ago, 30);
}
END_TEST

Suite *suite_sim_faults(void)
{
    Suite *s = suite_create("sim_faults");
    TCase *t = tcase_create("faults");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, well);
    tcase_add_test(t, slow_and_healed);
    tcase_add_test(t, slow_is_for_what_begins);
    tcase_add_test(t, fixed);
    tcase_add_test(t, refuse);
    tcase_add_test(t, hang_and_its_late_answers);
    tcase_add_test(t, hang_longer_than_the_deadline);
    tcase_add_test(t, a_hang_that_never_ends);
    tcase_add_test(t, stop);
    tcase_add_test(t, stops_in_one_service_add_up);
    tcase_add_test(t, errors);
    tcase_add_test(t, errors_everywhere);
    tcase_add_test(t, reject);
    tcase_add_test(t, bounded_queue);
    tcase_add_test(t, warm_and_leak);
    tcase_add_test(t, slowness_multiplies);
    tcase_add_test(t, join_and_leave);
    tcase_add_test(t, restart);
    tcase_add_test(t, restart_while_hanging);
    tcase_add_test(t, leaving_ends_a_restart);
    tcase_add_test(t, crash);
    tcase_add_test(t, crash_while_it_stands_still);
    tcase_add_test(t, not_ready);
    tcase_add_test(t, rates);
    tcase_add_test(t, clock_jumps);
    suite_add_tcase(s, t);
    return s;
}
