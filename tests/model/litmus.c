/* SPDX-License-Identifier: MIT */
/*
 * Is the memory (memory.h) as weak, and as strong, as C11 says? The usual small
 * programs, each with an outcome that is allowed or forbidden: a memory that is
 * too strong would prove nothing of what is built on it.
 */
#include "model.h"

#include <stdio.h>
#include <string.h>

enum {
    LITMUS_END,
    LITMUS_LOAD,
    LITMUS_STORE,
    LITMUS_ADD,
    LITMUS_FENCE
};

#define LITMUS_STEPS 5
#define LITMUS_RLX MEMORY_RELAXED
#define LITMUS_ACQ MEMORY_ACQUIRE
#define LITMUS_REL MEMORY_RELEASE

typedef struct litmus_op {
    uint8_t op, word, value; /* of a load or an add: the register */
    memory_order_name order;
} litmus_op;

typedef struct litmus_test {
    const char *name;
    bool allowed;
    litmus_op threads[MEMORY_THREADS][LITMUS_STEPS];
    int8_t registers[4]; /* the outcome; -1: any */
    int8_t words[2];     /* what is newest there at the end; -1: any */
} litmus_test;

#define LOAD(x, r, o)                                                          \
    {                                                                          \
        LITMUS_LOAD, x, r, LITMUS_##o                                          \
    }
#define STORE(x, v, o)                                                         \
    {                                                                          \
        LITMUS_STORE, x, v, LITMUS_##o                                         \
    }
#define ADD(x, r, o)                                                           \
    {                                                                          \
        LITMUS_ADD, x, r, LITMUS_##o                                           \
    }
#define FENCE(o)                                                               \
    {                                                                          \
        LITMUS_FENCE, 0, 0, LITMUS_##o                                         \
    }
#define ANY                                                                    \
    {                                                                          \
        -1, -1                                                                 \
    }

static const litmus_test litmus_tests[] = {
    {"message passing, relaxed",
     true,
     {{STORE(0, 1, RLX), STORE(1, 1, RLX)}, {LOAD(1, 0, RLX), LOAD(0, 1, RLX)}},
     {1, 0, -1, -1},
     ANY},
    {"message passing, release and acquire",
     false,
     {{STORE(0, 1, RLX), STORE(1, 1, REL)}, {LOAD(1, 0, ACQ), LOAD(0, 1, RLX)}},
     {1, 0, -1, -1},
     ANY},
    {"message passing, release and relaxed",
     true,
     {{STORE(0, 1, RLX), STORE(1, 1, REL)}, {LOAD(1, 0, RLX), LOAD(0, 1, RLX)}},
     {1, 0, -1, -1},
     ANY},
    {"message passing, relaxed and acquire",
     true,
     {{STORE(0, 1, RLX), STORE(1, 1, RLX)}, {LOAD(1, 0, ACQ), LOAD(0, 1, RLX)}},
     {1, 0, -1, -1},
     ANY},
    {"message passing, two fences",
     false,
     {{STORE(0, 1, RLX), FENCE(REL), STORE(1, 1, RLX)},
      {LOAD(1, 0, RLX), FENCE(ACQ), LOAD(0, 1, RLX)}},
     {1, 0, -1, -1},
     ANY},
    {"message passing, a release fence alone",
     true,
     {{STORE(0, 1, RLX), FENCE(REL), STORE(1, 1, RLX)},
      {LOAD(1, 0, RLX), LOAD(0, 1, RLX)}},
     {1, 0, -1, -1},
     ANY},
    {"message passing, a release fence too early",
     true,
     {{FENCE(REL), STORE(0, 1, RLX), STORE(1, 1, RLX)},
      {LOAD(1, 0, RLX), FENCE(ACQ), LOAD(0, 1, RLX)}},
     {1, 0, -1, -1},
     ANY},
    {"store buffering, release and acquire",
     true,
     {{STORE(0, 1, REL), LOAD(1, 0, ACQ)}, {STORE(1, 1, REL), LOAD(0, 1, ACQ)}},
     {0, 0, -1, -1},
     ANY},
    {"one word is coherent",
     false,
     {{STORE(0, 1, RLX), STORE(0, 2, RLX)}, {LOAD(0, 0, RLX), LOAD(0, 1, RLX)}},
     {2, 1, -1, -1},
     ANY},
    {"stores of two threads, crosswise",
     true,
     {{STORE(0, 1, RLX), STORE(1, 2, RLX)},
      {STORE(1, 1, RLX), STORE(0, 2, RLX)}},
     {-1, -1, -1, -1},
     {1, 1}},
    {"stores of two threads, crosswise, released",
     true,
     {{STORE(0, 1, REL), STORE(1, 2, REL)},
      {STORE(1, 1, REL), STORE(0, 2, REL)}},
     {-1, -1, -1, -1},
     {1, 1}},
    {"two readers see two writers the other way round",
     true,
     {{STORE(0, 1, REL)},
      {STORE(1, 1, REL)},
      {LOAD(0, 0, ACQ), LOAD(1, 1, ACQ)},
      {LOAD(1, 2, ACQ), LOAD(0, 3, ACQ)}},
     {1, 0, 1, 0},
     ANY},
    {"by way of a third, released",
     false,
     {{STORE(0, 1, REL)},
      {LOAD(0, 0, ACQ), STORE(1, 1, REL)},
      {LOAD(1, 1, ACQ), LOAD(0, 2, RLX)}},
     {1, 1, 0, -1},
     ANY},
    {"by way of a third, relaxed",
     true,
     {{STORE(0, 1, RLX)},
      {LOAD(0, 0, RLX), STORE(1, 1, RLX)},
      {LOAD(1, 1, RLX), LOAD(0, 2, RLX)}},
     {1, 1, 0, -1},
     ANY},
    {"a release sequence through a relaxed RMW",
     false,
     {{STORE(0, 1, RLX), STORE(1, 1, REL)},
      {ADD(1, 0, RLX)},
      {LOAD(1, 1, ACQ), LOAD(0, 2, RLX)}},
     {1, 2, 0, -1},
     ANY},
    {"none through a relaxed store",
     true,
     {{STORE(0, 1, RLX), STORE(1, 1, REL), STORE(1, 2, RLX)},
      {LOAD(1, 0, ACQ), LOAD(0, 1, RLX)}},
     {2, 0, -1, -1},
     ANY},
    {"two additions, none lost",
     false,
     {{ADD(0, 0, RLX)}, {ADD(0, 1, RLX)}},
     {0, 0, -1, -1},
     ANY},
    {"an addition to what is old",
     false,
     {{ADD(0, 0, RLX)}, {ADD(0, 1, RLX)}},
     {-1, -1, -1, -1},
     {1, -1}},
    {"a store between an addition and what it has read",
     false,
     {{ADD(0, 0, RLX)}, {STORE(0, 5, RLX)}},
     {0, -1, -1, -1},
     {6, -1}},
    /* C11 allows it; memory.h says that it is left out. */
    {"load buffering (beyond this memory)",
     false,
     {{LOAD(0, 0, RLX), STORE(1, 1, RLX)}, {LOAD(1, 1, RLX), STORE(0, 1, RLX)}},
     {1, 1, -1, -1},
     ANY},
};

static uint64_t litmus_n_seen;

static void litmus_begin(memory *m, const void *config)
{
    const litmus_test *test = config;

    for (unsigned t = 0; t < m->n_threads; t++)
        if (test->threads[t][0].op == LITMUS_END)
            m->s->life[t] = MEMORY_ENDED;
}

static void litmus_step(memory *m, unsigned t, const void *config)
{
    const litmus_test *test = config;
    uint8_t *at = &m->s->own[t][0];
    const litmus_op *op = &test->threads[t][*at];
    uint16_t got;

    switch (op->op) {
    case LITMUS_LOAD:
        got = memory_load(m, t, op->word, op->order);
        m->s->ghost[op->value] = (uint8_t)got;
        break;
    case LITMUS_STORE:
        memory_store(m, t, op->word, op->value, op->order);
        break;
    case LITMUS_ADD:
        got = memory_add(m, t, op->word, 1, op->order);
        m->s->ghost[op->value] = (uint8_t)got;
        break;
    default:
        memory_fence(m, t, op->order);
        break;
    }
    ++*at;
    if (*at == LITMUS_STEPS || test->threads[t][*at].op == LITMUS_END)
        m->s->life[t] = MEMORY_ENDED;
}

static void litmus_check(memory *m, const void *config)
{
    (void)m;
    (void)config;
}

static void litmus_check_end(memory *m, const void *config)
{
    const litmus_test *test = config;
    bool same = true;

    for (unsigned i = 0; i < 4; i++)
        same = same &&
               (test->registers[i] < 0 || m->s->ghost[i] == test->registers[i]);
    for (unsigned i = 0; i < 2; i++)
        same = same &&
               (test->words[i] < 0 || memory_newest(m, i) == test->words[i]);
    litmus_n_seen += same;
}

static const char *litmus_name(const memory_state *s, unsigned t)
{
    (void)s;
    (void)t;
    return "a step";
}

bool litmus_run(void)
{
    unsigned n = sizeof litmus_tests / sizeof litmus_tests[0], n_allowed = 0;
    bool ok = true;

    for (unsigned i = 0; i < n; i++) {
        const litmus_test *test = &litmus_tests[i];
        const explore_program p = {MEMORY_THREADS,   0,           test,
                                   litmus_begin,     litmus_step, litmus_check,
                                   litmus_check_end, litmus_name};
        explore_result r;

        litmus_n_seen = 0;
        r = explore(&p, true);
        if (r.wrong != NULL || (litmus_n_seen > 0) != test->allowed) {
            printf("litmus: FAILED: %s: %s\n", test->name,
                   test->allowed ? "never seen" : "seen");
            ok = false;
        }
        n_allowed += test->allowed;
    }
    if (ok)
        printf("litmus: %u programs: the %u weak outcomes that C11 allows were "
               "seen, the %u that it forbids were not\n",
               n, n_allowed, n - n_allowed);
    return ok;
}
