/* SPDX-License-Identifier: MIT */
/*
 * A balancer that several processes share, in one process: the system beneath
 * it is played (base/system.h). test_shared_as says which process calls from
 * here on; each has its own page, as after a fork.
 */
#ifndef ILB_TESTS_UNIT_SHARED_H
#define ILB_TESTS_UNIT_SHARED_H

#include "api/balancer.h"
#include "util.h"

#define TEST_PIDS 16

typedef struct test_shared {
    ilb__system system;
    test_clock clock;
    ilb_balancer *b;
    ilb__self *self;            /* the page */
    ilb__self pages[TEST_PIDS]; /* of each process, while it does not call */
    bool ended[TEST_PIDS];      /* as the system would say */
    uint32_t pid;               /* who calls */
    uint32_t n_asked;           /* whether a process has ended */
    uint32_t n_calls, fail_at;  /* share, keep, mutex: fail the k-th */
    int fail_with;
    int32_t n_memory; /* given and not given back */
} test_shared;

/* Process 1 has made it, with 4 endpoints that have been used a little. */
test_shared *test_shared_new(uint32_t processes, ilb_policy policy);
void test_shared_free(test_shared *s);

/* Only the system and a clock. */
void test_shared_init(test_shared *s);

/* From here on this process calls; below TEST_PIDS. */
void test_shared_as(test_shared *s, uint32_t pid);

/* It has ended; its pid is free for another one. */
void test_shared_end(test_shared *s, uint32_t pid);

/* Fails this endpoint's requests until it is ejected; at random only. */
void test_shared_eject(test_shared *s, uint32_t number);

/* So many ticks, 250 ms apart. */
void test_shared_pass(test_shared *s, uint32_t ticks);

/* In flight to all endpoints; and how many have leaked. */
uint64_t test_shared_in_flight(test_shared *s);
uint64_t test_shared_leaked(test_shared *s);

#endif
