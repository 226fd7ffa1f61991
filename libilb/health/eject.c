/* SPDX-License-Identifier: MIT */
/* See eject.h. */
#include "health/eject.h"

#include "health/cap.h"
#include "health/capacity.h"
#include "health/detectors.h"
#include "health/ladder.h"
#include "health/probe.h"
#include "health/tell.h"

/* A verdict on an endpoint that is WARMING or HEALTHY: ejects it. False: it is
 * neither any more, or that is refused. */
static bool eject_enforce(ilb__judge *j, ilb__slot *slot, uint64_t word,
                          const ilb__verdict *v, const ilb__failing *x,
                          const ilb__figures *f, uint64_t now_ns)
{
    ilb__word h;

    if (!ilb__cap_reserve(j, x->n_ready)) {
        ilb__tell_refused(j, slot, ilb__cap_refusal(j, x->n_ready), v, now_ns);
        return false;
    }
    while (ilb__health_eligible(word)) {
        h = ilb__word_unpack(word);
        ilb__ladder_eject(j, &h, v->detector, x, f, now_ns);
        if (ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h))) {
            ilb__add_relaxed(&slot->ejections, 1);
            ilb__judge_due_at(j, h.until_ns);
            ilb__tell_ejected(j, slot, word, ilb__word_pack(h), v, now_ns);
            return true; /* the place is this endpoint's now */
        }
    }
    ilb__cap_release(j);
    return false;
}

ILB_INTERNAL bool ilb__eject(ilb__judge *j, ilb__slot *slot,
                             const ilb__verdict *v, const ilb__failing *x,
                             const ilb__figures *f, uint64_t now_ns)
{
    return eject_enforce(j, slot, ilb__load_relaxed(&slot->health), v, x, f,
                         now_ns);
}

ILB_INTERNAL bool ilb__eject_probe_failed(ilb__judge *j, ilb__slot *slot,
                                          const ilb__failing *x,
                                          const ilb__figures *f,
                                          uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h;

    do {
        h = ilb__word_unpack(word);
        if (h.state != ILB__PROBING)
            return false;
        ilb__ladder_eject(j, &h, h.by, x, f, now_ns);
    } while (!ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h)));
    ilb__add_relaxed(&slot->ejections, 1);
    ilb__judge_due_at(j, h.until_ns);
    ilb__tell(j, slot, ILB_EVENT_PROBE_FAILED, ILB_REASON_NONE, word,
              ilb__word_pack(h), NULL, now_ns);
    return true;
}

static bool eject_failed(ilb__judge *j, ilb__slot *slot, bool probe,
                         const ilb__failing *x, const ilb__figures *f,
                         uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__verdict v;

    if (probe && ilb__health_state_of(word) == ILB__PROBING)
        return ilb__eject_probe_failed(j, slot, x, f, now_ns);
    return !x->refused && ilb__health_eligible(word) &&
           ilb__detect_failures(j, slot, word, x, f, &v, now_ns) &&
           eject_enforce(j, slot, word, &v, x, f, now_ns);
}

/* Ejects it until then, or longer, at the level that it has. False: there is no
 * place under the cap. */
static bool eject_until(ilb__judge *j, ilb__slot *slot, uint32_t n_ready,
                        const ilb__verdict *v, uint64_t until_ns,
                        uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    bool reserved = false;
    ilb__word h;

    do {
        h = ilb__word_unpack(word);
        /* The request that is its probe right now decides. */
        if (h.state == ILB__OUT || h.state == ILB__PROBING ||
            (h.state == ILB__EJECTED && h.until_ns >= until_ns))
            break;
        if (h.state != ILB__EJECTED) {
            if (!reserved && !ilb__cap_reserve(j, n_ready)) {
                ilb__tell_refused(j, slot, ilb__cap_refusal(j, n_ready), v,
                                  now_ns);
                return false;
            }
            reserved = true;
            h.state = ILB__EJECTED;
            h.good = 0;
            h.by = v->detector;
        }
        h.until_ns = until_ns;
        if (ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h))) {
            if (ilb__health_eligible(word)) {
                ilb__add_relaxed(&slot->ejections, 1);
                ilb__tell_ejected(j, slot, word, ilb__word_pack(h), v, now_ns);
                reserved = false; /* the place is this endpoint's now */
            }
            ilb__judge_due_at(j, h.until_ns);
            break;
        }
    } while (true);
    if (reserved)
        ilb__cap_release(j);
    return true;
}

static uint64_t eject_asked_until_ns(const ilb__judge *j, const ilb__failing *x,
                                     uint64_t now_ns)
{
    uint64_t ns = x->retry_after_ns < j->max_retry_after_ns
                      ? x->retry_after_ns
                      : j->max_retry_after_ns;

    return ilb__later_ns(now_ns, ilb__ladder_longer_ns(ns, x->bits));
}

/* Can it be left alone as it asks? One that is ejected is, at any rate. */
static bool eject_is_spared(const ilb__judge *j, ilb__slot *slot,
                            const ilb__verdict *v, const ilb__failing *x,
                            const ilb__figures *f, uint64_t now_ns)
{
    const ilb__demand d = {v->detector, x->n_ready, 0};

    if (!ilb__health_eligible(ilb__load_relaxed(&slot->health)) ||
        !ilb__capacity_needs(j, slot, &d, f))
        return true;
    ilb__tell_refused(j, slot, ILB_REASON_CAPACITY, v, now_ns);
    return false;
}

ILB_INTERNAL bool ilb__health_bad(ilb__judge *j, ilb__slot *slot, bool probe,
                                  const ilb__failing *x, const ilb__figures *f,
                                  uint64_t now_ns)
{
    const ilb__verdict asked = {ILB_DETECTOR_RETRY_AFTER,
                                (double)x->retry_after_ns / 1e9, 0};
    bool ejected = eject_failed(j, slot, probe, x, f, now_ns);
    uint64_t until_ns = 0;
    bool asked_for = false;

    if (x->retry_after_ns > 0 && ilb__detector_heard(j, slot, &asked, now_ns)) {
        asked_for = true;
        if (eject_is_spared(j, slot, &asked, x, f, now_ns)) {
            until_ns = eject_asked_until_ns(j, x, now_ns);
            if (eject_until(j, slot, x->n_ready, &asked, until_ns, now_ns))
                return true;
        }
    }
    if (x->refused || asked_for)
        ilb__refusals_add(&slot->refusals, x->bits, until_ns, now_ns);
    return ejected;
}

/* ---- Checks ------------------------------------------------------------ */

ILB_INTERNAL bool ilb__health_check_down(ilb__judge *j, ilb__slot *slot,
                                         uint32_t n_ready, uint64_t now_ns)
{
    const ilb__verdict v = {ILB_DETECTOR_PROBE, slot->checks.failed,
                            j->checks.unhealthy_threshold};

    return ilb__detector_heard(j, slot, &v, now_ns) &&
           eject_until(j, slot, n_ready, &v,
                       ilb__later_ns(now_ns, slot->checks.lease_ns), now_ns);
}

ILB_INTERNAL void ilb__health_check_up(ilb__judge *j, ilb__slot *slot,
                                       bool again, uint64_t now_ns)
{
    const ilb__verdict v = {ILB_DETECTOR_PROBE, slot->checks.passed,
                            j->checks.healthy_threshold};
    uint64_t word = ilb__load_relaxed(&slot->health);
    bool returns;
    ilb__word h;

    do {
        h = ilb__word_unpack(word);
        returns = h.by == ILB_DETECTOR_PROBE || j->check_unejects;
        if (h.state != ILB__EJECTED || (!returns && !again) ||
            !ilb__detector_heard(j, slot, &v, now_ns))
            return;
        if (returns)
            ilb__word_warm(&h);
        else
            h.until_ns = now_ns;
    } while (!ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h)));
    if (!returns) {
        ilb__judge_due_at(j, now_ns);
        return;
    }
    ilb__tell(j, slot, ILB_EVENT_UNEJECT, ILB_REASON_NONE, word,
              ilb__word_pack(h), &v, now_ns);
    ilb__health_returned(j, slot, word, now_ns);
}
