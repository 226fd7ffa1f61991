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
 * Ejection lasts base * 2^(level - 1), at most max, +-20 % at random so that
 * callers do not return together. Return is half-open: when the time has come
 * one request tries the endpoint (PROBING); its success brings it back to
 * WARMING, where few requests may be in flight at first; anything else ejects
 * it again, for longer. The level falls by one for each 30 s x level of being
 * healthy: by evidence, not by time spent ejected. (Half-open return: Finagle's
 * failure accrual; growth and decay of the time: Envoy's outlier detection,
 * which however returns to full traffic by time alone.)
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

/* A failure, the `row`-th in a row, of `n_ready` endpoints. `bits` are random
 * ones for the jitter. True: this has ejected it. */
ILB_INTERNAL bool ilb__health_bad(ilb__judge *j, ilb__slot *slot, bool probe,
                                  uint32_t row, uint32_t n_ready, uint32_t bits,
                                  uint64_t now_ns);

/* A probe ended with neither: the next request may try again. */
ILB_INTERNAL void ilb__health_inconclusive(ilb__judge *j, ilb__slot *slot,
                                           uint64_t now_ns);

/* Is it time to look for an endpoint to probe? One word to read. */
static inline bool ilb__judge_due(const ilb__judge *j, uint64_t now_ns)
{
    return ILB_UNLIKELY(now_ns >= ilb__load_relaxed(&j->next_due_ns));
}

/* What is due must be looked for once more: the search may have missed one. */
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
