/* SPDX-License-Identifier: MIT */
/*
 * What goes on all the time. How slow each server is, is seen by asking for the
 * true delay of servers that have nothing to do, once in 100 ms.
 */
#include <string.h>

#include "test_sim_kit.h"

#define SEEN_SERVERS 20
#define SEEN_TICKS 1000

/* Slowness of each server at each tick; -1: it would fail or never answer. */
static double seen[SEEN_TICKS][SEEN_SERVERS];
static size_t n_seen;

static void processes_look(const sim_host *host, uint64_t now_ns)
{
    (void)now_ns;
    if (n_seen == SEEN_TICKS)
        return;
    for (uint32_t i = 0; i < SEEN_SERVERS; i++) {
        double delay_ns = host->true_delay_ns(host->world, i);

        seen[n_seen][i] = isinf(delay_ns) ? -1 : delay_ns / 1e6;
    }
    n_seen++;
}

/* Server 0 serves, nobody is interested in it. */
static sim_result processes_run(kit *k, uint64_t seed)
{
    n_seen = 0;
    kit_clear();
    kit_log.choice = KIT_ALWAYS;
    kit_log.on_tick = processes_look;
    return kit_run_with(k, &kit_knowing, seed);
}

START_TEST(antagonists)
{
    static double before[SEEN_TICKS][SEEN_SERVERS];
    uint32_t chosen[SEEN_SERVERS] = {0};
    sim_process *p;
    kit k;

    kit_init(&k, SEEN_SERVERS);
    k.s.duration_ns = 100 * SECOND;
    k.s.rate_per_s = 10;
    p = kit_always(&k, SIM_ANTAGONISTS, 1, SEEN_SERVERS - 1);
    p->from_ns = 950 * MS;
    p->to_ns = 90 * SECOND + 50 * MS;
    p->every_ns = SECOND;
    p->count = 5;
    p->factor = 2.6;
    processes_run(&k, 3);
    ck_assert_uint_ge(n_seen, 999);
    for (size_t t = 0; t < 999; t++) { /* at 0.1 s x (t + 1) */
        uint32_t slow = 0;
        bool same = true;

        for (uint32_t i = 0; i < SEEN_SERVERS; i++) {
            kit_must(seen[t][i] > 0.999 && seen[t][i] < 2.601);
            slow += seen[t][i] > 2.599;
            chosen[i] += seen[t][i] > 2.599;
            same = same && t > 0 && fabs(seen[t][i] - seen[t - 1][i]) < 1e-9;
        }
        kit_must_eq(slow, t >= 9 && t < 900 ? 5 : 0);
        /* They are drawn anew just before t = 9, 19, 29 ... */
        kit_must(same || t == 0 || t % 10 == 9 || t == 900);
    }
    kit_must_eq(chosen[0], 0);
    for (uint32_t i = 1; i < SEEN_SERVERS; i++)
        /* Of 90 times 5 in 19: 23.7, standard deviation 4.2. */
        kit_within(chosen[i] / 10, 23.7 - 17, 23.7 + 17);

    memcpy(before, seen, sizeof seen);
    processes_run(&k, 3);
    ck_assert_mem_eq(before, seen, sizeof seen);
    processes_run(&k, 4);
    ck_assert_mem_ne(before, seen, sizeof seen);
}
END_TEST

/* Those of two processes multiply, and are gone without a trace. */
START_TEST(two_kinds_of_antagonists)
{
    kit k;

    kit_init(&k, SEEN_SERVERS);
    k.s.rate_per_s = 10;
    for (int i = 0; i < 2; i++) {
        sim_process *p = kit_always(&k, SIM_ANTAGONISTS, 3, 4);

        p->from_ns = SECOND;
        p->to_ns = (i == 0 ? 5 : 8) * SECOND;
        p->every_ns = 300 * MS;
        p->count = 2;
        p->factor = i == 0 ? 3 : 1.1;
    }
    processes_run(&k, 1);
    for (size_t t = 0; t < 99; t++) {
        double expected = t < 9 ? 1 : t < 49 ? 3.3 : t < 79 ? 1.1 : 1;

        ck_assert_double_eq_tol(seen[t][3], expected, 1e-9);
        ck_assert_double_eq_tol(seen[t][4], expected, 1e-9);
        if (t >= 79)
            kit_must(seen[t][3] <= 1 && seen[t][3] >= 1);
    }
}
END_TEST

/* Stopped servers take part of a second longer; the share of time in which
 * they do is that of the process. */
static double processes_stopped(bool random, uint64_t seed)
{
    double stopped = 0, all = 0;
    sim_process *p;
    kit k;

    kit_init(&k, SEEN_SERVERS);
    k.s.duration_ns = 100 * SECOND;
    k.s.rate_per_s = 10;
    p = kit_always(&k, SIM_STOPS, 5, SEEN_SERVERS - 1);
    p->from_ns = 10 * SECOND;
    p->to_ns = 90 * SECOND;
    p->every_ns = 2 * SECOND;
    p->duration_ns = 200 * MS;
    p->random_duration = random;
    processes_run(&k, seed);
    for (size_t t = 0; t < 999; t++)
        for (uint32_t i = 0; i < SEEN_SERVERS; i++) {
            bool stops = seen[t][i] > 1.000001;

            kit_must(seen[t][i] >= 1);
            if (i < 5 || t < 99 || t > 930)
                kit_must(!stops || random);
            if (i < 5 || t < 110 || t > 880)
                continue;
            if (!random) /* two may overlap */
                kit_must(seen[t][i] < 1 + 600);
            all++;
            stopped += stops;
        }
    return stopped / all;
}

/* Starts with the rate 1/2 a second, 0.2 s each: never stopped for
 * exp(-0.2 / 2) of the time if all are of equal length, and if they are not. */
START_TEST(random_stops)
{
    double share = 0, random = 0;

    for (uint64_t seed = 1; seed <= 8; seed++) {
        share += processes_stopped(false, seed) / 8;
        random += processes_stopped(true, seed) / 8;
    }
    kit_within(share, 0.0952 - 0.008, 0.0952 + 0.008);
    kit_within(random, 0.0952 - 0.011, 0.0952 + 0.011);
}
END_TEST

START_TEST(stops_hold_up_requests)
{
    sim_process *p;
    sim_result r;
    kit k;

    kit_init(&k, 4);
    k.s.duration_ns = 50 * SECOND;
    p = kit_always(&k, SIM_STOPS, 0, 3);
    p->every_ns = 5 * SECOND;
    p->duration_ns = 150 * MS;
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    kit_must_eq(r.failed, 0);
    /* 40 stops of 0.15 s meet 4 requests each, about. */
    kit_within(r.to_bad, 90, 230);
    kit_within(r.max_ns / 1e6, 120, 320);
    ck_assert_double_eq(r.p50_ns, 1.2e6);
}
END_TEST

START_TEST(flapping)
{
    sim_process *p;
    sim_result r;
    kit k;

    kit_init(&k, 2);
    k.s.errors_everywhere = 0;
    kit_at(&k, 0, SIM_SLOW, 0, 0)->factor = 2; /* is not ended by it */
    p = kit_always(&k, SIM_FLAP, 0, 0);
    p->from_ns = SECOND;
    p->to_ns = 5500 * MS;
    p->every_ns = 2 * SECOND;
    p->duration_ns = 700 * MS;
    p->what = (sim_happening){.kind = SIM_REFUSE};
    r = kit_run(&k, KIT_ALWAYS, 1);
    for (size_t i = 0; i < kit_log.n; i++) {
        uint64_t ms = kit_log.attempts[i].picked_ns / MS;
        bool refuses = (ms >= 1000 && ms < 1700) || (ms >= 3000 && ms < 3700) ||
                       (ms >= 5000 && ms < 5500); /* it ends at its `to` */

        ck_assert_int_eq((int)kit_log.attempts[i].outcome,
                         (int)(refuses ? SIM_CONNECT_ERROR : SIM_SUCCESS));
        if (!refuses)
            kit_must_eq(kit_took(kit_log.attempts[i].picked_ns),
                        2 * MS + MS / 5);
    }
    kit_must_eq(r.failed, 70 + 70 + 50);
}
END_TEST

/* Only what flaps: whatever else is wrong stays so. */
START_TEST(flapping_ends_nothing_else)
{
    static const sim_happening_kind kinds[] = {
        SIM_SLOW, SIM_FIXED, SIM_REFUSE, SIM_ERRORS, SIM_REJECT, SIM_HANG};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (size_t other = 0; other < 5; other++) {
            sim_outcome before;
            uint64_t took_ns;
            sim_process *p;
            kit k;

            if (other == i)
                continue;
            kit_init(&k, 1);
            k.servers[0].workers = 0;
            k.s.duration_ns = 3 * SECOND;
            k.s.deadline_ns = 100 * MS;
            kit_at(&k, 0, kinds[other], 0, 0)->factor = 3;
            k.happenings[0].duration_ns = 7 * MS;
            p = kit_always(&k, SIM_FLAP, 0, 0);
            p->from_ns = SECOND;
            p->to_ns = 2 * SECOND;
            p->every_ns = 900 * MS;
            p->duration_ns = 500 * MS;
            p->what = (sim_happening){
                .kind = kinds[i], .probability = 1, .factor = 4};
            kit_run(&k, KIT_ROUND_ROBIN, 1);
            before = kit_picked(505 * MS)->outcome;
            took_ns = kit_took(505 * MS);
            kit_must(before != SIM_SUCCESS || took_ns > 2 * MS);
            for (uint64_t ms = 2105; ms < 3000; ms += 100)
                kit_ended(ms * MS, before, took_ns);
        }
}
END_TEST

/* Each kind begins and ends. */
START_TEST(flapping_of_every_kind)
{
    static const struct {
        sim_happening_kind kind;
        sim_outcome outcome;
        double took_ms;
    } all[] = {
        {SIM_SLOW, SIM_SUCCESS, 4.2},   {SIM_FIXED, SIM_SUCCESS, 3.2},
        {SIM_HANG, SIM_TIMEOUT, 10},    {SIM_REFUSE, SIM_CONNECT_ERROR, 0.2},
        {SIM_ERRORS, SIM_FAILURE, 2.2}, {SIM_REJECT, SIM_OVERLOAD, 0.2},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sim_process *p;
        kit k;

        kit_init(&k, 2);
        k.s.deadline_ns = 10 * MS;
        k.servers[1].workers = 0;
        p = kit_always(&k, SIM_FLAP, 1, 1);
        p->every_ns = SECOND;
        p->duration_ns = 500 * MS;
        p->what = (sim_happening){.kind = all[i].kind,
                                  .probability = 1,
                                  .factor = 4,
                                  .duration_ns = 3 * MS,
                                  .delay_ns = 2 * MS};
        kit_clear();
        kit_log.choice = KIT_ALWAYS;
        kit_log.always = 1;
        kit_run_with(&k, &kit_policy, 1);
        for (uint64_t ms = 5; ms < 10000; ms += 10) {
            bool bad = ms % 1000 < 500;
            double took_ms = bad ? all[i].took_ms : 1.2;

            /* Its client still waits when the hang is over. */
            if (all[i].kind == SIM_HANG && ms % 1000 == 495) {
                bad = false;
                took_ms = 5 + 1 + 0.1;
            }
            kit_must_eq(kit_picked(ms * MS)->outcome,
                        bad ? all[i].outcome : SIM_SUCCESS);
            kit_within((double)kit_took(ms * MS) / 1e6, took_ms - 1e-6,
                       took_ms + 1e-6);
        }
    }
}
END_TEST

Suite *suite_sim_processes(void)
{
    Suite *s = suite_create("sim_processes");
    TCase *t = tcase_create("processes");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, antagonists);
    tcase_add_test(t, two_kinds_of_antagonists);
    tcase_add_test(t, random_stops);
    tcase_add_test(t, stops_hold_up_requests);
    tcase_add_test(t, flapping);
    tcase_add_test(t, flapping_ends_nothing_else);
    tcase_add_test(t, flapping_of_every_kind);
    suite_add_tcase(s, t);
    return s;
}
