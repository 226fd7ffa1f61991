/* SPDX-License-Identifier: MIT */
/* The callback: when it is called, in which order, and what it may do. */
#include "suites.h"
#include "util.h"

#define HEARD 4096

/* A balancer whose callback keeps what it hears. */
typedef struct listener {
    test_clock clock;
    ilb_balancer *b;
    ilb_event heard[HEARD];
    size_t n;
    uint32_t depth;
    bool picking; /* inside ilb_pick: nothing may be told */
    void (*then)(struct listener *l, const ilb_event *event);
} listener;

static void hear(const ilb_event *event, void *user)
{
    listener *l = user;

    must_eq(l->depth, 0);
    must(!l->picking);
    must(l->n < HEARD);
    l->depth++;
    l->heard[l->n++] = *event;
    if (l->then != NULL)
        l->then(l, event);
    l->depth--;
}

static listener *listen(uint32_t n, uint32_t capacity)
{
    const test_clock start = TEST_CLOCK_INIT;
    listener *l = calloc(1, sizeof *l);
    ilb_options o;

    must(l != NULL);
    l->clock = start;
    o = test_options(&l->clock, ILB_POLICY_RANDOM, 1);
    o.event_capacity = capacity;
    o.on_event = hear;
    o.event_user = l;
    o.base_ejection_time_ns = o.max_ejection_time_ns = S_NS;
    l->b = test_new(&o);
    test_update(l->b, 0, n);
    return l;
}

static void listener_free(listener *l)
{
    ilb_balancer_free(l->b);
    free(l);
}

static ilb_ticket pick(listener *l)
{
    ilb_ticket t;

    l->picking = true;
    t = test_pick(l->b);
    l->picking = false;
    return t;
}

/* `n` requests; those to pod 1 fail. */
static void requests(listener *l, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        ilb_ticket t = pick(l);

        l->clock.now_ns += 20 * MS_NS;
        test_done(l->b, &t,
                  test_number(l->b, &t) == 1 ? ILB_FAILURE : ILB_SUCCESS);
    }
}

/* All that the balancer has told is what it kept, in order and whole. */
static void heard_is_kept(const listener *l)
{
    ilb_event *kept = calloc(HEARD, sizeof *kept);
    size_t n = 0;

    must(kept != NULL);
    must_eq(ilb_balancer_events(l->b, 0, kept, HEARD, sizeof *kept, &n),
            ILB_OK);
    must_eq(n, l->n);
    must(memcmp(kept, l->heard, n * sizeof *kept) == 0);
    for (size_t i = 0; i < n; i++)
        must_eq(kept[i].number, i + 1);
    free(kept);
}

static size_t count(const listener *l, ilb_event_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        n += l->heard[i].type == type;
    return n;
}

START_TEST(each_event_is_told_once_and_in_order)
{
    listener *l = listen(4, 2048);

    must_eq(l->n, 4); /* by the update */
    requests(l, 2000);
    heard_is_kept(l);
    must(count(l, ILB_EVENT_EJECT) > 0);
    must(count(l, ILB_EVENT_PROBE_STARTED) > 10);
    must(count(l, ILB_EVENT_PROBE_FAILED) > 10);
    must(count(l, ILB_EVENT_HEALTHY) >= 3);
    listener_free(l);
}
END_TEST

START_TEST(a_readiness_is_told_by_the_call_that_says_it)
{
    listener *l = listen(4, 0);

    must_eq(ilb_balancer_set_readiness(l->b, test_address(2), ILB_NOT_READY),
            ILB_OK);
    must_eq(l->n, 5);
    must_eq(l->heard[4].type, ILB_EVENT_READINESS);
    must_eq(ilb_balancer_set_readiness(l->b, test_address(2), ILB_NOT_READY),
            ILB_OK);
    must_eq(l->n, 5);
    listener_free(l);
}
END_TEST

/* A pick that begins a probe says nothing yet. */
static listener *with_probe(ilb_ticket *t)
{
    listener *l = listen(4, 0);

    while (count(l, ILB_EVENT_EJECT) == 0)
        requests(l, 1);
    l->clock.now_ns += 2 * S_NS;
    l->n = 0;
    *t = pick(l);
    must_eq(test_number(l->b, t), 1);
    must_eq(l->n, 0);
    return l;
}

START_TEST(what_a_pick_did_is_told_by_the_next_end)
{
    ilb_ticket t, other;
    listener *l = with_probe(&t);

    other = pick(l);
    must_eq(l->n, 0);
    test_done(l->b, &other, ILB_SUCCESS);
    must_eq(l->n, 1);
    must_eq(l->heard[0].type, ILB_EVENT_PROBE_STARTED);
    test_done(l->b, &t, ILB_SUCCESS);
    must_eq(l->n, 2);
    must_eq(l->heard[1].type, ILB_EVENT_UNEJECT);
    listener_free(l);
}
END_TEST

START_TEST(what_a_pick_did_is_told_by_a_tick)
{
    ilb_ticket t;
    listener *l = with_probe(&t);

    must_eq(ilb_tick(l->b, 0), ILB_OK);
    must_eq(l->n, 1);
    must_eq(l->heard[0].type, ILB_EVENT_PROBE_STARTED);
    must_eq(ilb_tick(l->b, l->clock.now_ns), ILB_OK);
    must_eq(l->n, 1);
    listener_free(l);
}
END_TEST

/* All calls: with a lock held one of them would wait for ever. */
static void call_back(listener *l, const ilb_event *event)
{
    static ilb_endpoint_stats stats[16];
    static ilb_event kept[16];
    static ilb_explanation why;
    ilb_ticket t;
    size_t n;

    if (event->number > 20)
        return;
    must_eq(ilb_balancer_snapshot(l->b, stats, 16, sizeof stats[0], &n),
            ILB_OK);
    must_eq(ilb_balancer_events(l->b, 0, kept, 16, sizeof kept[0], &n), ILB_OK);
    must(n > 0);
    test_update(l->b, 0, (uint32_t)event->number % 2 ? 5 : 4);
    must_eq(ilb_balancer_set_readiness(l->b, test_address(3), ILB_NOT_READY),
            ILB_OK);
    must_eq(ilb_pick_explained(l->b, &t, NULL, &why, sizeof why), ILB_OK);
    test_done(l->b, &t, ILB_SUCCESS);
    must_eq(ilb_tick(l->b, 0), ILB_OK);
}

START_TEST(it_may_call_back_and_is_not_called_from_inside_itself)
{
    listener *l = listen(4, 2048);

    l->then = call_back;
    requests(l, 200);
    must(l->n > 20);
    heard_is_kept(l);
    listener_free(l);
}
END_TEST

/* It makes more events than the ring keeps, each time it is called. */
static void flood(listener *l, const ilb_event *event)
{
    if (event->number != 5)
        return;
    for (uint32_t i = 0; i < 40; i++)
        must_eq(ilb_balancer_set_readiness(l->b, test_address(2),
                                           i % 2 ? ILB_READY : ILB_NOT_READY),
                ILB_OK);
}

START_TEST(a_slow_callback_misses_the_oldest_and_can_see_it)
{
    listener *l = listen(4, 16);

    l->then = flood;
    must_eq(ilb_balancer_set_readiness(l->b, test_address(3), ILB_NOT_READY),
            ILB_OK);
    must_eq(l->n, 4 + 1 + 16);
    must_eq(l->heard[4].number, 5);
    for (size_t i = 5; i < l->n; i++)
        must_eq(l->heard[i].number, 5 + 40 - 16 + (i - 4));
    listener_free(l);
}
END_TEST

/* Promise 7: to be told, or to ask why, changes no pick. */
static uint32_t course(uint32_t event_capacity, bool told, bool explained,
                       uint32_t *numbers, uint32_t n)
{
    static listener l;
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_DEFAULT, 7);
    uint32_t ejections = 0;
    uint64_t random = 5;
    ilb_balancer *b;

    memset(&l, 0, sizeof l);
    o.event_capacity = event_capacity;
    o.on_event = told ? hear : NULL;
    o.event_user = &l;
    b = test_new(&o);
    test_update(b, 0, 6);
    for (uint32_t i = 0; i < n; i++) {
        static ilb_explanation why;
        ilb_ticket t;

        l.n = 0;
        if (explained)
            must_eq(ilb_pick_explained(b, &t, NULL, &why, sizeof why), ILB_OK);
        else
            t = test_pick(b);
        numbers[i] = test_number(b, &t);
        clock.now_ns += MS_NS * (1 + test_below(&random, 30));
        test_done(b, &t,
                  numbers[i] == 1 && i % 800 < 400 ? ILB_FAILURE : ILB_SUCCESS);
    }
    ejections = (uint32_t)test_stats(b, 1).ejections;
    ilb_balancer_free(b);
    return ejections;
}

START_TEST(to_be_told_or_to_ask_changes_no_pick)
{
    static uint32_t plain[20000], other[20000];
    const uint32_t n = 20000;

    must(course(ILB_NEVER, false, false, plain, n) > 5);
    (void)course(0, false, false, other, n);
    must(memcmp(plain, other, sizeof plain) == 0);
    (void)course(3, true, false, other, n);
    must(memcmp(plain, other, sizeof plain) == 0);
    (void)course(0, true, true, other, n);
    must(memcmp(plain, other, sizeof plain) == 0);
}
END_TEST

Suite *suite_api_event_calls(void)
{
    Suite *s = suite_create("api event calls");
    TCase *tc = test_case(s, "callback");

    tcase_add_test(tc, each_event_is_told_once_and_in_order);
    tcase_add_test(tc, a_readiness_is_told_by_the_call_that_says_it);
    tcase_add_test(tc, what_a_pick_did_is_told_by_the_next_end);
    tcase_add_test(tc, what_a_pick_did_is_told_by_a_tick);
    tcase_add_test(tc, it_may_call_back_and_is_not_called_from_inside_itself);
    tcase_add_test(tc, a_slow_callback_misses_the_oldest_and_can_see_it);
    tcase_add_test(tc, to_be_told_or_to_ask_changes_no_pick);
    return s;
}
