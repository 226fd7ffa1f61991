/* SPDX-License-Identifier: MIT */
/* Exclusion: a retry goes elsewhere. */
#include "suites.h"
#include "util.h"

static test_clock clock_ = TEST_CLOCK_INIT;

static ilb_balancer *balancer(ilb_policy policy)
{
    ilb_options o = test_options(&clock_, policy, 1);

    return test_new(&o);
}

static ilb_pick_options excluding(const ilb_ticket *tickets, size_t n)
{
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;

    o.exclude = tickets;
    o.n_exclude = n;
    return o;
}

/* One after the other, each pick excluding all before it, done or not. */
START_TEST(each_try_goes_to_another_until_none_is_left)
{
    ilb_balancer *b = balancer((ilb_policy)_i);

    test_update(b, 0, 10);
    for (int round = 0; round < 200; round++) {
        bool seen[10] = {false};
        ilb_ticket tried[10], t;
        ilb_pick_options o;

        for (uint32_t n = 0; n < 10; n++) {
            o = excluding(tried, n);
            must_eq(ilb_pick(b, &tried[n], &o), ILB_OK);
            must(!seen[test_number(b, &tried[n])]);
            seen[test_number(b, &tried[n])] = true;
            clock_.now_ns += MS_NS;
            if ((round + (int)n) % 2 == 0)
                test_done(b, &tried[n], ILB_SUCCESS);
        }
        o = excluding(tried, 10);
        must_eq(ilb_pick(b, &t, &o), ILB_EEXCLUDED);
        for (uint32_t n = 0; n < 10; n++)
            if ((round + (int)n) % 2 != 0)
                test_done(b, &tried[n], ILB_SUCCESS);
    }
    ilb_balancer_free(b);
}
END_TEST

/* 1 of 17 is left over: found although draws hardly ever meet it. */
START_TEST(the_last_one_left_is_found)
{
    ilb_balancer *b = balancer((ilb_policy)_i);
    ilb_ticket tried[ILB_EXCLUDE_MAX], t;
    ilb_pick_options o = excluding(tried, ILB_EXCLUDE_MAX);

    test_update(b, 0, ILB_EXCLUDE_MAX + 1);
    for (int round = 0; round < 200; round++) {
        uint32_t sum = 0;

        for (uint32_t n = 0; n < ILB_EXCLUDE_MAX; n++) {
            ilb_pick_options some = excluding(tried, n);

            must_eq(ilb_pick(b, &tried[n], &some), ILB_OK);
            sum += test_number(b, &tried[n]);
        }
        must_eq(ilb_pick(b, &t, &o), ILB_OK);
        must_eq(test_number(b, &t) + sum,
                ILB_EXCLUDE_MAX * (ILB_EXCLUDE_MAX + 1) / 2);
        test_done(b, &t, ILB_SUCCESS);
        for (uint32_t n = 0; n < ILB_EXCLUDE_MAX; n++)
            test_done(b, &tried[n], ILB_SUCCESS);
    }
    ilb_balancer_free(b);
}
END_TEST

START_TEST(the_list_is_checked)
{
    ilb_balancer *b = balancer(ILB_POLICY_DEFAULT);
    ilb_ticket tried[ILB_EXCLUDE_MAX + 1], t;
    ilb_pick_options o;

    test_update(b, 0, 2);
    for (uint32_t i = 0; i < ILB_EXCLUDE_MAX + 1; i++)
        tried[i] = test_pick(b);
    o = excluding(tried, ILB_EXCLUDE_MAX + 1);
    must_eq(ilb_pick(b, &t, &o), ILB_EINVAL);
    o = excluding(NULL, 1);
    must_eq(ilb_pick(b, &t, &o), ILB_EINVAL);
    o = excluding(tried, SIZE_MAX);
    must_eq(ilb_pick(b, &t, &o), ILB_EINVAL);
    o = excluding(NULL, 0);
    must_eq(ilb_pick(b, &t, &o), ILB_OK);
    memset(&tried[1], 0, sizeof tried[1]);
    o = excluding(tried, 2);
    must_eq(ilb_pick(b, &t, &o), ILB_ETICKET);
    ilb_balancer_free(b);
}
END_TEST

/* The reason that there is none: the set's before the caller's. */
START_TEST(an_empty_set_is_empty_whatever_is_excluded)
{
    ilb_balancer *b = balancer(ILB_POLICY_DEFAULT);
    ilb_pick_options o;
    ilb_ticket t, other;

    test_update(b, 0, 1);
    t = test_pick(b);
    o = excluding(&t, 1);
    must_eq(ilb_pick(b, &other, &o), ILB_EEXCLUDED);
    must_eq(ilb_balancer_set_readiness(b, test_address(0), ILB_NOT_READY),
            ILB_OK);
    must_eq(ilb_pick(b, &other, &o), ILB_ENOTREADY);
    must_eq(ilb_balancer_update(b, NULL, 0), ILB_OK);
    must_eq(ilb_pick(b, &other, &o), ILB_EEMPTY);
    test_done(b, &t, ILB_CANCELLED);
    ilb_balancer_free(b);
}
END_TEST

/* A ticket of one that is gone excludes nobody, also not whoever has its slot
 * now. */
START_TEST(a_ticket_of_one_that_is_gone_excludes_nobody)
{
    ilb_balancer *b = balancer(ILB_POLICY_DEFAULT);
    ilb_pick_options o;
    ilb_ticket t, other;

    test_update(b, 0, 1);
    t = test_pick(b);
    test_done(b, &t, ILB_FAILURE);
    o = excluding(&t, 1);
    for (uint32_t i = 1; i < 2000; i++) {
        test_update(b, i, 1);
        must_eq(ilb_pick(b, &other, &o), ILB_OK);
        must_eq(test_number(b, &other), i);
        test_done(b, &other, ILB_SUCCESS);
    }
    ilb_balancer_free(b);
}
END_TEST

/* Better an ejected endpoint than one that the caller has just tried. */
START_TEST(an_ejected_one_is_taken_when_all_others_are_excluded)
{
    ilb_balancer *b = balancer(ILB_POLICY_RANDOM);
    ilb_pick_options o;
    ilb_ticket t, other;

    test_update(b, 0, 2);
    while (test_stats(b, 1).state != ILB_STATE_EJECTED) {
        t = test_pick(b);
        test_done(b, &t, test_number(b, &t) == 1 ? ILB_FAILURE : ILB_SUCCESS);
    }
    t = test_pick(b);
    must_eq(test_number(b, &t), 0);
    o = excluding(&t, 1);
    must_eq(ilb_pick(b, &other, &o), ILB_OK);
    must_eq(test_number(b, &other), 1);
    must_eq(test_stats(b, 1).state, ILB_STATE_EJECTED);
    ilb_balancer_free(b);
}
END_TEST

/* A request to this endpoint. */
static ilb_ticket to(ilb_balancer *b, uint32_t number)
{
    ilb_ticket tried[ILB_EXCLUDE_MAX];
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_ticket t;

    for (o.exclude = tried;; o.n_exclude++) {
        must_eq(ilb_pick(b, &t, &o), ILB_OK);
        if (test_number(b, &t) == number)
            break;
        tried[o.n_exclude] = t;
    }
    for (size_t i = 0; i < o.n_exclude; i++)
        test_done(b, &tried[i], ILB_CANCELLED);
    return t;
}

/* Both have just failed; one takes 5 ms, the other one 50. */
START_TEST(of_two_ejected_the_better)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        static const uint64_t takes_ms[] = {20, 5, 50};
        test_clock clock = TEST_CLOCK_INIT;
        ilb_options o = test_options(&clock, ILB_POLICY_PEAK_EWMA, seed);
        ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
        ilb_ticket t, first, second, third;
        ilb_balancer *b;

        o.consecutive_failures = 1;
        b = test_new(&o);
        test_update(b, 0, 3);
        for (uint32_t i = 0; i < 300; i++) {
            t = to(b, i % 3);
            clock.now_ns += takes_ms[i % 3] * MS_NS;
            test_done(b, &t, ILB_SUCCESS);
        }
        first = to(b, 1);
        second = to(b, 2);
        third = to(b, 0);
        test_done(b, &first, ILB_FAILURE);
        test_done(b, &second, ILB_FAILURE);
        must_eq(test_stats(b, 1).state, ILB_STATE_EJECTED);
        must_eq(test_stats(b, 2).state, ILB_STATE_EJECTED);
        p.exclude = &third;
        p.n_exclude = 1;
        must_eq(ilb_pick(b, &t, &p), ILB_OK);
        must_eq(test_number(b, &t), 1);
        ilb_balancer_free(b);
    }
}
END_TEST

Suite *suite_api_exclude(void)
{
    Suite *s = suite_create("api exclude");
    TCase *tc = test_case(s, "exclude");

    tcase_add_loop_test(tc, each_try_goes_to_another_until_none_is_left,
                        ILB_POLICY_PEAK_EWMA, ILB_POLICY_RANDOM + 1);
    tcase_add_loop_test(tc, the_last_one_left_is_found, ILB_POLICY_PEAK_EWMA,
                        ILB_POLICY_RANDOM + 1);
    tcase_add_test(tc, the_list_is_checked);
    tcase_add_test(tc, an_empty_set_is_empty_whatever_is_excluded);
    tcase_add_test(tc, a_ticket_of_one_that_is_gone_excludes_nobody);
    tcase_add_test(tc, an_ejected_one_is_taken_when_all_others_are_excluded);
    tcase_add_test(tc, of_two_ejected_the_better);
    return s;
}
