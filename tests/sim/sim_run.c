/* SPDX-License-Identifier: MIT */
/*
 * The main loop: takes the earliest event, or the oldest request whose client
 * will wait no longer, until arrivals are over and every request has ended.
 */
#include "sim_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim_arrivals.h"
#include "sim_check.h"
#include "sim_clients.h"
#include "sim_faults.h"
#include "sim_probe.h"
#include "sim_processes.h"
#include "sim_request.h"

/* ---- Errors ---- */

void sim_world_fail(sim_world *w, const char *format, ...)
{
    int n;
    va_list args;

    if (w->failed)
        return;
    w->failed = true;
    if (w->error_size == 0)
        return;
    n = snprintf(w->error, w->error_size,
                 "policy %s, %.6f s: ", w->policy->name,
                 (double)w->now_ns / 1e9);
    if (n < 0 || (size_t)n >= w->error_size)
        return;
    va_start(args, format);
    vsnprintf(w->error + n, w->error_size - (size_t)n, format, args);
    va_end(args);
}

void sim_world_fail_memory(sim_world *w)
{
    sim_world_fail(w, "out of memory");
}

/* ---- The loop ---- */

static void run_event(sim_world *w, const sim_event *e)
{
    switch (sim_event_kind(e)) {
    case SIM_EVENT_AT_SERVER:
        sim_server_arrive(&w->servers, sim_jobs_at(&w->jobs, e->a), w->now_ns);
        break;
    case SIM_EVENT_SERVED:
        sim_server_served(&w->servers, sim_jobs_at(&w->jobs, e->a), e->b,
                          w->now_ns);
        break;
    case SIM_EVENT_ANSWER:
        sim_request_answered(w, sim_jobs_at(&w->jobs, e->a));
        break;
    case SIM_EVENT_TRY_ENDS:
        sim_request_try_ends(w, sim_jobs_at(&w->jobs, e->a), e->b);
        break;
    case SIM_EVENT_ARRIVAL:
        sim_arrivals_one(w, e->a);
        break;
    case SIM_EVENT_NEXT:
        sim_arrivals_next(w);
        break;
    case SIM_EVENT_OVER:
        w->over = true;
        break;
    case SIM_EVENT_MEASURED:
        sim_clients_measured(w);
        break;
    case SIM_EVENT_TICK:
        sim_clients_tick(w);
        break;
    case SIM_EVENT_PROBE:
        sim_probe_at_server(w, e->a);
        break;
    case SIM_EVENT_PROBE_ANSWER:
        sim_probe_answer(w, e->a);
        break;
    case SIM_EVENT_PROCESS:
        sim_processes_event(w, e->a, e->b);
        break;
    default:
        sim_faults_event(w, sim_event_kind(e), e->a);
        break;
    }
}

static void run_loop(sim_world *w)
{
    uint64_t *events = &w->stats.result.events;

    while (!w->failed && !(w->over && w->n_live == 0)) {
        sim_job *oldest = w->oldest;
        sim_event e;

        if (oldest != NULL &&
            oldest->patience_ns <= sim_events_next_ns(&w->events)) {
            w->now_ns = oldest->patience_ns;
            sim_request_given_up(w, oldest);
        } else if (sim_events_pop(&w->events, &e)) {
            w->now_ns = e.at_ns;
            run_event(w, &e);
        } else {
            sim_world_fail(w, "nothing will happen any more");
        }
        ++*events;
        if (w->events.failed)
            sim_world_fail_memory(w);
    }
}

/* ---- The books ---- */

/* Nothing was lost and nothing counted twice. */
static void run_audit(sim_world *w)
{
    uint64_t there = 0;

    if (w->failed)
        return;
    if (w->n_picks != w->n_done || w->oldest != NULL)
        sim_world_fail(w,
                       "%" PRIu64 " picks, but %" PRIu64 " done (a fault "
                       "of the simulator)",
                       w->n_picks, w->n_done);
    for (uint32_t i = 0; i < w->servers.n; i++) {
        const sim_server *s = &w->servers.all[i];

        there += sim_server_load(s);
        if (s->came != s->went + sim_server_load(s))
            sim_world_fail(w,
                           "server %" PRIu32 ": %" PRIu64 " came, %" PRIu64
                           " went, %" PRIu32 " are there (a fault of the "
                           "simulator)",
                           i, s->came, s->went, sim_server_load(s));
    }
    if (there > w->jobs.n_used)
        sim_world_fail(w,
                       "%" PRIu64 " jobs at servers, of %" PRIu32 " (a "
                       "fault of the simulator)",
                       there, w->jobs.n_used);
}

/* ---- Beginning and end ---- */

static void run_start(sim_world *w)
{
    const sim_scenario *s = w->scenario;

    w->free_probe = UINT32_MAX;
    w->patience_ns = s->deadline_ns;
    if (s->give_up > 0)
        w->patience_ns = sim_draw_round(s->give_up * (double)s->deadline_ns);
    w->jobs.retries = s->retries + SIM_ELSEWHERE_MAX;
    w->work_seed = sim_world_seed(w, SIM_STREAM_WORK, 0);
    sim_stats_init(&w->stats, s);
    if (!sim_servers_init(&w->servers, s, &w->events, &w->jobs,
                          sim_world_seed(w, SIM_STREAM_LUCK, 0),
                          w->policy->probe_answer != NULL)) {
        sim_world_fail_memory(w);
        return;
    }
    sim_clients_start(w);
    if (w->failed)
        return;
    sim_faults_start(w);
    sim_arrivals_start(w);
}

static void run_free(sim_world *w)
{
    sim_clients_free(w);
    sim_probes_free(w);
    sim_faults_free(w);
    sim_stats_free(&w->stats);
    sim_servers_free(&w->servers);
    sim_jobs_free(&w->jobs);
    sim_events_free(&w->events);
}

static int run_refuse(char *error, size_t error_size, const char *what,
                      const char *wrong)
{
    snprintf(error, error_size, "%s: %s", what, wrong);
    return -1;
}

int sim_run(const sim_scenario *scenario, const sim_policy *policy,
            uint64_t seed, sim_result *result, char *error, size_t error_size)
{
    char text[128];
    const char *wrong = sim_check_policy(policy);
    sim_world w;

    if (wrong != NULL)
        return run_refuse(error, error_size, "policy", wrong);
    wrong = sim_check_scenario(scenario, text, sizeof text);
    if (wrong != NULL)
        return run_refuse(error, error_size, "scenario", wrong);
    memset(&w, 0, sizeof w);
    w.scenario = scenario;
    w.policy = policy;
    w.seed = seed;
    w.error = error;
    w.error_size = error_size;
    run_start(&w);
    run_loop(&w);
    run_audit(&w);
    if (!w.failed)
        sim_clients_finish(&w);
    if (!w.failed && !sim_stats_finish(&w.stats, w.now_ns))
        sim_world_fail_memory(&w);
    if (!w.failed)
        *result = w.stats.result;
    run_free(&w);
    return w.failed ? -1 : 0;
}
