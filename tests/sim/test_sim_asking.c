/* SPDX-License-Identifier: MIT */
/*
 * What a policy may ask: load probes, and the truth. The answers are compared
 * with the log of the same run. Requests come at 5, 15, 25 ... ms; policies are
 * asked to look around at 100, 200 ... ms.
 */
#include <string.h>

#include "test_sim_kit.h"

#define TRIP_NS (MS / 5)

/* ---- Probes ---- */

/* Each tick: so many probes to each of so many servers. */
static uint32_t asking_servers, asking_probes;

static void asking_probe_all(const sim_host *host, uint64_t now_ns)
{
    (void)now_ns;
    for (uint32_t i = 0; i < asking_probes; i++)
        for (uint32_t s = 0; s < asking_servers; s++)
            host->send_probe(host->world, host->client, s);
}

static void asking_run(kit *k, kit_choice choice, uint32_t servers,
                       uint32_t probes)
{
    kit_clear();
    kit_log.choice = choice;
    kit_log.on_tick = asking_probe_all;
    asking_servers = servers;
    asking_probes = probes;
    kit_run_with(k, &kit_knowing, 1);
}

/* What the log says was at the server then; nothing happens at that very
 * moment. */
static uint32_t asking_load(uint32_t server, uint64_t at_ns)
{
    uint32_t n = 0;

    for (size_t i = 0; i < kit_log.n; i++) {
        const kit_attempt *a = &kit_log.attempts[i];

        n += a->server == server && a->picked_ns + TRIP_NS / 2 < at_ns &&
             a->done_ns - TRIP_NS / 2 > at_ns;
    }
    return n;
}

START_TEST(a_probe_takes_one_round_trip)
{
    kit k;

    kit_init(&k, 2);
    k.s.duration_ns = SECOND;
    asking_run(&k, KIT_ROUND_ROBIN, 2, 1);
    kit_within(kit_n_answers, 2 * 9, 2 * 10);
    for (size_t i = 0; i < kit_n_answers; i++) {
        kit_must_eq(kit_answers[i].now_ns, (i / 2 + 1) * 100 * MS + TRIP_NS);
        kit_must_eq(kit_answers[i].server, i % 2);
        kit_must(kit_answers[i].in_flight <= 0);
        kit_within(kit_answers[i].latency_ns, 1e6, 1e6);
    }
}
END_TEST

/* Requests pile up at a server that is too slow: 12 ms each 10 ms. */
START_TEST(a_probe_tells_the_load_at_its_arrival)
{
    uint32_t most = 0;
    kit k;

    kit_init(&k, 1);
    k.s.service.a_ns = 12e6;
    k.s.deadline_ns = 60 * SECOND;
    asking_run(&k, KIT_ROUND_ROBIN, 1, 1);
    kit_must(kit_n_answers >= 99);
    for (size_t i = 0; i < 99; i++) {
        uint64_t at_ns = kit_answers[i].now_ns - TRIP_NS / 2;
        uint32_t load = asking_load(0, at_ns);

        kit_within(kit_answers[i].in_flight, load, load);
        most = load > most ? load : most;
        /* At about that load: a bucket's width off, and no later than it
         * was heard of. */
        kit_within(kit_answers[i].latency_ns, 12e6 * (0.7 * load - 1),
                   12e6 * (1.3 * load + 2));
    }
    kit_must(most > 100);
}
END_TEST

/* It gets past the queue, but not past a refusal or a standstill. */
START_TEST(lost_where_nobody_answers)
{
    static const struct {
        sim_happening_kind kind;
        bool lost;
    } all[] = {{SIM_SLOW, false}, {SIM_ERRORS, false}, {SIM_REJECT, false},
               {SIM_HANG, true},  {SIM_REFUSE, true},  {SIM_STOP, true},
               {SIM_CRASH, true}, {SIM_LEAVE, false},  {SIM_NOT_READY, false}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        uint32_t during = 0, else_where = 0;
        sim_happening *h;
        kit k;

        kit_init(&k, 2);
        k.s.duration_ns = 3 * SECOND;
        h = kit_at(&k, 1050 * MS, all[i].kind, 1, 1);
        h->factor = 7;
        h->duration_ns = 900 * MS;
        kit_at(&k, 1950 * MS, SIM_HEAL, 1, 1);
        asking_run(&k, KIT_ALWAYS, 2, 1);
        for (size_t n = 0; n < kit_n_answers; n++) {
            bool then = kit_answers[n].now_ns > 1050 * MS &&
                        kit_answers[n].now_ns < 1950 * MS;

            if (kit_answers[n].server == 1)
                *(then ? &during : &else_where) += 1;
        }
        kit_must_eq(during, all[i].lost ? 0 : 9);
        kit_within(else_where, 29 - 9, 30 - 9);
    }
}
END_TEST

/* More at once than there was room for. */
START_TEST(many_probes_at_once)
{
    kit k;

    kit_init(&k, 3);
    k.s.duration_ns = 150 * MS;
    asking_run(&k, KIT_ROUND_ROBIN, 3, 300);
    kit_must_eq(kit_n_answers, 900);
    for (size_t i = 0; i < 900; i++) {
        kit_must_eq(kit_answers[i].server, i % 3);
        kit_must_eq(kit_answers[i].now_ns, 100 * MS + TRIP_NS);
    }
}
END_TEST

static const sim_host *asking_host;

static void *asking_create(const sim_host *host)
{
    asking_host = host;
    return kit_knowing.create(host);
}

static void asking_again(void *self, uint32_t server, double in_flight,
                         double latency_ns, uint64_t now_ns)
{
    kit_knowing.probe_answer(self, server, in_flight, latency_ns, now_ns);
    if (kit_n_answers < 400)
        asking_host->send_probe(asking_host->world, 0, 0);
}

/* The next one from within the answer. */
START_TEST(one_probe_after_the_other)
{
    sim_policy policy = kit_knowing;
    kit k;

    policy.create = asking_create;
    policy.probe_answer = asking_again;
    kit_init(&k, 1);
    k.s.duration_ns = 300 * MS;
    kit_clear();
    kit_log.on_tick = asking_probe_all;
    asking_servers = asking_probes = 1;
    kit_run_with(&k, &policy, 1);
    kit_within(kit_n_answers, 401, 402); /* with those of the next ticks */
    for (size_t i = 0; i < 400; i++)
        kit_must_eq(kit_answers[i].now_ns, 100 * MS + (i + 1) * TRIP_NS);
}
END_TEST

/* ---- Requests of the client's own ---- */

#define OWN_MAX 100

static struct {
    uint32_t server;
    sim_outcome outcome;
    uint64_t now_ns;
} own[OWN_MAX];
static size_t n_own;

static void own_answer(void *self, uint32_t server, sim_outcome outcome,
                       uint64_t now_ns)
{
    (void)self;
    kit_must(n_own < OWN_MAX);
    own[n_own].server = server;
    own[n_own].outcome = outcome;
    own[n_own++].now_ns = now_ns - KIT_CLOCK;
}

static void own_send(const sim_host *host, uint64_t now_ns)
{
    (void)now_ns;
    host->send_own(host->world, host->client, 1);
}

static sim_result own_run(kit *k, bool sends)
{
    sim_policy policy = kit_knowing;

    policy.own_answer = own_answer;
    kit_clear();
    kit_log.choice = KIT_ALWAYS; /* server 0 */
    kit_log.on_tick = sends ? own_send : NULL;
    n_own = 0;
    return kit_run_with(k, &policy, 1);
}

/* A round trip and the service if it is well, a round trip if it fails, and
 * nothing where nobody answers. */
START_TEST(own_requests_end_as_others_do)
{
    static const struct {
        sim_happening_kind kind;
        bool lost;
        sim_outcome outcome;
        uint64_t service_ns;
    } all[] = {{SIM_SLOW, false, SIM_SUCCESS, 7 * MS},
               {SIM_ERRORS, false, SIM_FAILURE, 0},
               {SIM_REJECT, false, SIM_OVERLOAD, 0},
               {SIM_REFUSE, false, SIM_CONNECT_ERROR, 0},
               {SIM_CRASH, false, SIM_CONNECT_ERROR, 0},
               {SIM_HANG, true, SIM_SUCCESS, 0},
               {SIM_STOP, true, SIM_SUCCESS, 0}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        uint32_t during = 0;
        sim_happening *h;
        kit k;

        kit_init(&k, 2);
        k.s.duration_ns = 3 * SECOND;
        h = kit_at(&k, 1050 * MS, all[i].kind, 1, 1);
        h->factor = 7;
        h->duration_ns = 900 * MS;
        kit_at(&k, 1950 * MS, SIM_HEAL, 1, 1);
        own_run(&k, true);
        for (size_t n = 0; n < n_own; n++) {
            bool then = own[n].now_ns > 1050 * MS && own[n].now_ns < 1950 * MS;
            uint64_t service_ns = then ? all[i].service_ns : MS;

            kit_must_eq(own[n].server, 1);
            kit_must_eq(own[n].outcome, then ? all[i].outcome : SIM_SUCCESS);
            kit_must_eq(own[n].now_ns % (100 * MS), TRIP_NS + service_ns);
            during += then;
        }
        kit_must_eq(during, all[i].lost ? 0 : 9);
        kit_within((double)n_own, during + 20, during + 21);
    }
}
END_TEST

/* They take no worker and are counted nowhere. */
START_TEST(own_requests_change_nothing_for_others)
{
    sim_result with, without;
    kit k;

    kit_init(&k, 2);
    k.s.duration_ns = 3 * SECOND;
    without = own_run(&k, false);
    kit_must_eq(n_own, 0);
    with = own_run(&k, true);
    kit_must(n_own > 25);
    kit_must(with.events > without.events);
    with.events = without.events;
    kit_must(memcmp(&with, &without, sizeof with) == 0);
}
END_TEST

/* ---- The truth ---- */

#define TRUTHS 99

typedef struct asking_truth {
    uint64_t now_ns;
    double delay_ns, failure;
} asking_truth;

static asking_truth truths[TRUTHS];
static size_t n_truths;

static void asking_truths(const sim_host *host, uint64_t now_ns)
{
    if (n_truths == TRUTHS)
        return;
    truths[n_truths].now_ns = now_ns - KIT_CLOCK;
    truths[n_truths].delay_ns = host->true_delay_ns(host->world, 0);
    truths[n_truths++].failure = host->true_failure(host->world, 0);
}

/* The requests go to this server; the truth is of server 0. */
static void asking_truth_run(kit *k, uint32_t always)
{
    kit_clear();
    kit_log.choice = KIT_ALWAYS;
    kit_log.always = always;
    kit_log.on_tick = asking_truths;
    n_truths = 0;
    kit_run_with(k, &kit_knowing, 1);
    kit_must_eq(n_truths, TRUTHS);
}

/* One worker: what is left of all before it, and its own service. */
START_TEST(the_true_delay_of_one_worker_is_exact)
{
    for (double service = 2e6; service < 15e6; service += 2.3e6) {
        kit k;

        kit_init(&k, 1);
        k.s.service.a_ns = service;
        k.s.deadline_ns = 60 * SECOND;
        asking_truth_run(&k, 0);
        for (size_t i = 0; i < TRUTHS; i++) {
            uint64_t at_ns = truths[i].now_ns, free_ns = at_ns;

            for (size_t n = 0; n < kit_log.n; n++) {
                const kit_attempt *a = &kit_log.attempts[n];

                if (a->picked_ns + TRIP_NS / 2 < at_ns &&
                    a->done_ns - TRIP_NS / 2 > free_ns)
                    free_ns = a->done_ns - TRIP_NS / 2;
            }
            kit_within(truths[i].delay_ns,
                       (double)(free_ns - at_ns) + service - 2,
                       (double)(free_ns - at_ns) + service + 2);
            kit_must(truths[i].failure <= 0);
        }
    }
}
END_TEST

/* On the average: a tenth of the requests is five times as heavy. */
START_TEST(the_true_delay_knows_heavy_requests)
{
    kit k;

    kit_init(&k, 2);
    k.s.heavy_share = 0.1;
    k.s.heavy_factor = 5;
    asking_truth_run(&k, 1);
    for (size_t i = 0; i < TRUTHS; i++)
        kit_within(truths[i].delay_ns / 1e6, 1.4 - 1e-6, 1.4 + 1e-6);
}
END_TEST

/* By its speed, its present slowness, a fixed time, and the rest of a pause;
 * it has nothing to do. */
START_TEST(the_true_delay_knows_the_condition)
{
    kit k;

    kit_init(&k, 2);
    k.servers[0].speed = 0.5;
    kit_at(&k, 1050 * MS, SIM_SLOW, 0, 0)->factor = 3;
    kit_at(&k, 2050 * MS, SIM_HEAL, 0, 0);
    kit_at(&k, 3000 * MS, SIM_WARM, 0, 0)->factor = 11;
    k.happenings[2].duration_ns = SECOND;
    kit_at(&k, 5050 * MS, SIM_FIXED, 0, 0)->duration_ns = 9 * MS;
    kit_at(&k, 6050 * MS, SIM_HEAL, 0, 0);
    kit_at(&k, 7050 * MS, SIM_STOP, 0, 0)->duration_ns = 700 * MS;
    asking_truth_run(&k, 1);
    for (size_t i = 0; i < TRUTHS; i++) {
        double ms = (double)truths[i].now_ns / 1e6, expected = 2;

        if (ms > 1050 && ms < 2050)
            expected = 6;
        else if (ms >= 3000 && ms < 4000)
            expected = 2 * (11 - 10 * (ms / 1000 - 3));
        else if (ms > 5050 && ms < 6050)
            expected = 9;
        else if (ms > 7050 && ms < 7750)
            expected = 7750 - ms + 2;
        kit_within(truths[i].delay_ns / 1e6, expected - 1e-6, expected + 1e-6);
        kit_must(truths[i].failure <= 0);
    }
}
END_TEST

START_TEST(who_does_not_answer_takes_for_ever)
{
    static const sim_happening_kind kinds[] = {SIM_HANG, SIM_REFUSE, SIM_CRASH};

    for (size_t i = 0; i < 3; i++) {
        kit k;

        kit_init(&k, 1);
        kit_at(&k, 1050 * MS, kinds[i], 0, 0)->duration_ns = SECOND;
        kit_at(&k, 2050 * MS, SIM_HEAL, 0, 0);
        kit_at(&k, 9000 * MS, SIM_RATE, 0, 0)->factor = 0;
        asking_truth_run(&k, 0);
        for (size_t n = 0; n < TRUTHS; n++) {
            bool bad =
                truths[n].now_ns > 1050 * MS && truths[n].now_ns < 2050 * MS;

            kit_must((bool)isinf(truths[n].delay_ns) == bad);
            kit_must((truths[n].failure > 0.99) ==
                     (bad && kinds[i] != SIM_HANG));
        }
    }
}
END_TEST

START_TEST(the_true_failures)
{
    kit k;

    kit_init(&k, 1);
    k.servers[0].queue = 0;
    k.s.service.a_ns = 2e6;
    k.s.errors_everywhere = 0.2; /* nobody's fault */
    kit_at(&k, 1050 * MS, SIM_ERRORS, 0, 0)->probability = 0.3;
    kit_at(&k, 2050 * MS, SIM_REJECT, 0, 0)->probability = 0.4;
    kit_at(&k, 3050 * MS, SIM_HEAL, 0, 0);
    /* Busy from 95.1 ms on, with room for nobody else. */
    kit_at(&k, 5050 * MS, SIM_FIXED, 0, 0)->duration_ns = 6 * MS;
    asking_truth_run(&k, 0);
    for (size_t i = 0; i < TRUTHS; i++) {
        uint64_t ms = truths[i].now_ns / MS;
        double expected = ms < 1050   ? 0
                          : ms < 2050 ? 0.3
                          : ms < 3050 ? 1 - 0.7 * 0.6
                          : ms < 5050 ? 0
                                      : 1;

        kit_within(truths[i].failure, expected - 1e-9, expected + 1e-9);
        kit_must(ms < 5050 || isinf(truths[i].delay_ns));
    }
}
END_TEST

Suite *suite_sim_asking(void)
{
    Suite *s = suite_create("sim_asking");
    TCase *t = tcase_create("probes");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_probe_takes_one_round_trip);
    tcase_add_test(t, a_probe_tells_the_load_at_its_arrival);
    tcase_add_test(t, lost_where_nobody_answers);
    tcase_add_test(t, many_probes_at_once);
    tcase_add_test(t, one_probe_after_the_other);
    tcase_add_test(t, own_requests_end_as_others_do);
    tcase_add_test(t, own_requests_change_nothing_for_others);
    suite_add_tcase(s, t);
    t = tcase_create("truth");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_true_delay_of_one_worker_is_exact);
    tcase_add_test(t, the_true_delay_knows_heavy_requests);
    tcase_add_test(t, the_true_delay_knows_the_condition);
    tcase_add_test(t, who_does_not_answer_takes_for_ever);
    tcase_add_test(t, the_true_failures);
    suite_add_tcase(s, t);
    return s;
}
