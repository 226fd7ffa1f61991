/* SPDX-License-Identifier: MIT */
/* ilb-bench: the command. docs/benchmark.md says what it measures and how. */
#include <errno.h>
#include <string.h>

#include "bench_floor.h"
#include "bench_measures.h"
#include "bench_report.h"
#include "bench_subjects.h"

/* 1, 2, all: each once. */
static void main_threads(bench_options *o)
{
    const uint32_t wanted[] = {1, 2, bench_cpus()};

    for (uint32_t i = 0; i < o->n_threads; i++)
        if (o->threads[i] > bench_cpus())
            bench_die("%u threads on %u CPUs measure nothing", o->threads[i],
                      bench_cpus());
    if (o->n_threads > 0)
        return;
    for (int i = 0; i < 3; i++)
        if (wanted[i] <= bench_cpus() && (i == 0 || wanted[i] > wanted[i - 1]))
            o->threads[o->n_threads++] = wanted[i];
}

static int main_count(const bench_options *o)
{
    bench_subject *s = bench_subject_named(o->count, o->endpoints[0]);

    s->loop(s->state, s->locals[0], o->pairs);
    bench_subject_free(s);
    return 0;
}

static void main_measure(bench_rows *all, const bench_options *o)
{
    static const uint32_t updated[] = {100, 10000};

    for (uint32_t t = 0; t < o->n_threads; t++)
        for (uint32_t i = 0; i < o->n_endpoints; i++) {
            if ((o->sections & (BENCH_FLOOR | BENCH_PAIRS)) == 0)
                continue;
            fprintf(stderr, "threads: %u, endpoints: %u ...\n", o->threads[t],
                    o->endpoints[i]);
            if ((o->sections & BENCH_FLOOR) && o->threads[t] == 2)
                bench_measure_transfer(all, o, o->endpoints[i]);
            bench_measure_pairs(all, o, o->threads[t], o->endpoints[i],
                                o->gate);
        }
    if (o->sections & BENCH_UPDATES) {
        if (bench_cpus() < 2)
            bench_note("one CPU: picks during updates are not measured");
        for (int i = 0; i < 2 && bench_cpus() >= 2; i++) {
            fprintf(stderr, "updates of %u endpoints ...\n", updated[i]);
            bench_measure_updates(all, o, updated[i]);
        }
    }
    if (o->sections & BENCH_REST) {
        fprintf(stderr, "everything else ...\n");
        bench_measure_rest(all, o);
    }
    if (o->sections & BENCH_MEMORY)
        bench_measure_memory(all);
    bench_rows_compare(all);
}

/* CPU time, so that a busy machine cannot make it fail, nor take for ever. */
static void main_gate_options(bench_options *o)
{
    o->cpu_time = true;
    o->sections = BENCH_PAIRS;
    o->n_threads = 1;
    o->threads[0] = 1;
    o->n_endpoints = 1;
    o->endpoints[0] = 100;
}

int main(int argc, char **argv)
{
    char error[BENCH_ERROR_BYTES];
    bench_rows all = {NULL, 0, 0, 0};
    bench_options o;
    FILE *csv = NULL;
    int bad = 0;

    if (bench_options_read(&o, argc - 1, argv + 1, error) != 0)
        bench_die("%s (--help has them)", error);
    if (o.help)
        return fputs(bench_options_help, stdout) < 0 || fflush(stdout) != 0;
    if (o.count != NULL)
        return main_count(&o);
    if (o.gate)
        main_gate_options(&o);
    main_threads(&o);
    if (o.csv != NULL && (csv = fopen(o.csv, "w")) == NULL)
        bench_die("%s: %s", o.csv, strerror(errno));
    all.wanted = o.repetitions;
    bench_report_machine(stdout, &o);
    main_measure(&all, &o);
    bench_report(&all, stdout);
    if (o.gate)
        bad = bench_gate(&all, stdout);
    else
        bench_goals(&all, stdout);
    if (csv != NULL && (bench_rows_write(&all, csv) != 0 || fclose(csv) != 0))
        bench_die("%s: %s", o.csv, strerror(errno));
    bench_rows_free(&all);
    if (fflush(stdout) != 0)
        bench_die("the output: %s", strerror(errno));
    return bad > 0;
}
