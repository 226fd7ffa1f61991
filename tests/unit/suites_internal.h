/* SPDX-License-Identifier: MIT */
/* The suites that look inside: they need the library's own headers. */
#ifndef ILB_TESTS_UNIT_SUITES_INTERNAL_H
#define ILB_TESTS_UNIT_SUITES_INTERNAL_H

#include "suites.h"

Suite *suite_decay(void);
Suite *suite_random(void);
Suite *suite_memory(void);
Suite *suite_clock(void);
Suite *suite_line(void);
Suite *suite_histogram(void);
Suite *suite_slot(void);
Suite *suite_index(void);
Suite *suite_order(void);
Suite *suite_table(void);
Suite *suite_set(void);
Suite *suite_repair(void);
Suite *suite_load(void);
Suite *suite_latency(void);
Suite *suite_latency_peak(void);
Suite *suite_latency_bound(void);
Suite *suite_failures(void);
Suite *suite_evidence(void);
Suite *suite_queue(void);
Suite *suite_survey(void);
Suite *suite_refusals(void);
Suite *suite_checks(void);
Suite *suite_cap(void);
Suite *suite_window(void);
Suite *suite_slowness(void);
Suite *suite_slow(void);
Suite *suite_lost(void);
Suite *suite_epochs(void);
Suite *suite_overtaken(void);
Suite *suite_peaks(void);
Suite *suite_health(void);
Suite *suite_health_cap(void);
Suite *suite_health_judge(void);
Suite *suite_health_times(void);
Suite *suite_pool(void);
Suite *suite_pool_rate(void);
Suite *suite_pool_failures(void);
Suite *suite_pool_windows(void);
Suite *suite_score(void);
Suite *suite_select(void);
Suite *suite_select_ejected(void);
Suite *suite_select_probe(void);
Suite *suite_ticket(void);
Suite *suite_events(void);
Suite *suite_process(void);
Suite *suite_shared(void);
Suite *suite_shared_new(void);
Suite *suite_audit(void);
Suite *suite_forks(void);

#endif
