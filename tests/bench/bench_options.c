/* SPDX-License-Identifier: MIT */
/* See bench_options.h. */
#include "bench_options.h"

#include <stdio.h>
#include <string.h>

const char bench_options_help[] =
    "ilb-bench [OPTION]...: what a pick and its done cost, beside a naive\n"
    "balancer and the machine's own floor. docs/benchmark.md has the method.\n"
    "\n"
    "  --csv FILE          write all figures there as well\n"
    "  --only LIST         of floor, pairs, updates, rest, memory\n"
    "  --repetitions N     of each figure that count; their median is it (7)\n"
    "  --milliseconds N    of a repetition (50)\n"
    "  --retries N         a repetition in which the thread had less than\n"
    "                      98.5 % of its CPU is redone, so many times for\n"
    "                      each that counts (4); those that never succeeded\n"
    "                      are told of\n"
    "  --threads LIST      (1, 2 and as many as there are CPUs)\n"
    "  --endpoints LIST    (2,10,100,1000,10000,100000)\n"
    "  --gate              a few seconds: fails if a pair costs far more than\n"
    "                      the naive balancer's beside it\n"
    "  --count SUBJECT     run pairs only and measure nothing, for a tool "
    "that\n"
    "                      counts instructions: naive:own, naive:caller,\n"
    "                      naive:paced, peak_ewma:own ...\n"
    "  --pairs N           of --count (100000)\n"
    "  --help              this\n"
    "\n"
    "Columns of the file, empty where they do not apply:\n"
    "\n"
    "  section             floor, pair, update, rest, memory, instructions\n"
    "  subject             what was measured\n"
    "  clock               own: it reads the clock itself; caller: the time "
    "is\n"
    "                      handed in; none: there is no time in it\n"
    "  request_us          microseconds from pick to done: 0 is at once\n"
    "  threads             that did it at the same time\n"
    "  endpoints           in the set\n"
    "  median_ns           nanoseconds an operation as one thread sees it; "
    "the\n"
    "                      operation of `pair` is a pick and its done\n"
    "  low_ns, high_ns     the least and the most of the repetitions\n"
    "  ratio_to_naive      of median_ns, to the naive balancer with the same\n"
    "                      clock, request_us, threads and endpoints\n"
    "  p50_ns p99_ns p999_ns  percentiles of single operations, a clock read\n"
    "                      of each included; medians of the repetitions\n"
    "  per_second          how often it happened\n"
    "  bytes               of memory\n"
    "  instructions        an operation, counted by callgrind\n"
    "  repetitions         that counted\n"
    "  redone              that were thrown away\n";

static const struct {
    const char *name;
    unsigned section;
} options_sections[] = {{"floor", BENCH_FLOOR},
                        {"pairs", BENCH_PAIRS},
                        {"updates", BENCH_UPDATES},
                        {"rest", BENCH_REST},
                        {"memory", BENCH_MEMORY}};

static int options_number(const char *text, size_t length, uint64_t least,
                          uint64_t most, uint64_t *value)
{
    uint64_t v = 0;

    if (length == 0 || length > 18)
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        v = v * 10 + (uint64_t)(text[i] - '0');
    }
    if (v < least || v > most)
        return -1;
    *value = v;
    return 0;
}

static int options_list(const char *text, uint64_t least, uint64_t most,
                        uint32_t to[BENCH_LIST_MAX], uint32_t *n)
{
    uint32_t k = 0;

    for (;;) {
        size_t length = strcspn(text, ",");
        uint64_t value;

        if (k == BENCH_LIST_MAX ||
            options_number(text, length, least, most, &value) != 0)
            return -1;
        to[k++] = (uint32_t)value;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *n = k;
    return 0;
}

static int options_only(const char *text, unsigned *sections)
{
    unsigned bits = 0;

    for (;;) {
        size_t length = strcspn(text, ","), i = 0;
        const size_t n = sizeof options_sections / sizeof options_sections[0];

        while (i < n && (strlen(options_sections[i].name) != length ||
                         strncmp(options_sections[i].name, text, length) != 0))
            i++;
        if (i == n)
            return -1;
        bits |= options_sections[i].section;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *sections = bits;
    return 0;
}

static void options_defaults(bench_options *o)
{
    static const uint32_t endpoints[] = {2, 10, 100, 1000, 10000, 100000};

    memset(o, 0, sizeof *o);
    o->sections = BENCH_ALL;
    o->repetitions = 7;
    o->retries = 4;
    o->milliseconds = 50;
    o->pairs = 100000;
    o->n_endpoints = sizeof endpoints / sizeof endpoints[0];
    memcpy(o->endpoints, endpoints, sizeof endpoints);
}

/* 0: taken; 1: no such option; -1: its value is wrong. */
static int options_set(bench_options *o, const char *name, const char *value)
{
    uint64_t v = 0;
    int rc;

    if (strcmp(name, "--csv") == 0 || strcmp(name, "--count") == 0) {
        *(name[3] == 's' ? &o->csv : &o->count) = value;
        return *value == '\0' ? -1 : 0;
    }
    if (strcmp(name, "--only") == 0)
        return options_only(value, &o->sections);
    if (strcmp(name, "--threads") == 0)
        return options_list(value, 1, 64, o->threads, &o->n_threads);
    if (strcmp(name, "--endpoints") == 0)
        return options_list(value, 2, BENCH_ENDPOINTS_MAX, o->endpoints,
                            &o->n_endpoints);
    if (strcmp(name, "--pairs") == 0)
        return options_number(value, strlen(value), 1, UINT32_MAX, &o->pairs);
    if (strcmp(name, "--repetitions") == 0) {
        rc = options_number(value, strlen(value), 1, BENCH_REPETITIONS_MAX, &v);
        o->repetitions = (uint32_t)v;
    } else if (strcmp(name, "--milliseconds") == 0) {
        rc = options_number(value, strlen(value), 1, 60000, &v);
        o->milliseconds = (uint32_t)v;
    } else if (strcmp(name, "--retries") == 0) {
        rc = options_number(value, strlen(value), 0, 1000, &v);
        o->retries = (uint32_t)v;
    } else {
        rc = 1;
    }
    return rc;
}

int bench_options_read(bench_options *o, int n, char *const *words,
                       char error[BENCH_ERROR_BYTES])
{
    options_defaults(o);
    for (int i = 0; i < n; i++) {
        int rc;

        if (strcmp(words[i], "--help") == 0) {
            o->help = true;
            continue;
        }
        if (strcmp(words[i], "--gate") == 0) {
            o->gate = true;
            continue;
        }
        rc = options_set(o, words[i], i + 1 < n ? words[i + 1] : "");
        if (rc == 1)
            snprintf(error, BENCH_ERROR_BYTES, "no option '%.100s'", words[i]);
        else if (rc < 0)
            snprintf(error, BENCH_ERROR_BYTES, "%.40s: '%.100s' is no value",
                     words[i], i + 1 < n ? words[i + 1] : "");
        if (rc != 0)
            return -1;
        i++;
    }
    return 0;
}
