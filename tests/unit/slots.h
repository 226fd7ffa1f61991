/* SPDX-License-Identifier: MIT */
/* Slots and their published table without a set, for tests of health/ and
 * select/; and figures made up for the tests of signal/. */
#ifndef ILB_TESTS_UNIT_SLOTS_H
#define ILB_TESTS_UNIT_SLOTS_H

#include "select/select.h"
#include "util.h"

#define SLOTS 300

/* The options of the slots' judge. */
#define SLOTS_CONSECUTIVE 3
#define SLOTS_EJECTION_NS S_NS
#define SLOTS_EJECTION_MAX_NS (10 * S_NS)

/* Random bits for no jitter; and what an ejection's end is rounded up by. */
#define SLOTS_NO_JITTER (UINT32_C(1) << 31)
#define SLOTS_ROUNDING_NS (UINT64_C(1) << 16)

typedef struct test_slots {
    ilb__slot slots[SLOTS];
    ilb__table table;
    ilb__judge judge;
    ilb__selector selector;
    uint32_t weights[SLOTS];
} test_slots;

/* Nothing but the median is known, and the p99 if it is not 0. Plenty of
 * requests, of which healthy endpoints fail hardly any. */
ilb__figures test_figures(double median_ns, double p99_ns);

/* `n` healthy endpoints of weight 1, nothing learned, published. Static: the
 * next call begins anew. */
test_slots *test_slots_new(uint32_t n, ilb_policy policy);

/* Publishes `n` from `first` on, with the weights there are. */
void test_slots_publish(test_slots *f, uint32_t first, uint32_t n);

/* An answer that took so long is all that is known of it. */
void test_slots_learn(test_slots *f, uint32_t i, uint64_t ns, uint64_t now_ns);

enum ilb__health_state test_slots_state(const test_slots *f, uint32_t i);
uint64_t test_slots_until(const test_slots *f, uint32_t i);

/* Of so many ready endpoints one fails: so many times in a row, and with so
 * much evidence against it, in nats. The times have no jitter. */
ilb__failing test_failing(uint32_t row, double broken, double faulty,
                          uint32_t n_ready);

/* Its request, the probe or another, fails so; there are plenty of requests,
 * of which healthy endpoints fail hardly any. */
bool test_slots_bad(test_slots *f, uint32_t i, bool probe, ilb__failing x,
                    uint64_t now_ns);

/* Good answers to requests that are no probe. */
void test_slots_good(test_slots *f, uint32_t i, uint32_t times,
                     uint64_t now_ns);

/* Ejected at `now_ns`. */
void test_slots_eject(test_slots *f, uint32_t i, uint64_t now_ns);

/* Its probe is taken when it is due, and fails. Returns when. */
uint64_t test_slots_fail_probe(test_slots *f, uint32_t i, uint32_t bits);

/* Its probe is taken when it is due, and succeeds. Returns when. */
uint64_t test_slots_return(test_slots *f, uint32_t i);

/* So many of its requests have ended, by the counters of ilb_done; so many of
 * these failed. */
void test_slots_end(test_slots *f, uint32_t i, uint32_t ended, uint32_t failed);

/* Refreshes the pool's figures if it is time, and returns them. */
ilb__figures test_slots_figures(test_slots *f, uint64_t now_ns);

#endif
