/* SPDX-License-Identifier: MIT */
/* Callers who hand in times of a clock that is not quite the balancer's: how
 * far they are believed, and when that is asked. */
#include "suites.h"
#include "util.h"

/* All callers live in another time, an hour behind or at its very beginning:
 * the balancer's goes on. */
START_TEST(callers_who_are_always_behind)
{
    for (int young = 0; young < 2; young++) {
        test_clock clock = {10000 * S_NS};
        ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
        uint64_t until_ns = UINT64_MAX, tried_ns = 0;
        ilb_balancer *b;

        o.max_ejection_time_ns = o.base_ejection_time_ns = 5 * S_NS;
        b = test_new(&o);
        test_update(b, 0, 2);
        for (int i = 0; i < 20000 && tried_ns == 0; i++) {
            ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
            ilb_result r = ILB_RESULT_INIT;
            ilb_ticket t;

            p.now_ns = young ? 1 + (uint64_t)i : clock.now_ns - 3600 * S_NS;
            must_eq(ilb_pick(b, &t, &p), ILB_OK);
            if (test_number(b, &t) == 0 && until_ns != UINT64_MAX)
                tried_ns = clock.now_ns;
            r.outcome = test_number(b, &t) == 0 ? ILB_FAILURE : ILB_SUCCESS;
            clock.now_ns += MS_NS;
            r.now_ns = p.now_ns;
            must_eq(ilb_done_with(b, &t, &r), ILB_OK);
            if (until_ns == UINT64_MAX)
                until_ns = ilb_probe_due_ns(b);
        }
        /* As late as times are taken to be, at most. */
        must_be_within((double)tried_ns / 1e9, (double)until_ns / 1e9,
                       (double)until_ns / 1e9 + 2.1);
        ilb_balancer_free(b);
    }
}
END_TEST

/* Callers' clocks may differ: up to 2 s it is taken as it is. */
START_TEST(a_little_ahead_is_taken_as_it_is)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
    ilb_balancer *b = test_new(&o);
    ilb_explanation x;
    ilb_ticket t;

    test_update(b, 0, 2);
    (void)test_request(b, &clock, MS_NS, ILB_SUCCESS);
    p.now_ns = clock.now_ns + 2 * S_NS;
    must_eq(ilb_pick_explained(b, &t, &p, &x, sizeof x), ILB_OK);
    must_eq(x.time_ns, p.now_ns);
    test_done(b, &t, ILB_SUCCESS);
    /* After a pause as well: it is the clock that counts. */
    clock.now_ns += 900 * S_NS;
    p.now_ns = clock.now_ns + 2 * S_NS;
    must_eq(ilb_pick_explained(b, &t, &p, &x, sizeof x), ILB_OK);
    must_eq(x.time_ns, p.now_ns);
    test_done(b, &t, ILB_SUCCESS);
    clock.now_ns += 900 * S_NS;
    p.now_ns = clock.now_ns + 2 * S_NS + 1;
    must_eq(ilb_pick_explained(b, &t, &p, &x, sizeof x), ILB_OK);
    must_eq(x.time_ns, clock.now_ns);
    test_done(b, &t, ILB_SUCCESS);
    ilb_balancer_free(b);
}
END_TEST

/* Nor does he get further ahead by and by, whoever else is honest. */
START_TEST(a_caller_whose_clock_runs_away)
{
    test_clock clock = TEST_CLOCK_INIT;
    ilb_options o = test_options(&clock, ILB_POLICY_RANDOM, 1);
    ilb_balancer *b = test_new(&o);
    uint64_t fast_ns = clock.now_ns;

    test_update(b, 0, 2);
    for (int i = 0; i < 10000; i++) {
        ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
        ilb_explanation x;
        ilb_ticket t;

        clock.now_ns += 5 * MS_NS;
        fast_ns += 50 * MS_NS;
        p.now_ns = fast_ns;
        must_eq(ilb_pick_explained(b, &t, &p, &x, sizeof x), ILB_OK);
        must_be_within((double)x.time_ns / 1e9, (double)clock.now_ns / 1e9,
                       (double)clock.now_ns / 1e9 + 2.000001);
        test_done(b, &t, ILB_SUCCESS);
    }
    ilb_balancer_free(b);
}
END_TEST

typedef struct counted_clock {
    test_clock clock;
    uint64_t n_read;
} counted_clock;

static uint64_t counted_ns(void *user)
{
    counted_clock *c = user;

    c->n_read++;
    return c->clock.now_ns;
}

/* Whoever has the time does not pay for the clock: it is asked every 2 s. */
START_TEST(an_honest_time_does_not_ask_the_clock)
{
    counted_clock c = {TEST_CLOCK_INIT, 0};
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_balancer *b;
    uint64_t before;

    o.clock_ns = counted_ns;
    o.clock_user = &c;
    o.seed = 1;
    b = test_new(&o);
    test_update(b, 0, 3);
    before = c.n_read;
    for (int i = 0; i < 1000; i++) {
        ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
        ilb_result r = ILB_RESULT_INIT;
        ilb_ticket t;

        p.now_ns = c.clock.now_ns;
        must_eq(ilb_pick(b, &t, &p), ILB_OK);
        c.clock.now_ns += 500 * MS_NS;
        must_eq(ilb_first_byte(b, &t, c.clock.now_ns), ILB_OK);
        c.clock.now_ns += 500 * MS_NS;
        r.now_ns = c.clock.now_ns;
        must_eq(ilb_done_with(b, &t, &r), ILB_OK);
    }
    must(c.n_read - before <= 500);
    ilb_balancer_free(b);
}
END_TEST

/* A loop's cached time, read before its clock went back and used after it.
 * _i: has somebody else found by then that it went back? */
START_TEST(a_time_from_before_the_clock_went_back)
{
    static const uint64_t backs[] = {3 * S_NS, 60 * S_NS, 900 * S_NS};

    for (size_t k = 0; k < sizeof backs / sizeof backs[0]; k++) {
        test_ejected *f = test_ejected_new(3, 1);
        uint64_t until_ns = test_stats(f->b, 1).ejected_until_ns;
        uint64_t cached_ns = f->clock.now_ns;
        ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
        ilb_explanation x;
        ilb_ticket t;

        f->clock.now_ns -= backs[k];
        if (_i)
            (void)test_ejected_picked(f, 1);
        p.now_ns = cached_ns;
        must_eq(ilb_pick_explained(f->b, &t, &p, &x, sizeof x), ILB_OK);
        /* Until it is found it is as good as any. */
        must_be_within((double)(_i ? f->clock.now_ns : cached_ns) / 1e9,
                       (double)x.time_ns / 1e9 - 0.2,
                       (double)x.time_ns / 1e9 + 0.2);
        test_done(f->b, &t, ILB_SUCCESS);
        must_be_within((double)test_stats(f->b, 1).ejected_until_ns / 1e9,
                       (double)(until_ns - backs[k]) / 1e9 - 0.2,
                       (double)(until_ns - backs[k]) / 1e9 + 0.2);
        /* And it is not tried before. */
        must_eq(test_ejected_wait(f, until_ns - backs[k] - S_NS), 0);
        test_ejected_free(f);
    }
}
END_TEST

Suite *suite_api_callers(void)
{
    Suite *s = suite_create("api callers");
    TCase *tc = test_case(s, "callers' clocks");

    tcase_add_test(tc, callers_who_are_always_behind);
    tcase_add_test(tc, a_little_ahead_is_taken_as_it_is);
    tcase_add_test(tc, a_caller_whose_clock_runs_away);
    tcase_add_test(tc, an_honest_time_does_not_ask_the_clock);
    tcase_add_loop_test(tc, a_time_from_before_the_clock_went_back, 0, 2);
    return s;
}
