/* SPDX-License-Identifier: MIT */
/* Health checks and probes that the caller makes himself. */
#include "suites.h"
#include "util.h"

static test_clock clock_ = TEST_CLOCK_INIT;

static ilb_options options(void)
{
    return test_options(&clock_, ILB_POLICY_RANDOM, 1);
}

static ilb_balancer *balancer(const ilb_options *o)
{
    ilb_balancer *b = test_new(o);

    test_update(b, 0, 4);
    return b;
}

static void check(ilb_balancer *b, uint32_t number, int passed, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        must_eq(ilb_balancer_report_check(b, test_address(number), passed, 0),
                ILB_OK);
}

/* Good requests of 1 ms, until then. Returns how many number 1 had. */
static uint32_t serve(ilb_balancer *b, uint64_t until_ns)
{
    uint32_t times = 0;

    while (clock_.now_ns + MS_NS < until_ns)
        times += test_request(b, &clock_, MS_NS, ILB_SUCCESS) == 1;
    clock_.now_ns = until_ns > clock_.now_ns ? until_ns : clock_.now_ns;
    return times;
}

/* Ejects number 1 by its requests. */
static void eject(ilb_balancer *b)
{
    (void)serve(b, clock_.now_ns + 15 * S_NS);
    while (test_stats(b, 1).state != ILB_STATE_EJECTED) {
        ilb_ticket t = test_pick(b);
        bool it = test_number(b, &t) == 1;

        clock_.now_ns += MS_NS;
        test_done(b, &t, it ? ILB_FAILURE : ILB_SUCCESS);
    }
}

static bool is(ilb_balancer *b, ilb_state state)
{
    return test_stats(b, 1).state == state;
}

/* ---- Checks that fail -------------------------------------------------- */

START_TEST(so_many_that_failed_eject)
{
    for (uint32_t threshold = 0; threshold <= 5; threshold++) {
        uint32_t really = threshold == 0 ? 3 : threshold;
        ilb_options o = options();
        ilb_balancer *b;

        o.unhealthy_threshold = threshold;
        b = balancer(&o);
        if (really > 1) {
            check(b, 1, 0, really - 1);
            check(b, 1, 1, 1);
            check(b, 1, 0, really - 1);
        }
        must(!is(b, ILB_STATE_EJECTED));
        check(b, 1, 0, 1);
        must(is(b, ILB_STATE_EJECTED));
        must_eq(test_stats(b, 1).ejected_by, ILB_DETECTOR_PROBE);
        must_eq(test_stats(b, 1).ejections, 1);
        must_eq(test_stats(b, 1).enforced[ILB_DETECTOR_PROBE], 1);
        check(b, 1, 0, 10);
        must_eq(test_stats(b, 1).ejections, 1);
        ilb_balancer_free(b);
    }
}
END_TEST

/* As long as they go on failing, however rarely they are made; and twice their
 * distance after the last one. */
START_TEST(while_they_fail_it_stays_away)
{
    static const uint64_t gaps[] = {S_NS / 10, S_NS, 7 * S_NS, 30 * S_NS};

    for (int g = 0; g < 4; g++) {
        ilb_options o = options();
        ilb_balancer *b = balancer(&o);
        uint64_t lease_ns = gaps[g] * 2 < 5 * S_NS ? 5 * S_NS : gaps[g] * 2;

        for (int i = 0; i < 3; i++) {
            (void)serve(b, clock_.now_ns + gaps[g]);
            check(b, 1, 0, 1);
        }
        for (int i = 0; i < 20; i++) {
            must_eq(serve(b, clock_.now_ns + gaps[g]), 0);
            check(b, 1, 0, 1);
        }
        must_be_within(test_stats(b, 1).ejected_until_ns - clock_.now_ns,
                       lease_ns, lease_ns + 65536);
        must_eq(serve(b, clock_.now_ns + lease_ns - MS_NS), 0);
        (void)serve(b, clock_.now_ns + 5 * MS_NS);
        must(!is(b, ILB_STATE_EJECTED));
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(they_keep_away_whoever_was_ejected_for_its_requests)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o);

    eject(b);
    for (int i = 0; i < 30; i++) {
        check(b, 1, 0, 1);
        must_eq(serve(b, clock_.now_ns + S_NS), 0);
    }
    must_eq(test_stats(b, 1).ejections, 1);
    must(test_stats(b, 1).ejected_by != ILB_DETECTOR_PROBE);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(the_cap_is_for_checks_too)
{
    ilb_options o = options();
    ilb_balancer *b;

    o.min_endpoints = 3;
    b = balancer(&o);
    check(b, 1, 0, 3);
    check(b, 2, 0, 3);
    must_eq(test_stats(b, 1).state, ILB_STATE_EJECTED);
    must_eq(test_stats(b, 2).state, ILB_STATE_WARMING);
    must_eq(test_stats(b, 2).detected[ILB_DETECTOR_PROBE], 1);
    /* When there is a place the next one that fails takes it. */
    check(b, 1, 1, 2);
    check(b, 2, 0, 1);
    must_eq(test_stats(b, 2).state, ILB_STATE_EJECTED);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(off_and_in_shadow_they_eject_nobody)
{
    for (int shadow = 0; shadow < 2; shadow++) {
        ilb_options o = options();
        ilb_balancer *b;

        if (shadow)
            o.detectors_shadow = ILB_DETECTOR_BIT(ILB_DETECTOR_PROBE);
        else
            o.detectors_off = ILB_DETECTOR_BIT(ILB_DETECTOR_PROBE);
        b = balancer(&o);
        check(b, 1, 0, 20);
        must(!is(b, ILB_STATE_EJECTED));
        must_eq(test_stats(b, 1).detected[ILB_DETECTOR_PROBE], shadow);
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(who_is_not_ready_is_not_ejected)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o);

    must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_NOT_READY),
            ILB_OK);
    check(b, 1, 0, 20);
    must_eq(test_stats(b, 1).ejections, 0);
    /* What failed before it was away says nothing of it now. */
    must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_READY), ILB_OK);
    check(b, 1, 0, 2);
    must(!is(b, ILB_STATE_EJECTED));
    check(b, 1, 0, 1);
    must(is(b, ILB_STATE_EJECTED));
    ilb_balancer_free(b);
}
END_TEST

/* ---- Checks that pass -------------------------------------------------- */

START_TEST(what_checks_ejected_they_return)
{
    for (uint32_t threshold = 0; threshold <= 4; threshold++) {
        uint32_t really = threshold == 0 ? 2 : threshold;
        ilb_options o = options();
        ilb_balancer *b;

        o.healthy_threshold = threshold;
        b = balancer(&o);
        check(b, 1, 0, 3);
        if (really > 1) {
            check(b, 1, 1, really - 1);
            check(b, 1, 0, 1);
            check(b, 1, 1, really - 1);
        }
        must(is(b, ILB_STATE_EJECTED));
        check(b, 1, 1, 1);
        must(is(b, ILB_STATE_WARMING));
        must(serve(b, clock_.now_ns + S_NS) > 100);
        ilb_balancer_free(b);
    }
}
END_TEST

/* A check that has always passed is no news of an endpoint whose requests
 * fail: the ladder is climbed as without. */
START_TEST(a_check_that_always_passes_says_nothing)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o);
    uint64_t until_ns;

    check(b, 1, 1, 5);
    eject(b);
    until_ns = test_stats(b, 1).ejected_until_ns;
    for (int i = 0; i < 4; i++) {
        check(b, 1, 1, 3);
        must_eq(test_stats(b, 1).ejected_until_ns, until_ns);
        must_eq(serve(b, clock_.now_ns + S_NS), 0);
    }
    ilb_balancer_free(b);
}
END_TEST

/* One that failed meanwhile and passes again is: a request tries it now. */
START_TEST(a_check_that_passes_again_makes_it_due)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o);

    eject(b);
    check(b, 1, 0, 1);
    check(b, 1, 1, 1);
    must_eq(serve(b, clock_.now_ns + 100 * MS_NS), 0);
    check(b, 1, 1, 1);
    must(is(b, ILB_STATE_EJECTED));
    clock_.now_ns += MS_NS;
    must_eq(test_request(b, &clock_, MS_NS, ILB_FAILURE), 1);
    must(is(b, ILB_STATE_EJECTED));
    /* That was the news. */
    check(b, 1, 1, 10);
    must_eq(serve(b, clock_.now_ns + 4 * S_NS), 0);
    check(b, 1, 0, 1);
    check(b, 1, 1, 2);
    clock_.now_ns += MS_NS;
    must_eq(test_request(b, &clock_, MS_NS, ILB_SUCCESS), 1);
    must(is(b, ILB_STATE_WARMING));
    ilb_balancer_free(b);
}
END_TEST

START_TEST(checks_that_do_what_requests_do_return_it)
{
    ilb_options o = options();
    ilb_balancer *b;

    o.check_effect = ILB_CHECK_UNEJECTS;
    b = balancer(&o);
    check(b, 1, 1, 5);
    eject(b);
    /* Those from before the ejection do not count. */
    check(b, 1, 1, 1);
    must(is(b, ILB_STATE_EJECTED));
    check(b, 1, 1, 1);
    must(is(b, ILB_STATE_WARMING));
    ilb_balancer_free(b);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o);
    ilb_ticket t;

    must_eq(ilb_balancer_report_check(NULL, "a", 1, 0), ILB_EINVAL);
    must_eq(ilb_balancer_report_check(b, NULL, 1, 0), ILB_EINVAL);
    must_eq(ilb_balancer_report_check(b, "nobody", 1, 0), ILB_ENOTFOUND);
    must_eq(ilb_probe_next(NULL, &t, 0), ILB_EINVAL);
    must_eq(ilb_probe_next(b, NULL, 0), ILB_EINVAL);
    must(ilb_probe_due_ns(NULL) == UINT64_MAX);
    ilb_balancer_free(b);
}
END_TEST

/* Becoming ready begins the count anew, and ends an ejection. */
START_TEST(becoming_ready_forgets_checks)
{
    static const ilb_readiness away[] = {ILB_NOT_READY, ILB_DRAINING};

    for (int k = 0; k < 2; k++) {
        ilb_options o = options();
        ilb_balancer *b = balancer(&o);
        ilb_endpoint all[4];

        check(b, 1, 0, 2);
        must_eq(ilb_balancer_set_readiness(b, test_address(1), away[k]),
                ILB_OK);
        check(b, 1, 0, 5);
        must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_READY),
                ILB_OK);
        check(b, 1, 0, 2);
        must(is(b, ILB_STATE_WARMING));
        check(b, 1, 0, 1);
        must(is(b, ILB_STATE_EJECTED));
        /* By an update as well. */
        test_endpoints(all, 0, 4);
        all[1].readiness = away[k];
        must_eq(ilb_balancer_update(b, all, 4), ILB_OK);
        test_update(b, 0, 4);
        must(is(b, ILB_STATE_WARMING));
        check(b, 1, 0, 2);
        must(is(b, ILB_STATE_WARMING));
        check(b, 1, 0, 1);
        must(is(b, ILB_STATE_EJECTED));
        must_eq(test_stats(b, 1).ejections, 2);
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(saying_ready_again_changes_nothing)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o);

    check(b, 1, 0, 2);
    must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_READY), ILB_OK);
    check(b, 1, 0, 1);
    must(is(b, ILB_STATE_EJECTED));
    must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_READY), ILB_OK);
    test_update(b, 0, 4);
    must(is(b, ILB_STATE_EJECTED));
    ilb_balancer_free(b);
}
END_TEST

/* ---- Probes of one's own ----------------------------------------------- */

START_TEST(a_probe_is_handed_out_when_it_is_due)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o);
    uint64_t due_ns;
    ilb_ticket t, other;

    must_eq(ilb_probe_next(b, &t, 0), ILB_ENOTDUE);
    must(ilb_probe_due_ns(b) == UINT64_MAX);
    eject(b);
    must_eq(ilb_probe_next(b, &t, 0), ILB_ENOTDUE);
    due_ns = test_stats(b, 1).ejected_until_ns;
    /* By then, or 5 s after the call: an ejection of 5 s lasts up to 5.5. */
    must_eq(ilb_probe_due_ns(b), due_ns < clock_.now_ns + 5 * S_NS
                                     ? due_ns
                                     : clock_.now_ns + 5 * S_NS);
    must_eq(ilb_probe_next(b, &t, due_ns - 1), ILB_ENOTDUE);
    clock_.now_ns = due_ns;
    must_eq(ilb_probe_next(b, &t, 0), ILB_OK);
    must_eq(test_number(b, &t), 1);
    must(is(b, ILB_STATE_PROBING));
    must_eq(test_stats(b, 1).in_flight, 1);
    must_eq(ilb_probe_next(b, &other, 0), ILB_ENOTDUE);
    test_done(b, &t, ILB_FAILURE);
    must(is(b, ILB_STATE_EJECTED));
    clock_.now_ns = test_stats(b, 1).ejected_until_ns;
    must_eq(ilb_probe_next(b, &t, 0), ILB_OK);
    test_done(b, &t, ILB_SUCCESS);
    must(is(b, ILB_STATE_WARMING));
    must_eq(ilb_probe_next(b, &t, 0), ILB_ENOTDUE);
    ilb_balancer_free(b);
}
END_TEST

/* While the caller probes, no request of a user is one. */
START_TEST(requests_are_spared)
{
    ilb_options o = options();
    ilb_balancer *b = balancer(&o);
    uint32_t probes = 0;

    eject(b);
    for (int i = 0; i < 120; i++) {
        ilb_ticket t;

        must_eq(serve(b, clock_.now_ns + S_NS), 0);
        if (ilb_probe_next(b, &t, 0) == ILB_OK) {
            probes++;
            must_eq(test_number(b, &t), 1);
            clock_.now_ns += MS_NS;
            test_done(b, &t, ILB_FAILURE);
        }
    }
    must_be_within(probes, 5, 25);
    /* It is tried by requests when the caller has stopped, but not sooner. */
    must_eq(serve(b, clock_.now_ns + 9 * S_NS), 0);
    must(serve(b, clock_.now_ns + 30 * S_NS) > 100);
    must(is(b, ILB_STATE_HEALTHY));
    ilb_balancer_free(b);
}
END_TEST

/* A caller who probes whenever ilb_probe_due_ns says so, and asks it after each
 * request, is called seldom and spares all of them; however long an ejection
 * lasts. */
START_TEST(when_to_call_is_often_enough)
{
    ilb_options o = options();
    uint32_t probes = 0, calls = 1;
    uint64_t end_ns;
    ilb_balancer *b;
    ilb_ticket t;

    o.base_ejection_time_ns = 30 * S_NS;
    b = balancer(&o);
    must_eq(ilb_probe_next(b, &t, 0), ILB_ENOTDUE);
    must(ilb_probe_due_ns(b) == UINT64_MAX);
    clock_.now_ns += 60 * S_NS;
    eject(b);
    for (end_ns = clock_.now_ns + 600 * S_NS; clock_.now_ns < end_ns;) {
        /* Timers are late, by up to 2 s here. */
        uint64_t late_ns = calls % 5 * 500 * MS_NS;

        if (clock_.now_ns < late_ns ||
            ilb_probe_due_ns(b) > clock_.now_ns - late_ns) {
            must_eq(serve(b, clock_.now_ns + 10 * MS_NS), 0);
            continue;
        }
        calls++;
        if (ilb_probe_next(b, &t, 0) != ILB_OK)
            continue;
        probes++;
        clock_.now_ns += MS_NS;
        test_done(b, &t, ILB_FAILURE);
    }
    must_be_within(probes, 5, 20);
    /* A search is made again after a second (health/probe.h). */
    must_be_within(calls, 60, 600);
    /* One that answers is back, and nothing is due. */
    while (ilb_probe_next(b, &t, 0) != ILB_OK)
        clock_.now_ns += S_NS;
    test_done(b, &t, ILB_SUCCESS);
    must(ilb_probe_due_ns(b) == UINT64_MAX);
    ilb_balancer_free(b);
}
END_TEST

/* Several are due at once: each is handed out once. */
START_TEST(each_that_is_due_is_handed_out_once)
{
    ilb_options o = options();
    uint32_t seen = 0;
    ilb_balancer *b;
    ilb_ticket t;

    b = balancer(&o);
    for (uint32_t i = 0; i < 3; i++)
        check(b, i, 0, 3);
    clock_.now_ns += 60 * S_NS;
    for (int i = 0; i < 3; i++) {
        must_eq(ilb_probe_next(b, &t, 0), ILB_OK);
        seen |= 1u << test_number(b, &t);
    }
    must_eq(seen, 7);
    must_eq(ilb_probe_next(b, &t, 0), ILB_ENOTDUE);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(closed_heals_by_probes_of_ones_own)
{
    ilb_options o = options();
    ilb_balancer *b;
    uint32_t number;
    ilb_ticket t;

    o.fail_mode = ILB_FAIL_CLOSED;
    o.consecutive_failures = 1;
    b = balancer(&o);
    for (int i = 0; i < 4; i++)
        (void)test_request(b, &clock_, MS_NS, ILB_FAILURE);
    must_eq(ilb_pick(b, &t, NULL), ILB_EEJECTED);
    for (int i = 0; ilb_probe_next(b, &t, 0) == ILB_ENOTDUE; i++) {
        ilb_ticket other;

        must(i < 300);
        must_eq(ilb_pick(b, &other, NULL), ILB_EEJECTED);
        clock_.now_ns += S_NS;
    }
    number = test_number(b, &t);
    test_done(b, &t, ILB_SUCCESS);
    must_eq(test_stats(b, number).state, ILB_STATE_WARMING);
    must_eq(ilb_pick(b, &t, NULL), ILB_OK);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_checks(void)
{
    Suite *s = suite_create("api checks");
    TCase *tc = test_case(s, "failed");

    tcase_add_test(tc, so_many_that_failed_eject);
    tcase_add_test(tc, while_they_fail_it_stays_away);
    tcase_add_test(tc, they_keep_away_whoever_was_ejected_for_its_requests);
    tcase_add_test(tc, the_cap_is_for_checks_too);
    tcase_add_test(tc, off_and_in_shadow_they_eject_nobody);
    tcase_add_test(tc, who_is_not_ready_is_not_ejected);
    tc = test_case(s, "passed");
    tcase_add_test(tc, what_checks_ejected_they_return);
    tcase_add_test(tc, a_check_that_always_passes_says_nothing);
    tcase_add_test(tc, a_check_that_passes_again_makes_it_due);
    tcase_add_test(tc, checks_that_do_what_requests_do_return_it);
    tcase_add_test(tc, bad_arguments_are_refused);
    tcase_add_test(tc, becoming_ready_forgets_checks);
    tcase_add_test(tc, saying_ready_again_changes_nothing);
    tc = test_case(s, "probes");
    tcase_add_test(tc, a_probe_is_handed_out_when_it_is_due);
    tcase_add_test(tc, requests_are_spared);
    tcase_add_test(tc, when_to_call_is_often_enough);
    tcase_add_test(tc, each_that_is_due_is_handed_out_once);
    tcase_add_test(tc, closed_heals_by_probes_of_ones_own);
    return s;
}
