/* SPDX-License-Identifier: MIT */
/*
 * A job is a request with its present attempt: the client's side of it and the
 * server's. Both use one struct, since a request has one attempt at a time; a
 * client that no longer waits for an attempt leaves the job to the server,
 * which works it off, and goes on with another job if it tries again. Jobs are
 * taken from a pool and do not move: a policy may keep a pointer to the attempt
 * until `done`.
 */
#ifndef SIM_JOBS_H
#define SIM_JOBS_H

#include "sim_policy.h"
#include "sim_random.h"

#define SIM_JOBS_CHUNK 512 /* jobs; a power of two */

/* Where the server's side of a job is. */
typedef enum sim_place {
    SIM_AWAY = 0, /* with the client, or on the wire, or in no use */
    SIM_QUEUED,   /* waits for a worker */
    SIM_BACKLOG,  /* came while the server stood still */
    SIM_SERVED    /* a worker has it */
} sim_place;

typedef struct sim_job {
    sim_attempt attempt; /* what the policy sees */

    /* The client's side. */
    struct sim_job *before, *after; /* among those whose client waits */
    uint64_t arrived_ns;
    uint64_t patience_ns; /* when the client no longer waits */
    uint32_t client;
    uint32_t *tried;    /* room for `jobs.retries` */
    uint32_t tries;     /* attempts of all requests that had this job: an event
                           with another number is of an earlier one */
    uint16_t marks;     /* measures that wait for this attempt's end */
    uint8_t elsewhere;  /* attempts of it that the policy asked for */
    bool try_elsewhere; /* ... and asks for if this one fails */
    bool waits;         /* the client still does */
    bool counted;       /* arrived in the measured part of the run */
    bool heavy;
    bool own; /* the policy's own: no user's request */

    /* Between them. */
    uint8_t outcome;
    uint64_t retry_after_ns;
    uint32_t index; /* of this job in the pool */
    uint32_t server;
    sim_random work; /* the demand is drawn from a copy of it */

    /* The server's side. */
    struct sim_job *next; /* in its list */
    uint64_t at_server_ns;
    double demand_ns;
    uint64_t paused_ns; /* the server's pauses when its end was planned */
    uint64_t left_ns;   /* of its service, while the server stands still */
    uint32_t load;      /* others at the server when it came */
    uint32_t stamp;     /* of its planned end: another stamp is an old plan */
    uint8_t place;
} sim_job;

typedef struct sim_jobs {
    sim_job **chunks;
    uint32_t **tried; /* room for the `tried` of each chunk */
    uint32_t n_chunks, room;
    uint32_t retries; /* attempts after the first, at most */
    sim_job *free;
    uint32_t n_used;
} sim_jobs;

/* One that is zero but for the index, `tried`, `tries` and the stamp; or NULL:
 * out of memory. */
sim_job *sim_jobs_take(sim_jobs *jobs);
void sim_jobs_give(sim_jobs *jobs, sim_job *job);
void sim_jobs_free(sim_jobs *jobs);

static inline sim_job *sim_jobs_at(const sim_jobs *jobs, uint32_t index)
{
    return &jobs->chunks[index / SIM_JOBS_CHUNK][index % SIM_JOBS_CHUNK];
}

#endif
