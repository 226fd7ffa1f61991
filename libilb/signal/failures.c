/* SPDX-License-Identifier: MIT */
/* See failures.h. */
#include "signal/failures.h"

#include "base/decay.h"

#define FAILURES_STALE_TAU_NS 3e9
#define FAILURES_GAIN_BAD 0.2
#define FAILURES_GAIN_GOOD 0.1
#define FAILURES_SHARE_ONE 65535.0
#define FAILURES_ROW_MAX UINT32_C(65535)
#define FAILURES_STAMP_SHIFT 20
/* How far behind another thread's clock reading may be, ILB_CLOCK_SKEW_NS. */
#define FAILURES_SKEW_TICKS 2048

static uint32_t failures_row(uint64_t word)
{
    return (uint32_t)(word >> 32) & FAILURES_ROW_MAX;
}

static double failures_faded(uint64_t word, uint64_t now_ns)
{
    uint32_t ticks =
        (uint32_t)(now_ns >> FAILURES_STAMP_SHIFT) - (uint32_t)word;
    double share = (double)(word >> 48) / FAILURES_SHARE_ONE;

    if (share == 0 || ticks > UINT32_MAX - FAILURES_SKEW_TICKS)
        return share;
    return share *
           ilb__decay((double)ticks * (double)(1 << FAILURES_STAMP_SHIFT),
                      FAILURES_STALE_TAU_NS);
}

static uint64_t failures_pack(double share, uint32_t row, uint64_t now_ns)
{
    uint64_t fixed = (uint64_t)(share * FAILURES_SHARE_ONE);

    if (fixed == 0 && row == 0)
        return 0;
    return fixed << 48 | (uint64_t)row << 32 |
           (uint32_t)(now_ns >> FAILURES_STAMP_SHIFT);
}

ILB_INTERNAL float ilb__failures_share(const ilb__failures *f, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&f->word);

    return ILB_LIKELY(word == 0) ? 0 : (float)failures_faded(word, now_ns);
}

ILB_INTERNAL uint32_t ilb__failures_in_a_row(const ilb__failures *f)
{
    return failures_row(ilb__load_relaxed(&f->word));
}

ILB_INTERNAL bool ilb__failures_suspect(const ilb__failures *f,
                                        uint64_t suspect_ns, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&f->word);
    uint32_t ticks =
        (uint32_t)(now_ns >> FAILURES_STAMP_SHIFT) - (uint32_t)word;

    if (ILB_LIKELY(failures_row(word) == 0))
        return false;
    return ticks > UINT32_MAX - FAILURES_SKEW_TICKS ||
           ticks < suspect_ns >> FAILURES_STAMP_SHIFT;
}

ILB_INTERNAL void ilb__failures_good(ilb__failures *f, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&f->word);
    double share;

    if (ILB_LIKELY(word == 0))
        return;
    do {
        share = failures_faded(word, now_ns);
        share -= share * FAILURES_GAIN_GOOD;
    } while (
        !ilb__cas_relaxed(&f->word, &word, failures_pack(share, 0, now_ns)));
}

ILB_INTERNAL uint32_t ilb__failures_bad(ilb__failures *f, bool in_a_row,
                                        uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&f->word);
    double share;
    uint32_t row;

    do {
        share = failures_faded(word, now_ns);
        share += (1 - share) * FAILURES_GAIN_BAD;
        row = failures_row(word);
        if (in_a_row && row < FAILURES_ROW_MAX)
            row++;
    } while (
        !ilb__cas_relaxed(&f->word, &word, failures_pack(share, row, now_ns)));
    return row;
}
