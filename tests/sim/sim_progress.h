/* SPDX-License-Identifier: MIT */
/*
 * How far a batch is, on stderr: a line that is rewritten on a terminal; else
 * a line after 10 s and one in 30 s from then on.
 */
#ifndef SIM_PROGRESS_H
#define SIM_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sim_progress {
    bool quiet, terminal;
    bool shown; /* there is a line on the terminal */
    uint64_t began_ns, next_ns;
    size_t n_runs, n_done;
    double work, work_done; /* expected requests */
} sim_progress;

void sim_progress_begin(sim_progress *p, bool quiet, size_t n_runs,
                        double work);
void sim_progress_done(sim_progress *p, double work);

/* Prints if it is time to. */
void sim_progress_show(sim_progress *p);

/* Takes the line from the terminal, before something else is printed. */
void sim_progress_clear(sim_progress *p);

#endif
