/* SPDX-License-Identifier: MIT */
/* See evidence.h. */
#include "signal/evidence.h"

#include "base/decay.h"

#define EVIDENCE_BROKEN_SHARE 0.5f
#define EVIDENCE_FAULTY_FACTOR 5.0f
#define EVIDENCE_FAULTY_MIN 0.05f
/* So that a clean history makes no single failure decide everything. */
#define EVIDENCE_P0_MIN 1e-6f
#define EVIDENCE_FAULTY_MAX 0.6f
/* From here on everyone fails: nothing is evidence. */
#define EVIDENCE_P0_ALL 0.4f
/* Sums end here: what was proved long ago is forgotten in bounded time. */
#define EVIDENCE_MAX (64 * ILB_EVIDENCE_ONE)
#define EVIDENCE_RUN_MAX 65535
/* Of `faulty`: what trials that were given up early may add up to. */
#define EVIDENCE_DOUBT_MAX (10 * ILB_EVIDENCE_ONE)

/* ln(x) in 1/256, x >= 1; rounded. */
static uint16_t evidence_step(float x)
{
    return (uint16_t)(ilb__log2(x) * 0.6931472f * (float)ILB_EVIDENCE_ONE +
                      0.5f);
}

ILB_INTERNAL ilb__evidence_steps ilb__evidence_steps_for(float p0)
{
    ilb__evidence_steps s;
    float p1;

    if (!(p0 > EVIDENCE_P0_MIN))
        p0 = EVIDENCE_P0_MIN;
    p1 = p0 * EVIDENCE_FAULTY_FACTOR;
    if (p1 < EVIDENCE_FAULTY_MIN)
        p1 = EVIDENCE_FAULTY_MIN;
    if (p1 > EVIDENCE_FAULTY_MAX)
        p1 = EVIDENCE_FAULTY_MAX;
    if (p0 >= EVIDENCE_P0_ALL) {
        s.broken_up = s.faulty_up = 0;
        s.broken_down = s.faulty_down = ILB_EVIDENCE_ONE;
        return s;
    }
    s.broken_up = evidence_step(EVIDENCE_BROKEN_SHARE / p0);
    s.broken_down = evidence_step((1 - p0) / EVIDENCE_BROKEN_SHARE);
    s.faulty_up = evidence_step(p1 / p0);
    s.faulty_down = evidence_step((1 - p0) / (1 - p1));
    return s;
}

static ilb__evidence_sums evidence_unpack(uint64_t word)
{
    ilb__evidence_sums e = {(uint32_t)word & 0xffff,
                            (uint32_t)(word >> 16) & 0xffff};

    return e;
}

/* With one more request, `failed` of them, in the run that `seen` has. */
static uint64_t evidence_pack(ilb__evidence_sums e, uint64_t seen,
                              uint32_t failed)
{
    uint64_t requests = seen >> 32 & EVIDENCE_RUN_MAX;
    uint64_t failures = seen >> 48;

    if (e.broken == 0 && e.faulty == 0)
        return 0;
    requests += requests < EVIDENCE_RUN_MAX;
    failures += failures < EVIDENCE_RUN_MAX ? failed : 0;
    return failures << 48 | requests << 32 | (uint64_t)e.faulty << 16 |
           e.broken;
}

static uint32_t evidence_less(uint32_t sum, uint32_t step)
{
    return sum > step ? sum - step : 0;
}

static uint32_t evidence_more(uint32_t sum, uint32_t step)
{
    return sum + step < EVIDENCE_MAX ? sum + step : EVIDENCE_MAX;
}

ILB_INTERNAL ilb__evidence_sums ilb__evidence_read(const ilb__a64 *word)
{
    return evidence_unpack(ilb__load_relaxed(word));
}

ILB_INTERNAL ilb__evidence_run ilb__evidence_run_of(const ilb__a64 *word)
{
    uint64_t seen = ilb__load_relaxed(word);
    ilb__evidence_run run = {(uint32_t)(seen >> 32) & EVIDENCE_RUN_MAX,
                             (uint32_t)(seen >> 48)};

    return run;
}

ILB_INTERNAL void ilb__evidence_good(ilb__a64 *word, ilb__evidence_steps s)
{
    uint64_t seen = ilb__load_relaxed(word);
    ilb__evidence_sums e;

    if (ILB_LIKELY(seen == 0))
        return;
    do {
        e = evidence_unpack(seen);
        e.broken = evidence_less(e.broken, s.broken_down);
        e.faulty = evidence_less(e.faulty, s.faulty_down);
    } while (!ilb__cas_relaxed(word, &seen, evidence_pack(e, seen, 0)));
}

ILB_INTERNAL void ilb__evidence_doubt(ilb__a64 *word, ilb__evidence_steps s)
{
    uint64_t seen = ilb__load_relaxed(word);
    ilb__evidence_sums e;

    do {
        e = evidence_unpack(seen);
        if (e.faulty >= EVIDENCE_DOUBT_MAX)
            return;
        e.faulty += s.faulty_up;
        if (e.faulty > EVIDENCE_DOUBT_MAX)
            e.faulty = EVIDENCE_DOUBT_MAX;
    } while (!ilb__cas_relaxed(word, &seen, evidence_pack(e, seen, 0)));
}

ILB_INTERNAL ilb__evidence_sums ilb__evidence_bad(ilb__a64 *word,
                                                  ilb__evidence_steps s)
{
    uint64_t seen = ilb__load_relaxed(word);
    ilb__evidence_sums e;

    do {
        e = evidence_unpack(seen);
        e.broken = evidence_more(e.broken, s.broken_up);
        e.faulty = evidence_more(e.faulty, s.faulty_up);
    } while (!ilb__cas_relaxed(word, &seen, evidence_pack(e, seen, 1)));
    return e;
}
