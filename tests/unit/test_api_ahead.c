/* SPDX-License-Identifier: MIT */
/* Times that are handed in and are ahead of the balancer's clock: they count as
 * the clock's, so all goes on as if it had been asked. */
#include "suites.h"
#include "util.h"

#define PODS 4
#define STEPS 12000
#define STEP_NS (5 * MS_NS)
#define NO_STEP UINT32_MAX
#define CHECKS_FAIL 8000
#define CHECKS_PASS 9500

/* Where a time is handed in. */
typedef enum ahead_call {
    AHEAD_PICK,
    AHEAD_DONE,
    AHEAD_FIRST_BYTE,
    AHEAD_CHECK,
    AHEAD_PROBE,
    AHEAD_TICK,
    AHEAD_CALLS
} ahead_call;

/* A minute of a service in which number 1 fails in the second quarter and
 * later the checks of number 2, told with or without wild times; the rest is by
 * the clock. */
typedef struct ahead_story {
    ahead_call call;  /* that gets a wild time */
    uint64_t wild_ns; /* an absolute time, 0: none */
    uint64_t late_ns; /* or one that is so much ahead of the clock */
    uint32_t at;      /* in this step */
    uint32_t every;   /* or in each so-many-th; 0: no */
    ilb_policy policy;
    test_clock clock;
    ilb_balancer *b;
    uint32_t picks[STEPS];
    ilb_endpoint_stats stats[PODS];
    ilb_event events[256];
    size_t n_events;
} ahead_story;

static uint64_t ahead_time(const ahead_story *s, uint32_t step, ahead_call call)
{
    bool now = step == s->at || (s->every != 0 && step % s->every == 0);

    if (!now || call != s->call)
        return 0;
    return s->wild_ns != 0
               ? s->wild_ns
               : (s->late_ns == 0 ? 0 : s->clock.now_ns + s->late_ns);
}

/* Makes what calls there are besides requests. */
static void ahead_besides(ahead_story *s, uint32_t step)
{
    ilb_ticket t;

    must_eq(ilb_balancer_report_check(s->b, test_address(2),
                                      step < CHECKS_FAIL || step >= CHECKS_PASS,
                                      ahead_time(s, step, AHEAD_CHECK)),
            ILB_OK);
    must_eq(ilb_tick(s->b, ahead_time(s, step, AHEAD_TICK)), ILB_OK);
    /* Not always, so that probes are also left to picks. */
    if (step % 6000 < 3000 && step != s->at)
        return;
    if (ilb_probe_next(s->b, &t, ahead_time(s, step, AHEAD_PROBE)) != ILB_OK)
        return;
    s->clock.now_ns += MS_NS;
    test_done(s->b, &t, step < STEPS / 2 ? ILB_FAILURE : ILB_SUCCESS);
}

static void ahead_request(ahead_story *s, uint32_t step)
{
    ilb_pick_options p = ILB_PICK_OPTIONS_INIT;
    ilb_result r = ILB_RESULT_INIT;
    ilb_ticket t;
    bool ill;

    p.now_ns = ahead_time(s, step, AHEAD_PICK);
    must_eq(ilb_pick(s->b, &t, &p), ILB_OK);
    s->picks[step] = test_number(s->b, &t);
    ill = s->picks[step] == 1 && step >= STEPS / 4 && step < STEPS / 2;
    s->clock.now_ns += STEP_NS / 2;
    if (!ill)
        must_eq(ilb_first_byte(s->b, &t, ahead_time(s, step, AHEAD_FIRST_BYTE)),
                ILB_OK);
    s->clock.now_ns += STEP_NS / 2;
    r.outcome = ill ? ILB_FAILURE : ILB_SUCCESS;
    r.now_ns = ahead_time(s, step, AHEAD_DONE);
    must_eq(ilb_done_with(s->b, &t, &r), ILB_OK);
}

static void ahead_tell(ahead_story *s, uint64_t seed)
{
    const test_clock start = TEST_CLOCK_INIT;
    ilb_options o = test_options(&s->clock, s->policy, seed);

    s->clock = start;
    o.slow_start_ns = 5 * S_NS;
    o.base_ejection_time_ns = 2 * S_NS;
    s->b = test_new(&o);
    test_update(s->b, 0, PODS);
    for (uint32_t step = 0; step < STEPS; step++) {
        if (step % 500 == 0 || step == s->at)
            ahead_besides(s, step);
        ahead_request(s, step);
    }
    must_eq(test_snapshot(s->b, s->stats, PODS), PODS);
    must_eq(ilb_balancer_events(s->b, 0, s->events, 256, sizeof s->events[0],
                                &s->n_events),
            ILB_OK);
    ilb_balancer_free(s->b);
}

static void must_be_same_event(const ilb_event *a, const ilb_event *b)
{
    must_eq(a->type, b->type);
    must_eq(a->from, b->from);
    must_eq(a->to, b->to);
    must_eq(a->time_ns, b->time_ns);
    must_eq(a->until_ns, b->until_ns);
    must_str(a->address, b->address);
}

static void must_be_same(const ahead_story *a, const ahead_story *b)
{
    for (uint32_t i = 0; i < STEPS; i++)
        must_eq(a->picks[i], b->picks[i]);
    for (uint32_t i = 0; i < PODS; i++) {
        must_eq(a->stats[i].state, b->stats[i].state);
        must_eq(a->stats[i].ejections, b->stats[i].ejections);
        must_eq(a->stats[i].latency_ns, b->stats[i].latency_ns);
        must_eq(a->stats[i].failure_ppm, b->stats[i].failure_ppm);
        must_eq(a->stats[i].ejected_until_ns, b->stats[i].ejected_until_ns);
    }
    must_eq(a->n_events, b->n_events);
    for (size_t i = 0; i < a->n_events; i++)
        must_be_same_event(&a->events[i], &b->events[i]);
}

/* Without wild times: number 1 is ejected, probed in vain, and comes back. */
static ahead_story *ahead_honest(uint64_t seed)
{
    ahead_story *s = calloc(1, sizeof *s);
    bool failed_probe = false;

    must(s != NULL);
    s->at = NO_STEP;
    s->policy = ILB_POLICY_RANDOM;
    ahead_tell(s, seed);
    must(s->stats[1].ejections > 0 && s->stats[2].ejections > 0);
    must_eq(s->stats[1].state, ILB_STATE_HEALTHY);
    for (size_t i = 0; i < s->n_events; i++)
        failed_probe |= s->events[i].type == ILB_EVENT_PROBE_FAILED;
    must(failed_probe);
    return s;
}

static const uint64_t wilds[] = {
    UINT64_MAX,        UINT64_MAX - 1,
    UINT64_C(1) << 63, UINT64_C(1764000000000000000), /* the wall clock's */
    4600 * S_NS,                                      /* an hour ahead */
    1100 * S_NS /* less than two minutes */
};
#define N_WILDS (sizeof wilds / sizeof wilds[0])

/* The first of all, in use, while number 1 is ejected, as it comes back. */
static const uint32_t steps[] = {0,
                                 1,
                                 2500,
                                 STEPS / 4 + 500,
                                 STEPS / 4 + 501,
                                 STEPS / 2 + 1500,
                                 STEPS / 2 + 1501,
                                 CHECKS_PASS - 500};
#define N_STEPS (sizeof steps / sizeof steps[0])

/* _i: the call. */
START_TEST(once_it_is_as_if_it_had_not_been)
{
    ahead_story *honest = ahead_honest(3), *s = calloc(1, sizeof *s);

    must(s != NULL);
    for (size_t k = 0; k < N_WILDS; k++)
        for (size_t i = 0; i < N_STEPS; i++) {
            s->call = (ahead_call)_i;
            s->at = honest->at = steps[i];
            s->policy = honest->policy =
                i % 2 == 0 ? ILB_POLICY_RANDOM : ILB_POLICY_PEAK_EWMA;
            s->wild_ns = wilds[k];
            /* The extra calls of that step are part of both. */
            ahead_tell(honest, 3);
            ahead_tell(s, 3);
            must_be_same(s, honest);
        }
    free(s);
    free(honest);
}
END_TEST

/* One of several callers lives in another time, all the time. */
START_TEST(a_caller_who_is_always_ahead)
{
    static const uint64_t aheads[] = {2 * S_NS + 1, 3 * S_NS, 4900 * MS_NS,
                                      20 * S_NS, 3600 * S_NS};
    ahead_story *honest = ahead_honest(5), *s = calloc(1, sizeof *s);

    must(s != NULL);
    s->at = NO_STEP;
    s->policy = honest->policy;
    s->call = (ahead_call)_i;
    for (size_t k = 0; k < sizeof aheads / sizeof aheads[0]; k++)
        for (s->every = 1; s->every <= 10; s->every += 9) {
            s->late_ns = aheads[k];
            ahead_tell(s, 5);
            must_be_same(s, honest);
        }
    free(s);
    free(honest);
}
END_TEST

Suite *suite_api_ahead(void)
{
    Suite *s = suite_create("api ahead");
    TCase *tc = test_case(s, "times that are ahead");

    tcase_add_loop_test(tc, once_it_is_as_if_it_had_not_been, 0, AHEAD_CALLS);
    tcase_add_loop_test(tc, a_caller_who_is_always_ahead, 0, AHEAD_CALLS);
    return s;
}
