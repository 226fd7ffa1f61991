/* SPDX-License-Identifier: MIT
 *
 * One request's life: choose an endpoint, send, wait, perhaps try elsewhere,
 * pass the answer on, report how it went.
 */
#ifndef GW_EXCHANGE_H
#define GW_EXCHANGE_H

#include "client.h"

/** Carry out the request that a client has read. Ends in exactly one of
 * gw_client_answer, gw_client_finish, gw_client_abort, or in a call of
 * gw_exchange_cancel. */
void gw_exchange_start(struct gw_client *client);

/** The client has taken most of what it was sent. */
void gw_exchange_resume(struct gw_exchange *exchange);

/** The client is gone. */
void gw_exchange_cancel(struct gw_exchange *exchange);

#endif
