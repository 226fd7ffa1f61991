/* SPDX-License-Identifier: MIT */
/*
 * A scenario: what the world is, and what happens in it when. Read from a text
 * file; the format is described in scenarios/FORMAT.md.
 *
 * Times are nanoseconds from the start of the run. Servers are numbered from
 * 0 in the order in which they are mentioned; those that `join` later have
 * numbers as well.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sim_distribution_kind {
    SIM_CONSTANT = 0,
    SIM_UNIFORM,     /* from a to b */
    SIM_EXPONENTIAL, /* mean */
    SIM_LOGNORMAL,   /* mean, sigma of the logarithm */
    SIM_NORMAL,      /* mean, sd; cut at 0 */
    SIM_BIMODAL,     /* a with probability 1 - p, else b */
    SIM_REPLAY       /* drawn from the values of a file */
} sim_distribution_kind;

typedef struct sim_distribution {
    sim_distribution_kind kind;
    double a_ns;       /* mean, or the first of two */
    double b_ns;       /* the second, or the standard deviation */
    double p;          /* sigma of a lognormal; share of b in a bimodal one */
    double *values_ns; /* of a replay; owned by the scenario */
    size_t n_values;
} sim_distribution;

typedef struct sim_server_spec {
    uint32_t workers;     /* 0: unlimited */
    uint32_t queue;       /* UINT32_MAX: unlimited */
    double speed;         /* service time is divided by it; 1 is ordinary */
    double weight;        /* that clients are told; 1 is ordinary */
    bool listed_at_start; /* else it joins later */
    bool own_service;     /* `service` below instead of the scenario's */
    sim_distribution service;
} sim_server_spec;

/* What can happen. Of one server (`first`..`last`), unless it says global. */
typedef enum sim_happening_kind {
    SIM_HEAL = 0,  /* ends slow, fixed, hang, refuse, errors, overload, leak */
    SIM_SLOW,      /* service times x `factor` */
    SIM_FIXED,     /* every service takes `duration_ns` */
    SIM_HANG,      /* accepts, never answers */
    SIM_STOP,      /* all stands still for `duration_ns`, then goes on */
    SIM_REFUSE,    /* connect errors */
    SIM_ERRORS,    /* fails with `probability`, answered after `delay_ns`;
                      UINT64_MAX: after the service time */
    SIM_REJECT,    /* OVERLOAD with `probability`; Retry-After `delay_ns` */
    SIM_WARM,      /* slowness from `factor` to 1 over `duration_ns` */
    SIM_LEAK,      /* slowness from 1 to `factor` over `duration_ns` */
    SIM_JOIN,      /* enters the clients' lists */
    SIM_LEAVE,     /* leaves them; what is in flight ends */
    SIM_NOT_READY, /* stays in the list, marked so */
    SIM_READY,
    SIM_RESTART,   /* leaves; after `duration_ns` joins again, healed; then
                      warm from `factor` over `delay_ns` if factor > 1 */
    SIM_CRASH,     /* refuses for `duration_ns` without leaving the list;
                      what it had is reset; then healed and warm as above */
    SIM_RATE,      /* global: arrivals at `factor` a second */
    SIM_CLOCK_JUMP /* global: the clients' clocks move by `jump_ns` */
} sim_happening_kind;

typedef struct sim_happening {
    uint64_t at_ns;
    sim_happening_kind kind;
    uint32_t first, last; /* servers, both included */
    double factor;
    double probability;
    uint64_t duration_ns;
    uint64_t delay_ns;
    int64_t jump_ns;
} sim_happening;

/* What goes on all the time, at random, from `from_ns` to `to_ns`. */
typedef enum sim_process_kind {
    SIM_STOPS = 0,   /* each server stops for `duration_ns` (exponential if
                        `random_duration`), at a mean interval of
                        `every_ns` each */
    SIM_ANTAGONISTS, /* `count` servers drawn anew every `every_ns` are slow
                        x `factor` */
    SIM_FLAP         /* servers do `what` for `duration_ns`, every `every_ns`,
                        the first time at `from_ns` */
} sim_process_kind;

typedef struct sim_process {
    sim_process_kind kind;
    uint64_t from_ns, to_ns;
    uint32_t first, last;
    uint32_t count;
    double factor;
    uint64_t every_ns;
    uint64_t duration_ns;
    bool random_duration;
    sim_happening what; /* of a flap: kind and its figures */
} sim_process;

typedef enum sim_measure_kind {
    SIM_SHARE = 0,    /* attempts to the servers from..to, in % of their fair
                         share (by weight) of all attempts then */
    SIM_ATTEMPTS,     /* attempts to them from..to, a number */
    SIM_FAILED,       /* requests that arrived in from..to and failed */
    SIM_FAILED_SHARE, /* the same, in % of those that arrived */
    SIM_IN_TIME,      /* requests that arrived in from..to and succeeded, in %
                         of those that arrived (cancelled ones left out) */
    SIM_PEAK,         /* most in flight to them at one moment from..to, of all
                         clients, in % of the mean in flight over all listed
                         servers in from..to */
    SIM_RETURN,       /* seconds from `from` until their share, over windows of
                         1 s, is at least 50 % of fair; `to` - `from` if never */
    SIM_P99,          /* of requests that arrived in from..to; milliseconds */
    SIM_P999,
    SIM_BEFORE_REPORT /* attempts to them before the first of those ended */
} sim_measure_kind;

typedef struct sim_measure {
    char name[32];
    sim_measure_kind kind;
    uint32_t first, last;
    uint64_t from_ns, to_ns;
} sim_measure;

typedef struct sim_scenario {
    char name[48];   /* the file's name without .sim */
    char about[160]; /* one line */
    char *why;       /* why it is there: a paragraph; owned */

    uint64_t duration_ns; /* arrivals end here; what is in flight ends */
    uint64_t warm_up_ns;  /* not measured before */
    uint32_t n_clients;
    double rate_per_s; /* of all clients together */
    bool poisson;      /* else at equal distances */
    bool closed_loop;  /* `concurrency` requests at all times instead */
    uint32_t concurrency;
    uint64_t deadline_ns;
    uint32_t retries;
    double give_up; /* clients cancel at this part of the deadline; 0: no */
    uint64_t network_ns; /* one way */
    sim_distribution service;
    double errors_everywhere; /* each request fails with this probability,
                                 whoever serves it */
    double heavy_share;       /* of requests that cost `heavy_factor` times */
    double heavy_factor;
    bool cost_hints; /* clients tell the policy the cost */

    sim_server_spec *servers;
    uint32_t n_servers;
    sim_happening *happenings; /* sorted by time, stable */
    size_t n_happenings;
    sim_process *processes;
    size_t n_processes;
    sim_measure measures[12];
    uint32_t n_measures;
} sim_scenario;

/* Reads a file. 0, or -1 with "FILE:LINE: message" in `error` and nothing to
 * free. */
int sim_scenario_read(sim_scenario *s, const char *path, char *error,
                      size_t error_size);

/* The same from text; `name` is used in messages and as the name; a replay's
 * file is looked for beside `directory`. */
int sim_scenario_parse(sim_scenario *s, const char *name, const char *directory,
                       const char *text, char *error, size_t error_size);

void sim_scenario_free(sim_scenario *s);

#endif
