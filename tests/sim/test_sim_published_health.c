/* SPDX-License-Identifier: MIT */
/*
 * What the documentation of those that take servers out says of it.
 *
 * "nginx": ngx_http_upstream_module, max_fails=1 and fail_timeout=10s: after
 * one failure nothing for 10 s. Of one that fails always so 10 attempts in 100
 * s; of one that failed once its share after 10 s (times are whole seconds
 * there, so it is up to 11, and `return` looks at whole seconds too).
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

const published_case published_health[] = {
    {.name = "nginx fail_timeout, attempts in 100 s",
     .from = "nginx",
     .text = nginx_always,
     .measure = "n",
     .times = 1,
     .unit = "",
     .figures = {{"nginx", 10, 1, 0}}},
    {.name = "nginx fail_timeout, attempts in the 10 s",
     .from = "nginx",
     .text = nginx_once,
     .measure = "out",
     .times = 1,
     .unit = "",
     .hit = "hit",
     .figures = {{"nginx", 0, 0.5, 0}}},
    {.name = "nginx fail_timeout, until half of the fair share",
     .from = "nginx",
     .text = nginx_once,
     .measure = "return",
     .times = 1,
     .unit = "s",
     .hit = "hit",
     .figures = {{"nginx", 10, 1.1, 0.1}}},
};

const uint32_t published_health_n =
    sizeof published_health / sizeof published_health[0];
