/* SPDX-License-Identifier: MIT */
/*
 * Many threads pick and report while one replaces the set as fast as asked.
 *
 *   stress_balancer [--seconds N | --operations N] [--threads N]
 *                   [--endpoints N] [--rate HZ] [--leak N] [--seed N]
 *                   [--healthy 1]
 *
 * It ends after so many seconds, or after so many operations: a pick is one, a
 * done another. --rate: updates a second; 0: without pause. --leak: one request
 * in so many is never reported, at most 64 of each thread; 0: none. --healthy:
 * one update, no failures, each pick reported at once, and nothing looked at
 * but the results: as fast as it goes.
 *
 * Checks, all the time:
 *   - no pick returns an endpoint that an update had removed before the pick
 *     began;
 *   - a set with a healthy endpoint in it never yields "no endpoint";
 *   - an explanation is of the endpoint that was picked, and tells only of
 *     endpoints that there are;
 *   - events are told by one thread at a time, in order;
 * and at the end:
 *   - as many requests were reported or leaked as picked, and as many as leaked
 *     are in flight; when these have been reported as well, nothing is.
 * The sanitizers see the rest: run it under ThreadSanitizer and
 * AddressSanitizer. Exits 1 at the first violation. stress_balancer_yield is
 * the same, whose threads are held up between the steps (yield.h).
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
#include "yield.h"

#define STRESS_PODS_MAX 10000
#define STRESS_THREADS_MAX 64
#define STRESS_HELD 8
#define STRESS_LEAKED_MAX 64

/* Even: may be picked. Odd: an update without it has returned. */
typedef struct stress_pod {
    _Atomic uint64_t epoch;
    char address[24];
} stress_pod;

static stress_pod pods[STRESS_PODS_MAX];
static ilb_balancer *balancer;
static _Atomic bool stopping;
static _Atomic unsigned n_at_work;
static _Atomic uint64_t n_picks, n_dones, n_told;

/* Requests that their thread never reports; main does, at the very end. */
static ilb_ticket leaked[STRESS_THREADS_MAX][STRESS_LEAKED_MAX];
static unsigned n_leaked[STRESS_THREADS_MAX];

static struct {
    double seconds;
    unsigned threads;
    unsigned endpoints;
    unsigned rate_hz;
    unsigned leak_one_in;
    uint64_t operations; /* 0: by time */
    uint64_t seed;
    bool healthy;
} args = {10, 2, 100, 1000, 4096, 0, 1, false};

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

static uint64_t epochs_before[STRESS_THREADS_MAX][STRESS_PODS_MAX];

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

/* Endpoint 0 leaks nothing: one is always healthy. */
static bool stress_leaks(unsigned me, const ilb_ticket *t, uint64_t *random)
{
    if (args.leak_one_in == 0 || n_leaked[me] == STRESS_LEAKED_MAX ||
        stress_random(random) % args.leak_one_in != 0 ||
        ilb_ticket_user(balancer, t) == &pods[0])
        return false;
    leaked[me][n_leaked[me]++] = *t;
    return true;
}

/* Has a thread that has done so much done its part? */
static bool stress_goes_on(uint64_t operations)
{
    if (args.operations > 0)
        return operations < args.operations / args.threads;
    return !atomic_load(&stopping);
}

static void stress_churned(unsigned me, uint64_t *picks, uint64_t *dones)
{
    uint64_t random = args.seed * 1000 + me;
    ilb_ticket held[STRESS_HELD];
    unsigned n = 0;

    while (stress_goes_on(*picks + *dones)) {
        if (n < STRESS_HELD && (n == 0 || stress_random(&random) % 2 == 0)) {
            stress_pick(me, stress_random(&random) % 8 == 0, &held[n++]);
            ++*picks;
        } else {
            unsigned k = stress_random(&random) % n;

            if (!stress_leaks(me, &held[k], &random)) {
                stress_done(&held[k], &random);
                ++*dones;
            }
            held[k] = held[--n];
        }
    }
    for (; n > 0; ++*dones)
        stress_done(&held[--n], &random);
}

static void stress_undisturbed(uint64_t *picks, uint64_t *dones)
{
    ilb_ticket t;

    while (stress_goes_on(*picks + *dones)) {
        int rc = ilb_pick(balancer, &t, NULL);

        if (rc != ILB_OK)
            stress_fail("a healthy set", ilb_strerror(rc));
        ++*picks;
        if (ilb_done(balancer, &t, ILB_SUCCESS) != ILB_OK)
            stress_fail("a ticket in flight", "refused by ilb_done");
        ++*dones;
    }
}

static void *stress_picker(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    uint64_t picks = 0, dones = 0;

    stress_yield_seed(args.seed * 1000 + me);
    if (args.healthy)
        stress_undisturbed(&picks, &dones);
    else
        stress_churned(me, &picks, &dones);
    atomic_fetch_add(&n_picks, picks);
    atomic_fetch_add(&n_dones, dones);
    atomic_fetch_sub(&n_at_work, 1);
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

/* A new list: endpoint 0 always, the others each with 3 chances of 4, or all of
 * the same weight. */
static void stress_update(uint64_t *random)
{
    static ilb_endpoint list[STRESS_PODS_MAX];
    static bool in[STRESS_PODS_MAX];
    size_t n = 0;
    int rc;

    for (size_t i = 0; i < args.endpoints; i++) {
        ilb_endpoint e = ILB_ENDPOINT(pods[i].address);

        in[i] = i == 0 || args.healthy || stress_random(random) % 4 != 0;
        if (!in[i])
            continue;
        if (atomic_load(&pods[i].epoch) % 2 == 1)
            atomic_fetch_add(&pods[i].epoch, 1);
        e.user = &pods[i];
        e.weight = args.healthy ? 1 : 1 + stress_random(random) % 3;
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

/* Wakes up so often when there is nothing to update. */
#define STRESS_LOOK_NS 50000000

static uint64_t stress_write_until_end(void)
{
    uint64_t end_ns = stress_now_ns() + (uint64_t)(args.seconds * 1e9);
    uint64_t random = args.seed, n = 0;
    uint64_t next_ns = stress_now_ns();

    while (args.operations > 0 ? atomic_load(&n_at_work) > 0
                               : stress_now_ns() < end_ns) {
        if (args.healthy) {
            stress_sleep_until(next_ns += STRESS_LOOK_NS);
            continue;
        }
        stress_update(&random);
        n++;
        if (args.rate_hz > 0)
            stress_sleep_until(next_ns += 1000000000u / args.rate_hz);
    }
    return n;
}

/* ---- Beginning and end ------------------------------------------------- */

static uint64_t stress_in_flight(void)
{
    static ilb_endpoint_stats stats[3 * STRESS_PODS_MAX];
    uint64_t in_flight = 0;
    size_t n;

    if (ilb_balancer_snapshot(balancer, stats, 3 * STRESS_PODS_MAX,
                              sizeof stats[0], &n) != ILB_OK)
        stress_fail("snapshot", "refused");
    for (size_t i = 0; i < n; i++)
        in_flight += stats[i].in_flight;
    return in_flight;
}

/* Returns how many were leaked. */
static uint64_t stress_check_end(void)
{
    uint64_t random = args.seed, all = 0;

    for (unsigned i = 0; i < args.threads; i++)
        all += n_leaked[i];
    if (atomic_load(&n_picks) != atomic_load(&n_dones) + all)
        stress_fail("picks, and dones and leaked", "differ");
    if (stress_in_flight() != all)
        stress_fail("in flight", "not what has been leaked");
    for (unsigned i = 0; i < args.threads; i++)
        for (unsigned k = 0; k < n_leaked[i]; k++)
            stress_done(&leaked[i][k], &random);
    if (stress_in_flight() != 0)
        stress_fail("in flight at the end", "not 0");
    if (atomic_load(&n_told) == 0 && !args.healthy)
        stress_fail("events", "none was told");
    return all;
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
        else if (strcmp(argv[i], "--operations") == 0)
            args.operations = (uint64_t)v;
        else if (strcmp(argv[i], "--leak") == 0)
            args.leak_one_in = (unsigned)v;
        else if (strcmp(argv[i], "--healthy") == 0)
            args.healthy = v != 0;
        else
            stress_fail("unknown option", argv[i]);
    }
    if (argc % 2 == 0 || args.threads < 1 ||
        args.threads > STRESS_THREADS_MAX || args.endpoints < 1 ||
        args.endpoints > STRESS_PODS_MAX)
        stress_fail("usage", "see the head of the source");
}

static void stress_new(void)
{
    ilb_options options = ILB_OPTIONS_INIT;

    options.seed = args.seed;
    options.capacity = args.endpoints;
    options.base_ejection_time_ns = 1000000;
    options.max_ejection_time_ns = 16000000;
    options.on_event = stress_hear;
    for (size_t i = 0; i < args.endpoints; i++)
        snprintf(pods[i].address, sizeof pods[i].address, "pod-%zu:80", i);
    if (ilb_balancer_new(&balancer, "stress", &options) != ILB_OK)
        stress_fail("new", "refused");
}

static void stress_say(uint64_t n_updates, uint64_t n_lost, double s)
{
    uint64_t picks = atomic_load(&n_picks), dones = atomic_load(&n_dones);

    printf("stress: ok: %" PRIu64 " operations by %u threads in %.1f s: "
           "%" PRIu64 " picks = %" PRIu64 " dones + %" PRIu64 " leaked, none "
           "refused\n",
           picks + dones, args.threads, s, picks, dones, n_lost);
    printf("stress: %" PRIu64 " updates of %u endpoints, %" PRIu64
           " events told, held up %" PRIu64 " times; nothing in flight\n",
           n_updates, args.endpoints, atomic_load(&n_told),
           stress_yield_count());
}

int main(int argc, char **argv)
{
    pthread_t threads[STRESS_THREADS_MAX];
    uint64_t random, n_updates, n_lost, began_ns;

    stress_parse(argc, argv);
    random = args.seed + 77;
    stress_new();
    stress_update(&random);
    began_ns = stress_now_ns();
    atomic_store(&n_at_work, args.threads);
    for (unsigned i = 0; i < args.threads; i++)
        if (pthread_create(&threads[i], NULL, stress_picker,
                           (void *)(uintptr_t)i) != 0)
            stress_fail("pthread_create", "refused");
    n_updates = stress_write_until_end();
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < args.threads; i++)
        pthread_join(threads[i], NULL);
    n_lost = stress_check_end();
#ifdef ILB_YIELD
    if (stress_yield_count() == 0)
        stress_fail("yields", "nobody was held up");
#endif
    stress_say(n_updates, n_lost, (double)(stress_now_ns() - began_ns) / 1e9);
    ilb_balancer_free(balancer);
    return 0;
}
