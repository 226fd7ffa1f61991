/* SPDX-License-Identifier: MIT */
/*
 * Processes that share a balancer, and are killed in the middle of anything.
 *
 *   stress_processes [--seconds S] [--workers N] [--every-us US] [--seed N]
 *
 * First: one process learns that an endpoint is dead, and another one, which
 * never tried it, knows.
 *
 * Then N workers pick, end, update, look and tell without pause, two threads
 * each. The parent kills one of them by SIGKILL every few milliseconds and
 * forks another in its place. Every 25 kills it waits until each worker has
 * been seen to get on, with the lock and without: one that stands still is a
 * failure. At the end all are stopped, half of them by a kill, and when an
 * audit's time has passed nothing is in flight, no cost is left over, as many
 * are ejected as say so, a full list can be set, and events come and are told.
 *
 * The clock is the machine's, and an offset that all share, so that the end
 * takes no time. It kills only processes that it has started, by their ids.
 */
#ifndef __linux__
int main(void)
{
    return 77; /* processes share a balancer on Linux only */
}
#else
#define _DEFAULT_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/balancer.h"

#define RUN_WORKERS_MAX 16
#define RUN_THREADS 2
#define RUN_HELD 8
#define RUN_PODS 24
#define RUN_STILL_NS UINT64_C(10000000000)
/* A run may take so much longer than it should. */
#define RUN_LATE_S 60
/* After so many kills everybody must be seen to get on. */
#define RUN_ROUND 25

static struct {
    double seconds;
    unsigned workers, every_us;
    uint64_t seed;
} args = {5, 4, 3000, 1};

/* What parent and children both see. */
typedef struct run_board {
    _Atomic uint64_t offset_ns;
    /* Of each worker's place: all it does, and what of it takes the lock. */
    _Atomic uint64_t steps[RUN_WORKERS_MAX], locked[RUN_WORKERS_MAX];
    _Atomic uint64_t picks, dones, updates, told, refused, dead_picks;
    _Atomic bool stopping, failed;
} run_board;

static run_board *board;
static ilb_balancer *balancer;
static char addresses[RUN_PODS][16];
static pid_t workers[RUN_WORKERS_MAX];

static void run_stop_all(void)
{
    for (unsigned i = 0; i < args.workers; i++)
        if (workers[i] > 0) {
            (void)kill(workers[i], SIGKILL);
            (void)waitpid(workers[i], NULL, 0);
            workers[i] = 0;
        }
}

static _Noreturn void run_fail(const char *what, const char *detail)
{
    fprintf(stderr, "processes: FAILED: %s: %s\n", what, detail);
    atomic_store(&board->failed, true);
    if (workers[0] > 0)
        run_stop_all();
    _exit(1);
}

/* The parent itself was held up. */
static void run_late(int signal)
{
    static const char text[] = "processes: FAILED: the parent: stands still\n";

    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    run_stop_all();
    _exit(1);
}

static uint64_t run_clock(void *user)
{
    struct timespec t;

    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec +
           atomic_load_explicit(&board->offset_ns, memory_order_relaxed);
}

static uint32_t run_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void run_hear(const ilb_event *event, void *user)
{
    char text[ILB_EVENT_TEXT_MAX];

    (void)user;
    if (ilb_event_text(event, text, sizeof text) <= 0)
        run_fail("an event", "has no text");
    atomic_fetch_add(&board->told, 1);
}

static void run_update(uint64_t *random, bool all)
{
    ilb_endpoint list[RUN_PODS];
    size_t n = 0;
    int rc;

    for (unsigned i = 0; i < RUN_PODS; i++) {
        ilb_endpoint e = ILB_ENDPOINT(addresses[i]);

        if (i > 0 && !all && run_random(random) % 3 == 0)
            continue;
        e.weight = 1 + run_random(random) % 3;
        e.user = addresses[i];
        if (i > 0 && !all && run_random(random) % 8 == 0)
            e.readiness = ILB_NOT_READY;
        list[n++] = e;
    }
    rc = ilb_balancer_update(balancer, list, n);
    if (rc != ILB_OK)
        run_fail("update", ilb_strerror(rc));
    atomic_fetch_add(&board->updates, 1);
}

/* ---- A worker ---------------------------------------------------------- */

typedef struct run_worker {
    unsigned index;
    uint64_t random;
} run_worker;

static void run_pick(ilb_ticket *t, uint64_t *random)
{
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    const char *address;
    int rc;

    o.cost = run_random(random) % 4 == 0 ? 2.5 : 0;
    rc = ilb_pick(balancer, t, &o);
    if (rc != ILB_OK)
        run_fail("a set with an endpoint", ilb_strerror(rc));
    address = ilb_ticket_address(balancer, t);
    if (address == NULL || address != NULL
            ? strcmp(address, ilb_ticket_user(balancer, t))
            : 1)
        run_fail("address and user differ", address == NULL ? "?" : address);
    atomic_fetch_add_explicit(&board->picks, 1, memory_order_relaxed);
}

static void run_done(ilb_ticket *t, uint64_t *random)
{
    bool first = ilb_ticket_user(balancer, t) == addresses[0];
    ilb_outcome bad = (ilb_outcome)(1 + run_random(random) % 5);
    bool good = first || run_random(random) % 3 != 0;

    if (run_random(random) % 2 == 0)
        (void)ilb_first_byte(balancer, t, 0);
    if (ilb_done(balancer, t, good ? ILB_SUCCESS : bad) == ILB_OK)
        atomic_fetch_add_explicit(&board->dones, 1, memory_order_relaxed);
    else
        atomic_fetch_add(&board->refused, 1);
}

static void run_other(uint64_t *random)
{
    static _Thread_local ilb_endpoint_stats stats[3 * RUN_PODS];
    const char *address = addresses[run_random(random) % RUN_PODS];
    ilb_ticket probe;
    size_t n;
    int rc = ILB_OK;

    switch (run_random(random) % 6) {
    case 0:
        run_update(random, false);
        break;
    case 1:
        rc = ilb_balancer_snapshot(balancer, stats, 3 * RUN_PODS,
                                   sizeof stats[0], &n);
        break;
    case 2:
        rc = ilb_balancer_report_check(balancer, address,
                                       run_random(random) % 2 == 0, 0);
        break;
    case 3:
        rc = ilb_balancer_set_readiness(balancer, address,
                                        address == addresses[0] ||
                                                run_random(random) % 4 != 0
                                            ? ILB_READY
                                            : ILB_NOT_READY);
        break;
    case 4:
        if (ilb_probe_next(balancer, &probe, 0) == ILB_OK)
            run_done(&probe, random);
        break;
    case 5:
        rc = ilb_tick(balancer, 0);
        break;
    }
    if (rc != ILB_OK && rc != ILB_ENOTFOUND)
        run_fail("a call", ilb_strerror(rc));
}

static void *run_thread(void *arg)
{
    run_worker *me = arg;
    ilb_ticket held[RUN_HELD];
    uint64_t random = me->random;
    unsigned n = 0;

    while (!atomic_load(&board->stopping)) {
        if (run_random(&random) % 16 == 0) {
            run_other(&random);
            atomic_fetch_add(&board->locked[me->index], 1);
        } else if (n < RUN_HELD && (n == 0 || run_random(&random) % 2 == 0)) {
            run_pick(&held[n++], &random);
        } else {
            unsigned k = run_random(&random) % n;

            /* Now and then one is lost: its lease ends, or its process. */
            if (run_random(&random) % 512 != 0)
                run_done(&held[k], &random);
            held[k] = held[--n];
        }
        atomic_fetch_add_explicit(&board->steps[me->index], 1,
                                  memory_order_relaxed);
    }
    while (n > 0)
        run_done(&held[--n], &random);
    return NULL;
}

static _Noreturn void run_worker_main(unsigned index, uint64_t seed)
{
    run_worker me[RUN_THREADS];
    pthread_t threads[RUN_THREADS];

    workers[0] = 0;
    (void)alarm(0);
    /* It must not outlive its parent, however that ends. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() == 1)
        _exit(1);
    for (unsigned i = 0; i < RUN_THREADS; i++) {
        me[i].index = index;
        me[i].random = seed * RUN_THREADS + i;
        if (pthread_create(&threads[i], NULL, run_thread, &me[i]) != 0)
            run_fail("pthread_create", "refused");
    }
    for (unsigned i = 0; i < RUN_THREADS; i++)
        pthread_join(threads[i], NULL);
    _exit(0);
}

static void run_start(unsigned index, uint64_t seed)
{
    pid_t pid = fork();

    if (pid < 0)
        run_fail("fork", strerror(errno));
    if (pid == 0)
        run_worker_main(index, seed);
    workers[index] = pid;
}

/* ---- One knows what another learned ------------------------------------ */

static void run_learn_requests(unsigned n, bool learning)
{
    for (unsigned i = 0; i < n; i++) {
        ilb_ticket t;
        bool dead;

        if (ilb_pick(balancer, &t, NULL) != ILB_OK)
            run_fail("learning", "no endpoint");
        dead = ilb_ticket_user(balancer, &t) == addresses[1];
        if (!learning && dead)
            atomic_fetch_add(&board->dead_picks, 1);
        if (ilb_done(balancer, &t, dead ? ILB_CONNECT_ERROR : ILB_SUCCESS) !=
            ILB_OK)
            run_fail("learning", "refused");
    }
}

static void run_wait_for(pid_t pid)
{
    int status;

    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0)
        run_fail("a process", "did not end well");
}

static void run_learn(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        run_learn_requests(500, true);
        _exit(0);
    }
    run_wait_for(pid);
    pid = fork();
    if (pid == 0) {
        run_learn_requests(2000, false);
        _exit(0);
    }
    run_wait_for(pid);
    if (atomic_load(&board->dead_picks) != 0)
        run_fail("another process", "tried the endpoint that is dead");
}

/* ---- The parent -------------------------------------------------------- */

static void run_watch(void)
{
    for (unsigned i = 0; i < args.workers; i++)
        if (waitpid(workers[i], NULL, WNOHANG) == workers[i])
            run_fail("a worker", "ended by itself");
    if (atomic_load(&board->failed))
        run_fail("a worker", "said so");
}

/* Nobody is killed for a while: every worker must get on, under the lock and
 * without. */
static void run_all_get_on(void)
{
    const struct timespec pause = {0, 1000000};
    uint64_t until_ns = run_clock(NULL) + RUN_STILL_NS;
    uint64_t steps[RUN_WORKERS_MAX], locked[RUN_WORKERS_MAX];

    for (unsigned i = 0; i < args.workers; i++) {
        steps[i] = atomic_load(&board->steps[i]);
        locked[i] = atomic_load(&board->locked[i]);
    }
    for (unsigned i = 0; i < args.workers;) {
        run_watch();
        if (atomic_load(&board->steps[i]) > steps[i] + 1000 &&
            atomic_load(&board->locked[i]) > locked[i] + 2 * RUN_THREADS)
            i++;
        else if (run_clock(NULL) > until_ns)
            run_fail("a worker", "stands still");
        else
            nanosleep(&pause, NULL);
    }
}

static void run_kill(unsigned i, bool tell)
{
    pid_t pid = workers[i];

    (void)kill(pid, SIGKILL);
    if (waitpid(pid, NULL, 0) != pid)
        run_fail("waitpid", strerror(errno));
    workers[i] = -1;
    if (tell && ilb_process_ended(balancer, pid) != ILB_OK)
        run_fail("ilb_process_ended", "refused");
}

/* The parent lives to the end: only their lease gives these back. */
static void run_lose(uint64_t *random)
{
    for (unsigned i = 0; i < 10; i++) {
        ilb_ticket t;

        run_pick(&t, random);
    }
}

static unsigned run_kill_until_end(uint64_t *random)
{
    uint64_t end_ns = run_clock(NULL) + (uint64_t)(args.seconds * 1e9);
    unsigned n = 0;

    while (run_clock(NULL) < end_ns) {
        struct timespec pause = {
            0, 1000L * (1 + run_random(random) % (2 * args.every_us))};
        unsigned i = run_random(random) % args.workers;

        nanosleep(&pause, NULL);
        run_watch();
        run_kill(i, run_random(random) % 2 == 0);
        run_start(i, args.seed * 100000 + ++n);
        if (n % RUN_ROUND == 0)
            run_all_get_on();
    }
    return n;
}

static void run_stop(void)
{
    /* The even ones are killed, the others end what they have. */
    for (unsigned i = 0; i < args.workers; i += 2)
        run_kill(i, false);
    atomic_store(&board->stopping, true);
    for (unsigned i = 1; i < args.workers; i += 2) {
        run_wait_for(workers[i]);
        workers[i] = -1;
    }
    workers[0] = 0;
}

static uint64_t run_in_flight(uint64_t *leaked)
{
    static ilb_endpoint_stats stats[3 * RUN_PODS];
    uint64_t n_in_flight = 0;
    size_t n;

    if (ilb_balancer_snapshot(balancer, stats, 3 * RUN_PODS, sizeof stats[0],
                              &n) != ILB_OK)
        run_fail("snapshot", "refused");
    for (size_t i = 0; i < n; i++) {
        n_in_flight += stats[i].in_flight;
        *leaked += stats[i].leaked;
    }
    return n_in_flight;
}

static void run_check_books(void)
{
    const ilb__set *s = &balancer->set;
    uint32_t n_ejected = 0;

    for (uint32_t k = 0; k < s->n_fresh; k++) {
        const ilb__slot *slot = &s->slots[k];
        enum ilb__health_state state =
            ilb__health_state_of(ilb__load_relaxed(&slot->health));

        n_ejected += state == ILB__EJECTED || state == ILB__PROBING;
        if (ilb__load_relaxed(&slot->extra_cost) != 0 ||
            ilb__load_relaxed(&slot->lost.n) != 0)
            run_fail("cost", "is left over");
    }
    if (n_ejected != ilb__load32_relaxed(&balancer->judge.n_ejected))
        run_fail("ejected endpoints", "are miscounted");
    if (s->n_listed + s->n_draining + s->n_free != s->n_fresh)
        run_fail("slots", "are lost");
}

static void run_check_end(uint64_t *leaked)
{
    uint64_t random = args.seed, told = atomic_load(&board->told);
    unsigned left = 100;
    ilb_ticket t;

    while (left > 0 && (balancer->upkeep.busy != 0 || left > 80)) {
        atomic_fetch_add(&board->offset_ns, 200000000u);
        if (ilb_tick(balancer, 0) != ILB_OK)
            run_fail("tick", "refused");
        left--;
    }
    if (left == 0)
        run_fail("the audit", "does not end");
    if (run_in_flight(leaked) != 0)
        run_fail("in flight at the end", "not 0");
    run_check_books();
    run_update(&random, true);
    for (unsigned i = 0; i < 100; i++)
        if (ilb_pick(balancer, &t, NULL) != ILB_OK ||
            ilb_done(balancer, &t, ILB_SUCCESS) != ILB_OK)
            run_fail("requests at the end", "refused");
    if (run_in_flight(leaked) != 0 || balancer->set.n_listed != RUN_PODS)
        run_fail("the whole list at the end", "is not there");
    if (ilb_balancer_set_readiness(balancer, addresses[2], ILB_NOT_READY) !=
            ILB_OK ||
        atomic_load(&board->told) == told)
        run_fail("events at the end", "are not told");
}

static void run_parse(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        double v = atof(argv[i + 1]);

        if (strcmp(argv[i], "--seconds") == 0)
            args.seconds = v;
        else if (strcmp(argv[i], "--workers") == 0)
            args.workers = (unsigned)v;
        else if (strcmp(argv[i], "--every-us") == 0)
            args.every_us = (unsigned)v;
        else if (strcmp(argv[i], "--seed") == 0)
            args.seed = (uint64_t)v;
        else
            argc = 0;
    }
    if (argc % 2 == 0 || args.workers < 2 || args.workers > RUN_WORKERS_MAX ||
        args.every_us < 1 || args.every_us > 400000) {
        fprintf(stderr, "usage: see the head of the source\n");
        exit(2);
    }
}

static void run_new(void)
{
    ilb_options o = ILB_OPTIONS_INIT;
    int rc;

    o.shared_processes = args.workers + 2;
    o.clock_ns = run_clock;
    o.capacity = RUN_PODS;
    o.seed = args.seed;
    o.on_event = run_hear;
    o.event_capacity = 64;
    o.lease_ns = ILB_LEASE_MIN_NS;
    rc = ilb_balancer_new(&balancer, "processes", &o);
    if (rc == ILB_ENOSYS) {
        puts("processes: SKIPPED: this system cannot share a balancer");
        exit(77);
    }
    if (rc != ILB_OK)
        run_fail("new", ilb_strerror(rc));
}

int main(int argc, char **argv)
{
    uint64_t random, leaked = 0;
    unsigned n_killed;

    run_parse(argc, argv);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return 1;
    for (unsigned i = 0; i < RUN_PODS; i++)
        snprintf(addresses[i], sizeof addresses[i], "pod-%u:80", i);
    random = args.seed;
    if (signal(SIGALRM, run_late) == SIG_ERR)
        return 1;
    (void)alarm((unsigned)args.seconds + RUN_LATE_S);
    run_new();
    run_update(&random, true);
    run_learn();
    for (unsigned i = 0; i < args.workers; i++)
        run_start(i, args.seed * 1000 + i);
    run_lose(&random);
    n_killed = run_kill_until_end(&random);
    run_lose(&random);
    run_stop();
    run_check_end(&leaked);
    printf("processes: ok: %u of %u workers killed in %.0f s: %" PRIu64
           " picks, %" PRIu64 " done, %" PRIu64 " updates, %" PRIu64
           " events told, %" PRIu64 " tickets refused, %" PRIu64
           " leaked of endpoints that are left; nothing in flight\n",
           n_killed, args.workers, args.seconds, atomic_load(&board->picks),
           atomic_load(&board->dones), atomic_load(&board->updates),
           atomic_load(&board->told), atomic_load(&board->refused), leaked);
    ilb_balancer_free(balancer);
    return 0;
}
#endif
