/* SPDX-License-Identifier: MIT */
/*
 * What is in flight to one endpoint, how old the oldest unanswered request is,
 * and whether the slot still belongs to the endpoint that the caller means:
 * one word.
 *
 *   bits  0..15  `young`      unanswered, taken since the last turn
 *   bits 16..31  `old`        unanswered, taken before it
 *   bits 32..47  `answered`   its first byte has come; in flight to its end
 *   bit  48      `parity`     changes at each turn
 *   bits 49..63  `generation` of the slot: changes when it is given to another
 *                             endpoint, which needs that nothing is in flight
 *
 * Taking a ticket is one fetch-add on `young`; what it returns also proves
 * that the slot is still the one that was in the table, as a slot's generation
 * changes only by a CAS from {generation, nothing in flight}.
 *
 * Age. `mark_ns` is the time of the last turn. All of `old` was taken before
 * it, so while old > 0, now - mark is a lower bound on the age of the oldest
 * unanswered request. When the last of `old` is answered or returns, the young
 * become the old (a turn): the bound is therefore late by one latency at most.
 * From idle, the mark is the time of the first request, and the first answer
 * makes a turn: until then the bound is exact. (c.f. the in-flight delay of
 * brpc's locality-aware balancer, which sums times, and Kratos, which scans a
 * list.)
 *
 * The mark is stored before the word that it belongs to. A reader that comes
 * in between takes the age for smaller than it is; a thread that is stopped
 * just before the store can make it larger by the length of that stop, until
 * the next turn. Both are errors of one estimate, not of a count.
 *
 * Lease. A ticket that is never returned would be counted for ever. `turned_ns`
 * is the time of the last turn as well, but nobody else sets it: so all of
 * `old` were taken before it, whatever the mark says. If none of a lease's
 * length has ended since, they can be given back (health/lease.h). As a leaked
 * ticket comes to `old` and stays there, no turn comes by itself after it. It
 * is stored before the word that has turned: whoever sees that sees it, or a
 * later one.
 */
#ifndef ILB_SIGNAL_LOAD_H
#define ILB_SIGNAL_LOAD_H

#include "base/atomics.h"

#define ILB_LOAD_BITS 16
#define ILB_LOAD_MASK ((UINT64_C(1) << ILB_LOAD_BITS) - 1)
#define ILB_LOAD_PARITY (UINT64_C(1) << (3 * ILB_LOAD_BITS))
#define ILB_LOAD_GENERATION_SHIFT (3 * ILB_LOAD_BITS + 1)
#define ILB_GENERATION_MASK ((UINT32_C(1) << 15) - 1)

/* An endpoint with so many in flight gets no more: half of what each count can
 * hold, so that threads which pass the check together cannot overflow it. */
#define ILB_LOAD_MAX (UINT32_C(1) << (ILB_LOAD_BITS - 1))

typedef struct ilb__load {
    ilb__a64 word;
    ilb__a64 mark_ns;
    ilb__a64 turned_ns;
} ilb__load;

static inline uint32_t ilb__load_young(uint64_t word)
{
    return (uint32_t)(word & ILB_LOAD_MASK);
}

static inline uint32_t ilb__load_old(uint64_t word)
{
    return (uint32_t)((word >> ILB_LOAD_BITS) & ILB_LOAD_MASK);
}

static inline uint32_t ilb__load_answered(uint64_t word)
{
    return (uint32_t)((word >> (2 * ILB_LOAD_BITS)) & ILB_LOAD_MASK);
}

static inline uint32_t ilb__load_unanswered(uint64_t word)
{
    return ilb__load_young(word) + ilb__load_old(word);
}

static inline uint32_t ilb__load_in_flight(uint64_t word)
{
    return ilb__load_unanswered(word) + ilb__load_answered(word);
}

static inline uint32_t ilb__load_parity(uint64_t word)
{
    return (word & ILB_LOAD_PARITY) != 0;
}

static inline uint32_t ilb__load_generation(uint64_t word)
{
    return (uint32_t)(word >> ILB_LOAD_GENERATION_SHIFT);
}

/* Where a ticket is counted: the parity of its taking, or answered. */
#define ILB_LOAD_IS_ANSWERED 2

static inline uint32_t ilb__load_count(uint64_t word, uint32_t where)
{
    if (where == ILB_LOAD_IS_ANSWERED)
        return ilb__load_answered(word);
    return ilb__load_parity(word) == where ? ilb__load_young(word)
                                           : ilb__load_old(word);
}

/* Is one of this generation counted there? If not, a ticket that says so is a
 * copy of one that is done. */
static inline bool ilb__load_has(uint64_t word, uint32_t generation,
                                 uint32_t where)
{
    return ilb__load_count(word, where) != 0 &&
           ilb__load_generation(word) == generation;
}

/* Age of the oldest unanswered request, at least; 0 if there is none. `word`
 * was just read from `l`. */
static inline uint64_t ilb__load_age_ns(const ilb__load *l, uint64_t word,
                                        uint64_t now_ns)
{
    if (ilb__load_unanswered(word) == 0)
        return 0;
    return ilb__elapsed_ns(ilb__load_relaxed(&l->mark_ns), now_ns);
}

/* When the oldest began to wait, at the latest; UINT64_MAX: unknown, its age is
 * 0. What is set holds until the next turn or, if it is that, until the next
 * request is taken. */
static inline uint64_t ilb__load_mark_ns(const ilb__load *l)
{
    return ilb__load_relaxed(&l->mark_ns);
}

static inline void ilb__load_set_mark(ilb__load *l, uint64_t mark_ns)
{
    ilb__store_relaxed(&l->mark_ns, mark_ns);
}

/* One more in flight. `seen` was read from `l` a moment ago. False, and
 * nothing has changed, if the slot has another generation by now or is full.
 * Else *parity is where the ticket is counted. */
ILB_INTERNAL bool ilb__load_take(ilb__load *l, uint64_t seen,
                                 uint32_t generation, uint64_t now_ns,
                                 uint32_t *parity);

/* One unanswered request is answered, and still in flight: it is counted as
 * ILB_LOAD_IS_ANSWERED now. False as below. */
ILB_INTERNAL bool ilb__load_answer(ilb__load *l, uint32_t generation,
                                   uint32_t parity, uint64_t now_ns);

/* One less in flight. False, and nothing has changed, if none of this
 * generation is counted there: the ticket was a copy of one that is done. */
ILB_INTERNAL bool ilb__load_return(ilb__load *l, uint32_t generation,
                                   uint32_t where, uint64_t now_ns);

/* All of `old` is given back; `word` is as it was read. How many there were; 0:
 * none, or the word has changed. */
ILB_INTERNAL uint32_t ilb__load_expire(ilb__load *l, uint64_t word,
                                       uint64_t now_ns);

/* The young become the old though no old one has ended, as there is none: so
 * that a request which is alone for long comes to be among them. The mark, and
 * with it its age, stays. False: there are some, or the word has changed. */
ILB_INTERNAL bool ilb__load_age_young(ilb__load *l, uint64_t word,
                                      uint64_t now_ns);

/* Gives an idle slot to the next generation. False if something is in
 * flight. */
ILB_INTERNAL bool ilb__load_recycle(ilb__load *l);

#endif
