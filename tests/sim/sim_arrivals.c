/* SPDX-License-Identifier: MIT */
#include "sim_arrivals.h"

#include "sim_request.h"

/* To the next one, in mean distances. */
static double arrivals_distance(sim_world *w)
{
    return w->scenario->poisson ? sim_random_exponential(&w->arrivals) : 1;
}

/* The next one is `distance` after `from_ns`. Kept exactly, so that rounding to
 * ns does not change the rate. */
static void arrivals_plan(sim_world *w, double from_ns, double distance)
{
    w->to_go = distance;
    w->arrival_plan++;
    if (!(w->rate_per_s > 0))
        return;
    w->arrival_ns = from_ns + distance * 1e9 / w->rate_per_s;
    if (sim_draw_round(w->arrival_ns) < w->scenario->duration_ns)
        sim_events_push(&w->events, sim_draw_round(w->arrival_ns),
                        SIM_EVENT_ARRIVAL, w->arrival_plan, 0);
}

void sim_arrivals_start(sim_world *w)
{
    const sim_scenario *s = w->scenario;

    w->arrivals = sim_random_stream(w->seed, SIM_STREAM_ARRIVALS);
    sim_events_push(&w->events, s->duration_ns, SIM_EVENT_OVER, 0, 0);
    if (s->closed_loop) {
        for (uint32_t i = 0; i < s->concurrency; i++)
            sim_events_push(&w->events, 0, SIM_EVENT_NEXT, 0, 0);
        return;
    }
    w->rate_per_s = s->rate_per_s;
    arrivals_plan(w, 0, s->poisson ? arrivals_distance(w) : 0.5);
}

void sim_arrivals_one(sim_world *w, uint32_t plan)
{
    if (plan != w->arrival_plan)
        return; /* planned at another rate */
    arrivals_plan(w, w->arrival_ns, arrivals_distance(w));
    sim_request_begin(w);
}

void sim_arrivals_rate(sim_world *w, double rate_per_s)
{
    double now_ns = (double)w->now_ns, left = w->to_go;

    if (w->rate_per_s > 0)
        left = (w->arrival_ns - now_ns) * w->rate_per_s / 1e9;
    w->rate_per_s = rate_per_s;
    arrivals_plan(w, now_ns, left > 0 ? left : 0);
}

void sim_arrivals_next(sim_world *w)
{
    if (!w->over)
        sim_request_begin(w);
}

void sim_arrivals_ended(sim_world *w, uint64_t arrived_ns)
{
    uint64_t pause_ns = w->now_ns == arrived_ns ? SIM_ARRIVALS_PAUSE_NS : 0;

    if (w->scenario->closed_loop && !w->over)
        sim_events_push(&w->events, w->now_ns + pause_ns, SIM_EVENT_NEXT, 0, 0);
}
