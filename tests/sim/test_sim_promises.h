/* SPDX-License-Identifier: MIT */
/* The table of test_sim_promises: what the library promises under faults. */
#ifndef TEST_SIM_PROMISES_H
#define TEST_SIM_PROMISES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct promise {
    const char *name;
    const char *scenario; /* as `ilb-sim run` takes it */
    const char *measure;  /* its name; one that ends in '*' means the worst of
                             all that begin so; NULL: requests that failed */
    double times;         /* the figure is so many times the measure; 0: once */
    const char *unit;
    bool at_least; /* else at most */
    double bound;

    /* If one is set: not the measure itself, but its difference to that of the
     * same seed there; if `ratio`, as a part of it. */
    const char *twin;  /* a scenario */
    const char *rival; /* a policy */
    bool ratio;

    const char *variant; /* of the library, that is asked instead of it */

    const char *missed_by; /* a policy that does not keep it */
} promise;

extern const promise promises[];
extern const uint32_t promises_n;

#endif
