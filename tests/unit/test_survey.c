/* SPDX-License-Identifier: MIT */
/* health/survey.h, and what the overload of those that are left is seen by. */
#include "health/survey.h"

#include "health/eject.h"
#include "slots.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define MANY 2000

typedef struct fleet {
    ilb__slot slots[MANY];
    ilb__table table;
    ilb__judge judge;
    ilb__pool pool;
    uint64_t now_ns;
} fleet;

static _Alignas(64) unsigned char fleet_block[1 << 17];

static fleet *fleet_new(uint32_t n)
{
    static fleet f;
    static ilb__endpoint_id ids[MANY];
    static uint32_t weights[MANY];
    ilb__arena a = {fleet_block, 0};
    ilb_options o = ILB_OPTIONS_INIT;

    memset(&f, 0, sizeof f);
    memset(fleet_block, 0, sizeof fleet_block);
    ilb__table_init(&f.table, &a, MANY);
    must(a.used_bytes <= sizeof fleet_block);
    o.policy = ILB_POLICY_PEAK_EWMA;
    o.max_ejection_percent = 100;
    o.min_endpoints = 1;
    o.base_ejection_time_ns = o.max_ejection_time_ns = 10 * S_NS;
    ilb__judge_init(&f.judge, &o);
    ilb__pool_init(&f.pool);
    f.now_ns = T0;
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = ilb__endpoint_id_of(i, 0);
        weights[i] = 1;
        ilb__store32_relaxed(&f.slots[i].weight, 1);
        ilb__health_enter(&f.judge, &f.slots[i], 0, T0);
    }
    ilb__table_publish(&f.table, ids, weights, n, n);
    return &f;
}

/* All answer ten times a second. Returns the least share, in percent, that is
 * known to be alive at any time. */
static uint32_t fleet_heard(fleet *f, uint32_t n)
{
    ilb__view v = ilb__table_view(&f->table);
    uint32_t least = 100;

    for (uint64_t round = 0; round < 300; round++) {
        const ilb__window_step step = {round + 2, f->now_ns, 1, 1};
        ilb__survey k;

        for (uint32_t i = 0; i < n; i++)
            ilb__add_relaxed(&f->slots[i].done[ILB_SUCCESS], 1);
        ilb__pool_refresh(&f->pool, &f->judge, f->slots, &v, false, f->now_ns);
        ilb__survey_take(&k, f->slots, &v, &step);
        if (round >= 100 && k.n_heard * 100 / k.n_eligible < least)
            least = k.n_heard * 100 / k.n_eligible;
        f->now_ns += ILB_POOL_PERIOD_NS;
    }
    return least;
}

/* However seldom the sweep comes by. */
START_TEST(all_of_many_are_heard)
{
    const uint32_t sizes[] = {1, 64, 65, 300, 700, 1000, MANY};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        must_eq(fleet_heard(fleet_new(sizes[i]), sizes[i]), 100);
}
END_TEST

/* So many in flight to each, of which the first have lasted for long and been
 * overtaken, as long polls are. */
static void fleet_load(fleet *f, uint32_t n, uint32_t in_flight, uint32_t polls)
{
    for (uint32_t i = 0; i < n; i++) {
        ilb__slot *slot = &f->slots[i];
        uint32_t parity;

        ilb__epochs_turn(&slot->overtaken, f->now_ns, polls, polls, f->now_ns);
        ilb__epochs_turn(&slot->longlived, f->now_ns, polls, polls, f->now_ns);
        while (ilb__load_in_flight(ilb__load_relaxed(&slot->load.word)) <
               in_flight)
            must(ilb__load_take(&slot->load,
                                ilb__load_relaxed(&slot->load.word), 0,
                                f->now_ns, &parity));
    }
}

/* Ten, two in flight to each and `polls` more; then the first three are ejected
 * and the others have 20, and a tenth of their requests fail. Who of these is
 * full? */
static uint32_t fleet_full(uint32_t polls)
{
    fleet *f = fleet_new(10);
    ilb__view v = ilb__table_view(&f->table);
    ilb__score_context c;
    uint32_t full = 0;

    fleet_load(f, 10, polls + 2, polls);
    (void)fleet_heard(f, 10);
    for (uint32_t i = 0; i < 3; i++) {
        ilb__figures plenty = test_figures(1e6, 1e6);
        ilb__verdict verdict = {ILB_DETECTOR_CONSECUTIVE_FAILURES, 5, 5};
        ilb__failing x = test_failing(5, 0, 0, 10);

        must(ilb__eject(&f->judge, &f->slots[i], &verdict, &x, &plenty,
                        f->now_ns));
    }
    fleet_load(f, 10, polls + 20, polls);
    for (uint32_t i = 3; i < 10; i++)
        ilb__add_relaxed(&f->slots[i].done[ILB_FAILURE], 100);
    ilb__pool_refresh(&f->pool, &f->judge, f->slots, &v, false, f->now_ns);
    memset(&c, 0, sizeof c);
    c.now_ns = f->now_ns;
    c.latency = true;
    ilb__pool_figures(&f->pool, &c.figures);
    ilb__score_prepare(&c);
    for (uint32_t i = 0; i < 10; i++)
        full += ilb__score_of(&f->slots[i],
                              ilb__load_relaxed(&f->slots[i].load.word),
                              ilb__load_relaxed(&f->slots[i].health), &c)
                    .held == ILB_HELD_FULL;
    return full;
}

/* Long polls are next to no load, but not less than none. */
START_TEST(who_is_full_is_so_with_long_polls_as_well)
{
    must_eq(fleet_full(0), 7);
    must_eq(fleet_full(5), 7);
    must_eq(fleet_full(100), 7);
}
END_TEST

Suite *suite_survey(void)
{
    Suite *s = suite_create("survey");
    TCase *tc = test_case(s, "survey");

    tcase_add_test(tc, all_of_many_are_heard);
    tcase_add_test(tc, who_is_full_is_so_with_long_polls_as_well);
    return s;
}
