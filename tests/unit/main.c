/* SPDX-License-Identifier: MIT */
/* All unit tests. CK_FORK, CK_RUN_SUITE, CK_RUN_CASE, CK_VERBOSITY as ever. */
#include "suites_internal.h"
#include "util.h"

static const test_suite internal[] = {
    suite_decay,        suite_random,
    suite_memory,       suite_clock,
    suite_line,         suite_histogram,
    suite_index,        suite_order,
    suite_table,        suite_set,
    suite_load,         suite_latency,
    suite_latency_peak, suite_latency_bound,
    suite_failures,     suite_evidence,
    suite_window,       suite_health,
    suite_health_cap,   suite_health_judge,
    suite_health_times, suite_pool,
    suite_pool_rate,    suite_pool_failures,
    suite_pool_windows, suite_score,
    suite_select,       suite_select_ejected,
    suite_select_probe, suite_ticket,
    suite_events,       suite_slot,
    suite_queue,        suite_survey,
    suite_refusals,     suite_checks,
    suite_cap,          suite_slowness,
    suite_slow,         suite_lost,
    suite_epochs,       suite_overtaken,
    suite_peaks,        suite_process,
    suite_shared,       suite_shared_new,
    suite_audit,        suite_forks,
    suite_repair,
};

#define N_INTERNAL (sizeof internal / sizeof internal[0])

int main(void)
{
    test_suite all[96];
    size_t n = 0;

    for (size_t i = 0; i < N_INTERNAL; i++)
        all[n++] = internal[i];
    for (size_t i = 0; i < suites_public_n; i++)
        all[n++] = suites_public[i];
    return test_run(all, n);
}
