/* SPDX-License-Identifier: MIT */
/* What good files become. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim_scenario.h"
#include "sim_units.h"
#include "test_sim_scenario.h"

#define SECOND UINT64_C(1000000000)
#define MILLI UINT64_C(1000000)

/* The line, for a message. */
#define STRING(line) #line
#define LINE(line) "line " STRING(line)
#define CHECK(condition)                                                       \
    test_expect((condition), __FILE__ " " LINE(__LINE__), #condition)

/* To the bit: these figures have no rounding to excuse. */
static bool same(double a, double b)
{
    return !(a < b) && !(b < a);
}

static bool parses(sim_scenario *s, const char *text)
{
    char error[512] = "";

    return test_expect(
        sim_scenario_parse(s, "good", NULL, text, error, sizeof error) == 0,
        "a good text", error);
}

static void good_defaults(void)
{
    sim_scenario s;

    if (!parses(&s, test_world))
        return;
    CHECK(strcmp(s.name, "good") == 0 && strcmp(s.about, "a test") == 0);
    CHECK(strcmp(s.why, "it tests") == 0);
    CHECK(s.duration_ns == 60 * SECOND && s.warm_up_ns == 0);
    CHECK(s.n_clients == 1 && same(s.rate_per_s, 1000) && s.poisson);
    CHECK(!s.closed_loop && s.concurrency == 0 && s.deadline_ns == SECOND);
    CHECK(s.retries == 0 && same(s.give_up, 0) && s.network_ns == 100000);
    CHECK(s.service.kind == SIM_EXPONENTIAL && same(s.service.a_ns, 5e6));
    CHECK(same(s.errors_everywhere, 0) && same(s.heavy_share, 0));
    CHECK(same(s.heavy_factor, 1) && !s.cost_hints && s.n_servers == 10);
    CHECK(s.servers[9].workers == 8 && s.servers[9].queue == UINT32_MAX);
    CHECK(same(s.servers[9].speed, 1) && same(s.servers[9].weight, 1));
    CHECK(s.servers[9].listed_at_start && !s.servers[9].own_service);
    CHECK(s.n_happenings == 0 && s.n_processes == 0 && s.n_measures == 0);
    sim_scenario_free(&s);
}

static void good_world(void)
{
    sim_scenario s;

    if (!parses(&s, "# a comment\n"
                    "about  tower #76 is no comment  \n\n"
                    "why one\r\n"
                    "why two # three\n"
                    "duration 1.5m # as 90s\n"
                    "warm-up 250ms\nclients 20\nconcurrency 50\n"
                    "deadline 200us\nretries 2\ngive-up 50%\nnetwork 0s\n"
                    "service lognormal 7.5ms sigma 0.5\n"
                    "errors-everywhere 0.05%\n"
                    "heavy 5% 20x hinted\n"
                    "servers 3 workers 0\n"
                    "servers 2 weight 2 speed 0.5 queue 9 workers 4\n"
                    "\tservers 1 later service bimodal 1ms 2s 12.5%\n"
                    "at 0s join 5"))
        return;
    CHECK(strcmp(s.about, "tower #76 is no comment") == 0);
    CHECK(strcmp(s.why, "one two # three") == 0);
    CHECK(s.duration_ns == 90 * SECOND && s.warm_up_ns == 250 * MILLI);
    CHECK(s.n_clients == 20 && s.closed_loop && s.concurrency == 50);
    CHECK(s.deadline_ns == 200000 && s.retries == 2 && same(s.give_up, 0.5));
    CHECK(s.network_ns == 0 && s.service.kind == SIM_LOGNORMAL);
    CHECK(same(s.service.a_ns, 7.5e6) && same(s.service.p, 0.5));
    CHECK(same(s.errors_everywhere, 0.0005) && same(s.heavy_share, 0.05));
    CHECK(same(s.heavy_factor, 20) && s.cost_hints && s.n_servers == 6);
    CHECK(s.servers[2].workers == 0 && s.servers[3].workers == 4);
    CHECK(same(s.servers[4].weight, 2) && same(s.servers[4].speed, 0.5));
    CHECK(s.servers[4].queue == 9 && s.servers[4].listed_at_start);
    CHECK(!s.servers[5].listed_at_start && s.servers[5].own_service);
    CHECK(s.servers[5].service.kind == SIM_BIMODAL);
    CHECK(same(s.servers[5].service.a_ns, 1e6));
    CHECK(same(s.servers[5].service.b_ns, 2e9));
    CHECK(same(s.servers[5].service.p, 0.125));
    sim_scenario_free(&s);
}

static bool one_happening(sim_scenario *s, const char *line, size_t n)
{
    char text[512];

    snprintf(text, sizeof text, "%sservers 1 later\nat 0s join 10\nat %s\n",
             test_world, line);
    if (!parses(s, text))
        return false;
    if (test_expect(s->n_happenings == n + 1, line, "how many it makes"))
        return true;
    sim_scenario_free(s);
    return false;
}

static bool is_from(const sim_happening *h, sim_happening_kind kind,
                    uint32_t first, uint32_t last, uint64_t at_ns)
{
    return h->kind == kind && h->first == first && h->last == last &&
           h->at_ns == at_ns;
}

static void good_faults(void)
{
    sim_scenario s;

    if (one_happening(&s, "15s slow 3 5x for 10s", 2)) {
        CHECK(is_from(&s.happenings[1], SIM_SLOW, 3, 3, 15 * SECOND));
        CHECK(same(s.happenings[1].factor, 5));
        CHECK(is_from(&s.happenings[2], SIM_HEAL, 3, 3, 25 * SECOND));
        sim_scenario_free(&s);
    }
    if (one_happening(&s, "15s errors 2..5 50% after service", 1)) {
        CHECK(is_from(&s.happenings[1], SIM_ERRORS, 2, 5, 15 * SECOND));
        CHECK(same(s.happenings[1].probability, 0.5));
        CHECK(s.happenings[1].delay_ns == UINT64_MAX);
        sim_scenario_free(&s);
    }
    if (one_happening(&s, "15s errors all 100%", 1)) {
        CHECK(is_from(&s.happenings[1], SIM_ERRORS, 0, 10, 15 * SECOND));
        CHECK(s.happenings[1].delay_ns == MILLI);
        sim_scenario_free(&s);
    }
    if (one_happening(&s, "1s reject 0 30% retry-after 2s for 3s", 2)) {
        CHECK(s.happenings[1].kind == SIM_REJECT);
        CHECK(s.happenings[1].delay_ns == 2 * SECOND);
        CHECK(same(s.happenings[1].probability, 0.3));
        CHECK(s.happenings[2].kind == SIM_HEAL);
        sim_scenario_free(&s);
    }
    if (one_happening(&s, "1s fixed 0 2s", 1)) {
        CHECK(s.happenings[1].kind == SIM_FIXED);
        CHECK(s.happenings[1].duration_ns == 2 * SECOND);
        sim_scenario_free(&s);
    }
    if (one_happening(&s, "1s leak 0 10x over 20s for 30s", 2)) {
        CHECK(s.happenings[1].kind == SIM_LEAK);
        CHECK(s.happenings[1].duration_ns == 20 * SECOND);
        CHECK(same(s.happenings[1].factor, 10));
        CHECK(is_from(&s.happenings[2], SIM_HEAL, 0, 0, 31 * SECOND));
        sim_scenario_free(&s);
    }
}

static void good_lists(void)
{
    sim_scenario s;

    if (one_happening(&s, "1s restart 4 for 5s warm 3x over 20s", 1)) {
        CHECK(s.happenings[1].kind == SIM_RESTART);
        CHECK(s.happenings[1].duration_ns == 5 * SECOND);
        CHECK(s.happenings[1].delay_ns == 20 * SECOND);
        CHECK(same(s.happenings[1].factor, 3));
        sim_scenario_free(&s);
    }
    if (one_happening(&s, "1s crash 4 for 5s", 1)) {
        CHECK(s.happenings[1].kind == SIM_CRASH);
        CHECK(s.happenings[1].delay_ns == 0);
        CHECK(same(s.happenings[1].factor, 1));
        sim_scenario_free(&s);
    }
    if (one_happening(&s, "1s not-ready 4 for 5s", 2)) {
        CHECK(is_from(&s.happenings[1], SIM_NOT_READY, 4, 4, SECOND));
        CHECK(is_from(&s.happenings[2], SIM_READY, 4, 4, 6 * SECOND));
        sim_scenario_free(&s);
    }
    if (one_happening(&s, "60s rate 30/m", 1)) {
        CHECK(s.happenings[1].kind == SIM_RATE);
        CHECK(same(s.happenings[1].factor, 0.5));
        sim_scenario_free(&s);
    }
    if (one_happening(&s, "1s clock -1h", 1)) {
        CHECK(s.happenings[1].kind == SIM_CLOCK_JUMP);
        CHECK(s.happenings[1].jump_ns == INT64_C(-3600000000000));
        sim_scenario_free(&s);
    }
}

/* Sorted by time; those of one time stay as they stood. */
static void good_order(void)
{
    static const uint32_t order[] = {4, 1, 2, 3, 0};
    char text[512];
    sim_scenario s;

    snprintf(text, sizeof text,
             "%sat 9s hang 0\nat 5s hang 1\nat 5s hang 2\nat 5s hang 3\n"
             "at 1s hang 4\n",
             test_world);
    if (!parses(&s, text))
        return;
    for (size_t i = 0; i < 5; i++)
        CHECK(s.happenings[i].first == order[i]);
    sim_scenario_free(&s);
}

static void good_processes(void)
{
    char text[512];
    sim_scenario s;

    snprintf(text, sizeof text,
             "%sstops all every 2s for 50ms random from 10s to 50s\n"
             "antagonists 0..7 3 2.5x every 5s\n"
             "flap 9 errors 50%% after 2ms every 4s for 1s\n",
             test_world);
    if (!parses(&s, text))
        return;
    CHECK(s.n_processes == 3 && s.processes[0].kind == SIM_STOPS);
    CHECK(s.processes[0].first == 0 && s.processes[0].last == 9);
    CHECK(s.processes[0].every_ns == 2 * SECOND);
    CHECK(s.processes[0].duration_ns == 50 * MILLI);
    CHECK(s.processes[0].random_duration);
    CHECK(s.processes[0].from_ns == 10 * SECOND);
    CHECK(s.processes[0].to_ns == 50 * SECOND);
    CHECK(s.processes[1].kind == SIM_ANTAGONISTS && s.processes[1].count == 3);
    CHECK(same(s.processes[1].factor, 2.5) && s.processes[1].last == 7);
    CHECK(s.processes[1].from_ns == 0 && s.processes[1].to_ns == 60 * SECOND);
    CHECK(s.processes[2].kind == SIM_FLAP && s.processes[2].first == 9);
    CHECK(s.processes[2].what.kind == SIM_ERRORS);
    CHECK(s.processes[2].what.delay_ns == 2 * MILLI);
    CHECK(same(s.processes[2].what.probability, 0.5));
    CHECK(s.processes[2].duration_ns == SECOND);
    sim_scenario_free(&s);
}

static void good_measures(void)
{
    char text[1024];
    sim_scenario s;

    snprintf(text, sizeof text,
             "%swarm-up 5s\n"
             "measure a share 3 from 45s\nmeasure b attempts all\n"
             "measure c failed to 10s\nmeasure d failed-share\n"
             "measure e in-time\nmeasure f peak 1\n"
             "measure g return 2..4 from 20s to 40s\nmeasure h p99\n"
             "measure i p999\nmeasure j-2_x before-report 9\n",
             test_world);
    if (!parses(&s, text))
        return;
    CHECK(s.n_measures == 10);
    for (unsigned i = 0; i < 10; i++)
        CHECK((unsigned)s.measures[i].kind == i);
    CHECK(strcmp(s.measures[0].name, "a") == 0 && s.measures[0].first == 3);
    CHECK(s.measures[0].from_ns == 45 * SECOND);
    CHECK(s.measures[0].to_ns == 60 * SECOND);
    CHECK(s.measures[1].first == 0 && s.measures[1].last == 9);
    CHECK(s.measures[2].from_ns == 5 * SECOND);
    CHECK(s.measures[2].to_ns == 10 * SECOND && s.measures[2].last == 9);
    CHECK(s.measures[6].first == 2 && s.measures[6].last == 4);
    CHECK(strcmp(s.measures[9].name, "j-2_x") == 0);
    sim_scenario_free(&s);
}

static void good_units(void)
{
    static const uint64_t shown[] = {0, 1, 1500 * MILLI, 120 * SECOND, 200000};
    static const char *const texts[] = {"0s", "1ns", "1500ms", "2m", "200us"};
    uint64_t ns = 0;
    double value = 0;
    char text[32];

    for (size_t i = 0; i < 5; i++)
        CHECK(strcmp(sim_units_show(shown[i], text, sizeof text), texts[i]) ==
              0);
    CHECK(sim_units_duration("24h", &ns) == NULL && ns == SIM_UNITS_DAY_NS);
    CHECK(sim_units_duration("86400.0000000s", &ns) == NULL);
    CHECK(sim_units_duration("0.000000001s", &ns) == NULL && ns == 1);
    CHECK(sim_units_duration("0.0000000001s", &ns) != NULL);
    CHECK(sim_units_duration("1.5ns", &ns) != NULL);
    CHECK(sim_units_duration("24.1h", &ns) != NULL);
    CHECK(sim_units_duration("999999999999999h", &ns) != NULL);
    CHECK(sim_units_duration("1.s", &ns) != NULL);
    CHECK(sim_units_duration("0x5s", &ns) != NULL);
    CHECK(sim_units_percent("100.00%", &value) == NULL && same(value, 1));
    CHECK(sim_units_percent("100.01%", &value) != NULL);
    CHECK(sim_units_rate("90/h", &value) == NULL && same(value, 0.025));
    CHECK(sim_units_factor("1e3x", &value) != NULL);
    CHECK(sim_units_number("infinity", &value) != NULL);
    CHECK(sim_units_number("0.123456789012345", &value) == NULL &&
          same(value, 0.123456789012345));
    CHECK(sim_units_number("1234567890123456", &value) != NULL);
}

void test_scenario_values(void)
{
    good_defaults();
    good_world();
    good_faults();
    good_lists();
    good_order();
    good_processes();
    good_measures();
    good_units();
}

/* `options` stand behind the replay in its line. */
static void replay_file(const char *directory, const char *values,
                        const char *options, const char *message)
{
    char path[4096], text[512], error[4600] = "";
    sim_scenario s;
    FILE *file;
    int rc;

    snprintf(path, sizeof path, "%s/values", directory);
    file = fopen(path, "w");
    if (!test_expect(file != NULL, path, "cannot be written"))
        return;
    fputs(values, file);
    fclose(file);
    snprintf(text, sizeof text, "%sservers 2 service replay values 3x%s\n",
             test_world, options);
    rc = sim_scenario_parse(&s, "replay", directory, text, error, sizeof error);
    if (message != NULL) {
        test_expect(rc == -1, path, "no error");
        test_expect(strstr(error, message) != NULL, message, error);
    } else if (test_expect(rc == 0, path, error)) {
        CHECK(s.servers[10].service.n_values == 2 && s.n_servers == 12);
        CHECK(same(s.servers[11].service.values_ns[0], 6e6));
        CHECK(same(s.servers[11].service.values_ns[1], 1.5e9));
        sim_scenario_free(&s);
    }
    remove(path);
}

void test_scenario_replay(const char *directory)
{
    const char *tmp = getenv("TMPDIR");
    char path[4000], long_path[4096], error[512] = "";
    sim_scenario s;

    snprintf(path, sizeof path, "%s/ilb-sim-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    if (!test_expect(mkdtemp(path) != NULL, path, "cannot be made"))
        return;
    replay_file(path, "# two\n2ms\n\n500ms # rare\n", "", NULL);
    replay_file(path, "2ms\nx\n", "", "/values:2: value 'x' is no duration");
    replay_file(path, "2ms 3ms\n", "", "/values:1: unexpected '3ms'");
    replay_file(path, "# none\n", "", "/values:1: no values in the file");
    replay_file(path, "1ms\n\x01\n", "", "/values:2: byte 0x01 is not plain");
    replay_file(path, "1ms\n", " fast", "replay:6: unexpected 'fast'");
    rmdir(path);

    snprintf(long_path, sizeof long_path, "%s/no-such-scenario.sim", directory);
    CHECK(sim_scenario_read(&s, long_path, error, sizeof error) == -1);
    CHECK(strstr(error, "no-such-scenario.sim:1: cannot open") != NULL);
    CHECK(sim_scenario_read(&s, directory, error, sizeof error) == -1);
    CHECK(strstr(error, "cannot") != NULL);
}
