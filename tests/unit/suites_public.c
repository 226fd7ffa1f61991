/* SPDX-License-Identifier: MIT */
/* The suites that use the public header only. */
#include "suites.h"

const test_suite suites_public[] = {
    suite_api_names,       suite_api_options,
    suite_api_sizes,       suite_api_memory,
    suite_api_update,      suite_api_drain,
    suite_api_lease,       suite_api_model,
    suite_api_ticket,      suite_api_exclude,
    suite_api_policy,      suite_api_score,
    suite_api_small,       suite_api_newcomer,
    suite_api_trial,       suite_api_cost,
    suite_api_time,        suite_api_ejection,
    suite_api_probe,       suite_api_return,
    suite_api_events,      suite_api_event_ring,
    suite_api_event_calls, suite_api_event_text,
    suite_api_explain,     suite_api_explain_ejected,
    suite_api_explanation, suite_api_fail_mode,
    suite_api_detectors,   suite_api_overload,
    suite_api_checks,      suite_api_slow_start,
    suite_api_peaks,       suite_api_early,
    suite_api_hang,        suite_api_longlived,
    suite_api_slow,        suite_api_ahead,
    suite_api_leap,        suite_api_callers,
    suite_api_room,
};

const size_t suites_public_n = sizeof suites_public / sizeof suites_public[0];
