/* SPDX-License-Identifier: MIT */
/*
 * What a balancer that several processes share asks of the operating system:
 * who am I, is that process there still, memory that children share, a page
 * that they do not inherit, and a mutex that outlives its owner. One struct of
 * functions, so that tests can stand in for each and let it fail.
 *
 *     pid      getpid
 *     ended    kill(pid, 0) says ESRCH. One that has ended and was not waited
 *              for yet is still there. A pid of another namespace is not known
 *              here: processes that share a balancer share their namespace.
 *     share    MAP_SHARED | MAP_ANONYMOUS: children made by fork have the same
 *              memory at the same address
 *     keep     MAP_PRIVATE | MAP_ANONYMOUS with MADV_WIPEONFORK (Linux 4.14): a
 *              child finds zeros there. By that alone, and without a system
 *              call, a process sees that it is not the one it was.
 *     mutex    PTHREAD_PROCESS_SHARED and PTHREAD_MUTEX_ROBUST
 *
 * None of it is used by a private balancer. Where it is missing all but `pid`
 * say so by ILB_ENOSYS.
 */
#ifndef ILB_BASE_SYSTEM_H
#define ILB_BASE_SYSTEM_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>

#include "base/internal.h"

typedef struct ilb__system {
    int64_t (*pid)(void *user);
    bool (*ended)(int64_t pid, void *user);
    /* ILB_OK, and *memory is zeroed; ILB_ENOMEM; ILB_ENOSYS. */
    int (*share)(void **memory, size_t bytes, void *user);
    int (*keep)(void **memory, size_t bytes, void *user);
    /* What one of these two gave; for this process alone. */
    void (*release)(void *memory, size_t bytes, void *user);
    int (*mutex)(pthread_mutex_t *mutex, void *user);
    void *user;
} ilb__system;

/* The real one. */
ILB_INTERNAL const ilb__system *ilb__system_real(void);

/* Where it is known that the lock's last owner died with it; else false. */
ILB_INTERNAL bool ilb__system_owner_died(int lock_result);
ILB_INTERNAL void ilb__system_consistent(pthread_mutex_t *mutex);

#endif
