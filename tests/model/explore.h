/* SPDX-License-Identifier: MIT */
/*
 * Every run of a few threads over a weak memory: depth first, each state once.
 *
 * States are told apart by 127 bits of a hash: among ten million the chance
 * that any two that differ are taken for one is below 10^-24.
 *
 * There must be no circle: no thread ever waits for another here, so a run that
 * comes back to a state could go on for ever, and where there is none every
 * thread that is not stopped comes to its end in finitely many steps of its
 * own, wherever the others are stopped.
 */
#ifndef ILB_MODEL_EXPLORE_H
#define ILB_MODEL_EXPLORE_H

#include "memory.h"

typedef struct explore_program {
    unsigned n_threads;
    unsigned mortal; /* a bit for each thread that may die anywhere */
    const void *config;
    void (*begin)(memory *m, const void *config);
    /* One atomic step of a thread that runs; ends it by its life. */
    void (*step)(memory *m, unsigned thread, const void *config);
    /* What must hold in every state, and when no thread runs any more. */
    void (*check)(memory *m, const void *config);
    void (*check_end)(memory *m, const void *config);
    /* The step that the thread is about to take, in words. */
    const char *(*name)(const memory_state *s, unsigned thread);
} explore_program;

typedef struct explore_result {
    uint64_t n_states, n_steps, n_ends;
    unsigned depth;
    const char *wrong; /* NULL: nothing */
} explore_result;

/* `tell`: prints the run that goes wrong. */
explore_result explore(const explore_program *p, bool tell);

#endif
