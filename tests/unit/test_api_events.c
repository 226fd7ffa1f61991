/* SPDX-License-Identifier: MIT */
/* Events: what is told of, with which evidence, and how it is read. */
#include "suites.h"
#include "util.h"

/* The one event after a number. */
static const ilb_event *the_event(const ilb_balancer *b, uint64_t after)
{
    must_eq(test_events_read(b, after), 1);
    return &test_events[0];
}

static void is_about(const ilb_event *e, uint32_t number, ilb_event_type type,
                     ilb_state from, ilb_state to)
{
    must_str(e->address, test_address(number));
    must_str(ilb_event_type_name(e->type), ilb_event_type_name(type));
    must_str(ilb_state_name(e->from), ilb_state_name(from));
    must_str(ilb_state_name(e->to), ilb_state_name(to));
}

/* Requests that end at once, until `n` have gone to a pod. */
static void end_for(ilb_balancer *b, test_clock *clock, uint32_t pod,
                    uint32_t n, ilb_outcome outcome)
{
    while (n > 0) {
        ilb_ticket t = test_pick(b);
        bool it = test_number(b, &t) == pod;

        /* A timeout takes longer than an answer. */
        clock->now_ns += it && outcome == ILB_TIMEOUT ? S_NS : 20 * MS_NS;
        test_done(b, &t, it ? outcome : ILB_SUCCESS);
        n -= it;
    }
}

/* ---- What is told ------------------------------------------------------ */

START_TEST(the_list_is_told)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b = test_new(&o);
    uint64_t last;

    must_eq(test_events_read(b, 0), 0);
    test_update(b, 0, 3);
    must_eq(test_events_read(b, 0), 3);
    for (uint32_t i = 0; i < 3; i++) {
        is_about(&test_events[i], i, ILB_EVENT_ENTERED, ILB_STATE_WARMING,
                 ILB_STATE_WARMING);
        must_eq(test_events[i].number, i + 1);
        must_eq(test_events[i].time_ns, clock.now_ns);
        must_eq(test_events[i].enforced, 1);
        must_eq(test_events[i].detector, ILB_DETECTOR_NONE);
    }
    test_update(b, 0, 3); /* the same list: nothing happens */
    must_eq(test_events_read(b, 3), 0);
    clock.now_ns += S_NS;
    test_update(b, 1, 3);
    must_eq(test_events_read(b, 3), 2);
    is_about(&test_events[0], 3, ILB_EVENT_ENTERED, ILB_STATE_WARMING,
             ILB_STATE_WARMING);
    is_about(&test_events[1], 0, ILB_EVENT_LEFT, ILB_STATE_WARMING,
             ILB_STATE_DRAINING);
    must_eq(test_events[1].time_ns, clock.now_ns);
    last = test_events[1].number;
    must_eq(ilb_balancer_set_readiness(b, test_address(2), ILB_NOT_READY),
            ILB_OK);
    is_about(the_event(b, last++), 2, ILB_EVENT_READINESS, ILB_STATE_WARMING,
             ILB_STATE_NOT_READY);
    must_eq(ilb_balancer_set_readiness(b, test_address(2), ILB_NOT_READY),
            ILB_OK);
    must_eq(test_events_read(b, last), 0);
    must_eq(ilb_balancer_set_readiness(b, test_address(2), ILB_DRAINING),
            ILB_OK);
    is_about(the_event(b, last++), 2, ILB_EVENT_READINESS, ILB_STATE_NOT_READY,
             ILB_STATE_DRAINING);
    test_update(b, 1, 3); /* the list has the last word */
    is_about(the_event(b, last++), 2, ILB_EVENT_READINESS, ILB_STATE_DRAINING,
             ILB_STATE_WARMING);
    ilb_balancer_free(b);
}
END_TEST

/* One that is listed but not ready, and one that comes back while a request is
 * still in flight to it. */
START_TEST(who_enters_has_the_state_of_its_readiness)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b = test_new(&o);
    ilb_endpoint e[1];
    ilb_ticket t;

    test_endpoints(e, 7, 1);
    e[0].readiness = ILB_DRAINING;
    must_eq(ilb_balancer_update(b, e, 1), ILB_OK);
    is_about(the_event(b, 0), 7, ILB_EVENT_ENTERED, ILB_STATE_DRAINING,
             ILB_STATE_DRAINING);
    e[0].readiness = ILB_READY;
    must_eq(ilb_balancer_update(b, e, 1), ILB_OK);
    is_about(the_event(b, 1), 7, ILB_EVENT_READINESS, ILB_STATE_DRAINING,
             ILB_STATE_WARMING);
    t = test_pick(b);
    must_eq(ilb_balancer_update(b, e, 0), ILB_OK);
    is_about(the_event(b, 2), 7, ILB_EVENT_LEFT, ILB_STATE_WARMING,
             ILB_STATE_DRAINING);
    must_eq(ilb_balancer_update(b, e, 1), ILB_OK);
    is_about(the_event(b, 3), 7, ILB_EVENT_ENTERED, ILB_STATE_WARMING,
             ILB_STATE_WARMING);
    test_done(b, &t, ILB_SUCCESS);
    must_eq(test_events_last(b), 4);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(an_update_that_is_refused_tells_nothing)
{
    ilb_balancer *b = test_new(NULL);
    ilb_endpoint e[2];

    test_endpoints(e, 0, 2);
    e[1].address = e[0].address;
    must_eq(ilb_balancer_update(b, e, 2), ILB_EDUPLICATE);
    must_eq(ilb_balancer_set_readiness(b, "nobody", ILB_NOT_READY),
            ILB_ENOTFOUND);
    must_eq(test_events_read(b, 0), 0);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(an_ejection_by_failures_in_a_row_has_its_evidence)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    const ilb_event *e;
    ilb_balancer *b;
    uint64_t last;

    o.consecutive_failures = 2;
    b = test_new(&o);
    test_update(b, 0, 4);
    end_for(b, &clock, 1, 30, ILB_SUCCESS);
    last = test_events_last(b);
    end_for(b, &clock, 1, 1, ILB_FAILURE);
    must_eq(test_events_read(b, last), 0);
    end_for(b, &clock, 1, 1, ILB_TIMEOUT);
    e = the_event(b, last);
    is_about(e, 1, ILB_EVENT_EJECT, ILB_STATE_HEALTHY, ILB_STATE_EJECTED);
    must_eq(e->time_ns, clock.now_ns);
    must_eq(e->detector, ILB_DETECTOR_CONSECUTIVE_FAILURES);
    must_eq(e->reason, ILB_REASON_NONE);
    must_eq(e->enforced, 1);
    must_be_within(e->statistic, 2, 2);
    must_be_within(e->threshold, 2, 2);
    must_eq(e->requests, 2);
    must_eq(e->failures, 2);
    must_eq(e->ejections, 1);
    must_eq(e->until_ns, test_stats(b, 1).ejected_until_ns);
    ilb_balancer_free(b);
}
END_TEST

/* Every other request fails, so never many in a row: the sums tell. */
static void fail_a_share(uint32_t of_10, ilb_detector detector, double low)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 3);
    uint32_t failed = 0, since = 0;
    const ilb_event *e;
    ilb_balancer *b;
    uint64_t last;

    o.consecutive_failures = 100;
    b = test_new(&o);
    test_update(b, 0, 5);
    end_for(b, &clock, 1, 400, ILB_SUCCESS);
    last = test_events_last(b);
    while (test_events_read(b, last) == 0) {
        /* The run of evidence begins with a failure. */
        bool fails = since * of_10 % 10 < of_10;

        end_for(b, &clock, 1, 1, fails ? ILB_FAILURE : ILB_SUCCESS);
        failed += fails;
        since++;
        must(since < 1000);
    }
    e = the_event(b, last);
    is_about(e, 1, ILB_EVENT_EJECT, ILB_STATE_HEALTHY, ILB_STATE_EJECTED);
    must_str(ilb_detector_name(e->detector), ilb_detector_name(detector));
    must(e->statistic >= e->threshold);
    must_be_within(e->threshold, low, low + 8);
    must_eq(e->requests, since);
    must_eq(e->failures, failed);
    ilb_balancer_free(b);
}

START_TEST(an_ejection_by_half_that_fails_has_its_evidence)
{
    fail_a_share(5, ILB_DETECTOR_FAILURE_PERCENTAGE, 16);
}
END_TEST

START_TEST(an_ejection_by_more_failures_than_peers_has_its_evidence)
{
    fail_a_share(1, ILB_DETECTOR_SUCCESS_RATE, 18);
}
END_TEST

START_TEST(the_way_back_is_told)
{
    test_ejected *f = test_ejected_new(4, 1);
    uint64_t last = test_events_last(f->b);
    ilb_ticket t = test_ejected_probe(f);
    const ilb_event *e = the_event(f->b, last++);

    is_about(e, 1, ILB_EVENT_PROBE_STARTED, ILB_STATE_EJECTED,
             ILB_STATE_PROBING);
    must_eq(e->time_ns, f->clock.now_ns);
    must_eq(e->until_ns, test_stats(f->b, 1).ejected_until_ns);
    must(e->until_ns > f->clock.now_ns);
    f->clock.now_ns += S_NS;
    test_done(f->b, &t, ILB_TIMEOUT);
    e = the_event(f->b, last++);
    is_about(e, 1, ILB_EVENT_PROBE_FAILED, ILB_STATE_PROBING,
             ILB_STATE_EJECTED);
    must_eq(e->until_ns, test_stats(f->b, 1).ejected_until_ns);
    must_eq(e->ejections, 2);
    must_eq(e->detector, ILB_DETECTOR_NONE);
    must_eq(e->requests, 0);
    t = test_ejected_probe(f);
    f->clock.now_ns += MS_NS;
    test_done(f->b, &t, ILB_SUCCESS);
    must_eq(test_events_read(f->b, last++), 2);
    last++;
    is_about(&test_events[1], 1, ILB_EVENT_UNEJECT, ILB_STATE_PROBING,
             ILB_STATE_WARMING);
    must_eq(test_events[1].reason, ILB_REASON_NONE);
    must_eq(test_events[1].time_ns, f->clock.now_ns);
    test_ejected_heal(f);
    is_about(the_event(f->b, last), 1, ILB_EVENT_HEALTHY, ILB_STATE_WARMING,
             ILB_STATE_HEALTHY);
    test_ejected_free(f);
}
END_TEST

START_TEST(a_probe_without_result_is_told)
{
    test_ejected *f = test_ejected_new(4, 1);
    ilb_ticket t = test_ejected_probe(f), again;
    uint64_t last = test_events_last(f->b);
    const ilb_event *e;

    test_done(f->b, &t, ILB_CANCELLED);
    e = the_event(f->b, last++);
    is_about(e, 1, ILB_EVENT_PROBE_CANCELLED, ILB_STATE_PROBING,
             ILB_STATE_EJECTED);
    must_be_within(e->until_ns, f->clock.now_ns, f->clock.now_ns + 100000);
    f->clock.now_ns = e->until_ns;
    again = test_pick(f->b);
    must_eq(test_number(f->b, &again), 1);
    is_about(the_event(f->b, last++), 1, ILB_EVENT_PROBE_STARTED,
             ILB_STATE_EJECTED, ILB_STATE_PROBING);
    test_ejected_free(f);
}
END_TEST

START_TEST(a_probe_that_is_lost_is_told)
{
    test_ejected *f = test_ejected_new(4, 1);
    ilb_ticket lost = test_ejected_probe(f), t;
    uint64_t last = test_events_last(f->b);

    f->clock.now_ns =
        test_events[test_events_read(f->b, last - 1) - 1].until_ns;
    t = test_pick(f->b);
    must_eq(test_number(f->b, &t), 1);
    is_about(the_event(f->b, last++), 1, ILB_EVENT_PROBE_STARTED,
             ILB_STATE_PROBING, ILB_STATE_PROBING);
    test_done(f->b, &t, ILB_SUCCESS);
    is_about(the_event(f->b, last++), 1, ILB_EVENT_UNEJECT, ILB_STATE_PROBING,
             ILB_STATE_WARMING);
    /* It ends after all. */
    test_done(f->b, &lost, ILB_CANCELLED);
    must_eq(test_events_read(f->b, last), 0);
    test_ejected_free(f);
}
END_TEST

/* ---- What is refused --------------------------------------------------- */

START_TEST(the_last_endpoint_is_not_ejected_and_that_is_told_now_and_then)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    const ilb_event *e;
    ilb_balancer *b;
    uint64_t told_ns;

    o.consecutive_failures = 3;
    o.base_ejection_time_ns = 2 * S_NS;
    b = test_new(&o);
    test_update(b, 0, 1);
    end_for(b, &clock, 0, 40, ILB_SUCCESS);
    end_for(b, &clock, 0, 3, ILB_FAILURE);
    e = the_event(b, 2);
    is_about(e, 0, ILB_EVENT_EJECT_REFUSED, ILB_STATE_HEALTHY,
             ILB_STATE_HEALTHY);
    must_eq(e->reason, ILB_REASON_FLOOR);
    must_eq(e->enforced, 0);
    must_eq(e->detector, ILB_DETECTOR_CONSECUTIVE_FAILURES);
    must_be_within(e->statistic, 3, 3);
    must_eq(e->until_ns, 0);
    must_eq(e->ejections, 0);
    told_ns = clock.now_ns;
    /* A round takes 0.86 s: one of three is told. */
    for (uint32_t round = 1; round <= 9; round++) {
        end_for(b, &clock, 0, 40, ILB_SUCCESS);
        end_for(b, &clock, 0, 3, ILB_FAILURE);
        must_eq(test_events_read(b, 3), round / 3);
        must(round != 3 || test_events[0].time_ns == told_ns + 3 * 860 * MS_NS);
    }
    ilb_balancer_free(b);
}
END_TEST

START_TEST(one_more_than_the_cap_is_refused_and_told)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b;
    uint64_t last;

    o.max_ejection_percent = 10;
    b = test_new(&o);
    test_update(b, 0, 10);
    for (uint32_t i = 0; i < 10; i++)
        end_for(b, &clock, i, 15, ILB_SUCCESS);
    last = test_events_last(b);
    while (test_events_read(b, last) == 0)
        end_for(b, &clock, 1, 1, ILB_FAILURE);
    is_about(the_event(b, last++), 1, ILB_EVENT_EJECT, ILB_STATE_HEALTHY,
             ILB_STATE_EJECTED);
    end_for(b, &clock, 2, 5, ILB_FAILURE);
    must(test_events_read(b, last) >= 1);
    is_about(&test_events[0], 2, ILB_EVENT_EJECT_REFUSED, ILB_STATE_HEALTHY,
             ILB_STATE_HEALTHY);
    must_eq(test_events[0].reason, ILB_REASON_CAP);
    must_eq(test_events[0].enforced, 0);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_return_that_the_cap_forces_is_told)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b;
    uint64_t last;

    o.max_ejection_percent = 25;
    b = test_new(&o);
    test_update(b, 0, 8);
    for (uint32_t i = 0; i < 8; i++)
        end_for(b, &clock, i, 15, ILB_SUCCESS);
    for (uint32_t i = 6; i < 8; i++)
        while (test_stats(b, i).state != ILB_STATE_EJECTED)
            end_for(b, &clock, i, 1, ILB_FAILURE);
    last = test_events_last(b);
    test_update(b, 1, 7);
    must_eq(test_events_read(b, last), 2);
    must_eq(test_events[1].type, ILB_EVENT_UNEJECT);
    must_eq(test_events[1].reason, ILB_REASON_CAP);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_return_that_the_floor_forces_is_told)
{
    test_ejected *f = test_ejected_new(2, 1);
    uint64_t last = test_events_last(f->b);

    test_update(f->b, 1, 1);
    must_eq(test_events_read(f->b, last), 2);
    is_about(&test_events[0], 0, ILB_EVENT_LEFT, ILB_STATE_HEALTHY,
             ILB_STATE_DRAINING);
    is_about(&test_events[1], 1, ILB_EVENT_UNEJECT, ILB_STATE_EJECTED,
             ILB_STATE_WARMING);
    must_eq(test_events[1].reason, ILB_REASON_FLOOR);
    test_ejected_free(f);
}
END_TEST

Suite *suite_api_events(void)
{
    Suite *s = suite_create("api events");
    TCase *tc = test_case(s, "told");

    tcase_add_test(tc, the_list_is_told);
    tcase_add_test(tc, who_enters_has_the_state_of_its_readiness);
    tcase_add_test(tc, an_update_that_is_refused_tells_nothing);
    tcase_add_test(tc, an_ejection_by_failures_in_a_row_has_its_evidence);
    tcase_add_test(tc, an_ejection_by_half_that_fails_has_its_evidence);
    tcase_add_test(tc,
                   an_ejection_by_more_failures_than_peers_has_its_evidence);
    tcase_add_test(tc, the_way_back_is_told);
    tcase_add_test(tc, a_probe_without_result_is_told);
    tcase_add_test(tc, a_probe_that_is_lost_is_told);
    tc = test_case(s, "refused");
    tcase_add_test(
        tc, the_last_endpoint_is_not_ejected_and_that_is_told_now_and_then);
    tcase_add_test(tc, one_more_than_the_cap_is_refused_and_told);
    tcase_add_test(tc, a_return_that_the_cap_forces_is_told);
    tcase_add_test(tc, a_return_that_the_floor_forces_is_told);
    return s;
}
