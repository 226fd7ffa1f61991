/* SPDX-License-Identifier: MIT */
/*
 * No lock and no allocation in ilb_pick, ilb_first_byte and ilb_done, nor in
 * explaining picks and telling and reading events, shown by standing in for
 * both: this program is linked with --wrap for each function below, against the
 * static library, so that every call the library makes to one of them is
 * counted here.
 *
 * All policies, with endpoints that fail, are ejected, probed and come back.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "ilb.h"

#define HOT_PODS 20
#define HOT_REQUESTS 200000

static unsigned long hot_allocations, hot_locks, hot_tries;

#define HOT_WRAP(type, name, counter, params, args)                            \
    type __real_##name params;                                                 \
    type __wrap_##name params;                                                 \
    type __wrap_##name params                                                  \
    {                                                                          \
        counter++;                                                             \
        return __real_##name args;                                             \
    }

HOT_WRAP(void *, malloc, hot_allocations, (size_t n), (n))
HOT_WRAP(void *, calloc, hot_allocations, (size_t n, size_t m), (n, m))
HOT_WRAP(void *, realloc, hot_allocations, (void *p, size_t n), (p, n))
HOT_WRAP(void *, aligned_alloc, hot_allocations, (size_t a, size_t n), (a, n))
HOT_WRAP(int, pthread_mutex_lock, hot_locks, (pthread_mutex_t * m), (m))
HOT_WRAP(int, pthread_mutex_trylock, hot_tries, (pthread_mutex_t * m), (m))
HOT_WRAP(int, pthread_rwlock_rdlock, hot_locks, (pthread_rwlock_t * l), (l))
HOT_WRAP(int, pthread_rwlock_wrlock, hot_locks, (pthread_rwlock_t * l), (l))
HOT_WRAP(int, pthread_cond_wait, hot_locks,
         (pthread_cond_t * c, pthread_mutex_t *m), (c, m))

static uint64_t hot_now_ns = 1000000000;

static uint64_t hot_clock(void *user)
{
    (void)user;
    return hot_now_ns;
}

static unsigned long hot_told;

static void hot_hear(const ilb_event *event, void *user)
{
    char text[ILB_EVENT_TEXT_MAX];

    (void)user;
    if (ilb_event_text(event, text, sizeof text) > 0)
        hot_told++;
}

/* One in eight says why, and then looks at what happened of late. */
static int hot_pick(ilb_balancer *b, ilb_ticket *t, unsigned i)
{
    static ilb_explanation why;
    static ilb_event events[8];
    static char text[ILB_EXPLANATION_TEXT_MAX];
    size_t n;

    if (i % 8 != 0)
        return ilb_pick(b, t, NULL) == ILB_OK;
    return ilb_pick_explained(b, t, NULL, &why, sizeof why) == ILB_OK &&
           ilb_explanation_text(&why, text, sizeof text) > 0 &&
           ilb_balancer_events(b, 0, events, 8, sizeof events[0], &n) ==
               ILB_OK &&
           ilb_tick(b, 0) == ILB_OK;
}

static int hot_request(ilb_balancer *b, unsigned i)
{
    ilb_ticket t;
    int bad;

    if (!hot_pick(b, &t, i))
        return 0;
    bad = ilb_ticket_address(b, &t)[0] < 'd' && i / 20000 % 2 == 0;
    hot_now_ns += 1000000;
    return ilb_first_byte(b, &t, 0) == ILB_OK &&
           ilb_done(b, &t, bad ? (ilb_outcome)(1 + i % 5) : ILB_SUCCESS) ==
               ILB_OK;
}

/* Returns ejections seen, or -1. */
static long hot_run(ilb_policy policy, uint32_t processes)
{
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_endpoint pods[HOT_PODS];
    ilb_endpoint_stats stats[HOT_PODS];
    char names[HOT_PODS][2];
    unsigned long allocations, locks, tries;
    ilb_balancer *b;
    long ejections = 0;
    size_t n;

    o.policy = policy;
    o.seed = 1;
    o.clock_ns = hot_clock;
    o.base_ejection_time_ns = 10000000;
    o.on_event = hot_hear;
    o.shared_processes = processes;
    for (int i = 0; i < HOT_PODS; i++) {
        ilb_endpoint e = ILB_ENDPOINT(names[i]);

        names[i][0] = (char)('a' + i);
        names[i][1] = '\0';
        pods[i] = e;
    }
    if (ilb_balancer_new(&b, "hot", &o) != ILB_OK ||
        ilb_balancer_update(b, pods, HOT_PODS) != ILB_OK)
        return -1;
    allocations = hot_allocations;
    locks = hot_locks;
    tries = hot_tries;
    for (unsigned i = 0; i < HOT_REQUESTS; i++)
        if (!hot_request(b, i))
            return -1;
    if (hot_allocations != allocations || hot_locks != locks || hot_told == 0)
        return -1;
    /* Whether others have ended is looked at once a second, if nobody has the
     * lock. */
    if (hot_tries - tries > (processes == 0 ? 0 : HOT_REQUESTS / 1000))
        return -1;
    if (ilb_balancer_snapshot(b, stats, HOT_PODS, sizeof stats[0], &n) !=
        ILB_OK)
        return -1;
    for (size_t i = 0; i < n; i++)
        ejections += (long)stats[i].ejections;
    ilb_balancer_free(b);
    return ejections;
}

static int hot_can_share(void)
{
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_balancer *b;
    int rc;

    o.shared_processes = 1;
    rc = ilb_balancer_new(&b, "hot", &o);
    if (rc == ILB_OK)
        ilb_balancer_free(b);
    return rc != ILB_ENOSYS;
}

int main(void)
{
    for (int p = ILB_POLICY_PEAK_EWMA; p <= ILB_POLICY_RANDOM; p++) {
        long ejections = hot_run((ilb_policy)p, 0);

        if (ejections < 1) {
            fprintf(stderr, "hot_path: FAILED under %s\n",
                    ilb_policy_name((ilb_policy)p));
            return 1;
        }
        printf("hot_path: %s: %d requests, %ld ejections: no allocation, no "
               "lock\n",
               ilb_policy_name((ilb_policy)p), HOT_REQUESTS, ejections);
    }
    if (!hot_can_share()) {
        puts("hot_path: shared: not on this system");
        return hot_tries != 0;
    }
    if (hot_tries != 0 || hot_run(ILB_POLICY_DEFAULT, 4) < 1 ||
        hot_tries == 0) {
        fprintf(stderr, "hot_path: FAILED where processes share\n");
        return 1;
    }
    printf("hot_path: shared: no allocation, no lock but %lu tries in %d s\n",
           hot_tries, HOT_REQUESTS / 1000);
    /* The counters do count: creation allocates, an update locks. */
    if (hot_allocations == 0 || hot_locks == 0) {
        fprintf(stderr, "hot_path: FAILED: nothing was counted at all\n");
        return 1;
    }
    return 0;
}
