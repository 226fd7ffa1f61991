/* SPDX-License-Identifier: MIT
 *
 * The words of a configuration file that say how to balance, those that are
 * not mere numbers.
 */
#define _GNU_SOURCE 1
#include "settings_loader.h"

#include <string.h>

#include "values.h"

static struct gw_service *scope_of(struct gw_loader *l)
{
    return l->service ? l->service : &l->settings->defaults;
}

int gw_loader_read_policy(struct gw_loader *l)
{
    int policy = ilb_policy_from_name(l->words[1]);

    if (policy <= 0)
        return gw_loader_fail(l,
                              "policy: '%s' is not peak_ewma, least_request, "
                              "round_robin or random",
                              l->words[1]);
    scope_of(l)->balancing.policy = (ilb_policy)policy;
    return 0;
}

int gw_loader_read_consecutive_failures(struct gw_loader *l)
{
    uint32_t *out = &scope_of(l)->balancing.consecutive_failures;
    const char *word = l->words[1];

    if (strcmp(word, "off") == 0)
        *out = ILB_NEVER;
    else if (gw_value_count(word, 1, 65535, out) != 0)
        return gw_loader_fail(l,
                              "consecutive_failures: '%s' is neither off nor "
                              "a number from 1 to 65535",
                              word);
    return 0;
}

int gw_loader_read_fail_mode(struct gw_loader *l)
{
    ilb_fail_mode *out = &scope_of(l)->balancing.fail_mode;

    if (strcmp(l->words[1], "open") == 0)
        *out = ILB_FAIL_OPEN;
    else if (strcmp(l->words[1], "closed") == 0)
        *out = ILB_FAIL_CLOSED;
    else
        return gw_loader_fail(l, "fail_mode: '%s' is neither open nor closed",
                              l->words[1]);
    return 0;
}

/* The number of a detector; "none" is 0, and only good alone. -1: no name. */
static int detector_of(const char *name)
{
    for (int i = 0; i < ILB_DETECTOR_COUNT; i++)
        if (strcmp(name, ilb_detector_name((ilb_detector)i)) == 0)
            return i;
    return -1;
}

static int read_detectors(struct gw_loader *l, uint32_t *out)
{
    uint32_t bits = 0;

    for (size_t i = 1; i < l->n_words; i++) {
        int detector = detector_of(l->words[i]);

        if (detector < 0 || (detector == ILB_DETECTOR_NONE && l->n_words > 2))
            return gw_loader_fail(
                l,
                "%s: '%s' is not consecutive_failures, failure_percentage, "
                "success_rate, latency, hang, retry_after or probe, or alone "
                "none",
                l->words[0], l->words[i]);
        if (detector != ILB_DETECTOR_NONE)
            bits |= ILB_DETECTOR_BIT(detector);
    }
    *out = bits;
    return 0;
}

int gw_loader_read_detectors_off(struct gw_loader *l)
{
    return read_detectors(l, &scope_of(l)->balancing.detectors_off);
}

int gw_loader_read_detectors_shadow(struct gw_loader *l)
{
    return read_detectors(l, &scope_of(l)->balancing.detectors_shadow);
}

int gw_loader_check_balancing(struct gw_loader *l, const struct gw_service *s)
{
    for (int i = 1; i < ILB_DETECTOR_COUNT; i++)
        if (s->balancing.detectors_off & s->balancing.detectors_shadow &
            ILB_DETECTOR_BIT(i))
            return gw_loader_fail(
                l, "service %s: %s is in detectors_off and in detectors_shadow",
                s->name, ilb_detector_name((ilb_detector)i));
    return 0;
}
