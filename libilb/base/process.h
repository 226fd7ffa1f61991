/* SPDX-License-Identifier: MIT */
/*
 * The processes that share a balancer, and which of them one is.
 *
 * Two memories: a table in the shared block, with an entry for each process,
 * and a page of the process's own that a fork empties (base/system.h), which
 * holds its stamp: the index of its entry and that entry's generation. A child
 * therefore finds 0 and takes an entry when it first uses the balancer; nobody
 * has to tell the library of a fork.
 *
 *   entry   bits  0..21  generation: of the process that it is for, or was;
 *                        0: it was for none yet
 *           bit  31      ended: somebody said so, or the pid is another's now
 *           bits 32..63  pid; 0: it is for none now
 *   stamp   bits  0..9   index of the entry
 *           bits 10..31  generation, never 0
 *
 * Taking an entry needs no lock, so that a thread which is stopped in it stops
 * no other. It is two steps: the process decides which entry it wants, by a CAS
 * in its own page, which all its threads then help to make: a CAS in the entry
 * from free to {pid, generation}. Whoever finds it made sets the stamp; if
 * another process was faster the wish is dropped and the next one chosen.
 *
 * An entry is given up by reclaiming (health/reclaim.h), when its process has
 * ended: its generation stays, so that a stamp is never of two processes. (It
 * wraps after 4 million.)
 */
#ifndef ILB_BASE_PROCESS_H
#define ILB_BASE_PROCESS_H

#include "base/atomics.h"
#include "base/memory.h"
#include "base/system.h"

#define ILB_PROCESS_INDEX_BITS 10
#define ILB_PROCESS_INDEX_MASK ((UINT32_C(1) << ILB_PROCESS_INDEX_BITS) - 1)
#define ILB_PROCESS_GENERATION ((UINT64_C(1) << 22) - 1)
#define ILB_PROCESS_ENDED (UINT64_C(1) << 31)

/* Of the process alone: a fork empties it. Stamps; 0: none. */
typedef struct ilb__self {
    ilb__a64 stamp;
    ilb__a64 wanted;
} ilb__self;

typedef struct ilb__processes {
    const ilb__system *system;
    ilb__self *self; /* NULL: the balancer is private */
    ilb__a64 *entries;
    uint32_t n;         /* at most so many at a time */
    uint32_t n_entries; /* with those that have ended and are not reclaimed */
    ilb__a32 n_used;    /* entries that were ever taken are below */
} ilb__processes;

/* Takes its memory from the arena; n is 0 for a private balancer. */
ILB_INTERNAL void ilb__processes_init(ilb__processes *p, ilb__arena *a,
                                      uint32_t n);

static inline uint32_t ilb__process_index(uint32_t stamp)
{
    return stamp & ILB_PROCESS_INDEX_MASK;
}

static inline uint64_t ilb__process_entry(const ilb__processes *p,
                                          uint32_t index)
{
    /* Pairs with the release in process_take, ilb__process_free and
     * process_mark_ended: whose it is, and all that came before. */
    return ilb__load_acquire(&p->entries[index]);
}

static inline int64_t ilb__process_pid(uint64_t entry)
{
    return (int64_t)(entry >> 32);
}

/* This process's stamp; 0: it has none, or was said to have ended. */
static inline uint32_t ilb__process_here(const ilb__processes *p)
{
    uint32_t stamp = (uint32_t)ilb__load_relaxed(&p->self->stamp);
    uint64_t entry;

    if (ILB_UNLIKELY(stamp == 0))
        return 0;
    entry = ilb__load_relaxed(&p->entries[ilb__process_index(stamp)]);
    if (ILB_UNLIKELY((uint32_t)entry != stamp >> ILB_PROCESS_INDEX_BITS ||
                     ilb__process_pid(entry) == 0))
        return 0;
    return stamp;
}

/* Gives this process an entry. ILB_OK, *stamp; ILB_EPROCESSES: as many as may
 * use it; ILB_EBUSY: not so many, but those that have ended must be reclaimed
 * first. */
ILB_COLD ILB_INTERNAL int ilb__process_enter(ilb__processes *p,
                                             uint32_t *stamp);

/* The process of this pid has ended, whoever has its pid now. False: it has no
 * entry. */
ILB_INTERNAL bool ilb__process_end(ilb__processes *p, int64_t pid);

/* Is the entry's process one that has ended, and is to be reclaimed? */
ILB_INTERNAL bool ilb__process_is_over(const ilb__processes *p, uint64_t entry);

/* It is reclaimed: the entry is free. False: it changed meanwhile. */
ILB_INTERNAL bool ilb__process_free(ilb__processes *p, uint32_t index,
                                    uint64_t entry);

#endif
