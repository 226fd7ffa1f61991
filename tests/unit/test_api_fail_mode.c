/* SPDX-License-Identifier: MIT */
/* What a pick does when too few are left: fail open, fail closed, panic; and
 * the floor in endpoints that keeps it from that. */
#include "suites.h"
#include "util.h"

#define N_MAX 8

static test_clock clock_ = TEST_CLOCK_INIT;

/* A single failure ejects. */
static ilb_options options(ilb_fail_mode mode, uint32_t panic)
{
    ilb_options o = test_options(&clock_, ILB_POLICY_RANDOM, 1);

    o.consecutive_failures = 1;
    o.fail_mode = mode;
    o.panic_threshold_percent = panic;
    return o;
}

/* Requests of 1 us until `number` is picked; it ends so. False: it is not. */
static bool end_on(ilb_balancer *b, uint32_t number, ilb_outcome outcome)
{
    for (int i = 0; i < 2000; i++) {
        ilb_ticket t;
        bool it;

        if (ilb_pick(b, &t, NULL) != ILB_OK)
            return false;
        it = test_number(b, &t) == number;
        clock_.now_ns += US_NS;
        test_done(b, &t, it ? outcome : ILB_SUCCESS);
        if (it)
            return true;
    }
    return false;
}

static uint32_t n_ejected(ilb_balancer *b)
{
    ilb_endpoint_stats stats[N_MAX];
    size_t n = test_snapshot(b, stats, N_MAX);
    uint32_t out = 0;

    for (size_t i = 0; i < n; i++)
        out += stats[i].state == ILB_STATE_EJECTED ||
               stats[i].state == ILB_STATE_PROBING;
    return out;
}

static ilb_balancer *with_ejected(const ilb_options *o, uint32_t n, uint32_t k)
{
    ilb_balancer *b = test_new(o);

    test_update(b, 0, n);
    for (uint32_t i = 0; i < k; i++)
        must(end_on(b, i, ILB_FAILURE));
    must_eq(n_ejected(b), k);
    return b;
}

static int pick_code(ilb_balancer *b)
{
    ilb_ticket t;
    int rc = ilb_pick(b, &t, NULL);

    if (rc == ILB_OK)
        test_done(b, &t, ILB_CANCELLED);
    return rc;
}

/* How many of 4000 picks, cancelled at once, each endpoint gets. */
static void count(ilb_balancer *b, uint64_t counts[N_MAX])
{
    memset(counts, 0, N_MAX * sizeof *counts);
    for (int i = 0; i < 4000; i++) {
        ilb_ticket t = test_pick(b);

        counts[test_number(b, &t)]++;
        test_done(b, &t, ILB_CANCELLED);
    }
}

/* How many of 100 picks say that they failed open. */
static uint32_t count_fail_open(ilb_balancer *b)
{
    static ilb_explanation why;
    uint32_t times = 0;

    for (int i = 0; i < 100; i++) {
        ilb_ticket t;

        must_eq(ilb_pick_explained(b, &t, NULL, &why, sizeof why), ILB_OK);
        must_eq(why.chosen_by == ILB_CHOSEN_BY_FAIL_OPEN,
                test_number(b, &t) < 2);
        times += why.chosen_by == ILB_CHOSEN_BY_FAIL_OPEN;
        test_done(b, &t, ILB_CANCELLED);
    }
    return times;
}

/* ---- Fail closed ------------------------------------------------------- */

START_TEST(closed_has_an_error_of_its_own)
{
    for (int policy = 1; policy <= 4; policy++)
        for (uint32_t n = 1; n <= 5; n++) {
            ilb_options o = options(ILB_FAIL_CLOSED, 0);
            ilb_balancer *b;

            o.policy = (ilb_policy)policy;
            b = with_ejected(&o, n, n - 1);
            must_eq(pick_code(b), ILB_OK);
            must(end_on(b, n - 1, ILB_FAILURE));
            must_eq(n_ejected(b), n);
            must_eq(pick_code(b), ILB_EEJECTED);
            ilb_balancer_free(b);
        }
}
END_TEST

START_TEST(open_never_ejects_the_last)
{
    for (uint32_t n = 1; n <= 5; n++) {
        ilb_options o = options(ILB_FAIL_OPEN, 0);
        ilb_balancer *b = with_ejected(&o, n, n - 1);

        for (int i = 0; i < 50; i++)
            must(end_on(b, n - 1, ILB_FAILURE));
        must_eq(n_ejected(b), n - 1);
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(the_errors_are_told_apart)
{
    ilb_options o = options(ILB_FAIL_CLOSED, 0);
    ilb_pick_options exclude = ILB_PICK_OPTIONS_INIT;
    ilb_balancer *b = test_new(&o);
    ilb_ticket t, other;

    must_eq(pick_code(b), ILB_EEMPTY);
    test_update(b, 0, 2);
    must_eq(ilb_balancer_set_readiness(b, test_address(0), ILB_NOT_READY),
            ILB_OK);
    must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_DRAINING),
            ILB_OK);
    must_eq(pick_code(b), ILB_ENOTREADY);
    must_eq(ilb_balancer_set_readiness(b, test_address(0), ILB_READY), ILB_OK);
    must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_READY), ILB_OK);
    must(end_on(b, 0, ILB_FAILURE));
    /* The one that is left is excluded. Open takes the ejected one then. */
    t = test_pick(b);
    must_eq(test_number(b, &t), 1);
    exclude.exclude = &t;
    exclude.n_exclude = 1;
    must_eq(ilb_pick(b, &other, &exclude), ILB_EEXCLUDED);
    test_done(b, &t, ILB_FAILURE);
    must_eq(n_ejected(b), 2);
    must_eq(ilb_pick(b, &other, &exclude), ILB_EEJECTED);
    must_eq(pick_code(b), ILB_EEJECTED);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(closed_heals_by_its_probes)
{
    ilb_options o = options(ILB_FAIL_CLOSED, 0);
    ilb_balancer *b = with_ejected(&o, 3, 3);
    uint32_t refused = 0, healed = 0;
    uint64_t first_ns = 0, began_ns = clock_.now_ns;

    must_eq(pick_code(b), ILB_EEJECTED);
    for (int i = 0; i < 200000 && healed < 3; i++) {
        ilb_ticket t;

        clock_.now_ns += MS_NS;
        if (ilb_pick(b, &t, NULL) != ILB_OK) {
            refused++;
            continue;
        }
        test_done(b, &t, ILB_SUCCESS);
        healed = 3 - n_ejected(b);
        if (healed > 0 && first_ns == 0)
            first_ns = clock_.now_ns - began_ns;
    }
    must_eq(healed, 3);
    must(refused > 1000);
    /* However few requests there were: who closed it is tried after the base.
     * The others wait as long as with few requests. */
    must_be_within((double)first_ns / 1e9, 4, 14);
    must_eq(pick_code(b), ILB_OK);
    ilb_balancer_free(b);
}
END_TEST

/* A probe that fails keeps it closed. */
START_TEST(closed_stays_closed_while_probes_fail)
{
    ilb_options o = options(ILB_FAIL_CLOSED, 0);
    ilb_balancer *b = with_ejected(&o, 2, 2);
    uint32_t sent = 0;

    for (int i = 0; i < 60000; i++) {
        ilb_ticket t;
        int rc;

        clock_.now_ns += MS_NS;
        rc = ilb_pick(b, &t, NULL);
        must(rc == ILB_OK || rc == ILB_EEJECTED);
        if (rc != ILB_OK)
            continue;
        sent++;
        test_done(b, &t, ILB_FAILURE);
        must_eq(n_ejected(b), 2);
    }
    /* A minute: at most one probe in base_ejection_time_ns - 10 % each. */
    must_be_within(sent, 3, 27);
    ilb_balancer_free(b);
}
END_TEST

/* ---- Panic ------------------------------------------------------------- */

START_TEST(in_a_panic_open_chooses_among_all)
{
    for (int policy = 1; policy <= 4; policy++) {
        ilb_options o = options(ILB_FAIL_OPEN, 75);
        uint64_t counts[N_MAX];
        ilb_balancer *b;

        o.policy = (ilb_policy)policy;
        /* Three of four are left: not fewer than 75 %. */
        b = with_ejected(&o, 4, 1);
        count(b, counts);
        must_eq(counts[0], 0);
        must(end_on(b, 1, ILB_FAILURE));
        count(b, counts);
        if (policy == ILB_POLICY_PEAK_EWMA) /* by score: they have failed */
            must_eq(counts[0] + counts[1], 0);
        else
            for (int i = 0; i < 4; i++)
                must_be_within(counts[i], 800, 1200);
        must_be_within(count_fail_open(b),
                       policy == ILB_POLICY_PEAK_EWMA ? 0 : 40, 60);
        ilb_balancer_free(b);
    }
}
END_TEST

/* The score forgets a failure after a while: then they take their share. */
START_TEST(in_a_panic_the_score_decides)
{
    ilb_options o = options(ILB_FAIL_OPEN, 75);
    uint64_t counts[N_MAX];
    ilb_balancer *b;

    o.policy = ILB_POLICY_PEAK_EWMA;
    o.base_ejection_time_ns = 100 * S_NS;
    o.max_ejection_time_ns = 100 * S_NS;
    b = with_ejected(&o, 4, 2);
    clock_.now_ns += 60 * S_NS;
    count(b, counts);
    must_eq(n_ejected(b), 2);
    must(counts[0] > 400 && counts[1] > 400);
    ilb_balancer_free(b);
}
END_TEST

START_TEST(in_a_panic_closed_refuses)
{
    for (int policy = 1; policy <= 4; policy++) {
        ilb_options o = options(ILB_FAIL_CLOSED, 75);
        ilb_balancer *b;

        o.policy = (ilb_policy)policy;
        b = with_ejected(&o, 4, 1);
        must_eq(pick_code(b), ILB_OK);
        must(end_on(b, 1, ILB_FAILURE));
        must_eq(n_ejected(b), 2);
        must_eq(pick_code(b), ILB_EEJECTED);
        /* The probes go on, and one that returns ends it. */
        for (int i = 0; i < 60000 && pick_code(b) == ILB_EEJECTED; i++) {
            ilb_ticket t;

            clock_.now_ns += MS_NS;
            if (ilb_pick(b, &t, NULL) == ILB_OK)
                test_done(b, &t, ILB_SUCCESS);
        }
        must(n_ejected(b) <= 1);
        must_eq(pick_code(b), ILB_OK);
        ilb_balancer_free(b);
    }
}
END_TEST

START_TEST(a_threshold_is_rounded_up)
{
    static const struct {
        uint32_t n, percent, most; /* ejected without a panic */
    } rows[] = {
        {3, 0, 2},  {3, 1, 2},   {3, 33, 2}, {3, 34, 1}, {3, 66, 1},
        {3, 67, 0}, {4, 0, 3},   {4, 25, 3}, {4, 26, 2}, {4, 50, 2},
        {4, 51, 1}, {4, 100, 0}, {8, 1, 7},  {8, 50, 4}, {8, 99, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ilb_options o = options(ILB_FAIL_CLOSED, rows[i].percent);
        uint32_t most = rows[i].most;
        ilb_balancer *b = with_ejected(&o, rows[i].n, most);

        must_eq(pick_code(b), ILB_OK);
        must(end_on(b, most, ILB_FAILURE));
        must_eq(pick_code(b), ILB_EEJECTED);
        ilb_balancer_free(b);
    }
}
END_TEST

/* ---- The floor --------------------------------------------------------- */

START_TEST(the_floor_and_the_cap_hold_both)
{
    static const struct {
        uint32_t n, percent, floor, most;
        ilb_fail_mode mode;
    } rows[] = {
        {4, 0, 0, 3, ILB_FAIL_OPEN},    {4, 0, 1, 3, ILB_FAIL_OPEN},
        {4, 0, 2, 2, ILB_FAIL_OPEN},    {4, 0, 3, 1, ILB_FAIL_OPEN},
        {4, 0, 4, 0, ILB_FAIL_OPEN},    {4, 0, 9, 0, ILB_FAIL_OPEN},
        {8, 50, 2, 4, ILB_FAIL_OPEN},   {8, 50, 6, 2, ILB_FAIL_OPEN},
        {8, 1, 7, 1, ILB_FAIL_OPEN},    {8, 1, 8, 0, ILB_FAIL_OPEN},
        {4, 0, 0, 4, ILB_FAIL_CLOSED},  {4, 0, 1, 3, ILB_FAIL_CLOSED},
        {4, 50, 0, 2, ILB_FAIL_CLOSED}, {1, 0, 0, 1, ILB_FAIL_CLOSED},
        {1, 50, 0, 0, ILB_FAIL_CLOSED}, {2, 1, 0, 1, ILB_FAIL_CLOSED},
        {4, 0, 3, 1, ILB_FAIL_CLOSED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ilb_options o = options(rows[i].mode, 0);
        ilb_balancer *b;

        o.max_ejection_percent = rows[i].percent;
        o.min_endpoints = rows[i].floor;
        b = test_new(&o);
        test_update(b, 0, rows[i].n);
        for (uint32_t k = 0; k < 4 * rows[i].n; k++)
            (void)end_on(b, k % rows[i].n, ILB_FAILURE);
        must_eq(n_ejected(b), rows[i].most);
        ilb_balancer_free(b);
    }
}
END_TEST

/* A set that shrinks to the floor has nobody ejected. */
START_TEST(the_floor_holds_when_the_set_shrinks)
{
    ilb_options o = options(ILB_FAIL_OPEN, 0);
    ilb_balancer *b;

    o.min_endpoints = 3;
    b = with_ejected(&o, 6, 3);
    test_update(b, 0, 5);
    must_eq(n_ejected(b), 2);
    test_update(b, 0, 4);
    must_eq(n_ejected(b), 1);
    test_update(b, 0, 3);
    must_eq(n_ejected(b), 0);
    ilb_balancer_free(b);
}
END_TEST

Suite *suite_api_fail_mode(void)
{
    Suite *s = suite_create("api fail mode");
    TCase *tc = test_case(s, "closed");

    tcase_add_test(tc, closed_has_an_error_of_its_own);
    tcase_add_test(tc, open_never_ejects_the_last);
    tcase_add_test(tc, the_errors_are_told_apart);
    tcase_add_test(tc, closed_heals_by_its_probes);
    tcase_add_test(tc, closed_stays_closed_while_probes_fail);
    tc = test_case(s, "panic");
    tcase_add_test(tc, in_a_panic_open_chooses_among_all);
    tcase_add_test(tc, in_a_panic_the_score_decides);
    tcase_add_test(tc, in_a_panic_closed_refuses);
    tcase_add_test(tc, a_threshold_is_rounded_up);
    tc = test_case(s, "floor");
    tcase_add_test(tc, the_floor_and_the_cap_hold_both);
    tcase_add_test(tc, the_floor_holds_when_the_set_shrinks);
    return s;
}
