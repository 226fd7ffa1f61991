/* SPDX-License-Identifier: MIT */
/*
 * One look at the endpoints, at most 64 of them, spread evenly over the table:
 * what the pool's yardsticks (pool.h) are worked out from.
 */
#ifndef ILB_HEALTH_SURVEY_H
#define ILB_HEALTH_SURVEY_H

#include "health/health.h"

#define ILB_SURVEY_MAX 64

typedef struct ilb__survey {
    float estimates[ILB_SURVEY_MAX]; /* of the eligible ones, sorted */
    uint32_t n_estimates;
    ilb__tally long_term[ILB_SURVEY_MAX];
    ilb__tally short_term[ILB_SURVEY_MAX];
    uint32_t n, n_eligible, n_untried;
    uint32_t n_on_trial; /* eligible, and requests to them are trials, as they
                            fail or are slow */
    uint64_t in_flight;  /* to eligible ones */
    uint64_t longlived;  /* of these: signal/longlived.h */
    uint64_t overtaken;  /* of the others: signal/overtaken.h */
    uint32_t n_heard;    /* eligible, with a good answer of late */
    float served, served_share; /* see ilb__survey_served */
    float failed;               /* of served */
    uint64_t ended;             /* since the last look */
    uint64_t answered;          /* of these: by eligible ones */
} ilb__survey;

/* What an endpoint has of late, for each unit of its weight: of e_i requests
 * that ended of late at a weight of w_i, sum e_i^2 / w_i over sum e_i; so those
 * that nobody uses do not count. */
static inline float ilb__survey_served(const ilb__survey *k)
{
    return k->served > 0 ? k->served_share / k->served : 0;
}

/* What a long-lived request counts as. */
ILB_INTERNAL float ilb__survey_longlived(const ilb__survey *k);

/* To an eligible endpoint, in the mean, as its load counts. */
ILB_INTERNAL float ilb__survey_in_flight(const ilb__survey *k);

/* Looks, and brings each endpoint's windows of requests forward by `step`.
 * `n` is 0 if there is no endpoint. */
ILB_INTERNAL void ilb__survey_take(ilb__survey *k, ilb__slot *slots,
                                   const ilb__view *view,
                                   const ilb__window_step *step);

#endif
