/* SPDX-License-Identifier: MIT */
/*
 * Queues against theory. l: arrivals a second, m: services a second of a
 * worker, c workers, u = l / (c m); no network, no deadline in reach.
 *
 *     M/M/c   wait W = C / (c m - l), C Erlang's probability of waiting
 *     M/M/1   time in all exponential with the mean 1 / (m - l)
 *     M/G/1   W = l E[S^2] / (2 (1 - u))   (Pollaczek, Khinchin)
 *     M/M/1/K refused (1 - u) u^K / (1 - u^(K + 1))
 *     E2/M/1  W = s / (m (1 - s)), s = (2 l / (2 l + m (1 - s)))^2
 *
 * Each mean is over runs of fixed seeds; it must be within 4.5 of its standard
 * errors, and that error small enough that a wrong model would be seen.
 */
#include <string.h>

#include "test_sim_kit.h"

#define QUEUES_SEEDS 16

static void queues_init(kit *k, uint32_t n, uint32_t workers, double rate)
{
    kit_init(k, n);
    k->s.poisson = true;
    k->s.network_ns = 0;
    k->s.deadline_ns = 1000 * SECOND;
    k->s.service = (sim_distribution){.kind = SIM_EXPONENTIAL, .a_ns = 10e6};
    k->s.rate_per_s = rate;
    k->s.warm_up_ns = 20 * SECOND;
    k->s.duration_ns = k->s.warm_up_ns + (uint64_t)(40000 / rate * 1e9);
    for (uint32_t i = 0; i < n; i++)
        k->servers[i].workers = workers;
}

typedef double queues_figure(const sim_result *r);

static double queues_mean_ms(const sim_result *r)
{
    return r->mean_ns / 1e6;
}

static double queues_p99_ms(const sim_result *r)
{
    return r->p99_ns / 1e6;
}

static double queues_failed(const sim_result *r)
{
    return (double)r->failed / (double)r->requests;
}

/* `error`: the relative standard error that is enough. */
static void queues_must_be(kit *k, kit_choice choice, queues_figure *figure,
                           double expected, double error)
{
    double sum = 0, squares = 0, n = QUEUES_SEEDS, mean, deviation;

    for (uint64_t seed = 1; seed <= QUEUES_SEEDS; seed++) {
        sim_result r = kit_run(k, choice, seed);
        double x = figure(&r);

        sum += x;
        squares += x * x;
    }
    mean = sum / n;
    deviation = sqrt((squares / n - mean * mean) / (n - 1));
    kit_within(mean, expected - 4.5 * deviation, expected + 4.5 * deviation);
    kit_within(deviation / expected, 0, error);
}

START_TEST(one_worker_and_exponential_times)
{
    kit k;

    queues_init(&k, 1, 1, 70);
    queues_must_be(&k, KIT_ROUND_ROBIN, queues_mean_ms, 1000 / 30.0, 0.015);
    queues_must_be(&k, KIT_ROUND_ROBIN, queues_p99_ms, log(100) * 1000 / 30,
                   0.025);
}
END_TEST

static double queues_erlang_c(double c, double load)
{
    double term = 1, sum = 1, last;

    for (int i = 1; i < (int)c; i++) {
        term *= load / i;
        sum += term;
    }
    last = term * load / c / (1 - load / c);
    return last / (sum + last);
}

START_TEST(many_workers_and_exponential_times)
{
    static const double workers[] = {2, 4, 16}, use[] = {0.9, 0.8, 0.85};
    kit k;

    ck_assert_double_eq_tol(queues_erlang_c(2, 1.8), 0.852632, 1e-6);
    for (int i = 0; i < 3; i++) {
        double c = workers[i], rate = 100 * c * use[i];
        double wait_s = queues_erlang_c(c, c * use[i]) / (100 * c - rate);

        queues_init(&k, 1, (uint32_t)c, rate);
        queues_must_be(&k, KIT_ROUND_ROBIN, queues_mean_ms, 10 + 1000 * wait_s,
                       0.03);
    }
}
END_TEST

/* A Poisson stream that is split at random is two Poisson streams. */
START_TEST(two_servers_by_chance)
{
    kit k;

    queues_init(&k, 2, 1, 140);
    queues_must_be(&k, KIT_RANDOM, queues_mean_ms, 1000 / 30.0, 0.02);
}
END_TEST

/* In turn, each sees every second arrival: more regular. */
START_TEST(two_servers_in_turn)
{
    double s = 0.5;
    kit k;

    for (int i = 0; i < 200; i++)
        s = pow(140 / (140 + 100 * (1 - s)), 2);
    queues_init(&k, 2, 1, 140);
    queues_must_be(&k, KIT_ROUND_ROBIN, queues_mean_ms, 10 + 10 * s / (1 - s),
                   0.02);
}
END_TEST

START_TEST(other_distributions_of_the_service_time)
{
    const struct {
        sim_distribution d;
        double second; /* E[S^2] in units of the squared mean */
    } all[] = {
        {{.kind = SIM_CONSTANT, .a_ns = 10e6}, 1},
        {{.kind = SIM_UNIFORM, .a_ns = 0, .b_ns = 20e6}, 4.0 / 3},
        {{.kind = SIM_LOGNORMAL, .a_ns = 10e6, .p = 0.8}, exp(0.64)},
        {{.kind = SIM_BIMODAL, .a_ns = 5e6, .b_ns = 55e6, .p = 0.1}, 3.25},
    };
    kit k;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        queues_init(&k, 1, 1, 70);
        k.s.service = all[i].d;
        queues_must_be(&k, KIT_ROUND_ROBIN, queues_mean_ms,
                       10 + 70 * 0.1 * all[i].second / (2 * 0.3), 0.02);
    }
}
END_TEST

START_TEST(no_queue_where_workers_are_unlimited)
{
    kit k;

    queues_init(&k, 1, 0, 2000);
    queues_must_be(&k, KIT_ROUND_ROBIN, queues_mean_ms, 10, 0.005);
}
END_TEST

START_TEST(a_short_queue_overflows)
{
    const double u = 0.9;
    kit k;

    queues_init(&k, 1, 1, 100 * u);
    k.servers[0].queue = 3;
    queues_must_be(&k, KIT_ROUND_ROBIN, queues_failed,
                   (1 - u) * pow(u, 4) / (1 - pow(u, 5)), 0.01);
    for (size_t i = 0; i < kit_log.n; i++)
        kit_must(kit_log.attempts[i].outcome == SIM_SUCCESS ||
                 kit_log.attempts[i].outcome == SIM_OVERLOAD);
}
END_TEST

/* Speed divides: two servers of different speed with what each can carry. */
START_TEST(a_server_of_another_speed)
{
    kit k;

    queues_init(&k, 1, 1, 140);
    k.servers[0].speed = 2;
    queues_must_be(&k, KIT_ROUND_ROBIN, queues_mean_ms, 1000 / 60.0, 0.015);
    k.servers[0].speed = 1;
    k.servers[0].own_service = true;
    k.servers[0].service =
        (sim_distribution){.kind = SIM_EXPONENTIAL, .a_ns = 5e6};
    queues_must_be(&k, KIT_ROUND_ROBIN, queues_mean_ms, 1000 / 60.0, 0.015);
}
END_TEST

/* Arrivals: Poisson has the variance of its mean, also when rates change. */
START_TEST(arrivals_are_poisson)
{
    static uint32_t counts[400];
    double squares = 0;
    kit k;

    kit_init(&k, 1);
    k.s.poisson = true;
    k.s.duration_ns = 400 * SECOND;
    kit_at(&k, 100 * SECOND, SIM_RATE, 0, 0)->factor = 25;
    kit_at(&k, 200 * SECOND, SIM_RATE, 0, 0)->factor = 0;
    kit_at(&k, 300 * SECOND, SIM_RATE, 0, 0)->factor = 400;
    kit_run(&k, KIT_ROUND_ROBIN, 1);
    memset(counts, 0, sizeof counts);
    for (size_t i = 0; i < kit_log.n; i++)
        counts[kit_log.attempts[i].picked_ns / SECOND]++;
    for (int i = 0; i < 400; i++) {
        double mean = i < 100 ? 100 : i < 200 ? 25 : 400;

        if (i < 200 || i >= 300)
            squares += (counts[i] - mean) * (counts[i] - mean) / mean;
        else
            kit_must_eq(counts[i], 0);
    }
    /* Chi-squared of 300 degrees: standard deviation 24.5. */
    kit_within(squares, 300 - 5 * 24.5, 300 + 5 * 24.5);
}
END_TEST

Suite *suite_sim_queues(void)
{
    Suite *s = suite_create("sim_queues");
    TCase *t = tcase_create("queues");

    tcase_set_timeout(t, 240);
    tcase_add_test(t, one_worker_and_exponential_times);
    tcase_add_test(t, many_workers_and_exponential_times);
    tcase_add_test(t, two_servers_by_chance);
    tcase_add_test(t, two_servers_in_turn);
    tcase_add_test(t, other_distributions_of_the_service_time);
    tcase_add_test(t, no_queue_where_workers_are_unlimited);
    tcase_add_test(t, a_short_queue_overflows);
    tcase_add_test(t, a_server_of_another_speed);
    tcase_add_test(t, arrivals_are_poisson);
    suite_add_tcase(s, t);
    return s;
}
