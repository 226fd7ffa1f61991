/* SPDX-License-Identifier: MIT */
/* See shared.h. */
#include "shared.h"

static int64_t shared_pid(void *user)
{
    return ((test_shared *)user)->pid;
}

static bool shared_ended(int64_t pid, void *user)
{
    test_shared *s = user;

    must(pid > 0 && pid < TEST_PIDS);
    s->n_asked++;
    return s->ended[pid];
}

static bool shared_fails(test_shared *s)
{
    return ++s->n_calls == s->fail_at;
}

static int shared_share(void **memory, size_t bytes, void *user)
{
    test_shared *s = user;

    if (shared_fails(s))
        return s->fail_with;
    *memory = calloc(1, bytes);
    must(*memory != NULL);
    s->n_memory++;
    return ILB_OK;
}

static int shared_keep(void **memory, size_t bytes, void *user)
{
    test_shared *s = user;
    int rc = shared_share(memory, bytes, user);

    if (rc == ILB_OK)
        s->self = *memory;
    return rc;
}

static void shared_release(void *memory, size_t bytes, void *user)
{
    (void)bytes;
    free(memory);
    ((test_shared *)user)->n_memory--;
}

static int shared_mutex(pthread_mutex_t *mutex, void *user)
{
    test_shared *s = user;

    if (shared_fails(s))
        return s->fail_with;
    must_eq(pthread_mutex_init(mutex, NULL), 0);
    return ILB_OK;
}

void test_shared_init(test_shared *s)
{
    const test_clock start = TEST_CLOCK_INIT;
    const ilb__system played = {shared_pid,
                                shared_ended,
                                shared_share,
                                shared_keep,
                                shared_release,
                                shared_mutex,
                                s};

    memset(s, 0, sizeof *s);
    s->system = played;
    s->clock = start;
    s->pid = 1;
}

test_shared *test_shared_new(uint32_t processes, ilb_policy policy)
{
    test_shared *s = malloc(sizeof *s);
    ilb_options o;

    must(s != NULL);
    test_shared_init(s);
    o = test_options(&s->clock, policy, 5);
    o.capacity = 8;
    o.shared_processes = processes;
    must_eq(ilb__balancer_new_on(&s->b, "shared", &o, &s->system), ILB_OK);
    test_update(s->b, 0, 4);
    for (int i = 0; i < 100; i++)
        (void)test_request(s->b, &s->clock, 2 * MS_NS, ILB_SUCCESS);
    return s;
}

void test_shared_free(test_shared *s)
{
    ilb_balancer_free(s->b);
    must_eq(s->n_memory, 0);
    free(s);
}

void test_shared_as(test_shared *s, uint32_t pid)
{
    must(pid > 0 && pid < TEST_PIDS);
    memcpy(&s->pages[s->pid], s->self, sizeof *s->self);
    memcpy(s->self, &s->pages[pid], sizeof *s->self);
    s->pid = pid;
    s->ended[pid] = false;
}

void test_shared_end(test_shared *s, uint32_t pid)
{
    must(s->pid != pid);
    memset(&s->pages[pid], 0, sizeof s->pages[pid]);
    s->ended[pid] = true;
}

void test_shared_eject(test_shared *s, uint32_t number)
{
    for (int i = 0; test_stats(s->b, number).state != ILB_STATE_EJECTED; i++) {
        ilb_ticket t = test_pick(s->b);
        bool bad = test_number(s->b, &t) == number;

        must(i < 400);
        s->clock.now_ns += MS_NS;
        test_done(s->b, &t, bad ? ILB_CONNECT_ERROR : ILB_SUCCESS);
    }
}

void test_shared_pass(test_shared *s, uint32_t ticks)
{
    for (uint32_t i = 0; i < ticks; i++) {
        s->clock.now_ns += 250 * MS_NS;
        must_eq(ilb_tick(s->b, 0), ILB_OK);
    }
}

uint64_t test_shared_in_flight(test_shared *s)
{
    static ilb_endpoint_stats stats[24];
    uint64_t n_in_flight = 0;
    size_t n = test_snapshot(s->b, stats, 24);

    for (size_t i = 0; i < n; i++)
        n_in_flight += stats[i].in_flight;
    return n_in_flight;
}

uint64_t test_shared_leaked(test_shared *s)
{
    static ilb_endpoint_stats stats[24];
    uint64_t leaked = 0;
    size_t n = test_snapshot(s->b, stats, 24);

    for (size_t i = 0; i < n; i++)
        leaked += stats[i].leaked;
    return leaked;
}
