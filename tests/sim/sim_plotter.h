/* SPDX-License-Identifier: MIT */
/*
 * Starts sim_plot.py, with $ILB_SIM_PYTHON or python3. The script tells its own
 * errors; all functions return 0, or -1 after a message.
 */
#ifndef SIM_PLOTTER_H
#define SIM_PLOTTER_H

#include "sim_batch.h"

/* Before a long run: is there a Python with matplotlib, and could a file be
 * made there? */
int sim_plotter_check(const char *path);

int sim_plotter_run(const sim_batch *b, const char *path, bool quiet);

#endif
