/* SPDX-License-Identifier: MIT */
/* See stats.h. */
#include "observe/stats.h"

#include <string.h>

#include "select/score.h"

ILB_INTERNAL ilb_state ilb__stats_state(bool listed, uint8_t readiness,
                                        uint64_t health)
{
    if (!listed)
        return ILB_STATE_DRAINING;
    if (readiness != ILB_READY)
        return readiness == ILB_DRAINING ? ILB_STATE_DRAINING
                                         : ILB_STATE_NOT_READY;
    return ilb__health_public_state(health);
}

/* A float near 2^64 may not fit. */
static uint64_t stats_ns(float ns)
{
    return ns < 18446744073709551616.0f ? (uint64_t)ns : UINT64_MAX;
}

ILB_INTERNAL void ilb__stats_of(const ilb__slot *slot, const ilb__figures *f,
                                uint64_t now_ns, ilb_endpoint_stats *out)
{
    uint64_t load = ilb__load_relaxed(&slot->load.word);
    uint64_t health = ilb__load_relaxed(&slot->health);

    memset(out, 0, sizeof *out);
    memcpy(out->address, slot->address, sizeof out->address);
    out->weight = ilb__load32_relaxed(&slot->weight);
    out->state = ilb__stats_state(slot->listed, slot->readiness, health);
    out->in_flight = ilb__load_in_flight(load);
    out->latency_ns = stats_ns(ilb__score_latency_ns(slot, load, f, now_ns));
    out->oldest_ns = ilb__score_age_ns(slot, load, f, now_ns);
    if (out->state == ILB_STATE_EJECTED || out->state == ILB_STATE_PROBING) {
        out->ejected_until_ns = ilb__health_until_ns(health);
        out->ejected_by = ilb__health_by(health);
    }
    out->failures_in_a_row = ilb__failures_in_a_row(&slot->failures);
    out->failure_ppm =
        (uint32_t)(ilb__failures_share(&slot->failures, now_ns) * 1e6f);
    out->ejections = ilb__load_relaxed(&slot->ejections);
    out->leaked = ilb__load_relaxed(&slot->leaked);
    for (int i = 0; i < ILB_OUTCOME_COUNT; i++)
        out->done[i] = ilb__load_relaxed(&slot->done[i]);
    for (int i = 0; i < ILB_DETECTOR_COUNT; i++) {
        out->detected[i] = ilb__load32_relaxed(&slot->detected[i]);
        out->enforced[i] = ilb__load32_relaxed(&slot->enforced[i]);
    }
    /* Pairs with the release in set_enter: what it points to is there. */
    out->user = ilb__load_pointer_acquire(&slot->user);
}
