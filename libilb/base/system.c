/* SPDX-License-Identifier: MIT */
/* See system.h. */
#if !defined(_DEFAULT_SOURCE) && !defined(_GNU_SOURCE)
#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS, madvise */
#endif
#include "base/system.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(MAP_ANONYMOUS) && defined(MADV_WIPEONFORK)
#define SYSTEM_HAS_PROCESSES 1
#else
#define SYSTEM_HAS_PROCESSES 0
#endif

static int64_t system_pid(void *user)
{
    (void)user;
    return (int64_t)getpid();
}

static bool system_ended(int64_t pid, void *user)
{
    (void)user;
    return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void system_release(void *memory, size_t bytes, void *user)
{
    (void)user;
    (void)munmap(memory, bytes);
}

#if SYSTEM_HAS_PROCESSES
static int system_map(void **memory, size_t bytes, int flags)
{
    void *p =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return ILB_ENOMEM;
    *memory = p;
    return ILB_OK;
}

static int system_share(void **memory, size_t bytes, void *user)
{
    (void)user;
    return system_map(memory, bytes, MAP_SHARED);
}

static int system_keep(void **memory, size_t bytes, void *user)
{
    int rc = system_map(memory, bytes, MAP_PRIVATE);

    if (rc != ILB_OK)
        return rc;
    if (madvise(*memory, bytes, MADV_WIPEONFORK) == 0)
        return ILB_OK;
    /* An old kernel. */
    system_release(*memory, bytes, user);
    return ILB_ENOSYS;
}

static int system_mutex(pthread_mutex_t *mutex, void *user)
{
    pthread_mutexattr_t attr;
    int rc = ILB_OK;

    (void)user;
    if (pthread_mutexattr_init(&attr) != 0)
        return ILB_ENOMEM;
    if (pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) != 0 ||
        pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) != 0)
        rc = ILB_ENOSYS;
    else if (pthread_mutex_init(mutex, &attr) != 0)
        rc = ILB_ENOMEM;
    (void)pthread_mutexattr_destroy(&attr);
    return rc;
}

ILB_INTERNAL bool ilb__system_owner_died(int lock_result)
{
    return lock_result == EOWNERDEAD;
}

ILB_INTERNAL void ilb__system_consistent(pthread_mutex_t *mutex)
{
    (void)pthread_mutex_consistent(mutex);
}
#else
static int system_share(void **memory, size_t bytes, void *user)
{
    (void)memory;
    (void)bytes;
    (void)user;
    return ILB_ENOSYS;
}

static int system_keep(void **memory, size_t bytes, void *user)
{
    return system_share(memory, bytes, user);
}

static int system_mutex(pthread_mutex_t *mutex, void *user)
{
    (void)mutex;
    (void)user;
    return ILB_ENOSYS;
}

ILB_INTERNAL bool ilb__system_owner_died(int lock_result)
{
    (void)lock_result;
    return false;
}

ILB_INTERNAL void ilb__system_consistent(pthread_mutex_t *mutex)
{
    (void)mutex;
}
#endif

ILB_INTERNAL const ilb__system *ilb__system_real(void)
{
    static const ilb__system real = {system_pid,  system_ended,   system_share,
                                     system_keep, system_release, system_mutex,
                                     NULL};

    return &real;
}
