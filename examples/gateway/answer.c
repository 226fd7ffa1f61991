/* SPDX-License-Identifier: MIT
 *
 * From an endpoint's answer to the client: judged by its head, passed on as
 * it comes, no faster than the client takes it.
 */
#define _GNU_SOURCE 1
#include "exchange_parts.h"

#include <limits.h>
#include <time.h>

#include "headers.h"
#include "retry_after.h"
#include "timing.h"

#define OUTPUT_BYTES_HIGH (256u << 10) /* waiting for a client: pause */
#define HEAD_BYTES_MAX (64u << 10)
#define HEAD_FIELDS_MAX 1000u

ilb_outcome gw_outcome_of_status(const struct gw_service *service, int status)
{
    if (status == 429 && service->overload_429)
        return ILB_OVERLOAD;
    /* 501 and 505 say something of the request, 429 of its caller's quota. */
    if (status < 500 || status == 501 || status == 505)
        return ILB_SUCCESS;
    return status == 503 ? ILB_OVERLOAD : ILB_FAILURE;
}

/* Whether the connection may carry another request. */
static int is_reusable(const struct gw_exchange *x)
{
    return x->head.minor > 0 && x->body.framing != HTTP_UNTIL_EOF &&
           !http_head_lists(&x->head, "Connection", "close") &&
           evbuffer_get_length(bufferevent_get_input(x->up->bev)) == 0 &&
           evbuffer_get_length(bufferevent_get_output(x->up->bev)) == 0;
}

/* ---- The end of an answer ---- */

static void complete(struct gw_exchange *x)
{
    struct gw_client *client = x->client;
    int rc = 0;

    if (x->is_chunked)
        rc = evbuffer_add(gw_client_output(client), "0\r\n\r\n", 5);
    gw_try_end(x, gw_outcome_of_status(x->service, x->head.status),
               is_reusable(x));
    gw_exchange_free(x);
    if (rc != 0)
        gw_client_abort(client);
    else
        gw_client_finish(client);
}

void gw_answer_broken(struct gw_exchange *x, ilb_outcome outcome)
{
    struct gw_client *client = x->client;

    gw_log(GW_LOG_DEBUG, "service %s: %s: the answer broke off (%s)",
           x->service->name, x->address, ilb_outcome_name(outcome));
    gw_try_end(x, outcome, 0);
    gw_exchange_free(x);
    gw_client_abort(client);
}

void gw_answer_ended(struct gw_exchange *x)
{
    if (x->body.framing == HTTP_UNTIL_EOF)
        complete(x);
    else
        gw_answer_broken(x, ILB_FAILURE);
}

/* ---- The body ---- */

static int add_chunk(struct evbuffer *out, struct evbuffer *data)
{
    size_t n = evbuffer_get_length(data);

    if (n == 0)
        return 0;
    if (evbuffer_add_printf(out, "%zx\r\n", n) < 0)
        return -1;
    return evbuffer_add_buffer(out, data) | evbuffer_add(out, "\r\n", 2);
}

/* Pass on what has come of the body: http_body_read's result. */
static int pass_body(struct gw_exchange *x)
{
    struct evbuffer *in = bufferevent_get_input(x->up->bev);
    struct evbuffer *out = gw_client_output(x->client), *piece;
    int rc;

    if (!x->is_chunked)
        return http_body_read(&x->body, in, out, INT_MAX);
    piece = evbuffer_new();
    if (piece == NULL)
        return 400;
    rc = http_body_read(&x->body, in, piece, INT_MAX);
    if (add_chunk(out, piece) != 0)
        rc = 400;
    evbuffer_free(piece);
    return rc;
}

/* A client that is slow to take its answer must not fill the memory, nor be
 * blamed on the endpoint: while it is behind, nothing is read and no clock
 * runs but the client's own. */
static void pause_or_arm(struct gw_exchange *x)
{
    size_t waiting = evbuffer_get_length(gw_client_output(x->client));

    x->is_paused = waiting > OUTPUT_BYTES_HIGH;
    if (x->is_paused) {
        bufferevent_disable(x->up->bev, EV_READ);
        event_del(x->timer);
    } else {
        gw_try_arm(x);
    }
}

static void advance_body(struct gw_exchange *x)
{
    int rc = pass_body(x);

    if (rc == HTTP_READY)
        complete(x);
    else if (rc != HTTP_MORE)
        gw_answer_broken(x, ILB_FAILURE);
    else
        pause_or_arm(x);
}

void gw_exchange_resume(struct gw_exchange *x)
{
    if (!x->is_paused)
        return;
    x->is_paused = 0;
    bufferevent_enable(x->up->bev, EV_READ);
    advance_body(x);
}

/* ---- The head ---- */

/* A bad answer that will not be passed on. If all of it is here already its
 * connection is as good as before. */
static int discard_body(struct gw_exchange *x)
{
    struct evbuffer *in = bufferevent_get_input(x->up->bev);
    struct evbuffer *nowhere = evbuffer_new();
    struct http_body body = x->body;
    int rc;

    if (nowhere == NULL)
        return 0;
    rc = http_body_read(&body, in, nowhere, INT_MAX);
    evbuffer_free(nowhere);
    return rc == HTTP_READY && is_reusable(x);
}

static void pass_head(struct gw_exchange *x)
{
    struct gw_client *client = x->client;
    enum http_framing framing = x->body.framing;
    struct gw_response_out out = {
        .head = &x->head,
        .address = x->address,
        .attempts = x->n_tickets,
        .client_minor = client->head.minor,
    };

    x->phase = PHASE_PASSING;
    x->is_chunked = client->head.minor > 0 &&
                    (framing == HTTP_CHUNKED || framing == HTTP_UNTIL_EOF);
    /* To HTTP/1.0 the end of such a body is the end of the connection. */
    if (!x->is_chunked &&
        (framing == HTTP_CHUNKED || framing == HTTP_UNTIL_EOF))
        client->keep_alive = 0;
    client->keep_alive = gw_client_keeps_alive(client);
    out.is_chunked = x->is_chunked;
    out.keep_alive = client->keep_alive;
    if (gw_headers_response(gw_client_output(client), &out) != 0)
        gw_answer_broken(x, ILB_CANCELLED);
    else
        advance_body(x);
}

/* The head is here: pass the answer on, or try another endpoint instead. */
static void judge(struct gw_exchange *x)
{
    ilb_outcome outcome = gw_outcome_of_status(x->service, x->head.status);

    if (http_response_body(&x->head, x->client->is_head, &x->body) != 0 ||
        x->head.status < 200) {
        gw_exchange_fail_try(x, ILB_FAILURE, 1, 502,
                             "the endpoint's answer is malformed");
        return;
    }
    if (outcome != ILB_SUCCESS)
        x->retry_after_ns = gw_retry_after_ns(&x->head, (int64_t)time(NULL));
    if (outcome == ILB_SUCCESS) {
        ilb_first_byte(x->service->balancer->lb, &x->tickets[x->n_tickets - 1],
                       0);
    } else if (gw_exchange_pick_elsewhere(x, 1)) {
        gw_exchange_move_on(x, outcome, discard_body(x));
        return;
    }
    pass_head(x);
}

void gw_answer_advance(struct gw_exchange *x)
{
    static const struct http_limits limits = {HEAD_BYTES_MAX, HEAD_FIELDS_MAX};
    struct evbuffer *in = bufferevent_get_input(x->up->bev);
    int rc;

    x->has_begun = 1;
    if (x->phase == PHASE_PASSING) {
        if (!x->is_paused)
            advance_body(x);
        return;
    }
    /* Interim answers stay here: 100 was given, hints are not passed on. */
    do {
        http_head_clear(&x->head);
        rc = http_head_read(&x->head, in, HTTP_RESPONSE, &limits, &x->scanned);
    } while (rc == HTTP_READY && x->head.status < 200 && x->head.status != 101);
    if (rc == HTTP_READY)
        judge(x);
    else if (rc != HTTP_MORE)
        gw_exchange_fail_try(x, ILB_FAILURE, 1, 502,
                             "the endpoint's answer is malformed");
}
