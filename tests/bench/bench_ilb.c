/* SPDX-License-Identifier: MIT */
/* libilb's loops, through ilb.h alone. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_random.h"
#include "bench_subject_parts.h"
#include "bench_subjects.h"

#define ILB_BENCH_CAPACITY_MIN 1024 /* the default */

typedef struct ilb_state_of {
    ilb_balancer *balancer;
    bench_pace pace;
} ilb_state_of;

typedef struct ilb_local {
    uint64_t random;
    bool flies;
    ilb_ticket flying[BENCH_BLOCK];
} ilb_local;

ilb_endpoint *bench_endpoints(uint32_t first, uint32_t n)
{
    enum {
        BYTES = 24
    };
    ilb_endpoint *e = bench_allocate(n, sizeof *e + BYTES);
    char *text = (char *)(e + n);

    for (uint32_t i = 0; i < n; i++, text += BYTES) {
        uint32_t k = first + i;

        snprintf(text, BYTES, "10.%u.%u.%u:8080", (k >> 16) & 255,
                 (k >> 8) & 255, k & 255);
        e[i] = (ilb_endpoint)ILB_ENDPOINT(text);
    }
    return e;
}

ilb_balancer *bench_balancer(const ilb_options *o, uint32_t n)
{
    ilb_endpoint *e = bench_endpoints(0, n);
    ilb_balancer *b;
    int rc = ilb_balancer_new(&b, "bench", o);

    if (rc == ILB_OK)
        rc = ilb_balancer_update(b, e, n);
    if (rc != ILB_OK)
        bench_die("a balancer of %u endpoints: %s", n, ilb_strerror(rc));
    free(e);
    return b;
}

/* ---- Loops ------------------------------------------------------------- */

static void ilb_must(int rc)
{
    if (rc != ILB_OK)
        bench_die("a request: %s", ilb_strerror(rc));
}

static void ilb_own(void *state, void *local, uint64_t n)
{
    ilb_balancer *b = ((ilb_state_of *)state)->balancer;
    ilb_ticket t;

    (void)local;
    for (uint64_t i = 0; i < n; i++) {
        ilb_must(ilb_pick(b, &t, NULL));
        ilb_must(ilb_done(b, &t, ILB_SUCCESS));
    }
}

static void ilb_caller(void *state, void *local, uint64_t n)
{
    ilb_state_of *s = state;
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_result r = ILB_RESULT_INIT;
    ilb_ticket t;

    (void)local;
    for (uint64_t i = 0; i < n; i++) {
        o.now_ns = i % BENCH_BLOCK == 0 ? bench_pace_block(&s->pace)
                                        : o.now_ns + s->pace.step_ns;
        r.now_ns = o.now_ns + BENCH_CALL_NS;
        ilb_must(ilb_pick(s->balancer, &t, &o));
        ilb_must(ilb_done_with(s->balancer, &t, &r));
    }
}

/* Virtual time as a clock; it is asked once in two seconds of it. */
static uint64_t ilb_virtual_ns(void *user)
{
    return atomic_load_explicit(&((bench_pace *)user)->now_ns,
                                memory_order_relaxed);
}

static void ilb_paced(void *state, void *local, uint64_t n)
{
    ilb_state_of *s = state;
    ilb_local *l = local;
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_result r = ILB_RESULT_INIT;

    for (uint32_t i = 0; i < BENCH_BLOCK && !l->flies; i++)
        ilb_must(ilb_pick(s->balancer, &l->flying[i], NULL));
    l->flies = true;
    for (uint64_t i = 0; i < n; i++) {
        ilb_ticket *t = &l->flying[bench_random(&l->random) % BENCH_BLOCK];

        r.now_ns = i % BENCH_BLOCK == 0 ? bench_pace_block(&s->pace)
                                        : r.now_ns + s->pace.step_ns;
        o.now_ns = r.now_ns;
        ilb_must(ilb_done_with(s->balancer, t, &r));
        ilb_must(ilb_pick(s->balancer, t, &o));
    }
}

/* ---- Subjects ---------------------------------------------------------- */

static void ilb_subject_free(bench_subject *s)
{
    ilb_balancer_free(((ilb_state_of *)s->state)->balancer);
    free(s->state);
}

bench_subject *bench_ilb_subject(ilb_policy policy, const char *way, uint32_t n,
                                 uint32_t n_threads)
{
    static const bench_loops loops = {ilb_own, ilb_caller, ilb_paced};
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_state_of *state;
    bench_subject *s = bench_subject_new(ilb_policy_name(policy), way, &loops,
                                         sizeof(ilb_local), n_threads);

    state = bench_allocate(1, sizeof *state);
    bench_pace_init(&state->pace, way, n_threads);
    o.policy = policy;
    o.capacity = n > ILB_BENCH_CAPACITY_MIN ? n : 0;
    if (strcmp(way, "own") != 0) {
        o.clock_ns = ilb_virtual_ns;
        o.clock_user = &state->pace;
    }
    state->balancer = bench_balancer(&o, n);
    s->state = state;
    s->release = ilb_subject_free;
    return s;
}
