/* SPDX-License-Identifier: MIT */
/* What the parts of the model offer to its main program. */
#ifndef ILB_MODEL_MODEL_H
#define ILB_MODEL_MODEL_H

#include "explore.h"

/* One way in which the protocol is broken on purpose. */
typedef struct model_mutant {
    const char *name;
    const char *where; /* the function that it changes */
    const char *finds; /* the case that must find it */
    const char *why;   /* not NULL: nothing depends on it, so that this case
                          must not find it either */
} model_mutant;

/* A program in the small: so many threads, updates, ... */
typedef struct model_case {
    const char *name;
    const char *about;
    bool large; /* takes minutes: by --case only */
} model_case;

/* A protocol. Mutant 0 is the protocol as it is. */
typedef struct model_protocol {
    const char *name;
    const model_case *cases;
    unsigned n_cases;
    const model_mutant *mutants;
    unsigned n_mutants;
    explore_program (*program)(unsigned a_case, unsigned mutant);
} model_protocol;

const model_protocol *set_protocol(void);
const model_protocol *ring_protocol(void);

bool litmus_run(void);

#endif
