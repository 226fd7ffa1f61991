/* SPDX-License-Identifier: MIT */
/* See slots.h. */
#include "slots.h"

static _Alignas(64) unsigned char slots_block[1 << 15];

ilb__figures test_figures(double median_ns, double p99_ns)
{
    ilb__figures f;

    memset(&f, 0, sizeof f);
    f.median_ns = (float)median_ns;
    f.p99_ns = (float)p99_ns;
    f.rate_per_s = 1e6f;
    f.patience_ns = 1e9f;
    f.aperture = UINT32_MAX;
    return f;
}

void test_slots_publish(test_slots *f, uint32_t first, uint32_t n)
{
    ilb__endpoint_id ids[SLOTS];

    must(first + n <= SLOTS);
    for (uint32_t i = 0; i < n; i++) {
        ilb__slot *slot = &f->slots[first + i];

        ids[i] = ilb__endpoint_id_of(
            first + i,
            ilb__load_generation(ilb__load_relaxed(&slot->load.word)));
        ilb__store32_relaxed(&slot->weight, f->weights[first + i]);
    }
    ilb__table_publish(&f->table, ids, f->weights + first, n, n);
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
    o.consecutive_failures = SLOTS_CONSECUTIVE;
    o.max_ejection_percent = 100;
    o.min_endpoints = 1;
    o.base_ejection_time_ns = SLOTS_EJECTION_NS;
    o.max_ejection_time_ns = SLOTS_EJECTION_MAX_NS;
    ilb__judge_init(&f.judge, &o);
    f.selector.policy = policy;
    ilb__random_init(&f.selector.random, 1);
    ilb__pool_init(&f.selector.pool);
    for (uint32_t i = 0; i < SLOTS; i++) {
        f.weights[i] = 1;
        ilb__health_enter(&f.judge, &f.slots[i], 0, 1);
        for (int k = 0; test_slots_state(&f, i) != ILB__HEALTHY; k++) {
            must(k < 100);
            test_slots_good(&f, i, 1, 1);
        }
    }
    test_slots_publish(&f, 0, n);
    return &f;
}

void test_slots_learn(test_slots *f, uint32_t i, uint64_t ns, uint64_t now_ns)
{
    ilb__figures nothing = test_figures(0, 0);

    ilb__latency_forget(&f->slots[i].latency);
    ilb__latency_learn(&f->slots[i].latency, ns, 1, &nothing, now_ns);
}

enum ilb__health_state test_slots_state(const test_slots *f, uint32_t i)
{
    return ilb__health_state_of(ilb__load_relaxed(&f->slots[i].health));
}

uint64_t test_slots_until(const test_slots *f, uint32_t i)
{
    return ilb__health_until_ns(ilb__load_relaxed(&f->slots[i].health));
}

ilb__failing test_failing(uint32_t row, double broken, double faulty,
                          uint32_t n_ready)
{
    ilb__failing x;

    memset(&x, 0, sizeof x);
    x.row = row;
    x.sums.broken = (uint32_t)(broken * ILB_EVIDENCE_ONE);
    x.sums.faulty = (uint32_t)(faulty * ILB_EVIDENCE_ONE);
    x.n_ready = n_ready;
    x.bits = SLOTS_NO_JITTER;
    return x;
}

bool test_slots_bad(test_slots *f, uint32_t i, bool probe, ilb__failing x,
                    uint64_t now_ns)
{
    ilb__figures plenty = test_figures(0, 0);

    return ilb__health_bad(&f->judge, &f->slots[i], probe, &x, &plenty, now_ns);
}

void test_slots_good(test_slots *f, uint32_t i, uint32_t times, uint64_t now_ns)
{
    while (times-- > 0)
        ilb__health_good(&f->judge, &f->slots[i], false, now_ns);
}

void test_slots_eject(test_slots *f, uint32_t i, uint64_t now_ns)
{
    must(test_slots_bad(f, i, false,
                        test_failing(SLOTS_CONSECUTIVE, 0, 0, SLOTS), now_ns));
    must_eq(test_slots_state(f, i), ILB__EJECTED);
}

uint64_t test_slots_fail_probe(test_slots *f, uint32_t i, uint32_t bits)
{
    ilb__failing x = test_failing(1, 0, 0, SLOTS);
    uint64_t now_ns = test_slots_until(f, i);

    x.bits = bits;
    must(ilb__health_claim(&f->judge, &f->slots[i], true, now_ns, now_ns));
    must(test_slots_bad(f, i, true, x, now_ns));
    must_eq(test_slots_state(f, i), ILB__EJECTED);
    return now_ns;
}

uint64_t test_slots_return(test_slots *f, uint32_t i)
{
    uint64_t now_ns = test_slots_until(f, i);

    must(ilb__health_claim(&f->judge, &f->slots[i], true, now_ns, now_ns));
    ilb__health_good(&f->judge, &f->slots[i], true, now_ns);
    must_eq(test_slots_state(f, i), ILB__WARMING);
    return now_ns;
}

void test_slots_end(test_slots *f, uint32_t i, uint32_t ended, uint32_t failed)
{
    ilb__slot *slot = &f->slots[i];

    ilb__add_relaxed(&slot->done[ILB_SUCCESS], ended - failed);
    /* All three kinds count. */
    ilb__add_relaxed(&slot->done[ILB_FAILURE], failed - failed / 2);
    ilb__add_relaxed(&slot->done[ILB_TIMEOUT], failed / 2 - failed / 4);
    ilb__add_relaxed(&slot->done[ILB_CONNECT_ERROR], failed / 4);
}

ilb__figures test_slots_figures(test_slots *f, uint64_t now_ns)
{
    ilb__view v = ilb__table_view(&f->table);
    ilb__figures figures;

    if (ilb__pool_due(&f->selector.pool, ILB_POOL_PERIOD_NS, now_ns))
        ilb__pool_refresh(&f->selector.pool, &f->judge, f->slots, &v, false,
                          now_ns);
    ilb__pool_figures(&f->selector.pool, &figures);
    return figures;
}
