/* SPDX-License-Identifier: MIT */
/*
 * Tests what a policy can ask of its client: to try a request elsewhere if the
 * attempt fails, or has no answer after a while. Nothing is random here, so
 * every figure is exact.
 */
#include <stdlib.h>

#include "test_sim_kit.h"

/* From pick to answer of a server that is well, and of one that refuses. */
#define WELL_NS (MS + MS / 5)
#define TRIP_NS (MS / 5)

/* ---- A policy that asks ---- */

/* The first attempt goes to server 0, each later one to the next in turn. */
static struct {
    bool elsewhere;
    uint64_t try_ns;
    uint32_t attempts;       /* asks in the first so many of a request */
    uint64_t every;          /* ... of every so-many-th request, from 0 */
    uint32_t tried[1000][8]; /* of each request */
} ask;

static bool ask_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    ck_assert(!a->elsewhere);
    ck_assert_uint_eq(a->try_ns, 0);
    for (uint32_t i = 0; i < a->n_tried; i++)
        ck_assert_uint_eq(a->tried[i], ask.tried[a->request][i]);
    kit_log.choice = a->number == 0 ? KIT_ALWAYS : KIT_ROUND_ROBIN;
    a->elsewhere = ask.elsewhere; /* of no meaning if there is no endpoint */
    a->try_ns = ask.try_ns;
    if (!kit_policy.pick(self, a, now_ns))
        return false;
    ask.tried[a->request][a->number] = a->server;
    if (a->number >= ask.attempts || a->request % ask.every != 0) {
        a->elsewhere = false;
        a->try_ns = 0;
    }
    return true;
}

static void ask_init(kit *k, uint32_t n_servers)
{
    kit_init(k, n_servers);
    k->servers[0].workers = 0;
    ask.elsewhere = false;
    ask.try_ns = 0;
    ask.attempts = UINT32_MAX;
    ask.every = 1;
}

static sim_result ask_run(kit *k)
{
    sim_policy policy = kit_policy;

    policy.pick = ask_pick;
    kit_clear();
    kit_log.always = 0;
    return kit_run_with(k, &policy, 1);
}

/* Every attempt after the first begins when the one before has ended, at
 * another server, with the same deadline. */
static void ask_check_chain(void)
{
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i], *before = NULL;

        if (a->number == 0)
            continue;
        for (size_t j = i; j-- > 0 && before == NULL;)
            if (kit_log.attempts[j].request == a->request)
                before = &kit_log.attempts[j];
        ck_assert_ptr_nonnull(before);
        ck_assert_uint_eq(a->number, before->number + 1);
        ck_assert_uint_eq(a->picked_ns, before->done_ns);
        ck_assert_uint_eq(a->deadline_ns, before->deadline_ns);
        ck_assert_uint_ne(a->server, before->server);
        ck_assert_int_ne((int)before->outcome, (int)SIM_SUCCESS);
    }
}

/* ---- Failures ---- */

START_TEST(a_failure_is_tried_elsewhere)
{
    kit k;
    sim_result r;

    ask_init(&k, 2);
    kit_at(&k, 0, SIM_ERRORS, 0, 0);
    r = ask_run(&k);
    ck_assert_uint_eq(r.failed, 1000); /* who does not ask gets nothing */
    ck_assert_uint_eq(r.attempts, 1000);
    ck_assert_uint_eq(r.hidden, 0);

    ask.elsewhere = true;
    r = ask_run(&k);
    ck_assert_uint_eq(r.requests, 1000);
    ck_assert_uint_eq(r.failed, 0);
    ck_assert_uint_eq(r.attempts, 2000);
    ck_assert_uint_eq(r.to_bad, 1000);
    ck_assert_uint_eq(r.hidden, 1000);
    ck_assert_uint_eq(r.hidden_timed_out, 0);
    ck_assert_double_eq(r.p50_ns, (double)(2 * WELL_NS));
    ck_assert_double_eq(r.max_ns, (double)(2 * WELL_NS));
    ask_check_chain();
    for (size_t i = 0; i < kit_log.n; i++)
        ck_assert_uint_eq(kit_log.attempts[i].server,
                          kit_log.attempts[i].number);
}
END_TEST

/* Success is not tried again, nor is who did not ask. */
START_TEST(only_who_asks)
{
    kit k;
    sim_result r;

    ask_init(&k, 2);
    ask.elsewhere = true;
    r = ask_run(&k);
    ck_assert_uint_eq(r.attempts, 1000);
    ck_assert_uint_eq(r.hidden, 0);
    kit_at(&k, 0, SIM_REFUSE, 0, 0);
    ask.every = 4;
    r = ask_run(&k);
    ck_assert_uint_eq(r.hidden, 250);
    ck_assert_uint_eq(r.failed, 750);
    ck_assert_uint_eq(r.attempts, 1250);
}
END_TEST

START_TEST(three_times_at_most)
{
    kit k;
    sim_result r;

    ask_init(&k, 8);
    ask.elsewhere = true;
    kit_at(&k, 0, SIM_REFUSE, 0, 7);
    r = ask_run(&k);
    ck_assert_uint_eq(SIM_ELSEWHERE_MAX, 3);
    ck_assert_uint_eq(r.attempts, 4000);
    ck_assert_uint_eq(r.hidden, 3000);
    ck_assert_uint_eq(r.failed, 1000);
    k.s.retries = 2; /* which are as many as ever */
    r = ask_run(&k);
    ck_assert_uint_eq(r.attempts, 6000);
    ck_assert_uint_eq(r.hidden, 3000);
    ck_assert_uint_eq(r.failed, 1000);
    ask_check_chain();
}
END_TEST

START_TEST(no_retry_is_used_up)
{
    kit k;
    sim_result r;

    ask_init(&k, 3);
    ask.elsewhere = true;
    ask.attempts = 1;
    kit_at(&k, 0, SIM_REFUSE, 0, 1);
    k.s.rate_per_s = 10; /* 100 requests; the second attempts take turns */
    k.s.retries = 1;
    r = ask_run(&k);
    ck_assert_uint_eq(r.failed, 0);
    ck_assert_uint_eq(r.hidden, 100);
    ck_assert_double_eq(r.max_ns, (double)(2 * TRIP_NS + WELL_NS));
    ask_check_chain();
    k.s.retries = 0;
    r = ask_run(&k);
    ck_assert_uint_eq(r.hidden, 100);
    ck_assert_uint_eq(r.attempts, 200);
    ck_assert_uint_gt(r.failed, 0);
}
END_TEST

START_TEST(no_endpoint_is_left)
{
    kit k;
    sim_result r;

    ask_init(&k, 1);
    ask.elsewhere = true;
    kit_at(&k, 0, SIM_ERRORS, 0, 0);
    r = ask_run(&k);
    ck_assert_uint_eq(r.failed, 1000);
    ck_assert_uint_eq(r.attempts, 1000);
    ck_assert_uint_eq(r.no_endpoint, 1000);
    ck_assert_uint_eq(r.hidden, 0); /* they were not tried again */
}
END_TEST

START_TEST(counted_after_the_warm_up)
{
    kit k;
    sim_result r;

    ask_init(&k, 2);
    ask.elsewhere = true;
    ask.try_ns = 5 * MS;
    kit_at(&k, 0, SIM_REFUSE, 0, 0);
    kit_at(&k, 8 * SECOND, SIM_HEAL, 0, 0);
    kit_at(&k, 8 * SECOND, SIM_HANG, 0, 0);
    k.s.warm_up_ns = 5 * SECOND;
    r = ask_run(&k);
    ck_assert_uint_eq(r.requests, 500);
    ck_assert_uint_eq(r.hidden, 500);
    ck_assert_uint_eq(r.hidden_timed_out, 200);
    ck_assert_uint_eq(r.attempts, 1000);
}
END_TEST

/* ---- No answer after a while ---- */

START_TEST(given_up_and_tried_elsewhere)
{
    kit k;
    sim_result r;

    ask_init(&k, 2);
    ask.try_ns = 5 * MS;
    ask.attempts = 1;
    kit_at(&k, 0, SIM_HANG, 0, 0);
    r = ask_run(&k);
    ck_assert_uint_eq(r.failed, 0);
    ck_assert_uint_eq(r.timed_out, 0);
    ck_assert_uint_eq(r.hidden, 1000);
    ck_assert_uint_eq(r.hidden_timed_out, 1000);
    ck_assert_uint_eq(r.attempts, 2000);
    ck_assert_double_eq(r.p50_ns, (double)(5 * MS + WELL_NS));
    ck_assert_double_eq(r.max_ns, (double)(5 * MS + WELL_NS));
    ask_check_chain();
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        ck_assert_int_eq((int)a->outcome,
                         (int)(a->server == 0 ? SIM_TIMEOUT : SIM_SUCCESS));
        ck_assert_uint_eq(a->done_ns - a->picked_ns,
                          a->server == 0 ? 5 * MS : WELL_NS);
    }
}
END_TEST

/* It is no answer to a failure, and no advice for the attempts after it. */
START_TEST(a_failure_before_that_counts)
{
    kit k;
    sim_result r;

    ask_init(&k, 2);
    ask.try_ns = 5 * MS;
    kit_at(&k, 0, SIM_REFUSE, 0, 0);
    r = ask_run(&k);
    ck_assert_uint_eq(r.failed, 1000);
    ck_assert_uint_eq(r.hidden, 0);
}
END_TEST

/* As at the deadline: an answer at that moment is too late. */
START_TEST(to_the_nanosecond)
{
    kit k;
    sim_result r;

    ask_init(&k, 2);
    ask.attempts = 1;
    ask.try_ns = WELL_NS;
    r = ask_run(&k);
    ck_assert_uint_eq(r.hidden_timed_out, 1000);
    ck_assert_double_eq(r.max_ns, (double)(2 * WELL_NS));
    ask.try_ns++;
    r = ask_run(&k);
    ck_assert_uint_eq(r.hidden, 0);
    ck_assert_double_eq(r.max_ns, (double)WELL_NS);
}
END_TEST

/* One worker, 25 ms of service: who comes next waits for what was given up. */
START_TEST(the_server_works_it_off)
{
    kit k;

    ask_init(&k, 2);
    k.servers[0].workers = 1;
    k.s.duration_ns = 20 * MS;
    kit_at(&k, 0, SIM_FIXED, 0, 0)->duration_ns = 25 * MS;
    ask.try_ns = 5 * MS;
    ask.every = 2;
    ask_run(&k);
    ck_assert_uint_eq(kit_log.n, 3);
    kit_ended(5 * MS, SIM_TIMEOUT, 5 * MS);
    kit_ended(10 * MS, SIM_SUCCESS, WELL_NS);
    kit_ended(15 * MS, SIM_SUCCESS, 15 * MS + 25 * MS + TRIP_NS);
}
END_TEST

/* All hang, so each is given up after 5 ms, three times; the fourth waits. */
START_TEST(the_last_one_waits)
{
    kit k;
    sim_result r;

    ask_init(&k, 8);
    ask.try_ns = 5 * MS;
    k.s.deadline_ns = 100 * MS;
    kit_at(&k, 0, SIM_HANG, 0, 7);
    r = ask_run(&k);
    ck_assert_uint_eq(r.attempts, 4000);
    ck_assert_uint_eq(r.hidden_timed_out, 3000);
    ck_assert_uint_eq(r.timed_out, 1000);
    ck_assert_double_eq(r.p50_ns, 100e6);
    ck_assert_double_eq(r.max_ns, 100e6);
    ask_check_chain();
    for (size_t i = 0; i < kit_log.n; i++)
        ck_assert_uint_eq(kit_log.attempts[i].done_ns -
                              kit_log.attempts[i].picked_ns,
                          kit_log.attempts[i].number < 3 ? 5 * MS : 85 * MS);
}
END_TEST

START_TEST(never_after_the_deadline)
{
    kit k;
    sim_result r;

    ask_init(&k, 2);
    kit_at(&k, 0, SIM_HANG, 0, 1);
    k.s.deadline_ns = 4 * MS;
    ask.elsewhere = true;
    for (ask.try_ns = 4 * MS; ask.try_ns <= 5 * MS; ask.try_ns += MS) {
        r = ask_run(&k);
        ck_assert_uint_eq(r.timed_out, 1000);
        ck_assert_uint_eq(r.attempts, 1000);
        ck_assert_uint_eq(r.hidden, 0);
    }
    ask.try_ns = UINT64_MAX;
    ck_assert_uint_eq(ask_run(&k).hidden, 0);
    ask.try_ns = 3 * MS; /* the second attempt has 1 ms left */
    r = ask_run(&k);
    ck_assert_uint_eq(r.timed_out, 1000);
    ck_assert_uint_eq(r.attempts, 2000);
    ck_assert_double_eq(r.max_ns, 4e6);

    k.s.deadline_ns = 8 * MS; /* the same of clients that give up */
    k.s.give_up = 0.5;
    ask.try_ns = 4 * MS;
    r = ask_run(&k);
    ck_assert_uint_eq(r.cancelled, 1000);
    ck_assert_uint_eq(r.attempts, 1000);
    ask.try_ns = 3 * MS;
    r = ask_run(&k);
    ck_assert_uint_eq(r.cancelled, 1000);
    ck_assert_uint_eq(r.attempts, 2000);
    ck_assert_uint_eq(r.hidden, 1000);
}
END_TEST

/* It failed before its deadline, so it has no latency. */
START_TEST(given_up_without_an_endpoint)
{
    kit k;
    sim_result r;

    ask_init(&k, 1);
    ask.try_ns = 5 * MS;
    kit_at(&k, 0, SIM_HANG, 0, 0);
    r = ask_run(&k);
    ck_assert_uint_eq(r.failed, 1000);
    ck_assert_uint_eq(r.timed_out, 0);
    ck_assert_uint_eq(r.no_endpoint, 1000);
    ck_assert_uint_eq(r.hidden, 0);
    ck_assert(isnan(r.max_ns));
    kit_ended(5 * MS, SIM_TIMEOUT, 5 * MS);
}
END_TEST

/* The end of 25 ms that were granted to the first request comes when another
 * one, or another attempt, has its place in memory. */
START_TEST(ends_nothing_but_its_attempt)
{
    kit k;

    ask_init(&k, 2);
    k.s.duration_ns = 100 * MS;
    kit_at(&k, 10 * MS, SIM_FIXED, 0, 0)->duration_ns = 20 * MS;
    ask.try_ns = 25 * MS;
    ask.every = 1000;
    ask_run(&k);
    kit_ended(5 * MS, SIM_SUCCESS, WELL_NS);
    kit_ended(15 * MS, SIM_SUCCESS, 20 * MS + TRIP_NS);

    ask_init(&k, 2);
    kit_at(&k, 0, SIM_REFUSE, 0, 0);
    kit_at(&k, 0, SIM_FIXED, 1, 1)->duration_ns = 20 * MS;
    k.servers[1].workers = 0;
    ask.elsewhere = true;
    ask.try_ns = 10 * MS;
    ask.attempts = 1;
    ck_assert_uint_eq(ask_run(&k).failed, 0);
    kit_ended(5 * MS + TRIP_NS, SIM_SUCCESS, 20 * MS + TRIP_NS);
}
END_TEST

/* Whoever goes on elsewhere keeps its place among those that wait: all hang,
 * some are tried twice, and each is over after its second to the nanosecond. */
START_TEST(keeps_its_place)
{
    size_t over = 0;
    kit k;
    sim_result r;

    ask_init(&k, 3);
    kit_at(&k, 0, SIM_HANG, 0, 2);
    ask.try_ns = 500 * MS;
    ask.attempts = 1;
    for (ask.every = 1; ask.every <= 3; ask.every++) {
        r = ask_run(&k);
        ck_assert_uint_eq(r.timed_out, 1000);
        ck_assert_uint_eq(r.hidden, (1000 + ask.every - 1) / ask.every);
        for (size_t i = over = 0; i < kit_log.n; i++) {
            const kit_attempt *a = &kit_log.attempts[i];

            if (a->done_ns == a->deadline_ns)
                over++;
            else
                ck_assert_uint_eq(a->done_ns, a->picked_ns + 500 * MS);
        }
        ck_assert_uint_eq(over, 1000);
    }
}
END_TEST

/* The same client, hint and demand as if the first attempt had been good. */
START_TEST(stays_the_same_request)
{
    kit_attempt first[1000];
    kit k;

    ask_init(&k, 2);
    k.servers[1].workers = 0;
    k.s.n_clients = 3;
    k.s.service =
        (sim_distribution){.kind = SIM_UNIFORM, .a_ns = 1e6, .b_ns = 2e6};
    k.s.heavy_share = 0.5;
    k.s.heavy_factor = 3;
    k.s.cost_hints = true;
    ask_run(&k);
    ck_assert_uint_eq(kit_log.n, 1000);
    for (size_t i = 0; i < 1000; i++)
        first[i] = kit_log.attempts[i];
    kit_at(&k, 0, SIM_HANG, 0, 0);
    ask.try_ns = 5 * MS;
    ask.attempts = 1;
    ask_run(&k);
    ck_assert_uint_eq(kit_log.n, 2000);
    for (size_t i = 0; i < 2000; i++) {
        const kit_attempt *a = &kit_log.attempts[i];
        const kit_attempt *f = &first[a->request];

        ck_assert_uint_eq(a->client, f->client);
        ck_assert_double_eq(a->cost, f->cost);
        if (a->number == 1)
            ck_assert_uint_eq(a->done_ns - a->picked_ns,
                              f->done_ns - f->picked_ns);
    }
}
END_TEST

START_TEST(measures_know_of_it)
{
    kit k;
    sim_result r;

    ask_init(&k, 2);
    kit_at(&k, 0, SIM_HANG, 0, 0);
    ask.try_ns = 25 * MS; /* picked at 5, 15 and 25 ms, ended at 30 ms */
    kit_measure(&k, SIM_BEFORE_REPORT, 0, 0, 0, SECOND);
    kit_measure(&k, SIM_ATTEMPTS, 1, 1, 0, SECOND);
    r = ask_run(&k);
    ck_assert_double_eq(r.measures[0], 3);
    ck_assert_double_eq(r.measures[1], 97); /* those of 5 ms to 965 ms */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim_elsewhere");
    TCase *t = tcase_create("failures");
    SRunner *runner;
    int failed;

    tcase_add_test(t, a_failure_is_tried_elsewhere);
    tcase_add_test(t, only_who_asks);
    tcase_add_test(t, three_times_at_most);
    tcase_add_test(t, no_retry_is_used_up);
    tcase_add_test(t, no_endpoint_is_left);
    tcase_add_test(t, counted_after_the_warm_up);
    suite_add_tcase(s, t);
    t = tcase_create("no answer");
    tcase_add_test(t, given_up_and_tried_elsewhere);
    tcase_add_test(t, a_failure_before_that_counts);
    tcase_add_test(t, to_the_nanosecond);
    tcase_add_test(t, the_server_works_it_off);
    tcase_add_test(t, the_last_one_waits);
    tcase_add_test(t, never_after_the_deadline);
    tcase_add_test(t, given_up_without_an_endpoint);
    tcase_add_test(t, ends_nothing_but_its_attempt);
    tcase_add_test(t, keeps_its_place);
    tcase_add_test(t, stays_the_same_request);
    tcase_add_test(t, measures_know_of_it);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
