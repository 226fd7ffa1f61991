/* SPDX-License-Identifier: MIT */
/*
 * Bytes for an endpoint: what a balancer asks its allocator for, for each more
 * of its capacity; and of that what is really used, in pages of the system,
 * when it is full and every endpoint has had requests.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench_measures.h"
#include "bench_subjects.h"

#define MEMORY_ENDPOINTS 10000
#define MEMORY_REQUESTS (10 * MEMORY_ENDPOINTS)

typedef struct memory_block {
    void *pages;
    size_t bytes;
} memory_block;

static void *memory_allocate(size_t bytes, void *user)
{
    memory_block *m = user;

    m->bytes = bytes;
    m->pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m->pages == MAP_FAILED)
        return NULL;
    /* Huge pages would count what nobody has touched. */
    (void)madvise(m->pages, bytes, MADV_NOHUGEPAGE);
    return m->pages;
}

static void memory_release(void *memory, void *user)
{
    if (munmap(memory, ((memory_block *)user)->bytes) != 0)
        bench_die("munmap fails");
}

static double memory_resident(const memory_block *m)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t n = (m->bytes + page - 1) / page, used = 0;
    unsigned char *pages = bench_allocate(n, 1);

    if (mincore(m->pages, m->bytes, pages) != 0)
        bench_die("mincore fails");
    for (size_t i = 0; i < n; i++)
        used += pages[i] & 1;
    free(pages);
    return (double)(used * page);
}

/* Bytes of a balancer of that capacity, asked for and used. */
static void memory_of(uint32_t n, double *asked, double *used)
{
    ilb_options o = ILB_OPTIONS_INIT;
    memory_block m = {NULL, 0};
    const ilb_allocator a = {memory_allocate, memory_release, &m};
    ilb_balancer *b;
    ilb_ticket t;

    o.capacity = n;
    o.allocator = &a;
    b = bench_balancer(&o, n);
    for (uint32_t i = 0; i < MEMORY_REQUESTS; i++)
        if (ilb_pick(b, &t, NULL) != ILB_OK ||
            ilb_done(b, &t, ILB_SUCCESS) != ILB_OK)
            bench_die("a request fails");
    *asked = (double)m.bytes;
    *used = memory_resident(&m);
    ilb_balancer_free(b);
}

static void memory_row(bench_rows *all, const char *subject, double bytes)
{
    bench_row *r = bench_rows_add(all, "memory", subject);

    r->endpoints = MEMORY_ENDPOINTS;
    r->bytes = bytes;
}

void bench_measure_memory(bench_rows *all)
{
    double asked[2], used[2];

    memory_of(MEMORY_ENDPOINTS, &asked[0], &used[0]);
    memory_of(2 * MEMORY_ENDPOINTS, &asked[1], &used[1]);
    memory_row(all, "allocated_an_endpoint",
               (asked[1] - asked[0]) / MEMORY_ENDPOINTS);
    memory_row(all, "used_an_endpoint", (used[1] - used[0]) / MEMORY_ENDPOINTS);
    memory_row(all, "allocated", asked[0]);
    memory_row(all, "used", used[0]);
}
