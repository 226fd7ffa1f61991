/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "balancers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "timing.h"

/* Room for endpoints that have left and still have requests in flight. */
#define CAPACITY_LEAST 1024u
/* A service that fails closed refuses every request: one line in so long. */
#define REFUSAL_LOG_NS UINT64_C(1000000000)

void gw_balancer_release(struct gw_balancer *balancer)
{
    if (balancer == NULL ||
        atomic_fetch_sub_explicit(&balancer->references, 1,
                                  memory_order_acq_rel) != 1)
        return;
    ilb_balancer_free(balancer->lb);
    free(balancer);
}

static int fail_with(char *error, const struct gw_service *service, int rc)
{
    snprintf(error, GW_ERROR_BYTES, "service %s: %s", service->name,
             ilb_strerror(rc));
    return -1;
}

/* Tell a balancer what a service's endpoints are now. */
static int update_endpoints(struct gw_balancer *balancer,
                            const struct gw_service *service)
{
    ilb_endpoint *list = NULL;
    size_t n = service->n_endpoints;
    int rc;

    if (n > 0 && (list = calloc(n, sizeof *list)) == NULL)
        return ILB_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        list[i] = (ilb_endpoint)ILB_ENDPOINT(service->endpoints[i].address);
        list[i].weight = service->endpoints[i].weight;
    }
    rc = ilb_balancer_update(balancer->lb, list, n);
    free(list);
    return rc;
}

static ilb_options options_of(const struct gw_balancing *b)
{
    ilb_options options = ILB_OPTIONS_INIT;

    options.policy = b->policy;
    options.consecutive_failures = b->consecutive_failures;
    options.fail_mode = b->fail_mode;
    options.panic_threshold_percent = b->panic_threshold_percent;
    options.min_endpoints = b->min_endpoints;
    options.detectors_off = b->detectors_off;
    options.detectors_shadow = b->detectors_shadow;
    options.max_retry_after_ns = b->max_retry_after_ns;
    options.slow_start_ns = b->slow_start_ns;
    options.latency_margin_ns = b->latency_margin_ns;
    return options;
}

static int is_same(const struct gw_balancing *a, const struct gw_balancing *b)
{
    return a->policy == b->policy &&
           a->consecutive_failures == b->consecutive_failures &&
           a->fail_mode == b->fail_mode &&
           a->panic_threshold_percent == b->panic_threshold_percent &&
           a->min_endpoints == b->min_endpoints &&
           a->detectors_off == b->detectors_off &&
           a->detectors_shadow == b->detectors_shadow &&
           a->max_retry_after_ns == b->max_retry_after_ns &&
           a->slow_start_ns == b->slow_start_ns &&
           a->latency_margin_ns == b->latency_margin_ns;
}

static int balancer_new(struct gw_service *service)
{
    struct gw_balancer *balancer = calloc(1, sizeof *balancer);
    ilb_options options = options_of(&service->balancing);
    int rc = ILB_ENOMEM;

    if (balancer == NULL)
        return rc;
    atomic_init(&balancer->references, 1);
    atomic_init(&balancer->n_refused, 0);
    atomic_init(&balancer->refusal_due_ns, 0);
    options.event_capacity = GW_EVENTS_KEPT;
    options.on_event = gw_events_log;
    options.event_user = balancer;
    options.capacity = CAPACITY_LEAST;
    if (service->n_endpoints > CAPACITY_LEAST / 2)
        options.capacity = (uint32_t)service->n_endpoints * 2;
    rc = ilb_balancer_new(&balancer->lb, service->name, &options);
    if (rc == ILB_OK)
        rc = update_endpoints(balancer, service);
    if (rc != ILB_OK) {
        gw_balancer_release(balancer);
        return rc;
    }
    service->balancer = balancer;
    return ILB_OK;
}

/* The service of the same name and balancing that went before. */
static const struct gw_service *inherits_from(
    const struct gw_settings *previous, const struct gw_service *service)
{
    const struct gw_service *old =
        previous ? gw_settings_find(previous, service->name) : NULL;

    if (old == NULL)
        return NULL;
    if (!is_same(&old->balancing, &service->balancing)) {
        gw_log(GW_LOG_INFO,
               "service %s: how it is balanced has changed; what was learned "
               "is lost",
               service->name);
        return NULL;
    }
    return old;
}

static int take_over(struct gw_service *service, const struct gw_service *old)
{
    int rc = update_endpoints(old->balancer, service);

    if (rc == ILB_ECAPACITY) {
        gw_log(GW_LOG_WARNING,
               "service %s: %zu endpoints are more than fit; a new balancer "
               "begins, what was learned is lost",
               service->name, service->n_endpoints);
        return balancer_new(service);
    }
    if (rc != ILB_OK)
        return rc;
    atomic_fetch_add_explicit(&old->balancer->references, 1,
                              memory_order_relaxed);
    service->balancer = old->balancer;
    return ILB_OK;
}

/* Undo what take_over did to balancers that `previous` goes on using. */
static void put_back(const struct gw_settings *next,
                     const struct gw_settings *previous)
{
    for (size_t i = 0; i < next->n_services; i++) {
        const struct gw_service *service = &next->services[i];
        const struct gw_service *old =
            previous ? gw_settings_find(previous, service->name) : NULL;

        if (old == NULL || service->balancer != old->balancer)
            continue;
        if (update_endpoints(old->balancer, old) != ILB_OK)
            gw_log(GW_LOG_ERROR,
                   "service %s: its endpoints are the new ones "
                   "although the reload failed",
                   service->name);
    }
}

int gw_balancers_apply(struct gw_settings *next,
                       const struct gw_settings *previous, char *error)
{
    /* New ones first: most of what can fail fails before anything is
     * changed for the requests that run. */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < next->n_services; i++) {
            struct gw_service *service = &next->services[i];
            const struct gw_service *old = NULL;
            int rc = ILB_OK;

            if (service->balancer != NULL)
                continue;
            old = inherits_from(previous, service);
            if (pass == 0 && old == NULL)
                rc = balancer_new(service);
            else if (pass == 1)
                rc = take_over(service, old);
            if (rc != ILB_OK) {
                put_back(next, previous);
                return fail_with(error, service, rc);
            }
        }
    }
    return 0;
}

uint64_t gw_balancer_refuses(struct gw_balancer *balancer)
{
    uint64_t now_ns = gw_now_ns(), due_ns = ilb_probe_due_ns(balancer->lb);
    uint64_t log_ns = atomic_load(&balancer->refusal_due_ns);
    uint64_t wait_ns =
        due_ns != UINT64_MAX && due_ns > now_ns ? due_ns - now_ns : 0;
    uint64_t n = atomic_fetch_add(&balancer->n_refused, 1) + 1;

    if (now_ns >= log_ns &&
        atomic_compare_exchange_strong(&balancer->refusal_due_ns, &log_ns,
                                       now_ns + REFUSAL_LOG_NS))
        gw_log(GW_LOG_WARNING,
               "event=refused service=%s error=%s refused=%" PRIu64
               " probe_in_s=%.3f",
               ilb_balancer_name(balancer->lb), ilb_error_name(ILB_EEJECTED), n,
               (double)wait_ns / 1e9);
    return wait_ns;
}

ilb_endpoint_stats *gw_balancer_stats(struct gw_balancer *balancer, size_t *n,
                                      int *rc)
{
    ilb_endpoint_stats *stats = NULL;
    size_t room = 64;

    for (;;) {
        ilb_endpoint_stats *bigger = realloc(stats, room * sizeof *stats);

        if (bigger == NULL) {
            free(stats);
            *rc = ILB_ENOMEM;
            return NULL;
        }
        stats = bigger;
        *rc =
            ilb_balancer_snapshot(balancer->lb, stats, room, sizeof *stats, n);
        if (*rc != ILB_OK) {
            free(stats);
            return NULL;
        }
        if (*n <= room)
            return stats;
        room = *n; /* a list may have grown meanwhile: look again */
    }
}
