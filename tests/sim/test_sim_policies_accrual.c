/* SPDX-License-Identifier: MIT */
/* Finagle's failure accrual, alone and under its p2c. */
#include "policies/policy_finagle_accrual.h"
#include "test_sim_policies.h"

#define ACCRUAL_T0 (1000 * TEST_S)

static sim_random accrual_random;

static bool accrual_fails(finagle_accrual *f, uint64_t now)
{
    return sim_accrual_end(f, &accrual_random, false, false, now);
}

static void accrual_works(finagle_accrual *f, uint64_t now)
{
    sim_accrual_end(f, &accrual_random, true, false, now);
}

static void test_row(void)
{
    uint64_t now = ACCRUAL_T0;
    finagle_accrual f;

    sim_accrual_open(&f, now);
    for (int i = 0; i < 4; i++)
        test_expect(!accrual_fails(&f, now), "finagle", "4 in a row are few");
    accrual_works(&f, now);
    for (int i = 0; i < 4; i++)
        accrual_fails(&f, now);
    test_expect(accrual_fails(&f, now), "finagle", "the 5th marks it dead");
    test_expect(!sim_accrual_is_open(&f, now + 4999 * TEST_MS), "finagle",
                "5 s dead");
    now += 5 * TEST_S;
    test_expect(sim_accrual_is_open(&f, now) && f.state == ACCRUAL_PROBE_OPEN,
                "finagle", "then open for a probe");
    sim_accrual_begin(&f);
    test_expect(!sim_accrual_is_open(&f, now), "finagle", "of one request");
    sim_accrual_end(&f, &accrual_random, false, true, now);
    test_expect(f.state == ACCRUAL_PROBE_OPEN, "finagle",
                "one that is cancelled does not count");
    sim_accrual_begin(&f);
    test_expect(!accrual_fails(&f, now) && f.state == ACCRUAL_DEAD, "finagle",
                "a bad probe: dead again, no new removal");
    test_expect(!sim_accrual_is_open(&f, now + 4999 * TEST_MS) &&
                    sim_accrual_is_open(&f, now + 10 * TEST_S),
                "finagle", "for 5 to 10 s");
    sim_accrual_begin(&f);
    accrual_works(&f, now + 10 * TEST_S);
    test_expect(f.state == ACCRUAL_ALIVE && f.consecutive == 0, "finagle",
                "a good probe: alive, all forgotten");
}

/* Times dead: 5 s, then from h to 2 h with h = 5, 10, 20 ... 160 s, then 300 s.
 */
static void test_backoff_once(void)
{
    uint64_t now = ACCRUAL_T0;
    bool last = false;
    finagle_accrual f;

    sim_accrual_open(&f, now);
    /* Within 30 s of life the success rate is not looked at: one row only. */
    for (int i = 0; i < 4; i++)
        accrual_fails(&f, now);
    for (int i = 0; i < 12; i++) {
        double least = i == 0 ? 5 : ldexp(5, i - 1), dead;

        f.since_ns = now;
        accrual_fails(&f, now);
        dead = sim_since_ns(f.dead_until_ns, now) / SIM_S;
        if (last || least >= 300)
            test_value(dead, 300, "finagle", "300 s from then on");
        else
            test_expect(dead >= least - 1e-6 &&
                            dead <= fmin(300, i == 0 ? 5 : 2 * least),
                        "finagle", "half fixed, half by luck");
        last = last || dead >= 300;
        now = f.dead_until_ns;
        sim_accrual_is_open(&f, now);
        sim_accrual_begin(&f);
    }
    test_expect(last, "finagle", "300 s are reached");
}

static void test_backoff(void)
{
    for (int i = 0; i < 50; i++)
        test_backoff_once();
}

/* Every third fails; never five in a row. */
static uint64_t accrual_until_dead(uint32_t every, uint64_t step)
{
    uint64_t now = ACCRUAL_T0;
    finagle_accrual f;

    sim_accrual_open(&f, now);
    for (uint32_t i = 1; now < ACCRUAL_T0 + 600 * TEST_S; i++) {
        now += step;
        if (i % every != 0)
            accrual_works(&f, now);
        else if (accrual_fails(&f, now))
            return now - ACCRUAL_T0;
    }
    return 0;
}

static void test_rate(void)
{
    uint64_t t = accrual_until_dead(3, 10 * TEST_MS);

    test_expect(t >= 30 * TEST_S && t < 31 * TEST_S, "finagle",
                "a third fails: dead after 30 s of life");
    test_expect(accrual_until_dead(10, 10 * TEST_MS) == 0, "finagle",
                "a tenth fails: never dead");
    test_expect(accrual_until_dead(2, 10 * TEST_S) == 0, "finagle",
                "4 requests in 30 s are too few");
}

static void test_p2c(void)
{
    uint32_t bad = 0;
    sim_attempt *a;
    test_bench b;

    test_open(&b, &sim_policy_finagle, 2);
    for (int i = 0; i < 4000; i++) {
        a = test_send(&b);
        test_wait(&b, a->server == 0 ? TEST_MS : 2 * TEST_MS);
        bad += a->server == 0;
        test_end(&b, a, a->server == 0 ? SIM_FAILURE : SIM_SUCCESS);
    }
    test_expect(bad == 6, "finagle", "5 failures and one probe in 8 s");
    test_expect(test_ejected(&b) == 1, "finagle", "one is out");
    a = test_send(&b);
    test_expect(a != NULL && a->server == 1, "finagle", "the other is used");
    test_end(&b, a, SIM_SUCCESS);
    test_close(&b);
    test_open(&b, &sim_policy_finagle, 1);
    for (int i = 0; i < 20; i++)
        test_expect(test_request(&b, TEST_MS, SIM_FAILURE) == 0, "finagle",
                    "panic: one that is dead is better than none");
    test_expect(test_ejected(&b) == 1, "finagle", "though it is dead");
    test_close(&b);
}

/* Half of eight are dead: 4 draws of two seldom show dead ones only. */
static void test_effort(void)
{
    uint32_t dead = 0;
    sim_attempt *a;
    test_bench b;

    test_open(&b, &sim_policy_finagle, 8);
    for (uint32_t i = 0; i < 400 && test_ejected(&b) < 4; i++) {
        a = test_send(&b);
        test_wait(&b, TEST_MS);
        test_end(&b, a, a->server < 4 ? SIM_FAILURE : SIM_SUCCESS);
    }
    test_expect(test_ejected(&b) == 4, "finagle", "four are dead");
    for (int i = 0; i < 4000; i++)
        dead += test_request(&b, 0, SIM_SUCCESS) < 4;
    test_expect(dead < 20, "finagle", "0.2^5 of all, not 0.2^2");
    test_close(&b);
    test_open(&b, &sim_policy_finagle, 1);
    for (int i = 0; i < 20; i++)
        test_request(&b, TEST_MS, SIM_CANCELLED);
    test_expect(test_ejected(&b) == 0, "finagle", "cancelled is no failure");
    test_close(&b);
}

/* Unequal weights: by groups. */
static void test_weights(void)
{
    static const double weights[3] = {2, 1, 1};
    test_bench b;
    uint32_t n;

    test_open(&b, &sim_policy_finagle, 0);
    test_list(&b, weights, 3);
    n = test_share(&b, 0, 20000, TEST_MS);
    test_expect(n > 9600 && n < 10400, "finagle", "half by weight");
    test_close(&b);
}

void test_policies_accrual(void)
{
    accrual_random = sim_random_stream(1, 1);
    test_row();
    test_backoff();
    test_rate();
    test_p2c();
    test_effort();
    test_weights();
}
