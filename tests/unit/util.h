/* SPDX-License-Identifier: MIT */
/*
 * What the unit tests share: fast assertions, an injected clock, balancers and
 * endpoints in one line, and a small simulator of a service's pods.
 *
 * Nothing here sleeps or asks the system for the time: all tests run on a
 * clock that they move themselves, with fixed seeds.
 */
#ifndef ILB_TESTS_UNIT_UTIL_H
#define ILB_TESTS_UNIT_UTIL_H

#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ilb.h"

#define US_NS UINT64_C(1000)
#define MS_NS UINT64_C(1000000)
#define S_NS UINT64_C(1000000000)

/* ---- What ilb.h and health/health.h promise ---------------------------- */

#define TEST_CONSECUTIVE 5
#define TEST_EJECTION_S 5.0
#define TEST_EJECTION_MAX_S 120.0
#define TEST_JITTER 0.1 /* either way */
/* From this level on an ejection is no longer still. */
#define TEST_LADDER_LONGER 9
/* Who fails again soon after its return goes up by so many levels, but to that
 * one at most. */
#define TEST_LADDER_RELAPSE 3
/* Level 1: a probe is at most one in so many requests; then 2 and 3 times. */
#define TEST_PROBE_REQUESTS 150.0

/* How long an ejection of a level is, in multiples of the base. */
double test_ladder(uint32_t level);

/* How long an ejection at this level lasts, in seconds, without jitter, with
 * the default options and so many requests a second. */
double test_ejection_s(uint32_t level, double per_second);

/* Is what is left of an ejection at this level as long as it should be? The
 * rate of requests is known to within `rate_off`, 0..1. */
#define must_last(left_ns, level, per_second, rate_off)                        \
    must_be_within(                                                            \
        (double)(left_ns) / 1e9,                                               \
        (1 - TEST_JITTER) *                                                    \
            test_ejection_s(level, (per_second) * (1 + (rate_off))),           \
        (1 + TEST_JITTER) *                                                    \
                test_ejection_s(level, (per_second) * (1 - (rate_off))) +      \
            1e-4)

/* ---- Assertions -------------------------------------------------------- */

/* As ck_assert, but free of cost when it holds: check's own report each
 * success through a file, too slow for a loop of millions. */
#define must(cond) ((cond) ? (void)0 : test_fail(__FILE__, __LINE__, #cond))
#define must_eq(a, b)                                                          \
    test_must_eq(__FILE__, __LINE__, #a " == " #b, (long long)(a),             \
                 (long long)(b))
#define must_str(a, b) test_must_str(__FILE__, __LINE__, #a " == " #b, (a), (b))
/* low <= x <= high, as doubles, with the figures in the message. */
#define must_be_within(x, low, high)                                           \
    test_must_within(__FILE__, __LINE__, #x, (double)(x), (double)(low),       \
                     (double)(high))

void test_fail(const char *file, int line, const char *what);
void test_must_eq(const char *file, int line, const char *what, long long a,
                  long long b);
void test_must_str(const char *file, int line, const char *what, const char *a,
                   const char *b);
void test_must_within(const char *file, int line, const char *what, double x,
                      double low, double high);

/* A test case with the time limit that all have; sanitizers are slow. */
TCase *test_case(Suite *s, const char *name);

/* Runs the suites, prints, returns the exit status. */
int test_run(Suite *(*const *suites)(void), size_t n);

/* ---- Chance ------------------------------------------------------------ */

/* The test's own random numbers; *state is the seed, any value. */
uint64_t test_random(uint64_t *state);
uint32_t test_below(uint64_t *state, uint32_t n);

/* Pearson's statistic of `n` counts against expected shares (NULL: equal). */
double test_chi2(const uint64_t *counts, const double *shares, size_t n);

/* What it stays below, for n - 1 degrees of freedom, but for one seed in a
 * million. n is at most 101. */
double test_chi2_limit(size_t n);

/* ---- Clock and memory -------------------------------------------------- */

typedef struct test_clock {
    uint64_t now_ns;
} test_clock;

/* An ilb_clock; `user` is a test_clock. */
uint64_t test_clock_ns(void *user);

#define TEST_CLOCK_INIT                                                        \
    {                                                                          \
        1000 * S_NS                                                            \
    }

/* An allocator that counts, and fails on demand. */
typedef struct test_memory {
    ilb_allocator allocator;
    uint64_t n_allocated, n_released;
    uint64_t fail_at; /* fail the k-th, from 1; 0: none */
    size_t bytes;     /* asked for last */
    size_t shift;     /* added to the address, to spoil large alignment */
} test_memory;

void test_memory_init(test_memory *m);

/* ---- Balancers and endpoints ------------------------------------------- */

#define TEST_NUMBERS 4096

/* The address of endpoint `number`: "pod-17:80". It is the number-th in
 * a static table; its `user` pointer is the address's. */
const char *test_address(uint32_t number);
uint32_t test_number_of(const char *address);

ilb_options test_options(test_clock *clock, ilb_policy policy, uint64_t seed);

/* Must succeed. */
ilb_balancer *test_new(const ilb_options *options);

/* Endpoints `from` .. `from` + n - 1, with defaults. */
void test_endpoints(ilb_endpoint *out, uint32_t from, uint32_t n);
void test_update(ilb_balancer *b, uint32_t from, uint32_t n);

/* Each must succeed. */
ilb_ticket test_pick(ilb_balancer *b);
void test_done(ilb_balancer *b, ilb_ticket *t, ilb_outcome outcome);

/* The endpoint that a ticket is for. */
uint32_t test_number(const ilb_balancer *b, const ilb_ticket *t);

/* A whole request; returns the endpoint's number. */
uint32_t test_request(ilb_balancer *b, test_clock *clock, uint64_t takes_ns,
                      ilb_outcome outcome);

/* The snapshot, which must fit; returns the number of endpoints. */
size_t test_snapshot(ilb_balancer *b, ilb_endpoint_stats *out, size_t max);

/* The entry of one endpoint, which must be there. */
ilb_endpoint_stats test_stats(ilb_balancer *b, uint32_t number);
bool test_is_known(ilb_balancer *b, uint32_t number);

/* ---- An ejected endpoint ------------------------------------------------ */

/* Enough that no ejection is stretched for want of requests. */
#define TEST_EJECTED_PER_SECOND 100

typedef struct test_ejected {
    test_clock clock;
    ilb_balancer *b;
} test_ejected;

/* `n` healthy endpoints, chosen at random; number 1 has just been ejected. */
test_ejected *test_ejected_new(uint32_t n, uint64_t seed);
void test_ejected_free(test_ejected *f);

/* How many of `n` requests that succeed at once go to number 1. */
uint32_t test_ejected_picked(test_ejected *f, uint32_t n);

/* Requests that succeed go on, TEST_EJECTED_PER_SECOND, to the last one before
 * `until_ns`. Returns how many go to number 1. */
uint32_t test_ejected_wait(test_ejected *f, uint64_t until_ns);

/* Waits like that until its probe is due and picks it. */
ilb_ticket test_ejected_probe(test_ejected *f);

/* Requests go on; those to number 1 fail, until it is ejected. Returns how
 * many it took. */
uint32_t test_ejected_again(test_ejected *f);

/* Requests succeed until number 1 is healthy. */
void test_ejected_heal(test_ejected *f);

/* ---- Events ------------------------------------------------------------- */

#define TEST_EVENTS 4096

/* What was read last. */
extern ilb_event test_events[TEST_EVENTS];

/* All events after a number; how many. They must be in order, and so must their
 * times: the clock has not gone back. */
size_t test_events_read(const ilb_balancer *b, uint64_t after);

/* The number of the last one; 0: there is none. */
uint64_t test_events_last(const ilb_balancer *b);

/* ---- The simulator ----------------------------------------------------- */

#define TEST_PODS 32
#define TEST_FLYING 4096

typedef struct test_pod {
    uint64_t takes_ns;   /* an answer, on the average: 75 % to 125 % of it */
    ilb_outcome outcome; /* of each request */
    bool hangs;          /* never answers: the client's timeout ends it */
    bool spread;         /* an answer takes exponential time instead */
    uint32_t heavy_ppm;  /* of requests, at random, take ten times as long */
    uint64_t stops_ns;   /* it stands still until then */
    uint64_t n_picked;   /* since the last test_sim_forget */
    uint32_t in_flight;
    uint32_t in_flight_max;
} test_pod;

typedef struct test_flying {
    ilb_ticket ticket;
    uint64_t ends_ns;
    uint32_t pod;
    ilb_outcome outcome;
} test_flying;

/* Open-loop traffic to pods 0 .. n_pods - 1 through a balancer. */
typedef struct test_sim {
    test_clock clock;
    ilb_balancer *b;
    test_pod pods[TEST_PODS];
    uint32_t n_pods;
    uint64_t random;
    uint64_t timeout_ns;
    uint64_t patience_ns; /* the client cancels after it; 0: never */
    uint64_t n_picked;    /* since the last test_sim_forget */
    uint32_t n_flying;
    test_flying flying[TEST_FLYING];
} test_sim;

/* `options`: NULL or what differs from the defaults; clock and seed are set
 * here. Free with test_sim_free. */
test_sim *test_sim_new(uint32_t n_pods, uint64_t takes_ns, uint64_t seed,
                       const ilb_options *options);
void test_sim_free(test_sim *sim);

/* Goes on for `span_ns` with so many requests a second. */
void test_sim_run(test_sim *sim, uint64_t span_ns, uint32_t per_second);

/* No new requests until all have ended. */
void test_sim_finish(test_sim *sim);

/* Counts begin anew. */
void test_sim_forget(test_sim *sim);

/* A pod's share of the picks since then, 0..1. */
double test_sim_share(const test_sim *sim, uint32_t pod);

#endif
