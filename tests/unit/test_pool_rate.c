/* SPDX-License-Identifier: MIT */
/* health/pool.h: the rate of requests, how many endpoints to use by it, and
 * whether those that are left are overloaded. */
#include "base/floats.h"
#include <math.h>

#include "slots.h"
#include "suites_internal.h"
#include "util.h"

/* As the headers say. */
#define T0 (1000 * S_NS)
#define APERTURE_MIN 12
#define APERTURE_RATE 8.0
#define APERTURE_BUSY 2.0
#define PATIENCE_REQUESTS 4000.0
#define PATIENCE_TAUS 4.0
#define OVERLOAD_FACTOR 1.3
#define OVERLOAD_P0 0.1

/* ---- The rate of requests ---------------------------------------------- */

/* So many a second, evenly over `n` endpoints, for so long. */
static ilb__figures rate(test_slots *f, uint32_t n, uint32_t per_second,
                         uint64_t *now_ns, uint32_t seconds)
{
    uint32_t each = per_second / n / 10;

    must_eq(each * n * 10, per_second);
    for (uint32_t i = 0; i < seconds * 10; i++) {
        for (uint32_t k = 0; k < n; k++)
            test_slots_end(f, k, each, 0);
        (void)test_slots_figures(f, *now_ns += ILB_POOL_PERIOD_NS);
    }
    return test_slots_figures(f, *now_ns);
}

/* rate += (now - rate) (1 - exp(-dt / 3 s)) */
START_TEST(the_rate_follows_with_three_seconds)
{
    test_slots *f = test_slots_new(10, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns = T0;
    ilb__figures figures = test_slots_figures(f, now_ns);
    double left;

    must(figures.rate_per_s == 0);
    /* The first that is seen stands. */
    figures = rate(f, 10, 200, &now_ns, 1);
    must_be_within(figures.rate_per_s, 199.9, 200.1);
    figures = rate(f, 10, 500, &now_ns, 3);
    must_be_within(figures.rate_per_s, 500 - 300 * exp(-1) - 1,
                   500 - 300 * exp(-1) + 1);
    figures = rate(f, 10, 500, &now_ns, 30);
    must_be_within(figures.rate_per_s, 499.9, 500.1);
    /* One look, long after, weighs as much as many. */
    left = (double)test_slots_figures(f, now_ns + 4 * S_NS).rate_per_s;
    must_be_within(left, 500 * exp(-4 / 3.0) - 0.1, 500 * exp(-4 / 3.0) + 0.1);
}
END_TEST

START_TEST(the_rate_of_many_is_that_of_a_sample)
{
    test_slots *f = test_slots_new(SLOTS, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns = T0;

    (void)test_slots_figures(f, now_ns);
    must_be_within(rate(f, SLOTS, SLOTS * 10, &now_ns, 30).rate_per_s,
                   SLOTS * 10 * 0.999, SLOTS * 10 * 1.001);
}
END_TEST

/* Above 1000 answers a second only every 2nd, 4th ... is put in. */
START_TEST(with_many_answers_some_are_put_in)
{
    static const uint32_t rates[] = {900, 1900, 3900, 7900, 15900, 900000};
    static const uint32_t one_in[] = {1, 2, 4, 8, 16, 1024};

    for (size_t i = 0; i < 6; i++) {
        test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
        uint64_t now_ns = T0;

        (void)test_slots_figures(f, now_ns);
        (void)rate(f, 1, rates[i], &now_ns, 40);
        for (uint64_t k = 0; k < 8192; k++)
            ilb__pool_good(&f->selector.pool, MS_NS, k);
        must_eq(ilb__histogram_total(&f->selector.pool.answers),
                8192 / one_in[i]);
    }
}
END_TEST

/* A slow endpoint is tried again once in 4000 requests, but within 1 to 30 s:
 * that is four time constants. */
START_TEST(patience_is_a_number_of_requests)
{
    static const uint32_t rates[] = {10, 100, 500, 1000, 2000, 5000, 50000};

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
        double s = PATIENCE_REQUESTS / rates[i];
        uint64_t now_ns = T0;

        s = s < 1 ? 1 : s > 30 ? 30 : s;
        (void)test_slots_figures(f, now_ns);
        must_be_within((double)rate(f, 1, rates[i], &now_ns, 40).patience_ns /
                           1e9 * PATIENCE_TAUS,
                       s * 0.99 - 0.005, s * 1.001);
    }
}
END_TEST

/* ---- The aperture ------------------------------------------------------ */

static void hold(test_slots *f, uint32_t i, uint32_t n)
{
    ilb__load *l = &f->slots[i].load;
    uint32_t parity;

    while (n-- > 0)
        must(ilb__load_take(l, ilb__load_relaxed(&l->word), 0, T0, &parity));
}

START_TEST(few_are_used_while_there_are_few_requests)
{
    test_slots *f = test_slots_new(60, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns = T0;

    must_eq(test_slots_figures(f, now_ns).aperture, APERTURE_MIN);
    /* As many as get eight a second. */
    must_be_within(rate(f, 6, 240, &now_ns, 30).aperture,
                   240 / APERTURE_RATE - 1, 240 / APERTURE_RATE);
    must_be_within(rate(f, 6, 420, &now_ns, 60).aperture,
                   420 / APERTURE_RATE - 1.5, 420 / APERTURE_RATE);
    must_eq(rate(f, 6, 600, &now_ns, 30).aperture, UINT32_MAX);
    for (int i = 1; i <= 15; i++)
        (void)test_slots_figures(f, now_ns + (uint64_t)i * 4 * S_NS);
    must_eq(test_slots_figures(f, now_ns + 61 * S_NS).aperture, APERTURE_MIN);
}
END_TEST

START_TEST(twice_as_many_as_are_busy)
{
    test_slots *f = test_slots_new(60, ILB_POLICY_PEAK_EWMA);

    for (uint32_t i = 0; i < 10; i++)
        hold(f, i, 2);
    must_eq(test_slots_figures(f, T0).aperture, APERTURE_BUSY * 20);
    for (uint32_t i = 10; i < 20; i++)
        hold(f, i, 1);
    must_eq(test_slots_figures(f, T0 + S_NS).aperture, UINT32_MAX);
}
END_TEST

/* The ejected take up room of it, but do no work. */
START_TEST(the_ejected_are_made_up_for)
{
    test_slots *f = test_slots_new(60, ILB_POLICY_PEAK_EWMA);

    for (uint32_t i = 0; i < 5; i++)
        test_slots_eject(f, i, T0);
    must_eq(test_slots_figures(f, T0).aperture, APERTURE_MIN + 5);
}
END_TEST

START_TEST(a_dozen_are_all_used)
{
    for (uint32_t n = 1; n <= 14; n++) {
        test_slots *f = test_slots_new(n, ILB_POLICY_PEAK_EWMA);

        must_eq(test_slots_figures(f, T0).aperture,
                n <= APERTURE_MIN ? UINT32_MAX : APERTURE_MIN);
    }
}
END_TEST

/* ---- Overload ---------------------------------------------------------- */

/* 16 endpoints with two requests each that take 10 ms; then `ejected` of them
 * are, and the others have so many, which take so long. */
static bool overloaded(uint32_t ejected, uint32_t in_flight, uint64_t takes_ns)
{
    test_slots *f = test_slots_new(16, ILB_POLICY_PEAK_EWMA);

    for (uint32_t i = 0; i < 16; i++) {
        test_slots_learn(f, i, 10 * MS_NS, T0);
        hold(f, i, 2);
    }
    for (uint64_t i = 0; i < 20; i++)
        must(!test_slots_figures(f, T0 + i * S_NS).overloaded);
    for (uint32_t i = 0; i < 16; i++) {
        if (i < ejected)
            test_slots_eject(f, i, T0);
        else
            hold(f, i, in_flight - 2);
        test_slots_learn(f, i, takes_ns, T0);
    }
    return test_slots_figures(f, T0 + 20 * S_NS).overloaded;
}

/* Both more in flight and longer than before, and because of ejections. */
START_TEST(those_that_are_left_suffer)
{
    must(overloaded(8, 4, 20 * MS_NS));
    must(overloaded(3, 3, 14 * MS_NS));
    must(!overloaded(8, 4, (uint64_t)(10 * OVERLOAD_FACTOR * 0.99 * MS_NS)));
    must(!overloaded(8, 2, 20 * MS_NS));
    /* One in eight is no reason, nor is it when nobody is ejected. */
    must(!overloaded(2, 4, 20 * MS_NS));
    must(!overloaded(0, 9, 90 * MS_NS));
}
END_TEST

/* Three of four are left, full, and less has been sent since at a known pace.
 */
static uint64_t pace_after(uint64_t gap_ns)
{
    test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
    ilb__pool *p = &f->selector.pool;
    uint64_t now_ns = T0 + S_NS;

    (void)test_slots_figures(f, T0);
    for (uint32_t i = 0; i < 4; i++)
        test_slots_end(f, i, 1000, 0);
    (void)test_slots_figures(f, now_ns);
    test_slots_eject(f, 0, now_ns);
    for (uint32_t i = 1; i < 4; i++)
        for (int k = 0; k < 30; k++) {
            ilb__load *l = &f->slots[i].load;
            uint32_t parity;

            must(ilb__load_take(l, ilb__load_relaxed(&l->word), 0, now_ns,
                                &parity));
        }
    ilb__store_relaxed(&p->calm, ilb__floats_pair(2, 1e7f));
    ilb__store_relaxed(&p->reach,
                       ilb__load_relaxed(&p->reach) | ILB_REACH_FULL);
    ilb__store_relaxed(&p->queue.pace, ilb__floats_pair(0, 100));
    now_ns += gap_ns;
    for (uint32_t i = 1; i < 4; i++)
        test_slots_end(f, i, 10, 0); /* and so they are heard */
    must(test_slots_figures(f, now_ns).room > 0);
    return ilb__load_relaxed(&p->queue.pace) >> 32;
}

/* After a jump of the clock nobody knows how fast they serve. */
START_TEST(a_jump_of_the_clock_forgets_the_pace)
{
    must(pace_after(200 * MS_NS) != 0);
    must_eq(pace_after(3600 * S_NS), 0);
}
END_TEST

/* Also if those that are left fail 10 % themselves: the ejected are no
 * exception. */
START_TEST(the_ejected_are_no_exception)
{
    for (uint32_t failed = 50; failed <= 200; failed += 50)
        for (uint32_t ejected = 0; ejected < 2; ejected++) {
            test_slots *f = test_slots_new(4, ILB_POLICY_PEAK_EWMA);
            ilb__figures figures;

            (void)test_slots_figures(f, T0);
            for (uint32_t i = 0; i < 4; i++)
                test_slots_end(f, i, 1000, failed);
            if (ejected)
                test_slots_eject(f, 0, T0);
            figures = test_slots_figures(f, T0 + S_NS);
            must_be_within(figures.p0, failed / 1100.0, failed / 1000.0);
            must_eq(figures.overloaded,
                    ejected && (double)figures.p0 >= OVERLOAD_P0);
        }
}
END_TEST

/* A tenth of the requests may be trials that fail, also of one in 20 s. */
START_TEST(few_requests_earn_trials_too)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);
    uint64_t now_ns = T0;
    uint32_t failed = 0;

    for (uint32_t i = 0; i < 200 * 2000; i++) {
        if (i % 200 == 0) {
            test_slots_end(f, 0, 1, 0);
            while (ilb__trials_ok(&f->selector.pool.trials)) {
                ilb__trials_failed(&f->selector.pool.trials);
                failed++;
            }
        }
        (void)test_slots_figures(f, now_ns += ILB_POOL_PERIOD_NS);
    }
    must_be_within(failed, 195, 205);
}
END_TEST

Suite *suite_pool_rate(void)
{
    Suite *s = suite_create("pool rate");
    TCase *tc = test_case(s, "rate");

    tcase_add_test(tc, the_rate_follows_with_three_seconds);
    tcase_add_test(tc, the_rate_of_many_is_that_of_a_sample);
    tcase_add_test(tc, with_many_answers_some_are_put_in);
    tcase_add_test(tc, patience_is_a_number_of_requests);
    tc = test_case(s, "aperture");
    tcase_add_test(tc, few_are_used_while_there_are_few_requests);
    tcase_add_test(tc, twice_as_many_as_are_busy);
    tcase_add_test(tc, the_ejected_are_made_up_for);
    tcase_add_test(tc, a_dozen_are_all_used);
    tc = test_case(s, "trials");
    tcase_add_test(tc, few_requests_earn_trials_too);
    tc = test_case(s, "overload");
    tcase_add_test(tc, those_that_are_left_suffer);
    tcase_add_test(tc, a_jump_of_the_clock_forgets_the_pace);
    tcase_add_test(tc, the_ejected_are_no_exception);
    return s;
}
