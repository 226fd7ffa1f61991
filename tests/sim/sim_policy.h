/* SPDX-License-Identifier: MIT */
/*
 * What a load-balancing policy is to the simulator: libilb, a rival, or the
 * oracle. One instance a client; the simulator is single-threaded.
 *
 * Times are nanoseconds of the client's own clock, which a scenario may make
 * jump. Servers are numbers, 0 and up, never reused within a run.
 */
#ifndef SIM_POLICY_H
#define SIM_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a request ended, as the client saw it. */
typedef enum sim_outcome {
    SIM_SUCCESS = 0,
    SIM_FAILURE,       /* an error answer (500) */
    SIM_TIMEOUT,       /* the deadline came first */
    SIM_CONNECT_ERROR, /* refused, or reset before an answer */
    SIM_OVERLOAD,      /* 503 or 429: the server says that it is full */
    SIM_CANCELLED      /* the client gave up by itself, early */
} sim_outcome;

/*
 * A policy may ask the client to try a request elsewhere, as a balancer may
 * that sends it to an endpoint of which it is not sure: if the attempt fails
 * (`elsewhere`), or has no answer after a while (`try_ns`), the client tries
 * again at once, even if the scenario has no retries. At most so many times a
 * request, all its attempts together; then neither has any effect. Never after
 * the deadline, or when the client gives up. No retry of the scenario's is
 * used up by it.
 */
#define SIM_ELSEWHERE_MAX 3u

/* The numbers of requests that policies make, see sim_policy.probe. */
#define SIM_OWN_REQUEST (UINT64_C(1) << 63)

/* One attempt of one request. It lives until `done` has been called. */
typedef struct sim_attempt {
    uint64_t request;      /* number of the request, from 0 */
    uint32_t number;       /* of the attempt: 0 the first, 1 the next ... */
    const uint32_t *tried; /* servers of the attempts before */
    uint32_t n_tried;
    uint64_t deadline_ns; /* when the client will give up */
    double cost;          /* hint of the request's cost; 1 is ordinary */
    uint64_t picked_ns;   /* set by the simulator when pick returns */
    uint32_t server;      /* set by pick */
    bool elsewhere;     /* set by pick, false before: if it fails, try again */
    uint64_t try_ns;    /* set by pick, 0 before, which means no: after so
                           long it is given up, done with SIM_TIMEOUT, and
                           tried again. The server works it off. */
    uint64_t state[10]; /* the policy's own; zero before pick */
} sim_attempt;

typedef struct sim_member {
    uint32_t server;
    double weight; /* 1 is ordinary */
    bool ready;
} sim_member;

/* What a policy may ask of the simulator. */
typedef struct sim_host {
    void *world;     /* for the functions below */
    uint32_t client; /* which client this instance is of, from 0 */
    uint32_t n_clients;
    uint64_t seed;       /* of this instance, differs from client to client */
    uint64_t timeout_ns; /* the clients' deadline */

    /* Sends a load probe to a server: one network round trip later the
     * policy's `probe_answer` is called, or never if the server does not
     * answer. For policies with probes (Prequal). */
    void (*send_probe)(void *world, uint32_t client, uint32_t server);

    /* The truth, for the oracle only. Expected time in ns until an answer to
     * a request that arrives at the server now: wait in queue + its present
     * service time; HUGE_VAL if it would fail or never answer. */
    double (*true_delay_ns)(void *world, uint32_t server);
    /* Probability that a request now would fail by the server's fault. */
    double (*true_failure)(void *world, uint32_t server);
} sim_host;

typedef struct sim_policy {
    const char *name;   /* "envoy-least-request" */
    const char *about;  /* one line for `ilb-sim list` */
    const char *source; /* where the formula and the defaults come from */
    bool passive;       /* learns from the users' requests only; false: sends
                           probes, or knows the truth */
    bool variant;       /* of another one: a rival of nobody */

    /* NULL: out of memory or refused; the run fails with a message. */
    void *(*create)(const sim_host *host);
    void (*destroy)(void *self);

    /* The list of endpoints, whole; called once before the first pick and
     * whenever it changes. */
    void (*update)(void *self, const sim_member *members, uint32_t n,
                   uint64_t now_ns);

    /* Chooses: sets a->server. False: no endpoint, the attempt fails. */
    bool (*pick)(void *self, sim_attempt *a, uint64_t now_ns);

    /* The first byte of the answer came; may be NULL. */
    void (*first_byte)(void *self, sim_attempt *a, uint64_t now_ns);

    /* Exactly once for each pick that was true. `retry_after_ns` 0: none. */
    void (*done)(void *self, sim_attempt *a, sim_outcome outcome,
                 uint64_t retry_after_ns, uint64_t now_ns);

    /* Once in 100 ms of simulated time; may be NULL. */
    void (*tick)(void *self, uint64_t now_ns);

    /* The answer to send_probe: requests in flight at the server, and its
     * recent median latency at about that load. May be NULL. */
    void (*probe_answer)(void *self, uint32_t server, double in_flight,
                         double latency_ns, uint64_t now_ns);

    /* A request of the client's own, that is no user's: sets a->server. Asked
     * once in 100 ms, and again at once while it is true; may be NULL. Such a
     * request has work, and ends, as any other, by `done`: but nobody waits for
     * it, so that it is no request and no attempt in any figure, is never tried
     * again, and ends with SIM_TIMEOUT if the client gives up. Its number is
     * SIM_OWN_REQUEST or more. For active probes. */
    bool (*probe)(void *self, sim_attempt *a, uint64_t now_ns);

    /* How many endpoints are ejected now, of those listed; may be NULL. And
     * how many ejections there were in all, if the policy counts them. */
    uint32_t (*n_ejected)(void *self, uint64_t *ejections);
} sim_policy;

/* All of them, libilb first, the oracle last; ends with NULL. */
extern const sim_policy *const sim_policies[];

/* NULL: no such policy. */
const sim_policy *sim_policy_find(const char *name);

#endif
