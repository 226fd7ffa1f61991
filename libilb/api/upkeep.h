/* SPDX-License-Identifier: MIT */
/*
 * What a balancer needs that several processes share, or whose requests have a
 * lease, besides what all have: who the processes are and what each holds, and
 * what has to be looked at from time to time. It rides on picks and ilb_tick:
 *
 *     every 100 ms  256 slots for leases that are over (health/lease.h), by
 *                   whoever comes first; without a lock
 *     every second  which processes have ended: what they held is reclaimed
 *                   (health/reclaim.h), under the writer's mutex if that is
 *                   free, else at the next time
 *     after that    every 100 ms up to 256 slots for the audit
 *                   (health/audit.h), and after a second the events that were
 *                   left half written
 */
#ifndef ILB_API_UPKEEP_H
#define ILB_API_UPKEEP_H

#include "base/process.h"
#include "health/audit.h"
#include "health/lease.h"

#define ILB_UPKEEP_PERIOD_NS (100 * ILB_MS_NS)
#define ILB_UPKEEP_REAP_NS ILB_SECOND_NS
#define ILB_UPKEEP_SLOTS 256
/* What processes hold, in an audit: with more than 16 of them fewer slots. */
#define ILB_UPKEEP_HELD 4096

typedef struct ilb__upkeep {
    ilb__processes processes;
    ilb__holdings holdings;
    uint64_t lease_ns;  /* 0: none */
    ilb__a64 walked_ns; /* leases were looked at last */
    ilb__a32 at;        /* the next slot to look at */
    ilb__a32 busy;      /* a process has ended of late */
    ilb__a64 looked_ns; /* all else was */

    /* Under the writer's mutex. */
    ilb__audit audit;
    uint64_t reaped_ns;  /* ended processes were looked for */
    uint64_t ended_ns;   /* one was found */
    uint64_t last_event; /* the number of the last one then; 0: seen to */
} ilb__upkeep;

#endif
