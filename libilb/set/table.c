/* SPDX-License-Identifier: MIT */
/* See table.h. */
#include "set/table.h"

ILB_INTERNAL void ilb__table_init(ilb__table *t, ilb__arena *a,
                                  uint32_t capacity)
{
    t->has = ilb__arena_take(a, capacity, sizeof *t->has);
    t->order = ilb__arena_take(a, capacity, sizeof *t->order);
    for (int i = 0; i < 2; i++) {
        ilb__table_buffer *b = &t->buffers[i];

        b->ids = ilb__arena_take(a, capacity, sizeof *b->ids);
        b->aliases = ilb__arena_take(a, capacity, sizeof *b->aliases);
    }
}

static uint64_t table_weight_total(const uint32_t *weights, uint32_t n)
{
    uint64_t total = 0;
    bool equal = true;

    for (uint32_t i = 0; i < n; i++) {
        total += weights[i];
        equal = equal && weights[i] == weights[0];
    }
    return equal ? 0 : total;
}

/* Keep the column with probability left / total, else take its alias. */
static uint64_t table_alias(uint64_t left, uint64_t total, uint32_t alias)
{
    double share = (double)left / (double)total * 4294967296.0;
    uint64_t threshold = share >= 4294967295.0 ? UINT32_MAX : (uint64_t)share;

    return threshold << 32 | alias;
}

/*
 * Vose's construction. Each column holds `total`; endpoint i has weight * n to
 * put into columns. Columns short of `total` wait at the front of `order`, the
 * others at its back; each short one is filled up from a long one, which then
 * may be short itself. A reader may still look at the buffer through a view
 * that no longer holds: only finished words, whose alias is a column, may
 * ever stand in it.
 */
static void table_make_aliases(ilb__table *t, ilb__table_buffer *b,
                               const uint32_t *weights, uint32_t n,
                               uint64_t total)
{
    uint64_t *has = t->has;
    uint32_t *order = t->order;
    uint32_t n_short = 0, long_from = n;

    for (uint32_t i = 0; i < n; i++) {
        has[i] = (uint64_t)weights[i] * n;
        if (has[i] < total)
            order[n_short++] = i;
        else
            order[--long_from] = i;
    }
    while (n_short > 0 && long_from < n) {
        uint32_t s = order[--n_short], l = order[long_from];

        ilb__store_relaxed(&b->aliases[s], table_alias(has[s], total, l));
        has[l] -= total - has[s];
        if (has[l] < total) {
            long_from++;
            order[n_short++] = l;
        }
    }
    /* Integers leave no remainder: what is left is exactly full. */
    while (long_from < n) {
        uint32_t l = order[long_from++];

        ilb__store_relaxed(&b->aliases[l], table_alias(total, total, l));
    }
}

ILB_INTERNAL void ilb__table_publish(ilb__table *t, const ilb__endpoint_id *ids,
                                     const uint32_t *weights, uint32_t n,
                                     uint32_t n_listed)
{
    uint64_t version = ilb__load_relaxed(&t->version) + 1;
    ilb__table_buffer *b = &t->buffers[version & 1];
    uint64_t total = table_weight_total(weights, n);

    /* Pairs with the fence in ilb__table_holds: who reads an entry from here on
     * sees the version before this one, which the last call has published, and
     * not the one before that, whose buffer this was. And with the fence in
     * ilb__slot_address: he sees what the entry's slot has been given. */
    ilb__fence_release();
    for (uint32_t i = 0; i < n; i++)
        ilb__store_relaxed(&b->ids[i], ids[i]);
    if (total != 0)
        table_make_aliases(t, b, weights, n, total);
    ilb__store_relaxed(&b->n, n);
    ilb__store_relaxed(&b->n_listed, n_listed);
    ilb__store_relaxed(&b->weight_total, total);
    /* Pairs with the acquire in ilb__table_view: who sees the version sees the
     * entries. */
    ilb__store_release(&t->version, version);
}
