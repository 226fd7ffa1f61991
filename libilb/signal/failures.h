/* SPDX-License-Identifier: MIT */
/*
 * The failures of one endpoint: how many in a row, and the recent share.
 *
 *   bits  0..31  `stamp`  time of the last change, in 2^20 ns
 *   bits 32..47  `row`    failures since the last good answer; saturates
 *   bits 48..63  `share`  in 1/65535
 *
 * A failure moves the share by 1/5 of the way to 1, a good answer by 1/10 of
 * the way to 0, and time fades it with a time constant of 3 s: one failure
 * must not cost a healthy endpoint its traffic for longer than seconds.
 *
 * The word of an endpoint that does not fail is 0 and is not written.
 */
#ifndef ILB_SIGNAL_FAILURES_H
#define ILB_SIGNAL_FAILURES_H

#include "base/atomics.h"

typedef struct ilb__failures {
    ilb__a64 word;
} ilb__failures;

/* The recent share of failures, 0..1. */
ILB_INTERNAL float ilb__failures_share(const ilb__failures *f, uint64_t now_ns);

/* Failures in a row. */
ILB_INTERNAL uint32_t ilb__failures_in_a_row(const ilb__failures *f);

/* Did the last request fail, less than `suspect_ns` ago? */
ILB_INTERNAL bool ilb__failures_suspect(const ilb__failures *f,
                                        uint64_t suspect_ns, uint64_t now_ns);

/* A good answer. */
ILB_INTERNAL void ilb__failures_good(ilb__failures *f, uint64_t now_ns);

/* A failure; `in_a_row` false: it raises the share only. Returns how many in
 * a row there are now. */
ILB_INTERNAL uint32_t ilb__failures_bad(ilb__failures *f, bool in_a_row,
                                        uint64_t now_ns);

#endif
