/* SPDX-License-Identifier: MIT */
/*
 * The servers: each has workers and one FIFO queue, and faults.
 *
 * What a job meets, in this order: a server that refuses or is crashed; one
 * that stands still (hang, stop), where it waits as it came and is looked at
 * when that ends; a rejection with a probability; a free worker; the queue; an
 * overload answer if that is full. The worker then takes
 *
 *     demand / speed x slow x antagonists x warm-up(now) x leak(now)
 *
 * or the fixed time, all as they are when it begins; an error that is answered
 * after a delay takes the worker for that delay. What a worker has begun
 * is as long as it was planned, whatever comes, but for the time in which the
 * server stands still.
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "sim_events.h"
#include "sim_jobs.h"
#include "sim_recent.h"
#include "sim_scenario.h"

typedef struct sim_queue {
    sim_job *first, *last;
    uint32_t n;
} sim_queue;

/* Slowness that changes linearly. */
typedef struct sim_ramp {
    bool on;
    uint64_t from_ns, to_ns;
    double from, to; /* `to` from to_ns on */
} sim_ramp;

typedef struct sim_server {
    /* What it is. */
    const sim_distribution *service;
    double speed, mean_ns; /* the mean demand, heavy requests included */
    uint32_t workers, queue_limit;

    /* What it does now. */
    uint32_t busy; /* workers */
    sim_queue queue, backlog, stalled;
    uint64_t ends_ns;    /* sum of the planned ends of what is served */
    double queued_ns;    /* sum of the demands in the queue */
    uint64_t paused_ns;  /* all pauses that have ended */
    uint64_t frozen_ns;  /* since when it stands still */
    uint64_t came, went; /* jobs in all, for the books */
    sim_recent *recent;  /* NULL unless the policy probes */

    /* Faults. */
    bool frozen; /* hang or stop */
    bool hang, refuse, fixed, stopped, crashed;
    double slow, antagonist;
    uint32_t n_antagonists;
    uint64_t fixed_ns;
    double errors, reject; /* probabilities */
    uint64_t error_delay_ns, retry_after_ns;
    sim_ramp warm, leak;
    uint64_t stopped_until_ns, crashed_until_ns;
    double back_factor; /* the warm-up after a crash or restart */
    uint64_t back_ns;
    uint64_t rejoin_ns; /* UINT64_MAX: not restarting */
} sim_server;

/* All of them, and what they need of the world. */
typedef struct sim_servers {
    sim_server *all;
    uint32_t n;
    sim_events *events;
    sim_jobs *jobs;
    uint64_t network_ns;
    uint64_t luck_seed;
    double errors_everywhere, heavy_factor;
} sim_servers;

/* The kinds of events that servers make; the rest is in sim_world.h. */
enum {
    SIM_EVENT_SERVED = 0, /* a: job, b: its stamp */
    SIM_EVENT_ANSWER,     /* a: job */
    SIM_EVENT_SERVER_LAST
};

/* False: out of memory. `recent`: keep latencies for probes. */
bool sim_servers_init(sim_servers *servers, const sim_scenario *scenario,
                      sim_events *events, sim_jobs *jobs, uint64_t seed,
                      bool recent);
void sim_servers_free(sim_servers *servers);

/* Events: a job comes to job->server; a worker is through with it. */
void sim_server_arrive(sim_servers *servers, sim_job *job, uint64_t now_ns);
void sim_server_served(sim_servers *servers, sim_job *job, uint32_t stamp,
                       uint64_t now_ns);

/* After `hang` or `stopped` was changed. */
void sim_server_freeze(sim_servers *servers, sim_server *s, uint64_t now_ns);

/* All that it has is reset: connect errors for those who wait. */
void sim_server_reset(sim_servers *servers, sim_server *s, uint64_t now_ns);

/* How many are there, served or not. */
static inline uint32_t sim_server_load(const sim_server *s)
{
    return s->busy + s->queue.n + s->backlog.n;
}

#endif
