/* SPDX-License-Identifier: MIT */
/* set/set.h: the bookkeeping beneath an update. */
#include "set/set.h"
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define CAPACITY 12
#define ADDRESSES 40

typedef struct fixture {
    ilb__set s;
    bool inside[3 * CAPACITY]; /* as the watch was told */
    uint32_t n_enters, n_leaves;
    bool drawable_at_enter, drawable_at_leave;
} fixture;

static _Alignas(64) unsigned char block[1 << 17];
static fixture f;

/* Is the slot in the table that picks see? */
static bool is_published(const ilb__slot *slot)
{
    ilb__view v = ilb__table_view(&f.s.table);

    for (uint32_t i = 0; i < v.n; i++)
        if (&f.s.slots[ilb__endpoint_id_index(ilb__view_id(&v, i))] == slot)
            return true;
    return false;
}

static void enters(ilb__slot *slot, void *user)
{
    must(user == &f);
    must(!f.inside[slot - f.s.slots]);
    f.inside[slot - f.s.slots] = true;
    f.n_enters++;
    f.drawable_at_enter = f.drawable_at_enter || is_published(slot);
}

static void leaves(ilb__slot *slot, void *user)
{
    must(user == &f);
    f.inside[slot - f.s.slots] = false;
    f.n_leaves++;
    f.drawable_at_leave = f.drawable_at_leave || is_published(slot);
}

static const ilb__set_watch watch = {enters, leaves, &f, NULL};

static void setup_with(uint64_t salt)
{
    ilb__arena a = {block, 0};

    memset(&f, 0, sizeof f);
    memset(block, 0, sizeof block);
    ilb__set_init(&f.s, &a, CAPACITY, salt);
    must(a.used_bytes <= sizeof block);
    must_eq(f.s.n_slots, 3 * CAPACITY);
}

static void setup(void)
{
    setup_with(99);
}

static int update(const ilb_endpoint *list, uint32_t n)
{
    int rc = ilb__set_plan(&f.s, list, n);

    if (rc == ILB_OK)
        ilb__set_apply(&f.s, list, n, &watch);
    return rc;
}

/* The table: each ready endpoint once, in the order of the salted hashes. */
static void check_table(void)
{
    ilb__view v = ilb__table_view(&f.s.table);
    uint32_t n_ready = 0, last = 0;

    must_eq(ilb__load_relaxed(&v.buffer->n_listed), f.s.n_listed);
    for (uint32_t k = 0; k < f.s.n_listed; k++) {
        const ilb__slot *slot = &f.s.slots[f.s.listed[k]];
        uint32_t times = 0;

        for (uint32_t i = 0; i < v.n; i++)
            times +=
                ilb__view_id(&v, i) ==
                ilb__endpoint_id_of(
                    f.s.listed[k],
                    ilb__load_generation(ilb__load_relaxed(&slot->load.word)));
        must_eq(times, slot->readiness == ILB_READY);
        n_ready += times;
    }
    must_eq(v.n, n_ready);
    for (uint32_t i = 0; i < v.n; i++) {
        uint64_t id = ilb__view_id(&v, i);
        uint32_t high = (uint32_t)(f.s.slots[(uint32_t)id].hash >> 32);

        must(high >= last);
        last = high;
    }
}

/* Everything that must hold between calls. */
static void check_invariants(void)
{
    uint32_t owned[3 * CAPACITY] = {0};
    uint32_t n = 0;

    check_table();

    for (uint32_t k = 0; k < f.s.n_listed; k++) {
        ilb__slot *slot = &f.s.slots[f.s.listed[k]];

        owned[f.s.listed[k]]++;
        must(slot->listed && slot->position == k);
        must(ilb__set_find(&f.s, slot->address) == slot);
        must(f.inside[f.s.listed[k]] == (slot->readiness == ILB_READY));
    }
    for (uint32_t k = 0; k < f.s.n_draining; k++) {
        ilb__slot *slot = &f.s.slots[f.s.draining[k]];

        owned[f.s.draining[k]]++;
        must(!slot->listed && slot->position == k);
        must(ilb__set_find(&f.s, slot->address) == NULL);
        must(!f.inside[f.s.draining[k]]);
    }
    for (uint32_t k = 0; k < f.s.n_free; k++)
        owned[f.s.free[k]]++;
    for (uint32_t i = 0; i < f.s.n_slots; i++)
        must_eq(owned[i], i < f.s.n_fresh);
    for (uint32_t at = 0; at <= f.s.index.mask; at++)
        n += f.s.index.cells[at] != 0;
    must_eq(n, f.s.n_listed + f.s.n_draining);
    for (uint32_t at = 0; at <= f.s.planned.mask; at++)
        must_eq(f.s.planned.cells[at], 0);
    must(!f.drawable_at_enter && !f.drawable_at_leave);
}

/* Takes or returns one request of a random slot that is in use. */
static void touch(uint64_t *random, uint32_t in_flight[][2])
{
    uint32_t i = test_below(random, f.s.n_slots);
    ilb__load *l = &f.s.slots[i].load;
    uint64_t word = ilb__load_relaxed(&l->word);
    uint32_t parity, generation = ilb__load_generation(word);

    if (f.s.slots[i].listed && test_below(random, 2)) {
        must(ilb__load_take(l, word, generation, 1, &parity));
        in_flight[i][parity]++;
        return;
    }
    for (parity = 0; parity < 2; parity++)
        if (in_flight[i][parity] > 0) {
            must(ilb__load_return(l, generation, parity, 1));
            in_flight[i][parity]--;
            return;
        }
}

static void random_list(uint64_t *random, ilb_endpoint *list)
{
    test_endpoints(list, 0, ADDRESSES);
    for (uint32_t i = ADDRESSES - 1; i > 0; i--) {
        uint32_t k = test_below(random, i + 1);
        ilb_endpoint e = list[i];

        list[i] = list[k];
        list[k] = e;
    }
    for (uint32_t i = 0; i < ADDRESSES; i++)
        list[i].readiness =
            (ilb_readiness)(test_below(random, 4) == 0 ? 1 + i % 2 : 0);
}

START_TEST(invariants_hold_through_random_updates)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint32_t in_flight[3 * CAPACITY][2] = {{0}};
        uint64_t random = seed;

        setup();
        for (int i = 0; i < 60; i++) {
            ilb_endpoint list[ADDRESSES];
            uint32_t n = test_below(&random, CAPACITY + 1);
            uint32_t draining = f.s.n_draining;

            random_list(&random, list);
            /* There is always room beside as many that have left. */
            if (update(list, n) != ILB_OK)
                must(draining > CAPACITY);
            check_invariants();
            for (int k = 0; k < 8; k++)
                touch(&random, in_flight);
            if (f.s.n_listed > 0) {
                uint32_t k = f.s.listed[test_below(&random, f.s.n_listed)];

                ilb__set_change_readiness(&f.s, &f.s.slots[k],
                                          (ilb_readiness)test_below(&random, 3),
                                          &watch);
            }
            ilb__set_reclaim(&f.s);
            check_invariants();
        }
    }
}
END_TEST

START_TEST(a_recycled_slot_has_another_generation)
{
    ilb_endpoint e[1];
    uint64_t seen[3 * CAPACITY] = {0};

    setup();
    for (uint32_t i = 0; i < 500; i++) {
        ilb__view v;
        uint64_t id;

        test_endpoints(e, i, 1);
        must_eq(update(e, 1), ILB_OK);
        v = ilb__table_view(&f.s.table);
        id = ilb__view_id(&v, 0);
        /* Never the same id twice. */
        must(i == 0 || id != seen[ilb__endpoint_id_index(id)] ||
             seen[ilb__endpoint_id_index(id)] == 0);
        seen[ilb__endpoint_id_index(id)] = id;
    }
    must_eq(f.s.n_fresh, 2);
}
END_TEST

START_TEST(nothing_learned_stays_in_a_recycled_slot)
{
    ilb__figures nothing = test_figures(0, 0);
    ilb_endpoint e[1];
    ilb__slot *slot;

    setup();
    test_endpoints(e, 0, 1);
    must_eq(update(e, 1), ILB_OK);
    slot = ilb__set_find(&f.s, test_address(0));
    ilb__latency_learn(&slot->latency, MS_NS, 1, &nothing, S_NS);
    (void)ilb__failures_bad(&slot->failures, true, S_NS);
    (void)ilb__evidence_bad(&slot->evidence, ilb__evidence_steps_for(0));
    for (uint32_t i = 0; i < 3; i++) {
        ilb__window_step step = {9 + i, 0, 1, 1};

        (void)ilb__window_bring(&slot->window, 100 * i, 10 * i, &step);
    }
    must(ilb__window_long(&slot->window).ended == 200);
    ilb__store_relaxed(&slot->extra_cost, 3);
    ilb__store_relaxed(&slot->ejections, 5);
    for (int k = 0; k < ILB_OUTCOME_COUNT; k++)
        ilb__store_relaxed(&slot->done[k], 7);
    must_eq(update(NULL, 0), ILB_OK);
    test_endpoints(e, 1, 1);
    must_eq(update(e, 1), ILB_OK);
    must(ilb__set_find(&f.s, test_address(1)) == slot);
    must(ilb__latency_estimate_ns(&slot->latency) == 0);
    must_eq(ilb__failures_in_a_row(&slot->failures), 0);
    must(ilb__failures_share(&slot->failures, S_NS) == 0);
    must_eq(ilb__load_relaxed(&slot->evidence), 0);
    must(ilb__window_long(&slot->window).ended == 0);
    must(ilb__window_short(&slot->window).failed == 0);
    must_eq(ilb__load_relaxed(&slot->extra_cost), 0);
    must_eq(ilb__load_relaxed(&slot->ejections), 0);
    for (int k = 0; k < ILB_OUTCOME_COUNT; k++)
        must_eq(ilb__load_relaxed(&slot->done[k]), 0);
}
END_TEST

/* The order of the table is the salt's: each caller has an aperture of its
 * own. The caller's order has no say in it. */
START_TEST(the_salt_makes_the_order)
{
    ilb__endpoint_id order[4][CAPACITY];
    ilb_endpoint list[CAPACITY];

    for (uint64_t k = 0; k < 4; k++) {
        ilb__view v;

        setup_with(k < 2 ? 99 : 99 + k);
        test_endpoints(list, 0, CAPACITY);
        if (k == 1) {
            ilb_endpoint e = list[0];

            list[0] = list[CAPACITY - 1];
            list[CAPACITY - 1] = e;
        }
        must_eq(update(list, CAPACITY), ILB_OK);
        v = ilb__table_view(&f.s.table);
        for (uint32_t i = 0; i < CAPACITY; i++) {
            uint32_t slot = ilb__endpoint_id_index(ilb__view_id(&v, i));

            order[k][i] = test_number_of(f.s.slots[slot].address);
        }
    }
    must(memcmp(order[0], order[1], sizeof order[0]) == 0);
    must(memcmp(order[0], order[2], sizeof order[0]) != 0);
    must(memcmp(order[0], order[3], sizeof order[0]) != 0);
    must(memcmp(order[2], order[3], sizeof order[0]) != 0);
}
END_TEST

START_TEST(a_refused_plan_changes_nothing)
{
    ilb_endpoint list[CAPACITY + 1];
    uint64_t version;

    setup();
    test_endpoints(list, 0, CAPACITY + 1);
    must_eq(update(list, 6), ILB_OK);
    version = ilb__load_relaxed(&f.s.table.version);
    must_eq(update(list, CAPACITY + 1), ILB_ECAPACITY);
    list[9].address = list[8].address;
    must_eq(update(&list[4], 8), ILB_EDUPLICATE);
    list[9].address = list[1].address;
    must_eq(update(list, 10), ILB_EDUPLICATE);
    check_invariants();
    must_eq(f.s.n_listed, 6);
    must(ilb__load_relaxed(&f.s.table.version) == version);
    must_eq(f.n_enters, 6);
    must_eq(f.n_leaves, 0);
}
END_TEST

START_TEST(changing_to_the_same_readiness_publishes_nothing)
{
    ilb_endpoint list[4];
    uint64_t version;
    ilb__slot *slot;

    setup();
    test_endpoints(list, 0, 4);
    must_eq(update(list, 4), ILB_OK);
    slot = ilb__set_find(&f.s, test_address(2));
    version = ilb__load_relaxed(&f.s.table.version);
    ilb__set_change_readiness(&f.s, slot, ILB_READY, &watch);
    must(ilb__load_relaxed(&f.s.table.version) == version);
    ilb__set_change_readiness(&f.s, slot, ILB_NOT_READY, &watch);
    must(ilb__load_relaxed(&f.s.table.version) == version + 1);
    ilb__set_change_readiness(&f.s, slot, ILB_DRAINING, &watch);
    must(ilb__load_relaxed(&f.s.table.version) == version + 1);
    must_eq(slot->readiness, ILB_DRAINING);
    must_eq(f.n_leaves, 1);
    check_invariants();
}
END_TEST

Suite *suite_set(void)
{
    Suite *s = suite_create("set");
    TCase *tc = test_case(s, "set");

    tcase_add_test(tc, invariants_hold_through_random_updates);
    tcase_add_test(tc, a_recycled_slot_has_another_generation);
    tcase_add_test(tc, nothing_learned_stays_in_a_recycled_slot);
    tcase_add_test(tc, the_salt_makes_the_order);
    tcase_add_test(tc, a_refused_plan_changes_nothing);
    tcase_add_test(tc, changing_to_the_same_readiness_publishes_nothing);
    return s;
}
