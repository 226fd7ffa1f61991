/* SPDX-License-Identifier: MIT */
/* See memory.h. */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void memory_join(memory_view *to, const memory_view *from)
{
    for (unsigned i = 0; i < MEMORY_WORDS; i++)
        if (from->at[i] > to->at[i])
            to->at[i] = from->at[i];
}

static unsigned memory_base(const memory_state *s, unsigned word)
{
    unsigned base = 0;

    for (unsigned i = 0; i < word; i++)
        base += s->count[i];
    return base;
}

void memory_begin(memory_state *s)
{
    memset(s, 0, sizeof *s);
    for (unsigned i = 0; i < MEMORY_WORDS; i++)
        s->count[i] = 1;
    s->n_messages = MEMORY_WORDS;
}

void memory_share(memory *m, unsigned thread)
{
    for (unsigned t = 0; t < m->n_threads; t++) {
        memory_join(&m->s->now[t], &m->s->now[thread]);
        memory_join(&m->s->acquired[t], &m->s->now[thread]);
    }
}

unsigned memory_choose(memory *m, unsigned n)
{
    unsigned mine = m->choice % n;

    m->choice /= n;
    m->n_chosen *= n;
    return mine;
}

/* ---- Views ------------------------------------------------------------- */

static void memory_has_read(memory *m, unsigned thread, unsigned word,
                            unsigned at, memory_order_name order)
{
    memory_state *s = m->s;
    const memory_view *carried = &s->messages[memory_base(s, word) + at].view;

    if (at > s->now[thread].at[word])
        s->now[thread].at[word] = (uint8_t)at;
    memory_join(&s->acquired[thread], &s->now[thread]);
    memory_join(&s->acquired[thread], carried);
    if ((order & MEMORY_ACQUIRE) != 0)
        memory_join(&s->now[thread], carried);
}

static void memory_raise(uint8_t *place, unsigned at)
{
    if (*place >= at)
        ++*place;
}

/* All that point to a place from `at` on point one further. */
static void memory_shift(memory_state *s, unsigned word, unsigned at)
{
    for (unsigned t = 0; t < MEMORY_THREADS; t++) {
        memory_raise(&s->now[t].at[word], at);
        memory_raise(&s->acquired[t].at[word], at);
        memory_raise(&s->released[t].at[word], at);
    }
    for (unsigned i = 0; i < s->n_messages; i++)
        memory_raise(&s->messages[i].view.at[word], at);
}

/* A message at place `at`; `read`: of an RMW, what it has read carries. */
static void memory_put(memory *m, unsigned thread, unsigned word, unsigned at,
                       uint16_t value, memory_order_name order,
                       const memory_view *read)
{
    memory_state *s = m->s;
    unsigned base = memory_base(s, word);
    memory_message *all = s->messages;
    memory_message new;

    if (s->n_messages == MEMORY_MESSAGES) {
        fprintf(stderr, "model: MEMORY_MESSAGES is too small\n");
        exit(2);
    }
    memset(&new, 0, sizeof new);
    if (read != NULL)
        new.view = *read;
    memory_shift(s, word, at);
    memmove(&all[base + at + 1], &all[base + at],
            (s->n_messages - base - at) * sizeof *all);
    s->n_messages++;
    s->count[word]++;
    s->now[thread].at[word] = (uint8_t)at;
    if (s->acquired[thread].at[word] < at)
        s->acquired[thread].at[word] = (uint8_t)at;
    memory_join(&new.view, (order & MEMORY_RELEASE) != 0
                               ? &s->now[thread]
                               : &s->released[thread]);
    if (new.view.at[word] < at)
        new.view.at[word] = (uint8_t)at;
    new.value = value;
    new.glued = read != NULL;
    all[base + at] = new;
}

/* ---- Steps ------------------------------------------------------------- */

uint16_t memory_load(memory *m, unsigned thread, unsigned word,
                     memory_order_name order)
{
    memory_state *s = m->s;
    unsigned from = s->now[thread].at[word];
    unsigned at = from + memory_choose(m, s->count[word] - from);

    memory_has_read(m, thread, word, at, order);
    return s->messages[memory_base(s, word) + at].value;
}

/* May a message be put there, or would it part an RMW from what it has read? */
static bool memory_may_put(const memory_state *s, unsigned word, unsigned at)
{
    return at == s->count[word] ||
           !s->messages[memory_base(s, word) + at].glued;
}

void memory_store(memory *m, unsigned thread, unsigned word, uint16_t value,
                  memory_order_name order)
{
    memory_state *s = m->s;
    unsigned places[MEMORY_MESSAGES], n = 0;

    for (unsigned at = s->now[thread].at[word] + 1u; at <= s->count[word]; at++)
        if (memory_may_put(s, word, at))
            places[n++] = at;
    memory_put(m, thread, word, places[memory_choose(m, n)], value, order,
               NULL);
}

static void memory_replace(memory *m, unsigned thread, unsigned word,
                           unsigned at, uint16_t value, memory_order_name order)
{
    memory_view read = m->s->messages[memory_base(m->s, word) + at].view;

    memory_has_read(m, thread, word, at, order);
    memory_put(m, thread, word, at + 1, value, order, &read);
}

uint16_t memory_add(memory *m, unsigned thread, unsigned word, uint16_t more,
                    memory_order_name order)
{
    memory_state *s = m->s;
    unsigned places[MEMORY_MESSAGES], n = 0, at;
    uint16_t before;

    for (at = s->now[thread].at[word]; at < s->count[word]; at++)
        if (memory_may_put(s, word, at + 1))
            places[n++] = at;
    at = places[memory_choose(m, n)];
    before = s->messages[memory_base(s, word) + at].value;
    memory_replace(m, thread, word, at, (uint16_t)(before + more), order);
    return before;
}

bool memory_cas(memory *m, unsigned thread, unsigned word, uint16_t *expected,
                uint16_t value, memory_order_name order, bool acquires)
{
    memory_state *s = m->s;
    const memory_message *all = &s->messages[memory_base(s, word)];
    unsigned places[MEMORY_MESSAGES], n = 0, at;

    for (at = s->now[thread].at[word]; at < s->count[word]; at++)
        if (all[at].value != *expected || memory_may_put(s, word, at + 1))
            places[n++] = at;
    at = places[memory_choose(m, n)];
    if (all[at].value == *expected) {
        memory_replace(m, thread, word, at, value, order);
        return true;
    }
    *expected = all[at].value;
    memory_has_read(m, thread, word, at,
                    acquires ? MEMORY_ACQUIRE : MEMORY_RELAXED);
    return false;
}

void memory_fence(memory *m, unsigned thread, memory_order_name order)
{
    if ((order & MEMORY_ACQUIRE) != 0)
        m->s->now[thread] = m->s->acquired[thread];
    if ((order & MEMORY_RELEASE) != 0)
        m->s->released[thread] = m->s->now[thread];
}

/* ---- Checks ------------------------------------------------------------ */

uint16_t memory_newest(const memory *m, unsigned word)
{
    const memory_state *s = m->s;

    return s->messages[memory_base(s, word) + s->count[word] - 1].value;
}

bool memory_could_differ(const memory *m, unsigned thread, unsigned word,
                         uint16_t value)
{
    const memory_state *s = m->s;
    unsigned base = memory_base(s, word);

    for (unsigned at = s->now[thread].at[word]; at < s->count[word]; at++)
        if (s->messages[base + at].value != value)
            return true;
    return false;
}

bool memory_could_be_below(const memory *m, unsigned thread, unsigned word,
                           uint16_t value)
{
    const memory_state *s = m->s;
    unsigned base = memory_base(s, word);

    for (unsigned at = s->now[thread].at[word]; at < s->count[word]; at++)
        if (s->messages[base + at].value < value)
            return true;
    return false;
}

bool memory_rises(const memory *m, unsigned word, unsigned unit)
{
    const memory_state *s = m->s;
    const memory_message *all = &s->messages[memory_base(s, word)];

    for (unsigned at = 1; at < s->count[word]; at++)
        if (all[at].value / unit < all[at - 1].value / unit)
            return false;
    return true;
}

static void memory_lower(uint8_t *at, unsigned by)
{
    *at = (uint8_t)(*at > by ? *at - by : 0);
}

static void memory_drop(memory *m, unsigned word, unsigned n)
{
    memory_state *s = m->s;
    unsigned base = memory_base(s, word);

    memmove(&s->messages[base], &s->messages[base + n],
            (s->n_messages - base - n) * sizeof s->messages[0]);
    s->n_messages = (uint8_t)(s->n_messages - n);
    s->count[word] = (uint8_t)(s->count[word] - n);
    for (unsigned t = 0; t < MEMORY_THREADS; t++) {
        memory_lower(&s->now[t].at[word], n);
        memory_lower(&s->acquired[t].at[word], n);
        memory_lower(&s->released[t].at[word], n);
    }
    for (unsigned i = 0; i < s->n_messages; i++)
        memory_lower(&s->messages[i].view.at[word], n);
}

void memory_forget(memory *m)
{
    memory_state *s = m->s;

    for (unsigned t = 0; t < MEMORY_THREADS; t++)
        if (t >= m->n_threads || s->life[t] != MEMORY_RUNS) {
            memset(&s->now[t], 0, sizeof s->now[t]);
            memset(&s->acquired[t], 0, sizeof s->acquired[t]);
            memset(&s->released[t], 0, sizeof s->released[t]);
        }
    for (unsigned word = 0, base = 0; word < MEMORY_WORDS; word++) {
        unsigned n = s->count[word] - 1u;

        for (unsigned t = 0; t < m->n_threads; t++)
            if (s->life[t] == MEMORY_RUNS && s->now[t].at[word] < n)
                n = s->now[t].at[word];
        if (n > 0)
            memory_drop(m, word, n);
        s->messages[base].glued = 0;
        base += s->count[word];
    }
}
