/* SPDX-License-Identifier: MIT */
/*
 * Requests of a policy's own: they have work and end as any other, but are in
 * no figure. And libilb with probes of its own: none of the users' requests
 * looks whether a bad endpoint is well again.
 */
#include <string.h>

#include "policies/policies.h"
#include "test_sim_kit.h"

#define OWN_MAX 1000

static struct {
    uint32_t server, in_one_tick;
    bool renumbers;
    uint32_t asked; /* in this tick */
    uint64_t tick_ns;
    kit_attempt all[OWN_MAX];
    uint32_t n, n_done;
} own;

static bool own_probe(void *self, sim_attempt *a, uint64_t now_ns)
{
    (void)self;
    if (own.tick_ns != now_ns)
        own.asked = 0;
    own.tick_ns = now_ns;
    if (own.asked++ == own.in_one_tick)
        return false;
    kit_must(own.n < OWN_MAX);
    kit_must_eq(a->n_tried, 0);
    kit_must(a->request >= SIM_OWN_REQUEST);
    kit_must_eq(a->request - SIM_OWN_REQUEST, own.n);
    own.all[own.n++].picked_ns = now_ns - KIT_CLOCK;
    a->server = own.server;
    a->state[3] = 7;
    a->elsewhere = true; /* without effect */
    a->request += own.renumbers;
    return true;
}

static void own_first_byte(void *self, sim_attempt *a, uint64_t now_ns)
{
    if (a->request < SIM_OWN_REQUEST)
        kit_policy.first_byte(self, a, now_ns);
    else
        own.all[a->request - SIM_OWN_REQUEST].first_byte = true;
}

static void own_done(void *self, sim_attempt *a, sim_outcome outcome,
                     uint64_t retry_after_ns, uint64_t now_ns)
{
    kit_attempt *mine;

    if (a->request < SIM_OWN_REQUEST) {
        kit_policy.done(self, a, outcome, retry_after_ns, now_ns);
        return;
    }
    mine = &own.all[a->request - SIM_OWN_REQUEST];
    kit_must(!mine->done);
    kit_must_eq(a->state[3], 7);
    kit_must_eq(a->server, own.server);
    mine->done = true;
    mine->done_ns = now_ns - KIT_CLOCK;
    mine->outcome = outcome;
    mine->retry_after_ns = retry_after_ns;
    own.n_done++;
}

static sim_policy own_policy(void)
{
    sim_policy p = kit_policy;

    p.passive = false;
    p.probe = own_probe;
    p.first_byte = own_first_byte;
    p.done = own_done;
    return p;
}

/* All users' requests go to server 0, so many of its own a tick to another. */
static sim_result own_run(kit *k, uint32_t server, uint32_t in_one_tick)
{
    const sim_policy policy = own_policy();
    sim_result r;

    memset(&own, 0, sizeof own);
    own.server = server;
    own.in_one_tick = in_one_tick;
    kit_clear();
    kit_log.choice = KIT_ALWAYS;
    r = kit_run_with(k, &policy, 1);
    kit_must_eq(own.n, own.n_done);
    return r;
}

START_TEST(in_no_figure)
{
    for (int closed = 0; closed < 2; closed++) {
        sim_result with, without;
        kit k;

        kit_init(&k, 2);
        k.s.closed_loop = closed;
        k.s.concurrency = 2;
        k.s.service = (sim_distribution){.kind = SIM_EXPONENTIAL, .a_ns = 3e6};
        kit_at(&k, SECOND, SIM_ERRORS, 1, 1);
        kit_measure(&k, SIM_ATTEMPTS, 1, 1, 0, 10 * SECOND);
        kit_measure(&k, SIM_FAILED, 0, 0, 0, 10 * SECOND);
        kit_measure(&k, SIM_PEAK, 0, 0, 0, 10 * SECOND);
        without = own_run(&k, 1, 0);
        with = own_run(&k, 1, 2);
        kit_must_eq(without.probes, 0);
        kit_within(with.probes, 2 * 99, 2 * 100);
        kit_must_eq(with.probes, own.n);
        kit_must(with.hash != without.hash);
        kit_must(with.events > without.events);
        with.probes = 0;
        with.hash = without.hash;
        with.events = without.events;
        kit_must(memcmp(&with, &without, sizeof with) == 0);
        kit_must(with.requests > 900);
    }
}
END_TEST

START_TEST(not_counted_in_the_warm_up)
{
    sim_result r;
    kit k;

    kit_init(&k, 2);
    k.s.warm_up_ns = 5 * SECOND;
    r = own_run(&k, 1, 1);
    kit_within(own.n, 99, 100);
    kit_within(r.probes, 49, 51);
}
END_TEST

/* One worker: the users' requests wait behind it. */
START_TEST(has_work)
{
    sim_result with, without;
    kit k;

    kit_init(&k, 1);
    without = own_run(&k, 0, 0);
    with = own_run(&k, 0, 1);
    kit_must_eq(with.requests, without.requests);
    kit_within(without.max_ns, 1.2e6, 1.2e6);
    kit_must(with.probes > 0);
    kit_must_eq(own.all[0].picked_ns, 100 * MS);
    kit_must_eq(own.all[0].done_ns, 100 * MS + 12 * MS / 10);

    kit_init(&k, 1);
    k.s.service.a_ns = 8e6; /* the request of 95 ms is there until 103.1 ms */
    own_run(&k, 0, 1);
    kit_must_eq(own.all[0].done_ns, 111 * MS + 2 * MS / 10);
}
END_TEST

static void own_ends(sim_happening_kind kind, double give_up,
                     sim_outcome outcome, uint64_t after_ns)
{
    sim_happening *h;
    kit k;

    kit_init(&k, 2);
    k.s.duration_ns = 2 * SECOND;
    k.s.give_up = give_up;
    k.s.retries = 2; /* not for these */
    h = kit_at(&k, 50 * MS, kind, 1, 1);
    h->delay_ns = 3 * MS;
    if (kind == SIM_REJECT)
        h->delay_ns = SECOND; /* Retry-After */
    own_run(&k, 1, 1);
    kit_must(own.n >= 19);
    for (uint32_t i = 0; i < own.n; i++) {
        kit_must_eq(own.all[i].outcome, outcome);
        kit_must_eq(own.all[i].done_ns - own.all[i].picked_ns, after_ns);
        kit_must_eq(own.all[i].first_byte, outcome == SIM_SUCCESS);
        kit_must_eq(own.all[i].retry_after_ns,
                    outcome == SIM_OVERLOAD ? SECOND : 0);
    }
}

START_TEST(ends_as_any_other)
{
    own_ends(SIM_HEAL, 0, SIM_SUCCESS, MS * 12 / 10);
    own_ends(SIM_ERRORS, 0, SIM_FAILURE, MS * 32 / 10);
    own_ends(SIM_REFUSE, 0, SIM_CONNECT_ERROR, MS * 2 / 10);
    own_ends(SIM_REJECT, 0, SIM_OVERLOAD, MS * 2 / 10);
    own_ends(SIM_HANG, 0, SIM_TIMEOUT, SECOND);
    own_ends(SIM_HANG, 0.5, SIM_TIMEOUT, SECOND / 2);
}
END_TEST

START_TEST(refused_where_it_breaks_the_contract)
{
    sim_policy policy = own_policy();
    kit k;

    kit_init(&k, 2);
    memset(&own, 0, sizeof own);
    policy.passive = true;
    kit_fails_with(&k, &policy,
                   "policy: it is passive, but makes requests of its own");
    policy.passive = false;
    own.in_one_tick = UINT32_MAX;
    kit_fails_with(&k, &policy,
                   "it makes more than 2 requests of its own at one time");
    memset(&own, 0, sizeof own);
    own.in_one_tick = 1;
    own.renumbers = true;
    kit_fails_with(&k, &policy, "it has changed the number of its own request");
    memset(&own, 0, sizeof own);
    own.in_one_tick = 1;
    own.server = 2;
    kit_fails_with(&k, &policy, "it picked server 2, which is not in its list");
}
END_TEST

/* ---- libilb ---- */

#define OWN_BAD 3u /* the server that is */

static struct {
    const sim_policy *policy;
    bool ejected;
    uint32_t before, after; /* users' requests to it: its first ejection */
} probing;

static bool probing_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    uint64_t ejections;

    if (!probing.ejected && probing.policy->n_ejected(self, &ejections) > 0)
        probing.ejected = true;
    if (!probing.policy->pick(self, a, now_ns))
        return false;
    if (a->server == OWN_BAD && probing.ejected)
        probing.after++;
    else if (a->server == OWN_BAD && now_ns >= KIT_CLOCK + 5 * SECOND)
        probing.before++;
    return true;
}

static sim_result probing_run(const sim_policy *of, sim_happening_kind kind,
                              uint64_t seed)
{
    sim_policy policy = *of;
    char error[256] = "";
    sim_result r;
    kit k;

    kit_init(&k, 10);
    k.s.duration_ns = 60 * SECOND;
    k.s.rate_per_s = 1000;
    k.s.service =
        (sim_distribution){.kind = SIM_LOGNORMAL, .a_ns = 5e6, .p = 0.5};
    for (uint32_t i = 0; i < k.s.n_servers; i++)
        k.servers[i].workers = 4;
    kit_at(&k, 5 * SECOND, kind, OWN_BAD, OWN_BAD);
    memset(&probing, 0, sizeof probing);
    probing.policy = of;
    policy.pick = probing_pick;
    memset(&r, 0, sizeof r);
    kit_must_eq(sim_run(&k.s, &policy, seed, &r, error, sizeof error), 0);
    kit_must(probing.ejected);
    return r;
}

START_TEST(libilb_probes_instead_of_users)
{
    static const sim_happening_kind kinds[] = {SIM_ERRORS, SIM_REFUSE,
                                               SIM_HANG};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            sim_result r = probing_run(&sim_policy_ilb_probing, kinds[i], seed);

            kit_must(probing.before > 0);
            kit_must_eq(probing.after, 0);
            kit_within(r.probes, 4, 20);
            r = probing_run(&sim_policy_ilb, kinds[i], seed);
            kit_must_eq(r.probes, 0);
            kit_must(probing.after >= 4);
        }
}
END_TEST

Suite *suite_sim_own(void)
{
    Suite *suite = suite_create("sim_own");
    TCase *tests = tcase_create("own");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, in_no_figure);
    tcase_add_test(tests, not_counted_in_the_warm_up);
    tcase_add_test(tests, has_work);
    tcase_add_test(tests, ends_as_any_other);
    tcase_add_test(tests, refused_where_it_breaks_the_contract);
    tcase_add_test(tests, libilb_probes_instead_of_users);
    suite_add_tcase(suite, tests);
    return suite;
}
