/* SPDX-License-Identifier: MIT */
/* base/process.h: places of processes; base/system.h: the real system. */
#define _DEFAULT_SOURCE
#include "base/process.h"

#include <sys/wait.h>
#include <unistd.h>

#include "shared.h"
#include "suites_internal.h"

static test_shared world;
static ilb__processes table;
static _Alignas(64) unsigned char block[1024];

static void setup_with(uint32_t n)
{
    ilb__arena a = {block, 0};

    test_shared_init(&world);
    memset(&table, 0, sizeof table);
    memset(block, 0, sizeof block);
    ilb__processes_init(&table, &a, n);
    must(a.used_bytes <= sizeof block);
    table.system = &world.system;
    world.self = calloc(1, sizeof *world.self);
    table.self = world.self;
}

static void setup(void)
{
    setup_with(3);
}

static void teardown(void)
{
    free(world.self);
}

static uint32_t enter_as(uint32_t pid)
{
    uint32_t stamp = 0;

    test_shared_as(&world, pid);
    must_eq(ilb__process_enter(&table, &stamp), ILB_OK);
    must(stamp != 0);
    must_eq(ilb__process_here(&table), stamp);
    return stamp;
}

static uint64_t entry_of(uint32_t stamp)
{
    return ilb__process_entry(&table, ilb__process_index(stamp));
}

START_TEST(each_process_has_a_place_of_its_own)
{
    uint32_t a, b;

    must_eq(ilb__process_here(&table), 0);
    a = enter_as(1);
    b = enter_as(2);
    must(ilb__process_index(a) != ilb__process_index(b));
    must_eq(ilb__process_pid(entry_of(a)), 1);
    must_eq(ilb__process_pid(entry_of(b)), 2);
    must_eq(enter_as(1), a);
    must_eq(table.n_used, 2);
}
END_TEST

START_TEST(no_more_than_so_many_live_ones)
{
    uint32_t stamp;

    for (uint32_t pid = 1; pid <= 3; pid++)
        (void)enter_as(pid);
    test_shared_as(&world, 4);
    must_eq(ilb__process_enter(&table, &stamp), ILB_EPROCESSES);
    must_eq(ilb__process_here(&table), 0);
    /* One that has ended makes room, reclaimed or not. */
    test_shared_end(&world, 2);
    (void)enter_as(4);
    test_shared_as(&world, 5);
    must_eq(ilb__process_enter(&table, &stamp), ILB_EPROCESSES);
}
END_TEST

START_TEST(the_ended_stand_in_the_way_until_they_are_reclaimed)
{
    uint32_t stamp;

    for (uint32_t i = 0; i < table.n_entries; i++)
        ilb__store_relaxed(&table.entries[i], UINT64_C(9) << 32 | 1);
    world.ended[9] = true;
    must_eq(ilb__process_enter(&table, &stamp), ILB_EBUSY);
    must(ilb__process_free(&table, 5, ilb__process_entry(&table, 5)));
    must_eq(ilb__process_index(enter_as(1)), 5);
}
END_TEST

START_TEST(a_place_that_is_freed_is_another_processes_with_another_stamp)
{
    uint32_t stamps[4] = {0};

    free(world.self);
    setup_with(1);
    for (uint32_t pid = 1; pid <= 4; pid++) {
        uint64_t entry;

        stamps[pid - 1] = enter_as(pid);
        for (uint32_t k = 0; k + 1 < pid; k++)
            must(stamps[k] != stamps[pid - 1]);
        test_shared_as(&world, 5);
        test_shared_end(&world, pid);
        entry = entry_of(stamps[pid - 1]);
        must(ilb__process_is_over(&table, entry));
        must(ilb__process_free(&table, ilb__process_index(stamps[pid - 1]),
                               entry));
        must(!ilb__process_free(&table, ilb__process_index(stamps[pid - 1]),
                                entry));
        must(!ilb__process_is_over(&table, entry_of(stamps[pid - 1])));
    }
    must(table.n_used <= 2);
}
END_TEST

START_TEST(a_pid_that_comes_again_ends_who_had_it)
{
    uint32_t a = enter_as(1), b = enter_as(2), again;

    must_eq(ilb__process_index(b), 1);
    test_shared_end(&world, 1);
    again = enter_as(1); /* alive, says the system */
    must(again != a);
    must((entry_of(a) & ILB_PROCESS_ENDED) != 0);
    must(ilb__process_is_over(&table, entry_of(a)));
    must(!ilb__process_is_over(&table, entry_of(again)));
    must(!ilb__process_is_over(&table, entry_of(b)));
}
END_TEST

START_TEST(who_is_said_to_have_ended_and_has_not_gets_a_new_place)
{
    uint32_t a = enter_as(1), again;

    must(!ilb__process_end(&table, 7));
    must(ilb__process_end(&table, 1));
    must_eq(ilb__process_here(&table), 0);
    again = enter_as(1);
    must(again != a);
    must(ilb__process_is_over(&table, entry_of(a)));
    /* The same when its old place has been freed in between. */
    must(ilb__process_end(&table, 1));
    must(ilb__process_free(&table, ilb__process_index(again), entry_of(again)));
    must_eq(ilb__process_here(&table), 0);
    must(enter_as(1) != again);
}
END_TEST

/* A thread was stopped in it: the others go on for it. */
START_TEST(threads_help_each_other)
{
    uint32_t wanted = 1u << ILB_PROCESS_INDEX_BITS | 2;
    uint32_t stamp;

    /* It has decided. */
    ilb__store_relaxed(&table.self->wanted, wanted);
    must_eq(ilb__process_enter(&table, &stamp), ILB_OK);
    must_eq(stamp, wanted);
    /* It has taken the entry and not said so. */
    ilb__store_relaxed(&table.self->stamp, 0);
    must_eq(ilb__process_enter(&table, &stamp), ILB_OK);
    must_eq(stamp, wanted);
    must_eq(table.n_used, 3);
    must_eq(ilb__process_entry(&table, 0), 0);
    must_eq(ilb__process_entry(&table, 1), 0);
}
END_TEST

START_TEST(a_place_that_another_process_took_is_not_waited_for)
{
    uint32_t other = enter_as(2), stamp;

    test_shared_as(&world, 1);
    ilb__store_relaxed(&table.self->wanted, other); /* a moment too late */
    must_eq(ilb__process_enter(&table, &stamp), ILB_OK);
    must(ilb__process_index(stamp) != ilb__process_index(other));
    must_eq(ilb__process_pid(entry_of(other)), 2);
}
END_TEST

START_TEST(generations_wrap_past_zero)
{
    ilb__store_relaxed(&table.entries[0], ILB_PROCESS_GENERATION);
    must_eq(enter_as(1) >> ILB_PROCESS_INDEX_BITS, 1);
}
END_TEST

/* ---- The real system --------------------------------------------------- */

static const ilb__system *real_system(void)
{
    return ilb__system_real();
}

/* In a child; its exit status is what `check` returns. */
static int in_a_child(int (*check)(void *), void *user)
{
    int status = 0;
    pid_t pid = fork();

    must(pid >= 0);
    if (pid == 0)
        _exit(check(user));
    must_eq(waitpid(pid, &status, 0), pid);
    must(WIFEXITED(status));
    must(real_system()->ended(pid, NULL));
    return WEXITSTATUS(status);
}

static int finds_zeros_and_writes(void *user)
{
    uint64_t **memory = user;
    bool ok = memory[0][0] == 0 && memory[1][0] == 7;

    memory[0][0] = 1;
    memory[1][0] = 8;
    return ok ? 0 : 1;
}

START_TEST(one_memory_is_shared_and_one_is_not_inherited)
{
    void *memory[2];

    must_eq(real_system()->keep(&memory[0], 64, NULL), ILB_OK);
    must_eq(real_system()->share(&memory[1], 1 << 20, NULL), ILB_OK);
    *(uint64_t *)memory[0] = 7;
    *(uint64_t *)memory[1] = 7;
    must_eq(in_a_child(finds_zeros_and_writes, memory), 0);
    must_eq(*(uint64_t *)memory[0], 7);
    must_eq(*(uint64_t *)memory[1], 8);
    real_system()->release(memory[0], 64, NULL);
    real_system()->release(memory[1], 1 << 20, NULL);
    must_eq(real_system()->pid(NULL), getpid());
    must(!real_system()->ended(getpid(), NULL));
    must(!real_system()->ended(1, NULL));
}
END_TEST

static int dies_with_it(void *user)
{
    return pthread_mutex_lock(user);
}

START_TEST(a_mutex_is_left_by_its_owners_death)
{
    void *memory;
    pthread_mutex_t *mutex;
    int rc;

    must_eq(real_system()->share(&memory, sizeof *mutex, NULL), ILB_OK);
    mutex = memory;
    must_eq(real_system()->mutex(mutex, NULL), ILB_OK);
    must_eq(in_a_child(dies_with_it, mutex), 0);
    rc = pthread_mutex_trylock(mutex);
    must(ilb__system_owner_died(rc));
    ilb__system_consistent(mutex);
    must_eq(pthread_mutex_unlock(mutex), 0);
    must_eq(pthread_mutex_lock(mutex), 0);
    must_eq(pthread_mutex_unlock(mutex), 0);
    must(!ilb__system_owner_died(0));
    real_system()->release(memory, sizeof *mutex, NULL);
}
END_TEST

START_TEST(more_memory_than_there_is)
{
    void *memory = NULL;

    must_eq(real_system()->share(&memory, SIZE_MAX / 2, NULL), ILB_ENOMEM);
    must_eq(real_system()->keep(&memory, SIZE_MAX / 2, NULL), ILB_ENOMEM);
    must(memory == NULL);
}
END_TEST

Suite *suite_process(void)
{
    Suite *s = suite_create("process");
    TCase *tc = test_case(s, "table");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, each_process_has_a_place_of_its_own);
    tcase_add_test(tc, no_more_than_so_many_live_ones);
    tcase_add_test(tc, the_ended_stand_in_the_way_until_they_are_reclaimed);
    tcase_add_test(
        tc, a_place_that_is_freed_is_another_processes_with_another_stamp);
    tcase_add_test(tc, a_pid_that_comes_again_ends_who_had_it);
    tcase_add_test(tc, who_is_said_to_have_ended_and_has_not_gets_a_new_place);
    tcase_add_test(tc, threads_help_each_other);
    tcase_add_test(tc, a_place_that_another_process_took_is_not_waited_for);
    tcase_add_test(tc, generations_wrap_past_zero);
    tc = test_case(s, "system");
    tcase_add_test(tc, one_memory_is_shared_and_one_is_not_inherited);
    tcase_add_test(tc, a_mutex_is_left_by_its_owners_death);
    tcase_add_test(tc, more_memory_than_there_is);
    return s;
}
