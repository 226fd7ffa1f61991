/* SPDX-License-Identifier: MIT */
/* See explore.h. */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPLORE_DEPTH 1000
#define EXPLORE_FIRST_CELLS (UINT64_C(1) << 16)

/* Low bit of `a`: the state is on the path that leads to where we are. */
typedef struct explore_cell {
    uint64_t a, b;
} explore_cell;

typedef struct explore_frame {
    memory_state state;
    explore_cell key;
    unsigned thread, choice; /* what is tried next */
    unsigned taken_by, died; /* how we came to the frame above */
} explore_frame;

typedef struct explore_run {
    const explore_program *program;
    explore_result result;
    explore_cell *cells;
    uint64_t n_cells;
    explore_frame *frames;
    unsigned n_frames;
} explore_run;

static void *explore_alloc(size_t n, size_t bytes)
{
    void *p = calloc(n, bytes);

    if (p == NULL) {
        fprintf(stderr, "model: out of memory\n");
        exit(2);
    }
    return p;
}

/* ---- States seen ------------------------------------------------------- */

static uint64_t explore_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

static explore_cell explore_key(const memory_state *s)
{
    size_t n = memory_bytes(s);
    const unsigned char *bytes = (const unsigned char *)s;
    uint64_t a = n, b = ~(uint64_t)n;
    explore_cell key;

    for (size_t i = 0; i < n; i += 8) {
        uint64_t x = 0;

        memcpy(&x, bytes + i, n - i < 8 ? n - i : 8);
        a = (a ^ x) * UINT64_C(0x9fb21c651e98df25);
        a ^= a >> 29;
        b = (b + x) * UINT64_C(0xc2b2ae3d27d4eb4f);
        b ^= b >> 31;
    }
    key.a = explore_mix(a) & ~UINT64_C(1);
    key.b = explore_mix(b) | 1; /* an empty cell is 0 */
    return key;
}

static explore_cell *explore_find(explore_run *r, explore_cell key)
{
    uint64_t at = key.b >> 8 & (r->n_cells - 1);

    while (r->cells[at].b != 0 &&
           (r->cells[at].b != key.b || (r->cells[at].a | 1) != (key.a | 1)))
        at = (at + 1) & (r->n_cells - 1);
    return &r->cells[at];
}

static void explore_grow(explore_run *r)
{
    explore_cell *old = r->cells;
    uint64_t n = r->n_cells;

    r->n_cells *= 2;
    r->cells = explore_alloc(r->n_cells, sizeof *r->cells);
    for (uint64_t i = 0; i < n; i++)
        if (old[i].b != 0)
            *explore_find(r, old[i]) = old[i];
    free(old);
}

/* ---- The path ---------------------------------------------------------- */

static void explore_tell(const explore_run *r)
{
    printf("    %s, after:\n", r->result.wrong);
    for (unsigned i = 0; i < r->n_frames; i++) {
        const explore_frame *f = &r->frames[i];

        printf("      %3u  thread %u  %s\n", i, f->taken_by,
               f->died ? "stops for ever"
                       : r->program->name(&f->state, f->taken_by));
    }
}

/* The state that the top frame's step has led to, unless it is known. */
static void explore_enter(explore_run *r, const memory_state *s)
{
    const explore_program *p = r->program;
    explore_cell key = explore_key(s), *cell = explore_find(r, key);
    bool ended = true;
    explore_frame *f;

    if (cell->b != 0) {
        if ((cell->a & 1) != 0)
            r->result.wrong = "a thread goes round in a circle";
        return;
    }
    key.a |= 1;
    *cell = key;
    if (++r->result.n_states * 2 > r->n_cells)
        explore_grow(r);
    for (unsigned t = 0; t < p->n_threads; t++)
        ended = ended && s->life[t] != MEMORY_RUNS;
    r->result.n_ends += ended;
    if (r->n_frames == EXPLORE_DEPTH) {
        fprintf(stderr, "model: EXPLORE_DEPTH is too small\n");
        exit(2);
    }
    f = &r->frames[r->n_frames++];
    memcpy(&f->state, s, memory_bytes(s));
    f->key = key;
    f->thread = f->choice = 0;
    if (r->n_frames > r->result.depth)
        r->result.depth = r->n_frames;
}

static void explore_judge(explore_run *r, memory *m)
{
    const explore_program *p = r->program;
    bool ended = true;

    for (unsigned t = 0; t < p->n_threads; t++)
        ended = ended && m->s->life[t] != MEMORY_RUNS;
    if (m->wrong == NULL)
        p->check(m, p->config);
    if (m->wrong == NULL && ended)
        p->check_end(m, p->config);
    r->result.wrong = m->wrong;
}

/* One step of thread f->thread, its f->choice. Sets what is next. */
static void explore_step(explore_run *r, explore_frame *f)
{
    const explore_program *p = r->program;
    memory_state next;
    memory m = {&next, p->n_threads, f->choice, 1, NULL};
    unsigned t = f->thread;

    memcpy(&next, &f->state, memory_bytes(&f->state));
    f->taken_by = t;
    f->died = 0;
    p->step(&m, t, p->config);
    r->result.n_steps++;
    if (++f->choice >= m.n_chosen) {
        f->choice = 0;
        f->thread++;
    }
    explore_judge(r, &m);
    if (r->result.wrong != NULL)
        return;
    memory_forget(&m);
    explore_enter(r, &next);
}

static void explore_death(explore_run *r, explore_frame *f, unsigned t)
{
    const explore_program *p = r->program;
    memory_state next;
    memory m = {&next, p->n_threads, 0, 1, NULL};

    memcpy(&next, &f->state, memory_bytes(&f->state));
    next.life[t] = MEMORY_DIED;
    f->taken_by = t;
    f->died = 1;
    f->thread++;
    explore_judge(r, &m);
    if (r->result.wrong != NULL)
        return;
    memory_forget(&m);
    explore_enter(r, &next);
}

static void explore_leave(explore_run *r)
{
    explore_frame *f = &r->frames[--r->n_frames];

    explore_find(r, f->key)->a &= ~UINT64_C(1);
}

/* Threads 0 .. n - 1 step; n .. 2 n - 1 are their deaths. */
static void explore_next(explore_run *r)
{
    const explore_program *p = r->program;
    explore_frame *f = &r->frames[r->n_frames - 1];
    unsigned n = p->n_threads, t = f->thread % n;

    if (f->thread == 2 * n)
        explore_leave(r);
    else if (f->state.life[t] != MEMORY_RUNS)
        f->thread++;
    else if (f->thread < n)
        explore_step(r, f);
    else if ((p->mortal >> t & 1) != 0)
        explore_death(r, f, t);
    else
        f->thread++;
}

explore_result explore(const explore_program *p, bool tell)
{
    memory_state first;
    memory m = {&first, p->n_threads, 0, 1, NULL};
    explore_run r;

    memset(&r, 0, sizeof r);
    r.program = p;
    r.n_cells = EXPLORE_FIRST_CELLS;
    r.cells = explore_alloc(r.n_cells, sizeof *r.cells);
    r.frames = explore_alloc(EXPLORE_DEPTH, sizeof *r.frames);
    memory_begin(&first);
    p->begin(&m, p->config);
    memory_forget(&m);
    explore_enter(&r, &first);
    while (r.n_frames > 0 && r.result.wrong == NULL)
        explore_next(&r);
    if (tell && r.result.wrong != NULL)
        explore_tell(&r);
    free(r.cells);
    free(r.frames);
    return r.result;
}
