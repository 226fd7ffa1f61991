/* SPDX-License-Identifier: MIT */
/* Updates: what is taken, what is refused, and that a refusal is whole. */
#include "suites.h"
#include "util.h"

static test_clock clock_ = TEST_CLOCK_INIT;

static ilb_balancer *balancer(uint32_t capacity)
{
    ilb_options o = test_options(&clock_, ILB_POLICY_DEFAULT, 1);

    o.capacity = capacity;
    return test_new(&o);
}

/* `n` endpoints in use: some learned, some in flight, one not ready. */
static ilb_balancer *used_balancer(uint32_t n, ilb_ticket *in_flight)
{
    ilb_balancer *b = balancer(8);

    test_update(b, 0, n);
    for (int i = 0; i < 40; i++)
        (void)test_request(b, &clock_, 5 * MS_NS,
                           i % 9 == 0 ? ILB_FAILURE : ILB_SUCCESS);
    *in_flight = test_pick(b);
    must_eq(ilb_balancer_set_readiness(b, test_address(n - 1), ILB_NOT_READY),
            ILB_OK);
    return b;
}

/* A refused list leaves the snapshot as it was, byte for byte. */
static void is_refused(ilb_balancer *b, const ilb_endpoint *list, size_t n,
                       int rc)
{
    static ilb_endpoint_stats before[16], after[16];
    size_t n_before = test_snapshot(b, before, 16);

    must_eq(ilb_balancer_update(b, list, n), rc);
    must_eq(test_snapshot(b, after, 16), n_before);
    must(memcmp(before, after, n_before * sizeof before[0]) == 0);
}

START_TEST(the_snapshot_has_the_callers_order)
{
    ilb_balancer *b = balancer(64);
    ilb_endpoint list[40];
    ilb_endpoint_stats stats[64];
    uint64_t random = 3;

    for (int round = 0; round < 50; round++) {
        uint32_t n = 1 + test_below(&random, 40);

        test_endpoints(list, 0, 40);
        for (uint32_t i = 39; i > 0; i--) {
            uint32_t k = test_below(&random, i + 1);
            ilb_endpoint e = list[i];

            list[i] = list[k];
            list[k] = e;
        }
        must_eq(ilb_balancer_update(b, list, n), ILB_OK);
        must_eq(test_snapshot(b, stats, 64), n);
        for (uint32_t i = 0; i < n; i++) {
            must_str(stats[i].address, list[i].address);
            must(stats[i].user == list[i].user);
            must_eq(stats[i].weight, 1);
            must_eq(stats[i].state, ILB_STATE_WARMING);
        }
    }
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_snapshot_copies_what_fits_and_says_how_many_there_are)
{
    ilb_balancer *b = balancer(8);
    ilb_endpoint_stats stats[8];
    size_t n = 0;

    test_update(b, 0, 5);
    memset(stats, 0x5a, sizeof stats);
    must_eq(ilb_balancer_snapshot(b, stats, 3, sizeof stats[0], &n), ILB_OK);
    must_eq(n, 5);
    must_str(stats[2].address, test_address(2));
    for (size_t i = 0; i < sizeof stats[3]; i++)
        must(((unsigned char *)&stats[3])[i] == 0x5a);
    ilb_balancer_free(b);
}
END_TEST

/* What was learned survives a new list with the same endpoint in it. */
START_TEST(learned_state_survives_an_update)
{
    ilb_ticket t;
    ilb_balancer *b = used_balancer(4, &t);
    ilb_endpoint_stats before[4], after;
    ilb_endpoint list[5];

    must_eq(test_snapshot(b, before, 4), 4);
    test_endpoints(list, 0, 4);
    list[3].readiness = ILB_NOT_READY;
    test_endpoints(&list[4], 90, 1);
    /* In another order, with a newcomer. */
    must_eq(ilb_balancer_update(b, &list[1], 4), ILB_OK);
    must_eq(ilb_balancer_update(b, list, 5), ILB_OK);
    for (uint32_t i = 1; i < 4; i++) {
        after = test_stats(b, i);
        must(before[i].done[ILB_SUCCESS] > 0);
        must(memcmp(&before[i], &after, sizeof after) == 0);
    }
    must_eq(test_stats(b, 90).done[ILB_SUCCESS], 0);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(duplicates_are_refused_whole)
{
    ilb_ticket t;
    ilb_balancer *b = used_balancer(4, &t);
    ilb_endpoint list[8];

    /* Of known ones, of new ones, next to each other and far apart. */
    for (uint32_t from = 0; from <= 100; from += 100)
        for (uint32_t i = 0; i < 8; i++)
            for (uint32_t k = i + 1; k < 8; k++) {
                char copy[16];

                test_endpoints(list, from, 8);
                (void)strcpy(copy, list[i].address);
                list[k].address = copy; /* equal by content, not by pointer */
                is_refused(b, list, 8, ILB_EDUPLICATE);
            }
    /* The plan that failed left nothing behind: the next one is clean. */
    test_endpoints(list, 100, 8);
    must_eq(ilb_balancer_update(b, list, 8), ILB_OK);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(bad_addresses_are_refused_whole)
{
    ilb_ticket t;
    ilb_balancer *b = used_balancer(3, &t);
    char longest[ILB_ADDRESS_MAX + 2];
    const char *bad[] = {NULL, "", "a\tb", "\n", "x\x7f", "\x01", longest};
    ilb_endpoint list[4];

    memset(longest, 'a', sizeof longest);
    longest[ILB_ADDRESS_MAX + 1] = '\0';
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (uint32_t at = 0; at < 4; at++) {
            test_endpoints(list, 50, 4);
            list[at].address = bad[i];
            is_refused(b, list, 4, ILB_EADDRESS);
        }
    longest[ILB_ADDRESS_MAX] = '\0';
    test_endpoints(list, 50, 4);
    list[1].address = longest;
    list[2].address = "unix:/run/\xc3\xbc ser.sock";
    must_eq(ilb_balancer_update(b, list, 4), ILB_OK);
    must_eq(ilb_balancer_set_readiness(b, longest, ILB_DRAINING), ILB_OK);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(bad_members_are_refused_whole)
{
    ilb_ticket t;
    ilb_balancer *b = used_balancer(3, &t);
    ilb_endpoint list[4];

    for (uint32_t at = 0; at < 4; at++) {
        test_endpoints(list, 50, 4);
        list[at].weight = ILB_WEIGHT_MAX + 1;
        is_refused(b, list, 4, ILB_EINVAL);
        list[at].weight = ILB_WEIGHT_MAX;
        list[at].readiness = (ilb_readiness)3;
        is_refused(b, list, 4, ILB_EINVAL);
        list[at].readiness = (ilb_readiness)-1;
        is_refused(b, list, 4, ILB_EINVAL);
        list[at].readiness = ILB_READY;
        for (size_t size = 0; size < 2 * sizeof list[0]; size++) {
            if (size == sizeof list[0])
                continue;
            list[at].size = size;
            is_refused(b, list, 4, ILB_EABI);
        }
    }
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(too_many_are_refused_whole)
{
    ilb_ticket t;
    ilb_balancer *b = used_balancer(3, &t);
    ilb_endpoint list[9];

    test_endpoints(list, 0, 9);
    is_refused(b, list, 9, ILB_ECAPACITY);
    /* A count beyond reason is refused before anything is read. */
    is_refused(b, list, SIZE_MAX, ILB_ECAPACITY);
    is_refused(b, list, SIZE_MAX / sizeof list[0] + 2, ILB_ECAPACITY);
    must_eq(ilb_balancer_update(b, list, 8), ILB_OK);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(addresses_are_copied)
{
    char address[] = "10.0.0.1:80";
    ilb_endpoint e = ILB_ENDPOINT(address);
    ilb_balancer *b = balancer(1);
    ilb_ticket t;

    must_eq(ilb_balancer_update(b, &e, 1), ILB_OK);
    memset(address, 'x', sizeof address - 1);
    t = test_pick(b);
    must_str(ilb_ticket_address(b, &t), "10.0.0.1:80");
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(an_empty_list_is_allowed)
{
    ilb_balancer *b = balancer(4);
    ilb_endpoint_stats stats[1];
    ilb_ticket t;

    must_eq(ilb_pick(b, &t, NULL), ILB_EEMPTY);
    must_eq(ilb_balancer_update(b, NULL, 0), ILB_OK);
    must_eq(ilb_pick(b, &t, NULL), ILB_EEMPTY);
    test_update(b, 0, 4);
    (void)test_request(b, &clock_, MS_NS, ILB_SUCCESS);
    must_eq(ilb_balancer_update(b, NULL, 0), ILB_OK);
    must_eq(ilb_pick(b, &t, NULL), ILB_EEMPTY);
    must_eq(test_snapshot(b, stats, 1), 0);
    test_update(b, 2, 1);
    (void)test_request(b, &clock_, MS_NS, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(weights_and_user_pointers_follow_the_list)
{
    ilb_balancer *b = balancer(4);
    ilb_endpoint list[2];
    int mine = 0;
    ilb_ticket t;

    test_endpoints(list, 0, 2);
    list[0].weight = 0; /* the default */
    list[1].weight = ILB_WEIGHT_MAX;
    must_eq(ilb_balancer_update(b, list, 2), ILB_OK);
    must_eq(test_stats(b, 0).weight, 1);
    must_eq(test_stats(b, 1).weight, ILB_WEIGHT_MAX);
    t = test_pick(b);
    list[0].weight = 7;
    list[0].user = list[1].user = &mine;
    must_eq(ilb_balancer_update(b, list, 2), ILB_OK);
    must_eq(test_stats(b, 0).weight, 7);
    must(test_stats(b, 0).user == &mine);
    must(ilb_ticket_user(b, &t) == &mine);
    list[0].user = list[1].user = NULL;
    must_eq(ilb_balancer_update(b, list, 2), ILB_OK);
    must(ilb_ticket_user(b, &t) == NULL);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_update(void)
{
    Suite *s = suite_create("api update");
    TCase *tc = test_case(s, "taken");

    tcase_add_test(tc, the_snapshot_has_the_callers_order);
    tcase_add_test(tc, a_snapshot_copies_what_fits_and_says_how_many_there_are);
    tcase_add_test(tc, learned_state_survives_an_update);
    tcase_add_test(tc, addresses_are_copied);
    tcase_add_test(tc, an_empty_list_is_allowed);
    tcase_add_test(tc, weights_and_user_pointers_follow_the_list);
    tc = test_case(s, "refused");
    tcase_add_test(tc, duplicates_are_refused_whole);
    tcase_add_test(tc, bad_addresses_are_refused_whole);
    tcase_add_test(tc, bad_members_are_refused_whole);
    tcase_add_test(tc, too_many_are_refused_whole);
    return s;
}
