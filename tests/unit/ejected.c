/* SPDX-License-Identifier: MIT */
/* The ejected endpoint of util.h. */
#include "util.h"

#define STEP_NS (S_NS / TEST_EJECTED_PER_SECOND)

test_ejected *test_ejected_new(uint32_t n, uint64_t seed)
{
    const test_clock start = TEST_CLOCK_INIT;
    test_ejected *f = calloc(1, sizeof *f);
    ilb_options o;

    must(f != NULL);
    f->clock = start;
    o = test_options(&f->clock, ILB_POLICY_RANDOM, seed);
    f->b = test_new(&o);
    test_update(f->b, 0, n);
    /* Long enough for the rate of requests to be known. */
    (void)test_ejected_wait(f, f->clock.now_ns + 15 * S_NS);
    (void)test_ejected_again(f);
    return f;
}

void test_ejected_free(test_ejected *f)
{
    ilb_balancer_free(f->b);
    free(f);
}

uint32_t test_ejected_picked(test_ejected *f, uint32_t n)
{
    uint32_t times = 0;

    for (uint32_t i = 0; i < n; i++)
        times += test_request(f->b, &f->clock, 0, ILB_SUCCESS) == 1;
    return times;
}

uint32_t test_ejected_wait(test_ejected *f, uint64_t until_ns)
{
    uint32_t times = 0;

    while (f->clock.now_ns + STEP_NS < until_ns)
        times += test_request(f->b, &f->clock, STEP_NS, ILB_SUCCESS) == 1;
    return times;
}

ilb_ticket test_ejected_probe(test_ejected *f)
{
    uint64_t due_ns = test_stats(f->b, 1).ejected_until_ns;
    ilb_ticket t;

    must_eq(test_ejected_wait(f, due_ns), 0);
    f->clock.now_ns = due_ns > f->clock.now_ns ? due_ns : f->clock.now_ns;
    t = test_pick(f->b);
    must_eq(test_number(f->b, &t), 1);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_PROBING);
    return t;
}

uint32_t test_ejected_again(test_ejected *f)
{
    uint32_t times = 0;

    while (test_stats(f->b, 1).state != ILB_STATE_EJECTED) {
        ilb_ticket t = test_pick(f->b);
        bool it = test_number(f->b, &t) == 1;

        f->clock.now_ns += STEP_NS;
        test_done(f->b, &t, it ? ILB_FAILURE : ILB_SUCCESS);
        times += it;
        must(times < 1000);
    }
    return times;
}

void test_ejected_heal(test_ejected *f)
{
    while (test_stats(f->b, 1).state != ILB_STATE_HEALTHY)
        (void)test_ejected_wait(f, f->clock.now_ns + 2 * STEP_NS);
}
