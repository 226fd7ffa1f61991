/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
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

/* As many workers as keep the load below one that is drawn, at most 70 %. Half
 * of the fleets are no larger than that takes, and their services up to four
 * times longer, so that they are as busy as that. */
void healthy_draw(healthy_fleet *f, uint64_t number)
{
    sim_random r = sim_random_stream(number, 0);
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
        n += snprintf(text + n, (size_t)(HEALTHY_BYTES - n),
                      "servers 1 workers %" PRIu32 " speed %.3f\n", f->workers,
                      f->speeds[i]);
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
