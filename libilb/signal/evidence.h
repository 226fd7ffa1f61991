/* SPDX-License-Identifier: MIT */
/*
 * Evidence that an endpoint fails more than its peers: two cumulative sums of
 * log-likelihood ratios (E. S. Page's CUSUM, 1954), kept at 0 or above.
 *
 *     broken   fails half of its requests, against p0
 *              failure:      + ln(0.5 / p0)
 *              good answer:  - ln((1 - p0) / 0.5)
 *     faulty   fails a share of p1 = max(5 p0, 5 %), but at most 60 %, against
 *              p0
 *              failure:      + ln(p1 / p0)
 *              good answer:  - ln((1 - p0) / (1 - p1))
 *
 * From p0 = 0.4 on nothing adds to them; below 10^-6 p0 counts as that. It is
 * what healthy peers fail
 * (health/pool.h): where everyone fails, one endpoint's failures are no
 * evidence against it. A sum that reaches h is a false alarm once in e^h
 * requests at most (G. Lorden 1971), whatever p0 is: that is what the threshold
 * is chosen by, not a count of failures.
 *
 *   bits  0..15  `broken`, bits 16..31 `faulty`, in 1/256
 *   bits 32..47  requests since both sums were 0, bits 48..63 failures of
 *                these: what the sums were made of; they end at 65,535
 *
 * The word of an endpoint that does not fail is 0 and is not written.
 */
#ifndef ILB_SIGNAL_EVIDENCE_H
#define ILB_SIGNAL_EVIDENCE_H

#include "base/atomics.h"

#define ILB_EVIDENCE_ONE 256
/* From here on a request to the endpoint is a trial (select/score.h). */
#define ILB_EVIDENCE_TRIAL_BROKEN (1 * ILB_EVIDENCE_ONE)
#define ILB_EVIDENCE_TRIAL_FAULTY (2 * ILB_EVIDENCE_ONE)

/* What each failure adds and each good answer takes, for the present p0; all
 * in 1/256. */
typedef struct ilb__evidence_steps {
    uint16_t broken_up, broken_down, faulty_up, faulty_down;
} ilb__evidence_steps;

typedef struct ilb__evidence_sums {
    uint32_t broken, faulty; /* in 1/256 */
} ilb__evidence_sums;

/* What the sums were made of. */
typedef struct ilb__evidence_run {
    uint32_t requests, failures;
} ilb__evidence_run;

/* The steps for a p0. */
ILB_INTERNAL ilb__evidence_steps ilb__evidence_steps_for(float p0);

ILB_INTERNAL ilb__evidence_sums ilb__evidence_read(const ilb__a64 *word);
ILB_INTERNAL ilb__evidence_run ilb__evidence_run_of(const ilb__a64 *word);

/* So much that the next request is a trial? */
static inline bool ilb__evidence_is_trial(const ilb__a64 *word)
{
    ilb__evidence_sums e;

    if (ILB_LIKELY(ilb__load_relaxed(word) == 0))
        return false;
    e = ilb__evidence_read(word);
    return e.broken >= ILB_EVIDENCE_TRIAL_BROKEN ||
           e.faulty >= ILB_EVIDENCE_TRIAL_FAULTY;
}

ILB_INTERNAL void ilb__evidence_good(ilb__a64 *word, ilb__evidence_steps s);

/* A trial was given up early: nobody knows whether it would have failed. So
 * `faulty` grows, but to 10 nats at most: enough for the requests that come
 * next to be trials as well (select/score.h), too little for an ejection. */
ILB_INTERNAL void ilb__evidence_doubt(ilb__a64 *word, ilb__evidence_steps s);

/* Returns the sums with this failure. */
ILB_INTERNAL ilb__evidence_sums ilb__evidence_bad(ilb__a64 *word,
                                                  ilb__evidence_steps s);

#endif
