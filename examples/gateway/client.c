/* SPDX-License-Identifier: MIT
 *
 * A connection's life: from accept to close, and what wakes it.
 */
#define _GNU_SOURCE 1
#include "client_parts.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange.h"
#include "timing.h"
#include "values.h"

#define INPUT_BYTES_MAX (256u << 10)
#define SINGLE_READ_BYTES (64u << 10)
#define FIRST_REQUEST_NS 500000000u /* while draining */

/* ---- Life ---- */

void gw_client_arm(struct gw_client *client, uint64_t ns)
{
    struct timeval tv = gw_timeval(ns);

    /* Without its timer a connection could stay for ever. */
    if (event_add(client->timer, &tv) != 0) {
        gw_log(GW_LOG_ERROR, "out of memory for a timer");
        abort();
    }
}

/* Free it from the event loop: callers up the stack may still look at it. */
void gw_client_doom(struct gw_client *client)
{
    client->state = CLIENT_DOOMED;
    bufferevent_disable(client->bev, EV_READ | EV_WRITE);
    gw_client_arm(client, 0);
}

void gw_client_forget_request(struct gw_client *client)
{
    http_head_clear(&client->head);
    gw_settings_release(client->settings);
    client->settings = NULL;
    client->service = NULL;
    client->scanned = 0;
    client->has_head_begun = 0;
    evbuffer_drain(client->body, evbuffer_get_length(client->body));
}

void gw_client_free(struct gw_client *client)
{
    struct gw_worker *worker = client->worker;

    if (client->exchange != NULL)
        gw_exchange_cancel(client->exchange);
    if (client->body != NULL)
        gw_client_forget_request(client);
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        worker->clients = client->next;
    if (client->next != NULL)
        client->next->previous = client->previous;
    if (client->timer != NULL)
        event_free(client->timer);
    if (client->body != NULL)
        evbuffer_free(client->body);
    if (client->bev != NULL)
        bufferevent_free(client->bev);
    free(client);
    atomic_fetch_sub(&worker->shared->n_clients, 1);
}

/* ---- Events ---- */

static void on_read(struct bufferevent *bev, void *arg)
{
    struct gw_client *client = arg;

    /* What comes while an exchange runs waits: the next request. */
    if (client->state == CLIENT_LINGER)
        evbuffer_drain(bufferevent_get_input(bev), INPUT_BYTES_MAX);
    else
        gw_client_advance(client);
}

static void on_write(struct bufferevent *bev, void *arg)
{
    struct gw_client *client = arg;

    if (client->state == CLIENT_EXCHANGE)
        gw_exchange_resume(client->exchange);
    else if (client->state == CLIENT_FLUSH &&
             evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        gw_client_flushed(client);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct gw_client *client = arg;

    (void)bev;
    /* It may have closed its side having all it wants to ask; the answer
     * that is complete still goes out. */
    if (client->state == CLIENT_FLUSH && (what & BEV_EVENT_EOF)) {
        client->keep_alive = 0;
        client->has_ended = 1;
        return;
    }
    gw_client_free(client);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct gw_client *client = arg;

    (void)fd;
    (void)what;
    if (client->state == CLIENT_FLUSH)
        gw_client_flushed(client);
    else if (client->state == CLIENT_BODY ||
             (client->state == CLIENT_HEAD && client->has_head_begun))
        gw_client_refuse(client, 408, "the request did not arrive in time");
    else
        gw_client_free(client);
}

/* ---- Beginning and end of many ---- */

static int find_ip(struct gw_client *client, int fd)
{
    struct sockaddr_storage peer;
    socklen_t bytes = sizeof peer;
    char *port;

    if (getpeername(fd, (struct sockaddr *)&peer, &bytes) != 0)
        return -1;
    gw_address_text(&peer, client->ip, sizeof client->ip);
    port = strrchr(client->ip, ':');
    if (port != NULL)
        *port = '\0';
    return 0;
}

static void link_client(struct gw_client *client)
{
    client->next = client->worker->clients;
    if (client->next != NULL)
        client->next->previous = client;
    client->worker->clients = client;
}

static void set_up_io(struct gw_client *client, int fd)
{
    struct gw_settings *settings = gw_shared_settings(client->worker->shared);
    struct timeval stall = gw_timeval(settings->client_timeout_ns);
    int on = 1;

    gw_settings_release(settings);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bufferevent_setcb(client->bev, on_read, on_write, on_event, client);
    bufferevent_setwatermark(client->bev, EV_READ, 0, INPUT_BYTES_MAX);
    bufferevent_set_max_single_read(client->bev, SINGLE_READ_BYTES);
    bufferevent_set_max_single_write(client->bev, SINGLE_READ_BYTES);
    bufferevent_set_timeouts(client->bev, NULL, &stall);
    bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

void gw_client_new(struct gw_worker *worker, int fd)
{
    struct gw_client *client = calloc(1, sizeof *client);

    if (client == NULL || find_ip(client, fd) != 0) {
        free(client);
        close(fd);
        atomic_fetch_sub(&worker->shared->n_clients, 1);
        return;
    }
    client->worker = worker;
    link_client(client);
    client->body = evbuffer_new();
    client->timer = event_new(worker->base, -1, 0, on_timer, client);
    client->bev =
        bufferevent_socket_new(worker->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (client->bev == NULL)
        close(fd);
    if (client->bev == NULL || client->body == NULL || client->timer == NULL) {
        gw_client_free(client);
        return;
    }
    set_up_io(client, fd);
    gw_client_await_head(client);
}

void gw_client_drain(struct gw_client *client)
{
    char byte;

    if (client->state != CLIENT_HEAD || client->has_head_begun)
        return;
    /* Is a request on its way to us already? */
    if (recv(bufferevent_getfd(client->bev), &byte, 1,
             MSG_PEEK | MSG_DONTWAIT) > 0)
        return;
    /* A client that has just connected means to ask something. */
    if (client->served == 0)
        gw_client_arm(client, FIRST_REQUEST_NS);
    else
        gw_client_free(client);
}

void gw_clients_drain(struct gw_worker *worker)
{
    struct gw_client *next;

    for (struct gw_client *c = worker->clients; c != NULL; c = next) {
        next = c->next;
        gw_client_drain(c);
    }
}

void gw_clients_close(struct gw_worker *worker)
{
    while (worker->clients != NULL)
        gw_client_free(worker->clients);
}
