/* SPDX-License-Identifier: MIT */
/*
 * One run while it runs: what the clients, the faults, the probes and the main
 * loop share. Servers, events, jobs and figures know nothing of it.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim_draw.h"
#include "sim_events.h"
#include "sim_jobs.h"
#include "sim_policy.h"
#include "sim_scenario.h"
#include "sim_server.h"
#include "sim_stats.h"

/* The clients' clock at the beginning: ten days, so that it can go back. */
#define SIM_WORLD_CLOCK_NS (10 * 86400 * UINT64_C(1000000000))
#define SIM_WORLD_TICK_NS UINT64_C(100000000)

/* The kinds of events, after those of the servers. */
enum {
    SIM_EVENT_AT_SERVER = SIM_EVENT_SERVER_LAST, /* a: job */
    SIM_EVENT_ARRIVAL,  /* a: of the plan with this number */
    SIM_EVENT_NEXT,     /* of a closed loop */
    SIM_EVENT_OVER,     /* no arrivals from now on */
    SIM_EVENT_MEASURED, /* the warm-up is over */
    SIM_EVENT_TICK,
    SIM_EVENT_PROBE,        /* a: probe; at its server */
    SIM_EVENT_PROBE_ANSWER, /* a: probe; back at its client */
    SIM_EVENT_HAPPENING,    /* a: which */
    SIM_EVENT_PROCESS,      /* a: which, b: what it makes of it */
    SIM_EVENT_STOP_ENDS,    /* a: server */
    SIM_EVENT_CRASH_ENDS,   /* a: server */
    SIM_EVENT_REJOIN,       /* a: server */
    SIM_EVENT_TRY_ENDS      /* a: job, b: its `tries` */
};

/* The run's random streams: each use has its own. */
enum {
    SIM_STREAM_ARRIVALS = 1,
    SIM_STREAM_WORK,   /* and one of each request */
    SIM_STREAM_LUCK,   /* and one of each attempt */
    SIM_STREAM_POLICY, /* and one of each client */
    SIM_STREAM_FAULTS  /* and one of each process */
};

typedef struct sim_client {
    sim_host host;
    void *self; /* the policy's instance */
} sim_client;

typedef struct sim_probe {
    uint32_t client, server, next;
    double in_flight, latency_ns;
} sim_probe;

typedef struct sim_fault_process {
    sim_random random;
    uint32_t *chosen; /* antagonists: all servers of the range, those first */
    uint32_t n_chosen;
    double rate_before; /* of a flapping rate */
} sim_fault_process;

typedef struct sim_world {
    const sim_scenario *scenario;
    const sim_policy *policy;
    uint64_t seed;
    uint64_t now_ns;
    int64_t jumps_ns; /* of the clients' clock, in all */
    char *error;      /* the first one is written there */
    size_t error_size;
    bool failed;

    sim_events events;
    sim_jobs jobs;
    sim_servers servers;
    sim_stats stats;

    /* Clients. */
    sim_client *clients;
    sim_job *oldest, *newest; /* whose client waits, by arrival */
    uint64_t patience_ns;
    uint64_t n_requests, n_live, n_picks, n_done;
    uint64_t n_own; /* requests that policies have made */
    uint64_t work_seed;
    sim_random arrivals;
    double rate_per_s;
    double arrival_ns; /* the next arrival; HUGE_VAL: at this rate never */
    double to_go;      /* then: the part of an interval that is left */
    uint32_t arrival_plan;
    bool over;                 /* no more arrivals */
    uint64_t ejections_before; /* in the warm-up */

    /* The list. */
    sim_member *members;
    uint32_t n_members;
    bool *listed, *ready; /* by server */

    sim_probe *probes;
    uint32_t n_probes, free_probe; /* UINT32_MAX: none */
    sim_fault_process *processes;
} sim_world;

/* Ends the run with a message; the first one counts. */
__attribute__((format(printf, 2, 3))) void sim_world_fail(sim_world *w,
                                                          const char *format,
                                                          ...);
void sim_world_fail_memory(sim_world *w);

/* A seed for the streams of one use, or for one stream of many. */
static inline uint64_t sim_world_seed(const sim_world *w, uint64_t use,
                                      uint64_t number)
{
    sim_random r = sim_random_stream(w->seed, use);

    r = sim_random_stream(r.state, number);
    return r.state;
}

/* What the clients' clock shows now. */
static inline uint64_t sim_world_clock(const sim_world *w)
{
    uint64_t clock_ns = w->now_ns + SIM_WORLD_CLOCK_NS;
    uint64_t back_ns;

    if (w->jumps_ns >= 0)
        return sim_draw_after(clock_ns, (uint64_t)w->jumps_ns);
    back_ns = (uint64_t) - (w->jumps_ns + 1) + 1;
    return back_ns < clock_ns ? clock_ns - back_ns : 1;
}

#endif
