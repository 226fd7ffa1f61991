/* SPDX-License-Identifier: MIT */
/*
 * Whoever breaks the contract is told so, and nothing is left behind: policies
 * that pick, ask or count what they must not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_sim_kit.h"

/* ---- Instances ---- */

static uint32_t contract_created, contract_destroyed, contract_refuse_at;

static void *contract_create(const sim_host *host)
{
    kit_must_eq(host->client, contract_created);
    if (contract_created == contract_refuse_at)
        return NULL;
    contract_created++;
    return kit_policy.create(host);
}

static void contract_destroy(void *self)
{
    contract_destroyed++;
    kit_policy.destroy(self);
}

static sim_policy contract_counting(uint32_t refuse_at)
{
    sim_policy p = kit_policy;

    p.create = contract_create;
    p.destroy = contract_destroy;
    contract_created = contract_destroyed = 0;
    contract_refuse_at = refuse_at;
    kit_clear();
    return p;
}

START_TEST(one_instance_a_client)
{
    sim_policy p = contract_counting(UINT32_MAX);
    uint64_t clients[5] = {0};
    kit k;

    kit_init(&k, 3);
    k.s.n_clients = 5;
    kit_run_with(&k, &p, 1);
    kit_must_eq(contract_created, 5);
    kit_must_eq(contract_destroyed, 5);
    kit_must_eq(kit_log.updates, 5);
    for (size_t i = 0; i < kit_log.n; i++)
        clients[kit_log.attempts[i].client]++;
    for (int i = 0; i < 5; i++)
        kit_within((double)clients[i], 200 - 65, 200 + 65);
}
END_TEST

START_TEST(an_instance_that_is_refused)
{
    kit k;

    kit_init(&k, 3);
    k.s.n_clients = 5;
    for (uint32_t at = 0; at < 5; at++) {
        sim_policy p = contract_counting(at);

        kit_fails_with(&k, &p, "create of client");
        kit_must_eq(contract_created, at);
        kit_must_eq(contract_destroyed, at);
    }
}
END_TEST

/* ---- Picks ---- */

START_TEST(a_server_that_is_not_in_the_list)
{
    kit k;

    kit_init(&k, 3);
    k.servers[2].listed_at_start = false;
    kit_at(&k, 5 * SECOND, SIM_LEAVE, 1, 1);
    kit_clear();
    kit_log.choice = KIT_BLIND;
    for (kit_log.always = 2; kit_log.always < 9; kit_log.always++)
        kit_fails_with(&k, &kit_policy, "is not in its list of 2");
    kit_log.always = UINT32_MAX;
    kit_fails_with(&k, &kit_policy, "picked server 4294967295");
    kit_log.always = 1;
    kit_fails_with(&k, &kit_policy, "5.005000 s: it picked server 1");
}
END_TEST

static bool contract_pick_renumbering(void *self, sim_attempt *a,
                                      uint64_t now_ns)
{
    bool picked = kit_policy.pick(self, a, now_ns);

    a->request += a->request == 7;
    return picked;
}

START_TEST(a_request_that_is_given_another_number)
{
    sim_policy p = kit_policy;
    kit k;

    p.pick = contract_pick_renumbering;
    kit_init(&k, 3);
    kit_clear();
    kit_fails_with(&k, &p, "changed the number of request 7");
}
END_TEST

/* No retry goes to a server twice by the kit's own rule; the simulator leaves
 * that to the policy. */
START_TEST(a_server_that_is_not_ready_may_be_picked)
{
    sim_result r;
    kit k;

    kit_init(&k, 2);
    kit_at(&k, SECOND, SIM_NOT_READY, 1, 1);
    kit_clear();
    kit_log.choice = KIT_BLIND;
    kit_log.always = 1;
    r = kit_run_with(&k, &kit_policy, 1);
    kit_must_eq(r.failed, 0);
    kit_must_eq(r.requests, 1000);
}
END_TEST

/* ---- Ejections ---- */

static void contract_eject(const sim_host *host, uint64_t now_ns)
{
    (void)host;
    if (now_ns - KIT_CLOCK == 2 * SECOND || now_ns - KIT_CLOCK == 5 * SECOND)
        kit_log.ejections += 3;
}

START_TEST(ejections_are_those_after_the_warm_up)
{
    kit k;

    kit_init(&k, 2);
    k.s.warm_up_ns = 3 * SECOND;
    k.s.n_clients = 2;
    kit_clear();
    kit_log.on_tick = contract_eject;
    kit_log.ejected = 2;
    /* Both clients tell the same count; both have ticks. */
    kit_must_eq(kit_run_with(&k, &kit_policy, 1).ejections, 2 * 6);
    kit_log.ejected = 3;
    kit_fails_with(&k, &kit_policy, "3 endpoints are ejected, of 2");
}
END_TEST

static void contract_forget(const sim_host *host, uint64_t now_ns)
{
    (void)host;
    kit_log.ejections = now_ns - KIT_CLOCK < 4 * SECOND ? 9 : 8;
}

START_TEST(ejections_do_not_go_back)
{
    kit k;

    kit_init(&k, 2);
    k.s.warm_up_ns = 3 * SECOND;
    kit_clear();
    kit_log.on_tick = contract_forget;
    kit_fails_with(&k, &kit_policy, "count of ejections has gone back");
}
END_TEST

/* ---- Questions ---- */

static enum {
    ASK_PROBE,
    ASK_OWN,
    ASK_DELAY,
    ASK_FAILURE
} contract_asks;
static uint32_t contract_asks_as, contract_asks_of;

static void contract_ask(const sim_host *host, uint64_t now_ns)
{
    (void)now_ns;
    if (contract_asks == ASK_PROBE)
        host->send_probe(host->world, contract_asks_as, contract_asks_of);
    else if (contract_asks == ASK_OWN)
        host->send_own(host->world, contract_asks_as, contract_asks_of);
    else if (contract_asks == ASK_DELAY)
        kit_must(isinf(host->true_delay_ns(host->world, contract_asks_of)));
    else
        kit_must(host->true_failure(host->world, contract_asks_of) >= 1);
}

START_TEST(who_may_ask)
{
    static const char *const what[] = {"a probe", "a request of its own",
                                       "the true delay", "the true failures"};
    sim_policy deaf = kit_knowing;
    char text[80];
    kit k;

    kit_init(&k, 3);
    kit_clear();
    kit_log.on_tick = contract_ask;
    for (int i = 0; i < 4; i++) {
        contract_asks = i == 0   ? ASK_PROBE
                        : i == 1 ? ASK_OWN
                        : i == 2 ? ASK_DELAY
                                 : ASK_FAILURE;
        contract_asks_as = contract_asks_of = 0;
        snprintf(text, sizeof text, "it is passive, but asks for %s", what[i]);
        kit_fails_with(&k, &kit_policy, text);
        contract_asks_of = 3;
        snprintf(text, sizeof text, "asks for %s of server 3, of 3", what[i]);
        kit_fails_with(&k, &kit_knowing, text);
    }
    contract_asks = ASK_PROBE;
    contract_asks_of = 0;
    contract_asks_as = 1;
    kit_fails_with(&k, &kit_knowing, "a probe as client 1 of 1");
    contract_asks_as = 0;
    deaf.probe_answer = NULL;
    kit_fails_with(&k, &deaf, "takes no answers");
    contract_asks = ASK_OWN;
    kit_fails_with(&k, &kit_knowing, "takes no answers");
}
END_TEST

/* ---- Policies that are refused ---- */

START_TEST(policies_without_their_functions)
{
    kit k;

    kit_init(&k, 1);
    kit_clear();
    kit_fails_with(&k, NULL, "policy: a policy without a name");
    for (int i = 0; i < 6; i++) {
        sim_policy p = kit_policy;

        if (i == 0)
            p.name = NULL;
        else if (i == 1)
            p.create = NULL;
        else if (i == 2)
            p.destroy = NULL;
        else if (i == 3)
            p.update = NULL;
        else if (i == 4)
            p.pick = NULL;
        else
            p.done = NULL;
        kit_fails_with(&k, &p,
                       i == 0   ? "without a name"
                       : i <= 2 ? "no create or destroy"
                                : "no update, pick or done");
    }
}
END_TEST

/* A policy of the least that there must be. */
START_TEST(the_rest_may_be_missing)
{
    sim_policy p = kit_policy;
    sim_result full, least;
    kit k;

    kit_init(&k, 3);
    kit_at(&k, SECOND, SIM_ERRORS, 1, 1);
    full = kit_run(&k, KIT_ROUND_ROBIN, 1);
    p.tick = NULL;
    p.n_ejected = NULL;
    p.probe_answer = NULL;
    kit_clear();
    least = kit_run_with(&k, &p, 1);
    least.events = full.events;
    ck_assert_mem_eq(&least, &full, sizeof full);
}
END_TEST

/* A message is cut to the room that there is, down to none. */
START_TEST(messages_fit)
{
    kit k;

    kit_init(&k, 2);
    kit_clear();
    kit_log.choice = KIT_BLIND;
    kit_log.always = 77;
    for (size_t size = 0; size < 120; size++) {
        char *error = malloc(size + 1);
        sim_result r;

        kit_must(error != NULL);
        kit_log.last_ns = 0;
        kit_log.fails = true;
        memset(error, 'x', size + 1);
        kit_must(sim_run(&k.s, &kit_policy, 1, &r, error, size) == -1);
        kit_must(error[size] == 'x');
        kit_must(size == 0 || strlen(error) < size);
        free(error);
    }
}
END_TEST

Suite *suite_sim_contract(void)
{
    Suite *s = suite_create("sim_contract");
    TCase *t = tcase_create("policies");

    tcase_add_test(t, one_instance_a_client);
    tcase_add_test(t, an_instance_that_is_refused);
    tcase_add_test(t, a_server_that_is_not_in_the_list);
    tcase_add_test(t, a_request_that_is_given_another_number);
    tcase_add_test(t, a_server_that_is_not_ready_may_be_picked);
    tcase_add_test(t, ejections_are_those_after_the_warm_up);
    tcase_add_test(t, ejections_do_not_go_back);
    tcase_add_test(t, who_may_ask);
    tcase_add_test(t, policies_without_their_functions);
    tcase_add_test(t, the_rest_may_be_missing);
    suite_add_tcase(s, t);
    t = tcase_create("messages");
    tcase_add_test(t, messages_fit);
    suite_add_tcase(s, t);
    return s;
}
