/* SPDX-License-Identifier: MIT
 *
 * The listening socket: one thread accepts and deals the connections out.
 */
#ifndef GW_ACCEPTOR_H
#define GW_ACCEPTOR_H

#include "worker.h"

struct gw_acceptor {
    struct gw_shared *shared;
    struct gw_worker *workers;
    size_t n_workers, turn;
    struct evconnlistener *listener;
    struct event *pause; /* ends a time in which nothing is accepted */
    unsigned max_clients;
    char address[64]; /* as bound */
};

/** Bind and listen; nothing is accepted before gw_acceptor_run. 0, or -1 with
 * a line in the log. */
int gw_acceptor_open(struct gw_acceptor *acceptor, struct event_base *base,
                     const struct gw_settings *settings);

void gw_acceptor_run(struct gw_acceptor *acceptor, struct gw_shared *shared,
                     struct gw_worker *workers, size_t n_workers);

/** A reload may have changed max_connections. */
void gw_acceptor_set_limit(struct gw_acceptor *acceptor,
                           const struct gw_settings *settings);

/** Take what has already connected, then stop listening. */
void gw_acceptor_close(struct gw_acceptor *acceptor);

#endif
