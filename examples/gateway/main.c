/* SPDX-License-Identifier: MIT
 *
 * ilb-gateway: a reverse proxy that balances with libilb.
 */
#define _GNU_SOURCE 1
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <unistd.h>

#include "acceptor.h"
#include "admin.h"
#include "balancers.h"
#include "timing.h"
#include "worker.h"

#define DRAIN_LOOK_NS 10000000u

struct gateway {
    const char *path; /* of the configuration */
    struct event_base *base;
    struct gw_shared shared;
    struct gw_acceptor acceptor;
    struct gw_worker workers[GW_THREADS_MAX];
    size_t n_workers;
    struct evhttp *admin;
    char admin_address[64];
    struct event *signals[3]; /* HUP, TERM, INT */
    struct event *drain;
    uint64_t drain_end_ns;
};

static const int signal_numbers[] = {SIGHUP, SIGTERM, SIGINT};

/* ---- Reload ---- */

static struct gw_settings *load(const char *path,
                                const struct gw_settings *previous)
{
    char error[GW_ERROR_BYTES] = "";
    struct gw_settings *settings = gw_settings_load(path, error);

    if (settings != NULL &&
        gw_balancers_apply(settings, previous, error) != 0) {
        gw_settings_release(settings);
        settings = NULL;
    }
    if (settings == NULL && previous != NULL)
        gw_log(GW_LOG_ERROR, "reload: %s; the old configuration stays", error);
    else if (settings == NULL)
        fprintf(stderr, "%s\n", error);
    return settings;
}

/* What cannot change while it runs. */
static void tell_what_waits(const struct gw_settings *old,
                            const struct gw_settings *new)
{
    const char *format = "reload: '%s' has changed; it needs a restart";

    if (old->threads != new->threads)
        gw_log(GW_LOG_WARNING, format, "threads");
    if (old->listen_bytes != new->listen_bytes ||
        memcmp(&old->listen, &new->listen, old->listen_bytes) != 0)
        gw_log(GW_LOG_WARNING, format, "listen");
    if (old->admin_bytes != new->admin_bytes ||
        memcmp(&old->admin, &new->admin, old->admin_bytes) != 0)
        gw_log(GW_LOG_WARNING, format, "admin");
}

static void notify_workers(struct gateway *g)
{
    for (size_t i = 0; i < g->n_workers; i++)
        gw_worker_notify(&g->workers[i]);
}

static void on_reload(evutil_socket_t number, short what, void *arg)
{
    struct gateway *g = arg;
    struct gw_settings *old = gw_shared_settings(&g->shared);
    struct gw_settings *new = load(g->path, old);

    (void)number;
    (void)what;
    if (new != NULL) {
        tell_what_waits(old, new);
        gw_log_set_level(new->log_level);
        gw_acceptor_set_limit(&g->acceptor, new);
        gw_log(GW_LOG_INFO, "reloaded %s: %zu services, %zu routes", g->path,
               new->n_services, new->n_routes);
        gw_shared_replace(&g->shared, new);
        notify_workers(g);
    }
    gw_settings_release(old);
}

/* ---- Drain ---- */

static void on_drain_look(evutil_socket_t fd, short what, void *arg)
{
    struct gateway *g = arg;
    unsigned left = atomic_load(&g->shared.n_clients);

    (void)fd;
    (void)what;
    if (left > 0 && gw_now_ns() < g->drain_end_ns)
        return;
    if (left > 0)
        gw_log(GW_LOG_WARNING, "drain: time is up, %u connections are cut",
               left);
    else
        gw_log(GW_LOG_INFO, "drain: done");
    event_base_loopbreak(g->base);
}

static void on_stop(evutil_socket_t number, short what, void *arg)
{
    struct gateway *g = arg;
    struct gw_settings *settings = gw_shared_settings(&g->shared);
    struct timeval look = gw_timeval(DRAIN_LOOK_NS);

    (void)what;
    if (atomic_load(&g->shared.is_draining)) {
        gw_log(GW_LOG_WARNING, "told twice: stopping at once");
        event_base_loopbreak(g->base);
    } else {
        gw_log(GW_LOG_INFO, "signal %d: draining, %u connections open",
               (int)number, atomic_load(&g->shared.n_clients));
        g->drain_end_ns = gw_now_ns() + settings->drain_timeout_ns;
        gw_acceptor_close(&g->acceptor);
        atomic_store(&g->shared.is_draining, 1);
        notify_workers(g);
        if (event_add(g->drain, &look) != 0)
            event_base_loopbreak(g->base);
    }
    gw_settings_release(settings);
}

/* ---- Start and end ---- */

static int catch_signals(struct gateway *g)
{
    for (size_t i = 0; i < 3; i++) {
        g->signals[i] = evsignal_new(g->base, signal_numbers[i],
                                     i == 0 ? on_reload : on_stop, g);
        if (g->signals[i] == NULL || event_add(g->signals[i], NULL) != 0)
            return -1;
    }
    g->drain = event_new(g->base, -1, EV_PERSIST, on_drain_look, g);
    return g->drain ? 0 : -1;
}

/* Signals are the main thread's: workers start with them blocked. */
static int start_workers(struct gateway *g, size_t n)
{
    sigset_t all, before;
    int rc = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (rc == 0 && g->n_workers < n) {
        rc = gw_worker_start(&g->workers[g->n_workers], &g->shared);
        if (rc == 0)
            g->n_workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static int start(struct gateway *g)
{
    const struct gw_settings *settings = g->shared.settings;

    g->base = event_base_new();
    if (g->base == NULL || catch_signals(g) != 0) {
        gw_log(GW_LOG_ERROR, "cannot make an event loop");
        return -1;
    }
    if (gw_acceptor_open(&g->acceptor, g->base, settings) != 0)
        return -1;
    if (settings->admin_bytes > 0 &&
        (g->admin = gw_admin_start(g->base, &g->shared, g->admin_address)) ==
            NULL)
        return -1;
    if (start_workers(g, settings->threads) != 0)
        return -1;
    gw_acceptor_run(&g->acceptor, &g->shared, g->workers, g->n_workers);
    gw_log(GW_LOG_INFO, "ready on %s%s%s", g->acceptor.address,
           g->admin ? ", admin " : "", g->admin_address);
    return 0;
}

static void stop(struct gateway *g)
{
    gw_acceptor_close(&g->acceptor);
    for (size_t i = 0; i < g->n_workers; i++)
        gw_worker_stop(&g->workers[i]);
    if (g->admin != NULL)
        evhttp_free(g->admin);
    for (size_t i = 0; i < 3; i++)
        if (g->signals[i] != NULL)
            event_free(g->signals[i]);
    if (g->drain != NULL)
        event_free(g->drain);
    if (g->base != NULL)
        event_base_free(g->base);
    gw_settings_release(g->shared.settings);
    pthread_mutex_destroy(&g->shared.lock);
    libevent_global_shutdown();
}

static int usage(FILE *to)
{
    fprintf(to, "usage: ilb-gateway [-t] -c FILE\n"
                "  -c FILE  the configuration\n"
                "  -t       check it and exit: 0 if it is good\n"
                "  -V       print the version and exit\n"
                "SIGHUP reloads the file, SIGTERM drains and exits.\n");
    return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    static struct gateway g;
    int option, check_only = 0, rc;

    while ((option = getopt(argc, argv, "c:thV")) != -1) {
        if (option == 'c')
            g.path = optarg;
        else if (option == 't')
            check_only = 1;
        else if (option == 'V')
            return printf("ilb-gateway, libilb %s\n", ilb_version()) < 0;
        else
            return usage(option == 'h' ? stdout : stderr);
    }
    if (g.path == NULL || optind != argc)
        return usage(stderr);
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&g.shared.lock, NULL);
    /* That the endpoints of the file enter is no news. */
    gw_log_set_level(GW_LOG_WARNING);
    g.shared.settings = load(g.path, NULL);
    if (g.shared.settings == NULL)
        return 1;
    gw_log_set_level(g.shared.settings->log_level);
    if (check_only) {
        printf("%s: ok\n", g.path);
        gw_settings_release(g.shared.settings);
        return 0;
    }
    rc = start(&g);
    if (rc == 0)
        event_base_dispatch(g.base);
    stop(&g);
    return rc == 0 ? 0 : 1;
}
