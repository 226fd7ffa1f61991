/* SPDX-License-Identifier: MIT */
/*
 * The figures, each with its tolerance.
 *
 * "sim 1..3": an earlier simulation of the same formulas. "peers' code": the
 * real balancers under a virtual clock, 10 servers of 10 ms, 1000 requests a
 * second at equal distances, deadline 1 s; medians of 5 runs. There an answer
 * that is due when a request arrives comes first; hence errors after 0.99 ms.
 * Half a fair share is 5 % of the traffic of ten. Finagle has its failure
 * accrual here, and that simulation had not: it is compared where nothing
 * fails, so in C1 an answer that is too late comes all the same.
 * "tower 76": tower-rs/tower pull request 76. "brpc 3340": apache/brpc issue
 * 3340.
 *
 * Left out: round robin's p99 of 2.19 s of C9, as it is not said of which
 * requests (here 1.7 s in the first second, 4.0 s in the first ten); S5, the
 * clock wrong for 100 ms (published brpc-p2c 0 s, here 0 to 17 s by seed: how
 * many servers are hit is luck); go-zero in S5 and S8, where its clock is
 * monotonic and the simulator's is not; what is of policies or variants that
 * are not here (full scans, Envoy's contrib peak_ewma).
 */
#include "test_sim_published.h"

#include <stddef.h>

#define NEVER 290.0 /* seconds; as long as it was watched */

#define WORLD(duration)                                                        \
    "about a\nwhy b\nnetwork 0s\nrate 1000/s constant\n"                       \
    "service constant 10ms\nduration " duration "\n"
#define TEN "servers 10 workers 0\n"

static const char linkerd_blog[] =
    "about eleven servers of 167 ms, one takes 2 s for 30 s\nwhy b\n"
    "duration 60s\nrate 1000/s constant\ndeadline 5s\nnetwork 0s\n"
    "service normal 167ms sd 5ms\nservers 11 workers 0\n"
    "at 15s fixed 3 2s for 30s\nmeasure slow attempts 3 from 15s to 45s\n";

static const char one_blip[] =
    "about one answer takes a second\nwhy b\nduration 110s\nrate 2000/s\n"
    "deadline 5s\nservice normal 2ms sd 300us\n" TEN
    "at 5s fixed 3 1s for 5ms\nmeasure hit attempts 3 from 5s to 5005ms\n"
    "measure return return 3 from 6010ms\n"
    "measure share share 3 from 10s to 45s\n";

static const char sinkhole[] =
    "about one fails all in 1 ms\nwhy b\nduration 30s\nrate 2000/s\n"
    "service constant 1ms\n" TEN "at 0s errors 3 100% after 1ms\n"
    "measure share share 3\n";

static const char join_slow[] =
    "about one joins 5 times slower, warms up in 10 s\nwhy b\nduration 20s\n"
    "rate 2800/s\ndeadline 10s\nservice constant 1ms\nservers 10\n"
    "servers 1 later\nat 5s warm 10 5x over 10s\nat 5s join 10\n"
    "measure first share 10 from 5s to 5100ms\n"
    "measure peak peak 10 from 5s to 15s\n"
    "measure ten share 10 from 5s to 15s\n";

static const char fast_errors[] = WORLD("35s") TEN
    "at 5s errors 3 100% after 990us\nmeasure lost failed-share from 5s\n";

static const char hole_warm[] =
    WORLD("35s") TEN "at 5s hang 3\nmeasure lost failed-share from 5s\n";

static const char hole_cold[] = WORLD(
    "35s") "servers 9 workers 0\nservers 1 workers 0 later\nat 5s hang 9\n"
           "at 5s join 9\nmeasure lost failed-share from 5s\n"
           "measure first attempts 9 from 5s to 6s\n";

static const char gray[] =
    WORLD("35s") TEN "at 5s slow 3 20x\nmeasure share share 3 from 5s\n";

static const char eight_fail[] =
    WORLD("20s") TEN "at 5s errors 0..7 100% after 990us for 10s\n"
                     "measure lost failed-share from 5s to 15s\n";

static const char errors_heal[] =
    WORLD("305s") TEN "at 5s errors 3 100% after 990us for 10s\n"
                      "measure return return 3 from 15s\n";

static const char gray_heals[] = WORLD("305s") TEN
    "at 5s slow 3 20x for 10s\nmeasure return return 3 from 15s\n";

/* Between two arrivals, so that two answers end in the wrong hour. */
static const char clock_blip[] = WORLD("295003ms") TEN
    "at 5000500us clock +1h\nat 5002500us clock -1h\n"
    "measure s0 return 0 from 5003ms\nmeasure s1 return 1 from 5003ms\n"
    "measure s2 return 2 from 5003ms\nmeasure s3 return 3 from 5003ms\n"
    "measure s4 return 4 from 5003ms\nmeasure s5 return 5 from 5003ms\n"
    "measure s6 return 6 from 5003ms\nmeasure s7 return 7 from 5003ms\n"
    "measure s8 return 8 from 5003ms\nmeasure s9 return 9 from 5003ms\n";

static const char tower_76[] =
    "about service times even from 0 to 1, 10, 100, 1000 ms\nwhy b\n"
    "duration 30s\nconcurrency 50\ndeadline 10s\nnetwork 500us\n"
    "servers 1 workers 0 service uniform 0ms 1ms\n"
    "servers 4 workers 0 service uniform 0ms 10ms\n"
    "servers 4 workers 0 service uniform 0ms 100ms\n"
    "servers 1 workers 0 service uniform 0ms 1s\n"
    "measure p99 p99\nmeasure p999 p999\n";

static const char two_of_four[] =
    "about two of four are slow\nwhy b\nduration 15s\nwarm-up 1s\n"
    "rate 4000/s\nnetwork 30us\nservice lognormal 220us sigma 0.15\n"
    "servers 4\nat 0s fixed 2..3 5200us\nmeasure share share 2..3\n";

const published_case published_cases[] = {
    {.name = "C1 linkerd blog, answers within 1 s",
     .from = "sim 1",
     .text = linkerd_blog,
     .measure = "slow",
     .plus = 100,
     .times = -1.0 / 600,
     .unit = "%",
     .figures = {{"round-robin", 95.45, 0.03},
                 {"p2c-least-request", 99.50, 0.03},
                 {"go-zero", 99.81, 0.03},
                 {"tower", 99.93, 0.02},
                 {"finagle", 99.93, 0.02},
                 {"brpc-p2c", 99.93, 0.02},
                 {"kratos", 99.95, 0.02}}},
    {.name = "C8 one blip, until 5 % of the traffic",
     .from = "sim 1",
     .text = one_blip,
     .measure = "return",
     .times = 1,
     .unit = "s",
     .hit = "hit",
     .figures = {{"tower", 53, 3},
                 {"finagle", 53, 3},
                 {"linkerd2-biaser", 56, 3},
                 {"brpc-p2c", 56, 3},
                 {"kratos", 3, 1.5},
                 {"go-zero", 0, 1.5},
                 {"p2c-least-request", 0, 0.5}}},
    {.name = "C8 one blip, share for the next 40 s",
     .from = "sim 1",
     .text = one_blip,
     .measure = "share",
     .times = 0.1,
     .unit = "%",
     .hit = "hit",
     .figures = {{"go-zero", 6, 1}}},
    {.name = "C7 sinkhole, share of the one that fails",
     .from = "sim 1",
     .text = sinkhole,
     .measure = "share",
     .times = 0.1,
     .unit = "%",
     .half_ms = 5,
     .figures = {{"tower", 19.8, 0.5},
                 {"p2c-least-request", 17.7, 0.5},
                 {"round-robin", 10, 0.1},
                 {"go-zero", 0.8, 0.1},
                 {"linkerd2-biaser", 0, 0.05},
                 {"brpc-p2c", 0, 0.05},
                 {"kratos", 0, 0.05}}},
    {.name = "C9 join while slow, share of the first 100 ms",
     .from = "sim 1",
     .text = join_slow,
     .measure = "first",
     .times = 1 / 11.0,
     .unit = "%",
     .half_ms = 10,
     .figures = {{"tower", 6, 1.5}, {"round-robin", 9, 0.5}}},
    /* 17 in flight, of 2800 x 20 ms / 11 = 5.1 in the mean. */
    {.name = "C9 join while slow, most in flight",
     .from = "sim 1",
     .text = join_slow,
     .measure = "peak",
     .times = 0.051,
     .unit = "",
     .half_ms = 10,
     .figures = {{"tower", 17, 3}}},
    {.name = "C9 join while slow, share of 10 s",
     .from = "sim 1",
     .text = join_slow,
     .measure = "ten",
     .times = 1 / 11.0,
     .unit = "%",
     .half_ms = 10,
     .figures = {{"finagle", 1.5, 1.5}, {"kratos", 1.5, 1.5}}},
    {.name = "S1 fast errors, lost",
     .from = "peers' code",
     .text = fast_errors,
     .measure = "lost",
     .times = 1,
     .unit = "%",
     .figures = {{"round-robin", 10, 0.05},
                 {"random", 10, 0.4},
                 {"brpc-p2c", 0, 0.005},
                 {"brpc-la", 0.11, 0.03},
                 {"go-zero", 2.29, 0.15}}},
    {.name = "S2 warm black hole, lost",
     .from = "peers' code",
     .text = hole_warm,
     .measure = "lost",
     .times = 1,
     .unit = "%",
     .figures = {{"round-robin", 10, 0.05},
                 {"brpc-p2c", 0.01, 0.01},
                 {"brpc-la", 0.09, 0.03},
                 {"go-zero", 0.10, 0.02}}},
    {.name = "S3 cold black hole, lost",
     .from = "peers' code",
     .text = hole_cold,
     .measure = "lost",
     .times = 1,
     .unit = "%",
     .figures = {{"round-robin", 10, 0.05},
                 {"brpc-p2c", 0.63, 0.1},
                 {"brpc-la", 0.34, 0.1},
                 {"go-zero", 0.74, 0.1}}},
    {.name = "S3 cold black hole, sent in the first second",
     .from = "peers' code",
     .text = hole_cold,
     .measure = "first",
     .times = 1,
     .unit = "",
     .figures = {{"brpc-p2c", 189, 25}, {"go-zero", 222, 30}}},
    {.name = "S4 20 times slower, share",
     .from = "peers' code",
     .text = gray,
     .measure = "share",
     .times = 0.1,
     .unit = "%",
     .figures = {{"round-robin", 10, 0.05},
                 {"brpc-p2c", 0.01, 0.01},
                 {"brpc-la", 0.21, 0.05},
                 {"go-zero", 0.24, 0.03}}},
    {.name = "S6 eight of ten fail, lost",
     .from = "peers' code",
     .text = eight_fail,
     .measure = "lost",
     .times = 1,
     .unit = "%",
     .figures = {{"round-robin", 80, 0.1},
                 {"brpc-p2c", 62.4, 1},
                 {"brpc-la", 2.3, 0.4},
                 {"go-zero", 94.7, 0.5}}},
    {.name = "S7 after errors, until half of the fair share",
     .from = "peers' code",
     .text = errors_heal,
     .measure = "return",
     .times = 1,
     .unit = "s",
     .figures = {{"round-robin", 0, 0.1},
                 {"brpc-p2c", 34.9, 2},
                 {"brpc-la", NEVER, 0.1}}},
    {.name = "S9 after slowness, until half of the fair share",
     .from = "peers' code",
     .text = gray_heals,
     .measure = "return",
     .times = 1,
     .unit = "s",
     .figures = {{"round-robin", 0, 0.1},
                 {"brpc-p2c", 18.8, 2},
                 {"brpc-la", NEVER, 0.1}}},
    {.name = "S8 clock +1 h for 2 ms, until all have half",
     .from = "peers' code",
     .text = clock_blip,
     .measure = "worst",
     .times = 1,
     .unit = "s",
     .figures = {{"round-robin", 0, 0.1},
                 {"brpc-p2c", 126.8, 3},
                 {"brpc-la", NEVER, 0.1}}},
    {.name = "C2 tower's comparison, p99",
     .from = "tower 76",
     .text = tower_76,
     .measure = "p99",
     .times = 1,
     .unit = "ms",
     .figures = {{"tower", 96, 3},
                 {"p2c-least-request", 98, 5},
                 {"round-robin", 906, 20}}},
    {.name = "C2 tower's comparison, p99.9",
     .from = "tower 76",
     .text = tower_76,
     .measure = "p999",
     .times = 1,
     .unit = "ms",
     .figures = {{"tower", 105, 6},
                 {"p2c-least-request", 857, 50},
                 {"round-robin", 988, 10}}},
    /* Its p99 of 7.7 ms says that more than 1 % go there; a sixth by theory,
     * the pairs of two slow ones. */
    {.name = "C3 two of four slow, share of those two",
     .from = "brpc 3340",
     .text = two_of_four,
     .measure = "share",
     .times = 0.5,
     .unit = "%",
     .figures = {{"brpc-p2c", 100 / 6.0, 0.7}, {"brpc-la", 0, 0.5}}},
};

const uint32_t published_n = sizeof published_cases / sizeof published_cases[0];
