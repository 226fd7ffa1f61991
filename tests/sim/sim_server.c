/* SPDX-License-Identifier: MIT */
#include "sim_server.h"

#include <stdlib.h>
#include <string.h>

#include "sim_condition.h"
#include "sim_draw.h"

/* ---- Queues ---- */

static inline void server_append(sim_queue *q, sim_job *job)
{
    job->next = NULL;
    if (q->n++ == 0)
        q->first = job;
    else
        q->last->next = job;
    q->last = job;
}

static inline sim_job *server_take(sim_queue *q)
{
    sim_job *job = q->first;

    if (job != NULL) {
        q->first = job->next;
        q->n--;
    }
    return job;
}

/* ---- Beginning and end ---- */

bool sim_servers_init(sim_servers *servers, const sim_scenario *scenario,
                      sim_events *events, sim_jobs *jobs, uint64_t seed,
                      bool recent)
{
    double heavy = 1 + scenario->heavy_share * (scenario->heavy_factor - 1);

    memset(servers, 0, sizeof *servers);
    servers->all = calloc(scenario->n_servers, sizeof *servers->all);
    if (servers->all == NULL)
        return false;
    servers->n = scenario->n_servers;
    servers->events = events;
    servers->jobs = jobs;
    servers->network_ns = scenario->network_ns;
    servers->luck_seed = seed;
    servers->errors_everywhere = scenario->errors_everywhere;
    servers->heavy_factor = scenario->heavy_factor;
    for (uint32_t i = 0; i < servers->n; i++) {
        const sim_server_spec *spec = &scenario->servers[i];
        sim_server *s = &servers->all[i];

        s->service = spec->own_service ? &spec->service : &scenario->service;
        s->speed = spec->speed;
        s->mean_ns = sim_draw_mean(s->service);
        if (scenario->heavy_share > 0)
            s->mean_ns *= heavy;
        s->workers = spec->workers;
        s->queue_limit = spec->queue;
        s->slow = s->antagonist = 1;
        s->rejoin_ns = UINT64_MAX;
        if (recent && (s->recent = calloc(1, sizeof *s->recent)) == NULL)
            return false;
    }
    return true;
}

void sim_servers_free(sim_servers *servers)
{
    for (uint32_t i = 0; i < servers->n; i++)
        free(servers->all[i].recent);
    free(servers->all);
    memset(servers, 0, sizeof *servers);
}

/* ---- A job's way through a server ---- */

static void server_answer(sim_servers *servers, sim_server *s, sim_job *job,
                          sim_outcome outcome, uint64_t now_ns)
{
    s->went++;
    job->place = SIM_AWAY;
    if (!job->waits) {
        sim_jobs_give(servers->jobs, job);
        return;
    }
    job->outcome = (uint8_t)outcome;
    sim_events_push_wire(servers->events,
                         sim_draw_after(now_ns, servers->network_ns),
                         SIM_EVENT_ANSWER, job->index, 0);
}

/* The luck of this attempt: the same numbers whichever server it meets. */
static void server_luck(const sim_servers *servers, const sim_job *job,
                        double luck[3])
{
    sim_random r = sim_random_stream(servers->luck_seed + job->attempt.number,
                                     job->attempt.request);

    for (int i = 0; i < 3; i++)
        luck[i] = sim_random_unit(&r);
}

static void server_begin(sim_servers *servers, sim_server *s, sim_job *job,
                         uint64_t now_ns)
{
    double ns = sim_condition_service_ns(s, job->demand_ns, now_ns);
    uint64_t service_ns = sim_draw_round(ns);
    uint64_t end_ns;

    job->outcome = SIM_SUCCESS;
    if (s->errors > 0 || servers->errors_everywhere > 0) {
        double luck[3];

        server_luck(servers, job, luck);
        if (luck[0] < servers->errors_everywhere)
            job->outcome = SIM_FAILURE;
        if (luck[1] < s->errors) {
            job->outcome = SIM_FAILURE;
            if (s->error_delay_ns != UINT64_MAX)
                service_ns = s->error_delay_ns;
        }
    }
    end_ns = sim_draw_after(now_ns, service_ns);
    job->place = SIM_SERVED;
    job->paused_ns = s->paused_ns;
    s->busy++;
    s->ends_ns += end_ns;
    sim_events_push(servers->events, end_ns, SIM_EVENT_SERVED, job->index,
                    job->stamp);
}

static void server_draw_demand(const sim_servers *servers, const sim_server *s,
                               sim_job *job)
{
    sim_random work = job->work;

    job->demand_ns = sim_draw(s->service, &work);
    if (job->heavy)
        job->demand_ns *= servers->heavy_factor;
}

static void server_admit(sim_servers *servers, sim_server *s, sim_job *job,
                         uint64_t now_ns)
{
    if (s->crashed || s->refuse) {
        server_answer(servers, s, job, SIM_CONNECT_ERROR, now_ns);
        return;
    }
    if (s->frozen) {
        job->place = SIM_BACKLOG;
        server_append(&s->backlog, job);
        return;
    }
    if (s->reject > 0) {
        double luck[3];

        server_luck(servers, job, luck);
        if (luck[2] < s->reject) {
            job->retry_after_ns = s->retry_after_ns;
            server_answer(servers, s, job, SIM_OVERLOAD, now_ns);
            return;
        }
    }
    if (s->workers == 0 || s->busy < s->workers) {
        server_draw_demand(servers, s, job);
        server_begin(servers, s, job, now_ns);
    } else if (s->queue.n < s->queue_limit) {
        server_draw_demand(servers, s, job);
        job->place = SIM_QUEUED;
        server_append(&s->queue, job);
        s->queued_ns += job->demand_ns;
    } else {
        server_answer(servers, s, job, SIM_OVERLOAD, now_ns);
    }
}

void sim_server_arrive(sim_servers *servers, sim_job *job, uint64_t now_ns)
{
    sim_server *s = &servers->all[job->server];

    s->came++;
    job->at_server_ns = now_ns;
    job->load = sim_server_load(s);
    job->retry_after_ns = 0;
    server_admit(servers, s, job, now_ns);
}

/* The plan was made without the pauses since, and the present one. */
static bool server_is_late(sim_servers *servers, sim_server *s, sim_job *job,
                           uint64_t now_ns)
{
    uint64_t owed_ns = s->paused_ns - job->paused_ns;

    if (s->frozen) {
        job->left_ns = now_ns + owed_ns - s->frozen_ns;
        server_append(&s->stalled, job);
        return true;
    }
    if (owed_ns == 0)
        return false;
    job->paused_ns = s->paused_ns;
    sim_events_push(servers->events, sim_draw_after(now_ns, owed_ns),
                    SIM_EVENT_SERVED, job->index, job->stamp);
    return true;
}

void sim_server_served(sim_servers *servers, sim_job *job, uint32_t stamp,
                       uint64_t now_ns)
{
    sim_server *s = &servers->all[job->server];
    sim_job *next;

    if (stamp != job->stamp || server_is_late(servers, s, job, now_ns))
        return;
    s->busy--;
    s->ends_ns -= now_ns;
    if (s->recent != NULL && job->outcome == SIM_SUCCESS)
        sim_recent_add(s->recent, job->load, now_ns - job->at_server_ns);
    server_answer(servers, s, job, (sim_outcome)job->outcome, now_ns);
    next = server_take(&s->queue);
    if (next != NULL) {
        /* Exactly nothing when it is empty, whatever was rounded. */
        s->queued_ns = s->queue.n == 0 ? 0 : s->queued_ns - next->demand_ns;
        server_begin(servers, s, next, now_ns);
    }
}

/* ---- Standing still ---- */

static void server_thaw(sim_servers *servers, sim_server *s, uint64_t now_ns)
{
    uint64_t pause_ns = now_ns - s->frozen_ns;
    sim_queue stalled = s->stalled, backlog = s->backlog;
    sim_job *job;

    s->frozen = false;
    s->paused_ns += pause_ns;
    s->ends_ns += s->busy * pause_ns;
    memset(&s->stalled, 0, sizeof s->stalled);
    memset(&s->backlog, 0, sizeof s->backlog);
    while ((job = server_take(&stalled)) != NULL) {
        job->paused_ns = s->paused_ns;
        sim_events_push(servers->events, sim_draw_after(now_ns, job->left_ns),
                        SIM_EVENT_SERVED, job->index, job->stamp);
    }
    while ((job = server_take(&backlog)) != NULL)
        server_admit(servers, s, job, now_ns);
}

void sim_server_freeze(sim_servers *servers, sim_server *s, uint64_t now_ns)
{
    bool frozen = s->hang || s->stopped;

    if (frozen == s->frozen)
        return;
    if (frozen) {
        s->frozen = true;
        s->frozen_ns = now_ns;
    } else {
        server_thaw(servers, s, now_ns);
    }
}

/* Seldom, so the jobs are looked for instead of being kept in a list. */
void sim_server_reset(sim_servers *servers, sim_server *s, uint64_t now_ns)
{
    const sim_jobs *jobs = servers->jobs;
    uint32_t number = (uint32_t)(s - servers->all);

    for (uint32_t i = 0; i < jobs->n_chunks * SIM_JOBS_CHUNK; i++) {
        sim_job *job = sim_jobs_at(jobs, i);

        if (job->place == SIM_AWAY || job->server != number)
            continue;
        job->stamp++;
        server_answer(servers, s, job, SIM_CONNECT_ERROR, now_ns);
    }
    memset(&s->queue, 0, sizeof s->queue);
    memset(&s->backlog, 0, sizeof s->backlog);
    memset(&s->stalled, 0, sizeof s->stalled);
    s->busy = 0;
    s->ends_ns = 0;
    s->queued_ns = 0;
}
