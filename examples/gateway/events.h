/* SPDX-License-Identifier: MIT
 *
 * What libilb tells of endpoints: as lines of the log, and as JSON.
 */
#ifndef GW_EVENTS_H
#define GW_EVENTS_H

#include <event2/buffer.h>

#include "balancers.h"

/** An ilb_event_callback: one line of key=value for the log. `user` is a
 * struct gw_balancer. */
void gw_events_log(const ilb_event *event, void *user);

/** Append the events that the balancer has kept, at most the last `max`, as a
 * JSON array, oldest first.
 *
 * @return  0; -1: out of memory.
 */
int gw_events_add(struct evbuffer *out, const struct gw_balancer *balancer,
                  size_t max);

#endif
