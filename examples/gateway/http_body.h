/* SPDX-License-Identifier: MIT
 *
 * The body of an HTTP/1 message: how long it is, and taking it off the wire
 * piece by piece.
 */
#ifndef GW_HTTP_BODY_H
#define GW_HTTP_BODY_H

#include "http_head.h"

enum http_framing {
    HTTP_NO_BODY,
    HTTP_LENGTH, /* Content-Length */
    HTTP_CHUNKED,
    HTTP_UNTIL_EOF /* responses only: to the end of the connection */
};

struct http_body {
    enum http_framing framing;
    uint64_t left; /* of the length, or of the chunk */
    enum {
        CHUNK_SIZE,
        CHUNK_DATA,
        CHUNK_END,
        CHUNK_TRAILER,
        CHUNK_DONE
    } chunk;
    size_t trailer_bytes;
};

/**
 * How a request's body is framed.
 *
 * @return  0, or the status that the fault deserves: 400 for lengths that
 *          contradict each other, 501 for a coding that is not "chunked".
 */
int http_request_body(const struct http_head *head, struct http_body *body);

/**
 * How a response's body is framed.
 *
 * @param is_head  The request was HEAD: there is none.
 * @return         0; -1: contradictory.
 */
int http_response_body(const struct http_head *head, int is_head,
                       struct http_body *body);

/**
 * Move what has come of a body from one buffer to another, without its
 * framing. Trailers are dropped: the next hop did not ask for them.
 *
 * @param max  Bytes to move at most in this call.
 * @return     HTTP_MORE, HTTP_READY at the end of the body, or 400.
 */
int http_body_read(struct http_body *body, struct evbuffer *in,
                   struct evbuffer *out, size_t max);

#endif
