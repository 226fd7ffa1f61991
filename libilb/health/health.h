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
 *   bits  8..11  good    good answers while WARMING; PROBING: 1 if it is early
 *   bits 12..15  by      the detector that ejected it: EJECTED, PROBING
 *   bits 16..63  until   in units of 2^16 ns: EJECTED, when the next probe is
 *                        due; PROBING, when this one counts as lost; HEALTHY
 *                        with a level, when the level falls by one
 *
 * Every change is one CAS, so exactly one of many threads ejects an endpoint,
 * takes its probe, or counts it as back.
 *
 * Who ejects: the detectors (detectors.h); for how long: ladder.h; how many may
 * be: cap.h.
 *
 * Return is half-open: when the time has come one request tries the endpoint
 * (PROBING); its success brings it back to WARMING, as a newcomer of whom
 * nothing is known and to whom few requests may be in flight at first; anything
 * else ejects it again. The level falls by one for each 30 s x level of being
 * healthy: by evidence, not by time spent ejected. (Half-open return: Finagle's
 * failure accrual; growth and decay: Envoy's outlier detection, which however
 * returns to full traffic by time alone.)
 *
 * What happens is told (tell.h).
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

/* What was found, and by which detector. */
typedef struct ilb__verdict {
    ilb_detector detector; /* ILB_DETECTOR_NONE: nothing */
    double statistic, threshold;
} ilb__verdict;

/* What a failure is judged by. */
typedef struct ilb__failing {
    uint32_t row; /* so many in a row with this one */
    ilb__evidence_sums sums;
    uint32_t n_ready; /* endpoints */
    uint32_t bits;    /* random ones, for the jitter */
    bool refused;     /* for load: nothing of it says that it is broken */
    uint64_t retry_after_ns; /* it asks to be left alone so long; 0: no */
} ilb__failing;

/* One change of state, or one that was refused. */
typedef struct ilb__transition {
    ilb_event_type type;
    ilb_state from, to;
    ilb_reason reason;
    ilb__verdict verdict;
    ilb__evidence_run evidence;
    uint64_t until_ns;
    uint64_t now_ns;
} ilb__transition;

typedef struct ilb__judge {
    /* Told of each transition; NULL: nobody is. */
    void (*tell)(const ilb__slot *slot, const ilb__transition *t, void *user);
    void *tell_user;
    uint32_t consecutive_failures;
    uint32_t max_ejection_percent;
    uint64_t base_ejection_time_ns;
    uint64_t max_ejection_time_ns;
    uint64_t max_retry_after_ns;
    ilb__checks_rule checks;
    bool check_unejects;
    uint64_t slow_start_ns; /* 0: none */
    uint64_t latency_margin_ns;
    bool by_cost;           /* endpoints are chosen by what they cost */
    uint32_t min_endpoints; /* never ejected */
    uint32_t panic_threshold_percent;
    uint32_t detectors_off; /* a bit each */
    uint32_t detectors_shadow;
    bool fail_closed;
    _Alignas(ILB_CACHELINE_BYTES) ilb__a32 n_ejected; /* and probing */
    ilb__a64 next_due_ns; /* no ejected endpoint is due before; UINT64_MAX */
    ilb__a64 host_ns;     /* when the caller asked for a probe last */
    ilb__a64 early_ns;    /* when one was made before its time */
} ilb__judge;

static inline enum ilb__health_state ilb__health_state_of(uint64_t word)
{
    return (enum ilb__health_state)(word & 7);
}

/* HEALTHY, and not ejected of late. */
static inline bool ilb__health_is_calm(uint64_t word)
{
    return (word & 255) == ILB__HEALTHY;
}

/* May it be drawn, apart from probes? */
static inline bool ilb__health_eligible(uint64_t word)
{
    enum ilb__health_state s = ilb__health_state_of(word);

    return s == ILB__HEALTHY || s == ILB__WARMING;
}

/* WARMING, without a good answer so far? */
static inline bool ilb__health_untried(uint64_t word)
{
    return ilb__health_state_of(word) == ILB__WARMING && (word >> 8 & 15) == 0;
}

/* Who ejected it, if it is EJECTED or PROBING. */
static inline ilb_detector ilb__health_by(uint64_t word)
{
    return (ilb_detector)(word >> 12 & 15);
}

/* Was it ejected of late? Its level has not yet come down to 0. */
static inline bool ilb__health_of_late(uint64_t word)
{
    return (word >> 3 & 31) != 0;
}

/* The state of an endpoint in the table, by its public name. */
ILB_INTERNAL ilb_state ilb__health_public_state(uint64_t word);

/* In flight at most, before others are preferred: 1 until the first good
 * answer, then 2, 3, 4, 8; no bound when healthy. */
ILB_INTERNAL uint32_t ilb__health_in_flight_cap(uint64_t word);

/* `until` in nanoseconds. */
ILB_INTERNAL uint64_t ilb__health_until_ns(uint64_t word);

ILB_INTERNAL void ilb__judge_init(ilb__judge *j, const ilb_options *o);

/* The endpoint can be drawn from now on, besides `n_ready` others; it cannot
 * any more. */
ILB_INTERNAL void ilb__health_enter(ilb__judge *j, ilb__slot *slot,
                                    uint32_t n_ready, uint64_t now_ns);
ILB_INTERNAL void ilb__health_leave(ilb__judge *j, ilb__slot *slot);

/* A good answer; `probe`: to the request that was the probe. A late one, of an
 * endpoint that was ejected as it hangs, makes its first probe due. */
ILB_INTERNAL void ilb__health_good(ilb__judge *j, ilb__slot *slot, bool probe,
                                   uint64_t now_ns);

/* It has come back, from this word: it is a newcomer again, and its place under
 * the cap free. */
ILB_INTERNAL void ilb__health_returned(ilb__judge *j, ilb__slot *slot,
                                       uint64_t word, uint64_t now_ns);

/* After an update: if more are ejected than the cap allows now, brings this
 * one back. */
ILB_INTERNAL void ilb__health_enforce_cap(ilb__judge *j, ilb__slot *slot,
                                          uint32_t n_ready, uint64_t now_ns);

#endif
