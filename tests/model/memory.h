/* SPDX-License-Identifier: MIT */
/*
 * A memory as weak as C11's, for a few threads and a few words.
 *
 * Each word is the list of all that was ever stored there, in modification
 * order: its messages. A thread's view says for each word which message it is
 * bound to at least. Of the choices that this leaves each is taken once
 * (explore.h):
 *
 *   load     reads any message that the view does not forbid, old or new, and
 *            from then on that one at least;
 *   store    puts a message anywhere behind the one that the view is bound to,
 *            also before others that are there already;
 *   RMW      reads a message and puts its own right behind, where nothing else
 *            can ever stand.
 *
 * Order goes from thread to thread with messages:
 *
 *   release  the message carries its thread's view, one of a relaxed store that
 *            of the thread's last release fence; one of an RMW also what the
 *            message that it has read carries (release sequences);
 *   acquire  the thread's view grows by what the message carries; after a
 *            relaxed load it does so at the next acquire fence.
 *
 * This is the operational form of the C11 model without sequentially consistent
 * accesses and without cycles of "happens because of itself" (J. Kang et al.
 * 2017, without their promises; O. Lahav et al. 2017, RC11). A plain store to
 * a word that others store to, too, is no head of a release sequence of its
 * thread's later relaxed stores, as since C++20: C11 orders a little more.
 * litmus.c shows what the memory does and does not.
 *
 * What it does not do is let a store go before an earlier load of its thread
 * (load buffering), which C11 allows to relaxed accesses, nor let a weak CAS
 * fail for nothing. docs/proof.md says why neither matters here.
 */
#ifndef ILB_MODEL_MEMORY_H
#define ILB_MODEL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_THREADS 4
#define MEMORY_WORDS 24
#define MEMORY_MESSAGES 96
#define MEMORY_OWN_BYTES 32
#define MEMORY_GHOST_BYTES 64

typedef struct memory_view {
    uint8_t at[MEMORY_WORDS];
} memory_view;

typedef struct memory_message {
    uint16_t value;
    uint8_t glued; /* stored by an RMW that has read the one before it */
    uint8_t unused;
    memory_view view;
} memory_message;

typedef enum memory_life {
    MEMORY_RUNS,
    MEMORY_ENDED,
    MEMORY_DIED
} memory_life;

/* All that there is at a moment. The messages of word 0, of word 1, ... */
typedef struct memory_state {
    uint8_t life[MEMORY_THREADS];
    uint8_t n_messages;
    uint8_t unused[3];
    uint8_t count[MEMORY_WORDS];
    memory_view now[MEMORY_THREADS];      /* what a thread is bound to */
    memory_view acquired[MEMORY_THREADS]; /* after an acquire fence */
    memory_view released[MEMORY_THREADS]; /* at its last release fence */
    uint8_t own[MEMORY_THREADS][MEMORY_OWN_BYTES]; /* the threads' locals */
    uint8_t ghost[MEMORY_GHOST_BYTES];             /* the checks' */
    memory_message messages[MEMORY_MESSAGES];
} memory_state;

/* A state on its way to the next. */
typedef struct memory {
    memory_state *s;
    unsigned n_threads;
    unsigned choice;   /* which of them to take */
    unsigned n_chosen; /* how many choices the step had */
    const char *wrong; /* what it has violated; NULL: nothing */
} memory;

typedef enum memory_order_name {
    MEMORY_RELAXED = 0,
    MEMORY_ACQUIRE = 1,
    MEMORY_RELEASE = 2,
    MEMORY_ACQ_REL = 3
} memory_order_name;

/* Bytes of a state that mean anything. */
static inline size_t memory_bytes(const memory_state *s)
{
    return offsetof(memory_state, messages) +
           s->n_messages * sizeof s->messages[0];
}

/* All words are 0, all threads run and see that. */
void memory_begin(memory_state *s);

/* All threads see what this one sees: they begin after what it has done. */
void memory_share(memory *m, unsigned thread);

/* One of n, each once. */
unsigned memory_choose(memory *m, unsigned n);

uint16_t memory_load(memory *m, unsigned thread, unsigned word,
                     memory_order_name order);
void memory_store(memory *m, unsigned thread, unsigned word, uint16_t value,
                  memory_order_name order);
/* Returns the value before. */
uint16_t memory_add(memory *m, unsigned thread, unsigned word, uint16_t more,
                    memory_order_name order);
/* False: *expected is what was read, with the order's acquire if `acquires`. */
bool memory_cas(memory *m, unsigned thread, unsigned word, uint16_t *expected,
                uint16_t value, memory_order_name order, bool acquires);
void memory_fence(memory *m, unsigned thread, memory_order_name order);

/* For checks: the newest message, and whether a load of the thread could give
 * any other value than this one. */
uint16_t memory_newest(const memory *m, unsigned word);
bool memory_could_differ(const memory *m, unsigned thread, unsigned word,
                         uint16_t value);
bool memory_could_be_below(const memory *m, unsigned thread, unsigned word,
                           uint16_t value);

/* Does the word's history, as far as anybody can still see it, never fall? By
 * value / unit. */
bool memory_rises(const memory *m, unsigned word, unsigned unit);

/* Drops what nobody can read any more, so that equal futures are equal. */
void memory_forget(memory *m);

#endif
