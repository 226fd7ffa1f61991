/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "worker.h"

#include <errno.h>
#include <string.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "client.h"

/* Messages are single ints, so that each is written whole or not at all:
 * a descriptor, or one of these. */
#define MAIL_NOTIFY (-1)
#define MAIL_STOP (-2)
#define MAIL_BATCH 64

struct gw_settings *gw_shared_settings(struct gw_shared *shared)
{
    struct gw_settings *settings;

    pthread_mutex_lock(&shared->lock);
    settings = gw_settings_hold(shared->settings);
    pthread_mutex_unlock(&shared->lock);
    return settings;
}

void gw_shared_replace(struct gw_shared *shared, struct gw_settings *settings)
{
    struct gw_settings *previous;

    pthread_mutex_lock(&shared->lock);
    previous = shared->settings;
    shared->settings = settings;
    pthread_mutex_unlock(&shared->lock);
    gw_settings_release(previous);
}

/* ---- In the worker's thread ---- */

static void take_note(struct gw_worker *worker)
{
    struct gw_settings *settings = gw_shared_settings(worker->shared);

    gw_pool_prune(worker->pool, settings);
    gw_settings_release(settings);
    if (atomic_load(&worker->shared->is_draining))
        gw_clients_drain(worker);
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
    struct gw_worker *worker = arg;
    int mail[MAIL_BATCH];
    ssize_t bytes = read(fd, mail, sizeof mail);

    (void)what;
    for (ssize_t i = 0; i < bytes / (ssize_t)sizeof mail[0]; i++) {
        if (mail[i] >= 0)
            gw_client_new(worker, mail[i]);
        else if (mail[i] == MAIL_NOTIFY)
            take_note(worker);
        else
            event_base_loopbreak(worker->base);
    }
}

static void *run(void *arg)
{
    struct gw_worker *worker = arg;

    event_base_dispatch(worker->base);
    gw_clients_close(worker);
    return NULL;
}

/* ---- In the main thread ---- */

static void release(struct gw_worker *worker)
{
    if (worker->wake != NULL)
        event_free(worker->wake);
    gw_pool_free(worker->pool);
    if (worker->base != NULL)
        event_base_free(worker->base);
    if (worker->mailbox[0] >= 0) {
        close(worker->mailbox[0]);
        close(worker->mailbox[1]);
    }
}

int gw_worker_start(struct gw_worker *worker, struct gw_shared *shared)
{
    int rc;

    memset(worker, 0, sizeof *worker);
    worker->shared = shared;
    worker->mailbox[0] = worker->mailbox[1] = -1;
    if (pipe2(worker->mailbox, O_NONBLOCK | O_CLOEXEC) != 0)
        goto fail;
    worker->base = event_base_new();
    if (worker->base == NULL)
        goto fail;
    worker->pool = gw_pool_new(worker->base);
    worker->wake = event_new(worker->base, worker->mailbox[0],
                             EV_READ | EV_PERSIST, on_mail, worker);
    if (worker->pool == NULL || worker->wake == NULL ||
        event_add(worker->wake, NULL) != 0)
        goto fail;
    rc = pthread_create(&worker->thread, NULL, run, worker);
    if (rc == 0)
        return 0;
    errno = rc;
fail:
    gw_log(GW_LOG_ERROR, "cannot start a thread: %s", strerror(errno));
    release(worker);
    return -1;
}

/* Write one message; 0 if the mailbox is full. */
static int post(struct gw_worker *worker, int mail)
{
    ssize_t n;

    do
        n = write(worker->mailbox[1], &mail, sizeof mail);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof mail;
}

int gw_worker_hand_over(struct gw_worker *worker, int fd)
{
    if (post(worker, fd))
        return 0;
    close(fd);
    return -1;
}

/* These must arrive; the worker empties its mailbox sooner or later. */
static void post_surely(struct gw_worker *worker, int mail)
{
    while (!post(worker, mail)) {
        struct pollfd room = {.fd = worker->mailbox[1], .events = POLLOUT};

        (void)poll(&room, 1, 100);
    }
}

void gw_worker_notify(struct gw_worker *worker)
{
    post_surely(worker, MAIL_NOTIFY);
}

void gw_worker_stop(struct gw_worker *worker)
{
    int mail[MAIL_BATCH];
    ssize_t bytes;

    post_surely(worker, MAIL_STOP);
    pthread_join(worker->thread, NULL);
    /* Connections that were still in the mailbox have no other owner. */
    while ((bytes = read(worker->mailbox[0], mail, sizeof mail)) > 0)
        for (ssize_t i = 0; i < bytes / (ssize_t)sizeof mail[0]; i++)
            if (mail[i] >= 0)
                close(mail[i]);
    release(worker);
}
