/* SPDX-License-Identifier: MIT */
/*
 * Chance: what is the same for all policies, and what is the same again.
 */
#include <stdlib.h>
#include <string.h>

#include "test_sim_kit.h"

/* A scenario in which everything is random. */
static void chance_wild(kit *k)
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

    chance_wild(&k);
    a = kit_run(&k, KIT_RANDOM, 5);
    n = kit_log.n;
    log = kit_log.attempts;
    kit_log.attempts = NULL;
    b = kit_run(&k, KIT_RANDOM, 5);
    ck_assert_mem_eq(&a, &b, sizeof a);
    kit_must_eq(n, kit_log.n);
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
    kit_must_eq(kit_run(&k, KIT_ROUND_ROBIN, 1).hash, hash);
    k.happenings[0].first = k.happenings[0].last = 1;
    ck_assert_uint_ne(kit_run(&k, KIT_ROUND_ROBIN, 1).hash, hash);
    k.happenings[0].kind = SIM_RATE;
    k.happenings[0].factor = 90; /* the last is a little later */
    ck_assert_uint_ne(kit_run(&k, KIT_ROUND_ROBIN, 1).hash, hash);
}
END_TEST

/* First attempts, by request: without queues and faults the latency is the
 * demand. */
static void chance_firsts(kit_attempt *firsts, size_t n)
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

    chance_wild(&k);
    k.s.n_processes = 0;
    k.s.n_happenings = 0;
    k.s.deadline_ns = 10 * SECOND;
    for (uint32_t i = 0; i < 6; i++)
        k.servers[i].workers = 0;
    kit_at(&k, 0, SIM_ERRORS, 0, 5)->probability = 0.1;
    k.happenings[0].delay_ns = UINT64_MAX;
    ra = kit_run(&k, KIT_ROUND_ROBIN, 9);
    chance_firsts(a, 3000);
    rb = kit_run(&k, KIT_RANDOM, 9);
    chance_firsts(b, 3000);
    kit_must_eq(ra.requests, rb.requests);
    for (size_t i = 0; i < ra.requests; i++) {
        kit_must_eq(a[i].picked_ns, b[i].picked_ns);
        kit_must_eq(a[i].client, b[i].client);
        kit_must_eq(a[i].done_ns, b[i].done_ns);
        ck_assert_int_eq((int)a[i].outcome, (int)b[i].outcome);
        ck_assert_double_eq(a[i].cost, b[i].cost);
        clients[a[i].client]++;
        heavy += a[i].cost > 4.99 && a[i].cost < 5.01;
        failed += a[i].outcome == SIM_FAILURE;
        elsewhere += a[i].server != b[i].server;
    }
    ck_assert_uint_gt(elsewhere, ra.requests / 2);
    for (int i = 0; i < 3; i++)
        kit_within((double)clients[i] * 3 / (double)ra.requests, 0.85, 1.15);
    kit_within((double)heavy / (double)ra.requests, 0.03, 0.07);
    kit_within((double)failed / (double)ra.requests, 0.08, 0.14);
}
END_TEST

/* A retry has the same demand, but luck of its own. */
START_TEST(retries_have_the_same_work)
{
    uint64_t retried = 0, lucky = 0;
    kit k;

    chance_wild(&k);
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
                kit_must_eq(a->done_ns - a->picked_ns,
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
            kit_must_eq(a->done_ns - a->picked_ns, MS + MS / 5);
        ck_assert_double_eq(a->cost, 1);
        heavy += is;
    }
    kit_within(heavy, 200 - 60, 200 + 60);
    k.s.cost_hints = true;
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        ck_assert_double_eq(a->cost,
                            a->done_ns - a->picked_ns > 4 * MS ? 4 : 1);
    }
}
END_TEST

Suite *suite_sim_chance(void)
{
    Suite *s = suite_create("sim_chance");
    TCase *t = tcase_create("chance");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, same_seed_same_bytes);
    tcase_add_test(t, the_hash_sees_each_pick);
    tcase_add_test(t, all_policies_see_the_same_world);
    tcase_add_test(t, retries_have_the_same_work);
    tcase_add_test(t, heavy_requests);
    suite_add_tcase(s, t);
    return s;
}
