/* SPDX-License-Identifier: MIT */
/*
 * The parts of test_sim_invariants: random scenarios, a watcher that stands
 * between the simulator and a policy, and policies that are wrong on purpose.
 */
#ifndef TEST_SIM_INVARIANTS_H
#define TEST_SIM_INVARIANTS_H

#include "ilb.h"
#include "sim_policy.h"
#include "sim_random.h"
#include "sim_run.h"
#include "sim_world.h"

/* ---- Random scenarios ---- */

#define SCRIPT_BYTES 16384
#define SCRIPT_SERVERS 20
/* From when nothing is wrong any more until the end: longer than the longest
 * ejection, 120 s and 10 % of jitter, by some seconds for the probe. */
#define SCRIPT_QUIET_MS 140000u

/* When a client says that the answer has begun. */
typedef enum script_first_bytes {
    SCRIPT_BYTES_AT_END = 0, /* with the answer, as the simulator does */
    SCRIPT_BYTES_NEVER,
    SCRIPT_BYTES_EARLY /* of half of the requests, when another is picked */
} script_first_bytes;

/* Health checks that each client makes and reports. */
typedef struct script_checks {
    uint32_t every_ms; /* 0: none */
    uint32_t until_ms;
    bool shallow; /* they pass while requests are answered with errors */
} script_checks;

typedef struct script {
    uint64_t number;
    char text[SCRIPT_BYTES]; /* of the scenario */
    size_t n;
    uint64_t healed_ns; /* all is well from then on */
    bool noisy; /* some requests fail all the time, whoever serves them */

    /* The balancer and its clients; of the options all others are default. */
    ilb_options options;
    bool follows; /* advice on trials */
    bool probes;  /* by requests of their own */
    bool costs;   /* they say that requests cost something, anything */
    script_first_bytes first_bytes;
    script_checks checks;

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

/* Of the balancer and its clients, what is not default: one line. */
void script_print_options(const script *s);

/* For those who write it: */
void script_faults(script *s);
void script_options(script *s);
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
    bool by_check; /* checks have ejected it */
    uint64_t in_flight, ejections;
} watch_endpoint;

#define WATCH_ENDPOINTS 64

/* What a balancer makes of its endpoints: first those of its list, in its
 * order, then those that have left it and still have requests in flight. */
typedef struct watch_view {
    uint32_t n;
    watch_endpoint all[WATCH_ENDPOINTS];
    const char *wrong; /* what it says of them cannot be; NULL: nothing */
} watch_view;

/* A policy that can be watched. */
typedef struct watch_subject {
    sim_policy policy; /* but for create */
    void *(*create)(const sim_host *host, const script *s);
    void (*look)(void *self, watch_view *view);
    /* The next pick says why; NULL: cannot. */
    void (*explain)(void *self, ilb_explanation *x);
    /* A mutant's, of what is about to be looked at; else NULL. */
    void (*spoil)(ilb_explanation *x);
    void (*spoil_event)(ilb_event *e);
    void (*spoil_stats)(ilb_endpoint_stats *e);
    /* A check of a server has gone so; NULL: takes none. */
    void (*check)(void *self, uint32_t server, bool passed, uint64_t now_ns);
    const char *expected; /* a mutant: part of what must be found; else NULL */
} watch_subject;

/* libilb. */
void watch_ilb_init(watch_subject *right);

/* With other options than the script's, but watched as it says. */
void *watch_ilb_create(const sim_host *host, const script *s,
                       const ilb_options *with);

#define WATCH_ILB_MUTANTS 40

/* libilb with options that it was not told, or with a client that does wrong.
 * Returns how many. */
uint32_t watch_ilb_mutants(watch_subject all[WATCH_ILB_MUTANTS]);

#define WATCH_ERROR_BYTES 512

/* What has been seen, of all runs together: does the test test anything? */
typedef struct watch_seen {
    uint64_t requests, failed;
    uint64_t looks, ejected; /* looks at one endpoint; it was ejected */
    uint64_t fullest;        /* looks at all: as many were as the cap allows */
    uint64_t slowest_ns;     /* until one was seen well in the quiet time */
    uint64_t closed;         /* picks that were refused: it fails closed */
    uint64_t explained, compared; /* picks; endpoints in them with a cost */
    uint64_t checks, checks_eject, checks_return;
    uint64_t probes; /* of the clients' own */
    uint64_t early;  /* first bytes */
} watch_seen;

extern watch_seen watch_all;

/* ---- For the watcher's parts ---- */

typedef struct watch_checked {
    uint32_t failed, passed; /* in a row, since the state has changed last */
    uint64_t ejections;
} watch_checked;

typedef struct watch_client {
    void *self; /* the policy's */
    const sim_world *world;
    sim_member members[WATCH_ENDPOINTS];
    uint32_t n_members, n_ready;
    uint64_t picks, dones;
    bool back[WATCH_ENDPOINTS]; /* by server: seen well in the quiet time */
    watch_checked checked[WATCH_ENDPOINTS]; /* by server */
    sim_attempt *open;                      /* may have its first byte early */
} watch_client;

typedef struct watch_state {
    const script *script;
    const watch_subject *subject;
    bool explains; /* some picks, this time */
    char *error;   /* empty: nothing is wrong so far */
} watch_state;

extern watch_state watch;

/* The first one counts. */
__attribute__((format(printf, 2, 3))) void watch_found(const watch_client *c,
                                                       const char *format, ...);

/* What ilb.h says of the options, in words of their own: how many of so many
 * that are ready may be ejected, and does it panic? */
uint32_t watch_cap(uint32_t n_ready);
bool watch_panics(uint32_t n_ready, uint32_t n_ejected);

void watch_look(const watch_client *c, watch_view *v);

/* As sim_policy has them. */
bool watch_pick(void *self, sim_attempt *a, uint64_t now_ns);
bool watch_probe(void *self, sim_attempt *a, uint64_t now_ns);

/* A pick of this server was explained. */
void watch_explained(const watch_client *c, const ilb_explanation *x,
                     uint32_t server);

/* It is time for checks, perhaps. */
void watch_check(watch_client *c, uint64_t now_ns);

#define WATCH_ANOTHER_RESULT "the same seed gives another result"

/* Runs the script twice; a mutant only if that is what finds it, so that all of
 * them take a few seconds. False: an invariant does not hold, see `error`. */
bool watch_run(const script *s, const watch_subject *subject,
               char error[WATCH_ERROR_BYTES]);

/* ---- Policies to find faults in ---- */

/* The first one is right, the others are not; ends with NULL. */
extern const watch_subject *const toy_subjects[];

#endif
