/* SPDX-License-Identifier: MIT */
/*
 * Quantiles by Hoare's selection with the median of three as the pivot: O(n) on
 * average, also with many equal values (deadlines). A value that was selected
 * is in its place, with the lower ones before it, so the next quantile looks
 * only behind it.
 */
#include "sim_sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_ROOM 4096 /* at first */

void sim_sample_add(sim_sample *s, uint64_t ns)
{
    if (s->n == s->room) {
        size_t room = s->room == 0 ? SAMPLE_ROOM : 2 * s->room;
        uint64_t *values = NULL;

        if (room <= SIZE_MAX / sizeof *values)
            values = realloc(s->ns, room * sizeof *values);
        if (values == NULL) {
            s->failed = true;
            return;
        }
        s->ns = values;
        s->room = room;
    }
    s->ns[s->n++] = ns;
    s->sum_ns += (double)ns;
    s->settled = 0;
}

static uint64_t sample_pivot(const uint64_t *v, size_t low, size_t high)
{
    uint64_t a = v[low], b = v[low + (high - low) / 2], c = v[high];

    if (a > b) {
        uint64_t t = a;

        a = b;
        b = t;
    }
    if (c <= a)
        return a;
    return c < b ? c : b;
}

/* Puts the k-th (from 0) of v[low..high] in its place. As the pivot is a median
 * of three, both parts get something. */
static void sample_select(uint64_t *v, size_t low, size_t high, size_t k)
{
    while (low < high) {
        uint64_t pivot = sample_pivot(v, low, high);
        size_t i = low - 1, j = high + 1; /* may wrap, for a moment */

        for (;;) {
            uint64_t t;

            while (v[++i] < pivot)
                ;
            while (v[--j] > pivot)
                ;
            if (i >= j)
                break;
            t = v[i];
            v[i] = v[j];
            v[j] = t;
        }
        /* v[low..j] <= pivot <= v[j + 1..high] */
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
}

double sim_sample_quantile(sim_sample *s, double q)
{
    /* A little less, so that 0.999 of 3000 is 2997 in spite of rounding. */
    double rank = ceil(q * (double)s->n * (1 - 1e-12));
    size_t k = rank < 1 ? 0 : (size_t)rank - 1;

    if (s->n == 0)
        return (double)NAN;
    if (k >= s->n)
        k = s->n - 1;
    sample_select(s->ns, k < s->settled ? 0 : s->settled, s->n - 1, k);
    s->settled = k;
    return (double)s->ns[k];
}

double sim_sample_mean(const sim_sample *s)
{
    return s->n == 0 ? (double)NAN : s->sum_ns / (double)s->n;
}

void sim_sample_free(sim_sample *s)
{
    free(s->ns);
    memset(s, 0, sizeof *s);
}
