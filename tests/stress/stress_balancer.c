/* SPDX-License-Identifier: MIT */
/*
 * Many threads pick and report while one replaces the set as fast as asked.
 *
 *   stress_balancer [--seconds N] [--threads N] [--endpoints N] [--rate HZ]
 *                   [--seed N]
 *
 * Checks, all the time:
 *   - no pick returns an endpoint that an update had removed before the pick
 *     began;
 *   - a set with a healthy endpoint in it never yields "no endpoint";
 *   - an explanation is of the endpoint that was picked, and tells only of
 *     endpoints that there are;
 *   - events are told by one thread at a time, in order;
 * and at the end:
 *   - nothing is in flight, and as many requests were reported as picked.
 * The sanitizers see the rest: run it under ThreadSanitizer and
 * AddressSanitizer. Exits 1 at the first violation. --rate 0: without pause.
 *
 * How removal is checked: endpoint i's `user` pointer is &pods[i], and its
 * epoch is made odd after an update that leaves it out has returned, and even
 * before one that has it again begins. A pick that finds the same odd epoch
 * before and after must not have returned it.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ilb.h"

#define STRESS_PODS_MAX 10000
#define STRESS_HELD 8

/* Even: may be picked. Odd: an update without it has returned. */
typedef struct stress_pod {
    _Atomic uint64_t epoch;
    char address[24];
} stress_pod;

static stress_pod pods[STRESS_PODS_MAX];
static ilb_balancer *balancer;
static _Atomic bool stopping;
static _Atomic uint64_t n_picks, n_dones, n_told;

static struct {
    double seconds;
    unsigned threads;
    unsigned endpoints;
    unsigned rate_hz;
    uint64_t seed;
} args = {10, 2, 100, 1000, 1};

static void stress_fail(const char *what, const char *detail)
{
    fprintf(stderr, "stress: FAILED: %s: %s\n", what, detail);
    exit(1);
}

static uint64_t stress_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t stress_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* ---- Pickers ----------------------------------------------------------- */

static uint64_t epochs_before[64][STRESS_PODS_MAX];

static int stress_pick_explained(ilb_ticket *t)
{
    ilb_explanation why;
    int rc = ilb_pick_explained(balancer, t, NULL, &why, sizeof why);

    if (rc != ILB_OK)
        return rc;
    if (strcmp(why.candidates[why.chosen].address,
               ilb_ticket_address(balancer, t)) != 0)
        stress_fail("explains another", why.candidates[why.chosen].address);
    for (unsigned i = 0; i < why.n_candidates; i++)
        if (strncmp(why.candidates[i].address, "pod-", 4) != 0)
            stress_fail("tells of nobody", why.candidates[i].address);
    return rc;
}

static void stress_pick(unsigned me, bool explained, ilb_ticket *t)
{
    uint64_t *before = epochs_before[me];
    stress_pod *pod;
    size_t i;
    int rc;

    for (i = 0; i < args.endpoints; i++)
        before[i] = atomic_load(&pods[i].epoch);
    rc = explained ? stress_pick_explained(t) : ilb_pick(balancer, t, NULL);
    if (rc != ILB_OK)
        stress_fail("a set with a healthy endpoint", ilb_strerror(rc));
    pod = ilb_ticket_user(balancer, t);
    i = (size_t)(pod - pods);
    if (strcmp(ilb_ticket_address(balancer, t), pod->address) != 0)
        stress_fail("address and user differ", pod->address);
    if (before[i] % 2 == 1 && atomic_load(&pod->epoch) == before[i])
        stress_fail("picked after its removal", pod->address);
}

static void stress_done(ilb_ticket *t, uint64_t *random)
{
    /* Endpoint 0 never fails: one is always healthy. */
    bool good = ilb_ticket_user(balancer, t) == &pods[0] ||
                stress_random(random) % 4 != 0;
    ilb_outcome bad = (ilb_outcome)(1 + stress_random(random) % 5);

    if (stress_random(random) % 2 == 0)
        (void)ilb_first_byte(balancer, t, 0);
    if (ilb_done(balancer, t, good ? ILB_SUCCESS : bad) != ILB_OK)
        stress_fail("a ticket in flight", "refused by ilb_done");
    if (ilb_done(balancer, t, ILB_SUCCESS) != ILB_ETICKET)
        stress_fail("a ticket that is done", "done twice");
}

static void *stress_picker(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    uint64_t random = args.seed * 1000 + me;
    uint64_t picks = 0, dones = 0;
    ilb_ticket held[STRESS_HELD];
    unsigned n = 0;

    while (!atomic_load(&stopping)) {
        if (n < STRESS_HELD && (n == 0 || stress_random(&random) % 2 == 0)) {
            stress_pick(me, stress_random(&random) % 8 == 0, &held[n++]);
            picks++;
        } else {
            unsigned k = stress_random(&random) % n;

            stress_done(&held[k], &random);
            held[k] = held[--n];
            dones++;
        }
    }
    for (; n > 0; dones++)
        stress_done(&held[--n], &random);
    atomic_fetch_add(&n_picks, picks);
    atomic_fetch_add(&n_dones, dones);
    return NULL;
}

/* ---- Events ------------------------------------------------------------ */

static void stress_hear(const ilb_event *event, void *user)
{
    static _Atomic unsigned n_tellers;
    static uint64_t last;

    (void)user;
    if (atomic_fetch_add(&n_tellers, 1) != 0)
        stress_fail("events", "two tell at the same time");
    if (event->number <= last)
        stress_fail("events", "told out of order");
    if (event->type != ILB_EVENT_UPDATED &&
        strncmp(event->address, "pod-", 4) != 0)
        stress_fail("an event of nobody", event->address);
    last = event->number;
    atomic_fetch_add(&n_told, 1);
    atomic_fetch_sub(&n_tellers, 1);
}

/* ---- The writer -------------------------------------------------------- */

/* A new list: endpoint 0 always, the others each with 3 chances of 4. */
static void stress_update(uint64_t *random)
{
    static ilb_endpoint list[STRESS_PODS_MAX];
    static bool in[STRESS_PODS_MAX];
    size_t n = 0;
    int rc;

    for (size_t i = 0; i < args.endpoints; i++) {
        ilb_endpoint e = ILB_ENDPOINT(pods[i].address);

        in[i] = i == 0 || stress_random(random) % 4 != 0;
        if (!in[i])
            continue;
        if (atomic_load(&pods[i].epoch) % 2 == 1)
            atomic_fetch_add(&pods[i].epoch, 1);
        e.user = &pods[i];
        e.weight = 1 + stress_random(random) % 3;
        list[n++] = e;
    }
    rc = ilb_balancer_update(balancer, list, n);
    if (rc != ILB_OK)
        stress_fail("update", ilb_strerror(rc));
    for (size_t i = 0; i < args.endpoints; i++)
        if (!in[i] && atomic_load(&pods[i].epoch) % 2 == 0)
            atomic_fetch_add(&pods[i].epoch, 1);
}

static void stress_sleep_until(uint64_t at_ns)
{
    struct timespec t = {(time_t)(at_ns / 1000000000u),
                         (long)(at_ns % 1000000000u)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
        continue;
}

static uint64_t stress_write_until_end(void)
{
    uint64_t end_ns = stress_now_ns() + (uint64_t)(args.seconds * 1e9);
    uint64_t random = args.seed, n = 0;
    uint64_t next_ns = stress_now_ns();

    while (stress_now_ns() < end_ns) {
        stress_update(&random);
        n++;
        if (args.rate_hz > 0)
            stress_sleep_until(next_ns += 1000000000u / args.rate_hz);
    }
    return n;
}

/* ---- Beginning and end ------------------------------------------------- */

static void stress_check_end(void)
{
    static ilb_endpoint_stats stats[2 * STRESS_PODS_MAX];
    uint64_t in_flight = 0;
    size_t n;

    if (ilb_balancer_snapshot(balancer, stats, 2 * STRESS_PODS_MAX,
                              sizeof stats[0], &n) != ILB_OK)
        stress_fail("snapshot", "refused");
    for (size_t i = 0; i < n; i++)
        in_flight += stats[i].in_flight;
    if (in_flight != 0)
        stress_fail("in flight at the end", "not 0");
    if (atomic_load(&n_picks) != atomic_load(&n_dones))
        stress_fail("picks and dones", "differ");
    if (atomic_load(&n_told) == 0)
        stress_fail("events", "none was told");
}

static void stress_parse(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        double v = atof(argv[i + 1]);

        if (strcmp(argv[i], "--seconds") == 0)
            args.seconds = v;
        else if (strcmp(argv[i], "--threads") == 0)
            args.threads = (unsigned)v;
        else if (strcmp(argv[i], "--endpoints") == 0)
            args.endpoints = (unsigned)v;
        else if (strcmp(argv[i], "--rate") == 0)
            args.rate_hz = (unsigned)v;
        else if (strcmp(argv[i], "--seed") == 0)
            args.seed = (uint64_t)v;
        else
            stress_fail("unknown option", argv[i]);
    }
    if (argc % 2 == 0 || args.threads < 1 || args.threads > 64 ||
        args.endpoints < 1 || args.endpoints > STRESS_PODS_MAX)
        stress_fail("usage", "see the head of the source");
}

int main(int argc, char **argv)
{
    ilb_options options = ILB_OPTIONS_INIT;
    pthread_t threads[64];
    uint64_t random, n_updates;

    stress_parse(argc, argv);
    random = args.seed + 77;
    options.seed = args.seed;
    options.capacity = args.endpoints;
    options.base_ejection_time_ns = 1000000;
    options.max_ejection_time_ns = 16000000;
    options.on_event = stress_hear;
    for (size_t i = 0; i < args.endpoints; i++)
        snprintf(pods[i].address, sizeof pods[i].address, "pod-%zu:80", i);
    if (ilb_balancer_new(&balancer, "stress", &options) != ILB_OK)
        stress_fail("new", "refused");
    stress_update(&random);
    for (unsigned i = 0; i < args.threads; i++)
        if (pthread_create(&threads[i], NULL, stress_picker,
                           (void *)(uintptr_t)i) != 0)
            stress_fail("pthread_create", "refused");
    n_updates = stress_write_until_end();
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < args.threads; i++)
        pthread_join(threads[i], NULL);
    stress_check_end();
    printf("stress: ok: %" PRIu64 " picks by %u threads, %" PRIu64
           " updates of %u endpoints in %.0f s, %" PRIu64
           " events told; nothing in flight\n",
           atomic_load(&n_picks), args.threads, n_updates, args.endpoints,
           args.seconds, atomic_load(&n_told));
    ilb_balancer_free(balancer);
    return 0;
}
