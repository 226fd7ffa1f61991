/* SPDX-License-Identifier: MIT */
/* See process.h. */
#include "base/process.h"

/* Entries of processes that have ended and are not reclaimed yet: as many as of
 * live ones, and some more, as a second may pass until somebody looks. */
#define PROCESS_MORE 64

ILB_INTERNAL void ilb__processes_init(ilb__processes *p, ilb__arena *a,
                                      uint32_t n)
{
    p->n = n;
    p->n_entries = n == 0 ? 0 : 2 * n + PROCESS_MORE;
    if (p->n_entries > ILB_PROCESS_INDEX_MASK + 1)
        p->n_entries = ILB_PROCESS_INDEX_MASK + 1;
    p->entries = ilb__arena_take(a, p->n_entries, sizeof *p->entries);
}

static uint32_t process_generation(uint64_t entry)
{
    return (uint32_t)(entry & ILB_PROCESS_GENERATION);
}

static uint32_t process_next_stamp(uint32_t index, uint64_t entry)
{
    uint32_t next =
        (process_generation(entry) + 1) & (uint32_t)ILB_PROCESS_GENERATION;

    return (next == 0 ? 1 : next) << ILB_PROCESS_INDEX_BITS | index;
}

static uint64_t process_entry_of(int64_t pid, uint32_t stamp)
{
    return (uint64_t)pid << 32 | stamp >> ILB_PROCESS_INDEX_BITS;
}

ILB_INTERNAL bool ilb__process_is_over(const ilb__processes *p, uint64_t entry)
{
    int64_t pid = ilb__process_pid(entry);

    return pid != 0 && ((entry & ILB_PROCESS_ENDED) != 0 ||
                        p->system->ended(pid, p->system->user));
}

ILB_INTERNAL bool ilb__process_free(ilb__processes *p, uint32_t index,
                                    uint64_t entry)
{
    /* Pairs with the acquire in ilb__process_entry: what was taken back is,
     * before another has the entry. */
    return ilb__cas_strong_release(&p->entries[index], entry,
                                   entry & ILB_PROCESS_GENERATION);
}

static bool process_mark_ended(ilb__processes *p, uint32_t index,
                               uint64_t entry)
{
    /* Pairs with the acquire in ilb__process_entry: who takes back what it held
     * sees all that made us say so. */
    return (entry & ILB_PROCESS_ENDED) != 0 ||
           ilb__cas_strong_release(&p->entries[index], entry,
                                   entry | ILB_PROCESS_ENDED);
}

ILB_INTERNAL bool ilb__process_end(ilb__processes *p, int64_t pid)
{
    uint32_t n = ilb__load32_relaxed(&p->n_used);
    bool found = false;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t entry = ilb__process_entry(p, i);

        if (ilb__process_pid(entry) == pid)
            found = process_mark_ended(p, i, entry) || found;
    }
    return found;
}

/* ---- Taking an entry --------------------------------------------------- */

/* An entry that bears this pid and is not this process's is of one before it,
 * which had the pid. False: a thread has just decided which one it wants. */
static bool process_end_former(ilb__processes *p, int64_t pid)
{
    uint32_t n = ilb__load32_relaxed(&p->n_used);

    for (uint32_t i = 0; i < n; i++) {
        uint64_t entry = ilb__process_entry(p, i);

        if (ilb__process_pid(entry) != pid)
            continue;
        /* Pairs with the release in process_want: the wish comes before the
         * entry. */
        if (ilb__load_acquire(&p->self->wanted) != 0)
            return false;
        (void)process_mark_ended(p, i, entry);
    }
    return true;
}

/* Finds an entry to take, *stamp, and counts those that use it: ILB_EPROCESSES.
 * ILB_EBUSY: all entries are of processes that have ended. */
static int process_choose(const ilb__processes *p, uint32_t *stamp)
{
    uint32_t n_there = 0;

    *stamp = 0;
    for (uint32_t i = 0; i < p->n_entries; i++) {
        uint64_t entry = ilb__process_entry(p, i);

        if (ilb__process_pid(entry) != 0)
            n_there += !ilb__process_is_over(p, entry);
        else if (*stamp == 0)
            *stamp = process_next_stamp(i, entry);
    }
    if (n_there >= p->n)
        return ILB_EPROCESSES;
    return *stamp == 0 ? ILB_EBUSY : ILB_OK;
}

/* Decides which entry this process wants, unless another thread has. */
static int process_want(ilb__processes *p)
{
    uint32_t stamp;
    int rc = process_choose(p, &stamp);

    /* Pairs with the release in process_want: another thread's, whose entry was
     * free when it chose. */
    if (ilb__load_acquire(&p->self->wanted) != 0)
        return ILB_OK;
    /* Pairs with the acquire in process_want, process_end_former and
     * ilb__process_enter: the entry comes after the wish. */
    if (rc == ILB_OK)
        (void)ilb__cas_strong_release(&p->self->wanted, 0, stamp);
    return rc;
}

static void process_note_used(ilb__processes *p, uint32_t n)
{
    uint32_t seen = ilb__load32_relaxed(&p->n_used);

    while (seen < n && !ilb__cas32_relaxed(&p->n_used, &seen, n))
        continue;
}

/* Makes the wish true, or finds that it is. False: another process was faster,
 * or the entry has been taken away again. */
static bool process_take(ilb__processes *p, uint32_t stamp, int64_t pid)
{
    uint32_t index = ilb__process_index(stamp);
    uint64_t entry = ilb__process_entry(p, index);
    uint64_t wanted = process_entry_of(pid, stamp);

    if (ilb__process_pid(entry) == 0 &&
        process_next_stamp(index, entry) == stamp) {
        /* Before: whoever has an entry is looked for. */
        process_note_used(p, index + 1);
        /* Pairs with the acquire in ilb__process_entry: who finds it taken
         * finds it among those that are used. */
        if (ilb__cas_strong_release(&p->entries[index], entry, wanted))
            return true;
        entry = ilb__process_entry(p, index);
    }
    return entry == wanted;
}

ILB_INTERNAL int ilb__process_enter(ilb__processes *p, uint32_t *stamp)
{
    int64_t pid = p->system->pid(p->system->user);
    ilb__self *self = p->self;

    for (;;) {
        uint64_t was = ilb__load_relaxed(&self->stamp);
        /* Pairs with the release in process_want, ilb__process_enter: what was
         * wanted, or that it is wanted no more. */
        uint64_t wanted = ilb__load_acquire(&self->wanted);

        *stamp = ilb__process_here(p);
        if (*stamp != 0)
            return ILB_OK;
        if (wanted == 0) {
            int rc = process_end_former(p, pid) ? process_want(p) : ILB_OK;

            if (rc != ILB_OK)
                return rc;
            continue;
        }
        if (process_take(p, (uint32_t)wanted, pid)) {
            /* Relaxed: who has it asks the entry (ilb__process_here). */
            (void)ilb__cas_strong_relaxed(&self->stamp, was, wanted);
        } else {
            /* Pairs with the acquire in ilb__process_enter: who finds no wish
             * finds the entry that was wanted taken by others. */
            (void)ilb__cas_strong_release(&self->wanted, wanted, 0);
        }
    }
}
