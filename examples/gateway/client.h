/* SPDX-License-Identifier: MIT
 *
 * A client's connection: reads requests one after the other, has each carried
 * out by an exchange, and writes what comes of it.
 */
#ifndef GW_CLIENT_H
#define GW_CLIENT_H

#include <event2/bufferevent.h>

#include "http_body.h"
#include "http_head.h"
#include "worker.h"

struct gw_exchange;

enum gw_client_state {
    CLIENT_HEAD,     /* waits for a request, or has part of its head */
    CLIENT_BODY,     /* reads the request's body */
    CLIENT_EXCHANGE, /* an endpoint is at work */
    CLIENT_FLUSH,    /* the answer is complete and on its way out */
    CLIENT_LINGER,   /* has said goodbye, waits for the client's */
    CLIENT_DOOMED    /* will be freed by its timer */
};

struct gw_client {
    struct gw_worker *worker;
    struct bufferevent *bev;
    struct event *timer;
    struct gw_client *next, *previous;
    enum gw_client_state state;
    char ip[64];

    /* The request at hand. */
    struct gw_settings *settings; /* those that it began with */
    const struct gw_service *service;
    struct http_head head;
    size_t scanned;
    struct http_slice target, host;
    struct http_body body_framing;
    struct evbuffer *body; /* whole: a retry sends it again */
    struct gw_exchange *exchange;
    int keep_alive;
    int has_head_begun;
    int has_ended; /* the client has closed its side */
    unsigned served;
    int is_head; /* the method is HEAD */
};

/** Serve a connection that was accepted; takes the descriptor over. */
void gw_client_new(struct gw_worker *worker, int fd);

/** Close what is idle, and let the others end after the request at hand. */
void gw_clients_drain(struct gw_worker *worker);

/** Close all at once. */
void gw_clients_close(struct gw_worker *worker);

/* ---- For the exchange ---- */

/** Where the answer goes. */
struct evbuffer *gw_client_output(struct gw_client *client);

/** Whether the connection may go on after this answer, as of now. */
int gw_client_keeps_alive(const struct gw_client *client);

/** Answer with an error of the gateway's own; the request is over. */
void gw_client_answer(struct gw_client *client, int status, const char *error,
                      const char *address, unsigned attempts);

/** Answer that there is no endpoint, 503: `rc` says why. For ILB_EEJECTED with
 * a Retry-After of `wait_ns`, rounded up to seconds, 1 at least. */
void gw_client_refuse_service(struct gw_client *client, int rc,
                              uint64_t wait_ns);

/** The answer is complete. */
void gw_client_finish(struct gw_client *client);

/** The answer cannot be completed: cut the connection, so that it shows. */
void gw_client_abort(struct gw_client *client);

#endif
