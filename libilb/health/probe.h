/* SPDX-License-Identifier: MIT */
/*
 * Half-open probes: when an ejected endpoint is due to be tried, and by whom.
 *
 * The judge knows a time before which none is due; a pick reads that one word.
 * When it has come, one of those that pass looks at all endpoints: a request
 * takes the first that is due, and the time is set anew from the others.
 *
 * A caller who probes himself (ilb_probe_next) is left to it: to requests an
 * endpoint is due only ILB_PROBE_HOST_NS after its time, as long as he has
 * asked within that.
 *
 * While all that a request could go to hang, it is as good a probe of an
 * ejected endpoint, whenever that is due: one such request in the time after
 * which others count as hanging, or in 10 us for each endpoint if that is more,
 * as all are looked at. If it fails, the level stays as it was. Not of one that
 * has asked to be left alone, or that fails its checks.
 */
#ifndef ILB_HEALTH_PROBE_H
#define ILB_HEALTH_PROBE_H

#include "health/word.h"

/* One will be due then. */
ILB_INTERNAL void ilb__judge_due_at(ilb__judge *j, uint64_t at_ns);

/* A probe ended with neither: the next request may try again. False: it was no
 * longer the probe. */
ILB_INTERNAL bool ilb__health_inconclusive(ilb__judge *j, ilb__slot *slot,
                                           uint64_t now_ns);

/* Is it time to look for an endpoint to probe? One word to read. */
static inline bool ilb__judge_due(const ilb__judge *j, uint64_t now_ns)
{
    return ILB_UNLIKELY(now_ns >= ilb__load_relaxed(&j->next_due_ns));
}

/* Whatever is due, it must be looked for once more: the search may have missed
 * one. */
ILB_INTERNAL void ilb__judge_search_again(ilb__judge *j, uint64_t now_ns);

/* Whoever is due by then may be probed by a request: now, but earlier while the
 * caller makes probes of his own. */
ILB_INTERNAL uint64_t ilb__judge_due_by_ns(const ilb__judge *j,
                                           uint64_t now_ns);

/* When a caller who makes probes of his own should ask for one: when the next
 * is due, and before requests would be probes again for want of his asking. */
ILB_INTERNAL uint64_t ilb__judge_host_due_ns(const ilb__judge *j);

/* Begins the search of endpoints that were due by `due_by_ns`: true for one
 * caller, who passes every endpoint of the table to ilb__health_claim until
 * that is true. */
ILB_INTERNAL bool ilb__judge_begin_search(ilb__judge *j, uint64_t due_by_ns,
                                          uint64_t now_ns);

/* True: this slot is PROBING and the caller's request is its probe. Else,
 * when it will be due is noted. `may_claim` false: only note. */
ILB_INTERNAL bool ilb__health_claim(ilb__judge *j, ilb__slot *slot,
                                    bool may_claim, uint64_t due_by_ns,
                                    uint64_t now_ns);

/* May an endpoint be probed before its time? True for one caller in `every_ns`
 * at most. */
ILB_INTERNAL bool ilb__judge_begin_early(ilb__judge *j, uint64_t every_ns,
                                         uint64_t now_ns);

/* As ilb__health_claim, whether it is due or not. */
ILB_INTERNAL bool ilb__health_claim_early(ilb__judge *j, ilb__slot *slot,
                                          uint64_t now_ns);

#endif
