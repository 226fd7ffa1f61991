/* SPDX-License-Identifier: MIT */
/* Requests that are in flight for long, among short ones: long polls, watches,
 * streams. */
#include <math.h>

#include "suites.h"
#include "util.h"

#define PODS 10
#define MAX_FLYING 8192
#define MAX_SHORT 100000

typedef struct flying {
    uint64_t began_ns, ends_ns;
    bool poll;
    ilb_ticket ticket;
} flying;

/* Ten of one worker; a request takes 5 to 15 ms of it, a poll nothing. */
typedef struct polls {
    test_clock clock;
    ilb_balancer *b;
    uint64_t random, next_ns, polls_from_ns;
    uint64_t free_ns[PODS + 1];
    uint32_t n_flying, n_short;
    flying flying[MAX_FLYING];
    double short_ms[MAX_SHORT];
} polls;

static polls *polls_new(uint64_t seed)
{
    polls *p = calloc(1, sizeof *p);
    ilb_options o;

    must(p != NULL);
    p->clock = (test_clock)TEST_CLOCK_INIT;
    o = test_options(&p->clock, ILB_POLICY_PEAK_EWMA, seed);
    p->b = test_new(&o);
    p->random = seed;
    p->next_ns = p->clock.now_ns;
    p->polls_from_ns = p->clock.now_ns + 5 * S_NS;
    test_update(p->b, 0, PODS);
    return p;
}

static void polls_free(polls *p)
{
    ilb_balancer_free(p->b);
    free(p);
}

static void polls_end(polls *p, uint32_t i)
{
    flying f = p->flying[i];

    p->flying[i] = p->flying[--p->n_flying];
    p->clock.now_ns = f.ends_ns;
    if (!f.poll && p->n_short < MAX_SHORT)
        p->short_ms[p->n_short++] = (double)(f.ends_ns - f.began_ns) / 1e6;
    test_done(p->b, &f.ticket, ILB_SUCCESS);
}

static void polls_begin(polls *p, double share)
{
    flying *f = &p->flying[p->n_flying++];
    uint32_t pod;

    must(p->n_flying < MAX_FLYING);
    p->clock.now_ns = p->next_ns;
    f->ticket = test_pick(p->b);
    f->began_ns = p->clock.now_ns;
    f->poll = f->began_ns >= p->polls_from_ns &&
              test_below(&p->random, 1000000) < share * 1e6;
    f->ends_ns = f->began_ns + 30 * S_NS;
    if (f->poll)
        return;
    pod = test_number(p->b, &f->ticket);
    if (p->free_ns[pod] < f->began_ns)
        p->free_ns[pod] = f->began_ns;
    p->free_ns[pod] += (5 + test_below(&p->random, 10)) * MS_NS;
    f->ends_ns = p->free_ns[pod];
}

static void polls_run(polls *p, uint64_t span_ns, double per_second,
                      double share)
{
    uint64_t end_ns = p->clock.now_ns + span_ns;

    while (p->clock.now_ns < end_ns) {
        uint32_t at = 0;

        for (uint32_t i = 1; i < p->n_flying; i++)
            if (p->flying[i].ends_ns < p->flying[at].ends_ns)
                at = i;
        if (p->n_flying > 0 && p->flying[at].ends_ns <= p->next_ns) {
            polls_end(p, at);
            continue;
        }
        polls_begin(p, share);
        p->next_ns +=
            (uint64_t)(-log((1 + test_below(&p->random, 1000000)) / 1000001.0) *
                       1e9 / per_second);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double polls_p99_ms(polls *p)
{
    qsort(p->short_ms, p->n_short, sizeof *p->short_ms, by_size);
    return p->short_ms[p->n_short * 99 / 100];
}

/* p99 of the short ones is 21 ms without polls, at 60 % load. With as many
 * polls in flight to each as wait at 0.5 % of the requests (9) and at 5 % (90)
 * it was seconds: they counted as load and, when they ended, as slow answers.
 */
START_TEST(short_ones_do_not_queue_for_long_ones)
{
    static const double shares[] = {0.0005, 0.005, 0.02, 0.05};

    for (uint64_t i = 0; i < 4; i++) {
        polls *p = polls_new(i + 1);

        polls_run(p, 60 * S_NS, 600, shares[i]);
        must_be_within(polls_p99_ms(p), 15, shares[i] < 0.05 ? 40 : 80);
        for (uint32_t pod = 0; pod < PODS; pod++)
            must(test_stats(p->b, pod).ejections <= 3);
        polls_free(p);
    }
}
END_TEST

/* In an explanation: a poll counts as one request at first, then all of an
 * endpoint's polls together count as one at most. */
START_TEST(they_count_as_one)
{
    polls *p = polls_new(1);
    ilb_explanation x;
    ilb_ticket t;

    polls_run(p, 30 * S_NS, 600, 0.02);
    must_eq(ilb_pick_explained(p->b, &t, NULL, &x, sizeof x), ILB_OK);
    for (uint32_t i = 0; i < x.n_candidates; i++) {
        const ilb_candidate *c = &x.candidates[i];

        must(c->in_flight >= 10);
        must_be_within(c->load, 0.5, 8);
    }
    test_done(p->b, &t, ILB_CANCELLED);
    polls_free(p);
}
END_TEST

/* A newcomer's first request is a poll: it need not end before others may try.
 */
START_TEST(a_newcomer_that_gets_a_poll_first)
{
    polls *p = polls_new(1);
    ilb_ticket held;
    uint32_t n = 0;

    polls_run(p, 4 * S_NS, 600, 0);
    test_update(p->b, 0, PODS + 1);
    do {
        held = test_pick(p->b);
        if (test_number(p->b, &held) == PODS)
            break;
        p->clock.now_ns += 2 * MS_NS;
        test_done(p->b, &held, ILB_SUCCESS);
    } while (++n < 10000);
    must(n < 10000);
    p->next_ns = p->clock.now_ns;
    polls_run(p, 10 * S_NS, 600, 0);
    must_be_within((double)test_stats(p->b, PODS).done[ILB_SUCCESS], 200, 9999);
    test_done(p->b, &held, ILB_SUCCESS);
    polls_free(p);
}
END_TEST

/* Who hangs is asked again, to know whether it was a poll; but seldom. */
START_TEST(who_hangs_is_asked_seldom)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        polls *p = polls_new(seed);
        ilb_ticket lost[12];
        uint32_t n_lost = 0;

        polls_run(p, 4 * S_NS, 600, 0);
        for (uint32_t i = 0; i < 20000; i++) {
            ilb_ticket t = test_pick(p->b);

            p->clock.now_ns += 2 * MS_NS;
            if (test_number(p->b, &t) != 3) {
                test_done(p->b, &t, ILB_SUCCESS);
                continue;
            }
            must(n_lost < 12);
            lost[n_lost++] = t;
        }
        must(test_stats(p->b, 3).ejections >= 1);
        for (uint32_t i = 0; i < n_lost; i++)
            test_done(p->b, &lost[i], ILB_TIMEOUT);
        polls_free(p);
    }
}
END_TEST

Suite *suite_api_longlived(void)
{
    Suite *s = suite_create("api long-lived");
    TCase *tc = test_case(s, "long polls");

    tcase_add_test(tc, short_ones_do_not_queue_for_long_ones);
    tcase_add_test(tc, they_count_as_one);
    tcase_add_test(tc, a_newcomer_that_gets_a_poll_first);
    tcase_add_test(tc, who_hangs_is_asked_seldom);
    return s;
}
