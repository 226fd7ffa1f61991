/* SPDX-License-Identifier: MIT */
/* See detectors.h. */
#include "health/detectors.h"

#include "health/tell.h"

#define DETECTORS_BROKEN (16 * ILB_EVIDENCE_ONE)
#define DETECTORS_FAULTY (18 * ILB_EVIDENCE_ONE)
#define DETECTORS_BROKEN_WARMING (5 * ILB_EVIDENCE_ONE)
/* Where this share of healthy endpoints' requests fails, failures in a row
 * say nothing about one endpoint. */
#define DETECTORS_ROW_P0_MAX 0.25f

/* ---- Failures ---------------------------------------------------------- */

static ilb__verdict detectors_verdict(ilb_detector detector, double statistic,
                                      double threshold)
{
    ilb__verdict v = {detector, statistic, threshold};

    return v;
}

static ilb__verdict detectors_row(const ilb__judge *j, const ilb__failing *x,
                                  const ilb__figures *f)
{
    bool says =
        x->row >= j->consecutive_failures && f->p0 < DETECTORS_ROW_P0_MAX;

    return detectors_verdict(says ? ILB_DETECTOR_CONSECUTIVE_FAILURES
                                  : ILB_DETECTOR_NONE,
                             x->row, j->consecutive_failures);
}

static ilb__verdict detectors_sum(ilb_detector d, uint32_t sum,
                                  uint32_t threshold)
{
    return detectors_verdict(sum >= threshold ? d : ILB_DETECTOR_NONE,
                             (double)sum / ILB_EVIDENCE_ONE,
                             (double)threshold / ILB_EVIDENCE_ONE);
}

/* Many at once are rather one cause than many faults. */
ILB_INTERNAL uint32_t ilb__detectors_more(const ilb__judge *j, uint32_t n_ready)
{
    return n_ready == 0 ? 0
                        : DETECTORS_BROKEN / 2 *
                              ilb__load32_relaxed(&j->n_ejected) / n_ready;
}

static ilb__verdict detectors_broken(const ilb__judge *j, uint64_t health,
                                     const ilb__failing *x)
{
    bool of_late = ilb__health_of_late(health);
    uint32_t threshold =
        (DETECTORS_BROKEN + ilb__detectors_more(j, x->n_ready)) /
        (of_late ? 2 : 1);

    if (of_late && ilb__health_state_of(health) == ILB__WARMING)
        threshold = DETECTORS_BROKEN_WARMING;
    return detectors_sum(ILB_DETECTOR_FAILURE_PERCENTAGE, x->sums.broken,
                         threshold);
}

static ilb__verdict detectors_faulty(const ilb__judge *j, uint64_t health,
                                     const ilb__failing *x)
{
    return detectors_sum(
        ILB_DETECTOR_SUCCESS_RATE, x->sums.faulty,
        (DETECTORS_FAULTY + ilb__detectors_more(j, x->n_ready)) /
            (ilb__health_of_late(health) ? 2 : 1));
}

ILB_INTERNAL bool ilb__detector_heard(const ilb__judge *j, ilb__slot *slot,
                                      const ilb__verdict *v, uint64_t now_ns)
{
    if (v->detector == ILB_DETECTOR_NONE ||
        (j->detectors_off & ILB_DETECTOR_BIT(v->detector)) != 0)
        return false;
    if ((j->detectors_shadow & ILB_DETECTOR_BIT(v->detector)) == 0)
        return true;
    ilb__tell_refused(j, slot, ILB_REASON_SHADOW, v, now_ns);
    return false;
}

ILB_INTERNAL bool ilb__detect_failures(const ilb__judge *j, ilb__slot *slot,
                                       uint64_t health, const ilb__failing *x,
                                       const ilb__figures *f, ilb__verdict *v,
                                       uint64_t now_ns)
{
    ilb__verdict all[3];
    bool found = false;

    all[0] = detectors_row(j, x, f);
    all[1] = detectors_broken(j, health, x);
    all[2] = detectors_faulty(j, health, x);
    /* All are asked, so that those in shadow are heard of. */
    for (int i = 0; i < 3; i++)
        if (ilb__detector_heard(j, slot, &all[i], now_ns) && !found) {
            *v = all[i];
            found = true;
        }
    return found;
}
