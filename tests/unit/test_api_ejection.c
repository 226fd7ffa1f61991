/* SPDX-License-Identifier: MIT */
/* Ejection: the threshold, and the cap on how many. */
#include "suites.h"
#include "util.h"

static test_clock clock_ = TEST_CLOCK_INIT;

static ilb_options options(void)
{
    return test_options(&clock_, ILB_POLICY_RANDOM, 1);
}

/* Requests of 1 ms until `number` has had `times` of them, which end so; the
 * others succeed. False: it was not picked any more. */
static bool end_on(ilb_balancer *b, uint32_t number, ilb_outcome outcome,
                   uint32_t times)
{
    for (int i = 0; i < 20000 && times > 0; i++) {
        ilb_ticket t = test_pick(b);
        bool it = test_number(b, &t) == number;

        clock_.now_ns += US_NS;
        test_done(b, &t, it ? outcome : ILB_SUCCESS);
        times -= it;
    }
    return times == 0;
}

/* All fail, for half a second. Returns how many are ejected at the most. */
static uint32_t most_ejected(ilb_balancer *b, uint32_t n)
{
    ilb_endpoint_stats stats[64];
    uint32_t most = 0;

    for (int i = 0; i < 3000; i++) {
        uint32_t out = 0;

        (void)test_request(b, &clock_, MS_NS / 6, ILB_FAILURE);
        must_eq(test_snapshot(b, stats, 64), n);
        for (uint32_t k = 0; k < n; k++)
            out += stats[k].state == ILB_STATE_EJECTED ||
                   stats[k].state == ILB_STATE_PROBING;
        most = out > most ? out : most;
    }
    return most;
}

START_TEST(so_many_failures_in_a_row_eject)
{
    static const ilb_outcome bad[] = {ILB_FAILURE, ILB_TIMEOUT,
                                      ILB_CONNECT_ERROR};

    for (uint32_t limit = 0; limit <= 7; limit++)
        for (int i = 0; i < 3; i++) {
            ilb_options o = options();
            uint32_t really = limit == 0 ? 3 : limit;
            ilb_balancer *b;

            o.consecutive_failures = limit;
            b = test_new(&o);
            test_update(b, 0, 4);
            must(end_on(b, 1, ILB_SUCCESS, 20));
            must(end_on(b, 1, bad[i], really - 1));
            must_eq(test_stats(b, 1).state, ILB_STATE_HEALTHY);
            must_eq(test_stats(b, 1).failures_in_a_row, really - 1);
            must_eq(test_stats(b, 1).ejected_until_ns, 0);
            must(end_on(b, 1, bad[i], 1));
            must_eq(test_stats(b, 1).state, ILB_STATE_EJECTED);
            must_eq(test_stats(b, 1).ejections, 1);
            must(test_stats(b, 1).ejected_until_ns > clock_.now_ns);
            must(!end_on(b, 1, ILB_SUCCESS, 1) ||
                 clock_.now_ns > test_stats(b, 1).ejected_until_ns);
            ilb_balancer_free(b);
        }
}
END_TEST

START_TEST(a_success_breaks_the_row)
{
    ilb_options o = options();
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 4);
    for (int i = 0; i < 50; i++) {
        must(end_on(b, 1, ILB_FAILURE, 2));
        must(end_on(b, 1, ILB_SUCCESS, 1));
        must_eq(test_stats(b, 1).failures_in_a_row, 0);
    }
    must_eq(test_stats(b, 1).ejections, 0);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(overload_and_cancel_neither_count_nor_break_the_row)
{
    ilb_options o = options();
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 4);
    must(end_on(b, 1, ILB_OVERLOAD, 20));
    must(end_on(b, 1, ILB_CANCELLED, 20));
    must_eq(test_stats(b, 1).failures_in_a_row, 0);
    must(end_on(b, 1, ILB_FAILURE, 2));
    must(end_on(b, 1, ILB_OVERLOAD, 1));
    must(end_on(b, 1, ILB_CANCELLED, 1));
    must_eq(test_stats(b, 1).failures_in_a_row, 2);
    must_eq(test_stats(b, 1).ejections, 0);
    must(end_on(b, 1, ILB_FAILURE, 1));
    must_eq(test_stats(b, 1).state, ILB_STATE_EJECTED);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(never_means_never)
{
    ilb_options o = options();
    ilb_balancer *b;

    o.consecutive_failures = ILB_NEVER;
    b = test_new(&o);
    test_update(b, 0, 4);
    /* More than can be counted in a row. */
    must(end_on(b, 1, ILB_FAILURE, 3000));
    must_eq(most_ejected(b, 4), 0);
    must_eq(test_stats(b, 1).ejections, 0);
    ilb_balancer_free(b);
}
END_TEST

/* ---- The cap ----------------------------------------------------------- */

START_TEST(the_cap_in_percent)
{
    static const struct {
        uint32_t n, percent, most;
    } rows[] = {
        {1, 0, 0},    {1, 100, 0},  {2, 0, 1},     {2, 1, 1},   {2, 100, 1},
        {3, 0, 1},    {3, 66, 1},   {3, 67, 2},    {3, 100, 2}, {4, 0, 2},
        {10, 0, 5},   {10, 1, 1},   {10, 19, 1},   {10, 30, 3}, {10, 99, 9},
        {10, 100, 9}, {40, 50, 20}, {40, 100, 39},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ilb_options o = options();
        ilb_balancer *b;

        o.max_ejection_percent = rows[i].percent;
        b = test_new(&o);
        test_update(b, 0, rows[i].n);
        must_eq(most_ejected(b, rows[i].n), rows[i].most);
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(those_not_ready_do_not_count)
{
    ilb_options o = options();
    ilb_balancer *b = test_new(&o);
    ilb_endpoint list[10];

    test_endpoints(list, 0, 10);
    for (int i = 0; i < 6; i++)
        list[i].readiness = ILB_NOT_READY;
    must_eq(ilb_balancer_update(b, list, 10), ILB_OK);
    must_eq(most_ejected(b, 10), 2);
    ilb_balancer_free(b);
}
END_TEST

/* Whoever leaves, or is not ready any more, gives its place under the cap to
 * others. Many times, so that no place is lost. */
START_TEST(places_under_the_cap_come_back)
{
    ilb_options o = options();
    ilb_balancer *b = test_new(&o);

    o.base_ejection_time_ns = o.max_ejection_time_ns = S_NS;
    for (uint32_t round = 0; round < 60; round++) {
        test_update(b, round * 2 % 12, 4);
        must_eq(most_ejected(b, 4), 2);
        for (uint32_t i = 0; i < 4; i++) {
            const char *address = test_address(round * 2 % 12 + i);

            if (round % 3 == 0)
                must_eq(ilb_balancer_set_readiness(b, address, ILB_NOT_READY),
                        ILB_OK);
            if (round % 3 == 1)
                clock_.now_ns += 20 * S_NS;
        }
    }
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_smaller_set_has_a_smaller_cap)
{
    ilb_options o = options();
    ilb_balancer *b = test_new(&o);
    ilb_endpoint_stats stats[10];
    ilb_endpoint list[10];

    test_update(b, 0, 10);
    must_eq(most_ejected(b, 10), 5);
    must_eq(test_snapshot(b, stats, 10), 10);
    /* The ejected ones first; then fewer and fewer of these. */
    for (uint32_t i = 0, first = 0; i < 10; i++)
        if (stats[i].state == ILB_STATE_EJECTED)
            test_endpoints(&list[first++], i, 1);
    for (uint32_t n = 5; n > 0; n--) {
        uint32_t out = 0;

        must_eq(ilb_balancer_update(b, list, n), ILB_OK);
        must_eq(test_snapshot(b, stats, 10), n);
        for (uint32_t i = 0; i < n; i++)
            out += stats[i].state == ILB_STATE_EJECTED;
        /* Which ones come back is free; how many is not. */
        must_be_within(out, n == 5 ? 2 : 0, n / 2);
        (void)test_request(b, &clock_, 0, ILB_CANCELLED);
    }
    ilb_balancer_free(b);
}
END_TEST

/* The same where readiness makes it smaller. */
START_TEST(the_last_ready_one_comes_back)
{
    ilb_options o = options();
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 2);
    must(end_on(b, 1, ILB_FAILURE, 3));
    must_eq(test_stats(b, 1).state, ILB_STATE_EJECTED);
    must_eq(ilb_balancer_set_readiness(b, test_address(0), ILB_NOT_READY),
            ILB_OK);
    must_eq(test_stats(b, 1).state, ILB_STATE_WARMING);
    /* Alone it stays, however it fails. */
    must_eq(most_ejected(b, 2), 0);
    ilb_balancer_free(b);
}
END_TEST

/* A ready set never yields an error, whatever fails. */
/* 198 of 200 ejected: draws rarely find one of the two that are left, which
 * share the traffic all the same, though one has far more ejected neighbours.
 */
START_TEST(few_that_are_left_share)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, 1);
    ilb_ticket t, flying[64];
    uint32_t to[2] = {0, 0};
    ilb_balancer *b;

    o.max_ejection_percent = 100;
    o.consecutive_failures = 1;
    o.base_ejection_time_ns = o.max_ejection_time_ns = 3600 * S_NS;
    b = test_new(&o);
    test_update(b, 0, 200);
    for (uint32_t n_bad = 0; n_bad < 198;) {
        t = test_pick(b);
        if (test_number(b, &t) < 2) {
            test_done(b, &t, ILB_SUCCESS);
            continue;
        }
        test_done(b, &t, ILB_FAILURE);
        n_bad++;
    }
    /* Beyond the in-flight cap of those that are warming. */
    while (test_stats(b, 0).state != ILB_STATE_HEALTHY ||
           test_stats(b, 1).state != ILB_STATE_HEALTHY)
        (void)test_request(b, &clock, 0, ILB_SUCCESS);
    for (int i = 0; i < 64; i++) {
        flying[i] = test_pick(b);
        must(test_number(b, &flying[i]) < 2);
        to[test_number(b, &flying[i])]++;
    }
    must_be_within((double)to[0], 24, 40);
    for (int i = 0; i < 64; i++)
        test_done(b, &flying[i], ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_ready_set_always_gives_one)
{
    for (int policy = 1; policy <= 4; policy++)
        for (uint32_t n = 1; n <= 5; n++) {
            ilb_options o = test_options(&clock_, (ilb_policy)policy, n);
            uint64_t random = n;
            ilb_balancer *b;

            o.max_ejection_percent = 100;
            o.consecutive_failures = 1;
            b = test_new(&o);
            test_update(b, 0, n);
            for (int i = 0; i < 5000; i++)
                (void)test_request(b, &clock_,
                                   test_random(&random) % (20 * MS_NS),
                                   (ilb_outcome)(1 + test_below(&random, 4)));
            ilb_balancer_free(b);
        }
}
END_TEST

Suite *suite_api_ejection(void)
{
    Suite *s = suite_create("api ejection");
    TCase *tc = test_case(s, "threshold");

    tcase_add_test(tc, so_many_failures_in_a_row_eject);
    tcase_add_test(tc, a_success_breaks_the_row);
    tcase_add_test(tc, overload_and_cancel_neither_count_nor_break_the_row);
    tcase_add_test(tc, never_means_never);
    tc = test_case(s, "cap");
    tcase_add_test(tc, the_cap_in_percent);
    tcase_add_test(tc, those_not_ready_do_not_count);
    tcase_add_test(tc, places_under_the_cap_come_back);
    tcase_add_test(tc, a_smaller_set_has_a_smaller_cap);
    tcase_add_test(tc, the_last_ready_one_comes_back);
    tcase_add_test(tc, few_that_are_left_share);
    tcase_add_test(tc, a_ready_set_always_gives_one);
    return s;
}
