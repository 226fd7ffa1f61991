/* SPDX-License-Identifier: MIT */
/* See slow.h. */
#include "health/slow.h"

#include "health/cap.h"
#include "health/capacity.h"
#include "health/detectors.h"
#include "health/tell.h"

#define SLOW_THRESHOLD (16 * ILB_EVIDENCE_ONE)
#define SLOW_PROBE_FACTOR 2.0f

/* A clock that is behind another thread's is no warming up. */
static bool slow_is_warming_up(const ilb__slot *slot, uint64_t now_ns)
{
    return now_ns < ilb__load_relaxed(&slot->warm_ns);
}

/* Not for longer than an ejection lasts; unless it was ejected of late. */
static bool slow_is_short(const ilb__judge *j, const ilb__slot *slot,
                          uint64_t health, uint64_t now_ns)
{
    return !ilb__health_of_late(health) &&
           ilb__elapsed_ns(ilb__load_relaxed(&slot->slow_ns), now_ns) <
               j->base_ejection_time_ns;
}

static bool slow_judge(ilb__judge *j, ilb__slot *slot, uint64_t health,
                       const ilb__slowness *s, const ilb__ended *e,
                       const ilb__figures *f, uint64_t now_ns)
{
    uint32_t threshold = (SLOW_THRESHOLD + ilb__detectors_more(j, e->n_ready)) /
                         (ilb__health_of_late(health) ? 2 : 1);
    const ilb__verdict v = {ILB_DETECTOR_LATENCY,
                            (double)s->sum / ILB_EVIDENCE_ONE,
                            (double)threshold / ILB_EVIDENCE_ONE};
    const ilb__demand d = {ILB_DETECTOR_LATENCY, e->n_ready, e->served};
    ilb__failing x = {0};

    if (s->sum < threshold || slow_is_short(j, slot, health, now_ns) ||
        !ilb__detector_heard(j, slot, &v, now_ns))
        return false;
    if (ilb__capacity_needs(j, slot, &d, f)) {
        ilb__tell_refused(j, slot, ILB_REASON_CAPACITY, &v, now_ns);
        return false;
    }
    x.n_ready = e->n_ready;
    x.bits = e->bits;
    return ilb__eject(j, slot, &v, &x, f, now_ns);
}

/* Its probe, of one that was ejected as it was slow, is answered: too late? */
static bool slow_probe(ilb__judge *j, ilb__slot *slot, const ilb__ended *e,
                       const ilb__figures *f, uint64_t now_ns)
{
    float limit_ns = SLOW_PROBE_FACTOR * f->median_ns;
    ilb__failing x = {0};

    if (limit_ns < f->median_ns + (float)j->latency_margin_ns)
        limit_ns = f->median_ns + (float)j->latency_margin_ns;
    if (!e->answered || (float)e->waited_ns <= limit_ns)
        return false;
    x.n_ready = e->n_ready;
    x.bits = e->bits;
    return ilb__eject_probe_failed(j, slot, &x, f, now_ns);
}

/* Of peers hardly any answer takes as long: as much as one can say. */
static float slow_units(const ilb__ended *e, float unit_ns,
                        const ilb__figures *f)
{
    float ns = (float)e->waited_ns;

    if (e->answered && ns > ILB_SLOWNESS_FACTOR * unit_ns && f->p99_ns > 0 &&
        ns > ILB_FIGURES_HANG_P99 * f->p99_ns)
        return ILB_SLOWNESS_MOST;
    return ns / unit_ns;
}

ILB_INTERNAL bool ilb__health_ended(ilb__judge *j, ilb__slot *slot,
                                    const ilb__ended *e, const ilb__figures *f,
                                    uint64_t now_ns)
{
    float unit_ns = ilb__slowness_unit_ns(f, j->latency_margin_ns);
    uint64_t health = ilb__load_relaxed(&slot->health);
    ilb__slowness s;
    ilb__wait w;

    if (unit_ns == 0 ||
        (j->detectors_off & ILB_DETECTOR_BIT(ILB_DETECTOR_LATENCY)) != 0)
        return false;
    if (e->probe && ilb__health_state_of(health) == ILB__PROBING)
        return ilb__health_by(health) == ILB_DETECTOR_LATENCY &&
               slow_probe(j, slot, e, f, now_ns);
    w.units = slow_units(e, unit_ns, f);
    w.answered = e->answered;
    w.began_ns = e->began_ns;
    if (!ilb__health_eligible(health) || slow_is_warming_up(slot, now_ns) ||
        !ilb__slowness_add(&slot->slowness, &w, now_ns, &s))
        return false;
    if (s.n == 1)
        ilb__store_relaxed(&slot->slow_ns, e->began_ns);
    if (slow_judge(j, slot, health, &s, e, f, now_ns))
        /* An update may have made the set smaller meanwhile. */
        ilb__health_enforce_cap(j, slot, e->n_ready, now_ns);
    return false;
}
