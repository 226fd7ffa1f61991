/* SPDX-License-Identifier: MIT */
/*
 * Every kind of measure, by hand: requests come at 5, 15, 25 ... ms, 100 a
 * second, and take 1.2 ms where a server is well.
 */
#include "test_sim_kit.h"

static double measured(kit *k, kit_choice choice)
{
    return kit_run(k, choice, 1).measures[0];
}

#define must_be(x, expected) kit_within(x, (expected)-1e-9, (expected) + 1e-9)

/* ---- Attempts ---- */

START_TEST(share_of_the_fair_share)
{
    kit k;

    kit_init(&k, 4);
    kit_measure(&k, SIM_SHARE, 0, 0, SECOND, 2 * SECOND);
    must_be(measured(&k, KIT_ROUND_ROBIN), 100);
    must_be(measured(&k, KIT_ALWAYS), 400);
    k.s.measures[0].first = k.s.measures[0].last = 3;
    must_be(measured(&k, KIT_ALWAYS), 0);
    k.s.measures[0].first = 0;
    must_be(measured(&k, KIT_ALWAYS), 100);
    /* By weight: 3 of 6 for the first. */
    k.servers[0].weight = 3;
    k.s.measures[0].last = 0;
    must_be(measured(&k, KIT_ROUND_ROBIN), 50);
    k.s.measures[0].last = 1;
    must_be(measured(&k, KIT_ROUND_ROBIN), 50 / (4 / 6.0));
}
END_TEST

/* Who is not listed or not ready has no fair share then. */
START_TEST(shares_follow_the_list)
{
    kit k;

    kit_init(&k, 4);
    kit_at(&k, 1500 * MS, SIM_LEAVE, 0, 0);
    kit_measure(&k, SIM_SHARE, 0, 0, SECOND, 2 * SECOND);
    must_be(measured(&k, KIT_ROUND_ROBIN), 100 * 13 / (50 * 0.25));
    kit_measure(&k, SIM_SHARE, 1, 3, 1500 * MS, 2 * SECOND);
    kit_measure(&k, SIM_SHARE, 0, 0, 1500 * MS, 2 * SECOND);
    kit_measure(&k, SIM_ATTEMPTS, 0, 0, 1500 * MS, 2 * SECOND);
    {
        sim_result r = kit_run(&k, KIT_ROUND_ROBIN, 1);

        must_be(r.measures[1], 100);
        kit_must(isnan(r.measures[2])); /* of nothing */
        must_be(r.measures[3], 0);
    }
    k.happenings[0].kind = SIM_NOT_READY;
    {
        sim_result r = kit_run(&k, KIT_ROUND_ROBIN, 1);

        must_be(r.measures[1], 100);
        kit_must(isnan(r.measures[2]));
    }
}
END_TEST

/* From, but without its end; retries are attempts as well. */
START_TEST(attempts_from_and_to)
{
    kit k;

    kit_init(&k, 2);
    kit_measure(&k, SIM_ATTEMPTS, 0, 1, 1005 * MS, 1105 * MS);
    must_be(measured(&k, KIT_ROUND_ROBIN), 10);
    k.s.measures[0].to_ns++;
    must_be(measured(&k, KIT_ROUND_ROBIN), 11);
    k.s.measures[0].from_ns++;
    must_be(measured(&k, KIT_ROUND_ROBIN), 10);
    k.s.measures[0].last = 0;
    must_be(measured(&k, KIT_ROUND_ROBIN), 5);
    k.s.measures[0].from_ns = 0;
    k.s.measures[0].to_ns = 100 * SECOND;
    k.s.warm_up_ns = 9 * SECOND; /* has no say in it */
    must_be(measured(&k, KIT_ROUND_ROBIN), 500);
    /* Who begins at server 1 comes here as well. */
    kit_at(&k, 0, SIM_ERRORS, 1, 1);
    k.s.retries = 1;
    must_be(measured(&k, KIT_ROUND_ROBIN), 1000);
}
END_TEST

/* Server 0 is asked each 20 ms and answers nothing: 50 until the first is
 * given up after a second. */
START_TEST(attempts_before_the_first_report)
{
    kit k;

    kit_init(&k, 2);
    kit_at(&k, 2000 * MS, SIM_HANG, 0, 0);
    kit_measure(&k, SIM_BEFORE_REPORT, 0, 0, 2 * SECOND, 9 * SECOND);
    must_be(measured(&k, KIT_ROUND_ROBIN), 50);
    k.s.deadline_ns = 100 * MS;
    must_be(measured(&k, KIT_ROUND_ROBIN), 5);
    k.happenings[0].kind = SIM_REFUSE;
    must_be(measured(&k, KIT_ROUND_ROBIN), 1);
    k.s.measures[0].to_ns = 2004 * MS;
    must_be(measured(&k, KIT_ROUND_ROBIN), 0);
}
END_TEST

/* ---- Requests ---- */

/* Of the 100 requests of the second second, 30 are refused and 10 take until
 * their deadline. */
static void failing(kit *k)
{
    kit_init(k, 1);
    k->servers[0].workers = 0;
    k->s.deadline_ns = 100 * MS;
    kit_at(k, 1100 * MS, SIM_REFUSE, 0, 0);
    kit_at(k, 1400 * MS, SIM_HEAL, 0, 0);
    kit_at(k, 1500 * MS, SIM_SLOW, 0, 0)->factor = 500;
    kit_at(k, 1600 * MS, SIM_HEAL, 0, 0);
    kit_at(k, 8000 * MS, SIM_REFUSE, 0, 0);
}

START_TEST(failed_and_in_time)
{
    sim_result r;
    kit k;

    failing(&k);
    kit_measure(&k, SIM_FAILED, 0, 0, SECOND, 2 * SECOND);
    kit_measure(&k, SIM_FAILED_SHARE, 0, 0, SECOND, 3 * SECOND);
    kit_measure(&k, SIM_IN_TIME, 0, 0, SECOND, 2 * SECOND);
    kit_measure(&k, SIM_FAILED, 0, 0, 1555 * MS, 1566 * MS);
    kit_measure(&k, SIM_FAILED_SHARE, 0, 0, 1, 2);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    must_be(r.measures[0], 40);
    must_be(r.measures[1], 20);
    must_be(r.measures[2], 60);
    /* By their arrival, not their end. */
    must_be(r.measures[3], 2);
    kit_must(isnan(r.measures[4])); /* nobody came */
}
END_TEST

/* Whom the client gave up is neither. */
START_TEST(the_cancelled_are_left_out)
{
    sim_result r;
    kit k;

    failing(&k);
    k.s.give_up = 0.5;
    kit_measure(&k, SIM_FAILED, 0, 0, SECOND, 2 * SECOND);
    kit_measure(&k, SIM_IN_TIME, 0, 0, SECOND, 2 * SECOND);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    must_be(r.measures[0], 30);
    must_be(r.measures[1], 100 * 60 / 90.0);
}
END_TEST

/* 1 % took longer: 10 of 1000. What was refused has no latency. */
START_TEST(quantiles)
{
    sim_result r;
    kit k;

    kit_init(&k, 1);
    k.servers[0].workers = 0;
    kit_measure(&k, SIM_P99, 0, 0, 0, 10 * SECOND);
    kit_measure(&k, SIM_P999, 0, 0, 0, 10 * SECOND);
    kit_measure(&k, SIM_P99, 0, 0, 5 * SECOND, 6 * SECOND);
    kit_at(&k, 1000 * MS, SIM_SLOW, 0, 0)->factor = 30;
    kit_at(&k, 1090 * MS, SIM_SLOW, 0, 0)->factor = 60;
    kit_at(&k, 1100 * MS, SIM_HEAL, 0, 0);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    must_be(r.measures[0], 1.2);
    must_be(r.measures[1], 30.2);
    must_be(r.measures[2], 1.2);
    k.happenings[0].at_ns -= 10 * MS; /* now there are 11 */
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    must_be(r.measures[0], 30.2);
    kit_at(&k, 2 * SECOND, SIM_REFUSE, 0, 0);
    r = kit_run(&k, KIT_ROUND_ROBIN, 1);
    must_be(r.measures[0], 30.2); /* of 200 */
    must_be(r.measures[1], 60.2);
    kit_must(isnan(r.measures[2]));
}
END_TEST

/* ---- In flight ---- */

/* Two are in flight for 1.2 ms of each 10 ms; then server 1 hangs for 95 ms
 * and gets 5 on top. */
START_TEST(peaks)
{
    double mean;
    kit k;

    kit_init(&k, 2);
    kit_measure(&k, SIM_PEAK, 1, 1, SECOND, 2 * SECOND);
    /* One, of 0.12 / 2 in the mean. */
    must_be(measured(&k, KIT_ROUND_ROBIN), 100 * 1 / 0.06);
    k.s.measures[0].first = 0;
    /* One in all, divided by the two of them. */
    must_be(measured(&k, KIT_ROUND_ROBIN), 100 * 0.5 / 0.06);
    k.s.measures[0].first = 1;
    kit_at(&k, 1200 * MS, SIM_HANG, 1, 1);
    kit_at(&k, 1300 * MS, SIM_HEAL, 1, 1);
    /* Those picked at 1205 (or 1215) .. 1295 come to their end at 1300 and
     * one each ms more: the sum of their times instead of 1.2 ms each. */
    mean = measured(&k, KIT_ROUND_ROBIN);
    {
        double sum_ms = 95 * 1.2;
        int n = 0;

        for (size_t i = 0; i < kit_log.n; i++)
            if (kit_log.attempts[i].server == 1 &&
                kit_log.attempts[i].picked_ns > 1200 * MS &&
                kit_log.attempts[i].picked_ns < 1300 * MS) {
                sum_ms += (double)kit_took(kit_log.attempts[i].picked_ns) / 1e6;
                n++;
            }
        kit_must_eq(n, 5);
        must_be(mean, 100 * 5 / (sum_ms / 1000 / 2));
    }
}
END_TEST

START_TEST(no_peak_where_nothing_is_in_flight)
{
    kit k;

    kit_init(&k, 1);
    kit_measure(&k, SIM_PEAK, 0, 0, 1006500 * 1000, 1014000 * 1000);
    kit_must(isnan(measured(&k, KIT_ROUND_ROBIN)));
    k.s.measures[0].to_ns = 1015 * MS + 1000;
    kit_must(measured(&k, KIT_ROUND_ROBIN) > 0);
}
END_TEST

/* ---- Return ---- */

static uint64_t return_from_ns;
static kit_choice return_choice;

static void return_on_tick(const sim_host *host, uint64_t now_ns)
{
    (void)host;
    if (now_ns >= return_from_ns + KIT_CLOCK)
        kit_log.choice = return_choice;
}

/* Server 0 gets nothing until `back_ns`, then what the choice gives it. */
static double returned(kit *k, uint64_t back_ns, kit_choice choice)
{
    kit_clear();
    kit_log.choice = KIT_ALWAYS;
    kit_log.always = 1;
    kit_log.on_tick = return_on_tick;
    return_from_ns = back_ns;
    return_choice = choice;
    return kit_run_with(k, &kit_policy, 1).measures[0];
}

/* In windows of a second from `from` on, half of the fair share is enough. */
START_TEST(return_to_half_of_the_fair_share)
{
    kit k;

    kit_init(&k, 2);
    kit_measure(&k, SIM_RETURN, 0, 0, SECOND, 9 * SECOND);
    must_be(returned(&k, SECOND, KIT_ROUND_ROBIN), 0);
    must_be(returned(&k, 3400 * MS, KIT_ROUND_ROBIN), 2);
    /* In the window from 3 s on 24 of 50 only. */
    must_be(returned(&k, 3600 * MS, KIT_ROUND_ROBIN), 3);
    must_be(returned(&k, 9 * SECOND, KIT_ROUND_ROBIN), 8);
    must_be(returned(&k, 3 * SECOND, KIT_ALWAYS), 8); /* never */
    /* What began in no whole window does not count. */
    k.s.measures[0].to_ns = 9 * SECOND - 1;
    must_be(returned(&k, 8 * SECOND, KIT_ROUND_ROBIN), 8 - 1e-9);
    k.s.measures[0].to_ns = 9 * SECOND;
    must_be(returned(&k, 8 * SECOND, KIT_ROUND_ROBIN), 7);
}
END_TEST

/* It is not back while it has no share at all. */
START_TEST(who_is_away_has_not_returned)
{
    kit k;

    kit_init(&k, 2);
    kit_measure(&k, SIM_RETURN, 0, 0, SECOND, 9 * SECOND);
    kit_at(&k, 500 * MS, SIM_LEAVE, 0, 0);
    must_be(measured(&k, KIT_ROUND_ROBIN), 8);
    kit_at(&k, 4000 * MS, SIM_JOIN, 0, 0);
    must_be(measured(&k, KIT_ROUND_ROBIN), 3);
}
END_TEST

Suite *suite_sim_measures(void)
{
    Suite *s = suite_create("sim_measures");
    TCase *t = tcase_create("measures");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, share_of_the_fair_share);
    tcase_add_test(t, shares_follow_the_list);
    tcase_add_test(t, attempts_from_and_to);
    tcase_add_test(t, attempts_before_the_first_report);
    tcase_add_test(t, failed_and_in_time);
    tcase_add_test(t, the_cancelled_are_left_out);
    tcase_add_test(t, quantiles);
    tcase_add_test(t, peaks);
    tcase_add_test(t, no_peak_where_nothing_is_in_flight);
    tcase_add_test(t, return_to_half_of_the_fair_share);
    tcase_add_test(t, who_is_away_has_not_returned);
    suite_add_tcase(s, t);
    return s;
}
