/* SPDX-License-Identifier: MIT */
/* select/ticket.h and observe/stats.h. */
#include "observe/stats.h"
#include "select/ticket.h"
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

/* ---- Tickets ----------------------------------------------------------- */

static ilb__choice choice(uint32_t index, uint32_t generation)
{
    ilb__choice c;

    memset(&c, 0, sizeof c);
    c.id = ilb__endpoint_id_of(index, generation);
    return c;
}

START_TEST(a_ticket_holds_what_was_chosen)
{
    uint64_t random = 1;

    for (int i = 0; i < 10000; i++) {
        ilb__choice c =
            choice((uint32_t)test_random(&random),
                   (uint32_t)test_random(&random) & ILB_GENERATION_MASK);
        uint64_t secret = test_random(&random), at = test_random(&random) >> 1;
        ilb_ticket t;

        c.parity = test_below(&random, 2);
        c.probe = test_below(&random, 2) != 0;
        memset(&t, 0xee, sizeof t);
        ilb__ticket_write(secret, &t, &c, at);
        must(ilb__ticket_in_flight(secret, &t));
        must(!ilb__ticket_in_flight(secret + 1, &t));
        must(ilb__ticket_id(&t) == c.id);
        must_eq(ilb__ticket_where(&t), c.parity);
        must_eq(ilb__ticket_is_probe(&t), c.probe);
        must_eq(ilb__ticket_latency_ns(&t, at + 70), 70);
        must_eq(ilb__ticket_latency_ns(&t, at - 1), 0);
        must(!ilb__ticket_is_answered(&t));
        ilb__ticket_first_byte(&t, at + 30);
        must(ilb__ticket_is_answered(&t));
        must_eq(ilb__ticket_where(&t), ILB_LOAD_IS_ANSWERED);
        must_eq(ilb__ticket_latency_ns(&t, at + 70), 30);
        ilb__ticket_finish(&t);
        must(!ilb__ticket_in_flight(secret, &t));
        must(ilb__ticket_is_ours(secret, &t));
        must(ilb__ticket_id(&t) == c.id);
    }
}
END_TEST

START_TEST(a_first_byte_at_once_is_known_too)
{
    ilb__choice c = choice(1, 0);
    ilb_ticket t;

    ilb__ticket_write(1, &t, &c, 500);
    ilb__ticket_first_byte(&t, 500);
    must_eq(ilb__ticket_latency_ns(&t, 900), 0);
}
END_TEST

/* Nothing of it is trusted: a single bit that is another makes it no ticket
 * of ours, but for what the library writes later. */
START_TEST(one_bit_makes_it_another)
{
    ilb__choice c = choice(77, 5);
    ilb_ticket t, other;

    ilb__ticket_write(99, &t, &c, 500);
    must(ilb__ticket_is_ours(99, &t));
    for (int word = 0; word < 4; word++)
        for (int bit = 0; bit < 64; bit++) {
            uint64_t mask = UINT64_C(1) << bit;

            other = t;
            other.internal[word] ^= mask;
            if (word == 2 || (word == 0 && (mask & ILB_TICKET_STAGE) != 0))
                continue;
            must(!ilb__ticket_is_ours(99, &other));
            must(!ilb__ticket_in_flight(99, &other));
        }
    memset(&other, 0, sizeof other);
    must(!ilb__ticket_is_ours(99, &other));
}
END_TEST

/* ---- Stats ------------------------------------------------------------- */

static ilb_endpoint_stats stats_of(const ilb__slot *s, float median_ns)
{
    ilb__figures figures = test_figures((double)median_ns, 0);
    ilb_endpoint_stats out;

    memset(&out, 0xee, sizeof out);
    ilb__stats_of(s, &figures, T0, &out);
    return out;
}

START_TEST(stats_show_the_state)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);
    ilb__slot *s = &f->slots[0];

    s->listed = true;
    must_eq(stats_of(s, 5e6f).state, ILB_STATE_HEALTHY);
    must_eq(stats_of(s, 5e6f).ejected_until_ns, 0);
    ilb__health_enter(&f->judge, s, 0, 1);
    must_eq(stats_of(s, 0).state, ILB_STATE_WARMING);
    test_slots_eject(f, 0, T0);
    must_eq(stats_of(s, 0).state, ILB_STATE_EJECTED);
    must_eq(stats_of(s, 0).ejected_until_ns, test_slots_until(f, 0));
    must_eq(stats_of(s, 0).ejections, 1);
    must(ilb__health_claim(&f->judge, s, true, T0 + 2 * S_NS, T0 + 2 * S_NS));
    must_eq(stats_of(s, 0).state, ILB_STATE_PROBING);
    must(stats_of(s, 0).ejected_until_ns > 0);
    s->readiness = ILB_NOT_READY;
    must_eq(stats_of(s, 0).state, ILB_STATE_NOT_READY);
    must_eq(stats_of(s, 0).ejected_until_ns, 0);
    s->readiness = ILB_DRAINING;
    must_eq(stats_of(s, 0).state, ILB_STATE_DRAINING);
    s->readiness = ILB_READY;
    s->listed = false;
    must_eq(stats_of(s, 0).state, ILB_STATE_DRAINING);
}
END_TEST

START_TEST(stats_show_what_is_known)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);
    ilb__slot *s = &f->slots[0];
    uint32_t parity;

    (void)strcpy(s->address, "a");
    must_eq(stats_of(s, 0).latency_ns, 0);
    must_eq(stats_of(s, 5e6f).latency_ns, 5 * MS_NS);
    test_slots_learn(f, 0, 8 * MS_NS, T0);
    must_eq(stats_of(s, 5e6f).latency_ns, 8 * MS_NS);
    must(ilb__load_take(&s->load, 0, 0, T0 - 9 * MS_NS, &parity));
    must_eq(stats_of(s, 5e6f).latency_ns, 9 * MS_NS);
    must_eq(stats_of(s, 5e6f).oldest_ns, 9 * MS_NS);
    must_eq(stats_of(s, 5e6f).in_flight, 1);
    (void)ilb__failures_bad(&s->failures, true, T0);
    must_eq(stats_of(s, 0).failures_in_a_row, 1);
    must_be_within(stats_of(s, 0).failure_ppm, 199900, 200000);
    for (uint64_t i = 0; i < ILB_OUTCOME_COUNT; i++)
        ilb__store_relaxed(&s->done[i], i + 1);
    for (uint64_t i = 0; i < ILB_OUTCOME_COUNT; i++)
        must_eq(stats_of(s, 0).done[i], i + 1);
    ilb__store32_relaxed(&s->weight, 17);
    atomic_store(&s->user, f);
    must_eq(stats_of(s, 0).weight, 17);
    must(stats_of(s, 0).user == f);
    must_str(stats_of(s, 0).address, "a");
}
END_TEST

/* A float near 2^64 may not fit. */
START_TEST(the_longest_latency_fits)
{
    test_slots *f = test_slots_new(1, ILB_POLICY_PEAK_EWMA);

    test_slots_learn(f, 0, UINT64_MAX, T0);
    must(stats_of(&f->slots[0], 0).latency_ns == UINT64_MAX);
}
END_TEST

Suite *suite_ticket(void)
{
    Suite *s = suite_create("ticket");
    TCase *tc = test_case(s, "ticket");

    tcase_add_test(tc, a_ticket_holds_what_was_chosen);
    tcase_add_test(tc, a_first_byte_at_once_is_known_too);
    tcase_add_test(tc, one_bit_makes_it_another);
    tc = test_case(s, "stats");
    tcase_add_test(tc, stats_show_the_state);
    tcase_add_test(tc, stats_show_what_is_known);
    tcase_add_test(tc, the_longest_latency_fits);
    return s;
}
