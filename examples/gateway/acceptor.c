/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "acceptor.h"

#include <errno.h>
#include <string.h>

#include <event2/listener.h>
#include <sys/resource.h>
#include <unistd.h>

#include "timing.h"
#include "values.h"

#define PAUSE_NS 50000000u
#define BACKLOG 1024
#define FILES_SPARE 64u /* listeners, pipes, event loops, admin clients */

/* Each client may need one connection to an endpoint besides its own. */
static unsigned clients_for_files(void)
{
    struct rlimit files;
    rlim_t n = 1024;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* not allowed: as it was */
        if (getrlimit(RLIMIT_NOFILE, &files) == 0)
            n = files.rlim_cur;
    }
    if (n > 2000000)
        n = 2000000;
    return n > 2 * FILES_SPARE ? (unsigned)(n - FILES_SPARE) / 2
                               : FILES_SPARE / 2;
}

void gw_acceptor_set_limit(struct gw_acceptor *acceptor,
                           const struct gw_settings *settings)
{
    unsigned most = clients_for_files();

    acceptor->max_clients = most;
    if (settings->max_connections == 0)
        return;
    if (settings->max_connections > most)
        gw_log(GW_LOG_WARNING,
               "max_connections %u is more than the limit of open files "
               "allows: %u",
               settings->max_connections, most);
    else
        acceptor->max_clients = settings->max_connections;
}

/* ---- Accepting ---- */

static void pause_for_a_while(struct gw_acceptor *acceptor)
{
    struct timeval tv = gw_timeval(PAUSE_NS);

    evconnlistener_disable(acceptor->listener);
    if (event_add(acceptor->pause, &tv) != 0)
        evconnlistener_enable(acceptor->listener);
}

static int is_full(const struct gw_acceptor *acceptor)
{
    return atomic_load(&acceptor->shared->n_clients) >= acceptor->max_clients;
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct gw_acceptor *acceptor = arg;

    (void)fd;
    (void)what;
    if (is_full(acceptor))
        pause_for_a_while(acceptor);
    else
        evconnlistener_enable(acceptor->listener);
}

/* In turn: connections are long-lived, and an accept by whichever thread is
 * awake would pile them up on one. */
static void deal(struct gw_acceptor *acceptor, int fd)
{
    struct gw_worker *worker = &acceptor->workers[acceptor->turn];

    acceptor->turn = (acceptor->turn + 1) % acceptor->n_workers;
    atomic_fetch_add(&acceptor->shared->n_clients, 1);
    if (gw_worker_hand_over(worker, fd) != 0) {
        atomic_fetch_sub(&acceptor->shared->n_clients, 1);
        gw_log(GW_LOG_ERROR, "a thread is too far behind: a new connection "
                             "was closed");
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                      struct sockaddr *peer, int peer_bytes, void *arg)
{
    struct gw_acceptor *acceptor = arg;

    (void)listener;
    (void)peer;
    (void)peer_bytes;
    deal(acceptor, fd);
    /* Full: the others wait in the kernel's queue. */
    if (is_full(acceptor))
        pause_for_a_while(acceptor);
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)listener;
    /* Without a pause the loop would spin: the connection is still there. */
    gw_log(GW_LOG_ERROR, "accept: %s", strerror(errno));
    pause_for_a_while(arg);
}

/* ---- Open and close ---- */

int gw_acceptor_open(struct gw_acceptor *acceptor, struct event_base *base,
                     const struct gw_settings *settings)
{
    struct sockaddr_storage bound;
    socklen_t bytes = sizeof bound;

    memset(acceptor, 0, sizeof *acceptor);
    gw_acceptor_set_limit(acceptor, settings);
    gw_address_text(&settings->listen, acceptor->address,
                    sizeof acceptor->address);
    acceptor->listener = evconnlistener_new_bind(
        base, on_accept, acceptor,
        LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
            LEV_OPT_DISABLED,
        BACKLOG, (const struct sockaddr *)&settings->listen,
        (int)settings->listen_bytes);
    acceptor->pause = event_new(base, -1, 0, on_pause_over, acceptor);
    if (acceptor->listener == NULL || acceptor->pause == NULL ||
        getsockname(evconnlistener_get_fd(acceptor->listener),
                    (struct sockaddr *)&bound, &bytes) != 0) {
        gw_log(GW_LOG_ERROR, "listen %s: %s", acceptor->address,
               strerror(errno));
        gw_acceptor_close(acceptor);
        return -1;
    }
    gw_address_text(&bound, acceptor->address, sizeof acceptor->address);
    evconnlistener_set_error_cb(acceptor->listener, on_accept_error);
    return 0;
}

void gw_acceptor_run(struct gw_acceptor *acceptor, struct gw_shared *shared,
                     struct gw_worker *workers, size_t n_workers)
{
    acceptor->shared = shared;
    acceptor->workers = workers;
    acceptor->n_workers = n_workers;
    evconnlistener_enable(acceptor->listener);
}

void gw_acceptor_close(struct gw_acceptor *acceptor)
{
    if (acceptor->listener != NULL && acceptor->n_workers > 0) {
        int listener = evconnlistener_get_fd(acceptor->listener);
        int fd;

        /* Closing would reset those that are in the kernel's queue. */
        while ((fd = accept4(listener, NULL, NULL,
                             SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
            deal(acceptor, fd);
    }
    if (acceptor->pause != NULL)
        event_free(acceptor->pause);
    if (acceptor->listener != NULL)
        evconnlistener_free(acceptor->listener);
    acceptor->pause = NULL;
    acceptor->listener = NULL;
}
