/* SPDX-License-Identifier: MIT */
#include "sim_request.h"

#include <inttypes.h>
#include <string.h>

#include "sim_arrivals.h"
#include "sim_condition.h"

/* ---- Those whose client waits ---- */

/* All wait for the same time, so the oldest is the first to be given up. */
static void request_wait(sim_world *w, sim_job *job)
{
    job->waits = true;
    job->patience_ns = job->arrived_ns + w->patience_ns;
    job->before = w->newest;
    job->after = NULL;
    if (w->newest == NULL)
        w->oldest = job;
    else
        w->newest->after = job;
    w->newest = job;
    w->n_live++;
}

static void request_wait_no_more(sim_world *w, sim_job *job)
{
    job->waits = false;
    if (job->before == NULL)
        w->oldest = job->after;
    else
        job->before->after = job->after;
    if (job->after == NULL)
        w->newest = job->before;
    else
        job->after->before = job->before;
    w->n_live--;
}

/* The server keeps `from`; all that is the client's goes on in `to`. */
static void request_move(sim_world *w, sim_job *from, sim_job *to)
{
    to->attempt.request = from->attempt.request;
    to->attempt.number = from->attempt.number;
    to->attempt.cost = from->attempt.cost;
    memcpy(to->tried, from->tried, from->attempt.number * sizeof *to->tried);
    to->arrived_ns = from->arrived_ns;
    to->patience_ns = from->patience_ns;
    to->client = from->client;
    to->elsewhere = from->elsewhere;
    to->counted = from->counted;
    to->heavy = from->heavy;
    to->work = from->work;
    to->server = from->server;
    to->before = from->before;
    to->after = from->after;
    *(to->before == NULL ? &w->oldest : &to->before->after) = to;
    *(to->after == NULL ? &w->newest : &to->after->before) = to;
    to->waits = true;
    from->waits = false;
}

static void request_over(sim_world *w, sim_job *job, sim_outcome end)
{
    request_wait_no_more(w, job);
    if (job->own)
        return;
    sim_stats_over(&w->stats, job->counted, job->arrived_ns, end, w->now_ns);
    sim_arrivals_ended(w, job->arrived_ns);
}

/* ---- Attempts ---- */

static void request_ask(sim_world *w, sim_job *job, uint32_t number)
{
    sim_attempt *a = &job->attempt;
    uint64_t left_ns = job->arrived_ns + w->scenario->deadline_ns - w->now_ns;

    a->number = number;
    a->tried = job->tried;
    a->n_tried = number;
    a->deadline_ns = sim_draw_after(sim_world_clock(w), left_ns);
    a->server = UINT32_MAX;
    a->elsewhere = false;
    a->try_ns = 0;
    memset(a->state, 0, sizeof a->state);
    job->tries++;
}

static void request_send(sim_world *w, sim_job *job)
{
    uint32_t server = job->attempt.server;
    bool bad;

    if (server >= w->servers.n || !w->listed[server]) {
        sim_world_fail(w,
                       "it picked server %" PRIu32 ", which is not in its "
                       "list of %" PRIu32,
                       server, w->n_members);
        return;
    }
    bad = sim_condition_bad(&w->servers.all[server], w->now_ns);
    job->server = server;
    if (job->own)
        sim_stats_own(&w->stats, job->counted, server, w->now_ns);
    else
        job->marks =
            sim_stats_sent(&w->stats, job->counted, server, bad, w->now_ns);
    sim_events_push_wire(&w->events, w->now_ns + w->servers.network_ns,
                         SIM_EVENT_AT_SERVER, job->index, 0);
}

/* What the policy asks for, if it may still ask. */
static void request_advice(sim_world *w, sim_job *job)
{
    const sim_attempt *a = &job->attempt;
    uint64_t ends_ns = sim_draw_after(w->now_ns, a->try_ns);

    job->try_elsewhere = false;
    if (job->elsewhere == SIM_ELSEWHERE_MAX)
        return;
    job->try_elsewhere = a->elsewhere;
    if (a->try_ns != 0 && ends_ns < job->patience_ns)
        sim_events_push(&w->events, ends_ns, SIM_EVENT_TRY_ENDS, job->index,
                        job->tries);
}

/* False: there is no endpoint for it. */
static bool request_try(sim_world *w, sim_job *job, uint32_t number)
{
    sim_attempt *a = &job->attempt;
    uint64_t clock_ns = sim_world_clock(w);
    uint64_t request = a->request;

    request_ask(w, job, number);
    if (!w->policy->pick(w->clients[job->client].self, a, clock_ns)) {
        w->stats.result.no_endpoint += job->counted;
        return false;
    }
    if (a->request != request || a->number != number) {
        sim_world_fail(w, "it has changed the number of request %" PRIu64,
                       request);
        return true;
    }
    a->picked_ns = clock_ns;
    w->n_picks++;
    request_advice(w, job);
    request_send(w, job);
    return true;
}

static void request_done(sim_world *w, sim_job *job, sim_outcome outcome,
                         uint64_t retry_after_ns)
{
    void *self = w->clients[job->client].self;
    uint64_t clock_ns = sim_world_clock(w);

    if (outcome == SIM_SUCCESS && w->policy->first_byte != NULL)
        w->policy->first_byte(self, &job->attempt, clock_ns);
    w->policy->done(self, &job->attempt, outcome, retry_after_ns, clock_ns);
    w->n_done++;
    if (w->stats.measures.n != 0 && !job->own)
        sim_measures_done(&w->stats.measures, job->server, job->marks,
                          w->now_ns);
}

/* ---- Requests ---- */

/* What it is, is drawn from a stream of its own: the same for all policies,
 * whatever happened before. */
static void request_draw(sim_world *w, sim_job *job)
{
    const sim_scenario *s = w->scenario;

    job->work = sim_random_stream(w->work_seed, job->attempt.request);
    if (s->n_clients > 1)
        job->client = sim_random_below(&job->work, s->n_clients);
    if (s->heavy_share > 0)
        job->heavy = sim_random_unit(&job->work) < s->heavy_share;
    job->attempt.cost = s->cost_hints && job->heavy ? s->heavy_factor : 1;
}

void sim_request_begin(sim_world *w)
{
    sim_job *job = sim_jobs_take(&w->jobs);

    if (job == NULL) {
        sim_world_fail_memory(w);
        return;
    }
    job->attempt.request = w->n_requests++;
    job->arrived_ns = w->now_ns;
    job->counted = w->now_ns >= w->scenario->warm_up_ns;
    request_draw(w, job);
    request_wait(w, job);
    if (!request_try(w, job, 0)) {
        request_over(w, job, SIM_FAILURE);
        sim_jobs_give(&w->jobs, job);
    }
}

/* Its stream is its own as well, so that no other request is another one for
 * it. */
bool sim_request_own(sim_world *w, uint32_t client)
{
    sim_job *job = sim_jobs_take(&w->jobs);
    uint64_t clock_ns = sim_world_clock(w);
    uint64_t request = SIM_OWN_REQUEST + w->n_own;

    if (job == NULL) {
        sim_world_fail_memory(w);
        return false;
    }
    job->own = true;
    job->client = client;
    job->arrived_ns = w->now_ns;
    job->counted = w->now_ns >= w->scenario->warm_up_ns;
    job->attempt.request = request;
    job->attempt.cost = 1;
    job->work = sim_random_stream(w->work_seed, request);
    request_ask(w, job, 0);
    if (!w->policy->probe(w->clients[client].self, &job->attempt, clock_ns)) {
        sim_jobs_give(&w->jobs, job);
        return false;
    }
    if (job->attempt.request != request || job->attempt.number != 0) {
        sim_world_fail(w, "it has changed the number of its own request");
        return false;
    }
    job->attempt.picked_ns = clock_ns;
    w->n_own++;
    w->n_picks++;
    request_wait(w, job);
    request_send(w, job);
    return !w->failed;
}

/* The attempt before is done. False: no attempt is left, or no endpoint. */
static bool request_again(sim_world *w, sim_job *job, bool elsewhere,
                          bool timed_out)
{
    uint32_t number = job->attempt.number;

    if (!elsewhere && number - job->elsewhere >= w->scenario->retries)
        return false;
    job->tried[number] = job->server;
    job->elsewhere += elsewhere;
    if (!request_try(w, job, number + 1))
        return false;
    if (elsewhere) {
        w->stats.result.hidden += job->counted;
        w->stats.result.hidden_timed_out += job->counted && timed_out;
    }
    return true;
}

void sim_request_answered(sim_world *w, sim_job *job)
{
    sim_outcome outcome = (sim_outcome)job->outcome;

    if (job->waits) {
        request_done(w, job, outcome, job->retry_after_ns);
        if (outcome != SIM_SUCCESS && !job->own &&
            request_again(w, job, job->try_elsewhere, false))
            return;
        request_over(w, job, outcome);
    }
    sim_jobs_give(&w->jobs, job);
}

/* Without an endpoint for the next attempt it failed, long before its deadline:
 * it has no latency. */
void sim_request_try_ends(sim_world *w, sim_job *job, uint32_t tries)
{
    sim_job *next;

    if (!job->waits || job->tries != tries)
        return;
    next = sim_jobs_take(&w->jobs);
    if (next == NULL) {
        sim_world_fail_memory(w);
        return;
    }
    request_done(w, job, SIM_TIMEOUT, 0);
    request_move(w, job, next);
    if (!request_again(w, next, true, true)) {
        request_over(w, next, SIM_FAILURE);
        sim_jobs_give(&w->jobs, next);
    }
}

/* The server knows nothing of it: it works the job off. A probe that is given
 * up has no answer: that is news. */
void sim_request_given_up(sim_world *w, sim_job *job)
{
    bool early = w->patience_ns < w->scenario->deadline_ns && !job->own;
    sim_outcome outcome = early ? SIM_CANCELLED : SIM_TIMEOUT;

    request_done(w, job, outcome, 0);
    request_over(w, job, outcome);
}
