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

        /* A timeout takes longer than an answer. */
        clock_.now_ns += it && outcome == ILB_TIMEOUT ? S_NS : US_NS;
        test_done(b, &t, it ? outcome : ILB_SUCCESS);
        times -= it;
    }
    return times == 0;
}

#define NOBODY UINT32_MAX

/* All but `good` fail, for half a second. Returns how many are ejected at the
 * most. */
static uint32_t most_ejected_but(ilb_balancer *b, uint32_t n, uint32_t good)
{
    ilb_endpoint_stats stats[64];
    uint32_t most = 0;

    for (int i = 0; i < 3000; i++) {
        uint32_t out = 0;

        ilb_ticket t = test_pick(b);

        clock_.now_ns += MS_NS / 6;
        test_done(b, &t,
                  test_number(b, &t) == good ? ILB_SUCCESS : ILB_FAILURE);
        must_eq(test_snapshot(b, stats, 64), n);
        for (uint32_t k = 0; k < n; k++)
            out += stats[k].state == ILB_STATE_EJECTED ||
                   stats[k].state == ILB_STATE_PROBING;
        most = out > most ? out : most;
    }
    return most;
}

static uint32_t most_ejected(ilb_balancer *b, uint32_t n)
{
    return most_ejected_but(b, n, NOBODY);
}

/* 10 s in which every 10th request of each of four endpoints fails; then 20
 * that succeed of number 1. From here on p0 is near 0.1, so that one failure
 * adds at most 1.8 to the evidence, of the 16 that eject: failures in a row
 * come first. */
static void dirty_past(ilb_balancer *b)
{
    uint32_t turn[4] = {0, 2, 5, 8};

    for (int i = 0; i < 10000; i++) {
        ilb_ticket t = test_pick(b);
        uint32_t number = test_number(b, &t);

        clock_.now_ns += MS_NS;
        test_done(b, &t, ++turn[number] % 10 == 0 ? ILB_FAILURE : ILB_SUCCESS);
    }
    must(end_on(b, 1, ILB_SUCCESS, 20));
    must_eq(test_stats(b, 1).ejections, 0);
}

/* For tests of the cap: a single failure ejects. */
static ilb_balancer *balancer_of_cap(uint32_t percent)
{
    ilb_options o = options();

    o.consecutive_failures = 1;
    o.max_ejection_percent = percent;
    return test_new(&o);
}

/* Whatever its past: here it has failed now and then, as the others. */
START_TEST(so_many_failures_in_a_row_eject)
{
    static const ilb_outcome bad[] = {ILB_FAILURE, ILB_TIMEOUT,
                                      ILB_CONNECT_ERROR};

    for (uint32_t limit = 0; limit <= 7; limit++)
        for (int i = 0; i < 3; i++) {
            ilb_options o = options();
            uint32_t really = limit == 0 ? TEST_CONSECUTIVE : limit;
            ilb_balancer *b;

            o.consecutive_failures = limit;
            b = test_new(&o);
            test_update(b, 0, 4);
            if (limit == 1) /* or it would be ejected before */
                must(end_on(b, 1, ILB_SUCCESS, 20));
            else
                dirty_past(b);
            if (really > 1)
                must(end_on(b, 1, bad[i], really - 1));
            must_eq(test_stats(b, 1).state, ILB_STATE_HEALTHY);
            must_eq(test_stats(b, 1).failures_in_a_row, really - 1);
            must_eq(test_stats(b, 1).ejected_until_ns, 0);
            must(end_on(b, 1, bad[i], 1));
            must_eq(test_stats(b, 1).state, ILB_STATE_EJECTED);
            must_eq(test_stats(b, 1).ejections, 1);
            must(test_stats(b, 1).ejected_until_ns > clock_.now_ns);
            must(!end_on(b, 1, ILB_SUCCESS, 1));
            ilb_balancer_free(b);
        }
}
END_TEST

/* How many failures in a row eject number 1, if it is left to statistics. */
static uint32_t failures_to_eject(ilb_balancer *b)
{
    uint32_t n = 0;

    while (test_stats(b, 1).ejections == 0) {
        must(end_on(b, 1, ILB_FAILURE, 1));
        must(++n < 100);
    }
    return n;
}

/* ln(0.5 / p0) each, of 16. */
START_TEST(with_a_clean_past_fewer_do)
{
    ilb_options o = options();
    ilb_balancer *b;

    o.consecutive_failures = 65535;
    /* Nothing known: p0 = 0.5 / 200, three are 15.9. */
    b = test_new(&o);
    test_update(b, 0, 4);
    must_eq(failures_to_eject(b), 4);
    ilb_balancer_free(b);
    /* 10,000 good ones of late: p0 = 0.5 / 10,200 or little more, two are
     * 18.5. */
    b = test_new(&o);
    test_update(b, 0, 4);
    for (int i = 0; i < 10000; i++)
        (void)test_request(b, &clock_, MS_NS, ILB_SUCCESS);
    must_eq(failures_to_eject(b), 2);
    ilb_balancer_free(b);
    /* Healthy peers fail 8 % to 10 %: 1.6 to 1.8 each. */
    b = test_new(&o);
    test_update(b, 0, 4);
    dirty_past(b);
    must_be_within(failures_to_eject(b), 9, 10);
    ilb_balancer_free(b);
}
END_TEST

/* It fails a fifth of its requests, never twice in a row, and the others
 * none: that is enough as well. */
START_TEST(one_that_fails_more_than_its_peers_is_ejected)
{
    ilb_options o = options();
    ilb_balancer *b;
    uint32_t n = 0;

    o.consecutive_failures = 65535;
    b = test_new(&o);
    test_update(b, 0, 4);
    while (test_stats(b, 1).ejections == 0) {
        must(end_on(b, 1, ILB_SUCCESS, 4));
        must(end_on(b, 1, ILB_FAILURE, 1));
        must(++n < 100);
    }
    /* broken: 5.3 - 4 x 0.69 of 16 a round; its last failure counts whole. */
    must_be_within(n, 5, 6);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_success_breaks_the_row)
{
    ilb_options o = options();
    ilb_balancer *b;

    o.consecutive_failures = 3;
    b = test_new(&o);
    test_update(b, 0, 4);
    dirty_past(b);
    for (int i = 0; i < 48; i++) {
        must(end_on(b, 1, ILB_FAILURE, 2));
        must(end_on(b, 1, ILB_SUCCESS, 1));
        must_eq(test_stats(b, 1).failures_in_a_row, 0);
        /* Before it is enough evidence that it fails more than its peers. */
        if (i % 4 == 3)
            must(end_on(b, 1, ILB_SUCCESS, 25));
    }
    must_eq(test_stats(b, 1).ejections, 0);
    must(end_on(b, 1, ILB_FAILURE, 3));
    must_eq(test_stats(b, 1).ejections, 1);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(overload_and_cancel_neither_count_nor_break_the_row)
{
    ilb_options o = options();
    ilb_balancer *b;

    o.consecutive_failures = 3;
    b = test_new(&o);
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
        {3, 0, 2},    {3, 66, 1},   {3, 67, 2},    {3, 100, 2}, {4, 0, 3},
        {10, 0, 9},   {10, 1, 1},   {10, 19, 1},   {10, 30, 3}, {10, 99, 9},
        {10, 100, 9}, {40, 50, 20}, {40, 100, 39}, {40, 0, 39},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ilb_balancer *b = balancer_of_cap(rows[i].percent);

        test_update(b, 0, rows[i].n);
        must_eq(most_ejected(b, rows[i].n), rows[i].most);
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(those_not_ready_do_not_count)
{
    ilb_balancer *b = balancer_of_cap(50);
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
    ilb_balancer *b = balancer_of_cap(50);

    for (uint32_t round = 0; round < 60; round++) {
        test_update(b, round * 2 % 12, 4);
        must_eq(most_ejected_but(b, 4, round * 2 % 12 + 3), 2);
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
    ilb_balancer *b = balancer_of_cap(50);
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
    ilb_balancer *b = balancer_of_cap(100);

    test_update(b, 0, 2);
    must(end_on(b, 1, ILB_FAILURE, 1));
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
    tcase_add_test(tc, with_a_clean_past_fewer_do);
    tcase_add_test(tc, one_that_fails_more_than_its_peers_is_ejected);
    tcase_add_test(tc, a_success_breaks_the_row);
    tcase_add_test(tc, overload_and_cancel_neither_count_nor_break_the_row);
    tcase_add_test(tc, never_means_never);
    tc = test_case(s, "cap");
    tcase_add_test(tc, the_cap_in_percent);
    tcase_add_test(tc, those_not_ready_do_not_count);
    tcase_add_test(tc, places_under_the_cap_come_back);
    tcase_add_test(tc, a_smaller_set_has_a_smaller_cap);
    tcase_add_test(tc, the_last_ready_one_comes_back);
    tcase_add_test(tc, a_ready_set_always_gives_one);
    return s;
}
