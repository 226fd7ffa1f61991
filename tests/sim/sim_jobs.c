/* SPDX-License-Identifier: MIT */
#include "sim_jobs.h"

#include <stdlib.h>
#include <string.h>

/* Room for the pointers to one more chunk. */
static bool jobs_room(sim_jobs *jobs)
{
    uint32_t room = jobs->room == 0 ? 16 : 2 * jobs->room;
    sim_job **chunks;
    uint32_t **tried;

    if (jobs->n_chunks < jobs->room)
        return true;
    if (room > UINT32_MAX / SIM_JOBS_CHUNK)
        return false;
    chunks = realloc(jobs->chunks, room * sizeof(*chunks));
    if (chunks != NULL)
        jobs->chunks = chunks;
    tried = realloc(jobs->tried, room * sizeof(*tried));
    if (tried != NULL)
        jobs->tried = tried;
    if (chunks == NULL || tried == NULL)
        return false;
    jobs->room = room;
    return true;
}

static bool jobs_grow(sim_jobs *jobs)
{
    size_t n_tried = jobs->retries == 0 ? 1 : jobs->retries;
    sim_job *chunk;
    uint32_t *tried;

    if (!jobs_room(jobs))
        return false;
    chunk = calloc(SIM_JOBS_CHUNK, sizeof *chunk);
    tried = calloc(SIM_JOBS_CHUNK * n_tried, sizeof *tried);
    if (chunk == NULL || tried == NULL) {
        free(chunk);
        free(tried);
        return false;
    }
    for (uint32_t i = SIM_JOBS_CHUNK; i-- > 0;) {
        chunk[i].index = jobs->n_chunks * SIM_JOBS_CHUNK + i;
        chunk[i].tried = tried + i * n_tried;
        chunk[i].next = jobs->free;
        jobs->free = &chunk[i];
    }
    jobs->chunks[jobs->n_chunks] = chunk;
    jobs->tried[jobs->n_chunks] = tried;
    jobs->n_chunks++;
    return true;
}

sim_job *sim_jobs_take(sim_jobs *jobs)
{
    sim_job *job;
    sim_job fresh;

    if (jobs->free == NULL && !jobs_grow(jobs))
        return NULL;
    job = jobs->free;
    jobs->free = job->next;
    jobs->n_used++;
    memset(&fresh, 0, sizeof fresh);
    fresh.index = job->index;
    fresh.tried = job->tried;
    fresh.tries = job->tries;
    fresh.stamp = job->stamp;
    *job = fresh;
    return job;
}

void sim_jobs_give(sim_jobs *jobs, sim_job *job)
{
    job->place = SIM_AWAY;
    job->next = jobs->free;
    jobs->free = job;
    jobs->n_used--;
}

void sim_jobs_free(sim_jobs *jobs)
{
    for (uint32_t i = 0; i < jobs->n_chunks; i++) {
        free(jobs->chunks[i]);
        free(jobs->tried[i]);
    }
    free(jobs->chunks);
    free(jobs->tried);
    memset(jobs, 0, sizeof *jobs);
}
