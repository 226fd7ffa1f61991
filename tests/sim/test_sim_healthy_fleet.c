/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/policies.h"
#include "sim_batch.h"
#include "sim_random.h"
#include "test_sim_healthy.h"

static double healthy_between(sim_random *r, double least, double most)
{
    return least + (most - least) * sim_random_unit(r);
}

/* All sizes are as likely: 1 to 10 as 10 to 100. */
static double healthy_size(sim_random *r, double least, double most)
{
    return least * pow(most / least, sim_random_unit(r));
}

/* A third has collections of garbage, say, which stop a server for a few
 * milliseconds to some ten: all servers alike, each at its own moments. */
static void healthy_pauses(healthy_fleet *f, sim_random *r)
{
    if (sim_random_unit(r) >= 0.35)
        return;
    f->pause_ms = (uint32_t)healthy_size(r, 5, 80);
    f->pause_every_ms = (uint32_t)healthy_size(r, 2000, 30000);
}

/* A third has weights, near to what the servers can do. Whoever has more than
 * that is busier than the others, but no server above the greatest load. */
static void healthy_weights(healthy_fleet *f, sim_random *r)
{
    double weights = 0, speeds = 0, most = 0;

    f->weighted = sim_random_unit(r) < 0.35;
    f->most_load = f->load;
    for (uint32_t i = 0; i < f->servers; i++) {
        f->weights[i] =
            f->weighted ? f->speeds[i] * healthy_size(r, 0.75, 1 / 0.75) : 1;
        weights += f->weights[i];
        speeds += f->speeds[i];
    }
    for (uint32_t i = 0; i < f->servers; i++)
        most = fmax(most, f->load * (f->weights[i] / weights) /
                              (f->speeds[i] / speeds));
    if (!f->weighted)
        return;
    f->most_load = fmin(most, HEALTHY_LOAD_MAX);
    if (most > HEALTHY_LOAD_MAX) {
        f->service_ms *= HEALTHY_LOAD_MAX / most;
        f->load *= HEALTHY_LOAD_MAX / most;
    }
}

/* A third has bursts, one every few minutes, of 5 to 60 s and of up to four
 * times the rate, but never more than the greatest load. */
static void healthy_bursts(healthy_fleet *f, sim_random *r)
{
    uint32_t at_s = 60;

    if (sim_random_unit(r) >= 0.35)
        return;
    f->burst =
        fmin(healthy_between(r, 1.2, 4), HEALTHY_LOAD_MAX / f->most_load);
    if (f->burst < 1.05)
        return;
    while (f->n_bursts < HEALTHY_BURSTS) {
        uint32_t length_s = (uint32_t)healthy_between(r, 5, 60);

        at_s += (uint32_t)healthy_between(r, 30, 400);
        if (at_s + length_s > 3500)
            break;
        f->burst_at_s[f->n_bursts] = at_s;
        f->burst_s[f->n_bursts++] = length_s;
        at_s += length_s;
    }
    f->most_load *= f->burst;
}

/* As many workers as keep the load below one that is drawn, at most 70 %, of a
 * quarter 80 %. Half of the fleets are no larger than that takes, and their
 * services up to four times longer, so that they are as busy as that. */
void healthy_draw(healthy_fleet *f, uint64_t number)
{
    sim_random r = sim_random_stream(number, 0);
    sim_random more = sim_random_stream(number, 1);
    sim_random bursts = sim_random_stream(number, 2);
    double spread = healthy_between(&r, 1, 3), all = 0, load, needed;
    bool busy;

    memset(f, 0, sizeof *f);
    f->number = number;
    f->servers = (uint32_t)healthy_size(&r, 2, 101);
    f->clients = sim_random_unit(&r) < 0.7 ? 1 : 3;
    f->rate_per_s = healthy_size(&r, 1, 400);
    f->service_ms = healthy_size(&r, 2, 500);
    f->sigma = healthy_between(&r, 0.05, 1);
    f->errors =
        sim_random_unit(&r) < 0.3 ? 0 : healthy_size(&r, 0.00001, 0.001);
    load = healthy_between(&r, 0.05, 0.7);
    if (sim_random_unit(&more) < 0.25)
        load = healthy_between(&more, 0.7, HEALTHY_LOAD_MAX);
    needed = f->rate_per_s * f->service_ms / 1e3 / load; /* at speed 1 */
    busy = sim_random_unit(&r) < 0.5;
    if (busy && needed < f->servers)
        f->servers = needed < 2 ? 2 : (uint32_t)needed;
    for (uint32_t i = 0; i < f->servers; i++) {
        f->speeds[i] = healthy_size(&r, 1, spread);
        all += f->speeds[i];
    }
    f->workers = (uint32_t)ceil(needed / all);
    f->load = needed * load / all / f->workers;
    if (busy) {
        double longer = fmin(load / f->load, 4);

        f->service_ms *= longer;
        f->load *= longer;
    }
    healthy_pauses(f, &more);
    healthy_weights(f, &more);
    healthy_bursts(f, &bursts);
}

__attribute__((format(printf, 3, 4))) static void healthy_add(
    char text[HEALTHY_BYTES], int *n, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *n += vsnprintf(text + *n, (size_t)(HEALTHY_BYTES - *n), format, args);
    va_end(args);
    if (*n >= HEALTHY_BYTES)
        healthy_stop("a fleet's text is too long");
}

void healthy_text(const healthy_fleet *f, char text[HEALTHY_BYTES])
{
    int n = snprintf(
        text, HEALTHY_BYTES,
        "about healthy fleet %" PRIu64 "\n"
        "why %" PRIu32 " servers, nothing is wrong with any\n"
        "duration 1h\nclients %" PRIu32 "\nrate %.3f/s\ndeadline %.0fms\n"
        "service lognormal %.3fms sigma %.3f\nerrors-everywhere %.4f%%\n",
        f->number, f->servers, f->clients, f->rate_per_s,
        1000 + 100 * f->service_ms, f->service_ms, f->sigma, 100 * f->errors);

    for (uint32_t i = 0; i < f->servers; i++)
        healthy_add(text, &n,
                    "servers 1 workers %" PRIu32 " speed %.3f weight %.2f\n",
                    f->workers, f->speeds[i], f->weights[i]);
    if (f->pause_ms > 0)
        healthy_add(text, &n,
                    "stops all every %" PRIu32 "ms for %" PRIu32 "ms random\n",
                    f->pause_every_ms, f->pause_ms);
    for (uint32_t i = 0; i < f->n_bursts; i++)
        healthy_add(text, &n,
                    "at %" PRIu32 "s rate %.3f/s\nat %" PRIu32
                    "s rate %.3f/s\n",
                    f->burst_at_s[i], f->rate_per_s * f->burst,
                    f->burst_at_s[i] + f->burst_s[i], f->rate_per_s);
}

void healthy_stop(const char *error)
{
    fflush(stdout);
    fprintf(stderr, HEALTHY_NAME ": %s\n", error);
    exit(2);
}

void healthy_run(healthy_fleet *f, const sim_policy *subject, uint64_t jobs)
{
    const sim_policy *policies[] = {subject, &sim_policy_ilb_unjudged};
    char text[HEALTHY_BYTES], error[SIM_BATCH_ERROR_BYTES];
    sim_scenario s;
    sim_batch b = {.scenarios = &s,
                   .policies = policies,
                   .n_scenarios = 1,
                   .n_policies = 2,
                   .n_seeds = 1,
                   .first_seed = f->number,
                   .jobs = (unsigned)jobs,
                   .quiet = true};

    healthy_text(f, text);
    if (sim_scenario_parse(&s, "healthy", ".", text, error, sizeof error) != 0)
        healthy_stop(error);
    if (sim_batch_run(&b, error) != 0)
        healthy_stop(error);
    f->ejections = (double)b.results[0].ejections;
    f->ratio = b.results[0].p99_ns / b.results[1].p99_ns;
    if (!(f->ratio > 0))
        healthy_stop("a fleet has no p99");
    free(b.results);
    sim_scenario_free(&s);
}
