/* SPDX-License-Identifier: MIT */
#include "sim_batch.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "sim_progress.h"

#define BATCH_LOOK_NS 100000000L /* how often the progress may move */
#define BATCH_SIGNALS 3

/* pselect can watch FD_SETSIZE descriptors; each worker has two of them. */
_Static_assert(2 * SIM_BATCH_JOBS_MAX + 64 <= FD_SETSIZE, "too many jobs");

typedef struct batch_state {
    sim_batch *b;
    sim_worker workers[SIM_BATCH_JOBS_MAX];
    unsigned n_workers;
    size_t *left;      /* runs to come, of each scenario */
    size_t next;       /* the first run that is not begun */
    size_t n_reported; /* scenarios */
    size_t failed;     /* the first run that failed; SIZE_MAX: none */
    char *error;
    sim_progress progress;
    sigset_t mask; /* before, and while we wait */
    struct sigaction old[BATCH_SIGNALS];
} batch_state;

static const int batch_signals[BATCH_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t batch_caught;

size_t sim_batch_runs(const sim_batch *b)
{
    return b->n_scenarios * b->n_policies * b->n_seeds;
}

const sim_result *sim_batch_results(const sim_batch *b, size_t scenario,
                                    size_t policy)
{
    return b->results + (scenario * b->n_policies + policy) * b->n_seeds;
}

unsigned sim_batch_cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    if (n < 1)
        return 1;
    return n > SIM_BATCH_JOBS_MAX ? SIM_BATCH_JOBS_MAX : (unsigned)n;
}

/* ---- What a run is ---- */

static size_t batch_scenario(const sim_batch *b, size_t run)
{
    return run / b->n_seeds / b->n_policies;
}

static const sim_policy *batch_policy(const sim_batch *b, size_t run)
{
    return b->policies[run / b->n_seeds % b->n_policies];
}

static uint64_t batch_seed(const sim_batch *b, size_t run)
{
    return b->first_seed + run % b->n_seeds;
}

/* Requests it should have: what it costs, for the time that is left. */
static double batch_work(const sim_scenario *s)
{
    double duration_s = (double)s->duration_ns / 1e9;
    double service_s = (s->service.a_ns + 2 * (double)s->network_ns) / 1e9;

    if (s->closed_loop)
        return duration_s * s->concurrency / (service_s > 0 ? service_s : 1);
    return duration_s * s->rate_per_s;
}

/* In the worker. */
static void batch_do(void *context, size_t run, sim_worker_answer *answer)
{
    const sim_batch *b = context;

    answer->status =
        sim_run(&b->scenarios[batch_scenario(b, run)], batch_policy(b, run),
                batch_seed(b, run), &answer->result, answer->error,
                sizeof answer->error);
    answer->error[sizeof answer->error - 1] = '\0';
}

/* ---- Signals ---- */

static void batch_on_signal(int number)
{
    batch_caught = number;
}

/* Blocked but while pselect waits, so that none falls in between. */
static void batch_catch(batch_state *s)
{
    struct sigaction action;
    sigset_t ours;

    memset(&action, 0, sizeof action);
    action.sa_handler = batch_on_signal;
    sigemptyset(&action.sa_mask);
    sigemptyset(&ours);
    batch_caught = 0;
    for (int i = 0; i < BATCH_SIGNALS; i++) {
        sigaddset(&ours, batch_signals[i]);
        sigaction(batch_signals[i], NULL, &s->old[i]);
        /* Under nohup, or in the background of a script, it stays so. */
        if (s->old[i].sa_handler != SIG_IGN)
            sigaction(batch_signals[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &ours, &s->mask);
}

static void batch_release(const batch_state *s)
{
    /* In this order: one that waits still comes to our handler. */
    sigprocmask(SIG_SETMASK, &s->mask, NULL);
    for (int i = 0; i < BATCH_SIGNALS; i++)
        sigaction(batch_signals[i], &s->old[i], NULL);
}

/* ---- The work ---- */

/* Of runs that fail, the first counts; those after it are of no use now, those
 * before it could still fail as well. */
static void batch_fail(batch_state *s, size_t run, const char *why)
{
    const sim_batch *b = s->b;

    if (run > s->failed)
        return;
    s->failed = run;
    snprintf(s->error, SIM_BATCH_ERROR_BYTES, "%s, %s, seed %" PRIu64 ": %s",
             b->scenarios[batch_scenario(b, run)].name,
             batch_policy(b, run)->name, batch_seed(b, run), why);
    for (unsigned i = 0; i < s->n_workers; i++)
        if (s->workers[i].busy && s->workers[i].run > run)
            sim_worker_stop(&s->workers[i], true);
}

static void batch_take(batch_state *s, sim_worker *w)
{
    char why[SIM_WORKER_ERROR_BYTES];
    sim_worker_answer answer;
    size_t run = w->run, scenario = batch_scenario(s->b, run);

    if (!sim_worker_take(w, &answer, why)) {
        batch_fail(s, run, why);
    } else if (answer.status != 0) {
        batch_fail(s, run,
                   *answer.error == '\0' ? "the run failed" : answer.error);
    } else {
        s->b->results[run] = answer.result;
        s->left[scenario]--;
        sim_progress_done(&s->progress, batch_work(&s->b->scenarios[scenario]));
    }
}

/* Idle workers get the next runs. How many workers are busy then. */
static unsigned batch_give(batch_state *s)
{
    unsigned busy = 0;

    for (unsigned i = 0; i < s->n_workers; i++) {
        sim_worker *w = &s->workers[i];

        if (w->pid != 0 && !w->busy && s->failed == SIZE_MAX &&
            s->next < sim_batch_runs(s->b))
            sim_worker_give(w, s->next++);
        if (w->busy)
            busy++;
    }
    return busy;
}

static void batch_wait(batch_state *s)
{
    const struct timespec look = {0, BATCH_LOOK_NS};
    fd_set ready;
    int most = -1;

    FD_ZERO(&ready);
    for (unsigned i = 0; i < s->n_workers; i++)
        if (s->workers[i].busy) {
            FD_SET(s->workers[i].from, &ready);
            if (s->workers[i].from > most)
                most = s->workers[i].from;
        }
    if (pselect(most + 1, &ready, NULL, NULL, &look, &s->mask) <= 0)
        return;
    if (batch_caught != 0) /* those that died may have died of it */
        return;
    for (unsigned i = 0; i < s->n_workers; i++)
        if (s->workers[i].busy && FD_ISSET(s->workers[i].from, &ready))
            batch_take(s, &s->workers[i]);
}

static void batch_report(batch_state *s)
{
    while (s->n_reported < s->b->n_scenarios && s->left[s->n_reported] == 0) {
        if (s->b->scenario_done != NULL) {
            sim_progress_clear(&s->progress);
            s->b->scenario_done(s->b->user, s->n_reported);
        }
        s->n_reported++;
    }
}

static void batch_loop(batch_state *s)
{
    while (batch_caught == 0 && batch_give(s) > 0) {
        batch_wait(s);
        batch_report(s);
        sim_progress_show(&s->progress);
    }
}

static int batch_start(batch_state *s)
{
    size_t n = sim_batch_runs(s->b);
    unsigned jobs = n < s->b->jobs ? (unsigned)n : s->b->jobs;

    /* What is in the buffers would be printed by each of them. */
    fflush(NULL);
    for (unsigned i = 0; i < jobs; i++) {
        if (sim_worker_start(s->workers, jobs, i, batch_do, s->b) != 0) {
            snprintf(s->error, SIM_BATCH_ERROR_BYTES,
                     "cannot start worker %u of %u: %s", i + 1, jobs,
                     strerror(errno));
            return -1;
        }
        s->n_workers = i + 1;
        if (s->workers[i].from >= FD_SETSIZE) {
            snprintf(s->error, SIM_BATCH_ERROR_BYTES,
                     "too many open files for %u workers", jobs);
            return -1;
        }
    }
    return 0;
}

static int batch_all(batch_state *s)
{
    const sim_batch *b = s->b;
    double work = 0;
    int rc;

    for (size_t i = 0; i < b->n_scenarios; i++) {
        s->left[i] = b->n_policies * b->n_seeds;
        work += (double)s->left[i] * batch_work(&b->scenarios[i]);
    }
    batch_catch(s);
    rc = batch_start(s);
    if (rc == 0) {
        sim_progress_begin(&s->progress, b->quiet, sim_batch_runs(b), work);
        batch_loop(s);
        sim_progress_clear(&s->progress);
    }
    for (unsigned i = 0; i < s->n_workers; i++)
        sim_worker_stop(&s->workers[i], batch_caught != 0 || rc != 0);
    batch_release(s);
    if (batch_caught != 0)
        return batch_caught;
    return rc != 0 || s->failed != SIZE_MAX ? -1 : 0;
}

int sim_batch_run(sim_batch *b, char error[SIM_BATCH_ERROR_BYTES])
{
    batch_state *s = calloc(1, sizeof *s);
    size_t *left = calloc(b->n_scenarios, sizeof *left);
    int rc = -1;

    b->results = calloc(sim_batch_runs(b), sizeof *b->results);
    if (s == NULL || left == NULL || b->results == NULL) {
        snprintf(error, SIM_BATCH_ERROR_BYTES,
                 "out of memory for the results of %zu runs",
                 sim_batch_runs(b));
    } else {
        s->b = b;
        s->left = left;
        s->failed = SIZE_MAX;
        s->error = error;
        rc = batch_all(s);
    }
    free(left);
    free(s);
    return rc;
}
