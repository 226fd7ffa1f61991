/* SPDX-License-Identifier: MIT */
/* An event as a line of text. */
#include "base/line.h"
#include "observe/events.h"

static void event_text_named(ilb__line *l, const char *before, const char *name,
                             const char *after)
{
    ilb__line_put(l, before);
    ilb__line_put(l, name == NULL ? "?" : name);
    ilb__line_put(l, after);
}

/* ": statistic 18.3 >= 18.0 after 41 requests, 7 failed" */
static void event_text_evidence(ilb__line *l, const ilb_event *e)
{
    bool tenths = e->detector != ILB_DETECTOR_CONSECUTIVE_FAILURES &&
                  e->detector != ILB_DETECTOR_PROBE;

    if (e->detector == ILB_DETECTOR_RETRY_AFTER) {
        ilb__line_put(l, ": it asked for ");
        ilb__line_decimal(l, e->statistic, tenths);
        ilb__line_put(l, " s");
        return;
    }
    if (e->detector == ILB_DETECTOR_HANG) {
        ilb__line_put(l, ": requests have waited in vain for ");
        ilb__line_decimal(l, e->statistic, tenths);
        ilb__line_put(l, " s >= ");
        ilb__line_decimal(l, e->threshold, tenths);
        ilb__line_put(l, " s");
        return;
    }
    ilb__line_put(l, ": statistic ");
    ilb__line_decimal(l, e->statistic, tenths);
    ilb__line_put(l, " >= ");
    ilb__line_decimal(l, e->threshold, tenths);
    if (e->requests == 0)
        return;
    ilb__line_put(l, " after ");
    ilb__line_number(l, e->requests);
    ilb__line_put(l, e->requests == 1 ? " request, " : " requests, ");
    ilb__line_number(l, e->failures);
    ilb__line_put(l, " failed");
}

/* "; next probe in 12.1 s" */
static void event_text_until(ilb__line *l, const char *what, const ilb_event *e)
{
    uint64_t left_ns = ilb__elapsed_ns(e->time_ns, e->until_ns);

    ilb__line_put(l, what);
    if (left_ns == 0) {
        ilb__line_put(l, "now");
        return;
    }
    ilb__line_put(l, "in ");
    ilb__line_time(l, (double)left_ns);
}

static void event_text_reason(ilb__line *l, const ilb_event *e)
{
    if (e->reason != ILB_REASON_NONE)
        event_text_named(l, " (", ilb_reason_name(e->reason), ")");
}

static void event_text_what(ilb__line *l, const ilb_event *e)
{
    switch (e->type) {
    case ILB_EVENT_EJECT:
        event_text_named(l, " ejected by ", ilb_detector_name(e->detector), "");
        event_text_evidence(l, e);
        event_text_until(l, "; next probe ", e);
        break;
    case ILB_EVENT_EJECT_REFUSED:
        event_text_named(l, " not ejected (", ilb_reason_name(e->reason), "");
        event_text_named(l, ") by ", ilb_detector_name(e->detector), "");
        event_text_evidence(l, e);
        break;
    case ILB_EVENT_UNEJECT:
        ilb__line_put(l, e->reason != ILB_REASON_NONE
                             ? " returned before its time"
                         : e->detector == ILB_DETECTOR_PROBE
                             ? " returned by checks that passed"
                             : " returned by a good probe");
        event_text_reason(l, e);
        break;
    case ILB_EVENT_PROBE_STARTED:
        ilb__line_put(l, e->from == ILB_STATE_PROBING
                             ? " is tried again, the last probe was lost"
                             : " is tried by one request");
        event_text_until(l, "; counts as lost ", e);
        break;
    case ILB_EVENT_PROBE_FAILED:
        ilb__line_put(l, " failed its probe");
        event_text_until(l, "; next probe ", e);
        break;
    case ILB_EVENT_PROBE_CANCELLED:
        ilb__line_put(l, " was probed without result");
        event_text_until(l, "; next probe ", e);
        break;
    case ILB_EVENT_HEALTHY:
        ilb__line_put(l, " has warmed up: healthy");
        break;
    case ILB_EVENT_ENTERED:
        event_text_named(l, " entered: ", ilb_state_name(e->to), "");
        break;
    case ILB_EVENT_LEFT:
        event_text_named(l, " left, was ", ilb_state_name(e->from), "");
        break;
    case ILB_EVENT_READINESS:
        event_text_named(l, " readiness: ", ilb_state_name(e->from), " -> ");
        event_text_named(l, "", ilb_state_name(e->to), "");
        break;
    case ILB_EVENT_UPDATED:
        ilb__line_number(l, e->entered);
        ilb__line_put(l, " more entered, ");
        ilb__line_number(l, e->left);
        ilb__line_put(l, " left, ");
        ilb__line_number(l, e->readiness);
        ilb__line_put(l, " changed readiness");
        break;
    case ILB_EVENT_NONE:
    case ILB_EVENT_TYPE_COUNT:
        break;
    }
}

ILB_API int ilb_event_text(const ilb_event *event, char *buf, size_t bytes)
{
    ilb__line l;

    if (event == NULL || (buf == NULL && bytes > 0))
        return ILB_EINVAL;
    if (event->size < sizeof *event)
        return ILB_EABI;
    if (event->type <= ILB_EVENT_NONE || event->type >= ILB_EVENT_TYPE_COUNT ||
        event->address[ILB_ADDRESS_MAX] != '\0')
        return ILB_EINVAL;
    ilb__line_begin(&l, buf, bytes);
    ilb__line_put(&l, event->address);
    event_text_what(&l, event);
    return (int)l.n;
}
