/* SPDX-License-Identifier: MIT
 *
 * What client.c (the connection) and client_request.c (its requests) share.
 */
#ifndef GW_CLIENT_PARTS_H
#define GW_CLIENT_PARTS_H

#include "client.h"

/* ---- client.c ---- */

/** Let the state at hand last so long at most. */
void gw_client_arm(struct gw_client *client, uint64_t ns);

/** Free it from the event loop: callers may still look at it. */
void gw_client_doom(struct gw_client *client);

void gw_client_free(struct gw_client *client);

/** Release what belongs to the request at hand. */
void gw_client_forget_request(struct gw_client *client);

/** While draining: close it if it is idle. May free the client. */
void gw_client_drain(struct gw_client *client);

/* ---- client_request.c ---- */

/** Wait for the next request, or for the rest of the one that has begun. */
void gw_client_await_head(struct gw_client *client);

/** Go on with what has been received. */
void gw_client_advance(struct gw_client *client);

/** Refuse what was not read to its end: the connection cannot go on. */
void gw_client_refuse(struct gw_client *client, int status, const char *error);

/** All of the answer is out. May free the client. */
void gw_client_flushed(struct gw_client *client);

#endif
