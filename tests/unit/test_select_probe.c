/* SPDX-License-Identifier: MIT */
/* select/select.h: the first request to come by takes a due probe. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* pthread_barrier_t */
#endif
#include <pthread.h>

#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define N 5

static const ilb__exclusion nobody = {{0}, 0};

static ilb__choice chosen(test_slots *f, const ilb__exclusion *e,
                          uint64_t now_ns)
{
    ilb__choice c;

    memset(&c, 0, sizeof c);
    c.cost = ILB_COST_ONE;
    must_eq(ilb__select(&f->selector, &f->judge, &f->table, f->slots, e, now_ns,
                        &c, NULL),
            ILB_OK);
    return c;
}

static void is_ordinary(test_slots *f, const ilb__exclusion *e, uint64_t now_ns,
                        uint32_t not_this)
{
    ilb__choice c = chosen(f, e, now_ns);

    must(!c.probe);
    must(ilb__endpoint_id_index(c.id) != not_this);
}

START_TEST(a_due_probe_comes_first)
{
    for (int policy = 1; policy <= 4; policy++) {
        test_slots *f = test_slots_new(N, (ilb_policy)policy);
        uint64_t due_ns;
        ilb__choice c;

        test_slots_eject(f, 3, T0);
        due_ns = test_slots_until(f, 3);
        for (int i = 0; i < 100; i++)
            is_ordinary(f, &nobody, due_ns - SLOTS_ROUNDING_NS - 1, 3);
        c = chosen(f, &nobody, due_ns);
        must(c.probe && ilb__endpoint_id_index(c.id) == 3);
        must_eq(test_slots_state(f, 3), ILB__PROBING);
        for (int i = 0; i < 100; i++)
            is_ordinary(f, &nobody, due_ns + SLOTS_EJECTION_NS / 2, 3);
    }
}
END_TEST

/* Excluded, it waits for the next request. */
START_TEST(a_probe_is_not_for_who_excludes_it)
{
    test_slots *f = test_slots_new(N, ILB_POLICY_PEAK_EWMA);
    ilb__view v = ilb__table_view(&f->table);
    ilb__exclusion e = {{ilb__view_id(&v, 3)}, 1};
    ilb__choice c;

    test_slots_eject(f, 3, T0);
    for (int i = 0; i < 10; i++)
        is_ordinary(f, &e, T0 + 2 * S_NS, 3);
    c = chosen(f, &nobody, T0 + 2 * S_NS);
    must(c.probe && ilb__endpoint_id_index(c.id) == 3);
}
END_TEST

/* Several are due: one request each, the next ones are ordinary again. */
START_TEST(one_probe_a_request)
{
    test_slots *f = test_slots_new(SLOTS, ILB_POLICY_PEAK_EWMA);
    bool seen[SLOTS] = {false};

    for (uint32_t i = 0; i < SLOTS; i += 2)
        test_slots_eject(f, i, T0);
    for (uint32_t i = 0; i < SLOTS / 2; i++) {
        ilb__choice c = chosen(f, &nobody, T0 + 2 * S_NS);
        uint32_t number = ilb__endpoint_id_index(c.id);

        must(c.probe && number % 2 == 0 && !seen[number]);
        seen[number] = true;
    }
    must(!chosen(f, &nobody, T0 + 2 * S_NS).probe);
}
END_TEST

/* Also beyond the aperture. */
START_TEST(the_last_entry_of_the_table_is_probed)
{
    test_slots *f = test_slots_new(SLOTS, ILB_POLICY_PEAK_EWMA);
    ilb__choice c;

    test_slots_eject(f, SLOTS - 1, T0);
    c = chosen(f, &nobody, T0 + 2 * S_NS);
    must(c.probe && ilb__endpoint_id_index(c.id) == SLOTS - 1);
}
END_TEST

/* Full of requests from before: it cannot take one more. */
START_TEST(a_probe_needs_room)
{
    test_slots *f = test_slots_new(N, ILB_POLICY_PEAK_EWMA);
    ilb__load *l = &f->slots[3].load;
    uint32_t parity;
    ilb__choice c;

    for (uint32_t i = 0; i < ILB_LOAD_MAX; i++)
        must(ilb__load_take(l, ilb__load_relaxed(&l->word), 0, T0, &parity));
    test_slots_eject(f, 3, T0);
    is_ordinary(f, &nobody, T0 + 2 * S_NS, 3);
    must_eq(test_slots_state(f, 3), ILB__EJECTED);
    must(ilb__load_return(l, 0, 0, T0));
    c = chosen(f, &nobody, T0 + 2 * S_NS);
    must(c.probe && ilb__endpoint_id_index(c.id) == 3);
}
END_TEST

/* ---- Races ------------------------------------------------------------- */

#define RACERS 3
#define RACE_ROUNDS 200

typedef struct probe_race {
    test_slots *f;
    pthread_barrier_t barrier;
    _Atomic uint32_t n_probes, n_odd;
} probe_race;

static void *race(void *arg)
{
    probe_race *r = arg;

    for (uint64_t round = 0; round < RACE_ROUNDS; round++) {
        (void)pthread_barrier_wait(&r->barrier);
        for (int i = 0; i < 20; i++) {
            test_slots *f = r->f;
            uint32_t number;
            ilb__choice c;

            memset(&c, 0, sizeof c);
            c.cost = ILB_COST_ONE;
            if (ilb__select(&f->selector, &f->judge, &f->table, f->slots,
                            &nobody, T0 + (9 * round + 5) * S_NS, &c,
                            NULL) != ILB_OK)
                r->n_odd++;
            number = ilb__endpoint_id_index(c.id);
            if (c.probe)
                r->n_probes++;
            if (c.probe != (number < 4))
                r->n_odd++;
            if (!ilb__load_return(&f->slots[number].load,
                                  ilb__endpoint_id_generation(c.id), c.parity,
                                  T0))
                r->n_odd++;
        }
        (void)pthread_barrier_wait(&r->barrier);
    }
    return NULL;
}

/* Four are due, many come by: four probes. */
START_TEST(each_probe_is_taken_by_one)
{
    static probe_race r;
    pthread_t threads[RACERS];

    r.f = test_slots_new(8, ILB_POLICY_PEAK_EWMA);
    must_eq(pthread_barrier_init(&r.barrier, NULL, RACERS + 1), 0);
    for (int i = 0; i < RACERS; i++)
        must_eq(pthread_create(&threads[i], NULL, race, &r), 0);
    for (uint32_t round = 0; round < RACE_ROUNDS; round++) {
        for (uint32_t i = 0; i < 4; i++) {
            ilb__health_leave(&r.f->judge, &r.f->slots[i]);
            ilb__health_enter(&r.f->judge, &r.f->slots[i], 0, 1);
            test_slots_eject(r.f, i, T0 + 9 * round * S_NS);
        }
        (void)pthread_barrier_wait(&r.barrier);
        (void)pthread_barrier_wait(&r.barrier);
        must_eq(r.n_probes, 4 * (round + 1));
    }
    for (int i = 0; i < RACERS; i++)
        must_eq(pthread_join(threads[i], NULL), 0);
    must_eq(r.n_odd, 0);
    must_eq(pthread_barrier_destroy(&r.barrier), 0);
}
END_TEST

/* All hang but one that is ejected, and not due. Who asks it before its time
 * looks at them all: with many that may be only so often. */
START_TEST(many_are_not_searched_by_each_request)
{
    test_slots *f = test_slots_new(SLOTS, ILB_POLICY_PEAK_EWMA);
    const uint64_t hanging_ns = T0 + 200 * MS_NS;
    uint32_t n = 0, parity;

    for (uint32_t i = 0; i < SLOTS; i++)
        test_slots_learn(f, i, 100 * US_NS, T0);
    for (int i = 0; i < 100; i++)
        ilb__pool_good(&f->selector.pool, 100 * US_NS, 0);
    (void)test_slots_figures(f, T0);
    for (uint32_t i = 1; i < SLOTS; i++)
        for (int k = 0; k < 2; k++)
            must(ilb__load_take(&f->slots[i].load,
                                ilb__load_relaxed(&f->slots[i].load.word), 0,
                                T0, &parity));
    ilb__store_relaxed(&f->selector.pool.refreshed_ns, hanging_ns);
    test_slots_eject(f, 0, hanging_ns);
    /* 2 ms is hanging; 300 take 3 ms. */
    for (uint64_t at_ns = 0; at_ns < 60 * MS_NS; at_ns += 100 * US_NS) {
        ilb__choice c = chosen(f, &nobody, hanging_ns + at_ns);

        if (!c.probe)
            continue;
        must_eq(ilb__endpoint_id_index(c.id), 0);
        n++;
        must(ilb__health_inconclusive(&f->judge, &f->slots[0], T0 + 9 * S_NS));
    }
    must_be_within(n, 10, 20);
}
END_TEST

Suite *suite_select_probe(void)
{
    Suite *s = suite_create("select probe");
    TCase *tc = test_case(s, "probe");

    tcase_add_test(tc, a_due_probe_comes_first);
    tcase_add_test(tc, a_probe_is_not_for_who_excludes_it);
    tcase_add_test(tc, one_probe_a_request);
    tcase_add_test(tc, the_last_entry_of_the_table_is_probed);
    tcase_add_test(tc, a_probe_needs_room);
    tcase_add_test(tc, each_probe_is_taken_by_one);
    tcase_add_test(tc, many_are_not_searched_by_each_request);
    return s;
}
