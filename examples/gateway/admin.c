/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "admin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/listener.h>

#include "balancers.h"
#include "events.h"
#include "values.h"

#define REQUEST_BYTES_MAX 4096
#define TIMEOUT_S 5
/* Events of each service on the page. */
#define EVENTS_SHOWN 50

/* evhttp is good enough here: small answers at once, clients of this host. */

static void reply(struct evhttp_request *req, int status, const char *reason,
                  struct evbuffer *json)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

    evhttp_add_header(headers, "Content-Type", "application/json");
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_send_reply(req, status, reason, json);
}

static void reply_text(struct evhttp_request *req, int status,
                       const char *reason, const char *json)
{
    struct evbuffer *out = evbuffer_new();

    if (out == NULL || evbuffer_add(out, json, strlen(json)) != 0)
        evhttp_send_error(req, HTTP_INTERNAL, "out of memory");
    else
        reply(req, status, reason, out);
    if (out != NULL)
        evbuffer_free(out);
}

static void on_healthz(struct evhttp_request *req, void *arg)
{
    (void)arg;
    reply_text(req, HTTP_OK, "OK", "{\"status\": \"ok\"}\n");
}

static void on_readyz(struct evhttp_request *req, void *arg)
{
    struct gw_shared *shared = arg;

    if (atomic_load(&shared->is_draining))
        reply_text(req, HTTP_SERVUNAVAIL, "Service Unavailable",
                   "{\"status\": \"draining\"}\n");
    else
        reply_text(req, HTTP_OK, "OK", "{\"status\": \"ready\"}\n");
}

static void on_unknown(struct evhttp_request *req, void *arg)
{
    (void)arg;
    reply_text(
        req, HTTP_NOTFOUND, "Not Found",
        "{\"error\": \"there are /healthz, /readyz, /snapshot, /events\"}\n");
}

/* ---- The snapshot ---- */

/* {"latency":0, ...}: a count of each detector. */
static void add_detectors(struct evbuffer *out, const uint32_t *counts)
{
    for (int i = 1; i < ILB_DETECTOR_COUNT; i++)
        evbuffer_add_printf(out, "%s\"%s\":%" PRIu32, i > 1 ? "," : "{",
                            ilb_detector_name((ilb_detector)i), counts[i]);
    evbuffer_add(out, "}", 1);
}

/* The names and addresses in it were checked to need no escapes. */
static void add_endpoint(struct evbuffer *out, const ilb_endpoint_stats *e)
{
    evbuffer_add_printf(
        out,
        "{\"address\":\"%s\",\"state\":\"%s\",\"weight\":%" PRIu32
        ",\"in_flight\":%" PRIu64 ",\"latency_ms\":%.3f,\"oldest_ms\":%.3f,"
        "\"failures_in_a_row\":%" PRIu32 ",\"failure_share\":%.6f,"
        "\"ejections\":%" PRIu64 ",\"ejected_by\":\"%s\",\"done\":{",
        e->address, ilb_state_name(e->state), e->weight, e->in_flight,
        (double)e->latency_ns / 1e6, (double)e->oldest_ns / 1e6,
        e->failures_in_a_row, e->failure_ppm / 1e6, e->ejections,
        ilb_detector_name(e->ejected_by));
    for (int i = 0; i < ILB_OUTCOME_COUNT; i++)
        evbuffer_add_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "",
                            ilb_outcome_name((ilb_outcome)i), e->done[i]);
    evbuffer_add(out, "},\"detected\":", 13);
    add_detectors(out, e->detected);
    evbuffer_add(out, ",\"enforced\":", 12);
    add_detectors(out, e->enforced);
    evbuffer_add(out, "}", 1);
}

static int add_service(struct evbuffer *out, const struct gw_service *service)
{
    size_t n = 0;
    int rc = 0;
    ilb_endpoint_stats *stats = gw_balancer_stats(service->balancer, &n, &rc);

    if (stats == NULL)
        return -1;
    evbuffer_add_printf(
        out,
        "{\"name\":\"%s\",\"policy\":\"%s\",\"refused\":%" PRIu64
        ",\"endpoints\":[",
        service->name, ilb_policy_name(service->balancing.policy),
        (uint64_t)atomic_load(&service->balancer->n_refused));
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            evbuffer_add(out, ",", 1);
        add_endpoint(out, &stats[i]);
    }
    free(stats);
    return evbuffer_add(out, "]}", 2);
}

static int add_events(struct evbuffer *out, const struct gw_service *service)
{
    evbuffer_add_printf(out, "{\"name\":\"%s\",\"events\":", service->name);
    if (gw_events_add(out, service->balancer, EVENTS_SHOWN) != 0)
        return -1;
    return evbuffer_add(out, "}", 1);
}

/* One object for each service, as `add` makes it. */
static void reply_services(struct evhttp_request *req, struct gw_shared *shared,
                           int (*add)(struct evbuffer *,
                                      const struct gw_service *))
{
    struct gw_settings *settings = gw_shared_settings(shared);
    struct evbuffer *out = evbuffer_new();
    int rc = out ? evbuffer_add_printf(out, "{\"services\":[") : -1;

    for (size_t i = 0; rc >= 0 && i < settings->n_services; i++) {
        if (i > 0)
            evbuffer_add(out, ",", 1);
        rc = add(out, &settings->services[i]);
    }
    if (rc < 0 || evbuffer_add(out, "]}\n", 3) != 0)
        evhttp_send_error(req, HTTP_INTERNAL, "out of memory");
    else
        reply(req, HTTP_OK, "OK", out);
    if (out != NULL)
        evbuffer_free(out);
    gw_settings_release(settings);
}

static void on_snapshot(struct evhttp_request *req, void *arg)
{
    reply_services(req, arg, add_service);
}

static void on_events(struct evhttp_request *req, void *arg)
{
    reply_services(req, arg, add_events);
}

/* ---- Start ---- */

static struct evconnlistener *listen_on(struct event_base *base,
                                        const struct gw_settings *settings)
{
    return evconnlistener_new_bind(
        base, NULL, NULL,
        LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
        (const struct sockaddr *)&settings->admin, (int)settings->admin_bytes);
}

static void add_pages(struct evhttp *http, struct gw_shared *shared)
{
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(http, REQUEST_BYTES_MAX);
    evhttp_set_max_body_size(http, REQUEST_BYTES_MAX);
    evhttp_set_timeout(http, TIMEOUT_S);
    evhttp_set_cb(http, "/healthz", on_healthz, shared);
    evhttp_set_cb(http, "/readyz", on_readyz, shared);
    evhttp_set_cb(http, "/snapshot", on_snapshot, shared);
    evhttp_set_cb(http, "/events", on_events, shared);
    evhttp_set_gencb(http, on_unknown, shared);
}

struct evhttp *gw_admin_start(struct event_base *base, struct gw_shared *shared,
                              char *address)
{
    struct gw_settings *settings = gw_shared_settings(shared);
    struct evconnlistener *listener = listen_on(base, settings);
    struct evhttp *http = listener ? evhttp_new(base) : NULL;
    struct sockaddr_storage bound;
    socklen_t bytes = sizeof bound;

    gw_address_text(&settings->admin, address, 64);
    if (http == NULL || evhttp_bind_listener(http, listener) == NULL ||
        getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&bound,
                    &bytes) != 0) {
        gw_log(GW_LOG_ERROR, "admin %s: %s", address, strerror(errno));
        if (http != NULL)
            evhttp_free(http);
        else if (listener != NULL)
            evconnlistener_free(listener);
        http = NULL;
    } else {
        gw_address_text(&bound, address, 64);
        add_pages(http, shared);
    }
    gw_settings_release(settings);
    return http;
}
