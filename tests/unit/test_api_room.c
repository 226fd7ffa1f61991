/* SPDX-License-Identifier: MIT */
/* Some endpoints are out, and those that are left cannot carry everything. */
#include "suites.h"
#include "util.h"

#define PODS 10
#define OUT 4
#define DEADLINE_NS (500 * MS_NS)
#define MAX_FLYING 1024

typedef struct flying {
    uint64_t ends_ns;
    ilb_outcome outcome;
    ilb_ticket ticket;
} flying;

/* Ten of one worker, 10 ms a request, 750 requests a second: who is not served
 * in time has waited in vain, but is served. */
typedef struct crowd {
    test_clock clock;
    ilb_balancer *b;
    uint64_t random, next_ns;
    uint64_t free_ns[PODS];
    bool out; /* the first four fail at once */
    uint32_t n_flying, done[ILB_OUTCOME_COUNT];
    flying flying[MAX_FLYING];
} crowd;

static crowd *crowd_new(uint64_t seed, ilb_options *o)
{
    crowd *c = calloc(1, sizeof *c);

    must(c != NULL);
    c->clock = (test_clock)TEST_CLOCK_INIT;
    o->clock_ns = test_clock_ns;
    o->clock_user = &c->clock;
    o->seed = seed;
    c->b = test_new(o);
    c->random = seed;
    c->next_ns = c->clock.now_ns;
    test_update(c->b, 0, PODS);
    return c;
}

static void crowd_free(crowd *c)
{
    ilb_balancer_free(c->b);
    free(c);
}

static void crowd_begin(crowd *c)
{
    flying *f = &c->flying[c->n_flying];
    uint32_t pod;

    c->clock.now_ns = c->next_ns;
    c->next_ns += test_below(&c->random, 2000000) * 1000 / 750;
    if (ilb_pick(c->b, &f->ticket, NULL) != ILB_OK) {
        c->done[ILB_CANCELLED]++;
        return;
    }
    must(++c->n_flying < MAX_FLYING);
    pod = test_number(c->b, &f->ticket);
    if (c->out && pod < OUT) {
        f->ends_ns = c->clock.now_ns + MS_NS;
        f->outcome = ILB_FAILURE;
        return;
    }
    if (c->free_ns[pod] < c->clock.now_ns)
        c->free_ns[pod] = c->clock.now_ns;
    c->free_ns[pod] += (5 + test_below(&c->random, 10)) * MS_NS;
    f->outcome = ILB_SUCCESS;
    f->ends_ns = c->free_ns[pod];
    if (f->ends_ns > c->clock.now_ns + DEADLINE_NS) {
        f->outcome = ILB_TIMEOUT;
        f->ends_ns = c->clock.now_ns + DEADLINE_NS;
    }
}

/* Returns the share that was served. */
static double crowd_run(crowd *c, uint64_t span_ns)
{
    uint64_t end_ns = c->clock.now_ns + span_ns;
    uint32_t n = 0;

    memset(c->done, 0, sizeof c->done);
    while (c->clock.now_ns < end_ns) {
        uint32_t at = 0;

        for (uint32_t i = 1; i < c->n_flying; i++)
            if (c->flying[i].ends_ns < c->flying[at].ends_ns)
                at = i;
        if (c->n_flying > 0 && c->flying[at].ends_ns <= c->next_ns) {
            flying f = c->flying[at];

            c->flying[at] = c->flying[--c->n_flying];
            c->clock.now_ns = f.ends_ns;
            c->done[f.outcome]++;
            test_done(c->b, &f.ticket, f.outcome);
        } else
            crowd_begin(c);
    }
    for (int k = 0; k < ILB_OUTCOME_COUNT; k++)
        n += c->done[k];
    return (double)c->done[ILB_SUCCESS] / n;
}

/* Six of ten can serve 84 % of the load. To send them all of it left a fifth.
 */
START_TEST(what_is_too_much_does_not_take_the_rest_with_it)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        ilb_options o = ILB_OPTIONS_INIT;
        crowd *c = crowd_new(seed, &o);

        must_be_within(crowd_run(c, 20 * S_NS), 1, 1);
        c->out = true;
        (void)crowd_run(c, 3 * S_NS);
        must_be_within(crowd_run(c, 15 * S_NS), 0.81, 0.85);
        c->out = false;
        (void)crowd_run(c, 20 * S_NS);
        must_be_within(crowd_run(c, 5 * S_NS), 0.999, 1);
        crowd_free(c);
    }
}
END_TEST

/* Whom it says why. */
START_TEST(it_is_explained)
{
    ilb_options o = ILB_OPTIONS_INIT;
    crowd *c = crowd_new(1, &o);
    uint32_t n_full = 0, n_ejected = 0, n_room = 0;

    (void)crowd_run(c, 20 * S_NS);
    c->out = true;
    (void)crowd_run(c, 5 * S_NS);
    for (int i = 0; i < 500; i++) {
        ilb_explanation x;
        ilb_ticket t;

        must_eq(ilb_pick_explained(c->b, &t, NULL, &x, sizeof x), ILB_OK);
        for (uint32_t k = 0; k < x.n_candidates; k++)
            if (x.candidates[k].held == ILB_HELD_FULL) {
                n_full++;
                must(x.candidates[k].state == ILB_STATE_HEALTHY ||
                     x.candidates[k].state == ILB_STATE_WARMING);
            }
        must(x.room <= 0 || x.overloaded);
        if (x.candidates[x.chosen].state == ILB_STATE_EJECTED) {
            n_ejected++;
            must_eq(x.candidates[x.chosen].admitted,
                    x.chosen_by == ILB_CHOSEN_BY_PROBE ? ILB_ADMITTED_PROBE
                    : x.room > 0                       ? ILB_ADMITTED_ROOM
                                                       : ILB_ADMITTED_OVERLOAD);
            if (x.candidates[x.chosen].admitted == ILB_ADMITTED_ROOM) {
                char text[ILB_EXPLANATION_TEXT_MAX];

                n_room++;
                must(x.room >= 4);
                (void)ilb_explanation_text(&x, text, sizeof text);
                must(strstr(text, ", the others have room for ") != NULL);
                must(strstr(text, ", may be taken: room") != NULL);
            }
            must_eq(ilb_ticket_try_timeout_ns(c->b, &t), 0);
        }
        test_done(c->b, &t, ILB_CANCELLED);
        (void)crowd_run(c, 10 * MS_NS);
    }
    must(n_full > 100);
    must(n_ejected > 50 && n_room > 50);
    must_str(ilb_held_name(ILB_HELD_FULL), "full");
    crowd_free(c);
}
END_TEST

/* Who wants to fail closed gets no ejected endpoint, whatever that costs. */
START_TEST(who_fails_closed_stays_closed)
{
    ilb_options o = ILB_OPTIONS_INIT;
    crowd *c;

    o.fail_mode = ILB_FAIL_CLOSED;
    c = crowd_new(1, &o);
    (void)crowd_run(c, 20 * S_NS);
    c->out = true;
    (void)crowd_run(c, 10 * S_NS);
    (void)crowd_run(c, 10 * S_NS);
    must(c->done[ILB_FAILURE] < 30);
    crowd_free(c);
}
END_TEST

Suite *suite_api_room(void)
{
    Suite *s = suite_create("api room");
    TCase *tc = test_case(s, "room");

    tcase_add_test(tc, what_is_too_much_does_not_take_the_rest_with_it);
    tcase_add_test(tc, it_is_explained);
    tcase_add_test(tc, who_fails_closed_stays_closed);
    return s;
}
