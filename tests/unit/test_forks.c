/* SPDX-License-Identifier: MIT */
/* Real processes: children that share, or have a copy, and are killed where
 * they must not hold anybody up. */
#define _DEFAULT_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared.h"
#include "suites_internal.h"

static test_clock fork_clock;
static ilb_balancer *b;
static unsigned kill_in_clock; /* in this process, at the k-th look at it */
static bool kill_in_callback;
static uint64_t told;

static uint64_t deadly_clock(void *user)
{
    if (kill_in_clock > 0 && --kill_in_clock == 0)
        (void)raise(SIGKILL);
    return test_clock_ns(user);
}

static void deadly_hear(const ilb_event *event, void *user)
{
    (void)user;
    if (kill_in_callback)
        (void)raise(SIGKILL);
    must(event->number > told);
    told = event->number;
}

static void setup_with(uint32_t processes)
{
    const test_clock start = TEST_CLOCK_INIT;
    ilb_options o = test_options(&fork_clock, ILB_POLICY_DEFAULT, 3);

    fork_clock = start;
    o.clock_ns = deadly_clock;
    o.shared_processes = processes;
    o.on_event = deadly_hear;
    o.capacity = 16;
    told = 0;
    must_eq(ilb_balancer_new(&b, "forks", &o), ILB_OK);
    test_update(b, 0, 4);
}

static void setup(void)
{
    setup_with(4);
}

static void teardown(void)
{
    ilb_balancer_free(b);
}

/* Runs it in a child; its wait status. The child is known to have ended. */
static int in_a_child(void (*run)(void))
{
    int status = 0;
    pid_t pid = fork();

    must(pid >= 0);
    if (pid == 0) {
        run();
        _exit(0);
    }
    must_eq(waitpid(pid, &status, 0), pid);
    must_eq(ilb_process_ended(b, pid), b->shared ? ILB_OK : ILB_EINVAL);
    return status;
}

static void is_killed(void (*run)(void))
{
    int status = in_a_child(run);

    must(WIFSIGNALED(status));
    must_eq(WTERMSIG(status), SIGKILL);
}

static void ends_well(void (*run)(void))
{
    must_eq(in_a_child(run), 0);
}

/* ---- Killed ------------------------------------------------------------ */

static void die_while_telling(void)
{
    kill_in_callback = true;
    must_eq(ilb_balancer_set_readiness(b, test_address(0), ILB_NOT_READY),
            ILB_OK);
}

START_TEST(a_teller_that_dies_is_followed_by_another)
{
    uint64_t before = told;

    is_killed(die_while_telling);
    must_eq(told, before);
    must_eq(ilb_balancer_set_readiness(b, test_address(1), ILB_NOT_READY),
            ILB_OK);
    /* What it was telling is lost with it, no more. */
    must_eq(told, before + 2);
}
END_TEST

/* ilb_balancer_update looks at the clock when it has the mutex. */
static void die_with_the_mutex(void)
{
    kill_in_clock = 1;
    test_update(b, 2, 8);
}

START_TEST(a_writer_that_dies_blocks_nobody)
{
    is_killed(die_with_the_mutex);
    test_update(b, 5, 8);
    must(test_is_known(b, 12) && !test_is_known(b, 0));
    is_killed(die_with_the_mutex);
    must_eq(ilb_balancer_set_readiness(b, test_address(5), ILB_NOT_READY),
            ILB_OK);
    is_killed(die_with_the_mutex);
    must_eq(test_stats(b, 6).state, ILB_STATE_WARMING);
    (void)test_request(b, &fork_clock, MS_NS, ILB_SUCCESS);
}
END_TEST

static void hold_ten(void)
{
    for (int i = 0; i < 10; i++)
        (void)test_pick(b);
    (void)raise(SIGKILL);
}

START_TEST(what_it_held_is_given_back)
{
    uint64_t n_in_flight = 0, leaked = 0;
    ilb_endpoint_stats stats[4];

    is_killed(hold_ten);
    must_eq(test_snapshot(b, stats, 4), 4);
    for (int i = 0; i < 4; i++) {
        n_in_flight += stats[i].in_flight;
        leaked += stats[i].leaked;
    }
    must_eq(n_in_flight, 0);
    must_eq(leaked, 10);
}
END_TEST

/* ---- Tickets ----------------------------------------------------------- */

static ilb_ticket parents;

static void parents_ticket_is_refused(void)
{
    must_eq(ilb_done(b, &parents, ILB_SUCCESS), ILB_ETICKET);
    (void)test_request(b, &fork_clock, MS_NS, ILB_SUCCESS);
    must_eq(ilb_done(b, &parents, ILB_SUCCESS), ILB_ETICKET);
    must(ilb_ticket_address(b, &parents) == NULL);
}

START_TEST(a_parents_ticket_is_nothing_in_its_child)
{
    parents = test_pick(b);
    ends_well(parents_ticket_is_refused);
    test_done(b, &parents, ILB_SUCCESS);
}
END_TEST

static void copys_ticket_is_done(void)
{
    test_done(b, &parents, ILB_FAILURE);
    must_eq(ilb_done(b, &parents, ILB_FAILURE), ILB_ETICKET);
}

START_TEST(a_private_balancer_is_a_copy_in_the_child)
{
    uint32_t number;

    teardown();
    setup_with(0);
    parents = test_pick(b);
    number = test_number(b, &parents);
    ends_well(copys_ticket_is_done);
    must_eq(test_stats(b, number).in_flight, 1);
    must_eq(test_stats(b, number).done[ILB_FAILURE], 0);
    test_done(b, &parents, ILB_SUCCESS);
}
END_TEST

static void free_it(void)
{
    (void)test_pick(b);
    ilb_balancer_free(b);
}

START_TEST(a_child_that_frees_it_leaves_it_to_the_others)
{
    ends_well(free_it);
    must_eq(test_stats(b, 0).in_flight + test_stats(b, 1).in_flight +
                test_stats(b, 2).in_flight + test_stats(b, 3).in_flight,
            0);
    (void)test_request(b, &fork_clock, MS_NS, ILB_SUCCESS);
}
END_TEST

/* ---- Chance ------------------------------------------------------------ */

#define DRAWS 40

/* Which endpoints a child takes, by a pipe. */
static void draw(int to)
{
    unsigned char taken[DRAWS];

    for (int i = 0; i < DRAWS; i++) {
        ilb_ticket t = test_pick(b);

        taken[i] = (unsigned char)test_number(b, &t);
        test_done(b, &t, ILB_SUCCESS);
    }
    must_eq(write(to, taken, sizeof taken), sizeof taken);
}

static void child_draws(unsigned char *taken)
{
    int ends[2], status;
    pid_t pid;

    must_eq(pipe(ends), 0);
    pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        draw(ends[1]);
        _exit(0);
    }
    must_eq(read(ends[0], taken, DRAWS), DRAWS);
    must_eq(waitpid(pid, &status, 0), pid);
    must_eq(status, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void draw_differently(const ilb_options *options)
{
    unsigned char one[DRAWS], two[DRAWS];

    teardown();
    b = test_new(options);
    test_update(b, 0, 12);
    child_draws(one);
    child_draws(two);
    must(memcmp(one, two, sizeof one) != 0);
}

START_TEST(children_that_share_draw_differently_at_one_time)
{
    ilb_options o = test_options(&fork_clock, ILB_POLICY_RANDOM, 3);

    o.shared_processes = 4;
    draw_differently(&o);
}
END_TEST

START_TEST(children_with_a_copy_draw_differently_by_the_real_clock)
{
    ilb_options o = ILB_OPTIONS_INIT;

    o.policy = ILB_POLICY_RANDOM;
    o.seed = 3;
    draw_differently(&o);
}
END_TEST

Suite *suite_forks(void)
{
    Suite *s = suite_create("forks");
    TCase *tc = test_case(s, "processes");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_teller_that_dies_is_followed_by_another);
    tcase_add_test(tc, a_writer_that_dies_blocks_nobody);
    tcase_add_test(tc, what_it_held_is_given_back);
    tcase_add_test(tc, a_parents_ticket_is_nothing_in_its_child);
    tcase_add_test(tc, a_private_balancer_is_a_copy_in_the_child);
    tcase_add_test(tc, a_child_that_frees_it_leaves_it_to_the_others);
    tcase_add_test(tc, children_that_share_draw_differently_at_one_time);
    tcase_add_test(tc, children_with_a_copy_draw_differently_by_the_real_clock);
    return s;
}
