/* SPDX-License-Identifier: MIT */
/* See silence.h. */
#include "signal/silence.h"

#define SILENCE_ASKED_SHIFT 20
#define SILENCE_ASKED_MAX 0xffff
#define SILENCE_N_MAX 255
#define SILENCE_STAMP_SHIFT 16
#define SILENCE_STAMP_MASK ((UINT64_C(1) << 40) - 1)

static uint64_t silence_stamp(uint64_t ns)
{
    return ns >> SILENCE_STAMP_SHIFT & SILENCE_STAMP_MASK;
}

static ilb__silence silence_unpack(uint64_t word, uint64_t quiet_ns,
                                   uint64_t now_ns)
{
    uint64_t since =
        (silence_stamp(now_ns) - (word >> 24)) & SILENCE_STAMP_MASK;
    ilb__silence s = {0, 0, 0};

    /* On the other half of the circle: another thread's clock is ahead. */
    if (since > SILENCE_STAMP_MASK / 2)
        since = 0;
    s.last_ns = since << SILENCE_STAMP_SHIFT;
    if (word == 0 || s.last_ns > quiet_ns)
        return s;
    s.asked_ns = (word & SILENCE_ASKED_MAX) << SILENCE_ASKED_SHIFT;
    s.n = (uint32_t)(word >> 16) & SILENCE_N_MAX;
    return s;
}

ILB_INTERNAL ilb__silence ilb__silence_read(const ilb__a64 *word,
                                            uint64_t quiet_ns, uint64_t now_ns)
{
    return silence_unpack(ilb__load_relaxed(word), quiet_ns, now_ns);
}

ILB_INTERNAL void ilb__silence_add(ilb__a64 *word, uint64_t waited_ns,
                                   uint64_t quiet_ns, uint64_t now_ns)
{
    uint64_t seen = ilb__load_relaxed(word);
    uint64_t more_ns, asked;
    ilb__silence s;

    if (waited_ns > quiet_ns)
        waited_ns = quiet_ns;
    do {
        s = silence_unpack(seen, quiet_ns, now_ns);
        more_ns = s.n > 0 && waited_ns > s.last_ns ? s.last_ns : waited_ns;
        asked = (s.asked_ns + more_ns) >> SILENCE_ASKED_SHIFT;
        if (asked > SILENCE_ASKED_MAX)
            asked = SILENCE_ASKED_MAX;
        if (s.n < SILENCE_N_MAX)
            s.n++;
    } while (!ilb__cas_relaxed(word, &seen,
                               silence_stamp(now_ns) << 24 |
                                   (uint64_t)s.n << 16 | asked));
}
