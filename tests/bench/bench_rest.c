/* SPDX-License-Identifier: MIT */
/* Updates, snapshots and ticks, with nobody else at work. */
#include <stdlib.h>
#include <string.h>

#include "bench_measures.h"
#include "bench_measures_parts.h"
#include "bench_subjects.h"

#define REST_ENDPOINTS 10000

typedef struct rest_state {
    ilb_balancer *balancer;
    ilb_endpoint *lists[2]; /* that it is given in turn */
    ilb_endpoint_stats *stats;
    uint64_t now_ns, step_ns;
    uint64_t calls;
} rest_state;

static uint64_t rest_clock(void *user)
{
    return ((rest_state *)user)->now_ns;
}

static int rest_update(rest_state *s)
{
    return ilb_balancer_update(s->balancer, s->lists[s->calls & 1],
                               REST_ENDPOINTS);
}

static int rest_readiness(rest_state *s)
{
    return ilb_balancer_set_readiness(
        s->balancer, s->lists[0][REST_ENDPOINTS / 2].address,
        (s->calls & 1) != 0 ? ILB_NOT_READY : ILB_READY);
}

static int rest_snapshot(rest_state *s)
{
    size_t n;

    return ilb_balancer_snapshot(s->balancer, s->stats, REST_ENDPOINTS,
                                 sizeof *s->stats, &n);
}

static int rest_tick(rest_state *s)
{
    s->now_ns += s->step_ns;
    return ilb_tick(s->balancer, s->now_ns);
}

/* Made, filled and freed; its pages are new each time. */
static int rest_new(rest_state *s)
{
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_balancer *b;
    int rc;

    o.capacity = REST_ENDPOINTS;
    rc = ilb_balancer_new(&b, "bench", &o);
    if (rc != ILB_OK)
        return rc;
    rc = ilb_balancer_update(b, s->lists[0], REST_ENDPOINTS);
    ilb_balancer_free(b);
    return rc;
}

typedef int (*rest_call)(rest_state *s);

static double rest_loop(rest_state *s, rest_call call, uint64_t wanted_ns)
{
    uint64_t began_ns = bench_now_ns(), n = 0, ns;

    do {
        int rc;

        s->calls++;
        rc = call(s);
        if (rc != ILB_OK)
            bench_die("rest: %s", ilb_strerror(rc));
        n++;
        ns = n % 16 == 0 || s->step_ns == 0 ? bench_now_ns() - began_ns : 0;
    } while (ns < wanted_ns);
    return (double)ns / (double)n;
}

#define REST_ONCE(name)                                                        \
    static double rest_once_##name(void *state, uint64_t wanted_ns)            \
    {                                                                          \
        return rest_loop(state, rest_##name, wanted_ns);                       \
    }

REST_ONCE(update)
REST_ONCE(readiness)
REST_ONCE(snapshot)
REST_ONCE(tick)
REST_ONCE(new)

enum {
    REST_UPDATE_SAME,
    REST_UPDATE_ONE,
    REST_UPDATE_ALL,
    REST_READINESS,
    REST_SNAPSHOT,
    REST_TICK,
    REST_TICK_DUE,
    REST_NEW,
    REST_N
};

static const bench_case rest_cases[REST_N] = {
    {"update_same_list", rest_once_update, NULL},
    {"update_one_changed", rest_once_update, NULL},
    {"update_all_changed", rest_once_update, NULL},
    {"set_readiness", rest_once_readiness, NULL},
    {"snapshot", rest_once_snapshot, NULL},
    {"tick_not_due", rest_once_tick, NULL},
    {"tick_due", rest_once_tick, NULL},
    {"new_fill_free", rest_once_new, NULL},
};

static void rest_init(rest_state *s, int i)
{
    ilb_options o = ILB_OPTIONS_INIT;

    memset(s, 0, sizeof *s);
    s->now_ns = 1000000000;
    s->lists[0] = bench_endpoints(0, REST_ENDPOINTS);
    s->lists[1] = bench_endpoints(i == REST_UPDATE_ALL ? REST_ENDPOINTS : 0,
                                  REST_ENDPOINTS);
    if (i == REST_UPDATE_ONE)
        s->lists[1][REST_ENDPOINTS / 2].address = "10.200.0.1:8080";
    s->step_ns = i == REST_TICK ? 1000 : i == REST_TICK_DUE ? 100000000 : 0;
    if (i == REST_SNAPSHOT)
        s->stats = bench_allocate(REST_ENDPOINTS, sizeof *s->stats);
    o.capacity = REST_ENDPOINTS;
    o.clock_ns = rest_clock;
    o.clock_user = s;
    s->balancer = bench_balancer(&o, REST_ENDPOINTS);
}

void bench_rest_row(bench_rows *all, const char *subject, uint32_t endpoints,
                    bench_result result)
{
    bench_row *r = bench_rows_add(all, "rest", subject);

    r->threads = 1;
    r->endpoints = endpoints;
    r->result = result;
}

void bench_measure_rest(bench_rows *all, const bench_options *o)
{
    rest_state *states = bench_allocate(REST_N, sizeof *states);
    bench_case cases[REST_N];
    bench_result results[REST_N];

    bench_measure_requests(all, o);
    bench_measure_ejection(all, o);
    memcpy(cases, rest_cases, sizeof cases);
    for (int i = 0; i < REST_N; i++) {
        rest_init(&states[i], i);
        cases[i].state = &states[i];
    }
    bench_run_cases(cases, REST_N, o, results);
    for (int i = 0; i < REST_N; i++) {
        bench_rest_row(all, cases[i].name, REST_ENDPOINTS, results[i]);
        ilb_balancer_free(states[i].balancer);
        free(states[i].lists[0]);
        free(states[i].lists[1]);
        free(states[i].stats);
    }
    free(states);
}
