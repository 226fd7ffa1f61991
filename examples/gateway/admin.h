/* SPDX-License-Identifier: MIT
 *
 * The port for operators: is it alive, is it ready, how do the endpoints do?
 */
#ifndef GW_ADMIN_H
#define GW_ADMIN_H

#include <event2/http.h>

#include "worker.h"

/**
 * Serve the admin port in an event loop.
 *
 * @param address  Receives "ip:port" as bound, 64 bytes.
 * @return         To be freed with evhttp_free; NULL with a line in the log.
 */
struct evhttp *gw_admin_start(struct event_base *base, struct gw_shared *shared,
                              char *address);

#endif
