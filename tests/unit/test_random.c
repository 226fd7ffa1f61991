/* SPDX-License-Identifier: MIT */
/* base/hash.h and base/random.h. */
#include <pthread.h>

#include "base/random.h"
#include "suites_internal.h"
#include "util.h"

/* ---- Hash -------------------------------------------------------------- */

START_TEST(every_bit_of_the_input_turns_half_of_the_output)
{
    uint64_t random = 1;

    for (int bit = 0; bit < 64; bit++) {
        uint32_t turned = 0;

        for (int i = 0; i < 1000; i++) {
            uint64_t x = test_random(&random);
            uint64_t d = ilb__mix64(x) ^ ilb__mix64(x ^ UINT64_C(1) << bit);

            for (; d != 0; d &= d - 1)
                turned++;
        }
        must_be_within(turned / 1000.0, 31, 33);
    }
}
END_TEST

/* Addresses as they are: nearly alike. Low bits choose the cell. */
START_TEST(hashes_of_addresses_are_spread)
{
    static uint64_t cells[100];

    for (uint64_t salt = 0; salt < 20; salt++) {
        memset(cells, 0, sizeof cells);
        for (uint32_t i = 0; i < TEST_NUMBERS; i++) {
            const char *a = test_address(i);

            cells[(ilb__hash_bytes(a, strlen(a), salt) & 0xffff) % 100]++;
        }
        must_be_within(test_chi2(cells, NULL, 100), 0, test_chi2_limit(100));
    }
}
END_TEST

START_TEST(hashes_depend_on_all_bytes_the_length_and_the_salt)
{
    char a[64], b[64];

    memset(a, 'a', sizeof a);
    for (size_t n = 1; n <= sizeof a; n++) {
        uint64_t h = ilb__hash_bytes(a, n, 1);

        must(h == ilb__hash_bytes(a, n, 1));
        must(h != ilb__hash_bytes(a, n, 2));
        must(h != ilb__hash_bytes(a, n - 1, 1));
        for (size_t i = 0; i < n; i++) {
            memcpy(b, a, sizeof b);
            b[i] = 'b';
            must(h != ilb__hash_bytes(b, n, 1));
        }
    }
    /* Zero bytes at the end are bytes. */
    memset(a, 0, sizeof a);
    for (size_t n = 1; n <= sizeof a; n++)
        must(ilb__hash_bytes(a, n, 1) != ilb__hash_bytes(a, n - 1, 1));
}
END_TEST

/* ---- Random numbers ---------------------------------------------------- */

START_TEST(bytes_are_uniform)
{
    static ilb__random r;
    uint64_t counts[8][64];

    for (uint64_t seed = 1; seed <= 50; seed++) {
        memset(&r, 0, sizeof r);
        memset(counts, 0, sizeof counts);
        ilb__random_init(&r, seed);
        for (int i = 0; i < 6400; i++) {
            /* A clock that stands still, or one that runs. */
            uint64_t x =
                ilb__random_next(&r, seed % 2 ? 77 : (uint64_t)i * 1000);

            for (int k = 0; k < 8; k++)
                counts[k][x >> (8 * k) & 63]++;
        }
        for (int k = 0; k < 8; k++)
            must_be_within(test_chi2(counts[k], NULL, 64), 0,
                           test_chi2_limit(64));
    }
}
END_TEST

START_TEST(neighbouring_seeds_are_unrelated)
{
    static ilb__random a, b;
    uint32_t equal = 0;

    for (uint64_t seed = 0; seed < 300; seed++) {
        memset(&a, 0, sizeof a);
        memset(&b, 0, sizeof b);
        ilb__random_init(&a, seed);
        ilb__random_init(&b, seed + 1);
        for (int i = 0; i < 10; i++)
            equal += (ilb__random_next(&a, 1) & 15) ==
                     (ilb__random_next(&b, 1) & 15);
    }
    /* 3000 / 16 = 187.5 expected, standard deviation 13.3. */
    must_be_within(equal, 120, 255);
}
END_TEST

START_TEST(the_salt_tells_equal_states_apart)
{
    static ilb__random a, b;
    uint32_t equal = 0;

    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    ilb__random_init(&a, 5);
    ilb__random_init(&b, 5);
    must(ilb__random_next(&a, 1) == ilb__random_next(&b, 1));
    for (uint64_t i = 0; i < 3000; i++)
        equal += (ilb__random_next(&a, i) & 15) ==
                 (ilb__random_next(&b, i + 1) & 15);
    must_be_within(equal, 120, 255);
}
END_TEST

START_TEST(streams_start_apart)
{
    static ilb__random r;

    ilb__random_init(&r, 3);
    for (int i = 0; i < ILB_RANDOM_STREAMS; i++)
        for (int k = 0; k < i; k++) {
            uint64_t x = ilb__load_relaxed(&r.streams[i].state);
            uint64_t y = ilb__load_relaxed(&r.streams[k].state);

            /* A million steps of one do not lead into the other. */
            for (int step = 0; step < 10000; step++)
                must((x += ILB_GOLDEN) != y);
        }
}
END_TEST

static void *other_thread(void *arg)
{
    static uint64_t drawn[100];

    for (int i = 0; i < 100; i++)
        drawn[i] = ilb__random_next(arg, 9);
    return drawn;
}

/* A program's first thread draws from stream 0, the next from another. */
START_TEST(threads_draw_from_streams_of_their_own)
{
    static ilb__random r, alone;
    uint64_t first = 0, *drawn;
    pthread_t thread;
    void *result;

    memset(&r, 0, sizeof r);
    memset(&alone, 0, sizeof alone);
    ilb__random_init(&r, 4);
    ilb__random_init(&alone, 4);
    first = ilb__random_next(&r, 9);
    must(first == ilb__random_next(&alone, 9));
    must_eq(pthread_create(&thread, NULL, other_thread, &r), 0);
    must_eq(pthread_join(thread, &result), 0);
    drawn = result;
    for (int i = 0; i < 100; i++) {
        uint64_t mine = ilb__random_next(&r, 9);

        must(mine != drawn[i]);
        /* Unless both threads fell on the same place of the map. */
        if (ilb__load32_relaxed(&r.n_given) == 2)
            must(mine == ilb__random_next(&alone, 9));
    }
    must_be_within(ilb__load32_relaxed(&r.n_given), 1, 2);
}
END_TEST

START_TEST(below_is_below_and_uniform)
{
    uint64_t counts[97] = {0}, random = 2;

    must_eq(ilb__random_below(0, 5), 0);
    must_eq(ilb__random_below(UINT32_MAX, 5), 4);
    must_eq(ilb__random_below(UINT32_MAX, 1), 0);
    must_eq(ilb__random_below(UINT32_MAX, ILB_CAPACITY_MAX),
            ILB_CAPACITY_MAX - 1);
    for (int i = 0; i < 97000; i++)
        counts[ilb__random_below((uint32_t)test_random(&random), 97)]++;
    must_be_within(test_chi2(counts, NULL, 97), 0, test_chi2_limit(97));
}
END_TEST

Suite *suite_random(void)
{
    Suite *s = suite_create("random");
    TCase *tc = test_case(s, "hash");

    tcase_add_test(tc, every_bit_of_the_input_turns_half_of_the_output);
    tcase_add_test(tc, hashes_of_addresses_are_spread);
    tcase_add_test(tc, hashes_depend_on_all_bytes_the_length_and_the_salt);
    tc = test_case(s, "random");
    tcase_add_test(tc, bytes_are_uniform);
    tcase_add_test(tc, neighbouring_seeds_are_unrelated);
    tcase_add_test(tc, the_salt_tells_equal_states_apart);
    tcase_add_test(tc, streams_start_apart);
    tcase_add_test(tc, threads_draw_from_streams_of_their_own);
    tcase_add_test(tc, below_is_below_and_uniform);
    return s;
}
