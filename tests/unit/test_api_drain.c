/* SPDX-License-Identifier: MIT */
/* Leaving, coming back, and readiness. */
#include "suites.h"
#include "util.h"

static test_clock clock_ = TEST_CLOCK_INIT;

static ilb_balancer *balancer(uint32_t capacity)
{
    ilb_options o = test_options(&clock_, ILB_POLICY_RANDOM, 1);

    o.capacity = capacity;
    return test_new(&o);
}

START_TEST(one_that_leaves_with_requests_in_flight_drains)
{
    ilb_balancer *b = balancer(4);
    ilb_endpoint_stats stats[8];
    ilb_ticket t, other;

    test_update(b, 0, 1);
    t = test_pick(b);
    test_update(b, 1, 2);
    must_eq(test_snapshot(b, stats, 8), 3);
    must_str(stats[2].address, test_address(0));
    must_eq(stats[2].state, ILB_STATE_DRAINING);
    must_eq(stats[2].in_flight, 1);
    /* Its ticket still knows where it belongs; picks go elsewhere. */
    must_str(ilb_ticket_address(b, &t), test_address(0));
    must(ilb_ticket_user(b, &t) == test_address(0));
    for (int i = 0; i < 200; i++) {
        other = test_pick(b);
        must(test_number(b, &other) != 0);
        test_done(b, &other, ILB_SUCCESS);
    }
    must_eq(ilb_balancer_set_readiness(b, test_address(0), ILB_READY),
            ILB_ENOTFOUND);
    clock_.now_ns += MS_NS;
    test_done(b, &t, ILB_SUCCESS);
    must_eq(test_snapshot(b, stats, 8), 2);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(one_that_leaves_idle_is_gone_and_forgotten)
{
    ilb_balancer *b = balancer(4);

    test_update(b, 0, 1);
    (void)test_request(b, &clock_, 30 * MS_NS, ILB_SUCCESS);
    must_eq(test_stats(b, 0).done[ILB_SUCCESS], 1);
    test_update(b, 1, 1);
    must(!test_is_known(b, 0));
    test_update(b, 0, 1);
    must_eq(test_stats(b, 0).done[ILB_SUCCESS], 0);
    must_eq(test_stats(b, 0).state, ILB_STATE_WARMING);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(one_that_comes_back_in_time_is_known_again)
{
    ilb_balancer *b = balancer(4);
    ilb_ticket t, u;

    test_update(b, 0, 1);
    for (int i = 0; i < 20; i++)
        (void)test_request(b, &clock_, 30 * MS_NS, ILB_SUCCESS);
    t = test_pick(b);
    test_update(b, 1, 3);
    must_eq(test_stats(b, 0).state, ILB_STATE_DRAINING);
    test_update(b, 0, 1);
    must_eq(test_stats(b, 0).done[ILB_SUCCESS], 20);
    must_eq(test_stats(b, 0).in_flight, 1);
    must_be_within(test_stats(b, 0).latency_ns, 29 * MS_NS, 31 * MS_NS);
    u = test_pick(b);
    must_eq(test_number(b, &u), 0);
    must_eq(test_stats(b, 0).in_flight, 2);
    test_done(b, &t, ILB_SUCCESS);
    test_done(b, &u, ILB_SUCCESS);
    must_eq(test_stats(b, 0).in_flight, 0);
    must_eq(test_stats(b, 0).done[ILB_SUCCESS], 22);
    ilb_balancer_free(b);
}
END_TEST

/* A full set, all busy, replaced by an entirely other one, and back. */
START_TEST(a_full_set_can_be_replaced_by_another)
{
    ilb_balancer *b = balancer(16);
    ilb_ticket held[2][64];
    ilb_endpoint_stats stats[64];

    for (uint32_t round = 0; round < 100; round++) {
        test_update(b, round * 16, 16);
        for (int i = 0; i < 64; i++) {
            held[round & 1][i] = test_pick(b);
            must(test_number(b, &held[round & 1][i]) / 16 == round);
        }
        if (round > 0)
            for (int i = 0; i < 64; i++) {
                ilb_ticket *t = &held[~round & 1][i];

                must(test_number(b, t) / 16 == round - 1);
                test_done(b, t, ILB_SUCCESS);
            }
        must_eq(test_snapshot(b, stats, 64), 16);
    }
    ilb_balancer_free(b);
}
END_TEST

/* As many as the capacity may have left with requests in flight; the idle
 * ones that leave now do not count. */
START_TEST(a_full_idle_set_makes_room_beside_busy_ones_that_left)
{
    ilb_balancer *b = balancer(4);
    ilb_ticket held[4];

    for (uint32_t i = 0; i < 4; i++) {
        test_update(b, i, 1);
        held[i] = test_pick(b);
    }
    for (uint32_t round = 1; round < 10; round++)
        test_update(b, round * 100, 4);
    for (uint32_t i = 0; i < 4; i++) {
        must_eq(test_number(b, &held[i]), i);
        must_eq(test_stats(b, i).state, ILB_STATE_DRAINING);
        test_done(b, &held[i], ILB_SUCCESS);
    }
    ilb_balancer_free(b);
}
END_TEST

/* In the end slots do run out, whole and harmlessly. */
START_TEST(more_busy_ones_that_left_than_there_is_room_for)
{
    ilb_balancer *b = balancer(4);
    ilb_endpoint_stats stats[64];
    ilb_endpoint e[1];
    uint32_t n = 0;
    ilb_ticket held[64];

    for (; n < 64; n++) {
        test_endpoints(e, n, 1);
        if (ilb_balancer_update(b, e, 1) != ILB_OK)
            break;
        held[n] = test_pick(b);
    }
    must_be_within(n, 4 + 1, 63);
    must_eq(ilb_balancer_update(b, e, 1), ILB_ECAPACITY);
    must_eq(test_snapshot(b, stats, 64), n);
    must_str(stats[0].address, test_address(n - 1));
    test_done(b, &held[0], ILB_SUCCESS);
    must_eq(ilb_balancer_update(b, e, 1), ILB_OK);
    for (uint32_t i = 1; i < n; i++)
        test_done(b, &held[i], ILB_SUCCESS);
    must_eq(test_snapshot(b, stats, 64), 1);
    ilb_balancer_free(b);
}
END_TEST

/* ---- Readiness --------------------------------------------------------- */

START_TEST(only_ready_ones_are_picked)
{
    ilb_balancer *b = balancer(4);
    ilb_endpoint list[4];
    ilb_ticket t;

    test_endpoints(list, 0, 4);
    list[0].readiness = ILB_NOT_READY;
    list[2].readiness = ILB_DRAINING;
    must_eq(ilb_balancer_update(b, list, 4), ILB_OK);
    must_eq(test_stats(b, 0).state, ILB_STATE_NOT_READY);
    must_eq(test_stats(b, 2).state, ILB_STATE_DRAINING);
    for (int i = 0; i < 200; i++)
        must(test_request(b, &clock_, MS_NS, ILB_SUCCESS) % 2 == 1);
    must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_DRAINING),
            ILB_OK);
    for (int i = 0; i < 200; i++)
        must_eq(test_request(b, &clock_, MS_NS, ILB_SUCCESS), 3);
    must_eq(ilb_balancer_set_readiness(b, test_address(3), ILB_NOT_READY),
            ILB_OK);
    must_eq(ilb_pick(b, &t, NULL), ILB_ENOTREADY);
    must_eq(ilb_balancer_set_readiness(b, test_address(0), ILB_READY), ILB_OK);
    must_eq(test_request(b, &clock_, MS_NS, ILB_SUCCESS), 0);
    /* The list has the last word. */
    must_eq(ilb_balancer_update(b, list, 4), ILB_OK);
    for (int i = 0; i < 200; i++)
        must(test_request(b, &clock_, MS_NS, ILB_SUCCESS) % 2 == 1);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(bad_readiness_changes_nothing)
{
    ilb_balancer *b = balancer(4);

    test_update(b, 0, 2);
    must_eq(ilb_balancer_set_readiness(b, "nobody", ILB_READY), ILB_ENOTFOUND);
    must_eq(ilb_balancer_set_readiness(b, "", ILB_READY), ILB_ENOTFOUND);
    must_eq(ilb_balancer_set_readiness(b, test_address(0), (ilb_readiness)3),
            ILB_EINVAL);
    must_eq(ilb_balancer_set_readiness(b, test_address(0), (ilb_readiness)-1),
            ILB_EINVAL);
    must_eq(test_stats(b, 0).state, ILB_STATE_WARMING);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(one_that_becomes_ready_starts_gently)
{
    ilb_balancer *b = balancer(4);

    test_update(b, 0, 1);
    for (int i = 0; i < 20; i++)
        (void)test_request(b, &clock_, MS_NS, ILB_SUCCESS);
    must_eq(test_stats(b, 0).state, ILB_STATE_HEALTHY);
    must_eq(ilb_balancer_set_readiness(b, test_address(0), ILB_READY), ILB_OK);
    must_eq(test_stats(b, 0).state, ILB_STATE_HEALTHY);
    must_eq(ilb_balancer_set_readiness(b, test_address(0), ILB_NOT_READY),
            ILB_OK);
    must_eq(ilb_balancer_set_readiness(b, test_address(0), ILB_READY), ILB_OK);
    must_eq(test_stats(b, 0).state, ILB_STATE_WARMING);
    must_eq(test_stats(b, 0).done[ILB_SUCCESS], 20);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_drain(void)
{
    Suite *s = suite_create("api drain");
    TCase *tc = test_case(s, "leaving");

    tcase_add_test(tc, one_that_leaves_with_requests_in_flight_drains);
    tcase_add_test(tc, one_that_leaves_idle_is_gone_and_forgotten);
    tcase_add_test(tc, one_that_comes_back_in_time_is_known_again);
    tcase_add_test(tc, a_full_set_can_be_replaced_by_another);
    tcase_add_test(tc, a_full_idle_set_makes_room_beside_busy_ones_that_left);
    tcase_add_test(tc, more_busy_ones_that_left_than_there_is_room_for);
    tc = test_case(s, "readiness");
    tcase_add_test(tc, only_ready_ones_are_picked);
    tcase_add_test(tc, bad_readiness_changes_nothing);
    tcase_add_test(tc, one_that_becomes_ready_starts_gently);
    return s;
}
