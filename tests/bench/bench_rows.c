/* SPDX-License-Identifier: MIT */
/* See bench_rows.h. */
#include "bench_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bench_row *bench_rows_add(bench_rows *all, const char *section,
                          const char *subject)
{
    const double none = (double)NAN;
    bench_row *r;

    if (all->n == all->room) {
        all->room = all->room == 0 ? 64 : 2 * all->room;
        all->rows = realloc(all->rows, all->room * sizeof *all->rows);
        if (all->rows == NULL)
            bench_die("out of memory");
    }
    r = &all->rows[all->n++];
    memset(r, 0, sizeof *r);
    r->section = section;
    r->subject = subject;
    r->clock = "";
    r->request_us = -1;
    r->result = (bench_result){none, none, none, 0, 0};
    r->ratio = r->p50_ns = r->p99_ns = r->p999_ns = none;
    r->per_second = r->bytes = none;
    return r;
}

const bench_row *bench_rows_find(const bench_rows *all, const char *section,
                                 const char *subject, const char *clock,
                                 int64_t request_us, uint32_t threads,
                                 uint32_t endpoints)
{
    for (size_t i = 0; i < all->n; i++) {
        const bench_row *r = &all->rows[i];

        if (strcmp(r->section, section) == 0 &&
            strcmp(r->subject, subject) == 0 &&
            (clock == NULL || strcmp(r->clock, clock) == 0) &&
            r->request_us == request_us && r->threads == threads &&
            r->endpoints == endpoints)
            return r;
    }
    return NULL;
}

void bench_rows_compare(bench_rows *all)
{
    for (size_t i = 0; i < all->n; i++) {
        bench_row *r = &all->rows[i];
        const bench_row *naive;

        if (strcmp(r->section, "pair") != 0)
            continue;
        naive = bench_rows_find(all, "pair", "naive", r->clock, r->request_us,
                                r->threads, r->endpoints);
        if (naive != NULL)
            r->ratio = r->result.median_ns / naive->result.median_ns;
    }
}

static void rows_number(FILE *to, double value, int digits)
{
    if (isnan(value) || value < 0)
        fputc(',', to);
    else
        fprintf(to, ",%.*f", digits, value);
}

static void rows_write(FILE *to, const bench_row *r)
{
    bool measured = r->result.repetitions > 0 || r->result.redone > 0;

    fprintf(to, "%s,%s,%s", r->section, r->subject, r->clock);
    rows_number(to, (double)r->request_us, 0);
    rows_number(to, r->threads == 0 ? -1 : (double)r->threads, 0);
    rows_number(to, r->endpoints == 0 ? -1 : (double)r->endpoints, 0);
    rows_number(to, r->result.median_ns, 1);
    rows_number(to, r->result.low_ns, 1);
    rows_number(to, r->result.high_ns, 1);
    rows_number(to, r->ratio, 3);
    rows_number(to, r->p50_ns, 0);
    rows_number(to, r->p99_ns, 0);
    rows_number(to, r->p999_ns, 0);
    rows_number(to, r->per_second, 1);
    rows_number(to, r->bytes, 1);
    fputc(',', to); /* instructions: bench_count.sh */
    rows_number(to, measured ? (double)r->result.repetitions : -1, 0);
    rows_number(to, measured ? (double)r->result.redone : -1, 0);
    fputc('\n', to);
}

int bench_rows_write(const bench_rows *all, FILE *to)
{
    fputs("section,subject,clock,request_us,threads,endpoints,median_ns,low_ns,"
          "high_ns,ratio_to_naive,p50_ns,p99_ns,p999_ns,per_second,bytes,"
          "instructions,repetitions,redone\n",
          to);
    for (size_t i = 0; i < all->n; i++)
        rows_write(to, &all->rows[i]);
    return fflush(to) != 0 || ferror(to) ? -1 : 0;
}

void bench_rows_free(bench_rows *all)
{
    free(all->rows);
    memset(all, 0, sizeof *all);
}
