/* SPDX-License-Identifier: MIT */
/*
 * The state machine of one endpoint, in one word:
 *
 *           enters                12 good answers
 *     OUT ---------> WARMING ------------------------> HEALTHY
 *      ^                ^   \                            /
 *      | leaves         |    \ failures in a row        /
 *      | (any state)    |     v                        v
 *                    PROBING <-------------------- EJECTED
 *                  good |       `until` has come      ^
 *                       |           bad               |
 *                       +-----------------------------+
 *
 *   bits  0..2   state
 *   bits  3..7   level   ejections and failed probes in a row, decaying
 *   bits  8..15  good    good answers while WARMING
 *   bits 16..63  until   in units of 2^16 ns: EJECTED, when the next probe is
 *                        due; PROBING, when this one counts as lost; HEALTHY
 *                        with a level, when the level falls by one
 *
 * Every change is one CAS, so exactly one of many threads ejects an endpoint,
 * takes its probe, or counts it as back.
 *
 * Who ejects: failures that healthy peers do not have (signal/evidence.h), or
 * simply so many in a row, unless everyone fails. Thresholds, in nats:
 *
 *     broken >= 16   a false alarm once in e^16 = 9 million requests
 *     faulty >= 18   once in 66 million; it looks at many more, correlated ones
 *     up to 8 more, by the share of endpoints that are ejected already: many
 *                    at once are rather one cause than many faults
 *     half of that while the level is above 0: it has been ejected of late
 *     broken >= 5    WARMING after an ejection: one failure, in a clean pool
 *
 * Ejection lasts
 *
 *     level      1..7     8, 9     10 ..
 *              base   2.5 base   3 base       +-10 % at random, so that
 *                                             callers do not return together
 *
 * but with few requests so long that a probe is at most one in 150 (level 1),
 * 300 (2), 450 (3 ..) of them; at most max. Who fails again soon after its
 * return, when its probe was good, is at level 8 at least: its probes say
 * little, as those of one that fails now and then or flaps. A fault of a minute
 * costs five probes, each of which may fail, and the endpoint is back within
 * base x 1.1 of healing. Doubling, as Envoy and Finagle do it, costs fewer
 * probes but returns as long after healing as the fault lasted.
 *
 * Return is half-open: when the time has come one request tries the endpoint
 * (PROBING); its success brings it back to WARMING, as a newcomer of whom
 * nothing is known and to whom few requests may be in flight at first; anything
 * else ejects it again. The level falls by one for each 30 s x level of being
 * healthy: by evidence, not by time spent ejected. (Half-open return: Finagle's
 * failure accrual; growth and decay: Envoy's outlier detection, which however
 * returns to full traffic by time alone.)
 *
 * How many may be ejected is capped: at most max_ejection_percent of the
 * ready endpoints, but one if there are two or more; and never the last. The
 * count is reserved before the state changes, so that the cap holds however
 * many threads eject at once.
 */
#ifndef ILB_HEALTH_HEALTH_H
#define ILB_HEALTH_HEALTH_H

#include "set/table.h"

enum ilb__health_state {
    ILB__OUT = 0, /* not in the table: not ready, draining, gone */
    ILB__WARMING,
    ILB__HEALTHY,
    ILB__EJECTED,
    ILB__PROBING
};

/* What a failure is judged by. */
typedef struct ilb__failing {
    uint32_t row; /* so many in a row with this one */
    ilb__evidence_sums sums;
    uint32_t n_ready; /* endpoints */
    uint32_t bits;    /* random ones, for the jitter */
} ilb__failing;

typedef struct ilb__judge {
    uint32_t consecutive_failures;
    uint32_t max_ejection_percent;
    uint64_t base_ejection_time_ns;
    uint64_t max_ejection_time_ns;
    _Alignas(ILB_CACHELINE_BYTES) ilb__a32 n_ejected; /* and probing */
    ilb__a64 next_due_ns; /* no ejected endpoint is due before; UINT64_MAX */
} ilb__judge;

static inline enum ilb__health_state ilb__health_state_of(uint64_t word)
{
    return (enum ilb__health_state)(word & 7);
}

/* May it be drawn, apart from probes? */
static inline bool ilb__health_eligible(uint64_t word)
{
    enum ilb__health_state s = ilb__health_state_of(word);

    return s == ILB__HEALTHY || s == ILB__WARMING;
}

/* In flight at most, before others are preferred: 1 until the first good
 * answer, then 2, 3, 4, 8; no bound when healthy. */
ILB_INTERNAL uint32_t ilb__health_in_flight_cap(uint64_t word);

/* `until` in nanoseconds. */
ILB_INTERNAL uint64_t ilb__health_until_ns(uint64_t word);

ILB_INTERNAL void ilb__judge_init(ilb__judge *j, const ilb_options *o);

/* The endpoint can be drawn from now on; it cannot any more. */
ILB_INTERNAL void ilb__health_enter(ilb__judge *j, ilb__slot *slot);
ILB_INTERNAL void ilb__health_leave(ilb__judge *j, ilb__slot *slot);

/* A good answer; `probe`: to the request that was the probe. */
ILB_INTERNAL void ilb__health_good(ilb__judge *j, ilb__slot *slot, bool probe,
                                   uint64_t now_ns);

/* A failure. True: it has ejected the endpoint. */
ILB_INTERNAL bool ilb__health_bad(ilb__judge *j, ilb__slot *slot, bool probe,
                                  const ilb__failing *failing,
                                  const ilb__figures *f, uint64_t now_ns);

/* A probe ended with neither: the next request may try again. */
ILB_INTERNAL void ilb__health_inconclusive(ilb__judge *j, ilb__slot *slot,
                                           uint64_t now_ns);

/* Is it time to look for an endpoint to probe? One word to read. */
static inline bool ilb__judge_due(const ilb__judge *j, uint64_t now_ns)
{
    return ILB_UNLIKELY(now_ns >= ilb__load_relaxed(&j->next_due_ns));
}

/* Whatever is due, it must be looked for once more: the search may have missed
 * one, or a clock went back and what is due later may be due now. */
ILB_INTERNAL void ilb__judge_search_again(ilb__judge *j, uint64_t now_ns);

/* Begins the search of due endpoints: true for one caller, who passes every
 * endpoint of the table to ilb__health_claim until that is true. */
ILB_INTERNAL bool ilb__judge_begin_search(ilb__judge *j, uint64_t now_ns);

/* True: this slot is PROBING and the caller's request is its probe. Else,
 * when it will be due is noted. `may_claim` false: only note. */
ILB_INTERNAL bool ilb__health_claim(ilb__judge *j, ilb__slot *slot,
                                    bool may_claim, uint64_t now_ns);

/* After an update: if more are ejected than the cap allows now, brings this
 * one back. */
ILB_INTERNAL void ilb__health_enforce_cap(ilb__judge *j, ilb__slot *slot,
                                          uint32_t n_ready);

#endif
