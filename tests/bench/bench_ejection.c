/* SPDX-License-Identifier: MIT */
/*
 * The done that ejects an endpoint, and the one that lets it back in. One of
 * 100 endpoints fails each of its requests until it is ejected and then none
 * until it is healthy again, and so on; each done that has told such an event
 * is a sample, with one read of the clock in it. Time is virtual.
 */
#include <stdlib.h>
#include <string.h>

#include "bench_measures_parts.h"
#include "bench_subjects.h"

#define EJECTION_ENDPOINTS 100
#define EJECTION_SAMPLES 200
#define EJECTION_STEP_NS 1000000
#define EJECTION_STEPS_MAX 50000000

typedef struct ejection_state {
    ilb_balancer *balancer;
    uint64_t now_ns;
    uint64_t last_event;
    bool fails;
} ejection_state;

static uint64_t ejection_clock(void *user)
{
    return ((ejection_state *)user)->now_ns;
}

/* The type of the last event since the call before; NONE: there was none. */
static ilb_event_type ejection_event(ejection_state *s)
{
    ilb_event_type type = ILB_EVENT_NONE;
    ilb_event events[8];
    size_t n;

    do {
        if (ilb_balancer_events(s->balancer, s->last_event, events, 8,
                                sizeof events[0], &n) != ILB_OK)
            bench_die("no events");
        for (size_t i = 0; i < n; i++) {
            s->last_event = events[i].number;
            type = events[i].enforced ? events[i].type : type;
        }
    } while (n == 8);
    return type;
}

/* One request. `ns` receives how long its done took; what that told. */
static ilb_event_type ejection_request(ejection_state *s, const char *bad,
                                       uint64_t *ns)
{
    ilb_ticket t;
    bool is_bad;
    uint64_t began_ns;

    if (ilb_pick(s->balancer, &t, NULL) != ILB_OK)
        bench_die("no endpoint");
    is_bad = strcmp(ilb_ticket_address(s->balancer, &t), bad) == 0;
    s->now_ns += EJECTION_STEP_NS;
    (void)ejection_event(s);
    began_ns = bench_now_ns();
    if (ilb_done(s->balancer, &t,
                 is_bad && s->fails ? ILB_FAILURE : ILB_SUCCESS) != ILB_OK)
        bench_die("a request fails");
    *ns = bench_now_ns() - began_ns;
    return ejection_event(s);
}

typedef struct ejection_samples {
    double *eject, *uneject;
    uint32_t n_eject, n_uneject;
} ejection_samples;

static void ejection_sample(ejection_state *s, ejection_samples *to)
{
    for (uint64_t i = 0; i < EJECTION_STEPS_MAX; i++) {
        uint64_t ns;

        switch (ejection_request(s, "10.0.0.7:8080", &ns)) {
        case ILB_EVENT_EJECT:
            to->eject[to->n_eject++] = (double)ns;
            s->fails = false;
            break;
        case ILB_EVENT_UNEJECT:
            to->uneject[to->n_uneject++] = (double)ns;
            break;
        case ILB_EVENT_HEALTHY:
            s->fails = true;
            break;
        default:
            break;
        }
        if (to->n_eject == EJECTION_SAMPLES)
            return;
    }
    bench_die("of %d ejections only %u came", EJECTION_SAMPLES, to->n_eject);
}

void bench_measure_ejection(bench_rows *all, const bench_options *o)
{
    ilb_options opts = ILB_OPTIONS_INIT;
    ejection_state s = {NULL, 1000000000, 0, true};
    ejection_samples samples = {0};

    (void)o;
    samples.eject = bench_allocate(2 * EJECTION_SAMPLES, sizeof(double));
    samples.uneject = samples.eject + EJECTION_SAMPLES;
    opts.clock_ns = ejection_clock;
    opts.clock_user = &s;
    s.balancer = bench_balancer(&opts, EJECTION_ENDPOINTS);
    ejection_sample(&s, &samples);
    bench_rest_row(all, "done_that_ejects", EJECTION_ENDPOINTS,
                   bench_result_of(samples.eject, samples.n_eject, 0));
    bench_rest_row(all, "done_that_unejects", EJECTION_ENDPOINTS,
                   bench_result_of(samples.uneject, samples.n_uneject, 0));
    ilb_balancer_free(s.balancer);
    free(samples.eject);
}
