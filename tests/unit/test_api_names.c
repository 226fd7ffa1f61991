/* SPDX-License-Identifier: MIT */
/* Errors, version and the names of enum values. */
#include <limits.h>
#include <stdio.h>

#include "suites.h"
#include "util.h"

struct error_row {
    int value;
    const char *name;
    const char *text;
};

static const struct error_row error_rows[] = {
#define ROW(name, value, text) {value, "ILB_E" #name, text},
    ILB_ERROR_MAP(ROW)
#undef ROW
};

#define N_ERRORS (sizeof error_rows / sizeof error_rows[0])

START_TEST(errors_have_names_and_texts)
{
    must_str(ilb_error_name(ILB_OK), "ILB_OK");
    must_str(ilb_strerror(ILB_OK), "success");
    for (size_t i = 0; i < N_ERRORS; i++) {
        must_str(ilb_error_name(error_rows[i].value), error_rows[i].name);
        must_str(ilb_strerror(error_rows[i].value), error_rows[i].text);
    }
    /* The table's values as the contract has them, not as the macro says. */
    must_str(ilb_error_name(-1), "ILB_ENOMEM");
    must_str(ilb_error_name(-9), "ILB_EDUPLICATE");
    must_str(ilb_error_name(-12), "ILB_EBUSY");
    must_str(ilb_error_name(-13), "ILB_EEJECTED");
    must_str(ilb_error_name(-14), "ILB_ENOTDUE");
}
END_TEST

START_TEST(error_values_are_dense_and_distinct)
{
    must_eq(N_ERRORS, -ILB_ERROR_LAST);
    for (size_t i = 0; i < N_ERRORS; i++) {
        must_eq(error_rows[i].value, -(int)i - 1);
        for (size_t k = 0; k < i; k++) {
            must(strcmp(error_rows[i].name, error_rows[k].name) != 0);
            must(strcmp(error_rows[i].text, error_rows[k].text) != 0);
        }
    }
}
END_TEST

START_TEST(unknown_errors_have_a_name_too)
{
    static const int unknown[] = {1, 2, ILB_ERROR_LAST - 1, INT_MIN, INT_MAX};

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        must_str(ilb_strerror(unknown[i]), "unknown error");
        must_str(ilb_error_name(unknown[i]), "ILB_E?");
    }
}
END_TEST

START_TEST(version_is_the_headers)
{
    char text[32];

    must_str(ilb_version(), ILB_VERSION);
    (void)snprintf(text, sizeof text, "%d.%d.%d", ILB_VERSION_MAJOR,
                   ILB_VERSION_MINOR, ILB_VERSION_PATCH);
    must_str(text, ILB_VERSION);
}
END_TEST

START_TEST(policy_names_go_both_ways)
{
    static const char *const names[] = {"peak_ewma", "least_request",
                                        "round_robin", "random"};

    for (int i = 0; i < 4; i++) {
        must_str(ilb_policy_name((ilb_policy)(i + 1)), names[i]);
        must_eq(ilb_policy_from_name(names[i]), i + 1);
    }
    must_str(ilb_policy_name(ILB_POLICY_DEFAULT), "peak_ewma");
    must(ilb_policy_name((ilb_policy)5) == NULL);
    must(ilb_policy_name((ilb_policy)-1) == NULL);
    must(ilb_policy_name((ilb_policy)INT_MAX) == NULL);
}
END_TEST

START_TEST(what_is_no_policy_name_is_refused)
{
    static const char *const names[] = {"",        "peak",       "peak_ewma ",
                                        "Random",  "roundrobin", "default",
                                        " random", "peak_ewmaa"};

    must_eq(ilb_policy_from_name(NULL), ILB_EINVAL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        must_eq(ilb_policy_from_name(names[i]), ILB_EINVAL);
}
END_TEST

static void all_distinct(const char *(*name_of)(int), int n)
{
    for (int i = 0; i < n; i++) {
        must(name_of(i) != NULL && name_of(i)[0] != '\0');
        for (int k = 0; k < i; k++)
            must(strcmp(name_of(i), name_of(k)) != 0);
    }
    must(name_of(n) == NULL);
    must(name_of(-1) == NULL);
    must(name_of(INT_MIN) == NULL);
    must(name_of(INT_MAX) == NULL);
}

static const char *outcome_name(int i)
{
    return ilb_outcome_name((ilb_outcome)i);
}

static const char *state_name(int i)
{
    return ilb_state_name((ilb_state)i);
}

static const char *detector_name(int i)
{
    return ilb_detector_name((ilb_detector)i);
}

static const char *reason_name(int i)
{
    return ilb_reason_name((ilb_reason)i);
}

static const char *event_type_name(int i)
{
    return ilb_event_type_name((ilb_event_type)i);
}

static const char *chosen_by_name(int i)
{
    return ilb_chosen_by_name((ilb_chosen_by)i);
}

static const char *fate_name(int i)
{
    return ilb_fate_name((ilb_fate)i);
}

static const char *admitted_name(int i)
{
    return ilb_admitted_name((ilb_admitted)i);
}

static const char *trial_name(int i)
{
    return ilb_trial_name((ilb_trial)i);
}

static const char *held_name(int i)
{
    return ilb_held_name((ilb_held)i);
}

START_TEST(what_events_and_explanations_say_has_names)
{
    all_distinct(detector_name, ILB_DETECTOR_COUNT);
    all_distinct(reason_name, ILB_REASON_COUNT);
    all_distinct(event_type_name, ILB_EVENT_TYPE_COUNT);
    all_distinct(chosen_by_name, ILB_CHOSEN_BY_COUNT);
    all_distinct(fate_name, ILB_FATE_COUNT);
    all_distinct(held_name, ILB_HELD_COUNT);
    all_distinct(trial_name, ILB_TRIAL_COUNT);
    all_distinct(admitted_name, ILB_ADMITTED_COUNT);
    must_str(ilb_detector_name(ILB_DETECTOR_CONSECUTIVE_FAILURES),
             "consecutive_failures");
    must_str(ilb_detector_name(ILB_DETECTOR_FAILURE_PERCENTAGE),
             "failure_percentage");
    must_str(ilb_detector_name(ILB_DETECTOR_RETRY_AFTER), "retry_after");
    must_str(ilb_detector_name(ILB_DETECTOR_PROBE), "probe");
    must_str(ilb_reason_name(ILB_REASON_CAPACITY), "capacity");
    must_str(ilb_event_type_name(ILB_EVENT_EJECT), "eject");
    must_str(ilb_event_type_name(ILB_EVENT_UPDATED), "updated");
    must_str(ilb_chosen_by_name(ILB_CHOSEN_BY_FAIL_OPEN), "fail_open");
    must_str(ilb_fate_name(ILB_FATE_FULL), "full");
    must_str(ilb_held_name(ILB_HELD_SUSPECT), "suspect");
    must_str(ilb_trial_name(ILB_TRIAL_UNTRIED), "untried");
    must_str(ilb_trial_name(ILB_TRIAL_REFUSED), "refused");
    must_str(ilb_admitted_name(ILB_ADMITTED_ROOM), "room");
    must_str(ilb_admitted_name(ILB_ADMITTED_LAST), "last");
}
END_TEST

START_TEST(outcomes_and_states_have_names)
{
    all_distinct(outcome_name, ILB_OUTCOME_COUNT);
    all_distinct(state_name, ILB_STATE_DRAINING + 1);
    must_str(ilb_outcome_name(ILB_SUCCESS), "success");
    must_str(ilb_outcome_name(ILB_CONNECT_ERROR), "connect_error");
    must_str(ilb_outcome_name(ILB_CANCELLED), "cancelled");
    must_str(ilb_state_name(ILB_STATE_WARMING), "warming");
    must_str(ilb_state_name(ILB_STATE_EJECTED), "ejected");
    must_str(ilb_state_name(ILB_STATE_NOT_READY), "not_ready");
}
END_TEST

Suite *suite_api_names(void)
{
    Suite *s = suite_create("api names");
    TCase *tc = test_case(s, "names");

    tcase_add_test(tc, errors_have_names_and_texts);
    tcase_add_test(tc, error_values_are_dense_and_distinct);
    tcase_add_test(tc, unknown_errors_have_a_name_too);
    tcase_add_test(tc, version_is_the_headers);
    tcase_add_test(tc, policy_names_go_both_ways);
    tcase_add_test(tc, what_is_no_policy_name_is_refused);
    tcase_add_test(tc, outcomes_and_states_have_names);
    tcase_add_test(tc, what_events_and_explanations_say_has_names);
    return s;
}
