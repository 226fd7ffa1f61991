#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The stress program for two seconds, as `make check` runs it. ./check runs it
# longer, and under sanitizers.
set -euo pipefail
exec "${ILB_BUILD:-build}/tests/stress/stress_balancer" --seconds 2
