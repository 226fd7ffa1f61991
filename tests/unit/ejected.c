/* SPDX-License-Identifier: MIT */
/* The ejected endpoint of util.h. */
#include "util.h"

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
    for (uint32_t i = 0; i < 40 * n; i++)
        (void)test_request(f->b, &f->clock, US_NS, ILB_SUCCESS);
    while (test_stats(f->b, 1).state != ILB_STATE_EJECTED) {
        ilb_ticket t = test_pick(f->b);

        test_done(f->b, &t,
                  test_number(f->b, &t) == 1 ? ILB_FAILURE : ILB_SUCCESS);
    }
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

ilb_ticket test_ejected_probe(test_ejected *f)
{
    ilb_ticket t;

    f->clock.now_ns = test_stats(f->b, 1).ejected_until_ns;
    t = test_pick(f->b);
    must_eq(test_number(f->b, &t), 1);
    must_eq(test_stats(f->b, 1).state, ILB_STATE_PROBING);
    return t;
}
