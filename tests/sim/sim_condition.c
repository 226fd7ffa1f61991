/* SPDX-License-Identifier: MIT */
/*
 * The expected delay of a request that comes now to a server with c workers:
 *
 *     rest of a pause + wait + mean demand x present slowness
 *     wait = 0 if a worker is free, else (R / c + Q) / c
 *
 * R: sum of what is left of the jobs in service, Q: sum of the service times
 * of the queue (ns). Exact for c = 1; for exponential service times it is the
 * true expectation, (queue + 1) x mean / c, since R has the mean c x mean. It
 * knows neither what is on the wire nor how the slowness will change.
 */
#include "sim_condition.h"

static double condition_ramp(const sim_ramp *r, uint64_t now_ns)
{
    if (!r->on)
        return 1;
    if (now_ns >= r->to_ns)
        return r->to;
    return r->from + (r->to - r->from) * (double)(now_ns - r->from_ns) /
                         (double)(r->to_ns - r->from_ns);
}

double sim_condition_slowness(const sim_server *s, uint64_t now_ns)
{
    return s->slow * s->antagonist * condition_ramp(&s->warm, now_ns) *
           condition_ramp(&s->leak, now_ns);
}

double sim_condition_service_ns(const sim_server *s, double demand_ns,
                                uint64_t now_ns)
{
    if (s->fixed)
        return (double)s->fixed_ns;
    return demand_ns / s->speed * sim_condition_slowness(s, now_ns);
}

bool sim_condition_bad(const sim_server *s, uint64_t now_ns)
{
    return s->frozen || s->crashed || s->refuse || s->fixed || s->errors > 0 ||
           s->reject > 0 || s->slow * s->antagonist > SIM_CONDITION_SLOW ||
           condition_ramp(&s->warm, now_ns) > SIM_CONDITION_SLOW ||
           condition_ramp(&s->leak, now_ns) > SIM_CONDITION_SLOW;
}

static bool condition_full(const sim_server *s)
{
    return s->workers != 0 && s->busy >= s->workers &&
           s->queue.n >= s->queue_limit;
}

double sim_condition_failure(const sim_server *s)
{
    if (s->crashed || s->refuse || (!s->frozen && condition_full(s)))
        return 1;
    return 1 - (1 - s->errors) * (1 - s->reject);
}

double sim_condition_delay_ns(const sim_server *s, uint64_t now_ns)
{
    uint64_t worked_ns = s->frozen ? s->frozen_ns : now_ns;
    double service_ns = sim_condition_service_ns(s, s->mean_ns, now_ns);
    double wait_ns = 0;

    if (s->hang || sim_condition_failure(s) >= 1)
        return HUGE_VAL;
    if (s->workers != 0 && s->busy + s->backlog.n >= s->workers) {
        double c = (double)s->workers;
        /* The sum of the ends is kept modulo 2^64, and so is its rest. */
        double rest = (double)(s->ends_ns - s->busy * worked_ns);
        double queue = s->fixed
                           ? service_ns * (double)s->queue.n
                           : sim_condition_service_ns(s, s->queued_ns, now_ns);

        queue += service_ns * (double)s->backlog.n;
        wait_ns = (rest / c + queue) / c;
    }
    if (s->stopped)
        wait_ns += (double)(s->stopped_until_ns - now_ns);
    return wait_ns + service_ns;
}

void sim_condition_heal(sim_server *s)
{
    s->slow = 1;
    s->fixed = false;
    s->refuse = false;
    s->errors = 0;
    s->reject = 0;
    s->leak.on = false;
}
