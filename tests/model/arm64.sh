#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The stress programs, held up between their steps, as arm64 code under qemu.
#
#   tests/model/arm64.sh [SECONDS]
#
# Needs qemu-user, gcc-aarch64-linux-gnu and libc6-dev-arm64-cross; 77: they are
# not there. What it shows: the core is right as compiled for another machine,
# with its atomics (ldaxr, stlxr, ldar, stlr, dmb). What it does not: qemu runs
# each of these as an instruction of this machine, and a PC orders more than an
# arm64 does. Weak orders are the model's (model.c, docs/proof.md).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-10}
cc=aarch64-linux-gnu-gcc
for program in "$cc" qemu-aarch64; do
    command -v "$program" >/dev/null || {
        echo "arm64: no $program" >&2
        exit 77
    }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-std=c11 -O2 -g -DILB_YIELD -Iinclude -Ilibilb -Itests/stress -pthread -static)
mapfile -t sources < <(find libilb -name '*.c' | sort)

# Two forms: exclusive loads and stores, and the atomics of ARMv8.1.
for arch in armv8-a armv8.1-a; do
    for program in stress_balancer stress_events; do
        "$cc" "${flags[@]}" "-march=$arch" -mno-outline-atomics \
            "${sources[@]}" tests/stress/yield.c "tests/stress/$program.c" \
            -o "$work/$program"
        n=$(aarch64-linux-gnu-objdump -d "$work/$program" |
            grep -cE '[[:space:]](ldaxr|stlxr|ldar|stlr|ldapr|cas(a|l|al)|ldadd(a|l|al)|dmb)[[:space:]]')
        echo "arm64: $program for $arch: $n ordered instructions"
        case $program in
        stress_balancer) options=(--threads 4 --endpoints 12 --rate 200) ;;
        *) options=() ;;
        esac
        qemu-aarch64 "$work/$program" --seconds "$seconds" "${options[@]}"
    done
done
