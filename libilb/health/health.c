/* SPDX-License-Identifier: MIT */
/* See health.h. */
#include "health/health.h"

/* Good answers in WARMING until HEALTHY, and the in-flight cap by their
 * number (the last value holds to the end). */
#define HEALTH_GOOD_TO_HEALTHY 12
#define HEALTH_LEVEL_MAX 31
#define HEALTH_BROKEN (16 * ILB_EVIDENCE_ONE)
#define HEALTH_FAULTY (18 * ILB_EVIDENCE_ONE)
#define HEALTH_BROKEN_WARMING (5 * ILB_EVIDENCE_ONE)
/* Where this share of healthy endpoints' requests fails, failures in a row
 * say nothing about one endpoint. */
#define HEALTH_ROW_P0_MAX 0.25f
#define HEALTH_LEVEL_LONGER 8
#define HEALTH_LEVEL_LONGEST 10
#define HEALTH_PROBE_REQUESTS 150.0
/* Healthy time, per level, after which the level falls. */
#define HEALTH_LEVEL_DECAY_NS (30 * ILB_SECOND_NS)
/* With 48 bits the whole range of the clock, whatever its epoch. */
#define HEALTH_UNTIL_SHIFT 16
#define HEALTH_UNTIL_MAX ((UINT64_C(1) << 48) - 1)

typedef struct health_fields {
    enum ilb__health_state state;
    uint32_t level;
    uint32_t good;
    uint64_t until_ns;
} health_fields;

static health_fields health_unpack(uint64_t word)
{
    health_fields h = {ilb__health_state_of(word), (uint32_t)(word >> 3) & 31,
                       (uint32_t)(word >> 8) & 255,
                       (word >> 16) << HEALTH_UNTIL_SHIFT};
    return h;
}

static uint64_t health_pack(health_fields h)
{
    /* Rounded up: never due before its time. */
    uint64_t until = (h.until_ns >> HEALTH_UNTIL_SHIFT) +
                     ((h.until_ns & ((1 << HEALTH_UNTIL_SHIFT) - 1)) != 0);

    if (until > HEALTH_UNTIL_MAX)
        until = HEALTH_UNTIL_MAX;
    return until << 16 | (uint64_t)h.good << 8 | (uint64_t)h.level << 3 |
           (uint64_t)h.state;
}

ILB_INTERNAL uint64_t ilb__health_until_ns(uint64_t word)
{
    return health_unpack(word).until_ns;
}

ILB_INTERNAL uint32_t ilb__health_in_flight_cap(uint64_t word)
{
    health_fields h = health_unpack(word);

    if (h.state != ILB__WARMING)
        return UINT32_MAX;
    return h.good < 4 ? h.good + 1 : 8;
}

ILB_INTERNAL void ilb__judge_init(ilb__judge *j, const ilb_options *o)
{
    j->consecutive_failures = o->consecutive_failures;
    j->max_ejection_percent = o->max_ejection_percent;
    j->base_ejection_time_ns = o->base_ejection_time_ns;
    j->max_ejection_time_ns = o->max_ejection_time_ns;
    ilb__store_relaxed(&j->next_due_ns, UINT64_MAX);
}

/* ---- Times ------------------------------------------------------------- */

static uint64_t health_ejection_ns(const ilb__judge *j, uint32_t level,
                                   float rate_per_s)
{
    double ns = (double)j->base_ejection_time_ns;
    double requests = HEALTH_PROBE_REQUESTS * (level < 3 ? level : 3);
    double few = requests * 1e9 / ((double)rate_per_s + 1e-3);

    if (level >= HEALTH_LEVEL_LONGEST)
        ns *= 3;
    else if (level >= HEALTH_LEVEL_LONGER)
        ns *= 2.5;
    if (ns < few)
        ns = few;
    return ns < (double)j->max_ejection_time_ns ? (uint64_t)ns
                                                : j->max_ejection_time_ns;
}

/* 90 % to 110 % of it, but at most the maximum. */
static uint64_t health_jittered_ns(const ilb__judge *j, uint64_t ns,
                                   uint32_t bits)
{
    double factor = 0.9 + 0.2 * ((double)bits / 4294967296.0);
    double jittered = (double)ns * factor;

    return jittered >= (double)j->max_ejection_time_ns ? j->max_ejection_time_ns
                                                       : (uint64_t)jittered;
}

static void health_due_at(ilb__judge *j, uint64_t at_ns)
{
    uint64_t due = ilb__load_relaxed(&j->next_due_ns);

    while (at_ns < due)
        if (ilb__cas_relaxed(&j->next_due_ns, &due, at_ns))
            return;
}

/* ---- The cap ----------------------------------------------------------- */

static uint32_t health_cap(const ilb__judge *j, uint32_t n_ready)
{
    uint32_t cap =
        (uint32_t)((uint64_t)n_ready * j->max_ejection_percent / 100);

    if (n_ready < 2)
        return 0;
    if (cap == 0)
        return 1;
    return cap < n_ready ? cap : n_ready - 1;
}

static bool health_reserve(ilb__judge *j, uint32_t n_ready)
{
    if (ilb__add32_relaxed(&j->n_ejected, 1) < health_cap(j, n_ready))
        return true;
    ilb__sub32_relaxed(&j->n_ejected, 1);
    return false;
}

static bool health_counts(enum ilb__health_state s)
{
    return s == ILB__EJECTED || s == ILB__PROBING;
}

/* ---- Transitions ------------------------------------------------------- */

ILB_INTERNAL void ilb__health_enter(ilb__judge *j, ilb__slot *slot)
{
    const health_fields warming = {ILB__WARMING, 0, 0, 0};

    (void)j;
    /* Alone: nobody draws it yet, and late answers leave OUT as it is. What
     * it failed before it was away says nothing of it now. */
    ilb__store_relaxed(&slot->failures.word, 0);
    ilb__store_relaxed(&slot->evidence, 0);
    ilb__store_relaxed(&slot->health, health_pack(warming));
}

ILB_INTERNAL void ilb__health_leave(ilb__judge *j, ilb__slot *slot)
{
    uint64_t word = ilb__load_relaxed(&slot->health);

    while (!ilb__cas_relaxed(&slot->health, &word, ILB__OUT))
        continue;
    if (health_counts(ilb__health_state_of(word)))
        ilb__sub32_relaxed(&j->n_ejected, 1);
}

static bool health_after_good(health_fields *h, bool probe, uint64_t now_ns)
{
    switch (h->state) {
    case ILB__HEALTHY:
        if (h->level == 0 || now_ns < h->until_ns)
            return false;
        h->level--;
        break;
    case ILB__WARMING:
        if (++h->good < HEALTH_GOOD_TO_HEALTHY)
            return true;
        h->state = ILB__HEALTHY;
        h->good = 0;
        break;
    case ILB__PROBING:
        if (!probe)
            return false;
        h->state = ILB__WARMING;
        h->good = 0;
        h->until_ns = 0;
        return true;
    case ILB__OUT:
    case ILB__EJECTED: /* an answer from before: the probe decides */
        return false;
    }
    h->until_ns = h->level == 0
                      ? 0
                      : ilb__later_ns(now_ns, h->level * HEALTH_LEVEL_DECAY_NS);
    return true;
}

/* It is a newcomer again. */
static void health_returned(ilb__judge *j, ilb__slot *slot)
{
    ilb__latency_forget(&slot->latency);
    ilb__store_relaxed(&slot->evidence, 0);
    ilb__sub32_relaxed(&j->n_ejected, 1);
}

ILB_INTERNAL void ilb__health_good(ilb__judge *j, ilb__slot *slot, bool probe,
                                   uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    health_fields h;

    do {
        h = health_unpack(word);
        if (ILB_LIKELY(!health_after_good(&h, probe, now_ns)))
            return;
    } while (!ilb__cas_relaxed(&slot->health, &word, health_pack(h)));
    if (health_counts(ilb__health_state_of(word)))
        health_returned(j, slot);
}

static bool health_proves(const ilb__judge *j, health_fields h,
                          const ilb__failing *x, const ilb__figures *f)
{
    uint32_t part = h.level > 0 ? 2 : 1;
    /* Many at once are rather one cause than many faults. */
    uint32_t more = x->n_ready == 0
                        ? 0
                        : HEALTH_BROKEN / 2 *
                              ilb__load32_relaxed(&j->n_ejected) / x->n_ready;

    if (j->consecutive_failures == ILB_NEVER)
        return false;
    if (x->row >= j->consecutive_failures && f->p0 < HEALTH_ROW_P0_MAX)
        return true;
    if (h.state == ILB__WARMING && h.level > 0 &&
        x->sums.broken >= HEALTH_BROKEN_WARMING)
        return true;
    return x->sums.broken >= (HEALTH_BROKEN + more) / part ||
           x->sums.faulty >= (HEALTH_FAULTY + more) / part;
}

/* Does this failure change the state? */
static bool health_trips(const ilb__judge *j, health_fields h, bool probe,
                         const ilb__failing *x, const ilb__figures *f)
{
    switch (h.state) {
    case ILB__PROBING:
        return probe;
    case ILB__WARMING:
    case ILB__HEALTHY:
        return health_proves(j, h, x, f);
    case ILB__OUT:
    case ILB__EJECTED:
        break;
    }
    return false;
}

ILB_INTERNAL bool ilb__health_bad(ilb__judge *j, ilb__slot *slot, bool probe,
                                  const ilb__failing *x, const ilb__figures *f,
                                  uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    bool reserved = false, ejected = false;
    health_fields h;

    do {
        h = health_unpack(word);
        if (ILB_LIKELY(!health_trips(j, h, probe, x, f)))
            break;
        if (h.state != ILB__PROBING && !reserved) {
            if (!health_reserve(j, x->n_ready))
                return false;
            reserved = true;
        }
        if (h.level > 0 && h.state != ILB__PROBING &&
            h.level < HEALTH_LEVEL_LONGER)
            h.level = HEALTH_LEVEL_LONGER;
        else if (h.level < HEALTH_LEVEL_MAX)
            h.level++;
        h.state = ILB__EJECTED;
        h.good = 0;
        h.until_ns = ilb__later_ns(
            now_ns,
            health_jittered_ns(j, health_ejection_ns(j, h.level, f->rate_per_s),
                               x->bits));
        if (ilb__cas_relaxed(&slot->health, &word, health_pack(h))) {
            if (!health_counts(ilb__health_state_of(word)))
                reserved = false; /* it is this endpoint's now */
            ilb__add_relaxed(&slot->ejections, 1);
            health_due_at(j, h.until_ns);
            ejected = true;
            break;
        }
    } while (true);
    if (reserved)
        ilb__sub32_relaxed(&j->n_ejected, 1);
    return ejected;
}

ILB_INTERNAL void ilb__health_inconclusive(ilb__judge *j, ilb__slot *slot,
                                           uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    health_fields h;

    do {
        h = health_unpack(word);
        if (h.state != ILB__PROBING)
            return;
        h.state = ILB__EJECTED;
        h.until_ns = now_ns;
    } while (!ilb__cas_relaxed(&slot->health, &word, health_pack(h)));
    health_due_at(j, now_ns);
}

/* ---- Probes ------------------------------------------------------------ */

ILB_INTERNAL bool ilb__judge_begin_search(ilb__judge *j, uint64_t now_ns)
{
    uint64_t due = ilb__load_relaxed(&j->next_due_ns);

    /* Whatever falls due from here on lowers it again by itself. A search
     * through a table that is replaced meanwhile may miss one: so there is
     * another within a second. */
    return now_ns >= due &&
           ilb__cas_strong_relaxed(&j->next_due_ns, due,
                                   ilb__load32_relaxed(&j->n_ejected) == 0
                                       ? UINT64_MAX
                                       : ilb__later_ns(now_ns, ILB_SECOND_NS));
}

ILB_INTERNAL void ilb__judge_search_again(ilb__judge *j, uint64_t now_ns)
{
    health_due_at(j, now_ns);
}

/* Further away than any ejection lasts: set before the clock went back. */
static bool health_is_due(const ilb__judge *j, uint64_t until_ns,
                          uint64_t now_ns)
{
    return now_ns >= until_ns ||
           until_ns - now_ns >
               ilb__later_ns(j->max_ejection_time_ns, ILB_SECOND_NS);
}

ILB_INTERNAL bool ilb__health_claim(ilb__judge *j, ilb__slot *slot,
                                    bool may_claim, uint64_t now_ns)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    health_fields h = health_unpack(word);

    if (!health_counts(h.state))
        return false;
    if (!health_is_due(j, h.until_ns, now_ns) || !may_claim) {
        health_due_at(j, h.until_ns);
        return false;
    }
    h.state = ILB__PROBING;
    h.until_ns = ilb__later_ns(now_ns, j->base_ejection_time_ns);
    if (!ilb__cas_strong_relaxed(&slot->health, word, health_pack(h)))
        return false; /* who changed it has noted when it is due */
    health_due_at(j, h.until_ns);
    return true;
}

ILB_INTERNAL void ilb__health_enforce_cap(ilb__judge *j, ilb__slot *slot,
                                          uint32_t n_ready)
{
    uint64_t word = ilb__load_relaxed(&slot->health);
    health_fields h = health_unpack(word);

    if (ilb__load32_relaxed(&j->n_ejected) <= health_cap(j, n_ready) ||
        !health_counts(h.state))
        return;
    h.state = ILB__WARMING;
    h.good = 0;
    h.until_ns = 0;
    if (ilb__cas_strong_relaxed(&slot->health, word, health_pack(h)))
        health_returned(j, slot);
}
