/* SPDX-License-Identifier: MIT */
/* See health.h. */
#include "health/health.h"

#include <string.h>

#include "health/cap.h"
#include "health/probe.h"
#include "health/tell.h"
#include "health/word.h"

/* Good answers in WARMING until HEALTHY, and the in-flight cap by their
 * number (the last value holds to the end). */
#define HEALTH_GOOD_TO_HEALTHY 12 /* 15 fit */
/* So long, at most, an endpoint may be slow as it warms up; with the first list
 * it has most likely been there before its caller. */
#define HEALTH_WARM_UP_NS (60 * ILB_SECOND_NS)
#define HEALTH_FIRST_NS (10 * ILB_SECOND_NS)
/* Healthy time, per level, after which the level falls. */
#define HEALTH_LEVEL_DECAY_NS (30 * ILB_SECOND_NS)

ILB_INTERNAL uint64_t ilb__health_until_ns(uint64_t word)
{
    return ilb__word_unpack(word).until_ns;
}

ILB_INTERNAL uint32_t ilb__health_in_flight_cap(uint64_t word)
{
    ilb__word h = ilb__word_unpack(word);

    if (h.state != ILB__WARMING)
        return UINT32_MAX;
    return h.good < 4 ? h.good + 1 : 8;
}

ILB_INTERNAL void ilb__judge_init(ilb__judge *j, const ilb_options *o)
{
    j->consecutive_failures = o->consecutive_failures;
    j->max_ejection_percent = o->max_ejection_percent;
    j->base_ejection_time_ns = o->base_ejection_time_ns;
    j->max_ejection_time_ns = o->max_ejection_time_ns;
    j->max_retry_after_ns = o->max_retry_after_ns;
    j->checks.unhealthy_threshold = o->unhealthy_threshold;
    j->checks.healthy_threshold = o->healthy_threshold;
    j->checks.least_ns = o->base_ejection_time_ns;
    j->checks.most_ns = o->max_ejection_time_ns;
    j->check_unejects = o->check_effect == ILB_CHECK_UNEJECTS;
    j->slow_start_ns = o->slow_start_ns;
    j->latency_margin_ns = o->latency_margin_ns;
    j->by_cost = o->policy == ILB_POLICY_PEAK_EWMA;
    j->min_endpoints = o->min_endpoints;
    j->panic_threshold_percent = o->panic_threshold_percent;
    j->fail_closed = o->fail_mode == ILB_FAIL_CLOSED;
    j->detectors_off = o->detectors_off;
    j->detectors_shadow = o->detectors_shadow;
    if (o->consecutive_failures == ILB_NEVER)
        j->detectors_off = UINT32_MAX;
    ilb__store_relaxed(&j->next_due_ns, UINT64_MAX);
}

/* ---- Transitions ------------------------------------------------------- */

/* Time 0 is taken for the next one: it would mean that there is no ramp. */
static void health_ramp(const ilb__judge *j, ilb__slot *slot, uint64_t now_ns)
{
    if (j->slow_start_ns != 0)
        ilb__store_relaxed(&slot->ramp_ns, now_ns == 0 ? 1 : now_ns);
}

/* What was slow, silent or failed before it was away says nothing of it now,
 * nor what was sent then and ends later. */
static void health_anew(ilb__slot *slot, uint64_t warm_up_ns, uint64_t now_ns)
{
    ilb__store_relaxed(&slot->anew_ns, now_ns);
    ilb__overtaken_all(&slot->overtaken, &slot->load, now_ns);
    ilb__store_relaxed(&slot->evidence, 0);
    ilb__store_relaxed(&slot->slowness, 0);
    ilb__store_relaxed(&slot->silence, 0);
    ilb__store_relaxed(&slot->heard_ns, now_ns);
    ilb__store_relaxed(&slot->warm_ns, ilb__later_ns(now_ns, warm_up_ns));
}

/* Nor is what waits there still its load, if it hung or was away. The probe
 * that has just been answered is one of these until it ends. */
static void health_lose(ilb__slot *slot, uint64_t now_ns)
{
    uint32_t n = ilb__load_unanswered(ilb__load_relaxed(&slot->load.word));

    if (n == 0)
        return;
    ilb__store_relaxed(&slot->lost.since_ns, now_ns);
    ilb__lost_set(&slot->lost, &slot->extra_cost, n);
}

ILB_INTERNAL void ilb__health_enter(ilb__judge *j, ilb__slot *slot,
                                    uint32_t n_ready, uint64_t now_ns)
{
    const ilb__word warming = {ILB__WARMING, 0, 0, ILB_DETECTOR_NONE, 0};

    ilb__store_relaxed(&slot->ramp_ns, 0);
    if (n_ready > 0)
        health_ramp(j, slot, now_ns);
    /* Alone: nobody draws it yet, and late answers leave OUT as it is. What
     * it failed before it was away says nothing of it now. */
    ilb__store_relaxed(&slot->failures.word, 0);
    health_anew(slot, n_ready > 0 ? HEALTH_WARM_UP_NS : HEALTH_FIRST_NS,
                now_ns);
    health_lose(slot, now_ns);
    memset(&slot->checks, 0, sizeof slot->checks);
    ilb__store_relaxed(&slot->health, ilb__word_pack(warming));
}

ILB_INTERNAL void ilb__health_leave(ilb__judge *j, ilb__slot *slot)
{
    uint64_t word = ilb__load_relaxed(&slot->health);

    while (!ilb__cas_relaxed(&slot->health, &word, ILB__OUT))
        continue;
    if (ilb__word_counts(ilb__health_state_of(word)))
        ilb__cap_release(j);
}

static bool health_after_good(ilb__word *h, bool probe, uint64_t now_ns)
{
    switch (h->state) {
    case ILB__HEALTHY:
        if (h->level == 0 || now_ns < h->until_ns)
            return false;
        h->level--;
        break;
    case ILB__WARMING:
        if (++h->good < HEALTH_GOOD_TO_HEALTHY)
            return true;
        h->state = ILB__HEALTHY;
        h->good = 0;
        break;
    case ILB__PROBING:
        if (!probe)
            return false;
        ilb__word_warm(h);
        return true;
    case ILB__EJECTED: /* an answer from before: the probe decides */
        /* Silence was all that was said against it. Once only: who answers late
         * whenever it is tried is bound to the ladder as all others. */
        if (h->by != ILB_DETECTOR_HANG || h->level > 1 || h->until_ns <= now_ns)
            return false;
        h->until_ns = now_ns;
        return true;
    case ILB__OUT:
        return false;
    }
    h->until_ns = h->level == 0
                      ? 0
                      : ilb__later_ns(now_ns, h->level * HEALTH_LEVEL_DECAY_NS);
    return true;
}

ILB_INTERNAL void ilb__health_returned(ilb__judge *j, ilb__slot *slot,
                                       uint64_t word, uint64_t now_ns)
{
    /* Who has been down may have to warm up; who was slow has had its time. */
    health_anew(
        slot,
        ilb__health_by(word) == ILB_DETECTOR_LATENCY ? 0 : HEALTH_WARM_UP_NS,
        now_ns);
    if (ilb__health_by(word) == ILB_DETECTOR_HANG)
        health_lose(slot, now_ns);
    health_ramp(j, slot, now_ns);
    ilb__latency_forget(&slot->latency);
    ilb__store32_relaxed(&slot->peaks, 0);
    ilb__cap_release(j);
}

ILB_INTERNAL void ilb__health_good(ilb__judge *j, ilb__slot *slot, bool probe,
                                   uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h;

    do {
        h = ilb__word_unpack(word);
        if (ILB_LIKELY(!health_after_good(&h, probe, now_ns)))
            return;
    } while (!ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h)));
    if (h.state == ILB__EJECTED) {
        ilb__judge_due_at(j, now_ns);
    } else if (ilb__word_counts(ilb__health_state_of(word))) {
        ilb__tell(j, slot, ILB_EVENT_UNEJECT, ILB_REASON_NONE, word,
                  ilb__word_pack(h), NULL, now_ns);
        ilb__health_returned(j, slot, word, now_ns);
    } else if (ilb__health_state_of(word) != h.state) {
        ilb__tell(j, slot, ILB_EVENT_HEALTHY, ILB_REASON_NONE, word,
                  ilb__word_pack(h), NULL, now_ns);
    }
}

ILB_INTERNAL void ilb__health_enforce_cap(ilb__judge *j, ilb__slot *slot,
                                          uint32_t n_ready, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h = ilb__word_unpack(word);

    if (ilb__load32_relaxed(&j->n_ejected) <= ilb__cap_of(j, n_ready) ||
        !ilb__word_counts(h.state))
        return;
    ilb__word_warm(&h);
    if (!ilb__cas_strong_relaxed(&slot->health, word, ilb__word_pack(h)))
        return;
    ilb__tell(j, slot, ILB_EVENT_UNEJECT, ilb__cap_refusal(j, n_ready), word,
              ilb__word_pack(h), NULL, now_ns);
    ilb__health_returned(j, slot, word, now_ns);
}
