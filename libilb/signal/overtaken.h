/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait while later ones are answered: long ones, long polls,
 * streams without a first byte. They show that their endpoint lives, so their
 * age says nothing against it (it would keep a healthy endpoint out for as long
 * as one poll of 30 s waits). What is in flight to it otherwise has an age
 * still.
 *
 * Counted among what is unanswered (signal/epochs.h): each good answer of a
 * request that was picked after the epoch shows that the candidates are
 * overtaken, and begins a new one, so that n are overtaken for sure. The first
 * begins when a good answer comes for a request picked after the last turn
 * (signal/load.h), while older ones have waited since for unusually long;
 * without any epoch nothing is counted. The sweep (health/sweep.h) corrects it.
 *
 * When nothing but overtaken requests is unanswered the mark of the load is
 * UINT64_MAX, which gives no age, until the next request is taken; else it is
 * the time of the last good answer.
 */
#ifndef ILB_SIGNAL_OVERTAKEN_H
#define ILB_SIGNAL_OVERTAKEN_H

#include "signal/epochs.h"
#include "signal/load.h"

/* A request that is about to end, or to be answered. */
typedef struct ilb__passing {
    uint64_t picked_ns;
    bool unanswered; /* as counted until now */
    bool good;       /* a good answer, or its first byte */
} ilb__passing;

/* Before ilb__load_return or ilb__load_answer. `hang_ns`: older than that is
 * unusual. */
ILB_INTERNAL void ilb__overtaken_pass(ilb__epochs *o, ilb__load *l,
                                      const ilb__passing *p, float hang_ns,
                                      uint64_t now_ns);

/* Does a request that passes concern it? For the hot path: most do not. */
static inline bool ilb__overtaken_concerns(const ilb__epochs *o,
                                           const ilb__load *l, float hang_ns,
                                           uint64_t now_ns)
{
    if (ILB_UNLIKELY(ilb__load_relaxed(&o->epoch_ns) != 0))
        return true;
    return ilb__load_old(ilb__load_relaxed(&l->word)) != 0 &&
           ILB_UNLIKELY((float)ilb__elapsed_ns(ilb__load_mark_ns(l), now_ns) >
                        hang_ns);
}

/* How many there are besides those that count as less than a load already, as
 * long-lived or lost: as far as one can tell, these are of them. */
static inline uint32_t ilb__overtaken_besides(const ilb__epochs *o,
                                              uint32_t less)
{
    uint32_t n = ilb__epochs_n(o);

    return n > less ? n - less : 0;
}

/* All that is unanswered now is. */
ILB_INTERNAL void ilb__overtaken_all(ilb__epochs *o, ilb__load *l,
                                     uint64_t now_ns);

#endif
