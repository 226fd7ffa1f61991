/* SPDX-License-Identifier: MIT */
/* select/ticket.h and observe/stats.h. */
#include "observe/stats.h"
#include "select/ticket.h"
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

/* ---- Tickets ----------------------------------------------------------- */

START_TEST(a_ticket_holds_what_was_chosen)
{
    uint64_t random = 1;

    for (int i = 0; i < 10000; i++) {
        ilb__choice c = {ilb__endpoint_id_of((uint32_t)test_random(&random),
                                             (uint32_t)test_random(&random) &
                                                 ILB_GENERATION_MASK),
                         test_below(&random, 2), test_below(&random, 2) != 0};
        uint64_t secret = test_random(&random), at = test_random(&random) >> 1;
        ilb_ticket t;

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
    ilb__choice c = {1, 0, false};
    ilb_ticket t;

    ilb__ticket_write(1, &t, &c, 500);
    ilb__ticket_first_byte(&t, 500);
    must_eq(ilb__ticket_latency_ns(&t, 900), 0);
}
END_TEST

/* ---- Stats ------------------------------------------------------------- */

START_TEST(stats_show_the_slot)
{
    test_slots *f = test_slots_new(2, ILB_POLICY_PEAK_EWMA);
    ilb__slot *s = &f->slots[0];
    ilb_endpoint_stats out;

    (void)strcpy(s->address, "a");
    s->listed = true;
    ilb__stats_of(s, 5e6f, T0, &out);
    must_eq(out.state, ILB_STATE_HEALTHY);
    must_eq(out.latency_ns, 5 * MS_NS);
    must_eq(out.ejected_until_ns, 0);
    ilb__health_enter(&f->judge, s);
    ilb__stats_of(s, 0, T0, &out);
    must_eq(out.state, ILB_STATE_WARMING);
    must_eq(out.latency_ns, 0);
    test_slots_eject(f, 0, T0);
    ilb__stats_of(s, 0, T0, &out);
    must_eq(out.state, ILB_STATE_EJECTED);
    must(out.ejected_until_ns >= T0 + S_NS);
    must_eq(out.ejections, 1);
    must(ilb__health_claim(&f->judge, s, true, T0 + 2 * S_NS));
    ilb__stats_of(s, 0, T0, &out);
    must_eq(out.state, ILB_STATE_PROBING);
    must(out.ejected_until_ns > 0);
    s->readiness = ILB_NOT_READY;
    ilb__stats_of(s, 0, T0, &out);
    must_eq(out.state, ILB_STATE_NOT_READY);
    must_eq(out.ejected_until_ns, 0);
    s->readiness = ILB_DRAINING;
    ilb__stats_of(s, 0, T0, &out);
    must_eq(out.state, ILB_STATE_DRAINING);
    s->readiness = ILB_READY;
    s->listed = false;
    ilb__stats_of(s, 0, T0, &out);
    must_eq(out.state, ILB_STATE_DRAINING);
}
END_TEST

Suite *suite_ticket(void)
{
    Suite *s = suite_create("ticket");
    TCase *tc = test_case(s, "ticket");

    tcase_add_test(tc, a_ticket_holds_what_was_chosen);
    tcase_add_test(tc, a_first_byte_at_once_is_known_too);
    tc = test_case(s, "stats");
    tcase_add_test(tc, stats_show_the_slot);
    return s;
}
