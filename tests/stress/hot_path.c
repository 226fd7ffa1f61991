/* SPDX-License-Identifier: MIT */
/*
 * No lock and no allocation in ilb_pick, ilb_first_byte and ilb_done, nor in
 * explaining picks, asking for probes, and telling and reading events, shown by
 * standing in for both: this program is linked with --wrap for each function
 * below, against the static library, so that every call the library makes to
 * one of them is counted here.
 *
 * For each policy a few hours of a fleet in simulated time, in which one
 * endpoint does in turn what each detector is there for; every detector must
 * have ejected it. Endpoints are probed and come back; some requests are
 * explained, carry options, tell their first byte, are cancelled, or asked
 * where a Retry-After sends them. What is no part of the hot path (updates,
 * results of checks, the snapshot) is called with the counting off.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ilb.h"

#define HOT_PODS 12
#define HOT_IN_FLIGHT 16384
#define HOT_MS_NS UINT64_C(1000000)
#define HOT_S_NS (1000 * HOT_MS_NS)
/* A request a millisecond; a fault lasts so long, then all is well as long. */
#define HOT_PHASE_MS 60000

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
HOT_WRAP(int, posix_memalign, hot_allocations, (void **p, size_t a, size_t n),
         (p, a, n))
HOT_WRAP(int, pthread_mutex_lock, hot_locks, (pthread_mutex_t * m), (m))
HOT_WRAP(int, pthread_mutex_trylock, hot_tries, (pthread_mutex_t * m), (m))
HOT_WRAP(int, pthread_mutex_timedlock, hot_locks,
         (pthread_mutex_t * m, const struct timespec *t), (m, t))
HOT_WRAP(int, pthread_spin_lock, hot_locks, (pthread_spinlock_t * l), (l))
HOT_WRAP(int, pthread_rwlock_rdlock, hot_locks, (pthread_rwlock_t * l), (l))
HOT_WRAP(int, pthread_rwlock_wrlock, hot_locks, (pthread_rwlock_t * l), (l))
HOT_WRAP(int, pthread_cond_wait, hot_locks,
         (pthread_cond_t * c, pthread_mutex_t *m), (c, m))
HOT_WRAP(int, sem_wait, hot_locks, (sem_t * s), (s))
HOT_WRAP(int, pthread_once, hot_locks, (pthread_once_t * o, void (*f)(void)),
         (o, f))

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
    hot_allocations++;
    __real_free(p);
}

typedef enum hot_fault {
    HOT_REFUSES, /* everything, at once */
    HOT_HALF,    /* fails half of all */
    HOT_SOME,    /* a third */
    HOT_SLOW,
    HOT_HANGS,
    HOT_ASKS,    /* 503 with Retry-After */
    HOT_CHECKED, /* answers, but its checks fail */
    HOT_FAULTS
} hot_fault;

typedef struct hot_request {
    ilb_ticket ticket;
    uint64_t end_ns;
    ilb_outcome outcome;
} hot_request;

/* What the run that goes on is at. */
static struct {
    ilb_balancer *b;
    hot_request requests[HOT_IN_FLIGHT];
    unsigned n;
    unsigned long n_picks, n_dones, n_explained, n_told, n_probes;
    unsigned long ejected[ILB_DETECTOR_COUNT];
    uint64_t now_ns, random;
    hot_fault fault;
    bool well; /* between two faults */
} hot;

static uint64_t hot_clock(void *user)
{
    (void)user;
    return hot.now_ns;
}

static uint32_t hot_random(void)
{
    hot.random = hot.random * UINT64_C(6364136223846793005) + 1442695040888963;
    return (uint32_t)(hot.random >> 33);
}

static void hot_fail(const char *what)
{
    fprintf(stderr, "hot_path: FAILED: %s\n", what);
    exit(1);
}

static void hot_hear(const ilb_event *event, void *user)
{
    char text[ILB_EVENT_TEXT_MAX];

    (void)user;
    if (ilb_event_text(event, text, sizeof text) <= 0)
        hot_fail("an event is no text");
    hot.n_told++;
    if (event->type == ILB_EVENT_EJECT && event->enforced)
        hot.ejected[event->detector]++;
}

/* ---- Requests ---------------------------------------------------------- */

/* What becomes of a request to the endpoint that has the fault. */
static void hot_suffers(hot_request *r)
{
    unsigned percent = hot_random() % 100;

    switch (hot.fault) {
    case HOT_REFUSES:
        r->outcome = ILB_CONNECT_ERROR;
        r->end_ns = hot.now_ns + HOT_MS_NS;
        break;
    case HOT_HALF:
        r->outcome = percent < 60 ? ILB_FAILURE : ILB_SUCCESS;
        break;
    case HOT_SOME:
        r->outcome = percent < 33 ? ILB_FAILURE : ILB_SUCCESS;
        break;
    case HOT_SLOW:
        r->end_ns = hot.now_ns + 300 * HOT_MS_NS;
        break;
    case HOT_HANGS:
        r->outcome = percent < 50 ? ILB_CANCELLED : ILB_TIMEOUT;
        r->end_ns = hot.now_ns + 10 * HOT_S_NS;
        break;
    case HOT_ASKS:
        r->outcome = ILB_OVERLOAD;
        break;
    case HOT_CHECKED:
    case HOT_FAULTS:
        break;
    }
}

static void hot_begin(hot_request *r)
{
    uint64_t takes_ns = 5 * HOT_MS_NS + hot_random() % (5 * HOT_MS_NS);
    uint64_t patience_ns;

    r->end_ns = hot.now_ns + takes_ns;
    r->outcome = hot_random() % 500 == 0 ? ILB_FAILURE : ILB_SUCCESS;
    if (ilb_ticket_address(hot.b, &r->ticket)[0] == 'a' && !hot.well)
        hot_suffers(r);
    (void)ilb_ticket_user(hot.b, &r->ticket);
    /* Every other trial is tried elsewhere when it has waited in vain. */
    patience_ns = ilb_ticket_try_timeout_ns(hot.b, &r->ticket);
    if (patience_ns > 0 && patience_ns < r->end_ns - hot.now_ns &&
        hot_random() % 2 == 0) {
        r->end_ns = hot.now_ns + patience_ns;
        r->outcome = ILB_TIMEOUT;
    }
    if (++hot.n == HOT_IN_FLIGHT)
        hot_fail("too many in flight");
}

static int hot_pick_explained(ilb_ticket *t)
{
    static ilb_explanation why;
    static ilb_event events[8];
    static char text[ILB_EXPLANATION_TEXT_MAX];
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    size_t n;
    int rc;

    o.exclude = &hot.requests[0].ticket;
    o.n_exclude = hot.n > 0;
    o.cost = 1 + hot_random() % 3;
    rc = ilb_pick_explained(hot.b, t, &o, &why, sizeof why);
    if (rc == ILB_OK && ilb_explanation_text(&why, text, sizeof text) <= 0)
        hot_fail("an explanation is no text");
    if (ilb_balancer_events(hot.b, 0, events, 8, sizeof events[0], &n) !=
            ILB_OK ||
        ilb_tick(hot.b, 0) != ILB_OK)
        hot_fail("events or tick");
    hot.n_explained += rc == ILB_OK;
    return rc;
}

static void hot_pick(void)
{
    hot_request *r = &hot.requests[hot.n];
    int rc = hot_random() % 8 == 0 ? hot_pick_explained(&r->ticket)
                                   : ilb_pick(hot.b, &r->ticket, NULL);

    if (rc != ILB_OK)
        hot_fail(ilb_strerror(rc));
    hot.n_picks++;
    hot_begin(r);
    r = &hot.requests[hot.n];
    if (ilb_probe_due_ns(hot.b) <= hot.now_ns && hot_random() % 2 == 0 &&
        ilb_probe_next(hot.b, &r->ticket, 0) == ILB_OK) {
        hot.n_probes++;
        hot_begin(r);
    }
}

static void hot_done(const hot_request *done)
{
    ilb_result result = ILB_RESULT_INIT;
    hot_request r = *done;
    int rc = ILB_OK;

    if (r.outcome == ILB_SUCCESS && hot_random() % 2 == 0)
        rc = ilb_first_byte(hot.b, &r.ticket, 0);
    if (rc == ILB_OK && r.outcome == ILB_OVERLOAD) {
        result.outcome = r.outcome;
        result.retry_after_ns = 2 * HOT_S_NS;
        rc = ilb_done_with(hot.b, &r.ticket, &result);
    } else if (rc == ILB_OK) {
        rc = ilb_done(hot.b, &r.ticket, r.outcome);
    }
    if (rc != ILB_OK || ilb_done(hot.b, &r.ticket, r.outcome) != ILB_ETICKET)
        hot_fail("a done");
    hot.n_dones++;
}

static void hot_millisecond(void)
{
    hot.now_ns += HOT_MS_NS;
    for (unsigned i = 0; i < hot.n;)
        if (hot.requests[i].end_ns <= hot.now_ns) {
            hot_done(&hot.requests[i]);
            hot.requests[i] = hot.requests[--hot.n];
        } else {
            i++;
        }
    hot_pick();
}

/* ---- Runs -------------------------------------------------------------- */

/* Not the hot path: what it locks or allocates is not counted. */
static void hot_check(void)
{
    unsigned long allocations = hot_allocations, locks = hot_locks;

    if (ilb_balancer_report_check(
            hot.b, "a", hot.well || hot.fault != HOT_CHECKED, 0) != ILB_OK)
        hot_fail("a check");
    hot_allocations = allocations;
    hot_locks = locks;
}

static void hot_new(ilb_policy policy, uint32_t processes)
{
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_endpoint pods[HOT_PODS];
    char names[HOT_PODS][2];

    o.policy = policy;
    o.seed = 1;
    o.clock_ns = hot_clock;
    o.base_ejection_time_ns = HOT_S_NS;
    o.max_ejection_time_ns = 4 * HOT_S_NS;
    o.slow_start_ns = policy == ILB_POLICY_RANDOM ? 2 * HOT_S_NS : 0;
    o.panic_threshold_percent = policy == ILB_POLICY_LEAST_REQUEST ? 50 : 0;
    o.consecutive_failures = policy == ILB_POLICY_ROUND_ROBIN ? 2 : 0;
    o.on_event = hot_hear;
    o.shared_processes = processes;
    for (int i = 0; i < HOT_PODS; i++) {
        ilb_endpoint e = ILB_ENDPOINT(names[i]);

        names[i][0] = (char)('a' + i);
        names[i][1] = '\0';
        pods[i] = e;
    }
    hot.now_ns = HOT_S_NS;
    hot.random = 1;
    hot.n = 0;
    hot.well = true;
    if (ilb_balancer_new(&hot.b, "hot", &o) != ILB_OK ||
        ilb_balancer_update(hot.b, pods, HOT_PODS) != ILB_OK)
        hot_fail("new");
}

static void hot_run(ilb_policy policy, uint32_t processes)
{
    unsigned long allocations, locks, tries;

    hot_new(policy, processes);
    allocations = hot_allocations;
    locks = hot_locks;
    tries = hot_tries;
    for (int k = 0; k < 2 * HOT_FAULTS; k++) {
        hot.fault = (hot_fault)(k / 2);
        hot.well = k % 2 == 0;
        for (int ms = 0; ms < HOT_PHASE_MS; ms++) {
            if (ms % 1000 == 0)
                hot_check();
            hot_millisecond();
        }
    }
    if (hot_allocations != allocations)
        hot_fail("an allocation");
    if (hot_locks != locks)
        hot_fail("a lock");
    /* Whether others have ended is looked at once a second, if nobody has the
     * lock. */
    tries = hot_tries - tries;
    if (tries > (processes == 0 ? 0 : 2 * HOT_FAULTS * HOT_PHASE_MS / 1000))
        hot_fail("a try to lock");
    if (processes != 0 && tries == 0)
        hot_fail("nobody looks whether others have ended");
    ilb_balancer_free(hot.b);
}

/* 0: not on this system. */
static uint32_t hot_processes(void)
{
    ilb_options o = ILB_OPTIONS_INIT;
    ilb_balancer *b;
    int rc;

    o.shared_processes = 4;
    rc = ilb_balancer_new(&b, "hot", &o);
    if (rc == ILB_OK)
        ilb_balancer_free(b);
    else if (rc != ILB_ENOSYS)
        hot_fail(ilb_strerror(rc));
    return rc == ILB_OK ? o.shared_processes : 0;
}

int main(void)
{
    unsigned long all = 0;

    for (int p = ILB_POLICY_PEAK_EWMA; p <= ILB_POLICY_RANDOM; p++) {
        hot_run((ilb_policy)p, 0);
        printf("hot_path: %s: %lu picks, %lu dones, no allocation, no lock\n",
               ilb_policy_name((ilb_policy)p), hot.n_picks, hot.n_dones);
    }
    if (hot_processes() == 0) {
        puts("hot_path: shared: not on this system");
    } else {
        hot_run(ILB_POLICY_PEAK_EWMA, hot_processes());
        printf("hot_path: shared: no allocation, no lock but %lu tries\n",
               hot_tries);
    }
    for (int d = 1; d < ILB_DETECTOR_COUNT; d++) {
        printf("hot_path: %lu ejections by %s\n", hot.ejected[d],
               ilb_detector_name((ilb_detector)d));
        all += hot.ejected[d];
    }
    for (int d = 1; d < ILB_DETECTOR_COUNT; d++)
        if (hot.ejected[d] == 0)
            hot_fail("a detector that has never ejected");
    printf("hot_path: %lu ejections, %lu probes asked for, %lu explained, %lu "
           "events told\n",
           all, hot.n_probes, hot.n_explained, hot.n_told);
    if (hot.n_probes == 0 || hot.n_explained == 0 || hot.n_told == 0)
        hot_fail("something never happened");
    /* The counters do count: creation allocates, an update locks. */
    if (hot_allocations == 0 || hot_locks == 0)
        hot_fail("nothing was counted at all");
    return 0;
}
