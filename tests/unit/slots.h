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

/* Ejected at `now_ns`. */
void test_slots_eject(test_slots *f, uint32_t i, uint64_t now_ns);

/* So many of its requests have ended, by the counters of ilb_done; so many of
 * these failed. */
void test_slots_end(test_slots *f, uint32_t i, uint32_t ended, uint32_t failed);

/* Refreshes the pool's figures if it is time, and returns them. */
ilb__figures test_slots_figures(test_slots *f, uint64_t now_ns);

#endif
