/* SPDX-License-Identifier: MIT */
/* signal/load.h: counts, ages, generations. */
#include "signal/load.h"
#include "suites_internal.h"
#include "util.h"

#define HELD 40

static uint64_t word_of(const ilb__load *l)
{
    return ilb__load_relaxed(&l->word);
}

static uint32_t take(ilb__load *l, uint64_t now_ns)
{
    uint64_t word = word_of(l);
    uint32_t parity = 2;

    must(ilb__load_take(l, word, ilb__load_generation(word), now_ns, &parity));
    must(parity < 2);
    return parity;
}

static uint64_t age(const ilb__load *l, uint64_t now_ns)
{
    return ilb__load_age_ns(l, word_of(l), now_ns);
}

/* ---- Age, against a list ----------------------------------------------- */

typedef struct reference {
    uint64_t taken_ns[HELD];
    uint32_t parity[HELD];
    uint32_t n;
    uint64_t busy_since_ns;
    bool turned;     /* since it was idle */
    uint64_t lag_ns; /* allowed: of the last turn */
} reference;

static uint64_t true_age(const reference *r, uint64_t now_ns)
{
    uint64_t oldest = now_ns;

    for (uint32_t i = 0; i < r->n; i++)
        if (r->taken_ns[i] < oldest)
            oldest = r->taken_ns[i];
    return now_ns - oldest;
}

static void reference_take(reference *r, ilb__load *l, uint64_t now_ns)
{
    if (r->n == 0) {
        r->busy_since_ns = now_ns;
        r->turned = false;
        r->lag_ns = 0;
    }
    r->taken_ns[r->n] = now_ns;
    r->parity[r->n++] = take(l, now_ns);
}

/* The bound is late by one latency at most: that of the request whose return
 * made the turn; of the first turn, the time since it was idle. */
static void reference_return(reference *r, ilb__load *l, uint32_t i,
                             uint64_t now_ns)
{
    uint32_t before = ilb__load_parity(word_of(l));
    uint64_t latency_ns = now_ns - r->taken_ns[i];

    must(ilb__load_return(l, 0, r->parity[i], now_ns));
    r->taken_ns[i] = r->taken_ns[--r->n];
    r->parity[i] = r->parity[r->n];
    if (ilb__load_parity(word_of(l)) != before) {
        r->lag_ns = r->turned ? latency_ns : now_ns - r->busy_since_ns;
        r->turned = true;
    }
}

START_TEST(the_age_is_a_lower_bound_and_late_by_one_latency_at_most)
{
    for (uint64_t seed = 0; seed < 1000; seed++) {
        ilb__load l = {0, 0, 0};
        reference r;
        uint64_t random = seed, now_ns = S_NS;
        uint32_t most = 1 + test_below(&random, HELD);

        memset(&r, 0, sizeof r);
        for (int i = 0; i < 300; i++) {
            now_ns += test_random(&random) % (20 * MS_NS);
            if (r.n < most && (r.n == 0 || test_below(&random, 2)))
                reference_take(&r, &l, now_ns);
            else
                reference_return(&r, &l, test_below(&random, r.n), now_ns);
            now_ns += test_random(&random) % MS_NS;
            must_eq(ilb__load_in_flight(word_of(&l)), r.n);
            must(age(&l, now_ns) <= true_age(&r, now_ns));
            must(age(&l, now_ns) + r.lag_ns >= true_age(&r, now_ns));
            must(r.n > 0 || age(&l, now_ns) == 0);
        }
        while (r.n > 0)
            reference_return(&r, &l, 0, now_ns);
        must_eq(ilb__load_in_flight(word_of(&l)), 0);
    }
}
END_TEST

START_TEST(from_idle_the_age_is_exact)
{
    ilb__load l = {0, 0, 0};
    uint32_t parity;

    for (uint64_t t = 1000; t < 100000; t += 1000) {
        parity = take(&l, t);
        must_eq(age(&l, t), 0);
        must_eq(age(&l, t + 700), 700);
        (void)take(&l, t + 800);
        must_eq(age(&l, t + 900), 900);
        /* A clock that went back. */
        must_eq(age(&l, t - 1), 0);
        must(ilb__load_return(&l, 0, parity, t + 900));
        must(ilb__load_return(&l, 0, parity, t + 900));
        must_eq(age(&l, t + 900), 0);
    }
}
END_TEST

/* The word that was looked at is older than the one that is counted up: all
 * that it showed has returned since. Its mark must not be ours. */
START_TEST(a_take_after_the_last_return_starts_a_new_age)
{
    ilb__load l = {0, 0, 0};
    uint32_t parity = take(&l, 1000);
    uint64_t seen = word_of(&l);

    must(ilb__load_return(&l, 0, parity, 5000));
    must(ilb__load_take(&l, seen, 0, 9000, &parity));
    must_eq(age(&l, 9100), 100);
}
END_TEST

/* ---- Counts ------------------------------------------------------------ */

START_TEST(a_return_wants_the_same_generation_and_a_class_that_is_there)
{
    ilb__load l = {0, 0, 0};
    uint32_t parity = take(&l, 1);
    uint64_t word = word_of(&l);

    must(!ilb__load_return(&l, 1, parity, 2));
    must(!ilb__load_return(&l, 0, !parity, 2));
    must(word_of(&l) == word);
    must(ilb__load_has(word, 0, parity));
    must(!ilb__load_has(word, 1, parity) && !ilb__load_has(word, 0, !parity));
    must(ilb__load_return(&l, 0, parity, 2));
    must(!ilb__load_return(&l, 0, parity, 2));
    must(!ilb__load_has(word_of(&l), 0, parity));
    must_eq(ilb__load_in_flight(word_of(&l)), 0);
}
END_TEST

START_TEST(the_young_become_the_old)
{
    ilb__load l = {0, 0, 0};
    uint32_t p = take(&l, 1), q;

    (void)take(&l, 1);
    must_eq(ilb__load_young(word_of(&l)), 2);
    must(ilb__load_return(&l, 0, p, 2));
    must_eq(ilb__load_young(word_of(&l)), 0);
    must_eq(ilb__load_old(word_of(&l)), 1);
    q = take(&l, 3);
    must(q != p);
    must_eq(ilb__load_young(word_of(&l)), 1);
    /* A young one returns: no turn while an old one is there. */
    must(ilb__load_return(&l, 0, q, 4));
    must_eq(ilb__load_old(word_of(&l)), 1);
    must_eq(age(&l, 5), 3);
    q = take(&l, 5);
    must(ilb__load_return(&l, 0, p, 6));
    must_eq(ilb__load_old(word_of(&l)), 1);
    must_eq(age(&l, 10), 4);
    must(ilb__load_return(&l, 0, q, 7));
    must_eq(ilb__load_in_flight(word_of(&l)), 0);
}
END_TEST

START_TEST(full_is_full)
{
    ilb__load l = {0, 0, 0};
    uint32_t parity = 9;
    uint64_t word;

    for (uint32_t i = 0; i < ILB_LOAD_MAX; i++)
        must_eq(take(&l, 1), 0);
    word = word_of(&l);
    must(!ilb__load_take(&l, word, 0, 1, &parity));
    must(word_of(&l) == word);
    must(ilb__load_return(&l, 0, 0, 1));
    /* The others are old now; all in flight count, answered or not. */
    must_eq(take(&l, 1), 1);
    must(ilb__load_answer(&l, 0, 0, 1));
    must(!ilb__load_take(&l, word_of(&l), 0, 1, &parity));
    must_eq(ilb__load_in_flight(word_of(&l)), ILB_LOAD_MAX);
    must_eq(ilb__load_generation(word_of(&l)), 0);
    for (uint32_t i = 2; i < ILB_LOAD_MAX; i++)
        must(ilb__load_return(&l, 0, 0, 1));
    must(ilb__load_return(&l, 0, ILB_LOAD_IS_ANSWERED, 1));
    must(!ilb__load_return(&l, 0, ILB_LOAD_IS_ANSWERED, 1));
    /* What was young turned when the last old one returned. */
    must(ilb__load_return(&l, 0, 1, 1));
    must_eq(ilb__load_in_flight(word_of(&l)), 0);
}
END_TEST

/* An answered request is in flight and keeps the slot, but has no age. */
START_TEST(answered_is_in_flight_without_age)
{
    ilb__load l = {0, 0, 0};
    uint32_t p = take(&l, 10), q;

    must_eq(age(&l, 30), 20);
    must(ilb__load_answer(&l, 0, p, 30));
    must(!ilb__load_answer(&l, 0, p, 30));
    must_eq(age(&l, 1000), 0);
    must_eq(ilb__load_in_flight(word_of(&l)), 1);
    must(!ilb__load_recycle(&l));
    q = take(&l, 2000);
    must_eq(age(&l, 2005), 5);
    must(ilb__load_return(&l, 0, ILB_LOAD_IS_ANSWERED, 2006));
    must_eq(age(&l, 2010), 10);
    must(ilb__load_return(&l, 0, q, 2011));
    must(ilb__load_recycle(&l));
}
END_TEST

/* ---- Generations ------------------------------------------------------- */

START_TEST(only_an_idle_slot_is_recycled)
{
    ilb__load l = {0, 0, 0};
    uint32_t parity = take(&l, 1), other;

    must(!ilb__load_recycle(&l));
    (void)take(&l, 1);
    must(ilb__load_return(&l, 0, parity, 2));
    must(!ilb__load_recycle(&l)); /* one is old */
    must(ilb__load_return(&l, 0, parity, 2));
    must(ilb__load_recycle(&l));
    must_eq(ilb__load_generation(word_of(&l)), 1);
    must(!ilb__load_return(&l, 0, parity, 3));
    must(!ilb__load_take(&l, word_of(&l), 0, 3, &other));
    must_eq(ilb__load_in_flight(word_of(&l)), 0);
}
END_TEST

/* Recycled between the look and the take: undone, nothing is left. */
START_TEST(a_take_of_the_generation_before_is_undone)
{
    ilb__load l = {0, 0, 0};
    uint64_t seen, word;
    uint32_t parity;

    for (int busy = 0; busy < 2; busy++) {
        seen = word_of(&l);
        must(ilb__load_recycle(&l));
        if (busy)
            (void)take(&l, 1);
        word = word_of(&l);
        must(!ilb__load_take(&l, seen, ilb__load_generation(seen), 5, &parity));
        must_eq(ilb__load_in_flight(word_of(&l)), ilb__load_in_flight(word));
        must_eq(ilb__load_generation(word_of(&l)), ilb__load_generation(word));
    }
}
END_TEST

START_TEST(generations_wrap_without_a_trace)
{
    ilb__load l = {(uint64_t)ILB_GENERATION_MASK << ILB_LOAD_GENERATION_SHIFT,
                   0, 0};

    must_eq(ilb__load_generation(word_of(&l)), ILB_GENERATION_MASK);
    must(ilb__load_recycle(&l));
    must(word_of(&l) == 0);
}
END_TEST

Suite *suite_load(void)
{
    Suite *s = suite_create("load");
    TCase *tc = test_case(s, "age");

    tcase_add_test(tc,
                   the_age_is_a_lower_bound_and_late_by_one_latency_at_most);
    tcase_add_test(tc, from_idle_the_age_is_exact);
    tcase_add_test(tc, a_take_after_the_last_return_starts_a_new_age);
    tc = test_case(s, "counts");
    tcase_add_test(
        tc, a_return_wants_the_same_generation_and_a_class_that_is_there);
    tcase_add_test(tc, the_young_become_the_old);
    tcase_add_test(tc, full_is_full);
    tcase_add_test(tc, answered_is_in_flight_without_age);
    tc = test_case(s, "generations");
    tcase_add_test(tc, only_an_idle_slot_is_recycled);
    tcase_add_test(tc, a_take_of_the_generation_before_is_undone);
    tcase_add_test(tc, generations_wrap_without_a_trace);
    return s;
}
