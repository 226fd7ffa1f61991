/* SPDX-License-Identifier: MIT */
/*
 * The published table: the endpoints that a pick may draw, ready ones only.
 *
 * Two buffers and a version; the buffer of version v is v & 1. A reader takes
 * a view (ilb__table_view), reads entries as it likes, and asks at the end
 * whether the view still held (ilb__table_holds): equal versions before and
 * after mean that all it read was of one table. If not, it starts again. The
 * writer, alone under the balancer's mutex, fills the other buffer and then
 * publishes the next version; nothing is ever freed.
 *
 * Why it is right (a sequence lock over two buffers):
 *   - the version is stored with release after the entries and loaded with
 *     acquire before them: a reader of version v sees all entries of v;
 *   - before the writer touches the buffer of v again, for v + 2, it has
 *     published v + 1 and fenced (release). A reader that sees any such later
 *     entry and then fences (acquire) must see version v + 1 or later, and
 *     starts again.
 * All words are atomics, and at any moment every id names a slot and every
 * alias a column: a view that does not hold gives a wrong endpoint, which is
 * then dropped, never an access out of bounds.
 *
 * Weighted draws take one draw in O(1) by the alias method: column i is drawn
 * uniformly, and is kept if 32 random bits are below its threshold, else its
 * alias is taken. (A. J. Walker 1977; the construction is M. D. Vose's, 1991,
 * in integers.)
 */
#ifndef ILB_SET_TABLE_H
#define ILB_SET_TABLE_H

#include "base/memory.h"
#include "set/slot.h"

typedef struct ilb__table_buffer {
    ilb__a64 n;
    ilb__a64 n_listed;     /* endpoints in the list, ready or not */
    ilb__a64 weight_total; /* 0: all weights are equal, no aliases */
    ilb__a64 *ids;         /* ilb__endpoint_id */
    ilb__a64 *aliases;     /* threshold << 32 | alias */
} ilb__table_buffer;

typedef struct ilb__table {
    _Alignas(ILB_CACHELINE_BYTES) ilb__a64 version;
    ilb__table_buffer buffers[2];
    uint64_t *has; /* the writer's, for making aliases */
    uint32_t *order;
} ilb__table;

typedef struct ilb__view {
    const ilb__table_buffer *buffer;
    uint64_t version;
    uint32_t n;
    uint64_t weight_total;
} ilb__view;

ILB_INTERNAL void ilb__table_init(ilb__table *t, ilb__arena *a,
                                  uint32_t capacity);

/* Writer: the endpoints to draw from now on. `weights` are of `ids`. */
ILB_INTERNAL void ilb__table_publish(ilb__table *t, const ilb__endpoint_id *ids,
                                     const uint32_t *weights, uint32_t n,
                                     uint32_t n_listed);

static inline ilb__view ilb__table_view(const ilb__table *t)
{
    ilb__view v;

    /* Pairs with the release in ilb__table_publish: the entries of this version
     * are there, and all that their slots were given before. */
    v.version = ilb__load_acquire(&t->version);
    v.buffer = &t->buffers[v.version & 1];
    v.n = (uint32_t)ilb__load_relaxed(&v.buffer->n);
    v.weight_total = ilb__load_relaxed(&v.buffer->weight_total);
    return v;
}

/* Was all that was read through the view of one table? */
static inline bool ilb__table_holds(const ilb__table *t, const ilb__view *v)
{
    /* Pairs with the fence in ilb__table_publish: whoever has read a later
     * entry sees that its version is over. And with the release in
     * ilb__load_recycle, in that who has seen a slot recycled sees it as well.
     */
    ilb__fence_acquire();
    return ilb__load_relaxed(&t->version) == v->version;
}

static inline ilb__endpoint_id ilb__view_id(const ilb__view *v, uint32_t i)
{
    return ilb__load_relaxed(&v->buffer->ids[i]);
}

/* The column to take where `column` was drawn, by weight. */
static inline uint32_t ilb__view_weighted(const ilb__view *v, uint32_t column,
                                          uint32_t bits)
{
    uint64_t alias;

    if (ILB_LIKELY(v->weight_total == 0))
        return column;
    alias = ilb__load_relaxed(&v->buffer->aliases[column]);
    return bits < alias >> 32 ? column : (uint32_t)alias;
}

#endif
