/* SPDX-License-Identifier: MIT */
/*
 * What an explanation of a pick must not say. Each figure is a number, finite
 * and not negative; the choice is that which was made, by the policy that was
 * told, and the cheapest of those that were compared; whoever is ejected is
 * chosen for a reason.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "test_sim_invariants.h"

#define EXPLAINED_LATENCY_MAX_NS (3 * 3600 * UINT64_C(1000000000))

static void explained_figures(const watch_client *c, const ilb_candidate *k)
{
    if (!isfinite(k->cost) || !(k->cost >= 0) || !isfinite(k->load) ||
        !(k->load >= 0))
        watch_found(c, "a pick compares %s with the cost %g and the load %g",
                    k->address, k->cost, k->load);
    if (k->latency_ns > EXPLAINED_LATENCY_MAX_NS || k->failure_ppm > 1000000)
        watch_found(c,
                    "a pick compares %s with the latency %" PRIu64
                    " ns and %" PRIu32 " failures in a million",
                    k->address, k->latency_ns, k->failure_ppm);
    if ((unsigned)k->fate >= ILB_FATE_COUNT ||
        (unsigned)k->held >= ILB_HELD_COUNT || k->weight == 0)
        watch_found(c, "a pick knows no fate or no weight of %s", k->address);
    watch_all.compared += k->fate == ILB_FATE_COMPARED && k->cost > 0;
}

static void explained_policy(const watch_client *c, const ilb_explanation *x)
{
    ilb_policy told = watch.script->options.policy;

    if (x->policy != (told == ILB_POLICY_DEFAULT ? ILB_POLICY_PEAK_EWMA : told))
        watch_found(c, "a pick is by %s, which is not the policy it was told",
                    ilb_policy_name(x->policy));
}

/* Of those that were compared, where all of them are told of. */
static void explained_cheapest(const watch_client *c, const ilb_explanation *x)
{
    const ilb_candidate *best = &x->candidates[x->chosen];

    if (x->chosen_by != ILB_CHOSEN_BY_COST ||
        x->n_candidates == ILB_CANDIDATES_MAX)
        return;
    if (best->fate != ILB_FATE_COMPARED)
        watch_found(c, "%s was chosen by its cost, and not compared",
                    best->address);
    for (uint32_t i = 0; i < x->n_candidates; i++) {
        const ilb_candidate *k = &x->candidates[i];

        if (k->fate != ILB_FATE_COMPARED || k->held != ILB_HELD_NOT)
            continue;
        if (best->held != ILB_HELD_NOT || k->cost < best->cost)
            watch_found(c, "%s was chosen for %g, but %s costs %g",
                        best->address, best->cost, k->address, k->cost);
    }
}

static const char *explained_line(const ilb_explanation *x)
{
    static char text[ILB_EXPLANATION_TEXT_MAX];

    (void)ilb_explanation_text(x, text, sizeof text);
    return text;
}

/* Whoever is ejected is chosen as a probe or in a panic; else, unless it fails
 * closed, because those that are left are overloaded, or cannot carry more. It
 * says which. */
static void explained_ejected(const watch_client *c, const ilb_explanation *x)
{
    bool closed = watch.script->options.fail_mode == ILB_FAIL_CLOSED;
    ilb_state state = x->candidates[x->chosen].state;
    bool out = state == ILB_STATE_EJECTED || state == ILB_STATE_PROBING;

    if (x->n_ejected > watch_cap(x->n_endpoints))
        watch_found(c, "a pick counts %" PRIu32 " ejected, of %" PRIu32,
                    x->n_ejected, x->n_endpoints);
    else if (closed && x->chosen_by == ILB_CHOSEN_BY_FAIL_OPEN)
        watch_found(c, "it failed open, and should fail closed");
    else if (!out || x->chosen_by == ILB_CHOSEN_BY_PROBE ||
             x->chosen_by == ILB_CHOSEN_BY_FAIL_OPEN)
        return;
    else if (closed)
        watch_found(c,
                    "%s was chosen, which is ejected, and should fail closed: "
                    "%s",
                    x->candidates[x->chosen].address, explained_line(x));
    else if (x->candidates[x->chosen].admitted == ILB_ADMITTED_NOT ||
             !x->overloaded)
        watch_found(
            c, "%s was chosen, which is ejected, and it is not said why: %s",
            x->candidates[x->chosen].address, explained_line(x));
}

static void explained_text(const watch_client *c, const ilb_explanation *x)
{
    static char text[ILB_EXPLANATION_TEXT_MAX];
    int n = ilb_explanation_text(x, text, sizeof text);

    if (n <= 0 || (size_t)n >= sizeof text || strstr(text, "nan") != NULL ||
        strstr(text, " inf ") != NULL || strchr(text, '?') != NULL)
        watch_found(c, "an explanation reads %.60s", n <= 0 ? "" : text);
}

void watch_explained(const watch_client *c, const ilb_explanation *x,
                     uint32_t server)
{
    char address[16];

    watch_all.explained++;
    if (x->n_candidates == 0 || x->n_candidates > ILB_CANDIDATES_MAX ||
        x->chosen >= x->n_candidates || x->looks < x->n_candidates) {
        watch_found(c,
                    "an explanation has no choice: number %" PRIu32
                    " of %" PRIu32 " candidates, %" PRIu32 " looks",
                    x->chosen, x->n_candidates, x->looks);
        return;
    }
    snprintf(address, sizeof address, "s%" PRIu32, server);
    if (strcmp(x->candidates[x->chosen].address, address) != 0)
        watch_found(c, "it picked %s, and explains %s", address,
                    x->candidates[x->chosen].address);
    if (x->n_endpoints != c->n_ready || x->width > x->n_endpoints)
        watch_found(c,
                    "a pick was from %" PRIu32 " of %" PRIu32
                    " endpoints, and %" PRIu32 " are ready",
                    x->width, x->n_endpoints, c->n_ready);
    if (x->median_ns > EXPLAINED_LATENCY_MAX_NS ||
        x->peer_failure_ppm > 1000000)
        watch_found(c, "a pick has a median of %" PRIu64 " ns", x->median_ns);
    for (uint32_t i = 0; i < x->n_candidates; i++)
        explained_figures(c, &x->candidates[i]);
    explained_policy(c, x);
    explained_cheapest(c, x);
    explained_ejected(c, x);
    explained_text(c, x);
}
