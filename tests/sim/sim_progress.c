/* SPDX-License-Identifier: MIT */
#include "sim_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_NS_PER_S UINT64_C(1000000000)
#define PROGRESS_TERMINAL_FIRST_NS (PROGRESS_NS_PER_S / 2)
#define PROGRESS_TERMINAL_NS (PROGRESS_NS_PER_S / 4)
#define PROGRESS_FIRST_NS (10 * PROGRESS_NS_PER_S)
#define PROGRESS_EVERY_NS (30 * PROGRESS_NS_PER_S)

static uint64_t progress_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * PROGRESS_NS_PER_S + (uint64_t)t.tv_nsec;
}

void sim_progress_begin(sim_progress *p, bool quiet, size_t n_runs, double work)
{
    const char *term = getenv("TERM");

    memset(p, 0, sizeof *p);
    p->quiet = quiet;
    p->terminal = isatty(STDERR_FILENO) == 1 &&
                  (term == NULL || strcmp(term, "dumb") != 0);
    p->began_ns = progress_now_ns();
    p->next_ns = p->began_ns +
                 (p->terminal ? PROGRESS_TERMINAL_FIRST_NS : PROGRESS_FIRST_NS);
    p->n_runs = n_runs;
    p->work = work;
}

void sim_progress_done(sim_progress *p, double work)
{
    p->n_done++;
    p->work_done += work;
}

/* "75 s", "12 min", "1 h 5 min" */
static void progress_time(char *text, size_t size, double s)
{
    unsigned long long minutes = (unsigned long long)(s / 60 + 0.5);

    if (s < 100)
        snprintf(text, size, "%.0f s", s);
    else if (minutes < 100)
        snprintf(text, size, "%llu min", minutes);
    else
        snprintf(text, size, "%llu h %llu min", minutes / 60, minutes % 60);
}

void sim_progress_show(sim_progress *p)
{
    uint64_t now_ns = progress_now_ns();
    double past_s = (double)(now_ns - p->began_ns) / 1e9;
    double part = p->work > 0 ? p->work_done / p->work : 0;
    char past[32], left[32] = "";

    if (p->quiet || now_ns < p->next_ns || p->n_done == p->n_runs)
        return;
    p->next_ns =
        now_ns + (p->terminal ? PROGRESS_TERMINAL_NS : PROGRESS_EVERY_NS);
    progress_time(past, sizeof past, past_s);
    if (part > 0)
        progress_time(left, sizeof left, past_s * (1 - part) / part);
    if (p->terminal)
        fputs("\r\033[K", stderr);
    fprintf(stderr, "%zu of %zu runs, %s%s%s%s", p->n_done, p->n_runs, past,
            *left == '\0' ? "" : "; about ", left,
            *left == '\0' ? "" : " left");
    if (!p->terminal)
        fputc('\n', stderr);
    p->shown = p->terminal;
    fflush(stderr);
}

void sim_progress_clear(sim_progress *p)
{
    if (p->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    p->shown = false;
}
