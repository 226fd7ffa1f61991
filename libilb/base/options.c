/* SPDX-License-Identifier: MIT */
/* See options.h. */
#include "base/options.h"

#include <string.h>

#define OPTIONS_CAPACITY 1024
#define OPTIONS_CONSECUTIVE_FAILURES 5
#define OPTIONS_MAX_EJECTION_PERCENT 100
#define OPTIONS_BASE_EJECTION_TIME_NS (5 * ILB_SECOND_NS)
#define OPTIONS_MAX_EJECTION_TIME_NS (120 * ILB_SECOND_NS)
#define OPTIONS_MIN_ENDPOINTS 1
#define OPTIONS_UNHEALTHY_THRESHOLD 3
#define OPTIONS_HEALTHY_THRESHOLD 2
#define OPTIONS_LATENCY_MARGIN_NS (20 * ILB_MS_NS)
#define OPTIONS_MAX_RETRY_AFTER_NS (300 * ILB_SECOND_NS)
#define OPTIONS_EVENT_CAPACITY 256
/* What signal/failures.h can count in a row. */
#define OPTIONS_FAILURES_MAX 65535
/* No version of a struct will be larger: more is a size that was not set. */
#define OPTIONS_STRUCT_BYTES_MAX 4096

ILB_INTERNAL int ilb__struct_read(void *to, size_t ours, const void *from,
                                  size_t first)
{
    size_t theirs;

    memcpy(&theirs, from, sizeof theirs);
    if (theirs < first || theirs > OPTIONS_STRUCT_BYTES_MAX)
        return ILB_EABI;
    for (size_t i = ours; i < theirs; i++)
        if (((const unsigned char *)from)[i] != 0)
            return ILB_EABI;
    memset(to, 0, ours);
    memcpy(to, from, theirs < ours ? theirs : ours);
    memcpy(to, &ours, sizeof ours);
    return ILB_OK;
}

static void options_default32(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void options_default64(uint64_t *value, uint64_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static bool options_detectors_ok(const ilb_options *o)
{
    const uint32_t all = ILB_DETECTOR_BIT(ILB_DETECTOR_COUNT) -
                         ILB_DETECTOR_BIT(ILB_DETECTOR_NONE + 1);

    return ((o->detectors_off | o->detectors_shadow) & ~all) == 0 &&
           (o->detectors_off & o->detectors_shadow) == 0;
}

static int options_check(const ilb_options *o)
{
    if (ilb_policy_name(o->policy) == NULL || o->capacity > ILB_CAPACITY_MAX ||
        o->max_ejection_percent > 100 ||
        o->base_ejection_time_ns > o->max_ejection_time_ns)
        return ILB_EINVAL;
    if (o->consecutive_failures > OPTIONS_FAILURES_MAX &&
        o->consecutive_failures != ILB_NEVER)
        return ILB_EINVAL;
    if ((o->check_effect != ILB_CHECK_PROBES &&
         o->check_effect != ILB_CHECK_UNEJECTS) ||
        (o->fail_mode != ILB_FAIL_OPEN && o->fail_mode != ILB_FAIL_CLOSED) ||
        o->panic_threshold_percent > 100 ||
        o->min_endpoints > ILB_CAPACITY_MAX || !options_detectors_ok(o))
        return ILB_EINVAL;
    if (o->event_capacity > ILB_EVENT_CAPACITY_MAX ||
        (o->event_capacity == 0 && o->on_event != NULL))
        return ILB_EINVAL;
    if (o->shared_processes > ILB_PROCESSES_MAX || o->reserved != 0 ||
        (o->shared_processes > 0 && o->allocator != NULL) ||
        (o->lease_ns > 0 && o->lease_ns < ILB_LEASE_MIN_NS))
        return ILB_EINVAL;
    if (o->allocator != NULL &&
        (o->allocator->allocate == NULL || o->allocator->release == NULL))
        return ILB_EINVAL;
    return ILB_OK;
}

ILB_INTERNAL int ilb__options_read(ilb_options *to, const ilb_options *from)
{
    const ilb_options none = ILB_OPTIONS_INIT;
    /* The first version ended with max_ejection_time_ns. */
    size_t first = offsetof(ilb_options, max_ejection_time_ns) +
                   sizeof none.max_ejection_time_ns;
    int rc =
        ilb__struct_read(to, sizeof *to, from == NULL ? &none : from, first);

    if (rc != ILB_OK)
        return rc;
    if (to->policy == ILB_POLICY_DEFAULT)
        to->policy = ILB_POLICY_PEAK_EWMA;
    options_default32(&to->capacity, OPTIONS_CAPACITY);
    options_default32(&to->consecutive_failures, OPTIONS_CONSECUTIVE_FAILURES);
    options_default32(&to->max_ejection_percent, OPTIONS_MAX_EJECTION_PERCENT);
    /* If one of the two is given, the other's default gives way. */
    if (to->max_ejection_time_ns != 0 &&
        to->max_ejection_time_ns < OPTIONS_BASE_EJECTION_TIME_NS)
        options_default64(&to->base_ejection_time_ns, to->max_ejection_time_ns);
    options_default64(&to->base_ejection_time_ns,
                      OPTIONS_BASE_EJECTION_TIME_NS);
    if (to->base_ejection_time_ns > OPTIONS_MAX_EJECTION_TIME_NS)
        options_default64(&to->max_ejection_time_ns, to->base_ejection_time_ns);
    options_default64(&to->max_ejection_time_ns, OPTIONS_MAX_EJECTION_TIME_NS);
    if (to->fail_mode == ILB_FAIL_OPEN)
        options_default32(&to->min_endpoints, OPTIONS_MIN_ENDPOINTS);
    options_default64(&to->max_retry_after_ns, OPTIONS_MAX_RETRY_AFTER_NS);
    options_default64(&to->latency_margin_ns, OPTIONS_LATENCY_MARGIN_NS);
    options_default32(&to->unhealthy_threshold, OPTIONS_UNHEALTHY_THRESHOLD);
    options_default32(&to->healthy_threshold, OPTIONS_HEALTHY_THRESHOLD);
    options_default32(&to->event_capacity, OPTIONS_EVENT_CAPACITY);
    if (to->event_capacity == ILB_NEVER)
        to->event_capacity = 0;
    return options_check(to);
}

ILB_INTERNAL bool ilb__text_ok(const char *text, size_t max)
{
    size_t n = 0;

    if (text == NULL)
        return false;
    for (; text[n] != '\0'; n++) {
        unsigned char c = (unsigned char)text[n];

        /* Bytes from 0x80 on may be UTF-8: they are left alone. */
        if (n == max || c < 0x20 || c == 0x7f)
            return false;
    }
    return n > 0;
}
