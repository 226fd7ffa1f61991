/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "timing.h"

/* Addresses were checked to need no quotes or escapes. */

/* ---- Log ---- */

static enum gw_log_level level_of(const ilb_event *e)
{
    switch (e->type) {
    case ILB_EVENT_EJECT:
    case ILB_EVENT_EJECT_REFUSED:
    case ILB_EVENT_PROBE_FAILED:
        return GW_LOG_WARNING;
    case ILB_EVENT_PROBE_STARTED:
    case ILB_EVENT_PROBE_CANCELLED:
        return GW_LOG_DEBUG;
    default:
        return GW_LOG_INFO;
    }
}

/* " detector=success_rate statistic=18.3 ...", or nothing. */
static void print_evidence(char *text, size_t bytes, const ilb_event *e)
{
    text[0] = '\0';
    if (e->detector != ILB_DETECTOR_NONE)
        snprintf(text, bytes,
                 " detector=%s statistic=%.1f threshold=%.1f requests=%" PRIu64
                 " failures=%" PRIu64 " ejections=%" PRIu64 " enforced=%d",
                 ilb_detector_name(e->detector), e->statistic, e->threshold,
                 e->requests, e->failures, e->ejections, e->enforced);
}

static void print_rest(char *text, size_t bytes, const ilb_event *e)
{
    if (e->type == ILB_EVENT_UPDATED)
        snprintf(text, bytes,
                 " entered=%" PRIu32 " left=%" PRIu32 " readiness=%" PRIu32,
                 e->entered, e->left, e->readiness);
    else if (e->until_ns > e->time_ns)
        snprintf(text, bytes, " until_s=%.3f",
                 (double)(e->until_ns - e->time_ns) / 1e9);
    else
        text[0] = '\0';
}

void gw_events_log(const ilb_event *e, void *user)
{
    const struct gw_balancer *balancer = user;
    enum gw_log_level level = level_of(e);
    char evidence[240], rest[80];

    if (!gw_log_enabled(level))
        return;
    print_evidence(evidence, sizeof evidence, e);
    print_rest(rest, sizeof rest, e);
    gw_log(level,
           "event=%s service=%s endpoint=%s from=%s to=%s reason=%s%s%s "
           "number=%" PRIu64,
           ilb_event_type_name(e->type), ilb_balancer_name(balancer->lb),
           e->address, ilb_state_name(e->from), ilb_state_name(e->to),
           ilb_reason_name(e->reason), evidence, rest, e->number);
}

/* ---- JSON ---- */

static void add_event(struct evbuffer *out, const ilb_event *e, uint64_t now_ns)
{
    char text[ILB_EVENT_TEXT_MAX];

    (void)ilb_event_text(e, text, sizeof text);
    evbuffer_add_printf(
        out,
        "{\"number\":%" PRIu64
        ",\"age_s\":%.3f,\"type\":\"%s\",\"address\":\"%s\",\"from\":\"%s\","
        "\"to\":\"%s\",\"detector\":\"%s\",\"reason\":\"%s\",\"enforced\":%s,"
        "\"statistic\":%.3f,\"threshold\":%.3f,\"requests\":%" PRIu64
        ",\"failures\":%" PRIu64 ",\"ejections\":%" PRIu64 ",\"text\":\"%s\"}",
        e->number,
        now_ns > e->time_ns ? (double)(now_ns - e->time_ns) / 1e9 : 0.0,
        ilb_event_type_name(e->type), e->address, ilb_state_name(e->from),
        ilb_state_name(e->to), ilb_detector_name(e->detector),
        ilb_reason_name(e->reason), e->enforced ? "true" : "false",
        e->statistic, e->threshold, e->requests, e->failures, e->ejections,
        text);
}

int gw_events_add(struct evbuffer *out, const struct gw_balancer *balancer,
                  size_t max)
{
    ilb_event *list = calloc(GW_EVENTS_KEPT, sizeof *list);
    size_t n = 0;
    size_t i;

    if (list == NULL)
        return -1;
    if (ilb_balancer_events(balancer->lb, 0, list, GW_EVENTS_KEPT, sizeof *list,
                            &n) != ILB_OK)
        n = 0;
    evbuffer_add(out, "[", 1);
    for (i = n > max ? n - max : 0; i < n; i++) {
        add_event(out, &list[i], gw_now_ns());
        if (i + 1 < n)
            evbuffer_add(out, ",", 1);
    }
    free(list);
    return evbuffer_add(out, "]", 1);
}
