/* SPDX-License-Identifier: MIT */
/* base/memory.h and base/options.h. */
#include "base/memory.h"
#include "base/options.h"
#include "suites_internal.h"
#include "util.h"

/* ---- The arena --------------------------------------------------------- */

START_TEST(parts_follow_each_other_on_lines_of_their_own)
{
    static _Alignas(64) unsigned char block[64 * 64];
    ilb__arena count = {NULL, 0}, hand = {block, 0};
    uint64_t random = 1;
    size_t end = 0;

    for (int i = 0; i < 20; i++) {
        size_t n = test_below(&random, 20), bytes = test_below(&random, 9);
        unsigned char *p;

        must(ilb__arena_take(&count, n, bytes) == NULL);
        p = ilb__arena_take(&hand, n, bytes);
        must(p == block + end);
        must_eq((uintptr_t)p % ILB_CACHELINE_BYTES, 0);
        end += (n * bytes + 63) / 64 * 64;
        must_eq(hand.used_bytes, end);
        must_eq(count.used_bytes, end);
    }
}
END_TEST

START_TEST(a_sum_or_product_that_overflows_is_too_much_for_ever)
{
    static const struct {
        size_t n, bytes;
    } rows[] = {
        {SIZE_MAX, 1},           {1, SIZE_MAX},       {SIZE_MAX, SIZE_MAX},
        {SIZE_MAX / 2 + 1, 2},   {SIZE_MAX / 16, 17}, {SIZE_MAX - 63, 1},
        {SIZE_MAX / 64 + 1, 64},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ilb__arena a = {NULL, 64};

        must(ilb__arena_take(&a, rows[i].n, rows[i].bytes) == NULL);
        must(a.used_bytes == SIZE_MAX);
        must(ilb__arena_take(&a, 1, 1) == NULL);
        must(a.used_bytes == SIZE_MAX);
    }
}
END_TEST

START_TEST(parts_that_overflow_together_are_too_much)
{
    ilb__arena a = {NULL, 0};

    (void)ilb__arena_take(&a, SIZE_MAX / 2, 1);
    must(a.used_bytes < SIZE_MAX);
    (void)ilb__arena_take(&a, SIZE_MAX / 2, 1);
    must(a.used_bytes == SIZE_MAX);
}
END_TEST

START_TEST(the_default_allocator_gives_zeroed_memory)
{
    ilb_allocator a = ilb__allocator_or_default(NULL);
    unsigned char *p = a.allocate(1000, a.user);
    test_memory m;

    must(p != NULL);
    for (int i = 0; i < 1000; i++)
        must(p[i] == 0);
    a.release(p, a.user);
    test_memory_init(&m);
    a = ilb__allocator_or_default(&m.allocator);
    must(a.user == &m && a.allocate == m.allocator.allocate);
}
END_TEST

/* ---- Structs that grow ------------------------------------------------- */

typedef struct thing {
    size_t size;
    uint32_t first, second;
    uint64_t third; /* came later */
} thing;

START_TEST(an_older_callers_struct_is_filled_up)
{
    thing theirs = {offsetof(thing, third), 1, 2, 77}, ours;

    memset(&ours, 0xff, sizeof ours);
    must_eq(
        ilb__struct_read(&ours, sizeof ours, &theirs, offsetof(thing, third)),
        ILB_OK);
    must_eq(ours.size, sizeof ours);
    must_eq(ours.first, 1);
    must_eq(ours.second, 2);
    must_eq(ours.third, 0);
    theirs.size--;
    must_eq(
        ilb__struct_read(&ours, sizeof ours, &theirs, offsetof(thing, third)),
        ILB_EABI);
}
END_TEST

START_TEST(a_refused_struct_is_not_copied)
{
    thing theirs = {0, 1, 2, 3}, ours = {9, 9, 9, 9};

    must_eq(ilb__struct_read(&ours, sizeof ours, &theirs, sizeof theirs),
            ILB_EABI);
    theirs.size = SIZE_MAX;
    must_eq(ilb__struct_read(&ours, sizeof ours, &theirs, sizeof theirs),
            ILB_EABI);
    must(ours.size == 9 && ours.first == 9 && ours.third == 9);
}
END_TEST

START_TEST(defaults_are_put_in)
{
    ilb_options o;

    must_eq(ilb__options_read(&o, NULL), ILB_OK);
    must_eq(o.size, sizeof o);
    must_eq(o.policy, ILB_POLICY_PEAK_EWMA);
    must_eq(o.capacity, 1024);
    /* As ilb.h says. */
    must_eq(o.consecutive_failures, TEST_CONSECUTIVE);
    must_eq(o.max_ejection_percent, 100);
    must_eq(o.base_ejection_time_ns, (uint64_t)(TEST_EJECTION_S * 1e9));
    must_eq(o.max_ejection_time_ns, (uint64_t)(TEST_EJECTION_MAX_S * 1e9));
    must(o.clock_ns == NULL && o.allocator == NULL && o.seed == 0);
    must_eq(o.fail_mode, ILB_FAIL_OPEN);
    must_eq(o.panic_threshold_percent, 0);
    must_eq(o.min_endpoints, 1);
    must_eq(o.max_retry_after_ns, 300 * S_NS);
    must_eq(o.unhealthy_threshold, 3);
    must_eq(o.healthy_threshold, 2);
    must_eq(o.check_effect, ILB_CHECK_PROBES);
    must_eq(o.slow_start_ns, 0);
    must_eq(o.latency_margin_ns, 20 * MS_NS);
    must_eq(o.detectors_off | o.detectors_shadow, 0);
    must_eq(o.event_capacity, 256);
    must(o.on_event == NULL);
}
END_TEST

START_TEST(what_is_set_is_kept)
{
    ilb_options o = ILB_OPTIONS_INIT, r;

    o.policy = ILB_POLICY_RANDOM;
    o.capacity = 5;
    o.consecutive_failures = ILB_NEVER;
    o.max_ejection_percent = 7;
    o.base_ejection_time_ns = 11;
    o.max_ejection_time_ns = 13;
    o.seed = 17;
    o.fail_mode = ILB_FAIL_CLOSED;
    o.panic_threshold_percent = 19;
    o.min_endpoints = 23;
    o.detectors_off = 32;
    o.detectors_shadow = 64;
    o.max_retry_after_ns = 29;
    o.unhealthy_threshold = 31;
    o.healthy_threshold = 37;
    o.check_effect = ILB_CHECK_UNEJECTS;
    o.slow_start_ns = 41;
    o.latency_margin_ns = 43;
    o.event_capacity = 19;
    must_eq(ilb__options_read(&r, &o), ILB_OK);
    must(memcmp(&o, &r, sizeof r) == 0);
}
END_TEST

/* If one of the two times is given, the other's default gives way. */
START_TEST(one_time_makes_way_for_the_other)
{
    ilb_options o = ILB_OPTIONS_INIT, r;

    o.max_ejection_time_ns = 5 * S_NS;
    must_eq(ilb__options_read(&r, &o), ILB_OK);
    must_eq(r.base_ejection_time_ns, 5 * S_NS);
    o.max_ejection_time_ns = 0;
    o.base_ejection_time_ns = 300 * S_NS;
    must_eq(ilb__options_read(&r, &o), ILB_OK);
    must_eq(r.max_ejection_time_ns, 300 * S_NS);
}
END_TEST

START_TEST(texts)
{
    char c[2] = {0, 0};

    must(!ilb__text_ok(NULL, 5));
    must(!ilb__text_ok("", 5));
    must(ilb__text_ok("12345", 5));
    must(!ilb__text_ok("123456", 5));
    for (int i = 1; i < 256; i++) {
        c[0] = (char)(unsigned char)i;
        must(ilb__text_ok(c, 1) == (i >= 0x20 && i != 0x7f));
    }
}
END_TEST

Suite *suite_memory(void)
{
    Suite *s = suite_create("memory");
    TCase *tc = test_case(s, "arena");

    tcase_add_test(tc, parts_follow_each_other_on_lines_of_their_own);
    tcase_add_test(tc, a_sum_or_product_that_overflows_is_too_much_for_ever);
    tcase_add_test(tc, parts_that_overflow_together_are_too_much);
    tcase_add_test(tc, the_default_allocator_gives_zeroed_memory);
    tc = test_case(s, "options");
    tcase_add_test(tc, an_older_callers_struct_is_filled_up);
    tcase_add_test(tc, a_refused_struct_is_not_copied);
    tcase_add_test(tc, defaults_are_put_in);
    tcase_add_test(tc, what_is_set_is_kept);
    tcase_add_test(tc, one_time_makes_way_for_the_other);
    tcase_add_test(tc, texts);
    return s;
}
