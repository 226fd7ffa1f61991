/* SPDX-License-Identifier: MIT */
/*
 * Requests at their client: deadlines, retries, giving up, closed loops, and
 * what of them is measured.
 */
#include "test_sim_kit.h"

/* ---- The deadline ---- */

START_TEST(deadline)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.servers[0].workers = 0;
    k.s.service = (sim_distribution){
        .kind = SIM_BIMODAL, .a_ns = 1e6, .b_ns = 60e6, .p = 0.1};
    k.s.deadline_ns = 50 * MS;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_within(r.timed_out, 100 - 38, 100 + 38);
    kit_must_eq(r.failed, r.timed_out);
    ck_assert_double_eq(r.max_ns, 50e6);
    ck_assert_double_eq(r.p50_ns, 1.2e6);
    ck_assert_double_eq_tol(
        r.mean_ns,
        (50e6 * (double)r.timed_out + 1.2e6 * (double)(1000 - r.timed_out)) /
            1000,
        1e-3);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        kit_must_eq(a->deadline_ns, a->picked_ns + 50 * MS);
        if (a->outcome == SIM_TIMEOUT)
            kit_must_eq(a->done_ns, a->deadline_ns);
    }
}
END_TEST

/* An answer at the deadline is too late; one a nanosecond before is not. */
START_TEST(deadline_to_the_nanosecond)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.s.deadline_ns = MS + MS / 5;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.timed_out, 1000);
    k.s.deadline_ns++;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.failed, 0);
}
END_TEST

START_TEST(giving_up)
{
    kit k;
    sim_result r;

    kit_init(&k, 2);
    k.s.give_up = 0.25;
    kit_at(&k, SECOND, SIM_HANG, 1, 1);
    kit_at(&k, SECOND, SIM_REFUSE, 0, 0);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.cancelled, 450);
    kit_must_eq(r.failed, 450);
    kit_must_eq(r.timed_out, 0);
    ck_assert_double_eq(r.max_ns, 1.2e6); /* the cancelled have no latency */
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        if (a->outcome == SIM_CANCELLED)
            kit_must_eq(a->done_ns - a->picked_ns, 250 * MS);
        kit_must_eq(a->deadline_ns, a->picked_ns + SECOND);
    }
}
END_TEST

/* ---- Retries ---- */

/* Server 0 refuses, 1 errs, 2 is well; in turn, so a third begins at each. */
START_TEST(retries)
{
    kit k;
    sim_result r;

    kit_init(&k, 3);
    k.s.retries = 2;
    kit_at(&k, 0, SIM_REFUSE, 0, 0);
    kit_at(&k, 0, SIM_ERRORS, 1, 1);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.requests, 1000);
    kit_must_eq(r.failed, 0);
    kit_must_eq(r.attempts, kit_log.n);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        ck_assert_int_eq((int)a->outcome,
                         (int)(a->server == 0   ? SIM_CONNECT_ERROR
                               : a->server == 1 ? SIM_FAILURE
                                                : SIM_SUCCESS));
        if (a->number == 0)
            continue;
        /* At once, and one deadline for all. */
        kit_must_eq(a->request, a[-1].request);
        kit_must_eq(a->number, a[-1].number + 1);
        kit_must_eq(a->picked_ns, a[-1].done_ns);
        kit_must_eq(a->deadline_ns, a[-1].deadline_ns);
        ck_assert_uint_ne(a->server, a[-1].server);
    }
    /* The latency is of all attempts together. */
    ck_assert_double_eq(r.max_ns, 0.2e6 + 1.2e6 + 1.2e6);
}
END_TEST

START_TEST(retries_have_an_end)
{
    kit k;
    sim_result r;

    kit_init(&k, 4);
    k.s.retries = 2;
    kit_at(&k, 0, SIM_REJECT, 0, 3);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.attempts, 3000);
    kit_must_eq(r.failed, 1000);
    kit_must_eq(r.requests, 1000);
    kit_must(isnan(r.p50_ns) && isnan(r.mean_ns) && isnan(r.max_ns));
}
END_TEST

START_TEST(retries_end_without_endpoints)
{
    kit k;
    sim_result r;

    kit_init(&k, 2);
    k.s.retries = 5;
    kit_at(&k, 0, SIM_REFUSE, 0, 1);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.attempts, 2000);
    kit_must_eq(r.no_endpoint, 1000);
    kit_must_eq(r.failed, 1000);
}
END_TEST

/* Whoever waited until the deadline does not try again; and it is over then
 * even if an attempt has only begun. */
START_TEST(no_retry_after_the_deadline)
{
    kit k;
    sim_result r;

    kit_init(&k, 2);
    k.s.retries = 5;
    k.s.deadline_ns = 30 * MS;
    kit_at(&k, 0, SIM_ERRORS, 0, 0)->delay_ns = 29 * MS;
    kit_at(&k, 0, SIM_HANG, 1, 1);
    k.s.rate_per_s = 10;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.timed_out, 100);
    kit_must_eq(r.attempts, kit_log.n);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        ck_assert_uint_le(a->number, 1);
        if (a->outcome == SIM_TIMEOUT)
            kit_must_eq(a->done_ns, a->deadline_ns);
        if (a->number == 1)
            kit_must_eq(a->done_ns - a->picked_ns, MS - MS / 5);
    }
}
END_TEST

/* ---- Closed loop ---- */

START_TEST(closed_loop)
{
    uint64_t in_flight = 0, n_done = 0;
    kit k;
    sim_result r;

    kit_init(&k, 3);
    k.s.closed_loop = true;
    k.s.concurrency = 6;
    k.s.n_clients = 3;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.failed, 0);
    for (size_t i = 0; i < kit_log.n; i++)
        ck_assert_uint_lt(kit_log.attempts[i].picked_ns, 10 * SECOND);
    /* At any time: those that began, less those that ended. */
    for (uint64_t at_ns = MS / 2; at_ns < 9 * SECOND; at_ns += 100 * MS + 7) {
        in_flight = n_done = 0;
        for (size_t i = 0; i < kit_log.n; i++) {
            in_flight += kit_log.attempts[i].picked_ns <= at_ns;
            n_done += kit_log.attempts[i].done_ns <= at_ns;
        }
        kit_must_eq(in_flight - n_done, 6);
    }
    /* Little's law. */
    kit_within(r.mean_ns * (double)r.requests / 1e10, 5.99, 6.01);
}
END_TEST

/* Time goes on even if there is nothing to send to. */
START_TEST(closed_loop_without_endpoints)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.s.closed_loop = true;
    k.s.concurrency = 2;
    kit_at(&k, 5 * SECOND, SIM_LEAVE, 0, 0);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_within(r.no_endpoint, 9990, 10000);
    k.s.network_ns = 0;
    k.s.service.a_ns = 0;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.requests, 20000);
}
END_TEST

/* ---- The measured part ---- */

START_TEST(the_warm_up_is_in_no_figure)
{
    kit k;
    sim_result r;

    kit_init(&k, 1);
    k.s.warm_up_ns = 4 * SECOND;
    kit_at(&k, 0, SIM_SLOW, 0, 0)->factor = 8;
    kit_at(&k, 3990 * MS, SIM_HEAL, 0, 0);
    kit_at(&k, 3990 * MS, SIM_REFUSE, 0, 0);
    kit_at(&k, 4020 * MS, SIM_HEAL, 0, 0);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.requests, 600);
    kit_must_eq(r.attempts, 600);
    kit_must_eq(r.failed, 2);
    kit_must_eq(r.to_bad, 2);
    ck_assert_double_eq(r.max_ns, 1.2e6);
    kit_must_eq(kit_log.n, 1000);
}
END_TEST

START_TEST(ticks)
{
    kit k;

    kit_init(&k, 1);
    k.s.n_clients = 3;
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    /* At 0.1 s to 9.9 s, and perhaps 10 s. */
    kit_within(kit_log.ticks, 3 * 99, 3 * 100);
}
END_TEST

Suite *suite_sim_requests(void)
{
    Suite *s = suite_create("sim_requests");
    TCase *t = tcase_create("requests");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, deadline);
    tcase_add_test(t, deadline_to_the_nanosecond);
    tcase_add_test(t, giving_up);
    tcase_add_test(t, retries);
    tcase_add_test(t, retries_have_an_end);
    tcase_add_test(t, retries_end_without_endpoints);
    tcase_add_test(t, no_retry_after_the_deadline);
    tcase_add_test(t, closed_loop);
    tcase_add_test(t, closed_loop_without_endpoints);
    tcase_add_test(t, the_warm_up_is_in_no_figure);
    tcase_add_test(t, ticks);
    suite_add_tcase(s, t);
    return s;
}
