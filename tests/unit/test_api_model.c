/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of updates, readiness changes, picks and ends, against a
 * model that is a plain table: 1000 seeds, each policy.
 *
 * After every step: nobody is picked who is not listed and ready; a set with a
 * ready endpoint never yields an error; what is in flight, what was done, the
 * order, weights and states in the snapshot are the model's.
 */
#include <stdio.h>

#include "suites.h"
#include "util.h"

#define MODEL_SEEDS 1000
#define MODEL_STEPS 120
#define MODEL_PODS 20
#define MODEL_HELD 64

typedef struct model_pod {
    bool listed;
    bool known; /* listed, or left with requests in flight */
    ilb_readiness readiness;
    uint32_t weight;
    uint64_t in_flight;
    uint64_t done[ILB_OUTCOME_COUNT];
} model_pod;

typedef struct model {
    test_clock clock;
    uint64_t random;
    ilb_balancer *b;
    model_pod pods[MODEL_PODS];
    uint32_t order[MODEL_PODS];
    uint32_t n_listed;
    ilb_ticket held[MODEL_HELD];
    uint32_t held_pod[MODEL_HELD];
    uint32_t n_held;
} model;

/* Left, and nothing in flight: a stranger from here on. */
static void model_forget(model_pod *p)
{
    if (!p->listed && p->in_flight == 0)
        memset(p, 0, sizeof *p);
}

static void model_list(model *m, ilb_endpoint *list, uint32_t n)
{
    for (uint32_t i = 0; i < MODEL_PODS; i++)
        m->pods[i].listed = false;
    m->n_listed = n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t number = test_number_of(list[i].address);
        model_pod *p = &m->pods[number];

        m->order[i] = number;
        p->listed = p->known = true;
        p->readiness = list[i].readiness;
        p->weight = list[i].weight == 0 ? 1 : list[i].weight;
    }
    for (uint32_t i = 0; i < MODEL_PODS; i++)
        model_forget(&m->pods[i]);
}

static void step_update(model *m)
{
    ilb_endpoint list[MODEL_PODS];
    uint32_t n = test_below(&m->random, MODEL_PODS + 1);
    bool weighted = test_below(&m->random, 2) == 0;

    test_endpoints(list, 0, MODEL_PODS);
    for (uint32_t i = MODEL_PODS - 1; i > 0; i--) {
        uint32_t k = test_below(&m->random, i + 1);
        ilb_endpoint e = list[i];

        list[i] = list[k];
        list[k] = e;
    }
    for (uint32_t i = 0; i < n; i++) {
        list[i].weight = weighted ? test_below(&m->random, 5) : 0;
        list[i].readiness = (ilb_readiness)(test_below(&m->random, 6) == 0
                                                ? test_below(&m->random, 3)
                                                : 0);
    }
    if (n > 1 && test_below(&m->random, 8) == 0) {
        list[n - 1].address = list[test_below(&m->random, n - 1)].address;
        must_eq(ilb_balancer_update(m->b, list, n), ILB_EDUPLICATE);
        return;
    }
    must_eq(ilb_balancer_update(m->b, list, n), ILB_OK);
    model_list(m, list, n);
}

static void step_readiness(model *m)
{
    uint32_t number = test_below(&m->random, MODEL_PODS);
    ilb_readiness r = (ilb_readiness)test_below(&m->random, 3);
    int rc = ilb_balancer_set_readiness(m->b, test_address(number), r);

    must_eq(rc, m->pods[number].listed ? ILB_OK : ILB_ENOTFOUND);
    if (rc == ILB_OK)
        m->pods[number].readiness = r;
}

static void step_pick(model *m)
{
    uint32_t n_ready = 0, number;
    ilb_ticket t;
    int rc;

    if (m->n_held == MODEL_HELD)
        return;
    for (uint32_t i = 0; i < MODEL_PODS; i++)
        n_ready += m->pods[i].listed && m->pods[i].readiness == ILB_READY;
    rc = ilb_pick(m->b, &t, NULL);
    must_eq(rc, m->n_listed == 0 ? ILB_EEMPTY
                : n_ready == 0   ? ILB_ENOTREADY
                                 : ILB_OK);
    if (rc != ILB_OK)
        return;
    number = test_number(m->b, &t);
    must(ilb_ticket_user(m->b, &t) == test_address(number));
    must(m->pods[number].listed && m->pods[number].readiness == ILB_READY);
    m->pods[number].in_flight++;
    m->held[m->n_held] = t;
    m->held_pod[m->n_held++] = number;
}

static void step_done(model *m)
{
    uint32_t i, number;
    ilb_outcome outcome = (ilb_outcome)test_below(&m->random, 9);
    ilb_ticket t;

    if (m->n_held == 0)
        return;
    if ((int)outcome >= ILB_OUTCOME_COUNT)
        outcome = ILB_SUCCESS;
    i = test_below(&m->random, m->n_held);
    t = m->held[i];
    number = m->held_pod[i];
    m->held[i] = m->held[--m->n_held];
    m->held_pod[i] = m->held_pod[m->n_held];
    must_eq(test_number(m->b, &t), number);
    test_done(m->b, &t, outcome);
    must_eq(ilb_done(m->b, &t, outcome), ILB_ETICKET);
    m->pods[number].in_flight--;
    m->pods[number].done[outcome]++;
    model_forget(&m->pods[number]);
}

static void check_state(const model_pod *p, ilb_state state)
{
    if (!p->listed || p->readiness == ILB_DRAINING)
        must_eq(state, ILB_STATE_DRAINING);
    else if (p->readiness == ILB_NOT_READY)
        must_eq(state, ILB_STATE_NOT_READY);
    else
        must(state == ILB_STATE_WARMING || state == ILB_STATE_HEALTHY ||
             state == ILB_STATE_EJECTED || state == ILB_STATE_PROBING);
}

static void check_snapshot(model *m)
{
    ilb_endpoint_stats stats[2 * MODEL_PODS];
    bool seen[MODEL_PODS] = {false};
    size_t n = test_snapshot(m->b, stats, 2 * MODEL_PODS);
    uint32_t n_known = 0, n_ready = 0, n_out = 0;

    for (uint32_t i = 0; i < MODEL_PODS; i++)
        n_known += m->pods[i].known;
    must_eq(n, n_known);
    for (size_t i = 0; i < n; i++) {
        uint32_t number = test_number_of(stats[i].address);
        const model_pod *p = &m->pods[number];

        must(p->known && !seen[number] && p->listed == (i < m->n_listed));
        seen[number] = true;
        if (p->listed)
            must_eq(number, m->order[i]);
        must_eq(stats[i].weight, p->weight);
        must_eq(stats[i].in_flight, p->in_flight);
        must(p->in_flight > 0 || stats[i].oldest_ns == 0);
        must(memcmp(stats[i].done, p->done, sizeof p->done) == 0);
        check_state(p, stats[i].state);
        n_ready += p->listed && p->readiness == ILB_READY;
        n_out += stats[i].state == ILB_STATE_EJECTED ||
                 stats[i].state == ILB_STATE_PROBING;
    }
    /* The cap: never the last of those ready. */
    must(n_out < (n_ready == 0 ? 1 : n_ready));
}

static void model_run(uint64_t seed, ilb_policy policy)
{
    static model m;
    const test_clock start = TEST_CLOCK_INIT;
    ilb_options o;

    memset(&m, 0, sizeof m);
    m.clock = start;
    m.random = seed;
    o = test_options(&m.clock, policy, seed + 1);
    o.capacity = 64; /* room for all that may have left */
    m.b = test_new(&o);
    for (int i = 0; i < MODEL_STEPS; i++) {
        uint32_t what = test_below(&m.random, 16);

        m.clock.now_ns += test_random(&m.random) % (80 * MS_NS);
        if (what == 0)
            step_update(&m);
        else if (what == 1)
            step_readiness(&m);
        else if (what < 10)
            step_pick(&m);
        else
            step_done(&m);
        check_snapshot(&m);
    }
    while (m.n_held > 0)
        step_done(&m);
    check_snapshot(&m);
    ilb_balancer_free(m.b);
}

START_TEST(random_sequences_match_the_model)
{
    for (uint64_t seed = 0; seed < MODEL_SEEDS; seed++)
        model_run(seed, (ilb_policy)_i);
}
END_TEST

Suite *suite_api_model(void)
{
    Suite *s = suite_create("api model");
    TCase *tc = test_case(s, "model");

    tcase_add_loop_test(tc, random_sequences_match_the_model,
                        ILB_POLICY_PEAK_EWMA, ILB_POLICY_RANDOM + 1);
    return s;
}
