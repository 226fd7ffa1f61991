/* SPDX-License-Identifier: MIT */
/* The detector of hanging: who does not answer is ejected, whether its callers
 * wait or give up, and returns by a probe. */
#include "suites.h"
#include "util.h"

#define PODS 4
#define PER_SECOND 100
#define TAKES_NS (50 * MS_NS)
#define HANG ILB_DETECTOR_BIT(ILB_DETECTOR_HANG)
/* As health/sweep.h says; answers take 37 to 63 ms. Of one request alone it
 * takes four times that. */
#define LIMIT_S 2.0
#define LIMIT_ONE_S 8.0

/* How callers end a request that is not answered. */
static const struct {
    uint64_t timeout_ns, patience_ns;
} callers[] = {
    {60 * S_NS, 0},       /* they wait */
    {4 * S_NS, 2 * S_NS}, /* they cancel at half the deadline */
    {2 * S_NS, 1 * S_NS}, /* sooner than the detector would eject */
    {600 * MS_NS, 300 * MS_NS},
};

#define N_CALLERS ((int)(sizeof callers / sizeof callers[0]))

static test_sim *known_sim(uint32_t n, uint64_t seed, int caller,
                           ilb_options *options)
{
    test_sim *sim = test_sim_new(n, TAKES_NS, seed, options);

    sim->timeout_ns = callers[caller].timeout_ns;
    sim->patience_ns = callers[caller].patience_ns;
    test_sim_run(sim, 20 * S_NS, PER_SECOND);
    test_sim_forget(sim);
    return sim;
}

/* Events of a type that are about pod 1, since the `after`-th. */
static uint32_t events_of(const test_sim *sim, ilb_event_type type,
                          uint64_t after, ilb_event *last)
{
    ilb_event all[256];
    uint32_t found = 0;
    size_t n;

    must_eq(ilb_balancer_events(sim->b, after, all, 256, sizeof all[0], &n),
            ILB_OK);
    for (size_t i = 0; i < n; i++)
        if (all[i].type == type &&
            strcmp(all[i].address, test_address(1)) == 0) {
            *last = all[i];
            found++;
        }
    return found;
}

static bool is_out(const test_sim *sim, uint32_t pod)
{
    ilb_state s = test_stats(sim->b, pod).state;

    return s == ILB_STATE_EJECTED || s == ILB_STATE_PROBING;
}

/* Which sends on whatever is in flight. */
static ilb_options random_options(void)
{
    ilb_options o = ILB_OPTIONS_INIT;

    o.policy = ILB_POLICY_RANDOM;
    return o;
}

START_TEST(who_hangs_is_ejected)
{
    static const uint32_t sizes[] = {2, 3, 4, 12};

    for (int k = 0; k < 4; k++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            test_sim *sim = known_sim(sizes[k], seed, _i, NULL);
            ilb_event e;

            sim->pods[1].hangs = true;
            for (int s = 0; s < (_i < 3 ? 30 : 120) && !is_out(sim, 1); s++)
                test_sim_run(sim, S_NS, PER_SECOND);
            must_eq(events_of(sim, ILB_EVENT_EJECT, 0, &e), 1);
            must_eq(e.detector, ILB_DETECTOR_HANG);
            must(e.threshold == LIMIT_S || e.threshold == LIMIT_ONE_S);
            must_be_within(e.statistic, e.threshold, e.threshold + 2.2);
            must(e.enforced && e.reason == ILB_REASON_NONE);
            must(is_out(sim, 1));
            must_eq(test_stats(sim->b, 1).enforced[ILB_DETECTOR_HANG], 1);
            for (uint32_t i = 0; i < sizes[k]; i++)
                must(i == 1 || test_stats(sim->b, i).ejections == 0);
            test_sim_free(sim);
        }
}
END_TEST

/* The line that tells it names the seconds and the threshold. */
START_TEST(the_event_as_text)
{
    ilb_options o = random_options();
    test_sim *sim = known_sim(PODS, 1, 0, &o);
    char text[ILB_EVENT_TEXT_MAX];
    ilb_event e;

    sim->pods[1].hangs = true;
    test_sim_run(sim, 3 * S_NS, PER_SECOND);
    must_eq(events_of(sim, ILB_EVENT_EJECT, 0, &e), 1);
    must_be_within(e.statistic, LIMIT_S, LIMIT_S + 0.3);
    must(ilb_event_text(&e, text, sizeof text) > 0);
    must(strstr(text, "pod-1:80 ejected by hang: requests have waited in vain "
                      "for 2.") != NULL);
    must(strstr(text, " s >= 2.0 s; next probe in ") != NULL);
    test_sim_free(sim);
}
END_TEST

/* With every policy. */
START_TEST(whatever_the_policy)
{
    ilb_options o = ILB_OPTIONS_INIT;
    test_sim *sim;

    o.policy = (ilb_policy)_i;
    sim = known_sim(PODS, 1, 0, &o);
    sim->pods[1].hangs = true;
    test_sim_run(sim, 10 * S_NS, PER_SECOND);
    must(is_out(sim, 1));
    must_eq(test_stats(sim->b, 1).ejected_by, ILB_DETECTOR_HANG);
    test_sim_free(sim);
}
END_TEST

/* Promise: eight failed probes in the first minute, three a minute after,
 * however long their callers wait. Jitter may move one. */
START_TEST(its_probes_are_bounded)
{
    for (uint32_t n = 2; n <= 4; n += 2)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            test_sim *sim = known_sim(n, seed, _i, NULL);
            uint64_t picked = 0;

            sim->pods[1].hangs = true;
            test_sim_run(sim, 60 * S_NS, PER_SECOND);
            for (int minute = 0; minute < 4; minute++) {
                test_sim_forget(sim);
                test_sim_run(sim, 60 * S_NS, PER_SECOND);
                must_be_within(sim->pods[1].n_picked, 2, 4);
                picked += sim->pods[1].n_picked;
            }
            must_be_within(picked, 10, 13);
            test_sim_free(sim);
        }
}
END_TEST

START_TEST(its_probes_of_the_first_minute)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = known_sim(PODS, seed, _i, NULL);
        ilb_event e;

        sim->pods[1].hangs = true;
        test_sim_run(sim, 60 * S_NS, PER_SECOND);
        must_be_within(events_of(sim, ILB_EVENT_PROBE_FAILED, 0, &e), 4, 8);
        test_sim_free(sim);
    }
}
END_TEST

/* After a fault of so long half its share is back in 15 s: also when what was
 * sent before is lost and never answered. */
START_TEST(it_returns_by_a_probe)
{
    static const uint64_t lasts_s[] = {5, 15, 40};

    for (int k = 0; k < 3; k++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            test_sim *sim = known_sim(PODS, seed, _i, NULL);
            ilb_event e;

            sim->pods[1].hangs = true;
            test_sim_run(sim, lasts_s[k] * S_NS, PER_SECOND);
            sim->pods[1].hangs = false;
            test_sim_run(sim, 15 * S_NS, PER_SECOND);
            must_eq(events_of(sim, ILB_EVENT_UNEJECT, 0, &e),
                    test_stats(sim->b, 1).enforced[ILB_DETECTOR_HANG]);
            test_sim_forget(sim);
            test_sim_run(sim, 10 * S_NS, PER_SECOND);
            must_be_within(test_sim_share(sim, 1), 0.5 / PODS, 1);
            test_sim_free(sim);
        }
}
END_TEST

/* Where an ejection is shorter than what is called silence a probe has failed
 * before it is repeated: the ladder is climbed, and not each second a request
 * of a patient caller lost. */
START_TEST(probes_that_wait_climb_the_ladder)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        ilb_options o = ILB_OPTIONS_INIT;
        test_sim *sim;

        o.base_ejection_time_ns = S_NS;
        sim = known_sim(PODS, seed, 0, &o);
        sim->timeout_ns = 1000 * S_NS;
        sim->pods[1].hangs = true;
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must(is_out(sim, 1));
        test_sim_forget(sim);
        test_sim_run(sim, 120 * S_NS, PER_SECOND);
        must_be_within((double)sim->pods[1].n_picked, 15, 30);
        test_sim_free(sim);
    }
}
END_TEST

/* One stop that is over before is nothing; after a longer one, what is answered
 * late makes its probe due at once. */
START_TEST(a_stop_is_over_when_it_is_over)
{
    static const uint64_t stops_ms[] = {500, 1000, 1800, 3000, 9000};

    for (int k = 0; k < 5; k++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            ilb_options o = random_options();
            test_sim *sim = known_sim(PODS, seed, 0, &o);
            bool ejects = stops_ms[k] > 2000;

            sim->pods[1].stops_ns = sim->clock.now_ns + stops_ms[k] * MS_NS;
            test_sim_run(sim, stops_ms[k] * MS_NS, PER_SECOND);
            must_eq(is_out(sim, 1), ejects);
            /* With two probes that found it standing still it is the ladder's.
             */
            test_sim_run(sim, (stops_ms[k] < 5000 ? 1 : 8) * S_NS, PER_SECOND);
            must(!is_out(sim, 1));
            must_eq(test_stats(sim->b, 1).enforced[ILB_DETECTOR_HANG], ejects);
            test_sim_free(sim);
        }
}
END_TEST

/* Where most hang the cause is not theirs. */
START_TEST(most_are_not_ejected)
{
    for (uint32_t n = 3; n <= PODS; n++) {
        test_sim *sim = known_sim(PODS, n, 0, NULL);

        for (uint32_t i = 0; i < n; i++)
            sim->pods[i].hangs = true;
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        for (uint32_t i = 0; i < PODS; i++)
            must_eq(test_stats(sim->b, i).ejections, 0);
        test_sim_free(sim);
    }
}
END_TEST

/* Requests to one pod that are not ended. */
static void hold(test_sim *sim, ilb_ticket *held, uint32_t n, uint32_t pod)
{
    for (uint32_t i = 0; i < n;) {
        held[i] = test_pick(sim->b);
        if (test_number(sim->b, &held[i]) == pod)
            i++;
        else
            test_done(sim->b, &held[i], ILB_SUCCESS);
    }
}

/* The caller itself has stood still, with requests to one of them in flight:
 * they are as old, and nobody is to blame. */
START_TEST(a_caller_that_stood_still)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        ilb_options o = random_options();
        test_sim *sim = known_sim(PODS, seed, 0, &o);
        ilb_ticket held[3];

        hold(sim, held, 3, 1);
        sim->clock.now_ns += 4 * S_NS;
        for (int i = 0; i < 200; i++)
            must_eq(ilb_tick(sim->b, sim->clock.now_ns += MS_NS), ILB_OK);
        must_eq(test_stats(sim->b, 1).ejections, 0);
        for (int i = 0; i < 3; i++)
            test_done(sim->b, &held[i], ILB_SUCCESS);
        test_sim_run(sim, 3 * S_NS, PER_SECOND);
        must_eq(test_stats(sim->b, 1).ejections, 0);
        test_sim_free(sim);
    }
}
END_TEST

/* A single long request is none. */
START_TEST(one_long_request_is_none)
{
    ilb_options o = random_options();
    test_sim *sim = known_sim(PODS, 1, 0, &o);
    ilb_ticket held[1];

    hold(sim, held, 1, 1);
    test_sim_run(sim, 30 * S_NS, PER_SECOND);
    must_eq(test_stats(sim->b, 1).ejections, 0);
    test_done(sim->b, &held[0], ILB_SUCCESS);
    test_sim_free(sim);
}
END_TEST

/* Ten of 2 ms; one request in a thousand is a poll that waits for 30 s. Nobody
 * is ejected for it, and each gets its share. (22 were ejected in ten minutes,
 * and with a queue p99 was 14 s.) */
START_TEST(long_polls_are_no_hanging)
{
    for (uint64_t rate = 5; rate <= 500; rate *= 10) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
        ilb_balancer *b = test_new(&o);
        uint64_t random = rate, counts[10] = {0}, n = 300 * rate;
        ilb_ticket polls[600];
        uint64_t ends_ns[600];
        uint32_t first = 0, last = 0;

        test_update(b, 0, 10);
        for (uint64_t i = 0; i < n; i++) {
            ilb_ticket t = test_pick(b);

            clock.now_ns += S_NS / rate;
            if (i > 20 * rate && test_below(&random, 1000) == 0) {
                polls[last] = t;
                ends_ns[last++] = clock.now_ns + 30 * S_NS;
            } else {
                ilb_result r = ILB_RESULT_INIT;

                counts[test_number(b, &t)]++;
                r.now_ns = clock.now_ns - S_NS / rate + 2 * MS_NS;
                must_eq(ilb_done_with(b, &t, &r), ILB_OK);
            }
            while (first < last && ends_ns[first] <= clock.now_ns)
                test_done(b, &polls[first++], ILB_SUCCESS);
        }
        for (uint32_t i = 0; i < 10; i++) {
            must_eq(test_stats(b, i).ejections, 0);
            must_be_within((double)counts[i], 0.03 * (double)n,
                           0.25 * (double)n);
        }
        ilb_balancer_free(b);
    }
}
END_TEST

/* Its probe's first byte is told: no request of before is left out that waits,
 * and it stays. */
START_TEST(a_probe_whose_first_byte_is_told)
{
    ilb_options o = random_options();
    test_sim *sim = known_sim(PODS, 1, 0, &o);
    ilb_ticket old[2], t;

    test_sim_finish(sim);
    hold(sim, old, 2, 1);
    for (int i = 0; i < 25; i++)
        must_eq(ilb_tick(sim->b, sim->clock.now_ns += 100 * MS_NS), ILB_OK);
    must(is_out(sim, 1));
    do {
        sim->clock.now_ns += 10 * MS_NS;
        t = test_pick(sim->b);
        if (test_number(sim->b, &t) == 1)
            must_eq(ilb_first_byte(sim->b, &t, sim->clock.now_ns), ILB_OK);
        sim->clock.now_ns += MS_NS;
        test_done(sim->b, &t, ILB_SUCCESS);
    } while (is_out(sim, 1));
    must_eq(test_stats(sim->b, 1).ejections, 1);
    for (int i = 0; i < 600; i++)
        must_eq(ilb_tick(sim->b, sim->clock.now_ns += 100 * MS_NS), ILB_OK);
    must_eq(test_stats(sim->b, 1).ejections, 1);
    test_done(sim->b, &old[0], ILB_TIMEOUT);
    test_done(sim->b, &old[1], ILB_TIMEOUT);
    test_sim_free(sim);
}
END_TEST

/* Not ready, restarted, ready: what was sent to the old process says nothing of
 * the new one, neither that it waits nor that it fails. */
START_TEST(what_was_sent_before_it_came_back)
{
    ilb_options o = random_options();
    test_sim *sim = known_sim(PODS, 1, 0, &o);
    ilb_ticket old[10];

    test_sim_finish(sim);
    hold(sim, old, 10, 1);
    must_eq(ilb_balancer_set_readiness(sim->b, test_address(1), ILB_NOT_READY),
            ILB_OK);
    test_sim_run(sim, 10 * S_NS, PER_SECOND);
    must_eq(ilb_balancer_set_readiness(sim->b, test_address(1), ILB_READY),
            ILB_OK);
    for (int i = 0; i < 100; i++)
        must_eq(ilb_tick(sim->b, sim->clock.now_ns += 100 * MS_NS), ILB_OK);
    must_eq(test_stats(sim->b, 1).ejections, 0);
    for (int i = 0; i < 10; i++)
        test_done(sim->b, &old[i], ILB_FAILURE);
    must_eq(test_stats(sim->b, 1).ejections, 0);
    must_eq(test_stats(sim->b, 1).failures_in_a_row, 0);
    test_sim_forget(sim);
    test_sim_run(sim, 20 * S_NS, PER_SECOND);
    must_be_within(test_sim_share(sim, 1), 0.5 / PODS, 1.5 / PODS);
    test_sim_free(sim);
}
END_TEST

/* What waits for the old process is no load of the new one: with few requests,
 * which idle peers could serve, it would get none. */
START_TEST(what_waits_from_before_is_no_load)
{
    test_sim *sim = known_sim(3, 1, 0, NULL);
    ilb_ticket old[1];

    test_sim_finish(sim);
    hold(sim, old, 1, 1);
    must_eq(ilb_balancer_set_readiness(sim->b, test_address(1), ILB_NOT_READY),
            ILB_OK);
    test_sim_run(sim, 10 * S_NS, 5);
    must_eq(ilb_balancer_set_readiness(sim->b, test_address(1), ILB_READY),
            ILB_OK);
    test_sim_forget(sim);
    test_sim_run(sim, 20 * S_NS, 5);
    must_be_within(test_sim_share(sim, 1), 0.1, 0.7);
    test_done(sim->b, &old[0], ILB_FAILURE);
    test_sim_finish(sim);
    must_eq(test_stats(sim->b, 1).in_flight, 0);
    test_sim_free(sim);
}
END_TEST

/* Two wait for ever, but others begin to be answered: it lives, also when
 * nobody asks it any more. When others are not answered it does not. */
START_TEST(streams_that_begin_are_signs_of_life)
{
    ilb_options o = random_options();
    test_sim *sim = known_sim(PODS, 1, 0, &o);
    ilb_ticket held[104];

    test_sim_finish(sim);
    hold(sim, held, 2, 1);
    for (uint32_t i = 2; i < 102; i++) {
        hold(sim, &held[i], 1, 1);
        sim->clock.now_ns += 100 * MS_NS;
        must_eq(ilb_first_byte(sim->b, &held[i], sim->clock.now_ns), ILB_OK);
    }
    for (int i = 0; i < 300; i++)
        must_eq(ilb_tick(sim->b, sim->clock.now_ns += 100 * MS_NS), ILB_OK);
    must_eq(test_stats(sim->b, 1).ejections, 0);
    hold(sim, &held[102], 2, 1);
    for (int i = 0; i < 30; i++)
        must_eq(ilb_tick(sim->b, sim->clock.now_ns += 100 * MS_NS), ILB_OK);
    must_eq(test_stats(sim->b, 1).ejections, 1);
    for (uint32_t i = 0; i < 104; i++)
        test_done(sim->b, &held[i], ILB_SUCCESS);
    test_sim_free(sim);
}
END_TEST

/* What is in flight to pod 1 and is not its load. */
static double lost_of(test_sim *sim)
{
    for (;;) {
        ilb_explanation x;
        uint32_t number;
        ilb_ticket t;

        must_eq(ilb_pick_explained(sim->b, &t, NULL, &x, sizeof x), ILB_OK);
        number = test_number(sim->b, &t);
        test_done(sim->b, &t, ILB_CANCELLED);
        if (number == 1)
            return x.candidates[x.chosen].in_flight -
                   x.candidates[x.chosen].load;
    }
}

/* Requests that were lost when it returned, and are answered after all. */
START_TEST(who_is_answered_after_all_is_not_lost)
{
    ilb_options o = random_options();
    test_sim *sim = known_sim(PODS, 1, 0, &o);
    ilb_ticket old[6], young[20];
    double lost;

    hold(sim, old, 6, 1);
    sim->pods[1].hangs = true;
    while (!is_out(sim, 1))
        test_sim_run(sim, 100 * MS_NS, PER_SECOND);
    sim->pods[1].hangs = false;
    while (is_out(sim, 1))
        test_sim_run(sim, 100 * MS_NS, PER_SECOND);
    hold(sim, young, 20, 1);
    lost = lost_of(sim);
    must(lost >= 6);
    for (int i = 0; i < 6; i++) {
        must_eq(ilb_first_byte(sim->b, &old[i], sim->clock.now_ns), ILB_OK);
        /* Not lost; but one that lasts, and counts as an eighth. */
        must_be_within(lost_of(sim), lost - (i + 1) / 8.0,
                       lost - (i + 1) / 8.0);
    }
    for (int i = 0; i < 6; i++)
        test_done(sim->b, &old[i], ILB_SUCCESS);
    must_be_within(lost_of(sim), lost - 6, lost - 6);
    for (int i = 0; i < 20; i++)
        test_done(sim->b, &young[i], ILB_SUCCESS);
    test_sim_free(sim);
}
END_TEST

START_TEST(in_shadow_and_off)
{
    for (int shadow = 0; shadow <= 1; shadow++) {
        ilb_options o = ILB_OPTIONS_INIT;
        ilb_event e;
        test_sim *sim;

        o.policy = ILB_POLICY_RANDOM;
        o.detectors_off = shadow ? 0 : HANG;
        o.detectors_shadow = shadow ? HANG : 0;
        sim = known_sim(PODS, 1, 0, &o);
        sim->pods[1].hangs = true;
        test_sim_run(sim, 4 * S_NS, PER_SECOND);
        must(!is_out(sim, 1));
        must_eq(test_stats(sim->b, 1).enforced[ILB_DETECTOR_HANG], 0);
        must_eq(test_stats(sim->b, 1).detected[ILB_DETECTOR_HANG], shadow);
        must_eq(events_of(sim, ILB_EVENT_EJECT_REFUSED, 0, &e), shadow);
        if (shadow) {
            must_eq(e.reason, ILB_REASON_SHADOW);
            must_eq(e.detector, ILB_DETECTOR_HANG);
            must(e.statistic >= e.threshold && e.threshold == LIMIT_S);
        }
        test_sim_free(sim);
    }
}
END_TEST

Suite *suite_api_hang(void)
{
    Suite *s = suite_create("api hang");
    TCase *tc = test_case(s, "ejection");

    tcase_add_loop_test(tc, who_hangs_is_ejected, 0, N_CALLERS);
    tcase_add_test(tc, the_event_as_text);
    tcase_add_loop_test(tc, whatever_the_policy, ILB_POLICY_PEAK_EWMA,
                        ILB_POLICY_RANDOM + 1);
    tcase_add_test(tc, in_shadow_and_off);
    tc = test_case(s, "return");
    tcase_add_loop_test(tc, its_probes_are_bounded, 0, 3);
    tcase_add_loop_test(tc, its_probes_of_the_first_minute, 0, 3);
    tcase_add_loop_test(tc, it_returns_by_a_probe, 0, 3);
    tcase_add_test(tc, a_stop_is_over_when_it_is_over);
    tc = test_case(s, "none");
    tcase_add_test(tc, most_are_not_ejected);
    tcase_add_test(tc, a_caller_that_stood_still);
    tcase_add_test(tc, one_long_request_is_none);
    tcase_add_test(tc, who_is_answered_after_all_is_not_lost);
    tcase_add_test(tc, probes_that_wait_climb_the_ladder);
    tcase_add_test(tc, long_polls_are_no_hanging);
    tcase_add_test(tc, a_probe_whose_first_byte_is_told);
    tcase_add_test(tc, what_was_sent_before_it_came_back);
    tcase_add_test(tc, what_waits_from_before_is_no_load);
    tcase_add_test(tc, streams_that_begin_are_signs_of_life);
    return s;
}
