#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The stress programs for two seconds each, as `make check` runs them. ./check
# runs them longer, and under sanitizers.
set -euo pipefail
"${ILB_BUILD:-build}/tests/stress/stress_balancer" --seconds 2
"${ILB_BUILD:-build}/tests/stress/stress_events" --seconds 2
"${ILB_BUILD:-build}/tests/stress/stress_processes" --seconds 2 || [ $? = 77 ]
