/* SPDX-License-Identifier: MIT */
/*
 * Every happening does what it says, to the nanosecond: requests come at 5, 15,
 * 25 ... ms, are 0.1 ms on the way and take 1 ms unless a test says otherwise.
 */
#include "test_sim_kit.h"

/* From pick to answer of a server that is well. */
#define WELL_NS (MS + MS / 5)
#define TRIP_NS (MS / 5)

START_TEST(well)
{
    kit k;
    sim_result r;

    kit_init(&k, 2);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.requests, 1000);
    kit_must_eq(r.attempts, 1000);
    kit_must_eq(r.failed + r.cancelled + r.no_endpoint + r.to_bad, 0);
    ck_assert_double_eq(r.p50_ns, (double)WELL_NS);
    ck_assert_double_eq(r.max_ns, (double)WELL_NS);
    ck_assert_double_eq(r.mean_ns, (double)WELL_NS);
    for (size_t i = 0; i < kit_log.n; i++) {
        kit_must_eq(kit_log.attempts[i].picked_ns, (10 * i + 5) * MS);
        kit_ended((10 * i + 5) * MS, SIM_SUCCESS, WELL_NS);
        kit_must_eq(kit_log.attempts[i].server, i % 2);
    }
    kit_must_eq(kit_log.updates, 1);
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
    kit_must_eq(r.to_bad, 150);
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
        kit_must_eq(kit_took(kit_log.attempts[i].picked_ns), 7 * MS + TRIP_NS);
    kit_must_eq(r.to_bad, r.attempts);
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
    kit_must_eq(r.failed, 100);
    kit_must_eq(r.to_bad, 100);
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
    kit_must_eq(r.failed, 0);
    kit_must_eq(r.to_bad, 18);
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
    kit_must_eq(r.timed_out, 5);
    kit_must_eq(r.failed, 5);
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
    kit_must_eq(r.timed_out, 450);
    kit_must_eq(r.to_bad, 450);
    kit_must_eq(r.requests, 1000);
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
    kit_must_eq(r.failed, 0);
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
    /* It arrives in the last one: 2 ms after its pick that is over. */
    kit_ended(1150 * MS, SIM_SUCCESS, 2 * MS + 100 * MS + TRIP_NS / 2);
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
    kit_must_eq(r.to_bad, 800);
    kit_must_eq(r.timed_out, 0);
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
    kit_must_eq(r.to_bad, 0);
    for (size_t i = 0; i < 50; i++) /* as late as a good answer */
        kit_must_eq(kit_took(kit_log.attempts[i].picked_ns), WELL_NS);
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
    kit_must_eq(kit_picked(1005 * MS)->retry_after_ns, 2 * SECOND);
    kit_ended(2005 * MS, SIM_SUCCESS, WELL_NS);
    kit_must_eq(kit_picked(2005 * MS)->retry_after_ns, 0);
    kit_within(r.failed, 100 + 350 - 4 * 13.2, 100 + 350 + 4 * 13.2);
    kit_must_eq(r.to_bad, 800);
    for (size_t i = 300; i < kit_log.n; i++)
        kit_must_eq(kit_log.attempts[i].retry_after_ns, 0);
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
    kit_must_eq(kit_picked(45 * MS)->retry_after_ns, 0);
    kit_must_eq(r.to_bad, 0);
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
    kit_must_eq(r.to_bad, 44 + 94);
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
    suite_add_tcase(s, t);
    return s;
}
