/* SPDX-License-Identifier: MIT */
/* See sweep.h. */
#include "health/sweep.h"

#include "base/hash.h"

#define SWEEP_ENDPOINTS 64
#define SWEEP_UNANSWERED 2
#define SWEEP_HANG_FACTOR 4.0f
#define SWEEP_HANG_MIN_NS 1e9f

typedef struct sweep_found {
    ilb__slot *slots[SWEEP_ENDPOINTS];
    float ages_ns[SWEEP_ENDPOINTS];
    uint32_t n, n_eligible;
} sweep_found;

static float sweep_limit_ns(const ilb__figures *f)
{
    float ns = SWEEP_HANG_FACTOR * ilb__figures_hang_ns(f);

    return ns < SWEEP_HANG_MIN_NS ? SWEEP_HANG_MIN_NS : ns;
}

static void sweep_look(sweep_found *k, ilb__slot *slot, const ilb__figures *f,
                       float limit_ns, uint64_t now_ns)
{
    uint64_t load = ilb__load_relaxed(&slot->load.word);
    uint64_t age_ns;

    if (!ilb__health_eligible(ilb__load_relaxed(&slot->health)))
        return;
    k->n_eligible++;
    if (ILB_LIKELY(ilb__load_unanswered(load) < SWEEP_UNANSWERED))
        return;
    age_ns = ilb__load_age_ns(&slot->load, load, now_ns);
    if ((float)age_ns < limit_ns ||
        !ilb__figures_passed(f, now_ns - age_ns, now_ns) ||
        ilb__latency_quiet_ns(&slot->latency, now_ns) < limit_ns)
        return;
    k->slots[k->n] = slot;
    k->ages_ns[k->n++] = (float)age_ns;
}

static void sweep_eject(ilb__judge *j, const sweep_found *k,
                        const ilb__view *view, const ilb__figures *f,
                        float limit_ns, uint64_t now_ns)
{
    for (uint32_t i = 0; i < k->n; i++) {
        const ilb__verdict v = {ILB_DETECTOR_HANG, (double)k->ages_ns[i] / 1e9,
                                (double)limit_ns / 1e9};
        ilb__failing x = {0};

        x.n_ready = view->n;
        x.bits = (uint32_t)ilb__mix64(now_ns + i * ILB_GOLDEN);
        (void)ilb__health_verdict(j, k->slots[i], &v, &x, f, now_ns);
    }
}

ILB_INTERNAL void ilb__sweep(ilb__judge *j, ilb__slot *slots,
                             const ilb__view *view, const ilb__figures *f,
                             uint64_t round, uint64_t now_ns)
{
    uint32_t n = view->n < SWEEP_ENDPOINTS ? view->n : SWEEP_ENDPOINTS;
    uint32_t first = n == 0 ? 0 : (uint32_t)(round * n % view->n);
    float limit_ns = sweep_limit_ns(f);
    sweep_found k;

    k.n = k.n_eligible = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = first + i < view->n ? first + i : first + i - view->n;

        sweep_look(&k, &slots[ilb__endpoint_id_index(ilb__view_id(view, at))],
                   f, limit_ns, now_ns);
    }
    if (2 * k.n <= k.n_eligible)
        sweep_eject(j, &k, view, f, limit_ns, now_ns);
}
