/* SPDX-License-Identifier: MIT */
/*
 * A process that does runs: gets a run's number, answers with its result. So
 * runs use all cores, and one that crashes takes nothing else with it.
 *
 * A worker ends when its parent does: its pipe is closed then.
 */
#ifndef SIM_WORKER_H
#define SIM_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "sim_run.h"

#define SIM_WORKER_ERROR_BYTES 512

/* What it sends back; less than POSIX's PIPE_BUF is not needed, since each
 * worker has a pipe of its own. */
typedef struct sim_worker_answer {
    size_t run;
    int status; /* of sim_run */
    sim_result result;
    char error[SIM_WORKER_ERROR_BYTES];
} sim_worker_answer;

/* Does one run: called in the worker. Fills status, result and error. */
typedef void sim_worker_do(void *context, size_t run,
                           sim_worker_answer *answer);

typedef struct sim_worker {
    pid_t pid; /* 0: not there */
    int to, from;
    bool busy;
    size_t run; /* the one it is at, if busy */
} sim_worker;

/* Starts workers[i]; `workers` are all `n`, those not started with pid 0. 0, or
 * -1 and errno. */
int sim_worker_start(sim_worker *workers, unsigned n, unsigned i,
                     sim_worker_do *work, void *context);

/* Gives it a run. If it is dead, its pipe will say so. */
void sim_worker_give(sim_worker *w, size_t run);

/* Waits for the answer. False: it has died or speaks nonsense; `error` says
 * how it ended, and it is gone. */
bool sim_worker_take(sim_worker *w, sim_worker_answer *answer,
                     char error[SIM_WORKER_ERROR_BYTES]);

/* Ends it, and waits until it is gone. `at_once`: in the midst of a run. */
void sim_worker_stop(sim_worker *w, bool at_once);

#endif
