/* SPDX-License-Identifier: MIT */
/* Clocks that jump, go back, start late or stand still. */
#include "suites.h"
#include "util.h"

#define PODS 4
#define PER_SECOND 200

static test_sim *warm_sim(uint64_t seed)
{
    test_sim *sim = test_sim_new(PODS, 20 * MS_NS, seed, NULL);

    test_sim_run(sim, 5 * S_NS, PER_SECOND);
    return sim;
}

/* Everything is fine: fair shares, nobody ejected, nothing left in flight. */
static void is_fine(test_sim *sim)
{
    test_sim_forget(sim);
    test_sim_run(sim, 10 * S_NS, PER_SECOND);
    for (uint32_t i = 0; i < PODS; i++)
        must_be_within(test_sim_share(sim, i), 0.6 / PODS, 1.4 / PODS);
    test_sim_finish(sim);
    for (uint32_t i = 0; i < PODS; i++) {
        must_eq(test_stats(sim->b, i).in_flight, 0);
        must_eq(test_stats(sim->b, i).ejections, 0);
    }
}

START_TEST(an_hour_forward)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = warm_sim(seed);

        sim->clock.now_ns += 3600 * S_NS;
        /* What is in flight seems to have taken an hour: forgotten
         * in the end, as any single peak. */
        test_sim_run(sim, 20 * S_NS, PER_SECOND);
        is_fine(sim);
        for (uint32_t i = 0; i < PODS; i++)
            must_be_within(test_stats(sim->b, i).latency_ns, 10 * MS_NS,
                           40 * MS_NS);
        test_sim_free(sim);
    }
}
END_TEST

/* The simulator's own order of events is by the time that it believes in:
 * end all first. */
START_TEST(an_hour_back)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        test_sim *sim = warm_sim(seed);
        ilb_ticket t;

        test_sim_finish(sim);
        t = test_pick(sim->b);
        sim->clock.now_ns -= 900 * S_NS;
        must_eq(test_stats(sim->b, test_number(sim->b, &t)).oldest_ns, 0);
        test_done(sim->b, &t, ILB_FAILURE);
        is_fine(sim);
        test_sim_free(sim);
    }
}
END_TEST

static const uint64_t backs[] = {S_NS, 3 * S_NS, 60 * S_NS, 900 * S_NS};

/* Requests in turn to three endpoints, of which number 1 takes ten times as
 * long and number 2 fails at last. */
static ilb_balancer *known(test_clock *clock)
{
    ilb_options o = test_options(clock, ILB_POLICY_ROUND_ROBIN, 1);
    ilb_balancer *b;

    o.consecutive_failures = ILB_NEVER;
    b = test_new(&o);
    test_update(b, 0, 3);
    for (int i = 0; i < 300; i++) {
        ilb_ticket t = test_pick(b);
        uint32_t number = test_number(b, &t);

        clock->now_ns += (number == 1 ? 100 : 10) * MS_NS;
        test_done(b, &t, number == 2 && i >= 290 ? ILB_FAILURE : ILB_SUCCESS);
    }
    return b;
}

/* No time has passed: nothing fades. */
START_TEST(what_is_known_is_as_old_as_before)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = known(&clock);
    ilb_endpoint_stats slow = test_stats(b, 1), bad = test_stats(b, 2);

    clock.now_ns -= backs[_i];
    must_be_within(test_stats(b, 1).latency_ns, 0.99 * (double)slow.latency_ns,
                   1.2 * (double)slow.latency_ns);
    must_be_within(test_stats(b, 2).failure_ppm, 0.99 * bad.failure_ppm,
                   1.2 * bad.failure_ppm);
    ilb_balancer_free(b);
}
END_TEST

/* To within what the clocks of several threads may differ. */
START_TEST(an_ejection_lasts_as_long_as_before)
{
    test_ejected *f = test_ejected_new(3, 1);
    uint64_t left_ns = test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns;
    uint64_t now_ns;

    f->clock.now_ns -= backs[_i];
    now_ns = f->clock.now_ns;
    while (test_ejected_picked(f, 1) == 0)
        f->clock.now_ns += 10 * MS_NS;
    must_be_within((double)(f->clock.now_ns - now_ns) / 1e9,
                   (double)left_ns / 1e9 - 2.5, (double)left_ns / 1e9 + 2.5);
    test_ejected_free(f);
}
END_TEST

/* What the caller is told is in his own time, before and after. */
START_TEST(times_that_are_told_are_the_callers)
{
    test_ejected *f = test_ejected_new(3, 1);
    uint64_t left_ns = test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns;
    ilb_explanation x;
    ilb_event last;
    ilb_ticket t;
    size_t n;

    f->clock.now_ns -= 900 * S_NS;
    must_be_within(
        (double)(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns),
        0.99 * (double)left_ns, 1.01 * (double)left_ns);
    must_be_within((double)(ilb_probe_due_ns(f->b) - f->clock.now_ns), 0,
                   1.01 * (double)left_ns);
    must_eq(ilb_pick_explained(f->b, &t, NULL, &x, sizeof x), ILB_OK);
    must_eq(x.time_ns, f->clock.now_ns);
    test_done(f->b, &t, ILB_SUCCESS);
    while (test_stats(f->b, 1).state == ILB_STATE_EJECTED) {
        f->clock.now_ns += 10 * MS_NS;
        (void)test_ejected_picked(f, 1);
    }
    for (uint64_t after = 0;; after = last.number) {
        must_eq(ilb_balancer_events(f->b, after, &last, 1, sizeof last, &n),
                ILB_OK);
        if (n == 0)
            break;
    }
    must(last.type == ILB_EVENT_UNEJECT || last.type == ILB_EVENT_HEALTHY ||
         last.type == ILB_EVENT_PROBE_STARTED);
    must_be_within((double)last.time_ns, (double)f->clock.now_ns - 1e9,
                   (double)f->clock.now_ns);
    test_ejected_free(f);
}
END_TEST

/* A batch of answers, each handed in with the time when it came: that must not
 * move the time for the others. */
START_TEST(answers_that_are_handed_in_late)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_ROUND_ROBIN, 1);
    ilb_balancer *b = test_new(&o);
    uint64_t until_ns;

    test_update(b, 0, 3);
    for (int i = 0; i < 300; i++)
        (void)test_request(b, &clock, 10 * MS_NS, ILB_SUCCESS);
    while (test_stats(b, 1).state != ILB_STATE_EJECTED) {
        ilb_ticket t = test_pick(b);

        test_done(b, &t, test_number(b, &t) == 1 ? ILB_FAILURE : ILB_SUCCESS);
    }
    until_ns = test_stats(b, 1).ejected_until_ns;
    must(until_ns > clock.now_ns);
    for (int i = 0; i < 20; i++) {
        ilb_result r = ILB_RESULT_INIT;
        ilb_ticket t = test_pick(b);

        clock.now_ns += 10 * MS_NS;
        r.now_ns = clock.now_ns - 10 * S_NS;
        must_eq(ilb_done_with(b, &t, &r), ILB_OK);
    }
    must_eq(test_stats(b, 1).ejected_until_ns, until_ns);
    ilb_balancer_free(b);
}
END_TEST

/* It sways by up to a second at each reading. */
static uint64_t swaying_clock(void *user)
{
    test_clock *c = user;
    static uint64_t random = 1;

    return c->now_ns + test_random(&random) % S_NS;
}

START_TEST(a_clock_that_sways)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
    ilb_ticket held[32];
    ilb_balancer *b;
    uint64_t random = 3;

    o.clock_ns = swaying_clock;
    b = test_new(&o);
    test_update(b, 0, 8);
    for (int i = 0; i < 32; i++)
        held[i] = test_pick(b);
    for (int i = 0; i < 50000; i++) {
        uint32_t k = test_below(&random, 32);

        clock.now_ns += MS_NS;
        test_done(b, &held[k],
                  (ilb_outcome)test_below(&random, ILB_OUTCOME_COUNT));
        held[k] = test_pick(b);
        if (i % 100 == 0) {
            ilb_endpoint_stats s = test_stats(b, test_below(&random, 8));

            must(s.latency_ns <= clock.now_ns && s.oldest_ns <= clock.now_ns);
        }
    }
    for (int i = 0; i < 32; i++)
        test_done(b, &held[i], ILB_SUCCESS);
    for (uint32_t i = 0; i < 8; i++)
        must_eq(test_stats(b, i).in_flight, 0);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_clock_that_stands_still)
{
    test_clock clock = TEST_CLOCK_INIT;

    for (int policy = 1; policy <= 4; policy++) {
        ilb_options o = test_options(&clock, (ilb_policy)policy, 1);
        ilb_balancer *b = test_new(&o);
        uint64_t counts[8] = {0};

        test_update(b, 0, 8);
        for (int i = 0; i < 8000; i++)
            counts[test_request(b, &clock, 0, ILB_SUCCESS)]++;
        for (int i = 0; i < 8; i++)
            must_be_within((double)counts[i], 700, 1300);
        ilb_balancer_free(b);
    }
}
END_TEST

/* Any epoch will do: just begun, the wall clock's, the end of the range. */
START_TEST(ejection_works_at_any_time_of_the_clock)
{
    static const uint64_t epochs[] = {1,
                                      UINT64_C(1) << 32,
                                      UINT64_C(1) << 52,
                                      UINT64_C(1) << 58,
                                      UINT64_C(1700000000000000000),
                                      UINT64_C(1) << 63,
                                      UINT64_MAX - 3600 * S_NS};

    for (size_t i = 0; i < sizeof epochs / sizeof epochs[0]; i++) {
        test_clock clock = {epochs[i]};
        ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
        ilb_endpoint_stats s;
        ilb_balancer *b;

        /* Not longer for want of requests. */
        o.max_ejection_time_ns = (uint64_t)(TEST_EJECTION_S * 1e9);
        b = test_new(&o);
        test_update(b, 0, 2);
        for (int k = 0; k < 200; k++) {
            ilb_ticket t = test_pick(b);

            clock.now_ns += MS_NS;
            test_done(b, &t,
                      test_number(b, &t) == 0 ? ILB_FAILURE : ILB_SUCCESS);
        }
        s = test_stats(b, 0);
        must_eq(s.state, ILB_STATE_EJECTED);
        must_eq(s.ejections, 1);
        /* Of at most 200 requests of a healthy peer p0 is 0.5 / 400 to
         * 0.5 / 200: a failure adds 5.3 to 6 nats of the 16. */
        must_be_within(s.done[ILB_FAILURE], 3, 4);
        /* The 200 ms that have passed since are part of it. */
        must_be_within((double)(s.ejected_until_ns - clock.now_ns) / 1e9,
                       (1 - TEST_JITTER) * TEST_EJECTION_S - 0.2,
                       TEST_EJECTION_S);
        clock.now_ns += (uint64_t)(TEST_EJECTION_S * 1e9);
        (void)test_request(b, &clock, MS_NS, ILB_SUCCESS);
        must_eq(test_stats(b, 0).state, ILB_STATE_WARMING);
        ilb_balancer_free(b);
    }
}
END_TEST

/* Whatever the clock shows and is handed in: no number overflows. */
START_TEST(absurd_times_do_no_harm)
{
    static const uint64_t times[] = {1, UINT64_MAX, UINT64_MAX - 1,
                                     UINT64_C(1) << 63, 1000 * S_NS};
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
    ilb_balancer *b = test_new(&o);
    uint64_t random = 1;

    test_update(b, 0, 3);
    for (int i = 0; i < 3000; i++) {
        ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
        ilb_result r = ILB_RESULT_INIT;
        ilb_endpoint_stats s;
        ilb_ticket t;

        p.now_ns = times[test_below(&random, 5)];
        r.now_ns = times[test_below(&random, 5)];
        clock.now_ns = times[test_below(&random, 5)];
        r.outcome = (ilb_outcome)test_below(&random, ILB_OUTCOME_COUNT);
        must_eq(ilb_pick(b, &t, &p), ILB_OK);
        if (test_below(&random, 2))
            must_eq(ilb_first_byte(b, &t, times[test_below(&random, 5)]),
                    ILB_OK);
        s = test_stats(b, test_number(b, &t));
        must_eq(s.in_flight, 1);
        /* But for a float's rounding. */
        must((double)s.latency_ns >= (double)s.oldest_ns * 0.999999);
        must_eq(ilb_done_with(b, &t, &r), ILB_OK);
    }
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_time(void)
{
    Suite *s = suite_create("api time");
    TCase *tc = test_case(s, "time");

    tcase_add_test(tc, an_hour_forward);
    tcase_add_test(tc, an_hour_back);
    tcase_add_loop_test(tc, what_is_known_is_as_old_as_before, 0, 4);
    tcase_add_loop_test(tc, an_ejection_lasts_as_long_as_before, 0, 4);
    tcase_add_test(tc, times_that_are_told_are_the_callers);
    tcase_add_test(tc, answers_that_are_handed_in_late);
    tcase_add_test(tc, a_clock_that_sways);
    tcase_add_test(tc, a_clock_that_stands_still);
    tcase_add_test(tc, ejection_works_at_any_time_of_the_clock);
    tcase_add_test(tc, absurd_times_do_no_harm);
    return s;
}
