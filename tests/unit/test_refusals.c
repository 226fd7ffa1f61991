/* SPDX-License-Identifier: MIT */
/* Refusals for load: how long they hold an endpoint back. */
#include "signal/refusals.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define MOST (400 * S_NS)

static bool holds(const ilb__a64 *word, uint64_t at_ns)
{
    return ilb__refusals_hold(word, at_ns);
}

/* From `at_ns` on, to within 2^16 ns. */
static uint64_t held_ns(const ilb__a64 *word, uint64_t at_ns)
{
    uint64_t low = 0, high = MOST;

    while (high - low > 1)
        if (holds(word, at_ns + (low + high) / 2))
            low = (low + high) / 2;
        else
            high = (low + high) / 2;
    return low;
}

START_TEST(each_time_it_is_longer)
{
    static const double ms[] = {50, 100, 200, 400, 800, 1600, 2000, 2000};
    static const uint32_t bits[] = {0, UINT32_C(1) << 31, UINT32_MAX};

    for (int k = 0; k < 3; k++) {
        uint64_t now_ns = T0;
        ilb__a64 word = 0;

        for (int i = 0; i < 8; i++) {
            uint64_t ns;

            must(!holds(&word, now_ns));
            ilb__refusals_add(&word, bits[k], 0, now_ns);
            must(holds(&word, now_ns));
            ns = held_ns(&word, now_ns);
            must_be_within((double)ns / 1e6, ms[i] * (1 + k / 8.0) - 0.07,
                           ms[i] * (1 + k / 8.0));
            now_ns += ns + 65536;
        }
    }
}
END_TEST

START_TEST(those_that_were_in_flight_count_once)
{
    ilb__a64 word = 0;

    for (int i = 0; i < 100; i++)
        ilb__refusals_add(&word, 0, 0, T0 + (uint64_t)i * MS_NS / 4);
    must_be_within((double)held_ns(&word, T0) / 1e6, 49.9, 50);
}
END_TEST

START_TEST(a_good_answer_ends_it)
{
    ilb__a64 word = 0;

    must(!ilb__refusals_any(&word));
    ilb__refusals_add(&word, 0, 0, T0);
    must(ilb__refusals_any(&word));
    /* Also when the time is over, while it has not proved itself. */
    must(!holds(&word, T0 + S_NS));
    must(ilb__refusals_any(&word));
    ilb__refusals_end(&word);
    must(!ilb__refusals_any(&word));
    must(!holds(&word, T0));
    ilb__refusals_add(&word, 0, 0, T0 + S_NS);
    must_be_within((double)held_ns(&word, T0 + S_NS) / 1e6, 49.9, 50);
}
END_TEST

/* It has refused all the same, and is known for it for a minute. */
START_TEST(it_is_remembered_for_a_minute)
{
    ilb__a64 word = 0;

    must(!ilb__refusals_lately(&word, T0));
    ilb__refusals_add(&word, 0, 0, T0);
    must(ilb__refusals_lately(&word, T0));
    ilb__refusals_end(&word);
    must(ilb__refusals_lately(&word, T0));
    must(ilb__refusals_lately(&word, T0 + 60 * S_NS));
    must(!ilb__refusals_lately(&word, T0 + 60 * S_NS + 51 * MS_NS));
}
END_TEST

START_TEST(a_good_answer_of_before_ends_no_hold_that_comes_after)
{
    ilb__a64 word = 0;

    ilb__refusals_add(&word, 0, 0, T0);
    ilb__refusals_end(&word);
    ilb__refusals_add(&word, 0, 0, T0 + 10 * MS_NS);
    must(ilb__refusals_any(&word));
    must_be_within((double)held_ns(&word, T0 + 10 * MS_NS) / 1e6, 49.9, 50);
}
END_TEST

START_TEST(at_least_as_long_as_asked)
{
    ilb__a64 word = 0;

    ilb__refusals_add(&word, 0, T0 + 10 * S_NS, T0);
    must_be_within((double)held_ns(&word, T0) / 1e6, 9999.9, 10000);
    /* Less than there is already changes nothing. */
    ilb__refusals_add(&word, 0, T0 + 5 * S_NS, T0 + S_NS);
    must_be_within((double)held_ns(&word, T0) / 1e6, 9999.9, 10000);
}
END_TEST

START_TEST(for_ever_is_the_end_of_time)
{
    ilb__a64 word = 0;

    ilb__refusals_add(&word, 0, UINT64_MAX, T0);
    must(holds(&word, T0));
    must(holds(&word, UINT64_MAX - 2 * 65536));
}
END_TEST

Suite *suite_refusals(void)
{
    Suite *s = suite_create("refusals");
    TCase *tc = test_case(s, "refusals");

    tcase_add_test(tc, each_time_it_is_longer);
    tcase_add_test(tc, those_that_were_in_flight_count_once);
    tcase_add_test(tc, a_good_answer_ends_it);
    tcase_add_test(tc, it_is_remembered_for_a_minute);
    tcase_add_test(tc, a_good_answer_of_before_ends_no_hold_that_comes_after);
    tcase_add_test(tc, at_least_as_long_as_asked);
    tcase_add_test(tc, for_ever_is_the_end_of_time);
    return s;
}
