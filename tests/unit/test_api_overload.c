/* SPDX-License-Identifier: MIT */
/* Refused for load: without a word on when to come back, and with one. */
#include "suites.h"
#include "util.h"

static test_clock clock_ = TEST_CLOCK_INIT;

/* ---- Without ----------------------------------------------------------- */

/* So many in flight to each of four that whoever answers at once looks idle. */
START_TEST(who_only_refuses_attracts_nothing)
{
    static const uint32_t rates[] = {20, 200, 2000};

    for (uint64_t seed = 1; seed <= 5; seed++)
        for (int i = 0; i < 3; i++) {
            test_sim *sim = test_sim_new(4, 100 * MS_NS, seed, NULL);
            uint32_t rate = rates[i];

            test_sim_run(sim, 10 * S_NS, rate);
            sim->pods[1].outcome = ILB_OVERLOAD;
            sim->pods[1].takes_ns = MS_NS;
            test_sim_run(sim, S_NS, rate);
            test_sim_forget(sim);
            /* Held back 2 s, or 2.5: five times in ten seconds. */
            test_sim_run(sim, 10 * S_NS, rate);
            must_be_within(sim->pods[1].n_picked, 0, 12);
            sim->pods[1].outcome = ILB_SUCCESS;
            sim->pods[1].takes_ns = 100 * MS_NS;
            test_sim_run(sim, 5 * S_NS, rate);
            test_sim_forget(sim);
            test_sim_run(sim, 10 * S_NS, rate);
            must_be_within(test_sim_share(sim, 1), 0.2, 0.3);
            test_sim_finish(sim);
            must_eq(test_stats(sim->b, 1).ejections, 0);
            test_sim_free(sim);
        }
}
END_TEST

/* It loses its share within a few requests: here with one at a time. */
START_TEST(a_few_refusals_are_enough)
{
    ilb_options o = test_options(&clock_, ILB_POLICY_PEAK_EWMA, 3);
    ilb_balancer *b = test_new(&o);
    uint32_t refused = 0;

    test_update(b, 0, 2);
    for (int i = 0; i < 200; i++)
        (void)test_request(b, &clock_, 10 * MS_NS, ILB_SUCCESS);
    for (int i = 0; i < 100; i++) {
        ilb_ticket t = test_pick(b);
        bool it = test_number(b, &t) == 0;

        clock_.now_ns += it ? MS_NS / 10 : 10 * MS_NS;
        refused += it;
        test_done(b, &t, it ? ILB_OVERLOAD : ILB_SUCCESS);
    }
    /* One second: at most at 0, 50, 150, 350 and 750 ms. */
    must_be_within(refused, 1, 5);
    ilb_balancer_free(b);
}
END_TEST

/* All refuse: they are taken all the same. */
START_TEST(where_all_refuse_there_is_no_error)
{
    ilb_options o = test_options(&clock_, ILB_POLICY_PEAK_EWMA, 3);
    ilb_balancer *b = test_new(&o);
    uint32_t times[3] = {0, 0, 0};

    test_update(b, 0, 3);
    for (int i = 0; i < 3000; i++)
        times[test_request(b, &clock_, MS_NS, ILB_OVERLOAD)]++;
    for (int i = 0; i < 3; i++)
        must(times[i] > 500);
    ilb_balancer_free(b);
}
END_TEST

/* ---- With -------------------------------------------------------------- */

static ilb_balancer *balancer(ilb_options *o, uint32_t n)
{
    ilb_balancer *b = test_new(o);

    test_update(b, 0, n);
    return b;
}

static ilb_options options(void)
{
    return test_options(&clock_, ILB_POLICY_RANDOM, 1);
}

/* The next request to `number` ends so; those before it succeed. Each takes so
 * long. */
static void end_after(ilb_balancer *b, uint32_t number, uint64_t takes_ns,
                      ilb_outcome outcome, uint64_t retry_after_ns)
{
    for (int i = 0; i < 2000; i++) {
        ilb_result r = ILB_RESULT_INIT;
        ilb_ticket t = test_pick(b);
        bool it = test_number(b, &t) == number;

        r.outcome = it ? outcome : ILB_SUCCESS;
        r.retry_after_ns = it ? retry_after_ns : 0;
        clock_.now_ns += takes_ns;
        must_eq(ilb_done_with(b, &t, &r), ILB_OK);
        if (it)
            return;
    }
    test_fail(__FILE__, __LINE__, "it was not picked any more");
}

static void end_on(ilb_balancer *b, uint32_t number, ilb_outcome outcome,
                   uint64_t retry_after_ns)
{
    end_after(b, number, US_NS, outcome, retry_after_ns);
}

#define must_last_for(b, number, ns)                                           \
    must_be_within(                                                            \
        (double)(test_stats((b), (number)).ejected_until_ns - clock_.now_ns),  \
        (double)(ns), 1.1 * (double)(ns) + 65536)

START_TEST(it_is_left_alone_until_then)
{
    static const ilb_outcome outcomes[] = {ILB_OVERLOAD, ILB_FAILURE};
    static const uint64_t asked[] = {20 * MS_NS, 3 * S_NS, 50 * S_NS,
                                     200 * S_NS};

    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++) {
            ilb_options o = options();
            ilb_balancer *b = balancer(&o, 4);
            uint64_t until_ns;

            end_on(b, 1, ILB_SUCCESS, 0);
            end_on(b, 1, outcomes[k], asked[i]);
            must_eq(test_stats(b, 1).state, ILB_STATE_EJECTED);
            must_eq(test_stats(b, 1).ejected_by, ILB_DETECTOR_RETRY_AFTER);
            must_last_for(b, 1, asked[i]);
            until_ns = test_stats(b, 1).ejected_until_ns;
            while (clock_.now_ns + asked[i] / 100 < until_ns)
                must(test_request(b, &clock_, asked[i] / 100, ILB_SUCCESS) !=
                     1);
            clock_.now_ns = until_ns;
            /* Then one request first, as after any ejection. */
            must_eq(test_request(b, &clock_, MS_NS, ILB_SUCCESS), 1);
            must_eq(test_stats(b, 1).state, ILB_STATE_WARMING);
            ilb_balancer_free(b);
        }
}
END_TEST

START_TEST(the_longest_is_an_option)
{
    static const struct {
        uint64_t most, asked, really;
    } rows[] = {
        {0, 1000 * S_NS, 300 * S_NS},
        {0, UINT64_MAX, 300 * S_NS},
        {2 * S_NS, 3 * S_NS, 2 * S_NS},
        {2 * S_NS, S_NS, S_NS},
        {1, S_NS, 1},
        {1000 * S_NS, 999 * S_NS, 999 * S_NS},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ilb_options o = options();
        ilb_balancer *b;

        o.max_retry_after_ns = rows[i].most;
        b = balancer(&o, 4);
        end_on(b, 1, ILB_OVERLOAD, rows[i].asked);
        must_last_for(b, 1, rows[i].really);
        ilb_balancer_free(b);
    }
}
END_TEST

/* Callers that are told the same do not return together. */
START_TEST(it_is_longer_by_chance)
{
    double least = 2, most = 0;

    for (uint64_t seed = 1; seed <= 200; seed++) {
        ilb_options o = options();
        ilb_balancer *b;
        double x;

        o.seed = seed;
        b = balancer(&o, 2);
        end_on(b, 1, ILB_OVERLOAD, 10 * S_NS);
        x = (double)(test_stats(b, 1).ejected_until_ns - clock_.now_ns) / 1e10;
        least = x < least ? x : least;
        most = x > most ? x : most;
        ilb_balancer_free(b);
    }
    must_be_within(least, 1, 1.005);
    must_be_within(most, 1.095, 1.1 + 1e-5);
}
END_TEST

START_TEST(a_later_time_counts_and_an_earlier_does_not)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o, 2);
    ilb_ticket late[3];
    uint64_t until_ns;

    for (int i = 0; i < 3;) {
        ilb_ticket t = test_pick(b);

        if (test_number(b, &t) == 1)
            late[i++] = t;
        else
            test_done(b, &t, ILB_SUCCESS);
    }
    for (int i = 0; i < 3; i++) {
        static const uint64_t asked[] = {10 * S_NS, 5 * S_NS, 20 * S_NS};
        ilb_result r = ILB_RESULT_INIT;

        until_ns = test_stats(b, 1).ejected_until_ns;
        r.outcome = ILB_OVERLOAD;
        r.retry_after_ns = asked[i];
        must_eq(ilb_done_with(b, &late[i], &r), ILB_OK);
        if (i == 1)
            must_eq(test_stats(b, 1).ejected_until_ns, until_ns);
        else
            must_last_for(b, 1, asked[i]);
    }
    must_eq(test_stats(b, 1).ejections, 1);
    must_eq(test_stats(b, 1).enforced[ILB_DETECTOR_RETRY_AFTER], 1);
    ilb_balancer_free(b);
}
END_TEST

/* It is not at fault: no ejection is longer for it, and being refused again by
 * the probe makes none longer either. */
START_TEST(it_does_not_climb_the_ladder)
{
    ilb_options o = options();
    ilb_balancer *b;

    o.base_ejection_time_ns = S_NS;
    b = balancer(&o, 4);
    /* The rate must be known, or few requests make it longer. */
    for (int i = 0; i < 20000; i++)
        (void)test_request(b, &clock_, MS_NS, ILB_SUCCESS);
    end_on(b, 1, ILB_OVERLOAD, 100 * MS_NS);
    for (int i = 0; i < 30; i++) {
        while (clock_.now_ns < test_stats(b, 1).ejected_until_ns)
            (void)test_request(b, &clock_, MS_NS, ILB_SUCCESS);
        must_eq(test_request(b, &clock_, MS_NS, ILB_OVERLOAD), 1);
        must_be_within(
            (double)(test_stats(b, 1).ejected_until_ns - clock_.now_ns), 0.9e9,
            1.1e9 + 65536);
        must_eq(test_stats(b, 1).ejected_by, ILB_DETECTOR_RETRY_AFTER);
    }
    ilb_balancer_free(b);
}
END_TEST

START_TEST(only_with_an_outcome_that_can_say_it)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o, 2);

    for (int i = 0; i < ILB_OUTCOME_COUNT; i++) {
        bool can = i == ILB_OVERLOAD || i == ILB_FAILURE;
        ilb_result r = ILB_RESULT_INIT;
        ilb_ticket t = test_pick(b);
        uint32_t number = test_number(b, &t);

        r.outcome = (ilb_outcome)i;
        r.retry_after_ns = 1;
        must_eq(ilb_done_with(b, &t, &r), can ? ILB_OK : ILB_EINVAL);
        must_eq(test_stats(b, number).in_flight, can ? 0 : 1);
        if (!can)
            test_done(b, &t, ILB_SUCCESS);
    }
    ilb_balancer_free(b);
}
END_TEST

/* ---- Many that ask ----------------------------------------------------- */

static ilb_balancer *busy(uint32_t n, ilb_policy policy)
{
    ilb_options o = options();
    ilb_balancer *b;

    o.policy = policy;
    o.base_ejection_time_ns = 60 * S_NS;
    b = balancer(&o, n);
    for (int i = 0; i < 3000; i++)
        (void)test_request(b, &clock_, MS_NS, ILB_SUCCESS);
    return b;
}

/* As soon as it is held back no more. */
static void asks(ilb_balancer *b, uint32_t number, ilb_outcome outcome)
{
    clock_.now_ns += 130 * MS_NS;
    end_after(b, number, MS_NS, outcome, 60 * S_NS);
}

static uint32_t n_refused(const ilb_balancer *b, ilb_reason reason)
{
    ilb_event all[256];
    uint32_t found = 0;
    size_t n;

    must_eq(ilb_balancer_events(b, 0, all, 256, sizeof all[0], &n), ILB_OK);
    for (size_t i = 0; i < n; i++)
        if (all[i].type == ILB_EVENT_EJECT_REFUSED) {
            must_eq(all[i].reason, reason);
            must_eq(all[i].detector, ILB_DETECTOR_RETRY_AFTER);
            must(!all[i].enforced && all[i].statistic >= 10);
            found++;
        }
    return found;
}

/* The first is left alone, and of more than fifteen others; the rest is told
 * once, and gets its requests. */
START_TEST(many_that_ask_are_not_left_alone)
{
    static const uint32_t rows[][2] = {
        {2, 1}, {10, 1}, {15, 1}, {16, 2}, {24, 3}};

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        uint32_t n = rows[k][0], times[24] = {0};
        ilb_balancer *b = busy(n, ILB_POLICY_LEAST_REQUEST);

        for (uint32_t round = 0; round < 2; round++)
            for (uint32_t i = round * rows[k][1]; i < n; i++)
                asks(b, i, ILB_OVERLOAD);
        must_eq(n_refused(b, ILB_REASON_CAPACITY), n - rows[k][1]);
        clock_.now_ns += 130 * MS_NS;
        for (uint32_t i = 0; i < 1000; i++)
            times[test_request(b, &clock_, MS_NS, ILB_SUCCESS)]++;
        for (uint32_t i = 0; i < n; i++) {
            bool out = i < rows[k][1];

            must_eq(test_stats(b, i).ejections, out);
            must_eq(test_stats(b, i).detected[ILB_DETECTOR_RETRY_AFTER], 1);
            must_eq(times[i] == 0, out);
            must(out || times[i] > 500 / n);
        }
        ilb_balancer_free(b);
    }
}
END_TEST

/* Whoever has nothing but refusals for its callers is left alone as well. */
START_TEST(who_only_refuses_is_left_alone_besides)
{
    for (uint32_t good = 0; good <= 1; good++) {
        ilb_balancer *b = busy(10, ILB_POLICY_LEAST_REQUEST);

        asks(b, 0, ILB_OVERLOAD);
        for (uint32_t i = 1; i <= 4; i++) {
            must_eq(test_stats(b, 1).ejections, 0);
            if (good == 1 && i == 3)
                end_after(b, 1, MS_NS, ILB_SUCCESS, 0);
            asks(b, 1, ILB_OVERLOAD);
            clock_.now_ns += i < 4 ? S_NS : 0;
        }
        must_eq(test_stats(b, 1).ejections, good == 0);
        if (good == 0)
            must_last_for(b, 1, 60 * S_NS);
        ilb_balancer_free(b);
    }
}
END_TEST

/* It has been said with a failure, and is then held back as any who refuses. */
START_TEST(many_failures_that_ask)
{
    ilb_balancer *b = busy(10, ILB_POLICY_PEAK_EWMA);

    asks(b, 0, ILB_OVERLOAD);
    asks(b, 1, ILB_FAILURE);
    must_eq(test_stats(b, 1).ejections, 0);
    must_eq(n_refused(b, ILB_REASON_CAPACITY), 1);
    for (int i = 0; i < 49; i++)
        must(test_request(b, &clock_, MS_NS, ILB_SUCCESS) > 1);
    ilb_balancer_free(b);
}
END_TEST

/* ---- Together with the rest -------------------------------------------- */

/* As many as the cap allows are ejected; the next one stays, and others are
 * preferred where there are any. */
START_TEST(it_counts_towards_the_cap)
{
    ilb_options o = options();
    ilb_balancer *b;

    o.policy = ILB_POLICY_PEAK_EWMA;
    o.min_endpoints = 3;
    b = balancer(&o, 4);
    end_on(b, 1, ILB_OVERLOAD, 10 * S_NS);
    end_on(b, 2, ILB_OVERLOAD, 10 * S_NS);
    must_eq(test_stats(b, 1).state, ILB_STATE_EJECTED);
    must(test_stats(b, 2).state != ILB_STATE_EJECTED);
    must_eq(test_stats(b, 2).detected[ILB_DETECTOR_RETRY_AFTER], 1);
    must_eq(test_stats(b, 2).enforced[ILB_DETECTOR_RETRY_AFTER], 0);
    for (int i = 0; i < 99; i++) {
        uint32_t number = test_request(b, &clock_, 100 * MS_NS, ILB_SUCCESS);

        must(number == 0 || number == 3);
    }
    ilb_balancer_free(b);
}
END_TEST

START_TEST(the_last_one_is_asked_all_the_same)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o, 3);

    for (uint32_t i = 0; i < 3; i++)
        end_on(b, i, ILB_OVERLOAD, 10 * S_NS);
    for (int i = 0; i < 50; i++)
        must_eq(test_request(b, &clock_, 100 * MS_NS, ILB_SUCCESS), 2);
    ilb_balancer_free(b);
    o.fail_mode = ILB_FAIL_CLOSED;
    b = balancer(&o, 3);
    for (uint32_t i = 0; i < 3; i++)
        end_on(b, i, ILB_OVERLOAD, 10 * S_NS);
    for (int i = 0; i < 50; i++) {
        ilb_ticket t;

        clock_.now_ns += 100 * MS_NS;
        must_eq(ilb_pick(b, &t, NULL), ILB_EEJECTED);
    }
    ilb_balancer_free(b);
}
END_TEST

START_TEST(it_can_be_off_or_in_shadow)
{
    const uint32_t bit = ILB_DETECTOR_BIT(ILB_DETECTOR_RETRY_AFTER);

    for (int shadow = 0; shadow < 2; shadow++) {
        ilb_options o = options();
        ilb_balancer *b;

        o.detectors_off = shadow ? 0 : bit;
        o.detectors_shadow = shadow ? bit : 0;
        b = balancer(&o, 4);
        for (int i = 0; i < 20; i++)
            end_on(b, 1, ILB_OVERLOAD, 10 * S_NS);
        must_eq(test_stats(b, 1).ejections, 0);
        must_eq(test_stats(b, 1).detected[ILB_DETECTOR_RETRY_AFTER], shadow);
        must_eq(test_stats(b, 1).enforced[ILB_DETECTOR_RETRY_AFTER], 0);
        ilb_balancer_free(b);
    }
}
END_TEST

/* A failure with a time to come back is a failure as well. */
START_TEST(a_failure_that_says_so_still_counts)
{
    ilb_options o = options();
    ilb_balancer *b;

    o.detectors_off = ILB_DETECTOR_BIT(ILB_DETECTOR_RETRY_AFTER);
    b = balancer(&o, 4);
    for (int i = 0; i < 5 && test_stats(b, 1).ejections == 0; i++)
        end_on(b, 1, ILB_FAILURE, S_NS);
    must_eq(test_stats(b, 1).ejections, 1);
    must(test_stats(b, 1).ejected_by != ILB_DETECTOR_RETRY_AFTER);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_overload(void)
{
    Suite *s = suite_create("api overload");
    TCase *tc = test_case(s, "without");

    tcase_add_test(tc, who_only_refuses_attracts_nothing);
    tcase_add_test(tc, a_few_refusals_are_enough);
    tcase_add_test(tc, where_all_refuse_there_is_no_error);
    tc = test_case(s, "with");
    tcase_add_test(tc, it_is_left_alone_until_then);
    tcase_add_test(tc, the_longest_is_an_option);
    tcase_add_test(tc, it_is_longer_by_chance);
    tcase_add_test(tc, a_later_time_counts_and_an_earlier_does_not);
    tcase_add_test(tc, it_does_not_climb_the_ladder);
    tcase_add_test(tc, only_with_an_outcome_that_can_say_it);
    tc = test_case(s, "many that ask");
    tcase_add_test(tc, many_that_ask_are_not_left_alone);
    tcase_add_test(tc, who_only_refuses_is_left_alone_besides);
    tcase_add_test(tc, many_failures_that_ask);
    tc = test_case(s, "together");
    tcase_add_test(tc, it_counts_towards_the_cap);
    tcase_add_test(tc, the_last_one_is_asked_all_the_same);
    tcase_add_test(tc, it_can_be_off_or_in_shadow);
    tcase_add_test(tc, a_failure_that_says_so_still_counts);
    return s;
}
