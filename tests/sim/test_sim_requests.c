/* SPDX-License-Identifier: MIT */
/*
 * Requests at their client: deadlines, retries, giving up, closed loops, what
 * is the same for all policies, and what is the same again.
 */
#include <stdlib.h>
#include <string.h>

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
    ck_assert_uint_eq(r.failed, r.timed_out);
    ck_assert_double_eq(r.max_ns, 50e6);
    ck_assert_double_eq(r.p50_ns, 1.2e6);
    ck_assert_double_eq_tol(r.mean_ns,
                            (50e6 * (double)r.timed_out +
                             1.2e6 * (double)(1000 - r.timed_out)) /
                                1000,
                            1e-3);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        ck_assert_uint_eq(a->deadline_ns, a->picked_ns + 50 * MS);
        if (a->outcome == SIM_TIMEOUT)
            ck_assert_uint_eq(a->done_ns, a->deadline_ns);
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
    ck_assert_uint_eq(r.timed_out, 1000);
    k.s.deadline_ns++;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    ck_assert_uint_eq(r.failed, 0);
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
    ck_assert_uint_eq(r.cancelled, 450);
    ck_assert_uint_eq(r.failed, 450);
    ck_assert_uint_eq(r.timed_out, 0);
    ck_assert_double_eq(r.max_ns, 1.2e6); /* the cancelled have no latency */
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        if (a->outcome == SIM_CANCELLED)
            ck_assert_uint_eq(a->done_ns - a->picked_ns, 250 * MS);
        ck_assert_uint_eq(a->deadline_ns, a->picked_ns + SECOND);
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
    ck_assert_uint_eq(r.requests, 1000);
    ck_assert_uint_eq(r.failed, 0);
    ck_assert_uint_eq(r.attempts, kit_log.n);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        ck_assert_int_eq((int)a->outcome,
                         (int)(a->server == 0   ? SIM_CONNECT_ERROR
                               : a->server == 1 ? SIM_FAILURE
                                                : SIM_SUCCESS));
        if (a->number == 0)
            continue;
        /* At once, and one deadline for all. */
        ck_assert_uint_eq(a->request, a[-1].request);
        ck_assert_uint_eq(a->number, a[-1].number + 1);
        ck_assert_uint_eq(a->picked_ns, a[-1].done_ns);
        ck_assert_uint_eq(a->deadline_ns, a[-1].deadline_ns);
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
    ck_assert_uint_eq(r.attempts, 3000);
    ck_assert_uint_eq(r.failed, 1000);
    ck_assert_uint_eq(r.requests, 1000);
    ck_assert(isnan(r.p50_ns) && isnan(r.mean_ns) && isnan(r.max_ns));
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
    ck_assert_uint_eq(r.attempts, 2000);
    ck_assert_uint_eq(r.no_endpoint, 1000);
    ck_assert_uint_eq(r.failed, 1000);
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
    ck_assert_uint_eq(r.timed_out, 100);
    ck_assert_uint_eq(r.attempts, kit_log.n);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        ck_assert_uint_le(a->number, 1);
        if (a->outcome == SIM_TIMEOUT)
            ck_assert_uint_eq(a->done_ns, a->deadline_ns);
        if (a->number == 1)
            ck_assert_uint_eq(a->done_ns - a->picked_ns, MS - MS / 5);
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
    ck_assert_uint_eq(r.failed, 0);
    for (size_t i = 0; i < kit_log.n; i++)
        ck_assert_uint_lt(kit_log.attempts[i].picked_ns, 10 * SECOND);
    /* At any time: those that began, less those that ended. */
    for (uint64_t at_ns = MS / 2; at_ns < 9 * SECOND; at_ns += 100 * MS + 7) {
        in_flight = n_done = 0;
        for (size_t i = 0; i < kit_log.n; i++) {
            in_flight += kit_log.attempts[i].picked_ns <= at_ns;
            n_done += kit_log.attempts[i].done_ns <= at_ns;
        }
        ck_assert_uint_eq(in_flight - n_done, 6);
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
    ck_assert_uint_eq(r.requests, 20000);
}
END_TEST

/* ---- Common random numbers ---- */

/* A scenario in which everything is random. */
static void requests_wild(kit *k)
{
    sim_process *p;

    kit_init(k, 6);
    k->s.poisson = true;
    k->s.duration_ns = 20 * SECOND;
    k->s.n_clients = 3;
    k->s.retries = 2;
    k->s.deadline_ns = 30 * MS;
    k->s.service =
        (sim_distribution){.kind = SIM_LOGNORMAL, .a_ns = 4e6, .p = 0.7};
    k->s.heavy_share = 0.05;
    k->s.heavy_factor = 5;
    k->s.cost_hints = true;
    k->s.errors_everywhere = 0.01;
    kit_at(k, 5 * SECOND, SIM_ERRORS, 1, 2)->probability = 0.3;
    kit_at(k, 6 * SECOND, SIM_REJECT, 3, 3)->probability = 0.4;
    kit_at(k, 7 * SECOND, SIM_CRASH, 4, 4)->duration_ns = SECOND;
    p = kit_always(k, SIM_STOPS, 0, 5);
    p->every_ns = SECOND;
    p->duration_ns = 50 * MS;
    p->random_duration = true;
    p = kit_always(k, SIM_ANTAGONISTS, 0, 5);
    p->every_ns = SECOND;
    p->count = 2;
    p->factor = 4;
    kit_measure(k, SIM_P99, 0, 0, SECOND, 9 * SECOND);
    kit_measure(k, SIM_SHARE, 2, 3, SECOND, 9 * SECOND);
}

START_TEST(same_seed_same_bytes)
{
    kit_attempt *log;
    size_t n;
    sim_result a, b;
    kit k;

    requests_wild(&k);
    a = kit_run(&k, KIT_RANDOM, 5);
    n = kit_log.n;
    log = kit_log.attempts;
    kit_log.attempts = NULL;
    b = kit_run(&k, KIT_RANDOM, 5);
    ck_assert_mem_eq(&a, &b, sizeof a);
    ck_assert_uint_eq(n, kit_log.n);
    ck_assert_mem_eq(log, kit_log.attempts, n * sizeof *log);
    ck_assert_uint_gt(a.failed, 0);
    ck_assert_uint_ne(a.hash, 0);
    b = kit_run(&k, KIT_RANDOM, 6);
    ck_assert_uint_ne(a.hash, b.hash);
    ck_assert_uint_ne(a.requests, b.requests);
    free(log);
}
END_TEST

/* The hash is of the time and the server of each pick. */
START_TEST(the_hash_sees_each_pick)
{
    uint64_t hash;
    kit k;

    kit_init(&k, 2);
    hash = kit_run(&k, KIT_ROUND_ROBIN, 1).hash;
    kit_at(&k, 9994 * MS, SIM_NOT_READY, 0, 0); /* the last is at 9995 */
    ck_assert_uint_eq(kit_run(&k, KIT_ROUND_ROBIN, 1).hash, hash);
    k.happenings[0].first = k.happenings[0].last = 1;
    ck_assert_uint_ne(kit_run(&k, KIT_ROUND_ROBIN, 1).hash, hash);
    k.happenings[0].kind = SIM_RATE;
    k.happenings[0].factor = 90; /* the last is a little later */
    ck_assert_uint_ne(kit_run(&k, KIT_ROUND_ROBIN, 1).hash, hash);
}
END_TEST

/* First attempts, by request: without queues and faults the latency is the
 * demand. */
static void requests_firsts(kit_attempt *firsts, size_t n)
{
    for (size_t i = 0; i < kit_log.n; i++)
        if (kit_log.attempts[i].number == 0) {
            ck_assert_uint_lt(kit_log.attempts[i].request, n);
            firsts[kit_log.attempts[i].request] = kit_log.attempts[i];
        }
}

START_TEST(all_policies_see_the_same_world)
{
    static kit_attempt a[3000], b[3000];
    uint64_t clients[3] = {0}, heavy = 0, failed = 0, elsewhere = 0;
    sim_result ra, rb;
    kit k;

    requests_wild(&k);
    k.s.n_processes = 0;
    k.s.n_happenings = 0;
    k.s.deadline_ns = 10 * SECOND;
    for (uint32_t i = 0; i < 6; i++)
        k.servers[i].workers = 0;
    kit_at(&k, 0, SIM_ERRORS, 0, 5)->probability = 0.1;
    k.happenings[0].delay_ns = UINT64_MAX;
    ra = kit_run(&k, KIT_ROUND_ROBIN, 9);
    requests_firsts(a, 3000);
    rb = kit_run(&k, KIT_RANDOM, 9);
    requests_firsts(b, 3000);
    ck_assert_uint_eq(ra.requests, rb.requests);
    for (size_t i = 0; i < ra.requests; i++) {
        ck_assert_uint_eq(a[i].picked_ns, b[i].picked_ns);
        ck_assert_uint_eq(a[i].client, b[i].client);
        ck_assert_uint_eq(a[i].done_ns, b[i].done_ns);
        ck_assert_int_eq((int)a[i].outcome, (int)b[i].outcome);
        ck_assert_double_eq(a[i].cost, b[i].cost);
        clients[a[i].client]++;
        heavy += a[i].cost > 4.99 && a[i].cost < 5.01;
        failed += a[i].outcome == SIM_FAILURE;
        elsewhere += a[i].server != b[i].server;
    }
    ck_assert_uint_gt(elsewhere, ra.requests / 2);
    for (int i = 0; i < 3; i++)
        kit_within(clients[i] * 3 / (double)ra.requests, 0.85, 1.15);
    kit_within((double)heavy / (double)ra.requests, 0.03, 0.07);
    kit_within((double)failed / (double)ra.requests, 0.08, 0.14);
}
END_TEST

/* A retry has the same demand, but luck of its own. */
START_TEST(retries_have_the_same_work)
{
    uint64_t retried = 0, lucky = 0;
    kit k;

    requests_wild(&k);
    k.s.n_processes = 0;
    k.s.n_happenings = 0;
    k.s.deadline_ns = 10 * SECOND;
    for (uint32_t i = 0; i < 6; i++)
        k.servers[i].workers = 0;
    kit_at(&k, 0, SIM_ERRORS, 0, 5)->probability = 0.5;
    k.happenings[0].delay_ns = UINT64_MAX;
    kit_run(&k, KIT_ROUND_ROBIN, 9);
    for (size_t i = 1; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        for (const kit_attempt *b = a; b-- > kit_log.attempts;)
            if (a->number == 1 && b->request == a->request) {
                ck_assert_uint_eq(a->done_ns - a->picked_ns,
                                  b->done_ns - b->picked_ns);
                retried++;
                lucky += a->outcome == SIM_SUCCESS;
                break;
            }
    }
    kit_within(retried, 900, 1100);
    kit_within((double)lucky / (double)retried, 0.43, 0.56);
}
END_TEST

/* Heavy requests are so much heavier, told or not. */
START_TEST(heavy_requests)
{
    kit k;
    uint64_t heavy = 0;

    kit_init(&k, 2);
    k.s.heavy_share = 0.2;
    k.s.heavy_factor = 4;
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];
        bool is = a->done_ns - a->picked_ns == 4 * MS + MS / 5;

        if (!is)
            ck_assert_uint_eq(a->done_ns - a->picked_ns, MS + MS / 5);
        ck_assert_double_eq(a->cost, 1);
        heavy += is;
    }
    kit_within(heavy, 200 - 60, 200 + 60);
    k.s.cost_hints = true;
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        ck_assert_double_eq(a->cost, a->done_ns - a->picked_ns > 4 * MS ? 4 : 1);
    }
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
    ck_assert_uint_eq(r.requests, 600);
    ck_assert_uint_eq(r.attempts, 600);
    ck_assert_uint_eq(r.failed, 2);
    ck_assert_uint_eq(r.to_bad, 2);
    ck_assert_double_eq(r.max_ns, 1.2e6);
    ck_assert_uint_eq(kit_log.n, 1000);
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
    tcase_add_test(t, same_seed_same_bytes);
    tcase_add_test(t, the_hash_sees_each_pick);
    tcase_add_test(t, all_policies_see_the_same_world);
    tcase_add_test(t, retries_have_the_same_work);
    tcase_add_test(t, heavy_requests);
    tcase_add_test(t, the_warm_up_is_in_no_figure);
    tcase_add_test(t, ticks);
    suite_add_tcase(s, t);
    return s;
}
