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

#undef NAMES_N
