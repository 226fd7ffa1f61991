/* SPDX-License-Identifier: MIT */
/* Options: every bound, the defaults, and structs that grow. */
#include <limits.h>

#include "suites.h"
#include "util.h"

/* Refused with `rc`, and nothing written. */
static void is_refused(const char *name, const ilb_options *o, int rc)
{
    ilb_balancer *none = (ilb_balancer *)(uintptr_t)64;
    ilb_balancer *b = none;

    must_eq(ilb_balancer_new(&b, name, o), rc);
    must(b == none);
}

static void is_taken(const char *name, const ilb_options *o)
{
    ilb_balancer *b = NULL;

    must_eq(ilb_balancer_new(&b, name, o), ILB_OK);
    must_str(ilb_balancer_name(b), name);
    ilb_balancer_free(b);
}

static ilb_options defaults(void)
{
    ilb_options o = ILB_OPTIONS_INIT;

    return o;
}

START_TEST(null_is_refused_where_it_must_not_be)
{
    ilb_ticket t;
    size_t n = 0;
    ilb_endpoint e = ILB_ENDPOINT("a");
    ilb_result r = ILB_RESULT_INIT;
    ilb_endpoint_stats stats;
    ilb_balancer *b = test_new(NULL);

    memset(&t, 0, sizeof t);
    must_eq(ilb_balancer_new(NULL, "x", NULL), ILB_EINVAL);
    must(ilb_balancer_name(NULL) == NULL);
    must_eq(ilb_balancer_update(NULL, &e, 1), ILB_EINVAL);
    must_eq(ilb_balancer_update(b, NULL, 1), ILB_EINVAL);
    must_eq(ilb_balancer_update(b, NULL, 0), ILB_OK);
    must_eq(ilb_balancer_set_readiness(NULL, "a", ILB_READY), ILB_EINVAL);
    must_eq(ilb_balancer_set_readiness(b, NULL, ILB_READY), ILB_EINVAL);
    must_eq(ilb_pick(NULL, &t, NULL), ILB_EINVAL);
    must_eq(ilb_pick(b, NULL, NULL), ILB_EINVAL);
    must_eq(ilb_done(NULL, &t, ILB_SUCCESS), ILB_EINVAL);
    must_eq(ilb_done(b, NULL, ILB_SUCCESS), ILB_EINVAL);
    must_eq(ilb_done_with(NULL, &t, &r), ILB_EINVAL);
    must_eq(ilb_done_with(b, NULL, &r), ILB_EINVAL);
    must_eq(ilb_done_with(b, &t, NULL), ILB_EINVAL);
    must_eq(ilb_first_byte(NULL, &t, 0), ILB_EINVAL);
    must_eq(ilb_first_byte(b, NULL, 0), ILB_EINVAL);
    must(ilb_ticket_address(NULL, &t) == NULL);
    must(ilb_ticket_address(b, NULL) == NULL);
    must(ilb_ticket_user(NULL, &t) == NULL);
    must(ilb_ticket_user(b, NULL) == NULL);
    must_eq(ilb_balancer_snapshot(NULL, &stats, 1, sizeof stats, &n),
            ILB_EINVAL);
    must_eq(ilb_balancer_snapshot(b, NULL, 1, sizeof stats, &n), ILB_EINVAL);
    must_eq(ilb_balancer_snapshot(b, &stats, 1, sizeof stats, NULL),
            ILB_EINVAL);
    must_eq(ilb_balancer_snapshot(b, NULL, 0, sizeof stats, &n), ILB_OK);
    ilb_balancer_free(b);
    ilb_balancer_free(NULL);
}
END_TEST

START_TEST(names_are_checked)
{
    char text[ILB_NAME_MAX + 2];

    is_refused(NULL, NULL, ILB_EINVAL);
    is_refused("", NULL, ILB_EINVAL);
    is_refused("a\nb", NULL, ILB_EINVAL);
    is_refused("\x7f", NULL, ILB_EINVAL);
    is_refused("a\x1f", NULL, ILB_EINVAL);
    is_taken(" ", NULL);
    is_taken("~", NULL);
    is_taken("K\xc3\xa4se", NULL);
    memset(text, 'x', sizeof text);
    text[ILB_NAME_MAX + 1] = '\0';
    is_refused(text, NULL, ILB_EINVAL);
    text[ILB_NAME_MAX] = '\0';
    is_taken(text, NULL);
}
END_TEST

START_TEST(the_name_is_a_copy)
{
    char name[] = "billing";
    ilb_balancer *b = NULL;

    must_eq(ilb_balancer_new(&b, name, NULL), ILB_OK);
    memset(name, 'x', sizeof name - 1);
    must_str(ilb_balancer_name(b), "billing");
    ilb_balancer_free(b);
}
END_TEST

#define REFUSED(field, value)                                                  \
    do {                                                                       \
        ilb_options o_ = defaults();                                           \
        o_.field = (value);                                                    \
        is_refused("x", &o_, ILB_EINVAL);                                      \
    } while (0)
#define TAKEN(field, value)                                                    \
    do {                                                                       \
        ilb_options o_ = defaults();                                           \
        o_.field = (value);                                                    \
        is_taken("x", &o_);                                                    \
    } while (0)

START_TEST(every_bound)
{
    for (int p = 0; p <= 4; p++)
        TAKEN(policy, (ilb_policy)p);
    REFUSED(policy, (ilb_policy)5);
    REFUSED(policy, (ilb_policy)-1);
    TAKEN(capacity, 0);
    TAKEN(capacity, 1);
    TAKEN(capacity, 20000);
    REFUSED(capacity, ILB_CAPACITY_MAX + 1);
    REFUSED(capacity, UINT32_MAX);
    TAKEN(consecutive_failures, 1);
    TAKEN(consecutive_failures, 65535);
    TAKEN(consecutive_failures, ILB_NEVER);
    /* More than are counted in a row could never be reached. */
    REFUSED(consecutive_failures, 65536);
    REFUSED(consecutive_failures, ILB_NEVER - 1);
    TAKEN(max_ejection_percent, 1);
    TAKEN(max_ejection_percent, 100);
    REFUSED(max_ejection_percent, 101);
    REFUSED(max_ejection_percent, UINT32_MAX);
    /* One of the two alone: the other's default gives way. */
    TAKEN(base_ejection_time_ns, 1);
    TAKEN(base_ejection_time_ns, 120 * S_NS + 1);
    TAKEN(base_ejection_time_ns, UINT64_MAX);
    TAKEN(max_ejection_time_ns, 1);
    TAKEN(max_ejection_time_ns, 12 * S_NS - 1);
    TAKEN(max_ejection_time_ns, UINT64_MAX);
    TAKEN(seed, UINT64_MAX);
}
END_TEST

START_TEST(every_bound_of_failing)
{
    TAKEN(fail_mode, ILB_FAIL_OPEN);
    TAKEN(fail_mode, ILB_FAIL_CLOSED);
    REFUSED(fail_mode, (ilb_fail_mode)2);
    REFUSED(fail_mode, (ilb_fail_mode)-1);
    TAKEN(panic_threshold_percent, 0);
    TAKEN(panic_threshold_percent, 100);
    REFUSED(panic_threshold_percent, 101);
    REFUSED(panic_threshold_percent, UINT32_MAX);
    TAKEN(check_effect, ILB_CHECK_UNEJECTS);
    REFUSED(check_effect, (ilb_check_effect)2);
    REFUSED(check_effect, (ilb_check_effect)-1);
    TAKEN(unhealthy_threshold, UINT32_MAX);
    TAKEN(healthy_threshold, UINT32_MAX);
    TAKEN(slow_start_ns, 1);
    TAKEN(slow_start_ns, UINT64_MAX);
    TAKEN(max_retry_after_ns, 1);
    TAKEN(max_retry_after_ns, UINT64_MAX);
    TAKEN(min_endpoints, ILB_CAPACITY_MAX);
    REFUSED(min_endpoints, ILB_CAPACITY_MAX + 1);
    for (int d = 1; d < ILB_DETECTOR_COUNT; d++) {
        ilb_options o = defaults();

        TAKEN(detectors_off, ILB_DETECTOR_BIT(d));
        TAKEN(detectors_shadow, ILB_DETECTOR_BIT(d));
        /* Off and in shadow at once says nothing. */
        o.detectors_off = o.detectors_shadow = ILB_DETECTOR_BIT(d);
        is_refused("x", &o, ILB_EINVAL);
    }
    TAKEN(detectors_off, 0xfe);
    REFUSED(detectors_off, ILB_DETECTOR_BIT(ILB_DETECTOR_NONE));
    REFUSED(detectors_off, ILB_DETECTOR_BIT(ILB_DETECTOR_COUNT));
    REFUSED(detectors_off, UINT32_MAX);
    REFUSED(detectors_shadow, ILB_DETECTOR_BIT(ILB_DETECTOR_NONE));
    REFUSED(detectors_shadow, ILB_DETECTOR_BIT(ILB_DETECTOR_COUNT));
}
END_TEST

START_TEST(the_longest_ejection_is_at_least_the_base)
{
    static const uint64_t bases[] = {1, S_NS, 12 * S_NS, 500 * S_NS,
                                     UINT64_MAX - 1};

    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        ilb_options o = defaults();

        o.base_ejection_time_ns = bases[i];
        o.max_ejection_time_ns = bases[i];
        is_taken("x", &o);
        o.max_ejection_time_ns = bases[i] + 1;
        is_taken("x", &o);
        o.base_ejection_time_ns = bases[i] + 1;
        o.max_ejection_time_ns = bases[i];
        is_refused("x", &o, ILB_EINVAL);
    }
}
END_TEST

START_TEST(the_largest_capacity_is_asked_of_the_allocator)
{
    test_memory m;
    ilb_options o = defaults();

    test_memory_init(&m);
    m.fail_at = 1;
    o.allocator = &m.allocator;
    o.capacity = ILB_CAPACITY_MAX;
    is_refused("x", &o, ILB_ENOMEM);
    must_eq(m.n_allocated, 1);
    must(m.bytes > (size_t)ILB_CAPACITY_MAX * 512);
}
END_TEST

START_TEST(the_default_capacity_is_1024)
{
    static ilb_endpoint list[1025];
    ilb_balancer *b = test_new(NULL);

    test_endpoints(list, 0, 1025);
    must_eq(ilb_balancer_update(b, list, 1025), ILB_ECAPACITY);
    must_eq(ilb_balancer_update(b, list, 1024), ILB_OK);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(half_an_allocator_is_refused)
{
    test_memory m;
    ilb_allocator half;
    ilb_options o = defaults();

    test_memory_init(&m);
    o.allocator = &half;
    half = m.allocator;
    half.release = NULL;
    is_refused("x", &o, ILB_EINVAL);
    half = m.allocator;
    half.allocate = NULL;
    is_refused("x", &o, ILB_EINVAL);
    must_eq(m.n_allocated, 0);
}
END_TEST

Suite *suite_api_options(void)
{
    Suite *s = suite_create("api options");
    TCase *tc = test_case(s, "bounds");

    tcase_add_test(tc, null_is_refused_where_it_must_not_be);
    tcase_add_test(tc, names_are_checked);
    tcase_add_test(tc, the_name_is_a_copy);
    tcase_add_test(tc, every_bound);
    tcase_add_test(tc, every_bound_of_failing);
    tcase_add_test(tc, the_longest_ejection_is_at_least_the_base);
    tcase_add_test(tc, the_largest_capacity_is_asked_of_the_allocator);
    tcase_add_test(tc, the_default_capacity_is_1024);
    tcase_add_test(tc, half_an_allocator_is_refused);
    return s;
}
