/* SPDX-License-Identifier: MIT */
/* Slots and their published table without a set, for tests of select/. */
#ifndef ILB_TESTS_UNIT_SLOTS_H
#define ILB_TESTS_UNIT_SLOTS_H

#include "select/select.h"
#include "util.h"

#define SLOTS 300

typedef struct test_slots {
    ilb__slot slots[SLOTS];
    ilb__table table;
    ilb__judge judge;
    ilb__selector selector;
    uint32_t weights[SLOTS];
} test_slots;

/* `n` healthy endpoints of weight 1, nothing learned, published. Static: the
 * next call begins anew. */
test_slots *test_slots_new(uint32_t n, ilb_policy policy);

/* Publishes the first `n` with the weights there are. */
void test_slots_publish(test_slots *f, uint32_t n);

/* An answer that took so long. */
void test_slots_learn(test_slots *f, uint32_t i, uint64_t ns, uint64_t now_ns);

/* Ejected at `now_ns`. */
void test_slots_eject(test_slots *f, uint32_t i, uint64_t now_ns);

#endif
