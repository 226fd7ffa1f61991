/* SPDX-License-Identifier: MIT */
/* What is no explanation, and an explanation as text. */
#include "explained.h"
#include "suites.h"

/* ---- Arguments and text -------------------------------------------------- */

START_TEST(what_is_refused_writes_nothing)
{
    ilb_balancer *b = test_new(NULL);
    ilb_explanation before;
    ilb_ticket t, t_before;

    memset(&test_why, 0x5a, sizeof test_why);
    memset(&t, 0x5a, sizeof t);
    before = test_why;
    t_before = t;
    must_eq(ilb_pick_explained(b, &t, NULL, &test_why, sizeof test_why),
            ILB_EEMPTY);
    test_update(b, 0, 1);
    must_eq(ilb_pick_explained(NULL, &t, NULL, &test_why, sizeof test_why),
            ILB_EINVAL);
    must_eq(ilb_pick_explained(b, NULL, NULL, &test_why, sizeof test_why),
            ILB_EINVAL);
    must_eq(ilb_pick_explained(b, &t, NULL, NULL, sizeof test_why), ILB_EINVAL);
    must_eq(ilb_pick_explained(b, &t, NULL, &test_why, 0), ILB_EABI);
    must_eq(ilb_pick_explained(b, &t, NULL, &test_why, sizeof test_why - 1),
            ILB_EABI);
    must_eq(ilb_pick_explained(b, &t, NULL, &test_why, sizeof test_why + 8),
            ILB_EABI);
    must(memcmp(&test_why, &before, sizeof test_why) == 0);
    must(memcmp(&t, &t_before, sizeof t) == 0);
    must_eq(test_stats(b, 0).in_flight, 0);
    ilb_balancer_free(b);
}
END_TEST

static void made_up(void)
{
    ilb_candidate *c = test_why.candidates;

    memset(&test_why, 0, sizeof test_why);
    test_why.size = sizeof test_why;
    test_why.policy = ILB_POLICY_PEAK_EWMA;
    test_why.n_endpoints = 3;
    test_why.width = 3;
    test_why.n_candidates = 2;
    memcpy(c[0].address, "10.0.0.2:80", 12);
    c[0].state = ILB_STATE_HEALTHY;
    c[0].cost = 2.1e6;
    c[0].latency_ns = 2100000;
    memcpy(c[1].address, "10.0.0.1:80", 12);
    c[1].state = ILB_STATE_WARMING;
    c[1].cost = 6.3e6;
    c[1].latency_ns = 2100000;
    c[1].in_flight = 2;
    c[1].load = 2;
    c[1].failure_ppm = 200000;
    c[1].held = ILB_HELD_CAP;
}

static void reads(const char *want)
{
    static char buf[ILB_EXPLANATION_TEXT_MAX];

    must_eq(ilb_explanation_text(&test_why, buf, sizeof buf), strlen(want));
    must_str(buf, want);
}

START_TEST(as_text)
{
    made_up();
    reads("10.0.0.2:80 by cost, looked at 2 of 3: 10.0.0.2:80 healthy, cost "
          "2.1 ms, latency 2.1 ms, 0 in flight; 10.0.0.1:80 warming, cost "
          "6.3 ms, latency 2.1 ms, 2 in flight, 20.0 % failed, held back: cap");
    test_why.width = 12;
    test_why.n_endpoints = 200;
    test_why.n_ejected = 5;
    test_why.overloaded = 1;
    test_why.policy = ILB_POLICY_LEAST_REQUEST;
    test_why.chosen = 1;
    test_why.chosen_by = ILB_CHOSEN_BY_SEARCH;
    test_why.candidates[0].cost = 0;
    test_why.candidates[0].latency_ns = 0;
    test_why.candidates[0].state = ILB_STATE_EJECTED;
    test_why.candidates[0].fate = ILB_FATE_EJECTED;
    test_why.candidates[1].cost = 3;
    test_why.candidates[1].held = ILB_HELD_NOT;
    test_why.candidates[1].load = 7.5;
    test_why.trial = ILB_TRIAL_UNTRIED;
    reads("10.0.0.1:80 by search, looked at 2 of 200, 5 ejected, the "
          "others are overloaded, a trial: untried: 10.0.0.2:80 ejected, 0 in "
          "flight, "
          "passed over: ejected; 10.0.0.1:80 warming, cost 3.0, latency 2.1 "
          "ms, 2 in flight of load 7.5, 20.0 % failed");
    test_why.panic = 1;
    test_why.room = 4.5;
    test_why.trial = ILB_TRIAL_NOT;
    test_why.n_candidates = 1;
    test_why.chosen = 0;
    test_why.chosen_by = ILB_CHOSEN_BY_FAIL_OPEN;
    test_why.candidates[0].fate = ILB_FATE_COMPARED;
    test_why.candidates[0].admitted = ILB_ADMITTED_PANIC;
    test_why.width = 200;
    reads("10.0.0.2:80 by fail_open, looked at 1 of 200, 5 ejected, a panic, "
          "the others have room for 4.5 in flight each: 10.0.0.2:80 ejected, "
          "0 in flight, may be taken: panic");
}
END_TEST

/* As many as there were, and from as many. */
START_TEST(as_text_with_the_looks_that_there_were)
{
    made_up();
    test_why.looks = 5;
    test_why.n_candidates = 1;
    test_why.candidates[0].latency_ns = 0;
    test_why.candidates[0].cost = 0;
    reads("10.0.0.2:80 by cost, looked at 1 of 3 in 5 looks: 10.0.0.2:80 "
          "healthy, 0 in flight");
    /* All were searched, not those of the aperture; so for a probe. */
    test_why.looks = 1;
    test_why.width = 12;
    test_why.n_endpoints = 200;
    test_why.chosen_by = ILB_CHOSEN_BY_SEARCH;
    reads("10.0.0.2:80 by search, looked at 1 of 200: 10.0.0.2:80 healthy, 0 "
          "in flight");
    test_why.chosen_by = ILB_CHOSEN_BY_PROBE;
    reads("10.0.0.2:80 by probe, looked at 1 of 200: 10.0.0.2:80 healthy, 0 "
          "in flight");
    test_why.chosen_by = ILB_CHOSEN_BY_COST;
    reads("10.0.0.2:80 by cost, looked at 1 of 12 of 200: 10.0.0.2:80 healthy, "
          "0 in flight");
    test_why.chosen_by = ILB_CHOSEN_BY_FAIL_OPEN;
    test_why.candidates[0].admitted = ILB_ADMITTED_PANIC;
    reads("10.0.0.2:80 by fail_open, looked at 1 of 12 of 200: 10.0.0.2:80 "
          "healthy, 0 in flight, may be taken: panic");
    test_why.candidates[0].admitted = ILB_ADMITTED_LAST;
    reads("10.0.0.2:80 by fail_open, looked at 1 of 200: 10.0.0.2:80 healthy, "
          "0 in flight, may be taken: last");
}
END_TEST

/* More than an explanation can tell of. */
START_TEST(as_text_with_more_than_it_tells_of)
{
    static char buf[ILB_EXPLANATION_TEXT_MAX];

    made_up();
    for (uint32_t i = 2; i < ILB_CANDIDATES_MAX; i++)
        test_why.candidates[i] = test_why.candidates[1];
    test_why.n_candidates = ILB_CANDIDATES_MAX;
    test_why.n_endpoints = test_why.width = 250;
    test_why.looks = ILB_CANDIDATES_MAX;
    (void)ilb_explanation_text(&test_why, buf, sizeof buf);
    must(strstr(buf, ", looked at 16 of 250: ") != NULL);
    test_why.looks = 314;
    (void)ilb_explanation_text(&test_why, buf, sizeof buf);
    must(strstr(buf, ", looked at 16 or more of 250 in 314 looks: ") != NULL);
}
END_TEST

START_TEST(text_that_does_not_fit_is_cut_and_none_is_longer_than_promised)
{
    char buf[32];

    made_up();
    must(ilb_explanation_text(&test_why, buf, sizeof buf) > 100);
    must_str(buf, "10.0.0.2:80 by cost, looked at ");
    must(ilb_explanation_text(&test_why, NULL, 0) > 100);
    test_why.n_candidates = ILB_CANDIDATES_MAX;
    test_why.n_endpoints = test_why.width = test_why.n_ejected = UINT32_MAX;
    test_why.overloaded = test_why.panic = 1;
    test_why.trial = ILB_TRIAL_RETURNED;
    test_why.room = 1e17;
    for (uint32_t i = 0; i < ILB_CANDIDATES_MAX; i++) {
        ilb_candidate *c = &test_why.candidates[i];

        memset(c->address, 'x', ILB_ADDRESS_MAX);
        c->fate = ILB_FATE_EXCLUDED;
        c->held = ILB_HELD_SUSPECT;
        c->admitted = ILB_ADMITTED_OVERLOAD;
        c->state = ILB_STATE_NOT_READY;
        c->in_flight = c->failure_ppm = UINT32_MAX;
        c->latency_ns = UINT64_MAX;
        c->cost = c->load = 1e17;
    }
    must(ilb_explanation_text(&test_why, NULL, 0) < ILB_EXPLANATION_TEXT_MAX);
}
END_TEST

START_TEST(what_is_no_explanation_is_refused)
{
    char buf[8] = "keep";

    made_up();
    must_eq(ilb_explanation_text(NULL, buf, sizeof buf), ILB_EINVAL);
    must_eq(ilb_explanation_text(&test_why, NULL, 1), ILB_EINVAL);
    test_why.size = sizeof test_why - 1;
    must_eq(ilb_explanation_text(&test_why, buf, sizeof buf), ILB_EABI);
    made_up();
    test_why.chosen = 2;
    must_eq(ilb_explanation_text(&test_why, buf, sizeof buf), ILB_EINVAL);
    made_up();
    test_why.n_candidates = ILB_CANDIDATES_MAX + 1;
    must_eq(ilb_explanation_text(&test_why, buf, sizeof buf), ILB_EINVAL);
    made_up();
    memset(test_why.candidates[1].address, 'x', ILB_ADDRESS_MAX + 1);
    must_eq(ilb_explanation_text(&test_why, buf, sizeof buf), ILB_EINVAL);
    must_str(buf, "keep");
}
END_TEST

Suite *suite_api_explanation(void)
{
    Suite *s = suite_create("api explanation");
    TCase *tc = test_case(s, "explanation");

    tcase_add_test(tc, what_is_refused_writes_nothing);
    tcase_add_test(tc, as_text);
    tcase_add_test(tc, as_text_with_the_looks_that_there_were);
    tcase_add_test(tc, as_text_with_more_than_it_tells_of);
    tcase_add_test(
        tc, text_that_does_not_fit_is_cut_and_none_is_longer_than_promised);
    tcase_add_test(tc, what_is_no_explanation_is_refused);
    return s;
}
