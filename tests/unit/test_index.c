/* SPDX-License-Identifier: MIT */
/* set/index.h against a model. */
#include "base/hash.h"
#include "set/index.h"
#include "suites_internal.h"
#include "util.h"

#define N 64

typedef struct fixture {
    ilb__index x;
    uint64_t hashes[N]; /* of the numbers */
    bool in[N];
} fixture;

static _Alignas(64) unsigned char block[1 << 16];
static fixture f;

static uint64_t hash_of(uint32_t number, const void *user)
{
    return ((const fixture *)user)->hashes[number];
}

/* `spread`: so many different hashes. */
static void setup(uint64_t seed, uint32_t spread, uint32_t near)
{
    ilb__arena a = {block, 0};

    memset(&f, 0, sizeof f);
    memset(block, 0, sizeof block);
    ilb__index_init(&f.x, &a, N);
    must(a.used_bytes <= sizeof block);
    for (uint32_t i = 0; i < N; i++) {
        uint64_t h = test_below(&seed, spread);

        /* Neighbouring first cells, around the table's end: long clusters. */
        f.hashes[i] = near ? (uint64_t)0 - near / 2 + h : ilb__mix64(h);
    }
}

static bool found(uint32_t number)
{
    uint32_t cursor = ilb__index_start(&f.x, f.hashes[number]);
    uint32_t i;

    while ((i = ilb__index_next(&f.x, &cursor)) != ILB_INDEX_NONE)
        if (i == number)
            return true;
    return false;
}

static void check(void)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < N; i++) {
        must(found(i) == f.in[i]);
        n += f.in[i];
    }
    for (uint32_t at = 0; at <= f.x.mask; at++)
        n -= f.x.cells[at] != 0;
    must_eq(n, 0);
}

static void model_run(uint64_t seed, uint32_t spread, uint32_t near)
{
    setup(seed, spread, near);
    for (int i = 0; i < 600; i++) {
        uint32_t number = test_below(&seed, N);

        if (f.in[number])
            ilb__index_remove(&f.x, f.hashes[number], number, hash_of, &f);
        else
            ilb__index_add(&f.x, f.hashes[number], number);
        f.in[number] = !f.in[number];
        check();
    }
}

START_TEST(random_sequences_match_the_model)
{
    for (uint64_t seed = 0; seed < 30; seed++)
        model_run(seed, 1000000, 0);
}
END_TEST

START_TEST(clusters_and_collisions_match_the_model)
{
    for (uint64_t seed = 0; seed < 30; seed++) {
        model_run(seed, 3, 0); /* three hashes in all */
        model_run(seed, 8, 8); /* one cluster around the end */
        model_run(seed, 40, 40);
        model_run(seed, 1, 0); /* all alike */
    }
}
END_TEST

/* Half full at the most, however large, and a power of two. */
START_TEST(there_are_cells_enough)
{
    static const uint32_t sizes[] = {1,  2,   3,       4,      5,    7,
                                     8,  9,   1000,    1024,   1025, 65536,
                                     65, 100, 3000000, 2000000};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ilb__arena a = {NULL, 0};
        ilb__index x;
        uint32_t cells;

        ilb__index_init(&x, &a, sizes[i]);
        cells = x.mask + 1;
        must((cells & x.mask) == 0);
        must(cells >= 2 * sizes[i]);
        must(cells <= 4 * sizes[i] || cells == 4);
        must(a.used_bytes >= cells * sizeof *x.cells);
    }
}
END_TEST

/* Emptied in any order: all cells are 0 at the end. */
START_TEST(forgetting_all_empties_it)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t random = seed;
        uint32_t order[N];

        setup(seed, 1 + (uint32_t)seed, seed % 2 ? 20 : 0);
        for (uint32_t i = 0; i < N; i++) {
            uint32_t k = test_below(&random, i + 1);

            order[i] = order[k];
            order[k] = i;
            ilb__index_add(&f.x, f.hashes[i], i);
        }
        for (uint32_t i = 0; i < N; i++)
            ilb__index_forget(&f.x, f.hashes[order[i]], order[i]);
        for (uint32_t at = 0; at <= f.x.mask; at++)
            must_eq(f.x.cells[at], 0);
    }
}
END_TEST

Suite *suite_index(void)
{
    Suite *s = suite_create("index");
    TCase *tc = test_case(s, "index");

    tcase_add_test(tc, random_sequences_match_the_model);
    tcase_add_test(tc, clusters_and_collisions_match_the_model);
    tcase_add_test(tc, there_are_cells_enough);
    tcase_add_test(tc, forgetting_all_empties_it);
    return s;
}
