/* SPDX-License-Identifier: MIT */
/* See window.h. */
#include "signal/window.h"

#include <string.h>

#define WINDOW_BACKWARDS (UINT32_MAX / 2)

static uint64_t window_pack(ilb__tally t)
{
    uint32_t ended, failed;

    memcpy(&ended, &t.ended, sizeof ended);
    memcpy(&failed, &t.failed, sizeof failed);
    return (uint64_t)failed << 32 | ended;
}

static ilb__tally window_unpack(uint64_t word)
{
    uint32_t ended = (uint32_t)word, failed = (uint32_t)(word >> 32);
    ilb__tally t;

    memcpy(&t.ended, &ended, sizeof t.ended);
    memcpy(&t.failed, &failed, sizeof t.failed);
    return t;
}

static void window_add(ilb__a64 *word, float keep, ilb__tally more)
{
    ilb__tally t = window_unpack(ilb__load_relaxed(word));

    t.ended = t.ended * keep + more.ended;
    t.failed = t.failed * keep + more.failed;
    ilb__store_relaxed(word, window_pack(t));
}

ILB_INTERNAL uint32_t ilb__window_bring(ilb__window *w, uint32_t ended,
                                        uint32_t failed,
                                        const ilb__window_step *step)
{
    uint64_t seen = ilb__load_relaxed(&w->seen);
    uint32_t more_ended = ended - (uint32_t)seen;
    uint32_t more_failed = failed - (uint32_t)(seen >> 32);
    bool known = ilb__load_relaxed(&w->round) == step->round - 1;
    ilb__tally more;

    ilb__store_relaxed(&w->seen, (uint64_t)failed << 32 | ended);
    ilb__store_relaxed(&w->round, step->round);
    /* Backwards: two maintenances overlapped, or the slot is new. */
    if (!known || more_ended > WINDOW_BACKWARDS ||
        more_failed > WINDOW_BACKWARDS)
        more_ended = more_failed = 0;
    more.ended = (float)more_ended;
    more.failed = (float)more_failed;
    window_add(&w->long_term, step->keep_long, more);
    window_add(&w->short_term, step->keep_short, more);
    return more_ended;
}

ILB_INTERNAL ilb__tally ilb__window_long(const ilb__window *w)
{
    return window_unpack(ilb__load_relaxed(&w->long_term));
}

ILB_INTERNAL ilb__tally ilb__window_short(const ilb__window *w)
{
    return window_unpack(ilb__load_relaxed(&w->short_term));
}

ILB_INTERNAL void ilb__window_reset(ilb__window *w)
{
    ilb__store_relaxed(&w->seen, 0);
    ilb__store_relaxed(&w->long_term, 0);
    ilb__store_relaxed(&w->short_term, 0);
    ilb__store_relaxed(&w->round, 0);
}
