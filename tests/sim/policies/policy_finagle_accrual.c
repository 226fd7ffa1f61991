/* SPDX-License-Identifier: MIT */
/*
 * Alive -> dead by 5 failures in a row, or by a success rate below 0.8: an
 * average with w = exp(-dt / 30 s), 30 s or more after birth or revival and
 * with 5 or more requests in the last 30 s (5 slices). Both watch; if both
 * fire, the longer time. Dead -> probe open when the time is over: one request
 * is let in (probe closed). Well: alive, all forgotten. Badly: the two judge
 * again; dead, or if neither fires probe open at once. Neither (cancelled):
 * probe open. Ends of older requests count in the same way.
 *
 * Times: 5 s first, then h + U(0, h) with h = 5 s, 10 s, 20 s ...; 300 s from
 * the first that would reach 300 s. Each of the two has its own row.
 *
 * Source: twitter/finagle, finagle-core/.../liveness/FailureAccrualPolicy.scala
 * FailureAccrualFactory.scala (on by default), Backoff.scala (equalJittered).
 * Times are whole ms there, ns here.
 */
#include "policy_finagle_accrual.h"

#include <string.h>

#define ACCRUAL_CONSECUTIVE 5
#define ACCRUAL_RATE 0.8
#define ACCRUAL_WINDOW (30 * SIM_S)
#define ACCRUAL_REQUESTS 5
#define ACCRUAL_START (5 * SIM_S)
#define ACCRUAL_MAX (300 * SIM_S)
#define ACCRUAL_LAST 30 /* of a row: its times are the maximum from now on */

static double accrual_take(accrual_backoff *b, sim_random *random)
{
    double now = b->next_ns;
    double half = fmin(ldexp(ACCRUAL_START, (int)b->attempt), ACCRUAL_MAX);

    b->next_ns = fmin(half + sim_random_unit(random) * half, ACCRUAL_MAX);
    b->attempt = b->next_ns < ACCRUAL_MAX ? b->attempt + 1 : ACCRUAL_LAST;
    return now;
}

static void accrual_revive(finagle_accrual *f, uint64_t now_ns)
{
    memset(f, 0, sizeof *f);
    f->since_ns = now_ns;
    f->rate_ns = now_ns;
    f->consecutive_backoff.next_ns = ACCRUAL_START;
    f->rate_backoff.next_ns = ACCRUAL_START;
}

void sim_accrual_open(finagle_accrual *f, uint64_t now_ns)
{
    accrual_revive(f, now_ns);
}

bool sim_accrual_is_open(finagle_accrual *f, uint64_t now_ns)
{
    if (f->state == ACCRUAL_DEAD && sim_since_ns(now_ns, f->dead_until_ns) >= 0)
        f->state = ACCRUAL_PROBE_OPEN;
    return f->state == ACCRUAL_ALIVE || f->state == ACCRUAL_PROBE_OPEN;
}

void sim_accrual_begin(finagle_accrual *f)
{
    if (f->state == ACCRUAL_PROBE_OPEN)
        f->state = ACCRUAL_PROBE_CLOSED;
}

/* Counts a request into its slice, and says how many the window has. */
static uint32_t accrual_requests(finagle_accrual *f, uint64_t now_ns)
{
    double since = fmax(sim_since_ns(now_ns, f->since_ns), 0);
    int64_t slice = (int64_t)(since / (ACCRUAL_WINDOW / ACCRUAL_SLICES));
    uint32_t sum = 0;

    if (slice - f->slice >= ACCRUAL_SLICES) {
        memset(f->requests, 0, sizeof f->requests);
        f->slice = slice;
    }
    while (f->slice < slice)
        f->requests[++f->slice % ACCRUAL_SLICES] = 0;
    f->requests[f->slice % ACCRUAL_SLICES]++;
    for (int i = 0; i < ACCRUAL_SLICES; i++)
        sum += f->requests[i];
    return sum;
}

static void accrual_rate(finagle_accrual *f, bool good, uint64_t now_ns)
{
    double since = sim_since_ns(now_ns, f->rate_ns);

    f->rate = f->rated ? sim_ema(f->rate, good, since, ACCRUAL_WINDOW) : good;
    f->rated = true;
    if (since > 0)
        f->rate_ns = now_ns;
}

/* How long it should be dead after this failure; 0: not at all. */
static double accrual_judge(finagle_accrual *f, sim_random *random,
                            uint32_t requests, uint64_t now_ns)
{
    double by_row = 0, by_rate = 0;

    if (++f->consecutive >= ACCRUAL_CONSECUTIVE)
        by_row = accrual_take(&f->consecutive_backoff, random);
    if (sim_since_ns(now_ns, f->since_ns) >= ACCRUAL_WINDOW &&
        f->rate < ACCRUAL_RATE && requests >= ACCRUAL_REQUESTS)
        by_rate = accrual_take(&f->rate_backoff, random);
    return fmax(by_row, by_rate);
}

static bool accrual_fail(finagle_accrual *f, sim_random *random,
                         uint64_t now_ns)
{
    bool was_alive = f->state == ACCRUAL_ALIVE;
    double dead;

    if (!was_alive && f->state != ACCRUAL_PROBE_CLOSED)
        return false;
    accrual_rate(f, false, now_ns);
    dead = accrual_judge(f, random, accrual_requests(f, now_ns), now_ns);
    if (dead > 0) {
        f->state = ACCRUAL_DEAD;
        f->dead_until_ns = now_ns + (uint64_t)dead;
        return was_alive;
    }
    if (!was_alive)
        f->state = ACCRUAL_PROBE_OPEN;
    return false;
}

bool sim_accrual_end(finagle_accrual *f, sim_random *random, bool good,
                     bool ignore, uint64_t now_ns)
{
    if (ignore) {
        if (f->state == ACCRUAL_PROBE_CLOSED)
            f->state = ACCRUAL_PROBE_OPEN;
        return false;
    }
    if (!good)
        return accrual_fail(f, random, now_ns);
    if (f->state == ACCRUAL_PROBE_CLOSED)
        accrual_revive(f, now_ns);
    f->consecutive = 0;
    accrual_requests(f, now_ns);
    accrual_rate(f, true, now_ns);
    return false;
}
