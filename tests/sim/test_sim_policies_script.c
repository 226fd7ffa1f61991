/* SPDX-License-Identifier: MIT */
/*
 * Random calls, as no simulator would make them: servers come and go with
 * requests in flight, clocks jump, probes are answered late or never. Whatever
 * happens, a pick is of a listed server that is ready, what is in flight is
 * counted right, and the same calls bring the same picks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_sim_policies.h"

#define SCRIPT_SERVERS 24
#define SCRIPT_ATTEMPTS 300

typedef struct script {
    test_bench bench;
    sim_random random;
    bool ready[SCRIPT_SERVERS]; /* listed and so */
    uint32_t n_ready, n_listed;
    sim_attempt *attempts[SCRIPT_ATTEMPTS];
    uint32_t tried[SCRIPT_ATTEMPTS][3];
    uint32_t n;
    uint64_t picks, refusals;
    uint64_t hash;
} script;

static bool script_is_ilb(const sim_policy *policy)
{
    return policy == &sim_policy_ilb || policy == &sim_policy_ilb_plain ||
           policy == &sim_policy_ilb_probing ||
           policy == &sim_policy_ilb_unjudged;
}

static void script_update(script *s)
{
    sim_member members[SCRIPT_SERVERS];
    bool weighted = sim_random_below(&s->random, 4) == 0;
    uint32_t n = 0, keep = sim_random_below(&s->random, 101);

    s->n_ready = 0;
    for (uint32_t i = 0; i < SCRIPT_SERVERS; i++) {
        s->ready[i] = false;
        if (sim_random_below(&s->random, 100) >= keep)
            continue;
        s->ready[i] = sim_random_below(&s->random, 10) > 0;
        s->n_ready += s->ready[i];
        members[n++] = (sim_member){
            .server = i,
            .weight =
                weighted ? 0.25 * (1 + sim_random_below(&s->random, 40)) : 1,
            .ready = s->ready[i],
        };
    }
    s->n_listed = n;
    s->bench.policy->update(s->bench.self, members, n, s->bench.now_ns);
}

static void script_pick(script *s)
{
    sim_attempt *a = sim_need(1, sizeof *a);

    if (s->n == SCRIPT_ATTEMPTS) {
        free(a);
        return;
    }
    a->request = s->picks;
    a->cost = 1;
    a->deadline_ns = s->bench.now_ns + TEST_S;
    a->tried = s->tried[s->n];
    a->n_tried = sim_random_below(&s->random, 8) == 0
                     ? sim_random_below(&s->random, 4)
                     : 0;
    a->number = a->n_tried;
    for (uint32_t i = 0; i < a->n_tried; i++)
        s->tried[s->n][i] = sim_random_below(&s->random, SCRIPT_SERVERS);
    s->picks++;
    if (!s->bench.policy->pick(s->bench.self, a, s->bench.now_ns)) {
        s->refusals += s->n_ready > 0;
        free(a);
        return;
    }
    a->picked_ns = s->bench.now_ns;
    s->attempts[s->n++] = a;
    s->hash = (s->hash ^ a->server) * UINT64_C(0x100000001B3);
    /* libilb may use one that is not ready if there is nothing else. */
    if (!(script_is_ilb(s->bench.policy) && s->n_ready == 0))
        test_expect(a->server < SCRIPT_SERVERS && s->ready[a->server],
                    s->bench.policy->name, "picks what is listed and ready");
    else
        test_expect(s->n_listed > 0, s->bench.policy->name,
                    "picks what is listed");
}

static void script_end(script *s)
{
    static const sim_outcome outcomes[16] = {
        SIM_SUCCESS, SIM_SUCCESS, SIM_SUCCESS,       SIM_SUCCESS,
        SIM_SUCCESS, SIM_SUCCESS, SIM_SUCCESS,       SIM_SUCCESS,
        SIM_SUCCESS, SIM_FAILURE, SIM_CONNECT_ERROR, SIM_FAILURE,
        SIM_TIMEOUT, SIM_TIMEOUT, SIM_OVERLOAD,      SIM_CANCELLED};
    sim_outcome outcome;
    uint64_t retry_after;
    uint32_t i;
    sim_attempt *a;

    if (s->n == 0)
        return;
    i = sim_random_below(&s->random, s->n);
    a = s->attempts[i];
    /* One draw a statement: their order must not be the compiler's choice. */
    outcome = outcomes[sim_random_below(&s->random, 16)];
    retry_after = sim_random_below(&s->random, 2) * 1000 * TEST_S;
    s->bench.policy->done(s->bench.self, a, outcome, retry_after,
                          s->bench.now_ns);
    s->attempts[i] = s->attempts[--s->n];
    free(a);
}

/* Usually forward a little; at times a jump. */
static void script_time(script *s)
{
    uint64_t *now = &s->bench.now_ns;
    uint32_t jump = sim_random_below(&s->random, 1000);

    if (jump == 0)
        *now += 3600 * TEST_S;
    else if (jump == 1)
        *now -= *now > 7200 * TEST_S ? 3600 * TEST_S : *now / 2;
    else if (jump < 50)
        *now += sim_random_below(&s->random, 20000) * TEST_MS;
    else
        *now += sim_random_below(&s->random, 20000) * UINT64_C(1000);
    if (s->bench.policy->tick != NULL)
        s->bench.policy->tick(s->bench.self, *now);
}

static void script_answer(script *s)
{
    test_bench *b = &s->bench;
    uint32_t server = sim_random_below(&s->random, SCRIPT_SERVERS);
    double in_flight;

    b->delay_ns[server] = sim_random_below(&s->random, 20) == 0
                              ? HUGE_VAL
                              : sim_random_exponential(&s->random) * 1e7;
    b->failure[server] =
        sim_random_below(&s->random, 4) == 0 ? sim_random_unit(&s->random) : 0;
    if (b->n_probed == 0 || b->policy->probe_answer == NULL)
        return;
    server = b->probed[--b->n_probed];
    in_flight = sim_random_below(&s->random, 30);
    b->policy->probe_answer(b->self, server, in_flight,
                            sim_random_exponential(&s->random) * 1e7,
                            b->now_ns);
}

/* Each listed record counts the open attempts that point to it. */
static void script_count(script *s)
{
    const char *name = s->bench.policy->name;
    sim_pool *pool = s->bench.self;
    uint64_t ejections;

    if (s->bench.policy->n_ejected != NULL)
        test_expect(s->bench.policy->n_ejected(s->bench.self, &ejections) <=
                        s->n_listed,
                    name, "no more are ejected than there are");
    if (script_is_ilb(s->bench.policy))
        return;
    test_expect(pool->n == s->n_ready, name, "has the list");
    for (uint32_t i = 0; i < pool->n; i++) {
        uint32_t in_flight = 0;

        for (uint32_t j = 0; j < s->n; j++)
            in_flight += (sim_endpoint *)(uintptr_t)s->attempts[j]->state[0] ==
                         pool->list[i];
        test_expect(pool->list[i]->in_flight == in_flight, name,
                    "counts what is in flight");
    }
}

static uint64_t script_run(const sim_policy *policy, uint64_t seed,
                           uint32_t calls)
{
    script *s = sim_need(1, sizeof *s);
    uint64_t hash;

    test_open_shared(&s->bench, policy, 0, 3);
    s->random = sim_random_stream(seed, 1);
    script_update(s);
    for (uint32_t i = 0; i < calls; i++) {
        uint32_t what = sim_random_below(&s->random, 1000);

        if (what < 430)
            script_pick(s);
        else if (what < 850)
            script_end(s);
        else if (what < 940)
            script_time(s);
        else if (what < 995)
            script_answer(s);
        else
            script_update(s);
        if (what % 200 == 0)
            script_count(s);
    }
    test_expect(s->picks > calls / 4, policy->name, "was asked");
    if (policy != &sim_policy_nginx_busy && !script_is_ilb(policy))
        test_expect(s->refusals == 0, policy->name,
                    "refuses only when nothing is ready");
    while (s->n > 0)
        script_end(s);
    script_count(s);
    if (!script_is_ilb(policy))
        test_expect(((sim_pool *)s->bench.self)->gone == NULL, policy->name,
                    "has forgotten those that left");
    test_close(&s->bench);
    hash = s->hash;
    free(s);
    return hash;
}

void test_policies_script(const sim_policy *policy, uint64_t seed,
                          uint32_t calls)
{
    uint64_t hash = script_run(policy, seed, calls);

    test_expect(script_run(policy, seed, calls / 10) ==
                    script_run(policy, seed, calls / 10),
                policy->name, "the same calls bring the same picks");
    test_expect(hash != script_run(policy, seed + 100, calls), policy->name,
                "other calls bring others");
}
