/* SPDX-License-Identifier: MIT */
/* See slowness.h. */
#include "signal/slowness.h"

#define SLOWNESS_SUM_MAX (64 * ILB_EVIDENCE_ONE)
#define SLOWNESS_N_MAX 255
#define SLOWNESS_SHIFT 16
#define SLOWNESS_STAMP_MASK ((UINT64_C(1) << 40) - 1)

static uint64_t slowness_stamp(uint64_t ns)
{
    return ns >> SLOWNESS_SHIFT & SLOWNESS_STAMP_MASK;
}

/* Did the request begin after the last slow one had ended? Stamps are on a
 * circle; half of it is a year. */
static bool slowness_is_news(uint64_t word, uint64_t began_ns)
{
    uint64_t after =
        (slowness_stamp(began_ns) - (word >> 24)) & SLOWNESS_STAMP_MASK;

    return word == 0 || after <= SLOWNESS_STAMP_MASK / 2;
}

ILB_INTERNAL bool ilb__slowness_add(ilb__a64 *word, const ilb__figures *f,
                                    uint64_t began_ns, uint64_t now_ns,
                                    ilb__slowness *s)
{
    ilb__evidence_steps steps = ilb__evidence_steps_for(f->slow_share);
    uint64_t seen = ilb__load_relaxed(word);

    do {
        if (!slowness_is_news(seen, began_ns))
            return false;
        s->sum = ((uint32_t)seen & 0xffff) + steps.broken_up;
        s->n = ((uint32_t)(seen >> 16) & SLOWNESS_N_MAX) + 1;
        if (s->sum > SLOWNESS_SUM_MAX)
            s->sum = SLOWNESS_SUM_MAX;
        if (s->n > SLOWNESS_N_MAX)
            s->n = SLOWNESS_N_MAX;
    } while (!ilb__cas_relaxed(word, &seen,
                               slowness_stamp(now_ns) << 24 |
                                   (uint64_t)s->n << 16 | s->sum));
    return true;
}

ILB_INTERNAL void ilb__slowness_less(ilb__a64 *word, const ilb__figures *f)
{
    ilb__evidence_steps steps = ilb__evidence_steps_for(f->slow_share);
    uint64_t seen = ilb__load_relaxed(word), next;

    do {
        uint32_t sum = (uint32_t)seen & 0xffff;

        /* With nothing left it begins anew. */
        next = sum > steps.broken_down ? seen - steps.broken_down : 0;
    } while (!ilb__cas_relaxed(word, &seen, next));
}
