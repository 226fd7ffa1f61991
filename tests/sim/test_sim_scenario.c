/* SPDX-License-Identifier: MIT */
/*
 * Tests the reader of scenarios.
 *
 *   test_sim_scenario DIRECTORY
 *
 * DIRECTORY is tests/sim/scenarios of the source tree, with the sets
 * `promises`, `second` and `third` in it. Without it that of the macro
 * TEST_SIM_SCENARIOS, if it was compiled in, or of the environment's `srcdir`,
 * which `make check` sets.
 */
#include "test_sim_scenario.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_scenario.h"

#define FILES_LEAST 37
#define FILES_LEAST_SECOND 36
#define FILES_LEAST_THIRD 50
#define FILES_LEAST_PROMISES 7
#define REQUESTS_MOST 85000
#define REQUESTS_MOST_SECOND 200000
#define REQUESTS_MOST_THIRD 60000
#define REQUESTS_MOST_PROMISES 300000

static unsigned checks, failures;

const char test_world[] = "about a test\n"
                          "why it tests\n"
                          "rate 1000/s\n"
                          "service exponential 5ms\n"
                          "servers 10\n";

bool test_expect(bool right, const char *where, const char *what)
{
    checks++;
    if (!right) {
        failures++;
        printf("FAILED: %s: %s\n", where, what);
    }
    return right;
}

static void *files_memory(void *memory, size_t bytes)
{
    void *more = realloc(memory, bytes);

    if (more == NULL) {
        fputs("test_sim_scenario: out of memory\n", stderr);
        exit(2);
    }
    return more;
}

static int files_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *files_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t used = 0, n = 1;

    if (file == NULL) {
        fprintf(stderr, "test_sim_scenario: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    while (n > 0) {
        text = files_memory(text, used + 4097);
        n = fread(text + used, 1, 4096, file);
        used += n;
    }
    text[used] = '\0';
    fclose(file);
    return text;
}

static void files_find(test_files *f)
{
    DIR *directory = opendir(f->directory);
    struct dirent *entry;

    if (directory == NULL) {
        fprintf(stderr, "test_sim_scenario: %s: %s\n", f->directory,
                strerror(errno));
        exit(2);
    }
    while ((entry = readdir(directory)) != NULL) {
        size_t n = strlen(entry->d_name), size = strlen(f->directory) + n + 2;

        if (n < 5 || strcmp(entry->d_name + n - 4, ".sim") != 0)
            continue;
        f->paths = files_memory(f->paths, (f->n + 1) * sizeof *f->paths);
        f->paths[f->n] = files_memory(NULL, size);
        snprintf(f->paths[f->n++], size, "%s/%s", f->directory, entry->d_name);
    }
    closedir(directory);
    if (f->n == 0)
        return;
    qsort(f->paths, f->n, sizeof *f->paths, files_compare);
    f->texts = files_memory(NULL, f->n * sizeof *f->texts);
    for (size_t i = 0; i < f->n; i++)
        f->texts[i] = files_read(f->paths[i]);
}

static void files_free(test_files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->paths[i]);
        free(f->texts[i]);
    }
    free(f->paths);
    free(f->texts);
}

/* Expected arrivals: a run of 100 seeds has to be affordable. */
static double shipped_requests(const sim_scenario *s)
{
    double rate = s->rate_per_s, n = 0;
    uint64_t at_ns = 0;

    for (size_t i = 0; i < s->n_happenings; i++) {
        const sim_happening *h = &s->happenings[i];

        if (h->kind != SIM_RATE)
            continue;
        n += rate * (double)(h->at_ns - at_ns) / 1e9;
        at_ns = h->at_ns;
        rate = h->factor;
    }
    return n + rate * (double)(s->duration_ns - at_ns) / 1e9;
}

/* A server that was bad and healed must be asked whether it came back. */
static bool shipped_asks_return(const sim_scenario *s)
{
    bool healed = false, asked = false;

    for (size_t i = 0; i < s->n_happenings; i++) {
        healed = healed || s->happenings[i].kind == SIM_HEAL ||
                 s->happenings[i].kind == SIM_STOP;
    }
    for (uint32_t i = 0; i < s->n_measures; i++)
        asked = asked || strcmp(s->measures[i].name, "regained") == 0;
    return asked || !healed;
}

static void shipped_check(const char *path, double requests_most)
{
    sim_scenario s;
    char error[512] = "";

    if (!test_expect(sim_scenario_read(&s, path, error, sizeof error) == 0,
                     path, error))
        return;
    test_expect(strstr(path, s.name) != NULL, path, "its name");
    test_expect(strlen(s.why) > 40, path, "'why' says too little");
    test_expect(s.n_measures > 0, path, "it has no measure");
    test_expect(shipped_requests(&s) < requests_most, path,
                "too many requests");
    test_expect(shipped_asks_return(&s), path, "no measure named 'regained'");
    sim_scenario_free(&s);
}

static const char *shipped_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

/* Results are told apart by the name alone. */
static void shipped_names(const test_files *first, const test_files *second)
{
    for (size_t i = 0; i < first->n; i++)
        for (size_t k = 0; k < second->n; k++)
            test_expect(strcmp(shipped_name(first->paths[i]),
                               shipped_name(second->paths[k])) != 0,
                        second->paths[k], "another set has this name too");
}

static void shipped_set(test_files *files, size_t least, double requests_most)
{
    files_find(files);
    test_expect(files->n >= least, files->directory, "too few scenarios");
    for (size_t i = 0; i < files->n; i++)
        shipped_check(files->paths[i], requests_most);
}

/* The examples of the documentation are files that can be read. */
static void shipped_examples(const char *directory)
{
    char path[4096], error[512], *text, *next;
    unsigned n = 0;

    snprintf(path, sizeof path, "%s/FORMAT.md", directory);
    text = files_read(path);
    next = strstr(text, "```text\n");
    while (next != NULL) {
        char *end = strstr(next + 8, "```");
        sim_scenario s;
        int rc;

        if (!test_expect(end != NULL, path, "an example does not end"))
            break;
        *end = '\0';
        rc = sim_scenario_parse(&s, "example", directory, next + 8, error,
                                sizeof error);
        test_expect(rc == 0, path, error);
        if (rc == 0)
            sim_scenario_free(&s);
        n++;
        next = strstr(end + 1, "```text\n");
    }
    test_expect(n == 2, path, "how many examples it has");
    free(text);
}

static const char *directory_of(int argc, char **argv)
{
    static char path[4096];
    const char *srcdir = getenv("srcdir");

    if (argc > 1)
        return argv[1];
#ifdef TEST_SIM_SCENARIOS
    return TEST_SIM_SCENARIOS;
#endif
    if (srcdir == NULL ||
        strlen(srcdir) + sizeof "/tests/sim/scenarios" > sizeof path)
        return NULL;
    snprintf(path, sizeof path, "%s/tests/sim/scenarios", srcdir);
    return path;
}

/* What is tried on every file. */
static void shipped_hurt(test_files *files)
{
    if (files->n == 0)
        return;
    test_scenario_memory(files);
    test_scenario_fuzz(files);
}

int main(int argc, char **argv)
{
    char second_path[4096], third_path[4096], promises_path[4096];
    test_files files = {.directory = directory_of(argc, argv)};
    test_files second = {.directory = second_path};
    test_files third = {.directory = third_path};
    test_files promises = {.directory = promises_path};

    if (files.directory == NULL || argc > 2 ||
        strlen(files.directory) + sizeof "/promises" > sizeof second_path) {
        fputs("usage: test_sim_scenario DIRECTORY\n", stderr);
        return 2;
    }
    snprintf(second_path, sizeof second_path, "%s/second", files.directory);
    snprintf(third_path, sizeof third_path, "%s/third", files.directory);
    snprintf(promises_path, sizeof promises_path, "%s/promises",
             files.directory);
    shipped_set(&files, FILES_LEAST, REQUESTS_MOST);
    shipped_set(&second, FILES_LEAST_SECOND, REQUESTS_MOST_SECOND);
    shipped_set(&third, FILES_LEAST_THIRD, REQUESTS_MOST_THIRD);
    shipped_set(&promises, FILES_LEAST_PROMISES, REQUESTS_MOST_PROMISES);
    shipped_names(&files, &second);
    shipped_names(&files, &third);
    shipped_names(&files, &promises);
    shipped_names(&second, &third);
    shipped_names(&second, &promises);
    shipped_names(&third, &promises);
    shipped_examples(files.directory);
    test_scenario_values();
    test_scenario_replay(files.directory);
    test_scenario_bad();
    shipped_hurt(&files);
    shipped_hurt(&second);
    shipped_hurt(&third);
    printf("test_sim_scenario: %zu, %zu, %zu and %zu scenarios, %u checks, "
           "%u failed\n",
           files.n, second.n, third.n, promises.n, checks, failures);
    files_free(&files);
    files_free(&second);
    files_free(&third);
    files_free(&promises);
    return failures == 0 ? 0 : 1;
}
