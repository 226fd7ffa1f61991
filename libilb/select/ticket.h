/* SPDX-License-Identifier: MIT */
/*
 * What an ilb_ticket holds. It lives in the caller's memory, so nothing in it
 * is trusted before its check has been seen to fit: another balancer's ticket,
 * or whatever lay on the stack, is refused.
 *
 *   internal[0]  bits 0..31 slot, 32..54 generation, 55 parity, 56 probe,
 *                57..58 stage: 1 in flight, 2 done, 59 trial, 60 timed
 *   internal[1]  when it was picked, ns
 *   internal[2]  bits 0..43 time to the first byte, ns, + 1; 0: not told;
 *                44..63 cost (signal/cost.h)
 *   internal[3]  check: of internal[0] but for the stage, internal[1], the cost
 *                and the balancer's secret
 */
#ifndef ILB_SELECT_TICKET_H
#define ILB_SELECT_TICKET_H

#include "base/hash.h"
#include "select/select.h"

#define ILB_TICKET_ID_MASK ((UINT64_C(1) << 55) - 1)
#define ILB_TICKET_PARITY (UINT64_C(1) << 55)
#define ILB_TICKET_PROBE (UINT64_C(1) << 56)
#define ILB_TICKET_IN_FLIGHT (UINT64_C(1) << 57)
#define ILB_TICKET_DONE (UINT64_C(1) << 58)
#define ILB_TICKET_TRIAL (UINT64_C(1) << 59)
#define ILB_TICKET_TIMED (UINT64_C(1) << 60)
#define ILB_TICKET_COST_SHIFT 44
#define ILB_TICKET_BYTE_MASK ((UINT64_C(1) << ILB_TICKET_COST_SHIFT) - 1)
#define ILB_TICKET_STAGE (ILB_TICKET_IN_FLIGHT | ILB_TICKET_DONE)

static inline uint64_t ilb__ticket_check(uint64_t secret, const ilb_ticket *t)
{
    return ilb__mix64((t->internal[1] ^ secret) * ILB_GOLDEN ^
                      (t->internal[2] & ~ILB_TICKET_BYTE_MASK) ^
                      (t->internal[0] & ~ILB_TICKET_STAGE));
}

/* In flight or done, of the balancer with this secret? */
static inline bool ilb__ticket_is_ours(uint64_t secret, const ilb_ticket *t)
{
    return t->internal[3] == ilb__ticket_check(secret, t);
}

static inline bool ilb__ticket_in_flight(uint64_t secret, const ilb_ticket *t)
{
    return (t->internal[0] & ILB_TICKET_STAGE) == ILB_TICKET_IN_FLIGHT &&
           ilb__ticket_is_ours(secret, t);
}

static inline ilb__endpoint_id ilb__ticket_id(const ilb_ticket *t)
{
    return t->internal[0] & ILB_TICKET_ID_MASK;
}

static inline bool ilb__ticket_is_answered(const ilb_ticket *t)
{
    return (t->internal[2] & ILB_TICKET_BYTE_MASK) != 0;
}

/* Where signal/load.h counts it. */
static inline uint32_t ilb__ticket_where(const ilb_ticket *t)
{
    if (ilb__ticket_is_answered(t))
        return ILB_LOAD_IS_ANSWERED;
    return (t->internal[0] & ILB_TICKET_PARITY) != 0;
}

static inline bool ilb__ticket_is_probe(const ilb_ticket *t)
{
    return (t->internal[0] & ILB_TICKET_PROBE) != 0;
}

static inline bool ilb__ticket_is_trial(const ilb_ticket *t)
{
    return (t->internal[0] & ILB_TICKET_TRIAL) != 0;
}

static inline bool ilb__ticket_is_timed(const ilb_ticket *t)
{
    return (t->internal[0] & ILB_TICKET_TIMED) != 0;
}

static inline void ilb__ticket_write(uint64_t secret, ilb_ticket *t,
                                     const ilb__choice *choice, uint64_t now_ns)
{
    t->internal[0] = choice->id | (choice->parity ? ILB_TICKET_PARITY : 0) |
                     (choice->probe ? ILB_TICKET_PROBE : 0) |
                     ILB_TICKET_IN_FLIGHT;
    if (ILB_UNLIKELY(choice->trial != ILB_TRIAL_NOT))
        t->internal[0] |=
            ILB_TICKET_TRIAL | (choice->timed ? ILB_TICKET_TIMED : 0);
    t->internal[1] = now_ns;
    t->internal[2] = (uint64_t)choice->cost << ILB_TICKET_COST_SHIFT;
    t->internal[3] = ilb__ticket_check(secret, t);
}

static inline void ilb__ticket_first_byte(ilb_ticket *t, uint64_t now_ns)
{
    uint64_t ns = ilb__elapsed_ns(t->internal[1], now_ns);

    if (ns >= ILB_TICKET_BYTE_MASK) /* after five hours */
        ns = ILB_TICKET_BYTE_MASK - 1;
    t->internal[2] |= ns + 1;
}

/* Time to the first byte, if it was told, else to now. */
static inline uint64_t ilb__ticket_latency_ns(const ilb_ticket *t,
                                              uint64_t now_ns)
{
    return ilb__ticket_is_answered(t)
               ? (t->internal[2] & ILB_TICKET_BYTE_MASK) - 1
               : ilb__elapsed_ns(t->internal[1], now_ns);
}

static inline uint32_t ilb__ticket_cost(const ilb_ticket *t)
{
    return (uint32_t)(t->internal[2] >> ILB_TICKET_COST_SHIFT);
}

/* In flight -> done. */
static inline void ilb__ticket_finish(ilb_ticket *t)
{
    t->internal[0] ^= ILB_TICKET_STAGE;
}

#endif
