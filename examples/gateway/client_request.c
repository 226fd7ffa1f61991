/* SPDX-License-Identifier: MIT
 *
 * A connection's requests: read one, have it carried out, answer, go on.
 */
#define _GNU_SOURCE 1
#include "client_parts.h"

#include <sys/socket.h>

#include "exchange.h"
#include "headers.h"
#include "request.h"

#define OUTPUT_BYTES_LOW (64u << 10) /* an exchange that paused goes on */
#define LINGER_NS 1000000000u

static int is_draining(const struct gw_client *client)
{
    return atomic_load(&client->worker->shared->is_draining);
}

/* ---- Answers ---- */

struct evbuffer *gw_client_output(struct gw_client *client)
{
    return bufferevent_get_output(client->bev);
}

int gw_client_keeps_alive(const struct gw_client *client)
{
    return client->keep_alive && !is_draining(client);
}

void gw_client_abort(struct gw_client *client)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    /* A reset, not an orderly end: to HTTP/1.0 that would mean "complete". */
    (void)setsockopt(bufferevent_getfd(client->bev), SOL_SOCKET, SO_LINGER,
                     &at_once, sizeof at_once);
    client->exchange = NULL;
    gw_client_doom(client);
}

void gw_client_finish(struct gw_client *client)
{
    client->exchange = NULL;
    client->state = CLIENT_FLUSH;
    bufferevent_setwatermark(client->bev, EV_WRITE, 0, 0);
    /* Is all of it on its way already? Then no callback will come. */
    if (evbuffer_get_length(gw_client_output(client)) == 0)
        gw_client_arm(client, 0);
    else
        event_del(client->timer);
}

static void send_answer(struct gw_client *client, struct gw_answer_out *answer)
{
    client->keep_alive = gw_client_keeps_alive(client);
    answer->keep_alive = client->keep_alive;
    answer->client_minor = client->head.minor;
    answer->is_head = client->is_head;
    if (gw_headers_answer(gw_client_output(client), answer) != 0)
        gw_client_abort(client);
    else
        gw_client_finish(client);
}

void gw_client_answer(struct gw_client *client, int status, const char *error,
                      const char *address, unsigned attempts)
{
    struct gw_answer_out answer = {
        .status = status,
        .error = error,
        .address = address,
        .attempts = attempts,
    };

    send_answer(client, &answer);
}

void gw_client_refuse_service(struct gw_client *client, int rc,
                              uint64_t wait_ns)
{
    struct gw_answer_out answer = {
        .status = 503,
        .error = ilb_strerror(rc),
    };

    if (rc == ILB_EEJECTED) {
        answer.reason = ilb_error_name(rc);
        answer.retry_after_s = wait_ns / 1000000000u;
        answer.retry_after_s += wait_ns % 1000000000u != 0 || wait_ns == 0;
    }
    send_answer(client, &answer);
}

/* Refuse what was not read to its end: the connection cannot go on. */
void gw_client_refuse(struct gw_client *client, int status, const char *error)
{
    client->keep_alive = 0;
    gw_client_answer(client, status, error, NULL, 0);
}

/* The answer is out. Closing at once could destroy it on its way, if the
 * client has sent more than was read: say goodbye, wait for the client's. */
void gw_client_flushed(struct gw_client *client)
{
    int keep_alive = client->keep_alive;

    gw_client_forget_request(client);
    client->served++;
    if (client->has_ended) {
        gw_client_free(client);
        return;
    }
    if (keep_alive) {
        gw_client_await_head(client);
        gw_client_advance(client);
        if (is_draining(client))
            gw_client_drain(client);
        return;
    }
    client->state = CLIENT_LINGER;
    (void)shutdown(bufferevent_getfd(client->bev), SHUT_WR);
    gw_client_arm(client, LINGER_NS);
    evbuffer_drain(bufferevent_get_input(client->bev),
                   evbuffer_get_length(bufferevent_get_input(client->bev)));
}

/* ---- Requests ---- */

static void start_exchange(struct gw_client *client)
{
    event_del(client->timer);
    client->state = CLIENT_EXCHANGE;
    bufferevent_setwatermark(client->bev, EV_WRITE, OUTPUT_BYTES_LOW, 0);
    gw_exchange_start(client);
}

static void begin_request(struct gw_client *client)
{
    struct gw_request request;
    const char *error = NULL;
    int status =
        gw_request_read(&client->head, client->settings, &request, &error);

    client->keep_alive = request.keep_alive;
    client->is_head = http_slice_equals(client->head.method, "HEAD");
    if (status != 0) {
        if (request.body.framing != HTTP_NO_BODY)
            client->keep_alive = 0;
        gw_client_answer(client, status, error, NULL, 0);
        return;
    }
    client->service = request.service;
    client->target = request.target;
    client->host = request.host;
    client->body_framing = request.body;
    client->state = CLIENT_BODY;
    gw_client_arm(client, client->settings->client_timeout_ns);
    if (request.wants_continue && request.body.framing != HTTP_NO_BODY &&
        evbuffer_get_length(bufferevent_get_input(client->bev)) == 0)
        evbuffer_add_printf(gw_client_output(client),
                            "HTTP/1.1 100 Continue\r\n\r\n");
}

/* Returns whether there is more to do with what has been received. */
static int read_head(struct gw_client *client)
{
    struct evbuffer *in = bufferevent_get_input(client->bev);
    struct gw_settings *settings = gw_shared_settings(client->worker->shared);
    struct http_limits limits = {settings->max_header_bytes,
                                 settings->max_headers};
    int rc = http_head_read(&client->head, in, HTTP_REQUEST, &limits,
                            &client->scanned);

    if (rc == HTTP_READY) {
        client->settings = settings;
        begin_request(client);
        return client->state == CLIENT_BODY;
    }
    if (rc == HTTP_MORE && !client->has_head_begun &&
        evbuffer_get_length(in) > 0) {
        client->has_head_begun = 1;
        gw_client_arm(client, settings->client_header_timeout_ns);
    }
    gw_settings_release(settings);
    if (rc == 431)
        gw_client_refuse(client, rc, "the request's head is too large");
    else if (rc == 505)
        gw_client_refuse(client, rc, "only HTTP/1.0 and HTTP/1.1 are spoken");
    else if (rc != HTTP_MORE)
        gw_client_refuse(client, rc, "the request's head is malformed");
    return 0;
}

static void read_body(struct gw_client *client)
{
    uint64_t max = client->settings->max_body_bytes;
    size_t room = (size_t)(max + 1 - evbuffer_get_length(client->body));
    int rc =
        http_body_read(&client->body_framing,
                       bufferevent_get_input(client->bev), client->body, room);

    if (evbuffer_get_length(client->body) > max)
        gw_client_refuse(client, 413, "the body is too large");
    else if (rc == HTTP_READY)
        start_exchange(client);
    else if (rc == HTTP_MORE)
        gw_client_arm(client, client->settings->client_timeout_ns);
    else
        gw_client_refuse(client, 400, "the body is malformed");
}

/* Go on with what has been received. */
void gw_client_advance(struct gw_client *client)
{
    if (client->state == CLIENT_HEAD && !read_head(client))
        return;
    if (client->state == CLIENT_BODY)
        read_body(client);
}

/* Wait for the next request, or for the rest of the one that has begun. */
void gw_client_await_head(struct gw_client *client)
{
    struct gw_settings *settings = gw_shared_settings(client->worker->shared);

    client->state = CLIENT_HEAD;
    gw_client_arm(client, client->has_head_begun
                              ? settings->client_header_timeout_ns
                              : settings->client_idle_ns);
    gw_settings_release(settings);
}
