/* SPDX-License-Identifier: MIT */
/*
 * What the documentation of those that take servers out says of it.
 *
 * "nginx": ngx_http_upstream_module, max_fails=1 and fail_timeout=10s: after
 * one failure nothing for 10 s. Of one that fails always so 10 attempts in 100
 * s; of one that failed once its share after 10 s (times are whole seconds
 * there, so it is up to 11, and `return` looks at whole seconds too).
 *
 * "Envoy": outlier detection. The 5th failure in a row ejects, for 30 s times
 * how often before; that is looked at every 10 s. So one that fails always and
 * gets 5 requests a second is asked 5 times after 5, 40, 110, 210 and 340 s: 25
 * attempts until 350 s (too few for success rates, which need 100 in 10 s). At
 * most 10 % are out: of 20 two, so that of 4 that fail two of 18 still lose.
 * Success rates: mean - 1.9 standard deviations. Of 20 that serve 100 %, but k
 * that serve 90 %, these are sqrt((20 - k) / k) deviations below the mean: 3.0
 * for two, which so are out from the next look on, and 1.2 for eight, which are
 * not.
 */
#include "test_sim_published.h"

#include <stddef.h>

static const char nginx_always[] =
    "about one of ten fails\nwhy b\nduration 110s\nrate 100/s constant\n"
    "network 0s\nservice constant 10ms\nservers 10 workers 0\n"
    "at 5s errors 3 100% after service\nmeasure n attempts 3 from 5s to 105s\n";

static const char nginx_once[] =
    "about one of ten fails once\nwhy b\nduration 20s\nrate 1000/s constant\n"
    "network 0s\nservice constant 5ms\nservers 10 workers 0\n"
    "at 5s errors 3 100% after service for 5ms\n"
    "measure hit attempts 3 from 5s to 5005ms\n"
    "measure out attempts 3 from 5050ms to 15s\n"
    "measure return return 3 from 5s\n";

static const char envoy_always[] =
    "about one of ten fails\nwhy b\nduration 350s\nrate 50/s constant\n"
    "network 0s\nservice constant 10ms\nservers 10 workers 0\n"
    "at 5s errors 3 100% after service\nmeasure n attempts 3 from 5s\n";

static const char envoy_cap[] =
    "about four of twenty fail\nwhy b\nduration 21s\nrate 1000/s constant\n"
    "network 0s\nservice constant 10ms\nservers 20 workers 0\n"
    "at 1s errors 3..6 100% after service\n"
    "measure lost failed-share from 3s to 21s\n";

#define ENVOY_RATES(which)                                                     \
    "about some of twenty fail one of ten\nwhy b\nduration 30s\n"              \
    "rate 2000/s constant\nnetwork 0s\nservice constant 10ms\n"                \
    "servers 20 workers 0\nat 0s errors " which " 10% after service\n"         \
    "measure share share " which " from 11s to 30s\n"

const published_case published_health[] = {
    {.name = "nginx fail_timeout, attempts in 100 s",
     .from = "nginx",
     .text = nginx_always,
     .measure = "n",
     .times = 1,
     .unit = "",
     .figures = {{"nginx", 10, 1}}},
    {.name = "nginx fail_timeout, attempts in the 10 s",
     .from = "nginx",
     .text = nginx_once,
     .measure = "out",
     .times = 1,
     .unit = "",
     .hit = "hit",
     .figures = {{"nginx", 0, 0.5}}},
    {.name = "nginx fail_timeout, until half of the fair share",
     .from = "nginx",
     .text = nginx_once,
     .measure = "return",
     .times = 1,
     .unit = "s",
     .hit = "hit",
     .figures = {{"nginx", 10, 1.1}}},
    {.name = "Envoy ejection time, attempts until 350 s",
     .from = "Envoy",
     .text = envoy_always,
     .measure = "n",
     .times = 1,
     .unit = "",
     .figures = {{"envoy", 25, 1}}},
    {.name = "Envoy max_ejection_percent, lost",
     .from = "Envoy",
     .text = envoy_cap,
     .measure = "lost",
     .times = 1,
     .unit = "%",
     .figures = {{"envoy", 200 / 18.0, 0.6}}},
    {.name = "Envoy success rates, share of two of 20",
     .from = "Envoy",
     .text = ENVOY_RATES("3..4"),
     .measure = "share",
     .times = 1,
     .unit = "%",
     .figures = {{"envoy", 0, 0.5}}},
    {.name = "Envoy success rates, share of eight of 20",
     .from = "Envoy",
     .text = ENVOY_RATES("3..10"),
     .measure = "share",
     .times = 1,
     .unit = "%",
     .figures = {{"envoy", 100, 2}}},
};

const uint32_t published_health_n =
    sizeof published_health / sizeof published_health[0];
