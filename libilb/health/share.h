/* SPDX-License-Identifier: MIT */
/*
 * What healthy endpoints fail, from tallies of many of which some may be bad:
 * of the best fifth, rounded up, and two of five, and then, in order,
 * of every other that has not significantly more failures than those before it,
 *
 *     f <= l + 2 sqrt(l) + 0.5      where l are expected.
 *
 * The best fifth, so that four of five endpoints may be bad. Those with less
 * than a quarter of the mean number of requests do not count: to have done
 * nothing is not health.
 */
#ifndef ILB_HEALTH_SHARE_H
#define ILB_HEALTH_SHARE_H

#include "health/survey.h"

/* Their share, 0..1. `failed_before` of `ended_before` are taken as seen before
 * any; n is at most ILB_SURVEY_MAX. */
ILB_INTERNAL float ilb__healthy_share(const ilb__tally *tallies, uint32_t n,
                                      float failed_before, float ended_before);

#endif
