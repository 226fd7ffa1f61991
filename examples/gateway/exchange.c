/* SPDX-License-Identifier: MIT
 *
 * A request from the first pick to the last try.
 */
#define _GNU_SOURCE 1
#include "exchange_parts.h"

#include <stdlib.h>
#include <string.h>

#include "headers.h"
#include "request.h"
#include "timing.h"

/* ---- From try to try ---- */

/* Choose an endpoint that has not been tried. */
static int pick(struct gw_exchange *x)
{
    ilb_balancer *lb = x->service->balancer->lb;
    ilb_pick_options options = ILB_PICK_OPTIONS_INIT;
    const char *address;
    int rc;

    options.exclude = x->tickets;
    options.n_exclude = x->n_tickets;
    rc = ilb_pick(lb, &x->tickets[x->n_tickets], &options);
    if (rc != ILB_OK)
        return rc;
    address = ilb_ticket_address(lb, &x->tickets[x->n_tickets]);
    memcpy(x->address, address, strlen(address) + 1);
    return ILB_OK;
}

static void begin_try(struct gw_exchange *x)
{
    x->try_timeout_ns = ilb_ticket_try_timeout_ns(x->service->balancer->lb,
                                                  &x->tickets[x->n_tickets]);
    x->n_tickets++;
    x->try_started_ns = gw_now_ns();
    gw_try_open(x, 1);
}

/* Is the try at hand a trial that may be made again? Not if there are to be no
 * retries at all. */
static int is_trial(const struct gw_exchange *x)
{
    return x->try_timeout_ns != 0 && x->service->retries > 0 &&
           x->n_trials < GW_TRIALS_MAX;
}

/* May the try at hand be made again elsewhere? A trial that fails takes nothing
 * from the retries: it was made for all, not for this request. */
static int has_another_try(const struct gw_exchange *x)
{
    if (is_trial(x))
        return 1;
    return x->n_tickets - x->n_trials <= x->service->retries;
}

int gw_exchange_may_hurry(const struct gw_exchange *x)
{
    return is_trial(x) && x->is_repeatable;
}

int gw_exchange_pick_elsewhere(struct gw_exchange *x, int was_sent)
{
    if (!has_another_try(x) || (was_sent && !x->is_repeatable) ||
        gw_now_ns() >= x->deadline_ns || pick(x) != ILB_OK)
        return 0;
    if (is_trial(x))
        x->n_trials++;
    return 1;
}

void gw_exchange_move_on(struct gw_exchange *x, ilb_outcome outcome,
                         int keep_connection)
{
    gw_try_end(x, outcome, keep_connection);
    begin_try(x);
}

void gw_exchange_fail_try(struct gw_exchange *x, ilb_outcome outcome,
                          int was_sent, int status, const char *error)
{
    struct gw_client *client = x->client;
    char address[ILB_ADDRESS_MAX + 1];
    unsigned attempts = x->n_tickets;

    memcpy(address, x->address, sizeof address);
    gw_log(GW_LOG_DEBUG, "service %s: %s: %s (%s)", x->service->name, address,
           error, ilb_outcome_name(outcome));
    /* What the gateway itself lacks, it lacks for another endpoint too. */
    if (outcome != ILB_CANCELLED && gw_exchange_pick_elsewhere(x, was_sent)) {
        gw_exchange_move_on(x, outcome, 0);
        return;
    }
    gw_try_end(x, outcome, 0);
    gw_exchange_free(x);
    gw_client_answer(client, status, error, address, attempts);
}

/* ---- Beginning and end ---- */

void gw_exchange_free(struct gw_exchange *x)
{
    if (x->timer != NULL)
        event_free(x->timer);
    if (x->request != NULL)
        evbuffer_free(x->request);
    http_head_clear(&x->head);
    free(x);
}

void gw_exchange_cancel(struct gw_exchange *x)
{
    gw_try_end(x, ILB_CANCELLED, 0);
    gw_exchange_free(x);
}

static int make_request(struct gw_exchange *x)
{
    struct gw_client *client = x->client;
    struct gw_request_out out = {
        .head = &client->head,
        .target = client->target,
        .host = client->host,
        .client_ip = client->ip,
        .trust_forwarded = client->settings->trust_forwarded,
        .has_body = client->body_framing.framing != HTTP_NO_BODY,
        .body_bytes = evbuffer_get_length(client->body),
    };

    if (out.host.n == 0) {
        out.host.at = x->service->name;
        out.host.n = strlen(x->service->name);
    }
    x->request = evbuffer_new();
    if (x->request == NULL || gw_headers_request(x->request, &out) != 0)
        return -1;
    return evbuffer_add_buffer(x->request, client->body);
}

/* There is no endpoint to ask. */
static void refuse(struct gw_client *client, int rc)
{
    uint64_t wait_ns = 0;

    if (rc == ILB_EEJECTED)
        wait_ns = gw_balancer_refuses(client->service->balancer);
    gw_client_refuse_service(client, rc, wait_ns);
}

void gw_exchange_start(struct gw_client *client)
{
    struct gw_exchange *x = calloc(1, sizeof *x);
    int rc;

    if (x == NULL) {
        gw_client_answer(client, 503, "the gateway is out of memory", NULL, 0);
        return;
    }
    x->client = client;
    x->worker = client->worker;
    x->service = client->service;
    x->is_repeatable = gw_request_is_repeatable(&client->head);
    x->timer = event_new(x->worker->base, -1, 0, gw_try_on_timer, x);
    if (x->timer == NULL || make_request(x) != 0) {
        gw_exchange_free(x);
        gw_client_answer(client, 503, "the gateway is out of memory", NULL, 0);
        return;
    }
    rc = pick(x);
    if (rc != ILB_OK) {
        gw_exchange_free(x);
        refuse(client, rc);
        return;
    }
    x->deadline_ns = gw_now_ns() + x->service->deadline_ns;
    client->exchange = x;
    begin_try(x);
}
