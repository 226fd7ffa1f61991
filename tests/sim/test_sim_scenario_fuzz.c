/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out, and files that went wrong at random: never a crash or
 * a leak (run it with the address sanitizer), always either a scenario that
 * keeps what its header promises or a message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_random.h"
#include "sim_reader.h"
#include "sim_scenario.h"
#include "test_sim_scenario.h"

#define FUZZ_FILES 20000
#define FUZZ_ROOM 16384

static unsigned memory_left; /* how many allocations go well */
static bool memory_once;     /* only one fails */

static void *memory_realloc(void *memory, size_t bytes)
{
    if (memory_left == 0) {
        if (memory_once)
            memory_left = UINT32_MAX;
        return NULL;
    }
    memory_left--;
    return realloc(memory, bytes);
}

/* How many allocations one file needs; each of them must be able to fail. */
static unsigned memory_file(const char *path, bool once)
{
    sim_scenario s;
    char error[512];

    for (unsigned n = 0;; n++) {
        int rc;

        memory_left = n;
        memory_once = once;
        error[0] = '\0';
        rc = sim_scenario_read(&s, path, error, sizeof error);
        if (rc == 0) {
            sim_scenario_free(&s);
            return n;
        }
        if (!test_expect(strstr(error, "memory") != NULL, path, error) ||
            !test_expect(s.servers == NULL, path, "left to free"))
            return n;
    }
}

void test_scenario_memory(const test_files *files)
{
    unsigned n = 0;

    sim_reader_realloc = memory_realloc;
    for (size_t i = 0; i < files->n; i++) {
        n += memory_file(files->paths[i], false);
        n += memory_file(files->paths[i], true);
    }
    sim_reader_realloc = realloc;
    test_expect(n > 10 * files->n, "memory", "it was hardly asked for");
}

static const char *const fuzz_words[] = {
    "at ",
    "slow ",
    "hang ",
    "measure ",
    "join ",
    "leave ",
    "restart",
    "10..20 ",
    "all ",
    "0",
    "99999999",
    "60s ",
    "5% ",
    "1000000x ",
    "\n",
    " ",
    "#",
    "servers 3\n",
    "for ",
    "over ",
    "from ",
    "to ",
    "every ",
    "0.",
    "at 1s ",
    "flap 0 ",
    "stops all",
    "later ",
    "not-ready 0 for 1s\n",
};

/* Cuts out n bytes at `at` of `text` and puts `with` there. */
static void fuzz_splice(char *text, size_t at, size_t n, const char *with,
                        size_t with_n)
{
    size_t length = strlen(text);

    if (length - n + with_n >= FUZZ_ROOM)
        return;
    memmove(text + at + with_n, text + at + n, length - at - n + 1);
    memcpy(text + at, with, with_n);
}

static void fuzz_mutate(sim_random *r, const test_files *files, char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    uint32_t at = sim_random_below(r, length + 1);
    uint32_t n = sim_random_below(r, length - at + 1);
    const char *other = files->texts[sim_random_below(r, (uint32_t)files->n)];
    uint32_t from = sim_random_below(r, (uint32_t)strlen(other) + 1);
    const char *word;
    char byte;

    switch (sim_random_below(r, 6)) {
    case 0: /* another byte */
        byte = (char)(1 + sim_random_below(r, 255));
        fuzz_splice(text, at, n > 0, &byte, 1);
        break;
    case 1: /* a part is lost */
        fuzz_splice(text, at, n < 40 ? n : n % 40, "", 0);
        break;
    case 2: /* a word of the language */
        word = fuzz_words[sim_random_below(r, sizeof fuzz_words /
                                                  sizeof fuzz_words[0])];
        fuzz_splice(text, at, n % 8, word, strlen(word));
        break;
    case 3: /* a line of another file, at a line's start */
        while (at > 0 && text[at - 1] != '\n')
            at--;
        while (from > 0 && other[from - 1] != '\n')
            from--;
        fuzz_splice(text, at, 0, other + from, strcspn(other + from, "\n") + 1);
        break;
    case 4: /* another digit */
        at += (uint32_t)strcspn(text + at, "0123456789");
        byte = (char)('0' + sim_random_below(r, 10));
        fuzz_splice(text, at, text[at] != '\0', &byte, 1);
        break;
    default: /* the rest is lost */
        if (sim_random_below(r, 4) == 0)
            text[at] = '\0';
        break;
    }
}

static bool fuzz_window(const sim_scenario *s, uint64_t from_ns, uint64_t to_ns)
{
    return from_ns < to_ns && to_ns <= s->duration_ns;
}

static bool fuzz_servers(const sim_scenario *s, uint32_t first, uint32_t last)
{
    return first <= last && last < s->n_servers;
}

/* What the engine may rely on. */
static bool fuzz_keeps_promises(const sim_scenario *s)
{
    bool right = s->why != NULL && s->about[0] != '\0' && s->name[0] != '\0' &&
                 s->n_servers > 0 && s->warm_up_ns < s->duration_ns &&
                 s->n_clients > 0 && s->deadline_ns > 0 && s->give_up >= 0 &&
                 s->give_up < 1 && s->n_measures <= 12 &&
                 (s->closed_loop ? s->concurrency > 0 : s->rate_per_s > 0);
    uint64_t before_ns = 0;

    for (uint32_t i = 0; i < s->n_servers; i++) {
        const sim_distribution *d =
            s->servers[i].own_service ? &s->servers[i].service : &s->service;

        right = right && (d->a_ns > 0 || d->b_ns > 0 || d->n_values > 0);
    }
    for (size_t i = 0; i < s->n_happenings; i++) {
        const sim_happening *h = &s->happenings[i];

        right = right && fuzz_servers(s, h->first, h->last) &&
                h->at_ns >= before_ns && h->at_ns <= s->duration_ns &&
                h->factor > 0 && h->probability >= 0 && h->probability <= 1;
        before_ns = h->at_ns;
    }
    for (size_t i = 0; i < s->n_processes; i++) {
        const sim_process *p = &s->processes[i];

        right = right && fuzz_servers(s, p->first, p->last) &&
                fuzz_window(s, p->from_ns, p->to_ns) && p->every_ns > 0 &&
                p->count <= p->last - p->first + 1;
    }
    for (uint32_t i = 0; i < s->n_measures; i++) {
        const sim_measure *m = &s->measures[i];

        right = right && fuzz_servers(s, m->first, m->last) &&
                fuzz_window(s, m->from_ns, m->to_ns);
    }
    return right;
}

void test_scenario_fuzz(const test_files *files)
{
    sim_random r = sim_random_stream(1, 0);
    unsigned good = 0;
    static char text[FUZZ_ROOM];
    char error[512];
    sim_scenario s;

    for (unsigned i = 0; i < FUZZ_FILES; i++) {
        snprintf(text, sizeof text, "%s",
                 files->texts[sim_random_below(&r, (uint32_t)files->n)]);
        for (uint32_t k = sim_random_below(&r, 5) + 1; k > 0; k--)
            fuzz_mutate(&r, files, text);
        error[0] = '\0';
        if (sim_scenario_parse(&s, "fuzz", files->directory, text, error,
                               sizeof error) == 0) {
            good++;
            test_expect(fuzz_keeps_promises(&s), "fuzz", text);
            sim_scenario_free(&s);
        } else if (strstr(error, ".txt:") == NULL) {
            test_expect(strncmp(error, "fuzz:", 5) == 0, error, text);
        }
    }
    /* A fuzzer that only makes rubbish, or none, tests little. */
    test_expect(good > FUZZ_FILES / 50 && good < FUZZ_FILES / 2, "fuzz",
                "how many of the files are still good");
    printf("fuzz: %u of %u mutated files still parse\n", good, FUZZ_FILES);
}
