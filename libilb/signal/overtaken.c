/* SPDX-License-Identifier: MIT */
/* See overtaken.h. */
#include "signal/overtaken.h"

/* From when on the others have an age. */
static void overtaken_mark(const ilb__epochs *o, ilb__load *l,
                           uint32_t unanswered, bool good, uint64_t now_ns)
{
    if (unanswered <= ilb__epochs_n(o))
        ilb__load_set_mark(l, UINT64_MAX);
    else if (good || ilb__load_mark_ns(l) == UINT64_MAX)
        ilb__load_set_mark(l, now_ns);
}

static void overtaken_begin(ilb__epochs *o, ilb__load *l, uint64_t word,
                            uint32_t unanswered, const ilb__passing *p,
                            float hang_ns, uint64_t now_ns)
{
    uint64_t mark_ns = ilb__load_mark_ns(l);

    if (!p->good || ilb__load_old(word) == 0 || mark_ns == UINT64_MAX ||
        p->picked_ns <= mark_ns ||
        (float)ilb__elapsed_ns(mark_ns, now_ns) <= hang_ns)
        return;
    ilb__epochs_turn(o, mark_ns, ilb__load_old(word), unanswered, now_ns);
    overtaken_mark(o, l, unanswered, true, now_ns);
}

ILB_INTERNAL void ilb__overtaken_pass(ilb__epochs *o, ilb__load *l,
                                      const ilb__passing *p, float hang_ns,
                                      uint64_t now_ns)
{
    uint64_t epoch_ns = ilb__load_relaxed(&o->epoch_ns);
    uint64_t word = ilb__load_relaxed(&l->word);
    uint32_t unanswered = ilb__load_unanswered(word);

    if (p->unanswered && unanswered > 0)
        unanswered--;
    if (epoch_ns == 0) {
        overtaken_begin(o, l, word, unanswered, p, hang_ns, now_ns);
        return;
    }
    if (p->unanswered)
        ilb__epochs_end(o, p->picked_ns);
    if (p->good && p->picked_ns > epoch_ns)
        ilb__epochs_turn(o, epoch_ns, ilb__load32_relaxed(&o->candidates),
                         unanswered, now_ns);
    if (unanswered == 0)
        ilb__epochs_forget(o);
    overtaken_mark(o, l, unanswered, p->good, now_ns);
}

ILB_INTERNAL void ilb__overtaken_all(ilb__epochs *o, ilb__load *l,
                                     uint64_t now_ns)
{
    uint32_t n = ilb__load_unanswered(ilb__load_relaxed(&l->word));

    if (n == 0) {
        ilb__epochs_forget(o);
        return;
    }
    ilb__epochs_turn(o, now_ns, n, n, now_ns);
    ilb__load_set_mark(l, UINT64_MAX);
}
