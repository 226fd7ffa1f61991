/* SPDX-License-Identifier: MIT */
#include "sim_stats.h"

#include <string.h>

#include "sim_random.h"

void sim_stats_init(sim_stats *st, const sim_scenario *s)
{
    memset(st, 0, sizeof *st);
    sim_measures_init(&st->measures, s);
}

void sim_stats_free(sim_stats *st)
{
    sim_sample_free(&st->latency);
    sim_measures_free(&st->measures);
}

/* A step of SplitMix64: any other value before or now gives another hash. */
static uint64_t stats_hash(uint64_t hash, uint64_t value)
{
    sim_random r = {hash ^ value};

    return sim_random_next(&r);
}

uint16_t sim_stats_sent(sim_stats *st, bool counted, uint32_t server, bool bad,
                        uint64_t now_ns)
{
    sim_result *r = &st->result;

    r->hash = stats_hash(stats_hash(r->hash, now_ns), server);
    r->attempts += counted;
    r->to_bad += counted && bad;
    if (st->measures.n == 0)
        return 0;
    return sim_measures_sent(&st->measures, server, now_ns);
}

void sim_stats_own(sim_stats *st, bool counted, uint32_t server,
                   uint64_t now_ns)
{
    sim_result *r = &st->result;

    r->hash = stats_hash(stats_hash(r->hash, now_ns), server);
    r->probes += counted;
}

void sim_stats_over(sim_stats *st, bool counted, uint64_t arrived_ns,
                    sim_outcome end, uint64_t now_ns)
{
    sim_result *r = &st->result;
    uint64_t latency_ns = now_ns - arrived_ns;

    if (end != SIM_SUCCESS && end != SIM_TIMEOUT)
        latency_ns = UINT64_MAX; /* it has none */
    if (counted) {
        r->requests++;
        r->cancelled += end == SIM_CANCELLED;
        r->timed_out += end == SIM_TIMEOUT;
        r->failed += end != SIM_SUCCESS && end != SIM_CANCELLED;
        if (latency_ns != UINT64_MAX)
            sim_sample_add(&st->latency, latency_ns);
    }
    if (st->measures.n != 0)
        sim_measures_over(&st->measures, arrived_ns, end, latency_ns);
}

bool sim_stats_finish(sim_stats *st, uint64_t now_ns)
{
    sim_result *r = &st->result;

    r->mean_ns = sim_sample_mean(&st->latency);
    r->p50_ns = sim_sample_quantile(&st->latency, 0.5);
    r->p90_ns = sim_sample_quantile(&st->latency, 0.9);
    r->p99_ns = sim_sample_quantile(&st->latency, 0.99);
    r->p999_ns = sim_sample_quantile(&st->latency, 0.999);
    r->max_ns = sim_sample_quantile(&st->latency, 1);
    return sim_measures_finish(&st->measures, now_ns, r->measures) &&
           !st->latency.failed;
}
