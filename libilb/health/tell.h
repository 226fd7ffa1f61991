/* SPDX-License-Identifier: MIT */
/*
 * Telling what happens to an endpoint: each change that a request makes is told
 * to the judge's watcher, with the evidence for it, after it has been made; so
 * is a verdict that is not acted on, once in base_ejection_time_ns for an
 * endpoint and a detector: as often as it would have been. Claiming a probe and
 * giving it up are told by whoever does it, who knows what became of the
 * request.
 *
 * What is told is also counted, by detector, for the snapshot.
 */
#ifndef ILB_HEALTH_TELL_H
#define ILB_HEALTH_TELL_H

#include "health/health.h"

/* From one word to another, by a verdict or by none (NULL). */
ILB_INTERNAL void ilb__tell(const ilb__judge *j, const ilb__slot *slot,
                            ilb_event_type type, ilb_reason reason,
                            uint64_t from, uint64_t to, const ilb__verdict *v,
                            uint64_t now_ns);

/* The verdict has ejected the endpoint. */
ILB_INTERNAL void ilb__tell_ejected(const ilb__judge *j, ilb__slot *slot,
                                    uint64_t from, uint64_t to,
                                    const ilb__verdict *v, uint64_t now_ns);

/* The verdict is not acted on, for a reason. */
ILB_INTERNAL void ilb__tell_refused(const ilb__judge *j, ilb__slot *slot,
                                    ilb_reason reason, const ilb__verdict *v,
                                    uint64_t now_ns);

#endif
