/* SPDX-License-Identifier: MIT */
#include "test_sim_kit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

kit_told kit_log;
kit_answer kit_answers[1000];
size_t kit_n_answers;

/* ---- Scenarios ---- */

void kit_init(kit *k, uint32_t n_servers)
{
    kit_must(n_servers <= 64);
    memset(k, 0, sizeof *k);
    k->s.duration_ns = 10 * SECOND;
    k->s.n_clients = 1;
    k->s.rate_per_s = 100;
    k->s.deadline_ns = SECOND;
    k->s.network_ns = MS / 10;
    k->s.service = (sim_distribution){.kind = SIM_CONSTANT, .a_ns = 1e6};
    k->s.servers = k->servers;
    k->s.n_servers = n_servers;
    k->s.happenings = k->happenings;
    k->s.processes = k->processes;
    for (uint32_t i = 0; i < n_servers; i++)
        k->servers[i] = (sim_server_spec){.workers = 1,
                                          .queue = UINT32_MAX,
                                          .speed = 1,
                                          .weight = 1,
                                          .listed_at_start = true};
}

sim_happening *kit_at(kit *k, uint64_t at_ns, sim_happening_kind kind,
                      uint32_t first, uint32_t last)
{
    sim_happening *h = &k->happenings[k->s.n_happenings++];

    kit_must(k->s.n_happenings <= 32);
    *h = (sim_happening){.at_ns = at_ns,
                         .kind = kind,
                         .first = first,
                         .last = last,
                         .factor = 1,
                         .probability = 1};
    if (kind == SIM_ERRORS)
        h->delay_ns = MS;
    return h;
}

sim_process *kit_always(kit *k, sim_process_kind kind, uint32_t first,
                        uint32_t last)
{
    sim_process *p = &k->processes[k->s.n_processes++];

    kit_must(k->s.n_processes <= 8);
    *p = (sim_process){.kind = kind,
                       .to_ns = k->s.duration_ns,
                       .first = first,
                       .last = last,
                       .factor = 1};
    return p;
}

void kit_measure(kit *k, sim_measure_kind kind, uint32_t first, uint32_t last,
                 uint64_t from_ns, uint64_t to_ns)
{
    kit_must(k->s.n_measures < SIM_MEASURES_MAX);
    k->s.measures[k->s.n_measures++] = (sim_measure){
        .name = "m",
        .kind = kind,
        .first = first,
        .last = last,
        .from_ns = from_ns,
        .to_ns = to_ns,
    };
}

/* ---- The policy ---- */

typedef struct kit_self {
    const sim_host *host;
    uint32_t next;
    sim_random random;
    uint64_t in_flight;
    bool updated;
} kit_self;

static void *kit_create(const sim_host *host)
{
    kit_self *self = calloc(1, sizeof *self);

    kit_must(self != NULL);
    self->host = host;
    self->random.state = host->seed;
    return self;
}

/* The simulator ends each attempt before it ends the policy, unless it has to
 * break off. */
static void kit_destroy(void *self)
{
    kit_must(kit_log.fails || ((kit_self *)self)->in_flight == 0);
    free(self);
}

static void kit_time(uint64_t now_ns)
{
    kit_must(now_ns >= 1);
    if (!kit_log.jumps)
        kit_must(now_ns >= kit_log.last_ns);
    kit_log.last_ns = now_ns;
}

static void kit_update(void *self, const sim_member *members, uint32_t n,
                       uint64_t now_ns)
{
    kit_time(now_ns);
    ((kit_self *)self)->updated = true;
    kit_log.updates++;
    memcpy(kit_log.members, members, n * sizeof *members);
    kit_log.n_members = n;
    if (kit_log.on_update != NULL)
        kit_log.on_update(now_ns);
}

static bool kit_tried(const sim_attempt *a, uint32_t server)
{
    for (uint32_t i = 0; i < a->n_tried; i++)
        if (a->tried[i] == server)
            return true;
    return false;
}

static bool kit_choose(kit_self *self, sim_attempt *a)
{
    uint32_t n = kit_log.n_members, first = 0;

    if (kit_log.choice == KIT_BLIND) {
        a->server = kit_log.always;
        return true;
    }
    if (n == 0)
        return false;
    if (kit_log.choice == KIT_ROUND_ROBIN)
        first = self->next++;
    else if (kit_log.choice == KIT_RANDOM)
        first = sim_random_below(&self->random, n);
    for (uint32_t i = 0; i < n; i++) {
        const sim_member *m = &kit_log.members[(first + i) % n];

        if (!m->ready || kit_tried(a, m->server) ||
            (kit_log.choice == KIT_ALWAYS && m->server != kit_log.always))
            continue;
        a->server = m->server;
        return true;
    }
    return false;
}

static bool kit_pick(void *self, sim_attempt *a, uint64_t now_ns)
{
    kit_self *k = self;
    kit_attempt *log;

    kit_time(now_ns);
    kit_must(k->updated);
    kit_must_eq(a->n_tried, a->number);
    for (size_t i = 0; i < sizeof a->state / sizeof a->state[0]; i++)
        kit_must_eq(a->state[i], 0);
    if (!kit_choose(k, a))
        return false;
    k->in_flight++;
    if (kit_log.n == kit_log.room) {
        kit_log.room = kit_log.room == 0 ? 1024 : 2 * kit_log.room;
        kit_log.attempts =
            realloc(kit_log.attempts, kit_log.room * sizeof *kit_log.attempts);
        kit_must(kit_log.attempts != NULL);
    }
    a->state[0] = kit_log.n + 1;
    log = &kit_log.attempts[kit_log.n++];
    *log = (kit_attempt){.request = a->request,
                         .picked_ns = now_ns - KIT_CLOCK,
                         .deadline_ns = a->deadline_ns - KIT_CLOCK,
                         .cost = a->cost,
                         .number = a->number,
                         .server = a->server,
                         .client = k->host->client};
    return true;
}

static kit_attempt *kit_of(const sim_attempt *a)
{
    kit_attempt *log;

    kit_must(a->state[0] >= 1);
    log = &kit_log.attempts[a->state[0] - 1];
    kit_must_eq(log->request, a->request);
    kit_must_eq(log->number, a->number);
    kit_must_eq(log->server, a->server);
    kit_must_eq(log->picked_ns + KIT_CLOCK, a->picked_ns);
    kit_must(!log->done);
    return log;
}

static void kit_first_byte(void *self, sim_attempt *a, uint64_t now_ns)
{
    (void)self;
    kit_time(now_ns);
    kit_must(!kit_of(a)->first_byte);
    kit_of(a)->first_byte = true;
}

static void kit_done(void *self, sim_attempt *a, sim_outcome outcome,
                     uint64_t retry_after_ns, uint64_t now_ns)
{
    kit_attempt *log = kit_of(a);

    kit_time(now_ns);
    kit_must(log->first_byte == (outcome == SIM_SUCCESS));
    log->done = true;
    log->outcome = outcome;
    log->done_ns = now_ns - KIT_CLOCK;
    log->retry_after_ns = retry_after_ns;
    ((kit_self *)self)->in_flight--;
}

static void kit_tick(void *self, uint64_t now_ns)
{
    kit_time(now_ns);
    kit_log.ticks++;
    if (kit_log.on_tick != NULL)
        kit_log.on_tick(((kit_self *)self)->host, now_ns);
}

static void kit_probe_answer(void *self, uint32_t server, double in_flight,
                             double latency_ns, uint64_t now_ns)
{
    (void)self;
    kit_time(now_ns);
    kit_must(kit_n_answers < 1000);
    kit_answers[kit_n_answers++] =
        (kit_answer){server, in_flight, latency_ns, now_ns - KIT_CLOCK};
}

static uint32_t kit_n_ejected(void *self, uint64_t *ejections)
{
    (void)self;
    *ejections = kit_log.ejections;
    return kit_log.ejected;
}

const sim_policy kit_policy = {
    .name = "kit",
    .passive = true,
    .create = kit_create,
    .destroy = kit_destroy,
    .update = kit_update,
    .pick = kit_pick,
    .first_byte = kit_first_byte,
    .done = kit_done,
    .tick = kit_tick,
    .n_ejected = kit_n_ejected,
};

const sim_policy kit_knowing = {
    .name = "kit-knowing",
    .passive = false,
    .create = kit_create,
    .destroy = kit_destroy,
    .update = kit_update,
    .pick = kit_pick,
    .first_byte = kit_first_byte,
    .done = kit_done,
    .tick = kit_tick,
    .probe_answer = kit_probe_answer,
};

/* ---- Runs ---- */

void kit_clear(void)
{
    free(kit_log.attempts);
    memset(&kit_log, 0, sizeof kit_log);
    kit_n_answers = 0;
}

sim_result kit_run_with(kit *k, const sim_policy *policy, uint64_t seed)
{
    char error[256] = "";
    sim_result r;
    int rc;

    memset(&r, 0xee, sizeof r);
    rc = sim_run(&k->s, policy, seed, &r, error, sizeof error);
    ck_assert_msg(rc == 0, "%s", error);
    for (size_t i = 0; i < kit_log.n; i++)
        kit_must(kit_log.attempts[i].done);
    return r;
}

void kit_fails_with(kit *k, const sim_policy *policy, const char *message)
{
    char error[256] = "";
    sim_result r, before;

    memset(&r, 0xee, sizeof r);
    before = r;
    kit_log.last_ns = 0;
    kit_log.fails = true;
    ck_assert_int_eq(sim_run(&k->s, policy, 1, &r, error, sizeof error), -1);
    ck_assert_mem_eq(&r, &before, sizeof r);
    ck_assert_msg(strstr(error, message) != NULL, "\"%s\" is not in \"%s\"",
                  message, error);
}

sim_result kit_run(kit *k, kit_choice choice, uint64_t seed)
{
    kit_clear();
    kit_log.choice = choice;
    return kit_run_with(k, &kit_policy, seed);
}

const kit_attempt *kit_picked(uint64_t at_ns)
{
    for (size_t i = 0; i < kit_log.n; i++)
        if (kit_log.attempts[i].picked_ns == at_ns)
            return &kit_log.attempts[i];
    ck_abort_msg("nothing was picked at %g ms", (double)at_ns / 1e6);
    return NULL;
}

uint64_t kit_took(uint64_t picked_ns)
{
    const kit_attempt *a = kit_picked(picked_ns);

    return a->done_ns - a->picked_ns;
}

void kit_fail(const char *file, int line, const char *what)
{
    ck_abort_msg("%s:%d: %s", file, line, what);
}

void kit_must_be_equal(const char *file, int line, const char *what, uint64_t a,
                       uint64_t b)
{
    if (a != b)
        ck_abort_msg("%s:%d: %s: %" PRIu64 ", %" PRIu64, file, line, what, a,
                     b);
}

void kit_must_within(const char *file, int line, const char *what, double x,
                     double low, double high)
{
    if (!(x >= low && x <= high))
        ck_abort_msg("%s:%d: %s is %g, not from %g to %g", file, line, what, x,
                     low, high);
}
