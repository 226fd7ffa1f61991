/* SPDX-License-Identifier: MIT */
/*
 * What if a process that shares a balancer were killed just here? At every
 * instruction of a pick, a first byte, an end, an ejection, a probe, a refresh,
 * the telling of events, an update, the burial of another process, an audit,
 * the end of a lease.
 *
 *   kill_points [--stride N] [NAME...]
 *
 * A child runs one of the scenarios below under ptrace, an instruction at a
 * time. After each the parent, which has the same memory, keeps a copy of it,
 * says that the child has ended (if the child holds the mutex: as the system
 * would, by a mutex whose owner has died), lets time pass and looks:
 *
 *   - in flight is what the parent has, to each endpoint, not one more or less,
 *     and each of its tickets can be done;
 *   - no cost is left over; as many are ejected as say so; whoever is ejected
 *     will be probed;
 *   - the list is the old one or the new one, as a whole; no slot is lost; a
 * new list can be set;
 *   - events are written and told.
 *
 * Then it puts the memory back as it was and goes on. --stride: only at every
 * N-th instruction of an update, which has many.
 */
#ifndef __linux__
int main(void)
{
    return 77; /* processes share a balancer on Linux only */
}
#else
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/balancer.h"

#define KILL_PODS 4
#define KILL_MS_NS UINT64_C(1000000)

typedef struct kill_scenario {
    const char *name;
    void (*prepare)(void);
    void (*run)(void);
    bool update;        /* has so many instructions that some are left out */
    uint32_t n_ejected; /* at its end: that it did what it is for */
    uint64_t leaked;
} kill_scenario;

static ilb_balancer *balancer;
static uint64_t kill_now_ns;
static pid_t child, former; /* that has ended before */
static bool child_ended;
static unsigned long n_told, n_points;
static const char *addresses[2 * KILL_PODS] = {"a:1", "b:1", "c:1", "d:1",
                                               "e:1", "f:1", "g:1", "h:1"};
/* The parent's own requests, one unanswered and one answered an endpoint. */
static ilb_ticket kept[2 * KILL_PODS];
static const char *scenario_name;
static unsigned long scenario_step;

static _Noreturn void kill_fail(const char *what)
{
    fprintf(stderr,
            "kill_points: FAILED: %s: killed after %lu instructions: "
            "%s\n",
            scenario_name, scenario_step, what);
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    exit(1);
}

/* ---- The system and the balancer --------------------------------------- */

static uint64_t kill_clock(void *user)
{
    (void)user;
    return kill_now_ns;
}

static bool kill_ended(int64_t pid, void *user)
{
    (void)user;
    return (pid == child && child_ended) || (pid == former && former > 0);
}

static void kill_hear(const ilb_event *event, void *user)
{
    (void)event;
    (void)user;
    n_told++;
}

static void kill_new(void)
{
    static ilb__system system;
    ilb_options o = ILB_OPTIONS_INIT;
    int rc;

    system = *ilb__system_real();
    system.ended = kill_ended;
    kill_now_ns = UINT64_C(1000000000000);
    o.shared_processes = 3;
    o.capacity = 2 * KILL_PODS;
    o.clock_ns = kill_clock;
    o.seed = 7;
    o.event_capacity = 32;
    o.on_event = kill_hear;
    rc = ilb__balancer_new_on(&balancer, "kill", &o, &system);
    if (rc == ILB_ENOSYS) {
        puts("kill_points: SKIPPED: this system cannot share a balancer");
        exit(77);
    }
    if (rc != ILB_OK)
        kill_fail(ilb_strerror(rc));
}

/* The endpoints from one on. */
static int kill_list(uint32_t from)
{
    ilb_endpoint list[KILL_PODS];

    for (uint32_t i = 0; i < KILL_PODS; i++) {
        ilb_endpoint e = ILB_ENDPOINT(addresses[from + i]);

        e.weight = 1 + i % 2;
        list[i] = e;
    }
    return ilb_balancer_update(balancer, list, KILL_PODS);
}

/* A request to an endpoint; NULL: to any. */
static ilb_ticket kill_pick_at(const char *address, double cost)
{
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    ilb_ticket t, others[16];

    o.cost = cost;
    o.exclude = others;
    for (;;) {
        if (ilb_pick(balancer, &t, &o) != ILB_OK)
            kill_fail("a pick was refused");
        if (address == NULL ||
            strcmp(ilb_ticket_address(balancer, &t), address) == 0)
            return t;
        (void)ilb_done(balancer, &t, ILB_SUCCESS);
        others[o.n_exclude++] = t;
    }
}

static void kill_keep(void)
{
    for (uint32_t i = 0; i < 2 * KILL_PODS; i++) {
        kept[i] = kill_pick_at(addresses[i / 2], i % 3 == 0 ? 3 : 0);
        if (i % 2 == 1 && ilb_first_byte(balancer, &kept[i], 0) != ILB_OK)
            kill_fail("a first byte was refused");
    }
}

/* ---- Scenarios --------------------------------------------------------- */

static void kill_warm(void)
{
    for (int i = 0; i < 200; i++) {
        ilb_ticket t = kill_pick_at(NULL, 0);

        kill_now_ns += 5 * KILL_MS_NS;
        (void)ilb_done(balancer, &t, ILB_SUCCESS);
    }
}

static void prepare_request(void)
{
    kill_warm();
    kill_keep();
}

static void run_request(void)
{
    ilb_ticket t = kill_pick_at(NULL, 2.5);

    (void)ilb_first_byte(balancer, &t, 0);
    (void)ilb_done(balancer, &t, ILB_SUCCESS);
}

static void run_held(void)
{
    ilb_ticket t[3];

    for (int i = 0; i < 3; i++)
        t[i] = kill_pick_at(NULL, i);
    (void)ilb_done(balancer, &t[1], ILB_TIMEOUT);
    (void)ilb_first_byte(balancer, &t[0], 0);
    (void)ilb_done(balancer, &t[0], ILB_SUCCESS);
}

static void run_tick(void)
{
    kill_now_ns += 1500 * KILL_MS_NS;
    (void)ilb_tick(balancer, 0);
}

static void prepare_ejection(void)
{
    kill_warm();
    kill_keep();
    if (ilb__load32_relaxed(&balancer->judge.n_ejected) != 0)
        kill_fail("one is ejected already");
}

static void run_failure(void)
{
    while (ilb__load32_relaxed(&balancer->judge.n_ejected) == 0) {
        ilb_ticket t = kill_pick_at(addresses[1], 0);

        (void)ilb_done(balancer, &t, ILB_CONNECT_ERROR);
    }
}

static void prepare_probe(void)
{
    kill_warm();
    kill_keep();
    for (int i = 0; i < 5; i++) {
        ilb_ticket t = kill_pick_at(addresses[1], 0);

        kill_now_ns += 100 * KILL_MS_NS;
        (void)ilb_done(balancer, &t, ILB_CONNECT_ERROR);
    }
    if (ilb__load32_relaxed(&balancer->judge.n_ejected) != 1)
        kill_fail("nothing is ejected");
    kill_now_ns += UINT64_C(121000000000);
}

static void run_probe_good(void)
{
    for (int i = 0; i < 2; i++) {
        ilb_ticket t = kill_pick_at(NULL, 2.5);

        (void)ilb_done(balancer, &t, ILB_SUCCESS);
    }
}

static void run_probe_bad(void)
{
    ilb_ticket t = kill_pick_at(NULL, 2.5);

    (void)ilb_done(balancer, &t, ILB_FAILURE);
}

static void run_update(void)
{
    (void)kill_list(2);
}

static void run_update_back(void)
{
    (void)kill_list(3);
    (void)kill_list(0);
}

static void run_readiness(void)
{
    if (ilb_balancer_set_readiness(balancer, addresses[1], ILB_NOT_READY) !=
            ILB_OK ||
        ilb_balancer_set_readiness(balancer, addresses[1], ILB_READY) !=
            ILB_OK ||
        ilb_balancer_report_check(balancer, addresses[2], 0, 0) != ILB_OK)
        _exit(1);
}

/* A process that has ended, with requests in flight: this one reclaims them. */
static void prepare_reap(void)
{
    kill_warm();
    kill_keep();
    former = fork();
    if (former == 0) {
        for (int i = 0; i < 6; i++) {
            ilb_ticket t = kill_pick_at(addresses[i % KILL_PODS], i);

            if (i % 2 == 0)
                (void)ilb_first_byte(balancer, &t, 0);
        }
        _exit(0);
    }
    (void)waitpid(former, NULL, 0);
}

static void run_reap(void)
{
    for (int i = 0; i < 5; i++) {
        kill_now_ns += 1100 * KILL_MS_NS;
        (void)ilb_tick(balancer, 0);
    }
}

/* What nobody has: this one audits. */
static void prepare_audit(void)
{
    prepare_reap();
    ilb__add_relaxed(&balancer->set.slots[1].load.word, 2);
    ilb__add_relaxed(&balancer->set.slots[2].extra_cost, 77);
    ilb__add32_relaxed(&balancer->judge.n_ejected, 1);
}

/* A ticket that was lost: this one ends its lease. */
static void prepare_lease(void)
{
    balancer->upkeep.lease_ns = UINT64_C(20000000000);
    kill_warm();
    (void)kill_pick_at(addresses[2], 0);
    (void)kill_pick_at(addresses[3], 0);
    kill_now_ns += UINT64_C(21000000000);
    (void)ilb_tick(balancer, 0);
    kill_now_ns += UINT64_C(10000000000);
    kill_keep();
    kill_now_ns += UINT64_C(9500000000);
}

static void run_lease(void)
{
    kill_now_ns += UINT64_C(1000000000);
    (void)ilb_tick(balancer, 0);
}

static const kill_scenario scenarios[] = {
    {"request", prepare_request, run_request, false, 0, 0},
    {"held", prepare_request, run_held, false, 0, 0},
    {"tick", prepare_request, run_tick, false, 0, 0},
    {"ejection", prepare_ejection, run_failure, false, 1, 0},
    {"probe_good", prepare_probe, run_probe_good, false, 0, 0},
    {"probe_bad", prepare_probe, run_probe_bad, false, 1, 0},
    {"update", prepare_request, run_update, true, 0, 0},
    {"update_ejected", prepare_probe, run_update, true, 0, 0},
    {"update_back", prepare_request, run_update_back, true, 0, 0},
    {"readiness", prepare_ejection, run_readiness, true, 0, 0},
    {"reap", prepare_reap, run_reap, false, 0, 6},
    {"audit", prepare_audit, run_reap, false, 0, 8},
    {"lease", prepare_lease, run_lease, false, 0, 2},
};

/* ---- If it were killed ------------------------------------------------- */

static void kill_bury(void)
{
    const ilb__system *system = balancer->upkeep.processes.system;
    int rc = pthread_mutex_trylock(&balancer->writer);

    if (rc == 0) {
        (void)pthread_mutex_unlock(&balancer->writer);
    } else {
        /* What the next to lock it would find is EOWNERDEAD. */
        memset(&balancer->writer, 0, sizeof balancer->writer);
        if (system->mutex(&balancer->writer, system->user) != ILB_OK)
            kill_fail("no mutex");
        ilb__balancer_repair(balancer);
    }
    child_ended = true;
    for (int i = 0; i < 30; i++) {
        kill_now_ns += 250 * KILL_MS_NS;
        if (ilb_tick(balancer, 0) != ILB_OK)
            kill_fail("a tick was refused");
    }
    if (balancer->upkeep.busy != 0)
        kill_fail("the audit does not end");
}

static void kill_check_slot(const ilb__slot *slot)
{
    uint64_t word = ilb__load_relaxed(&slot->load.word);
    int32_t extra = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < 2 * KILL_PODS; i++)
        if (slot->used && strcmp(slot->address, addresses[i / 2]) == 0) {
            n++;
            extra += i % 3 == 0 ? 2 * (int32_t)ILB_COST_ONE : 0;
        }
    if (ilb__load_in_flight(word) != n)
        kill_fail(ilb__load_in_flight(word) > n ? "a request is left over"
                                                : "one too many was taken");
    extra -= (int32_t)(ilb__load_relaxed(&slot->lost.n) * ILB_COST_ONE);
    if ((int32_t)ilb__load_relaxed(&slot->extra_cost) != extra)
        kill_fail("cost is left over");
}

static void kill_check_books(void)
{
    const ilb__set *s = &balancer->set;
    uint32_t n_ejected = 0, n = s->n_fresh;

    for (uint32_t k = 0; k < n; k++) {
        uint64_t health = ilb__load_relaxed(&s->slots[k].health);

        if (ilb__health_state_of(health) >= ILB__EJECTED) {
            n_ejected++;
            if (ilb__load_relaxed(&balancer->judge.next_due_ns) >
                    ilb__health_until_ns(health) &&
                ilb__load_relaxed(&balancer->judge.next_due_ns) >
                    kill_now_ns + UINT64_C(2000000000))
                kill_fail("an ejected endpoint is never due");
        }
        if ((ilb__health_state_of(health) == ILB__OUT) ==
            (s->slots[k].used && s->slots[k].listed &&
             s->slots[k].readiness == ILB_READY))
            kill_fail("health knows another list");
        kill_check_slot(&s->slots[k]);
    }
    if (n_ejected != ilb__load32_relaxed(&balancer->judge.n_ejected))
        kill_fail("ejected endpoints are miscounted");
    if (s->n_listed + s->n_draining + s->n_free != n)
        kill_fail("a slot is lost");
}

/* The table has those that are listed and ready. */
static void kill_check_table(void)
{
    const ilb__set *s = &balancer->set;
    ilb__view v = ilb__table_view(&s->table);
    uint32_t n = 0;

    for (uint32_t k = 0; k < s->n_listed; k++)
        n += s->slots[s->listed[k]].readiness == ILB_READY;
    if (v.n != n)
        kill_fail("another list is published");
    for (uint32_t i = 0; i < v.n; i++) {
        ilb__endpoint_id id = ilb__view_id(&v, i);
        const ilb__slot *slot = &s->slots[ilb__endpoint_id_index(id)];

        if (!slot->listed ||
            ilb__load_generation(ilb__load_relaxed(&slot->load.word)) !=
                ilb__endpoint_id_generation(id))
            kill_fail("who is not in the list is published");
    }
}

/* Exactly one of these lists, and found by their addresses. */
static void kill_check_list(void)
{
    static const uint32_t lists[] = {0, 2, 3};
    bool whole = false;

    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < KILL_PODS; i++)
            n += ilb__set_find(&balancer->set, addresses[lists[l] + i]) != NULL;
        whole = whole || n == KILL_PODS;
    }
    if (!whole || balancer->set.n_listed != KILL_PODS)
        kill_fail("the list is neither the old one nor the new one");
    kill_check_table();
}

static void kill_check_goes_on(void)
{
    unsigned long told;

    for (uint32_t i = 0; i < 2 * KILL_PODS; i++) {
        ilb_ticket copy = kept[i];

        if (ilb_done(balancer, &copy, ILB_SUCCESS) != ILB_OK)
            kill_fail("a request of another process was refused");
    }
    told = n_told;
    if (kill_list(1) != ILB_OK || kill_list(0) != ILB_OK)
        kill_fail("an update was refused");
    if (n_told == told)
        kill_fail("events are not told");
    kill_warm();
    for (uint32_t k = 0; k < balancer->set.n_fresh; k++)
        if (ilb__load_in_flight(
                ilb__load_relaxed(&balancer->set.slots[k].load.word)) != 0)
            kill_fail("in flight at the end");
}

/* Looks, and puts everything back. */
static void kill_point(unsigned char *copy)
{
    uint64_t then_ns = kill_now_ns;

    memcpy(copy, balancer->memory, balancer->memory_bytes);
    kill_bury();
    kill_check_books();
    kill_check_list();
    kill_check_goes_on();
    memcpy(balancer->memory, copy, balancer->memory_bytes);
    kill_now_ns = then_ns;
    child_ended = false;
    n_points++;
}

/* ---- One instruction after the other ----------------------------------- */

static _Noreturn void kill_child(const kill_scenario *s)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(77);
    (void)raise(SIGSTOP);
    s->run();
    (void)raise(SIGSTOP);
    _exit(0);
}

/* True: it stands; false: its scenario is over. */
static bool kill_stands(void)
{
    int status;

    if (waitpid(child, &status, 0) != child)
        kill_fail("waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        puts("kill_points: SKIPPED: ptrace is not allowed here");
        exit(77);
    }
    if (!WIFSTOPPED(status))
        kill_fail("the child did not stand");
    return WSTOPSIG(status) == SIGTRAP;
}

static uint64_t kill_leaked(void)
{
    uint64_t leaked = 0;

    for (uint32_t k = 0; k < balancer->set.n_fresh; k++)
        leaked += ilb__load_relaxed(&balancer->set.slots[k].leaked);
    return leaked;
}

static unsigned long kill_scenario_run(const kill_scenario *s,
                                       unsigned long stride)
{
    unsigned char *copy;

    scenario_name = s->name;
    scenario_step = 0;
    kill_new();
    copy = malloc(balancer->memory_bytes);
    if (copy == NULL || kill_list(0) != ILB_OK)
        kill_fail("no balancer");
    s->prepare();
    child = fork();
    if (child == 0)
        kill_child(s);
    (void)kill_stands();
    do {
        if (scenario_step % (s->update ? stride : 1) == 0)
            kill_point(copy);
        scenario_step++;
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0)
            kill_fail(strerror(errno));
    } while (kill_stands());
    if (ilb__load32_relaxed(&balancer->judge.n_ejected) != s->n_ejected ||
        kill_leaked() != s->leaked)
        kill_fail("the scenario did not do what it is for");
    kill_point(copy);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    child = former = 0;
    ilb_balancer_free(balancer);
    free(copy);
    return scenario_step;
}

static bool kill_wanted(const char *name, int argc, char **argv, int from)
{
    for (int i = from; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return from >= argc;
}

int main(int argc, char **argv)
{
    unsigned long stride = 1;
    int from = 1;

    if (argc > 2 && strcmp(argv[1], "--stride") == 0) {
        stride = strtoul(argv[2], NULL, 10);
        from = 3;
    }
    for (size_t i = 0; stride > 0 && i < sizeof scenarios / sizeof scenarios[0];
         i++) {
        unsigned long n;

        if (!kill_wanted(scenarios[i].name, argc, argv, from))
            continue;
        n = kill_scenario_run(&scenarios[i], stride);
        printf("kill_points: %s: %lu instructions\n", scenarios[i].name, n);
        fflush(stdout);
    }
    printf("kill_points: ok: killed at %lu points\n", n_points);
    return n_points == 0;
}
#endif
