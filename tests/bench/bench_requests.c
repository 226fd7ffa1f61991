/* SPDX-License-Identifier: MIT */
/*
 * The parts of a request by themselves, in batches of 64: picked together, and
 * a millisecond of virtual time later ended together. Those that end otherwise
 * than well are one batch in 32, so that nearly all endpoints stay healthy; of
 * these batches alone the time counts.
 */
#include <stdlib.h>
#include <string.h>

#include "bench_measures.h"
#include "bench_measures_parts.h"
#include "bench_subjects.h"

#define REQUESTS_ENDPOINTS 1000
#define REQUESTS_RARE 32
#define REQUESTS_TOOK_NS 1000000
/* A timeout is longer than ordinary answers take; else it would be no
 * failure. */
#define REQUESTS_TIMEOUT_NS 10000000

typedef enum requests_part {
    REQUESTS_PICK,
    REQUESTS_EXPLAINED,
    REQUESTS_ADDRESS,
    REQUESTS_FIRST_BYTE,
    REQUESTS_DONE
} requests_part;

typedef struct requests_state {
    ilb_balancer *balancer;
    requests_part part; /* that is timed */
    ilb_outcome outcome;
    uint64_t now_ns;
    uint64_t batches;
    ilb_ticket tickets[BENCH_BLOCK];
    ilb_explanation why;
} requests_state;

static uint64_t requests_clock(void *user)
{
    return ((requests_state *)user)->now_ns;
}

static void requests_must(bool right)
{
    if (!right)
        bench_die("a request fails");
}

static uint64_t requests_pick(requests_state *s)
{
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    uint64_t began_ns = bench_now_ns();

    for (int i = 0; i < BENCH_BLOCK; i++) {
        o.now_ns = s->now_ns++;
        requests_must((s->part == REQUESTS_EXPLAINED
                           ? ilb_pick_explained(s->balancer, &s->tickets[i], &o,
                                                &s->why, sizeof s->why)
                           : ilb_pick(s->balancer, &s->tickets[i], &o)) ==
                      ILB_OK);
    }
    return bench_now_ns() - began_ns;
}

static uint64_t requests_between(requests_state *s)
{
    uint64_t began_ns = bench_now_ns();

    for (int i = 0; i < BENCH_BLOCK; i++) {
        const ilb_ticket *t = &s->tickets[i];

        if (s->part == REQUESTS_ADDRESS)
            requests_must(ilb_ticket_address(s->balancer, t) != NULL);
        else if (s->part == REQUESTS_FIRST_BYTE)
            requests_must(ilb_first_byte(s->balancer, &s->tickets[i],
                                         s->now_ns) == ILB_OK);
    }
    return bench_now_ns() - began_ns;
}

static uint64_t requests_done(requests_state *s, ilb_outcome outcome)
{
    ilb_result r = ILB_RESULT_INIT;
    uint64_t began_ns = bench_now_ns();

    r.outcome = outcome;
    for (int i = 0; i < BENCH_BLOCK; i++) {
        r.now_ns = s->now_ns++;
        requests_must(ilb_done_with(s->balancer, &s->tickets[i], &r) == ILB_OK);
    }
    return bench_now_ns() - began_ns;
}

static double requests_once(void *state, uint64_t wanted_ns)
{
    requests_state *s = state;
    uint64_t end_ns = bench_now_ns() + wanted_ns, ns = 0, n = 0;

    while (bench_now_ns() < end_ns || n == 0) {
        bool other =
            s->outcome != ILB_SUCCESS && ++s->batches % REQUESTS_RARE == 0;
        uint64_t pick_ns = requests_pick(s), between_ns, done_ns;

        s->now_ns += other && s->outcome == ILB_TIMEOUT ? REQUESTS_TIMEOUT_NS
                                                        : REQUESTS_TOOK_NS;
        between_ns = requests_between(s);
        done_ns = requests_done(s, other ? s->outcome : ILB_SUCCESS);
        if (s->outcome != ILB_SUCCESS && !other)
            continue;
        ns += s->part <= REQUESTS_EXPLAINED ? pick_ns
              : s->part == REQUESTS_DONE    ? done_ns
                                            : between_ns;
        n += BENCH_BLOCK;
    }
    return (double)ns / (double)n;
}

static const struct {
    const char *name;
    requests_part part;
    ilb_outcome outcome;
} requests_all[] = {
    {"pick", REQUESTS_PICK, ILB_SUCCESS},
    {"pick_explained", REQUESTS_EXPLAINED, ILB_SUCCESS},
    {"ticket_address", REQUESTS_ADDRESS, ILB_SUCCESS},
    {"first_byte", REQUESTS_FIRST_BYTE, ILB_SUCCESS},
    {"done_success", REQUESTS_DONE, ILB_SUCCESS},
    {"done_failure", REQUESTS_DONE, ILB_FAILURE},
    {"done_timeout", REQUESTS_DONE, ILB_TIMEOUT},
    {"done_connect_error", REQUESTS_DONE, ILB_CONNECT_ERROR},
    {"done_overload", REQUESTS_DONE, ILB_OVERLOAD},
    {"done_cancelled", REQUESTS_DONE, ILB_CANCELLED},
};

#define REQUESTS_N (sizeof requests_all / sizeof requests_all[0])

/* How many of the endpoints are ejected now: the figures are of a fleet that is
 * mostly well only if that is few. */
static uint32_t requests_ejected(ilb_balancer *b)
{
    ilb_endpoint_stats *stats =
        bench_allocate(REQUESTS_ENDPOINTS, sizeof *stats);
    uint32_t ejected = 0;
    size_t n;

    requests_must(ilb_balancer_snapshot(b, stats, REQUESTS_ENDPOINTS,
                                        sizeof *stats, &n) == ILB_OK);
    for (size_t i = 0; i < n; i++)
        ejected += stats[i].state == ILB_STATE_EJECTED ||
                   stats[i].state == ILB_STATE_PROBING;
    free(stats);
    return ejected;
}

void bench_measure_requests(bench_rows *all, const bench_options *o)
{
    requests_state *states = bench_allocate(REQUESTS_N, sizeof *states);
    bench_case cases[REQUESTS_N];
    bench_result results[REQUESTS_N];

    for (size_t i = 0; i < REQUESTS_N; i++) {
        ilb_options opts = ILB_OPTIONS_INIT;
        requests_state *s = &states[i];

        s->now_ns = 1000000000;
        opts.clock_ns = requests_clock;
        opts.clock_user = s;
        s->balancer = bench_balancer(&opts, REQUESTS_ENDPOINTS);
        (void)requests_once(s, 20000000);
        s->part = requests_all[i].part;
        s->outcome = requests_all[i].outcome;
        cases[i] = (bench_case){requests_all[i].name, requests_once, s};
    }
    bench_run_cases(cases, REQUESTS_N, o, results);
    for (size_t i = 0; i < REQUESTS_N; i++) {
        uint32_t ejected = requests_ejected(states[i].balancer);

        bench_rest_row(all, cases[i].name, REQUESTS_ENDPOINTS, results[i]);
        if (ejected > REQUESTS_ENDPOINTS / 50)
            bench_note("%s: %u of %u endpoints are ejected in the end",
                       cases[i].name, ejected, REQUESTS_ENDPOINTS);
        ilb_balancer_free(states[i].balancer);
    }
    free(states);
}
