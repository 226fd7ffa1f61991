/* SPDX-License-Identifier: MIT */
/* The time, where the caller gives no clock of its own. */
#ifndef ILB_BASE_CLOCK_H
#define ILB_BASE_CLOCK_H

#include "base/internal.h"

/* CLOCK_MONOTONIC in nanoseconds; an ilb_clock. */
ILB_INTERNAL uint64_t ilb__clock_monotonic_ns(void *user);

#endif
