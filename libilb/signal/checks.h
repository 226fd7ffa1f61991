/* SPDX-License-Identifier: MIT */
/*
 * What active health checks of one endpoint said, which the caller makes and
 * hands in. As usual for such checks it takes several in a row to believe them:
 *
 *     DOWN      `unhealthy_threshold` or more have failed in a row
 *     UP        `healthy_threshold` or more have passed in a row, since the
 *               endpoint was ejected last
 *     UP_AGAIN  these have just become so many, and before them one had failed:
 *               that is news. That a check passes which has always passed says
 *               nothing of an endpoint whose requests fail.
 *
 * Ejection by checks is a lease: it lasts for twice the time between two
 * checks, so that an endpoint does not stay away for ever if the checks end.
 *
 * Writer's, under the balancer's mutex.
 */
#ifndef ILB_SIGNAL_CHECKS_H
#define ILB_SIGNAL_CHECKS_H

#include "base/internal.h"

typedef struct ilb__checks {
    uint32_t failed, passed; /* in a row */
    bool down;               /* one has failed since it was up */
    uint64_t last_ns;        /* when the last one came; 0: none has */
    uint64_t lease_ns;
    uint64_t ejections; /* of the endpoint, when the last one came */
} ilb__checks;

typedef enum ilb__checked {
    ILB__CHECKED_NOTHING = 0,
    ILB__CHECKED_DOWN,
    ILB__CHECKED_UP,
    ILB__CHECKED_UP_AGAIN
} ilb__checked;

typedef struct ilb__checks_rule {
    uint32_t unhealthy_threshold, healthy_threshold;
    uint64_t least_ns, most_ns; /* of the lease */
} ilb__checks_rule;

/* One more; the endpoint has been ejected so often by now. */
ILB_INTERNAL ilb__checked ilb__checks_add(ilb__checks *c, bool passed,
                                          uint64_t ejections,
                                          const ilb__checks_rule *rule,
                                          uint64_t now_ns);

#endif
