/* SPDX-License-Identifier: MIT */
/* health/survey.h, and what the overload of those that are left is seen by. */
#include "health/survey.h"

#include "health/pool.h"
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

Suite *suite_survey(void)
{
    Suite *s = suite_create("survey");
    TCase *tc = test_case(s, "survey");

    tcase_add_test(tc, all_of_many_are_heard);
    return s;
}
