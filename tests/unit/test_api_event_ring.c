/* SPDX-License-Identifier: MIT */
/* Reading events: a ring that old ones leave, pieces, and what is refused. */
#include "suites.h"
#include "util.h"

static ilb_balancer *with_capacity(test_clock *clock, uint32_t capacity)
{
    ilb_options o = test_options(clock, ILB_POLICY_RANDOM, 1);

    o.event_capacity = capacity;
    return test_new(&o);
}

START_TEST(old_events_make_room_and_the_numbers_show_it)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = with_capacity(&clock, 8);

    test_update(b, 0, 1);
    for (uint32_t i = 0; i < 20; i++) {
        must_eq(ilb_balancer_set_readiness(b, test_address(0),
                                           i % 2 ? ILB_READY : ILB_NOT_READY),
                ILB_OK);
        must_eq(test_events_read(b, 0), i + 2 < 8 ? i + 2 : 8);
        must_eq(test_events_last(b), i + 2);
    }
    must_eq(test_events_read(b, 0), 8);
    must_eq(test_events[0].number, 14);
    must_eq(test_events_read(b, 13), 8);
    must_eq(test_events_read(b, 14), 7);
    must_eq(test_events[0].number, 15);
    must_eq(test_events_read(b, 21), 0);
    must_eq(test_events_read(b, 22), 0);
    must_eq(test_events_read(b, UINT64_MAX), 0);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(events_are_copied_in_pieces)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = with_capacity(&clock, 64);
    size_t n = 7;

    test_update(b, 0, 10);
    memset(test_events, 0xee, sizeof test_events);
    must_eq(
        ilb_balancer_events(b, 0, test_events, 4, sizeof test_events[0], &n),
        ILB_OK);
    must_eq(n, 4);
    must_eq(test_events[3].number, 4);
    must_eq(test_events[4].number, UINT64_C(0xeeeeeeeeeeeeeeee));
    must_eq(
        ilb_balancer_events(b, 8, test_events, 4, sizeof test_events[0], &n),
        ILB_OK);
    must_eq(n, 2);
    must_eq(test_events[0].number, 9);
    must_eq(ilb_balancer_events(b, 0, NULL, 0, sizeof test_events[0], &n),
            ILB_OK);
    must_eq(n, 0);
    ilb_balancer_free(b);
}
END_TEST

/* A list of a thousand must not push out what is worth knowing. */
START_TEST(a_large_update_is_told_in_a_quarter_of_the_ring)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b;
    ilb_endpoint list[200];
    uint64_t last;

    o.event_capacity = 40;
    b = test_new(&o);
    test_update(b, 0, 11);
    must_eq(test_events_read(b, 0), 11); /* no summary of none */
    test_update(b, 0, 200);
    must_eq(test_events_read(b, 11), 12);
    must_str(test_events[0].address, test_address(11));
    must_str(test_events[10].address, test_address(21));
    must_eq(test_events[11].type, ILB_EVENT_UPDATED);
    must_str(test_events[11].address, "");
    must_eq(test_events[11].entered, 200 - 11 - 11);
    must_eq(test_events[11].left, 0);
    must_eq(test_events[11].readiness, 0);
    last = test_events[11].number;
    test_endpoints(list, 100, 200);
    for (uint32_t i = 0; i < 50; i++)
        list[i].readiness = ILB_NOT_READY;
    must_eq(ilb_balancer_update(b, list, 200), ILB_OK);
    must_eq(test_events_read(b, last), 12);
    must_eq(test_events[11].type, ILB_EVENT_UPDATED);
    must_eq(test_events[11].entered, 100);
    must_eq(test_events[11].left, 100);
    must_eq(test_events[11].readiness, 50 - 11);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_ring_of_one_works)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = with_capacity(&clock, 1);

    test_update(b, 0, 3);
    must_eq(test_events_read(b, 0), 1);
    must_eq(test_events[0].type, ILB_EVENT_UPDATED);
    must_eq(test_events[0].number, 2);
    must_eq(test_events[0].entered, 2);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(none_are_kept_if_none_are_wanted)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_balancer *b = with_capacity(&clock, ILB_NEVER);
    size_t n = 3;

    test_update(b, 0, 2);
    for (uint32_t i = 0; i < 40; i++) {
        ilb_ticket t = test_pick(b);

        clock.now_ns += 20 * MS_NS;
        test_done(b, &t, test_number(b, &t) == 0 ? ILB_FAILURE : ILB_SUCCESS);
    }
    must(test_stats(b, 0).ejections > 0);
    must_eq(
        ilb_balancer_events(b, 0, test_events, 3, sizeof test_events[0], &n),
        ILB_OK);
    must_eq(n, 0);
    ilb_balancer_free(b);
}
END_TEST

static void nothing(const ilb_event *event, void *user)
{
    (void)event;
    (void)user;
}

static int made_with(uint32_t capacity, ilb_event_callback on_event)
{
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_balancer *b = NULL;
    int rc;

    o.event_capacity = capacity;
    o.on_event = on_event;
    rc = ilb_balancer_new(&b, "x", &o);
    must((rc == ILB_OK) == (b != NULL));
    ilb_balancer_free(b);
    return rc;
}

START_TEST(bounds_of_the_capacity)
{
    must_eq(made_with(0, nothing), ILB_OK);
    must_eq(made_with(1, nothing), ILB_OK);
    must_eq(made_with(ILB_EVENT_CAPACITY_MAX, nothing), ILB_OK);
    must_eq(made_with(ILB_EVENT_CAPACITY_MAX + 1, NULL), ILB_EINVAL);
    must_eq(made_with(ILB_NEVER - 1, NULL), ILB_EINVAL);
    must_eq(made_with(ILB_NEVER, NULL), ILB_OK);
    /* It would never be called. */
    must_eq(made_with(ILB_NEVER, nothing), ILB_EINVAL);
}
END_TEST

START_TEST(the_default_capacity_is_256)
{
    ilb_balancer *b = test_new(NULL);
    size_t n;

    test_update(b, 0, 1);
    for (int i = 0; i < 300; i++)
        must_eq(ilb_balancer_set_readiness(b, test_address(0),
                                           i % 2 ? ILB_READY : ILB_NOT_READY),
                ILB_OK);
    n = test_events_read(b, 0);
    must_eq(n, 256);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
    ilb_balancer *b = test_new(NULL);
    size_t n = 77;

    must_eq(
        ilb_balancer_events(NULL, 0, test_events, 1, sizeof test_events[0], &n),
        ILB_EINVAL);
    must_eq(ilb_balancer_events(b, 0, NULL, 1, sizeof test_events[0], &n),
            ILB_EINVAL);
    must_eq(
        ilb_balancer_events(b, 0, test_events, 1, sizeof test_events[0], NULL),
        ILB_EINVAL);
    must_eq(ilb_balancer_events(b, 0, test_events, 1, sizeof test_events[0] - 8,
                                &n),
            ILB_EABI);
    must_eq(ilb_balancer_events(b, 0, test_events, 1, 0, &n), ILB_EABI);
    must_eq(n, 77);
    must_eq(ilb_tick(NULL, 0), ILB_EINVAL);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_event_ring(void)
{
    Suite *s = suite_create("api event ring");
    TCase *tc = test_case(s, "ring");

    tcase_add_test(tc, old_events_make_room_and_the_numbers_show_it);
    tcase_add_test(tc, events_are_copied_in_pieces);
    tcase_add_test(tc, a_large_update_is_told_in_a_quarter_of_the_ring);
    tcase_add_test(tc, a_ring_of_one_works);
    tcase_add_test(tc, none_are_kept_if_none_are_wanted);
    tcase_add_test(tc, bounds_of_the_capacity);
    tcase_add_test(tc, the_default_capacity_is_256);
    tcase_add_test(tc, bad_arguments_are_refused);
    return s;
}
