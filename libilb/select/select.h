/* SPDX-License-Identifier: MIT */
/*
 * One pick: what surrounds the policies.
 *
 *   1. A view of the table. If an ejected endpoint is due for its probe, the
 *      first request to come by takes it.
 *   2. The policy chooses among the eligible endpoints (policy.h).
 *   3. The ticket is taken by one fetch-add; if the endpoint has left in the
 *      meantime, the whole begins again.
 */
#ifndef ILB_SELECT_SELECT_H
#define ILB_SELECT_SELECT_H

#include "select/policy.h"

typedef struct ilb__choice {
    ilb__endpoint_id id;
    uint32_t parity; /* for ilb__load_return */
    bool probe;
    ilb_trial trial;
    bool timed;      /* a trial that may wait in vain as well */
    uint32_t cost;   /* signal/cost.h; set by the caller */
    bool probe_lost; /* the probe before it has not come back */
} ilb__choice;

/* ILB_OK: one more is in flight to the chosen endpoint. ILB_EEMPTY,
 * ILB_ENOTREADY, ILB_EEXCLUDED, ILB_EBUSY. `trace`, if not NULL, receives the
 * reasons; it changes no choice. */
ILB_INTERNAL int ilb__select(ilb__selector *s, ilb__judge *j,
                             const ilb__table *table, ilb__slot *slots,
                             const ilb__exclusion *exclusion, uint64_t now_ns,
                             ilb__choice *choice, ilb_explanation *trace);

/* A probe for the caller to make himself. ILB_OK, or ILB_ENOTDUE. */
ILB_INTERNAL int ilb__select_due(ilb__selector *s, ilb__judge *j,
                                 const ilb__table *table, ilb__slot *slots,
                                 uint64_t now_ns, ilb__choice *choice);

#endif
