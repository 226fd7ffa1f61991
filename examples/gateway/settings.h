/* SPDX-License-Identifier: MIT
 *
 * What a configuration file says, as a value that never changes once it is
 * in use. A reload makes a new one; requests keep the one they began with.
 */
#ifndef GW_SETTINGS_H
#define GW_SETTINGS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#include "ilb.h"

#include "log.h"

struct gw_balancer;

#define GW_RETRIES_MAX 3u
#define GW_THREADS_MAX 64u
#define GW_ERROR_BYTES 512

struct gw_endpoint {
    char address[ILB_ADDRESS_MAX + 1]; /* "ip:port", as written */
    uint32_t weight;
};

/* How a balancer is to be; a change needs a new one. 0: the default. */
struct gw_balancing {
    ilb_policy policy;
    uint32_t consecutive_failures; /* ILB_NEVER: off */
    ilb_fail_mode fail_mode;
    uint32_t panic_threshold_percent;
    uint32_t min_endpoints;
    uint32_t detectors_off, detectors_shadow; /* ILB_DETECTOR_BIT of each */
    uint64_t max_retry_after_ns;
    uint64_t slow_start_ns;
    uint64_t latency_margin_ns;
};

/* One service. What comes before its name can be set above all services as
 * defaults. */
struct gw_service {
    uint64_t timeout_ns;         /* one try, to the answer's head */
    uint64_t connect_timeout_ns; /* within a try */
    uint64_t deadline_ns;        /* all tries; 0: twice the timeout */
    uint32_t retries;            /* on top of the first try */
    int overload_429;            /* a 429 is the endpoint's, as a 503 is */
    struct gw_balancing balancing;
    char name[ILB_NAME_MAX + 1];
    struct gw_endpoint *endpoints;
    size_t n_endpoints;
    struct gw_balancer *balancer; /* one reference; set by gw_services_apply */
};

struct gw_route {
    char *prefix; /* begins with '/', ends without, but for "/" alone: "" */
    size_t prefix_bytes;
    size_t service; /* index */
};

struct gw_settings {
    atomic_uint references;
    struct sockaddr_storage listen, admin;
    socklen_t listen_bytes, admin_bytes; /* 0: not given */
    uint32_t threads;
    uint32_t max_connections; /* clients; 0: from the limit of files */
    uint32_t max_headers;
    uint32_t upstream_idle_max; /* kept for one endpoint by one thread */
    uint64_t max_header_bytes;
    uint64_t max_body_bytes;
    uint64_t client_header_timeout_ns; /* the whole head of a request */
    uint64_t client_timeout_ns;        /* silence in a body, either way */
    uint64_t client_idle_ns;           /* between two requests */
    uint64_t upstream_idle_ns;         /* in the pool */
    uint64_t drain_timeout_ns;
    int trust_forwarded;
    enum gw_log_level log_level;
    struct gw_service defaults;
    struct gw_service *services;
    size_t n_services;
    struct gw_route *routes;
    size_t n_routes;
};

/**
 * Read a configuration file.
 *
 * @param path   Of the file.
 * @param error  Receives "file:line: message", at least GW_ERROR_BYTES long.
 * @return       One reference, without balancers yet; NULL with *error set.
 */
struct gw_settings *gw_settings_load(const char *path, char *error);

struct gw_settings *gw_settings_hold(struct gw_settings *settings);

/** Give a reference back; the last one frees it and its balancers' holds. */
void gw_settings_release(struct gw_settings *settings);

/** The service of a name, or NULL. */
const struct gw_service *gw_settings_find(const struct gw_settings *settings,
                                          const char *name);

/** The service whose route is the longest prefix of a path, or NULL. */
const struct gw_route *gw_settings_route(const struct gw_settings *settings,
                                         const char *path, size_t path_bytes);

#endif
