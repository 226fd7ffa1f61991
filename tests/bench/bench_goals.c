/* SPDX-License-Identifier: MIT */
/* What the project aims at, and the gate. */
#include <math.h>
#include <string.h>

#include "bench_report.h"

#define GOALS_POLICY "peak_ewma"

/* NAN where it was not measured. */
static double goals_ns(const bench_rows *all, const char *subject,
                       const char *clock, uint32_t threads, uint32_t n)
{
    const bench_row *r =
        bench_rows_find(all, "pair", subject, clock, 0, threads, n);

    return r == NULL ? (double)NAN : r->result.median_ns;
}

static double goals_ratio(const bench_rows *all, const char *clock,
                          uint32_t threads, uint32_t n)
{
    return goals_ns(all, GOALS_POLICY, clock, threads, n) /
           goals_ns(all, "naive", clock, threads, n);
}

static double goals_rest(const bench_rows *all, const char *subject)
{
    const bench_row *r =
        bench_rows_find(all, "rest", subject, NULL, -1, 1, 10000);

    return r == NULL ? (double)NAN : r->result.median_ns;
}

static double goals_tail(const bench_rows *all, const char *subject)
{
    const bench_row *r =
        bench_rows_find(all, "update", subject, "own", 0, 1, 10000);

    return r == NULL ? (double)NAN : r->p999_ns;
}

static double goals_bytes(const bench_rows *all, const char *subject)
{
    const bench_row *r =
        bench_rows_find(all, "memory", subject, NULL, -1, 0, 10000);

    return r == NULL ? (double)NAN : r->bytes;
}

/* The largest ratio for so many endpoints at most. */
static double goals_worst(const bench_rows *all, const char *clock)
{
    static const uint32_t sizes[] = {2, 10, 100, 1000};
    double worst = (double)NAN;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        double ratio = goals_ratio(all, clock, 1, sizes[i]);

        if (isnan(worst) || ratio > worst)
            worst = ratio;
    }
    return worst;
}

/* The rate of two threads together, over that of one. */
static double goals_scale(const bench_rows *all, const char *subject,
                          uint32_t n)
{
    return 2 * goals_ns(all, subject, "own", 1, n) /
           goals_ns(all, subject, "own", 2, n);
}

/* What the machine lets the naive balancer do. */
static void goals_beside(FILE *to, double naive)
{
    if (!isnan(naive))
        fprintf(to, "  %-62s %9.2f\n", "  (the naive balancer's)", naive);
}

static void goals_line(FILE *to, const char *what, double value, double goal,
                       bool at_least)
{
    static const char *const words[] = {"missed", "met"};
    bool met = at_least ? value >= goal : value <= goal;

    if (!isnan(value))
        fprintf(to, "  %-62s %9.2f  %s %-6g %s\n", what, value,
                at_least ? ">=" : "<=", goal, words[met]);
}

void bench_goals(const bench_rows *all, FILE *to)
{
    const char *const own = "own", *const caller = "caller";
    double at_100 = goals_ns(all, GOALS_POLICY, own, 1, 100);

    fprintf(to, "\nAgainst what the project aims at (peak_ewma):\n");
    goals_line(to, "pair, own clock, 100 endpoints, ns", at_100, 95, false);
    goals_line(to, "the same over naive, worst of 2 to 1000 endpoints",
               goals_worst(all, own), 1, false);
    goals_line(to, "caller's now over naive, worst of 2 to 1000",
               goals_worst(all, caller), 0.9, false);
    goals_line(to, "10,000 endpoints over 100",
               goals_ns(all, GOALS_POLICY, own, 1, 10000) / at_100, 1.3, false);
    goals_line(to, "100,000 endpoints over 100",
               goals_ns(all, GOALS_POLICY, own, 1, 100000) / at_100, 2.5,
               false);
    goals_line(to, "two threads' total rate over one's, 100 endpoints",
               goals_scale(all, GOALS_POLICY, 100), 1.7, true);
    goals_beside(to, goals_scale(all, "naive", 100));
    goals_line(to, "the same, 1000 endpoints",
               goals_scale(all, GOALS_POLICY, 1000), 1.7, true);
    goals_beside(to, goals_scale(all, "naive", 1000));
    goals_line(to, "two threads, two endpoints, over naive",
               goals_ratio(all, own, 2, 2), 1.2, false);
    goals_line(to, "update of 10,000, all of them others, ms",
               goals_rest(all, "update_all_changed") / 1e6, 1.5, false);
    goals_line(to, "update of 10,000, one of them another, us",
               goals_rest(all, "update_one_changed") / 1e3, 20, false);
    goals_line(to, "one of 10,000 is not ready, us",
               goals_rest(all, "set_readiness") / 1e3, 20, false);
    goals_line(to, "p99.9 of a pair during 100 updates a second, over quiet",
               goals_tail(all, "pair_while_100_hz") /
                   goals_tail(all, "pair_while_quiet"),
               2, false);
    goals_line(to, "bytes of memory used by an endpoint",
               goals_bytes(all, "used_an_endpoint"), 512, false);
}

/* ---- The gate ---------------------------------------------------------- */

/*
 * A pair may cost so many times the naive balancer's, measured beside it.
 *
 * 1.6 times what was measured (docs/benchmark.md): repeated on a machine that
 * others used as well, the ratios stayed within 10 %; other compilers and
 * caches are given the rest. So this finds who puts a walk over the endpoints,
 * a system call or a lock that others hold into the hot path; not a slow creep,
 * nor a few nanoseconds. When libilb becomes faster, `measured` is to follow;
 * with its own clock the calls are what it measures, interrupts and all, so
 * that 2.4 times was seen where 1.3 is usual: that bound has stayed where it
 * was.
 */
#define GATE_SLACK 1.6

static const struct {
    const char *clock;
    int64_t request_us;
    double measured; /* 100 endpoints, one thread */
} gate_bounds[] = {
    {"own", 0, 1.9},
    {"caller", 0, 3.0},
    {"caller", 1000, 8.3},
};

int bench_gate(const bench_rows *all, FILE *to)
{
    int bad = 0;

    for (size_t i = 0; i < sizeof gate_bounds / sizeof gate_bounds[0]; i++) {
        const bench_row *r =
            bench_rows_find(all, "pair", GOALS_POLICY, gate_bounds[i].clock,
                            gate_bounds[i].request_us, 1, 100);
        double bound = gate_bounds[i].measured * GATE_SLACK;
        bool good = r != NULL && r->ratio <= bound;

        fprintf(to,
                "%s: %s clock, %lld us, 100 endpoints: %.2f of the naive "
                "balancer's, at most %.2f\n",
                good ? "ok" : "FAILED", gate_bounds[i].clock,
                (long long)gate_bounds[i].request_us,
                r == NULL ? (double)NAN : r->ratio, bound);
        bad += !good;
    }
    return bad;
}
