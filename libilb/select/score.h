/* SPDX-License-Identifier: MIT */
/*
 * What it costs to send the next request to an endpoint. Lower is better.
 *
 *     cost = (L + 10 m max(0, s - 2 p0)) (1 + q / w)
 *
 *   L  latency expected of it: the estimate faded to the median
 *      (signal/latency.h), or the age of its oldest unanswered request if that
 *      is more: silence is evidence;
 *   m  the median of all endpoints, at least 20 us: what differs by less is
 *      the host's interrupts;
 *   s  its recent share of failures, 0..1; up to twice p0, what healthy peers
 *      have as well, it says nothing. A certain failure costs as much as an
 *      answer that takes ten times the median. A single failure (s = 1/5) makes
 *      it three times as dear, for a few seconds;
 *   q  its requests in flight, by their costs (signal/cost.h); long-lived ones
 *      count less (signal/longlived.h);
 *   w  its weight over the mean weight. Draws go by weight (select/draw.h);
 *      this keeps heavier endpoints from looking busy.
 *
 * To compare all that are drawn would undo the draw by weight: where few
 * requests are in flight, chance decides who is a little cheaper, and it
 * favours the small ones, which are often idle. So where weights differ the
 * first one drawn is taken at once if it fits: it is not held back, is not
 * dearer for what it is than 2 m, and has no more in flight than chance
 * explains, w P + max(1, 1.4 sqrt(w P)), where P = rate x m / n is what is in
 * flight to an endpoint in the mean, by Little's law: a look at what is in
 * flight just now would be 0 or too much. (Envoy draws by weight / (active + 1)
 * from a schedule, and knows no latency; gRPC's client-side WRR does not look
 * at what is in flight.)
 *
 * Enough: a cost up to which there is no need to look at more candidates,
 *
 *     1.2 m (1 + 0.3 Q)
 *
 * where Q is what is in flight to an endpoint in the mean. So an idle or
 * lightly loaded endpoint that is as fast as the others is taken at once, and
 * where most are slow or busy more are looked at. Two choices alone give the
 * longest waits a chance that more choices take away (M. Mitzenmacher 1996:
 * each choice more helps little on average, but it is the tail that callers
 * feel); to look at all of them, always, costs time and herds. With few
 * requests, in an aperture (health/pool.h), 0.3 m: information is scarce there
 * and looking is cheap.
 *
 * Held back, so that any other that is not is better, whatever it costs. Of
 * those that are, hanging and suspect ones come last; else the cheaper one:
 *   - at its in-flight cap: WARMING (health/health.h); one in flight while its
 *     last answers were peaks, or while it is suspect;
 *   - hanging: the age is above max(1.5 p99, 3 m, 2 ms) (signal/figures.h).
 *     One request that waits alone for four times as long may be a long one, as
 *     nobody else was sent since: then neither its age nor its load counts, so
 *     that another tries, until that is answered (signal/overtaken.h) or waits
 *     as well. Where others have been overtaken that is likely: then another
 *     tries at once, and whenever it has been silent half as long again;
 *   - full, worse than all: those that are left cannot carry everything
 *     (health/overload.h), and it has its part in flight;
 *   - suspect, for a moment: the last request failed, and that is evidence
 *     against it: `broken` is at 3 nats (signal/evidence.h, health/pool.h).
 *
 * A request to an endpoint of which nothing good is known is a trial: somebody
 * has to be the first to ask. The caller is told (ilb_ticket_try_timeout_ns),
 * so that he can send it elsewhere when it fails:
 *   - timed, also when it takes longer than hanging: a probe, another waits
 *     there alone (above), no good answer so far (not timed if that is so of
 *     many), suspect, slow three times apart, or `broken`
 *     is at 1 nat or `faulty` at 2: a share of its requests fails, and some
 *     fail by waiting. One that is given up early adds to `faulty`, so that the
 *     next are trials still. Where many fail or are slow (health/pool.h) only
 *     probes are timed, and who waits there alone: it is the load then, or what
 *     they share, and what is given up and sent again makes more of it;
 *   - else, when it was ejected of late, or refused within a minute
 *     (signal/refusals.h): it may fail, but to give it up early says more
 *     against it than it deserves.
 *
 * Source: cost = latency x (in flight + 1) of Finagle's and tower's peak EWMA;
 * a price on failures as in linkerd2's load biaser and brpc, but of the share,
 * so that it does not outlive the failing.
 *
 * least_request: cost = 1 + q / w.
 */
#ifndef ILB_SELECT_SCORE_H
#define ILB_SELECT_SCORE_H

#include "health/pool.h"
#include "health/ramp.h"

typedef struct ilb__score_context {
    uint64_t now_ns;
    ilb__figures figures;
    float hang_ns;          /* an age above it: hanging */
    float enough;           /* a cost up to it: look no further */
    float in_flight;        /* to an endpoint in the mean, by Little's law;
                               where weights differ */
    float weight_scale;     /* 1 / mean weight; 0: all are equal */
    uint64_t slow_start_ns; /* 0: none */
    bool latency;           /* else by requests in flight alone */
    bool plain;             /* and nothing changes the formula for all */
} ilb__score_context;

typedef struct ilb__score {
    float cost;
    uint8_t held; /* an ilb_held */
} ilb__score;

/* 0: not held back; 1: to be careful; 2: it shows signs of a fault; 3: full. */
static inline int ilb__score_held_rank(const ilb__score *s)
{
    if (ILB_LIKELY(s->held == ILB_HELD_NOT))
        return 0;
    if (s->held == ILB_HELD_FULL)
        return 3;
    return s->held == ILB_HELD_HANGING || s->held == ILB_HELD_SUSPECT ||
                   s->held == ILB_HELD_FAILED
               ? 2
               : 1;
}

static inline bool ilb__score_better(const ilb__score *a, const ilb__score *b)
{
    int a_rank = ilb__score_held_rank(a), b_rank = ilb__score_held_rank(b);

    return a_rank == b_rank ? a->cost < b->cost : a_rank < b_rank;
}

/* Need no more be looked at than the best so far? */
static inline bool ilb__score_enough(const ilb__score *best,
                                     const ilb__score_context *c)
{
    return best->held == ILB_HELD_NOT && best->cost <= c->enough;
}

/* Where weights differ: is what was drawn good enough to be taken for its
 * weight? */
ILB_INTERNAL bool ilb__score_fits(const ilb__slot *slot, uint64_t load,
                                  const ilb__score *s,
                                  const ilb__score_context *c);

/* Is a request to it a trial, that may well fail, and why? */
ILB_INTERNAL ilb_trial ilb__score_trial_of(const ilb__slot *slot,
                                           uint64_t health,
                                           const ilb__score_context *c);

/* The same, at once where nothing is held against it. */
static inline ilb_trial ilb__score_trial(const ilb__slot *slot, uint64_t health,
                                         const ilb__score_context *c)
{
    return ILB_LIKELY(ilb__health_is_calm(health) &&
                      ilb__latency_level(&slot->latency) == 0 &&
                      (ilb__load_relaxed(&slot->evidence) |
                       ilb__load_relaxed(&slot->refusals)) == 0)
               ? ILB_TRIAL_NOT
               : ilb__score_trial_of(slot, health, c);
}

/* May a trial also take for ever? */
static inline bool ilb__score_trial_is_timed(ilb_trial trial,
                                             const ilb__figures *f)
{
    switch (trial) {
    case ILB_TRIAL_PROBE:
    case ILB_TRIAL_AGAIN:
        return true;
    case ILB_TRIAL_UNTRIED:
        return !f->cold && !f->many_on_trial;
    case ILB_TRIAL_SLOW:
    case ILB_TRIAL_SUSPECT:
    case ILB_TRIAL_FAILING:
        return !f->many_on_trial;
    case ILB_TRIAL_NOT:
    case ILB_TRIAL_RETURNED:
    case ILB_TRIAL_REFUSED:
    case ILB_TRIAL_COUNT:
        break;
    }
    return false;
}

/* Has it been silent for so long that another may ask? */
static inline bool ilb__score_asks_again(const ilb__slot *slot, uint64_t load,
                                         float age_ns,
                                         const ilb__score_context *c)
{
    if (ILB_LIKELY(age_ns <= c->hang_ns))
        return false;
    if (ilb__epochs_n(&slot->overtaken) == 0)
        return age_ns > ilb__figures_again_ns(&c->figures) &&
               ilb__load_unanswered(load) == 1;
    return (float)ilb__elapsed_ns(ilb__load_relaxed(&slot->asked_ns),
                                  c->now_ns) > age_ns / 2;
}

/* What is in flight to it, in ordinary requests. */
static inline float ilb__score_load(const ilb__slot *slot, uint64_t load,
                                    const ilb__figures *f)
{
    uint32_t in_flight = ilb__load_in_flight(load);
    float q = ilb__cost_load(&slot->extra_cost, in_flight);
    uint32_t n = ilb__longlived_n(&slot->longlived, in_flight,
                                  ilb__load_relaxed(&slot->lost.n));

    if (ILB_LIKELY(n == 0))
        return q;
    q -= (float)n * (1 - f->longlived);
    return q > 0 ? q : 0;
}

/* Age of its oldest unanswered request, at least; 0: there is none. Since the
 * clock jumped, if it did. */
static inline uint64_t ilb__score_age_ns(const ilb__slot *slot, uint64_t load,
                                         const ilb__figures *f, uint64_t now_ns)
{
    uint64_t age_ns = ilb__load_age_ns(&slot->load, load, now_ns);

    if (ILB_UNLIKELY(!ilb__figures_passed(f, now_ns - age_ns, now_ns)))
        age_ns = now_ns - f->jumped_ns;
    return age_ns;
}

/* The whole formula. */
ILB_INTERNAL ilb__score ilb__score_in_full(const ilb__slot *slot, uint64_t load,
                                           uint64_t health,
                                           const ilb__score_context *c);

/* Has all that it holds against an endpoint been found to be 0? */
static inline bool ilb__score_is_plain(const ilb__slot *slot, uint64_t health,
                                       uint64_t latency)
{
    return ilb__health_state_of(health) == ILB__HEALTHY &&
           (ilb__load_relaxed(&slot->failures.word) |
            ilb__load_relaxed(&slot->extra_cost) |
            ilb__epochs_n(&slot->overtaken) | ilb__epochs_n(&slot->longlived) |
            ilb__latency_level_of(latency)) == 0;
}

/* What is left of the formula for an endpoint that is well, as most are. If it
 * is held back, as it hangs, the whole is needed. */
static inline ilb__score ilb__score_of_plain(const ilb__slot *slot,
                                             uint64_t load, uint64_t latency,
                                             const ilb__score_context *c)
{
    ilb__score score = {0, ILB_HELD_NOT};

    score.cost = ilb__latency_of(latency, &c->figures, c->now_ns);
    if (ilb__load_unanswered(load) != 0) {
        float age_ns =
            (float)ilb__score_age_ns(slot, load, &c->figures, c->now_ns);

        if (ILB_UNLIKELY(age_ns > c->hang_ns))
            score.held = ILB_HELD_HANGING;
        if (score.cost < age_ns)
            score.cost = age_ns;
    }
    if (score.cost < 1)
        score.cost = 1;
    score.cost *= 1 + (float)ilb__load_in_flight(load);
    return score;
}

/* `load` and `health` were just read from `slot`. */
static inline ilb__score ilb__score_of(const ilb__slot *slot, uint64_t load,
                                       uint64_t health,
                                       const ilb__score_context *c)
{
    uint64_t latency = ilb__load_relaxed(&slot->latency.word);

    if (ILB_LIKELY(c->plain && ilb__score_is_plain(slot, health, latency))) {
        ilb__score score = ilb__score_of_plain(slot, load, latency, c);

        if (ILB_LIKELY(score.held == ILB_HELD_NOT))
            return score;
    }
    return ilb__score_in_full(slot, load, health, c);
}

/* The latency that the score uses: L above. */
ILB_INTERNAL float ilb__score_latency_ns(const ilb__slot *slot, uint64_t load,
                                         const ilb__figures *f,
                                         uint64_t now_ns);

/* What the score needs of the figures. */
ILB_INTERNAL void ilb__score_prepare(ilb__score_context *c);

#endif
