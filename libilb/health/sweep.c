/* SPDX-License-Identifier: MIT */
/* See sweep.h. */
#include "health/sweep.h"

#include "base/hash.h"
#include "health/cap.h"
#include "health/detectors.h"

#define SWEEP_ENDPOINTS 64
#define SWEEP_REQUESTS 2
/* Of its time, by which a probe has failed. */
#define SWEEP_PROBE_BASE 0.85f

/* What has been waited for in vain. */
typedef struct sweep_wait {
    uint64_t ns;
    uint32_t n; /* requests */
} sweep_wait;

typedef struct sweep_run {
    ilb__judge *judge;
    const ilb__figures *figures;
    const ilb__sweep *sweep;
    float limit_ns;
    float longlived_ns;
    uint32_t n_eligible;
    uint32_t n_silent;
    uint32_t n; /* that hang */
    ilb__slot *slots[SWEEP_ENDPOINTS];
    uint32_t generations[SWEEP_ENDPOINTS];
    uint64_t waited_ns[SWEEP_ENDPOINTS];
} sweep_run;

/* Notes whether it was heard of since the last sweep. */
static void sweep_listen(ilb__slot *slot, uint64_t load, uint64_t now_ns)
{
    uint64_t heard = ilb__sweep_signs(slot, load);

    if (heard == ilb__load_relaxed(&slot->heard))
        return;
    ilb__store_relaxed(&slot->heard, heard);
    ilb__store_relaxed(&slot->heard_ns, now_ns);
}

/* Since when it is silent, and we know that it is. */
static uint64_t sweep_quiet_ns(const sweep_run *r, const ilb__slot *slot)
{
    uint64_t quiet_ns =
        ilb__elapsed_ns(ilb__load_relaxed(&slot->heard_ns), r->sweep->now_ns);
    uint64_t steady_ns = ilb__elapsed_ns(r->sweep->steady_ns, r->sweep->now_ns);

    return quiet_ns < steady_ns ? quiet_ns : steady_ns;
}

/* Unanswered ones, without those that later ones have overtaken, or that have
 * waited since before it returned. */
static uint32_t sweep_unanswered(ilb__slot *slot, uint64_t load)
{
    uint32_t unanswered = ilb__load_unanswered(load);

    (void)ilb__lost_at_most(&slot->lost, &slot->extra_cost, unanswered);
    return unanswered - ilb__epochs_of(&slot->overtaken, unanswered);
}

static sweep_wait sweep_waited(const sweep_run *r, const ilb__slot *slot,
                               uint64_t load, uint32_t unanswered)
{
    uint64_t quiet_ns = sweep_quiet_ns(r, slot);
    uint64_t age_ns = ilb__load_age_ns(&slot->load, load, r->sweep->now_ns);
    ilb__silence given =
        ilb__silence_read(&slot->silence, quiet_ns, r->sweep->now_ns);
    sweep_wait w = {given.asked_ns, given.n};

    if (age_ns > quiet_ns)
        age_ns = quiet_ns;
    if (unanswered == 0 || (float)age_ns <= ilb__figures_hang_ns(r->figures))
        return w;
    w.n += unanswered;
    w.ns += given.n > 0 && given.last_ns < age_ns ? given.last_ns : age_ns;
    return w;
}

/* Its probe has been waiting for so long: H, but it fails before it counts as
 * lost and is repeated, at the same level, when its time is over. */
static void sweep_probe(const sweep_run *r, ilb__slot *slot, uint64_t health,
                        uint32_t n_ready)
{
    uint64_t base_ns = r->judge->base_ejection_time_ns;
    uint64_t left_ns =
        ilb__elapsed_ns(r->sweep->now_ns, ilb__health_until_ns(health));
    float most_ns = SWEEP_PROBE_BASE * (float)base_ns;
    float limit_ns = r->limit_ns < most_ns ? r->limit_ns : most_ns;
    ilb__failing x = {0};

    if (left_ns > base_ns || (float)(base_ns - left_ns) < limit_ns)
        return;
    x.n_ready = n_ready;
    x.bits = (uint32_t)ilb__mix64(r->sweep->now_ns);
    (void)ilb__eject_probe_failed(r->judge, slot, &x, r->figures,
                                  r->sweep->now_ns);
}

static void sweep_look(sweep_run *r, ilb__slot *slot, uint32_t n_ready)
{
    uint64_t load = ilb__load_relaxed(&slot->load.word);
    uint64_t health = ilb__load_relaxed(&slot->health);
    sweep_wait w;

    sweep_listen(slot, load, r->sweep->now_ns);
    ilb__longlived_turn(&slot->longlived, ilb__load_in_flight(load),
                        r->longlived_ns, r->sweep->now_ns);
    if (ilb__health_state_of(health) == ILB__PROBING &&
        ilb__health_by(health) == ILB_DETECTOR_HANG)
        sweep_probe(r, slot, health, n_ready);
    if (!ilb__health_eligible(health))
        return;
    r->n_eligible++;
    if (ILB_LIKELY(ilb__load_unanswered(load) == 0 &&
                   ilb__load_relaxed(&slot->silence) == 0 &&
                   ilb__load_relaxed(&slot->lost.n) == 0))
        return;
    w = sweep_waited(r, slot, load, sweep_unanswered(slot, load));
    r->n_silent += w.n > 0;
    if (w.n < SWEEP_REQUESTS || (float)w.ns < r->limit_ns)
        return;
    r->slots[r->n] = slot;
    r->generations[r->n] = ilb__load_generation(load);
    r->waited_ns[r->n++] = w.ns;
}

static void sweep_eject(const sweep_run *r, uint32_t i, uint32_t n_ready)
{
    const ilb__verdict v = {ILB_DETECTOR_HANG, (double)r->waited_ns[i] / 1e9,
                            (double)r->limit_ns / 1e9};
    uint64_t now_ns = r->sweep->now_ns;
    ilb__failing x = {0};

    /* Another endpoint's by now? */
    if (ilb__load_generation(ilb__load_relaxed(&r->slots[i]->load.word)) !=
        r->generations[i])
        return;
    x.n_ready = n_ready;
    x.bits = (uint32_t)ilb__mix64(now_ns + i * ILB_GOLDEN);
    if (ilb__detector_heard(r->judge, r->slots[i], &v, now_ns) &&
        ilb__eject(r->judge, r->slots[i], &v, &x, r->figures, now_ns))
        ilb__health_enforce_cap(r->judge, r->slots[i], n_ready, now_ns);
}

ILB_INTERNAL void ilb__sweep_table(ilb__judge *j, ilb__slot *slots,
                                   const ilb__view *view, const ilb__figures *f,
                                   const ilb__sweep *s)
{
    uint32_t n = view->n < SWEEP_ENDPOINTS ? view->n : SWEEP_ENDPOINTS;
    uint32_t first = n == 0 ? 0 : (uint32_t)(s->round * n % view->n);
    sweep_run r;

    r.judge = j;
    r.figures = f;
    r.sweep = s;
    r.limit_ns = ilb__figures_silent_ns(f);
    r.longlived_ns = ilb__figures_longlived_ns(f);
    r.n = r.n_silent = r.n_eligible = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = first + i < view->n ? first + i : first + i - view->n;

        sweep_look(&r, &slots[ilb__endpoint_id_index(ilb__view_id(view, at))],
                   view->n);
    }
    if (2 * r.n_silent > r.n_eligible)
        return;
    for (uint32_t i = 0; i < r.n; i++)
        sweep_eject(&r, i, view->n);
}

ILB_INTERNAL void ilb__sweep_gave_up(ilb__slot *slot, uint64_t waited_ns,
                                     const ilb__figures *f, uint64_t now_ns)
{
    if ((float)waited_ns > ilb__figures_hang_ns(f))
        ilb__silence_add(
            &slot->silence, waited_ns,
            ilb__elapsed_ns(ilb__load_relaxed(&slot->heard_ns), now_ns),
            now_ns);
}
