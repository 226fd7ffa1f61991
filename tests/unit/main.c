/* SPDX-License-Identifier: MIT */
/* All unit tests. CK_FORK, CK_RUN_SUITE, CK_RUN_CASE, CK_VERBOSITY as ever. */
#include "suites_internal.h"
#include "util.h"

static const test_suite internal[] = {
    suite_decay,  suite_random, suite_memory, suite_index,
    suite_table,  suite_set,    suite_load,   suite_latency,
    suite_health, suite_pool,   suite_select, suite_ticket,
};

#define N_INTERNAL (sizeof internal / sizeof internal[0])

int main(void)
{
    test_suite all[64];
    size_t n = 0;

    for (size_t i = 0; i < N_INTERNAL; i++)
        all[n++] = internal[i];
    for (size_t i = 0; i < suites_public_n; i++)
        all[n++] = suites_public[i];
    return test_run(all, n);
}
