/* SPDX-License-Identifier: MIT
 *
 * The words of a configuration file: one table of directives.
 */
#define _GNU_SOURCE 1
#include "settings_loader.h"

#include <stdlib.h>
#include <string.h>

#include "values.h"

enum kind {
    KIND_DURATION,
    KIND_SIZE,
    KIND_COUNT,
    KIND_SWITCH,
    KIND_SPECIAL
};

enum scope {
    SCOPE_TOP = 1,
    SCOPE_SERVICE = 2,
    SCOPE_BOTH = 3
};

struct directive {
    const char *name;
    enum scope scope;
    enum kind kind;
    size_t offset;        /* in gw_settings, or in gw_service for SCOPE_BOTH */
    uint64_t least, most; /* least: may the value be 0? */
    int (*special)(struct gw_loader *l);
};

static int read_address(struct gw_loader *l, struct sockaddr_storage *out,
                        socklen_t *bytes)
{
    if (gw_value_address(l->words[1], out, bytes) != 0)
        return gw_loader_fail(l, "%s: '%s' is not ip:port", l->words[0],
                              l->words[1]);
    return 0;
}

static int read_listen(struct gw_loader *l)
{
    return read_address(l, &l->settings->listen, &l->settings->listen_bytes);
}

static int read_admin(struct gw_loader *l)
{
    if (read_address(l, &l->settings->admin, &l->settings->admin_bytes) != 0)
        return -1;
    if (!gw_address_is_loopback(&l->settings->admin))
        return gw_loader_fail(
            l,
            "admin: '%s' is not a loopback address; the admin port "
            "has no access control",
            l->words[1]);
    return 0;
}

static int read_log_level(struct gw_loader *l)
{
    int level = gw_log_level_from_name(l->words[1]);

    if (level < 0)
        return gw_loader_fail(
            l, "log_level: '%s' is not error, warning, info or debug",
            l->words[1]);
    l->settings->log_level = (enum gw_log_level)level;
    return 0;
}

static int service_name_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return n > 0 && name[n] == '\0' && n <= ILB_NAME_MAX;
}

static int read_service(struct gw_loader *l)
{
    struct gw_settings *s = l->settings;
    struct gw_service *bigger;
    const char *name = l->words[1];

    if (!service_name_ok(name))
        return gw_loader_fail(
            l,
            "service: '%s' is not 1 to %d letters, digits, '.', '_' "
            "or '-'",
            name, ILB_NAME_MAX);
    if (gw_settings_find(s, name) != NULL)
        return gw_loader_fail(l, "service: '%s' is there already", name);
    bigger = gw_loader_grow(l, s->services, s->n_services, sizeof *s->services);
    if (bigger == NULL)
        return -1;
    s->services = bigger;
    l->service = &s->services[s->n_services++];
    l->seen = 0;
    *l->service = s->defaults;
    memcpy(l->service->name, name, strlen(name) + 1);
    return 0;
}

static int read_route(struct gw_loader *l)
{
    struct gw_settings *s = l->settings;
    const char *prefix = l->words[1];
    size_t bytes = strlen(prefix);
    struct gw_route *bigger;

    if (prefix[0] != '/' || strpbrk(prefix, "?%") != NULL)
        return gw_loader_fail(
            l,
            "route: '%s' must begin with '/' and be free of '?' and "
            "'%%'",
            prefix);
    while (bytes > 0 && prefix[bytes - 1] == '/')
        bytes--;
    for (size_t i = 0; i < s->n_routes; i++)
        if (s->routes[i].prefix_bytes == bytes &&
            memcmp(s->routes[i].prefix, prefix, bytes) == 0)
            return gw_loader_fail(
                l, "route: '%s' is there already, for service %s", prefix,
                s->services[s->routes[i].service].name);
    bigger = gw_loader_grow(l, s->routes, s->n_routes, sizeof *s->routes);
    if (bigger == NULL)
        return -1;
    s->routes = bigger;
    s->routes[s->n_routes].prefix = strndup(prefix, bytes);
    if (s->routes[s->n_routes].prefix == NULL)
        return gw_loader_fail(l, "out of memory");
    s->routes[s->n_routes].prefix_bytes = bytes;
    s->routes[s->n_routes].service = s->n_services - 1;
    s->n_routes++;
    return 0;
}

static int read_endpoint(struct gw_loader *l)
{
    struct gw_service *s = l->service;
    struct sockaddr_storage address;
    socklen_t address_bytes;
    struct gw_endpoint *bigger;
    struct gw_endpoint e = {.weight = 1};

    if (gw_value_address(l->words[1], &address, &address_bytes) != 0 ||
        gw_address_port(&address) == 0)
        return gw_loader_fail(l, "endpoint: '%s' is not ip:port", l->words[1]);
    if (l->n_words == 4 &&
        (strcmp(l->words[2], "weight") != 0 ||
         gw_value_count(l->words[3], 1, ILB_WEIGHT_MAX, &e.weight) != 0))
        return gw_loader_fail(
            l,
            "endpoint: after the address may come 'weight' and a "
            "number from 1 to %u",
            ILB_WEIGHT_MAX);
    /* One way to write it: the address is the key of what is learned. */
    gw_address_text(&address, e.address, sizeof e.address);
    for (size_t i = 0; i < s->n_endpoints; i++)
        if (strcmp(s->endpoints[i].address, e.address) == 0)
            return gw_loader_fail(l, "endpoint: %s is there already",
                                  e.address);
    bigger =
        gw_loader_grow(l, s->endpoints, s->n_endpoints, sizeof *s->endpoints);
    if (bigger == NULL)
        return -1;
    s->endpoints = bigger;
    s->endpoints[s->n_endpoints++] = e;
    return 0;
}

#define TOP(field) offsetof(struct gw_settings, field)
#define EACH(field) offsetof(struct gw_service, field)

static const struct directive directives[] = {
    {"listen", SCOPE_TOP, KIND_SPECIAL, 0, 0, 0, read_listen},
    {"admin", SCOPE_TOP, KIND_SPECIAL, 0, 0, 0, read_admin},
    {"threads", SCOPE_TOP, KIND_COUNT, TOP(threads), 1, GW_THREADS_MAX, NULL},
    {"max_connections", SCOPE_TOP, KIND_COUNT, TOP(max_connections), 1, 1000000,
     NULL},
    {"max_headers", SCOPE_TOP, KIND_COUNT, TOP(max_headers), 1, 10000, NULL},
    {"max_header_bytes", SCOPE_TOP, KIND_SIZE, TOP(max_header_bytes), 256,
     128u << 10, NULL},
    {"max_body", SCOPE_TOP, KIND_SIZE, TOP(max_body_bytes), 0, 1u << 30, NULL},
    {"client_header_timeout", SCOPE_TOP, KIND_DURATION,
     TOP(client_header_timeout_ns), 1, 0, NULL},
    {"client_timeout", SCOPE_TOP, KIND_DURATION, TOP(client_timeout_ns), 1, 0,
     NULL},
    {"client_idle", SCOPE_TOP, KIND_DURATION, TOP(client_idle_ns), 1, 0, NULL},
    {"upstream_idle", SCOPE_TOP, KIND_DURATION, TOP(upstream_idle_ns), 0, 0,
     NULL},
    {"upstream_idle_max", SCOPE_TOP, KIND_COUNT, TOP(upstream_idle_max), 0,
     100000, NULL},
    {"drain_timeout", SCOPE_TOP, KIND_DURATION, TOP(drain_timeout_ns), 0, 0,
     NULL},
    {"trust_forwarded", SCOPE_TOP, KIND_SWITCH, TOP(trust_forwarded), 0, 0,
     NULL},
    {"log_level", SCOPE_TOP, KIND_SPECIAL, 0, 0, 0, read_log_level},
    {"timeout", SCOPE_BOTH, KIND_DURATION, EACH(timeout_ns), 1, 0, NULL},
    {"connect_timeout", SCOPE_BOTH, KIND_DURATION, EACH(connect_timeout_ns), 1,
     0, NULL},
    {"deadline", SCOPE_BOTH, KIND_DURATION, EACH(deadline_ns), 1, 0, NULL},
    {"retries", SCOPE_BOTH, KIND_COUNT, EACH(retries), 0, GW_RETRIES_MAX, NULL},
    {"overload_429", SCOPE_BOTH, KIND_SWITCH, EACH(overload_429), 0, 0, NULL},
    {"policy", SCOPE_BOTH, KIND_SPECIAL, 0, 0, 0, gw_loader_read_policy},
    {"consecutive_failures", SCOPE_BOTH, KIND_SPECIAL, 0, 0, 0,
     gw_loader_read_consecutive_failures},
    {"fail_mode", SCOPE_BOTH, KIND_SPECIAL, 0, 0, 0, gw_loader_read_fail_mode},
    {"panic_threshold_percent", SCOPE_BOTH, KIND_COUNT,
     EACH(balancing.panic_threshold_percent), 0, 100, NULL},
    {"min_endpoints", SCOPE_BOTH, KIND_COUNT, EACH(balancing.min_endpoints), 1,
     ILB_CAPACITY_MAX, NULL},
    {"detectors_off", SCOPE_BOTH, KIND_SPECIAL, 0, 0, 0,
     gw_loader_read_detectors_off},
    {"detectors_shadow", SCOPE_BOTH, KIND_SPECIAL, 0, 0, 0,
     gw_loader_read_detectors_shadow},
    {"max_retry_after", SCOPE_BOTH, KIND_DURATION,
     EACH(balancing.max_retry_after_ns), 1, 0, NULL},
    {"latency_margin", SCOPE_BOTH, KIND_DURATION,
     EACH(balancing.latency_margin_ns), 1, 0, NULL},
    {"slow_start", SCOPE_BOTH, KIND_DURATION, EACH(balancing.slow_start_ns), 0,
     0, NULL},
    {"service", SCOPE_BOTH, KIND_SPECIAL, 0, 0, 0, read_service},
    {"route", SCOPE_SERVICE, KIND_SPECIAL, 0, 0, 0, read_route},
    {"endpoint", SCOPE_SERVICE, KIND_SPECIAL, 0, 0, 0, read_endpoint},
};

/* ---- From a line to the settings ---- */

static int read_number(struct gw_loader *l, const struct directive *d, void *at)
{
    const char *word = l->words[1];
    uint64_t wide = 0;

    switch (d->kind) {
    case KIND_DURATION:
        if (gw_value_duration(word, &wide) != 0 || wide < d->least)
            return gw_loader_fail(
                l, "%s: '%s' is not a duration like 250ms, 2s or 1m", d->name,
                word);
        memcpy(at, &wide, sizeof wide);
        return 0;
    case KIND_SIZE:
        if (gw_value_size(word, &wide) != 0 || wide < d->least ||
            wide > d->most)
            return gw_loader_fail(
                l,
                "%s: '%s' is not a size from %llu to %llu bytes, "
                "like 512, 32k or 8m",
                d->name, word, (unsigned long long)d->least,
                (unsigned long long)d->most);
        memcpy(at, &wide, sizeof wide);
        return 0;
    case KIND_COUNT:
        if (gw_value_count(word, (uint32_t)d->least, (uint32_t)d->most, at))
            return gw_loader_fail(
                l, "%s: '%s' is not a number from %llu to %llu", d->name, word,
                (unsigned long long)d->least, (unsigned long long)d->most);
        return 0;
    default:
        if (gw_value_switch(word, at) != 0)
            return gw_loader_fail(l, "%s: '%s' is neither on nor off", d->name,
                                  word);
        return 0;
    }
}

static int is_repeatable(const struct directive *d)
{
    return d->special == read_service || d->special == read_route ||
           d->special == read_endpoint;
}

static int is_list(const struct directive *d)
{
    return d->special == gw_loader_read_detectors_off ||
           d->special == gw_loader_read_detectors_shadow;
}

static int has_good_length(const struct gw_loader *l, const struct directive *d)
{
    if (is_list(d))
        return l->n_words >= 2;
    return l->n_words == 2 || (d->special == read_endpoint && l->n_words == 4);
}

static int read_directive(struct gw_loader *l, const struct directive *d,
                          uint64_t bit)
{
    char *base = (char *)l->settings;

    if (l->service == NULL && !(d->scope & SCOPE_TOP))
        return gw_loader_fail(l, "%s: belongs to a service; none has begun",
                              d->name);
    if (l->service != NULL && !(d->scope & SCOPE_SERVICE))
        return gw_loader_fail(l, "%s: belongs above the first service",
                              d->name);
    if (!has_good_length(l, d))
        return gw_loader_fail(l, "%s: takes one value%s, not %zu", d->name,
                              is_list(d) ? " or more" : "", l->n_words - 1);
    if ((l->seen & bit) && !is_repeatable(d))
        return gw_loader_fail(l, "%s: is there already", d->name);
    l->seen |= bit;
    if (d->special != NULL)
        return d->special(l);
    if (d->scope == SCOPE_BOTH)
        base = l->service ? (char *)l->service : (char *)&l->settings->defaults;
    return read_number(l, d, base + d->offset);
}

int gw_loader_read_words(struct gw_loader *l)
{
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++)
        if (strcmp(l->words[0], directives[i].name) == 0)
            return read_directive(l, &directives[i], (uint64_t)1 << i);
    return gw_loader_fail(l, "unknown word '%s'", l->words[0]);
}
