/* SPDX-License-Identifier: MIT */
/* set/table.h: exact shares, views, and words that are never half made. */
#include <pthread.h>

#include "set/table.h"
#include "suites_internal.h"
#include "util.h"

#define N 300

typedef struct fixture {
    ilb__table t;
    ilb__endpoint_id ids[N];
    uint32_t weights[N];
} fixture;

static _Alignas(64) unsigned char block[1 << 15];

static fixture *fixture_new(void)
{
    static fixture f;
    ilb__arena a = {block, 0};

    memset(&f, 0, sizeof f);
    memset(block, 0, sizeof block);
    ilb__table_init(&f.t, &a, N);
    must(a.used_bytes <= sizeof block);
    for (uint32_t i = 0; i < N; i++)
        f.ids[i] = ilb__endpoint_id_of(1000 + i, i % 7);
    return &f;
}

static void publish(fixture *f, uint32_t n)
{
    ilb__table_publish(&f->t, f->ids, f->weights, n, n);
}

/* What each endpoint is drawn with, added up over columns and thresholds. */
static void check_shares(const fixture *f, uint32_t n)
{
    static double share[N];
    ilb__view v = ilb__table_view(&f->t);
    uint64_t total = 0;

    memset(share, 0, sizeof share);
    must_eq(v.n, n);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t word = ilb__load_relaxed(&v.buffer->aliases[i]);
        double kept = (double)(word >> 32) / 4294967296.0;

        total += f->weights[i];
        if (v.weight_total == 0) {
            must_eq(ilb__view_weighted(&v, i, UINT32_MAX), i);
            kept = 1;
            word = 0;
        } else {
            must((uint32_t)word < n);
            must_eq(ilb__view_weighted(&v, i, (uint32_t)(word >> 32) - 1),
                    word >> 32 == 0 ? (uint32_t)word : i);
            must_eq(ilb__view_weighted(&v, i, UINT32_MAX), (uint32_t)word);
        }
        share[i] += kept / n;
        share[(uint32_t)word] += (1 - kept) / n;
    }
    for (uint32_t i = 0; i < n; i++) {
        double exact = (double)f->weights[i] / (double)total;

        must_be_within(share[i], exact - 4.7e-10, exact + 4.7e-10);
    }
    must(v.weight_total == 0 || v.weight_total == total);
}

START_TEST(shares_are_exact)
{
    fixture *f = fixture_new();
    uint64_t random = 1;

    for (int round = 0; round < 3000; round++) {
        uint32_t n = 1 + test_below(&random, round % 10 == 0 ? N : 12);
        uint32_t most = round % 3 == 0   ? 3
                        : round % 3 == 1 ? 100
                                         : ILB_WEIGHT_MAX;

        for (uint32_t i = 0; i < n; i++)
            f->weights[i] = 1 + test_below(&random, most);
        publish(f, n);
        check_shares(f, n);
    }
}
END_TEST

START_TEST(shares_are_exact_at_the_extremes)
{
    fixture *f = fixture_new();

    for (uint32_t n = 1; n <= N; n += n < 10 ? 1 : 29) {
        for (uint32_t i = 0; i < n; i++)
            f->weights[i] = 1;
        f->weights[0] = ILB_WEIGHT_MAX;
        publish(f, n);
        check_shares(f, n);
        for (uint32_t i = 0; i < n; i++)
            f->weights[i] = ILB_WEIGHT_MAX;
        publish(f, n);
        check_shares(f, n);
        f->weights[n - 1] = 1;
        publish(f, n);
        check_shares(f, n);
    }
}
END_TEST

START_TEST(equal_weights_need_no_aliases)
{
    fixture *f = fixture_new();

    for (uint32_t i = 0; i < N; i++)
        f->weights[i] = 7;
    publish(f, N);
    must_eq(ilb__table_view(&f->t).weight_total, 0);
    f->weights[17] = 8;
    publish(f, N);
    must_eq(ilb__table_view(&f->t).weight_total, 7 * N + 1);
    f->weights[17] = 7;
    publish(f, N);
    must_eq(ilb__table_view(&f->t).weight_total, 0);
}
END_TEST

START_TEST(a_view_holds_until_the_next_publication)
{
    fixture *f = fixture_new();
    ilb__view v = ilb__table_view(&f->t), w;

    must_eq(v.n, 0);
    must(ilb__table_holds(&f->t, &v));
    for (uint32_t i = 0; i < N; i++)
        f->weights[i] = 1;
    publish(f, 5);
    must(!ilb__table_holds(&f->t, &v));
    v = ilb__table_view(&f->t);
    must_eq(v.n, 5);
    for (uint32_t i = 0; i < 5; i++)
        must(ilb__view_id(&v, i) == f->ids[i]);
    must(ilb__table_holds(&f->t, &v));
    f->ids[0]++;
    ilb__table_publish(&f->t, f->ids, f->weights, 3, 9);
    must(!ilb__table_holds(&f->t, &v));
    w = ilb__table_view(&f->t);
    must(ilb__table_holds(&f->t, &w));
    must_eq(w.n, 3);
    must(ilb__view_id(&w, 0) == f->ids[0]);
    must_eq(ilb__load_relaxed(&w.buffer->n_listed), 9);
    /* What the old view shows is still there, for now: the other buffer. */
    must_eq(ilb__view_id(&v, 0) + 1, f->ids[0]);
    must(v.buffer != w.buffer);
    publish(f, 0);
    must_eq(ilb__table_view(&f->t).n, 0);
    /* Not by chance again after an even number of publications. */
    must(!ilb__table_holds(&f->t, &v) && !ilb__table_holds(&f->t, &w));
}
END_TEST

/* ---- While it is written ----------------------------------------------- */

static _Atomic bool stop;

static void *publisher(void *arg)
{
    fixture *f = arg;
    uint64_t random = 1;

    for (uint32_t round = 0; !atomic_load(&stop); round++) {
        uint32_t n = 1 + test_below(&random, N);

        for (uint32_t i = 0; i < n; i++) {
            f->ids[i] = ilb__endpoint_id_of(n, round & 0xff);
            f->weights[i] = ILB_WEIGHT_MAX - test_below(&random, 5) % (i + 1);
        }
        publish(f, n);
    }
    return NULL;
}

/* Draws through one view, `sweeps` times over. False: one led out of bounds.
 * *alike: all ids were those of one publication. */
static bool sweep(const ilb__view *v, uint32_t sweeps, uint64_t *random,
                  bool *alike)
{
    uint32_t n = v->n;

    *alike = true;
    for (uint32_t k = 0; k < sweeps * n; k++) {
        uint32_t bits = (uint32_t)test_random(random);
        uint32_t column = ilb__view_weighted(v, k % n, bits);
        uint64_t id;

        if (column >= N)
            return false;
        id = ilb__view_id(v, column);
        *alike = *alike && (uint32_t)id == n && id == ilb__view_id(v, 0);
    }
    return true;
}

/* Reads of a view that does not hold stay within bounds; those of one that
 * does are of one table: each publication's ids are all alike. Every other
 * view is kept long enough for its buffer to be written again. */
START_TEST(readers_stay_in_bounds_and_see_one_table)
{
    fixture *f = fixture_new();
    uint64_t random = 2, held = 0, broken = 0, torn = 0, out = 0;
    pthread_t thread;

    atomic_store(&stop, false);
    must_eq(pthread_create(&thread, NULL, publisher, f), 0);
    /* On one processor few views break: not for ever. */
    for (uint32_t round = 0;
         round < 20000 && (held < 500 || broken < 500 || round < 2000);
         round++) {
        ilb__view v = ilb__table_view(&f->t);
        bool alike;

        out += !sweep(&v, round % 2 ? 1 : 50, &random, &alike);
        if (ilb__table_holds(&f->t, &v)) {
            held++;
            torn += !alike;
        } else {
            broken++;
        }
    }
    atomic_store(&stop, true);
    must_eq(pthread_join(thread, NULL), 0);
    must_eq(out, 0);
    must_eq(torn, 0);
    must(held > 0);
}
END_TEST

Suite *suite_table(void)
{
    Suite *s = suite_create("table");
    TCase *tc = test_case(s, "table");

    tcase_add_test(tc, shares_are_exact);
    tcase_add_test(tc, shares_are_exact_at_the_extremes);
    tcase_add_test(tc, equal_weights_need_no_aliases);
    tcase_add_test(tc, a_view_holds_until_the_next_publication);
    tcase_add_test(tc, readers_stay_in_bounds_and_see_one_table);
    return s;
}
