/* SPDX-License-Identifier: MIT */
/* See random.h. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/random.h"

#include <pthread.h>

ILB_INTERNAL void ilb__random_init(ilb__random *r, uint64_t seed)
{
    for (uint64_t i = 0; i < ILB_RANDOM_STREAMS; i++)
        ilb__store_relaxed(&r->streams[i].state,
                           ilb__mix64(seed + (i + 1) * ILB_GOLDEN));
}

/* The stream of the place, giving it one if it has none. */
static uint8_t random_stream_given(ilb__random *r, ilb__a8 *place)
{
    uint32_t given = ilb__add32_relaxed(&r->n_given, 1);
    uint8_t mine = (uint8_t)(given % ILB_RANDOM_STREAMS + 1);

    /* Losing the race wastes a stream's turn, no more. */
    return ilb__cas8_relaxed(place, 0, mine) ? mine : ilb__load8_relaxed(place);
}

static struct ilb__random_stream *random_own_stream(ilb__random *r,
                                                    uint64_t who)
{
    pthread_t self = pthread_self();
    uint64_t id = 0;
    ilb__a8 *place;
    uint8_t given;

    /* pthread_t may be a number or a pointer: take its bytes. */
    memcpy(&id, &self, sizeof self < sizeof id ? sizeof self : sizeof id);
    place = &r->stream_of[((id ^ who) * ILB_GOLDEN) >> 58];
    given = ilb__load8_relaxed(place);
    if (ILB_UNLIKELY(given == 0))
        given = random_stream_given(r, place);
    return &r->streams[given - 1];
}

ILB_INTERNAL uint64_t ilb__random_next(ilb__random *r, uint64_t salt)
{
    uint64_t who =
        ILB_LIKELY(r->who == NULL) ? 0 : ilb__mix64(ilb__load_relaxed(r->who));
    struct ilb__random_stream *s = random_own_stream(r, who);
    /* Not one atomic step: see the header on threads that share a stream. */
    uint64_t state = ilb__load_relaxed(&s->state) + ILB_GOLDEN;

    ilb__store_relaxed(&s->state, state);
    return ilb__mix64(state ^ ilb__mix64(salt ^ who));
}

_Static_assert(ILB_RANDOM_PLACES == 1 << 6, "places are 6 bits of a hash");
