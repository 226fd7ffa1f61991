/* SPDX-License-Identifier: MIT */
/* The detector of latency: who is much slower than its peers for long is
 * ejected, and returns by a probe that is fast. */
#include "suites.h"
#include "util.h"

#define PER_SECOND 100
#define TAKES_NS (50 * MS_NS)
#define LATENCY ILB_DETECTOR_BIT(ILB_DETECTOR_LATENCY)
#define MINUTE_NS (60 * S_NS)
/* Nats, as health/slow.h says. */
#define THRESHOLD 16.0

static ilb_options with_policy(ilb_policy policy)
{
    ilb_options o = ILB_OPTIONS_INIT;

    o.policy = policy;
    return o;
}

/* `n` pods that are known well: beyond what may be warming up. */
static test_sim *known_sim(uint32_t n, uint64_t takes_ns, uint64_t seed,
                           ilb_policy policy)
{
    ilb_options o = with_policy(policy);
    test_sim *sim = test_sim_new(n, takes_ns, seed, &o);

    sim->timeout_ns = 20 * S_NS;
    test_sim_run(sim, 20 * S_NS, PER_SECOND);
    test_sim_forget(sim);
    return sim;
}

static uint32_t events_of(const test_sim *sim, ilb_event_type type,
                          ilb_event *last)
{
    ilb_event all[256];
    uint32_t found = 0;
    size_t n;

    must_eq(ilb_balancer_events(sim->b, 0, all, 256, sizeof all[0], &n),
            ILB_OK);
    for (size_t i = 0; i < n; i++)
        if (all[i].type == type) {
            *last = all[i];
            found++;
        }
    return found;
}

static bool is_out(const test_sim *sim, uint32_t pod)
{
    ilb_state s = test_stats(sim->b, pod).state;

    return s == ILB_STATE_EJECTED || s == ILB_STATE_PROBING;
}

static void must_be_left_alone(const test_sim *sim)
{
    for (uint32_t i = 0; i < sim->n_pods; i++)
        must_eq(test_stats(sim->b, i).detected[ILB_DETECTOR_LATENCY], 0);
}

static const ilb_policy policies[] = {ILB_POLICY_PEAK_EWMA, ILB_POLICY_RANDOM,
                                      ILB_POLICY_ROUND_ROBIN,
                                      ILB_POLICY_LEAST_REQUEST};

/* ---- Ejection ---------------------------------------------------------- */

START_TEST(who_is_slow_for_long_is_ejected)
{
    static const uint32_t factors[] = {5, 8, 20};
    static const uint32_t sizes[] = {2, 3, 4, 10};

    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 4; i++) {
            uint64_t seed = (uint64_t)(1 + k + i);
            test_sim *sim = known_sim(sizes[i], TAKES_NS, seed, policies[_i]);
            ilb_event e;

            sim->pods[1].takes_ns = factors[k] * TAKES_NS;
            for (int s = 0; s < 240 && !is_out(sim, 1); s++)
                test_sim_run(sim, 5 * S_NS, PER_SECOND);
            must(is_out(sim, 1));
            must_eq(events_of(sim, ILB_EVENT_EJECT, &e), 1);
            must_eq(e.detector, ILB_DETECTOR_LATENCY);
            must_str(e.address, test_address(1));
            must_be_within(e.threshold, THRESHOLD, THRESHOLD);
            must_be_within(e.statistic, THRESHOLD, 2 * THRESHOLD);
            must_eq(test_stats(sim->b, 1).enforced[ILB_DETECTOR_LATENCY], 1);
            test_sim_free(sim);
        }
}
END_TEST

/* Also when its callers do not wait for it: longer than three times the median,
 * but never for an answer. (By hanging as well, which is off here.) */
START_TEST(also_when_it_is_given_up)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        ilb_options o = with_policy(policies[_i]);
        test_sim *sim;

        o.detectors_off = ILB_DETECTOR_BIT(ILB_DETECTOR_HANG);
        sim = test_sim_new(4, TAKES_NS, seed, &o);
        test_sim_run(sim, 20 * S_NS, PER_SECOND);
        sim->pods[1].takes_ns = 20 * TAKES_NS;
        sim->patience_ns = 250 * MS_NS;
        for (int s = 0; s < 240 && !is_out(sim, 1); s++)
            test_sim_run(sim, 5 * S_NS, PER_SECOND);
        must(is_out(sim, 1));
        must_eq(test_stats(sim->b, 1).enforced[ILB_DETECTOR_LATENCY], 1);
        test_sim_free(sim);
    }
}
END_TEST

/* Two of four, of five and of ten are: one after the other. */
START_TEST(several_are_ejected)
{
    static const uint32_t sizes[] = {4, 5, 10};

    for (int k = 0; k < 3; k++) {
        test_sim *sim = known_sim(sizes[k], TAKES_NS, 1, ILB_POLICY_RANDOM);

        sim->pods[1].takes_ns = sim->pods[2].takes_ns = 10 * TAKES_NS;
        test_sim_run(sim, MINUTE_NS, PER_SECOND);
        for (uint32_t i = 0; i < sizes[k]; i++)
            must_eq(test_stats(sim->b, i).enforced[ILB_DETECTOR_LATENCY] > 0,
                    i == 1 || i == 2);
        test_sim_free(sim);
    }
}
END_TEST

/* ---- Return ------------------------------------------------------------ */

/* As long as it is slow its probes fail, and little is sent to it; then it has
 * its share again. */
START_TEST(it_returns_when_it_is_fast)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        test_sim *sim = known_sim(4, TAKES_NS, seed, policies[_i]);
        ilb_event e;

        sim->pods[1].takes_ns = 5 * TAKES_NS;
        for (int s = 0; s < 240 && !is_out(sim, 1); s++)
            test_sim_run(sim, 5 * S_NS, PER_SECOND);
        test_sim_forget(sim);
        test_sim_run(sim, 5 * MINUTE_NS, PER_SECOND);
        must_be_within(sim->pods[1].n_picked, 5, 30);
        must_be_within(events_of(sim, ILB_EVENT_PROBE_FAILED, &e), 5, 30);
        /* In 4000 requests, but 30 s; and a tenth of that. */
        must_be_within((double)(e.until_ns - e.time_ns) / 1e9, 27, 33);
        must_eq(events_of(sim, ILB_EVENT_UNEJECT, &e), 0);
        sim->pods[1].takes_ns = TAKES_NS;
        test_sim_run(sim, 40 * S_NS, PER_SECOND);
        must_eq(events_of(sim, ILB_EVENT_UNEJECT, &e), 1);
        test_sim_forget(sim);
        test_sim_run(sim, 10 * S_NS, PER_SECOND);
        must_be_within(test_sim_share(sim, 1), 0.5 / 4, 1.5 / 4);
        test_sim_free(sim);
    }
}
END_TEST

/* ---- Who is left alone ------------------------------------------------- */

/* Twenty times slower, but by less than the margin; and by less than another
 * margin. */
START_TEST(within_the_margin)
{
    ilb_options o = with_policy(ILB_POLICY_RANDOM);
    test_sim *sim = known_sim(4, MS_NS, 1, ILB_POLICY_RANDOM);

    sim->pods[1].takes_ns = 16 * MS_NS;
    test_sim_run(sim, 2 * MINUTE_NS, PER_SECOND);
    must_be_left_alone(sim);
    test_sim_free(sim);
    for (int wide = 0; wide <= 1; wide++) {
        o.latency_margin_ns = wide ? 500 * MS_NS : MS_NS;
        sim = test_sim_new(4, wide ? TAKES_NS : MS_NS, 1, &o);
        test_sim_run(sim, 20 * S_NS, PER_SECOND);
        sim->pods[1].takes_ns = wide ? 8 * TAKES_NS : 16 * MS_NS;
        test_sim_run(sim, 2 * MINUTE_NS, PER_SECOND);
        must_eq(test_stats(sim->b, 1).enforced[ILB_DETECTOR_LATENCY] > 0,
                !wide);
        test_sim_free(sim);
    }
}
END_TEST

/* Stops of one endpoint, of up to 10 s with all that comes meanwhile. */
START_TEST(one_stop_is_nothing)
{
    for (int k = 0; k < 4; k++)
        for (uint64_t ms = 100; ms <= 10000; ms *= 10) {
            test_sim *sim = known_sim(4, TAKES_NS, ms, policies[k]);

            sim->pods[1].stops_ns = sim->clock.now_ns + ms * MS_NS;
            test_sim_run(sim, MINUTE_NS, PER_SECOND);
            must_be_left_alone(sim);
            test_sim_free(sim);
        }
}
END_TEST

/* One request in ten takes ten times as long, everywhere. */
START_TEST(heavy_requests_are_nobodys_fault)
{
    for (uint64_t seed = 1; seed <= 2; seed++)
        for (uint32_t n = 2; n <= 10; n += 4) {
            test_sim *sim = known_sim(n, TAKES_NS, seed, policies[_i]);

            for (uint32_t i = 0; i < n; i++)
                sim->pods[i].heavy_ppm = 100000;
            test_sim_run(sim, 5 * MINUTE_NS, PER_SECOND);
            must_be_left_alone(sim);
            test_sim_free(sim);
        }
}
END_TEST

/* Half of them are in a zone that is 1.5, 2 or 2.5 times as far away, with
 * answers of exponential length. */
START_TEST(a_slower_zone)
{
    for (uint32_t factor = 3; factor <= 5; factor++)
        for (uint32_t n = 2; n <= 6; n += 2) {
            test_sim *sim = known_sim(n, TAKES_NS, factor, policies[_i]);

            for (uint32_t i = 0; i < n; i++) {
                sim->pods[i].spread = true;
                sim->pods[i].takes_ns = TAKES_NS * (i < n / 2 ? 2 : factor) / 2;
            }
            test_sim_run(sim, 5 * MINUTE_NS, PER_SECOND);
            must_be_left_alone(sim);
            test_sim_free(sim);
        }
}
END_TEST

/* A newcomer that is ten times slower for 50 s as it warms up is left alone;
 * when it still is after a minute, no more. */
START_TEST(a_newcomer_may_warm_up)
{
    for (int late = 0; late <= 1; late++) {
        test_sim *sim = known_sim(4, TAKES_NS, 1, ILB_POLICY_RANDOM);

        sim->pods[4].takes_ns = 10 * TAKES_NS;
        sim->n_pods = 5;
        test_update(sim->b, 0, 5);
        test_sim_run(sim, 50 * S_NS, PER_SECOND);
        must_be_left_alone(sim);
        if (!late)
            sim->pods[4].takes_ns = TAKES_NS;
        test_sim_run(sim, MINUTE_NS, PER_SECOND);
        must_eq(test_stats(sim->b, 4).enforced[ILB_DETECTOR_LATENCY] > 0, late);
        test_sim_free(sim);
    }
}
END_TEST

/* ---- Refused ----------------------------------------------------------- */

/* Half of the requests cannot be answered by the fast one. */
START_TEST(who_is_needed_stays)
{
    test_sim *sim = known_sim(2, TAKES_NS, 1, ILB_POLICY_PEAK_EWMA);
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_event e;

    for (int i = 0; i < 400; i++) {
        ilb_ticket fast, slow;

        do {
            fast = test_pick(sim->b);
            if (test_number(sim->b, &fast) == 0)
                break;
            sim->clock.now_ns += 10 * TAKES_NS;
            test_done(sim->b, &fast, ILB_SUCCESS);
        } while (true);
        o.exclude = &fast;
        o.n_exclude = 1;
        must_eq(ilb_pick(sim->b, &slow, &o), ILB_OK);
        sim->clock.now_ns += TAKES_NS;
        test_done(sim->b, &fast, ILB_SUCCESS);
        sim->clock.now_ns += 9 * TAKES_NS;
        test_done(sim->b, &slow, ILB_SUCCESS);
    }
    must(!is_out(sim, 1));
    must_eq(test_stats(sim->b, 1).enforced[ILB_DETECTOR_LATENCY], 0);
    must(events_of(sim, ILB_EVENT_EJECT_REFUSED, &e) > 5);
    must_eq(e.reason, ILB_REASON_CAPACITY);
    must_eq(e.detector, ILB_DETECTOR_LATENCY);
    must(!e.enforced && e.statistic >= e.threshold);
    test_sim_free(sim);
}
END_TEST

START_TEST(in_shadow_and_off)
{
    for (int shadow = 0; shadow <= 1; shadow++) {
        ilb_options o = with_policy(ILB_POLICY_RANDOM);
        ilb_event e;
        test_sim *sim;

        o.detectors_off = shadow ? 0 : LATENCY;
        o.detectors_shadow = shadow ? LATENCY : 0;
        sim = test_sim_new(4, TAKES_NS, 1, &o);
        test_sim_run(sim, 20 * S_NS, PER_SECOND);
        sim->pods[1].takes_ns = 10 * TAKES_NS;
        test_sim_run(sim, 20 * S_NS, PER_SECOND);
        must_eq(test_stats(sim->b, 1).ejections, 0);
        must_eq(test_stats(sim->b, 1).enforced[ILB_DETECTOR_LATENCY], 0);
        must_eq(events_of(sim, ILB_EVENT_EJECT_REFUSED, &e) > 0, shadow);
        if (shadow) {
            must_eq(e.reason, ILB_REASON_SHADOW);
            must_eq(e.detector, ILB_DETECTOR_LATENCY);
            must(e.statistic >= e.threshold && e.threshold == THRESHOLD);
        }
        test_sim_free(sim);
    }
}
END_TEST

/* ---- Together ---------------------------------------------------------- */

/* One fails, one hangs, one is slow, one is well: the cap and the floor hold at
 * any moment, whoever ejects. */
START_TEST(cap_and_floor_hold_for_all)
{
    for (uint32_t floor = 1; floor <= 3; floor++)
        for (uint32_t percent = 25; percent <= 100; percent += 25) {
            ilb_options o = with_policy(ILB_POLICY_RANDOM);
            uint32_t most = percent / 25 < 4 - floor ? percent / 25 : 4 - floor;
            uint32_t seen = 0;
            test_sim *sim;

            o.min_endpoints = floor;
            o.max_ejection_percent = percent;
            sim = test_sim_new(4, TAKES_NS, percent, &o);
            test_sim_run(sim, 20 * S_NS, PER_SECOND);
            sim->pods[0].takes_ns = 10 * TAKES_NS;
            sim->pods[1].hangs = true;
            sim->pods[2].outcome = ILB_FAILURE;
            for (int s = 0; s < 300; s++) {
                uint32_t out = 0;

                test_sim_run(sim, S_NS / 10, PER_SECOND);
                for (uint32_t i = 0; i < 4; i++)
                    out += is_out(sim, i);
                must(out <= most);
                seen = out > seen ? out : seen;
            }
            must_eq(seen, most);
            test_sim_free(sim);
        }
}
END_TEST

Suite *suite_api_slow(void)
{
    Suite *s = suite_create("api slow");
    TCase *tc = test_case(s, "ejection");

    tcase_add_loop_test(tc, who_is_slow_for_long_is_ejected, 0, 4);
    tcase_add_loop_test(tc, also_when_it_is_given_up, 0, 4);
    tcase_add_test(tc, several_are_ejected);
    tcase_add_loop_test(tc, it_returns_when_it_is_fast, 0, 4);
    tc = test_case(s, "none");
    tcase_add_test(tc, within_the_margin);
    tcase_add_test(tc, one_stop_is_nothing);
    tcase_add_loop_test(tc, heavy_requests_are_nobodys_fault, 0, 4);
    tcase_add_loop_test(tc, a_slower_zone, 0, 4);
    tcase_add_test(tc, a_newcomer_may_warm_up);
    tcase_add_test(tc, who_is_needed_stays);
    tcase_add_test(tc, in_shadow_and_off);
    tcase_add_test(tc, cap_and_floor_hold_for_all);
    return s;
}
