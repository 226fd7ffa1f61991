/* SPDX-License-Identifier: MIT */
/*
 * The budget of trials, requests that their caller sends again when they fail
 * (select/score.h): 10 % of the requests, up to 5 s of it saved, three at
 * least. Each trial that fails takes one. So second tries cannot become a
 * storm. (Finagle's budget for retries is 20 %.)
 *
 * One word: what is left, in 2^-20.
 */
#ifndef ILB_HEALTH_TRIALS_H
#define ILB_HEALTH_TRIALS_H

#include "base/atomics.h"

ILB_INTERNAL void ilb__trials_init(ilb__a64 *word);

/* May one more request be called a trial? */
ILB_INTERNAL bool ilb__trials_ok(const ilb__a64 *word);

ILB_INTERNAL void ilb__trials_failed(ilb__a64 *word);

/* So many requests a second, for so long. */
ILB_INTERNAL void ilb__trials_refill(ilb__a64 *word, float rate_per_s,
                                     double since_s);

#endif
