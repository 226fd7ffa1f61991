/* SPDX-License-Identifier: MIT */
/* See tell.h. */
#include "health/tell.h"

/* Of the stamps in the slot: 2^20 ns. */
#define TELL_TICK_SHIFT 20
/* How far behind another thread's clock reading may be, ILB_CLOCK_SKEW_NS. */
#define TELL_SKEW_TICKS 2048

ILB_INTERNAL ilb_state ilb__health_public_state(uint64_t word)
{
    switch (ilb__health_state_of(word)) {
    case ILB__HEALTHY:
        return ILB_STATE_HEALTHY;
    case ILB__EJECTED:
        return ILB_STATE_EJECTED;
    case ILB__PROBING:
        return ILB_STATE_PROBING;
    case ILB__OUT:
    case ILB__WARMING:
        break;
    }
    return ILB_STATE_WARMING;
}

ILB_INTERNAL void ilb__tell(const ilb__judge *j, const ilb__slot *slot,
                            ilb_event_type type, ilb_reason reason,
                            uint64_t from, uint64_t to, const ilb__verdict *v,
                            uint64_t now_ns)
{
    const ilb__verdict none = {ILB_DETECTOR_NONE, 0, 0};
    ilb__transition t;

    if (j->tell == NULL)
        return;
    t.type = type;
    t.from = ilb__health_public_state(from);
    t.to = ilb__health_public_state(to);
    t.reason = reason;
    t.verdict = v == NULL ? none : *v;
    t.evidence.requests = t.evidence.failures = 0;
    if (t.verdict.detector == ILB_DETECTOR_CONSECUTIVE_FAILURES ||
        t.verdict.detector == ILB_DETECTOR_FAILURE_PERCENTAGE ||
        t.verdict.detector == ILB_DETECTOR_SUCCESS_RATE)
        t.evidence = ilb__evidence_run_of(&slot->evidence);
    t.until_ns =
        ilb__health_state_of(to) == ILB__EJECTED ? ilb__health_until_ns(to) : 0;
    t.now_ns = now_ns;
    j->tell(slot, &t, j->tell_user);
}

ILB_INTERNAL void ilb__tell_ejected(const ilb__judge *j, ilb__slot *slot,
                                    uint64_t from, uint64_t to,
                                    const ilb__verdict *v, uint64_t now_ns)
{
    ilb__add32_relaxed(&slot->detected[v->detector], 1);
    ilb__add32_relaxed(&slot->enforced[v->detector], 1);
    ilb__tell(j, slot, ILB_EVENT_EJECT, ILB_REASON_NONE, from, to, v, now_ns);
}

ILB_INTERNAL void ilb__tell_refused(const ilb__judge *j, ilb__slot *slot,
                                    ilb_reason reason, const ilb__verdict *v,
                                    uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    /* Never 0, which means: not yet. */
    uint32_t now = (uint32_t)(now_ns >> TELL_TICK_SHIFT) | 1;
    uint64_t period = j->base_ejection_time_ns >> TELL_TICK_SHIFT;
    uint32_t last = ilb__load32_relaxed(&slot->noted[v->detector]);

    if ((last != 0 &&
         now - last + TELL_SKEW_TICKS < (uint64_t)TELL_SKEW_TICKS + period) ||
        !ilb__cas32_strong_relaxed(&slot->noted[v->detector], last, now))
        return;
    ilb__add32_relaxed(&slot->detected[v->detector], 1);
    ilb__tell(j, slot, ILB_EVENT_EJECT_REFUSED, reason, word, word, v, now_ns);
}
