/* SPDX-License-Identifier: MIT */
#include "sim_plotter.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim_cli.h"
#include "sim_csv.h"
#include "sim_find.h"

#define PLOTTER_COMMAND "run"
#define PLOTTER_SCRIPT "sim_plot.py"
#define PLOTTER_ARGUMENTS 8

static const char *plotter_python(void)
{
    const char *given = getenv("ILB_SIM_PYTHON");

    return given == NULL || *given == '\0' ? "python3" : given;
}

/* In the child; `arguments` have two places free before them. */
static void plotter_exec(int in, const char **arguments)
{
    dup2(in, STDIN_FILENO);
    if (in != STDIN_FILENO)
        close(in);
    execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    sim_cli_failed(PLOTTER_COMMAND,
                   "--plot: cannot run %s: %s; ILB_SIM_PYTHON in the "
                   "environment can name another Python",
                   arguments[0], strerror(errno));
    _exit(127);
}

static int plotter_wait(pid_t pid)
{
    int status;
    pid_t got;

    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (got == pid && WIFSIGNALED(status))
        sim_cli_failed(PLOTTER_COMMAND,
                       "--plot: the script was killed by "
                       "signal %d",
                       WTERMSIG(status));
    return -1;
}

/* Runs the script with the results of `b`, if not NULL, as its input. */
static int plotter_start(const char **arguments, const sim_batch *b)
{
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    int ends[2], rc = -1;
    FILE *to = NULL;
    pid_t pid;

    fflush(NULL);
    if (pipe(ends) != 0) {
        signal(SIGPIPE, before);
        return -1 *
               sim_cli_failed(PLOTTER_COMMAND, "--plot: %s", strerror(errno));
    }
    if ((pid = fork()) == 0) {
        signal(SIGPIPE, SIG_DFL);
        close(ends[1]);
        plotter_exec(ends[0], arguments);
    }
    close(ends[0]);
    if (pid < 0 || (to = fdopen(ends[1], "w")) == NULL) {
        sim_cli_failed(PLOTTER_COMMAND, "--plot: %s", strerror(errno));
        close(ends[1]);
    } else {
        /* If the script ended early, its status and its message say so. */
        rc = b == NULL ? 0 : sim_csv_write(b, to);
        rc = fclose(to) == 0 && rc == 0 ? 0 : -1;
    }
    if (pid > 0 && plotter_wait(pid) != 0)
        rc = -1;
    signal(SIGPIPE, before);
    return rc;
}

static int plotter_script(char script[SIM_FIND_BYTES])
{
    char error[SIM_FIND_ERROR_BYTES];

    if (sim_find_data(script, PLOTTER_SCRIPT, error) == 0)
        return 0;
    sim_cli_failed(PLOTTER_COMMAND, "--plot: %s", error);
    return -1;
}

int sim_plotter_check(const char *path)
{
    char script[SIM_FIND_BYTES];
    const char *arguments[PLOTTER_ARGUMENTS] = {
        plotter_python(), script, "--check", "--output", path, NULL};

    return plotter_script(script) == 0 ? plotter_start(arguments, NULL) : -1;
}

int sim_plotter_run(const sim_batch *b, const char *path, bool quiet)
{
    char script[SIM_FIND_BYTES];
    const char *arguments[PLOTTER_ARGUMENTS] = {
        plotter_python(),         script, "-", "--output", path,
        quiet ? "--quiet" : NULL, NULL};

    return plotter_script(script) == 0 ? plotter_start(arguments, b) : -1;
}
