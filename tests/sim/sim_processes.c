/* SPDX-License-Identifier: MIT */
#include "sim_processes.h"

#include <stdlib.h>

#include "sim_faults.h"

enum {
    PROCESSES_BEGIN = 0,
    PROCESSES_END = 1
};

static void processes_plan(sim_world *w, uint64_t at_ns, uint32_t process,
                           uint32_t b)
{
    sim_events_push(&w->events, at_ns, SIM_EVENT_PROCESS, process, b);
}

/* ---- Stops ---- */

static void processes_plan_stop(sim_world *w, uint32_t process,
                                uint64_t after_ns, uint32_t server)
{
    const sim_process *p = &w->scenario->processes[process];
    double wait = sim_random_exponential(&w->processes[process].random);
    uint64_t at_ns = sim_draw_after(
        after_ns, 1 + sim_draw_round(wait * (double)p->every_ns));

    if (at_ns < p->to_ns)
        processes_plan(w, at_ns, process, server);
}

static void processes_stop(sim_world *w, uint32_t process, uint32_t server)
{
    const sim_process *p = &w->scenario->processes[process];
    sim_random *r = &w->processes[process].random;
    sim_happening stop = {
        .kind = SIM_STOP, .first = server, .last = server, .factor = 1};

    stop.duration_ns = p->duration_ns;
    if (p->random_duration)
        stop.duration_ns =
            sim_draw_round((double)p->duration_ns * sim_random_exponential(r));
    sim_faults_happen(w, &stop);
    processes_plan_stop(w, process, w->now_ns, server);
}

/* ---- Antagonists ---- */

/* The product is exact again when nobody is left. */
static void processes_antagonist(sim_world *w, uint32_t server, double factor,
                                 bool begins)
{
    sim_server *s = &w->servers.all[server];

    if (begins) {
        s->n_antagonists++;
        s->antagonist *= factor;
    } else {
        s->n_antagonists--;
        s->antagonist = s->n_antagonists == 0 ? 1 : s->antagonist / factor;
    }
}

/* The first of a shuffle. */
static void processes_choose(sim_world *w, uint32_t process)
{
    const sim_process *p = &w->scenario->processes[process];
    sim_fault_process *f = &w->processes[process];
    uint32_t n = p->last - p->first + 1;

    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t k = i + sim_random_below(&f->random, n - i);
        uint32_t server = f->chosen[k];

        f->chosen[k] = f->chosen[i];
        f->chosen[i] = server;
        processes_antagonist(w, server, p->factor, true);
    }
    f->n_chosen = p->count;
}

static void processes_antagonists(sim_world *w, uint32_t process, uint32_t b)
{
    const sim_process *p = &w->scenario->processes[process];
    sim_fault_process *f = &w->processes[process];
    uint64_t next_ns = sim_draw_after(w->now_ns, p->every_ns);

    for (uint32_t i = 0; i < f->n_chosen; i++)
        processes_antagonist(w, f->chosen[i], p->factor, false);
    f->n_chosen = 0;
    if (b == PROCESSES_END)
        return;
    processes_choose(w, process);
    if (next_ns < p->to_ns)
        processes_plan(w, next_ns, process, PROCESSES_BEGIN);
    else
        processes_plan(w, p->to_ns, process, PROCESSES_END);
}

/* ---- Flapping ---- */

/* Only the kind that flaps: what else is wrong stays so. */
static void processes_well(sim_world *w, sim_server *s, sim_happening_kind kind)
{
    switch (kind) {
    case SIM_SLOW:
        s->slow = 1;
        break;
    case SIM_FIXED:
        s->fixed = false;
        break;
    case SIM_REFUSE:
        s->refuse = false;
        break;
    case SIM_ERRORS:
        s->errors = 0;
        break;
    case SIM_REJECT:
        s->reject = 0;
        break;
    default:
        s->hang = false;
        sim_server_freeze(&w->servers, s, w->now_ns);
        break;
    }
}

static void processes_flap(sim_world *w, uint32_t process, uint32_t b)
{
    const sim_process *p = &w->scenario->processes[process];
    sim_happening what = p->what;
    uint64_t end_ns = sim_draw_after(w->now_ns, p->duration_ns);
    uint64_t next_ns = sim_draw_after(w->now_ns, p->every_ns);

    if (b == PROCESSES_END) {
        for (uint32_t i = p->first; i <= p->last; i++)
            processes_well(w, &w->servers.all[i], what.kind);
        return;
    }
    what.first = p->first;
    what.last = p->last;
    sim_faults_happen(w, &what);
    processes_plan(w, end_ns < p->to_ns ? end_ns : p->to_ns, process,
                   PROCESSES_END);
    if (next_ns < p->to_ns)
        processes_plan(w, next_ns, process, PROCESSES_BEGIN);
}

/* ---- All ---- */

void sim_processes_event(sim_world *w, uint32_t process, uint32_t b)
{
    switch (w->scenario->processes[process].kind) {
    case SIM_STOPS:
        processes_stop(w, process, b);
        break;
    case SIM_ANTAGONISTS:
        processes_antagonists(w, process, b);
        break;
    case SIM_FLAP:
        processes_flap(w, process, b);
        break;
    }
}

static void processes_begin(sim_world *w, uint32_t process)
{
    const sim_process *p = &w->scenario->processes[process];
    sim_fault_process *f = &w->processes[process];
    uint32_t n = p->last - p->first + 1;

    f->random.state = sim_world_seed(w, SIM_STREAM_FAULTS, process);
    if (p->from_ns >= p->to_ns)
        return;
    if (p->kind == SIM_STOPS) {
        for (uint32_t i = p->first; i <= p->last; i++)
            processes_plan_stop(w, process, p->from_ns, i);
        return;
    }
    if (p->kind == SIM_ANTAGONISTS) {
        f->chosen = calloc(n, sizeof *f->chosen);
        if (f->chosen == NULL) {
            sim_world_fail_memory(w);
            return;
        }
        for (uint32_t i = 0; i < n; i++)
            f->chosen[i] = p->first + i;
    }
    processes_plan(w, p->from_ns, process, PROCESSES_BEGIN);
}

void sim_processes_start(sim_world *w)
{
    size_t n = w->scenario->n_processes;

    if (n == 0)
        return;
    w->processes = calloc(n, sizeof *w->processes);
    if (w->processes == NULL) {
        sim_world_fail_memory(w);
        return;
    }
    for (size_t i = 0; i < n; i++)
        processes_begin(w, (uint32_t)i);
}

void sim_processes_free(sim_world *w)
{
    for (size_t i = 0; w->processes != NULL && i < w->scenario->n_processes;
         i++)
        free(w->processes[i].chosen);
    free(w->processes);
}
