/* SPDX-License-Identifier: MIT */
/* See overtaken.h. */
#include "signal/overtaken.h"

static void overtaken_less(ilb__a32 *count)
{
    uint32_t n = ilb__load32_relaxed(count);

    while (n > 0 && !ilb__cas32_relaxed(count, &n, n - 1))
        continue;
}

/* A new epoch, after `since_ns`. */
static void overtaken_turn(ilb__overtaken *o, uint64_t since_ns, uint32_t n,
                           uint32_t unanswered, uint64_t now_ns)
{
    ilb__store_relaxed(&o->since_ns, since_ns);
    ilb__store32_relaxed(&o->n, n);
    ilb__store32_relaxed(&o->candidates, unanswered);
    /* 0 would mean that there is none. */
    ilb__store_relaxed(&o->epoch_ns, now_ns == 0 ? 1 : now_ns);
}

/* From when on the others have an age. */
static void overtaken_mark(const ilb__overtaken *o, ilb__load *l,
                           uint32_t unanswered, bool good, uint64_t now_ns)
{
    if (unanswered <= ilb__load32_relaxed(&o->n))
        ilb__load_set_mark(l, UINT64_MAX);
    else if (good || ilb__load_mark_ns(l) == UINT64_MAX)
        ilb__load_set_mark(l, now_ns);
}

static void overtaken_begin(ilb__overtaken *o, ilb__load *l, uint64_t word,
                            uint32_t unanswered, const ilb__passing *p,
                            float unusual_ns, uint64_t now_ns)
{
    uint64_t mark_ns = ilb__load_mark_ns(l);

    if (!p->good || ilb__load_old(word) == 0 || mark_ns == UINT64_MAX ||
        p->picked_ns <= mark_ns ||
        (float)ilb__elapsed_ns(mark_ns, now_ns) <= unusual_ns)
        return;
    overtaken_turn(o, mark_ns, ilb__load_old(word), unanswered, now_ns);
    overtaken_mark(o, l, unanswered, true, now_ns);
}

ILB_INTERNAL void ilb__overtaken_pass(ilb__overtaken *o, ilb__load *l,
                                      const ilb__passing *p, float unusual_ns,
                                      uint64_t now_ns)
{
    uint64_t epoch_ns = ilb__load_relaxed(&o->epoch_ns);
    uint64_t word = ilb__load_relaxed(&l->word);
    uint32_t unanswered = ilb__load_unanswered(word);

    if (p->unanswered && unanswered > 0)
        unanswered--;
    if (epoch_ns == 0) {
        overtaken_begin(o, l, word, unanswered, p, unusual_ns, now_ns);
        return;
    }
    if (p->unanswered && p->picked_ns < epoch_ns)
        overtaken_less(&o->candidates);
    if (p->unanswered && p->picked_ns < ilb__load_relaxed(&o->since_ns))
        overtaken_less(&o->n);
    if (p->good && p->picked_ns > epoch_ns) {
        uint32_t n = ilb__load32_relaxed(&o->candidates);

        overtaken_turn(o, epoch_ns, n < unanswered ? n : unanswered, unanswered,
                       now_ns);
    }
    if (unanswered == 0)
        ilb__overtaken_forget(o);
    overtaken_mark(o, l, unanswered, p->good, now_ns);
}

ILB_INTERNAL void ilb__overtaken_all(ilb__overtaken *o, ilb__load *l,
                                     uint64_t now_ns)
{
    uint32_t n = ilb__load_unanswered(ilb__load_relaxed(&l->word));

    if (n == 0) {
        ilb__overtaken_forget(o);
        return;
    }
    overtaken_turn(o, now_ns, n, n, now_ns);
    ilb__load_set_mark(l, UINT64_MAX);
}

ILB_INTERNAL uint32_t ilb__overtaken_of(ilb__overtaken *o, uint32_t unanswered)
{
    uint32_t n = ilb__load32_relaxed(&o->n);

    while (ILB_UNLIKELY(n > unanswered))
        if (ilb__cas32_relaxed(&o->n, &n, unanswered))
            return unanswered;
    return n;
}

ILB_INTERNAL void ilb__overtaken_forget(ilb__overtaken *o)
{
    ilb__store_relaxed(&o->epoch_ns, 0);
    ilb__store_relaxed(&o->since_ns, 0);
    ilb__store32_relaxed(&o->n, 0);
    ilb__store32_relaxed(&o->candidates, 0);
}
