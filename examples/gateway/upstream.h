/* SPDX-License-Identifier: MIT
 *
 * One thread's connections to endpoints, and those of them that are idle and
 * can be used again.
 */
#ifndef GW_UPSTREAM_H
#define GW_UPSTREAM_H

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "settings.h"

struct gw_pool;
struct gw_pool_host;

/* A connection to an endpoint. */
struct gw_upstream {
    struct bufferevent *bev;
    struct gw_pool_host *host;
    int is_reused; /* it has carried a request before this one */
    struct gw_upstream *newer, *older; /* while idle */
};

struct gw_pool *gw_pool_new(struct event_base *base);

/** All connections that were taken must have been given back or closed. */
void gw_pool_free(struct gw_pool *pool);

/** An idle connection to an address that was alive just now, or NULL. */
struct gw_upstream *gw_pool_take(struct gw_pool *pool, const char *address);

/**
 * Begin a new connection. BEV_EVENT_CONNECTED or an error follows; the caller
 * sets the callbacks before it goes back to the event loop.
 *
 * @param error  Receives an errno on failure.
 * @return       NULL on failure.
 */
struct gw_upstream *gw_pool_connect(struct gw_pool *pool, const char *address,
                                    int *error);

/** Whether a failed connection is this machine's fault, not the endpoint's. */
int gw_pool_is_local_error(int error);

/** Keep a connection for later, or close it if there are enough. */
void gw_pool_give(struct gw_upstream *up, const struct gw_settings *settings);

void gw_pool_close(struct gw_upstream *up);

/** Close idle connections to endpoints that are in no service any more. */
void gw_pool_prune(struct gw_pool *pool, const struct gw_settings *settings);

/** Close every idle connection; returns how many there were. */
size_t gw_pool_close_idle(struct gw_pool *pool);

#endif
