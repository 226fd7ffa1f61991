/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "timing.h"
#include "values.h"

#define POOL_BUCKETS 256u
#define READ_BYTES_MAX (256u << 10) /* of one connection's input buffer */
#define SINGLE_READ_BYTES (64u << 10)

/* One address. It stays while it has connections or is configured. */
struct gw_pool_host {
    struct gw_pool_host *next;
    struct gw_upstream *newest; /* idle */
    size_t n_idle, n_total;
    char address[ILB_ADDRESS_MAX + 1];
};

struct gw_pool {
    struct event_base *base;
    struct gw_pool_host *buckets[POOL_BUCKETS];
};

struct gw_pool *gw_pool_new(struct event_base *base)
{
    struct gw_pool *pool = calloc(1, sizeof *pool);

    if (pool != NULL)
        pool->base = base;
    return pool;
}

static struct gw_pool_host **bucket_of(struct gw_pool *pool,
                                       const char *address)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *address != '\0'; address++)
        hash = (hash ^ (unsigned char)*address) * 16777619u;
    return &pool->buckets[hash % POOL_BUCKETS];
}

static struct gw_pool_host *find_host(struct gw_pool *pool, const char *address)
{
    struct gw_pool_host *host = *bucket_of(pool, address);

    while (host != NULL && strcmp(host->address, address) != 0)
        host = host->next;
    return host;
}

static struct gw_pool_host *find_or_add_host(struct gw_pool *pool,
                                             const char *address)
{
    struct gw_pool_host *host = find_host(pool, address);
    struct gw_pool_host **bucket = bucket_of(pool, address);

    if (host != NULL)
        return host;
    host = calloc(1, sizeof *host);
    if (host == NULL)
        return NULL;
    strncpy(host->address, address, sizeof host->address - 1);
    host->next = *bucket;
    *bucket = host;
    return host;
}

/* ---- Idle connections ---- */

static void unlink_idle(struct gw_upstream *up)
{
    if (up->newer != NULL)
        up->newer->older = up->older;
    else
        up->host->newest = up->older;
    if (up->older != NULL)
        up->older->newer = up->newer;
    up->newer = up->older = NULL;
    up->host->n_idle--;
}

static void close_idle(struct gw_upstream *up)
{
    unlink_idle(up);
    gw_pool_close(up);
}

/* Nothing is due on an idle connection: bytes are an answer to no request. */
static void on_idle_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    close_idle(arg);
}

/* Closed by the endpoint, or idle for too long. */
static void on_idle_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    close_idle(arg);
}

/* The endpoint may have closed it since the event loop last looked. */
static int is_alive(const struct gw_upstream *up)
{
    char byte;
    ssize_t n =
        recv(bufferevent_getfd(up->bev), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct gw_upstream *gw_pool_take(struct gw_pool *pool, const char *address)
{
    struct gw_pool_host *host = find_host(pool, address);
    struct gw_upstream *up;

    /* The youngest: the others grow old and are closed when load falls. */
    while (host != NULL && (up = host->newest) != NULL) {
        if (!is_alive(up)) {
            close_idle(up);
            continue;
        }
        unlink_idle(up);
        up->is_reused = 1;
        bufferevent_set_timeouts(up->bev, NULL, NULL);
        return up;
    }
    return NULL;
}

void gw_pool_give(struct gw_upstream *up, const struct gw_settings *settings)
{
    struct gw_pool_host *host = up->host;
    struct timeval idle = gw_timeval(settings->upstream_idle_ns);

    if (settings->upstream_idle_ns == 0 ||
        host->n_idle >= settings->upstream_idle_max) {
        gw_pool_close(up);
        return;
    }
    up->older = host->newest;
    if (up->older != NULL)
        up->older->newer = up;
    host->newest = up;
    host->n_idle++;
    bufferevent_setcb(up->bev, on_idle_read, NULL, on_idle_event, up);
    bufferevent_set_timeouts(up->bev, &idle, NULL);
    bufferevent_enable(up->bev, EV_READ);
}

/* ---- New connections ---- */

int gw_pool_is_local_error(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM || error == EADDRNOTAVAIL;
}

static struct bufferevent *open_socket(struct event_base *base,
                                       const struct sockaddr_storage *address,
                                       int *error)
{
    int fd = socket(address->ss_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct bufferevent *bev = NULL;
    int on = 1;

    if (fd < 0) {
        *error = errno;
        return NULL;
    }
    /* A head and a body are two writes; Nagle would hold the second back. A
     * socket that cannot do it is only slower. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        *error = ENOMEM;
        close(fd);
    }
    return bev;
}

struct gw_upstream *gw_pool_connect(struct gw_pool *pool, const char *address,
                                    int *error)
{
    struct gw_pool_host *host = find_or_add_host(pool, address);
    struct gw_upstream *up = calloc(1, sizeof *up);
    struct sockaddr_storage to;
    socklen_t to_bytes;

    *error = ENOMEM;
    if (host == NULL || up == NULL)
        goto fail;
    *error = EINVAL;
    if (gw_value_address(address, &to, &to_bytes) != 0)
        goto fail;
    up->bev = open_socket(pool->base, &to, error);
    if (up->bev == NULL)
        goto fail;
    errno = 0;
    if (bufferevent_socket_connect(up->bev, (struct sockaddr *)&to,
                                   (int)to_bytes) != 0) {
        *error = errno ? errno : ECONNREFUSED;
        bufferevent_free(up->bev);
        goto fail;
    }
    bufferevent_setwatermark(up->bev, EV_READ, 0, READ_BYTES_MAX);
    bufferevent_set_max_single_read(up->bev, SINGLE_READ_BYTES);
    up->host = host;
    host->n_total++;
    return up;
fail:
    free(up);
    return NULL;
}

void gw_pool_close(struct gw_upstream *up)
{
    up->host->n_total--;
    bufferevent_free(up->bev);
    free(up);
}

/* ---- All of them ---- */

static size_t close_host_idle(struct gw_pool_host *host)
{
    size_t n = host->n_idle;

    while (host->newest != NULL)
        close_idle(host->newest);
    return n;
}

size_t gw_pool_close_idle(struct gw_pool *pool)
{
    size_t n = 0;

    for (size_t i = 0; i < POOL_BUCKETS; i++)
        for (struct gw_pool_host *h = pool->buckets[i]; h != NULL; h = h->next)
            n += close_host_idle(h);
    return n;
}

static int is_configured(const struct gw_settings *settings,
                         const char *address)
{
    for (size_t i = 0; i < settings->n_services; i++)
        for (size_t k = 0; k < settings->services[i].n_endpoints; k++)
            if (strcmp(settings->services[i].endpoints[k].address, address) ==
                0)
                return 1;
    return 0;
}

void gw_pool_prune(struct gw_pool *pool, const struct gw_settings *settings)
{
    for (size_t i = 0; i < POOL_BUCKETS; i++) {
        struct gw_pool_host **link = &pool->buckets[i];

        while (*link != NULL) {
            struct gw_pool_host *host = *link;

            if (settings != NULL && is_configured(settings, host->address)) {
                link = &host->next;
                continue;
            }
            close_host_idle(host);
            if (host->n_total > 0) {
                link = &host->next;
                continue;
            }
            *link = host->next;
            free(host);
        }
    }
}

void gw_pool_free(struct gw_pool *pool)
{
    if (pool == NULL)
        return;
    gw_pool_prune(pool, NULL);
    free(pool);
}
