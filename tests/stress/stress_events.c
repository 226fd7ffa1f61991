/* SPDX-License-Identifier: MIT */
/*
 * Many threads write events, many read them and one of them tells, all at the
 * same time, through a ring that is so small that they meet in its entries.
 *
 *   stress_events [--seconds N] [--writers N] [--readers N] [--capacity N]
 *
 * Checks, all the time:
 *   - an event that is read is whole: all its words belong to each other;
 *   - a reader's numbers only go up, and the teller's too;
 *   - one thread tells at a time, also when the callback writes and asks;
 * and at the end, and after each of many short rounds, in which every writer
 * writes one event and then waits for the others:
 *   - the ring holds the last events, and all was told up to the last.
 * Run it under ThreadSanitizer, too. Exits 1 at the first violation.
 * stress_events_yield is the same, whose threads are held up between the steps
 * (yield.h).
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "observe/events.h"
#include "yield.h"

#define RUSH_CAPACITY_MAX 256

static _Alignas(64) unsigned char rush_block[RUSH_CAPACITY_MAX * 384];
static ilb__events rush_ring;
static ilb__time rush_time;
static _Atomic bool rush_stopping;
static _Atomic uint64_t rush_n_read, rush_tellers;
static uint64_t rush_told, rush_n_told; /* the teller's alone */

static struct {
    double seconds;
    unsigned writers, readers, capacity;
} rush = {2, 3, 2, 4};

static void rush_fail(const char *what, uint64_t number)
{
    fprintf(stderr, "stress_events: FAILED: %s: %llu\n", what,
            (unsigned long long)number);
    exit(1);
}

static uint64_t rush_clock(void *user)
{
    (void)user;
    return 1;
}

/* Every word says `x` in its own way. */
static void rush_fill(ilb_event *e, uint64_t x)
{
    memset(e, 0, sizeof *e);
    e->type = ILB_EVENT_HEALTHY;
    e->requests = x;
    e->failures = ~x;
    e->until_ns = x * 3;
    e->ejections = x * 5;
    for (size_t i = 0; i < ILB_ADDRESS_MAX; i++)
        e->address[i] = (char)('a' + (x + i) % 26);
}

static void rush_check(const ilb_event *e)
{
    ilb_event whole;

    rush_fill(&whole, e->requests);
    whole.size = sizeof whole;
    whole.number = e->number;
    whole.time_ns = 1;
    if (memcmp(&whole, e, sizeof whole) != 0)
        rush_fail("an event is not whole", e->number);
}

static void rush_hear(const ilb_event *e, void *user)
{
    (void)user;
    if (atomic_fetch_add(&rush_tellers, 1) != 0)
        rush_fail("two tell at the same time", e->number);
    rush_check(e);
    if (e->number <= rush_told)
        rush_fail("told out of order", e->number);
    rush_told = e->number;
    if (rush_n_told++ % 64 == 0) {
        ilb_event mine;

        rush_fill(&mine, e->number);
        ilb__events_write(&rush_ring, &mine);
        ilb__events_tell(&rush_ring);
    }
    atomic_fetch_sub(&rush_tellers, 1);
}

static double rush_end_s;

static double rush_now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *rush_write(void *arg)
{
    uint64_t x = (uint64_t)(uintptr_t)arg << 40;
    ilb_event e;

    stress_yield_seed((uintptr_t)arg);
    while (!atomic_load(&rush_stopping)) {
        if (x % 256 == 0)
            atomic_store(&rush_stopping, rush_now_s() >= rush_end_s);
        rush_fill(&e, x++);
        ilb__events_write(&rush_ring, &e);
        if (ilb__events_pending(&rush_ring))
            ilb__events_tell(&rush_ring);
    }
    return NULL;
}

static pthread_barrier_t rush_barrier;

static void *rush_write_once_a_round(void *arg)
{
    bool looks = (uintptr_t)arg == 1;
    ilb_event e;

    stress_yield_seed((uintptr_t)arg + 100);
    /* It is decided between two barriers whether there is another round. */
    for (uint64_t x = 0; !atomic_load(&rush_stopping); x++) {
        pthread_barrier_wait(&rush_barrier);
        rush_fill(&e, x);
        ilb__events_write(&rush_ring, &e);
        if (ilb__events_pending(&rush_ring))
            ilb__events_tell(&rush_ring);
        pthread_barrier_wait(&rush_barrier);
        if (looks && rush_ring.told != ilb__load_relaxed(&rush_ring.n_numbered))
            rush_fail("left behind", rush_ring.told);
        if (looks)
            atomic_store(&rush_stopping, rush_now_s() >= rush_end_s);
        pthread_barrier_wait(&rush_barrier);
    }
    return NULL;
}

static void *rush_read(void *arg)
{
    ilb_event out[8];
    uint64_t last = 0, n_read = 0;

    stress_yield_seed((uintptr_t)arg);
    while (!atomic_load(&rush_stopping)) {
        size_t n = ilb__events_read(&rush_ring, last, out, 8);

        for (size_t i = 0; i < n; i++) {
            rush_check(&out[i]);
            if (out[i].number <= last)
                rush_fail("a number comes again", out[i].number);
            last = out[i].number;
        }
        n_read += n;
    }
    atomic_fetch_add(&rush_n_read, n_read);
    return NULL;
}

static void rush_check_end(void)
{
    static ilb_event out[RUSH_CAPACITY_MAX];
    uint64_t last = ilb__load_relaxed(&rush_ring.n_numbered);
    size_t n = ilb__events_read(&rush_ring, 0, out, rush.capacity);

    if (ilb__load_relaxed(&rush_ring.n_through) != last)
        rush_fail("writers are not through", last);
    if (ilb__load_relaxed(&rush_ring.asked) != 0)
        rush_fail("somebody still tells", last);
    if (rush_ring.told != last)
        rush_fail("not told up to the last", last);
    if (n == 0)
        rush_fail("the ring is empty", last);
    for (size_t i = 0; i < n; i++) {
        rush_check(&out[i]);
        if (out[i].number + rush.capacity <= last)
            rush_fail("the ring holds an old one", out[i].number);
    }
}

static void rush_parse(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        double v = atof(argv[i + 1]);

        if (strcmp(argv[i], "--seconds") == 0)
            rush.seconds = v;
        else if (strcmp(argv[i], "--writers") == 0)
            rush.writers = (unsigned)v;
        else if (strcmp(argv[i], "--readers") == 0)
            rush.readers = (unsigned)v;
        else if (strcmp(argv[i], "--capacity") == 0)
            rush.capacity = (unsigned)v;
        else
            rush_fail(argv[i], 0);
    }
    if (argc % 2 == 0 || rush.writers < 1 || rush.writers + rush.readers > 64 ||
        rush.capacity < 1 || rush.capacity > RUSH_CAPACITY_MAX)
        rush_fail("usage: see the head of the source", 0);
}

/* Half of the time. */
static void rush_phase(void *(*write)(void *), unsigned readers)
{
    unsigned n = rush.writers + readers;
    pthread_t threads[64];

    atomic_store(&rush_stopping, false);
    rush_end_s = rush_now_s() + rush.seconds / 2;
    for (unsigned i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL,
                           i < rush.writers ? write : rush_read,
                           (void *)(uintptr_t)(i + 1)) != 0)
            rush_fail("pthread_create", i);
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    rush_check_end();
}

int main(int argc, char **argv)
{
    ilb__arena arena = {rush_block, 0};

    rush_parse(argc, argv);
    ilb__events_init(&rush_ring, &arena, rush.capacity);
    rush_time.clock_ns = rush_clock;
    rush_ring.time = &rush_time;
    rush_ring.on_event = rush_hear;
    if (pthread_barrier_init(&rush_barrier, NULL, rush.writers) != 0)
        rush_fail("pthread_barrier_init", rush.writers);
    rush_phase(rush_write, rush.readers);
    rush_phase(rush_write_once_a_round, 0);
    pthread_barrier_destroy(&rush_barrier);
    printf("stress_events: ok: %llu events by %u threads through %u entries, "
           "%llu told, %llu read by %u; held up %llu times\n",
           (unsigned long long)ilb__load_relaxed(&rush_ring.n_numbered),
           rush.writers, rush.capacity, (unsigned long long)rush_n_told,
           (unsigned long long)atomic_load(&rush_n_read), rush.readers,
           (unsigned long long)stress_yield_count());
    return 0;
}
