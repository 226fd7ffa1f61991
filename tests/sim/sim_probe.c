/* SPDX-License-Identifier: MIT */
#include "sim_probe.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sim_condition.h"

#define PROBE_NONE UINT32_MAX
#define PROBE_ROOM 256 /* at first; it is doubled */

/* May it ask that, of this server? */
static bool probe_may(sim_world *w, const char *what, uint32_t server)
{
    if (w->policy->passive)
        sim_world_fail(w, "it is passive, but asks for %s", what);
    else if (server >= w->servers.n)
        sim_world_fail(w, "it asks for %s of server %" PRIu32 ", of %" PRIu32,
                       what, server, w->servers.n);
    return !w->failed;
}

static bool probe_grow(sim_world *w)
{
    uint32_t room = w->n_probes == 0 ? PROBE_ROOM : 2 * w->n_probes;
    sim_probe *probes = NULL;

    if (room > w->n_probes)
        probes = realloc(w->probes, room * sizeof(*probes));
    if (probes == NULL) {
        sim_world_fail_memory(w);
        return false;
    }
    w->probes = probes;
    for (uint32_t i = room; i-- > w->n_probes;) {
        probes[i].next = w->free_probe;
        w->free_probe = i;
    }
    w->n_probes = room;
    return true;
}

static void probe_give(sim_world *w, uint32_t number)
{
    w->probes[number].next = w->free_probe;
    w->free_probe = number;
}

static void probe_send(sim_world *w, const char *what, bool answers,
                       const sim_probe *probe)
{
    uint32_t number;

    if (!probe_may(w, what, probe->server))
        return;
    if (probe->client >= w->scenario->n_clients || !answers) {
        sim_world_fail(w,
                       "it sends %s as client %" PRIu32 " of %" PRIu32
                       ", or takes no answers",
                       what, probe->client, w->scenario->n_clients);
        return;
    }
    if (w->free_probe == PROBE_NONE && !probe_grow(w))
        return;
    number = w->free_probe;
    w->free_probe = w->probes[number].next;
    w->probes[number] = *probe;
    sim_events_push_wire(&w->events, w->now_ns + w->servers.network_ns,
                         SIM_EVENT_PROBE, number, 0);
}

void sim_probe_send(void *world, uint32_t client, uint32_t server)
{
    sim_world *w = world;

    probe_send(w, "a probe", w->policy->probe_answer != NULL,
               &(sim_probe){.client = client, .server = server});
}

void sim_probe_send_own(void *world, uint32_t client, uint32_t server)
{
    sim_world *w = world;

    probe_send(w, "a request of its own", w->policy->own_answer != NULL,
               &(sim_probe){.client = client, .server = server, .own = true});
}

/* Its luck is its own; its service time the one that is expected now. */
static void probe_own_at_server(sim_world *w, uint32_t probe)
{
    sim_probe *p = &w->probes[probe];
    const sim_server *s = &w->servers.all[p->server];
    sim_random luck =
        sim_random_stream(sim_world_seed(w, SIM_STREAM_OWN, w->n_own++), 0);
    uint64_t at_ns = w->now_ns + w->servers.network_ns;

    if (s->crashed || s->refuse) {
        p->outcome = SIM_CONNECT_ERROR;
    } else if (s->frozen) {
        probe_give(w, probe);
        return;
    } else if (sim_random_unit(&luck) < w->servers.errors_everywhere ||
               sim_random_unit(&luck) < s->errors) {
        p->outcome = SIM_FAILURE;
    } else if (sim_random_unit(&luck) < s->reject ||
               (s->errors < 1 && sim_condition_failure(s) >= 1)) {
        p->outcome = SIM_OVERLOAD; /* or its queue is full */
    } else {
        p->outcome = SIM_SUCCESS;
        at_ns = sim_draw_after(at_ns,
                               (uint64_t)sim_condition_delay_ns(s, w->now_ns));
    }
    sim_events_push(&w->events, at_ns, SIM_EVENT_PROBE_ANSWER, probe, 0);
}

void sim_probe_at_server(sim_world *w, uint32_t probe)
{
    sim_probe *p = &w->probes[probe];
    const sim_server *s = &w->servers.all[p->server];

    if (p->own) {
        probe_own_at_server(w, probe);
        return;
    }
    if (s->crashed || s->refuse || s->frozen) {
        probe_give(w, probe);
        return;
    }
    p->in_flight = (double)sim_server_load(s);
    p->latency_ns = sim_recent_median(s->recent, sim_server_load(s));
    sim_events_push_wire(&w->events, w->now_ns + w->servers.network_ns,
                         SIM_EVENT_PROBE_ANSWER, probe, 0);
}

/* It may send the next probe from within. */
void sim_probe_answer(sim_world *w, uint32_t probe)
{
    const sim_probe p = w->probes[probe];

    probe_give(w, probe);
    if (p.own) {
        w->policy->own_answer(w->clients[p.client].self, p.server, p.outcome,
                              sim_world_clock(w));
        return;
    }
    w->policy->probe_answer(w->clients[p.client].self, p.server, p.in_flight,
                            p.latency_ns, sim_world_clock(w));
}

void sim_probes_free(sim_world *w)
{
    free(w->probes);
    w->probes = NULL;
}

double sim_probe_true_delay_ns(void *world, uint32_t server)
{
    sim_world *w = world;

    if (!probe_may(w, "the true delay", server))
        return HUGE_VAL;
    return sim_condition_delay_ns(&w->servers.all[server], w->now_ns);
}

double sim_probe_true_failure(void *world, uint32_t server)
{
    sim_world *w = world;

    if (!probe_may(w, "the true failures", server))
        return 1;
    return sim_condition_failure(&w->servers.all[server]);
}
