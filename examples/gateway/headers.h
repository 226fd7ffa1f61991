/* SPDX-License-Identifier: MIT
 *
 * Heads as they go on: what concerns one connection only stays behind, what
 * the next hop must know is added.
 */
#ifndef GW_HEADERS_H
#define GW_HEADERS_H

#include "http_body.h"
#include "http_head.h"

/* A request as it goes on to an endpoint. */
struct gw_request_out {
    const struct http_head *head; /* as received */
    struct http_slice target;     /* what is asked of the endpoint */
    struct http_slice host;       /* what the client called this host */
    const char *client_ip;
    int trust_forwarded; /* X-Forwarded-Proto and -Host are kept */
    int has_body;
    uint64_t body_bytes;
};

/** Write the head of a request; 0, or -1 if out of memory. */
int gw_headers_request(struct evbuffer *out, const struct gw_request_out *r);

/* A response as it goes on to the client. */
struct gw_response_out {
    const struct http_head *head; /* as received */
    const char *address;          /* of the endpoint */
    unsigned attempts;
    int is_chunked; /* as it goes on */
    int keep_alive;
    int client_minor; /* the client's HTTP/1.x */
};

/** Write the head of a response; 0, or -1 if out of memory. */
int gw_headers_response(struct evbuffer *out, const struct gw_response_out *r);

/* An answer of the gateway's own. */
struct gw_answer_out {
    int status;
    const char *error;      /* goes into {"error": "..."}; no quotes inside */
    const char *reason;     /* as X-Ilb-Error, or NULL */
    uint64_t retry_after_s; /* 0: not said */
    const char *address;    /* of the last endpoint that was tried, or NULL */
    unsigned attempts;
    int keep_alive;
    int client_minor;
    int is_head;
};

/** Write a whole response; 0, or -1 if out of memory. */
int gw_headers_answer(struct evbuffer *out, const struct gw_answer_out *r);

#endif
