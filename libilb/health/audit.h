/* SPDX-License-Identifier: MIT */
/*
 * The audit: what counts two things that must agree, and is counted by steps of
 * several words, is off for ever if a process is killed between two of them.
 * After each process that has ended the books are compared, slot by slot:
 *
 *     in flight, where it is counted   the sum of what all processes hold there
 *     extra cost                       the sum of theirs, less what is lost
 *                                      (signal/lost.h)
 *     endpoints that are ejected       the slots that say so
 *
 * As requests go on meanwhile, a difference may be one that is on its way: so
 * only what has been there in each of three looks, a second apart at least, is
 * corrected, by the least of the three; and of a slot that changes while it is
 * looked at nothing is noted. Looks go on until one finds no difference.
 *
 * An error is possible, of one request, if a process stands still between the
 * same two steps in all three looks; it then ends as a copy of a ticket that is
 * done would, and its count is right again.
 *
 * For one caller at a time, under the balancer's mutex.
 */
#ifndef ILB_HEALTH_AUDIT_H
#define ILB_HEALTH_AUDIT_H

#include "health/reclaim.h"

#define ILB_AUDIT_PERIOD_NS ILB_SECOND_NS
#define ILB_AUDIT_LOOKS 3

/* What was found in a slot so far. */
typedef struct ilb__audit_note {
    uint16_t more[ILB_HELD_PLACES]; /* in flight that no process has */
    uint8_t looks;                  /* that have found it; 0: nothing */
    uint64_t extra_cost;            /* too much; two's complement */
} ilb__audit_note;

typedef struct ilb__audit {
    ilb__audit_note *notes;
    bool wanted, going;                   /* an audit; a look */
    bool found;                           /* a difference, in this look */
    uint32_t at;                          /* slots looked at */
    uint64_t began_ns;                    /* this look, or the last */
    uint32_t n_ejected;                   /* counted in this look */
    uint32_t more_ejected, ejected_looks; /* as in a note */
} ilb__audit;

ILB_INTERNAL void ilb__audit_init(ilb__audit *a, ilb__arena *arena,
                                  uint32_t n_slots);

/* A process has ended. */
static inline void ilb__audit_want(ilb__audit *a)
{
    a->wanted = true;
}

/* Looks at up to `most` of the first `n_slots`, of as many processes as ever
 * took part. */
ILB_INTERNAL void ilb__audit_go_on(ilb__audit *a, ilb__judge *j,
                                   ilb__slot *slots, uint32_t n_slots,
                                   const ilb__holdings *h, uint32_t n_rows,
                                   uint32_t most, uint64_t now_ns);

#endif
