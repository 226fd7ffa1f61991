/* SPDX-License-Identifier: MIT */
/* base/line.h: text without stdio, compared with stdio's. */
#include "base/line.h"

#include <stdio.h>

#include "suites_internal.h"
#include "util.h"

static char buf[64];

static ilb__line line(size_t room)
{
    ilb__line l;

    memset(buf, '#', sizeof buf);
    ilb__line_begin(&l, buf, room);
    return l;
}

START_TEST(as_much_as_fits_is_written)
{
    for (size_t room = 0; room <= 12; room++) {
        const char *whole = "abcdefghi";
        ilb__line l = line(room);

        ilb__line_put(&l, "abc");
        ilb__line_put(&l, "");
        ilb__line_put(&l, "defghi");
        must_eq(l.n, 9);
        if (room > 0) {
            must_eq(strlen(buf), room <= 9 ? room - 1 : 9);
            must(strncmp(buf, whole, strlen(buf)) == 0);
        }
        for (size_t i = room; i < sizeof buf; i++)
            must_eq(buf[i], '#');
    }
}
END_TEST

START_TEST(no_room_needs_no_buffer)
{
    ilb__line l;

    ilb__line_begin(&l, NULL, 0);
    ilb__line_put(&l, "abc");
    ilb__line_number(&l, 12);
    must_eq(l.n, 5);
}
END_TEST

static void number_is(uint64_t x)
{
    ilb__line l = line(sizeof buf);
    char want[32];

    (void)snprintf(want, sizeof want, "%" PRIu64, x);
    ilb__line_number(&l, x);
    must_str(buf, want);
    must_eq(l.n, strlen(want));
}

START_TEST(numbers)
{
    uint64_t state = 1;

    number_is(0);
    number_is(UINT64_MAX);
    for (uint64_t p = 1, i = 0; i < 19; i++, p *= 10) {
        number_is(p - 1);
        number_is(p);
        number_is(p + 1);
    }
    for (int i = 0; i < 10000; i++)
        number_is(test_random(&state) >> (i % 64));
}
END_TEST

static void decimal_is(double x, bool digit, const char *want)
{
    ilb__line l = line(sizeof buf);

    ilb__line_decimal(&l, x, digit);
    must_str(buf, want);
}

START_TEST(decimals_are_rounded_as_stdio_does)
{
    uint64_t state = 2;
    char want[64];

    /* Not exactly between two: there stdio rounds to the even one. */
    for (int i = 0; i < 10000; i++) {
        double x = ((double)test_below(&state, 1000000) + 0.3) / 997;

        (void)snprintf(want, sizeof want, "%.1f", x);
        decimal_is(x, true, want);
        (void)snprintf(want, sizeof want, "%.1f", -x);
        decimal_is(-x, true, want);
        (void)snprintf(want, sizeof want, "%.0f", x);
        decimal_is(x, false, want);
    }
    decimal_is(0, true, "0.0");
    decimal_is(9.96, true, "10.0");
    decimal_is(1e18, true, "1000000000000000000.0");
    decimal_is(1e19, true, "inf");
    decimal_is(-1e19, false, "-inf");
    decimal_is((double)__builtin_inff(), true, "inf");
    decimal_is((double)__builtin_nanf(""), true, "nan");
}
END_TEST

static void time_is(double ns, const char *want)
{
    ilb__line l = line(sizeof buf);

    ilb__line_time(&l, ns);
    must_str(buf, want);
}

START_TEST(times_have_the_unit_that_fits)
{
    time_is(0, "0 ns");
    time_is(850, "850 ns");
    time_is(999.4, "999 ns");
    time_is(999.6, "1.0 us");
    time_is(12345, "12.3 us");
    time_is(999940, "999.9 us");
    time_is(999960, "1.0 ms");
    time_is(2.1e6, "2.1 ms");
    time_is(999.96e6, "1.0 s");
    time_is(12.06e9, "12.1 s");
    time_is(86400e9, "86400.0 s");
}
END_TEST

Suite *suite_line(void)
{
    Suite *s = suite_create("line");
    TCase *tc = test_case(s, "line");

    tcase_add_test(tc, as_much_as_fits_is_written);
    tcase_add_test(tc, no_room_needs_no_buffer);
    tcase_add_test(tc, numbers);
    tcase_add_test(tc, decimals_are_rounded_as_stdio_does);
    tcase_add_test(tc, times_have_the_unit_that_fits);
    return s;
}
