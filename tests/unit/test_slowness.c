/* SPDX-License-Identifier: MIT */
/* signal/slowness.h and signal/silence.h. */
#include "signal/silence.h"
#include "signal/slowness.h"
#include "slots.h"
#include "suites_internal.h"

#define T0 (1000 * S_NS)
#define STAMP_NS (UINT64_C(1) << 16)

static ilb__wait waited(double units, bool answered, uint64_t began_ns)
{
    ilb__wait w;

    w.units = (float)units;
    w.answered = answered;
    w.began_ns = began_ns;
    return w;
}

/* The sum in nats after one answer a second, `n` times. */
static double after(ilb__a64 *word, double units, bool answered, int n)
{
    ilb__slowness s = {0, 0};

    for (int i = 1; i <= n; i++) {
        ilb__wait w =
            waited(units, answered, T0 + (uint64_t)i * S_NS - S_NS / 2);

        (void)ilb__slowness_add(word, &w, T0 + (uint64_t)i * S_NS, &s);
    }
    return (double)s.sum / ILB_EVIDENCE_ONE;
}

START_TEST(what_an_answer_adds)
{
    static const struct {
        double units, adds;
        bool answered;
    } rows[] = {
        {4.0, 0, true},      {5.0, 0.257, true},  {8.0, 1.028, true},
        {12.0, 2.056, true}, {1e9, 2.056, true},  {2.99, 0, false},
        {3.0, 0.771, false}, {8.0, 2.056, false}, {1e9, 2.056, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ilb__a64 word = 0;

        must_be_within(after(&word, rows[i].units, rows[i].answered, 1),
                       rows[i].adds - 0.003, rows[i].adds + 0.003);
        must_eq(ilb__load_relaxed(&word) != 0, rows[i].adds > 0);
    }
}
END_TEST

/* It ends at 32 nats, and comes down to 0, where the word is 0. */
START_TEST(it_is_bounded_both_ways)
{
    ilb__a64 word = 0;

    must_be_within(after(&word, 100, true, 100), 32, 32);
    word &= 0xffffff; /* stamps begin anew */
    must_be_within(after(&word, 100, true, 100), 32, 32);
    word &= 0xffffff;
    must_be_within(after(&word, 1, true, 41), 0.3, 0.5);
    word &= 0xffffff;
    must_be_within(after(&word, 1, true, 1), 0, 0);
    must_eq(ilb__load_relaxed(&word), 0);
    must_be_within(after(&word, 1, true, 100), 0, 0);
    must_eq(ilb__load_relaxed(&word), 0);
}
END_TEST

/* A hundred that one stop held up are one. */
START_TEST(what_was_in_flight_together_is_one)
{
    ilb__a64 word = 0;
    ilb__slowness s;

    for (uint64_t i = 0; i < 100; i++) {
        ilb__wait w = waited(100, true, T0 + i * MS_NS);

        must_eq(ilb__slowness_add(&word, &w, T0 + S_NS + i * MS_NS, &s),
                i == 0);
    }
    must_eq(s.n, 1);
    for (uint64_t i = 0; i < 3; i++) {
        ilb__wait w = waited(100, true, T0 + S_NS - STAMP_NS + i * STAMP_NS);

        must_eq(ilb__slowness_add(&word, &w, T0 + 2 * S_NS, &s), i == 1);
    }
    must_eq(s.n, 2);
}
END_TEST

START_TEST(the_unit)
{
    ilb__figures f = test_figures(50e6, 0);

    must_be_within(ilb__slowness_unit_ns(&f, 20 * MS_NS), 50e6, 50e6);
    f.median_ns = 2e6f;
    must_be_within(ilb__slowness_unit_ns(&f, 20 * MS_NS), 5.5e6, 5.5e6);
    f.median_ns = 0;
    must_be_within(ilb__slowness_unit_ns(&f, 20 * MS_NS), 0, 0);
}
END_TEST

/* Which answers ilb_done must not pass over. */
START_TEST(whom_it_concerns)
{
    ilb__figures f = test_figures(10e6, 0);
    ilb__a64 word = 0;

    must(!ilb__slowness_concerns(&word, 40 * MS_NS, &f));
    must(ilb__slowness_concerns(&word, 41 * MS_NS, &f));
    word = 1;
    must(ilb__slowness_concerns(&word, 1, &f));
}
END_TEST

/* ---- Silence ----------------------------------------------------------- */

#define QUIET (100 * S_NS)

static void must_have(const ilb__a64 *word, uint64_t quiet_ns, uint64_t now_ns,
                      double asked_s, uint32_t n)
{
    ilb__silence s = ilb__silence_read(word, quiet_ns, now_ns);

    must_eq(s.n, n);
    must_be_within((double)s.asked_ns / 1e9, asked_s - 0.004 * (1 + n),
                   asked_s + 0.001);
}

/* The union of the times in which something was asked. */
START_TEST(silence_is_a_union)
{
    ilb__a64 word = 0;

    must_have(&word, QUIET, T0, 0, 0);
    ilb__silence_add(&word, S_NS, QUIET, T0);
    must_have(&word, QUIET, T0, 1, 1);
    /* In flight together with that one; in part; not at all. */
    ilb__silence_add(&word, S_NS, QUIET, T0);
    must_have(&word, QUIET, T0, 1, 2);
    ilb__silence_add(&word, S_NS, QUIET, T0 + S_NS / 2);
    must_have(&word, QUIET, T0 + S_NS / 2, 1.5, 3);
    ilb__silence_add(&word, S_NS, QUIET, T0 + 20 * S_NS);
    must_have(&word, QUIET, T0 + 30 * S_NS, 2.5, 4);
    must_be_within(
        (double)ilb__silence_read(&word, QUIET, T0 + 30 * S_NS).last_ns,
        9.999e9, 10.001e9);
}
END_TEST

/* Who was heard of since begins anew. */
START_TEST(silence_ends)
{
    ilb__a64 word = 0;

    ilb__silence_add(&word, 3 * S_NS, QUIET, T0);
    must_have(&word, 6 * S_NS, T0 + 5 * S_NS, 3, 1);
    must_have(&word, 4 * S_NS, T0 + 5 * S_NS, 0, 0);
    ilb__silence_add(&word, 2 * S_NS, 4 * S_NS, T0 + 5 * S_NS);
    must_have(&word, 4 * S_NS, T0 + 5 * S_NS, 2, 1);
    /* It was heard of while that one waited. */
    ilb__silence_add(&word, 9 * S_NS, S_NS, T0 + 20 * S_NS);
    must_have(&word, S_NS, T0 + 20 * S_NS, 1, 1);
}
END_TEST

START_TEST(silence_is_bounded)
{
    ilb__a64 word = 0;

    for (uint64_t i = 1; i <= 300; i++)
        ilb__silence_add(&word, S_NS, 1000 * S_NS, T0 + i * S_NS);
    must_eq(ilb__silence_read(&word, 1000 * S_NS, T0 + 300 * S_NS).n, 255);
    must_be_within(
        (double)ilb__silence_read(&word, 1000 * S_NS, T0 + 300 * S_NS)
                .asked_ns /
            1e9,
        60, 70);
}
END_TEST

Suite *suite_slowness(void)
{
    Suite *s = suite_create("slowness");
    TCase *tc = test_case(s, "slowness");

    tcase_add_test(tc, what_an_answer_adds);
    tcase_add_test(tc, it_is_bounded_both_ways);
    tcase_add_test(tc, what_was_in_flight_together_is_one);
    tcase_add_test(tc, the_unit);
    tcase_add_test(tc, whom_it_concerns);
    tc = test_case(s, "silence");
    tcase_add_test(tc, silence_is_a_union);
    tcase_add_test(tc, silence_ends);
    tcase_add_test(tc, silence_is_bounded);
    return s;
}
