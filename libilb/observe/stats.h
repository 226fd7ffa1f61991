/* SPDX-License-Identifier: MIT */
/* One endpoint, as the public snapshot shows it. */
#ifndef ILB_OBSERVE_STATS_H
#define ILB_OBSERVE_STATS_H

#include "health/pool.h"

/* The state of an endpoint that is listed or not, of this readiness and with
 * this word of health. */
ILB_INTERNAL ilb_state ilb__stats_state(bool listed, uint8_t readiness,
                                        uint64_t health);

/* Under the balancer's mutex, which keeps the slot's address as it is. */
ILB_INTERNAL void ilb__stats_of(const ilb__slot *slot, const ilb__figures *f,
                                uint64_t now_ns, ilb_endpoint_stats *out);

#endif
