/* SPDX-License-Identifier: MIT */
#include "sim_worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/* All of it; false: the other end is closed, or an error. */
static bool worker_read(int fd, void *data, size_t bytes)
{
    char *at = data;

    while (bytes > 0) {
        ssize_t n = read(fd, at, bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        bytes -= (size_t)n;
    }
    return true;
}

static bool worker_write(int fd, const void *data, size_t bytes)
{
    const char *at = data;

    while (bytes > 0) {
        ssize_t n = write(fd, at, bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        at += n;
        bytes -= (size_t)n;
    }
    return true;
}

/* Ctrl-C goes to all processes of the terminal's group, but it is the parent
 * that says what happens then. */
static void worker_signals(void)
{
    sigset_t none;

    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Elsewhere it sees that its pipe is closed, after the run that it is at. */
static void worker_end_with(pid_t parent)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent)
        _exit(1);
}

static void worker_serve(int in, int out, sim_worker_do *work, void *context)
{
    sim_worker_answer answer;
    size_t run;

    while (worker_read(in, &run, sizeof run)) {
        memset(&answer, 0, sizeof answer);
        answer.run = run;
        work(context, run, &answer);
        if (!worker_write(out, &answer, sizeof answer))
            _exit(1);
    }
    _exit(0);
}

static int worker_pipes(int in[2], int out[2])
{
    int saved;

    if (pipe(in) != 0)
        return -1;
    if (pipe(out) == 0)
        return 0;
    saved = errno;
    close(in[0]);
    close(in[1]);
    errno = saved;
    return -1;
}

int sim_worker_start(sim_worker *workers, unsigned n, unsigned i,
                     sim_worker_do *work, void *context)
{
    const pid_t parent = getpid();
    sim_worker *w = &workers[i];
    int in[2], out[2], saved;

    if (worker_pipes(in, out) != 0)
        return -1;
    w->pid = fork();
    saved = errno;
    if (w->pid == 0) {
        /* Else the others would not see that the parent has gone. */
        for (unsigned k = 0; k < n; k++)
            if (workers[k].pid > 0) {
                close(workers[k].to);
                close(workers[k].from);
            }
        close(in[1]);
        close(out[0]);
        worker_signals();
        worker_end_with(parent);
        worker_serve(in[0], out[1], work, context);
    }
    close(in[0]);
    close(out[1]);
    w->to = in[1];
    w->from = out[0];
    w->busy = false;
    if (w->pid > 0)
        return 0;
    close(w->to);
    close(w->from);
    w->pid = 0;
    errno = saved;
    return -1;
}

void sim_worker_give(sim_worker *w, size_t run)
{
    w->busy = true;
    w->run = run;
    /* A dead one is noticed where its answer is awaited. */
    (void)worker_write(w->to, &run, sizeof run);
}

/* Closes its pipes and waits for it; its wait status, or -1 and errno. */
static int worker_reap(sim_worker *w, int *status)
{
    pid_t got;

    close(w->to);
    close(w->from);
    do
        got = waitpid(w->pid, status, 0);
    while (got < 0 && errno == EINTR);
    w->pid = 0;
    w->busy = false;
    return got < 0 ? -1 : 0;
}

bool sim_worker_take(sim_worker *w, sim_worker_answer *answer,
                     char error[SIM_WORKER_ERROR_BYTES])
{
    int status;

    if (worker_read(w->from, answer, sizeof *answer) && answer->run == w->run) {
        w->busy = false;
        return true;
    }
    if (worker_reap(w, &status) != 0)
        snprintf(error, SIM_WORKER_ERROR_BYTES, "the worker is lost: %s",
                 strerror(errno));
    else if (WIFSIGNALED(status))
        snprintf(error, SIM_WORKER_ERROR_BYTES,
                 "the worker was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(error, SIM_WORKER_ERROR_BYTES,
                 "the worker ended with status %d and without an answer",
                 WEXITSTATUS(status));
    return false;
}

void sim_worker_stop(sim_worker *w, bool at_once)
{
    int status;

    if (w->pid == 0)
        return;
    if (at_once)
        kill(w->pid, SIGKILL);
    (void)worker_reap(w, &status);
}
