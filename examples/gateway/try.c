/* SPDX-License-Identifier: MIT
 *
 * One try of a request at one endpoint: connect, send, wait for the answer.
 */
#define _GNU_SOURCE 1
#include "exchange_parts.h"

#include <stdlib.h>
#include <string.h>

#include "timing.h"

/* ---- Time ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long the try at hand may take, to the head of its answer. */
static uint64_t try_timeout_ns(const struct gw_exchange *x)
{
    return gw_exchange_may_hurry(x)
               ? least(x->service->timeout_ns, x->try_timeout_ns)
               : x->service->timeout_ns;
}

/* When the phase at hand has to be over. The deadline bounds the way to the
 * answer's head; a body may take its time as long as it moves. */
static uint64_t phase_end_ns(const struct gw_exchange *x, uint64_t now_ns)
{
    const struct gw_service *service = x->service;
    uint64_t try_end_ns = x->try_started_ns + try_timeout_ns(x);

    if (x->phase == PHASE_PASSING)
        return now_ns + service->timeout_ns;
    if (x->phase == PHASE_CONNECTING)
        try_end_ns =
            least(try_end_ns, x->try_started_ns + service->connect_timeout_ns);
    return least(try_end_ns, x->deadline_ns);
}

void gw_try_arm(struct gw_exchange *x)
{
    uint64_t now_ns = gw_now_ns(), end_ns = phase_end_ns(x, now_ns);
    struct timeval tv = gw_timeval(end_ns > now_ns ? end_ns - now_ns : 0);

    if (event_add(x->timer, &tv) != 0) {
        gw_log(GW_LOG_ERROR, "out of memory for a timer");
        abort();
    }
}

void gw_try_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct gw_exchange *x = arg;
    uint64_t waited_ns = gw_now_ns() - x->try_started_ns;

    (void)fd;
    (void)what;
    if (x->phase == PHASE_PASSING)
        gw_answer_broken(x, ILB_TIMEOUT);
    else if (x->phase == PHASE_CONNECTING &&
             waited_ns >= x->service->connect_timeout_ns)
        gw_exchange_fail_try(x, ILB_CONNECT_ERROR, 0, 504,
                             "the endpoint did not accept the connection in "
                             "time");
    else
        /* A retry that the deadline cut short was not given its time: that
         * is no fault of the endpoint. */
        gw_exchange_fail_try(
            x, waited_ns >= try_timeout_ns(x) ? ILB_TIMEOUT : ILB_CANCELLED, 1,
            504, "the endpoint did not answer in time");
}

/* ---- One try ---- */

static void send_request(struct gw_exchange *x)
{
    struct evbuffer *out = bufferevent_get_output(x->up->bev);

    x->phase = PHASE_WAITING;
    /* Shared, not copied: the same bytes may have to go out again. */
    if (evbuffer_add_buffer_reference(out, x->request) != 0) {
        gw_exchange_fail_try(x, ILB_CANCELLED, 1, 503,
                             "the gateway is out of memory");
        return;
    }
    gw_try_arm(x);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    gw_answer_advance(arg);
}

/* A connection from the pool died before anything of the answer came: the
 * endpoint had most likely closed it when the request was on its way. One
 * more go there, on a new one, costs nobody anything; a request that must not
 * be done twice does not get it, since "most likely" is not certain. */
static int try_again_there(struct gw_exchange *x)
{
    if (!x->up->is_reused || x->has_begun || x->has_had_stale)
        return 0;
    x->has_had_stale = 1;
    if (!x->is_repeatable) {
        gw_exchange_fail_try(x, ILB_CANCELLED, 1, 502,
                             "the endpoint closed the connection");
        return 1;
    }
    gw_log(GW_LOG_DEBUG, "service %s: %s: idle connection was stale",
           x->service->name, x->address);
    gw_pool_close(x->up);
    x->up = NULL;
    gw_try_open(x, 0);
    return 1;
}

static void on_lost(struct gw_exchange *x, short what)
{
    int error = EVUTIL_SOCKET_ERROR();
    int local = gw_pool_is_local_error(error);

    if (x->phase == PHASE_CONNECTING)
        gw_exchange_fail_try(x, local ? ILB_CANCELLED : ILB_CONNECT_ERROR, 0,
                             local ? 503 : 502,
                             "cannot connect to the endpoint");
    else if (x->phase == PHASE_PASSING && (what & BEV_EVENT_EOF))
        gw_answer_ended(x);
    else if (x->phase == PHASE_PASSING)
        gw_answer_broken(x, ILB_FAILURE);
    else if (!try_again_there(x))
        gw_exchange_fail_try(x, ILB_FAILURE, 1, 502,
                             "the endpoint closed the connection without an "
                             "answer");
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct gw_exchange *x = arg;

    (void)bev;
    if (what & BEV_EVENT_CONNECTED)
        send_request(x);
    else if ((what & BEV_EVENT_WRITING) && x->phase != PHASE_CONNECTING)
        /* It takes no more of the request, but may have answered already:
         * reading tells, and the clock is running. */
        gw_log(GW_LOG_DEBUG, "service %s: %s: stopped taking the request",
               x->service->name, x->address);
    else
        on_lost(x, what);
}

/* Open a connection for the ticket at hand, or use an idle one. */
void gw_try_open(struct gw_exchange *x, int may_reuse)
{
    struct gw_pool *pool = x->worker->pool;
    int error = 0;

    x->up = may_reuse ? gw_pool_take(pool, x->address) : NULL;
    if (x->up == NULL)
        x->up = gw_pool_connect(pool, x->address, &error);
    /* Short of files? Idle connections are the ones to do without. */
    if (x->up == NULL && gw_pool_is_local_error(error) &&
        gw_pool_close_idle(pool) > 0)
        x->up = gw_pool_connect(pool, x->address, &error);
    if (x->up == NULL) {
        int local = gw_pool_is_local_error(error);

        gw_log(local ? GW_LOG_ERROR : GW_LOG_DEBUG, "service %s: %s: %s",
               x->service->name, x->address, strerror(error));
        gw_exchange_fail_try(x, local ? ILB_CANCELLED : ILB_CONNECT_ERROR, 0,
                             local ? 503 : 502,
                             local ? "the gateway is out of resources"
                                   : "cannot connect to the endpoint");
        return;
    }
    bufferevent_setcb(x->up->bev, on_read, NULL, on_event, x);
    bufferevent_enable(x->up->bev, EV_READ | EV_WRITE);
    x->has_begun = 0;
    x->scanned = 0;
    if (x->up->is_reused) {
        send_request(x);
        return;
    }
    x->phase = PHASE_CONNECTING;
    gw_try_arm(x);
}

void gw_try_end(struct gw_exchange *x, ilb_outcome outcome, int keep_connection)
{
    ilb_result result = ILB_RESULT_INIT;
    int rc;

    result.outcome = outcome;
    if (outcome == ILB_OVERLOAD || outcome == ILB_FAILURE)
        result.retry_after_ns = x->retry_after_ns;
    rc = ilb_done_with(x->service->balancer->lb, &x->tickets[x->n_tickets - 1],
                       &result);
    x->retry_after_ns = 0;
    if (rc != ILB_OK)
        gw_log(GW_LOG_ERROR, "service %s: ilb_done: %s", x->service->name,
               ilb_strerror(rc));
    event_del(x->timer);
    if (x->up == NULL)
        return;
    if (keep_connection)
        gw_pool_give(x->up, x->client->settings);
    else
        gw_pool_close(x->up);
    x->up = NULL;
}
