/* SPDX-License-Identifier: MIT */
/* Floor and pairs: every subject, beside each other. */
#include <stdio.h>

#include "bench_floor.h"
#include "bench_measures.h"
#include "bench_subjects.h"

#define PAIRS_MAX 24
/* Pairs for each endpoint before it is measured, so that nobody is new; and at
 * least. */
#define PAIRS_WARM_EACH 10
#define PAIRS_WARM_LEAST 65536

typedef struct pairs_list {
    bench_subject *subjects[PAIRS_MAX];
    const char *sections[PAIRS_MAX];
    size_t n;
} pairs_list;

static void pairs_add(pairs_list *l, const char *section, bench_subject *s)
{
    if (l->n == PAIRS_MAX)
        bench_die("too many subjects");
    l->sections[l->n] = section;
    l->subjects[l->n++] = s;
}

static void pairs_all(pairs_list *l, unsigned sections, uint32_t n,
                      uint32_t n_threads, bool brief)
{
    static const char *const ways[] = {"own", "caller", "paced"};

    l->n = 0;
    for (uint32_t i = 0; i < BENCH_FLOOR_N; i++)
        if (sections & BENCH_FLOOR)
            pairs_add(l, "floor", bench_floor_subject(i, n, n_threads));
    if (!(sections & BENCH_PAIRS))
        return;
    for (size_t i = 0; i < 3; i++)
        pairs_add(l, "pair", bench_naive_subject(ways[i], n, n_threads));
    for (int p = ILB_POLICY_PEAK_EWMA; p <= ILB_POLICY_RANDOM; p++)
        for (size_t i = 0; i < 3; i++) {
            bool is_default = p == ILB_POLICY_PEAK_EWMA;

            if (is_default || (!brief && i < 2))
                pairs_add(
                    l, "pair",
                    bench_ilb_subject((ilb_policy)p, ways[i], n, n_threads));
        }
}

void bench_measure_pairs(bench_rows *all, const bench_options *o,
                         uint32_t n_threads, uint32_t n, bool brief)
{
    bench_result results[PAIRS_MAX];
    pairs_list l;
    uint64_t warm = (uint64_t)n * PAIRS_WARM_EACH;

    if (warm < PAIRS_WARM_LEAST)
        warm = PAIRS_WARM_LEAST;
    pairs_all(&l, o->sections, n, n_threads, brief);
    for (size_t i = 0; i < l.n; i++)
        for (uint32_t k = 0; k < n_threads; k++)
            l.subjects[i]->loop(l.subjects[i]->state, l.subjects[i]->locals[k],
                                warm / BENCH_BLOCK * BENCH_BLOCK / n_threads);
    bench_run(l.subjects, l.n, n_threads, o, results);
    for (size_t i = 0; i < l.n; i++) {
        const bench_subject *s = l.subjects[i];
        bench_row *r = bench_rows_add(all, l.sections[i], s->name);

        r->clock = s->clock;
        r->request_us = s->request_us;
        r->threads = n_threads;
        r->endpoints = n;
        r->result = results[i];
    }
    for (size_t i = 0; i < l.n; i++)
        bench_subject_free(l.subjects[i]);
}
