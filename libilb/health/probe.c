/* SPDX-License-Identifier: MIT */
/* See probe.h. */
#include "health/probe.h"

/* So soon a caller is to ask again: timers are late. */
#define PROBE_HOST_AGAIN_NS (ILB_PROBE_HOST_NS / 2)

/* As the word has it. */
static uint64_t probe_rounded_ns(uint64_t until_ns)
{
    ilb__word h = {ILB__OUT, 0, 0, ILB_DETECTOR_NONE, 0};

    h.until_ns = until_ns;
    return ilb__word_unpack(ilb__word_pack(h)).until_ns;
}

ILB_INTERNAL void ilb__judge_due_at(ilb__judge *j, uint64_t at_ns)
{
    uint64_t due = ilb__load_relaxed(&j->next_due_ns);

    at_ns = probe_rounded_ns(at_ns);
    while (at_ns < due)
        if (ilb__cas_relaxed(&j->next_due_ns, &due, at_ns))
            return;
}

ILB_INTERNAL bool ilb__health_inconclusive(ilb__judge *j, ilb__slot *slot,
                                           uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h;

    do {
        h = ilb__word_unpack(word);
        if (h.state != ILB__PROBING)
            return false;
        h.state = ILB__EJECTED;
        h.good = 0;
        h.until_ns = now_ns;
    } while (!ilb__cas_relaxed(&slot->health, &word, ilb__word_pack(h)));
    ilb__judge_due_at(j, now_ns);
    return true;
}

ILB_INTERNAL uint64_t ilb__judge_due_by_ns(const ilb__judge *j, uint64_t now_ns)
{
    uint64_t host_ns = ilb__load_relaxed(&j->host_ns);

    if (ILB_LIKELY(host_ns == 0) ||
        ilb__elapsed_ns(host_ns, now_ns) >= ILB_PROBE_HOST_NS)
        return now_ns;
    return now_ns > ILB_PROBE_HOST_NS ? now_ns - ILB_PROBE_HOST_NS : 0;
}

ILB_INTERNAL uint64_t ilb__judge_host_due_ns(const ilb__judge *j)
{
    uint64_t host_ns = ilb__load_relaxed(&j->host_ns);
    uint64_t due_ns = ilb__load_relaxed(&j->next_due_ns);
    uint64_t again_ns = ilb__later_ns(host_ns, PROBE_HOST_AGAIN_NS);

    return host_ns == 0 || due_ns < again_ns ? due_ns : again_ns;
}

ILB_INTERNAL bool ilb__judge_begin_search(ilb__judge *j, uint64_t due_by_ns,
                                          uint64_t now_ns)
{
    uint64_t due = ilb__load_relaxed(&j->next_due_ns);

    /* Whatever falls due from here on lowers it again by itself. A search
     * through a table that is replaced meanwhile may miss one: so there is
     * another within a second. */
    return due_by_ns >= due &&
           ilb__cas_strong_relaxed(&j->next_due_ns, due,
                                   ilb__load32_relaxed(&j->n_ejected) == 0
                                       ? UINT64_MAX
                                       : ilb__later_ns(now_ns, ILB_SECOND_NS));
}

ILB_INTERNAL void ilb__judge_search_again(ilb__judge *j, uint64_t now_ns)
{
    uint64_t due = ilb__load_relaxed(&j->next_due_ns);

    while (now_ns < due && !ilb__cas_relaxed(&j->next_due_ns, &due, now_ns))
        continue;
}

/* This request is its probe. */
static bool probe_begin(ilb__judge *j, ilb__slot *slot, uint64_t word,
                        ilb__word h, uint64_t now_ns)
{
    h.state = ILB__PROBING;
    h.until_ns = ilb__later_ns(now_ns, j->base_ejection_time_ns);
    if (!ilb__cas_strong_relaxed(&slot->health, word, ilb__word_pack(h)))
        return false; /* who changed it has noted when it is due */
    ilb__judge_due_at(j, h.until_ns);
    return true;
}

ILB_INTERNAL bool ilb__health_claim(ilb__judge *j, ilb__slot *slot,
                                    bool may_claim, uint64_t due_by_ns,
                                    uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h = ilb__word_unpack(word);

    if (!ilb__word_counts(h.state))
        return false;
    if (due_by_ns < h.until_ns || !may_claim) {
        ilb__judge_due_at(j, h.until_ns);
        return false;
    }
    h.good = 0;
    return probe_begin(j, slot, word, h, now_ns);
}

ILB_INTERNAL bool ilb__judge_begin_early(ilb__judge *j, uint64_t every_ns,
                                         uint64_t now_ns)
{
    uint64_t last_ns = ilb__load_relaxed(&j->early_ns);

    return ilb__load32_relaxed(&j->n_ejected) > 0 &&
           (last_ns == 0 || ilb__elapsed_ns(last_ns, now_ns) >= every_ns) &&
           ilb__cas_strong_relaxed(&j->early_ns, last_ns, now_ns);
}

ILB_INTERNAL bool ilb__health_claim_early(ilb__judge *j, ilb__slot *slot,
                                          uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    ilb__word h = ilb__word_unpack(word);

    if (h.state != ILB__EJECTED || h.by == ILB_DETECTOR_RETRY_AFTER ||
        h.by == ILB_DETECTOR_PROBE)
        return false;
    h.good = ILB_WORD_EARLY;
    return probe_begin(j, slot, word, h, now_ns);
}
