/* SPDX-License-Identifier: MIT */
/* See load.h. */
#include "signal/load.h"

#define LOAD_ONE_YOUNG UINT64_C(1)
#define LOAD_ONE_OLD (UINT64_C(1) << ILB_LOAD_BITS)
#define LOAD_ONE_ANSWERED (UINT64_C(1) << (2 * ILB_LOAD_BITS))
#define LOAD_GENERATION_ONE (UINT64_C(1) << ILB_LOAD_GENERATION_SHIFT)

ILB_INTERNAL bool ilb__load_take(ilb__load *l, uint64_t seen,
                                 uint32_t generation, uint64_t now_ns,
                                 uint32_t *parity)
{
    uint64_t before;

    if (ilb__load_generation(seen) != generation ||
        ilb__load_in_flight(seen) >= ILB_LOAD_MAX)
        return false;
    if (ilb__load_unanswered(seen) == 0 ||
        ILB_UNLIKELY(ilb__load_mark_ns(l) == UINT64_MAX))
        ilb__store_relaxed(&l->mark_ns, now_ns);
    /* Relaxed: what the ticket's holder reads of the slot was written before
     * the table that named this generation was published. */
    before = ilb__add_relaxed(&l->word, LOAD_ONE_YOUNG);
    /* All has been answered since `seen`: its mark is not ours. */
    if (ILB_UNLIKELY(ilb__load_unanswered(before) == 0 &&
                     ilb__load_unanswered(seen) != 0))
        ilb__store_relaxed(&l->mark_ns, now_ns);
    *parity = ilb__load_parity(before);
    if (ILB_LIKELY(ilb__load_generation(before) == generation))
        return true;
    /* The slot was recycled since `seen`. Ours is in flight there now. */
    ilb__load_return(l, ilb__load_generation(before), *parity, now_ns);
    return false;
}

/* The word without one that is counted there. */
static uint64_t load_without(uint64_t word, uint32_t where)
{
    if (where == ILB_LOAD_IS_ANSWERED)
        return word - LOAD_ONE_ANSWERED;
    return word -
           (ilb__load_parity(word) == where ? LOAD_ONE_YOUNG : LOAD_ONE_OLD);
}

/* The word after a turn. */
static uint64_t load_turn(ilb__load *l, uint64_t word, uint64_t now_ns)
{
    uint64_t young = ilb__load_young(word);

    /* Before the word: pairs with the acquire in ilb__lease_look_at. */
    ilb__store_relaxed(&l->turned_ns, now_ns);
    return (word ^ ILB_LOAD_PARITY) - young * LOAD_ONE_YOUNG +
           young * LOAD_ONE_OLD;
}

/* If the old are all gone, the young become the old. */
static uint64_t load_turned(ilb__load *l, uint64_t word, uint64_t now_ns)
{
    uint64_t young = ilb__load_young(word);

    if (ilb__load_old(word) != 0 || young == 0)
        return word;
    /* None that is left has an age: the young have none either. */
    if (ILB_LIKELY(ilb__load_mark_ns(l) != UINT64_MAX))
        ilb__store_relaxed(&l->mark_ns, now_ns);
    return load_turn(l, word, now_ns);
}

/* Takes one out of where it is counted and adds `gain` to the word. */
static bool load_move(ilb__load *l, uint32_t generation, uint32_t where,
                      uint64_t gain, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&l->word);
    uint64_t next;

    do {
        if (!ilb__load_has(word, generation, where))
            return false;
        next = load_without(word, where) + gain;
        if (where != ILB_LOAD_IS_ANSWERED)
            next = load_turned(l, next, now_ns);
        /* Release: pairs with the acquire in ilb__load_recycle. All that the
         * ticket's holder did with the slot is over before it is reused. And
         * with the acquire in lease_turned, lease_expire and
         * ilb__lease_look_at: the time of a turn is there before it. */
    } while (!ilb__cas_release(&l->word, &word, next));
    return true;
}

ILB_INTERNAL bool ilb__load_answer(ilb__load *l, uint32_t generation,
                                   uint32_t parity, uint64_t now_ns)
{
    return load_move(l, generation, parity, LOAD_ONE_ANSWERED, now_ns);
}

ILB_INTERNAL bool ilb__load_return(ilb__load *l, uint32_t generation,
                                   uint32_t where, uint64_t now_ns)
{
    return load_move(l, generation, where, 0, now_ns);
}

ILB_INTERNAL bool ilb__load_recycle(ilb__load *l)
{
    uint64_t word = ilb__load_relaxed(&l->word);

    /* Acquire: pairs with the release in load_move. Release: pairs with the
     * fence in ilb__table_holds: who sees the new generation sees that the
     * table which had the old one has been replaced, and looks again, where he
     * would else find nobody in it. */
    return ilb__load_in_flight(word) == 0 &&
           ilb__cas_strong_acq_rel(&l->word, word, word + LOAD_GENERATION_ONE);
}

ILB_INTERNAL uint32_t ilb__load_expire(ilb__load *l, uint64_t word,
                                       uint64_t now_ns)
{
    uint32_t n = ilb__load_old(word);
    uint64_t next = load_turned(l, word - n * LOAD_ONE_OLD, now_ns);

    /* Pairs with the acquire in lease_turned and ilb__lease_look_at: as in
     * load_move, the time of the turn is there before it. */
    return n > 0 && ilb__cas_strong_release(&l->word, word, next) ? n : 0;
}

ILB_INTERNAL bool ilb__load_age_young(ilb__load *l, uint64_t word,
                                      uint64_t now_ns)
{
    /* Pairs with the acquire in lease_turned and ilb__lease_look_at: the time
     * of the turn is there before it. */
    return ilb__load_old(word) == 0 && ilb__load_young(word) > 0 &&
           ilb__cas_strong_release(&l->word, word, load_turn(l, word, now_ns));
}
