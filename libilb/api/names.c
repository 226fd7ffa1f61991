/* SPDX-License-Identifier: MIT */
/* Names of the public enums' values, for logs, JSON and bindings. */
#include <string.h>

#include "base/internal.h"

static const char *const names_policy[] = {NULL, "peak_ewma", "least_request",
                                           "round_robin", "random"};
static const char *const names_outcome[ILB_OUTCOME_COUNT] = {
    "success", "failure", "timeout", "connect_error", "overload", "cancelled"};
static const char *const names_state[] = {"warming", "healthy",   "ejected",
                                          "probing", "not_ready", "draining"};
static const char *const names_detector[ILB_DETECTOR_COUNT] = {
    "none",
    "consecutive_failures",
    "failure_percentage",
    "success_rate",
    "latency",
    "hang",
    "retry_after",
    "probe"};
static const char *const names_reason[ILB_REASON_COUNT] = {
    "none", "shadow", "cap", "floor", "capacity"};
static const char *const names_event_type[ILB_EVENT_TYPE_COUNT] = {
    "none",          "eject",        "eject_refused",   "uneject",
    "probe_started", "probe_failed", "probe_cancelled", "healthy",
    "entered",       "left",         "readiness",       "updated"};
static const char *const names_chosen_by[ILB_CHOSEN_BY_COUNT] = {
    "cost", "turn", "chance", "probe", "search", "fail_open"};
static const char *const names_fate[ILB_FATE_COUNT] = {
    "compared", "ejected", "excluded", "full", "ramping"};
static const char *const names_held[ILB_HELD_COUNT] = {
    "not", "hanging", "cap", "slow", "failed", "suspect", "refused", "full"};
static const char *const names_admitted[ILB_ADMITTED_COUNT] = {
    "not", "probe", "panic", "room", "overload", "last", "early"};
static const char *const names_trial[ILB_TRIAL_COUNT] = {
    "not",     "probe",   "again",    "untried", "slow",
    "suspect", "failing", "returned", "refused"};

#define NAMES_N(table) (sizeof(table) / sizeof(table)[0])

ILB_API int ilb_policy_from_name(const char *name)
{
    if (name == NULL)
        return ILB_EINVAL;
    for (size_t i = 1; i < NAMES_N(names_policy); i++)
        if (strcmp(name, names_policy[i]) == 0)
            return (int)i;
    return ILB_EINVAL;
}

ILB_API const char *ilb_policy_name(ilb_policy policy)
{
    if (policy == ILB_POLICY_DEFAULT)
        policy = ILB_POLICY_PEAK_EWMA;
    return (size_t)policy < NAMES_N(names_policy) ? names_policy[policy] : NULL;
}

ILB_API const char *ilb_outcome_name(ilb_outcome outcome)
{
    return (size_t)outcome < NAMES_N(names_outcome) ? names_outcome[outcome]
                                                    : NULL;
}

ILB_API const char *ilb_state_name(ilb_state state)
{
    return (size_t)state < NAMES_N(names_state) ? names_state[state] : NULL;
}

ILB_API const char *ilb_detector_name(ilb_detector detector)
{
    return (size_t)detector < ILB_DETECTOR_COUNT ? names_detector[detector]
                                                 : NULL;
}

ILB_API const char *ilb_reason_name(ilb_reason reason)
{
    return (size_t)reason < ILB_REASON_COUNT ? names_reason[reason] : NULL;
}

ILB_API const char *ilb_event_type_name(ilb_event_type type)
{
    return (size_t)type < ILB_EVENT_TYPE_COUNT ? names_event_type[type] : NULL;
}

ILB_API const char *ilb_chosen_by_name(ilb_chosen_by by)
{
    return (size_t)by < ILB_CHOSEN_BY_COUNT ? names_chosen_by[by] : NULL;
}

ILB_API const char *ilb_fate_name(ilb_fate fate)
{
    return (size_t)fate < ILB_FATE_COUNT ? names_fate[fate] : NULL;
}

ILB_API const char *ilb_held_name(ilb_held held)
{
    return (size_t)held < ILB_HELD_COUNT ? names_held[held] : NULL;
}

ILB_API const char *ilb_admitted_name(ilb_admitted admitted)
{
    return (size_t)admitted < ILB_ADMITTED_COUNT ? names_admitted[admitted]
                                                 : NULL;
}

ILB_API const char *ilb_trial_name(ilb_trial trial)
{
    return (size_t)trial < ILB_TRIAL_COUNT ? names_trial[trial] : NULL;
}

#undef NAMES_N
