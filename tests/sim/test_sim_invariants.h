/* SPDX-License-Identifier: MIT */
/*
 * The parts of test_sim_invariants: random scenarios, a watcher that stands
 * between the simulator and a policy, and policies that are wrong on purpose.
 */
#ifndef TEST_SIM_INVARIANTS_H
#define TEST_SIM_INVARIANTS_H

#include "sim_policy.h"
#include "sim_random.h"
#include "sim_run.h"

/* ---- Random scenarios ---- */

#define SCRIPT_BYTES 16384
#define SCRIPT_SERVERS 20
/* From when nothing is wrong any more until the end: longer than the longest
 * ejection, 120 s and 10 % of jitter, by some seconds for the probe. */
#define SCRIPT_QUIET_MS 140000u

/* Options of the balancer, as ilb.h has them, 0: the default; and what its
 * client does besides. */
typedef struct script_options {
    uint32_t max_ejection_percent, min_endpoints, panic_threshold_percent;
    uint32_t detectors_off, detectors_shadow, policy;
    uint64_t slow_start_ns;
    bool fail_closed;
    uint32_t check_ticks; /* 0: no active checks; else one in so many ticks */
    bool check_unejects;
    bool probes; /* it calls ilb_probe_next in each tick */
} script_options;

typedef struct script {
    uint64_t number;
    char text[SCRIPT_BYTES]; /* of the scenario */
    size_t n;
    uint64_t healed_ns; /* all is well from then on */
    bool follows;       /* its client follows advice on trials */
    script_options options;
    bool noisy; /* some requests fail all the time, whoever serves them */

    /* While it is written. */
    sim_random random;
    uint32_t n_servers, faults_ms, service_us;
    bool closed_loop;
    bool later[SCRIPT_SERVERS];     /* not in the list at first */
    double carries[SCRIPT_SERVERS]; /* requests a second; HUGE_VAL: no limit */
    double capacity;                /* of all that are there at the end */
} script;

/* The same number gives the same scenario. */
void script_write(script *s, uint64_t number);

/* The options that are not the default, as words; "" if none is. */
#define SCRIPT_OPTIONS_BYTES 400
void script_options_text(const script *s, char text[SCRIPT_OPTIONS_BYTES]);

/* For those who write it: */
void script_draw_options(script *s);
void script_faults(script *s);
__attribute__((format(printf, 2, 3))) void script_add(script *s,
                                                      const char *format, ...);
bool script_chance(script *s, double p);
uint32_t script_between(script *s, uint32_t least, uint32_t most);
double script_size(script *s, double least, double most); /* log-uniform */
double script_rate(script *s, double load, double most_per_s);

/* Requests a second, at most, while faults last: so that a run is short. */
static inline double script_most_per_s(const script *s)
{
    return 6e6 / s->faults_ms;
}

/* ---- The watcher ---- */

typedef struct watch_endpoint {
    uint32_t server;
    bool ready, ejected; /* probing counts as ejected */
    bool probing;
    uint64_t in_flight;
} watch_endpoint;

#define WATCH_ENDPOINTS 64

/* What a balancer makes of its endpoints: first those of its list, in its
 * order, then those that have left it and still have requests in flight. */
typedef struct watch_view {
    uint32_t n;
    watch_endpoint all[WATCH_ENDPOINTS];
    uint64_t own;      /* in flight that nobody picked: its probes */
    const char *wrong; /* what it says of them cannot be; NULL: nothing */
} watch_view;

/* A policy that can be watched. */
typedef struct watch_subject {
    sim_policy policy; /* but for create */
    void *(*create)(const sim_host *host, const script *s);
    void (*look)(void *self, watch_view *view);
    const char *expected; /* a mutant: part of what must be found; else NULL */
} watch_subject;

/* libilb first, then libilb with a fault each; ends with a name that is NULL.
 */
const watch_subject *watch_ilb_subjects(void);

#define WATCH_ERROR_BYTES 512

/* What has been seen, of all runs together: does the test test anything? */
typedef struct watch_seen {
    uint64_t requests, failed;
    uint64_t looks, ejected; /* looks at one endpoint; it was ejected */
    uint64_t explained;      /* picks */
    uint64_t closed;         /* picks that failed as the balancer was closed */
    uint64_t checks, probes; /* handed in; tickets to probe with */
    uint64_t fullest;        /* looks at all: as many were as the cap allows */
    uint64_t slowest_ns;     /* until one was seen well in the quiet time */
} watch_seen;

extern watch_seen watch_all;

/* Of so many that are ready: how many may be ejected; are too few left, or
 * none? As ilb.h has it. */
uint32_t watch_cap(const script *s, uint32_t n_ready);
bool watch_panics(const script *s, uint32_t n_ready, uint32_t ejected);

/* Runs the script twice. False: an invariant does not hold, see `error`. */
bool watch_run(const script *s, const watch_subject *subject,
               char error[WATCH_ERROR_BYTES]);

/* ---- Policies to find faults in ---- */

/* The first one is right, the others are not; ends with NULL. */
extern const watch_subject *const toy_subjects[];

#endif
