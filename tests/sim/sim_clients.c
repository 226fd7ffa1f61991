/* SPDX-License-Identifier: MIT */
#include "sim_clients.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sim_probe.h"
#include "sim_request.h"

/* ---- The list ---- */

static void clients_tell(sim_world *w, sim_client *c)
{
    w->policy->update(c->self, w->members, w->n_members, sim_world_clock(w));
}

void sim_clients_update(sim_world *w)
{
    w->n_members = 0;
    for (uint32_t i = 0; i < w->servers.n; i++)
        if (w->listed[i])
            w->members[w->n_members++] =
                (sim_member){i, w->scenario->servers[i].weight, w->ready[i]};
    sim_measures_list(&w->stats.measures, w->members, w->n_members, w->now_ns);
    for (uint32_t i = 0; i < w->scenario->n_clients && !w->failed; i++)
        clients_tell(w, &w->clients[i]);
}

static bool clients_make_list(sim_world *w)
{
    uint32_t n = w->servers.n;

    w->members = calloc(n, sizeof *w->members);
    w->listed = calloc(n, sizeof *w->listed);
    w->ready = calloc(n, sizeof *w->ready);
    if (w->members == NULL || w->listed == NULL || w->ready == NULL)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        w->listed[i] = w->scenario->servers[i].listed_at_start;
        w->ready[i] = true;
    }
    return true;
}

/* ---- Instances ---- */

static bool clients_make(sim_world *w, uint32_t number)
{
    sim_client *c = &w->clients[number];

    c->host = (sim_host){
        .world = w,
        .client = number,
        .n_clients = w->scenario->n_clients,
        .seed = sim_world_seed(w, SIM_STREAM_POLICY, number),
        .timeout_ns = w->scenario->deadline_ns,
        .send_probe = sim_probe_send,
        .true_delay_ns = sim_probe_true_delay_ns,
        .true_failure = sim_probe_true_failure,
    };
    c->self = w->policy->create(&c->host);
    if (c->self == NULL)
        sim_world_fail(
            w, "out of memory, or refused: create of client %" PRIu32, number);
    return c->self != NULL;
}

void sim_clients_start(sim_world *w)
{
    uint32_t n = w->scenario->n_clients;

    w->clients = calloc(n, sizeof *w->clients);
    if (w->clients == NULL || !clients_make_list(w)) {
        sim_world_fail_memory(w);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        if (!clients_make(w, i))
            return;
    sim_clients_update(w);
    if (w->policy->tick != NULL || w->policy->probe != NULL)
        sim_events_push(&w->events, SIM_WORLD_TICK_NS, SIM_EVENT_TICK, 0, 0);
    if (w->scenario->warm_up_ns != 0)
        sim_events_push(&w->events, w->scenario->warm_up_ns, SIM_EVENT_MEASURED,
                        0, 0);
}

void sim_clients_free(sim_world *w)
{
    for (uint32_t i = 0; w->clients != NULL && i < w->scenario->n_clients; i++)
        if (w->clients[i].self != NULL)
            w->policy->destroy(w->clients[i].self);
    free(w->clients);
    free(w->members);
    free(w->listed);
    free(w->ready);
}

/* No more than each server one in a tick: else it asks for ever. */
static void clients_probe(sim_world *w, uint32_t number)
{
    uint32_t n = 0;

    if (w->policy->probe == NULL || w->over)
        return;
    while (!w->failed && sim_request_own(w, number))
        if (++n > w->n_members)
            sim_world_fail(w,
                           "it makes more than %" PRIu32
                           " requests of its own at one time",
                           w->n_members);
}

void sim_clients_tick(sim_world *w)
{
    for (uint32_t i = 0; i < w->scenario->n_clients && !w->failed; i++) {
        if (w->policy->tick != NULL)
            w->policy->tick(w->clients[i].self, sim_world_clock(w));
        clients_probe(w, i);
    }
    sim_events_push(&w->events, w->now_ns + SIM_WORLD_TICK_NS, SIM_EVENT_TICK,
                    0, 0);
}

/* ---- Ejections ---- */

/* Of all clients, since the beginning. */
static uint64_t clients_ejections(sim_world *w)
{
    uint64_t all = 0;

    if (w->policy->n_ejected == NULL)
        return 0;
    for (uint32_t i = 0; i < w->scenario->n_clients; i++) {
        uint64_t ejections = 0;
        uint32_t now = w->policy->n_ejected(w->clients[i].self, &ejections);

        if (now > w->n_members)
            sim_world_fail(w,
                           "it says that %" PRIu32 " endpoints are ejected, "
                           "of %" PRIu32 " in its list",
                           now, w->n_members);
        all += ejections;
    }
    return all;
}

void sim_clients_measured(sim_world *w)
{
    w->ejections_before = clients_ejections(w);
}

void sim_clients_finish(sim_world *w)
{
    uint64_t all = clients_ejections(w);

    if (all < w->ejections_before)
        sim_world_fail(w, "its count of ejections has gone back");
    w->stats.result.ejections = all - w->ejections_before;
}
