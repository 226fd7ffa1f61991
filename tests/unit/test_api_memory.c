/* SPDX-License-Identifier: MIT */
/* One allocation a balancer, given back once; none afterwards. */
#include "suites.h"
#include "util.h"

START_TEST(a_failed_allocation_is_reported_and_leaks_nothing)
{
    for (uint64_t k = 1; k <= 4; k++) {
        ilb_options o = ILB_OPTIONS_INIT;
        ilb_balancer *b = NULL;
        test_memory m;
        int rc;

        test_memory_init(&m);
        m.fail_at = k;
        o.allocator = &m.allocator;
        rc = ilb_balancer_new(&b, "x", &o);
        if (k == 1) {
            /* It asks once, so that is the only one which can fail. */
            must_eq(rc, ILB_ENOMEM);
            must(b == NULL);
            must_eq(m.n_allocated, 1);
            must_eq(m.n_released, 0);
            continue;
        }
        must_eq(rc, ILB_OK);
        must_eq(m.n_allocated, 1);
        ilb_balancer_free(b);
        must_eq(m.n_released, 1);
    }
}
END_TEST

/* Updates, picks, ends, snapshots: all without the allocator. */
static void use(ilb_balancer *b, test_clock *clock)
{
    static ilb_endpoint_stats stats[256];
    static ilb_event events[256];
    static ilb_explanation why;
    ilb_ticket held[8];

    for (uint32_t round = 0; round < 50; round++) {
        ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
        ilb_ticket again;
        size_t n;

        test_update(b, round % 5 * 10, 1 + round % 20);
        for (int i = 0; i < 8; i++)
            held[i] = test_pick(b);
        clock->now_ns += 50 * MS_NS;
        (void)ilb_first_byte(b, &held[0], 0);
        test_update(b, round % 3 * 7, 10);
        for (uint32_t i = 0; i < 8; i++)
            test_done(b, &held[i],
                      (ilb_outcome)((i + round) % ILB_OUTCOME_COUNT));
        o.exclude = held;
        o.n_exclude = 8;
        must_eq(ilb_pick_explained(b, &again, &o, &why, sizeof why), ILB_OK);
        test_done(b, &again, ILB_SUCCESS);
        (void)test_snapshot(b, stats, 256);
        must_eq(ilb_balancer_events(b, 0, events, 256, sizeof events[0], &n),
                ILB_OK);
        must_eq(ilb_tick(b, 0), ILB_OK);
        must_eq(ilb_balancer_set_readiness(b, stats[0].address, ILB_NOT_READY),
                ILB_OK);
    }
}

START_TEST(nothing_allocates_after_the_first_call)
{
    for (int policy = 1; policy <= 4; policy++) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_options o = test_options(&clock, (ilb_policy)policy, 1);
        ilb_balancer *b;
        test_memory m;

        test_memory_init(&m);
        o.allocator = &m.allocator;
        b = test_new(&o);
        use(b, &clock);
        must_eq(m.n_allocated, 1);
        must_eq(m.n_released, 0);
        ilb_balancer_free(b);
        must_eq(m.n_allocated, 1);
        must_eq(m.n_released, 1);
    }
}
END_TEST

/* malloc's 16 bytes are all that an allocator owes. */
START_TEST(memory_needs_no_more_than_usual_alignment)
{
    for (size_t shift = 0; shift <= 64; shift += 16) {
        test_clock clock = TEST_CLOCK_INIT;
        ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 1);
        ilb_balancer *b;
        test_memory m;

        test_memory_init(&m);
        m.shift = shift;
        o.allocator = &m.allocator;
        b = test_new(&o);
        use(b, &clock);
        ilb_balancer_free(b);
        must_eq(m.n_released, 1);
    }
}
END_TEST

START_TEST(the_allocator_is_a_copy)
{
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_allocator a;
    ilb_balancer *b;
    test_memory m;

    test_memory_init(&m);
    a = m.allocator;
    o.allocator = &a;
    b = test_new(&o);
    memset(&a, 0, sizeof a);
    ilb_balancer_free(b);
    must_eq(m.n_released, 1);
}
END_TEST

START_TEST(free_with_requests_in_flight)
{
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_balancer *b;
    test_memory m;

    test_memory_init(&m);
    o.allocator = &m.allocator;
    b = test_new(&o);
    test_update(b, 0, 3);
    for (int i = 0; i < 5; i++)
        (void)test_pick(b);
    ilb_balancer_free(b);
    must_eq(m.n_released, 1);
}
END_TEST

static size_t bytes_for_events(uint32_t event_capacity)
{
    ilb_options o = ILB_OPTIONS_INIT;
    test_memory m;

    test_memory_init(&m);
    o.allocator = &m.allocator;
    o.event_capacity = event_capacity;
    ilb_balancer_free(test_new(&o));
    must_eq(m.n_allocated, 1);
    must_eq(m.n_released, 1);
    return m.bytes;
}

START_TEST(events_are_kept_in_the_same_memory)
{
    size_t none = bytes_for_events(ILB_NEVER);

    must_eq(bytes_for_events(100) - none, 100 * 384);
    must_eq(bytes_for_events(ILB_EVENT_CAPACITY_MAX) - none,
            ILB_EVENT_CAPACITY_MAX * 384);
}
END_TEST

Suite *suite_api_memory(void)
{
    Suite *s = suite_create("api memory");
    TCase *tc = test_case(s, "memory");

    tcase_add_test(tc, a_failed_allocation_is_reported_and_leaks_nothing);
    tcase_add_test(tc, nothing_allocates_after_the_first_call);
    tcase_add_test(tc, memory_needs_no_more_than_usual_alignment);
    tcase_add_test(tc, the_allocator_is_a_copy);
    tcase_add_test(tc, free_with_requests_in_flight);
    tcase_add_test(tc, events_are_kept_in_the_same_memory);
    return s;
}
