/* SPDX-License-Identifier: MIT */
/* All suites. Those called api_ use the public header only. */
#ifndef ILB_TESTS_UNIT_SUITES_H
#define ILB_TESTS_UNIT_SUITES_H

#include <check.h>
#include <stddef.h>

typedef Suite *(*test_suite)(void);

extern const test_suite suites_public[];
extern const size_t suites_public_n;

Suite *suite_api_names(void);
Suite *suite_api_options(void);
Suite *suite_api_sizes(void);
Suite *suite_api_memory(void);
Suite *suite_api_update(void);
Suite *suite_api_drain(void);
Suite *suite_api_lease(void);
Suite *suite_api_model(void);
Suite *suite_api_ticket(void);
Suite *suite_api_exclude(void);
Suite *suite_api_policy(void);
Suite *suite_api_score(void);
Suite *suite_api_small(void);
Suite *suite_api_trial(void);
Suite *suite_api_cost(void);
Suite *suite_api_newcomer(void);
Suite *suite_api_time(void);
Suite *suite_api_ahead(void);
Suite *suite_api_callers(void);
Suite *suite_api_leap(void);
Suite *suite_api_ejection(void);
Suite *suite_api_fail_mode(void);
Suite *suite_api_detectors(void);
Suite *suite_api_early(void);
Suite *suite_api_hang(void);
Suite *suite_api_longlived(void);
Suite *suite_api_room(void);
Suite *suite_api_slow(void);
Suite *suite_api_overload(void);
Suite *suite_api_checks(void);
Suite *suite_api_slow_start(void);
Suite *suite_api_peaks(void);
Suite *suite_api_probe(void);
Suite *suite_api_return(void);
Suite *suite_api_events(void);
Suite *suite_api_event_ring(void);
Suite *suite_api_event_calls(void);
Suite *suite_api_event_text(void);
Suite *suite_api_explain(void);
Suite *suite_api_explain_ejected(void);
Suite *suite_api_explanation(void);

#endif
