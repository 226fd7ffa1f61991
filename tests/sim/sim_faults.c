/* SPDX-License-Identifier: MIT */
#include "sim_faults.h"

#include "sim_arrivals.h"
#include "sim_clients.h"
#include "sim_condition.h"
#include "sim_processes.h"

static uint32_t faults_number(const sim_world *w, const sim_server *s)
{
    return (uint32_t)(s - w->servers.all);
}

static sim_ramp faults_ramp(const sim_world *w, double from, double to,
                            uint64_t over_ns)
{
    return (sim_ramp){.on = true,
                      .from_ns = w->now_ns,
                      .to_ns = sim_draw_after(w->now_ns, over_ns),
                      .from = from,
                      .to = to};
}

/* ---- Stop, crash, restart ---- */

static uint64_t faults_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void faults_stop(sim_world *w, sim_server *s, uint64_t duration_ns)
{
    uint64_t until_ns = sim_draw_after(w->now_ns, duration_ns);

    if (s->stopped)
        until_ns = faults_later(until_ns, s->stopped_until_ns);
    s->stopped = true;
    s->stopped_until_ns = until_ns;
    sim_server_freeze(&w->servers, s, w->now_ns);
    sim_events_push(&w->events, until_ns, SIM_EVENT_STOP_ENDS,
                    faults_number(w, s), 0);
}

static void faults_stop_ends(sim_world *w, sim_server *s)
{
    if (!s->stopped || w->now_ns < s->stopped_until_ns)
        return; /* another one lasts longer, or a new process runs */
    s->stopped = false;
    sim_server_freeze(&w->servers, s, w->now_ns);
}

static void faults_crash(sim_world *w, sim_server *s, const sim_happening *h)
{
    uint64_t until_ns = sim_draw_after(w->now_ns, h->duration_ns);

    if (s->crashed)
        until_ns = faults_later(until_ns, s->crashed_until_ns);
    s->crashed = true;
    s->crashed_until_ns = until_ns;
    s->back_factor = h->factor;
    s->back_ns = h->delay_ns;
    sim_server_reset(&w->servers, s, w->now_ns);
    sim_events_push(&w->events, until_ns, SIM_EVENT_CRASH_ENDS,
                    faults_number(w, s), 0);
}

/* A new process runs: well, but perhaps cold. */
static void faults_renew(sim_world *w, sim_server *s)
{
    sim_server_reset(&w->servers, s, w->now_ns);
    sim_condition_heal(s);
    s->crashed = s->hang = s->stopped = false;
    sim_server_freeze(&w->servers, s, w->now_ns);
    s->warm.on = s->back_factor > 1 && s->back_ns > 0;
    if (s->warm.on)
        s->warm = faults_ramp(w, s->back_factor, 1, s->back_ns);
}

static void faults_crash_ends(sim_world *w, sim_server *s)
{
    if (s->crashed && w->now_ns >= s->crashed_until_ns)
        faults_renew(w, s);
}

/* ---- The list ---- */

/* True: the list changes. */
static bool faults_list(sim_world *w, sim_server *s, bool listed)
{
    uint32_t i = faults_number(w, s);
    bool changes = w->listed[i] != listed;

    w->listed[i] = listed;
    s->rejoin_ns = UINT64_MAX;
    return changes;
}

static bool faults_ready(sim_world *w, sim_server *s, bool ready)
{
    uint32_t i = faults_number(w, s);
    bool changes = w->ready[i] != ready;

    w->ready[i] = ready;
    return changes && w->listed[i];
}

static bool faults_restart(sim_world *w, sim_server *s, const sim_happening *h)
{
    bool changes = faults_list(w, s, false);

    s->rejoin_ns = sim_draw_after(w->now_ns, h->duration_ns);
    s->back_factor = h->factor;
    s->back_ns = h->delay_ns;
    sim_events_push(&w->events, s->rejoin_ns, SIM_EVENT_REJOIN,
                    faults_number(w, s), 0);
    return changes;
}

static void faults_rejoin(sim_world *w, sim_server *s)
{
    if (s->rejoin_ns != w->now_ns)
        return; /* it has left, or joined, in between */
    faults_renew(w, s);
    w->ready[faults_number(w, s)] = true;
    faults_list(w, s, true);
    sim_clients_update(w);
}

/* ---- Happenings ---- */

static void faults_heal(sim_world *w, sim_server *s)
{
    sim_condition_heal(s);
    s->hang = false;
    sim_server_freeze(&w->servers, s, w->now_ns);
}

/* What only changes how the server behaves. */
static void faults_one(sim_world *w, sim_server *s, const sim_happening *h)
{
    switch (h->kind) {
    case SIM_HEAL:
        faults_heal(w, s);
        break;
    case SIM_SLOW:
        s->slow = h->factor;
        break;
    case SIM_FIXED:
        s->fixed = true;
        s->fixed_ns = h->duration_ns;
        break;
    case SIM_HANG:
        s->hang = true;
        sim_server_freeze(&w->servers, s, w->now_ns);
        break;
    case SIM_STOP:
        faults_stop(w, s, h->duration_ns);
        break;
    case SIM_REFUSE:
        s->refuse = true;
        break;
    case SIM_ERRORS:
        s->errors = h->probability;
        s->error_delay_ns = h->delay_ns;
        break;
    case SIM_REJECT:
        s->reject = h->probability;
        s->retry_after_ns = h->delay_ns;
        break;
    case SIM_WARM:
        s->warm = faults_ramp(w, h->factor, 1, h->duration_ns);
        break;
    case SIM_LEAK:
        s->leak = faults_ramp(w, 1, h->factor, h->duration_ns);
        break;
    case SIM_CRASH:
        faults_crash(w, s, h);
        break;
    default:
        break;
    }
}

/* True: the list changes. */
static bool faults_any(sim_world *w, sim_server *s, const sim_happening *h)
{
    switch (h->kind) {
    case SIM_JOIN:
        return faults_list(w, s, true);
    case SIM_LEAVE:
        return faults_list(w, s, false);
    case SIM_NOT_READY:
        return faults_ready(w, s, false);
    case SIM_READY:
        return faults_ready(w, s, true);
    case SIM_RESTART:
        return faults_restart(w, s, h);
    default:
        faults_one(w, s, h);
        return false;
    }
}

static void faults_jump(sim_world *w, int64_t jump_ns)
{
    if (jump_ns > 0 && w->jumps_ns > INT64_MAX - jump_ns)
        w->jumps_ns = INT64_MAX;
    else if (jump_ns < 0 && w->jumps_ns < INT64_MIN - jump_ns)
        w->jumps_ns = INT64_MIN;
    else
        w->jumps_ns += jump_ns;
}

void sim_faults_happen(sim_world *w, const sim_happening *h)
{
    bool changes = false;

    if (h->kind == SIM_RATE) {
        sim_arrivals_rate(w, h->factor);
        return;
    }
    if (h->kind == SIM_CLOCK_JUMP) {
        faults_jump(w, h->jump_ns);
        return;
    }
    for (uint32_t i = h->first; i <= h->last; i++)
        if (faults_any(w, &w->servers.all[i], h))
            changes = true;
    if (changes)
        sim_clients_update(w);
}

void sim_faults_event(sim_world *w, unsigned kind, uint32_t a)
{
    switch (kind) {
    case SIM_EVENT_HAPPENING:
        sim_faults_happen(w, &w->scenario->happenings[a]);
        break;
    case SIM_EVENT_STOP_ENDS:
        faults_stop_ends(w, &w->servers.all[a]);
        break;
    case SIM_EVENT_CRASH_ENDS:
        faults_crash_ends(w, &w->servers.all[a]);
        break;
    default:
        faults_rejoin(w, &w->servers.all[a]);
        break;
    }
}

void sim_faults_start(sim_world *w)
{
    const sim_scenario *s = w->scenario;

    for (size_t i = 0; i < s->n_happenings; i++)
        sim_events_push(&w->events, s->happenings[i].at_ns, SIM_EVENT_HAPPENING,
                        (uint32_t)i, 0);
    sim_processes_start(w);
}

void sim_faults_free(sim_world *w)
{
    sim_processes_free(w);
}
