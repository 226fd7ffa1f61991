/* SPDX-License-Identifier: MIT */
/* Which requests are trials, and how long to wait for them. */
#include "suites.h"
#include "util.h"

#define PODS 5

/* A balancer that knows its endpoints: 5 ms, 200 requests a second. */
static ilb_balancer *known(test_clock *clock, uint64_t seed)
{
    ilb_options o = test_options(clock, ILB_POLICY_RANDOM, seed);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, PODS);
    for (int i = 0; i < 2000; i++)
        (void)test_request(b, clock, 5 * MS_NS, ILB_SUCCESS);
    return b;
}

/* The next request to endpoint `number`; those to others succeed. */
static ilb_ticket to(ilb_balancer *b, test_clock *clock, uint32_t number)
{
    for (int i = 0; i < 5000; i++) {
        ilb_ticket t = test_pick(b);

        if (test_number(b, &t) == number)
            return t;
        clock->now_ns += 5 * MS_NS;
        test_done(b, &t, ILB_SUCCESS);
    }
    ck_abort_msg("endpoint %u is not chosen", number);
    return test_pick(b);
}

static bool is_timed(uint64_t ns)
{
    return ns > 0 && ns < UINT64_MAX;
}

START_TEST(an_ordinary_request_is_none)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = known(&clock, 1);

    for (int i = 0; i < 100; i++) {
        ilb_ticket t = test_pick(b);

        must_eq(ilb_ticket_try_timeout_ns(b, &t), 0);
        test_done(b, &t, ILB_SUCCESS);
        /* It is over. */
        must_eq(ilb_ticket_try_timeout_ns(b, &t), 0);
        must_eq(ilb_ticket_try_timeout_ns(NULL, &t), 0);
    }
    must_eq(ilb_ticket_try_timeout_ns(b, NULL), 0);
    ilb_balancer_free(b);
}
END_TEST

/* Where nobody has answered, all are the same risk. */
START_TEST(nobody_is_on_trial_before_the_first_answers)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, PODS);
    for (int i = 0; i < 10; i++) {
        ilb_ticket t = test_pick(b);

        must_eq(ilb_ticket_try_timeout_ns(b, &t), 0);
    }
    ilb_balancer_free(b);
}
END_TEST

/* max(1.5 p99, 3 median, 2 ms) of answers that take 5 ms: 15 ms. */
START_TEST(a_newcomer_is_on_trial_until_it_answers)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = known(&clock, 1);
    ilb_ticket t;

    test_update(b, 0, PODS + 1);
    t = to(b, &clock, PODS);
    must_be_within((double)ilb_ticket_try_timeout_ns(b, &t), 14.9e6, 15.1e6);
    clock.now_ns += 5 * MS_NS;
    test_done(b, &t, ILB_SUCCESS);
    t = to(b, &clock, PODS);
    must_eq(ilb_ticket_try_timeout_ns(b, &t), 0);
    ilb_balancer_free(b);
}
END_TEST

/* Who has failed is on trial until some good answers; the first failure itself
 * could not be foreseen. */
START_TEST(who_has_failed_is_on_trial)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = known(&clock, 1);
    ilb_ticket t = to(b, &clock, 1);
    int n;

    must_eq(ilb_ticket_try_timeout_ns(b, &t), 0);
    test_done(b, &t, ILB_FAILURE);
    t = to(b, &clock, 1);
    must(is_timed(ilb_ticket_try_timeout_ns(b, &t)));
    test_done(b, &t, ILB_SUCCESS);
    t = to(b, &clock, 1);
    must(is_timed(ilb_ticket_try_timeout_ns(b, &t)));
    for (n = 0; n < 500 && ilb_ticket_try_timeout_ns(b, &t) != 0; n++) {
        test_done(b, &t, ILB_SUCCESS);
        t = to(b, &clock, 1);
    }
    must_be_within(n, 4, 100);
    ilb_balancer_free(b);
}
END_TEST

/* One that answers nineteen times and keeps the twentieth waiting: once that is
 * known its requests stay trials, though each that waits is given up before it
 * can be called a failure. */
START_TEST(who_hangs_now_and_then_stays_on_trial)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_balancer *b = known(&clock, seed);
        ilb_ticket t = to(b, &clock, 1);
        int n_trials = 0, n_ejected = 0;

        clock.now_ns += S_NS;
        test_done(b, &t, ILB_TIMEOUT);
        for (int i = 0; i < 400; i++) {
            uint64_t limit_ns;

            n_ejected += test_stats(b, 1).state != ILB_STATE_HEALTHY;
            t = to(b, &clock, 1);
            limit_ns = ilb_ticket_try_timeout_ns(b, &t);
            if (i % 20 != 19) {
                clock.now_ns += 5 * MS_NS;
                test_done(b, &t, ILB_SUCCESS);
                continue;
            }
            n_trials += is_timed(limit_ns);
            clock.now_ns += is_timed(limit_ns) ? limit_ns : S_NS;
            test_done(b, &t, ILB_TIMEOUT);
        }
        must_eq(n_trials, 20);
        must_eq(n_ejected, 0);
        ilb_balancer_free(b);
    }
}
END_TEST

/* One waits for long; the next to go there asks whether that is silence, and
 * may give up: that costs the endpoint no share of failures, as a trial that is
 * given up where nobody waits does. */
START_TEST(to_ask_who_is_silent_is_no_failure)
{
    for (int waits = 0; waits < 2; waits++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_balancer *b = known(&clock, 1);
        ilb_ticket held = to(b, &clock, 1), t;

        clock.now_ns += S_NS;
        if (!waits)
            test_done(b, &held, ILB_TIMEOUT);
        clock.now_ns += 60 * S_NS * (uint64_t)!waits;
        t = to(b, &clock, 1);
        must(is_timed(ilb_ticket_try_timeout_ns(b, &t)));
        clock.now_ns += ilb_ticket_try_timeout_ns(b, &t);
        test_done(b, &t, ILB_TIMEOUT);
        must_eq(test_stats(b, 1).failure_ppm > 0, !waits);
        ilb_balancer_free(b);
    }
}
END_TEST

/* Who refuses will do so again: on trial for a minute, also after good answers,
 * and then no more. It need not be waited for less than any other. */
START_TEST(who_has_refused_is_on_trial_for_a_minute)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = known(&clock, 1);
    ilb_ticket t = to(b, &clock, 1);
    uint64_t refused_ns;

    test_done(b, &t, ILB_OVERLOAD);
    refused_ns = clock.now_ns;
    while (clock.now_ns < refused_ns + 59 * S_NS) {
        t = to(b, &clock, 1);
        must(ilb_ticket_try_timeout_ns(b, &t) == UINT64_MAX);
        clock.now_ns += 5 * MS_NS;
        test_done(b, &t, ILB_SUCCESS);
        clock.now_ns += 200 * MS_NS;
    }
    clock.now_ns = refused_ns + 61 * S_NS;
    t = to(b, &clock, 1);
    must_eq(ilb_ticket_try_timeout_ns(b, &t), 0);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_probe_is_a_trial)
{
    test_ejected *f = test_ejected_new(3, 1);
    ilb_ticket t = test_ejected_probe(f);

    must(is_timed(ilb_ticket_try_timeout_ns(f->b, &t)));
    test_ejected_free(f);
}
END_TEST

/* Where many fail, trials that fail are at most a tenth of the requests, after
 * what was saved: 5 s of it. */
START_TEST(trials_are_no_storm)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_balancer *b = known(&clock, seed);
        uint32_t failed = 0, n = 20000;

        for (uint32_t i = 0; i < n; i++) {
            ilb_ticket t = test_pick(b);
            bool bad = i % 2 == 0;

            failed += bad && ilb_ticket_try_timeout_ns(b, &t) != 0;
            clock.now_ns += 5 * MS_NS;
            test_done(b, &t, bad ? ILB_FAILURE : ILB_SUCCESS);
        }
        must_be_within(failed, 10, 0.1 * n + 5 * 200 * 0.1 + 4);
        ilb_balancer_free(b);
    }
}
END_TEST

/* What a trial that timed out after `times` what was advised makes of the
 * latency of its endpoint, by what it waited. */
static double bound_of(uint64_t times)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = known(&clock, 1);
    ilb_ticket t = to(b, &clock, 1);
    uint64_t wait_ns;
    double bound;

    test_done(b, &t, ILB_FAILURE);
    t = to(b, &clock, 1);
    must(is_timed(ilb_ticket_try_timeout_ns(b, &t)));
    wait_ns = times * ilb_ticket_try_timeout_ns(b, &t);
    clock.now_ns += wait_ns;
    test_done(b, &t, ILB_TIMEOUT);
    bound = (double)test_stats(b, 1).latency_ns / (double)wait_ns;
    ilb_balancer_free(b);
    return bound;
}

/* Nobody knows how long it would have taken: as long again. */
START_TEST(a_trial_given_up_teaches_twice_what_it_waited)
{
    must_be_within(bound_of(1), 1.9, 2.01);
    must_be_within(bound_of(10), 0.9, 1.01);
}
END_TEST

/* A probe that its caller gave up, after longer than answers take, has failed:
 * impatient callers must not send one after the other there. */
START_TEST(a_probe_given_up_late_has_failed)
{
    test_ejected *f = test_ejected_new(3, 1);
    ilb_ticket t = test_ejected_probe(f);
    uint64_t limit_ns = ilb_ticket_try_timeout_ns(f->b, &t);

    f->clock.now_ns += limit_ns + MS_NS;
    test_done(f->b, &t, ILB_CANCELLED);
    must_eq(test_stats(f->b, 1).ejections, 2);
    must_last(test_stats(f->b, 1).ejected_until_ns - f->clock.now_ns, 2,
              TEST_EJECTED_PER_SECOND, 0.1);
    test_ejected_free(f);
}
END_TEST

/* A caller who had less time than an answer takes learns nothing of it. */
START_TEST(a_timeout_of_no_time_is_no_failure)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = known(&clock, 1);

    for (int i = 0; i < 50; i++) {
        ilb_ticket t = to(b, &clock, 1);

        clock.now_ns += MS_NS;
        test_done(b, &t, ILB_TIMEOUT);
    }
    must_eq(test_stats(b, 1).failures_in_a_row, 0);
    must_eq(test_stats(b, 1).ejections, 0);
    must_eq(test_stats(b, 1).done[ILB_TIMEOUT], 50);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_trial(void)
{
    Suite *s = suite_create("api trial");
    TCase *tc = test_case(s, "trial");

    tcase_add_test(tc, an_ordinary_request_is_none);
    tcase_add_test(tc, nobody_is_on_trial_before_the_first_answers);
    tcase_add_test(tc, a_newcomer_is_on_trial_until_it_answers);
    tcase_add_test(tc, who_has_failed_is_on_trial);
    tcase_add_test(tc, who_hangs_now_and_then_stays_on_trial);
    tcase_add_test(tc, to_ask_who_is_silent_is_no_failure);
    tcase_add_test(tc, who_has_refused_is_on_trial_for_a_minute);
    tcase_add_test(tc, a_probe_is_a_trial);
    tcase_add_test(tc, trials_are_no_storm);
    tcase_add_test(tc, a_trial_given_up_teaches_twice_what_it_waited);
    tcase_add_test(tc, a_probe_given_up_late_has_failed);
    tcase_add_test(tc, a_timeout_of_no_time_is_no_failure);
    return s;
}
