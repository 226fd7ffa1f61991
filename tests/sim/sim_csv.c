/* SPDX-License-Identifier: MIT */
#include "sim_csv.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim_cli.h"

#define CSV_COMMAND "run"
#define CSV_PART ".part"

const char sim_csv_help[] =
    "\n"
    "Columns of the CSV, one line a run; counts are of the measured part:\n"
    "  scenario policy seed   which run it is\n"
    "  passive                1: a rival that learns from its own requests "
    "only\n"
    "  requests failed timed_out cancelled\n"
    "                         requests; timed_out are some of the failed\n"
    "  no_endpoint            picks that found no endpoint\n"
    "  attempts to_bad hidden hidden_timed_out\n"
    "                         attempts: all; to servers with a fault; failed\n"
    "                         and tried again elsewhere for the policy, and\n"
    "                         some of those for they took too long\n"
    "  probes                 requests of the clients' own, to look whether a\n"
    "                         server is well again; not among the others\n"
    "  p50_ns p90_ns p99_ns p999_ns max_ns mean_ns\n"
    "                         latency, nanoseconds\n"
    "  ejections              by the policy, 0 if it does not count any\n"
    "  events                 that the simulator worked off\n"
    "  hash                   of every pick, in hexadecimal\n"
    "  measure:NAME           the scenario's measures, in the units above\n"
    "'nan' is no value, an empty measure is one that the scenario lacks.\n"
    "docs/simulator.md says more of each.\n";

static void csv_text(FILE *to, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text != '\0'; text++)
        fputs(*text == '"' ? "\"\"" : (char[2]){*text, '\0'}, to);
    fputc('"', to);
}

static void csv_double(FILE *to, double x)
{
    char text[40];

    if (isnan(x)) {
        fputs(",nan", to);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (!(strtod(text, NULL) < x) && !(strtod(text, NULL) > x))
            break;
    }
    fprintf(to, ",%s", text);
}

/* The measures of all scenarios, each name once, as they come. */
typedef struct csv_measures {
    const char **names;
    size_t n;
} csv_measures;

static int csv_collect(const sim_batch *b, csv_measures *all)
{
    all->n = 0;
    all->names = calloc(b->n_scenarios * SIM_MEASURES_MAX, sizeof *all->names);
    if (all->names == NULL)
        return -1;
    for (size_t i = 0; i < b->n_scenarios; i++)
        for (uint32_t m = 0; m < b->scenarios[i].n_measures; m++) {
            const char *name = b->scenarios[i].measures[m].name;
            size_t k = 0;

            while (k < all->n && strcmp(all->names[k], name) != 0)
                k++;
            if (k == all->n)
                all->names[all->n++] = name;
        }
    return 0;
}

static void csv_head(FILE *to, const csv_measures *all)
{
    fputs("scenario,policy,passive,seed,requests,failed,timed_out,cancelled,"
          "no_endpoint,attempts,to_bad,hidden,hidden_timed_out,probes,p50_ns,"
          "p90_ns,"
          "p99_ns,p999_ns,max_ns,mean_ns,ejections,events,hash",
          to);
    for (size_t i = 0; i < all->n; i++) {
        fputs("," SIM_CSV_MEASURE, to);
        csv_text(to, all->names[i]);
    }
    fputc('\n', to);
}

static void csv_measure(FILE *to, const sim_scenario *s, const sim_result *r,
                        const char *name)
{
    for (uint32_t m = 0; m < s->n_measures; m++)
        if (strcmp(s->measures[m].name, name) == 0) {
            csv_double(to, r->measures[m]);
            return;
        }
    fputc(',', to);
}

static void csv_line(FILE *to, const sim_scenario *s, const sim_policy *policy,
                     uint64_t seed, const sim_result *r,
                     const csv_measures *all)
{
    const uint64_t counts[] = {
        r->requests,         r->failed,   r->timed_out, r->cancelled,
        r->no_endpoint,      r->attempts, r->to_bad,    r->hidden,
        r->hidden_timed_out, r->probes};
    const double latencies[] = {r->p50_ns,  r->p90_ns, r->p99_ns,
                                r->p999_ns, r->max_ns, r->mean_ns};

    csv_text(to, s->name);
    fputc(',', to);
    csv_text(to, policy->name);
    fprintf(to, ",%d,%" PRIu64, policy->passive && !policy->variant ? 1 : 0,
            seed);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        fprintf(to, ",%" PRIu64, counts[i]);
    for (size_t i = 0; i < sizeof latencies / sizeof latencies[0]; i++)
        csv_double(to, latencies[i]);
    fprintf(to, ",%" PRIu64 ",%" PRIu64 ",%016" PRIx64, r->ejections, r->events,
            r->hash);
    for (size_t i = 0; i < all->n; i++)
        csv_measure(to, s, r, all->names[i]);
    fputc('\n', to);
}

int sim_csv_write(const sim_batch *b, FILE *to)
{
    csv_measures all;

    if (csv_collect(b, &all) != 0)
        return -1;
    csv_head(to, &all);
    for (size_t i = 0; i < b->n_scenarios; i++)
        for (size_t p = 0; p < b->n_policies; p++)
            for (size_t k = 0; k < b->n_seeds; k++)
                csv_line(to, &b->scenarios[i], b->policies[p],
                         b->first_seed + k, &sim_batch_results(b, i, p)[k],
                         &all);
    free(all.names);
    return fflush(to) != 0 || ferror(to) != 0 ? -1 : 0;
}

/* ---- Files ---- */

/* A pipe or a device is written as it is: it cannot be replaced. */
static bool csv_is_special(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && !S_ISREG(s.st_mode);
}

static char *csv_part_path(const char *path)
{
    size_t size = strlen(path) + sizeof CSV_PART;
    char *part = malloc(size);

    if (part != NULL)
        snprintf(part, size, "%s%s", path, CSV_PART);
    return part;
}

static int csv_fail(const char *path)
{
    sim_cli_failed(CSV_COMMAND, "%s: %s", path, strerror(errno));
    return -1;
}

int sim_csv_can_save(const char *path)
{
    struct stat s;
    char *part;
    FILE *f;

    if (strcmp(path, "-") == 0)
        return 0;
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) {
        errno = EISDIR;
        return csv_fail(path);
    }
    if (csv_is_special(path))
        return access(path, W_OK) == 0 ? 0 : csv_fail(path);
    if ((part = csv_part_path(path)) == NULL)
        return csv_fail(path);
    if ((f = fopen(part, "w")) == NULL) {
        csv_fail(path);
        free(part);
        return -1;
    }
    fclose(f);
    unlink(part);
    free(part);
    return 0;
}

static int csv_replace(const sim_batch *b, const char *path, const char *part)
{
    FILE *f = fopen(part, "w");
    int rc;

    if (f == NULL)
        return csv_fail(path);
    rc = sim_csv_write(b, f);
    if (fclose(f) != 0 || rc != 0 || rename(part, path) != 0) {
        csv_fail(path);
        unlink(part);
        return -1;
    }
    return 0;
}

int sim_csv_save(const sim_batch *b, const char *path)
{
    char *part;
    FILE *f;
    int rc;

    if (strcmp(path, "-") == 0)
        return sim_csv_write(b, stdout) == 0 ? 0 : csv_fail(path);
    if (csv_is_special(path)) {
        if ((f = fopen(path, "w")) == NULL)
            return csv_fail(path);
        rc = sim_csv_write(b, f);
        if (fclose(f) != 0 || rc != 0)
            return csv_fail(path);
        return 0;
    }
    if ((part = csv_part_path(path)) == NULL)
        return csv_fail(path);
    rc = csv_replace(b, path, part);
    free(part);
    return rc;
}
