/* SPDX-License-Identifier: MIT */
/* See util.h. */
#include "util.h"

#include <stdio.h>

/* ---- Assertions -------------------------------------------------------- */

void test_fail(const char *file, int line, const char *what)
{
    ck_abort_msg("%s:%d: %s", file, line, what);
}

void test_must_eq(const char *file, int line, const char *what, long long a,
                  long long b)
{
    if (a != b)
        ck_abort_msg("%s:%d: %s: %lld, %lld", file, line, what, a, b);
}

void test_must_str(const char *file, int line, const char *what, const char *a,
                   const char *b)
{
    if (a == NULL || b == NULL || strcmp(a, b) != 0)
        ck_abort_msg("%s:%d: %s: \"%s\", \"%s\"", file, line, what,
                     a == NULL ? "(null)" : a, b == NULL ? "(null)" : b);
}

void test_must_within(const char *file, int line, const char *what, double x,
                      double low, double high)
{
    if (!(x >= low && x <= high))
        ck_abort_msg("%s:%d: %s is %.9g, not within %.9g .. %.9g", file, line,
                     what, x, low, high);
}

double test_ladder(uint32_t level)
{
    static const double times[] = {1, 1, 1.2, 1.2, 1.4, 1.6, 1.8, 2.8, 2.8};

    return level < sizeof times / sizeof *times ? times[level] : 4;
}

double test_ejection_s(uint32_t level, double per_second)
{
    double s = TEST_EJECTION_S * test_ladder(level);
    double few = TEST_PROBE_REQUESTS * (level < 3 ? level : 3) / per_second;

    s = few > s ? few : s;
    return s < TEST_EJECTION_MAX_S ? s : TEST_EJECTION_MAX_S;
}

TCase *test_case(Suite *s, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_set_timeout(tc, 120);
    suite_add_tcase(s, tc);
    return tc;
}

int test_run(Suite *(*const *suites)(void), size_t n)
{
    SRunner *runner = srunner_create(NULL);
    int failed;

    for (size_t i = 0; i < n; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- Chance ------------------------------------------------------------ */

uint64_t test_random(uint64_t *state)
{
    /* A linear congruential generator (Knuth), mixed: unlike the library's. */
    uint64_t x =
        *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);

    *state = x;
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

uint32_t test_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)((test_random(state) >> 32) * n >> 32);
}

double test_chi2(const uint64_t *counts, const double *shares, size_t n)
{
    double total = 0, sum = 0;

    for (size_t i = 0; i < n; i++)
        total += (double)counts[i];
    for (size_t i = 0; i < n; i++) {
        double expected = total * (shares == NULL ? 1 / (double)n : shares[i]);
        double off = (double)counts[i] - expected;

        sum += off * off / expected;
    }
    return sum;
}

double test_chi2_limit(size_t n)
{
    double df = (double)(n - 1);

    /* Laurent and Massart (2000): P(X > df + 2 sqrt(df x) + 2 x) <= exp(-x),
     * with x = 13.8; sqrt(df) by Newton. */
    double root = df > 1 ? df / 2 : 1;

    for (int i = 0; i < 20; i++)
        root = (root + df / root) / 2;
    return df + 2 * root * 3.715 + 27.6;
}

/* ---- Clock and memory -------------------------------------------------- */

uint64_t test_clock_ns(void *user)
{
    return ((const test_clock *)user)->now_ns;
}

static void *memory_allocate(size_t bytes, void *user)
{
    test_memory *m = user;
    unsigned char *p;

    m->bytes = bytes;
    if (++m->n_allocated == m->fail_at)
        return NULL;
    p = calloc(1, bytes + m->shift);
    return p == NULL ? NULL : p + m->shift;
}

static void memory_release(void *memory, void *user)
{
    test_memory *m = user;

    m->n_released++;
    free((unsigned char *)memory - m->shift);
}

void test_memory_init(test_memory *m)
{
    memset(m, 0, sizeof *m);
    m->allocator.allocate = memory_allocate;
    m->allocator.release = memory_release;
    m->allocator.user = m;
}

/* ---- Balancers and endpoints ------------------------------------------- */

const char *test_address(uint32_t number)
{
    static char addresses[TEST_NUMBERS][16];

    must(number < TEST_NUMBERS);
    if (addresses[number][0] == '\0')
        (void)snprintf(addresses[number], sizeof addresses[number],
                       "pod-%" PRIu32 ":80", number);
    return addresses[number];
}

uint32_t test_number_of(const char *address)
{
    must(address != NULL && strncmp(address, "pod-", 4) == 0);
    return (uint32_t)strtoul(address + 4, NULL, 10);
}

ilb_options test_options(test_clock *clock, ilb_policy policy, uint64_t seed)
{
    ilb_options o = ILB_OPTIONS_INIT;

    o.clock_ns = test_clock_ns;
    o.clock_user = clock;
    o.policy = policy;
    o.seed = seed;
    o.capacity = 256;
    return o;
}

ilb_balancer *test_new(const ilb_options *options)
{
    ilb_balancer *b = NULL;

    must_eq(ilb_balancer_new(&b, "test", options), ILB_OK);
    must(b != NULL);
    return b;
}

void test_endpoints(ilb_endpoint *out, uint32_t from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const char *address = test_address(from + i);
        ilb_endpoint e = ILB_ENDPOINT(address);

        e.user = (void *)(uintptr_t)address;
        out[i] = e;
    }
}

void test_update(ilb_balancer *b, uint32_t from, uint32_t n)
{
    ilb_endpoint *list = calloc(n + 1, sizeof *list);

    must(list != NULL);
    test_endpoints(list, from, n);
    must_eq(ilb_balancer_update(b, list, n), ILB_OK);
    free(list);
}

ilb_ticket test_pick(ilb_balancer *b)
{
    ilb_ticket t;

    must_eq(ilb_pick(b, &t, NULL), ILB_OK);
    return t;
}

void test_done(ilb_balancer *b, ilb_ticket *t, ilb_outcome outcome)
{
    must_eq(ilb_done(b, t, outcome), ILB_OK);
}

uint32_t test_number(const ilb_balancer *b, const ilb_ticket *t)
{
    return test_number_of(ilb_ticket_address(b, t));
}

uint32_t test_request(ilb_balancer *b, test_clock *clock, uint64_t takes_ns,
                      ilb_outcome outcome)
{
    ilb_ticket t = test_pick(b);
    uint32_t number = test_number(b, &t);

    clock->now_ns += takes_ns;
    test_done(b, &t, outcome);
    return number;
}

size_t test_snapshot(ilb_balancer *b, ilb_endpoint_stats *out, size_t max)
{
    size_t n = SIZE_MAX;

    must_eq(ilb_balancer_snapshot(b, out, max, sizeof *out, &n), ILB_OK);
    must(n <= max);
    return n;
}

static bool stats_find(ilb_balancer *b, uint32_t number,
                       ilb_endpoint_stats *out)
{
    static ilb_endpoint_stats all[2 * TEST_NUMBERS];
    size_t n = test_snapshot(b, all, 2 * TEST_NUMBERS);

    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].address, test_address(number)) == 0) {
            *out = all[i];
            return true;
        }
    return false;
}

ilb_endpoint_stats test_stats(ilb_balancer *b, uint32_t number)
{
    ilb_endpoint_stats s;

    must(stats_find(b, number, &s));
    return s;
}

bool test_is_known(ilb_balancer *b, uint32_t number)
{
    ilb_endpoint_stats s;

    return stats_find(b, number, &s);
}
