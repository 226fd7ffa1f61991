/* SPDX-License-Identifier: MIT */
/* The simulator of util.h: requests arrive evenly, pods answer in their time.
 */
#include "util.h"

test_sim *test_sim_new(uint32_t n_pods, uint64_t takes_ns, uint64_t seed,
                       const ilb_options *options)
{
    const test_clock start = TEST_CLOCK_INIT;
    ilb_options o = ILB_OPTIONS_INIT;
    test_sim *sim = calloc(1, sizeof *sim);

    must(sim != NULL && n_pods <= TEST_PODS);
    if (options != NULL)
        o = *options;
    sim->clock = start;
    o.clock_ns = test_clock_ns;
    o.clock_user = &sim->clock;
    o.seed = seed;
    sim->b = test_new(&o);
    sim->random = seed;
    sim->timeout_ns = 2 * S_NS;
    sim->n_pods = n_pods;
    for (uint32_t i = 0; i < n_pods; i++)
        sim->pods[i].takes_ns = takes_ns;
    test_update(sim->b, 0, n_pods);
    return sim;
}

void test_sim_free(test_sim *sim)
{
    ilb_balancer_free(sim->b);
    free(sim);
}

/* The request that ends first; n_flying is not 0. */
static uint32_t sim_next(const test_sim *sim)
{
    uint32_t first = 0;

    for (uint32_t i = 1; i < sim->n_flying; i++)
        if (sim->flying[i].ends_ns < sim->flying[first].ends_ns)
            first = i;
    return first;
}

/* Ends what ends up to `until_ns`. */
static void sim_land(test_sim *sim, uint64_t until_ns)
{
    while (sim->n_flying > 0) {
        uint32_t i = sim_next(sim);
        test_flying f = sim->flying[i];

        if (f.ends_ns > until_ns)
            return;
        sim->flying[i] = sim->flying[--sim->n_flying];
        if (f.ends_ns > sim->clock.now_ns)
            sim->clock.now_ns = f.ends_ns;
        sim->pods[f.pod].in_flight--;
        test_done(sim->b, &f.ticket, f.outcome);
    }
}

/* Of mean 1, from 64 random bits: -ln(u), the logarithm straight between powers
 * of two. */
static double sim_exponential(uint64_t bits)
{
    double u = ((double)(bits >> 11) + 0.5) / 9007199254740992.0;
    double halvings = 0;

    for (; u < 0.5; u *= 2)
        halvings++;
    return (halvings + 2 * (1 - u)) * 0.6931;
}

static uint64_t sim_takes_ns(test_sim *sim, const test_pod *pod)
{
    uint64_t bits = test_random(&sim->random);
    uint64_t ns = pod->takes_ns * 3 / 4 + bits % (pod->takes_ns / 2 + 1);

    if (pod->spread)
        ns = (uint64_t)(sim_exponential(bits) * (double)pod->takes_ns);
    if (pod->heavy_ppm > 0 &&
        test_below(&sim->random, 1000000) < pod->heavy_ppm)
        ns *= 10;
    /* What comes while it stands still begins when it goes on. */
    return ns + (pod->stops_ns > sim->clock.now_ns
                     ? pod->stops_ns - sim->clock.now_ns
                     : 0);
}

/* What becomes of a request that would take so long. */
static uint64_t sim_ends_after_ns(const test_sim *sim, const test_pod *pod,
                                  uint64_t takes_ns, ilb_outcome *outcome)
{
    *outcome = pod->outcome;
    if (!pod->hangs && takes_ns <= sim->timeout_ns &&
        (sim->patience_ns == 0 || takes_ns <= sim->patience_ns))
        return takes_ns;
    *outcome = ILB_TIMEOUT;
    if (sim->patience_ns == 0 || sim->patience_ns >= sim->timeout_ns)
        return sim->timeout_ns;
    *outcome = ILB_CANCELLED;
    return sim->patience_ns;
}

static void sim_send(test_sim *sim)
{
    test_flying *f = &sim->flying[sim->n_flying];
    uint64_t takes_ns;
    test_pod *pod;

    must(sim->n_flying < TEST_FLYING);
    f->ticket = test_pick(sim->b);
    f->pod = test_number(sim->b, &f->ticket);
    must(f->pod < sim->n_pods);
    pod = &sim->pods[f->pod];
    takes_ns = sim_ends_after_ns(sim, pod, sim_takes_ns(sim, pod), &f->outcome);
    f->ends_ns = sim->clock.now_ns + takes_ns;
    pod->n_picked++;
    sim->n_picked++;
    if (++pod->in_flight > pod->in_flight_max)
        pod->in_flight_max = pod->in_flight;
    sim->n_flying++;
}

void test_sim_run(test_sim *sim, uint64_t span_ns, uint32_t per_second)
{
    uint64_t ends_ns = sim->clock.now_ns + span_ns;
    uint64_t step_ns = S_NS / per_second;
    uint64_t at_ns = sim->clock.now_ns + step_ns;

    for (; at_ns <= ends_ns; at_ns += step_ns) {
        sim_land(sim, at_ns);
        sim->clock.now_ns = at_ns;
        sim_send(sim);
    }
    sim_land(sim, ends_ns);
    sim->clock.now_ns = ends_ns;
}

void test_sim_finish(test_sim *sim)
{
    sim_land(sim, UINT64_MAX);
    must_eq(sim->n_flying, 0);
}

void test_sim_forget(test_sim *sim)
{
    sim->n_picked = 0;
    for (uint32_t i = 0; i < sim->n_pods; i++) {
        sim->pods[i].n_picked = 0;
        sim->pods[i].in_flight_max = sim->pods[i].in_flight;
    }
}

double test_sim_share(const test_sim *sim, uint32_t pod)
{
    must(sim->n_picked > 0);
    return (double)sim->pods[pod].n_picked / (double)sim->n_picked;
}
