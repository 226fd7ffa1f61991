/* SPDX-License-Identifier: MIT */
/* See bench_report.h. */
#include "bench_report.h"

#include <math.h>
#include <string.h>

#include "ilb.h"

#define REPORT_SIZES_MAX BENCH_LIST_MAX

/* ---- Machine ----------------------------------------------------------- */

static void report_cpu(FILE *to)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "model name", 10) != 0)
            continue;
        fprintf(to, "CPU%s", strchr(line, ':'));
        break;
    }
    if (f != NULL)
        fclose(f);
}

void bench_report_machine(FILE *to, const bench_options *o)
{
    report_cpu(to);
    fprintf(to, "CPUs: %u; libilb %s; compiler: %s\n", bench_cpus(),
            ilb_version(), __VERSION__);
    if (o->cpu_time)
        fprintf(to, "%u repetitions of %u ms, by CPU time\n", o->repetitions,
                o->milliseconds);
    else
        fprintf(to,
                "%u repetitions of %u ms that count, each with %.1f %% of its "
                "CPU; at most %u redone for each\n",
                o->repetitions, o->milliseconds, BENCH_CPU_SHARE * 100,
                o->retries);
}

/* ---- Floor and pairs --------------------------------------------------- */

/* Distinct values, in the order of the rows. */
typedef struct report_values {
    uint32_t v[REPORT_SIZES_MAX];
    size_t n;
} report_values;

static void report_value(report_values *to, uint32_t v)
{
    for (size_t i = 0; i < to->n; i++)
        if (to->v[i] == v)
            return;
    if (to->n < REPORT_SIZES_MAX)
        to->v[to->n++] = v;
}

static bool report_first(const bench_rows *all, size_t i)
{
    const bench_row *r = &all->rows[i];

    return bench_rows_find(all, r->section, r->subject, r->clock, r->request_us,
                           r->threads, all->rows[i].endpoints) == r;
}

static bool report_is_matrix(const bench_row *r)
{
    return strcmp(r->section, "floor") == 0 || strcmp(r->section, "pair") == 0;
}

static void report_cell(FILE *to, const bench_rows *all, const bench_row *like,
                        uint32_t n)
{
    const bench_row *r =
        bench_rows_find(all, like->section, like->subject, like->clock,
                        like->request_us, like->threads, n);
    char text[32];

    if (r == NULL || r->result.repetitions == 0)
        snprintf(text, sizeof text, "-");
    else if (isnan(r->ratio) || strcmp(r->subject, "naive") == 0)
        snprintf(text, sizeof text, "%.1f%s      ", r->result.median_ns,
                 r->result.repetitions < all->wanted ? "*" : "");
    else
        snprintf(text, sizeof text, "%.1f%s %4.2fx", r->result.median_ns,
                 r->result.repetitions < all->wanted ? "*" : "", r->ratio);
    fprintf(to, " %13s", text);
}

static void report_matrix(const bench_rows *all, FILE *to, uint32_t threads,
                          const report_values *sizes)
{
    fprintf(
        to,
        "\n%u thread%s: ns an operation as one thread sees it, and how many "
        "times the naive\nbalancer's with the same clock; endpoints:\n%-32s",
        threads, threads == 1 ? "" : "s", "");
    for (size_t k = 0; k < sizes->n; k++)
        fprintf(to, " %7u      ", sizes->v[k]);
    fputc('\n', to);
    for (size_t i = 0; i < all->n; i++) {
        const bench_row *r = &all->rows[i];
        char name[40];

        if (!report_is_matrix(r) || r->threads != threads ||
            r->endpoints != sizes->v[0] || !report_first(all, i))
            continue;
        snprintf(name, sizeof name, "%s, %s%s", r->subject,
                 strcmp(r->clock, "none") == 0     ? "no clock"
                 : strcmp(r->clock, "caller") == 0 ? "caller's now"
                                                   : "own clock",
                 r->request_us > 0 ? ", 1 ms" : "");
        fprintf(to, "%-32s", name);
        for (size_t k = 0; k < sizes->n; k++)
            report_cell(to, all, r, sizes->v[k]);
        fputc('\n', to);
    }
}

/* ---- The rest ---------------------------------------------------------- */

static void report_time(FILE *to, double ns)
{
    char text[24];

    if (isnan(ns))
        snprintf(text, sizeof text, "-");
    else if (ns < 1e4)
        snprintf(text, sizeof text, "%.0f ns", ns);
    else if (ns < 1e7)
        snprintf(text, sizeof text, "%.1f us", ns / 1e3);
    else
        snprintf(text, sizeof text, "%.1f ms", ns / 1e6);
    fprintf(to, " %11s", text);
}

static void report_updates(const bench_rows *all, FILE *to)
{
    bool head = false;

    for (size_t i = 0; i < all->n; i++) {
        const bench_row *r = &all->rows[i];

        if (strcmp(r->section, "update") != 0)
            continue;
        if (!head)
            fprintf(to,
                    "\nSingle pairs with own clock, one clock read more in "
                    "each, while the set is updated:\n%-32s %9s %11s %11s "
                    "%11s %11s %10s\n",
                    "", "endpoints", "mean", "p50", "p99", "p99.9", "a second");
        head = true;
        fprintf(to, "%-32s %9u", r->subject, r->endpoints);
        report_time(to, r->result.median_ns);
        report_time(to, r->p50_ns);
        report_time(to, r->p99_ns);
        report_time(to, r->p999_ns);
        if (isnan(r->per_second))
            fprintf(to, " %10s\n", "-");
        else
            fprintf(to, " %10.0f\n", r->per_second);
    }
}

static void report_rest(const bench_rows *all, FILE *to)
{
    bool head = false;

    for (size_t i = 0; i < all->n; i++) {
        const bench_row *r = &all->rows[i];

        if (strcmp(r->section, "rest") != 0)
            continue;
        if (!head)
            fprintf(to,
                    "\nEverything else, one thread:\n%-32s %9s %11s %11s "
                    "%11s\n",
                    "", "endpoints", "median", "least", "most");
        head = true;
        fprintf(to, "%-32s %9u", r->subject, r->endpoints);
        report_time(to, r->result.median_ns);
        report_time(to, r->result.low_ns);
        report_time(to, r->result.high_ns);
        fputc('\n', to);
    }
    head = false;
    for (size_t i = 0; i < all->n; i++) {
        const bench_row *r = &all->rows[i];

        if (strcmp(r->section, "memory") != 0)
            continue;
        if (!head)
            fprintf(to, "\nMemory, bytes:\n");
        head = true;
        fprintf(to, "%-32s %9u %11.0f\n", r->subject, r->endpoints, r->bytes);
    }
}

/* Nothing that was thrown away goes without saying. */
static void report_redone(const bench_rows *all, FILE *to)
{
    uint32_t redone = 0, counted = 0, few = 0;

    for (size_t i = 0; i < all->n; i++) {
        const bench_result *r = &all->rows[i].result;

        if (isnan(r->median_ns) && r->redone == 0)
            continue;
        redone += r->redone;
        counted += r->repetitions;
        few += r->repetitions < all->wanted;
    }
    fprintf(to,
            "\n%u repetitions count, %u were thrown away as the CPU was not "
            "theirs alone\n",
            counted, redone);
    if (few > 0)
        fprintf(to, "%u figures (*) have fewer than %u repetitions\n", few,
                all->wanted);
}

void bench_report(const bench_rows *all, FILE *to)
{
    report_values threads = {{0}, 0};

    for (size_t i = 0; i < all->n; i++)
        if (report_is_matrix(&all->rows[i]))
            report_value(&threads, all->rows[i].threads);
    for (size_t t = 0; t < threads.n; t++) {
        report_values sizes = {{0}, 0};

        for (size_t i = 0; i < all->n; i++)
            if (report_is_matrix(&all->rows[i]) &&
                all->rows[i].threads == threads.v[t])
                report_value(&sizes, all->rows[i].endpoints);
        report_matrix(all, to, threads.v[t], &sizes);
    }
    report_updates(all, to);
    report_rest(all, to);
    report_redone(all, to);
}
