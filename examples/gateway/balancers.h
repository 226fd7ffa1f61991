/* SPDX-License-Identifier: MIT
 *
 * The balancers behind the services. One lives as long as any configuration
 * that names its service, and is handed on from one to the next.
 */
#ifndef GW_BALANCERS_H
#define GW_BALANCERS_H

#include "settings.h"

/* Events that a balancer keeps. */
#define GW_EVENTS_KEPT 256

struct gw_balancer {
    atomic_uint references;
    ilb_balancer *lb;
    _Atomic uint64_t n_refused;      /* requests: all ejected, fail closed */
    _Atomic uint64_t refusal_due_ns; /* when the log may speak of it again */
};

void gw_balancer_release(struct gw_balancer *balancer);

/**
 * A request was refused with ILB_EEJECTED: count it, and log that once in a
 * second.
 *
 * @return  Until the next probe is due, in nanoseconds: before, it is of no use
 *          to ask again.
 */
uint64_t gw_balancer_refuses(struct gw_balancer *balancer);

/**
 * Give every service of `next` its balancer: that of the service of the same
 * name in `previous` with its endpoints brought up to date, or a new one.
 *
 * @param next      Freshly loaded.
 * @param previous  In use; NULL at the start.
 * @param error     Receives a message, at least GW_ERROR_BYTES long.
 * @return          0; -1: nothing has changed for `previous`.
 */
int gw_balancers_apply(struct gw_settings *next,
                       const struct gw_settings *previous, char *error);

/** Endpoints that are in a service's balancer: the snapshot of them all.
 *
 * @param n  Receives their number.
 * @return   To be freed; NULL: out of memory, or none (*n is 0).
 */
ilb_endpoint_stats *gw_balancer_stats(struct gw_balancer *balancer, size_t *n,
                                      int *rc);

#endif
