/* SPDX-License-Identifier: MIT */
/* Structs that grow: older, newer and nonsensical sizes. */
#include "suites.h"
#include "util.h"

/* Refused with `rc`, and nothing written. */
static void is_refused(const ilb_options *o, int rc)
{
    ilb_balancer *none = (ilb_balancer *)(uintptr_t)64;
    ilb_balancer *b = none;

    must_eq(ilb_balancer_new(&b, "x", o), rc);
    must(b == none);
}

static void is_taken(const ilb_options *o)
{
    ilb_balancer_free(test_new(o));
}

static ilb_options defaults(void)
{
    ilb_options o = ILB_OPTIONS_INIT;

    return o;
}

/* Options in a heap block of `bytes`, so that a sanitizer sees a read past
 * them; the rest after our own version is `tail`. */
static ilb_options *grown(size_t bytes, unsigned char tail)
{
    ilb_options o = defaults();
    unsigned char *p = malloc(bytes);

    must(p != NULL && bytes >= sizeof o);
    memset(p, tail, bytes);
    o.size = bytes;
    o.capacity = 7;
    memcpy(p, &o, sizeof o);
    return (ilb_options *)(void *)p;
}

/* The first version ended with max_ejection_time_ns. */
#define FIRST_BYTES                                                            \
    (offsetof(ilb_options, max_ejection_time_ns) + sizeof(uint64_t))

START_TEST(options_that_are_smaller_than_the_first_are_refused)
{
    ilb_options o = defaults();

    for (size_t size = 0; size < FIRST_BYTES; size++) {
        o.size = size;
        is_refused(&o, ILB_EABI);
    }
}
END_TEST

/* Of an older program; what it does not know has its default. */
START_TEST(the_first_version_of_the_options_is_taken)
{
    ilb_options *o = malloc(FIRST_BYTES);
    ilb_options whole = defaults();

    must(o != NULL);
    whole.size = FIRST_BYTES;
    memcpy(o, &whole, FIRST_BYTES);
    is_taken(o);
    free(o);
}
END_TEST

/* What an older caller does not know has its default, whatever lies there. */
START_TEST(options_of_an_older_caller_are_taken)
{
    ilb_options o = defaults();

    memset((unsigned char *)&o + FIRST_BYTES, 0xff, sizeof o - FIRST_BYTES);
    is_refused(&o, ILB_EINVAL);
    o.size = FIRST_BYTES;
    is_taken(&o);
}
END_TEST

START_TEST(options_that_have_grown_are_taken_while_the_rest_is_zero)
{
    ilb_options *o = grown(sizeof *o + 40, 0);

    is_taken(o);
    for (size_t i = sizeof *o; i < sizeof *o + 40; i++) {
        ((unsigned char *)o)[i] = 1;
        is_refused(o, ILB_EABI);
        ((unsigned char *)o)[i] = 0;
    }
    is_taken(o);
    free(o);
}
END_TEST

/* Garbage where the size should be must not lead a reader astray. */
START_TEST(a_size_out_of_all_reason_is_refused_unread)
{
    static const size_t sizes[] = {1 << 16, 1 << 30, SIZE_MAX / 2, SIZE_MAX};
    ilb_options *o = grown(sizeof *o, 0);
    ilb_pick_options *p = malloc(sizeof *p);
    ilb_result *r = malloc(sizeof *r);
    ilb_balancer *b = test_new(NULL);
    ilb_ticket t;

    must(p != NULL && r != NULL);
    memset(p, 0, sizeof *p);
    memset(r, 0, sizeof *r);
    test_update(b, 0, 1);
    t = test_pick(b);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ilb_ticket other;

        o->size = p->size = r->size = sizes[i];
        is_refused(o, ILB_EABI);
        must_eq(ilb_pick(b, &other, p), ILB_EABI);
        must_eq(ilb_done_with(b, &t, r), ILB_EABI);
    }
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
    free(o);
    free(p);
    free(r);
}
END_TEST

START_TEST(pick_options_and_results_follow_the_same_rule)
{
    struct {
        ilb_pick_options o;
        uint64_t tail;
    } p = {ILB_PICK_OPTIONS_INIT, 0};
    struct {
        ilb_result r;
        uint64_t tail;
    } r = {ILB_RESULT_INIT, 0};
    ilb_balancer *b = test_new(NULL);
    ilb_ticket t;

    test_update(b, 0, 1);
    p.o.size = 0;
    must_eq(ilb_pick(b, &t, &p.o), ILB_EABI);
    p.o.size = sizeof p.o - 1;
    must_eq(ilb_pick(b, &t, &p.o), ILB_EABI);
    p.o.size = sizeof p;
    p.tail = 1;
    must_eq(ilb_pick(b, &t, &p.o), ILB_EABI);
    p.tail = 0;
    must_eq(ilb_pick(b, &t, &p.o), ILB_OK);
    r.r.size = 0;
    must_eq(ilb_done_with(b, &t, &r.r), ILB_EABI);
    r.r.size = offsetof(ilb_result, retry_after_ns) - 1;
    must_eq(ilb_done_with(b, &t, &r.r), ILB_EABI);
    r.r.size = sizeof r;
    r.tail = UINT64_C(1) << 63;
    must_eq(ilb_done_with(b, &t, &r.r), ILB_EABI);
    must_eq(test_stats(b, 0).in_flight, 1);
    r.tail = 0;
    must_eq(ilb_done_with(b, &t, &r.r), ILB_OK);
    must_eq(test_stats(b, 0).in_flight, 0);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(a_snapshot_of_another_size_is_refused)
{
    ilb_endpoint_stats stats[2];
    ilb_balancer *b = test_new(NULL);
    size_t n = 77;

    test_update(b, 0, 2);
    must_eq(ilb_balancer_snapshot(b, stats, 2, 0, &n), ILB_EABI);
    must_eq(ilb_balancer_snapshot(b, stats, 2, sizeof stats[0] + 8, &n),
            ILB_EABI);
    must_eq(n, 77);
    must_eq(ilb_balancer_snapshot(b, stats, 1, sizeof stats[0], &n), ILB_OK);
    must_eq(n, 2);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_sizes(void)
{
    Suite *s = suite_create("api sizes");
    TCase *tc = test_case(s, "sizes");

    tcase_add_test(tc, options_that_are_smaller_than_the_first_are_refused);
    tcase_add_test(tc, the_first_version_of_the_options_is_taken);
    tcase_add_test(tc, options_of_an_older_caller_are_taken);
    tcase_add_test(tc,
                   options_that_have_grown_are_taken_while_the_rest_is_zero);
    tcase_add_test(tc, a_size_out_of_all_reason_is_refused_unread);
    tcase_add_test(tc, pick_options_and_results_follow_the_same_rule);
    tcase_add_test(tc, a_snapshot_of_another_size_is_refused);
    return s;
}
