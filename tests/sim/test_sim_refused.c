/* SPDX-License-Identifier: MIT */
/* Scenarios without sense are refused, each with its message. */
#include "test_sim_kit.h"

#define REFUSED(change, message)                                               \
    do {                                                                       \
        kit_init(&k, 3);                                                       \
        change;                                                                \
        kit_fails_with(&k, &kit_policy, "scenario: " message);                 \
    } while (0)

START_TEST(worlds_without_sense)
{
    kit k;

    kit_clear();
    REFUSED(k.s.n_servers = 0, "no servers");
    REFUSED(k.s.duration_ns = 0, "duration 0 ns");
    REFUSED(k.s.duration_ns = UINT64_MAX, "duration");
    REFUSED(k.s.warm_up_ns = k.s.duration_ns, "the warm-up is as long");
    REFUSED(k.s.n_clients = 0, "no clients");
    REFUSED(k.s.closed_loop = true, "a closed loop of 0");
    REFUSED(k.s.rate_per_s = -1, "rate -1/s");
    REFUSED(k.s.rate_per_s = (double)NAN, "rate nan/s");
    REFUSED(k.s.rate_per_s = 2e9, "rate 2e+09/s");
    REFUSED(k.s.deadline_ns = 0, "deadline 0 ns");
    REFUSED(k.s.retries = 1001, "1001 retries");
    REFUSED(k.s.give_up = 1.1, "clients give up at 1.1");
    REFUSED(k.s.network_ns = UINT64_MAX, "network delay");
    REFUSED(k.s.errors_everywhere = 1.5, "errors everywhere: 1.5");
    REFUSED(k.s.heavy_share = 2, "heavy requests: share 2");
    REFUSED((k.s.heavy_share = 0.5, k.s.heavy_factor = -1), "heavy requests");
    REFUSED(k.servers[1].speed = 0, "server 1 has the speed 0");
    REFUSED(k.servers[2].weight = -1, "server 2 has the weight -1");
    REFUSED(k.s.service.a_ns = -1, "service time -1 ns");
    REFUSED(k.s.service.a_ns = (double)INFINITY, "service time inf ns");
    REFUSED(k.s.service.kind = (sim_distribution_kind)7,
            "unknown distribution");
    REFUSED(k.s.service.kind = SIM_REPLAY, "a replay without values");
    REFUSED((k.s.service.kind = SIM_LOGNORMAL, k.s.service.p = 11), "sigma 11");
    REFUSED((k.s.service.kind = SIM_BIMODAL, k.s.service.p = -1), "share -1");
}
END_TEST

START_TEST(happenings_without_sense)
{
    kit k;

    kit_clear();
    REFUSED(kit_at(&k, 0, (sim_happening_kind)99, 0, 0),
            "happening 0: unknown kind 99");
    REFUSED(kit_at(&k, 0, SIM_HANG, 0, 3), "happening 0: servers 0..3 of 3");
    REFUSED(kit_at(&k, 0, SIM_HANG, 2, 1), "happening 0: servers 2..1 of 3");
    REFUSED(kit_at(&k, 0, SIM_SLOW, 0, 0)->factor = -1, "happening 0: factor");
    REFUSED(kit_at(&k, 0, SIM_ERRORS, 0, 0)->probability = 1.01,
            "happening 0: probability 1.01");
    REFUSED(kit_at(&k, 0, SIM_RATE, 0, 0)->factor = (double)NAN,
            "happening 0: rate nan/s");
    REFUSED((k.s.closed_loop = true, k.s.concurrency = 1,
             kit_at(&k, 0, SIM_RATE, 0, 0)),
            "happening 0: a rate in a closed loop");
    REFUSED(kit_measure(&k, SIM_SHARE, 3, 3, 0, 1), "measure of servers 3..3");
    REFUSED(kit_measure(&k, SIM_SHARE, 0, 0, 1, 1), "measure of no time");
    REFUSED(kit_measure(&k, (sim_measure_kind)50, 0, 0, 0, 1),
            "measure of the unknown kind 50");
    REFUSED(k.s.n_measures = 13, "13 measures");
}
END_TEST

START_TEST(processes_without_sense)
{
    kit k;

    kit_clear();
    REFUSED(kit_always(&k, (sim_process_kind)9, 0, 0),
            "process of the unknown");
    REFUSED(kit_always(&k, SIM_STOPS, 0, 3)->every_ns = 1,
            "process of servers");
    REFUSED(kit_always(&k, SIM_STOPS, 0, 0), "process every 0 ns");
    REFUSED((kit_always(&k, SIM_ANTAGONISTS, 0, 1), k.processes[0].every_ns = 9,
             k.processes[0].count = 3),
            "3 antagonists");
    REFUSED((kit_always(&k, SIM_FLAP, 0, 1), k.processes[0].every_ns = 9,
             k.processes[0].duration_ns = 9),
            "it flaps, but is never well");
    REFUSED((kit_always(&k, SIM_FLAP, 0, 1), k.processes[0].every_ns = 9,
             k.processes[0].what.kind = SIM_JOIN),
            "happening 10 cannot flap");
}
END_TEST

Suite *suite_sim_refused(void)
{
    Suite *s = suite_create("sim_refused");
    TCase *t = tcase_create("refused");

    tcase_add_test(t, worlds_without_sense);
    tcase_add_test(t, happenings_without_sense);
    tcase_add_test(t, processes_without_sense);
    suite_add_tcase(s, t);
    return s;
}
