/* SPDX-License-Identifier: MIT */
/* Detectors: switched off, in shadow, and who it was. */
#include "suites.h"
#include "util.h"

#define ROW ILB_DETECTOR_BIT(ILB_DETECTOR_CONSECUTIVE_FAILURES)
#define BROKEN ILB_DETECTOR_BIT(ILB_DETECTOR_FAILURE_PERCENTAGE)
#define FAULTY ILB_DETECTOR_BIT(ILB_DETECTOR_SUCCESS_RATE)

static test_clock clock_ = TEST_CLOCK_INIT;

static ilb_balancer *balancer(uint32_t off, uint32_t shadow)
{
    ilb_options o = test_options(&clock_, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b;

    o.detectors_off = off;
    o.detectors_shadow = shadow;
    b = test_new(&o);
    test_update(b, 0, 4);
    return b;
}

/* Requests of 1 ms until number 1 has had one. */
static void end_one(ilb_balancer *b, ilb_outcome outcome)
{
    for (int i = 0; i < 2000; i++) {
        ilb_ticket t = test_pick(b);
        bool it = test_number(b, &t) == 1;

        clock_.now_ns += MS_NS;
        test_done(b, &t, it ? outcome : ILB_SUCCESS);
        if (it)
            return;
    }
    test_fail(__FILE__, __LINE__, "it was not picked any more");
}

/* After how many failures it is ejected; every `good_every`-th request of it
 * succeeds (0: none). 0: it is not, in 200. */
static uint32_t failures_to_eject(ilb_balancer *b, uint32_t good_every)
{
    for (uint32_t n = 1; n <= 200; n++) {
        end_one(b, good_every != 0 && n % good_every == 0 ? ILB_SUCCESS
                                                          : ILB_FAILURE);
        if (test_stats(b, 1).state == ILB_STATE_EJECTED)
            return n;
    }
    return 0;
}

/* Its peers have had about a dozen good answers by then, p0 = 0.5 / 212: to the
 * sum for one that is broken each failure adds 5.4 of 16, to the other 3.0 of
 * 18. */
START_TEST(each_alone_ejects)
{
    static const struct {
        uint32_t off;
        ilb_detector by;
        uint32_t least, most;
    } rows[] = {
        {0, ILB_DETECTOR_FAILURE_PERCENTAGE, 3, 4},
        {FAULTY, ILB_DETECTOR_FAILURE_PERCENTAGE, 3, 4},
        {BROKEN, ILB_DETECTOR_CONSECUTIVE_FAILURES, 5, 5},
        {BROKEN | FAULTY, ILB_DETECTOR_CONSECUTIVE_FAILURES, 5, 5},
        {ROW, ILB_DETECTOR_FAILURE_PERCENTAGE, 3, 4},
        {ROW | FAULTY, ILB_DETECTOR_FAILURE_PERCENTAGE, 3, 4},
        {ROW | BROKEN, ILB_DETECTOR_SUCCESS_RATE, 6, 7},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ilb_balancer *b = balancer(rows[i].off, 0);
        ilb_endpoint_stats s;

        must_be_within(failures_to_eject(b, 0), rows[i].least, rows[i].most);
        s = test_stats(b, 1);
        must_eq(s.ejected_by, rows[i].by);
        must_eq(s.ejections, 1);
        for (int d = 0; d < ILB_DETECTOR_COUNT; d++) {
            must_eq(s.detected[d], d == (int)rows[i].by);
            must_eq(s.enforced[d], d == (int)rows[i].by);
        }
        must_eq(test_stats(b, 0).ejected_by, ILB_DETECTOR_NONE);
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(all_off_eject_nothing)
{
    ilb_balancer *b = balancer(ROW | BROKEN | FAULTY, 0);

    must_eq(failures_to_eject(b, 0), 0);
    for (int d = 0; d < ILB_DETECTOR_COUNT; d++)
        must_eq(test_stats(b, 1).detected[d], 0);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(never_switches_all_off)
{
    ilb_options o = test_options(&clock_, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b;

    o.consecutive_failures = ILB_NEVER;
    b = test_new(&o);
    test_update(b, 0, 4);
    must_eq(failures_to_eject(b, 0), 0);
    for (int d = 0; d < ILB_DETECTOR_COUNT; d++)
        must_eq(test_stats(b, 1).detected[d], 0);
    ilb_balancer_free(b);
}
END_TEST

/* It says so once in base_ejection_time_ns, as often as it would have ejected,
 * and the endpoint keeps its traffic. */
START_TEST(in_shadow_it_says_and_does_not_act)
{
    static const uint32_t masks[] = {ROW, BROKEN, FAULTY};
    static const ilb_detector detectors[] = {ILB_DETECTOR_CONSECUTIVE_FAILURES,
                                             ILB_DETECTOR_FAILURE_PERCENTAGE,
                                             ILB_DETECTOR_SUCCESS_RATE};

    for (int i = 0; i < 3; i++) {
        uint32_t rest = (ROW | BROKEN | FAULTY) & ~masks[i];
        ilb_balancer *b = balancer(rest, masks[i]);
        ilb_endpoint_stats s;

        must_eq(failures_to_eject(b, 0), 0);
        s = test_stats(b, 1);
        must_eq(s.ejections, 0);
        for (int d = 0; d < ILB_DETECTOR_COUNT; d++) {
            must_eq(s.detected[d], d == (int)detectors[i]);
            must_eq(s.enforced[d], 0);
        }
        must_eq(test_stats(b, 2).detected[detectors[i]], 0);
        for (int k = 0; k < 3; k++) {
            clock_.now_ns += 13 * S_NS;
            end_one(b, ILB_FAILURE);
            end_one(b, ILB_FAILURE);
        }
        must_eq(test_stats(b, 1).detected[detectors[i]], 4);
        ilb_balancer_free(b);
    }
}
END_TEST

/* What one in shadow says does not keep another from acting. */
START_TEST(in_shadow_it_is_not_in_the_way)
{
    ilb_balancer *b = balancer(0, BROKEN);
    ilb_endpoint_stats s;

    must_eq(failures_to_eject(b, 0), 5);
    s = test_stats(b, 1);
    must_eq(s.ejected_by, ILB_DETECTOR_CONSECUTIVE_FAILURES);
    must_eq(s.detected[ILB_DETECTOR_FAILURE_PERCENTAGE], 1);
    must_eq(s.enforced[ILB_DETECTOR_FAILURE_PERCENTAGE], 0);
    must_eq(s.detected[ILB_DETECTOR_CONSECUTIVE_FAILURES], 1);
    must_eq(s.enforced[ILB_DETECTOR_CONSECUTIVE_FAILURES], 1);
    ilb_balancer_free(b);
}
END_TEST

/* Refused by the cap: detected, and not enforced. */
START_TEST(what_the_cap_refuses_is_counted)
{
    ilb_options o = test_options(&clock_, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b;

    o.min_endpoints = 4;
    b = test_new(&o);
    test_update(b, 0, 4);
    must_eq(failures_to_eject(b, 0), 0);
    must_eq(test_stats(b, 1).detected[ILB_DETECTOR_CONSECUTIVE_FAILURES], 1);
    must_eq(test_stats(b, 1).enforced[ILB_DETECTOR_CONSECUTIVE_FAILURES], 0);
    must_eq(test_stats(b, 1).ejections, 0);
    ilb_balancer_free(b);
}
END_TEST

/* The slot of one that has left starts afresh for the next endpoint. */
START_TEST(a_new_endpoint_has_no_past)
{
    ilb_balancer *b = balancer(0, 0);

    must(failures_to_eject(b, 0) > 0);
    test_update(b, 10, 4);
    test_update(b, 20, 4);
    test_update(b, 30, 4);
    for (uint32_t i = 30; i < 34; i++) {
        ilb_endpoint_stats s = test_stats(b, i);

        must_eq(s.ejected_by, ILB_DETECTOR_NONE);
        for (int d = 0; d < ILB_DETECTOR_COUNT; d++)
            must_eq(s.detected[d] + s.enforced[d], 0);
    }
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_detectors(void)
{
    Suite *s = suite_create("api detectors");
    TCase *tc = test_case(s, "detectors");

    tcase_add_test(tc, each_alone_ejects);
    tcase_add_test(tc, all_off_eject_nothing);
    tcase_add_test(tc, never_switches_all_off);
    tcase_add_test(tc, in_shadow_it_says_and_does_not_act);
    tcase_add_test(tc, in_shadow_it_is_not_in_the_way);
    tcase_add_test(tc, what_the_cap_refuses_is_counted);
    tcase_add_test(tc, a_new_endpoint_has_no_past);
    return s;
}
