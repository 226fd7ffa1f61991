/* SPDX-License-Identifier: MIT */
/* See slots.h. */
#include "slots.h"

static _Alignas(64) unsigned char slots_block[1 << 15];

void test_slots_publish(test_slots *f, uint32_t n)
{
    ilb__endpoint_id ids[SLOTS];

    for (uint32_t i = 0; i < n; i++) {
        ids[i] = ilb__endpoint_id_of(
            i, ilb__load_generation(ilb__load_relaxed(&f->slots[i].load.word)));
        ilb__store32_relaxed(&f->slots[i].weight, f->weights[i]);
    }
    ilb__table_publish(&f->table, ids, f->weights, n, n);
}

test_slots *test_slots_new(uint32_t n, ilb_policy policy)
{
    static test_slots f;
    ilb__arena a = {slots_block, 0};
    ilb_options o;

    memset(&f, 0, sizeof f);
    memset(slots_block, 0, sizeof slots_block);
    ilb__table_init(&f.table, &a, SLOTS);
    must(a.used_bytes <= sizeof slots_block);
    memset(&o, 0, sizeof o);
    o.consecutive_failures = 3;
    o.max_ejection_percent = 100;
    o.base_ejection_time_ns = S_NS;
    o.max_ejection_time_ns = 10 * S_NS;
    ilb__judge_init(&f.judge, &o);
    f.selector.policy = policy;
    ilb__random_init(&f.selector.random, 1);
    for (uint32_t i = 0; i < n; i++) {
        f.weights[i] = 1;
        ilb__health_enter(&f.judge, &f.slots[i]);
        for (int k = 0; k < 12; k++)
            ilb__health_good(&f.judge, &f.slots[i], false, 1);
        must_eq(ilb__health_state_of(ilb__load_relaxed(&f.slots[i].health)),
                ILB__HEALTHY);
    }
    test_slots_publish(&f, n);
    return &f;
}

void test_slots_learn(test_slots *f, uint32_t i, uint64_t ns, uint64_t now_ns)
{
    ilb__store_relaxed(&f->slots[i].latency.word, 0);
    ilb__latency_learn(&f->slots[i].latency, ns, 0, now_ns);
}

void test_slots_eject(test_slots *f, uint32_t i, uint64_t now_ns)
{
    ilb__health_bad(&f->judge, &f->slots[i], false, 3, SLOTS,
                    UINT32_C(0x80000000), now_ns);
    must_eq(ilb__health_state_of(ilb__load_relaxed(&f->slots[i].health)),
            ILB__EJECTED);
}
