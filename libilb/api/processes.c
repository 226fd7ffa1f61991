/* SPDX-License-Identifier: MIT */
/* A balancer that several processes share, and requests that have a lease. */
#include "api/balancer.h"
#include "health/probe.h"
#include "set/repair.h"

#define PROCESSES_TRIES 10000

/* ---- The writer's mutex ------------------------------------------------ */

static void processes_settle(ilb__slot *slot, bool drawn, void *user)
{
    ilb_balancer *b = user;
    bool out =
        ilb__health_state_of(ilb__load_relaxed(&slot->health)) == ILB__OUT;

    if (drawn && out)
        ilb__health_enter(&b->judge, slot, ilb__table_view(&b->set.table).n,
                          ilb__load_relaxed(&b->time.last_ns));
    else if (!drawn && !out)
        ilb__health_leave(&b->judge, slot);
}

ILB_INTERNAL void ilb__balancer_repair(ilb_balancer *b)
{
    ilb__set_repair(&b->set, processes_settle, b);
}

static bool processes_locked(ilb_balancer *b, int lock_result)
{
    if (ILB_LIKELY(lock_result == 0))
        return true;
    if (!ilb__system_owner_died(lock_result))
        return false;
    ilb__balancer_repair(b);
    ilb__system_consistent(&b->writer);
    return true;
}

ILB_INTERNAL void ilb__balancer_lock(ilb_balancer *b)
{
    (void)processes_locked(b, pthread_mutex_lock(&b->writer));
}

ILB_INTERNAL bool ilb__balancer_try_lock(ilb_balancer *b)
{
    return processes_locked(b, pthread_mutex_trylock(&b->writer));
}

/* ---- Tickets ----------------------------------------------------------- */

ILB_INTERNAL bool ilb__balancer_counts(const ilb_balancer *b,
                                       const ilb_ticket *t)
{
    const ilb__slot *slot = ilb__balancer_slot(b, t);
    uint64_t word = ilb__load_relaxed(&slot->load.word);

    if (ilb__load_generation(word) !=
            ilb__endpoint_id_generation(ilb__ticket_id(t)) ||
        ilb__lease_is_over(slot, t->internal[1], ilb__ticket_is_answered(t)))
        return false;
    return !b->shared ||
           (ilb__process_here(&b->upkeep.processes) != 0 &&
            ilb__held_has(ilb__balancer_held(b, t), ilb__ticket_where(t)));
}

ILB_INTERNAL void ilb__balancer_takes(const ilb_balancer *b,
                                      const ilb_ticket *t)
{
    ilb__held *held = ilb__balancer_held(b, t);

    ilb__held_take(held, ilb__ticket_where(t), ilb__ticket_is_probe(t));
    ilb__cost_take(&held->extra_cost, ilb__ticket_cost(t));
}

ILB_INTERNAL bool ilb__balancer_drops(const ilb_balancer *b,
                                      const ilb_ticket *t)
{
    ilb__held *held = ilb__balancer_held(b, t);

    if (!ilb__held_drop(held, ilb__ticket_where(t), ilb__ticket_is_probe(t)))
        return false;
    ilb__cost_return(&held->extra_cost, ilb__ticket_cost(t));
    return true;
}

/* ---- Processes that have ended ----------------------------------------- */

/* All that the process of an entry holds. The caller has the mutex. */
static void processes_reclaim(ilb_balancer *b, uint32_t index, uint64_t entry,
                              uint64_t now_ns)
{
    uint32_t n_slots = ilb__load32_relaxed(&b->set.n_fresh);
    uint32_t stamp = (uint32_t)(entry & ILB_PROCESS_GENERATION)
                         << ILB_PROCESS_INDEX_BITS |
                     index;
    ilb__upkeep *u = &b->upkeep;

    for (uint32_t k = 0; k < n_slots; k++)
        ilb__reclaim_slot(&b->judge, &b->set.slots[k],
                          ilb__holdings_of(&u->holdings, index, k), now_ns);
    ilb__events_bury(&b->events, stamp);
    /* It may have ejected one and not yet said when that is due. */
    if (ilb__load32_relaxed(&b->judge.n_ejected) > 0)
        ilb__judge_search_again(&b->judge, now_ns);
    ilb__audit_want(&u->audit);
    u->ended_ns = now_ns;
    u->last_event = ilb__load_relaxed(&b->events.n_numbered);
    ilb__store32_relaxed(&u->busy, 1);
    (void)ilb__process_free(&u->processes, index, entry);
}

static void processes_reap(ilb_balancer *b, uint64_t now_ns)
{
    ilb__processes *p = &b->upkeep.processes;
    uint32_t n = ilb__load32_relaxed(&p->n_used);

    for (uint32_t i = 0; i < n; i++) {
        uint64_t entry = ilb__process_entry(p, i);

        if (ilb__process_is_over(p, entry))
            processes_reclaim(b, i, entry, now_ns);
    }
    b->upkeep.reaped_ns = now_ns;
}

/* What ended processes left half done shows when it is not done after a
 * second. */
static void processes_give_up_events(ilb_balancer *b, uint64_t now_ns)
{
    ilb__upkeep *u = &b->upkeep;

    if (u->last_event == 0 ||
        ilb__elapsed_ns(u->ended_ns, now_ns) < ILB_UPKEEP_REAP_NS)
        return;
    ilb__events_give_up_before(&b->events, u->last_event);
    u->last_event = 0;
}

static void processes_audit(ilb_balancer *b, uint64_t now_ns)
{
    ilb__upkeep *u = &b->upkeep;
    uint32_t n_rows = ilb__load32_relaxed(&u->processes.n_used);
    uint32_t most = n_rows == 0 ? 1 : 1 + ILB_UPKEEP_HELD / n_rows;

    ilb__audit_go_on(&u->audit, &b->judge, b->set.slots,
                     ilb__load32_relaxed(&b->set.n_fresh), &u->holdings, n_rows,
                     most < ILB_UPKEEP_SLOTS ? most : ILB_UPKEEP_SLOTS, now_ns);
}

static void processes_look(ilb_balancer *b, uint64_t now_ns)
{
    ilb__upkeep *u = &b->upkeep;

    if (!ilb__balancer_try_lock(b))
        return;
    if (ilb__elapsed_ns(u->reaped_ns, now_ns) >= ILB_UPKEEP_REAP_NS)
        processes_reap(b, now_ns);
    processes_give_up_events(b, now_ns);
    processes_audit(b, now_ns);
    if (!u->audit.wanted && !u->audit.going && u->last_event == 0)
        ilb__store32_relaxed(&u->busy, 0);
    ilb__balancer_unlock(b);
}

/* ---- From time to time ------------------------------------------------- */

static void processes_walk(ilb_balancer *b, uint64_t now_ns)
{
    uint32_t n_slots = ilb__load32_relaxed(&b->set.n_fresh);
    ilb__upkeep *u = &b->upkeep;
    uint32_t n = n_slots < ILB_UPKEEP_SLOTS ? n_slots : ILB_UPKEEP_SLOTS;
    uint32_t at = ilb__add32_relaxed(&u->at, n);
    ilb__holdings h = u->holdings;

    /* Rows that nobody has had are not touched. */
    h.n_rows = ilb__load32_relaxed(&u->processes.n_used);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = (at + i) % n_slots;

        ilb__lease_look_at(&b->set.slots[k], &h, k, u->lease_ns, now_ns);
    }
}

/* Is it time, and this caller the first? */
static bool processes_due(ilb__a64 *last_ns, uint64_t period_ns,
                          uint64_t now_ns)
{
    uint64_t last = ilb__load_relaxed(last_ns);

    return ILB_UNLIKELY(ilb__elapsed_ns(last, now_ns) >= period_ns) &&
           ilb__cas_strong_relaxed(last_ns, last, now_ns);
}

ILB_INTERNAL void ilb__balancer_keep_up(ilb_balancer *b, uint64_t now_ns)
{
    ilb__upkeep *u = &b->upkeep;

    if (u->lease_ns != 0 &&
        processes_due(&u->walked_ns, ILB_UPKEEP_PERIOD_NS, now_ns))
        processes_walk(b, now_ns);
    if (b->shared &&
        processes_due(&u->looked_ns,
                      ilb__load32_relaxed(&u->busy) != 0 ? ILB_UPKEEP_PERIOD_NS
                                                         : ILB_UPKEEP_REAP_NS,
                      now_ns))
        processes_look(b, now_ns);
}

/* ---- Coming and going -------------------------------------------------- */

/* Where very many have ended within a second they stand in the way. Whoever
 * holds the lock does so for a moment; nobody waits for it here. */
ILB_INTERNAL int ilb__balancer_enter_anew(ilb_balancer *b)
{
    ilb__processes *p = &b->upkeep.processes;
    uint32_t stamp;
    int rc = ilb__process_enter(p, &stamp);

    for (uint32_t i = 0; rc == ILB_EBUSY && i < PROCESSES_TRIES; i++) {
        if (!ilb__balancer_try_lock(b))
            continue;
        processes_reap(b, ilb__load_relaxed(&b->time.last_ns));
        ilb__balancer_unlock(b);
        rc = ilb__process_enter(p, &stamp);
    }
    return rc == ILB_EBUSY ? ILB_EPROCESSES : rc;
}

ILB_INTERNAL void ilb__balancer_leave(ilb_balancer *b)
{
    ilb__processes *p = &b->upkeep.processes;
    uint32_t stamp = ilb__process_here(p);
    uint32_t index = ilb__process_index(stamp);

    if (stamp == 0)
        return;
    ilb__balancer_lock(b);
    processes_reclaim(b, index, ilb__process_entry(p, index),
                      ilb__load_relaxed(&b->time.last_ns));
    ilb__balancer_unlock(b);
}

ILB_API int ilb_process_ended(ilb_balancer *b, int64_t pid)
{
    ilb__processes *p;

    if (b == NULL || !b->shared || pid <= 0 || pid > INT32_MAX)
        return ILB_EINVAL;
    p = &b->upkeep.processes;
    if (pid == p->system->pid(p->system->user))
        return ILB_EINVAL;
    if (!ilb__process_end(p, pid))
        return ILB_OK;
    ilb__balancer_lock(b);
    processes_reap(b, ilb__balancer_now(b, 0));
    ilb__balancer_unlock(b);
    return ILB_OK;
}
