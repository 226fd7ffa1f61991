/* SPDX-License-Identifier: MIT */
/* set/order.h: sorted, stable, all still there, and prefixes that last. */
#include "base/hash.h"
#include "set/order.h"
#include "suites_internal.h"
#include "util.h"

#define MOST 10001

static uint64_t keys[MOST], scratch[MOST], before[MOST];

/* Hashes of `bits` random bits: few bits, many that are equal. */
static void fill(uint32_t n, unsigned bits, uint64_t *random)
{
    for (uint32_t i = 0; i < n; i++)
        keys[i] = ilb__order_key(
            test_random(random) >> (64 - bits) << (64 - bits), i);
}

static void check_sorted(uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        must(keys[i - 1] >> 32 <= keys[i] >> 32);
        /* Numbers were given in order: stable means rising. */
        must(keys[i - 1] >> 32 != keys[i] >> 32 ||
             ilb__order_number(keys[i - 1]) < ilb__order_number(keys[i]));
    }
}

/* Each number once, with the hash that it had. */
static void check_permutation(uint32_t n)
{
    static bool seen[MOST];

    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t number = ilb__order_number(keys[i]);

        must(number < n && !seen[number]);
        must(keys[i] == before[number]);
        seen[number] = true;
    }
}

static void sort_and_check(uint32_t n)
{
    memcpy(before, keys, sizeof keys);
    memset(scratch, 0x5a, sizeof scratch);
    ilb__order_sort(keys, scratch, n);
    check_sorted(n);
    check_permutation(n);
    for (uint32_t i = n; i < MOST; i++) {
        must(keys[i] == before[i]);
        must(scratch[i] == UINT64_C(0x5a5a5a5a5a5a5a5a));
    }
}

START_TEST(a_key_is_the_upper_half_and_the_number)
{
    uint64_t random = 1;

    for (int i = 0; i < 10000; i++) {
        uint64_t hash = test_random(&random);
        uint32_t number = (uint32_t)test_random(&random);
        uint64_t key = ilb__order_key(hash, number);

        must(key >> 32 == hash >> 32);
        must_eq(ilb__order_number(key), number);
    }
}
END_TEST

/* Up to 48 and beyond: two algorithms, one result. */
START_TEST(sorted_stable_and_complete)
{
    static const uint32_t n[] = {0, 1, 2, 47, 48, 49, 50, 255, 256, 1000};

    for (uint64_t seed = 0; seed < 100; seed++)
        for (size_t i = 0; i < sizeof n / sizeof n[0]; i++)
            for (unsigned bits = 1; bits <= 32; bits += 5) {
                uint64_t random = seed;

                fill(n[i], bits, &random);
                sort_and_check(n[i]);
            }
}
END_TEST

START_TEST(ten_thousand)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        uint64_t random = seed;

        fill(10000, seed % 2 ? 32 : 12, &random);
        sort_and_check(10000);
    }
}
END_TEST

START_TEST(what_is_sorted_alike_or_backwards)
{
    for (uint32_t n = 1; n <= 600; n += 7) {
        for (uint32_t i = 0; i < n; i++)
            keys[i] = ilb__order_key((uint64_t)i << 41, i);
        sort_and_check(n);
        for (uint32_t i = 0; i < n; i++)
            keys[i] = ilb__order_key((uint64_t)(n - i) << 54, i);
        sort_and_check(n);
        for (uint32_t i = 0; i < n; i++)
            keys[i] = ilb__order_key(UINT64_MAX, i);
        sort_and_check(n);
    }
}
END_TEST

/* ---- Prefixes ---------------------------------------------------------- */

static uint64_t hash_of(uint32_t number, uint64_t salt)
{
    const char *address = test_address(number);

    return ilb__hash_bytes(address, strlen(address), salt);
}

/* The numbers of endpoints 0 .. n - 1 but for `without`, in the order that the
 * salt gives. */
static void ordered(uint32_t n, uint32_t without, uint64_t salt, uint32_t *out)
{
    uint32_t k = 0;

    for (uint32_t i = 0; i < n; i++)
        if (i != without)
            keys[k++] = ilb__order_key(hash_of(i, salt), i);
    ilb__order_sort(keys, scratch, k);
    for (uint32_t i = 0; i < k; i++)
        out[i] = ilb__order_number(keys[i]);
}

/* Who joins or leaves moves at most one other into, or out of, any prefix. */
START_TEST(prefixes_outlive_a_change_of_the_list)
{
    static const uint32_t sizes[] = {2, 20, 48, 49, 100, 400};
    static uint32_t with[MOST], without[MOST];

    for (uint64_t seed = 0; seed < 200; seed++) {
        uint32_t n = sizes[seed % 6];
        uint64_t random = seed;
        uint32_t gone = test_below(&random, n), at = 0;

        ordered(n, n, seed, with);
        ordered(n, gone, seed, without);
        while (with[at] != gone)
            at++;
        for (uint32_t i = 0; i + 1 < n; i++)
            must_eq(without[i], with[i < at ? i : i + 1]);
    }
}
END_TEST

/* A prefix is a sample that is anyone's with equal chance, by the salt. */
START_TEST(prefixes_differ_from_salt_to_salt)
{
    static uint32_t order[MOST];
    uint64_t counts[100] = {0};

    for (uint64_t salt = 0; salt < 1000; salt++) {
        ordered(100, 100, ilb__mix64(salt), order);
        for (int i = 0; i < 12; i++)
            counts[order[i]]++;
    }
    must_be_within(test_chi2(counts, NULL, 100), 0, test_chi2_limit(100));
}
END_TEST

Suite *suite_order(void)
{
    Suite *s = suite_create("order");
    TCase *tc = test_case(s, "sort");

    tcase_add_test(tc, a_key_is_the_upper_half_and_the_number);
    tcase_add_test(tc, sorted_stable_and_complete);
    tcase_add_test(tc, ten_thousand);
    tcase_add_test(tc, what_is_sorted_alike_or_backwards);
    tc = test_case(s, "prefix");
    tcase_add_test(tc, prefixes_outlive_a_change_of_the_list);
    tcase_add_test(tc, prefixes_differ_from_salt_to_salt);
    return s;
}
