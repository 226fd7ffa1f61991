/* SPDX-License-Identifier: MIT
 *
 * The threads: each runs an event loop of its own, with its own clients and
 * its own connections to endpoints. What they share is the configuration in
 * use, through it one balancer for each service, and a few counters.
 */
#ifndef GW_WORKER_H
#define GW_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include <event2/event.h>

#include "settings.h"
#include "upstream.h"

struct gw_client;

/* What all threads see. */
struct gw_shared {
    pthread_mutex_t lock; /* of `settings`, the pointer */
    struct gw_settings *settings;
    atomic_bool is_draining;
    atomic_uint n_clients;
};

struct gw_worker {
    struct gw_shared *shared;
    struct event_base *base;
    struct gw_pool *pool;
    struct gw_client *clients; /* all of this thread's */
    struct event *wake;
    int mailbox[2]; /* a pipe: the main thread writes, this one reads */
    pthread_t thread;
};

/** The configuration in use; to be released. */
struct gw_settings *gw_shared_settings(struct gw_shared *shared);

/** Put another in its place, which it takes over. */
void gw_shared_replace(struct gw_shared *shared, struct gw_settings *settings);

/** Make a worker and start its thread; 0, or -1 with a line in the log. */
int gw_worker_start(struct gw_worker *worker, struct gw_shared *shared);

/** Hand a client's connection over; 0, or -1: too far behind, it is closed. */
int gw_worker_hand_over(struct gw_worker *worker, int fd);

/** Say that the configuration or is_draining has changed. */
void gw_worker_notify(struct gw_worker *worker);

/** Cut what is left, end the thread and release all it has. */
void gw_worker_stop(struct gw_worker *worker);

#endif
