/* SPDX-License-Identifier: MIT */
/* The table of test_sim_published: what was published, and where. */
#ifndef TEST_SIM_PUBLISHED_H
#define TEST_SIM_PUBLISHED_H

#include <stdbool.h>
#include <stdint.h>

typedef struct published_figure {
    const char *policy;
    double published;
    double tolerance; /* to either side */
} published_figure;

/* A scenario, and one figure of it. */
typedef struct published_case {
    const char *name;
    const char *from;    /* who published it */
    const char *text;    /* of the scenario */
    const char *measure; /* its name; "worst": the greatest of all; "mean":
                            the mean latency in ms */
    double plus, times;  /* the figure is plus + times x the measure */
    const char *unit;

    /* NULL, or a policy: the figure is a multiple of this one's. */
    const char *over;

    /* 0, or what no figure may be below, tolerance or not: an order that
     * counts more than the values. */
    double least;

    /* NULL, or a measure that must be at least 1, else another seed is tried:
     * a fault of a moment that has to hit something. */
    const char *hit;

    /* All services are half constant and half exponential: 5 ms + Exp(5 ms)
     * for a half of 5 ms. 0: as the text says. */
    double half_ms;

    published_figure figures[8]; /* as many as have a policy */
} published_case;

extern const published_case published_cases[]; /* "sim", "peers' code", ... */
extern const uint32_t published_n;
extern const published_case published_load[]; /* Prequal, C3, two choices */
extern const uint32_t published_load_n;
extern const published_case published_health[]; /* nginx, Envoy */
extern const uint32_t published_health_n;

#endif
