/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_util.h"

/* The random stream of a policy's own draws. */
#define UTIL_STREAM 7

void *sim_need(size_t n, size_t size)
{
    void *p = calloc(n == 0 ? 1 : n, size);

    if (p == NULL) {
        fprintf(stderr, "sim: out of memory in a policy (%zu x %zu bytes)\n", n,
                size);
        abort();
    }
    return p;
}

void *sim_pool_new(const sim_pool_kind *kind, const sim_host *host)
{
    sim_pool *pool = calloc(1, kind->pool_size);

    if (pool == NULL)
        return NULL;
    pool->kind = kind;
    pool->host = *host;
    pool->random = sim_random_stream(host->seed, UTIL_STREAM);
    return pool;
}

static void util_close(sim_pool *pool, sim_endpoint *e)
{
    if (pool->kind->close != NULL)
        pool->kind->close(pool, e);
    free(e);
}

void sim_pool_free(void *self)
{
    sim_pool *pool = self;

    if (pool == NULL)
        return;
    for (uint32_t i = 0; i < pool->n; i++)
        util_close(pool, pool->list[i]);
    while (pool->gone != NULL) {
        sim_endpoint *e = pool->gone;

        pool->gone = e->next;
        util_close(pool, e);
    }
    free(pool->list);
    free(pool->of);
    free(pool);
}

/* Room for n endpoints, and for every server's number. */
static void util_room(sim_pool *pool, const sim_member *members, uint32_t n)
{
    uint32_t top = pool->n_of;

    for (uint32_t i = 0; i < n; i++)
        if (members[i].server >= top)
            top = members[i].server + 1;
    if (top > pool->n_of) {
        sim_endpoint **of = sim_need(top, sizeof(void *));

        if (pool->n_of > 0)
            memcpy(of, pool->of, pool->n_of * sizeof(void *));
        free(pool->of);
        pool->of = of;
        pool->n_of = top;
    }
    if (n > pool->room) {
        sim_endpoint **list = sim_need(n, sizeof(void *));

        if (pool->n > 0)
            memcpy(list, pool->list, pool->n * sizeof(void *));
        free(pool->list);
        pool->list = list;
        pool->room = n;
    }
}

/* Off the list: at once, or when its last answer has come. */
static void util_retire(sim_pool *pool, sim_endpoint *e)
{
    if (pool->of[e->server] == e)
        pool->of[e->server] = NULL;
    e->listed = false;
    if (e->in_flight == 0) {
        util_close(pool, e);
        return;
    }
    e->next = pool->gone;
    pool->gone = e;
}

static void util_retire_unlisted(sim_pool *pool)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < pool->n; i++) {
        if (pool->list[i]->listed)
            pool->list[kept++] = pool->list[i];
        else
            util_retire(pool, pool->list[i]);
    }
    pool->n = kept;
}

static sim_endpoint *util_open(sim_pool *pool, uint32_t server, uint64_t now_ns)
{
    sim_endpoint *e = sim_need(1, pool->kind->endpoint_size);

    e->server = server;
    e->listed = true;
    pool->of[server] = e;
    if (pool->kind->open != NULL)
        pool->kind->open(pool, e, now_ns);
    return e;
}

void sim_pool_update(void *self, const sim_member *members, uint32_t n,
                     uint64_t now_ns)
{
    sim_pool *pool = self;
    uint32_t listed = 0;

    util_room(pool, members, n);
    for (uint32_t i = 0; i < pool->n; i++)
        pool->list[i]->listed = false;
    for (uint32_t i = 0; i < n && !pool->kind->forgets; i++)
        if (members[i].ready && pool->of[members[i].server] != NULL)
            pool->of[members[i].server]->listed = true;
    util_retire_unlisted(pool);
    /* Those that are left are in `of`; now all in the order of the list. */
    pool->total_weight = 0;
    pool->weighted = false;
    for (uint32_t i = 0; i < n; i++) {
        sim_endpoint *e = pool->of[members[i].server];

        if (!members[i].ready)
            continue;
        if (e == NULL)
            e = util_open(pool, members[i].server, now_ns);
        e->weight = members[i].weight;
        pool->list[listed++] = e;
        pool->total_weight += e->weight;
        pool->weighted |= fabs(e->weight - pool->list[0]->weight) > 1e-9;
    }
    pool->n = listed;
}

bool sim_pool_take(sim_pool *pool, sim_attempt *a, sim_endpoint *e,
                   uint64_t now_ns)
{
    (void)pool;
    e->in_flight++;
    a->server = e->server;
    a->state[0] = (uint64_t)(uintptr_t)e;
    a->state[1] = now_ns;
    return true;
}

sim_endpoint *sim_pool_give_back(sim_pool *pool, sim_attempt *a)
{
    sim_endpoint *e = (sim_endpoint *)(uintptr_t)a->state[0];
    sim_endpoint **at = &pool->gone;

    if (e->in_flight == 0) {
        fprintf(stderr, "sim: an attempt at server %u ended twice\n",
                (unsigned)e->server);
        abort();
    }
    e->in_flight--;
    if (e->listed)
        return e;
    if (e->in_flight == 0) {
        while (*at != e)
            at = &(*at)->next;
        *at = e->next;
        util_close(pool, e);
    }
    return NULL;
}

double sim_elapsed_ns(const sim_attempt *a, uint64_t now_ns)
{
    double elapsed = sim_since_ns(now_ns, a->state[1]);

    return elapsed < 0 ? 0 : elapsed;
}

sim_endpoint *sim_pool_find(const sim_pool *pool, uint32_t server)
{
    return server < pool->n_of ? pool->of[server] : NULL;
}

void sim_two_of(sim_random *random, uint32_t n, uint32_t *i, uint32_t *j)
{
    *i = sim_random_below(random, n);
    *j = sim_random_below(random, n - 1);
    if (*j >= *i)
        (*j)++;
}

sim_endpoint *sim_pool_better_of_two(sim_pool *pool, uint64_t now_ns)
{
    uint32_t i, j;
    double a, b;

    if (pool->n < 2)
        return pool->n == 0 ? NULL : pool->list[0];
    sim_two_of(&pool->random, pool->n, &i, &j);
    a = pool->kind->score(pool, pool->list[i], now_ns);
    b = pool->kind->score(pool, pool->list[j], now_ns);
    return pool->list[a <= b ? i : j];
}

sim_endpoint *sim_pool_draw(sim_pool *pool)
{
    double x;

    if (pool->n == 0)
        return NULL;
    if (!pool->weighted)
        return pool->list[sim_random_below(&pool->random, pool->n)];
    x = sim_random_unit(&pool->random) * pool->total_weight;
    for (uint32_t i = 0; i + 1 < pool->n; i++) {
        x -= pool->list[i]->weight;
        if (x < 0)
            return pool->list[i];
    }
    return pool->list[pool->n - 1];
}

bool sim_tried(const sim_attempt *a, uint32_t server)
{
    for (uint32_t i = 0; i < a->n_tried; i++)
        if (a->tried[i] == server)
            return true;
    return false;
}
