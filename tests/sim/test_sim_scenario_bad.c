/* SPDX-License-Identifier: MIT */
/*
 * Every mistake has its message, and the message has the right line.
 */
#include <stdio.h>
#include <string.h>

#include "sim_scenario.h"
#include "test_sim_scenario.h"

/* Behind the five lines of test_world; `line` is where the mistake is. */
typedef struct bad_case {
    const char *text;
    unsigned line;
    const char *message;
} bad_case;

static const bad_case bad_world[] = {
    {"srevers 3\n", 6, "unknown word 'srevers'"},
    {"\n# fine\nduration 5\n", 8, "duration '5' is no duration"},
    {"duration\n", 6, "duration is missing"},
    {"duration 1.5.5s\n", 6, "duration '1.5.5s' is no duration"},
    {"duration -5s\n", 6, "duration '-5s' is no duration"},
    {"duration 0s\n", 6, "duration '0s' is out of range (1ms to 24h)"},
    {"duration 25h\n", 6, "duration '25h' is longer than a day"},
    {"duration 0.1ns\n", 6, "duration '0.1ns' is finer than a nanosecond"},
    {"duration 1s 2s\n", 6, "unexpected '2s'"},
    {"duration 1s\nwarm-up 1s\n", 7, "the warm-up of 1s leaves nothing"},
    {"rate 5/s\n", 6, "'rate' stands twice, first in line 3"},
    {"about again\n", 6, "'about' stands twice, first in line 1"},
    {"why\n", 6, "the text of 'why' is missing"},
    {"concurrency 5\n", 6, "both 'rate' and 'concurrency'"},
    {"concurrency 0\n", 6, "concurrency '0' is out of range (1 to 1000000)"},
    {"clients many\n", 6, "number of clients 'many' is no whole number"},
    {"clients 4294967297\n", 6, "is no whole number below 2^32"},
    {"deadline 1000000000000000000000s\n", 6, "has more than 15 digits"},
    {"retries 9\n", 6, "number of retries '9' is out of range (0 to 8)"},
    {"give-up 0%\n", 6, "part of the deadline '0%' is out of range"},
    {"give-up 100%\n", 6, "who gives up at 100% of the deadline"},
    {"errors-everywhere 101%\n", 6, "share of errors '101%' is more than 100%"},
    {"errors-everywhere 1\n", 6, "share of errors '1' is no share"},
    {"errors-everywhere -1%\n", 6, "share of errors '-1%' is no share"},
    {"heavy 5%\n", 6, "weight of heavy requests is missing"},
    {"heavy 5% 20\n", 6, "weight of heavy requests '20' is no factor"},
    {"heavy 5% 0.5x\n", 6, "'0.5x' is out of range (1x to 1000000x)"},
    {"heavy 5% 2x hint\n", 6, "unexpected 'hint'"},
    {"servers 0\n", 6, "number of servers '0' is out of range"},
    {"servers 9991\n", 6, "more than 10000 servers"},
    {"servers 1 fast\n", 6, "unexpected 'fast'"},
    {"servers 1 speed 0\n", 6, "speed '0' is out of range (0.001 to 1000)"},
    {"servers 1 speed 2x\n", 6, "speed '2x' is no plain number"},
    {"servers 1 weight\n", 6, "weight is missing"},
    {"servers 1 workers 2 workers 3\n", 6, "'workers' stands twice"},
    {"servers 1 workers 0 queue 3\n", 6, "a queue needs workers"},
    {"servers 1 service replay x 1x\n", 6, "no directory to look for 'x' in"},
    {"servers 1 service sometimes 1ms\n", 6, "unknown kind of service time"},
    {"servers 1 service constant 0s\n", 6, "service time '0s' is out of range"},
    {"servers 1 service uniform 5ms 1ms\n", 6, "from much to little"},
    {"servers 1 service lognormal 5ms 0.5\n", 6, "'sigma' is missing before"},
    {"servers 1 service lognormal 5ms\n", 6, "'sigma' is missing"},
    {"servers 1 service lognormal 5ms sigma 9\n", 6, "sigma '9' is out of"},
    {"servers 1 service normal 5ms sd 5\n", 6, "deviation '5' is no duration"},
    {"servers 1 service bimodal 5ms 9ms 200%\n", 6, "'200%' is more than 100%"},
    {"servers 1 later\n", 6, "server 10 is 'later', but never joins"},
    {"network \x7f\n", 6, "byte 0x7f is not plain text"},
    {"# \xc3\xa4\n", 6, "byte 0xc3 is not plain text"},
};

static const bad_case bad_events[] = {
    {"at\n", 6, "time is missing"},
    {"at 5s\n", 6, "what happens is missing"},
    {"at 5s explode 3\n", 6, "unknown happening 'explode'"},
    {"at 5s hang\n", 6, "servers (like 3, 2..5 or all) is missing"},
    {"at 5s hang 10\n", 6, "server 10 of '10' does not exist: there are 10"},
    {"at 5s hang 8..12\n", 6, "server 12 of '8..12' does not exist"},
    {"at 5s hang 4294967295\n", 6, "server 4294967295 of '4294967295' does"},
    {"at 5s hang 5..2\n", 6, "servers '5..2' runs backwards"},
    {"at 5s hang 2...5\n", 6, "servers '2...5' are no servers"},
    {"at 61s hang 3\n", 6, "61s is after the end of the run (1m)"},
    {"at 50s hang 3 for 11s\n", 6, "61s is after the end of the run (1m)"},
    {"at 5s slow 3\n", 6, "factor is missing"},
    {"at 5s slow 3 5\n", 6, "factor '5' is no factor"},
    {"at 5s slow 3 5x over 2s\n", 6, "'slow' takes no 'over'"},
    {"at 5s slow 3 5x until 2s\n", 6, "unexpected 'until'"},
    {"at 5s slow 3 5x for 2s for 3s\n", 6, "'for' stands twice in this line"},
    {"at 5s stop 3\n", 6, "'stop' needs 'for'"},
    {"at 5s stop 3 for 0s\n", 6, "for '0s' is out of range (1ns to 24h)"},
    {"at 5s warm 3 5x\n", 6, "'warm' needs 'over'"},
    {"at 5s errors 3\n", 6, "share is missing"},
    {"at 5s errors 3 120%\n", 6, "share '120%' is more than 100%"},
    {"at 5s errors 3 5% after lunch\n", 6, "after 'lunch' is no duration"},
    {"at 5s restart 3 for 2s warm 5x 3s\n", 6, "'over' is missing before '3s'"},
    {"at 5s rate 0/s\n", 6, "rate '0/s' is out of range"},
    {"at 5s rate 10\n", 6, "rate '10' is no rate (like 1000/s or 30/m)"},
    {"at 5s clock 1h\n", 6, "jump '1h' needs its sign"},
    {"at 5s clock +1\n", 6, "jump '+1' is no duration"},
    {"at 5s join 3\n", 6, "server 3 joins, but it is in the list"},
    {"at 9s leave 3\nat 5s leave 2..3\n", 6, "server 3 is not in the list"},
    {"at 5s restart 3 for 5s\nat 9s leave 3\n", 7,
     "server 3 is away until 10s"},
    {"at 5s restart 3 for 5s\nat 10s leave 3\n", 7, "server 3 is away until"},
    {"at 5s hang 3\nclients 2\n", 7, "'clients' must stand before the first"},
    {"stops all every 2s\n", 6, "'stops' needs 'for'"},
    {"stops all for 2s\n", 6, "'stops' needs 'every'"},
    {"stops all for 2s every 1us\n", 6, "every '1us' is out of range (1ms to"},
    {"stops all every 2s for 1s from 5s to 5s\n", 6, "5s to 5s is too short"},
    {"antagonists all 11 5x every 2s\n", 6, "'11' is out of range (1 to 10)"},
    {"antagonists all 3 5x every 2s to 70s\n", 6, "is outside the run"},
    {"flap 3 join every 2s for 1s\n", 6, "'join' is nothing that can flap"},
    {"flap 3 hang every 2s for 2s\n", 6, "'for' must be less than 'every'"},
    {"measure\n", 6, "name of the measure is missing"},
    {"measure a\n", 6, "kind of measure is missing"},
    {"measure a best\n", 6, "unknown kind of measure 'best'"},
    {"measure A p99\n", 6, "the name 'A' has more than a-z, 0-9"},
    {"measure a p99\n\nmeasure a p999\n", 8, "two measures are named 'a'"},
    {"measure a share\n", 6, "servers (like 3, 2..5 or all) is missing"},
    {"measure a share 12\n", 6, "server 12 of '12' does not exist"},
    {"measure a p99 3\n", 6, "unexpected '3'"},
    {"measure a p99 from 50s to 61s\n", 6, "outside the run, which ends at 1m"},
    {"measure a p99 from 50s to 40s\n", 6, "from 50s to 40s is too short"},
    {"measure a return 3\n", 6, "'return' needs 'from'"},
    {"measure a return 3 from 59.5s\n", 6, "from 59500ms to 1m is too short"},
    {"measure a2345678901234567890123456789012 p99\n", 6, "is too long (at m"},
};

static void bad_expect(const char *name, const char *text, unsigned line,
                       const char *message)
{
    sim_scenario s;
    char error[512] = "", begin[64];

    snprintf(begin, sizeof begin, "%s:%u: ", name, line);
    if (!test_expect(
            sim_scenario_parse(&s, name, NULL, text, error, sizeof error) == -1,
            message, "no error")) {
        sim_scenario_free(&s);
        return;
    }
    test_expect(strncmp(error, begin, strlen(begin)) == 0, begin, error);
    test_expect(strstr(error, message) != NULL, message, error);
    test_expect(s.servers == NULL && s.why == NULL && s.n_servers == 0, message,
                "something is left to free");
}

static void bad_cases(const bad_case *cases, size_t n)
{
    char text[512];

    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%s%s", test_world, cases[i].text);
        bad_expect("bad.sim", text, cases[i].line, cases[i].message);
    }
}

/* What is not there at all. */
static void bad_missing(void)
{
    bad_expect("bad.sim", "", 1, "no 'about'");
    bad_expect("bad.sim", "about a\n", 1, "no 'why'");
    bad_expect("bad.sim", "about a\nwhy b\n", 2, "no 'servers'");
    bad_expect("bad.sim", "about a\nwhy b\nservers 1\n", 3,
               "neither 'rate' nor 'concurrency'");
    bad_expect("bad.sim",
               "about a\nwhy b\nrate 1/s\n"
               "servers 1 service constant 1ms\nservers 1\n",
               5, "no 'service', and server 1 has none of its own");
    bad_expect("bad.sim", "about a\nwhy b\nat 1s hang 0\n", 3, "no 'servers'");
    bad_expect("bad.sim",
               "about a\nwhy b\nconcurrency 3\nservers 1\n"
               "service constant 1ms\nat 1s rate 5/s\n",
               6, "a run with 'concurrency' has no rate");
}

static void bad_too_long(void)
{
    char text[6000], word[400];

    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    snprintf(text, sizeof text, "about %s\n", word);
    bad_expect("bad.sim", text, 1, "'about' is too long (399 characters");
    snprintf(text, sizeof text, "%s%s\n", test_world, word);
    bad_expect("bad.sim", text, 6, "unknown word 'xxxx");
    snprintf(text, sizeof text, "%s", test_world);
    for (unsigned i = 0; i < 12; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "why %s\n",
                 word);
    bad_expect("bad.sim", text, 15, "'why' is too long (at most 4000)");
    snprintf(text, sizeof text, "%s", test_world);
    for (unsigned i = 0; i < 13; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "measure m%u p99\n", i);
    bad_expect("bad.sim", text, 18, "more than 12 measures");
    bad_expect("a-name-of-more-than-47-characters-is-not-allowed", test_world,
               1, "the name is too long (48 characters");
    bad_expect("here/.sim", "about", 1, "the text of 'about' is missing");
    bad_expect("here/", test_world, 1, "the file has no name");
}

/* The message is cut where there is no room, never written beyond it. */
static void bad_small_rooms(void)
{
    sim_scenario s;
    char error[64];

    for (size_t size = 0; size < sizeof error; size++) {
        memset(error, '#', sizeof error);
        sim_scenario_parse(&s, "bad.sim", NULL, "nonsense\n", error, size);
        test_expect(error[size] == '#', "a message", "is longer than its room");
        test_expect(size == 0 || strlen(error) < size, "a message", "no end");
    }
}

void test_scenario_bad(void)
{
    bad_cases(bad_world, sizeof bad_world / sizeof bad_world[0]);
    bad_cases(bad_events, sizeof bad_events / sizeof bad_events[0]);
    bad_missing();
    bad_too_long();
    bad_small_rooms();
}
