/* SPDX-License-Identifier: MIT */
/* Picks that are explained, for tests of what is said. */
#ifndef ILB_TEST_EXPLAINED_H
#define ILB_TEST_EXPLAINED_H

#include "util.h"

extern ilb_explanation test_why; /* of the last pick */

/* A pick whose explanation is of this ticket, and does not contradict itself.
 */
ilb_ticket test_explained(ilb_balancer *b, const ilb_pick_options *options);

/* What was seen of this endpoint; NULL: it was not looked at. */
const ilb_candidate *test_candidate(uint32_t number);

const ilb_candidate *test_choice(void);
void test_chosen_by(ilb_chosen_by by);

/* Two endpoints that have given a hundred answers in 2 ms each. */
ilb_balancer *test_known_pair(test_clock *clock);

#endif
