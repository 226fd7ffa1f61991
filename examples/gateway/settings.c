/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "balancers.h"

struct gw_settings *gw_settings_hold(struct gw_settings *settings)
{
    atomic_fetch_add_explicit(&settings->references, 1, memory_order_relaxed);
    return settings;
}

void gw_settings_release(struct gw_settings *settings)
{
    if (settings == NULL ||
        atomic_fetch_sub_explicit(&settings->references, 1,
                                  memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < settings->n_services; i++) {
        gw_balancer_release(settings->services[i].balancer);
        free(settings->services[i].endpoints);
    }
    for (size_t i = 0; i < settings->n_routes; i++)
        free(settings->routes[i].prefix);
    free(settings->services);
    free(settings->routes);
    free(settings);
}

const struct gw_service *gw_settings_find(const struct gw_settings *settings,
                                          const char *name)
{
    for (size_t i = 0; i < settings->n_services; i++)
        if (strcmp(settings->services[i].name, name) == 0)
            return &settings->services[i];
    return NULL;
}

/* "/billing" is a prefix of "/billing", "/billing/pay" and "/billing?x" but
 * not of "/billings". */
static int route_matches(const struct gw_route *route, const char *path,
                         size_t path_bytes)
{
    char next;

    if (path_bytes < route->prefix_bytes ||
        memcmp(path, route->prefix, route->prefix_bytes) != 0)
        return 0;
    if (path_bytes == route->prefix_bytes)
        return 1;
    next = path[route->prefix_bytes];
    return next == '/' || next == '?';
}

const struct gw_route *gw_settings_route(const struct gw_settings *settings,
                                         const char *path, size_t path_bytes)
{
    const struct gw_route *best = NULL;

    for (size_t i = 0; i < settings->n_routes; i++) {
        const struct gw_route *route = &settings->routes[i];

        if (route_matches(route, path, path_bytes) &&
            (best == NULL || route->prefix_bytes > best->prefix_bytes))
            best = route;
    }
    return best;
}
