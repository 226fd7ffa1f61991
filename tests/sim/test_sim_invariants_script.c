/* SPDX-License-Identifier: MIT */
/*
 * Scenarios at random: a world, some seconds in which anything may happen to
 * it, and then more than two minutes in which all is well, with enough requests
 * to find that out. The world can carry its load when all is well, its deadline
 * is longer than its service takes, and no queue is so long that what is left
 * in it makes a server bad long after.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_sim_invariants.h"

#define SCRIPT_QUIET_PER_S 30.0
#define SCRIPT_QUEUE_US 2000000u /* of work, at most */
#define SCRIPT_QUIET_LOAD 0.3

void script_add(script *s, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(s->text + s->n, sizeof s->text - s->n, format, args);
    va_end(args);
    if (n < 0 || s->n + (size_t)n >= sizeof s->text)
        abort(); /* there is room for all that is ever added */
    s->n += (size_t)n;
}

/* ---- Chance ---- */

bool script_chance(script *s, double p)
{
    return sim_random_unit(&s->random) < p;
}

uint32_t script_between(script *s, uint32_t least, uint32_t most)
{
    return least + sim_random_below(&s->random, most - least + 1);
}

/* All sizes are as likely: 1 to 10 as 10 to 100. */
double script_size(script *s, double least, double most)
{
    return least * pow(most / least, sim_random_unit(&s->random));
}

/* ---- The world ---- */

static void script_service(script *s, double mean_us)
{
    unsigned us = (unsigned)mean_us + 1;

    switch (script_between(s, 0, 5)) {
    case 0:
        script_add(s, "constant %uus", us);
        break;
    case 1:
        script_add(s, "uniform 0us %uus", 2 * us);
        break;
    case 2:
        script_add(s, "exponential %uus", us);
        break;
    case 3:
        script_add(s, "lognormal %uus sigma 0.%u", us, script_between(s, 1, 9));
        break;
    case 4:
        script_add(s, "normal %uus sd %uus", us, us / 4 + 1);
        break;
    default:
        script_add(s, "bimodal %uus %uus %u%%", us * 2 / 3 + 1, 4 * us,
                   script_between(s, 1, 10));
        break;
    }
}

/* Some lines of servers, and what they can do together. */
static void script_servers(script *s)
{
    uint32_t n = 0, most = script_chance(s, 0.3) ? 4 : SCRIPT_SERVERS;

    s->n_servers = script_between(s, 1, most);
    while (n < s->n_servers) {
        uint32_t more = script_between(s, 1, s->n_servers - n);
        uint32_t workers = script_chance(s, 0.2) ? 0 : script_between(s, 1, 8);
        double speed = script_chance(s, 0.3) ? script_size(s, 0.5, 2) : 1;
        /* The first one has to be there. */
        bool later = n > 0 && script_chance(s, 0.15);

        script_add(s, "servers %u workers %u speed %.3f", more, workers, speed);
        if (workers > 0)
            script_add(s, " queue %u",
                       script_chance(s, 0.2)
                           ? script_between(s, 1, 20)
                           : SCRIPT_QUEUE_US * workers / s->service_us + 1);
        if (script_chance(s, 0.2))
            script_add(s, " weight %.2f", script_size(s, 0.3, 3));
        script_add(s, later ? " later\n" : "\n");
        for (; more > 0; more--) {
            s->later[n] = later;
            s->carries[n] = workers == 0
                                ? HUGE_VAL
                                : workers * speed * 1e6 / (double)s->service_us;
            s->capacity += s->carries[n++];
        }
    }
}

double script_rate(script *s, double load, double most_per_s)
{
    double rate = load * s->capacity;

    return rate > most_per_s ? most_per_s : rate < 0.5 ? 0.5 : rate;
}

static void script_world(script *s)
{
    double heavy = 1;

    script_add(s, "about script %llu\nwhy drawn at random\n",
               (unsigned long long)s->number);
    script_add(s, "duration %ums\n", s->faults_ms + SCRIPT_QUIET_MS);
    script_add(s, "clients %u\n",
               script_chance(s, 0.5) ? 1 : script_between(s, 2, 4));
    script_add(s, "network %uus\n",
               script_chance(s, 0.1) ? 0 : script_between(s, 20, 2000));
    script_add(s, "service ");
    script_service(s, s->service_us);
    script_add(s, "\n");
    if (script_chance(s, 0.15)) {
        heavy = script_size(s, 2, 8);
        script_add(s, "heavy %u%% %.2fx%s\n", script_between(s, 1, 20), heavy,
                   script_chance(s, 0.5) ? " hinted" : "");
    }
    script_add(s, "deadline %ums\n",
               (unsigned)(s->service_us / 1e3 * heavy * script_size(s, 8, 50)) +
                   30);
    if (script_chance(s, 0.3))
        script_add(s, "retries %u\n", script_between(s, 1, 4));
    if (script_chance(s, 0.15))
        script_add(s, "give-up %u%%\n", script_between(s, 40, 90));
    if (s->noisy)
        script_add(s, "errors-everywhere %.2f%%\n", script_size(s, 0.01, 20));
    script_servers(s);
    s->capacity /= heavy; /* at least */
    if (s->closed_loop)
        script_add(s, "concurrency %u\n", script_between(s, 1, 3));
    else
        script_add(
            s, "rate %.3f/s%s\n",
            script_rate(s, script_size(s, 0.05, 1.3), script_most_per_s(s)),
            script_chance(s, 0.3) ? " constant" : "");
}

/* ---- Who is in the list, and ready ---- */

/* For good; the others have to carry what is left. */
static void script_gone(script *s, uint32_t server)
{
    s->carries[server] = 0;
    s->capacity = 0;
    for (uint32_t i = 0; i < s->n_servers; i++)
        s->capacity += s->carries[i];
}

/* The hours of one server, one after the other; it begins at `at` ms. */
static void script_list(script *s, uint32_t server)
{
    uint32_t at = script_between(s, 0, s->faults_ms / 2), end, left;

    if (s->later[server]) {
        script_add(s, "at %ums join %u\n", at, server);
    } else if (script_chance(s, 0.75)) {
        return;
    }
    for (left = script_between(s, 0, 3); left > 0; left--) {
        at = script_between(s, at + 1, s->faults_ms - 100);
        end = script_between(s, at + 1, s->faults_ms - 50);
        if (end >= s->faults_ms - 100)
            break;
        switch (script_between(s, 0, 2)) {
        case 0:
            script_add(s, "at %ums leave %u\n", at, server);
            if (script_chance(s, 0.15)) {
                script_gone(s, server);
                return;
            }
            script_add(s, "at %ums join %u\n", end, server);
            break;
        case 1:
            script_add(s, "at %ums not-ready %u\n", at, server);
            if (script_chance(s, 0.1)) {
                script_gone(s, server);
                return;
            }
            script_add(s, "at %ums ready %u\n", end, server);
            break;
        default:
            script_add(s, "at %ums restart %u for %ums", at, server, end - at);
            if (script_chance(s, 0.5))
                script_add(s, " warm %.2fx over %ums", script_size(s, 2, 20),
                           s->faults_ms - end);
            script_add(s, "\n");
            break;
        }
        at = end;
    }
}

/* ---- All of it ---- */

void script_write(script *s, uint64_t number)
{
    memset(s, 0, sizeof *s);
    s->number = number;
    s->random = sim_random_stream(number, 0);
    s->faults_ms = script_between(s, 3000, 25000);
    s->service_us = (uint32_t)script_size(s, 300, 30000);
    s->closed_loop = s->service_us > 10000 && script_chance(s, 0.1);
    s->noisy = script_chance(s, 0.15);
    s->options = (ilb_options)ILB_OPTIONS_INIT;
    s->options.max_ejection_percent =
        script_chance(s, 0.7) ? 100 : script_between(s, 1, 99);
    s->follows = script_chance(s, 0.75);
    s->healed_ns = s->faults_ms * UINT64_C(1000000);
    script_world(s);
    for (uint32_t i = 0; i < s->n_servers; i++)
        script_list(s, i);
    script_faults(s);
    script_add(s, "at %ums heal all\n", s->faults_ms);
    if (!s->closed_loop)
        script_add(s, "at %ums rate %.3f/s\n", s->faults_ms,
                   script_rate(s, SCRIPT_QUIET_LOAD, SCRIPT_QUIET_PER_S));
    script_add(s, "measure share share 0\nmeasure peak peak all\n"
                  "measure in-time in-time\n");
    script_options(s);
}
