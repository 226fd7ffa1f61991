/* SPDX-License-Identifier: MIT */
/* Making a shared balancer: its options, and each call that may fail. */
#include "shared.h"
#include "suites_internal.h"

static test_shared world;

static ilb_options shared_options(uint32_t processes)
{
    ilb_options o = test_options(&world.clock, ILB_POLICY_DEFAULT, 1);

    o.shared_processes = processes;
    o.capacity = 4;
    return o;
}

static void is_refused(const ilb_options *o, int rc)
{
    ilb_balancer *none = (ilb_balancer *)(uintptr_t)64;
    ilb_balancer *b = none;

    test_shared_init(&world);
    must_eq(ilb__balancer_new_on(&b, "x", o, &world.system), rc);
    must(b == none);
    must_eq(world.n_memory, 0);
}

START_TEST(every_call_that_fails_is_reported_and_leaks_nothing)
{
    static const int errors[] = {ILB_ENOMEM, ILB_ENOSYS};
    ilb_options o = shared_options(2);

    for (int e = 0; e < 2; e++)
        for (uint32_t k = 1; k <= 4; k++) {
            ilb_balancer *b = NULL;
            int rc;

            test_shared_init(&world);
            world.fail_at = k;
            world.fail_with = errors[e];
            rc = ilb__balancer_new_on(&b, "x", &o, &world.system);
            if (k <= 3) {
                must_eq(rc, errors[e]);
                must(b == NULL);
                must_eq(world.n_calls, k);
            } else {
                must_eq(rc, ILB_OK);
                must_eq(world.n_calls, 3);
                must_eq(world.n_memory, 2);
                ilb_balancer_free(b);
            }
            must_eq(world.n_memory, 0);
        }
}
END_TEST

START_TEST(bounds_of_the_options)
{
    ilb_options o;
    test_memory m;

    test_memory_init(&m);
    o = shared_options(ILB_PROCESSES_MAX + 1);
    is_refused(&o, ILB_EINVAL);
    o = shared_options(2);
    o.allocator = &m.allocator;
    is_refused(&o, ILB_EINVAL);
    must_eq(m.n_allocated, 0);
    o = shared_options(0);
    o.reserved = 1;
    is_refused(&o, ILB_EINVAL);
    o = shared_options(0);
    o.lease_ns = ILB_LEASE_MIN_NS - 1;
    is_refused(&o, ILB_EINVAL);
    o = shared_options(ILB_PROCESSES_MAX);
    o.capacity = ILB_CAPACITY_MAX;
    world.fail_at = 1;
    world.fail_with = ILB_ENOMEM; /* a terabyte may or may not be there */
    test_shared_init(&world);
}
END_TEST

START_TEST(every_process_that_may_does)
{
    ilb_options o = shared_options(ILB_PROCESSES_MAX);
    ilb_balancer *b;

    test_shared_init(&world);
    o.capacity = 1;
    must_eq(ilb__balancer_new_on(&b, "x", &o, &world.system), ILB_OK);
    for (uint32_t i = 0; i < ILB_PROCESSES_MAX; i++) {
        memset(world.self, 0, sizeof *world.self);
        /* All alive, of the same pid for the sake of the table's size: as if
         * each had ended and come again. */
        must_eq(ilb_tick(b, 0), ILB_OK);
        world.clock.now_ns += MS_NS;
    }
    ilb_balancer_free(b);
    must_eq(world.n_memory, 0);
}
END_TEST

START_TEST(what_is_not_shared_has_no_processes)
{
    ilb_balancer *b = test_new(NULL);

    must_eq(ilb_process_ended(NULL, 5), ILB_EINVAL);
    must_eq(ilb_process_ended(b, 5), ILB_EINVAL);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(pids_that_cannot_have_ended)
{
    test_shared *s = test_shared_new(2, ILB_POLICY_DEFAULT);

    must_eq(ilb_process_ended(s->b, 0), ILB_EINVAL);
    must_eq(ilb_process_ended(s->b, -1), ILB_EINVAL);
    must_eq(ilb_process_ended(s->b, INT64_MAX), ILB_EINVAL);
    must_eq(ilb_process_ended(s->b, s->pid), ILB_EINVAL);
    must_eq(ilb_process_ended(s->b, s->pid + 1), ILB_OK);
    test_shared_free(s);
}
END_TEST

START_TEST(a_private_one_asks_nothing_of_the_system)
{
    ilb_options o = shared_options(0);
    ilb_balancer *b;

    test_shared_init(&world);
    must_eq(ilb__balancer_new_on(&b, "x", &o, &world.system), ILB_OK);
    test_update(b, 0, 3);
    for (int i = 0; i < 1000; i++)
        (void)test_request(b, &world.clock, 10 * MS_NS, ILB_SUCCESS);
    must_eq(world.n_calls, 0);
    must_eq(world.n_asked, 0);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_shared_new(void)
{
    Suite *s = suite_create("shared, made");
    TCase *tc = test_case(s, "new");

    tcase_add_test(tc, every_call_that_fails_is_reported_and_leaks_nothing);
    tcase_add_test(tc, bounds_of_the_options);
    tcase_add_test(tc, every_process_that_may_does);
    tcase_add_test(tc, what_is_not_shared_has_no_processes);
    tcase_add_test(tc, pids_that_cannot_have_ended);
    tcase_add_test(tc, a_private_one_asks_nothing_of_the_system);
    return s;
}
